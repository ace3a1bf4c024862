//! What the pages under `docs/` say can be done as it is written there.

mod yaml;

use std::path::{Path, PathBuf};
use std::process::Command;

use switchboard::server::config::Config;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<(PathBuf, String)> {
    let folder = std::fs::read_dir(root().join("docs")).expect("the folder");
    let paths = folder.map(|entry| entry.expect("an entry").path());
    let pages: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .map(|path| (path.clone(), std::fs::read_to_string(path).expect("a page")))
        .collect();
    assert!(!pages.is_empty());
    pages
}

/// The blocks of this kind, at whatever indentation they stand.
fn blocks(page: &str, kind: &str) -> Vec<String> {
    let (mut blocks, mut open) = (Vec::new(), None::<(usize, String)>);
    for line in page.lines() {
        let indent = line.len() - line.trim_start().len();
        match &mut open {
            None if line.trim_start() == format!("```{kind}") => open = Some((indent, String::new())),
            None => {}
            Some((_, block)) if line.trim_start() == "```" => {
                blocks.push(std::mem::take(block));
                open = None;
            }
            Some((at, block)) => {
                block.push_str(line.get(*at..).unwrap_or_default());
                block.push('\n');
            }
        }
    }
    assert!(open.is_none(), "a block without an end");
    blocks
}

fn help(words: &[&str]) -> String {
    let help = Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .args(words)
        .arg("--help")
        .output()
        .expect("the binary runs");
    assert!(
        help.status.success(),
        "there is no switchboard {}",
        words.join(" ")
    );
    String::from_utf8_lossy(&help.stdout).into_owned()
}

#[test]
fn every_command_of_the_docs_exists_with_its_options() {
    let mut seen = 0;
    for (path, page) in pages() {
        for line in blocks(&page, "sh").iter().flat_map(|block| block.lines()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["switchboard", rest @ ..] => {
                    let commands = rest
                        .iter()
                        .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase()));
                    let help = help(&commands.copied().collect::<Vec<_>>());
                    for option in rest.iter().filter(|word| word.starts_with("--")) {
                        assert!(help.contains(option), "{line}: no {option}");
                    }
                }
                ["docker", "build" | "compose", "--file", file, ..] => {
                    assert!(root().join(file).is_file(), "{line}");
                }
                ["systemctl", "start" | "stop" | "reload" | "enable", ..] => {
                    assert!(
                        words
                            .last()
                            .is_some_and(|unit| { root().join(format!("deploy/{unit}.service")).is_file() }),
                        "{line}"
                    );
                }
                _ => panic!("{}: nobody checks {line}", path.display()),
            }
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn every_configuration_of_the_docs_is_taken() {
    for (path, page) in pages() {
        for block in blocks(&page, "toml") {
            let taken = Config::parse(&block, Path::new("switchboard.toml"), &|_| {
                Some("a-secret-as-long-as-it-must-be".to_owned())
            });
            if let Err(why) = taken {
                panic!("{}: {why}", path.display());
            }
        }
    }
}

#[test]
fn the_deployment_for_kubernetes_names_ports_probes_and_commands_that_exist() {
    let page = std::fs::read_to_string(root().join("docs/many-workers.md")).expect("the page");
    let [block] = blocks(&page, "yaml").try_into().expect("one deployment");
    let deployment = yaml::read(&block);
    assert_eq!(deployment.at("kind").text(), "Deployment");
    let labels = deployment.at("spec").at("template").at("metadata").at("labels");
    assert_eq!(deployment.at("spec").at("selector").at("matchLabels"), labels);
    let pod = deployment.at("spec").at("template").at("spec");
    let worker = &pod.at("containers").list()[0];
    let arguments: Vec<&str> = worker.at("args").list().iter().map(yaml::Yaml::text).collect();
    let help = help(&arguments[..1]);
    assert!(
        arguments[1..]
            .iter()
            .filter(|word| word.starts_with("--"))
            .all(|option| help.contains(option))
    );
    let ports: Vec<&str> = worker
        .at("ports")
        .list()
        .iter()
        .map(|port| port.at("containerPort").text())
        .collect();
    for (probe, path) in [("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")] {
        let asked = worker.at(probe).at("httpGet");
        assert_eq!(asked.at("path").text(), path);
        assert!(ports.contains(&asked.at("port").text()), "{probe}");
    }
    let mounted: Vec<&str> = worker
        .at("volumeMounts")
        .list()
        .iter()
        .map(|mount| mount.at("name").text())
        .collect();
    let volumes: Vec<&str> = pod
        .at("volumes")
        .list()
        .iter()
        .map(|volume| volume.at("name").text())
        .collect();
    assert_eq!(mounted, volumes);
    // Longer than work in flight may take.
    let grace: u64 = pod
        .at("terminationGracePeriodSeconds")
        .text()
        .parse()
        .expect("seconds");
    assert!(grace > 20);
}

#[test]
fn every_file_and_metric_that_the_docs_name_exists() {
    let path = regex::Regex::new("`((?:deploy|docs|src|tests|flows)/[A-Za-z0-9_./-]+)`").expect("a pattern");
    let metric = regex::Regex::new("`(switchboard_[a-z_]+)").expect("a pattern");
    // The names stand in one place, each with its explanation; `tests/metrics.rs` holds the page against that.
    let explained =
        std::fs::read_to_string(root().join("src/server/watch/metrics/mod.rs")).expect("the names");
    for (page, text) in pages() {
        for found in path.captures_iter(&text) {
            assert!(
                root().join(&found[1]).exists(),
                "{}: {}",
                page.display(),
                &found[1]
            );
        }
        for found in metric.captures_iter(&text) {
            let name = found[1].strip_suffix("_count").unwrap_or(&found[1]);
            assert!(
                explained.contains(&format!("\"{name}\"")),
                "{}: {name}",
                page.display()
            );
        }
    }
}

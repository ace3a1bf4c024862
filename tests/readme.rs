//! What the README says is done here as it is written there.

mod story;

use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;
use story::Story;

/// The part of a business that the README's flow uses and does not show.
const BUSINESS: &str = "\
business \"Corner Shop\"
timezone \"Europe/Lisbon\"

team support \"Customer care\"

service shop \"https://api.shop.example\"
  action get_order needs number
    get \"/orders/{{ number }}\"
    gives status: text, eta: date
end
";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).expect("the README")
}

/// The blocks between fences of this kind.
fn blocks(kind: &str) -> Vec<String> {
    let readme = readme();
    let mut blocks = Vec::new();
    let mut rest = readme.as_str();
    while let Some((_, after)) = rest.split_once(&format!("\n```{kind}\n")) {
        let (block, next) = after.split_once("\n```\n").expect("the fence is closed");
        blocks.push(format!("{block}\n"));
        rest = next;
    }
    blocks
}

fn the_block(kind: &str) -> String {
    let [block] = blocks(kind)
        .try_into()
        .unwrap_or_else(|all: Vec<_>| panic!("{} {kind} blocks", all.len()));
    block
}

fn shop(flow: &str) -> Story {
    Story::new()
        .file("flows/business.flow", BUSINESS)
        .file("flows/shop.flow", flow)
}

fn found(pattern: &str, text: &str) -> Vec<String> {
    let pattern = Regex::new(pattern).expect("a pattern");
    let found: Vec<String> = pattern
        .captures_iter(text)
        .map(|found| found[1].to_owned())
        .collect();
    assert!(!found.is_empty(), "the README has nothing like {pattern}");
    found
}

#[test]
fn the_flow_of_the_readme_has_no_mistake_and_is_in_its_one_layout() {
    let shop = shop(&the_block("flow"));
    shop.run(["check"]).code(0);
    shop.run(["fmt", "--check"]).code(0);
}

#[test]
fn the_conversation_of_the_readme_passes() {
    let shop = shop(&the_block("flow")).file("shop.chat", &the_block("chat"));
    shop.run(["test", "shop.chat"])
        .code(0)
        .stdout_has("1 passed, 0 failed");
}

#[test]
fn the_mistake_of_the_readme_is_drawn_as_it_shows() {
    let flow = the_block("flow");
    let without = flow.strip_suffix("  done\n").expect("the flow ends with done");
    let ran = shop(without).run(["check"]).code(1);
    let shown = the_block("text");
    let lines = shown
        .strip_prefix("$ switchboard check\n")
        .expect("the command")
        .lines();
    for line in lines {
        ran.has(line);
    }
}

#[test]
fn every_command_and_option_of_the_readme_exists() {
    let (readme, option) = (readme(), Regex::new("--[a-z-]+").expect("a pattern"));
    for line in readme.lines().filter(|line| line.starts_with("| `switchboard ")) {
        let words = found("^\\| `switchboard ([^`]*)`", line).remove(0);
        let names: Vec<&str> = words
            .split_whitespace()
            .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase()))
            .take(match words.split(' ').next() {
                Some("voice" | "channel" | "template") => 2,
                _ => 1,
            })
            .collect();
        let help = Command::new(env!("CARGO_BIN_EXE_switchboard"))
            .args(&names)
            .arg("--help")
            .output();
        let help = help.expect("the binary runs");
        assert!(help.status.success(), "switchboard {}", names.join(" "));
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        for option in option.find_iter(line) {
            assert!(
                help.contains(option.as_str()),
                "{} has no {}:\n{help}",
                names.join(" "),
                option.as_str()
            );
        }
    }
}

#[test]
fn every_make_command_of_the_readme_exists() {
    for target in found("(?m)(?:^|`)make ([a-z]+)", &readme()) {
        let planned = Command::new("make")
            .args(["-n", &target])
            .current_dir(root())
            .output()
            .expect("make runs");
        assert!(
            planned.status.success(),
            "make {target}: {}",
            String::from_utf8_lossy(&planned.stderr)
        );
    }
}

#[test]
fn every_file_the_readme_points_at_exists() {
    let readme = readme();
    let mut paths = found("\\]\\(([^)#:]+)\\)", &readme);
    paths.extend(found("`((?:tests|flows|fixtures|src|grammar)/[^`]*)`", &readme));
    for path in paths {
        assert!(root().join(&path).exists(), "{path} is missing");
    }
    let picture = root().join("fixtures/screenshots/demo.png");
    assert!(
        size(&picture) <= 200 * 1024,
        "the picture of the demo is too large to be fetched with every clone"
    );
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).expect("a file").len()
}

//! The files for containers and systemd say what they mean: every key is known, every file they name is there, and what
//! can be run without a container engine is run.

mod yaml;

use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use yaml::Yaml;

const PATIENCE: Duration = Duration::from_secs(30);

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn file(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// Whether a program is there; says so if not.
fn there(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        println!("skipped: there is no {program} on this machine");
    }
    found
}

fn compose() -> Yaml {
    yaml::read(&file("deploy/compose.yaml"))
}

/// The Dockerfile's instructions, continued lines joined.
fn dockerfile() -> Vec<(String, String)> {
    let text = file("deploy/Dockerfile").replace("\\\n", " ");
    text.lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (name, rest) = line.split_once(' ').expect("an instruction");
            (
                name.to_owned(),
                rest.split_whitespace().collect::<Vec<_>>().join(" "),
            )
        })
        .collect()
}

fn instructions(name: &str) -> Vec<String> {
    let all = dockerfile().into_iter().filter(|(found, _)| found == name);
    all.map(|(_, rest)| rest).collect()
}

#[test]
fn every_key_of_the_compose_file_is_one_that_compose_knows() {
    let known = |where_: &str, found: &Yaml, known: &[&str]| {
        for key in found.keys() {
            assert!(known.contains(&key), "{where_} has {key}");
        }
    };
    let compose = compose();
    known("the file", &compose, &["name", "services", "volumes"]);
    for (name, service) in compose.at("services").map() {
        known(
            name,
            service,
            &[
                "build",
                "cap_add",
                "cap_drop",
                "command",
                "depends_on",
                "deploy",
                "environment",
                "expose",
                "healthcheck",
                "image",
                "ports",
                "read_only",
                "restart",
                "security_opt",
                "stop_grace_period",
                "tmpfs",
                "user",
                "volumes",
            ],
        );
        let parts = service.map();
        if let Some(health) = parts.get("healthcheck") {
            known("healthcheck", health, &["interval", "retries", "test", "timeout"]);
        }
        if let Some(build) = parts.get("build") {
            known("build", build, &["context", "dockerfile"]);
            let context = root().join("deploy").join(build.at("context").text());
            assert!(context.join(build.at("dockerfile").text()).is_file());
        }
        if let Some(deploy) = parts.get("deploy") {
            known("deploy", deploy, &["replicas"]);
            assert!(
                deploy
                    .at("replicas")
                    .text()
                    .parse::<u32>()
                    .is_ok_and(|replicas| replicas >= 2)
            );
        }
        if let Some(Yaml::Map(waits)) = parts.get("depends_on") {
            for (other, how) in waits {
                assert_eq!(how.at("condition").text(), "service_healthy");
                assert!(compose.at("services").at(other).map().contains_key("healthcheck"));
            }
        }
        // A name without a version would be another program next year.
        let image = service.at("image").text();
        assert!(image == "switchboard" || image.contains(':'), "{image}");
    }
}

#[test]
fn nothing_of_the_compose_file_is_reachable_from_elsewhere_and_nothing_has_rights_it_does_not_need() {
    for (name, service) in compose().at("services").map() {
        let published = service.map().get("ports").map(Yaml::list).unwrap_or_default();
        for port in published {
            assert!(
                port.text().starts_with("127.0.0.1:"),
                "{name} publishes {}",
                port.text()
            );
        }
        assert_eq!(service.at("read_only").text(), "true", "{name}");
        assert_eq!(
            service.at("cap_drop").list(),
            [Yaml::Text("ALL".to_owned())],
            "{name}"
        );
        assert_eq!(
            service.at("security_opt").list(),
            [Yaml::Text("no-new-privileges:true".to_owned())],
            "{name}"
        );
    }
}

#[test]
fn every_file_and_volume_that_the_compose_file_mounts_is_there() {
    let compose = compose();
    let volumes: BTreeSet<&str> = compose.at("volumes").keys().into_iter().collect();
    let mut used = BTreeSet::new();
    for (name, service) in compose.at("services").map() {
        for mount in service.map().get("volumes").map(Yaml::list).unwrap_or_default() {
            let parts: Vec<&str> = mount.text().split(':').collect();
            if parts[0].starts_with('.') {
                assert!(
                    root().join("deploy").join(parts[0]).exists(),
                    "{name}: {}",
                    parts[0]
                );
                assert_eq!(parts[2..], ["ro"], "{name}: {}", mount.text());
            } else {
                assert!(volumes.contains(parts[0]), "{name}: {} is not declared", parts[0]);
                used.insert(parts[0]);
            }
        }
    }
    assert_eq!(used, volumes, "a volume that nobody uses");
}

#[test]
fn the_worker_of_the_compose_file_is_given_every_secret_its_configuration_names() {
    let configuration = file("deploy/switchboard.toml");
    let compose = compose();
    let given = compose.at("services").at("worker").at("environment").keys();
    let table: toml::Table = configuration.parse().expect("TOML");
    let mut named: Vec<&str> = ["access_token_env", "app_secret_env", "verify_token_env"]
        .map(|key| table["channel"][0][key].as_str().expect("a name"))
        .into();
    for source in table["secrets"].as_table().expect("a table").values() {
        named.push(source["env"].as_str().expect("a name"));
    }
    named.push(table["redis"]["password"]["env"].as_str().expect("a name"));
    for name in named {
        assert!(given.contains(&name), "{name} is not given");
    }
}

#[test]
fn what_the_dockerfile_copies_is_there_and_enough_for_cargo() {
    let folder = tempfile::tempdir().expect("a folder");
    let sent = file("deploy/Dockerfile.dockerignore");
    for copy in instructions("COPY")
        .iter()
        .filter(|copy| !copy.starts_with("--from"))
    {
        let mut words: Vec<&str> = copy.split(' ').collect();
        let to = words.pop().expect("a place");
        for from in words {
            assert!(root().join(from).exists(), "{from} is not there");
            assert!(
                sent.lines().any(|line| line == format!("!{from}")),
                "{from} is not sent to the builder"
            );
            let place = folder.path().join(if to == "./" { from } else { to });
            if let Some(parent) = place.parent() {
                std::fs::create_dir_all(parent).expect("a folder");
            }
            std::os::unix::fs::symlink(root().join(from), &place).expect("a link");
        }
    }
    // The manifest names benches and examples; without their files cargo refuses to build anything.
    let read = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(folder.path())
        .output()
        .expect("cargo runs");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
}

#[test]
fn the_image_runs_without_rights_and_its_commands_exist() {
    let lines = dockerfile();
    let after = lines
        .iter()
        .rposition(|(name, _)| name == "FROM")
        .expect("a base");
    let last: Vec<&(String, String)> = lines[after..].iter().collect();
    assert_eq!(last[0].1, "debian:12-slim");
    let user = last.iter().find(|(name, _)| name == "USER").expect("a user");
    assert!(
        user.1
            .split(':')
            .all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)),
        "{}",
        user.1
    );
    for (name, rest) in &lines {
        let secret = ["TOKEN", "SECRET", "PASSWORD"]
            .iter()
            .any(|word| rest.contains(word));
        assert!(
            !(secret && ["ARG", "ENV"].contains(&name.as_str())),
            "{name} {rest}"
        );
    }
    for name in ["CMD", "HEALTHCHECK"] {
        let command = &instructions(name)[0];
        let words: Vec<String> =
            serde_json::from_str(&command[command.find('[').expect("a list")..]).expect("a JSON list");
        let arguments: Vec<&str> = words
            .iter()
            .map(String::as_str)
            .filter(|word| *word != "switchboard")
            .collect();
        options_exist(arguments[0], &arguments[1..]);
    }
    let built = instructions("RUN")
        .into_iter()
        .find(|run| run.contains("cargo build"))
        .expect("a build");
    assert!(built.contains("--locked") && built.contains("--release"));
    let env = instructions("ENV").join(" ");
    assert!(
        env.contains("GGML_NATIVE=OFF"),
        "it would run on this processor only"
    );
}

/// All options are known to this command.
fn options_exist(command: &str, arguments: &[&str]) {
    let help = Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .args([command, "--help"])
        .output()
        .expect("it runs");
    assert!(help.status.success(), "there is no {command}");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for option in arguments.iter().filter(|word| word.starts_with("--")) {
        assert!(help.contains(option), "{command} has no {option}");
    }
}

/// Ends what a test started.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn redis_takes_its_configuration_and_never_evicts() {
    if !there("redis-server") || !there("redis-cli") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("redis.sock");
    let mut redis = Started(
        Command::new("redis-server")
            .arg(root().join("deploy/redis/redis.conf"))
            .args(["--port", "0", "--dir"])
            .arg(folder.path())
            .arg("--unixsocket")
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts"),
    );
    let asked = |words: &[&str]| {
        let answer = Command::new("redis-cli")
            .arg("-s")
            .arg(&socket)
            .args(words)
            .output();
        String::from_utf8_lossy(&answer.expect("it runs").stdout).into_owned()
    };
    let began = Instant::now();
    while asked(&["ping"]).trim() != "PONG" {
        let ended = redis.0.try_wait().expect("it can be asked");
        assert!(
            ended.is_none(),
            "Redis refuses deploy/redis/redis.conf: {ended:?}"
        );
        assert!(
            began.elapsed() < PATIENCE,
            "Redis does not start with deploy/redis/redis.conf"
        );
        std::thread::yield_now();
    }
    for (key, value) in [
        ("maxmemory-policy", "noeviction"),
        ("appendonly", "yes"),
        ("appendfsync", "everysec"),
        ("save", ""),
    ] {
        let said = asked(&["config", "get", key]);
        assert_eq!(said.lines().nth(1).unwrap_or_default(), value, "{key}");
    }
}

#[test]
fn systemd_takes_the_unit_and_finds_little_to_attack() {
    if !there("systemd-analyze") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let unit = folder.path().join("switchboard.service");
    // The binary is not installed here; everything else stays.
    let text = file("deploy/switchboard.service")
        .replace("/usr/local/bin/switchboard", env!("CARGO_BIN_EXE_switchboard"));
    std::fs::write(&unit, text).expect("written");
    let run = |arguments: &[&str]| {
        let ran = Command::new("systemd-analyze")
            .args(arguments)
            .arg(&unit)
            .output()
            .expect("it runs");
        let said = [ran.stdout, ran.stderr].concat();
        (ran.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    let (good, said) = run(&["verify"]);
    assert!(good && !said.contains("switchboard.service"), "{said}");
    // From 0 (nothing to attack) to 10; half of the services of a Debian system are above 9.
    let (good, said) = run(&["security", "--offline=true", "--threshold=20"]);
    assert!(good, "{said}");
}

/// A configuration that starts without an account.
fn simulated(folder: &Path) -> PathBuf {
    let path = folder.join("switchboard.toml");
    let flows = root().join("fixtures/server/flows");
    let text = format!(
        "flows = {flows:?}\nstore = \"sqlite:store.db\"\nbind = \"127.0.0.1:0\"\n\n[secrets]\nSHOP_TOKEN = {{ env = \
         \"SHOP_TOKEN\" }}\n\n[[channel]]\nid = \"main\"\nprovider = \"simulator\"\n"
    );
    std::fs::write(&path, text).expect("written");
    path
}

#[test]
fn systemd_is_told_when_webhooks_are_taken_and_when_they_are_not_any_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify.sock");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let mut bot = Started(
        Command::new(env!("CARGO_BIN_EXE_switchboard"))
            .args(["serve", "--config"])
            .arg(simulated(folder.path()))
            .env("NOTIFY_SOCKET", &path)
            .env("SHOP_TOKEN", "shop-secret")
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts"),
    );
    let heard = || {
        let mut said = [0; 64];
        let size = socket.recv(&mut said).expect("a word");
        String::from_utf8_lossy(&said[..size]).into_owned()
    };
    assert_eq!(heard(), "READY=1");
    let id = bot.0.id().to_string();
    let asked = Command::new("kill")
        .args(["-TERM", &id])
        .status()
        .expect("kill runs");
    assert!(asked.success());
    assert_eq!(heard(), "STOPPING=1");
    assert!(bot.0.wait().expect("it ends").success());
}

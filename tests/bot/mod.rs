//! Runs the real binary against the provider double, as an operator would: a configuration file, secrets in the
//! environment, signals, and what it prints.

// Each test binary that includes this uses a part of it.
#![allow(dead_code)]

pub mod shop;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::watch;

use super::double::{Double, Sent};

/// How long a test waits for something that must come. Only a failure takes that long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with configuration, flows and store, and the process that uses them.
pub struct Bot {
    pub folder: TempDir,
    process: Option<Process>,
    store: String,
    extra: String,
    channel: String,
    env: Vec<(String, String)>,
}

struct Process {
    child: Child,
    lines: watch::Receiver<Vec<String>>,
}

impl Bot {
    /// A bot with the flows of `fixtures/server/flows`, for the double's number.
    pub fn new(double: &Double) -> Bot {
        let folder = tempfile::tempdir().expect("a folder");
        let bot = Bot {
            folder,
            process: None,
            store: "sqlite:store.db".to_owned(),
            extra: String::new(),
            channel: String::new(),
            env: Vec::new(),
        };
        copy(&root().join("fixtures/server/flows"), &bot.flows());
        bot.configure(double);
        bot
    }

    pub fn flows(&self) -> PathBuf {
        self.folder.path().join("flows")
    }

    /// Keeps its conversations there, as others may.
    pub fn on(mut self, double: &Double, store: &str) -> Bot {
        store.clone_into(&mut self.store);
        self.configure(double);
        self
    }

    /// Further tables of the configuration.
    pub fn with(mut self, double: &Double, toml: &str) -> Bot {
        self.extra.push_str(toml);
        self.configure(double);
        self
    }

    /// Further keys of the number.
    pub fn with_channel(mut self, double: &Double, toml: &str) -> Bot {
        self.channel.push_str(toml);
        self.configure(double);
        self
    }

    pub fn env(&mut self, name: &str, value: &str) {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    fn configure(&self, double: &Double) {
        let setup = double.setup();
        // A test may set its own.
        let quiet = match self.channel.contains("burst_quiet_ms") {
            true => "",
            false => "burst_quiet_ms = 50\n",
        };
        let text = format!(
            "flows = \"flows\"\nstore = \"{}\"\nbind = \"127.0.0.1:0\"\n{}\n\
             [[channel]]\nid = \"main\"\nprovider = \"meta\"\nphone_number_id = \"{}\"\n\
             api_base = \"{}\"\naccess_token_env = \"TOKEN\"\napp_secret_env = \"SECRET\"\n\
             verify_token_env = \"VERIFY\"\n{quiet}{}\n",
            self.store,
            self.extra,
            setup.phone_number_id,
            double.base_url(),
            self.channel,
        );
        std::fs::write(self.config(), text).expect("the configuration is written");
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("switchboard.toml")
    }

    fn command(&self, double: &Double, arguments: &[&str]) -> Command {
        let setup = double.setup();
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command
            .args(arguments)
            .arg("--config")
            .arg(self.config())
            .env("TOKEN", &setup.access_tokens[0])
            .env("SECRET", &setup.app_secret)
            .env("VERIFY", &setup.verify_token)
            .env("SHOP_TOKEN", "shop-secret")
            .env_remove("RUST_LOG")
            .env_remove("SWITCHBOARD_FAILPOINT")
            .envs(self.env.iter().cloned());
        command
    }

    /// Starts it and points the double at it.
    pub async fn start(&mut self, double: &Double) {
        let address = self.try_start(double, &[]).await.expect("it starts");
        double.point_at(format!("{address}/webhook/main"));
    }

    /// Starts it; gives its address, or what it said instead.
    pub async fn try_start(&mut self, double: &Double, arguments: &[&str]) -> Result<String, String> {
        let mut all = vec!["serve"];
        all.extend(arguments);
        let mut child = self
            .command(double, &all)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let (tell, lines) = watch::channel(Vec::new());
        let out = BufReader::new(child.stderr.take().expect("its standard error"));
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                tell.send_modify(|lines: &mut Vec<String>| lines.push(line));
            }
        });
        self.process = Some(Process { child, lines });
        let found = self.line("listening on ").await;
        match found {
            Some(line) => Ok(line
                .split_once("listening on ")
                .expect("the address")
                .1
                .to_owned()),
            None => Err(self.said()),
        }
    }

    /// The first line it prints that holds `part`; `None` if it ends without.
    pub async fn line(&self, part: &str) -> Option<String> {
        let mut lines = self.process.as_ref().expect("it runs").lines.clone();
        let holds = |lines: &Vec<String>| lines.iter().any(|line| line.contains(part));
        let found = tokio::time::timeout(PATIENCE, lines.wait_for(holds)).await;
        match found {
            Ok(Ok(lines)) => lines.iter().find(|line| line.contains(part)).cloned(),
            Ok(Err(_)) => None,
            Err(_) => panic!("waited in vain for {part:?}; it said:\n{}", self.said()),
        }
    }

    /// All it printed so far.
    pub fn said(&self) -> String {
        self.process
            .as_ref()
            .map_or_else(String::new, |process| process.lines.borrow().join("\n"))
    }

    pub fn signal(&self, name: &str) {
        let id = self.process.as_ref().expect("it runs").child.id().to_string();
        let sent = Command::new("kill")
            .args([name, &id])
            .status()
            .expect("kill runs");
        assert!(sent.success());
    }

    /// Ends it as a crash would: nothing is finished.
    pub fn kill(&mut self) -> ExitStatus {
        self.signal("-9");
        self.ended()
    }

    /// Waits until it has ended by itself.
    pub fn ended(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it ran");
        process.child.wait().expect("it ended")
    }

    /// Waits until it has ended by itself, for as long as anything may take.
    pub async fn ended_in_time(&mut self) {
        let mut lines = self.process.as_ref().expect("it runs").lines.clone();
        let ended = async { while lines.changed().await.is_ok() {} };
        tokio::time::timeout(PATIENCE, ended)
            .await
            .unwrap_or_else(|_| panic!("it runs on; it said:\n{}", self.said()));
        self.ended();
    }

    /// Asks it to stop and waits. Gives how it ended and how long that took.
    pub fn stop(&mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        self.signal("-TERM");
        (self.ended(), began.elapsed())
    }

    /// Asks it to stop, and gives all it has ever said.
    pub async fn last_words(&mut self) -> String {
        let mut lines = self.process.as_ref().expect("it runs").lines.clone();
        self.signal("-TERM");
        self.ended();
        while lines.changed().await.is_ok() {}
        lines.borrow().join("\n")
    }

    /// Runs another command to its end.
    pub fn run(&self, double: &Double, arguments: &[&str]) -> std::process::Output {
        self.command(double, arguments).output().expect("the binary runs")
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // Already ended, perhaps.
            let _ = process.child.kill();
            let _ = process.child.wait();
            if std::thread::panicking() {
                eprintln!("the server said:\n{}", process.lines.borrow().join("\n"));
            }
        }
    }
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).unwrap_or_else(|why| panic!("{}: {why}", from.display())) {
        let path = entry.expect("an entry").path();
        std::fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("a copy");
    }
}

/// What this customer was sent, in words.
pub fn texts(sent: &[Sent], to: &str) -> Vec<String> {
    let mine = sent.iter().filter(|sent| sent.to == to);
    mine.map(|sent| sent.text().to_owned()).collect()
}

/// Waits until this customer was sent `count` messages, and gives them.
pub async fn heard(double: &Double, to: &str, count: usize) -> Vec<String> {
    let what = format!("{count} messages to {to}");
    let sent = double
        .wait_until(&what, |sent| texts(sent, to).len() >= count)
        .await;
    texts(&sent, to)
}

/// The tables that let a bot listen, with the weights that `make test` provides.
pub fn voice() -> String {
    let given = std::env::var_os("SWITCHBOARD_TEST_MODEL").map(PathBuf::from);
    let path = given.unwrap_or_else(|| {
        let cache =
            std::env::var_os("SWITCHBOARD_CACHE").map_or_else(|| root().join(".cache"), PathBuf::from);
        cache.join("models/ggml-tiny.en.bin")
    });
    assert!(
        path.is_file(),
        "there is no speech model at {}: run `make test`, or make it with `scripts/whisper-model`",
        path.display()
    );
    format!("[voice]\nmodel = \"{}\"\nlanguage = \"en\"\n", path.display())
}

pub fn sound(name: &str) -> Vec<u8> {
    let path = root().join("fixtures/audio").join(name);
    std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

//! One server process, and what can happen to it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::ask::{Asking, Reply};
use super::clock;
use super::port::Port;
use super::wait;

/// A hung server must not hang its test.
const ANSWER: Duration = Duration::from_secs(10);

/// What [`Server::fill`] plants: pieces, and bytes of one.
const PLANTS: usize = 40;
const PLANT: usize = 100_000;

/// What is written to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Persist {
    /// Nothing: a restart is an empty server.
    #[default]
    Nothing,
    /// AOF, synced each second.
    EverySecond,
    /// AOF, synced before each answer.
    Always,
}

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub persist: Persist,
    /// Further lines of `redis.conf`, such as `("requirepass", "secret")`.
    pub config: Vec<(String, String)>,
    /// Variables of its environment.
    pub env: Vec<(String, String)>,
    /// [`Server::set_clock`] sets its clock.
    pub own_clock: bool,
}

impl Options {
    pub fn persist(persist: Persist) -> Options {
        Options {
            persist,
            ..Options::default()
        }
    }

    pub fn with(mut self, name: &str, value: &str) -> Options {
        self.config.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a clock that can be set.
    pub fn with_own_clock(mut self) -> Options {
        self.own_clock = true;
        self
    }
}

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Server,
    Sentinel,
}

/// A server that runs, or has been killed and can be started again on the same port and folder.
#[derive(Debug)]
pub struct Server {
    port: Port,
    role: Role,
    /// Taken when it is to be kept.
    folder: Option<TempDir>,
    env: BTreeMap<String, String>,
    password: Option<String>,
    child: Option<Child>,
}

impl Server {
    /// A plain server without persistence.
    pub fn plain() -> Server {
        Server::start(&Options::default())
    }

    pub fn start(options: &Options) -> Server {
        let server = Server::ready(options);
        server.started()
    }

    /// A server with its folder and port, not yet running.
    pub fn ready(options: &Options) -> Server {
        let mut conf = String::from(
            "save \"\"\nmaxmemory-policy noeviction\nrepl-diskless-sync-delay 0\nrepl-ping-replica-period 1\n\
             shutdown-timeout 0\nenable-debug-command yes\n",
        );
        conf.push_str(match options.persist {
            Persist::Nothing => "appendonly no\n",
            Persist::EverySecond => "appendonly yes\nappendfsync everysec\n",
            Persist::Always => "appendonly yes\nappendfsync always\n",
        });
        for (name, value) in &options.config {
            writeln!(conf, "{name} {value}").expect("a String takes everything");
        }
        let password = options.config.iter().find(|(name, _)| name == "requirepass");
        let mut server = Server::of(Role::Server, &conf);
        server.password = password.map(|(_, value)| value.clone());
        server.env.extend(options.env.iter().cloned());
        if options.own_clock {
            server.set_clock("+0");
            server.env.extend(clock::of_a_server(&server.clock()));
        }
        server
    }

    /// A process of this role with these lines of configuration, not yet running.
    pub(super) fn of(role: Role, conf: &str) -> Server {
        let folder = tempfile::Builder::new().prefix("switchboard-redis-").tempdir();
        let folder = folder.expect("a temporary folder");
        let port = Port::free();
        let path = folder.path().display();
        let own = format!(
            "port {}\nbind 127.0.0.1\ndir {path}\nlogfile {path}/log\ndaemonize no\nprotected-mode no\n{conf}",
            port.number
        );
        std::fs::write(folder.path().join("redis.conf"), own).expect("the configuration is written");
        Server {
            port,
            role,
            folder: Some(folder),
            env: BTreeMap::new(),
            password: None,
            child: None,
        }
    }

    pub(super) fn started(mut self) -> Server {
        self.run();
        self.answers();
        self
    }

    /// Starts the process and returns at once.
    pub(super) fn run(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let program = std::env::var("SWITCHBOARD_TEST_REDIS").unwrap_or_else(|_| "redis-server".to_owned());
        let mut command = Command::new(&program);
        command.arg(self.folder().join("redis.conf"));
        if self.role == Role::Sentinel {
            command.arg("--sentinel");
        }
        let errors = File::create(self.folder().join("stderr")).expect("a file for what it says");
        command
            .envs(&self.env)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors);
        let child = command
            .spawn()
            .unwrap_or_else(|why| panic!("{program} can't be started: {why}. Run `scripts/setup test`"));
        self.child = Some(child);
    }

    /// Waits until it answers and has loaded its data.
    pub fn answers(&mut self) {
        let port = self.port.number;
        wait(&format!("the server on port {port} to answer"), || {
            if let Some(ended) = self.child.as_mut().and_then(|child| child.try_wait().ok()?) {
                panic!("the server on port {port} ended with {ended}:\n{}", self.log());
            }
            let good = match self.try_ask(&["PING"]) {
                Ok(Reply::Text(pong)) => pong == b"PONG",
                // A replica whose primary is not there says so, and is up.
                Ok(Reply::Error(why)) => why.starts_with("MASTERDOWN"),
                Ok(_) | Err(_) => false,
            };
            good.then_some(())
        });
    }

    pub fn port(&self) -> u16 {
        self.port.number
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port.number)
    }

    pub fn url(&self) -> String {
        match &self.password {
            Some(password) => format!("redis://:{password}@{}", self.address()),
            None => format!("redis://{}", self.address()),
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.as_ref().expect("it is taken only by Drop").path()
    }

    pub fn log(&self) -> String {
        let read = |name| std::fs::read_to_string(self.folder().join(name)).unwrap_or_default();
        format!("{}{}", read("stderr"), read("log"))
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    pub fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// A connection of one's own.
    pub fn connect(&self) -> std::io::Result<Asking> {
        let mut asking = Asking::connect(self.port.number, ANSWER)?;
        if let Some(password) = &self.password {
            asking.ask(&[b"AUTH", password.as_bytes()])?;
        }
        Ok(asking)
    }

    pub fn try_ask(&self, words: &[&str]) -> std::io::Result<Reply> {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        self.connect()?.ask(&words)
    }

    /// Asks; an error of the server is a reply, no answer is a failure of the test.
    #[track_caller]
    pub fn ask(&self, words: &[&str]) -> Reply {
        self.try_ask(words).unwrap_or_else(|why| {
            panic!(
                "port {} gave no answer to {words:?}: {why}\n{}",
                self.port.number,
                self.log()
            )
        })
    }

    /// Asks, and an error is a failure of the test.
    #[track_caller]
    pub fn must(&self, words: &[&str]) -> Reply {
        match self.ask(words) {
            Reply::Error(why) => panic!("port {} refused {words:?}: {why}", self.port.number),
            good => good,
        }
    }

    /// `CONFIG SET`.
    #[track_caller]
    pub fn set(&self, name: &str, value: &str) {
        self.must(&["CONFIG", "SET", name, value]);
    }

    /// One line of `INFO`, empty if it has none.
    pub fn info(&self, name: &str) -> String {
        let Ok(all) = self.try_ask(&["INFO", "everything"]) else {
            return String::new();
        };
        let text = all.text();
        let found = text
            .lines()
            .find_map(|line| line.split_once(':').filter(|(key, _)| *key == name));
        found
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_default()
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again after [`Server::kill`], with the same port, folder and data; waits until it answers.
    pub fn restart(&mut self) {
        self.run();
        self.answers();
    }

    /// SIGSTOP: it holds its connections and does nothing.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args([name, &id]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Plants data and lets it be too much: from now on it refuses writes for want of memory, and what clients' buffers
    /// take and give back makes no difference.
    pub fn fill(&self) {
        let mut asking = self.connect().expect("it answers");
        let plant = vec![b'x'; PLANT];
        for n in 0..PLANTS {
            let key = format!("planted:{n}");
            let kept = asking.ask(&[b"SET", key.as_bytes(), &plant]).expect("an answer");
            assert_eq!(kept.text(), "OK");
        }
        let used: usize = self.info("used_memory").parse().expect("a number");
        self.set("maxmemory", &(used - PLANT * PLANTS / 2).to_string());
    }

    /// Takes the planted data and the limit away.
    pub fn make_room(&self) {
        self.set("maxmemory", "0");
        let mut asking = self.connect().expect("it answers");
        let keys = asking.ask(&[b"KEYS", b"planted:*"]).expect("an answer");
        for key in keys.list() {
            asking.ask(&[b"DEL", key.text().as_bytes()]).expect("an answer");
        }
    }

    fn clock(&self) -> PathBuf {
        self.folder().join("clock")
    }

    /// Sets the clock of a server that was started [with its own](Options::with_own_clock): `+300s` is five minutes
    /// ahead of the machine's. While it runs, its clock jumps.
    pub fn set_clock(&self, to: &str) {
        std::fs::write(self.clock(), to).expect("the clock is written");
    }

    /// The folder outlives the rig; gives its path.
    fn keep(&mut self) -> Option<PathBuf> {
        self.folder.take().map(TempDir::keep)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let port = self.port.number;
            if let Some(path) = self.keep() {
                eprintln!(
                    "the log of the {:?} on port {port}: {}/log",
                    self.role,
                    path.display()
                );
            }
        }
    }
}

//! The workers: real processes of the real binary, each with a configuration and a log of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::business;
use super::plan::until;
use super::proxy::Proxy;

/// How long a start or an end may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// A message that is accepted is written down within this time, unless something breaks; and so late is a death noticed.
const IN_FLIGHT: Duration = Duration::from_secs(3);

/// Where webhooks can be posted: by worker, `None` while it is down.
pub type Addresses = Arc<Mutex<Vec<Option<String>>>>;

#[derive(Debug)]
struct Worker {
    child: Option<Child>,
    /// Where its present life begins in its log.
    born: usize,
    lives: u64,
    program: PathBuf,
}

/// See the module.
#[derive(Debug)]
pub struct Fleet {
    folder: Option<TempDir>,
    workers: Vec<Worker>,
    env: Vec<(String, String)>,
    seed: u64,
    pub addresses: Addresses,
    /// Leads to the workers that are up; the double's statuses come this way.
    pub front: Proxy,
    /// Ends that nobody asked for in order.
    pub kills: usize,
    pub last_fault: Instant,
    /// When a message that the provider accepted could not be written down: only those may reach a customer twice.
    pub unwritten: Vec<(Instant, Instant)>,
}

impl Fleet {
    /// Workers with these configurations, none running yet.
    pub async fn new(configs: &[String], env: Vec<(String, String)>, seed: u64) -> Fleet {
        let folder = business::folder();
        business::flows(&folder.path().join("flows"));
        for (at, config) in configs.iter().enumerate() {
            std::fs::write(folder.path().join(format!("worker-{at}.toml")), config)
                .expect("the configuration is written");
        }
        let workers = configs.iter().map(|_| Worker {
            child: None,
            born: 0,
            lives: 0,
            program: business::binary(),
        });
        Fleet {
            folder: Some(folder),
            workers: workers.collect(),
            env,
            seed,
            addresses: Arc::new(Mutex::new(vec![None; configs.len()])),
            front: Proxy::to_any(Vec::new()).await,
            kills: 0,
            last_fault: Instant::now(),
            unwritten: Vec::new(),
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.as_ref().expect("it is taken only by Drop").path()
    }

    pub fn size(&self) -> usize {
        self.workers.len()
    }

    fn log_path(&self, worker: usize) -> PathBuf {
        self.folder().join(format!("worker-{worker}.log"))
    }

    /// All that this worker has said, in all its lives.
    pub fn log(&self, worker: usize) -> String {
        std::fs::read(self.log_path(worker)).map_or_else(
            |_| String::new(),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        )
    }

    /// What it has said since its last start.
    pub fn said(&self, worker: usize) -> String {
        let log = self.log(worker);
        log.get(self.workers[worker].born..)
            .unwrap_or_default()
            .to_owned()
    }

    pub fn logs(&self) -> String {
        (0..self.size()).map(|worker| self.log(worker)).collect()
    }

    /// How often this part stands in the logs.
    pub fn said_how_often(&self, part: &str) -> usize {
        self.logs().matches(part).count()
    }

    /// Starts a worker with further variables and waits until it takes webhooks.
    pub async fn start(&mut self, worker: usize, env: &[(&str, &str)]) {
        self.launch(worker, env);
        let path = self.log_path(worker);
        let mut address = None;
        let began = Instant::now();
        while address.is_none() {
            // Work that is due at once may lead a doomed worker to its end before it takes webhooks.
            if !env.is_empty() && !self.is_up(worker) && self.said(worker).contains(" reached") {
                return;
            }
            assert!(
                self.is_up(worker),
                "worker {worker} ended at its start; it said:\n{}",
                self.said(worker)
            );
            assert!(
                began.elapsed() < PATIENCE,
                "worker {worker} does not listen; see {}",
                path.display()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
            let said = self.said(worker);
            address = said
                .lines()
                .find_map(|line| Some(line.split_once("listening on http://")?.1.to_owned()));
        }
        self.set_address(worker, address);
    }

    pub async fn start_all(&mut self, env: &[(&str, &str)]) {
        for worker in 0..self.size() {
            self.start(worker, env).await;
        }
    }

    /// From its next start on this worker is that program.
    pub fn run_as(&mut self, worker: usize, program: &Path) {
        program.clone_into(&mut self.workers[worker].program);
    }

    /// Starts the process and does not wait.
    pub fn launch(&mut self, worker: usize, env: &[(&str, &str)]) {
        assert!(!self.is_up(worker), "worker {worker} runs already");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path(worker));
        let log = log.expect("a log file");
        self.workers[worker].born = self.log(worker).len();
        self.workers[worker].lives += 1;
        // Each life draws other lots.
        let seed = self.seed * 1_000_003 + worker as u64 * 10_007 + self.workers[worker].lives;
        let child = Command::new(&self.workers[worker].program)
            .arg("serve")
            .arg("--config")
            .arg(self.folder().join(format!("worker-{worker}.toml")))
            .env_remove("RUST_LOG")
            .env_remove("SWITCHBOARD_FAILPOINT")
            .env("SWITCHBOARD_FAILPOINT_SEED", seed.to_string())
            .envs(self.env.iter().cloned())
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.workers[worker].child = Some(child.expect("the binary starts"));
    }

    fn set_address(&self, worker: usize, address: Option<String>) {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses[worker] = address;
        self.front.lead_to(addresses.iter().flatten().cloned().collect());
    }

    /// Whether its process is there.
    pub fn is_up(&mut self, worker: usize) -> bool {
        let child = self.workers[worker].child.as_mut();
        child.is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    pub fn id(&self, worker: usize) -> u32 {
        self.workers[worker].child.as_ref().expect("it runs").id()
    }

    pub fn signal(&self, worker: usize, name: &str) {
        let sent = Command::new("kill")
            .args([name, &self.id(worker).to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
    }

    /// Notes that something was broken now.
    pub fn fault(&mut self) {
        self.last_fault = Instant::now();
    }

    /// Notes that nothing could be written from `began` until now.
    pub fn outage(&mut self, began: Instant) {
        self.unwritten
            .push((began - IN_FLIGHT, Instant::now() + IN_FLIGHT));
        self.fault();
    }

    /// `kill -9`.
    pub fn kill(&mut self, worker: usize) {
        self.set_address(worker, None);
        if let Some(mut child) = self.workers[worker].child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.kills += 1;
        let now = Instant::now();
        self.unwritten.push((now - IN_FLIGHT, now));
        self.fault();
    }

    /// Whether it has ended by itself, as at a failpoint; then it counts as killed.
    pub fn has_died(&mut self, worker: usize) -> bool {
        if self.is_up(worker) {
            return false;
        }
        // Its last words tell when; a busy machine notices late.
        let spoke = std::fs::metadata(self.log_path(worker)).and_then(|log| log.modified());
        let ago = spoke
            .ok()
            .and_then(|spoke| spoke.elapsed().ok())
            .unwrap_or_default();
        // And a provider that is slow takes what the dead one had given to its socket.
        let now = Instant::now();
        self.unwritten.push((now - ago - IN_FLIGHT, now + IN_FLIGHT));
        self.kill(worker);
        true
    }

    /// SIGTERM, and waits for the end. Gives how it ended and how long that took.
    pub async fn stop(&mut self, worker: usize) -> (ExitStatus, Duration) {
        let began = Instant::now();
        self.set_address(worker, None);
        self.signal(worker, "-TERM");
        until(&format!("worker {worker} to end when asked"), PATIENCE, || {
            !self.is_up(worker)
        })
        .await;
        let mut child = self.workers[worker].child.take().expect("it ran");
        (child.wait().expect("it ended"), began.elapsed())
    }

    /// Where this worker listens.
    pub fn address(&self, worker: usize) -> String {
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses[worker].clone().expect("it is up")
    }

    /// Asks all that run to stop; gives the longest time one took.
    pub async fn stop_all(&mut self) -> Duration {
        let mut longest = Duration::ZERO;
        for worker in 0..self.size() {
            if self.is_up(worker) {
                longest = longest.max(self.stop(worker).await.1);
            }
        }
        longest
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            if let Some(child) = &mut worker.child {
                // Ended already, perhaps.
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("the workers' logs are kept in {}", folder.keep().display());
        }
    }
}

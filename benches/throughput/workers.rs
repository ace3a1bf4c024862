//! The real program as operators run it: a configuration, secrets in the environment, a signal at the end.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::load::{NUMBER, SECRET};
use super::processor;

const BUSINESS: &str = "business \"Bench\"\ntimezone \"Europe/Lisbon\"\nlanguages en\nstarts with desk\n\n\
    team support \"Customer care\"\n\ndefaults\n  \
    otherwise \"Sorry?\" up to 2 times, then -> handoff to support\n  \
    problem \"Something went wrong.\" -> handoff to support\nend\n";
/// One message in, one message out, for ever.
const FLOW: &str = "flow desk \"Desk\"\nstarts on first message\n\nstep hello\n  \
    ask story \"Noted. What happened then?\"\n    as text\n  end\n  -> hello\n";

/// Ended when dropped.
pub struct Worker {
    child: Child,
    pub address: SocketAddr,
    _folder: TempDir,
}

impl Worker {
    pub fn start(store: &str, provider: SocketAddr, receipts: bool) -> Result<Worker, String> {
        let folder = tempfile::tempdir().map_err(|why| why.to_string())?;
        let flows = folder.path().join("flows");
        let config = format!(
            "flows = \"flows\"\nstore = \"{store}\"\nbind = \"127.0.0.1:0\"\n\n[log]\nlevel = \"warn\"\n\n\
             [limits]\nthreads = 1\nturns = 64\nsends = 64\n\n\
             [[channel]]\nid = \"main\"\nprovider = \"meta\"\nphone_number_id = \"{NUMBER}\"\n\
             api_base = \"http://{provider}\"\naccess_token_env = \"TOKEN\"\napp_secret_env = \"SECRET\"\n\
             verify_token_env = \"VERIFY\"\nburst_quiet_ms = 0\nmessages_per_second = 100000\n\
             read_receipts = {receipts}\n"
        );
        std::fs::create_dir(&flows)
            .and_then(|()| std::fs::write(flows.join("business.flow"), BUSINESS))
            .and_then(|()| std::fs::write(flows.join("desk.flow"), FLOW))
            .and_then(|()| std::fs::write(folder.path().join("switchboard.toml"), config))
            .map_err(|why| why.to_string())?;
        let mut child = Command::new(env!("CARGO_BIN_EXE_switchboard"))
            .args(["serve", "--config"])
            .arg(folder.path().join("switchboard.toml"))
            .env("TOKEN", "bench-token")
            .env("SECRET", SECRET)
            .env("VERIFY", "bench-verify")
            .env_remove("RUST_LOG")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|why| why.to_string())?;
        let mut lines = BufReader::new(child.stderr.take().ok_or("no standard error")?).lines();
        let mut said = Vec::new();
        let address = loop {
            match lines.next() {
                Some(Ok(line)) => match line.split_once("listening on http://") {
                    Some((_, address)) => break address.trim().parse().map_err(|_| line.clone())?,
                    None => said.push(line),
                },
                Some(Err(_)) | None => return Err(format!("the worker did not start: {}", said.join("\n"))),
            }
        };
        // What it says later is for people; a full pipe must not stop it.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| eprintln!("{line}")));
        Ok(Worker {
            child,
            address,
            _folder: folder,
        })
    }

    /// Seconds on a processor since its start.
    pub fn on_processor(&self) -> f64 {
        processor::seconds(self.child.id())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

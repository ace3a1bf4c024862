//! A private Redis for the bench, and the yardstick: what `redis-benchmark` reaches on it with one small script a call.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::processor;

/// Six operations, as a careful queue would need for one message: seen before, count, remember, append, note, mark due.
/// Ids are unique, so that no call leaves at the first line.
const SIX: &str = "if redis.call('ZSCORE',KEYS[1],ARGV[1]) then return 0 end \
    local n=redis.call('HINCRBY',KEYS[2],'seq',1) \
    redis.call('ZADD',KEYS[1],n,ARGV[1]) \
    redis.call('RPUSH',KEYS[3],ARGV[2]) \
    redis.call('HSET',KEYS[2],'last',ARGV[1]) \
    redis.call('ZADD',KEYS[4],n,ARGV[1]) return n";
const CALLS: u32 = 60_000;
pub const CLIENTS: u32 = 50;
/// Ids come from so large a range that hardly two are the same; redis-benchmark reads it as a C int.
const RANGE: &str = "2000000000";

/// Ended when dropped.
pub struct Redis {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Redis {
    /// Durable as recommended: an append-only file, synced every second.
    ///
    /// # Errors
    /// Why there is none.
    pub fn start() -> Result<Redis, String> {
        let folder = tempfile::tempdir().map_err(|why| why.to_string())?;
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|free| free.local_addr())
            .map_err(|why| why.to_string())?
            .port();
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""])
            .args([
                "--maxmemory-policy",
                "noeviction",
                "--loglevel",
                "warning",
                "--dir",
            ])
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|why| {
                format!("redis-server can't be started ({why}); `scripts/setup test` installs it")
            })?;
        let redis = Redis {
            child,
            port,
            _folder: folder,
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while redis.cli(&["PING"]).as_deref() != Ok("PONG") {
            if Instant::now() > deadline {
                return Err("redis-server does not answer".to_owned());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(redis)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Calls a second of the six-operation script, unpipelined.
    pub fn yardstick(&self) -> Result<f64, String> {
        let sha = self.cli(&["SCRIPT", "LOAD", SIX])?;
        let payload = "p".repeat(300);
        let told = Command::new("redis-benchmark")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args([
                "-n",
                &CALLS.to_string(),
                "-c",
                &CLIENTS.to_string(),
                "-r",
                RANGE,
                "--csv",
            ])
            .args([
                "EVALSHA",
                &sha,
                "4",
                "yard:seen",
                "yard:contact",
                "yard:mailbox",
                "yard:due",
            ])
            .args(["id:__rand_int__", &payload])
            .output()
            .map_err(|why| format!("redis-benchmark can't be started: {why}"))?;
        let csv = String::from_utf8_lossy(&told.stdout).into_owned();
        let kept: u32 = self.cli(&["ZCARD", "yard:seen"])?.parse().unwrap_or(0);
        if kept < CALLS / 100 * 99 {
            return Err(format!(
                "of {CALLS} ids only {kept} were different, so the yardstick is not one"
            ));
        }
        self.cli(&["DEL", "yard:seen", "yard:contact", "yard:mailbox", "yard:due"])?;
        // "test","rps",… and one row: the rate is the second column. The row's name holds commas, so count from behind.
        let row = csv.lines().last().unwrap_or_default();
        let columns: Vec<&str> = row.split(',').map(|column| column.trim_matches('"')).collect();
        columns
            .len()
            .checked_sub(7)
            .and_then(|place| columns.get(place)?.parse().ok())
            .ok_or_else(|| format!("redis-benchmark said: {csv}"))
    }

    /// Bytes in use.
    pub fn used(&self) -> Result<f64, String> {
        let told = self.cli(&["INFO", "memory"])?;
        told.lines()
            .find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok())
            .ok_or_else(|| "INFO names no used_memory".to_owned())
    }

    /// Seconds on a processor since its start.
    pub fn on_processor(&self) -> f64 {
        processor::seconds(self.child.id())
    }

    /// From here on [`Redis::costs`] counts.
    pub fn count_anew(&self) -> Result<(), String> {
        self.cli(&["CONFIG", "RESETSTAT"]).map(|_| ())
    }

    /// How often each script or command ran for a turn and how long one took, the costliest first.
    pub fn costs(&self, turns: f64) -> Result<String, String> {
        let told = self.cli(&["INFO", "commandstats"])?;
        let mut rows: Vec<(f64, String)> = told
            .lines()
            .filter_map(|line| {
                let (name, facts) = line.strip_prefix("cmdstat_")?.split_once(':')?;
                let fact = |key: &str| -> Option<f64> {
                    facts
                        .split(',')
                        .find_map(|fact| fact.strip_prefix(key)?.parse().ok())
                };
                let (calls, each) = (fact("calls=")?, fact("usec_per_call=")?);
                Some((
                    calls * each,
                    format!("{name} {:.2} x {each:.1} us", calls / turns),
                ))
            })
            .collect();
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));
        let rows: Vec<String> = rows.into_iter().take(6).map(|(_, row)| row).collect();
        Ok(rows.join(", "))
    }

    fn cli(&self, arguments: &[&str]) -> Result<String, String> {
        let told = Command::new("redis-cli")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(arguments)
            .stderr(Stdio::null())
            .output()
            .map_err(|why| format!("redis-cli can't be started: {why}"))?;
        Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

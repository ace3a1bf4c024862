//! Looks at the servers as an operator would: what they keep when things break, what will break soon, and what must be
//! changed before a customer's message may be entrusted to them. Asks only; changes nothing.

use std::collections::BTreeMap;

use redis::Value;

use super::link::{Durability, Link};
use super::workers::{self, Worker};
use crate::store::{Promises, StoreError};

/// The oldest that runs the scripts.
const OLDEST: (u32, u32) = (7, 0);
/// Parts of the memory limit.
const NEARLY_FULL: u64 = 70;
const FULL: u64 = 85;
/// Milliseconds that clocks may differ.
const APART: i64 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Good,
    /// Works, but somebody should look.
    Look,
    /// Must be mended.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub name: &'static str,
    pub level: Level,
    pub says: String,
    /// What to do. Always there if it is bad.
    pub next: Option<String>,
    /// Whether Switchboard must not start with it.
    pub refused: bool,
}

#[derive(Debug, Clone)]
pub struct Inspection {
    pub findings: Vec<Finding>,
    pub promises: Promises,
    /// What is answered with 200 survives this, in words.
    pub survives: String,
    /// Bytes of memory in use and the limit, of all servers together, where they say so.
    pub memory: Option<(u64, Option<u64>)>,
    pub workers: Vec<Worker>,
}

impl Inspection {
    /// Why Switchboard must not start on these servers, in one sentence with what to do.
    pub fn refusal(&self) -> Option<StoreError> {
        let refused: Vec<String> = self
            .findings
            .iter()
            .filter(|finding| finding.refused)
            .map(|finding| match &finding.next {
                Some(next) => format!("{}; {next}", finding.says),
                None => finding.says.clone(),
            })
            .collect();
        (!refused.is_empty()).then(|| StoreError::Unfit(refused.join(". ")))
    }
}

/// Looks at every server that takes writes. `prefix` is that of the store's keys.
pub async fn inspect(link: &Link, prefix: &str) -> Inspection {
    let mut servers = Vec::new();
    let asked = link.ask_servers(redis::cmd("INFO").arg("everything")).await;
    let settings = link
        .ask_servers(
            redis::cmd("CONFIG")
                .arg("GET")
                .arg("appendfsync")
                .arg("min-replicas-to-write")
                .arg("maxmemory-policy"),
        )
        .await;
    for ((name, said), (_, settings)) in asked.into_iter().zip(settings) {
        servers.push(Server {
            name,
            said: said.map(lines),
            settings: settings.map(pairs),
        });
    }
    let mut findings = Vec::new();
    if servers.is_empty() {
        findings.push(bad(
            "servers",
            "no server is connected",
            "bring Redis back, or mend `store`",
        ));
    }
    let each: Vec<Vec<Finding>> = servers
        .iter()
        .map(|server| server.findings(link.durability()))
        .collect();
    findings.extend(joined(&servers, each));
    if link.is_cluster() {
        findings.push(coverage(link).await);
    } else if servers
        .iter()
        .any(|server| server.info("cluster_enabled") == Some("1"))
    {
        let next = "write redis+cluster:// instead of redis://, with some of its nodes";
        findings.push(refused("cluster", "this Redis is one node of a cluster", next));
    }
    findings.push(clock(link.clock_ahead()));
    let workers = match workers::live(link, prefix).await {
        Ok(live) => {
            findings.push(at_work(&live));
            live
        }
        Err(why) => {
            findings.push(bad("workers", why.to_string(), "see the other findings"));
            Vec::new()
        }
    };
    let all = |is: fn(&Server) -> bool| !servers.is_empty() && servers.iter().all(is);
    let (log, always) = (all(Server::keeps_a_log), all(Server::syncs_each_write));
    Inspection {
        promises: Promises {
            store: "redis",
            process_crash: true,
            power_loss: always,
            shared: true,
        },
        survives: survives(log, always, link.durability()),
        memory: memory(&servers),
        workers,
        findings,
    }
}

fn survives(log: bool, always: bool, durability: Durability) -> String {
    let mut words = String::from("a crash of Switchboard");
    words.push_str(match (log, always) {
        (true, true) => ", a crash of Redis, and loss of power on a disk that does what it says",
        (true, false) => " and a crash of Redis; loss of power takes the last one or two seconds",
        (false, _) => "; a crash of Redis takes what was written since its last snapshot",
    });
    words.push_str(match durability {
        Durability::Replica => "; it survives a failover to the replica that confirmed it",
        Durability::Local => "; a failover takes what the replica had not received yet",
    });
    words
}

/// One server's own words.
struct Server {
    name: String,
    said: Result<BTreeMap<String, String>, StoreError>,
    settings: Result<BTreeMap<String, String>, StoreError>,
}

impl Server {
    fn info(&self, name: &str) -> Option<&str> {
        self.said.as_ref().ok()?.get(name).map(String::as_str)
    }

    fn setting(&self, name: &str) -> Option<&str> {
        self.settings.as_ref().ok()?.get(name).map(String::as_str)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.info(name)?.parse().ok()
    }

    fn keeps_a_log(&self) -> bool {
        self.info("aof_enabled") == Some("1")
    }

    fn syncs_each_write(&self) -> bool {
        self.keeps_a_log() && self.setting("appendfsync") == Some("always")
    }

    fn findings(&self, durability: Durability) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Err(why) = &self.said
            && !is_refusal(why)
        {
            let next = "bring it back, or see that this machine reaches it";
            return vec![bad("server", why.to_string(), next)];
        }
        if let Err(why) = &self.said {
            let next =
                "give this user `+info`, as the documented ACL does, so that the start and `doctor` can look";
            findings.push(look(
                "info",
                format!("the server does not say how it is: {why}"),
                next,
            ));
        } else {
            findings.push(self.version());
        }
        findings.push(self.eviction());
        if self.said.is_ok() {
            findings.push(self.disk());
            findings.push(self.memory());
            findings.extend(self.replicas(durability));
        }
        if let Err(why) = &self.settings {
            findings.push(look(
                "settings",
                format!("its settings can't be asked for ({why}), so only what it says by itself is looked at"),
                "nothing has to be done; `+config|get` would let `doctor` see `appendfsync` and `min-replicas-to-write`",
            ));
        }
        findings
    }

    fn version(&self) -> Finding {
        let valkey = self.info("valkey_version");
        let (kind, version) = match (valkey, self.info("redis_version")) {
            (Some(version), _) => ("Valkey", version),
            (None, Some(version)) => ("Redis", version),
            (None, None) => {
                let next = "see that it is Redis 7.0 or later, or Valkey";
                return look("version", "the server does not say its version", next);
            }
        };
        let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        let number = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        if valkey.is_none() && number < OLDEST {
            return refused(
                "version",
                format!("{kind} {version} is too old for Switchboard's scripts"),
                "install Redis 7.0 or later, or Valkey",
            );
        }
        good("version", format!("{kind} {version}"))
    }

    fn eviction(&self) -> Finding {
        match self
            .setting("maxmemory-policy")
            .or_else(|| self.info("maxmemory_policy"))
        {
            Some("noeviction") => good(
                "eviction",
                "maxmemory-policy is noeviction: nothing is thrown away",
            ),
            Some(other) => refused(
                "eviction",
                format!(
                    "maxmemory-policy is {other}: Redis would throw conversations away when its memory is full"
                ),
                "run `redis-cli CONFIG SET maxmemory-policy noeviction` and write `maxmemory-policy noeviction` in redis.conf",
            ),
            None => look(
                "eviction",
                "it can't be seen whether Redis throws data away when its memory is full",
                "see that redis.conf has `maxmemory-policy noeviction`",
            ),
        }
    }

    fn disk(&self) -> Finding {
        if self
            .info("aof_last_write_status")
            .is_some_and(|status| status != "ok")
        {
            return bad(
                "disk",
                "the last write of its log (AOF) failed",
                "make room on its disk, or mend it; the log of Redis says more",
            );
        }
        if !self.keeps_a_log() {
            return look(
                "disk",
                "its log (AOF) is off: a crash of Redis takes what was written since the last snapshot",
                "run `redis-cli CONFIG SET appendonly yes` and write `appendonly yes` in redis.conf",
            );
        }
        match self.setting("appendfsync") {
            Some("always") => good("disk", "its log (AOF) is synced before each answer"),
            Some("no") => look(
                "disk",
                "its log (AOF) is written when the system likes: loss of power takes the last half minute",
                "run `redis-cli CONFIG SET appendfsync everysec` and write `appendfsync everysec` in redis.conf",
            ),
            Some(_) => good(
                "disk",
                "its log (AOF) is synced each second: loss of power takes a second or two",
            ),
            None => good("disk", "its log (AOF) is on"),
        }
    }

    fn memory(&self) -> Finding {
        let (Some(used), Some(limit)) = (self.number("used_memory"), self.number("maxmemory")) else {
            return look(
                "memory",
                "the server does not say how much memory it has",
                "see that `maxmemory` is set",
            );
        };
        if limit == 0 {
            return look(
                "memory",
                format!(
                    "{} in use, without a limit: the system may end Redis when memory is short",
                    bytes(used)
                ),
                "set `maxmemory` to 60 % of the machine's memory: a snapshot needs the rest",
            );
        }
        let percent = used.saturating_mul(100) / limit;
        let says = format!("{percent} % of {} in use", bytes(limit));
        let next = "give Redis more memory (`maxmemory`), or add servers: when it is full, customers' messages are refused and come again later";
        match percent {
            FULL.. => bad("memory", says, next),
            NEARLY_FULL.. => look("memory", says, next),
            _ => good("memory", says),
        }
    }

    fn replicas(&self, durability: Durability) -> Vec<Finding> {
        if self.info("role") == Some("slave") {
            let primary = self.info("master_host").unwrap_or("another server").to_owned();
            return vec![bad(
                "replicas",
                format!("it is itself a replica of {primary} and takes no writes"),
                "name the primary, or the sentinels with redis+sentinel://",
            )];
        }
        let mut findings = Vec::new();
        let connected = self.number("connected_slaves").unwrap_or(0);
        findings.push(match (connected, durability) {
            (0, Durability::Replica) => bad(
                "replicas",
                "durability is \"replica\" and no replica is connected: nothing will be confirmed",
                "start a replica (`replicaof` in its redis.conf), or write durability = \"local\"",
            ),
            (0, Durability::Local) => look(
                "replicas",
                "none: with this machine the conversations are lost",
                "start a replica, or see that its disk is backed up",
            ),
            (1, _) => good("replicas", "one is connected"),
            (many, _) => good("replicas", format!("{many} are connected")),
        });
        if durability == Durability::Replica && self.setting("min-replicas-to-write") == Some("0") {
            findings.push(look(
                "replicas in step",
                "a primary that was cut off goes on taking writes that are lost later",
                "run `redis-cli CONFIG SET min-replicas-to-write 1 min-replicas-max-lag 2` and write both in redis.conf",
            ));
        }
        findings
    }
}

/// The same from all servers is said once; what differs bears the server's name.
fn joined(servers: &[Server], each: Vec<Vec<Finding>>) -> Vec<Finding> {
    let all: Vec<(&Server, Finding)> = servers
        .iter()
        .zip(each)
        .flat_map(|(server, findings)| findings.into_iter().map(move |finding| (server, finding)))
        .collect();
    let mut joined: Vec<Finding> = Vec::new();
    for (server, finding) in &all {
        let same = all.iter().filter(|(_, other)| other == finding).count();
        if same == servers.len() {
            if !joined.contains(finding) {
                joined.push(finding.clone());
            }
        } else {
            joined.push(Finding {
                says: format!("{}: {}", server.name, finding.says),
                ..finding.clone()
            });
        }
    }
    joined.sort_by_key(|finding| {
        let first = all.iter().position(|(_, other)| other.name == finding.name);
        first.unwrap_or(usize::MAX)
    });
    joined
}

/// The server is there, and does not let this user ask.
fn is_refusal(why: &StoreError) -> bool {
    matches!(why, StoreError::Unavailable(why) if why.contains("NOPERM"))
}

async fn coverage(link: &Link) -> Finding {
    let asked = link.ask_servers(redis::cmd("CLUSTER").arg("INFO")).await;
    for (name, answer) in &asked {
        let said = match answer {
            Ok(answer) => lines(answer.clone()),
            Err(why) if !is_refusal(why) => {
                let next = "bring its machine back, or see that this one reaches every node under the address that the cluster announces";
                return bad("cluster", format!("not all masters can be reached: {why}"), next);
            }
            Err(why) => {
                let next = "give this user `+cluster|info`, as the documented ACL does";
                return look(
                    "cluster",
                    format!("{name} does not say how the cluster is: {why}"),
                    next,
                );
            }
        };
        let (state, slots) = (said.get("cluster_state"), said.get("cluster_slots_ok"));
        if state.map(String::as_str) != Some("ok") || slots.map(String::as_str) != Some("16384") {
            return bad(
                "cluster",
                format!(
                    "{name} says it is {}, with {} of 16384 slots served",
                    state.map_or("in an unknown state", String::as_str),
                    slots.map_or("some", String::as_str)
                ),
                "bring its masters back, or mend it with `redis-cli --cluster fix`",
            );
        }
    }
    if !link.is_up() {
        let next = "see that this machine reaches every node under the address that the cluster announces";
        return bad("cluster", "not all of its masters can be reached", next);
    }
    good("cluster", format!("whole, on {} masters", asked.len()))
}

fn clock(ahead: i64) -> Finding {
    if ahead.abs() < APART {
        return good("clock", "Redis and this machine agree on the time");
    }
    let (amount, which) = (
        ahead.abs() as f64 / 1000.0,
        if ahead > 0 { "ahead of" } else { "behind" },
    );
    look(
        "clock",
        format!("Redis is {amount:.1} s {which} this machine; its time counts"),
        "let both machines set their clocks (NTP)",
    )
}

fn at_work(live: &[Worker]) -> Finding {
    if live.is_empty() {
        return good("workers", "none is running now");
    }
    let all: Vec<String> = live
        .iter()
        .map(|worker| format!("{} ({})", worker.name(), worker.version))
        .collect();
    good("workers", format!("{} running: {}", live.len(), all.join(", ")))
}

fn memory(servers: &[Server]) -> Option<(u64, Option<u64>)> {
    let used = servers
        .iter()
        .map(|server| server.number("used_memory"))
        .sum::<Option<u64>>()?;
    let limits: Option<Vec<u64>> = servers.iter().map(|server| server.number("maxmemory")).collect();
    let limit = limits
        .filter(|limits| !limits.contains(&0))
        .map(|limits| limits.iter().sum());
    (!servers.is_empty()).then_some((used, limit))
}

fn bytes(count: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    match count / MIB {
        0 => format!("{} KiB", count / 1024),
        mib if mib < 10 * 1024 => format!("{mib} MiB"),
        mib => format!("{} GiB", mib / 1024),
    }
}

/// `name:value` a line, as `INFO` answers.
fn lines(value: Value) -> BTreeMap<String, String> {
    let text = match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Value::VerbatimString { text, .. } => text,
        Value::SimpleString(text) => text,
        _ => String::new(),
    };
    let pair = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.trim().to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

/// Names and values, as `CONFIG GET` answers.
fn pairs(value: Value) -> BTreeMap<String, String> {
    redis::from_redis_value(value).unwrap_or_default()
}

fn finding(name: &'static str, level: Level, says: impl Into<String>, next: Option<&str>) -> Finding {
    Finding {
        name,
        level,
        says: says.into(),
        next: next.map(str::to_owned),
        refused: false,
    }
}

fn good(name: &'static str, says: impl Into<String>) -> Finding {
    finding(name, Level::Good, says, None)
}

fn look(name: &'static str, says: impl Into<String>, next: &str) -> Finding {
    finding(name, Level::Look, says, Some(next))
}

fn bad(name: &'static str, says: impl Into<String>, next: &str) -> Finding {
    finding(name, Level::Bad, says, Some(next))
}

fn refused(name: &'static str, says: impl Into<String>, next: &str) -> Finding {
    Finding {
        refused: true,
        ..bad(name, says, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(info: &[(&str, &str)], settings: &[(&str, &str)]) -> Server {
        let map = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        Server {
            name: "a:1".into(),
            said: Ok(map(info)),
            settings: Ok(map(settings)),
        }
    }

    #[test]
    fn valkey_counts_by_its_own_version_and_an_old_redis_is_refused() {
        let valkey = server(&[("redis_version", "7.2.4"), ("valkey_version", "8.1.0")], &[]);
        assert_eq!(valkey.version(), good("version", "Valkey 8.1.0"));
        assert_eq!(
            server(&[("redis_version", "7.0.15")], &[]).version().level,
            Level::Good
        );
        let old = server(&[("redis_version", "6.2.14")], &[]).version();
        assert!(old.refused && old.says.contains("6.2.14"));
        assert_eq!(server(&[], &[]).version().level, Level::Look);
    }

    #[test]
    fn memory_alarms_at_seventy_and_at_eighty_five_percent() {
        let level = |used: &str| {
            server(&[("used_memory", used), ("maxmemory", "1000")], &[])
                .memory()
                .level
        };
        assert_eq!(level("699"), Level::Good);
        assert_eq!(level("700"), Level::Look);
        assert_eq!(level("849"), Level::Look);
        assert_eq!(level("850"), Level::Bad);
        assert_eq!(level("1200"), Level::Bad);
    }

    #[test]
    fn what_one_server_says_alone_bears_its_name() {
        let servers = [server(&[], &[]), server(&[], &[])];
        let each = vec![
            vec![good("version", "Redis 7"), good("disk", "on")],
            vec![good("version", "Redis 7"), look("disk", "off", "turn it on")],
        ];
        let shown: Vec<String> = joined(&servers, each)
            .into_iter()
            .map(|finding| finding.says)
            .collect();
        assert_eq!(shown, ["Redis 7", "a:1: on", "a:1: off"]);
    }
}

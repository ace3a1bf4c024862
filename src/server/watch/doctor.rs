//! Looks at everything that must be right before a customer writes, and says what to do about what is not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::flow::program::{Program, State, StateKind, Trigger};
use crate::server::config::{AiConfig, ChannelConfig, Config, ConfigError, Runs, StoreAddress, VoiceConfig};
use crate::server::flows;
use crate::server::flows::versions;
use crate::server::numbers::channels::{self, GROUP, Secrets};
use crate::server::numbers::door::{Door, DoorError};
use crate::server::numbers::endpoint;
use crate::server::numbers::launch;
use crate::server::numbers::stored::{StoredError, Written};
use crate::store::redis::inspect;
use crate::store::redis::link::Link;
use crate::store::{Caps, RedisPlace, SqliteStore, Store, StoreError, SystemClock};

/// What every GGML model begins with.
const GGML: &[u8; 4] = b"lmgg";
/// With less than this, in KiB, the store will soon be full.
const LITTLE_ROOM: u64 = 1024 * 1024;
const NO_ROOM: u64 = 100 * 1024;
const PUBLISH: &str = "run `switchboard publish` once the flows are tested; the server does not start before";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Good,
    /// Works, but somebody should look.
    Doubtful,
    /// Must be mended.
    Bad,
}

impl Level {
    /// A sign and a word: neither colour nor sign alone carries the meaning.
    pub fn shown(self) -> &'static str {
        match self {
            Level::Good => "✓ good",
            Level::Doubtful => "! look",
            Level::Bad => "✗ wrong",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub group: &'static str,
    pub name: String,
    pub level: Level,
    pub says: String,
    /// What to do. Always there if it is bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub checks: Vec<Check>,
}

impl Report {
    pub fn must_be_mended(&self) -> bool {
        self.checks.iter().any(|check| check.level == Level::Bad)
    }

    fn good(&mut self, group: &'static str, name: impl Into<String>, says: impl Into<String>) {
        self.add(group, name, Level::Good, says, None);
    }

    fn look(&mut self, group: &'static str, name: impl Into<String>, says: impl Into<String>, next: &str) {
        self.add(group, name, Level::Doubtful, says, Some(next));
    }

    fn bad(&mut self, group: &'static str, name: impl Into<String>, says: impl Into<String>, next: &str) {
        self.add(group, name, Level::Bad, says, Some(next));
    }

    fn add(
        &mut self,
        group: &'static str,
        name: impl Into<String>,
        level: Level,
        says: impl Into<String>,
        next: Option<&str>,
    ) {
        self.checks.push(Check {
            group,
            name: name.into(),
            level,
            says: says.into(),
            next: next.map(str::to_owned),
        });
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut group = "";
        for check in &self.checks {
            if check.group != group {
                group = check.group;
                writeln!(f, "{group}")?;
            }
            let says = check.says.replace('\n', "\n      ");
            writeln!(f, "  {:<8} {}: {says}", check.level.shown(), check.name)?;
            if let Some(next) = &check.next {
                writeln!(f, "           → {next}")?;
            }
        }
        Ok(())
    }
}

/// Looks at everything that the configuration in `path` names. Sends nothing to any customer.
pub async fn examine(path: &Path) -> Report {
    let mut report = Report::default();
    build(&mut report);
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(why) => {
            let why: ConfigError = why;
            report.bad(
                "config",
                "file",
                why.to_string(),
                "mend the file and run `switchboard doctor` again",
            );
            return report;
        }
    };
    settings(&mut report, path, &config);
    store(&mut report, &config.store).await;
    let program = program(&mut report, &config);
    let config = of_store(&mut report, path, config).await;
    ai(&mut report, program.as_ref(), config.ai.as_ref());
    voice(&mut report, config.voice.as_ref());
    for channel in &config.channels {
        number(&mut report, &config, channel).await;
    }
    if config.channels.is_empty() {
        report.look(
            GROUP,
            "none",
            "no number is configured",
            "add a [[channel]] table to the configuration",
        );
    }
    time(&mut report, program.as_ref());
    disk(&mut report, &config.store);
    report
}

fn build(report: &mut Report) {
    let version = concat!("switchboard ", env!("CARGO_PKG_VERSION"));
    if cfg!(debug_assertions) {
        let next = "build with --release before customers write";
        report.look(
            "build",
            "version",
            format!("{version}, built for development"),
            next,
        );
    } else {
        report.good("build", "version", version);
    }
}

fn settings(report: &mut Report, path: &Path, config: &Config) {
    report.good("config", "file", format!("{} can be read", path.display()));
    match &config.public_url {
        Some(url) if url.scheme() == "https" => {
            for channel in &config.channels {
                if let Some(address) = channels::webhook(Some(url), channel, Secrets::Hidden) {
                    report.good("config", format!("webhook of {}", channel.id), address);
                }
            }
        }
        Some(url) => report.look(
            "config",
            "public_url",
            format!("{url} is not https; providers deliver to https alone"),
            "put a proxy with TLS in front and write its address as public_url",
        ),
        None => report.look(
            "config",
            "public_url",
            "not set, so nobody can see which address to give to the provider",
            "write public_url = \"https://…\"",
        ),
    }
}

async fn store(report: &mut Report, address: &StoreAddress) {
    match address {
        StoreAddress::Sqlite(path) => file(report, path).await,
        StoreAddress::Redis(redis) => servers(report, redis).await,
    }
}

/// The servers of a store that many share.
async fn servers(report: &mut Report, place: &RedisPlace) {
    // Not through the store: it refuses to be opened on what is wrong here.
    let link = match Link::connect(&place.address, &place.settings.link).await {
        Ok(link) => link,
        Err(why) => {
            let next =
                "check the address, the password and whether Redis runs; then run `switchboard doctor` again";
            report.bad("store", "redis", why.to_string(), next);
            return;
        }
    };
    let seen = inspect::inspect(&link, &place.settings.prefix).await;
    link.close();
    for finding in seen.findings {
        let level = match finding.level {
            inspect::Level::Good => Level::Good,
            inspect::Level::Look => Level::Doubtful,
            inspect::Level::Bad => Level::Bad,
        };
        report.add(
            "store",
            finding.name,
            level,
            finding.says,
            finding.next.as_deref(),
        );
    }
    report.good(
        "store",
        "promise",
        format!("what is answered with 200 survives {}", seen.survives),
    );
}

async fn file(report: &mut Report, path: &Path) {
    let shown = path.display();
    if !path.exists() {
        let folder = folder_of(path);
        if folder.is_dir() {
            report.good(
                "store",
                "file",
                format!("{shown} will be made at the first start"),
            );
        } else {
            let says = format!("the folder {} does not exist", folder.display());
            report.bad("store", "file", says, "make the folder, or name another as store");
        }
        return;
    }
    match SqliteStore::open(path, Caps::default(), Arc::new(SystemClock)) {
        Ok(store) => {
            report.good("store", "file", format!("{shown} can be opened"));
            let promises = store.promises();
            let survives = if promises.power_loss {
                "process crash and loss of power"
            } else {
                "process crash"
            };
            report.good(
                "store",
                "promise",
                format!("what is answered with 200 survives {survives}"),
            );
            match store.parked(1).await {
                Ok(parked) if parked.is_empty() => {}
                Ok(_) => report.look(
                    "store",
                    "parked",
                    "some messages could not be answered and were put aside",
                    "open the conversations that have a fault note and answer them",
                ),
                Err(why) => report.bad(
                    "store",
                    "parked",
                    why.to_string(),
                    "restore the file from a backup",
                ),
            }
            // A failure to close loses nothing: nothing was written.
            let _ = store.close().await;
        }
        Err(StoreError::Locked(_)) => {
            report.good(
                "store",
                "file",
                format!("{shown} is in use by a running Switchboard"),
            );
        }
        Err(why @ StoreError::Version { .. }) => {
            report.bad(
                "store",
                "file",
                why.to_string(),
                "start the newer version, or name another store",
            );
        }
        Err(why) => {
            let next =
                "check that the file belongs to this user, and restore it from a backup if it is damaged";
            report.bad("store", "file", why.to_string(), next);
        }
    }
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

fn program(report: &mut Report, config: &Config) -> Option<Program> {
    let program = match flows::compile_folder(&config.flows) {
        Ok(program) => program,
        Err(why) => {
            let next =
                "run `switchboard check` and mend what it names; running servers keep the last good flows";
            report.bad("flows", "compile", why.to_string(), next);
            return None;
        }
    };
    let says = format!(
        "{} flows of {} compile ({})",
        program.flows.len(),
        program.business.name,
        program.hash
    );
    report.good("flows", "compile", says);
    for service in &program.business.services {
        match &service.key {
            Some(key) if !config.secrets.contains_key(key) => report.bad(
                "flows",
                format!("service {}", service.name),
                format!("its key {key} is not among the secrets, so every call fails"),
                &format!("add {key} = {{ env = \"{key}\" }} to [secrets]"),
            ),
            Some(_) | None => report.good("flows", format!("service {}", service.name), service.url.clone()),
        }
    }
    Some(program)
}

/// What the store knows of numbers: those that it holds, and what answers on published ones. Gives all numbers.
async fn of_store(report: &mut Report, path: &Path, config: Config) -> Config {
    let written = Written {
        config,
        path: path.to_owned(),
    };
    let Written { config, .. } = &written;
    if !config.store.exists() {
        let runs_published = config.channels.iter().any(|one| one.runs() == Runs::Published);
        if runs_published {
            report.bad("flows", "published", "nothing is published yet", PUBLISH);
        }
        for channel in &config.channels {
            launched(report, channel, launch::is_needed(channel));
        }
        return written.config;
    }
    let door = match Door::open(config).await {
        Ok(door) => door,
        // What is wrong with the store has been said; a server that has it says the rest.
        Err(DoorError::NoToken) => {
            let says = "a running server has the store; numbers that it may hold are not looked at here (an admin_token in the \
                        configuration lets it be asked)";
            report.good(GROUP, "store", says);
            return written.config;
        }
        Err(_) => return written.config,
    };
    let looked = async {
        let (config, _) = written.with_stored(&door).await?;
        for channel in &config.channels {
            let kept = door.get(&endpoint::setting(&channel.id)).await?;
            if let Err(why) = endpoint::allows_session(channel, kept.as_deref()) {
                let next = "the server does not start with them before";
                report.bad(GROUP, format!("{} session", channel.id), why.to_string(), next);
            }
        }
        if config.channels.iter().any(|one| one.runs() == Runs::Published) {
            match versions::list(&door).await?.published() {
                Some(version) => {
                    let says = format!("version {} ({}) answers", version.number, version.hash);
                    report.good("flows", "published", says);
                }
                None => report.bad("flows", "published", "nothing is published yet", PUBLISH),
            }
        }
        Ok::<Config, StoredError>(config)
    };
    let config = match looked.await {
        Ok(config) => config,
        Err(StoredError::Door(why)) => {
            let next = "see that bind and admin_token are those of the server that runs";
            report.look(GROUP, "store", why.to_string(), next);
            written.config
        }
        Err(why) => {
            let next = "mend that with `switchboard channel set`, `apply` or `secret`; the server does not start before";
            report.bad(GROUP, "store", why.to_string(), next);
            written.config
        }
    };
    for channel in &config.channels {
        // Where it can't be asked, that was said above.
        if let Ok(waits) = launch::waits_at(&door, channel).await {
            launched(report, channel, waits);
        }
        if let Ok(Some(paused)) = channels::paused(&door, channel).await {
            report.checks.push(paused);
        }
    }
    // A failure to close loses nothing: nothing was written.
    let _ = door.close().await;
    config
}

/// Whether flows may answer on a number that they are to answer on.
fn launched(report: &mut Report, channel: &ChannelConfig, waits: bool) {
    if channel.autopilot && waits {
        report.look(
            GROUP,
            format!("{} launch", channel.id),
            "not launched: people answer, flows wait",
            &launch::next_step(&channel.id),
        );
    }
}

/// Whether somebody replies for the flows that want it. Nothing is asked here: that may cost.
fn ai(report: &mut Report, program: Option<&Program>, ai: Option<&AiConfig>) {
    let answers = program.is_some_and(|program| {
        let is_answer = |state: &State| matches!(state.kind, StateKind::Answer(_));
        program.states.iter().any(is_answer)
    });
    let topics = program.is_some_and(|program| {
        program
            .triggers()
            .any(|trigger| matches!(trigger, Trigger::Topic(_)))
    });
    match ai {
        Some(ai) => report.good(
            "ai",
            "model",
            format!("{} at {}", ai.model, ai.url.host_str().unwrap_or_default()),
        ),
        None if answers => report.look(
            "ai",
            "model",
            "none: every `answer` in the flows goes the way of its `problem` line",
            "add an [ai] table to the configuration, or take `answer` out of the flows",
        ),
        None if topics => report.look(
            "ai",
            "model",
            "none: no topics are recognised, so nothing starts on them",
            "add an [ai] table to the configuration, or start the flows on words",
        ),
        None => {}
    }
}

fn voice(report: &mut Report, voice: Option<&VoiceConfig>) {
    let Some(voice) = voice else {
        let next = "run `switchboard voice fetch base` and add a [voice] table";
        report.look(
            "speech",
            "model",
            "none: voice notes reach people, nobody writes down their words",
            next,
        );
        return;
    };
    if !cfg!(feature = "voice") {
        let next = "build with the feature `voice`, or remove the [voice] table";
        report.bad("speech", "model", "this build cannot listen", next);
        return;
    }
    let shown = voice.model.display();
    let mut magic = [0; 4];
    let read = std::fs::File::open(&voice.model)
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut magic));
    match read {
        Ok(()) if &magic == GGML => report.good("speech", "model", format!("{shown} is a GGML model")),
        Ok(()) => {
            let next = "fetch it again: `switchboard voice fetch base`";
            report.bad("speech", "model", format!("{shown} is not a GGML model"), next);
        }
        Err(why) => {
            let next = "run `switchboard voice fetch base`, or name another file as model";
            report.bad("speech", "model", format!("{shown} can't be read: {why}"), next);
        }
    }
}

async fn number(report: &mut Report, config: &Config, channel: &ChannelConfig) {
    let verified = channels::verify(config, channel).await;
    report.checks.extend(verified.checks);
    if !channel.autopilot {
        report.look(
            GROUP,
            format!("{} autopilot", channel.id),
            "off: people answer, flows don't",
            "set autopilot = true if flows should",
        );
    }
}

fn time(report: &mut Report, program: Option<&Program>) {
    let now = Timestamp::now();
    // Anything earlier than this program is a clock that was never set.
    if now.to_zoned(TimeZone::UTC).year() < 2025 {
        let next = "set it, and let the system keep it (chrony or systemd-timesyncd)";
        report.bad("time", "clock", format!("the clock says {now}"), next);
    } else {
        report.good("time", "clock", now.strftime("%Y-%m-%d %H:%M UTC").to_string());
    }
    let Some(program) = program else {
        return;
    };
    let zone = &program.business.timezone;
    match TimeZone::get(zone) {
        Ok(tz) => {
            let there = now.to_zoned(tz).strftime("%A %H:%M").to_string();
            report.good("time", "zone", format!("in {zone} it is {there}"));
        }
        Err(why) => {
            let next = "write an IANA name such as \"Europe/Lisbon\" as timezone in the business file";
            report.bad("time", "zone", format!("{zone}: {why}"), next);
        }
    }
}

fn disk(report: &mut Report, address: &StoreAddress) {
    // Those of Redis tell of their own.
    let StoreAddress::Sqlite(path) = address else {
        return;
    };
    let folder = folder_of(path);
    match free_kib(&folder) {
        Some(free) if free < NO_ROOM => report.bad(
            "disk",
            "room",
            format!("{} MiB are free in {}", free / 1024, folder.display()),
            "make room: a full disk means that webhooks are refused until there is some",
        ),
        Some(free) if free < LITTLE_ROOM => report.look(
            "disk",
            "room",
            format!("{} MiB are free in {}", free / 1024, folder.display()),
            "make room before it is full",
        ),
        Some(free) => report.good(
            "disk",
            "room",
            format!("{} MiB are free in {}", free / 1024, folder.display()),
        ),
        None => report.look(
            "disk",
            "room",
            format!("nobody could say how much is free in {}", folder.display()),
            "look at it with df",
        ),
    }
}

/// Free room by `df`, which every system has.
fn free_kib(folder: &Path) -> Option<u64> {
    let said = std::process::Command::new("df")
        .arg("-Pk")
        .arg(folder)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&said.stdout);
    text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

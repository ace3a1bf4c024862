//! The configuration file as it is written. Every key stands, explained and with its default, in
//! `switchboard.default.toml`; a test holds the two against each other.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::agent::Agent;
use super::compatible::Compatible;
use super::coster::Coster;
use super::linked::Linked;
use super::qontak::Qontak;
use crate::engine::SessionSettings;
use crate::server::numbers::launch::LaunchRule;
use crate::server::turns::session::what_stays;
use crate::store::{Retention, Stays};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default = "flows")]
    pub flows: String,
    #[serde(default = "store")]
    pub store: Spanned<String>,
    #[serde(default)]
    pub redis: Redis,
    #[serde(default = "bind")]
    pub bind: Spanned<String>,
    pub public_url: Option<Spanned<String>>,
    pub admin_token: Option<Spanned<Source>>,
    pub store_key: Option<Spanned<Source>>,
    #[serde(default, rename = "token")]
    pub tokens: Vec<Spanned<Token>>,
    #[serde(default)]
    pub log: Log,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub retention: RetentionDays,
    pub metrics: Option<Metrics>,
    pub traces: Option<Spanned<Traces>>,
    pub voice: Option<Voice>,
    pub ai: Option<Ai>,
    #[serde(default)]
    pub secrets: BTreeMap<String, Spanned<Source>>,
    #[serde(default)]
    pub services: BTreeMap<String, Service>,
    #[serde(default, rename = "channel")]
    pub channels: Vec<Spanned<Channel>>,
    #[serde(default, rename = "agent")]
    pub agents: Vec<Agent>,
}

/// Numbers alone, as the store holds them and `channel apply` takes them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Numbers {
    #[serde(default, rename = "channel")]
    pub channels: Vec<Spanned<Channel>>,
    #[serde(default, rename = "agent")]
    pub agents: Vec<Agent>,
}

/// A token of one of the business's own systems.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    pub name: String,
    pub may: Vec<super::Scope>,
    pub env: Option<String>,
    pub file: Option<String>,
}

/// How a store in Redis is used; nothing of it matters to one in a file.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Redis {
    pub password: Option<Spanned<Source>>,
    pub sentinel_password: Option<Spanned<Source>>,
    pub ca: Option<Spanned<String>>,
    pub durability: Sureness,
    pub replica_ms: u64,
    pub prefix: Spanned<String>,
}

impl Default for Redis {
    fn default() -> Self {
        Redis {
            password: None,
            sentinel_password: None,
            ca: None,
            durability: Sureness::Local,
            replica_ms: 500,
            prefix: Spanned::new(0..0, "sb".to_owned()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Sureness {
    Local,
    Replica,
}

/// Where a secret is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    pub env: Option<String>,
    pub file: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
    /// A filter as `tracing` reads it: `info`, `warn`, `switchboard=debug,info`.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Log {
            format: LogFormat::Text,
            level: "info".to_owned(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// How much work is done at the same time, and how large it may be.
/// How long things are kept, in days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RetentionDays {
    history_days: u32,
    memory_days: u32,
    dead_days: u32,
}

impl Default for RetentionDays {
    fn default() -> Self {
        RetentionDays {
            history_days: 90,
            memory_days: 365,
            dead_days: 14,
        }
    }
}

impl RetentionDays {
    pub(super) fn resolved(self) -> Retention {
        let days = |days: u32| Duration::from_secs(u64::from(days) * 24 * 3600);
        Retention {
            history: days(self.history_days),
            memory: days(self.memory_days),
            dead: days(self.dead_days),
            stays: Stays(what_stays),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Threads that all of this shares; 0: as many as there are processors.
    pub threads: usize,
    /// Largest webhook. Meta sends up to 3 MB.
    pub body_bytes: usize,
    /// Connections that are served at the same time; further ones wait.
    pub connections: usize,
    /// Conversations that are answered at the same time.
    pub turns: usize,
    /// Messages that are being sent at the same time.
    pub sends: usize,
    /// Service calls and voice notes that are worked on at the same time.
    pub jobs: usize,
    /// Largest answer of a service.
    pub answer_bytes: usize,
    /// How long a turn, a send or a call may take to finish once the server is asked to stop.
    pub drain_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            threads: 0,
            body_bytes: 4 * 1024 * 1024,
            connections: 1024,
            turns: 32,
            sends: 32,
            jobs: 16,
            answer_bytes: 256 * 1024,
            drain_seconds: 20,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metrics {
    #[serde(default = "metrics_bind")]
    pub bind: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Traces {
    pub endpoint: Option<Spanned<String>>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Voice {
    pub model: String,
    pub threads: Option<usize>,
    #[serde(default = "one")]
    pub parallel: usize,
    #[serde(default = "auto")]
    pub language: String,
    #[serde(default = "ten")]
    pub max_minutes: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ai {
    pub url: Spanned<String>,
    pub model: String,
    pub key: Option<Spanned<Source>>,
    #[serde(default = "twenty")]
    pub timeout_seconds: u32,
    #[serde(default = "two_hundred_thousand")]
    pub tokens_per_customer: u64,
}

fn two_hundred_thousand() -> u64 {
    200_000
}

fn twenty() -> u32 {
    20
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    pub url: Option<Spanned<String>>,
    #[serde(default)]
    pub allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Channel {
    /// Empty: not given.
    #[serde(default = "no_id")]
    pub id: Spanned<String>,
    pub provider: Provider,
    #[serde(default)]
    pub number: String,
    pub phone_number_id: Option<String>,
    pub waba_id: Option<String>,
    #[serde(default = "api_base")]
    pub api_base: Spanned<String>,
    #[serde(default = "api_version")]
    pub api_version: String,
    #[serde(default)]
    pub media_hosts: Vec<String>,
    pub access_token_env: Option<Spanned<String>>,
    pub access_token_file: Option<Spanned<String>>,
    pub app_secret_env: Option<Spanned<OneOrMore>>,
    pub app_secret_file: Option<Spanned<OneOrMore>>,
    pub verify_token_env: Option<Spanned<String>>,
    pub verify_token_file: Option<Spanned<String>>,
    pub webhook_secret_env: Option<Spanned<OneOrMore>>,
    pub webhook_secret_file: Option<Spanned<OneOrMore>>,
    pub compatible: Option<Spanned<Compatible>>,
    pub coster: Option<Spanned<Coster>>,
    pub qontak: Option<Spanned<Qontak>>,
    pub linked: Option<Spanned<Linked>>,
    #[serde(default = "yes")]
    pub autopilot: bool,
    pub launch: Option<LaunchRule>,
    pub burst_quiet_ms: Option<u64>,
    pub messages_per_second: Option<u32>,
    pub pair_every_ms: Option<u64>,
    pub pair_burst: Option<u32>,
    #[serde(default = "a_thousand")]
    pub unasked_per_day: u32,
    #[serde(default = "ten")]
    pub unasked_per_customer: u32,
    #[serde(default = "yes")]
    pub shortcuts: bool,
    #[serde(default = "an_hour")]
    pub shortcut_pause_minutes: u32,
    #[serde(default = "yes")]
    pub assist: bool,
    #[serde(default = "yes")]
    pub read_receipts: bool,
    #[serde(default)]
    pub session: SessionSettings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Meta's WhatsApp Cloud API.
    Meta,
    /// A provider that speaks Meta's language.
    Compatible,
    /// Coster; experimental.
    Coster,
    /// Mekari Qontak.
    Qontak,
    /// A phone linked as WhatsApp Web is, held by a server that speaks WAHA's language.
    Linked,
    /// No provider at all: the demo page and tests.
    Simulator,
}

/// One name, or several while a secret is being changed.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "expected a name in quotes, or a list of names")]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    pub(super) fn names(&self) -> &[String] {
        match self {
            OneOrMore::One(name) => std::slice::from_ref(name),
            OneOrMore::More(names) => names,
        }
    }
}

fn no_id() -> Spanned<String> {
    Spanned::new(0..0, String::new())
}

fn flows() -> String {
    "flows".to_owned()
}

fn store() -> Spanned<String> {
    Spanned::new(0..0, "sqlite:switchboard.db".to_owned())
}

fn bind() -> Spanned<String> {
    Spanned::new(0..0, "127.0.0.1:8080".to_owned())
}

/// The port that Prometheus exporters of OpenTelemetry use.
fn metrics_bind() -> Spanned<String> {
    Spanned::new(0..0, "127.0.0.1:9464".to_owned())
}

fn api_base() -> Spanned<String> {
    Spanned::new(0..0, "https://graph.facebook.com".to_owned())
}

fn api_version() -> String {
    "v24.0".to_owned()
}

fn yes() -> bool {
    true
}

fn one() -> usize {
    1
}

fn an_hour() -> u32 {
    60
}

fn a_thousand() -> u32 {
    1000
}

fn ten() -> u32 {
    10
}

fn auto() -> String {
    "auto".to_owned()
}

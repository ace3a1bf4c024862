//! `switchboard.toml`: what the operator decides. Read once at the start; secrets are named there and kept elsewhere.

mod agent;
mod compatible;
mod coster;
mod error;
mod file;
mod linked;
mod qontak;
mod resolve;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::channel::coster::CosterSettings;
use crate::channel::linked::LinkedSettings;
use crate::channel::meta::CompatibleSettings;
use crate::channel::qontak::QontakSettings;
use crate::engine::SessionSettings;
use crate::server::numbers::launch::LaunchRule;
use crate::server::outbound::volume::Volume;
use crate::store::{Pace, Retention};

use crate::server::numbers::sealed::SealingKeys;

pub use crate::store::StoreAddress;
pub use agent::{AgentOf, Runs, Side};
pub use error::{ConfigError, Mistake};
pub use file::{Limits, Log, LogFormat, Provider};

/// Every key, explained, with its default.
pub const REFERENCE: &str = include_str!("../switchboard.default.toml");

/// The configuration with its defaults filled in and its secrets read. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder with the business file and the flows: the draft of what is published.
    pub flows: PathBuf,
    pub store: StoreAddress,
    pub bind: SocketAddr,
    /// Where the outside world reaches this server.
    pub public_url: Option<Url>,
    /// Opens the pages of an operator.
    pub admin_token: Option<SecretString>,
    /// Opens secrets that the store holds.
    pub store_key: Option<SealingKeys>,
    /// What the business's own systems show, and what each of them may do.
    pub tokens: Vec<TokenConfig>,
    pub log: Log,
    pub limits: Limits,
    pub retention: Retention,
    /// Where the page of metrics is; `None`: there is none.
    pub metrics: Option<SocketAddr>,
    /// Where traces go; `None`: nowhere, unless the environment says so.
    pub traces: Option<TracesConfig>,
    /// `None`: voice notes are kept, not transcribed.
    pub voice: Option<VoiceConfig>,
    /// `None`: nobody replies for `answer`, and no topics are recognised.
    pub ai: Option<AiConfig>,
    /// What services are called with, by the name that the business file uses.
    pub secrets: BTreeMap<String, SecretString>,
    pub services: BTreeMap<String, ServiceConfig>,
    pub channels: Vec<ChannelConfig>,
}

/// A token of one of the business's own systems. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct TokenConfig {
    /// Who it is, for threads and the log.
    pub name: String,
    pub may: Vec<Scope>,
    pub secret: SecretString,
}

/// What a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Sending on the business's own account, and the lists of templates.
    Notify,
    /// Telling flows what happened.
    Events,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TracesConfig {
    /// A collector's address, without the path of traces. `None`: as the environment or the standard says.
    pub endpoint: Option<Url>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct VoiceConfig {
    /// A GGML file.
    pub model: PathBuf,
    /// `None`: half of the processor's cores.
    pub threads: Option<usize>,
    /// Voice notes that are transcribed at the same time.
    pub parallel: usize,
    /// `None`: detected for each note.
    pub language: Option<String>,
    pub longest: Duration,
}

/// A model that replies for `answer`. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct AiConfig {
    /// Before `/chat/completions`.
    pub url: Url,
    pub model: String,
    pub key: Option<SecretString>,
    pub timeout: Duration,
    /// For one customer in 24 hours; `None`: as many as there are.
    pub tokens: Option<u64>,
}

/// Changes to a service of the business file, for development and tests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceConfig {
    /// Instead of the address in the business file.
    pub url: Option<Url>,
    /// `host` or `host:port` that may be called although it is private, and without TLS.
    pub allow: Vec<String>,
}

/// One number of the business.
#[derive(Debug, Clone)]
pub struct ChannelConfig {
    /// Part of the webhook's address and of what is stored.
    pub id: String,
    /// For people; never sent anywhere.
    pub number: String,
    /// Whether flows answer, until somebody switches it elsewhere.
    pub autopilot: bool,
    /// Whether that waits for the number's launch; `None`: where real people are reached.
    pub launch: Option<LaunchRule>,
    /// Instead of `burst quiet` of the business file.
    pub burst_quiet: Option<Duration>,
    /// Messages a second that may leave it, from all processes together; 0: as many as there are.
    pub per_second: u32,
    /// How fast one customer may be written to.
    pub pace: Option<Pace>,
    /// How much may leave it that nobody asked for.
    pub volume: Volume,
    /// How long `.0` pauses a chat; `None`: what staff type into chats is text.
    pub shortcuts: Option<Duration>,
    /// Whether a model drafts answers for people where a flow says `assist on`.
    pub assist: bool,
    /// Whether customers see that the bot has read what they wrote, and that it is writing, where the provider shows it.
    pub read_receipts: bool,
    pub session: SessionSettings,
    /// `None`: it stands alone.
    pub agent: Option<AgentOf>,
    /// The store holds it, not the file.
    pub stored: bool,
    pub provider: ProviderConfig,
}

impl ChannelConfig {
    pub fn runs(&self) -> Runs {
        match &self.agent {
            Some(of) if of.side == Side::Published => Runs::Published,
            Some(_) | None => Runs::Folder,
        }
    }
}

#[derive(Debug, Clone)]
pub enum ProviderConfig {
    Meta(Box<MetaConfig>),
    Compatible(Box<CompatibleSettings>),
    Coster(Box<CosterSettings>),
    Qontak(Box<QontakSettings>),
    Linked(Box<LinkedSettings>),
    Simulator,
}

impl ProviderConfig {
    /// As it is written.
    pub fn name(&self) -> &'static str {
        match self {
            ProviderConfig::Meta(_) => "meta",
            ProviderConfig::Compatible(_) => "compatible",
            ProviderConfig::Coster(_) => "coster",
            ProviderConfig::Qontak(_) => "qontak",
            ProviderConfig::Linked(_) => "linked",
            ProviderConfig::Simulator => "simulator",
        }
    }

    /// What the provider knows the number by; `None` where there is no provider.
    pub fn account(&self) -> Option<&str> {
        match self {
            ProviderConfig::Meta(meta) => Some(&meta.phone_number_id),
            ProviderConfig::Compatible(settings) => Some(&settings.phone_number_id),
            ProviderConfig::Coster(settings) => Some(&settings.phone_number_id),
            ProviderConfig::Qontak(settings) => Some(&settings.channel_integration_id),
            ProviderConfig::Linked(settings) => Some(&settings.number),
            ProviderConfig::Simulator => None,
        }
    }

    /// The secret that ends the webhook's address, where one does.
    pub fn path_secret(&self) -> Option<&SecretString> {
        match self {
            ProviderConfig::Compatible(settings) => settings.gate.path_secret(),
            ProviderConfig::Coster(settings) => settings.gate.path_secret(),
            ProviderConfig::Qontak(settings) => settings.gate.path_secret(),
            ProviderConfig::Meta(_) | ProviderConfig::Linked(_) | ProviderConfig::Simulator => None,
        }
    }
}

#[derive(Debug, Clone)]
pub struct MetaConfig {
    pub phone_number_id: String,
    pub waba_id: Option<String>,
    pub api_base: Url,
    pub api_version: String,
    /// Besides Meta's own.
    pub media_hosts: Vec<String>,
    pub access_token: SecretString,
    /// The present one, and the next or last one while it is being changed.
    pub app_secrets: Vec<SecretString>,
    pub verify_token: SecretString,
}

impl Config {
    /// Reads `path` and the secrets it names.
    ///
    /// # Errors
    /// All mistakes of the file at once, each with its line and what to do.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|why| ConfigError {
            path: path.display().to_string(),
            text: String::new(),
            mistakes: vec![Mistake {
                span: None,
                says: format!("the configuration can't be read: {why}"),
                help:
                    "name another file with --config, or write one: `switchboard serve --print-config` shows \
                       every key"
                        .to_owned(),
            }],
        })?;
        Config::parse(&text, path, &|name| std::env::var(name).ok())
    }

    /// As [`Config::load`], with the text and the environment given. Paths in it are relative to the folder of `path`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(
        text: &str,
        path: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, ConfigError> {
        resolve::resolve(text, path, env)
    }

    /// This with further numbers, of a text that has nothing else; `shown` is where people find it. Files that it names are
    /// looked for in `folder`.
    ///
    /// # Errors
    /// As [`Config::load`]; also if two numbers are one, wherever they come from.
    pub fn with_numbers(
        &self,
        text: &str,
        shown: &Path,
        folder: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, ConfigError> {
        let channels = resolve::numbers(self, text, shown, folder, env)?;
        let mut config = self.clone();
        config.channels.extend(channels);
        Ok(config)
    }
}

/// Whether a `[[channel]]` may be written so, as far as its keys and their kinds go.
pub(super) fn is_a_number(text: &str) -> bool {
    toml::from_str::<file::Channel>(text).is_ok()
}

#[cfg(test)]
mod tests;

//! From the file as written to the configuration as meant: defaults, paths, secrets, and every mistake.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use toml::Spanned;
use url::Url;

use super::agent::{AgentOf, Written};
use super::file::{
    Ai, Channel, File, Numbers, OneOrMore, Provider, Redis, Service, Source, Sureness, Token, Traces,
};
use super::{
    AiConfig, ChannelConfig, Config, ConfigError, MetaConfig, Mistake, ProviderConfig, ServiceConfig,
    StoreAddress, TokenConfig, TracesConfig, VoiceConfig,
};
use crate::server::numbers::channels::{self, Secrets};
use crate::server::numbers::sealed::SealingKeys;
use crate::server::numbers::stored::IN_STORE;
use crate::server::outbound::volume::Volume;
use crate::store::redis::link::{AddressError, Durability};
use crate::store::{NoStore, Pace, RedisPlace};

pub(super) fn resolve(
    text: &str,
    path: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, ConfigError> {
    let wrong = |mistakes| ConfigError {
        path: path.display().to_string(),
        text: text.to_owned(),
        mistakes,
    };
    let mut file: File = toml::from_str(text).map_err(|error| {
        wrong(vec![Mistake {
            span: error.span(),
            says: error.message().to_owned(),
            help: "`switchboard serve --print-config` explains every key".to_owned(),
        }])
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut reader = Reader {
        folder,
        env,
        mistakes: Vec::new(),
    };
    let (channels, agents) = (
        std::mem::take(&mut file.channels),
        std::mem::take(&mut file.agents),
    );
    let numbers = reader.numbers(channels, agents, Vec::new());
    let config = reader.config(&file, &numbers);
    match config {
        Some(config) if reader.mistakes.is_empty() => Ok(config),
        Some(_) | None => {
            let place = |mistake: &Mistake| mistake.span.as_ref().map_or(0, |span| span.start);
            reader.mistakes.sort_by_key(place);
            Err(wrong(reader.mistakes))
        }
    }
}

/// Further numbers, beside those of a configuration.
pub(super) fn numbers(
    config: &Config,
    text: &str,
    shown: &Path,
    folder: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<ChannelConfig>, ConfigError> {
    let wrong = |mistakes| ConfigError {
        path: shown.display().to_string(),
        text: text.to_owned(),
        mistakes,
    };
    let written: Numbers = toml::from_str(text).map_err(|error| {
        wrong(vec![Mistake {
            span: error.span(),
            says: error.message().to_owned(),
            help: "write [[channel]] and [[agent]] tables; `switchboard serve --print-config` explains their keys"
                .to_owned(),
        }])
    })?;
    let mut reader = Reader {
        folder,
        env,
        mistakes: Vec::new(),
    };
    let agents = config
        .channels
        .iter()
        .filter_map(|channel| channel.agent.as_ref());
    let known = agents.map(|of| of.agent.clone()).collect();
    let numbers = reader.numbers(written.channels, written.agents, known);
    let mut channels = reader.channels(&config.channels, &numbers);
    for channel in &mut channels {
        channel.stored = true;
        set_endpoint(config.public_url.as_ref(), channel);
    }
    if reader.mistakes.is_empty() {
        Ok(channels)
    } else {
        Err(wrong(reader.mistakes))
    }
}

pub(super) struct Reader<'a> {
    folder: &'a Path,
    env: &'a dyn Fn(&str) -> Option<String>,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    pub(super) fn wrong(&mut self, span: Range<usize>, says: impl Into<String>, help: impl Into<String>) {
        self.mistakes.push(Mistake {
            // A default has no place in the file.
            span: (!span.is_empty()).then_some(span),
            says: says.into(),
            help: help.into(),
        });
    }

    fn path(&self, written: &str) -> PathBuf {
        self.folder.join(written)
    }

    fn config(&mut self, file: &File, numbers: &[Written]) -> Option<Config> {
        let store = self.store(&file.store, &file.redis);
        let bind = self.listen(&file.bind, "127.0.0.1:8080");
        let metrics = file
            .metrics
            .as_ref()
            .map(|metrics| self.listen(&metrics.bind, "127.0.0.1:9464"));
        let traces = file.traces.as_ref().map(|traces| self.traces(traces));
        let public_url = file.public_url.as_ref().and_then(|url| self.url(url));
        let admin_token = file
            .admin_token
            .as_ref()
            .and_then(|source| self.secret_of(source, "admin_token"));
        let store_key = file.store_key.as_ref().and_then(|source| self.store_key(source));
        let tokens = file.tokens.iter().filter_map(|token| self.token(token)).collect();
        let mut secrets = BTreeMap::new();
        for (name, source) in &file.secrets {
            if let Some(secret) = self.secret_of(source, &format!("the secret {name}")) {
                secrets.insert(name.clone(), secret);
            }
        }
        let mut services = BTreeMap::new();
        for (name, service) in &file.services {
            services.insert(name.clone(), self.service(service));
        }
        let voice = file.voice.as_ref().map(|voice| VoiceConfig {
            model: self.path(&voice.model),
            threads: voice.threads,
            parallel: voice.parallel.max(1),
            language: (voice.language != "auto").then(|| voice.language.clone()),
            longest: Duration::from_secs(u64::from(voice.max_minutes) * 60),
        });
        let ai = file.ai.as_ref().and_then(|ai| self.ai(ai));
        let mut channels = self.channels(&[], numbers);
        for channel in &mut channels {
            set_endpoint(public_url.as_ref(), channel);
        }
        Some(Config {
            flows: self.path(&file.flows),
            store: store?,
            bind: bind?,
            public_url,
            admin_token,
            store_key,
            tokens,
            log: file.log.clone(),
            limits: file.limits.clone(),
            retention: file.retention.resolved(),
            metrics: metrics.flatten(),
            traces,
            voice,
            ai,
            secrets,
            services,
            channels,
        })
    }

    fn store(&mut self, written: &Spanned<String>, redis: &Redis) -> Option<StoreAddress> {
        match StoreAddress::parse(written.get_ref(), self.folder) {
            Ok(StoreAddress::Redis(place)) => self.redis(*place, redis),
            Ok(address @ StoreAddress::Sqlite(_)) => Some(address),
            Err(NoStore::Redis(why)) => {
                // Its line would be drawn, and a password in it.
                self.address_is_wrong(0..0, why)
            }
            Err(NoStore::Neither(_)) => {
                let says = format!("{:?} is not a store", written.get_ref());
                self.wrong(
                    written.span(),
                    says,
                    "write \"sqlite:\" and the path of a file, such as \"sqlite:switchboard.db\", or the address of a \
                     Redis, such as \"redis://127.0.0.1:6379\"",
                );
                None
            }
        }
    }

    fn traces(&mut self, written: &Spanned<Traces>) -> TracesConfig {
        if !cfg!(feature = "otlp") {
            let says = "this build can't send traces";
            let help = "build with `--features otlp`, or remove the [traces] table";
            self.wrong(written.span(), says, help);
        }
        let endpoint = written.get_ref().endpoint.as_ref();
        TracesConfig {
            endpoint: endpoint.and_then(|url| self.url(url)),
        }
    }

    /// An address with what the table says of it.
    fn redis(&mut self, place: RedisPlace, redis: &Redis) -> Option<StoreAddress> {
        let RedisPlace {
            mut address,
            mut settings,
        } = place;
        if let Some(ca) = &redis.ca {
            address = match address.with_ca(self.path(ca.get_ref())) {
                Ok(address) => address,
                Err(why) => return self.address_is_wrong(ca.span(), why),
            };
        }
        if let Some(source) = &redis.password {
            let password = self.secret_of(source, "the password of Redis")?;
            address = match address.with_password(password) {
                Ok(address) => address,
                Err(why) => return self.address_is_wrong(source.span(), why),
            };
        }
        if let Some(source) = &redis.sentinel_password {
            let password = self.secret_of(source, "the password of the sentinels")?;
            address = match address.with_sentinel_password(password) {
                Ok(address) => address,
                Err(why) => return self.address_is_wrong(source.span(), why),
            };
        }
        let prefix = redis.prefix.get_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if prefix.is_empty() || prefix.len() > 32 || !prefix.chars().all(plain) {
            let says = format!("{prefix:?} can't stand before the keys");
            self.wrong(
                redis.prefix.span(),
                says,
                "use up to 32 letters a-z, digits, - and _",
            );
            return None;
        }
        settings.prefix.clone_from(prefix);
        settings.link.replica = Duration::from_millis(redis.replica_ms);
        settings.link.durability = match redis.durability {
            Sureness::Local => Durability::Local,
            Sureness::Replica => Durability::Replica,
        };
        Some(StoreAddress::Redis(Box::new(RedisPlace { address, settings })))
    }

    fn address_is_wrong<T>(&mut self, span: Range<usize>, why: AddressError) -> Option<T> {
        self.wrong(span, why.says, why.next);
        None
    }

    fn listen(&mut self, written: &Spanned<String>, example: &str) -> Option<SocketAddr> {
        let address = written.get_ref().parse().ok();
        if address.is_none() {
            let says = format!("{:?} is not an address to listen on", written.get_ref());
            let help = format!("write address and port, such as {example:?}");
            self.wrong(written.span(), says, help);
        }
        address
    }

    pub(super) fn url(&mut self, written: &Spanned<String>) -> Option<Url> {
        match Url::parse(written.get_ref()) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(url),
            Ok(_) | Err(_) => {
                let says = format!("{:?} is not a web address", written.get_ref());
                self.wrong(
                    written.span(),
                    says,
                    "write it whole, such as \"https://bot.example.com\"",
                );
                None
            }
        }
    }

    fn ai(&mut self, ai: &Ai) -> Option<AiConfig> {
        let url = self.url(&ai.url)?;
        let key = match &ai.key {
            Some(source) => Some(self.secret_of(source, "the key of the model")?),
            None => None,
        };
        Some(AiConfig {
            url,
            model: ai.model.clone(),
            key,
            timeout: Duration::from_secs(u64::from(ai.timeout_seconds.clamp(1, 60))),
            tokens: (ai.tokens_per_customer > 0).then_some(ai.tokens_per_customer),
        })
    }

    fn service(&mut self, service: &Service) -> ServiceConfig {
        ServiceConfig {
            url: service.url.as_ref().and_then(|url| self.url(url)),
            allow: service.allow.clone(),
        }
    }

    /// `known` are numbers from elsewhere.
    fn channels(&mut self, known: &[ChannelConfig], written: &[Written]) -> Vec<ChannelConfig> {
        let mut channels: Vec<ChannelConfig> = Vec::new();
        for (channel, agent) in written {
            let id = &channel.get_ref().id;
            if channels.iter().any(|other| other.id == *id.get_ref()) {
                let says = format!("two channels have the id {:?}", id.get_ref());
                self.wrong(id.span(), says, "give each channel an id of its own");
            }
            if known.iter().any(|other| other.id == *id.get_ref()) {
                let says = format!("the configuration has the channel {:?}, too", id.get_ref());
                let help = "let it stand in the configuration or in the store, not in both";
                self.wrong(id.span(), says, help);
            }
            let span = channel.span();
            let Some(channel) = self.channel(channel, agent.as_ref()) else {
                continue;
            };
            let same = |other: &&ChannelConfig| {
                let (one, other) = (&channel.provider, &other.provider);
                one.name() == other.name() && one.account().is_some() && one.account() == other.account()
            };
            let both = |other: &&ChannelConfig| {
                let digits = digits(&channel);
                digits.is_some() && digits == self::digits(other)
            };
            if let Some(other) = known.iter().chain(&channels).find(same) {
                let says = format!(
                    "the channels {} and {} are the same number: {} knows both as {}",
                    other.id,
                    channel.id,
                    channel.provider.name(),
                    channel.provider.account().unwrap_or_default(),
                );
                self.wrong(span, says, "remove one of them, or correct its id");
            } else if let Some(other) = known.iter().chain(&channels).find(both) {
                let says = format!(
                    "the channels {} and {} are the same number: both are {}",
                    other.id, channel.id, channel.number
                );
                let help =
                    "a number is with one provider at a time; remove one of them, or correct its number";
                self.wrong(span, says, help);
            }
            channels.push(channel);
        }
        channels
    }

    fn channel(&mut self, written: &Spanned<Channel>, agent: Option<&AgentOf>) -> Option<ChannelConfig> {
        let (channel, span) = (written.get_ref(), written.span());
        let id = channel.id.get_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if id.is_empty() || id.len() > 64 || !id.chars().all(plain) {
            let says = format!("{id:?} can't be a channel's id");
            self.wrong(
                channel.id.span(),
                says,
                "use up to 64 letters a-z, digits, - and _: it is a part of the webhook's address",
            );
            return None;
        }
        let provider = match channel.provider {
            Provider::Simulator => Some(ProviderConfig::Simulator),
            Provider::Meta => self.meta(channel, span).map(Box::new).map(ProviderConfig::Meta),
            Provider::Compatible => self
                .compatible(channel, span)
                .map(Box::new)
                .map(ProviderConfig::Compatible),
            Provider::Coster => self
                .coster(channel, span)
                .map(Box::new)
                .map(ProviderConfig::Coster),
            Provider::Qontak => self
                .qontak(channel, span)
                .map(Box::new)
                .map(ProviderConfig::Qontak),
            Provider::Linked => self
                .linked(channel, span)
                .map(Box::new)
                .map(ProviderConfig::Linked),
        };
        self.tables_fit(channel);
        Some(ChannelConfig {
            id: id.clone(),
            number: channel.number.clone(),
            autopilot: channel.autopilot,
            launch: channel.launch,
            burst_quiet: channel.burst_quiet_ms.map(Duration::from_millis),
            per_second: channel.messages_per_second.unwrap_or(pace_of(channel.provider)),
            pace: pair_of(channel),
            volume: Volume {
                per_day: channel.unasked_per_day,
                per_customer: channel.unasked_per_customer,
            },
            shortcuts: channel
                .shortcuts
                .then(|| Duration::from_mins(u64::from(channel.shortcut_pause_minutes))),
            assist: channel.assist,
            read_receipts: channel.read_receipts,
            session: channel.session.clone(),
            agent: agent.cloned(),
            stored: false,
            provider: provider?,
        })
    }

    /// A table for another provider would be ignored, which nobody who writes one expects.
    fn tables_fit(&mut self, channel: &Channel) {
        let tables = [
            (
                "compatible",
                channel.compatible.as_ref().map(Spanned::span),
                Provider::Compatible,
            ),
            (
                "coster",
                channel.coster.as_ref().map(Spanned::span),
                Provider::Coster,
            ),
            (
                "qontak",
                channel.qontak.as_ref().map(Spanned::span),
                Provider::Qontak,
            ),
            (
                "linked",
                channel.linked.as_ref().map(Spanned::span),
                Provider::Linked,
            ),
        ];
        for (name, span, provider) in tables {
            if let Some(span) = span.filter(|_| channel.provider != provider) {
                let says = format!("[channel.{name}] stands at a channel with another provider");
                self.wrong(
                    span,
                    says,
                    format!("write provider = {name:?}, or remove the table"),
                );
            }
        }
    }

    /// What webhooks name the number by.
    pub(super) fn phone_number_id(&mut self, channel: &Channel, span: &Range<usize>) -> Option<String> {
        if channel.phone_number_id.is_none() {
            self.wrong(
                span.clone(),
                format!("the channel {} has no phone_number_id", channel.id.get_ref()),
                "copy the \"Phone number ID\" (not the number) from WhatsApp > API Setup of your app at Meta",
            );
        }
        channel.phone_number_id.clone()
    }

    /// What a provider's table must hold. `table` says in which one it stands and who gives it.
    pub(super) fn needed(
        &mut self,
        written: Option<&Spanned<String>>,
        key: &str,
        channel: &str,
        span: &Range<usize>,
        table: &str,
    ) -> Option<String> {
        let found = written.filter(|written| !written.get_ref().trim().is_empty());
        if found.is_none() {
            let span = written.map_or_else(|| span.clone(), Spanned::span);
            let says = format!("the channel {channel} has no {key}");
            self.wrong(span, says, format!("write {key} = \"…\" in {table}"));
        }
        found.map(|written| written.get_ref().trim().to_owned())
    }

    /// What both sides know of the webhook. In its address it must be long, and spelled as an address can be.
    pub(super) fn webhook_secrets(
        &mut self,
        channel: &Channel,
        span: &Range<usize>,
        in_path: bool,
    ) -> Vec<SecretString> {
        let given = (&channel.webhook_secret_env, &channel.webhook_secret_file);
        let secrets = self.secrets(given, "webhook_secret", channel.id.get_ref(), span);
        let fits = |secret: &SecretString| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
            let secret = secret.expose_secret();
            secret.len() >= 16 && secret.chars().all(plain)
        };
        if in_path && !secrets.iter().all(fits) {
            self.wrong(
                span.clone(),
                format!(
                    "the webhook_secret of {} can't end an address",
                    channel.id.get_ref()
                ),
                "take at least 16 letters, digits, - and _, such as `openssl rand -hex 32` gives",
            );
        }
        secrets
    }

    fn meta(&mut self, channel: &Channel, span: Range<usize>) -> Option<MetaConfig> {
        let id = channel.id.get_ref();
        let phone_number_id = self.phone_number_id(channel, &span);
        let api_base = self.url(&channel.api_base);
        let token = (&channel.access_token_env, &channel.access_token_file);
        let access_token = self.secret(token, "access_token", id, &span);
        let verify = (&channel.verify_token_env, &channel.verify_token_file);
        let verify_token = self.secret(verify, "verify_token", id, &span);
        let app_secrets = self.app_secrets(channel, &span);
        Some(MetaConfig {
            phone_number_id: phone_number_id?,
            waba_id: channel.waba_id.clone(),
            api_base: api_base?,
            api_version: channel.api_version.clone(),
            media_hosts: channel.media_hosts.clone(),
            access_token: access_token?,
            app_secrets,
            verify_token: verify_token?,
        })
    }

    pub(super) fn app_secrets(&mut self, channel: &Channel, span: &Range<usize>) -> Vec<SecretString> {
        let given = (&channel.app_secret_env, &channel.app_secret_file);
        self.secrets(given, "app_secret", channel.id.get_ref(), span)
    }

    /// All secrets of a key that takes several while one is being changed.
    fn secrets(
        &mut self,
        (env, file): (&Option<Spanned<OneOrMore>>, &Option<Spanned<OneOrMore>>),
        key: &str,
        channel: &str,
        span: &Range<usize>,
    ) -> Vec<SecretString> {
        let names = |written: &Option<Spanned<OneOrMore>>| -> Vec<Spanned<String>> {
            let Some(written) = written else {
                return Vec::new();
            };
            let spanned = |name: &String| Spanned::new(written.span(), name.clone());
            written.get_ref().names().iter().map(spanned).collect()
        };
        let (envs, files) = (names(env), names(file));
        if envs.is_empty() && files.is_empty() {
            self.missing(key, channel, span);
        }
        let mut secrets: Vec<SecretString> = envs.iter().filter_map(|name| self.read_env(name)).collect();
        secrets.extend(files.iter().filter_map(|path| self.read_file(path)));
        secrets
    }

    fn missing(&mut self, key: &str, channel: &str, span: &Range<usize>) {
        self.wrong(
            span.clone(),
            format!("the channel {channel} has no {key}"),
            format!("write {key}_env = \"NAME\" for an environment variable, or {key}_file = \"PATH\""),
        );
    }

    pub(super) fn secret(
        &mut self,
        (env, file): (&Option<Spanned<String>>, &Option<Spanned<String>>),
        key: &str,
        channel: &str,
        span: &Range<usize>,
    ) -> Option<SecretString> {
        match (env, file) {
            (Some(name), None) => self.read_env(name),
            (None, Some(path)) => self.read_file(path),
            (Some(_), Some(path)) => {
                self.wrong(
                    path.span(),
                    format!("{key} is given twice"),
                    "keep either the variable or the file",
                );
                None
            }
            (None, None) => {
                self.missing(key, channel, span);
                None
            }
        }
    }

    fn token(&mut self, written: &Spanned<Token>) -> Option<TokenConfig> {
        let token = written.get_ref();
        if token.name.trim().is_empty() || token.may.is_empty() {
            self.wrong(
                written.span(),
                "a token needs a name and something that it may do",
                "write name = \"shop\" and may = [\"notify\"]",
            );
            return None;
        }
        let source = Source {
            env: token.env.clone(),
            file: token.file.clone(),
        };
        let secret = self.secret_of(
            &Spanned::new(written.span(), source),
            &format!("the token {}", token.name),
        )?;
        Some(TokenConfig {
            name: token.name.clone(),
            may: token.may.clone(),
            secret,
        })
    }

    fn secret_of(&mut self, source: &Spanned<Source>, what: &str) -> Option<SecretString> {
        let spanned = |name: &String| Spanned::new(source.span(), name.clone());
        match (&source.get_ref().env, &source.get_ref().file) {
            (Some(name), None) => self.read_env(&spanned(name)),
            (None, Some(path)) => self.read_file(&spanned(path)),
            (Some(_), Some(_)) | (None, None) => {
                self.wrong(
                    source.span(),
                    format!("{what} needs one place to be read from"),
                    "write { env = \"NAME\" } or { file = \"PATH\" }",
                );
                None
            }
        }
    }

    fn store_key(&mut self, source: &Spanned<Source>) -> Option<SealingKeys> {
        let written = self.secret_of(source, "store_key")?;
        match SealingKeys::parse(&written) {
            Ok(keys) => Some(keys),
            Err(why) => {
                let help = "put 64 hexadecimal digits there, as `openssl rand -hex 32` gives";
                self.wrong(source.span(), why.to_string(), help);
                None
            }
        }
    }

    fn read_env(&mut self, name: &Spanned<String>) -> Option<SecretString> {
        if let Some(secret) = name.get_ref().strip_prefix(IN_STORE)
            && (self.env)(name.get_ref()).is_none()
        {
            let help = format!(
                "put it there with `switchboard channel secret {secret}`; only numbers that the store holds can name it"
            );
            self.wrong(name.span(), format!("the store holds no secret {secret}"), help);
            return None;
        }
        match (self.env)(name.get_ref()).filter(|value| !value.trim().is_empty()) {
            Some(value) => Some(SecretString::from(value.trim().to_owned())),
            None => {
                let says = format!("the environment variable {} is not set", name.get_ref());
                self.wrong(
                    name.span(),
                    says,
                    "set it before starting, or name a file instead",
                );
                None
            }
        }
    }

    fn read_file(&mut self, path: &Spanned<String>) -> Option<SecretString> {
        let found = self.path(path.get_ref());
        match std::fs::read_to_string(&found) {
            Ok(value) if !value.trim().is_empty() => Some(SecretString::from(value.trim().to_owned())),
            Ok(_) => {
                let says = format!("the file {} is empty", found.display());
                self.wrong(path.span(), says, "put the secret in it, alone");
                None
            }
            Err(why) => {
                let says = format!("the file {} can't be read: {why}", found.display());
                self.wrong(
                    path.span(),
                    says,
                    "put the secret in it, readable for this user only",
                );
                None
            }
        }
    }
}

/// The number as people write it, if it is one that a provider has.
fn digits(channel: &ChannelConfig) -> Option<String> {
    if matches!(channel.provider, ProviderConfig::Simulator) {
        return None;
    }
    let digits: String = channel.number.chars().filter(char::is_ascii_digit).collect();
    // Less is an extension, or a word with a number in it.
    (digits.len() >= 7).then_some(digits)
}

/// Messages a second where nothing is written: what Meta allows a number that was not raised, and less where nobody knows.
fn pace_of(provider: Provider) -> u32 {
    match provider {
        Provider::Meta | Provider::Compatible | Provider::Simulator => 80,
        Provider::Coster | Provider::Qontak => 5,
        // [channel.linked] says how many a minute.
        Provider::Linked => 0,
    }
}

/// How fast one customer may be written to. Where nothing is written, what Meta allows a pair: one message each 6 seconds,
/// and bursts of 45 that are waited for afterwards. A linked device is held to the pace of a person.
fn pair_of(channel: &Channel) -> Option<Pace> {
    let (every, burst) = match channel.provider {
        Provider::Linked => (3_000, 5),
        Provider::Meta | Provider::Compatible | Provider::Coster | Provider::Qontak | Provider::Simulator => {
            (6_000, 45)
        }
    };
    let every = channel.pair_every_ms.unwrap_or(every);
    (every > 0).then(|| Pace {
        every: Duration::from_millis(every),
        burst: channel.pair_burst.unwrap_or(burst),
    })
}

/// Some providers are told by us where webhooks go.
fn set_endpoint(public_url: Option<&Url>, channel: &mut ChannelConfig) {
    let address = public_url.and_then(|url| channels::webhook(Some(url), channel, Secrets::Shown));
    match &mut channel.provider {
        ProviderConfig::Qontak(settings) => settings.endpoint = address.map(SecretString::from),
        ProviderConfig::Linked(settings) => settings.endpoint = address,
        ProviderConfig::Meta(_)
        | ProviderConfig::Compatible(_)
        | ProviderConfig::Coster(_)
        | ProviderConfig::Simulator => {}
    }
}

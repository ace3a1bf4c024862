//! The numbers as the configuration names them: what to hand to the provider, how they are, and what to do about one that
//! is not well. For `switchboard channel` and `switchboard doctor`.

use secrecy::ExposeSecret;
use serde::Serialize;
use url::Url;

use super::door::{Door, DoorError};
use super::link;
use crate::channel::linked::{Link, LinkState, LinkedDevice};
use crate::channel::template::{NotListed, Template};
use crate::channel::{HealthCheck, HealthState, NotRegistered};
use crate::server::config::{ChannelConfig, Config, ProviderConfig, Runs};
use crate::server::numbers;
use crate::server::watch::doctor::{Check, Level};

/// The group of these checks in a report.
pub(in crate::server) const GROUP: &str = "numbers";

/// Whether secrets are spelled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    Shown,
    Hidden,
}

/// One number, as an operator asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    pub id: String,
    pub provider: &'static str,
    /// For people; empty if none is written.
    pub number: String,
    /// What the provider knows the number by.
    pub account: Option<String>,
    pub autopilot: bool,
    /// Whose number it is, and which; `None`: it stands alone.
    pub agent: Option<String>,
    /// The store holds it, not the configuration.
    pub stored: bool,
    /// The flows that answer there.
    pub flows: &'static str,
    /// The address to hand to the provider; `None` for a simulated number. Without `public_url` only its path.
    pub webhook: Option<String>,
    /// How the link of a linked number is, once it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// All numbers, in the order of the configuration.
pub fn list(config: &Config, secrets: Secrets) -> Vec<Listed> {
    let listed = |channel: &ChannelConfig| Listed {
        id: channel.id.clone(),
        provider: channel.provider.name(),
        number: channel.number.clone(),
        account: channel.provider.account().map(str::to_owned),
        autopilot: channel.autopilot,
        agent: channel
            .agent
            .as_ref()
            .map(|of| format!("{}, {}", of.agent, of.side.name())),
        stored: channel.stored,
        flows: match channel.runs() {
            Runs::Folder => "the folder",
            Runs::Published => "published",
        },
        webhook: webhook(config.public_url.as_ref(), channel, secrets),
        link: None,
    };
    config.channels.iter().map(listed).collect()
}

/// Whether it is a phone that is linked, with no provider.
pub fn is_linked(channel: &ChannelConfig) -> bool {
    matches!(channel.provider, ProviderConfig::Linked(_))
}

/// Asks how the links of linked numbers are.
pub async fn see_links(config: &Config, listed: &mut [Listed]) {
    for (channel, listed) in config.channels.iter().zip(listed) {
        let ProviderConfig::Linked(settings) = &channel.provider else {
            continue;
        };
        let link = match LinkedDevice::new((**settings).clone()) {
            Ok(device) => device.session().look().await,
            Err(why) => Link::bare(LinkState::Unreachable, why.to_string()),
        };
        let says = link.held(&settings.number).unwrap_or_else(|| link.in_words());
        let generation = link.generation.map(|count| format!(", link number {count}"));
        let since = link.since.map(|since| format!(", since {since}"));
        let next = link.state.next_step(&channel.id).map(|next| format!("; {next}"));
        let parts = [since, generation, next]
            .into_iter()
            .flatten()
            .collect::<String>();
        listed.link = Some(format!("{says}{parts}"));
    }
}

/// The address that the provider must be given.
pub(in crate::server) fn webhook(
    public_url: Option<&Url>,
    channel: &ChannelConfig,
    secrets: Secrets,
) -> Option<String> {
    if matches!(channel.provider, ProviderConfig::Simulator) {
        return None;
    }
    let base = public_url.map_or("", |url| url.as_str().trim_end_matches('/'));
    let address = format!("{base}/webhook/{}", channel.id);
    Some(match (channel.provider.path_secret(), secrets) {
        (None, _) => address,
        (Some(secret), Secrets::Shown) => format!("{address}/{}", secret.expose_secret()),
        (Some(_), Secrets::Hidden) => format!("{address}/…"),
    })
}

/// How a number is, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ready,
    /// It sends, and something about it should be looked at.
    LookAtIt,
    TokenRefused,
    NotRegistered,
    Unreachable,
    NoWebhook,
    /// No phone is linked, or the link is not up.
    NotLinked,
    Broken,
}

impl State {
    fn of(checks: &[HealthCheck]) -> State {
        let first = |state| checks.iter().find(|check| check.state == state);
        match (first(HealthState::Broken), first(HealthState::Doubtful)) {
            (Some(check), _) => match check.name {
                "token" => State::TokenRefused,
                "number" => State::NotRegistered,
                "reach" => State::Unreachable,
                name if LinkState::named(name).is_some() => State::NotLinked,
                _ => State::Broken,
            },
            (None, Some(check)) if check.name == "webhook" => State::NoWebhook,
            (None, Some(check)) if LinkState::named(check.name).is_some() => State::NotLinked,
            (None, Some(_)) => State::LookAtIt,
            (None, None) => State::Ready,
        }
    }

    pub fn in_words(self) -> &'static str {
        match self {
            State::Ready => "ready",
            State::LookAtIt => "it can send, and something should be looked at",
            State::TokenRefused => "the provider refuses the access token",
            State::NotRegistered => "the provider does not let this number send",
            State::Unreachable => "the provider can't be reached, or refuses every call",
            State::NoWebhook => "it can send, and nobody has told the provider where webhooks go",
            State::NotLinked => "the phone is not linked, or the link is not up: nothing leaves",
            State::Broken => "it can't be used as it is",
        }
    }

    /// Whether nothing can be sent until somebody does something.
    pub fn must_be_mended(self) -> bool {
        !matches!(self, State::Ready | State::LookAtIt | State::NoWebhook)
    }
}

/// A number after its provider was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    pub id: String,
    pub provider: &'static str,
    pub state: State,
    pub checks: Vec<Check>,
}

/// Asks the provider how this number is. Sends nothing to any customer.
pub async fn verify(config: &Config, channel: &ChannelConfig) -> Verified {
    let verified = |state, checks| Verified {
        id: channel.id.clone(),
        provider: channel.provider.name(),
        state,
        checks,
    };
    let check = |name: String, level, says: String, next| Check {
        group: GROUP,
        name,
        level,
        says,
        next,
    };
    let adapter = match numbers::provider(&channel.provider) {
        Ok(Some((adapter, _))) => adapter,
        Ok(None) => {
            let says = "is simulated; no provider is involved".to_owned();
            let fine = check(channel.id.clone(), Level::Good, says, None);
            return verified(State::Ready, vec![fine]);
        }
        Err(why) => {
            let next = "TLS can't be started on this machine".to_owned();
            let broken = check(channel.id.clone(), Level::Bad, why.to_string(), Some(next));
            return verified(State::Broken, vec![broken]);
        }
    };
    let health = adapter.health().await;
    let address = webhook(config.public_url.as_ref(), channel, Secrets::Hidden).unwrap_or_default();
    let checks = health
        .checks
        .iter()
        .map(|found| {
            check(
                format!("{} {}", channel.id, found.name),
                level_of(found.state),
                found.says.clone(),
                next_step(found, channel, &address),
            )
        })
        .collect();
    verified(State::of(&health.checks), checks)
}

/// A linked number on which somebody has paused sending: its link is well, and still nothing leaves.
///
/// # Errors
/// If the store can't be asked.
pub async fn paused(door: &Door, channel: &ChannelConfig) -> Result<Option<Check>, DoorError> {
    if !matches!(channel.provider, ProviderConfig::Linked(_)) {
        return Ok(None);
    }
    let pause = link::paused_at(door, &channel.id).await?;
    Ok(pause.map(|pause| Check {
        group: GROUP,
        name: format!("{} sending", channel.id),
        level: Level::Doubtful,
        says: format!(
            "{} has paused it ({}); what is to leave is kept",
            pause.by, pause.why
        ),
        next: Some(format!("run `switchboard channel resume {}`", channel.id)),
    }))
}

/// Asks the provider for the templates of this number.
///
/// # Errors
/// If it has no list, or does not give it.
pub async fn templates(channel: &ChannelConfig) -> Result<Vec<Template>, NotListed> {
    match numbers::provider(&channel.provider) {
        Ok(Some((adapter, _))) => adapter.templates().await,
        Ok(None) => Err(NotListed::NoList(
            "the number is simulated: there are the templates of the business file, and nobody approves them",
        )),
        Err(why) => Err(NotListed::Unreachable(format!("TLS can't be started: {why}"))),
    }
}

/// Tells the provider where webhooks of this number go.
///
/// # Errors
/// If the provider does not take it, or has no way to be told; in words, with what to do.
pub async fn register(config: &Config, channel: &ChannelConfig) -> Result<String, Unregistered> {
    let by_hand = |why: String, next: String| Unregistered::Here(format!("{why}; {next}"));
    let address = webhook(config.public_url.as_ref(), channel, Secrets::Hidden);
    let Some(address) = address else {
        let why = format!("{} is simulated", channel.id);
        return Err(by_hand(why, "there is nobody to tell".to_owned()));
    };
    let adapter = match numbers::provider(&channel.provider) {
        Ok(Some((adapter, _))) => adapter,
        Ok(None) => return Err(Unregistered::Here(format!("{} has no provider", channel.id))),
        Err(why) => return Err(Unregistered::Here(format!("TLS can't be started: {why}"))),
    };
    match adapter.register().await {
        Ok(()) => Ok(format!("webhooks go to {address} from now on")),
        Err(why @ NotRegistered::ByHand) => Err(by_hand(
            why.to_string(),
            format!("enter {address} there (`switchboard channel list --show-secret` spells it out)"),
        )),
        Err(why @ NotRegistered::NoAddress) => Err(by_hand(
            why.to_string(),
            "write public_url = \"https://…\"".to_owned(),
        )),
        Err(why @ (NotRegistered::Unauthorised(_) | NotRegistered::Refused(_))) => {
            Err(Unregistered::There(format!(
                "{why}. The server must run and be reached at {address} while this is done: the provider checks it"
            )))
        }
        Err(why @ NotRegistered::Unreachable(_)) => Err(Unregistered::There(why.to_string())),
    }
}

/// Why a provider was not told where webhooks go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unregistered {
    /// Something of this side must change, or be done by hand.
    #[error("{0}")]
    Here(String),
    /// The other side does not take it.
    #[error("{0}")]
    There(String),
}

fn level_of(state: HealthState) -> Level {
    match state {
        HealthState::Fine => Level::Good,
        HealthState::Doubtful => Level::Doubtful,
        HealthState::Broken => Level::Bad,
    }
}

/// What to do about a check, by its name: the same for every provider, but for where things stand.
fn next_step(check: &HealthCheck, channel: &ChannelConfig, address: &str) -> Option<String> {
    if check.state == HealthState::Fine {
        return None;
    }
    let (provider, id) = (&channel.provider, &channel.id);
    if let Some(step) = LinkState::named(check.name).and_then(|state| state.next_step(id)) {
        return Some(step);
    }
    let linked = matches!(provider, ProviderConfig::Linked(_));
    let qontak = matches!(provider, ProviderConfig::Qontak(_));
    let step = match check.name {
        "token" if linked => {
            "put the key of the server that holds the link where access_token_env or access_token_file points, and restart"
                .to_owned()
        }
        "number" if linked => format!(
            "unlink the wrong phone with `switchboard channel reset {id}` and scan with the right one, or correct phone in \
             [channel.linked]"
        ),
        "address" if linked => "write public_url, and run it again".to_owned(),
        "webhook" if linked => format!(
            "run `switchboard channel register {id}`, which has the session send them to {address}; if its server sends the \
             webhooks of all sessions to one address, see that it is this one"
        ),
        "token" if qontak => {
            "set a new token, or check username, password and client in [channel.qontak], and restart".to_owned()
        }
        "number" if qontak => {
            "correct channel_integration_id in [channel.qontak], or switch the channel on at Qontak".to_owned()
        }
        "address" if qontak => "write public_url, and run it again".to_owned(),
        "webhook" if qontak => format!(
            "run `switchboard channel register` with this channel's id: it makes {address} the endpoint of the whole \
             organisation"
        ),
        "token" => {
            "make a new token at the provider, put it where access_token_env or access_token_file points, and restart"
                .to_owned()
        }
        "number" => {
            "register the number at the provider, or correct phone_number_id; until then nothing leaves".to_owned()
        }
        "reach" => match provider {
            ProviderConfig::Coster(_) => {
                "check host in [channel.coster] and this machine's network, then run it again".to_owned()
            }
            ProviderConfig::Meta(_)
            | ProviderConfig::Compatible(_)
            | ProviderConfig::Qontak(_)
            | ProviderConfig::Linked(_)
            | ProviderConfig::Simulator => {
                "check api_base and this machine's network, then run it again".to_owned()
            }
        },
        "webhook" | "address" if provider.path_secret().is_some() => format!(
            "give the provider the address {address} (`switchboard channel list --show-secret` spells it out)"
        ),
        "webhook" | "address" => format!("give the provider the address {address}"),
        "templates" => "set push_token_env or push_token_file in [channel.coster]".to_owned(),
        "experimental" => "send a message of each kind to yourself before you switch it on".to_owned(),
        "quality" => "look at the number in Meta's manager".to_owned(),
        _ => match check.state {
            HealthState::Fine => return None,
            HealthState::Doubtful => "look at the number at the provider".to_owned(),
            HealthState::Broken => "nothing leaves this number until that is mended".to_owned(),
        },
    };
    Some(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &'static str, state: HealthState) -> HealthCheck {
        HealthCheck {
            name,
            state,
            says: "…".to_owned(),
        }
    }

    #[test]
    fn the_first_thing_that_is_broken_names_the_state() {
        use HealthState::{Broken, Doubtful, Fine};
        for (checks, state) in [
            (vec![check("token", Fine)], State::Ready),
            (
                vec![check("token", Fine), check("quality", Doubtful)],
                State::LookAtIt,
            ),
            (
                vec![check("webhook", Doubtful), check("token", Broken)],
                State::TokenRefused,
            ),
            (vec![check("number", Broken)], State::NotRegistered),
            (vec![check("reach", Broken)], State::Unreachable),
            (vec![check("webhook", Doubtful)], State::NoWebhook),
            (vec![check("replaced", Broken)], State::NotLinked),
            (vec![check("else", Broken)], State::Broken),
        ] {
            assert_eq!(State::of(&checks), state, "{checks:?}");
            assert_eq!(
                state.must_be_mended(),
                checks.iter().any(|one| one.state == Broken)
            );
        }
    }

    fn channels(provider: &str) -> ChannelConfig {
        let text = format!("[[channel]]\nid = \"main\"\n{provider}\n");
        let config = Config::parse(&text, std::path::Path::new("x.toml"), &|_| {
            Some("secret".to_owned())
        });
        config.expect("valid").channels.remove(0)
    }

    #[test]
    fn whatever_is_not_well_has_a_next_step() {
        let simulator = channels("provider = \"simulator\"");
        let linked = channels(
            "provider = \"linked\"\napi_base = \"http://127.0.0.1:1\"\naccess_token_env = \"K\"\n\
             webhook_secret_env = \"S\"\nlinked = { phone = \"+62 811 0000 0011\" }",
        );
        for name in [
            "token", "number", "reach", "webhook", "address", "unlinked", "replaced", "banned",
        ] {
            let step = next_step(&check(name, HealthState::Broken), &linked, "/webhook/main");
            assert!(step.is_some_and(|step| !step.is_empty()), "{name}");
        }
        let replaced = next_step(&check("replaced", HealthState::Broken), &linked, "").unwrap();
        assert!(replaced.contains("switchboard channel pair main"), "{replaced}");
        let names = [
            "token",
            "number",
            "reach",
            "webhook",
            "address",
            "templates",
            "experimental",
            "quality",
            "else",
        ];
        for name in names {
            for state in [HealthState::Doubtful, HealthState::Broken] {
                let step = next_step(&check(name, state), &simulator, "/webhook/main");
                assert!(step.is_some_and(|step| !step.is_empty()), "{name}");
            }
            let fine = check(name, HealthState::Fine);
            assert_eq!(next_step(&fine, &simulator, ""), None);
        }
    }
}

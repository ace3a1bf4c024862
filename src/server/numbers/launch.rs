//! What has to be so before flows answer on a number that real people write to: a checklist, and somebody's name under
//! what WhatsApp and the law ask for. Autopilot's first switch-on waits for it; until then people answer, and everything
//! is kept. Once a number is launched it stays so: Autopilot is switched off and on again as one likes.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::channels::{self, State};
use super::door::{Door, DoorError};
use crate::engine::Machine;
use crate::flow::program::Program;
use crate::server::config::{ChannelConfig, Config, ProviderConfig};
use crate::server::flows;
use crate::server::flows::rehearsed::{Rehearsed, rehearse};
use crate::store::{Store, StoreError};

/// Rises when [`TERMS`] change: then they are to be accepted anew before the next number is launched.
pub const VERSION: u32 = 1;

/// What is accepted.
pub const TERMS: &str = "\
1. Customers whom this number writes to on its own account have agreed to that, and the business can show it.
2. The business keeps to WhatsApp's Business Messaging Policy and to the law where its customers live.
3. Whoever writes an opt-out word gets nothing more on the business's own account until they want it again.
4. A customer can reach a person, and somebody reads the chats that are handed over.
5. Customers' data is kept no longer than the business needs it, and is handed out or erased when they ask.";

/// Whether a number has to be launched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LaunchRule {
    Checked,
    Unchecked,
}

/// Somebody's act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    pub by: String,
    pub at: Timestamp,
    /// Of the terms.
    pub version: u32,
}

/// What is kept of a number's launch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Kept {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accepted: Option<Act>,
    /// When everything was in order for the first time after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    launched: Option<Act>,
}

impl Kept {
    fn read(value: Option<&[u8]>) -> Kept {
        // What can't be read was written by a version that knows more of it: it is asked for again.
        value
            .and_then(|value| serde_json::from_slice(value).ok())
            .unwrap_or_default()
    }

    fn to_bytes(&self) -> Vec<u8> {
        // Names, times and numbers: nothing in it can fail to be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// How one thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stand {
    Done,
    /// It holds nothing up; somebody should look.
    Look,
    /// Autopilot waits for it.
    Open,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    pub name: &'static str,
    pub stand: Stand,
    pub says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The list of a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checklist {
    pub channel: String,
    /// Whether flows wait for it here.
    pub needed: bool,
    pub launched: Option<Act>,
    pub items: Vec<Item>,
}

impl Checklist {
    fn is_in_order(&self) -> bool {
        self.items.iter().all(|item| item.stand != Stand::Open)
    }

    /// Whether flows may answer.
    pub fn lets_flows_answer(&self) -> bool {
        !self.needed || self.launched.is_some()
    }
}

fn setting(channel: &str) -> String {
    format!("launch/{channel}")
}

/// Whether flows wait for the checklist on this number: real people write to it. A simulated number and one whose
/// provider is a stand-in on this machine need none, unless the configuration says so.
pub fn is_needed(channel: &ChannelConfig) -> bool {
    let reaches_people = match &channel.provider {
        ProviderConfig::Simulator => false,
        // What holds it may well be on this machine: a phone is linked to it all the same.
        ProviderConfig::Linked(_) => true,
        ProviderConfig::Meta(meta) => !is_here(meta.api_base.as_str()),
        ProviderConfig::Compatible(settings) => !is_here(&settings.route.base_url),
        ProviderConfig::Coster(settings) => !is_here(&settings.wire.host),
        ProviderConfig::Qontak(settings) => !is_here(&settings.base_url),
    };
    match channel.launch {
        Some(LaunchRule::Checked) => true,
        Some(LaunchRule::Unchecked) => false,
        None => reaches_people,
    }
}

fn is_here(address: &str) -> bool {
    let url = Url::parse(address).ok();
    match url.as_ref().and_then(Url::host) {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Whether flows still wait for the checklist of this number.
pub(in crate::server) async fn waits(store: &dyn Store, channel: &ChannelConfig) -> Result<bool, StoreError> {
    if !is_needed(channel) {
        return Ok(false);
    }
    let kept = store.setting(&setting(&channel.id)).await?;
    Ok(Kept::read(kept.as_deref()).launched.is_none())
}

/// The same, by whichever way the store is reached.
pub(in crate::server) async fn waits_at(door: &Door, channel: &ChannelConfig) -> Result<bool, DoorError> {
    let kept = door.get(&setting(&channel.id)).await?;
    Ok(is_needed(channel) && Kept::read(kept.as_deref()).launched.is_none())
}

/// What to do about a number that waits.
pub(in crate::server) fn next_step(channel: &str) -> String {
    format!("run `switchboard launch {channel}`: it shows what is missing")
}

/// The list as it stands now; without a store nobody has accepted anything. Asks the provider how the number is, and plays all conversations of the flows' folder.
///
/// # Errors
/// If the store can't be asked.
pub async fn examine(
    config: &Config,
    channel: &ChannelConfig,
    door: Option<&Door>,
) -> Result<Checklist, DoorError> {
    let kept = match door {
        Some(door) => door.get(&setting(&channel.id)).await?,
        None => None,
    };
    let kept = Kept::read(kept.as_deref());
    let folder = config.flows.clone();
    let of_flows = tokio::task::spawn_blocking(move || of_flows(&folder)).await;
    let mut items = vec![legal(&channel.id, kept.accepted.as_ref())];
    items.extend(of_flows.unwrap_or_else(|_| {
        let says = "a conversation could not be played to its end, which is a fault of Switchboard";
        vec![open("tests", says.to_owned(), "run `switchboard test`")]
    }));
    items.push(health(config, channel).await);
    items.push(Item {
        name: "opt-out",
        stand: Stand::Done,
        says:
            "STOP, BERHENTI, PARAR, BAJA and their like are understood in every language and honoured at once"
                .to_owned(),
        next: None,
    });
    items.push(recipients(config, channel));
    Ok(Checklist {
        channel: channel.id.clone(),
        needed: is_needed(channel),
        launched: kept.launched,
        items,
    })
}

/// Writes down who accepts the terms, and launches the number if nothing else is open.
///
/// # Errors
/// If the store can't be asked.
pub async fn accept(
    config: &Config,
    channel: &ChannelConfig,
    door: &Door,
    by: &str,
) -> Result<Checklist, DoorError> {
    let act = Act {
        by: by.trim().to_owned(),
        at: door.now(),
        version: VERSION,
    };
    let key = setting(&channel.id);
    door.change(&key, |seen| {
        let mut kept = Kept::read(seen);
        kept.accepted = Some(act.clone());
        Ok::<_, DoorError>((Some(kept.to_bytes()), ()))
    })
    .await?;
    let mut list = examine(config, channel, Some(door)).await?;
    if list.is_in_order() && list.launched.is_none() {
        list.launched = door
            .change(&key, |seen| {
                let mut kept = Kept::read(seen);
                let launched = kept.launched.get_or_insert_with(|| act.clone()).clone();
                Ok::<_, DoorError>((Some(kept.to_bytes()), Some(launched)))
            })
            .await?;
    }
    Ok(list)
}

fn done(name: &'static str, says: String) -> Item {
    Item {
        name,
        stand: Stand::Done,
        says,
        next: None,
    }
}

fn open(name: &'static str, says: String, next: &str) -> Item {
    Item {
        name,
        stand: Stand::Open,
        says,
        next: Some(next.to_owned()),
    }
}

fn legal(channel: &str, accepted: Option<&Act>) -> Item {
    let next = format!("read the terms and run `switchboard launch {channel} --accept \"Your Name\"`");
    match accepted {
        Some(act) if act.version == VERSION => done(
            "legal",
            format!(
                "{} accepted version {} on {}",
                act.by,
                act.version,
                act.at.strftime("%Y-%m-%d")
            ),
        ),
        Some(act) => {
            let says = format!(
                "{} accepted version {}; there is version {VERSION} now",
                act.by, act.version
            );
            open("legal", says, &next)
        }
        None => open("legal", "nobody has accepted the terms".to_owned(), &next),
    }
}

/// Tests, fallback and hours.
fn of_flows(folder: &Path) -> Vec<Item> {
    let program = match flows::compile_folder(folder) {
        Ok(program) => program,
        Err(why) => {
            return vec![open(
                "tests",
                why.to_string(),
                "run `switchboard check` and mend what it names",
            )];
        }
    };
    let mut items = vec![fallback(&program), hours(&program)];
    items.insert(0, tests(folder, program));
    items
}

fn tests(folder: &Path, program: Program) -> Item {
    let Rehearsed { passed, failed } = rehearse(folder, &Machine::load(program));
    match (passed, failed.as_slice()) {
        (0, []) => open(
            "tests",
            "there is no conversation that shows what the flows do".to_owned(),
            "write one (`switchboard chat`, then /save) for each thing that customers come for",
        ),
        (passed, []) => done("tests", format!("{passed} conversations pass")),
        (_, [first, ..]) => open(
            "tests",
            format!("{} conversations fail, such as {first}", failed.len()),
            "run `switchboard test` and mend them",
        ),
    }
}

fn fallback(program: &Program) -> Item {
    let front = program
        .business
        .front_door
        .and_then(|flow| program.flows.get(flow as usize));
    match front {
        Some(flow) => done(
            "fallback",
            format!(
                "whoever writes something that no flow starts on comes to {}",
                flow.name
            ),
        ),
        None => open(
            "fallback",
            "no flow answers what no other flow starts on".to_owned(),
            "name one in the business file: `starts with FLOW`",
        ),
    }
}

fn hours(program: &Program) -> Item {
    let always: Vec<&str> = program
        .business
        .teams
        .iter()
        .filter(|team| team.hours.is_empty())
        .map(|team| team.name.as_str())
        .collect();
    if program.business.teams.is_empty() {
        let says = "no team is declared: whoever is handed over waits for whoever looks".to_owned();
        return Item {
            name: "hours",
            stand: Stand::Look,
            says,
            next: Some("declare teams with their hours in the business file".to_owned()),
        };
    }
    if always.is_empty() {
        return done("hours", "every team has its hours".to_owned());
    }
    Item {
        name: "hours",
        stand: Stand::Look,
        says: format!("always open: {}", always.join(", ")),
        next: Some("write their hours in the business file, unless somebody is there at any time".to_owned()),
    }
}

async fn health(config: &Config, channel: &ChannelConfig) -> Item {
    let verified = channels::verify(config, channel).await;
    let says = verified.state.in_words().to_owned();
    match verified.state {
        State::Ready | State::LookAtIt => done("channel", says),
        State::TokenRefused
        | State::NotRegistered
        | State::Unreachable
        | State::NoWebhook
        | State::NotLinked
        | State::Broken => open(
            "channel",
            says,
            &format!("run `switchboard channel verify {}`", channel.id),
        ),
    }
}

/// Whether somebody can read a chat that is handed over.
fn recipients(config: &Config, channel: &ChannelConfig) -> Item {
    if matches!(channel.provider, ProviderConfig::Qontak(_)) {
        return done(
            "recipients",
            "chats are handed over to agents in the provider's inbox".to_owned(),
        );
    }
    if matches!(channel.provider, ProviderConfig::Linked(_)) {
        return done(
            "recipients",
            "chats that are handed over are on the phone, where whoever holds it answers".to_owned(),
        );
    }
    match &config.admin_token {
        Some(_) => done(
            "recipients",
            "operators read what is handed over, and answer, with the admin_token".to_owned(),
        ),
        None => open(
            "recipients",
            "nobody can read a chat that is handed over".to_owned(),
            "write admin_token in the configuration, and give it to whoever answers",
        ),
    }
}

#[cfg(test)]
mod tests;

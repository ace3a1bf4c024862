//! The link of a number that is linked like WhatsApp Web: looked at all the time, because its server tells only what it
//! can still tell. While it is not connected, is another number's, or somebody has stopped it, nothing leaves; what is to
//! leave stays in the outbox.

mod orders;
mod record;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;

use crate::channel::linked::{Link, LinkState, LinkedDevice, LinkedSettings};
use crate::server::config::{ChannelConfig, ProviderConfig};
use crate::server::parts::{Shared, lock};
use crate::store::{Store, StoreError};

pub use orders::{NotOrdered, Order, carry_out};
pub(in crate::server) use record::paused_at;
pub use record::{Audited, Change, Pause, Record};

/// How often the link is looked at. Its server tells of changes besides.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// What waits for the link is looked at again after the first of these times, and after the other once the link is down for
/// more than a minute.
const AGAIN_AFTER: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(15)];
const LONG: Duration = Duration::from_secs(60);
/// A link that is down for so long is told of, once each.
const ALARMS: [Duration; 2] = [Duration::from_secs(120), Duration::from_secs(900)];
/// So many lines of the audit are shown.
const SHOWN: usize = 20;

/// Of one number.
#[derive(Debug)]
pub(in crate::server) struct Watch {
    id: String,
    settings: LinkedSettings,
    device: LinkedDevice,
    /// `None` until it was looked at.
    seen: Mutex<Option<Seen>>,
    record: Mutex<Record>,
    /// Look now.
    again: Notify,
    /// Orders change a record by reading and writing it.
    ordering: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone)]
struct Seen {
    link: Link,
    /// When this state was seen first, for people and for this process.
    since: Timestamp,
    began: Instant,
    /// What was told since, and has not been looked at yet: it holds at once.
    news: Option<(Link, Instant)>,
}

impl Seen {
    fn now(&self) -> &Link {
        self.news.as_ref().map_or(&self.link, |(news, _)| news)
    }
}

/// A link, for people and for pages.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LinkView {
    pub id: String,
    pub state: LinkState,
    pub since: Option<Timestamp>,
    pub says: String,
    /// What a person has to do.
    pub next_action: Option<String>,
    pub generation: u64,
    /// Whether it is the number that is planned; `None` while nobody knows.
    pub planned_number: Option<bool>,
    /// Why nothing leaves, if so.
    pub held: Option<String>,
    pub paused: Option<Pause>,
    pub change: Option<Change>,
    pub owner: String,
    /// The latest lines, the oldest first.
    pub audit: Vec<Audited>,
}

impl Watch {
    /// `None` for a number that is not linked.
    pub async fn open(
        channel: &ChannelConfig,
        store: &dyn Store,
    ) -> Result<Option<Arc<Watch>>, crate::server::StartError> {
        let ProviderConfig::Linked(settings) = &channel.provider else {
            return Ok(None);
        };
        let settings = (**settings).clone();
        Ok(Some(Arc::new(Watch {
            id: channel.id.clone(),
            device: LinkedDevice::new(settings.clone())?,
            settings,
            seen: Mutex::new(None),
            record: Mutex::new(record::read(store, &channel.id).await?),
            again: Notify::new(),
            ordering: tokio::sync::Mutex::default(),
        })))
    }

    /// Why nothing may leave now.
    pub fn held(&self) -> Option<String> {
        if let Some(pause) = &lock(&self.record).paused {
            return Some(format!(
                "{} has paused sending ({}); `switchboard channel resume {}` lets it go on",
                pause.by, pause.why, self.id
            ));
        }
        match &*lock(&self.seen) {
            None => Some("the link has not been looked at yet".to_owned()),
            Some(seen) => seen.now().held(&self.settings.number),
        }
    }

    /// The state in a line: since when, and the how many-th link it is.
    pub fn in_words(&self) -> String {
        let record = lock(&self.record).generation;
        match &*lock(&self.seen) {
            None => "not looked at yet".to_owned(),
            Some(seen) => format!(
                "{}, since {}, link number {}",
                seen.now().in_words(),
                seen.now().since.unwrap_or(seen.since),
                seen.now().generation.unwrap_or(record)
            ),
        }
    }

    /// How long what waits for the link waits at least.
    pub fn wait(&self) -> Option<Duration> {
        self.held()?;
        let down = lock(&self.seen)
            .as_ref()
            .map(|seen| (seen.now().state, seen.began.elapsed()));
        let long = down.is_some_and(|(state, time)| state != LinkState::Connected && time > LONG);
        Some(AGAIN_AFTER[usize::from(long)])
    }

    /// The server has told of a change. That the link is up must be seen: the news does not say which number it is.
    pub fn told(&self, news: &Value) {
        let link = Link::of(news);
        if link.state != LinkState::Connected
            && let Some(seen) = lock(&self.seen).as_mut()
        {
            let number = seen.link.number.clone();
            seen.news = Some((Link { number, ..link }, Instant::now()));
        }
        self.again.notify_one();
    }

    /// What was ordered since, here or by another process.
    pub async fn reread(&self, store: &dyn Store) -> Result<(), StoreError> {
        *lock(&self.record) = record::read(store, &self.id).await?;
        Ok(())
    }

    pub async fn order(&self, store: &dyn Store, order: &Order) -> Result<(), NotOrdered> {
        let _ordering = self.ordering.lock().await;
        let record = carry_out(store, &self.settings, &self.id, order).await?;
        *lock(&self.record) = record;
        self.again.notify_one();
        Ok(())
    }

    pub async fn view(&self, store: &dyn Store) -> Result<LinkView, StoreError> {
        let audit = record::audit(store, &self.id).await?;
        let (record, seen) = (lock(&self.record).clone(), lock(&self.seen).clone());
        Ok(shown(&self.id, &self.settings, seen, record, audit, self.held()))
    }

    /// Whether something was told since then.
    fn was_told_since(&self, moment: Instant) -> bool {
        let seen = lock(&self.seen);
        let told = seen.as_ref().and_then(|seen| seen.news.as_ref());
        told.is_some_and(|(_, at)| *at >= moment)
    }

    /// Takes in what was seen; gives the line that tells of a change.
    fn take_in(&self, link: Link, now: Timestamp) -> Option<Audited> {
        let mut seen = lock(&self.seen);
        let before = seen.as_ref().map(|seen| seen.link.clone());
        let (since, began) = match seen.as_ref() {
            Some(seen) if seen.link.state == link.state => (seen.since, seen.began),
            Some(_) | None => (now, Instant::now()),
        };
        let line = Audited {
            at: now,
            who: "server".to_owned(),
            what: "state".to_owned(),
            from: before.as_ref().map(|link| link.state.word().to_owned()),
            to: Some(link.state.word().to_owned()),
            reason: link.held(&self.settings.number).unwrap_or_default(),
            generation: link.generation,
        };
        let changed = before.as_ref().is_none_or(|before| {
            (before.state, &before.number, before.generation) != (link.state, &link.number, link.generation)
        });
        *seen = Some(Seen {
            link,
            since,
            began,
            news: None,
        });
        changed.then_some(line)
    }
}

/// How a link is, without a server that watches it.
///
/// # Errors
/// If the store can't be asked.
pub async fn look(store: &dyn Store, id: &str, settings: &LinkedSettings) -> Result<LinkView, LookError> {
    let device = LinkedDevice::new(settings.clone())?;
    let link = device.session().look().await;
    let record = record::read(store, id).await?;
    let audit = record::audit(store, id).await?;
    let held = match &record.paused {
        Some(pause) => Some(format!("{} has paused sending ({})", pause.by, pause.why)),
        None => link.held(&settings.number),
    };
    let since = link.since.unwrap_or_else(|| store.now());
    Ok(shown(
        id,
        settings,
        Some(Seen {
            link,
            since,
            began: Instant::now(),
            news: None,
        }),
        record,
        audit,
        held,
    ))
}

#[derive(Debug, thiserror::Error)]
pub enum LookError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("TLS can't be started: {0}")]
    Tls(#[from] reqwest::Error),
}

fn shown(
    id: &str,
    settings: &LinkedSettings,
    seen: Option<Seen>,
    record: Record,
    mut audit: Vec<Audited>,
    held: Option<String>,
) -> LinkView {
    let since = seen.as_ref().map(|seen| seen.now().since.unwrap_or(seen.since));
    let link = seen.map_or_else(
        || Link::bare(LinkState::Starting, "it has not been looked at yet"),
        |seen| seen.now().clone(),
    );
    let next = Some(link.next_action.clone()).filter(|next| !next.is_empty());
    let first = audit.len().saturating_sub(SHOWN);
    LinkView {
        id: id.to_owned(),
        state: link.state,
        since,
        says: link.in_words(),
        next_action: next.or_else(|| link.state.next_step(id)),
        generation: link.generation.unwrap_or(record.generation),
        planned_number: link.number.as_ref().map(|number| *number == settings.number),
        held,
        paused: record.paused,
        change: record.change,
        owner: settings.owner.clone(),
        audit: audit.split_off(first),
    }
}

/// Looks at one link until the server stops.
pub(in crate::server) async fn run(shared: Arc<Shared>, watch: Arc<Watch>) {
    let (mut down_since, mut alarms) = (Instant::now(), 0);
    loop {
        let asked = Instant::now();
        let link = watch.device.session().look().await;
        // What was told meanwhile is newer than the answer.
        if watch.was_told_since(asked) && !shared.stopping.is_cancelled() {
            continue;
        }
        if link.held(&watch.settings.number).is_none() {
            (down_since, alarms) = (Instant::now(), 0);
        }
        if let Some(line) = watch.take_in(link, shared.store.now()) {
            tell(&watch, &line);
            if let Err(why) = record::add(shared.store.as_ref(), &watch.id, line).await {
                tracing::warn!(channel = watch.id, %why, "a change of the link could not be written down");
            }
        }
        if ALARMS
            .get(alarms)
            .is_some_and(|after| down_since.elapsed() > *after)
        {
            alarms += 1;
            let why = watch.held().unwrap_or_default();
            let minutes = down_since.elapsed().as_secs() / 60;
            tracing::error!(
                channel = watch.id,
                minutes,
                why,
                "nothing has left this number for minutes"
            );
        }
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            () = watch.again.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

fn tell(watch: &Watch, line: &Audited) {
    let (channel, from, to) = (&watch.id, line.from.as_deref(), line.to.as_deref());
    if line.reason.is_empty() {
        tracing::info!(channel, from, to, "the link is up");
    } else {
        tracing::warn!(
            channel,
            from,
            to,
            why = line.reason,
            "nothing leaves over this link"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::server::config::Config;
    use crate::store::model::ModelStore;
    use crate::store::{Caps, StillClock};

    async fn watch() -> Arc<Watch> {
        let text = "[[channel]]\nid = \"main\"\nprovider = \"linked\"\napi_base = \"http://127.0.0.1:1\"\n\
                    access_token_env = \"K\"\nwebhook_secret_env = \"S\"\n[channel.linked]\nphone = \"+62 811 0000 0011\"\n";
        let config = Config::parse(text, Path::new("x.toml"), &|_| Some("secret".to_owned())).expect("valid");
        let store = ModelStore::new(Caps::default(), Arc::new(StillClock::at(Timestamp::UNIX_EPOCH)));
        let watch = Watch::open(&config.channels[0], &store).await.expect("opened");
        watch.expect("a linked number")
    }

    fn session(status: &str, number: &str) -> Link {
        Link::of(&json!({ "status": status, "me": { "id": format!("{number}@c.us") } }))
    }

    #[tokio::test]
    async fn nothing_leaves_before_the_link_was_seen_to_be_up_and_the_planned_number_s() {
        let watch = watch().await;
        let now = Timestamp::UNIX_EPOCH;
        assert!(watch.held().is_some(), "nobody has looked");
        watch.take_in(session("STARTING", "6281100000011"), now);
        assert!(watch.held().is_some());
        watch.take_in(session("WORKING", "6281100000099"), now);
        assert!(watch.held().expect("held").contains("another number is linked"));
        watch.take_in(session("WORKING", "6281100000011"), now);
        assert_eq!(watch.held(), None);
    }

    #[tokio::test]
    async fn news_of_an_end_hold_at_once_and_news_of_a_beginning_must_be_seen() {
        let watch = watch().await;
        let now = Timestamp::UNIX_EPOCH;
        watch.take_in(session("WORKING", "6281100000011"), now);
        watch.told(&json!({ "status": "FAILED" }));
        assert!(watch.held().is_some());
        watch.told(&json!({ "status": "WORKING" }));
        assert!(watch.held().is_some());
        // The change is written down when it is looked at, whoever was faster.
        let line = watch
            .take_in(session("FAILED", "6281100000011"), now)
            .expect("a change");
        assert_eq!(
            (line.from.as_deref(), line.to.as_deref()),
            (Some("connected"), Some("failed"))
        );
    }

    #[tokio::test]
    async fn a_change_is_one_line_and_the_same_again_is_none() {
        let watch = watch().await;
        let now = Timestamp::UNIX_EPOCH;
        let line = watch
            .take_in(session("STARTING", "6281100000011"), now)
            .expect("a change");
        assert_eq!((line.from, line.to.as_deref()), (None, Some("starting")));
        assert_eq!(watch.take_in(session("STARTING", "6281100000011"), now), None);
        let line = watch
            .take_in(session("WORKING", "6281100000011"), now)
            .expect("a change");
        assert_eq!(
            (line.from.as_deref(), line.to.as_deref()),
            (Some("starting"), Some("connected"))
        );
        assert_eq!(line.reason, "");
        let line = watch
            .take_in(session("WORKING", "6281100000099"), now)
            .expect("another number");
        assert!(line.reason.contains("another number"), "{}", line.reason);
    }
}

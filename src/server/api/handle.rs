//! Looks into a running server and speaks for people: what pages and tests need, and no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::broadcast;

use super::masked::Masked;
use crate::channel::FetchedMedia;
use crate::engine::{Machine, Memory};
use crate::message::{
    Conversation as Place, DedupeKey, Forwarded, Inbound, InboundBody, Media, MediaHandle, MediaKind, Party,
};
use crate::server::agreed;
use crate::server::config::Config;
use crate::server::inbound::identity;
use crate::server::inbound::mailbox::Item;
use crate::server::inbound::people::{Clash, merged_with_wishes};
use crate::server::inbound::shortcut::{self, Shortcut};
use crate::server::inbound::webhook;
use crate::server::numbers;
use crate::server::numbers::door::{Door, DoorError};
use crate::server::numbers::launch::{self, Checklist};
use crate::server::numbers::link::{LinkView, NotOrdered, Order};
use crate::server::parts::{Shared, lock};
use crate::server::turns::session::Session;
use crate::server::turns::shown::{ThreadEntry, shown};
use crate::server::turns::thread::Line;
use crate::store::{
    Alias, ContactId, Ingest, Ingested, Merged, Owner, Parked, ParkedId, Quarantined, Store, StoreError,
    WholeContact,
};

/// Lines that are read at least: what says of a line that it is private may stand some lines behind it.
const LOOK_BACK: usize = 200;

/// A view of a running server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(in crate::server) shared: Arc<Shared>,
}

/// What a simulated customer does.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    Text(String),
    /// A tapped button or row, by the id it was sent with.
    Tap {
        id: String,
        title: String,
    },
    File {
        kind: MediaKind,
        bytes: Vec<u8>,
        mime: Option<String>,
        filename: Option<String>,
        caption: Option<String>,
    },
    Location(crate::message::Place),
}

/// A number that is not simulated takes nothing from pages, or there is no such number.
#[derive(Debug, thiserror::Error)]
pub enum NotSimulated {
    #[error("there is no number {0}")]
    Unknown(String),
    #[error("{0} is a real number: only its customers write to it")]
    Real(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A number as pages show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelView {
    pub id: String,
    pub number: String,
    pub provider: &'static str,
    pub autopilot: bool,
    /// Flows wait for its launch.
    pub waits_for_launch: bool,
    /// Why nothing leaves it, if so.
    pub stopped: Option<String>,
}

/// Where a conversation stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    pub contact: ContactId,
    pub channel: String,
    pub aliases: Vec<Alias>,
    pub owner: Owner,
    pub session: Session,
    pub memory: Memory,
    /// Events that wait to be answered.
    pub waiting: usize,
}

impl Handle {
    pub(in crate::server) fn new(shared: Arc<Shared>) -> Handle {
        Handle { shared }
    }

    /// Ends once the server is asked to stop. Streams without an end of their own end then.
    pub async fn stopped(&self) {
        self.shared.stopping.cancelled().await;
    }

    pub(in crate::server) fn store(&self) -> Arc<dyn Store> {
        self.shared.store.clone()
    }

    pub fn now(&self) -> Timestamp {
        self.shared.store.now()
    }

    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// The machine that answers now on numbers that run the folder, with its program.
    pub fn machine(&self) -> Arc<Machine> {
        self.shared.flows.live()
    }

    pub fn channels(&self) -> Vec<ChannelView> {
        let view = |config: &crate::server::config::ChannelConfig| {
            let number = self.shared.numbers.get(&config.id)?;
            Some(ChannelView {
                id: config.id.clone(),
                number: config.number.clone(),
                provider: number.channel.provider(),
                autopilot: number.autopilot(),
                waits_for_launch: number.waits_for_launch(),
                stopped: number.stopped(),
            })
        };
        self.shared.config.channels.iter().filter_map(view).collect()
    }

    /// How the link of a number is; `None` for a number that is not linked.
    ///
    /// # Errors
    /// If the store can't be asked.
    pub async fn link(&self, channel: &str) -> Result<Option<LinkView>, StoreError> {
        match self
            .shared
            .numbers
            .get(channel)
            .and_then(|number| number.link.as_ref())
        {
            Some(link) => link.view(self.shared.store.as_ref()).await.map(Some),
            None => Ok(None),
        }
    }

    /// Carries out what a person wants done to a link; `false` for a number that is not linked.
    ///
    /// # Errors
    /// If this person may not, if another is at it, or if the store fails.
    pub async fn order(&self, channel: &str, order: &Order) -> Result<bool, NotOrdered> {
        match self
            .shared
            .numbers
            .get(channel)
            .and_then(|number| number.link.as_ref())
        {
            Some(link) => link.order(self.shared.store.as_ref(), order).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// Every contact whose conversation changed, as it happens. A slow reader misses some and should then read anew.
    pub fn subscribe(&self) -> broadcast::Receiver<ContactId> {
        self.shared.changed.subscribe()
    }

    /// Lets a simulated customer act. It takes the road of a webhook from where that is authentic.
    ///
    /// # Errors
    /// If the number is not simulated, or the store does not take it.
    pub async fn say(
        &self,
        channel: &str,
        phone: &str,
        name: Option<&str>,
        said: Said,
    ) -> Result<ContactId, NotSimulated> {
        let unknown = || NotSimulated::Unknown(channel.to_owned());
        let number = self.shared.numbers.get(channel).ok_or_else(unknown)?;
        let simulator = number
            .simulator
            .as_ref()
            .ok_or_else(|| NotSimulated::Real(channel.to_owned()))?;
        let body = match said {
            Said::Text(body) => InboundBody::Text { body },
            Said::Tap { id, title } => InboundBody::Choice { id: Some(id), title },
            Said::Location(place) => InboundBody::Location(place),
            Said::File {
                kind,
                bytes,
                mime,
                filename,
                caption,
            } => InboundBody::Media(Media {
                media: kind,
                handle: MediaHandle::Id {
                    id: simulator.keep(bytes, mime.clone()),
                    url: None,
                },
                mime,
                sha256: None,
                filename,
                caption,
            }),
        };
        let id = unique("said");
        let who = Party {
            phone: Some(phone.trim_start_matches('+').to_owned()),
            display_name: name.map(str::to_owned),
            ..Party::default()
        };
        let event = Inbound {
            account: number.channel.account().to_owned(),
            key: DedupeKey(id.clone()),
            at: Some(self.now()),
            who: who.clone(),
            conversation: Place::default(),
            message_id: Some(id),
            reply_to: None,
            forwarded: Forwarded::None,
            referral: None,
            body,
        };
        webhook::deliver(&self.shared, number, vec![event], |_| false).await?;
        self.contact(channel, &who)
            .await?
            .ok_or_else(|| NotSimulated::Unknown(channel.to_owned()))
    }

    async fn contact(&self, channel: &str, who: &Party) -> Result<Option<ContactId>, StoreError> {
        let aliases = identity::aliases(who);
        let Some((first, also)) = aliases.split_first() else {
            return Ok(None);
        };
        let resolved = self.shared.store.resolve_alias(channel, first, also).await?;
        Ok(Some(resolved.contact()))
    }

    /// A file that one side of a simulated chat has sent.
    pub fn file(&self, channel: &str, id: &str) -> Option<FetchedMedia> {
        self.shared.numbers.get(channel)?.simulator.as_ref()?.file(id)
    }

    /// Contacts, most recently active first.
    pub async fn contacts(&self, limit: usize) -> Result<Vec<ContactId>, StoreError> {
        self.shared.store.contacts(limit).await
    }

    /// The latest lines of a thread that people see, oldest first.
    pub async fn thread(&self, contact: ContactId, limit: usize) -> Result<Vec<ThreadEntry>, StoreError> {
        // Asked before the lines: what is said in between is of a question that this knows.
        let now = self.shared.store.peek(contact).await?;
        // Where it can't be read the thread is all the more wanted.
        let session = now.and_then(|claim| Session::of(&claim).ok());
        let lines = self.shared.store.history(contact, limit.max(LOOK_BACK)).await?;
        let mut lines = shown(lines, session.as_ref().map(|(session, _)| session));
        lines.drain(..lines.len().saturating_sub(limit));
        Ok(lines)
    }

    /// Where a conversation stands; `None` for a contact that is not known.
    pub async fn conversation(&self, contact: ContactId) -> Result<Option<Conversation>, StoreError> {
        let Some(claim) = self.shared.store.peek(contact).await? else {
            return Ok(None);
        };
        let (session, memory) = Session::of(&claim).map_err(|why| StoreError::Corrupt {
            key: contact.to_string(),
            why: why.to_string(),
        })?;
        Ok(Some(Conversation {
            contact,
            channel: claim.channel,
            aliases: claim.aliases,
            owner: claim.owner,
            session,
            memory,
            waiting: claim.events.len(),
        }))
    }

    /// Moves the clock forward; `false` where time can't be moved.
    pub fn advance_clock(&self, by: Duration) -> bool {
        let Some(clock) = &self.shared.clock else {
            return false;
        };
        clock.advance(by);
        self.shared.bell.notify_one();
        true
    }

    /// A person takes the chat: the bot is silent from this moment, with all it had queued.
    pub async fn take_over(&self, contact: ContactId, agent: &str) -> Result<(), StoreError> {
        self.shared.store.set_owner(contact, Owner::Human).await?;
        let agent = agent.to_owned();
        self.post(contact, Item::Taken { agent }).await
    }

    /// A person writes to the customer, and has the chat from then on. `.0`, `.00` and `.1` are for the bot: the customer
    /// is not sent them.
    pub async fn say_as_person(&self, contact: ContactId, agent: &str, text: &str) -> Result<(), StoreError> {
        self.say_from_draft(contact, agent, text, None).await
    }

    /// The same with the id of the draft that it was made of. One that is not shown any more says nothing.
    pub async fn say_from_draft(
        &self,
        contact: ContactId,
        agent: &str,
        text: &str,
        draft: Option<&str>,
    ) -> Result<(), StoreError> {
        let store = &self.shared.store;
        let claim = store.peek(contact).await?;
        let number = claim
            .as_ref()
            .and_then(|claim| self.shared.numbers.get(&claim.channel));
        let pause = number.and_then(|number| number.config.shortcuts);
        let now = store.now();
        if let (Some(pause), Some(typed)) = (pause, Shortcut::typed(text)) {
            store.set_owner(contact, typed.owner(now, pause)).await?;
            let line = typed.line(agent, pause);
            return self.post_with(contact, typed.item(agent), Some(line)).await;
        }
        let owner = match (claim, pause) {
            (Some(claim), Some(pause)) => shortcut::after_words(claim.owner, now, pause),
            (_, None) | (None, _) => Owner::Human,
        };
        store.set_owner(contact, owner).await?;
        let (agent, text, draft) = (agent.to_owned(), text.to_owned(), draft.map(str::to_owned));
        self.post(contact, Item::Said { agent, text, draft }).await
    }

    /// People give the chat back to the bot.
    pub async fn give_back(&self, contact: ContactId) -> Result<(), StoreError> {
        self.shared.store.set_owner(contact, Owner::Bot).await?;
        self.post(contact, Item::Returned).await
    }

    /// A person ends the session.
    pub async fn close(&self, contact: ContactId) -> Result<(), StoreError> {
        self.post(contact, Item::Close).await
    }

    async fn post(&self, contact: ContactId, item: Item) -> Result<(), StoreError> {
        self.post_with(contact, item, None).await
    }

    async fn post_with(&self, contact: ContactId, item: Item, line: Option<Line>) -> Result<(), StoreError> {
        let Some(claim) = self.shared.store.peek(contact).await? else {
            return Ok(());
        };
        let letter = Ingest {
            history: line.map(|line| line.to_bytes()),
            ..Ingest::internal(claim.channel, contact, unique("person"), item.to_bytes())
        };
        let outcome = self.shared.store.ingest(&[letter]).await?;
        self.shared.ring(contact);
        // Whoever asked must hear of it: nobody repeats what a person does.
        if outcome.contains(&Ingested::MailboxFull) {
            return Err(StoreError::Full("the mailbox of this contact".to_owned()));
        }
        Ok(())
    }

    /// What was put aside, newest first: events that no turn survived, and what could not be read.
    pub async fn dead(&self, limit: usize) -> Result<(Vec<Parked>, Vec<Quarantined>), StoreError> {
        let store = &self.shared.store;
        Ok((store.parked(limit).await?, store.quarantined(limit).await?))
    }

    /// Lets the bot answer it after all. `false`: it is not put aside (any more).
    pub async fn unpark(&self, id: &ParkedId) -> Result<bool, StoreError> {
        let there = self.shared.store.unpark(id).await?;
        if let Some(contact) = id.contact().filter(|_| there) {
            lock(&self.shared.unreadable).remove(&contact);
            self.shared.ring(contact);
        }
        Ok(there)
    }

    /// Forgets something that was put aside. `false`: it is not (any more).
    pub async fn discard(&self, id: &str) -> Result<bool, StoreError> {
        let store = &self.shared.store;
        Ok(store.discard(&ParkedId(id.to_owned())).await? || store.discard_quarantined(id).await?)
    }

    /// All there is of a contact.
    pub async fn whole(&self, contact: ContactId) -> Result<Option<WholeContact>, StoreError> {
        self.shared.store.whole(contact).await
    }

    /// Removes every record of a contact. `false`: it is not known.
    pub async fn erase(&self, contact: ContactId) -> Result<bool, StoreError> {
        let known = self.shared.store.erase(contact).await?;
        self.forget_people().await;
        self.shared.ring(contact);
        if known {
            tracing::info!(contact = %Masked(contact), "a contact was erased by an operator");
        }
        Ok(known)
    }

    /// Here and in the other processes.
    async fn forget_people(&self) {
        self.shared.people.forget();
        agreed::people_changed(self.shared.store.as_ref()).await;
    }

    /// Makes two contacts one.
    pub async fn merge(&self, from: ContactId, into: ContactId) -> Result<Merged, StoreError> {
        let store = &self.shared.store;
        let channel = store
            .peek(into)
            .await?
            .map(|known| known.channel)
            .unwrap_or_default();
        let merged = merged_with_wishes(store.as_ref(), from, into).await?;
        if matches!(merged, Merged::Done | Merged::Already) {
            self.forget_people().await;
            store
                .discard_quarantined(&Quarantined::id_of(&channel, &Clash::to_bytes(from, into)))
                .await?;
            self.shared.ring(from);
            self.shared.ring(into);
            tracing::info!(contact = %Masked(from), into = %Masked(into), "two contacts were merged by an operator");
        }
        Ok(merged)
    }

    /// The launch checklist of a number, after somebody accepted the terms if a name is given; `None`: there is no such
    /// number.
    ///
    /// # Errors
    /// If the store can't be asked.
    pub async fn launch(&self, channel: &str, accept: Option<&str>) -> Result<Option<Checklist>, DoorError> {
        let Some(number) = self.shared.numbers.get(channel) else {
            return Ok(None);
        };
        let (config, door) = (&self.shared.config, Door::Here(self.shared.store.clone()));
        let list = match accept {
            Some(by) => launch::accept(config, &number.config, &door, by).await?,
            None => launch::examine(config, &number.config, Some(&door)).await?,
        };
        numbers::read_autopilot(self.shared.store.as_ref(), number).await?;
        Ok(Some(list))
    }

    /// Switches flows on or off for a number, also after the next start. `false`: there is no such number.
    pub async fn set_autopilot(&self, channel: &str, on: bool) -> Result<bool, StoreError> {
        let Some(number) = self.shared.numbers.get(channel) else {
            return Ok(false);
        };
        numbers::switch_autopilot(self.shared.store.as_ref(), channel, on).await?;
        number.autopilot.store(on, Ordering::SeqCst);
        Ok(true)
    }
}

/// An id that no other event has, in this process or the next.
pub(in crate::server) fn unique(kind: &str) -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let (n, noise) = (
        LAST.fetch_add(1, Ordering::Relaxed),
        getrandom::u64().unwrap_or_default(),
    );
    format!("{kind}-{noise:016x}-{n}")
}

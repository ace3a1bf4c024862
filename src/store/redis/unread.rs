//! What can't be read: a value of a newer version, or one that a stranger's hand or a bug has left. It is not touched. What
//! waits for it rests and is tried again now and then, the others go on, and people find it among what was put aside.

use std::collections::BTreeMap;

use super::link::{Call, Durable};
use super::lists::NOBODY;
use super::names::Own;
use super::scripts::{REST, UNREAD};
use super::turn::unreadable;
use super::wire::Answer;
use super::{Partition, RedisStore};
use crate::store::{ContactId, Due, Parked, ParkedId, StoreError, millis};

/// Milliseconds after which it is tried again.
const RESTS: i64 = 300_000;
/// One that was not met for so long can be read again, or is gone.
const FORGOTTEN: i64 = 2 * RESTS + 60_000;
/// Notes of a partition. More have one cause.
const NOTES: usize = 1_000;

/// Where something waits that can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    In(Due),
    /// On its way in: whoever brought it comes again.
    Outside,
}

impl Waits {
    fn queue(self) -> &'static str {
        match self {
            Waits::In(Due::Run) | Waits::Outside => "run",
            Waits::In(Due::Send) => "send",
            Waits::In(Due::Timer) => "timers",
            Waits::In(Due::Job) => "jobs",
        }
    }

    fn letter(self) -> &'static str {
        match self {
            Waits::In(Due::Run) => "r",
            Waits::In(Due::Send) => "s",
            Waits::In(Due::Timer) => "t",
            Waits::In(Due::Job) => "j",
            Waits::Outside => "i",
        }
    }
}

impl RedisStore {
    /// Passes the answer on. If it says that something can't be read, these members of the queue rest.
    pub(super) async fn or_rest(
        &self,
        answer: Result<Answer, StoreError>,
        contact: ContactId,
        own: &Own,
        waits: Waits,
        members: Vec<Vec<u8>>,
    ) -> Result<Answer, StoreError> {
        if let Err(StoreError::Corrupt { key, why }) = &answer {
            let mut args = self
                .args(contact)
                .with(RESTS)
                .with(NOTES)
                .with(format!("{} {key}{why}", key.len()))
                .with(waits.letter());
            args.0.extend(members);
            let keys = vec![own.queue(waits.queue()), own.queue("unread")];
            self.run(&REST, keys, args, Durable::Local).await?;
        }
        answer
    }

    /// The contacts with something that can't be read, each once, with what it is.
    pub(super) async fn list_unread(&self) -> Result<Vec<Parked>, StoreError> {
        let calls = Partition::all().map(|partition| Call {
            keys: self.unread_keys(partition),
            args: self.args(NOBODY).with("l").with(RESTS).0,
        });
        let mut all: BTreeMap<ContactId, Parked> = BTreeMap::new();
        for (partition, answer) in Partition::all().zip(self.each(&UNREAD, calls.collect()).await) {
            let mut answer = answer?;
            answer.int()?;
            let now = answer.int()?;
            let mut fields = answer.list()?;
            while !fields.is_done() {
                let (field, kept) = (fields.bytes()?, fields.maybe_blob()?.unwrap_or_default());
                let wrong = || unreadable(self.names.queue(partition, "unread"), "a note of it".into());
                let contact = field.get(1..17).and_then(|id| id.try_into().ok()).map(ContactId);
                let (contact, (at, why)) = contact.zip(note(&kept)).ok_or_else(wrong)?;
                if at.saturating_add(FORGOTTEN) < now {
                    continue;
                }
                all.entry(contact).or_insert_with(|| Parked {
                    id: ParkedId::unread(contact),
                    contact,
                    channel: String::new(),
                    seq: 0,
                    at: millis::timestamp(at),
                    why,
                    payload: Vec::new(),
                });
            }
        }
        Ok(all.into_values().collect())
    }

    /// `u`: what of the contact rests is tried again at once. `d`: the note is forgotten, until it is met again.
    pub(super) async fn end_unread(&self, contact: ContactId, how: &'static str) -> Result<bool, StoreError> {
        let own = self.names.of(contact);
        let args = self.args(contact).with(how).with(RESTS);
        let keys = self.unread_keys(own.partition);
        let mut answer = self.run(&UNREAD, keys, args, Durable::AsConfigured).await?;
        answer.int()?;
        let now = answer.int()?;
        let found = answer.int()? > 0;
        if found && how == "u" {
            self.timers.lower(own.partition, now);
            self.jobs.lower(own.partition, now);
            for kind in [Due::Run, Due::Send, Due::Timer, Due::Job] {
                self.hand_over(kind, Some(now), contact, now);
            }
        }
        Ok(found)
    }

    fn unread_keys(&self, partition: Partition) -> Vec<Vec<u8>> {
        ["unread", "run", "send", "timers", "jobs"]
            .map(|queue| self.names.queue(partition, queue))
            .to_vec()
    }
}

/// `at length key why`: since when it rests, and a sentence with the key.
fn note(kept: &[u8]) -> Option<(i64, String)> {
    let text = std::str::from_utf8(kept).ok()?;
    let mut parts = text.splitn(3, ' ');
    let at = parts.next()?.parse().ok()?;
    let length = parts.next()?.parse().ok()?;
    let (key, why) = parts.next()?.split_at_checked(length)?;
    let why = StoreError::Corrupt {
        key: key.to_owned(),
        why: why.to_owned(),
    };
    Some((at, why.to_string()))
}

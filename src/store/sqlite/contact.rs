//! The row of a contact: read whole, changed in memory, written whole within one step.

use rusqlite::{OptionalExtension, Row, params};

use super::people;
use super::writer::Step;
use crate::store::pace::Paced;
use crate::store::{ContactId, Owner, StoreError, millis};

/// The columns stand in `schema.rs` with what they mean.
#[derive(Debug)]
pub(super) struct Contact {
    pub(super) id: ContactId,
    pub(super) channel: String,
    pub(super) owner: Owner,
    pub(super) takeovers: i64,
    pub(super) turn_takeovers: i64,
    pub(super) said_at: Option<i64>,
    pub(super) active_at: i64,
    pub(super) last_seq: i64,
    pub(super) taken_seq: i64,
    pub(super) burst_at: i64,
    pub(super) run_at: Option<i64>,
    pub(super) leased: bool,
    pub(super) fence: i64,
    pub(super) nonce: i64,
    pub(super) rest_until: Option<i64>,
    pub(super) crashes: u32,
    pub(super) failures: u32,
    pub(super) ended: Option<Ended>,
    pub(super) send_at: Option<i64>,
    pub(super) sending: bool,
    pub(super) send_fence: i64,
    pub(super) sent_fence: i64,
    pub(super) outbox_pos: i64,
    pub(super) history_seq: i64,
    pub(super) seen_n: i64,
    pub(super) paced: Paced,
    pub(super) erased: bool,
    indexed: Indexed,
}

/// As they were loaded.
#[derive(Debug, Clone, Copy)]
struct Indexed {
    run_at: Option<i64>,
    send_at: Option<i64>,
    active_at: i64,
}

/// How a lease ended: the answer to a caller who lost the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) fence: i64,
    pub(super) nonce: i64,
    pub(super) how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Commit,
    Retry(i64),
    Parked(i64),
}

impl How {
    fn text(self) -> String {
        match self {
            How::Commit => "commit".into(),
            How::Retry(at) => format!("retry:{at}"),
            How::Parked(seq) => format!("parked:{seq}"),
        }
    }

    fn read(text: &str) -> Option<How> {
        match text.split_once(':') {
            Some(("retry", at)) => at.parse().ok().map(How::Retry),
            Some(("parked", seq)) => seq.parse().ok().map(How::Parked),
            _ => (text == "commit").then_some(How::Commit),
        }
    }
}

const SELECT: &str = "SELECT id, channel, owner, paused_until, takeovers, turn_takeovers, said_at, active_at, last_seq,
    taken_seq, burst_at, run_at, leased, fence, nonce, rest_until, crashes, failures, ended_fence, ended_nonce,
    ended_as, send_at, sending, send_fence, sent_fence, outbox_pos, history_seq, seen_n,
    empty_at, paced_until, erased FROM contact WHERE id = ?1";

/// Without the three columns that have an index: most steps change one of them or none.
const UPDATE: &str =
    "UPDATE contact SET owner = ?2, paused_until = ?3, takeovers = ?4, turn_takeovers = ?5, said_at = ?6,
    last_seq = ?7, taken_seq = ?8, burst_at = ?9, leased = ?10, fence = ?11, nonce = ?12, rest_until = ?13,
    crashes = ?14, failures = ?15, ended_fence = ?16, ended_nonce = ?17, ended_as = ?18, sending = ?19,
    send_fence = ?20, sent_fence = ?21, outbox_pos = ?22, history_seq = ?23, seen_n = ?24,
    empty_at = ?25, paced_until = ?26, erased = ?27 WHERE id = ?1";

impl Contact {
    pub(super) fn load(step: &Step<'_>, id: ContactId) -> Result<Option<Contact>, StoreError> {
        let found = step
            .db
            .prepare_cached(SELECT)?
            .query_row([id.0], |row| Ok(read(row)))
            .optional()?;
        match found {
            None => Ok(None),
            Some(Ok(contact)) => Ok(Some(contact)),
            Some(Err(why)) => Err(StoreError::Corrupt {
                key: format!("contact {id}"),
                why,
            }),
        }
    }

    /// A contact that was merged is the one it was merged into. One that was erased not long ago begins where it ended.
    pub(super) fn load_or_make(step: &Step<'_>, id: ContactId, channel: &str) -> Result<Contact, StoreError> {
        if let Some(contact) = Contact::load(step, id)? {
            return Ok(contact);
        }
        if let Some(into) = people::moved_to(step, id)?
            && let Some(contact) = Contact::load(step, into)?
        {
            return Ok(contact);
        }
        let mut contact = Contact::make(step, id, channel)?;
        if let Some(stone) = people::tombstone(step, id)? {
            contact.erased = true;
            contact.last_seq = stone.last_seq.cast_signed();
            contact.taken_seq = contact.last_seq;
            contact.fence = stone.fence.cast_signed();
            contact.send_fence = stone.send_fence.cast_signed();
            contact.save(step)?;
        }
        Ok(contact)
    }

    pub(super) fn make(step: &Step<'_>, id: ContactId, channel: &str) -> Result<Contact, StoreError> {
        step.db
            .prepare_cached("INSERT INTO contact (id, channel, active_at) VALUES (?1, ?2, ?3)")?
            .execute(params![id.0, channel, step.now])?;
        Contact::load(step, id)?.ok_or_else(|| StoreError::Unavailable("a new contact was not kept".into()))
    }

    pub(super) fn save(&mut self, step: &Step<'_>) -> Result<(), StoreError> {
        let (owner, paused_until) = match self.owner {
            Owner::Bot => ("bot", None),
            Owner::Human => ("human", None),
            Owner::PausedUntil(until) => ("paused", Some(millis::ceil(until))),
        };
        step.db.prepare_cached(UPDATE)?.execute(params![
            self.id.0,
            owner,
            paused_until,
            self.takeovers,
            self.turn_takeovers,
            self.said_at,
            self.last_seq,
            self.taken_seq,
            self.burst_at,
            self.leased,
            self.fence,
            self.nonce,
            self.rest_until,
            self.crashes,
            self.failures,
            self.ended.map(|ended| ended.fence),
            self.ended.map(|ended| ended.nonce),
            self.ended.map(|ended| ended.how.text()),
            self.sending,
            self.send_fence,
            self.sent_fence,
            self.outbox_pos,
            self.history_seq,
            self.seen_n,
            self.paced.empty_at,
            self.paced.until,
            self.erased,
        ])?;
        let was = self.indexed;
        if self.run_at != was.run_at {
            set(
                step,
                "UPDATE contact SET run_at = ?2 WHERE id = ?1",
                self.id,
                self.run_at,
            )?;
        }
        if self.send_at != was.send_at {
            set(
                step,
                "UPDATE contact SET send_at = ?2 WHERE id = ?1",
                self.id,
                self.send_at,
            )?;
        }
        if self.active_at != was.active_at {
            let at = Some(self.active_at);
            set(
                step,
                "UPDATE contact SET active_at = ?2 WHERE id = ?1",
                self.id,
                at,
            )?;
        }
        Ok(())
    }

    pub(super) fn mailbox_len(&self) -> usize {
        usize::try_from(self.last_seq - self.taken_seq).unwrap_or(0)
    }
}

fn set(step: &Step<'_>, update: &str, id: ContactId, at: Option<i64>) -> Result<(), StoreError> {
    step.db.prepare_cached(update)?.execute(params![id.0, at])?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Contact, String> {
    let get = |why: rusqlite::Error| why.to_string();
    let owner: String = row.get(2).map_err(get)?;
    let paused_until: Option<i64> = row.get(3).map_err(get)?;
    let owner = match (owner.as_str(), paused_until) {
        ("bot", _) => Owner::Bot,
        ("human", _) => Owner::Human,
        ("paused", Some(until)) => Owner::PausedUntil(millis::timestamp(until)),
        _ => return Err(format!("{owner:?} is not an owner")),
    };
    let how: Option<String> = row.get(20).map_err(get)?;
    let ended = match how {
        None => None,
        Some(text) => Some(Ended {
            fence: row.get(18).map_err(get)?,
            nonce: row.get(19).map_err(get)?,
            how: How::read(&text).ok_or_else(|| format!("{text:?} is not an end of a lease"))?,
        }),
    };
    let contact = || -> rusqlite::Result<Contact> {
        Ok(Contact {
            id: ContactId(row.get(0)?),
            channel: row.get(1)?,
            owner,
            takeovers: row.get(4)?,
            turn_takeovers: row.get(5)?,
            said_at: row.get(6)?,
            active_at: row.get(7)?,
            last_seq: row.get(8)?,
            taken_seq: row.get(9)?,
            burst_at: row.get(10)?,
            run_at: row.get(11)?,
            leased: row.get(12)?,
            fence: row.get(13)?,
            nonce: row.get(14)?,
            rest_until: row.get(15)?,
            crashes: row.get(16)?,
            failures: row.get(17)?,
            ended,
            send_at: row.get(21)?,
            sending: row.get(22)?,
            send_fence: row.get(23)?,
            sent_fence: row.get(24)?,
            outbox_pos: row.get(25)?,
            history_seq: row.get(26)?,
            seen_n: row.get(27)?,
            paced: Paced {
                empty_at: row.get(28)?,
                until: row.get(29)?,
            },
            erased: row.get(30)?,
            indexed: Indexed {
                run_at: row.get(11)?,
                send_at: row.get(21)?,
                active_at: row.get(7)?,
            },
        })
    };
    contact().map_err(get)
}

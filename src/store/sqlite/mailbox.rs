//! The mailbox of a contact: who a sender is, what came in, and when it is to be answered.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::contact::Contact;
use super::writer::Step;
use super::{dead, people, thread};
use crate::store::{Alias, ContactId, Ingest, Ingested, MailboxEvent, Resolved, Seq, StoreError, millis};

pub(super) fn resolve_alias(
    step: &Step<'_>,
    channel: &str,
    alias: &Alias,
    also: &[Alias],
) -> Result<Resolved, StoreError> {
    let mut find = step
        .db
        .prepare_cached("SELECT contact FROM alias WHERE channel = ?1 AND alias = ?2")?;
    let mut owner: Option<ContactId> = None;
    for one in std::iter::once(alias).chain(also) {
        let found = find
            .query_row(params![channel, one.0], |row| row.get(0))
            .optional()?;
        match (owner, found.map(ContactId)) {
            (Some(first), Some(second)) if first != second => return Ok(Resolved::Clash { first, second }),
            (None, found) => owner = found,
            (Some(_), _) => {}
        }
    }
    let contact = owner.unwrap_or_else(|| ContactId::of(channel, alias));
    let contact = Contact::load_or_make(step, contact, channel)?.id;
    let mut link = step
        .db
        .prepare_cached("INSERT OR IGNORE INTO alias (channel, alias, contact) VALUES (?1, ?2, ?3)")?;
    for one in std::iter::once(alias).chain(also) {
        link.execute(params![channel, one.0, contact.0])?;
    }
    Ok(match owner {
        Some(_) => Resolved::Found(contact),
        None => Resolved::Created(contact),
    })
}

pub(super) fn ingest(step: &Step<'_>, events: &[Ingest]) -> Result<Vec<Ingested>, StoreError> {
    events.iter().map(|event| ingest_one(step, event)).collect()
}

fn ingest_one(step: &Step<'_>, event: &Ingest) -> Result<Ingested, StoreError> {
    let mut contact = Contact::load_or_make(step, event.contact, &event.channel)?;
    if seen(step, &contact, &event.dedupe)? {
        if contact.mailbox_len() > 0 && contact.run_at.is_none() {
            contact.burst_at = step.now;
            mark(step, &mut contact, event.quiet, event.quiet_max);
            contact.save(step)?;
        }
        return Ok(Ingested::Duplicate);
    }
    if contact.erased && people::was_seen(step, &contact, &event.dedupe)? {
        return Ok(Ingested::Duplicate);
    }
    if contact.mailbox_len() >= step.caps.mailbox_events {
        return Ok(Ingested::MailboxFull);
    }
    remember(step, &mut contact, &event.dedupe)?;
    if let Some(said_at) = event.said_at {
        // A provider's clock that runs ahead must not lengthen the window.
        let said_at = millis::floor(said_at).min(step.now);
        contact.said_at = Some(contact.said_at.map_or(said_at, |known| known.max(said_at)));
    }
    if let Some(line) = &event.history {
        thread::write(step, &mut contact, line, None)?;
    }
    let seq = append(step, &mut contact, &event.payload, event.quiet, event.quiet_max)?;
    contact.save(step)?;
    Ok(Ingested::New(seq))
}

/// Puts an event at the end of the mailbox and the contact in the queue.
pub(super) fn append(
    step: &Step<'_>,
    contact: &mut Contact,
    payload: &[u8],
    quiet: Duration,
    quiet_max: Duration,
) -> Result<Seq, StoreError> {
    if contact.mailbox_len() == 0 {
        contact.burst_at = step.now;
    }
    contact.last_seq += 1;
    contact.active_at = step.now;
    step.db
        .prepare_cached("INSERT INTO event (contact, seq, at, payload) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![contact.id.0, contact.last_seq, step.now, payload])?;
    mark(step, contact, quiet, quiet_max);
    Ok(contact.last_seq.unsigned_abs())
}

/// Sets when the contact is to be answered: after the quiet time, no later than `quiet_max` after the burst began.
fn mark(step: &Step<'_>, contact: &mut Contact, quiet: Duration, quiet_max: Duration) {
    if contact.leased {
        // The end of the lease queues it again.
        return;
    }
    let now = step.now;
    let quietened = millis::after(now, quiet);
    let due = match contact.run_at {
        // Due already: it keeps its place.
        Some(at) if at <= now => return,
        Some(at) if quiet.is_zero() => at.min(now),
        Some(at) => quietened
            .max(at)
            .min(millis::after(contact.burst_at, quiet_max))
            .max(now),
        None => quietened.min(millis::after(contact.burst_at, quiet_max)).max(now),
    };
    contact.run_at = Some(due.max(contact.rest_until.unwrap_or(due)));
}

fn seen(step: &Step<'_>, contact: &Contact, id: &str) -> Result<bool, StoreError> {
    let at: Option<i64> = step
        .db
        .prepare_cached("SELECT at FROM seen WHERE contact = ?1 AND id = ?2")?
        .query_row(params![contact.id.0, id], |row| row.get(0))
        .optional()?;
    Ok(at.is_some_and(|at| millis::after(at, step.caps.dedup_for) > step.now))
}

fn remember(step: &Step<'_>, contact: &mut Contact, id: &str) -> Result<(), StoreError> {
    contact.seen_n += 1;
    step.db
        .prepare_cached("INSERT OR REPLACE INTO seen (contact, id, n, at) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![contact.id.0, id, contact.seen_n, step.now])?;
    let kept = i64::try_from(step.caps.dedup_ids).unwrap_or(i64::MAX);
    if contact.seen_n > kept {
        step.db
            .prepare_cached("DELETE FROM seen WHERE contact = ?1 AND n <= ?2")?
            .execute(params![contact.id.0, contact.seen_n - kept])?;
    }
    // Now and then, more than came since: enough to shrink, and never a long scan.
    if contact.seen_n % 16 == 0 {
        let forget = step.now.saturating_sub(millis::after(0, step.caps.dedup_for));
        step.db
            .prepare_cached(
                "DELETE FROM seen WHERE contact = ?1 AND at <= ?2 AND n IN
                    (SELECT n FROM seen WHERE contact = ?1 ORDER BY n LIMIT 32)",
            )?
            .execute(params![contact.id.0, forget])?;
    }
    Ok(())
}

/// The oldest events, `limit` at most.
pub(super) fn events(
    step: &Step<'_>,
    contact: &Contact,
    limit: usize,
) -> Result<Vec<MailboxEvent>, StoreError> {
    let mut rows = step
        .db
        .prepare_cached("SELECT seq, at, payload FROM event WHERE contact = ?1 ORDER BY seq LIMIT ?2")?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = rows.query_map(params![contact.id.0, limit], |row| {
        Ok(MailboxEvent {
            seq: row.get::<_, i64>(0)?.unsigned_abs(),
            at: millis::timestamp(row.get(1)?),
            payload: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Takes events up to and with `upto` out of the mailbox.
pub(super) fn consume(step: &Step<'_>, contact: &mut Contact, upto: Seq) -> Result<(), StoreError> {
    let upto = i64::try_from(upto).unwrap_or(i64::MAX).min(contact.last_seq);
    if upto > contact.taken_seq {
        step.db
            .prepare_cached("DELETE FROM event WHERE contact = ?1 AND seq <= ?2")?
            .execute(params![contact.id.0, upto])?;
        contact.taken_seq = upto;
    }
    Ok(())
}

/// Puts the head of the mailbox aside for people to look at.
pub(super) fn park(step: &Step<'_>, contact: &mut Contact, why: &str) -> Result<Seq, StoreError> {
    let head = contact.taken_seq + 1;
    step.db
        .prepare_cached(
            "INSERT INTO parked (contact, seq, at, payload, why)
             SELECT contact, seq, ?3, payload, ?4 FROM event WHERE contact = ?1 AND seq = ?2",
        )?
        .execute(params![contact.id.0, head, step.now, why])?;
    dead::cap(step)?;
    consume(step, contact, head.unsigned_abs())?;
    contact.crashes = 0;
    contact.failures = 0;
    contact.rest_until = None;
    Ok(head.unsigned_abs())
}

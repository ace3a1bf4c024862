//! The outbox: what is to be sent, in order, what became of it, and who may speak.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::contact::Contact;
use super::writer::Step;
use super::{thread, turn};
use crate::store::{
    ContactId, Fence, OutboxEntry, Owner, Pace, SendClaim, SendOutcome, Sender, Status, StoreError,
    TurnCommit, millis,
};

/// The turn's messages that are neither queued nor in the thread. Asked before the turn writes lines: those may push
/// older ones out.
pub(super) fn unknown<'a>(
    step: &Step<'_>,
    id: ContactId,
    turn: &'a TurnCommit,
) -> Result<Vec<&'a OutboxEntry>, StoreError> {
    let mut new: Vec<&OutboxEntry> = Vec::new();
    for entry in &turn.outbox {
        let known = new.iter().any(|other| other.id == entry.id)
            || thread::has_message(step, id, &entry.id)?
            || place(step, id, &entry.id)?.is_some();
        if !known {
            new.push(entry);
        }
    }
    Ok(new)
}

/// Queues the turn's new messages and writes their lines into the thread.
pub(super) fn append(
    step: &Step<'_>,
    contact: &mut Contact,
    turn: &TurnCommit,
    new: &[&OutboxEntry],
) -> Result<(), StoreError> {
    if new.is_empty() {
        return Ok(());
    }
    let now = millis::timestamp(step.now);
    let may_speak =
        contact.owner.lets_bot_speak(now) || turn.owner.is_some_and(|owner| owner.lets_bot_speak(now));
    // What the bot says while people own the chat counts as said before they took it.
    let takeovers = contact.turn_takeovers - i64::from(!may_speak);
    for entry in new {
        contact.outbox_pos += 1;
        let sender = match entry.sender {
            Sender::Bot => "bot",
            Sender::Person => "person",
        };
        let not_before = entry.not_before.map(millis::ceil);
        step.db
            .prepare_cached(
                "INSERT INTO outbox (contact, pos, id, sender, payload, not_before, ready_at, takeovers)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                contact.id.0,
                contact.outbox_pos,
                entry.id,
                sender,
                entry.payload,
                not_before,
                not_before.unwrap_or(step.now),
                takeovers,
            ])?;
        thread::write(step, contact, &entry.payload, Some(&entry.id))?;
    }
    let count: i64 = step
        .db
        .prepare_cached("SELECT count(*) FROM outbox WHERE contact = ?1")?
        .query_row([contact.id.0], |row| row.get(0))?;
    step.caps
        .check_outbox(usize::try_from(count).unwrap_or(usize::MAX))?;
    if contact.send_at.is_none() {
        requeue(step, contact)?;
    }
    Ok(())
}

struct Head {
    pos: i64,
    entry: OutboxEntry,
    ready_at: i64,
    takeovers: i64,
    attempts: u32,
    uncertain: bool,
    doubts: u32,
    holder_died: bool,
}

/// The value of the column `uncertain`: its lowest bit is the flag, above it are the doubts.
fn doubtful(uncertain: bool, doubts: u32) -> u32 {
    doubts * 2 + u32::from(uncertain)
}

impl Head {
    fn is_void(&self, contact: &Contact) -> bool {
        self.entry.sender == Sender::Bot && self.takeovers < contact.takeovers
    }
}

fn head(step: &Step<'_>, contact: ContactId) -> Result<Option<Head>, StoreError> {
    let found = step
        .db
        .prepare_cached(
            "SELECT pos, id, sender, payload, not_before, ready_at, takeovers, attempts, uncertain
             FROM outbox WHERE contact = ?1 ORDER BY pos LIMIT 1",
        )?
        .query_row([contact.0], |row| {
            Ok(Head {
                pos: row.get(0)?,
                entry: OutboxEntry {
                    id: row.get(1)?,
                    sender: if row.get::<_, String>(2)? == "person" {
                        Sender::Person
                    } else {
                        Sender::Bot
                    },
                    payload: row.get(3)?,
                    not_before: row.get::<_, Option<i64>>(4)?.map(millis::timestamp),
                },
                ready_at: row.get(5)?,
                takeovers: row.get(6)?,
                attempts: row.get(7)?,
                uncertain: row.get::<_, u32>(8)? % 2 == 1,
                doubts: row.get::<_, u32>(8)? / 2,
                holder_died: false,
            })
        })
        .optional()?;
    Ok(found)
}

/// Sets when the outbox can next be claimed. Nobody holds it.
pub(super) fn requeue(step: &Step<'_>, contact: &mut Contact) -> Result<(), StoreError> {
    contact.sending = false;
    contact.send_at = head(step, contact.id)?.map(|head| {
        if head.is_void(contact) {
            step.now
        } else {
            contact.paced.allows(head.ready_at).max(step.now)
        }
    });
    Ok(())
}

pub(super) fn send_claim(
    step: &Step<'_>,
    id: ContactId,
    lease: Duration,
) -> Result<Option<SendClaim>, StoreError> {
    let Some(mut contact) = Contact::load(step, id)? else {
        return Ok(None);
    };
    if contact.send_at.is_none_or(|at| at > step.now) {
        return Ok(None);
    }
    // A lease that ran out: its holder may have sent the head before it died.
    let mut holder_died = contact.sending;
    let claimed = loop {
        let Some(mut head) = head(step, id)? else {
            break None;
        };
        head.holder_died = std::mem::take(&mut holder_died);
        head.uncertain |= head.holder_died;
        if head.is_void(&contact) {
            let why = if head.uncertain {
                "dropped: a person took over; it may have been sent before"
            } else {
                "dropped: a person took over"
            };
            remove(step, &contact, head.pos)?;
            thread::set_state(step, id, &head.entry.id, why)?;
            continue;
        }
        if contact.paced.allows(head.ready_at) > step.now {
            break None;
        }
        break Some(head);
    };
    let Some(head) = claimed else {
        requeue(step, &mut contact)?;
        contact.save(step)?;
        return Ok(None);
    };
    contact.sending = true;
    contact.send_fence += 1;
    contact.send_at = Some(millis::after(step.now, lease));
    contact.save(step)?;
    let attempt = head.attempts + 1;
    step.db
        .prepare_cached("UPDATE outbox SET attempts = ?3, uncertain = ?4 WHERE contact = ?1 AND pos = ?2")?
        .execute(params![
            id.0,
            head.pos,
            attempt,
            doubtful(head.uncertain, head.doubts)
        ])?;
    thread::set_state(step, id, &head.entry.id, "sending")?;
    Ok(Some(SendClaim {
        contact: id,
        aliases: turn::aliases(step, id)?,
        channel: contact.channel,
        entry: head.entry,
        fence: Fence(contact.send_fence.unsigned_abs()),
        attempt,
        uncertain: head.uncertain,
        doubts: head.doubts,
        holder_died: head.holder_died,
        last_in: contact.said_at.map(millis::timestamp),
    }))
}

pub(super) fn send_done(
    step: &Step<'_>,
    claim: &SendClaim,
    outcome: &SendOutcome,
) -> Result<bool, StoreError> {
    let id = claim.contact;
    let Some(mut contact) = Contact::load(step, id)? else {
        return Ok(false);
    };
    if contact.sent_fence.unsigned_abs() == claim.fence.0 {
        return Ok(true);
    }
    if !contact.sending || contact.send_fence.unsigned_abs() != claim.fence.0 {
        return Ok(false);
    }
    let ours = &claim.entry.id;
    let again = |at: i64, attempt: u32, doubts: u32| {
        let doubtful = doubtful(claim.uncertain || doubts > 0, doubts);
        step.db
            .prepare_cached(
                "UPDATE outbox SET ready_at = ?3, attempts = ?4, uncertain = ?5 WHERE contact = ?1 AND id = ?2",
            )?
            .execute(params![id.0, ours, at, attempt, doubtful])
    };
    let state = match outcome {
        SendOutcome::Accepted { message_id, pace } => {
            if let Some(pace) = pace {
                contact.paced = contact.paced.after_a_message(step.now, *pace);
            }
            step.db
                .prepare_cached("UPDATE history SET message_id = ?3 WHERE ours = ?2 AND contact = ?1")?
                .execute(params![id.0, ours, message_id])?;
            "accepted".into()
        }
        SendOutcome::Retry { at, why } => {
            again(millis::ceil(*at), claim.attempt, claim.doubts)?;
            format!("queued: {why}")
        }
        SendOutcome::NotYet { at, why } => {
            again(millis::ceil(*at), claim.attempt - 1, claim.doubts)?;
            format!("queued: {why}")
        }
        SendOutcome::Uncertain { until, why } => {
            again(millis::ceil(*until), claim.attempt, claim.doubts + 1)?;
            format!("uncertain: {why}")
        }
        SendOutcome::Dead { why } => format!("dead: {why}"),
    };
    if matches!(outcome, SendOutcome::Accepted { .. } | SendOutcome::Dead { .. })
        && let Some(pos) = place(step, id, ours)?
    {
        remove(step, &contact, pos)?;
    }
    thread::set_state(step, id, ours, &state)?;
    contact.sent_fence = contact.send_fence;
    requeue(step, &mut contact)?;
    contact.save(step)?;
    Ok(true)
}

pub(super) fn reconcile(step: &Step<'_>, channel: &str, status: &Status) -> Result<bool, StoreError> {
    let by_our_id = match &status.ours {
        None => None,
        Some(ours) => step
            .db
            .prepare_cached(
                "SELECT found.contact FROM (
                    SELECT contact FROM history WHERE ours = ?2 UNION SELECT contact FROM outbox WHERE id = ?2
                 ) AS found JOIN contact ON contact.id = found.contact WHERE contact.channel = ?1",
            )?
            .query_row(params![channel, ours], |row| {
                Ok((ContactId(row.get(0)?), ours.clone()))
            })
            .optional()?,
    };
    let found = match by_our_id {
        Some(found) => Some(found),
        None => step
            .db
            .prepare_cached(
                "SELECT history.contact, history.ours FROM history JOIN contact ON contact.id = history.contact
                 WHERE history.message_id = ?2 AND contact.channel = ?1",
            )?
            .query_row(params![channel, status.message_id], |row| {
                Ok((ContactId(row.get(0)?), row.get(1)?))
            })
            .optional()?,
    };
    let Some((id, ours)) = found else {
        return Ok(false);
    };
    let state = match &status.error {
        None => status.state.clone(),
        Some(error) => format!("{}: {error}", status.state),
    };
    step.db
        .prepare_cached(
            "UPDATE history SET message_id = coalesce(message_id, ?3),
                state = CASE WHEN rank < ?4 THEN ?5 ELSE state END, rank = max(rank, ?4)
             WHERE ours = ?2 AND contact = ?1",
        )?
        .execute(params![id.0, ours, status.message_id, status.rank, state])?;
    settle(step, id, &ours, status.pace)?;
    Ok(true)
}

/// The provider knows the message: it need not be sent again, whoever holds it now.
fn settle(step: &Step<'_>, id: ContactId, ours: &str, pace: Option<Pace>) -> Result<(), StoreError> {
    let Some(pos) = place(step, id, ours)? else {
        return Ok(());
    };
    let Some(mut contact) = Contact::load(step, id)? else {
        return Ok(());
    };
    let is_head = head(step, id)?.is_some_and(|head| head.pos == pos);
    remove(step, &contact, pos)?;
    if is_head {
        if contact.sending {
            contact.sent_fence = contact.send_fence;
        }
        if let Some(pace) = pace {
            contact.paced = contact.paced.after_a_message(step.now, pace);
        }
        requeue(step, &mut contact)?;
        contact.save(step)?;
    }
    Ok(())
}

fn place(step: &Step<'_>, id: ContactId, ours: &str) -> Result<Option<i64>, StoreError> {
    Ok(step
        .db
        .prepare_cached("SELECT pos FROM outbox WHERE id = ?2 AND contact = ?1")?
        .query_row(params![id.0, ours], |row| row.get(0))
        .optional()?)
}

fn remove(step: &Step<'_>, contact: &Contact, pos: i64) -> Result<(), StoreError> {
    step.db
        .prepare_cached("DELETE FROM outbox WHERE contact = ?1 AND pos = ?2")?
        .execute(params![contact.id.0, pos])?;
    Ok(())
}

pub(super) fn set_owner(step: &Step<'_>, id: ContactId, owner: Owner) -> Result<(), StoreError> {
    let Some(mut contact) = Contact::load(step, id)? else {
        return Ok(());
    };
    contact.owner = owner;
    if !owner.lets_bot_speak(millis::timestamp(step.now)) {
        contact.takeovers += 1;
        if !contact.sending {
            // A void head that was to wait must not hold back what people say.
            requeue(step, &mut contact)?;
        }
    }
    contact.save(step)
}

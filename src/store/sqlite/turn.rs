//! A turn: the fenced lease, the one commit that writes everything, and what happens to turns that fail.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::contact::{Contact, Ended, How};
use super::writer::Step;
use super::{mailbox, outbox, thread, timers};
use crate::store::{
    Alias, BACK_OFF, CLAIM_EVENTS, Claim, Committed, ContactId, Failed, Fence, Keep, Nonce, PARK_AFTER,
    StoreError, TurnCommit, millis,
};

/// And whether the holder before died or hung.
pub(super) fn claim(
    step: &Step<'_>,
    id: ContactId,
    nonce: Nonce,
    lease: Duration,
) -> Result<(Option<Claim>, bool), StoreError> {
    let Some(mut contact) = Contact::load(step, id)? else {
        return Ok((None, false));
    };
    let due = contact.run_at.is_some_and(|at| at <= step.now);
    if contact.leased && !due && contact.nonce == bits(nonce) {
        // The same caller, whose first answer was lost.
        return read(step, &contact, CLAIM_EVENTS).map(|claim| (Some(claim), false));
    }
    if !due {
        return Ok((None, false));
    }
    let lost = contact.leased;
    if lost {
        contact.crashes += 1;
        if contact.crashes >= PARK_AFTER {
            let why = format!("its worker died or hung {PARK_AFTER} times on this event");
            mailbox::park(step, &mut contact, &why)?;
        }
    }
    if contact.mailbox_len() == 0 {
        contact.leased = false;
        contact.run_at = None;
        contact.save(step)?;
        return Ok((None, lost));
    }
    contact.leased = true;
    contact.run_at = Some(millis::after(step.now, lease));
    contact.fence += 1;
    contact.nonce = bits(nonce);
    contact.turn_takeovers = contact.takeovers;
    contact.save(step)?;
    read(step, &contact, CLAIM_EVENTS).map(|claim| (Some(claim), lost))
}

/// The claim of a contact that is due and that nobody holds. What of it can't be read is met before anything is written.
pub(super) fn claim_idle(
    step: &Step<'_>,
    id: ContactId,
    nonce: Nonce,
    lease: Duration,
) -> Result<Option<Claim>, StoreError> {
    match Contact::load(step, id)? {
        Some(contact) if !contact.leased && contact.run_at.is_some_and(|at| at <= step.now) => {
            read(step, &contact, CLAIM_EVENTS)?;
            claim(step, id, nonce, lease).map(|(claim, _)| claim)
        }
        Some(_) | None => Ok(None),
    }
}

/// Everything a turn needs, as it is now.
pub(super) fn read(step: &Step<'_>, contact: &Contact, limit: usize) -> Result<Claim, StoreError> {
    Ok(Claim {
        contact: contact.id,
        channel: contact.channel.clone(),
        aliases: aliases(step, contact.id)?,
        owner: contact.owner,
        fence: Fence(contact.fence.unsigned_abs()),
        nonce: Nonce(contact.nonce.cast_unsigned()),
        session: blob(step, "SELECT bytes FROM session WHERE contact = ?1", contact.id)?,
        memory: blob(step, "SELECT bytes FROM memory WHERE contact = ?1", contact.id)?,
        events: mailbox::events(step, contact, limit)?,
        failures: contact.failures,
    })
}

pub(super) fn aliases(step: &Step<'_>, id: ContactId) -> Result<Vec<Alias>, StoreError> {
    let mut rows = step
        .db
        .prepare_cached("SELECT alias FROM alias WHERE contact = ?1 ORDER BY n")?;
    let rows = rows.query_map([id.0], |row| row.get(0).map(Alias))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn blob(step: &Step<'_>, select: &str, id: ContactId) -> Result<Option<Vec<u8>>, StoreError> {
    let found = step
        .db
        .prepare_cached(select)?
        .query_row([id.0], |row| row.get(0))
        .optional()?;
    Ok(found)
}

pub(super) fn commit(step: &Step<'_>, turn: &TurnCommit) -> Result<Committed, StoreError> {
    let Some(mut contact) = Contact::load(step, turn.contact)? else {
        return Ok(Committed::Fenced);
    };
    let holder = (turn.fence, turn.nonce);
    if ended(&contact, holder) == Some(How::Commit) {
        return Ok(Committed::Already);
    }
    if !holds(&contact, holder) {
        return Ok(Committed::Fenced);
    }
    let new = outbox::unknown(step, contact.id, turn)?;
    mailbox::consume(step, &mut contact, turn.upto)?;
    keep(step, contact.id, "session", &turn.session)?;
    keep(step, contact.id, "memory", &turn.memory)?;
    for line in &turn.history {
        thread::write(step, &mut contact, line, None)?;
    }
    outbox::append(step, &mut contact, turn, &new)?;
    if let Some(owner) = turn.owner
        && contact.turn_takeovers == contact.takeovers
    {
        contact.owner = owner;
    }
    timers::change(step, contact.id, &turn.set_timers, &turn.cancel_timers)?;
    timers::add_jobs(step, contact.id, &turn.jobs)?;
    contact.crashes = 0;
    contact.failures = 0;
    contact.active_at = step.now;
    end(&mut contact, holder, How::Commit);
    if contact.mailbox_len() > 0 {
        contact.burst_at = step.now;
        contact.run_at = Some(millis::after(step.now, turn.quiet));
    }
    contact.save(step)?;
    Ok(Committed::Done)
}

pub(super) fn fail(
    step: &Step<'_>,
    id: ContactId,
    fence: Fence,
    nonce: Nonce,
    why: &str,
) -> Result<Failed, StoreError> {
    let Some(mut contact) = Contact::load(step, id)? else {
        return Ok(Failed::Fenced);
    };
    let holder = (fence, nonce);
    match ended(&contact, holder) {
        Some(How::Retry(at)) => return Ok(Failed::RetryAt(millis::timestamp(at))),
        Some(How::Parked(seq)) => return Ok(Failed::Parked(seq.unsigned_abs())),
        Some(How::Commit) => return Ok(Failed::Fenced),
        None => {}
    }
    if !holds(&contact, holder) {
        return Ok(Failed::Fenced);
    }
    contact.failures += 1;
    let rest = BACK_OFF.get(contact.failures as usize - 1);
    let failed = match rest {
        Some(rest) if contact.failures < PARK_AFTER => {
            let at = millis::after(step.now, *rest);
            end(&mut contact, holder, How::Retry(at));
            contact.rest_until = Some(at);
            contact.run_at = Some(at);
            Failed::RetryAt(millis::timestamp(at))
        }
        _ => {
            let seq = mailbox::park(step, &mut contact, why)?;
            end(&mut contact, holder, How::Parked(seq.cast_signed()));
            if contact.mailbox_len() > 0 {
                contact.burst_at = step.now;
                contact.run_at = Some(step.now);
            }
            Failed::Parked(seq)
        }
    };
    contact.save(step)?;
    Ok(failed)
}

fn keep(step: &Step<'_>, id: ContactId, table: &'static str, keep: &Keep) -> Result<(), StoreError> {
    match keep {
        Keep::AsItIs => {}
        Keep::Write(bytes) => {
            step.db
                .prepare_cached(&format!(
                    "INSERT INTO {table} (contact, bytes) VALUES (?1, ?2)
                     ON CONFLICT (contact) DO UPDATE SET bytes = excluded.bytes"
                ))?
                .execute(params![id.0, bytes])?;
        }
        Keep::Remove => {
            step.db
                .prepare_cached(&format!("DELETE FROM {table} WHERE contact = ?1"))?
                .execute([id.0])?;
        }
    }
    Ok(())
}

/// The number of a nonce has no order: any bits will do.
fn bits(nonce: Nonce) -> i64 {
    nonce.0.cast_signed()
}

fn holds(contact: &Contact, (fence, nonce): (Fence, Nonce)) -> bool {
    // A lease that ran out and that nobody took is still its holder's.
    contact.leased && contact.fence.unsigned_abs() == fence.0 && contact.nonce == bits(nonce)
}

fn ended(contact: &Contact, (fence, nonce): (Fence, Nonce)) -> Option<How> {
    let ended = contact.ended?;
    (ended.fence.unsigned_abs() == fence.0 && ended.nonce == bits(nonce)).then_some(ended.how)
}

fn end(contact: &mut Contact, (fence, nonce): (Fence, Nonce), how: How) {
    contact.leased = false;
    contact.run_at = None;
    contact.rest_until = None;
    contact.ended = Some(Ended {
        fence: fence.0.cast_signed(),
        nonce: bits(nonce),
        how,
    });
}

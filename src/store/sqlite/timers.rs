//! Timers and jobs: work that comes back into the mailbox as an event.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::contact::Contact;
use super::mailbox;
use super::writer::Step;
use crate::store::{ContactId, Job, JobClaim, JobId, Nonce, StoreError, TimerId, millis};

pub(super) fn change(
    step: &Step<'_>,
    contact: ContactId,
    set: &[(TimerId, Timestamp, Vec<u8>)],
    cancel: &[TimerId],
) -> Result<(), StoreError> {
    for id in cancel {
        step.db
            .prepare_cached("DELETE FROM timer WHERE contact = ?1 AND id = ?2")?
            .execute(params![contact.0, id.0])?;
    }
    for (id, at, payload) in set {
        step.db
            .prepare_cached(
                "INSERT OR REPLACE INTO timer (contact, id, at, payload) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![contact.0, id.0, millis::ceil(*at), payload])?;
    }
    Ok(())
}

/// A timer is moved, never claimed: a crash can neither lose nor double it.
pub(super) fn fire(step: &Step<'_>, limit: i64) -> Result<usize, StoreError> {
    let due: Vec<(ContactId, String, Vec<u8>)> = step
        .db
        .prepare_cached(
            "SELECT contact, id, payload FROM timer WHERE at <= ?1 ORDER BY at, contact, id LIMIT ?2",
        )?
        .query_map(params![step.now, limit], |row| {
            Ok((ContactId(row.get(0)?), row.get(1)?, row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    for (id, timer, payload) in &due {
        step.db
            .prepare_cached("DELETE FROM timer WHERE contact = ?1 AND id = ?2")?
            .execute(params![id.0, timer])?;
        append(step, *id, payload)?;
    }
    Ok(due.len())
}

fn append(step: &Step<'_>, id: ContactId, payload: &[u8]) -> Result<(), StoreError> {
    let mut contact = Contact::load(step, id)?.ok_or_else(|| StoreError::Corrupt {
        key: format!("contact {id}"),
        why: "it has timers or jobs, but no row".into(),
    })?;
    mailbox::append(step, &mut contact, payload, Duration::ZERO, Duration::ZERO)?;
    contact.save(step)
}

pub(super) fn add_jobs(step: &Step<'_>, contact: ContactId, jobs: &[Job]) -> Result<(), StoreError> {
    for job in jobs {
        let at = job.not_before.map_or(step.now, millis::ceil);
        step.db
            .prepare_cached("INSERT OR IGNORE INTO job (contact, id, at, payload) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![contact.0, job.id.0, at, job.payload])?;
    }
    Ok(())
}

pub(super) fn job_claim(
    step: &Step<'_>,
    lease: Duration,
    nonce: Nonce,
) -> Result<Option<JobClaim>, StoreError> {
    let found = step
        .db
        .prepare_cached(
            "SELECT job.n, job.id, job.contact, contact.channel, job.payload, job.attempt
             FROM job JOIN contact ON contact.id = job.contact WHERE job.at <= ?1 ORDER BY job.at, job.contact, job.id LIMIT 1",
        )?
        .query_row([step.now], |row| {
            let n: i64 = row.get(0)?;
            let claim = JobClaim {
                id: JobId(row.get(1)?),
                contact: ContactId(row.get(2)?),
                channel: row.get(3)?,
                payload: row.get(4)?,
                nonce,
                attempt: row.get::<_, u32>(5)? + 1,
            };
            Ok((n, claim))
        })
        .optional()?;
    let Some((n, claim)) = found else {
        return Ok(None);
    };
    step.db
        .prepare_cached("UPDATE job SET at = ?2, attempt = ?3, nonce = ?4 WHERE n = ?1")?
        .execute(params![
            n,
            millis::after(step.now, lease),
            claim.attempt,
            nonce.0.cast_signed()
        ])?;
    Ok(Some(claim))
}

pub(super) fn job_renew(step: &Step<'_>, claim: &JobClaim, lease: Duration) -> Result<bool, StoreError> {
    let renewed = step
        .db
        .prepare_cached("UPDATE job SET at = ?4 WHERE contact = ?1 AND id = ?2 AND nonce = ?3")?
        .execute(params![
            claim.contact.0,
            claim.id.0,
            claim.nonce.0.cast_signed(),
            millis::after(step.now, lease)
        ])?;
    Ok(renewed > 0)
}

pub(super) fn job_done(step: &Step<'_>, claim: &JobClaim, result: &[u8]) -> Result<bool, StoreError> {
    let gone = step
        .db
        .prepare_cached("DELETE FROM job WHERE contact = ?1 AND id = ?2 AND nonce = ?3")?
        .execute(params![claim.contact.0, claim.id.0, claim.nonce.0.cast_signed()])?;
    if gone == 0 {
        return Ok(false);
    }
    append(step, claim.contact, result)?;
    Ok(true)
}

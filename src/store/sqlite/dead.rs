//! What was put aside for people: events that no turn survived, and what could not be read.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params};

use super::contact::Contact;
use super::mailbox;
use super::writer::Step;
use crate::store::whole::Bytes;
use crate::store::{ContactId, Parked, ParkedId, Quarantined, StoreError, millis};

/// Kept of what could not be read, so that a flood of it does not fill the disk.
const QUARANTINE_ROWS: i64 = 1_000;

/// Only what was merged, or imported so, has an id of its own.
const IS_IT: &str = "(id = ?1 OR (id IS NULL AND lower(hex(contact)) || '.' || seq = ?1)) AND contact = ?2";

/// From the columns `id`, `contact`, `seq`, in this order.
pub(super) fn id(row: &Row<'_>, first: usize) -> rusqlite::Result<ParkedId> {
    let own: Option<String> = row.get(first)?;
    let contact = ContactId(row.get(first + 1)?);
    let seq: i64 = row.get(first + 2)?;
    Ok(own.map_or_else(|| ParkedId::of(contact, seq.unsigned_abs()), ParkedId))
}

/// After something was put aside: the oldest goes if there are too many.
pub(super) fn cap(step: &Step<'_>) -> Result<(), StoreError> {
    let kept = i64::try_from(step.caps.parked_events).unwrap_or(i64::MAX);
    let dropped = step
        .db
        .prepare_cached(
            "DELETE FROM parked WHERE n IN (SELECT n FROM parked ORDER BY n DESC LIMIT -1 OFFSET ?1)",
        )?
        .execute([kept])?;
    if dropped > 0 {
        step.db
            .prepare_cached(
                "INSERT INTO meta (key, value) VALUES ('parked_dropped', ?1)
                 ON CONFLICT (key) DO UPDATE SET value = value + ?1",
            )?
            .execute([dropped.cast_signed() as i64])?;
    }
    Ok(())
}

pub(super) fn parked(step: &Step<'_>, limit: i64) -> Result<Vec<Parked>, StoreError> {
    let mut rows = step.db.prepare_cached(
        "SELECT parked.id, parked.contact, seq, at, payload, why, channel
         FROM parked LEFT JOIN contact ON contact.id = parked.contact ORDER BY n DESC LIMIT ?1",
    )?;
    let rows = rows.query_map([limit], |row| {
        Ok(Parked {
            id: id(row, 0)?,
            contact: ContactId(row.get(1)?),
            channel: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
            seq: row.get::<_, i64>(2)?.unsigned_abs(),
            at: millis::timestamp(row.get(3)?),
            why: row.get(5)?,
            payload: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn unpark(step: &Step<'_>, id: &ParkedId) -> Result<bool, StoreError> {
    let Some(owner) = id.contact() else {
        return Ok(false);
    };
    let payload: Option<Vec<u8>> = step
        .db
        .prepare_cached(&format!("SELECT payload FROM parked WHERE {IS_IT}"))?
        .query_row(params![id.0, owner.0], |row| row.get(0))
        .optional()?;
    let (Some(payload), Some(mut contact)) = (payload, Contact::load(step, owner)?) else {
        return Ok(false);
    };
    discard(step, id)?;
    mailbox::append(step, &mut contact, &payload, Duration::ZERO, Duration::ZERO)?;
    contact.save(step)?;
    Ok(true)
}

pub(super) fn discard(step: &Step<'_>, id: &ParkedId) -> Result<bool, StoreError> {
    let Some(owner) = id.contact() else {
        return Ok(false);
    };
    let gone = step
        .db
        .prepare_cached(&format!("DELETE FROM parked WHERE {IS_IT}"))?
        .execute(params![id.0, owner.0])?;
    Ok(gone > 0)
}

pub(super) fn quarantine(step: &Step<'_>, channel: &str, raw: &[u8], why: &str) -> Result<(), StoreError> {
    let id = Quarantined::id_of(channel, raw);
    put_quarantined(
        step,
        &Quarantined {
            id,
            at: millis::timestamp(step.now),
            channel: channel.to_owned(),
            raw: Bytes(raw.to_vec()),
            why: why.to_owned(),
        },
    )?;
    step.db
        .prepare_cached("DELETE FROM quarantine WHERE n <= ?1")?
        .execute([step.db.last_insert_rowid() - QUARANTINE_ROWS])?;
    Ok(())
}

pub(super) fn put_quarantined(step: &Step<'_>, kept: &Quarantined) -> Result<(), StoreError> {
    step.db
        .prepare_cached(
            "INSERT OR REPLACE INTO quarantine (at, channel, raw, why, id) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            millis::floor(kept.at),
            kept.channel,
            kept.raw.0,
            kept.why,
            kept.id
        ])?;
    Ok(())
}

/// Newest first. Rows of a version that gave them no id get it here.
pub(super) fn quarantined(step: &Step<'_>, limit: i64) -> Result<Vec<Quarantined>, StoreError> {
    let mut rows = step
        .db
        .prepare_cached("SELECT at, channel, raw, why, id FROM quarantine ORDER BY n DESC LIMIT ?1")?;
    let rows = rows.query_map([limit], |row| {
        let (channel, raw): (String, Vec<u8>) = (row.get(1)?, row.get(2)?);
        let id: Option<String> = row.get(4)?;
        Ok(Quarantined {
            id: id.unwrap_or_else(|| Quarantined::id_of(&channel, &raw)),
            at: millis::timestamp(row.get(0)?),
            channel,
            raw: Bytes(raw),
            why: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn discard_quarantined(step: &Step<'_>, id: &str) -> Result<bool, StoreError> {
    let all: Vec<(i64, String, Vec<u8>, Option<String>)> = step
        .db
        .prepare_cached("SELECT n, channel, raw, id FROM quarantine WHERE id = ?1 OR id IS NULL")?
        .query_map([id], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut gone = false;
    for (n, channel, raw, own) in all {
        if own.unwrap_or_else(|| Quarantined::id_of(&channel, &raw)) == id {
            step.db
                .prepare_cached("DELETE FROM quarantine WHERE n = ?1")?
                .execute([n])?;
            gone = true;
        }
    }
    Ok(gone)
}

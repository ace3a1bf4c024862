//! The thread of a contact, the lists for pages and tools, and the settings.

use rusqlite::{OptionalExtension, params};

use super::contact::Contact;
use super::writer::Step;
use crate::store::{ContactId, Due, HistoryEntry, StoreError, millis};

/// Adds a line; `ours` is the id of a message of ours.
pub(super) fn write(
    step: &Step<'_>,
    contact: &mut Contact,
    payload: &[u8],
    ours: Option<&str>,
) -> Result<(), StoreError> {
    contact.history_seq += 1;
    let state = ours.map(|_| "queued");
    step.db
        .prepare_cached(
            "INSERT INTO history (contact, seq, at, payload, ours, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            contact.id.0,
            contact.history_seq,
            step.now,
            payload,
            ours,
            state
        ])?;
    let kept = i64::try_from(step.caps.history_entries).unwrap_or(i64::MAX);
    if contact.history_seq > kept {
        step.db
            .prepare_cached("DELETE FROM history WHERE contact = ?1 AND seq <= ?2")?
            .execute(params![contact.id.0, contact.history_seq - kept])?;
    }
    Ok(())
}

/// How far a message of ours got, as far as we know; what the provider says of it stands above.
pub(super) fn set_state(step: &Step<'_>, id: ContactId, ours: &str, state: &str) -> Result<(), StoreError> {
    step.db
        .prepare_cached("UPDATE history SET state = ?3 WHERE ours = ?2 AND contact = ?1 AND rank < 0")?
        .execute(params![id.0, ours, state])?;
    Ok(())
}

pub(super) fn has_message(step: &Step<'_>, id: ContactId, ours: &str) -> Result<bool, StoreError> {
    Ok(step
        .db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM history WHERE ours = ?2 AND contact = ?1)")?
        .query_row(params![id.0, ours], |row| row.get(0))?)
}

pub(super) fn history(step: &Step<'_>, id: ContactId, limit: i64) -> Result<Vec<HistoryEntry>, StoreError> {
    let mut rows = step.db.prepare_cached(
        "SELECT seq, at, payload, ours, state FROM history WHERE contact = ?1 ORDER BY seq DESC LIMIT ?2",
    )?;
    let rows = rows.query_map(params![id.0, limit], |row| {
        let (ours, state): (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
        Ok(HistoryEntry {
            seq: row.get::<_, i64>(0)?.unsigned_abs(),
            at: millis::timestamp(row.get(1)?),
            payload: row.get(2)?,
            status: ours.zip(state),
        })
    })?;
    let mut lines: Vec<HistoryEntry> = rows.collect::<Result<_, _>>()?;
    lines.reverse();
    Ok(lines)
}

pub(super) fn contacts(step: &Step<'_>, limit: i64) -> Result<Vec<ContactId>, StoreError> {
    ids(
        step,
        "SELECT id FROM contact WHERE ?1 = ?1 ORDER BY active_at DESC, id DESC LIMIT ?2",
        limit,
    )
}

pub(super) fn due(step: &Step<'_>, kind: Due, limit: i64) -> Result<Vec<ContactId>, StoreError> {
    let select = match kind {
        Due::Run => "SELECT id FROM contact WHERE run_at <= ?1 ORDER BY run_at, id LIMIT ?2",
        Due::Send => "SELECT id FROM contact WHERE send_at <= ?1 ORDER BY send_at, id LIMIT ?2",
        Due::Timer => {
            "SELECT contact FROM timer WHERE at <= ?1 GROUP BY contact ORDER BY min(at), contact LIMIT ?2"
        }
        Due::Job => {
            "SELECT contact FROM job WHERE at <= ?1 GROUP BY contact ORDER BY min(at), contact LIMIT ?2"
        }
    };
    ids(step, select, limit)
}

fn ids(step: &Step<'_>, select: &str, limit: i64) -> Result<Vec<ContactId>, StoreError> {
    let mut rows = step.db.prepare_cached(select)?;
    let rows = rows.query_map(params![step.now, limit], |row| row.get(0).map(ContactId))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn next_due(step: &Step<'_>, kind: Due) -> Result<Option<i64>, StoreError> {
    let select = match kind {
        Due::Run => "SELECT min(run_at) FROM contact WHERE run_at IS NOT NULL",
        Due::Send => "SELECT min(send_at) FROM contact WHERE send_at IS NOT NULL",
        Due::Timer => "SELECT min(at) FROM timer",
        Due::Job => "SELECT min(at) FROM job",
    };
    Ok(step.db.prepare_cached(select)?.query_row([], |row| row.get(0))?)
}

pub(super) fn put_setting(step: &Step<'_>, key: &str, value: &[u8]) -> Result<(), StoreError> {
    step.db
        .prepare_cached(
            "INSERT INTO setting (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![key, value])?;
    Ok(())
}

pub(super) fn remove_setting(step: &Step<'_>, key: &str) -> Result<(), StoreError> {
    step.db
        .prepare_cached("DELETE FROM setting WHERE key = ?1")?
        .execute([key])?;
    Ok(())
}

pub(super) fn setting(step: &Step<'_>, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(step
        .db
        .prepare_cached("SELECT value FROM setting WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?)
}

pub(super) fn swap_setting(
    step: &Step<'_>,
    key: &str,
    seen: Option<&[u8]>,
    value: Option<&[u8]>,
) -> Result<bool, StoreError> {
    let now = setting(step, key)?;
    if now.as_deref() != seen {
        return Ok(now.as_deref() == value);
    }
    match value {
        Some(value) => put_setting(step, key, value)?,
        None => remove_setting(step, key)?,
    }
    Ok(true)
}

pub(super) fn settings(step: &Step<'_>, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    // Not LIKE, which takes some letters of the prefix for patterns and small for capital ones.
    let mut rows = step.db.prepare_cached(
        "SELECT key, value FROM setting WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key",
    )?;
    let rows = rows.query_map([prefix], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

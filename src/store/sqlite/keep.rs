//! The store as a whole: what it holds, what it forgets in time, and its records going out and in.

use rusqlite::{OptionalExtension, params};

use super::contact::Contact;
use super::writer::Step;
use super::{dead, people, thread, whole};
use crate::store::erasure::KEY_SETTING;
use crate::store::{
    Bytes, ContactId, Cursor, Imported, Page, Quarantined, Record, Retention, Stats, StoreError, Trimmed,
    millis,
};

pub(super) fn stats(step: &Step<'_>) -> Result<Stats, StoreError> {
    let number = |sql: &str| -> Result<Option<i64>, StoreError> {
        Ok(step
            .db
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))
            .optional()?
            .flatten())
    };
    let count = |sql: &str| -> Result<u64, StoreError> { Ok(number(sql)?.unwrap_or(0).unsigned_abs()) };
    let since = |sql: &str| -> Result<_, StoreError> {
        Ok(number(sql)?.filter(|at| *at <= step.now).map(millis::timestamp))
    };
    Ok(Stats {
        contacts: count("SELECT count(*) FROM contact")?,
        // Who has events has a time to be answered.
        waiting: count("SELECT sum(last_seq - taken_seq) FROM contact WHERE run_at IS NOT NULL")?,
        oldest_due: since("SELECT min(run_at) FROM contact WHERE run_at IS NOT NULL AND NOT leased")?,
        outbox: count("SELECT count(*) FROM outbox")?,
        oldest_send: since("SELECT min(send_at) FROM contact WHERE send_at IS NOT NULL AND NOT sending")?,
        timers: count("SELECT count(*) FROM timer")?,
        jobs: count("SELECT count(*) FROM job")?,
        parked: count("SELECT count(*) FROM parked")?,
        parked_dropped: count("SELECT value FROM meta WHERE key = 'parked_dropped'")?,
        quarantined: count("SELECT count(*) FROM quarantine")?,
        leases_lost: 0,
        bytes: Some(count("PRAGMA page_count")? * count("PRAGMA page_size")?),
        bytes_limit: None,
        unreadable: 0,
        workers: Vec::new(),
        format: None,
    })
}

/// Contacts in the order of their ids.
pub(super) fn ids_after(
    step: &Step<'_>,
    after: Option<ContactId>,
    limit: i64,
) -> Result<Vec<ContactId>, StoreError> {
    let mut rows = step
        .db
        .prepare_cached("SELECT id FROM contact WHERE id > ?1 OR ?1 IS NULL ORDER BY id LIMIT ?2")?;
    let rows = rows.query_map(params![after.map(|id| id.0), limit], |row| {
        row.get(0).map(ContactId)
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn trim(
    step: &Step<'_>,
    after: Option<&Cursor>,
    keep: &Retention,
    limit: i64,
) -> Result<Trimmed, StoreError> {
    let mut trimmed = Trimmed::default();
    let before = |age: std::time::Duration| step.now.saturating_sub(millis::after(0, age));
    if after.is_none() {
        let forget = |sql: &str, age| -> Result<u64, StoreError> {
            Ok(step.db.prepare_cached(sql)?.execute([before(age)])? as u64)
        };
        trimmed.parked = forget("DELETE FROM parked WHERE at < ?1", keep.dead)?;
        trimmed.quarantined = forget("DELETE FROM quarantine WHERE at < ?1", keep.dead)?;
        trimmed.tombstones = forget("DELETE FROM tombstone WHERE at < ?1", step.caps.dedup_for)?;
    }
    let after = after.and_then(|cursor| cursor.0.parse::<ContactId>().ok());
    let ids = ids_after(step, after, limit)?;
    for id in &ids {
        trimmed.lines += step
            .db
            .prepare_cached("DELETE FROM history WHERE contact = ?1 AND at < ?2")?
            .execute(params![id.0, before(keep.history)])? as u64;
        let silent = "contact = ?1 AND EXISTS (SELECT 1 FROM contact WHERE id = ?1 AND active_at < ?2
            AND run_at IS NULL AND send_at IS NULL)";
        let mut gone = step
            .db
            .prepare_cached(&format!("DELETE FROM session WHERE {silent}"))?
            .execute(params![id.0, before(keep.memory)])?;
        let memory: Option<Vec<u8>> = step
            .db
            .prepare_cached(&format!("SELECT bytes FROM memory WHERE {silent}"))?
            .query_row(params![id.0, before(keep.memory)], |row| row.get(0))
            .optional()?;
        if let Some(memory) = memory {
            gone += match (keep.stays.0)(&memory) {
                Some(stays) if stays == memory => 0,
                Some(stays) => step
                    .db
                    .prepare_cached("UPDATE memory SET bytes = ?2 WHERE contact = ?1")?
                    .execute(params![id.0, stays])?,
                None => step
                    .db
                    .prepare_cached("DELETE FROM memory WHERE contact = ?1")?
                    .execute(params![id.0])?,
            };
        }
        trimmed.memories += u64::from(gone > 0);
    }
    let whole_page = i64::try_from(ids.len()).is_ok_and(|count| count >= limit);
    trimmed.next = ids.last().filter(|_| whole_page).map(|id| Cursor(id.to_string()));
    Ok(trimmed)
}

/// The kinds of records, in the order they go out; a cursor names the kind and the last key of it.
const KINDS: [char; 4] = ['s', 't', 'q', 'c'];

pub(super) fn export(step: &Step<'_>, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
    let unreadable = || StoreError::Corrupt {
        key: "the cursor of an export".into(),
        why: "it is not one of this store's".into(),
    };
    let (mut kind, mut key) = match after {
        None => (0, None),
        Some(Cursor(text)) => {
            let (kind, key) = text.split_once(':').ok_or_else(unreadable)?;
            let kind = KINDS
                .iter()
                .position(|one| kind.starts_with(*one))
                .ok_or_else(unreadable)?;
            (kind, Some(key.to_owned()))
        }
    };
    let mut records = Vec::new();
    let mut last = None;
    while kind < KINDS.len() && records.len() < limit {
        let room = limit - records.len();
        let found = match KINDS[kind] {
            's' => settings(step, key.as_deref(), room)?,
            't' => tombstones(step, key.as_deref(), room)?,
            'q' => quarantined(step, key.as_deref(), room)?,
            _ => contacts(step, key.as_deref(), room)?,
        };
        if let Some((key, _)) = found.last() {
            last = Some(Cursor(format!("{}:{key}", KINDS[kind])));
        }
        if found.len() < room {
            kind += 1;
            key = None;
        }
        records.extend(found.into_iter().map(|(_, record)| record));
    }
    Ok(Page {
        next: if kind < KINDS.len() {
            last.or(after.cloned())
        } else {
            None
        },
        records,
    })
}

type Keyed = Vec<(String, Record)>;

fn settings(step: &Step<'_>, after: Option<&str>, limit: usize) -> Result<Keyed, StoreError> {
    let mut rows = step.db.prepare_cached(
        "SELECT key, value FROM setting WHERE key > ?1 OR ?1 IS NULL ORDER BY key LIMIT ?2",
    )?;
    let rows = rows.query_map(params![after, super::rows(limit)], |row| {
        let key: String = row.get(0)?;
        let value = Bytes(row.get(1)?);
        Ok((key.clone(), Record::Setting { key, value }))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn tombstones(step: &Step<'_>, after: Option<&str>, limit: usize) -> Result<Keyed, StoreError> {
    let mut rows = step.db.prepare_cached(
        "SELECT contact, at, last_seq, fence, send_fence, seen, lower(hex(contact)) AS key FROM tombstone
         WHERE key > ?1 OR ?1 IS NULL ORDER BY key LIMIT ?2",
    )?;
    let rows = rows.query_map(params![after, super::rows(limit)], |row| {
        Ok((row.get(6)?, Record::Tombstone(people::read_tombstone(row)?)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn quarantined(step: &Step<'_>, after: Option<&str>, limit: usize) -> Result<Keyed, StoreError> {
    let mut all = dead::quarantined(step, i64::MAX)?;
    all.sort_by(|one, other| one.id.cmp(&other.id));
    let beyond = |kept: &Quarantined| after.is_none_or(|after| kept.id.as_str() > after);
    Ok(all
        .into_iter()
        .filter(beyond)
        .take(limit)
        .map(|kept| (kept.id.clone(), Record::Quarantined(kept)))
        .collect())
}

fn contacts(step: &Step<'_>, after: Option<&str>, limit: usize) -> Result<Keyed, StoreError> {
    let after = after.and_then(|id| id.parse::<ContactId>().ok());
    let ids = ids_after(step, after, super::rows(limit))?;
    let mut found = Vec::new();
    for id in ids {
        if let Some(contact) = whole::read(step, id)? {
            found.push((id.to_string(), Record::Contact(Box::new(contact))));
        }
    }
    Ok(found)
}

pub(super) fn import(step: &Step<'_>, records: &[Record]) -> Result<Imported, StoreError> {
    let mut done = Imported::default();
    for record in records {
        match record {
            Record::Setting { key, value } => match thread::setting(step, key)? {
                Some(own) if own == value.0 => done.same += 1,
                Some(_) if key == KEY_SETTING && has_tombstones(step)? => {
                    return Err(StoreError::Clash("a key for erased contacts".into()));
                }
                Some(_) if key != KEY_SETTING => done.kept += 1,
                Some(_) | None => {
                    thread::put_setting(step, key, &value.0)?;
                    done.written += 1;
                }
            },
            Record::Tombstone(stone) => {
                people::put_tombstone(step, stone)?;
                done.written += 1;
            }
            Record::Quarantined(kept) => {
                let ids = dead::quarantined(step, i64::MAX)?;
                if ids.iter().any(|own| own.id == kept.id) {
                    done.same += 1;
                } else {
                    dead::put_quarantined(step, kept)?;
                    done.written += 1;
                }
            }
            Record::Contact(contact) => {
                if import_contact(step, contact)? {
                    done.written += 1;
                } else {
                    done.same += 1;
                }
            }
        }
    }
    Ok(done)
}

fn has_tombstones(step: &Step<'_>) -> Result<bool, StoreError> {
    Ok(step
        .db
        .query_row("SELECT EXISTS (SELECT 1 FROM tombstone)", [], |row| row.get(0))?)
}

/// `false`: it is there just so.
fn import_contact(step: &Step<'_>, contact: &crate::store::WholeContact) -> Result<bool, StoreError> {
    let id = contact.contact;
    if Contact::load(step, id)?.is_some() {
        return if whole::read(step, id)?.as_ref() == Some(contact) {
            Ok(false)
        } else {
            Err(StoreError::Clash(format!("the contact {id}")))
        };
    }
    for one in contact.merged.iter().chain([&id]) {
        if Contact::load(step, *one)?.is_some() || people::moved_to(step, *one)?.is_some() {
            return Err(StoreError::Clash(format!("the contact {one}")));
        }
    }
    for alias in &contact.aliases {
        let owner: Option<[u8; 16]> = step
            .db
            .prepare_cached("SELECT contact FROM alias WHERE channel = ?1 AND alias = ?2")?
            .query_row(params![contact.channel, alias.0], |row| row.get(0))
            .optional()?;
        if let Some(owner) = owner {
            let owner = ContactId(owner);
            return Err(StoreError::Clash(format!(
                "an alias of the contact {id}, of the contact {owner},"
            )));
        }
    }
    whole::write(step, contact)?;
    Ok(true)
}

//! Contacts that go: erased, or merged into another; and what is remembered of them.

use rusqlite::{OptionalExtension, params};

use super::contact::Contact;
use super::writer::Step;
use super::{thread, whole};
use crate::store::erasure::{ErasureKey, KEY_SETTING, Tombstone, names};
use crate::store::whole::{Bytes, merged};
use crate::store::{Alias, ContactId, Merged, StoreError, millis};

pub(super) fn key(step: &Step<'_>) -> Result<Option<ErasureKey>, StoreError> {
    let setting = thread::setting(step, KEY_SETTING)?;
    Ok(setting.as_deref().and_then(ErasureKey::read))
}

/// Where what is meant for this contact goes since it was merged.
pub(super) fn moved_to(step: &Step<'_>, id: ContactId) -> Result<Option<ContactId>, StoreError> {
    Ok(step
        .db
        .prepare_cached("SELECT into_contact FROM moved WHERE contact = ?1")?
        .query_row([id.0], |row| row.get(0).map(ContactId))
        .optional()?)
}

pub(super) fn tombstone(step: &Step<'_>, id: ContactId) -> Result<Option<Tombstone>, StoreError> {
    let Some(key) = key(step)? else {
        return Ok(None);
    };
    let forgotten = step.now.saturating_sub(millis::after(0, step.caps.dedup_for));
    Ok(step
        .db
        .prepare_cached(
            "SELECT contact, at, last_seq, fence, send_fence, seen FROM tombstone WHERE contact = ?1 AND at > ?2",
        )?
        .query_row(params![key.contact(id), forgotten], read_tombstone)
        .optional()?)
}

pub(super) fn read_tombstone(row: &rusqlite::Row<'_>) -> rusqlite::Result<Tombstone> {
    Ok(Tombstone {
        contact: Bytes(row.get(0)?),
        at: millis::timestamp(row.get(1)?),
        last_seq: row.get::<_, i64>(2)?.unsigned_abs(),
        fence: row.get::<_, i64>(3)?.unsigned_abs(),
        send_fence: row.get::<_, i64>(4)?.unsigned_abs(),
        seen: Bytes(row.get(5)?),
    })
}

pub(super) fn put_tombstone(step: &Step<'_>, stone: &Tombstone) -> Result<(), StoreError> {
    step.db
        .prepare_cached(
            "INSERT OR REPLACE INTO tombstone (contact, at, last_seq, fence, send_fence, seen)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            stone.contact.0,
            millis::floor(stone.at),
            stone.last_seq.cast_signed(),
            stone.fence.cast_signed(),
            stone.send_fence.cast_signed(),
            stone.seen.0
        ])?;
    Ok(())
}

/// Whether this event was seen before the contact was erased. If that is all that ever came since, nothing of it stays.
pub(super) fn was_seen(step: &Step<'_>, contact: &Contact, dedupe: &str) -> Result<bool, StoreError> {
    let (Some(key), Some(stone)) = (key(step)?, tombstone(step, contact.id)?) else {
        return Ok(false);
    };
    let seen = stone.knows(key.event(dedupe));
    if seen && contact.last_seq.unsigned_abs() == stone.last_seq && contact.history_seq == 0 {
        whole::remove(step, contact.id)?;
    }
    Ok(seen)
}

/// `fresh` becomes the store's key if it has none.
pub(super) fn erase(step: &Step<'_>, id: ContactId, fresh: ErasureKey) -> Result<bool, StoreError> {
    let Some(contact) = Contact::load(step, id)? else {
        return Ok(false);
    };
    let key = match key(step)? {
        Some(key) => key,
        None => {
            thread::put_setting(step, KEY_SETTING, &fresh.0)?;
            fresh
        }
    };
    let aliases = super::turn::aliases(step, id)?;
    let mut seen = Vec::new();
    let mut rows = step
        .db
        .prepare_cached("SELECT id FROM seen WHERE contact = ?1 ORDER BY n")?;
    for dedupe in rows.query_map([id.0], |row| row.get::<_, String>(0))? {
        seen.extend_from_slice(&key.event(&dedupe?));
    }
    drop(rows);
    // A person comes back under the id of any alias.
    let mut ids: Vec<ContactId> = aliases
        .iter()
        .map(|alias| ContactId::of(&contact.channel, alias))
        .collect();
    ids.push(id);
    ids.sort();
    ids.dedup();
    for one in ids {
        let stone = Tombstone {
            contact: Bytes(key.contact(one).to_vec()),
            at: millis::timestamp(step.now),
            last_seq: contact.last_seq.unsigned_abs(),
            fence: contact.fence.unsigned_abs(),
            send_fence: contact.send_fence.unsigned_abs(),
            seen: Bytes(seen.clone()),
        };
        let stone = stone.and_earlier(tombstone(step, one)?, step.caps.dedup_ids);
        put_tombstone(step, &stone)?;
    }
    whole::remove(step, id)?;
    forget_unreadable(step, &aliases)?;
    Ok(true)
}

fn forget_unreadable(step: &Step<'_>, aliases: &[Alias]) -> Result<(), StoreError> {
    let all: Vec<(i64, Vec<u8>)> = step
        .db
        .prepare_cached("SELECT n, raw FROM quarantine")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (n, raw) in all {
        if names(&raw, aliases) {
            step.db
                .prepare_cached("DELETE FROM quarantine WHERE n = ?1")?
                .execute([n])?;
        }
    }
    Ok(())
}

pub(super) fn merge(step: &Step<'_>, from: ContactId, into: ContactId) -> Result<Merged, StoreError> {
    if from == into {
        return Ok(Merged::Refused("it is one contact"));
    }
    if moved_to(step, from)? == Some(into) {
        return Ok(Merged::Already);
    }
    let (Some(gone), Some(stays)) = (Contact::load(step, from)?, Contact::load(step, into)?) else {
        return Ok(Merged::Refused("one of them is not known"));
    };
    if gone.channel != stays.channel {
        return Ok(Merged::Refused("they are of different numbers of the business"));
    }
    let held = |contact: &Contact| {
        let until = |at: Option<i64>| at.is_some_and(|at| at > step.now);
        (contact.leased && until(contact.run_at)) || (contact.sending && until(contact.send_at))
    };
    if held(&gone) || held(&stays) {
        return Ok(Merged::Busy);
    }
    let (Some(gone), Some(stays)) = (whole::read(step, from)?, whole::read(step, into)?) else {
        return Ok(Merged::Refused("one of them is not known"));
    };
    let both = merged(gone, stays, step.caps, millis::timestamp(step.now));
    whole::remove(step, from)?;
    whole::remove(step, into)?;
    whole::write(step, &both)?;
    Ok(Merged::Done)
}

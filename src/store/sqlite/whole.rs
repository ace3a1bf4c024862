//! A contact as one value: read, written and removed in one step each.

use jiff::Timestamp;
use rusqlite::{Row, ToSql, params};

use super::contact::{Contact, Ended, How};
use super::writer::Step;
use super::{dead, turn};
use crate::store::pace::Paced;
use crate::store::whole::{
    Bytes, EndedAs, EndedLease, SeenId, WholeContact, WholeEntry, WholeEvent, WholeJob, WholeLine, WholePace,
    WholeParked, WholeTimer,
};
use crate::store::{ContactId, ParkedId, Sender, StoreError, millis};

/// The tables that hold something of a contact, each with its column.
const OF_A_CONTACT: [&str; 12] = [
    "alias", "session", "memory", "event", "seen", "outbox", "timer", "job", "history", "parked", "moved",
    "contact",
];

fn all<T>(
    step: &Step<'_>,
    select: &str,
    with: impl rusqlite::Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut rows = step.db.prepare_cached(select)?;
    let rows = rows.query_map(with, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(millis::timestamp)
}

fn bytes(row: &Row<'_>, column: usize) -> rusqlite::Result<Bytes> {
    row.get(column).map(Bytes)
}

pub(super) fn read(step: &Step<'_>, id: ContactId) -> Result<Option<WholeContact>, StoreError> {
    let Some(contact) = Contact::load(step, id)? else {
        return Ok(None);
    };
    let claim = turn::read(step, &contact, usize::MAX)?;
    let forget = step.now.saturating_sub(millis::after(0, step.caps.dedup_for));
    let mut outbox = all(
        step,
        "SELECT id, sender, payload, not_before, ready_at, takeovers, attempts, uncertain
         FROM outbox WHERE contact = ?1 ORDER BY pos",
        [id.0],
        |row| {
            let sender: String = row.get(1)?;
            let sender = if sender == "person" {
                Sender::Person
            } else {
                Sender::Bot
            };
            let doubtful: u32 = row.get(7)?;
            Ok(WholeEntry {
                id: row.get(0)?,
                sender,
                payload: bytes(row, 2)?,
                not_before: row.get::<_, Option<i64>>(3)?.map(millis::timestamp),
                ready_at: time(row, 4)?,
                void: sender == Sender::Bot && row.get::<_, i64>(5)? < contact.takeovers,
                attempts: row.get(6)?,
                uncertain: doubtful % 2 == 1,
                doubts: doubtful / 2,
            })
        },
    )?;
    if let (true, Some(until), Some(head)) = (contact.sending, contact.send_at, outbox.first_mut()) {
        head.uncertain = true;
        head.ready_at = millis::timestamp(until);
    }
    let of = [id.0];
    Ok(Some(WholeContact {
        contact: id,
        channel: contact.channel,
        aliases: claim.aliases,
        merged: all(
            step,
            "SELECT contact FROM moved WHERE into_contact = ?1 ORDER BY contact",
            of,
            |row| row.get(0).map(ContactId),
        )?,
        owner: contact.owner,
        takeovers: contact.takeovers.unsigned_abs(),
        said_at: contact.said_at.map(millis::timestamp),
        active_at: millis::timestamp(contact.active_at),
        session: claim.session.map(Bytes),
        memory: claim.memory.map(Bytes),
        mailbox: claim
            .events
            .into_iter()
            .map(|event| WholeEvent {
                seq: event.seq,
                at: event.at,
                payload: Bytes(event.payload),
            })
            .collect(),
        last_seq: contact.last_seq.unsigned_abs(),
        seen: all(
            step,
            "SELECT id, at FROM seen WHERE contact = ?1 AND at > ?2 ORDER BY n",
            params![id.0, forget],
            |row| {
                Ok(SeenId {
                    id: row.get(0)?,
                    at: time(row, 1)?,
                })
            },
        )?,
        burst_at: millis::timestamp(contact.burst_at),
        run_at: contact.run_at.map(millis::timestamp),
        rest_until: contact.rest_until.map(millis::timestamp),
        fence: contact.fence.unsigned_abs(),
        crashes: contact.crashes,
        failures: contact.failures,
        ended: contact.ended.map(|ended| EndedLease {
            fence: ended.fence.unsigned_abs(),
            nonce: ended.nonce.cast_unsigned(),
            how: match ended.how {
                How::Commit => EndedAs::Commit,
                How::Retry(at) => EndedAs::Retry(millis::timestamp(at)),
                How::Parked(seq) => EndedAs::Parked(seq.unsigned_abs()),
            },
        }),
        outbox,
        send_fence: contact.send_fence.unsigned_abs(),
        sent_fence: contact.sent_fence.unsigned_abs(),
        pace: (contact.paced.empty_at > 0).then(|| WholePace {
            empty_at: millis::timestamp(contact.paced.empty_at),
            until: millis::timestamp(contact.paced.until),
        }),
        thread: all(
            step,
            "SELECT seq, at, payload, ours, state, message_id, rank FROM history WHERE contact = ?1 ORDER BY seq",
            of,
            |row| {
                Ok(WholeLine {
                    seq: row.get::<_, i64>(0)?.unsigned_abs(),
                    at: time(row, 1)?,
                    payload: bytes(row, 2)?,
                    ours: row.get(3)?,
                    state: row.get(4)?,
                    message_id: row.get(5)?,
                    rank: u8::try_from(row.get::<_, i64>(6)?).ok(),
                })
            },
        )?,
        lines: contact.history_seq.unsigned_abs(),
        timers: all(
            step,
            "SELECT id, at, payload FROM timer WHERE contact = ?1 ORDER BY id",
            of,
            |row| {
                Ok(WholeTimer {
                    id: row.get(0)?,
                    at: time(row, 1)?,
                    payload: bytes(row, 2)?,
                })
            },
        )?,
        jobs: all(
            step,
            "SELECT id, at, payload, attempt FROM job WHERE contact = ?1 ORDER BY n",
            of,
            |row| {
                Ok(WholeJob {
                    id: row.get(0)?,
                    at: time(row, 1)?,
                    payload: bytes(row, 2)?,
                    attempt: row.get(3)?,
                })
            },
        )?,
        parked: all(
            step,
            "SELECT id, contact, seq, at, why, payload FROM parked WHERE contact = ?1 ORDER BY n",
            of,
            |row| {
                Ok(WholeParked {
                    id: dead::id(row, 0)?,
                    seq: row.get::<_, i64>(2)?.unsigned_abs(),
                    at: time(row, 3)?,
                    why: row.get(4)?,
                    payload: bytes(row, 5)?,
                })
            },
        )?,
        erased: contact.erased,
    }))
}

/// Writes it where nothing of the contact is.
pub(super) fn write(step: &Step<'_>, whole: &WholeContact) -> Result<(), StoreError> {
    let id = whole.contact;
    let mut contact = Contact::make(step, id, &whole.channel)?;
    contact.owner = whole.owner;
    contact.takeovers = whole.takeovers.cast_signed();
    contact.turn_takeovers = contact.takeovers;
    contact.said_at = whole.said_at.map(millis::floor);
    contact.active_at = millis::floor(whole.active_at);
    contact.last_seq = whole.last_seq.cast_signed();
    contact.taken_seq = contact.last_seq - whole.mailbox.len().cast_signed() as i64;
    contact.burst_at = millis::floor(whole.burst_at);
    contact.run_at = whole.run_at.map(millis::floor);
    contact.rest_until = whole.rest_until.map(millis::floor);
    contact.fence = whole.fence.cast_signed();
    contact.crashes = whole.crashes;
    contact.failures = whole.failures;
    contact.ended = whole.ended.as_ref().map(|ended| Ended {
        fence: ended.fence.cast_signed(),
        nonce: ended.nonce.cast_signed(),
        how: match ended.how {
            EndedAs::Commit => How::Commit,
            EndedAs::Retry(at) => How::Retry(millis::floor(at)),
            EndedAs::Parked(seq) => How::Parked(seq.cast_signed()),
        },
    });
    contact.send_fence = whole.send_fence.cast_signed();
    contact.sent_fence = whole.sent_fence.cast_signed();
    contact.paced = whole.pace.map_or_else(Paced::default, |pace| Paced {
        empty_at: millis::floor(pace.empty_at),
        until: millis::floor(pace.until),
    });
    contact.history_seq = whole.lines.cast_signed();
    contact.erased = whole.erased;
    let insert = |sql: &str, with: &[&dyn ToSql]| step.db.prepare_cached(sql)?.execute(with);
    for alias in &whole.aliases {
        insert(
            "INSERT INTO alias (channel, alias, contact) VALUES (?1, ?2, ?3)",
            params![whole.channel, alias.0, id.0],
        )?;
    }
    for merged in &whole.merged {
        insert(
            "INSERT OR REPLACE INTO moved (contact, into_contact, at) VALUES (?1, ?2, ?3)",
            params![merged.0, id.0, step.now],
        )?;
    }
    for (table, blob) in [("session", &whole.session), ("memory", &whole.memory)] {
        if let Some(blob) = blob {
            insert(
                &format!("INSERT INTO {table} (contact, bytes) VALUES (?1, ?2)"),
                params![id.0, blob.0],
            )?;
        }
    }
    for event in &whole.mailbox {
        insert(
            "INSERT INTO event (contact, seq, at, payload) VALUES (?1, ?2, ?3, ?4)",
            params![
                id.0,
                event.seq.cast_signed(),
                millis::floor(event.at),
                event.payload.0
            ],
        )?;
    }
    for seen in &whole.seen {
        contact.seen_n += 1;
        insert(
            "INSERT OR REPLACE INTO seen (contact, id, n, at) VALUES (?1, ?2, ?3, ?4)",
            params![id.0, seen.id, contact.seen_n, millis::floor(seen.at)],
        )?;
    }
    for entry in &whole.outbox {
        contact.outbox_pos += 1;
        let sender = match entry.sender {
            Sender::Bot => "bot",
            Sender::Person => "person",
        };
        let doubtful = entry.doubts * 2 + u32::from(entry.uncertain);
        insert(
            "INSERT INTO outbox (contact, pos, id, sender, payload, not_before, ready_at, takeovers, attempts, uncertain)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                id.0,
                contact.outbox_pos,
                entry.id,
                sender,
                entry.payload.0,
                entry.not_before.map(millis::floor),
                millis::floor(entry.ready_at),
                contact.takeovers - i64::from(entry.void),
                entry.attempts,
                doubtful
            ],
        )?;
    }
    for line in &whole.thread {
        insert(
            "INSERT INTO history (contact, seq, at, payload, ours, state, message_id, rank)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                id.0,
                line.seq.cast_signed(),
                millis::floor(line.at),
                line.payload.0,
                line.ours,
                line.state,
                line.message_id,
                line.rank.map_or(-1, i64::from)
            ],
        )?;
    }
    for timer in &whole.timers {
        insert(
            "INSERT INTO timer (contact, id, at, payload) VALUES (?1, ?2, ?3, ?4)",
            params![id.0, timer.id, millis::floor(timer.at), timer.payload.0],
        )?;
    }
    for job in &whole.jobs {
        insert(
            "INSERT INTO job (contact, id, at, payload, attempt) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![id.0, job.id, millis::floor(job.at), job.payload.0, job.attempt],
        )?;
    }
    for parked in &whole.parked {
        insert(
            "INSERT INTO parked (contact, seq, at, payload, why, id) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                id.0,
                parked.seq.cast_signed(),
                millis::floor(parked.at),
                parked.payload.0,
                parked.why,
                (parked.id != ParkedId::of(id, parked.seq)).then_some(&parked.id.0)
            ],
        )?;
    }
    super::outbox::requeue(step, &mut contact)?;
    contact.save(step)
}

/// Every row of the contact.
pub(super) fn remove(step: &Step<'_>, id: ContactId) -> Result<(), StoreError> {
    for table in OF_A_CONTACT {
        let column = match table {
            "contact" => "id",
            "moved" => "into_contact",
            _ => "contact",
        };
        step.db
            .prepare_cached(&format!("DELETE FROM {table} WHERE {column} = ?1"))?
            .execute([id.0])?;
    }
    Ok(())
}

//! The tables of the embedded store, and who may open them.
//!
//! Everything can be read with the stock `sqlite3` tool. Times are milliseconds since 1970, a contact is its 16 bytes
//! (`hex(contact)`), payloads are the bytes their owners gave.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::store::StoreError;

/// The format this version writes. It reads every store whose `min_reader` is not higher.
pub(super) const FORMAT: u32 = 2;

/// The oldest format whose programs still do their work on what this version writes. Columns that are only added and have
/// a default keep it where it is: the version before can be put back.
const MIN_READER: u32 = 1;

/// Format 1, from which every other is made.
const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;

-- Small and often changed; the blobs stand apart so that a change here does not rewrite them.
CREATE TABLE contact (
    id              BLOB PRIMARY KEY,
    channel         TEXT NOT NULL,
    owner           TEXT NOT NULL DEFAULT 'bot',   -- bot, human, paused
    paused_until    INTEGER,
    takeovers       INTEGER NOT NULL DEFAULT 0,
    turn_takeovers  INTEGER NOT NULL DEFAULT 0,    -- takeovers when the present turn was claimed
    said_at         INTEGER,                       -- the customer's last words
    active_at       INTEGER NOT NULL,
    last_seq        INTEGER NOT NULL DEFAULT 0,    -- of the newest event
    taken_seq       INTEGER NOT NULL DEFAULT 0,    -- of the newest consumed event: the mailbox is what lies between
    burst_at        INTEGER NOT NULL DEFAULT 0,    -- first event of the present burst
    run_at          INTEGER,                       -- when it can be claimed: its turn, or the end of its lease
    leased          INTEGER NOT NULL DEFAULT 0,
    fence           INTEGER NOT NULL DEFAULT 0,
    nonce           INTEGER NOT NULL DEFAULT 0,
    rest_until      INTEGER,                       -- backing off after a failed turn
    crashes         INTEGER NOT NULL DEFAULT 0,
    failures        INTEGER NOT NULL DEFAULT 0,
    ended_fence     INTEGER,                       -- the lease that ended last, and how
    ended_nonce     INTEGER,
    ended_as        TEXT,                          -- commit, retry:<at>, parked:<seq>
    send_at         INTEGER,                       -- when the outbox can be claimed, or the end of the sender's lease
    sending         INTEGER NOT NULL DEFAULT 0,
    send_fence      INTEGER NOT NULL DEFAULT 0,
    sent_fence      INTEGER NOT NULL DEFAULT 0,    -- the sender's lease that ended last
    outbox_pos      INTEGER NOT NULL DEFAULT 0,
    history_seq     INTEGER NOT NULL DEFAULT 0,
    seen_n          INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX contact_run ON contact (run_at) WHERE run_at IS NOT NULL;
CREATE INDEX contact_send ON contact (send_at) WHERE send_at IS NOT NULL;
CREATE INDEX contact_active ON contact (active_at, id);

CREATE TABLE alias (
    n INTEGER PRIMARY KEY, channel TEXT NOT NULL, alias TEXT NOT NULL, contact BLOB NOT NULL,
    UNIQUE (channel, alias)
);
CREATE INDEX alias_contact ON alias (contact);

CREATE TABLE session (contact BLOB PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE memory (contact BLOB PRIMARY KEY, bytes BLOB NOT NULL);

CREATE TABLE event (
    contact BLOB NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (contact, seq)
) WITHOUT ROWID;
CREATE TABLE seen (
    contact BLOB NOT NULL, id TEXT NOT NULL, n INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (contact, id)
) WITHOUT ROWID;
CREATE INDEX seen_age ON seen (contact, n);

CREATE TABLE outbox (
    contact BLOB NOT NULL, pos INTEGER NOT NULL, id TEXT NOT NULL, sender TEXT NOT NULL, payload BLOB NOT NULL,
    not_before INTEGER, ready_at INTEGER NOT NULL, takeovers INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, uncertain INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (contact, pos)
) WITHOUT ROWID;
CREATE UNIQUE INDEX outbox_id ON outbox (id, contact);

CREATE TABLE timer (
    contact BLOB NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (contact, id)
) WITHOUT ROWID;
CREATE INDEX timer_at ON timer (at);

CREATE TABLE job (
    n INTEGER PRIMARY KEY, contact BLOB NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, payload BLOB NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0, nonce INTEGER,
    UNIQUE (contact, id)
);
CREATE INDEX job_at ON job (at);

CREATE TABLE history (
    contact BLOB NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, payload BLOB NOT NULL,
    ours TEXT, message_id TEXT, rank INTEGER NOT NULL DEFAULT -1, state TEXT,
    PRIMARY KEY (contact, seq)
) WITHOUT ROWID;
CREATE INDEX history_ours ON history (ours) WHERE ours IS NOT NULL;
CREATE INDEX history_message ON history (message_id) WHERE message_id IS NOT NULL;

CREATE TABLE parked (
    n INTEGER PRIMARY KEY, contact BLOB NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,
    payload BLOB NOT NULL, why TEXT NOT NULL
);
CREATE TABLE quarantine (
    n INTEGER PRIMARY KEY, at INTEGER NOT NULL, channel TEXT NOT NULL, raw BLOB NOT NULL, why TEXT NOT NULL
);
CREATE TABLE setting (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
";

/// What each later format adds, format 2 first.
const UPGRADES: [&str; FORMAT as usize - 1] = ["
-- How fast this person may be written to: when the bucket is empty, and when the next message may leave.
ALTER TABLE contact ADD COLUMN empty_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contact ADD COLUMN paced_until INTEGER NOT NULL DEFAULT 0;
-- It was erased and is a fresh one since: what is seen in its tombstone is known.
ALTER TABLE contact ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;
CREATE TABLE tombstone (
    contact BLOB PRIMARY KEY, at INTEGER NOT NULL, last_seq INTEGER NOT NULL, fence INTEGER NOT NULL,
    send_fence INTEGER NOT NULL, seen BLOB NOT NULL             -- keyed hashes: see `erasure.rs`
) WITHOUT ROWID;
-- Contacts that were merged, and into which.
CREATE TABLE moved (contact BLOB PRIMARY KEY, into_contact BLOB NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX moved_into ON moved (into_contact);
ALTER TABLE parked ADD COLUMN id TEXT;                          -- if it is not <contact>.<seq>
CREATE INDEX parked_contact ON parked (contact);
ALTER TABLE quarantine ADD COLUMN id TEXT;                      -- NULL: written by format 1
CREATE UNIQUE INDEX quarantine_id ON quarantine (id);
"];

/// Refuses a store of a newer version, or a file that is none, before anything is written to it.
pub(super) fn check(path: &Path) -> Result<(), StoreError> {
    if !path.exists() {
        return Ok(());
    }
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    if !has_tables(&db)? {
        return Ok(());
    }
    let known: bool = db.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'meta')",
        [],
        |row| row.get(0),
    )?;
    let (true, Some(format)) = (known, if known { number(&db, "format")? } else { None }) else {
        return Err(StoreError::Corrupt {
            key: path.display().to_string(),
            why: "it is a database, but not one of Switchboard's. Name another file".into(),
        });
    };
    if number(&db, "min_reader")?.unwrap_or(format) > FORMAT {
        return Err(StoreError::Version {
            found: format,
            max: FORMAT,
        });
    }
    Ok(())
}

/// Opens for writing; makes the tables in an empty file, and adds to an older one what this version needs, in one
/// transaction.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let db = Connection::open(path)?;
    set_up(&db)?;
    // Committed means synced: the log is flushed before a commit returns. It is copied into the file each 32 MiB. What is
    // deleted is overwritten with zeros, so that nothing of an erased contact stays in free pages.
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 8192;
         PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -65536;
         PRAGMA secure_delete = ON;",
    )?;
    let format = if has_tables(&db)? {
        number(&db, "format")?.unwrap_or(FORMAT)
    } else {
        0
    };
    if format < FORMAT {
        let version = env!("CARGO_PKG_VERSION");
        let made = if format == 0 { TABLES } else { "" };
        let added = UPGRADES[(format as usize).saturating_sub(1)..].concat();
        let begun = db.execute_batch(&format!(
            "BEGIN IMMEDIATE; {made} {added}
             INSERT OR REPLACE INTO meta VALUES
                ('format', {FORMAT}), ('min_reader', {MIN_READER}), ('written_by', 'switchboard {version}');
             COMMIT;"
        ));
        if let Err(why) = begun {
            // Nothing of it is to stay, if anything was begun.
            let _ = db.execute_batch("ROLLBACK");
            return Err(why.into());
        }
    }
    Ok(db)
}

/// Only one process has the store: whoever held a lease in it died with the one before. Their work is due now, as after
/// the end of the lease: fences rise, a send in progress is uncertain.
pub(super) fn end_leases(db: &Connection, now: i64) -> Result<(), StoreError> {
    let ends = [
        "UPDATE contact SET run_at = ?1 WHERE leased AND run_at > ?1",
        "UPDATE contact SET send_at = ?1 WHERE sending AND send_at > ?1",
        "UPDATE job SET at = ?1 WHERE nonce IS NOT NULL AND at > ?1",
    ];
    for end in ends {
        db.execute(end, [now])?;
    }
    Ok(())
}

pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    set_up(&db)?;
    db.execute_batch("PRAGMA query_only = ON;")?;
    Ok(db)
}

fn number(db: &Connection, key: &str) -> Result<Option<u32>, StoreError> {
    let value = db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0));
    Ok(value.optional()?)
}

/// Copies the log into the file and cuts it, if nobody is at it.
pub(super) fn empty_log(path: &Path) -> Result<(), StoreError> {
    let db = Connection::open(path)?;
    set_up(&db)?;
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

fn set_up(db: &Connection) -> Result<(), StoreError> {
    // Someone may be writing with the sqlite3 tool. Short enough for a webhook to be told in time to say 503.
    db.busy_timeout(std::time::Duration::from_secs(1))?;
    db.set_prepared_statement_cache_capacity(128);
    Ok(())
}

fn has_tables(db: &Connection) -> Result<bool, StoreError> {
    Ok(
        db.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| {
            row.get(0)
        })?,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a kill can't show, since the system keeps what a process wrote: the settings that make SQLite flush the log
    /// within each commit.
    #[test]
    fn the_writer_syncs_each_commit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        for _first_and_again in 0..2 {
            let db = open_writer(&path).unwrap();
            let synchronous: i64 = db.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
            let journal: String = db.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
            assert_eq!((synchronous, journal.as_str()), (2, "wal"));
        }
    }

    #[test]
    fn the_reader_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let _writer = open_writer(&path).unwrap();
        let reader = open_reader(&path).unwrap();
        let refused = reader.execute("DELETE FROM contact", []).unwrap_err();
        assert!(matches!(StoreError::from(refused), StoreError::ReadOnly(_)));
    }
}

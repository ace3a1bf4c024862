//! The records of one session, in a file of its own: what it is configured to do, the webhooks that wait, the messages
//! it has sent, and who changed the connection.
//!
//! An inbound message is committed here before WhatsApp is told that it arrived, so what was acknowledged is not lost,
//! and what arrives twice is posted once.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde_json::Value;

use crate::session::Chat;

/// A repetition is known for so long, in seconds.
const SEEN_FOR: i64 = 8 * 24 * 60 * 60;

/// Sent messages and references of files are kept so long, in seconds.
const KEPT_FOR: i64 = 14 * 24 * 60 * 60;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS session (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    config TEXT NOT NULL,
    generation INTEGER NOT NULL,
    wanted INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    since TEXT NOT NULL,
    me TEXT
);
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    chat TEXT NOT NULL,
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    taken TEXT NOT NULL DEFAULT '[]',
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS seen (
    chat TEXT NOT NULL, sender TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (chat, sender, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sent (
    id TEXT PRIMARY KEY, chat TEXT NOT NULL, body TEXT NOT NULL,
    ack INTEGER NOT NULL, code INTEGER, at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS file (
    id TEXT PRIMARY KEY, mimetype TEXT NOT NULL, reference BLOB NOT NULL, at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS met (chat TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, was TEXT NOT NULL, is_now TEXT NOT NULL,
    reason TEXT NOT NULL, generation INTEGER NOT NULL
);
CREATE TRIGGER IF NOT EXISTS audit_stays BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is only appended to'); END;
CREATE TRIGGER IF NOT EXISTS audit_is_kept BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is only appended to'); END;
";

/// The file of one session's records.
#[derive(Clone, Debug)]
pub struct Records {
    file: Arc<Mutex<Connection>>,
}

/// What a session was when it was last written down.
#[derive(Clone, Debug)]
pub struct Saved {
    pub config: Value,
    pub generation: u32,
    /// Somebody started it and nobody has stopped it.
    pub wanted: bool,
    pub state: String,
    pub reason: String,
    pub since: String,
    pub me: Option<Value>,
}

/// An event for the webhooks.
#[derive(Clone, Debug)]
pub struct Event {
    /// Events of one chat are posted in order; events of none belong to the session.
    pub chat: String,
    pub event: &'static str,
    pub body: Value,
}

/// A message as it is kept: with what makes it known, and what is told of it.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub chat: Chat,
    pub sender: Chat,
    pub other_address: Option<Chat>,
    pub id: String,
    pub from_me: bool,
    pub file: Option<(String, Vec<u8>)>,
    pub events: Vec<Event>,
}

/// An event that waits to be posted.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub id: i64,
    pub event: String,
    pub body: String,
    /// Addresses that have taken it.
    pub taken: Vec<String>,
    pub attempts: u32,
}

#[derive(Clone, Debug)]
pub struct SentMessage {
    pub id: String,
    pub chat: String,
    pub body: String,
    pub ack: i64,
    pub code: Option<u16>,
    pub at: i64,
}

/// A line of the audit.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Audited {
    pub at: String,
    pub who: String,
    pub what: String,
    pub from: String,
    pub to: String,
    pub reason: String,
    pub generation: u32,
}

impl Records {
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let file = Connection::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
        file.pragma_update(None, "journal_mode", "WAL")?;
        // Acknowledged means on disk.
        file.pragma_update(None, "synchronous", "FULL")?;
        file.busy_timeout(std::time::Duration::from_secs(5))?;
        file.execute_batch(TABLES)
            .with_context(|| format!("{} is no file of a session", path.display()))?;
        Ok(Self {
            file: Arc::new(Mutex::new(file)),
        })
    }

    /// Runs a step off the threads that serve, all or nothing.
    async fn step<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Transaction<'_>) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let file = Arc::clone(&self.file);
        tokio::task::spawn_blocking(move || {
            // A step that panicked has been rolled back, so the file is as it was.
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = file.transaction()?;
            let done = act(&transaction)?;
            transaction.commit()?;
            Ok(done)
        })
        .await?
    }

    pub async fn saved(&self) -> anyhow::Result<Option<Saved>> {
        self.step(|file| {
            let row = file
                .query_row(
                    "SELECT config, generation, wanted, state, reason, since, me FROM session",
                    [],
                    |row| {
                        Ok((
                            row.get::<_, String>(0)?,
                            row.get(1)?,
                            row.get(2)?,
                            row.get(3)?,
                            row.get(4)?,
                            row.get(5)?,
                            row.get::<_, Option<String>>(6)?,
                        ))
                    },
                )
                .optional()?;
            let Some((config, generation, wanted, state, reason, since, me)) = row else {
                return Ok(None);
            };
            let config = serde_json::from_str(&config)
                .context("the configuration in the session's file is damaged")?;
            let me = me.map(|me| serde_json::from_str(&me)).transpose()?;
            Ok(Some(Saved {
                config,
                generation,
                wanted,
                state,
                reason,
                since,
                me,
            }))
        })
        .await
    }

    pub async fn save(&self, saved: Saved) -> anyhow::Result<()> {
        self.step(move |file| {
            file.execute(
                "INSERT INTO session (one, config, generation, wanted, state, reason, since, me)
                 VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (one) DO UPDATE SET config = ?1, generation = ?2, wanted = ?3, state = ?4, reason = ?5,
                 since = ?6, me = ?7",
                params![
                    saved.config.to_string(),
                    saved.generation,
                    saved.wanted,
                    saved.state,
                    saved.reason,
                    saved.since,
                    saved.me.map(|me| me.to_string()),
                ],
            )?;
            Ok(())
        })
        .await
    }

    /// Commits what arrived: each message once, with its events. Gives how many were new.
    pub async fn arrive(&self, arrivals: Vec<Arrival>, now: i64) -> anyhow::Result<usize> {
        self.step(move |file| {
            let mut new = 0;
            for arrival in arrivals {
                let first = file.execute(
                    "INSERT OR IGNORE INTO seen (chat, sender, id, at) VALUES (?1, ?2, ?3, ?4)",
                    params![arrival.chat.as_str(), arrival.sender.as_str(), arrival.id, now],
                )?;
                if first == 0 {
                    continue;
                }
                new += 1;
                if !arrival.from_me {
                    for known in [Some(&arrival.chat), arrival.other_address.as_ref()]
                        .into_iter()
                        .flatten()
                    {
                        file.execute("INSERT OR IGNORE INTO met (chat) VALUES (?1)", [known.as_str()])?;
                    }
                }
                if let Some((mimetype, reference)) = arrival.file {
                    file.execute(
                        "INSERT OR REPLACE INTO file (id, mimetype, reference, at) VALUES (?1, ?2, ?3, ?4)",
                        params![arrival.id, mimetype, reference, now],
                    )?;
                }
                for event in arrival.events {
                    put(file, &event)?;
                }
            }
            Ok(new)
        })
        .await
    }

    pub async fn tell(&self, event: Event) -> anyhow::Result<()> {
        self.step(move |file| put(file, &event)).await
    }

    /// The first event of each chat whose turn has come.
    pub async fn waiting(&self, now: i64) -> anyhow::Result<Vec<Waiting>> {
        self.step(move |file| {
            let mut query = file.prepare_cached(
                "SELECT id, event, body, taken, attempts FROM outbox
                 WHERE id IN (SELECT min(id) FROM outbox GROUP BY chat) AND next_at <= ?1 ORDER BY id LIMIT 64",
            )?;
            let rows = query.query_map([now], |row| {
                let taken: String = row.get(3)?;
                Ok(Waiting {
                    id: row.get(0)?,
                    event: row.get(1)?,
                    body: row.get(2)?,
                    taken: serde_json::from_str(&taken).unwrap_or_default(),
                    attempts: row.get(4)?,
                })
            })?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })
        .await
    }

    /// How many events wait.
    pub async fn backlog(&self) -> anyhow::Result<i64> {
        self.step(|file| Ok(file.query_row("SELECT count(*) FROM outbox", [], |row| row.get(0))?))
            .await
    }

    pub async fn posted(&self, id: i64) -> anyhow::Result<()> {
        self.step(move |file| {
            file.execute("DELETE FROM outbox WHERE id = ?1", [id])?;
            Ok(())
        })
        .await
    }

    pub async fn put_off(&self, id: i64, taken: Vec<String>, next_at: i64) -> anyhow::Result<()> {
        self.step(move |file| {
            file.execute(
                "UPDATE outbox SET attempts = attempts + 1, taken = ?2, next_at = ?3 WHERE id = ?1",
                params![id, serde_json::to_string(&taken)?, next_at],
            )?;
            Ok(())
        })
        .await
    }

    pub async fn has_met(&self, chat: &Chat) -> anyhow::Result<bool> {
        let chat = chat.as_str().to_owned();
        self.step(move |file| {
            Ok(file
                .query_row("SELECT 1 FROM met WHERE chat = ?1", [chat], |_| Ok(()))
                .optional()?
                .is_some())
        })
        .await
    }

    pub async fn sending(&self, message: SentMessage) -> anyhow::Result<()> {
        self.step(move |file| {
            file.execute(
                "INSERT INTO sent (id, chat, body, ack, code, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    message.id,
                    message.chat,
                    message.body,
                    message.ack,
                    message.code,
                    message.at
                ],
            )?;
            Ok(())
        })
        .await
    }

    pub async fn sent(&self, id: &str) -> anyhow::Result<Option<SentMessage>> {
        let id = id.to_owned();
        self.step(move |file| sent_in(file, &id)).await
    }

    /// Raises the ack of a message of ours, or marks it refused; gives it when that is news.
    pub async fn acked(&self, id: &str, ack: i64, code: Option<u16>) -> anyhow::Result<Option<SentMessage>> {
        let id = id.to_owned();
        self.step(move |file| {
            let changed = file.execute(
                "UPDATE sent SET ack = ?2, code = ?3 WHERE id = ?1 AND (ack < ?2 OR (?2 = -1 AND ack = 0)) AND ack >= 0",
                params![id, ack, code],
            )?;
            if changed == 0 { Ok(None) } else { sent_in(file, &id) }
        })
        .await
    }

    pub async fn file(&self, id: &str) -> anyhow::Result<Option<(String, Vec<u8>)>> {
        let id = id.to_owned();
        self.step(move |file| {
            let mut query = file.prepare_cached("SELECT mimetype, reference FROM file WHERE id = ?1")?;
            Ok(query
                .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?)
        })
        .await
    }

    pub async fn audit(&self, line: Audited) -> anyhow::Result<()> {
        self.step(move |file| {
            file.execute(
                "INSERT INTO audit (at, who, what, was, is_now, reason, generation) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![line.at, line.who, line.what, line.from, line.to, line.reason, line.generation],
            )?;
            Ok(())
        })
        .await
    }

    /// The latest lines of the audit, the newest first.
    pub async fn audited(&self) -> anyhow::Result<Vec<Audited>> {
        self.step(|file| {
            let mut query = file.prepare_cached(
                "SELECT at, who, what, was, is_now, reason, generation FROM audit ORDER BY id DESC LIMIT 500",
            )?;
            let rows = query.query_map([], |row| {
                Ok(Audited {
                    at: row.get(0)?,
                    who: row.get(1)?,
                    what: row.get(2)?,
                    from: row.get(3)?,
                    to: row.get(4)?,
                    reason: row.get(5)?,
                    generation: row.get(6)?,
                })
            })?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })
        .await
    }

    /// Forgets what nobody will ask for any more.
    pub async fn sweep(&self, now: i64) -> anyhow::Result<()> {
        self.step(move |file| {
            file.execute("DELETE FROM seen WHERE at < ?1", [now - SEEN_FOR])?;
            file.execute("DELETE FROM sent WHERE at < ?1", [now - KEPT_FOR])?;
            file.execute("DELETE FROM file WHERE at < ?1", [now - KEPT_FOR])?;
            Ok(())
        })
        .await
    }
}

fn put(file: &Transaction<'_>, event: &Event) -> anyhow::Result<()> {
    file.execute(
        "INSERT INTO outbox (chat, event, body) VALUES (?1, ?2, ?3)",
        params![event.chat, event.event, event.body.to_string()],
    )?;
    Ok(())
}

fn sent_in(file: &Transaction<'_>, id: &str) -> anyhow::Result<Option<SentMessage>> {
    let mut query = file.prepare_cached("SELECT id, chat, body, ack, code, at FROM sent WHERE id = ?1")?;
    let row = query.query_row([id], |row| {
        Ok(SentMessage {
            id: row.get(0)?,
            chat: row.get(1)?,
            body: row.get(2)?,
            ack: row.get(3)?,
            code: row.get(4)?,
            at: row.get(5)?,
        })
    });
    Ok(row.optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn records() -> (tempfile::TempDir, Records) {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::open(&folder.path().join("session.db")).unwrap();
        (folder, records)
    }

    fn arrival(id: &str, chat: &str) -> Arrival {
        let chat = Chat::parse(chat).unwrap();
        Arrival {
            sender: chat.clone(),
            other_address: Some(Chat::of_lid("100000000000022")),
            id: id.to_owned(),
            from_me: false,
            file: None,
            events: vec![Event {
                chat: chat.to_string(),
                event: "message",
                body: json!({"id": id}),
            }],
            chat,
        }
    }

    #[tokio::test]
    async fn what_arrives_twice_is_told_once() {
        let (_folder, records) = records();
        let twice = vec![
            arrival("A", "6281100000022@c.us"),
            arrival("A", "6281100000022@c.us"),
        ];
        assert_eq!(records.arrive(twice.clone(), 0).await.unwrap(), 1);
        assert_eq!(records.arrive(twice, 0).await.unwrap(), 0);
        assert_eq!(records.backlog().await.unwrap(), 1);
        let elsewhere = arrival("A", "6281100000023@c.us");
        assert_eq!(
            records.arrive(vec![elsewhere], 0).await.unwrap(),
            1,
            "an id is unique in its chat only"
        );
    }

    #[tokio::test]
    async fn events_of_a_chat_are_posted_in_order_and_do_not_hold_up_others() {
        let (_folder, records) = records();
        for (id, chat) in [
            ("A", "6281100000022@c.us"),
            ("B", "6281100000022@c.us"),
            ("C", "6281100000033@c.us"),
        ] {
            records.arrive(vec![arrival(id, chat)], 0).await.unwrap();
        }
        let ids = |waiting: Vec<Waiting>| waiting.into_iter().map(|event| event.body).collect::<Vec<_>>();
        let first = records.waiting(10).await.unwrap();
        records.put_off(first[0].id, vec![], 100).await.unwrap();
        assert_eq!(ids(records.waiting(10).await.unwrap()), [r#"{"id":"C"}"#]);
        records.posted(first[0].id).await.unwrap();
        assert_eq!(
            ids(records.waiting(10).await.unwrap()),
            [r#"{"id":"B"}"#, r#"{"id":"C"}"#]
        );
    }

    #[tokio::test]
    async fn the_audit_can_only_grow() {
        let (_folder, records) = records();
        let line = Audited {
            at: "2026-11-26T01:00:00Z".into(),
            who: "ani".into(),
            what: "start".into(),
            from: "unlinked".into(),
            to: "starting".into(),
            reason: "asked for".into(),
            generation: 1,
        };
        records.audit(line).await.unwrap();
        for change in ["UPDATE audit SET who = 'nobody'", "DELETE FROM audit"] {
            let refused = records
                .step(move |file| Ok(file.execute(change, [])?))
                .await
                .unwrap_err()
                .to_string();
            assert!(refused.contains("only appended to"), "{refused}");
        }
        assert_eq!(records.audited().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn an_ack_only_rises_and_a_refusal_is_final() {
        let (_folder, records) = records();
        let message = |id: &str| SentMessage {
            id: id.into(),
            chat: "6281100000022@c.us".into(),
            body: "Hi".into(),
            ack: 0,
            code: None,
            at: 0,
        };
        records.sending(message("A")).await.unwrap();
        assert!(records.acked("A", 3, None).await.unwrap().is_some());
        assert!(records.acked("A", 1, None).await.unwrap().is_none());
        records.sending(message("B")).await.unwrap();
        assert_eq!(
            records.acked("B", -1, Some(479)).await.unwrap().unwrap().code,
            Some(479)
        );
        assert!(records.acked("B", 2, None).await.unwrap().is_none());
        assert!(records.acked("unknown", 1, None).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn both_addresses_of_a_customer_who_wrote_are_known() {
        let (_folder, records) = records();
        records
            .arrive(vec![arrival("A", "6281100000022@c.us")], 0)
            .await
            .unwrap();
        assert!(records.has_met(&Chat::of_number("6281100000022")).await.unwrap());
        assert!(records.has_met(&Chat::of_lid("100000000000022")).await.unwrap());
        assert!(!records.has_met(&Chat::of_number("6281100000044")).await.unwrap());
    }
}

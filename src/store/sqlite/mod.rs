//! The embedded store: one SQLite file, one process, one writer.
//!
//! A lock file keeps a second process out. Writes go to one thread that commits them in groups and answers after
//! the sync; reads go to a second thread with a connection of its own. Each room below holds the steps of one theme,
//! written against the tables of `schema`.

mod contact;
mod dead;
mod keep;
mod mailbox;
mod outbox;
mod people;
mod schema;
mod thread;
mod timers;
mod trouble;
mod turn;
mod whole;
mod writer;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use self::contact::Contact;
use self::writer::{Desk, Room, Step};
use super::bell::Bell;
use super::erasure::ErasureKey;
use super::pace::Buckets;
use super::{
    Alias, Caps, Claim, Clock, Committed, ContactId, Cursor, Due, Failed, Fence, HistoryEntry, Imported,
    Ingest, Ingested, JobClaim, Merged, Nonce, Owner, Page, Parked, ParkedId, Promises, Quarantined, Rate,
    Record, Resolved, Retention, SendClaim, SendOutcome, Stats, Status, Store, StoreError, Tokens, Trimmed,
    TurnCommit, Wake, WholeContact, millis,
};

/// How long a contact rests whose row can't be read: somebody may have mended it by then.
const UNREADABLE_RESTS: Duration = Duration::from_secs(60);

/// The embedded default. Dropping it finishes what was accepted, like [`Store::close`].
#[derive(Debug)]
pub struct SqliteStore {
    caps: Caps,
    clock: Arc<dyn Clock>,
    bell: Arc<Bell>,
    buckets: Mutex<Buckets>,
    path: PathBuf,
    /// Since this process opened it.
    leases_lost: AtomicU64,
    /// `None` once closed.
    open: RwLock<Option<Arc<Open>>>,
}

/// The fields are dropped in this order: the threads end before the lock goes.
#[derive(Debug)]
struct Open {
    reader: Desk,
    writer: Desk,
    _lock: File,
}

impl SqliteStore {
    /// Opens the store in the file `path`, or makes it. Blocks while it reads the log of a crashed run. What that run
    /// had in work is due at once: leases end with their process.
    ///
    /// # Errors
    /// `Locked` if another process has it open (and does not close it within a second), `Version` if a newer Switchboard wrote it (the file is not touched).
    pub fn open(
        path: impl AsRef<Path>,
        caps: Caps,
        clock: Arc<dyn Clock>,
    ) -> Result<SqliteStore, StoreError> {
        let path = path.as_ref();
        let lock = lock(path)?;
        schema::check(path)?;
        let bell = Arc::new(Bell::new());
        let room = |db| Room {
            db,
            caps,
            clock: clock.clone(),
        };
        let db = schema::open_writer(path)?;
        schema::end_leases(&db, millis::floor(clock.now()))?;
        let writer = writer::start_writer(room(db), bell.clone())?;
        let reader = writer::start_reader(room(schema::open_reader(path)?))?;
        let open = Open {
            reader,
            writer,
            _lock: lock,
        };
        Ok(SqliteStore {
            caps,
            clock,
            bell,
            buckets: Mutex::default(),
            path: path.to_owned(),
            leases_lost: AtomicU64::new(0),
            open: RwLock::new(Some(Arc::new(open))),
        })
    }

    /// Refuses to let the file grow beyond this many pages of 4 KiB, as a full disk would; `None` lifts the limit.
    pub async fn limit_pages(&self, pages: Option<u32>) -> Result<(), StoreError> {
        let pages = pages.unwrap_or(u32::MAX - 1);
        self.write(move |step| {
            let set = format!("PRAGMA max_page_count = {pages}");
            step.db.query_row(&set, [], |_| Ok(()))?;
            Ok(())
        })
        .await
    }

    /// A contact whose row can't be read is not looked at again before a while has passed: the others must go on. Nothing
    /// of it is lost; if it can't be put to rest either, the next look says so.
    async fn rest(&self, contact: ContactId) {
        let rested = self.write(move |step| {
            let until = millis::after(step.now, UNREADABLE_RESTS);
            for sql in [
                "UPDATE contact SET run_at = ?2 WHERE id = ?1 AND run_at < ?2",
                "UPDATE contact SET send_at = ?2 WHERE id = ?1 AND send_at < ?2",
            ] {
                step.db
                    .prepare_cached(sql)?
                    .execute(rusqlite::params![contact.0, until])?;
            }
            Ok(())
        });
        let _ = rested.await;
    }

    fn opened(&self) -> Result<Arc<Open>, StoreError> {
        let open = self.open.read().map_err(|_| closed())?;
        open.clone().ok_or_else(closed)
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Step<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.opened()?.writer.ask(work).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnMut(&Step<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.opened()?.reader.ask(work).await
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("it is closed".into())
}

/// Held as long as the store is open; the system releases it when the process dies, however it dies.
fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let shown = Path::new(&name).display().to_string();
    let unavailable = |why: std::io::Error| StoreError::Unavailable(format!("{shown}: {why}"));
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&name)
        .map_err(unavailable)?;
    // A process that is just ending, or a child it is just starting, lets go within moments.
    for _ in 0..20 {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(50)),
            Err(TryLockError::Error(why)) => return Err(unavailable(why)),
        }
    }
    Err(StoreError::Locked(format!(
        "{shown} is held by a running process. Stop that one, or name another file"
    )))
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[async_trait]
impl Store for SqliteStore {
    async fn resolve_alias(
        &self,
        channel: &str,
        alias: &Alias,
        also: &[Alias],
    ) -> Result<Resolved, StoreError> {
        let (channel, alias, also) = (channel.to_owned(), alias.clone(), also.to_vec());
        self.write(move |step| mailbox::resolve_alias(step, &channel, &alias, &also))
            .await
    }

    async fn ingest(&self, events: &[Ingest]) -> Result<Vec<Ingested>, StoreError> {
        self.caps.check_ingest(events)?;
        let events = events.to_vec();
        self.write(move |step| mailbox::ingest(step, &events)).await
    }

    async fn ingest_then_claim(
        &self,
        events: &[Ingest],
        nonce: Nonce,
        lease: Duration,
    ) -> Result<(Vec<Ingested>, Option<Claim>), StoreError> {
        self.caps.check_ingest(events)?;
        let events = events.to_vec();
        self.write(move |step| {
            let outcomes = mailbox::ingest(step, &events)?;
            let contact = events.first().map(|event| event.contact);
            let claim = contact.map_or(Ok(None), |contact| turn::claim_idle(step, contact, nonce, lease));
            // What can't be read is left to a claim, which says so.
            Ok((outcomes, claim.unwrap_or(None)))
        })
        .await
    }

    async fn due(&self, kind: Due, limit: usize) -> Result<Vec<ContactId>, StoreError> {
        self.read(move |step| thread::due(step, kind, rows(limit))).await
    }

    async fn next_due(&self, kind: Due) -> Result<Option<Timestamp>, StoreError> {
        let at = self.read(move |step| thread::next_due(step, kind)).await?;
        Ok(at.map(millis::timestamp))
    }

    async fn claim(
        &self,
        contact: ContactId,
        nonce: Nonce,
        lease: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        let claimed = self
            .write(move |step| turn::claim(step, contact, nonce, lease))
            .await;
        if let Err(StoreError::Corrupt { .. }) = claimed {
            self.rest(contact).await;
        }
        let (claim, lost) = claimed?;
        self.leases_lost.fetch_add(u64::from(lost), Ordering::Relaxed);
        Ok(claim)
    }

    async fn commit(&self, turn: &TurnCommit) -> Result<Committed, StoreError> {
        self.caps.check_turn(turn)?;
        let turn = turn.clone();
        self.write(move |step| turn::commit(step, &turn)).await
    }

    async fn fail(
        &self,
        contact: ContactId,
        fence: Fence,
        nonce: Nonce,
        why: &str,
    ) -> Result<Failed, StoreError> {
        let why = why.to_owned();
        self.write(move |step| turn::fail(step, contact, fence, nonce, &why))
            .await
    }

    async fn fire_due_timers(&self, limit: usize) -> Result<usize, StoreError> {
        self.write(move |step| timers::fire(step, rows(limit))).await
    }

    async fn send_claim(&self, contact: ContactId, lease: Duration) -> Result<Option<SendClaim>, StoreError> {
        let claimed = self
            .write(move |step| outbox::send_claim(step, contact, lease))
            .await;
        if let Err(StoreError::Corrupt { .. }) = claimed {
            self.rest(contact).await;
        }
        claimed
    }

    async fn send_done(&self, claim: &SendClaim, outcome: &SendOutcome) -> Result<bool, StoreError> {
        let (claim, outcome) = (claim.clone(), outcome.clone());
        self.write(move |step| outbox::send_done(step, &claim, &outcome))
            .await
    }

    async fn take_tokens(&self, channel: &str, want: u32, rate: Rate) -> Result<Tokens, StoreError> {
        self.opened()?;
        let now = millis::floor(self.clock.now());
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(buckets.take(channel, now, want, rate))
    }

    async fn reconcile(&self, channel: &str, status: &Status) -> Result<bool, StoreError> {
        let (channel, status) = (channel.to_owned(), status.clone());
        self.write(move |step| outbox::reconcile(step, &channel, &status))
            .await
    }

    async fn job_claim(&self, lease: Duration) -> Result<Option<JobClaim>, StoreError> {
        let nonce = getrandom::u64()
            .map(Nonce)
            .map_err(|why| StoreError::Unavailable(format!("the system gives no random numbers: {why}")))?;
        let claim = self
            .write(move |step| timers::job_claim(step, lease, nonce))
            .await?;
        let lost = claim.as_ref().is_some_and(|claim| claim.attempt > 1);
        self.leases_lost.fetch_add(u64::from(lost), Ordering::Relaxed);
        Ok(claim)
    }

    async fn job_renew(&self, claim: &JobClaim, lease: Duration) -> Result<bool, StoreError> {
        let claim = claim.clone();
        self.write(move |step| timers::job_renew(step, &claim, lease))
            .await
    }

    async fn job_done(&self, claim: &JobClaim, result: Vec<u8>) -> Result<bool, StoreError> {
        self.caps.check_result(&result)?;
        let claim = claim.clone();
        self.write(move |step| timers::job_done(step, &claim, &result))
            .await
    }

    async fn set_owner(&self, contact: ContactId, owner: Owner) -> Result<(), StoreError> {
        self.write(move |step| outbox::set_owner(step, contact, owner))
            .await
    }

    async fn peek(&self, contact: ContactId) -> Result<Option<Claim>, StoreError> {
        self.read(move |step| {
            Contact::load(step, contact)?
                .map(|contact| turn::read(step, &contact, usize::MAX))
                .transpose()
        })
        .await
    }

    async fn history(&self, contact: ContactId, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        self.read(move |step| thread::history(step, contact, rows(limit)))
            .await
    }

    async fn contacts(&self, limit: usize) -> Result<Vec<ContactId>, StoreError> {
        self.read(move |step| thread::contacts(step, rows(limit))).await
    }

    async fn contacts_after(
        &self,
        after: Option<ContactId>,
        limit: usize,
    ) -> Result<Vec<ContactId>, StoreError> {
        self.read(move |step| keep::ids_after(step, after, rows(limit)))
            .await
    }

    async fn parked(&self, limit: usize) -> Result<Vec<Parked>, StoreError> {
        self.read(move |step| dead::parked(step, rows(limit))).await
    }

    async fn unpark(&self, id: &ParkedId) -> Result<bool, StoreError> {
        let id = id.clone();
        self.write(move |step| dead::unpark(step, &id)).await
    }

    async fn discard(&self, id: &ParkedId) -> Result<bool, StoreError> {
        let id = id.clone();
        self.write(move |step| dead::discard(step, &id)).await
    }

    async fn quarantine(&self, channel: &str, raw: &[u8], why: &str) -> Result<(), StoreError> {
        let (channel, raw, why) = (channel.to_owned(), raw.to_vec(), why.to_owned());
        self.write(move |step| dead::quarantine(step, &channel, &raw, &why))
            .await
    }

    async fn quarantined(&self, limit: usize) -> Result<Vec<Quarantined>, StoreError> {
        self.read(move |step| dead::quarantined(step, rows(limit))).await
    }

    async fn discard_quarantined(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write(move |step| dead::discard_quarantined(step, &id)).await
    }

    async fn erase(&self, contact: ContactId) -> Result<bool, StoreError> {
        let fresh = ErasureKey::fresh()?;
        let known = self
            .write(move |step| people::erase(step, contact, fresh))
            .await?;
        if known {
            // Out of the log too. Whoever reads or writes just now holds it back; the next copy of the log does it then.
            let path = self.path.clone();
            let emptied = tokio::task::spawn_blocking(move || schema::empty_log(&path)).await;
            emptied.map_err(|why| StoreError::Unknown(format!("its log was not emptied: {why}")))??;
        }
        Ok(known)
    }

    async fn merge(&self, from: ContactId, into: ContactId) -> Result<Merged, StoreError> {
        self.write(move |step| people::merge(step, from, into)).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        let stats = self.read(keep::stats).await?;
        Ok(Stats {
            leases_lost: self.leases_lost.load(Ordering::Relaxed),
            ..stats
        })
    }

    async fn whole(&self, contact: ContactId) -> Result<Option<WholeContact>, StoreError> {
        self.read(move |step| whole::read(step, contact)).await
    }

    async fn export(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let after = after.cloned();
        self.read(move |step| keep::export(step, after.as_ref(), limit))
            .await
    }

    async fn import(&self, records: &[Record]) -> Result<Imported, StoreError> {
        let records = records.to_vec();
        self.write(move |step| keep::import(step, &records)).await
    }

    async fn trim(
        &self,
        after: Option<&Cursor>,
        keep: &Retention,
        limit: usize,
    ) -> Result<Trimmed, StoreError> {
        let (after, keep) = (after.cloned(), *keep);
        self.write(move |step| keep::trim(step, after.as_ref(), &keep, rows(limit)))
            .await
    }

    async fn put_setting(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let (key, value) = (key.to_owned(), value.to_vec());
        self.write(move |step| thread::put_setting(step, &key, &value))
            .await
    }

    async fn setting(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let key = key.to_owned();
        self.read(move |step| thread::setting(step, &key)).await
    }

    async fn remove_setting(&self, key: &str) -> Result<(), StoreError> {
        let key = key.to_owned();
        self.write(move |step| thread::remove_setting(step, &key)).await
    }

    async fn swap_setting(
        &self,
        key: &str,
        seen: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        let (seen, value) = (seen.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec));
        let key = key.to_owned();
        self.write(move |step| thread::swap_setting(step, &key, seen.as_deref(), value.as_deref()))
            .await
    }

    async fn settings(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let prefix = prefix.to_owned();
        self.read(move |step| thread::settings(step, &prefix)).await
    }

    async fn wait_for_work(&self) -> Wake {
        self.bell.wait(self.clock.as_ref()).await;
        Wake::Look
    }

    fn now(&self) -> Timestamp {
        millis::timestamp(millis::floor(self.clock.now()))
    }

    fn promises(&self) -> Promises {
        Promises {
            store: "sqlite",
            process_crash: true,
            power_loss: true,
            shared: false,
        }
    }

    async fn close(&self) -> Result<(), StoreError> {
        let open = match self.open.write() {
            Ok(mut open) => open.take(),
            Err(_) => None,
        };
        if let Some(open) = open {
            // Callers still inside keep it alive until they have their answers.
            tokio::task::spawn_blocking(move || drop(open))
                .await
                .map_err(|why| StoreError::Unavailable(format!("closing failed: {why}")))?;
        }
        Ok(())
    }
}

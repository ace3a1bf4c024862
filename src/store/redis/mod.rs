//! The store for many machines: conversations in Redis, every step one script in one slot.
//!
//! `slot` says which partition a contact belongs to, `names` how its keys are called, `scripts` puts the steps under
//! `lua/` together, `link` reaches the servers. The other rooms hold the steps of one theme each, as those of the
//! embedded store do. `agenda` and `horizon` spare looks: what is about to fall due is mostly known to the process that
//! caused it.

mod agenda;
mod dead;
mod formats;
mod horizon;
pub mod inspect;
pub mod link;
mod lists;
mod mailbox;
mod meta;
mod names;
mod outbox;
mod pace;
mod packed;
mod people;
mod put;
mod script;
mod scripts;
mod slot;
mod timers;
mod turn;
mod unread;
mod whole;
mod wire;
pub mod workers;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::task::AbortHandle;

use self::agenda::Agenda;
use self::horizon::Horizon;
use self::inspect::Inspection;
use self::link::{Call, Durable, Link, LinkSettings, RedisAddress};
use self::names::Names;
use self::wire::{Answer, Args};
use self::workers::{Hint, Worker, Workers};
use super::{
    Alias, AtWork, Caps, Claim, Clock, Committed, ContactId, Cursor, Due, Failed, Fence, HistoryEntry,
    Imported, Ingest, Ingested, JobClaim, Merged, Nonce, Owner, Page, Parked, ParkedId, Promises,
    Quarantined, Rate, Record, Resolved, Retention, SendClaim, SendOutcome, Stats, Status, Store, StoreError,
    Tokens, Trimmed, TurnCommit, Wake, WholeContact, millis,
};

pub use script::Script;
pub use slot::{PARTITIONS, Partition, slot_of};

/// A regular look finds what no hint told of: at each look a part of the partitions in turn, each of them once a second.
/// It sees further ahead than that, so that what falls due between two looks is on time.
const LOOK: Duration = Duration::from_millis(250);
const PARTS: u8 = 4;
/// The same in partitions that others look after: they may have died.
const LOOK_EVERYWHERE: Duration = Duration::from_secs(5);
/// A test's clock does not say that it was moved.
const BLINK: Duration = Duration::from_millis(50);

#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// Before every key, so that several installations can share a Redis.
    pub prefix: String,
    pub link: LinkSettings,
}

impl Default for RedisSettings {
    fn default() -> Self {
        RedisSettings {
            prefix: "sb".into(),
            link: LinkSettings::default(),
        }
    }
}

/// Whose time counts.
#[derive(Debug, Clone)]
pub enum RedisClock {
    /// The server's own.
    Server,
    /// For tests: one that is moved by hand, given to every step.
    Given(Arc<dyn Clock>),
}

/// Many processes may have it open. Dropping it ends nothing but its own connections.
#[derive(Debug)]
pub struct RedisStore {
    caps: Caps,
    clock: RedisClock,
    names: Names,
    link: Link,
    agenda: Agenda,
    timers: Horizon,
    jobs: Horizon,
    closed: AtomicBool,
    /// Looks regularly, once somebody waits for work.
    looking: OnceLock<AbortHandle>,
    /// The others, from then on.
    workers: OnceLock<Arc<Workers>>,
    promises: Promises,
    /// Turns and jobs whose holder died or hung, since this process opened the store.
    leases_lost: AtomicU64,
    this: Weak<RedisStore>,
}

impl RedisStore {
    /// Connects, and marks an empty database as Switchboard's.
    ///
    /// # Errors
    /// `Unavailable` if no server answers, `Unfit` if one would throw conversations away or can't run the scripts, `Version` if a newer Switchboard wrote it (nothing is touched), `Corrupt` if it is
    /// of another kind.
    pub async fn open(
        address: &RedisAddress,
        settings: &RedisSettings,
        caps: Caps,
        clock: RedisClock,
    ) -> Result<Arc<RedisStore>, StoreError> {
        let (store, _) = RedisStore::open_and_tell(address, settings, caps, clock).await?;
        Ok(store)
    }

    /// The same, with how the servers are: they were looked at anyway.
    ///
    /// # Errors
    /// As [`RedisStore::open`].
    pub async fn open_and_tell(
        address: &RedisAddress,
        settings: &RedisSettings,
        caps: Caps,
        clock: RedisClock,
    ) -> Result<(Arc<RedisStore>, Inspection), StoreError> {
        let link = Link::connect(address, &settings.link).await?;
        let seen = inspect::inspect(&link, &settings.prefix).await;
        if let Some(why) = seen.refusal() {
            return Err(why);
        }
        // Nobody's records may become unreadable to somebody who works on them.
        formats::to_write(&seen.workers, &formats::WRITES)?;
        let store = Arc::new_cyclic(|this| RedisStore {
            caps,
            clock,
            names: Names::new(&settings.prefix),
            link,
            agenda: Agenda::default(),
            timers: Horizon::default(),
            jobs: Horizon::default(),
            closed: AtomicBool::new(false),
            looking: OnceLock::new(),
            workers: OnceLock::new(),
            promises: seen.promises.clone(),
            leases_lost: AtomicU64::new(0),
            this: this.clone(),
        });
        store.check_in().await?;
        Ok((store, seen))
    }

    /// Runs one step. A script that says it can't read something is an error.
    async fn run(
        &self,
        script: &'static Script,
        keys: Vec<Vec<u8>>,
        args: Args,
        durable: Durable,
    ) -> Result<Answer, StoreError> {
        self.still_open()?;
        let mut value = self.link.run(script, &keys, &args.0, durable).await?;
        if wire::wants_packing(&value) {
            // The contact's key comes first, and whose it is.
            let packed = self
                .link
                .run(&scripts::UPGRADE, &keys[..1], &args.0[..2], durable);
            Answer::of(&scripts::UPGRADE, packed.await?)?;
            value = self.link.run(script, &keys, &args.0, durable).await?;
        }
        Answer::of(script, value)
    }

    /// Reads in many partitions.
    async fn each(&self, script: &'static Script, calls: Vec<Call>) -> Vec<Result<Answer, StoreError>> {
        if let Err(why) = self.still_open() {
            return calls.iter().map(|_| Err(why.clone())).collect();
        }
        let values = self.link.each(script, &calls).await;
        values
            .into_iter()
            .map(|value| Answer::of(script, value?))
            .collect()
    }

    fn still_open(&self) -> Result<(), StoreError> {
        match self.closed.load(Ordering::SeqCst) {
            false => Ok(()),
            true => Err(StoreError::Unavailable("it is closed".into())),
        }
    }

    /// The first arguments of every step: a test's clock, and the contact.
    fn args(&self, contact: ContactId) -> Args {
        let clock = match &self.clock {
            RedisClock::Server => Args::default().with(""),
            RedisClock::Given(clock) => Args::default().with(millis::floor(clock.now())),
        };
        clock.with(contact.0)
    }

    fn note(&self, kind: Due, at: Option<i64>, contact: ContactId, now: i64) {
        self.agenda.note(kind, at, contact, now);
    }

    /// New work is told to whoever looks after its partition; what is this process' own, or can be told to nobody, is
    /// noted here.
    fn hand_over(&self, kind: Due, at: Option<i64>, contact: ContactId, now: i64) {
        let told = at
            .zip(self.workers.get())
            .is_some_and(|(at, workers)| workers.tell(Hint { kind, at, contact }));
        if !told {
            self.note(kind, at, contact, now);
        }
    }

    /// What another process told this one.
    fn heard(&self, hints: Vec<Hint>) {
        let now = self.millis();
        for Hint { kind, at, contact } in hints {
            let partition = Partition::of(contact);
            match kind {
                Due::Timer => self.timers.lower(partition, at),
                Due::Job => self.jobs.lower(partition, at),
                Due::Run | Due::Send => {}
            }
            self.note(kind, Some(at), contact, now);
        }
    }

    /// The processes that work on this store now, this one among them once it waits for work.
    pub async fn workers(&self) -> Result<Vec<Worker>, StoreError> {
        match self.workers.get() {
            Some(workers) => Ok(workers.live()),
            None => workers::live(&self.link, &self.names.prefix).await,
        }
    }

    /// The same, with what each looks after, and the format in which they write.
    async fn at_work(&self) -> Result<(Vec<AtWork>, Option<u32>), StoreError> {
        if let Some(workers) = self.workers.get() {
            return Ok((workers.at_work(), workers.format(&formats::WRITES).ok()));
        }
        let live = workers::live(&self.link, &self.names.prefix).await?;
        let format = formats::to_write(&live, &formats::WRITES).ok();
        Ok((workers::at_work(live), format))
    }

    /// How the servers are, and what survives what.
    pub async fn inspect(&self) -> Inspection {
        inspect::inspect(&self.link, &self.names.prefix).await
    }

    /// Whether every server that takes writes is connected now.
    pub fn is_up(&self) -> bool {
        self.link.is_up()
    }

    /// Joins the others. With a clock of its own, as in tests, a process is alone: times told to it would mean nothing.
    async fn join(&self) {
        if matches!(self.clock, RedisClock::Given(_)) {
            return;
        }
        let me = match Worker::this((*formats::READS.start(), *formats::READS.end()), self.millis()) {
            Ok(me) => me,
            Err(why) => return tracing::error!(%why, "working without knowing the other workers"),
        };
        let this = self.this.clone();
        let heard = move |hints| {
            if let Some(store) = this.upgrade() {
                store.heard(hints);
            }
        };
        let joined = Workers::join(self.link.clone(), &self.names.prefix, me, heard).await;
        // Only the regular look joins, and there is one.
        let _ = self.workers.set(joined);
    }

    fn time(&self) -> Timestamp {
        match &self.clock {
            RedisClock::Server => millis::timestamp(millis::floor(self.link.now())),
            RedisClock::Given(clock) => millis::timestamp(millis::floor(clock.now())),
        }
    }

    fn millis(&self) -> i64 {
        millis::floor(self.time())
    }

    /// Starts the regular look. It ends with the store.
    fn keep_looking(&self) {
        self.looking.get_or_init(|| {
            let this = self.this.clone();
            tokio::spawn(async move {
                if let Some(store) = this.upgrade() {
                    store.join().await;
                }
                let mut everywhere: Option<Instant> = None;
                let mut part = 0;
                loop {
                    tokio::time::sleep(LOOK).await;
                    part = (part + 1) % PARTS;
                    let Some(store) = this.upgrade() else { return };
                    if store.still_open().is_err() {
                        return;
                    }
                    let partitions: Vec<Partition> = match (store.workers.get(), everywhere) {
                        (Some(workers), Some(at)) if at.elapsed() < LOOK_EVERYWHERE => {
                            let mine = workers.mine().into_iter();
                            mine.filter(|partition| partition.0 % PARTS == part).collect()
                        }
                        (Some(_), _) | (None, _) => {
                            everywhere = Some(Instant::now());
                            Partition::all().collect()
                        }
                    };
                    if let Err(why) = store.look(&partitions).await {
                        tracing::debug!(%why, "a look for due work found not all");
                        // Hints of that time may be lost too.
                        if matches!(why, StoreError::Unavailable(_) | StoreError::Unknown(_)) {
                            everywhere = None;
                        }
                    }
                }
            })
            .abort_handle()
        });
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        if let Some(looking) = self.looking.get() {
            looking.abort();
        }
    }
}

fn random() -> Result<u64, StoreError> {
    getrandom::u64()
        .map_err(|why| StoreError::Unavailable(format!("the system gives no random numbers: {why}")))
}

#[async_trait]
impl Store for RedisStore {
    async fn resolve_alias(
        &self,
        channel: &str,
        alias: &Alias,
        also: &[Alias],
    ) -> Result<Resolved, StoreError> {
        self.resolve(channel, alias, also).await
    }

    async fn ingest(&self, events: &[Ingest]) -> Result<Vec<Ingested>, StoreError> {
        self.caps.check_ingest(events)?;
        self.take_in(events).await
    }

    async fn ingest_then_claim(
        &self,
        events: &[Ingest],
        nonce: Nonce,
        lease: Duration,
    ) -> Result<(Vec<Ingested>, Option<Claim>), StoreError> {
        self.caps.check_ingest(events)?;
        self.take_in_and_claim(events, nonce, lease).await
    }

    async fn due(&self, kind: Due, limit: usize) -> Result<Vec<ContactId>, StoreError> {
        self.list_due(kind, limit).await
    }

    async fn next_due(&self, kind: Due) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.soonest(kind).await?.map(millis::timestamp))
    }

    async fn claim(
        &self,
        contact: ContactId,
        nonce: Nonce,
        lease: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        self.take_lease(contact, nonce, lease).await
    }

    async fn commit(&self, turn: &TurnCommit) -> Result<Committed, StoreError> {
        Ok(self.write_turn(turn, None).await?.0)
    }

    async fn commit_then_send(
        &self,
        turn: &TurnCommit,
        lease: Duration,
    ) -> Result<(Committed, Option<SendClaim>), StoreError> {
        self.write_turn(turn, Some(lease)).await
    }

    async fn fail(
        &self,
        contact: ContactId,
        fence: Fence,
        nonce: Nonce,
        why: &str,
    ) -> Result<Failed, StoreError> {
        self.count_failure(contact, fence, nonce, why).await
    }

    async fn fire_due_timers(&self, limit: usize) -> Result<usize, StoreError> {
        self.fire(limit).await
    }

    async fn send_claim(&self, contact: ContactId, lease: Duration) -> Result<Option<SendClaim>, StoreError> {
        self.take_head(contact, lease).await
    }

    async fn send_done(&self, claim: &SendClaim, outcome: &SendOutcome) -> Result<bool, StoreError> {
        Ok(self.record_sent(claim, outcome, None).await?.0)
    }

    async fn sent_then_next(
        &self,
        claim: &SendClaim,
        outcome: &SendOutcome,
        lease: Duration,
    ) -> Result<(bool, Option<SendClaim>), StoreError> {
        self.record_sent(claim, outcome, Some(lease)).await
    }

    async fn take_tokens(&self, channel: &str, want: u32, rate: Rate) -> Result<Tokens, StoreError> {
        self.tokens(channel, want, rate).await
    }

    async fn reconcile(&self, channel: &str, status: &Status) -> Result<bool, StoreError> {
        self.record_status(channel, status).await
    }

    async fn job_claim(&self, lease: Duration) -> Result<Option<JobClaim>, StoreError> {
        self.take_job(lease).await
    }

    async fn job_renew(&self, claim: &JobClaim, lease: Duration) -> Result<bool, StoreError> {
        self.renew_job(claim, lease).await
    }

    async fn job_done(&self, claim: &JobClaim, result: Vec<u8>) -> Result<bool, StoreError> {
        self.end_job(claim, &result).await
    }

    async fn set_owner(&self, contact: ContactId, owner: Owner) -> Result<(), StoreError> {
        self.change_owner(contact, owner).await
    }

    async fn peek(&self, contact: ContactId) -> Result<Option<Claim>, StoreError> {
        self.view(contact).await
    }

    async fn history(&self, contact: ContactId, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        self.lines(contact, limit).await
    }

    async fn contacts(&self, limit: usize) -> Result<Vec<ContactId>, StoreError> {
        self.list_contacts(limit).await
    }

    async fn contacts_after(
        &self,
        after: Option<ContactId>,
        limit: usize,
    ) -> Result<Vec<ContactId>, StoreError> {
        self.ids_after(after, limit).await
    }

    async fn parked(&self, limit: usize) -> Result<Vec<Parked>, StoreError> {
        self.list_parked(limit).await
    }

    async fn unpark(&self, id: &ParkedId) -> Result<bool, StoreError> {
        self.end_parked(id, "u").await
    }

    async fn discard(&self, id: &ParkedId) -> Result<bool, StoreError> {
        self.end_parked(id, "d").await
    }

    async fn quarantine(&self, channel: &str, raw: &[u8], why: &str) -> Result<(), StoreError> {
        self.put_aside(channel, raw, why).await
    }

    async fn quarantined(&self, limit: usize) -> Result<Vec<Quarantined>, StoreError> {
        let mut all = self.list_quarantined().await?;
        all.truncate(limit);
        Ok(all)
    }

    async fn discard_quarantined(&self, id: &str) -> Result<bool, StoreError> {
        self.quarantined_entry(id, Vec::new()).await
    }

    async fn erase(&self, contact: ContactId) -> Result<bool, StoreError> {
        self.erase_contact(contact).await
    }

    async fn merge(&self, from: ContactId, into: ContactId) -> Result<Merged, StoreError> {
        self.merge_contacts(from, into).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.count_all().await
    }

    async fn whole(&self, contact: ContactId) -> Result<Option<WholeContact>, StoreError> {
        Ok(self.read_whole(contact).await?.map(|read| read.whole))
    }

    async fn export(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.export_page(after, limit).await
    }

    async fn import(&self, records: &[Record]) -> Result<Imported, StoreError> {
        self.import_records(records).await
    }

    async fn trim(
        &self,
        after: Option<&Cursor>,
        keep: &Retention,
        limit: usize,
    ) -> Result<Trimmed, StoreError> {
        self.trim_some(after, keep, limit).await
    }

    async fn put_setting(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.change_setting("s", key, value).await.map(|_| ())
    }

    async fn setting(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.change_setting("g", key, b"").await
    }

    async fn remove_setting(&self, key: &str) -> Result<(), StoreError> {
        self.change_setting("d", key, b"").await.map(|_| ())
    }

    async fn swap_setting(
        &self,
        key: &str,
        seen: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        self.swap_kept(key, seen, value).await
    }

    async fn settings(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.kept_under(prefix).await
    }

    /// Names contacts, never [`Wake::Look`]: it looks at everything itself now and then.
    async fn wait_for_work(&self) -> Wake {
        self.keep_looking();
        loop {
            let now = self.millis();
            let due = self.agenda.due(now);
            if !due.is_empty() {
                return Wake::Due(due);
            }
            let longest = match &self.clock {
                RedisClock::Server => LOOK,
                RedisClock::Given(_) => BLINK,
            };
            let ahead = self
                .agenda
                .soonest()
                .map_or(i64::MAX, |at| at.saturating_sub(now));
            let ahead = Duration::from_millis(u64::try_from(ahead).unwrap_or(1));
            tokio::select! {
                () = self.agenda.changed() => {}
                () = tokio::time::sleep(ahead.min(longest)) => {}
            }
        }
    }

    fn server_of(&self, contact: ContactId) -> Option<u16> {
        self.link.server_of(Partition::of(contact).slot())
    }

    fn now(&self) -> Timestamp {
        self.time()
    }

    fn promises(&self) -> Promises {
        self.promises.clone()
    }

    /// Takes as long as one answer of Redis may take, at most.
    async fn close(&self) -> Result<(), StoreError> {
        self.closed.store(true, Ordering::SeqCst);
        if let Some(workers) = self.workers.get() {
            // The others look after its partitions at once.
            workers.leave().await;
        }
        self.link.close();
        Ok(())
    }
}

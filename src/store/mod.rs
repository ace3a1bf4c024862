//! Where conversations survive: mailbox, session, memory, outbox, timers and jobs of every contact.
//!
//! The store knows neither flows nor channels: sessions, memory, events and messages are opaque bytes to it. Each
//! method of [`Store`] is one atomic step, and the store owns the clock. Everything that can change a conversation
//! is an event in its contact's mailbox; only the holder of a fenced lease may consume it, and one commit writes
//! state, memory, outbox, timers, jobs, history and the consumption together.

mod address;
mod bell;
mod caps;
mod clock;
mod erasure;
mod millis;
pub mod model;
mod pace;
mod record;
pub mod redis;
mod sqlite;
mod whole;

pub use address::{NoStore, RedisPlace, StoreAddress, open};
pub use caps::Caps;
pub use clock::{Clock, MovableClock, StillClock, SystemClock};
pub use erasure::Tombstone;
pub use pace::{Pace, Rate, Tokens};
pub use record::{
    Alias, AtWork, Claim, Committed, ContactId, Due, Failed, Fence, HistoryEntry, Ingest, Ingested, Job,
    JobClaim, JobId, Keep, MailboxEvent, Merged, Nonce, OutboxEntry, Owner, Parked, ParkedId, Promises,
    Quarantined, Resolved, Retention, SendClaim, SendOutcome, Sender, Seq, Stats, Status, Stays, TimerId,
    Trimmed, TurnCommit, Wake,
};
pub use redis::{RedisClock, RedisSettings, RedisStore};
pub use sqlite::SqliteStore;
pub use whole::{
    Bytes, Cursor, EndedAs, EndedLease, Imported, Page, Record, SeenId, WholeContact, WholeEntry, WholeEvent,
    WholeJob, WholeLine, WholePace, WholeParked, WholeTimer,
};

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

/// Events that one [`Store::claim`] hands over at most. The rest waits for the next turn.
pub const CLAIM_EVENTS: usize = 20;

/// A mailbox head is put aside the time its turn fails, or its holder dies, for the third time.
pub const PARK_AFTER: u32 = 3;

/// How long a contact rests after a failed turn, by how often it failed. New events do not shorten it.
pub const BACK_OFF: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

/// A durable conversation store. One conformance suite runs on every implementation.
///
/// Mutating calls are idempotent under [`StoreError::Unknown`]: the caller repeats them with the same ids and
/// nonce and gets the first outcome or `Already`. Some are weaker, and harmlessly so: a repeated `send_claim` or
/// `job_claim` leaves what it claimed first to the end of a lease that nobody holds, and a repeated `job_done` may say `false` although its result is
/// in the mailbox.
///
/// Times are kept in whole milliseconds. A time to wait for is rounded up, so that nothing comes early.
///
/// *The bot never talks over a person.* Every contact has a count of takeovers. An entry of the bot bears the count its
/// turn was claimed under; [`Store::send_claim`] drops those of an older one. [`Store::set_owner`] away from the bot raises
/// the count, a commit never does: so a takeover silences what was queued and what a turn in flight is yet to queue,
/// and the sentence with which the bot hands over is still sent. What the bot queues while people own the
/// chat, in a turn that does not give it back, is dropped in the same way. `Sender::Person` is never dropped.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// The contact behind an identity on a channel; made if missing. Further aliases of the same person are linked to
    /// it. A clash (two aliases that already belong to different contacts) is returned, never merged silently.
    async fn resolve_alias(
        &self,
        channel: &str,
        alias: &Alias,
        also: &[Alias],
    ) -> Result<Resolved, StoreError>;

    /// Appends events to mailboxes and marks the contacts runnable. Durable when it returns. All events of one call
    /// are in one transaction; outcomes come back in order. A contact that is not known is made, on the event's channel.
    /// Timers and results of jobs reach a full mailbox too: they were promised when their turn was committed.
    async fn ingest(&self, events: &[Ingest]) -> Result<Vec<Ingested>, StoreError>;

    /// [`Store::ingest`] of the events of one contact and, if it is due then and nobody holds it, [`Store::claim`] of it, so
    /// that the one who brought them answers them. It may give no claim; then what is due is found. After
    /// [`StoreError::Unknown`] a claim with the same nonce gets what this one may have claimed.
    async fn ingest_then_claim(
        &self,
        events: &[Ingest],
        nonce: Nonce,
        lease: Duration,
    ) -> Result<(Vec<Ingested>, Option<Claim>), StoreError> {
        let outcomes = self.ingest(events).await?;
        let claim = match events.first() {
            // The events stand, whatever becomes of the second step: what is not claimed here is found as due.
            Some(event) => self.claim(event.contact, nonce, lease).await.unwrap_or(None),
            None => None,
        };
        Ok((outcomes, claim))
    }

    /// Contacts, timers or jobs that may have work now: a hint, at most `limit`, soonest first.
    async fn due(&self, kind: Due, limit: usize) -> Result<Vec<ContactId>, StoreError>;

    /// When the soonest work of this kind is due, so that a poller can sleep until then.
    async fn next_due(&self, kind: Due) -> Result<Option<Timestamp>, StoreError>;

    /// Takes the lease of a contact that is due, with everything a turn needs. `None`: leased by another, or not due.
    /// When earlier holders died with this mailbox head [`PARK_AFTER`] times, the head is parked (see
    /// [`Store::parked`]). The same nonce while its lease lasts gets the same claim again.
    async fn claim(
        &self,
        contact: ContactId,
        nonce: Nonce,
        lease: Duration,
    ) -> Result<Option<Claim>, StoreError>;

    /// Writes one whole turn, or nothing. `Fenced`: the lease was lost, nothing was written.
    async fn commit(&self, turn: &TurnCommit) -> Result<Committed, StoreError>;

    /// [`Store::commit`] and, if it was `Done`, [`Store::send_claim`] of the same contact, so that the one who took the turn
    /// goes on sending. A repeated call says `Already` and may give no claim: what the first one claimed then waits for
    /// its lease.
    async fn commit_then_send(
        &self,
        turn: &TurnCommit,
        lease: Duration,
    ) -> Result<(Committed, Option<SendClaim>), StoreError> {
        let committed = self.commit(turn).await?;
        let claim = match committed {
            // The turn stands, whatever becomes of the second step: what is not claimed here is found as due.
            Committed::Done => self.send_claim(turn.contact, lease).await.unwrap_or(None),
            Committed::Already | Committed::Fenced => None,
        };
        Ok((committed, claim))
    }

    /// The turn returned an error: counts it and backs off by [`BACK_OFF`]; the [`PARK_AFTER`]th time the head of the
    /// mailbox is parked and the contact goes on at once.
    async fn fail(
        &self,
        contact: ContactId,
        fence: Fence,
        nonce: Nonce,
        why: &str,
    ) -> Result<Failed, StoreError>;

    /// Moves every timer that is due at the store's clock into its contact's mailbox, as an event whose payload is
    /// the timer's. Returns how many. A timer fires once in effect and never early.
    async fn fire_due_timers(&self, limit: usize) -> Result<usize, StoreError>;

    /// Takes the head of the outbox for sending and marks it *sending* durably, before a byte leaves. Strictly in order:
    /// a head that has to wait holds back what is behind it. Entries of the
    /// bot that were queued before a person took the chat over are dropped here and recorded in the history.
    async fn send_claim(&self, contact: ContactId, lease: Duration) -> Result<Option<SendClaim>, StoreError>;

    /// Records what became of a claimed entry. `false`: the claim was lost to another.
    async fn send_done(&self, claim: &SendClaim, outcome: &SendOutcome) -> Result<bool, StoreError>;

    /// [`Store::send_done`] and, if the claim was not lost, [`Store::send_claim`] of what is next. A repeated call may
    /// give no claim: what the first one claimed then waits for its lease.
    async fn sent_then_next(
        &self,
        claim: &SendClaim,
        outcome: &SendOutcome,
        lease: Duration,
    ) -> Result<(bool, Option<SendClaim>), StoreError> {
        let ours = self.send_done(claim, outcome).await?;
        let next = match ours {
            true => self.send_claim(claim.contact, lease).await.unwrap_or(None),
            false => None,
        };
        Ok((ours, next))
    }

    /// Takes up to `want` tokens of a number, one for each message that is to leave, at once and without waiting. All
    /// processes that share the store share the tokens; those of a process that died are lost, which costs a moment and
    /// nothing else. A step that may be repeated: at worst tokens are taken twice.
    async fn take_tokens(&self, channel: &str, want: u32, rate: Rate) -> Result<Tokens, StoreError>;

    /// A delivery status for a message we sent. Monotone: a later status never lowers an earlier one. A status that
    /// bears our own id also takes the entry out of the outbox, sent or not: the provider has it. `false`: the message
    /// is not known. A message is known while its line is in the thread or its entry in the outbox.
    async fn reconcile(&self, channel: &str, status: &Status) -> Result<bool, StoreError>;

    /// Takes one due job for `lease`.
    async fn job_claim(&self, lease: Duration) -> Result<Option<JobClaim>, StoreError>;

    /// Lets a claim last for `lease` from now, as its holder asks while the work goes on; a claim that ran out and that
    /// nobody took is still its holder's. With no time at all the job is given back. `false`: the claim was lost to
    /// another, or the job is done.
    async fn job_renew(&self, claim: &JobClaim, lease: Duration) -> Result<bool, StoreError>;

    /// Ends a job: its result is appended to the contact's mailbox and the job is gone, in one step. `false`: the claim
    /// was lost to another.
    async fn job_done(&self, claim: &JobClaim, result: Vec<u8>) -> Result<bool, StoreError>;

    /// Changes who owns the chat, as people do it. An owner that does not let the bot speak now also voids what the bot has
    /// queued and not begun to send, and what is begun is not tried again. A contact that is not known stays so.
    async fn set_owner(&self, contact: ContactId, owner: Owner) -> Result<(), StoreError>;

    /// The conversation as it is, without a lease and with the whole mailbox: for pages and tools, never for writing.
    async fn peek(&self, contact: ContactId) -> Result<Option<Claim>, StoreError>;

    /// The latest `limit` entries of the thread, oldest first.
    async fn history(&self, contact: ContactId, limit: usize) -> Result<Vec<HistoryEntry>, StoreError>;

    /// Contacts, most recently active first.
    async fn contacts(&self, limit: usize) -> Result<Vec<ContactId>, StoreError>;

    /// Contacts in the order of their ids, `limit` of those behind `after` at most: for a walk over all of them in steps.
    /// Fewer than `limit` are the last. Who comes while it is walked may be met or not; whoever stays is met once.
    async fn contacts_after(
        &self,
        after: Option<ContactId>,
        limit: usize,
    ) -> Result<Vec<ContactId>, StoreError>;

    /// Events that were put aside, with the reason, newest first. They are kept as [`Caps::parked_events`] and
    /// [`Retention::dead`] say. Among them are contacts with a record that can't be read, without an event and with the
    /// record's key in the reason (see [`ParkedId::is_unread`]); they go by themselves once it can be read.
    async fn parked(&self, limit: usize) -> Result<Vec<Parked>, StoreError>;

    /// Puts it back at the end of its contact's mailbox, as a new event: a full mailbox takes it too. What waits for a
    /// record that could not be read is tried again at once. `false`: it is not put aside (any more).
    async fn unpark(&self, id: &ParkedId) -> Result<bool, StoreError>;

    /// Forgets it. `false`: it is not put aside (any more).
    async fn discard(&self, id: &ParkedId) -> Result<bool, StoreError>;

    /// Keeps something that could not be read (a webhook that does not decode), with why, for people to look at.
    async fn quarantine(&self, channel: &str, raw: &[u8], why: &str) -> Result<(), StoreError>;

    /// What could not be read, newest first.
    async fn quarantined(&self, limit: usize) -> Result<Vec<Quarantined>, StoreError>;

    /// Forgets it. `false`: it is not kept (any more).
    async fn discard_quarantined(&self, id: &str) -> Result<bool, StoreError>;

    /// Removes every record of a contact, whoever holds it: what was claimed can no longer be written. What stays is a
    /// [`Tombstone`], so that a delivery of what was seen before does not bring the person back; something new from the
    /// same person makes a fresh contact, whose numbers go on where the old one's ended. `false`: it is not known. What
    /// could not be read goes too if it names one of the contact's aliases.
    async fn erase(&self, contact: ContactId) -> Result<bool, StoreError>;

    /// Makes two contacts one, as a person decided after a clash of aliases. Aliases, thread, unread events and what waits
    /// to be sent go to `into`, and the newer memory stays. `from` is gone: its aliases lead to `into`, and so does what
    /// is still delivered for it. A call that broke off is finished by repeating it.
    async fn merge(&self, from: ContactId, into: ContactId) -> Result<Merged, StoreError>;

    /// What the store holds now. Cheap: it never looks at every record.
    async fn stats(&self) -> Result<Stats, StoreError>;

    /// All there is of a contact, as one consistent value.
    async fn whole(&self, contact: ContactId) -> Result<Option<WholeContact>, StoreError>;

    /// The records of the store, `limit` at most; consistent for each contact, not over all of them. Whoever changes the
    /// store while it is exported may or may not be in it.
    async fn export(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError>;

    /// Writes records as they are. [`StoreError::Clash`] if the store has a contact, or one of its aliases, otherwise; then
    /// nothing of the batch was written, or with a store of partitions what stands before it. Repeating it is harmless.
    async fn import(&self, records: &[Record]) -> Result<Imported, StoreError>;

    /// One bounded step of forgetting what is older than it may be: `limit` contacts after `after`, and with `None` also
    /// what was put aside, could not be read, or was left by erasures. Contacts with something to be answered or sent
    /// keep session and memory.
    async fn trim(
        &self,
        after: Option<&Cursor>,
        keep: &Retention,
        limit: usize,
    ) -> Result<Trimmed, StoreError>;

    /// Small facts of the whole installation (live version, settings). Last write wins.
    async fn put_setting(&self, key: &str, value: &[u8]) -> Result<(), StoreError>;
    async fn setting(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;
    /// One that is not there is no error.
    async fn remove_setting(&self, key: &str) -> Result<(), StoreError>;
    /// Writes a setting, or with `None` removes it, if it still is what the caller has `seen` (`None`: it was not there).
    /// `false`: it is something else by now, and nothing was written. What already is as it shall be counts as written,
    /// so that a repeated call says what the first one did.
    async fn swap_setting(
        &self,
        key: &str,
        seen: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, StoreError>;
    /// All settings whose keys begin with this, in the order of their keys.
    async fn settings(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError>;

    /// Waits until something may have become due since the last call; may wake for nothing. Says where to look: a store that
    /// many processes share names the contacts, so that the usual case costs no look at everything. Meant for one caller, who
    /// then looks: of several, one may oversleep by 50 ms. What ends it is a write, and the
    /// clock reaching the soonest work (a movable clock is looked at every 50 ms). A claim that found nothing is no write.
    /// Work that stays due without being taken ends it every 50 ms.
    async fn wait_for_work(&self) -> Wake;

    /// By which of its servers a contact is kept, by number, where the store has several that fail apart from each other.
    /// `None`: it has not.
    fn server_of(&self, _contact: ContactId) -> Option<u16> {
        None
    }

    /// The store's time.
    fn now(&self) -> Timestamp;

    /// What this store promises with its present settings.
    fn promises(&self) -> Promises;

    /// Finishes what was accepted and closes. Later calls answer `Unavailable`.
    async fn close(&self) -> Result<(), StoreError>;
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written.
    #[error("the store can't be reached: {0}")]
    Unavailable(String),
    /// Nothing was written.
    #[error("the store is full: {0}. Make room; work goes on by itself")]
    Full(String),
    #[error("the store can only be read: {0}")]
    ReadOnly(String),
    /// It may have been written. Repeat with the same ids.
    #[error("the store gave no answer; the change may or may not have happened: {0}")]
    Unknown(String),
    #[error("the record {key} can't be read: {why}")]
    Corrupt { key: String, why: String },
    #[error("{what} has {size} bytes, {cap} at most")]
    TooBig {
        what: &'static str,
        size: usize,
        cap: usize,
    },
    /// Nothing was written.
    #[error("{what} would have {count} entries, {cap} at most")]
    TooMany {
        what: &'static str,
        count: usize,
        cap: usize,
    },
    #[error(
        "the store was written by a newer Switchboard (format {found}; this one reads up to {max}). Start the newer version"
    )]
    Version { found: u32, max: u32 },
    /// Nothing of it was written.
    #[error(
        "the store has {0} already, and not as it is to be written. Take another store, or erase that first"
    )]
    Clash(String),
    #[error("another Switchboard uses this store: {0}")]
    Locked(String),
    /// It answers, and would not keep what it is given.
    #[error("the store is not fit to keep conversations: {0}")]
    Unfit(String),
}

//! A store whose answers get lost: each step that changes something answers [`StoreError::Unknown`] at first, sometimes
//! before it was done, sometimes after. Whoever repeats it as the trait says must end where a sure store ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use switchboard::store::{
    Alias, Claim, Committed, ContactId, Cursor, Due, Failed, Fence, HistoryEntry, Imported, Ingest, Ingested,
    JobClaim, Merged, Nonce, Owner, Page, Parked, ParkedId, Promises, Quarantined, Rate, Record, Resolved,
    Retention, SendClaim, SendOutcome, Stats, Status, Store, StoreError, Tokens, Trimmed, TurnCommit, Wake,
    WholeContact,
};

/// Which of two calls of a step gets lost, and whether before or after it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Every first call, before it was done.
    Before,
    /// Every first call, after it was done.
    After,
    /// Both, one after the other.
    Both,
}

#[derive(Debug)]
pub struct Doubtful {
    pub store: Arc<dyn Store>,
    pub lost: Lost,
    /// Calls since the last answer.
    calls: AtomicU64,
    /// Each third step has its answer at once: a claim that got lost waits for the end of its lease, and then must have one.
    answers: AtomicU64,
    /// Answers that got lost.
    pub doubts: AtomicU64,
}

impl Doubtful {
    pub fn new(store: Arc<dyn Store>, lost: Lost) -> Doubtful {
        Doubtful {
            store,
            lost,
            calls: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            doubts: AtomicU64::new(0),
        }
    }

    async fn doubt<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let lost = || {
            self.doubts.fetch_add(1, Ordering::SeqCst);
            Err(StoreError::Unknown("the answer got lost".into()))
        };
        let mut call = self.calls.fetch_add(1, Ordering::SeqCst);
        if self.answers.load(Ordering::SeqCst) % 3 == 2 {
            call = u64::MAX;
        }
        match (self.lost, call) {
            (Lost::Before | Lost::Both, 0) => lost(),
            (Lost::After, 0) | (Lost::Both, 1) => {
                // What the step itself refuses is no doubt.
                work.await?;
                lost()
            }
            _ => {
                self.calls.store(0, Ordering::SeqCst);
                self.answers.fetch_add(1, Ordering::SeqCst);
                work.await
            }
        }
    }
}

#[async_trait]
impl Store for Doubtful {
    async fn resolve_alias(
        &self,
        channel: &str,
        alias: &Alias,
        also: &[Alias],
    ) -> Result<Resolved, StoreError> {
        self.doubt(self.store.resolve_alias(channel, alias, also)).await
    }

    async fn ingest(&self, events: &[Ingest]) -> Result<Vec<Ingested>, StoreError> {
        self.doubt(self.store.ingest(events)).await
    }

    async fn ingest_then_claim(
        &self,
        events: &[Ingest],
        nonce: Nonce,
        lease: Duration,
    ) -> Result<(Vec<Ingested>, Option<Claim>), StoreError> {
        self.doubt(self.store.ingest_then_claim(events, nonce, lease))
            .await
    }

    async fn due(&self, kind: Due, limit: usize) -> Result<Vec<ContactId>, StoreError> {
        self.store.due(kind, limit).await
    }

    async fn next_due(&self, kind: Due) -> Result<Option<Timestamp>, StoreError> {
        self.store.next_due(kind).await
    }

    async fn claim(
        &self,
        contact: ContactId,
        nonce: Nonce,
        lease: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        self.doubt(self.store.claim(contact, nonce, lease)).await
    }

    async fn commit(&self, turn: &TurnCommit) -> Result<Committed, StoreError> {
        self.doubt(self.store.commit(turn)).await
    }

    async fn commit_then_send(
        &self,
        turn: &TurnCommit,
        lease: Duration,
    ) -> Result<(Committed, Option<SendClaim>), StoreError> {
        self.doubt(self.store.commit_then_send(turn, lease)).await
    }

    async fn fail(
        &self,
        contact: ContactId,
        fence: Fence,
        nonce: Nonce,
        why: &str,
    ) -> Result<Failed, StoreError> {
        self.doubt(self.store.fail(contact, fence, nonce, why)).await
    }

    async fn fire_due_timers(&self, limit: usize) -> Result<usize, StoreError> {
        self.doubt(self.store.fire_due_timers(limit)).await
    }

    async fn send_claim(&self, contact: ContactId, lease: Duration) -> Result<Option<SendClaim>, StoreError> {
        self.doubt(self.store.send_claim(contact, lease)).await
    }

    async fn send_done(&self, claim: &SendClaim, outcome: &SendOutcome) -> Result<bool, StoreError> {
        self.doubt(self.store.send_done(claim, outcome)).await
    }

    async fn sent_then_next(
        &self,
        claim: &SendClaim,
        outcome: &SendOutcome,
        lease: Duration,
    ) -> Result<(bool, Option<SendClaim>), StoreError> {
        self.doubt(self.store.sent_then_next(claim, outcome, lease)).await
    }

    async fn take_tokens(&self, channel: &str, want: u32, rate: Rate) -> Result<Tokens, StoreError> {
        self.doubt(self.store.take_tokens(channel, want, rate)).await
    }

    async fn reconcile(&self, channel: &str, status: &Status) -> Result<bool, StoreError> {
        self.doubt(self.store.reconcile(channel, status)).await
    }

    async fn job_claim(&self, lease: Duration) -> Result<Option<JobClaim>, StoreError> {
        self.doubt(self.store.job_claim(lease)).await
    }

    async fn job_renew(&self, claim: &JobClaim, lease: Duration) -> Result<bool, StoreError> {
        self.doubt(self.store.job_renew(claim, lease)).await
    }

    async fn job_done(&self, claim: &JobClaim, result: Vec<u8>) -> Result<bool, StoreError> {
        self.doubt(self.store.job_done(claim, result)).await
    }

    async fn set_owner(&self, contact: ContactId, owner: Owner) -> Result<(), StoreError> {
        self.doubt(self.store.set_owner(contact, owner)).await
    }

    async fn peek(&self, contact: ContactId) -> Result<Option<Claim>, StoreError> {
        self.store.peek(contact).await
    }

    async fn history(&self, contact: ContactId, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        self.store.history(contact, limit).await
    }

    async fn contacts(&self, limit: usize) -> Result<Vec<ContactId>, StoreError> {
        self.store.contacts(limit).await
    }

    async fn contacts_after(
        &self,
        after: Option<ContactId>,
        limit: usize,
    ) -> Result<Vec<ContactId>, StoreError> {
        self.store.contacts_after(after, limit).await
    }

    async fn parked(&self, limit: usize) -> Result<Vec<Parked>, StoreError> {
        self.store.parked(limit).await
    }

    async fn unpark(&self, id: &ParkedId) -> Result<bool, StoreError> {
        self.doubt(self.store.unpark(id)).await
    }

    async fn discard(&self, id: &ParkedId) -> Result<bool, StoreError> {
        self.doubt(self.store.discard(id)).await
    }

    async fn quarantine(&self, channel: &str, raw: &[u8], why: &str) -> Result<(), StoreError> {
        self.doubt(self.store.quarantine(channel, raw, why)).await
    }

    async fn quarantined(&self, limit: usize) -> Result<Vec<Quarantined>, StoreError> {
        self.store.quarantined(limit).await
    }

    async fn discard_quarantined(&self, id: &str) -> Result<bool, StoreError> {
        self.doubt(self.store.discard_quarantined(id)).await
    }

    async fn erase(&self, contact: ContactId) -> Result<bool, StoreError> {
        self.doubt(self.store.erase(contact)).await
    }

    async fn merge(&self, from: ContactId, into: ContactId) -> Result<Merged, StoreError> {
        self.doubt(self.store.merge(from, into)).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.store.stats().await
    }

    async fn whole(&self, contact: ContactId) -> Result<Option<WholeContact>, StoreError> {
        self.store.whole(contact).await
    }

    async fn export(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.store.export(after, limit).await
    }

    async fn import(&self, records: &[Record]) -> Result<Imported, StoreError> {
        self.doubt(self.store.import(records)).await
    }

    async fn trim(
        &self,
        after: Option<&Cursor>,
        keep: &Retention,
        limit: usize,
    ) -> Result<Trimmed, StoreError> {
        self.doubt(self.store.trim(after, keep, limit)).await
    }

    async fn put_setting(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.doubt(self.store.put_setting(key, value)).await
    }

    async fn setting(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.setting(key).await
    }

    async fn remove_setting(&self, key: &str) -> Result<(), StoreError> {
        self.doubt(self.store.remove_setting(key)).await
    }

    async fn swap_setting(
        &self,
        key: &str,
        seen: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        self.doubt(self.store.swap_setting(key, seen, value)).await
    }

    async fn settings(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.store.settings(prefix).await
    }

    async fn wait_for_work(&self) -> Wake {
        self.store.wait_for_work().await
    }

    fn server_of(&self, contact: ContactId) -> Option<u16> {
        self.store.server_of(contact)
    }

    fn now(&self) -> Timestamp {
        self.store.now()
    }

    fn promises(&self) -> Promises {
        self.store.promises()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.store.close().await
    }
}

//! The store, with a watch in hand: how long each step takes, and how it fails. Sits between the server and any store and
//! changes nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use metrics::Histogram;

use super::metrics::{Family, Metrics, label, observe};
use super::pulse::{Part, Pulse};
use crate::server::failpoint;
use crate::store::{
    Alias, Claim, Committed, ContactId, Cursor, Due, Failed, Fence, HistoryEntry, Imported, Ingest, Ingested,
    JobClaim, Merged, Nonce, Owner, Page, Parked, ParkedId, Promises, Quarantined, Rate, Record, Resolved,
    Retention, SendClaim, SendOutcome, Stats, Status, Store, StoreError, Tokens, Trimmed, TurnCommit, Wake,
    WholeContact,
};

label! {
    /// The steps of a store that can fail, by the names of its methods.
    Step as "step" {
        ResolveAlias = "resolve_alias",
        Ingest = "ingest",
        IngestThenClaim = "ingest_then_claim",
        Due = "due",
        NextDue = "next_due",
        Claim = "claim",
        Commit = "commit",
        CommitThenSend = "commit_then_send",
        Fail = "fail",
        FireDueTimers = "fire_due_timers",
        SendClaim = "send_claim",
        SendDone = "send_done",
        SentThenNext = "sent_then_next",
        TakeTokens = "take_tokens",
        Reconcile = "reconcile",
        JobClaim = "job_claim",
        JobRenew = "job_renew",
        JobDone = "job_done",
        SetOwner = "set_owner",
        Peek = "peek",
        History = "history",
        Contacts = "contacts",
        ContactsAfter = "contacts_after",
        Parked = "parked",
        Unpark = "unpark",
        Discard = "discard",
        Quarantine = "quarantine",
        Quarantined = "quarantined",
        DiscardQuarantined = "discard_quarantined",
        Erase = "erase",
        Merge = "merge",
        Stats = "stats",
        Whole = "whole",
        Export = "export",
        Import = "import",
        Trim = "trim",
        PutSetting = "put_setting",
        Setting = "setting",
        RemoveSetting = "remove_setting",
        SwapSetting = "swap_setting",
        Settings = "settings",
        Close = "close",
    }
}

#[derive(Debug)]
pub(in crate::server) struct Measured {
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
    pulse: Arc<Pulse>,
    steps: Family<Step, Histogram>,
}

impl Measured {
    pub fn new(store: Arc<dyn Store>, metrics: Arc<Metrics>, pulse: Arc<Pulse>) -> Measured {
        let steps = metrics.store_steps();
        Measured {
            store,
            metrics,
            pulse,
            steps,
        }
    }

    /// A step that concerns no contact, or more than one.
    async fn time<T>(
        &self,
        step: Step,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.time_at(None, step, work).await
    }

    /// A step of one contact.
    async fn time_of<T>(
        &self,
        contact: ContactId,
        step: Step,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.time_at(self.store.server_of(contact), step, work).await
    }

    /// Where all of these belong, if it is one place.
    fn part_of(&self, events: &[Ingest]) -> Part {
        let mut parts = events.iter().map(|event| self.store.server_of(event.contact));
        let first = parts.next().flatten();
        first.filter(|first| parts.all(|part| part == Some(*first)))
    }

    async fn time_at<T>(
        &self,
        part: Part,
        step: Step,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let outcome = failpoint::step(step.word(), work).await;
        observe(self.steps.of(step), began.elapsed());
        self.pulse.heard(part, &outcome);
        if let Err(why) = &outcome {
            self.metrics.store_errors(step.word(), kind(why)).increment(1);
        }
        outcome
    }
}

/// A word for what went wrong; the same in all versions.
fn kind(why: &StoreError) -> &'static str {
    match why {
        StoreError::Unavailable(_) => "unavailable",
        StoreError::Full(_) => "full",
        StoreError::ReadOnly(_) => "read_only",
        StoreError::Unknown(_) => "unknown",
        StoreError::Corrupt { .. } => "corrupt",
        StoreError::TooBig { .. } => "too_big",
        StoreError::TooMany { .. } => "too_many",
        StoreError::Version { .. } => "version",
        StoreError::Locked(_) => "locked",
        StoreError::Clash(_) => "clash",
        StoreError::Unfit(_) => "unfit",
    }
}

#[async_trait]
impl Store for Measured {
    async fn resolve_alias(
        &self,
        channel: &str,
        alias: &Alias,
        also: &[Alias],
    ) -> Result<Resolved, StoreError> {
        let work = self.store.resolve_alias(channel, alias, also);
        self.time(Step::ResolveAlias, work).await
    }

    async fn ingest(&self, events: &[Ingest]) -> Result<Vec<Ingested>, StoreError> {
        self.time_at(self.part_of(events), Step::Ingest, self.store.ingest(events))
            .await
    }

    async fn ingest_then_claim(
        &self,
        events: &[Ingest],
        nonce: Nonce,
        lease: Duration,
    ) -> Result<(Vec<Ingested>, Option<Claim>), StoreError> {
        let work = self.store.ingest_then_claim(events, nonce, lease);
        self.time_at(self.part_of(events), Step::IngestThenClaim, work)
            .await
    }

    async fn due(&self, kind: Due, limit: usize) -> Result<Vec<ContactId>, StoreError> {
        self.time(Step::Due, self.store.due(kind, limit)).await
    }

    async fn next_due(&self, kind: Due) -> Result<Option<Timestamp>, StoreError> {
        self.time(Step::NextDue, self.store.next_due(kind)).await
    }

    async fn claim(
        &self,
        contact: ContactId,
        nonce: Nonce,
        lease: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        self.time_of(contact, Step::Claim, self.store.claim(contact, nonce, lease))
            .await
    }

    async fn commit(&self, turn: &TurnCommit) -> Result<Committed, StoreError> {
        self.time_of(turn.contact, Step::Commit, self.store.commit(turn))
            .await
    }

    async fn commit_then_send(
        &self,
        turn: &TurnCommit,
        lease: Duration,
    ) -> Result<(Committed, Option<SendClaim>), StoreError> {
        self.time_of(
            turn.contact,
            Step::CommitThenSend,
            self.store.commit_then_send(turn, lease),
        )
        .await
    }

    async fn fail(
        &self,
        contact: ContactId,
        fence: Fence,
        nonce: Nonce,
        why: &str,
    ) -> Result<Failed, StoreError> {
        self.time_of(contact, Step::Fail, self.store.fail(contact, fence, nonce, why))
            .await
    }

    async fn fire_due_timers(&self, limit: usize) -> Result<usize, StoreError> {
        self.time(Step::FireDueTimers, self.store.fire_due_timers(limit))
            .await
    }

    async fn send_claim(&self, contact: ContactId, lease: Duration) -> Result<Option<SendClaim>, StoreError> {
        self.time_of(contact, Step::SendClaim, self.store.send_claim(contact, lease))
            .await
    }

    async fn send_done(&self, claim: &SendClaim, outcome: &SendOutcome) -> Result<bool, StoreError> {
        self.time_of(
            claim.contact,
            Step::SendDone,
            self.store.send_done(claim, outcome),
        )
        .await
    }

    async fn sent_then_next(
        &self,
        claim: &SendClaim,
        outcome: &SendOutcome,
        lease: Duration,
    ) -> Result<(bool, Option<SendClaim>), StoreError> {
        let work = self.store.sent_then_next(claim, outcome, lease);
        self.time_of(claim.contact, Step::SentThenNext, work).await
    }

    async fn take_tokens(&self, channel: &str, want: u32, rate: Rate) -> Result<Tokens, StoreError> {
        self.time(Step::TakeTokens, self.store.take_tokens(channel, want, rate))
            .await
    }

    async fn reconcile(&self, channel: &str, status: &Status) -> Result<bool, StoreError> {
        self.time(Step::Reconcile, self.store.reconcile(channel, status))
            .await
    }

    async fn job_claim(&self, lease: Duration) -> Result<Option<JobClaim>, StoreError> {
        self.time(Step::JobClaim, self.store.job_claim(lease)).await
    }

    async fn job_renew(&self, claim: &JobClaim, lease: Duration) -> Result<bool, StoreError> {
        self.time_of(claim.contact, Step::JobRenew, self.store.job_renew(claim, lease))
            .await
    }

    async fn job_done(&self, claim: &JobClaim, result: Vec<u8>) -> Result<bool, StoreError> {
        self.time_of(claim.contact, Step::JobDone, self.store.job_done(claim, result))
            .await
    }

    async fn set_owner(&self, contact: ContactId, owner: Owner) -> Result<(), StoreError> {
        self.time_of(contact, Step::SetOwner, self.store.set_owner(contact, owner))
            .await
    }

    async fn peek(&self, contact: ContactId) -> Result<Option<Claim>, StoreError> {
        self.time_of(contact, Step::Peek, self.store.peek(contact)).await
    }

    async fn history(&self, contact: ContactId, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        self.time_of(contact, Step::History, self.store.history(contact, limit))
            .await
    }

    async fn contacts(&self, limit: usize) -> Result<Vec<ContactId>, StoreError> {
        self.time(Step::Contacts, self.store.contacts(limit)).await
    }

    async fn contacts_after(
        &self,
        after: Option<ContactId>,
        limit: usize,
    ) -> Result<Vec<ContactId>, StoreError> {
        self.time(Step::ContactsAfter, self.store.contacts_after(after, limit))
            .await
    }

    async fn parked(&self, limit: usize) -> Result<Vec<Parked>, StoreError> {
        self.time(Step::Parked, self.store.parked(limit)).await
    }

    async fn unpark(&self, id: &ParkedId) -> Result<bool, StoreError> {
        self.time(Step::Unpark, self.store.unpark(id)).await
    }

    async fn discard(&self, id: &ParkedId) -> Result<bool, StoreError> {
        self.time(Step::Discard, self.store.discard(id)).await
    }

    async fn quarantine(&self, channel: &str, raw: &[u8], why: &str) -> Result<(), StoreError> {
        self.time(Step::Quarantine, self.store.quarantine(channel, raw, why))
            .await
    }

    async fn quarantined(&self, limit: usize) -> Result<Vec<Quarantined>, StoreError> {
        self.time(Step::Quarantined, self.store.quarantined(limit)).await
    }

    async fn discard_quarantined(&self, id: &str) -> Result<bool, StoreError> {
        self.time(Step::DiscardQuarantined, self.store.discard_quarantined(id))
            .await
    }

    async fn erase(&self, contact: ContactId) -> Result<bool, StoreError> {
        self.time_of(contact, Step::Erase, self.store.erase(contact))
            .await
    }

    async fn merge(&self, from: ContactId, into: ContactId) -> Result<Merged, StoreError> {
        self.time(Step::Merge, self.store.merge(from, into)).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.time(Step::Stats, self.store.stats()).await
    }

    async fn whole(&self, contact: ContactId) -> Result<Option<WholeContact>, StoreError> {
        self.time_of(contact, Step::Whole, self.store.whole(contact))
            .await
    }

    async fn export(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.time(Step::Export, self.store.export(after, limit)).await
    }

    async fn import(&self, records: &[Record]) -> Result<Imported, StoreError> {
        self.time(Step::Import, self.store.import(records)).await
    }

    async fn trim(
        &self,
        after: Option<&Cursor>,
        keep: &Retention,
        limit: usize,
    ) -> Result<Trimmed, StoreError> {
        self.time(Step::Trim, self.store.trim(after, keep, limit)).await
    }

    async fn put_setting(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.time(Step::PutSetting, self.store.put_setting(key, value))
            .await
    }

    async fn setting(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.time(Step::Setting, self.store.setting(key)).await
    }

    async fn remove_setting(&self, key: &str) -> Result<(), StoreError> {
        self.time(Step::RemoveSetting, self.store.remove_setting(key))
            .await
    }

    async fn swap_setting(
        &self,
        key: &str,
        seen: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        self.time(Step::SwapSetting, self.store.swap_setting(key, seen, value))
            .await
    }

    async fn settings(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.time(Step::Settings, self.store.settings(prefix)).await
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
        self.time(Step::Close, self.store.close()).await
    }
}

#[cfg(test)]
mod tests {
    /// A method with a body of its own in the trait would be lost silently: the store's better one must be called.
    #[test]
    fn every_step_of_the_store_goes_through_the_watch() {
        let (contract, here) = (include_str!("../../store/mod.rs"), include_str!("measured.rs"));
        let body = contract
            .split_once("pub trait Store")
            .and_then(|(_, rest)| rest.split_once("\n}\n"))
            .map(|(body, _)| body)
            .expect("the trait");
        let of_trait: Vec<&str> = body
            .lines()
            .filter_map(|line| {
                let line = line.strip_prefix("    ")?;
                let rest = line
                    .strip_prefix("async fn ")
                    .or_else(|| line.strip_prefix("fn "))?;
                rest.split(['(', '<']).next()
            })
            .collect();
        assert!(
            of_trait.contains(&"ingest") && of_trait.contains(&"now"),
            "{of_trait:?}"
        );
        for name in of_trait {
            assert!(
                here.contains(&format!("self.store.{name}(")),
                "{name} is not passed on"
            );
        }
    }
}

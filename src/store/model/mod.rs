//! The contract of [`Store`] in plain maps: the reference that real stores are compared with, and a store for tests
//! that need none on disk. It keeps nothing when it is dropped.

mod conversation;
mod people;
mod whole;
mod world;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use self::world::World;
use super::bell::Bell;
use super::erasure::ErasureKey;
use super::{
    Alias, Caps, Claim, Clock, Committed, ContactId, Cursor, Due, Failed, Fence, HistoryEntry, Imported,
    Ingest, Ingested, JobClaim, Merged, Nonce, Owner, Page, Parked, ParkedId, Promises, Quarantined, Rate,
    Record, Resolved, Retention, SendClaim, SendOutcome, Stats, Status, Store, StoreError, SystemClock,
    Tokens, Trimmed, TurnCommit, Wake, WholeContact, millis,
};

#[derive(Debug)]
pub struct ModelStore {
    caps: Caps,
    clock: Arc<dyn Clock>,
    bell: Bell,
    /// `None` once closed.
    world: Mutex<Option<World>>,
}

impl Default for ModelStore {
    fn default() -> ModelStore {
        ModelStore::new(Caps::default(), Arc::new(SystemClock))
    }
}

impl ModelStore {
    pub fn new(caps: Caps, clock: Arc<dyn Clock>) -> ModelStore {
        ModelStore {
            caps,
            clock,
            bell: Bell::new(),
            world: Mutex::new(Some(World::new(caps))),
        }
    }

    /// Ends all leases, as a store of one process does when it is opened: whoever held them is dead.
    pub fn holders_died(&self) -> Result<(), StoreError> {
        self.step(|world, now| {
            world.end_leases(now);
            Ok(())
        })
    }

    /// Runs one step and rings for those who wait. Steps check before they write, so an error leaves no trace.
    fn step<T>(&self, work: impl FnOnce(&mut World, i64) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.step_that(|_| true, work)
    }

    /// The same for a step that looks for work: it rings only if it found some, or its callers would wake themselves.
    fn step_that<T>(
        &self,
        changed: impl FnOnce(&T) -> bool,
        work: impl FnOnce(&mut World, i64) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let world = world
            .as_mut()
            .ok_or_else(|| StoreError::Unavailable("it is closed".into()))?;
        let result = work(world, millis::floor(self.clock.now()));
        let soonest = [Due::Run, Due::Send, Due::Timer, Due::Job]
            .into_iter()
            .filter_map(|kind| world.next_due(kind));
        if result.as_ref().is_ok_and(changed) {
            self.bell.ring(soonest.min());
        }
        result
    }

    fn look<T>(&self, work: impl FnOnce(&World, i64) -> T) -> Result<T, StoreError> {
        let world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let world = world
            .as_ref()
            .ok_or_else(|| StoreError::Unavailable("it is closed".into()))?;
        Ok(work(world, millis::floor(self.clock.now())))
    }
}

#[async_trait]
impl Store for ModelStore {
    async fn resolve_alias(
        &self,
        channel: &str,
        alias: &Alias,
        also: &[Alias],
    ) -> Result<Resolved, StoreError> {
        self.step(|world, now| Ok(world.resolve(now, channel, alias, also)))
    }

    async fn ingest(&self, events: &[Ingest]) -> Result<Vec<Ingested>, StoreError> {
        self.caps.check_ingest(events)?;
        self.step(|world, now| Ok(events.iter().map(|event| world.ingest(now, event)).collect()))
    }

    async fn due(&self, kind: Due, limit: usize) -> Result<Vec<ContactId>, StoreError> {
        self.look(|world, now| world.due(now, kind, limit))
    }

    async fn next_due(&self, kind: Due) -> Result<Option<Timestamp>, StoreError> {
        self.look(|world, _| world.next_due(kind).map(millis::timestamp))
    }

    async fn claim(
        &self,
        contact: ContactId,
        nonce: Nonce,
        lease: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        self.step_that(Option::is_some, |world, now| {
            Ok(world.claim(now, contact, nonce, lease))
        })
    }

    async fn commit(&self, turn: &TurnCommit) -> Result<Committed, StoreError> {
        self.caps.check_turn(turn)?;
        self.step(|world, now| world.commit(now, turn))
    }

    async fn fail(
        &self,
        contact: ContactId,
        fence: Fence,
        nonce: Nonce,
        why: &str,
    ) -> Result<Failed, StoreError> {
        self.step(|world, now| Ok(world.fail(now, contact, (fence, nonce), why)))
    }

    async fn fire_due_timers(&self, limit: usize) -> Result<usize, StoreError> {
        self.step_that(|fired| *fired > 0, |world, now| Ok(world.fire(now, limit)))
    }

    async fn send_claim(&self, contact: ContactId, lease: Duration) -> Result<Option<SendClaim>, StoreError> {
        self.step_that(Option::is_some, |world, now| {
            Ok(world
                .person(contact)
                .and_then(|person| person.send_claim(now, lease)))
        })
    }

    async fn send_done(&self, claim: &SendClaim, outcome: &SendOutcome) -> Result<bool, StoreError> {
        self.step(|world, now| {
            let person = world.person(claim.contact);
            Ok(person.is_some_and(|person| person.send_done(now, claim, outcome)))
        })
    }

    async fn take_tokens(&self, channel: &str, want: u32, rate: Rate) -> Result<Tokens, StoreError> {
        // Nobody waits for tokens to be taken: no ring.
        self.step_that(
            |_| false,
            |world, now| Ok(world.buckets.take(channel, now, want, rate)),
        )
    }

    async fn reconcile(&self, channel: &str, status: &Status) -> Result<bool, StoreError> {
        self.step(|world, now| Ok(world.reconcile(now, channel, status)))
    }

    async fn job_claim(&self, lease: Duration) -> Result<Option<JobClaim>, StoreError> {
        self.step_that(Option::is_some, |world, now| Ok(world.job_claim(now, lease)))
    }

    async fn job_renew(&self, claim: &JobClaim, lease: Duration) -> Result<bool, StoreError> {
        let given_back = lease.is_zero();
        self.step_that(
            |_| given_back,
            |world, now| Ok(world.job_renew(now, claim, lease)),
        )
    }

    async fn job_done(&self, claim: &JobClaim, result: Vec<u8>) -> Result<bool, StoreError> {
        self.caps.check_result(&result)?;
        self.step(|world, now| Ok(world.job_done(now, claim, result)))
    }

    async fn set_owner(&self, contact: ContactId, owner: Owner) -> Result<(), StoreError> {
        self.step(|world, now| {
            if let Some(person) = world.person(contact) {
                person.set_owner(now, owner);
            }
            Ok(())
        })
    }

    async fn peek(&self, contact: ContactId) -> Result<Option<Claim>, StoreError> {
        self.look(|world, _| world.peek(contact))
    }

    async fn history(&self, contact: ContactId, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        self.look(|world, _| world.history(contact, limit))
    }

    async fn contacts(&self, limit: usize) -> Result<Vec<ContactId>, StoreError> {
        self.look(|world, _| world.contacts(limit))
    }

    async fn contacts_after(
        &self,
        after: Option<ContactId>,
        limit: usize,
    ) -> Result<Vec<ContactId>, StoreError> {
        self.look(|world, _| world.contacts_after(after, limit))
    }

    async fn parked(&self, limit: usize) -> Result<Vec<Parked>, StoreError> {
        self.look(|world, _| world.parked(limit))
    }

    async fn unpark(&self, id: &ParkedId) -> Result<bool, StoreError> {
        self.step(|world, now| Ok(world.unpark(now, id)))
    }

    async fn discard(&self, id: &ParkedId) -> Result<bool, StoreError> {
        self.step(|world, _| Ok(world.discard(id).is_some()))
    }

    async fn quarantine(&self, channel: &str, raw: &[u8], why: &str) -> Result<(), StoreError> {
        self.step(|world, now| {
            world.quarantine(now, channel, raw, why);
            Ok(())
        })
    }

    async fn quarantined(&self, limit: usize) -> Result<Vec<Quarantined>, StoreError> {
        self.look(|world, _| world.quarantined.iter().rev().take(limit).cloned().collect())
    }

    async fn discard_quarantined(&self, id: &str) -> Result<bool, StoreError> {
        self.step(|world, _| Ok(world.discard_quarantined(id)))
    }

    async fn erase(&self, contact: ContactId) -> Result<bool, StoreError> {
        let fresh = ErasureKey::fresh()?;
        self.step(|world, now| Ok(world.erase(now, contact, fresh)))
    }

    async fn merge(&self, from: ContactId, into: ContactId) -> Result<Merged, StoreError> {
        self.step(|world, now| Ok(world.merge(now, from, into)))
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.look(|world, now| world.stats(now))
    }

    async fn whole(&self, contact: ContactId) -> Result<Option<WholeContact>, StoreError> {
        self.look(|world, now| world.whole(now, contact))
    }

    async fn export(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.look(|world, now| world.export(now, after, limit))
    }

    async fn import(&self, records: &[Record]) -> Result<Imported, StoreError> {
        self.step(|world, now| world.import(now, records))
    }

    async fn trim(
        &self,
        after: Option<&Cursor>,
        keep: &Retention,
        limit: usize,
    ) -> Result<Trimmed, StoreError> {
        self.step(|world, now| Ok(world.trim(now, after, keep, limit)))
    }

    async fn put_setting(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.step(|world, _| {
            world.settings.insert(key.to_owned(), value.to_vec());
            Ok(())
        })
    }

    async fn setting(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.look(|world, _| world.settings.get(key).cloned())
    }

    async fn remove_setting(&self, key: &str) -> Result<(), StoreError> {
        self.step(|world, _| {
            world.settings.remove(key);
            Ok(())
        })
    }

    async fn swap_setting(
        &self,
        key: &str,
        seen: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        self.step(|world, _| {
            let now = world.settings.get(key).map(Vec::as_slice);
            if now != seen {
                return Ok(now == value);
            }
            match value {
                Some(value) => world.settings.insert(key.to_owned(), value.to_vec()),
                None => world.settings.remove(key),
            };
            Ok(true)
        })
    }

    async fn settings(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.look(|world, _| {
            let begins = |(key, _): &(&String, &Vec<u8>)| key.starts_with(prefix);
            let kept = world.settings.iter().filter(begins);
            kept.map(|(key, value)| (key.clone(), value.clone())).collect()
        })
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
            store: "model",
            process_crash: false,
            power_loss: false,
            shared: false,
        }
    }

    async fn close(&self) -> Result<(), StoreError> {
        *self.world.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}

//! Timers and jobs: work that comes back into the mailbox as an event.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;

use super::agenda::AHEAD;
use super::link::{Call, Durable};
use super::scripts::{FIRE, JOB_CLAIM, JOB_DONE, JOB_RENEW, LOOK};
use super::turn::{field, member};
use super::unread::Waits;
use super::wire::{Answer, span};
use super::{Partition, RedisStore, random};
use crate::store::{ContactId, Due, JobClaim, JobId, Nonce, StoreError};

/// Candidates that one look brings of a partition.
const SOON: usize = 256;
/// So many partitions are asked at a time: what they have may be enough.
const TOGETHER: usize = 32;
/// Timers of partitions that another process looks after are left to it for so long, in milliseconds. Otherwise all would
/// fire the same ones.
const TO_OTHERS: i64 = 500;

/// Something of a contact, and when it is due: sorted as it is taken.
pub(super) type Ripe = (i64, ContactId, Vec<u8>);

impl RedisStore {
    /// Timers are moved, never claimed: a crash can neither lose nor double them.
    pub(super) async fn fire(&self, limit: usize) -> Result<usize, StoreError> {
        loop {
            let mut ripe = self.ripe(Due::Timer, limit).await?;
            if let Some((at, contact, _)) = ripe.get(limit) {
                // The rest is work to come, behind what these bring.
                self.note(Due::Timer, Some(*at), *contact, *at);
            }
            ripe.truncate(limit);
            let mut contacts: BTreeMap<ContactId, Vec<Vec<u8>>> = BTreeMap::new();
            for (_, contact, timer) in ripe {
                contacts.entry(contact).or_default().push(timer);
            }
            let any = !contacts.is_empty();
            let firing = contacts
                .into_iter()
                .map(|(contact, timers)| self.fire_of(contact, timers));
            let (mut fired, mut trouble) = (0, None);
            for one in join_all(firing).await {
                match one {
                    Ok(some) => fired += some,
                    Err(why) => trouble = Some(why),
                }
            }
            match trouble {
                // The others go on.
                Some(why) if fired == 0 => return Err(why),
                Some(why) => tracing::error!(%why, "timers of a contact could not be fired"),
                None => {}
            }
            // Another process may have fired all of them first, and there may be more.
            if fired > 0 || !any {
                return Ok(fired);
            }
        }
    }

    async fn fire_of(&self, contact: ContactId, timers: Vec<Vec<u8>>) -> Result<usize, StoreError> {
        let own = self.names.of(contact);
        let keys = vec![
            own.contact(),
            own.mailbox(),
            own.body(),
            own.queue("timers"),
            own.queue("run"),
            own.queue("active"),
        ];
        let mut args = self.args(contact);
        args.0.extend(timers.iter().cloned());
        let answer = self.run(&FIRE, keys, args, Durable::Local).await;
        let mut answer = self
            .or_rest(answer, contact, &own, Waits::In(Due::Timer), timers)
            .await?;
        answer.int()?;
        let now = answer.int()?;
        let fired = answer.count()?;
        self.note(Due::Run, answer.time()?, contact, now);
        Ok(fired)
    }

    /// What is due of timers or jobs, more than `limit` if there is more. Partitions that this process looks after come
    /// first; within them, and within the others, those with the soonest work.
    async fn ripe(&self, kind: Due, limit: usize) -> Result<Vec<Ripe>, StoreError> {
        let (horizon, queue, to_others) = match kind {
            Due::Timer => (&self.timers, "timers", TO_OTHERS),
            Due::Job => (&self.jobs, "jobs", 0),
            Due::Run | Due::Send => return Ok(Vec::new()),
        };
        let mine = |partition| {
            self.workers
                .get()
                .is_none_or(|workers| workers.is_mine(partition))
        };
        let (own, others): (Vec<_>, Vec<_>) = horizon
            .to_ask(self.millis())
            .into_iter()
            .partition(|(partition, _)| mine(*partition));
        let (mut ripe, mut trouble) = (Vec::new(), None);
        for (all, late) in [(own, 0), (others, to_others)] {
            for some in all.chunks(TOGETHER) {
                if ripe.len() > limit {
                    horizon.ask_again();
                    break;
                }
                let calls = some.iter().map(|(partition, _)| Call {
                    keys: vec![self.names.queue(*partition, queue)],
                    args: self.args(ContactId([0; 16])).with(limit).0,
                });
                let answers = self.each(&LOOK, calls.collect()).await;
                let mut found = Vec::new();
                for ((partition, was), answer) in some.iter().zip(answers) {
                    match answer.and_then(|answer| listed(answer, 1)) {
                        Ok((now, lists)) => {
                            let list = lists.into_iter().flatten().collect::<Vec<Ripe>>();
                            horizon.told(*partition, *was, list.first().map(|(at, ..)| *at));
                            for one in list {
                                if one.0 + late <= now {
                                    found.push(one);
                                } else {
                                    // Whoever looks after it may be gone.
                                    self.note(kind, Some(one.0 + late), one.1, now);
                                    break;
                                }
                            }
                        }
                        Err(why) => {
                            horizon.ask_again();
                            trouble = Some(why);
                        }
                    }
                }
                found.sort();
                ripe.extend(found);
            }
        }
        match trouble {
            // What the others have can be done.
            Some(why) if ripe.is_empty() => Err(why),
            Some(_) | None => Ok(ripe),
        }
    }

    pub(super) async fn take_job(&self, lease: Duration) -> Result<Option<JobClaim>, StoreError> {
        for (_, contact, job) in self.ripe(Due::Job, SOON).await? {
            if let Some(claim) = self.take_job_of(contact, job, lease).await? {
                return Ok(Some(claim));
            }
        }
        Ok(None)
    }

    async fn take_job_of(
        &self,
        contact: ContactId,
        job: Vec<u8>,
        lease: Duration,
    ) -> Result<Option<JobClaim>, StoreError> {
        let own = self.names.of(contact);
        let nonce = Nonce(random()?);
        let id = String::from_utf8_lossy(&job[16..]).into_owned();
        let keys = vec![own.contact(), own.body(), own.queue("jobs")];
        let args = self
            .args(contact)
            .with(job.clone())
            .with(field(b'j', &id))
            .with(nonce.0)
            .with(span(lease));
        let answer = self.run(&JOB_CLAIM, keys, args, Durable::Local).await;
        let mut answer = self
            .or_rest(answer, contact, &own, Waits::In(Due::Job), vec![job])
            .await?;
        answer.int()?;
        answer.int()?;
        if answer.int()? == 0 {
            return Ok(None);
        }
        let (channel, payload, attempt) = (answer.text()?, answer.bytes()?, answer.count()?);
        if attempt > 1 {
            self.leases_lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Some(JobClaim {
            channel,
            payload,
            attempt,
            id: JobId(id),
            contact,
            nonce,
        }))
    }

    pub(super) async fn renew_job(&self, claim: &JobClaim, lease: Duration) -> Result<bool, StoreError> {
        let contact = claim.contact;
        let own = self.names.of(contact);
        let keys = vec![own.body(), own.queue("jobs")];
        let args = self
            .args(contact)
            .with(member(contact, &claim.id.0))
            .with(field(b'j', &claim.id.0))
            .with(claim.nonce.0)
            .with(span(lease));
        let mut answer = self.run(&JOB_RENEW, keys, args, Durable::Local).await?;
        answer.int()?;
        let now = answer.int()?;
        let ours = answer.int()? == 1;
        // Nobody needs to hear of a claim that goes on.
        if ours && lease.is_zero() {
            let due = answer.time()?;
            self.jobs.lower(own.partition, due.unwrap_or(now));
            self.hand_over(Due::Job, due, contact, now);
        }
        Ok(ours)
    }

    pub(super) async fn end_job(&self, claim: &JobClaim, result: &[u8]) -> Result<bool, StoreError> {
        self.caps.check_result(result)?;
        let contact = claim.contact;
        let own = self.names.of(contact);
        let keys = vec![
            own.contact(),
            own.mailbox(),
            own.body(),
            own.queue("jobs"),
            own.queue("run"),
            own.queue("active"),
        ];
        let args = self
            .args(contact)
            .with(member(contact, &claim.id.0))
            .with(field(b'j', &claim.id.0))
            .with(claim.nonce.0)
            .with(result);
        let mut answer = self.run(&JOB_DONE, keys, args, Durable::Local).await?;
        answer.int()?;
        let now = answer.int()?;
        let ours = answer.int()? == 1;
        self.note(Due::Run, answer.time()?, contact, now);
        Ok(ours)
    }
}

/// The members and times that a look gives for each of its queues.
pub(super) fn listed(mut answer: Answer, queues: usize) -> Result<(i64, Vec<Vec<Ripe>>), StoreError> {
    answer.int()?;
    let now = answer.int()?;
    let mut lists = Vec::with_capacity(queues);
    for _ in 0..queues {
        let (mut list, mut members) = (Vec::new(), answer.list()?);
        while !members.is_done() {
            let member = members.bytes()?;
            let at = members.int()?;
            let contact = member.get(..16).and_then(|id| id.try_into().ok()).map(ContactId);
            let contact = contact.ok_or_else(|| StoreError::Corrupt {
                key: "a queue of a partition".into(),
                why: format!("{:?} begins with no contact", String::from_utf8_lossy(&member)),
            })?;
            list.push((at, contact, member));
        }
        lists.push(list);
    }
    Ok((now, lists))
}

impl RedisStore {
    /// What is due of every kind in these partitions, or will be soon, into the agenda.
    pub(super) async fn look(&self, partitions: &[Partition]) -> Result<(), StoreError> {
        const KINDS: [(Due, &str); 4] = [
            (Due::Run, "run"),
            (Due::Send, "send"),
            (Due::Timer, "timers"),
            (Due::Job, "jobs"),
        ];
        let calls = partitions.iter().map(|partition| Call {
            keys: KINDS
                .iter()
                .map(|(_, queue)| self.names.queue(*partition, queue))
                .collect(),
            args: self.args(ContactId([0; 16])).with(SOON).with(AHEAD).0,
        });
        let mut trouble = None;
        for (partition, answer) in partitions.iter().zip(self.each(&LOOK, calls.collect()).await) {
            let (now, lists) = match answer.and_then(|answer| listed(answer, KINDS.len())) {
                Ok(found) => found,
                Err(why) => {
                    trouble = Some(why);
                    continue;
                }
            };
            for ((kind, _), list) in KINDS.iter().zip(lists) {
                let (bound, each) = match kind {
                    Due::Timer => (Some(&self.timers), 1),
                    Due::Job => (Some(&self.jobs), 1),
                    Due::Run | Due::Send => (None, usize::MAX),
                };
                // One hint is enough for timers and jobs: whoever fires or claims looks for all of them.
                for (at, contact, _) in list.into_iter().take(each) {
                    if let Some(bound) = bound {
                        bound.lower(*partition, at);
                    }
                    self.note(*kind, Some(at), contact, now);
                }
            }
        }
        trouble.map_or(Ok(()), Err)
    }
}

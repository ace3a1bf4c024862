//! All contacts of the model, and what they share.

use std::collections::BTreeMap;
use std::time::Duration;

use super::conversation::{End, Lease, Person};
use crate::store::pace::Buckets;
use crate::store::{
    Alias, BACK_OFF, CLAIM_EVENTS, Caps, Claim, Committed, ContactId, Due, Failed, Fence, HistoryEntry,
    Ingest, Ingested, Job, JobClaim, Keep, Nonce, PARK_AFTER, Parked, ParkedId, Quarantined, Resolved, Seq,
    Status, StoreError, Tombstone, TurnCommit, millis,
};

#[derive(Debug)]
pub(super) struct World {
    pub(super) caps: Caps,
    pub(super) people: BTreeMap<ContactId, Person>,
    pub(super) aliases: BTreeMap<(String, Alias), ContactId>,
    pub(super) timers: BTreeMap<(ContactId, String), (i64, Vec<u8>)>,
    /// In the order they were asked for.
    pub(super) jobs: Vec<Asked>,
    claims_of_jobs: u64,
    /// Oldest first.
    pub(super) parked: Vec<Parked>,
    pub(super) parked_dropped: u64,
    /// Oldest first.
    pub(super) quarantined: Vec<Quarantined>,
    pub(super) tombstones: BTreeMap<Vec<u8>, Tombstone>,
    /// Contacts that were merged, and into which.
    pub(super) moved: BTreeMap<ContactId, ContactId>,
    pub(super) leases_lost: u64,
    pub(super) settings: BTreeMap<String, Vec<u8>>,
    pub(super) buckets: Buckets,
}

#[derive(Debug)]
pub(super) struct Asked {
    pub(super) contact: ContactId,
    pub(super) job: Job,
    pub(super) at: i64,
    pub(super) attempt: u32,
    pub(super) nonce: Option<Nonce>,
}

impl World {
    pub(super) fn new(caps: Caps) -> World {
        World {
            caps,
            people: BTreeMap::new(),
            aliases: BTreeMap::new(),
            timers: BTreeMap::new(),
            jobs: Vec::new(),
            claims_of_jobs: 0,
            parked: Vec::new(),
            parked_dropped: 0,
            quarantined: Vec::new(),
            tombstones: BTreeMap::new(),
            moved: BTreeMap::new(),
            leases_lost: 0,
            settings: BTreeMap::new(),
            buckets: Buckets::default(),
        }
    }

    pub(super) fn person(&mut self, id: ContactId) -> Option<&mut Person> {
        self.people.get_mut(&id)
    }

    /// A contact that was merged is the one it was merged into. One that was erased not long ago begins where it ended.
    fn person_or_new(&mut self, now: i64, id: ContactId, channel: &str) -> &mut Person {
        let moved = self
            .moved
            .get(&id)
            .copied()
            .filter(|_| !self.people.contains_key(&id));
        let id = moved.unwrap_or(id);
        let stone = match self.people.contains_key(&id) {
            true => None,
            false => self.tombstone(now, id),
        };
        self.people.entry(id).or_insert_with(|| {
            let mut person = Person::new(id, channel, now);
            if let Some(stone) = stone {
                person.erased = true;
                person.last_seq = stone.last_seq;
                person.fence = stone.fence;
                person.send_fence = stone.send_fence;
            }
            person
        })
    }

    pub(super) fn resolve(&mut self, now: i64, channel: &str, alias: &Alias, also: &[Alias]) -> Resolved {
        let all: Vec<&Alias> = std::iter::once(alias).chain(also).collect();
        let owners: Vec<ContactId> = all
            .iter()
            .filter_map(|one| self.aliases.get(&(channel.to_owned(), (*one).clone())).copied())
            .collect();
        if let Some(first) = owners.first().copied()
            && let Some(second) = owners.iter().copied().find(|other| *other != first)
        {
            return Resolved::Clash { first, second };
        }
        let id = owners
            .first()
            .copied()
            .unwrap_or_else(|| ContactId::of(channel, alias));
        let id = self.person_or_new(now, id, channel).id;
        for one in all {
            if let std::collections::btree_map::Entry::Vacant(free) =
                self.aliases.entry((channel.to_owned(), one.clone()))
            {
                free.insert(id);
                self.person_or_new(now, id, channel).aliases.push(one.clone());
            }
        }
        match owners.first() {
            Some(_) => Resolved::Found(id),
            None => Resolved::Created(id),
        }
    }

    pub(super) fn ingest(&mut self, now: i64, event: &Ingest) -> Ingested {
        let caps = self.caps;
        let person = self.person_or_new(now, event.contact, &event.channel);
        let fresh = |at: i64| millis::after(at, caps.dedup_for) > now;
        if person
            .seen
            .iter()
            .any(|(id, at)| *id == event.dedupe && fresh(*at))
        {
            return Ingested::Duplicate;
        }
        let id = person.id;
        if person.erased && self.was_seen(now, id, &event.dedupe) {
            return Ingested::Duplicate;
        }
        let person = self.person_or_new(now, id, &event.channel);
        if person.mailbox.len() >= caps.mailbox_events {
            return Ingested::MailboxFull;
        }
        person.seen.push((event.dedupe.clone(), now));
        let over = person.seen.len().saturating_sub(caps.dedup_ids);
        person.seen.drain(..over);
        if let Some(said_at) = event.said_at {
            person.said_at = person.said_at.max(Some(millis::floor(said_at).min(now)));
        }
        if let Some(line) = &event.history {
            person.write(now, &caps, line, None);
        }
        Ingested::New(person.append(now, event.payload.clone(), event.quiet, event.quiet_max))
    }

    pub(super) fn claim(&mut self, now: i64, id: ContactId, nonce: Nonce, lease: Duration) -> Option<Claim> {
        let person = self.people.get_mut(&id)?;
        if let Some(held) = person.lease {
            if held.until > now {
                return (held.holder.1 == nonce).then(|| person.view(CLAIM_EVENTS));
            }
            person.crashes += 1;
            self.leases_lost += 1;
            if person.crashes >= PARK_AFTER {
                let why = format!("its worker died or hung {PARK_AFTER} times on this event");
                self.park(now, id, &why);
            }
        } else if person.run_at.is_none_or(|at| at > now) {
            return None;
        }
        let person = self.people.get_mut(&id)?;
        person.run_at = None;
        if person.mailbox.is_empty() {
            person.lease = None;
            return None;
        }
        person.fence += 1;
        person.lease = Some(Lease {
            holder: (Fence(person.fence), nonce),
            until: millis::after(now, lease),
            takeovers: person.takeovers,
        });
        Some(person.view(CLAIM_EVENTS))
    }

    fn park(&mut self, now: i64, id: ContactId, why: &str) -> Seq {
        let Some(person) = self.people.get_mut(&id) else {
            return 0;
        };
        person.crashes = 0;
        person.failures = 0;
        if person.mailbox.is_empty() {
            return 0;
        }
        let event = person.mailbox.remove(0);
        let seq = event.seq;
        self.parked.push(Parked {
            id: ParkedId::of(id, seq),
            contact: id,
            channel: person.channel.clone(),
            seq,
            at: millis::timestamp(now),
            why: why.to_owned(),
            payload: event.payload,
        });
        let over = self.parked.len().saturating_sub(self.caps.parked_events);
        self.parked.drain(..over);
        self.parked_dropped += over as u64;
        seq
    }

    pub(super) fn commit(&mut self, now: i64, turn: &TurnCommit) -> Result<Committed, StoreError> {
        let caps = self.caps;
        let holder = (turn.fence, turn.nonce);
        let Some(person) = self.people.get_mut(&turn.contact) else {
            return Ok(Committed::Fenced);
        };
        if person.ended == Some((holder, End::Commit)) {
            return Ok(Committed::Already);
        }
        let Some(lease) = person.lease.filter(|lease| lease.holder == holder) else {
            return Ok(Committed::Fenced);
        };
        let new = person.unknown(turn);
        if !new.is_empty() {
            caps.check_outbox(person.outbox_len() + new.len())?;
        }

        person.mailbox.retain(|event| event.seq > turn.upto);
        keep(&mut person.session, &turn.session);
        keep(&mut person.memory, &turn.memory);
        for line in &turn.history {
            person.write(now, &caps, line, None);
        }
        person.enqueue(now, &caps, turn, &new, lease.takeovers);
        if let Some(owner) = turn.owner
            && lease.takeovers == person.takeovers
        {
            person.owner = owner;
        }
        person.crashes = 0;
        person.failures = 0;
        person.active_at = now;
        person.end(now, End::Commit, millis::after(now, turn.quiet));
        for id in &turn.cancel_timers {
            self.timers.remove(&(turn.contact, id.0.clone()));
        }
        for (id, at, payload) in &turn.set_timers {
            self.timers
                .insert((turn.contact, id.0.clone()), (millis::ceil(*at), payload.clone()));
        }
        for job in &turn.jobs {
            if self
                .jobs
                .iter()
                .all(|asked| (asked.contact, &asked.job.id) != (turn.contact, &job.id))
            {
                self.jobs.push(Asked {
                    contact: turn.contact,
                    job: job.clone(),
                    at: job.not_before.map_or(now, millis::ceil),
                    attempt: 0,
                    nonce: None,
                });
            }
        }
        Ok(Committed::Done)
    }

    pub(super) fn fail(&mut self, now: i64, id: ContactId, holder: (Fence, Nonce), why: &str) -> Failed {
        let Some(person) = self.people.get_mut(&id) else {
            return Failed::Fenced;
        };
        match person.ended.filter(|(ended, _)| *ended == holder) {
            Some((_, End::Retry(at))) => return Failed::RetryAt(millis::timestamp(at)),
            Some((_, End::Parked(seq))) => return Failed::Parked(seq),
            Some((_, End::Commit)) => return Failed::Fenced,
            None => {}
        }
        if person.lease.is_none_or(|lease| lease.holder != holder) {
            return Failed::Fenced;
        }
        person.failures += 1;
        if person.failures < PARK_AFTER {
            let at = millis::after(now, BACK_OFF[person.failures as usize - 1]);
            person.end(now, End::Retry(at), at);
            return Failed::RetryAt(millis::timestamp(at));
        }
        let seq = self.park(now, id, why);
        if let Some(person) = self.people.get_mut(&id) {
            person.end(now, End::Parked(seq), now);
        }
        Failed::Parked(seq)
    }

    pub(super) fn fire(&mut self, now: i64, limit: usize) -> usize {
        let mut due: Vec<(i64, (ContactId, String))> = self
            .timers
            .iter()
            .map(|(key, (at, _))| (*at, key.clone()))
            .filter(|(at, _)| *at <= now)
            .collect();
        due.sort();
        due.truncate(limit);
        for (_, key) in &due {
            if let Some((_, payload)) = self.timers.remove(key)
                && let Some(person) = self.people.get_mut(&key.0)
            {
                person.append(now, payload, Duration::ZERO, Duration::ZERO);
            }
        }
        due.len()
    }

    pub(super) fn job_claim(&mut self, now: i64, lease: Duration) -> Option<JobClaim> {
        let asked = self
            .jobs
            .iter_mut()
            .filter(|asked| asked.at <= now)
            .min_by_key(|asked| (asked.at, asked.contact, asked.job.id.clone()))?;
        self.claims_of_jobs += 1;
        let nonce = Nonce(self.claims_of_jobs);
        asked.at = millis::after(now, lease);
        asked.attempt += 1;
        self.leases_lost += u64::from(asked.attempt > 1);
        asked.nonce = Some(nonce);
        Some(JobClaim {
            id: asked.job.id.clone(),
            contact: asked.contact,
            channel: self.people.get(&asked.contact)?.channel.clone(),
            payload: asked.job.payload.clone(),
            nonce,
            attempt: asked.attempt,
        })
    }

    fn job_of(&self, claim: &JobClaim) -> Option<usize> {
        let is_it = |asked: &Asked| {
            (asked.contact, &asked.job.id, asked.nonce) == (claim.contact, &claim.id, Some(claim.nonce))
        };
        self.jobs.iter().position(is_it)
    }

    pub(super) fn job_renew(&mut self, now: i64, claim: &JobClaim, lease: Duration) -> bool {
        let place = self.job_of(claim);
        if let Some(place) = place {
            self.jobs[place].at = millis::after(now, lease);
        }
        place.is_some()
    }

    pub(super) fn job_done(&mut self, now: i64, claim: &JobClaim, result: Vec<u8>) -> bool {
        let Some(place) = self.job_of(claim) else {
            return false;
        };
        self.jobs.remove(place);
        if let Some(person) = self.people.get_mut(&claim.contact) {
            person.append(now, result, Duration::ZERO, Duration::ZERO);
        }
        true
    }

    pub(super) fn reconcile(&mut self, now: i64, channel: &str, status: &Status) -> bool {
        let mut people = self
            .people
            .values_mut()
            .filter(|person| person.channel == channel);
        let by_our_id = status.ours.as_ref().and_then(|ours| {
            let person = people.find(|person| person.knows(ours))?;
            Some((person.id, ours.clone()))
        });
        let found = by_our_id.or_else(|| {
            let mut people = self.people.values().filter(|person| person.channel == channel);
            people.find_map(|person| Some((person.id, person.ours_of(&status.message_id)?)))
        });
        let Some((id, ours)) = found else {
            return false;
        };
        if let Some(person) = self.people.get_mut(&id) {
            person.reconcile(now, &ours, status);
        }
        true
    }

    pub(super) fn end_leases(&mut self, now: i64) {
        for person in self.people.values_mut() {
            if let Some(lease) = &mut person.lease {
                lease.until = lease.until.min(now);
            }
            person.sending = person.sending.map(|until| until.min(now));
        }
        for asked in self.jobs.iter_mut().filter(|asked| asked.nonce.is_some()) {
            asked.at = asked.at.min(now);
        }
    }

    fn times(&self, kind: Due) -> Vec<(i64, ContactId)> {
        let run_at = |person: &Person| person.lease.map(|lease| lease.until).or(person.run_at);
        let mut times: Vec<(i64, ContactId)> = match kind {
            Due::Run => self
                .people
                .values()
                .filter_map(|one| Some((run_at(one)?, one.id)))
                .collect(),
            Due::Send => self
                .people
                .values()
                .filter_map(|one| Some((one.send_at()?, one.id)))
                .collect(),
            Due::Timer => self.timers.iter().map(|((id, _), (at, _))| (*at, *id)).collect(),
            Due::Job => self.jobs.iter().map(|asked| (asked.at, asked.contact)).collect(),
        };
        times.sort();
        times
    }

    pub(super) fn due(&self, now: i64, kind: Due, limit: usize) -> Vec<ContactId> {
        let mut due: Vec<ContactId> = Vec::new();
        for (_, id) in self.times(kind).into_iter().filter(|(at, _)| *at <= now) {
            if due.len() < limit && !due.contains(&id) {
                due.push(id);
            }
        }
        due
    }

    pub(super) fn next_due(&self, kind: Due) -> Option<i64> {
        self.times(kind).first().map(|(at, _)| *at)
    }

    pub(super) fn peek(&self, id: ContactId) -> Option<Claim> {
        self.people.get(&id).map(|person| person.view(usize::MAX))
    }

    pub(super) fn history(&self, id: ContactId, limit: usize) -> Vec<HistoryEntry> {
        self.people
            .get(&id)
            .map(|person| person.last_lines(limit))
            .unwrap_or_default()
    }

    pub(super) fn contacts_after(&self, after: Option<ContactId>, limit: usize) -> Vec<ContactId> {
        let mut ids: Vec<ContactId> = self.people.keys().copied().collect();
        ids.retain(|id| after.is_none_or(|after| *id > after));
        ids.sort();
        ids.truncate(limit);
        ids
    }

    pub(super) fn contacts(&self, limit: usize) -> Vec<ContactId> {
        let mut people: Vec<(i64, ContactId)> = self
            .people
            .values()
            .map(|person| (person.active_at, person.id))
            .collect();
        people.sort();
        people.into_iter().rev().take(limit).map(|(_, id)| id).collect()
    }
}

fn keep(blob: &mut Option<Vec<u8>>, keep: &Keep) {
    match keep {
        Keep::AsItIs => {}
        Keep::Write(bytes) => *blob = Some(bytes.clone()),
        Keep::Remove => *blob = None,
    }
}

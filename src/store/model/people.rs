//! The model's contacts as wholes: put aside, erased, merged, counted, forgotten, exported.

use std::time::Duration;

use super::conversation::Person;
use super::world::{Asked, World};
use crate::store::erasure::{ErasureKey, KEY_SETTING, names};
use crate::store::whole::merged;
use crate::store::{
    Bytes, ContactId, Cursor, Imported, Job, JobId, Merged, Page, Parked, ParkedId, Quarantined, Record,
    Retention, Stats, StoreError, Tombstone, Trimmed, WholeContact, WholeJob, WholeParked, WholeTimer,
    millis,
};

impl World {
    pub(super) fn parked(&self, limit: usize) -> Vec<Parked> {
        self.parked.iter().rev().take(limit).cloned().collect()
    }

    pub(super) fn discard(&mut self, id: &ParkedId) -> Option<Parked> {
        let place = self.parked.iter().position(|parked| parked.id == *id)?;
        Some(self.parked.remove(place))
    }

    pub(super) fn unpark(&mut self, now: i64, id: &ParkedId) -> bool {
        let Some(parked) = self.discard(id) else {
            return false;
        };
        if let Some(person) = self.person(parked.contact) {
            person.append(now, parked.payload, Duration::ZERO, Duration::ZERO);
        }
        true
    }

    pub(super) fn quarantine(&mut self, now: i64, channel: &str, raw: &[u8], why: &str) {
        let id = Quarantined::id_of(channel, raw);
        self.quarantined.retain(|kept| kept.id != id);
        self.quarantined.push(Quarantined {
            id,
            at: millis::timestamp(now),
            channel: channel.to_owned(),
            raw: Bytes(raw.to_vec()),
            why: why.to_owned(),
        });
    }

    pub(super) fn discard_quarantined(&mut self, id: &str) -> bool {
        let before = self.quarantined.len();
        self.quarantined.retain(|kept| kept.id != id);
        self.quarantined.len() < before
    }

    fn key(&self) -> Option<ErasureKey> {
        self.settings
            .get(KEY_SETTING)
            .and_then(|key| ErasureKey::read(key))
    }

    pub(super) fn tombstone(&self, now: i64, id: ContactId) -> Option<Tombstone> {
        let stone = self.tombstones.get(&self.key()?.contact(id)[..])?;
        let fresh = millis::after(millis::floor(stone.at), self.caps.dedup_for) > now;
        fresh.then(|| stone.clone())
    }

    /// Whether this event was seen before the contact was erased. If that is all that ever came since, nothing stays.
    pub(super) fn was_seen(&mut self, now: i64, id: ContactId, dedupe: &str) -> bool {
        let (Some(key), Some(stone)) = (self.key(), self.tombstone(now, id)) else {
            return false;
        };
        let seen = stone.knows(key.event(dedupe));
        let bare = |person: &Person| person.last_seq == stone.last_seq && person.lines == 0;
        if seen && self.people.get(&id).is_some_and(bare) {
            self.forget(id);
        }
        seen
    }

    fn forget(&mut self, id: ContactId) {
        self.people.remove(&id);
        self.aliases.retain(|_, owner| *owner != id);
        self.timers.retain(|(owner, _), _| *owner != id);
        self.jobs.retain(|asked| asked.contact != id);
        self.parked.retain(|parked| parked.contact != id);
        self.moved.retain(|_, into| *into != id);
    }

    pub(super) fn erase(&mut self, now: i64, id: ContactId, fresh: ErasureKey) -> bool {
        let Some(person) = self.people.get(&id) else {
            return false;
        };
        let key = self.key().unwrap_or(fresh);
        let aliases = person.aliases.clone();
        let seen: Vec<u8> = person.seen.iter().flat_map(|(id, _)| key.event(id)).collect();
        let stone = |one: ContactId| Tombstone {
            contact: Bytes(key.contact(one).to_vec()),
            at: millis::timestamp(now),
            last_seq: person.last_seq,
            fence: person.fence,
            send_fence: person.send_fence,
            seen: Bytes(seen.clone()),
        };
        // A person comes back under the id of any alias.
        let mut ids: Vec<ContactId> = aliases
            .iter()
            .map(|alias| ContactId::of(&person.channel, alias))
            .collect();
        ids.push(id);
        let stones: Vec<Tombstone> = ids
            .into_iter()
            .map(|one| stone(one).and_earlier(self.tombstone(now, one), self.caps.dedup_ids))
            .collect();
        self.settings.insert(KEY_SETTING.to_owned(), key.0.to_vec());
        for stone in stones {
            self.tombstones.insert(stone.contact.0.clone(), stone);
        }
        self.forget(id);
        self.quarantined.retain(|kept| !names(&kept.raw.0, &aliases));
        true
    }

    pub(super) fn whole(&self, now: i64, id: ContactId) -> Option<WholeContact> {
        let mut whole = self.people.get(&id)?.whole(now, &self.caps);
        let into = |(from, into): (&ContactId, &ContactId)| (*into == id).then_some(*from);
        whole.merged = self.moved.iter().filter_map(into).collect();
        whole.timers = self
            .timers
            .iter()
            .filter(|((owner, _), _)| *owner == id)
            .map(|((_, name), (at, payload))| WholeTimer {
                id: name.clone(),
                at: millis::timestamp(*at),
                payload: Bytes(payload.clone()),
            })
            .collect();
        let mine = self.jobs.iter().filter(|asked| asked.contact == id);
        whole.jobs = mine
            .map(|asked| WholeJob {
                id: asked.job.id.0.clone(),
                at: millis::timestamp(asked.at),
                payload: Bytes(asked.job.payload.clone()),
                attempt: asked.attempt,
            })
            .collect();
        let mine = self.parked.iter().filter(|parked| parked.contact == id);
        whole.parked = mine
            .map(|parked| WholeParked {
                id: parked.id.clone(),
                seq: parked.seq,
                at: parked.at,
                why: parked.why.clone(),
                payload: Bytes(parked.payload.clone()),
            })
            .collect();
        Some(whole)
    }

    fn write_whole(&mut self, whole: &WholeContact) {
        let id = whole.contact;
        self.people.insert(id, Person::from_whole(whole));
        for alias in &whole.aliases {
            self.aliases.insert((whole.channel.clone(), alias.clone()), id);
        }
        self.moved.extend(whole.merged.iter().map(|from| (*from, id)));
        for timer in &whole.timers {
            let set = (millis::floor(timer.at), timer.payload.0.clone());
            self.timers.insert((id, timer.id.clone()), set);
        }
        self.jobs.extend(whole.jobs.iter().map(|job| Asked {
            contact: id,
            job: Job {
                id: JobId(job.id.clone()),
                payload: job.payload.0.clone(),
                not_before: None,
            },
            at: millis::floor(job.at),
            attempt: job.attempt,
            nonce: None,
        }));
        self.parked.extend(whole.parked.iter().map(|parked| Parked {
            id: parked.id.clone(),
            contact: id,
            channel: whole.channel.clone(),
            seq: parked.seq,
            at: parked.at,
            why: parked.why.clone(),
            payload: parked.payload.0.clone(),
        }));
    }

    pub(super) fn merge(&mut self, now: i64, from: ContactId, into: ContactId) -> Merged {
        if from == into {
            return Merged::Refused("it is one contact");
        }
        if self.moved.get(&from) == Some(&into) {
            return Merged::Already;
        }
        let (Some(gone), Some(stays)) = (self.people.get(&from), self.people.get(&into)) else {
            return Merged::Refused("one of them is not known");
        };
        if gone.channel != stays.channel {
            return Merged::Refused("they are of different numbers of the business");
        }
        if gone.is_held(now) || stays.is_held(now) {
            return Merged::Busy;
        }
        let (Some(gone), Some(stays)) = (self.whole(now, from), self.whole(now, into)) else {
            return Merged::Refused("one of them is not known");
        };
        let both = merged(gone, stays, &self.caps, millis::timestamp(now));
        self.forget(from);
        self.forget(into);
        self.write_whole(&both);
        Merged::Done
    }

    pub(super) fn stats(&self, now: i64) -> Stats {
        let due = |at: Option<i64>| at.filter(|at| *at <= now).map(millis::timestamp);
        let people = || self.people.values();
        Stats {
            contacts: self.people.len() as u64,
            waiting: people().map(|person| person.mailbox.len() as u64).sum(),
            oldest_due: due(people().filter_map(|person| person.run_at).min()),
            outbox: people().map(|person| person.outbox.len() as u64).sum(),
            oldest_send: due(people()
                .filter(|person| person.sending.is_none())
                .filter_map(Person::send_at)
                .min()),
            timers: self.timers.len() as u64,
            jobs: self.jobs.len() as u64,
            parked: self.parked.len() as u64,
            parked_dropped: self.parked_dropped,
            quarantined: self.quarantined.len() as u64,
            leases_lost: self.leases_lost,
            bytes: None,
            bytes_limit: None,
            unreadable: 0,
            workers: Vec::new(),
            format: None,
        }
    }

    pub(super) fn trim(
        &mut self,
        now: i64,
        after: Option<&Cursor>,
        keep: &Retention,
        limit: usize,
    ) -> Trimmed {
        let mut trimmed = Trimmed::default();
        let before = |age: Duration| now.saturating_sub(millis::after(0, age));
        if after.is_none() {
            let counts = (self.parked.len(), self.quarantined.len(), self.tombstones.len());
            let young = |at, age| millis::floor(at) >= before(age);
            self.parked.retain(|parked| young(parked.at, keep.dead));
            self.quarantined.retain(|kept| young(kept.at, keep.dead));
            let stones = self.caps.dedup_for;
            self.tombstones.retain(|_, stone| young(stone.at, stones));
            trimmed.parked = (counts.0 - self.parked.len()) as u64;
            trimmed.quarantined = (counts.1 - self.quarantined.len()) as u64;
            trimmed.tombstones = (counts.2 - self.tombstones.len()) as u64;
        }
        let after: Option<ContactId> = after.and_then(|cursor| cursor.0.parse().ok());
        let beyond = self
            .people
            .iter_mut()
            .filter(|(id, _)| after.is_none_or(|after| **id > after));
        let mut walked = Vec::new();
        for (id, person) in beyond.take(limit) {
            walked.push(*id);
            let lines = person.thread.len();
            person
                .thread
                .retain(|line| millis::floor(line.entry.at) >= before(keep.history));
            trimmed.lines += (lines - person.thread.len()) as u64;
            let idle = person.mailbox.is_empty() && person.lease.is_none() && person.outbox.is_empty();
            if idle && person.active_at < before(keep.memory) {
                let stays = person.memory.as_deref().and_then(keep.stays.0);
                let forgets = person.session.is_some() || person.memory != stays;
                (person.session, person.memory) = (None, stays);
                trimmed.memories += u64::from(forgets);
            }
        }
        if walked.len() >= limit {
            trimmed.next = walked.last().map(|id| Cursor(id.to_string()));
        }
        trimmed
    }

    /// The cursor counts records: nothing else reads it.
    pub(super) fn export(&self, now: i64, after: Option<&Cursor>, limit: usize) -> Page {
        let settings = self.settings.iter().map(|(key, value)| Record::Setting {
            key: key.clone(),
            value: Bytes(value.clone()),
        });
        let mut quarantined = self.quarantined.clone();
        quarantined.sort_by(|one, other| one.id.cmp(&other.id));
        let mut all: Vec<Record> = settings.collect();
        all.extend(self.tombstones.values().cloned().map(Record::Tombstone));
        all.extend(quarantined.into_iter().map(Record::Quarantined));
        let contacts = self.people.keys().filter_map(|id| self.whole(now, *id));
        all.extend(contacts.map(|contact| Record::Contact(Box::new(contact))));
        let from: usize = after.and_then(|cursor| cursor.0.parse().ok()).unwrap_or(0);
        let end = (from + limit).min(all.len());
        let next = (end < all.len()).then(|| Cursor(end.to_string()));
        all.truncate(end);
        Page {
            records: all.split_off(from.min(end)),
            next,
        }
    }

    pub(super) fn import(&mut self, now: i64, records: &[Record]) -> Result<Imported, StoreError> {
        let mut done = Imported::default();
        // First everything is checked, so that a clash leaves no trace.
        for record in records {
            match record {
                Record::Setting { key, value } if key == KEY_SETTING => {
                    let other = self.settings.get(key).is_some_and(|own| *own != value.0);
                    if other && !self.tombstones.is_empty() {
                        return Err(StoreError::Clash("a key for erased contacts".into()));
                    }
                }
                Record::Contact(contact) => self.check_import(now, contact)?,
                Record::Setting { .. } | Record::Tombstone(_) | Record::Quarantined(_) => {}
            }
        }
        for record in records {
            match record {
                Record::Setting { key, value } => match self.settings.get(key) {
                    Some(own) if *own == value.0 => done.same += 1,
                    Some(_) if key != KEY_SETTING => done.kept += 1,
                    Some(_) | None => {
                        self.settings.insert(key.clone(), value.0.clone());
                        done.written += 1;
                    }
                },
                Record::Tombstone(stone) => {
                    self.tombstones.insert(stone.contact.0.clone(), stone.clone());
                    done.written += 1;
                }
                Record::Quarantined(kept) if self.quarantined.iter().any(|own| own.id == kept.id) => {
                    done.same += 1
                }
                Record::Quarantined(kept) => {
                    self.quarantined.push(kept.clone());
                    done.written += 1;
                }
                Record::Contact(contact) if self.people.contains_key(&contact.contact) => done.same += 1,
                Record::Contact(contact) => {
                    self.write_whole(contact);
                    done.written += 1;
                }
            }
        }
        Ok(done)
    }

    fn check_import(&self, now: i64, contact: &WholeContact) -> Result<(), StoreError> {
        let id = contact.contact;
        if self.people.contains_key(&id) {
            if self.whole(now, id).as_ref() == Some(contact) {
                return Ok(());
            }
            return Err(StoreError::Clash(format!("the contact {id}")));
        }
        for one in contact.merged.iter().chain([&id]) {
            if self.people.contains_key(one) || self.moved.contains_key(one) {
                return Err(StoreError::Clash(format!("the contact {one}")));
            }
        }
        for alias in &contact.aliases {
            if let Some(owner) = self.aliases.get(&(contact.channel.clone(), alias.clone())) {
                let what = format!("an alias of the contact {id}, of the contact {owner},");
                return Err(StoreError::Clash(what));
            }
        }
        Ok(())
    }
}

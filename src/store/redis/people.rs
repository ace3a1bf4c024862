//! Contacts as wholes: erased, merged, counted, forgotten, exported and imported.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use redis::Value;

use super::link::Call;
use super::lists::NOBODY;
use super::mailbox::Lead;
use super::scripts::{CONTACTS, COUNT, STONE, STUB, WAITING};
use super::timers::listed;
use super::turn::unreadable;
use super::wire::{Args, Numbers, blob};
use super::{Partition, RedisStore, link::Durable};
use crate::store::erasure::{ErasureKey, KEY_SETTING, names};
use crate::store::whole::merged;
use crate::store::{
    Bytes, ContactId, Cursor, Imported, Merged, Page, Record, Retention, Stats, StoreError, Tombstone,
    Trimmed, WholeContact, millis,
};

/// Others change a contact while it is read and written: a few times at most.
const ROUNDS: usize = 20;
/// Contacts of a partition whose waiting events and messages are counted one by one.
const COUNTED: usize = 1_000;

/// What stayed of an erased contact, and the key that its hashes were made with.
pub(super) struct Stone {
    stone: Tombstone,
    key: ErasureKey,
}

impl Stone {
    pub(super) fn knows(&self, dedupe: &str) -> bool {
        self.stone.knows(self.key.event(dedupe))
    }

    /// The counts that go on where the erased contact's ended: last seq, fence, sender's fence.
    pub(super) fn counts(&self) -> Numbers {
        Numbers::default()
            .six(self.stone.last_seq)
            .six(self.stone.fence)
            .six(self.stone.send_fence)
    }
}

fn contended() -> StoreError {
    StoreError::Unavailable("others keep changing the contact; try again".into())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl RedisStore {
    async fn erasure_key(&self) -> Result<Option<ErasureKey>, StoreError> {
        let setting = self.change_setting("g", KEY_SETTING, b"").await?;
        Ok(setting.as_deref().and_then(ErasureKey::read))
    }

    fn stones(&self, field: &[u8]) -> Vec<u8> {
        self.names
            .queue(Partition(field.first().copied().unwrap_or(0)), "stones")
    }

    async fn stone(&self, field: &[u8], keep: Vec<u8>) -> Result<Option<Tombstone>, StoreError> {
        let args = self.args(NOBODY).with(hex(field)).with(keep);
        let mut answer = self
            .run(&STONE, vec![self.stones(field)], args, Durable::AsConfigured)
            .await?;
        answer.int()?;
        let now = answer.int()?;
        let Some(kept) = answer.maybe_blob()? else {
            return Ok(None);
        };
        let stone: Tombstone = serde_json::from_slice(&kept)
            .map_err(|why| unreadable(self.stones(field), format!("a tombstone: {why}")))?;
        let fresh = millis::after(millis::floor(stone.at), self.caps.dedup_for) > now;
        Ok(fresh.then_some(stone))
    }

    async fn put_stone(&self, stone: &Tombstone) -> Result<(), StoreError> {
        let json = serde_json::to_vec(stone).map_err(|why| StoreError::Unavailable(why.to_string()))?;
        self.stone(&stone.contact.0, blob(&json)).await.map(|_| ())
    }

    pub(super) async fn stone_of(&self, contact: ContactId) -> Result<Option<Stone>, StoreError> {
        let Some(key) = self.erasure_key().await? else {
            return Ok(None);
        };
        let stone = self.stone(&key.contact(contact), Vec::new()).await?;
        Ok(stone.map(|stone| Stone { stone, key }))
    }

    /// The counts that go on where the erased contact's ended.
    pub(super) fn counts_of(&self, stone: Option<&Stone>, args: &mut Args) {
        match stone {
            Some(Stone { stone, .. }) => {
                args.push(stone.last_seq);
                args.push(stone.fence);
                args.push(stone.send_fence);
            }
            None => (0..3).for_each(|_| args.push("")),
        }
    }

    /// If nothing came since the erasure but what had been seen, nothing of the contact stays.
    pub(super) async fn forget_bare(&self, contact: ContactId, stone: &Stone) -> Result<(), StoreError> {
        if let Some(read) = self.read_whole(contact).await?
            && read.whole.last_seq == stone.stone.last_seq
            && read.whole.lines == 0
        {
            self.forget_aliases(&read.whole).await?;
            // Changed since: then something came.
            self.remove_whole(contact, read.token).await?;
        }
        Ok(())
    }

    async fn forget_aliases(&self, whole: &WholeContact) -> Result<(), StoreError> {
        let listed = Lead::bytes(b'L', whole.contact, &[]);
        for alias in &whole.aliases {
            self.lead(&whole.channel, alias, b"-", &listed).await?;
        }
        Ok(())
    }

    /// Tombstones first, the contact last: an erasure that broke off is finished by repeating it.
    pub(super) async fn erase_contact(&self, contact: ContactId) -> Result<bool, StoreError> {
        for _ in 0..ROUNDS {
            let Some(read) = self.read_whole(contact).await? else {
                return Ok(false);
            };
            let key = match self.erasure_key().await? {
                Some(key) => key,
                None => {
                    let fresh = ErasureKey::fresh()?;
                    self.change_setting("s", KEY_SETTING, &fresh.0).await?;
                    self.erasure_key().await?.unwrap_or(fresh)
                }
            };
            let whole = &read.whole;
            let seen: Vec<u8> = whole.seen.iter().flat_map(|seen| key.event(&seen.id)).collect();
            // A person comes back under the id of any alias.
            let of_aliases = whole
                .aliases
                .iter()
                .map(|alias| ContactId::of(&whole.channel, alias));
            let ids: BTreeSet<ContactId> = of_aliases.chain([contact]).collect();
            for id in ids {
                let field = key.contact(id);
                let stone = Tombstone {
                    contact: Bytes(field.to_vec()),
                    at: millis::timestamp(self.millis()),
                    last_seq: whole.last_seq,
                    fence: whole.fence,
                    send_fence: whole.send_fence,
                    seen: Bytes(seen.clone()),
                };
                let earlier = self.stone(&field, Vec::new()).await?;
                self.put_stone(&stone.and_earlier(earlier, self.caps.dedup_ids))
                    .await?;
            }
            self.forget_aliases(whole).await?;
            for from in &whole.merged {
                let token = [&b"v1to"[..], contact.to_string().as_bytes()].concat();
                self.remove_whole(*from, token).await?;
            }
            for kept in self.list_quarantined().await? {
                if names(&kept.raw.0, &whole.aliases) {
                    self.quarantined_entry(&kept.id, Vec::new()).await?;
                }
            }
            if self.remove_whole(contact, read.token).await? {
                return Ok(true);
            }
        }
        Err(contended())
    }

    /// Where a merged contact went, and its whole if that has not arrived.
    async fn stub(
        &self,
        contact: ContactId,
        into: Option<ContactId>,
    ) -> Result<Option<(ContactId, Option<WholeContact>)>, StoreError> {
        let own = self.names.of(contact);
        let into = into.map(|into| into.to_string()).unwrap_or_default();
        let args = self.args(contact).with(into).with("");
        let mut answer = self
            .run(&STUB, vec![own.contact()], args, Durable::AsConfigured)
            .await?;
        answer.int()?;
        answer.int()?;
        let Some(into) = answer.maybe_bytes()? else {
            return Ok(None);
        };
        let wrong = |why: String| unreadable(own.contact(), why);
        let into = String::from_utf8_lossy(&into).parse().map_err(wrong)?;
        let plan = answer.maybe_bytes()?.map(|json| serde_json::from_slice(&json));
        let plan = plan
            .transpose()
            .map_err(|why| wrong(format!("what is to be merged: {why}")))?;
        Ok(Some((into, plan)))
    }

    /// First `from` is put down as gone to `into`, with its whole, in one step; then `into` gets that, once; then the word
    /// about it and the aliases follow. Whatever broke off is finished by the next call.
    pub(super) async fn merge_contacts(
        &self,
        from: ContactId,
        into: ContactId,
    ) -> Result<Merged, StoreError> {
        if from == into {
            return Ok(Merged::Refused("it is one contact"));
        }
        for _ in 0..ROUNDS {
            match self.stub(from, None).await? {
                Some((to, None)) if to == into => return Ok(Merged::Already),
                Some((to, Some(plan))) if to == into => {
                    if let Some(done) = self.finish_merge(from, into, plan).await? {
                        return Ok(done);
                    }
                    continue;
                }
                Some(_) | None => {}
            }
            let (Some(gone), Some(stays)) = (self.read_whole(from).await?, self.read_whole(into).await?)
            else {
                return Ok(Merged::Refused("one of them is not known"));
            };
            if gone.whole.channel != stays.whole.channel {
                return Ok(Merged::Refused("they are of different numbers of the business"));
            }
            if gone.held || stays.held {
                return Ok(Merged::Busy);
            }
            self.leave_stub(&gone.whole, gone.token, into).await?;
        }
        Err(contended())
    }

    async fn finish_merge(
        &self,
        from: ContactId,
        into: ContactId,
        plan: WholeContact,
    ) -> Result<Option<Merged>, StoreError> {
        let Some(stays) = self.read_whole(into).await? else {
            return Ok(Some(Merged::Refused("one of them is not known")));
        };
        if stays.held {
            return Ok(Some(Merged::Busy));
        }
        let aliases = plan.aliases.clone();
        let earlier = plan.merged.clone();
        let channel = plan.channel.clone();
        if !stays.whole.merged.contains(&from) {
            let now = millis::timestamp(self.millis());
            let both = merged(plan, stays.whole, &self.caps, now);
            if !self.put_whole(&both, stays.token).await? {
                return Ok(None);
            }
        }
        let (was, is) = (Lead::bytes(b'L', from, &[]), Lead::bytes(b'L', into, &[]));
        for alias in &aliases {
            self.lead(&channel, alias, &is, &was).await?;
        }
        for one in earlier.iter().chain([&from]) {
            self.stub(*one, Some(into)).await?;
        }
        Ok(Some(Merged::Done))
    }

    pub(super) async fn count_all(&self) -> Result<Stats, StoreError> {
        let (workers, format) = self.at_work().await?;
        let mut stats = Stats {
            leases_lost: self.leases_lost.load(Ordering::Relaxed),
            quarantined: self.list_quarantined().await?.len() as u64,
            unreadable: self.list_unread().await?.len() as u64,
            workers,
            format,
            ..Stats::default()
        };
        let queues = ["run", "send", "timers", "jobs", "active", "parked", "counts"];
        let calls = Partition::all().map(|partition| Call {
            keys: queues.map(|queue| self.names.queue(partition, queue)).to_vec(),
            args: self.args(NOBODY).with(COUNTED).0,
        });
        let mut waiting = BTreeSet::new();
        for answer in self.each(&COUNT, calls.collect()).await {
            let mut answer = answer?;
            answer.int()?;
            answer.int()?;
            stats.contacts += answer.int()?.unsigned_abs();
            stats.timers += answer.int()?.unsigned_abs();
            stats.jobs += answer.int()?.unsigned_abs();
            stats.parked += answer.int()?.unsigned_abs();
            stats.parked_dropped += answer.int()?.unsigned_abs();
            for _ in 0..2 {
                let mut list = answer.list()?;
                while !list.is_done() {
                    let id: Result<[u8; 16], _> = list.bytes()?.try_into();
                    waiting.extend(id.ok().map(ContactId));
                }
            }
        }
        let calls = waiting.iter().map(|contact| Call {
            keys: vec![self.names.of(*contact).contact()],
            args: self.args(*contact).0,
        });
        let (mut due, mut sends) = (None, None);
        for answer in self.each(&WAITING, calls.collect()).await {
            let mut answer = answer?;
            answer.int()?;
            let now = answer.int()?;
            stats.waiting += answer.int()?.unsigned_abs();
            let runs_at = answer.time()?.filter(|at| *at <= now);
            due = due.into_iter().chain(runs_at).min();
            stats.outbox += answer.int()?.unsigned_abs();
            let sends_at = answer.time()?.filter(|at| *at <= now);
            sends = sends.into_iter().chain(sends_at).min();
        }
        stats.oldest_due = due.map(millis::timestamp);
        stats.oldest_send = sends.map(millis::timestamp);
        let mut info = redis::cmd("INFO");
        info.arg("memory");
        for (_, answer) in self.link.ask_servers(&info).await {
            // A user that may not ask: then the size is not known.
            let text = match answer {
                Ok(Value::BulkString(text)) => String::from_utf8_lossy(&text).into_owned(),
                Ok(Value::VerbatimString { text, .. }) => text,
                Ok(_) | Err(_) => continue,
            };
            let number = |name: &str| -> Option<u64> {
                let line = text.lines().find_map(|line| line.strip_prefix(name))?;
                line.trim().parse().ok()
            };
            if let Some(used) = number("used_memory:") {
                stats.bytes = Some(stats.bytes.unwrap_or(0) + used);
            }
            if let Some(limit) = number("maxmemory:").filter(|limit| *limit > 0) {
                stats.bytes_limit = Some(stats.bytes_limit.unwrap_or(0) + limit);
            }
        }
        Ok(stats)
    }

    /// Contacts by id, beyond this one.
    pub(super) async fn ids_after(
        &self,
        after: Option<ContactId>,
        limit: usize,
    ) -> Result<Vec<ContactId>, StoreError> {
        let mut found = Vec::new();
        let first = after.map_or(0, |after| after.0[0]);
        for partition in (first..=u8::MAX).map(Partition) {
            let args = self.args(NOBODY).with(1_usize << 40);
            let keys = vec![self.names.queue(partition, "active")];
            let answer = self.run(&CONTACTS, keys, args, Durable::Local).await?;
            let (_, lists) = listed(answer, 1)?;
            let mut ids: Vec<ContactId> = lists.into_iter().flatten().map(|(_, id, _)| id).collect();
            ids.retain(|id| after.is_none_or(|after| *id > after));
            ids.sort();
            found.extend(ids);
            if found.len() >= limit {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    async fn all_stones(&self) -> Result<Vec<(String, Tombstone)>, StoreError> {
        let mut all = Vec::new();
        let calls = Partition::all().map(|partition| Call {
            keys: vec![self.names.queue(partition, "stones")],
            args: self.args(NOBODY).with("").with("").0,
        });
        for answer in self.each(&STONE, calls.collect()).await {
            let mut answer = answer?;
            answer.int()?;
            answer.int()?;
            let mut fields = answer.list()?;
            while !fields.is_done() {
                let (field, kept) = (fields.text()?, fields.maybe_blob()?.unwrap_or_default());
                let stone = serde_json::from_slice(&kept);
                all.push((
                    field,
                    stone.map_err(|why| unreadable(self.names.plain("stones"), why.to_string()))?,
                ));
            }
        }
        all.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(all)
    }

    /// Settings, tombstones, what could not be read, contacts; a cursor names the kind and the last key of it.
    pub(super) async fn export_page(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let (kind, key) = match after {
            None => ("s", None),
            Some(Cursor(text)) => match text.split_once(':') {
                Some((kind, key)) => (kind, Some(key.to_owned())),
                None => {
                    return Err(StoreError::Corrupt {
                        key: "the cursor of an export".into(),
                        why: "it is not one of this store's".into(),
                    });
                }
            },
        };
        let mut small: Vec<(&str, String, Record)> = Vec::new();
        if kind != "c" {
            let mut settings = self.hash("settings").await?;
            settings.sort();
            for (key, value) in settings {
                small.push((
                    "s",
                    key.clone(),
                    Record::Setting {
                        key,
                        value: Bytes(value),
                    },
                ));
            }
            for (field, stone) in self.all_stones().await? {
                small.push(("t", field, Record::Tombstone(stone)));
            }
            let mut kept = self.list_quarantined().await?;
            kept.sort_by(|one, other| one.id.cmp(&other.id));
            for kept in kept {
                small.push(("q", kept.id.clone(), Record::Quarantined(kept)));
            }
            if let Some(key) = &key {
                let place = small
                    .iter()
                    .position(|(one, name, _)| *one == kind && name == key);
                small.drain(..place.map_or(0, |place| place + 1));
            }
        }
        let mut records = Vec::new();
        let mut last = None;
        for (kind, key, record) in small.into_iter().take(limit) {
            last = Some(Cursor(format!("{kind}:{key}")));
            records.push(record);
        }
        if records.len() < limit {
            let after = key.filter(|_| kind == "c").and_then(|id| id.parse().ok());
            let room = limit - records.len();
            let ids = self.ids_after(after, room).await?;
            let all = ids.len() < room;
            for id in ids {
                last = Some(Cursor(format!("c:{id}")));
                if let Some(read) = self.read_whole(id).await? {
                    records.push(Record::Contact(Box::new(read.whole)));
                }
            }
            if all {
                last = None;
            }
        }
        Ok(Page { records, next: last })
    }

    pub(super) async fn import_records(&self, records: &[Record]) -> Result<Imported, StoreError> {
        let mut done = Imported::default();
        for record in records {
            let written = match record {
                Record::Setting { key, value } => match self.change_setting("g", key, b"").await? {
                    Some(own) if own == value.0 => false,
                    Some(_) if key == KEY_SETTING && !self.all_stones().await?.is_empty() => {
                        return Err(StoreError::Clash("a key for erased contacts".into()));
                    }
                    Some(_) if key != KEY_SETTING => {
                        done.kept += 1;
                        continue;
                    }
                    Some(_) | None => {
                        self.change_setting("s", key, &value.0).await?;
                        true
                    }
                },
                Record::Tombstone(stone) => {
                    self.put_stone(stone).await?;
                    true
                }
                Record::Quarantined(kept) => {
                    let known = self.list_quarantined().await?;
                    if known.iter().any(|own| own.id == kept.id) {
                        false
                    } else {
                        self.put_quarantined(kept).await?;
                        true
                    }
                }
                Record::Contact(contact) => self.import_contact(contact).await?,
            };
            match written {
                true => done.written += 1,
                false => done.same += 1,
            }
        }
        Ok(done)
    }

    /// `false`: it is there just so.
    async fn import_contact(&self, contact: &WholeContact) -> Result<bool, StoreError> {
        let id = contact.contact;
        if let Some(read) = self.read_whole(id).await? {
            return match read.whole == *contact {
                true => Ok(false),
                false => Err(StoreError::Clash(format!("the contact {id}"))),
            };
        }
        for one in contact.merged.iter().chain([&id]) {
            let there = self.read_whole(*one).await?.is_some();
            // What an import that broke off has written leads here.
            let moved = self.stub(*one, None).await?.is_some_and(|(to, _)| to != id);
            if there || moved {
                return Err(StoreError::Clash(format!("the contact {one}")));
            }
        }
        let listed = Lead::bytes(b'L', id, &[]);
        for alias in &contact.aliases {
            if let Some(lead) = self.lead(&contact.channel, alias, b"", b"").await?
                && lead.contact != id
            {
                let owner = lead.contact;
                return Err(StoreError::Clash(format!(
                    "an alias of the contact {id}, of the contact {owner},"
                )));
            }
        }
        for alias in &contact.aliases {
            self.lead(&contact.channel, alias, &listed, b"").await?;
        }
        for from in &contact.merged {
            self.stub(*from, Some(id)).await?;
        }
        match self.put_whole(contact, Vec::new()).await? {
            true => Ok(true),
            false => Err(StoreError::Clash(format!("the contact {id}"))),
        }
    }

    pub(super) async fn trim_some(
        &self,
        after: Option<&Cursor>,
        keep: &Retention,
        limit: usize,
    ) -> Result<Trimmed, StoreError> {
        let mut trimmed = Trimmed::default();
        let now = self.millis();
        let before = |age: std::time::Duration| now.saturating_sub(millis::after(0, age));
        if after.is_none() {
            trimmed.parked = self.forget_parked(before(keep.dead)).await?;
            for kept in self.list_quarantined().await? {
                if millis::floor(kept.at) < before(keep.dead) {
                    trimmed.quarantined += u64::from(self.quarantined_entry(&kept.id, Vec::new()).await?);
                }
            }
            for (_, stone) in self.all_stones().await? {
                if millis::floor(stone.at) < before(self.caps.dedup_for) {
                    self.stone(&stone.contact.0, b"-".to_vec()).await?;
                    trimmed.tombstones += 1;
                }
            }
        }
        let after = after.and_then(|cursor| cursor.0.parse().ok());
        let ids = self.ids_after(after, limit).await?;
        for id in &ids {
            for _ in 0..ROUNDS {
                let Some(read) = self.read_whole(*id).await? else {
                    break;
                };
                let mut whole = read.whole;
                let lines = whole.thread.len();
                whole
                    .thread
                    .retain(|line| millis::floor(line.at) >= before(keep.history));
                let lines = (lines - whole.thread.len()) as u64;
                let idle = whole.mailbox.is_empty() && !read.held && whole.outbox.is_empty();
                let silent = idle && millis::floor(whole.active_at) < before(keep.memory);
                let stays = whole
                    .memory
                    .as_ref()
                    .and_then(|memory| (keep.stays.0)(&memory.0))
                    .map(Bytes);
                let memories = silent && (whole.session.is_some() || whole.memory != stays);
                if memories {
                    (whole.session, whole.memory) = (None, stays);
                }
                // Who holds it would be fenced: it comes another time.
                if (lines == 0 && !memories) || read.held {
                    break;
                }
                if self.put_whole(&whole, read.token).await? {
                    trimmed.lines += lines;
                    trimmed.memories += u64::from(memories);
                    break;
                }
            }
        }
        let whole_page = ids.len() >= limit;
        trimmed.next = ids.last().filter(|_| whole_page).map(|id| Cursor(id.to_string()));
        Ok(trimmed)
    }
}

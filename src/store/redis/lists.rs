//! What pages and tools read: the thread, lists over all partitions, and facts of the whole installation.

use super::link::{Call, Durable};
use super::scripts::{CONTACTS, HISTORY, LOOK, SETTING};
use super::timers::{Ripe, listed};
use super::turn::unreadable;
use super::wire::{Answer, Args, blob};
use super::{Partition, RedisStore, Script};
use crate::store::{ContactId, Due, HistoryEntry, Parked, ParkedId, StoreError, millis};

pub(super) const NOBODY: ContactId = ContactId([0; 16]);

fn queue_of(kind: Due) -> &'static str {
    match kind {
        Due::Run => "run",
        Due::Send => "send",
        Due::Timer => "timers",
        Due::Job => "jobs",
    }
}

impl RedisStore {
    /// Asks every partition for one of its queues.
    async fn each_partition(
        &self,
        script: &'static Script,
        queue: &str,
        limit: usize,
    ) -> impl Iterator<Item = (Partition, Result<Answer, StoreError>)> {
        let calls = Partition::all().map(|partition| Call {
            keys: vec![self.names.queue(partition, queue)],
            args: self.args(NOBODY).with(limit.min(1 << 40)).0,
        });
        Partition::all().zip(self.each(script, calls.collect()).await)
    }

    /// What all partitions answer: a list that people read is whole, or is none.
    pub(super) async fn ask_all(
        &self,
        script: &'static Script,
        queue: &str,
        limit: usize,
    ) -> Result<Vec<(Partition, Answer)>, StoreError> {
        let answers = self.each_partition(script, queue, limit).await;
        answers
            .map(|(partition, answer)| Ok((partition, answer?)))
            .collect()
    }

    /// What there is in the queues of this kind, of the partitions that answer: where one does not, the others go on.
    async fn queued(&self, kind: Due, limit: usize) -> Result<Vec<(i64, Vec<Ripe>)>, StoreError> {
        let (mut found, mut trouble) = (Vec::new(), None);
        for (_, answer) in self.each_partition(&LOOK, queue_of(kind), limit).await {
            match answer.and_then(|answer| listed(answer, 1)) {
                Ok((now, lists)) => found.push((now, lists.into_iter().flatten().collect())),
                Err(why) => trouble = Some(why),
            }
        }
        match trouble {
            Some(why) if found.is_empty() => Err(why),
            Some(_) | None => Ok(found),
        }
    }

    pub(super) async fn list_due(&self, kind: Due, limit: usize) -> Result<Vec<ContactId>, StoreError> {
        // Several timers may be of one contact.
        let many = limit.saturating_mul(16);
        let mut all = Vec::new();
        for (now, list) in self.queued(kind, many).await? {
            all.extend(list.into_iter().filter(|(at, ..)| *at <= now));
        }
        all.sort();
        let mut due = Vec::new();
        let mut known = std::collections::BTreeSet::new();
        for (_, contact, _) in all {
            if due.len() < limit && known.insert(contact) {
                due.push(contact);
            }
        }
        Ok(due)
    }

    pub(super) async fn soonest(&self, kind: Due) -> Result<Option<i64>, StoreError> {
        let mut soonest = None;
        for (_, list) in self.queued(kind, 1).await? {
            let first = list.first().map(|(at, ..)| *at);
            soonest = soonest.into_iter().chain(first).min();
        }
        Ok(soonest)
    }

    pub(super) async fn list_contacts(&self, limit: usize) -> Result<Vec<ContactId>, StoreError> {
        let mut all = Vec::new();
        for (_, answer) in self.ask_all(&CONTACTS, "active", limit).await? {
            all.extend(listed(answer, 1)?.1.into_iter().flatten());
        }
        all.sort();
        Ok(all
            .into_iter()
            .rev()
            .take(limit)
            .map(|(_, contact, _)| contact)
            .collect())
    }

    pub(super) async fn lines(
        &self,
        contact: ContactId,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let own = self.names.of(contact);
        let keys = vec![own.contact(), own.thread(), own.fates(), own.outbox()];
        let args = self
            .args(contact)
            .with(limit.min(1 << 40))
            .with(self.caps.history_entries);
        let mut answer = self.run(&HISTORY, keys, args, Durable::Local).await?;
        answer.int()?;
        answer.int()?;
        let mut list = answer.list()?;
        let mut lines = Vec::new();
        while !list.is_done() {
            let kept = list.maybe_blob()?.unwrap_or_default();
            let wrong = || unreadable(own.thread(), "a line without its head".into());
            let (seq, at, id, payload) = line(&kept).ok_or_else(wrong)?;
            let status = match id {
                None => None,
                Some(short) => {
                    // The states come in the order of the lines.
                    answer.bytes()?;
                    Some((own.long(short).ok_or_else(wrong)?, answer.text()?))
                }
            };
            lines.push(HistoryEntry {
                seq,
                at: millis::timestamp(at),
                payload: payload.to_vec(),
                status,
            });
        }
        Ok(lines)
    }

    pub(super) async fn change_setting(
        &self,
        what: &'static str,
        key: &str,
        value: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let args = self.args(NOBODY).with(what).with(key).with(blob(value));
        let mut answer = self.run_plain(&SETTING, "settings", args).await?;
        answer.int()?;
        answer.int()?;
        answer.maybe_blob()
    }

    pub(super) async fn swap_kept(
        &self,
        key: &str,
        seen: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        // What is kept bears its format: nothing at all is none.
        let word = |value: Option<&[u8]>| value.map(blob).unwrap_or_default();
        let args = self.args(NOBODY).with("w").with(key);
        let args = args.with(word(value)).with(word(seen));
        let mut answer = self.run_plain(&SETTING, "settings", args).await?;
        answer.int()?;
        answer.int()?;
        Ok(answer.int()? == 1)
    }

    pub(super) async fn kept_under(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let args = self.args(NOBODY).with("l").with(prefix);
        let mut answer = self.run_plain(&SETTING, "settings", args).await?;
        answer.int()?;
        answer.int()?;
        let mut list = answer.list()?;
        let mut found = Vec::new();
        while !list.is_done() {
            found.push((list.text()?, list.maybe_blob()?.unwrap_or_default()));
        }
        found.sort();
        Ok(found)
    }

    /// A step on a key of the whole installation.
    pub(super) async fn run_plain(
        &self,
        script: &'static Script,
        name: &str,
        args: Args,
    ) -> Result<Answer, StoreError> {
        let key = self.names.plain(name);
        self.run(script, vec![key], args, Durable::AsConfigured).await
    }
}

fn number(bytes: &[u8]) -> Option<i64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// `seq at - payload` or `seq at length id payload`
pub(super) fn line(kept: &[u8]) -> Option<(u64, i64, Option<&str>, &[u8])> {
    let mut parts = kept.splitn(4, |byte| *byte == b' ');
    let (seq, at, length) = (number(parts.next()?)?, number(parts.next()?)?, parts.next()?);
    let rest = parts.next()?;
    if length == b"-" {
        return Some((seq.unsigned_abs(), at, None, rest));
    }
    let (id, payload) = rest.split_at_checked(usize::try_from(number(length)?).ok()?)?;
    Some((
        seq.unsigned_abs(),
        at,
        Some(std::str::from_utf8(id).ok()?),
        payload,
    ))
}

/// The contact's 16 bytes, then `seq at id channel why` with the lengths of the latter three, these, and the event.
pub(super) fn parked(kept: &[u8]) -> Option<Parked> {
    let (contact, rest) = kept.split_at_checked(16)?;
    let contact = ContactId(contact.try_into().ok()?);
    let mut parts = rest.splitn(6, |byte| *byte == b' ');
    let mut next = || number(parts.next()?);
    let (seq, at) = (next()?.unsigned_abs(), next()?);
    let lengths = [next()?, next()?, next()?];
    let [id, channel, why] = lengths.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    let (id, rest) = parts.next()?.split_at_checked(id)?;
    let (channel, rest) = rest.split_at_checked(channel)?;
    let (why, payload) = rest.split_at_checked(why)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(Parked {
        id: match id {
            b"" => ParkedId::of(contact, seq),
            own => ParkedId(text(own)),
        },
        contact,
        channel: text(channel),
        seq,
        at: millis::timestamp(at),
        why: text(why),
        payload: payload.to_vec(),
    })
}

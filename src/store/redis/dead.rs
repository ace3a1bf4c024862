//! What was put aside for people: events that no turn survived, and what could not be read.

use super::Partition;
use super::RedisStore;
use super::link::{Call, Durable};
use super::lists::{NOBODY, parked};
use super::scripts::{ALL_OF, FORGET, PARKED, QUARANTINE, UNPARK};
use super::turn::unreadable;
use super::wire::blob;
use crate::store::{Bytes, Due, Parked, ParkedId, Quarantined, StoreError, millis};

/// Kept of what could not be read, so that a flood of it does not fill the store.
const QUARANTINED: usize = 1_000;

impl RedisStore {
    pub(super) async fn list_parked(&self, limit: usize) -> Result<Vec<Parked>, StoreError> {
        let mut all = Vec::new();
        for (partition, mut answer) in self.ask_all(&PARKED, "parked", limit).await? {
            answer.int()?;
            answer.int()?;
            let mut list = answer.list()?;
            while !list.is_done() {
                let kept = list.maybe_blob()?.unwrap_or_default();
                let key = || self.names.queue(partition, "parked");
                all.push(parked(&kept).ok_or_else(|| unreadable(key(), "an entry without its head".into()))?);
            }
        }
        all.extend(self.list_unread().await?);
        all.sort_by(|one, other| (other.at, other.seq, &other.id).cmp(&(one.at, one.seq, &one.id)));
        all.truncate(limit);
        Ok(all)
    }

    /// `u` takes it back into its mailbox, `d` forgets it.
    pub(super) async fn end_parked(&self, id: &ParkedId, how: &'static str) -> Result<bool, StoreError> {
        let Some(contact) = id.contact() else {
            return Ok(false);
        };
        if id.is_unread() {
            return self.end_unread(contact, how).await;
        }
        let own = self.names.of(contact);
        let keys = vec![
            own.contact(),
            own.mailbox(),
            own.queue("parked"),
            own.queue("run"),
            own.queue("active"),
        ];
        let usual = id.0.split_once('.').map_or("", |(_, seq)| seq);
        let args = self.args(contact).with(how).with(id.0.as_str()).with(usual);
        let mut answer = self.run(&UNPARK, keys, args, Durable::AsConfigured).await?;
        answer.int()?;
        let now = answer.int()?;
        let found = answer.int()? == 1;
        self.hand_over(Due::Run, answer.time()?, contact, now);
        Ok(found)
    }

    /// Forgets what was put aside before this time; gives how many.
    pub(super) async fn forget_parked(&self, before: i64) -> Result<u64, StoreError> {
        let calls: Vec<Call> = Partition::all()
            .map(|partition| Call {
                keys: vec![self.names.queue(partition, "parked")],
                args: self.args(NOBODY).with(before).0,
            })
            .collect();
        let mut gone = 0;
        for answer in self.each(&FORGET, calls).await {
            let mut answer = answer?;
            answer.int()?;
            answer.int()?;
            gone += answer.int()?.unsigned_abs();
        }
        Ok(gone)
    }

    pub(super) async fn put_aside(&self, channel: &str, raw: &[u8], why: &str) -> Result<(), StoreError> {
        let kept = Quarantined {
            id: Quarantined::id_of(channel, raw),
            at: millis::timestamp(self.millis()),
            channel: channel.to_owned(),
            raw: Bytes(raw.to_vec()),
            why: why.to_owned(),
        };
        self.put_quarantined(&kept).await.map(|_| ())
    }

    /// `at channel why` with the lengths of the latter two, these, and what it was. `true`: it was there before.
    pub(super) async fn put_quarantined(&self, kept: &Quarantined) -> Result<bool, StoreError> {
        let head = format!(
            "{} {} {} {}{}",
            millis::floor(kept.at),
            kept.channel.len(),
            kept.why.len(),
            kept.channel,
            kept.why
        );
        let entry = blob(&[head.as_bytes(), &kept.raw.0].concat());
        self.quarantined_entry(&kept.id, entry).await
    }

    pub(super) async fn quarantined_entry(&self, id: &str, entry: Vec<u8>) -> Result<bool, StoreError> {
        let args = self.args(NOBODY).with(id).with(entry).with(QUARANTINED);
        let mut answer = self.run_plain(&QUARANTINE, "quarantine", args).await?;
        answer.int()?;
        answer.int()?;
        Ok(answer.int()? == 1)
    }

    /// Newest first.
    pub(super) async fn list_quarantined(&self) -> Result<Vec<Quarantined>, StoreError> {
        let mut all = Vec::new();
        for (id, kept) in self.hash("quarantine").await? {
            let wrong = || unreadable(self.names.plain("quarantine"), format!("its entry {id}"));
            let mut parts = kept.splitn(4, |byte| *byte == b' ');
            let mut number = || -> Option<i64> { std::str::from_utf8(parts.next()?).ok()?.parse().ok() };
            let (Some(at), Some(channel), Some(why)) = (number(), number(), number()) else {
                return Err(wrong());
            };
            let rest = parts.next().unwrap_or_default();
            let length = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
            let (channel, rest) = rest.split_at_checked(length(channel)).ok_or_else(wrong)?;
            let (why, raw) = rest.split_at_checked(length(why)).ok_or_else(wrong)?;
            all.push(Quarantined {
                at: millis::timestamp(at),
                channel: String::from_utf8_lossy(channel).into_owned(),
                raw: raw.into(),
                why: String::from_utf8_lossy(why).into_owned(),
                id,
            });
        }
        all.sort_by(|one, other| (other.at, &other.id).cmp(&(one.at, &one.id)));
        Ok(all)
    }

    /// A small hash of the whole installation: fields, and values without format and schema.
    pub(super) async fn hash(&self, name: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let mut answer = self.run_plain(&ALL_OF, name, self.args(NOBODY)).await?;
        answer.int()?;
        answer.int()?;
        let (mut fields, mut all) = (answer.list()?, Vec::new());
        while !fields.is_done() {
            all.push((fields.text()?, fields.maybe_blob()?.unwrap_or_default()));
        }
        Ok(all)
    }
}

//! The outbox: what is to be sent, in order, what became of it, and who may speak.

use std::time::Duration;

use futures_util::future::join;

use super::link::Durable;
use super::names::{Own, digest};
use super::pace::{in_millis, pace_of, push_pace};
use super::scripts::{PLACE, RECONCILE, SEND_CLAIM, SENT, SET_OWNER};
use super::turn::{owner_word, rest_of_aliases, unreadable};
use super::unread::Waits;
use super::wire::{Answer, Args, Numbers, at, blob, span, wants_packing};
use super::{Partition, RedisStore};
use crate::store::{
    ContactId, Due, Fence, OutboxEntry, Owner, SendClaim, SendOutcome, Sender, Status, StoreError,
    TurnCommit, WholeEntry, millis,
};

/// Where a message is found by its id is kept in a key for each week, for so many weeks.
const WEEKS: i64 = 5;
const WEEK: i64 = 7 * 24 * 3_600_000;

/// What a script says of a claimed entry at the end of its answer, if it claimed one.
pub(super) fn read_claim(
    contact: ContactId,
    own: &Own,
    answer: &mut Answer,
) -> Result<Option<SendClaim>, StoreError> {
    if answer.is_done() {
        return Ok(None);
    }
    let kept = answer.maybe_blob()?.unwrap_or_default();
    let entry =
        entry(own, &kept).ok_or_else(|| unreadable(own.outbox(), "an entry without its head".into()))?;
    let (fence, attempt) = (Fence(answer.count()?), answer.count()?);
    let doubts: u32 = answer.count()?;
    Ok(Some(SendClaim {
        contact,
        entry: entry.entry,
        fence,
        attempt,
        uncertain: doubts & 1 != 0,
        doubts: doubts >> 2,
        holder_died: doubts & 2 != 0,
        channel: answer.text()?,
        last_in: answer.maybe_int()?.map(millis::timestamp),
        aliases: rest_of_aliases(answer)?,
    }))
}

/// An entry as it is kept: `sender takeovers n|r<time> line length id payload`; `N` or `R` if it may have been sent
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) entry: OutboxEntry,
    /// Takeovers after which the bot may no longer say it.
    pub(super) after: i64,
    pub(super) ready: i64,
    /// Its line in the thread.
    pub(super) line: u64,
    /// It was a head before a merge, and may have been sent.
    pub(super) doubt: bool,
}

pub(super) fn entry(own: &Own, kept: &[u8]) -> Option<Kept> {
    let number = |word: &[u8]| -> Option<i64> { std::str::from_utf8(word).ok()?.parse().ok() };
    let mut parts = kept.splitn(6, |byte| *byte == b' ');
    let sender = match parts.next()? {
        b"b" => Sender::Bot,
        b"p" => Sender::Person,
        _ => return None,
    };
    let after = number(parts.next()?)?;
    let (kind, ready) = parts.next()?.split_at_checked(1)?;
    let ready = number(ready)?;
    let line = number(parts.next()?)?.unsigned_abs();
    let length = usize::try_from(number(parts.next()?)?).ok()?;
    let (id, payload) = parts.next()?.split_at_checked(length)?;
    Some(Kept {
        entry: OutboxEntry {
            id: own.long(std::str::from_utf8(id).ok()?)?,
            sender,
            payload: payload.to_vec(),
            not_before: (kind.eq_ignore_ascii_case(b"n")).then(|| millis::timestamp(ready)),
        },
        doubt: kind == b"N" || kind == b"R",
        after,
        ready,
        line,
    })
}

impl Kept {
    /// What is known of a head stands beside the outbox; of the others all stands in the entry.
    pub(super) fn write(own: &Own, entry: &WholeEntry, is_head: bool, takeovers: u64, line: u64) -> Vec<u8> {
        let (sender, after) = match entry.sender {
            Sender::Bot => ("b", takeovers.cast_signed() - i64::from(entry.void)),
            Sender::Person => ("p", takeovers.cast_signed()),
        };
        let doubt = entry.uncertain && !is_head;
        let (kind, ready) = match entry.not_before {
            Some(time) => (if doubt { "N" } else { "n" }, at(time)),
            None => (if doubt { "R" } else { "r" }, at(entry.ready_at)),
        };
        let id = own.short(&entry.id);
        let head = format!("{sender} {after} {kind}{ready} {line} {} ", id.len());
        blob(&[head.as_bytes(), &id, &entry.payload.0].concat())
    }
}

impl RedisStore {
    pub(super) async fn take_head(
        &self,
        contact: ContactId,
        lease: Duration,
    ) -> Result<Option<SendClaim>, StoreError> {
        let own = self.names.of(contact);
        let keys = vec![own.contact(), own.outbox(), own.queue("send"), own.fates()];
        let args = self.args(contact).with(span(lease));
        let answer = self.run(&SEND_CLAIM, keys, args, Durable::AsConfigured).await;
        let mut answer = self
            .or_rest(
                answer,
                contact,
                &own,
                Waits::In(Due::Send),
                vec![contact.0.to_vec()],
            )
            .await?;
        answer.int()?;
        answer.int()?;
        answer.time()?;
        read_claim(contact, &own, &mut answer)
    }

    /// With a lease: the next send is claimed in the same step.
    pub(super) async fn record_sent(
        &self,
        claim: &SendClaim,
        outcome: &SendOutcome,
        lease: Option<Duration>,
    ) -> Result<(bool, Option<SendClaim>), StoreError> {
        let contact = claim.contact;
        let own = self.names.of(contact);
        let keys = vec![own.contact(), own.outbox(), own.queue("send"), own.fates()];
        let mut message = None;
        let (letter, state, again) = match outcome {
            SendOutcome::Accepted { message_id, .. } => {
                message = message_id.as_deref();
                ("a", "accepted".to_owned(), None)
            }
            SendOutcome::Dead { why } => ("d", format!("dead: {why}"), None),
            SendOutcome::Retry { at: time, why } => ("r", format!("queued: {why}"), Some(*time)),
            SendOutcome::NotYet { at: time, why } => ("n", format!("queued: {why}"), Some(*time)),
            SendOutcome::Uncertain { until, why } => ("u", format!("uncertain: {why}"), Some(*until)),
        };
        let place = message.map(|id| digest("message", &claim.channel, id));
        let pace = pace_of(outcome).map(in_millis);
        let (every, reach) = pace.unwrap_or_default();
        let numbers = Numbers::default()
            .six(claim.fence.0)
            .six(lease.map_or(0, |lease| span(lease).max(1)))
            .six(again.map_or(0, at))
            .six(every)
            .six(reach)
            .one(u8::from(pace.is_some()));
        let id = message.unwrap_or_default();
        let args = self
            .args(contact)
            .with(numbers)
            .with(letter)
            .with(format!("{} {id} {state}", id.len()));
        let answer = match place {
            None => self.run(&SENT, keys, args, Durable::AsConfigured).await,
            Some(hash) => {
                let (answer, kept) = self.sent_and_placed(keys, args, hash, claim).await;
                if let Err(why) = kept {
                    tracing::warn!(%why, "statuses of a message that do not bear our id will not be recognised");
                }
                answer
            }
        };
        let mut answer = answer?;
        answer.int()?;
        let now = answer.int()?;
        let ours = answer.int()? == 1;
        let sends_at = answer.time()?;
        let next = read_claim(contact, &own, &mut answer)?;
        if next.is_none() {
            self.note(Due::Send, sends_at, contact, now);
        }
        Ok((ours, next))
    }

    /// The place of a message's id is a hint beside the step, and goes with it where it can.
    async fn sent_and_placed(
        &self,
        keys: Vec<Vec<u8>>,
        args: Args,
        hash: [u8; 16],
        claim: &SendClaim,
    ) -> (Result<Answer, StoreError>, Result<(), StoreError>) {
        if let Err(why) = self.still_open() {
            return (Err(why.clone()), Err(why));
        }
        let own = self.names.of(claim.contact);
        let (key, place) = self.placed(hash, &own, claim.contact, &claim.entry.id);
        let mut put = redis::cmd("HSET");
        put.arg(&key).arg(&hash[..12]).arg(place);
        let mut forget = redis::cmd("PEXPIRE");
        forget.arg(&key).arg(WEEKS * WEEK).arg("NX");
        let along = [put, forget];
        let together = self
            .link
            .run_along(&SENT, &keys, &args.0, Durable::AsConfigured, &along);
        match together.await {
            Some((Ok(answer), kept)) if wants_packing(&answer) => {
                (self.run(&SENT, keys, args, Durable::AsConfigured).await, kept)
            }
            Some((answer, kept)) => (answer.and_then(|answer| Answer::of(&SENT, answer)), kept),
            None => {
                let step = self.run(&SENT, keys, args, Durable::AsConfigured);
                join(step, self.keep_place(hash, &own, claim.contact, &claim.entry.id)).await
            }
        }
    }

    pub(super) async fn change_owner(&self, contact: ContactId, owner: Owner) -> Result<(), StoreError> {
        let own = self.names.of(contact);
        let keys = vec![own.contact(), own.outbox(), own.queue("send")];
        let args = self.args(contact).with(owner_word(owner));
        let mut answer = self.run(&SET_OWNER, keys, args, Durable::AsConfigured).await?;
        answer.int()?;
        let now = answer.int()?;
        self.note(Due::Send, answer.time()?, contact, now);
        Ok(())
    }

    pub(super) async fn record_status(&self, channel: &str, status: &Status) -> Result<bool, StoreError> {
        let message = digest("message", channel, &status.message_id);
        if let Some(ours) = &status.ours {
            if let Some(contact) = ours.get(..32).and_then(|id| id.parse().ok()) {
                let short = self.names.of(contact).short(ours);
                if self.settle(channel, contact, short, message, "o", status).await? {
                    return Ok(true);
                }
            }
            // Ids of another make, and those of contacts that were merged.
            if let Some((contact, _)) = self.place(digest("ours", channel, ours)).await? {
                let short = self.names.of(contact).short(ours);
                if self.settle(channel, contact, short, message, "o", status).await? {
                    return Ok(true);
                }
            }
        }
        match self.place(message).await? {
            None => Ok(false),
            Some((contact, short)) => self.settle(channel, contact, short, message, "m", status).await,
        }
    }

    async fn settle(
        &self,
        channel: &str,
        contact: ContactId,
        short: Vec<u8>,
        message: [u8; 16],
        by: &'static str,
        status: &Status,
    ) -> Result<bool, StoreError> {
        let own = self.names.of(contact);
        let keys = vec![own.contact(), own.outbox(), own.queue("send"), own.fates()];
        let state = match &status.error {
            None => status.state.clone(),
            Some(error) => format!("{}: {error}", status.state),
        };
        let mut args = self
            .args(contact)
            .with(channel)
            .with(short.clone())
            .with(status.message_id.as_str())
            .with(by)
            .with(u32::from(status.rank))
            .with(state)
            .with(self.caps.history_entries);
        push_pace(&mut args, status.pace);
        let mut answer = self.run(&RECONCILE, keys, args, Durable::AsConfigured).await?;
        answer.int()?;
        let now = answer.int()?;
        if answer.int()? == 0 {
            return Ok(false);
        }
        self.note(Due::Send, answer.time()?, contact, now);
        if answer.int()? == 1
            && let Some(ours) = own.long(&String::from_utf8_lossy(&short))
        {
            self.keep_place(message, &own, contact, &ours).await?;
        }
        Ok(true)
    }

    /// Ids of ours that do not tell their contact are found by a place of their own, written before the turn.
    pub(super) async fn keep_places(
        &self,
        own: &Own,
        contact: ContactId,
        turn: &TurnCommit,
    ) -> Result<(), StoreError> {
        for entry in &turn.outbox {
            if own.short(&entry.id).first() == Some(&b'=') {
                let Some(channel) = self.channel_of(contact).await? else {
                    return Ok(());
                };
                self.keep_place(digest("ours", &channel, &entry.id), own, contact, &entry.id)
                    .await?;
            }
        }
        Ok(())
    }

    async fn channel_of(&self, contact: ContactId) -> Result<Option<String>, StoreError> {
        Ok(self.view(contact).await?.map(|claim| claim.channel))
    }

    /// Places stand outside the contact's partition: they are hints, and what they lead to decides.
    pub(super) async fn keep_place(
        &self,
        hash: [u8; 16],
        own: &Own,
        contact: ContactId,
        ours: &str,
    ) -> Result<(), StoreError> {
        let (key, place) = self.placed(hash, own, contact, ours);
        let args = self
            .args(contact)
            .with(&hash[..12])
            .with(place)
            .with(WEEKS * WEEK);
        self.run(&PLACE, vec![key], args, Durable::Local).await?;
        Ok(())
    }

    /// The key of this week's places, and the place.
    fn placed(&self, hash: [u8; 16], own: &Own, contact: ContactId, ours: &str) -> (Vec<u8>, Vec<u8>) {
        let week = millis::floor(self.time()).div_euclid(WEEK);
        let key = self.names.queue(Partition(hash[0]), &format!("at:{week}"));
        (key, [&contact.0[..], &own.short(ours)].concat())
    }

    async fn place(&self, hash: [u8; 16]) -> Result<Option<(ContactId, Vec<u8>)>, StoreError> {
        let partition = Partition(hash[0]);
        let week = millis::floor(self.time()).div_euclid(WEEK);
        // A clock that was set back has written into a week to come.
        let keys = (0..=WEEKS)
            .map(|ago| self.names.queue(partition, &format!("at:{}", week + 1 - ago)))
            .collect();
        let args = self.args(ContactId([0; 16])).with(&hash[..12]).with("");
        let mut answer = self.run(&PLACE, keys, args, Durable::Local).await?;
        answer.int()?;
        answer.int()?;
        let Some(kept) = answer.maybe_bytes()? else {
            return Ok(None);
        };
        let contact = kept.get(..16).and_then(|id| id.try_into().ok()).map(ContactId);
        Ok(contact.map(|contact| (contact, kept[16..].to_vec())))
    }
}

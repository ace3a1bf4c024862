//! A turn: the fenced lease, the one commit that writes everything, and what happens to turns that fail.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::RedisStore;
use super::link::Durable;
use super::names::Own;
use super::outbox::read_claim;
use super::packed::number;
use super::scripts::{CLAIM, COMMIT, FAIL, PEEK};
use super::unread::Waits;
use super::wire::{Answer, Args, Numbers, Word, at, blob, span};
use crate::store::{
    Alias, BACK_OFF, CLAIM_EVENTS, Claim, Committed, ContactId, Due, Failed, Fence, Keep, MailboxEvent,
    Nonce, Owner, PARK_AFTER, SendClaim, Sender, StoreError, TurnCommit, millis,
};

/// A letter, and until when it is paused.
pub(super) fn owner_word(owner: Owner) -> Vec<u8> {
    let (letter, until) = match owner {
        Owner::Bot => (b'b', 0),
        Owner::Human => (b'h', 0),
        Owner::PausedUntil(until) => (b'p', millis::ceil(until).max(0)),
    };
    Numbers::default().one(letter).six(until).word()
}

pub(super) fn owner(own: &Own, word: &[u8]) -> Result<Owner, StoreError> {
    match word {
        [b'b', ..] => Ok(Owner::Bot),
        [b'h', ..] => Ok(Owner::Human),
        [b'p', until @ ..] if until.len() == 6 => {
            Ok(Owner::PausedUntil(millis::timestamp(number(until).cast_signed())))
        }
        _ => Err(unreadable(own.contact(), format!("{word:?} is not an owner"))),
    }
}

/// Whose lease it is.
fn holder(fence: Fence, nonce: Nonce) -> Numbers {
    Numbers::default().six(fence.0).bytes(&nonce.0.to_be_bytes())
}

pub(super) fn unreadable(key: Vec<u8>, why: String) -> StoreError {
    StoreError::Corrupt {
        key: String::from_utf8_lossy(&key).into_owned(),
        why,
    }
}

/// All that is left of an answer.
pub(super) fn rest_of_aliases(answer: &mut Answer) -> Result<Vec<Alias>, StoreError> {
    let mut aliases = Vec::new();
    while !answer.is_done() {
        aliases.push(Alias(answer.text()?));
    }
    Ok(aliases)
}

/// What follows the first number of a view.
pub(super) fn read_view(contact: ContactId, own: &Own, answer: &mut Answer) -> Result<Claim, StoreError> {
    answer.int()?;
    let fence = Fence(answer.count()?);
    let nonce = answer.bytes()?;
    let nonce = match nonce.as_slice().try_into() {
        Ok(nonce) => Nonce(u64::from_be_bytes(nonce)),
        Err(_) => return Err(unreadable(own.contact(), format!("{nonce:?} is not a nonce"))),
    };
    let owner = owner(own, &answer.bytes()?)?;
    let failures = answer.count()?;
    let channel = answer.text()?;
    let aliases = rest_of_aliases(&mut answer.list()?)?;
    let session = answer.maybe_blob()?;
    let memory = answer.maybe_blob()?;
    let mut list = answer.list()?;
    let mut events = Vec::new();
    while !list.is_done() {
        let kept = list.maybe_blob()?.unwrap_or_default();
        events
            .push(event(&kept).ok_or_else(|| unreadable(own.mailbox(), "an event without its head".into()))?);
    }
    Ok(Claim {
        contact,
        channel,
        aliases,
        owner,
        fence,
        nonce,
        session,
        memory,
        events,
        failures,
    })
}

/// `seq at payload`
pub(super) fn event(kept: &[u8]) -> Option<MailboxEvent> {
    let mut parts = kept.splitn(3, |byte| *byte == b' ');
    let mut number = || -> Option<i64> { std::str::from_utf8(parts.next()?).ok()?.parse().ok() };
    let (seq, at) = (number()?, number()?);
    Some(MailboxEvent {
        seq: seq.unsigned_abs(),
        at: millis::timestamp(at),
        payload: parts.next()?.to_vec(),
    })
}

impl RedisStore {
    pub(super) async fn take_lease(
        &self,
        contact: ContactId,
        nonce: Nonce,
        lease: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        let own = self.names.of(contact);
        let keys = vec![
            own.contact(),
            own.mailbox(),
            own.body(),
            own.queue("run"),
            own.queue("parked"),
            own.queue("counts"),
        ];
        let args = self
            .args(contact)
            .with(nonce.0.to_be_bytes())
            .with(span(lease))
            .with(CLAIM_EVENTS)
            .with(PARK_AFTER)
            .with(format!(
                "its worker died or hung {PARK_AFTER} times on this event"
            ))
            .with(self.caps.parked_events);
        let answer = self.run(&CLAIM, keys, args, Durable::Local).await;
        let mut answer = self
            .or_rest(
                answer,
                contact,
                &own,
                Waits::In(Due::Run),
                vec![contact.0.to_vec()],
            )
            .await?;
        if answer.int()? == 0 {
            return Ok(None);
        }
        let claim = read_view(contact, &own, &mut answer)?;
        if !answer.is_done() && answer.int()? == 1 {
            self.leases_lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Some(claim))
    }

    pub(super) async fn view(&self, contact: ContactId) -> Result<Option<Claim>, StoreError> {
        let own = self.names.of(contact);
        let keys = vec![own.contact(), own.mailbox(), own.body()];
        let mut answer = self.run(&PEEK, keys, self.args(contact), Durable::Local).await?;
        if answer.int()? == 0 {
            return Ok(None);
        }
        read_view(contact, &own, &mut answer).map(Some)
    }

    /// With a sender's lease: the first send is claimed in the same step.
    pub(super) async fn write_turn(
        &self,
        turn: &TurnCommit,
        lease: Option<Duration>,
    ) -> Result<(Committed, Option<SendClaim>), StoreError> {
        self.caps.check_turn(turn)?;
        let contact = turn.contact;
        let own = self.names.of(contact);
        self.keep_places(&own, contact, turn).await?;
        let mut keys = vec![
            own.contact(),
            own.mailbox(),
            own.body(),
            own.queue("run"),
            own.outbox(),
            own.queue("send"),
            own.thread(),
            own.fates(),
            own.queue("active"),
            own.queue("timers"),
        ];
        if !turn.jobs.is_empty() {
            keys.push(own.queue("jobs"));
        }
        let args = self.turn_args(&own, turn, lease);
        let mut answer = self.run(&COMMIT, keys, args, Durable::AsConfigured).await?;
        answer.int()?;
        let now = answer.int()?;
        match answer.text()?.as_str() {
            "a" => return Ok((Committed::Already, None)),
            "f" => return Ok((Committed::Fenced, None)),
            "t" => {
                self.caps.check_outbox(answer.count()?)?;
                return Err(StoreError::Unavailable(
                    "the outbox was refused within its cap".into(),
                ));
            }
            _ => {}
        }
        self.note(Due::Run, answer.time()?, contact, now);
        let sends_at = answer.time()?;
        for (_, time, _) in &turn.set_timers {
            let time = at(*time);
            self.timers.lower(own.partition, time);
            self.note(Due::Timer, Some(time), contact, now);
        }
        for job in &turn.jobs {
            let time = job.not_before.map_or(now, at);
            self.jobs.lower(own.partition, time);
            self.note(Due::Job, Some(time), contact, now);
        }
        let claim = read_claim(contact, &own, &mut answer)?;
        if claim.is_none() {
            self.note(Due::Send, sends_at, contact, now);
        }
        Ok((Committed::Done, claim))
    }

    fn turn_args(&self, own: &Own, turn: &TurnCommit, lease: Option<Duration>) -> Args {
        let (mut writes, mut removes) = (Vec::new(), Vec::new());
        for (field, keep) in [(&b"s"[..], &turn.session), (b"m", &turn.memory)] {
            match keep {
                Keep::AsItIs => {}
                Keep::Write(bytes) => writes.extend([field.to_vec(), blob(bytes)]),
                Keep::Remove => removes.push(field.to_vec()),
            }
        }
        let set: BTreeSet<&str> = turn.set_timers.iter().map(|(id, ..)| id.0.as_str()).collect();
        let mut cancels = Vec::new();
        for id in turn
            .cancel_timers
            .iter()
            .filter(|id| !set.contains(id.0.as_str()))
        {
            removes.push(field(b't', &id.0));
            cancels.push(member(turn.contact, &id.0));
        }
        let mut sets = Vec::new();
        for (id, time, payload) in &turn.set_timers {
            writes.extend([field(b't', &id.0), blob(payload)]);
            sets.extend([at(*time).to_string().into_bytes(), member(turn.contact, &id.0)]);
        }
        let numbers = Numbers::default()
            .six(turn.upto)
            .six(span(turn.quiet))
            .six(lease.map_or(0, |lease| span(lease).max(1)))
            .four(self.caps.outbox_entries)
            .four(self.caps.history_entries)
            .four(writes.len() / 2)
            .four(removes.len())
            .four(turn.history.len())
            .four(turn.outbox.len())
            .four(cancels.len())
            .four(turn.set_timers.len())
            .four(turn.jobs.len());
        let mut args = self
            .args(turn.contact)
            .with(holder(turn.fence, turn.nonce))
            .with(numbers)
            .with(turn.owner.map(owner_word).unwrap_or_default());
        args.0.extend(writes);
        args.0.extend(removes);
        args.0.extend(turn.history.iter().cloned());
        for entry in &turn.outbox {
            args.push(own.short(&entry.id));
            args.push(match entry.sender {
                Sender::Bot => "b",
                Sender::Person => "p",
            });
            match entry.not_before {
                Some(time) => args.push(at(time)),
                None => args.push(""),
            }
            args.push(entry.payload.as_slice());
        }
        args.0.extend(cancels);
        args.0.extend(sets);
        for job in &turn.jobs {
            args.push(field(b'j', &job.id.0));
            args.push(member(turn.contact, &job.id.0));
            match job.not_before {
                Some(time) => args.push(at(time)),
                None => args.push(""),
            }
            args.push([&blob(b"0 0 ")[..], &job.payload].concat());
        }
        args
    }

    pub(super) async fn count_failure(
        &self,
        contact: ContactId,
        fence: Fence,
        nonce: Nonce,
        why: &str,
    ) -> Result<Failed, StoreError> {
        let own = self.names.of(contact);
        let keys = vec![
            own.contact(),
            own.mailbox(),
            own.body(),
            own.queue("run"),
            own.queue("parked"),
            own.queue("counts"),
        ];
        let mut args = self
            .args(contact)
            .with(holder(fence, nonce))
            .with(why)
            .with(PARK_AFTER);
        for rest in BACK_OFF {
            args.push(span(rest));
        }
        args.push(self.caps.parked_events);
        let mut answer = self.run(&FAIL, keys, args, Durable::AsConfigured).await?;
        answer.int()?;
        let now = answer.int()?;
        let failed = match answer.text()?.as_str() {
            "r" => Failed::RetryAt(millis::timestamp(answer.int()?)),
            "p" => Failed::Parked(answer.count()?),
            _ => return Ok(Failed::Fenced),
        };
        if !answer.is_done() {
            self.note(Due::Run, answer.time()?, contact, now);
        }
        Ok(failed)
    }
}

/// The name of a timer's or job's payload in the body.
pub(super) fn field(kind: u8, id: &str) -> Vec<u8> {
    [&[kind], id.as_bytes()].concat()
}

/// A timer or job in its partition's queue.
pub(super) fn member(contact: ContactId, id: &str) -> Vec<u8> {
    [&contact.0, id.as_bytes()].concat()
}

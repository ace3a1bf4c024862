//! Who a sender is, and what came in.

use std::time::Duration;

use futures_util::future::join_all;

use super::RedisStore;
use super::link::Durable;
use super::names::Own;
use super::names::digest;
use super::people::Stone;
use super::scripts::{ALIAS, INGEST, JOIN};
use super::turn::{owner, rest_of_aliases};
use super::unread::Waits;
use super::wire::{Answer, Numbers, span};
use crate::store::{
    Alias, CLAIM_EVENTS, Claim, ContactId, Due, Fence, Ingest, Ingested, MailboxEvent, Nonce, Resolved,
    StoreError, millis,
};

/// Two processes that meet the same person at the same moment settle it within one round.
const ROUNDS: usize = 10;
/// No provider's id is as long.
const LONG_ID: usize = 1_000;

/// What an alias leads to, as it is kept: a letter, the contact, and whose claim it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lead {
    pub(super) contact: ContactId,
    /// The contact does not list it yet: whoever took it is at it, or died.
    pending: bool,
    bytes: Vec<u8>,
}

impl Lead {
    fn read(key: &[u8], bytes: Vec<u8>) -> Result<Lead, StoreError> {
        let id: Option<[u8; 16]> = bytes.get(1..17).and_then(|id| id.try_into().ok());
        match (bytes.first(), id) {
            (Some(b'P' | b'L'), Some(id)) => Ok(Lead {
                contact: ContactId(id),
                pending: bytes[0] == b'P',
                bytes,
            }),
            _ => Err(StoreError::Corrupt {
                key: String::from_utf8_lossy(key).into_owned(),
                why: "it leads to no contact".into(),
            }),
        }
    }

    pub(super) fn bytes(letter: u8, contact: ContactId, nonce: &[u8]) -> Vec<u8> {
        [&[letter][..], &contact.0, nonce].concat()
    }
}

/// An id as it is kept of what was seen; one that is too long, by its hash.
pub(super) fn seen_id(dedupe: &str) -> String {
    if dedupe.len() <= LONG_ID {
        return dedupe.to_owned();
    }
    let hash = digest("seen", "", dedupe);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An id as the list of those that were seen has it after the time.
pub(super) fn after_its_length(id: &str) -> Vec<u8> {
    let mut kept = u16::try_from(id.len()).unwrap_or(0).to_be_bytes().to_vec();
    kept.extend(id.as_bytes());
    kept
}

impl RedisStore {
    /// Each alias has a key of its own in a slot of its own. It is taken first (pending), then listed by the contact,
    /// then marked as listed: whoever finds a pending one finishes it, so a crash in between strands nobody.
    pub(super) async fn resolve(
        &self,
        channel: &str,
        alias: &Alias,
        also: &[Alias],
    ) -> Result<Resolved, StoreError> {
        let mut all: Vec<&Alias> = Vec::with_capacity(1 + also.len());
        for one in std::iter::once(alias).chain(also) {
            if !all.contains(&one) {
                all.push(one);
            }
        }
        for _ in 0..ROUNDS {
            if let Some(resolved) = self.resolve_once(channel, alias, &all).await? {
                return Ok(resolved);
            }
        }
        Err(StoreError::Unavailable(
            "others keep linking the same aliases; try again".into(),
        ))
    }

    async fn resolve_once(
        &self,
        channel: &str,
        alias: &Alias,
        all: &[&Alias],
    ) -> Result<Option<Resolved>, StoreError> {
        let reading = all.iter().map(|one| self.lead(channel, one, b"", b""));
        let mut leads = Vec::with_capacity(all.len());
        for lead in join_all(reading).await {
            leads.push(lead?);
        }
        let owner = leads.iter().flatten().next().map(|lead| lead.contact);
        let other = |lead: &&Lead| Some(lead.contact) != owner;
        if let (Some(first), Some(lead)) = (owner, leads.iter().flatten().find(other)) {
            let second = lead.contact;
            return Ok(Some(Resolved::Clash { first, second }));
        }
        let contact = owner.unwrap_or_else(|| ContactId::of(channel, alias));
        let resolved = match owner {
            Some(_) => Resolved::Found(contact),
            None => Resolved::Created(contact),
        };
        if leads
            .iter()
            .all(|lead| lead.as_ref().is_some_and(|lead| !lead.pending))
        {
            return Ok(Some(resolved));
        }

        // In the same order everywhere, so that of two who want the same two aliases one gets both.
        let nonce = super::random()?.to_le_bytes();
        let ours = Lead::bytes(b'P', contact, &nonce);
        let mut order: Vec<usize> = (0..all.len()).filter(|n| leads[*n].is_none()).collect();
        order.sort_by_key(|n| all[*n]);
        for (done, n) in order.iter().enumerate() {
            let found = self.lead(channel, all[*n], &ours, b"").await?;
            match found {
                None => leads[*n] = Some(Lead::read(b"", ours.clone())?),
                Some(lead) if lead.contact == contact => leads[*n] = Some(lead),
                Some(_) => {
                    for taken in &order[..done] {
                        self.lead(channel, all[*taken], b"-", &ours).await?;
                    }
                    return Ok(None);
                }
            }
        }
        let open: Vec<(&Alias, Vec<u8>)> = all
            .iter()
            .zip(leads)
            .filter_map(|(one, lead)| Some((*one, lead.filter(|lead| lead.pending)?.bytes)))
            .collect();
        let own = self.names.of(contact);
        let mut args = self.args(contact).with(channel);
        self.counts_of(self.stone_of(contact).await?.as_ref(), &mut args);
        for (one, _) in &open {
            args.push(one.0.as_str());
        }
        let keys = vec![own.contact(), own.queue("active")];
        self.run(&JOIN, keys, args, Durable::AsConfigured).await?;
        let listed = Lead::bytes(b'L', contact, &[]);
        for (one, pending) in open {
            self.lead(channel, one, &listed, &pending).await?;
        }
        Ok(Some(resolved))
    }

    /// Reads what an alias leads to, and writes `new` if `was` stands there.
    pub(super) async fn lead(
        &self,
        channel: &str,
        alias: &Alias,
        new: &[u8],
        was: &[u8],
    ) -> Result<Option<Lead>, StoreError> {
        let key = self.names.alias(channel, alias);
        let args = self.args(ContactId([0; 16])).with(new).with(was);
        let durable = if new.is_empty() {
            Durable::Local
        } else {
            Durable::AsConfigured
        };
        let mut answer = self.run(&ALIAS, vec![key.clone()], args, durable).await?;
        answer.int()?;
        answer.int()?;
        answer
            .maybe_bytes()?
            .map(|bytes| Lead::read(&key, bytes))
            .transpose()
    }

    /// One step for each contact of the batch.
    pub(super) async fn take_in(&self, events: &[Ingest]) -> Result<Vec<Ingested>, StoreError> {
        let mut batches: Vec<(ContactId, Vec<usize>)> = Vec::new();
        for (n, event) in events.iter().enumerate() {
            match batches.iter_mut().find(|(contact, _)| *contact == event.contact) {
                Some((_, batch)) => batch.push(n),
                None => batches.push((event.contact, vec![n])),
            }
        }
        let steps = batches.iter().map(|(contact, batch)| {
            let batch: Vec<&Ingest> = batch.iter().map(|n| &events[*n]).collect();
            async move { self.take_in_one(*contact, &batch, None).await }
        });
        let mut outcomes = vec![Ingested::Duplicate; events.len()];
        for ((_, batch), answer) in batches.iter().zip(join_all(steps).await) {
            for (n, outcome) in batch.iter().zip(answer?.0) {
                outcomes[*n] = outcome;
            }
        }
        Ok(outcomes)
    }

    /// The same for the events of one contact, and its lease if it is due at once.
    pub(super) async fn take_in_and_claim(
        &self,
        events: &[Ingest],
        nonce: Nonce,
        lease: Duration,
    ) -> Result<(Vec<Ingested>, Option<Claim>), StoreError> {
        let Some(contact) = sole(events) else {
            return Ok((self.take_in(events).await?, None));
        };
        let events: Vec<&Ingest> = events.iter().collect();
        self.take_in_one(contact, &events, Some((nonce, lease))).await
    }

    async fn take_in_one(
        &self,
        contact: ContactId,
        events: &[&Ingest],
        mut answers: Option<(Nonce, Duration)>,
    ) -> Result<(Vec<Ingested>, Option<Claim>), StoreError> {
        let mut contact = contact;
        let mut stone = None;
        for _ in 0..ROUNDS {
            let took = self
                .take_in_once(contact, events, stone.as_ref(), answers)
                .await?;
            // What takes a second look is answered by whoever finds it.
            answers = None;
            match took {
                Took::In(outcomes, claim) => {
                    if let Some(Some(stone)) = &stone
                        && outcomes.iter().all(|outcome| *outcome == Ingested::Duplicate)
                    {
                        self.forget_bare(contact, stone).await?;
                    }
                    return Ok((outcomes, claim.map(|claim| *claim)));
                }
                Took::Elsewhere(into) => {
                    contact = into;
                    stone = None;
                }
                Took::AskForStone => stone = Some(self.stone_of(contact).await?),
            }
        }
        Err(StoreError::Unavailable(
            "contacts are being merged; try again".into(),
        ))
    }

    async fn take_in_once(
        &self,
        contact: ContactId,
        events: &[&Ingest],
        stone: Option<&Option<Stone>>,
        answers: Option<(Nonce, Duration)>,
    ) -> Result<Took, StoreError> {
        let own = self.names.of(contact);
        let keys = vec![
            own.contact(),
            own.mailbox(),
            own.seen(),
            own.thread(),
            own.fates(),
            own.queue("run"),
            own.queue("active"),
            own.body(),
        ];
        let channel = events.first().map_or("", |event| event.channel.as_str());
        let numbers = Numbers::default()
            .four(self.caps.mailbox_events)
            .six(span(self.caps.dedup_for))
            .four(self.caps.dedup_ids)
            .four(self.caps.history_entries)
            .four(CLAIM_EVENTS)
            .six(answers.map_or(0, |(_, lease)| span(lease)));
        let mut args = self.args(contact).with(numbers);
        match answers {
            Some((nonce, _)) => args.push(nonce.0.to_be_bytes()),
            None => args.push(""),
        }
        args.push(channel);
        match stone {
            None => args.push(""),
            Some(None) => args.push("-"),
            Some(Some(stone)) => args.push(stone.counts()),
        }
        let stone = stone.and_then(Option::as_ref);
        for event in events {
            let seen = stone.is_some_and(|stone| stone.knows(&event.dedupe));
            let is = u8::from(event.said_at.is_some())
                + 2 * u8::from(event.history.is_some())
                + 4 * u8::from(seen);
            let said_at = event.said_at.map_or(0, |said_at| millis::floor(said_at).max(0));
            let numbers = Numbers::default()
                .six(said_at)
                .six(span(event.quiet))
                .six(span(event.quiet_max))
                .one(is);
            args.push(numbers);
            args.push(after_its_length(&seen_id(&event.dedupe)));
            args.push(event.payload.as_slice());
            args.push(event.history.as_deref().unwrap_or_default());
        }
        let answer = self.run(&INGEST, keys, args, Durable::AsConfigured).await;
        let mut answer = self
            .or_rest(answer, contact, &own, Waits::Outside, Vec::new())
            .await?;
        let what = answer.int()?;
        let now = answer.int()?;
        if what == 3 {
            return Ok(Took::AskForStone);
        }
        if what == 4 {
            let into = answer.text()?.parse();
            return Ok(Took::Elsewhere(
                into.map_err(|why| super::turn::unreadable(own.contact(), why))?,
            ));
        }
        let run_at = answer.time()?;
        let outcomes = events
            .iter()
            .map(|_| {
                Ok(match answer.int()? {
                    0 => Ingested::Duplicate,
                    -1 => Ingested::MailboxFull,
                    seq => Ingested::New(seq.unsigned_abs()),
                })
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        self.hand_over(Due::Run, run_at, contact, now);
        let claim = match answers {
            Some((nonce, _)) if !answer.is_done() => {
                let seqs = outcomes
                    .iter()
                    .zip(events)
                    .filter_map(|(outcome, event)| match outcome {
                        Ingested::New(seq) => Some((*seq, event)),
                        Ingested::Duplicate | Ingested::MailboxFull => None,
                    });
                let events = seqs.map(|(seq, event)| MailboxEvent {
                    seq,
                    at: millis::timestamp(now),
                    payload: event.payload.clone(),
                });
                let events = events.collect();
                Some(Box::new(read_taken(contact, &own, nonce, events, &mut answer)?))
            }
            Some(_) | None => None,
        };
        Ok(Took::In(outcomes, claim))
    }
}

/// What whoever took the events in and the lease with them is told; they have the events already.
fn read_taken(
    contact: ContactId,
    own: &Own,
    nonce: Nonce,
    events: Vec<MailboxEvent>,
    answer: &mut Answer,
) -> Result<Claim, StoreError> {
    Ok(Claim {
        contact,
        fence: Fence(answer.count()?),
        nonce,
        owner: owner(own, &answer.bytes()?)?,
        failures: answer.count()?,
        channel: answer.text()?,
        session: answer.maybe_blob()?,
        memory: answer.maybe_blob()?,
        aliases: rest_of_aliases(answer)?,
        events,
    })
}

/// Whose events all of them are.
fn sole(events: &[Ingest]) -> Option<ContactId> {
    let contact = events.first()?.contact;
    events
        .iter()
        .all(|event| event.contact == contact)
        .then_some(contact)
}

/// What became of a batch for one contact.
enum Took {
    In(Vec<Ingested>, Option<Box<Claim>>),
    /// It was merged into this one.
    Elsewhere(ContactId),
    /// It is new, or was erased: what was seen before does not bring it back.
    AskForStone,
}

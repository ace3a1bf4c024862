//! What the cases are told in: a store with a clock at hand, and short words for the usual steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use switchboard::store::{
    Alias, Caps, Claim, ContactId, Ingest, Ingested, Keep, Nonce, OutboxEntry, SendClaim, SendOutcome,
    Sender, Store, TimerId, TurnCommit,
};

use super::{Open, UnderTest};

pub const CHANNEL: &str = "number-one";
pub const LEASE: Duration = Duration::from_secs(20);

pub struct Bed {
    under_test: Box<dyn UnderTest>,
    pub store: Arc<dyn Store>,
    ids: AtomicU64,
}

pub async fn bed(open: Open) -> Bed {
    bed_with(open, Caps::default()).await
}

pub async fn bed_with(open: Open, caps: Caps) -> Bed {
    let under_test = open(caps).await;
    Bed {
        store: under_test.store(),
        under_test,
        ids: AtomicU64::new(1),
    }
}

impl Bed {
    pub fn pass(&self, millis: u64) {
        self.shift(millis as i64);
    }

    pub fn shift(&self, millis: i64) {
        self.under_test.shift(millis);
    }

    pub async fn reopen(&mut self) {
        self.under_test.reopen().await;
        self.store = self.under_test.store();
    }

    pub fn in_millis(&self, millis: i64) -> Timestamp {
        self.store.now() + SignedDuration::from_millis(millis)
    }

    pub fn fresh(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::SeqCst)
    }

    pub async fn contact(&self, name: &str) -> ContactId {
        let resolved = self
            .store
            .resolve_alias(CHANNEL, &Alias(format!("phone:{name}")), &[])
            .await;
        resolved.unwrap().contact()
    }

    /// The customer says it; due at once.
    pub async fn say(&self, contact: ContactId, words: &str) -> Ingested {
        let event = message(contact, &format!("fresh-{}", self.fresh()), words);
        self.ingest(event).await
    }

    pub async fn ingest(&self, event: Ingest) -> Ingested {
        self.store.ingest(&[event]).await.unwrap()[0]
    }

    pub async fn try_claim(&self, contact: ContactId) -> Option<Claim> {
        self.store
            .claim(contact, Nonce(self.fresh()), LEASE)
            .await
            .unwrap()
    }

    pub async fn claim(&self, contact: ContactId) -> Claim {
        self.try_claim(contact).await.expect("the contact is due")
    }

    /// A message comes in and is answered by these entries.
    pub async fn answer(&self, contact: ContactId, outbox: Vec<OutboxEntry>) {
        self.say(contact, "hello").await;
        let mut turn = turn(&self.claim(contact).await);
        turn.outbox = outbox;
        self.commit(&turn).await;
    }

    /// Commits a turn that must pass.
    pub async fn commit(&self, turn: &TurnCommit) {
        let committed = self.store.commit(turn).await.unwrap();
        assert_eq!(committed, switchboard::store::Committed::Done);
    }

    pub async fn send_claim(&self, contact: ContactId) -> Option<SendClaim> {
        self.store.send_claim(contact, LEASE).await.unwrap()
    }

    /// Sends the head, which must be this one, and the provider takes it.
    pub async fn sends(&self, contact: ContactId, id: &str) {
        let claim = self
            .send_claim(contact)
            .await
            .expect("there is something to send");
        assert_eq!(claim.entry.id, id);
        assert!(self.store.send_done(&claim, &accepted(id)).await.unwrap());
    }

    /// The messages of ours in the thread: id and how far each got.
    pub async fn states(&self, contact: ContactId) -> Vec<(String, String)> {
        let thread = self.store.history(contact, 1_000).await.unwrap();
        thread.into_iter().filter_map(|line| line.status).collect()
    }

    pub async fn state(&self, contact: ContactId, id: &str) -> String {
        let states = self.states(contact).await;
        let found = states.into_iter().find(|(ours, _)| ours == id);
        found.expect("the message is in the thread").1
    }

    /// Payloads that wait in the mailbox, as text.
    pub async fn mailbox(&self, contact: ContactId) -> Vec<String> {
        let claim = self
            .store
            .peek(contact)
            .await
            .unwrap()
            .expect("the contact is known");
        words(&claim)
    }
}

pub fn words(claim: &Claim) -> Vec<String> {
    let text = |payload: &Vec<u8>| String::from_utf8_lossy(payload).into_owned();
    claim.events.iter().map(|event| text(&event.payload)).collect()
}

pub fn message(contact: ContactId, id: &str, words: &str) -> Ingest {
    Ingest {
        channel: CHANNEL.into(),
        contact,
        dedupe: id.into(),
        payload: words.into(),
        said_at: None,
        quiet: Duration::ZERO,
        quiet_max: Duration::ZERO,
        history: None,
    }
}

/// A turn that consumes what was claimed and writes nothing yet.
pub fn turn(claim: &Claim) -> TurnCommit {
    TurnCommit {
        contact: claim.contact,
        fence: claim.fence,
        nonce: claim.nonce,
        upto: claim.events.last().map_or(0, |event| event.seq),
        session: Keep::AsItIs,
        memory: Keep::AsItIs,
        owner: None,
        outbox: Vec::new(),
        set_timers: Vec::new(),
        cancel_timers: Vec::new(),
        jobs: Vec::new(),
        history: Vec::new(),
        quiet: Duration::ZERO,
    }
}

pub fn bot(id: &str) -> OutboxEntry {
    OutboxEntry {
        id: id.into(),
        sender: Sender::Bot,
        payload: format!("text of {id}").into(),
        not_before: None,
    }
}

pub fn person(id: &str) -> OutboxEntry {
    OutboxEntry {
        sender: Sender::Person,
        ..bot(id)
    }
}

pub fn accepted(id: &str) -> SendOutcome {
    SendOutcome::Accepted {
        message_id: Some(format!("wamid.{id}")),
        pace: None,
    }
}

pub fn timer(name: &str, at: Timestamp) -> (TimerId, Timestamp, Vec<u8>) {
    (TimerId(name.into()), at, format!("timer {name}").into())
}

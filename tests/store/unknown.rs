//! `Unknown` before and after each call: who repeats a step as the trait says ends where a sure store ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::SignedDuration;
use switchboard::store::{
    Alias, Caps, Claim, Due, Fence, Job, JobId, Keep, Merged, Nonce, Owner, Pace, Rate, Record, Retention,
    SendOutcome, SqliteStore, Status, StillClock, Store, StoreError,
};

use crate::conformance::bed::{CHANNEL, LEASE, bot, message, person, timer, turn};
use crate::doubtful::{Doubtful, Lost};

/// Repeats a call until it has an answer.
macro_rules! sure {
    ($store:ident . $call:ident ( $($argument:expr),* )) => {{
        let mut tries = 0;
        loop {
            match $store.$call($($argument),*).await {
                Err(StoreError::Unknown(_)) if tries < 3 => tries += 1,
                answer => break answer.unwrap(),
            }
        }
    }};
}

/// One life of a store in which every step that changes something occurs, and all that is there afterwards.
async fn life(store: &dyn Store, clock: &StillClock) -> Vec<Record> {
    let ana = sure!(store.resolve_alias(CHANNEL, &Alias("phone:6281100000011".into()), &[])).contact();
    let twin = sure!(store.resolve_alias(CHANNEL, &Alias("phone:6281100000012".into()), &[])).contact();
    let gone = sure!(store.resolve_alias(CHANNEL, &Alias("phone:6281100000013".into()), &[])).contact();
    let mut hello = message(ana, "1", "hello");
    hello.history = Some(b"customer: hello".to_vec());
    sure!(store.ingest(&[
        hello.clone(),
        message(twin, "1", "hello"),
        message(gone, "1", "hello")
    ]));
    for nonce in 1..=3 {
        let claim = sure!(store.claim(twin, Nonce(nonce), LEASE)).unwrap();
        sure!(store.fail(twin, claim.fence, claim.nonce, "it broke"));
        clock.advance(Duration::from_secs(20));
    }
    let claim = sure!(store.claim(ana, Nonce(4), LEASE)).unwrap();
    let mut first = turn(&claim);
    first.session = Keep::Write(b"session \0\xff".to_vec());
    first.memory = Keep::Write(b"memory".to_vec());
    first.outbox = vec![bot("1"), person("2"), bot("3"), bot("4")];
    first.set_timers = vec![
        timer("idle", store.now()),
        timer("later", store.now() + SignedDuration::from_hours(1)),
    ];
    first.jobs = ["j1"]
        .map(|id| Job {
            id: JobId(id.into()),
            payload: b"job".to_vec(),
            not_before: None,
        })
        .into();
    sure!(store.commit(&first));
    sure!(store.fire_due_timers(10));
    // A job or a message whose claim got lost is claimed again when its lease is over.
    let mut job = None;
    for _ in 0..3 {
        if job.is_none() {
            job = sure!(store.job_claim(LEASE));
        }
        clock.advance(LEASE);
    }
    // The claim is still its holder's, until somebody else takes it.
    let job = job.unwrap();
    sure!(store.job_done(&job, b"result".to_vec()));
    let pace = Some(Pace {
        every: Duration::from_secs(6),
        burst: 1,
    });
    let outcomes = [
        SendOutcome::Retry {
            at: store.now(),
            why: "slow".into(),
        },
        SendOutcome::NotYet {
            at: store.now(),
            why: "wait".into(),
        },
        SendOutcome::Accepted {
            message_id: Some("wamid.1".into()),
            pace,
        },
        SendOutcome::Uncertain {
            until: store.now(),
            why: "no answer".into(),
        },
        SendOutcome::Dead { why: "gone".into() },
    ];
    for outcome in &outcomes {
        let mut claim = None;
        for _ in 0..3 {
            clock.advance(LEASE);
            if claim.is_none() {
                claim = sure!(store.send_claim(ana, LEASE));
            }
        }
        let claim = claim.unwrap();
        sure!(store.send_done(&claim, outcome));
    }
    let status = Status {
        message_id: "wamid.1".into(),
        ours: None,
        rank: 2,
        state: "delivered".into(),
        error: None,
        pace: None,
    };
    sure!(store.reconcile(CHANNEL, &status));
    sure!(store.take_tokens(
        CHANNEL,
        1,
        Rate {
            per_second: 80,
            burst: 80
        }
    ));
    let claim = sure!(store.claim(ana, Nonce(5), LEASE)).unwrap();
    let mut second = turn(&claim);
    second.outbox = vec![bot("5")];
    sure!(store.commit_then_send(&second, LEASE));
    sure!(store.set_owner(ana, Owner::Human));
    let parked = store.parked(10).await.unwrap();
    assert_eq!(parked.len(), 1);
    sure!(store.unpark(&parked[0].id));
    sure!(store.quarantine(CHANNEL, b"{\xff", "not JSON"));
    sure!(store.quarantine(CHANNEL, b"[", "not JSON"));
    let unread = store.quarantined(10).await.unwrap();
    sure!(store.discard_quarantined(&unread[0].id));
    sure!(store.put_setting("live", b"\0\xff"));
    sure!(store.put_setting("old", b"1"));
    sure!(store.remove_setting("old"));
    assert!(sure!(store.swap_setting("number", None, Some(b"1"))));
    assert!(sure!(store.swap_setting("number", Some(b"1"), Some(b"2"))));
    assert!(sure!(store.swap_setting("number", Some(b"2"), None)));
    sure!(store.erase(gone));
    clock.advance(LEASE * 2);
    let merged = sure!(store.merge(twin, ana));
    assert!(matches!(merged, Merged::Done | Merged::Already), "{merged:?}");
    let keep = Retention {
        history: Duration::from_secs(1),
        memory: Duration::from_secs(1),
        dead: Duration::from_secs(1),
        ..Retention::default()
    };
    sure!(store.trim(None, &keep, 100));
    store.export(None, 1_000).await.unwrap().records
}

/// What a lost answer may change: which lease it was, how often it was tried, and with that a doubt about a message.
fn plain(records: Vec<Record>) -> Vec<Record> {
    let numbers = |record: Record| match record {
        Record::Contact(mut contact) => {
            contact.fence = 0;
            contact.ended = None;
            (contact.send_fence, contact.sent_fence) = (0, 0);
            contact.pace = None;
            (contact.active_at, contact.burst_at) = (contact.burst_at, contact.burst_at);
            for job in &mut contact.jobs {
                job.attempt = 0;
            }
            for entry in &mut contact.outbox {
                entry.attempts = 0;
                entry.uncertain = false;
            }
            Record::Contact(contact)
        }
        other => other,
    };
    let of_all = |record: &Record| !matches!(record, Record::Tombstone(_)) && !is_key(record);
    records.into_iter().filter(of_all).map(numbers).collect()
}

/// Each store has its own.
fn is_key(record: &Record) -> bool {
    matches!(record, Record::Setting { key, .. } if key == "erasure.key")
}

#[tokio::test]
async fn a_step_that_is_repeated_after_a_lost_answer_ends_in_the_same_store() {
    let mut ends = Vec::new();
    for lost in [None, Some(Lost::Before), Some(Lost::After), Some(Lost::Both)] {
        let folder = tempfile::tempdir().unwrap();
        let clock = crate::still_clock();
        let path = folder.path().join("store.db");
        let store = Arc::new(SqliteStore::open(path, Caps::default(), clock.clone()).unwrap());
        let records = match lost {
            None => life(store.as_ref(), &clock).await,
            Some(lost) => {
                let doubtful = Doubtful::new(store.clone(), lost);
                let records = life(&doubtful, &clock).await;
                assert!(doubtful.doubts.load(Ordering::SeqCst) > 20, "answers got lost");
                records
            }
        };
        assert!(
            records
                .iter()
                .any(|record| matches!(record, Record::Tombstone(_)))
        );
        ends.push((lost, texts(plain(records))));
    }
    for (lost, end) in &ends[1..] {
        assert_eq!(*end, ends[0].1, "{lost:?}");
    }
}

/// Without times, which differ where a lease had to be waited for.
fn texts(records: Vec<Record>) -> Vec<serde_json::Value> {
    fn without_times(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    if name == "at" || name.ends_with("_at") || name == "not_before" || name == "until" {
                        *value = serde_json::Value::Null;
                    }
                    without_times(value);
                }
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(without_times),
            _ => {}
        }
    }
    let text = |record: &Record| {
        let mut value = serde_json::to_value(record).unwrap();
        without_times(&mut value);
        value
    };
    records.iter().map(text).collect()
}

/// The claim that got lost is given again to the same nonce.
#[tokio::test]
async fn a_claim_whose_answer_got_lost_is_the_same_claim() {
    let folder = tempfile::tempdir().unwrap();
    let clock = crate::still_clock();
    let sqlite = SqliteStore::open(folder.path().join("store.db"), Caps::default(), clock).unwrap();
    let store = Doubtful::new(Arc::new(sqlite), Lost::After);
    let ana = sure!(store.resolve_alias(CHANNEL, &Alias("phone:6281100000011".into()), &[])).contact();
    sure!(store.ingest(&[message(ana, "1", "hello")]));
    let claim: Option<Claim> = sure!(store.claim(ana, Nonce(7), LEASE));
    assert_eq!(
        claim.map(|claim| (claim.fence, claim.events.len())),
        Some((Fence(1), 1))
    );
    assert!(store.due(Due::Run, 10).await.unwrap().is_empty());
}

//! The records in Redis: what a stranger's hand, a newer version or a bug may have left there, and what becomes of it.

use switchboard::store::redis::Partition;
use switchboard::store::{Caps, Committed, ContactId, Ingested, Keep, Nonce, Store, StoreError};

use crate::conformance::bed::{LEASE, bot, message, timer, turn};
use crate::rig::{OneNode, Server};
use crate::shared::{open_on, try_on};
use crate::still_clock;

/// Each of them on a plain server, and on a cluster, which refuses what touches two slots.
macro_rules! on_a_server_and_on_a_cluster {
    ($($name:ident),+ $(,)?) => {
        mod on_a_server {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&super::Server::plain()).await;
            })+
        }
        mod on_a_cluster {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&super::OneNode::start().node).await;
            })+
        }
    };
}

on_a_server_and_on_a_cluster! {
    a_store_of_a_newer_version_or_other_partitions_is_refused_and_not_touched,
    a_key_of_a_wrong_type_leaves_nothing_half_written,
    a_queue_of_a_wrong_type_leaves_nothing_half_written,
    what_cannot_be_read_is_named_and_the_others_go_on,
    what_waits_for_an_unreadable_record_is_listed_once_and_goes_on_after_it_was_mended,
    numbers_of_17_digits_and_empty_lists_come_back_byte_for_byte,
}

const ANA: ContactId = ContactId([1; 16]);
const BUDI: ContactId = ContactId([2; 16]);

fn key(kind: &str, contact: ContactId) -> String {
    format!("sb:{{{}}}:{kind}:{contact}", Partition::of(contact).tag())
}

/// Everything the server has, key by key.
fn all(server: &Server) -> Vec<(String, String)> {
    let keys = server.must(&["KEYS", "*"]);
    // Places of ids are hints in other partitions, written first.
    let ours = keys.list().iter().filter(|key| !key.text().contains(":at:"));
    let mut all: Vec<(String, String)> = ours
        .map(|key| {
            let key = key.text();
            let value = format!("{:?}", server.must(&["DUMP", &key]));
            (key, value)
        })
        .collect();
    all.sort();
    all
}

async fn a_store_of_a_newer_version_or_other_partitions_is_refused_and_not_touched(server: &Server) {
    open_on(server, Caps::default(), still_clock()).await;
    server.must(&["HSET", "sb:meta", "format", "9", "min_reader", "8"]);
    let before = all(server);
    let refused = try_on(server, Caps::default(), still_clock()).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Version { found: 9, max: 2 }),
        "{refused:?}"
    );
    // A newer one that says this version can still read it.
    server.must(&["HSET", "sb:meta", "min_reader", "1"]);
    try_on(server, Caps::default(), still_clock()).await.unwrap();

    server.must(&["HSET", "sb:meta", "partitions", "128"]);
    let refused = try_on(server, Caps::default(), still_clock()).await.unwrap_err();
    let says = refused.to_string();
    assert!(
        says.contains("sb:meta") && says.contains("128 partitions"),
        "{says}"
    );
    assert_eq!(before.len(), all(server).len());
}

/// Redis does not roll a script back: every step looks at its keys before it writes to one.
async fn a_key_of_a_wrong_type_leaves_nothing_half_written(server: &Server) {
    let store = open_on(server, Caps::default(), still_clock()).await;
    for kind in ["c", "b", "q", "d", "o", "h", "x"] {
        server.must(&["FLUSHALL"]);
        let mut event = message(ANA, "1", "hello");
        event.history = Some(b"customer: hello".to_vec());
        assert_eq!(store.ingest(&[event]).await.unwrap(), [Ingested::New(1)]);
        let claim = store.claim(ANA, Nonce(1), LEASE).await.unwrap().unwrap();
        let mut first = turn(&claim);
        first.session = Keep::Write(b"session".to_vec());
        first.outbox = vec![bot("1"), bot("2")];
        first.set_timers = vec![timer("idle", store.now())];
        store.commit(&first).await.unwrap();
        let sending = store.send_claim(ANA, LEASE).await.unwrap().unwrap();
        let mut more = message(ANA, "2", "more");
        more.history = Some(b"customer: more".to_vec());
        store.ingest(&[more.clone()]).await.unwrap();
        let claim = store.claim(ANA, Nonce(2), LEASE).await.unwrap().unwrap();

        let wrong = key(kind, ANA);
        server.must(&["DEL", &wrong]);
        match kind {
            "d" => server.must(&["RPUSH", &wrong, "x"]),
            _ => server.must(&["SET", &wrong, "of a stranger"]),
        };
        let before = all(server);
        more.dedupe = "3".into();
        let _maybe = store.ingest(&[more]).await;
        let ingested = all(server) != before;
        assert_eq!(ingested, ["b", "o", "x"].contains(&kind), "{kind}: ingest");
        let before = all(server);
        let mut second = turn(&claim);
        second.session = Keep::Write(b"later".to_vec());
        second.history = vec![b"line".to_vec()];
        second.outbox = vec![bot("3")];
        second.set_timers = vec![timer("idle", store.now())];
        let refused = store.commit_then_send(&second, LEASE).await;
        if kind != "d" {
            assert!(refused.is_err(), "{kind}: {refused:?}");
            assert_eq!(all(server), before, "{kind}: commit");
        }
        let before = all(server);
        let accepted = crate::conformance::bed::accepted("1");
        let refused = store.sent_then_next(&sending, &accepted, LEASE).await;
        if ["c", "o", "x"].contains(&kind) {
            assert!(refused.is_err(), "{kind}: {refused:?}");
            assert_eq!(all(server), before, "{kind}: sent");
        }
        let before = all(server);
        let fired = store.fire_due_timers(10).await;
        if ["c", "b", "q"].contains(&kind) {
            assert!(fired.is_err(), "{kind}: {fired:?}");
            assert_eq!(all(server), before, "{kind}: fire");
        }
    }
}

/// The queues are shared by all contacts of a partition, and most steps write to several.
async fn a_queue_of_a_wrong_type_leaves_nothing_half_written(server: &Server) {
    let clock = still_clock();
    let store = open_on(server, Caps::default(), clock.clone()).await;
    for queue in ["run", "send", "timers", "jobs", "active", "parked", "counts"] {
        server.must(&["FLUSHALL"]);
        // Something is to be answered, sent, tried again, fired, done and unparked.
        store
            .ingest(&[message(BUDI, "1", "hello"), message(ANA, "1", "hello")])
            .await
            .unwrap();
        let job = |id: &str| switchboard::store::Job {
            id: switchboard::store::JobId(id.into()),
            payload: b"job".to_vec(),
            not_before: None,
        };
        let mut first = turn(&store.claim(ANA, Nonce(1), LEASE).await.unwrap().unwrap());
        first.outbox = vec![bot("1"), bot("2")];
        first.set_timers = vec![timer("idle", store.now()), timer("more", store.now())];
        first.jobs = vec![job("j1"), job("j2")];
        store.commit(&first).await.unwrap();
        let working = store.job_claim(LEASE).await.unwrap().unwrap();
        let sending = store.send_claim(ANA, LEASE).await.unwrap().unwrap();
        for (n, id) in ["2", "3"].iter().enumerate() {
            store.ingest(&[message(ANA, id, "more")]).await.unwrap();
            if n == 0 {
                for nonce in 10..13 {
                    let claim = store.claim(ANA, Nonce(nonce), LEASE).await.unwrap().unwrap();
                    store.fail(ANA, claim.fence, claim.nonce, "broken").await.unwrap();
                    clock.advance(std::time::Duration::from_secs(11));
                }
            }
        }
        let parked = store.parked(10).await.unwrap();
        let [aside] = parked.as_slice() else {
            panic!("{parked:?}")
        };
        let claim = store.claim(ANA, Nonce(20), LEASE).await.unwrap().unwrap();

        let wrong = format!("sb:{{{}}}:{queue}", Partition::of(ANA).tag());
        server.must(&["DEL", &wrong]);
        server.must(&["SET", &wrong, "of a stranger"]);
        let mut second = turn(&claim);
        second.session = Keep::Write(b"later".to_vec());
        second.history = vec![b"line".to_vec()];
        second.outbox = vec![bot("3")];
        second.cancel_timers = vec![switchboard::store::TimerId("more".into())];
        second.set_timers = vec![timer("idle", store.now())];
        second.jobs = vec![job("j3")];
        let status = switchboard::store::Status {
            message_id: "wamid.2".into(),
            ours: Some("2".into()),
            rank: 2,
            state: "delivered".into(),
            error: None,
            pace: None,
        };
        let mut refused = 0;
        // Each step on what the steps before it left, if they were not refused.
        for step in 0..13 {
            let before = all(server);
            let done = match step {
                0 => store.ingest(&[message(ANA, "9", "even more")]).await.map(drop),
                1 => store.job_done(&working, b"result".to_vec()).await.map(drop),
                2 => store.job_renew(&working, LEASE).await.map(drop),
                3 => store
                    .sent_then_next(&sending, &crate::conformance::bed::accepted("1"), LEASE)
                    .await
                    .map(drop),
                4 => store
                    .reconcile(crate::conformance::bed::CHANNEL, &status)
                    .await
                    .map(drop),
                5 => store.commit_then_send(&second, LEASE).await.map(drop),
                6 => store.fire_due_timers(10).await.map(drop),
                7 => store.job_claim(LEASE).await.map(drop),
                8 => store.unpark(&aside.id).await.map(drop),
                9 => store.set_owner(ANA, switchboard::store::Owner::Human).await,
                10 => {
                    clock.advance(LEASE);
                    store.claim(ANA, Nonce(21), LEASE).await.map(drop)
                }
                11 => store
                    .fail(ANA, claim.fence, claim.nonce, "broken")
                    .await
                    .map(drop),
                12 => store.send_claim(ANA, LEASE).await.map(drop),
                _ => unreachable!("there are thirteen steps"),
            };
            if done.is_err() {
                refused += 1;
                assert_eq!(all(server), before, "{queue}: step {step}: {done:?}");
            }
        }
        if queue == "run" {
            let due = store.due(switchboard::store::Due::Run, 10).await.unwrap();
            assert_eq!(due, [BUDI], "those of other partitions go on");
        }
        // How often a message was put aside is written only when there are too many.
        assert!(refused > 0 || queue == "counts", "nothing met the wrong {queue}");
    }
}

async fn what_cannot_be_read_is_named_and_the_others_go_on(server: &Server) {
    let clock = still_clock();
    let store = open_on(server, Caps::default(), clock.clone()).await;
    for (n, (kind, field)) in [("b", "s"), ("b", "m"), ("c", "v"), ("c", "r"), ("c", "s")]
        .into_iter()
        .enumerate()
    {
        server.must(&["FLUSHALL"]);
        for contact in [ANA, BUDI] {
            store.ingest(&[message(contact, "1", "hello")]).await.unwrap();
            let mut first = turn(&store.claim(contact, Nonce(1), LEASE).await.unwrap().unwrap());
            first.session = Keep::Write(b"session".to_vec());
            first.memory = Keep::Write(b"memory".to_vec());
            store.commit(&first).await.unwrap();
            store.ingest(&[message(contact, "2", "more")]).await.unwrap();
        }
        let broken = key(kind, ANA);
        let good = format!("{broken}:good");
        server.must(&["COPY", &broken, &good, "REPLACE"]);
        server.must(&["HSET", &broken, field, "\u{2}\u{9}of a newer version"]);
        let refused = store.claim(ANA, Nonce(2), LEASE).await.unwrap_err();
        let named = matches!(&refused, StoreError::Corrupt { key, .. } if key.starts_with(&broken));
        assert!(named, "{n}: {refused:?}");
        // It is not due all the time, and the others are.
        let due = store.due(switchboard::store::Due::Run, 10).await.unwrap();
        assert_eq!(due, [BUDI]);
        let claim = store.claim(BUDI, Nonce(3), LEASE).await.unwrap().unwrap();
        assert_eq!(store.commit(&turn(&claim)).await.unwrap(), Committed::Done);
        // People find it among what was put aside, by its key, and not twice.
        let parked = store.parked(10).await.unwrap();
        let [noted] = parked.as_slice() else {
            panic!("{n}: {parked:?}")
        };
        assert_eq!((noted.contact, noted.id.is_unread()), (ANA, true));
        assert!(noted.why.contains(&broken), "{n}: {noted:?}");
        assert_eq!(store.stats().await.unwrap().unreadable, 1);
        // Nothing was lost: whoever can read it goes on where it was, at once if people say that it was mended.
        server.must(&["COPY", &good, &broken, "REPLACE"]);
        if n % 2 == 0 {
            assert!(store.unpark(&noted.id).await.unwrap());
            assert!(!store.unpark(&noted.id).await.unwrap());
            assert!(store.parked(10).await.unwrap().is_empty());
        } else {
            clock.advance(std::time::Duration::from_secs(301));
        }
        let claim = store.claim(ANA, Nonce(4), LEASE).await.unwrap().unwrap();
        assert_eq!(claim.events.len(), 1);
        assert_eq!(claim.session.as_deref(), Some(&b"session"[..]));
    }
}

async fn what_waits_for_an_unreadable_record_is_listed_once_and_goes_on_after_it_was_mended(server: &Server) {
    let clock = still_clock();
    let store = open_on(server, Caps::default(), clock.clone()).await;
    store.ingest(&[message(ANA, "1", "hello")]).await.unwrap();
    let mut first = turn(&store.claim(ANA, Nonce(1), LEASE).await.unwrap().unwrap());
    first.outbox = vec![bot("1")];
    first.set_timers = vec![
        timer("idle", store.now()),
        timer("later", store.now() + jiff::SignedDuration::from_mins(30)),
    ];
    first.jobs = vec![switchboard::store::Job {
        id: switchboard::store::JobId("j1".into()),
        payload: b"job".to_vec(),
        not_before: None,
    }];
    store.commit(&first).await.unwrap();
    store.ingest(&[message(ANA, "2", "more")]).await.unwrap();

    let broken = key("c", ANA);
    server.must(&["HSET", &broken, "v", "9"]);
    assert!(store.claim(ANA, Nonce(2), LEASE).await.is_err());
    assert!(store.send_claim(ANA, LEASE).await.is_err());
    assert!(store.fire_due_timers(10).await.is_err());
    assert!(store.job_claim(LEASE).await.is_err());
    let refused = store.ingest(&[message(ANA, "3", "even more")]).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    for kind in [
        switchboard::store::Due::Run,
        switchboard::store::Due::Send,
        switchboard::store::Due::Timer,
    ] {
        assert!(store.due(kind, 10).await.unwrap().is_empty(), "{kind:?}");
    }
    let parked = store.parked(10).await.unwrap();
    let all: Vec<_> = parked
        .iter()
        .map(|parked| (parked.contact, parked.id.is_unread()))
        .collect();
    assert_eq!(all, [(ANA, true)], "{parked:?}");

    // Not mended: it is on the list again as soon as it is met again.
    assert!(store.unpark(&parked[0].id).await.unwrap());
    assert!(store.claim(ANA, Nonce(3), LEASE).await.is_err());
    assert_eq!(store.parked(10).await.unwrap().len(), 1);
    assert!(store.discard(&parked[0].id).await.unwrap());
    assert!(store.parked(10).await.unwrap().is_empty());
    clock.advance(std::time::Duration::from_secs(301));
    assert!(store.claim(ANA, Nonce(4), LEASE).await.is_err());
    assert!(store.send_claim(ANA, LEASE).await.is_err());
    assert!(store.fire_due_timers(10).await.is_err());
    assert!(store.job_claim(LEASE).await.is_err());

    server.must(&["HSET", &broken, "v", "2"]);
    assert!(store.unpark(&parked[0].id).await.unwrap());
    assert_eq!(
        store.fire_due_timers(10).await.unwrap(),
        1,
        "only the one that is due"
    );
    assert!(store.send_claim(ANA, LEASE).await.unwrap().is_some());
    assert!(store.job_claim(LEASE).await.unwrap().is_some());
    let claim = store.claim(ANA, Nonce(5), LEASE).await.unwrap().unwrap();
    assert_eq!(crate::conformance::bed::words(&claim), ["more", "timer idle"]);
    assert!(store.parked(10).await.unwrap().is_empty());

    // What can be read again without anybody's word leaves the list by itself.
    server.must(&["HSET", &broken, "v", "9"]);
    clock.advance(LEASE);
    assert!(store.claim(ANA, Nonce(6), LEASE).await.is_err());
    assert_eq!(store.parked(10).await.unwrap().len(), 1);
    server.must(&["HSET", &broken, "v", "2"]);
    clock.advance(std::time::Duration::from_secs(700));
    assert!(store.claim(ANA, Nonce(7), LEASE).await.unwrap().is_some());
    assert!(store.parked(10).await.unwrap().is_empty());
    assert_eq!(store.stats().await.unwrap().unreadable, 0);
}

/// A script that decoded payloads would write `1.2345678901235e+16` and `{}`.
async fn numbers_of_17_digits_and_empty_lists_come_back_byte_for_byte(server: &Server) {
    let store = open_on(server, Caps::default(), still_clock()).await;
    let json = br#"{"id":12345678901234567,"list":[],"none":{},"float":1.0,"e":"\u00e9"}"#.to_vec();
    let mut event = message(ANA, "12345678901234567", "");
    event.payload = json.clone();
    event.history = Some(json.clone());
    store.ingest(&[event]).await.unwrap();
    let claim = store.claim(ANA, Nonce(u64::MAX), LEASE).await.unwrap().unwrap();
    assert_eq!((&claim.events[0].payload, claim.nonce), (&json, Nonce(u64::MAX)));
    let mut first = turn(&claim);
    (first.session, first.memory) = (Keep::Write(json.clone()), Keep::Write(json.clone()));
    first.outbox = vec![bot("1")];
    first.outbox[0].payload = json.clone();
    first.set_timers = vec![timer("12345678901234567", store.now())];
    first.set_timers[0].2 = json.clone();
    let (committed, sending) = store.commit_then_send(&first, LEASE).await.unwrap();
    assert_eq!(committed, Committed::Done);
    assert_eq!(sending.unwrap().entry.payload, json);
    assert_eq!(store.fire_due_timers(1).await.unwrap(), 1);
    let known = store.peek(ANA).await.unwrap().unwrap();
    assert_eq!(
        (known.session, known.memory, &known.events[0].payload),
        (Some(json.clone()), Some(json.clone()), &json)
    );
    let thread = store.history(ANA, 10).await.unwrap();
    assert!(thread.iter().all(|line| line.payload == json));
}

//! What earlier versions wrote into Redis. Their records lie under `fixtures/records` as text, a line for each key; each
//! was written once, by the format it is named after, and is never made again. A layout that changes gets a new file:
//! `SWITCHBOARD_WRITE_GOLDEN=redis-3.txt cargo nextest run --locked --test store -E 'test(golden)'`.

use std::sync::Arc;
use std::time::Duration;

use switchboard::store::redis::Partition;
use switchboard::store::{
    Alias, Caps, Committed, ContactId, Due, Failed, Ingested, Job, JobId, Keep, Merged, Nonce, Owner, Pace,
    Record, RedisStore, Resolved, SendOutcome, Status, StillClock, Store, StoreError, TurnCommit,
};

use crate::conformance::bed::{CHANNEL, LEASE, accepted, bot, message, person, timer, turn, words};
use crate::keys::{dump, file, load};
use crate::rig::Server;
use crate::shared::{open_on, try_on};
use crate::still_clock;

/// The numbers of a contact stand as text in its hash.
const FORMAT_1: &str = "redis-1.txt";
/// They stand packed.
const FORMAT_2: &str = "redis-2.txt";

/// Milliseconds from the start of the story to its end, where the clock stands when the records are read.
const TOLD_IN: i64 = 11_010;

const NONCE: Nonce = Nonce(0xfeed_beef_dead_c0de);

// As the records have them: how an id follows from an alias is a part of what is kept.
fn id(hex: &str) -> ContactId {
    hex.parse().unwrap()
}

/// In the middle of a conversation, with some of everything.
fn ana() -> ContactId {
    id("884eac04fcca83763bdd9d69498c1d73")
}

/// An event of his was put aside, and a person took over before the bot's answer left.
fn budi() -> ContactId {
    id("c7e8eb2daac35fff328a6edf45cb1971")
}

fn alias(number: u32) -> Alias {
    Alias(format!("phone:62811000000{number}"))
}

fn of(number: u32) -> ContactId {
    ContactId::of(CHANNEL, &alias(number))
}

/// Paused, and somebody else was merged into her.
fn citra() -> ContactId {
    of(13)
}

/// Was erased.
fn dewi() -> ContactId {
    of(14)
}

/// Became a part of Citra.
fn eka() -> ContactId {
    of(15)
}

/// Her worker died in the middle of a turn and of a message.
fn fitri() -> ContactId {
    of(16)
}

async fn known(store: &RedisStore, number: u32) -> ContactId {
    let resolved = store.resolve_alias(CHANNEL, &alias(number), &[]).await;
    resolved.unwrap().contact()
}

async fn said(store: &RedisStore, contact: ContactId, id: &str, words: &str) -> Ingested {
    let mut event = message(contact, id, words);
    event.said_at = Some(store.now());
    event.history = Some(format!("customer: {words}").into());
    store.ingest(&[event]).await.unwrap()[0]
}

async fn taken(store: &RedisStore, contact: ContactId, nonce: Nonce) -> TurnCommit {
    turn(&store.claim(contact, nonce, LEASE).await.unwrap().unwrap())
}

async fn commit(store: &RedisStore, turn: &TurnCommit) {
    assert_eq!(store.commit(turn).await.unwrap(), Committed::Done);
}

/// A store in which there is some of everything. Nothing in it is left to chance, so that it comes out the same each time.
async fn tell(store: &RedisStore, clock: &StillClock) {
    store.put_setting("erasure.key", &[7; 32]).await.unwrap();
    store.put_setting("live", b"program \0\x01").await.unwrap();
    store
        .quarantine(CHANNEL, b"{\xff\0 \"\n", "not JSON")
        .await
        .unwrap();

    let also = [Alias("bsuid:ID.ana".into())];
    let made = store.resolve_alias(CHANNEL, &alias(11), &also).await.unwrap();
    assert_eq!(made, Resolved::Created(ana()));
    said(store, ana(), "wamid.1", "hello").await;
    let mut first = taken(store, ana(), NONCE).await;
    first.session = Keep::Write(b"session \0\xff\xfe".to_vec());
    first.memory = Keep::Write(b"memory \0\xff\xfe".to_vec());
    first.history = vec![b"note".to_vec()];
    let ours = |n: u32| format!("{}.1.{n}", ana());
    first.outbox = vec![bot(&ours(0)), bot(&ours(1)), bot("late"), person("by hand")];
    first.outbox[2].not_before = Some("2026-11-21T09:00:00Z".parse().unwrap());
    first.set_timers = vec![timer("idle", "2026-11-21T08:05:00Z".parse().unwrap())];
    first.jobs = vec![Job {
        id: JobId("j1".into()),
        payload: b"job \xff".to_vec(),
        not_before: None,
    }];
    commit(store, &first).await;
    let send = store.send_claim(ana(), LEASE).await.unwrap().unwrap();
    let outcome = SendOutcome::Accepted {
        message_id: Some("wamid.ana.0".into()),
        pace: Some(Pace {
            every: Duration::from_secs(2),
            burst: 3,
        }),
    };
    assert!(store.send_done(&send, &outcome).await.unwrap());
    assert!(store.reconcile(CHANNEL, &status(2, "delivered")).await.unwrap());
    clock.shift(10);
    let send = store.send_claim(ana(), LEASE).await.unwrap().unwrap();
    let doubt = SendOutcome::Uncertain {
        until: "2026-11-21T08:01:00Z".parse().unwrap(),
        why: "no answer".into(),
    };
    assert!(store.send_done(&send, &doubt).await.unwrap());
    said(store, ana(), "wamid.2", "more").await;
    said(store, ana(), "wamid.3", "and \u{e9}\0").await;

    assert_eq!(known(store, 12).await, budi());
    said(store, budi(), "wamid.1", "poison").await;
    for nonce in 1..=3 {
        let claim = store.claim(budi(), Nonce(nonce), LEASE).await.unwrap().unwrap();
        let failed = store
            .fail(budi(), claim.fence, claim.nonce, "the engine gave up")
            .await;
        match failed.unwrap() {
            Failed::RetryAt(at) => {
                clock.shift(at.as_millisecond() - clock_millis(clock));
            }
            Failed::Parked(seq) => assert_eq!(seq, 1),
            Failed::Fenced => panic!("nobody else has it"),
        }
    }
    said(store, budi(), "wamid.2", "hm").await;
    let mut answer = taken(store, budi(), Nonce(4)).await;
    answer.outbox = vec![bot("budi.1"), person("budi.2")];
    commit(store, &answer).await;
    store.set_owner(budi(), Owner::Human).await.unwrap();
    said(store, budi(), "wamid.3", "a person, please").await;

    for number in [13, 15] {
        let contact = known(store, number).await;
        said(store, contact, "wamid.1", &format!("hello of {number}")).await;
    }
    assert_eq!(store.merge(eka(), citra()).await.unwrap(), Merged::Done);
    let until = "2026-11-21T08:30:00Z".parse().unwrap();
    store.set_owner(citra(), Owner::PausedUntil(until)).await.unwrap();

    assert_eq!(known(store, 14).await, dewi());
    said(store, dewi(), "wamid.1", "forget me").await;
    assert!(store.erase(dewi()).await.unwrap());

    let fitri = known(store, 16).await;
    said(store, fitri, "wamid.1", "hello").await;
    let mut first = taken(store, fitri, Nonce(5)).await;
    first.outbox = vec![bot("fitri.1")];
    commit(store, &first).await;
    said(store, fitri, "wamid.2", "are you there").await;
    taken(store, fitri, Nonce(6)).await;
    store.send_claim(fitri, LEASE).await.unwrap().unwrap();
}

fn clock_millis(clock: &StillClock) -> i64 {
    switchboard::store::Clock::now(clock).as_millisecond()
}

fn status(rank: u8, state: &str) -> Status {
    Status {
        message_id: "wamid.ana.0".into(),
        ours: None,
        rank,
        state: state.into(),
        error: None,
        pace: None,
    }
}

/// The clock stands where it stood when the records were written.
fn clock_at_the_end() -> Arc<StillClock> {
    let clock = still_clock();
    clock.shift(TOLD_IN);
    clock
}

/// Without it, what this version writes could drift away from the records that later versions are tried on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_this_version_writes_is_kept_as_golden_records() {
    let server = Server::plain();
    let clock = still_clock();
    let began = clock_millis(&clock);
    let store = open_on(&server, Caps::default(), clock.clone()).await;
    // Its own words are no part of the layout.
    server.must(&["HSET", "sb:meta", "written_by", "switchboard"]);
    tell(&store, &clock).await;
    let written: String = dump(&server).into_values().map(|line| line + "\n").collect();
    if let Ok(name) = std::env::var("SWITCHBOARD_WRITE_GOLDEN") {
        use std::io::Write;
        let mut new = std::fs::File::create_new(file(&name)).expect("golden records are never made again");
        new.write_all(b"# What tests/store/golden_redis.rs tells, as Redis has it: type, whether the key expires, key, what is in it.\n")
            .unwrap();
        new.write_all(written.as_bytes()).unwrap();
    }
    assert_eq!(clock_millis(&clock) - began, TOLD_IN);
    let golden = std::fs::read_to_string(file(FORMAT_2)).unwrap();
    let golden: Vec<&str> = golden.lines().skip(1).collect();
    pretty(&golden, &written.lines().collect::<Vec<_>>());
}

/// One line that differs says more than all of them.
#[track_caller]
fn pretty(golden: &[&str], written: &[&str]) {
    for (golden, written) in golden.iter().zip(written) {
        assert_eq!(
            golden, written,
            "the layout changed: keep {FORMAT_2} as it is, see that it is still read, and write a new file"
        );
    }
    assert_eq!(golden.len(), written.len(), "keys came or went");
}

fn at(time: &str) -> jiff::Timestamp {
    format!("2026-11-21T{time}Z").parse().unwrap()
}

/// Ana as an export has her.
fn ana_whole() -> serde_json::Value {
    let ours = |n: u32| format!("{}.1.{n}", ana());
    let base64 = |text: &str| serde_json::json!({ "base64": text });
    serde_json::json!({
        "contact": ana(), "channel": "number-one", "aliases": ["phone:6281100000011", "bsuid:ID.ana"], "merged": [],
        "owner": "bot", "takeovers": 0, "said_at": at("08:00:00.01"), "active_at": at("08:00:00.01"),
        "session": base64("c2Vzc2lvbiAA//4="), "memory": base64("bWVtb3J5IAD//g=="),
        "mailbox": [
            { "seq": 2, "at": at("08:00:00.01"), "payload": "more" },
            { "seq": 3, "at": at("08:00:00.01"), "payload": "and \u{e9}\0" },
        ],
        "last_seq": 3,
        "seen": [
            { "id": "wamid.1", "at": at("08:00:00") },
            { "id": "wamid.2", "at": at("08:00:00.01") },
            { "id": "wamid.3", "at": at("08:00:00.01") },
        ],
        "burst_at": at("08:00:00.01"), "run_at": at("08:00:00.01"), "rest_until": null,
        "fence": 1, "crashes": 0, "failures": 0, "ended": { "fence": 1, "nonce": NONCE.0, "how": "commit" },
        "outbox": [
            { "id": ours(1), "sender": "bot", "payload": format!("text of {}", ours(1)), "not_before": null,
              "ready_at": at("08:01:00"), "void": false, "attempts": 1, "uncertain": true, "doubts": 1 },
            { "id": "late", "sender": "bot", "payload": "text of late", "not_before": at("09:00:00"),
              "ready_at": at("09:00:00"), "void": false, "attempts": 0, "uncertain": false, "doubts": 0 },
            { "id": "by hand", "sender": "person", "payload": "text of by hand", "not_before": null,
              "ready_at": at("08:00:00"), "void": false, "attempts": 0, "uncertain": false, "doubts": 0 },
        ],
        "send_fence": 2, "sent_fence": 2, "pace": { "empty_at": at("08:00:02"), "until": at("07:59:58") },
        "thread": [
            line(1, "08:00:00", "customer: hello", None),
            line(2, "08:00:00", "note", None),
            { "seq": 3, "at": at("08:00:00"), "payload": format!("text of {}", ours(0)), "ours": ours(0),
              "state": "delivered", "message_id": "wamid.ana.0", "rank": 2 },
            line(4, "08:00:00", &format!("text of {}", ours(1)), Some((&ours(1), "uncertain: no answer"))),
            line(5, "08:00:00", "text of late", Some(("late", "queued"))),
            line(6, "08:00:00", "text of by hand", Some(("by hand", "queued"))),
            line(7, "08:00:00.01", "customer: more", None),
            line(8, "08:00:00.01", "customer: and \u{e9}\0", None),
        ],
        "lines": 8,
        "timers": [{ "id": "idle", "at": at("08:05:00"), "payload": "timer idle" }],
        "jobs": [{ "id": "j1", "at": at("08:00:00"), "payload": base64("am9iIP8="), "attempt": 0 }],
        "parked": [], "erased": false,
    })
}

fn line(seq: u64, time: &str, payload: &str, ours: Option<(&str, &str)>) -> serde_json::Value {
    serde_json::json!({
        "seq": seq, "at": at(time), "payload": payload, "ours": ours.map(|(id, _)| id),
        "state": ours.map(|(_, state)| state), "message_id": null, "rank": null,
    })
}

async fn states(store: &RedisStore, contact: ContactId) -> Vec<String> {
    let thread = store.history(contact, 100).await.unwrap();
    let told = thread.into_iter().filter_map(|line| line.status);
    told.map(|(id, state)| format!("{id} {state}")).collect()
}

/// Sends the head and gives its id, and whether an earlier try may have reached the provider.
async fn sends(store: &RedisStore, contact: ContactId) -> (String, bool) {
    let send = store.send_claim(contact, LEASE).await.unwrap().unwrap();
    assert!(store.send_done(&send, &accepted(&send.entry.id)).await.unwrap());
    (send.entry.id, send.uncertain)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_records_of_format_1_are_read_whole_and_go_on() {
    records_are_read_whole_and_go_on(FORMAT_1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_records_of_format_2_are_read_whole_and_go_on() {
    records_are_read_whole_and_go_on(FORMAT_2).await;
}

async fn records_are_read_whole_and_go_on(records: &str) {
    let server = Server::plain();
    load(&server, records);
    let mut loaded = dump(&server);
    let clock = clock_at_the_end();
    let store = open_on(&server, Caps::default(), clock.clone()).await;
    // Whoever works on it from here on must read what this version writes.
    let meta = dump(&server).remove("sb:meta").unwrap();
    assert!(meta.contains(r#""format" "2" "min_reader" "2""#), "{meta}");
    loaded.insert("sb:meta".into(), meta);

    // All of it is read.
    let known = store.peek(ana()).await.unwrap().unwrap();
    assert_eq!(known.session.as_deref(), Some(&b"session \0\xff\xfe"[..]));
    assert_eq!(known.memory.as_deref(), Some(&b"memory \0\xff\xfe"[..]));
    assert_eq!(words(&known), ["more", "and \u{e9}\0"]);
    let whole = store.whole(ana()).await.unwrap().unwrap();
    assert_eq!(serde_json::to_value(&whole).unwrap(), ana_whole());
    let parked = store.parked(10).await.unwrap();
    let told: Vec<_> = parked.iter().map(|one| (one.contact, one.seq, one.at)).collect();
    assert_eq!(told, [(budi(), 1, at("08:00:11.01"))]);
    assert_eq!(
        (parked[0].why.as_str(), parked[0].payload.as_slice()),
        ("the engine gave up", &b"poison"[..])
    );
    let unreadable = store.quarantined(10).await.unwrap();
    assert_eq!(unreadable.len(), 1);
    assert_eq!(
        (unreadable[0].raw.0.as_slice(), unreadable[0].why.as_str()),
        (&b"{\xff\0 \"\n"[..], "not JSON")
    );
    let live = store.setting("live").await.unwrap();
    assert_eq!(live.as_deref(), Some(&b"program \0\x01"[..]));
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.contacts, stats.waiting, stats.outbox), (4, 6, 6));
    assert_eq!((stats.timers, stats.jobs), (1, 1));
    assert_eq!((stats.parked, stats.parked_dropped, stats.quarantined), (1, 0, 1));
    assert_eq!(stats.oldest_due, Some(at("08:00:00.01")));
    assert_eq!(stats.oldest_send, Some(at("08:00:11.01")));
    let owners = [budi(), citra()].map(|contact| store.peek(contact));
    let owners = futures_util::future::join_all(owners).await;
    let owners: Vec<Owner> = owners
        .into_iter()
        .map(|one| one.unwrap().unwrap().owner)
        .collect();
    assert_eq!(owners, [Owner::Human, Owner::PausedUntil(at("08:30:00"))]);
    let page = store.export(None, 1_000).await.unwrap();
    let (mut records, mut next) = (page.records, page.next);
    while let Some(after) = next {
        let page = store.export(Some(&after), 1_000).await.unwrap();
        records.extend(page.records);
        next = page.next;
    }
    let mut kinds = [0; 4];
    for record in &records {
        kinds[match record {
            Record::Setting { .. } => 0,
            Record::Tombstone(_) => 1,
            Record::Quarantined(_) => 2,
            Record::Contact(_) => 3,
        }] += 1;
    }
    assert_eq!(kinds, [2, 1, 1, 4]);
    assert!(records.contains(&Record::Contact(Box::new(whole))));
    assert_eq!(dump(&server), loaded, "reading changes nothing");

    // What was seen, who was erased and who was merged is still known.
    let again = said(&store, ana(), "wamid.1", "hello").await;
    assert_eq!(again, Ingested::Duplicate);
    let mut last = turn(&known);
    (last.fence, last.nonce) = (known.fence, NONCE);
    assert_eq!(store.commit(&last).await.unwrap(), Committed::Already);
    assert!(store.peek(dewi()).await.unwrap().is_none());
    let again = said(&store, dewi(), "wamid.1", "forget me").await;
    assert_eq!(again, Ingested::Duplicate);
    assert!(store.peek(dewi()).await.unwrap().is_none());
    assert_eq!(said(&store, dewi(), "wamid.2", "new").await, Ingested::New(2));
    assert_eq!(said(&store, eka(), "wamid.9", "late").await, Ingested::New(3));
    let found = store.resolve_alias(CHANNEL, &alias(15), &[]).await.unwrap();
    assert_eq!(found, Resolved::Found(citra()));
    let found = store.resolve_alias(CHANNEL, &alias(11), &[]).await.unwrap();
    assert_eq!(found, Resolved::Found(ana()));

    go_on(&store, &clock).await;
}

/// What was waiting goes its way, in its order and at its time.
async fn go_on(store: &RedisStore, clock: &StillClock) {
    assert_eq!(store.due(Due::Run, 1).await.unwrap(), [ana()]);
    let mut next = taken(store, ana(), Nonce(7)).await;
    assert_eq!((next.fence.0, next.upto), (2, 3));
    next.session = Keep::Remove;
    next.outbox = vec![bot("new")];
    commit(store, &next).await;
    let job = store.job_claim(LEASE).await.unwrap().unwrap();
    assert_eq!(
        (job.contact, job.attempt, job.payload.as_slice()),
        (ana(), 1, &b"job \xff"[..])
    );
    assert!(store.job_done(&job, b"result".to_vec()).await.unwrap());
    assert!(store.reconcile(CHANNEL, &status(3, "read")).await.unwrap());
    assert!(store.send_claim(ana(), LEASE).await.unwrap().is_none());

    // A person has Budi's chat: what the bot had queued is dropped, what a person wrote leaves.
    assert_eq!(sends(store, budi()).await, ("budi.2".to_owned(), false));
    assert_eq!(
        states(store, budi()).await,
        ["budi.1 dropped: a person took over", "budi.2 accepted"]
    );
    let parked = store.parked(10).await.unwrap();
    assert!(store.unpark(&parked[0].id).await.unwrap());
    let claim = store.claim(budi(), Nonce(8), LEASE).await.unwrap().unwrap();
    assert_eq!(words(&claim), ["a person, please", "poison"]);

    // Fitri's worker held both until its leases ran out.
    assert!(store.claim(fitri(), Nonce(9), LEASE).await.unwrap().is_none());
    clock.advance(LEASE);
    let claim = store.claim(fitri(), Nonce(9), LEASE).await.unwrap().unwrap();
    assert_eq!((claim.fence.0, words(&claim)), (3, vec!["are you there".into()]));
    let send = store.send_claim(fitri(), LEASE).await.unwrap().unwrap();
    assert_eq!((send.attempt, send.uncertain, send.holder_died), (2, true, true));

    clock.advance(Duration::from_secs(30));
    let doubtful = format!("{}.1.1", ana());
    assert_eq!(sends(store, ana()).await, (doubtful.clone(), true));
    clock.advance(Duration::from_secs(300));
    assert_eq!(store.fire_due_timers(10).await.unwrap(), 1);
    let claim = store.claim(ana(), Nonce(10), LEASE).await.unwrap().unwrap();
    assert_eq!(words(&claim), ["result", "timer idle"]);
    assert_eq!(claim.session, None);
    assert!(
        store.send_claim(ana(), LEASE).await.unwrap().is_none(),
        "not before nine"
    );
    clock.advance(Duration::from_secs(3_600));
    for id in ["late", "by hand", "new"] {
        assert_eq!(sends(store, ana()).await, (id.to_owned(), false));
    }
    let first = format!("{}.1.0 read", ana());
    let second = format!("{doubtful} accepted");
    assert_eq!(
        states(store, ana()).await,
        [
            first.as_str(),
            &second,
            "late accepted",
            "by hand accepted",
            "new accepted"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn golden_records_with_a_contact_of_a_newer_schema_keep_it_as_it_is() {
    let server = Server::plain();
    load(&server, FORMAT_1);
    let clock = clock_at_the_end();
    let store = open_on(&server, Caps::default(), clock.clone()).await;
    let hash = format!("sb:{{{}}}:c:{}", Partition::of(ana()).tag(), ana());
    server.must(&["HSET", &hash, "v", "3"]);
    let of_ana = || {
        let mut all = dump(&server);
        all.retain(|key, _| key.ends_with(&ana().to_string()));
        all
    };
    let before = of_ana();
    assert_eq!(
        before.len(),
        7,
        "hash, body, mailbox, seen, outbox, thread, fates"
    );

    let send = store.send_claim(ana(), LEASE).await;
    clock.advance(Duration::from_secs(400));
    let refused = [
        ("peek", store.peek(ana()).await.err()),
        ("claim", store.claim(ana(), Nonce(7), LEASE).await.err()),
        (
            "ingest",
            store.ingest(&[message(ana(), "wamid.4", "x")]).await.err(),
        ),
        ("send, not due", send.err()),
        ("send", store.send_claim(ana(), LEASE).await.err()),
        ("owner", store.set_owner(ana(), Owner::Human).await.err()),
        ("history", store.history(ana(), 10).await.err()),
        ("job", store.job_claim(LEASE).await.err()),
        ("timer", store.fire_due_timers(10).await.err()),
        ("status", store.reconcile(CHANNEL, &status(3, "read")).await.err()),
        ("whole", store.whole(ana()).await.err()),
        ("erase", store.erase(ana()).await.err()),
        ("merge", store.merge(ana(), citra()).await.err()),
    ];
    for (step, why) in refused {
        let named = matches!(&why, Some(StoreError::Corrupt { key, .. }) if *key == hash);
        assert!(named, "{step}: {why:?}");
        assert_eq!(of_ana(), before, "{step}");
    }

    // The others go on, and she rests.
    assert!(!store.due(Due::Run, 10).await.unwrap().contains(&ana()));
    let citras = taken(&store, citra(), Nonce(8)).await;
    commit(&store, &citras).await;
    assert_eq!(sends(&store, budi()).await, ("budi.2".to_owned(), false));
    assert_eq!(sends(&store, fitri()).await, ("fitri.1".to_owned(), true));
    assert_eq!(of_ana(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn golden_records_that_only_a_newer_version_may_read_are_refused_and_not_touched() {
    let server = Server::plain();
    load(&server, FORMAT_1);
    server.must(&["HSET", "sb:meta", "format", "3", "min_reader", "3"]);
    let before = dump(&server);
    let refused = try_on(&server, Caps::default(), clock_at_the_end())
        .await
        .unwrap_err();
    assert!(
        matches!(refused, StoreError::Version { found: 3, max: 2 }),
        "{refused:?}"
    );
    assert_eq!(dump(&server), before);
}

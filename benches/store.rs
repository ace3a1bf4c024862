//! Durable turns a second on the embedded store, beside what SQLite does with one synced transaction a write.
//!
//! A turn is five synced steps: ingest, claim, commit (800 B of session, a message, a timer), send claim, send done.
//! One caller waits for five syncs a turn; many callers share them. Ratios hold on other machines, times do not.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use switchboard::store::{
    Alias, Caps, Ingest, Keep, Nonce, OutboxEntry, SendOutcome, Sender, SqliteStore, Store, SystemClock,
    TimerId, TurnCommit,
};

mod table;

const SPAN: Duration = Duration::from_secs(4);
const LEASE: Duration = Duration::from_secs(20);

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        // A test runner asks what tests there are: none.
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for the bench");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    table::head();
    // Before and after: the disk of a shared machine changes its mind.
    let raw_before = raw_writes(&folder.path().join("raw-before.db"));
    let one = runtime.block_on(turns(&folder.path().join("one.db"), 1));
    let many = runtime.block_on(turns(&folder.path().join("many.db"), 50));
    let raw_after = raw_writes(&folder.path().join("raw-after.db"));
    let raw = (raw_before + raw_after) / 2.0;

    let beside = format!("SQLite, one synced 800 B insert a transaction: {raw:.0}/s");
    let rate = |what: &str, turns: &Turns, bar: f64| {
        let ratio = turns.rate / raw;
        let measured = format!("{:.0} turns/s", turns.rate);
        let bar = format!(">= {:.0} turns/s", bar * raw);
        table::row(what, &measured, &bar, &format!("{ratio:.2}"), &beside);
    };
    // Five syncs one after the other: a fifth of the raw rate is the most there is.
    rate("durable turns, 1 caller", &one, 0.1);
    // Twice what callers who share no sync could reach together.
    rate("durable turns, 50 callers", &many, 0.4);
    for (what, turns) in [
        ("a turn's time, 1 caller", &one),
        ("a turn's time, 50 callers", &many),
    ] {
        let measured = format!("p50 {:.2} ms", turns.p50);
        table::row(
            what,
            &measured,
            "-",
            "-",
            &format!("p99 {:.2} ms, {} turns", turns.p99, turns.count),
        );
    }
    for (what, turns) in [
        ("ingest acknowledged, 1 caller", &one),
        ("ingest acknowledged, 50 callers", &many),
    ] {
        let measured = format!("p99 {:.2} ms", turns.ingest_p99);
        let ratio = format!("{:.2}", turns.ingest_p99 / 50.0);
        table::row(
            what,
            &measured,
            "<= 50 ms",
            &ratio,
            &format!("p50 {:.2} ms", turns.ingest_p50),
        );
    }
}

fn raw_writes(path: &Path) -> f64 {
    let db = rusqlite::Connection::open(path).expect("a database");
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE record (n INTEGER PRIMARY KEY, bytes BLOB)",
    )
    .expect("a table");
    let mut insert = db
        .prepare("INSERT INTO record (bytes) VALUES (?1)")
        .expect("a statement");
    let bytes = vec![b'r'; 800];
    let start = Instant::now();
    let mut writes = 0u32;
    while start.elapsed() < SPAN / 2 {
        insert.execute([&bytes]).expect("a write");
        writes += 1;
    }
    f64::from(writes) / start.elapsed().as_secs_f64()
}

struct Turns {
    rate: f64,
    count: usize,
    /// Milliseconds.
    p50: f64,
    p99: f64,
    ingest_p50: f64,
    ingest_p99: f64,
}

async fn turns(path: &Path, callers: u64) -> Turns {
    let store = SqliteStore::open(path, Caps::default(), Arc::new(SystemClock)).expect("a store");
    let store = Arc::new(store);
    let start = Instant::now();
    let callers: Vec<_> = (0..callers)
        .map(|caller| tokio::spawn(call(store.clone(), caller, start)))
        .collect();
    let (mut whole, mut ingests) = (Vec::new(), Vec::new());
    for caller in callers {
        let (turns, acknowledged) = caller.await.expect("a caller");
        whole.extend(turns);
        ingests.extend(acknowledged);
    }
    let took = start.elapsed().as_secs_f64();
    store.close().await.expect("closing");
    whole.sort();
    ingests.sort();
    Turns {
        rate: whole.len() as f64 / took,
        count: whole.len(),
        p50: share(&whole, 0.5),
        p99: share(&whole, 0.99),
        ingest_p50: share(&ingests, 0.5),
        ingest_p99: share(&ingests, 0.99),
    }
}

fn share(sorted: &[Duration], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3
}

async fn call(store: Arc<SqliteStore>, caller: u64, start: Instant) -> (Vec<Duration>, Vec<Duration>) {
    let alias = Alias(format!("phone:{caller}"));
    let contact = store
        .resolve_alias("bench", &alias, &[])
        .await
        .expect("a contact")
        .contact();
    let (mut turns, mut ingests) = (Vec::new(), Vec::new());
    for n in 0u64.. {
        if start.elapsed() >= SPAN {
            break;
        }
        let begun = Instant::now();
        let event = Ingest {
            channel: "bench".into(),
            contact,
            dedupe: format!("wamid.{caller}.{n}"),
            payload: vec![b'e'; 300],
            said_at: Some(store.now()),
            quiet: Duration::ZERO,
            quiet_max: Duration::ZERO,
            history: Some(vec![b'h'; 200]),
        };
        store.ingest(&[event]).await.expect("ingest");
        ingests.push(begun.elapsed());
        let claim = store
            .claim(contact, Nonce(n), LEASE)
            .await
            .expect("claim")
            .expect("the contact is due");
        let turn = TurnCommit {
            contact,
            fence: claim.fence,
            nonce: claim.nonce,
            upto: claim.events.last().map_or(0, |event| event.seq),
            session: Keep::Write(vec![b's'; 800]),
            memory: Keep::AsItIs,
            owner: None,
            outbox: vec![OutboxEntry {
                id: format!("{caller}.{n}.0"),
                sender: Sender::Bot,
                payload: vec![b'o'; 200],
                not_before: None,
            }],
            set_timers: vec![(
                TimerId("idle".into()),
                store.now() + SignedDuration::from_secs(300),
                vec![b't'; 50],
            )],
            cancel_timers: Vec::new(),
            jobs: Vec::new(),
            history: Vec::new(),
            quiet: Duration::ZERO,
        };
        store.commit(&turn).await.expect("commit");
        let send = store
            .send_claim(contact, LEASE)
            .await
            .expect("send claim")
            .expect("a message to send");
        let accepted = SendOutcome::Accepted {
            message_id: Some(format!("wamid.out.{caller}.{n}")),
            pace: None,
        };
        assert!(store.send_done(&send, &accepted).await.expect("send done"));
        turns.push(begun.elapsed());
    }
    (turns, ingests)
}

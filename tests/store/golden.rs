//! Stores that earlier versions wrote. Their files lie under `fixtures/records`; each was written once, by the version it
//! is named after, and is never made again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use switchboard::store::{
    Alias, Caps, Committed, ContactId, Due, Ingested, Keep, Nonce, Owner, Sender, SqliteStore, Status,
    StillClock, Store,
};

use crate::conformance::bed::{LEASE, accepted, message, turn, words};

/// Ana is in the middle of a conversation: a message to be tried again, a timer, a job, a burst. Of Budi an event was
/// put aside, and people have the chat.
const FORMAT_1: &str = "fixtures/records/store-format-1.db";

fn copy(of: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    std::fs::copy(of, &path).unwrap();
    (folder, path)
}

/// The clock stands where it stood when the file was written.
fn open(path: &Path) -> (SqliteStore, std::sync::Arc<StillClock>) {
    let clock = std::sync::Arc::new(StillClock::at("2026-11-21T08:00:30.010Z".parse().unwrap()));
    (
        SqliteStore::open(path, Caps::default(), clock.clone()).unwrap(),
        clock,
    )
}

fn ana() -> ContactId {
    "884eac04fcca83763bdd9d69498c1d73".parse().unwrap()
}

fn budi() -> ContactId {
    "c7e8eb2daac35fff328a6edf45cb1971".parse().unwrap()
}

#[tokio::test]
async fn a_store_of_format_1_is_read_whole_and_goes_on() {
    let (_folder, path) = copy(FORMAT_1);
    let (store, clock) = open(&path);
    let known = store.peek(ana()).await.unwrap().unwrap();
    let aliases = ["phone:6281100000011", "bsuid:ID.ana"].map(|alias| Alias(alias.into()));
    assert_eq!(
        (known.channel.as_str(), &known.aliases[..]),
        ("number-one", &aliases[..])
    );
    assert_eq!(known.session.as_deref(), Some(&b"session \0\xff\xfe"[..]));
    assert_eq!(known.memory.as_deref(), Some(&b"memory \0\xff\xfe"[..]));
    assert_eq!(words(&known), ["more"]);
    let thread = store.history(ana(), 100).await.unwrap();
    let states: Vec<_> = thread.iter().filter_map(|line| line.status.clone()).collect();
    let states: Vec<(&str, &str)> = states
        .iter()
        .map(|(id, state)| (id.as_str(), state.as_str()))
        .collect();
    assert_eq!(
        states,
        [
            ("ana.1.0", "delivered"),
            ("ana.1.1", "queued: too many messages"),
            ("ana.1.2", "queued"),
        ]
    );
    assert_eq!(thread[0].payload, b"customer: hello");

    // What was seen is still known, and the turn that ended last.
    let again = store.ingest(&[message(ana(), "wamid.1", "hello")]).await.unwrap();
    assert_eq!(again, [Ingested::Duplicate]);
    let mut last = turn(&known);
    last.fence = known.fence;
    last.nonce = Nonce(0xfeed_beef_dead_c0de);
    assert_eq!(store.commit(&last).await.unwrap(), Committed::Already);

    // And all of it goes on.
    assert_eq!(store.due(Due::Run, 10).await.unwrap(), [ana(), budi()]);
    let claim = store.claim(ana(), Nonce(1), LEASE).await.unwrap().unwrap();
    let mut next = turn(&claim);
    next.session = Keep::Remove;
    assert_eq!(store.commit(&next).await.unwrap(), Committed::Done);
    let job = store.job_claim(LEASE).await.unwrap().unwrap();
    assert_eq!((job.contact, job.payload.as_slice()), (ana(), &b"job \xff"[..]));
    assert!(store.job_done(&job, b"result".to_vec()).await.unwrap());
    assert!(store.send_claim(ana(), LEASE).await.unwrap().is_none());
    clock.advance(Duration::from_secs(300));
    assert_eq!(store.fire_due_timers(10).await.unwrap(), 1);
    for id in ["ana.1.1", "ana.1.2"] {
        let send = store.send_claim(ana(), LEASE).await.unwrap().unwrap();
        assert_eq!(send.entry.id, id);
        assert!(store.send_done(&send, &accepted(id)).await.unwrap());
    }
    let status = Status {
        message_id: "wamid.ana.1.0".into(),
        ours: None,
        rank: 3,
        state: "read".into(),
        error: None,
        pace: None,
    };
    assert!(store.reconcile("number-one", &status).await.unwrap());

    // Budi's people have the chat, so what the bot had queued is dropped.
    let known = store.peek(budi()).await.unwrap().unwrap();
    assert!(matches!(known.owner, Owner::PausedUntil(_)));
    assert_eq!(words(&known), ["hm"]);
    assert!(store.send_claim(budi(), LEASE).await.unwrap().is_none());
    let thread = store.history(budi(), 100).await.unwrap();
    let state = thread[0].status.as_ref().map(|(_, state)| state.as_str());
    assert_eq!(state, Some("dropped: a person took over"));
    assert_eq!(
        store.setting("live").await.unwrap().as_deref(),
        Some(&b"program \0\x01"[..])
    );
    assert_eq!(Sender::Bot, send_of_a_new_turn(&store, budi()).await);
}

/// A new turn works on an old contact: its message leaves once people gave the chat back.
async fn send_of_a_new_turn(store: &SqliteStore, contact: ContactId) -> Sender {
    store.set_owner(contact, Owner::Bot).await.unwrap();
    let claim = store.claim(contact, Nonce(2), LEASE).await.unwrap().unwrap();
    let mut next = turn(&claim);
    next.outbox = vec![crate::conformance::bed::bot("new")];
    assert_eq!(store.commit(&next).await.unwrap(), Committed::Done);
    store
        .send_claim(contact, LEASE)
        .await
        .unwrap()
        .unwrap()
        .entry
        .sender
}

/// The statements of format 1 that name what they touch still do their work: the version before can be put back.
#[tokio::test]
async fn the_version_before_can_be_put_back_on_an_upgraded_store() {
    let (_folder, path) = copy(FORMAT_1);
    open(&path).0.close().await.unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    let number = |key: &str| -> u32 {
        db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
            .unwrap()
    };
    assert_eq!((number("format"), number("min_reader")), (2, 1));
    db.execute_batch(
        "INSERT INTO contact (id, channel, active_at) VALUES (x'00112233445566778899aabbccddeeff', 'number-one', 7);
         INSERT INTO parked (contact, seq, at, payload, why)
            VALUES (x'00112233445566778899aabbccddeeff', 1, 7, x'00ff', 'by format 1');
         INSERT INTO quarantine (at, channel, raw, why) VALUES (7, 'number-one', x'00ff', 'by format 1');",
    )
    .unwrap();
    drop(db);
    let (store, _) = open(&path);
    let contact = "00112233445566778899aabbccddeeff".parse().unwrap();
    assert!(store.peek(contact).await.unwrap().is_some());
    store.ingest(&[message(contact, "1", "hello")]).await.unwrap();
}

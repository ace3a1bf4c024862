//! The embedded store and its file: full disks, files of others, newer versions, and the stock tool.

use std::path::Path;
use std::sync::Arc;

use switchboard::store::{Alias, Caps, Ingested, Keep, SqliteStore, Store, StoreError};

use crate::conformance::bed::{LEASE, message, turn};
use crate::still_clock;

fn open(path: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(path, Caps::default(), still_clock())
}

fn pages(path: &Path) -> u32 {
    let db = rusqlite::Connection::open(path).unwrap();
    db.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_new_events_keeps_the_old_and_recovers_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = Arc::new(open(&path).unwrap());
    let contact = store
        .resolve_alias("one", &Alias("phone:ana".into()), &[])
        .await
        .unwrap()
        .contact();
    store.limit_pages(Some(pages(&path) + 50)).await.unwrap();
    let big = move |n: usize| {
        let mut event = message(contact, &n.to_string(), "");
        event.payload = vec![b'x'; 20_000];
        event
    };
    // Many at once, so that one batch holds some that fit and some that do not.
    let calls: Vec<_> = (0..40)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { (n, store.ingest(&[big(n)]).await) })
        })
        .collect();
    let (mut kept, mut refused) = (Vec::new(), Vec::new());
    for call in calls {
        match call.await.unwrap() {
            (n, Ok(outcome)) => {
                assert!(matches!(outcome[0], Ingested::New(_)));
                kept.push(n);
            }
            (n, Err(StoreError::Full(_))) => refused.push(n),
            (n, Err(other)) => panic!("{n}: {other:?}"),
        }
    }
    assert!(!kept.is_empty() && !refused.is_empty(), "{kept:?} {refused:?}");
    let known = store.peek(contact).await.unwrap().unwrap();
    assert_eq!(
        known.events.len(),
        kept.len(),
        "all that was acknowledged, nothing that was refused"
    );

    // Work goes on: a turn takes events out and so makes room.
    let claim = store
        .claim(contact, switchboard::store::Nonce(1), LEASE)
        .await
        .unwrap()
        .unwrap();
    let mut turn = turn(&claim);
    turn.session = Keep::Write(vec![b's'; 1_000]);
    assert_eq!(
        store.commit(&turn).await.unwrap(),
        switchboard::store::Committed::Done
    );
    assert!(matches!(
        store.ingest(&[big(refused[0])]).await.unwrap()[0],
        Ingested::New(_)
    ));

    // Room on the disk: the refused are delivered again, the kept are known.
    store.limit_pages(None).await.unwrap();
    for n in &refused[1..] {
        assert!(matches!(
            store.ingest(&[big(*n)]).await.unwrap()[0],
            Ingested::New(_)
        ));
    }
    for n in kept {
        assert_eq!(store.ingest(&[big(n)]).await.unwrap()[0], Ingested::Duplicate);
    }
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    open(&path).unwrap().close().await.unwrap();
    let set = |format: u32, min_reader: u32| {
        let db = rusqlite::Connection::open(&path).unwrap();
        db.execute("UPDATE meta SET value = ?1 WHERE key = 'format'", [format])
            .unwrap();
        db.execute(
            "UPDATE meta SET value = ?1 WHERE key = 'min_reader'",
            [min_reader],
        )
        .unwrap();
        db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    };
    set(9, 8);
    let before = std::fs::read(&path).unwrap();
    let refused = open(&path).unwrap_err();
    assert!(
        matches!(refused, StoreError::Version { found: 9, max: 2 }),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("Start the newer version"));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    // A newer one that says this version can still read it.
    set(3, 1);
    open(&path).unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_store_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(
        &text,
        "this is not a database, it is a list of things to do ".repeat(40),
    )
    .unwrap();
    let other = folder.path().join("other.db");
    rusqlite::Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE songs (title TEXT)")
        .unwrap();
    let meta = folder.path().join("meta.db");
    rusqlite::Connection::open(&meta)
        .unwrap()
        .execute_batch("CREATE TABLE meta (title TEXT)")
        .unwrap();
    for path in [text, other, meta] {
        let before = std::fs::read(&path).unwrap();
        let refused = open(&path).unwrap_err();
        assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused:?}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
    let nowhere = open(&folder.path().join("no such folder/store.db")).unwrap_err();
    assert!(
        matches!(&nowhere, StoreError::Unavailable(why) if why.contains("no such folder")),
        "{nowhere:?}"
    );
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_named_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path).unwrap();
    let mut contacts = Vec::new();
    for name in ["ana", "budi"] {
        let alias = Alias(format!("phone:{name}"));
        contacts.push(store.resolve_alias("one", &alias, &[]).await.unwrap().contact());
    }
    let db = rusqlite::Connection::open(&path).unwrap();
    let broken = db.execute(
        "UPDATE contact SET owner = 'nobody' WHERE id = ?1",
        [contacts[0].0],
    );
    assert_eq!(broken.unwrap(), 1);
    let refused = store
        .ingest(&[message(contacts[0], "1", "hello")])
        .await
        .unwrap_err();
    let named = matches!(&refused, StoreError::Corrupt { key, .. } if key.contains(&contacts[0].to_string()));
    assert!(named, "{refused:?}");
    store.ingest(&[message(contacts[1], "1", "hello")]).await.unwrap();
}

#[tokio::test]
async fn a_contact_whose_row_cannot_be_read_rests_and_does_not_stand_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let clock = still_clock();
    let store = SqliteStore::open(&path, Caps::default(), clock.clone()).unwrap();
    let mut contacts = Vec::new();
    for name in ["ana", "budi"] {
        let alias = Alias(format!("phone:{name}"));
        let contact = store.resolve_alias("one", &alias, &[]).await.unwrap().contact();
        store.ingest(&[message(contact, "1", "hello")]).await.unwrap();
        contacts.push(contact);
    }
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute(
        "UPDATE contact SET owner = 'nobody' WHERE id = ?1",
        [contacts[0].0],
    )
    .unwrap();
    let nonce = switchboard::store::Nonce(1);
    let refused = store.claim(contacts[0], nonce, LEASE).await.unwrap_err();
    let named = matches!(&refused, StoreError::Corrupt { key, .. } if key.contains(&contacts[0].to_string()));
    assert!(named, "{refused:?}");
    let due = async || store.due(switchboard::store::Due::Run, 10).await.unwrap();
    assert_eq!(due().await, [contacts[1]]);
    clock.shift(60_000);
    assert_eq!(due().await.len(), 2, "it is looked at again");
    db.execute("UPDATE contact SET owner = 'bot' WHERE id = ?1", [contacts[0].0])
        .unwrap();
    assert!(store.claim(contacts[0], nonce, LEASE).await.unwrap().is_some());
}

/// While the store runs, as a person with the `sqlite3` tool would.
#[tokio::test]
async fn the_records_can_be_read_from_outside_while_the_store_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path).unwrap();
    let contact = store
        .resolve_alias("one", &Alias("phone:ana".into()), &[])
        .await
        .unwrap()
        .contact();
    store.ingest(&[message(contact, "1", "hello")]).await.unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    let seen: (String, String) = db
        .query_row(
            "SELECT lower(hex(contact)), CAST(payload AS TEXT) FROM event",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(seen, (contact.to_string(), "hello".to_owned()));
    let mode: String = db.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_another_program_holds_the_file_calls_are_refused_and_then_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = Arc::new(open(&path).unwrap());
    let contact = store
        .resolve_alias("one", &Alias("phone:ana".into()), &[])
        .await
        .unwrap()
        .contact();
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    let calls: Vec<_> = (0..50)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.ingest(&[message(contact, &n.to_string(), "hello")]).await })
        })
        .collect();
    for call in calls {
        let refused = call.await.unwrap().unwrap_err();
        let said = matches!(&refused, StoreError::Unavailable(why) if why.contains("another program"));
        assert!(said, "{refused:?}");
    }
    assert!(
        store.peek(contact).await.unwrap().unwrap().events.is_empty(),
        "reading goes on"
    );
    db.execute_batch("ROLLBACK").unwrap();
    assert_eq!(
        store.ingest(&[message(contact, "1", "hello")]).await.unwrap()[0],
        Ingested::New(1)
    );
}

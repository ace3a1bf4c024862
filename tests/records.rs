//! The commands that work on a store without a server: records out and in, contacts, and what was put aside.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use assert_cmd::Command;
use serde_json::Value;
use switchboard::store::{Alias, Caps, ContactId, Ingest, Nonce, SqliteStore, StillClock, Store};

fn said(contact: ContactId, id: &str, payload: &[u8]) -> Ingest {
    Ingest {
        channel: "main".into(),
        contact,
        dedupe: id.into(),
        payload: payload.to_vec(),
        said_at: None,
        quiet: Duration::ZERO,
        quiet_max: Duration::ZERO,
        history: Some(payload.to_vec()),
    }
}

/// A store with two customers; of the first one an event was put aside.
async fn make(path: &Path) -> [ContactId; 2] {
    // Long ago, so that everything is due now.
    let clock = Arc::new(StillClock::at("2026-01-01T08:00:00Z".parse().unwrap()));
    let store = SqliteStore::open(path, Caps::default(), clock.clone()).unwrap();
    let mut contacts = Vec::new();
    for (name, payload) in [
        ("6281100000011", &b"{\"text\": \"hello\"}"[..]),
        ("6281100000012", b"nul \0 and \xff"),
    ] {
        let alias = Alias(format!("phone:{name}"));
        let contact = store.resolve_alias("main", &alias, &[]).await.unwrap().contact();
        store.ingest(&[said(contact, "1", payload)]).await.unwrap();
        contacts.push(contact);
    }
    for nonce in 0..3 {
        let claim = store
            .claim(contacts[0], Nonce(nonce), Duration::from_secs(20))
            .await
            .unwrap()
            .unwrap();
        store
            .fail(contacts[0], claim.fence, claim.nonce, "the engine gave up")
            .await
            .unwrap();
        clock.advance(Duration::from_secs(10));
    }
    store.quarantine("main", b"{\xff", "not JSON").await.unwrap();
    store.close().await.unwrap();
    contacts.try_into().unwrap()
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it printed, and its exit code.
    fn run(&self, store: &str, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        let done = command
            .current_dir(self.folder.path())
            .args(arguments)
            .arg("--store")
            .arg(format!("sqlite:{store}"))
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
    }

    fn good(&self, store: &str, arguments: &[&str]) -> String {
        let (code, out, err) = self.run(store, arguments);
        assert_eq!(code, 0, "{arguments:?}: {out}{err}");
        out
    }

    fn json(&self, store: &str, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.good(store, arguments)).unwrap()
    }
}

#[tokio::test]
async fn an_export_is_imported_byte_by_byte_and_once() {
    let place = Place::new();
    make(&place.path("one.db")).await;
    place.good("one.db", &["store", "export", "all.jsonl"]);
    let exported = std::fs::read_to_string(place.path("all.jsonl")).unwrap();
    assert_eq!(place.good("one.db", &["store", "export", "-"]), exported);
    let lines: Vec<&str> = exported.lines().collect();
    assert_eq!(
        lines.len(),
        5,
        "head, something unreadable, two contacts, end: {exported}"
    );
    assert!(lines[0].contains("\"switchboard_records\":1"), "{}", lines[0]);

    let done = place.json("two.db", &["store", "import", "all.jsonl", "--format", "json"]);
    assert_eq!((&done["written"], &done["same"]), (&3.into(), &0.into()));
    assert_eq!(place.good("two.db", &["store", "export", "-"]), exported);
    let again = place.json("two.db", &["store", "import", "all.jsonl", "--format", "json"]);
    assert_eq!((&again["written"], &again["same"]), (&0.into(), &3.into()));
}

#[tokio::test]
async fn a_file_that_is_cut_newer_or_none_is_refused_with_what_to_do() {
    let place = Place::new();
    make(&place.path("one.db")).await;
    place.good("one.db", &["store", "export", "all.jsonl"]);
    let exported = std::fs::read_to_string(place.path("all.jsonl")).unwrap();
    let cut: String = exported.split_inclusive('\n').take(3).collect();
    let newer = exported.replacen("\"switchboard_records\":1", "\"switchboard_records\":9", 1);
    let cases = [
        ("cut", cut.as_str(), "ends early"),
        ("newer", newer.as_str(), "newer Switchboard"),
        ("none", "hello\n", "no export of a store"),
    ];
    for (name, text, says) in cases {
        std::fs::write(place.path(name), text).unwrap();
        let (code, _, err) = place.run("two.db", &["store", "import", name]);
        assert!(code == 2 || code == 3, "{code}");
        assert!(err.contains(says), "{err}");
    }
    // Once the whole file is there, what was imported is passed over.
    let done = place.json("two.db", &["store", "import", "all.jsonl", "--format", "json"]);
    assert_eq!((&done["written"], &done["same"]), (&1.into(), &2.into()));
}

#[tokio::test]
async fn a_store_that_is_in_use_or_not_there_is_left_alone() {
    let place = Place::new();
    make(&place.path("one.db")).await;
    let clock = Arc::new(StillClock::at("2026-01-01T08:00:00Z".parse().unwrap()));
    let held = SqliteStore::open(place.path("one.db"), Caps::default(), clock).unwrap();
    let (code, _, err) = place.run("one.db", &["store", "export", "all.jsonl"]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("in use") && err.contains("HTTP API"), "{err}");
    assert!(!place.path("all.jsonl").exists());
    held.close().await.unwrap();
    let (code, _, err) = place.run("nowhere.db", &["contact", "list"]);
    assert!(code == 2 && err.contains("there is no store"), "{err}");
    assert!(!place.path("nowhere.db").exists());
    let (code, _, err) = place.run("one.db", &["contact", "list", "--store", "mysql:x"]);
    assert_eq!(code, 2, "{err}");
}

#[tokio::test]
async fn contacts_are_listed_masked_shown_exported_merged_and_erased() {
    let place = Place::new();
    let [ana, budi] = make(&place.path("one.db")).await.map(|id| id.to_string());
    let list = place.good("one.db", &["contact", "list"]);
    assert!(list.contains(&ana) && list.contains("phone:•••012"), "{list}");
    assert!(!list.contains("6281100000012"), "{list}");
    let shown = place.json(
        "one.db",
        &["contact", "show", "+6281100000012", "--format", "json"],
    );
    assert_eq!(
        (&shown["contact"], &shown["waiting"]),
        (&budi.as_str().into(), &1.into())
    );
    let (code, _, err) = place.run("one.db", &["contact", "show", "+6281100000099"]);
    assert!(code == 1 && err.contains("there is no contact"), "{err}");

    let whole = place.json("one.db", &["contact", "export", "phone:6281100000011"]);
    assert_eq!(
        whole["thread"][0]["payload"]["text"], "hello",
        "readable: {whole}"
    );
    place.good("one.db", &["contact", "merge", &budi, &ana]);
    assert!(
        place
            .good("one.db", &["contact", "merge", &budi, &ana])
            .contains("already")
    );
    let merged = place.json("one.db", &["contact", "export", &ana]);
    assert_eq!(merged["aliases"].as_array().unwrap().len(), 2);
    assert_eq!(
        merged["mailbox"][0]["payload"]["base64"], "bnVsIAAgYW5kIP8=",
        "{merged}"
    );

    let (code, _, err) = place.run("one.db", &["contact", "erase", &ana]);
    assert!(code == 2 && err.contains("--yes"), "{err}");
    place.good("one.db", &["contact", "erase", &ana, "--yes"]);
    assert_eq!(
        place.json("one.db", &["contact", "list", "--format", "json"]),
        serde_json::json!([])
    );
    // Not a trace in the file, either.
    let file = std::fs::read(place.path("one.db")).unwrap();
    for trace in [&b"6281100000011"[..], b"6281100000012", b"hello", b"nul \0 and"] {
        assert!(!file.windows(trace.len()).any(|window| window == trace));
    }
}

#[tokio::test]
async fn what_was_put_aside_is_listed_shown_brought_back_and_forgotten() {
    let place = Place::new();
    let [ana, _] = make(&place.path("one.db")).await;
    let id = format!("{ana}.1");
    let list = place.good("one.db", &["dead", "list"]);
    assert!(
        list.contains(&id) && list.contains("the engine gave up") && list.contains("not JSON"),
        "{list}"
    );
    assert!(
        !list.contains("hello"),
        "a list shows no words of customers: {list}"
    );
    let shown = place.json("one.db", &["dead", "show", &id]);
    assert_eq!(shown["content"]["text"], "hello");
    place.good("one.db", &["dead", "unpark", &id]);
    let (code, _, err) = place.run("one.db", &["dead", "unpark", &id]);
    assert!(code == 1 && err.contains("put aside"), "{err}");
    let rest = place.json("one.db", &["dead", "list", "--format", "json"]);
    let unreadable = rest[0]["id"].as_str().unwrap();
    let (code, _, err) = place.run("one.db", &["dead", "unpark", unreadable]);
    assert!(code == 2 && err.contains("could not be read"), "{err}");
    place.good("one.db", &["dead", "discard", unreadable]);
    assert_eq!(
        place.json("one.db", &["dead", "list", "--format", "json"]),
        serde_json::json!([])
    );
    let shown = place.json(
        "one.db",
        &["contact", "show", "+6281100000011", "--format", "json"],
    );
    assert_eq!(shown["waiting"], 1);
}

#[test]
fn an_export_of_the_first_version_of_the_format_is_imported() {
    let place = Place::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/records/export-1.jsonl");
    let file = golden.to_str().unwrap();
    place.good("one.db", &["store", "import", file]);
    let exported = place.good("one.db", &["store", "export", "-"]);
    // The head names the version that wrote it.
    let records = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        records(&exported),
        records(&std::fs::read_to_string(&golden).unwrap())
    );
}

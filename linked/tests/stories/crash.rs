//! Ends of the process, planned and not: what was acknowledged is told, and told once.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::rig::{Companion, LIMIT, Rig, SARI};

/// Kills the companion where it is held with a message in its hands, starts it again, and counts the entries.
async fn killed_while_held(point: &'static str) {
    let mut rig = Rig::linked().await;
    rig.exchange("Hi", "Hello!").await;
    assert_eq!(rig.companion.end(), Some(0));
    let marker = rig.data.path().join("held");
    let set = [
        ("LINKED_HOLD_AT", point),
        ("LINKED_HOLD_MARKER", marker.to_str().unwrap()),
    ];
    rig.companion = Companion::start(&rig.folder(), &rig.stand_in, &set);
    rig.until("connected").await;
    let sari = rig.stand_in.customer(SARI, "Sari").await.unwrap();
    sari.says("Did you get this?").await.unwrap();
    let begun = Instant::now();
    while !marker.exists() {
        assert!(begun.elapsed() < LIMIT, "nobody was held at {point}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(
        rig.stand_in.unconfirmed().await,
        1,
        "nothing is acknowledged before it is kept"
    );
    rig.companion.kill();

    rig.companion = Companion::start(&rig.folder(), &rig.stand_in, &[]);
    rig.ear.hears_text("Did you get this?").await;
    rig.until("connected").await;
    // One more exchange, so that a second telling would have come before it.
    rig.exchange("Hello?", "I did.").await;
    let told = rig.ear.all("message.any");
    let told: Vec<_> = told
        .iter()
        .filter(|event| event["payload"]["body"] == "Did you get this?")
        .collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(rig.stand_in.unconfirmed().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_commit_the_message_comes_again_and_is_told_once() {
    killed_while_held("before-commit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_commit_and_the_ack_the_message_is_told_once() {
    killed_while_held("after-commit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_nobody_takes_are_kept_and_told_after_in_order() {
    let mut rig = Rig::linked().await;
    rig.ear.be_deaf(true);
    let sari = rig.stand_in.customer(SARI, "Sari").await.unwrap();
    for text in ["one", "two", "three"] {
        sari.says(text).await.unwrap();
    }
    rig.until_that("three that wait", |session| {
        session["link"]["health"]["backlog"]
            .as_i64()
            .is_some_and(|count| count >= 3)
    })
    .await;
    rig.companion.kill();
    rig.ear.be_deaf(false);
    rig.companion = Companion::start(&rig.folder(), &rig.stand_in, &[]);
    rig.ear.hears_text("three").await;
    let told: Vec<_> = rig
        .ear
        .all("message.any")
        .iter()
        .map(|event| event["payload"]["body"].clone())
        .collect();
    assert_eq!(told, [json!("one"), json!("two"), json!("three")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_with_the_login_in_the_file() {
    let mut rig = Rig::linked().await;
    rig.exchange("Hi", "Hello!").await;
    let before = rig.stand_in.counted().await;
    assert_eq!(rig.companion.end(), Some(0), "it ends in good order");
    let sari = rig.stand_in.customer(SARI, "Sari").await.unwrap();
    sari.says("Written while you were away").await.unwrap();
    rig.companion = Companion::start(&rig.folder(), &rig.stand_in, &[]);
    rig.ear.hears_text("Written while you were away").await;
    let session = rig.until("connected").await;
    assert_eq!(session["link"]["generation"], 1);
    let after = rig.stand_in.counted().await;
    assert_eq!(
        (after.logins - before.logins, after.resumed - before.resumed),
        (1, 1)
    );
    rig.exchange("Back?", "Back.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_holder_of_a_session_is_refused_and_the_first_goes_on() {
    let rig = Rig::linked().await;
    let output = tokio::task::spawn_blocking({
        let mut second = Companion::command(&rig.folder(), &rig.stand_in);
        move || second.output().unwrap()
    })
    .await
    .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("\"main\"") && said.contains("is held by another process"),
        "{said}"
    );
    rig.exchange("Hi", "Hello!").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_somebody_deleted_are_missed_in_words_and_no_code_shows_itself() {
    let mut rig = Rig::linked().await;
    assert_eq!(rig.companion.end(), Some(0));
    for name in ["keys-1.db", "keys-1.db-wal", "keys-1.db-shm"] {
        // The side files are there or not.
        let _ = std::fs::remove_file(rig.folder().join("main").join(name));
    }
    rig.companion = Companion::start(&rig.folder(), &rig.stand_in, &[]);
    let out = rig.until("logged_out").await;
    assert!(
        out["link"]["reason"].as_str().unwrap().contains("keys is gone"),
        "{out}"
    );
    assert!(out["me"].is_null());
    rig.start_session().await;
    rig.link().await;
    assert_eq!(rig.session().await["link"]["generation"], 2);
}

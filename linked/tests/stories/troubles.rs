//! What can go wrong with a connection, row by row of the table of states: each ends in a named state with its reason and
//! the next step, and none in a storm of attempts.

use std::time::Duration;

use linked_fake::LoginAnswer;
use serde_json::json;

use crate::rig::{LIMIT, Rig, SARI};

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_of_an_old_code_links_nothing() {
    let rig = Rig::start().await;
    let phone = rig.stand_in.phone();
    let old = rig.code().await;
    let (status, _) = rig.post("/api/sessions/main/restart", json!({})).await;
    assert_eq!(status, 201);
    rig.until_that("another code", |session| {
        session["link"]["state"] == "awaiting_scan"
    })
    .await;
    rig.stand_in
        .until(LIMIT, "the end of the first connection", |counted| {
            counted.ended == 1
        })
        .await
        .unwrap();
    // The server does not know the old code's reference any more.
    let refused = phone.scan(&old).await.unwrap_err().to_string();
    assert!(refused.contains("expired"), "{refused}");
    rig.link().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_vouched_for_with_another_codes_secret_is_refused_and_the_code_stays_up() {
    let rig = Rig::start().await;
    let phone = rig.stand_in.phone();
    let code = rig.code().await;
    let mut fields: Vec<&str> = code.split(',').collect();
    fields[3] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    phone.scan(&fields.join(",")).await.unwrap();
    rig.until_that("a refused scan", |session| {
        session["link"]["state"] == "awaiting_scan"
            && session["link"]["reason"]
                .as_str()
                .is_some_and(|reason| reason.contains("refused"))
    })
    .await;
    rig.stand_in
        .until(LIMIT, "a refusal", |counted| counted.pair_refusals == 1)
        .await
        .unwrap();
    phone.scan(&code).await.unwrap();
    rig.until("connected").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_names_its_end_and_is_not_tried_before_it() {
    let rig = Rig::linked().await;
    rig.stand_in
        .answer_logins(LoginAnswer::BannedFor {
            seconds: 3600,
            code: 101,
        })
        .await;
    rig.stand_in.drop_connection().await;
    let banned = rig.until("banned").await;
    assert_eq!(banned["status"], "FAILED");
    assert!(banned["link"]["until"].is_string(), "{banned}");
    let connections = rig.stand_in.counted().await.connections;
    let (_, stopped) = rig.post("/api/sessions/main/stop", json!({})).await;
    assert_eq!(stopped["link"]["state"], "banned", "a stop is no way around it");
    let (status, refused) = rig.post("/api/sessions/main/start", json!({})).await;
    assert_eq!(status, 422);
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("banned this number until"),
        "{refused}"
    );
    assert_eq!(rig.stand_in.counted().await.connections, connections);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_account_is_logged_out_and_says_so() {
    let rig = Rig::linked().await;
    rig.stand_in.answer_logins(LoginAnswer::Locked).await;
    rig.stand_in.drop_connection().await;
    let out = rig.until("logged_out").await;
    assert!(
        out["link"]["reason"].as_str().unwrap().contains("locked"),
        "{out}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_refused_is_refreshed_once_and_then_needs_a_person() {
    let rig = Rig::linked().await;
    rig.stand_in.answer_logins(LoginAnswer::Outdated).await;
    let before = rig.stand_in.counted().await.connections;
    rig.stand_in.drop_connection().await;
    let outdated = rig.until("outdated").await;
    assert!(
        outdated["link"]["next_action"]
            .as_str()
            .unwrap()
            .contains("newer"),
        "{outdated}"
    );
    assert_eq!(
        rig.stand_in.counted().await.connections,
        before + 2,
        "once, and once more"
    );
    // The login is kept: with a version that is taken it goes on.
    rig.stand_in.answer_logins(LoginAnswer::Success).await;
    rig.start_session().await;
    rig.until("connected").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_busy_or_restarting_is_waited_for() {
    for answer in [LoginAnswer::Unavailable, LoginAnswer::TooMany] {
        let rig = Rig::linked().await;
        rig.stand_in.answer_logins(answer.clone()).await;
        rig.stand_in.end_stream().await;
        rig.until("reconnecting").await;
        if answer == LoginAnswer::Unavailable {
            rig.until("connected").await;
        } else {
            // After 429 the pause is long on purpose; that it is one is what matters.
            rig.stand_in
                .until(LIMIT, "a second connection", |counted| counted.connections >= 3)
                .await
                .unwrap();
            assert_eq!(rig.session().await["status"], "STARTING");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_reached_is_named_after_three_attempts() {
    let rig = Rig::linked().await;
    rig.stand_in.refuse_connections(4).await;
    rig.stand_in.drop_connection().await;
    let session = rig
        .until_that("unreachable", |session| {
            session["link"]["attempt"]
                .as_u64()
                .is_some_and(|attempt| attempt >= 2)
        })
        .await;
    assert_eq!(session["link"]["state"], "reconnecting");
    assert!(
        session["link"]["reason"]
            .as_str()
            .unwrap()
            .starts_with("cannot reach WhatsApp"),
        "{session}"
    );
    assert!(session["link"]["next_at"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_unlinks_in_mid_send_leaves_a_named_state_and_a_message_nobody_is_sure_of() {
    let rig = Rig::linked().await;
    rig.exchange("Hi", "Hello!").await;
    rig.stand_in.swallow_next_message().await;
    let chat = format!("{SARI}@c.us");
    let (sent, ()) = tokio::join!(rig.try_say(&chat, "Are you there?"), async {
        // It has left our hands, the server says nothing, and then the device is gone.
        let swallowed = rig
            .stand_in
            .until(LIMIT, "the message", |counted| counted.swallowed == 1);
        swallowed.await.unwrap();
        rig.stand_in.phone().unlink().await;
    });
    let (status, answer) = sent;
    assert_eq!(status, 504, "{answer}");
    assert!(
        answer["message"].as_str().unwrap().contains("nobody knows"),
        "{answer}"
    );
    let id = answer["id"].as_str().unwrap();
    let (status, message) = rig.get(&format!("/api/main/chats/{chat}/messages/{id}")).await;
    assert_eq!((status, &message["ack"]), (200, &json!(0)));
    rig.until("logged_out").await;
    let (status, answer) = rig.try_say(&format!("{SARI}@c.us"), "Kept for later").await;
    assert_eq!((status, &answer["status"]), (422, &json!("FAILED")));
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_engine_disconnects_keeps_the_login_and_answers_after() {
    let rig = Rig::linked().await;
    rig.exchange("Hi", "Hello!").await;
    let (_, session) = rig.post("/api/sessions/main/stop", json!({})).await;
    assert_eq!(session["status"], "STOPPED");
    assert!(session["me"].is_object(), "the login stays: {session}");
    rig.stand_in.until_offline(LIMIT).await.unwrap();
    assert!(rig.stand_in.phone().is_linked().await);
    assert_eq!(rig.stand_in.counted().await.unlink_requests, 0);
    let sari = rig.stand_in.customer(SARI, "Sari").await.unwrap();
    sari.says("Nobody there?").await.unwrap();
    let (status, _) = rig.try_say(&format!("{SARI}@c.us"), "Not now").await;
    assert_eq!(status, 422);
    rig.start_session().await;
    rig.ear.hears_text("Nobody there?").await;
    rig.until("connected").await;
    rig.say(&format!("{SARI}@c.us"), "Now I am.").await;
    assert_eq!(sari.hears(LIMIT).await.unwrap().text, "Now I am.");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_at_a_time_changes_a_connection_and_the_audit_says_who() {
    let rig = Rig::linked().await;
    // The server does not answer the unlink, so the first change takes its ten seconds.
    rig.stand_in.go_deaf().await;
    let first = rig.ask(
        "POST",
        "/api/sessions/main/logout",
        Some(json!({})),
        &[("x-actor", "Ani")],
    );
    let second = async {
        rig.until("resetting").await;
        rig.ask(
            "POST",
            "/api/sessions/main/start",
            Some(json!({})),
            &[("x-actor", "Budi")],
        )
        .await
    };
    let ((status, session), (refused, answer)) = tokio::join!(first, second);
    assert_eq!(refused, 409);
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .starts_with("Ani has been changing this connection"),
        "{answer}"
    );
    assert_eq!(status, 201);
    let reason = session["link"]["reason"].as_str().unwrap();
    assert!(
        reason.contains("could not be told") && reason.contains("remove the device there by hand"),
        "{reason}"
    );
    let (_, audit) = rig.get("/api/sessions/main/audit").await;
    let line = &audit[0];
    assert_eq!(
        (&line["who"], &line["what"], &line["to"]),
        (&json!("Ani"), &json!("logout"), &json!("unlinked"))
    );
    let moves: Vec<_> = audit
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|line| line["to"].as_str().unwrap())
        .collect();
    assert_eq!(
        moves,
        [
            "starting",
            "awaiting_scan",
            "linking",
            "connected",
            "resetting",
            "unlinked"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_never_written_down() {
    let rig = Rig::start().await;
    let code = rig.link().await;
    rig.exchange("Hi", "Hello!").await;
    let (_, audit) = rig.get("/api/sessions/main/audit").await;
    let (status, _) = rig.get("/api/main/auth/qr?format=raw").await;
    assert_eq!(status, 422, "a code that was scanned is wiped");
    let mut written = vec![
        ("the audit", audit.to_string()),
        ("the log", rig.companion.log.lock().unwrap().clone()),
    ];
    for name in ["session.db", "session.db-wal"] {
        let bytes = std::fs::read(rig.folder().join("main").join(name)).unwrap_or_default();
        written.push((name, String::from_utf8_lossy(&bytes).into_owned()));
    }
    for event in rig.ear.all("session.status") {
        written.push(("a webhook", event.to_string()));
    }
    for (place, text) in written {
        for part in code.split(',').take(4) {
            assert!(!text.contains(part), "{place} holds a part of the code");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_open_but_dead_is_found_out_and_replaced() {
    let rig = Rig::linked().await;
    rig.exchange("Hi", "Hello!").await;
    let logins = rig.stand_in.counted().await.logins;
    rig.stand_in.go_deaf().await;
    // A ping every 15 to 30 seconds, and 20 for its answer.
    let limit = Duration::from_secs(70);
    rig.stand_in
        .until(limit, "a new login", |counted| counted.logins > logins)
        .await
        .unwrap();
    rig.until("connected").await;
    rig.exchange("Still you?", "Still me.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_new_keys_or_a_slow_one_is_met_again() {
    let rig = Rig::linked().await;
    rig.exchange("Hi", "Hello!").await;
    rig.stand_in.rotate_keys();
    rig.stand_in.delay_first_frame(Duration::from_secs(2)).await;
    rig.stand_in.drop_connection().await;
    rig.stand_in
        .until(LIMIT, "a login", |counted| counted.fell_back == 1)
        .await
        .unwrap();
    rig.until("connected").await;
    rig.exchange("Still you?", "Still me.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_that_nobody_scans_end_and_a_person_asks_for_more() {
    let rig = Rig::bare().await;
    rig.stand_in.offer_codes(1).await;
    let body = json!({"name": "main", "config": rig.config()});
    assert_eq!(rig.post("/api/sessions", body).await.0, 201);
    let old = rig.code().await;
    // The first code is good for 60 seconds.
    let expired = rig
        .ear
        .hears_within(Duration::from_secs(90), "session.status", |payload| {
            payload["link"]["state"] == "qr_expired"
        });
    assert!(
        expired.await["link"]["next_action"]
            .as_str()
            .unwrap()
            .contains("new code")
    );
    let (status, refused) = rig.get("/api/main/auth/qr?format=raw").await;
    assert_eq!(status, 422, "{refused}");
    rig.stand_in.until_offline(LIMIT).await.unwrap();
    rig.start_session().await;
    assert_ne!(rig.link().await, old);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_unlinks_while_nobody_is_connected_is_believed_at_the_next_login() {
    let rig = Rig::linked().await;
    assert_eq!(rig.post("/api/sessions/main/stop", json!({})).await.0, 201);
    rig.stand_in.phone().unlink().await;
    rig.start_session().await;
    let out = rig.until("logged_out").await;
    assert_eq!(
        (&out["me"], &out["link"]["generation"]),
        (&json!(null), &json!(2))
    );
    rig.start_session().await;
    rig.link().await;
}

//! Who may ask, and what a wrong request is told.

use serde_json::{Value, json};

use crate::rig::{Companion, Rig};

#[tokio::test(flavor = "multi_thread")]
async fn without_the_key_nothing_is_answered() {
    let rig = Rig::start().await;
    for key in ["", "a key for tests, 012345678", "a key for tests, 0123456789x"] {
        for path in ["/api/sessions", "/api/main/auth/qr?format=raw", "/api/nothing"] {
            let (status, answer) = rig.ask("GET", path, None, &[("x-api-key", key)]).await;
            assert_eq!(status, 401, "{path}: {answer}");
        }
    }
    assert_eq!(rig.get("/api/sessions").await.1[0]["name"], "main");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_request_is_told_what_to_do() {
    let rig = Rig::start().await;
    let text = |chat: &str, text: &str| json!({"session": "main", "chatId": chat, "text": text});
    let with_file = |file: Value| json!({"session": "main", "chatId": "6281100000022@c.us", "file": file});
    for (method, path, body, status, words) in [
        (
            "GET",
            "/api/sessions/none",
            json!(null),
            404,
            "POST /api/sessions",
        ),
        (
            "POST",
            "/api/sessions",
            json!({"name": "../up"}),
            400,
            "is no name of a session",
        ),
        ("POST", "/api/sessions", json!({"name": "main"}), 422, "exists"),
        (
            "POST",
            "/api/sessions",
            json!({"name": "x", "config": {"webhooks": [{"url": "nowhere"}]}}),
            400,
            "webhook 0",
        ),
        (
            "PUT",
            "/api/sessions/main",
            json!({"config": {"webhooks": 1}}),
            422,
            "is a list",
        ),
        (
            "POST",
            "/api/sendText",
            text("group@g.us", "Hi"),
            400,
            "digits and @c.us",
        ),
        (
            "POST",
            "/api/sendText",
            text("6281100000022@c.us", ""),
            400,
            "empty",
        ),
        (
            "POST",
            "/api/sendText",
            json!({"session": "main"}),
            400,
            "missing field `text`",
        ),
        (
            "POST",
            "/api/sendText",
            text("6281100000022@c.us", "Hi"),
            422,
            "the session is",
        ),
        (
            "POST",
            "/api/sendImage",
            with_file(json!({"mimetype": "image/png"})),
            400,
            "base64 in file.data",
        ),
        (
            "POST",
            "/api/sendVoice",
            with_file(json!({"mimetype": "audio/ogg", "url": "http://192.0.2.1/a.ogg"})),
            400,
            "connects to loopback only",
        ),
        (
            "GET",
            "/api/main/auth/qr?format=png",
            json!(null),
            400,
            "raw, image (SVG) or text",
        ),
        (
            "GET",
            "/api/files/main/unknown",
            json!(null),
            404,
            "no file of this message",
        ),
        (
            "GET",
            "/api/main/chats/6281100000022@c.us/messages/X",
            json!(null),
            404,
            "no such message",
        ),
    ] {
        if path.contains("auth/qr") {
            rig.code().await;
        }
        let body = Some(body).filter(|body| !body.is_null());
        let (given, answer) = rig.ask(method, path, body, &[]).await;
        assert_eq!(given, status, "{method} {path}: {answer}");
        assert!(
            answer["message"].as_str().unwrap_or_default().contains(words),
            "{method} {path}: {answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_drawn_for_pages_and_for_terminals() {
    let rig = Rig::start().await;
    rig.code().await;
    let (status, svg) = rig.get("/api/main/auth/qr").await;
    assert_eq!(status, 200);
    assert!(svg.as_str().unwrap().contains("<svg"));
    let (status, blocks) = rig.get("/api/main/auth/qr?format=text").await;
    assert_eq!(status, 200);
    assert!(blocks.as_str().unwrap().lines().count() > 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_start_without_a_good_key() {
    let rig = Rig::start().await;
    for (key, words) in [("", "there is no API key"), ("short", "has 5 characters")] {
        let mut command = Companion::command(&rig.data.path().join("other"), &rig.stand_in);
        command.env("LINKED_API_KEY", key);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3));
        assert!(said.contains(words), "{said}");
    }
}

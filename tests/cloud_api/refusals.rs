//! What the double refuses, and that it does so in Meta's shape.

use serde_json::{Value, json};

use crate::*;

#[tokio::test]
async fn what_meta_refuses_is_refused_with_metas_codes() {
    let double = Double::start().await;
    double.customer(SARI).says("Hi");
    let row = |n: usize| json!({ "id": format!("o{n}"), "title": "T" });
    let button = |id: &str, title: &str| json!({ "type": "reply", "reply": { "id": id, "title": title } });
    let buttons = |buttons: Vec<Value>| {
        json!({ "type": "interactive", "interactive": { "type": "button", "body": { "text": "?" },
            "action": { "buttons": buttons } } })
    };
    let list = |rows: Vec<Value>| {
        json!({ "type": "interactive", "interactive": { "type": "list", "body": { "text": "?" },
            "action": { "button": "Menu", "sections": [{ "title": "S", "rows": rows }] } } })
    };
    let cases = [
        (
            "an over-long label",
            buttons(vec![button("a", &"x".repeat(21))]),
            131009,
        ),
        (
            "a fourth button",
            buttons((0..4).map(|n| button(&n.to_string(), &format!("B{n}"))).collect()),
            131009,
        ),
        (
            "equal ids",
            buttons(vec![button("a", "A"), button("a", "B")]),
            131009,
        ),
        ("no button", buttons(vec![]), 131009),
        ("an eleventh row", list((0..11).map(row).collect()), 131009),
        (
            "an over-long row",
            list(vec![json!({ "id": "a", "title": "x".repeat(25) })]),
            131009,
        ),
        ("equal row ids", list(vec![row(1), row(1)]), 131009),
        (
            "an unknown field",
            json!({ "type": "text", "text": { "body": "x", "colour": "red" } }),
            100,
        ),
        (
            "an unknown field outside",
            json!({ "type": "text", "text": { "body": "x" }, "colour": "red" }),
            100,
        ),
        ("an unknown kind", json!({ "type": "poll", "poll": {} }), 100),
        ("a missing body", json!({ "type": "text", "text": {} }), 100),
        ("a missing part", json!({ "type": "text" }), 100),
        (
            "an over-long text",
            json!({ "type": "text", "text": { "body": "x".repeat(4097) } }),
            100,
        ),
        (
            "a caption on a sticker",
            json!({ "type": "sticker", "sticker": { "link": "https://a.example/b", "caption": "x" } }),
            100,
        ),
        (
            "id and link",
            json!({ "type": "image", "image": { "link": "https://a.example/b", "id": "1" } }),
            100,
        ),
        (
            "an unknown media id",
            json!({ "type": "image", "image": { "id": "1" } }),
            100,
        ),
        (
            "a place beyond the pole",
            json!({ "type": "location", "location": { "latitude": 91, "longitude": 0 } }),
            100,
        ),
        (
            "an over-long link label",
            json!({ "type": "interactive", "interactive": { "type": "cta_url", "body": { "text": "?" },
            "action": { "name": "cta_url", "parameters": { "display_text": "x".repeat(21), "url": "https://a.example" } } } }),
            131009,
        ),
    ];
    let client = reqwest::Client::new();
    let setup = double.setup();
    for (what, mut body, code) in cases {
        body["messaging_product"] = json!("whatsapp");
        body["to"] = json!(SARI);
        let answer = client
            .post(format!(
                "{}/v23.0/{}/messages",
                double.base_url(),
                setup.phone_number_id
            ))
            .bearer_auth(&setup.access_tokens[0])
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 400, "{what}");
        let error: Value = answer.json().await.unwrap();
        assert_eq!(error["error"]["code"], code, "{what}: {error}");
        for member in ["message", "type", "fbtrace_id"] {
            assert!(error["error"][member].is_string(), "{what}: {error}");
        }
    }
    assert!(double.sent().is_empty());
}

#[tokio::test]
async fn the_window_opens_with_a_message_and_closes_after_a_day() {
    let double = Double::start().await;
    let meta = meta(&double);
    let hello = to_sari(text("Hello"));
    assert_eq!(class_of(&meta, &hello).await, SendClass::WindowClosed);
    double.customer(SARI).says("Hi");
    send(&meta, &hello).await.unwrap();
    double.advance(Duration::from_secs(24 * 3600 + 1));
    assert_eq!(class_of(&meta, &hello).await, SendClass::WindowClosed);
}

#[tokio::test]
async fn the_pair_limit_is_reached_by_a_burst_and_eases_with_time() {
    let double = Double::with(Setup {
        pair_burst: Some(3),
        open_windows: true,
        ..Setup::default()
    })
    .await;
    let meta = meta(&double);
    let hello = to_sari(text("Hello"));
    for _ in 0..3 {
        send(&meta, &hello).await.unwrap();
    }
    assert!(matches!(class_of(&meta, &hello).await, SendClass::SlowPair(_)));
    double.advance(Duration::from_secs(6));
    send(&meta, &hello).await.unwrap();
}

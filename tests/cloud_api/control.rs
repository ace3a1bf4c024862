//! The double as another process sees it: only HTTP.

use serde_json::{Value, json};

use crate::inbox::Inbox;
use crate::*;

/// A client of the double without any of our own types.
struct Outside {
    base: String,
    client: reqwest::Client,
}

impl Outside {
    fn of(double: &Double) -> Self {
        Outside {
            base: double.base_url(),
            client: reqwest::Client::new(),
        }
    }

    async fn control(&self, call: &str, body: Value) -> Value {
        let answer = self
            .client
            .post(format!("{}/double/{call}", self.base))
            .json(&body)
            .send()
            .await
            .unwrap();
        let status = answer.status();
        let told: Value = answer.json().await.unwrap();
        assert_eq!(status, 200, "{call}: {told}");
        told
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self
            .client
            .get(format!("{}{path}", self.base))
            .bearer_auth("double-token")
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn send(&self, version: &str, body: Value) -> (u16, Value) {
        let address = format!("{}/{version}/106540352242922/messages", self.base);
        let answer = self
            .client
            .post(address)
            .bearer_auth("double-token")
            .json(&body)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

fn hello() -> Value {
    json!({ "messaging_product": "whatsapp", "to": SARI, "type": "text", "text": { "body": "Hello" } })
}

#[tokio::test]
async fn a_conversation_by_http_alone() {
    let double = Double::start().await;
    let outside = Outside::of(&double);
    let inbox = Inbox::open(vec![]).await;
    outside.control("webhooks", json!({ "url": inbox.url })).await;
    let id = outside
        .control(
            "customer-message",
            json!({ "from": "+62 811-0000-0011", "name": "Sari", "text": "Hi" }),
        )
        .await;
    inbox.wait_for(1).await;
    let buttons = json!({ "messaging_product": "whatsapp", "to": SARI, "type": "interactive", "interactive": {
        "type": "button", "body": { "text": "?" },
        "action": { "buttons": [{ "type": "reply", "reply": { "id": "yes", "title": "Yes" } }] } } });
    let (status, answer) = outside.send("v23.0", buttons).await;
    assert_eq!((status, &answer["contacts"][0]["wa_id"]), (200, &json!(SARI)));
    outside
        .control("customer-message", json!({ "from": SARI, "tap": "Yes" }))
        .await;
    let media = json!({ "kind": "voice", "mime_type": "audio/ogg; codecs=opus", "base64": "T2dnUw==" });
    outside
        .control("customer-message", json!({ "from": SARI, "media": media }))
        .await;
    let raw = json!({ "type": "order", "order": { "catalog_id": "1" } });
    outside
        .control("customer-message", json!({ "from": SARI, "raw": raw }))
        .await;
    double.settled().await;
    let meta = meta(&double);
    let kept: Vec<Option<String>> = inbox
        .events(&meta)
        .into_iter()
        .map(|event| event.message_id)
        .collect();
    assert!(kept.contains(&id["id"].as_str().map(str::to_owned)));
    let (_, log) = outside.get("/double/log").await;
    assert_eq!(log[0]["json"]["interactive"]["type"], "button");
    assert_eq!(
        (&log[0]["answered"], &log[0]["authorised"]),
        (&json!(200), &json!(true))
    );
    let (_, status) = outside.get("/double/status").await;
    assert_eq!((&status["sent"], &status["requests"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn faults_and_the_clock_by_http_alone() {
    let double = Double::start().await;
    let outside = Outside::of(&double);
    outside
        .control("customer-message", json!({ "from": SARI, "text": "Hi" }))
        .await;
    outside
        .control(
            "fault",
            json!({ "fault": "refuse", "code": 131056, "times": 1, "to": format!("+{SARI}") }),
        )
        .await;
    let (status, refused) = outside.send("v24.0", hello()).await;
    assert_eq!((status, &refused["error"]["code"]), (400, &json!(131056)));
    assert_eq!(outside.send("v24.0", hello()).await.0, 200);
    outside
        .control("clock", json!({ "advance_seconds": 25 * 3600 }))
        .await;
    let (status, refused) = outside.send("v24.0", hello()).await;
    assert_eq!((status, &refused["error"]["code"]), (400, &json!(131047)));
}

#[tokio::test]
async fn the_number_and_the_account_can_be_asked_about() {
    let double = Double::start().await;
    let outside = Outside::of(&double);
    for (path, pointer, value) in [
        ("/v24.0/106540352242922", "/verified_name", json!("Kopi Senja")),
        (
            "/v24.0/106540352242922?fields=status",
            "/status",
            json!("CONNECTED"),
        ),
        (
            "/v24.0/102290129340398/phone_numbers",
            "/data/0/id",
            json!("106540352242922"),
        ),
        (
            "/v24.0/102290129340398/message_templates",
            "/data/0/name",
            json!("hello_world"),
        ),
        (
            "/v24.0/106540352242922/whatsapp_business_profile",
            "/data/0/messaging_product",
            json!("whatsapp"),
        ),
        (
            "/v24.0/debug_token?input_token=double-token",
            "/data/is_valid",
            json!(true),
        ),
        (
            "/v24.0/102290129340398/subscribed_apps",
            "/data/0/whatsapp_business_api_data/id",
            json!("670843887433847"),
        ),
    ] {
        let (status, answer) = outside.get(path).await;
        assert_eq!(
            (status, answer.pointer(pointer)),
            (200, Some(&value)),
            "{path}: {answer}"
        );
    }
    let (status, answer) = outside.get("/v24.0/424242").await;
    assert_eq!(
        (
            status,
            &answer["error"]["code"],
            &answer["error"]["error_subcode"]
        ),
        (400, &json!(100), &json!(33))
    );
}

#[tokio::test]
async fn members_may_be_json_inside_strings_and_the_body_a_form() {
    let double = Double::with(Setup {
        open_windows: true,
        ..Setup::default()
    })
    .await;
    let outside = Outside::of(&double);
    let mut body = hello();
    body["text"] = json!("{\"body\":\"Hello\"}");
    assert_eq!(outside.send("v24.0", body).await.0, 200);
    let form = [
        ("messaging_product", "whatsapp"),
        ("to", SARI),
        ("type", "text"),
        ("text", "{\"body\":\"Hello\"}"),
    ];
    let address = format!(
        "{}/v24.0/106540352242922/messages?access_token=double-token",
        double.base_url()
    );
    let answer = outside.client.post(address).form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(double.sent().iter().all(|sent| sent.text() == "Hello"));
}

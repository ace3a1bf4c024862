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

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = self
            .client
            .post(format!("{}{path}", self.base))
            .bearer_auth("double-token")
            .json(&body)
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

#[tokio::test]
async fn a_member_that_is_null_counts_as_missing() {
    let double = Double::with(Setup {
        open_windows: true,
        ..Setup::default()
    })
    .await;
    let outside = Outside::of(&double);
    let photo = json!({ "messaging_product": "whatsapp", "to": SARI, "type": "image", "context": null,
        "image": { "link": "https://kopi.example/a.jpg", "id": null, "caption": null } });
    assert_eq!(outside.send("v24.0", photo).await.0, 200);
    let mut empty = hello();
    empty["text"] = json!({ "body": null });
    assert_eq!(outside.send("v24.0", empty).await.0, 400);
}

#[tokio::test]
async fn an_upload_may_name_the_kind_where_the_type_belongs() {
    let double = Double::start().await;
    let outside = Outside::of(&double);
    let part = |name: &str, more: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{value}\r\n")
    };
    let form = [
        part("messaging_product", "", "whatsapp"),
        part("type", "", "image"),
        part("file", "; filename=\"a.png\"\r\nContent-Type: image/png", "PNG"),
        "--b--\r\n".to_owned(),
    ]
    .concat();
    let answer = outside
        .client
        .post(format!("{}/v23.0/106540352242922/media", outside.base))
        .bearer_auth("double-token")
        .header("content-type", "multipart/form-data; boundary=b")
        .body(form)
        .send()
        .await
        .unwrap();
    let id: Value = answer.json().await.unwrap();
    let (status, told) = outside
        .get(&format!("/v23.0/{}", id["id"].as_str().unwrap()))
        .await;
    assert_eq!((status, &told["mime_type"]), (200, &json!("image/png")));
}

#[tokio::test]
async fn what_clients_set_up_is_kept_and_given_back() {
    let double = Double::start().await;
    let outside = Outside::of(&double);
    let number = "/v24.0/106540352242922";
    for (edge, body, read, pointer, value) in [
        (
            "settings",
            json!({ "calling": { "status": "ENABLED" } }),
            "settings",
            "/calling/status",
            json!("ENABLED"),
        ),
        (
            "whatsapp_commerce_settings",
            json!({ "is_cart_enabled": false }),
            "whatsapp_commerce_settings",
            "/data/0/is_cart_enabled",
            json!(false),
        ),
        (
            "conversational_automation",
            json!({ "enable_welcome_message": true }),
            "?fields=conversational_automation",
            "/conversational_automation/enable_welcome_message",
            json!(true),
        ),
        (
            "whatsapp_business_encryption",
            json!({ "business_public_key": "KEY" }),
            "whatsapp_business_encryption",
            "/data/0/business_public_key",
            json!("KEY"),
        ),
        (
            "message_qrdls",
            json!({ "prefilled_message": "Hello" }),
            "message_qrdls",
            "/data/0/prefilled_message",
            json!("Hello"),
        ),
    ] {
        let (status, answer) = outside.post(&format!("{number}/{edge}"), body).await;
        assert_eq!(status, 200, "{edge}: {answer}");
        let (_, told) = outside.get(&format!("{number}/{read}")).await;
        assert_eq!(told.pointer(pointer), Some(&value), "{edge}: {told}");
    }
    let (_, flow) = outside
        .post(
            "/v24.0/102290129340398/flows",
            json!({ "name": "Booking", "categories": ["OTHER"] }),
        )
        .await;
    let flow = format!("/v24.0/{}", flow["id"].as_str().unwrap());
    assert_eq!(outside.post(&format!("{flow}/deprecate"), json!({})).await.0, 400);
    assert_eq!(outside.post(&format!("{flow}/publish"), json!({})).await.0, 200);
    assert_eq!(outside.get(&flow).await.1["status"], "PUBLISHED");
}

#[tokio::test]
async fn a_registration_needs_the_pin_that_was_set() {
    let double = Double::start().await;
    let outside = Outside::of(&double);
    let number = "/v24.0/106540352242922";
    assert_eq!(outside.post(number, json!({ "pin": "482913" })).await.0, 200);
    let register = |pin: &'static str| {
        let outside = &outside;
        async move {
            let body = json!({ "messaging_product": "whatsapp", "pin": pin });
            let (status, answer) = outside.post(&format!("{number}/register"), body).await;
            (status, answer["error"]["code"].as_i64())
        }
    };
    assert_eq!(register("12").await, (400, Some(100)));
    assert_eq!(register("111111").await, (400, Some(133005)));
    assert_eq!(register("482913").await, (200, None));
}

#[tokio::test]
async fn a_blocked_customer_is_not_heard() {
    let double = Double::start().await;
    let outside = Outside::of(&double);
    let inbox = Inbox::open(vec![]).await;
    double.point_at(&inbox.url);
    let block = json!({ "messaging_product": "whatsapp", "block_users": [{ "user": format!("+{SARI}") }] });
    let (status, answer) = outside.post("/v24.0/106540352242922/block_users", block).await;
    assert_eq!(
        (status, &answer["block_users"]["added_users"][0]["wa_id"]),
        (200, &json!(SARI))
    );
    double.customer(SARI).says("Can you hear me?");
    double.customer("+62 811 0000 022").says("Hello");
    double.settled().await;
    let heard = inbox.events(&meta(&double));
    assert_eq!(heard.len(), 1, "{heard:?}");
}

#[tokio::test]
async fn a_quick_reply_of_a_template_can_be_tapped() {
    let double = Double::start().await;
    let outside = Outside::of(&double);
    let inbox = Inbox::open(vec![]).await;
    double.point_at(&inbox.url);
    let template = json!({ "messaging_product": "whatsapp", "to": SARI, "type": "template", "template": {
        "name": "hello_world", "language": { "code": "en_US" }, "components": [
            { "type": "button", "sub_type": "quick_reply", "index": "0",
              "parameters": [{ "type": "payload", "payload": "collect" }] }] } });
    let (_, answer) = outside.send("v24.0", template).await;
    outside
        .control("customer-message", json!({ "from": SARI, "tap": "collect" }))
        .await;
    double.settled().await;
    let tap = inbox
        .events(&meta(&double))
        .into_iter()
        .find(|event| event.reply_to.is_some())
        .unwrap();
    assert_eq!(tap.reply_to.as_deref(), answer["messages"][0]["id"].as_str());
    assert!(
        matches!(&tap.body, switchboard::message::InboundBody::Choice { id: Some(id), .. } if id == "collect"),
        "{:?}",
        tap.body
    );
}

#[tokio::test]
async fn a_raw_message_keeps_its_context_and_its_errors() {
    let double = Double::start().await;
    let outside = Outside::of(&double);
    let inbox = Inbox::open(vec![]).await;
    double.point_at(&inbox.url);
    let raw = json!({ "type": "unsupported", "context": { "id": "wamid.Q" },
        "errors": [{ "code": 131051, "title": "Message type unknown" }] });
    outside
        .control("customer-message", json!({ "from": SARI, "raw": raw }))
        .await;
    double.settled().await;
    let heard = inbox.events(&meta(&double));
    assert_eq!(heard[0].reply_to.as_deref(), Some("wamid.Q"));
    assert!(
        matches!(
            heard[0].body,
            switchboard::message::InboundBody::Unsupported {
                code: Some(131051),
                ..
            }
        ),
        "{:?}",
        heard[0].body
    );
}

#[tokio::test]
async fn a_system_message_comes_without_contacts() {
    let double = Double::start().await;
    let outside = Outside::of(&double);
    let inbox = Inbox::open(vec![]).await;
    double.point_at(&inbox.url);
    let raw = json!({ "type": "system", "system": { "type": "user_changed_number",
        "body": "User Sari changed from 6281100000011 to 6281100000012", "wa_id": "6281100000012" } });
    outside
        .control("customer-message", json!({ "from": SARI, "raw": raw }))
        .await;
    let taken = inbox.wait_for(1).await;
    let webhook: Value = serde_json::from_slice(&taken[0].raw).unwrap();
    let value = &webhook["entry"][0]["changes"][0]["value"];
    assert_eq!(value.get("contacts"), None, "{value}");
    assert_eq!(value["messages"][0]["from"], SARI);
}

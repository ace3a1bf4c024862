//! The adapter as a whole: proof, plan, requests, answers.

use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::*;
use crate::channel::{Loss, SendClass, Show};
use crate::message::{Choice, Choices, MediaKind, MediaSource, Place};

pub(super) fn settings() -> LinkedSettings {
    let mut settings = LinkedSettings::new(
        "6281100000011",
        "http://127.0.0.1:4000/",
        "main",
        SecretString::from("double-key"),
        vec![SecretString::from("my-secret-key")],
    );
    settings.endpoint = Some("https://bot.example/webhook/main".into());
    settings
}

fn linked() -> LinkedDevice {
    LinkedDevice::new(settings()).unwrap()
}

fn room(id: &str) -> Address {
    Address::Room {
        id: id.into(),
        phone: None,
    }
}

fn outbound(to: Address, body: OutboundBody) -> Outbound {
    Outbound {
        to,
        reply_to: None,
        ours: Some("1.2.0".into()),
        body,
    }
}

fn sending(to: Address, show: Show) -> Step {
    Step::Send {
        to,
        reply_to: None,
        ours: None,
        after_delivery: false,
        show,
    }
}

fn text(body: &str) -> Show {
    Show::Text {
        body: body.into(),
        preview: false,
    }
}

fn sent(step: &Step) -> (String, Value) {
    sent_with(step, None)
}

fn sent_with(step: &Step, upload: Option<&Upload>) -> (String, Value) {
    let request = match upload {
        Some(upload) => linked().encode_with_file(step, upload),
        None => linked().encode(step),
    };
    let request = request.unwrap();
    assert_eq!(request.headers["x-api-key"], "double-key");
    assert!(
        request.headers["x-api-key"].is_sensitive(),
        "it is shown in no log"
    );
    assert_eq!(request.headers["x-expected-number"], "6281100000011");
    let path = request
        .url
        .strip_prefix("http://127.0.0.1:4000")
        .unwrap()
        .to_owned();
    (path, serde_json::from_slice(&request.body).unwrap())
}

/// The example of WAHA's own documentation keeps us honest about what is signed.
#[test]
fn a_webhook_is_proved_by_the_keyed_hash_of_its_bytes() {
    let raw = br#"{"event":"message","session":"default","engine":"WEBJS"}"#;
    let hash = "208f8a55dde9e05519e898b10b89bf0d0b3b0fdf11fdbf09b6b90476301b98d8097c462b2b17a6ce93b6b47a136cf2e78a33a63f6752c2c1631777076153fa89";
    let admitted = |hash: &str, raw: &[u8], secret: Option<&str>| {
        let headers = HeaderMap::from_iter([(SIGNATURE, HeaderValue::from_str(hash).unwrap())]);
        let delivery = Delivery {
            secret,
            headers: &headers,
            raw,
        };
        linked().authenticate(&delivery).is_ok()
    };
    assert!(admitted(hash, raw, None));
    assert!(!admitted(hash, b"{}", None));
    assert!(!admitted(&hash.replace('2', "3"), raw, Some("my-secret-key")));
    assert!(!admitted("", raw, None));
}

#[test]
fn nothing_secret_is_shown() {
    let shown = format!("{:?}", linked());
    assert!(
        !shown.contains("double-key") && !shown.contains("my-secret-key"),
        "{shown}"
    );
}

#[test]
fn a_menu_is_a_numbered_text_and_the_loss_is_told() {
    let option = |id: &str, title: &str| Choice {
        id: id.into(),
        title: title.into(),
        description: None,
        section: None,
    };
    let menu = OutboundBody::Choices(Choices {
        header: None,
        body: "What can I do?".into(),
        footer: None,
        open: None,
        as_list: false,
        options: vec![option("a", "Track my order"), option("b", "Nothing")],
    });
    for to in [room("100000000000022@lid"), Address::WaId("6281100000022".into())] {
        let plan = linked().plan(&outbound(to, menu.clone()));
        assert!(
            matches!(plan.losses[..], [Loss::NumberedText { .. }]),
            "{:?}",
            plan.losses
        );
        let (path, body) = sent(&plan.steps[0]);
        assert_eq!(path, "/api/sendText");
        assert_eq!(body["text"], "What can I do?\n\n1. Track my order\n2. Nothing");
    }
}

#[test]
fn what_is_for_an_inbox_is_for_nobody_here() {
    for body in [
        OutboundBody::HandOff { team: "sales".into() },
        OutboundBody::Resolve,
    ] {
        assert_eq!(
            linked().plan(&outbound(room("6281100000022@c.us"), body)),
            Plan::default()
        );
    }
}

#[test]
fn an_answer_goes_to_the_chat_as_it_was_received() {
    let chat = |to| sent(&sending(to, text("Hi"))).1["chatId"].clone();
    assert_eq!(chat(room("100000000000022@lid")), "100000000000022@lid");
    assert_eq!(chat(room("6281100000022@c.us")), "6281100000022@c.us");
    assert_eq!(
        chat(Address::Bsuid("100000000000022@lid".into())),
        "100000000000022@lid"
    );
    assert_eq!(
        chat(Address::Phone("+6281100000022".into())),
        "6281100000022@c.us"
    );
    let of_before = Address::Room {
        id: "60246f36-165f-4edb-b86d-0d27698f6079".into(),
        phone: Some("6281100000022".into()),
    };
    assert_eq!(
        chat(of_before),
        "6281100000022@c.us",
        "a room of another provider"
    );
    for nowhere in [room("120363@g.us"), room("../x"), Address::Bsuid("ID.1".into())] {
        assert!(linked().encode(&sending(nowhere, text("Hi"))).is_err());
    }
}

#[test]
fn a_text_may_quote_and_shows_a_preview_only_if_wanted() {
    let step = Step::Send {
        to: room("6281100000022@c.us"),
        reply_to: Some("false_6281100000022@c.us_A".into()),
        ours: None,
        after_delivery: false,
        show: text("Hi"),
    };
    assert_eq!(
        sent(&step),
        (
            "/api/sendText".to_owned(),
            json!({ "session": "main", "chatId": "6281100000022@c.us", "text": "Hi", "linkPreview": false,
                "reply_to": "false_6281100000022@c.us_A" })
        )
    );
}

#[test]
fn every_kind_of_file_has_its_path_and_goes_by_address_or_with_its_bytes() {
    let media = |media, source, caption: Option<&str>| {
        let show = Show::Media {
            media,
            source,
            caption: caption.map(str::to_owned),
            filename: None,
        };
        sending(room("6281100000022@c.us"), show)
    };
    let url = |url: &str| MediaSource::Url(url.into());
    let (path, body) = sent(&media(
        MediaKind::Photo,
        url("https://bikes.example/a.png?x=1"),
        Some("A bike"),
    ));
    assert_eq!(
        (path.as_str(), &body["caption"]),
        ("/api/sendImage", &json!("A bike"))
    );
    assert_eq!(
        body["file"],
        json!({ "mimetype": "image/png", "url": "https://bikes.example/a.png?x=1" })
    );
    for (kind, path) in [
        (MediaKind::Video, "/api/sendVideo"),
        (MediaKind::Voice, "/api/sendVoice"),
        (MediaKind::Audio, "/api/sendFile"),
        (MediaKind::Document, "/api/sendFile"),
        (MediaKind::Sticker, "/api/sendImage"),
    ] {
        assert_eq!(sent(&media(kind, url("https://bikes.example/a"), None)).0, path);
    }
    let upload = Upload {
        filename: "note.ogg".into(),
        mime: "audio/ogg".into(),
        bytes: b"OggS".to_vec(),
    };
    let step = media(MediaKind::Voice, MediaSource::File("note.ogg".into()), None);
    let (path, body) = sent_with(&step, Some(&upload));
    assert_eq!(
        (path.as_str(), &body["convert"]),
        ("/api/sendVoice", &json!(true))
    );
    assert_eq!(
        body["file"],
        json!({ "mimetype": "audio/ogg", "filename": "note.ogg", "data": "T2dnUw==" })
    );
    assert!(linked().encode(&step).is_err(), "without its bytes");
}

#[test]
fn places_and_read_receipts_are_sent() {
    let place = Place {
        lat: -6.5,
        lng: 106.75,
        name: Some("Kopi Senja".into()),
        address: Some("Jl. Melati 1".into()),
    };
    let (path, body) = sent(&sending(room("6281100000022@c.us"), Show::Location(place)));
    assert_eq!(path, "/api/sendLocation");
    assert_eq!(
        (&body["latitude"], &body["title"]),
        (&json!(-6.5), &json!("Kopi Senja, Jl. Melati 1"))
    );
    let seen = |id: &str| {
        linked().encode(&Step::Seen {
            message_id: id.into(),
            typing: true,
        })
    };
    let request = seen("false_100000000000022@lid_A").unwrap();
    assert!(request.url.ends_with("/api/sendSeen"));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        body,
        json!({ "session": "main", "chatId": "100000000000022@lid", "messageIds": ["false_100000000000022@lid_A"] })
    );
    assert!(seen("A").is_err(), "it names no chat");
}

#[test]
fn a_template_is_refused_in_words() {
    let show = Show::Template {
        name: "order_ready".into(),
        language: "id".into(),
        params: vec![],
        text: "Ready".into(),
        parts: Box::default(),
    };
    let refused = linked()
        .encode(&sending(room("6281100000022@c.us"), show))
        .unwrap_err();
    assert!(refused.to_string().contains("cannot send templates"), "{refused}");
}

fn answered(status: u16, body: &str) -> Result<Receipt, SendError> {
    let response = HttpResponse {
        status,
        headers: HeaderMap::new(),
        body: body.as_bytes().to_vec(),
    };
    linked().interpret(Ok(response), 1)
}

#[test]
fn a_receipt_bears_what_names_the_message_everywhere() {
    for body in [
        r#"{"id":"true_6281100000022@c.us_3EB0"}"#,
        r#"{"id":{"fromMe":true,"id":"3EB0","_serialized":"true_6281100000022@c.us_3EB0"}}"#,
        r#"{"key":{"remoteJid":"6281100000022@s.whatsapp.net","fromMe":true,"id":"3EB0"}}"#,
    ] {
        assert_eq!(
            answered(201, body).unwrap().message_id.as_deref(),
            Some("3EB0"),
            "{body}"
        );
    }
    assert_eq!(answered(201, "").unwrap().message_id, None, "a read receipt");
}

#[test]
fn every_refusal_has_its_class() {
    let class = |status, body| answered(status, body).unwrap_err().class;
    assert_eq!(class(400, "{}"), SendClass::OurFault);
    for stops in [401, 403, 404, 409] {
        assert_eq!(class(stops, "{}"), SendClass::StopChannel, "{stops}");
    }
    let down = r#"{"error":"Session status is not as expected","status":"STARTING"}"#;
    assert!(
        matches!(class(422, down), SendClass::SlowChannel(_)),
        "certainly not sent, and kept"
    );
    assert!(matches!(class(422, r#"{"code":463}"#), SendClass::SlowPair(_)));
    assert_eq!(class(422, r#"{"code":402}"#), SendClass::StopChannel);
    assert!(matches!(class(429, "{}"), SendClass::SlowChannel(_)));
    assert_eq!(class(500, "{}"), SendClass::Ambiguous);
    assert_eq!(class(408, "{}"), SendClass::Ambiguous);
    let says = answered(422, r#"{"message":"no such 6281100000022"}"#)
        .unwrap_err()
        .says;
    assert!(
        says.contains("no such") && !says.contains("6281100000022"),
        "{says}"
    );
}

#[tokio::test]
async fn a_linked_phone_has_no_templates_so_that_whoever_asks_for_one_hears_it_at_once() {
    assert_eq!(linked().templates().await.map(|list| list.len()), Ok(0));
}

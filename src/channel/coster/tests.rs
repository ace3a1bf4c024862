//! The envelope both ways, with the fixtures of `fixtures/coster` and those of Meta inside it.

use std::path::Path;
use std::sync::LazyLock;

use http::HeaderMap;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::channel::{Button, SendClass, Show};
use crate::message::{Address, InboundBody};

fn settings() -> CosterSettings {
    let gate = Gate::Path {
        secrets: vec!["hush".into()],
    };
    CosterSettings::new("106540352242922", "acc", "div", "token".into(), gate)
}

fn coster() -> Coster {
    Coster::new(settings()).unwrap()
}

fn fixture(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Read once for all cases.
static FIXTURES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(fixtures);

/// Every fixture of Coster's, and every one of Meta's inside the envelope.
fn fixtures() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let files = |folder: &str| {
        let mut all: Vec<_> = std::fs::read_dir(root.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        all.sort();
        all
    };
    let own = files("coster")
        .into_iter()
        .map(|path| std::fs::read(path).unwrap());
    let inner = files("meta")
        .into_iter()
        .filter_map(|path| serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).ok())
        .map(|data| {
            json!({ "id": "e-1", "mid": "m-1", "data": data })
                .to_string()
                .into_bytes()
        });
    own.chain(inner).collect()
}

fn sending(ours: Option<&str>, show: Show) -> Step {
    Step::Send {
        to: Address::Phone("+6281100000011".into()),
        reply_to: Some("wamid.THEIRS".into()),
        ours: ours.map(str::to_owned),
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

fn body(request: &HttpRequest) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

#[test]
fn a_reply_is_a_cloud_api_message_inside_the_envelope() {
    let request = coster().encode(&sending(Some("1.1.0"), text("Halo"))).unwrap();
    assert_eq!(request.url, "https://api.coster.id/bot/webhook");
    assert_eq!(request.headers["x-access-token"], "token");
    let mut sent = body(&request);
    let xid = sent["xid"].take();
    assert_eq!(
        sent,
        json!({ "xid": null, "channel_id": "whatsapp-cloud", "account_id": "acc", "division_id": "div",
            "is_helpdesk": false, "message_type": "outbound",
            "data": { "messaging_product": "whatsapp", "recipient_type": "individual", "to": "+6281100000011",
                "type": "text", "text": { "body": "Halo", "preview_url": false } } })
    );
    let xid = xid.as_str().unwrap();
    assert_eq!((xid.len(), xid.as_bytes()[14]), (36, b'4'));
}

#[test]
fn the_same_message_has_the_same_id_however_often_it_is_sent() {
    let xid = |ours, show| body(&coster().encode(&sending(ours, show)).unwrap())["xid"].clone();
    assert_eq!(xid(Some("1.1.0"), text("a")), xid(Some("1.1.0"), text("a")));
    assert_ne!(xid(Some("1.1.0"), text("a")), xid(Some("1.2.0"), text("a")));
    assert_ne!(xid(None, text("a")), xid(None, text("b")));
}

#[test]
fn a_template_goes_to_the_other_host_under_the_other_token() {
    let show = Show::Template {
        name: "order_ready".into(),
        language: "id".into(),
        params: vec!["Sari".into()],
        text: "Pesanan Sari siap.".into(),
        parts: Box::default(),
    };
    let step = sending(Some("1.1.0"), show);
    let refused = coster().encode(&step).unwrap_err().to_string();
    assert!(refused.contains("a template without push_token"), "{refused}");
    let mut settings = settings();
    settings.push_token = Some("push".into());
    let request = Coster::new(settings).unwrap().encode(&step).unwrap();
    assert_eq!(request.url, "https://m2m.coster.id/v1/acc/messages");
    assert_eq!(request.headers["authorization"], "Bearer push");
    assert!(!request.headers.contains_key("x-access-token"));
    let mut sent = body(&request);
    sent["xid"].take();
    assert_eq!(
        sent,
        json!({ "xid": null, "to": "6281100000011", "type": "template", "template": { "name": "order_ready",
            "language": { "code": "id", "policy": "deterministic" },
            "components": [{ "type": "body", "parameters": [{ "type": "text", "text": "Sari" }] }] } })
    );
}

#[test]
fn every_address_header_and_constant_can_be_set() {
    let mut settings = settings();
    settings.wire = Wire {
        host: "http://127.0.0.1:1/".into(),
        reply_path: "/v2/reply".into(),
        token_header: http::HeaderName::from_static("x-key"),
        channel_id: "wa".into(),
        message_type: "out".into(),
        is_helpdesk: true,
        answer_code: 0,
        answer_message: "taken".into(),
        ..Wire::default()
    };
    let coster = Coster::new(settings).unwrap();
    let request = coster.encode(&sending(None, text("a"))).unwrap();
    assert_eq!(request.url, "http://127.0.0.1:1/v2/reply");
    assert_eq!(request.headers["x-key"], "token");
    let sent = body(&request);
    let constants = [&sent["channel_id"], &sent["message_type"], &sent["is_helpdesk"]];
    assert_eq!(constants, [&json!("wa"), &json!("out"), &json!(true)]);
    let answer: Value = serde_json::from_str(&coster.acknowledge(b"{}").body).unwrap();
    assert_eq!(
        (&answer["code"], &answer["message"]),
        (&json!(0), &json!("taken"))
    );
}

#[test]
fn only_texts_are_sure_until_the_operator_says_otherwise() {
    let options = Show::Buttons {
        header: None,
        body: "?".into(),
        footer: None,
        buttons: vec![Button {
            id: "a".into(),
            title: "A".into(),
        }],
    };
    let caps = coster().capabilities();
    assert!(
        !caps.buttons && !caps.lists && !caps.media && !caps.links && !caps.locations && !caps.deliveries
    );
    let mut settings = settings();
    settings.kinds.buttons = true;
    let coster = Coster::new(settings).unwrap();
    assert!(coster.capabilities().buttons);
    let sent = body(&coster.encode(&sending(None, options)).unwrap());
    assert_eq!(sent["data"]["interactive"]["type"], "button");
}

#[test]
fn an_accepted_reply_is_sent_and_waits_for_no_status() {
    let answered = |status, body: &str| {
        let response = HttpResponse {
            status,
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        };
        coster().interpret(Ok(response), 1)
    };
    for body in ["", "ok", r#"{"messages":[{"xid":"1"}]}"#, r#"{"status":true}"#] {
        assert_eq!(answered(200, body), Ok(Receipt { message_id: None }), "{body}");
    }
    let id = answered(200, r#"{"messages":[{"id":"wamid.X"}]}"#)
        .unwrap()
        .message_id;
    assert_eq!(id.as_deref(), Some("wamid.X"));
    let class = |status, body| answered(status, body).unwrap_err().class;
    let refusal = r#"{"errors":[{"code":1013,"title":"No","details":"for 6281100000011"}]}"#;
    assert!(matches!(class(200, refusal), SendClass::Retry(_)));
    assert_eq!(class(401, ""), SendClass::StopChannel);
    assert_eq!(class(401, refusal), SendClass::StopChannel);
    assert_eq!(class(502, ""), SendClass::Ambiguous);
    let says = answered(200, refusal).unwrap_err().says;
    assert!(says.starts_with("Coster refused with code 1013"), "{says}");
    assert!(!says.contains("6281100000011"), "{says}");
}

#[test]
fn a_webhook_is_read_through_its_envelope() {
    let decoded = coster().decode(&fixture("coster/text.json"));
    assert_eq!(decoded.problems, []);
    let [event] = &decoded.events[..] else {
        panic!("{decoded:?}")
    };
    assert_eq!(event.account, "106540352242922");
    assert_eq!(event.key.0, event.message_id.clone().unwrap());
    assert_eq!(
        event.body,
        InboundBody::Text {
            body: "Masih buka?".into()
        }
    );
}

#[test]
fn what_has_no_id_of_its_own_is_known_by_its_envelope() {
    let keys = |name: &str| -> Vec<String> {
        let decoded = coster().decode(&fixture(name));
        assert_eq!(decoded.problems, [], "{name}");
        decoded.events.into_iter().map(|event| event.key.0).collect()
    };
    assert_eq!(
        keys("coster/without_wamid.json"),
        ["coster/m-2/0", "coster/m-2/1"]
    );
}

#[test]
fn without_the_envelope_a_webhook_is_as_good_and_without_anything_it_is_kept() {
    assert_eq!(coster().decode(&fixture("meta/text.json")).events.len(), 1);
    for (raw, place) in [
        (&b"{}"[..], "body"),
        (b"[]", "body"),
        (b"\xff", "body"),
        (br#"{"id":"1","data":null}"#, "data"),
        (br#"{"data":{"entry":[7]}}"#, "data.entry[0]"),
    ] {
        let decoded = coster().decode(raw);
        assert_eq!(decoded.events, []);
        assert_eq!(decoded.problems[0].place, place, "{decoded:?}");
    }
}

#[test]
fn the_address_is_secret_and_a_look_at_it_shows_nothing_to_others() {
    let headers = HeaderMap::new();
    let coming = |secret| {
        coster().authenticate(&Delivery {
            secret,
            headers: &headers,
            raw: b"{}",
        })
    };
    assert_eq!((coming(Some("hush")), coming(None)), (Ok(()), Err(Forged)));
    let look = coster().handshake(Some("hush"), "");
    assert_eq!(look.status, 200);
    let answer: Value = serde_json::from_str(&look.body).unwrap();
    assert_eq!(answer["code"], 200);
    assert!(answer["server_time"].is_string() && answer["message"].is_string());
    assert_eq!(coster().handshake(None, "").status, 403);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_bytes_never_panic(raw in proptest::collection::vec(any::<u8>(), 0..400)) {
        envelope::open(&raw, decode);
    }

    #[test]
    fn mutated_webhooks_never_panic(pick: prop::sample::Index, cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..8)) {
        let all = &*FIXTURES;
        let mut raw = all[pick.index(all.len())].clone();
        for (at, byte, what) in cuts {
            let at = at.index(raw.len());
            match what {
                0 => raw[at] = byte,
                1 => { raw.remove(at); }
                _ => raw.insert(at, byte),
            }
            if raw.is_empty() { break; }
        }
        envelope::open(&raw, decode);
    }

    /// Any member of the envelope replaced by something of another kind: nothing is lost without a word.
    #[test]
    fn a_strange_envelope_is_read_or_kept(pick: prop::sample::Index, member in 0..4usize, with in 0..6usize) {
        let strange = [json!(null), json!(7), json!(""), json!([]), json!({}), json!("x")];
        let all = &*FIXTURES;
        let mut webhook: Value = serde_json::from_slice(&all[pick.index(all.len())]).unwrap();
        webhook[["id", "mid", "account", "data"][member]] = strange[with].clone();
        let decoded = envelope::open(webhook.to_string().as_bytes(), decode);
        prop_assert!(!decoded.events.is_empty() || !decoded.problems.is_empty());
    }
}

//! The Meta channel against the provider double, over HTTP: what one side sends, the other must take.

mod double;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use double::{Double, Fault, Faulty, Order, Release, Setup};
use secrecy::SecretString;
use serde_json::{Value, json};
use switchboard::channel::meta::{Meta, MetaSettings};
use switchboard::channel::{
    Channel, Expected, HealthState, MediaError, NetworkTransport, Outbound, Receipt, SendClass, SendError,
    Step, Transport, Upload,
};
use switchboard::message::{
    Address, Choice, Choices, Inbound, InboundBody, MediaHandle, MediaKind, MediaSource, OutboundBody, Place,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const SARI: &str = "6281100000011";

fn settings(double: &Double) -> MetaSettings {
    let secret = |text: &str| SecretString::from(text);
    let setup = double.setup();
    let mut settings = MetaSettings::new(
        &setup.phone_number_id,
        secret(&setup.access_tokens[0]),
        vec![secret(&setup.app_secret)],
        secret(&setup.verify_token),
    );
    settings.base_url = double.base_url();
    settings
}

fn meta(double: &Double) -> Meta {
    Meta::new(settings(double)).unwrap()
}

fn network() -> NetworkTransport {
    NetworkTransport::new(Duration::from_secs(2), Duration::from_secs(20)).unwrap()
}

fn to_sari(body: OutboundBody) -> Outbound {
    Outbound {
        to: Address::WaId(SARI.into()),
        reply_to: None,
        ours: Some("1.7.0".into()),
        body,
    }
}

fn text(body: &str) -> OutboundBody {
    OutboundBody::Text {
        body: body.into(),
        preview: false,
    }
}

async fn carry(meta: &Meta, step: &Step) -> Result<Receipt, SendError> {
    meta.interpret(network().send(meta.encode(step).unwrap()).await, 1)
}

/// Sends a message in all its steps; the first failure ends it.
async fn send(meta: &Meta, outbound: &Outbound) -> Result<Vec<Receipt>, SendError> {
    let mut receipts = Vec::new();
    for step in meta.plan(outbound).steps {
        receipts.push(carry(meta, &step).await?);
    }
    Ok(receipts)
}

async fn class_of(meta: &Meta, outbound: &Outbound) -> SendClass {
    send(meta, outbound).await.unwrap_err().class
}

/// A webhook address that keeps what it gets. Answers with the statuses given, then 200.
struct Inbox {
    url: String,
    taken: Arc<Mutex<Vec<(String, Vec<u8>)>>>,
}

impl Inbox {
    async fn open(mut answers: Vec<u16>) -> Inbox {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhook", listener.local_addr().unwrap());
        let taken = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&taken);
        answers.reverse();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut raw = Vec::new();
                let (head, body) = loop {
                    let mut chunk = [0; 4096];
                    let read = stream.read(&mut chunk).await.unwrap();
                    raw.extend_from_slice(&chunk[..read]);
                    let Some(end) = raw.windows(4).position(|window| window == b"\r\n\r\n") else {
                        continue;
                    };
                    let head = String::from_utf8(raw[..end].to_vec()).unwrap();
                    let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
                    if raw.len() >= end + 4 + length {
                        break (head, raw[end + 4..].to_vec());
                    }
                };
                let status = answers.pop().unwrap_or(200);
                kept.lock()
                    .unwrap()
                    .push((header(&head, "x-hub-signature-256").unwrap(), body));
                let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Inbox { url, taken }
    }

    fn taken(&self) -> Vec<(String, Vec<u8>)> {
        self.taken.lock().unwrap().clone()
    }

    /// Everything that came, checked and decoded by the channel.
    fn events(&self, meta: &Meta) -> Vec<Inbound> {
        let mut events = Vec::new();
        for (signature, raw) in self.taken() {
            let headers = [("x-hub-signature-256".parse().unwrap(), signature.parse().unwrap())];
            meta.authenticate(&headers.into_iter().collect(), &raw).unwrap();
            let decoded = meta.decode(&raw);
            assert_eq!(decoded.problems, []);
            events.extend(decoded.events);
        }
        events
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    let line = head
        .lines()
        .find(|line| line.to_lowercase().starts_with(&format!("{name}:")))?;
    Some(line[name.len() + 1..].trim().to_owned())
}

fn option(id: &str, title: &str) -> Choice {
    Choice {
        id: id.into(),
        title: title.into(),
        description: None,
        section: None,
    }
}

fn menu(options: Vec<Choice>) -> OutboundBody {
    OutboundBody::Choices(Choices {
        header: Some("Kopi Senja".into()),
        body: "What may it be?".into(),
        footer: Some("Prices with tax".into()),
        open: Some("Menu".into()),
        as_list: false,
        options,
    })
}

#[tokio::test]
async fn every_kind_of_message_is_taken() {
    let double = Double::start().await;
    let meta = meta(&double);
    double.customer(SARI).says("Hi");
    let link = MediaSource::Url("https://kopi.example/a".into());
    let media = |media| OutboundBody::Media {
        media,
        source: link.clone(),
        caption: Some("Ours".into()),
        filename: None,
    };
    let bodies = [
        text("Selamat pagi ☕"),
        menu(vec![option("a", "Espresso"), option("b", "Latte")]),
        menu(
            (0..10)
                .map(|n| option(&format!("o{n}"), &format!("Table {n}")))
                .collect(),
        ),
        OutboundBody::Link {
            header: None,
            body: "Our menu".into(),
            footer: None,
            label: "Open".into(),
            url: "https://kopi.example/menu".into(),
        },
        OutboundBody::AskLocation {
            body: "Where are you?".into(),
        },
        OutboundBody::Location(Place {
            lat: -6.2,
            lng: 106.8,
            name: Some("Kopi Senja".into()),
            address: None,
        }),
        media(MediaKind::Photo),
        media(MediaKind::Video),
        media(MediaKind::Document),
        media(MediaKind::Voice),
        media(MediaKind::Audio),
        media(MediaKind::Sticker),
    ];
    for body in bodies {
        send(&meta, &to_sari(body.clone()))
            .await
            .unwrap_or_else(|error| panic!("{body:?}: {error}"));
    }
    let kinds: Vec<String> = double.sent().into_iter().map(|sent| sent.kind).collect();
    assert_eq!(
        kinds,
        [
            "text",
            "interactive",
            "interactive",
            "interactive",
            "interactive",
            "location",
            "image",
            "video",
            "document",
            "audio",
            "text",
            "audio",
            "text",
            "sticker",
            "text"
        ]
    );
}

#[tokio::test]
async fn a_file_is_uploaded_and_then_sent_by_its_id() {
    let double = Double::start().await;
    let meta = meta(&double);
    double.customer(SARI).says("Hi");
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let upload = Upload {
        filename: "menu.jpg".into(),
        mime: "image/jpeg".into(),
        bytes: bytes.clone(),
    };
    let receipt = meta
        .interpret(network().send(meta.encode_upload(&upload).unwrap()).await, 1)
        .unwrap();
    let id = receipt.message_id.unwrap();
    let source = MediaSource::File("menu.jpg".into());
    let body = OutboundBody::Media {
        media: MediaKind::Photo,
        source,
        caption: None,
        filename: None,
    };
    let step = meta.plan(&to_sari(body)).steps.remove(0).uploaded(id.clone());
    carry(&meta, &step).await.unwrap();
    assert_eq!(double.sent()[0].body["image"]["id"], id);
    let handle = MediaHandle::Id { id, url: None };
    let fetched = meta.fetch_media(&handle, Expected::default()).await.unwrap();
    assert_eq!(
        (fetched.bytes, fetched.mime.as_deref()),
        (bytes, Some("image/jpeg"))
    );
}

#[tokio::test]
async fn a_message_is_marked_as_read_while_typing() {
    let double = Double::start().await;
    let meta = meta(&double);
    let message_id = double.customer(SARI).says("Hi");
    let seen = Step::Seen {
        message_id,
        typing: true,
    };
    assert_eq!(carry(&meta, &seen).await, Ok(Receipt { message_id: None }));
}

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
async fn a_customer_known_by_user_id_alone_is_answered_through_recipient() {
    let double = Double::start().await;
    let meta = meta(&double);
    double.customer("PT.4cXy01").named("Rui").says("Olá");
    let mut outbound = to_sari(text("Bom dia"));
    outbound.to = Address::Bsuid("PT.4cXy01".into());
    send(&meta, &outbound).await.unwrap();
    let sent = double.sent();
    assert_eq!((sent[0].to.as_str(), sent[0].body.get("to")), ("PT.4cXy01", None));
}

#[tokio::test]
async fn failures_are_told_apart_by_where_they_happen() {
    let double = Double::with(Setup {
        open_windows: true,
        ..Setup::default()
    })
    .await;
    let meta = meta(&double);
    let to = |digits: &str| Outbound {
        to: Address::WaId(digits.into()),
        ..to_sari(text("Hello"))
    };
    for (digits, class) in [
        ("15550131026", SendClass::Unreachable),
        ("15550131030", SendClass::Unreachable),
        ("15550131047", SendClass::WindowClosed),
        ("15550131056", SendClass::SlowPair(Duration::from_secs(1))),
        ("15550130429", SendClass::SlowChannel(Duration::from_secs(1))),
        ("15550000190", SendClass::StopChannel),
        ("15550000500", SendClass::Ambiguous),
        ("15550000902", SendClass::Ambiguous),
    ] {
        assert_eq!(class_of(&meta, &to(digits)).await, class, "{digits}");
    }
    double.set_registered(false);
    assert_eq!(class_of(&meta, &to(SARI)).await, SendClass::StopChannel);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_ambiguous_and_the_message_was_taken() {
    let double = Double::with(Setup {
        open_windows: true,
        ..Setup::default()
    })
    .await;
    let meta = meta(&double);
    double.fault(Fault::once(Faulty::Hang));
    let step = meta.plan(&to_sari(text("Hello"))).steps.remove(0);
    let hasty = NetworkTransport::new(Duration::from_secs(2), Duration::from_millis(300)).unwrap();
    let outcome = meta.interpret(hasty.send(meta.encode(&step).unwrap()).await, 1);
    assert_eq!(outcome.unwrap_err().class, SendClass::Ambiguous);
    assert_eq!(double.sent().len(), 1);
}

#[tokio::test]
async fn a_refused_connection_was_certainly_not_sent() {
    let double = Double::start().await;
    let meta = meta(&double);
    drop(double);
    let step = meta.plan(&to_sari(text("Hello"))).steps.remove(0);
    // The listener is closed when its task has been dropped, which another task does.
    let class = loop {
        let class = carry(&meta, &step).await.unwrap_err().class;
        if class != SendClass::Ambiguous && class != SendClass::WindowClosed {
            break class;
        }
        tokio::task::yield_now().await;
    };
    assert!(matches!(class, SendClass::Retry(_)), "{class:?}");
}

#[tokio::test]
async fn a_wrong_token_stops_the_channel() {
    let double = Double::start().await;
    let mut settings = settings(&double);
    settings.access_token = SecretString::from("old");
    let meta = Meta::new(settings).unwrap();
    assert_eq!(
        class_of(&meta, &to_sari(text("Hello"))).await,
        SendClass::StopChannel
    );
    let handle = MediaHandle::Id {
        id: "1".into(),
        url: None,
    };
    assert_eq!(
        meta.fetch_media(&handle, Expected::default()).await,
        Err(MediaError::Unauthorised)
    );
    assert!(!meta.health().await.is_well());
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

#[tokio::test]
async fn a_customers_file_is_fetched_in_two_hops_and_again_when_its_address_ran_out() {
    let double = Double::start().await;
    let meta = meta(&double);
    let inbox = Inbox::open(vec![]).await;
    double.point_at(&inbox.url);
    double.customer(SARI).sends_voice(b"OggS not really".to_vec());
    double.settled().await;
    let event = inbox.events(&meta).remove(0);
    let InboundBody::Media(media) = event.body else {
        panic!("{event:?}")
    };
    assert_eq!(media.media, MediaKind::Voice);
    let expected = Expected {
        sha256: media.sha256.as_deref(),
    };
    // By the webhook's own address, which then runs out; by the id; and once more when the new address is old already.
    assert_eq!(
        meta.fetch_media(&media.handle, expected).await.unwrap().bytes,
        b"OggS not really"
    );
    double.advance(Duration::from_secs(301));
    assert_eq!(
        meta.fetch_media(&media.handle, expected).await.unwrap().bytes,
        b"OggS not really"
    );
    double.fault(Fault::once(Faulty::Expired));
    assert_eq!(
        meta.fetch_media(&media.handle, expected).await.unwrap().bytes,
        b"OggS not really"
    );
    double.fault(Fault::once(Faulty::WrongHash));
    assert_eq!(
        meta.fetch_media(&media.handle, expected).await,
        Err(MediaError::WrongHash)
    );
    double.advance(Duration::from_secs(8 * 24 * 3600));
    assert_eq!(
        meta.fetch_media(&media.handle, expected).await,
        Err(MediaError::Gone)
    );
}

#[tokio::test]
async fn a_file_over_the_cap_is_given_up_while_reading() {
    let double = Double::start().await;
    let mut settings = settings(&double);
    settings.media_cap = 1000;
    let meta = Meta::new(settings).unwrap();
    let inbox = Inbox::open(vec![]).await;
    double.point_at(&inbox.url);
    double.customer(SARI).sends_photo(vec![7; 1001], None);
    double.settled().await;
    let InboundBody::Media(media) = inbox.events(&meta).remove(0).body else {
        panic!()
    };
    let outcome = meta.fetch_media(&media.handle, Expected::default()).await;
    assert_eq!(outcome, Err(MediaError::TooLarge { limit: 1000 }));
}

#[tokio::test]
async fn a_tap_comes_back_with_the_id_that_was_sent() {
    let double = Double::start().await;
    let meta = meta(&double);
    let inbox = Inbox::open(vec![]).await;
    let sari = double.customer(SARI);
    sari.says("Hi");
    send(
        &meta,
        &to_sari(menu(vec![option("o1", "Tea"), option("o2", "Coffee")])),
    )
    .await
    .unwrap();
    double.point_at(&inbox.url);
    sari.taps("Coffee");
    double.settled().await;
    let choice = inbox
        .events(&meta)
        .into_iter()
        .find(|event| event.body.starts_a_turn())
        .unwrap();
    assert_eq!(
        choice.body,
        InboundBody::Choice {
            id: Some("o2".into()),
            title: "Coffee".into()
        }
    );
    assert_eq!(choice.reply_to, Some(double.sent()[0].id.clone()));
    assert!(sari.try_taps("Cake").unwrap_err().contains("Tea (o1)"));
}

#[tokio::test]
async fn webhooks_are_escaped_as_meta_does_and_signed_over_those_bytes() {
    let double = Double::start().await;
    let meta = meta(&double);
    let inbox = Inbox::open(vec![]).await;
    double.point_at(&inbox.url);
    double.customer(SARI).says("Kopi ☕ 👍 a/b <c> d@e");
    double.settled().await;
    let raw = String::from_utf8(inbox.taken()[0].1.clone()).unwrap();
    assert!(
        raw.contains(r"Kopi \u2615 \ud83d\udc4d a\/b \u003cc\u003e d\u0040e"),
        "{raw}"
    );
    let reserialised = serde_json::from_str::<Value>(&raw).unwrap().to_string();
    assert_ne!(raw, reserialised);
    let InboundBody::Text { body } = inbox.events(&meta).remove(0).body else {
        panic!()
    };
    assert_eq!(body, "Kopi ☕ 👍 a/b <c> d@e");
}

#[tokio::test]
async fn statuses_carry_our_own_id_and_reach_read() {
    let double = Double::with(Setup {
        delivered_after: Duration::from_millis(800),
        ..Setup::default()
    })
    .await;
    let meta = meta(&double);
    let inbox = Inbox::open(vec![]).await;
    double.customer(SARI).says("Hi");
    double.point_at(&inbox.url);
    send(&meta, &to_sari(text("Hello"))).await.unwrap();
    let ours = |count: usize| {
        let (inbox, meta) = (&inbox, &meta);
        async move {
            loop {
                let events = inbox.events(meta);
                let states: Vec<_> = events
                    .iter()
                    .filter_map(|event| match &event.body {
                        InboundBody::Status(update) if update.ours.as_deref() == Some("1.7.0") => {
                            Some(update.state)
                        }
                        _ => None,
                    })
                    .collect();
                if states.len() >= count {
                    return states;
                }
                tokio::task::yield_now().await;
            }
        }
    };
    use switchboard::message::DeliveryState::{Delivered, Read, Sent};
    assert_eq!(ours(1).await, [Sent]);
    double.advance(Duration::from_secs(1));
    ours(2).await;
    double.advance(Duration::from_secs(1));
    let mut all = ours(3).await;
    all.sort();
    assert_eq!(all, [Sent, Delivered, Read]);
}

#[tokio::test]
async fn webhooks_come_twice_late_reversed_and_batched_on_request() {
    let double = Double::start().await;
    let meta = meta(&double);
    let inbox = Inbox::open(vec![]).await;
    double.point_at(&inbox.url);
    double.hold_webhooks();
    let sari = double.customer(SARI);
    for body in ["one", "two", "three"] {
        sari.says(body);
    }
    double.release(Release {
        order: Order::Reversed,
        batch: true,
        copies: 2,
    });
    double.settled().await;
    assert_eq!(inbox.taken().len(), 2);
    let texts: Vec<String> = inbox
        .events(&meta)
        .into_iter()
        .map(|event| match event.body {
            InboundBody::Text { body } => body,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(texts, ["three", "two", "one", "three", "two", "one"]);
}

#[tokio::test]
async fn a_webhook_that_is_not_answered_with_200_comes_again() {
    let setup = Setup {
        retry_after: Duration::from_secs(60),
        ..Setup::default()
    };
    let double = Double::with(setup).await;
    let meta = meta(&double);
    let inbox = Inbox::open(vec![500, 204]).await;
    double.point_at(&inbox.url);
    double.customer(SARI).says("Hi");
    for attempts in 1..=2 {
        while inbox.taken().len() < attempts {
            tokio::task::yield_now().await;
        }
        // The retry may not have begun to wait yet: the clock is moved until it comes.
        while inbox.taken().len() == attempts {
            double.advance(Duration::from_secs(10));
            tokio::task::yield_now().await;
        }
    }
    double.settled().await;
    let keys: Vec<_> = inbox.events(&meta).into_iter().map(|event| event.key).collect();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0]));
}

#[tokio::test]
async fn health_says_what_is_wrong_with_the_number() {
    let double = Double::start().await;
    let meta = meta(&double);
    double.point_at("http://127.0.0.1:9/webhook");
    let health = meta.health().await;
    assert!(
        health.checks.iter().all(|check| check.state == HealthState::Fine),
        "{health:?}"
    );
    double.set_registered(false);
    let health = meta.health().await;
    assert!(
        health
            .checks
            .iter()
            .any(|check| check.state == HealthState::Broken && check.says.contains("register"))
    );
}

#[tokio::test]
async fn the_same_seed_gives_the_same_ids() {
    let ids = || async {
        let double = Double::start().await;
        let sari = double.customer(SARI);
        [sari.says("one"), sari.says("two")]
    };
    assert_eq!(ids().await, ids().await);
}

//! What the channel sends, and how it reads what became of it.

use std::time::Duration;

use switchboard::channel::{Expected, HealthState, MediaError};
use switchboard::message::{MediaHandle, MediaKind, MediaSource, Place};

use crate::double::{Fault, Faulty};
use crate::*;

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

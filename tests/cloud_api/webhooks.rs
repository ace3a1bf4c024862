//! What the double tells, and that the channel accepts and reads it.

use serde_json::Value;
use switchboard::message::{DeliveryState, Inbound, InboundBody};

use crate::double::{Order, Release};
use crate::inbox::Inbox;
use crate::*;

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
    let raw = String::from_utf8(inbox.taken()[0].raw.clone()).unwrap();
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
    double.settled().await;
    double.point_at(&inbox.url);
    send(&meta, &to_sari(text("Hello"))).await.unwrap();
    let states = || -> Vec<DeliveryState> {
        let events: Vec<Inbound> = inbox.events(&meta);
        let state = |event: &Inbound| match &event.body {
            InboundBody::Status(update) if update.ours.as_deref() == Some("1.7.0") => Some(update.state),
            _ => None,
        };
        events.iter().filter_map(state).collect()
    };
    inbox.wait_for(1).await;
    assert_eq!(states(), [DeliveryState::Sent]);
    // The next status may not be waiting for its time yet: the clock is moved until it comes.
    for count in 2..=3 {
        while inbox.taken().len() < count {
            double.advance(Duration::from_millis(800));
            tokio::task::yield_now().await;
        }
    }
    let mut all = states();
    all.sort();
    assert_eq!(
        all,
        [DeliveryState::Sent, DeliveryState::Delivered, DeliveryState::Read]
    );
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
        inbox.wait_for(attempts).await;
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
async fn the_same_seed_gives_the_same_ids() {
    let ids = || async {
        let double = Double::start().await;
        let sari = double.customer(SARI);
        [sari.says("one"), sari.says("two")]
    };
    assert_eq!(ids().await, ids().await);
}

#[tokio::test]
async fn some_messages_are_read_before_they_are_delivered_and_the_seed_decides_which() {
    let overtaken = |seed| async move {
        let double = Double::with(Setup {
            seed,
            delivered_after: Duration::ZERO,
            ..Setup::default()
        })
        .await;
        let meta = meta(&double);
        let inbox = Inbox::open(vec![]).await;
        double.customer(SARI).says("Hi");
        double.settled().await;
        double.point_at(&inbox.url);
        for n in 0..16 {
            send(&meta, &to_sari(text(&n.to_string()))).await.unwrap();
        }
        inbox.wait_for(16 * 3).await;
        let events = inbox.events(&meta);
        let at = |id: &str, state| {
            let is = |event: &Inbound| matches!(&event.body, InboundBody::Status(update) if update.message_id == id && update.state == state);
            events.iter().position(is)
        };
        let sent = double.sent();
        let before = |id: &str| at(id, DeliveryState::Read) < at(id, DeliveryState::Delivered);
        sent.iter().map(|sent| before(&sent.id)).collect::<Vec<bool>>()
    };
    let first = overtaken(7).await;
    assert!(first.contains(&true) && first.contains(&false), "{first:?}");
    assert_eq!(first, overtaken(7).await);
}

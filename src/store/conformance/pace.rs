//! How fast messages leave: one person is not flooded, and a number keeps to what its provider allows.

use std::time::Duration;

use switchboard::store::{Due, OutboxEntry, Pace, Rate, SendOutcome, Status};

use super::Open;
use super::bed::{Bed, CHANNEL, bed, bot, person};

const PACE: Pace = Pace {
    every: Duration::from_secs(6),
    burst: 3,
};

fn accepted(id: &str) -> SendOutcome {
    SendOutcome::Accepted {
        message_id: Some(format!("wamid.{id}")),
        pace: Some(PACE),
    }
}

async fn sends(bed: &Bed, contact: switchboard::store::ContactId, id: &str) {
    let claim = bed.send_claim(contact).await.expect("it may leave");
    assert_eq!(claim.entry.id, id);
    assert!(bed.store.send_done(&claim, &accepted(id)).await.unwrap());
}

fn five() -> Vec<OutboxEntry> {
    ["1", "2", "3", "4", "5"].map(bot).into()
}

pub async fn a_pair_is_paced_after_its_burst(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, five()).await;
    for id in ["1", "2", "3"] {
        sends(&bed, ana, id).await;
    }
    assert!(bed.send_claim(ana).await.is_none());
    assert!(bed.store.due(Due::Send, 10).await.unwrap().is_empty());
    assert_eq!(
        bed.store.next_due(Due::Send).await.unwrap(),
        Some(bed.in_millis(6_000))
    );
    bed.pass(5_999);
    assert!(bed.send_claim(ana).await.is_none());
    bed.pass(1);
    sends(&bed, ana, "4").await;
    assert!(bed.send_claim(ana).await.is_none());
    bed.pass(6_000);
    sends(&bed, ana, "5").await;
}

pub async fn what_was_borrowed_is_given_back_by_waiting(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, five()).await;
    for id in ["1", "2", "3"] {
        sends(&bed, ana, id).await;
    }
    bed.pass(12_000);
    for id in ["4", "5"] {
        sends(&bed, ana, id).await;
    }
    bed.answer(ana, vec![bot("6"), bot("7")]).await;
    assert!(bed.send_claim(ana).await.is_none(), "what comes later waits too");
    bed.pass(6_000);
    sends(&bed, ana, "6").await;
    assert!(bed.send_claim(ana).await.is_none());
}

pub async fn a_paced_contact_holds_nobody_else_back(open: Open) {
    let bed = bed(open).await;
    let (ana, budi) = (bed.contact("ana").await, bed.contact("budi").await);
    bed.answer(ana, five()).await;
    bed.answer(budi, vec![bot("b")]).await;
    for id in ["1", "2", "3"] {
        sends(&bed, ana, id).await;
    }
    assert_eq!(bed.store.due(Due::Send, 10).await.unwrap(), [budi]);
    sends(&bed, budi, "b").await;
}

pub async fn what_people_write_counts_and_waits_too(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, vec![bot("1"), person("2"), person("3"), person("4")])
        .await;
    for id in ["1", "2", "3"] {
        sends(&bed, ana, id).await;
    }
    assert!(bed.send_claim(ana).await.is_none());
    bed.pass(6_000);
    sends(&bed, ana, "4").await;
}

pub async fn a_message_that_a_status_settles_first_counts_once(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, five()).await;
    for id in ["1", "2", "3"] {
        let claim = bed.send_claim(ana).await.expect("it may leave");
        let status = Status {
            message_id: format!("wamid.{id}"),
            ours: Some(id.to_owned()),
            rank: 1,
            state: "sent".into(),
            error: None,
            pace: Some(PACE),
        };
        // The provider's word overtakes its answer, and comes twice.
        for _ in 0..2 {
            assert!(bed.store.reconcile(CHANNEL, &status).await.unwrap());
        }
        assert!(bed.store.send_done(&claim, &accepted(id)).await.unwrap());
    }
    assert!(bed.send_claim(ana).await.is_none());
    assert_eq!(
        bed.store.next_due(Due::Send).await.unwrap(),
        Some(bed.in_millis(6_000))
    );
    bed.pass(6_000);
    sends(&bed, ana, "4").await;
}

pub async fn an_accept_that_is_recorded_twice_counts_once(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, five()).await;
    for id in ["1", "2", "3"] {
        let claim = bed.send_claim(ana).await.expect("it may leave");
        for _ in 0..3 {
            assert!(bed.store.send_done(&claim, &accepted(id)).await.unwrap());
        }
    }
    bed.pass(6_000);
    sends(&bed, ana, "4").await;
}

pub async fn what_did_not_leave_does_not_count(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, five()).await;
    for _ in 0..5 {
        let claim = bed.send_claim(ana).await.expect("it may leave");
        let retry = SendOutcome::Retry {
            at: bed.store.now(),
            why: "too many messages".into(),
        };
        assert!(bed.store.send_done(&claim, &retry).await.unwrap());
    }
    for id in ["1", "2", "3"] {
        sends(&bed, ana, id).await;
    }
}

pub async fn the_pace_outlives_the_process(open: Open) {
    let mut bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, five()).await;
    for id in ["1", "2", "3"] {
        sends(&bed, ana, id).await;
    }
    bed.reopen().await;
    assert!(bed.send_claim(ana).await.is_none());
    bed.pass(6_000);
    sends(&bed, ana, "4").await;
}

const RATE: Rate = Rate {
    per_second: 10,
    burst: 20,
};

pub async fn tokens_run_out_after_the_burst_and_come_back_at_the_rate(open: Open) {
    let bed = bed(open).await;
    let take = async |want| {
        let tokens = bed.store.take_tokens(CHANNEL, want, RATE).await.unwrap();
        (
            tokens.granted,
            tokens.wait.map_or(0, |wait| wait.as_millis() as u64),
        )
    };
    assert_eq!(take(0).await, (0, 0));
    assert_eq!(take(15).await, (15, 0));
    assert_eq!(take(15).await, (5, 100));
    assert_eq!(take(1).await, (0, 100));
    bed.pass(99);
    assert_eq!(take(1).await, (0, 1));
    bed.pass(1);
    assert_eq!(take(1).await, (1, 0));
    bed.pass(1_000);
    assert_eq!(take(50).await, (10, 100));
    bed.pass(60_000);
    assert_eq!(take(50).await, (20, 100), "never more than a burst");
}

pub async fn each_number_has_its_own_tokens(open: Open) {
    let bed = bed(open).await;
    for channel in [CHANNEL, "number-two"] {
        let tokens = bed.store.take_tokens(channel, 20, RATE).await.unwrap();
        assert_eq!(tokens.granted, 20);
    }
}

pub async fn of_many_takers_at_once_none_gets_anothers_token(open: Open) {
    let bed = bed(open).await;
    let takers = (0..32).map(|_| {
        let store = bed.store.clone();
        tokio::spawn(async move { store.take_tokens(CHANNEL, 1, RATE).await.unwrap().granted })
    });
    let mut granted = 0;
    for taker in takers.collect::<Vec<_>>() {
        granted += taker.await.unwrap();
    }
    assert_eq!(granted, 20);
}

pub async fn a_clock_set_back_does_not_stop_a_number(open: Open) {
    let bed = bed(open).await;
    bed.store.take_tokens(CHANNEL, 20, RATE).await.unwrap();
    bed.shift(-3_600_000);
    let tokens = bed.store.take_tokens(CHANNEL, 1, RATE).await.unwrap();
    assert_eq!(
        (tokens.granted, tokens.wait),
        (0, Some(Duration::from_millis(100)))
    );
    bed.pass(100);
    assert_eq!(bed.store.take_tokens(CHANNEL, 1, RATE).await.unwrap().granted, 1);
}

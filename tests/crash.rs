//! The process dies at any point, as by `kill -9`, and is started again: what was promised to the provider and to the
//! customer still happens, once.

// Helpers of tests stand outside test functions here; a panic is how they say that a promise was broken.
#![allow(clippy::unwrap_used)]

mod bot;
mod double;

use std::time::Duration;

use bot::shop::Shop;
use bot::{Bot, heard, texts};
use double::{Double, Setup};

const SARI: &str = "6281100000011";
const HELLO: &str = "Hello! What can I do for you?";
const NUMBER: &str = "What's your order number?";

/// Longer than any lease, in seconds.
const PAST_ALL_LEASES: &str = "100";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_committed_but_not_sent_is_sent_after_a_kill_exactly_as_promised() {
    let double = Double::start().await;
    let mut bot = Bot::new(&double);
    bot.env("SWITCHBOARD_FAILPOINT", "after_commit:hold");
    bot.start(&double).await;
    double.customer(SARI).says("Hi");
    bot.line("failpoint after_commit reached")
        .await
        .expect("the turn is committed");
    bot.kill();
    assert!(double.sent().is_empty());

    bot.env("SWITCHBOARD_FAILPOINT", "");
    bot.start(&double).await;
    assert_eq!(heard(&double, SARI, 1).await, [HELLO]);
    double.settled().await;
    assert_eq!(double.sent().len(), 1);
    double.customer(SARI).taps("Track my order");
    assert_eq!(heard(&double, SARI, 2).await, [HELLO, NUMBER]);
}

#[cfg(feature = "voice")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voice_note_is_understood_and_its_reply_survives_a_kill() {
    let (double, shop) = (Double::start().await, Shop::start().await);
    let mut bot = Bot::new(&double)
        .with(&double, &shop.config())
        .with(&double, &bot::voice());
    bot.start(&double).await;
    let sari = double.customer(SARI);
    sari.says("Hi");
    heard(&double, SARI, 1).await;

    sari.sends_voice(bot::sound("track-my-order.ogg"));
    // What is typed while the note is listened to waits for its turn.
    sari.says("A-12345");
    assert_eq!(
        heard(&double, SARI, 4).await,
        [HELLO, NUMBER, "Order A-12345 is on its way.", "Bye!"]
    );

    bot.stop();
    bot.env("SWITCHBOARD_FAILPOINT", "after_commit:hold");
    bot.start(&double).await;
    sari.sends_voice(bot::sound("talk-to-a-person.ogg"));
    bot.line("failpoint after_commit reached")
        .await
        .expect("the turn is committed");
    bot.kill();
    assert_eq!(texts(&double.sent(), SARI).len(), 4);
    bot.env("SWITCHBOARD_FAILPOINT", "");
    bot.start(&double).await;
    let heard = heard(&double, SARI, 5).await;
    assert_ne!(heard[4], "", "{heard:?}");
    bot.line("sent").await;
    assert_eq!(texts(&double.sent(), SARI).len(), 5);
}

/// Kills the process at `place` while it tracks an order, and lets another finish. `most` is how often a message may
/// have been sent.
async fn survives(place: &str, most: usize) {
    let double = Double::with(Setup {
        delivered_after: Duration::ZERO,
        retry_after: Duration::from_millis(100),
        ..Setup::default()
    })
    .await;
    let shop = Shop::start().await;
    let mut bot = Bot::new(&double).with(&double, &shop.config());
    bot.start(&double).await;
    let sari = double.customer(SARI);
    sari.says("Hi");
    heard(&double, SARI, 1).await;
    sari.taps("Track my order");
    heard(&double, SARI, 2).await;
    bot.stop();

    bot.env("SWITCHBOARD_FAILPOINT", &format!("{place}:abort"));
    bot.start(&double).await;
    sari.says("A-12345");
    bot.ended_in_time().await;

    bot.env("SWITCHBOARD_FAILPOINT", "");
    bot.env("SWITCHBOARD_CLOCK_AHEAD", PAST_ALL_LEASES);
    bot.start(&double).await;
    let said = [HELLO, NUMBER, "Order A-12345 is on its way.", "Bye!"];
    double
        .wait_until("the last word", |sent| {
            texts(sent, SARI).contains(&said[3].to_owned())
        })
        .await;
    double.settled().await;
    let mut all = texts(&double.sent(), SARI);
    assert!(all.len() <= said.len() + most, "{place}: {all:?}");
    all.dedup();
    assert_eq!(all, said, "{place}");
    let mut keys: Vec<_> = shop.calls().into_iter().map(|call| call.key).collect();
    keys.dedup();
    assert_eq!(
        keys.len(),
        1,
        "{place}: the service can't tell a repetition from news"
    );
}

macro_rules! survives {
    ($($name:ident $place:literal $most:literal;)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            survives($place, $most).await;
        })*
    };
}

survives! {
    a_kill_after_a_claim_changes_nothing_for_the_customer "after_claim" 0;
    a_kill_before_a_commit_changes_nothing_for_the_customer "before_commit" 0;
    a_kill_after_a_commit_changes_nothing_for_the_customer "after_commit" 0;
    a_kill_before_a_job_is_done_changes_nothing_for_the_customer "before_job_done" 0;
    a_kill_before_sending_changes_nothing_for_the_customer "before_send" 0;
    // The double's status tells that the message arrived, so that even here nothing is sent twice.
    a_kill_after_sending_is_settled_by_the_provider_s_status "after_send" 0;
    a_kill_before_the_receipt_is_written_is_settled_by_the_provider_s_status "before_send_done" 0;
}

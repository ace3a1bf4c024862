//! Calls of services: each is made by one worker, whoever stops, dies or is cut off, and its answer comes once.

use std::time::Duration;

use super::bot::shop::Shop;
use super::bot::{Bot, heard, texts};
use super::double::Double;
use super::{BUDI, HELLO, SARI, STORY, double, redis, until, what_kills_it_is_put_aside, worker};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asked_to_stop_while_the_store_hangs_a_worker_stops_in_time_and_nothing_is_lost() {
    let (double, server, shop) = (double().await, redis::Server::plain(), Shop::start().await);
    let worker = || patient(&double, &server, &shop, "10");
    let (mut one, mut two) = (worker(), worker());
    one.start(&double).await;
    waits_for_the_shop(&double, &shop).await;
    let budi = double.customer(BUDI);
    budi.says("Hi");
    heard(&double, BUDI, 1).await;
    // What was sent and not yet written down would rightly go out once more.
    let budis =
        switchboard::store::ContactId::of("main", &switchboard::store::Alias(format!("phone:{BUDI}")));
    let sent = format!("sent channel=\"main\" contact={}", &budis.to_string()[..16]);
    one.line(&sent).await.expect("it is written down");
    server.freeze();
    budi.taps("Leave a message");
    shop.release();
    let (status, took) = one.stop();
    server.thaw();
    assert!(status.success());
    // Twenty seconds for what is in flight, and some for the store.
    assert!(took < Duration::from_secs(25), "it took {took:?}");
    two.start(&double).await;
    assert_eq!(heard(&double, BUDI, 2).await, [HELLO, STORY]);
    let said = heard(&double, SARI, 4).await;
    assert_eq!(said[2..], ["Order A-12345 is on its way.", "Bye!"]);
}

/// A worker whose flow is very patient with the shop. Its leases of jobs last `90 s / haste`.
fn patient(double: &Double, server: &redis::Server, shop: &Shop, haste: &str) -> Bot {
    let mut bot = worker(double, server).with(double, &shop.config());
    bot.env("SWITCHBOARD_HASTE", haste);
    let business = bot.flows().join("business.flow");
    let text = std::fs::read_to_string(&business).unwrap();
    let gives = "    gives status: text\n";
    assert!(text.contains(gives));
    std::fs::write(
        &business,
        text.replace(gives, &format!("    timeout 10 minutes\n{gives}")),
    )
    .unwrap();
    bot
}

/// Sari has asked for her order; the shop has heard of it and does not answer yet.
async fn waits_for_the_shop(double: &Double, shop: &Shop) {
    shop.hold();
    double.customer(SARI).says("Hi");
    heard(double, SARI, 1).await;
    double.customer(SARI).taps("Track my order");
    heard(double, SARI, 2).await;
    double.customer(SARI).says("A-12345");
    shop.asked(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_outlasts_its_lease_is_made_once_however_many_workers_there_are() {
    let (double, server, shop) = (double().await, redis::Server::plain(), Shop::start().await);
    let worker = || patient(&double, &server, &shop, "30");
    let (mut one, mut two) = (worker(), worker());
    one.start(&double).await;
    two.start(&double).await;
    waits_for_the_shop(&double, &shop).await;
    // Its lease is prolonged again and again, past where it would have ended twice over.
    let mut ends = std::collections::BTreeSet::new();
    until("renewals", async || {
        let keys = server.must(&["KEYS", "sb:*:jobs"]);
        for key in keys.list() {
            let job = server.must(&["ZRANGE", &key.text(), "0", "0", "WITHSCORES"]);
            ends.extend(job.list().get(1).map(redis::Reply::text));
        }
        ends.len() > 6
    })
    .await;
    assert_eq!(shop.calls().len(), 1, "another worker made the call too");
    shop.release();
    let said = heard(&double, SARI, 4).await;
    assert_eq!(said[2..], ["Order A-12345 is on its way.", "Bye!"]);
    double.settled().await;
    assert_eq!(shop.calls().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_call_of_a_worker_that_was_cut_off_is_made_by_the_other_and_what_the_first_heard_is_refused() {
    let (double, server, shop) = (double().await, redis::Server::plain(), Shop::start().await);
    let worker = || patient(&double, &server, &shop, "30");
    let (mut one, mut two) = (worker(), worker());
    one.start(&double).await;
    waits_for_the_shop(&double, &shop).await;
    one.signal("-STOP");
    two.start(&double).await;
    shop.asked(2).await;
    one.signal("-CONT");
    one.line("another worker took a job").await.expect("it notices");
    shop.release();
    let said = heard(&double, SARI, 4).await;
    assert_eq!(said[2..], ["Order A-12345 is on its way.", "Bye!"]);
    double.settled().await;
    assert_eq!(texts(&double.sent(), SARI).len(), 4);
    let keys: Vec<_> = shop.calls().into_iter().map(|call| call.key).collect();
    assert!(
        keys.len() == 2 && keys[0] == keys[1] && keys[0].is_some(),
        "{keys:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asked_to_stop_a_worker_gives_back_a_call_that_nobody_answers() {
    let (double, server, shop) = (double().await, redis::Server::plain(), Shop::start().await);
    // A lease would be missed here.
    let worker = || patient(&double, &server, &shop, "1").with(&double, "[limits]\ndrain_seconds = 1\n");
    let (mut one, mut two) = (worker(), worker());
    one.start(&double).await;
    waits_for_the_shop(&double, &shop).await;
    assert!(one.stop().0.success());
    two.start(&double).await;
    shop.asked(2).await;
    shop.release();
    let said = heard(&double, SARI, 4).await;
    assert_eq!(said[2..], ["Order A-12345 is on its way.", "Bye!"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_that_waits_for_a_result_that_killed_its_workers_hears_that_there_is_none() {
    let (double, server, shop) = (double().await, redis::Server::plain(), Shop::start().await);
    let mut bot = patient(&double, &server, &shop, "30").with(&double, "[limits]\ndrain_seconds = 1\n");
    bot.start(&double).await;
    waits_for_the_shop(&double, &shop).await;
    bot.stop();
    bot.env("SWITCHBOARD_FAILPOINT", "after_claim:abort");
    bot.start(&double).await;
    // The call is made again, and its answer is what each of three workers dies on.
    shop.asked(2).await;
    shop.release();
    what_kills_it_is_put_aside(&mut bot, &double).await;
    let said = heard(&double, SARI, 3).await;
    assert_eq!(
        said[2],
        "Something went wrong on our side. A colleague will help."
    );
}

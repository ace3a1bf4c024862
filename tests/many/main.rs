//! Several processes over one Redis: whoever takes a customer's message, the conversation is one; whoever dies, stops or
//! loses the store, nothing is lost and nothing is said twice.

// Helpers of tests stand outside test functions here; a panic is how they say that a promise was broken.
#![allow(clippy::unwrap_used)]

#[path = "../bot/mod.rs"]
mod bot;
#[path = "../double/mod.rs"]
mod double;
#[path = "../redis/mod.rs"]
mod redis;

mod away;
mod calls;
mod told;

use std::time::{Duration, Instant};

use bot::{Bot, heard, texts};
use double::{Double, Release, Setup};
use serde_json::{Value, json};

const SARI: &str = "6281100000011";
const BUDI: &str = "6281100000012";
const HELLO: &str = "Hello! What can I do for you?";
const STORY: &str = "Tell me, typed or as a voice note.";

/// A double that repeats soon what was refused.
async fn double() -> Double {
    Double::with(Setup {
        retry_after: Duration::from_millis(200),
        open_windows: true,
        ..Setup::default()
    })
    .await
}

/// A worker on this store, not started yet. Its leases are short.
fn worker(double: &Double, server: &redis::Server) -> Bot {
    let mut bot = Bot::new(double)
        .on(double, &server.url())
        .with(double, "admin_token = { env = \"ADMIN\" }\n");
    bot.env("ADMIN", "operators-token");
    bot.env("SWITCHBOARD_HASTE", "10");
    bot
}

async fn address_of(bot: &Bot) -> String {
    let line = bot.line("listening on ").await.expect("an address");
    line.split_once("listening on ").unwrap().1.to_owned()
}

async fn point(double: &Double, bot: &Bot) {
    double.point_at(format!("{}/webhook/main", address_of(bot).await));
}

async fn ask(bot: &Bot, method: reqwest::Method, path: &str, body: Value) -> (u16, Value) {
    let request = reqwest::Client::new()
        .request(method, format!("{}{path}", address_of(bot).await))
        .header("authorization", "Bearer operators-token")
        .json(&body);
    let answer = request.send().await.expect("it answers");
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or(Value::Null))
}

/// Asks until the answer is as wanted.
async fn until(what: &str, mut wanted: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !wanted().await {
        assert!(began.elapsed() < bot::PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_answer_each_customer_once_whichever_takes_the_webhook() {
    let (double, server) = (double().await, redis::Server::plain());
    let (mut one, mut two) = (worker(&double, &server), worker(&double, &server));
    one.start(&double).await;
    two.start(&double).await;
    let customers: Vec<String> = (0..30).map(|n| format!("62811000003{n:02}")).collect();
    for (n, customer) in customers.iter().enumerate() {
        point(&double, if n % 2 == 0 { &one } else { &two }).await;
        double.customer(customer).says("Hi");
    }
    for customer in &customers {
        assert_eq!(heard(&double, customer, 1).await, [HELLO]);
    }
    // The other one goes on with each conversation.
    for (n, customer) in customers.iter().enumerate() {
        point(&double, if n % 2 == 0 { &two } else { &one }).await;
        double.customer(customer).taps("Leave a message");
    }
    for customer in &customers {
        assert_eq!(heard(&double, customer, 2).await, [HELLO, STORY]);
    }
    double.settled().await;
    assert_eq!(double.sent().len(), customers.len() * 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_worker_publishes_is_live_on_the_other_within_seconds_and_so_is_its_autopilot_switch() {
    let (double, server) = (double().await, redis::Server::plain());
    let (mut one, mut two) = (worker(&double, &server), worker(&double, &server));
    two.start(&double).await;
    one.start(&double).await;
    let desk = one.flows().join("desk.flow");
    let good = std::fs::read_to_string(&desk).unwrap();
    std::fs::write(&desk, good.replace(HELLO, "Welcome!")).unwrap();
    one.signal("-HUP");
    two.line("another process has published")
        .await
        .expect("it hears of it");
    point(&double, &two).await;
    double.customer(SARI).says("Hi");
    assert_eq!(heard(&double, SARI, 1).await, ["Welcome!"]);

    let off = json!({ "on": false });
    let (done, _) = ask(&one, reqwest::Method::POST, "/api/channels/main/autopilot", off).await;
    assert_eq!(done, 200);
    until("the other worker's switch", async || {
        let (_, numbers) = ask(&two, reqwest::Method::GET, "/api/channels", Value::Null).await;
        numbers[0]["autopilot"] == false
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_takeover_on_one_worker_silences_the_other_in_the_middle_of_a_turn() {
    let (double, server) = (double().await, redis::Server::plain());
    let (mut slow, mut other) = (worker(&double, &server), worker(&double, &server));
    slow.env("SWITCHBOARD_HASTE", "1");
    slow.env("SWITCHBOARD_FAILPOINT", "before_commit:pause=3000@2");
    slow.start(&double).await;
    let sari = double.customer(SARI);
    sari.says("Hi");
    heard(&double, SARI, 1).await;
    sari.taps("Leave a message");
    slow.line("failpoint before_commit reached")
        .await
        .expect("a turn");
    other.try_start(&double, &[]).await.expect("it starts");
    let (_, all) = ask(&other, reqwest::Method::GET, "/api/conversations", Value::Null).await;
    let contact = all[0]["contact"].as_str().expect("a conversation").to_owned();
    let take = json!({ "agent": "Ana" });
    let path = format!("/api/conversations/{contact}/take");
    assert_eq!(ask(&other, reqwest::Method::POST, &path, take).await.0, 200);
    let say = json!({ "agent": "Ana", "text": "Ana here." });
    let path = format!("/api/conversations/{contact}/say");
    assert_eq!(ask(&other, reqwest::Method::POST, &path, say).await.0, 200);
    assert_eq!(heard(&double, SARI, 2).await, [HELLO, "Ana here."]);
    double.settled().await;
    assert_eq!(texts(&double.sent(), SARI), [HELLO, "Ana here."]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_work_of_a_worker_that_dies_is_finished_by_the_other() {
    for place in [
        "after_claim",
        "before_commit",
        "after_commit",
        "before_send",
        "before_send_done",
    ] {
        let (double, server) = (double().await, redis::Server::plain());
        let (mut dies, mut lives) = (worker(&double, &server), worker(&double, &server));
        dies.env("SWITCHBOARD_FAILPOINT", &format!("{place}:abort"));
        dies.start(&double).await;
        double.customer(SARI).says("Hi");
        dies.ended_in_time().await;
        lives.start(&double).await;
        assert_eq!(heard(&double, SARI, 1).await, [HELLO], "{place}");
        double.customer(SARI).taps("Leave a message");
        assert_eq!(heard(&double, SARI, 2).await, [HELLO, STORY], "{place}");
        double.settled().await;
        assert_eq!(double.sent().len(), 2, "{place}");
    }
}

/// A tap is claimed in the step that stores it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tap_that_was_claimed_as_it_came_in_is_answered_although_its_worker_died() {
    let (double, server) = (double().await, redis::Server::plain());
    let (mut dies, mut lives) = (worker(&double, &server), worker(&double, &server));
    dies.start(&double).await;
    double.customer(SARI).says("Hi");
    assert_eq!(heard(&double, SARI, 1).await, [HELLO]);
    dies.stop();
    dies.env("SWITCHBOARD_FAILPOINT", "after_claim:abort");
    dies.start(&double).await;
    double.customer(SARI).taps("Leave a message");
    dies.ended_in_time().await;
    lives.start(&double).await;
    assert_eq!(heard(&double, SARI, 2).await, [HELLO, STORY]);
    double.settled().await;
    assert_eq!(double.sent().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_too_slow_to_send_leaves_it_to_the_one_that_took_over() {
    // No status tells anybody that the message is through.
    let double = Double::with(Setup {
        statuses: false,
        open_windows: true,
        ..Setup::default()
    })
    .await;
    let server = redis::Server::plain();
    let (mut slow, mut other) = (worker(&double, &server), worker(&double, &server));
    slow.env("SWITCHBOARD_FAILPOINT", "after_preparing:pause=4000@1");
    slow.start(&double).await;
    other.start(&double).await;
    point(&double, &slow).await;
    double.customer(SARI).says("Hi");
    slow.line("failpoint after_preparing reached")
        .await
        .expect("it is slow");
    assert_eq!(heard(&double, SARI, 1).await, [HELLO]);
    slow.line("a status or another sender settled a message first")
        .await
        .expect("it says that another has it");
    other.line(" sent channel=").await.expect("the other sends it");
    assert_eq!(double.sent().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asked_to_stop_a_worker_leaves_nothing_that_the_other_has_to_wait_for() {
    let (double, server) = (double().await, redis::Server::plain());
    let (mut one, mut two) = (worker(&double, &server), worker(&double, &server));
    // Long leases: what were kept would be missed here.
    one.env("SWITCHBOARD_HASTE", "1");
    two.env("SWITCHBOARD_HASTE", "1");
    one.start(&double).await;
    let customers: Vec<String> = (0..40).map(|n| format!("62811000004{n:02}")).collect();
    double.hold_webhooks();
    for customer in &customers {
        double.customer(customer).says("Hi");
    }
    double.release(Release::default());
    heard(&double, &customers[0], 1).await;
    let (status, took) = one.stop();
    assert!(status.success());
    assert!(took < Duration::from_secs(25), "it took {took:?}");
    let began = Instant::now();
    two.start(&double).await;
    for customer in &customers {
        assert_eq!(heard(&double, customer, 1).await, [HELLO]);
    }
    assert!(
        began.elapsed() < Duration::from_secs(18),
        "a lease was waited for"
    );
    double.settled().await;
    assert_eq!(double.sent().len(), customers.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_erased_on_one_worker_is_answered_anew_by_the_other_that_still_knew_them() {
    let (double, server) = (double().await, redis::Server::plain());
    let (mut one, mut two) = (worker(&double, &server), worker(&double, &server));
    two.start(&double).await;
    one.start(&double).await;
    // First known by the user id alone, and then by the number too: who comes back is another contact.
    let hidden = double.customer(&format!("ID.{SARI:0>20}"));
    let sari = double.customer(SARI);
    assert_eq!(sari.user_id(), hidden.id());
    point(&double, &two).await;
    hidden.says("Hi");
    heard(&double, hidden.id(), 1).await;
    sari.says("Hi");
    heard(&double, SARI, 1).await;
    let (_, all) = ask(&one, reqwest::Method::GET, "/api/conversations", Value::Null).await;
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
    let was = all[0]["contact"].as_str().expect("a conversation").to_owned();

    let path = format!("/api/conversations/{was}");
    let (done, _) = ask(&one, reqwest::Method::DELETE, &path, Value::Null).await;
    assert!((200..300).contains(&done), "{done}");
    sari.says("Hi");
    // As a new customer is, and in this conversation only.
    assert_eq!(heard(&double, SARI, 2).await[1..], [HELLO]);
    sari.taps("Leave a message");
    assert_eq!(heard(&double, SARI, 3).await[2..], [STORY]);
    double.settled().await;
    assert_eq!(texts(&double.sent(), SARI).len(), 3);
    // Nothing of hers is left where she was.
    let (_, all) = ask(&two, reqwest::Method::GET, "/api/conversations", Value::Null).await;
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
    assert_ne!(all[0]["contact"], was.as_str());
}

/// A worker dies at each claim, three times, until what it claims is put aside; then it lives.
async fn what_kills_it_is_put_aside(bot: &mut Bot, double: &Double) {
    bot.ended_in_time().await;
    for _ in 0..2 {
        // It comes due again with the end of its lease.
        if bot.try_start(double, &[]).await.is_ok() {
            bot.ended_in_time().await;
        }
    }
    bot.env("SWITCHBOARD_FAILPOINT", "");
    bot.start(double).await;
    bot.line("is put aside").await.expect("the log says so");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_kills_its_workers_is_put_aside_and_a_person_is_told() {
    let (double, server) = (double().await, redis::Server::plain());
    let mut bot = worker(&double, &server);
    bot.start(&double).await;
    double.customer(SARI).says("Hi");
    heard(&double, SARI, 1).await;
    bot.stop();
    bot.env("SWITCHBOARD_FAILPOINT", "after_claim:abort");
    bot.start(&double).await;
    double.customer(SARI).says("this one kills");
    what_kills_it_is_put_aside(&mut bot, &double).await;
    until("a note in the thread", async || {
        let (_, all) = ask(&bot, reqwest::Method::GET, "/api/conversations", Value::Null).await;
        let path = format!("/api/conversations/{}", all[0]["contact"].as_str().unwrap());
        let (_, shown) = ask(&bot, reqwest::Method::GET, &path, Value::Null).await;
        shown["thread"].to_string().contains("answer it yourself")
    })
    .await;
    double.customer(SARI).taps("Leave a message");
    assert_eq!(heard(&double, SARI, 2).await, [HELLO, STORY]);
}

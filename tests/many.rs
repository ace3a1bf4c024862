//! Several processes over one Redis: whoever takes a customer's message, the conversation is one; whoever dies, stops or
//! loses the store, nothing is lost and nothing is said twice.

// Helpers of tests stand outside test functions here; a panic is how they say that a promise was broken.
#![allow(clippy::unwrap_used)]

mod bot;
mod double;
mod redis;

use std::time::{Duration, Instant};

use bot::shop::Shop;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_was_given_up_while_the_store_hung_is_answered_once_it_goes_on() {
    let (double, server) = (double().await, redis::Server::plain());
    let mut bot = worker(&double, &server);
    bot.env("SWITCHBOARD_HASTE", "1");
    bot.start(&double).await;
    let sari = double.customer(SARI);
    sari.says("Hi");
    heard(&double, SARI, 1).await;
    double.settled().await;
    server.freeze();
    sari.taps("Leave a message");
    bot.line("a webhook could not be stored")
        .await
        .expect("it is given up");
    server.thaw();
    let thawed = Instant::now();
    assert_eq!(heard(&double, SARI, 2).await, [HELLO, STORY]);
    // A claim that nobody holds would be in the way for twenty.
    assert!(thawed.elapsed() < Duration::from_secs(15));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_and_metrics_show_who_works_on_the_store_and_with_how_much_of_it() {
    let (double, server) = (double().await, redis::Server::plain());
    let worker = || worker(&double, &server).with(&double, "[metrics]\nbind = \"127.0.0.1:0\"\n");
    let (mut one, mut two) = (worker(), worker());
    one.start(&double).await;
    two.start(&double).await;
    let line = two.line("metrics on ").await.expect("an address");
    let page = line.split_once("metrics on ").unwrap().1.to_owned();
    let at = page
        .trim_start_matches("http://")
        .trim_end_matches("/metrics")
        .to_owned();
    let status = || {
        let shown = two.run(&double, &["status", "--at", &at, "--format", "json"]);
        serde_json::from_slice::<Value>(&shown.stdout).expect("JSON")["store"].clone()
    };
    until("both workers", async || {
        status()["workers"].as_array().is_some_and(|all| all.len() == 2)
    })
    .await;
    let store = status();
    let owned: u64 = (0..2)
        .filter_map(|n| store["workers"][n]["partitions"].as_u64())
        .sum();
    assert_eq!((owned, store["format"].as_u64()), (256, Some(1)), "{store:#}");
    let names: Vec<&str> = (0..2)
        .filter_map(|n| store["workers"][n]["name"].as_str())
        .collect();
    let text = two.run(&double, &["status", "--at", &at]);
    let text = String::from_utf8_lossy(&text.stdout);
    let metrics = reqwest::get(&page).await.unwrap().text().await.unwrap();
    for name in &names {
        assert!(
            text.contains(name) && text.contains("of 256 partitions"),
            "{text}"
        );
        let series = format!("switchboard_worker_partitions{{worker=\"{name}\"");
        assert!(metrics.contains(&series), "{metrics}");
    }
    // Who stops is off the list at once, and the other has all.
    one.stop();
    until("one worker", async || {
        let store = status();
        store["workers"].as_array().is_some_and(|all| all.len() == 1)
            && store["workers"][0]["partitions"] == 256
    })
    .await;
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

/// A text of a customer as Meta would deliver it: its signature and its bytes.
fn text_of(double: &Double, customer: &str, id: &str) -> (String, Vec<u8>) {
    double.customer(customer);
    let message = json!({ "from": customer, "id": id, "timestamp": double.now().to_string(), "type": "text",
                          "text": { "body": "Hi" } });
    let setup = double.setup();
    double.signed(&json!({ "object": "whatsapp_business_account", "entry": [{ "id": setup.business_account_id, "changes": [{
        "field": "messages",
        "value": {
            "messaging_product": "whatsapp",
            "metadata": { "display_phone_number": setup.display_phone_number, "phone_number_id": setup.phone_number_id },
            "contacts": [{ "profile": { "name": "Customer" }, "wa_id": customer }],
            "messages": [message],
        }
    }]}]}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_of_a_cluster_that_hangs_refuses_its_own_contacts_and_nobody_elses() {
    let options = redis::Options::default().with("cluster-require-full-coverage", "no");
    let (double, cluster) = (double().await, redis::Cluster::start(&options));
    let url = format!("redis+cluster://{}", cluster.addresses().join(","));
    let mut bot = Bot::new(&double).on(&double, &url);
    bot.start(&double).await;
    let slot = |customer: &str| {
        let alias = switchboard::store::Alias(format!("phone:{customer}"));
        u16::from(switchboard::store::ContactId::of("main", &alias).0[0]) * 64
    };
    let customers: Vec<String> = (10..90).map(|n| format!("62811000000{n}")).collect();
    let sari = &customers[0];
    let hung = cluster.master_of(slot(sari));
    let elsewhere = customers
        .iter()
        .find(|other| cluster.master_of(slot(other)) != hung);
    let budi = elsewhere.expect("a customer of another master");
    let address = address_of(&bot).await;
    let post = async |customer: &str, id: &str| {
        let (signature, raw) = text_of(&double, customer, id);
        let began = Instant::now();
        let request = reqwest::Client::new()
            .post(format!("{address}/webhook/main"))
            .header("x-hub-signature-256", signature)
            .body(raw);
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), began.elapsed())
    };
    // Known customers, as most are: who they are is remembered.
    for customer in [sari, budi] {
        assert_eq!(post(customer, &format!("wamid.{customer}.1")).await.0, 200);
    }
    // With its replica, so that nobody takes over.
    cluster.nodes[hung].freeze();
    cluster.nodes[(hung + 3) % 6].freeze();
    until("the refusal of Sari's webhook", async || {
        post(sari, "wamid.sari.2").await.0 == 503
    })
    .await;
    // Oftener than failures that close a door.
    for n in 0..8 {
        let (status, took) = post(sari, "wamid.sari.2").await;
        assert_eq!(status, 503);
        assert!(took < Duration::from_secs(4), "{took:?}");
        assert_eq!(post(budi, &format!("wamid.budi.{n}")).await.0, 200, "{n}");
        let ready = reqwest::get(format!("{address}/readyz"))
            .await
            .expect("an answer");
        assert_eq!(
            ready.status().as_u16(),
            200,
            "whose webhooks can be taken must be sent here"
        );
    }
    cluster.nodes[hung].thaw();
    cluster.nodes[(hung + 3) % 6].thaw();
    until("Sari's webhook to be taken", async || {
        post(sari, "wamid.sari.2").await.0 == 200
    })
    .await;
    for customer in [sari, budi] {
        until("an answer", async || !texts(&double.sent(), customer).is_empty()).await;
    }
}

/// Every way in which a Redis can fail a webhook, and how it is mended.
async fn refuses_at_once_and_loses_nothing(
    breaks: impl Fn(&mut redis::Server),
    mends: impl Fn(&mut redis::Server),
) {
    let options = redis::Options::persist(redis::Persist::Always);
    let (double, mut server) = (double().await, redis::Server::start(&options));
    let mut bot = worker(&double, &server);
    bot.start(&double).await;
    double.customer(SARI).says("Hi");
    heard(&double, SARI, 1).await;

    breaks(&mut server);
    let address = address_of(&bot).await;
    let (signature, raw) = text_of(&double, BUDI, "wamid.away");
    let post = async || {
        let began = Instant::now();
        let request = reqwest::Client::new()
            .post(format!("{address}/webhook/main"))
            .header("x-hub-signature-256", &signature)
            .body(raw.clone());
        let answer = request.send().await.expect("an answer");
        let again = answer.headers().contains_key("retry-after");
        (answer.status().as_u16(), again, began.elapsed())
    };
    let mut times = Vec::new();
    for _ in 0..8 {
        let (status, again, took) = post().await;
        assert_eq!((status, again), (503, true));
        times.push(took);
    }
    times.sort();
    // Two seconds are the promise. A machine with much to do may be late now and then, but not as a rule.
    assert!(
        times[4] < Duration::from_secs(2) && times[7] < Duration::from_secs(4),
        "{times:?}"
    );
    mends(&mut server);
    until("the webhook to be taken", async || post().await.0 == 200).await;
    assert_eq!(post().await.0, 200, "a repetition");
    double.customer(SARI).taps("Leave a message");
    assert_eq!(heard(&double, SARI, 2).await, [HELLO, STORY]);
    until("Budi's greeting", async || {
        !texts(&double.sent(), BUDI).is_empty()
    })
    .await;
    double.settled().await;
    assert_eq!(texts(&double.sent(), BUDI), [HELLO]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_died_is_refused_at_once_and_work_goes_on_when_it_is_back() {
    refuses_at_once_and_loses_nothing(redis::Server::kill, redis::Server::restart).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_hangs_is_not_waited_for_and_work_goes_on_when_it_answers() {
    refuses_at_once_and_loses_nothing(|server| server.freeze(), |server| server.thaw()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_full_refuses_what_is_new_and_goes_on_when_there_is_room() {
    refuses_at_once_and_loses_nothing(|server| server.fill(), |server| server.make_room()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_durability_replica_a_worker_serves_behind_sentinels_and_on_a_cluster_and_over_a_failover() {
    let options = redis::Options::persist(redis::Persist::EverySecond);
    let mut sentinels = redis::Sentinels::start(&options);
    let url = format!("redis+sentinel://{}/switchboard", sentinels.addresses().join(","));
    serves_with_a_replica(&url, || sentinels.fail_over()).await;
    drop(sentinels);

    let mut cluster = redis::Cluster::start(&options);
    let url = format!("redis+cluster://{}", cluster.addresses().join(","));
    let alias = switchboard::store::Alias(format!("phone:{SARI}"));
    let slot = u16::from(switchboard::store::ContactId::of("main", &alias).0[0]) * 64;
    serves_with_a_replica(&url, || {
        let dead = cluster.kill_master_of(slot);
        cluster.taken_over(slot, dead);
        // Without any replica nothing would be sure enough to be taken.
        cluster.nodes[dead].restart();
        cluster.settled();
    })
    .await;
}

/// A conversation goes on where it was after the primary died.
async fn serves_with_a_replica(url: &str, fails_over: impl FnOnce()) {
    let double = double().await;
    let mut bot = Bot::new(&double)
        .on(&double, url)
        .with(&double, "[redis]\ndurability = \"replica\"\n");
    bot.env("SWITCHBOARD_HASTE", "10");
    bot.start(&double).await;
    let promise = bot
        .line("what is answered with 200 survives")
        .await
        .expect("a line");
    assert!(promise.contains("failover"), "{promise}");
    double.customer(SARI).says("Hi");
    assert_eq!(heard(&double, SARI, 1).await, [HELLO]);
    tokio::task::block_in_place(fails_over);
    double.customer(SARI).taps("Leave a message");
    assert_eq!(heard(&double, SARI, 2).await, [HELLO, STORY]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_is_not_ready_while_the_store_is_away() {
    let options = redis::Options::persist(redis::Persist::Always);
    let (double, mut server) = (double().await, redis::Server::start(&options));
    let mut bot = worker(&double, &server);
    bot.start(&double).await;
    let address = address_of(&bot).await;
    let ready = async || {
        let answer = reqwest::get(format!("{address}/readyz"))
            .await
            .expect("an answer");
        answer.status().as_u16()
    };
    assert_eq!(ready().await, 200);
    server.kill();
    until("it to say so", async || ready().await == 503).await;
    server.restart();
    until("it to be ready again", async || ready().await == 200).await;
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
    bot.ended_in_time().await;
    for _ in 0..2 {
        // It comes due again with the end of its lease.
        if bot.try_start(&double, &[]).await.is_ok() {
            bot.ended_in_time().await;
        }
    }
    bot.env("SWITCHBOARD_FAILPOINT", "");
    bot.start(&double).await;
    bot.line("is put aside").await.expect("the log says so");
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
    bot.ended_in_time().await;
    for _ in 0..2 {
        if bot.try_start(&double, &[]).await.is_ok() {
            bot.ended_in_time().await;
        }
    }
    bot.env("SWITCHBOARD_FAILPOINT", "");
    bot.start(&double).await;
    bot.line("is put aside").await.expect("the log says so");
    let said = heard(&double, SARI, 3).await;
    assert_eq!(
        said[2],
        "Something went wrong on our side. A colleague will help."
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_does_not_fit_is_refused_at_the_start_with_what_to_do() {
    let double = double().await;
    let nobody = {
        let server = redis::Server::plain();
        server.url()
    };
    let mut bot = Bot::new(&double).on(&double, &nobody);
    let said = bot.try_start(&double, &[]).await.expect_err("nobody is there");
    assert!(said.contains("store"), "{said}");
    assert_eq!(bot.ended().code(), Some(3));

    let locked = redis::Server::start(&redis::Options::default().with("requirepass", "hush"));
    let mut bot = Bot::new(&double).on(&double, &format!("redis://{}", locked.address()));
    let said = bot
        .try_start(&double, &[])
        .await
        .expect_err("it wants a password");
    assert!(said.contains("password"), "{said}");
    assert_eq!(bot.ended().code(), Some(3));

    let forgetful = redis::Server::start(&redis::Options::default().with("maxmemory-policy", "allkeys-lru"));
    let mut bot = Bot::new(&double).on(&double, &forgetful.url());
    let said = bot
        .try_start(&double, &[])
        .await
        .expect_err("it would forget customers");
    assert!(said.contains("noeviction"), "{said}");
    assert_eq!(bot.ended().code(), Some(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_says_what_a_redis_keeps_and_a_worker_says_it_at_its_start() {
    let options = redis::Options::persist(redis::Persist::Always);
    let (double, server) = (double().await, redis::Server::start(&options));
    let mut bot = worker(&double, &server);
    bot.start(&double).await;
    let promise = bot
        .line("what is answered with 200 survives")
        .await
        .expect("a line");
    assert!(promise.contains("loss of power"), "{promise}");
    let report = bot.run(&double, &["doctor"]);
    let text = String::from_utf8_lossy(&report.stdout);
    assert!(text.contains("loss of power"), "{text}");

    // Without a log of its own it keeps nothing when it dies, and says so.
    let weak = redis::Server::plain();
    let bot = Bot::new(&double).on(&double, &weak.url());
    let report = bot.run(&double, &["doctor", "--format", "json"]);
    let checks: Value = serde_json::from_slice(&report.stdout).expect("JSON");
    let store = checks["checks"].as_array().unwrap().iter();
    let mut looked = store.filter(|check| check["group"] == "store" && check["level"] != "good");
    assert!(looked.any(|check| check["next"].is_string()), "{checks:#}");
}

//! The running server, as its neighbours see it: the real binary between the provider double and a service.

// Helpers of tests stand outside test functions here; a panic is how they say that a promise was broken.
#![allow(clippy::unwrap_used)]

mod bot;
mod double;

use std::time::{Duration, Instant};

use bot::shop::Shop;
use bot::{Bot, heard, texts};
use double::{Double, Fault, Faulty, Order, Release, Setup};
use serde_json::{Value, json};

const SARI: &str = "6281100000011";
const BUDI: &str = "6281100000012";

const HELLO: &str = "Hello! What can I do for you?";
const NUMBER: &str = "What's your order number?";

struct Answer {
    status: u16,
    body: String,
}

async fn post(url: &str, signature: Option<&str>, body: Vec<u8>) -> Answer {
    let mut request = reqwest::Client::new().post(url).body(body);
    if let Some(signature) = signature {
        request = request.header("x-hub-signature-256", signature);
    }
    let response = request.send().await.expect("an answer");
    Answer {
        status: response.status().as_u16(),
        body: response.text().await.unwrap_or_default(),
    }
}

async fn webhook_of(bot: &Bot) -> String {
    let line = bot.line("listening on ").await.expect("an address");
    format!("{}/webhook/main", line.split_once("listening on ").unwrap().1)
}

/// A webhook body with these messages.
fn body(double: &Double, messages: &Value) -> Value {
    let setup = double.setup();
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": setup.business_account_id, "changes": [{
        "field": "messages",
        "value": {
            "messaging_product": "whatsapp",
            "metadata": { "display_phone_number": setup.display_phone_number, "phone_number_id": setup.phone_number_id },
            "contacts": [{ "profile": { "name": "Sari" }, "wa_id": SARI }],
            "messages": messages,
        }
    }]}]})
}

fn text_message(double: &Double, id: &str, text: &str) -> Value {
    json!({ "from": SARI, "id": id, "timestamp": double.now().to_string(), "type": "text", "text": { "body": text } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_types_taps_and_is_told_what_the_service_knows() {
    let (double, shop) = (Double::start().await, Shop::start().await);
    let mut bot = Bot::new(&double).with(&double, &shop.config());
    bot.start(&double).await;
    let sari = double.customer(SARI).named("Sari");

    let asked = sari.says("Good morning");
    assert_eq!(heard(&double, SARI, 1).await, [HELLO]);
    sari.taps("Track my order");
    assert_eq!(heard(&double, SARI, 2).await[1], NUMBER);
    sari.says("a-12345");
    assert_eq!(
        heard(&double, SARI, 4).await[2..],
        ["Order A-12345 is on its way.", "Bye!"]
    );

    let calls = shop.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].line, "GET /orders/A-12345");
    assert_eq!(calls[0].bearer.as_deref(), Some("Bearer shop-secret"));
    assert!(calls[0].key.is_some());
    double
        .wait_for_log("the blue ticks", |log| {
            log.iter()
                .any(|call| call.is_message() && call.json()["message_id"] == asked.as_str())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_that_come_twice_or_in_another_order_change_nothing() {
    let double = Double::start().await;
    let mut bot = Bot::new(&double);
    bot.start(&double).await;
    let (sari, budi) = (double.customer(SARI), double.customer(BUDI));
    double.hold_webhooks();
    sari.says("Hi");
    budi.says("Hi");
    double.release(Release {
        order: Order::Reversed,
        batch: false,
        copies: 3,
    });
    heard(&double, SARI, 1).await;
    heard(&double, BUDI, 1).await;
    double.settled().await;
    sari.taps("Leave a message");
    assert_eq!(heard(&double, SARI, 2).await[0], HELLO);
    assert_eq!(heard(&double, BUDI, 1).await, [HELLO]);
    assert_eq!(texts(&double.sent(), SARI).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_messages_in_one_webhook_are_taken_and_each_customer_is_answered() {
    let double = Double::with(Setup {
        per_second: None,
        statuses: false,
        ..Setup::default()
    })
    .await;
    let mut bot = Bot::new(&double).with_channel(&double, "messages_per_second = 0\n");
    bot.start(&double).await;
    double.hold_webhooks();
    let customers: Vec<String> = (0..1000).map(|n| format!("62811000{n:04}")).collect();
    for customer in &customers {
        double.customer(customer).says("Hi");
    }
    double.release(Release {
        batch: true,
        ..Release::default()
    });
    let sent = double.wait_for_sent(customers.len()).await;
    let mut greeted: Vec<&str> = sent.iter().map(|sent| sent.to.as_str()).collect();
    greeted.sort_unstable();
    assert_eq!(greeted, customers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_in_quick_succession_are_one_answer() {
    let double = Double::start().await;
    let mut bot = Bot::new(&double).with_channel(&double, "");
    bot.start(&double).await;
    let sari = double.customer(SARI);
    sari.says("Hi");
    heard(&double, SARI, 1).await;
    sari.taps("Leave a message");
    heard(&double, SARI, 2).await;
    double.hold_webhooks();
    sari.says("My wheel");
    sari.says("is bent");
    double.release(Release {
        batch: true,
        ..Release::default()
    });
    assert_eq!(heard(&double, SARI, 3).await[2], "Noted: My wheel\nis bent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn customers_see_that_the_bot_has_read_and_is_writing_unless_the_number_says_not() {
    for (wanted, channel) in [(1, ""), (0, "read_receipts = false\n")] {
        let double = Double::start().await;
        // What runs on one thread must not wait for itself.
        let mut bot = Bot::new(&double)
            .with(&double, "[limits]\nthreads = 1\n")
            .with_channel(&double, channel);
        bot.start(&double).await;
        double.customer(SARI).says("Hi");
        heard(&double, SARI, 1).await;
        // What is on its way still leaves.
        bot.stop();
        let log = double.log();
        let shown = log.iter().filter(|call| call.json()["status"] == "read");
        let shown: Vec<_> = shown
            .map(|call| (call.answered, call.json()["typing_indicator"].clone()))
            .collect();
        assert_eq!(
            shown,
            vec![(Some(200), json!({ "type": "text" })); wanted],
            "{channel}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_provider_s_check_of_the_address_is_answered() {
    let double = Double::start().await;
    let mut bot = Bot::new(&double);
    bot.start(&double).await;
    let url = webhook_of(&bot).await;
    double.shake_hands(&url).await.expect("the challenge");
    let refused = reqwest::get(format!(
        "{url}?hub.mode=subscribe&hub.verify_token=x&hub.challenge=1"
    ))
    .await;
    assert_eq!(refused.unwrap().status(), 403);
}

/// A double that takes answers to webhooks which a test signs by itself.
async fn open_double() -> Double {
    Double::with(Setup {
        open_windows: true,
        ..Setup::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_forgery_gets_the_same_answer_and_nothing_is_read() {
    let double = open_double().await;
    let mut bot = Bot::new(&double);
    bot.start(&double).await;
    let url = webhook_of(&bot).await;
    let (good, raw) = double.signed(&body(&double, &json!([text_message(&double, "wamid.1", "Hi")])));
    let mut other = raw.clone();
    other.push(b' ');
    let wrong = format!("sha256={}", "0".repeat(64));
    let nowhere = url.replace("/main", "/nowhere");
    let (behind, nowhere_behind) = (format!("{url}/hush-hush"), format!("{nowhere}/hush-hush"));
    let mut bodies = Vec::new();
    for (url, signature, raw) in [
        (&url, None, &raw),
        (&url, Some(wrong.as_str()), &raw),
        (&url, Some(good.as_str()), &other),
        (&url, Some("sha256=short"), &raw),
        (&url, Some(""), &b"not even JSON".to_vec()),
        (&nowhere, Some(good.as_str()), &raw),
        (&behind, Some(wrong.as_str()), &raw),
        (&nowhere_behind, Some(good.as_str()), &raw),
    ] {
        let answer = post(url, signature, raw.clone()).await;
        assert_eq!(answer.status, 401);
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!(bodies, ["unauthorised"]);
    assert_eq!(post(&url, Some(&good), raw).await.status, 200);
    heard(&double, SARI, 1).await;
    assert_eq!(double.sent().len(), 1);
    assert!(!bot.said().contains(&good[7..]), "a signature is in the log");
    assert!(!bot.said().contains("hush"), "a path's secret is in the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_or_compressed_is_refused_before_it_is_read() {
    let double = Double::start().await;
    let mut bot = Bot::new(&double);
    bot.start(&double).await;
    let url = webhook_of(&bot).await;
    assert_eq!(
        post(&url, None, vec![b' '; 4 * 1024 * 1024 + 1]).await.status,
        413
    );
    let compressed = reqwest::Client::new()
        .post(&url)
        .header("content-encoding", "gzip")
        .body("x");
    assert_eq!(compressed.send().await.unwrap().status(), 415);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_element_that_can_t_be_read_does_not_spoil_its_batch() {
    let double = open_double().await;
    let mut bot = Bot::new(&double);
    bot.start(&double).await;
    let url = webhook_of(&bot).await;
    let messages = json!([7, text_message(&double, "wamid.2", "Hi")]);
    double.customer(SARI);
    let (signature, raw) = double.signed(&body(&double, &messages));
    assert_eq!(post(&url, Some(&signature), raw).await.status, 200);
    assert_eq!(
        bot.line("quarantine")
            .await
            .map(|line| line.contains("messages[0]")),
        Some(true)
    );
    let (signature, raw) = double.signed(&json!("no webhook at all"));
    assert_eq!(post(&url, Some(&signature), raw).await.status, 200);
    assert_eq!(heard(&double, SARI, 1).await, [HELLO]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_full_of_what_can_t_be_read_is_still_stored_in_time() {
    let double = open_double().await;
    let mut bot = Bot::new(&double);
    bot.start(&double).await;
    let mut messages = vec![json!(7); 3_000];
    messages.push(text_message(&double, "wamid.2", "Hi"));
    double.customer(SARI);
    let (signature, raw) = double.signed(&body(&double, &json!(messages)));
    let answer = post(&webhook_of(&bot).await, Some(&signature), raw).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    assert_eq!(heard(&double, SARI, 1).await, [HELLO]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_older_than_eight_days_or_for_another_number_is_refused_with_200() {
    let double = Double::start().await;
    let mut bot = Bot::new(&double);
    bot.start(&double).await;
    let url = webhook_of(&bot).await;
    let mut old = text_message(&double, "wamid.old", "Hi");
    old["timestamp"] = json!((double.now() - 8 * 86_400 - 60).to_string());
    let mut foreign = body(&double, &json!([text_message(&double, "wamid.foreign", "Hi")]));
    foreign["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = json!("999");
    for webhook in [body(&double, &json!([old])), foreign] {
        let (signature, raw) = double.signed(&webhook);
        assert_eq!(post(&url, Some(&signature), raw).await.status, 200);
    }
    assert!(bot.line("older than eight days").await.is_some());
    assert!(bot.line("not configured here").await.is_some());
    double.customer(BUDI).says("Hi");
    heard(&double, BUDI, 1).await;
    assert!(texts(&double.sent(), SARI).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_may_be_sent_again_is_sent_when_the_provider_takes_it_once() {
    let double = Double::start().await;
    let mut bot = Bot::new(&double);
    bot.start(&double).await;
    // Refused for a moment, and dropped after it was accepted: both end with exactly one message.
    double.fault(Fault {
        to: Some(SARI.to_owned()),
        times: Some(1),
        fault: Faulty::Reset,
    });
    let sari = double.customer(SARI);
    sari.says("Hi");
    heard(&double, SARI, 1).await;
    sari.taps("Leave a message");
    assert_eq!(heard(&double, SARI, 2).await.len(), 2);
    sari.says("Thanks");
    assert_eq!(
        heard(&double, SARI, 3).await[1..],
        ["Tell me, typed or as a voice note.", "Noted: Thanks"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_flow_never_goes_live() {
    let double = Double::start().await;
    let mut bot = Bot::new(&double);
    let desk = bot.flows().join("desk.flow");
    let good = std::fs::read_to_string(&desk).unwrap();
    let broken = good.replace("-> goodbye", "-> nowhere");
    std::fs::write(&desk, &broken).unwrap();
    let said = bot.try_start(&double, &[]).await.expect_err("it must not start");
    assert!(said.contains("F101") && said.contains("desk.flow"), "{said}");
    assert_eq!(bot.ended().code(), Some(3));

    std::fs::write(&desk, &good).unwrap();
    bot.start(&double).await;
    std::fs::write(&desk, &broken).unwrap();
    bot.signal("-HUP");
    assert!(bot.line("don't go live").await.is_some());
    double.customer(SARI).says("Hi");
    assert_eq!(heard(&double, SARI, 1).await, [HELLO]);

    std::fs::write(&desk, good.replace(HELLO, "Welcome!")).unwrap();
    bot.signal("-HUP");
    assert!(bot.line("new flows are live").await.is_some());
    double.customer(BUDI).says("Hi");
    assert_eq!(heard(&double, BUDI, 1).await, ["Welcome!"]);

    // The last good flows outlive the process, whatever lies in the folder.
    bot.stop();
    std::fs::write(&desk, &broken).unwrap();
    bot.start(&double).await;
    assert!(bot.line("the last good ones stay live").await.is_some());
    double.customer("6281100000013").says("Hi");
    assert_eq!(heard(&double, "6281100000013", 1).await, ["Welcome!"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asked_to_stop_it_finishes_what_it_began_and_loses_nothing() {
    let double = Double::start().await;
    let mut bot = Bot::new(&double);
    bot.start(&double).await;
    let customers: Vec<String> = (0..20).map(|n| format!("62811000002{n:02}")).collect();
    for customer in &customers {
        double.customer(customer).says("Hi");
    }
    heard(&double, &customers[0], 1).await;
    let (status, took) = bot.stop();
    assert!(status.success());
    assert!(took < Duration::from_secs(25), "it took {took:?}");
    bot.start(&double).await;
    for customer in &customers {
        assert_eq!(heard(&double, customer, 1).await, [HELLO]);
    }
    let doubled = customers
        .iter()
        .filter(|customer| texts(&double.sent(), customer).len() > 1);
    assert_eq!(doubled.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_hangs_does_not_keep_it_from_stopping_in_time() {
    let double = Double::start().await;
    let mut bot = Bot::new(&double).with(&double, "[limits]\ndrain_seconds = 1\n");
    bot.start(&double).await;
    double.fault(Fault {
        to: Some(SARI.to_owned()),
        times: Some(1),
        fault: Faulty::Hang,
    });
    double.customer(SARI).says("Hi");
    double.wait_for_sent(1).await;
    let (status, took) = bot.stop();
    assert!(status.success());
    assert!(took < Duration::from_secs(15), "it took {took:?}");
    // The provider had taken it, and its status says so: nothing is sent twice.
    bot.env("SWITCHBOARD_CLOCK_AHEAD", "100");
    bot.start(&double).await;
    double.customer(SARI).taps("Leave a message");
    assert_eq!(
        heard(&double, SARI, 2).await,
        [HELLO, "Tell me, typed or as a voice note."]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_flows_go_live_by_themselves_when_they_are_watched() {
    let double = Double::start().await;
    let mut bot = Bot::new(&double);
    let address = bot.try_start(&double, &["--watch"]).await.expect("it starts");
    double.point_at(format!("{address}/webhook/main"));
    let desk = bot.flows().join("desk.flow");
    let good = std::fs::read_to_string(&desk).unwrap();
    std::fs::write(&desk, good.replace(HELLO, "Welcome!")).unwrap();
    bot.line("new flows are live").await.expect("they go live");
    double.customer(SARI).says("Hi");
    assert_eq!(heard(&double, SARI, 1).await, ["Welcome!"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_waits_for_the_one_before_is_not_sent_once_a_person_has_the_chat() {
    // Without statuses the menu waits in vain for the delivery of the text before it.
    let double = Double::with(Setup {
        statuses: false,
        ..Setup::default()
    })
    .await;
    let mut bot = Bot::new(&double).with(&double, "admin_token = { env = \"ADMIN\" }\n");
    bot.env("ADMIN", "operators-token");
    let desk = bot.flows().join("desk.flow");
    let flow = std::fs::read_to_string(&desk).unwrap();
    let asks = "  menu \"Noted: {{ story }}\"\n    \"Good\" -> goodbye\n  end\n";
    let flow = flow.replace("  say \"Noted: {{ story }}\"\n  done\n", asks);
    std::fs::write(&desk, flow).unwrap();
    bot.start(&double).await;
    let sari = double.customer(SARI);
    sari.says("Hi");
    heard(&double, SARI, 1).await;
    sari.taps("Leave a message");
    heard(&double, SARI, 2).await;
    sari.says(&"My bike is broken. ".repeat(80));
    assert!(heard(&double, SARI, 3).await[2].starts_with("Noted: My bike"));

    let token = "operators-token";
    let (_, all) = ask(
        &bot,
        reqwest::Method::GET,
        "/api/conversations",
        token,
        Value::Null,
    )
    .await;
    let path = format!("/api/conversations/{}/say", all[0]["contact"].as_str().unwrap());
    let say = json!({ "agent": "Ana", "text": "Ana here." });
    assert_eq!(ask(&bot, reqwest::Method::POST, &path, token, say).await.0, 200);
    assert_eq!(heard(&double, SARI, 4).await[3], "Ana here.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_staff_write_on_the_phone_silences_the_bot() {
    let double = open_double().await;
    let mut bot = Bot::new(&double);
    bot.start(&double).await;
    let sari = double.customer(SARI);
    sari.says("Hi");
    heard(&double, SARI, 1).await;
    let mut echo = body(&double, &json!([]));
    let change = &mut echo["entry"][0]["changes"][0];
    change["field"] = json!("smb_message_echoes");
    change["value"]["message_echoes"] = json!([{
        "from": double.setup().display_phone_number, "to": SARI, "id": "wamid.echo",
        "timestamp": double.now().to_string(), "type": "text", "text": { "body": "Ana here." },
    }]);
    let (signature, raw) = double.signed(&echo);
    assert_eq!(
        post(&webhook_of(&bot).await, Some(&signature), raw).await.status,
        200
    );
    sari.taps("Leave a message");
    sari.says("hello?");
    double.customer(BUDI).says("Hi");
    heard(&double, BUDI, 1).await;
    double.settled().await;
    let (_, _) = bot.stop();
    assert_eq!(texts(&double.sent(), SARI), [HELLO]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_of_a_conversation_holds_neither_its_words_nor_numbers() {
    let (double, shop) = (Double::start().await, Shop::start().await);
    let mut bot = Bot::new(&double).with(&double, &shop.config());
    bot.start(&double).await;
    let sari = double.customer(SARI).named("Sari Wulandari");
    sari.says("Selamat pagi");
    heard(&double, SARI, 1).await;
    sari.taps("Track my order");
    heard(&double, SARI, 2).await;
    sari.says("A-12345");
    heard(&double, SARI, 4).await;
    sari.says("agent please");
    bot.line("handed to people").await;
    let log = bot.last_words().await;
    assert!(log.contains("turn"), "nothing was logged:\n{log}");
    let secrets = double.setup();
    for private in [
        SARI,
        "Sari",
        "Selamat",
        "A-12345",
        "on its way",
        HELLO,
        NUMBER,
        "shop-secret",
        &secrets.access_tokens[0],
        &secrets.app_secret,
        &secrets.verify_token,
    ] {
        assert!(!log.contains(private), "{private:?} is in the log:\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_heads_are_cut_off_and_good_webhooks_are_not_held_up_by_them() {
    let double = Double::start().await;
    let mut bot = Bot::new(&double);
    bot.start(&double).await;
    let url = webhook_of(&bot).await;
    let address = url
        .trim_start_matches("http://")
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"POST /webhook/main HTTP/1.1\r\n")
            .await
            .unwrap();
        slow.push(stream);
    }
    double.customer(SARI).says("Hi");
    heard(&double, SARI, 1).await;
    let began = Instant::now();
    let mut rest = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut slow[0], &mut rest);
    tokio::time::timeout(bot::PATIENCE, read)
        .await
        .expect("it is cut off")
        .ok();
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_says_whether_it_lives_and_is_ready() {
    let double = Double::start().await;
    let mut bot = Bot::new(&double);
    bot.start(&double).await;
    let base = webhook_of(&bot).await.replace("/webhook/main", "");
    for page in ["healthz", "readyz"] {
        assert_eq!(
            reqwest::get(format!("{base}/{page}")).await.unwrap().status(),
            200
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_names_what_is_wrong_with_the_next_step() {
    let double = Double::start().await;
    let bot = Bot::new(&double);
    let report = bot.run(&double, &["doctor", "--format", "json"]);
    let checks: Value = serde_json::from_slice(&report.stdout).expect("JSON");
    let bad: Vec<&Value> = checks["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["level"] == "bad")
        .collect();
    // The flows name a secret that this configuration does not have.
    assert_eq!(report.status.code(), Some(3), "{checks:#}");
    assert_eq!(bad.len(), 1, "{bad:#?}");
    assert!(bad[0]["next"].as_str().unwrap().contains("SHOP_TOKEN"));

    let shop = Shop::start().await;
    let bot = Bot::new(&double).with(&double, &shop.config());
    let report = bot.run(&double, &["doctor"]);
    let text = String::from_utf8_lossy(&report.stdout);
    assert_eq!(report.status.code(), Some(0), "{text}");
    assert!(text.contains("✓ good"), "{text}");
}

/// One request to the operators' API.
async fn ask(bot: &Bot, method: reqwest::Method, path: &str, token: &str, body: Value) -> (u16, Value) {
    let request = reqwest::Client::new()
        .request(method, webhook_of(bot).await.replace("/webhook/main", path))
        .header("authorization", format!("Bearer {token}"))
        .json(&body);
    let answer = request.send().await.expect("it answers");
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_hand_out_merge_and_erase_a_customers_data_and_see_to_what_was_put_aside() {
    use reqwest::Method;

    let double = Double::start().await;
    let mut bot = Bot::new(&double).with(&double, "admin_token = { env = \"ADMIN\" }\n");
    bot.env("ADMIN", "operators-token");
    bot.start(&double).await;
    double.customer(SARI).says("Hi");
    heard(&double, SARI, 1).await;
    let token = "operators-token";
    let get = async |path: &str| ask(&bot, Method::GET, path, token, Value::Null).await;
    let (_, all) = get("/api/conversations").await;
    let contact = all[0]["contact"].as_str().expect("a conversation").to_owned();
    let path = |what: &str| format!("/api/conversations/{contact}{what}");

    let (_, exported) = get(&path("/export")).await;
    assert_eq!(exported["contact"], contact.as_str());
    assert_eq!(exported["thread"][0]["payload"]["line"], "customer", "{exported}");
    assert!(exported["session"]["position"].is_object(), "{exported}");

    let (_, dead) = get("/api/dead").await;
    assert_eq!(dead, json!([]));
    let (_, clashes) = get("/api/clashes").await;
    assert_eq!(clashes, json!([]));
    let nothing = "/api/dead/00112233445566778899aabbccddeeff.1";
    let (unknown, why) = ask(&bot, Method::POST, &format!("{nothing}/unpark"), token, json!({})).await;
    assert_eq!((unknown, why["error"].is_string()), (404, true));
    assert_eq!(
        ask(&bot, Method::DELETE, nothing, token, Value::Null).await.0,
        404
    );
    let itself = json!({ "into": contact });
    let (refused, why) = ask(&bot, Method::POST, &path("/merge"), token, itself).await;
    assert_eq!((refused, why["error"].is_string()), (422, true), "{why}");

    assert_eq!(
        ask(&bot, Method::DELETE, &path(""), token, Value::Null).await.0,
        200
    );
    assert_eq!(
        ask(&bot, Method::DELETE, &path(""), token, Value::Null).await.0,
        404
    );
    assert_eq!(get(&path("/export")).await.0, 404);
    let (_, all) = get("/api/conversations").await;
    assert_eq!(all, json!([]));
    // She is a fresh customer, and is answered: nothing remembered in the process leads astray.
    double.customer(SARI).says("Hi");
    assert_eq!(heard(&double, SARI, 2).await[1], HELLO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_cannot_be_read_is_put_aside_by_its_name_while_others_go_on() {
    use reqwest::Method;

    let double = Double::start().await;
    let mut bot = Bot::new(&double).with(&double, "admin_token = { env = \"ADMIN\" }\n");
    bot.env("ADMIN", "operators-token");
    bot.start(&double).await;
    for (customer, answers) in [(SARI, 1), (BUDI, 1)] {
        double.customer(customer).says("Hi");
        heard(&double, customer, answers).await;
    }
    bot.stop();
    let db = rusqlite::Connection::open(bot.folder.path().join("store.db")).expect("the store");
    let broken: Vec<u8> = db
        .query_row(
            "UPDATE session SET bytes = x'7b2276223a' WHERE contact =
                (SELECT contact FROM alias WHERE alias = 'phone:' || ?1) RETURNING contact",
            [SARI],
            |row| row.get(0),
        )
        .expect("her session");
    drop(db);
    bot.start(&double).await;
    double.customer(SARI).says("Hi again");
    double.customer(BUDI).says("Hi again");
    heard(&double, BUDI, 2).await;
    let key: String = broken.iter().map(|byte| format!("{byte:02x}")).collect();
    let token = "operators-token";
    bot.line("for the third time").await.expect("the team is told");
    let (_, dead) = ask(&bot, Method::GET, "/api/dead", token, Value::Null).await;
    let parked = &dead[0];
    assert_eq!(parked["contact"], key.as_str());
    let why = parked["why"].as_str().expect("a reason");
    assert!(why.contains("session") && why.contains(&key), "{why}");
    // The others still go on.
    double.customer(BUDI).says("Hi once more");
    heard(&double, BUDI, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_read_take_answer_give_back_and_switch_autopilot_with_their_token_only() {
    use reqwest::Method;

    let double = Double::start().await;
    let mut bot = Bot::new(&double).with(&double, "admin_token = { env = \"ADMIN\" }\n");
    bot.env("ADMIN", "operators-token");
    bot.start(&double).await;
    let sari = double.customer(SARI);
    sari.says("Hi");
    heard(&double, SARI, 1).await;

    let (refused, _) = ask(&bot, Method::GET, "/api/conversations", "wrong", Value::Null).await;
    assert_eq!(refused, 401);
    let token = "operators-token";
    let (_, all) = ask(&bot, Method::GET, "/api/conversations", token, Value::Null).await;
    let contact = all[0]["contact"].as_str().expect("a conversation").to_owned();
    assert_eq!(
        (&all[0]["owner"], &all[0]["channel"]),
        (&json!("bot"), &json!("main"))
    );

    let path = |what: &str| format!("/api/conversations/{contact}{what}");
    let say = json!({ "agent": "Ana", "text": "Ana here, I'll take this." });
    assert_eq!(ask(&bot, Method::POST, &path("/say"), token, say).await.0, 200);
    assert_eq!(heard(&double, SARI, 2).await[1], "Ana here, I'll take this.");
    let endless = json!({ "agent": "Ana", "text": "a".repeat(9_000) });
    let (too_large, why) = ask(&bot, Method::POST, &path("/say"), token, endless).await;
    assert_eq!((too_large, why["error"].is_string()), (413, true));
    let (_, shown) = ask(&bot, Method::GET, &path(""), token, Value::Null).await;
    assert_eq!(shown["owner"], "human");
    assert_eq!(shown["handoff"], Value::Null, "nobody handed it over");
    assert!(
        shown["thread"].as_array().is_some_and(|lines| lines.len() >= 3),
        "{shown}"
    );

    assert_eq!(
        ask(&bot, Method::POST, &path("/return"), token, json!({}))
            .await
            .0,
        200
    );
    sari.says("Hi");
    assert_eq!(heard(&double, SARI, 3).await[2], HELLO);

    let off = json!({ "on": false });
    assert_eq!(
        ask(
            &bot,
            Method::POST,
            "/api/channels/main/autopilot",
            token,
            off.clone()
        )
        .await
        .0,
        200
    );
    let (_, numbers) = ask(&bot, Method::GET, "/api/channels", token, Value::Null).await;
    assert_eq!(numbers[0]["autopilot"], false);
    assert_eq!(
        ask(&bot, Method::POST, "/api/channels/other/autopilot", token, off)
            .await
            .0,
        404
    );
    assert_eq!(
        ask(
            &bot,
            Method::POST,
            "/api/conversations/nonsense/take",
            token,
            json!({ "agent": "Ana" })
        )
        .await
        .0,
        400
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_should_keep_in_mind_of_a_number_is_said_once_at_the_start() {
    let double = Double::start().await;
    let open = "[[channel]]\nid = \"open\"\nprovider = \"compatible\"\nphone_number_id = \"2\"\n\
                api_base = \"http://127.0.0.1:9\"\naccess_token_env = \"TOKEN\"\n[channel.compatible]\n\
                webhook_auth = \"none\"\n";
    let coster = "[[channel]]\nid = \"trial\"\nprovider = \"coster\"\nphone_number_id = \"3\"\n\
                  access_token_env = \"TOKEN\"\nwebhook_secret_env = \"END\"\n[channel.coster]\n\
                  account_id = \"a\"\ndivision_id = \"d\"\n";
    let mut bot = Bot::new(&double).with(&double, &format!("{open}{coster}"));
    bot.env("END", "sixteen-or-more-of-these");
    bot.start(&double).await;
    bot.line("ready").await;
    let said = bot.last_words().await;
    let lines = |part: &str| said.lines().filter(|line| line.contains(part)).count();
    assert_eq!(lines("webhooks of this number are not proved"), 1, "{said}");
    assert_eq!(lines("the Coster provider is experimental"), 1, "{said}");
    assert!(!said.contains("sixteen-or-more"), "{said}");
}

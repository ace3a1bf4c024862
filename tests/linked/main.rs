//! A linked device from end to end: the real server between the double of a server that holds the link, the phone and its
//! customers.

// Helpers of tests stand outside test functions here; a panic is how they say that a promise was broken.
#![allow(clippy::unwrap_used)]

#[path = "../double/mod.rs"]
mod cloud;
mod commands;
mod double;
#[path = "../ear/mod.rs"]
mod ear;
mod qontak;
mod serve;
mod shop;
#[path = "../thread/mod.rs"]
mod thread;
mod ways;

use cloud::loopback;
use double::{Double, signature_of};
use serde_json::{Value, json};
use shop::{OURS, SARI, Shop};
use switchboard::server::channels::{self, State};
use switchboard::server::doctor::Level;
use switchboard::server::{Line, NoteKind};

const MENU: &str =
    "Hello! What can I do for you?\n\n1. Track my order\n2. Leave a message\n3. Nothing, thanks";
const HIDDEN: &str = "100000000000022";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_menu_is_answered_by_number_by_label_and_by_near_spelling() {
    let shop = Shop::open(Double::start().await).await;
    let sari = shop.double.customer(SARI);
    for (count, answer) in [(2, "3"), (4, "Nothing, thanks"), (6, "nothin, thanks")] {
        sari.says("Hi");
        shop.reads(count - 1).await;
        sari.says(answer);
        assert_eq!(
            shop.reads(count).await[count - 2..],
            [MENU, "Ride safely!"],
            "{answer}"
        );
    }
    shop.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_and_the_hidden_id_are_one_customer_who_is_answered_where_they_wrote() {
    let shop = Shop::open(Double::start().await).await;
    let sari = shop.double.customer(SARI);
    sari.hidden(HIDDEN, Some(SARI)).says("Hi");
    shop.reads(1).await;
    assert_eq!(shop.double.sent()[0].chat, format!("{HIDDEN}@lid"));
    // Nothing is known of the number here: the id alone leads to the same customer.
    sari.hidden(HIDDEN, None).says("3");
    shop.reads(2).await;
    sari.says("Hi");
    shop.reads(3).await;
    shop.contact().await;
    let sent = shop.double.sent();
    assert_eq!(sent[1].chat, format!("{HIDDEN}@lid"));
    assert_eq!(sent[2].chat, format!("{SARI}@c.us"));
    shop.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_types_on_the_phone_takes_the_chat_and_our_own_words_do_not() {
    let shop = Shop::open(Double::start().await).await;
    let sari = shop.double.customer(SARI);
    sari.says("Hi");
    shop.reads(1).await;
    shop.double.settled().await;
    sari.says("2");
    shop.reads(2).await;
    shop.double.types_on_the_phone(SARI, "I'm on it myself");
    shop.double.settled().await;
    sari.says("great");
    shop.double.settled().await;
    let contact = shop.contact().await;
    let thread = shop.handle.thread(contact, 100).await.unwrap();
    let echoes = thread
        .iter()
        .filter(|entry| matches!(entry.line, Some(Line::Echo { .. })));
    assert_eq!(
        echoes.count(),
        1,
        "what the person typed, and nothing of ours: {thread:#?}"
    );
    assert_eq!(shop.double.sent().len(), 2, "the bot spoke over a person");
    shop.handle.give_back(contact).await.unwrap();
    sari.says("Hi");
    shop.reads(3).await;
    shop.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_meets_a_broken_link_is_kept_and_leaves_once_when_it_is_back() {
    for ours in [false, true] {
        let double = Double::start().await;
        double.inner.state().ours = ours;
        let shop = Shop::open(double).await;
        let sari = shop.double.customer(SARI);
        sari.says("Hi");
        shop.reads(1).await;
        shop.double
            .inner
            .becomes("STARTING", "reconnecting", "no answer from WhatsApp");
        shop.is(if ours { "reconnecting" } else { "starting" }).await;
        sari.says("3");
        shop.kept(1).await;
        assert_eq!(shop.double.sent().len(), 1);
        shop.double.inner.becomes("WORKING", "connected", "");
        assert_eq!(shop.reads(2).await, [MENU, "Ride safely!"]);
        shop.double.settled().await;
        assert_eq!(shop.double.sent().len(), 2, "once");
        shop.running.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_that_unlinks_in_mid_send_is_a_named_state_and_the_reply_is_kept() {
    let shop = Shop::open(Double::ours().await).await;
    let sari = shop.double.customer(SARI);
    sari.says("Hi");
    shop.reads(1).await;
    // The server refuses before anybody could be told.
    let refusal = json!({ "error": "not in this state", "status": "FAILED" });
    shop.double.inner.state().faults.push((422, refusal));
    sari.says("3");
    shop.double
        .until("a refusal", |state| {
            let refused = |asked: &double::Logged| asked.line.ends_with("/sendText") && asked.answered == 422;
            state.log.iter().any(refused).then_some(())
        })
        .await;
    shop.double.unlinks();
    let view = shop.is("logged_out").await;
    assert!(view.says.contains("removed on the phone"), "{view:#?}");
    assert!(
        view.next_action
            .unwrap()
            .contains("switchboard channel pair main")
    );
    shop.kept(1).await;
    shop.double.inner.starts();
    shop.double.scans_what_is_shown(OURS).await;
    assert_eq!(shop.reads(2).await[1], "Ride safely!");
    let view = shop.is("connected").await;
    assert_eq!(view.generation, 2);
    let states: Vec<String> = view.audit.iter().filter_map(|line| line.to.clone()).collect();
    assert!(states.iter().any(|state| state == "logged_out"), "{states:?}");
    shop.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_ever_sent_from_another_number_than_the_planned_one() {
    // A server of ours refuses by itself; a WAHA server does not know which number is meant.
    for ours in [true, false] {
        let double = Double::start().await;
        double.inner.state().ours = ours;
        let shop = Shop::open(double).await;
        let sari = shop.double.customer(SARI);
        sari.says("Hi");
        shop.reads(1).await;
        shop.double.unlinks();
        sari.says("3");
        shop.kept(1).await;
        shop.double.inner.starts();
        shop.double.scans_what_is_shown("6281100000099").await;
        let other = loop {
            let view = shop.is("connected").await;
            if view.planned_number == Some(false) {
                break view;
            }
        };
        assert!(other.held.unwrap().contains("another number is linked"));
        shop.double.settled().await;
        shop.kept(1).await;
        let verified = channels::verify(&shop.config, &shop.config.channels[0]).await;
        assert_eq!(verified.state, State::NotRegistered, "{verified:#?}");
        // What comes to the other number is not this number's.
        sari.says("Hello?");
        shop.double.settled().await;
        shop.double.unlinks();
        shop.double.inner.starts();
        shop.double.scans_what_is_shown(OURS).await;
        assert_eq!(shop.reads(2).await[1], "Ride safely!");
        shop.double.settled().await;
        assert!(
            shop.double.sent().iter().all(|sent| sent.from == OURS),
            "{:#?}",
            shop.double.sent()
        );
        assert_eq!(shop.double.sent().len(), 2);
        shop.running.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_signed_is_taken() {
    let shop = Shop::open(Double::start().await).await;
    let url = format!("http://{}/webhook/main", shop.running.address());
    let message = json!({ "event": "message.any", "session": double::SESSION, "payload": { "id": format!("false_{SARI}@c.us_A1"),
        "from": format!("{SARI}@c.us"), "fromMe": false, "body": "Hi", "hasMedia": false } });
    let raw = message.to_string();
    let good = signature_of("what-webhooks-are-signed-with", raw.as_bytes());
    for (signature, status) in [
        (None, 401),
        (Some(signature_of("a guess", raw.as_bytes())), 401),
        (Some(good.clone()), 200),
        // A repetition is taken, and answered once.
        (Some(good), 200),
    ] {
        let mut request = reqwest::Client::new().post(&url).body(raw.clone());
        if let Some(signature) = signature {
            request = request.header("x-webhook-hmac", signature);
        }
        assert_eq!(request.send().await.unwrap().status().as_u16(), status);
    }
    shop.reads(1).await;
    shop.double.settled().await;
    assert_eq!(shop.double.sent().len(), 1);
    shop.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_state_of_a_link_is_told_in_words_with_its_next_step() {
    let shop = Shop::unlinked(Double::ours().await).await;
    let main = &shop.config.channels[0];
    let waits = channels::verify(&shop.config, main).await;
    assert_eq!(waits.state, State::NotLinked, "{waits:#?}");
    shop.double.scans_what_is_shown(OURS).await;
    let ready = channels::verify(&shop.config, main).await;
    assert_eq!(ready.state, State::Ready, "{ready:#?}");
    for (status, state) in [
        ("FAILED", "replaced"),
        ("FAILED", "banned"),
        ("FAILED", "outdated"),
        ("FAILED", "qr_expired"),
        ("FAILED", "failed"),
        ("STARTING", "reconnecting"),
        ("STOPPED", "unlinked"),
    ] {
        shop.double.inner.becomes(status, state, "so it is");
        let verified = channels::verify(&shop.config, main).await;
        assert_eq!(verified.state, State::NotLinked, "{state}: {verified:#?}");
        let check = verified
            .checks
            .iter()
            .find(|check| check.name == format!("main {state}"))
            .unwrap();
        assert!(check.says.contains("so it is"), "{check:?}");
        assert!(
            check.next.as_ref().is_some_and(|next| !next.is_empty()),
            "{check:?}"
        );
        let view = shop.is(state).await;
        assert!(view.held.is_some() && view.next_action.is_some(), "{view:#?}");
        let shown = &shop.handle.channels()[0];
        assert!(shown.stopped.is_some(), "{shown:?}");
    }
    let mut hooked = shop.config.clone();
    shop.double.inner.becomes("WORKING", "connected", "");
    shop.double.inner.state().session().config = Value::Null;
    let unheard = channels::verify(&hooked, main).await;
    assert_eq!(unheard.state, State::NoWebhook, "{unheard:#?}");
    let next = unheard
        .checks
        .iter()
        .find_map(|check| check.next.clone())
        .unwrap();
    assert!(next.contains("switchboard channel register main"), "{next}");
    channels::register(&hooked, main).await.unwrap();
    assert_eq!(channels::verify(&hooked, main).await.state, State::Ready);
    shop.double.inner.state().session = None;
    let gone = channels::verify(&hooked, main).await;
    assert_eq!(gone.state, State::NotLinked, "{gone:#?}");
    if let switchboard::server::config::ProviderConfig::Linked(settings) = &mut hooked.channels[0].provider {
        settings.api_key = "another".to_owned().into();
    }
    let refused = channels::verify(&hooked, &hooked.channels[0]).await;
    assert_eq!(refused.state, State::TokenRefused, "{refused:#?}");
    let Shop {
        double,
        config,
        running,
        ..
    } = shop;
    running.shutdown().await;
    drop(double);
    let away = channels::verify(&config, &config.channels[0]).await;
    assert_eq!(away.state, State::Unreachable, "{away:#?}");
    let mut bad = away.checks.iter().filter(|check| check.level != Level::Good);
    assert!(bad.all(|check| check.next.is_some()), "{away:#?}");
}

/// Asks the operators' API.
async fn asked(shop: &Shop, order: Option<Value>) -> (u16, Value) {
    let url = format!("http://{}/api/channels/main/link", shop.running.address());
    let client = reqwest::Client::new();
    let request = match order {
        Some(order) => client.post(url).json(&order),
        None => client.get(url),
    };
    let answer = request.bearer_auth("an-operator").send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_engine_keeps_what_is_to_leave_and_logs_nobody_out() {
    let shop = Shop::open(Double::ours().await).await;
    let sari = shop.double.customer(SARI);
    let (status, view) = asked(
        &shop,
        Some(json!({ "order": "stop", "by": "Dewi", "why": "stock-taking" })),
    )
    .await;
    assert_eq!((status, &view["paused"]["by"]), (200, &json!("Dewi")), "{view}");
    sari.says("Hi");
    shop.kept(1).await;
    assert_eq!(
        shop.double.inner.state().session().status,
        "WORKING",
        "the phone stays linked"
    );
    assert_eq!(shop.double.sent().len(), 0);
    let busy = json!({ "order": "begin", "by": "Budi", "what": "reset", "pause": true });
    assert_eq!(asked(&shop, Some(busy)).await.0, 200);
    let (status, said) = asked(&shop, Some(json!({ "order": "resume", "by": "Dewi" }))).await;
    assert_eq!(status, 409, "while Budi changes the connection: {said}");
    assert!(said["error"].as_str().unwrap().contains("Budi"), "{said}");
    let end = json!({ "order": "end", "by": "Budi", "outcome": "connected", "resume": true });
    assert_eq!(asked(&shop, Some(end)).await.0, 200);
    assert_eq!(shop.reads(1).await, [MENU]);
    let (_, view) = asked(&shop, None).await;
    let told: Vec<&str> = view["audit"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["who"] != "server")
        .map(|line| line["what"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["stop", "begin", "end"]);
    assert!(
        !view.to_string().contains("2@code"),
        "no code stands in the audit: {view}"
    );
    let (status, _) = asked(&shop, Some(json!({ "order": "dance", "by": "Dewi" }))).await;
    assert_eq!(status, 422);
    shop.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_look_at_a_worker_tells_how_the_link_is_and_what_is_held() {
    let metrics = |tables: String| format!("metrics = {{ bind = \"127.0.0.1:0\" }}\n{tables}");
    let shop = Shop::unlinked_with(Double::ours().await, metrics).await;
    shop.is("awaiting_scan").await;
    let at = shop.running.metrics_address().unwrap();
    let look = async || -> Value {
        let answer = reqwest::get(format!("http://{at}/status")).await.unwrap();
        answer.json::<Value>().await.unwrap()["numbers"][0].clone()
    };
    let waits = look().await;
    assert!(
        waits["link"].as_str().unwrap().starts_with("a QR code waits"),
        "{waits}"
    );
    assert!(waits["stopped"].is_string(), "{waits}");
    shop.double.scans_what_is_shown(OURS).await;
    shop.is("connected").await;
    let up = look().await;
    assert!(up["link"].as_str().unwrap().ends_with("link number 1"), "{up}");
    assert_eq!(up["stopped"], Value::Null, "{up}");
    shop.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_a_customer_sent_is_fetched_with_the_key_from_the_server_itself() {
    let shop = Shop::open(Double::start().await).await;
    let sari = shop.double.customer(SARI);
    sari.says("Hi");
    shop.reads(1).await;
    sari.says("2");
    shop.reads(2).await;
    sari.sends_voice(b"OggS: a note");
    assert_eq!(shop.reads(3).await[2], "Noted: my wheel is bent");
    assert_eq!(*shop.ear.given.lock().unwrap(), [b"OggS: a note".to_vec()]);
    shop.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_read_then_written_then_sent() {
    let double = Double::start().await;
    let shop = Shop::unlinked_with(double, |tables| {
        tables.replace("typing_ms = [0, 0]", "typing_ms = [1, 5]")
    })
    .await;
    shop.double.scans_what_is_shown(OURS).await;
    shop.is("connected").await;
    shop.double.customer(SARI).says("Hi");
    shop.reads(1).await;
    shop.double.settled().await;
    let log = shop.double.log();
    let told: Vec<&str> = log
        .iter()
        .filter_map(|asked| asked.line.strip_prefix("POST /api/"))
        .filter(|path| !path.starts_with("sessions"))
        .collect();
    assert_eq!(told, ["sendSeen", "startTyping", "stopTyping", "sendText"]);
    let chats: Vec<&Value> = log
        .iter()
        .map(|asked| &asked.body["chatId"])
        .filter(|chat| chat.is_string())
        .collect();
    assert!(
        chats.iter().all(|chat| **chat == format!("{SARI}@c.us")),
        "{chats:?}"
    );
    shop.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_nobody_knows_of_is_told_to_the_team_and_one_that_was_refused_is_not_repeated() {
    let shop = Shop::open(Double::start().await).await;
    shop.double
        .inner
        .state()
        .faults
        .push((400, json!({ "message": "no" })));
    shop.double.customer(SARI).says("Hi");
    shop.double
        .until("a refusal", |state| {
            state.log.iter().any(|asked| asked.answered == 400).then_some(())
        })
        .await;
    let contact = shop.contact().await;
    shop.noted(contact, NoteKind::Sending, 1).await;
    shop.double.settled().await;
    assert_eq!(shop.double.sent().len(), 0);
    shop.running.shutdown().await;
}

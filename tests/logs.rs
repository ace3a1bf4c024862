//! What a running server prints, whatever happens to it, holds no number, name, word or secret of the conversation.

// Helpers of tests stand outside test functions here; a panic is how they say that a promise was broken.
#![allow(clippy::unwrap_used)]

mod bot;
mod double;

use bot::shop::Shop;
use bot::{Bot, heard};
use double::{Double, Fault, Faulty};
use serde_json::json;

const SARI: &str = "6281100000011";
const BUDI: &str = "6281100000012";
const HELLO: &str = "Hello! What can I do for you?";

/// Everything private that goes through the server below: who writes, what they say, what they hear, and all secrets.
fn private(double: &Double) -> Vec<String> {
    let setup = double.setup();
    let mut private: Vec<String> = [
        SARI,
        BUDI,
        "Sari Dewanti",
        "Budi Santoso",
        "Buenos dias corpus",
        "A-12345",
        "a-12345",
        "A-99999",
        "my card is 4111",
        "a story of mine",
        "photo caption of mine",
        "invoice-of-mine.pdf",
        "-6.2",
        "106.8",
        "Tell me, typed",
        "Noted:",
        HELLO,
        "order number?",
        "shop-secret",
        "operator-secret",
        "person says this",
        "Agent Anna",
    ]
    .map(str::to_owned)
    .into();
    private.push(setup.app_secret.clone());
    private.push(setup.verify_token.clone());
    private.extend(setup.access_tokens.iter().cloned());
    private
}

/// A conversation in which much goes wrong.
async fn troubled(bot: &mut Bot, double: &Double, shop: &Shop) {
    let line = bot.line("listening on ").await.unwrap();
    let base = line.split_once("listening on ").unwrap().1.to_owned();
    let webhook = format!("{base}/webhook/main");
    let client = reqwest::Client::new();
    let (sari, budi) = (
        double.customer(SARI).named("Sari Dewanti"),
        double.customer(BUDI).named("Budi Santoso"),
    );
    // A good one, with a service.
    sari.says("Buenos dias corpus");
    heard(double, SARI, 1).await;
    sari.taps("Track my order");
    heard(double, SARI, 2).await;
    sari.says("my card is 4111");
    heard(double, SARI, 3).await;
    sari.says("a-12345");
    heard(double, SARI, 5).await;
    // The service knows nothing of this one.
    sari.says("hello");
    heard(double, SARI, 6).await;
    sari.says("track");
    heard(double, SARI, 7).await;
    sari.says("A-99999");
    shop.asked(2).await;
    // Everything else that can be sent.
    budi.says("hi");
    heard(double, BUDI, 1).await;
    budi.taps("Leave a message");
    heard(double, BUDI, 2).await;
    budi.says("a story of mine");
    heard(double, BUDI, 3).await;
    budi.sends_photo(b"not really a photo".to_vec(), Some("photo caption of mine"));
    budi.sends_document(b"%PDF".to_vec(), "application/pdf", "invoice-of-mine.pdf");
    budi.sends_voice(b"OggS and no sound".to_vec());
    budi.sends_location(-6.2, 106.8);
    budi.sends("holograms", json!({ "words": "a story of mine" }));
    // Webhooks that are forged, not JSON, of another shape, and for nobody.
    let secrets = double.setup();
    for address in [webhook.clone(), format!("{base}/webhook/{SARI}")] {
        let forged = client
            .post(&address)
            .header("x-hub-signature-256", format!("sha256={}", "0".repeat(64)))
            .body(format!("{{\"text\":\"a story of mine\",\"from\":\"{SARI}\"}}"));
        assert_eq!(forged.send().await.unwrap().status(), 401);
    }
    let broken = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "1", "changes": [{ "field": "messages",
        "value": { "messaging_product": "whatsapp",
            "metadata": { "phone_number_id": secrets.phone_number_id, "display_phone_number": SARI },
            "messages": [{ "from": SARI, "id": 7, "type": "text", "text": "a story of mine" }] } }] }] });
    let (signature, body) = double.signed(&broken);
    let answer = client
        .post(&webhook)
        .header("x-hub-signature-256", signature)
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let handshake = format!("{webhook}?hub.mode=subscribe&hub.verify_token=wrong-{SARI}&hub.challenge=1");
    assert_eq!(client.get(handshake).send().await.unwrap().status(), 403);
    // Sends that are refused, and one of which nobody knows.
    for fault in [
        Faulty::Refuse(131_026),
        Faulty::Refuse(190),
        Faulty::Status(500),
        Faulty::FailLater(131_000),
    ] {
        double.fault(Fault::once(fault));
    }
    sari.says("hi");
    budi.says("agent");
    // People act.
    let bearer = |request: reqwest::RequestBuilder| request.bearer_auth("operator-secret");
    let listed = bearer(client.get(format!("{base}/api/conversations")))
        .send()
        .await
        .unwrap();
    let listed: serde_json::Value = listed.json().await.unwrap();
    let contact = listed[0]["contact"]
        .as_str()
        .unwrap_or_else(|| panic!("{listed}"));
    for (act, body) in [
        ("take", json!({ "agent": "Agent Anna" })),
        (
            "say",
            json!({ "agent": "Agent Anna", "text": "person says this" }),
        ),
        ("return", json!({})),
    ] {
        let asked = bearer(client.post(format!("{base}/api/conversations/{contact}/{act}"))).json(&body);
        let answer = asked.send().await.unwrap();
        assert!(answer.status().is_success(), "{act}: {}", answer.status());
    }
    let refused = client.get(format!("{base}/api/conversations"));
    assert_eq!(refused.bearer_auth("wrong").send().await.unwrap().status(), 401);
    // Flows that don't compile.
    let desk = bot.flows().join("desk.flow");
    std::fs::write(&desk, "flow desk\nstep x\n  say 'a\n").unwrap();
    bot.signal("-HUP");
    bot.line("the changed flows don't go live").await.unwrap();
    double.settled().await;
}

async fn prints_nothing_private(log: &str) {
    let (double, shop) = (Double::start().await, Shop::start().await);
    let mut bot = Bot::new(&double)
        .with(&double, "admin_token = { env = \"ADMIN\" }\n")
        .with(&double, &shop.config())
        .with(&double, log);
    bot.env("ADMIN", "operator-secret");
    bot.start(&double).await;
    troubled(&mut bot, &double, &shop).await;
    let said = bot.last_words().await;
    // It said something of each kind of trouble, so that the search below is not in vain.
    for part in [
        "received",
        "turn",
        "called",
        "without a valid signature",
        "in quarantine",
        "a message was not sent",
    ] {
        assert!(said.contains(part), "it never said {part:?}:\n{said}");
    }
    for private in private(&double) {
        let told: Vec<&str> = said.lines().filter(|line| line.contains(&private)).collect();
        assert!(told.is_empty(), "{private:?} is in the log:\n{}", told.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_for_people_holds_nothing_private_whatever_goes_wrong() {
    prints_nothing_private("[log]\nlevel = \"info\"\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_for_machines_holds_nothing_private_at_its_finest() {
    prints_nothing_private("[log]\nformat = \"json\"\nlevel = \"debug\"\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_and_the_refusal_of_a_configuration_show_no_secret() {
    let double = Double::start().await;
    let bot = Bot::new(&double);
    for arguments in [
        &["doctor"][..],
        &["doctor", "--format", "json"],
        &["serve", "--bind", "192.0.2.1:1"],
    ] {
        let ran = bot.run(&double, arguments);
        let said = [ran.stdout, ran.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(!said.is_empty());
        let setup = double.setup();
        for secret in [&setup.app_secret, &setup.verify_token, &setup.access_tokens[0]] {
            assert!(!said.contains(secret.as_str()), "{arguments:?}:\n{said}");
        }
    }
}

/// What answers a private question; the words of it that must be found nowhere.
const PRIVATELY: &str = r#"flow desk
starts on "hi"

step a
  ask code "Your code?"
    as text like "XQ-####"
    private
  end
  ask order "And your order?"
    private
  end
  say "One moment."
  handoff to support
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_answers_a_private_question_is_shown_to_nobody_who_has_the_chat() {
    let double = Double::start().await;
    let mut bot = Bot::new(&double).with(&double, "admin_token = { env = \"ADMIN\" }\n");
    for file in std::fs::read_dir(bot.flows()).unwrap() {
        let file = file.unwrap();
        if file.file_name() != "business.flow" {
            std::fs::remove_file(file.path()).unwrap();
        }
    }
    std::fs::write(bot.flows().join("desk.flow"), PRIVATELY).unwrap();
    bot.env("ADMIN", "operator-secret");
    bot.start(&double).await;
    let line = bot.line("listening on ").await.unwrap();
    let base = line.split_once("listening on ").unwrap().1.to_owned();
    let sari = double.customer(SARI);
    sari.says("hi");
    heard(&double, SARI, 1).await;
    sari.says("XQ-83");
    heard(&double, SARI, 2).await;
    sari.says("XQ-8313");
    heard(&double, SARI, 3).await;
    sari.says("order XQ-8314");
    heard(&double, SARI, 4).await;
    sari.says("is anybody there?");
    double.settled().await;
    let get = async |path: String| -> serde_json::Value {
        let asked = reqwest::Client::new()
            .get(format!("{base}{path}"))
            .bearer_auth("operator-secret");
        asked.send().await.unwrap().json().await.unwrap()
    };
    let listed = get("/api/conversations".to_owned()).await;
    let contact = listed[0]["contact"].as_str().unwrap();
    let shown = get(format!("/api/conversations/{contact}")).await;
    let thread = shown["thread"].as_array().unwrap();
    let kinds = |kind: &str| {
        let of_it = thread.iter().filter(|entry| entry["line"]["line"] == kind);
        of_it.count()
    };
    assert_eq!(
        (kinds("withheld"), kinds("customer"), kinds("private")),
        (3, 2, 0),
        "{shown:#}"
    );
    assert!(shown.to_string().contains("is anybody there?"));
    assert!(!shown.to_string().contains("XQ-8"), "{shown:#}");
    // Whoever asks for everything that is kept of them gets that, too.
    let whole = get(format!("/api/conversations/{contact}/export")).await;
    assert!(whole.to_string().contains("XQ-8313"), "{whole:#}");
    let said = bot.last_words().await;
    assert!(!said.contains("XQ-8"), "{said}");
}

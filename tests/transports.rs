//! What is special of each provider that speaks as Meta does: how it proves itself, what it shows, how its number is. The one
//! conversation over all ways in is in `tests/linked/ways.rs`.

// Helpers of tests stand outside test functions here; a panic is how they say that a promise was broken.
#![allow(clippy::unwrap_used)]

mod bot;
mod double;
mod thread;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bot::root;
use double::{Double, Face, Fault, Faulty, Sent, Setup};
use serde_json::{Value, json};
use switchboard::server::channels::{self, Secrets, State};
use switchboard::server::config::Config;
use switchboard::server::doctor::Level;
use switchboard::server::{Handle, Parts, Running, Server, ThreadEntry};
use switchboard::store::{Caps, ContactId, MovableClock, SqliteStore};
use tempfile::TempDir;

const SARI: &str = "6281100000011";
const SECRET: &str = "sixteen-or-more-of-these";

/// A server with one number at a double.
struct Way {
    double: Double,
    running: Running,
    handle: Handle,
    _folder: TempDir,
}

fn env(setup: &Setup) -> impl Fn(&str) -> Option<String> + use<> {
    let (token, push, app) = (
        setup.access_tokens[0].clone(),
        setup.push_token.clone(),
        setup.app_secret.clone(),
    );
    move |name: &str| match name {
        "TOKEN" => Some(token.clone()),
        "PUSH" => Some(push.clone()),
        "APP" => Some(app.clone()),
        "SECRET" => Some(SECRET.to_owned()),
        "SHOP_TOKEN" => Some("shop-secret".to_owned()),
        _ => None,
    }
}

fn config(double: &Double, channel: &str) -> Config {
    config_with(double, channel, &env(double.setup()))
}

fn config_with(double: &Double, channel: &str, env: &dyn Fn(&str) -> Option<String>) -> Config {
    let setup = double.setup();
    let text = format!(
        "flows = \"{}\"\nbind = \"127.0.0.1:0\"\npublic_url = \"https://bot.example\"\n[[channel]]\nid = \"main\"\n\
         phone_number_id = \"{}\"\naccess_token_env = \"TOKEN\"\nburst_quiet_ms = 20\n{channel}",
        root().join("fixtures/server/flows").display(),
        setup.phone_number_id,
    );
    Config::parse(&text, Path::new("/tmp/switchboard.toml"), env).unwrap()
}

fn dialog360(double: &Double) -> String {
    format!(
        "provider = \"compatible\"\napi_base = \"{}\"\nwebhook_secret_env = \"SECRET\"\n[channel.compatible]\n\
         preset = \"360dialog\"\nwebhook_auth = \"path\"\n",
        double.base_url()
    )
}

fn coster(double: &Double, more: &str) -> String {
    let setup = double.setup();
    format!(
        "provider = \"coster\"\nwebhook_secret_env = \"SECRET\"\n[channel.coster]\naccount_id = \"{}\"\n\
         division_id = \"{}\"\npush_token_env = \"PUSH\"\nhost = \"{url}\"\npush_host = \"{url}\"\n{more}\n",
        setup.coster_account,
        setup.coster_division,
        url = double.base_url(),
    )
}

impl Way {
    async fn open(setup: Setup, channel: impl Fn(&Double) -> String) -> Way {
        let double = Double::with(setup).await;
        let config = config(&double, &channel(&double));
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(MovableClock::default());
        let path = folder.path().join("store.db");
        let store = Arc::new(SqliteStore::open(path, Caps::default(), clock.clone()).unwrap());
        let parts = Parts {
            clock: Some(clock),
            ..Parts::default()
        };
        let running = Server::start(config, store, parts).await.unwrap();
        double.point_at(format!("http://{}/webhook/main/{SECRET}", running.address()));
        Way {
            double,
            handle: running.handle(),
            running,
            _folder: folder,
        }
    }

    /// Waits until the customer was sent so many messages, and gives them as they look.
    async fn reads(&self, count: usize) -> Vec<String> {
        let sent = self
            .double
            .wait_until(&format!("{count} messages"), |sent| sent.len() >= count)
            .await;
        sent.iter().map(shown).collect()
    }

    /// Waits until it is written that nobody knows of a message.
    async fn uncertain(&self, contact: ContactId) {
        let in_doubt = |entry: &ThreadEntry| {
            let status = entry.status.as_ref();
            status.is_some_and(|(_, state)| state.starts_with("uncertain"))
        };
        let written = |thread: &[ThreadEntry]| thread.iter().any(in_doubt);
        thread::until(&self.handle, contact, "a message in doubt", written).await;
    }
}

/// A message as it looks on the customer's screen.
fn shown(sent: &Sent) -> String {
    let options: Vec<String> = sent.options().into_iter().map(|(_, title, _)| title).collect();
    if options.is_empty() {
        sent.text().to_owned()
    } else {
        format!("{} [{}]", sent.text(), options.join(" | "))
    }
}

const BUTTONS: &str = "Hello! What can I do for you? [Track my order | Leave a message | Nothing, thanks]";
const NUMBERS: &str =
    "Hello! What can I do for you?\n\n1. Track my order\n2. Leave a message\n3. Nothing, thanks";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coster_shows_buttons_once_the_operator_has_switched_them_on() {
    let setup = Setup {
        coster_takes_all: true,
        ..Setup::of(Face::Coster)
    };
    let way = Way::open(setup, |double| coster(double, "buttons = true")).await;
    let sari = way.double.customer(SARI);
    sari.says("Hi");
    assert_eq!(way.reads(1).await, [BUTTONS]);
    sari.taps("Leave a message");
    assert_eq!(way.reads(2).await[1], "Tell me, typed or as a voice note.");
    way.running.shutdown().await;
}

/// Posts a webhook and gives status and body.
async fn post(url: &str, headers: &[(&str, &str)], body: &Value) -> (u16, String) {
    let mut request = reqwest::Client::new().post(url).body(body.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

fn webhook(double: &Double, id: &str) -> Value {
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": "1", "changes": [{ "field": "messages", "value": {
        "metadata": { "phone_number_id": double.setup().phone_number_id },
        "messages": [{ "from": SARI, "id": id, "type": "text", "text": { "body": "Hi" } }] } }] }] })
}

fn open_windows(face: Face) -> Setup {
    Setup {
        open_windows: true,
        ..Setup::of(face)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_not_know_the_end_of_the_address_is_a_forger_like_any_other() {
    for face in [Face::Dialog360, Face::Coster] {
        let way = Way::open(open_windows(face), |double| match face {
            Face::Coster => coster(double, ""),
            Face::Meta | Face::Dialog360 => dialog360(double),
        })
        .await;
        let address = format!("http://{}/webhook", way.running.address());
        let body = match face {
            Face::Coster => json!({ "id": "1", "mid": "1", "data": webhook(&way.double, "wamid.1") }),
            Face::Meta | Face::Dialog360 => webhook(&way.double, "wamid.1"),
        };
        for wrong in [
            "main".to_owned(),
            "main/".to_owned(),
            format!("main/{}", &SECRET[..15]),
            format!("main/{}", SECRET.to_uppercase()),
            format!("nowhere/{SECRET}"),
        ] {
            let (status, said) = post(
                &format!("{address}/{wrong}"),
                &[("x-webhook-secret", SECRET)],
                &body,
            )
            .await;
            // An address with nothing behind the slash is no address at all.
            let expected = if wrong.ends_with('/') {
                (404, "")
            } else {
                (401, "unauthorised")
            };
            assert_eq!((status, said.as_str()), expected, "{wrong}");
        }
        let (status, said) = post(&format!("{address}/main/{SECRET}"), &[], &body).await;
        assert_eq!(status, 200);
        let answer: Value = serde_json::from_str(&said).unwrap_or_default();
        let in_words =
            answer["code"] == 200 && answer["server_time"].is_string() && answer["message"].is_string();
        assert_eq!(in_words, face == Face::Coster, "{said}");
        assert_eq!(way.reads(1).await.len(), 1);
        let look = reqwest::get(format!("{address}/main/{SECRET}"))
            .await
            .unwrap()
            .status();
        assert_eq!(look.as_u16(), if face == Face::Coster { 200 } else { 403 });
        assert_eq!(
            reqwest::get(format!("{address}/main"))
                .await
                .unwrap()
                .status()
                .as_u16(),
            403
        );
        way.running.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compatible_provider_can_prove_itself_by_a_header_by_a_signature_or_not_at_all() {
    let double = Double::with(open_windows(Face::Dialog360)).await;
    let body = webhook(&double, "wamid.1");
    let raw = body.to_string().into_bytes();
    let good = double::signature_of(&double.setup().app_secret, &raw);
    let forged = double::signature_of("guess", &raw);
    for (auth, headers, status) in [
        (
            "webhook_auth = \"header\"",
            vec![("x-webhook-secret", SECRET)],
            200,
        ),
        (
            "webhook_auth = \"header\"",
            vec![("x-webhook-secret", "guess")],
            401,
        ),
        ("webhook_auth = \"header\"", vec![], 401),
        (
            "webhook_auth = \"header\"\nsecret_header = \"X-Shop\"",
            vec![("x-shop", SECRET)],
            200,
        ),
        (
            "webhook_auth = \"signature\"",
            vec![("x-hub-signature-256", good.as_str())],
            200,
        ),
        (
            "webhook_auth = \"signature\"",
            vec![("x-hub-signature-256", forged.as_str())],
            401,
        ),
        (
            "webhook_auth = \"signature\"\nsignature_header = \"X-Sign\"\nsignature_prefix = \"\"",
            vec![("x-sign", &good[7..])],
            200,
        ),
        ("webhook_auth = \"none\"", vec![], 200),
    ] {
        let way = Way::open(open_windows(Face::Dialog360), |double| {
            format!(
                "provider = \"compatible\"\napi_base = \"{}\"\nwebhook_secret_env = \"SECRET\"\napp_secret_env = \"APP\"\n\
                 [channel.compatible]\npreset = \"360dialog\"\n{auth}\n",
                double.base_url()
            )
        })
        .await;
        let address = format!("http://{}/webhook/main", way.running.address());
        assert_eq!(
            post(&address, &headers, &body).await.0,
            status,
            "{auth} {headers:?}"
        );
        way.running.shutdown().await;
    }
}

/// A number at Meta itself.
fn meta(double: &Double) -> String {
    format!(
        "provider = \"meta\"\napi_base = \"{}\"\napp_secret_env = \"APP\"\nverify_token_env = \"SECRET\"\n",
        double.base_url()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_the_provider_refuses_is_told_with_where_the_new_one_goes() {
    for (face, channel, words) in [
        (Face::Meta, meta as fn(&Double) -> String, "code 190"),
        (Face::Dialog360, dialog360, "Invalid api key"),
        (Face::Coster, |double| coster(double, ""), "HTTP 401"),
    ] {
        let double = Double::with(Setup {
            access_tokens: vec!["another".to_owned()],
            ..Setup::of(face)
        })
        .await;
        // The configuration has the token of before.
        let config = config_with(&double, &channel(&double), &env(&Setup::default()));
        let verified = channels::verify(&config, &config.channels[0]).await;
        assert_eq!(verified.state, State::TokenRefused, "{verified:#?}");
        assert!(verified.checks[0].says.contains(words), "{verified:#?}");
        let next = verified.checks[0].next.as_deref().unwrap();
        assert!(next.contains("access_token_env"), "{next}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_state_of_a_number_is_told_in_words_with_its_next_step() {
    for (face, channel) in [
        (Face::Meta, meta as fn(&Double) -> String),
        (Face::Dialog360, dialog360),
        (Face::Coster, |double| coster(double, "")),
    ] {
        let double = Double::with(Setup::of(face)).await;
        let config = config(&double, &channel(&double));
        let number = &config.channels[0];
        // Nobody has set a webhook yet; Coster can't be asked.
        let (state, name, address) = match face {
            Face::Meta => (State::NoWebhook, "main webhook", "/webhook/main"),
            Face::Dialog360 => (State::NoWebhook, "main webhook", "/webhook/main/…"),
            Face::Coster => (State::LookAtIt, "main address", "/webhook/main/…"),
        };
        let verified = channels::verify(&config, number).await;
        assert_eq!(verified.state, state, "{verified:#?}");
        let webhook = verified.checks.iter().find(|check| check.name == name).unwrap();
        let next = webhook.next.as_deref().unwrap();
        assert!(next.contains(&format!("https://bot.example{address}")), "{next}");
        assert_eq!(next.contains("--show-secret"), face != Face::Meta, "{next}");
        double.point_at(format!("https://bot.example/webhook/main/{SECRET}"));
        if face != Face::Coster {
            let verified = channels::verify(&config, number).await;
            assert_eq!(verified.state, State::Ready, "{verified:#?}");
            double.set_registered(false);
            let verified = channels::verify(&config, number).await;
            assert_eq!(verified.state, State::NotRegistered, "{verified:#?}");
        }
        if face != Face::Meta {
            let verified = channels::verify(&config, number).await;
            assert!(!format!("{verified:?}").contains(SECRET), "{verified:#?}");
        }
        drop(double);
        let verified = channels::verify(&config, number).await;
        assert_eq!(verified.state, State::Unreachable, "{verified:#?}");
        let mut bad = verified.checks.iter().filter(|check| check.level != Level::Good);
        assert!(bad.all(|check| check.next.is_some()), "{verified:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_to_hand_over_is_spelled_out_only_if_asked() {
    let double = Double::with(Setup::of(Face::Coster)).await;
    let config = config(&double, &coster(&double, ""));
    let listed = channels::list(&config, Secrets::Hidden);
    assert!(!format!("{listed:?}").contains(SECRET));
    let listed = channels::list(&config, Secrets::Shown);
    let address = format!("https://bot.example/webhook/main/{SECRET}");
    assert_eq!(listed[0].webhook.as_deref(), Some(address.as_str()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_coster_does_not_answer_is_sent_once_more_under_the_same_id() {
    let way = Way::open(open_windows(Face::Coster), |double| coster(double, "")).await;
    way.double.fault(Fault::once(Faulty::Status(502)));
    let sari = way.double.customer(SARI);
    sari.says("Hi");
    way.double
        .wait_for_log("a refused reply", |log| {
            log.iter().any(|asked| asked.answered == Some(502))
        })
        .await;
    let contact = way.handle.contacts(1).await.unwrap()[0];
    way.uncertain(contact).await;
    // No status will settle it: the wait for one runs out.
    way.handle.advance_clock(Duration::from_secs(60));
    assert_eq!(way.reads(1).await, [NUMBERS]);
    let xids: Vec<Value> = way
        .double
        .log()
        .iter()
        .filter(|asked| asked.path == "/bot/webhook")
        .map(|asked| asked.json()["xid"].clone())
        .collect();
    assert_eq!((xids.len(), &xids[0]), (2, &xids[1]));
    way.running.shutdown().await;
}

/// Asks the double by itself and gives its status.
async fn asked(double: &Double, method: &str, path: &str, key: (&str, &str), body: Value) -> u16 {
    let method = method.parse().unwrap();
    let request = reqwest::Client::new().request(method, format!("{}/{path}", double.base_url()));
    let request = request.header(key.0, key.1).body(body.to_string());
    let request = request.header("content-type", "application/json");
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_double_of_360dialog_takes_its_own_key_at_its_own_paths_alone() {
    let double = Double::with(open_windows(Face::Dialog360)).await;
    let text =
        json!({ "messaging_product": "whatsapp", "to": SARI, "type": "text", "text": { "body": "Hi" } });
    let number = double.setup().phone_number_id.clone();
    let mut unknown = text.clone();
    unknown["surprise"] = json!(1);
    let key = ("d360-api-key", "double-token");
    for (path, key, body, status) in [
        ("messages".to_owned(), key, &text, 200),
        ("messages".to_owned(), ("d360-api-key", "guess"), &text, 401),
        (
            "messages".to_owned(),
            ("authorization", "Bearer double-token"),
            &text,
            401,
        ),
        (format!("v24.0/{number}/messages"), key, &text, 404),
        ("messages".to_owned(), key, &unknown, 400),
    ] {
        assert_eq!(
            asked(&double, "POST", &path, key, body.clone()).await,
            status,
            "{path} {key:?}"
        );
    }
    assert_eq!(double.sent().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_double_of_coster_takes_the_envelope_as_it_was_seen_and_nothing_else() {
    let double = Double::with(open_windows(Face::Coster)).await;
    let setup = double.setup().clone();
    let good = json!({ "xid": "00000000-0000-4000-8000-000000000000", "channel_id": "whatsapp-cloud",
        "account_id": setup.coster_account, "division_id": setup.coster_division, "is_helpdesk": false,
        "message_type": "outbound", "data": { "messaging_product": "whatsapp", "to": SARI, "type": "text",
            "text": { "body": "Hi" } } });
    let with = |member: &str, value: Value| {
        let mut changed = good.clone();
        changed[member] = value;
        changed
    };
    let photo = json!({ "messaging_product": "whatsapp", "to": SARI, "type": "image",
        "image": { "link": "https://bikes.example/a.jpg" } });
    let key = ("x-access-token", "double-token");
    for (key, body, status) in [
        (key, good.clone(), 200),
        (("x-access-token", "double-push-token"), good.clone(), 401),
        (("authorization", "Bearer double-token"), good.clone(), 401),
        (key, with("xid", json!("1")), 400),
        (key, with("account_id", json!("another")), 400),
        (key, with("surprise", json!(1)), 400),
        (key, with("data", json!("text")), 400),
        (key, with("data", photo), 400),
    ] {
        assert_eq!(
            asked(&double, "POST", "bot/webhook", key, body.clone()).await,
            status,
            "{key:?} {body}"
        );
    }
    assert_eq!(double.sent().len(), 1);
    double.has_template(
        json!({ "name": "order_ready", "language": "id", "status": "APPROVED", "category": "UTILITY",
        "components": [{ "type": "BODY", "text": "Pesanan siap." }] }),
    );
    let template = json!({ "xid": "00000000-0000-4000-8000-000000000001", "to": SARI, "type": "template",
        "template": { "name": "order_ready", "language": { "code": "id", "policy": "deterministic" } } });
    let path = format!("v1/{}/messages", setup.coster_account);
    for (key, status) in [
        (("authorization", "Bearer double-push-token"), 200),
        (("authorization", "Bearer double-token"), 401),
        (("x-access-token", "double-token"), 401),
    ] {
        assert_eq!(
            asked(&double, "POST", &path, key, template.clone()).await,
            status,
            "{key:?}"
        );
    }
    assert_eq!(asked(&double, "GET", "bot/media/1", key, Value::Null).await, 404);
}

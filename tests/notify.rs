//! Messages on the business's own account: templates as their provider lists them, `POST /api/notify` and what became of
//! it, between the real server and the provider's double.

// Helpers of tests stand outside test functions here; a panic is how they say that a promise was broken.
#![allow(clippy::unwrap_used)]

mod bot;
mod double;

use std::time::Instant;

use bot::{Bot, PATIENCE, heard};
use double::{Double, Fault, Faulty};
use serde_json::{Value, json};

const SARI: &str = "6281100000011";
const BUDI: &str = "6281100000012";
const TOKEN: &str = "a-token-of-the-shop";

/// A bot with a token for the shop, and an account whose templates are known.
async fn open(double: &Double) -> Shop {
    open_with(double, "").await
}

/// The same, with further keys of the number.
async fn open_with(double: &Double, keys: &str) -> Shop {
    open_as(double, keys, "").await
}

/// The same, with further lines under `defaults` of the business.
async fn open_as(double: &Double, keys: &str, defaults: &str) -> Shop {
    let account = double.setup().business_account_id.clone();
    let mut bot = Bot::new(double)
        .with(
            double,
            "[[token]]\nname = \"shop\"\nmay = [\"notify\"]\nenv = \"SHOP_NOTIFY\"\n",
        )
        .with_channel(double, &format!("waba_id = \"{account}\"\n{keys}"));
    bot.env("SHOP_NOTIFY", TOKEN);
    let business = bot.flows().join("business.flow");
    let text = std::fs::read_to_string(&business).unwrap();
    let with = text.replace("defaults\n", &format!("defaults\n{defaults}"));
    std::fs::write(&business, with).unwrap();
    double.has_template(shipped("APPROVED"));
    let base = bot.try_start(double, &[]).await.expect("it starts");
    double.point_at(format!("{base}/webhook/main"));
    Shop {
        bot,
        base,
        client: reqwest::Client::new(),
    }
}

fn shipped(status: &str) -> Value {
    json!({ "name": "order_shipped", "language": "en", "status": status, "category": "UTILITY", "id": "77",
        "components": [{ "type": "BODY", "text": "Hi {{1}}, order {{2}} is on its way." }] })
}

struct Shop {
    bot: Bot,
    base: String,
    client: reqwest::Client,
}

impl Shop {
    async fn notify(&self, body: Value) -> (u16, Value) {
        let request = self.client.post(format!("{}/api/notify", self.base));
        let answer = request
            .bearer_auth(TOKEN)
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// A refusal: its status, its word and its sentence.
    async fn refused(&self, body: Value) -> (u16, String, String) {
        let (status, answer) = self.notify(body).await;
        let text = |name: &str| {
            answer[name]
                .as_str()
                .unwrap_or_else(|| panic!("{answer}"))
                .to_owned()
        };
        (status, text("code"), text("error"))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let request = self.client.get(format!("{}{path}", self.base));
        let answer = request.bearer_auth(TOKEN).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Waits until a notification is there.
    async fn comes_to(&self, id: &str, wanted: &str) -> Value {
        let began = Instant::now();
        loop {
            let (_, told) = self.get(&format!("/api/notify/{id}")).await;
            if told["state"] == wanted {
                return told;
            }
            assert!(began.elapsed() < PATIENCE, "waited in vain for {wanted}: {told}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

fn to_sari(parameters: &[&str]) -> Value {
    json!({ "to": "+62 811-0000-0011", "key": "A-1 shipped",
        "template": { "name": "order_shipped", "language": "en", "parameters": parameters } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_tells_a_customer_who_never_wrote_once_and_sees_what_became_of_it() {
    let double = Double::start().await;
    let shop = open(&double).await;
    let (status, taken) = shop.notify(to_sari(&["Sari", "A-1"])).await;
    assert_eq!(status, 202, "{taken}");
    assert_eq!(
        (&taken["state"], &taken["checked"], &taken["repeated"]),
        (&json!("queued"), &json!(true), &json!(false))
    );
    let sent = double.wait_for_sent(1).await;
    assert_eq!(sent[0].to, SARI);
    let call = double
        .log()
        .into_iter()
        .find(|call| call.is_template())
        .expect("the request");
    assert_eq!(
        call.json()["to"],
        "+6281100000011",
        "the number of somebody who never wrote bears its country"
    );
    assert_eq!(
        call.json()["template"]["components"][0]["parameters"][1]["text"],
        "A-1"
    );
    let id = taken["id"].as_str().unwrap();
    shop.comes_to(id, "read").await;

    let (status, again) = shop.notify(to_sari(&["Sari", "A-1"])).await;
    assert_eq!((status, &again["repeated"]), (202, &json!(true)));
    assert_eq!(again["id"], taken["id"]);
    double.customer(SARI).says("Hi");
    heard(&double, SARI, 2).await;
    assert_eq!(double.sent().len(), 2, "the same key is the same notification");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_t_be_sent_is_refused_in_words_and_nothing_is_queued() {
    let double = Double::start().await;
    let shop = open(&double).await;
    let template = |name: &str, parameters: Value| json!({ "to": SARI, "template": { "name": name, "parameters": parameters } });
    for (body, status, code, part) in [
        (
            to_sari(&["Sari"]),
            422,
            "parameters",
            "takes 2 values (1, 2), and one is given",
        ),
        (
            to_sari(&["Sari", ""]),
            422,
            "parameters",
            "the value of 2 is empty",
        ),
        (
            template("order_shiped", json!(["Sari", "A-1"])),
            422,
            "unknown_template",
            "did you mean order_shipped?",
        ),
        (
            template("order_shipped", json!({ "1": "Sari", "3": "A-1" })),
            422,
            "parameters",
            "no blank \"3\"; it has 1, 2",
        ),
        (
            json!({ "to": SARI, "text": "Your order left." }),
            422,
            "window_closed",
            "send an approved template",
        ),
        (
            json!({ "to": "0811 0000", "text": "Hi" }),
            400,
            "malformed",
            "write it with its country",
        ),
        (
            json!({ "to": SARI }),
            400,
            "malformed",
            "either `template` or `text`",
        ),
        (
            json!({ "to": SARI, "txet": "Hi" }),
            400,
            "malformed",
            "unknown field `txet`",
        ),
        (
            json!({ "channel": "other", "to": SARI, "text": "Hi" }),
            404,
            "not_found",
            "there are main",
        ),
        (
            json!({ "contact": "00000000000000000000000000000000", "text": "Hi" }),
            404,
            "not_found",
            "no such contact",
        ),
    ] {
        let (was, word, says) = shop.refused(body).await;
        assert_eq!((was, word.as_str()), (status, code), "{says}");
        assert!(says.contains(part), "{says}");
    }
    double.has_template(shipped("PAUSED"));
    let (status, _) = shop.get("/api/channels/main/templates?fresh=true").await;
    assert_eq!(status, 200);
    let (status, code, says) = shop.refused(to_sari(&["Sari", "A-1"])).await;
    assert_eq!((status, code.as_str()), (422, "template_not_approved"));
    assert!(
        says.contains("is paused") && says.contains("comes back by itself"),
        "{says}"
    );
    double.settled().await;
    assert!(double.sent().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inside_the_window_a_text_leaves_and_the_conversation_stays_where_it_is() {
    let double = Double::start().await;
    let shop = open(&double).await;
    let sari = double.customer(SARI).named("Sari");
    sari.says("Hi");
    heard(&double, SARI, 1).await;
    sari.taps("Leave a message");
    heard(&double, SARI, 2).await;
    let (status, taken) = shop
        .notify(json!({ "to": SARI, "text": "Your bike is ready." }))
        .await;
    assert_eq!(status, 202, "{taken}");
    assert_eq!(heard(&double, SARI, 3).await[2], "Your bike is ready.");
    sari.says("my wheel is bent");
    assert_eq!(heard(&double, SARI, 4).await[3], "Noted: my wheel is bent");
    shop.comes_to(taken["id"].as_str().unwrap(), "read").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_whoever_has_a_token_for_it_may_notify() {
    let double = Double::start().await;
    let shop = open(&double).await;
    for token in ["", "a-token-of-the-sho", "a-token-of-the-shop2"] {
        let request = shop.client.post(format!("{}/api/notify", shop.base));
        let answer = request.bearer_auth(token).body("{}").send().await.unwrap();
        assert_eq!(answer.status(), 401, "{token}");
    }
    let answer = shop
        .client
        .get(format!("{}/api/conversations", shop.base))
        .bearer_auth(TOKEN)
        .send()
        .await
        .unwrap();
    assert_ne!(answer.status(), 200, "the token opens nothing else");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_of_templates_says_how_old_it_is_and_the_command_shows_the_same() {
    let double = Double::start().await;
    let shop = open(&double).await;
    let (status, listed) = shop.get("/api/channels/main/templates").await;
    assert_eq!(status, 200, "{listed}");
    let names: Vec<&str> = listed["templates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|template| template["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["hello_world", "order_shipped"]);
    assert_eq!(listed["templates"][1]["blanks"], json!(["1", "2"]));
    assert!(
        listed.get("stale").is_none() && listed["age_seconds"] == 0,
        "{listed}"
    );
    let out = shop.bot.run(&double, &["template", "list"]);
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(text.contains("order_shipped (en)  approved"), "{text}");
    assert!(text.contains("Hi {{1}}, order {{2}} is on its way."), "{text}");
}

/// As [`to_sari`], under another key.
fn under(key: &str) -> Value {
    let mut body = to_sari(&["Sari", "A-1"]);
    body["key"] = json!(key);
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_who_opted_out_gets_nothing_more_until_they_want_to() {
    let double = Double::start().await;
    let shop = open(&double).await;
    let sari = double.customer(SARI).named("Sari");
    sari.says("Hi");
    heard(&double, SARI, 1).await;
    sari.says("STOP");
    heard(&double, SARI, 2).await;
    let (status, code, says) = shop.refused(under("1")).await;
    assert_eq!((status, code.as_str()), (422, "opted_out"), "{says}");
    let (status, code, _) = shop.refused(json!({ "to": SARI, "text": "Hello?" })).await;
    assert_eq!(
        (status, code.as_str()),
        (422, "opted_out"),
        "a text is no way around it"
    );
    sari.says("start");
    heard(&double, SARI, 3).await;
    let (status, _) = shop.notify(under("1")).await;
    assert_eq!(status, 202);
    double.wait_for_sent(4).await;
}

/// A notification that waits in the outbox, because the provider asked for a pause. What our API said of it.
async fn kept_back(double: &Double, shop: &Shop) -> Value {
    double.fault(Fault::once(Faulty::TooMany(5)));
    let (_, taken) = shop.notify(under("1")).await;
    double
        .wait_for_log("the first try", |log| log.iter().any(|call| call.is_template()))
        .await;
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_queued_when_a_customer_opts_out_does_not_leave_any_more() {
    let double = Double::start().await;
    let shop = open(&double).await;
    let taken = kept_back(&double, &shop).await;
    double.customer(SARI).says("Stop!");
    let told = shop.comes_to(taken["id"].as_str().unwrap(), "dead").await;
    assert!(told["why"].as_str().unwrap().contains("opted out"), "{told}");
    let answered = heard(&double, SARI, 1).await;
    assert!(
        answered[0].contains("won't get any more messages"),
        "{answered:?}"
    );
    double.settled().await;
    assert!(double.sent().iter().all(|sent| sent.kind != "template"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opt_out_word_of_the_business_s_own_counts_before_anybody_has_read_it() {
    let double = Double::start().await;
    // The quiet time is so long that no turn reads what is said during the test.
    let shop = open_as(
        &double,
        "burst_quiet_ms = 60000\n",
        "  opt out also \"no more news\"\n",
    )
    .await;
    let taken = kept_back(&double, &shop).await;
    double.customer(SARI).says("No more news!");
    let told = shop.comes_to(taken["id"].as_str().unwrap(), "dead").await;
    assert!(told["why"].as_str().unwrap().contains("opted out"), "{told}");
    double.settled().await;
    // On a machine so slow that the message came late it is answered at once, and that may be sent.
    let templates = double.log().iter().filter(|call| call.is_template()).count();
    assert_eq!(templates, 1, "the refused try alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_customer_gets_more_than_the_guard_allows_and_replies_are_not_counted() {
    let double = Double::start().await;
    let shop = open_with(&double, "unasked_per_customer = 2\nunasked_per_day = 3\n").await;
    for key in ["1", "2"] {
        assert_eq!(shop.notify(under(key)).await.0, 202);
    }
    let (status, code, says) = shop.refused(under("3")).await;
    assert_eq!((status, code.as_str()), (429, "too_many"), "{says}");
    assert!(says.contains("unasked_per_customer"), "{says}");
    double.wait_for_sent(2).await;
    let (status, again) = shop.notify(under("2")).await;
    assert_eq!(
        (status, &again["repeated"]),
        (202, &json!(true)),
        "that one was taken"
    );

    let to_budi = |key: &str| {
        let mut body = under(key);
        body["to"] = json!(BUDI);
        body
    };
    assert_eq!(shop.notify(to_budi("1")).await.0, 202);
    let (status, _, says) = shop.refused(to_budi("2")).await;
    assert_eq!(status, 429);
    assert!(
        says.contains("this number") && says.contains("unasked_per_day"),
        "{says}"
    );
    double.customer(SARI).says("Hi");
    heard(&double, SARI, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_in_the_business_starts_a_flow_and_only_with_the_right_token_and_values() {
    let double = Double::start().await;
    let mut bot = Bot::new(&double).with(
        &double,
        "admin_token = { env = \"ADMIN\" }\n[[token]]\nname = \"shop\"\nmay = [\"events\"]\nenv = \"SHOP_EVENTS\"\n\n[[token]]\nname = \"news\"\nmay = [\"notify\"]\nenv = \"NEWS\"\n",
    );
    bot.env("SHOP_EVENTS", TOKEN);
    bot.env("NEWS", "another-token");
    bot.env("ADMIN", "operators-token");
    let happens = "flow refunded\nstarts on event order.refunded\nneeds number: text\n\nstep tell\n  notify support \"Refunded: {{ number }}\"\n  done\n";
    std::fs::write(bot.flows().join("refunded.flow"), happens).unwrap();
    let base = bot.try_start(&double, &[]).await.expect("it starts");
    double.point_at(format!("{base}/webhook/main"));
    let client = reqwest::Client::new();
    let tell = async |token: &str, body: Value| {
        let request = client.post(format!("{base}/api/events")).bearer_auth(token);
        let answer = request.body(body.to_string()).send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json::<Value>().await.unwrap_or_default(),
        )
    };
    let event = json!({ "to": SARI, "event": "order.refunded", "values": { "number": "A-1" }, "key": "A-1" });
    assert_eq!(tell("another-token", event.clone()).await.0, 401);
    let lost = json!({ "to": SARI, "event": "order.lost" });
    let (status, why) = tell(TOKEN, lost).await;
    assert_eq!((status, &why["code"]), (422, &json!("no_flow")));
    let empty = json!({ "to": SARI, "event": "order.refunded" });
    let (status, why) = tell(TOKEN, empty).await;
    assert_eq!((status, &why["error"]), (422, &json!("the flow needs number")));
    let (status, taken) = tell(TOKEN, event.clone()).await;
    assert_eq!((status, &taken["repeated"]), (202, &json!(false)));
    let (status, again) = tell(TOKEN, event).await;
    assert_eq!((status, &again["repeated"]), (202, &json!(true)));
    assert_eq!(again["contact"], taken["contact"]);
    let contact = taken["contact"].as_str().expect("a contact");
    let began = Instant::now();
    loop {
        let request = client.get(format!("{base}/api/conversations/{contact}"));
        let answer = request.bearer_auth("operators-token").send().await.unwrap();
        let thread = answer.text().await.unwrap();
        if thread.contains("Refunded: A-1") {
            assert_eq!(thread.matches("order.refunded happened (shop)").count(), 1);
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{thread}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

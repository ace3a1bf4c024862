//! The store dies, hangs, is full or fails over: what can't be kept is refused at once, and nothing that was taken is lost.

use std::time::{Duration, Instant};

use serde_json::json;

use super::bot::{Bot, heard, texts};
use super::double::Double;
use super::{BUDI, HELLO, SARI, STORY, address_of, double, redis, until, worker};

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
    // A turn or a send that the freeze met would wait for its lease or for a status, longer than a test does.
    for customer in [sari, budi] {
        until("the first answer", async || {
            !texts(&double.sent(), customer).is_empty()
        })
        .await;
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
        until("another answer", async || {
            texts(&double.sent(), customer).len() > 1
        })
        .await;
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

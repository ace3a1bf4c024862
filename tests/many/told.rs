//! What workers over one Redis tell an operator: what does not fit, what is kept, and who is at work.

use serde_json::Value;

use super::bot::Bot;
use super::{double, redis, until, worker};

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
    assert_eq!((owned, store["format"].as_u64()), (256, Some(2)), "{store:#}");
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

//! What operators see of a running server: the page of metrics and the pages of health, on a listener of their own.

// Helpers of tests stand outside test functions here; a panic is how they say that a promise was broken.
#![allow(clippy::unwrap_used)]

mod bot;
mod double;

use std::collections::BTreeMap;

use bot::shop::Shop;
use bot::{Bot, heard};
use double::{Double, Fault, Faulty};

const SARI: &str = "6281100000011";

/// What no page for operators may hold.
const PRIVATE: &[&str] = &[
    "6281100000011",
    "Sari",
    "Good morning",
    "A-12345",
    "a-12345",
    "shop-secret",
];

/// A bot with the page of metrics, and where that is.
async fn watched(double: &Double, extra: &str) -> (Bot, String) {
    let mut bot = Bot::new(double)
        .with(double, "[metrics]\nbind = \"127.0.0.1:0\"\n")
        .with(double, extra);
    bot.start(double).await;
    let line = bot.line("metrics on ").await.expect("an address");
    let page = line.split_once("metrics on ").unwrap().1.to_owned();
    (bot, page)
}

/// The page as series and their values.
async fn series(page: &str) -> BTreeMap<String, f64> {
    let text = reqwest::get(page).await.unwrap().text().await.unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
            (name.to_owned(), value)
        })
        .collect()
}

/// Asks until a series has reached a value.
async fn reached(page: &str, name: &str, least: f64) -> BTreeMap<String, f64> {
    let reached = async {
        loop {
            let series = series(page).await;
            if series.get(name).is_some_and(|value| *value >= least) {
                return series;
            }
            tokio::task::yield_now().await;
        }
    };
    match tokio::time::timeout(bot::PATIENCE, reached).await {
        Ok(series) => series,
        Err(_) => panic!("{name} never reached {least}: {:#?}", series(page).await),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_counts_what_a_conversation_leads_to_and_names_nobody() {
    let (double, shop) = (Double::start().await, Shop::start().await);
    let (bot, page) = watched(&double, &shop.config()).await;
    let sari = double.customer(SARI).named("Sari");
    sari.says("Good morning");
    heard(&double, SARI, 1).await;
    sari.taps("Track my order");
    heard(&double, SARI, 2).await;
    sari.says("a-12345");
    heard(&double, SARI, 4).await;

    let sent = "switchboard_send_outcomes_total{channel=\"main\",outcome=\"accepted\"}";
    let series = reached(&page, sent, 4.0).await;
    let at = |name: &str| {
        *series
            .get(name)
            .unwrap_or_else(|| panic!("no {name}: {series:#?}"))
    };
    assert_eq!(
        at("switchboard_events_total{channel=\"main\",result=\"new\"}"),
        3.0
    );
    assert_eq!(
        at("switchboard_events_total{channel=\"main\",result=\"duplicate\"}"),
        0.0
    );
    assert!(at("switchboard_webhook_seconds_count{channel=\"main\",status=\"200\"}") >= 3.0);
    assert!(at("switchboard_webhook_seconds_bucket{channel=\"main\",status=\"200\",le=\"10\"}") >= 3.0);
    // Three answers, and the one that the service's result leads to.
    assert!(at("switchboard_turn_outcomes_total{channel=\"main\",outcome=\"committed\"}") >= 4.0);
    assert!(at("switchboard_turn_seconds_count{channel=\"main\"}") >= 4.0);
    assert!(at("switchboard_provider_seconds_count{channel=\"main\"}") >= 4.0);
    assert_eq!(at("switchboard_outbox_wait_seconds_count{channel=\"main\"}"), 4.0);
    assert_eq!(
        at("switchboard_call_seconds_count{service=\"shop\",outcome=\"2xx\"}"),
        1.0
    );
    // With its claim, where a message is answered at once.
    let stored = ["ingest", "ingest_then_claim"]
        .map(|step| at(&format!("switchboard_store_seconds_count{{step=\"{step}\"}}")));
    assert!(stored.iter().sum::<f64>() >= 3.0, "{stored:?}");
    assert_eq!(at("switchboard_store_up"), 1.0);
    assert_eq!(at("switchboard_number_stopped{channel=\"main\"}"), 0.0);
    assert_eq!(at("switchboard_autopilot{channel=\"main\"}"), 1.0);
    assert_eq!(at("switchboard_lease_losses_total{kind=\"turn\"}"), 0.0);
    assert_eq!(at("switchboard_waiting{queue=\"mailbox\"}"), 0.0);
    assert_eq!(at("switchboard_contacts"), 1.0);
    assert_eq!(at("switchboard_parked"), 0.0);
    assert!(at("switchboard_store_bytes") > 0.0);
    assert_eq!(at("switchboard_oldest_waiting_seconds{queue=\"mailbox\"}"), 0.0);
    assert!(at("switchboard_uptime_seconds") > 0.0);
    if cfg!(target_os = "linux") {
        assert!(at("process_resident_memory_bytes") > 1e6);
        assert!(at("process_open_fds") > 3.0);
        assert!(at("process_max_fds") >= at("process_open_fds"));
        assert!(at("process_start_time_seconds") > 1.7e9);
    }
    let text = reqwest::get(&page).await.unwrap().text().await.unwrap();
    for private in PRIVATE {
        assert!(!text.contains(private), "{private} is on the page");
    }
    drop(bot);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_name_on_the_page_is_explained_and_has_its_type() {
    let double = Double::start().await;
    let (_bot, page) = watched(&double, "").await;
    let response = reqwest::get(&page).await.unwrap();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    let text = response.text().await.unwrap();
    let names = |mark: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(mark));
        lines
            .map(|rest| rest.split(' ').next().unwrap().to_owned())
            .collect()
    };
    let (typed, explained) = (names("# TYPE "), names("# HELP "));
    assert!(typed.len() > 20, "{typed:?}");
    for name in &typed {
        assert!(explained.contains(name), "{name} is not explained");
    }
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let name = line.split(['{', ' ']).next().unwrap();
        let bare = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .filter(|bare| typed.iter().any(|typed| typed == bare))
            .unwrap_or(name);
        assert!(typed.iter().any(|typed| typed == bare), "{line} has no type");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgeries_repetitions_and_failed_sends_are_told_apart() {
    let double = Double::start().await;
    let (bot, page) = watched(&double, "").await;
    let webhook = bot.line("listening on ").await.unwrap();
    let webhook = format!("{}/webhook/", webhook.split_once("listening on ").unwrap().1);
    let client = reqwest::Client::new();
    for address in ["main", "6281100000011"] {
        let forged = client.post(format!("{webhook}{address}")).body("{}");
        assert_eq!(forged.send().await.unwrap().status(), 401);
    }
    double.fault(Fault::once(Faulty::Status(500)));
    double.customer(SARI).says("Good morning");
    let uncertain = "switchboard_send_outcomes_total{channel=\"main\",outcome=\"uncertain\"}";
    let series = reached(&page, uncertain, 1.0).await;
    let at = |name: &str| {
        *series
            .get(name)
            .unwrap_or_else(|| panic!("no {name}: {series:#?}"))
    };
    assert_eq!(
        at("switchboard_webhook_seconds_count{channel=\"main\",status=\"401\"}"),
        1.0
    );
    // Whatever somebody types as an address does not become a label.
    assert_eq!(
        at("switchboard_webhook_seconds_count{channel=\"unknown\",status=\"401\"}"),
        1.0
    );
    assert!(series.keys().all(|name| !name.contains("6281100000011")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_told_in_words_or_json_on_both_listeners_and_metrics_on_one() {
    let double = Double::start().await;
    let (bot, page) = watched(&double, "").await;
    let webhook = bot.line("listening on ").await.unwrap();
    let webhook = webhook.split_once("listening on ").unwrap().1.to_owned();
    let client = reqwest::Client::new();
    for base in [webhook.as_str(), page.strip_suffix("/metrics").unwrap()] {
        for (path, words, code) in [("healthz", "ok", "ok"), ("readyz", "ready", "ready")] {
            let asked = client.get(format!("{base}/{path}"));
            let response = asked.try_clone().unwrap().send().await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(response.text().await.unwrap(), words);
            let json = asked.header("accept", "application/json").send().await.unwrap();
            let json: serde_json::Value = json.json().await.unwrap();
            assert_eq!(json["status"], code, "{json}");
        }
    }
    let at = page
        .strip_prefix("http://")
        .unwrap()
        .strip_suffix("/metrics")
        .unwrap();
    let status = |more: &[&str]| {
        let ran = std::process::Command::new(env!("CARGO_BIN_EXE_switchboard"))
            .args(["status", "--at", at])
            .args(more)
            .output()
            .unwrap();
        (ran.status.code(), String::from_utf8(ran.stdout).unwrap())
    };
    let (code, said) = status(&[]);
    assert_eq!(code, Some(0), "{said}");
    for part in [
        "ready",
        "sqlite, for one worker; what is answered with 200 survives process crash and loss of power",
        "mailbox   0 wait, nothing is due",
        "aside     0 could not be answered, 0 could not be read",
        "number    main (meta): flows answer, it sends",
    ] {
        assert!(said.contains(part), "no {part:?} in\n{said}");
    }
    let (code, said) = status(&["--format", "json"]);
    let overview: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (code, &overview["numbers"][0]["autopilot"]),
        (Some(0), &true.into())
    );
    assert_eq!(status(&["--ready"]), (Some(0), "ready\n".to_owned()));
    let elsewhere = client.get(format!("{webhook}/metrics")).send().await.unwrap();
    assert_eq!(elsewhere.status(), 404, "the world may reach this address");
    drop(bot);
    // Nobody is there any more: a container engine sees it by the exit code.
    assert_eq!(status(&["--ready"]).0, Some(4));
}

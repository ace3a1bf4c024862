//! Traces as a collector of OpenTelemetry receives them. Only in builds with the feature `otlp`: `make test-otlp`.

#![cfg(feature = "otlp")]
// Helpers of tests stand outside test functions here; a panic is how they say that a promise was broken.
#![allow(clippy::unwrap_used)]

mod bot;
mod double;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use bot::shop::Shop;
use bot::{Bot, heard};
use double::Double;

const SARI: &str = "6281100000011";

/// A stand-in for a collector: keeps what is posted to it as protobuf.
struct Collector {
    endpoint: String,
    bodies: Arc<Mutex<Vec<Bytes>>>,
}

/// A span as it arrived.
#[derive(Debug, Clone, PartialEq)]
struct Arrived {
    name: String,
    attributes: BTreeMap<String, String>,
}

impl Collector {
    async fn start() -> Collector {
        let bodies: Arc<Mutex<Vec<Bytes>>> = Arc::default();
        let kept = bodies.clone();
        let take = move |body: Bytes| {
            kept.lock().unwrap().push(body);
            std::future::ready(())
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/traces", post(take));
        tokio::spawn(double::loopback::serve(listener, router));
        Collector { endpoint, bodies }
    }

    /// All spans so far: request → resource spans → scope spans → span.
    fn spans(&self) -> Vec<Arrived> {
        let bodies = self.bodies.lock().unwrap();
        let mut spans = Vec::new();
        for body in bodies.iter() {
            for resource in parts(body, 1) {
                for scope in parts(resource, 2) {
                    spans.extend(parts(scope, 2).into_iter().map(arrived));
                }
            }
        }
        spans
    }
}

fn arrived(span: &[u8]) -> Arrived {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let attributes = parts(span, 9).into_iter().map(|pair| {
        let value = parts(pair, 2)[0];
        let value = match parts(value, 1).first() {
            Some(words) => text(words),
            None => "(a number)".to_owned(),
        };
        (text(parts(pair, 1)[0]), value)
    });
    Arrived {
        name: text(parts(span, 5)[0]),
        attributes: attributes.collect(),
    }
}

/// The values of one field of a protobuf message that have a length: texts and messages.
fn parts(message: &[u8], wanted: u64) -> Vec<&[u8]> {
    let (mut rest, mut found) = (message, Vec::new());
    while !rest.is_empty() {
        let key = varint(&mut rest);
        let skip = match key & 7 {
            0 => {
                varint(&mut rest);
                continue;
            }
            1 => 8,
            2 => varint(&mut rest) as usize,
            5 => 4,
            kind => panic!("not protobuf: wire type {kind}"),
        };
        let (value, after) = rest.split_at(skip);
        if key == (wanted << 3 | 2) {
            found.push(value);
        }
        rest = after;
    }
    found
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, after) = rest.split_first().expect("the message goes on");
        *rest = after;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    value
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_turns_sends_and_jobs_reach_the_collector_and_name_nobody() {
    let (double, shop, collector) = (
        Double::start().await,
        Shop::start().await,
        Collector::start().await,
    );
    let traces = format!("[traces]\nendpoint = \"{}\"\n", collector.endpoint);
    let mut bot = Bot::new(&double)
        .with(&double, &shop.config())
        .with(&double, &traces);
    bot.start(&double).await;
    let sari = double.customer(SARI).named("Sari");
    sari.says("Good morning");
    heard(&double, SARI, 1).await;
    sari.taps("Track my order");
    heard(&double, SARI, 2).await;
    sari.says("a-12345");
    heard(&double, SARI, 4).await;
    double.settled().await;
    // What is left in the batch is sent before the process ends.
    bot.last_words().await;

    let spans = collector.spans();
    let with = |name: &str, key: &str, value: &str| {
        let is = |span: &&Arrived| {
            span.name == name && span.attributes.get(key).is_some_and(|found| found == value)
        };
        spans.iter().filter(is).count()
    };
    assert!(with("webhook", "outcome", "200") >= 3, "{spans:#?}");
    assert!(with("turn", "outcome", "committed") >= 4, "{spans:#?}");
    assert_eq!(with("send", "outcome", "accepted"), 4, "{spans:#?}");
    assert_eq!(with("job", "kind", "call"), 1, "{spans:#?}");
    assert!(spans.iter().all(|span| span.attributes["channel"] == "main"));
    let known = ["channel", "outcome", "events", "attempt", "kind"];
    for span in &spans {
        for name in span.attributes.keys() {
            assert!(known.contains(&name.as_str()), "{name} in {span:?}");
        }
    }
    for body in collector.bodies.lock().unwrap().iter() {
        let raw = String::from_utf8_lossy(body);
        for private in [SARI, "Sari", "Good morning", "12345", "shop-secret"] {
            assert!(!raw.contains(private), "{private} left for the collector");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_costs_no_customer_an_answer() {
    let double = Double::start().await;
    let mut bot = Bot::new(&double);
    // Nobody listens on the discard port; the variable alone switches traces on.
    bot.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    bot.start(&double).await;
    double.customer(SARI).says("Good morning");
    heard(&double, SARI, 1).await;
    let said = bot.last_words().await;
    assert!(said.contains("the collector does not take traces"), "{said}");
}

//! Webhooks as providers and strangers send them at their worst.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::customers::{Habits, envelope};
use crate::double::Setup;
use crate::plan::{Plan, until};
use crate::verdict::Bounds;
use crate::world::{Ground, Setting, World};

const HOUR: u64 = 3600;
/// Customers who greet in one body: as many as Meta ever puts together.
const BATCH: usize = 1_000;
/// What the design wants of 99 in 100 webhooks.
const ACKNOWLEDGED: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f7_webhooks_come_three_times_jumbled_in_one_body_and_again_after_a_week() {
    let plan = Plan::asked();
    let base = Setting::on(Ground::Sqlite);
    let setting = Setting {
        habits: Habits {
            repeated: 100,
            copies: 2,
            jumbled: true,
            messages: plan.size(6, 40),
            ..base.habits
        },
        // Silence has its own scenario.
        channel: "[channel.session]\nsilence_rules = false\n".to_owned(),
        // One in four messages is read before it is delivered.
        double: Setup {
            reads: true,
            ..base.double.clone()
        },
        ..base
    };
    let contacts = setting.habits.contacts;
    let mut world = World::start("F7 webhooks repeated, jumbled, replayed", plan, setting).await;
    let began = Instant::now();
    world.customers.greet_at_once(contacts..contacts + BATCH).await;
    let together = began.elapsed();
    world.says(&format!("{BATCH} customers in one body are taken"));
    world.more_messages(plan.size(150, 1_500)).await;
    // A status of a message that nobody knows, or not yet.
    let mut unknown = envelope(&world.double, 0, &json!([]));
    let status = json!({ "id": "wamid.unknown", "status": "read", "timestamp": world.double.now().to_string(),
        "recipient_id": crate::business::phone(0), "biz_opaque_callback_data": "1.unknown.1" });
    unknown["entry"][0]["changes"][0]["value"]["statuses"] = json!([status]);
    assert!(
        world.customers.post(&unknown).await,
        "a status of an unknown message"
    );
    world.settle().await;
    assert!(world.statuses_taken().await, "the statuses are taken");
    let before = world.heard().count();

    for (after, hours) in [("an hour", 1), ("a week", 7 * 24 - 1)] {
        world.fleet.stop_all().await;
        let ahead = (hours * HOUR).to_string();
        world.fleet.start(0, &[("SWITCHBOARD_CLOCK_AHEAD", &ahead)]).await;
        let refused = world.customers.replay(8).await;
        assert_eq!(refused, 0, "after {after}");
        world.says(&format!("everything was replayed after {after}"));
    }
    // After a day every conversation at rest is over, which takes a turn each.
    until("the idle sessions to end", Duration::from_secs(120), || {
        world.fleet.said(0).matches("messages=0").count() >= contacts + BATCH
    })
    .await;
    let mut verdict = world.verdict(Bounds::default()).await;
    let after = verdict.replies_out;
    if after != before {
        verdict
            .findings
            .push(format!("the replays made {} messages", after - before));
    }
    let greeted = |contact: usize| {
        let heard = world.heard();
        heard.of(contact).len() == 1 && heard.answered_at(contact, 0).is_some()
    };
    verdict.needs(
        "each of the batch to be greeted, once",
        (contacts..contacts + BATCH).all(greeted),
    );
    let within = if verdict.p99 <= ACKNOWLEDGED {
        "within"
    } else {
        "OVER"
    };
    verdict.more.extend([
        ("p99", format!("{} ms ({within} 300 ms)", verdict.p99.as_millis())),
        ("a body of 1,000 taken in", format!("{} ms", together.as_millis())),
    ]);
    let states = world.last_states().await;
    if states.keys().any(|state| state != "read") {
        verdict.findings.push(format!("statuses ended as {states:?}"));
    }
    verdict.holds();
}

/// The number of descriptors a process holds.
fn descriptors(id: u32) -> usize {
    std::fs::read_dir(format!("/proc/{id}/fd")).map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f15_slow_strangers_are_shown_out_and_customers_are_served_meanwhile() {
    let plan = Plan::asked();
    let (heads, bodies) = plan.size((400, 40), (5_000, 500));
    let mut setting = Setting::on(Ground::Sqlite);
    setting.habits.per_second = 20;
    setting.config = format!("[limits]\nconnections = {}\n", heads + bodies + 200);
    let mut world = World::start("F15 slow heads and slow bodies", plan, setting).await;
    let address = world.fleet.address(0);
    let idle = descriptors(world.fleet.id(0));
    let mut strangers = Vec::new();
    let began = Instant::now();
    for n in 0..heads + bodies {
        let mut stream = TcpStream::connect(&address).await.expect("a connection");
        let words = if n < heads {
            // The line that would end the head never comes.
            "POST /webhook/main HTTP/1.1\r\nhost: bot\r\nx-slow: ".to_owned()
        } else {
            "POST /webhook/main HTTP/1.1\r\nhost: bot\r\ncontent-length: 1000\r\n\r\n{".to_owned()
        };
        stream.write_all(words.as_bytes()).await.expect("bytes go out");
        strangers.push(stream);
    }
    world.says(&format!(
        "{heads} half a head and {bodies} with a slow body are connected"
    ));
    let most = descriptors(world.fleet.id(0));
    world.customers.answers().good.clear();
    // They are shown out, whoever they are; customers go on meanwhile.
    let mut word = vec![0; 1024];
    let mut first = None;
    for stream in &mut strangers {
        let gone = tokio::time::timeout(Duration::from_secs(60), async {
            while stream.read(&mut word).await.is_ok_and(|read| read > 0) {}
        });
        gone.await.expect("a slow stranger is shown out");
        first.get_or_insert(began.elapsed());
    }
    let last = began.elapsed();
    world.says("all strangers are gone");
    world.more_messages(20).await;
    let id = world.fleet.id(0);
    until(
        "the descriptors to be free again",
        Duration::from_secs(20),
        || descriptors(id) < idle + 100,
    )
    .await;
    let meanwhile = world.customers.answers().good.len();
    let mut verdict = world.verdict(Bounds::default()).await;
    if meanwhile < 20 || verdict.refused > 0 {
        verdict.findings.push(format!(
            "{meanwhile} were served meanwhile, {} were refused",
            verdict.refused
        ));
    }
    verdict.more.push(("descriptors", format!("{idle} to {most}")));
    verdict.more.push((
        "first out after",
        format!("{:.1} s", first.unwrap_or_default().as_secs_f64()),
    ));
    verdict
        .more
        .push(("last", format!("{:.1} s", last.as_secs_f64())));
    verdict.holds();
}

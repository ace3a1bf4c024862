//! Workers are asked to stop while everybody writes, and others take their place: of the same version or of another.

use std::path::PathBuf;
use std::time::Duration;

use switchboard::store::ContactId;

use crate::business::binary;
use crate::customers::{envelope, message};
use crate::plan::{Plan, until};
use crate::redis::{Options, Persist, Reply, Server};
use crate::verdict::Bounds;
use crate::world::{Ground, Setting, World, known};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f17_a_worker_with_a_file_stops_at_peak_and_nothing_is_lost_or_sent_twice() {
    let plan = Plan::asked();
    let mut world = World::start("F17 SIGTERM at peak, SQLite", plan, Setting::on(Ground::Sqlite)).await;
    let longest = stop_at_peak(&mut world, plan.size(5, 50)).await;
    let mut verdict = world.verdict(Bounds::default()).await;
    verdict
        .more
        .push(("slowest stop", format!("{:.1} s", longest.as_secs_f64())));
    verdict.holds();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f17_workers_on_redis_are_replaced_one_after_the_other_and_nobody_notices() {
    let plan = Plan::asked();
    let redis = Server::start(&Options::persist(Persist::EverySecond));
    let setting = Setting::on(Ground::redis(&redis.url(), plan.size(2, 4)));
    let mut world = World::start("F17 SIGTERM at peak, Redis", plan, setting).await;
    let longest = stop_at_peak(&mut world, plan.size(6, 50)).await;
    let mut verdict = world.verdict(Bounds::default()).await;
    verdict.needs("no webhook to be refused", verdict.refused == 0);
    verdict
        .more
        .push(("slowest stop", format!("{:.1} s", longest.as_secs_f64())));
    verdict.holds();
}

/// The program of an earlier version, if the environment names one: `scripts/faults --other PROGRAM`.
fn other() -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("FAULTS_OTHER").filter(|path| !path.is_empty())?);
    assert!(
        path.is_file(),
        "FAULTS_OTHER names {}, which is no program",
        path.display()
    );
    Some(path)
}

/// Every key of one contact, and what Redis keeps under it, byte for byte.
fn dumped(redis: &Server, contact: ContactId) -> Vec<(String, Vec<u8>)> {
    let ours = format!("*{contact}");
    let mut keys: Vec<String> = redis
        .must(&["KEYS", &ours])
        .list()
        .iter()
        .map(Reply::text)
        .collect();
    keys.sort();
    let dump = |key: String| match redis.must(&["DUMP", &key]) {
        Reply::Text(bytes) => (key, bytes),
        other => panic!("{key}: {other:?}"),
    };
    keys.into_iter().map(dump).collect()
}

/// Everything is replaced under load, and put back: by an earlier version if there is a program of it, or by the same. A
/// record of a version to come lies among the others meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f17_versions_follow_each_other_and_back_under_load_and_leave_a_newer_record_alone() {
    let plan = Plan::asked();
    let (present, earlier) = (binary(), other());
    let redis = Server::start(&Options::persist(Persist::EverySecond));
    let setting = Setting::on(Ground::redis(&redis.url(), 3));
    let guest = setting.habits.contacts;
    let name = match &earlier {
        Some(_) => "F17 an earlier version and back, Redis",
        None => "F17 one version rolls, Redis",
    };
    let mut world = World::start(name, plan, setting).await;
    world.customers.greet_at_once(guest..guest + 1).await;
    until("the guest to be greeted", Duration::from_secs(60), || {
        !world.heard().of(guest).is_empty()
    })
    .await;
    world.more_messages(30).await;
    assert!(
        world.statuses_taken().await,
        "the provider's statuses were not taken"
    );
    let store = world.store().await;
    let guest_id = known(store.as_ref(), guest).await;
    store.close().await.expect("the store closes");
    let record = dumped(&redis, guest_id);
    let (contact, _) = record
        .iter()
        .find(|(key, _)| key.ends_with(&format!(":c:{guest_id}")))
        .expect("the contact's own key");
    let schema = redis.must(&["HGET", contact, "v"]).text();
    redis.must(&["HSET", contact, "v", "9"]);
    let planted = dumped(&redis, guest_id);

    let (mut longest, mut refused) = (Duration::ZERO, 0);
    for round in 0..plan.size(1, 5) {
        for program in [earlier.as_ref(), None, earlier.as_ref()] {
            for worker in 0..world.fleet.size() {
                world.more_messages(15).await;
                let (ended, took) = world.fleet.stop(worker).await;
                assert!(ended.success(), "it ended with {ended}");
                longest = longest.max(took);
                world.fleet.run_as(worker, program.unwrap_or(&present));
                world.fleet.start(worker, &[]).await;
            }
            let said = message(&world.double, guest, 1, false, 0);
            let body = envelope(&world.double, guest, &serde_json::json!([said]));
            refused += usize::from(!world.customers.post(&body).await);
            let which = if program.is_some() { "earlier" } else { "present" };
            world.says(&format!("round {}: all are of the {which} version", round + 1));
        }
    }
    let left = dumped(&redis, guest_id);
    redis.must(&["HSET", contact, "v", &schema]);
    // People are told of a record that nobody could read; there is one such.
    let store = world.store().await;
    let told = store.parked(10).await.expect("the store answers");
    for one in told.iter().filter(|one| one.contact == guest_id) {
        store.discard(&one.id).await.expect("the store answers");
    }
    store.close().await.expect("the store closes");
    let mut verdict = world.verdict(Bounds::default()).await;
    verdict.needs("a newer record to be left alone, byte for byte", left == planted);
    verdict.needs(
        "its messages to be refused, and nobody else's",
        refused > 0 && verdict.refused == refused,
    );
    verdict.more.extend([
        (
            "versions",
            if earlier.is_some() { "two" } else { "one" }.to_owned(),
        ),
        ("slowest stop", format!("{:.1} s", longest.as_secs_f64())),
    ]);
    verdict.holds();
}

/// Stops one worker after the other and starts it again; gives the longest time one took to end.
async fn stop_at_peak(world: &mut World, times: usize) -> Duration {
    let mut longest = Duration::ZERO;
    for n in 0..times {
        world.more_messages(15).await;
        let worker = n % world.fleet.size();
        let (ended, took) = world.fleet.stop(worker).await;
        assert!(ended.success(), "it ended with {ended}");
        assert!(took < Duration::from_secs(25), "it took {took:?} to end");
        longest = longest.max(took);
        world.fleet.start(worker, &[]).await;
        world.says(&format!("stopped and started {} times", n + 1));
    }
    longest
}

//! Workers die at every place where it could hurt, as by `kill -9`.

use std::time::{Duration, Instant};

use crate::business::NUDGE;
use crate::plan::Plan;
use crate::redis::{Options, Persist, Server};
use crate::verdict::Bounds;
use crate::world::{Ground, Setting, World};

/// Every named place of the server, and how many times it is passed by before a worker dies there, at most.
const PLACES: [(&str, u64); 21] = [
    ("before_alias", 3),
    ("before_ingest", 20),
    ("after_ingest", 20),
    ("after_status", 20),
    ("before_claim", 15),
    ("after_claim", 15),
    ("before_commit", 15),
    ("after_commit", 15),
    ("before_send_claim", 1),
    ("after_send_claim", 15),
    ("after_preparing", 15),
    ("before_send", 15),
    ("after_send", 15),
    ("before_send_done", 15),
    ("after_send_done", 15),
    ("before_timers", 3),
    ("after_timers", 3),
    ("before_job_claim", 2),
    ("after_job_claim", 2),
    ("before_job_done", 2),
    ("after_job_done", 2),
];

/// How long a worker that is alone may live between two deaths, to answer what the first one left.
const BREATH: Duration = Duration::from_secs(10);

/// So many die at each place. At most half of the workers are doomed at the same time, and one that is alone lives in
/// between, so that hardly anybody's message meets three deaths in a row: that rightly puts it aside.
async fn die_everywhere(world: &mut World, times: usize) {
    let mut random = world.plan.random(1_000_003);
    let mut doomed: Vec<(usize, &str, Instant)> = Vec::new();
    let mut left: Vec<&(&str, u64)> = (0..times).flat_map(|_| PLACES.iter()).collect();
    left.reverse();
    let together = (world.fleet.size() / 2).max(1);
    while !left.is_empty() || !doomed.is_empty() {
        let free = (0..world.fleet.size()).find(|worker| doomed.iter().all(|(one, ..)| one != worker));
        if doomed.len() < together
            && let (Some(worker), Some((place, passes))) = (free, left.last())
        {
            let action = format!("{place}:abort@{}", 1 + random.below(*passes));
            world.fleet.stop(worker).await;
            world
                .fleet
                .start(worker, &[("SWITCHBOARD_FAILPOINT", &action)])
                .await;
            doomed.push((worker, place, Instant::now()));
            left.pop();
            continue;
        }
        let dead = doomed
            .iter()
            .position(|(worker, ..)| world.fleet.has_died(*worker));
        if let Some(at) = dead {
            let (worker, place, _) = doomed.remove(at);
            world.fleet.start(worker, &[]).await;
            if world.fleet.size() == 1 {
                world.catch_up(BREATH).await;
            }
            world.says(&format!(
                "a worker died at {place}, {} to go",
                left.len() + doomed.len()
            ));
            continue;
        }
        for (_, place, since) in &doomed {
            assert!(
                since.elapsed() < Duration::from_secs(60),
                "nobody comes to {place}"
            );
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Customers who wait a little longer than others between two messages are asked whether they are there, so that there
/// are timers.
fn impatient(mut setting: Setting) -> Setting {
    // Not so many from one customer that a bot would give up keeping them all for after a call that dies three times.
    setting.habits.per_second = 40;
    setting.channel = format!("[channel.session]\nask_after_seconds = 1\nask_text = \"{NUDGE}\"\n");
    setting
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f1_one_worker_with_a_file_dies_at_every_place_and_nothing_is_lost() {
    let plan = Plan::asked();
    let setting = impatient(Setting::on(Ground::Sqlite));
    let mut world = World::start("F1 kill -9 at 21 places, SQLite", plan, setting).await;
    let times = plan.size(1, 20);
    die_everywhere(&mut world, times).await;
    world.settle().await;
    world.everybody_asked().await;
    world.verdict(Bounds::after_deaths(times)).await.holds();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f1_workers_on_redis_die_at_every_place_and_nothing_is_lost() {
    let plan = Plan::asked();
    let redis = Server::start(&Options::persist(Persist::EverySecond));
    let mut setting = impatient(Setting::on(Ground::redis(&redis.url(), plan.size(3, 4))));
    setting.habits.contacts = plan.size(60, 1_000);
    setting.quiet_ms = 0;
    let mut world = World::start("F1 kill -9 at 21 places, Redis", plan, setting).await;
    let times = plan.size(2, 200);
    die_everywhere(&mut world, times).await;
    world.settle().await;
    world.everybody_asked().await;
    world.verdict(Bounds::after_deaths(times)).await.holds();
}

//! Workers are asked to stop while everybody writes, and others take their place.

use std::time::Duration;

use crate::plan::Plan;
use crate::redis::{Options, Persist, Server};
use crate::verdict::Bounds;
use crate::world::{Ground, Setting, World};

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

//! The clocks of the workers' machines jump.

use std::path::PathBuf;
use std::time::Duration;

use crate::business::NUDGE;
use crate::plan::{Plan, until};
use crate::redis::{Options, Persist, Server};
use crate::verdict::Bounds;
use crate::world::{Ground, Setting, World};

/// How long a customer may be silent before the bot asks.
const SILENCE: Duration = Duration::from_secs(8);
/// What lies between a reply's acceptance here and what a worker calls now.
const TOLERANCE: Duration = Duration::from_secs(1);

/// An hour, a day, and to both sides of the hour in which Europe changes its clocks.
const JUMPS: [&str; 6] = [
    "+1h",
    "-1h",
    "+1d",
    "-1d",
    "@2027-03-28 00:59:58",
    "@2026-10-25 00:59:58",
];

fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("a Linux system");
    let files = folders
        .flatten()
        .map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    files
        .into_iter()
        .find(|path| path.is_file())
        .expect("faketime is installed: run `scripts/setup test`")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f9_clocks_that_jump_lose_no_timer_and_let_none_come_early() {
    let plan = Plan::asked();
    let clocks = tempfile::tempdir().expect("a folder");
    let clock = clocks.path().join("clock");
    std::fs::write(&clock, "+0").expect("the clock is written");
    let redis = Server::start(&Options::persist(Persist::EverySecond));
    let mut setting = Setting::on(Ground::redis(&redis.url(), 2));
    setting.channel = format!(
        "[channel.session]\nask_after_seconds = {}\nask_text = \"{NUDGE}\"\n",
        SILENCE.as_secs()
    );
    let preload = library().display().to_string();
    setting.env.extend([
        ("LD_PRELOAD".to_owned(), preload.clone()),
        ("FAKETIME_TIMESTAMP_FILE".to_owned(), clock.display().to_string()),
        ("FAKETIME_NO_CACHE".to_owned(), "1".to_owned()),
        ("DONT_FAKE_MONOTONIC".to_owned(), "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC".to_owned(), "1".to_owned()),
    ]);
    let mut world = World::start("F9 clocks jump", plan, setting).await;
    for jump in JUMPS {
        world.more_messages(plan.size(25, 200)).await;
        std::fs::write(&clock, jump).expect("the clock is written");
        world.fleet.fault();
        world.says(&format!("the workers' clock jumped to {jump}"));
    }
    world.more_messages(world.customers_count() * 3).await;
    world.settle().await;
    let contacts = world.customers_count();
    until(
        "everybody to be asked after the last answer",
        Duration::from_secs(60),
        || (0..contacts).all(|contact| world.heard().asked_after(contact).is_some()),
    )
    .await;
    let soonest = (0..contacts)
        .filter_map(|contact| world.heard().asked_after(contact))
        .min();
    let soonest = soonest.unwrap_or_default();
    let mut verdict = world.verdict(Bounds::default()).await;
    if soonest + TOLERANCE < SILENCE {
        verdict
            .findings
            .push(format!("somebody was asked after {soonest:?} of silence"));
    }
    verdict.more.push((
        "asked",
        format!("{contacts} after {:.1} s at the soonest", soonest.as_secs_f64()),
    ));
    verdict.more.push((
        "early by the store's jump",
        (verdict.nudges - contacts).to_string(),
    ));
    verdict.holds();
}

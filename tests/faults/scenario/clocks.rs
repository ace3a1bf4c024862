//! The clocks of the workers' machines jump, and that of the store when another machine takes over.

use std::time::{Duration, Instant};

use crate::business::NUDGE;
use crate::plan::{Plan, until};
use crate::redis::{Options, Persist, Sentinels, Server, clock};
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f9_clocks_that_jump_lose_no_timer_and_let_none_come_early() {
    let plan = Plan::asked();
    let clocks = tempfile::tempdir().expect("a folder");
    let clock_file = clocks.path().join("clock");
    std::fs::write(&clock_file, "+0").expect("the clock is written");
    let redis = Server::start(&Options::persist(Persist::EverySecond));
    let mut setting = Setting::on(Ground::redis(&redis.url(), 2));
    setting.channel = format!(
        "[channel.session]\nask_after_seconds = {}\nask_text = \"{NUDGE}\"\n",
        SILENCE.as_secs()
    );
    setting.env.extend(clock::of(&clock_file));
    let mut world = World::start("F9 clocks jump", plan, setting).await;
    for jump in JUMPS {
        world.more_messages(plan.size(25, 200)).await;
        std::fs::write(&clock_file, jump).expect("the clock is written");
        world.fleet.fault();
        world.says(&format!("the workers' clock jumped to {jump}"));
    }
    world.more_messages(world.customers_count() * 3).await;
    world.settle().await;
    let contacts = world.customers_count();
    world.everybody_asked().await;
    let soonest = soonest(&world, 0..contacts);
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
    verdict.holds();
}

/// How long these customers had been silent, at the least, when they were asked. Silence begins when a message is taken:
/// its answer may leave late on a busy machine, and whoever sent the message may have heard of it late.
fn soonest(world: &World, customers: std::ops::Range<usize>) -> Duration {
    let answers = world.customers.answers();
    let heard = world.heard();
    let slowest = answers.good.iter().max().copied().unwrap_or_default();
    let silence = customers.filter_map(|customer| {
        let asked = heard.asked_at(customer)?;
        Some(asked.saturating_duration_since(*answers.taken[customer].last()?) + slowest)
    });
    silence.min().unwrap_or_default()
}

/// The clock of the replica is so far ahead of its primary's when it takes over.
const AHEAD: Duration = Duration::from_secs(300);
/// And then one takes over whose clock is so far behind. What was due at once is due so much later.
const BACK: Duration = Duration::from_secs(20);
/// Customers who only greet and then are silent.
const SILENT: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f9_a_store_whose_clock_is_another_after_a_failover_loses_no_timer_and_sends_nothing_twice() {
    let plan = Plan::asked();
    let mut rig = Sentinels::start(&Options::persist(Persist::EverySecond).with_own_clock());
    let replica = rig.replica().expect("a replica");
    turn_clock(&mut rig, replica, AHEAD);
    let url = format!("redis+sentinel://{}/switchboard", rig.addresses().join(","));
    let mut setting = Setting::on(Ground::redis(&url, 2));
    setting.config = "[redis]\ndurability = \"replica\"\n".to_owned();
    setting.channel = format!(
        "[channel.session]\nask_after_seconds = {}\nask_text = \"{NUDGE}\"\n",
        (AHEAD + SILENCE).as_secs()
    );
    // At any moment some hold a lease, and it is not over yet.
    setting.env.push((
        "SWITCHBOARD_FAILPOINT".to_owned(),
        "before_commit:pause=1500%5".to_owned(),
    ));
    let mut world = World::start("F9 the store's clock jumps at a failover", plan, setting).await;
    let talkers = world.customers_count();
    world.customers.greet_at_once(talkers..talkers + SILENT).await;
    let silent = talkers..talkers + SILENT;
    until("the silent to be greeted", Duration::from_secs(60), || {
        let heard = world.heard();
        silent.clone().all(|contact| !heard.of(contact).is_empty())
    })
    .await;
    world.more_messages(60).await;

    // Forwards: all leases are over at once, and timers come early by the jump.
    let took_over = fail_over(&mut world, &mut rig, AHEAD - BACK).await;
    world.says(&format!("a store that is {AHEAD:?} ahead took over"));
    until(
        "each of the silent to be asked once the jumped time was over",
        Duration::from_secs(180),
        || {
            silent
                .clone()
                .all(|contact| world.heard().asked_at(contact).is_some())
        },
    )
    .await;
    let early = soonest(&world, silent.clone());
    world.more_messages(60).await;

    // Backwards: what was due is not due yet.
    fail_over(&mut world, &mut rig, AHEAD - BACK).await;
    world.says(&format!("a store that is {BACK:?} behind it took over"));
    world.more_messages(60).await;

    let mut verdict = world.verdict(Bounds::default()).await;
    verdict.needs(
        "nobody to be asked earlier than the clock jumped",
        early + TOLERANCE >= SILENCE,
    );
    let asked = |contact| {
        world
            .heard()
            .of(contact)
            .iter()
            .filter(|reply| reply.text == NUDGE)
            .count()
    };
    verdict.needs(
        "each of the silent to be asked once",
        silent.clone().all(|contact| asked(contact) == 1),
    );
    verdict.more.extend([
        (
            "asked",
            format!(
                "{SILENT} after {:.1} s at the soonest, instead of {:.1} s",
                early.as_secs_f64(),
                (AHEAD + SILENCE).as_secs_f64()
            ),
        ),
        ("service back after", format!("{:.1} s", took_over.as_secs_f64())),
    ]);
    verdict.holds();
}

/// The primary dies and its replica takes over; the dead one comes back with a clock so far ahead. Gives how long it took.
async fn fail_over(world: &mut World, rig: &mut Sentinels, ahead: Duration) -> Duration {
    let began = Instant::now();
    let old = rig.kill_primary();
    world.fleet.fault();
    world.more_refusals(3).await;
    rig.promoted(old);
    rig.servers[old].set_clock(&format!("+{}s", ahead.as_secs()));
    rig.servers[old].restart();
    rig.settled();
    world.more_messages(1).await;
    world.fleet.outage(began);
    began.elapsed()
}

/// Starts a server of the rig anew with a clock so far ahead.
fn turn_clock(rig: &mut Sentinels, server: usize, ahead: Duration) {
    rig.servers[server].kill();
    rig.servers[server].set_clock(&format!("+{}s", ahead.as_secs()));
    rig.servers[server].restart();
    rig.settled();
}

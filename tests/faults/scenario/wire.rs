//! The way between workers and store is bad, for some of them or in one direction.

use std::time::{Duration, Instant};

use crate::plan::Plan;
use crate::proxy::{Proxy, Way, Weather};
use crate::redis::{Options, Persist, Server};
use crate::verdict::Bounds;
use crate::world::{Ground, Setting, World};

/// Longer than the hasty lease of a turn and of a message.
const PAST_THE_LEASE: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f6_workers_that_lose_the_store_come_back_as_zombies_and_are_kept_out() {
    let plan = Plan::asked();
    let redis = Server::start(&Options::persist(Persist::EverySecond));
    let wires = [
        Proxy::to(&redis.address()).await,
        Proxy::to(&redis.address()).await,
    ];
    let ground = Ground::Redis {
        workers: wires
            .iter()
            .map(|wire| format!("redis://{}", wire.address()))
            .collect(),
        check: redis.url(),
    };
    let mut setting = Setting::on(ground);
    // Zombies for certain: now and then a holder sleeps longer than its lease before it commits.
    setting.env.push((
        "SWITCHBOARD_FAILPOINT".to_owned(),
        "before_commit:pause=3000%3".to_owned(),
    ));
    let mut world = World::start("F6 workers cut off from Redis", plan, setting).await;
    let fair = Weather::fair();
    // `None` cuts the wire.
    let mut faults = vec![
        ("is cut off", None),
        (
            "hears nothing",
            Some(Weather {
                down: Way::Lost,
                ..fair
            }),
        ),
        (
            "is not heard",
            Some(Weather {
                up: Way::Lost,
                ..fair
            }),
        ),
        ("is stuck", Some(Weather::both(Way::Stuck))),
        (
            "is heard 5 s late",
            Some(Weather::both(Way::Late(Duration::from_millis(2_500)))),
        ),
        (
            "is reset in 1 of 100 pieces",
            Some(Weather {
                resets_per_mille: 10,
                ..fair
            }),
        ),
    ];
    if !plan.long {
        // The others are of the long form.
        faults.drain(2..4);
    }
    for round in 0..plan.size(1, 5) {
        for (n, (what, fault)) in faults.iter().enumerate() {
            let worker = (round + n) % wires.len();
            world.more_messages(20).await;
            let began = Instant::now();
            match fault {
                Some(weather) => wires[worker].all(*weather),
                None => wires[worker].cut(),
            }
            world.fleet.fault();
            tokio::time::sleep(PAST_THE_LEASE).await;
            wires[worker].mend();
            world.fleet.outage(began);
            world.says(&format!("worker {worker} {what} for {PAST_THE_LEASE:?}"));
        }
    }
    world.more_messages(30).await;
    let mut verdict = world.verdict(Bounds::default()).await;
    verdict.needs("some commits to be fenced", verdict.fenced > 0);
    verdict.holds();
}

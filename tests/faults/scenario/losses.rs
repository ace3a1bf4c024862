//! A replica takes over that does not have everything: what its primary had acknowledged is lost, or is not, as the
//! configuration says.

use std::ops::Range;
use std::time::{Duration, Instant};

use crate::plan::Plan;
use crate::redis::{Options, Persist, Sentinels, Server};
use crate::verdict::{Bounds, Verdict};
use crate::world::{Ground, Setting, World};

/// How much lies between a primary and a replica that hangs, at most: the buffers of both ends of a connection.
const ON_THE_WAY: usize = 24 << 20;
const BALLAST: usize = 1 << 20;
/// Between an answer and the moment a customer notes it.
const NOTED: Duration = Duration::from_secs(2);

/// The replica hangs, and what is on the way to it is full of something else: from now on it misses everything.
fn cut_behind(rig: &Sentinels, replica: usize) -> Vec<String> {
    let primary = &rig.servers[rig.primary().expect("a primary")];
    rig.servers[replica].freeze();
    let mut asking = primary.connect().expect("it answers");
    let ballast = vec![b'x'; BALLAST];
    let keys: Vec<String> = (0..ON_THE_WAY / BALLAST)
        .map(|n| format!("ballast:{n}"))
        .collect();
    for key in &keys {
        let kept = asking.ask(&[b"SET", key.as_bytes(), &ballast]);
        assert_eq!(kept.expect("an answer").text(), "OK");
    }
    keys
}

fn unload(server: &Server, ballast: &[String]) {
    for key in ballast {
        server.must(&["DEL", key]);
    }
}

/// The replica hangs for a while, then the primary dies and the replica, behind as it is, takes over. Gives the world
/// and its store after it, and from when to when the replica missed everything.
async fn taken_over_by_one_behind(
    plan: Plan,
    name: &'static str,
    durability: &str,
) -> (World, Sentinels, Range<Instant>) {
    let mut rig = Sentinels::start(&Options::persist(Persist::EverySecond));
    let url = format!("redis+sentinel://{}/switchboard", rig.addresses().join(","));
    let mut setting = Setting::on(Ground::redis(&url, 2));
    setting.config = format!("[redis]\ndurability = \"{durability}\"\n");
    let mut world = World::start(name, plan, setting).await;
    world.more_messages(120).await;
    let replica = rig.replica().expect("a replica");
    let began = Instant::now();
    let ballast = cut_behind(&rig, replica);
    match durability {
        // Whoever waits for the replica acknowledges nothing now.
        "replica" => world.more_refusals(plan.size(20, 200)).await,
        _ => world.more_messages(plan.size(120, 1_200)).await,
    }
    let old = rig.kill_primary();
    let mut dead = Instant::now();
    rig.servers[replica].thaw();
    world.fleet.fault();
    rig.promoted(old);
    unload(&rig.servers[replica], &ballast);
    rig.servers[old].restart();
    rig.settled();
    if rig.primary() != Some(replica) {
        // On a busy machine the sentinels may take the new primary for dead, too.
        dead = Instant::now();
        world.says("there was a second failover");
    }
    world.more_messages(1).await;
    world.fleet.outage(began);
    world.says("the replica took over");
    world.more_messages(plan.size(120, 600)).await;
    (world, rig, began..dead)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f5_a_replica_that_is_behind_takes_over_and_with_replica_nothing_acknowledged_is_lost() {
    let (mut world, _rig, _) =
        taken_over_by_one_behind(Plan::asked(), "F5 a late replica takes over, replica", "replica").await;
    let mut verdict = world.verdict(Bounds::default()).await;
    verdict.needs(
        "some webhooks to be refused while the replica hung",
        verdict.refused > 0,
    );
    let lost = lost(&world, &mut verdict, None).await;
    verdict.more.push(("acknowledged and lost", lost.to_string()));
    verdict.holds();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f5_a_replica_that_is_behind_takes_over_and_with_local_what_is_lost_is_what_it_had_missed() {
    let plan = Plan::asked();
    let (mut world, _rig, missed) =
        taken_over_by_one_behind(plan, "F5 a late replica takes over, local", "local").await;
    // What was lost is never answered.
    world.patience = Duration::from_secs(20);
    let mut verdict = world.verdict(Bounds::default()).await;
    // A conversation that went back is another than its customer has seen. That is what this durability allows, of
    // those who wrote meanwhile and until the failover; everything else is not.
    verdict
        .findings
        .retain(|finding| !finding.starts_with("contact "));
    let lost = lost(&world, &mut verdict, Some(missed)).await;
    verdict.needs("something to be lost, or the replica was not behind", lost > 0);
    verdict.more.extend([
        ("acknowledged and lost", format!("{lost} (allowed with local)")),
        ("never answered", verdict.lost.to_string()),
        ("answers that went back", verdict.wrong.to_string()),
    ]);
    (verdict.lost, verdict.wrong) = (lost, 0);
    verdict.holds();
}

/// Counts the messages that were acknowledged and are in no thread. They may only be of a time when the replica missed
/// everything; what was acknowledged after it must be answered, in order.
async fn lost(world: &World, verdict: &mut Verdict, missed: Option<Range<Instant>>) -> usize {
    let kept = world.kept().await;
    let answers = world.customers.answers();
    let heard = world.heard();
    let (mut lost, mut early, mut unanswered, mut disordered) = (0, 0, 0, 0);
    for (contact, taken) in answers.taken.iter().enumerate() {
        let mut last = None;
        for (number, taken) in taken.iter().enumerate().skip(1) {
            let number = number as u32;
            if !kept[contact].contains(&number) {
                lost += 1;
                let may = missed
                    .as_ref()
                    .is_some_and(|missed| missed.start <= *taken && *taken <= missed.end + NOTED);
                early += usize::from(!may);
                continue;
            }
            if missed.as_ref().is_none_or(|missed| *taken <= missed.end + NOTED) {
                continue;
            }
            match heard.answered_at(contact, number) {
                None => unanswered += 1,
                Some(at) => {
                    disordered += usize::from(last.is_some_and(|last| at < last));
                    last = Some(at);
                }
            }
        }
    }
    for (count, what) in [
        (
            early,
            "acknowledged and lost, though the replica had not missed it",
        ),
        (unanswered, "acknowledged after the failover and never answered"),
        (disordered, "answered out of order after the failover"),
    ] {
        if count > 0 {
            verdict.findings.push(format!("{count} messages were {what}"));
        }
    }
    lost
}

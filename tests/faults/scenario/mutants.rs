//! The harness itself: with a check taken out of the scripts it has to find broken promises, or it proves nothing.

use std::time::Duration;

use crate::plan::Plan;
use crate::redis::{Options, Persist, Server};
use crate::verdict::{Bounds, Verdict};
use crate::world::{Ground, Setting, World, progress};

/// A change to one script.
struct Mutant {
    name: &'static str,
    script: &'static str,
    /// How much is written until it must show.
    messages: usize,
    /// What is taken out, and what stands there instead.
    out: &'static str,
    instead: &'static str,
}

/// Runs workers that die and sleep past their leases, and customers whose provider repeats itself, with the mutant.
async fn run(plan: Plan, mutant: Option<&Mutant>) -> Verdict {
    let redis = Server::start(&Options::persist(Persist::Nothing));
    let mut setting = Setting::on(Ground::redis(&redis.url(), 2));
    setting.habits.repeated = 30;
    if let Some(mutant) = mutant {
        let cut = format!("{}\t{}\t{}", mutant.script, mutant.out, mutant.instead);
        setting.env.push(("SWITCHBOARD_MUTANT".to_owned(), cut));
    }
    // A holder that sleeps longer than its lease, and one that dies.
    setting.env.push((
        "SWITCHBOARD_FAILPOINT".to_owned(),
        "before_commit:pause=3000%8".to_owned(),
    ));
    let name = mutant.map_or("no mutant", |mutant| mutant.name);
    let mut world = World::start(name, plan, setting).await;
    if mutant.is_some() {
        // It need not become quiet: some mutants never do.
        world.patience = Duration::from_secs(4);
    }
    world
        .more_messages(mutant.map_or(100, |mutant| mutant.messages))
        .await;
    world.fleet.kill(0);
    world.fleet.start(0, &[]).await;
    world.more_messages(30).await;
    world.fleet.fault();
    world
        .verdict(Bounds {
            duplicated: 1,
            // Each holder sleeps with 8 %, so that one event in 2,000 meets three sleepers and is put aside: a run in fifteen has
            // one.
            put_aside: 1,
            ..Bounds::default()
        })
        .await
}

async fn caught(mutant: &Mutant) {
    let verdict = run(Plan::asked(), Some(mutant)).await;
    verdict.print();
    let found = verdict.findings.len();
    assert!(found > 0, "{} was taken out and nothing was noticed", mutant.name);
    assert!(
        verdict.wrong + verdict.lost + verdict.out_of_order + verdict.duplicated > 0,
        "{}: only {:?}",
        mutant.name,
        verdict.findings
    );
    progress(
        mutant.name,
        &format!("caught by {found} findings, such as: {}", verdict.findings[0]),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_mutant_sleepers_and_repetitions_do_no_harm() {
    let verdict = run(Plan::asked(), None).await;
    verdict.holds();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_noticed_when_a_holder_without_a_lease_may_commit() {
    caught(&Mutant {
        name: "mutant: no fence",
        script: "commit",
        messages: 200,
        out: "if not leased or sub(r, 33, 46) ~= holder then return {1, now, 'f'} end",
        instead: "",
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_noticed_when_a_message_that_comes_twice_is_taken_twice() {
    caught(&Mutant {
        name: "mutant: no dedup",
        script: "ingest",
        messages: 80,
        out: "if known then",
        instead: "if false then",
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_noticed_when_a_turn_leaves_its_messages_in_the_mailbox() {
    caught(&Mutant {
        name: "mutant: no consumption",
        script: "commit",
        messages: 20,
        out: "local eaten = math.min(upto, last) - taken",
        instead: "local eaten = 0",
    })
    .await;
}

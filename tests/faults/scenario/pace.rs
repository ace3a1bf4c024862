//! Who may be written to only so fast, a provider that says so, and everybody else, who does not notice.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use switchboard::store::Store;

use crate::business::phone;
use crate::customers::Habits;
use crate::double::{Fault, Faulty};
use crate::plan::{Plan, until};
use crate::redis::{Options, Persist, Server};
use crate::verdict::Bounds;
use crate::world::{Ground, Setting, World, known};

const PATIENCE: Duration = Duration::from_secs(120);
/// So many messages may go to one customer at once, then one in six seconds.
const BURST: u32 = 3;
const EVERY: i64 = 6;
/// So many may leave the number in a second.
const RATE: u32 = 40;
/// The crowd that greets at one moment.
const CROWD: usize = 200;
/// Two requests may come closer together than they left, by so many seconds of a busy machine.
const BUNCHED: i64 = 3;
/// So many that the number's rate forbids may slip through when a worker is stopped for a moment and then hurries.
const SLIPS: usize = CROWD / 20;
/// How long to wait after each time that the provider turns a pair down, in seconds.
const REFUSALS: [i64; 2] = [1, 4];
/// What a provider that has enough asks for.
const RETRY_AFTER: u64 = 2;

/// The calls to send, by customer: when, and how they were answered.
fn calls(world: &World) -> BTreeMap<String, Vec<(i64, Option<u16>)>> {
    let mut calls: BTreeMap<String, Vec<(i64, Option<u16>)>> = BTreeMap::new();
    for call in world.double.log().iter().filter(|call| call.is_message()) {
        if let Some(to) = call.json()["to"].as_str() {
            calls
                .entry(to.to_owned())
                .or_default()
                .push((call.at, call.answered));
        }
    }
    calls
}

/// Waits until nothing is in this customer's mailbox: what is written next is answered apart.
async fn consumed(store: &dyn Store, contact: usize) {
    let contact = known(store, contact).await;
    let began = Instant::now();
    loop {
        let seen = store.peek(contact).await.expect("the store answers");
        if seen.is_some_and(|seen| seen.events.is_empty()) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "a message is not answered");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// How long 95 of 100 waited for their answer, of those who wrote in this time; and how many wrote.
fn p95(world: &World, contacts: usize, from: Instant, to: Instant) -> (Duration, usize) {
    let answers = world.customers.answers();
    let heard = world.heard();
    let mut waits: Vec<Duration> = Vec::new();
    for (contact, taken) in answers.taken.iter().enumerate().take(contacts) {
        for (number, taken) in taken.iter().enumerate() {
            if (from..to).contains(taken)
                && let Some(at) = heard.answered_at(contact, number as u32)
            {
                waits.push(at.saturating_duration_since(*taken));
            }
        }
    }
    waits.sort_unstable();
    let at = (waits.len() * 95).div_ceil(100).saturating_sub(1);
    (waits.get(at).copied().unwrap_or_default(), waits.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f8_one_who_is_written_to_too_fast_waits_alone_and_a_number_keeps_its_rate() {
    let plan = Plan::asked();
    let redis = Server::start(&Options::persist(Persist::EverySecond));
    let mut setting = Setting::on(Ground::redis(&redis.url(), 2));
    // Everybody else writes seldom enough for their pair.
    setting.habits = Habits {
        contacts: 120,
        per_second: 12,
        weighed: 0,
        ..setting.habits
    };
    setting.pace = format!(
        "messages_per_second = {RATE}\npair_every_ms = {}\npair_burst = {BURST}\n",
        EVERY * 1_000
    );
    // The provider counts too, and refuses what is too fast.
    setting.double.pair_burst = Some(BURST);
    setting.double.per_second = Some(RATE);
    let others = setting.habits.contacts;
    let (chatty, crowd) = (others, others + 1..others + 1 + CROWD);
    let mut world = World::start("F8 the pace of a pair and of a number", plan, setting).await;
    until("everybody to be greeted", PATIENCE, || {
        let heard = world.heard();
        (0..others).all(|contact| heard.answered_at(contact, 0).is_some())
    })
    .await;

    // Nothing is wrong: what the others wait for is the measure of what follows.
    let calm = Instant::now();
    world.more_messages(plan.size(150, 600)).await;
    let said = Instant::now();
    // One writes more than may be answered at once, and the provider turns the last answers down as well.
    let many = plan.size(8, 20);
    let store = world.store().await;
    for number in 0..many {
        world.customers.say(chatty, number).await;
        consumed(&*store, chatty).await;
    }
    store.close().await.expect("the store closes");
    let to_chatty = phone(chatty);
    world.double.fault(Fault {
        to: Some(to_chatty.clone()),
        times: Some(REFUSALS.len() as u32),
        fault: Faulty::Refuse(131056),
    });
    world.says("one customer wrote very fast");
    until("the one to be answered in time", PATIENCE, || {
        let heard = world.heard();
        (0..many).all(|number| heard.answered_at(chatty, number).is_some())
    })
    .await;
    let paced = Instant::now();
    world.says("the one has all the answers");

    // A crowd at once: the number has its own rate.
    world.customers.greet_at_once(crowd.clone()).await;
    until("the crowd to be greeted", PATIENCE, || {
        let heard = world.heard();
        crowd
            .clone()
            .all(|contact| heard.answered_at(contact, 0).is_some())
    })
    .await;
    let before = calls(&world);
    world.says("the crowd is greeted");

    // The provider has enough of everybody: nobody goes on asking.
    let enough = Instant::now();
    world.double.fault(Fault {
        to: None,
        times: Some(8),
        fault: Faulty::TooMany(RETRY_AFTER),
    });
    until("the provider to have said it eight times", PATIENCE, || {
        world.double.faults_left() == 0
    })
    .await;
    let enough = enough.elapsed();
    world.fleet.fault();
    world.more_messages(30).await;

    let mut verdict = world.verdict(Bounds::default()).await;
    let is_refused = |answered: &Option<u16>| answered.is_some_and(|status| status >= 400);
    let refused =
        |calls: &[(i64, Option<u16>)]| calls.iter().filter(|(_, answered)| is_refused(answered)).count();
    let of_chatty = &before[&to_chatty];
    let taken: Vec<i64> = of_chatty
        .iter()
        .filter(|(_, answered)| !is_refused(answered))
        .map(|(at, _)| *at)
        .collect();
    for (n, first) in taken.iter().enumerate() {
        for (m, last) in taken.iter().enumerate().skip(n) {
            let most = i64::from(BURST) + (last - first + BUNCHED) / EVERY;
            if (m - n + 1) as i64 > most {
                verdict.findings.push(format!(
                    "{} messages of one pair within {} s, {most} at most may be",
                    m - n + 1,
                    last - first
                ));
            }
        }
    }
    verdict.needs(
        "the one to get more than a burst",
        taken.len() > BURST as usize + 2,
    );
    // Only what the fault refused: had the number sent too fast, the provider would have refused that too.
    verdict.needs(
        "the provider to refuse the pair as often as asked",
        refused(of_chatty) == REFUSALS.len(),
    );
    let waits = of_chatty.windows(2).filter(|pair| is_refused(&pair[0].1));
    for (pair, wait) in waits.zip(REFUSALS) {
        // Whole seconds: one may be missing.
        if pair[1].0 - pair[0].0 < wait - 1 {
            verdict.findings.push(format!(
                "a refused pair was asked again after {} s, not {wait} s",
                pair[1].0 - pair[0].0
            ));
        }
    }
    let slips: usize = before
        .iter()
        .filter(|(to, _)| **to != to_chatty)
        .map(|(_, calls)| refused(calls))
        .sum();
    verdict.needs("the number to keep its rate", slips <= SLIPS);
    verdict.needs(
        "eight refusals to take longer than one waiting time",
        enough >= Duration::from_secs(RETRY_AFTER),
    );
    let (calm, quiet) = p95(&world, others, calm, said);
    let (busy, messages) = p95(&world, others, said, paced);
    verdict.needs("the others to write meanwhile", quiet >= 50 && messages >= 50);
    // A fifth more, and a second for what else a shared machine does.
    verdict.needs(
        "nobody else to wait for the one",
        busy <= calm.mul_f64(1.2) + Duration::from_secs(1),
    );
    verdict.more.extend([
        (
            "of the pair",
            format!("{} messages, {} refused", taken.len(), refused(of_chatty)),
        ),
        ("over the number's rate", format!("{slips} of {}", CROWD + others)),
        (
            "p95 of the others' answers",
            format!("{} ms, and before it {} ms", busy.as_millis(), calm.as_millis()),
        ),
        ("eight times 429 took", format!("{:.1} s", enough.as_secs_f64())),
    ]);
    verdict.holds();
}

//! Very many conversations are at rest, and then very many silent customers are due at one moment.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use switchboard::store::{Bytes, ContactId, Record, SeenId, Store, WholeContact};

use crate::business::{NUDGE, phone};
use crate::customers::Habits;
use crate::heard::Heard;
use crate::plan::{Plan, until};
use crate::redis::{Options, Persist, Server};
use crate::verdict::{Bounds, Verdict};
use crate::world::{Ground, Setting, World, known};

const WORKERS: usize = 4;
/// Customers 1 to this are due at one moment; customer 0 is the one whose conversation is copied.
const DUE: usize = 5_000;
/// What a conversation of some length leaves in the two blobs.
const SESSION: usize = 800;
const MEMORY: usize = 400;
/// In Redis, for one session with its timers.
const BYTES: u64 = 3 * 1024;
/// What the promise says; a shared machine may take so many times as long for the backlog before it is a defect.
const BACKLOG: Duration = Duration::from_secs(5);
const START: Duration = Duration::from_secs(30);
const SLACK: u32 = 20;
/// From when the due ones begin to be written until they are due: the workers start meanwhile.
const AHEAD: SignedDuration = SignedDuration::from_secs(20);
/// Records that are written at the same time.
const WRITERS: usize = 64;

/// Commands that look at every key, or take all of them away.
const WHOLE_KEYSPACE: [&str; 6] = ["keys", "scan", "randomkey", "flushall", "flushdb", "swapdb"];

/// A conversation that really took place, to be had by others too.
#[derive(Debug)]
struct Mould {
    contact: ContactId,
    json: String,
}

impl Mould {
    fn of(mut whole: WholeContact) -> Mould {
        whole.thread.clear();
        Mould {
            contact: whole.contact,
            json: serde_json::to_string(&whole).expect("it can be written"),
        }
    }

    /// The same conversation of another customer, whose silence ends at `due` if that is given.
    fn cast(&self, customer: usize, due: Option<Timestamp>) -> WholeContact {
        let mut id = [0x0f; 16];
        // The first bytes choose the partition; they have to differ.
        id[..8].copy_from_slice(
            &(customer as u64)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .to_be_bytes(),
        );
        id[8..].copy_from_slice(&(customer as u64).to_be_bytes());
        let json = self
            .json
            .replace(&self.contact.to_string(), &ContactId(id).to_string())
            .replace(&phone(0), &phone(customer));
        let mut whole: WholeContact = serde_json::from_str(&json).expect("it was written just so");
        if customer.is_multiple_of(10) {
            let at = whole.active_at;
            let seen = |n| SeenId {
                id: format!("wamid.{:-<52}.{n}", phone(customer)),
                at,
            };
            whole.seen = (0..10).map(seen).collect();
        }
        if let Some(due) = due {
            set(&mut whole, due);
        }
        for (blob, size) in [(&mut whole.session, SESSION), (&mut whole.memory, MEMORY)] {
            // White space around JSON means nothing to those who read it, and weighs as much as words.
            let bytes = &mut blob.get_or_insert_with(|| Bytes(b"{}".to_vec())).0;
            bytes.resize(bytes.len().max(size), b' ');
        }
        whole
    }
}

/// Moves the timer of the customer's silence, which the store and the session both know.
fn set(whole: &mut WholeContact, due: Timestamp) {
    let timer = whole.timers.iter_mut().find(|timer| timer.id.starts_with('q'));
    let timer = timer.expect("the bot has asked something");
    timer.at = due;
    let session = whole.session.as_mut().expect("the conversation is open");
    let mut json: serde_json::Value = serde_json::from_slice(&session.0).expect("it is JSON");
    let known = &mut json["position"]["timers"][&timer.id];
    assert!(known.is_string(), "the session does not know its timer");
    *known = due.to_string().into();
    session.0 = json.to_string().into_bytes();
}

async fn write(
    store: &dyn Store,
    mould: &Mould,
    customers: std::ops::RangeInclusive<usize>,
    due: Option<Timestamp>,
) {
    let writing = stream::iter(customers).map(|customer| async move {
        let record = Record::Contact(Box::new(mould.cast(customer, due)));
        store.import(&[record]).await
    });
    let written = writing
        .buffer_unordered(WRITERS)
        .try_fold(0, async |sum, done| Ok(sum + done.written))
        .await;
    written.expect("the store takes them");
}

/// Scripts that Redis has run.
fn scripts(redis: &Server) -> u64 {
    let stats = redis.must(&["INFO", "commandstats"]).text();
    let calls = stats.lines().find_map(|line| {
        line.strip_prefix("cmdstat_evalsha:calls=")?
            .split(',')
            .next()?
            .parse()
            .ok()
    });
    calls.unwrap_or(0)
}

/// The time that a process has had of the processors, in seconds.
fn worked(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_the_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = after_the_name.split(' ').skip(11).take(2);
    // Linux counts a hundred a second.
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn used(redis: &Server) -> u64 {
    redis.info("used_memory").parse().expect("a number of bytes")
}

/// Each silent customer was asked once, and nobody else was told anything.
fn read(verdict: &mut Verdict, heard: &Heard) {
    let wrong = |customer: &usize| {
        let replies = heard.of(*customer);
        replies.len() != 1 || replies[0].text != NUDGE
    };
    let wrong: Vec<usize> = (1..=DUE).filter(wrong).collect();
    for customer in wrong.iter().take(5) {
        let finding = format!("customer {customer} was told {:?}", heard.of(*customer));
        verdict.findings.push(finding);
    }
    verdict.needs("each due timer to fire once", wrong.is_empty());
    let others = heard.count() - heard.of(0).len() - (1..=DUE).map(|c| heard.of(c).len()).sum::<usize>();
    verdict.needs("nobody else to be told anything", others == 0);
    let ids: BTreeSet<&str> = (1..=DUE)
        .flat_map(|customer| heard.of(customer))
        .map(|reply| &*reply.ours)
        .collect();
    verdict.needs("each question to have its own id", ids.len() == DUE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f14_a_crowd_at_rest_is_cheap_and_thousands_due_at_once_are_each_asked_once() {
    let plan = Plan::asked();
    let sessions = plan.size(20_000, 1_000_000);
    let redis = Server::start(&Options::persist(Persist::EverySecond));
    let mut setting = Setting::on(Ground::redis(&redis.url(), WORKERS));
    setting.habits = Habits {
        contacts: 1,
        messages: 3,
        weighed: 0,
        ..setting.habits
    };
    // Nobody's silence is over before the scenario says so.
    setting.channel = format!(
        "[channel.session]\nask_after_seconds = 36000\nend_after_seconds = 36000\nask_text = \"{NUDGE}\"\n"
    );
    let mut world = World::start("F14 a crowd at rest, 5,000 due at once", plan, setting).await;
    world.more_messages(3).await;
    world.settle().await;
    assert!(
        world.statuses_taken().await,
        "the provider's statuses were not taken"
    );
    world.fleet.stop_all().await;

    let store = world.store().await;
    let first = known(store.as_ref(), 0).await;
    let whole = store.whole(first).await.expect("the store answers");
    let mould = Mould::of(whole.expect("the customer is known"));
    let before = used(&redis);
    let began = Instant::now();
    write(&*store, &mould, DUE + 1..=sessions, None).await;
    let due = store.now() + AHEAD;
    write(&*store, &mould, 1..=DUE, Some(due)).await;
    let bytes = used(&redis).saturating_sub(before) / sessions as u64;
    let stats = store.stats().await.expect("the store answers");
    assert_eq!(stats.contacts, sessions as u64 + 1, "not everybody was written");
    let loading = began.elapsed();
    world.says(&format!(
        "{sessions} sessions and {} timers in {loading:.0?}, {bytes} B each",
        stats.timers
    ));

    let said = world.double.with_sent(<[_]>::len);
    let mut start = Duration::ZERO;
    for worker in 0..WORKERS {
        let began = Instant::now();
        world.fleet.start(worker, &[]).await;
        start = start.max(began.elapsed());
    }
    // What came due while they started is counted from when all were there.
    let late = store.now().duration_since(due).max(SignedDuration::ZERO);
    until("the moment", Duration::from_secs(120), || store.now() >= due).await;
    let began = Instant::now();
    let processes = |world: &World| {
        let workers = (0..WORKERS)
            .map(|worker| worked(world.fleet.id(worker)))
            .sum::<f64>();
        [workers, worked(redis.id()), worked(std::process::id())]
    };
    let (ran, had) = (scripts(&redis), processes(&world));
    until("everybody to be asked", BACKLOG * SLACK, || {
        world.double.with_sent(<[_]>::len) >= said + DUE
    })
    .await;
    let backlog = began.elapsed();
    let ran = scripts(&redis) - ran;
    let [workers, server, provider] = processes(&world);
    let work = format!(
        "workers {:.1} s, Redis {:.1} s, provider and customers {:.1} s",
        workers - had[0],
        server - had[1],
        provider - had[2]
    );
    world.says(&format!("the backlog was cleared in {backlog:.1?}"));
    let commands = redis.must(&["INFO", "commandstats"]).text();
    store.close().await.expect("the store closes");

    let mut verdict = world.verdict(Bounds::default()).await;
    read(&mut verdict, &world.heard());
    for command in WHOLE_KEYSPACE {
        let ran = commands.contains(&format!("cmdstat_{command}:"));
        verdict.needs(&format!("{command} not to be run"), !ran);
    }
    verdict.needs(
        "commands to be counted at all",
        commands.contains("cmdstat_evalsha:"),
    );
    verdict.needs("a session to fit in 3 KB", bytes <= BYTES);
    verdict.needs("workers to start in time", start <= START);
    let within = |holds: bool| if holds { "within" } else { "OVER" };
    verdict.more.extend([
        ("sessions", format!("{sessions} with {} timers", stats.timers)),
        ("bytes a session", bytes.to_string()),
        (
            "start",
            format!("{:.1} s ({} 30 s)", start.as_secs_f64(), within(start <= START)),
        ),
        (
            "backlog of 5,000",
            format!(
                "{:.1} s ({} 5 s)",
                backlog.as_secs_f64(),
                within(backlog <= BACKLOG)
            ),
        ),
        ("scripts a question", format!("{:.1}", ran as f64 / DUE as f64)),
        ("processors", work),
        ("due before all were up", format!("{:.1} s", late.as_secs_f64())),
    ]);
    verdict.holds();
}

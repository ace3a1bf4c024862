//! Durable turns a second on the whole road: a signed webhook, Redis (append-only file synced every second), a worker,
//! the sender, and a provider that takes the answer. Customers wait for their answers before they write again.
//!
//! Everything shares this machine: Redis, the workers, the load and the provider. The yardstick beside it is what
//! `redis-benchmark` reaches in the same run with one six-operation script a call. Ratios hold on other machines, rates
//! do not. The blue ticks, which are a second request to the provider that nothing waits for, are measured apart.

#[path = "throughput/load.rs"]
mod load;
#[path = "throughput/processor.rs"]
mod processor;
#[path = "throughput/provider.rs"]
mod provider;
#[path = "throughput/redis.rs"]
mod redis;
mod table;
#[path = "throughput/wire.rs"]
mod wire;
#[path = "throughput/workers.rs"]
mod workers;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use load::{Seen, Slot};
use provider::Provider;
use redis::Redis;
use workers::Worker;

/// Customers who write at the same time.
const SLOTS: usize = 64;
/// Customers of a slot, in turn: nobody writes more than WhatsApp lets a bot answer in a burst.
const CUSTOMERS: usize = 64;
/// A little longer than a new customer's first message takes, for all of them.
const WARM: Duration = Duration::from_secs(60);
const SPAN: Duration = Duration::from_secs(8);
/// Customers who write once and are then idle.
const IDLE: usize = 20_000;

/// What is measured in the same way.
struct Part {
    name: &'static str,
    who: &'static str,
    /// Workers.
    count: usize,
    /// Where the customers' numbers begin.
    run: u32,
    receipts: bool,
}

const PARTS: [Part; 3] = [
    Part {
        name: "one",
        who: "1 worker",
        count: 1,
        run: 101,
        receipts: false,
    },
    Part {
        name: "two",
        who: "2 workers",
        count: 2,
        run: 201,
        receipts: false,
    },
    Part {
        name: "receipts",
        who: "2 workers with read receipts",
        count: 2,
        run: 401,
        receipts: true,
    },
];

fn main() -> ExitCode {
    if !std::env::args().any(|argument| argument == "--bench") {
        // A test runner asks what tests there are: none.
        return ExitCode::SUCCESS;
    }
    // One thread: the load and the provider must leave the processors to what is measured.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    match runtime.block_on(bench()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("the throughput could not be measured: {why}");
            ExitCode::FAILURE
        }
    }
}

/// All of it, or the parts that are named: `cargo bench --bench throughput -- one two receipts idle`.
async fn bench() -> Result<(), String> {
    let named: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let asked = |part: &str| named.is_empty() || named.iter().any(|name| name == part);
    table::head();
    let busy = processor::wanted();
    let mut yardstick = Redis::start()?.yardstick()?;
    let mut shares = Vec::new();
    for part in &PARTS {
        if !asked(part.name) {
            continue;
        }
        let rates = rates(part).await?;
        // The machine may be faster or slower by now: what ran just before and just after counts.
        let after = Redis::start()?.yardstick()?;
        shares.push(show(part.who, &rates, (yardstick, after), &busy));
        yardstick = after;
    }
    if let [one, two, ..] = shares[..]
        && asked("one")
        && asked("two")
    {
        table::row(
            "2 workers beside 1, on the same two cores",
            &format!("{:.2} x", two / one),
            "-",
            "-",
            "both share the processors with Redis, load and provider; each beside its own yardstick",
        );
    }
    if asked("idle") {
        let idle = idle_bytes(301).await?;
        let ratio = format!("{:.2}", idle / 3072.0);
        let beside =
            format!("{IDLE} customers who wrote once and were answered, with their thread and timers");
        table::row(
            "Redis memory, idle conversation",
            &format!("{idle:.0} B"),
            "<= 3072 B",
            &ratio,
            &beside,
        );
    }
    Ok(())
}

/// Gives the share of the yardstick that was reached.
fn show(who: &str, rates: &Rates, (before, after): (f64, f64), busy: &str) -> f64 {
    let yardstick = (before + after) / 2.0;
    let share = rates.rate / yardstick;
    table::row(
        &format!("durable turns, {who}"),
        &format!("{:.0} turns/s", rates.rate),
        &format!(">= {:.0} turns/s", yardstick * 0.10),
        &format!("{share:.3}"),
        &format!(
            "redis-benchmark, one six-operation script, {} clients, no pipeline: {before:.0}/s before, {after:.0}/s after; load average {busy}",
            redis::CLIENTS
        ),
    );
    table::row(
        &format!("first turns of new customers, {who}"),
        &format!("{:.0} turns/s", rates.first_rate),
        "-",
        &format!("{:.3}", rates.first_rate / yardstick),
        "their identities are looked up and linked, too",
    );
    let Cost {
        workers,
        redis,
        bench,
    } = rates.cost;
    table::row(
        &format!("a turn's processor time, {who}"),
        &format!("{:.0} us", workers + redis + bench),
        "-",
        "-",
        &format!(
            "workers {workers:.0}, Redis {redis:.0}, load and provider {bench:.0}; {:.2} read receipts; {}",
            rates.receipts, rates.costs
        ),
    );
    table::row(
        &format!("a turn's time, {who}"),
        &format!("p50 {:.1} ms", rates.turn.0),
        "-",
        "-",
        &format!("p99 {:.1} ms, {SLOTS} customers at once", rates.turn.1),
    );
    let beside = format!(
        "p50 {:.1} ms at {:.0} webhooks/s; at full load p99 {:.1} ms",
        rates.half.0, rates.half_rate, rates.full_ack.1
    );
    table::row(
        &format!("webhook acknowledged, half load, {who}"),
        &format!("p99 {:.1} ms", rates.half.1),
        "<= 50 ms",
        &format!("{:.2}", rates.half.1 / 50.0),
        &beside,
    );
    share
}

struct Rates {
    rate: f64,
    /// The same for the first messages of customers nobody knew.
    first_rate: f64,
    cost: Cost,
    /// p50 and p99 in milliseconds.
    turn: (f64, f64),
    full_ack: (f64, f64),
    half: (f64, f64),
    half_rate: f64,
    /// Requests a turn that only mark a message as read.
    receipts: f64,
    costs: String,
}

async fn rates(part: &Part) -> Result<Rates, String> {
    let Part {
        count, run, receipts, ..
    } = *part;
    let redis = Redis::start()?;
    let (provider, address) = Provider::start(SLOTS).await.map_err(|why| why.to_string())?;
    let workers = start(count, &redis, address, receipts)?;
    let first = Instant::now();
    let met = converse(&workers, &provider, run, (CUSTOMERS, 0), first + WARM, CUSTOMERS).await?;
    let first_rate = met.answered.len() as f64 / first.elapsed().as_secs_f64();
    redis.count_anew()?;
    let read = provider.read.load(Ordering::Relaxed);
    let (began, before) = (Instant::now(), Cost::so_far(&workers, &redis));
    let full = converse(
        &workers,
        &provider,
        run,
        (CUSTOMERS, CUSTOMERS),
        began + SPAN,
        usize::MAX,
    )
    .await?;
    let took = began.elapsed().as_secs_f64();
    let turns = full.answered.len() as f64;
    let rate = turns / took;
    let cost = Cost::so_far(&workers, &redis).since(before, turns);
    let costs = redis.costs(turns)?;
    let receipts = (provider.read.load(Ordering::Relaxed) - read) as f64 / turns;
    // No id is used twice.
    let full_most = CUSTOMERS + full.answered.len();
    let every = Duration::from_secs_f64(SLOTS as f64 / (rate / 2.0));
    let until = Instant::now() + SPAN;
    let before = provider.taken.load(Ordering::Relaxed);
    let half = gather(
        (0..SLOTS)
            .map(|slot| slot_of(slot, run, (CUSTOMERS, full_most), &workers, &provider).pace(every, until)),
    )
    .await?;
    whole(&provider, before + half.acknowledged.len() as u64).await?;
    Ok(Rates {
        rate,
        first_rate,
        cost,
        turn: shares(full.answered),
        full_ack: shares(full.acknowledged),
        half_rate: half.acknowledged.len() as f64 / SPAN.as_secs_f64(),
        half: shares(half.acknowledged),
        receipts,
        costs,
    })
}

/// Processor time by who spent it: seconds since the start, or microseconds a turn.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// All of them together.
    workers: f64,
    redis: f64,
    /// The load and the provider: this process.
    bench: f64,
}

impl Cost {
    fn so_far(workers: &[Worker], redis: &Redis) -> Cost {
        Cost {
            workers: workers.iter().map(Worker::on_processor).sum(),
            redis: redis.on_processor(),
            bench: processor::seconds(std::process::id()),
        }
    }

    fn since(self, before: Cost, turns: f64) -> Cost {
        let each = |now: f64, before: f64| (now - before) * 1e6 / turns;
        Cost {
            workers: each(self.workers, before.workers),
            redis: each(self.redis, before.redis),
            bench: each(self.bench, before.bench),
        }
    }
}

async fn idle_bytes(run: u32) -> Result<f64, String> {
    let redis = Redis::start()?;
    let (provider, address) = Provider::start(SLOTS).await.map_err(|why| why.to_string())?;
    let workers = start(1, &redis, address, false)?;
    // Scripts, programs and buffers are there before anybody is counted.
    converse(&workers, &provider, run, (1, 0), Instant::now() + WARM, 1).await?;
    let before = redis.used()?;
    let each = IDLE.div_ceil(SLOTS);
    let far = Instant::now() + Duration::from_secs(600);
    converse(&workers, &provider, run + 1, (each, 0), far, each).await?;
    Ok((redis.used()? - before) / (each * SLOTS) as f64)
}

fn start(
    count: usize,
    redis: &Redis,
    provider: std::net::SocketAddr,
    receipts: bool,
) -> Result<Vec<Worker>, String> {
    (0..count)
        .map(|_| Worker::start(&redis.url(), provider, receipts))
        .collect()
}

fn slot_of(
    slot: usize,
    run: u32,
    (customers, from): (usize, usize),
    workers: &[Worker],
    provider: &Arc<Provider>,
) -> Slot {
    Slot {
        slot,
        slots: SLOTS,
        run,
        customers,
        from,
        webhook: workers[slot % workers.len()].address,
        provider: provider.clone(),
    }
}

/// All slots at once; whatever was acknowledged was answered, once.
async fn converse(
    workers: &[Worker],
    provider: &Arc<Provider>,
    run: u32,
    numbers: (usize, usize),
    until: Instant,
    most: usize,
) -> Result<Seen, String> {
    let before = provider.taken.load(Ordering::Relaxed);
    let seen =
        gather((0..SLOTS).map(|slot| slot_of(slot, run, numbers, workers, provider).converse(until, most)))
            .await?;
    if seen.unanswered > 0 {
        return Err(format!("{} messages were not answered", seen.unanswered));
    }
    whole(provider, before + seen.answered.len() as u64).await?;
    Ok(seen)
}

async fn gather<F>(slots: impl Iterator<Item = F>) -> Result<Seen, String>
where
    F: Future<Output = Result<Seen, String>> + Send + 'static,
{
    let slots: Vec<_> = slots.map(tokio::spawn).collect();
    let mut all = Seen::default();
    for slot in slots {
        let seen = slot.await.map_err(|why| why.to_string())??;
        all.acknowledged.extend(seen.acknowledged);
        all.answered.extend(seen.answered);
        all.refused += seen.refused;
        all.unanswered += seen.unanswered;
    }
    if all.refused > 0 {
        return Err(format!("{} webhooks were refused", all.refused));
    }
    Ok(all)
}

/// Waits until the provider has exactly as many messages as were written.
async fn whole(provider: &Provider, messages: u64) -> Result<(), String> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while provider.taken.load(Ordering::Relaxed) < messages {
        if Instant::now() > deadline {
            let taken = provider.taken.load(Ordering::Relaxed);
            return Err(format!("of {messages} messages {taken} were answered"));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    match provider.taken.load(Ordering::Relaxed) {
        taken if taken == messages => Ok(()),
        taken => Err(format!("{messages} messages had {taken} answers")),
    }
}

/// p50 and p99, in milliseconds.
fn shares(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort();
    let share = |share: f64| {
        let place = (times.len().saturating_sub(1)) as f64 * share;
        times
            .get(place as usize)
            .map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    };
    (share(0.5), share(0.99))
}

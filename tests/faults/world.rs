//! Everything that a scenario needs: customers, the double, the workers and their store; and the check at the end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use switchboard::store::redis::{RedisClock, RedisSettings, RedisStore};
use switchboard::store::{
    Alias, Caps, ContactId, Due, HistoryEntry, Parked, SqliteStore, Store, SystemClock,
};

use super::business::{self, CHANNEL, Scales, numbers_in, phone};
use super::customers::{Customers, Habits};
use super::double::{Double, Setup};
use super::fleet::Fleet;
use super::heard::Heard;
use super::plan::{Plan, until};
use super::verdict::{Bounds, Excused, Verdict};

/// All is quiet again at the latest this long after the last fault.
const QUIET: Duration = Duration::from_secs(60);
/// How much shorter leases are than in earnest: 2 s for a turn, 3 s for a message, 9 s for a job.
pub const HASTE: &str = "10";

/// Where the conversations are kept.
#[derive(Debug, Clone)]
pub enum Ground {
    /// A file, for one worker.
    Sqlite,
    /// Redis, by the address that each worker uses and the one that the check uses.
    Redis { workers: Vec<String>, check: String },
}

impl Ground {
    /// One Redis for so many workers.
    pub fn redis(url: &str, workers: usize) -> Ground {
        Ground::Redis {
            workers: vec![url.to_owned(); workers],
            check: url.to_owned(),
        }
    }
}

/// How a scenario begins.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Where the workers find the provider, if a bad wire is between them.
    pub provider: Option<String>,
    pub ground: Ground,
    pub habits: Habits,
    /// Further lines before the tables of the configuration, and in the number's table.
    pub config: String,
    /// How fast the number may send, of the number's table too.
    pub pace: String,
    /// How long a bot waits for more before it answers. With none a message is claimed by the step that stores it.
    pub quiet_ms: u32,
    pub channel: String,
    pub env: Vec<(String, String)>,
    pub double: Setup,
}

impl Setting {
    pub fn on(ground: Ground) -> Setting {
        Setting {
            provider: None,
            ground,
            habits: Habits::default(),
            config: String::new(),
            pace: "messages_per_second = 0\npair_every_ms = 0\n".to_owned(),
            quiet_ms: 10,
            channel: String::new(),
            env: vec![("SWITCHBOARD_HASTE".to_owned(), HASTE.to_owned())],
            double: Setup {
                delivered_after: Duration::ZERO,
                reads: false,
                retry_after: Duration::from_millis(200),
                // Where workers die again and again, a status would be told long after all is quiet.
                retry_at_most: Duration::from_secs(5),
                under_way: 32,
                pair_burst: None,
                per_second: None,
                open_windows: true,
                ..Setup::default()
            },
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct World {
    pub name: &'static str,
    pub plan: Plan,
    pub double: Arc<Double>,
    pub fleet: Fleet,
    pub customers: Customers,
    /// How long it may take after the last fault until all is quiet.
    pub patience: Duration,
    ground: Ground,
    heard: Arc<Mutex<Heard>>,
    listening: tokio::task::JoinHandle<()>,
    _scales: Scales,
}

impl Drop for World {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl World {
    /// Starts everything; customers write from now on.
    pub async fn start(name: &'static str, plan: Plan, setting: Setting) -> World {
        progress(name, "begins");
        let double = Arc::new(
            Double::with(Setup {
                seed: plan.seed,
                ..setting.double
            })
            .await,
        );
        let scales = Scales::start().await;
        let stores = match &setting.ground {
            Ground::Sqlite => vec!["sqlite:store.db".to_owned()],
            Ground::Redis { workers, .. } => workers.clone(),
        };
        let configs: Vec<String> = stores
            .iter()
            .map(|store| {
                let provider = setting.provider.clone().unwrap_or_else(|| double.base_url());
                business::config(
                    &double,
                    &scales,
                    store,
                    &provider,
                    &setting.config,
                    &format!(
                        "burst_quiet_ms = {}\n{}{}",
                        setting.quiet_ms, setting.pace, setting.channel
                    ),
                )
            })
            .collect();
        let mut env = business::secrets(&double);
        env.extend(setting.env);
        let mut fleet = Fleet::new(&configs, env, plan.seed).await;
        fleet.start_all(&[]).await;
        double.point_at(format!("http://{}/webhook/{CHANNEL}", fleet.front.address()));
        let heard = Arc::new(Mutex::new(Heard::new(setting.habits.contacts)));
        let listening = tokio::spawn(listen(Arc::clone(&heard), Arc::clone(&double)));
        let customers = Customers::start(&plan, &double, &fleet.addresses, setting.habits);
        World {
            name,
            plan,
            double,
            fleet,
            customers,
            patience: QUIET,
            ground: setting.ground,
            heard,
            listening,
            _scales: scales,
        }
    }

    pub fn heard(&self) -> MutexGuard<'_, Heard> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.look(&self.double);
        heard
    }

    pub fn says(&self, what: &str) {
        let (messages, replies) = (self.customers.messages(), self.heard().count());
        let statuses = self.double.undelivered();
        progress(
            self.name,
            &format!("{what} ({messages} in, {replies} out, {statuses} statuses on their way)"),
        );
    }

    pub fn customers_count(&self) -> usize {
        self.customers.answers().taken.len()
    }

    /// Waits until so many more messages were taken.
    pub async fn more_messages(&self, count: usize) {
        let wanted = self.customers.messages() + count;
        // Twenty a second at the slowest.
        let patience = QUIET + Duration::from_millis(50) * u32::try_from(count).unwrap_or(u32::MAX);
        until(&format!("{count} more messages"), patience, || {
            self.customers.messages() >= wanted
        })
        .await;
    }

    /// Waits until so many more webhooks were refused.
    pub async fn more_refusals(&self, count: usize) {
        let wanted = self.customers.answers().bad.len() + count;
        until(&format!("{count} more refusals"), QUIET, || {
            self.customers.answers().bad.len() >= wanted
        })
        .await;
    }

    /// The customers fall silent, every message of theirs is taken, and what is owed is paid or the time is up.
    pub async fn settle(&mut self) {
        self.customers.finish().await;
        self.catch_up(self.patience).await;
    }

    /// Waits for the answers to all that was taken by now, no longer than this.
    pub async fn catch_up(&self, at_most: Duration) {
        let taken: Vec<usize> = self.customers.answers().taken.iter().map(Vec::len).collect();
        let began = Instant::now();
        while !self.heard().answers(&taken) && began.elapsed() < at_most {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until every customer who ever wrote was asked, after the last answer, whether they are there.
    pub async fn everybody_asked(&self) {
        let contacts = 0..self.customers_count();
        let silent: Vec<usize> = contacts
            .filter(|contact| !self.customers.answers().taken[*contact].is_empty())
            .collect();
        let what = "everybody to be asked after the last answer";
        until(what, Duration::from_secs(180), || {
            let heard = self.heard();
            silent.iter().all(|contact| heard.asked_at(*contact).is_some())
        })
        .await;
    }

    /// Waits until the provider's statuses were taken; `false`: in vain.
    pub async fn statuses_taken(&self) -> bool {
        let mut left = self.double.undelivered();
        let mut since = Instant::now();
        while left > 0 && since.elapsed() < self.patience {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let now = self.double.undelivered();
            if now < left {
                since = Instant::now();
            }
            left = now;
        }
        left == 0
    }

    /// Settles, stops the workers in order, and checks conversations, store and logs.
    pub async fn verdict(&mut self, bounds: Bounds) -> Verdict {
        self.settle().await;
        let settled = self.statuses_taken().await;
        self.says("quiet again");
        let longest = self.fleet.stop_all().await;
        self.judged(bounds, settled, longest).await
    }

    async fn judged(&self, bounds: Bounds, settled: bool, longest: Duration) -> Verdict {
        let (put_aside, aside) = self.put_aside().await;
        let excused = Excused {
            aside,
            given_up: self.given_up().await,
        };
        let mut verdict = {
            let answers = self.customers.answers();
            let mut verdict = Verdict::of(
                self.name,
                self.plan.seed,
                &answers.taken,
                excused,
                &self.heard(),
                &self.fleet,
            );
            verdict.p99 = answers.p99();
            verdict.refused = answers.bad.len();
            verdict.slowest_refusal = answers.slowest_bad();
            verdict
        };
        verdict.put_aside = put_aside;
        verdict.kills = self.fleet.kills;
        verdict.fenced = self.fleet.said_how_often("the lease was lost");
        if !settled {
            verdict
                .findings
                .push("the provider's statuses were not taken".to_owned());
        }
        if longest > Duration::from_secs(25) {
            verdict.findings.push(format!("a worker took {longest:?} to end"));
        }
        self.look_into_the_store(&mut verdict).await;
        for what in business::leaks(&self.fleet.logs(), &self.double) {
            verdict.findings.push(format!("the log has {what}"));
        }
        verdict.judge(bounds);
        verdict
    }

    /// The store as the check sees it, with nobody else in it.
    pub async fn store(&self) -> Arc<dyn Store> {
        match &self.ground {
            Ground::Sqlite => {
                let path = self.fleet.folder().join("store.db");
                Arc::new(SqliteStore::open(path, Caps::default(), Arc::new(SystemClock)).expect("it opens"))
            }
            Ground::Redis { check, .. } => {
                let address = check.parse().expect("an address");
                let settings = RedisSettings::default();
                let opened = RedisStore::open(&address, &settings, Caps::default(), RedisClock::Server).await;
                opened.expect("it opens")
            }
        }
    }

    /// The customers' threads.
    async fn threads(&self) -> Vec<Vec<HistoryEntry>> {
        let store = self.store().await;
        let mut threads = Vec::new();
        for contact in 0..self.customers_count() {
            threads.push(thread_of(store.as_ref(), contact).await);
        }
        store.close().await.expect("the store closes");
        threads
    }

    /// What the provider said last of each message of these customers' threads, and how often.
    pub async fn last_states(&self) -> BTreeMap<String, usize> {
        let mut states = BTreeMap::new();
        let lines = self.threads().await.into_iter().flatten();
        for (_, state) in lines.filter_map(|line| line.status) {
            *states.entry(state).or_default() += 1;
        }
        states
    }

    /// By contact, the numbers of the messages that stand in its thread.
    pub async fn kept(&self) -> Vec<BTreeSet<u32>> {
        let threads = self.threads().await.into_iter();
        let kept = threads.map(|thread| {
            let theirs = thread.iter().filter(|line| line.status.is_none());
            theirs.flat_map(numbers_of).collect()
        });
        kept.collect()
    }

    /// The answers that were twice in doubt and are not sent a third time: by contact, which messages each answers.
    async fn given_up(&self) -> BTreeMap<usize, VecDeque<Vec<u32>>> {
        let mut given_up: BTreeMap<_, VecDeque<_>> = BTreeMap::new();
        for (contact, thread) in self.threads().await.iter().enumerate() {
            for line in thread {
                let state = line.status.as_ref().map(|(_, state)| state.as_str());
                let numbers = numbers_of(line);
                if state.is_some_and(|state| state.ends_with("not sent a third time")) && !numbers.is_empty()
                {
                    given_up.entry(contact).or_default().push_back(numbers);
                }
            }
        }
        given_up
    }

    /// What three workers had when they died, and the store keeps for a person to look at: how many events, and of the
    /// messages among them contact and number.
    async fn put_aside(&self) -> (usize, BTreeSet<(usize, u32)>) {
        let store = self.store().await;
        let mut parked = store.parked(1_000).await.expect("the store answers");
        parked.retain(by_deaths);
        let mut messages = BTreeSet::new();
        for parked in &parked {
            let payload = String::from_utf8_lossy(&parked.payload);
            for contact in 0..self.customers_count() {
                if known(store.as_ref(), contact).await == parked.contact {
                    messages.extend(numbers_in(&payload).into_iter().map(|number| (contact, number)));
                }
            }
        }
        store.close().await.expect("the store closes");
        (parked.len(), messages)
    }

    /// Nothing is left to do, nothing else was put aside, and every message stands in its thread once, in order.
    async fn look_into_the_store(&self, verdict: &mut Verdict) {
        let store = self.store().await;
        for kind in [Due::Run, Due::Send, Due::Job] {
            if let Some(at) = store.next_due(kind).await.expect("the store answers") {
                verdict
                    .findings
                    .push(format!("{kind:?} is due at {at}, though all is quiet"));
            }
        }
        let mut parked = store.parked(10).await.expect("the store answers");
        parked.retain(|parked| !by_deaths(parked));
        if !parked.is_empty() {
            verdict.findings.push(format!("put aside: {parked:?}"));
        }
        for contact in verdict.unanswered.clone() {
            let known = known(store.as_ref(), contact).await;
            let whole = store.whole(known).await.expect("the store answers");
            verdict
                .findings
                .push(format!("contact {contact} is kept as {whole:?}"));
        }
        let taken: Vec<usize> = self.customers.answers().taken.iter().map(Vec::len).collect();
        for (contact, taken) in taken.into_iter().enumerate().filter(|(_, taken)| *taken > 0) {
            let thread = thread_of(store.as_ref(), contact).await;
            let said: Vec<u32> = thread
                .iter()
                .filter(|line| line.status.is_none())
                .flat_map(|line| numbers_in(&String::from_utf8_lossy(&line.payload)))
                .collect();
            let whole: Vec<u32> = (1..taken as u32).collect();
            // Long threads have lost their beginning.
            if !whole.ends_with(&said)
                || (said.len() < whole.len() && thread.len() < Caps::default().history_entries)
            {
                verdict.findings.push(format!(
                    "contact {contact}: its thread has {said:?} of {taken} messages"
                ));
            }
        }
        store.close().await.expect("the store closes");
    }
}

fn by_deaths(parked: &Parked) -> bool {
    parked.why.starts_with("its worker died or hung 3 times")
}

/// What the store calls this customer.
pub async fn known(store: &dyn Store, contact: usize) -> ContactId {
    let alias = Alias(format!("phone:{}", phone(contact)));
    let known = store.resolve_alias(CHANNEL, &alias, &[]).await;
    known.expect("the store answers").contact()
}

fn numbers_of(line: &HistoryEntry) -> Vec<u32> {
    numbers_in(&String::from_utf8_lossy(&line.payload))
}

async fn thread_of(store: &dyn Store, contact: usize) -> Vec<HistoryEntry> {
    let thread = store.history(known(store, contact).await, usize::MAX).await;
    thread.expect("the store answers")
}

async fn listen(heard: Arc<Mutex<Heard>>, double: Arc<Double>) {
    loop {
        heard.lock().unwrap_or_else(PoisonError::into_inner).look(&double);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub fn progress(name: &str, what: &str) {
    eprintln!("{}  {name}: {what}", jiff::Timestamp::now().strftime("%H:%M:%S"));
}

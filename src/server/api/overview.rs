//! One look at a running installation: what `switchboard status` shows, as this process sees it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::server::parts::Shared;
use crate::server::watch::health::readiness;
use crate::server::watch::metrics::Queue;
use crate::store::{AtWork, Due, Store, StoreError};

/// How long the store may take. The rest is shown without it.
const STORE_WITHIN: Duration = Duration::from_secs(1);

/// So many records that can't be read are named. The others are listed by `switchboard dead list`.
const NAMED: usize = 10;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    pub version: String,
    pub uptime_seconds: u64,
    /// `ready`, or a word for why webhooks can't be taken; and the same in words.
    pub readiness: String,
    pub says: String,
    pub promises: InForce,
    /// `None`: the store does not answer.
    pub store: Option<Depths>,
    pub numbers: Vec<OneNumber>,
}

/// What the store keeps when things break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    pub store: String,
    pub process_crash: bool,
    pub power_loss: bool,
    /// Several workers may share it.
    pub shared: bool,
}

/// What a store holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Depths {
    pub queues: Vec<Waiting>,
    pub contacts: u64,
    /// Events that could not be answered and were put aside, and those of them that were dropped since.
    pub parked: u64,
    pub parked_dropped: u64,
    /// What webhooks brought and could not be read.
    pub quarantined: u64,
    /// Contacts with a record that can't be read, and what it is, of a few.
    #[serde(default)]
    pub unreadable: u64,
    #[serde(default)]
    pub unreadable_records: Vec<String>,
    pub leases_lost: u64,
    /// Where the store knows them.
    pub bytes: Option<u64>,
    pub bytes_limit: Option<u64>,
    /// The workers that share the store, and the format in which they write records.
    #[serde(default)]
    pub workers: Vec<AtWork>,
    #[serde(default)]
    pub format: Option<u32>,
}

/// Work of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    pub queue: String,
    pub waiting: u64,
    /// For how long the oldest that is due has waited; 0 if nothing is due.
    pub oldest_seconds: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneNumber {
    pub id: String,
    pub provider: String,
    pub autopilot: bool,
    /// Flows wait for its launch.
    #[serde(default)]
    pub waits_for_launch: bool,
    /// Why nothing leaves it, if so.
    pub stopped: Option<String>,
    /// How the link of a linked number is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

impl InForce {
    pub fn of(store: &dyn Store) -> InForce {
        let promises = store.promises();
        InForce {
            store: promises.store.to_owned(),
            process_crash: promises.process_crash,
            power_loss: promises.power_loss,
            shared: promises.shared,
        }
    }
}

/// `/status`, beside the page of metrics.
pub(in crate::server) fn routes(shared: Arc<Shared>) -> Router {
    Router::new().route("/status", get(show)).with_state(shared)
}

async fn show(State(shared): State<Arc<Shared>>) -> Json<Overview> {
    let readiness = readiness(&shared).await;
    let depths = tokio::time::timeout(STORE_WITHIN, depths(shared.store.as_ref())).await;
    let mut numbers: Vec<OneNumber> = shared.numbers.iter().map(one_number).collect();
    numbers.sort_by(|one, other| one.id.cmp(&other.id));
    Json(Overview {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: shared.metrics.uptime().as_secs(),
        readiness: readiness.code().to_owned(),
        says: readiness.words().to_owned(),
        promises: InForce::of(shared.store.as_ref()),
        store: depths.ok().and_then(Result::ok),
        numbers,
    })
}

fn one_number((id, number): (&String, &crate::server::parts::Number)) -> OneNumber {
    OneNumber {
        id: id.clone(),
        provider: number.channel.provider().to_owned(),
        autopilot: number.autopilot(),
        stopped: number.stopped(),
        link: number.link.as_ref().map(|link| link.in_words()),
        waits_for_launch: number.waits_for_launch(),
    }
}

/// Which records can't be read.
async fn named(store: &dyn Store) -> Result<Vec<String>, StoreError> {
    let parked = store.parked(usize::MAX).await?;
    let unread = parked.into_iter().filter(|parked| parked.id.is_unread());
    Ok(unread.take(NAMED).map(|parked| parked.why).collect())
}

/// What a store holds, and for how long the oldest of each kind of work has waited.
///
/// # Errors
/// If the store can't be asked.
pub async fn depths(store: &dyn Store) -> Result<Depths, StoreError> {
    let stats = store.stats().await?;
    let now = store.now();
    let since = |at: Option<Timestamp>| at.map_or(0.0, |at| at.duration_until(now).as_secs_f64().max(0.0));
    let queue = |queue: Queue, waiting, oldest| Waiting {
        queue: queue.word().to_owned(),
        waiting,
        oldest_seconds: since(oldest),
    };
    let records = match stats.unreadable {
        0 => Vec::new(),
        _ => named(store).await?,
    };
    let (timer, job) = (store.next_due(Due::Timer).await?, store.next_due(Due::Job).await?);
    Ok(Depths {
        queues: vec![
            queue(Queue::Mailbox, stats.waiting, stats.oldest_due),
            queue(Queue::Outbox, stats.outbox, stats.oldest_send),
            queue(Queue::Timers, stats.timers, timer),
            queue(Queue::Jobs, stats.jobs, job),
        ],
        contacts: stats.contacts,
        parked: stats.parked,
        parked_dropped: stats.parked_dropped,
        quarantined: stats.quarantined,
        unreadable: stats.unreadable,
        unreadable_records: records,
        leases_lost: stats.leases_lost,
        bytes: stats.bytes,
        bytes_limit: stats.bytes_limit,
        workers: stats.workers,
        format: stats.format,
    })
}

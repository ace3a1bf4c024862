//! One look at a running installation: what `switchboard status` shows, as this process sees it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::health::readiness;
use super::metrics::Queue;
use super::parts::{Gate, Shared, lock};
use crate::store::{Due, Store, StoreError};

/// How long the store may take. The rest is shown without it.
const STORE_WITHIN: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    pub version: String,
    pub uptime_seconds: u64,
    /// `ready`, or a word for why webhooks can't be taken; and the same in words.
    pub readiness: String,
    pub says: String,
    pub promises: InForce,
    /// `None`: the store does not answer.
    pub queues: Option<Vec<Waiting>>,
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

/// Work of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    pub queue: String,
    /// For how long the oldest that is due has waited; 0 if nothing is due.
    pub oldest_seconds: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneNumber {
    pub id: String,
    pub provider: String,
    pub autopilot: bool,
    /// Why nothing leaves it, if so.
    pub stopped: Option<String>,
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
pub(super) fn routes(shared: Arc<Shared>) -> Router {
    Router::new().route("/status", get(show)).with_state(shared)
}

async fn show(State(shared): State<Arc<Shared>>) -> Json<Overview> {
    let readiness = readiness(&shared).await;
    let queues = tokio::time::timeout(STORE_WITHIN, queues(shared.store.as_ref())).await;
    let mut numbers: Vec<OneNumber> = shared.numbers.iter().map(one_number).collect();
    numbers.sort_by(|one, other| one.id.cmp(&other.id));
    Json(Overview {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: shared.metrics.uptime().as_secs(),
        readiness: readiness.code().to_owned(),
        says: readiness.words().to_owned(),
        promises: InForce::of(shared.store.as_ref()),
        queues: queues.ok().and_then(Result::ok),
        numbers,
    })
}

fn one_number((id, number): (&String, &super::parts::Number)) -> OneNumber {
    let stopped = match &*lock(&number.gate) {
        Gate::Stopped { why, .. } => Some(why.clone()),
        Gate::Open | Gate::Held(_) => None,
    };
    OneNumber {
        id: id.clone(),
        provider: number.channel.provider().to_owned(),
        autopilot: number.autopilot(),
        stopped,
    }
}

/// What waits in a store.
///
/// # Errors
/// If the store can't be asked.
pub async fn queues(store: &dyn Store) -> Result<Vec<Waiting>, StoreError> {
    let mut queues = Vec::new();
    for (queue, due) in [
        (Queue::Mailbox, Due::Run),
        (Queue::Outbox, Due::Send),
        (Queue::Timers, Due::Timer),
        (Queue::Jobs, Due::Job),
    ] {
        queues.push(Waiting {
            queue: queue.word().to_owned(),
            oldest_seconds: oldest(store, due).await?,
        });
    }
    Ok(queues)
}

/// For how long the oldest due work of this kind has waited, in seconds.
pub(super) async fn oldest(store: &dyn Store, due: Due) -> Result<f64, StoreError> {
    let soonest = store.next_due(due).await?;
    let late = soonest.map(|at| at.duration_until(store.now()).as_secs_f64());
    Ok(late.unwrap_or_default().max(0.0))
}

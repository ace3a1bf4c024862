//! What the rooms of the server share: the store, the numbers, the live program, and the bell that wakes the loops.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::channel::{Channel, Simulator, Transport};
use crate::server::config::{ChannelConfig, Config};
use crate::server::flows::Flows;
use crate::server::inbound::people::People;
use crate::server::jobs::ai::Mind;
use crate::server::jobs::calls::Caller;
use crate::server::jobs::listen::Ear;
use crate::server::numbers::endpoint::Endpoint;
use crate::server::numbers::link::Watch;
use crate::server::outbound::templates::Templates;
use crate::server::outbound::tokens::Purse;
use crate::server::turns::desk::{Desk, Task};
use crate::server::watch::metrics::Metrics;
use crate::server::watch::pulse::Pulse;
use crate::store::{ContactId, JobClaim, JobId, MovableClock, Store};

/// Everything a running server is made of. One for the whole process, behind an `Arc`.
#[derive(Debug)]
pub(super) struct Shared {
    pub config: Config,
    pub store: Arc<dyn Store>,
    /// Set where time may be moved by hand.
    pub clock: Option<Arc<MovableClock>>,
    pub numbers: HashMap<String, Number>,
    pub people: People,
    pub flows: Flows,
    pub caller: Caller,
    /// Replies for `answer`, and recognises topics; `None` if no model is configured.
    pub mind: Option<Mind>,
    /// Listens to voice notes; `None` if no model is configured.
    pub ear: Option<Ear>,
    pub metrics: Arc<Metrics>,
    /// Look for work everywhere.
    pub bell: Notify,
    /// A contact changed; pages that show it look again.
    pub changed: broadcast::Sender<ContactId>,
    /// No new work.
    pub stopping: CancellationToken,
    /// Work in flight.
    pub tasks: TaskTracker,
    /// Whether the store answers.
    pub pulse: Arc<Pulse>,
    /// Conversations that are to be answered.
    pub turning: Desk,
    /// Conversations with something to send.
    pub sending: Desk,
    pub jobs: Arc<Semaphore>,
    /// More jobs are due than may be in work.
    pub jobs_wait: AtomicBool,
    /// Contacts whose records can't be read, and until when they are left alone.
    pub unreadable: Mutex<HashMap<ContactId, Instant>>,
    /// Jobs in work, each with its latest claim.
    pub working: Mutex<HashMap<JobId, JobClaim>>,
    /// Files of the business that a number has at its provider, by channel and path, and since when.
    pub uploads: Mutex<HashMap<(String, String), (String, Instant)>>,
}

/// One number of the business and what is known of it while this process runs.
#[derive(Debug)]
pub(super) struct Number {
    pub config: ChannelConfig,
    pub channel: Arc<dyn Channel>,
    pub transport: Arc<dyn Transport>,
    /// The same adapter, where it is the simulator: pages speak through it.
    pub simulator: Option<Simulator>,
    pub autopilot: AtomicBool,
    /// Flows wait for its launch.
    pub waits: AtomicBool,
    pub gate: Mutex<Gate>,
    pub purse: Purse,
    pub endpoint: Endpoint,
    /// Of a number that is linked like WhatsApp Web.
    pub link: Option<Arc<Watch>>,
    pub templates: Templates,
}

/// Whether a number may send.
#[derive(Debug, Clone, Default)]
pub(super) enum Gate {
    #[default]
    Open,
    /// The provider asked for a pause.
    Held(Instant),
    /// Nothing goes out until somebody changes something; looked at again at that moment.
    Stopped { why: String, again: Instant },
}

impl Number {
    /// How long a message has to wait before this number may send it.
    pub fn wait(&self) -> Option<Duration> {
        if let Some(wait) = self.link.as_ref().and_then(|link| link.wait()) {
            return Some(wait);
        }
        let until = match &*lock(&self.gate) {
            Gate::Open => return None,
            Gate::Held(until) | Gate::Stopped { again: until, .. } => *until,
        };
        until
            .checked_duration_since(Instant::now())
            .filter(|wait| !wait.is_zero())
    }

    /// Why nothing leaves it until something changes.
    pub fn stopped(&self) -> Option<String> {
        if let Some(why) = self.link.as_ref().and_then(|link| link.held()) {
            return Some(why);
        }
        match &*lock(&self.gate) {
            Gate::Stopped { why, .. } => Some(why.clone()),
            Gate::Open | Gate::Held(_) => None,
        }
    }

    /// Whether flows answer.
    pub fn autopilot(&self) -> bool {
        self.autopilot.load(Ordering::SeqCst) && !self.waits_for_launch()
    }

    pub fn waits_for_launch(&self) -> bool {
        self.waits.load(Ordering::SeqCst)
    }
}

impl Shared {
    pub fn desk(&self, task: Task) -> &Desk {
        match task {
            Task::Turn => &self.turning,
            Task::Send => &self.sending,
        }
    }

    /// Something was written: let pages know. Of work that came with it the store tells by itself.
    pub fn ring(&self, contact: ContactId) {
        // Nobody looks: that is fine.
        let _ = self.changed.send(contact);
    }
}

/// A lock that a panic elsewhere does not take away: what it guards is replaced whole or counted.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

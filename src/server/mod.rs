//! The server: everything between HTTP and the parts that know nothing of each other.
//!
//! A webhook is authenticated, decoded and stored (`inbound`); `turns` finds what is due and takes one turn of one
//! conversation after the other; `outbound` sends what turns have queued; `jobs` do what is slow. All of them may die at
//! any moment: what they have not written, somebody does again. `flows` says what answers, `numbers` for whom, `api` is
//! for people, and `watch` looks whether everything is well. [`Server::start`] runs it inside any process; [`Handle`] is
//! for pages that look into it.

mod agreed;
mod api;
pub mod config;
pub mod failpoint;
mod flows;
#[cfg(test)]
mod golden;
mod inbound;
mod jobs;
mod keeper;
mod numbers;
mod outbound;
mod parts;
mod patience;
mod shutdown;
mod turns;
mod watch;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::config::{ChannelConfig, Config, Runs};
use self::flows::Flows;
use self::inbound::people::People;
use self::jobs::ai::Mind;
use self::jobs::calls::Caller;
use self::jobs::listen::Ear;
use self::parts::Shared;
use self::turns::desk::Desk;
use self::watch::measured::Measured;
use self::watch::metrics::Metrics;
use self::watch::pulse::Pulse;
use crate::store::{ContactId, MovableClock, Store, StoreError};
use crate::voice::{Transcriber, Unavailable};

pub use agreed::people_changed;
pub use api::handle::{ChannelView, Conversation, Handle, NotSimulated, Said};
pub use api::masked::{Masked, MaskedAlias};
pub use api::overview;
pub use api::readable::{readable, readable_parked, readable_quarantined};
pub use failpoint::clock;
pub use flows::FlowsError;
pub use flows::{difference, impact, rehearsed, tally, versions};
pub use inbound::identity::lot;
pub use inbound::mailbox::Hearing;
pub use inbound::people::merged_with_wishes;
pub use jobs::guard::is_public;
pub use jobs::listen::ear;
pub use numbers::endpoint::SessionRefused;
pub use numbers::{channels, door, launch, link, sealed, stored};
pub use outbound::volume;
pub use shutdown::{asked_to_reload, asked_to_stop};
pub use turns::session::Session;
pub use turns::shown::ThreadEntry;
pub use turns::thread::{Line, NoteKind, Ours};
pub use watch::{doctor, traces};

/// So many connections to the page of metrics are served at the same time.
const WATCHERS: usize = 16;

/// How long the store may take to close, after what was in flight has had its time: together they stay within the time
/// after which whoever stops the process kills it.
const CLOSED_WITHIN: Duration = Duration::from_secs(4);

/// What a server is given besides its configuration.
#[derive(Default)]
pub struct Parts {
    /// Listens to voice notes.
    pub voice: Option<Arc<dyn Transcriber>>,
    /// The clock of the store, where pages may move it.
    pub clock: Option<Arc<MovableClock>>,
    /// Pages beside the webhooks.
    pub pages: Option<Pages>,
}

/// Makes the router of the pages once the server can be looked into.
pub type Pages = Box<dyn FnOnce(Handle) -> Router + Send>;

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts")
            .field("voice", &self.voice)
            .field("clock", &self.clock)
            .field("pages", &self.pages.is_some())
            .finish()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Flows(#[from] FlowsError),
    #[error("can't listen on {address}: {why}. Is another Switchboard running? Choose another `bind`")]
    Listen {
        address: SocketAddr,
        why: std::io::Error,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Voice(#[from] Unavailable),
    #[error("TLS can't be started: {0}")]
    Tls(#[from] reqwest::Error),
    #[error(transparent)]
    Session(#[from] numbers::endpoint::SessionRefused),
}

/// See [`Server::start`].
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Starts everything and returns once webhooks are taken.
    ///
    /// # Errors
    /// If no flows can be used, the address is taken, or the store does not answer.
    pub async fn start(config: Config, store: Arc<dyn Store>, parts: Parts) -> Result<Running, StartError> {
        let metrics = Arc::new(Metrics::new(
            config.channels.iter().map(|channel| channel.id.as_str()),
        ));
        let pulse = Arc::new(Pulse::new(store.server_of(ContactId([0; 16])).is_some()));
        let store: Arc<dyn Store> = Arc::new(Measured::new(store, metrics.clone(), pulse.clone()));
        let runs: Vec<Runs> = config.channels.iter().map(ChannelConfig::runs).collect();
        let flows = Flows::open(config.flows.clone(), store.clone(), &runs).await?;
        let numbers = numbers::open(&config, &store).await?;
        let (listener, address) = listen(config.bind).await?;
        let watched = match config.metrics {
            Some(bind) => Some(listen(bind).await?),
            None => None,
        };
        let parallel = config.voice.as_ref().map_or(1, |voice| voice.parallel);
        let limits = config.limits.clone();
        let shared = Arc::new(Shared {
            caller: Caller::new(&config)?,
            mind: config.ai.as_ref().map(Mind::new).transpose()?,
            config,
            store,
            clock: parts.clock,
            numbers,
            people: People::default(),
            flows,
            ear: parts
                .voice
                .map(|voice| Ear::new(voice, parallel, metrics.clone())),
            metrics,
            bell: Notify::new(),
            changed: broadcast::channel(1024).0,
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            pulse,
            turning: Desk::new(limits.turns),
            sending: Desk::new(limits.sends),
            jobs: Arc::new(Semaphore::new(limits.jobs.max(1))),
            jobs_wait: AtomicBool::new(false),
            unreadable: Mutex::new(HashMap::new()),
            working: Mutex::new(HashMap::new()),
            uploads: Mutex::new(HashMap::new()),
        });
        let mut router = webhooks(shared.clone());
        router = router.merge(api::notify::routes(Handle::new(shared.clone())));
        if let Some(token) = shared.config.admin_token.clone() {
            router = router.merge(api::operators::routes(Handle::new(shared.clone()), token));
        }
        if let Some(pages) = parts.pages {
            router = router.merge(pages(Handle::new(shared.clone())));
        }
        let (stop, tasks) = (shared.stopping.clone(), shared.tasks.clone());
        shared.tasks.spawn(inbound::http::serve(
            listener,
            router,
            limits.connections.max(1),
            stop,
            tasks,
        ));
        let mut watched_at = None;
        if let Some((listener, address)) = watched {
            let router = watch::metrics::routes(shared.clone())
                .merge(api::overview::routes(shared.clone()))
                .merge(watch::health::routes(shared.clone()));
            let (stop, tasks) = (shared.stopping.clone(), shared.tasks.clone());
            shared
                .tasks
                .spawn(inbound::http::serve(listener, router, WATCHERS, stop, tasks));
            watched_at = Some(address);
        }
        shared.tasks.spawn(turns::dispatch::run(shared.clone()));
        shared.tasks.spawn(agreed::keep_up(shared.clone()));
        shared.tasks.spawn(keeper::run(shared.clone()));
        for link in shared.numbers.values().filter_map(|number| number.link.clone()) {
            shared.tasks.spawn(numbers::link::run(shared.clone(), link));
        }
        shared.tasks.spawn(watch::metrics::upkeep(shared.clone()));
        let promises = shared.store.promises();
        tracing::info!(
            %address, store = promises.store, survives_power_loss = promises.power_loss,
            numbers = shared.numbers.len(), program = shared.flows.hash(), "ready"
        );
        Ok(Running {
            address,
            watched_at,
            shared,
        })
    }
}

/// Listens there; with port 0 the system chooses the port.
async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let refused = |why| StartError::Listen { address, why };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let got = listener.local_addr().map_err(refused)?;
    Ok((listener, got))
}

fn webhooks(shared: Arc<Shared>) -> Router {
    Router::new()
        .route(
            "/webhook/{channel}",
            get(inbound::webhook::handshake).post(inbound::webhook::receive),
        )
        .route(
            "/webhook/{channel}/{secret}",
            get(inbound::webhook::handshake).post(inbound::webhook::receive),
        )
        .with_state(shared.clone())
        .merge(watch::health::routes(shared))
}

/// A running server. Dropping it lets it run on; [`Running::shutdown`] ends it.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    watched_at: Option<SocketAddr>,
    shared: Arc<Shared>,
}

impl Running {
    /// Where it listens: with port 0 in the configuration, the port it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where `/metrics` is, if it is on.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.watched_at
    }

    pub fn handle(&self) -> Handle {
        Handle::new(self.shared.clone())
    }

    /// Reads the flows again. Those that don't compile never go live.
    ///
    /// # Errors
    /// What is wrong with them; the last good ones stay.
    pub async fn reload(&self) -> Result<(), FlowsError> {
        self.shared.flows.reload().await
    }

    /// Reloads whenever a file of the flows changes, until the server stops.
    pub fn watch(&self) {
        let shared = self.shared.clone();
        self.shared
            .tasks
            .spawn(async move { shared.flows.watch(&shared.stopping).await });
    }

    /// Takes no new work, lets what is in flight finish for `limits.drain_seconds`, and closes the store within a few
    /// seconds more, whatever state that is in. What did not finish is done again after the next start.
    pub async fn shutdown(self) {
        let within = Duration::from_secs(self.shared.config.limits.drain_seconds);
        self.shared.stopping.cancel();
        self.shared.tasks.close();
        if tokio::time::timeout(within, self.shared.tasks.wait())
            .await
            .is_err()
        {
            let left = self.shared.tasks.len();
            tracing::warn!(
                left,
                "some work did not finish in time; it is done again after the next start"
            );
        }
        // A store that hangs must not hold the process back: what is not given back is free when its lease ends.
        let closing = async {
            jobs::give_back(&self.shared).await;
            self.shared.store.close().await
        };
        match tokio::time::timeout(CLOSED_WITHIN, closing).await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => tracing::error!(%why, "the store could not be closed in order"),
            Err(_) => tracing::error!("the store did not close in time; its leases run out by themselves"),
        }
        tracing::info!("stopped");
    }
}

//! The server: everything between HTTP and the parts that know nothing of each other.
//!
//! A webhook is authenticated, decoded and stored (`webhook`); `dispatch` finds what is due; `worker` takes one turn of
//! one conversation; `sender` sends what turns have queued; `jobs` do what is slow. All of them may die at any moment:
//! what they have not written, somebody does again. [`Server::start`] runs it inside any process; [`Handle`] is for
//! pages that look into it.

mod acts;
mod calls;
pub mod config;
mod dispatch;
pub mod doctor;
pub mod failpoint;
mod flows;
mod guard;
mod handle;
mod http;
mod identity;
mod jobs;
mod listen;
mod mailbox;
mod masked;
mod notes;
mod numbers;
mod operators;
mod parts;
mod patience;
mod people;
mod seen;
mod sender;
mod session;
mod shutdown;
mod thread;
mod turn;
mod uploads;
mod webhook;
mod work;
mod worker;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::calls::Caller;
use self::config::Config;
use self::flows::Flows;
use self::listen::Ear;
use self::parts::Shared;
use self::people::People;
use crate::store::{MovableClock, Store, StoreError};
use crate::voice::{Transcriber, Unavailable};

pub use failpoint::clock;
pub use flows::FlowsError;
pub use guard::is_public;
pub use handle::{ChannelView, Conversation, Handle, NotSimulated, Said, ThreadEntry};
pub use listen::ear;
pub use mailbox::Hearing;
pub use masked::{Masked, MaskedAlias};
pub use parts::Counts;
pub use session::Session;
pub use shutdown::{asked_to_reload, asked_to_stop};
pub use thread::{Line, NoteKind, Ours};

/// How long `/readyz` waits for the store.
const READY_WITHIN: Duration = Duration::from_secs(1);

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
        let flows = Flows::open(config.flows.clone(), store.clone()).await?;
        let numbers = numbers::open(&config, &store).await?;
        let listener = TcpListener::bind(config.bind)
            .await
            .map_err(|why| StartError::Listen {
                address: config.bind,
                why,
            })?;
        let address = listener.local_addr().map_err(|why| StartError::Listen {
            address: config.bind,
            why,
        })?;
        let parallel = config.voice.as_ref().map_or(1, |voice| voice.parallel);
        let limits = config.limits.clone();
        let shared = Arc::new(Shared {
            caller: Caller::new(&config)?,
            config,
            store,
            clock: parts.clock,
            numbers,
            people: People::default(),
            flows,
            ear: parts.voice.map(|voice| Ear::new(voice, parallel)),
            counts: Counts::default(),
            bell: Notify::new(),
            changed: broadcast::channel(1024).0,
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            turns: Arc::new(Semaphore::new(limits.turns.max(1))),
            sends: Arc::new(Semaphore::new(limits.sends.max(1))),
            jobs: Arc::new(Semaphore::new(limits.jobs.max(1))),
            uncertain: Mutex::new(HashMap::new()),
            working: Mutex::new(HashMap::new()),
            uploads: Mutex::new(HashMap::new()),
        });
        let mut router = webhooks(shared.clone());
        if let Some(token) = shared.config.admin_token.clone() {
            router = router.merge(operators::routes(Handle::new(shared.clone()), token));
        }
        if let Some(pages) = parts.pages {
            router = router.merge(pages(Handle::new(shared.clone())));
        }
        let (stop, tasks) = (shared.stopping.clone(), shared.tasks.clone());
        shared.tasks.spawn(http::serve(
            listener,
            router,
            limits.connections.max(1),
            stop,
            tasks,
        ));
        shared.tasks.spawn(dispatch::run(shared.clone()));
        let promises = shared.store.promises();
        tracing::info!(
            %address, store = promises.store, survives_power_loss = promises.power_loss,
            numbers = shared.numbers.len(), program = shared.flows.hash(), "ready"
        );
        Ok(Running { address, shared })
    }
}

fn webhooks(shared: Arc<Shared>) -> Router {
    Router::new()
        .route(
            "/webhook/{channel}",
            get(webhook::handshake).post(webhook::receive),
        )
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .with_state(shared)
}

/// Whether webhooks can be taken now.
async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    if shared.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping");
    }
    match tokio::time::timeout(READY_WITHIN, shared.store.setting("ready")).await {
        Ok(Ok(_)) => (StatusCode::OK, "ready"),
        // Anybody may ask; only the log says more.
        Ok(Err(why)) => {
            tracing::warn!(%why, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the store can't be used")
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer"),
    }
}

/// A running server. Dropping it lets it run on; [`Running::shutdown`] ends it.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Running {
    /// Where it listens: with port 0 in the configuration, the port it got.
    pub fn address(&self) -> SocketAddr {
        self.address
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

    /// Takes no new work, lets what is in flight finish for `limits.drain_seconds`, and closes the store. What did not
    /// finish is done again after the next start.
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
        if let Err(why) = self.shared.store.close().await {
            tracing::error!(%why, "the store could not be closed in order");
        }
        tracing::info!("stopped");
    }
}

//! How Switchboard speaks with a provider: one contract, one folder or file an adapter, one simulator.
//!
//! Inward, a webhook passes [`Channel::authenticate`] and then [`Channel::decode`], and once it is stored
//! [`Channel::acknowledge`] answers it. Outward, a message passes
//! [`Channel::plan`] (what the provider can show), [`Channel::encode`] (its wire format), a [`Transport`] and
//! [`Channel::interpret`] (what happened). All of these are pure: the same code runs in production, in tests and in
//! fuzzing. Only [`Channel::fetch_media`], [`Channel::health`], [`Channel::templates`] and [`Channel::register`] do I/O. A channel knows [`crate::message`] and
//! nothing else of Switchboard.

pub mod coster;
mod decoded;
mod delivery;
mod failure;
mod fetch;
mod form;
mod gate;
mod http;
pub mod linked;
pub mod meta;
#[cfg(test)]
mod mutation;
mod plan;
pub mod qontak;
mod signature;
mod simulator;
mod split;
mod step;
pub mod template;

use async_trait::async_trait;

use self::template::{NotListed, Template};
use crate::message::MediaHandle;

pub use decoded::{Decoded, Problem};
pub use delivery::Delivery;
pub use failure::{SendClass, SendError};
pub use gate::Gate;
pub(crate) use http::told;
pub use http::{Answer, HttpRequest, HttpResponse, NetworkTransport, SendFailure, Transport};
pub use meta::cloud_json;
pub use plan::{OPEN, plan};
pub use signature::Algorithm;
pub use simulator::{Bubble, BubbleSink, Simulator, SimulatorTransport};
pub use split::split_text;
pub use step::{Button, Caps, Loss, Outbound, Plan, Row, Section, Show, Step, Upload};

/// A provider's adapter for one number of the business.
#[async_trait]
pub trait Channel: std::fmt::Debug + Send + Sync {
    /// The adapter's name in logs and configuration, such as `meta`.
    fn provider(&self) -> &'static str;

    /// The provider's identity of the number this channel sends from; [`Inbound::account`] is compared with it.
    fn account(&self) -> &str;

    /// What numbers have in common that share one webhook, whoever's address it has; `None`: each has its own.
    fn organisation(&self) -> Option<&str> {
        None
    }

    /// Answers the provider's check of the webhook address, a GET. `secret` is what stands behind the channel's id in the
    /// path, `query` the raw query string.
    fn handshake(&self, secret: Option<&str>, query: &str) -> Answer;

    /// Whether a webhook comes from the provider. Nothing is parsed before.
    fn authenticate(&self, delivery: &Delivery<'_>) -> Result<(), Forged>;

    /// The answer to an authentic webhook once all of it is durable. Providers read more than the 200 into it rarely.
    fn acknowledge(&self, _raw: &[u8]) -> Answer {
        Answer::plain(200, "ok")
    }

    /// Reads a webhook. Total: any bytes give an answer, and one bad element never spoils the rest.
    fn decode(&self, raw: &[u8]) -> Decoded;

    fn capabilities(&self) -> Caps;

    /// The steps in which this provider can show `outbound`, and what was lost on the way.
    fn plan(&self, outbound: &Outbound) -> Plan {
        plan(outbound, &self.capabilities())
    }

    /// The request that carries out `step`.
    ///
    /// # Errors
    /// If the step still names a file of the business: see [`Step::file`].
    fn encode(&self, step: &Step) -> Result<HttpRequest, EncodeError>;

    /// The request that hands a file to the provider; its answer goes to [`Channel::interpret`] and the receipt's
    /// id to [`Step::uploaded`].
    fn encode_upload(&self, upload: &Upload) -> Result<HttpRequest, EncodeError>;

    /// The request that carries out `step` with its file in it, where [`Caps::files_along`] says so.
    ///
    /// # Errors
    /// If the provider takes no such request.
    fn encode_with_file(&self, _step: &Step, _upload: &Upload) -> Result<HttpRequest, EncodeError> {
        Err(EncodeError::Unsupported {
            provider: self.provider(),
            what: "a file along with its message",
        })
    }

    /// What became of a request. `attempt` counts tries of the same step from 1; waits grow with it.
    fn interpret(
        &self,
        outcome: Result<HttpResponse, SendFailure>,
        attempt: u32,
    ) -> Result<Receipt, SendError>;

    /// Fetches a file a customer sent, within the channel's size cap.
    async fn fetch_media(
        &self,
        handle: &MediaHandle,
        expected: Expected<'_>,
    ) -> Result<FetchedMedia, MediaError>;

    /// Asks the provider whether this number can send and receive.
    async fn health(&self) -> Health;

    /// Asks the provider which templates there are, in every language and whatever their state.
    ///
    /// # Errors
    /// If it has no list, or does not give it.
    async fn templates(&self) -> Result<Vec<Template>, NotListed> {
        Err(NotListed::NoList("this provider has no list of templates"))
    }

    /// Tells the provider where webhooks go, and looks whether it knows.
    ///
    /// # Errors
    /// If the provider does not take it, or has no way to be told.
    async fn register(&self) -> Result<(), NotRegistered> {
        Err(NotRegistered::ByHand)
    }
}

/// Why webhooks do not come here by our word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRegistered {
    #[error("this provider is told in its own pages")]
    ByHand,
    #[error("public_url is not set, so there is no address to give to the provider")]
    NoAddress,
    #[error("{0}")]
    Unauthorised(String),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Unreachable(String),
}

/// A webhook that the provider did not sign. Says nothing more on purpose: the answer to every forgery is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the webhook is not signed by the provider")]
pub struct Forged;

impl Forged {
    /// The one answer to every forged webhook.
    pub fn answer() -> Answer {
        Answer::plain(401, "unauthorised")
    }
}

/// The provider has accepted a message (or an upload). Delivery is another matter: statuses tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The provider's id of the message; `None` for a read receipt.
    pub message_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("the file {0} must be uploaded before it can be sent")]
    NotUploaded(String),
    #[error("{what} is {size} characters long, the provider takes {limit}")]
    TooLong {
        what: &'static str,
        size: usize,
        limit: usize,
    },
    #[error(
        "no id is known for the template {0:?}; write it in [channel.qontak.templates], as Qontak's list of templates shows it"
    )]
    UnknownTemplate(String),
    #[error("{provider} cannot send {what}")]
    Unsupported {
        provider: &'static str,
        what: &'static str,
    },
}

/// What the webhook said about a file, for checking what is fetched.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expected<'a> {
    /// Base64 of the SHA-256.
    pub sha256: Option<&'a str>,
}

/// A customer's file.
#[derive(Clone, PartialEq, Eq)]
pub struct FetchedMedia {
    pub bytes: Vec<u8>,
    /// What the provider says it is; not to be trusted over the bytes themselves.
    pub mime: Option<String>,
}

impl std::fmt::Debug for FetchedMedia {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FetchedMedia({} bytes, {:?})", self.bytes.len(), self.mime)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// The provider no longer has it (Meta keeps a customer's file for 7 days).
    #[error("the provider no longer has this file")]
    Gone,
    #[error("the file is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the file does not match the checksum the provider announced")]
    WrongHash,
    #[error("the provider pointed at the host {host}, which is not among its media hosts")]
    ForeignHost { host: String },
    #[error("the provider refused the access token")]
    Unauthorised,
    /// Worth another try later.
    #[error("the file could not be fetched: {why}")]
    Temporary { why: String },
    #[error("this handle means nothing to the provider: {why}")]
    BadHandle { why: String },
}

/// The state of a number, check by check, in words for `doctor` and the console.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    pub checks: Vec<HealthCheck>,
}

impl Health {
    pub fn is_well(&self) -> bool {
        self.checks.iter().all(|check| check.state != HealthState::Broken)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    pub name: &'static str,
    pub state: HealthState,
    /// What is so, and if it is wrong what to do.
    pub says: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthState {
    Fine,
    /// Works, but somebody should look.
    Doubtful,
    Broken,
}

//! A provider double: a server that behaves as Meta's WhatsApp Cloud API does, on loopback, without an account.
//!
//! It is not part of the product and shares no code with it. Tests use it in the process ([`Double::start`]); any
//! client of the Cloud API can be pointed at it as a program:
//!
//! ```text
//! cargo run --example cloud-double -- --port 4000 --webhook http://127.0.0.1:8080/webhook
//! ```
//!
//! The base URL is then `http://127.0.0.1:4000`, with any version prefix (`/v23.0`, `/v24.0`, …). Unless flags say
//! otherwise: phone number id `106540352242922` (+62 211 000 001), business account `102290129340398`, app
//! `670843887433847`, access token `double-token`, app secret `double-app-secret`, verify token
//! `double-verify-token`. A client that fixes Meta's host needs its HTTP layer to put this address in the place of
//! `https://graph.facebook.com`; media addresses are given out on it as well.
//!
//! # What it does
//!
//! | call | answer |
//! |---|---|
//! | `POST /{number}/messages` | every kind of message, read receipts, typing; refuses what Meta refuses, in Meta's error shape |
//! | `POST /{number}/media`, `GET|DELETE /{media}`, the media address | upload, two-hop download; an address lives five minutes |
//! | `GET|POST /{number}`, `/{number}/whatsapp_business_profile`, `/register`, `/deregister` | the number's fields, its webhook, its PIN, its profile |
//! | `/{number}/settings`, `/whatsapp_commerce_settings`, `/conversational_automation`, `/whatsapp_business_encryption`, `/message_qrdls`, `/block_users`, `/request_code`, `/verify_code` | kept and given back; only a blocked customer is not heard any more |
//! | `GET /{account}/phone_numbers`, `/message_templates`, `GET|POST|DELETE /{account}/subscribed_apps` | the account |
//! | `GET|POST /{template}`, `GET|POST /{account}/flows`, `GET|POST|DELETE /{flow}`, `/publish`, `/deprecate`, `/assets` | templates and flows, kept and not checked |
//! | `POST /{app}/subscriptions`, `GET /debug_token`, `GET /oauth/access_token` | the app |
//!
//! Every webhook is signed over bytes escaped as Meta escapes them. A sent message gets the statuses `sent` at once,
//! `delivered` 0.8 s later and `read` after that, one in four times `read` before `delivered` (by the seed). A
//! webhook that is not answered with 200 comes again, ever later.
//!
//! A customer can be written to for 24 hours after a message of theirs; before that, and after, only templates pass
//! (131047). `POST /double/customer-message` makes a customer write; `--open-windows` switches the rule off.
//!
//! Recipients that fail by number: `1555` and seven digits. `1555` + an error code padded with zeros (such as
//! `15550131026`) is refused with that code; `15550000500` gives HTTP 500; `15550000901` accepts and never answers;
//! `15550000902` accepts and drops the connection; `15550000903` accepts and fails later, by status.
//!
//! # Other faces
//!
//! `--face 360dialog` speaks as 360dialog does: `POST /messages`, `POST /media`, `GET /{media}`, `GET /health_status`,
//! `GET|POST /v1/configs/webhook`, the key in `D360-API-KEY`, refusals of a key as `{"meta": {…}}`, no signature, and
//! addresses of files that name Meta's host. `--face coster` speaks as Coster was seen to: `POST /bot/webhook` with
//! `x-access-token` and the envelope around a Cloud API message, `POST /v1/{account}/messages` with the bearer
//! `double-push-token` for templates, `GET /bot/media/{media}`; its webhooks come in an envelope and want `code`,
//! `message` and `server_time` back; nothing but texts passes, no status comes.
//!
//! # Control, for tests in another process
//!
//! | call | body |
//! |---|---|
//! | `POST /double/customer-message` | `{"from": "+62…" or "CC.id", "name"?, "text" \| "tap" (id or title) \| "location": {latitude, longitude} \| "media": {"kind", "mime_type", "base64", "caption"?, "filename"?} \| "raw": {"type": …}}` → `{"id"}` |
//! | `GET /double/log` | every request received, bodies as received |
//! | `GET /double/status` | counts, clock, what is held or waiting |
//! | `POST /double/fault` | `{"to"?: …, "times"?: n, "fault": "refuse", "code": n}`; other faults: `status` (+ `status`), `hang`, `reset`, `garbage`, `fail_later` (+ `code`), `silent`; on media: `wrong_hash`, `expired` |
//! | `POST /double/clock` | `{"advance_seconds": n}` |
//! | `POST /double/webhooks` | `{"url"?: …, "hold"?: true, "release"?: {"order"?: "reversed"\|"shuffled", "batch"?: true, "copies"?: n}, "copies"?: n}` |

// Each test binary that includes the double uses a part of it.
#![allow(dead_code, unused_imports)]

#[path = "../loopback/mod.rs"]
pub mod loopback;

mod clock;
mod control;
mod coster;
mod customer;
mod dialog360;
mod edges;
mod error;
mod face;
mod faults;
mod graph;
mod log;
mod media;
mod number;
mod outgoing;
mod rates;
mod refuse;
mod refuse_interactive;
mod serve;
mod setup;
mod state;
mod webhook;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use customer::Customer;
pub use face::Face;
pub use faults::{Fault, Faulty};
pub use log::Logged;
pub use setup::Setup;
pub use state::Sent;
pub use webhook::{Order, Release, signature as signature_of};

use state::Inner;

/// Whether Meta would take this body as a message or a read receipt, apart from who may be written to and when.
///
/// # Errors
/// What is wrong with it.
pub fn would_take(body: &[u8]) -> Result<(), String> {
    let body: serde_json::Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let message = body.as_object().ok_or("not an object")?;
    let checked = if message.contains_key("status") {
        refuse::read_receipt(message).map(drop)
    } else {
        refuse::message(message)
    };
    checked.map_err(|refusal| format!("{}: {}", refusal.message, refusal.details.unwrap_or_default()))
}

/// A running double. It stops when dropped.
#[derive(Debug)]
pub struct Double {
    inner: Arc<Inner>,
    /// They end with it.
    _tasks: JoinSet<()>,
}

impl Double {
    /// Starts one on a free port of loopback, with statuses that follow at once.
    pub async fn start() -> Double {
        Double::with(Setup {
            delivered_after: Duration::ZERO,
            ..Setup::default()
        })
        .await
    }

    /// Starts one as `setup` says.
    pub async fn with(setup: Setup) -> Double {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], setup.port)))
            .await
            .unwrap_or_else(|error| panic!("port {} of loopback cannot be opened: {error}", setup.port));
        let address = listener.local_addr().expect("a bound socket has an address");
        let (inner, queue) = Inner::new(setup, address);
        let inner = Arc::new(inner);
        let mut tasks = JoinSet::new();
        tasks.spawn(serve::accept(listener, Arc::clone(&inner)));
        tasks.spawn(webhook::deliver(queue, Arc::clone(&inner)));
        Double { inner, _tasks: tasks }
    }

    /// The address to configure as the API's base URL, without a version.
    pub fn base_url(&self) -> String {
        self.inner.base_url()
    }

    pub fn setup(&self) -> &Setup {
        &self.inner.setup
    }

    /// From now on webhooks go to `url`.
    pub fn point_at(&self, url: impl Into<String>) {
        self.inner.state().webhook_url = Some(url.into());
    }

    /// Meta's check of a webhook address with the configured verify token.
    ///
    /// # Errors
    /// What came back instead of the challenge.
    pub async fn shake_hands(&self, url: &str) -> Result<(), String> {
        webhook::handshake(&self.inner, url, &self.inner.setup.verify_token)
            .await
            .map_err(|refusal| refusal.message)
    }

    /// A customer, by phone number or by business-scoped user id (`CC.…`).
    pub fn customer(&self, address: &str) -> Customer {
        Customer::new(Arc::clone(&self.inner), address)
    }

    /// Every message accepted so far, oldest first.
    pub fn sent(&self) -> Vec<Sent> {
        self.inner.state().sent.clone()
    }

    /// Looks at the messages accepted so far without a copy of them.
    pub fn with_sent<T>(&self, look: impl FnOnce(&[Sent]) -> T) -> T {
        look(&self.inner.state().sent)
    }

    /// Every request received so far, bodies as received.
    pub fn log(&self) -> Vec<Logged> {
        self.inner.state().log.clone()
    }

    /// Waits until at least `count` messages were accepted.
    pub async fn wait_for_sent(&self, count: usize) -> Vec<Sent> {
        self.wait_until(&format!("{count} sent messages"), |sent| sent.len() >= count)
            .await
    }

    /// Waits until `enough` holds of the messages accepted so far.
    pub async fn wait_until(&self, what: &str, enough: impl Fn(&[Sent]) -> bool) -> Vec<Sent> {
        self.inner
            .wait(|state| enough(&state.sent).then(|| state.sent.clone()))
            .await
            .unwrap_or_else(|| panic!("waited in vain for {what}; sent so far: {:#?}", self.sent()))
    }

    /// Waits until `enough` holds of the requests received so far, refused ones too.
    pub async fn wait_for_log(&self, what: &str, enough: impl Fn(&[Logged]) -> bool) -> Vec<Logged> {
        self.inner
            .wait(|state| enough(&state.log).then(|| state.log.clone()))
            .await
            .unwrap_or_else(|| panic!("waited in vain for {what}; received so far: {:#?}", self.log()))
    }

    /// Waits until every webhook was answered with 200. Statuses that are due later do not count.
    pub async fn settled(&self) {
        let settled = self
            .inner
            .wait(|state| (state.undelivered == 0).then_some(()))
            .await;
        assert!(
            settled.is_some(),
            "waited in vain for {} webhooks to be taken",
            self.inner.state().undelivered
        );
    }

    /// Webhooks that were not answered with 200 yet. Statuses that are due later do not count.
    pub fn undelivered(&self) -> usize {
        self.inner.state().undelivered
    }

    /// Faults that have not happened yet.
    pub fn faults_left(&self) -> usize {
        self.inner.state().faults.len()
    }

    /// Moves the double's clock on: windows close, media addresses run out, statuses and retries fall due.
    pub fn advance(&self, by: Duration) {
        self.inner.clock.advance(by);
        self.inner.touch();
    }

    /// The double's time in Unix seconds.
    pub fn now(&self) -> i64 {
        self.inner.clock.now().as_second()
    }

    pub fn fault(&self, fault: Fault) {
        self.inner.state().faults.push(fault);
    }

    /// A fault in the words of `POST /double/fault`.
    ///
    /// # Errors
    /// What is wrong with the words.
    pub fn fault_in_words(&self, json: &str) -> Result<(), String> {
        control::fault_of(&self.inner, json)
    }

    /// Keeps webhooks back until [`Double::release`].
    pub fn hold_webhooks(&self) {
        self.inner.state().holding = true;
    }

    /// Sends what was kept back, in the order, batching and number of copies given.
    pub fn release(&self, release: Release) {
        self.inner.release(&release);
    }

    /// How often each further webhook is delivered.
    pub fn deliver_copies(&self, copies: u32) {
        self.inner.state().copies = copies;
    }

    /// Adds a template, or puts it in the place of the one of its name and language.
    pub fn has_template(&self, template: serde_json::Value) {
        let mut state = self.inner.state();
        state
            .templates
            .retain(|of| of["name"] != template["name"] || of["language"] != template["language"]);
        state.templates.push(template);
    }

    /// Whether the number is registered; if not, sending is refused with 133010.
    pub fn set_registered(&self, registered: bool) {
        self.inner.state().registered = registered;
    }

    /// The header and the bytes of a webhook signed as the double signs, for tests that post by themselves.
    pub fn signed(&self, body: &serde_json::Value) -> (String, Vec<u8>) {
        webhook::signed(&self.inner.setup.app_secret, body)
    }
}

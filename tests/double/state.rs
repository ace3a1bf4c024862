//! All the double knows, behind one lock, and a way to wait for it to change.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{Notify, mpsc};

use super::clock::Clock;
use super::edges::Kept;
use super::faults::Fault;
use super::log::Logged;
use super::loopback::{PATIENCE, comes};
use super::media::File;
use super::rates::Rates;
use super::setup::Setup;
use super::webhook::Webhook;

/// A message the double accepted.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The `wamid` given out.
    pub id: String,
    /// Digits, or a user id.
    pub to: String,
    /// `text`, `image`, `interactive`, …
    pub kind: String,
    /// The whole request.
    pub body: Value,
    /// `biz_opaque_callback_data`.
    pub ours: Option<String>,
    /// Unix seconds of the double's clock.
    pub at: i64,
    /// When it was, by no clock that can be moved.
    pub accepted: Instant,
}

impl Sent {
    /// The text a customer reads first: of a text, a question, or a caption.
    pub fn text(&self) -> &str {
        [
            "/text/body",
            "/interactive/body/text",
            "/image/caption",
            "/video/caption",
            "/document/caption",
        ]
        .iter()
        .find_map(|path| self.body.pointer(path)?.as_str())
        .unwrap_or_default()
    }

    /// Id, title and description of every button or row.
    pub fn options(&self) -> Vec<(String, String, Option<String>)> {
        let action = &self.body["interactive"]["action"];
        let buttons = action["buttons"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|button| &button["reply"]);
        let sections = action["sections"].as_array().into_iter().flatten();
        let rows = sections.flat_map(|section| section["rows"].as_array().into_iter().flatten());
        // A quick reply of a template: its payload; its text stands in the template, which is not looked up.
        let components = self.body["template"]["components"]
            .as_array()
            .into_iter()
            .flatten();
        let quick_replies = components.filter_map(|component| {
            let payload = component.pointer("/parameters/0/payload")?.as_str()?.to_owned();
            Some((payload.clone(), payload, None))
        });
        let options = buttons.chain(rows).map(|option| {
            let text = |name: &str| option[name].as_str().map(str::to_owned);
            (
                text("id").unwrap_or_default(),
                text("title").unwrap_or_default(),
                text("description"),
            )
        });
        options.chain(quick_replies).collect()
    }
}

/// What is known of a customer. Every customer has a user id; the phone number may stay unknown.
#[derive(Debug, Clone)]
pub struct Known {
    pub name: String,
    pub phone: Option<String>,
    pub user_id: String,
    pub last_in: Option<Timestamp>,
}

impl Known {
    /// By digits or by user id. A user id that goes with a phone number follows from its digits.
    pub fn new(id: &str) -> Known {
        let by_phone = id.bytes().all(|byte| byte.is_ascii_digit());
        Known {
            name: "Customer".to_owned(),
            phone: by_phone.then(|| id.to_owned()),
            user_id: if by_phone {
                format!("{}.{:0>20}", country_of(id), id)
            } else {
                id.to_owned()
            },
            last_in: None,
        }
    }

    /// As webhooks name a contact.
    pub fn contact(&self) -> Value {
        let mut contact = serde_json::json!({ "profile": { "name": self.name }, "user_id": self.user_id });
        if let Some(phone) = &self.phone {
            contact["wa_id"] = serde_json::json!(phone);
        }
        contact
    }
}

/// Enough of the world for user ids to look right.
fn country_of(digits: &str) -> &'static str {
    let known = [
        ("62", "ID"),
        ("351", "PT"),
        ("65", "SG"),
        ("60", "MY"),
        ("44", "GB"),
        ("55", "BR"),
        ("91", "IN"),
        ("1", "US"),
    ];
    known
        .iter()
        .find(|(prefix, _)| digits.starts_with(prefix))
        .map_or("ZZ", |(_, country)| country)
}

#[derive(Debug)]
pub struct State {
    pub webhook_url: Option<String>,
    pub registered: bool,
    pub subscribed: bool,
    pub profile: Value,
    pub templates: Vec<Value>,
    pub kept: Kept,
    pub log: Vec<Logged>,
    pub sent: Vec<Sent>,
    pub customers: HashMap<String, Known>,
    pub files: HashMap<String, File>,
    pub faults: Vec<Fault>,
    pub rates: Rates,
    /// Webhooks are kept in `held`.
    pub holding: bool,
    pub held: Vec<Webhook>,
    pub copies: u32,
    /// Webhooks handed to the deliverer and not answered with 200 yet.
    pub undelivered: usize,
    /// Attempts that were answered with anything else.
    pub failed_attempts: usize,
    /// Messages already marked as read by the business.
    pub read: HashSet<String>,
    random: u64,
    last_id: u64,
}

impl State {
    /// The next number of a sequence that depends on the seed only (SplitMix64).
    pub fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn next_number(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The customer of these digits or this user id, under the name the double keeps them by.
    pub fn known(&self, id: &str) -> Option<(String, Known)> {
        let by_user_id = || self.customers.iter().find(|(_, known)| known.user_id == id);
        let (key, known) = self.customers.get_key_value(id).or_else(by_user_id)?;
        Some((key.clone(), known.clone()))
    }

    /// A new message id in Meta's form.
    pub fn wamid(&mut self, to: &str) -> String {
        use base64::Engine as _;
        let number = self.next_number();
        let inner = format!("\u{1d}{to}\u{15}{number:016X}");
        format!(
            "wamid.{}",
            base64::engine::general_purpose::STANDARD.encode(inner)
        )
    }
}

#[derive(Debug)]
pub struct Inner {
    pub setup: Setup,
    pub clock: Clock,
    address: SocketAddr,
    state: Mutex<State>,
    changed: Notify,
    queue: mpsc::UnboundedSender<Vec<Webhook>>,
    pub client: reqwest::Client,
}

impl Inner {
    pub fn new(setup: Setup, address: SocketAddr) -> (Inner, mpsc::UnboundedReceiver<Vec<Webhook>>) {
        let (queue, deliveries) = mpsc::unbounded_channel();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("facebookexternalua")
            .timeout(PATIENCE)
            // Each webhook on a connection of its own, as from a provider's many machines.
            .pool_max_idle_per_host(0)
            .build()
            .expect("a client without TLS options can be built");
        let state = State {
            webhook_url: setup.webhook_url.clone(),
            registered: true,
            subscribed: true,
            profile: serde_json::json!({ "messaging_product": "whatsapp", "about": "Open daily", "vertical": "RESTAURANT" }),
            templates: super::number::templates(),
            kept: Kept::default(),
            log: Vec::new(),
            sent: Vec::new(),
            customers: HashMap::new(),
            files: HashMap::new(),
            faults: Vec::new(),
            rates: Rates::default(),
            holding: false,
            held: Vec::new(),
            copies: 1,
            undelivered: 0,
            failed_attempts: 0,
            read: HashSet::new(),
            random: setup.seed,
            last_id: 0,
        };
        let inner = Inner {
            setup,
            clock: Clock::default(),
            address,
            state: Mutex::new(state),
            changed: Notify::new(),
            queue,
            client,
        };
        (inner, deliveries)
    }

    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The state. Whoever changed something others may wait for calls [`Inner::touch`] after.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn touch(&self) {
        self.changed.notify_waiters();
    }

    /// Hands webhooks to the deliverer, one POST for each list.
    pub fn queue(&self, batch: Vec<Webhook>) {
        if !batch.is_empty() {
            self.state().undelivered += 1;
            // The receiver lives as long as the double.
            let _ = self.queue.send(batch);
        }
    }

    /// Waits for what `wanted` gives, or gives up.
    pub async fn wait<T>(&self, wanted: impl Fn(&State) -> Option<T>) -> Option<T> {
        comes(&self.changed, || wanted(&self.state())).await
    }
}

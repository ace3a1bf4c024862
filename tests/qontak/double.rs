//! A double of Mekari Qontak on loopback: an inbox with a room for each customer, both generations of its API, and one
//! webhook for the whole organisation. It shares no code with the product and behaves as the facts known of Qontak say;
//! what is not public (what an expired session is answered, how often a webhook is repeated) is its own choice.
//!
//! | call | answer |
//! |---|---|
//! | `POST /oauth/token` | a token for a password or a refresh token |
//! | `/api/open/v1/…` with a bearer, `/qontak/chat/v1/…` with a signature, else 401 | as below |
//! | `GET /integrations`, `GET /templates/whatsapp` | the organisation's numbers and templates |
//! | `GET|PUT /message_interactions`, `/room_interactions` | where webhooks go; a new address is checked with `verify_info` |
//! | `POST /messages/whatsapp/bot`, `/interactive_message/bot`, `/hsm` | into a room; refuses what is wrong in it |
//! | `POST /broadcasts/whatsapp/direct` | a template to a number; opens a room |
//! | `POST /rooms/{id}/agents/{user}`, `/assign_round_robin`, `PUT /rooms/{id}/resolve` | rooms |
//! | `GET /files/{name}` | a customer's file, by its plain address |
//!
//! Everything sent comes back over the webhook, first as an echo, then with its statuses. Ids follow from the seed. All that
//! was received is kept for tests to read. Webhooks are delivered one after the other, and repeated until they are taken.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::loopback::{PATIENCE, comes};
use super::serve;

pub const INTEGRATION: &str = "fa914ed7-672d-4530-97bd-1c554ab2e1ee";
/// Another number of the same organisation.
pub const SECOND: &str = "0b9c3d52-7a53-4a0e-8a3f-6a0d7f1f2c11";
pub const TEMPLATE: &str = "7bf2d2a0-5a4c-4d5c-9a3c-2f0e6f2d1c11";
pub const TOKEN: &str = "double-qontak-token";
pub const USERNAME: &str = "bot@kopi.example";
pub const PASSWORD: &str = "double-qontak-password";
pub const CLIENT_ID: &str = "double-client";
pub const CLIENT_SECRET: &str = "double-client-secret";
pub const AGENTS: [&str; 2] = ["agent-dewi", "agent-budi"];

/// A message the double accepted.
#[derive(Debug, Clone)]
pub struct Sent {
    pub id: String,
    pub room: String,
    /// The customer's digits.
    pub to: String,
    /// `text`, `image`, `button`, `list`, `template`, …
    pub kind: String,
    pub body: Value,
}

impl Sent {
    /// As it looks on the customer's screen.
    pub fn shown(&self) -> String {
        let text = |path: &str| {
            self.body
                .pointer(path)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let titles = |list: Option<&Value>| -> Vec<String> {
            let all = list.and_then(Value::as_array).cloned().unwrap_or_default();
            all.iter()
                .map(|one| one["title"].as_str().unwrap_or_default().to_owned())
                .collect()
        };
        match self.kind.as_str() {
            "button" => {
                let buttons = titles(self.body.pointer("/interactive/buttons"));
                format!("{} [{}]", text("/interactive/body"), buttons.join(" | "))
            }
            "list" => {
                let sections = self.body.pointer("/interactive/lists/sections");
                let rows: Vec<String> = sections
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .flat_map(|section| titles(section.get("rows")))
                    .collect();
                format!("{} <{}>", text("/interactive/body"), rows.join(" | "))
            }
            "text" => text("/text").to_owned(),
            other => format!("({other})"),
        }
    }

    /// Id and title of what can be tapped.
    pub fn options(&self) -> Vec<(String, String)> {
        let of = |list: &Value| -> Vec<(String, String)> {
            let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
            list.as_array()
                .into_iter()
                .flatten()
                .map(|one| (text(one, "id"), text(one, "title")))
                .collect()
        };
        match self.kind.as_str() {
            "button" => of(&self.body["interactive"]["buttons"]),
            "list" => self.body["interactive"]["lists"]["sections"]
                .as_array()
                .into_iter()
                .flatten()
                .flat_map(|section| of(&section["rows"]))
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// A request as it was received.
#[derive(Debug, Clone)]
pub struct Logged {
    pub line: String,
    pub body: Vec<u8>,
    pub answered: u16,
}

#[derive(Debug, Clone)]
pub struct Room {
    pub id: String,
    pub integration: String,
    pub name: String,
    pub status: &'static str,
    pub last_in: Option<Timestamp>,
    pub agent: Option<String>,
}

#[derive(Debug)]
pub struct State {
    pub tokens: Vec<String>,
    pub refreshes: Vec<String>,
    pub messages_url: Option<String>,
    pub flags: BTreeMap<String, bool>,
    pub rooms_url: Option<String>,
    /// By the customer's digits.
    pub rooms: HashMap<String, Room>,
    pub sent: Vec<Sent>,
    pub log: Vec<Logged>,
    pub files: HashMap<String, Vec<u8>>,
    /// Templates by id, with the number of their blanks.
    pub templates: HashMap<String, usize>,
    /// The next calls to send are answered with these.
    pub faults: Vec<u16>,
    /// Rooms tell of every change, as Mekari's own webhooks do; else only that they were resolved.
    pub tells_of_rooms: bool,
    /// Taps come with Meta's fragment, which holds the id.
    pub raw_messages: bool,
    pub undelivered: usize,
    /// Where `https://bot.example` is on this machine.
    pub server: Option<String>,
    ahead: SignedDuration,
    turn: usize,
    random: u64,
}

impl State {
    /// The next id of a sequence that depends on the seed only (SplitMix64).
    pub fn uuid(&mut self) -> String {
        let mut next = || {
            self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.random;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        let hex = format!("{:016x}{:016x}", next(), next());
        format!(
            "{}-{}-4{}-8{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..]
        )
    }

    /// An address of the world as it is on this machine.
    pub fn reach(&self, url: &str) -> String {
        let server = self.server.as_deref().unwrap_or("https://bot.example");
        url.replace("https://bot.example", server)
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::now() + self.ahead
    }

    /// Whose turn it is among the agents.
    pub fn next_agent(&mut self) -> String {
        self.turn += 1;
        AGENTS[(self.turn - 1) % AGENTS.len()].to_owned()
    }

    /// The customer's room, made if there is none.
    pub fn room_of(&mut self, phone: &str, name: &str, integration: &str) -> Room {
        if !self.rooms.contains_key(phone) {
            let room = Room {
                id: self.uuid(),
                integration: integration.to_owned(),
                name: name.to_owned(),
                status: "unassigned",
                last_in: None,
                agent: None,
            };
            self.rooms.insert(phone.to_owned(), room);
        }
        self.rooms[phone].clone()
    }

    pub fn is_open(&self, room: &Room) -> bool {
        room.last_in
            .is_some_and(|last| last.duration_until(self.now()) < SignedDuration::from_hours(24))
    }

    /// The room as webhooks show it.
    pub fn shown(&self, phone: &str) -> Value {
        let room = &self.rooms[phone];
        json!({
            "id": room.id, "name": room.name, "status": room.status, "type": "Models::CustomerServiceRoom",
            "channel": "wa_cloud", "channel_account": "Kopi Senja", "account_uniq_id": phone,
            "channel_integration_id": room.integration, "organization_id": "8102661e-93ef-40e8-b402-ef7db4737ce6",
            "session": if self.is_open(room) { "open" } else { "expired" },
            "session_at": room.last_in.map(|at| at.to_string()), "tags": [],
            "created_at": self.now().to_string(), "updated_at": self.now().to_string(),
            "resolved_at": (room.status == "resolved").then(|| self.now().to_string()),
        })
    }
}

#[derive(Debug)]
pub struct Inner {
    pub address: SocketAddr,
    state: Mutex<State>,
    changed: Notify,
    queue: mpsc::UnboundedSender<Hook>,
    pub client: reqwest::Client,
}

/// A webhook on its way: to the address of messages or of rooms.
#[derive(Debug)]
struct Hook {
    of_rooms: bool,
    body: Value,
}

impl Inner {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn touch(&self) {
        self.changed.notify_waiters();
    }

    /// Tells what happened to a message, if somebody wants to hear it.
    pub fn tell(&self, flag: &str, body: Value) {
        let wanted = self.state().flags.get(flag).copied().unwrap_or(false);
        if wanted {
            self.queue(false, body);
        }
    }

    fn queue(&self, of_rooms: bool, body: Value) {
        self.state().undelivered += 1;
        // The receiver lives as long as the double.
        let _ = self.queue.send(Hook { of_rooms, body });
    }

    /// Tells of a room that changed.
    pub fn tell_of_room(&self, phone: &str) {
        let (room, tells, url) = {
            let state = self.state();
            (
                state.shown(phone),
                state.tells_of_rooms,
                state.rooms_url.is_some(),
            )
        };
        let resolved = room["status"] == "resolved";
        if tells {
            let mut updated = room.clone();
            updated["data_event"] = json!("add_agent");
            self.queue(false, updated);
        }
        if resolved && url {
            self.queue(
                true,
                json!({ "service_name": "room", "event_name": "resolved", "room": room }),
            );
        }
        self.touch();
    }

    /// A message in a room as webhooks show it.
    pub fn message(&self, phone: &str, id: &str, event: &str, more: Value) -> Value {
        let state = self.state();
        let room = state.shown(phone);
        let mut message = json!({
            "webhook_event": "message_interaction", "data_event": event, "id": id, "room_id": room["id"],
            "organization_id": room["organization_id"], "room": room, "is_campaign": false, "local_id": null,
            "reply": null, "raw_message": null, "file": null, "status": "created", "created_at": state.now().to_string(),
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            message[name] = value.clone();
        }
        message
    }

    /// What a message of ours leads to: an echo, and its statuses.
    pub fn follow(&self, sent: &Sent, who: &str, text: &str) {
        let more = |status: &str| {
            let sender = if who == "bot" {
                "Models::SystemAccount"
            } else {
                "Models::User"
            };
            json!({ "participant_type": who, "sender_type": sender, "sender": { "name": who }, "type": "text",
                "text": text, "status": status })
        };
        let echo = self.message(&sent.to, &sent.id, "receive_message_from_agent", more("created"));
        self.tell("receive_message_from_agent", echo);
        for status in ["sent", "delivered"] {
            let told = self.message(&sent.to, &sent.id, "status_message", more(status));
            self.tell("status_message", told);
        }
    }

    async fn wait<T>(&self, wanted: impl Fn(&State) -> Option<T>) -> Option<T> {
        comes(&self.changed, || wanted(&self.state())).await
    }
}

/// Delivers webhooks in order, each until it is taken.
async fn deliver(mut hooks: mpsc::UnboundedReceiver<Hook>, inner: Arc<Inner>) {
    while let Some(hook) = hooks.recv().await {
        loop {
            let url = {
                let state = inner.state();
                let url = if hook.of_rooms {
                    &state.rooms_url
                } else {
                    &state.messages_url
                };
                url.as_ref().map(|url| state.reach(url))
            };
            let taken = match url {
                Some(url) => {
                    let answer = inner.client.post(url).json(&hook.body).send().await;
                    answer.is_ok_and(|answer| answer.status().is_success())
                }
                // Nobody wants it any more.
                None => true,
            };
            if taken {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        inner.state().undelivered -= 1;
        inner.touch();
    }
}

/// A running double. It stops when dropped.
#[derive(Debug)]
pub struct Double {
    pub inner: Arc<Inner>,
    /// They end with it.
    _tasks: JoinSet<()>,
}

impl Double {
    pub async fn start() -> Double {
        Double::seeded(7).await
    }

    pub async fn seeded(seed: u64) -> Double {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (queue, hooks) = mpsc::unbounded_channel();
        let state = State {
            tokens: vec![TOKEN.to_owned()],
            refreshes: Vec::new(),
            messages_url: None,
            flags: BTreeMap::new(),
            rooms_url: None,
            rooms: HashMap::new(),
            sent: Vec::new(),
            log: Vec::new(),
            files: HashMap::new(),
            templates: [(TEMPLATE.to_owned(), 2)].into(),
            faults: Vec::new(),
            tells_of_rooms: false,
            raw_messages: false,
            undelivered: 0,
            server: None,
            ahead: SignedDuration::ZERO,
            turn: 0,
            random: seed,
        };
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
        let inner = Arc::new(Inner {
            address,
            state: Mutex::new(state),
            changed: Notify::new(),
            queue,
            client: client.build().expect("a client"),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(serve::accept(listener, inner.clone()));
        tasks.spawn(deliver(hooks, inner.clone()));
        Double { inner, _tasks: tasks }
    }

    pub fn open_api(&self) -> String {
        format!("http://{}/api/open/v1", self.inner.address)
    }

    pub fn mekari_api(&self) -> String {
        format!("http://{}/qontak/chat/v1", self.inner.address)
    }

    pub fn token_url(&self) -> String {
        format!("http://{}/oauth/token", self.inner.address)
    }

    /// From now on webhooks go there, as if somebody had set them by hand.
    pub fn point_at(&self, url: &str) {
        let mut state = self.inner.state();
        state.messages_url = Some(url.to_owned());
        state.rooms_url = Some(url.to_owned());
        for flag in serve::FLAGS {
            state.flags.insert(flag.to_owned(), true);
        }
    }

    pub fn sent(&self) -> Vec<Sent> {
        self.inner.state().sent.clone()
    }

    pub fn log(&self) -> Vec<Logged> {
        self.inner.state().log.clone()
    }

    /// Waits until so many messages were accepted.
    pub async fn wait_for_sent(&self, count: usize) -> Vec<Sent> {
        self.until(&format!("{count} messages"), |state| {
            (state.sent.len() >= count).then(|| state.sent.clone())
        })
        .await
    }

    pub async fn until<T>(&self, what: &str, wanted: impl Fn(&State) -> Option<T>) -> T {
        match self.inner.wait(wanted).await {
            Some(found) => found,
            None => panic!("waited in vain for {what}: {:#?}", self.inner.state()),
        }
    }

    /// Waits until every webhook was taken.
    pub async fn settled(&self) {
        self.until("webhooks to be taken", |state| {
            (state.undelivered == 0).then_some(())
        })
        .await;
    }

    pub fn advance(&self, by: Duration) {
        let by = SignedDuration::try_from(by).expect("a short time");
        self.inner.state().ahead += by;
    }

    pub fn room(&self, phone: &str) -> Room {
        self.inner.state().rooms[phone].clone()
    }

    pub fn customer(&self, phone: &str) -> Customer {
        Customer {
            inner: self.inner.clone(),
            phone: phone.to_owned(),
            integration: INTEGRATION.to_owned(),
        }
    }

    /// An agent writes in the customer's room, and has it from then on.
    pub fn agent_says(&self, phone: &str, text: &str) {
        let sent = {
            let mut state = self.inner.state();
            let id = state.uuid();
            let agent = state.next_agent();
            let room = state.rooms.get_mut(phone).expect("a room");
            room.status = "assigned";
            room.agent = Some(agent);
            let (room, to) = (room.id.clone(), phone.to_owned());
            Sent {
                id,
                room,
                to,
                kind: "text".to_owned(),
                body: json!({ "text": text }),
            }
        };
        self.inner.follow(&sent, "agent", text);
        self.inner.tell_of_room(phone);
    }

    /// Somebody in the inbox changes a room: `assigned`, `unassigned` or `resolved`.
    pub fn set_status(&self, phone: &str, status: &'static str) {
        self.inner.state().rooms.get_mut(phone).expect("a room").status = status;
        self.inner.tell_of_room(phone);
    }
}

/// A customer of one number.
#[derive(Debug, Clone)]
pub struct Customer {
    inner: Arc<Inner>,
    phone: String,
    integration: String,
}

impl Customer {
    /// Of another number of the organisation.
    pub fn of(mut self, integration: &str) -> Customer {
        integration.clone_into(&mut self.integration);
        self
    }

    pub fn says(&self, text: &str) -> String {
        self.sends(json!({ "type": "text", "text": text }))
    }

    /// Taps what the last message with options offers under this title.
    pub fn taps(&self, title: &str) -> String {
        let (option, raw) = {
            let state = self.inner.state();
            let offered = state.sent.iter().rev().filter(|sent| sent.to == self.phone);
            let found = offered.flat_map(Sent::options).find(|(_, shown)| shown == title);
            (
                found.unwrap_or_else(|| panic!("nobody offered {title:?}")),
                state.raw_messages,
            )
        };
        let mut tap = json!({ "type": "text", "text": title });
        if raw {
            let reply = json!({ "id": option.0, "title": title });
            let message = json!({ "type": "interactive", "from": self.phone,
                "interactive": { "type": "button_reply", "button_reply": reply } });
            tap["raw_message"] = json!({ "messaging_product": "whatsapp", "messages": [message] });
        }
        self.sends(tap)
    }

    pub fn sends_voice(&self, bytes: &[u8]) -> String {
        let name = {
            let mut state = self.inner.state();
            let name = format!("{}.ogg", state.uuid());
            state.files.insert(name.clone(), bytes.to_vec());
            name
        };
        let url = format!("http://{}/files/{name}", self.inner.address);
        self.sends(json!({ "type": "voice", "text": null,
            "file": { "url": url, "filename": name, "size": bytes.len() } }))
    }

    /// Sends a message of any kind.
    pub fn sends(&self, content: Value) -> String {
        let id = {
            let mut state = self.inner.state();
            state.room_of(&self.phone, "Sari", &self.integration);
            let now = state.now();
            let id = state.uuid();
            let room = state.rooms.get_mut(&self.phone).expect("it was made");
            room.last_in = Some(now);
            if room.status == "resolved" {
                room.status = "unassigned";
            }
            id
        };
        let mut message = self.inner.message(
            &self.phone,
            &id,
            "receive_message_from_customer",
            json!({ "participant_type": "customer", "sender_type": "Models::Contact", "sender": { "name": "Sari" } }),
        );
        for (name, value) in content.as_object().into_iter().flatten() {
            message[name] = value.clone();
        }
        self.inner.tell("receive_message_from_customer", message);
        id
    }
}

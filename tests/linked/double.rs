//! A double of a server of linked devices on loopback, the phones beside it, and their customers. It speaks what
//! docs/linked.md says, in WAHA's words alone or with those of Switchboard's own companion besides. It shares no code with
//! the product. How long a code is good, and what an ack follows, are its own choice.
//!
//! | call, each with the key | answer |
//! |---|---|
//! | `GET`, `POST`, `PUT /api/sessions…`, `…/start`, `/stop`, `/restart`, `/logout` | the session |
//! | `GET /api/{session}/auth/qr?format=raw` | the code that is good now; 422 while there is none |
//! | `POST /api/sendText`, `/sendImage`, `/sendVideo`, `/sendVoice`, `/sendFile`, `/sendLocation` | to one customer |
//! | `POST /api/sendSeen`, `/startTyping`, `/stopTyping` | taken |
//! | `GET /api/{session}/chats/{chat}/messages/{id}` | how far a message has come |
//! | `GET /api/files/{name}` | a customer's file |
//!
//! Everything sent comes back over the webhook, then its acks. Webhooks are signed, delivered one after the other, and
//! repeated until they are taken. All that was received is kept for tests to read.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha512;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::loopback::{PATIENCE, comes};
use super::serve;

pub const KEY: &str = "double-linked-key";
pub const SESSION: &str = "main";

/// A message the double took.
#[derive(Debug, Clone)]
pub struct Sent {
    pub id: String,
    pub chat: String,
    /// `sendText`, `sendImage`, …
    pub path: String,
    pub body: Value,
    /// The digits of the number it left from.
    pub from: String,
}

impl Sent {
    /// As it looks on the customer's screen.
    pub fn shown(&self) -> String {
        match self.path.as_str() {
            "sendText" => self.body["text"].as_str().unwrap_or_default().to_owned(),
            other => format!("({other}) {}", self.body["caption"].as_str().unwrap_or_default()),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Logged {
    /// Who the caller says is at work.
    pub actor: String,
    pub line: String,
    pub body: Value,
    pub answered: u16,
}

/// One session.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// `STOPPED`, `STARTING`, `SCAN_QR_CODE`, `WORKING`, `FAILED`.
    pub status: &'static str,
    /// The companion's finer word, if it speaks so.
    pub state: &'static str,
    pub reason: String,
    pub me: Option<String>,
    pub config: Value,
    pub code: Option<String>,
    pub generation: u64,
}

#[derive(Debug, Default)]
pub struct State {
    pub session: Option<Session>,
    /// It has Switchboard's own words as well.
    pub ours: bool,
    pub sent: Vec<Sent>,
    /// How far each message has come, by its id.
    pub acks: HashMap<String, i64>,
    pub log: Vec<Logged>,
    pub files: HashMap<String, Vec<u8>>,
    /// The next sends are answered with these.
    pub faults: Vec<(u16, Value)>,
    /// What is sent gets no further than the server.
    pub holds_acks: bool,
    pub undelivered: usize,
    /// Where `https://bot.example` is on this machine.
    pub server: Option<String>,
    /// The next login is of this phone, without a code: the device is linked still.
    pub linked: Option<String>,
    next: u64,
}

impl State {
    pub fn id(&mut self) -> String {
        self.next += 1;
        format!("3EB0C0FFEE{:08X}", self.next)
    }

    pub fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("a session")
    }

    /// The session as it is told.
    pub fn shown(&self) -> Option<Value> {
        let session = self.session.as_ref()?;
        let me = session
            .me
            .as_ref()
            .map(|digits| json!({ "id": format!("{digits}@c.us"), "pushName": "Kopi Senja" }));
        let mut shown = json!({ "name": SESSION, "status": session.status, "me": me, "config": session.config,
            "engine": { "engine": "DOUBLE" } });
        if self.ours {
            shown["link"] = json!({ "state": session.state, "since": "2026-11-26T01:00:00Z",
                "reason": session.reason, "next_action": "", "generation": session.generation });
        }
        Some(shown)
    }
}

#[derive(Debug)]
pub struct Inner {
    pub address: SocketAddr,
    state: Mutex<State>,
    changed: Notify,
    queue: mpsc::UnboundedSender<Value>,
    client: reqwest::Client,
}

impl Inner {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn touch(&self) {
        self.changed.notify_waiters();
    }

    /// Tells what happened, if the session has a webhook that wants to hear it.
    pub fn tell(&self, event: &str, payload: Value) {
        let me = {
            let mut state = self.state();
            let Some(session) = &state.session else { return };
            let hook = &session.config["webhooks"][0];
            let wanted = hook["events"]
                .as_array()
                .is_some_and(|events| events.iter().any(|one| one == event || one == "*"));
            let me = session.me.clone();
            if !wanted {
                return;
            }
            state.undelivered += 1;
            me
        };
        let me = me.map(|digits| json!({ "id": format!("{digits}@c.us"), "pushName": "Kopi Senja" }));
        let body = json!({ "id": "evt_1", "timestamp": Timestamp::now().as_millisecond(), "event": event,
            "session": SESSION, "me": me, "payload": payload, "engine": "DOUBLE" });
        // The receiver lives as long as the double.
        let _ = self.queue.send(body);
    }

    /// A session in another state.
    pub fn becomes(&self, status: &'static str, state: &'static str, reason: &str) {
        let told = {
            let mut all = self.state();
            let ours = all.ours;
            let session = all.session();
            (session.status, session.state) = (status, state);
            reason.clone_into(&mut session.reason);
            let mut told = json!({ "name": SESSION, "status": status });
            if ours {
                told["link"] = all.shown().expect("a session")["link"].clone();
            }
            told
        };
        self.tell("session.status", told);
        self.touch();
    }

    /// A code for the camera, or the connection itself where the phone is linked still.
    pub fn starts(&self) {
        self.becomes("STARTING", "starting", "");
        let linked = {
            let mut state = self.state();
            let linked = state.linked.clone();
            let code = format!("2@code-{},noise,identity,secret,1", state.id());
            let session = state.session();
            session.me.clone_from(&linked);
            session.code = linked.is_none().then_some(code);
            linked
        };
        match linked {
            Some(_) => self.becomes("WORKING", "connected", "the link was kept"),
            None => self.becomes("SCAN_QR_CODE", "awaiting_scan", ""),
        }
    }

    /// What a message leads to: it comes back, then its acks.
    pub fn follow(&self, sent: &Sent) {
        let echo = json!({ "id": sent.id, "timestamp": Timestamp::now().as_second(), "fromMe": true, "source": "api",
            "from": format!("{}@c.us", sent.from), "to": sent.chat, "body": sent.shown(), "hasMedia": false });
        self.tell("message.any", echo);
        let last = if self.state().holds_acks { 1 } else { 2 };
        for ack in 1..=last {
            self.state().acks.insert(sent.id.clone(), ack);
            self.tell(
                "message.ack",
                json!({ "id": sent.id, "from": sent.chat, "fromMe": true, "ack": ack, "ackName": "…" }),
            );
        }
    }

    async fn wait<T>(&self, wanted: impl Fn(&State) -> Option<T>) -> Option<T> {
        comes(&self.changed, || wanted(&self.state())).await
    }
}

/// As the header has it.
pub fn signature_of(key: &str, raw: &[u8]) -> String {
    let mut mac = Hmac::<Sha512>::new_from_slice(key.as_bytes()).expect("any key");
    mac.update(raw);
    let hash = mac.finalize().into_bytes();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Delivers webhooks in order, each until it is taken.
async fn deliver(mut hooks: mpsc::UnboundedReceiver<Value>, inner: Arc<Inner>) {
    while let Some(body) = hooks.recv().await {
        let raw = body.to_string();
        loop {
            let hook = {
                let state = inner.state();
                let hook = state
                    .session
                    .as_ref()
                    .map(|session| session.config["webhooks"][0].clone());
                let server = state
                    .server
                    .clone()
                    .unwrap_or_else(|| "https://bot.example".to_owned());
                hook.and_then(|hook| {
                    let url = hook["url"].as_str()?.replace("https://bot.example", &server);
                    Some((url, hook["hmac"]["key"].as_str().unwrap_or_default().to_owned()))
                })
            };
            let taken = match hook {
                Some((url, key)) => {
                    let request = inner
                        .client
                        .post(url)
                        .header("content-type", "application/json")
                        .header("x-webhook-hmac", signature_of(&key, raw.as_bytes()))
                        .header("x-webhook-hmac-algorithm", "sha512")
                        .header("x-webhook-request-id", "01")
                        .body(raw.clone());
                    request
                        .send()
                        .await
                        .is_ok_and(|answer| answer.status().is_success())
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
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (queue, hooks) = mpsc::unbounded_channel();
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
        let inner = Arc::new(Inner {
            address,
            state: Mutex::new(State::default()),
            changed: Notify::new(),
            queue,
            client: client.build().expect("a client"),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(serve::accept(listener, inner.clone()));
        tasks.spawn(deliver(hooks, inner.clone()));
        Double { inner, _tasks: tasks }
    }

    /// With the words of Switchboard's own companion.
    pub async fn ours() -> Double {
        let double = Double::start().await;
        double.inner.state().ours = true;
        double
    }

    pub fn base_url(&self) -> String {
        format!("http://{}", self.inner.address)
    }

    /// The phone with this number scans the code that is shown, as it was read.
    pub fn scans(&self, digits: &str, code: &str) -> bool {
        let good = {
            let mut state = self.inner.state();
            let session = state.session();
            let good = session.code.as_deref() == Some(code);
            if good {
                session.code = None;
                session.me = Some(digits.to_owned());
                session.generation += 1;
                state.linked = Some(digits.to_owned());
            }
            good
        };
        if good {
            self.inner.becomes("STARTING", "linking", "");
            self.inner.becomes("WORKING", "connected", "paired by QR");
        }
        good
    }

    /// Waits for a code and scans it.
    pub async fn scans_what_is_shown(&self, digits: &str) {
        let code = self
            .until("a code", |state| state.session.as_ref()?.code.clone())
            .await;
        assert!(self.scans(digits, &code));
    }

    /// Somebody removes the device on the phone.
    pub fn unlinks(&self) {
        self.inner.state().linked = None;
        self.inner.state().session().me = None;
        self.inner.becomes("FAILED", "logged_out", "removed on the phone");
    }

    pub fn sent(&self) -> Vec<Sent> {
        self.inner.state().sent.clone()
    }

    pub fn log(&self) -> Vec<Logged> {
        self.inner.state().log.clone()
    }

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

    pub fn customer(&self, digits: &str) -> Customer {
        Customer {
            inner: self.inner.clone(),
            chat: format!("{digits}@c.us"),
            other: None,
        }
    }

    /// The owner of the phone types into a customer's chat.
    pub fn types_on_the_phone(&self, digits: &str, text: &str) {
        let (id, me) = {
            let mut state = self.inner.state();
            (state.id(), state.session().me.clone().unwrap_or_default())
        };
        let chat = format!("{digits}@c.us");
        self.inner.tell(
            "message.any",
            json!({ "id": format!("true_{chat}_{id}"), "timestamp": Timestamp::now().as_second(), "fromMe": true,
                "source": "app", "from": format!("{me}@c.us"), "to": chat, "body": text, "hasMedia": false }),
        );
    }
}

/// A customer, under one of the two names that the server may use.
#[derive(Debug, Clone)]
pub struct Customer {
    inner: Arc<Inner>,
    chat: String,
    other: Option<String>,
}

impl Customer {
    /// Under the hidden id; `number` if the server knows what stands behind it.
    pub fn hidden(&self, id: &str, number: Option<&str>) -> Customer {
        Customer {
            inner: self.inner.clone(),
            chat: format!("{id}@lid"),
            other: number.map(|digits| format!("{digits}@s.whatsapp.net")),
        }
    }

    pub fn says(&self, text: &str) {
        self.sends(json!({ "body": text }));
    }

    pub fn sends_voice(&self, bytes: &[u8]) {
        let name = {
            let mut state = self.inner.state();
            let name = format!("{}.oga", state.id());
            state.files.insert(name.clone(), bytes.to_vec());
            name
        };
        // It calls itself by a name that is good on its own machine alone.
        let url = format!("http://localhost:3000/api/files/{name}");
        self.sends(json!({ "body": "", "hasMedia": true,
            "media": { "url": url, "mimetype": "audio/ogg; codecs=opus", "filename": null, "error": null } }));
    }

    /// Sends a message of any kind; told of twice, as servers do where both events are wanted.
    pub fn sends(&self, content: Value) {
        let id = self.inner.state().id();
        let mut message = json!({ "id": format!("false_{}_{id}", self.chat), "timestamp": Timestamp::now().as_second(),
            "from": self.chat, "fromMe": false, "source": "app", "body": "", "hasMedia": false, "media": null,
            "_data": { "pushName": "Sari", "key": { "remoteJidAlt": self.other } } });
        for (name, value) in content.as_object().into_iter().flatten() {
            message[name] = value.clone();
        }
        self.inner.tell("message", message.clone());
        self.inner.tell("message.any", message);
    }
}

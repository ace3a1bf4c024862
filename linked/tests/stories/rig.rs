//! What the stories need: a stand-in, a companion that is the real executable, and an ear for its webhooks.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use linked_fake::StandIn;
use serde_json::{Value, json};
use switchboard_linked::webhooks::signature;
use tempfile::TempDir;
use tokio::sync::watch;

pub const LIMIT: Duration = Duration::from_secs(20);
pub const KEY: &str = "a key for tests, 0123456789";
pub const HOOK_KEY: &str = "a key for webhooks";
pub const SARI: &str = "6281100000022";

/// A companion in a process of its own.
pub struct Companion {
    child: Child,
    pub url: String,
    pub log: Arc<Mutex<String>>,
}

/// Hears webhooks, and takes them or does not.
pub struct Ear {
    pub url: String,
    heard: Arc<Hearing>,
}

struct Hearing {
    events: Mutex<Vec<Value>>,
    unsigned: Mutex<Vec<String>>,
    deaf: Mutex<bool>,
    changes: watch::Sender<usize>,
}

pub struct Rig {
    pub stand_in: StandIn,
    pub ear: Ear,
    pub data: TempDir,
    pub companion: Companion,
}

impl Companion {
    pub fn start(data: &Path, stand_in: &StandIn, set: &[(&str, &str)]) -> Self {
        let mut command = Self::command(data, stand_in);
        for (name, value) in set {
            command.env(name, value);
        }
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (errors, kept) = (child.stderr.take().unwrap(), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = lines.next().and_then(Result::ok).unwrap_or_default();
        let url = said.strip_prefix("listening on ").unwrap_or_else(|| {
            let _ = child.wait();
            panic!("the companion did not listen: {}", log.lock().unwrap())
        });
        Self {
            url: url.to_owned(),
            child,
            log,
        }
    }

    pub fn command(data: &Path, stand_in: &StandIn) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard-linked"));
        command
            .args([
                "--listen",
                "127.0.0.1:0",
                "--loopback-server",
                &stand_in.url(),
                "--data",
            ])
            .arg(data)
            .env("LINKED_API_KEY", KEY)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// As `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As a service manager ends it; gives the exit code.
    pub fn end(&mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code()
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the companion said ---\n{}", self.log.lock().unwrap());
        }
    }
}

impl Ear {
    pub async fn start() -> Self {
        let heard = Arc::new(Hearing {
            events: Mutex::default(),
            unsigned: Mutex::default(),
            deaf: Mutex::new(false),
            changes: watch::Sender::new(0),
        });
        let app = Router::new()
            .route("/webhook/main", post(hear))
            .with_state(Arc::clone(&heard));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhook/main", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, heard }
    }

    /// From now on webhooks are answered 503.
    pub fn be_deaf(&self, deaf: bool) {
        *self.heard.deaf.lock().unwrap() = deaf;
    }

    pub fn unsigned(&self) -> Vec<String> {
        self.heard.unsigned.lock().unwrap().clone()
    }

    pub fn all(&self, event: &str) -> Vec<Value> {
        self.heard
            .events
            .lock()
            .unwrap()
            .iter()
            .filter(|heard| heard["event"] == event)
            .cloned()
            .collect()
    }

    /// The payload of the first event that fits.
    pub async fn hears(&self, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.hears_within(LIMIT, event, fits).await
    }

    pub async fn hears_within(&self, limit: Duration, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let mut changes = self.heard.changes.subscribe();
        let waiting = async {
            loop {
                changes.borrow_and_update();
                if let Some(found) = self.all(event).into_iter().find(|heard| fits(&heard["payload"])) {
                    return found["payload"].clone();
                }
                changes.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(limit, waiting).await {
            Ok(found) => found,
            Err(_) => panic!(
                "no {event} that fits in {limit:?}; heard {:#?}",
                self.heard.events.lock().unwrap()
            ),
        }
    }

    pub async fn hears_text(&self, text: &str) -> Value {
        self.hears("message.any", |payload| payload["body"] == text).await
    }
}

async fn hear(State(heard): State<Arc<Hearing>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if *heard.deaf.lock().unwrap() {
        heard.changes.send_modify(|count| *count += 1);
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let text = String::from_utf8(body.to_vec()).unwrap();
    let signed = headers
        .get("x-webhook-hmac")
        .is_some_and(|given| given == &signature(HOOK_KEY, &text))
        && headers
            .get("x-webhook-hmac-algorithm")
            .is_some_and(|name| name == "sha512");
    if !signed {
        heard.unsigned.lock().unwrap().push(text.clone());
    }
    heard
        .events
        .lock()
        .unwrap()
        .push(serde_json::from_str(&text).unwrap());
    heard.changes.send_modify(|count| *count += 1);
    StatusCode::OK
}

impl Rig {
    pub async fn start() -> Self {
        let rig = Self::bare().await;
        let body = json!({"name": "main", "config": rig.config()});
        let (status, answer) = rig.post("/api/sessions", body).await;
        assert_eq!(status, 201, "{answer}");
        rig
    }

    /// A rig without a session.
    pub async fn bare() -> Self {
        let stand_in = StandIn::start().await.unwrap();
        let data = tempfile::tempdir().unwrap();
        let companion = Companion::start(&data.path().join("data"), &stand_in, &[]);
        Self {
            stand_in,
            ear: Ear::start().await,
            data,
            companion,
        }
    }

    /// A rig whose device is linked and connected.
    pub async fn linked() -> Self {
        let rig = Self::start().await;
        rig.link().await;
        rig
    }

    pub fn config(&self) -> Value {
        let events = [
            "message.any",
            "message.ack",
            "message.reaction",
            "message.edited",
            "message.revoked",
            "message.waiting",
            "session.status",
        ];
        json!({ "webhooks": [{ "url": self.ear.url, "events": events, "hmac": { "key": HOOK_KEY } }] })
    }

    pub fn folder(&self) -> PathBuf {
        self.data.path().join("data")
    }

    /// Shows a code, scans it with the owner's phone, and waits for the login.
    pub async fn link(&self) -> String {
        let code = self.code().await;
        self.stand_in.phone().scan(&code).await.unwrap();
        self.until("connected").await;
        code
    }

    /// The code that is good now.
    pub async fn code(&self) -> String {
        let start = Instant::now();
        loop {
            let (status, answer) = self.get("/api/main/auth/qr?format=raw").await;
            if status == 200 {
                return answer["value"].as_str().unwrap().to_owned();
            }
            assert!(start.elapsed() < LIMIT, "no code: {answer}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits for the state; gives the session.
    pub async fn until(&self, state: &str) -> Value {
        self.until_that(state, |session| session["link"]["state"] == state)
            .await
    }

    pub async fn until_that(&self, what: &str, good: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let session = self.session().await;
            if good(&session) {
                return session;
            }
            assert!(
                start.elapsed() < LIMIT,
                "not {what}: {session:#}\nthe stand-in: {:?} {:?}",
                self.stand_in.faults().await,
                self.stand_in.counted().await
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn session(&self) -> Value {
        let (status, session) = self.get("/api/sessions/main").await;
        assert_eq!(status, 200, "{session}");
        session
    }

    pub async fn start_session(&self) {
        let (status, answer) = self.post("/api/sessions/main/start", json!({})).await;
        assert_eq!(status, 201, "{answer}");
    }

    /// Sends a text; gives its bare id.
    pub async fn say(&self, chat: &str, text: &str) -> String {
        let (status, answer) = self.try_say(chat, text).await;
        assert_eq!(status, 201, "{answer}\n{:?}", self.stand_in.faults().await);
        answer["id"]
            .as_str()
            .unwrap()
            .rsplit('_')
            .next()
            .unwrap()
            .to_owned()
    }

    pub async fn try_say(&self, chat: &str, text: &str) -> (u16, Value) {
        self.post(
            "/api/sendText",
            json!({"session": "main", "chatId": chat, "text": text}),
        )
        .await
    }

    /// One exchange, asserted by its words on both sides.
    pub async fn exchange(&self, question: &str, answer: &str) {
        let sari = self.stand_in.customer(SARI, "Sari").await.unwrap();
        sari.says(question).await.unwrap();
        let heard = self.ear.hears_text(question).await;
        assert_eq!(heard["from"], format!("{SARI}@c.us"));
        self.say(&format!("{SARI}@c.us"), answer).await;
        assert_eq!(sari.hears(LIMIT).await.unwrap().text, answer);
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.ask("GET", path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask("POST", path, Some(body), &[]).await
    }

    pub async fn ask(
        &self,
        method: &'static str,
        path: &str,
        body: Option<Value>,
        headers: &[(&'static str, &str)],
    ) -> (u16, Value) {
        let headers: Vec<(&str, String)> = headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        let url = format!("{}{path}", self.companion.url);
        tokio::task::spawn_blocking(move || {
            let agent: ureq::Agent = ureq::Agent::config_builder()
                .timeout_global(Some(Duration::from_secs(40)))
                .http_status_as_error(false)
                .build()
                .into();
            let mut request = ureq::http::Request::builder().method(method).uri(url);
            if !headers.iter().any(|(name, _)| *name == "x-api-key") {
                request = request.header("x-api-key", KEY);
            }
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let body = body.map(|body| body.to_string()).unwrap_or_default();
            let request = request
                .header("content-type", "application/json")
                .body(body)
                .unwrap();
            let mut answer = agent.run(request).unwrap();
            let mut text = String::new();
            answer.body_mut().as_reader().read_to_string(&mut text).unwrap();
            let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
            (answer.status().as_u16(), value)
        })
        .await
        .unwrap()
    }
}

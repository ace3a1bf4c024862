//! A stand-in of an endpoint that speaks OpenAI's language of chat completions: it writes what a test wants, one reply
//! after the other, and keeps what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::loopback;

/// What it does when it is asked next.
#[derive(Debug, Clone)]
pub enum Writes {
    /// Goes into the message of a completion as it stands.
    Text(String),
    Status(u16),
    /// A body that is no completion.
    Raw(String),
    /// Nothing, for as long as anybody waits.
    Nothing,
}

#[derive(Debug, Default)]
struct Said {
    next: VecDeque<Writes>,
    asked: Vec<(Option<String>, Value)>,
    /// The same of questions for a topic; without one of these it knows none.
    sorts: VecDeque<Writes>,
    sorted: Vec<Value>,
    /// The same of drafts; without one of these it has nothing useful.
    drafts: VecDeque<Writes>,
    drafted: Vec<Value>,
    /// What it replies and drafts once nothing of the above is left.
    goes_on: Option<(Writes, Writes)>,
}

#[derive(Debug, Clone, Default)]
pub struct Oracle {
    said: Arc<Mutex<Said>>,
    changed: Arc<Notify>,
    address: String,
}

impl Oracle {
    pub async fn start() -> Oracle {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address").to_string();
        let oracle = Oracle {
            address,
            ..Oracle::default()
        };
        let router = Router::new()
            .route("/v1/chat/completions", post(complete))
            .with_state(oracle.clone());
        tokio::spawn(loopback::serve(listener, router));
        oracle
    }

    /// The `url` of an `[ai]` table.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub fn writes(&self, writes: Writes) {
        self.said.lock().expect("whole").next.push_back(writes);
    }

    /// One JSON object, as the prompt asks for.
    pub fn replies(&self, reply: &Value) {
        self.writes(Writes::Text(reply.to_string()));
    }

    /// What it writes when it is asked for the topic of a message.
    pub fn sorts(&self, writes: Writes) {
        self.said.lock().expect("whole").sorts.push_back(writes);
    }

    /// The messages whose topic it was asked for.
    pub fn sorted(&self) -> Vec<Value> {
        self.said.lock().expect("whole").sorted.clone()
    }

    /// What it writes when it is asked for a draft.
    pub fn drafts(&self, writes: Writes) {
        self.said.lock().expect("whole").drafts.push_back(writes);
    }

    /// What it replies, and what it drafts, from now on.
    pub fn goes_on(&self, reply: Writes, draft: Writes) {
        self.said.lock().expect("whole").goes_on = Some((reply, draft));
    }

    /// What it was asked for the `n`th draft, from 0.
    pub async fn drafted(&self, n: usize) -> Value {
        let look = || self.said.lock().expect("whole").drafted.get(n).cloned();
        loopback::comes(&self.changed, look)
            .await
            .unwrap_or_else(|| panic!("it was asked for only {} drafts", self.drafts_asked()))
    }

    pub fn drafts_asked(&self) -> usize {
        self.said.lock().expect("whole").drafted.len()
    }

    /// What it was asked the `n`th time, from 0: the bearer token and the body.
    pub async fn asked(&self, n: usize) -> (Option<String>, Value) {
        let look = || self.said.lock().expect("whole").asked.get(n).cloned();
        loopback::comes(&self.changed, look)
            .await
            .unwrap_or_else(|| panic!("it was asked only {} times", self.count()))
    }

    pub fn count(&self) -> usize {
        self.said.lock().expect("whole").asked.len()
    }
}

async fn complete(State(oracle): State<Oracle>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let token = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let next = {
        let mut said = oracle.said.lock().expect("whole");
        let rules = body["messages"][0]["content"].as_str().unwrap_or_default();
        if rules.starts_with("You sort") {
            said.sorted.push(body);
            let none = || Writes::Text(json!({ "topic": null }).to_string());
            Some(said.sorts.pop_front().unwrap_or_else(none))
        } else if rules.starts_with("You draft") {
            said.drafted.push(body);
            let goes_on = said.goes_on.clone().map(|(_, draft)| draft);
            let none = || Writes::Text(json!({ "kind": "nothing" }).to_string());
            let next = said.drafts.pop_front().or(goes_on);
            Some(next.unwrap_or_else(none))
        } else {
            said.asked.push((token, body));
            let goes_on = said.goes_on.clone().map(|(reply, _)| reply);
            said.next.pop_front().or(goes_on)
        }
    };
    oracle.changed.notify_waiters();
    match next.unwrap_or(Writes::Status(500)) {
        Writes::Text(content) => Json(json!({
            "id": "completion-1", "object": "chat.completion",
            "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": content } }],
        }))
        .into_response(),
        Writes::Status(status) => StatusCode::from_u16(status).expect("a status").into_response(),
        Writes::Raw(body) => body.into_response(),
        Writes::Nothing => std::future::pending().await,
    }
}

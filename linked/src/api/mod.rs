//! The HTTP side: who may ask, which session is meant, and what the answers look like.

mod refusal;
mod sending;
mod sessions;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::RwLock;

use crate::instance::{House, Instance};
use refusal::Refusal;

/// A file of 64 MB and what base64 adds to it.
const LARGEST_BODY: usize = 90 * 1024 * 1024;

/// The sessions of this server.
#[derive(Clone)]
pub struct Sessions {
    pub house: House,
    open: Arc<RwLock<BTreeMap<String, Arc<Instance>>>>,
    key: [u8; 32],
}

impl Sessions {
    pub fn new(house: House, key: &str) -> Self {
        Self {
            house,
            open: Arc::default(),
            key: Sha256::digest(key.as_bytes()).into(),
        }
    }

    /// Opens the sessions that have a folder. The first that cannot be opened ends it.
    pub async fn restore(&self) -> anyhow::Result<()> {
        for name in crate::place::known(&self.house.data)? {
            let instance = Instance::open(&self.house, &name, None).await?;
            self.open.write().await.insert(name, Arc::new(instance));
        }
        Ok(())
    }

    /// Disconnects all of them.
    pub async fn close(&self) {
        for instance in self.open.read().await.values() {
            instance.close().await;
        }
    }

    async fn named(&self, name: &str) -> Result<Arc<Instance>, Refusal> {
        self.open.read().await.get(name).cloned().ok_or_else(|| {
            Refusal::new(
                StatusCode::NOT_FOUND,
                format!("there is no session {name:?}; make it with POST /api/sessions"),
            )
        })
    }
}

pub fn router(sessions: Sessions) -> Router {
    let guarded = Router::new()
        .route("/api/sessions", get(sessions::list).post(sessions::create))
        .route(
            "/api/sessions/{name}",
            get(sessions::show).put(sessions::configure),
        )
        .route("/api/sessions/{name}/start", post(sessions::start))
        .route("/api/sessions/{name}/stop", post(sessions::stop))
        .route("/api/sessions/{name}/restart", post(sessions::restart))
        .route("/api/sessions/{name}/logout", post(sessions::logout))
        .route("/api/sessions/{name}/audit", get(sessions::audit))
        .route("/api/{name}/auth/qr", get(sessions::code))
        .route(
            "/api/{name}/chats/{chat}/messages/{message}",
            get(sending::message),
        )
        .route("/api/files/{name}/{message}", get(sending::file))
        .route("/api/sendText", post(sending::text))
        .route("/api/sendImage", post(sending::image))
        .route("/api/sendVideo", post(sending::video))
        .route("/api/sendFile", post(sending::document))
        .route("/api/sendVoice", post(sending::voice))
        .route("/api/sendLocation", post(sending::location))
        .route("/api/reaction", axum::routing::put(sending::reaction))
        .route("/api/sendSeen", post(sending::seen))
        .route("/api/startTyping", post(sending::start_typing))
        .route("/api/stopTyping", post(sending::stop_typing))
        .fallback(unknown)
        .layer(middleware::from_fn_with_state(sessions.clone(), guard))
        .layer(DefaultBodyLimit::max(LARGEST_BODY));
    Router::new()
        .route(
            "/ping",
            get(|| async { axum::Json(serde_json::json!({ "message": "pong" })) }),
        )
        .merge(guarded)
        .with_state(sessions)
}

async fn unknown() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "this server has no such address; docs/linked.md lists what it answers",
    )
}

/// Nothing is answered without the key, and no answer is kept by anything in between.
async fn guard(State(sessions): State<Sessions>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get("x-api-key")
        .map(|key| Sha256::digest(key.as_bytes()));
    let good = given.is_some_and(|given| bool::from(given.as_slice().ct_eq(&sessions.key)));
    let mut response = if good {
        next.run(request).await
    } else {
        Refusal::new(
            StatusCode::UNAUTHORIZED,
            "the header X-Api-Key does not carry this server's key",
        )
        .into_response()
    };
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    response
}

/// Who asks, for the audit: a name that the caller gives, kept short and printable.
fn who(headers: &HeaderMap) -> String {
    let named = headers
        .get("x-actor")
        .and_then(|name| name.to_str().ok())
        .map(str::trim)
        .unwrap_or_default();
    let named: String = named
        .chars()
        .filter(|letter| !letter.is_control())
        .take(80)
        .collect();
    if named.is_empty() {
        "the holder of the API key".to_owned()
    } else {
        named
    }
}

//! Whether this process lives, and whether it can take webhooks: for whatever starts, restarts and balances it. Words for
//! people, JSON where it is asked for.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::future::select_ok;
use serde_json::{Value, json};

use crate::server::parts::Shared;
use crate::store::ContactId;

/// How long `/readyz` waits for the store.
const READY_WITHIN: Duration = Duration::from_secs(1);
/// In so many places of a store of several servers it is seen whether any of them answers.
const ASKED: u8 = 16;

/// `/healthz` and `/readyz`.
pub(in crate::server) fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .with_state(shared)
}

/// Answers while the process can answer at all: no reason to restart it, whatever the store does.
async fn alive(headers: HeaderMap) -> Response {
    let whole = json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") });
    said(&headers, StatusCode::OK, "ok", whole)
}

/// Whether webhooks can be taken now.
async fn ready(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let readiness = readiness(&shared).await;
    let status = match readiness {
        Readiness::Ready => StatusCode::OK,
        Readiness::Stopping | Readiness::StoreFails | Readiness::StoreSilent => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    let words = readiness.words();
    let whole = json!({ "status": readiness.code(), "says": words, "store": shared.store.promises().store });
    said(&headers, status, words, whole)
}

/// Whether webhooks can be taken, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Readiness {
    Ready,
    /// It was asked to stop: no new work.
    Stopping,
    /// The store answers with an error.
    StoreFails,
    StoreSilent,
}

impl Readiness {
    /// The same in all versions.
    pub fn code(self) -> &'static str {
        match self {
            Readiness::Ready => "ready",
            Readiness::Stopping => "stopping",
            Readiness::StoreFails => "store_fails",
            Readiness::StoreSilent => "store_silent",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Readiness::Ready => "ready",
            Readiness::Stopping => "stopping",
            Readiness::StoreFails => "the store can't be used",
            Readiness::StoreSilent => "the store does not answer",
        }
    }
}

pub(in crate::server) async fn readiness(shared: &Shared) -> Readiness {
    if shared.stopping.is_cancelled() {
        return Readiness::Stopping;
    }
    let asked = tokio::time::timeout(READY_WITHIN, shared.store.setting("ready")).await;
    match asked {
        Ok(Ok(_)) => Readiness::Ready,
        _ if any_server_answers(shared).await => Readiness::Ready,
        // Anybody may ask; only the log says more.
        Ok(Err(why)) => {
            tracing::warn!(%why, "not ready");
            Readiness::StoreFails
        }
        Err(_) => Readiness::StoreSilent,
    }
}

/// A store of several servers takes the webhooks of those that answer: no reason to send all of them elsewhere, where it is
/// the same store.
async fn any_server_answers(shared: &Shared) -> bool {
    let store = &shared.store;
    if store.server_of(ContactId([0; 16])).is_none() {
        return false;
    }
    // Nobody's contacts, spread evenly.
    let asking = (0..ASKED).map(|n| store.peek(ContactId([n * (u8::MAX / ASKED); 16])));
    let first = tokio::time::timeout(READY_WITHIN, select_ok(asking)).await;
    first.is_ok_and(|first| first.is_ok())
}

fn said(headers: &HeaderMap, status: StatusCode, words: &'static str, whole: Value) -> Response {
    let wanted = headers
        .get(header::ACCEPT)
        .and_then(|wanted| wanted.to_str().ok());
    if wanted.is_some_and(|wanted| wanted.contains("application/json")) {
        (status, axum::Json(whole)).into_response()
    } else {
        (status, words).into_response()
    }
}

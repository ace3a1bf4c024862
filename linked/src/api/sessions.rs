//! Making, changing and watching sessions.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::{Sessions, who};
use crate::instance::{Change, Instance};
use crate::{qr, waha, webhooks};

type Body<T> = Result<Json<T>, JsonRejection>;

#[derive(Deserialize)]
pub(super) struct Create {
    name: String,
    config: Option<Value>,
    #[serde(default = "yes")]
    start: bool,
}

#[derive(Deserialize)]
pub(super) struct Configure {
    config: Value,
}

#[derive(Deserialize)]
pub(super) struct CodeQuery {
    format: Option<String>,
}

fn yes() -> bool {
    true
}

fn shown(instance: &Instance) -> Value {
    let view = instance.view();
    waha::session(
        instance.name(),
        &view.standing,
        view.generation,
        view.me.as_ref(),
        &view.config,
    )
}

pub(super) async fn list(State(sessions): State<Sessions>) -> Json<Vec<Value>> {
    Json(
        sessions
            .open
            .read()
            .await
            .values()
            .map(|instance| shown(instance))
            .collect(),
    )
}

pub(super) async fn show(
    State(sessions): State<Sessions>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let instance = sessions.named(&name).await?;
    let mut session = shown(&instance);
    let health = instance.health().await?;
    session["link"]["health"] = json!({
        "healthy": health.healthy,
        "heard": health.heard.map(waha::rfc3339),
        "refused": health.troubles.refused,
        "undecryptable": health.troubles.undecryptable,
        "backlog": health.backlog,
    });
    Ok(Json(session))
}

pub(super) async fn create(
    State(sessions): State<Sessions>,
    headers: HeaderMap,
    body: Body<Create>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let Json(asked) = body?;
    if let Some(config) = &asked.config {
        webhooks::targets(config).map_err(|why| Refusal::new(StatusCode::BAD_REQUEST, why))?;
    }
    let instance = {
        let mut open = sessions.open.write().await;
        if open.contains_key(&asked.name) {
            let message = format!(
                "the session {:?} exists; change it with PUT /api/sessions/{}, or start it",
                asked.name, asked.name
            );
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message));
        }
        let instance = Arc::new(Instance::open(&sessions.house, &asked.name, asked.config).await?);
        open.insert(asked.name, Arc::clone(&instance));
        instance
    };
    if asked.start {
        instance.change(&who(&headers), Change::Start).await?;
    }
    Ok((StatusCode::CREATED, Json(shown(&instance))))
}

pub(super) async fn configure(
    State(sessions): State<Sessions>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body<Configure>,
) -> Result<Json<Value>, Refusal> {
    let Json(asked) = body?;
    let instance = sessions.named(&name).await?;
    instance
        .change(&who(&headers), Change::Configure(asked.config))
        .await?;
    Ok(Json(shown(&instance)))
}

pub(super) async fn start(
    sessions: State<Sessions>,
    name: Path<String>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    changed(sessions, name, headers, Change::Start).await
}

pub(super) async fn stop(
    sessions: State<Sessions>,
    name: Path<String>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    changed(sessions, name, headers, Change::Stop).await
}

pub(super) async fn restart(
    sessions: State<Sessions>,
    name: Path<String>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    changed(sessions, name, headers, Change::Restart).await
}

pub(super) async fn logout(
    sessions: State<Sessions>,
    name: Path<String>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    changed(sessions, name, headers, Change::Logout).await
}

async fn changed(
    State(sessions): State<Sessions>,
    Path(name): Path<String>,
    headers: HeaderMap,
    change: Change,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let instance = sessions.named(&name).await?;
    instance.change(&who(&headers), change).await?;
    Ok((StatusCode::CREATED, Json(shown(&instance))))
}

pub(super) async fn audit(
    State(sessions): State<Sessions>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let instance = sessions.named(&name).await?;
    Ok(Json(json!(instance.audited().await?)))
}

/// The code that is good now. It links a device: it is given out and never written anywhere.
pub(super) async fn code(
    State(sessions): State<Sessions>,
    Path(name): Path<String>,
    Query(query): Query<CodeQuery>,
) -> Result<Response, Refusal> {
    let view = sessions.named(&name).await?.view();
    let Some(code) = view.code else {
        let message = format!(
            "there is no code to scan now: the session is {} ({}). {}",
            view.standing.state.name(),
            view.standing.reason,
            view.standing.state.next_action()
        );
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message));
    };
    let drawn = |error| {
        Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the code cannot be drawn: {error}"),
        )
    };
    match query.format.as_deref() {
        Some("raw") => Ok(Json(json!({ "value": code })).into_response()),
        Some("text") => {
            let text = qr::as_half_blocks(&code).map_err(drawn)?;
            Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text + "\n").into_response())
        }
        None | Some("image" | "svg") => {
            let svg = qr::as_svg(&code).map_err(drawn)?;
            Ok(([(header::CONTENT_TYPE, "image/svg+xml")], svg).into_response())
        }
        Some(other) => {
            let message =
                format!("the format {other:?} is not known; take raw, image (SVG) or text (half blocks)");
            Err(Refusal::new(StatusCode::BAD_REQUEST, message))
        }
    }
}

//! What operators can ask and do over HTTP, until there is a console: read conversations with their notes, take a chat,
//! answer, give it back, end it, switch Autopilot on or off for a number; hand out, erase and merge contacts, and see to
//! what was put aside.
//!
//! Every route wants `Authorization: Bearer <admin_token>`. Without a token in the configuration there are no routes.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value as Body, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::handle::Handle;
use super::readable::{readable, readable_parked, readable_quarantined};
use crate::server::inbound::people::Clash;
use crate::server::numbers::door::{self, Ask, DoorError, Told};
use crate::server::numbers::launch::{self, Checklist};
use crate::server::numbers::link::{LinkView, NotOrdered, Order};
use crate::store::{ContactId, Merged, Owner, ParkedId, StoreError};

/// Conversations and lines of a thread that one request gives at most.
const MOST: usize = 500;
const BODY_BYTES: usize = 64 * 1024;
/// What an operator says at once, in bytes: the store takes 64 KiB with all that belongs to it.
const LONGEST_TEXT: usize = 8 * 1024;

/// The routes below `/api`.
pub(in crate::server) fn routes(handle: Handle, token: SecretString) -> Router {
    let token = Arc::new(token);
    Router::new()
        .route("/api/channels", get(channels))
        .route("/api/channels/{id}/autopilot", post(autopilot))
        .route("/api/channels/{id}/link", get(link).post(order))
        .route("/api/channels/{id}/launch", get(checklist).post(accept))
        .route("/api/conversations", get(conversations))
        .route("/api/conversations/{contact}", get(conversation).delete(erase))
        .route("/api/conversations/{contact}/export", get(export))
        .route("/api/conversations/{contact}/merge", post(merge))
        .route("/api/dead", get(dead))
        .route("/api/dead/{id}", delete(discard))
        .route("/api/dead/{id}/unpark", post(unpark))
        .route("/api/clashes", get(clashes))
        .route("/api/conversations/{contact}/take", post(take))
        .route("/api/conversations/{contact}/say", post(say))
        .route("/api/conversations/{contact}/return", post(give_back))
        .route("/api/conversations/{contact}/close", post(close))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .route(
            "/api/settings",
            post(settings).layer(DefaultBodyLimit::max(door::ASKED_BYTES)),
        )
        .layer(middleware::from_fn(move |request, next| {
            guard(token.clone(), request, next)
        }))
        .with_state(handle)
}

/// Compares hashes, so that neither length nor content of the token shows in the time it takes.
async fn guard(token: Arc<SecretString>, request: Request, next: Next) -> Response {
    let given = bearer(request.headers()).unwrap_or_default();
    let (given, wanted) = (Sha256::digest(given), Sha256::digest(token.expose_secret()));
    if bool::from(given.ct_eq(&wanted)) {
        next.run(request).await
    } else {
        (StatusCode::UNAUTHORIZED, "unauthorized").into_response()
    }
}

pub(in crate::server) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
}

async fn channels(State(handle): State<Handle>) -> Json<Body> {
    let shown = |channel: crate::server::ChannelView| {
        json!({ "id": channel.id, "number": channel.number, "provider": channel.provider,
                "autopilot": channel.autopilot, "waits_for_launch": channel.waits_for_launch, "stopped": channel.stopped })
    };
    Json(handle.channels().into_iter().map(shown).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    on: bool,
}

async fn autopilot(
    State(handle): State<Handle>,
    Path(id): Path<String>,
    Json(Switch { on }): Json<Switch>,
) -> Result<Json<Body>, Refused> {
    let waits = |channel: &crate::server::ChannelView| channel.id == id && channel.waits_for_launch;
    if on && handle.channels().iter().any(waits) {
        let why = format!(
            "the number is not launched yet; {}, and GET /api/channels/{id}/launch, too",
            launch::next_step(&id)
        );
        return Err(Refused(StatusCode::CONFLICT, why));
    }
    if !handle.set_autopilot(&id, on).await? {
        return Err(Refused(StatusCode::NOT_FOUND, format!("there is no number {id}")));
    }
    tracing::info!(channel = id, on, "Autopilot was switched by an operator");
    Ok(Json(json!({ "id": id, "autopilot": on })))
}

async fn link(State(handle): State<Handle>, Path(id): Path<String>) -> Result<Json<LinkView>, Refused> {
    let view = handle.link(&id).await?;
    view.map(Json).ok_or_else(|| not_linked(&id))
}

/// An order of the link, and how the link is after it.
async fn order(
    State(handle): State<Handle>,
    Path(id): Path<String>,
    Json(order): Json<Order>,
) -> Result<Json<LinkView>, Refused> {
    if !handle.order(&id, &order).await? {
        return Err(not_linked(&id));
    }
    link(State(handle), Path(id)).await
}

fn not_linked(id: &str) -> Refused {
    let why = format!("there is no number {id} that is linked as a device");
    Refused(StatusCode::NOT_FOUND, why)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepting {
    accept: String,
}

/// What a number waits for, or waited.
async fn checklist(State(handle): State<Handle>, Path(id): Path<String>) -> Result<Json<Checklist>, Refused> {
    launched(&handle, &id, None).await
}

/// Somebody accepts the terms.
async fn accept(
    State(handle): State<Handle>,
    Path(id): Path<String>,
    Json(Accepting { accept }): Json<Accepting>,
) -> Result<Json<Checklist>, Refused> {
    if accept.trim().is_empty() {
        let why = "`accept` takes the name of whoever accepts the terms";
        return Err(Refused(StatusCode::BAD_REQUEST, why.to_owned()));
    }
    tracing::info!(channel = id, "the terms of launching a number were accepted");
    launched(&handle, &id, Some(&accept)).await
}

async fn launched(handle: &Handle, id: &str, accept: Option<&str>) -> Result<Json<Checklist>, Refused> {
    match handle.launch(id, accept).await {
        Ok(Some(list)) => Ok(Json(list)),
        Ok(None) => Err(Refused(StatusCode::NOT_FOUND, format!("there is no number {id}"))),
        Err(why) => Err(Refused(StatusCode::SERVICE_UNAVAILABLE, why.to_string())),
    }
}

#[derive(Deserialize)]
struct Page {
    #[serde(default = "fifty")]
    limit: usize,
}

fn fifty() -> usize {
    50
}

async fn conversations(
    State(handle): State<Handle>,
    Query(page): Query<Page>,
) -> Result<Json<Body>, Refused> {
    let mut shown = Vec::new();
    for contact in handle.contacts(page.limit.min(MOST)).await? {
        match summary(&handle, contact).await {
            // One that this version can't read must not hide the others.
            Err(StoreError::Corrupt { why, .. }) => {
                shown.push(json!({ "contact": contact, "unreadable": why }))
            }
            summary => shown.extend(summary?),
        }
    }
    Ok(Json(shown.into()))
}

async fn conversation(
    State(handle): State<Handle>,
    Path(contact): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Body>, Refused> {
    let contact = known(&contact)?;
    let mut shown = summary(&handle, contact).await?.ok_or_else(nobody)?;
    let lines = handle.thread(contact, page.limit.min(MOST)).await?;
    shown["thread"] = lines
        .into_iter()
        .map(|entry| {
            let status = entry.status.map(|(_, state)| state);
            json!({ "seq": entry.seq, "at": entry.at.to_string(), "line": entry.line, "status": status })
        })
        .collect();
    Ok(Json(shown))
}

async fn summary(handle: &Handle, contact: ContactId) -> Result<Option<Body>, StoreError> {
    let conversation = handle.conversation(contact).await?;
    Ok(conversation.map(|conversation| {
        let owner = match conversation.owner {
            Owner::Bot => "bot".to_owned(),
            Owner::Human => "human".to_owned(),
            Owner::PausedUntil(until) => format!("paused until {until}"),
        };
        let at = conversation
            .session
            .position
            .frames
            .last()
            .map(|frame| frame.at.clone());
        let taken = &conversation.session.position.taken;
        let handoff = conversation.session.handed.as_ref().map(|handed| {
            json!({ "team": handed.team, "note": handed.note, "priority": handed.priority, "assist": handed.assist,
                    "since": handed.since.to_string(), "taken_by": taken })
        });
        let draft = conversation.session.shown_draft().map(|draft| {
            json!({ "id": draft.id, "text": draft.text, "at": draft.at.to_string(), "knowledge": draft.knowledge })
        });
        json!({ "contact": contact, "channel": conversation.channel, "aliases": conversation.aliases,
                "owner": owner, "handoff": handoff, "draft": draft, "at": at, "waiting": conversation.waiting })
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Agent {
    agent: String,
}

async fn take(
    State(handle): State<Handle>,
    Path(contact): Path<String>,
    Json(Agent { agent }): Json<Agent>,
) -> Result<Json<Body>, Refused> {
    let contact = existing(&handle, &contact).await?;
    handle.take_over(contact, &agent).await?;
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Saying {
    agent: String,
    text: String,
    /// The id of the draft that it was made of.
    draft: Option<String>,
}

async fn say(
    State(handle): State<Handle>,
    Path(contact): Path<String>,
    Json(Saying { agent, text, draft }): Json<Saying>,
) -> Result<Json<Body>, Refused> {
    let contact = existing(&handle, &contact).await?;
    if text.trim().is_empty() {
        return Err(Refused(StatusCode::BAD_REQUEST, "the text is empty".to_owned()));
    }
    if text.len() > LONGEST_TEXT {
        let why = format!("the text has {} bytes, {LONGEST_TEXT} at most", text.len());
        return Err(Refused(StatusCode::PAYLOAD_TOO_LARGE, why));
    }
    let draft = draft.as_deref();
    handle.say_from_draft(contact, &agent, &text, draft).await?;
    done()
}

async fn give_back(State(handle): State<Handle>, Path(contact): Path<String>) -> Result<Json<Body>, Refused> {
    let contact = existing(&handle, &contact).await?;
    handle.give_back(contact).await?;
    done()
}

async fn close(State(handle): State<Handle>, Path(contact): Path<String>) -> Result<Json<Body>, Refused> {
    let contact = existing(&handle, &contact).await?;
    handle.close(contact).await?;
    done()
}

async fn erase(State(handle): State<Handle>, Path(contact): Path<String>) -> Result<Json<Body>, Refused> {
    // One that can't be read can be erased all the same.
    if !handle.erase(known(&contact)?).await? {
        return Err(nobody());
    }
    done()
}

async fn export(State(handle): State<Handle>, Path(contact): Path<String>) -> Result<Json<Body>, Refused> {
    let whole = handle.whole(known(&contact)?).await?.ok_or_else(nobody)?;
    readable(&whole)
        .map(Json)
        .map_err(|why| Refused(StatusCode::INTERNAL_SERVER_ERROR, why.to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Into {
    into: String,
}

async fn merge(
    State(handle): State<Handle>,
    Path(contact): Path<String>,
    Json(Into { into }): Json<Into>,
) -> Result<Json<Body>, Refused> {
    match handle.merge(known(&contact)?, known(&into)?).await? {
        Merged::Done | Merged::Already => done(),
        Merged::Busy => {
            let why = "one of them is in work; try again in half a minute";
            Err(Refused(StatusCode::CONFLICT, why.to_owned()))
        }
        Merged::Refused(why) => {
            let why = format!("they can't be merged: {why}");
            Err(Refused(StatusCode::UNPROCESSABLE_ENTITY, why))
        }
    }
}

async fn dead(State(handle): State<Handle>, Query(page): Query<Page>) -> Result<Json<Body>, Refused> {
    let (parked, unread) = handle.dead(page.limit.min(MOST)).await?;
    let mut all: Vec<Body> = parked.iter().map(readable_parked).collect();
    all.extend(unread.iter().map(readable_quarantined));
    Ok(Json(all.into()))
}

/// What commands change in a store that this server holds: versions of the flows, numbers, and their secrets, which are
/// encrypted.
async fn settings(State(handle): State<Handle>, Json(ask): Json<Ask>) -> Result<Json<Told>, Refused> {
    match door::answer(handle.store(), ask).await {
        Some(Ok(told)) => Ok(Json(told)),
        Some(Err(DoorError::Store(why))) => Err(why.into()),
        Some(Err(why)) => Err(Refused(StatusCode::CONFLICT, why.to_string())),
        None => {
            let why = "that is not to be reached here";
            Err(Refused(StatusCode::FORBIDDEN, why.to_owned()))
        }
    }
}

/// Two contacts that are one person, with the call that makes them one.
async fn clashes(State(handle): State<Handle>) -> Result<Json<Body>, Refused> {
    let (_, unread) = handle.dead(usize::MAX).await?;
    let shown = unread.iter().filter_map(|kept| {
        let Clash { clash } = serde_json::from_slice(&kept.raw.0).ok()?;
        Some(json!({ "channel": kept.channel, "at": kept.at.to_string(), "contacts": clash, "next": kept.why }))
    });
    Ok(Json(shown.collect()))
}

async fn unpark(State(handle): State<Handle>, Path(id): Path<String>) -> Result<Json<Body>, Refused> {
    if !handle.unpark(&ParkedId(id)).await? {
        return Err(not_put_aside());
    }
    done()
}

async fn discard(State(handle): State<Handle>, Path(id): Path<String>) -> Result<Json<Body>, Refused> {
    if !handle.discard(&id).await? {
        return Err(not_put_aside());
    }
    done()
}

fn not_put_aside() -> Refused {
    let why = "nothing with this id is put aside (any more)";
    Refused(StatusCode::NOT_FOUND, why.to_owned())
}

fn done() -> Result<Json<Body>, Refused> {
    Ok(Json(json!({ "done": true })))
}

fn known(contact: &str) -> Result<ContactId, Refused> {
    contact
        .parse()
        .map_err(|why| Refused(StatusCode::BAD_REQUEST, why))
}

/// The contact, if anything is known of it.
async fn existing(handle: &Handle, contact: &str) -> Result<ContactId, Refused> {
    let contact = known(contact)?;
    if handle.conversation(contact).await?.is_none() {
        return Err(nobody());
    }
    Ok(contact)
}

fn nobody() -> Refused {
    Refused(StatusCode::NOT_FOUND, "there is no such conversation".to_owned())
}

/// What could not be done, in a sentence.
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<NotOrdered> for Refused {
    fn from(why: NotOrdered) -> Refused {
        let status = match &why {
            NotOrdered::Nobody => StatusCode::BAD_REQUEST,
            NotOrdered::NotYours { .. } => StatusCode::FORBIDDEN,
            NotOrdered::Busy(_) | NotOrdered::Crowded => StatusCode::CONFLICT,
            NotOrdered::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Refused(status, why.to_string())
    }
}

impl From<StoreError> for Refused {
    fn from(why: StoreError) -> Refused {
        Refused(StatusCode::SERVICE_UNAVAILABLE, why.to_string())
    }
}

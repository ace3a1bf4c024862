//! `POST /api/events`: the business's own systems tell what happened, and a flow that `starts on event …` takes it up once
//! the chat is free. It is checked against the flows that answer this number before anything is queued.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::refused::Refused;
use super::{Asked, By, LONGEST_KEY, number, recipient};
use crate::server::api::handle::{Handle, unique};
use crate::server::api::masked::Masked;
use crate::server::inbound::mailbox::Item;
use crate::server::turns::session::Session;
use crate::server::turns::thread::{Line, NoteKind};
use crate::store::{ContactId, Ingest, Ingested};

/// What happened, as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Happened {
    channel: Option<String>,
    to: Option<String>,
    contact: Option<String>,
    /// Such as `order.shipped`.
    event: String,
    /// What the flow needs.
    #[serde(default)]
    values: BTreeMap<String, Value>,
    key: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Taken {
    contact: ContactId,
    channel: String,
    /// It was taken before, under the same key.
    repeated: bool,
}

pub(super) async fn happened(
    State(handle): State<Handle>,
    Extension(By(by)): Extension<By>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Taken>), Refused> {
    let told: Happened = serde_json::from_slice(&body)
        .map_err(|why| Refused::Malformed(format!("the body can't be read: {why}")))?;
    let key = told.key.or_else(|| {
        let key = headers.get("idempotency-key")?.to_str().ok()?;
        Some(key.to_owned())
    });
    if let Some(key) = key.as_deref()
        && (key.trim().is_empty() || key.chars().count() > LONGEST_KEY)
    {
        let why = format!("`key` is empty or has more than {LONGEST_KEY} characters");
        return Err(Refused::Malformed(why));
    }
    let asked = Asked {
        channel: told.channel,
        to: told.to,
        contact: told.contact,
        template: None,
        text: None,
        key: None,
    };
    let to = recipient(&handle, &asked).await?;
    let number = number(&handle, to.channel(&asked))?;
    let shared = &handle.shared;
    let machine = shared.flows.machine(number.config.runs());
    machine
        .takes_event(&told.event, &told.values)
        .map_err(Refused::NoFlow)?;
    let contact = to.known(&handle, number).await?;
    if let Some(claim) = shared.store.peek(contact).await? {
        let (_, memory) = Session::of(&claim).map_err(|why| Refused::Later(why.to_string()))?;
        if memory.opted_out {
            return Err(Refused::OptedOut);
        }
    }
    let key = match key {
        Some(key) => blake3::hash(key.as_bytes()).to_hex()[..24].to_owned(),
        None => unique("e"),
    };
    let line = Line::note(NoteKind::Kept, format!("{} happened ({by}).", told.event), None);
    let letter = Ingest {
        channel: number.config.id.clone(),
        contact,
        dedupe: format!("event:{key}"),
        payload: Item::Happened {
            event: told.event,
            values: told.values,
        }
        .to_bytes(),
        said_at: None,
        quiet: Duration::ZERO,
        quiet_max: Duration::ZERO,
        history: Some(line.to_bytes()),
    };
    let outcome = shared.store.ingest(&[letter]).await?;
    shared.ring(contact);
    let repeated = match outcome.first() {
        Some(Ingested::New(_)) => false,
        Some(Ingested::Duplicate) => true,
        Some(Ingested::MailboxFull) | None => {
            return Err(Refused::Later("the mailbox of this contact is full".to_owned()));
        }
    };
    tracing::info!(channel = number.config.id, contact = %Masked(contact), by, repeated, "an event was taken");
    let taken = Taken {
        contact,
        channel: number.config.id.clone(),
        repeated,
    };
    Ok((StatusCode::ACCEPTED, Json(taken)))
}

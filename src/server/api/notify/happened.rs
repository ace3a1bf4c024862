//! `POST /api/events`: the business's own systems tell what happened, and a flow that `starts on event …` takes it up once
//! the chat is free. It is checked against the flows that answer this number before anything is queued.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::refused::Refused;
use super::{By, Whom, hashed, is_repeated, key_of, number, recipient};
use crate::server::api::handle::Handle;
use crate::server::api::masked::Masked;
use crate::server::inbound::mailbox::Item;
use crate::server::turns::session::Session;
use crate::server::turns::thread::{Line, NoteKind};
use crate::store::{ContactId, Ingest};

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
    let key = key_of(told.key, &headers)?;
    let whom = Whom {
        channel: told.channel.as_deref(),
        to: told.to.as_deref(),
        contact: told.contact.as_deref(),
    };
    let to = recipient(&handle, whom).await?;
    let number = number(&handle, to.channel(whom))?;
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
    let key = hashed(key, "e");
    let line = Line::note(NoteKind::Kept, format!("{} happened ({by}).", told.event), None);
    let letter = Ingest {
        history: Some(line.to_bytes()),
        ..Ingest::internal(
            number.config.id.clone(),
            contact,
            format!("event:{key}"),
            Item::Happened {
                event: told.event,
                values: told.values,
            }
            .to_bytes(),
        )
    };
    let outcome = shared.store.ingest(&[letter]).await?;
    shared.ring(contact);
    let repeated = is_repeated(outcome.first())?;
    tracing::info!(channel = number.config.id, contact = %Masked(contact), by, repeated, "an event was taken");
    let taken = Taken {
        contact,
        channel: number.config.id.clone(),
        repeated,
    };
    Ok((StatusCode::ACCEPTED, Json(taken)))
}

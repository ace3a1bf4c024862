//! What became of a notification: by its id the thread is looked through, and the mailbox for one that waits.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;

use super::LINES;
use super::refused::Refused;
use crate::server::api::handle::Handle;
use crate::server::inbound::mailbox::Item;
use crate::server::turns::thread::Line;
use crate::store::ContactId;

/// What became of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Told {
    id: String,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

pub(super) async fn notified(
    State(handle): State<Handle>,
    Path(id): Path<String>,
) -> Result<Json<Told>, Refused> {
    let unknown = || {
        Refused::NotFound(
            "there is no notification with this id, or its line of the thread is not kept any more"
                .to_owned(),
        )
    };
    let (contact, key) = id.split_once('.').ok_or_else(unknown)?;
    let contact: ContactId = contact.parse().map_err(|_| unknown())?;
    let told = |state: &str, why: Option<&str>| {
        Ok(Json(Told {
            id: id.clone(),
            state: state.to_owned(),
            why: why.map(str::to_owned),
        }))
    };
    let mut refused = None;
    let mut states = Vec::new();
    for line in handle.thread(contact, LINES).await? {
        match line.line {
            Some(Line::Ours(ours)) if ours.notify.as_deref() == Some(key) => {
                states.extend(line.status.map(|(_, state)| state));
            }
            Some(Line::Note { about, text, .. }) if about.as_deref() == Some(key) => refused = Some(text),
            _ => {}
        }
    }
    // A text of several parts is as far as the part that is furthest behind.
    if let Some(state) = states.iter().min_by_key(|state| rank_of(state)) {
        let (state, why) = state
            .split_once(": ")
            .map_or((state.as_str(), None), |(state, why)| (state, Some(why)));
        return told(state, why);
    }
    if let Some(why) = refused {
        return told("refused", Some(&why));
    }
    let waits = handle.shared.store.peek(contact).await?.is_some_and(|claim| {
        claim.events.iter().any(|event| {
            matches!(Item::read(&event.payload), Ok(Item::Notify { key: waiting, .. }) if waiting == key)
        })
    });
    if waits {
        told("queued", None)
    } else {
        Err(unknown())
    }
}

/// How far a message got: what failed counts least, for somebody has to look.
fn rank_of(state: &str) -> u8 {
    let state = state.split(':').next().unwrap_or_default();
    match state {
        "dead" | "dropped" | "failed" => 0,
        "queued" => 1,
        "sending" => 2,
        "uncertain" => 3,
        "accepted" => 4,
        "sent" => 5,
        "delivered" => 6,
        "read" => 7,
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_told_before_what_went_well() {
        for (states, worst) in [
            (["read", "dead: no", "queued"], "dead: no"),
            (["delivered", "accepted", "played"], "accepted"),
        ] {
            assert_eq!(states.into_iter().min_by_key(|state| rank_of(state)), Some(worst));
        }
    }
}

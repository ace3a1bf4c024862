//! Lines for the thread that no turn writes: what became of a message, of a job, of an event.

use std::time::Duration;

use super::mailbox::Item;
use super::masked::Masked;
use super::parts::Shared;
use super::thread::{Line, NoteKind};
use crate::store::{ContactId, Ingest, Seq};

/// Writes `line` once, however often it is asked with the same `name`. If the store is away, the log has said it
/// already: a note is never worth stopping for.
pub(super) async fn write(shared: &Shared, channel: &str, contact: ContactId, name: &str, line: &Line) {
    let letter = Ingest {
        channel: channel.to_owned(),
        contact,
        dedupe: format!("note:{name}"),
        payload: Item::Noted.to_bytes(),
        said_at: None,
        quiet: Duration::ZERO,
        quiet_max: Duration::ZERO,
        history: Some(line.to_bytes()),
    };
    match shared.store.ingest(&[letter]).await {
        Ok(_) => shared.ring(contact),
        Err(why) => {
            tracing::error!(contact = %Masked(contact), %why, "a note could not be written to the thread")
        }
    }
}

/// Tells the team of a message that nobody will answer.
pub(super) async fn parked(shared: &Shared, channel: &str, contact: ContactId, seq: Seq, why: &str) {
    let text =
        format!("A message could not be answered and was put aside: {why}. Please answer it yourself.");
    let line = Line::note(NoteKind::Fault, text, None);
    write(shared, channel, contact, &format!("parked.{seq}"), &line).await;
}

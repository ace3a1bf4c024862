//! Lines for the thread that no turn writes: what became of a message, of a job, of an event.

use super::thread::{Line, NoteKind};
use crate::channel::{Show, Step};
use crate::engine::{Answer, Says};
use crate::server::api::masked::Masked;
use crate::server::inbound::mailbox::{Hearing, Item};
use crate::server::parts::{Number, Shared};
use crate::store::{ContactId, Ingest, SendClaim, Seq};

/// Writes `line` once, however often it is asked with the same `name`. If the store is away, the log has said it
/// already: a note is never worth stopping for.
pub(in crate::server) async fn write(
    shared: &Shared,
    channel: &str,
    contact: ContactId,
    name: &str,
    line: &Line,
) {
    let letter = Ingest {
        history: Some(line.to_bytes()),
        ..Ingest::internal(channel, contact, format!("note:{name}"), Item::Noted.to_bytes())
    };
    match shared.store.ingest(&[letter]).await {
        Ok(_) => shared.ring(contact),
        Err(why) => {
            tracing::error!(contact = %Masked(contact), %why, "a note could not be written to the thread")
        }
    }
}

/// The provider has taken a template: whoever quotes it answers it, if a flow waits for that. Once for each message.
pub(in crate::server) async fn template_sent(
    shared: &Shared,
    number: &Number,
    claim: &SendClaim,
    message_id: &str,
) {
    let machine = shared.flows.machine(number.config.runs());
    if !machine.waits_for_replies() {
        return;
    }
    let template = match Line::read(&claim.entry.payload) {
        Ok(Line::Ours(ours)) => match ours.step {
            Step::Send {
                show: Show::Template { name, .. },
                ..
            } => name,
            Step::Send { .. } | Step::Seen { .. } | Step::HandOff { .. } | Step::Resolve { .. } => return,
        },
        Ok(_) | Err(_) => return,
    };
    let item = Item::Sent {
        template,
        message_id: message_id.to_owned(),
    };
    let letter = Ingest::internal(
        claim.channel.clone(),
        claim.contact,
        // One that was sent twice is quoted under either id.
        format!("sent:{}:{message_id}", claim.entry.id),
        item.to_bytes(),
    );
    if let Err(why) = shared.store.ingest(&[letter]).await {
        tracing::warn!(contact = %Masked(claim.contact), %why, "who quotes this template will be taken for writing anything");
    }
}

/// Tells the team of a message that nobody will answer. If it was a result that the conversation waits for, one that says
/// that there is none takes its place: otherwise it would wait for ever, and hold back all that the customer says.
/// However often it is asked for the same event, that happens once.
pub(in crate::server) async fn parked(
    shared: &Shared,
    channel: &str,
    contact: ContactId,
    seq: Seq,
    why: &str,
    payload: &[u8],
) {
    let text =
        format!("A message could not be answered and was put aside: {why}. Please answer it yourself.");
    let line = Line::note(NoteKind::Fault, text, None);
    write(shared, channel, contact, &format!("parked.{seq}"), &line).await;
    let Some(instead) = stand_in(payload) else {
        return;
    };
    let letter = Ingest::internal(
        channel,
        contact,
        format!("instead:parked.{seq}"),
        instead.to_bytes(),
    );
    match shared.store.ingest(&[letter]).await {
        Ok(_) => shared.ring(contact),
        Err(why) => {
            tracing::error!(contact = %Masked(contact), %why, "a conversation waits for a result that was put aside");
        }
    }
}

/// What the flow hears instead of a result that was put aside.
fn stand_in(payload: &[u8]) -> Option<Item> {
    let why = "its result was put aside".to_owned();
    match Item::read(payload).ok()? {
        Item::Answered { key, .. } => Some(Item::Answered {
            key,
            answer: Answer::Down { why },
        }),
        Item::Replied { key, .. } => Some(Item::Replied {
            key,
            reply: Says::Problem { why }.into(),
            tokens: 0,
        }),
        Item::Topic { note, .. } => Some(Item::Topic {
            note,
            topic: None,
            tokens: 0,
        }),
        Item::Heard { note, .. } => Some(Item::Heard {
            note,
            hearing: Hearing::Nothing { why },
        }),
        Item::Inbound(_)
        | Item::Timer { .. }
        | Item::Taken { .. }
        | Item::Said { .. }
        | Item::Returned
        | Item::Close
        | Item::Notify { .. }
        | Item::Happened { .. }
        | Item::OptedOut
        // Nothing waits for a draft.
        | Item::Drafted { .. }
        | Item::Sent { .. }
        | Item::Noted => None,
    }
}

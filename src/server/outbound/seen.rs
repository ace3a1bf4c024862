//! The blue ticks and "typing…": best effort, never in the outbox, never repeated.

use std::sync::Arc;

use crate::channel::Step;
use crate::server::parts::{Number, Shared};

/// Shows the customer that the message was read and that an answer is being written, where that is wanted.
pub(in crate::server) fn show(shared: &Arc<Shared>, number: &Number, message_id: String) {
    let caps = number.channel.capabilities();
    if !number.config.read_receipts || !caps.seen || number.wait().is_some() {
        return;
    }
    let step = Step::Seen {
        message_id,
        typing: caps.typing,
    };
    let Ok(request) = number.channel.encode(&step) else {
        return;
    };
    let (channel, transport) = (number.channel.clone(), number.transport.clone());
    let id = number.config.id.clone();
    shared.tasks.spawn(async move {
        if let Err(why) = channel.interpret(transport.send(request).await, 1) {
            tracing::debug!(channel = id, %why, "the read receipt was not taken");
        }
    });
}

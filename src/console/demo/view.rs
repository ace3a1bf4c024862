//! The one JSON value that the page draws.

use serde_json::{Value as Json, json};

use super::Demo;
use crate::flow::value::Value;
use crate::server::{Conversation, ThreadEntry};
use crate::store::{Owner, StoreError};

/// Lines of the thread that are shown.
const LINES: usize = 200;

pub(super) async fn of(demo: &Demo) -> Result<Json, StoreError> {
    let mut view = json!({
        "business": demo.handle.machine().program().business.name,
        "clock": demo.handle.now().strftime("%Y-%m-%dT%H:%M:00Z").to_string(),
        "owner": "bot",
        "shop_down": demo.shop.is_down(),
        "thread": [],
    });
    let Some(contact) = demo.contact() else { return Ok(view) };
    view["thread"] = demo.handle.thread(contact, LINES).await?.iter().filter_map(line).collect();
    if let Some(conversation) = demo.handle.conversation(contact).await? {
        let position = &conversation.session.position;
        view["owner"] = match conversation.owner {
            Owner::Bot => "bot".into(),
            Owner::Human | Owner::PausedUntil(_) => "human".into(),
        };
        view["where"] = position.frames.last().map(|frame| place(&frame.at)).into();
        view["timers"] = position.timers.iter().map(|(id, due)| json!([id, due.to_string()])).collect();
        view["values"] = values(&conversation);
        view["position"] = json!(position);
    }
    Ok(view)
}

fn line(entry: &ThreadEntry) -> Option<Json> {
    let status = entry.status.as_ref().map(|(_, state)| state);
    Some(json!({ "seq": entry.seq, "at": entry.at.to_string(), "line": entry.line.as_ref()?, "status": status }))
}

/// `order_tracking/ask_for_the_number.number` as people write it.
fn place(state: &str) -> String {
    state.replace('_', " ").replacen('/', " / ", 1)
}

/// Values of the flow, the chat and the contact, by their written names.
fn values(conversation: &Conversation) -> Json {
    let named = |prefix: &str, name: &str, value: &Value| json!([format!("{prefix}{name}"), value.to_json()]);
    let position = &conversation.session.position;
    let locals = position.frames.last().into_iter().flat_map(|frame| &frame.locals);
    let mut values: Vec<Json> = locals.map(|(name, value)| named("", name, value)).collect();
    values.extend(position.chat.iter().map(|(name, value)| named("chat.", name, value)));
    values.extend(conversation.memory.fields.iter().map(|(name, kept)| named("contact.", name, &kept.value)));
    values.into()
}

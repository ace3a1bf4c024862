//! The one JSON value that the page draws.

use jiff::{SignedDuration, SignedDurationRound, Timestamp, Unit};
use serde_json::{Value as Json, json};

use super::Demo;
use crate::engine::Frame;
use crate::flow::program::Program;
use crate::flow::value::Value;
use crate::server::{Conversation, ThreadEntry};
use crate::store::{Owner, StoreError};

/// Lines of the thread that are shown.
const LINES: usize = 200;

pub(super) async fn of(demo: &Demo) -> Result<Json, StoreError> {
    let machine = demo.handle.machine();
    let program = machine.program();
    let mut view = json!({
        "business": program.business.name,
        "timezone": program.business.timezone,
        "ahead": ahead(demo.handle.now()),
        "customer": demo.customer().phone,
        "owner": "bot",
        "shop_down": demo.shop.is_down(),
        "thread": [],
    });
    let Some(contact) = demo.contact() else {
        return Ok(view);
    };
    view["thread"] = demo
        .handle
        .thread(contact, LINES)
        .await?
        .iter()
        .filter_map(line)
        .collect();
    if let Some(conversation) = demo.handle.conversation(contact).await? {
        let position = &conversation.session.position;
        let bot = conversation.owner == Owner::Bot;
        view["owner"] = if bot { "bot" } else { "human" }.into();
        view["busy"] = (bot && (conversation.waiting > 0 || conversation.session.waits())).into();
        view["where"] = position.frames.last().map(|frame| place(program, frame)).into();
        view["callers"] = position
            .frames
            .iter()
            .rev()
            .skip(1)
            .map(|frame| words(&frame.at))
            .collect();
        view["timers"] = position
            .timers
            .iter()
            .map(|(id, due)| json!([timer(id), due.to_string()]))
            .collect();
        view["values"] = values(&conversation);
        view["position"] = json!(position);
    }
    Ok(view)
}

/// How far the clock was moved, in whole seconds: so it stays the same while time goes on.
fn ahead(now: Timestamp) -> i64 {
    let moved = now.duration_since(Timestamp::now());
    moved
        .round(SignedDurationRound::new().smallest(Unit::Second))
        .unwrap_or(SignedDuration::ZERO)
        .as_secs()
}

fn line(entry: &ThreadEntry) -> Option<Json> {
    let status = entry.status.as_ref().map(|(_, state)| state);
    Some(
        json!({ "seq": entry.seq, "at": entry.at.to_string(), "line": entry.line.as_ref()?, "status": status }),
    )
}

/// Where the customer is, in the author's words, with the line of the flow.
fn place(program: &Program, frame: &Frame) -> Json {
    // A conversation that began in an older version may rest where this one has no state.
    let state = program.states.iter().find(|state| state.name == frame.at);
    let line = state.map(|state| program.place(state.place).to_string());
    json!({ "name": words(&frame.at), "line": line })
}

/// `order_tracking/ask_for_the_number.number` as people write it: `order tracking / ask for the number · number`.
fn words(state: &str) -> String {
    state
        .replace('_', " ")
        .replacen('/', " / ", 1)
        .replacen('.', " · ", 1)
}

fn timer(id: &str) -> &'static str {
    match id {
        "resolve" => "the session resolves",
        "takeover" => "the bot has the chat again",
        _ => "no reply",
    }
}

/// Values of the flow, the chat and the contact, by their written names; fields of records apart.
fn values(conversation: &Conversation) -> Json {
    let position = &conversation.session.position;
    let mut shown = Vec::new();
    for (name, value) in position.frames.last().into_iter().flat_map(|frame| &frame.locals) {
        show(name, value, &mut shown);
    }
    for (name, value) in &position.chat {
        show(&format!("chat.{name}"), value, &mut shown);
    }
    for (name, kept) in &conversation.memory.fields {
        show(&format!("contact.{name}"), &kept.value, &mut shown);
    }
    shown.into()
}

fn show(name: &str, value: &Value, shown: &mut Vec<Json>) {
    match value {
        Value::Record(fields) => {
            for (field, value) in fields {
                show(&format!("{name}.{field}"), value, shown);
            }
        }
        Value::Text(_)
        | Value::Number(_)
        | Value::YesNo(_)
        | Value::Date(_)
        | Value::Time(_)
        | Value::List(_) => {
            shown.push(json!([name, value.to_json()]));
        }
    }
}

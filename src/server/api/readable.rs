//! Stored values for people: what is JSON inside is shown as JSON, what is text as text.

use serde_json::{Value, json};

use crate::store::{Bytes, Parked, Quarantined, WholeContact};

/// A contact's data as one JSON value, as its owner may ask for it.
///
/// # Errors
/// None that a contact could cause: names of fields, strings and finite numbers only.
pub fn readable(whole: &WholeContact) -> serde_json::Result<Value> {
    let mut value = serde_json::to_value(whole)?;
    open_up(&mut value);
    Ok(value)
}

pub fn readable_parked(parked: &Parked) -> Value {
    json!({ "id": parked.id, "kind": "parked", "at": parked.at.to_string(), "channel": parked.channel,
            "contact": parked.contact, "seq": parked.seq, "why": parked.why,
            "content": content(&Bytes(parked.payload.clone())) })
}

pub fn readable_quarantined(kept: &Quarantined) -> Value {
    json!({ "id": kept.id, "kind": "unreadable", "at": kept.at.to_string(), "channel": kept.channel,
            "why": kept.why, "content": content(&kept.raw) })
}

fn content(bytes: &Bytes) -> Value {
    let mut value = serde_json::to_value(bytes).unwrap_or_default();
    open(&mut value);
    value
}

/// Texts that are objects of JSON become objects.
fn open(value: &mut Value) {
    if let Value::String(text) = value
        && let Ok(inner @ Value::Object(_)) = serde_json::from_str(text)
    {
        *value = inner;
    }
}

fn open_up(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if matches!(name.as_str(), "payload" | "session" | "memory") {
                    open(value);
                } else {
                    open_up(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(open_up),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

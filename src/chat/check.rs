//! `check` lines: what cannot be seen in the conversation itself.

use serde_json::Value as Json;

use super::coverage;
use super::explore;
use super::rehearsal::Rehearsal;
use crate::engine::{Mode, Remembered};
use crate::flow::value::Value;
use crate::flow::{slug, tree::Kind};

/// Whether the check is true; otherwise why not.
pub(super) fn holds(rehearsal: &Rehearsal<'_>, text: &str) -> Result<(), String> {
    if let Some(wanted) = text.strip_prefix("step is ") {
        let stands = stands(rehearsal);
        let (flow, step) = match wanted.split_once('/') {
            Some((flow, step)) => (Some(slug(flow)), slug(step)),
            None => (None, slug(wanted)),
        };
        let there = rehearsal.position.frames.last().map(|frame| place_of(&frame.at));
        return match there {
            Some((at_flow, at_step))
                if at_step == step && flow.as_deref().is_none_or(|flow| flow == at_flow) =>
            {
                Ok(())
            }
            _ => Err(format!("the conversation stands in {stands}")),
        };
    }
    if let Some(wanted) = text.strip_prefix("mode is ") {
        let mode = match rehearsal.position.mode {
            Mode::Autopilot => "autopilot",
            Mode::Human => "human",
        };
        return if wanted.trim() == mode {
            Ok(())
        } else {
            Err(format!("the mode is {mode}"))
        };
    }
    if let Some(wanted) = text.strip_prefix("version is ") {
        return of_version(rehearsal, wanted.trim());
    }
    if text == "every promise holds" {
        if let Some(broken) = rehearsal.watch.broken.first() {
            return Err(broken.to_string());
        }
        return explore::way_out(rehearsal).map_err(|broken| broken.to_string());
    }
    if let Some(rest) = text.strip_prefix("coverage of ") {
        return coverage::check(rehearsal.machine().program(), &rehearsal.log, rest);
    }
    rehearsal
        .machine()
        .check(text, &rehearsal.position, &rehearsal.memory, rehearsal.now())
        .map_err(|error| error.to_string())
        .and_then(|holds| {
            if holds {
                Ok(())
            } else {
                Err(explain(rehearsal, text))
            }
        })
}

/// `"tests/v2"`, or `not "tests/v2"` for whoever is still in another one.
fn of_version(rehearsal: &Rehearsal<'_>, wanted: &str) -> Result<(), String> {
    let (not, name) = match wanted.strip_prefix("not ") {
        Some(name) => (true, name.trim()),
        None => (false, wanted),
    };
    let name = name
        .strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'))
        .ok_or("a version is written  check version is \"folder\"")?;
    let there = rehearsal.version();
    if (there == Some(name)) != not {
        return Ok(());
    }
    Err(match there {
        Some(there) => format!("the version is {there:?}"),
        None => "the version is the one from before anything was published".to_owned(),
    })
}

/// The value on the left of a failed comparison.
fn explain(rehearsal: &Rehearsal<'_>, text: &str) -> String {
    let path = text.split_whitespace().next().unwrap_or_default();
    match values(rehearsal).into_iter().find(|(name, _)| name == path) {
        Some((name, value)) => format!("{name} is {value}"),
        None => format!("{path} is not known"),
    }
}

/// `flow/step.value` as flow and step.
fn place_of(state: &str) -> (&str, &str) {
    let (flow, rest) = state.split_once('/').unwrap_or(("", state));
    (flow, rest.split_once('.').map_or(rest, |(step, _)| step))
}

/// Where the conversation stands, as people write it: `order tracking / ask for the number`.
pub(super) fn stands(rehearsal: &Rehearsal<'_>) -> String {
    let Some(frame) = rehearsal.position.frames.last() else {
        return "no flow (idle)".to_owned();
    };
    let (flow, step) = place_of(&frame.at);
    format!("{} / {}", flow.replace('_', " "), step.replace('_', " "))
}

/// All known values by their written names.
pub(super) fn values(rehearsal: &Rehearsal<'_>) -> Vec<(String, String)> {
    let mut values = Vec::new();
    let mut add = |name: String, value: &Value| {
        if let Value::Record(fields) = value {
            values.extend(
                fields
                    .iter()
                    .map(|(field, value)| (format!("{name}.{field}"), value.to_json().to_string())),
            );
        } else {
            values.push((name, value.to_json().to_string()));
        }
    };
    let locals = rehearsal.position.frames.last().map(|frame| &frame.locals);
    locals
        .into_iter()
        .flatten()
        .for_each(|(name, value)| add(name.clone(), value));
    rehearsal
        .memory
        .fields
        .iter()
        .for_each(|(name, kept)| add(format!("contact.{name}"), &kept.value));
    rehearsal
        .position
        .chat
        .iter()
        .for_each(|(name, value)| add(format!("chat.{name}"), value));
    values
}

/// Puts the `contact` lines of a story into memory, read as their declared kinds.
pub(super) fn remember(rehearsal: &mut Rehearsal<'_>, facts: &[(String, Json)]) {
    for (name, json) in facts {
        let kind = rehearsal
            .machine()
            .program()
            .business
            .contact_fields
            .get(name)
            .map(|field| &field.kind);
        let value = match (kind, json) {
            (Some(Kind::Date(_)), Json::String(text)) => text.parse().ok().map(Value::Date),
            (Some(Kind::Time), Json::String(text)) => text.parse().ok().map(Value::Time),
            _ => None,
        };
        if let Some(value) = value.or_else(|| Value::from_json(json)) {
            rehearsal.memory.fields.insert(
                name.clone(),
                Remembered {
                    value,
                    forget_at: None,
                },
            );
        }
    }
}

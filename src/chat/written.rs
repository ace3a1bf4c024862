//! Lines of a transcript, written: what a customer does, and what a service answers. [`super::parse`] reads them.

use serde_json::Value as Json;

use super::story::{Act, Given, GivenAnswer};
use super::transcript;
use crate::engine::Says;

/// Whether a transcript can let a customer type this.
pub(super) fn is_writable(text: &str) -> bool {
    let whole = text == text.trim() && !text.is_empty() && !text.starts_with(['[', '(']);
    whole && text.lines().all(|line| line == line.trim())
}

/// Whether a transcript can let a customer do this.
pub(super) fn can_say(act: &Act) -> bool {
    match act {
        Act::Types(text) => is_writable(text),
        Act::Taps(label) => can_tap(label),
        Act::Quotes { .. } | Act::Voice { .. } | Act::Sends { .. } | Act::Location { .. } | Act::Form(_) => {
            true
        }
    }
}

/// Whether a transcript can let a customer tap this.
pub(super) fn can_tap(label: &str) -> bool {
    !label.contains(']')
}

/// A text in quotes, on one line.
pub(super) fn quoted(text: &str) -> String {
    let text = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{text}\"")
}

/// Values behind `flow …`, `(event …)` and the like: ` with number "A-1", big yes`, or nothing.
pub(super) fn with_values(values: &[(String, Json)]) -> String {
    let written = |(name, value): &(String, Json)| match value {
        Json::String(text) => format!("{name} {}", quoted(text)),
        Json::Bool(yes) => format!("{name} {}", if *yes { "yes" } else { "no" }),
        Json::Null | Json::Number(_) | Json::Array(_) | Json::Object(_) => format!("{name} {value}"),
    };
    let values: Vec<String> = values.iter().map(written).collect();
    if values.is_empty() {
        String::new()
    } else {
        format!(" with {}", values.join(", "))
    }
}

/// A `given` line that answers one call.
pub(super) fn given_line(given: &Given) -> String {
    let name = format!("given {}.{}", given.service, given.action);
    match &given.answer {
        GivenAnswer::Status(status, body) if body.is_null() => format!("{name} answers {status}"),
        GivenAnswer::Status(status, body) => format!("{name} answers {status} {body}"),
        GivenAnswer::TimesOut => format!("{name} times out"),
        GivenAnswer::IsDown => format!("{name} is down"),
    }
}

/// What a model replies.
pub(super) fn ai_line(says: &Says) -> String {
    match says {
        Says::Text(text) => format!("(ai answers {})", quoted(text)),
        Says::NotSure => "(ai is not sure)".to_owned(),
        Says::OffTopic => "(ai is off topic)".to_owned(),
        Says::Finished(None) => "(ai is finished)".to_owned(),
        Says::Finished(Some(text)) => format!("(ai is finished {})", quoted(text)),
        Says::Topic(topic) => format!("(ai sees topic {topic})"),
        Says::Use { action, args } => {
            let args: Vec<String> = args
                .iter()
                .map(|(name, value)| format!("{name} {value}"))
                .collect();
            let with = if args.is_empty() { "" } else { " with " };
            format!("(ai uses {action}{with}{})", args.join(", "))
        }
        Says::Problem { .. } => "(ai is down)".to_owned(),
    }
}

/// What a customer does, as a transcript writes it.
pub(super) fn act_lines(who: &str, act: &Act) -> Vec<String> {
    match act {
        Act::Types(text) => {
            let mut lines = text.lines();
            let first = format!("{who}: {}", lines.next().unwrap_or_default());
            std::iter::once(first)
                .chain(lines.map(|line| format!("       | {line}")))
                .collect()
        }
        Act::Taps(label) => vec![format!("{who}: [{label}]")],
        Act::Quotes { template, words } => vec![format!("{who}: (reply to {template} {})", quoted(words))],
        Act::Voice { seconds, words } => {
            let seconds = seconds.map_or_else(String::new, |seconds| {
                format!(" {}:{:02}", seconds / 60, seconds % 60)
            });
            let words = words
                .as_ref()
                .map_or_else(String::new, |words| format!(" {}", quoted(words)));
            vec![format!("{who}: (voice{seconds}{words})")]
        }
        Act::Sends { kind, name, caption } => {
            let name = name.as_ref().map_or_else(String::new, |name| format!(" {name}"));
            let caption = caption
                .as_ref()
                .map_or_else(String::new, |caption| format!(" caption {}", quoted(caption)));
            vec![format!("{who}: ({}{name}{caption})", transcript::word_for(*kind))]
        }
        Act::Form(filled) => vec![format!("{who}: (form {filled})")],
        Act::Location { lat, lng, name } => {
            let name = name
                .as_ref()
                .map_or_else(String::new, |name| format!(" named {}", quoted(name)));
            vec![format!("{who}: (location {lat}, {lng}{name})")]
        }
    }
}

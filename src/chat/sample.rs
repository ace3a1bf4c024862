//! Values of a declared type that nobody has to make up: for generated conversations, and in the place of what a
//! recording must not tell.

use serde_json::{Value as Json, json};

use super::explore::guessed;
use super::story::Act;
use super::transcript;
use crate::flow::tree::Kind;
use crate::flow::value::Value;
use crate::message::MediaKind;

/// A value for each of these fields.
pub(super) fn each<C: FromIterator<(String, Json)>>(
    fields: &[(String, Kind)],
    value: impl Fn(&str, &Kind) -> Json,
) -> C {
    fields
        .iter()
        .map(|(name, kind)| (name.clone(), value(name, kind)))
        .collect()
}

/// A file of this kind; `words`: what is said in a voice note.
pub(super) fn file(kind: MediaKind, words: Option<&str>) -> Act {
    match kind {
        MediaKind::Voice => Act::Voice {
            seconds: words.map(|_| 4),
            words: words.map(str::to_owned),
        },
        kind => Act::Sends {
            kind,
            name: None,
            caption: None,
        },
    }
}

pub(super) fn place(name: Option<&str>) -> Act {
    Act::Location {
        lat: 41.1,
        lng: -8.6,
        name: name.map(str::to_owned),
    }
}

/// A usual value of a declared type.
pub(super) fn sample(name: &str, kind: &Kind) -> Json {
    match kind {
        Kind::Text | Kind::TextMatching(_) => match guessed(name, 1) {
            Json::String(text) => json!(text),
            other => json!(other.to_string()),
        },
        Kind::TextLike(pattern) => json!(pattern.replace('#', "1").replace('@', "a").replace('*', "z")),
        Kind::Number { from, .. } | Kind::WholeNumber { from, .. } => match from {
            Some(from) => Value::Number(*from).to_json(),
            None => json!(3),
        },
        Kind::Money => json!(12),
        Kind::Rating { from, .. } => json!(from),
        Kind::YesNo => json!(true),
        Kind::Date(_) => json!("2026-03-20"),
        Kind::Time => json!("10:30"),
        Kind::Email => json!("maria@example.com"),
        Kind::Phone => json!("+351910000001"),
        Kind::WebAddress => json!("https://example.com/a"),
        Kind::Media(kind) => {
            let word = transcript::word_for(*kind);
            json!({ "kind": word, "url": format!("transcript:{word}") })
        }
        Kind::Location => json!({ "name": "Porto", "lat": 41.1, "lng": -8.6 }),
        Kind::List(Some(of)) => json!([sample(name, of)]),
        Kind::List(None) => json!([]),
    }
}

/// Another value of it, where a flow may well go another way.
pub(super) fn other(name: &str, kind: &Kind) -> Json {
    match kind {
        Kind::Number { to, .. } | Kind::WholeNumber { to, .. } => match to {
            Some(to) => Value::Number(*to).to_json(),
            None => json!(1000),
        },
        Kind::Money => json!(1000),
        Kind::Rating { to, .. } => json!(to),
        Kind::YesNo => json!(false),
        Kind::Date(_) => json!("2020-01-01"),
        Kind::List(_) => json!([]),
        Kind::Text
        | Kind::TextLike(_)
        | Kind::TextMatching(_)
        | Kind::Time
        | Kind::Email
        | Kind::Phone
        | Kind::WebAddress
        | Kind::Media(_)
        | Kind::Location => sample(name, kind),
    }
}

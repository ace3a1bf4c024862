//! What a webhook held, and what of it could not be read.

use serde_json::Value;

use crate::message::Inbound;

/// How much of an unreadable part a problem keeps, in bytes.
const RAW_KEPT: usize = 64 * 1024;

/// What a webhook held.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decoded {
    pub events: Vec<Inbound>,
    pub problems: Vec<Problem>,
}

impl Decoded {
    /// Of a webhook that is one JSON value, read or refused as a whole.
    pub(super) fn of_one(raw: &[u8], read: impl FnOnce(&Value) -> Result<Vec<Inbound>, String>) -> Decoded {
        // A stray byte spoils one character, not the message.
        let text = String::from_utf8_lossy(raw);
        let outcome = serde_json::from_str::<Value>(&text)
            .map_err(|error| format!("not JSON: {error}"))
            .and_then(|webhook| read(&webhook));
        match outcome {
            Ok(events) => Decoded {
                events,
                problems: Vec::new(),
            },
            Err(why) => Problem::new("body", &text, why).into(),
        }
    }
}

impl From<Problem> for Decoded {
    fn from(problem: Problem) -> Decoded {
        Decoded {
            events: Vec::new(),
            problems: vec![problem],
        }
    }
}

/// A part of a webhook that could not be read. The rest of the batch was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {why}")]
pub struct Problem {
    /// Where in the body, such as `entry[0].changes[2].value.messages[1]`.
    pub place: String,
    pub why: String,
    /// The part itself, as received, for the log of undecodable events and for support.
    pub raw: String,
}

impl Problem {
    /// Keeps the beginning of a part that is very long.
    pub(super) fn new(place: &str, raw: &str, why: String) -> Problem {
        let mut end = raw.len().min(RAW_KEPT);
        while !raw.is_char_boundary(end) {
            end -= 1;
        }
        Problem {
            place: place.to_owned(),
            why,
            raw: raw[..end].to_owned(),
        }
    }
}

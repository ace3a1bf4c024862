//! The answers of a server that holds a link, sorted by what to do next. The HTTP status decides; a code of WhatsApp's own
//! stands in the body where the server gives it.
//!
//! Source: docs/linked.md; codes from the issues of public clients (2025-2026).

use serde_json::Value;

use super::chat::MessageId;
use crate::channel::failure::{answer_of, growing, obeying, without_numbers};
use crate::channel::{HttpResponse, Receipt, SendClass, SendError, SendFailure};

/// A minute, in seconds.
const MINUTE: u64 = 60;
/// In sentences.
const WHO: &str = "the server of the linked device";

/// What became of a request; `attempt` counts from 1.
pub(super) fn interpret(
    outcome: Result<HttpResponse, SendFailure>,
    attempt: u32,
) -> Result<Receipt, SendError> {
    let response = answer_of(WHO, outcome, attempt)?;
    if (200..300).contains(&response.status) {
        // Read receipts and the typing sign are answered with no id, and often with nothing.
        let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let id = answer
            .get("id")
            .or_else(|| answer.get("key"))
            .and_then(MessageId::in_value);
        return Ok(Receipt {
            message_id: id.map(|id| id.bare().to_owned()),
        });
    }
    Err(refused(&response, attempt))
}

fn refused(response: &HttpResponse, attempt: u32) -> SendError {
    let (code, words) = words_of(&response.body);
    let class = class_of(response.status, code, attempt);
    let words = without_numbers(&words);
    let details = if words.trim().is_empty() {
        String::new()
    } else {
        format!(" ({})", words.trim())
    };
    let of = code.map_or_else(
        || format!("HTTP {}", response.status),
        |code| format!("HTTP {}, code {code}", response.status),
    );
    SendError {
        class: obeying(class, response),
        code: code.or(Some(i64::from(response.status))),
        says: format!(
            "{WHO} refused with {of}: {}{details}",
            meaning_of(response.status, code)
        ),
    }
}

/// WhatsApp's own code, and what the server says of it.
pub(super) fn words_of(body: &[u8]) -> (Option<i64>, String) {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = answer.get("code").and_then(Value::as_i64);
    let words = ["message", "error"]
        .iter()
        .find_map(|name| match answer.get(name)? {
            Value::String(words) if !words.is_empty() => Some(words.clone()),
            Value::Array(all) => {
                let words: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
                (!words.is_empty()).then(|| words.join("; "))
            }
            _ => None,
        });
    let status = answer.get("status").and_then(Value::as_str);
    let words = match (words, status) {
        (Some(words), Some(status)) => format!("{words}: {status}"),
        (Some(words), None) => words,
        (None, Some(status)) => status.to_owned(),
        (None, None) => String::new(),
    };
    (code, words)
}

/// Too new a contact: WhatsApp holds back messages to people who do not know the number.
const THROTTLED: i64 = 463;
/// A ban for a time.
const BANNED: i64 = 402;
const LOCKED: i64 = 403;

fn class_of(status: u16, code: Option<i64>, attempt: u32) -> SendClass {
    match (status, code) {
        (422, Some(THROTTLED)) => SendClass::SlowPair(growing(MINUTE, 2, attempt, 60 * MINUTE)),
        (422, Some(BANNED | LOCKED)) | (401 | 403 | 404 | 409, _) => SendClass::StopChannel,
        // Not connected: it was not sent, and the link's state says when it can be.
        (422, _) => SendClass::SlowChannel(growing(2, 2, attempt, MINUTE)),
        (429, _) => SendClass::SlowChannel(growing(30, 2, attempt, 15 * MINUTE)),
        // Nobody knows how far the message came.
        (408 | 500.., _) => SendClass::Ambiguous,
        _ => SendClass::OurFault,
    }
}

pub(super) fn meaning_of(status: u16, code: Option<i64>) -> &'static str {
    match (status, code) {
        (422, Some(THROTTLED)) => "WhatsApp holds back messages to this customer for a while",
        (422, Some(BANNED | LOCKED)) => "WhatsApp has banned this number for a time",
        (300..=399, _) => "its address redirects elsewhere; check api_base",
        (401 | 403, _) => "the key is not taken; check access_token_env or access_token_file",
        (404, _) => "it has no such session, or this is not its address; check session and api_base",
        (409, _) => {
            "another number is linked than the one that is planned, or the connection is being changed"
        }
        (422, _) => "the device is not connected",
        (429, _) => "too many messages",
        (400, _) => "the request is not taken as it is",
        (408 | 500.., _) => "the message may have been sent",
        _ => "an unexpected answer",
    }
}

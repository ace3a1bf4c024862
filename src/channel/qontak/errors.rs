//! Qontak's answers, sorted by what to do next: `{"status": "error", "error": {"code", "messages"}}` and an HTTP status,
//! which decides. What an answer to an expired session looks like is not documented; words of it are looked for.
//!
//! Source: Qontak's Open API (2021) and Mekari's developer centre (2026). No figure for the rate limit is public.

use serde_json::Value;

use crate::channel::failure::{answer_of, growing, obeying, uncertain, without_numbers};
use crate::channel::{HttpResponse, Receipt, SendClass, SendError, SendFailure};

/// A minute, in seconds.
const MINUTE: u64 = 60;

/// What became of a request; `attempt` counts from 1.
pub(super) fn interpret(
    outcome: Result<HttpResponse, SendFailure>,
    attempt: u32,
) -> Result<Receipt, SendError> {
    let response = answer_of("Qontak", outcome, attempt)?;
    if (200..300).contains(&response.status) {
        accepted(&response)
    } else {
        Err(refused(&response, attempt))
    }
}

/// `data.id` of a message or broadcast, `data.url` of an uploaded file. Rooms that are handed over or resolved give
/// neither.
fn accepted(response: &HttpResponse) -> Result<Receipt, SendError> {
    let Ok(answer) = serde_json::from_slice::<Value>(&response.body) else {
        return Err(uncertain(format!(
            "Qontak answered {} with something that is not its JSON",
            response.status
        )));
    };
    if answer.get("status").and_then(Value::as_str) == Some("error") {
        return Err(refused(response, 1));
    }
    let of_data = |name: &str| {
        let text = answer.pointer(&format!("/data/{name}"))?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    };
    Ok(Receipt {
        message_id: of_data("id").or_else(|| of_data("url")),
    })
}

fn refused(response: &HttpResponse, attempt: u32) -> SendError {
    let (code, words) = words_of(&response.body);
    let class = class_of(response.status, &words, attempt);
    let meaning = match (class, response.status) {
        (SendClass::WindowClosed, _) => {
            "the customer wrote more than 24 hours ago; only a template can be sent"
        }
        (_, status) => meaning_of(status),
    };
    let words = without_numbers(&words);
    let details = if words.trim().is_empty() {
        String::new()
    } else {
        format!(" ({})", words.trim())
    };
    SendError {
        class: obeying(class, response),
        code,
        says: format!("Qontak refused with HTTP {}: {meaning}{details}", response.status),
    }
}

/// The code and the messages of a refusal, the messages as one text.
pub(super) fn words_of(body: &[u8]) -> (Option<i64>, String) {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return (None, String::new());
    };
    let code = answer.pointer("/error/code").and_then(Value::as_i64);
    let words = match answer.pointer("/error/messages") {
        Some(Value::Array(messages)) => {
            let texts: Vec<&str> = messages.iter().filter_map(Value::as_str).collect();
            texts.join("; ")
        }
        Some(Value::String(message)) => message.clone(),
        _ => String::new(),
    };
    (code, words)
}

fn class_of(status: u16, words: &str, attempt: u32) -> SendClass {
    match status {
        401 | 403 => SendClass::StopChannel,
        429 => SendClass::SlowChannel(growing(5, 2, attempt, 5 * MINUTE)),
        // Nobody knows how far the message came.
        408 | 500.. => SendClass::Ambiguous,
        400 | 422 if tells_of_the_window(words) => SendClass::WindowClosed,
        _ => SendClass::OurFault,
    }
}

fn tells_of_the_window(words: &str) -> bool {
    let words = words.to_lowercase();
    words.contains("expired") || words.contains("24 hour") || words.contains("24-hour")
}

pub(super) fn meaning_of(status: u16) -> &'static str {
    match status {
        300..=399 => "the API's address redirects elsewhere; check api_base",
        401 => "the access is not valid or has run out; set a new token, or check login and secrets",
        403 => "the access lacks a right; use that of a user who may do everything, or grant qontak-chat:all",
        404 => "the room, the template or the address is not known; check api_base and the templates' ids",
        400 | 422 => "the request is not taken as it is",
        429 => "too many requests",
        500.. => "the message may have been sent",
        _ => "an unexpected answer",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderMap;

    use super::*;

    fn answer(status: u16, body: &str) -> Result<HttpResponse, SendFailure> {
        Ok(HttpResponse {
            status,
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        })
    }

    fn refusal(status: u16, message: &str) -> SendError {
        let body = format!(r#"{{"status":"error","error":{{"code":{status},"messages":["{message}"]}}}}"#);
        interpret(answer(status, &body), 1).unwrap_err()
    }

    #[test]
    fn every_status_has_its_class() {
        let slow = Duration::from_secs(5);
        for (status, message, class) in [
            (401, "Unauthorized", SendClass::StopChannel),
            (403, "Forbidden", SendClass::StopChannel),
            (404, "Room not found", SendClass::OurFault),
            (422, "text is missing", SendClass::OurFault),
            (422, "Room session is expired", SendClass::WindowClosed),
            (429, "Too many requests", SendClass::SlowChannel(slow)),
            (500, "Internal server error", SendClass::Ambiguous),
            (503, "Service unavailable", SendClass::Ambiguous),
            (301, "", SendClass::OurFault),
        ] {
            let refused = refusal(status, message);
            assert_eq!(refused.class, class, "{status} {message}");
            assert_eq!(refused.code, Some(i64::from(status)));
            assert!(refused.says.contains(message), "{}", refused.says);
        }
    }

    #[test]
    fn the_wish_to_wait_is_obeyed_and_waits_grow() {
        let mut slow = answer(429, "{}").unwrap();
        slow.headers
            .insert(http::header::RETRY_AFTER, "30".parse().unwrap());
        let class = interpret(Ok(slow), 1).unwrap_err().class;
        assert_eq!(class, SendClass::SlowChannel(Duration::from_secs(30)));
        let later = interpret(answer(429, "{}"), 3).unwrap_err().class;
        assert_eq!(later, SendClass::SlowChannel(Duration::from_secs(20)));
    }

    #[test]
    fn a_customer_s_number_in_a_refusal_is_blotted_out() {
        let says = refusal(422, "to_number 6281100000011 is not valid").says;
        assert!(
            !says.contains("6281100000011") && says.contains("is not valid"),
            "{says}"
        );
    }

    #[test]
    fn a_receipt_bears_the_id_or_the_address_of_the_file() {
        let id = |body| interpret(answer(201, body), 1).unwrap().message_id;
        assert_eq!(
            id(r#"{"status":"success","data":{"id":"m-1","url":"u"}}"#).as_deref(),
            Some("m-1")
        );
        assert_eq!(
            id(r#"{"status":"success","data":{"url":"https://cdn/x"}}"#).as_deref(),
            Some("https://cdn/x")
        );
        assert_eq!(id(r#"{"status":"success"}"#), None);
    }

    #[test]
    fn what_is_not_certainly_unsent_is_uncertain() {
        let class = |outcome| interpret(outcome, 1).unwrap_err().class;
        assert_eq!(class(answer(200, "<html>")), SendClass::Ambiguous);
        assert_eq!(
            class(Err(SendFailure::Unanswered("reset".into()))),
            SendClass::Ambiguous
        );
        assert_eq!(
            class(Err(SendFailure::NotSent("refused".into()))),
            SendClass::Retry(Duration::from_secs(1))
        );
        assert_eq!(
            class(answer(200, r#"{"status":"error","error":{"messages":["no"]}}"#)),
            SendClass::OurFault
        );
    }
}

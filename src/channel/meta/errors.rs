//! The Cloud API's answers to a send, sorted by what to do next. `code` decides, not the title and (almost) not the HTTP
//! status: throttling comes as 400. The table has a test a code.
//!
//! Source: Meta, Cloud API error codes. A code that is not in the table is tried once more, then given up.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::channel::failure::{answer_of, growing, obeying, uncertain, without_numbers};
use crate::channel::{HttpResponse, Receipt, SendClass, SendError, SendFailure};

/// A minute; waits are given in these.
const MINUTE: u64 = 60;

/// Meta's own shape, and the older one that some providers still answer with.
#[derive(Deserialize)]
#[serde(untagged)]
enum Refusal {
    One { error: Graph },
    Several { errors: Vec<Old> },
}

#[derive(Deserialize)]
struct Old {
    code: i64,
    #[serde(default)]
    title: String,
    #[serde(default)]
    details: String,
}

impl Refusal {
    fn of(body: &[u8]) -> Option<Graph> {
        match serde_json::from_slice(body).ok()? {
            Refusal::One { error } => Some(error),
            Refusal::Several { errors } => errors.into_iter().next().map(|old| Graph {
                code: old.code,
                message: old.title,
                error_subcode: None,
                error_data: Some(Details { details: old.details }),
            }),
        }
    }
}

/// Whether an answer tells of an error, whatever its HTTP status says.
pub(in crate::channel) fn holds_errors(body: &[u8]) -> bool {
    Refusal::of(body).is_some()
}

#[derive(Deserialize)]
struct Graph {
    code: i64,
    #[serde(default)]
    message: String,
    error_subcode: Option<i64>,
    error_data: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    details: String,
}

#[derive(Deserialize)]
struct Accepted {
    #[serde(default)]
    messages: Vec<Id>,
    id: Option<String>,
    success: Option<bool>,
    /// Something that may tell of an error all the same.
    error: Option<IgnoredAny>,
    errors: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

/// What became of a request to whom `name` says; `attempt` counts from 1.
pub(in crate::channel) fn interpret(
    name: &str,
    outcome: Result<HttpResponse, SendFailure>,
    attempt: u32,
) -> Result<Receipt, SendError> {
    let response = answer_of(name, outcome, attempt)?;
    let told = serde_json::from_slice::<Accepted>(&response.body);
    // Nearly all answers name no error, and need not be read again to find none.
    let names_none = told
        .as_ref()
        .is_ok_and(|told| told.error.is_none() && told.errors.is_none());
    if (200..300).contains(&response.status) && (names_none || !holds_errors(&response.body)) {
        accepted(name, told.ok())
    } else {
        Err(refused(name, &response, attempt))
    }
}

fn accepted(name: &str, told: Option<Accepted>) -> Result<Receipt, SendError> {
    match told {
        Some(told) => {
            let message_id = told
                .messages
                .into_iter()
                .next()
                .map(|message| message.id)
                .or(told.id);
            if message_id.is_some() || told.success == Some(true) {
                Ok(Receipt { message_id })
            } else {
                Err(uncertain(format!(
                    "{name} answered 200 without the id of a message"
                )))
            }
        }
        None => Err(uncertain(format!(
            "{name} answered 200 with something that is not its JSON"
        ))),
    }
}

fn refused(name: &str, response: &HttpResponse, attempt: u32) -> SendError {
    let status = response.status;
    let Some(error) = Refusal::of(&response.body) else {
        return SendError {
            class: obeying(class_of_status(status, attempt), response),
            code: None,
            says: format!(
                "{name} answered HTTP {status} without Meta's error object: {}{}",
                meaning_of_status(status),
                words_of(&response.body)
                    .map(|words| format!(" ({words})"))
                    .unwrap_or_default(),
            ),
        };
    };
    let class = class_of(error.code, status, attempt);
    let details = error
        .error_data
        .map(|data| data.details)
        .filter(|details| !details.is_empty());
    let details = without_numbers(&details.unwrap_or(error.message));
    let meaning = match (error.code, error.error_subcode) {
        (190, Some(463)) => "the access token has expired; set a new one, best of a system user",
        (code, _) => meaning_of(code),
    };
    SendError {
        class: obeying(class, response),
        code: Some(error.code),
        says: format!("{name} refused with code {}: {meaning} ({details})", error.code),
    }
}

/// The class of an error code that came with this HTTP status at this attempt.
fn class_of(code: i64, status: u16, attempt: u32) -> SendClass {
    use SendClass::{
        Ambiguous, OurFault, Retry, SlowChannel, SlowPair, StopChannel, Unreachable, WindowClosed,
    };
    let backoff = growing(1, 2, attempt, 5 * MINUTE);
    match code {
        // A fault inside Meta: as a 5xx nobody knows how far the message came.
        131000 => Ambiguous,
        1 | 2 | 131016 | 133004 if status >= 500 => Ambiguous,
        2 | 131016 | 133004 | 133016 => Retry(backoff),
        // Documented both as a bad call and as a passing fault.
        1 if attempt < 2 => Retry(backoff),
        1 => OurFault,
        // Meta could not fetch our link, or did not like the file.
        131053 if attempt < 3 => Retry(growing(5, 2, attempt, MINUTE)),
        131053 => OurFault,
        131056 => SlowPair(growing(1, 4, attempt, 20 * MINUTE)),
        130429 => SlowChannel(growing(1, 2, attempt, MINUTE)),
        131057 => SlowChannel(growing(15, 2, attempt, MINUTE)),
        4 | 80007 | 131064 => SlowChannel(growing(MINUTE, 2, attempt, 15 * MINUTE)),
        // Too many people blocked or reported this number: slow down hard.
        131048 => SlowChannel(growing(10 * MINUTE, 2, attempt, 60 * MINUTE)),
        0 | 3 | 10 | 190 | 200..=299 | 368 | 131005 | 131031 | 131037 | 131042 | 131045 | 133010 => {
            StopChannel
        }
        131047 => WindowClosed,
        130472 | 130497 | 131021 | 131026 | 131030 | 131049 | 131050 | 131062 | 137000 => Unreachable,
        33 | 100 | 131008 | 131009 | 131051 | 132000..=132999 | 135000 => OurFault,
        _ if status >= 500 => Ambiguous,
        _ if matches!(status, 401 | 403) => StopChannel,
        _ if status == 429 => SlowChannel(growing(5, 2, attempt, 5 * MINUTE)),
        _ if attempt < 2 => Retry(backoff),
        _ => OurFault,
    }
}

/// What those who stand between say in error objects of their own, such as 360dialog.
pub(super) fn words_of(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let words = [
        "/meta/developer_message",
        "/error/message",
        "/message",
        "/detail",
        "/error",
    ];
    let words = words
        .iter()
        .find_map(|place| body.pointer(place)?.as_str())
        .map(without_numbers)?;
    (!words.trim().is_empty()).then_some(words)
}

/// Without an error object of Meta's it was a proxy, a provider in between or a broken deployment that answered.
fn class_of_status(status: u16, attempt: u32) -> SendClass {
    match status {
        401 | 403 => SendClass::StopChannel,
        408 | 500.. => SendClass::Ambiguous,
        429 => SendClass::SlowChannel(growing(5, 2, attempt, 5 * MINUTE)),
        _ if attempt < 2 => SendClass::Retry(growing(1, 2, attempt, MINUTE)),
        _ => SendClass::OurFault,
    }
}

fn meaning_of_status(status: u16) -> &'static str {
    match status {
        300..=399 => "the API's address redirects elsewhere; check api_base",
        401 | 403 => "access was refused; check api_base and the access token",
        404 => "nothing is there; check api_base and the API version",
        429 => "too many requests",
        500.. => "the message may have been sent",
        _ => "an unexpected answer",
    }
}

/// What a code of Meta's means, in words for the thread and the operator. The same codes come late, in statuses.
pub fn meaning_of(code: i64) -> &'static str {
    match code {
        0 => "the access token is not valid; set a new one",
        1 => "an unknown API call or a passing fault",
        2 | 131016 => "the service is temporarily unavailable",
        3 | 10 | 200..=299 | 131005 => {
            "the access token lacks a permission; grant whatsapp_business_messaging"
        }
        4 | 80007 => "the app or account made too many calls",
        33 => "the phone number id does not exist; check it in the configuration",
        100 => "a parameter is wrong or unknown",
        190 => "the access token has expired or was revoked; set a new one",
        368 | 131031 => "the account is blocked or locked for breaking a policy; see the business manager",
        130429 => "the number sends more messages a second than it may",
        130472 => "the customer is part of an experiment of Meta's and gets no marketing messages",
        130497 => "the business may not write to customers of that country",
        131000 => "something went wrong at Meta; the message may have been sent",
        131008 => "a required parameter is missing",
        131009 => "a parameter has a value that is not allowed",
        131021 => "the customer's number is the sender's own",
        131026 => "the customer cannot receive it: no WhatsApp there, old app, or terms not accepted",
        131030 => "a test number writes only to the numbers on its allow list; add the customer's",
        131037 => "the number's display name is not approved yet",
        131042 => "there is a problem with the account's payment method",
        131045 => "the number is not registered correctly; register it again",
        131047 => "the customer wrote more than 24 hours ago; only a template can be sent",
        131048 => "too many customers blocked or reported this number",
        131049 => "Meta keeps this message back so that the customer is not overwhelmed; not before 24 hours",
        131050 => "the customer does not want marketing messages",
        131051 => "the kind of message is not supported",
        131052 => "the customer's file could not be downloaded",
        131053 => "the file could not be fetched or has a type that is not allowed",
        131056 => "too many messages to this one customer in a short time",
        131057 => "the account is in maintenance, perhaps because its throughput is being raised",
        131062 => "this kind of message cannot go to a user id, only to a phone number",
        131064 => "too many calls for this app and number",
        132000..=132999 => "the template does not exist, is paused, or its parameters don't fit",
        133004 => "the server is temporarily unavailable",
        133010 => "the number is not registered with the Cloud API; register it",
        133016 => "the number was registered too often in a short time",
        135000 => "the request has an unknown error in its parameters",
        137000 => "the customer can't be written to from this number",
        _ => "a code that is not in our table",
    }
}

#[cfg(test)]
mod tests;

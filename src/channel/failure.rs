//! What a failed send means for whoever sends: try again, slow down, stop, or give up, each with its reason.

use std::time::Duration;

use super::{HttpResponse, SendFailure};

/// A step that was not accepted, or of which nobody knows whether it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{says}")]
pub struct SendError {
    pub class: SendClass,
    /// The provider's own code, if it gave one.
    pub code: Option<i64>,
    /// What happened and what to do, for the thread, the log and the operator. Holds neither text nor numbers of
    /// customers.
    pub says: String,
}

/// What to do next. Times carry no jitter; the sender adds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendClass {
    /// Certainly not sent: the same step again after this time.
    Retry(Duration),
    /// As `Retry`, and nothing else to this customer before.
    SlowPair(Duration),
    /// As `Retry`, and nothing else from this number before.
    SlowChannel(Duration),
    /// Nothing more from this number until somebody changes its configuration. The step is kept.
    StopChannel,
    /// The 24-hour window is closed: a template, or a report.
    WindowClosed,
    /// This customer cannot be reached. Final for this message.
    Unreachable,
    /// The provider will never take this request. Final, and a fault of ours or of the flow.
    OurFault,
    /// It may have been sent. Never repeated blindly.
    Ambiguous,
}

impl SendClass {
    /// Whether the step is certain not to have reached the customer.
    pub fn is_certain(self) -> bool {
        self != SendClass::Ambiguous
    }
}

/// What a provider answered; `name` is whom to speak of, `attempt` counts from 1.
///
/// # Errors
/// If it did not answer: before the request left it is certain that nothing was sent, after it nobody knows.
pub(super) fn answer_of(
    name: &str,
    outcome: Result<HttpResponse, SendFailure>,
    attempt: u32,
) -> Result<HttpResponse, SendError> {
    outcome.map_err(|failure| match failure {
        SendFailure::NotSent(why) => SendError {
            class: SendClass::Retry(growing(1, 2, attempt, 60)),
            code: None,
            says: format!("{name} could not be reached: {why}"),
        },
        SendFailure::Unanswered(why) => uncertain(format!(
            "{name} did not answer, the message may have been sent: {why}"
        )),
    })
}

/// Nobody knows whether it was sent.
pub(super) fn uncertain(says: String) -> SendError {
    SendError {
        class: SendClass::Ambiguous,
        code: None,
        says,
    }
}

/// The longest that a `Retry-After` of the provider is obeyed.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// `first`, then `factor` times as long at each further attempt, at most `longest`; all in seconds.
pub(super) fn growing(first: u64, factor: u64, attempt: u32, longest: u64) -> Duration {
    let grown = factor
        .saturating_pow(attempt.saturating_sub(1))
        .saturating_mul(first);
    Duration::from_secs(grown.min(longest))
}

/// The provider's own wish to wait prevails over a shorter wait of ours, within reason.
pub(super) fn obeying(class: SendClass, response: &HttpResponse) -> SendClass {
    let wish = response
        .headers
        .get(http::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map_or(Duration::ZERO, |seconds| {
            Duration::from_secs(seconds).min(LONGEST_WAIT)
        });
    match class {
        SendClass::Retry(wait) => SendClass::Retry(wait.max(wish)),
        SendClass::SlowPair(wait) => SendClass::SlowPair(wait.max(wish)),
        SendClass::SlowChannel(wait) => SendClass::SlowChannel(wait.max(wish)),
        SendClass::StopChannel
        | SendClass::WindowClosed
        | SendClass::Unreachable
        | SendClass::OurFault
        | SendClass::Ambiguous => class,
    }
}

/// A provider's own words with every run of seven digits or more (a phone number, an id) blotted out: they end in logs.
pub(super) fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    let mut digits = String::new();
    for c in text.chars().take(300).chain(['\0']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        out.push_str(if digits.len() >= 7 { "…" } else { &digits });
        digits.clear();
        if c != '\0' {
            out.push(if c.is_control() { ' ' } else { c });
        }
    }
    out
}

//! What a failed send means for whoever sends: try again, slow down, stop, or give up, each with its reason.

use std::time::Duration;

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

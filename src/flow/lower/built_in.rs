//! What Switchboard says and assumes where the business wrote nothing.

/// Not understood.
pub(super) const OTHERWISE: &str = "Sorry, I didn't understand that.";

/// A fault without its own line; people get the chat then.
pub(super) const PROBLEM: &str = "Something went wrong on our side. A colleague will help you.";

/// Handed to a team outside its hours. `opens` is unknown for a team that never opens again.
pub(super) const CLOSED: &str =
    "We're away right now and back {{ opens | default('soon') }}. Your message waits for us.";

pub(super) const TIMEZONE: &str = "UTC";
pub(super) const LANGUAGE: &str = "en";
pub(super) const BURST_QUIET_MS: u64 = 2_000;
pub(super) const ACTION_TIMEOUT_MS: u64 = 5_000;

//! What holds where the business file says nothing. Sentences that nobody wrote are not here: the machine says its
//! own, in the customer's language.

pub(super) const TIMEZONE: &str = "UTC";
pub(super) const LANGUAGE: &str = "en";
pub(super) const BURST_QUIET_MS: u64 = 2_000;
pub(super) const ACTION_TIMEOUT_MS: u64 = 5_000;

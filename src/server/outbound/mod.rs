//! Out to the customer: what turns have queued is sent, at the pace and in the amount that a number bears.

pub(super) mod seen;
pub(super) mod sender;
pub(super) mod templates;
pub(super) mod tokens;
pub(super) mod uploads;
pub mod volume;

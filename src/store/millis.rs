//! Whole milliseconds since 1970, the form in which stores keep time.

use std::time::Duration;

use jiff::Timestamp;

/// The clock's time: never ahead of it.
pub(crate) fn floor(at: Timestamp) -> i64 {
    at.as_nanosecond()
        .div_euclid(1_000_000)
        .try_into()
        .unwrap_or(i64::MAX)
}

/// A time to wait for: never before it.
pub(crate) fn ceil(at: Timestamp) -> i64 {
    let whole = floor(at);
    if at.as_nanosecond().rem_euclid(1_000_000) == 0 {
        whole
    } else {
        whole.saturating_add(1)
    }
}

pub(crate) fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(if millis < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// `from` and this much later.
pub(crate) fn after(from: i64, by: Duration) -> i64 {
    from.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX))
}

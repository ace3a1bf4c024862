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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn now_is_rounded_down_and_what_is_awaited_up() {
        for nanos in [-1_500_000, -1_000_000, -1, 0, 1, 999_999, 1_000_000, 1_000_001] {
            let at = Timestamp::from_nanosecond(nanos).unwrap();
            let (floor, ceil) = (
                i128::from(floor(at)) * 1_000_000,
                i128::from(ceil(at)) * 1_000_000,
            );
            assert!(floor <= nanos && nanos - floor < 1_000_000);
            assert!(ceil >= nanos && ceil - nanos < 1_000_000);
        }
    }

    #[test]
    fn times_beyond_the_calendar_stay_at_its_ends() {
        assert_eq!(timestamp(i64::MAX), Timestamp::MAX);
        assert_eq!(timestamp(i64::MIN), Timestamp::MIN);
        assert_eq!(after(5, Duration::MAX), i64::MAX);
    }
}

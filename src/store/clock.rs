//! The store's clock. Time enters Switchboard here and nowhere else.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

pub trait Clock: Send + Sync + std::fmt::Debug {
    fn now(&self) -> Timestamp;
}

#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The system's clock, moved forward by hand: for the demo page and tests. It never goes back.
#[derive(Debug, Default)]
pub struct MovableClock {
    /// Milliseconds ahead of the system.
    ahead: AtomicI64,
}

impl MovableClock {
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4);
        self.ahead.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        let ahead = jiff::SignedDuration::from_millis(self.ahead.load(Ordering::SeqCst));
        now.checked_add(ahead).unwrap_or(now)
    }
}

/// Stands still until it is moved: for tests that want exact times.
#[derive(Debug)]
pub struct StillClock {
    /// Milliseconds since 1970.
    at: AtomicI64,
}

impl StillClock {
    pub fn at(start: Timestamp) -> StillClock {
        StillClock {
            at: AtomicI64::new(start.as_millisecond()),
        }
    }

    /// Moves it, back too: a machine's clock can be set.
    pub fn shift(&self, milliseconds: i64) {
        self.at.fetch_add(milliseconds, Ordering::SeqCst);
    }

    pub fn advance(&self, by: Duration) {
        self.shift(i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4));
    }
}

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.at.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }
}

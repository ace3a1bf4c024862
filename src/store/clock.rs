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

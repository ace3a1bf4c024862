//! The double's clock: the real one, moved on at will. Whoever waits on it wakes when it is moved.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

#[derive(Debug, Default)]
pub struct Clock {
    ahead_ms: AtomicI64,
    moved: Notify,
}

impl Clock {
    pub fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_millis(self.ahead_ms.load(Ordering::SeqCst))
    }

    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).expect("a clock is moved by less than 292 million years");
        self.ahead_ms.fetch_add(by, Ordering::SeqCst);
        self.moved.notify_waiters();
    }

    pub async fn sleep(&self, time: Duration) {
        let due =
            self.now() + SignedDuration::try_from(time).expect("a wait is shorter than 292 billion years");
        loop {
            let moved = self.moved.notified();
            let left = due.duration_since(self.now());
            let Ok(left) = Duration::try_from(left) else {
                return;
            };
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = moved => {}
            }
        }
    }
}

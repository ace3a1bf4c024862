//! Wakes those who wait for work: when something was written, and when the soonest known work falls due.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::{Clock, millis};

/// A movable clock does not say that it was moved, and a ring can fall between two calls of a caller who was not
/// waiting: no wait is blind for longer than this.
const LONGEST_BLINK: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(crate) struct Bell {
    notify: Notify,
    soonest: AtomicI64,
}

impl Bell {
    pub(crate) fn new() -> Bell {
        Bell {
            notify: Notify::new(),
            soonest: AtomicI64::new(i64::MAX),
        }
    }

    /// Something changed; the soonest work is now due then.
    pub(crate) fn ring(&self, soonest: Option<i64>) {
        self.soonest.store(soonest.unwrap_or(i64::MAX), Ordering::SeqCst);
        // All who wait now, and the next one to come.
        self.notify.notify_waiters();
        self.notify.notify_one();
    }

    pub(crate) async fn wait(&self, clock: &dyn Clock) {
        let rung = self.notify.notified();
        tokio::pin!(rung);
        loop {
            let ahead = self
                .soonest
                .load(Ordering::SeqCst)
                .saturating_sub(millis::floor(clock.now()));
            // Work that is due and that nobody takes must not make its callers spin.
            let blink = match u64::try_from(ahead) {
                Ok(ahead) if ahead > 0 => LONGEST_BLINK.min(Duration::from_millis(ahead)),
                _ => LONGEST_BLINK,
            };
            tokio::select! {
                () = &mut rung => return,
                () = tokio::time::sleep(blink) => {}
            }
            if self.soonest.load(Ordering::SeqCst) <= millis::floor(clock.now()) {
                return;
            }
        }
    }
}

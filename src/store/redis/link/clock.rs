//! The time of the servers, told by this machine's monotonic clock and the difference measured now and then.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// The servers' clock was set, rather than measured a little differently, if it moved back by more.
const SET: i64 = 1_000_000;
/// A measurement on a slow line says little.
const SLOW: Duration = Duration::from_millis(200);
/// Of several servers one tells the time. Silent for so long, it is followed by another.
const SILENT: Duration = Duration::from_secs(10);

/// Microseconds since 1970 throughout.
#[derive(Debug)]
pub(super) struct ServerClock {
    began: Instant,
    /// The servers' time when `began` was.
    origin: AtomicI64,
    /// The latest time that was told.
    told: AtomicI64,
    /// The server that tells the time, 0 if none has; and when it last did, since `began`.
    teller: AtomicU64,
    heard: AtomicI64,
}

impl ServerClock {
    /// Begins with this machine's own clock.
    pub(super) fn new() -> ServerClock {
        ServerClock {
            began: Instant::now(),
            origin: AtomicI64::new(Timestamp::now().as_microsecond()),
            told: AtomicI64::new(i64::MIN),
            teller: AtomicU64::new(0),
            heard: AtomicI64::new(0),
        }
    }

    /// The server number `who` said it is `time`; it was asked at `asked` and the answer came at `answered`.
    pub(super) fn measured(&self, who: u64, time: i64, asked: Instant, answered: Instant) {
        let trip = answered.saturating_duration_since(asked);
        let teller = self.teller.load(Ordering::SeqCst);
        let age = micros(self.began.elapsed()).saturating_sub(self.heard.load(Ordering::SeqCst));
        if teller != 0 && (trip > SLOW || (teller != who && age < micros(SILENT))) {
            return;
        }
        self.teller.store(who, Ordering::SeqCst);
        self.heard.store(micros(self.began.elapsed()), Ordering::SeqCst);
        let middle = micros(asked.saturating_duration_since(self.began)) + micros(trip) / 2;
        let origin = time.saturating_sub(middle);
        let before = self.origin.swap(origin, Ordering::SeqCst);
        if before.saturating_sub(origin) > SET {
            // Whoever set the clock back means it.
            self.told.store(i64::MIN, Ordering::SeqCst);
        }
    }

    /// Never before what was told, unless the servers' clock itself was set back.
    pub(super) fn now(&self) -> Timestamp {
        let now = self
            .origin
            .load(Ordering::SeqCst)
            .saturating_add(micros(self.began.elapsed()));
        let told = self.told.fetch_max(now, Ordering::SeqCst).max(now);
        Timestamp::from_microsecond(told).unwrap_or(Timestamp::MAX)
    }

    /// How far this machine's clock is behind the servers', in milliseconds.
    pub(super) fn ahead(&self) -> i64 {
        (self.now().as_microsecond() - Timestamp::now().as_microsecond()) / 1000
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    fn told(clock: &ServerClock) -> i64 {
        clock.now().as_microsecond()
    }

    #[test]
    fn the_servers_time_is_told_whatever_this_machines_clock_says() {
        let clock = ServerClock::new();
        let there = told(&clock) + 5 * MINUTE;
        let now = Instant::now();
        clock.measured(1, there, now, now);
        assert!(told(&clock) >= there);
        assert!((clock.ahead() - 300_000).abs() < 10_000);
    }

    #[test]
    fn a_measurement_that_errs_never_makes_time_run_backwards() {
        let clock = ServerClock::new();
        let now = Instant::now();
        clock.measured(1, told(&clock), now, now);
        let before = told(&clock);
        for error in [-400_000, -90_000, 20_000, -300_000] {
            let now = Instant::now();
            clock.measured(1, before + error, now, now);
            assert!(told(&clock) >= before);
        }
    }

    #[test]
    fn a_clock_that_was_set_back_is_followed() {
        let clock = ServerClock::new();
        let before = told(&clock);
        let now = Instant::now();
        clock.measured(1, before - 60 * MINUTE, now, now);
        assert!(told(&clock) < before - 59 * MINUTE);
    }

    #[test]
    fn of_servers_that_disagree_one_tells_the_time() {
        let clock = ServerClock::new();
        let before = told(&clock);
        let now = Instant::now();
        clock.measured(1, before, now, now);
        clock.measured(2, before + 10 * MINUTE, now, now);
        assert!(told(&clock) < before + 5 * MINUTE);
    }

    #[test]
    fn a_slow_answer_does_not_move_a_clock_that_was_measured() {
        let clock = ServerClock::new();
        let now = Instant::now();
        clock.measured(1, told(&clock), now, now);
        let before = told(&clock);
        let asked = Instant::now();
        clock.measured(1, before + 10 * MINUTE, asked, asked + Duration::from_secs(1));
        assert!(told(&clock) < before + 5 * MINUTE);
    }
}

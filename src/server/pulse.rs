//! Whether the store answers: one opinion for the whole process, made of every step it takes. While the store is away,
//! webhooks are refused at once instead of each waiting for it, and workers rest longer and longer.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::parts::lock;
use crate::store::StoreError;

/// So many failures one after the other, and the store is away.
const AWAY_AFTER: u32 = 3;
/// While it is away, one webhook is let through this often, to see whether it is back.
const PROBE_EVERY: Duration = Duration::from_millis(250);
const FIRST_REST: Duration = Duration::from_millis(50);
const LONGEST_REST: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(super) struct Pulse {
    beat: Mutex<Beat>,
}

#[derive(Debug, Default)]
struct Beat {
    /// Failures since the last answer.
    missed: u32,
    away_since: Option<Instant>,
    probed_at: Option<Instant>,
}

impl Pulse {
    /// What a step of the store came to.
    pub fn heard<T>(&self, outcome: &Result<T, StoreError>) {
        match outcome {
            Err(why @ (StoreError::Unavailable(_) | StoreError::ReadOnly(_) | StoreError::Unknown(_))) => {
                self.missed(why);
            }
            // A refusal is an answer too.
            Ok(_)
            | Err(
                StoreError::Full(_)
                | StoreError::Corrupt { .. }
                | StoreError::TooBig { .. }
                | StoreError::TooMany { .. }
                | StoreError::Version { .. }
                | StoreError::Clash(_)
                | StoreError::Locked(_)
                | StoreError::Unfit(_),
            ) => self.answered(),
        }
    }

    /// A step was given up before the store answered.
    pub fn silent(&self) {
        self.missed(&"it does not answer in time");
    }

    fn answered(&self) {
        let mut beat = lock(&self.beat);
        if beat.missed == 0 {
            return;
        }
        let away = beat.away_since;
        *beat = Beat::default();
        drop(beat);
        if let Some(since) = away {
            tracing::info!(
                away_ms = since.elapsed().as_millis() as u64,
                "the store is back; work goes on"
            );
        }
    }

    fn missed(&self, why: &dyn std::fmt::Display) {
        let mut beat = lock(&self.beat);
        beat.missed = beat.missed.saturating_add(1);
        if beat.missed < AWAY_AFTER || beat.away_since.is_some() {
            return;
        }
        beat.away_since = Some(Instant::now());
        drop(beat);
        tracing::error!(%why, "the store is away: webhooks are refused, work rests and goes on by itself");
    }

    /// Whether a webhook may try the store now.
    pub fn lets_in(&self) -> bool {
        let mut beat = lock(&self.beat);
        if beat.away_since.is_none() {
            return true;
        }
        let due = beat.probed_at.is_none_or(|at| at.elapsed() >= PROBE_EVERY);
        if due {
            beat.probed_at = Some(Instant::now());
        }
        due
    }

    /// How long a worker rests before it asks the store again.
    pub fn rest(&self) -> Option<Duration> {
        let missed = lock(&self.beat).missed;
        let doubled = FIRST_REST.saturating_mul(1 << missed.checked_sub(1)?.min(10));
        // Up to half less, so that many workers don't come back at once.
        let share = getrandom::u32().map_or(0.0, |n| f64::from(n) / f64::from(u32::MAX));
        Some(doubled.min(LONGEST_REST).mul_f64(1.0 - share / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> Result<(), StoreError> {
        Err(StoreError::Unavailable("connection refused".into()))
    }

    #[test]
    fn a_dead_store_is_not_waited_for_by_each_webhook_and_one_answer_opens_the_door() {
        let pulse = Pulse::default();
        pulse.heard(&away());
        pulse.heard(&away());
        assert!(pulse.lets_in(), "two failures are no outage");
        pulse.silent();
        assert!(pulse.lets_in(), "one goes to see");
        assert!((0..100).filter(|_| pulse.lets_in()).count() <= 1);
        pulse.heard(&Err::<(), _>(StoreError::Full("no memory".into())));
        assert!((0..100).all(|_| pulse.lets_in()), "a refusal is an answer");
    }

    #[test]
    fn workers_rest_longer_each_time_and_at_most_two_seconds() {
        let pulse = Pulse::default();
        assert_eq!(pulse.rest(), None);
        let mut longest = Duration::ZERO;
        for n in 0..40 {
            pulse.heard(&away());
            let rest = pulse.rest().expect("a rest");
            assert!(rest >= FIRST_REST / 2 && rest <= LONGEST_REST);
            if n == 0 {
                assert!(rest <= FIRST_REST);
            }
            longest = longest.max(rest);
        }
        assert!(longest > Duration::from_secs(1));
        pulse.heard(&Ok(()));
        assert_eq!(pulse.rest(), None);
    }
}

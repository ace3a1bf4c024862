//! Whether the store answers: one opinion for the whole process, made of every step it takes. While the store is away,
//! webhooks are refused at once instead of each waiting for it, and workers rest longer and longer.
//!
//! A store of several servers is judged server by server: while one is away, those whose contacts are elsewhere notice
//! nothing. What concerns several of them, or nobody's contact, says nothing of any one.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::server::parts::lock;
use crate::store::StoreError;

/// So many failures one after the other, and the store is away.
const AWAY_AFTER: u32 = 3;
/// While it is away, one webhook is let through this often, to see whether it is back.
const PROBE_EVERY: Duration = Duration::from_millis(250);
const FIRST_REST: Duration = Duration::from_millis(50);
const LONGEST_REST: Duration = Duration::from_secs(2);

/// A server of the store, by number; `None`: the store as a whole.
pub(in crate::server) type Part = Option<u16>;

#[derive(Debug)]
pub(in crate::server) struct Pulse {
    /// The store has several servers.
    parted: bool,
    beats: Mutex<BTreeMap<Part, Beat>>,
}

#[derive(Debug, Default)]
struct Beat {
    /// Failures since the last answer.
    missed: u32,
    away_since: Option<Instant>,
    probed_at: Option<Instant>,
}

impl Pulse {
    pub fn new(parted: bool) -> Pulse {
        Pulse {
            parted,
            beats: Mutex::default(),
        }
    }

    /// What a step of the store came to that concerned this part of it.
    pub fn heard<T>(&self, part: Part, outcome: &Result<T, StoreError>) {
        match outcome {
            Err(why @ (StoreError::Unavailable(_) | StoreError::ReadOnly(_) | StoreError::Unknown(_))) => {
                self.missed(part, why);
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
            ) => self.answered(part),
        }
    }

    /// A step was given up before the store answered.
    pub fn silent(&self) {
        self.missed(None, &"it does not answer in time");
    }

    fn answered(&self, part: Part) {
        let mut beats = lock(&self.beats);
        let before = beats.insert(part, Beat::default());
        drop(beats);
        if let Some(since) = before.and_then(|beat| beat.away_since) {
            tracing::info!(
                server = part,
                away_ms = since.elapsed().as_millis() as u64,
                "the store is back; work goes on"
            );
        }
    }

    fn missed(&self, part: Part, why: &dyn std::fmt::Display) {
        let mut beats = lock(&self.beats);
        let beat = beats.entry(part).or_default();
        beat.missed = beat.missed.saturating_add(1);
        let whole = self.parted && part.is_none();
        if beat.missed < AWAY_AFTER || beat.away_since.is_some() || whole {
            return;
        }
        beat.away_since = Some(Instant::now());
        drop(beats);
        tracing::error!(
            server = part, %why,
            "the store is away: its webhooks are refused, its work rests and goes on by itself"
        );
    }

    /// Whether a webhook may try this part of the store now.
    pub fn lets_in(&self, part: Part) -> bool {
        let mut beats = lock(&self.beats);
        let Some(beat) = beats.get_mut(&part) else {
            return true;
        };
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
        let beats = lock(&self.beats);
        let of_parts = beats.iter().filter(|(part, _)| part.is_some());
        // While one of several answers, there is work to do.
        let missed = match of_parts.map(|(_, beat)| beat.missed).min() {
            Some(missed) => missed,
            None => beats.get(&None).map_or(0, |beat| beat.missed),
        };
        drop(beats);
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
        let pulse = Pulse::new(false);
        pulse.heard(None, &away());
        pulse.heard(None, &away());
        assert!(pulse.lets_in(None), "two failures are no outage");
        pulse.silent();
        assert!(pulse.lets_in(None), "one goes to see");
        assert!((0..100).filter(|_| pulse.lets_in(None)).count() <= 1);
        pulse.heard(None, &Err::<(), _>(StoreError::Full("no memory".into())));
        assert!((0..100).all(|_| pulse.lets_in(None)), "a refusal is an answer");
    }

    #[test]
    fn workers_rest_longer_each_time_and_at_most_two_seconds() {
        let pulse = Pulse::new(false);
        assert_eq!(pulse.rest(), None);
        let mut longest = Duration::ZERO;
        for n in 0..40 {
            pulse.heard(None, &away());
            let rest = pulse.rest().expect("a rest");
            assert!(rest >= FIRST_REST / 2 && rest <= LONGEST_REST);
            if n == 0 {
                assert!(rest <= FIRST_REST);
            }
            longest = longest.max(rest);
        }
        assert!(longest > Duration::from_secs(1));
        pulse.heard(None, &Ok(()));
        assert_eq!(pulse.rest(), None);
    }

    #[test]
    fn one_server_that_is_away_refuses_only_its_own_and_lets_the_others_work() {
        let pulse = Pulse::new(true);
        let (dead, lives) = (Some(0), Some(1));
        pulse.heard(lives, &Ok(()));
        for _ in 0..5 {
            pulse.heard(dead, &away());
            // What asks all of them fails too.
            pulse.heard(None, &away());
            pulse.silent();
        }
        assert!(pulse.lets_in(dead), "one goes to see");
        assert!(!pulse.lets_in(dead));
        assert!((0..10).all(|_| pulse.lets_in(lives) && pulse.lets_in(None) && pulse.lets_in(Some(2))));
        assert_eq!(pulse.rest(), None);
        pulse.heard(lives, &away());
        assert!(pulse.rest().is_some(), "now none answers");
        pulse.heard(dead, &Ok(()));
        assert!((0..10).all(|_| pulse.lets_in(dead)));
    }
}

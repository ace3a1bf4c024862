//! In which partitions timers or jobs may be due: a lower bound for each, so that firing and claiming need not ask all of
//! them every time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{PARTITIONS, Partition};

/// Other processes set timers and ask for jobs too: all partitions are asked again after this time.
const STALE: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) struct Horizon {
    soonest: Vec<AtomicI64>,
    asked: Mutex<Option<Instant>>,
}

impl Default for Horizon {
    fn default() -> Horizon {
        Horizon {
            soonest: (0..PARTITIONS).map(|_| AtomicI64::new(i64::MIN)).collect(),
            asked: Mutex::new(None),
        }
    }
}

impl Horizon {
    /// The partitions to ask, with their bounds as they are now, soonest first.
    pub(super) fn to_ask(&self, now: i64) -> Vec<(Partition, i64)> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let all = asked.is_none_or(|asked| asked.elapsed() > STALE);
        if all {
            *asked = Some(Instant::now());
        }
        let mut to_ask: Vec<(Partition, i64)> = Partition::all()
            .map(|partition| (partition, self.of(partition).load(Ordering::SeqCst)))
            .filter(|(_, soonest)| all || *soonest <= now)
            .collect();
        to_ask.sort_by_key(|(_, soonest)| *soonest);
        to_ask
    }

    /// A partition has said what is soonest in it, asked when its bound was `was`. One that fell since is kept.
    pub(super) fn told(&self, partition: Partition, was: i64, soonest: Option<i64>) {
        let soonest = soonest.unwrap_or(i64::MAX);
        let _fell = self
            .of(partition)
            .compare_exchange(was, soonest, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Something may be due there then.
    pub(super) fn lower(&self, partition: Partition, at: i64) {
        self.of(partition).fetch_min(at, Ordering::SeqCst);
    }

    pub(super) fn lower_all(&self, at: i64) {
        Partition::all().for_each(|partition| self.lower(partition, at));
    }

    /// The answers of the last look were not complete.
    pub(super) fn ask_again(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn of(&self, partition: Partition) -> &AtomicI64 {
        &self.soonest[usize::from(partition.0)]
    }
}

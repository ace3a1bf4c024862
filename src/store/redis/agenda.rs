//! What this process knows of work that is about to fall due, so that the usual case needs no look at the store. Hints
//! only: claims decide, and a regular look finds what is missing here.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::store::{ContactId, Due};

/// What is further away than this is left to the regular look.
pub(super) const AHEAD: i64 = 2_000;
/// What does not fit is left to it too.
const HINTS: usize = 100_000;
/// Hints in one wake-up at most.
const BATCH: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Agenda {
    hints: Mutex<BinaryHeap<Reverse<(i64, u8, ContactId)>>>,
    rung: Notify,
}

impl Agenda {
    pub(super) fn note(&self, kind: Due, at: Option<i64>, contact: ContactId, now: i64) {
        let Some(at) = at else { return };
        if at > now.saturating_add(AHEAD) {
            return;
        }
        let mut hints = self.lock();
        if hints.len() < HINTS {
            hints.push(Reverse((at, kind as u8, contact)));
        }
        drop(hints);
        self.rung.notify_one();
    }

    /// What is due, each contact and kind once.
    pub(super) fn due(&self, now: i64) -> Vec<(Due, ContactId)> {
        let mut hints = self.lock();
        let (mut due, mut seen) = (Vec::new(), BTreeSet::new());
        while due.len() < BATCH
            && let Some(Reverse((at, kind, contact))) = hints.peek().copied()
            && at <= now
        {
            hints.pop();
            if seen.insert((kind, contact)) {
                due.extend(kind_of(kind).map(|kind| (kind, contact)));
            }
        }
        due
    }

    /// When the soonest hint is due.
    pub(super) fn soonest(&self) -> Option<i64> {
        self.lock().peek().map(|Reverse((at, ..))| *at)
    }

    pub(super) async fn changed(&self) {
        self.rung.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, BinaryHeap<Reverse<(i64, u8, ContactId)>>> {
        self.hints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn kind_of(number: u8) -> Option<Due> {
    [Due::Run, Due::Send, Due::Timer, Due::Job]
        .into_iter()
        .find(|kind| *kind as u8 == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_come_when_due_soonest_first_and_once() {
        let agenda = Agenda::default();
        let (ana, budi) = (ContactId([1; 16]), ContactId([2; 16]));
        agenda.note(Due::Run, Some(1_500), ana, 1_000);
        agenda.note(Due::Send, Some(1_200), budi, 1_000);
        agenda.note(Due::Send, Some(1_200), budi, 1_000);
        agenda.note(Due::Timer, Some(9_000), budi, 1_000);
        agenda.note(Due::Job, None, budi, 1_000);
        assert_eq!(agenda.due(1_100), []);
        assert_eq!(agenda.soonest(), Some(1_200));
        assert_eq!(agenda.due(1_500), [(Due::Send, budi), (Due::Run, ana)]);
        assert_eq!(agenda.soonest(), None);
    }
}

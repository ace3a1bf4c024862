//! The shortest walk to the same break: moves are left out, first many, then single ones.

use super::{Explorer, Lost, Turn, play, way_out};
use crate::chat::promises::Broken;

/// Walks that are tried; each costs about as much as the walk that was lost.
const TRIES: usize = 3_000;

pub(super) fn shortest(explorer: &Explorer<'_>, lost: &Lost) -> Vec<Turn> {
    let mut turns = lost.turns.clone();
    let mut tries = 0;
    let mut chunk = turns.len() / 2;
    while chunk > 0 && tries < TRIES {
        let mut start = 0;
        let mut shorter = false;
        while start < turns.len() && tries < TRIES {
            let end = (start + chunk).min(turns.len());
            let without: Vec<Turn> = turns[..start].iter().chain(&turns[end..]).cloned().collect();
            tries += 1;
            match breaks(explorer, lost, &without) {
                Some(count) => {
                    turns = without;
                    turns.truncate(count);
                    shorter = true;
                }
                None => start = end,
            }
        }
        // Single moves are tried until none can go.
        if chunk > 1 || !shorter {
            chunk /= 2;
        }
    }
    turns
}

/// After how many of the moves the same promise is broken by the same cause.
fn breaks(explorer: &Explorer<'_>, lost: &Lost, turns: &[Turn]) -> Option<usize> {
    let mut rehearsal = explorer.rehearsal(lost.seed);
    for (index, turn) in turns.iter().enumerate() {
        if let Err(what) = play(&mut rehearsal, turn) {
            return (what.cause() == lost.what.cause()).then_some(index + 1);
        }
    }
    if !matches!(lost.what, Broken::Stranded { .. }) {
        return None;
    }
    way_out(&rehearsal)
        .err()
        .filter(|what| what.cause() == lost.what.cause())
        .map(|_| turns.len())
}

//! Whether a customer who goes on can get to a person, or the conversation to an end.
//!
//! A bounded search: from where the conversation stands, every option, a fitting answer, nonsense, each word that
//! interrupts, each `no reply` line, and for moves that call a service several answers of it. That the number's own
//! silence or the twelve hours end every chat does not count: that is no way out for somebody who writes.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::chance::Chance;
use super::words::Words;
use super::{Move, Turn, asked_form, wanted};
use crate::chat::promises::{Broken, at, is_an_end};
use crate::chat::rehearsal::{Happened, Improvise, Rehearsal};
use crate::chat::story::Act;
use crate::engine::{Mode, Position};

/// Places that are looked at; one that is not found out in so many is called stranded.
const PLACES: usize = 600;
/// Answers of a service that are tried.
const LUCKS: u64 = 6;

pub(in crate::chat) fn way_out(rehearsal: &Rehearsal<'_>) -> Result<(), Broken> {
    if is_out(rehearsal) {
        return Ok(());
    }
    let words = match &rehearsal.improvise {
        Some(improvise) => improvise.words.clone(),
        None => Arc::new(Words::of(rehearsal.machine().program())),
    };
    let mut start = rehearsal.without_its_past();
    start.improvise.get_or_insert_with(|| Improvise {
        luck: 0,
        words: words.clone(),
        next: None,
        healthy: false,
    });
    let mut seen = BTreeSet::from([key(&start.position)]);
    let mut queue = VecDeque::from([start]);
    while let Some(here) = queue.pop_front() {
        for what in moves(&here, &words) {
            for luck in 0..LUCKS {
                let mut next = here.without_its_past();
                // A broken promise on the way is found by those who walk it.
                let _ = super::play(
                    &mut next,
                    &Turn {
                        what: what.clone(),
                        luck: luck * 0x1234_5677,
                        next: None,
                    },
                );
                if is_out(&next) {
                    return Ok(());
                }
                let called = !next.improvised.is_empty() || !next.imagined.is_empty();
                if seen.len() < PLACES && seen.insert(key(&next.position)) {
                    queue.push_back(next);
                }
                if !called {
                    break;
                }
            }
        }
    }
    Err(Broken::Stranded {
        at: at(&rehearsal.position),
    })
}

/// A person has the chat, the flow is finished, or the chat closed because the author says so.
pub(in crate::chat) fn is_out(rehearsal: &Rehearsal<'_>) -> bool {
    let position = &rehearsal.position;
    let closed = rehearsal.happened.iter().any(|happened| match happened {
        Happened::Closed(why) => is_an_end(*why),
        _ => false,
    });
    position.mode == Mode::Human || closed || position.frames.is_empty()
}

/// What makes two places the same for the search.
fn key(position: &Position) -> String {
    let mut key = String::new();
    for frame in position
        .frames
        .iter()
        .chain(position.interrupted.iter().flatten())
    {
        key += &frame.at;
        key.push(' ');
        key += &frame.misses.min(9).to_string();
        key += &frame.silences.min(9).to_string();
        key.push('/');
    }
    key
}

pub(super) fn moves(rehearsal: &Rehearsal<'_>, words: &Words) -> Vec<Move> {
    let mut chance = Chance(7);
    let says = Move::does;
    let mut moves: Vec<Move> = rehearsal
        .options()
        .into_iter()
        .map(|label| says(Act::Taps(label)))
        .collect();
    for kind in wanted(rehearsal) {
        for _ in 0..3 {
            moves.push(says(chance.answer(kind, words)));
        }
    }
    if let Some(form) = asked_form(rehearsal) {
        moves.extend((0..3).map(|_| says(chance.fitting_form(form, words))));
    }
    moves.push(says(Act::Types("qqq zzz".to_owned())));
    if let Some((id, due)) = rehearsal.next_timer()
        && id.starts_with('q')
    {
        let by = due.duration_since(rehearsal.now()).unsigned_abs();
        moves.push(Move::Silence(by));
    }
    moves.extend(words.triggers.iter().map(|word| says(Act::Types(word.clone()))));
    moves
}

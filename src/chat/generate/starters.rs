//! The twelve conversations that every flow should be able to have: the happy one, and those that go wrong.

use std::collections::BTreeSet;

use jiff::civil::DateTime;

use super::{Chat, LONGEST, MORNING, NIGHT, Writer, begin, nonsense, says, types};
use crate::chat::explore::{Chance, Move, Turn, asked_form, is_out, play, wanted};
use crate::chat::promises::at;
use crate::chat::rehearsal::Rehearsal;
use crate::chat::story::{Act, GivenAnswer};
use crate::chat::written::{can_tap, is_writable};
use crate::engine::{Exit, Log, Mode};
use crate::flow::program::Trigger;
use crate::flow::tree::Kind;

impl Writer<'_> {
    /// Those of the twelve that the flow can have.
    pub(super) fn starters(&self) -> Vec<Chat> {
        let mut chats = Vec::new();
        let mut add = |title: &str, start: DateTime, turns: Vec<Turn>| {
            if !turns.is_empty() {
                chats.push(Chat {
                    title: title.to_owned(),
                    start,
                    turns,
                });
            }
        };
        let start = self.rehearsal(MORNING);
        let asked = matches!(start.log.last(), Some(Log::Asked { .. }));
        let happy = self.happy(None);
        add("Happy path", MORNING, happy.clone());
        if asked {
            let first = happy.first().cloned();
            add("A wrong answer", MORNING, vec![nonsense()]);
            let often: Vec<Turn> = self.until_left();
            add("Wrong too often", MORNING, often);
            add("Silence", MORNING, self.quiet());
            if let Some(word) = self.digression() {
                add("A digression, and back", MORNING, vec![types(&word)]);
            }
            add(
                "A correction",
                MORNING,
                std::iter::once(nonsense()).chain(first.clone()).collect(),
            );
            add("Cancelled", MORNING, vec![types("stop")]);
            if let Some(old) = self.old_button(first.as_ref()) {
                add("An old button", MORNING, old);
            }
            if wanted(&start).contains(&Kind::Text) {
                let burst = "It is broken.\nAnd it came late.".to_owned();
                add("Several messages as one", MORNING, vec![says(Act::Types(burst))]);
            }
        }
        if let Some(word) = self.person(&start) {
            add("A person is asked for", MORNING, vec![types(&word)]);
            if self
                .program()
                .business
                .teams
                .iter()
                .any(|team| !team.hours.is_empty())
            {
                add("Outside the hours", NIGHT, vec![types(&word)]);
            }
        }
        let down = self.happy(Some(GivenAnswer::IsDown));
        if down != happy {
            add("The service is down", MORNING, down);
        }
        chats
    }

    /// First options and fitting answers until the end. With an answer given, the first call gets it and the rest goes on.
    fn happy(&self, mut answer: Option<GivenAnswer>) -> Vec<Turn> {
        let mut turns = Vec::new();
        let mut seen = BTreeSet::new();
        let mut here = self.rehearsal(MORNING);
        let mut chance = Chance(5);
        while turns.len() < LONGEST && !is_out(&here) && seen.insert(at(&here.position)) {
            let form = asked_form(&here).map(begin::filled);
            let act = match (form, wanted(&here).first()) {
                (Some(form), _) => form.into_iter().next().map(|(_, act)| act),
                (None, Some(kind)) => Some(self.answer(kind, &mut chance)),
                (None, None) => here
                    .options()
                    .into_iter()
                    .find(|label| can_tap(label))
                    .map(Act::Taps),
            };
            let Some(act) = act else {
                break;
            };
            let mut next = says(act);
            let mut ahead = here.clone();
            let _ = play(&mut ahead, &next);
            if !ahead.improvised.is_empty()
                && let Some(answer) = answer.take()
            {
                next.next = Some(answer);
                turns.push(next);
                return turns;
            }
            here = ahead;
            turns.push(next);
        }
        turns
    }

    /// Nonsense until the question is given up.
    fn until_left(&self) -> Vec<Turn> {
        let mut turns = Vec::new();
        while turns.len() < 6 {
            turns.push(nonsense());
            let there = self.after(&turns, MORNING);
            let used_up = |entry: &Log| {
                matches!(
                    entry,
                    Log::Left {
                        exit: Exit::OtherwiseUsedUp,
                        ..
                    }
                )
            };
            if there.log.iter().any(used_up) {
                return turns;
            }
        }
        Vec::new()
    }

    fn quiet(&self) -> Vec<Turn> {
        let moves = self.moves(&self.rehearsal(MORNING));
        moves
            .into_iter()
            .rfind(|(title, _)| title.starts_with("silence"))
            .map(|(_, turns)| turns)
            .unwrap_or_default()
    }

    fn trigger_words(&self) -> impl Iterator<Item = String> {
        let ons = self.program().ons.iter().flat_map(|on| &on.triggers);
        ons.filter_map(|trigger| match trigger {
            Trigger::Words(words) if is_writable(words) => Some(words.clone()),
            _ => None,
        })
    }

    /// A word that interrupts the first question and comes back to it.
    fn digression(&self) -> Option<String> {
        let before = at(&self.rehearsal(MORNING).position);
        self.trigger_words().find(|word| {
            let there = self.after(&[types(word)], MORNING);
            let interrupted = there.log.iter().any(|entry| {
                matches!(
                    entry,
                    Log::Left {
                        exit: Exit::Interrupted(_),
                        ..
                    }
                )
            });
            interrupted && at(&there.position) == before
        })
    }

    /// A word that brings a person.
    fn person(&self, start: &Rehearsal<'_>) -> Option<String> {
        self.trigger_words().find(|word| {
            let mut there = start.clone();
            let _ = play(&mut there, &types(word));
            there.position.mode == Mode::Human
        })
    }

    /// The first option, and then another one of the same message.
    fn old_button(&self, first: Option<&Turn>) -> Option<Vec<Turn>> {
        let start = self.rehearsal(MORNING);
        let options = start.options();
        let Some(Turn {
            what: Move::Customer {
                act: Act::Taps(first),
                ..
            },
            ..
        }) = first
        else {
            return None;
        };
        let other = options
            .into_iter()
            .find(|label| label != first && can_tap(label))?;
        let turns = vec![says(Act::Taps(first.clone())), says(Act::Taps(other))];
        (!is_out(&self.after(&turns[..1], MORNING))).then_some(turns)
    }
}

//! Transcripts that nobody has to write: every way out of every question of a flow, with what the bot says today, and
//! before them the twelve conversations that every flow should be able to have.
//!
//! What they say is not what is right but what is: a person reads them once, and from then on they tell what changed.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::civil::{self, DateTime};
use serde_json::json;

use super::explore::{Chance, Move, Turn, Words, is_out, play, told, wanted};
use super::promises::at;
use super::rehearsal::{Improvise, Rehearsal};
use super::story::{Act, GivenAnswer};
use super::written::{can_tap, is_writable, quoted};
use crate::engine::{EventKind, Exit, Log, Machine, Mode, SessionSettings};
use crate::flow::program::{Flow, Program, StateKind, Trigger};
use crate::flow::tree::Kind;

/// Moves of one conversation.
const LONGEST: usize = 14;
/// Conversations of one flow.
const MOST: usize = 80;
/// A Monday morning, when teams are there.
const MORNING: DateTime = civil::date(2026, 3, 2).at(10, 0, 0, 0);
/// A Sunday, when nobody is.
const NIGHT: DateTime = civil::date(2026, 3, 1).at(3, 0, 0, 0);

/// A file of transcripts for one flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Slug of the flow.
    pub flow: String,
    pub text: String,
    pub chats: usize,
}

/// One file for each flow that a customer can come to.
pub fn generate(machine: &Machine) -> Vec<Generated> {
    let flows = machine.program().flows.iter();
    flows
        // What only other flows start needs what they give it.
        .filter(|flow| !flow.called && flow.needs.is_empty())
        .filter_map(|flow| {
            let writer = Writer {
                machine,
                flow,
                words: Arc::new(Words::of(machine.program())),
            };
            writer.file()
        })
        .collect()
}

struct Writer<'a> {
    machine: &'a Machine,
    flow: &'a Flow,
    words: Arc<Words>,
}

/// A conversation to be written down.
struct Chat {
    title: String,
    start: DateTime,
    turns: Vec<Turn>,
}

impl<'a> Writer<'a> {
    fn file(&self) -> Option<Generated> {
        let mut chats = self.starters();
        chats.extend(self.ways());
        let mut text = format!(
            "# Written by `switchboard test --generate`: what the bot says today in the flow {}.\n",
            self.flow.words
        );
        let mut seen = BTreeSet::new();
        let mut count = 0;
        for chat in &chats {
            let body = self.body(chat);
            if seen.insert(body.clone()) {
                text += &format!("\nchat {}\n{body}", quoted(&chat.title));
                count += 1;
            }
        }
        (count > 0).then(|| Generated {
            flow: self.flow.name.clone(),
            text,
            chats: count,
        })
    }

    fn body(&self, chat: &Chat) -> String {
        let mut rehearsal = self.rehearsal(chat.start);
        let mut out = format!(
            "  customer Maria\n  flow {}\n  time {}\n\n",
            self.flow.words,
            chat.start.strftime("%Y-%m-%d %H:%M")
        );
        for said in rehearsal.said.drain(..) {
            said.shown.lines().iter().for_each(|line| {
                out += line;
                out.push('\n');
            });
        }
        out + &told(&mut rehearsal, &chat.turns)
    }

    /// The flow has begun.
    fn rehearsal(&self, start: DateTime) -> Rehearsal<'a> {
        let settings = SessionSettings {
            silence_rules: false,
            ..SessionSettings::default()
        };
        let mut rehearsal = Rehearsal::new(self.machine, settings, Some(start));
        rehearsal.memory.name = Some("Maria".to_owned());
        rehearsal.improvise = Some(Improvise {
            luck: 1,
            words: self.words.clone(),
            next: None,
            healthy: true,
        });
        // An endless circle of calls is what `explore` finds.
        let _ = rehearsal.apply(EventKind::Start {
            flow: self.flow.name.clone(),
        });
        rehearsal
    }

    fn after(&self, turns: &[Turn], start: DateTime) -> Rehearsal<'a> {
        let mut rehearsal = self.rehearsal(start);
        for turn in turns {
            let _ = play(&mut rehearsal, turn);
        }
        rehearsal
    }

    // ───────── every way ─────────

    /// A conversation for each exit of each question and call of the flow.
    fn ways(&self) -> Vec<Chat> {
        let mut taken: BTreeSet<(String, Exit)> = BTreeSet::new();
        let mut found: Vec<Chat> = Vec::new();
        let mut queue = VecDeque::from([Vec::<Turn>::new()]);
        while let Some(path) = queue.pop_front() {
            let here = self.after(&path, MORNING);
            if found.len() >= MOST
                || path.len() >= LONGEST
                || is_out(&here)
                || !self.is_ours(&at(&here.position))
            {
                continue;
            }
            for (title, more) in self.moves(&here) {
                for (title, more) in self.with_services(&title, &path, more) {
                    let whole: Vec<Turn> = path.iter().cloned().chain(more).collect();
                    let there = self.after(&whole, MORNING);
                    let before = taken.len();
                    taken.extend(there.log.iter().filter_map(|entry| match entry {
                        Log::Left { state, exit } if self.is_ours(state) => {
                            Some((state.clone(), exit.clone()))
                        }
                        _ => None,
                    }));
                    if taken.len() > before {
                        found.push(Chat {
                            title,
                            start: MORNING,
                            turns: whole.clone(),
                        });
                        queue.push_back(whole);
                    }
                }
            }
        }
        // What a longer one goes through needs no conversation of its own.
        let whole: Vec<Vec<Turn>> = found.iter().map(|chat| chat.turns.clone()).collect();
        found.retain(|chat| {
            !whole
                .iter()
                .any(|other| other.len() > chat.turns.len() && other.starts_with(&chat.turns))
        });
        found
    }

    fn is_ours(&self, state: &str) -> bool {
        let owner = state.split('/').next().unwrap_or_default();
        owner == self.flow.name || owner == "business"
    }

    /// What a customer may do at a question, named.
    fn moves(&self, here: &Rehearsal<'_>) -> Vec<(String, Vec<Turn>)> {
        let mut moves: Vec<(String, Vec<Turn>)> = Vec::new();
        for label in here.options().into_iter().filter(|label| can_tap(label)) {
            moves.push((format!("[{label}]"), vec![says(Act::Taps(label))]));
        }
        let mut chance = Chance(5);
        for kind in wanted(here) {
            let act = self.answer(kind, &mut chance);
            moves.push((format!("an answer: {}", named(&act)), vec![says(act)]));
        }
        moves.push(("not understood".to_owned(), vec![nonsense()]));
        for times in 2..=6 {
            moves.push((format!("not understood {times} times"), vec![nonsense(); times]));
        }
        let mut quiet = Vec::new();
        let mut ahead = here.clone();
        while let Some((id, due)) = ahead.next_timer().filter(|(id, _)| id.starts_with('q')) {
            let by = due.duration_since(ahead.now()).unsigned_abs();
            let by = std::time::Duration::from_secs(by.as_secs() + u64::from(by.subsec_nanos() > 0));
            let turn = turn(Move::Silence(by));
            let _ = play(&mut ahead, &turn);
            quiet.push(turn);
            moves.push((format!("silence, {} of it", quiet.len()), quiet.clone()));
            if quiet.len() > 4 || ahead.next_timer().is_some_and(|(next, _)| next == id) {
                break;
            }
        }
        moves
    }

    fn answer(&self, kind: &Kind, chance: &mut Chance) -> Act {
        match chance.answer(kind, &self.words) {
            Act::Types(_) if *kind == Kind::Text => Act::Types("It came with a scratch.".to_owned()),
            Act::Types(text) if !is_writable(&text) => Act::Types("hello".to_owned()),
            act => act,
        }
    }

    /// The same with each thing that the service called at its end may answer.
    fn with_services(&self, title: &str, path: &[Turn], more: Vec<Turn>) -> Vec<(String, Vec<Turn>)> {
        let whole: Vec<Turn> = path.iter().chain(&more).cloned().collect();
        let there = self.after(&whole, MORNING);
        let mut all = vec![(title.to_owned(), more.clone())];
        if there.improvised.is_empty() {
            return all;
        }
        for status in self.statuses() {
            let (words, answer) = match status {
                Some(status) => (
                    format!("answers {status}"),
                    GivenAnswer::Status(status, json!({})),
                ),
                None => ("is down".to_owned(), GivenAnswer::IsDown),
            };
            let mut other = more.clone();
            if let Some(last) = other.last_mut() {
                last.next = Some(answer);
            }
            all.push((format!("{title}, and the service {words}"), other));
        }
        all
    }

    /// Statuses that some call tells apart; `None`: no answer.
    fn statuses(&self) -> Vec<Option<u16>> {
        let mut statuses = BTreeSet::from([404, 422]);
        for state in &self.program().states {
            if let StateKind::Fetch(fetch) = &state.kind {
                statuses.extend(fetch.statuses.iter().map(|(status, _)| *status));
            }
        }
        statuses.into_iter().map(Some).chain([None]).collect()
    }

    fn program(&self) -> &'a Program {
        self.machine.program()
    }

    // ───────── the twelve ─────────

    /// Those of the twelve that the flow can have.
    fn starters(&self) -> Vec<Chat> {
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
            let act = match wanted(&here).first() {
                Some(kind) => Some(self.answer(kind, &mut chance)),
                None => here
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

fn turn(what: Move) -> Turn {
    Turn {
        what,
        luck: 1,
        next: None,
    }
}

fn says(act: Act) -> Turn {
    turn(Move::does(act))
}

fn types(text: &str) -> Turn {
    says(Act::Types(text.to_owned()))
}

fn nonsense() -> Turn {
    types("qqq zzz")
}

/// An act in a title.
fn named(act: &Act) -> String {
    match act {
        Act::Types(text) => text.lines().next().unwrap_or_default().to_owned(),
        Act::Taps(label) => format!("[{label}]"),
        Act::Quotes { words, .. } => words.clone(),
        Act::Voice { .. } => "a voice note".to_owned(),
        Act::Sends { kind, .. } => format!("a {}", super::transcript::word_for(*kind)),
        Act::Location { .. } => "a place".to_owned(),
        Act::Form(_) => "a form".to_owned(),
    }
}

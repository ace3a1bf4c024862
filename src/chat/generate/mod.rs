//! Transcripts that nobody has to write: every way out of every question of a flow, with what the bot says today, and
//! before them the twelve conversations that every flow should be able to have.
//!
//! What they say is not what is right but what is: a person reads them once, and from then on they tell what changed.

mod begin;
mod starters;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::civil::{self, DateTime};
use serde_json::json;

use super::explore::{Chance, Move, Turn, Words, asked_form, is_out, play, told, wanted};
use super::promises::at;
use super::rehearsal::{Improvise, Rehearsal};
use super::story::{Act, GivenAnswer};
use super::written::{ai_line, can_tap, given_line, is_writable, quoted};
use crate::engine::{EventKind, Exit, Log, Machine, SessionSettings};
use crate::flow::program::{Flow, Program, StateKind};
use crate::flow::tree::Kind;
use begin::Begin;

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

/// One file for each flow.
pub fn generate(machine: &Machine) -> Vec<Generated> {
    let words = Arc::new(Words::of(machine.program()));
    let flows = machine.program().flows.iter();
    flows.filter_map(|flow| file(machine, flow, &words)).collect()
}

fn file(machine: &Machine, flow: &Flow, words: &Arc<Words>) -> Option<Generated> {
    let mut text = format!(
        "# Written by `switchboard test --generate`: what the bot says today in the flow {}.\n",
        flow.words
    );
    let mut seen = BTreeSet::new();
    let mut openings = BTreeSet::new();
    let mut taken = BTreeSet::new();
    let mut count = 0;
    for (nth, (title, begin)) in begin::beginnings(machine.program(), flow, words)
        .into_iter()
        .enumerate()
    {
        let writer = Writer {
            machine,
            flow,
            words: words.clone(),
            begin,
        };
        if !writer.begins() {
            continue;
        }
        let mut chats = if nth == 0 { writer.starters() } else { Vec::new() };
        chats.extend(writer.ways(&mut taken));
        let opening = Chat {
            title,
            start: MORNING,
            turns: Vec::new(),
        };
        // How it begins stands in every other conversation.
        if openings.insert(writer.written(&opening).1) && chats.is_empty() {
            chats.push(opening);
        }
        for chat in &chats {
            let (heading, body) = writer.written(chat);
            // Other values that change nothing need no conversation of their own.
            if seen.insert((chat.start, body.clone())) {
                text += &format!("\nchat {}\n{heading}{body}", quoted(&chat.title));
                count += 1;
            }
        }
    }
    (count > 0).then(|| Generated {
        flow: flow.name.clone(),
        text,
        chats: count,
    })
}

/// Writes conversations of one flow that begin one way.
struct Writer<'a> {
    machine: &'a Machine,
    flow: &'a Flow,
    words: Arc<Words>,
    begin: Begin,
}

/// A conversation to be written down.
struct Chat {
    title: String,
    start: DateTime,
    turns: Vec<Turn>,
}

impl<'a> Writer<'a> {
    /// Who and when, and the conversation.
    fn written(&self, chat: &Chat) -> (String, String) {
        let mut heading = "  customer Maria\n".to_owned();
        heading += &self.heading();
        heading += &format!("  time {}\n", chat.start.strftime("%Y-%m-%d %H:%M"));
        let turns = match &self.begin {
            Begin::Given(_) => chat.turns.clone(),
            Begin::By(what) => std::iter::once(turn(what.clone()))
                .chain(chat.turns.iter().cloned())
                .collect(),
        };
        let mut rehearsal = match &self.begin {
            Begin::Given(_) => self.rehearsal(chat.start),
            Begin::By(_) => self.nobody(chat.start),
        };
        for given in &rehearsal.improvised {
            heading += &format!("  {}\n", given_line(given));
        }
        let mut body = "\n".to_owned();
        for says in &rehearsal.imagined {
            body += &ai_line(says);
            body.push('\n');
        }
        for said in rehearsal.said.drain(..) {
            said.shown.lines().iter().for_each(|line| {
                body += line;
                body.push('\n');
            });
        }
        (heading, body + &told(&mut rehearsal, &turns))
    }

    /// A conversation before anything.
    fn nobody(&self, start: DateTime) -> Rehearsal<'a> {
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
        rehearsal
    }

    /// The flow has begun.
    fn rehearsal(&self, start: DateTime) -> Rehearsal<'a> {
        let mut rehearsal = self.nobody(start);
        // An endless circle of calls is what `explore` finds.
        match &self.begin {
            Begin::Given(values) => {
                let _ = rehearsal.apply(EventKind::Start {
                    flow: self.flow.name.clone(),
                    values: values.iter().cloned().collect(),
                });
            }
            Begin::By(what) => {
                let _ = play(&mut rehearsal, &turn(what.clone()));
            }
        }
        rehearsal
    }

    /// Whether it is this flow that begins: a condition may be in the way, or another flow before it.
    fn begins(&self) -> bool {
        let started = self
            .rehearsal(MORNING)
            .log
            .into_iter()
            .find_map(|entry| match entry {
                Log::Started { flow } => Some(flow),
                _ => None,
            });
        started.as_ref() == Some(&self.flow.name)
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
    fn ways(&self, taken: &mut BTreeSet<(String, Exit)>) -> Vec<Chat> {
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
        for (title, act) in asked_form(here).map(begin::filled).unwrap_or_default() {
            moves.push((title, vec![says(act)]));
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

#[cfg(test)]
mod tests;

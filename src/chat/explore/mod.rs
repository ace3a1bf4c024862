//! A customer who does anything: taps, typos, digits, old buttons, silence, photos, forms, nonsense, while services fail,
//! people come and go, and events of the business's own systems come in between.
//!
//! Everything is drawn from a seed, so a finding can be played again. What must hold after every move is in
//! [`super::promises`]; what a business promises its customers beyond that is written in transcripts. A finding is told
//! as the shortest transcript that was found to show it.

mod chance;
mod outside;
mod shrink;
mod way_out;
mod words;
mod written;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;

pub(in crate::chat) use chance::{guessed, reply, serve};
pub(in crate::chat) use outside::misfit;
pub(in crate::chat) use way_out::{is_out, way_out};
pub(in crate::chat) use words::Words;
pub(in crate::chat) use written::told;

use super::promises::{Broken, at};
use super::rehearsal::{Improvise, Rehearsal, Stuck};
use super::story::{Act, GivenAnswer};
use super::written::is_writable;
use crate::engine::{self, CLOSING_BEFORE, EventKind, Log, Machine, Mode, SessionSettings};
use crate::flow::program::{FormOf, Question, StateKind};
use crate::flow::tree::Kind;
pub(in crate::chat) use chance::Chance;

/// Who writes in the place of the bot.
const PERSON: &str = "Ana";
/// Labels of so many messages ago may still be tapped.
const OLD: usize = 40;
/// Somebody who gives a chat back does so before WhatsApp's window closes.
const WINDOW: Duration = Duration::from_secs(23 * 3600);

/// Something that may never happen, told as a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub seed: u64,
    /// What the customer did, after shrinking.
    pub moves: usize,
    pub what: Broken,
    /// A `.chat` that fails until it is mended.
    pub chat: String,
}

/// A walk that broke a promise, not yet told.
#[derive(Debug, Clone)]
pub struct Lost {
    pub seed: u64,
    pub what: Broken,
    turns: Vec<Turn>,
}

impl Lost {
    /// From 1.
    pub fn turn(&self) -> usize {
        self.turns.len()
    }
}

/// One move and the luck that services have in it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::chat) struct Turn {
    pub what: Move,
    pub luck: u64,
    /// What the first service that is called in it answers, whatever the luck.
    pub next: Option<GivenAnswer>,
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::chat) enum Move {
    Customer {
        act: Act,
        topic: Option<String>,
        /// Code of the link or advertisement by which the customer came.
        link: Option<String>,
    },
    Silence(Duration),
    /// Something happened in the business's own systems.
    Happens {
        event: String,
        values: Vec<(String, Json)>,
    },
    WindowIsClosing,
    WindowCloses,
    Takes,
    Writes,
    Returns,
}

impl Move {
    /// The customer does this, and nothing else is known of it.
    pub fn does(act: Act) -> Move {
        Move::Customer {
            act,
            topic: None,
            link: None,
        }
    }

    /// The customer comes by this link or advertisement.
    pub fn comes_by(code: &str) -> Move {
        Move::Customer {
            act: Act::Types("I saw your advertisement".to_owned()),
            topic: None,
            link: Some(code.to_owned()),
        }
    }
}

/// Explores one machine; keep it for many seeds.
#[derive(Debug, Clone)]
pub struct Explorer<'a> {
    machine: &'a Machine,
    words: Arc<Words>,
    /// States from which a way out was found.
    proven: BTreeSet<String>,
    #[cfg(test)]
    tamper: Option<fn(&crate::engine::Event, &mut crate::engine::Turn)>,
}

impl<'a> Explorer<'a> {
    pub fn new(machine: &'a Machine) -> Explorer<'a> {
        Explorer {
            machine,
            words: Arc::new(Words::of(machine.program())),
            proven: BTreeSet::new(),
            #[cfg(test)]
            tamper: None,
        }
    }

    /// Lets one random customer talk. Gives what the machine did, or the first broken promise.
    pub fn walk(&mut self, seed: u64, turns: u32) -> Result<Vec<Log>, Box<Lost>> {
        let mut chance = Chance(seed);
        let mut rehearsal = self.rehearsal(seed);
        let mut taken = Vec::new();
        let lost = |what, taken| {
            Box::new(Lost {
                seed,
                what,
                turns: taken,
            })
        };
        for _ in 0..turns {
            let turn = Turn {
                what: self.choose(&mut chance, &rehearsal),
                luck: chance.next(),
                next: None,
            };
            let done = play(&mut rehearsal, &turn);
            taken.push(turn);
            if let Err(what) = done {
                return Err(lost(what, taken));
            }
            let here = at(&rehearsal.position);
            if !self.proven.contains(&here) {
                if let Err(what) = way_out(&rehearsal) {
                    return Err(lost(what, taken));
                }
                self.proven.insert(here);
            }
        }
        // What a customer has answered and is remembered of them may close a way that others have.
        match way_out(&rehearsal) {
            Ok(()) => Ok(rehearsal.log),
            Err(what) => Err(lost(what, taken)),
        }
    }

    /// Makes a finding as short as it gets, and a transcript of it.
    pub fn tell(&self, lost: &Lost) -> Finding {
        let turns = shrink::shortest(self, lost);
        Finding {
            seed: lost.seed,
            moves: turns.len(),
            what: lost.what.clone(),
            chat: written::transcript(self, lost, &turns),
        }
    }

    fn language(&self, seed: u64) -> Option<String> {
        let languages = &self.machine.program().business.languages;
        Chance(seed).of(languages).cloned()
    }

    fn rehearsal(&self, seed: u64) -> Rehearsal<'a> {
        let mut rehearsal = Rehearsal::new(self.machine, SessionSettings::default(), None);
        rehearsal.memory.name = Some(written::CUSTOMER.to_owned());
        rehearsal.memory.phone = Some(written::PHONE.to_owned());
        rehearsal.memory.language = self.language(seed);
        rehearsal.memory.lot = seed;
        rehearsal.improvise = Some(Improvise {
            luck: 0,
            words: self.words.clone(),
            next: None,
            healthy: false,
        });
        #[cfg(test)]
        {
            rehearsal.tamper = self.tamper;
        }
        rehearsal
    }

    fn choose(&self, chance: &mut Chance, rehearsal: &Rehearsal<'_>) -> Move {
        if rehearsal.position.mode == Mode::Human {
            match chance.below(6) {
                0 | 1 if rehearsal.watch.quiet_for(rehearsal.now()) < WINDOW => return Move::Returns,
                2 => return Move::Writes,
                3 => return Move::Silence(chance.silence()),
                _ => {}
            }
        }
        if let Some(outside) = self.words.outside.one(chance, &self.words, rehearsal) {
            return outside;
        }
        let options = rehearsal.options();
        let act = match chance.below(20) {
            0..=5 if !options.is_empty() => chance.of(&options).cloned().map(Act::Taps),
            6 => {
                let old: Vec<&str> = rehearsal.shown().rev().take(OLD).collect();
                chance.of(&old).map(|label| Act::Taps((*label).to_owned()))
            }
            7 if !options.is_empty() => chance
                .of(&options)
                .cloned()
                .map(|label| Act::Types(chance.misspelt(&label))),
            8 => Some(Act::Types((1 + chance.below(11)).to_string())),
            9 | 10 => return Move::Silence(chance.silence()),
            11 if chance.one_in(6) => return Move::Takes,
            12 => Some(chance.media()),
            13 => Some(Act::Types(chance.nonsense())),
            14 => Some(Act::Types(self.words.one(chance))),
            _ => match (asked_form(rehearsal), wanted(rehearsal)) {
                (Some(form), _) => Some(chance.form(form, &self.words)),
                (None, []) => None,
                (None, kinds) => chance
                    .of(kinds)
                    .cloned()
                    .map(|kind| chance.answer(&kind, &self.words)),
            },
        };
        let act = act.unwrap_or_else(|| Act::Types(self.words.one(chance)));
        let act = match act {
            Act::Types(text) if !is_writable(&text) => Act::Types("hello".to_owned()),
            act => act,
        };
        let topic = match act {
            Act::Types(_) if chance.one_in(12) => chance.of(&self.words.topics).cloned(),
            _ => None,
        };
        Move::Customer {
            act,
            topic,
            link: None,
        }
    }
}

/// The question that is open.
fn question<'m>(rehearsal: &Rehearsal<'m>) -> Option<&'m Question> {
    let machine = rehearsal.machine();
    let frame = rehearsal.position.frames.last()?;
    let state = machine.state_named(&frame.at)?;
    match &machine.program().states[state as usize].kind {
        StateKind::Question(question) => Some(question),
        StateKind::Fetch(_) | StateKind::Call(_) | StateKind::Human(_) | StateKind::Answer(_) => None,
    }
}

/// Kinds of answers that the open question takes.
pub(in crate::chat) fn wanted<'m>(rehearsal: &Rehearsal<'m>) -> &'m [Kind] {
    question(rehearsal).map_or(&[], |question| &question.accept)
}

/// The form that is asked for now.
pub(in crate::chat) fn asked_form<'m>(rehearsal: &Rehearsal<'m>) -> Option<&'m FormOf> {
    question(rehearsal)?.form_of.as_ref()
}

/// One move. What is on nobody's screen can't be tapped: then nothing happens.
pub(in crate::chat) fn play(rehearsal: &mut Rehearsal<'_>, turn: &Turn) -> Result<(), Broken> {
    if let Some(improvise) = &mut rehearsal.improvise {
        improvise.luck = turn.luck;
        improvise.next.clone_from(&turn.next);
    }
    rehearsal.improvised.clear();
    rehearsal.imagined.clear();
    let outcome = match &turn.what {
        Move::Customer { act, topic, link } => {
            rehearsal.links = link.iter().cloned().collect();
            rehearsal.act(act, topic.clone())
        }
        Move::Silence(by) => rehearsal.pass(*by),
        Move::Happens { event, values } => rehearsal.apply(EventKind::Happened {
            event: event.clone(),
            values: values.iter().cloned().collect(),
        }),
        Move::WindowIsClosing => rehearsal.window_is(engine::WINDOW - CLOSING_BEFORE),
        Move::WindowCloses => rehearsal.window_is(engine::WINDOW),
        Move::Takes => rehearsal.apply(EventKind::Taken {
            agent: PERSON.to_owned(),
        }),
        Move::Writes => rehearsal.apply(EventKind::PersonSaid {
            agent: PERSON.to_owned(),
        }),
        Move::Returns => rehearsal.apply(EventKind::Returned),
    };
    match outcome {
        Err(Stuck::Endless(how)) => return Err(Broken::Circle { how }),
        // Every service is improvised, and the clock only goes on.
        Ok(())
        | Err(
            Stuck::NoSuchButton { .. }
            | Stuck::ClockBack { .. }
            | Stuck::NoMock { .. }
            | Stuck::NoReply
            | Stuck::DraftRefused { .. }
            | Stuck::NoWindow,
        ) => {}
    }
    match rehearsal.watch.broken.first() {
        Some(broken) => Err(broken.clone()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;

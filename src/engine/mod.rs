//! The pure machine: `advance(program, position, memory, event) -> Turn`.
//!
//! It stands between the compiled [`crate::flow::program`] and whoever keeps conversations (the server, a
//! transcript, the terminal). It is total (any event in any position gives a turn, never an error or panic) and pure
//! (no clock, no randomness, no I/O): the same events give the same bytes.

mod answers;
mod ask;
mod calls;
mod check;
mod choice_id;
mod crossing;
mod draft;
mod event;
mod events;
mod expressions;
mod faults;
mod fence;
mod gather;
mod handoff;
mod hours;
mod interrupts;
mod later;
mod legal;
mod lots;
mod machine;
mod matching;
mod needs;
mod old_buttons;
mod outside;
mod places;
mod position;
mod private;
mod render;
mod rows;
mod run;
mod sentences;
mod silence;
mod spoken;
mod talk;
mod triggers;
mod turn;

pub use answers::fits;
pub use choice_id::is_ours;
pub(crate) use crossing::step_in;
pub use crossing::{Crossing, Rest, crossing};
pub use event::{Answer, Event, EventKind, File, Heard, Incoming, Reply, Says};
pub use later::is_plan;
pub use legal::is_opt_out;
pub use machine::Machine;
pub use outside::{CLOSING_BEFORE, WINDOW, is_window_closing};
pub use position::{Frame, Mode, OldQuestion, Planned, Position, SentOption};
pub use rows::MORE;
pub use talk::Talk;
pub use turn::{
    Asked, Call, Closing, Drafting, Effect, Exit, Fault, Found, HandedOver, Log, MemoryWrite, Noted,
    Outgoing, Spoken, TimerChange, Turn,
};

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::flow::value::Value;

/// What is remembered of a contact across sessions, and what the host knows of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Declared fields by name (without `contact.`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Remembered>,
    /// Facts: `contact.phone`, `contact.name` (the WhatsApp profile), `contact.language` (what the customer's first
    /// words of one language alone told; no provider tells it).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The customer said stop: a resume word is understood, and [`Effect::OptOut`] was carried out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub opted_out: bool,
    /// Labels that flows put on the contact.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// Lists of messages that the contact wants.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub lists: BTreeSet<String>,
    /// Decides which way of a `split` and which wording the contact gets. The host makes it of the contact's id and
    /// gives it along each time; it is not kept.
    #[serde(skip)]
    pub lot: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    pub value: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forget_at: Option<Timestamp>,
}

impl Memory {
    /// Carries out what a turn wants remembered and forgotten.
    pub fn apply(&mut self, writes: &[MemoryWrite]) {
        for write in writes {
            match write {
                MemoryWrite::Remember {
                    field,
                    value,
                    forget_at,
                } => {
                    let remembered = Remembered {
                        value: value.clone(),
                        forget_at: *forget_at,
                    };
                    self.fields.insert(field.clone(), remembered);
                }
                MemoryWrite::Forget { field } => {
                    self.fields.remove(field);
                }
                MemoryWrite::Language { code } => self.language = Some(code.clone()),
                MemoryWrite::Tag { tag, on: true } => {
                    self.tags.insert(tag.clone());
                }
                MemoryWrite::Tag { tag, on: false } => {
                    self.tags.remove(tag);
                }
                MemoryWrite::Subscribe { list: None, on: true } => {}
                MemoryWrite::Subscribe {
                    list: None,
                    on: false,
                } => self.lists.clear(),
                MemoryWrite::Subscribe { list: Some(list), on } => {
                    if *on {
                        self.lists.insert(list.clone());
                    } else {
                        self.lists.remove(list);
                    }
                }
            }
        }
    }
}

/// Silence rules of a number, for questions (and idle chats) that no flow or business rule covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionSettings {
    /// Ask before ending. Off: the session ends without a question after `end_after_seconds`.
    pub ask_before_end: bool,
    pub ask_after_seconds: u64,
    pub ask_text: String,
    /// Counted from the question.
    pub end_after_seconds: u64,
    /// Said when the session ends by silence; empty says nothing.
    pub end_text: String,
    /// An idle session resolves by itself, whoever has the chat.
    pub resolve_after_seconds: u64,
    /// Turns the two silence rules off (transcripts); resolving stays.
    pub silence_rules: bool,
}

impl Default for SessionSettings {
    fn default() -> SessionSettings {
        SessionSettings {
            ask_before_end: true,
            ask_after_seconds: 300,
            ask_text: "Are you still there? Is there anything else I can help with?".to_owned(),
            end_after_seconds: 600,
            end_text: String::new(),
            resolve_after_seconds: 12 * 3600,
            silence_rules: true,
        }
    }
}

#[cfg(test)]
mod tests;

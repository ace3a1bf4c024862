//! Where a conversation stands: everything the machine remembers between two events.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::talk::Talk;
use crate::flow::value::{Record, Value};

/// The persisted position of one conversation, as one small JSON value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Format of this value; 1.
    pub v: u8,
    #[serde(default, skip_serializing_if = "Mode::is_autopilot")]
    pub mode: Mode,
    /// Counts the sessions of this contact; 0 before the first.
    pub session: u64,
    /// A session is open. It opens with a message and ends by `close`, silence, resolving or the host.
    #[serde(default, skip_serializing_if = "is_false")]
    pub open: bool,
    /// The session was opened by a plan, an event or the window, and nobody has said anything in it: who is not there is
    /// not asked whether they still are, and the 24-hour window may be closed for it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub uninvited: bool,
    /// Counts the events that were applied.
    pub seq: u64,
    /// Counts the questions that were asked; buttons and timers carry it.
    pub visits: u64,
    /// The running flow and, below it, its callers; the last one is on top. Empty: idle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<Frame>,
    /// Stacks of frames that an `on` or a `no reply` interrupted; the last one is the most recent. At most three.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interrupted: Vec<Vec<Frame>>,
    /// Names of the questions that were answered before the present one in this flow, oldest first; bounded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub back: Vec<String>,
    /// `chat.*`: lives until the session closes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub chat: Record,
    /// Timers that are set, by id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub timers: BTreeMap<String, Timestamp>,
    /// Plans of other days (`later`); they outlive the session. Bounded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<Planned>,
    /// Questions asked earlier in this session whose buttons may still be tapped; bounded, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub old: Vec<OldQuestion>,
    /// When the 24-hour window is about to close, if some `on` listens to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Timestamp>,
    /// Who of the team took the chat, since it was last given to people; empty if their name is not known. `None`: nobody yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<String>,
    /// When the last event was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Flows answer.
    #[default]
    Autopilot,
    /// People have the chat; only legal words are handled.
    Human,
}

impl Mode {
    fn is_autopilot(&self) -> bool {
        *self == Mode::Autopilot
    }
}

/// One running flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Slug of the flow.
    pub flow: String,
    /// Hash of the program that put it here.
    pub program: String,
    /// Name of the state where it rests.
    pub at: String,
    /// Anchor of that state when it was entered.
    pub anchor: String,
    pub visit: u64,
    /// Answers not understood since the question was asked.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub misses: u32,
    /// Messages that a `gather` has collected.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gathered: u32,
    /// First row from the data that is shown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub page: u32,
    /// Silence lines that have fired since the last message.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub silences: u32,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub locals: Record,
    /// What was said and counted while a model answers here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub talk: Option<Box<Talk>>,
    /// Options as sent, so that taps resolve even if the data behind them has changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<SentOption>,
}

fn is_false(yes: &bool) -> bool {
    !yes
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SentOption {
    /// Of the option in its question.
    pub id: String,
    pub label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// A row from data: which option it is a row of, and its item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<SentRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SentRow {
    pub of: String,
    /// Kept for the lines under the row, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl SentOption {
    /// Id of the option in the program.
    pub(super) fn choice(&self) -> &str {
        self.row.as_ref().map_or(&self.id, |row| &row.of)
    }
}

/// A scheduled follow-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    pub name: String,
    pub due: Timestamp,
    /// Slug of the flow.
    pub flow: String,
    /// Slug of the step; `None`: the flow's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Hash of the program that planned it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub program: String,
    /// What the flow knew when it planned this, without private answers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: Record,
}

/// A question whose buttons are still on the customer's screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OldQuestion {
    pub visit: u64,
    /// State name.
    pub at: String,
    pub flow: String,
    /// Hash of the program that asked it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub program: String,
    pub anchor: String,
    pub locals: Record,
    pub options: Vec<SentOption>,
    /// A single-use option of it was taken.
    #[serde(default)]
    pub used: bool,
    /// An approved template asked it, and the customer may answer days later: it outlives the session until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_until: Option<Timestamp>,
    /// It was answered; words that fit it are no answer to it any more, but its buttons still work.
    #[serde(default, skip_serializing_if = "is_false")]
    pub answered: bool,
}

impl Position {
    /// The programs that put it where it is: an answer may be theirs to handle.
    pub fn programs(&self) -> BTreeSet<&str> {
        let frames = self.frames.iter().chain(self.interrupted.iter().flatten());
        let frames = frames.map(|frame| frame.program.as_str());
        let old = self.old.iter().map(|old| old.program.as_str());
        let later = self.later.iter().map(|planned| planned.program.as_str());
        frames
            .chain(old)
            .chain(later)
            .filter(|hash| !hash.is_empty())
            .collect()
    }
}

impl Default for Position {
    /// Idle, nothing ever happened.
    fn default() -> Position {
        Position {
            v: 1,
            mode: Mode::Autopilot,
            session: 0,
            open: false,
            uninvited: false,
            seq: 0,
            visits: 0,
            frames: Vec::new(),
            interrupted: Vec::new(),
            back: Vec::new(),
            chat: BTreeMap::new(),
            timers: BTreeMap::new(),
            later: Vec::new(),
            old: Vec::new(),
            window: None,
            taken: None,
            last: None,
        }
    }
}

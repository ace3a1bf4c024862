//! A `.chat` file, read: who is who, what is given, and the beats of the conversation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil;
use serde_json::Value as Json;

use crate::engine::{Machine, Says};
use crate::message::MediaKind;

/// One `chat "…"` of a file, with its own customer, clock and mocks.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    pub title: String,
    /// Line of the `chat` heading, from 1.
    pub line: u32,
    pub setup: Setup,
    pub beats: Vec<Beat>,
    /// Versions that are published on the way, by the folder as written; see [`super::published`].
    pub published: BTreeMap<String, Version>,
    /// Texts of the files that `check  sends exactly "…"` names, as far as they are there; read together with
    /// `published`.
    pub golden: BTreeMap<String, String>,
}

impl Story {
    /// Folders of the versions that are published on the way.
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.beats.iter().filter_map(|beat| match &beat.kind {
            BeatKind::Publish(folder) => Some(folder.as_str()),
            _ => None,
        })
    }

    /// Files that `check  sends exactly "…"` names, relative to the transcript.
    pub fn goldens(&self) -> impl Iterator<Item = &str> {
        self.beats.iter().filter_map(|beat| match &beat.kind {
            BeatKind::Check(text) => exactly(text),
            _ => None,
        })
    }
}

/// `golden.json` of `sends exactly "golden.json"`.
pub(super) fn exactly(check: &str) -> Option<&str> {
    let name = check.strip_prefix("sends exactly")?.trim();
    name.strip_prefix('"')?.strip_suffix('"')
}

/// Flows that are published in the middle of a story.
#[derive(Debug, Clone)]
pub struct Version(pub Arc<Machine>);

impl PartialEq for Version {
    fn eq(&self, other: &Version) -> bool {
        self.0.program().hash == other.0.program().hash
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Setup {
    pub customer: Customer,
    /// What is remembered of the contact: field and value as written.
    pub contact: Vec<(String, Json)>,
    /// In the business's time zone.
    pub time: Option<civil::DateTime>,
    /// Starts in this flow instead of with a message.
    pub flow: Option<String>,
    /// What that flow is given: `flow identify with order "A-12345"`.
    pub values: Vec<(String, Json)>,
    pub session: Option<SessionRules>,
    /// Chooses wordings and ways of splits: another seed is another customer.
    pub seed: u64,
    pub given: Vec<Given>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    pub name: String,
    pub phone: Option<String>,
    pub language: Option<String>,
}

impl Default for Customer {
    fn default() -> Customer {
        Customer {
            name: "Customer".to_owned(),
            phone: None,
            language: None,
        }
    }
}

/// The number's session settings, which transcripts leave off unless they say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRules {
    pub on: bool,
    pub ask_after: Option<Duration>,
    pub end_after: Option<Duration>,
}

/// A mocked service call.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    pub service: String,
    pub action: String,
    /// All of these must fit; the most specific mock wins.
    pub args: Vec<(String, Json)>,
    pub answer: GivenAnswer,
    pub line: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub enum GivenAnswer {
    Status(u16, Json),
    TimesOut,
    IsDown,
}

/// One thing that happens, with the lines it takes in the file (from 1, inclusive).
#[derive(Debug, Clone, PartialEq)]
pub struct Beat {
    pub kind: BeatKind,
    pub first_line: u32,
    pub last_line: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub enum BeatKind {
    Customer(Act),
    Bot(Expected),
    /// A person of the business writes.
    Person {
        name: String,
        text: String,
    },
    /// The clock moves on.
    Pass(Duration),
    TimeIs(civil::DateTime),
    Silence,
    Called {
        service: String,
        action: String,
        args: Vec<(String, Json)>,
    },
    Handed {
        team: String,
        note: Option<String>,
        priority: Option<String>,
        assist: bool,
    },
    Told {
        team: String,
        text: String,
    },
    ChatCloses,
    OptsOut,
    OptsIn,
    /// `later reminder at …`.
    Planned {
        plan: String,
        at: civil::DateTime,
    },
    Lapses {
        plan: String,
    },
    Recorded {
        name: String,
        value: Option<String>,
    },
    Tagged {
        tag: String,
        on: bool,
    },
    Subscribed {
        list: Option<String>,
        on: bool,
    },
    /// What the model replies when it is asked next; without `says`, what it wants remembered beside that.
    Ai {
        says: Option<Says>,
        remember: BTreeMap<String, Json>,
    },
    /// What the model drafts for the people who have the chat.
    Drafts(Draft),
    /// The topic recognised in the customer's last message.
    Topic(String),
    /// The code of the link or advertisement by which the customer came with the last message.
    Link(String),
    /// Something happened in the business's own systems.
    Happens {
        event: String,
        values: Vec<(String, Json)>,
    },
    /// The clock moves to half an hour before the 24-hour window closes.
    WindowIsClosing,
    /// The clock moves to the end of the 24-hour window.
    WindowCloses,
    Takes {
        name: String,
    },
    Returns {
        name: String,
    },
    /// Another version of the flows goes live; its folder.
    Publish(String),
    Check(String),
    /// `given` between beats: from here on.
    Given(Given),
}

/// A draft for people, with the name of the knowledge that it follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub text: String,
    pub knowledge: Option<String>,
}

/// What the customer does.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    Types(String),
    /// A message that quotes a template.
    Quotes {
        template: String,
        words: String,
    },
    Taps(String),
    Voice {
        seconds: Option<u32>,
        words: Option<String>,
    },
    Sends {
        kind: MediaKind,
        name: Option<String>,
        caption: Option<String>,
    },
    /// Fills in a form.
    Form(Json),
    Location {
        lat: f64,
        lng: f64,
        name: Option<String>,
    },
}

/// One message the bot must send, as lines of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Lines of the text; `…` stands for any text. Alone, for a whole message with its buttons.
    pub text: Vec<String>,
    /// Buttons, rows and the like in canonical form; see [`super::transcript`].
    pub extras: Vec<String>,
}

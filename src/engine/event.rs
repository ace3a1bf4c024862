//! What happens to a conversation. Time and everything random enter the machine only here.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::message::{MediaKind, Place};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it was accepted.
    pub at: Timestamp,
    pub kind: EventKind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    Message(Incoming),
    /// A tapped button or row. `id` is what we sent.
    Tap {
        id: String,
        title: String,
    },
    /// A timer that the machine set.
    Timer {
        id: String,
    },
    /// A service answered, or did not.
    Result {
        /// [`super::Call::key`].
        key: String,
        answer: Answer,
    },
    /// A model replied to an `answer`, or could not.
    Replied {
        /// [`super::Asked::key`].
        key: String,
        reply: Reply,
    },
    /// Something happened in the business's own systems. A flow that starts on it waits until the chat is free.
    Happened {
        event: String,
        values: BTreeMap<String, Json>,
    },
    /// The host starts a flow (a test, a link); a running one is left.
    Start {
        /// Slug.
        flow: String,
        /// What it needs.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        values: BTreeMap<String, Json>,
    },
    /// A person took the chat.
    Taken {
        agent: String,
    },
    /// A person wrote to the customer. Counts as activity; takes the chat if nobody had it.
    PersonSaid {
        agent: String,
    },
    /// People gave the chat back.
    Returned,
    /// A person or the host ends the session.
    Close,
}

/// A message of the customer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Incoming {
    /// What was typed, the caption of a file, or the words of a voice note.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<File>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Codes of the link or advertisement by which the customer came. Those in the text itself are found there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// What was filled in in a form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Box<Json>>,
    /// A topic that the host recognised; empty: it looked, and there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Name of the template of ours that it quotes, as far as the host knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// A file the customer sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct File {
    pub kind: MediaKind,
    /// Reference by which the host finds the bytes.
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    /// What became of a voice note.
    #[serde(default)]
    pub heard: Heard,
}

/// Outcome of listening to a voice note; its words are in [`Incoming::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heard {
    /// Not a voice note.
    #[default]
    NotVoice,
    Words,
    Silence,
    /// Could not be transcribed.
    Nothing,
}

/// What a model replied. Nothing of it is trusted: the machine checks it against the lines of the `answer`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    pub says: Says,
    /// What it wants remembered, by whole name (`contact.shoe_size`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub remember: BTreeMap<String, Json>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    Text(String),
    NotSure,
    OffTopic,
    /// The customer has what they wanted; may hold a last sentence.
    Finished(Option<String>),
    /// The customer wants something else: a topic with a line of its own.
    Topic(String),
    /// It wants to look something up first.
    Use {
        /// `shop.get_order`.
        action: String,
        args: BTreeMap<String, Json>,
    },
    /// There is no model, it took too long, or what it said can't be read.
    Problem {
        why: String,
    },
}

impl From<Says> for Reply {
    fn from(says: Says) -> Reply {
        Reply {
            says,
            remember: BTreeMap::new(),
        }
    }
}

/// What came of a service call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The service answered; `body` is `null` if it was empty.
    Status {
        status: u16,
        body: Json,
    },
    TimedOut {
        why: String,
    },
    /// No answer, or one that can't be read.
    Down {
        why: String,
    },
}

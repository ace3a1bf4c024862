//! Slow work outside the lease, as it is stored: a service call, a voice note.

use serde::{Deserialize, Serialize};

use crate::engine::{Asked, Call, Drafting};
use crate::message::Media;

/// What the name of a model's job begins with, behind the contact.
pub const REPLY: &str = "reply/";
/// The same of one that recognises a topic.
pub const TOPIC: &str = "topic/";
/// The same of one that drafts an answer for people; the draft's id follows.
pub const DRAFT: &str = "draft/";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "snake_case")]
pub enum Work {
    Call(Call),
    /// A model's reply for an `answer`.
    Reply(Box<Asked>),
    /// The same for a customer who may cost no more today: nobody is asked.
    Spent {
        /// Comes back in [`crate::server::inbound::mailbox::Item::Replied`].
        key: String,
    },
    /// Which of these topics a message is about.
    Topic {
        /// Comes back in [`crate::server::inbound::mailbox::Item::Topic`].
        note: String,
        text: String,
        topics: Vec<String>,
    },
    /// What people might answer to what the customer wrote.
    Draft {
        /// Comes back in [`crate::server::inbound::mailbox::Item::Drafted`].
        id: String,
        drafting: Box<Drafting>,
    },
    Listen {
        /// Comes back in [`crate::server::inbound::mailbox::Item::Heard`].
        note: String,
        media: Media,
    },
}

impl Work {
    /// What kind of work it is, for operators.
    pub fn kind(&self) -> &'static str {
        match self {
            Work::Call(_) => "call",
            Work::Reply(_) | Work::Spent { .. } => "reply",
            Work::Topic { .. } => "topic",
            Work::Draft { .. } => "draft",
            Work::Listen { .. } => "listen",
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        // Field names, strings and finite numbers only: nothing in it can fail to be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

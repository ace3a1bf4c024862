//! The lines of a thread: what the customer, the bot and people said, and notes for the team. To the store these are
//! bytes; pages read them through [`crate::server::Handle::thread`].

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::channel::Step;
use crate::engine::Answer;
use crate::flow::source::SourceLine;
use crate::message::InboundBody;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// Something of the customer's.
    Customer {
        body: InboundBody,
        /// See [`crate::message::Inbound::name`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message_id: Option<String>,
        /// The provider's time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// What a person of the business wrote elsewhere, such as on the phone.
    Echo { body: InboundBody },
    /// A message of ours, which is also the entry of the outbox: its status is kept by the store.
    Ours(Box<Ours>),
    /// The words of a voice note, or why there are none.
    Heard {
        text: String,
        /// They answer a private question: no page shows them.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        private: bool,
    },
    /// What a service answered the call with this key, so that the conversation can be played again. No page shows it.
    Answered {
        key: String,
        /// `None`: it is too large to keep twice.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<Answer>,
        /// The call was given something private: of the answer only its status is kept.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        private: bool,
    },
    /// What was found out about the customer's message before it, so that the conversation can be played again: its
    /// topic, the template that it quotes, the codes by which it came. No page shows it.
    Meant {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        topic: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        template: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        links: Vec<String>,
    },
    /// These messages of the customer answer a private question. Pages show [`Line::Withheld`] in their place, and never
    /// this.
    Private { messages: Vec<String> },
    /// What pages show in place of a message that nobody is to read. No thread holds it.
    Withheld {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message_id: Option<String>,
        /// The provider's time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// What a model would answer, for the people who have the chat. Nobody has said it: pages show it only while it is
    /// [`super::session::Session::draft`].
    Draft {
        id: String,
        text: String,
        /// Name of the knowledge that it follows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        knowledge: Option<String>,
    },
    /// For the team; the customer never sees it.
    Note {
        kind: NoteKind,
        text: String,
        /// The line of the flow behind it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<SourceLine>,
        /// The notification that it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// The session began or ended.
    Session,
    /// `notify`: a team is told something.
    Notify,
    /// The chat was given to people.
    Handoff,
    /// The bot has the chat again.
    Returned,
    /// A flow recorded, tagged or subscribed something.
    Kept,
    /// Something went wrong and the team should look.
    Fault,
    /// Something could not be shown or sent as written.
    Sending,
}

/// One request to the provider, on its way or sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ours {
    pub step: Step,
    /// May leave outside the 24-hour window.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub template: bool,
    pub queued_at: Timestamp,
    /// The person who wrote it; `None` is the bot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The draft that they made it of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<String>,
    /// Nobody asked for it just now: a notification, or what a flow had planned. Those who opted out do not get it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unasked: bool,
    /// The end of the notification's id, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<String>,
    /// The line of the flow that says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_at: Option<SourceLine>,
}

/// Bytes of an answer that the thread keeps.
const ANSWER: usize = 16 * 1024;

/// How [`Line::to_bytes`] begins what lies in outboxes.
const OURS: &[u8] = br#"{"line":"ours","#;

impl Line {
    /// What lies in a thread or an outbox.
    ///
    /// # Errors
    /// If this version can't read it.
    pub(in crate::server) fn read(bytes: &[u8]) -> Result<Line, serde_json::Error> {
        // The tag is known already: without it serde would copy all of the rest before it looks at any.
        if bytes.starts_with(OURS) {
            return Ok(Line::Ours(Box::new(serde_json::from_slice(bytes)?)));
        }
        serde_json::from_slice(bytes)
    }

    pub(in crate::server) fn answered(key: &str, answer: &Answer, private: bool) -> Line {
        let small = serde_json::to_vec(answer).is_ok_and(|bytes| bytes.len() <= ANSWER);
        let answer = match answer {
            answer if !private => small.then(|| answer.clone()),
            Answer::Status { status, .. } => Some(Answer::Status {
                status: *status,
                body: serde_json::Value::Null,
            }),
            // Why may name the address, and what was private is in it.
            Answer::TimedOut { .. } => Some(Answer::TimedOut { why: String::new() }),
            Answer::Down { .. } => Some(Answer::Down { why: String::new() }),
        };
        Line::Answered {
            key: key.to_owned(),
            answer,
            private,
        }
    }

    pub fn note(kind: NoteKind, text: impl Into<String>, place: Option<SourceLine>) -> Line {
        Line::Note {
            kind,
            text: text.into(),
            place,
            about: None,
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        // Names of fields, strings and finite numbers only: nothing in it can fail to be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written_by_either_way() {
        let ours = Line::Ours(Box::new(Ours {
            step: Step::Resolve { room: "r1".into() },
            template: false,
            queued_at: Timestamp::UNIX_EPOCH,
            agent: None,
            draft: None,
            unasked: false,
            notify: None,
            said_at: None,
        }));
        assert!(ours.to_bytes().starts_with(OURS), "the short way is taken");
        for line in [ours, Line::note(NoteKind::Session, "It began.", None)] {
            let bytes = line.to_bytes();
            assert_eq!(Line::read(&bytes).unwrap(), line);
            assert_eq!(serde_json::from_slice::<Line>(&bytes).unwrap(), line);
        }
        assert!(Line::read(br#"{"line":"ours","step":1}"#).is_err());
    }
}

//! What is kept of a conversation between two turns, as the store's two blobs: the session and the memory.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::engine::{EventKind, Incoming, Memory, Position};
use crate::message::Media;
use crate::server::api::masked::unreadable;
use crate::store::{Claim, ContactId, Seq};

/// The session blob: the machine's position, and what the server itself must not forget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Format of this value; 1.
    pub v: u8,
    pub position: Position,
    /// Service calls whose answers are awaited, by key.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub calls: BTreeSet<String>,
    /// Those of them that were given something private.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub private: BTreeSet<String>,
    /// The question that is open takes a private answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks_privately: bool,
    /// Voice notes that answer a private question and are still listened to, whoever has the chat by then.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub private_notes: BTreeSet<String>,
    /// The voice note that is being listened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listening: Option<Listening>,
    /// The message whose topic is being looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sorting: Option<Box<Sorting>>,
    /// What the customer said meanwhile, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Held>,
    /// The provider's id of the customer's last message, for a reaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_said: Option<String>,
    /// For whom the chat waits, or who has it, since a flow gave it to people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed: Option<Handed>,
    /// What people might answer to what the customer wrote last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<Box<Draft>>,
    /// What models have cost for this customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
    /// The machine was told that people have the chat because Autopilot is off for this number.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub autopilot_off: bool,
    /// A person has the room in the provider's own inbox.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub assigned: bool,
    /// The provider says that the 24-hour window is closed, whatever the clock says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub window_closed: bool,
    /// Templates that the provider took, newest last: its id of the message, and the template's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<(String, String)>,
}

/// Templates whose quotes are understood.
const TEMPLATES: usize = 5;

/// A handoff, as an inbox sorts and shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handed {
    /// Empty if the business has none.
    pub team: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// The bot drafts, people send.
    #[serde(default)]
    pub assist: bool,
    /// The team knows that drafts fail.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drafts_fail: bool,
    pub since: Timestamp,
}

/// A draft for the people who have the chat. It is gone once the customer writes again, somebody answers, or the bot has
/// the chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// Unique for the contact.
    pub id: String,
    /// `None`: it is being written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Name of the knowledge that it follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knowledge: Option<String>,
    /// When it came, or was asked for.
    pub at: Timestamp,
}

/// Tokens of one day, which begins with the first of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    pub since: Timestamp,
    pub tokens: u64,
    /// The team knows that they are used up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
}

/// How long a customer's tokens are counted together.
const DAY: SignedDuration = SignedDuration::from_hours(24);

impl Spent {
    /// When what comes is counted anew.
    pub fn until(&self) -> Timestamp {
        self.since.checked_add(DAY).unwrap_or(Timestamp::MAX)
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.since.duration_until(now) >= DAY
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listening {
    /// Name of the job.
    pub note: String,
    pub media: Media,
    /// The template that it quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// A voice note.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToHear {
    #[serde(flatten)]
    pub media: Media,
    /// The template that it quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

impl From<Media> for ToHear {
    fn from(media: Media) -> ToHear {
        ToHear {
            media,
            template: None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sorting {
    /// Name of the job.
    pub note: String,
    pub incoming: Incoming,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    pub seq: Seq,
    pub at: Timestamp,
    pub act: Act,
    /// Names of its messages, unless it is known already that they are private.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<String>,
}

/// One thing to be answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    Event(EventKind),
    /// A voice note that nobody has listened to yet.
    Listen(ToHear),
}

impl Default for Session {
    fn default() -> Session {
        Session {
            v: 1,
            position: Position::default(),
            calls: BTreeSet::new(),
            private: BTreeSet::new(),
            asks_privately: false,
            private_notes: BTreeSet::new(),
            listening: None,
            sorting: None,
            held: Vec::new(),
            last_said: None,
            handed: None,
            draft: None,
            spent: None,
            autopilot_off: false,
            assigned: false,
            window_closed: false,
            templates: Vec::new(),
        }
    }
}

/// A blob that this version can't read.
#[derive(Debug, thiserror::Error)]
#[error("the {what} of the contact {contact} is kept in a way this version can't use: {why}")]
pub struct Unreadable {
    what: &'static str,
    contact: ContactId,
    why: String,
}

impl Session {
    /// The draft that people see: one that is being written is none yet.
    pub fn shown_draft(&self) -> Option<&Draft> {
        self.draft.as_deref().filter(|draft| draft.text.is_some())
    }

    /// No answer of a service or a model is awaited any more.
    pub fn forget_calls(&mut self) {
        self.calls.clear();
        self.private.clear();
    }

    /// Whether the next thing the customer says has to wait.
    pub fn waits(&self) -> bool {
        self.listening.is_some() || self.sorting.is_some() || !self.calls.is_empty()
    }

    /// A model has cost so many tokens.
    pub fn spend(&mut self, tokens: u64, now: Timestamp) {
        if tokens == 0 {
            return;
        }
        let fresh = Spent {
            since: now,
            tokens: 0,
            told: false,
        };
        let spent = self.spent.take().filter(|spent| !spent.is_over(now));
        let spent = self.spent.insert(spent.unwrap_or(fresh));
        spent.tokens = spent.tokens.saturating_add(tokens);
    }

    /// What was spent today, if that is as much as may be.
    pub fn spent_up(&mut self, budget: Option<u64>, now: Timestamp) -> Option<&mut Spent> {
        let budget = budget?;
        let today = self.spent.as_mut().filter(|spent| !spent.is_over(now));
        today.filter(|spent| spent.tokens >= budget)
    }

    pub fn template_sent(&mut self, template: String, message_id: String) {
        self.templates.push((message_id, template));
        let surplus = self.templates.len().saturating_sub(TEMPLATES);
        self.templates.drain(..surplus);
    }

    /// What the customer did, with the template that they quote.
    pub fn with_quote(&self, act: Act, quotes: Option<&str>) -> Act {
        let quoted = self.templates.iter().find(|(id, _)| Some(id.as_str()) == quotes);
        let Some((_, template)) = quoted else {
            return act;
        };
        match act {
            Act::Event(EventKind::Message(incoming)) => Act::Event(EventKind::Message(Incoming {
                template: Some(template.clone()),
                ..incoming
            })),
            // A button of a template that was sent with no word of what its taps mean.
            Act::Event(EventKind::Tap { id, title }) if !crate::engine::is_ours(&id) => {
                Act::Event(EventKind::Message(Incoming {
                    text: title,
                    template: Some(template.clone()),
                    ..Incoming::default()
                }))
            }
            Act::Listen(note) => Act::Listen(ToHear {
                template: Some(template.clone()),
                ..note
            }),
            Act::Event(_) => act,
        }
    }

    /// Session and memory of a claimed contact; empty ones for a new contact.
    pub fn of(claim: &Claim) -> Result<(Session, Memory), Unreadable> {
        let session = read("session", claim.contact, claim.session.as_deref())?;
        let memory = read("memory", claim.contact, claim.memory.as_deref())?;
        Ok((session, memory))
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        // Field names and strings only: nothing in it can fail to be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// What time does not take of a memory: that the customer wants no messages on the business's own account.
pub(in crate::server) fn what_stays(memory: &[u8]) -> Option<Vec<u8>> {
    let memory: Memory = serde_json::from_slice(memory).ok()?;
    memory.opted_out.then(|| {
        memory_bytes(&Memory {
            opted_out: true,
            ..Memory::default()
        })
    })
}

pub(in crate::server) fn memory_bytes(memory: &Memory) -> Vec<u8> {
    serde_json::to_vec(memory).unwrap_or_default()
}

fn read<T: Default + for<'de> Deserialize<'de>>(
    what: &'static str,
    contact: ContactId,
    blob: Option<&[u8]>,
) -> Result<T, Unreadable> {
    match blob {
        None => Ok(T::default()),
        Some(bytes) => serde_json::from_slice(bytes).map_err(|why| Unreadable {
            what,
            contact,
            why: unreadable(&why),
        }),
    }
}

//! What one event leads to. A turn is carried out whole or not at all.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::position::Position;
use crate::flow::program::Pc;
use crate::flow::source::SourceLine;
use crate::flow::tree::{Kind, Method};
use crate::flow::value::Value;
use crate::message::OutboundBody;

#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    pub position: Position,
    /// In the order in which the customer should read them.
    pub outbox: Vec<Outgoing>,
    pub effects: Vec<Effect>,
    pub timers: Vec<TimerChange>,
    pub memory: Vec<MemoryWrite>,
    /// What was matched and taken, for coverage, tests and the log; holds no message text.
    pub log: Vec<Log>,
    /// Instructions of the live program that led out of their step: the arrows of its picture.
    pub went: Vec<Pc>,
    /// The question that is open now takes a private answer: what the customer says to it is shown to nobody.
    pub asks_privately: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    pub body: OutboundBody,
    /// The line that says it; `None` for Switchboard's own sentences.
    pub said_at: Option<SourceLine>,
    /// Milliseconds to wait after the message before it (`pause`).
    pub after_ms: u64,
}

/// Work for the host.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Call a service; the answer comes back as [`super::EventKind::Result`] with this key.
    Call(Call),
    /// Ask a model for a reply; it comes back as [`super::EventKind::Replied`] with this key.
    Ask(Box<Asked>),
    /// Let a model draft what the people who have the chat might answer to what the customer wrote now. What comes of it is
    /// for them alone and never comes back here; a newer message of the customer or an answer of theirs makes it void.
    Draft(Box<Drafting>),
    /// Tell a team, the bot keeps the chat.
    Notify {
        team: String,
        text: String,
        said_at: SourceLine,
    },
    /// Give the chat to people.
    Handoff(HandedOver),
    /// The chat is the bot's again.
    BotAgain,
    /// The customer wants no more messages on our own account (`true`), or wants them again. The host keeps it with
    /// the contact and gives it back as [`super::Memory::opted_out`].
    OptOut { opted_out: bool },
    /// A session began.
    Opened { session: u64 },
    /// The session ended.
    Closed { session: u64, why: Closing },
    /// Something went wrong and the team must know: a note with file and line.
    Fault(Fault),
    /// Something is to be kept for the business: the customer sees nothing of it.
    Noted { what: Noted, said_at: SourceLine },
}

/// What a flow keeps for the business. Tags and lists are also written to the contact's memory.
#[derive(Debug, Clone, PartialEq)]
pub enum Noted {
    /// `record csat = 3`, or the way that a `split` took; without a value it only happened.
    Record {
        name: String,
        value: Option<Value>,
    },
    Tag {
        tag: String,
        on: bool,
    },
    /// `None`: all lists.
    Subscribe {
        list: Option<String>,
        on: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Stable for this conversation, state and visit. The machine does not know the contact: as the service's
    /// idempotency key the host puts the contact's id before it.
    pub key: String,
    pub service: String,
    pub action: String,
    pub args: Vec<(String, Value)>,
    pub method: Method,
    /// Address of the service and filled-in path.
    pub url: String,
    /// JSON body; `None` for GET and DELETE without fields.
    pub body: Option<Json>,
    /// Name of the secret to send as a bearer token.
    pub secret: Option<String>,
    pub timeout_ms: u64,
    /// How often it may be tried: GET twice, anything else once.
    pub tries: u8,
    /// It is given something that a customer answered to a `private` question: what comes back is not kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
    pub said_at: SourceLine,
}

/// What a model is asked for. Customer's words and services' answers are data in it, never instructions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Stable for this conversation, state and visit, as [`Call::key`].
    pub key: String,
    /// Name of the business.
    pub business: String,
    /// The customer's, as a code (`pt`).
    pub language: String,
    /// Name and path of what it may answer from.
    pub knowledge: Vec<(String, String)>,
    /// Name and description of what it may talk about; empty: whatever the knowledge tells.
    pub about: Vec<(String, String)>,
    pub never: Vec<String>,
    pub style: Option<String>,
    pub at_most: Option<u32>,
    /// Name and description of topics that have a way of their own.
    pub topics: Vec<(String, String)>,
    /// What it may remember.
    pub remembers: Vec<(String, Kind)>,
    /// What it may look up: `service.action`, and what that needs.
    pub uses: Vec<(String, Vec<String>)>,
    /// What was said in this conversation, the oldest first; the last is the customer's.
    pub talk: Vec<Spoken>,
    /// What it has looked up for this reply.
    pub found: Vec<Found>,
    /// Why its last reply can't be sent, in words for it.
    pub refused: Option<String>,
    pub said_at: SourceLine,
}

/// A draft that is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drafting {
    /// With the fence of the `answer` that gave the chat to people, if one did. Nothing is looked up or remembered for a
    /// draft. `talk` ends with what the customer wrote now; the host knows what people have said and puts it before that.
    pub asked: Asked,
    /// What was said before people had the chat holds no private answers: the model may be told that, too.
    pub from_the_beginning: bool,
}

/// Something that was said while a model answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spoken {
    /// By the customer, not the bot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub customer: bool,
    pub text: String,
}

/// What came of an action that a model used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// `shop.get_order`.
    pub action: String,
    pub args: Json,
    /// The answer, or why there is none.
    pub came: Json,
}

#[derive(Debug, Clone, PartialEq)]
pub struct HandedOver {
    /// Team name; empty if the business has none.
    pub team: String,
    pub note: Option<String>,
    pub priority: Option<String>,
    /// The bot drafts answers for those who have it.
    pub assist: bool,
    /// The team is closed now; it opens again then.
    pub opens: Option<Timestamp>,
    pub said_at: SourceLine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// `close` in a flow.
    Flow,
    /// Silence, by a `no reply` line or the number's session settings.
    Silence,
    /// Idle for the auto-resolve time.
    Resolved,
    /// A person or the host.
    Host,
    /// The customer opted out.
    OptOut,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub what: String,
    pub place: SourceLine,
    /// Name of the state or text.
    pub at: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimerChange {
    Set { id: String, due: Timestamp },
    Cancel { id: String },
}

#[derive(Debug, Clone, PartialEq)]
pub enum MemoryWrite {
    /// `forget_at`: when the field is to be forgotten.
    Remember {
        field: String,
        value: Value,
        forget_at: Option<Timestamp>,
    },
    Forget {
        field: String,
    },
    /// The customer's own words told their language, of which nothing was known: [`super::Memory::language`].
    Language {
        code: String,
    },
    Tag {
        tag: String,
        on: bool,
    },
    /// `None`: all lists.
    Subscribe {
        list: Option<String>,
        on: bool,
    },
}

/// What the machine did, by names of the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Log {
    /// A flow began.
    Started { flow: String },
    /// A step was entered.
    Entered { flow: String, step: String },
    /// A question was asked.
    Asked { state: String },
    /// A `gather` took a message, so many of them by now.
    Collected { state: String, messages: u32 },
    /// A question was left this way; see [`Exit`].
    Left { state: String, exit: Exit },
    /// A plan was carried out.
    Followed { plan: String },
    /// A plan was dropped: nobody could be written to for too long, or its time was over already.
    Lapsed { plan: String },
    /// Which way of a `split` was taken; the first is 1.
    Split { name: String, way: u32 },
    /// A timer or button came too late and did nothing.
    Stale { what: String },
    /// Nothing above topics fitted, and a topic of these would: the host may recognise one, and give the message anew.
    TopicWanted { topics: Vec<String> },
    /// Nothing answers this (idle, no flow starts on it).
    Unanswered,
}

/// The ways out of a question or service call: what coverage counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// An option, by id.
    Option(String),
    /// A typed answer.
    Answer,
    /// A `check` refused the answer; its index.
    Check(u32),
    Otherwise,
    /// No row came from the data.
    Empty,
    /// `otherwise` was used up.
    OtherwiseUsedUp,
    /// A `no reply` line, by index.
    NoReply(u32),
    /// An `on` interrupted it, by index into the program's.
    Interrupted(u32),
    /// Service calls.
    Ok,
    NotFound,
    Refused,
    Status(u16),
    Problem,
    /// Handoffs: the team was closed.
    Closed,
    /// A person took the chat.
    Taken,
    /// A `no agent` line, by index.
    NoAgent(u32),
    /// People gave the chat back.
    Returned,
    /// A model's reply was sent (`Ok`), or one of these.
    NotSure,
    OffTopic,
    OffTopicUsedUp,
    Finished,
    Topic(String),
    /// It was the last of `up to N replies`.
    RepliesUsedUp,
}

//! The compiled business: a flat, pure state machine as data.
//!
//! Lowering makes it from the tree, [`crate::engine`] runs it. Nesting is gone: every step is a run of instructions,
//! every question, service call, sub-flow call and handoff is a [`State`] with a name that survives editing. A
//! program is serialisable and is known by the hash of its content.

use std::collections::BTreeMap;

use jiff::civil;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::source::SourceLine;
use super::tree::{BinaryOp, Kind, Method, OldButtons, Test};
use crate::message::MediaKind;

/// Index into [`Program::code`].
pub type Pc = u32;
/// Index into [`Program::texts`].
pub type TextIx = u32;
/// Index into [`Program::exprs`].
pub type ExprIx = u32;
/// Index into [`Program::states`].
pub type StateIx = u32;
/// Index into [`Program::steps`].
pub type StepIx = u32;
/// Index into [`Program::flows`].
pub type FlowIx = u32;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// `b3:` and 32 hexadecimal digits of the BLAKE3 of everything below. Places in files are not part of it.
    pub hash: String,
    pub business: Business,
    pub flows: Vec<Flow>,
    pub steps: Vec<Step>,
    pub states: Vec<State>,
    pub code: Vec<Instruction>,
    pub texts: Vec<Text>,
    pub exprs: Vec<Expr>,
    /// What opens a flow, in the order written.
    pub starts: Vec<Start>,
    /// What interrupts a question: a flow's own, and the business's (`flow: None`).
    pub ons: Vec<On>,
    /// The business's words in its further languages, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wordings: Vec<Wording>,
    /// Paths of the source files, for [`Place`].
    pub files: Vec<String>,
}

/// A line of a source file; `file` is an index into [`Program::files`], `line` counts from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    pub file: u16,
    pub line: u32,
}

impl Program {
    /// Everything that starts or interrupts something.
    pub fn triggers(&self) -> impl Iterator<Item = &Trigger> {
        let starts = self.starts.iter().map(|start| &start.trigger);
        starts.chain(self.ons.iter().flat_map(|on| &on.triggers))
    }

    pub fn place(&self, place: Place) -> SourceLine {
        SourceLine {
            file: self.files.get(place.file as usize).cloned().unwrap_or_default(),
            line: place.line,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Business {
    pub name: String,
    /// IANA name. `UTC` if the business file names none.
    pub timezone: String,
    /// At least one; the first is the language of the flows.
    pub languages: Vec<String>,
    pub front_door: Option<FlowIx>,
    pub teams: Vec<Team>,
    /// Name, and path beside the flows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub knowledge: Vec<(String, String)>,
    pub topics: Vec<(String, String)>,
    pub templates: Vec<Template>,
    /// Declared memory by field name, without `contact.` or `chat.`.
    pub contact_fields: BTreeMap<String, Field>,
    pub chat_fields: BTreeMap<String, Field>,
    pub services: Vec<Service>,
    /// What happens after a fault without its own line; `None`: our own sentence and a person.
    pub problem: Option<Pc>,
    /// What the customer is told outside a team's hours; sees `team` and `opens`. `None`: our own sentence.
    pub closed: Option<TextIx>,
    pub old_buttons: OldButtons,
    pub takeover_pauses_seconds: Option<u64>,
    pub burst_quiet_ms: u64,
    /// Opt-out words beside the shipped ones, folded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opt_out: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Team {
    pub name: String,
    pub title: String,
    /// Empty: always open.
    pub hours: Vec<Hours>,
    pub closed_on: Vec<civil::Date>,
}

/// Weekdays count from Monday = 1. `to` at or before `from` means the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    pub first: i8,
    pub last: i8,
    pub from: civil::Time,
    pub to: civil::Time,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    pub kind: Kind,
    pub default: Option<ExprIx>,
    pub forget_after_seconds: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Template {
    pub name: String,
    /// Language and text with its named blanks.
    pub texts: Vec<(String, String)>,
    /// Names of the blanks in the order in which WhatsApp numbers them, by language.
    pub blanks: Vec<Vec<String>>,
    pub buttons: Vec<String>,
    /// The buttons in languages that have their own, by language.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_buttons: Vec<(String, Vec<String>)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    pub name: String,
    pub url: String,
    /// Name of the secret.
    pub key: Option<String>,
    pub actions: Vec<Action>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Action {
    pub name: String,
    pub needs: Vec<String>,
    pub method: Method,
    /// Path template; its blanks are the needs, filled in percent-encoded.
    pub path: TextIx,
    /// Fields of the JSON body.
    pub body: Vec<(String, ExprIx)>,
    pub gives: Vec<(String, Kind)>,
    pub timeout_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Slug.
    pub name: String,
    /// As the author wrote it.
    pub words: String,
    pub title: Option<String>,
    /// First step.
    pub entry: StepIx,
    pub needs: Vec<(String, Kind)>,
    pub gives: Vec<(String, Kind)>,
    /// Only other flows start it.
    pub called: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub flow: FlowIx,
    /// Slug.
    pub name: String,
    pub words: String,
    /// Slug of the earlier name, if renamed.
    pub was: Option<String>,
    pub entry: Pc,
    pub place: Place,
}

/// A quoted text. `source` is a template; texts without blanks are sent as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Text {
    /// `flow/step#n`, for the log.
    pub name: String,
    pub source: String,
    /// No `{{` or `{%` in it.
    pub fixed: bool,
    pub place: Place,
}

/// The texts of a program in one of its further languages. What is missing here is said in the first. Words that
/// start or interrupt something are among the triggers themselves, because those of all languages count for everybody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wording {
    pub language: String,
    pub texts: BTreeMap<TextIx, Worded>,
    /// Further words for options, by their label.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub also: BTreeMap<TextIx, Vec<String>>,
    /// Titles of teams, by index.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub teams: BTreeMap<u32, String>,
    /// Words that start or interrupt something in this language and in no other of the business: who writes them
    /// speaks it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alone: Vec<Trigger>,
}

/// A text in another language; see [`Text`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Worded {
    pub source: String,
    pub fixed: bool,
    pub place: Place,
}

/// A place where a conversation can rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// `flow/step.value`, `flow/step.menu`, `flow/step.human`, `flow/step.do_flow`; `business/…` for the defaults'.
    pub name: String,
    /// `None` for states of the business file.
    pub flow: Option<FlowIx>,
    pub step: Option<StepIx>,
    /// `b3:…`: hash of what an answer means here (kind, value, option ids and values, accepted shapes), not of wording.
    pub anchor: String,
    pub place: Place,
    pub kind: StateKind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateKind {
    Question(Box<Question>),
    Fetch(Box<Fetch>),
    Call(Call),
    Human(Human),
    Answer(Box<Answer>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    pub prompt: Message,
    pub again: Option<TextIx>,
    /// The author wrote `list` (or `buttons`): the form is pinned. `menu` and `ask`: by number and length.
    pub form: Form,
    pub open: Option<TextIx>,
    pub options: Vec<Choice>,
    /// The value that keeps the answer.
    pub value: Option<String>,
    /// Typed answers. Empty: options only. `[Kind::Text]`: an open question.
    pub accept: Vec<Kind>,
    pub checks: Vec<(ExprIx, TextIx)>,
    /// The question's own, else the business's; `None` if neither wrote one.
    pub otherwise: Option<Otherwise>,
    /// The question's own, else the business's, soonest first. Empty: the number's session settings apply.
    pub silence: Vec<Silence>,
    pub private: bool,
    /// Runs instead of the question if no row comes from the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none: Option<Pc>,
    /// Label of the row that leads to further rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<TextIx>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gather: Option<Gather>,
    /// It is answered by a form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form_of: Option<FormOf>,
    /// Where it goes on after an answer without its own way.
    pub next: Pc,
}

/// A form of WhatsApp. The button that opens it is the question's `open`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FormOf {
    /// At WhatsApp.
    pub id: String,
    pub gives: Vec<(String, Kind)>,
}

/// One answer from several messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gather {
    /// Messages.
    pub most: u32,
    /// After so much silence it is finished; counted from the last message.
    pub quiet_seconds: Option<u64>,
}

/// Id of the option that ends a `gather`. No option that an author writes has it: those have no brackets.
pub const FINISH: &str = "(finish)";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    Fitting,
    Buttons,
    List,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Stable in its question: from `= value` if that is fixed, else from the label.
    pub id: String,
    /// One row for each item: name of the item, and the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<(String, ExprIx)>,
    pub label: TextIx,
    pub hint: Option<TextIx>,
    pub also: Vec<String>,
    pub value: Option<ExprIx>,
    pub condition: Option<ExprIx>,
    pub section: Option<TextIx>,
    /// `None`: keep the value and go on at the question's `next`.
    pub run: Option<Pc>,
    /// Leads to a changing (non-GET) service call before the next question: an old button of it works only once.
    pub single_use: bool,
}

/// What is not understood: `say` goes out with the options at most `up_to` times, then `run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Otherwise {
    pub say: Option<TextIx>,
    /// `None` with `run`: at the first miss. `None` without: said every time.
    pub up_to: Option<u32>,
    pub run: Option<Pc>,
}

/// Silence after the question was delivered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Silence {
    pub after_seconds: u64,
    pub say: Option<TextIx>,
    /// `None`: the question stays open.
    pub run: Option<Pc>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fetch {
    /// Index into [`Business::services`] and its actions.
    pub service: u32,
    pub action: u32,
    pub args: Vec<(String, ExprIx)>,
    /// The value that keeps the answer.
    pub value: String,
    pub next: Pc,
    pub not_found: Option<Pc>,
    pub refused: Option<Pc>,
    pub statuses: Vec<(u16, Pc)>,
    /// The fetch's own line; without it the business's `problem`.
    pub problem: Option<Pc>,
}

/// Waiting for a sub-flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    pub flow: FlowIx,
    pub args: Vec<(String, ExprIx)>,
    pub save: Option<String>,
    pub next: Pc,
}

/// Waiting for a model's reply. Between two replies the conversation rests at the question `reply`, which takes any
/// text and comes back to the [`Op::Answer`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub reply: StateIx,
    /// Names.
    pub knowledge: Vec<String>,
    /// Names of topics.
    pub about: Vec<String>,
    pub never: Vec<String>,
    pub style: Option<String>,
    pub at_most: Option<u32>,
    /// After so many replies it leads there.
    pub up_to: Option<(u32, Pc)>,
    /// `["contact", "shoe_size"]`.
    pub remembers: Vec<Vec<String>>,
    /// Indices into [`Business::services`] and their actions; none of them changes anything.
    pub uses: Vec<(u32, u32)>,
    pub topics: Vec<(String, Pc)>,
    /// Without it people get the chat.
    pub not_sure: Option<Pc>,
    /// Without it as `not_sure`.
    pub off_topic: Option<Otherwise>,
    /// The line's, or behind the block.
    pub finished: Pc,
    /// Without it the business's `problem`.
    pub problem: Option<Pc>,
}

/// People have the chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Human {
    /// Index into [`Business::teams`]; `None` if the business has no team.
    pub team: Option<u32>,
    pub note: Option<TextIx>,
    pub priority: Option<(String, Option<ExprIx>)>,
    /// The bot drafts, people send.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub assist: bool,
    /// Runs instead of the handoff while the team is closed.
    pub when_closed: Option<Pc>,
    /// Said once, when a person first has the chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_taken: Option<TextIx>,
    /// While nobody has taken it, soonest first. Without `run`, and where its code comes to [`Op::Wait`], people keep it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub no_agent: Vec<Silence>,
    /// Runs when people give the chat back. `None`: the chat is idle then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_returned: Option<Pc>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instruction {
    pub op: Op,
    pub place: Place,
}

/// What the machine does, one step at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Send a message.
    Send(Message),
    /// Keep a value in the flow (`["number"]`, `["story", "files"]`) or the chat (`["chat", "mood"]`).
    Set { path: Vec<String>, value: ExprIx },
    /// Write (or, without a value, forget) a field of the contact's memory.
    Mem {
        field: String,
        value: Option<ExprIx>,
        keep_seconds: Option<u64>,
    },
    /// Go on elsewhere.
    Jump(Jump),
    /// Go on at `to` if the condition holds, else at the next instruction.
    JumpIf { condition: ExprIx, to: Pc },
    /// Ask the question and wait.
    Ask(StateIx),
    /// Call the service and wait.
    Effect(StateIx),
    /// Let a model answer the customer's message, or wait for one.
    Answer(StateIx),
    /// Start the sub-flow on top of this one.
    Call(StateIx),
    /// The flow is finished: back to the caller, or idle.
    Return { gives: Vec<(String, ExprIx)> },
    /// Give the chat to people.
    Handoff(StateIx),
    /// End the session.
    Close { say: Option<TextIx> },
    /// Tell a team or keep a mark.
    Emit(Emit),
    /// The lines behind this for one item after the other; after the last at `end`. They jump back here.
    ForEach { list: ExprIx, value: String, end: Pc },
    /// Plan a visit of another day.
    Plan(Box<Plan>),
    /// Drop a plan.
    Cancel { name: String },
    /// Go one of the ways, the same for one contact each time; percents that make 100.
    Split { name: String, ways: Vec<(u32, Pc)> },
    /// Before the next message.
    Pause { ms: u64 },
    /// Ask the interrupted question again.
    Resume,
    /// Stay in the question that is open, without asking again.
    Wait,
}

impl Op {
    /// It leads out of its step: a picture of the program has an arrow for it.
    pub fn is_a_way(&self) -> bool {
        match self {
            Op::Jump(jump) => !matches!(jump, Jump::To(_)),
            Op::Call(_)
            | Op::Return { .. }
            | Op::Handoff(_)
            | Op::Close { .. }
            | Op::Plan(_)
            | Op::Resume => true,
            Op::Send(_)
            | Op::Set { .. }
            | Op::Mem { .. }
            | Op::JumpIf { .. }
            | Op::Ask(_)
            | Op::Effect(_)
            | Op::Answer(_)
            | Op::Emit(_)
            | Op::ForEach { .. }
            | Op::Cancel { .. }
            | Op::Split { .. }
            | Op::Pause { .. }
            | Op::Wait => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Jump {
    /// Inside the same step.
    To(Pc),
    Step(StepIx),
    Flow {
        flow: FlowIx,
        args: Vec<(String, ExprIx)>,
    },
    Again,
    Back,
    /// The flow's first step.
    Start,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    Say {
        body: TextIx,
        /// What may be said in its place.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        or: Vec<TextIx>,
        header: Option<TextIx>,
        footer: Option<TextIx>,
        link: Option<(TextIx, TextIx)>,
    },
    /// Index into [`Business::templates`]; arguments by blank name.
    Template {
        template: u32,
        args: Vec<(String, ExprIx)>,
    },
    /// To the customer's last message.
    React { emoji: TextIx },
    File {
        kind: MediaKind,
        /// A file beside the flows, or an address on the web.
        source: ExprIx,
        caption: Option<TextIx>,
        named: Option<TextIx>,
    },
    Place {
        lat: Decimal,
        lng: Decimal,
        name: Option<TextIx>,
        address: Option<TextIx>,
    },
}

/// A scheduled follow-up. Another one of the name takes its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub name: String,
    pub due: Due,
    /// A step of the same flow, or a flow with what it is given.
    pub to: Jump,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Due {
    /// Seconds from now.
    In(u64),
    At(ExprIx),
    /// Seconds before (less than nothing) or after a date.
    From(i64, ExprIx),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Emit {
    /// `notify TEAM "…"`; an index into [`Business::teams`].
    Notify {
        team: u32,
        text: TextIx,
    },
    Record {
        name: String,
        value: Option<ExprIx>,
    },
    Tag {
        tag: TextIx,
        on: bool,
    },
    /// `None`: all lists.
    Subscribe {
        list: Option<String>,
        on: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    pub flow: FlowIx,
    pub trigger: Trigger,
    pub condition: Option<ExprIx>,
    pub place: Place,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct On {
    /// `None`: everywhere.
    pub flow: Option<FlowIx>,
    pub triggers: Vec<Trigger>,
    pub condition: Option<ExprIx>,
    /// Ends in [`Op::Resume`] where the author wrote no way out.
    pub run: Pc,
    pub place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    Words(String),
    Containing(String),
    Topic(String),
    /// Something happened in the business's own systems.
    Event(String),
    /// The code of a link or an advertisement.
    Link(String),
    WindowClosing,
    FirstMessage,
    AnyMessage,
    Media(MediaKind),
    Location,
    /// By name of the template.
    Reply(String),
}

/// An expression without places.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expr {
    Text(TextIx),
    Number(Decimal),
    YesNo(bool),
    Nothing,
    Date(civil::Date),
    Time(civil::Time),
    /// Seconds.
    Duration(u64),
    List(Vec<Expr>),
    Path(Vec<String>),
    Not(Box<Expr>),
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    Test {
        subject: Box<Expr>,
        test: Test,
        negated: bool,
    },
    Filter {
        subject: Box<Expr>,
        name: String,
        args: Vec<Expr>,
    },
}

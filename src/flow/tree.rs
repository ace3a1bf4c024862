//! The tree that the block builder makes of a file: what the author wrote, with spans everywhere.
//!
//! Names are not resolved yet and nothing is checked but form. Checks and lowering both read this tree.

mod business;

use std::time::Duration;

use jiff::civil;
use rust_decimal::Decimal;

use super::source::{FileId, Span};
use crate::message::MediaKind;

pub use business::*;

/// All files of a business, parsed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tree {
    /// `None` if there is no business file (F-checks say so where one is needed).
    pub business: Option<Business>,
    pub flows: Vec<Flow>,
    /// The same texts in further languages.
    pub strings: Vec<Strings>,
}

/// A quoted text: a template whose source is `source`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Without quotes, escapes resolved, common indentation of `"""` removed.
    pub source: String,
    /// With the quotes.
    pub span: Span,
}

/// The name of a step or flow: a phrase. Case, spaces and `_` are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    /// As written, single spaces.
    pub words: String,
    /// The stable id: `ask_for_the_number`.
    pub slug: String,
    pub span: Span,
}

/// A one-word name (value, team, service, action).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    pub text: String,
    pub span: Span,
}

/// A dotted path: `order.status`, `contact.first_name`, `shop.get_order`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub parts: Vec<String>,
    pub span: Span,
}

// ───────── flow files ─────────

#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    pub file: FileId,
    pub name: Phrase,
    pub title: Option<Text>,
    pub starts: Vec<Starts>,
    /// `starts when called`: only other flows start it.
    pub called: bool,
    /// What a caller must give (`needs order: text`).
    pub needs: Vec<Field>,
    /// What a caller gets back (`gives verified: yes or no`).
    pub gives: Vec<Field>,
    pub steps: Vec<Step>,
    pub ons: Vec<On>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Starts {
    pub triggers: Vec<Trigger>,
    pub condition: Option<Expr>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    pub kind: TriggerKind,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TriggerKind {
    /// `"hi"`: the whole message, or a phrase inside a short one.
    Words(String),
    /// `containing "refund"`.
    Containing(String),
    /// A declared topic that the host recognised in the message.
    Topic(String),
    /// `event order.shipped`: something happened in the business's own systems.
    Event(String),
    /// `link "spring"`: the customer came by a link or an advertisement with this code.
    Link(String),
    /// Half an hour before the 24-hour window closes.
    WindowClosing,
    FirstMessage,
    AnyMessage,
    Media(MediaKind),
    Location,
    /// `reply to TEMPLATE`: a message that quotes the template, or a tap on a button of it.
    Reply(String),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub name: Phrase,
    /// `(was old name)`.
    pub was: Option<Phrase>,
    pub body: Vec<Stmt>,
    /// The heading line.
    pub span: Span,
}

/// An `on` heading: runs on top of the question that is open.
#[derive(Debug, Clone, PartialEq)]
pub struct On {
    pub triggers: Vec<Trigger>,
    pub condition: Option<Expr>,
    /// `on "x" -> place` has a single [`StmtKind::Go`].
    pub body: Vec<Stmt>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Stmt {
    pub kind: StmtKind,
    /// The statement's own line (for blocks: the opening line).
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum StmtKind {
    Say(Say),
    /// `menu`, `buttons`, `list`, `ask`, `gather`.
    Question(Box<Question>),
    Set {
        path: Path,
        value: Expr,
    },
    Remember(Remember),
    Forget {
        fields: Vec<Path>,
    },
    If(If),
    Fetch(Box<Fetch>),
    /// `-> place`.
    Go(Target),
    /// `do FLOW with … save x`.
    Do(Box<Do>),
    /// `done with a = …`.
    Done {
        gives: Vec<Arg>,
    },
    /// `send template NAME with a = …`: an approved template, allowed at any time.
    SendTemplate {
        template: Name,
        args: Vec<Arg>,
    },
    Close {
        say: Option<Text>,
    },
    Resume,
    Handoff(Box<Handoff>),
    Notify {
        team: Name,
        text: Text,
    },
    SendFile(Box<SendFile>),
    SendPlace(Box<SendPlace>),
    /// `for each x in list`: nothing in it waits.
    ForEach(Box<ForEach>),
    Later(Box<Later>),
    /// `cancel reminder`.
    Cancel {
        name: Name,
    },
    /// `record csat = score`; without a value it only happened.
    Record {
        name: Name,
        value: Option<Expr>,
    },
    /// `tag "vip"`, `untag "vip"`.
    Tag {
        tag: Text,
        on: bool,
    },
    /// `subscribe to offers`, `unsubscribe from offers`; without a list: from all of them.
    Subscribe {
        list: Option<Name>,
        on: bool,
    },
    Split(Box<Split>),
    /// `react "👍"`: to the customer's last message.
    React(Text),
    /// `answer from k1, k2`: replies of a model, inside a fence.
    Answer(Box<Answer>),
    /// `pause 2 seconds`: before the next message.
    Pause(Duration),
}

/// `send photo "…" caption "…" named "…"`.
#[derive(Debug, Clone, PartialEq)]
pub struct SendFile {
    pub kind: MediaKind,
    /// A text or a value: a file beside the flows, or an address on the web.
    pub source: Expr,
    pub caption: Option<Text>,
    pub named: Option<Text>,
}

/// `send location 41.1, -8.6 named "…" at "…"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendPlace {
    pub lat: Decimal,
    pub lng: Decimal,
    pub name: Option<Text>,
    pub address: Option<Text>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ForEach {
    pub name: Name,
    pub list: Expr,
    pub body: Vec<Stmt>,
}

/// `later reminder 1 day before visit.day -> remind`.
#[derive(Debug, Clone, PartialEq)]
pub struct Later {
    pub name: Name,
    pub due: Due,
    pub to: Target,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Due {
    In(Duration),
    At(Expr),
    Before(Duration, Expr),
    After(Duration, Expr),
}

/// `split wording`: every contact goes one of the ways, and always the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    pub name: Name,
    pub ways: Vec<Share>,
}

/// `answer from faq, returns_policy` and its lines.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// Knowledge by name.
    pub from: Vec<Name>,
    /// `about sizing, returns`: topics; empty: whatever the knowledge tells.
    pub about: Vec<Name>,
    pub never: Vec<Text>,
    pub style: Option<Text>,
    /// `at most 400 characters`.
    pub at_most: Option<u32>,
    pub up_to: Option<UpTo>,
    /// `may remember contact.shoe_size`.
    pub remembers: Vec<Path>,
    /// `may use shop.get_order`.
    pub uses: Vec<Path>,
    pub exits: Vec<AnswerExit>,
    pub no_reply: Vec<NoReply>,
}

/// `up to 5 replies, then -> anything else`.
#[derive(Debug, Clone, PartialEq)]
pub struct UpTo {
    pub replies: u32,
    pub then: Target,
}

/// A way out of `answer`.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerExit {
    pub kind: AnswerExitKind,
    pub tail: Tail,
    /// `off topic "…" up to 2 times, then -> place`.
    pub up_to: Option<u32>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerExitKind {
    Topic(Name),
    NotSure,
    OffTopic,
    Finished,
    Problem,
}

impl Answer {
    pub fn exit(&self, kind: &AnswerExitKind) -> Option<&AnswerExit> {
        self.exits.iter().find(|exit| exit.kind == *kind)
    }
}

/// `50% -> short review`.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    pub percent: u32,
    pub tail: Tail,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Say {
    pub text: Text,
    /// `say one of "…" or "…"`: what may be said in its place.
    pub or: Vec<Text>,
    pub link: Option<Link>,
    pub header: Option<Text>,
    pub footer: Option<Text>,
}

impl Say {
    /// Nothing but a text.
    pub fn of(text: Text) -> Say {
        Say {
            text,
            or: Vec::new(),
            link: None,
            header: None,
            footer: None,
        }
    }
}

/// `link "Open" to "https…"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub label: Text,
    pub url: Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QuestionWord {
    /// Buttons where they fit, else a list.
    Menu,
    Buttons,
    List,
    Ask,
    /// One answer from several messages.
    Gather,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub word: QuestionWord,
    /// `form details delivery "…"`: a form of WhatsApp, by its name in the business file. The word is `ask` then.
    pub form: Option<Name>,
    /// The value that keeps the answer; required for `ask`.
    pub name: Option<Name>,
    pub prompt: Prompt,
    pub header: Option<Text>,
    pub footer: Option<Text>,
    /// `open "See times"`: the list's button.
    pub open: Option<Text>,
    pub options: Vec<Choice>,
    /// `as …`; empty means free text for `ask`, options only for the others.
    pub accept: Option<Accept>,
    pub checks: Vec<Check>,
    pub otherwise: Option<Otherwise>,
    pub no_reply: Vec<NoReply>,
    /// What happens if no row comes from the data: `none -> nothing free`.
    pub none: Option<Tail>,
    /// `more "Later times"`: the row that leads to further rows.
    pub more: Option<Text>,
    pub finish: Option<Finish>,
    /// `again "…"`.
    pub again: Option<Text>,
    pub private: bool,
    /// From the opening line to `end`.
    pub block: Span,
}

/// What a question begins with.
#[derive(Debug, Clone, PartialEq)]
pub enum Prompt {
    Says(Text),
    /// `menu template NAME with a = …`: an approved template whose buttons are the options.
    Template(ByTemplate),
}

#[derive(Debug, Clone, PartialEq)]
pub struct ByTemplate {
    pub template: Name,
    pub args: Vec<Arg>,
    pub span: Span,
}

impl Question {
    /// Without the lines underneath.
    pub fn new(
        word: QuestionWord,
        name: Option<Name>,
        form: Option<Name>,
        prompt: Prompt,
        block: Span,
    ) -> Question {
        Question {
            word,
            form,
            name,
            prompt,
            header: None,
            footer: None,
            open: None,
            options: Vec::new(),
            accept: None,
            checks: Vec::new(),
            otherwise: None,
            no_reply: Vec::new(),
            none: None,
            more: None,
            finish: None,
            again: None,
            private: false,
            block,
        }
    }

    /// The words it asks with; none if a template asks.
    pub fn words(&self) -> Option<&Text> {
        match &self.prompt {
            Prompt::Says(text) => Some(text),
            Prompt::Template(_) => None,
        }
    }

    pub fn by_template(&self) -> Option<&ByTemplate> {
        match &self.prompt {
            Prompt::Says(_) => None,
            Prompt::Template(template) => Some(template),
        }
    }
}

/// `finish on "Done" or after 20 seconds of quiet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    pub on: Option<Text>,
    pub quiet: Option<Duration>,
    pub span: Span,
}

/// `each s in free.slots`: one row for each item.
#[derive(Debug, Clone, PartialEq)]
pub struct Each {
    pub name: Name,
    pub list: Expr,
}

/// One option of a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Rows from data: label, hint and value are made anew for each item.
    pub each: Option<Box<Each>>,
    pub label: Text,
    pub hint: Option<Text>,
    pub also: Vec<Text>,
    /// `= value`: also pins the option's identity.
    pub value: Option<Expr>,
    pub condition: Option<Expr>,
    /// The `section "…"` it stands under.
    pub section: Option<Text>,
    pub then: Tail,
    pub span: Span,
}

/// What happens in a case: a sentence, an arrow, both, or lines underneath. All empty: go on after the block.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tail {
    pub say: Option<Text>,
    pub go: Option<Target>,
    pub body: Vec<Stmt>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept {
    /// `text, voice or photo`: any of them.
    pub kinds: Vec<(Kind, Span)>,
    /// `up to 8`: messages of a `gather`.
    pub up_to: Option<(u32, Span)>,
    pub span: Span,
}

/// What an answer or value can be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Text,
    /// `text like "A-#####"`: `#` digit, `@` letter, `*` anything.
    TextLike(String),
    /// `text matching "…"`: a regular expression.
    TextMatching(String),
    Number {
        from: Option<Decimal>,
        to: Option<Decimal>,
    },
    WholeNumber {
        from: Option<Decimal>,
        to: Option<Decimal>,
    },
    YesNo,
    Money,
    Date(When),
    Time,
    Email,
    Phone,
    WebAddress,
    Media(MediaKind),
    Location,
    Rating {
        from: u32,
        to: u32,
    },
    List(Option<Box<Kind>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    Any,
    Future,
    Past,
}

/// `check CONDITION else "…"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    pub condition: Expr,
    pub otherwise: Text,
    pub span: Span,
}

/// `otherwise "…" up to N times, then -> place`, or `otherwise` with a tail.
#[derive(Debug, Clone, PartialEq)]
pub struct Otherwise {
    /// Sentence, and what happens once `up_to` is used up (or at once, without `up_to`).
    pub tail: Tail,
    pub up_to: Option<u32>,
    pub span: Span,
}

/// `no reply in 10 minutes …`, and `no agent in 15 minutes …` while people have the chat.
#[derive(Debug, Clone, PartialEq)]
pub struct NoReply {
    pub after: Duration,
    pub tail: Tail,
    pub span: Span,
}

/// `remember x as contact.y for 30 days`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remember {
    pub value: Path,
    /// Without `as`, `contact.` and the value's own name.
    pub field: Option<Path>,
    pub keep: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct If {
    /// `if` and each `else if`, in order. `if X -> place` is a branch with a single [`StmtKind::Go`].
    pub branches: Vec<Branch>,
    pub otherwise: Option<Vec<Stmt>>,
    /// `if X -> place` on one line (no `end`).
    pub one_line: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    pub condition: Expr,
    pub body: Vec<Stmt>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Fetch {
    pub name: Name,
    /// `service.action`.
    pub action: Path,
    pub args: Vec<Arg>,
    pub outcomes: Vec<Outcome>,
}

/// Calls a sub-flow; its results are `save.*`.
#[derive(Debug, Clone, PartialEq)]
pub struct Do {
    pub flow: Phrase,
    pub args: Vec<Arg>,
    pub save: Option<Name>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Arg {
    pub name: Name,
    pub value: Expr,
}

/// A line under `fetch`.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub kind: OutcomeKind,
    pub tail: Tail,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutcomeKind {
    NotFound,
    Refused,
    Status(u16),
    Problem,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Handoff {
    /// Without one: the business's only or first team.
    pub team: Option<Name>,
    pub note: Option<Text>,
    pub priority: Option<Priority>,
    /// `assist on`: the bot drafts, people send.
    pub assist: bool,
    pub when_closed: Option<Tail>,
    /// `when taken "…"`: said once, as soon as a person has the chat.
    pub when_taken: Option<Text>,
    /// `no agent in 15 minutes …`: while nobody has taken it.
    pub no_agent: Vec<NoReply>,
    /// `when returned …`: people give the chat back.
    pub when_returned: Option<Tail>,
}

impl TriggerKind {
    /// Something other than a message of the customer.
    pub fn brings_no_message(&self) -> bool {
        match self {
            TriggerKind::Event(_) | TriggerKind::WindowClosing => true,
            TriggerKind::Words(_)
            | TriggerKind::Containing(_)
            | TriggerKind::Topic(_)
            | TriggerKind::Link(_)
            | TriggerKind::Reply(_)
            | TriggerKind::FirstMessage
            | TriggerKind::AnyMessage
            | TriggerKind::Media(_)
            | TriggerKind::Location => false,
        }
    }
}

impl Handoff {
    /// The cases under it.
    pub fn tails(&self) -> impl Iterator<Item = &Tail> {
        self.when_closed
            .iter()
            .chain(self.no_agent.iter().map(|line| &line.tail))
            .chain(&self.when_returned)
    }
}

/// `priority high if …`.
#[derive(Debug, Clone, PartialEq)]
pub struct Priority {
    pub level: Name,
    pub condition: Option<Expr>,
}

/// Where an arrow leads.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    pub kind: TargetKind,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum TargetKind {
    Step(Phrase),
    Flow(Phrase, Vec<Arg>),
    /// The same question.
    Again,
    /// The interrupted question.
    Resume,
    /// The previous question.
    Back,
    /// The flow's first step.
    Start,
    Done(Vec<Arg>),
    Close,
    Handoff(Option<Name>),
}

// ───────── expressions ─────────

#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// May hold blanks, like any text.
    Text(Text),
    Number(Decimal),
    YesNo(bool),
    Nothing,
    Date(civil::Date),
    Time(civil::Time),
    Duration(Duration),
    List(Vec<Expr>),
    /// A value; `now` and `today` are paths too.
    Path(Path),
    Not(Box<Expr>),
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `x is known`, `support is not open`.
    Test {
        subject: Box<Expr>,
        test: Test,
        negated: bool,
    },
    /// `x | short(200)`.
    Filter {
        subject: Box<Expr>,
        name: Name,
        args: Vec<Expr>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BinaryOp {
    And,
    Or,
    Is,
    IsNot,
    IsExactly,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    In,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    Add,
    Subtract,
    Multiply,
    Divide,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    Known,
    Unknown,
    Empty,
    Open,
    Closed,
    /// It has a voice note without words. Only `transcribe` asks that.
    Unheard,
}

// ───────── translations ─────────

/// A `.strings` file: the texts of one flow file, or of the business file, in a further language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strings {
    pub file: FileId,
    /// `pt`, from the file's name.
    pub language: String,
    /// The file whose texts these are; `None`: it is not there.
    pub of: Option<FileId>,
    pub entries: Vec<Translation>,
    /// Comments behind the last entry.
    pub comments: Vec<Span>,
}

/// `hello#menu.1 4e1d07aa  "Seguir encomenda" also "pacote"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    pub key: TextKey,
    /// First characters of the hash of what it is a translation of.
    pub hash: String,
    /// Its source was reworded, and nobody has looked at it since.
    pub stale: bool,
    /// It stands under `unused`: kept, and not said.
    pub unused: bool,
    /// One; any number where it is words that start something. An empty one is not translated yet.
    pub texts: Vec<Text>,
    pub also: Vec<Text>,
    /// Key, hash and mark.
    pub span: Span,
    /// The comments above it, whole lines.
    pub comments: Vec<Span>,
    /// The comment behind it.
    pub comment: Option<Span>,
}

/// Where a text stands in its file: the n-th of its kind in its step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TextKey {
    /// A step's slug, `start`, `on_…` or, in the business file, `defaults` and a team's name.
    pub section: String,
    pub kind: String,
    pub number: u32,
}

impl std::fmt::Display for TextKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{}.{}", self.section, self.kind, self.number)
    }
}

impl Translation {
    /// Something is translated.
    pub fn is_filled(&self) -> bool {
        self.texts.iter().any(|text| !text.source.trim().is_empty())
    }
}

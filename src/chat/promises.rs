//! What must hold after everything that happens in a conversation, whatever the customer does.
//!
//! A [`super::rehearsal`] keeps a watch beside it. Transcripts ask for it with `check  every promise holds`;
//! [`super::explore`] looks at it after every move of a random customer.

use jiff::{SignedDuration, Timestamp};

use crate::engine::{
    Closing, Effect, Event, EventKind, Exit, Fault, Log, Memory, Mode, Outgoing, Position, Turn,
};
use crate::message::OutboundBody;

/// After the customer's last message, WhatsApp takes anything for this long, and only templates later.
const WINDOW: SignedDuration = SignedDuration::from_secs(crate::engine::WINDOW as i64);
/// Characters of a message that are quoted.
const QUOTED: usize = 60;

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("something went wrong inside, and no service was at fault: {what} ({place})")]
    Fault { what: String, place: String },
    #[error("the customer wrote, the bot has the chat, and nothing is said (at {at})")]
    Unanswered { at: String },
    #[error("two questions at once: {first}, and {second}")]
    TwoQuestions { first: String, second: String },
    #[error(
        "this is said {hours} hours after the customer's last message, and WhatsApp takes only templates then: {text:?}"
    )]
    ClosedWindow { text: String, hours: i64 },
    #[error("the bot talks while a person has the chat: {text:?}")]
    TalksOver { text: String },
    #[error("from {at} nothing the customer does leads to a person or to an end")]
    Stranded { at: String },
    #[error("it goes round in a circle without asking: {how} is called again and again")]
    Circle { how: String },
}

impl Broken {
    /// The promise, in a word for machines.
    pub fn class(&self) -> &'static str {
        match self {
            Broken::Fault { .. } => "fault",
            Broken::Unanswered { .. } => "unanswered",
            Broken::TwoQuestions { .. } => "two_questions",
            Broken::ClosedWindow { .. } => "closed_window",
            Broken::TalksOver { .. } => "talks_over",
            Broken::Stranded { .. } => "stranded",
            Broken::Circle { .. } => "circle",
        }
    }

    /// Two breaks with the same cause have the same one: what the customer happened to write is not part of it.
    pub fn cause(&self) -> String {
        let rest = match self {
            Broken::Fault { place, .. } => place,
            Broken::Unanswered { at } | Broken::Stranded { at } => at,
            Broken::TwoQuestions { second, .. } => second,
            Broken::ClosedWindow { text, .. } | Broken::TalksOver { text } => text,
            Broken::Circle { how } => how,
        };
        format!("{} {rest}", self.class())
    }
}

/// Looks at every turn of one conversation.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// When the customer wrote last.
    heard: Option<Timestamp>,
    moment: Moment,
    /// What was not kept, in order.
    pub broken: Vec<Broken>,
}

/// An event and everything that follows from it at once: service calls answer without delay.
#[derive(Debug, Clone, Default)]
struct Moment {
    /// The customer wrote or tapped, the bot had the chat, and may write to them.
    owed: bool,
    said: usize,
    asked: Vec<String>,
    /// Messages that show options.
    shown: usize,
    /// Saying nothing is right: the chat went to people or ended, or a button came too late.
    excused: bool,
    /// A question or call was left.
    left: bool,
}

impl Watch {
    /// Since the customer's last message; without one, for ever.
    pub(super) fn quiet_for(&self, now: Timestamp) -> std::time::Duration {
        self.heard.map_or(std::time::Duration::MAX, |heard| {
            heard.duration_until(now).unsigned_abs()
        })
    }

    /// Something happens; `before` is where the conversation stood.
    pub(super) fn begins(&mut self, event: &EventKind, before: &Position, memory: &Memory, now: Timestamp) {
        let by_customer = matches!(event, EventKind::Message(_) | EventKind::Tap { .. });
        // A transcript that starts in a flow stands for a customer who came by a link.
        if by_customer || matches!(event, EventKind::Start { .. }) {
            self.heard = Some(now);
        }
        self.moment = Moment {
            owed: by_customer && before.mode == Mode::Autopilot && !memory.opted_out,
            ..Moment::default()
        };
    }

    /// One turn of the moment.
    pub(super) fn turn(&mut self, event: &Event, before: &Position, turn: &Turn) {
        let mut broken = Vec::new();
        let opts = turn
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::OptOut { .. }));
        for effect in &turn.effects {
            if let Effect::Fault(fault) = effect
                && !services_own(fault, event, turn)
            {
                broken.push(Broken::Fault {
                    what: fault.what.clone(),
                    place: fault.place.to_string(),
                });
            }
            self.moment.excused |= matches!(
                effect,
                Effect::Handoff(_) | Effect::Closed { .. } | Effect::OptOut { .. }
            );
        }
        let by_customer = matches!(event.kind, EventKind::Message(_) | EventKind::Tap { .. });
        if by_customer
            && before.mode == Mode::Human
            && turn.position.mode == Mode::Human
            && !opts
            && let Some(said) = turn.outbox.first()
        {
            broken.push(Broken::TalksOver { text: quoted(said) });
        }
        for said in &turn.outbox {
            self.moment.said += 1;
            self.moment.shown += usize::from(matches!(said.body, OutboundBody::Choices(_)));
            let silent = self.heard.map(|heard| heard.duration_until(event.at));
            if !matches!(said.body, OutboundBody::Template { .. })
                && silent.is_none_or(|silent| silent >= WINDOW)
            {
                broken.push(Broken::ClosedWindow {
                    text: quoted(said),
                    hours: silent.map_or(0, |silent| silent.as_hours()),
                });
            }
        }
        for entry in &turn.log {
            if let Log::Asked { state } = entry {
                self.moment.asked.push(state.clone());
            }
            self.moment.left |= matches!(entry, Log::Left { .. });
            // A `gather` collects in silence.
            self.moment.excused |= matches!(entry, Log::Stale { .. } | Log::Collected { .. });
        }
        // A plan or a timer must not put a question beside the one that is open.
        if let (EventKind::Timer { .. }, Some(open), Some(asked)) =
            (&event.kind, before.frames.last(), self.moment.asked.first())
            && before.mode == Mode::Autopilot
            && *asked != open.at
            && !self.moment.left
        {
            broken.push(Broken::TwoQuestions {
                first: open.at.clone(),
                second: asked.clone(),
            });
        }
        self.broken.extend(broken);
    }

    /// The moment is over, and the conversation rests at `after`.
    pub(super) fn ends(&mut self, after: &Position) {
        let moment = std::mem::take(&mut self.moment);
        if let [first, second, ..] = moment.asked.as_slice() {
            self.broken.push(Broken::TwoQuestions {
                first: first.clone(),
                second: second.clone(),
            });
        } else if moment.shown > 1 {
            let at = at(after);
            self.broken.push(Broken::TwoQuestions {
                first: at.clone(),
                second: format!("{at} again"),
            });
        }
        let ended = after.frames.is_empty() && moment.left;
        if moment.owed && moment.said == 0 && !moment.excused && !ended && after.mode == Mode::Autopilot {
            self.broken.push(Broken::Unanswered { at: at(after) });
        }
    }
}

/// A service or a model that fails, or answers something else than it should, is at fault itself; the conversation copes
/// with it by its `problem` lines.
fn services_own(fault: &Fault, event: &Event, turn: &Turn) -> bool {
    let called = matches!(event.kind, EventKind::Result { .. } | EventKind::Replied { .. });
    let failed = turn
        .log
        .iter()
        .any(|entry| matches!(entry, Log::Left { state, exit: Exit::Problem } if *state == fault.at));
    called && failed && !fault.what.contains(" needs ")
}

/// Where a conversation rests, by the name of its state.
pub(super) fn at(position: &Position) -> String {
    let frame = position.frames.last();
    frame.map_or_else(|| "idle".to_owned(), |frame| frame.at.clone())
}

/// Whether a chat that ended like this came to an end of the author's making.
pub(super) fn is_an_end(why: Closing) -> bool {
    match why {
        Closing::Flow | Closing::Silence | Closing::Host => true,
        Closing::Resolved | Closing::OptOut => false,
    }
}

fn quoted(said: &Outgoing) -> String {
    let text = match &said.body {
        OutboundBody::Text { body, .. }
        | OutboundBody::Link { body, .. }
        | OutboundBody::Form { body, .. }
        | OutboundBody::AskLocation { body } => body.as_str(),
        OutboundBody::Choices(choices) => &choices.body,
        OutboundBody::Template { text, .. } => text,
        OutboundBody::Media { caption, .. } => caption.as_deref().unwrap_or("a file"),
        OutboundBody::Location(_) => "a place",
        OutboundBody::React { emoji, .. } => emoji,
        OutboundBody::HandOff { .. } | OutboundBody::Resolve => "",
    };
    text.chars().take(QUOTED).collect()
}

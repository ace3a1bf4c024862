//! One turn of one conversation, as a pure step: claimed events in, one commit out. The engine decides what is said;
//! this decides what waits, who may speak, and how the answer is packed for the outbox.

mod models;

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::acts::{self, Arrived, What};
use super::session::{Act, Handed, Held, Listening, Session, ToHear};
use super::thread::{Line, NoteKind, Ours};
use crate::channel::{Channel, Outbound, Show, Step};
use crate::engine::{
    self, Closing, Effect, Event, EventKind, Fault, HandedOver, Heard, Incoming, Memory, Mode, Noted,
    Outgoing, Position, TimerChange, Turn,
};
use crate::message::{Address, InboundBody, Keeper, OutboundBody, RoomNews, Window};
use crate::server::inbound::identity;
use crate::server::inbound::mailbox::{Hearing, Item};
use crate::server::jobs::work::{REPLY, Work};
use crate::server::watch::metrics::Draft as Counted;
use crate::store::{Claim, ContactId, Job, JobId, OutboxEntry, Owner, Sender, Seq, TimerId};

/// A short pause after a file, so that what follows arrives after it.
const AFTER_A_FILE: SignedDuration = SignedDuration::from_millis(700);
/// As many acts wait for an answer at most; further ones are in the thread, for people.
const HELD_AT_MOST: usize = 40;
/// And as many bytes: a session has 64 KiB for everything.
const HELD_BYTES: usize = 16 * 1024;

/// The engine, as far as a turn needs it.
pub(in crate::server) type Advance<'a> = &'a dyn Fn(&Position, &Memory, &Event) -> Turn;

/// What a turn may do.
#[derive(Debug, Clone, Copy)]
pub(in crate::server) struct Rules<'a> {
    pub channel: &'a dyn Channel,
    /// Flows answer on this number.
    pub autopilot: bool,
    /// Somebody can listen to voice notes.
    pub listens: bool,
    /// Somebody can recognise topics.
    pub sorts: bool,
    /// Somebody can draft answers for people, and may on this number.
    pub drafts: bool,
    /// Tokens of models that one customer may cost a day.
    pub tokens: Option<u64>,
    pub quiet: Duration,
    /// The business's, as an IANA name: times in notes are those of its people.
    pub timezone: &'a str,
}

/// What one turn leads to.
#[derive(Debug, Default)]
pub(in crate::server) struct Outcome {
    pub session: Session,
    pub memory: Memory,
    pub owner: Option<Owner>,
    pub outbox: Vec<OutboxEntry>,
    pub set_timers: Vec<(TimerId, Timestamp, Vec<u8>)>,
    pub cancel_timers: Vec<TimerId>,
    pub jobs: Vec<Job>,
    pub history: Vec<Line>,
    /// For the log: what happened, by names of the program.
    pub told: Vec<Told>,
}

/// A line for the operator's log. Holds no words of customers.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::server) enum Told {
    Fault(Fault),
    Handoff { team: String, place: String },
    Unreadable(String),
    Unsendable(usize),
    Draft(Counted),
}

/// Applies claimed events, as they were read and joined, in order.
pub(in crate::server) fn play(
    claim: &Claim,
    arrived: Vec<Arrived>,
    session: Session,
    memory: Memory,
    rules: Rules<'_>,
    advance: Advance<'_>,
) -> Outcome {
    let mut table = Table {
        contact: claim.contact,
        to: identity::address(&claim.aliases, rules.channel.capabilities().rooms),
        owner: claim.owner,
        rules,
        advance,
        seq: 0,
        index: 0,
        at: Timestamp::UNIX_EPOCH,
        pause: SignedDuration::ZERO,
        for_the_room: None,
        resolved: false,
        unasked: false,
        notification: None,
        from_draft: None,
        out: Outcome {
            session,
            memory,
            ..Outcome::default()
        },
    };
    table.out.memory.phone = identity::phone(&claim.aliases);
    table.out.memory.lot = identity::lot(claim.contact);
    for one in arrived {
        table.take(one);
    }
    table.out
}

struct Table<'a> {
    contact: ContactId,
    to: Option<Address>,
    owner: Owner,
    rules: Rules<'a>,
    advance: Advance<'a>,
    /// The event in hand, and how many messages it has led to.
    seq: Seq,
    index: usize,
    at: Timestamp,
    pause: SignedDuration,
    /// What the provider's inbox is told after everything that is said.
    for_the_room: Option<OutboundBody>,
    /// The room is closed there already.
    resolved: bool,
    /// What is said now nobody asked for.
    unasked: bool,
    notification: Option<String>,
    /// The draft of which a person made what is said now.
    from_draft: Option<String>,
    out: Outcome,
}

impl Table<'_> {
    fn take(&mut self, mut arrived: Arrived) {
        (self.seq, self.index, self.at) = (arrived.seq, 0, arrived.at);
        // Whoever has taken the chat meanwhile: it was said to the question.
        if let What::Customer { .. } = arrived.what {
            self.withhold(&mut arrived.messages);
        }
        self.hear_the_inbox(&arrived);
        let aside = matches!(
            arrived.what,
            What::Item(Item::Notify { .. } | Item::Sent { .. } | Item::Drafted { .. })
        );
        if !aside {
            self.settle_who_speaks();
        }
        match arrived.what {
            What::Customer {
                act,
                name,
                message_id,
                quotes,
            } => {
                if message_id.is_some() {
                    self.out.session.last_said = message_id;
                }
                // It was meant for what the customer wrote before.
                self.out.session.draft = None;
                let act = self.out.session.with_quote(act, quotes.as_deref());
                if name.is_some() {
                    self.out.memory.name = name;
                }
                if self.out.session.waits() {
                    self.hold(act, arrived.messages);
                } else {
                    self.answer(act);
                }
            }
            What::Item(item) => self.item(item),
            What::Unreadable(why) => {
                self.note(NoteKind::Fault, format!("An event could not be read: {why}"));
                self.out.told.push(Told::Unreadable(why));
            }
        }
        self.answer_held();
    }

    /// Lets the machine know who has the chat, should it think otherwise.
    fn settle_who_speaks(&mut self) {
        let people = !self.owner.lets_bot_speak(self.at);
        let off = !self.rules.autopilot;
        let human = self.out.session.position.mode == Mode::Human;
        if (people || off) && !human {
            self.out.session.autopilot_off = !people;
            self.advance(EventKind::Taken { agent: String::new() });
        } else if human && !people && !off {
            let was_paused = matches!(self.owner, Owner::PausedUntil(_));
            if self.out.session.autopilot_off || was_paused {
                self.out.session.autopilot_off = false;
                self.out.owner = Some(Owner::Bot);
                self.owner = Owner::Bot;
                self.advance(EventKind::Returned);
            }
        }
    }

    /// In a provider's own inbox people take chats and give them back, too: the bot is silent while somebody has the room.
    fn hear_the_inbox(&mut self, arrived: &Arrived) {
        let session = &mut self.out.session;
        match (arrived.window, &arrived.what) {
            // Whoever writes opens it.
            (_, What::Customer { .. }) => session.window_closed = false,
            (Window::Closed, What::Item(_)) => session.window_closed = true,
            (Window::Open, What::Item(_)) => session.window_closed = false,
            (Window::Unknown, What::Item(_)) | (_, What::Unreadable(_)) => {}
        }
        match arrived.keeper {
            Keeper::People => {
                if !session.assigned {
                    session.assigned = true;
                    self.note(
                        NoteKind::Handoff,
                        "A person has the chat in the provider's inbox.",
                    );
                    if self.out.session.position.mode == Mode::Human {
                        self.advance(EventKind::Taken { agent: String::new() });
                    }
                }
                if self.owner != Owner::Human {
                    self.owner = Owner::Human;
                    self.out.owner = Some(Owner::Human);
                }
            }
            Keeper::Bot if session.assigned => {
                session.assigned = false;
                self.owner = Owner::Bot;
                self.out.owner = Some(Owner::Bot);
                if self.out.session.position.mode == Mode::Human {
                    self.advance(EventKind::Returned);
                }
            }
            Keeper::Bot | Keeper::Unknown => {}
        }
    }

    /// A room was closed in the provider's inbox. Where people had the chat, that ends the session; the bot ends its own.
    fn room_resolved(&mut self) {
        self.note(NoteKind::Session, "The room is resolved in the provider's inbox.");
        let people = self.out.session.assigned || self.out.session.position.mode == Mode::Human;
        self.out.session.assigned = false;
        if people {
            self.owner = Owner::Bot;
            self.out.owner = Some(Owner::Bot);
            self.let_go();
            self.resolved = true;
            self.advance(EventKind::Close);
            self.resolved = false;
        }
    }

    fn item(&mut self, item: Item) {
        match item {
            Item::Timer { id } => {
                self.unasked = engine::is_plan(&id) || engine::is_window_closing(&id);
                self.advance(EventKind::Timer { id });
                self.unasked = false;
            }
            Item::Answered { key, answer } => {
                // A late answer changes nothing: nobody has to know it.
                let private = self.out.session.private.remove(&key);
                if self.out.session.calls.remove(&key) {
                    self.out.history.push(Line::answered(&key, &answer, private));
                }
                self.advance(EventKind::Result { key, answer });
            }
            Item::Replied { key, reply, tokens } => {
                self.out.session.spend(tokens, self.at);
                self.out.session.calls.remove(&key);
                self.advance(EventKind::Replied { key, reply });
            }
            Item::Heard { note, hearing } => self.heard(&note, hearing),
            Item::Topic { note, topic, tokens } => {
                self.out.session.spend(tokens, self.at);
                self.sorted(&note, topic);
            }
            Item::Drafted { id, drafted, tokens } => {
                self.out.session.spend(tokens, self.at);
                self.drafted(id, drafted);
            }
            Item::Taken { agent } => {
                self.let_go();
                self.advance(EventKind::Taken { agent });
            }
            Item::Said { agent, text, draft } => {
                self.let_go();
                self.advance(EventKind::PersonSaid { agent: agent.clone() });
                let shown = self.out.session.shown_draft();
                let used = draft.filter(|id| shown.is_some_and(|shown| shown.id == *id));
                self.out.session.draft = None;
                self.person_says(agent, text, used);
            }
            Item::Returned => self.advance(EventKind::Returned),
            Item::Close => {
                self.let_go();
                self.advance(EventKind::Close);
            }
            Item::Inbound(inbound) => {
                // Who has the room was heard already.
                let resolved = InboundBody::Room {
                    news: RoomNews::Resolved,
                };
                if inbound.body == resolved {
                    self.room_resolved();
                }
                if let InboundBody::Preference { marketing } = inbound.body {
                    self.wishes(!marketing, "in WhatsApp's own settings");
                }
            }
            Item::OptedOut => self.wishes(true, "as a contact who is the same person"),
            Item::Happened { event, values } => {
                self.unasked = true;
                self.advance(EventKind::Happened { event, values });
                self.unasked = false;
            }
            Item::Notify { key, by, body } => self.notify(key, by, *body),
            Item::Sent { template, message_id } => self.out.session.template_sent(template, message_id),
            Item::Noted => {}
        }
    }

    /// The customer said otherwise than by a word whether they want messages on our own account.
    fn wishes(&mut self, opted_out: bool, how: &str) {
        if self.out.memory.opted_out != opted_out {
            self.out.memory.opted_out = opted_out;
            let says = if opted_out { "no more messages" } else { "messages" };
            let again = if opted_out { "" } else { " again" };
            self.note(
                NoteKind::Session,
                format!("The customer wants {says} on our own account{again}, {how}."),
            );
        }
    }

    /// A system of the business has something to tell, whoever has the chat. The conversation stays where it is.
    fn notify(&mut self, key: String, by: String, body: OutboundBody) {
        let before = (self.out.outbox.len(), self.out.history.len());
        if self.out.memory.opted_out {
            self.note(
                NoteKind::Sending,
                format!("Not sent for {by}: the customer wants no more messages on our own account."),
            );
        } else {
            let outgoing = Outgoing {
                body,
                said_at: None,
                after_ms: 0,
            };
            self.unasked = true;
            self.notification = Some(key.clone());
            self.pack(outgoing, Sender::Person, Some(by));
            (self.unasked, self.notification) = (false, None);
        }
        if self.out.outbox.len() == before.0 {
            // Whoever asks what became of it finds why.
            for line in &mut self.out.history[before.1..] {
                if let Line::Note { about, .. } = line {
                    *about = Some(key.clone());
                }
            }
        }
    }

    /// People have the chat now, or it ends: nothing is waited for any more.
    fn let_go(&mut self) {
        self.out.session.forget_calls();
        self.out.session.listening = None;
        self.out.session.sorting = None;
    }

    /// What answers a private question is shown to nobody.
    fn withhold(&mut self, messages: &mut Vec<String>) {
        if self.out.session.asks_privately && !messages.is_empty() {
            let messages = std::mem::take(messages);
            self.out.history.push(Line::Private { messages });
        }
    }

    fn hold(&mut self, act: Act, messages: Vec<String>) {
        let held = Held {
            seq: self.seq,
            at: self.at,
            act,
            messages,
        };
        let waiting = &mut self.out.session.held;
        if waiting.len() < HELD_AT_MOST && size_of(waiting) + size_of(&held) <= HELD_BYTES {
            waiting.push(held);
        } else {
            self.note(
                NoteKind::Fault,
                "The customer wrote more than could be kept waiting; the bot will not answer this message.",
            );
        }
    }

    fn answer_held(&mut self) {
        while !self.out.session.waits() && !self.out.session.held.is_empty() {
            let mut held = self.out.session.held.remove(0);
            self.withhold(&mut held.messages);
            self.answer(held.act);
        }
    }

    fn answer(&mut self, act: Act) {
        match act {
            Act::Event(EventKind::Message(incoming)) => self.message(incoming),
            Act::Event(kind) => self.advance(kind),
            Act::Listen(ToHear { media, template }) if self.rules.listens => {
                let note = format!("{}/voice/{}", self.contact, self.seq);
                let work = Work::Listen {
                    note: note.clone(),
                    media: media.clone(),
                };
                self.out.jobs.push(job(note.clone(), &work));
                if self.out.session.asks_privately {
                    self.out.session.private_notes.insert(note.clone());
                }
                self.out.session.listening = Some(Listening {
                    note,
                    media,
                    template,
                });
            }
            Act::Listen(ToHear { media, template }) => {
                let incoming = acts::with_file(&media, String::new(), None, Heard::Nothing);
                self.message(Incoming { template, ..incoming });
            }
        }
    }

    fn heard(&mut self, note: &str, hearing: Hearing) {
        let line = match &hearing {
            Hearing::Words { text, .. } => text.clone(),
            Hearing::Silence => "(nobody speaks)".to_owned(),
            Hearing::Nothing { why } => format!("(not understood: {why})"),
        };
        let private = self.out.session.private_notes.remove(note);
        self.out.history.push(Line::Heard { text: line, private });
        // People took the chat meanwhile: they have read it above.
        let Some(listening) = self
            .out
            .session
            .listening
            .take_if(|listening| listening.note == note)
        else {
            return;
        };
        let (text, seconds, heard) = match hearing {
            Hearing::Words { text, seconds } => (text, seconds, Heard::Words),
            Hearing::Silence => (String::new(), None, Heard::Silence),
            Hearing::Nothing { .. } => (String::new(), None, Heard::Nothing),
        };
        let incoming = acts::with_file(&listening.media, text, seconds, heard);
        self.message(Incoming {
            template: listening.template,
            ..incoming
        });
    }

    /// A moment as the business's people write it.
    fn in_words(&self, at: Timestamp) -> String {
        let zone = TimeZone::get(self.rules.timezone).unwrap_or(TimeZone::UTC);
        at.to_zoned(zone).strftime("%a %-d %b, %H:%M").to_string()
    }

    fn advance(&mut self, kind: EventKind) {
        let event = Event { at: self.at, kind };
        let turn = (self.advance)(&self.out.session.position, &self.out.memory, &event);
        self.carry_out(turn);
    }

    fn carry_out(&mut self, turn: Turn) {
        let human = self.out.session.position.mode == Mode::Human;
        // What a handoff says while people have the chat (`when taken`, `no agent in`) is theirs.
        let theirs = human && turn.position.mode == Mode::Human;
        self.out.session.position = turn.position;
        self.out.session.asks_privately = turn.asks_privately;
        self.out.memory.apply(&turn.memory);
        // What the law asks for is said whoever has the chat; the store drops everything else of the bot then.
        let legal = turn
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::OptOut { .. }));
        let sender = if legal || theirs {
            Sender::Person
        } else {
            Sender::Bot
        };
        for effect in turn.effects {
            self.effect(effect);
        }
        for outgoing in turn.outbox {
            self.pack(outgoing, sender, None);
        }
        if let Some(body) = self.for_the_room.take() {
            let outgoing = Outgoing {
                body,
                said_at: None,
                after_ms: 0,
            };
            self.pack(outgoing, sender, None);
        }
        for change in turn.timers {
            match change {
                TimerChange::Set { id, due } => {
                    self.out.cancel_timers.retain(|timer| timer.0 != id);
                    self.out.set_timers.retain(|(timer, ..)| timer.0 != id);
                    let payload = Item::Timer { id: id.clone() }.to_bytes();
                    self.out.set_timers.push((TimerId(id), due, payload));
                }
                TimerChange::Cancel { id } => {
                    self.out.set_timers.retain(|(timer, ..)| timer.0 != id);
                    self.out.cancel_timers.push(TimerId(id));
                }
            }
        }
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Call(call) => {
                self.out.session.calls.insert(call.key.clone());
                if call.private {
                    self.out.session.private.insert(call.key.clone());
                }
                let id = format!("{}/{}", self.contact, call.key);
                self.out.jobs.push(job(id, &Work::Call(call)));
            }
            Effect::Ask(asked) => {
                self.out.session.calls.insert(asked.key.clone());
                let id = format!("{}/{REPLY}{}", self.contact, asked.key);
                let work = if self.may_cost() {
                    Work::Reply(asked)
                } else {
                    Work::Spent { key: asked.key }
                };
                self.out.jobs.push(job(id, &work));
            }
            Effect::Draft(drafting) => self.draft(drafting),
            Effect::Notify { team, text, said_at } => {
                let text = format!("For {team}: {text}");
                self.out
                    .history
                    .push(Line::note(NoteKind::Notify, text, Some(said_at)));
            }
            Effect::Handoff(handed) => self.hand_off(handed),
            Effect::BotAgain => {
                self.out.session.handed = None;
                self.out.session.draft = None;
                self.owner = Owner::Bot;
                self.out.owner = Some(Owner::Bot);
                self.note(NoteKind::Returned, "The bot answers again.");
            }
            Effect::OptOut { opted_out } => {
                self.out.memory.opted_out = opted_out;
                let text = if opted_out {
                    "The customer wants no more messages on our own account."
                } else {
                    "The customer wants messages again."
                };
                self.note(NoteKind::Session, text);
            }
            Effect::Opened { session } => self.note(NoteKind::Session, format!("Session {session} begins.")),
            Effect::Closed { session, why } => {
                self.out.session.forget_calls();
                self.out.session.sorting = None;
                self.out.session.draft = None;
                if !self.resolved && !self.out.session.assigned {
                    self.for_the_room = Some(OutboundBody::Resolve);
                }
                let why = match why {
                    Closing::Flow => "the flow closed it",
                    Closing::Silence => "the customer was silent",
                    Closing::Resolved => "it was idle for long",
                    Closing::Host => "a person ended it",
                    Closing::OptOut => "the customer wants no more messages",
                };
                self.note(NoteKind::Session, format!("Session {session} ends: {why}."));
            }
            Effect::Noted { what, said_at } => {
                let text = noted(&what);
                self.out
                    .history
                    .push(Line::note(NoteKind::Kept, text, Some(said_at)));
            }
            Effect::Fault(fault) => {
                let text = format!("{} ({})", fault.what, fault.at);
                let place = Some(fault.place.clone());
                self.out.history.push(Line::note(NoteKind::Fault, text, place));
                self.out.told.push(Told::Fault(fault));
            }
        }
    }

    fn hand_off(&mut self, handed: HandedOver) {
        self.owner = Owner::Human;
        self.out.owner = Some(Owner::Human);
        if !self.out.session.assigned {
            self.for_the_room = Some(OutboundBody::HandOff {
                team: handed.team.clone(),
            });
        }
        let mut text = match handed.team.as_str() {
            "" => "The chat waits for people.".to_owned(),
            team => format!("The chat waits for {team}."),
        };
        if let Some(opens) = handed.opens {
            let opens = self.in_words(opens);
            text.push_str(&format!(" The team is closed until {opens}."));
        }
        if handed.assist && self.rules.drafts {
            text.push_str(" The bot drafts answers.");
        }
        if let Some(priority) = &handed.priority {
            text.push_str(&format!(" Priority: {priority}."));
        }
        if let Some(note) = &handed.note {
            text.push_str(&format!("\n{note}"));
        }
        self.out.session.handed = Some(Handed {
            team: handed.team.clone(),
            note: handed.note,
            priority: handed.priority,
            assist: handed.assist,
            drafts_fail: false,
            since: self.at,
        });
        self.out.told.push(Told::Handoff {
            team: handed.team,
            place: handed.said_at.to_string(),
        });
        self.out
            .history
            .push(Line::note(NoteKind::Handoff, text, Some(handed.said_at)));
    }

    fn person_says(&mut self, agent: String, text: String, draft: Option<String>) {
        // What staff write on the phone has reached the customer already.
        if text.is_empty() {
            return;
        }
        let body = OutboundBody::Text {
            body: text,
            preview: true,
        };
        let outgoing = Outgoing {
            body,
            said_at: None,
            after_ms: 0,
        };
        if draft.is_some() {
            self.out.told.push(Told::Draft(Counted::Used));
        }
        self.from_draft = draft;
        self.pack(outgoing, Sender::Person, Some(agent));
        self.from_draft = None;
    }

    /// Plans a message and queues each of its steps by itself, so that no crash repeats those that are through.
    fn pack(&mut self, mut outgoing: Outgoing, sender: Sender, agent: Option<String>) {
        if let OutboundBody::React { target, .. } = &mut outgoing.body {
            target.clone_from(&self.out.session.last_said);
        }
        let about_the_room = matches!(
            outgoing.body,
            OutboundBody::HandOff { .. } | OutboundBody::Resolve
        );
        if about_the_room && !self.rules.channel.capabilities().rooms {
            return;
        }
        let templates = self.rules.channel.capabilities().templates;
        let anytime = about_the_room || (templates && matches!(outgoing.body, OutboundBody::Template { .. }));
        if self.out.session.window_closed && !anytime {
            self.note(
                NoteKind::Sending,
                "Not sent: the provider says that the customer's 24 hours are over; only a template can be sent.",
            );
            return;
        }
        let Some(to) = self.to.clone() else {
            self.note(
                NoteKind::Sending,
                "Not sent: no address of this customer is known.",
            );
            return;
        };
        self.pause += SignedDuration::from_millis(i64::try_from(outgoing.after_ms).unwrap_or(0));
        let plan = self.rules.channel.plan(&Outbound {
            to,
            reply_to: None,
            ours: None,
            body: outgoing.body,
        });
        for loss in &plan.losses {
            self.out.history.push(Line::note(
                NoteKind::Sending,
                loss.to_string(),
                outgoing.said_at.clone(),
            ));
        }
        if plan.steps.is_empty() && !about_the_room {
            self.out.told.push(Told::Unsendable(plan.losses.len()));
        }
        for step in plan.steps {
            let id = identity::outbox_id(self.contact, self.seq, self.index);
            self.index += 1;
            let is_file = matches!(
                &step,
                Step::Send {
                    show: Show::Media { .. },
                    ..
                }
            );
            let not_before = (!self.pause.is_zero()).then(|| self.at + self.pause);
            let line = Line::Ours(Box::new(Ours {
                step,
                template: anytime,
                queued_at: self.at,
                agent: agent.clone(),
                draft: self.from_draft.clone(),
                unasked: self.unasked,
                notify: self.notification.clone(),
                said_at: outgoing.said_at.clone(),
            }));
            self.out.outbox.push(OutboxEntry {
                id,
                sender,
                payload: line.to_bytes(),
                not_before,
            });
            if is_file {
                self.pause += AFTER_A_FILE;
            }
        }
    }

    fn note(&mut self, kind: NoteKind, text: impl Into<String>) {
        self.out.history.push(Line::note(kind, text, None));
    }
}

/// What a flow keeps, in words for the team.
fn noted(what: &Noted) -> String {
    match what {
        Noted::Record { name, value: None } => format!("Recorded: {name}."),
        Noted::Record {
            name,
            value: Some(value),
        } => match value.to_json() {
            serde_json::Value::String(text) => format!("Recorded: {name} is {text}."),
            other => format!("Recorded: {name} is {other}."),
        },
        Noted::Tag { tag, on: true } => format!("Tagged: {tag}."),
        Noted::Tag { tag, on: false } => format!("No longer tagged: {tag}."),
        Noted::Subscribe { list, on } => match (list, on) {
            (Some(list), true) => format!("The customer wants messages of the list {list}."),
            (Some(list), false) => format!("The customer wants no more messages of the list {list}."),
            (None, _) => "The customer wants no more messages of any list.".to_owned(),
        },
    }
}

/// As it will be stored.
fn size_of(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(0, |bytes| bytes.len())
}

fn job(id: String, work: &Work) -> Job {
    Job {
        id: JobId(id),
        payload: work.to_bytes(),
        not_before: None,
    }
}

#[cfg(test)]
mod tests;

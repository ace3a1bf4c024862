//! A conversation without a phone: the machine with a virtual clock and mocked services.
//!
//! The same events go in as in production and the same effects come out. The clock stands still until it is moved;
//! timers that fall due on the way fire in order; service calls are answered by declared mocks at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::Value as Json;

use super::explore::{self, Words};
use super::promises::Watch;
use super::story::{Act, Draft, Given, GivenAnswer};
use super::transcript::{self, Shown};
use crate::engine::{
    Answer, Asked, Call, Closing, Effect, Event, EventKind, Fault, File, HandedOver, Heard, Incoming, Log,
    Machine, Memory, Noted, Outgoing, Position, Reply, Says, SessionSettings, TimerChange,
};
use crate::flow::program::Pc;
use crate::flow::source::SourceLine;
use crate::flow::value::Value;
use crate::message::{MediaKind, OutboundBody, Place};

/// One customer talking to one program.
#[derive(Debug, Clone)]
pub struct Rehearsal<'a> {
    machine: &'a Machine,
    /// Versions that were live before, and the names under which others were published.
    former: Vec<&'a Machine>,
    published: Vec<(String, &'a Machine)>,
    settings: SessionSettings,
    zone: TimeZone,
    now: Timestamp,
    pub position: Position,
    pub memory: Memory,
    timers: BTreeMap<String, Timestamp>,
    mocks: Vec<Mock>,
    /// A call without a mock is down instead of an error, and its `given` line is kept here.
    pub undeclared: Option<Vec<String>>,
    /// Answers calls in the place of mocks: [`super::explore`].
    pub(super) improvise: Option<Improvise>,
    /// What improvised services answered, in order.
    pub(super) improvised: Vec<Given>,
    /// What an improvised model replied, in order.
    pub(super) imagined: Vec<Says>,
    /// Looks at every turn.
    pub watch: Watch,
    /// Plants a fault, to see that it is found.
    #[cfg(test)]
    pub(super) tamper: Option<fn(&Event, &mut crate::engine::Turn)>,
    /// What the model replies when it is asked, in order.
    pub replies: VecDeque<Reply>,
    /// What it drafts for people when it is asked, in order; without one it has nothing useful.
    pub drafts: VecDeque<Draft>,
    /// Codes of the link by which the customer comes with the next message.
    pub links: Vec<String>,
    /// When the customer last did something.
    spoke: Option<Timestamp>,
    /// Said and not yet looked at.
    pub said: VecDeque<Said>,
    /// What was said last, at once: an event and what followed from it.
    pub last: Vec<OutboundBody>,
    /// Everything that happened, in order.
    pub happened: Vec<Happened>,
    pub log: Vec<Log>,
    /// Ways of the first version's program that were taken: [`crate::engine::Turn::went`].
    pub went: BTreeSet<Pc>,
    /// What can be tapped, newest message last: label and id.
    screen: Vec<Vec<(String, String)>>,
}

/// What a service answers that nobody declared: drawn from `luck`, the same for the same call.
#[derive(Debug, Clone)]
pub(super) struct Improvise {
    pub luck: u64,
    pub words: Arc<Words>,
    /// What the next call gets whatever the luck, and what the calls after it get: what they declare.
    pub next: Option<GivenAnswer>,
    /// Services are in good health: they answer what they declare.
    pub healthy: bool,
}

#[derive(Debug, Clone)]
struct Mock {
    given: Given,
    used: bool,
}

/// A message of the bot.
#[derive(Debug, Clone)]
pub struct Said {
    pub shown: Shown,
    pub at: Option<SourceLine>,
    pub body: OutboundBody,
}

/// An effect that a transcript can mention.
#[derive(Debug, Clone, PartialEq)]
pub enum Happened {
    Called(Call),
    Handed(HandedOver),
    Told { team: String, text: String },
    Closed(Closing),
    OptedOut,
    OptedIn,
    Fault(Fault),
    Noted(Noted),
    Lapsed { plan: String },
}

/// Why a rehearsal can't go on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Stuck {
    #[error(
        "{service}.{action} is called and nothing is declared for it. Add above the conversation:\n  {suggestion}"
    )]
    NoMock {
        service: String,
        action: String,
        suggestion: String,
    },
    #[error(
        "the model is asked here, and models are never called in tests. Say what it replies, under the customer's message:\n  \
         (ai answers \"…\")    or    (ai is not sure)"
    )]
    NoReply,
    #[error("the draft {text:?} is not shown: {why}")]
    DraftRefused { text: String, why: String },
    #[error("[{label}] is not on the customer's screen{hint}")]
    NoSuchButton { label: String, hint: String },
    #[error("the clock can't go back: it is {now} already")]
    ClockBack { now: civil::DateTime },
    #[error("no window is open: the customer has not written yet")]
    NoWindow,
    #[error("a service is called again and again ({0}); the flow seems to go round without asking")]
    Endless(String),
}

/// Service calls one event may lead to before the rehearsal gives up.
const MOST_CALLS: usize = 50;

impl<'a> Rehearsal<'a> {
    pub fn new(
        machine: &'a Machine,
        settings: SessionSettings,
        time: Option<civil::DateTime>,
    ) -> Rehearsal<'a> {
        let zone = TimeZone::get(&machine.program().business.timezone).unwrap_or(TimeZone::UTC);
        let time = time.unwrap_or(civil::date(2026, 3, 2).at(10, 0, 0, 0));
        let now = zone
            .to_ambiguous_timestamp(time)
            .compatible()
            .unwrap_or(Timestamp::UNIX_EPOCH);
        Rehearsal {
            machine,
            former: Vec::new(),
            published: Vec::new(),
            settings,
            zone,
            now,
            position: Position::default(),
            memory: Memory::default(),
            timers: BTreeMap::new(),
            mocks: Vec::new(),
            undeclared: None,
            improvise: None,
            improvised: Vec::new(),
            imagined: Vec::new(),
            watch: Watch::default(),
            #[cfg(test)]
            tamper: None,
            replies: VecDeque::new(),
            drafts: VecDeque::new(),
            links: Vec::new(),
            spoke: None,
            said: VecDeque::new(),
            last: Vec::new(),
            happened: Vec::new(),
            log: Vec::new(),
            went: BTreeSet::new(),
            screen: Vec::new(),
        }
    }

    /// The conversation as it stands, for looking ahead: what was said and happened is left behind, and only the
    /// questions' own rules of silence go on.
    pub(super) fn without_its_past(&self) -> Rehearsal<'a> {
        Rehearsal {
            machine: self.machine,
            former: self.former.clone(),
            published: Vec::new(),
            settings: SessionSettings {
                silence_rules: false,
                ..self.settings.clone()
            },
            zone: self.zone.clone(),
            now: self.now,
            position: self.position.clone(),
            memory: self.memory.clone(),
            timers: self.timers.clone(),
            mocks: Vec::new(),
            undeclared: None,
            improvise: self.improvise.clone(),
            improvised: Vec::new(),
            imagined: Vec::new(),
            watch: Watch::default(),
            #[cfg(test)]
            tamper: self.tamper,
            replies: VecDeque::new(),
            drafts: VecDeque::new(),
            links: Vec::new(),
            spoke: self.spoke,
            said: VecDeque::new(),
            last: Vec::new(),
            happened: Vec::new(),
            log: Vec::new(),
            went: BTreeSet::new(),
            screen: self.screen.last().cloned().into_iter().collect(),
        }
    }

    /// The time in the business's zone.
    pub fn time(&self) -> civil::DateTime {
        self.zone.to_datetime(self.now)
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub fn machine(&self) -> &'a Machine {
        self.machine
    }

    /// Another version of the flows goes live. Those before it are kept, as a server keeps them.
    pub fn publish(&mut self, name: &str, machine: &'a Machine) {
        if machine.program().hash != self.machine.program().hash {
            self.former.push(self.machine);
            self.machine = machine;
            self.zone = TimeZone::get(&machine.program().business.timezone).unwrap_or(TimeZone::UTC);
        }
        self.published.push((name.to_owned(), machine));
    }

    /// The name of the version that the running flow belongs to, else of the live one. `None`: the one from before
    /// anything was published.
    pub fn version(&self) -> Option<&str> {
        let frame = self.position.frames.last();
        let hash = frame.map_or(&self.machine.program().hash, |frame| &frame.program);
        self.published
            .iter()
            .rev()
            .find(|(_, machine)| machine.program().hash == *hash)
            .map(|(name, _)| name.as_str())
    }

    pub fn mock(&mut self, given: Given) {
        self.mocks.push(Mock { given, used: false });
    }

    /// Makes every call of a service action fail from now on.
    pub fn forget_mocks_of(&mut self, service: &str, action: &str) {
        self.mocks
            .retain(|mock| mock.given.service != service || mock.given.action != action);
    }

    /// Moves the clock to so many seconds after the customer's last message.
    pub fn window_is(&mut self, seconds: u64) -> Result<(), Stuck> {
        let spoke = self.spoke.ok_or(Stuck::NoWindow)?;
        let until = spoke
            .checked_add(Duration::from_secs(seconds))
            .unwrap_or(Timestamp::MAX);
        if until < self.now {
            return Err(Stuck::ClockBack { now: self.time() });
        }
        self.run_until(until)
    }

    /// The customer does something.
    pub fn act(&mut self, act: &Act, topic: Option<String>) -> Result<(), Stuck> {
        let mut kind = match act {
            Act::Types(text) => EventKind::Message(Incoming {
                text: text.clone(),
                topic,
                ..Incoming::default()
            }),
            Act::Quotes { template, words } => EventKind::Message(Incoming {
                text: words.clone(),
                topic,
                template: Some(template.clone()),
                ..Incoming::default()
            }),
            Act::Taps(label) => {
                let id = self.on_screen(label)?;
                EventKind::Tap {
                    id,
                    title: label.clone(),
                }
            }
            Act::Voice { seconds, words } => EventKind::Message(Incoming {
                text: words.clone().unwrap_or_default(),
                file: Some(File {
                    kind: MediaKind::Voice,
                    url: "transcript:voice".to_owned(),
                    size: None,
                    seconds: *seconds,
                    heard: if words.is_some() {
                        Heard::Words
                    } else {
                        Heard::Silence
                    },
                }),
                topic,
                ..Incoming::default()
            }),
            Act::Sends { kind, name, caption } => EventKind::Message(Incoming {
                text: caption.clone().unwrap_or_default(),
                file: Some(File {
                    kind: *kind,
                    url: format!(
                        "transcript:{}",
                        name.as_deref().unwrap_or(transcript::word_for(*kind))
                    ),
                    size: None,
                    seconds: None,
                    heard: Heard::NotVoice,
                }),
                topic,
                ..Incoming::default()
            }),
            Act::Form(filled) => EventKind::Message(Incoming {
                form: Some(Box::new(filled.clone())),
                topic,
                ..Incoming::default()
            }),
            Act::Location { lat, lng, name } => EventKind::Message(Incoming {
                place: Some(Place {
                    lat: *lat,
                    lng: *lng,
                    name: name.clone(),
                    address: None,
                }),
                topic,
                ..Incoming::default()
            }),
        };
        if let EventKind::Message(incoming) = &mut kind {
            incoming.links = std::mem::take(&mut self.links);
        }
        self.spoke = Some(self.now);
        self.apply(kind)
    }

    /// The id behind a label, on the newest message that shows it.
    fn on_screen(&self, label: &str) -> Result<String, Stuck> {
        let found = self
            .screen
            .iter()
            .rev()
            .flatten()
            .find(|(shown, _)| shown == label);
        found.map(|(_, id)| id.clone()).ok_or_else(|| {
            let there: Vec<String> = self
                .screen
                .last()
                .into_iter()
                .flatten()
                .map(|(label, _)| format!("[{label}]"))
                .collect();
            let hint = if there.is_empty() {
                "; there are no buttons".to_owned()
            } else {
                format!("; there are {}", there.join(" "))
            };
            Stuck::NoSuchButton {
                label: label.to_owned(),
                hint,
            }
        })
    }

    /// Labels that can be tapped on the newest message with options.
    pub fn options(&self) -> Vec<String> {
        self.screen
            .last()
            .into_iter()
            .flatten()
            .map(|(label, _)| label.clone())
            .collect()
    }

    /// Every label that was ever shown, oldest first.
    pub(super) fn shown(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.screen.iter().flatten().map(|(label, _)| label.as_str())
    }

    /// Lets time pass; what falls due on the way happens on the way.
    pub fn pass(&mut self, by: Duration) -> Result<(), Stuck> {
        let until = self.now.checked_add(by).unwrap_or(Timestamp::MAX);
        self.run_until(until)
    }

    pub fn time_is(&mut self, time: civil::DateTime) -> Result<(), Stuck> {
        let until = self
            .zone
            .to_ambiguous_timestamp(time)
            .compatible()
            .unwrap_or(self.now);
        if until < self.now {
            return Err(Stuck::ClockBack { now: self.time() });
        }
        self.run_until(until)
    }

    fn run_until(&mut self, until: Timestamp) -> Result<(), Stuck> {
        while let Some((id, due)) = self.next_timer().filter(|(_, due)| *due <= until) {
            self.now = due.max(self.now);
            self.timers.remove(&id);
            self.apply(EventKind::Timer { id })?;
        }
        self.now = until;
        Ok(())
    }

    pub(super) fn next_timer(&self) -> Option<(String, Timestamp)> {
        self.timers
            .iter()
            // Of equals the first by name: the map is in that order.
            .min_by_key(|(_, due)| **due)
            .map(|(id, due)| (id.clone(), *due))
    }

    /// Timers that are set: id and when.
    pub fn timers(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        self.timers.iter().map(|(id, due)| (id.as_str(), *due))
    }

    /// When a plan is due, in the business's time.
    pub fn planned(&self, plan: &str) -> Option<civil::DateTime> {
        let planned = self.position.later.iter().find(|planned| planned.name == plan)?;
        Some(self.zone.to_datetime(planned.due))
    }

    /// One event and everything that follows from it at once.
    pub fn apply(&mut self, kind: EventKind) -> Result<(), Stuck> {
        self.watch.begins(&kind, &self.position, &self.memory, self.now);
        let mut events = VecDeque::from([kind]);
        let mut calls = 0;
        let mut spoke = false;
        while let Some(kind) = events.pop_front() {
            let event = Event { at: self.now, kind };
            #[cfg_attr(not(test), expect(unused_mut, reason = "only a test changes a turn"))]
            let mut turn = self.machine.advance_among(
                &self.former,
                &self.settings,
                &self.position,
                &self.memory,
                &event,
            );
            #[cfg(test)]
            if let Some(tamper) = self.tamper {
                tamper(&event, &mut turn);
            }
            self.watch.turn(&event, &self.position, &turn);
            self.position = turn.position;
            self.memory.apply(&turn.memory);
            for change in turn.timers {
                match change {
                    TimerChange::Set { id, due } => {
                        self.timers.insert(id, due);
                    }
                    TimerChange::Cancel { id } => {
                        self.timers.remove(&id);
                    }
                }
            }
            if !turn.outbox.is_empty() && !std::mem::replace(&mut spoke, true) {
                self.last.clear();
            }
            turn.outbox.into_iter().for_each(|outgoing| self.say(outgoing));
            self.happened
                .extend(turn.log.iter().filter_map(|entry| match entry {
                    Log::Lapsed { plan } => Some(Happened::Lapsed { plan: plan.clone() }),
                    _ => None,
                }));
            self.log.extend(turn.log);
            if self.former.is_empty() {
                self.went.extend(turn.went);
            }
            for effect in turn.effects {
                match effect {
                    Effect::Call(call) => {
                        calls += 1;
                        if calls > MOST_CALLS {
                            return Err(Stuck::Endless(format!("{}.{}", call.service, call.action)));
                        }
                        let answer = self.answer(&call)?;
                        events.push_back(EventKind::Result {
                            key: call.key.clone(),
                            answer,
                        });
                        self.happened.push(Happened::Called(call));
                    }
                    Effect::Ask(asked) => {
                        calls += 1;
                        if calls > MOST_CALLS {
                            return Err(Stuck::Endless("a model".to_owned()));
                        }
                        let reply = match (self.replies.pop_front(), &mut self.undeclared) {
                            (Some(reply), _) => reply,
                            (None, _) if self.improvise.is_some() => self.imagine(&asked).into(),
                            (None, Some(undeclared)) => {
                                undeclared.push("(ai answers \"…\")".to_owned());
                                Says::NotSure.into()
                            }
                            (None, None) => return Err(Stuck::NoReply),
                        };
                        events.push_back(EventKind::Replied {
                            key: asked.key.clone(),
                            reply,
                        });
                    }
                    Effect::Draft(drafting) => self.draft(&drafting.asked)?,
                    Effect::Notify { team, text, .. } => self.happened.push(Happened::Told { team, text }),
                    Effect::Handoff(handed) => self.happened.push(Happened::Handed(handed)),
                    Effect::Closed { why, .. } => self.happened.push(Happened::Closed(why)),
                    Effect::Noted { what, .. } => self.happened.push(Happened::Noted(what)),
                    Effect::Fault(fault) => self.happened.push(Happened::Fault(fault)),
                    Effect::OptOut { opted_out } => {
                        self.memory.opted_out = opted_out;
                        self.happened.push(if opted_out {
                            Happened::OptedOut
                        } else {
                            Happened::OptedIn
                        });
                    }
                    Effect::BotAgain | Effect::Opened { .. } => {}
                }
            }
        }
        self.watch.ends(&self.position);
        Ok(())
    }

    fn say(&mut self, mut outgoing: Outgoing) {
        if let OutboundBody::React { target, .. } = &mut outgoing.body {
            *target = self.spoke.map(|_| "transcript:message".to_owned());
        }
        self.last.push(outgoing.body.clone());
        for shown in transcript::show(&outgoing.body) {
            if !shown.options.is_empty() {
                self.screen.push(shown.options.clone());
            }
            let said = Said {
                shown,
                at: outgoing.said_at.clone(),
                body: outgoing.body.clone(),
            };
            self.said.push_back(said);
        }
    }

    /// As the server does: what is refused is asked for once more.
    fn draft(&mut self, asked: &Asked) -> Result<(), Stuck> {
        let Some(first) = self.drafts.pop_front() else {
            return Ok(());
        };
        let (mut why, mut shown) = (asked.refusal(&first.text), first);
        if why.is_some()
            && let Some(second) = self.drafts.pop_front()
        {
            (why, shown) = (asked.refusal(&second.text), second);
        }
        let unknown = |name: &&String| asked.knowledge.iter().all(|(own, _)| own != *name);
        let no_such = |name: &String| format!("there is no knowledge {name}");
        match why.or_else(|| shown.knowledge.iter().find(unknown).map(no_such)) {
            None => Ok(()),
            Some(why) => Err(Stuck::DraftRefused {
                text: shown.text,
                why,
            }),
        }
    }

    /// What a model replies to whom nobody has given a reply.
    fn imagine(&mut self, asked: &Asked) -> Says {
        let luck = self.improvise.as_ref().map_or(0, |improvise| improvise.luck);
        let says = explore::reply(asked, luck.wrapping_add(self.imagined.len() as u64));
        self.imagined.push(says.clone());
        says
    }

    /// The most specific mock that fits; of equals, each answers once and the last one goes on answering.
    fn answer(&mut self, call: &Call) -> Result<Answer, Stuck> {
        if let Some(improvise) = &mut self.improvise {
            let luck = improvise.luck.wrapping_add(self.improvised.len() as u64);
            let answer = match improvise.next.take() {
                Some(answer) => answer,
                None => {
                    let program = self.machine.program();
                    explore::serve(program, &improvise.words, call, luck, improvise.healthy)
                }
            };
            self.improvised.push(Given {
                service: call.service.clone(),
                action: call.action.clone(),
                args: Vec::new(),
                answer: answer.clone(),
                line: 0,
            });
            return Ok(answered(call, &answer));
        }
        let args: BTreeMap<&str, Json> = call
            .args
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_json()))
            .collect();
        let fits = |given: &Given| {
            given.service == call.service
                && given.action == call.action
                && given
                    .args
                    .iter()
                    .all(|(name, wanted)| args.get(name.as_str()).is_some_and(|arg| same(arg, wanted)))
        };
        let most = self
            .mocks
            .iter()
            .filter(|mock| fits(&mock.given))
            .map(|mock| mock.given.args.len())
            .max();
        let mut chosen = None;
        for (index, mock) in self.mocks.iter().enumerate() {
            if Some(mock.given.args.len()) == most && fits(&mock.given) {
                chosen = Some(index);
                if !mock.used {
                    break;
                }
            }
        }
        let Some(mock) = chosen.and_then(|index| self.mocks.get_mut(index)) else {
            if let Some(undeclared) = &mut self.undeclared {
                undeclared.push(suggestion(call));
                return Ok(Answer::Down {
                    why: "nothing is declared for this call".to_owned(),
                });
            }
            return Err(Stuck::NoMock {
                service: call.service.clone(),
                action: call.action.clone(),
                suggestion: suggestion(call),
            });
        };
        mock.used = true;
        Ok(answered(call, &mock.given.answer))
    }
}

/// What was declared, as the machine gets it.
fn answered(call: &Call, given: &GivenAnswer) -> Answer {
    match given {
        GivenAnswer::Status(status, body) => Answer::Status {
            status: *status,
            body: body.clone(),
        },
        GivenAnswer::TimesOut => Answer::TimedOut {
            why: format!(
                "{}.{} took longer than {} seconds",
                call.service,
                call.action,
                call.timeout_ms / 1000
            ),
        },
        GivenAnswer::IsDown => Answer::Down {
            why: format!("{}.{} can't be reached", call.service, call.action),
        },
    }
}

/// Texts are the same without regard to case, numbers by value.
pub(super) fn same(said: &Json, wanted: &Json) -> bool {
    let words = |json: &Json| match json {
        Json::String(text) => text.to_lowercase(),
        other => other.to_string(),
    };
    words(said) == words(wanted)
}

/// The `given` line that would answer this call.
fn suggestion(call: &Call) -> String {
    format!(
        "given {}.{}{} answers 200 {{}}",
        call.service,
        call.action,
        with_args(call)
    )
}

/// The arguments of a call as `given` and stage directions write them: ` with number "A-1"`, or nothing.
pub(super) fn with_args(call: &Call) -> String {
    let written = |(name, value): &(String, Value)| format!("{name} {}", value.to_json());
    let args: Vec<String> = call.args.iter().map(written).collect();
    if args.is_empty() {
        String::new()
    } else {
        format!(" with {}", args.join(", "))
    }
}

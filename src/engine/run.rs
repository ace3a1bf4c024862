//! One turn under way, and the loop that carries out instructions until something has to be waited for.

use std::cell::OnceCell;

use jiff::Timestamp;

use super::event::{Event, Incoming};
use super::faults::Failed;
use super::machine::Machine;
use super::position::{Frame, Mode, Position};
use super::silence::Clock;
use super::spoken::Speech;
use super::turn::{Closing, Effect, Exit, Log, MemoryWrite, Noted, Outgoing, Turn};
use super::{Memory, SessionSettings};
use crate::flow::locale::Language;
use crate::flow::program::{Emit, ExprIx, Jump, Op, Pc, Place, StateIx};
use crate::flow::template::Moment;
use crate::flow::value::{Record, Value};

/// Instructions a turn may take. The compiler refuses loops without a question; this backs it up.
pub(super) const FUEL: u32 = 200;
/// Messages a turn may send. More in a row would be taken for spam by people and platform alike.
const MESSAGES: usize = 20;

#[derive(Debug)]
pub(super) struct Run<'m> {
    /// The version whose code runs: see `crossing`.
    pub m: &'m Machine,
    pub live: &'m Machine,
    /// Versions before it that the position mentions.
    pub former: &'m [&'m Machine],
    pub settings: &'m SessionSettings,
    pub memory: &'m Memory,
    pub at: Timestamp,
    /// In which the bot speaks: the customer's if the business speaks it, else the business's first.
    pub language: &'static Language,
    /// The program's wording in it; `None`: the words of the flows.
    pub wording: Option<usize>,
    /// The customer's language, if it is known.
    pub code: Option<String>,
    pub(super) moment: OnceCell<Moment>,
    pub p: Position,
    pub incoming: Option<&'m Incoming>,
    /// Title of the tapped option.
    pub tapped: Option<&'m str>,
    /// This event opened the session.
    pub just_opened: bool,
    pub outbox: Vec<Outgoing>,
    pub effects: Vec<Effect>,
    pub writes: Vec<MemoryWrite>,
    pub log: Vec<Log>,
    pub went: Vec<Pc>,
    /// What an `on` or a `no reply` interrupts, until it is known whether it comes back to it.
    pub pending: Option<Pending>,
    /// The question that was answered in this turn.
    pub left: Option<String>,
    /// An option or an answer with a shape was taken: the customer's words ask nothing.
    pub chosen: bool,
    /// Visit of the question of which a single-use option was taken.
    pub used: Option<u64>,
    /// Visit of the question that was answered in this turn.
    pub answered: Option<u64>,
    pub fuel: u32,
    /// Where the present instruction was written.
    pub place: Place,
    /// People have the chat, and the lines of a `no agent` run meanwhile.
    pub lent: bool,
    /// The note about the fault that is being handled.
    pub mending: Option<String>,
    /// A flow starts again because its place is gone: its question is asked in the wording for that.
    pub restarted: bool,
    /// The turn was started by silence.
    pub by_silence: bool,
    pub clock: Clock,
    /// Values for one of the business's own texts.
    pub extra: Record,
    /// `for each` lines that are under way, outer ones first.
    pub loops: Vec<Loop>,
    /// Milliseconds before the next message.
    pub pause_ms: u64,
}

/// A `for each` under way.
#[derive(Debug)]
pub(super) struct Loop {
    at: Pc,
    rest: std::vec::IntoIter<Value>,
}

#[derive(Debug)]
pub(super) struct Pending {
    pub frames: Vec<Frame>,
    /// An `on`: an arrow abandons the question. After silence it can be resumed.
    pub from_on: bool,
}

/// What comes after an instruction.
#[derive(Debug)]
pub(super) enum Next {
    At(Pc),
    Rest,
}

impl<'m> Run<'m> {
    pub fn new(
        m: &'m Machine,
        former: &'m [&'m Machine],
        settings: &'m SessionSettings,
        position: Position,
        memory: &'m Memory,
        event: &Event,
    ) -> Run<'m> {
        let speech = Speech::of(&m.program, memory, event.at);
        Run {
            m,
            live: m,
            former,
            settings,
            memory,
            at: event.at,
            language: speech.language,
            wording: speech.wording,
            code: speech.code,
            moment: OnceCell::new(),
            p: position,
            incoming: None,
            tapped: None,
            just_opened: false,
            outbox: Vec::new(),
            effects: Vec::new(),
            writes: Vec::new(),
            log: Vec::new(),
            went: Vec::new(),
            pending: None,
            left: None,
            chosen: false,
            used: None,
            answered: None,
            fuel: FUEL,
            place: Place { file: 0, line: 0 },
            lent: false,
            mending: None,
            restarted: false,
            by_silence: false,
            clock: Clock::Keep,
            extra: Record::new(),
            loops: Vec::new(),
            pause_ms: 0,
        }
    }

    pub fn into_turn(self, timers: Vec<super::turn::TimerChange>) -> Turn {
        let open = self.p.frames.last().filter(|_| self.p.mode == Mode::Autopilot);
        Turn {
            asks_privately: open.is_some_and(|frame| self.m.private_question(&frame.at).is_some()),
            position: self.p,
            outbox: self.outbox,
            effects: self.effects,
            timers,
            memory: self.writes,
            log: self.log,
            went: self.went,
        }
    }

    /// The event's time where the business is.
    pub fn moment(&self) -> Moment {
        *self
            .moment
            .get_or_init(|| Moment(self.m.zone.to_datetime(self.at)))
    }

    /// Carries out instructions from `pc` until the turn rests.
    pub fn execute(&mut self, pc: Pc) {
        self.go(Next::At(pc));
    }

    /// As [`Run::execute`], from what an earlier part of the turn came to.
    pub fn finish_with(&mut self, outcome: Result<Next, Failed>) {
        let next = match outcome {
            Ok(next) => next,
            Err(failed) => self.mend(failed),
        };
        self.go(next);
    }

    fn go(&mut self, mut next: Next) {
        while let Next::At(pc) = next {
            let m = self.m;
            next = match self.step(pc) {
                Ok(next) => {
                    let op = m.program.code.get(pc as usize).map(|instruction| &instruction.op);
                    // Outside the team's hours a handoff is none, and goes on at its `when closed`.
                    let stays = matches!((op, &next), (Some(Op::Handoff(_)), Next::At(_)));
                    if op.is_some_and(Op::is_a_way) && !stays && std::ptr::eq(m, self.live) {
                        self.went.push(pc);
                    }
                    next
                }
                Err(failed) => self.mend(failed),
            };
        }
    }

    fn step(&mut self, pc: Pc) -> Result<Next, Failed> {
        let m = self.m;
        let Some(instruction) = m.program.code.get(pc as usize) else {
            return Err(self.failed(format!("the program has no instruction {pc}")));
        };
        self.place = instruction.place;
        self.fuel = self.fuel.saturating_sub(1);
        if self.fuel == 0 {
            return Err(self.failed(format!("more than {FUEL} instructions without a question")));
        }
        let on = Ok(Next::At(pc + 1));
        if self.lent && leads_away(&instruction.op) {
            self.take_back();
        }
        match &instruction.op {
            Op::Send(_) if self.outbox.len() >= MESSAGES => {
                Err(self.failed(format!("more than {MESSAGES} messages in one turn")))
            }
            Op::Send(message) => {
                self.say(message)?;
                on
            }
            Op::Set { path, value } => {
                let value = self.eval(*value)?;
                self.set(path, value);
                on
            }
            Op::Mem {
                field,
                value,
                keep_seconds,
            } => {
                self.remember(field, *value, *keep_seconds)?;
                on
            }
            Op::Jump(jump) => self.jump(jump),
            Op::JumpIf { condition, to } => {
                if self.holds(*condition)? {
                    Ok(Next::At(*to))
                } else {
                    on
                }
            }
            Op::Ask(state) => {
                self.begin_gather(*state);
                self.ask(*state, false)
            }
            Op::Effect(state) => {
                self.call_service(*state)?;
                Ok(Next::Rest)
            }
            Op::Answer(state) => self.answer_by_model(*state),
            Op::Call(state) => self.call_flow(*state),
            Op::Return { gives } => {
                self.loops.clear();
                self.give_back(gives)
            }
            Op::Handoff(state) => self.hand_over(*state),
            Op::Close { say } => {
                if let Some(text) = say {
                    self.say_text(*text)?;
                }
                let why = if self.by_silence {
                    Closing::Silence
                } else {
                    Closing::Flow
                };
                self.close(why);
                Ok(Next::Rest)
            }
            Op::Emit(Emit::Notify { team, text }) => {
                let effect = Effect::Notify {
                    team: m
                        .program
                        .business
                        .teams
                        .get(*team as usize)
                        .map_or("", |team| &team.name)
                        .to_owned(),
                    text: self.text(*text)?,
                    said_at: m.program.place(instruction.place),
                };
                self.effects.push(effect);
                on
            }
            Op::Emit(Emit::Record { name, value }) => {
                let value = match value {
                    Some(value) => self.eval(*value)?,
                    None => None,
                };
                let name = name.clone();
                self.noted(Noted::Record { name, value });
                on
            }
            Op::Emit(Emit::Tag { tag, on: tagged }) => {
                let tag = self.text(*tag)?.trim().to_owned();
                if !tag.is_empty() {
                    self.writes.push(MemoryWrite::Tag {
                        tag: tag.clone(),
                        on: *tagged,
                    });
                    self.noted(Noted::Tag { tag, on: *tagged });
                }
                on
            }
            Op::Emit(Emit::Subscribe { list, on: wanted }) => {
                self.writes.push(MemoryWrite::Subscribe {
                    list: list.clone(),
                    on: *wanted,
                });
                self.noted(Noted::Subscribe {
                    list: list.clone(),
                    on: *wanted,
                });
                on
            }
            Op::ForEach { list, value, end } => self.next_item(pc, *list, value, *end),
            Op::Plan(plan) => {
                self.plan(plan)?;
                on
            }
            Op::Cancel { name } => {
                self.p.later.retain(|planned| planned.name != *name);
                on
            }
            Op::Split { name, ways } => Ok(Next::At(self.split(name, ways).unwrap_or(pc + 1))),
            Op::Pause { ms } => {
                self.pause_ms = self.pause_ms.saturating_add(*ms);
                on
            }
            Op::Resume => self.resume(),
            Op::Wait => {
                self.stay();
                Ok(Next::Rest)
            }
        }
    }

    pub fn noted(&mut self, what: Noted) {
        let said_at = self.m.program.place(self.place);
        self.effects.push(Effect::Noted { what, said_at });
    }

    /// The next item of the list, or on behind the lines.
    fn next_item(&mut self, pc: Pc, list: ExprIx, value: &str, end: Pc) -> Result<Next, Failed> {
        if self.loops.last().is_none_or(|open| open.at != pc) {
            let items = self.items(list, "`for each` needs")?;
            self.loops.push(Loop {
                at: pc,
                rest: items.into_iter(),
            });
        }
        match self.loops.last_mut().and_then(|open| open.rest.next()) {
            Some(item) => {
                self.top().locals.insert(value.to_owned(), item);
                Ok(Next::At(pc + 1))
            }
            None => {
                self.loops.pop();
                self.top().locals.remove(value);
                Ok(Next::At(end))
            }
        }
    }

    fn set(&mut self, path: &[String], value: Option<Value>) {
        match path {
            [] => {}
            [scope, rest @ ..] if scope == "chat" && !rest.is_empty() => {
                set_in(&mut self.p.chat, rest, value)
            }
            path => set_in(&mut self.top().locals, path, value),
        }
    }

    fn remember(&mut self, field: &str, value: Option<ExprIx>, keep: Option<u64>) -> Result<(), Failed> {
        let Some(value) = value else {
            self.writes.push(MemoryWrite::Forget {
                field: field.to_owned(),
            });
            self.wrote(field);
            return Ok(());
        };
        // What is not known is not remembered, and does not wipe out what was.
        if let Some(value) = self.eval(value)? {
            let declared = self.m.program.business.contact_fields.get(field);
            let seconds = keep.or(declared.and_then(|declared| declared.forget_after_seconds));
            self.keep(field, value, seconds);
        }
        Ok(())
    }

    /// Writes a field of memory, for so many seconds or for good.
    pub(super) fn keep(&mut self, field: &str, value: Value, seconds: Option<u64>) {
        self.writes.push(MemoryWrite::Remember {
            field: field.to_owned(),
            value,
            forget_at: seconds.map(|seconds| super::silence::later(self.at, seconds)),
        });
        self.wrote(field);
    }

    /// A way out of a state was taken.
    pub(super) fn log_left(&mut self, state: StateIx, exit: Exit) {
        self.log.push(Log::Left {
            state: self.m.program.states[state as usize].name.clone(),
            exit,
        });
    }

    /// What an expression lists; nothing if it is not known. `who` needs the list.
    pub(super) fn items(&mut self, list: ExprIx, who: &str) -> Result<Vec<Value>, Failed> {
        match self.eval(list)? {
            Some(Value::List(items)) => Ok(items),
            None => Ok(Vec::new()),
            Some(other) => {
                let what = crate::flow::template::kind_of(&other);
                Err(self.failed(format!("{who} a list, and this is {what}")))
            }
        }
    }

    /// The customer's words in this turn.
    pub fn words(&self) -> &'m str {
        match (self.incoming, self.tapped) {
            (Some(incoming), _) => &incoming.text,
            (None, Some(title)) => title,
            (None, None) => "",
        }
    }
}

/// Whether the chat is somewhere else after it. People who are handed a chat again keep it.
fn leads_away(op: &Op) -> bool {
    match op {
        Op::Jump(jump) => !matches!(jump, Jump::To(_)),
        Op::Ask(_)
        | Op::Effect(_)
        | Op::Answer(_)
        | Op::Call(_)
        | Op::Return { .. }
        | Op::Close { .. }
        | Op::Resume => true,
        Op::Send(_)
        | Op::Set { .. }
        | Op::Mem { .. }
        | Op::JumpIf { .. }
        | Op::Handoff(_)
        | Op::Emit(_)
        | Op::ForEach { .. }
        | Op::Plan(_)
        | Op::Cancel { .. }
        | Op::Split { .. }
        | Op::Pause { .. }
        | Op::Wait => false,
    }
}

/// Writes into nested records; a value on the way that isn't one is replaced.
pub(super) fn set_in(record: &mut Record, path: &[String], value: Option<Value>) {
    let Some((name, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        match value {
            Some(value) => record.insert(name.clone(), value),
            None => record.remove(name),
        };
        return;
    }
    let inner = record
        .entry(name.clone())
        .or_insert_with(|| Value::Record(Record::new()));
    if !matches!(inner, Value::Record(_)) {
        *inner = Value::Record(Record::new());
    }
    if let Value::Record(fields) = inner {
        set_in(fields, rest, value);
    }
}

//! One turn under way, and the loop that carries out instructions until something has to be waited for.

use std::cell::OnceCell;

use jiff::Timestamp;

use super::event::{Event, Incoming};
use super::faults::Failed;
use super::machine::Machine;
use super::position::{Frame, Position};
use super::silence::Clock;
use super::turn::{Closing, Effect, Log, MemoryWrite, Outgoing, Turn};
use super::{Memory, SessionSettings};
use crate::flow::locale::Language;
use crate::flow::program::{Emit, ExprIx, FlowIx, Jump, Op, Pc, Place, StateIx, StateKind, StepIx};
use crate::flow::template::Moment;
use crate::flow::value::{Record, Value};

/// Instructions a turn may take. The compiler refuses loops without a question; this backs it up.
pub(super) const FUEL: u32 = 200;
/// Messages a turn may send. More in a row would be taken for spam by people and platform alike.
const MESSAGES: usize = 20;
/// Flows that may stand on top of each other. The compiler refuses circles; this backs it up.
const DEPTH: usize = 16;
/// Questions that `back` can return to.
const BACK: usize = 16;
/// The flow of frames that run the business file's own code. Not a slug that a flow file could have.
pub(super) const BUSINESS: &str = "(business)";

#[derive(Debug)]
pub(super) struct Run<'m> {
    pub m: &'m Machine,
    pub settings: &'m SessionSettings,
    pub memory: &'m Memory,
    pub at: Timestamp,
    /// In which the bot speaks: the customer's if the business speaks it, else the business's first.
    pub language: &'static Language,
    moment: OnceCell<Moment>,
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
    /// What an `on` or a `no reply` interrupts, until it is known whether it comes back to it.
    pub pending: Option<Pending>,
    /// The question that was answered in this turn.
    pub left: Option<String>,
    /// Visit of the question of which a single-use option was taken.
    pub used: Option<u64>,
    pub fuel: u32,
    /// Where the present instruction was written.
    pub place: Place,
    /// The note about the fault that is being handled.
    pub mending: Option<String>,
    /// The turn was started by silence.
    pub by_silence: bool,
    pub clock: Clock,
    /// Values for one of the business's own texts.
    pub extra: Record,
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
        settings: &'m SessionSettings,
        position: Position,
        memory: &'m Memory,
        event: &Event,
    ) -> Run<'m> {
        let languages = &m.program.business.languages;
        let stem = |code: &str| {
            code.split(['_', '-'])
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase()
        };
        let spoken = memory
            .language
            .as_deref()
            .filter(|code| languages.iter().any(|own| stem(own) == stem(code)))
            .or(languages.first().map(String::as_str));
        Run {
            m,
            settings,
            memory,
            at: event.at,
            language: Language::of(spoken.unwrap_or("en")),
            moment: OnceCell::new(),
            p: position,
            incoming: None,
            tapped: None,
            just_opened: false,
            outbox: Vec::new(),
            effects: Vec::new(),
            writes: Vec::new(),
            log: Vec::new(),
            pending: None,
            left: None,
            used: None,
            fuel: FUEL,
            place: Place { file: 0, line: 0 },
            mending: None,
            by_silence: false,
            clock: Clock::Keep,
            extra: Record::new(),
        }
    }

    pub fn into_turn(self, timers: Vec<super::turn::TimerChange>) -> Turn {
        Turn {
            position: self.p,
            outbox: self.outbox,
            effects: self.effects,
            timers,
            memory: self.writes,
            log: self.log,
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
            next = match self.step(pc) {
                Ok(next) => next,
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
                self.ask(*state, false)?;
                Ok(Next::Rest)
            }
            Op::Effect(state) => {
                self.call_service(*state)?;
                Ok(Next::Rest)
            }
            Op::Call(state) => self.call_flow(*state),
            Op::Return { gives } => self.give_back(gives),
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
            Op::Resume => self.resume(),
            Op::Wait => {
                self.stay();
                Ok(Next::Rest)
            }
        }
    }

    fn jump(&mut self, jump: &Jump) -> Result<Next, Failed> {
        let m = self.m;
        if !matches!(jump, Jump::To(_) | Jump::Again)
            && self.pending.as_ref().is_some_and(|pending| pending.from_on)
        {
            self.pending = None;
        }
        match jump {
            Jump::To(pc) => Ok(Next::At(*pc)),
            Jump::Step(step) => Ok(Next::At(self.enter(*step))),
            Jump::Flow { flow, args } => {
                let locals = self.args(args)?;
                Ok(Next::At(self.begin(*flow, locals)))
            }
            Jump::Again => {
                self.ask_top_again()?;
                Ok(Next::Rest)
            }
            Jump::Back => {
                let present = self
                    .left
                    .take()
                    .or_else(|| self.p.frames.last().map(|frame| frame.at.clone()));
                while let Some(name) = self.p.back.pop() {
                    if present.as_deref() == Some(&name) {
                        continue;
                    }
                    if let Some(state) = self.question_named(&name) {
                        self.ask(state, true)?;
                        return Ok(Next::Rest);
                    }
                }
                Ok(self.restart())
            }
            Jump::Start => {
                let flow = self.p.frames.last().and_then(|frame| m.flow_named(&frame.flow));
                Ok(match flow {
                    Some(flow) => Next::At(self.enter(m.program.flows[flow as usize].entry)),
                    None => self.front_door(),
                })
            }
        }
    }

    /// The present flow from its first step, or the front door.
    pub fn restart(&mut self) -> Next {
        let flow = self
            .p
            .frames
            .last()
            .and_then(|frame| self.m.flow_named(&frame.flow));
        match flow {
            Some(flow) => Next::At(self.enter(self.m.program.flows[flow as usize].entry)),
            None => self.front_door(),
        }
    }

    /// Where customers are led when nothing else fits.
    pub fn front_door(&mut self) -> Next {
        match self.m.program.business.front_door {
            Some(flow) => Next::At(self.begin(flow, Record::new())),
            None => {
                self.idle();
                self.log.push(Log::Unanswered);
                Next::Rest
            }
        }
    }

    /// Starts a flow in place of whatever runs.
    pub fn begin(&mut self, flow: FlowIx, locals: Record) -> Pc {
        let described = &self.m.program.flows[flow as usize];
        self.idle();
        self.push_frame(&described.name, locals);
        self.log.push(Log::Started {
            flow: described.name.clone(),
        });
        self.enter(described.entry)
    }

    fn enter(&mut self, step: StepIx) -> Pc {
        let m = self.m;
        let described = &m.program.steps[step as usize];
        let flow = &m.program.flows[described.flow as usize].name;
        if self.p.frames.last().is_none_or(|frame| frame.flow != *flow) {
            // An arrow out of the business file's own code, or a frame that lost its flow.
            self.p.frames.clear();
            self.push_frame(flow, Record::new());
        }
        self.log.push(Log::Entered {
            flow: flow.clone(),
            step: described.name.clone(),
        });
        described.entry
    }

    pub fn push_frame(&mut self, flow: &str, locals: Record) {
        self.p.frames.push(Frame {
            flow: flow.to_owned(),
            program: self.m.program.hash.clone(),
            at: String::new(),
            anchor: String::new(),
            visit: 0,
            misses: 0,
            silences: 0,
            locals,
            options: Vec::new(),
        });
    }

    /// The running flow's frame; the business's own code gets one if nothing runs.
    pub fn top(&mut self) -> &mut Frame {
        if self.p.frames.is_empty() {
            self.push_frame(BUSINESS, Record::new());
        }
        let last = self.p.frames.len() - 1;
        &mut self.p.frames[last]
    }

    /// Rests the running flow at a state, with a visit number of its own.
    pub fn rest_at(&mut self, state: StateIx) -> u64 {
        let m = self.m;
        let described = &m.program.states[state as usize];
        self.p.visits = self.p.visits.saturating_add(1);
        let visit = self.p.visits;
        let frame = self.top();
        frame.program.clone_from(&m.program.hash);
        frame.at.clone_from(&described.name);
        frame.anchor.clone_from(&described.anchor);
        frame.visit = visit;
        frame.misses = 0;
        frame.silences = 0;
        frame.options.clear();
        self.clock = Clock::FromNow;
        visit
    }

    /// Notes the question that was answered, for `back`.
    pub fn note_left(&mut self) {
        if let Some(name) = self.left.take() {
            self.p.back.push(name);
            if self.p.back.len() > BACK {
                self.p.back.remove(0);
            }
        }
    }

    /// Nothing runs; the session stays open.
    pub fn idle(&mut self) {
        self.p.frames.clear();
        self.p.interrupted.clear();
        self.p.back.clear();
        self.pending = None;
        self.left = None;
        self.clock = Clock::FromNow;
    }

    pub fn args(&self, args: &[(String, ExprIx)]) -> Result<Record, Failed> {
        let mut record = Record::new();
        for (name, value) in args {
            if let Some(value) = self.eval(*value)? {
                record.insert(name.clone(), value);
            }
        }
        Ok(record)
    }

    fn call_flow(&mut self, state: StateIx) -> Result<Next, Failed> {
        let m = self.m;
        let StateKind::Call(call) = &m.program.states[state as usize].kind else {
            return Err(self.failed("a `do` without a flow"));
        };
        if self.p.frames.len() >= DEPTH {
            return Err(self.failed(format!("more than {DEPTH} flows on top of each other")));
        }
        let locals = self.args(&call.args)?;
        self.commit_pending();
        self.note_left();
        self.rest_at(state);
        self.p.back.clear();
        let flow = &m.program.flows[call.flow as usize];
        self.push_frame(&flow.name, locals);
        self.log.push(Log::Started {
            flow: flow.name.clone(),
        });
        Ok(Next::At(self.enter(flow.entry)))
    }

    fn give_back(&mut self, gives: &[(String, ExprIx)]) -> Result<Next, Failed> {
        let m = self.m;
        let results = self.args(gives)?;
        self.p.frames.pop();
        let Some(caller) = self.p.frames.last_mut() else {
            self.idle();
            return Ok(Next::Rest);
        };
        self.left = None;
        self.p.back.clear();
        let state = m
            .state_named(&caller.at)
            .map(|ix| &m.program.states[ix as usize].kind);
        let Some(StateKind::Call(call)) = state else {
            // The step that called is gone in this version: its flow starts again.
            self.log.push(Log::Stale {
                what: format!("the flow went back to {}, which is gone", caller.at),
            });
            return Ok(self.restart());
        };
        if let Some(save) = &call.save {
            caller.locals.insert(save.clone(), Value::Record(results));
        }
        Ok(Next::At(call.next))
    }

    pub fn question_named(&self, name: &str) -> Option<StateIx> {
        let state = self.m.state_named(name)?;
        matches!(self.m.program.states[state as usize].kind, StateKind::Question(_)).then_some(state)
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
            return Ok(());
        };
        // What is not known is not remembered, and does not wipe out what was.
        if let Some(value) = self.eval(value)? {
            let declared = self.m.program.business.contact_fields.get(field);
            let seconds = keep.or(declared.and_then(|declared| declared.forget_after_seconds));
            self.writes.push(MemoryWrite::Remember {
                field: field.to_owned(),
                value,
                forget_at: seconds.map(|seconds| super::silence::later(self.at, seconds)),
            });
        }
        Ok(())
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

//! Moving between places: arrows, flows on top of flows, and the frames that remember where each of them is.

use super::faults::Failed;
use super::position::Frame;
use super::run::{Next, Run};
use super::silence::Clock;
use super::turn::Log;
use crate::flow::program::{ExprIx, FlowIx, Jump, Pc, StateIx, StateKind, StepIx};
use crate::flow::value::{Record, Value};

/// Flows that may stand on top of each other. The compiler refuses circles; this backs it up.
const DEPTH: usize = 16;
/// Questions that `back` can return to.
const BACK: usize = 16;
/// The flow of frames that run the business file's own code. Not a slug that a flow file could have.
pub(super) const BUSINESS: &str = "(business)";

impl Run<'_> {
    pub(super) fn jump(&mut self, jump: &Jump) -> Result<Next, Failed> {
        if !matches!(jump, Jump::To(_)) {
            self.loops.clear();
        }
        let mut interrupted = None;
        if !matches!(jump, Jump::To(_)) && self.pending.as_ref().is_some_and(|pending| pending.from_on) {
            interrupted = self.pending.take().map(|pending| pending.frames);
        }
        if matches!(jump, Jump::Again | Jump::Back | Jump::Start)
            && self.p.frames.last().is_some_and(|frame| frame.flow == BUSINESS)
            && let Some(frames) = interrupted
        {
            // In an `on` of the business these mean the flow that was interrupted.
            self.p.frames = frames;
        }
        match jump {
            Jump::To(pc) => Ok(Next::At(*pc)),
            Jump::Step(step) => Ok(Next::At(self.enter(*step))),
            Jump::Flow { flow, args } => {
                let locals = self.args(args)?;
                Ok(Next::At(self.begin(*flow, locals)))
            }
            Jump::Again => {
                // After a service or a sub-flow the frame no longer rests at the question that was answered last.
                let state = self
                    .p
                    .frames
                    .last()
                    .and_then(|frame| self.question_named(&frame.at))
                    .or_else(|| self.previous());
                match state {
                    Some(state) => self.ask_anew(state),
                    None => Ok(self.restart()),
                }
            }
            Jump::Back => {
                let present = self
                    .left
                    .take()
                    .or_else(|| self.p.frames.last().map(|frame| frame.at.clone()));
                while let Some((name, state)) = self.previous_named() {
                    if present.as_deref() != Some(&name) {
                        return self.ask_anew(state);
                    }
                }
                Ok(self.restart())
            }
            Jump::Start => Ok(self.restart()),
        }
    }

    /// The question of the running flow that was answered last, taken from what `back` remembers.
    fn previous(&mut self) -> Option<StateIx> {
        self.previous_named().map(|(_, state)| state)
    }

    fn previous_named(&mut self) -> Option<(String, StateIx)> {
        let m = self.m;
        while let Some(name) = self.p.back.last() {
            let state = self.question_named(name);
            let of = state.map(|state| {
                let flow = m.program.states[state as usize].flow;
                flow.map_or(BUSINESS, |flow| m.program.flows[flow as usize].name.as_str())
            });
            let depth = of.and_then(|of| self.p.frames.iter().rposition(|frame| frame.flow == of));
            if depth.is_some_and(|depth| depth + 1 < self.p.frames.len()) {
                // The callers' questions stay for when their flow goes on.
                return None;
            }
            let name = self.p.back.pop()?;
            if let (Some(_), Some(state)) = (depth, state) {
                return Some((name, state));
            }
        }
        None
    }

    /// The place is gone in this version: the flow starts again, with the wording for what is asked once more.
    pub(super) fn restart_anew(&mut self) -> Next {
        self.speak_for(self.live);
        self.restarted = true;
        self.restart()
    }

    /// The present flow from its first step, or the front door.
    pub(super) fn restart(&mut self) -> Next {
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
    pub(super) fn front_door(&mut self) -> Next {
        self.speak_for(self.live);
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
    pub(super) fn begin(&mut self, flow: FlowIx, locals: Record) -> Pc {
        let flow = self.cross_to_flow(flow, &locals, false);
        let described = &self.m.program.flows[flow as usize];
        self.idle();
        self.push_frame(&described.name, locals);
        self.log.push(Log::Started {
            flow: described.name.clone(),
        });
        self.enter(described.entry)
    }

    pub(super) fn enter(&mut self, step: StepIx) -> Pc {
        let step = self.cross_to_step(step);
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

    pub(super) fn push_frame(&mut self, flow: &str, locals: Record) {
        self.p.frames.push(Frame {
            flow: flow.to_owned(),
            program: self.m.program.hash.clone(),
            at: String::new(),
            anchor: String::new(),
            visit: 0,
            misses: 0,
            gathered: 0,
            page: 0,
            silences: 0,
            locals,
            talk: None,
            options: Vec::new(),
        });
    }

    /// The running flow's frame; the business's own code gets one if nothing runs.
    pub(super) fn top(&mut self) -> &mut Frame {
        if self.p.frames.is_empty() {
            self.push_frame(BUSINESS, Record::new());
        }
        let last = self.p.frames.len() - 1;
        &mut self.p.frames[last]
    }

    /// Rests the running flow at a state, with a visit number of its own.
    pub(super) fn rest_at(&mut self, state: StateIx) -> u64 {
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
        frame.gathered = 0;
        frame.page = 0;
        frame.silences = 0;
        frame.options.clear();
        if frame
            .talk
            .as_ref()
            .is_some_and(|talk| !talk.is_at(&described.name))
        {
            frame.talk = None;
        }
        self.clock = Clock::FromNow;
        visit
    }

    /// Notes the question that was answered, for `back`.
    pub(super) fn note_left(&mut self) {
        if let Some(name) = self.left.take() {
            self.p.back.push(name);
            if self.p.back.len() > BACK {
                self.p.back.remove(0);
            }
        }
    }

    /// Nothing runs; the session stays open.
    pub(super) fn idle(&mut self) {
        self.p.frames.clear();
        self.p.interrupted.clear();
        self.p.back.clear();
        self.pending = None;
        self.left = None;
        self.clock = Clock::FromNow;
    }

    pub(super) fn args(&self, args: &[(String, ExprIx)]) -> Result<Record, Failed> {
        let mut record = Record::new();
        for (name, value) in args {
            if let Some(value) = self.eval(*value)? {
                record.insert(name.clone(), value);
            }
        }
        Ok(record)
    }

    pub(super) fn call_flow(&mut self, state: StateIx) -> Result<Next, Failed> {
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
        let flow = self.cross_to_flow(call.flow, &locals, call.save.is_some());
        let flow = &self.m.program.flows[flow as usize];
        self.push_frame(&flow.name, locals);
        self.log.push(Log::Started {
            flow: flow.name.clone(),
        });
        Ok(Next::At(self.enter(flow.entry)))
    }

    pub(super) fn give_back(&mut self, gives: &[(String, ExprIx)]) -> Result<Next, Failed> {
        let results = self.args(gives)?;
        let finished = self.p.frames.pop();
        if self.p.frames.is_empty() {
            self.idle();
            return Ok(Next::Rest);
        }
        self.left = None;
        // `back` in the caller leads to its own questions.
        if let Some(finished) = finished {
            self.p
                .back
                .retain(|name| name.split_once('/').is_none_or(|(flow, _)| flow != finished.flow));
        }
        // Each frame has a program of its own: now it is the caller's turn to cross over.
        self.settle();
        let m = self.m;
        let caller = self.top();
        let state = m
            .state_named(&caller.at)
            .map(|ix| &m.program.states[ix as usize].kind);
        let Some(StateKind::Call(call)) = state else {
            // The step that called is gone, and so is the version that had it: its flow starts again.
            let what = format!("the flow went back to {}, which is gone", caller.at);
            self.stale(&what);
            return Ok(self.restart_anew());
        };
        if let Some(save) = &call.save {
            caller.locals.insert(save.clone(), Value::Record(results));
        }
        Ok(Next::At(call.next))
    }

    pub(super) fn question_named(&self, name: &str) -> Option<StateIx> {
        let state = self.m.state_named(name)?;
        matches!(self.m.program.states[state as usize].kind, StateKind::Question(_)).then_some(state)
    }
}

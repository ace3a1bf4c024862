//! How people in mid-conversation come from one version of the flows to the next.
//!
//! An answer is handled by the version that asked, unless the live version has the same state and an answer means the
//! same there. What is pinned so to an older version crosses over at the next arrow to a step that the live version
//! has. It crosses only to where it knows what is needed there: values that a new version asks for earlier are unknown
//! to people in flight, and a sentence with a hole is never said to them.

use super::machine::Machine;
use super::needs::Asked;
use super::places::BUSINESS;
use super::position::Planned;
use super::run::Run;
use crate::flow::hash;
use crate::flow::program::{FlowIx, Pc, Program, StateIx, StateKind, StepIx};
use crate::flow::value::Record;

/// Where somebody rests, as a position keeps it.
#[derive(Debug, Clone, Copy)]
pub struct Rest<'a> {
    pub flow: &'a str,
    pub program: &'a str,
    pub at: &'a str,
    pub anchor: &'a str,
    pub locals: &'a Record,
}

/// Which version goes on from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crossing {
    /// The live one, at this state.
    Live(StateIx),
    /// The one that asked, at this state.
    Former(StateIx),
    /// The one that asked is needed, and is not kept any more.
    Lost,
}

/// A state of a version by the name that a position has for it, in the flow that the position has for it.
pub(super) fn state_in(m: &Machine, flow: &str, at: &str) -> Option<StateIx> {
    let ix = m.state_named(at)?;
    let same_flow = match m.program.states[ix as usize].flow {
        Some(of) => m.program.flows[of as usize].name == flow,
        // The business's own questions are also asked from within flows, by `problem` and `otherwise`.
        None => flow == BUSINESS || m.flow_named(flow).is_some(),
    };
    same_flow.then_some(ix)
}

/// The rule, for one frame. `former`: the version that put it there, if it is kept.
pub fn crossing(live: &Machine, former: Option<&Machine>, rest: &Rest<'_>) -> Crossing {
    let here = state_in(live, rest.flow, rest.at);
    if rest.program == live.program.hash {
        return here.map_or(Crossing::Lost, Crossing::Live);
    }
    let there = former.and_then(|former| Some((former, state_in(former, rest.flow, rest.at)?)));
    let means_the_same = |ix: StateIx| {
        live.program.states[ix as usize].anchor == rest.anchor
            || there.is_some_and(|(former, old)| is_wider(&former.program, old, &live.program, ix))
    };
    match (here.filter(|ix| means_the_same(*ix)), there) {
        (Some(ix), Some((_, old))) if !live.needs().allow(live, Asked::There(ix), rest.locals) => {
            Crossing::Former(old)
        }
        (Some(ix), _) => Crossing::Live(ix),
        (None, Some((_, old))) => Crossing::Former(old),
        (None, None) => Crossing::Lost,
    }
}

/// The new question takes every answer that the old one took, and each means what it meant.
fn is_wider(old: &Program, old_state: StateIx, new: &Program, new_state: StateIx) -> bool {
    let (StateKind::Question(was), StateKind::Question(is)) = (
        &old.states[old_state as usize].kind,
        &new.states[new_state as usize].kind,
    ) else {
        return false;
    };
    hash::is_wider((old, was), (new, is))
}

/// The step of a version that has this name, or had it before it was renamed.
pub(crate) fn step_in(m: &Machine, flow: FlowIx, name: &str) -> Option<StepIx> {
    let of_flow = || (0..).zip(&m.program.steps).filter(|(_, step)| step.flow == flow);
    of_flow()
        .find(|(_, step)| step.name == name)
        .or_else(|| of_flow().find(|(_, step)| step.was.as_deref() == Some(name)))
        .map(|(ix, _)| ix)
}

impl<'m> Run<'m> {
    /// From here on this version's code runs.
    pub(super) fn speak_for(&mut self, m: &'m Machine) {
        if !std::ptr::eq(self.m, m) {
            self.m = m;
            self.moment.take();
            self.speak(self.code.clone());
        }
    }

    fn is_live(&self) -> bool {
        std::ptr::eq(self.m, self.live)
    }

    fn former(&self, hash: &str) -> Option<&'m Machine> {
        self.former
            .iter()
            .copied()
            .find(|machine| machine.program.hash == hash)
    }

    /// All versions that this turn may touch.
    pub(super) fn versions(&self) -> impl Iterator<Item = &'m Machine> + use<'m> {
        std::iter::once(self.live).chain(self.former.iter().copied())
    }

    /// Lets the version go on that the rule names for the running flow.
    pub(super) fn settle(&mut self) {
        let Some(frame) = self.p.frames.last() else {
            return self.speak_for(self.live);
        };
        let former = self.former(&frame.program);
        let rest = Rest {
            flow: &frame.flow,
            program: &frame.program,
            at: &frame.at,
            anchor: &frame.anchor,
            locals: &frame.locals,
        };
        match (crossing(self.live, former, &rest), former) {
            (Crossing::Live(ix), _) => {
                self.speak_for(self.live);
                let state = &self.live.program.states[ix as usize];
                if let Some(frame) = self.p.frames.last_mut() {
                    frame.at.clone_from(&state.name);
                    frame.anchor.clone_from(&state.anchor);
                    frame.program.clone_from(&self.live.program.hash);
                }
            }
            (Crossing::Former(_), Some(former)) => self.speak_for(former),
            (Crossing::Former(_), None) | (Crossing::Lost, _) => self.speak_for(self.live),
        }
    }

    /// The version that handles a tap on an earlier question, and the question in it.
    pub(super) fn settle_old(&mut self, rest: &Rest<'_>) -> Option<StateIx> {
        let former = self.former(rest.program);
        let state = match (crossing(self.live, former, rest), former) {
            (Crossing::Live(ix), _) => {
                self.speak_for(self.live);
                ix
            }
            (Crossing::Former(ix), Some(former)) => {
                self.speak_for(former);
                ix
            }
            (Crossing::Former(_), None) | (Crossing::Lost, _) => {
                self.speak_for(self.live);
                state_in(self.live, rest.flow, rest.at)?
            }
        };
        self.question(state).map(|_| state)
    }

    /// An arrow to a step: to the live version's, if it has it and what it needs is known.
    pub(super) fn cross_to_step(&mut self, step: StepIx) -> StepIx {
        if self.is_live() {
            return step;
        }
        let described = &self.m.program.steps[step as usize];
        let flow = &self.m.program.flows[described.flow as usize].name;
        let here = self
            .live
            .flow_named(flow)
            .and_then(|flow| step_in(self.live, flow, &described.name))
            .filter(|ix| self.live_allows(Asked::At(self.live.program.steps[*ix as usize].entry)));
        match here {
            Some(ix) => {
                self.speak_for(self.live);
                ix
            }
            None => step,
        }
    }

    fn live_allows(&self, asked: Asked) -> bool {
        let nothing = Record::new();
        let known = self.p.frames.last().map_or(&nothing, |frame| &frame.locals);
        self.live.needs().allow(self.live, asked, known)
    }

    /// An arrow to a flow, or a `do`: to the live version's, if it has it and wants no more than it is given.
    pub(super) fn cross_to_flow(&mut self, flow: FlowIx, given: &Record, wanted: bool) -> FlowIx {
        if self.is_live() {
            return flow;
        }
        let old = &self.m.program.flows[flow as usize];
        let here = self.live.flow_named(&old.name).filter(|ix| {
            let new = &self.live.program.flows[*ix as usize];
            let gives = |name: &String| new.gives.iter().any(|(own, _)| own == name);
            new.needs.iter().all(|(name, _)| given.contains_key(name))
                && (!wanted || old.gives.iter().all(|(name, _)| gives(name)))
        });
        match here {
            Some(ix) => {
                self.speak_for(self.live);
                ix
            }
            None => flow,
        }
    }

    /// A question that is asked once more: as the live version asks it, if it has it.
    pub(super) fn cross_to_question(&mut self, state: StateIx) -> StateIx {
        if self.is_live() {
            return state;
        }
        let described = &self.m.program.states[state as usize];
        let flow = match described.flow {
            Some(flow) => self.m.program.flows[flow as usize].name.as_str(),
            None => BUSINESS,
        };
        let here = state_in(self.live, flow, &described.name)
            .filter(|ix| {
                matches!(
                    self.live.program.states[*ix as usize].kind,
                    StateKind::Question(_)
                )
            })
            .filter(|ix| self.live_allows(Asked::Anew(*ix)));
        match here {
            Some(ix) => {
                self.speak_for(self.live);
                ix
            }
            None => state,
        }
    }

    /// Where a plan leads now: in the live version, or in the one that made it. Lets that one go on.
    pub(super) fn settle_plan(&mut self, planned: &Planned) -> Option<(FlowIx, StepIx)> {
        let place = |m: &Machine| -> Option<(FlowIx, StepIx, Pc)> {
            let flow = m.flow_named(&planned.flow)?;
            let step = match &planned.step {
                Some(name) => step_in(m, flow, name)?,
                None => m.program.flows[flow as usize].entry,
            };
            Some((flow, step, m.program.steps[step as usize].entry))
        };
        let here = place(self.live);
        let there = self
            .former(&planned.program)
            .and_then(|former| Some((former, place(former)?)));
        let allowed = here.is_some_and(|(_, _, pc)| {
            planned.program == self.live.program.hash
                || self.live.needs().allow(self.live, Asked::At(pc), &planned.values)
        });
        match (here, there) {
            (Some((flow, step, _)), None) => {
                self.speak_for(self.live);
                Some((flow, step))
            }
            (Some((flow, step, _)), Some(_)) if allowed => {
                self.speak_for(self.live);
                Some((flow, step))
            }
            (_, Some((former, (flow, step, _)))) => {
                self.speak_for(former);
                Some((flow, step))
            }
            (None, None) => None,
        }
    }
}

//! Which options may be taken only once: those that change something at a service before the next question.
//!
//! Ways are followed backwards from the changing calls, so that the work grows with the code and not with the number
//! of options. All branches count, whatever their condition.

use crate::flow::owner::Owners;
use crate::flow::program::{Call, Jump, Op, Pc, Program, State, StateKind, StepIx};
use crate::flow::tree::Method;

pub(super) fn mark(program: &mut Program) {
    let ways = Ways::of(program);
    let quiet = ways.leads_to_return();
    // First inside a flow and what it calls, then also past its end, back into its callers.
    let inside = ways.leads_to_change(&quiet, None);
    let outside = ways.leads_to_change(&quiet, Some(&inside));
    for state in &mut program.states {
        if let StateKind::Question(question) = &mut state.kind {
            let next = question.next;
            for option in &mut question.options {
                option.single_use = outside[option.run.unwrap_or(next) as usize];
            }
        }
    }
}

struct Ways<'p> {
    program: &'p Program,
    owners: Owners,
    /// Entry of every flow.
    entries: Vec<Pc>,
    /// Where callers of every flow go on.
    returns: Vec<Vec<Pc>>,
}

/// A set of places in the code.
type Marks = Vec<bool>;

impl<'p> Ways<'p> {
    fn of(program: &'p Program) -> Ways<'p> {
        let entries = program
            .flows
            .iter()
            .map(|flow| entry_of(program, flow.entry))
            .collect();
        let mut returns = vec![Vec::new(); program.flows.len()];
        for state in &program.states {
            if let StateKind::Call(call) = &state.kind {
                returns[call.flow as usize].push(call.next);
            }
        }
        Ways {
            program,
            owners: Owners::of(program),
            entries,
            returns,
        }
    }

    /// From where a flow can finish without asking anything.
    fn leads_to_return(&self) -> Marks {
        let seeds = self.places(|op| matches!(op, Op::Return { .. }));
        let before = self.before(|pc, op, edge| {
            self.forward(pc, op, edge);
            if let Some(call) = self.call(op) {
                edge(self.entries[call.flow as usize]);
                edge(call.next);
            }
        });
        // A sub-flow is passed only if it can finish quietly itself *and* what follows does.
        self.spread(seeds, &before, |marks, op| match self.call(op) {
            Some(call) => marks[self.entries[call.flow as usize] as usize] && marks[call.next as usize],
            None => true,
        })
    }

    /// From where a changing call can be reached without a question in between. With `inside` (the same, found
    /// without it) the end of a flow leads on behind each of its calls.
    fn leads_to_change(&self, quiet: &Marks, inside: Option<&Marks>) -> Marks {
        let mut seeds = self.places(|op| self.changes(op));
        if let Some(inside) = inside {
            seeds.extend(self.places(|op| {
                self.call(op)
                    .is_some_and(|call| inside[self.entries[call.flow as usize] as usize])
            }));
        }
        let before = self.before(|pc, op, edge| {
            self.forward(pc, op, edge);
            if let Some(call) = self.call(op) {
                let entry = self.entries[call.flow as usize];
                if inside.is_none() {
                    edge(entry);
                }
                if quiet[entry as usize] {
                    edge(call.next);
                }
            }
            if let (Op::Return { .. }, Some(_), Some(flow)) = (op, inside, self.owners.flow(self.program, pc))
            {
                self.returns[flow as usize].iter().copied().for_each(edge);
            }
        });
        self.spread(seeds, &before, |_, _| true)
    }

    /// Where the machine goes from an instruction without waiting for the customer; sub-flows are left to the caller.
    fn forward(&self, pc: Pc, op: &Op, edge: &mut dyn FnMut(Pc)) {
        match op {
            Op::Send(_)
            | Op::Set { .. }
            | Op::Mem { .. }
            | Op::Emit(_)
            | Op::Plan(_)
            | Op::Cancel { .. }
            | Op::Pause { .. } => edge(pc + 1),
            Op::ForEach { end, .. } => {
                edge(pc + 1);
                edge(*end);
            }
            Op::Split { ways, .. } => ways.iter().for_each(|(_, run)| edge(*run)),
            Op::JumpIf { to, .. } => {
                edge(pc + 1);
                edge(*to);
            }
            Op::Jump(Jump::To(to)) => edge(*to),
            Op::Jump(Jump::Step(step)) => edge(entry_of(self.program, *step)),
            Op::Jump(Jump::Flow { flow, .. }) => edge(self.entries[*flow as usize]),
            Op::Jump(Jump::Start) => {
                if let Some(flow) = self.owners.flow(self.program, pc) {
                    edge(self.entries[flow as usize]);
                }
            }
            Op::Effect(state) => {
                if let StateKind::Fetch(fetch) = &self.state(*state).kind {
                    edge(fetch.next);
                    let written = [fetch.not_found, fetch.refused];
                    written.into_iter().flatten().for_each(&mut *edge);
                    fetch.statuses.iter().for_each(|(_, run)| edge(*run));
                    fetch
                        .problem
                        .or(self.program.business.problem)
                        .into_iter()
                        .for_each(edge);
                }
            }
            Op::Handoff(state) => {
                if let StateKind::Human(human) = &self.state(*state).kind {
                    // What runs after people had the chat comes after a wait.
                    human.when_closed.into_iter().for_each(edge);
                }
            }
            // Without rows from the data the question is not asked.
            Op::Ask(state) => {
                if let StateKind::Question(question) = &self.state(*state).kind {
                    question.none.into_iter().for_each(edge);
                }
            }
            // The customer is answered in between.
            Op::Answer(_) => {}
            // These ask a question, wait for one, or end it all.
            Op::Jump(Jump::Again | Jump::Back)
            | Op::Call(_)
            | Op::Return { .. }
            | Op::Close { .. }
            | Op::Resume
            | Op::Wait => {}
        }
    }

    fn changes(&self, op: &Op) -> bool {
        let Op::Effect(state) = op else { return false };
        let StateKind::Fetch(fetch) = &self.state(*state).kind else {
            return false;
        };
        let service = &self.program.business.services[fetch.service as usize];
        service.actions[fetch.action as usize].method != Method::Get
    }

    fn call(&self, op: &Op) -> Option<&Call> {
        let Op::Call(state) = op else { return None };
        match &self.state(*state).kind {
            StateKind::Call(call) => Some(call),
            StateKind::Question(_) | StateKind::Fetch(_) | StateKind::Human(_) | StateKind::Answer(_) => None,
        }
    }

    fn state(&self, state: u32) -> &State {
        &self.program.states[state as usize]
    }

    fn places(&self, wanted: impl Fn(&Op) -> bool) -> Vec<Pc> {
        (0..)
            .zip(&self.program.code)
            .filter(|(_, instruction)| wanted(&instruction.op))
            .map(|(pc, _)| pc)
            .collect()
    }

    /// For every place, those that lead there.
    fn before(&self, edges: impl Fn(Pc, &Op, &mut dyn FnMut(Pc))) -> Vec<Vec<Pc>> {
        let mut before = vec![Vec::new(); self.program.code.len()];
        for (pc, instruction) in (0..).zip(&self.program.code) {
            edges(pc, &instruction.op, &mut |to| before[to as usize].push(pc));
        }
        before
    }

    fn spread(&self, seeds: Vec<Pc>, before: &[Vec<Pc>], passes: impl Fn(&Marks, &Op) -> bool) -> Marks {
        let mut marks = vec![false; self.program.code.len()];
        let mut reached = seeds;
        while let Some(pc) = reached.pop() {
            if !std::mem::replace(&mut marks[pc as usize], true) {
                let met = before[pc as usize].iter().copied();
                reached.extend(met.filter(|from| passes(&marks, &self.program.code[*from as usize].op)));
            }
        }
        marks
    }
}

fn entry_of(program: &Program, step: StepIx) -> Pc {
    program.steps[step as usize].entry
}

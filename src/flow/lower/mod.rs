//! Tree to program: nesting disappears, every place where a conversation can rest gets a name.
//!
//! Lowering is the last pass of the compiler and runs on trees without errors. It is total nevertheless: on a tree
//! that checks would refuse it gives a program that is wrong but whole, never a panic. What a name that leads nowhere
//! becomes is said once, here:
//!
//! - an arrow to a step or flow that does not exist finishes the flow ([`Op::Return`]);
//! - a call of an action, sub-flow or template that does not exist is left out, with its lines;
//! - a question of a template that does not exist asks with its name;
//! - a team that does not exist is the first team;
//! - of two steps, flows, teams … of one name the first is meant;
//! - a step whose last line says nothing of what comes next finishes the flow;
//! - a flow without steps has one that finishes at once.
//!
//! What neither flow nor business file says stays out of the program: the machine has its own sentences, in the
//! customer's language, and its own way to a person.
//!
//! Lines that can never run (after `->`, `done`, `close`, `handoff`) are not lowered.
//!
//! The code of a question's or call's own lines stands right behind its `Ask`, `Effect` or `Handoff`, in the order
//! written: the machine stops there, and goes on at the state's `next`, which points behind them.

mod action;
mod answer;
mod built_in;
mod business;
mod defaults;
mod expr;
mod flow;
mod ids;
mod names;
mod question;
mod single_use;
mod tail;
#[cfg(test)]
pub(super) mod tests;
mod text;
mod wording;

use std::collections::HashMap;

use super::hash;
use super::program::{
    Business, Expr, Flow, FlowIx, Instruction, Jump, On, Op, Pc, Place, Program, Start, State, StateIx,
    StateKind, Step, StepIx, Text,
};
use super::source::{Sources, Span};
use super::strings::{Pairs, pairs_of_further};
use super::tree::Tree;
use defaults::Inherited;
use names::Names;
use wording::Words;

/// Makes the program of a business. The same sources give the same bytes.
pub fn lower(sources: &Sources, tree: &Tree) -> Program {
    lower_paired(sources, tree, &pairs_of_further(tree))
}

/// The same, of a business whose texts have found their translations.
pub(super) fn lower_paired<'t>(sources: &'t Sources, tree: &'t Tree, pairs: &[Pairs<'t>]) -> Program {
    let mut lowering = Lowering::new(sources, Names::of(tree));
    lowering.words = Words::of(tree, pairs);
    let business = lowering.business(tree.business.as_ref());
    for (flow, index) in tree.flows.iter().zip(0..) {
        lowering.flow(flow, index);
    }
    lowering.finish(business)
}

/// A jump whose aim is not known yet; patched before lowering ends.
const PENDING: Pc = Pc::MAX;

struct Lowering<'t> {
    sources: &'t Sources,
    names: Names<'t>,
    scope: Scope,
    inherited: Inherited,
    flows: Vec<Flow>,
    steps: Vec<Step>,
    states: Vec<OpenState>,
    /// How often a state name was asked for.
    state_names: HashMap<String, u32>,
    code: Vec<Instruction>,
    texts: Vec<Text>,
    exprs: Vec<Expr>,
    starts: Vec<Start>,
    ons: Vec<On>,
    words: Words<'t>,
}

/// Where code is being made: names of texts and states begin with it.
#[derive(Debug, Clone, Default)]
struct Scope {
    /// `flow/step`.
    name: String,
    flow: Option<FlowIx>,
    step: Option<StepIx>,
    /// Texts so far.
    texts: u32,
}

/// A state whose lines are still being lowered.
struct OpenState {
    name: String,
    flow: Option<FlowIx>,
    step: Option<StepIx>,
    place: Place,
    kind: Option<StateKind>,
}

/// Whether the line after this one can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    GoesOn,
    Ends,
}

impl<'t> Lowering<'t> {
    fn new(sources: &'t Sources, names: Names<'t>) -> Lowering<'t> {
        Lowering {
            sources,
            names,
            scope: Scope::default(),
            inherited: Inherited::default(),
            flows: Vec::new(),
            steps: Vec::new(),
            states: Vec::new(),
            state_names: HashMap::new(),
            code: Vec::new(),
            texts: Vec::new(),
            exprs: Vec::new(),
            starts: Vec::new(),
            ons: Vec::new(),
            words: Words::default(),
        }
    }

    fn finish(self, business: Business) -> Program {
        let states = self
            .states
            .into_iter()
            .map(|open| State {
                name: open.name,
                flow: open.flow,
                step: open.step,
                anchor: String::new(),
                place: open.place,
                kind: open.kind.expect(
                    "a state is closed by the function that opened it, before anything else can fail",
                ),
            })
            .collect();
        let mut program = Program {
            hash: String::new(),
            business,
            flows: self.flows,
            steps: self.steps,
            states,
            code: self.code,
            texts: self.texts,
            exprs: self.exprs,
            starts: self.starts,
            ons: self.ons,
            wordings: self.words.into_wordings(),
            files: self.sources.files.iter().map(|file| file.path.clone()).collect(),
        };
        single_use::mark(&mut program);
        hash::set_anchors(&mut program);
        program.hash = hash::of_program(&program);
        program
    }

    fn place(&self, span: Span) -> Place {
        let file = self.sources.files.get(usize::from(span.file.0));
        Place {
            file: span.file.0,
            line: file.map_or(1, |file| file.line(span.start)),
        }
    }

    /// Where the next instruction will stand.
    fn here(&self) -> Pc {
        index(self.code.len())
    }

    fn emit(&mut self, op: Op, place: Place) -> Pc {
        let pc = self.here();
        self.code.push(Instruction { op, place });
        pc
    }

    /// Lets the pending jumps at these places lead to `to`.
    fn patch(&mut self, jumps: &[Pc], to: Pc) {
        for pc in jumps {
            match &mut self.code[*pc as usize].op {
                Op::Jump(Jump::To(aim)) | Op::JumpIf { to: aim, .. } => *aim = to,
                other => unreachable!("only jumps are pending, not {other:?}"),
            }
        }
    }

    /// Lets the pending jumps lead here: behind a block. The last of them is dropped if it would lead to its own end.
    fn join(&mut self, jumps: &[Pc]) -> Pc {
        if jumps.last().is_some_and(|last| last + 1 == self.here()) {
            self.code.pop();
        }
        let next = self.here();
        let standing = jumps.iter().take_while(|pc| **pc < next).count();
        self.patch(&jumps[..standing], next);
        next
    }

    /// A new state of the present step. A second one of the same name gets `_2` behind it.
    fn open_state(&mut self, name: &str, place: Place) -> StateIx {
        let name = self.unused_state_name(format!("{}.{name}", self.scope.name));
        self.states.push(OpenState {
            name,
            flow: self.scope.flow,
            step: self.scope.step,
            place,
            kind: None,
        });
        index(self.states.len() - 1)
    }

    fn unused_state_name(&mut self, wanted: String) -> String {
        let Some(count) = self.state_names.get_mut(&wanted) else {
            self.state_names.insert(wanted.clone(), 1);
            return wanted;
        };
        // The number may itself be taken, by a value called `menu_2`.
        *count += 1;
        let numbered = format!("{wanted}_{count}");
        self.unused_state_name(numbered)
    }

    fn close_state(&mut self, state: StateIx, kind: StateKind) {
        self.states[state as usize].kind = Some(kind);
    }

    /// Begins a new scope; texts count from 1 again.
    fn enter(&mut self, name: String, flow: Option<FlowIx>, step: Option<StepIx>) {
        self.scope = Scope {
            name,
            flow,
            step,
            texts: 0,
        };
    }
}

/// Indices of a program have 32 bits; sources are at most 65,536 files of 4 GiB and far from filling them.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

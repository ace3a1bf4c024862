//! To which step, `on` or shared lines an instruction belongs.
//!
//! Lowering lays code out in runs: first the business file's, then flow by flow its steps and its `on`s. Each run
//! begins at a place the program names, so the beginnings are all one has to know.

use super::program::{FlowIx, Pc, Program, StepIx};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// Defaults of the business file.
    Business,
    Step(StepIx),
    /// Index into [`Program::ons`].
    On(u32),
}

#[derive(Debug)]
pub struct Owners {
    /// Beginnings of runs, in the order of the code.
    runs: Vec<(Pc, Owner)>,
}

impl Owners {
    pub fn of(program: &Program) -> Owners {
        let steps = (0..).zip(&program.steps);
        let ons = (0..).zip(&program.ons);
        let mut runs: Vec<(Pc, Owner)> = steps
            .map(|(index, step)| (step.entry, Owner::Step(index)))
            .chain(ons.map(|(index, on)| (on.run, Owner::On(index))))
            .collect();
        runs.sort_by_key(|(pc, _)| *pc);
        Owners { runs }
    }

    pub fn at(&self, pc: Pc) -> Owner {
        let begun = self.runs.partition_point(|(start, _)| *start <= pc);
        begun
            .checked_sub(1)
            .map_or(Owner::Business, |run| self.runs[run].1)
    }

    /// The flow that runs at this place; `None` in code of the business file.
    pub fn flow(&self, program: &Program, pc: Pc) -> Option<FlowIx> {
        match self.at(pc) {
            Owner::Business => None,
            Owner::Step(step) => Some(program.steps[step as usize].flow),
            Owner::On(on) => program.ons[on as usize].flow,
        }
    }
}

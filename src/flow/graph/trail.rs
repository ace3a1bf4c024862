//! What leads to an instruction: the options, exits and conditions on the way from the beginning of its step.
//!
//! Code of a step only leads forwards until it leaves the step, so one pass over it is enough. Where several ways
//! meet, what they have in common is left.

use std::rc::Rc;

use crate::flow::owner::{Owner, Owners};
use crate::flow::program::{Answer, Fetch, Jump, Op, Pc, Program, Question, StateKind, TextIx};
use crate::flow::spell;

/// Labels, outermost first.
pub(super) type Trail = Vec<Rc<str>>;

/// Characters of a label before it is cut.
const LABEL: usize = 40;
/// Options named on an arrow that several share.
const SHARED: usize = 3;

/// For every instruction the way to it; `None` if nothing leads there.
pub(super) fn trails(program: &Program, owners: &Owners) -> Vec<Option<Trail>> {
    let mut trails = Trails {
        program,
        found: vec![None; program.code.len()],
    };
    for step in &program.steps {
        trails.meet(step.entry, Trail::new());
    }
    for on in &program.ons {
        trails.meet(on.run, Trail::new());
    }
    if let Some(problem) = program.business.problem {
        trails.meet(problem, vec!["problem".into()]);
    }
    for state in &program.states {
        if let StateKind::Question(question) = &state.kind {
            for (run, label) in exits(question) {
                // Inherited lines stand before all questions, out of their reach below.
                if owners.at(run) == Owner::Business {
                    trails.meet(run, vec![label.into()]);
                }
            }
        }
    }
    for (pc, instruction) in (0..).zip(&program.code) {
        trails.pass(pc, &instruction.op);
    }
    trails.found
}

struct Trails<'p> {
    program: &'p Program,
    found: Vec<Option<Trail>>,
}

impl Trails<'_> {
    fn meet(&mut self, pc: Pc, trail: Trail) {
        match &mut self.found[pc as usize] {
            Some(known) => {
                let common = known.iter().zip(&trail).take_while(|(a, b)| a == b).count();
                known.truncate(common);
            }
            new => *new = Some(trail),
        }
    }

    fn pass(&mut self, pc: Pc, op: &Op) {
        let Some(trail) = self.found[pc as usize].clone() else {
            return;
        };
        let with = |label: String| {
            let mut longer = trail.clone();
            longer.push(label.into());
            longer
        };
        match op {
            Op::Send(_)
            | Op::Set { .. }
            | Op::Mem { .. }
            | Op::Emit(_)
            | Op::Plan(_)
            | Op::Cancel { .. }
            | Op::Pause { .. } => self.meet(pc + 1, trail),
            Op::ForEach { end, .. } => {
                self.meet(pc + 1, trail.clone());
                self.meet(*end, trail);
            }
            Op::Split { ways, .. } => {
                for (percent, run) in ways {
                    self.meet(*run, with(format!("{percent}%")));
                }
            }
            Op::JumpIf { condition, to } => {
                let condition = spell::expr(self.program, &self.program.exprs[*condition as usize]);
                self.meet(*to, with(format!("if {}", spell::short(&condition, LABEL))));
                self.meet(pc + 1, trail);
            }
            Op::Jump(Jump::To(to)) => self.meet(*to, trail),
            Op::Ask(state) | Op::Effect(state) | Op::Call(state) | Op::Handoff(state) | Op::Answer(state) => {
                match &self.program.states[*state as usize].kind {
                    StateKind::Question(question) => {
                        for option in &question.options {
                            if let Some(run) = option.run {
                                self.meet(run, with(self.label(option.label)));
                            }
                        }
                        for (run, label) in exits(question).filter(|(run, _)| *run > pc) {
                            self.meet(run, with(label));
                        }
                        if let Some(label) = self.onwards(question) {
                            self.meet(question.next, with(label));
                        }
                    }
                    StateKind::Fetch(fetch) => {
                        for (run, label) in outcomes(fetch) {
                            self.meet(run, with(label));
                        }
                        self.meet(fetch.next, trail);
                    }
                    StateKind::Call(call) => self.meet(call.next, trail),
                    StateKind::Answer(answer) => {
                        let ways = ways_out(self.program, answer).into_iter();
                        for (run, label) in ways.filter(|(run, _)| *run > pc) {
                            self.meet(run, with(label));
                        }
                        self.meet(answer.finished, with("finished".to_owned()));
                    }
                    StateKind::Human(human) => {
                        if let Some(run) = human.when_closed {
                            self.meet(run, with("when closed".to_owned()));
                        }
                        for line in &human.no_agent {
                            if let Some(run) = line.run {
                                let wait = spell::duration(line.after_seconds);
                                self.meet(run, with(format!("⏱ no agent in {wait}")));
                            }
                        }
                        if let Some(run) = human.when_returned {
                            self.meet(run, with("when returned".to_owned()));
                        }
                    }
                }
            }
            Op::Jump(Jump::Step(_) | Jump::Flow { .. } | Jump::Again | Jump::Back | Jump::Start)
            | Op::Return { .. }
            | Op::Close { .. }
            | Op::Resume
            | Op::Wait => {}
        }
    }

    /// Answers after which a question simply goes on; `None` if all lead elsewhere.
    fn onwards(&self, question: &Question) -> Option<String> {
        let options = question.options.iter().filter(|option| option.run.is_none());
        let mut labels: Vec<String> = options.map(|option| self.label(option.label)).collect();
        if !question.accept.is_empty() {
            labels.push("answer".to_owned());
        }
        if labels.len() > SHARED {
            labels.truncate(SHARED);
            labels.push("…".to_owned());
        }
        (!labels.is_empty()).then(|| labels.join(" / "))
    }

    fn label(&self, text: TextIx) -> String {
        spell::short(&self.program.texts[text as usize].source, LABEL)
    }
}

fn exits(question: &Question) -> impl Iterator<Item = (Pc, String)> {
    let otherwise = question.otherwise.iter().filter_map(|otherwise| {
        let times = otherwise.up_to.map(|times| format!(" ×{times}"));
        Some((otherwise.run?, format!("otherwise{}", times.unwrap_or_default())))
    });
    let silence = question.silence.iter().filter_map(|silence| {
        let after = spell::duration(silence.after_seconds);
        Some((silence.run?, format!("⏱ {after}")))
    });
    let none = question.none.map(|run| (run, "none".to_owned()));
    otherwise.chain(silence).chain(none)
}

fn outcomes(fetch: &Fetch) -> impl Iterator<Item = (Pc, String)> {
    let statuses = fetch
        .statuses
        .iter()
        .map(|(status, run)| (Some(*run), format!("status {status}")));
    [
        (fetch.not_found, "not found".to_owned()),
        (fetch.refused, "refused".to_owned()),
        (fetch.problem, "problem".to_owned()),
    ]
    .into_iter()
    .chain(statuses)
    .filter_map(|(run, label)| Some((run?, label)))
}

/// The ways out of `answer`, and of the question between its replies.
fn ways_out(program: &Program, answer: &Answer) -> Vec<(Pc, String)> {
    let mut ways: Vec<(Pc, String)> = Vec::new();
    ways.extend(
        answer
            .up_to
            .map(|(times, run)| (run, format!("after {times} replies"))),
    );
    ways.extend(
        answer
            .topics
            .iter()
            .map(|(topic, run)| (*run, format!("topic {topic}"))),
    );
    ways.extend(answer.not_sure.map(|run| (run, "not sure".to_owned())));
    let off_topic = answer.off_topic.as_ref().and_then(|line| line.run);
    ways.extend(off_topic.map(|run| (run, "off topic".to_owned())));
    ways.extend(answer.problem.map(|run| (run, "problem".to_owned())));
    if let StateKind::Question(question) = &program.states[answer.reply as usize].kind {
        ways.extend(exits(question));
    }
    ways
}

//! What must be known at a place of a program so that nothing from there on meets a hole: computed backwards over the
//! instructions, once, the first time that somebody comes from another version.
//!
//! Within one version the checks of the compiler have proved that it is known. Somebody who comes from another one may
//! have taken a way that did not ask for it.

use std::collections::{BTreeSet, HashMap};

use super::machine::Machine;
use crate::flow::program::{
    Choice, Due, Emit, Expr, ExprIx, Jump, Message, Op, Pc, Program, Question, StateIx, StateKind, TextIx,
};
use crate::flow::template::{self, value_at};
use crate::flow::tree::{BinaryOp, Test};
use crate::flow::value::Record;

/// A place of a program, seen by somebody who comes to it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked {
    /// Goes on at this instruction.
    At(Pc),
    /// Waits at this state, which has said its sentence already.
    There(StateIx),
    /// Is asked this question again.
    Anew(StateIx),
}

/// `["order", "eta"]`.
type Path = Vec<String>;
type Paths = BTreeSet<Path>;

#[derive(Debug)]
pub(super) struct Needs {
    /// By instruction.
    at: Vec<Paths>,
    /// By state: to wait there, and to be asked there.
    there: Vec<(Paths, Paths)>,
}

/// Rounds over the program, after which what is found has to do. Each round carries knowledge back through all jumps.
const ROUNDS: usize = 64;

impl Needs {
    pub fn of(program: &Program) -> Needs {
        let mut walk = Walk {
            program,
            texts: HashMap::new(),
            needs: Needs {
                at: vec![Paths::new(); program.code.len()],
                there: vec![(Paths::new(), Paths::new()); program.states.len()],
            },
        };
        for _ in 0..ROUNDS {
            if !walk.round() {
                break;
            }
        }
        walk.needs
    }

    /// Whether all of it is known to somebody who has these values.
    pub fn allow(&self, m: &Machine, asked: Asked, locals: &Record) -> bool {
        let paths = match asked {
            Asked::At(pc) => self.at.get(pc as usize),
            Asked::There(state) => self.there.get(state as usize).map(|(there, _)| there),
            Asked::Anew(state) => self.there.get(state as usize).map(|(_, anew)| anew),
        };
        // What is the program's own (teams, memory with its defaults) is known to everybody alike.
        let elsewhere = |root: &str| OTHERS.contains(&root) || m.team_named(root).is_some();
        paths
            .into_iter()
            .flatten()
            .all(|path| path.first().is_none_or(|root| elsewhere(root)) || value_at(locals, path).is_some())
    }
}

/// Roots of paths that are no values of a flow.
const OTHERS: [&str; 8] = [
    "contact", "chat", "message", "topic", "now", "today", "business", "agent",
];

struct Walk<'p> {
    program: &'p Program,
    /// What each text looks up without a guard.
    texts: HashMap<TextIx, Paths>,
    needs: Needs,
}

impl Walk<'_> {
    /// `true`: something was found that was not known before.
    fn round(&mut self) -> bool {
        let mut changed = false;
        for pc in (0..self.program.code.len()).rev() {
            let found = self.instruction(pc as Pc);
            changed |= found.len() > self.needs.at[pc].len();
            self.needs.at[pc] = found;
        }
        for ix in 0..self.program.states.len() {
            let found = self.state(ix as StateIx);
            let before = &self.needs.there[ix];
            changed |= found.0.len() > before.0.len() || found.1.len() > before.1.len();
            self.needs.there[ix] = found;
        }
        changed
    }

    fn from(&self, pc: Pc) -> Paths {
        self.needs.at.get(pc as usize).cloned().unwrap_or_default()
    }

    fn some(&self, pc: Option<Pc>) -> Paths {
        pc.map(|pc| self.from(pc)).unwrap_or_default()
    }

    fn instruction(&mut self, pc: Pc) -> Paths {
        let program = self.program;
        let mut found = Paths::new();
        let mut goes_on = true;
        match &program.code[pc as usize].op {
            Op::Send(message) => self.message(message, &mut found),
            Op::Set { path, value } => {
                let mut after = self.from(pc + 1);
                if path.first().is_some_and(|root| root != "chat") {
                    after.retain(|needed| !needed.starts_with(path));
                }
                found.extend(after);
                self.expr(*value, &mut found);
                goes_on = false;
            }
            Op::Mem {
                field: _,
                value,
                keep_seconds: _,
            } => {
                // What is not known is not remembered; putting it together may fail.
                if let Some(value) = value {
                    self.expr(*value, &mut found);
                }
            }
            Op::Jump(jump) => {
                self.jump(jump, &mut found);
                goes_on = false;
            }
            Op::JumpIf { condition, to } => {
                self.expr(*condition, &mut found);
                let condition = &program.exprs[*condition as usize];
                found.extend(without(self.from(*to), &known_if(condition, true)));
                found.extend(without(self.from(pc + 1), &known_if(condition, false)));
                goes_on = false;
            }
            Op::Ask(state) | Op::Answer(state) => {
                found.extend(self.needs.there[*state as usize].1.iter().cloned());
                goes_on = false;
            }
            Op::Effect(state) => {
                if let StateKind::Fetch(fetch) = &program.states[*state as usize].kind {
                    fetch
                        .args
                        .iter()
                        .for_each(|(_, value)| self.given(*value, &mut found));
                }
                found.extend(self.needs.there[*state as usize].0.iter().cloned());
                goes_on = false;
            }
            Op::Call(state) => {
                if let StateKind::Call(call) = &program.states[*state as usize].kind {
                    call.args
                        .iter()
                        .for_each(|(_, value)| self.given(*value, &mut found));
                }
                found.extend(self.needs.there[*state as usize].0.iter().cloned());
                goes_on = false;
            }
            Op::Return { gives } => {
                gives.iter().for_each(|(_, value)| self.given(*value, &mut found));
                goes_on = false;
            }
            Op::Handoff(state) => {
                if let StateKind::Human(human) = &program.states[*state as usize].kind {
                    self.optional(human.note, &mut found);
                    found.extend(self.some(human.when_closed));
                }
                found.extend(self.needs.there[*state as usize].0.iter().cloned());
                goes_on = false;
            }
            Op::Close { say } => {
                self.optional(*say, &mut found);
                goes_on = false;
            }
            Op::Emit(emit) => match emit {
                Emit::Notify { team: _, text } => self.text(*text, &mut found),
                Emit::Record { name: _, value } => {
                    if let Some(value) = value {
                        self.expr(*value, &mut found);
                    }
                }
                Emit::Tag { tag, on: _ } => self.text(*tag, &mut found),
                Emit::Subscribe { .. } => {}
            },
            Op::ForEach { list, value, end } => {
                self.expr(*list, &mut found);
                let item = vec![value.clone()];
                found.extend(without(self.from(pc + 1), std::slice::from_ref(&item)));
                found.extend(self.from(*end));
                goes_on = false;
            }
            Op::Plan(plan) => {
                match &plan.due {
                    Due::In(_) => {}
                    Due::At(when) | Due::From(_, when) => self.given(*when, &mut found),
                }
                // The plan takes along what is known now.
                self.jump(&plan.to, &mut found);
            }
            Op::Split { name: _, ways } => {
                for (_, way) in ways {
                    found.extend(self.from(*way));
                }
            }
            Op::Cancel { .. } | Op::Pause { .. } => {}
            Op::Resume | Op::Wait => goes_on = false,
        }
        if goes_on {
            found.extend(self.from(pc + 1));
        }
        found
    }

    fn jump(&mut self, jump: &Jump, found: &mut Paths) {
        match jump {
            Jump::To(pc) => found.extend(self.from(*pc)),
            Jump::Step(step) => found.extend(self.from(self.program.steps[*step as usize].entry)),
            Jump::Flow { flow: _, args } => args.iter().for_each(|(_, value)| self.given(*value, found)),
            // To what was asked before: whoever comes there is looked at there.
            Jump::Again | Jump::Back | Jump::Start => {}
        }
    }

    fn state(&mut self, ix: StateIx) -> (Paths, Paths) {
        let program = self.program;
        let mut there = Paths::new();
        match &program.states[ix as usize].kind {
            StateKind::Question(question) => {
                self.question(question, &mut there);
                let mut anew = there.clone();
                anew.extend(self.some(question.none));
                self.message(&question.prompt, &mut anew);
                self.optional(question.again, &mut anew);
                return (there, anew);
            }
            StateKind::Fetch(fetch) => {
                let value = vec![fetch.value.clone()];
                there.extend(without(self.from(fetch.next), std::slice::from_ref(&value)));
                for pc in [fetch.not_found, fetch.refused, fetch.problem]
                    .into_iter()
                    .flatten()
                {
                    there.extend(self.from(pc));
                }
                for (_, pc) in &fetch.statuses {
                    there.extend(without(self.from(*pc), std::slice::from_ref(&value)));
                }
            }
            StateKind::Call(call) => {
                let save: Vec<Path> = call.save.iter().map(|save| vec![save.clone()]).collect();
                there.extend(without(self.from(call.next), &save));
            }
            StateKind::Human(human) => {
                self.optional(human.when_taken, &mut there);
                for line in &human.no_agent {
                    self.optional(line.say, &mut there);
                    there.extend(self.some(line.run));
                }
                there.extend(self.some(human.when_returned));
            }
            StateKind::Answer(answer) => {
                let off_topic = answer.off_topic.as_ref();
                self.optional(off_topic.and_then(|line| line.say), &mut there);
                let runs = [
                    answer.not_sure,
                    answer.problem,
                    off_topic.and_then(|line| line.run),
                ];
                let topics = answer.topics.iter().map(|(_, run)| *run);
                let all = runs.into_iter().flatten().chain(topics);
                for pc in all
                    .chain(answer.up_to.map(|(_, run)| run))
                    .chain([answer.finished])
                {
                    there.extend(self.from(pc));
                }
            }
        }
        (there.clone(), there)
    }

    fn question(&mut self, question: &Question, there: &mut Paths) {
        let value: Vec<Path> = question.value.iter().map(|value| vec![value.clone()]).collect();
        there.extend(without(self.from(question.next), &value));
        for Choice {
            id: _,
            each,
            label,
            hint,
            also: _,
            value: chosen,
            condition: _,
            section,
            run,
            single_use: _,
        } in &question.options
        {
            let mut option = Paths::new();
            self.text(*label, &mut option);
            self.optional(*hint, &mut option);
            self.optional(*section, &mut option);
            if let Some(chosen) = chosen {
                self.expr(*chosen, &mut option);
            }
            option.extend(without(self.some(*run), &value));
            if let Some((item, list)) = each {
                // A row knows its item.
                option = without(option, &[vec![item.clone()]]);
                self.expr(*list, &mut option);
            }
            there.extend(option);
        }
        self.optional(question.open, there);
        self.optional(question.more, there);
        for (_, sentence) in &question.checks {
            let mut said = Paths::new();
            self.text(*sentence, &mut said);
            there.extend(without(said, &value));
        }
        if let Some(otherwise) = &question.otherwise {
            self.optional(otherwise.say, there);
            there.extend(self.some(otherwise.run));
        }
        for silence in &question.silence {
            self.optional(silence.say, there);
            there.extend(self.some(silence.run));
        }
    }

    fn message(&mut self, message: &Message, found: &mut Paths) {
        match message {
            Message::Say {
                body,
                or,
                header,
                footer,
                link,
            } => {
                self.text(*body, found);
                or.iter().for_each(|text| self.text(*text, found));
                self.optional(*header, found);
                self.optional(*footer, found);
                if let Some((label, url)) = link {
                    self.text(*label, found);
                    self.text(*url, found);
                }
            }
            Message::Template { template: _, args } => {
                args.iter().for_each(|(_, value)| self.given(*value, found));
            }
            Message::File {
                kind: _,
                source,
                caption,
                named,
            } => {
                self.given(*source, found);
                self.optional(*caption, found);
                self.optional(*named, found);
            }
            Message::React { emoji } => self.text(*emoji, found),
            Message::Place {
                lat: _,
                lng: _,
                name,
                address,
            } => {
                self.optional(*name, found);
                self.optional(*address, found);
            }
        }
    }

    fn optional(&mut self, text: Option<TextIx>, found: &mut Paths) {
        if let Some(text) = text {
            self.text(text, found);
        }
    }

    fn text(&mut self, ix: TextIx, found: &mut Paths) {
        let text = &self.program.texts[ix as usize];
        if text.fixed {
            return;
        }
        let looked_up = self.texts.entry(ix).or_insert_with(|| {
            template::paths(&text.source)
                .into_iter()
                .filter(|used| !used.guarded)
                .map(|used| used.path)
                .collect()
        });
        found.extend(looked_up.iter().cloned());
    }

    /// A value that has to be known where it stands.
    fn given(&mut self, ix: ExprIx, found: &mut Paths) {
        if let Expr::Path(path) = &self.program.exprs[ix as usize] {
            found.insert(path.clone());
        }
        self.expr(ix, found);
    }

    /// What must be known so that the expression comes to something: an unknown value by itself is no fault.
    fn expr(&mut self, ix: ExprIx, found: &mut Paths) {
        let expr = &self.program.exprs[ix as usize];
        self.walk(expr, found);
    }

    fn walk(&mut self, expr: &Expr, found: &mut Paths) {
        match expr {
            Expr::Text(text) => self.text(*text, found),
            Expr::Number(_)
            | Expr::YesNo(_)
            | Expr::Nothing
            | Expr::Date(_)
            | Expr::Time(_)
            | Expr::Duration(_)
            | Expr::Path(_) => {}
            Expr::List(items) => items.iter().for_each(|item| self.walk(item, found)),
            Expr::Not(inner) => self.walk(inner, found),
            Expr::Binary(op, left, right) => {
                if matches!(
                    op,
                    BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide
                ) {
                    for side in [left, right] {
                        if let Expr::Path(path) = &**side {
                            found.insert(path.clone());
                        }
                    }
                }
                self.walk(left, found);
                self.walk(right, found);
            }
            Expr::Test { subject, .. } => self.walk(subject, found),
            // Filters pass on what is not known.
            Expr::Filter {
                subject,
                name: _,
                args,
            } => {
                self.walk(subject, found);
                args.iter().for_each(|arg| self.walk(arg, found));
            }
        }
    }
}

fn without(mut paths: Paths, known: &[Path]) -> Paths {
    paths.retain(|path| !known.iter().any(|known| path.starts_with(known)));
    paths
}

/// What is known for certain if the condition came out as `outcome`.
fn known_if(condition: &Expr, outcome: bool) -> Vec<Path> {
    match condition {
        Expr::Test {
            subject,
            test,
            negated,
        } => match (&**subject, test, outcome != *negated) {
            (Expr::Path(path), Test::Known, true)
            | (Expr::Path(path), Test::Unknown | Test::Empty, false) => vec![path.clone()],
            _ => Vec::new(),
        },
        Expr::Not(inner) => known_if(inner, !outcome),
        Expr::Binary(BinaryOp::And, left, right) if outcome => both(left, right, outcome),
        Expr::Binary(BinaryOp::Or, left, right) if !outcome => both(left, right, outcome),
        // What equals something, or is in something, is known.
        Expr::Binary(
            BinaryOp::Is
            | BinaryOp::IsExactly
            | BinaryOp::Greater
            | BinaryOp::GreaterOrEqual
            | BinaryOp::Less
            | BinaryOp::LessOrEqual
            | BinaryOp::In
            | BinaryOp::Contains
            | BinaryOp::StartsWith
            | BinaryOp::EndsWith
            | BinaryOp::Matches,
            left,
            right,
        ) if outcome && !matches!(**right, Expr::Nothing) => match &**left {
            Expr::Path(path) => vec![path.clone()],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn both(left: &Expr, right: &Expr, outcome: bool) -> Vec<Path> {
    let mut known = known_if(left, outcome);
    known.extend(known_if(right, outcome));
    known
}

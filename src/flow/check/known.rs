//! Values that may not be known (F402): definite assignment over all steps of all flows.
//!
//! At each point of a step the set of values known for certain is a row of bits. A step begins with what is known on
//! *every* way to it; the walk is repeated until nothing changes, then once more to report. Values of a flow die with
//! it, memory goes along to the next flow.

use std::collections::HashMap;

use super::Shop;
use super::blanks::{self, Blanks};
use super::paths::takes_typed_answers;
use super::values::{Values, Var};
use super::walk::{self, Home};
use crate::flow::diagnostic::{Code, Diagnostic, Edit, Fix};
use crate::flow::source::Span;
use crate::flow::tree::{
    Arg, BinaryOp, Expr, ExprKind, Flow, Question, QuestionWord, Stmt, StmtKind, Tail, Target, TargetKind, Test, Text,
};

pub(super) fn check(shop: &Shop, values: &Values, texts: &Blanks, found: &mut Vec<Diagnostic>) {
    let layout = Layout::of(shop, values);
    let mut walk = Walk::new(shop, values, texts, &layout);
    walk.settle();
    walk.report(found);
}

/// Which values are known for certain: one bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bits(Vec<u64>);

impl Bits {
    fn none(bits: usize) -> Bits {
        Bits(vec![0; bits.div_ceil(64)])
    }

    fn get(&self, bit: usize) -> bool {
        self.0[bit / 64] & (1 << (bit % 64)) != 0
    }

    fn set(&mut self, bit: usize) {
        self.0[bit / 64] |= 1 << (bit % 64);
    }

    fn clear(&mut self, bit: usize) {
        self.0[bit / 64] &= !(1 << (bit % 64));
    }

    /// Keeps what both know; `true` if that is less than before.
    fn meet(&mut self, other: &Bits) -> bool {
        let mut changed = false;
        for (one, other) in self.0.iter_mut().zip(&other.0) {
            changed |= *one & !other != 0;
            *one &= other;
        }
        changed
    }

    fn union(&mut self, other: &Bits) {
        for (one, other) in self.0.iter_mut().zip(&other.0) {
            *one |= other;
        }
    }
}

/// `None`: no way leads here (so far).
type State = Option<Bits>;

fn join(one: State, other: State) -> State {
    match (one, other) {
        (Some(mut one), Some(other)) => {
            one.meet(&other);
            Some(one)
        }
        (one, other) => one.or(other),
    }
}

/// Which bit is which value. Memory comes first, in every flow the same; then the flow's own values.
struct Layout {
    memory: HashMap<String, usize>,
    /// Memory with a default value is always known.
    always: Vec<usize>,
    /// By flow: names of its values and of unsure fields (`who.verified`).
    own: Vec<HashMap<String, usize>>,
    width: Vec<usize>,
    /// Memory that some `on` forgets: after a wait it may be gone.
    forgotten_meanwhile: Vec<usize>,
    /// By flow: memory that it forgets, also through flows that it calls.
    forgets: Vec<Vec<usize>>,
}

/// Facts of the channel and the turn that may be missing.
const UNSURE: [&str; 8] = [
    "contact.phone",
    "contact.name",
    "contact.language",
    "message.file",
    "message.place",
    "topic",
    "agent.name",
    "message.text",
];

impl Layout {
    fn of(shop: &Shop, values: &Values) -> Layout {
        let mut memory = HashMap::new();
        let mut always = Vec::new();
        for field in shop.tree.business.iter().flat_map(|business| &business.memory) {
            let next = memory.len();
            let bit = *memory.entry(field.path.parts.join(".")).or_insert(next);
            if field.default.is_some() {
                always.push(bit);
            }
        }
        for name in UNSURE {
            let next = memory.len();
            memory.entry(name.to_owned()).or_insert(next);
        }
        // A customer's message always has a text, if only an empty one.
        always.push(memory["message.text"]);
        let mut own = Vec::new();
        let mut width = Vec::new();
        for scope in &values.flows {
            let mut bits = HashMap::new();
            let mut next = memory.len();
            for var in &scope.vars {
                bits.insert(var.name.to_owned(), next);
                next += 1;
                for field in &var.unsure_fields {
                    bits.insert(format!("{}.{field}", var.name), next);
                    next += 1;
                }
            }
            own.push(bits);
            width.push(next);
        }
        let mut layout = Layout {
            memory,
            always,
            own,
            width,
            forgotten_meanwhile: Vec::new(),
            forgets: vec![Vec::new(); shop.tree.flows.len()],
        };
        layout.note_forgotten(shop);
        layout
    }

    fn note_forgotten(&mut self, shop: &Shop) {
        let mut calls: Vec<Vec<usize>> = vec![Vec::new(); self.forgets.len()];
        walk::statements(shop.tree, |home, stmt| match &stmt.kind {
            StmtKind::Forget { fields } => {
                for field in fields {
                    let Some(bit) = self.memory.get(&field.parts.join(".")).copied() else { continue };
                    if self.always.contains(&bit) {
                        continue;
                    }
                    match home.flow {
                        Some(flow) if home.step.is_some() => self.forgets[flow].push(bit),
                        _ => self.forgotten_meanwhile.push(bit),
                    }
                }
            }
            StmtKind::Do(call) => {
                if let (Some(flow), Some(called)) = (home.flow, shop.names.flow_index(&call.flow)) {
                    calls[flow].push(called);
                }
            }
            _ => {}
        });
        loop {
            let mut changed = false;
            for flow in 0..calls.len() {
                for called in &calls[flow] {
                    for bit in self.forgets[*called].clone() {
                        if !self.forgets[flow].contains(&bit) {
                            self.forgets[flow].push(bit);
                            changed = true;
                        }
                    }
                }
            }
            if !changed {
                return;
            }
        }
    }

    /// The bit that decides whether a path is known; `None` if it always is (or is no value at all: F401).
    fn bit(&self, flow: Option<usize>, path: &[String]) -> Option<usize> {
        let root = path.first()?;
        let own = flow.map(|flow| &self.own[flow]);
        if let Some(field) = path.get(1) {
            let name = format!("{root}.{field}");
            if let Some(bit) = self.memory.get(&name).or_else(|| own.and_then(|own| own.get(&name))) {
                return Some(*bit);
            }
        }
        own.and_then(|own| own.get(root)).or_else(|| self.memory.get(root)).copied()
    }

    fn is_memory(&self, bit: usize) -> bool {
        bit < self.memory.len()
    }
}

struct Walk<'c, 't> {
    shop: &'c Shop<'t>,
    values: &'c Values<'t>,
    texts: &'c Blanks<'t>,
    layout: &'c Layout,
    /// By flow and step: what is known on every way to it.
    steps: Vec<Vec<State>>,
    /// What is known in every question of the flow, where its `on`s begin.
    ons: Vec<State>,
    /// Steps to walk (again).
    next: Vec<(usize, usize)>,
    queued: Vec<Vec<bool>>,
    ons_changed: Vec<bool>,
    /// Where the walk is.
    home: Home,
    reporting: Option<Vec<Diagnostic>>,
}

impl<'c, 't> Walk<'c, 't> {
    fn new(shop: &'c Shop<'t>, values: &'c Values<'t>, texts: &'c Blanks<'t>, layout: &'c Layout) -> Walk<'c, 't> {
        let flows = &shop.tree.flows;
        let mut walk = Walk {
            shop,
            values,
            texts,
            layout,
            steps: flows.iter().map(|flow| vec![None; flow.steps.len()]).collect(),
            ons: vec![None; flows.len()],
            next: Vec::new(),
            queued: flows.iter().map(|flow| vec![false; flow.steps.len()]).collect(),
            ons_changed: vec![false; flows.len()],
            home: Home {
                flow: None,
                step: None,
            },
            reporting: None,
        };
        for (index, flow) in flows.iter().enumerate().rev() {
            // A message may open it at any time.
            if !flow.called {
                walk.enter(index, &walk.strangers());
            }
        }
        walk
    }

    /// What is known of a customer who has never written before.
    fn strangers(&self) -> Bits {
        let mut known = Bits::none(self.layout.memory.len());
        self.layout.always.iter().for_each(|bit| known.set(*bit));
        known
    }

    /// A flow begins with memory and what it needs.
    fn enter(&mut self, flow: usize, memory: &Bits) {
        let mut known = Bits::none(self.layout.width[flow]);
        for bit in 0..self.layout.memory.len() {
            if memory.get(bit) {
                known.set(bit);
            }
        }
        for field in &self.shop.tree.flows[flow].needs {
            if let Some(bit) = field.path.parts.first().and_then(|name| self.layout.own[flow].get(name)) {
                known.set(*bit);
            }
        }
        self.arrive(flow, 0, &known);
    }

    fn arrive(&mut self, flow: usize, step: usize, known: &Bits) {
        let Some(state) = self.steps[flow].get_mut(step) else { return };
        let changed = match state {
            None => {
                *state = Some(known.clone());
                true
            }
            Some(before) => before.meet(known),
        };
        if changed && !std::mem::replace(&mut self.queued[flow][step], true) {
            self.next.push((flow, step));
        }
    }

    fn settle(&mut self) {
        loop {
            while let Some((flow, step)) = self.next.pop() {
                self.queued[flow][step] = false;
                self.walk_step(flow, step);
            }
            let Some(flow) = self.ons_changed.iter().position(|changed| *changed) else { return };
            self.ons_changed[flow] = false;
            self.walk_ons(flow);
        }
    }

    fn walk_step(&mut self, flow: usize, step: usize) {
        let shop = self.shop;
        self.home = Home {
            flow: Some(flow),
            step: Some(step),
        };
        let state = self.steps[flow][step].clone();
        self.body(&shop.tree.flows[flow].steps[step].body, state);
    }

    fn walk_ons(&mut self, flow: usize) {
        let shop = self.shop;
        self.home = Home {
            flow: Some(flow),
            step: None,
        };
        for on in &shop.tree.flows[flow].ons {
            let mut state = self.ons[flow].clone();
            if let (Some(known), Some(condition)) = (&mut state, &on.condition) {
                self.expr(condition, known, false);
                self.narrow(condition, true, known);
            }
            self.body(&on.body, state);
        }
    }

    fn report(&mut self, found: &mut Vec<Diagnostic>) {
        let shop = self.shop;
        self.reporting = Some(Vec::new());
        for (index, flow) in shop.tree.flows.iter().enumerate() {
            for step in 0..flow.steps.len() {
                self.walk_step(index, step);
            }
            self.walk_ons(index);
            self.home = Home {
                flow: Some(index),
                step: None,
            };
        }
        self.home = Home {
            flow: None,
            step: None,
        };
        if let Some(business) = &shop.tree.business {
            for on in &business.ons {
                let mut known = self.strangers();
                if let Some(condition) = &on.condition {
                    self.expr(condition, &known.clone(), false);
                    self.narrow(condition, true, &mut known);
                }
                self.body(&on.body, Some(known));
            }
            for tail in walk::default_tails(shop.tree) {
                let known = self.strangers();
                self.tail(tail, known);
            }
        }
        found.extend(self.reporting.take().unwrap_or_default());
    }

    // ───────── statements ─────────

    fn body(&mut self, body: &[Stmt], mut state: State) -> State {
        for stmt in body {
            let known = state?;
            state = self.stmt(stmt, known);
        }
        state
    }

    fn own_bit(&self, name: &str) -> Option<usize> {
        self.home.flow.and_then(|flow| self.layout.own[flow].get(name)).copied()
    }

    fn learn(&self, name: &str, known: &mut Bits) {
        if let Some(bit) = self.own_bit(name) {
            known.set(bit);
        }
    }

    fn stmt(&mut self, stmt: &Stmt, mut known: Bits) -> State {
        match &stmt.kind {
            StmtKind::Say(say) => {
                self.text(&say.text, &known);
                for text in say.header.iter().chain(&say.footer) {
                    self.text(text, &known);
                }
                if let Some(link) = &say.link {
                    self.text(&link.label, &known);
                    self.text(&link.url, &known);
                }
                Some(known)
            }
            StmtKind::Question(question) => self.question(question, known),
            StmtKind::Set { path, value } => {
                self.expr(value, &known, true);
                match self.layout.bit(self.home.flow, &path.parts[..path.parts.len().min(2)]) {
                    Some(bit) => known.set(bit),
                    None => self.learn(path.parts.first().map_or("", String::as_str), &mut known),
                }
                Some(known)
            }
            StmtKind::Remember(remember) => {
                self.used(&remember.value.parts, remember.value.span, &known, Use::Line);
                let field = match &remember.field {
                    Some(field) => field.parts.join("."),
                    None => format!("contact.{}", remember.value.parts.last().map_or("", String::as_str)),
                };
                if let Some(bit) = self.layout.memory.get(&field) {
                    known.set(*bit);
                }
                Some(known)
            }
            StmtKind::Forget { fields } => {
                for field in fields {
                    if let Some(bit) = self.layout.memory.get(&field.parts.join("."))
                        && !self.layout.always.contains(bit)
                    {
                        known.clear(*bit);
                    }
                }
                Some(known)
            }
            StmtKind::If(branches) => {
                let mut after = None;
                for branch in &branches.branches {
                    self.expr(&branch.condition, &known, false);
                    let mut inside = known.clone();
                    self.narrow(&branch.condition, true, &mut inside);
                    let end = self.body(&branch.body, Some(inside));
                    after = join(after, end);
                    self.narrow(&branch.condition, false, &mut known);
                }
                let end = match &branches.otherwise {
                    Some(body) => self.body(body, Some(known)),
                    None => Some(known),
                };
                join(after, end)
            }
            StmtKind::Fetch(fetch) => {
                self.args(&fetch.args, &known);
                self.waits(&mut known);
                let mut after = known.clone();
                self.learn(&fetch.name.text, &mut after);
                let mut after = Some(after);
                for outcome in &fetch.outcomes {
                    let end = self.tail(&outcome.tail, known.clone());
                    after = join(after, end);
                }
                after
            }
            StmtKind::Go(target) => {
                self.go(target, &known);
                None
            }
            StmtKind::Do(call) => {
                self.args(&call.args, &known);
                self.at_question(&known);
                let called = self.shop.names.flow_index(&call.flow);
                if let Some(called) = called {
                    self.enter(called, &known);
                    for bit in &self.layout.forgets[called] {
                        known.clear(*bit);
                    }
                }
                self.waits(&mut known);
                if let Some(save) = &call.save {
                    self.learn(&save.text, &mut known);
                }
                Some(known)
            }
            StmtKind::Done { gives } => {
                self.args(gives, &known);
                None
            }
            StmtKind::SendTemplate { args, .. } => {
                self.args(args, &known);
                Some(known)
            }
            StmtKind::Close { say } => {
                say.iter().for_each(|text| self.text(text, &known));
                None
            }
            StmtKind::Resume => None,
            StmtKind::Handoff(handoff) => {
                handoff.note.iter().for_each(|text| self.text(text, &known));
                if let Some(condition) = handoff.priority.as_ref().and_then(|priority| priority.condition.as_ref()) {
                    self.expr(condition, &known, false);
                }
                if let Some(tail) = &handoff.when_closed {
                    self.tail(tail, known);
                }
                None
            }
            StmtKind::Notify { text, .. } => {
                self.text(text, &known);
                Some(known)
            }
        }
    }

    fn question(&mut self, question: &Question, mut known: Bits) -> State {
        let texts = [&question.header, &question.footer, &question.open, &question.again];
        self.text(&question.prompt, &known);
        texts.into_iter().flatten().for_each(|text| self.text(text, &known));
        for option in &question.options {
            let mut shown = known.clone();
            if let Some(condition) = &option.condition {
                self.expr(condition, &known, false);
                self.narrow(condition, true, &mut shown);
            }
            let texts = std::iter::once(&option.label).chain(&option.hint).chain(&option.section);
            texts.for_each(|text| self.text(text, &shown));
            option.value.iter().for_each(|value| self.expr(value, &shown, true));
        }
        self.at_question(&known);
        self.waits(&mut known);
        for tail in question.otherwise.iter().map(|line| &line.tail) {
            self.tail(tail, known.clone());
        }
        for line in &question.no_reply {
            self.tail(&line.tail, known.clone());
        }
        let answer = question.name.as_ref().and_then(|name| self.own_bit(&name.text));
        let mut answered = known.clone();
        answer.into_iter().for_each(|bit| answered.set(bit));
        for check in &question.checks {
            self.expr(&check.condition, &answered, true);
            self.text(&check.otherwise, &answered);
        }
        let mut after = takes_typed_answers(question).then(|| answered.clone());
        for option in &question.options {
            // The option of a menu is its answer; under an `ask` it stands beside the answer.
            let kept = option.value.is_some()
                || question.word != QuestionWord::Ask
                || super::paths::tail_goes_on(&option.then);
            let mut chosen = if kept { answered.clone() } else { known.clone() };
            if let Some(condition) = &option.condition {
                self.narrow(condition, true, &mut chosen);
            }
            let end = self.tail(&option.then, chosen);
            after = join(after, end);
        }
        after
    }

    fn tail(&mut self, tail: &Tail, known: Bits) -> State {
        tail.say.iter().for_each(|text| self.text(text, &known));
        let end = self.body(&tail.body, Some(known));
        match &tail.go {
            Some(target) => {
                if let Some(known) = end {
                    self.go(target, &known);
                }
                None
            }
            None => end,
        }
    }

    fn go(&mut self, target: &Target, known: &Bits) {
        self.args(walk::target_args(target), known);
        match &target.kind {
            TargetKind::Step(name) => {
                if let Some((flow, step)) =
                    self.home.flow.and_then(|flow| Some((flow, self.shop.names.step_index(flow, name)?)))
                {
                    self.arrive(flow, step, known);
                }
            }
            TargetKind::Start => {
                if let Some(flow) = self.home.flow {
                    self.arrive(flow, 0, known);
                }
            }
            TargetKind::Flow(name, _) => {
                if let Some(flow) = self.shop.names.flow_index(name) {
                    self.enter(flow, known);
                }
            }
            TargetKind::Again
            | TargetKind::Resume
            | TargetKind::Back
            | TargetKind::Done(_)
            | TargetKind::Close
            | TargetKind::Handoff(_) => {}
        }
    }

    fn args(&mut self, args: &[Arg], known: &Bits) {
        args.iter().for_each(|arg| self.expr(&arg.value, known, true));
    }

    /// An `on` may run here.
    fn at_question(&mut self, known: &Bits) {
        let Some(flow) = self.home.flow else { return };
        if self.shop.tree.flows[flow].ons.is_empty() {
            return;
        }
        match &mut self.ons[flow] {
            Some(before) => {
                if before.meet(known) {
                    self.ons_changed[flow] = true;
                }
            }
            none => {
                *none = Some(known.clone());
                self.ons_changed[flow] = true;
            }
        }
    }

    /// While the chat waits, an `on` may forget something.
    fn waits(&self, known: &mut Bits) {
        self.layout.forgotten_meanwhile.iter().for_each(|bit| known.clear(*bit));
    }

    // ───────── what a condition tells ─────────

    fn narrow(&self, condition: &Expr, holds: bool, known: &mut Bits) {
        match &condition.kind {
            ExprKind::Not(inner) => self.narrow(inner, !holds, known),
            ExprKind::Binary { op, left, right } => match op {
                // Both sides came out as the whole did.
                BinaryOp::And if holds => {
                    self.narrow(left, true, known);
                    self.narrow(right, true, known);
                }
                BinaryOp::Or if !holds => {
                    self.narrow(left, false, known);
                    self.narrow(right, false, known);
                }
                // One of them did: what both tell.
                BinaryOp::And | BinaryOp::Or => {
                    let (mut one, mut other) = (known.clone(), known.clone());
                    self.narrow(left, holds, &mut one);
                    self.narrow(right, holds, &mut other);
                    one.meet(&other);
                    known.union(&one);
                }
                // What is equal to something, above it or in it is known.
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
                | BinaryOp::Matches
                    if holds =>
                {
                    if is_constant(right) {
                        self.mark(left, known);
                    }
                }
                BinaryOp::Is
                | BinaryOp::IsNot
                | BinaryOp::IsExactly
                | BinaryOp::Greater
                | BinaryOp::GreaterOrEqual
                | BinaryOp::Less
                | BinaryOp::LessOrEqual
                | BinaryOp::In
                | BinaryOp::Contains
                | BinaryOp::StartsWith
                | BinaryOp::EndsWith
                | BinaryOp::Matches
                | BinaryOp::Add
                | BinaryOp::Subtract
                | BinaryOp::Multiply
                | BinaryOp::Divide => {}
            },
            ExprKind::Test { subject, test, negated } => {
                let tells = match test {
                    Test::Known => holds != *negated,
                    Test::Unknown => holds == *negated,
                    // What is not empty is known.
                    Test::Empty => holds == *negated,
                    Test::Open | Test::Closed => false,
                };
                if tells {
                    self.mark(subject, known);
                }
            }
            // `if contact.vip`: yes is a value.
            ExprKind::Path(_) if holds => self.mark(condition, known),
            ExprKind::Path(_)
            | ExprKind::Text(_)
            | ExprKind::Number(_)
            | ExprKind::YesNo(_)
            | ExprKind::Nothing
            | ExprKind::Date(_)
            | ExprKind::Time(_)
            | ExprKind::Duration(_)
            | ExprKind::List(_)
            | ExprKind::Filter { .. } => {}
        }
    }

    fn mark(&self, subject: &Expr, known: &mut Bits) {
        if let ExprKind::Path(path) = &subject.kind
            && let Some(bit) = self.layout.bit(self.home.flow, &path.parts)
        {
            known.set(bit);
        }
    }

    // ───────── uses ─────────

    /// `strict`: an unknown value would be a fault here. In conditions unknown memory simply isn't equal to anything.
    fn expr(&mut self, expr: &Expr, known: &Bits, strict: bool) {
        match &expr.kind {
            ExprKind::Path(path) => {
                let memory = self.layout.bit(self.home.flow, &path.parts).is_some_and(|bit| self.layout.is_memory(bit));
                if strict || !memory {
                    self.used(&path.parts, path.span, known, Use::Line);
                }
            }
            ExprKind::Text(text) => self.text(text, known),
            ExprKind::Not(inner) => self.expr(inner, known, strict),
            ExprKind::List(items) => items.iter().for_each(|item| self.expr(item, known, strict)),
            ExprKind::Binary { op, left, right } => match op {
                BinaryOp::And | BinaryOp::Or => {
                    self.expr(left, known, false);
                    let mut after = known.clone();
                    self.narrow(left, *op == BinaryOp::And, &mut after);
                    self.expr(right, &after, false);
                }
                BinaryOp::Is
                | BinaryOp::IsNot
                | BinaryOp::IsExactly
                | BinaryOp::In
                | BinaryOp::Contains
                | BinaryOp::StartsWith
                | BinaryOp::EndsWith
                | BinaryOp::Matches
                | BinaryOp::Greater
                | BinaryOp::GreaterOrEqual
                | BinaryOp::Less
                | BinaryOp::LessOrEqual => {
                    self.expr(left, known, false);
                    self.expr(right, known, false);
                }
                BinaryOp::Add
                | BinaryOp::Subtract
                | BinaryOp::Multiply
                | BinaryOp::Divide => {
                    self.expr(left, known, true);
                    self.expr(right, known, true);
                }
            },
            ExprKind::Test { subject, .. } => {
                // Asking whether it is known is what one may always do.
                if !matches!(subject.kind, ExprKind::Path(_)) {
                    self.expr(subject, known, strict);
                }
            }
            ExprKind::Filter { subject, name, args } => {
                let guarded = name.text == "default" && matches!(subject.kind, ExprKind::Path(_));
                if !guarded {
                    self.expr(subject, known, true);
                }
                args.iter().for_each(|arg| self.expr(arg, known, true));
            }
            ExprKind::Number(_)
            | ExprKind::YesNo(_)
            | ExprKind::Nothing
            | ExprKind::Date(_)
            | ExprKind::Time(_)
            | ExprKind::Duration(_) => {}
        }
    }

    fn text(&mut self, text: &Text, known: &Bits) {
        if self.reporting.is_none() {
            return;
        }
        let texts = self.texts;
        for used in texts.uses(text).iter().filter(|used| !used.guarded) {
            let Some(bit) = self.layout.bit(self.home.flow, &used.path) else { continue };
            if !known.get(bit) {
                let at = blanks::place(self.shop.sources, text, &used.range);
                self.used(&used.path, at, known, Use::Text);
            }
        }
    }

    fn used(&mut self, path: &[String], at: Span, known: &Bits, how: Use) {
        if self.reporting.is_none() {
            return;
        }
        let Some(bit) = self.layout.bit(self.home.flow, path) else { return };
        if known.get(bit) {
            return;
        }
        let diagnostic = self.not_known(path, at, how);
        if let Some(found) = &mut self.reporting {
            found.push(diagnostic);
        }
    }

    fn not_known(&self, path: &[String], at: Span, how: Use) -> Diagnostic {
        let name = path.join(".");
        let var = self.home.flow.and_then(|flow| self.values.flows[flow].get(&path[0]));
        let diagnostic = Diagnostic::new(Code::F402, at, format!("{name} may not be known here"), "");
        let diagnostic = match var {
            Some(var) => self.own_value(diagnostic, path, var),
            None => self.memory_value(diagnostic, path),
        };
        let ask = self.ask_first(path).unwrap_or_else(|| "that step".to_owned());
        let (guard, guard_what) = match how {
            Use::Text => (format!("{{% if {name} is known %}} … {{% endif %}}"), "leave it out"),
            Use::Line => (format!("if {name} is known"), "only then"),
        };
        let first = format!("{name} | default({})", if how == Use::Text { "'there'" } else { "\"…\"" });
        let first_shown = if how == Use::Text { format!("{{{{ {first} }}}}") } else { first.clone() };
        let last = format!("if {name} is unknown -> {ask}");
        let width = [&first_shown, &guard, &last].into_iter().map(|text| text.chars().count()).max().unwrap_or(0);
        let fix = |title: &str, what: &str, edits: Vec<Edit>| Fix {
            title: format!("{title:width$}   {what}"),
            edits,
        };
        let edit = Edit {
            span: at,
            replacement: first,
        };
        let mut diagnostic = diagnostic;
        diagnostic.fixes = vec![
            fix(&first_shown, "say something else", if how == Use::Text { vec![edit] } else { Vec::new() }),
            fix(&guard, guard_what, Vec::new()),
            fix(&last, "ask first", Vec::new()),
        ];
        diagnostic
    }

    fn own_value(&self, diagnostic: Diagnostic, path: &[String], var: &Var) -> Diagnostic {
        let unsure = path.get(1).filter(|field| var.unsure_fields.contains(field));
        let mut diagnostic = diagnostic;
        match unsure {
            Some(field) => {
                diagnostic.labels[0].text = format!("not every way through the called flow gives {field}");
                diagnostic.label(var.first, "called here")
            }
            None => {
                diagnostic.labels[0].text = "on some way to this line nobody has learned it".to_owned();
                let learned = self.shop.sources.place(var.first);
                diagnostic.label(var.first, "first learned here").note(format!(
                    "There is a way to this line that doesn't pass {learned}, where {} is learned. A customer who\ncomes that way would get the sentence for problems instead.",
                    var.name
                ))
            }
        }
    }

    fn memory_value(&self, mut diagnostic: Diagnostic, path: &[String]) -> Diagnostic {
        let name = path.iter().take(2).map(String::as_str).collect::<Vec<_>>().join(".");
        let field = path.get(1).map_or("value", String::as_str).replace('_', " ");
        diagnostic.labels[0].text = "customers may not have one".to_owned();
        let learned = self.values.learned.get(&name);
        let note = match (path[0].as_str(), learned) {
            ("contact", Some(learned)) => format!(
                "New customers have no {field} yet; it is first learned in {}.",
                self.shop.sources.place(learned.at)
            ),
            ("contact", None) if matches!(path.get(1).map(String::as_str), Some("name" | "phone" | "language")) => {
                format!("WhatsApp doesn't tell the {field} of every customer.")
            }
            ("contact", None) => format!("No flow ever learns it: nothing remembers {name}."),
            ("chat", Some(learned)) => format!(
                "It is first learned in {}; before that, and in a new chat, there is none.",
                self.shop.sources.place(learned.at)
            ),
            ("chat", None) => format!("No flow ever learns it: nothing sets {name}."),
            ("message", _) => format!("Not every message has a {field}."),
            ("agent", _) => "Nobody of the team may have taken the chat yet.".to_owned(),
            _ => "It is only known if it was recognised in the customer's last message.".to_owned(),
        };
        diagnostic.note(note)
    }

    /// The step that asks for it, to lead to.
    fn ask_first(&self, path: &[String]) -> Option<String> {
        let name = path.iter().take(2).map(String::as_str).collect::<Vec<_>>().join(".");
        let own = self.home.flow.map(|flow| &self.shop.tree.flows[flow]);
        if let Some(var) = self.home.flow.and_then(|flow| self.values.flows[flow].get(&path[0])) {
            return own.and_then(|flow| step_at(flow, var.first)).map(str::to_owned);
        }
        let learned = self.values.learned.get(&name)?;
        let flow = &self.shop.tree.flows[learned.flow?];
        if learned.flow == self.home.flow {
            return Some(flow.steps.get(learned.step?)?.name.words.clone());
        }
        Some(format!("ask the {}", path.get(1)?.replace('_', " ")))
    }
}

/// Name of the step whose lines hold the place.
fn step_at(flow: &Flow, at: Span) -> Option<&str> {
    let steps = flow.steps.iter().filter(|step| step.span.file == at.file && step.span.start <= at.start);
    steps.max_by_key(|step| step.span.start).map(|step| step.name.words.as_str())
}

fn is_constant(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Text(_)
        | ExprKind::Number(_)
        | ExprKind::YesNo(_)
        | ExprKind::Date(_)
        | ExprKind::Time(_)
        | ExprKind::Duration(_)
        | ExprKind::List(_) => true,
        ExprKind::Nothing
        | ExprKind::Path(_)
        | ExprKind::Not(_)
        | ExprKind::Binary { .. }
        | ExprKind::Test { .. }
        | ExprKind::Filter { .. } => false,
    }
}

/// Where a value is used: decides what can be written instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Text,
    Line,
}

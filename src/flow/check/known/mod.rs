//! Values that may not be known (F402): definite assignment over all steps of all flows.
//!
//! At each point of a step the set of values known for certain is a row of bits. A step begins with what is known on
//! *every* way to it; the walk is repeated until nothing changes, then once more to report. Values of a flow die with
//! it, memory goes along to the next flow.

mod layout;
mod narrow;
mod said;

use layout::{Bits, Layout, State, join};

use super::Shop;
use super::blanks::Blanks;
use super::paths::takes_typed_answers;
use super::values::Values;
use super::walk::{self, Home};
use crate::flow::diagnostic::Diagnostic;
use crate::flow::tree::{
    Answer, AnswerExitKind, Arg, Due, Prompt, Question, QuestionWord, Stmt, StmtKind, Tail, Target,
    TargetKind,
};

pub(super) fn check(shop: &Shop, values: &Values, texts: &Blanks, found: &mut Vec<Diagnostic>) {
    let layout = Layout::of(shop, values);
    let mut walk = Walk::new(shop, values, texts, &layout);
    walk.walk_business();
    walk.settle();
    walk.report(found);
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
    fn new(
        shop: &'c Shop<'t>,
        values: &'c Values<'t>,
        texts: &'c Blanks<'t>,
        layout: &'c Layout,
    ) -> Walk<'c, 't> {
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
                let mut known = walk.strangers();
                if super::starts::without_message(flow.starts.iter().flat_map(|starts| &starts.triggers)) {
                    walk.without_message(&mut known);
                }
                walk.enter(index, &known);
            }
        }
        walk
    }

    /// What is known of a customer who has never written before.
    fn strangers(&self) -> Bits {
        let mut known = Bits::none(self.layout.memory.len());
        self.layout.always.iter().for_each(|bit| known.set(*bit));
        self.message_came(&mut known);
        known
    }

    /// The customer has written something.
    fn message_came(&self, known: &mut Bits) {
        self.layout.turn.iter().for_each(|bit| known.clear(*bit));
        self.layout
            .in_every_message
            .iter()
            .for_each(|bit| known.set(*bit));
    }

    /// Something else woke the chat.
    fn without_message(&self, known: &mut Bits) {
        self.layout.turn.iter().for_each(|bit| known.clear(*bit));
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
            if let Some(bit) = field
                .path
                .parts
                .first()
                .and_then(|name| self.layout.own[flow].get(name))
            {
                known.set(*bit);
            }
        }
        self.arrive(flow, 0, &known);
    }

    fn arrive(&mut self, flow: usize, step: usize, known: &Bits) {
        let Some(state) = self.steps[flow].get_mut(step) else {
            return;
        };
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
            let Some(flow) = self.ons_changed.iter().position(|changed| *changed) else {
                return;
            };
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
            if let Some(known) = &mut state {
                self.message_came(known);
                if super::starts::without_message(&on.triggers) {
                    self.without_message(known);
                }
            }
            if let (Some(known), Some(condition)) = (&mut state, &on.condition) {
                self.expr(condition, known, false);
                self.narrow(condition, true, known);
            }
            self.body(&on.body, state);
        }
    }

    /// `on`s and defaults of the business run in any chat.
    fn walk_business(&mut self) {
        let shop = self.shop;
        self.home = Home {
            flow: None,
            step: None,
        };
        if let Some(business) = &shop.tree.business {
            for on in &business.ons {
                let mut known = self.strangers();
                if super::starts::without_message(&on.triggers) {
                    self.without_message(&mut known);
                }
                if let Some(condition) = &on.condition {
                    self.expr(condition, &known.clone(), false);
                    self.narrow(condition, true, &mut known);
                }
                self.body(&on.body, Some(known));
            }
            let defaults = &business.defaults;
            if let Some(line) = &defaults.otherwise {
                self.tail(&line.tail, self.strangers());
            }
            let silent = defaults.no_reply.iter().map(|line| &line.tail);
            for tail in silent.chain(&defaults.problem) {
                let mut known = self.strangers();
                self.without_message(&mut known);
                self.tail(tail, known);
            }
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
        }
        self.walk_business();
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
        self.home
            .flow
            .and_then(|flow| self.layout.own[flow].get(name))
            .copied()
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
                say.or.iter().for_each(|text| self.text(text, &known));
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
                match self
                    .layout
                    .bit(self.home.flow, &path.parts[..path.parts.len().min(2)])
                {
                    Some(bit) => known.set(bit),
                    None => self.learn(path.parts.first().map_or("", String::as_str), &mut known),
                }
                Some(known)
            }
            StmtKind::Remember(remember) => {
                self.used(&remember.value.parts, remember.value.span, &known, Use::Line);
                let field = match &remember.field {
                    Some(field) => field.parts.join("."),
                    None => format!(
                        "contact.{}",
                        remember.value.parts.last().map_or("", String::as_str)
                    ),
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
                self.without_message(&mut known);
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
                self.without_message(&mut known);
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
                if let Some(condition) = handoff
                    .priority
                    .as_ref()
                    .and_then(|priority| priority.condition.as_ref())
                {
                    self.expr(condition, &known, false);
                }
                if let Some(tail) = &handoff.when_closed {
                    self.tail(tail, known.clone());
                }
                self.waits(&mut known);
                self.without_message(&mut known);
                if let Some(text) = &handoff.when_taken {
                    let mut taken = known.clone();
                    taken.set(self.layout.memory["agent.name"]);
                    self.text(text, &taken);
                }
                let later = handoff.no_agent.iter().map(|line| &line.tail);
                for tail in later.chain(&handoff.when_returned) {
                    self.tail(tail, known.clone());
                }
                None
            }
            StmtKind::Notify { text, .. } | StmtKind::Tag { tag: text, .. } => {
                self.text(text, &known);
                Some(known)
            }
            StmtKind::SendFile(file) => {
                self.expr(&file.source, &known, true);
                for text in file.caption.iter().chain(&file.named) {
                    self.text(text, &known);
                }
                Some(known)
            }
            StmtKind::SendPlace(place) => {
                for text in place.name.iter().chain(&place.address) {
                    self.text(text, &known);
                }
                Some(known)
            }
            StmtKind::ForEach(each) => {
                self.expr(&each.list, &known, true);
                let mut inside = known.clone();
                self.learn(&each.name.text, &mut inside);
                // A later round may begin with less: what the lines forget.
                if let Some(end) = self.body(&each.body, Some(inside.clone()))
                    && inside.meet(&end)
                {
                    self.body(&each.body, Some(inside.clone()));
                }
                known.meet(&inside);
                if let Some(bit) = self.own_bit(&each.name.text) {
                    known.clear(bit);
                }
                Some(known)
            }
            StmtKind::Later(plan) => {
                match &plan.due {
                    Due::In(_) => {}
                    Due::At(when) | Due::Before(_, when) | Due::After(_, when) => {
                        self.expr(when, &known, true);
                    }
                }
                // Private answers are not kept for another day. What a flow is given is taken now, and F406 tells of it.
                let given = matches!(plan.to.kind, TargetKind::Flow(..));
                let mut then = known.clone();
                self.waits(&mut then);
                self.without_message(&mut then);
                if !given && let Some(flow) = self.home.flow {
                    for bit in &self.layout.private[flow] {
                        then.clear(*bit);
                    }
                }
                self.go(&plan.to, &then);
                Some(known)
            }
            StmtKind::Record { value, .. } => {
                value.iter().for_each(|value| self.expr(value, &known, true));
                Some(known)
            }
            StmtKind::Split(split) => {
                let mut after = None;
                for way in &split.ways {
                    let end = self.tail(&way.tail, known.clone());
                    after = join(after, end);
                }
                after
            }
            StmtKind::Answer(answer) => self.answer(answer, known),
            StmtKind::Cancel { .. }
            | StmtKind::Subscribe { .. }
            | StmtKind::React(_)
            | StmtKind::Pause(_) => Some(known),
        }
    }

    fn question(&mut self, question: &Question, mut known: Bits) -> State {
        let texts = [
            &question.header,
            &question.footer,
            &question.open,
            &question.again,
        ];
        match &question.prompt {
            Prompt::Says(text) => self.text(text, &known),
            Prompt::Template(asks) => self.args(&asks.args, &known),
        }
        texts
            .into_iter()
            .flatten()
            .for_each(|text| self.text(text, &known));
        for option in &question.options {
            let mut shown = known.clone();
            if let Some(each) = &option.each {
                self.expr(&each.list, &known, true);
                self.learn(&each.name.text, &mut shown);
            }
            if let Some(condition) = &option.condition {
                self.expr(condition, &shown.clone(), false);
                self.narrow(condition, true, &mut shown);
            }
            let texts = std::iter::once(&option.label)
                .chain(&option.hint)
                .chain(&option.section);
            texts.for_each(|text| self.text(text, &shown));
            option
                .value
                .iter()
                .for_each(|value| self.expr(value, &shown, true));
        }
        let labels = question.finish.iter().flat_map(|finish| &finish.on);
        labels
            .chain(&question.more)
            .for_each(|text| self.text(text, &known));
        let mut empty = None;
        if let Some(tail) = &question.none {
            empty = self.tail(tail, known.clone());
        }
        self.at_question(&known);
        self.waits(&mut known);
        self.without_message(&mut known);
        for line in &question.no_reply {
            self.tail(&line.tail, known.clone());
        }
        self.message_came(&mut known);
        for tail in question.otherwise.iter().map(|line| &line.tail) {
            self.tail(tail, known.clone());
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
                || !matches!(question.word, QuestionWord::Ask | QuestionWord::Gather)
                || super::paths::tail_goes_on(&option.then);
            let mut chosen = if kept { answered.clone() } else { known.clone() };
            if let Some(each) = &option.each {
                self.learn(&each.name.text, &mut chosen);
            }
            if let Some(condition) = &option.condition {
                self.narrow(condition, true, &mut chosen);
            }
            let end = self.tail(&option.then, chosen);
            after = join(after, end);
        }
        after = join(after, empty);
        for each in question.options.iter().filter_map(|option| option.each.as_ref()) {
            if let (Some(after), Some(bit)) = (&mut after, self.own_bit(&each.name.text)) {
                after.clear(bit);
            }
        }
        after
    }

    /// The model's replies come by themselves, so no line of it sees a message. What it may remember it need not learn.
    fn answer(&mut self, answer: &Answer, mut known: Bits) -> State {
        self.at_question(&known);
        self.waits(&mut known);
        self.without_message(&mut known);
        for line in &answer.no_reply {
            self.tail(&line.tail, known.clone());
        }
        if let Some(up_to) = &answer.up_to {
            self.go(&up_to.then, &known);
        }
        let mut after = match answer.exit(&AnswerExitKind::Finished) {
            Some(_) => None,
            None => Some(known.clone()),
        };
        for exit in &answer.exits {
            let end = self.tail(&exit.tail, known.clone());
            match exit.kind {
                AnswerExitKind::Finished | AnswerExitKind::Problem => after = join(after, end),
                // Whoever runs off their end goes on talking.
                AnswerExitKind::Topic(_) | AnswerExitKind::NotSure | AnswerExitKind::OffTopic => {}
            }
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
        let aim = self.shop.names.aim(self.home.flow, target);
        match (&target.kind, aim) {
            (TargetKind::Flow(..), Some((flow, _))) => self.enter(flow, known),
            (_, Some((flow, step))) => self.arrive(flow, step, known),
            (_, None) => {}
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
        self.layout
            .forgotten_meanwhile
            .iter()
            .for_each(|bit| known.clear(*bit));
    }
}

/// Where a value is used: decides what can be written instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Text,
    Line,
}

//! What runs without the customer: circles without a question (F203), sub-flows that call each other in a circle
//! (F205), and too many messages in a row (F208).

use super::Shop;
use super::paths::first_line;
use super::walk::branch_bodies;
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::source::Span;
use crate::flow::tree::{Flow, Stmt, StmtKind, Tail, Target, TargetKind, Text};

pub(super) fn check(shop: &Shop, found: &mut Vec<Diagnostic>) {
    calls_in_a_circle(shop, found);
    let steps = Steps::of(shop);
    let mut in_circles = vec![false; steps.of.len()];
    found.extend(steps.circles(shop, &mut in_circles));
    steps.too_many_messages(shop, &in_circles, found);
}

/// Steps of all flows under one number, and how they lead to each other.
struct Steps {
    /// Number of each flow's first step.
    first: Vec<usize>,
    /// By step number.
    of: Vec<(usize, usize)>,
    ways: Vec<Vec<Way>>,
}

/// An arrow (or a call) to another step.
#[derive(Clone, Copy)]
struct Way {
    to: usize,
    at: Span,
    /// Nobody was asked anything since the step began.
    unasked: bool,
    /// Messages since the step began or the last question was answered.
    messages: u32,
    /// `do`, not an arrow.
    call: bool,
}

/// More messages than this in a row are too many.
const IN_A_ROW: u32 = 5;

impl Steps {
    fn of(shop: &Shop) -> Steps {
        let mut steps = Steps {
            first: Vec::with_capacity(shop.tree.flows.len()),
            of: Vec::new(),
            ways: Vec::new(),
        };
        for (index, flow) in shop.tree.flows.iter().enumerate() {
            steps.first.push(steps.of.len());
            steps.of.extend((0..flow.steps.len()).map(|step| (index, step)));
        }
        // Whether a called flow can come back without having asked anything decides what follows the call.
        let mut comes_back = vec![false; shop.tree.flows.len()];
        loop {
            let mut done_unasked = vec![false; steps.of.len()];
            steps.ways = Vec::with_capacity(steps.of.len());
            for (number, (flow, step)) in steps.of.iter().enumerate() {
                let mut walk = Walk {
                    shop,
                    flow: *flow,
                    first: &steps.first,
                    comes_back: &comes_back,
                    ways: Vec::new(),
                    done_unasked: false,
                    sixth: None,
                };
                let start = Some(Here {
                    unasked: true,
                    messages: 0,
                });
                walk.body(&shop.tree.flows[*flow].steps[*step].body, start);
                done_unasked[number] = walk.done_unasked;
                steps.ways.push(walk.ways);
            }
            let again = steps.comes_back(shop, &done_unasked);
            if again == comes_back {
                return steps;
            }
            comes_back = again;
        }
    }

    /// For each called flow: whether `done` can be reached from its first step without a question.
    fn comes_back(&self, shop: &Shop, done_unasked: &[bool]) -> Vec<bool> {
        let flows = &shop.tree.flows;
        (0..flows.len())
            .map(|flow| {
                if !flows[flow].called || flows[flow].steps.is_empty() {
                    return false;
                }
                let mut seen = vec![false; flows[flow].steps.len()];
                let mut next = vec![self.first[flow]];
                while let Some(step) = next.pop() {
                    if std::mem::replace(&mut seen[step - self.first[flow]], true) {
                        continue;
                    }
                    if done_unasked[step] {
                        return true;
                    }
                    // `-> flow x` doesn't come back here.
                    let own = self.ways[step]
                        .iter()
                        .filter(|way| way.unasked && self.of[way.to].0 == flow);
                    next.extend(own.map(|way| way.to));
                }
                false
            })
            .collect()
    }

    /// One diagnostic for each arrow that closes a circle. Marks the steps that are part of one.
    fn circles(&self, shop: &Shop, in_circles: &mut [bool]) -> Vec<Diagnostic> {
        #[derive(Clone, Copy, PartialEq)]
        enum Seen {
            No,
            OnTheWay,
            Done,
        }
        let mut found = Vec::new();
        let mut seen = vec![Seen::No; self.of.len()];
        for start in 0..self.of.len() {
            if seen[start] != Seen::No {
                continue;
            }
            seen[start] = Seen::OnTheWay;
            // Steps on the way here, each with the next of its ways to try.
            let mut path: Vec<(usize, usize)> = vec![(start, 0)];
            while let Some((step, next)) = path.last_mut() {
                let step = *step;
                let Some(way) = self.ways[step].get(*next).copied() else {
                    seen[step] = Seen::Done;
                    path.pop();
                    continue;
                };
                *next += 1;
                if !way.unasked {
                    continue;
                }
                match seen[way.to] {
                    Seen::Done => {}
                    Seen::No => {
                        seen[way.to] = Seen::OnTheWay;
                        path.push((way.to, 0));
                    }
                    Seen::OnTheWay => {
                        let from = path.iter().position(|(step, _)| *step == way.to).unwrap_or(0);
                        let arrows: Vec<Way> = path[from..]
                            .iter()
                            .map(|(step, next)| self.ways[*step][*next - 1])
                            .collect();
                        let members: Vec<usize> = path[from..].iter().map(|(step, _)| *step).collect();
                        members.iter().for_each(|step| in_circles[*step] = true);
                        // Calls alone are F205.
                        if arrows.iter().any(|way| !way.call) {
                            found.push(self.circle(shop, &arrows, &members));
                        }
                    }
                }
            }
        }
        found
    }

    fn circle(&self, shop: &Shop, arrows: &[Way], members: &[usize]) -> Diagnostic {
        let Some((closing, before)) = arrows.split_last() else {
            unreachable!("a circle has at least the arrow that closes it")
        };
        let words = |step: usize| {
            let (flow, step) = self.of[step];
            &shop.tree.flows[flow].steps[step].name
        };
        let back_to = words(closing.to);
        let mut diagnostic = Diagnostic::new(
            Code::F203,
            closing.at,
            "this would go round without ever asking anything",
            format!("leads back to step {}", back_to.words),
        )
        .label(
            back_to.span,
            if before.is_empty() {
                "nothing is asked from here on …"
            } else {
                "from here …"
            },
        );
        for way in before.iter().filter(|way| way.at.file == closing.at.file).take(4) {
            diagnostic = diagnostic.label(way.at, "… on to here …");
        }
        let (mut calls, mut says) = (None, false);
        for member in members {
            let (flow, step) = self.of[*member];
            super::walk::in_body(
                &shop.tree.flows[flow].steps[step].body,
                &mut |stmt| match &stmt.kind {
                    StmtKind::Fetch(fetch) => {
                        calls = calls.take().or_else(|| Some(fetch.action.parts.join(".")));
                        says |= fetch.outcomes.iter().any(|outcome| outcome.tail.say.is_some());
                    }
                    StmtKind::Say(_)
                    | StmtKind::SendTemplate { .. }
                    | StmtKind::SendFile(_)
                    | StmtKind::SendPlace(_) => says = true,
                    _ => {}
                },
            );
        }
        let what = match (calls, says) {
            (Some(action), true) => {
                format!("{action} would be called and the same sentence sent again and again.")
            }
            (Some(action), false) => {
                format!("{action} would be called again and again, and the customer hears nothing.")
            }
            (None, true) => "The customer would be sent the same message again and again.".to_owned(),
            (None, false) => "The bot would be busy with itself, and the customer hears nothing.".to_owned(),
        };
        let (flow, _) = self.of[closing.to];
        let asking = shop.tree.flows[flow].steps.iter().find(|step| {
            matches!(
                step.body.first().map(|stmt| &stmt.kind),
                Some(StmtKind::Question(_))
            )
        });
        let advice = match asking {
            Some(step) => format!("Go to a question first, for example  -> {}", step.name.words),
            None => "Ask the customer something on the way, or end with  done".to_owned(),
        };
        diagnostic.note(format!("{what}\n{advice}"))
    }

    fn too_many_messages(&self, shop: &Shop, in_circles: &[bool], found: &mut Vec<Diagnostic>) {
        // In a circle, and behind it, every message is one of endlessly many: that was said once.
        let mut endless = in_circles.to_vec();
        let mut next: Vec<usize> = (0..endless.len()).filter(|step| endless[*step]).collect();
        while let Some(step) = next.pop() {
            for way in self.ways[step].iter().filter(|way| way.unasked) {
                if !std::mem::replace(&mut endless[way.to], true) {
                    next.push(way.to);
                }
            }
        }
        // Most messages that can have been sent in a row when a step begins. Without circles this settles.
        let mut before = vec![0u32; self.of.len()];
        let mut changed: Vec<usize> = (0..self.of.len()).collect();
        while let Some(step) = changed.pop() {
            for way in self.ways[step].iter().filter(|way| !endless[way.to]) {
                let sent = if way.unasked {
                    before[step] + way.messages
                } else {
                    way.messages
                };
                let sent = sent.min(IN_A_ROW + 1);
                if sent > before[way.to] {
                    before[way.to] = sent;
                    changed.push(way.to);
                }
            }
        }
        let comes_back = vec![false; shop.tree.flows.len()];
        for (number, (flow, step)) in self.of.iter().enumerate().filter(|(number, _)| !endless[*number]) {
            let mut walk = Walk {
                shop,
                flow: *flow,
                first: &self.first,
                comes_back: &comes_back,
                ways: Vec::new(),
                done_unasked: false,
                sixth: None,
            };
            let start = Some(Here {
                unasked: true,
                messages: before[number],
            });
            walk.body(&shop.tree.flows[*flow].steps[*step].body, start);
            if let Some(span) = walk.sixth {
                found.push(
                    Diagnostic::new(
                        Code::F208,
                        first_line(shop, span),
                        "more than five messages in a row",
                        "by now the customer has got five messages without a question",
                    )
                    .note("Long runs scroll past unread. Join some of them into one message, or ask in between\nwhether to go on."),
                );
            }
        }
    }
}

/// The state of the walk at one point of a step.
#[derive(Clone, Copy)]
struct Here {
    unasked: bool,
    messages: u32,
}

impl Here {
    fn most(self, other: Option<Here>) -> Here {
        other.map_or(self, |other| Here {
            unasked: self.unasked || other.unasked,
            messages: self.messages.max(other.messages),
        })
    }
}

/// Both points lead on from the same place.
fn join(one: Option<Here>, other: Option<Here>) -> Option<Here> {
    one.map(|here| here.most(other)).or(other)
}

/// Goes through one step's lines and notes the ways out.
struct Walk<'w, 't> {
    shop: &'w Shop<'t>,
    flow: usize,
    first: &'w [usize],
    comes_back: &'w [bool],
    ways: Vec<Way>,
    done_unasked: bool,
    /// The message that is one too many.
    sixth: Option<Span>,
}

impl Walk<'_, '_> {
    /// `None`: this point is never reached.
    fn body(&mut self, body: &[Stmt], mut here: Option<Here>) -> Option<Here> {
        for stmt in body {
            here = self.stmt(stmt, here?);
        }
        here
    }

    fn stmt(&mut self, stmt: &Stmt, here: Here) -> Option<Here> {
        match &stmt.kind {
            StmtKind::Say(_)
            | StmtKind::SendTemplate { .. }
            | StmtKind::SendFile(_)
            | StmtKind::SendPlace(_) => Some(self.message(stmt.span, here)),
            // A list counts once: how long it is nobody knows before.
            StmtKind::ForEach(each) => Some(here.most(self.body(&each.body, Some(here)))),
            StmtKind::Split(split) => {
                let mut after = None;
                for way in &split.ways {
                    after = join(after, self.tail(&way.tail, here));
                }
                after
            }
            // It runs on another day, so nothing goes round.
            StmtKind::Later(plan) => {
                let asked = Here {
                    unasked: false,
                    messages: 0,
                };
                self.go(&plan.to, asked);
                Some(here)
            }
            StmtKind::Set { .. }
            | StmtKind::Remember(_)
            | StmtKind::Forget { .. }
            | StmtKind::Notify { .. }
            | StmtKind::Cancel { .. }
            | StmtKind::Record { .. }
            | StmtKind::Tag { .. }
            | StmtKind::Subscribe { .. }
            | StmtKind::React(_)
            | StmtKind::Pause(_) => Some(here),
            StmtKind::Question(question) => {
                let asked = Here {
                    unasked: false,
                    messages: 0,
                };
                let mut after = super::paths::takes_typed_answers(question).then_some(asked);
                for option in &question.options {
                    after = join(after, self.tail(&option.then, asked));
                }
                if let Some(tail) = &question.none {
                    after = join(after, self.tail(tail, here));
                }
                if let Some(line) = &question.otherwise {
                    self.tail(&line.tail, asked);
                }
                for line in &question.no_reply {
                    self.tail(&line.tail, asked);
                }
                after
            }
            StmtKind::If(branches) => {
                let mut after = branches.otherwise.is_none().then_some(here);
                for body in branch_bodies(branches) {
                    after = join(after, self.body(body, Some(here)));
                }
                after
            }
            StmtKind::Fetch(fetch) => {
                let mut after = Some(here);
                for outcome in &fetch.outcomes {
                    after = join(after, self.tail(&outcome.tail, here));
                }
                after
            }
            StmtKind::Go(target) => {
                self.go(target, here);
                None
            }
            StmtKind::Do(call) => {
                let flow = self.shop.names.flow_index(&call.flow)?;
                self.way(self.first[flow], call.flow.span, here, flow, true);
                Some(if self.comes_back[flow] {
                    here
                } else {
                    Here {
                        unasked: false,
                        messages: 0,
                    }
                })
            }
            // The customer is answered, and answers again.
            StmtKind::Answer(answer) => {
                let asked = Here {
                    unasked: false,
                    messages: 0,
                };
                for target in answer.up_to.iter().map(|up_to| &up_to.then) {
                    self.go(target, asked);
                }
                for tail in super::walk::answer_tails(answer) {
                    self.tail(tail, asked);
                }
                Some(asked)
            }
            StmtKind::Done { .. } => {
                self.done_unasked |= here.unasked;
                None
            }
            StmtKind::Close { say } => {
                if let Some(text) = say {
                    self.message(text.span, here);
                }
                None
            }
            StmtKind::Resume => None,
            StmtKind::Handoff(handoff) => {
                if let Some(tail) = &handoff.when_closed {
                    self.tail(tail, here);
                }
                // The others run after people had the chat: a wait as good as a question's.
                let waited = Here {
                    unasked: false,
                    messages: 0,
                };
                let later = handoff.no_agent.iter().map(|line| &line.tail);
                for tail in later.chain(&handoff.when_returned) {
                    self.tail(tail, waited);
                }
                None
            }
        }
    }

    fn tail(&mut self, tail: &Tail, mut here: Here) -> Option<Here> {
        if let Some(Text { span, .. }) = &tail.say {
            here = self.message(*span, here);
        }
        if let Some(target) = &tail.go {
            self.go(target, here);
            return None;
        }
        self.body(&tail.body, Some(here))
    }

    fn message(&mut self, at: Span, mut here: Here) -> Here {
        here.messages += 1;
        if here.messages == IN_A_ROW + 1 && self.sixth.is_none() {
            self.sixth = Some(at);
        }
        here
    }

    fn go(&mut self, target: &Target, here: Here) {
        match &target.kind {
            TargetKind::Step(name) => {
                if let Some(step) = self.shop.names.step_index(self.flow, name) {
                    self.way(self.first[self.flow] + step, target.span, here, self.flow, false);
                }
            }
            TargetKind::Flow(name, _) => {
                if let Some(flow) = self.shop.names.flow_index(name) {
                    self.way(self.first[flow], target.span, here, flow, false);
                }
            }
            TargetKind::Start => self.way(self.first[self.flow], target.span, here, self.flow, false),
            TargetKind::Done(_) => self.done_unasked |= here.unasked,
            TargetKind::Again
            | TargetKind::Resume
            | TargetKind::Back
            | TargetKind::Close
            | TargetKind::Handoff(_) => {}
        }
    }

    fn way(&mut self, to: usize, at: Span, here: Here, flow: usize, call: bool) {
        // A flow without steps has no first one.
        if self.shop.tree.flows[flow].steps.is_empty() {
            return;
        }
        self.ways.push(Way {
            to,
            at,
            unasked: here.unasked,
            messages: here.messages,
            call,
        });
    }
}

// ───────── F205 ─────────

fn calls_in_a_circle(shop: &Shop, found: &mut Vec<Diagnostic>) {
    let flows = &shop.tree.flows;
    let calls: Vec<Vec<(usize, Span)>> = flows.iter().map(|flow| calls_of(shop, flow)).collect();
    // 0: not seen, 1: on the way, 2: done.
    let mut seen = vec![0u8; flows.len()];
    for start in 0..flows.len() {
        if seen[start] != 0 {
            continue;
        }
        seen[start] = 1;
        let mut path = vec![(start, 0usize)];
        while let Some((flow, next)) = path.last_mut() {
            let flow = *flow;
            let Some((to, at)) = calls[flow].get(*next).copied() else {
                seen[flow] = 2;
                path.pop();
                continue;
            };
            *next += 1;
            match seen[to] {
                0 => {
                    seen[to] = 1;
                    path.push((to, 0));
                }
                1 => {
                    let from = path.iter().position(|(flow, _)| *flow == to).unwrap_or(0);
                    let names: Vec<&str> = path[from..]
                        .iter()
                        .map(|(flow, _)| flows[*flow].name.words.as_str())
                        .collect();
                    let message = if to == flow {
                        "this flow calls itself"
                    } else {
                        "these flows call each other in a circle"
                    };
                    found.push(
                        Diagnostic::new(Code::F205, at, message, format!("calls {} again", flows[to].name.words)).note(
                            format!(
                                "{} → {}: the chat would go deeper and deeper and never come back to where it was.\nLead there with an arrow instead, which doesn't come back:  -> flow {}",
                                names.join(" → "),
                                flows[to].name.words,
                                flows[to].name.words
                            ),
                        ),
                    );
                }
                _ => {}
            }
        }
    }
}

fn calls_of(shop: &Shop, flow: &Flow) -> Vec<(usize, Span)> {
    let mut calls = Vec::new();
    let bodies = flow
        .steps
        .iter()
        .map(|step| &step.body)
        .chain(flow.ons.iter().map(|on| &on.body));
    for body in bodies {
        super::walk::in_body(body, &mut |stmt| {
            if let StmtKind::Do(call) = &stmt.kind
                && let Some(index) = shop.names.flow_index(&call.flow)
            {
                calls.push((index, call.flow.span));
            }
        });
    }
    calls
}

//! Messages that would be sent when WhatsApp's 24-hour window may be closed (F310): after a plan for another day, and
//! after a day of silence. Only approved templates may leave then, until the customer has written again.

use std::collections::HashSet;
use std::time::Duration;

use super::Shop;
use super::paths::first_line;
use super::walk::{self, Home};
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::source::Span;
use crate::flow::tree::{Due, NoReply, Stmt, StmtKind, Tail, Target, TargetKind, Trigger, TriggerKind};

const WINDOW: Duration = Duration::from_secs(24 * 3600);

pub(super) fn check(shop: &Shop, found: &mut Vec<Diagnostic>) {
    walk::statements(shop.tree, |home, stmt| match &stmt.kind {
        StmtKind::Later(plan) => {
            let soon = matches!(&plan.due, Due::In(after) if *after < WINDOW);
            if !soon {
                let mut way = Way::new(shop, home);
                way.target(&plan.to);
                found.extend(way.first.map(|at| told(shop, stmt.span, at, "by then")));
            }
        }
        StmtKind::Question(question) => {
            for line in &question.no_reply {
                silence(shop, home, line, found);
            }
        }
        StmtKind::Handoff(handoff) => {
            for line in &handoff.no_agent {
                silence(shop, home, line, found);
            }
        }
        StmtKind::Answer(answer) => {
            for line in &answer.no_reply {
                silence(shop, home, line, found);
            }
        }
        _ => {}
    });
    for (index, flow) in shop.tree.flows.iter().enumerate() {
        let triggers = flow.starts.iter().flat_map(|starts| &starts.triggers);
        let event = |trigger: &&Trigger| matches!(trigger.kind, TriggerKind::Event(_));
        for trigger in triggers.filter(event) {
            let home = Home {
                flow: Some(index),
                step: Some(0),
            };
            let mut way = Way::new(shop, home);
            way.step(index, 0);
            let told = |at| told(shop, trigger.span, at, "when this happens");
            found.extend(way.first.map(told));
        }
    }
    let home = Home {
        flow: None,
        step: None,
    };
    if let Some(business) = &shop.tree.business {
        let lines = &business.defaults.no_reply;
        for line in lines {
            silence(shop, home, line, found);
        }
    }
}

/// A line that runs after some time without the customer.
fn silence(shop: &Shop, home: Home, line: &NoReply, found: &mut Vec<Diagnostic>) {
    if line.after < WINDOW {
        return;
    }
    let mut way = Way::new(shop, home);
    way.tail(&line.tail);
    found.extend(
        way.first
            .map(|at| told(shop, line.span, at, "after such a silence")),
    );
}

fn told(shop: &Shop, plan: Span, message: Span, when: &str) -> Diagnostic {
    let names: Vec<&str> = shop
        .tree
        .business
        .iter()
        .flat_map(|business| {
            business
                .templates
                .iter()
                .map(|template| template.name.text.as_str())
        })
        .take(8)
        .collect();
    let have = if names.is_empty() {
        "Declare one under `template` in the business file.".to_owned()
    } else {
        format!("You have: {}.", names.join(", "))
    };
    let diagnostic = Diagnostic::new(
        Code::F310,
        first_line(shop, plan),
        "the customer can't be sent this then",
        format!("{when} the 24-hour window may have closed …"),
    );
    let message = first_line(shop, message);
    let label = "… so this would be refused: only an approved template can be sent";
    diagnostic.label(message, label).note(format!(
        "The customer would never see it. Begin with  send template …  or ask with  menu template …  and say more once they have answered.\n{have}"
    ))
}

/// The way from a place up to the customer's next message.
struct Way<'w, 't> {
    shop: &'w Shop<'t>,
    home: Home,
    seen: HashSet<(usize, usize)>,
    /// The first message on it that isn't a template.
    first: Option<Span>,
}

impl<'w, 't> Way<'w, 't> {
    fn new(shop: &'w Shop<'t>, home: Home) -> Way<'w, 't> {
        Way {
            shop,
            home,
            seen: HashSet::new(),
            first: None,
        }
    }

    fn says(&mut self, at: Span) {
        self.first.get_or_insert(at);
    }

    fn target(&mut self, target: &Target) {
        let asks_again = matches!(
            target.kind,
            TargetKind::Again | TargetKind::Resume | TargetKind::Back
        );
        if asks_again {
            self.says(target.span);
        }
        if let Some((flow, step)) = self.shop.names.aim(self.home.flow, target) {
            self.step(flow, step);
        }
    }

    fn step(&mut self, flow: usize, step: usize) {
        if let Some(body) = self.shop.tree.flows[flow].steps.get(step)
            && self.seen.insert((flow, step))
        {
            let before = self.home;
            self.home = Home {
                flow: Some(flow),
                step: Some(step),
            };
            self.body(&body.body);
            self.home = before;
        }
    }

    fn tail(&mut self, tail: &Tail) {
        tail.say.iter().for_each(|text| self.says(text.span));
        self.body(&tail.body);
        tail.go.iter().for_each(|target| self.target(target));
    }

    /// `false`: what follows comes after the customer has written, or never.
    fn body(&mut self, body: &[Stmt]) -> bool {
        body.iter().all(|stmt| self.first.is_none() && self.stmt(stmt))
    }

    fn stmt(&mut self, stmt: &Stmt) -> bool {
        match &stmt.kind {
            StmtKind::Say(_) | StmtKind::SendFile(_) | StmtKind::SendPlace(_) | StmtKind::React(_) => {
                self.says(stmt.span);
                false
            }
            StmtKind::Answer(_) => {
                self.says(stmt.span);
                false
            }
            StmtKind::Question(question) => {
                if question.by_template().is_none() {
                    self.says(stmt.span);
                }
                // Silence comes before the customer has answered it.
                question.no_reply.iter().for_each(|line| self.tail(&line.tail));
                false
            }
            StmtKind::If(branches) => {
                let mut goes_on = branches.otherwise.is_none();
                for body in walk::branch_bodies(branches) {
                    goes_on |= self.body(body);
                }
                goes_on
            }
            StmtKind::ForEach(each) => {
                self.body(&each.body);
                true
            }
            StmtKind::Split(_) | StmtKind::Fetch(_) => {
                walk::tails(stmt).into_iter().for_each(|tail| self.tail(tail));
                super::paths::body_goes_on(std::slice::from_ref(stmt))
            }
            StmtKind::Go(target) => {
                self.target(target);
                false
            }
            StmtKind::Close { say } => {
                say.iter().for_each(|text| self.says(text.span));
                false
            }
            StmtKind::Resume => {
                self.says(stmt.span);
                false
            }
            // What a called flow does first is looked at where it is called from day to day.
            StmtKind::Do(_) | StmtKind::Handoff(_) | StmtKind::Done { .. } => false,
            StmtKind::Set { .. }
            | StmtKind::Remember(_)
            | StmtKind::Forget { .. }
            | StmtKind::SendTemplate { .. }
            | StmtKind::Notify { .. }
            | StmtKind::Later(_)
            | StmtKind::Cancel { .. }
            | StmtKind::Record { .. }
            | StmtKind::Tag { .. }
            | StmtKind::Subscribe { .. }
            | StmtKind::Pause(_) => true,
        }
    }
}

//! Promotions: sent only to those who asked for them (F311), and with a way to end them (F312).

use std::collections::HashSet;

use super::Shop;
use super::paths::{first_line, takes_typed_answers};
use super::walk::{self, Home};
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::source::Span;
use crate::flow::tree::{Flow, Stmt, StmtKind, Tail, Target, TargetKind, Template};

pub(super) fn check(shop: &Shop, found: &mut Vec<Diagnostic>) {
    let mut templates = shop.tree.business.iter().flat_map(|business| &business.templates);
    if !templates.any(promotes) {
        return;
    }
    let mut promoting: Vec<Option<Span>> = vec![None; shop.tree.flows.len()];
    walk::statements(shop.tree, |home, stmt| {
        if let (Some(flow), true) = (home.flow, is_promotion(shop, stmt)) {
            promoting[flow].get_or_insert(stmt.span);
        }
    });
    let everywhere = Home {
        flow: None,
        step: None,
    };
    let mut ways = Ways {
        shop,
        seen: HashSet::new(),
        unasked: Vec::new(),
    };
    for (index, flow) in shop.tree.flows.iter().enumerate() {
        let begins = !flow.starts.is_empty() || is_front_door(shop, flow, index);
        if begins {
            ways.step(index, 0);
        }
        let home = Home {
            flow: Some(index),
            step: None,
        };
        flow.ons.iter().for_each(|on| {
            ways.body(home, &on.body);
        });
    }
    if let Some(business) = &shop.tree.business {
        business.ons.iter().for_each(|on| {
            ways.body(everywhere, &on.body);
        });
    }
    ways.unasked.sort_unstable_by_key(|span| (span.file, span.start));
    ways.unasked.dedup();
    found.extend(ways.unasked.iter().map(|at| unasked(shop, *at)));
    for (index, first) in promoting.iter().enumerate() {
        if let Some(first) = first.filter(|_| !can_end(shop, index)) {
            found.push(no_end(shop, first));
        }
    }
}

fn unasked(shop: &Shop, at: Span) -> Diagnostic {
    Diagnostic::new(
        Code::F311,
        first_line(shop, at),
        "this promotion may go to somebody who didn't ask for it",
        "there is a way to this line without `subscribe`",
    )
    .note("Consumer law and WhatsApp want consent before marketing; people who didn't give it block the number.\nAsk first, and write  subscribe to LIST  on the way here.")
}

fn no_end(shop: &Shop, at: Span) -> Diagnostic {
    Diagnostic::new(
        Code::F312,
        first_line(shop, at),
        "nothing in this flow ends these promotions",
        "a promotion is sent here, and no `unsubscribe` can be reached",
    )
    .note("Customers can always write STOP, and then hear nothing at all any more. Give them a smaller way out, for example\n  \"No more offers\"  with  unsubscribe from LIST  under it, or  on \"no offers\"  in this flow or the business file.")
}

fn is_front_door(shop: &Shop, flow: &Flow, index: usize) -> bool {
    let business = shop.tree.business.as_ref();
    let named = business.and_then(|business| business.front_door.as_ref());
    named.map_or(index == 0, |named| named.slug == flow.name.slug) && !flow.called
}

/// Of the category `marketing`.
fn promotes(template: &Template) -> bool {
    template.category.text == "marketing"
}

fn is_promotion(shop: &Shop, stmt: &Stmt) -> bool {
    let template = sent_template(stmt).and_then(|name| shop.names.template(name));
    template.is_some_and(promotes)
}

fn sent_template(stmt: &Stmt) -> Option<&str> {
    match &stmt.kind {
        StmtKind::SendTemplate { template, .. } => Some(&template.text),
        StmtKind::Question(question) => question.by_template().map(|by| by.template.text.as_str()),
        _ => None,
    }
}

/// Ways through the business on which nobody has subscribed yet.
struct Ways<'w, 't> {
    shop: &'w Shop<'t>,
    seen: HashSet<(usize, usize)>,
    unasked: Vec<Span>,
}

impl Ways<'_, '_> {
    fn step(&mut self, flow: usize, step: usize) {
        let Some(body) = self.shop.tree.flows[flow].steps.get(step).map(|step| &step.body) else {
            return;
        };
        if self.seen.insert((flow, step)) {
            let home = Home {
                flow: Some(flow),
                step: Some(step),
            };
            self.body(home, body);
        }
    }

    /// True if it can be left at its end without having subscribed.
    fn body(&mut self, home: Home, body: &[Stmt]) -> bool {
        body.iter().all(|stmt| self.stmt(home, stmt))
    }

    fn stmt(&mut self, home: Home, stmt: &Stmt) -> bool {
        if is_promotion(self.shop, stmt) {
            self.unasked.push(stmt.span);
        }
        match &stmt.kind {
            StmtKind::Subscribe { on: true, .. } => false,
            StmtKind::Go(target) => {
                self.target(home, target);
                false
            }
            StmtKind::Later(plan) => {
                self.target(home, &plan.to);
                true
            }
            StmtKind::Done { .. } | StmtKind::Close { .. } | StmtKind::Resume => false,
            StmtKind::If(branches) => {
                let mut through = branches.otherwise.is_none();
                for body in walk::branch_bodies(branches) {
                    through |= self.body(home, body);
                }
                through
            }
            StmtKind::Do(call) => match self.shop.names.flow_index(&call.flow) {
                Some(flow) => {
                    self.step(flow, 0);
                    !subscribes(&self.shop.tree.flows[flow])
                }
                None => true,
            },
            StmtKind::ForEach(each) => {
                self.body(home, &each.body);
                true
            }
            StmtKind::Question(question) => {
                let mut through = takes_typed_answers(question);
                for option in &question.options {
                    through |= self.tail(home, &option.then);
                }
                for tail in walk::question_tails(question) {
                    self.tail(home, tail);
                }
                through
            }
            StmtKind::Split(split) => {
                let mut through = false;
                for way in &split.ways {
                    through |= self.tail(home, &way.tail);
                }
                through
            }
            StmtKind::Handoff(_) => {
                for tail in walk::tails(stmt) {
                    self.tail(home, tail);
                }
                false
            }
            _ => {
                for tail in walk::tails(stmt) {
                    self.tail(home, tail);
                }
                true
            }
        }
    }

    /// True if the line goes on behind its block without having subscribed.
    fn tail(&mut self, home: Home, tail: &Tail) -> bool {
        let through = self.body(home, &tail.body);
        match &tail.go {
            Some(target) if through => {
                self.target(home, target);
                false
            }
            Some(_) => false,
            None => through,
        }
    }

    fn target(&mut self, home: Home, target: &Target) {
        if let Some((flow, step)) = self.shop.names.aim(home.flow, target) {
            self.step(flow, step);
        }
    }
}

fn subscribes(flow: &Flow) -> bool {
    holds(flow, &|stmt| {
        matches!(stmt.kind, StmtKind::Subscribe { on: true, .. })
    })
}

/// The lines of its steps and of its `on`s.
fn bodies(flow: &Flow) -> impl Iterator<Item = &Vec<Stmt>> {
    let steps = flow.steps.iter().map(|step| &step.body);
    steps.chain(flow.ons.iter().map(|on| &on.body))
}

fn holds(flow: &Flow, wanted: &dyn Fn(&Stmt) -> bool) -> bool {
    let mut found = false;
    for body in bodies(flow) {
        walk::in_body(body, &mut |stmt| found |= wanted(stmt));
    }
    found
}

/// Whether `unsubscribe` can be reached from a flow: in it, in flows it leads to, or everywhere.
fn can_end(shop: &Shop, flow: usize) -> bool {
    let ends = |stmt: &Stmt| matches!(stmt.kind, StmtKind::Subscribe { on: false, .. });
    let mut seen = HashSet::from([flow]);
    let mut open = vec![flow];
    if let Some(business) = &shop.tree.business {
        let mut found = false;
        for on in &business.ons {
            walk::in_body(&on.body, &mut |stmt| {
                found |= ends(stmt);
                lead_on(shop, stmt, &mut seen, &mut open);
            });
        }
        if found {
            return true;
        }
    }
    while let Some(flow) = open.pop() {
        let flow = &shop.tree.flows[flow];
        if holds(flow, &ends) {
            return true;
        }
        for body in bodies(flow) {
            walk::in_body(body, &mut |stmt| lead_on(shop, stmt, &mut seen, &mut open));
        }
    }
    false
}

fn lead_on(shop: &Shop, stmt: &Stmt, seen: &mut HashSet<usize>, open: &mut Vec<usize>) {
    let called = match &stmt.kind {
        StmtKind::Do(call) => Some(&call.flow),
        _ => None,
    };
    let arrows = walk::arrows(stmt);
    let led = arrows.iter().filter_map(|target| match &target.kind {
        TargetKind::Flow(name, _) => Some(name),
        _ => None,
    });
    for name in led.chain(called) {
        if let Some(flow) = shop.names.flow_index(name)
            && seen.insert(flow)
        {
            open.push(flow);
        }
    }
}

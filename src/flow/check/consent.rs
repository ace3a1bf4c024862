//! Promotions: sent only to those who asked for them (F311), and with a way to end them (F312).

use std::collections::HashSet;

use super::Shop;
use super::paths::{first_line, takes_typed_answers};
use super::walk::{self, Home};
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::source::Span;
use crate::flow::tree::{
    BinaryOp, Expr, ExprKind, Flow, Kind, On, Path, Stmt, StmtKind, Tail, Target, TargetKind, Template,
};

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
        consents: consents(shop),
        seen: HashSet::new(),
        unasked: Vec::new(),
    };
    for (index, flow) in shop.tree.flows.iter().enumerate() {
        let asked = |condition: Option<&Expr>| condition.is_some_and(|one| ways.means(one) == Some(true));
        let starts = flow.starts.iter().any(|starts| !asked(starts.condition.as_ref()));
        if starts || is_front_door(shop, flow, index) {
            ways.step(index, 0);
        }
        let home = Home {
            flow: Some(index),
            step: None,
        };
        flow.ons.iter().for_each(|on| ways.on(home, on));
    }
    if let Some(business) = &shop.tree.business {
        business.ons.iter().for_each(|on| ways.on(everywhere, on));
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
    .note("Consumer law and WhatsApp want consent before marketing; people who didn't give it block the number.\nAsk first, and write  subscribe to LIST  on the way here. Consent of an earlier chat counts by a field of memory:\nset contact.wants_offers = yes  beside `subscribe`, and here  if contact.wants_offers.")
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
    /// Fields of memory that say that somebody subscribed: see [`consents`].
    consents: HashSet<&'t str>,
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

    fn on(&mut self, home: Home, on: &On) {
        let condition = on.condition.as_ref();
        if condition.is_none_or(|condition| self.means(condition) != Some(true)) {
            self.body(home, &on.body);
        }
    }

    /// What a condition says of an earlier consent: it holds only with it (`Some(true)`), or only without it.
    fn means(&self, condition: &Expr) -> Option<bool> {
        match &condition.kind {
            ExprKind::Path(path) => self.is_consent(path).then_some(true),
            ExprKind::Not(inner) => self.means(inner).map(|means| !means),
            ExprKind::Binary { op, left, right } => {
                let yes = match right.kind {
                    ExprKind::YesNo(yes) => Some(yes),
                    _ => None,
                };
                match (op, yes) {
                    (BinaryOp::Is, Some(yes)) => self.means(left).map(|means| means == yes),
                    (BinaryOp::IsNot, Some(yes)) => self.means(left).map(|means| means != yes),
                    (BinaryOp::And, _) => {
                        let both = [self.means(left), self.means(right)];
                        both.contains(&Some(true)).then_some(true)
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn is_consent(&self, path: &Path) -> bool {
        matches!(path.parts.as_slice(), [root, field] if root == "contact" && self.consents.contains(field.as_str()))
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
                let mut through = false;
                for branch in &branches.branches {
                    match self.means(&branch.condition) {
                        // Whoever comes here has subscribed.
                        Some(true) => {}
                        // And whoever comes past here, too.
                        Some(false) => return self.body(home, &branch.body) || through,
                        None => through |= self.body(home, &branch.body),
                    }
                }
                match &branches.otherwise {
                    Some(body) => self.body(home, body) || through,
                    None => true,
                }
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

/// Fields of memory that say that somebody subscribed, in whatever chat that was: declared `yes or no = no`, so that it is
/// always known; set to yes only where `subscribe` stands beside it, and to no or forgotten wherever `unsubscribe` stands. What a
/// customer answered, or a model remembers, is no consent by itself.
fn consents<'t>(shop: &Shop<'t>) -> HashSet<&'t str> {
    let declared = shop.tree.business.iter().flat_map(|business| &business.memory);
    let yes_or_no = declared.filter(|field| {
        let no = |default: &Expr| matches!(default.kind, ExprKind::YesNo(false));
        field.kind == Kind::YesNo && field.default.as_ref().is_some_and(no)
    });
    let fields: Vec<&str> = yes_or_no
        .filter_map(|field| match field.path.parts.as_slice() {
            [root, name] if root == "contact" => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let mut bodies: Vec<&[Stmt]> = Vec::new();
    let steps = shop.tree.flows.iter().flat_map(bodies_of);
    let ons = shop.tree.business.iter().flat_map(|business| &business.ons);
    let tails = walk::default_tails(shop.tree).map(|tail| &tail.body);
    for body in steps.chain(ons.map(|on| &on.body)).chain(tails) {
        bodies.push(body);
        walk::in_body(body, &mut |stmt| bodies.extend(walk::bodies(stmt)));
    }
    let is_consent = |field: &&str| {
        let field = *field;
        let mut given = false;
        let holds = bodies.iter().all(|body| {
            let beside = |on| {
                let same = |stmt: &&Stmt| matches!(stmt.kind, StmtKind::Subscribe { on: is, .. } if is == on);
                body.iter().any(|stmt| same(&stmt))
            };
            let mut ended = false;
            let fits = body.iter().all(|stmt| match write(stmt, field) {
                Write::None => true,
                Write::Yes => {
                    given = true;
                    beside(true)
                }
                Write::No => {
                    ended = true;
                    true
                }
                Write::Anything => false,
            });
            fits && (ended || !beside(false))
        });
        holds && given
    };
    fields.into_iter().filter(is_consent).collect()
}

/// What a statement writes into a field of memory.
enum Write {
    None,
    Yes,
    No,
    Anything,
}

fn write(stmt: &Stmt, field: &str) -> Write {
    let is =
        |path: &Path| matches!(path.parts.as_slice(), [root, name] if root == "contact" && name == field);
    match &stmt.kind {
        StmtKind::Set { path, value } if is(path) => match value.kind {
            ExprKind::YesNo(true) => Write::Yes,
            ExprKind::YesNo(false) => Write::No,
            _ => Write::Anything,
        },
        StmtKind::Remember(remember) => match &remember.field {
            Some(path) if is(path) => Write::Anything,
            Some(_) => Write::None,
            None if remember.value.parts.last().is_some_and(|name| name == field) => Write::Anything,
            None => Write::None,
        },
        StmtKind::Forget { fields } if fields.iter().any(is) => Write::No,
        StmtKind::Answer(answer) if answer.remembers.iter().any(is) => Write::Anything,
        _ => Write::None,
    }
}

fn subscribes(flow: &Flow) -> bool {
    holds(flow, &|stmt| {
        matches!(stmt.kind, StmtKind::Subscribe { on: true, .. })
    })
}

/// The lines of its steps and of its `on`s.
fn bodies_of(flow: &Flow) -> impl Iterator<Item = &Vec<Stmt>> {
    let steps = flow.steps.iter().map(|step| &step.body);
    steps.chain(flow.ons.iter().map(|on| &on.body))
}

fn holds(flow: &Flow, wanted: &dyn Fn(&Stmt) -> bool) -> bool {
    let mut found = false;
    for body in bodies_of(flow) {
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
        for body in bodies_of(flow) {
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

#[cfg(test)]
mod tests {
    use crate::flow::compile::compile;
    use crate::flow::diagnostic::Code;
    use crate::flow::source::Sources;

    const BUSINESS: &str = "business \"Shoes\"\nstarts with offers\n\nteam support \"Care\"\n\nmemory\n  contact.wants_offers: yes or no = no\nend\n\ntemplate sale marketing\n  en \"There is a sale.\"\nend\n\non \"agent\" -> handoff to support\n";
    const OFFERS: &str = "flow offers\nstarts on \"offers\"\n\nstep hello\n  menu \"May we tell you of sales?\"\n    \"Yes\"\n      subscribe to sales\n      set contact.wants_offers = yes\n      done\n    \"No\" -> done\n  end\n\non \"no offers\"\n  unsubscribe from sales\n  set contact.wants_offers = no\n  say \"None any more.\"\n";
    const NEWS: &str = "flow news\nstarts on \"news\"\n\nstep a\n  if contact.wants_offers\n    send template sale\n  end\n  done\n\non \"no news\"\n  unsubscribe from sales\n  forget contact.wants_offers\n  say \"None any more.\"\n";

    #[track_caller]
    fn asked(business: &str, offers: &str, news: &str) -> bool {
        let mut sources = Sources::default();
        sources.add("business.flow", business);
        sources.add("offers.flow", offers);
        sources.add("news.flow", news);
        let compiled = compile(&sources);
        let codes: Vec<Code> = compiled.diagnostics.iter().map(|told| told.code).collect();
        assert!(codes.iter().all(|code| *code == Code::F311), "{codes:?}");
        codes.is_empty()
    }

    #[test]
    fn consent_of_an_earlier_chat_counts_by_a_field_that_stands_for_it() {
        assert!(asked(BUSINESS, OFFERS, NEWS));
        for way in [
            "  if contact.wants_offers is no -> done\n  send template sale\n  done\n",
            "  if not contact.wants_offers\n    done\n  else\n    send template sale\n    done\n  end\n",
            "  if contact.wants_offers and contact.wants_offers is yes\n    send template sale\n  end\n  done\n",
        ] {
            let block = "  if contact.wants_offers\n    send template sale\n  end\n  done\n";
            assert!(asked(BUSINESS, OFFERS, &NEWS.replace(block, way)), "{way}");
        }
        let starts = NEWS
            .replace("starts on \"news\"", "starts on \"news\" if contact.wants_offers")
            .replace(
                "  if contact.wants_offers\n    send template sale\n  end\n",
                "  send template sale\n",
            );
        assert!(asked(BUSINESS, OFFERS, &starts));
    }

    #[test]
    fn a_field_that_may_be_yes_without_consent_or_stay_yes_after_it_stands_for_nothing() {
        let without = NEWS.replace("if contact.wants_offers\n", "if not contact.wants_offers\n");
        assert!(!asked(BUSINESS, OFFERS, &without), "the other way round");
        let past = NEWS.replace("  end\n  done\n", "  end\n  send template sale\n  done\n");
        assert!(!asked(BUSINESS, OFFERS, &past), "behind the block anybody comes");
        let no_list = OFFERS.replace("      subscribe to sales\n", "");
        assert!(!asked(BUSINESS, &no_list, NEWS), "nobody subscribed");
        let stays = OFFERS.replace("  set contact.wants_offers = no\n", "");
        assert!(!asked(BUSINESS, &stays, NEWS), "who unsubscribed still has it");
        let from_start = BUSINESS.replace("yes or no = no", "yes or no = yes");
        assert!(!asked(&from_start, OFFERS, NEWS), "everybody has it");
        let answered = OFFERS.replace(
            "set contact.wants_offers = yes",
            "set x = yes\n      remember x as contact.wants_offers",
        );
        assert!(!asked(BUSINESS, &answered, NEWS), "anything may be in it");
        let problem = "\ndefaults\n  problem\n    say \"Sorry.\"\n    set contact.wants_offers = yes\n    -> handoff to support\nend\n";
        assert!(
            !asked(&format!("{BUSINESS}{problem}"), OFFERS, NEWS),
            "a fault is no consent"
        );
    }
}

//! Which places a customer can get to: steps and flows that nothing leads to (F202), flows without a way to a person
//! (F209).

use std::collections::HashSet;

use super::Shop;
use super::walk::{self, Home};
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::names::nearest;
use crate::flow::tree::{Phrase, StmtKind, TargetKind, Tree};

pub(super) fn check(shop: &Shop, found: &mut Vec<Diagnostic>) {
    let roads = Roads::of(shop);
    unreached(shop, &roads, found);
    no_way_to_a_person(shop, &roads, found);
}

/// What leads where, over the whole business.
struct Roads {
    /// By flow and step, what its lines lead to.
    from_step: Vec<Vec<Vec<Place>>>,
    /// What the flow's `on`s lead to.
    from_ons: Vec<Vec<Place>>,
    from_business: Vec<Place>,
    /// Flows from whose own lines a person can be reached.
    handoffs: Vec<bool>,
    business_handoff: bool,
    /// Flows in which an arrow leads to a step that doesn't exist and resembles none.
    lost: Vec<bool>,
}

#[derive(Clone, Copy)]
enum Place {
    Step(usize),
    Flow(usize),
}

impl Roads {
    fn of(shop: &Shop) -> Roads {
        let flows = &shop.tree.flows;
        let mut roads = Roads {
            from_step: flows
                .iter()
                .map(|flow| vec![Vec::new(); flow.steps.len()])
                .collect(),
            from_ons: vec![Vec::new(); flows.len()],
            from_business: Vec::new(),
            handoffs: vec![false; flows.len()],
            business_handoff: false,
            lost: vec![false; flows.len()],
        };
        walk::all_arrows(shop.tree, |home, target| match &target.kind {
            TargetKind::Step(name) => roads.leads_to_step(shop, home, name),
            TargetKind::Flow(name, _) => roads.leads_to_flow(shop, home, name),
            TargetKind::Start => roads.add(home, Place::Step(0)),
            TargetKind::Handoff(_) => roads.leads_to_person(home),
            TargetKind::Again
            | TargetKind::Resume
            | TargetKind::Back
            | TargetKind::Done(_)
            | TargetKind::Close => {}
        });
        walk::statements(shop.tree, |home, stmt| match &stmt.kind {
            StmtKind::Do(call) => roads.leads_to_flow(shop, home, &call.flow),
            StmtKind::Handoff(_) => roads.leads_to_person(home),
            _ => {}
        });
        roads
    }

    fn add(&mut self, home: Home, place: Place) {
        match (home.flow, home.step) {
            (Some(flow), Some(step)) => self.from_step[flow][step].push(place),
            (Some(flow), None) => self.from_ons[flow].push(place),
            (None, _) => self.from_business.push(place),
        }
    }

    fn leads_to_step(&mut self, shop: &Shop, home: Home, name: &Phrase) {
        let Some(flow) = home.flow else { return };
        if let Some(step) = shop.names.step_index(flow, name) {
            return self.add(home, Place::Step(step));
        }
        // The mistake is said once, at the arrow (F101): here it leads to what was probably meant.
        let steps = &shop.tree.flows[flow].steps;
        let near = nearest(&name.words, steps.iter().map(|step| step.name.words.as_str()));
        match steps
            .iter()
            .position(|step| Some(step.name.words.as_str()) == near)
        {
            Some(step) => self.add(home, Place::Step(step)),
            None => self.lost[flow] = true,
        }
    }

    fn leads_to_flow(&mut self, shop: &Shop, home: Home, name: &Phrase) {
        let flows = &shop.tree.flows;
        let index = shop.names.flow_index(name).or_else(|| {
            let near = nearest(&name.words, flows.iter().map(|flow| flow.name.words.as_str()));
            flows
                .iter()
                .position(|flow| Some(flow.name.words.as_str()) == near)
        });
        if let Some(index) = index {
            self.add(home, Place::Flow(index));
        }
    }

    fn leads_to_person(&mut self, home: Home) {
        match home.flow {
            Some(flow) => self.handoffs[flow] = true,
            None => self.business_handoff = true,
        }
    }
}

/// Steps and flows already visited, and those to visit.
struct Visit<'r> {
    roads: &'r Roads,
    flows: Vec<bool>,
    steps: Vec<Vec<bool>>,
    next: Vec<(usize, usize)>,
}

impl Visit<'_> {
    fn flow(&mut self, flow: usize) {
        if std::mem::replace(&mut self.flows[flow], true) {
            return;
        }
        if !self.steps[flow].is_empty() {
            self.step(flow, 0);
        }
        let roads = self.roads;
        for place in &roads.from_ons[flow] {
            self.place(flow, *place);
        }
    }

    fn step(&mut self, flow: usize, step: usize) {
        if step < self.steps[flow].len() && !std::mem::replace(&mut self.steps[flow][step], true) {
            self.next.push((flow, step));
        }
    }

    fn place(&mut self, flow: usize, place: Place) {
        match place {
            Place::Step(step) => self.step(flow, step),
            Place::Flow(flow) => self.flow(flow),
        }
    }

    fn run(&mut self) {
        let roads = self.roads;
        while let Some((flow, step)) = self.next.pop() {
            for place in &roads.from_step[flow][step] {
                self.place(flow, *place);
            }
        }
    }
}

fn unreached(shop: &Shop, roads: &Roads, found: &mut Vec<Diagnostic>) {
    let flows = &shop.tree.flows;
    let mut visit = Visit {
        roads,
        flows: vec![false; flows.len()],
        steps: flows.iter().map(|flow| vec![false; flow.steps.len()]).collect(),
        next: Vec::new(),
    };
    for place in &roads.from_business {
        if let Place::Flow(flow) = place {
            visit.flow(*flow);
        }
    }
    let front_door = shop
        .tree
        .business
        .as_ref()
        .and_then(|business| business.front_door.as_ref());
    if let Some(flow) = front_door.and_then(|name| shop.names.flow_index(name)) {
        visit.flow(flow);
    }
    for (index, flow) in flows.iter().enumerate() {
        if !flow.starts.is_empty() {
            visit.flow(index);
        }
    }
    visit.run();
    for (index, flow) in flows.iter().enumerate() {
        // A second flow of the same name is F107.
        let same_name_first = shop.names.flow_index(&flow.name) != Some(index);
        if !visit.flows[index] {
            if !same_name_first {
                found.push(closed_flow(shop.tree, index));
            }
            visit.flow(index);
            visit.run();
        }
    }
    for (index, flow) in flows.iter().enumerate() {
        if roads.lost[index] {
            continue;
        }
        let mut slugs = HashSet::new();
        for (step, reached) in flow.steps.iter().zip(&visit.steps[index]) {
            if slugs.insert(&step.name.slug) && !reached {
                found.push(
                    Diagnostic::new(
                        Code::F202,
                        step.name.span,
                        format!("nothing leads to step {}", step.name.words),
                        "no arrow leads here",
                    )
                    .note(format!(
                        "No customer will ever get here. Lead to it with  -> {}  or remove it.",
                        step.name.words
                    )),
                );
            }
        }
    }
}

fn closed_flow(tree: &Tree, index: usize) -> Diagnostic {
    let flow = &tree.flows[index];
    let name = &flow.name.words;
    let (label, advice) = if flow.called {
        (
            "it is only started by other flows, and none does",
            format!("Call it with  do {name} , lead to it with  -> flow {name} , or remove it."),
        )
    } else {
        (
            "no words open it and no arrow leads here",
            format!(
                "Add a line under the heading, for example  starts on \"{name}\" , or lead to it with\n-> flow {name} ."
            ),
        )
    };
    Diagnostic::new(
        Code::F202,
        flow.name.span,
        format!("nothing opens flow {name}"),
        label,
    )
    .note(format!("No customer will ever get here. {advice}"))
}

fn no_way_to_a_person(shop: &Shop, roads: &Roads, found: &mut Vec<Diagnostic>) {
    // A default or an `on` of the business is a way out of every flow.
    if roads.business_handoff {
        return;
    }
    let flows = &shop.tree.flows;
    let mut reaches = roads.handoffs.clone();
    loop {
        let mut changed = false;
        for flow in 0..flows.len() {
            if reaches[flow] {
                continue;
            }
            let mut places = roads.from_step[flow]
                .iter()
                .flatten()
                .chain(&roads.from_ons[flow]);
            if places.any(|place| matches!(place, Place::Flow(other) if reaches[*other])) {
                reaches[flow] = true;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    for (flow, reaches) in flows.iter().zip(reaches) {
        // A called flow goes back to its caller, who has to have the way.
        if !reaches && !flow.called {
            found.push(
                Diagnostic::new(
                    Code::F209,
                    flow.name.span,
                    format!("flow {} has no way to a person", flow.name.words),
                    "nothing in it leads to a handoff",
                )
                .note("A customer whom the bot can't help is stuck. Add an option  \"Talk to a person\" -> handoff , or for\nall flows at once, in the business file:  on \"agent\", \"a person\" -> handoff"),
            );
        }
    }
}

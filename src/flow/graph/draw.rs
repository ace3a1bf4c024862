//! From program to picture: one node a step, one arrow an instruction that leaves it.

use std::collections::HashMap;

use super::trail::{Trail, trails};
use super::{Edge, Graph, Group, Node, NodeKind};
use crate::flow::owner::{Owner, Owners};
use crate::flow::program::{Fetch, FlowIx, Jump, Message, Op, Pc, Program, Question, StateKind, StepIx};
use crate::flow::spell;

/// Characters of a question in its box.
const QUESTION: usize = 50;

pub(super) fn draw(program: &Program, flow: Option<&str>) -> Graph {
    let only = flow.map(|name| (0..).zip(&program.flows).find(|(_, flow)| flow.name == name));
    let only = match only {
        Some(None) => return Graph::default(),
        Some(Some((index, _))) => Some(index),
        None => None,
    };
    let mut drawing = Drawing {
        program,
        owners: Owners::of(program),
        only,
        business: Group {
            name: "business".to_owned(),
            title: "Everywhere".to_owned(),
            nodes: Vec::new(),
        },
        flows: program.flows.iter().map(group_of).collect(),
        drawn: HashMap::new(),
        edges: Vec::new(),
    };
    drawing.nodes();
    drawing.ways();
    let groups = std::iter::once(drawing.business).chain(drawing.flows);
    Graph {
        groups: groups.filter(|group| !group.nodes.is_empty()).collect(),
        edges: drawing.edges,
    }
}

fn group_of(flow: &crate::flow::program::Flow) -> Group {
    Group {
        name: flow.name.clone(),
        title: flow.title.clone().unwrap_or_else(|| flow.words.clone()),
        nodes: Vec::new(),
    }
}

struct Drawing<'p> {
    program: &'p Program,
    owners: Owners,
    /// The only flow to draw.
    only: Option<FlowIx>,
    business: Group,
    flows: Vec<Group>,
    /// Nodes by name: index in their group.
    drawn: HashMap<String, usize>,
    edges: Vec<Edge>,
}

impl Drawing<'_> {
    fn wanted(&self, flow: Option<FlowIx>) -> bool {
        self.only.is_none() || self.only == flow
    }

    fn nodes(&mut self) {
        for (index, step) in (0..).zip(&self.program.steps) {
            if self.wanted(Some(step.flow)) {
                self.step(index);
            }
        }
        for (index, on) in (0..).zip(&self.program.ons) {
            if self.wanted(on.flow) {
                let words: Vec<String> = on.triggers.iter().map(spell::trigger).collect();
                let title = format!("on {}", words.join(", "));
                self.node(on.flow, self.name_of(Owner::On(index)), NodeKind::On, title);
            }
        }
    }

    fn step(&mut self, index: StepIx) {
        let step = &self.program.steps[index as usize];
        let name = self.name_of(Owner::Step(index));
        self.node(Some(step.flow), name, NodeKind::Step, step.words.clone());
    }

    fn node(&mut self, flow: Option<FlowIx>, name: String, kind: NodeKind, title: String) {
        if self.drawn.contains_key(&name) {
            return;
        }
        let nodes = &mut self.group(flow).nodes;
        nodes.push(Node {
            name: name.clone(),
            kind,
            title,
            waits: Vec::new(),
            covered: None,
        });
        let index = nodes.len() - 1;
        self.drawn.insert(name, index);
    }

    fn group(&mut self, flow: Option<FlowIx>) -> &mut Group {
        match flow {
            Some(flow) => &mut self.flows[flow as usize],
            None => &mut self.business,
        }
    }

    fn name_of(&self, owner: Owner) -> String {
        match owner {
            Owner::Business => "business/defaults".to_owned(),
            Owner::Step(step) => {
                let step = &self.program.steps[step as usize];
                format!("{}/{}", self.program.flows[step.flow as usize].name, step.name)
            }
            Owner::On(on) => {
                let flow = self.program.ons[on as usize].flow;
                let whose = flow.map_or("business", |flow| &self.program.flows[flow as usize].name);
                format!("{whose}/on#{on}")
            }
        }
    }

    /// One arrow an instruction that leads away, in the order of the code.
    fn ways(&mut self) {
        let trails = trails(self.program, &self.owners);
        for ((pc, instruction), trail) in (0..).zip(&self.program.code).zip(trails) {
            let owner = self.owners.at(pc);
            let flow = self.owners.flow(self.program, pc);
            let Some(trail) = trail.filter(|_| self.wanted(flow)) else {
                continue;
            };
            if owner == Owner::Business {
                self.node(
                    None,
                    self.name_of(owner),
                    NodeKind::Defaults,
                    "defaults".to_owned(),
                );
            }
            self.way(pc, &instruction.op, owner, trail);
        }
    }

    fn way(&mut self, pc: Pc, op: &Op, owner: Owner, trail: Trail) {
        let flow = self.owners.flow(self.program, pc);
        let from = self.name_of(owner);
        let (to, call) = match op {
            Op::Send(_)
            | Op::Set { .. }
            | Op::Mem { .. }
            | Op::JumpIf { .. }
            | Op::Emit(_)
            | Op::ForEach { .. }
            | Op::Cancel { .. }
            | Op::Split { .. }
            | Op::Pause { .. }
            | Op::Wait => return,
            Op::Jump(Jump::To(_)) => return,
            Op::Plan(plan) => {
                let to = match plan.to {
                    Jump::Step(step) => self.aim(step),
                    Jump::Flow { flow, .. } => self.aim(self.entry(flow)),
                    Jump::To(_) | Jump::Again | Jump::Back | Jump::Start => return,
                };
                let mut label: Vec<String> = trail.iter().map(|label| label.to_string()).collect();
                label.push(format!("⏱ later {}", plan.name));
                self.edges.push(Edge {
                    from,
                    to,
                    label: label.join(" · "),
                    call: true,
                    taken: None,
                    at: pc,
                });
                return;
            }
            Op::Ask(state) | Op::Effect(state) | Op::Call(state) | Op::Handoff(state) | Op::Answer(state) => {
                match &self.program.states[*state as usize].kind {
                    StateKind::Question(question) => return self.wait(flow, &from, self.asked(question)),
                    StateKind::Fetch(fetch) => return self.wait(flow, &from, self.fetched(fetch)),
                    StateKind::Answer(answer) => {
                        let words = format!("answer from {}", answer.knowledge.join(", "));
                        return self.wait(flow, &from, words);
                    }
                    StateKind::Call(call) => (self.aim(self.entry(call.flow)), true),
                    StateKind::Human(human) => {
                        let team = human
                            .team
                            .map(|team| &self.program.business.teams[team as usize].name);
                        let words = team.map_or("handoff".to_owned(), |team| format!("handoff to {team}"));
                        (self.end(flow, &words), false)
                    }
                }
            }
            Op::Jump(Jump::Step(step)) => (self.aim(*step), false),
            Op::Jump(Jump::Flow { flow, .. }) => (self.aim(self.entry(*flow)), false),
            Op::Jump(Jump::Start) => match flow {
                Some(flow) => (self.aim(self.entry(flow)), false),
                None => (self.end(flow, "start of the flow"), false),
            },
            Op::Jump(Jump::Again) => (self.end(flow, "again"), false),
            Op::Jump(Jump::Back) => (self.end(flow, "back"), false),
            Op::Resume => (self.end(flow, "resume"), false),
            Op::Return { .. } => (self.end(flow, "done"), false),
            Op::Close { .. } => (self.end(flow, "close"), false),
        };
        self.edges.push(Edge {
            from,
            to,
            label: trail.join(" · "),
            call,
            taken: None,
            at: pc,
        });
    }

    fn entry(&self, flow: FlowIx) -> StepIx {
        self.program.flows[flow as usize].entry
    }

    /// A step that an arrow leads to; drawn even if its flow is not.
    fn aim(&mut self, step: StepIx) -> String {
        self.step(step);
        self.name_of(Owner::Step(step))
    }

    /// Where a way ends, once a flow.
    fn end(&mut self, flow: Option<FlowIx>, words: &str) -> String {
        let name = format!("{}/({words})", self.group(flow).name);
        self.node(flow, name.clone(), NodeKind::End, words.to_owned());
        name
    }

    /// Says in a node's box what it waits for.
    fn wait(&mut self, flow: Option<FlowIx>, name: &str, words: String) {
        if let Some(node) = self.drawn.get(name).copied() {
            self.group(flow).nodes[node].waits.push(format!("⏱ {words}"));
        }
    }

    fn asked(&self, question: &Question) -> String {
        match &question.prompt {
            Message::Say { body, .. } => spell::short(&self.program.texts[*body as usize].source, QUESTION),
            Message::Template { template, .. } => {
                let name = &self.program.business.templates[*template as usize].name;
                format!("template {name}")
            }
            Message::File { .. } => "a file".to_owned(),
            Message::Place { .. } => "a location".to_owned(),
            Message::React { emoji } => self.program.texts[*emoji as usize].source.clone(),
        }
    }

    fn fetched(&self, fetch: &Fetch) -> String {
        let service = &self.program.business.services[fetch.service as usize];
        let action = &service.actions[fetch.action as usize];
        format!("{}.{}", service.name, action.name)
    }
}

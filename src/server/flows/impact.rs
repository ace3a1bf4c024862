//! Whom publishing touches: positions of the store, held against the program that shall answer from now on. The same
//! rule decides here and when the answer comes (see `engine::crossing`).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::tally::{self, Held, Kinds, Tally, Waiting};
use crate::engine::{Crossing, Machine, Rest, crossing, step_in};
use crate::flow::hash;
use crate::flow::program::{Emit, Jump, Op, Pc, Program, State, StateIx, StateKind};
use crate::flow::spell;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Impact {
    /// Who waits for an answer in a flow.
    pub waiting: usize,
    /// Of them, those whose question means the same.
    pub carry_on: usize,
    /// F801: those who are in a step that goes or changes.
    pub steps: Vec<Moved>,
    /// F803: options on people's screens that are gone.
    pub options: Vec<Withdrawn>,
    /// F804: fields of contacts that have another type.
    pub fields: Vec<Retyped>,
    pub plans: Vec<Follow>,
    /// `(was …)` notes that nobody needs any more. Only known when every chat could be looked at.
    pub settled: Vec<Settled>,
}

/// People whose question is not the same any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    pub code: &'static str,
    pub flow: String,
    pub step: String,
    pub people: usize,
    pub how: How,
    /// Number of the version that they are in, where it has one.
    pub version: Option<u32>,
    /// Steps at which they join.
    pub joins: Vec<String>,
    /// A step of the new version that may be this one under another name.
    pub renamed: Option<String>,
    /// Opaque ids of some of them.
    pub contacts: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The step is gone.
    Gone,
    /// An answer means something else there.
    Changed,
    /// It means the same, and something is said later that they were never asked for.
    Lacking,
    /// Their version is not kept any more: the flow starts again.
    Lost,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Withdrawn {
    pub code: &'static str,
    pub flow: String,
    pub step: String,
    pub option: String,
    pub people: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retyped {
    pub code: &'static str,
    pub field: String,
    pub before: String,
    pub now: String,
    /// Who remembers one, and of them those whose value can't be read as the new kind. `None`: it was not counted.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
}

/// Follow-ups that are due later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Follow {
    pub plan: String,
    pub flow: String,
    pub step: Option<String>,
    pub people: usize,
    /// The step is there under this name or its new one; otherwise the version that planned it carries it out.
    pub unchanged: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settled {
    pub flow: String,
    pub step: String,
    pub was: String,
}

impl Impact {
    /// Somebody ought to look at it before it is done.
    pub fn is_worth_asking(&self) -> bool {
        // A field of which every value can be read anew touches nobody.
        let loses = |field: &Retyped| field.held.is_none_or(|held| held.unfit > 0);
        !self.steps.is_empty() || !self.options.is_empty() || self.fields.iter().any(loses)
    }
}

/// A version that people are in, as far as it is kept.
#[derive(Debug)]
pub struct Earlier<'a> {
    pub machine: &'a Machine,
    pub number: Option<u32>,
}

/// What becomes of the people of these channels once `new` answers them. `live`: the version that answers now.
pub fn of(
    tally: &Tally,
    channels: &BTreeSet<String>,
    earlier: &BTreeMap<String, Earlier<'_>>,
    live: Option<&Program>,
    new: &Machine,
) -> Impact {
    let mut impact = Impact::default();
    let program = new.program();
    for waiting in tally.waiting.iter().filter(|one| channels.contains(&one.channel)) {
        let of = earlier.get(&waiting.program);
        let locals = tally::known(&waiting.known);
        let rest = Rest {
            flow: &waiting.flow,
            program: &waiting.program,
            at: &waiting.at,
            anchor: &waiting.anchor,
            locals: &locals,
        };
        impact.waiting += waiting.people;
        match crossing(new, of.map(|of| of.machine), &rest) {
            Crossing::Live(_) => impact.carry_on += waiting.people,
            // Each option that went is said by itself.
            Crossing::Former(state) if only_lost_options(of, state, waiting, new) => {}
            Crossing::Former(state) => impact.add(moved(waiting, of, Some(state), new)),
            Crossing::Lost => impact.add(moved(waiting, of, None, new)),
        }
        impact.options_of(waiting, of, new);
    }
    impact.fields = live
        .map(|live| retyped(live, program, tally, channels))
        .unwrap_or_default();
    for planned in tally.plans.iter().filter(|one| channels.contains(&one.channel)) {
        let unchanged = new
            .flow_named(&planned.flow)
            .is_some_and(|flow| match &planned.step {
                None => true,
                Some(step) => step_in(new, flow, step).is_some(),
            });
        let words = of_words(live.unwrap_or(program), &planned.flow, planned.step.as_deref());
        let follow = Follow {
            plan: planned.name.clone(),
            flow: words.0,
            step: planned.step.as_ref().map(|_| words.1),
            people: planned.people,
            unchanged,
        };
        match impact.plans.iter_mut().find(|one| {
            (&one.plan, &one.flow, &one.step, one.unchanged)
                == (&follow.plan, &follow.flow, &follow.step, follow.unchanged)
        }) {
            Some(one) => one.people += follow.people,
            None => impact.plans.push(follow),
        }
    }
    if tally.unread == 0 {
        impact.settled = settled(tally, program);
    }
    impact
}

impl Impact {
    fn add(&mut self, moved: Moved) {
        match self
            .steps
            .iter_mut()
            .find(|one| (&one.flow, &one.step, one.how) == (&moved.flow, &moved.step, moved.how))
        {
            Some(one) => {
                one.people += moved.people;
                one.contacts.extend(moved.contacts);
            }
            None => self.steps.push(moved),
        }
    }

    fn options_of(&mut self, waiting: &Waiting, of: Option<&Earlier<'_>>, new: &Machine) {
        let here = state_of(new, &waiting.at);
        let Some(StateKind::Question(question)) = here.map(|state| &state.kind) else {
            // The whole step is gone, which says it.
            return;
        };
        let (flow, step) = words(waiting, of);
        for (id, people) in &waiting.options {
            if question.options.iter().any(|choice| choice.id == *id) {
                continue;
            }
            let option = of
                .and_then(|of| label(of.machine.program(), &waiting.at, id))
                .unwrap_or_else(|| id.clone());
            match self
                .options
                .iter_mut()
                .find(|one| (&one.flow, &one.step, &one.option) == (&flow, &step, &option))
            {
                Some(one) => one.people += people,
                None => self.options.push(Withdrawn {
                    code: "F803",
                    flow: flow.clone(),
                    step: step.clone(),
                    option,
                    people: *people,
                }),
            }
        }
    }
}

/// The question takes fewer of the answers that it took, and the others mean what they meant.
fn only_lost_options(of: Option<&Earlier<'_>>, state: StateIx, waiting: &Waiting, new: &Machine) -> bool {
    let (Some(of), Some(here)) = (of, state_of(new, &waiting.at)) else {
        return false;
    };
    let old = of.machine.program();
    match (&old.states[state as usize].kind, &here.kind) {
        (StateKind::Question(was), StateKind::Question(is)) => {
            was.options.len() > is.options.len() && hash::is_wider((new.program(), is), (old, was))
        }
        _ => false,
    }
}

/// A state by its name, or by the one it had before its step was renamed.
fn state_of<'m>(machine: &'m Machine, name: &str) -> Option<&'m State> {
    let state = machine.state_named(name)?;
    Some(&machine.program().states[state as usize])
}

fn label(program: &Program, at: &str, id: &str) -> Option<String> {
    let state = program.states.iter().find(|state| state.name == at)?;
    let StateKind::Question(question) = &state.kind else {
        return None;
    };
    let choice = question.options.iter().find(|choice| choice.id == id)?;
    Some(program.texts.get(choice.label as usize)?.source.clone())
}

/// `flow/step.value` as flow and step.
fn slugs(at: &str) -> (&str, &str) {
    let (flow, rest) = at.split_once('/').unwrap_or(("", at));
    (flow, rest.split_once('.').map_or(rest, |(step, _)| step))
}

/// Flow and step as their author wrote them; slugs where they are not known.
fn of_words(program: &Program, flow: &str, step: Option<&str>) -> (String, String) {
    let spaced = |slug: &str| slug.replace('_', " ");
    let ix = program.flows.iter().position(|one| one.name == flow);
    let words = ix.map_or_else(|| spaced(flow), |ix| program.flows[ix].words.clone());
    let step = step.unwrap_or_default();
    let found = ix.and_then(|ix| {
        program
            .steps
            .iter()
            .find(|one| one.flow as usize == ix && one.name == step)
    });
    (
        words,
        found.map_or_else(|| spaced(step), |step| step.words.clone()),
    )
}

fn words(waiting: &Waiting, of: Option<&Earlier<'_>>) -> (String, String) {
    let (_, step) = slugs(&waiting.at);
    match of {
        Some(of) => of_words(of.machine.program(), &waiting.flow, Some(step)),
        None => (waiting.flow.replace('_', " "), step.replace('_', " ")),
    }
}

fn moved(waiting: &Waiting, of: Option<&Earlier<'_>>, state: Option<StateIx>, new: &Machine) -> Moved {
    let program = new.program();
    let (flow, step) = words(waiting, of);
    let (_, slug) = slugs(&waiting.at);
    let flow_ix = new.flow_named(&waiting.flow);
    let there = flow_ix.and_then(|flow| step_in(new, flow, slug));
    let same = program
        .states
        .iter()
        .any(|one| one.name == waiting.at && one.anchor == waiting.anchor);
    let how = match (state, there) {
        (None, _) => How::Lost,
        (Some(_), None) => How::Gone,
        (Some(_), Some(_)) if same => How::Lacking,
        (Some(_), Some(_)) => How::Changed,
    };
    let joins = of
        .zip(state)
        .map(|(of, state)| joins(of.machine.program(), state, new))
        .unwrap_or_default();
    Moved {
        code: "F801",
        flow,
        step,
        people: waiting.people,
        how,
        version: of.and_then(|of| of.number),
        joins,
        renamed: (how == How::Gone)
            .then(|| renamed(waiting, of, program))
            .flatten(),
        contacts: waiting.contacts.clone(),
    }
}

/// The step of the new version that only it has and where an answer means the same.
fn renamed(waiting: &Waiting, of: Option<&Earlier<'_>>, new: &Program) -> Option<String> {
    let old = of?.machine.program();
    let flow = new.flows.iter().position(|flow| flow.name == waiting.flow)? as u32;
    let was_there = |name: &str| {
        old.steps
            .iter()
            .any(|step| step.name == name && old.flows[step.flow as usize].name == waiting.flow)
    };
    let fits = |ix: u32, anchor: bool| {
        let mut states = new.states.iter().filter(|state| state.step == Some(ix));
        states.any(|state| {
            matches!(state.kind, StateKind::Question(_)) && (!anchor || state.anchor == waiting.anchor)
        })
    };
    let candidates: Vec<(u32, &str)> = (0..)
        .zip(&new.steps)
        .filter(|(_, step)| step.flow == flow && step.was.is_none() && !was_there(&step.name))
        .map(|(ix, step)| (ix, step.words.as_str()))
        .collect();
    candidates
        .iter()
        .find(|(ix, _)| fits(*ix, true))
        .or_else(|| match candidates.as_slice() {
            [only] if fits(only.0, false) => Some(only),
            _ => None,
        })
        .map(|(_, words)| (*words).to_owned())
}

/// Steps of the new version to which arrows lead from a state of the old one, the nearest first.
fn joins(old: &Program, state: StateIx, new: &Machine) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut next: Vec<Pc> = exits(old, state);
    next.reverse();
    let mut seen: BTreeSet<Pc> = BTreeSet::new();
    while let Some(pc) = next.pop() {
        let Some(instruction) = old.code.get(pc as usize).filter(|_| seen.insert(pc)) else {
            continue;
        };
        match &instruction.op {
            Op::Jump(Jump::Step(step)) => {
                let described = &old.steps[*step as usize];
                let flow = &old.flows[described.flow as usize].name;
                let here = new
                    .flow_named(flow)
                    .and_then(|flow| step_in(new, flow, &described.name));
                match here {
                    Some(here) => {
                        let words = &new.program().steps[here as usize].words;
                        if !found.contains(words) {
                            found.push(words.clone());
                        }
                    }
                    None => next.push(described.entry),
                }
            }
            Op::Jump(Jump::To(to)) => next.push(*to),
            Op::JumpIf { condition: _, to } => next.extend([pc + 1, *to]),
            Op::Ask(state) | Op::Effect(state) | Op::Call(state) | Op::Answer(state) => {
                next.extend(exits(old, *state))
            }
            Op::Split { name: _, ways } => next.extend(ways.iter().map(|(_, way)| *way)),
            Op::ForEach {
                list: _,
                value: _,
                end,
            } => next.extend([pc + 1, *end]),
            Op::Send(_)
            | Op::Set { .. }
            | Op::Mem { .. }
            | Op::Emit(
                Emit::Notify { .. } | Emit::Record { .. } | Emit::Tag { .. } | Emit::Subscribe { .. },
            )
            | Op::Plan(_)
            | Op::Cancel { .. }
            | Op::Pause { .. } => next.push(pc + 1),
            Op::Jump(Jump::Flow { .. } | Jump::Again | Jump::Back | Jump::Start)
            | Op::Return { .. }
            | Op::Handoff(_)
            | Op::Close { .. }
            | Op::Resume
            | Op::Wait => {}
        }
    }
    found
}

/// Where it goes on from a state, the usual way first.
fn exits(program: &Program, state: StateIx) -> Vec<Pc> {
    match &program.states[state as usize].kind {
        StateKind::Question(question) => {
            let mut exits = vec![question.next];
            exits.extend(question.options.iter().filter_map(|choice| choice.run));
            exits
        }
        StateKind::Fetch(fetch) => {
            let mut exits = vec![fetch.next];
            exits.extend(
                [fetch.not_found, fetch.refused, fetch.problem]
                    .into_iter()
                    .flatten(),
            );
            exits.extend(fetch.statuses.iter().map(|(_, pc)| *pc));
            exits
        }
        StateKind::Call(call) => vec![call.next],
        StateKind::Human(human) => {
            let written = [human.when_closed, human.when_returned];
            let nobody = human.no_agent.iter().filter_map(|line| line.run);
            written.into_iter().flatten().chain(nobody).collect()
        }
        StateKind::Answer(answer) => {
            let off_topic = answer.off_topic.as_ref().and_then(|line| line.run);
            let runs = [Some(answer.finished), answer.not_sure, off_topic, answer.problem];
            let topics = answer.topics.iter().map(|(_, run)| *run);
            let all = runs.into_iter().flatten().chain(topics);
            all.chain(answer.up_to.map(|(_, run)| run)).collect()
        }
    }
}

/// The kinds of the fields that have another one in `new`: what [`Tally::held`] is to be counted of.
pub fn retyped_kinds(old: &Program, new: &Program) -> Kinds {
    let before = &old.business.contact_fields;
    let fields = new.business.contact_fields.iter();
    let retyped =
        fields.filter(|(name, now)| before.get(*name).is_some_and(|before| before.kind != now.kind));
    retyped
        .map(|(name, now)| (name.clone(), now.kind.clone()))
        .collect()
}

fn retyped(old: &Program, new: &Program, tally: &Tally, channels: &BTreeSet<String>) -> Vec<Retyped> {
    let kinds = retyped_kinds(old, new).into_iter();
    let fields = kinds.filter_map(|(name, now)| {
        let before = old.business.contact_fields.get(&name)?;
        Some(Retyped {
            code: "F804",
            before: spell::kind(&before.kind),
            now: spell::kind(&now),
            held: tally.held(channels, &name),
            field: format!("contact.{name}"),
        })
    });
    fields.collect()
}

/// `(was …)` notes whose old name nobody's position has.
fn settled(tally: &Tally, new: &Program) -> Vec<Settled> {
    let mut settled = Vec::new();
    for step in &new.steps {
        let Some(was) = &step.was else { continue };
        let flow = &new.flows[step.flow as usize];
        let needed = tally
            .places
            .iter()
            .any(|place| slugs(place) == (flow.name.as_str(), was.as_str()))
            || tally
                .plans
                .iter()
                .any(|one| one.flow == flow.name && one.step.as_ref() == Some(was));
        if !needed {
            settled.push(Settled {
                flow: flow.words.clone(),
                step: step.words.clone(),
                was: was.replace('_', " "),
            });
        }
    }
    settled
}

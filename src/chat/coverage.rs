//! Which ways out of each question and service call the conversations have taken.
//!
//! Steps are easy to cover; faults live in the unhappy exits, so those are counted. A step that no conversation enters
//! at all is a warning (F901).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::engine::{Exit, Log, MORE};
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::graph::Covered;
use crate::flow::program::{Pc, Program, StateKind};
use crate::flow::slug;
use crate::flow::source::{SourceLine, Sources};

/// Exits of every state that has any, in the order of the program.
#[derive(Debug, Clone)]
pub struct Coverage {
    states: Vec<Counted>,
    taken: BTreeMap<String, BTreeSet<Exit>>,
    /// Every step, `flow/step`, with its words and where it stands.
    steps: Vec<(String, String, SourceLine)>,
    entered: BTreeSet<String>,
    went: BTreeSet<Pc>,
}

/// A state with its exits and their names for people.
#[derive(Debug, Clone)]
struct Counted {
    name: String,
    place: String,
    exits: Vec<(Exit, String)>,
}

impl Coverage {
    pub fn of(program: &Program) -> Coverage {
        let states = program
            .states
            .iter()
            .map(|state| Counted {
                name: state.name.clone(),
                place: program.place(state.place).to_string(),
                exits: exits(program, &state.kind),
            })
            .filter(|state| !state.exits.is_empty())
            .collect();
        let steps = program
            .steps
            .iter()
            .map(|step| {
                let flow = &program.flows[step.flow as usize].name;
                let name = format!("{flow}/{}", step.name);
                (name, step.words.clone(), program.place(step.place))
            })
            .collect();
        Coverage {
            states,
            taken: BTreeMap::new(),
            steps,
            entered: BTreeSet::new(),
            went: BTreeSet::new(),
        }
    }

    /// Ways out of steps that were taken; only pictures need them.
    pub fn add_ways(&mut self, went: &BTreeSet<Pc>) {
        self.went.extend(went);
    }

    /// Ways out of steps that were taken, for [`crate::flow::graph::Graph::cover`].
    pub fn ways(&self) -> &BTreeSet<Pc> {
        &self.went
    }

    pub fn add(&mut self, log: &[Log]) {
        for entry in log {
            if let Log::Left { state, exit } = entry {
                self.taken.entry(state.clone()).or_default().insert(exit.clone());
            }
            if let Log::Entered { flow, step } = entry {
                self.entered.insert(format!("{flow}/{step}"));
            }
        }
    }

    /// Exits taken and exits there are.
    pub fn count(&self) -> (usize, usize) {
        let all = self.states.iter().map(|state| state.exits.len()).sum();
        let taken = self
            .states
            .iter()
            .map(|state| self.taken_of(&state.name, &state.exits).count())
            .sum();
        (taken, all)
    }

    fn taken_of<'a>(&'a self, state: &str, exits: &'a [(Exit, String)]) -> impl Iterator<Item = &'a str> {
        let taken = self.taken.get(state);
        exits
            .iter()
            .filter(move |(exit, _)| taken.is_some_and(|taken| taken.contains(exit)))
            .map(|(_, n)| n.as_str())
    }

    /// Steps that were never entered, as warnings.
    pub fn never(&self, sources: &Sources) -> Vec<Diagnostic> {
        self.steps
            .iter()
            .filter(|(name, ..)| !self.entered.contains(name))
            .filter_map(|(_, words, at)| {
                let span = sources.line(at)?;
                let message = format!("no conversation test comes to the step {words:?}");
                Some(
                    Diagnostic::new(Code::F901, span, message, "never entered by a test")
                        .note("What is never played may say anything. Write a .chat that goes there, or let `switchboard test --generate` write one."),
                )
            })
            .collect()
    }

    /// How much of each step was taken, by `flow/step`.
    pub fn by_step(&self) -> BTreeMap<String, Covered> {
        let mut steps: BTreeMap<String, Covered> = self
            .steps
            .iter()
            .map(|(name, ..)| {
                let covered = Covered {
                    entered: self.entered.contains(name),
                    taken: 0,
                    all: 0,
                };
                (name.clone(), covered)
            })
            .collect();
        for state in &self.states {
            let step = state.name.split('.').next().unwrap_or_default();
            if let Some(covered) = steps.get_mut(step) {
                covered.taken += self.taken_of(&state.name, &state.exits).count();
                covered.all += state.exits.len();
            }
        }
        steps
    }

    /// For tools: every state with its exits, and every step.
    pub fn json(&self) -> Json {
        let states: Vec<Json> = self
            .states
            .iter()
            .map(|state| {
                let taken: BTreeSet<&str> = self.taken_of(&state.name, &state.exits).collect();
                let exits: Vec<Json> = state
                    .exits
                    .iter()
                    .map(|(_, words)| json!({ "exit": words, "taken": taken.contains(words.as_str()) }))
                    .collect();
                json!({ "state": state.name, "place": state.place, "exits": exits })
            })
            .collect();
        let steps: Vec<Json> = self
            .steps
            .iter()
            .map(|(name, _, at)| {
                json!({ "step": name, "place": at.to_string(), "entered": self.entered.contains(name) })
            })
            .collect();
        let (taken, all) = self.count();
        json!({ "taken": taken, "all": all, "states": states, "steps": steps })
    }

    /// A table: state, exits taken and missing, where it stands.
    pub fn table(&self) -> String {
        let mut table = String::new();
        let width = self
            .states
            .iter()
            .map(|state| state.name.chars().count())
            .max()
            .unwrap_or(0);
        for Counted { name, place, exits } in &self.states {
            let taken: BTreeSet<&str> = self.taken_of(name, exits).collect();
            let mark = if taken.len() == exits.len() { "✓" } else { "·" };
            let missing: Vec<&str> = exits
                .iter()
                .map(|(_, words)| words.as_str())
                .filter(|words| !taken.contains(words))
                .collect();
            let missing = if missing.is_empty() {
                String::new()
            } else {
                format!("  never: {}", missing.join(", "))
            };
            table += &format!(
                "{mark} {name:width$}  {:>2}/{:<2}  {place}{missing}\n",
                taken.len(),
                exits.len()
            );
        }
        let (taken, all) = self.count();
        let percent = (taken * 100).checked_div(all).unwrap_or(100);
        table + &format!("{taken} of {all} exits taken ({percent} %)\n")
    }
}

/// The exits of a state with their names for people.
fn exits(program: &Program, kind: &StateKind) -> Vec<(Exit, String)> {
    let text = |index: u32| {
        program
            .texts
            .get(index as usize)
            .map(|text| text.source.clone())
            .unwrap_or_default()
    };
    match kind {
        StateKind::Question(question) => {
            let mut exits: Vec<(Exit, String)> = question
                .options
                .iter()
                .map(|option| {
                    (
                        Exit::Option(option.id.clone()),
                        format!("[{}]", text(option.label)),
                    )
                })
                .collect();
            if let Some(label) = question.more {
                exits.push((Exit::Option(MORE.to_owned()), format!("more [{}]", text(label))));
            }
            if question.none.is_some() {
                exits.push((Exit::Empty, "none".to_owned()));
            }
            if !question.accept.is_empty() || question.form_of.is_some() {
                exits.push((Exit::Answer, "an answer".to_owned()));
            }
            let checks = question.checks.iter().enumerate();
            exits
                .extend(checks.map(|(index, _)| (Exit::Check(index as u32), format!("check {}", index + 1))));
            if let Some(otherwise) = &question.otherwise {
                if otherwise.say.is_some() {
                    exits.push((Exit::Otherwise, "otherwise".to_owned()));
                }
                if otherwise.run.is_some() {
                    exits.push((Exit::OtherwiseUsedUp, "otherwise used up".to_owned()));
                }
            }
            let silence = question.silence.iter().enumerate();
            exits.extend(silence.map(|(index, silence)| {
                let words = format!("no reply in {} minutes", silence.after_seconds / 60);
                (Exit::NoReply(index as u32), words)
            }));
            exits
        }
        StateKind::Fetch(fetch) => {
            let mut exits = vec![(Exit::Ok, "ok".to_owned())];
            exits.extend(fetch.not_found.map(|_| (Exit::NotFound, "not found".to_owned())));
            exits.extend(fetch.refused.map(|_| (Exit::Refused, "refused".to_owned())));
            exits.extend(
                fetch
                    .statuses
                    .iter()
                    .map(|(code, _)| (Exit::Status(*code), format!("status {code}"))),
            );
            exits.push((Exit::Problem, "problem".to_owned()));
            exits
        }
        StateKind::Answer(answer) => {
            let mut exits = vec![(Exit::Ok, "a reply".to_owned())];
            exits.push((Exit::NotSure, "not sure".to_owned()));
            if let Some(line) = &answer.off_topic {
                exits.push((Exit::OffTopic, "off topic".to_owned()));
                if line.up_to.is_some() {
                    exits.push((Exit::OffTopicUsedUp, "off topic used up".to_owned()));
                }
            }
            let topics = answer.topics.iter();
            exits.extend(topics.map(|(topic, _)| (Exit::Topic(topic.clone()), format!("topic {topic}"))));
            exits.push((Exit::Finished, "finished".to_owned()));
            if let Some((replies, _)) = answer.up_to {
                exits.push((Exit::RepliesUsedUp, format!("after {replies} replies")));
            }
            exits.push((Exit::Problem, "problem".to_owned()));
            exits
        }
        StateKind::Human(human) => {
            let mut exits = Vec::new();
            exits.extend(
                human
                    .when_closed
                    .map(|_| (Exit::Closed, "when closed".to_owned())),
            );
            exits.extend(human.when_taken.map(|_| (Exit::Taken, "when taken".to_owned())));
            exits.extend(human.no_agent.iter().enumerate().map(|(index, line)| {
                let words = format!("no agent in {} minutes", line.after_seconds / 60);
                (Exit::NoAgent(index as u32), words)
            }));
            exits.extend(
                human
                    .when_returned
                    .map(|_| (Exit::Returned, "when returned".to_owned())),
            );
            exits
        }
        StateKind::Call(_) => Vec::new(),
    }
}

/// `"ask for the number" includes otherwise`, for a `check` line.
pub(super) fn check(program: &Program, log: &[Log], text: &str) -> Result<(), String> {
    let shape = || "it is written  check coverage of \"step\" includes otherwise".to_owned();
    let (step, wanted) = text.rsplit_once(" includes ").ok_or_else(shape)?;
    let (step, wanted) = (slug(step.trim().trim_matches('"')), wanted.trim());
    let mut seen = Vec::new();
    for state in &program.states {
        let here = state
            .step
            .and_then(|step| program.steps.get(step as usize))
            .is_some_and(|at| at.name == step);
        if !here {
            continue;
        }
        let taken: BTreeSet<&Exit> = log
            .iter()
            .filter_map(|entry| match entry {
                Log::Left { state: left, exit } if *left == state.name => Some(exit),
                _ => None,
            })
            .collect();
        for (exit, words) in exits(program, &state.kind) {
            if taken.contains(&exit) {
                if words.trim_matches(['[', ']']) == wanted.trim_matches(['[', ']'])
                    || words.starts_with(wanted)
                {
                    return Ok(());
                }
                seen.push(words);
            }
        }
    }
    Err(if seen.is_empty() {
        "no exit of it was taken".to_owned()
    } else {
        format!("taken: {}", seen.join(", "))
    })
}

//! Which ways out of each question and service call the conversations have taken.
//!
//! Steps are easy to cover; faults live in the unhappy exits, so those are counted.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{Exit, Log};
use crate::flow::program::{Program, StateKind};
use crate::flow::slug;

/// Exits of every state that has any, in the order of the program.
#[derive(Debug, Clone)]
pub struct Coverage {
    states: Vec<Counted>,
    taken: BTreeMap<String, BTreeSet<Exit>>,
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
        Coverage {
            states,
            taken: BTreeMap::new(),
        }
    }

    pub fn add(&mut self, log: &[Log]) {
        for entry in log {
            if let Log::Left { state, exit } = entry {
                self.taken.entry(state.clone()).or_default().insert(exit.clone());
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
            if question.none.is_some() {
                exits.push((Exit::Empty, "none".to_owned()));
            }
            if !question.accept.is_empty() {
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
        StateKind::Call(_) | StateKind::Human(_) => Vec::new(),
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

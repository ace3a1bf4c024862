//! A program as a picture: steps as boxes grouped by flow, every way out of them as a labelled arrow.
//!
//! [`Graph`] is the picture as data; [`mermaid`], [`dot`] and [`json`] write it down. A clock stands wherever the
//! conversation waits for the customer or for time to pass.

mod dot;
mod draw;
mod mermaid;
#[cfg(test)]
mod tests;
mod trail;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::program::{Pc, Program};

/// How much of a step conversation tests have taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Covered {
    pub entered: bool,
    /// Ways out of its questions and calls that were taken, and that there are.
    pub taken: usize,
    pub all: usize,
}

/// By how much is covered; each has its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shade {
    Whole,
    Part,
    Never,
}

/// What the colours mean, in the order of the legend: shade, name, words.
const SHADES: [(Shade, &str, &str); 3] = [
    (Shade::Whole, "whole", "every exit is taken"),
    (Shade::Part, "part", "some exits are (2/5: two of five)"),
    (Shade::Never, "never", "never entered"),
];
/// What the colours of arrows mean.
const WAYS: [(bool, &str); 2] = [(true, "taken"), (false, "never taken")];

impl Shade {
    /// Fill and border.
    fn colours(self) -> (&'static str, &'static str) {
        match self {
            Shade::Whole => ("#cdeccd", "#2e7d32"),
            Shade::Part => ("#fff1c1", "#b58900"),
            Shade::Never => ("#f8cccc", "#b71c1c"),
        }
    }

    /// The shade whose border an arrow has.
    fn of_way(taken: bool) -> Shade {
        if taken { Shade::Whole } else { Shade::Never }
    }
}

impl Covered {
    fn shade(self) -> Shade {
        match (self.entered, self.taken == self.all) {
            (false, _) => Shade::Never,
            (true, true) => Shade::Whole,
            (true, false) => Shade::Part,
        }
    }

    /// `2/5`, or nothing where there is nothing to take.
    fn words(self) -> String {
        match (self.entered, self.all) {
            (false, _) => "never".to_owned(),
            (true, 0) => String::new(),
            (true, all) => format!("{}/{all}", self.taken),
        }
    }
}

/// For READMEs and reviews. `flow` is the slug of the only flow to draw.
pub fn mermaid(program: &Program, flow: Option<&str>) -> String {
    Graph::of(program, flow).mermaid()
}

/// For Graphviz. `flow` is the slug of the only flow to draw.
pub fn dot(program: &Program, flow: Option<&str>) -> String {
    Graph::of(program, flow).dot()
}

/// For tools: groups with their nodes, and edges by the names of nodes.
pub fn json(program: &Program, flow: Option<&str>) -> String {
    Graph::of(program, flow).json()
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Graph {
    pub groups: Vec<Group>,
    pub edges: Vec<Edge>,
}

/// A flow, or the business file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    pub name: String,
    pub title: String,
    pub nodes: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// `flow/step`; unique in the graph.
    pub name: String,
    pub kind: NodeKind,
    pub title: String,
    /// What happens in it that takes time: questions with a clock, service calls.
    pub waits: Vec<String>,
    /// Steps of a picture of coverage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covered: Option<Covered>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    Step,
    /// An `on` of a flow or of the business.
    On,
    /// What all questions inherit.
    Defaults,
    /// `done`, `close`, a handoff, or back to what was interrupted.
    End,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edge {
    pub from: String,
    pub to: String,
    /// Options, exits and conditions that lead this way; empty: it simply goes on.
    pub label: String,
    /// The other flow runs and comes back.
    pub call: bool,
    /// Some conversation test goes this way; only in a picture of coverage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken: Option<bool>,
    /// The instruction; one arrow each.
    #[serde(skip)]
    at: Pc,
}

impl Graph {
    /// The picture of a program, or of one flow of it and what that leads to.
    pub fn of(program: &Program, flow: Option<&str>) -> Graph {
        draw::draw(program, flow)
    }

    /// Colours the steps by how much of them conversation tests have taken, by `flow/step`; and the arrows by whether
    /// one of them went that way, by instruction ([`crate::engine::Turn::went`]).
    pub fn cover(&mut self, steps: &BTreeMap<String, Covered>, went: &BTreeSet<Pc>) {
        for edge in &mut self.edges {
            edge.taken = Some(went.contains(&edge.at));
        }
        for node in self.groups.iter_mut().flat_map(|group| &mut group.nodes) {
            node.covered = steps.get(&node.name).copied();
        }
    }

    /// Whether it is a picture of coverage.
    fn is_covered(&self) -> bool {
        self.edges.iter().any(|edge| edge.taken.is_some())
            || self
                .groups
                .iter()
                .flat_map(|group| &group.nodes)
                .any(|node| node.covered.is_some())
    }

    pub fn mermaid(&self) -> String {
        mermaid::write(self)
    }

    pub fn dot(&self) -> String {
        dot::write(self)
    }

    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("names and labels are all text")
    }
}

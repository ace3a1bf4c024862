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

use serde::Serialize;

use super::program::{Pc, Program};

/// For READMEs and reviews. `flow` is the slug of the only flow to draw.
pub fn mermaid(program: &Program, flow: Option<&str>) -> String {
    mermaid::write(&Graph::of(program, flow))
}

/// For Graphviz. `flow` is the slug of the only flow to draw.
pub fn dot(program: &Program, flow: Option<&str>) -> String {
    dot::write(&Graph::of(program, flow))
}

/// For tools: groups with their nodes, and edges by the names of nodes.
pub fn json(program: &Program, flow: Option<&str>) -> String {
    serde_json::to_string_pretty(&Graph::of(program, flow)).expect("names and labels are all text")
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
    /// The instruction; one arrow each.
    #[serde(skip)]
    at: Pc,
}

impl Graph {
    /// The picture of a program, or of one flow of it and what that leads to.
    pub fn of(program: &Program, flow: Option<&str>) -> Graph {
        draw::draw(program, flow)
    }
}

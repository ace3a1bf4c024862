//! `[[agent]]`: two numbers that belong together, one for customers and one to try changes on. Each is a number like any
//! other, with provider, settings, memory and Autopilot of its own; what differs is which flows answer there.

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::file::Channel;
use super::resolve::Reader;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Agent {
    pub id: Spanned<String>,
    pub published: Option<Spanned<Channel>>,
    pub draft: Option<Spanned<Channel>>,
}

/// Which number of which agent one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentOf {
    pub agent: String,
    pub side: Side,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Customers write to it.
    Published,
    /// The business tries changes on it.
    Draft,
}

impl Side {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Side::Published => "published",
            Side::Draft => "draft",
        }
    }
}

/// The flows that answer on a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// The folder as it is: a draft, and a number that belongs to no agent.
    Folder,
    /// What was published last.
    Published,
}

/// A number as it is written, and whose it is.
pub(super) type Written = (Spanned<Channel>, Option<AgentOf>);

impl Reader<'_> {
    /// All numbers: those that stand alone, then those of agents. A number of an agent need not be named.
    pub(super) fn numbers(
        &mut self,
        channels: Vec<Spanned<Channel>>,
        agents: Vec<Agent>,
        mut known: Vec<String>,
    ) -> Vec<Written> {
        let mut numbers = Vec::new();
        for channel in channels {
            if channel.get_ref().id.get_ref().is_empty() {
                let help = "write id = \"main\", or whatever it shall be called";
                self.wrong(channel.span(), "a channel has no id", help);
                continue;
            }
            numbers.push((channel, None));
        }
        for agent in agents {
            let id = agent.id.get_ref().clone();
            if known.contains(&id) {
                let says = format!("two agents have the id {id:?}");
                self.wrong(agent.id.span(), says, "give each agent an id of its own");
            }
            let Some(published) = agent.published else {
                let help = "add [agent.published]; to try flows without one, write a [[channel]] instead";
                self.wrong(
                    agent.id.span(),
                    format!("the agent {id} has no published number"),
                    help,
                );
                continue;
            };
            numbers.push(of_agent(published, &id, Side::Published));
            numbers.extend(agent.draft.map(|draft| of_agent(draft, &id, Side::Draft)));
            known.push(id);
        }
        numbers
    }
}

fn of_agent(mut number: Spanned<Channel>, agent: &str, side: Side) -> Written {
    let id = &mut number.get_mut().id;
    if id.get_ref().is_empty() {
        *id.get_mut() = format!("{agent}-{}", side.name());
    }
    let of = AgentOf {
        agent: agent.to_owned(),
        side,
    };
    (number, Some(of))
}

//! What reaches a chat from outside it: something happened in the business's own systems, the customer came by a link,
//! the 24-hour window is about to close.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::calls::brought;
use super::event::Incoming;
use super::events::Standing;
use super::later::PLANS;
use super::machine::Machine;
use super::position::{Mode, Planned};
use super::run::Run;
use super::silence::later;
use super::turn::Log;
use crate::flow::fold::fold;
use crate::flow::program::{FlowIx, Start};
use crate::flow::value::Record;

/// How long customers can be written to freely after their last message, in seconds.
pub const WINDOW: u64 = 24 * 3600;
/// So long before that `on window closing` runs.
pub const CLOSING_BEFORE: u64 = 30 * 60;

/// The timer of the window.
pub(super) const TIMER: &str = "window";

/// Whether this timer says that the window is about to close: what it leads to nobody asked for just now.
pub fn is_window_closing(timer: &str) -> bool {
    timer == TIMER
}

impl Machine {
    /// Whether a flow starts on this event with these values; if not, what to do.
    pub fn takes_event(&self, event: &str, values: &BTreeMap<String, Json>) -> Result<(), String> {
        let Some(start) = self.starts.on_event(event).first() else {
            let mut known: Vec<&str> = self.starts.events().collect();
            known.sort_unstable();
            return Err(match known.as_slice() {
                [] => format!("no flow starts on an event; write `starts on event {event}` in one"),
                known => format!("no flow starts on event {event}; there are {}", known.join(", ")),
            });
        };
        self.brings(&self.program.starts[*start], values).map(|_| ())
    }

    /// Whether a host may start this flow with these values; if not, what to do.
    pub fn takes_start(&self, flow: &str, values: &BTreeMap<String, Json>) -> Result<(), String> {
        self.start_named(flow, values).map(|_| ())
    }

    pub(super) fn start_named(
        &self,
        name: &str,
        values: &BTreeMap<String, Json>,
    ) -> Result<(FlowIx, Record), String> {
        let Some(flow) = self.flow_named(name) else {
            let all: Vec<&str> = self
                .program
                .flows
                .iter()
                .map(|flow| flow.words.as_str())
                .collect();
            return Err(format!("there is no flow {name}; there are {}", all.join(", ")));
        };
        let needs = &self.program.flows[flow as usize].needs;
        let needed = || {
            needs
                .iter()
                .map(|(name, _)| name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        if let Some(extra) = values
            .keys()
            .find(|own| needs.iter().all(|(name, _)| name != *own))
        {
            return Err(match needs.is_empty() {
                true => format!("the flow needs nothing, so it takes no {extra}"),
                false => format!("the flow needs no {extra}; it needs {}", needed()),
            });
        }
        Ok((flow, brought(needs, values)?))
    }

    fn brings(&self, start: &Start, values: &BTreeMap<String, Json>) -> Result<Record, String> {
        brought(&self.program.flows[start.flow as usize].needs, values)
    }
}

impl Run<'_> {
    /// It is a side job: it waits while a question is open or people have the chat, and lapses like a plan.
    pub(super) fn happened(&mut self, event: &str, values: &BTreeMap<String, Json>) {
        let m = self.m;
        let owners = m.starts.on_event(event);
        let brought = owners
            .first()
            .map(|start| m.brings(&m.program.starts[*start], values));
        let brought = match brought {
            None => return self.stale(&format!("no flow starts on event {event}")),
            Some(Err(why)) => return self.stale(&format!("event {event}: {why}")),
            Some(Ok(brought)) => brought,
        };
        self.extra.clone_from(&brought);
        let start = self.start_of(owners);
        self.extra.clear();
        let Some(start) = start else {
            return self.stale(&format!("no flow wants event {event} now"));
        };
        if self.p.later.len() >= PLANS {
            let plan = event.to_owned();
            return self.log.push(Log::Lapsed { plan });
        }
        let name = format!("{event}#{}", self.p.seq);
        let flow = m.program.starts[start].flow;
        self.p.later.push(Planned {
            name: name.clone(),
            due: self.at,
            flow: m.program.flows[flow as usize].name.clone(),
            step: None,
            program: m.program.hash.clone(),
            values: brought,
        });
        self.planned_timer(&name);
    }

    /// The customer has written: for a day they can be written to.
    pub(super) fn window_opens(&mut self) {
        let closing = later(self.at, WINDOW - CLOSING_BEFORE);
        self.p.window = self.m.watches_window.then_some(closing);
    }

    pub(super) fn window_closing(&mut self) {
        self.p.window = None;
        if self.p.mode == Mode::Human || self.memory.opted_out {
            return;
        }
        match self.standing() {
            Standing::Idle | Standing::Question(_) => {}
            Standing::Service | Standing::Changed(_) | Standing::Gone => {
                return self.stale("the window closes while something else is waited for");
            }
        }
        let m = self.m;
        let on =
            self.first_on(|index, allowed| index.on_window_closing().iter().copied().find(|on| allowed(*on)));
        if let Some(on) = on {
            self.open_uninvited();
            return self.interrupt(on);
        }
        if self.p.frames.is_empty()
            && let Some(start) = self.start_of(m.starts.on_window_closing())
        {
            self.open_uninvited();
            self.start(start);
        }
    }

    pub(super) fn on_link(&self, incoming: &Incoming) -> Option<usize> {
        let codes = self.m.links_interrupt.then(|| codes(incoming))?;
        self.first_on(|index, allowed| index.on_link(&codes).find(|on| allowed(*on)))
    }

    pub(super) fn start_by_link(&self, incoming: &Incoming) -> Option<usize> {
        let index = &self.m.starts;
        let found: Vec<usize> = index
            .has_links()
            .then(|| index.on_link(&codes(incoming)).collect())?;
        self.start_of(&found)
    }
}

/// Codes that came with a message, folded: those of the advertisement, and of a link's ready-made text the whole of it,
/// what stands in brackets, and what follows a `#`.
fn codes(incoming: &Incoming) -> Vec<String> {
    let mut codes: Vec<String> = incoming.links.iter().map(|code| fold(code)).collect();
    let text = incoming.text.as_str();
    codes.push(fold(text));
    for part in text.split(['[', '(']).skip(1) {
        codes.extend(part.split_once([']', ')']).map(|(code, _)| fold(code)));
    }
    for part in text.split('#').skip(1) {
        let end = part.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')));
        codes.push(fold(&part[..end.unwrap_or(part.len())]));
    }
    codes.retain(|code| !code.is_empty());
    codes
}

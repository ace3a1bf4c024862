//! Names to indices, for the whole business, before any code is made. The first of two equal names wins.

use std::collections::HashMap;

use crate::flow::program::{FlowIx, FormOf, StepIx};
use crate::flow::tree::{self, Tree};

#[derive(Debug, Default)]
pub(super) struct Names<'t> {
    flows: HashMap<&'t str, FlowIx>,
    steps: HashMap<(FlowIx, &'t str), StepIx>,
    /// First step of each flow.
    entries: Vec<StepIx>,
    /// The first flow that not only other flows start.
    first_open: Option<FlowIx>,
    teams: HashMap<&'t str, u32>,
    templates: HashMap<&'t str, u32>,
    forms: HashMap<&'t str, &'t tree::FormOf>,
    actions: HashMap<(&'t str, &'t str), (u32, u32)>,
}

impl<'t> Names<'t> {
    pub(super) fn of(tree: &'t Tree) -> Names<'t> {
        let mut names = Names::default();
        let mut next_step = 0;
        for (flow, index) in tree.flows.iter().zip(0..) {
            names.flows.entry(&flow.name.slug).or_insert(index);
            names.entries.push(next_step);
            if !flow.called {
                names.first_open.get_or_insert(index);
            }
            for step in &flow.steps {
                names.steps.entry((index, &step.name.slug)).or_insert(next_step);
                next_step += 1;
            }
            if flow.steps.is_empty() {
                // The step that lowering supplies.
                next_step += 1;
            }
        }
        if let Some(business) = &tree.business {
            for (team, index) in business.teams.iter().zip(0..) {
                names.teams.entry(&team.name.text).or_insert(index);
            }
            for (template, index) in business.templates.iter().zip(0..) {
                names.templates.entry(&template.name.text).or_insert(index);
            }
            for form in &business.forms {
                names.forms.entry(&form.name.text).or_insert(form);
            }
            for (service, at) in business.services.iter().zip(0..) {
                for (action, index) in service.actions.iter().zip(0..) {
                    names
                        .actions
                        .entry((&service.name.text, &action.name.text))
                        .or_insert((at, index));
                }
            }
        }
        names
    }

    pub(super) fn flow(&self, slug: &str) -> Option<FlowIx> {
        self.flows.get(slug).copied()
    }

    pub(super) fn step(&self, flow: FlowIx, slug: &str) -> Option<StepIx> {
        self.steps.get(&(flow, slug)).copied()
    }

    pub(super) fn entry(&self, flow: FlowIx) -> StepIx {
        self.entries.get(flow as usize).copied().unwrap_or_default()
    }

    pub(super) fn first_open_flow(&self) -> Option<FlowIx> {
        self.first_open
    }

    /// The team of this name; without a name, or if there is none, the first. `None`: the business has no team.
    pub(super) fn team(&self, name: Option<&str>) -> Option<u32> {
        name.and_then(|name| self.teams.get(name).copied())
            .or((!self.teams.is_empty()).then_some(0))
    }

    pub(super) fn template(&self, name: &str) -> Option<u32> {
        self.templates.get(name).copied()
    }

    pub(super) fn form(&self, name: &str) -> Option<FormOf> {
        self.forms.get(name).map(|form| FormOf {
            id: form.id.source.clone(),
            gives: super::flow::fields(&form.gives),
        })
    }

    /// `service.action`.
    pub(super) fn action(&self, path: &[String]) -> Option<(u32, u32)> {
        match path {
            [service, action] => self.actions.get(&(service.as_str(), action.as_str())).copied(),
            _ => None,
        }
    }
}

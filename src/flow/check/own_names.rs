//! Names that people give: each once (F107), and none that means something already (F108).

use std::collections::HashMap;

use super::Shop;
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::names::{PLACES, RESERVED, ROOTS};
use crate::flow::source::Span;
use crate::flow::tree::{Name, Path};

/// Looks for a second thing of the same name.
fn same_names<'t>(what: &str, items: impl Iterator<Item = (&'t str, Span)>, found: &mut Vec<Diagnostic>) {
    let mut first: HashMap<&str, Span> = HashMap::new();
    for (name, span) in items {
        if let Some(earlier) = first.insert(name, span) {
            first.insert(name, earlier);
            found.push(
                Diagnostic::new(
                    Code::F107,
                    span,
                    format!("there are two {what} of this name"),
                    "defined a second time here",
                )
                .label(earlier, "first defined here")
                .note("Only the first would ever be used. Give one of them another name."),
            );
        }
    }
}

pub(super) fn twice(shop: &Shop, found: &mut Vec<Diagnostic>) {
    let flows = shop.tree.flows.iter();
    same_names(
        "flows",
        flows
            .clone()
            .map(|flow| (flow.name.slug.as_str(), flow.name.span)),
        found,
    );
    let field = |field: &crate::flow::tree::Field| (field.path.parts.join("."), field.path.span);
    let fields = |what: &str, all: &[crate::flow::tree::Field], found: &mut Vec<Diagnostic>| {
        let all: Vec<(String, Span)> = all.iter().map(field).collect();
        same_names(what, all.iter().map(|(name, span)| (name.as_str(), *span)), found);
    };
    for flow in flows {
        same_names(
            "steps",
            flow.steps
                .iter()
                .map(|step| (step.name.slug.as_str(), step.name.span)),
            found,
        );
        fields("values", &flow.needs, found);
        fields("values", &flow.gives, found);
    }
    let Some(business) = &shop.tree.business else {
        return;
    };
    let name = |name: &'_ Name| name.span;
    same_names(
        "teams",
        business
            .teams
            .iter()
            .map(|each| (each.name.text.as_str(), name(&each.name))),
        found,
    );
    same_names(
        "pieces of knowledge",
        business
            .knowledge
            .iter()
            .map(|each| (each.name.text.as_str(), name(&each.name))),
        found,
    );
    same_names(
        "forms",
        business
            .forms
            .iter()
            .map(|each| (each.name.text.as_str(), name(&each.name))),
        found,
    );
    same_names(
        "topics",
        business
            .topics
            .iter()
            .map(|each| (each.name.text.as_str(), name(&each.name))),
        found,
    );
    same_names(
        "templates",
        business
            .templates
            .iter()
            .map(|each| (each.name.text.as_str(), name(&each.name))),
        found,
    );
    same_names(
        "services",
        business
            .services
            .iter()
            .map(|each| (each.name.text.as_str(), name(&each.name))),
        found,
    );
    for service in &business.services {
        same_names(
            "actions",
            service
                .actions
                .iter()
                .map(|each| (each.name.text.as_str(), name(&each.name))),
            found,
        );
    }
    fields("fields", &business.memory, found);
    for team in &business.teams {
        value_like(&team.name, "team", found);
    }
}

fn value_like(name: &Name, what: &str, found: &mut Vec<Diagnostic>) {
    if RESERVED.contains(&name.text.as_str()) || ROOTS.contains(&name.text.as_str()) {
        found.push(reserved(
            name.span,
            format!("a {what} can't be called {}", name.text),
            "this word already means something",
        ));
    }
}

fn reserved(span: Span, message: String, label: &str) -> Diagnostic {
    Diagnostic::new(Code::F108, span, message, label)
}

/// A step whose name is a place that every flow has can't be reached: the arrow goes to the place.
pub(super) fn reserved_places(shop: &Shop, found: &mut Vec<Diagnostic>) {
    for flow in &shop.tree.flows {
        for (index, step) in flow.steps.iter().enumerate() {
            let slug = step.name.slug.as_str();
            // `start` is the first step anyway.
            if PLACES.contains(&slug) || (slug == "start" && index > 0) || slug.starts_with("handoff_to_") {
                found.push(
                    reserved(
                        step.name.span,
                        format!("a step can't be called {}", step.name.words),
                        "no arrow could lead here",
                    )
                    .note(format!(
                        "`-> {}` already means something in every flow. Give the step another name.",
                        step.name.words
                    )),
                );
            }
        }
    }
}

pub(super) fn value_name(shop: &Shop, name: &str, span: Span, found: &mut Vec<Diagnostic>) {
    let label = if RESERVED.contains(&name) {
        "this word means something in conditions"
    } else if ROOTS.contains(&name) {
        "this name belongs to Switchboard"
    } else if shop.names.team(name).is_some() {
        "this is the name of a team"
    } else {
        return;
    };
    found.push(
        reserved(span, format!("a value can't be called {name}"), label)
            .note(format!("Choose another name, for example  {name}_answer")),
    );
}

pub(super) fn set_name(shop: &Shop, path: &Path, found: &mut Vec<Diagnostic>) {
    let Some(root) = path.parts.first() else { return };
    // `set contact.x` and `set chat.x` write declared memory; F404 looks at the field.
    if (root == "contact" || root == "chat") && path.parts.len() > 1 {
        return;
    }
    value_name(shop, root, path.span, found);
}

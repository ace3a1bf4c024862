//! `(was …)`: the name under which people still wait (F802). It leads them nowhere if the old name is a step of its own, or
//! if two steps say they had it.

use std::collections::HashMap;

use super::Shop;
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::source::Span;

pub(super) fn check(shop: &Shop, found: &mut Vec<Diagnostic>) {
    for flow in &shop.tree.flows {
        let mut taken: HashMap<&str, Span> = HashMap::new();
        for step in &flow.steps {
            let Some(was) = &step.was else { continue };
            let there = flow.steps.iter().find(|other| other.name.slug == was.slug);
            if let Some(there) = there {
                let diagnostic = Diagnostic::new(
                    Code::F802,
                    was.span,
                    format!("the step {:?} is still there", was.words),
                    "named as an earlier name here",
                );
                let itself = there.name.span == step.name.span;
                found.push(if itself {
                    diagnostic.note("Take the `(was …)` away.")
                } else {
                    diagnostic
                        .label(there.name.span, "this step has the name")
                        .note("People who wait there would be led elsewhere. Name the step that this one really was, or take the `(was …)` away.")
                });
            } else if let Some(first) = taken.insert(was.slug.as_str(), was.span) {
                found.push(
                    Diagnostic::new(
                        Code::F802,
                        was.span,
                        format!("two steps were {:?} before", was.words),
                        "named a second time here",
                    )
                    .label(first, "first named here")
                    .note("People who wait under the old name can only be led to one of them."),
                );
            }
        }
    }
}

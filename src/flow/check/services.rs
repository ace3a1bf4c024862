//! Calls of services: those whose failure nobody has an answer to (F601), addresses that lead away from their service
//! (F603), and waits that a customer doesn't sit through (F604).

use std::time::Duration;

use super::Shop;
use super::paths::first_line;
use super::walk;
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::tree::{Action, OutcomeKind, Service, StmtKind};

/// So long a customer looks at a chat in which nothing happens.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn check(shop: &Shop, found: &mut Vec<Diagnostic>) {
    let Some(business) = &shop.tree.business else {
        return;
    };
    if business.defaults.problem.is_none() {
        without_problem(shop, found);
    }
    for service in &business.services {
        host(service, found);
        for action in &service.actions {
            path(service, action, found);
            patience(action, found);
        }
    }
}

// ───────── F601 ─────────

fn without_problem(shop: &Shop, found: &mut Vec<Diagnostic>) {
    walk::statements(shop.tree, |_, stmt| {
        let StmtKind::Fetch(fetch) = &stmt.kind else {
            return;
        };
        let told = fetch
            .outcomes
            .iter()
            .any(|outcome| outcome.kind == OutcomeKind::Problem);
        if told {
            return;
        }
        found.push(
            Diagnostic::new(
                Code::F601,
                first_line(shop, stmt.span),
                format!("nothing says what happens if {} fails", fetch.action.parts.join(".")),
                "this call has no `problem` line, and the business no `problem` default",
            )
            .note("Services are down at times. The customer would get a sentence of Switchboard's, and the chat would go to people.\nAdd  problem \"…\" -> place  under this line, or  problem \"…\" -> handoff to TEAM  under `defaults` in the business file."),
        );
    });
}

// ───────── F603 ─────────

/// A blank in the host would let a value choose who is called, with the key in hand.
fn host(service: &Service, found: &mut Vec<Diagnostic>) {
    let url = &service.url;
    if url.source.contains("{{") || url.source.contains("{%") {
        found.push(
            Diagnostic::new(
                Code::F603,
                url.span,
                "a service's address is fixed",
                "a blank here could lead anywhere",
            )
            .note("The key of the service and the customer's data go to this address. Put blanks into the paths of its actions."),
        );
    }
}

fn path(service: &Service, action: &Action, found: &mut Vec<Diagnostic>) {
    let path = action.path.source.trim();
    let whole = path.starts_with("https://") || path.starts_with("http://") || path.starts_with("//");
    // Up to the query every part stands below the service's address.
    let parts = path.split(['?', '#']).next().unwrap_or_default();
    let climbs = parts.split('/').any(|part| part == "..");
    let below = path.is_empty() || path.starts_with(['/', '?']);
    let (message, label) = if whole {
        (
            "this address is outside the service",
            "a whole address, of another service perhaps",
        )
    } else if climbs {
        (
            "this address leads out of the service",
            "`..` climbs above its address",
        )
    } else if !below {
        ("this address is outside the service", "a path begins with /")
    } else {
        return;
    };
    let mut diagnostic = Diagnostic::new(Code::F603, action.path.span, message, label)
        .label(service.url.span, "this is put in front of it")
        .note(format!(
            "Only declared services are called: the key of {} must not go elsewhere. Write what follows its address,\nor declare another service.",
            service.name.text
        ));
    if !whole && !climbs && path.starts_with(|c: char| c.is_alphanumeric()) && !path.contains('"') {
        let mended = format!("\"/{path}\"");
        diagnostic = diagnostic.fix(mended.clone(), action.path.span, mended);
    }
    found.push(diagnostic);
}

// ───────── F604 ─────────

fn patience(action: &Action, found: &mut Vec<Diagnostic>) {
    if action.timeout.is_some_and(|timeout| timeout > PATIENCE) {
        let seconds = action.timeout.unwrap_or_default().as_secs();
        found.push(
            Diagnostic::new(
                Code::F604,
                action.name.span,
                format!("customers wait up to {seconds} seconds for {}", action.name.text),
                "its timeout is longer than 10 seconds",
            )
            .note("In a chat ten seconds of silence are long: people write again, or leave. Let the service answer at once and write later,\nor wait less and have a `problem` line."),
        );
    }
}

//! Answers to `private` questions (F406): they stay out of messages, memory and notes, and are gone when the flow is
//! done. They may be compared, and given to a service.

use super::blanks::{self, Blanks};
use super::walk::{self, Role};
use super::{Shop, paths::first_line};
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::source::Span;
use crate::flow::tree::{Expr, ExprKind, Stmt, StmtKind};

pub(super) fn check(shop: &Shop, blanks: &Blanks, found: &mut Vec<Diagnostic>) {
    let secrets = secrets(shop);
    if secrets.iter().all(Secrets::is_empty) {
        return;
    }
    walk::statements(shop.tree, |home, stmt| {
        let Some(secrets) = home.flow.map(|flow| &secrets[flow]).filter(|one| !one.is_empty()) else {
            return;
        };
        walk::texts(stmt, &mut |role, text| {
            let does = match role {
                Role::Note => "noted",
                // What an expression does is told by its statement.
                Role::Value => return,
                _ => "sent",
            };
            for used in blanks.uses(text) {
                if let Some(secret) = secrets.named(used.path.first()) {
                    let at = blanks::place(shop.sources, text, &used.range);
                    found.push(told(secret, at, does));
                }
            }
        });
        for (expr, does) in gives_away(stmt) {
            if let Some((secret, at)) = secrets.in_expr(expr, blanks) {
                found.push(told(secret, at, does));
            }
        }
        if let StmtKind::Remember(remember) = &stmt.kind
            && let Some(secret) = secrets.named(remember.value.parts.first())
        {
            found.push(told(secret, remember.value.span, "remembered"));
        }
        if let StmtKind::Set { path, value } = &stmt.kind
            && path
                .parts
                .first()
                .is_some_and(|root| root == "contact" || root == "chat")
            && let Some((secret, _)) = secrets.in_expr(value, blanks)
        {
            found.push(told(secret, first_line(shop, stmt.span), "remembered"));
        }
    });
}

fn told(secret: &Secret, at: Span, does: &str) -> Diagnostic {
    Diagnostic::new(
        Code::F406,
        at,
        format!("a private answer is {does}"),
        format!("{} would stay in the chat, the memory or the inbox", secret.name),
    )
    .label(secret.asked, "it was asked for as private here")
    .note("What is private is kept out of logs and transcripts and dropped when the flow is done. Give it to a service, or compare\nit; or leave `private` out of the question.")
}

/// Expressions by which a statement sends or notes something.
fn gives_away(stmt: &Stmt) -> Vec<(&Expr, &'static str)> {
    match &stmt.kind {
        StmtKind::SendTemplate { args, .. } => args.iter().map(|arg| (&arg.value, "sent")).collect(),
        StmtKind::Question(question) => {
            let args = question.by_template().into_iter().flat_map(|by| &by.args);
            args.map(|arg| (&arg.value, "sent")).collect()
        }
        StmtKind::SendFile(file) => vec![(&file.source, "sent")],
        StmtKind::Record { value, .. } => value.iter().map(|value| (value, "noted")).collect(),
        _ => Vec::new(),
    }
}

/// A value that is private, with the question.
struct Secret<'t> {
    name: &'t str,
    asked: Span,
}

/// The private values of one flow.
#[derive(Default)]
struct Secrets<'t>(Vec<Secret<'t>>);

impl<'t> Secrets<'t> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn named(&self, name: Option<&String>) -> Option<&Secret<'t>> {
        let name = name?;
        self.0.iter().find(|secret| secret.name == name)
    }

    /// A private value that an expression's result shows something of. A comparison shows only yes or no.
    fn in_expr(&self, expr: &Expr, blanks: &Blanks) -> Option<(&Secret<'t>, Span)> {
        match &expr.kind {
            ExprKind::Path(path) => Some((self.named(path.parts.first())?, path.span)),
            ExprKind::Text(text) => {
                let mut used = blanks.uses(text).iter();
                used.find_map(|used| Some((self.named(used.path.first())?, text.span)))
            }
            ExprKind::List(items) => items.iter().find_map(|item| self.in_expr(item, blanks)),
            ExprKind::Filter { subject, name, args } => {
                let mut parts = std::iter::once(&**subject).chain(args);
                // How many there are is no secret.
                (name.text != "count").then(|| parts.find_map(|part| self.in_expr(part, blanks)))?
            }
            ExprKind::Binary { op, left, right } => {
                use crate::flow::tree::BinaryOp::{Add, Divide, Multiply, Subtract};
                matches!(op, Add | Subtract | Multiply | Divide)
                    .then(|| self.in_expr(left, blanks).or_else(|| self.in_expr(right, blanks)))?
            }
            ExprKind::Not(_)
            | ExprKind::Test { .. }
            | ExprKind::Number(_)
            | ExprKind::YesNo(_)
            | ExprKind::Nothing
            | ExprKind::Date(_)
            | ExprKind::Time(_)
            | ExprKind::Duration(_) => None,
        }
    }
}

/// Answers to private questions, and the values that are made of them.
fn secrets<'t>(shop: &Shop<'t>) -> Vec<Secrets<'t>> {
    let mut secrets: Vec<Secrets> = shop.tree.flows.iter().map(|_| Secrets::default()).collect();
    let mut copies: Vec<(usize, &'t str, &'t Expr)> = Vec::new();
    walk::statements(shop.tree, |home, stmt| {
        let Some(flow) = home.flow else { return };
        match &stmt.kind {
            StmtKind::Question(question) if question.private => {
                if let Some(name) = &question.name {
                    secrets[flow].0.push(Secret {
                        name: &name.text,
                        asked: name.span,
                    });
                }
            }
            StmtKind::Set { path, value } => {
                if let Some(root) = path
                    .parts
                    .first()
                    .filter(|root| *root != "contact" && *root != "chat")
                {
                    copies.push((flow, root, value));
                }
            }
            _ => {}
        }
    });
    if secrets.iter().all(Secrets::is_empty) {
        return secrets;
    }
    let none = Blanks::default();
    // A copy of a copy is found in the next round; each round finds one or is the last.
    loop {
        let found = copies.iter().find_map(|(flow, name, value)| {
            let known = secrets[*flow].0.iter().any(|secret| secret.name == *name);
            let (secret, _) = (!known).then(|| secrets[*flow].in_expr(value, &none))??;
            Some((*flow, *name, secret.asked))
        });
        let Some((flow, name, asked)) = found else {
            return secrets;
        };
        secrets[flow].0.push(Secret { name, asked });
    }
}

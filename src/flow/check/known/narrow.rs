//! What the outcome of a condition tells about the values in it, and which values an expression or text needs.

use super::{Bits, Use, Walk};
use crate::flow::check::blanks;
use crate::flow::source::Span;
use crate::flow::tree::{BinaryOp, Expr, ExprKind, Test, Text};

impl Walk<'_, '_> {
    // ───────── what a condition tells ─────────

    pub(super) fn narrow(&self, condition: &Expr, holds: bool, known: &mut Bits) {
        match &condition.kind {
            ExprKind::Not(inner) => self.narrow(inner, !holds, known),
            ExprKind::Binary { op, left, right } => match op {
                // Both sides came out as the whole did.
                BinaryOp::And if holds => {
                    self.narrow(left, true, known);
                    self.narrow(right, true, known);
                }
                BinaryOp::Or if !holds => {
                    self.narrow(left, false, known);
                    self.narrow(right, false, known);
                }
                // One of them did: what both tell.
                BinaryOp::And | BinaryOp::Or => {
                    let (mut one, mut other) = (known.clone(), known.clone());
                    self.narrow(left, holds, &mut one);
                    self.narrow(right, holds, &mut other);
                    one.meet(&other);
                    known.union(&one);
                }
                // What is equal to something, above it or in it is known.
                BinaryOp::Is
                | BinaryOp::IsExactly
                | BinaryOp::Greater
                | BinaryOp::GreaterOrEqual
                | BinaryOp::Less
                | BinaryOp::LessOrEqual
                | BinaryOp::In
                | BinaryOp::Contains
                | BinaryOp::StartsWith
                | BinaryOp::EndsWith
                | BinaryOp::Matches
                    if holds =>
                {
                    if is_constant(right) {
                        self.mark(left, known);
                    }
                }
                BinaryOp::Is
                | BinaryOp::IsNot
                | BinaryOp::IsExactly
                | BinaryOp::Greater
                | BinaryOp::GreaterOrEqual
                | BinaryOp::Less
                | BinaryOp::LessOrEqual
                | BinaryOp::In
                | BinaryOp::Contains
                | BinaryOp::StartsWith
                | BinaryOp::EndsWith
                | BinaryOp::Matches
                | BinaryOp::Add
                | BinaryOp::Subtract
                | BinaryOp::Multiply
                | BinaryOp::Divide => {}
            },
            ExprKind::Test {
                subject,
                test,
                negated,
            } => {
                let tells = match test {
                    Test::Known => holds != *negated,
                    Test::Unknown => holds == *negated,
                    // What is not empty is known.
                    Test::Empty => holds == *negated,
                    Test::Open | Test::Closed | Test::Unheard => false,
                };
                if tells {
                    self.mark(subject, known);
                }
            }
            // `if contact.vip`: yes is a value.
            ExprKind::Path(_) if holds => self.mark(condition, known),
            ExprKind::Path(_)
            | ExprKind::Text(_)
            | ExprKind::Number(_)
            | ExprKind::YesNo(_)
            | ExprKind::Nothing
            | ExprKind::Date(_)
            | ExprKind::Time(_)
            | ExprKind::Duration(_)
            | ExprKind::List(_)
            | ExprKind::Filter { .. } => {}
        }
    }

    fn mark(&self, subject: &Expr, known: &mut Bits) {
        if let ExprKind::Path(path) = &subject.kind
            && let Some(bit) = self.layout.bit(self.home.flow, &path.parts)
        {
            known.set(bit);
        }
    }

    // ───────── uses ─────────

    /// `strict`: an unknown value would be a fault here. In conditions unknown memory simply isn't equal to anything.
    pub(super) fn expr(&mut self, expr: &Expr, known: &Bits, strict: bool) {
        match &expr.kind {
            ExprKind::Path(path) => {
                let memory = self
                    .layout
                    .bit(self.home.flow, &path.parts)
                    .is_some_and(|bit| self.layout.is_memory(bit));
                if strict || !memory {
                    self.used(&path.parts, path.span, known, Use::Line);
                }
            }
            ExprKind::Text(text) => self.text(text, known),
            ExprKind::Not(inner) => self.expr(inner, known, strict),
            ExprKind::List(items) => items.iter().for_each(|item| self.expr(item, known, strict)),
            ExprKind::Binary { op, left, right } => match op {
                BinaryOp::And | BinaryOp::Or => {
                    self.expr(left, known, false);
                    let mut after = known.clone();
                    self.narrow(left, *op == BinaryOp::And, &mut after);
                    self.expr(right, &after, false);
                }
                BinaryOp::Is
                | BinaryOp::IsNot
                | BinaryOp::IsExactly
                | BinaryOp::In
                | BinaryOp::Contains
                | BinaryOp::StartsWith
                | BinaryOp::EndsWith
                | BinaryOp::Matches
                | BinaryOp::Greater
                | BinaryOp::GreaterOrEqual
                | BinaryOp::Less
                | BinaryOp::LessOrEqual => {
                    self.expr(left, known, false);
                    self.expr(right, known, false);
                }
                BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide => {
                    self.expr(left, known, true);
                    self.expr(right, known, true);
                }
            },
            ExprKind::Test { subject, .. } => {
                // Asking whether it is known is what one may always do.
                if !matches!(subject.kind, ExprKind::Path(_)) {
                    self.expr(subject, known, strict);
                }
            }
            ExprKind::Filter { subject, name, args } => {
                let guarded = name.text == "default" && matches!(subject.kind, ExprKind::Path(_));
                if !guarded {
                    self.expr(subject, known, true);
                }
                args.iter().for_each(|arg| self.expr(arg, known, true));
            }
            ExprKind::Number(_)
            | ExprKind::YesNo(_)
            | ExprKind::Nothing
            | ExprKind::Date(_)
            | ExprKind::Time(_)
            | ExprKind::Duration(_) => {}
        }
    }

    pub(super) fn text(&mut self, text: &Text, known: &Bits) {
        if self.reporting.is_none() {
            return;
        }
        let texts = self.texts;
        for used in texts.uses(text).iter().filter(|used| !used.guarded) {
            let Some(bit) = self.layout.bit(self.home.flow, &used.path) else {
                continue;
            };
            if !known.get(bit) {
                let at = blanks::place(self.shop.sources, text, &used.range);
                self.used(&used.path, at, known, Use::Text);
            }
        }
    }

    pub(super) fn used(&mut self, path: &[String], at: Span, known: &Bits, how: Use) {
        if self.reporting.is_none() {
            return;
        }
        let Some(bit) = self.layout.bit(self.home.flow, path) else {
            return;
        };
        if known.get(bit) {
            return;
        }
        let diagnostic = self.not_known(path, at, how);
        if let Some(found) = &mut self.reporting {
            found.push(diagnostic);
        }
    }
}

fn is_constant(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Text(_)
        | ExprKind::Number(_)
        | ExprKind::YesNo(_)
        | ExprKind::Date(_)
        | ExprKind::Time(_)
        | ExprKind::Duration(_)
        | ExprKind::List(_) => true,
        ExprKind::Nothing
        | ExprKind::Path(_)
        | ExprKind::Not(_)
        | ExprKind::Binary { .. }
        | ExprKind::Test { .. }
        | ExprKind::Filter { .. } => false,
    }
}

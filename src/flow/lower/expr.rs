//! Expressions: the same shape without places; their texts join the program's.

use super::{Lowering, index};
use crate::flow::program::{Expr, ExprIx};
use crate::flow::tree::{self, Arg, ExprKind};

impl Lowering<'_> {
    pub(super) fn expr(&mut self, expr: &tree::Expr) -> ExprIx {
        let lowered = self.placeless(expr);
        self.add_expr(lowered)
    }

    pub(super) fn optional_expr(&mut self, expr: Option<&tree::Expr>) -> Option<ExprIx> {
        expr.map(|expr| self.expr(expr))
    }

    pub(super) fn add_expr(&mut self, expr: Expr) -> ExprIx {
        self.exprs.push(expr);
        index(self.exprs.len() - 1)
    }

    pub(super) fn args(&mut self, args: &[Arg]) -> Vec<(String, ExprIx)> {
        args.iter()
            .map(|arg| (arg.name.text.clone(), self.expr(&arg.value)))
            .collect()
    }

    fn placeless(&mut self, expr: &tree::Expr) -> Expr {
        match &expr.kind {
            ExprKind::Text(text) => Expr::Text(self.text(text)),
            ExprKind::Number(number) => Expr::Number(*number),
            ExprKind::YesNo(yes) => Expr::YesNo(*yes),
            ExprKind::Nothing => Expr::Nothing,
            ExprKind::Date(date) => Expr::Date(*date),
            ExprKind::Time(time) => Expr::Time(*time),
            ExprKind::Duration(duration) => Expr::Duration(duration.as_secs()),
            ExprKind::List(items) => Expr::List(items.iter().map(|item| self.placeless(item)).collect()),
            ExprKind::Path(path) => Expr::Path(path.parts.clone()),
            ExprKind::Not(inner) => Expr::Not(Box::new(self.placeless(inner))),
            ExprKind::Binary { op, left, right } => Expr::Binary(
                *op,
                Box::new(self.placeless(left)),
                Box::new(self.placeless(right)),
            ),
            ExprKind::Test {
                subject,
                test,
                negated,
            } => Expr::Test {
                subject: Box::new(self.placeless(subject)),
                test: *test,
                negated: *negated,
            },
            ExprKind::Filter { subject, name, args } => Expr::Filter {
                subject: Box::new(self.placeless(subject)),
                name: name.text.clone(),
                args: args.iter().map(|arg| self.placeless(arg)).collect(),
            },
        }
    }
}

//! Which values a text looks up, where, and whether it copes with not knowing them.

use std::ops::Range;

use minijinja::machinery::ast::{self, Expr, Stmt};

use super::lint::{call_args, parsed, range_of};

/// One place of a text that looks a value up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedPath {
    /// `["contact", "first_name"]`.
    pub path: Vec<String>,
    /// Bytes of the text.
    pub range: Range<usize>,
    /// The text copes with an unknown value here: `| default(…)`, `is known`, or inside `{% if … is known %}`.
    pub guarded: bool,
}

impl UsedPath {
    /// `contact.first_name`.
    pub fn dotted(&self) -> String {
        self.path.join(".")
    }
}

/// Every look-up of a text in the order of reading. Names that the text itself introduces (`{% for x in … %}`) are
/// left out. Empty if the text can't be read; [`super::lint`] says why.
pub fn paths(source: &str) -> Vec<UsedPath> {
    if !source.contains("{{") && !source.contains("{%") {
        return Vec::new();
    }
    let mut walk = Walk::default();
    if let Ok(tree) = parsed(source) {
        walk.stmt(&tree);
    }
    walk.used
}

#[derive(Default)]
struct Walk {
    used: Vec<UsedPath>,
    /// Names introduced by loops and `with`.
    own: Vec<String>,
    /// Paths known for certain here.
    known: Vec<Vec<String>>,
}

impl Walk {
    fn body(&mut self, body: &[Stmt], known: Vec<Vec<String>>) {
        let (names, facts) = (self.own.len(), self.known.len());
        self.known.extend(known);
        body.iter().for_each(|stmt| self.stmt(stmt));
        self.own.truncate(names);
        self.known.truncate(facts);
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Template(template) => self.body(&template.children, Vec::new()),
            Stmt::EmitExpr(emit) => self.expr(&emit.expr),
            Stmt::EmitRaw(_) => {}
            Stmt::ForLoop(for_loop) => {
                self.expr(&for_loop.iter);
                let names = self.own.len();
                self.own.push("loop".to_owned());
                self.introduce(&for_loop.target);
                if let Some(filter) = &for_loop.filter_expr {
                    self.expr(filter);
                }
                self.body(&for_loop.body, Vec::new());
                self.own.truncate(names);
                self.body(&for_loop.else_body, Vec::new());
            }
            Stmt::IfCond(condition) => {
                self.expr(&condition.expr);
                self.body(&condition.true_body, known_if(&condition.expr, true));
                self.body(&condition.false_body, known_if(&condition.expr, false));
            }
            Stmt::WithBlock(with) => {
                let names = self.own.len();
                for (target, value) in &with.assignments {
                    self.expr(value);
                    self.introduce(target);
                }
                self.body(&with.body, Vec::new());
                self.own.truncate(names);
            }
            // Refused by the lint; what they look up is still named.
            Stmt::Set(set) => {
                self.expr(&set.expr);
                self.introduce(&set.target);
            }
            Stmt::SetBlock(set) => {
                self.body(&set.body, Vec::new());
                self.introduce(&set.target);
            }
            Stmt::AutoEscape(block) => self.body(&block.body, Vec::new()),
            Stmt::FilterBlock(block) => self.body(&block.body, Vec::new()),
            Stmt::Do(call) => call.call.args.iter().for_each(|arg| self.expr(call_args(arg))),
        }
    }

    fn introduce(&mut self, target: &Expr) {
        match target {
            Expr::Var(var) => self.own.push(var.id.to_owned()),
            Expr::List(list) => list.items.iter().for_each(|item| self.introduce(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.introduce(item)),
            _ => {}
        }
    }

    fn expr(&mut self, expr: &Expr) {
        self.look(expr, false);
    }

    /// `guarded`: whoever asks copes with an unknown value.
    fn look(&mut self, expr: &Expr, guarded: bool) {
        if let Some(path) = path_of(expr) {
            if !self.own.contains(&path[0]) {
                let guarded = guarded
                    || self
                        .known
                        .iter()
                        .any(|known| path.starts_with(known) || known.starts_with(&path));
                self.used.push(UsedPath {
                    path,
                    range: range_of(expr.span()),
                    guarded,
                });
            }
            return;
        }
        match expr {
            Expr::Var(_) | Expr::Const(_) => {}
            Expr::Slice(slice) => {
                self.expr(&slice.expr);
                for part in [&slice.start, &slice.stop, &slice.step].into_iter().flatten() {
                    self.expr(part);
                }
            }
            Expr::UnaryOp(op) => self.expr(&op.expr),
            Expr::BinOp(op) => {
                self.expr(&op.left);
                let outcome = match op.op {
                    ast::BinOpKind::ScAnd => known_if(&op.left, true),
                    ast::BinOpKind::ScOr => known_if(&op.left, false),
                    _ => Vec::new(),
                };
                let facts = self.known.len();
                self.known.extend(outcome);
                self.expr(&op.right);
                self.known.truncate(facts);
            }
            Expr::Compare(compare) => {
                self.expr(&compare.expr);
                compare.ops.iter().for_each(|op| self.expr(&op.expr));
            }
            Expr::IfExpr(choice) => {
                self.expr(&choice.test_expr);
                let facts = self.known.len();
                self.known.extend(known_if(&choice.test_expr, true));
                self.expr(&choice.true_expr);
                self.known.truncate(facts);
                if let Some(other) = &choice.false_expr {
                    self.known.extend(known_if(&choice.test_expr, false));
                    self.expr(other);
                    self.known.truncate(facts);
                }
            }
            Expr::Filter(filter) => {
                if let Some(subject) = &filter.expr {
                    self.look(subject, guarded || filter.name == "default");
                }
                filter.args.iter().for_each(|arg| self.expr(call_args(arg)));
            }
            Expr::Test(test) => {
                self.look(
                    &test.expr,
                    guarded || matches!(test.name, "known" | "unknown" | "empty"),
                );
                test.args.iter().for_each(|arg| self.expr(call_args(arg)));
            }
            Expr::GetAttr(attr) => self.look(&attr.expr, guarded),
            Expr::GetItem(item) => {
                self.look(&item.expr, guarded);
                self.expr(&item.subscript_expr);
            }
            Expr::Call(call) => {
                self.expr(&call.expr);
                call.args.iter().for_each(|arg| self.expr(call_args(arg)));
            }
            Expr::List(list) => list.items.iter().for_each(|item| self.expr(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.expr(item)),
            Expr::Map(map) => map
                .keys
                .iter()
                .chain(&map.values)
                .for_each(|item| self.expr(item)),
        }
    }
}

/// `order.eta` and `order["eta"]` are paths, `order[i]` and `f(x).y` are not.
fn path_of(expr: &Expr) -> Option<Vec<String>> {
    match expr {
        Expr::Var(var) => Some(vec![var.id.to_owned()]),
        Expr::GetAttr(attr) => {
            let mut path = path_of(&attr.expr)?;
            path.push(attr.name.to_owned());
            Some(path)
        }
        Expr::GetItem(item) => {
            let Expr::Const(key) = &item.subscript_expr else {
                return None;
            };
            let mut path = path_of(&item.expr)?;
            path.push(key.value.as_str()?.to_owned());
            Some(path)
        }
        _ => None,
    }
}

/// What is known for certain if the condition came out as `outcome`.
fn known_if(condition: &Expr, outcome: bool) -> Vec<Vec<String>> {
    match condition {
        Expr::Test(test) if test.name == if outcome { "known" } else { "unknown" } => {
            path_of(&test.expr).into_iter().collect()
        }
        // What is not empty is known.
        Expr::Test(test) if test.name == "empty" && !outcome => path_of(&test.expr).into_iter().collect(),
        Expr::UnaryOp(op) if matches!(op.op, ast::UnaryOpKind::Not) => known_if(&op.expr, !outcome),
        Expr::BinOp(op) => match (&op.op, outcome) {
            (ast::BinOpKind::ScAnd, true) | (ast::BinOpKind::ScOr, false) => {
                let mut known = known_if(&op.left, outcome);
                known.extend(known_if(&op.right, outcome));
                known
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

//! What a text may not contain, found before it is compiled. The module's head says why each rule is there.

use std::ops::Range;

use minijinja::machinery::ast::{self, BinOpKind, CallArg, Expr, Stmt};
use minijinja::machinery::{self, Span};
use minijinja::syntax::SyntaxConfig;

use super::filters::FILTERS;
use super::{SOURCE_CAP, fault};

const OPERATORS: usize = 8;
const LOOP_DEPTH: usize = 2;
const REPEAT: i64 = 50;
const TESTS: [&str; 5] = ["known", "unknown", "empty", "open", "closed"];

/// Something in a text that can't be read or is not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateMistake {
    pub kind: MistakeKind,
    /// Bytes of the text.
    pub range: Range<usize>,
    /// In words, for the author.
    pub what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MistakeKind {
    /// A blank that can't be read.
    Syntax,
    /// A filter that doesn't exist.
    UnknownFilter,
    /// A word after `is` that doesn't exist.
    UnknownTest,
    /// `{% set %}` and others: only flows decide.
    Statement,
    /// `f(x)`: there are no functions.
    Call,
    /// More than a text may have of something.
    TooMuch,
}

/// Everything that is wrong with a text, in the order of reading.
pub fn lint(source: &str) -> Vec<TemplateMistake> {
    if source.len() > SOURCE_CAP {
        return vec![TemplateMistake {
            kind: MistakeKind::TooMuch,
            range: 0..source.len(),
            what: format!("this text has {} bytes, the most is {SOURCE_CAP}", source.len()),
        }];
    }
    if !["{{", "{%", "{#"].iter().any(|mark| source.contains(mark)) {
        return Vec::new();
    }
    let tree = match parsed(source) {
        Ok(tree) => tree,
        Err(error) => return vec![unreadable(source, &error)],
    };
    let mut walk = Walk::default();
    walk.stmt(&tree);
    if walk.operators.len() > OPERATORS {
        let range = walk.operators[OPERATORS].clone();
        walk.note(
            MistakeKind::TooMuch,
            range,
            format!("a text may put at most {OPERATORS} things together with `~`, `+` and `*`"),
        );
    }
    walk.found.sort_by_key(|mistake| mistake.range.start);
    walk.found
}

pub(super) fn parsed(source: &str) -> Result<Stmt<'_>, minijinja::Error> {
    machinery::parse(source, "text", SyntaxConfig::default())
}

pub(super) fn range_of(span: Span) -> Range<usize> {
    span.start_offset as usize..span.end_offset as usize
}

pub(super) fn call_args<'a, 's>(arg: &'a CallArg<'s>) -> &'a Expr<'s> {
    match arg {
        CallArg::Pos(expr)
        | CallArg::Kwarg(_, expr)
        | CallArg::PosSplat(expr)
        | CallArg::KwargSplat(expr) => expr,
    }
}

/// A text that minijinja can't parse. Statements of features that are left out arrive here too.
fn unreadable(source: &str, error: &minijinja::Error) -> TemplateMistake {
    let fault = fault("text", error);
    let line = fault.line.max(1);
    let start: usize = source.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let end = start + source[start..].lines().next().map_or(0, str::len);
    let range = fault
        .range
        .filter(|range| range.start < range.end && range.end <= source.len())
        .unwrap_or(start..end);
    if let Some(word) = fault.what.strip_prefix("unknown statement ") {
        return TemplateMistake {
            kind: MistakeKind::Statement,
            range,
            what: format!(
                "`{word}` is not for texts: they can only show, repeat (`for`) and leave out (`if`)"
            ),
        };
    }
    TemplateMistake {
        kind: MistakeKind::Syntax,
        range,
        what: fault.what,
    }
}

#[derive(Default)]
struct Walk {
    found: Vec<TemplateMistake>,
    operators: Vec<Range<usize>>,
    repeats: usize,
    loops: usize,
}

impl Walk {
    fn note(&mut self, kind: MistakeKind, range: Range<usize>, what: impl Into<String>) {
        self.found.push(TemplateMistake {
            kind,
            range,
            what: what.into(),
        });
    }

    fn statement(&mut self, span: Span, word: &str, instead: &str) {
        self.note(
            MistakeKind::Statement,
            range_of(span),
            format!("`{word}` is not for texts: {instead}"),
        );
    }

    fn body(&mut self, body: &[Stmt]) {
        body.iter().for_each(|stmt| self.stmt(stmt));
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Template(template) => self.body(&template.children),
            Stmt::EmitExpr(emit) => self.expr(&emit.expr),
            Stmt::EmitRaw(_) => {}
            Stmt::ForLoop(for_loop) => {
                if for_loop.recursive {
                    self.statement(for_loop.span(), "recursive", "a loop can't call itself");
                }
                self.expr(&for_loop.iter);
                self.loops += 1;
                if self.loops > LOOP_DEPTH {
                    self.note(
                        MistakeKind::TooMuch,
                        range_of(for_loop.span()),
                        format!("loops in a text may stand at most {LOOP_DEPTH} deep"),
                    );
                }
                if let Some(filter) = &for_loop.filter_expr {
                    self.expr(filter);
                }
                self.body(&for_loop.body);
                self.loops -= 1;
                self.body(&for_loop.else_body);
            }
            Stmt::IfCond(condition) => {
                self.expr(&condition.expr);
                self.body(&condition.true_body);
                self.body(&condition.false_body);
            }
            Stmt::WithBlock(block) => {
                self.statement(block.span(), "with", "write `set` in the flow, above the message");
            }
            Stmt::Set(set) => self.statement(set.span(), "set", "write `set` in the flow, above the message"),
            Stmt::SetBlock(set) => {
                self.statement(set.span(), "set", "write `set` in the flow, above the message")
            }
            Stmt::AutoEscape(block) => {
                self.statement(block.span(), "autoescape", "messages are never escaped")
            }
            Stmt::FilterBlock(block) => {
                self.statement(
                    block.span(),
                    "filter",
                    "put the filter behind the value: `{{ value | upper }}`",
                );
            }
            Stmt::Do(call) => self.statement(call.span(), "do", "only flows act"),
        }
    }

    fn expr(&mut self, expr: &Expr) {
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
                self.operator(op);
                self.expr(&op.left);
                self.expr(&op.right);
            }
            Expr::Compare(compare) => {
                self.expr(&compare.expr);
                compare.ops.iter().for_each(|op| self.expr(&op.expr));
            }
            Expr::IfExpr(choice) => {
                self.expr(&choice.test_expr);
                self.expr(&choice.true_expr);
                if let Some(other) = &choice.false_expr {
                    self.expr(other);
                }
            }
            Expr::Filter(filter) => {
                if !FILTERS.contains(&filter.name) {
                    let near = FILTERS
                        .iter()
                        .min_by_key(|known| strsim::osa_distance(known, filter.name));
                    let near = near.filter(|known| strsim::osa_distance(known, filter.name) <= 2);
                    let what = match near {
                        Some(near) => format!("there is no filter `{}`; did you mean `{near}`?", filter.name),
                        None => format!(
                            "there is no filter `{}`; there are {}",
                            filter.name,
                            FILTERS.join(", ")
                        ),
                    };
                    self.note(MistakeKind::UnknownFilter, range_of(filter.span()), what);
                }
                if let Some(subject) = &filter.expr {
                    self.expr(subject);
                }
                filter.args.iter().for_each(|arg| self.arg(arg, filter.span()));
            }
            Expr::Test(test) => {
                if !TESTS.contains(&test.name) {
                    self.note(
                        MistakeKind::UnknownTest,
                        range_of(test.span()),
                        format!("there is no `is {}`; there are {}", test.name, TESTS.join(", ")),
                    );
                }
                self.expr(&test.expr);
                test.args.iter().for_each(|arg| self.arg(arg, test.span()));
            }
            Expr::GetAttr(attr) => self.expr(&attr.expr),
            Expr::GetItem(item) => {
                self.expr(&item.expr);
                self.expr(&item.subscript_expr);
            }
            Expr::Call(call) => {
                self.note(
                    MistakeKind::Call,
                    range_of(call.span()),
                    "there are no functions in texts; filters are written `{{ value | filter }}`",
                );
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

    fn arg(&mut self, arg: &CallArg, of: Span) {
        match arg {
            CallArg::Pos(expr) => self.expr(expr),
            CallArg::Kwarg(..) | CallArg::PosSplat(_) | CallArg::KwargSplat(_) => self.note(
                MistakeKind::Call,
                range_of(of),
                "a filter takes its words plainly, as in `short(200)`",
            ),
        }
    }

    fn operator(&mut self, op: &ast::Spanned<ast::BinOp>) {
        let range = range_of(op.span());
        match op.op {
            BinOpKind::Concat | BinOpKind::Add => self.operators.push(range),
            BinOpKind::Mul => {
                self.operators.push(range.clone());
                self.repeats += 1;
                let small = |side: &Expr| match side {
                    Expr::Const(number) => {
                        i64::try_from(number.value.clone()).is_ok_and(|n| (0..=REPEAT).contains(&n))
                            || f64::try_from(number.value.clone()).is_ok_and(|n| n.abs() <= REPEAT as f64)
                    }
                    _ => false,
                };
                if self.repeats > 1 || self.loops > 0 || !(small(&op.left) || small(&op.right)) {
                    self.note(
                        MistakeKind::TooMuch,
                        range,
                        format!(
                            "a text may multiply once, by a written number up to {REPEAT}, and not inside a loop; \
                             calculate in the flow with `set`"
                        ),
                    );
                }
            }
            BinOpKind::Pow => self.note(
                MistakeKind::TooMuch,
                range,
                "`**` is not for texts; calculate in the flow with `set`",
            ),
            BinOpKind::Eq
            | BinOpKind::Ne
            | BinOpKind::Lt
            | BinOpKind::Lte
            | BinOpKind::Gt
            | BinOpKind::Gte
            | BinOpKind::ScAnd
            | BinOpKind::ScOr
            | BinOpKind::Sub
            | BinOpKind::Div
            | BinOpKind::FloorDiv
            | BinOpKind::Rem
            | BinOpKind::In => {}
        }
    }
}

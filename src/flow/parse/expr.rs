//! Expressions: the flat run of terms and operators from the grammar becomes a tree by how tightly words bind:
//! `or`, `and`, `not`, comparisons, `+ -`, `* /`, filters.

use std::iter::Peekable;
use std::vec::IntoIter;

use pest::iterators::Pair;

use super::Rule;
use super::reader::Reader;
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::source::Span;
use crate::flow::tree::{BinaryOp, Expr, ExprKind, Test};

/// More terms than this in one expression are refused: it could not be read by people either, and the tree of
/// `a + a + …` is as deep as it is long.
const MOST_TERMS: usize = 64;

const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARE: u8 = 4;
const SUM: u8 = 5;
const PRODUCT: u8 = 6;

enum Token {
    Not(Span),
    /// With its filters.
    Term(Expr),
    Test {
        test: Test,
        negated: bool,
        span: Span,
    },
    Operator(Operator, Span),
}

#[derive(Clone, Copy)]
enum Operator {
    Plain(BinaryOp),
    /// `not in`, `is not in`.
    NotIn,
}

type Tokens = Peekable<IntoIter<Token>>;

impl<'i> Reader<'i, '_, '_> {
    pub fn expr(&mut self) -> Expr {
        let pair = self.take(Rule::expr);
        self.expr_of(pair)
    }

    fn expr_of(&mut self, pair: Pair<'i, Rule>) -> Expr {
        let whole = self.span(&pair);
        let mut inner = self.inside(pair);
        let mut tokens = Vec::new();
        while let Some(pair) = inner.next() {
            let span = inner.span(&pair);
            match pair.as_rule() {
                Rule::k_not => tokens.push(Token::Not(span)),
                Rule::primary => {
                    let mut term = inner.primary(pair);
                    while let Some(filter) = inner.maybe(Rule::filter) {
                        term = inner.filter(term, filter);
                    }
                    tokens.push(Token::Term(term));
                }
                Rule::test => tokens.push(inner.test(pair)),
                Rule::operator => {
                    let operator = operator(inner.inside(pair));
                    tokens.push(Token::Operator(operator, span));
                }
                other => unreachable!("flow.pest has no {other:?} in an expression"),
            }
        }
        if tokens.len() > MOST_TERMS * 2 {
            inner.mistake(Diagnostic::new(
                Code::F001,
                whole,
                "this condition is too long to follow",
                "keep a part of it with `set`, and use that",
            ));
            return nothing(whole);
        }
        let mut tokens = tokens.into_iter().peekable();
        inner.climb(&mut tokens, 0, whole)
    }

    /// Reads terms joined by operators that bind tighter than `floor`.
    fn climb(&mut self, tokens: &mut Tokens, floor: u8, whole: Span) -> Expr {
        let mut left = match tokens.next() {
            Some(Token::Term(term)) => term,
            Some(Token::Not(span)) => {
                if floor > NOT {
                    self.mistake(
                        Diagnostic::new(
                            Code::F001,
                            span,
                            "`not` can't stand here",
                            "put brackets around it",
                        )
                        .note("`not` turns a whole condition round: not (a and b), not x is known."),
                    );
                }
                let inner = self.climb(tokens, NOT - 1, whole);
                Expr {
                    span: span.to(inner.span),
                    kind: ExprKind::Not(Box::new(inner)),
                }
            }
            _ => nothing(whole),
        };
        let mut compared = false;
        while let Some(token) = tokens.peek() {
            let (binds, span) = match token {
                Token::Operator(operator, span) => (binding(*operator), *span),
                Token::Test { span, .. } => (COMPARE, *span),
                Token::Not(_) | Token::Term(_) => break,
            };
            if binds <= floor {
                break;
            }
            if binds == COMPARE && std::mem::replace(&mut compared, true) {
                self.mistake(
                    Diagnostic::new(
                        Code::F001,
                        span,
                        "two comparisons in a row",
                        "a condition compares two things at a time",
                    )
                    .note("Join comparisons with `and`: x > 1 and x < 5."),
                );
            }
            left = match tokens.next() {
                Some(Token::Test { test, negated, span }) => Expr {
                    span: left.span.to(span),
                    kind: ExprKind::Test {
                        subject: Box::new(left),
                        test,
                        negated,
                    },
                },
                Some(Token::Operator(operator, _)) => {
                    let right = self.climb(tokens, binds, whole);
                    joined(operator, left, right)
                }
                _ => break,
            };
        }
        left
    }

    fn primary(&mut self, pair: Pair<'i, Rule>) -> Expr {
        let span = self.span(&pair);
        let mut inner = self.inside(pair);
        let Some(pair) = inner.next() else {
            return nothing(span);
        };
        let kind = match pair.as_rule() {
            Rule::group => {
                let mut group = inner.inside(pair);
                group.take(Rule::open_round);
                // The brackets belong to the place of the expression, so that what is around it covers them.
                return Expr { span, ..group.expr() };
            }
            Rule::list => {
                let mut list = inner.inside(pair);
                list.take(Rule::open_square);
                ExprKind::List(list.exprs())
            }
            Rule::text => ExprKind::Text(inner.text_of(&pair)),
            Rule::day => ExprKind::Date(inner.date_of(&pair)),
            Rule::clock => ExprKind::Time(inner.time_of(&pair, false)),
            Rule::duration => ExprKind::Duration(inner.duration_of(pair)),
            Rule::number => ExprKind::Number(inner.number_of(&pair)),
            Rule::k_yes => ExprKind::YesNo(true),
            Rule::k_no => ExprKind::YesNo(false),
            Rule::k_nothing => ExprKind::Nothing,
            Rule::value => ExprKind::Path(inner.inside(pair).path()),
            other => unreachable!("flow.pest has no {other:?} as a term"),
        };
        Expr { kind, span }
    }

    /// Expressions up to a closing bracket.
    fn exprs(&mut self) -> Vec<Expr> {
        let mut exprs = Vec::new();
        while self.peek() == Some(Rule::expr) {
            exprs.push(self.expr());
            self.has(Rule::comma);
        }
        exprs
    }

    fn filter(&mut self, subject: Expr, pair: Pair<'i, Rule>) -> Expr {
        let span = subject.span.to(self.span(&pair));
        let mut inner = self.inside(pair);
        inner.take(Rule::pipe);
        let name = inner.name();
        let args = if inner.has(Rule::open_round) {
            inner.exprs()
        } else {
            Vec::new()
        };
        Expr {
            kind: ExprKind::Filter {
                subject: Box::new(subject),
                name,
                args,
            },
            span,
        }
    }

    fn test(&mut self, pair: Pair<'i, Rule>) -> Token {
        let span = self.span(&pair);
        let mut inner = self.inside(pair);
        inner.take(Rule::k_is);
        let negated = inner.has(Rule::k_not);
        let test = match inner.next().map(|word| word.as_rule()) {
            Some(Rule::k_known) => Test::Known,
            Some(Rule::k_unknown) => Test::Unknown,
            Some(Rule::k_empty) => Test::Empty,
            Some(Rule::k_open) => Test::Open,
            _ => Test::Closed,
        };
        Token::Test { test, negated, span }
    }
}

fn nothing(span: Span) -> Expr {
    Expr {
        kind: ExprKind::Nothing,
        span,
    }
}

fn operator(mut inner: Reader<'_, '_, '_>) -> Operator {
    let mut next = || inner.next().map(|word| word.as_rule());
    let Some(first) = next() else {
        return Operator::Plain(BinaryOp::Is);
    };
    let op = match (first, next(), next()) {
        (Rule::k_not, ..) | (Rule::k_is, Some(Rule::k_not), Some(Rule::k_in)) => return Operator::NotIn,
        (Rule::k_is, Some(Rule::k_not), _) => BinaryOp::IsNot,
        (Rule::k_is, Some(Rule::k_exactly), _) => BinaryOp::IsExactly,
        (Rule::k_is, Some(Rule::k_in), _) | (Rule::k_in, ..) => BinaryOp::In,
        (Rule::k_is | Rule::same, ..) => BinaryOp::Is,
        (Rule::different, ..) => BinaryOp::IsNot,
        (Rule::k_or, ..) => BinaryOp::Or,
        (Rule::k_and, ..) => BinaryOp::And,
        (Rule::more, ..) => BinaryOp::Greater,
        (Rule::at_least, ..) => BinaryOp::GreaterOrEqual,
        (Rule::less, ..) => BinaryOp::Less,
        (Rule::at_most, ..) => BinaryOp::LessOrEqual,
        (Rule::k_contains, ..) => BinaryOp::Contains,
        (Rule::k_starts, ..) => BinaryOp::StartsWith,
        (Rule::k_ends, ..) => BinaryOp::EndsWith,
        (Rule::k_matches, ..) => BinaryOp::Matches,
        (Rule::plus, ..) => BinaryOp::Add,
        (Rule::minus, ..) => BinaryOp::Subtract,
        (Rule::times, ..) => BinaryOp::Multiply,
        (Rule::over, ..) => BinaryOp::Divide,
        (other, ..) => unreachable!("flow.pest has no operator {other:?}"),
    };
    Operator::Plain(op)
}

fn binding(operator: Operator) -> u8 {
    let Operator::Plain(op) = operator else {
        return COMPARE;
    };
    match op {
        BinaryOp::Or => OR,
        BinaryOp::And => AND,
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
        | BinaryOp::Matches => COMPARE,
        BinaryOp::Add | BinaryOp::Subtract => SUM,
        BinaryOp::Multiply | BinaryOp::Divide => PRODUCT,
    }
}

fn joined(operator: Operator, left: Expr, right: Expr) -> Expr {
    let span = left.span.to(right.span);
    let binary = |op| Expr {
        kind: ExprKind::Binary {
            op,
            left: Box::new(left),
            right: Box::new(right),
        },
        span,
    };
    match operator {
        Operator::Plain(op) => binary(op),
        Operator::NotIn => Expr {
            kind: ExprKind::Not(Box::new(binary(BinaryOp::In))),
            span,
        },
    }
}

//! What expressions of a flow come to. An unknown value is `None`: it equals nothing, is in nothing and is not true.

use rust_decimal::Decimal;

use super::faults::Failed;
use super::run::Run;
use crate::flow::fold::plain;
use crate::flow::program::{Expr, ExprIx};
use crate::flow::template::{Facts, apply, kind_of, shown};
use crate::flow::tree::{BinaryOp, Test};
use crate::flow::value::Value;

/// Seconds of a day: durations are numbers of seconds, and dates differ by them.
const DAY: i64 = 86_400;
/// Characters of a pattern that is put together while a flow runs.
const PATTERN_LIMIT: usize = 500;
/// What a text or list made in a flow may grow to, so that a position stays small.
const TEXT_LIMIT: usize = 64 * 1024;
const LIST_LIMIT: usize = 1_000;

impl Run<'_> {
    pub(super) fn eval(&self, ix: ExprIx) -> Result<Option<Value>, Failed> {
        self.expr(&self.m.program.exprs[ix as usize])
    }

    /// Whether a condition holds. Unknown does not.
    pub(super) fn holds(&self, ix: ExprIx) -> Result<bool, Failed> {
        Ok(truth(self.eval(ix)?.as_ref()))
    }

    /// As [`Run::holds`], for conditions of options and triggers: one that fails does not hold, and is no fault of
    /// the customer's message.
    pub(super) fn allows(&self, condition: Option<ExprIx>) -> bool {
        condition.is_none_or(|ix| self.holds(ix).unwrap_or(false))
    }

    fn expr(&self, expr: &Expr) -> Result<Option<Value>, Failed> {
        Ok(Some(match expr {
            Expr::Text(text) => Value::Text(self.text(*text)?),
            Expr::Number(number) => Value::Number(*number),
            Expr::YesNo(yes) => Value::YesNo(*yes),
            Expr::Nothing => return Ok(None),
            Expr::Date(date) => Value::Date(*date),
            Expr::Time(time) => Value::Time(*time),
            Expr::Duration(seconds) => Value::Number((*seconds).into()),
            Expr::List(items) => {
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    values.extend(self.expr(item)?);
                }
                Value::List(values)
            }
            Expr::Path(path) => return Ok(self.value(path).map(|value| value.into_owned())),
            Expr::Not(inner) => Value::YesNo(!truth(self.expr(inner)?.as_ref())),
            Expr::Binary(op, left, right) => return self.binary(*op, left, right),
            Expr::Test {
                subject,
                test,
                negated,
            } => Value::YesNo(self.test(subject, *test)? != *negated),
            Expr::Filter { subject, name, args } => {
                let subject = self.expr(subject)?;
                let mut values = Vec::with_capacity(args.len());
                for arg in args {
                    values.extend(self.expr(arg)?);
                }
                return apply(name, subject.as_ref(), &values, self.language, &self.moment())
                    .map_err(|fault| self.failed(fault.to_string()));
            }
        }))
    }

    fn test(&self, subject: &Expr, test: Test) -> Result<bool, Failed> {
        if let (Test::Open | Test::Closed, Expr::Path(path)) = (test, subject) {
            let open = path.first().and_then(|name| self.team_is_open(name));
            let open = open.ok_or_else(|| self.failed(format!("there is no team \"{}\"", path.join("."))))?;
            return Ok(open == (test == Test::Open));
        }
        let value = self.expr(subject)?;
        Ok(match test {
            Test::Known => value.is_some(),
            Test::Unknown => value.is_none(),
            Test::Empty => match &value {
                None => true,
                Some(Value::Text(text)) => text.trim().is_empty(),
                Some(Value::List(items)) => items.is_empty(),
                Some(Value::Record(fields)) => fields.is_empty(),
                Some(Value::Number(_) | Value::YesNo(_) | Value::Date(_) | Value::Time(_)) => false,
            },
            Test::Unheard => value.as_ref().is_some_and(unheard),
            Test::Open | Test::Closed => return Err(self.failed("only a team is open or closed")),
        })
    }

    fn binary(&self, op: BinaryOp, left: &Expr, right: &Expr) -> Result<Option<Value>, Failed> {
        let left = self.expr(left)?;
        match op {
            BinaryOp::And if !truth(left.as_ref()) => return Ok(Some(Value::YesNo(false))),
            BinaryOp::Or if truth(left.as_ref()) => return Ok(Some(Value::YesNo(true))),
            _ => {}
        }
        let right = self.expr(right)?;
        let both = left.as_ref().zip(right.as_ref());
        let compared = |fits: fn(std::cmp::Ordering) -> bool| -> Result<Option<Value>, Failed> {
            let Some((left, right)) = both else {
                return Ok(Some(Value::YesNo(false)));
            };
            let order = order(left, right).ok_or_else(|| self.misfit("compare", left, right))?;
            Ok(Some(Value::YesNo(fits(order))))
        };
        let texts = |fits: fn(&str, &str) -> bool| {
            both.is_some_and(|(left, right)| {
                fits(
                    &plain(&shown(left, self.language)),
                    &plain(&shown(right, self.language)),
                )
            })
        };
        let yes = match op {
            BinaryOp::And | BinaryOp::Or => truth(right.as_ref()),
            BinaryOp::Is => same(left.as_ref(), right.as_ref()),
            BinaryOp::IsNot => !same(left.as_ref(), right.as_ref()),
            BinaryOp::IsExactly => left == right,
            BinaryOp::Greater => return compared(std::cmp::Ordering::is_gt),
            BinaryOp::GreaterOrEqual => return compared(std::cmp::Ordering::is_ge),
            BinaryOp::Less => return compared(std::cmp::Ordering::is_lt),
            BinaryOp::LessOrEqual => return compared(std::cmp::Ordering::is_le),
            BinaryOp::In => both.is_some_and(|(item, whole)| contains(whole, item, self)),
            BinaryOp::Contains => both.is_some_and(|(whole, item)| contains(whole, item, self)),
            BinaryOp::StartsWith => texts(|left, right| left.starts_with(right)),
            BinaryOp::EndsWith => texts(|left, right| left.ends_with(right)),
            BinaryOp::Matches => match both {
                Some((Value::Text(text), Value::Text(pattern))) => self.matches(text, pattern)?,
                Some((left, right)) => return Err(self.misfit("match", left, right)),
                None => false,
            },
            BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide => {
                return match (left, right) {
                    (Some(left), Some(right)) => self.calculate(op, left, right).map(Some),
                    _ => Err(self.failed("a value that is calculated with is not known")),
                };
            }
        };
        Ok(Some(Value::YesNo(yes)))
    }

    fn calculate(&self, op: BinaryOp, left: Value, right: Value) -> Result<Value, Failed> {
        let word = match op {
            BinaryOp::Add => "add",
            BinaryOp::Subtract => "subtract",
            BinaryOp::Multiply => "multiply",
            _ => "divide",
        };
        let misfit = || self.misfit(word, &left, &right);
        Ok(match (op, &left, &right) {
            (_, Value::Number(a), Value::Number(b)) => {
                let result = match op {
                    BinaryOp::Add => a.checked_add(*b),
                    BinaryOp::Subtract => a.checked_sub(*b),
                    BinaryOp::Multiply => a.checked_mul(*b),
                    _ => a.checked_div(*b),
                };
                Value::Number(result.ok_or_else(|| self.failed(format!("{a} and {b}: can't {word} these")))?)
            }
            (BinaryOp::Subtract, Value::Date(a), Value::Date(b)) => {
                let days = crate::flow::locale::days_between(*b, *a);
                Value::Number((i64::from(days) * DAY).into())
            }
            (BinaryOp::Add | BinaryOp::Subtract, Value::Date(date), Value::Number(seconds)) => {
                let days = whole(seconds / Decimal::from(DAY)).ok_or_else(misfit)?;
                let days = if op == BinaryOp::Add { days } else { -days };
                let span = jiff::Span::new().try_days(days).map_err(|_| misfit())?;
                Value::Date(date.checked_add(span).map_err(|_| misfit())?)
            }
            (BinaryOp::Add | BinaryOp::Subtract, Value::Time(time), Value::Number(seconds)) => {
                let seconds = whole(*seconds).ok_or_else(misfit)?;
                let seconds = if op == BinaryOp::Add { seconds } else { -seconds };
                Value::Time(time.wrapping_add(jiff::SignedDuration::from_secs(seconds)))
            }
            (BinaryOp::Subtract, Value::Time(a), Value::Time(b)) => {
                Value::Number(a.duration_since(*b).as_secs().into())
            }
            (BinaryOp::Add, Value::List(items), other) => {
                let mut items = items.clone();
                match other {
                    Value::List(more) => items.extend(more.iter().cloned()),
                    one => items.push(one.clone()),
                }
                if items.len() > LIST_LIMIT {
                    return Err(self.failed(format!("a list gets longer than {LIST_LIMIT}")));
                }
                Value::List(items)
            }
            (BinaryOp::Add, Value::Text(_), _) | (BinaryOp::Add, _, Value::Text(_)) => {
                let text = shown(&left, self.language) + &shown(&right, self.language);
                if text.len() > TEXT_LIMIT {
                    return Err(self.failed(format!("a text gets longer than {TEXT_LIMIT} bytes")));
                }
                Value::Text(text)
            }
            _ => return Err(misfit()),
        })
    }

    fn matches(&self, text: &str, pattern: &str) -> Result<bool, Failed> {
        if let Some(regex) = self.m.patterns.get(pattern) {
            return Ok(regex.is_match(text));
        }
        if pattern.len() > PATTERN_LIMIT {
            return Err(self.failed(format!("a pattern is longer than {PATTERN_LIMIT} characters")));
        }
        let regex = super::machine::whole_pattern(pattern)
            .ok_or_else(|| self.failed(format!("\"{pattern}\" is not a regular expression")))?;
        Ok(regex.is_match(text))
    }

    fn misfit(&self, word: &str, left: &Value, right: &Value) -> Failed {
        self.failed(format!("can't {word} {} and {}", kind_of(left), kind_of(right)))
    }
}

fn whole(number: Decimal) -> Option<i64> {
    i64::try_from(number.round()).ok()
}

/// A condition that is a value: known, not empty, not zero, not no.
pub(super) fn truth(value: Option<&Value>) -> bool {
    match value {
        None => false,
        Some(Value::YesNo(yes)) => *yes,
        Some(Value::Number(number)) => !number.is_zero(),
        Some(Value::Text(text)) => !text.is_empty(),
        Some(Value::List(items)) => !items.is_empty(),
        Some(Value::Date(_) | Value::Time(_) | Value::Record(_)) => true,
    }
}

/// `is`: texts ignore case and accents, a text of digits equals its number. Two unknowns are the same nothing.
fn same(left: Option<&Value>, right: Option<&Value>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        return left.is_none() && right.is_none();
    };
    match (left, right) {
        (Value::Text(a), Value::Text(b)) => a == b || plain(a) == plain(b),
        (Value::Text(text), Value::Number(number)) | (Value::Number(number), Value::Text(text)) => {
            text.trim().parse::<Decimal>().is_ok_and(|read| read == *number)
        }
        (Value::Text(text), Value::Date(date)) | (Value::Date(date), Value::Text(text)) => {
            text.parse::<jiff::civil::Date>().is_ok_and(|read| read == *date)
        }
        (Value::Text(text), Value::Time(time)) | (Value::Time(time), Value::Text(text)) => {
            text.parse::<jiff::civil::Time>().is_ok_and(|read| read == *time)
        }
        (a, b) => a == b,
    }
}

fn order(left: &Value, right: &Value) -> Option<std::cmp::Ordering> {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Some(plain(a).cmp(&plain(b))),
        (Value::Text(text), Value::Number(b)) => Some(text.trim().parse::<Decimal>().ok()?.cmp(b)),
        (Value::Number(a), Value::Text(text)) => Some(a.cmp(&text.trim().parse().ok()?)),
        _ => None,
    }
}

fn contains(whole: &Value, item: &Value, run: &Run) -> bool {
    match whole {
        Value::List(items) => items.iter().any(|one| same(Some(one), Some(item))),
        Value::Text(text) => plain(text).contains(&plain(&shown(item, run.language))),
        Value::Record(fields) => matches!(item, Value::Text(name) if fields.contains_key(name)),
        Value::Number(_) | Value::YesNo(_) | Value::Date(_) | Value::Time(_) => same(Some(whole), Some(item)),
    }
}

/// A voice note without words, a list with one, or a story with one.
fn unheard(value: &Value) -> bool {
    match value {
        Value::List(items) => items.iter().any(unheard),
        Value::Record(fields) => match (fields.get("kind"), fields.get("voices")) {
            (Some(Value::Text(kind)), _) if kind == "voice" => !fields.contains_key("text"),
            (_, Some(voices)) => unheard(voices),
            _ => false,
        },
        Value::Text(_) | Value::Number(_) | Value::YesNo(_) | Value::Date(_) | Value::Time(_) => false,
    }
}

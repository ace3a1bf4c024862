//! Our values inside minijinja and back.
//!
//! Texts, whole numbers and yes/no become minijinja's own, so that `==`, `<` and `in` work in `{% if %}`. What
//! minijinja has no form for is a [`Shown`]: an object that knows the customer's language and so prints itself.

use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Value as Jinja, ValueKind};
use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};

use super::super::locale::Language;
use super::super::value::{Record, Value};
use super::OUTPUT_CAP;
use super::filters::shown;

#[derive(Debug)]
pub(super) struct Shown {
    value: Value,
    language: &'static Language,
}

/// The value as a template sees it. Texts are cut at [`OUTPUT_CAP`]: no message could show more of them, and what is
/// joined in a template stays small.
pub(super) fn to_jinja(value: &Value, language: &'static Language) -> Jinja {
    match value {
        Value::Text(text) => Jinja::from(cut(text)),
        Value::YesNo(yes) => Jinja::from(*yes),
        Value::Number(number) => number_to_jinja(number),
        Value::Date(_) | Value::Time(_) | Value::List(_) | Value::Record(_) => Jinja::from_object(Shown {
            value: value.clone(),
            language,
        }),
    }
}

fn number_to_jinja(number: &Decimal) -> Jinja {
    let number = number.normalize();
    if number.is_integer()
        && let Some(whole) = number.to_i64()
    {
        return Jinja::from(whole);
    }
    // Fifteen digits are what a double keeps exactly; longer ones are shown to the letter and cannot be calculated with.
    match number.to_f64() {
        Some(double) if number.mantissa().unsigned_abs() < 1_000_000_000_000_000 => Jinja::from(double),
        _ => Jinja::from(number.to_string()),
    }
}

fn cut(text: &str) -> &str {
    if text.len() <= OUTPUT_CAP {
        return text;
    }
    let end = (0..=OUTPUT_CAP)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    &text[..end]
}

/// What a filter gets. `None` for an unknown value.
pub(super) fn from_jinja(value: &Jinja) -> Option<Value> {
    if let Some(shown) = value.downcast_object_ref::<Shown>() {
        return Some(shown.value.clone());
    }
    Some(match value.kind() {
        ValueKind::Undefined | ValueKind::None => return None,
        ValueKind::Bool => Value::YesNo(value.is_true()),
        ValueKind::Number => Value::Number(match i64::try_from(value.clone()) {
            Ok(whole) if value.is_integer() => whole.into(),
            _ => f64::try_from(value.clone()).ok().and_then(Decimal::from_f64)?,
        }),
        ValueKind::String => Value::text(value.as_str().unwrap_or_default()),
        ValueKind::Seq | ValueKind::Iterable => {
            // Lists written in a text and lists put together with `+`.
            Value::List(
                value
                    .try_iter()
                    .ok()?
                    .filter_map(|item| from_jinja(&item))
                    .take(OUTPUT_CAP)
                    .collect(),
            )
        }
        ValueKind::Map => {
            let fields = value.try_iter().ok()?.take(OUTPUT_CAP).filter_map(|key| {
                let field = value.get_item(&key).ok()?;
                Some((key.as_str()?.to_owned(), from_jinja(&field)?))
            });
            Value::Record(fields.collect::<Record>())
        }
        _ => return None,
    })
}

impl Object for Shown {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match self.value {
            Value::List(_) => ObjectRepr::Seq,
            Value::Record(_) => ObjectRepr::Map,
            Value::Text(_) | Value::Number(_) | Value::YesNo(_) | Value::Date(_) | Value::Time(_) => {
                ObjectRepr::Plain
            }
        }
    }

    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let value = match &self.value {
            Value::List(items) => items.get(key.as_usize()?)?,
            Value::Record(fields) => fields.get(key.as_str()?)?,
            _ => return None,
        };
        Some(to_jinja(value, self.language))
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Jinja> {
        match &self.value {
            Value::Record(fields) => Some(to_jinja(fields.get(key)?, self.language)),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match &self.value {
            Value::List(items) => Enumerator::Seq(items.len()),
            Value::Record(fields) => {
                Enumerator::Values(fields.keys().map(|name| Jinja::from(name.as_str())).collect())
            }
            _ => Enumerator::NonEnumerable,
        }
    }

    fn custom_cmp(self: &Arc<Self>, other: &minijinja::value::DynObject) -> Option<std::cmp::Ordering> {
        let other = other.downcast_ref::<Self>()?;
        match (&self.value, &other.value) {
            (Value::Date(left), Value::Date(right)) => Some(left.cmp(right)),
            (Value::Time(left), Value::Time(right)) => Some(left.cmp(right)),
            _ => None,
        }
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&shown(&self.value, self.language))
    }
}

//! Whether what a service gave is what its action declares. Services write values their own way (`"12.50"`, a date
//! with a time), so what can be read without doubt is converted.

use std::borrow::Cow;

use rust_decimal::Decimal;

use crate::flow::tree::Kind;
use crate::flow::value::Value;

/// The value as the declared kind; `None` if it isn't one.
pub(crate) fn fit(kind: &Kind, value: &Value) -> Option<Value> {
    match kind {
        Kind::Text
        | Kind::TextLike(_)
        | Kind::TextMatching(_)
        | Kind::Email
        | Kind::Phone
        | Kind::WebAddress => match value {
            Value::Text(_) => Some(value.clone()),
            Value::Number(number) => Some(Value::Text(number.to_string())),
            _ => None,
        },
        Kind::Number { .. } | Kind::Money => as_number(value).map(Value::Number),
        Kind::WholeNumber { .. } | Kind::Rating { .. } => as_number(value)
            .filter(|number| number.normalize().is_integer())
            .map(Value::Number),
        Kind::YesNo => match value {
            Value::YesNo(_) => Some(value.clone()),
            Value::Text(text) if matches!(text.as_str(), "true" | "yes") => Some(Value::YesNo(true)),
            Value::Text(text) if matches!(text.as_str(), "false" | "no") => Some(Value::YesNo(false)),
            _ => None,
        },
        Kind::Date(_) => match value {
            Value::Date(_) => Some(value.clone()),
            Value::Text(text) => text.get(..10).unwrap_or(text).parse().ok().map(Value::Date),
            _ => None,
        },
        Kind::Time => match value {
            Value::Time(_) => Some(value.clone()),
            Value::Text(text) => text.parse().ok().map(Value::Time),
            _ => None,
        },
        Kind::List(of) => {
            let Value::List(items) = value else {
                return None;
            };
            let Some(of) = of else {
                return Some(value.clone());
            };
            items
                .iter()
                .map(|item| fit(of, item))
                .collect::<Option<Vec<_>>>()
                .map(Value::List)
        }
        Kind::Media(_) | Kind::Location => matches!(value, Value::Record(_)).then(|| value.clone()),
    }
}

/// What is remembered, as the kind that its field has now. `None`: it can't be read so, and counts as unknown. It stays
/// as it is in memory, so that an earlier version that is published again finds it.
pub(crate) fn converted<'v>(kind: &Kind, value: &'v Value) -> Option<Cow<'v, Value>> {
    let is_text = match kind {
        Kind::Text
        | Kind::TextLike(_)
        | Kind::TextMatching(_)
        | Kind::Email
        | Kind::Phone
        | Kind::WebAddress => true,
        Kind::Number { .. }
        | Kind::WholeNumber { .. }
        | Kind::YesNo
        | Kind::Money
        | Kind::Date(_)
        | Kind::Time
        | Kind::Media(_)
        | Kind::Location
        | Kind::Rating { .. }
        | Kind::List(_) => false,
    };
    match value {
        Value::Text(_) if is_text => Some(Cow::Borrowed(value)),
        Value::Date(_) | Value::Time(_) if is_text => match value.to_json() {
            serde_json::Value::String(text) => Some(Cow::Owned(Value::Text(text))),
            _ => None,
        },
        Value::YesNo(yes) if is_text => Some(Cow::Owned(Value::text(if *yes { "yes" } else { "no" }))),
        value => fit(kind, value).map(Cow::Owned),
    }
}

/// Whether what is remembered can be read as the kind that its field has now.
pub fn fits(kind: &Kind, value: &Value) -> bool {
    converted(kind, value).is_some()
}

fn as_number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

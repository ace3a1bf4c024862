//! Values of the language: what customers answered, services gave and memory keeps.

use std::collections::BTreeMap;

use jiff::civil;
use rust_decimal::Decimal;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

/// A value. There is no "null": what is not known is left out.
///
/// As JSON, texts, yes/no, whole numbers and lists are themselves; what JSON has no form for is an object with a
/// single `$` key: `{"$date":"2026-03-06"}`, `{"$time":"11:30"}`, `{"$number":"2.50"}`.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(String),
    Number(Decimal),
    YesNo(bool),
    Date(civil::Date),
    Time(civil::Time),
    List(Vec<Value>),
    /// Files, places and answers of services are records; see the `kind` field of files.
    Record(Record),
}

/// Fields by name, in the order of their names.
pub type Record = BTreeMap<String, Value>;

impl Value {
    pub fn text(text: impl Into<String>) -> Value {
        Value::Text(text.into())
    }

    /// Reads what a service answered. JSON's `null` is nothing; numbers beyond 28 digits become text.
    pub fn from_json(json: &Json) -> Option<Value> {
        Some(match json {
            Json::Null => return None,
            Json::Bool(yes) => Value::YesNo(*yes),
            Json::Number(number) => {
                let text = number.to_string();
                match text
                    .parse::<Decimal>()
                    .or_else(|_| Decimal::from_scientific(&text))
                {
                    Ok(number) => Value::Number(number),
                    Err(_) => Value::Text(text),
                }
            }
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(items) => Value::List(items.iter().filter_map(Value::from_json).collect()),
            Json::Object(fields) => Value::Record(
                fields
                    .iter()
                    .filter_map(|(name, value)| Some((name.clone(), Value::from_json(value)?)))
                    .collect(),
            ),
        })
    }

    /// As a service or a page gets it: plain JSON, dates and times as ISO texts.
    pub fn to_json(&self) -> Json {
        match self {
            Value::Text(text) => Json::String(text.clone()),
            Value::Number(number) => plain_number(number),
            Value::YesNo(yes) => Json::Bool(*yes),
            Value::Date(date) => Json::String(date.to_string()),
            Value::Time(time) => Json::String(time.strftime("%H:%M").to_string()),
            Value::List(items) => Json::Array(items.iter().map(Value::to_json).collect()),
            Value::Record(fields) => Json::Object(
                fields
                    .iter()
                    .map(|(name, value)| (name.clone(), value.to_json()))
                    .collect(),
            ),
        }
    }
}

fn plain_number(number: &Decimal) -> Json {
    let normal = number.normalize();
    if let Ok(whole) = i64::try_from(normal)
        && normal.is_integer()
    {
        return Json::from(whole);
    }
    normal
        .to_string()
        .parse::<f64>()
        .ok()
        .and_then(serde_json::Number::from_f64)
        .map_or(Json::Null, Json::Number)
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let tagged = |serializer: S, tag: &str, text: &str| {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry(tag, text)?;
            map.end()
        };
        match self {
            Value::Text(text) => serializer.serialize_str(text),
            Value::YesNo(yes) => serializer.serialize_bool(*yes),
            Value::Number(number) => match i64::try_from(*number) {
                Ok(whole) if number.scale() == 0 => serializer.serialize_i64(whole),
                _ => tagged(serializer, "$number", &number.to_string()),
            },
            Value::Date(date) => tagged(serializer, "$date", &date.to_string()),
            Value::Time(time) => tagged(serializer, "$time", &time.to_string()),
            Value::List(items) => items.serialize(serializer),
            Value::Record(fields) => {
                if fields.len() == 1 && fields.keys().all(|name| name.starts_with('$')) {
                    // A record that looks like one of our tags is wrapped, so that it comes back as it was.
                    let mut map = serializer.serialize_map(Some(1))?;
                    map.serialize_entry("$record", &fields.iter().collect::<Vec<_>>())?;
                    return map.end();
                }
                fields.serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Value;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a value of a flow")
            }

            fn visit_bool<E>(self, yes: bool) -> Result<Value, E> {
                Ok(Value::YesNo(yes))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
                Ok(Value::Number(number.into()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
                Ok(Value::Number(number.into()))
            }

            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
                Decimal::try_from(number).map(Value::Number).map_err(E::custom)
            }

            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value::Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Value, E> {
                Ok(Value::Text(text))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Value::List(items))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let mut fields = Record::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "$record" {
                        fields = map.next_value::<Vec<(String, Value)>>()?.into_iter().collect();
                        return Ok(Value::Record(fields));
                    }
                    fields.insert(name, map.next_value()?);
                }
                let tagged = match fields.first_key_value() {
                    Some((tag, Value::Text(text))) if fields.len() == 1 => match tag.as_str() {
                        "$date" => Some(text.parse().map(Value::Date).map_err(A::Error::custom)?),
                        "$time" => Some(text.parse().map(Value::Time).map_err(A::Error::custom)?),
                        "$number" => Some(text.parse().map(Value::Number).map_err(A::Error::custom)?),
                        _ => None,
                    },
                    _ => None,
                };
                Ok(tagged.unwrap_or(Value::Record(fields)))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn comes_back(value: Value, json: &str) {
        assert_eq!(serde_json::to_string(&value).unwrap(), json);
        assert_eq!(serde_json::from_str::<Value>(json).unwrap(), value);
    }

    #[test]
    fn every_value_survives_storage() {
        comes_back(Value::text("A-12345"), r#""A-12345""#);
        comes_back(Value::Number(Decimal::from(3)), "3");
        comes_back(Value::Number("2.50".parse().unwrap()), r#"{"$number":"2.50"}"#);
        comes_back(Value::Date(civil::date(2026, 3, 6)), r#"{"$date":"2026-03-06"}"#);
        comes_back(Value::Time(civil::time(11, 30, 0, 0)), r#"{"$time":"11:30:00"}"#);
        comes_back(Value::List(vec![Value::YesNo(true)]), "[true]");
        let lookalike = Record::from([("$date".to_owned(), Value::text("soon"))]);
        comes_back(Value::Record(lookalike), r#"{"$record":[["$date","soon"]]}"#);
    }
}

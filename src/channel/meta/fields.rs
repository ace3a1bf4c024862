//! An object of a webhook, its values still unread. There is one on each level of each webhook, with a handful of members:
//! a list that borrows is read in half the time of a map.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// In their order.
#[derive(Debug, Default)]
pub(super) struct Fields<'a>(Vec<(Name<'a>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// Of those with the same name the last one counts.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let mut from_behind = self.0.iter().rev();
        from_behind.find_map(|(known, value)| (known.0 == name).then_some(*value))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A member that is a text (or a number where a text belongs), if not empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(text_of).filter(|text| !text.is_empty())
    }

    /// The members of a member; none if it is no object.
    pub(super) fn within(&self, name: &str) -> Fields<'a> {
        self.get(name).map(Fields::of).unwrap_or_default()
    }

    /// The members of a value; none if it is no object.
    pub(super) fn of(raw: &'a RawValue) -> Fields<'a> {
        serde_json::from_str(raw.get()).unwrap_or_default()
    }
}

/// A string, or a number where a string belongs.
pub(super) fn text_of(raw: &RawValue) -> Option<String> {
    match serde_json::from_str(raw.get()).ok()? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(Name<'de>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(8);
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Members).map(Fields)
    }
}

/// Borrowed, unless something in it is escaped.
#[derive(Debug)]
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Text).map(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_may_be_a_number_and_what_is_no_object_has_no_members() {
        let all = r#"{"id": 106, "name": "Sari", "empty": "", "profile": {"name": "Rina"}, "list": [1]}"#;
        let fields: Fields<'_> = serde_json::from_str(all).unwrap();
        assert_eq!(fields.text("id").as_deref(), Some("106"));
        assert_eq!(fields.text("name").as_deref(), Some("Sari"));
        assert_eq!((fields.text("empty"), fields.text("list")), (None, None));
        assert_eq!(fields.within("profile").text("name").as_deref(), Some("Rina"));
        assert!(!fields.within("list").has("name"));
    }

    #[test]
    fn names_are_read_as_json_has_them_and_the_last_of_the_same_counts() {
        let fields: Fields<'_> =
            serde_json::from_str(r#"{"a": [1, 2], "\u0061": {"b": 3}, "c": null}"#).unwrap();
        assert_eq!(fields.get("a").unwrap().get(), r#"{"b": 3}"#);
        assert_eq!(fields.get("c").unwrap().get(), "null");
        assert!(!fields.has("d"));
        let not_an_object = serde_json::from_str::<Fields<'_>>("[1]").unwrap_err();
        assert!(
            not_an_object.to_string().contains("expected a map"),
            "{not_an_object}"
        );
    }
}

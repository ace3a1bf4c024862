//! Webhooks that are not quite what a provider sends, for the tests of decoders.

use proptest::prelude::*;
use serde_json::{Value, json};

/// One member of a value, somewhere, replaced.
pub(super) fn mutate(value: &mut Value, picks: &mut impl Iterator<Item = usize>, with: &Value) {
    let pick = picks.next().unwrap_or(0);
    match value {
        Value::Object(members) if !members.is_empty() && !pick.is_multiple_of(4) => {
            let at = pick / 4 % members.len();
            if let Some((_, member)) = members.iter_mut().nth(at) {
                mutate(member, picks, with);
            }
        }
        Value::Array(elements) if !elements.is_empty() && !pick.is_multiple_of(4) => {
            let at = pick / 4 % elements.len();
            mutate(&mut elements[at], picks, with);
        }
        _ => *value = with.clone(),
    }
}

/// What no decoder expects there, and what only nearly looks like a text of the provider's own.
pub(super) fn anything(nearly: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!(true)),
        Just(json!(-1)),
        Just(json!(1e300)),
        Just(json!("")),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{ "id": 7 }])),
        proptest::sample::select(nearly).prop_map(|text| json!(text)),
        "\\PC{0,12}".prop_map(|text| json!(text)),
    ]
}

/// The bytes, with some put in at a place, and cut a while behind them.
pub(super) fn spoilt(mut raw: Vec<u8>, cut: usize, noise: Vec<u8>) -> Vec<u8> {
    let at = cut.min(raw.len());
    raw.splice(at..at, noise);
    raw.truncate(at + 1500);
    raw
}

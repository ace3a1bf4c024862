//! What a model wrote, read strictly: one JSON object of a known shape, or nothing.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::engine::{Reply, Says};
use crate::flow::fold::seen;

/// Digits in a row that could be a telephone number, an account or an order.
const MANY_DIGITS: usize = 6;
/// Fields that may be remembered at once.
const FIELDS: usize = 16;

#[derive(Debug, Deserialize)]
struct Written {
    kind: String,
    text: Option<String>,
    topic: Option<String>,
    action: Option<String>,
    #[serde(default)]
    args: BTreeMap<String, Json>,
    #[serde(default)]
    remember: Option<BTreeMap<String, Json>>,
}

/// `None`: it is none of the shapes that were asked for.
pub(super) fn read(written: &str) -> Option<Reply> {
    let written: Written = serde_json::from_str(bare(written)).ok()?;
    let text = written.text.filter(|text| !text.trim().is_empty());
    let says = match written.kind.as_str() {
        "answer" => Says::Text(text?),
        "not_sure" => Says::NotSure,
        "off_topic" => Says::OffTopic,
        "finished" => Says::Finished(text),
        "topic" => Says::Topic(written.topic?),
        "use" => Says::Use {
            action: written.action?,
            args: written.args,
        },
        _ => return None,
    };
    let mut remember = written.remember.unwrap_or_default();
    if remember.len() > FIELDS {
        remember.clear();
    }
    Some(Reply { says, remember })
}

/// Models like to put their JSON between fences.
pub(super) fn bare(written: &str) -> &str {
    let written = written.trim();
    let Some(inside) = written.strip_prefix("```") else {
        return written;
    };
    let inside = inside.strip_prefix("json").unwrap_or(inside);
    inside.strip_suffix("```").unwrap_or(inside).trim()
}

/// Whether a text holds a long number that is not in what the model was given.
pub(super) fn invents_numbers(text: &str, known: &str) -> bool {
    let known = runs(known);
    runs(text)
        .iter()
        .any(|run| run.chars().count() >= MANY_DIGITS && !known.iter().any(|own| own.contains(run.as_str())))
}

/// Runs of digits, without what people put between them.
fn runs(text: &str) -> Vec<String> {
    let mut runs = vec![String::new()];
    let mut gap = 0;
    for c in seen(text).chars() {
        // Of any script: people dial them all.
        if c.is_numeric() {
            if gap > 2 && runs.last().is_some_and(|run| !run.is_empty()) {
                runs.push(String::new());
            }
            gap = 0;
            if let Some(run) = runs.last_mut() {
                run.push(c);
            }
        } else if matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}') {
            gap += 1;
        } else {
            gap = 3;
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_every_kind_are_read() {
        for (written, says) in [
            (
                r#"{"kind":"answer","text":"Take a 39."}"#,
                Says::Text("Take a 39.".to_owned()),
            ),
            ("```json\n{\"kind\":\"not_sure\"}\n```", Says::NotSure),
            (r#"{"kind":"off_topic","text":"I can't say"}"#, Says::OffTopic),
            (r#"{"kind":"finished"}"#, Says::Finished(None)),
            (
                r#"{"kind":"topic","topic":"returns"}"#,
                Says::Topic("returns".to_owned()),
            ),
        ] {
            assert_eq!(read(written).map(|reply| reply.says), Some(says), "{written}");
        }
        let used = read(
            r#"{"kind":"use","action":"shop.get_order","args":{"number":"A-1"},"remember":{"contact.size":38}}"#,
        );
        let used = used.expect("a reply");
        assert!(matches!(used.says, Says::Use { ref action, .. } if action == "shop.get_order"));
        assert_eq!(used.remember["contact.size"], 38);
    }

    #[test]
    fn anything_else_is_no_reply() {
        for nonsense in [
            "Sure! Take a 39.",
            "",
            "{}",
            "[]",
            r#"{"kind":"answer"}"#,
            r#"{"kind":"answer","text":"  "}"#,
            r#"{"kind":"answer","text":["a"]}"#,
            r#"{"kind":"send_template","text":"x"}"#,
            r#"{"kind":"topic"}"#,
            r#"{"kind":"answer","text":"a"} and more"#,
        ] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn long_numbers_must_come_from_what_was_given() {
        let known =
            r#"{"knowledge":[{"text":"Call +351 21 000 0001."}],"conversation":[{"customer":"A-12345678"}]}"#;
        assert!(!invents_numbers("Call 21 000 0001.", known));
        assert!(!invents_numbers("Your order 12345678 is on its way.", known));
        assert!(!invents_numbers("Within 30 days, 9:00 to 18:00.", known));
        assert!(invents_numbers("Call 0800-123 456.", known));
        assert!(invents_numbers("Pay to 9999 8888 7777", known));
        assert!(invents_numbers("٠٨٠٠١٢٣٤٥٦", known));
    }
}

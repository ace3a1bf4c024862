//! Identities of options: what a button carries, so that it still means the same after the flow was edited.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::flow::tree::{Choice, ExprKind};

/// Bytes. A tap brings the id back with flow and visit around it; WhatsApp takes 200 for a row.
const LONGEST: usize = 60;
/// Hexadecimal digits of a hash that stands in for what an id can't hold.
const HASH_DIGITS: usize = 8;

/// Ids given in one question. Equal ones are counted, so that no two options are the same.
#[derive(Debug, Default)]
pub(super) struct Ids {
    given: HashMap<String, u32>,
}

impl Ids {
    pub(super) fn take(&mut self, option: &Choice) -> String {
        self.unused(wanted(option))
    }

    fn unused(&mut self, wanted: String) -> String {
        let Some(count) = self.given.get_mut(&wanted) else {
            self.given.insert(wanted.clone(), 1);
            return wanted;
        };
        *count += 1;
        let numbered = format!("{wanted}_{count}");
        self.unused(numbered)
    }
}

/// From a fixed `= value`, which pins the identity, else from the label.
fn wanted(option: &Choice) -> String {
    let fixed = option.value.as_ref().and_then(|value| match &value.kind {
        ExprKind::Text(text) if !text.source.contains("{{") && !text.source.contains("{%") => {
            Some(text.source.clone())
        }
        ExprKind::Number(number) => Some(number.normalize().to_string()),
        ExprKind::YesNo(yes) => Some(if *yes { "yes" } else { "no" }.to_owned()),
        ExprKind::Date(date) => Some(date.to_string()),
        ExprKind::Time(time) => Some(time.to_string()),
        ExprKind::Text(_)
        | ExprKind::Nothing
        | ExprKind::Duration(_)
        | ExprKind::List(_)
        | ExprKind::Path(_)
        | ExprKind::Not(_)
        | ExprKind::Binary { .. }
        | ExprKind::Test { .. }
        | ExprKind::Filter { .. } => None,
    });
    id_of(fixed.as_deref().unwrap_or(&option.label.source))
}

/// Small ASCII letters, digits and `_`, from words: `I can't find it` is `i_can_t_find_it`. What would get lost (other
/// scripts, more than 60 bytes, nothing left) is kept apart by a hash at the end.
pub(super) fn id_of(words: &str) -> String {
    let mut id = String::with_capacity(words.len());
    let mut lost = false;
    for c in words.nfkd().filter(|c| !is_combining_mark(*c)) {
        if c.is_ascii_alphanumeric() {
            id.push(c.to_ascii_lowercase());
        } else {
            lost |= c.is_alphanumeric();
            if !id.is_empty() && !id.ends_with('_') {
                id.push('_');
            }
        }
    }
    id.truncate(id.trim_end_matches('_').len());
    if id.is_empty() || lost || id.len() > LONGEST {
        id.truncate(LONGEST - HASH_DIGITS - 1);
        let digest = blake3::hash(words.as_bytes()).to_hex();
        if !id.is_empty() {
            id.push('_');
        }
        id.push_str(&digest[..HASH_DIGITS]);
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_ascii_whatever_the_label() {
        assert_eq!(id_of("I can't find it"), "i_can_t_find_it");
        assert_eq!(id_of("😀 Great!"), "great");
        assert_eq!(id_of("Olá, até já"), "ola_ate_ja");
        for label in ["👍", "Привет", "日本語 ok", "", &"long ".repeat(40)] {
            let id = id_of(label);
            assert!(
                id.is_ascii() && !id.is_empty() && id.len() <= LONGEST,
                "{label}: {id}"
            );
        }
        assert_ne!(id_of("👍"), id_of("👎"));
        assert_ne!(id_of("Привет"), id_of("Пока"));
    }
}

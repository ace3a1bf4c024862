//! Replaces what tells who the customer is: names, phone numbers, e-mails, places, numbers in free text. The same is
//! always replaced by the same, in its own shape, so that what a flow matches still matches. What the flows themselves
//! spell, days, times and numbers of one or two digits stay.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value as Json;

use super::{Contact, Fact, What};
use crate::chat::story::Act;
use crate::chat::transcript::Shown;
use crate::engine::Answer;
use crate::flow::fold::fold;
use crate::flow::program::Program;

pub(super) const PHONE: &str = "351910000001";
const NAMES: [&str; 8] = ["Maria", "Silva", "Rosa", "Pinto", "Lena", "Costa", "Nuno", "Vale"];

// Patterns written here, so they are built: a test builds them.
static EMAIL: LazyLock<Regex> = LazyLock::new(|| pattern(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"));
/// Nine digits or more, as people write phone numbers.
static NUMBER: LazyLock<Regex> = LazyLock::new(|| pattern(r"\+?\d(?:[ ().-]?\d){8,}"));
/// What may hold digits, and names.
static WORD: LazyLock<Regex> = LazyLock::new(|| pattern(r"[\p{L}\p{N}][\p{L}\p{N}_'-]*"));
static DAY: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:\d{4}-\d{2}-\d{2}(?:[Tt]\d{2})?|(?:19|20)\d{2})$"));

static STARTS_WITH_DAY: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\d{4}-\d{2}-\d{2}"));

fn pattern(text: &str) -> Regex {
    // It is one of those above.
    Regex::new(text).unwrap_or_else(|why| unreachable!("{text}: {why}"))
}

#[derive(Debug, Default)]
pub(super) struct Scrub {
    /// Leaves everything as it is.
    off: bool,
    /// Words that the flows spell, folded.
    kept: BTreeSet<String>,
    /// Folded name, and what stands for it.
    names: BTreeMap<String, String>,
    numbers: BTreeMap<String, String>,
    emails: BTreeMap<String, String>,
    places: BTreeMap<String, usize>,
    /// What stands for private answers: by how many acts of the customer's came before.
    pub secrets: BTreeMap<usize, Act>,
    /// Digits of the customer's own number.
    own: Option<String>,
}

impl Scrub {
    pub fn nothing() -> Scrub {
        Scrub {
            off: true,
            ..Scrub::default()
        }
    }

    pub fn of(program: &Program, contact: &Contact, facts: &[Fact]) -> Scrub {
        let mut scrub = Scrub {
            kept: spelled(program),
            own: contact.memory.phone.as_deref().map(digits),
            ..Scrub::default()
        };
        let memory = &contact.memory;
        scrub.named(memory.name.as_deref().unwrap_or_default());
        for (field, kept) in &memory.fields {
            scrub.names_in(field, &kept.value.to_json());
        }
        for fact in facts {
            if let What::Answered {
                answer: Some(Answer::Status { body, .. }),
                ..
            } = &fact.what
            {
                scrub.names_in("", body);
            }
        }
        scrub
    }

    /// A name to be replaced, word by word.
    fn named(&mut self, name: &str) {
        for word in WORD.find_iter(name) {
            let folded = fold(word.as_str());
            if folded.chars().count() > 1 && !self.kept.contains(&folded) && !self.names.contains_key(&folded)
            {
                let at = self.names.len();
                let name = match NAMES.get(at) {
                    Some(name) => (*name).to_owned(),
                    None => format!("Name{}", at + 1),
                };
                self.names.insert(folded, name);
            }
        }
    }

    /// Texts of fields that are called a name.
    fn names_in(&mut self, field: &str, json: &Json) {
        match json {
            Json::String(text) if fold(field).contains("name") => self.named(text),
            Json::Array(items) => items.iter().for_each(|item| self.names_in(field, item)),
            Json::Object(fields) => fields.iter().for_each(|(name, json)| self.names_in(name, json)),
            _ => {}
        }
    }

    pub fn text(&mut self, text: &str) -> String {
        if self.off {
            return text.to_owned();
        }
        let text = EMAIL.replace_all(text, |found: &Captures<'_>| {
            let next = self.emails.len() + 1;
            self.emails
                .entry(found[0].to_lowercase())
                .or_insert_with(|| format!("person{next}@example.com"))
                .clone()
        });
        let text = NUMBER.replace_all(&text, |found: &Captures<'_>| self.number(&found[0]));
        let text = WORD.replace_all(&text, |found: &Captures<'_>| self.word(&found[0]));
        text.into_owned()
    }

    /// A phone number keeps its country and its shape.
    fn number(&mut self, written: &str) -> String {
        let plain = digits(written);
        if STARTS_WITH_DAY.is_match(written) {
            return written.to_owned();
        }
        let stands = if self.own.as_deref() == Some(plain.as_str()) {
            PHONE.to_owned()
        } else {
            let next = self.numbers.len() as u64 + 1;
            let kept = plain.len().min(3);
            self.numbers
                .entry(plain.clone())
                .or_insert_with(|| {
                    let rest = plain.len() - kept;
                    format!("{}{:0>rest$}", &plain[..kept], next)
                })
                .clone()
        };
        if stands.len() == plain.len() {
            in_shape(written, &stands)
        } else if written.starts_with('+') {
            format!("+{stands}")
        } else {
            stands
        }
    }

    fn word(&mut self, word: &str) -> String {
        let folded = fold(word);
        if self.kept.contains(&folded) {
            return word.to_owned();
        }
        if let Some(name) = self.names.get(&folded) {
            return match word.chars().next() {
                Some(first) if first.is_lowercase() => name.to_lowercase(),
                _ => name.clone(),
            };
        }
        let count = word.chars().filter(char::is_ascii_digit).count();
        // Phone numbers are replaced already, and an e-mail of ours is no number.
        if !(3..=8).contains(&count) || DAY.is_match(word) {
            return word.to_owned();
        }
        let plain = digits(word);
        let next = self.numbers.len() as u64 + 1;
        let stands = self
            .numbers
            .entry(plain.clone())
            .or_insert_with(|| {
                // The first digit stays: a number keeps its size. Neighbours are told apart.
                let rest = plain.len() - 1;
                let tail = (next * 7 + 3) % 10_u64.pow(rest as u32);
                format!("{}{tail:0>rest$}", &plain[..1])
            })
            .clone();
        in_shape(word, &stands)
    }

    pub fn json(&mut self, json: &Json) -> Json {
        match json {
            Json::String(text) => Json::String(self.text(text)),
            Json::Array(items) => items.iter().map(|item| self.json(item)).collect(),
            Json::Object(fields) => fields
                .iter()
                .map(|(name, json)| (name.clone(), self.json(json)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Json::Null | Json::Bool(_) | Json::Number(_) => json.clone(),
        }
    }

    pub fn act(&mut self, act: &Act) -> Act {
        match act {
            Act::Types(text) => Act::Types(self.text(text)),
            Act::Taps(label) => Act::Taps(self.text(label)),
            Act::Quotes { template, words } => Act::Quotes {
                template: template.clone(),
                words: self.text(words),
            },
            Act::Voice { seconds, words } => Act::Voice {
                seconds: *seconds,
                words: words.as_ref().map(|words| self.text(words)),
            },
            Act::Sends { kind, name, caption } => Act::Sends {
                kind: *kind,
                name: if self.off { name.clone() } else { None },
                caption: caption.as_ref().map(|caption| self.text(caption)),
            },
            Act::Form(filled) => Act::Form(self.json(filled)),
            Act::Location { lat, lng, name } if self.off => Act::Location {
                lat: *lat,
                lng: *lng,
                name: name.clone(),
            },
            Act::Location { lat, lng, name } => {
                let next = self.places.len();
                let at = *self.places.entry(format!("{lat} {lng}")).or_insert(next);
                Act::Location {
                    lat: 41.1,
                    lng: -8.6 - at as f64 / 10.0,
                    name: name.as_ref().map(|_| format!("Place {}", at + 1)),
                }
            }
        }
    }

    /// Whether somebody did this in words of their own: what the flows spell, and what was replaced, is not.
    pub fn is_free(&self, act: &Act) -> bool {
        match act {
            Act::Types(text) | Act::Quotes { words: text, .. } => self.is_free_text(text),
            Act::Voice { words, .. } => words.as_ref().is_some_and(|words| self.is_free_text(words)),
            Act::Sends { caption, .. } => caption.as_ref().is_some_and(|caption| self.is_free_text(caption)),
            Act::Form(filled) => self.is_free_json(filled),
            // A label is the flows', and places are replaced.
            Act::Taps(_) | Act::Location { .. } => false,
        }
    }

    fn is_free_json(&self, json: &Json) -> bool {
        match json {
            Json::String(text) => self.is_free_text(text),
            Json::Array(items) => items.iter().any(|item| self.is_free_json(item)),
            Json::Object(fields) => fields.values().any(|json| self.is_free_json(json)),
            Json::Null | Json::Bool(_) | Json::Number(_) => false,
        }
    }

    pub fn is_free_text(&self, text: &str) -> bool {
        let text = EMAIL.replace_all(text, " ");
        let mut words = WORD.find_iter(&text).map(|word| fold(word.as_str()));
        words.any(|word| {
            let letters = word.chars().filter(|c| c.is_alphabetic()).count();
            let digits = word.chars().filter(char::is_ascii_digit).count();
            let replaced = self.names.values().any(|name| fold(name) == word);
            letters > 1 && digits < 3 && !replaced && !self.kept.contains(&word)
        })
    }

    pub fn shown(&mut self, shown: &Shown) -> Shown {
        Shown {
            text: shown.text.iter().map(|line| self.text(line)).collect(),
            extras: shown.extras.iter().map(|line| self.text(line)).collect(),
            options: shown.options.clone(),
        }
    }
}

/// Every word of every text of the flows, folded: replacing one could change what is matched.
fn spelled(program: &Program) -> BTreeSet<String> {
    let mut kept = BTreeSet::new();
    let mut add = |text: &str| kept.extend(WORD.find_iter(text).map(|word| fold(word.as_str())));
    program.texts.iter().for_each(|text| add(&text.source));
    for state in &program.states {
        if let crate::flow::program::StateKind::Question(question) = &state.kind {
            question
                .options
                .iter()
                .flat_map(|choice| &choice.also)
                .for_each(|word| add(word));
        }
    }
    for trigger in program.triggers() {
        if let crate::flow::program::Trigger::Words(words)
        | crate::flow::program::Trigger::Containing(words) = trigger
        {
            add(words);
        }
    }
    kept
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The digits of `stands` where `written` has digits.
fn in_shape(written: &str, stands: &str) -> String {
    let mut stands = stands.chars();
    written
        .chars()
        .map(|c| {
            if c.is_ascii_digit() {
                stands.next().unwrap_or(c)
            } else {
                c
            }
        })
        .collect()
}

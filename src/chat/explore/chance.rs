//! Draws, always the same from the same seed: what a customer types, and what a service answers.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::words::Words;
use crate::chat::sample::{file, place};
use crate::chat::story::{Act, GivenAnswer};
use crate::engine::{Asked, Call, Says};
use crate::flow::program::{Action, Program};
use crate::flow::tree::Kind;
use crate::message::MediaKind;

/// splitmix64 (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub(in crate::chat) struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// Less than `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// One of several; `None` of none.
    pub fn of<'v, T>(&mut self, values: &'v [T]) -> Option<&'v T> {
        let at = self.below(values.len() as u64) as usize;
        values.get(at)
    }

    fn pick(&mut self, values: &[&str]) -> String {
        self.of(values)
            .map_or_else(String::new, |text| (*text).to_owned())
    }

    /// One letter left out, doubled or swapped; sometimes only the capitals are gone.
    pub fn misspelt(&mut self, text: &str) -> String {
        let mut letters: Vec<char> = text.to_lowercase().chars().collect();
        if letters.len() < 2 {
            return text.to_lowercase();
        }
        let at = self.below(letters.len() as u64) as usize;
        match self.below(4) {
            0 => {
                letters.remove(at);
            }
            1 => letters.insert(at, 'x'),
            2 if at + 1 < letters.len() => letters.swap(at, at + 1),
            _ => {}
        }
        letters.into_iter().collect()
    }

    /// Whole minutes, so that a transcript can say it.
    pub fn silence(&mut self) -> Duration {
        let minutes = self.of(&[1, 5, 11, 31, 61, 121, 6 * 60, 13 * 60, 25 * 60, 75 * 60]);
        Duration::from_secs(minutes.copied().unwrap_or(1) * 60)
    }

    pub fn media(&mut self) -> Act {
        match self.below(5) {
            0 => Act::Voice {
                seconds: Some(4),
                words: Some(self.nonsense()),
            },
            1 => Act::Voice {
                seconds: Some(1),
                words: None,
            },
            2 => place(None),
            _ => Act::Sends {
                kind: self
                    .of(&[
                        MediaKind::Photo,
                        MediaKind::Video,
                        MediaKind::Audio,
                        MediaKind::Document,
                        MediaKind::Sticker,
                    ])
                    .copied()
                    .unwrap_or(MediaKind::Photo),
                name: None,
                caption: None,
            },
        }
    }

    /// What no flow is written for. A transcript must be able to say it: no bracket in front, no blank at the ends.
    pub fn nonsense(&mut self) -> String {
        match self.below(8) {
            0 => "👟🔥".to_owned(),
            1 => "and another thing ".repeat(240).trim_end().to_owned(),
            2 => "{{ contact.first_name }}{% set a = 1 %}".to_owned(),
            3 => "Ünïcödé \u{202E}gnirts".to_owned(),
            4 => "one\ntwo\nthree".to_owned(),
            5 => "?".to_owned(),
            6 => "a\"b\\c".to_owned(),
            _ => "I would like to know something else entirely".to_owned(),
        }
    }

    /// An answer of the kind that a question takes.
    pub fn answer(&mut self, kind: &Kind, words: &Words) -> Act {
        let text = match kind {
            Kind::Text | Kind::TextMatching(_) => words.one(self),
            Kind::TextLike(pattern) => pattern
                .chars()
                .map(|mark| match mark {
                    '#' => char::from(b'0' + self.below(10) as u8),
                    '@' => char::from(b'a' + self.below(26) as u8),
                    '*' => 'z',
                    other => other,
                })
                .collect(),
            Kind::Number { from, to } | Kind::WholeNumber { from, to } => match (from, to) {
                (Some(one), _) | (None, Some(one)) if self.one_in(2) => one.to_string(),
                _ => self.below(12).to_string(),
            },
            Kind::Rating { from, to } => {
                (u64::from(*from) + self.below(u64::from(to.saturating_sub(*from)) + 1)).to_string()
            }
            Kind::Money => "12.50".to_owned(),
            Kind::YesNo => self.pick(&["yes", "no"]),
            Kind::Date(_) => self.pick(&["tomorrow", "friday", "12 March", "2026-03-20", "1 January 2020"]),
            Kind::Time => "10:30".to_owned(),
            Kind::Email => "maria@example.com".to_owned(),
            Kind::Phone => "+351910000001".to_owned(),
            Kind::WebAddress => "https://example.com".to_owned(),
            Kind::Media(kind) => return file(*kind, Some("it is broken")),
            Kind::Location => return place(Some("Porto")),
            Kind::List(_) => "one, two".to_owned(),
        };
        Act::Types(text)
    }

    /// What a service gives for a field of this kind.
    pub(super) fn value(&mut self, kind: &Kind, words: &Words) -> Json {
        match kind {
            Kind::Text | Kind::TextLike(_) | Kind::TextMatching(_) => json!(words.one(self)),
            Kind::Email => json!("maria@example.com"),
            Kind::Phone => json!("+351910000001"),
            Kind::WebAddress => json!("https://example.com/a"),
            Kind::Number { .. } | Kind::WholeNumber { .. } | Kind::Money | Kind::Rating { .. } => {
                json!(self.below(5))
            }
            Kind::YesNo => json!(self.one_in(2)),
            Kind::Date(_) => json!("2026-03-20"),
            Kind::Time => json!("10:30"),
            Kind::Media(_) | Kind::Location => json!({}),
            Kind::List(of) => {
                let count = if self.one_in(6) { 14 } else { self.below(5) };
                (0..count)
                    .map(|nth| match of {
                        Some(item) => self.value(item, words),
                        // What is in the items is declared nowhere: they have every field that a flow reads.
                        None => words
                            .fields
                            .iter()
                            .map(|field| (field.clone(), guessed(field, nth)))
                            .collect::<serde_json::Map<_, _>>()
                            .into(),
                    })
                    .collect()
            }
        }
    }
}

/// A value for a field of which only the name is known.
pub(in crate::chat) fn guessed(field: &str, nth: u64) -> Json {
    let has = |word: &str| field.contains(word);
    if has("time") {
        json!(format!("{:02}:30", 8 + nth % 12))
    } else if has("day") || has("date") || has("eta") {
        json!("2026-03-20")
    } else if has("price") || has("total") || has("amount") || has("count") || has("stars") {
        json!(nth)
    } else {
        json!(format!("{field} {nth}"))
    }
}

/// What a model replies: now an answer, now one of its ways out.
pub(in crate::chat) fn reply(asked: &Asked, luck: u64) -> Says {
    let mut chance = Chance(luck);
    match chance.below(8) {
        0 => Says::NotSure,
        1 => Says::OffTopic,
        2 => Says::Finished(None),
        3 => Says::Problem {
            why: "it is down".to_owned(),
        },
        4 if !asked.topics.is_empty() => {
            let (name, _) = &asked.topics[chance.below(asked.topics.len() as u64) as usize];
            Says::Topic(name.clone())
        }
        _ => Says::Text("Here is what I know.".to_owned()),
    }
}

/// Answers a call: mostly from what the action gives; unless it is `healthy`, six in sixteen refuse, fail or hang.
pub(in crate::chat) fn serve(
    program: &Program,
    words: &Words,
    call: &Call,
    luck: u64,
    healthy: bool,
) -> GivenAnswer {
    // Calls of one move draw apart, and the same name draws the same way.
    let salt = call
        .action
        .bytes()
        .fold(luck, |salt, byte| salt.rotate_left(7) ^ u64::from(byte));
    let mut chance = Chance(salt);
    let action = program
        .business
        .services
        .iter()
        .find(|service| service.name == call.service)
        .and_then(|service| service.actions.iter().find(|action| action.name == call.action));
    match chance.below(16) {
        0..=5 if healthy => good(action, words, &mut chance),
        0 => GivenAnswer::TimesOut,
        1 => GivenAnswer::IsDown,
        2 => GivenAnswer::Status(500, json!("oops")),
        3 => GivenAnswer::Status(404, json!({})),
        4 => GivenAnswer::Status(409, json!({})),
        5 => GivenAnswer::Status(422, Json::Null),
        _ => good(action, words, &mut chance),
    }
}

fn good(action: Option<&Action>, words: &Words, chance: &mut Chance) -> GivenAnswer {
    let gives = action.into_iter().flat_map(|action| &action.gives);
    let body = gives
        .map(|(name, kind)| (name.clone(), chance.value(kind, words)))
        .collect();
    GivenAnswer::Status(200, Json::Object(body))
}

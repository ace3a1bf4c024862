//! What opens flows and interrupts questions, indexed so that looking costs the same in a small and a large program.

use std::collections::HashMap;

use regex::RegexSet;

use crate::flow::fold::{fold, plain, words};
use crate::flow::program::Trigger;
use crate::message::MediaKind;

/// Words of a message up to which a phrase inside it counts.
const SHORT: usize = 6;
/// So many phrases are compared one by one; among more, every choice of the message's words is looked up.
const FEW: usize = 8;

/// Triggers of one scope (all `starts`, or the `on`s of a flow or of the business), by index of the owner.
#[derive(Debug, Default)]
pub(super) struct TriggerIndex {
    /// By the words joined with single spaces.
    phrases: HashMap<Box<str>, Vec<usize>>,
    containing: Option<RegexSet>,
    containing_owners: Vec<usize>,
    topics: HashMap<Box<str>, Vec<usize>>,
    media: Vec<(MediaKind, usize)>,
    location: Vec<usize>,
    events: HashMap<Box<str>, Vec<usize>>,
    /// Codes of links, folded.
    links: Vec<(Box<str>, usize)>,
    window: Vec<usize>,
    first_message: Vec<usize>,
    any_message: Vec<usize>,
    /// By name of the template.
    replies: HashMap<Box<str>, Vec<usize>>,
}

/// The words of a message, folded, as phrases are compared.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The message folded as a whole.
    pub whole: String,
    /// Its words, joined with single spaces.
    pub words: String,
    /// It ends with `…`, as a label does that was too long for its button.
    pub cut: bool,
}

impl Said {
    pub fn new(text: &str) -> Said {
        let whole = fold(text);
        let words = key(&whole);
        let cut = text.trim_end().ends_with('…');
        Said { whole, words, cut }
    }
}

fn key(folded: &str) -> String {
    let mut joined = String::with_capacity(folded.len());
    for word in words(folded) {
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(word);
    }
    if joined.is_empty() {
        folded.to_owned()
    } else {
        joined
    }
}

/// Whether all words of the phrase are among the words, in their order.
fn in_order(phrase: &str, words: &str) -> bool {
    let mut words = words.split(' ');
    phrase.split(' ').all(|wanted| words.any(|word| word == wanted))
}

impl TriggerIndex {
    pub fn new<'a>(triggers: impl Iterator<Item = (usize, &'a Trigger)>) -> TriggerIndex {
        let mut index = TriggerIndex::default();
        let mut patterns = Vec::new();
        for (owner, trigger) in triggers {
            match trigger {
                Trigger::Words(phrase) => index
                    .phrases
                    .entry(key(&fold(phrase)).into())
                    .or_default()
                    .push(owner),
                Trigger::Containing(part) => {
                    // From the start of a word: "refund" is in "refunds?", not in "prefunded".
                    patterns.push(format!(r"(?:^|\W){}", regex::escape(&plain(part))));
                    index.containing_owners.push(owner);
                }
                Trigger::Topic(topic) => index.topics.entry(topic.as_str().into()).or_default().push(owner),
                Trigger::Event(name) => index.events.entry(name.as_str().into()).or_default().push(owner),
                Trigger::Link(code) => index.links.push((fold(code).into(), owner)),
                Trigger::WindowClosing => index.window.push(owner),
                Trigger::FirstMessage => index.first_message.push(owner),
                Trigger::AnyMessage => index.any_message.push(owner),
                Trigger::Media(kind) => index.media.push((*kind, owner)),
                Trigger::Location => index.location.push(owner),
                Trigger::Reply(template) => {
                    let owners = index.replies.entry(template.as_str().into());
                    owners.or_default().push(owner);
                }
            }
        }
        if !patterns.is_empty() {
            // Escaped texts always make a set, unless they are larger than its limit; then none of them fires.
            index.containing = RegexSet::new(&patterns).ok();
        }
        index
    }

    /// Owners of phrases that *are* the message.
    pub fn exactly(&self, said: &Said) -> &[usize] {
        if said.words.is_empty() {
            return &[];
        }
        self.phrases.get(said.words.as_str()).map_or(&[], Vec::as_slice)
    }

    /// Owners of phrases inside a short message: all their words in order. Longest phrase first, then as written.
    pub fn inside(&self, said: &Said) -> Vec<usize> {
        let mut found: Vec<(usize, usize)> = Vec::new();
        let count = if said.words.is_empty() {
            0
        } else {
            said.words.split(' ').count()
        };
        if !(2..=SHORT).contains(&count) {
            // Too long for phrases inside it, or a single word, which `exactly` has seen.
        } else if self.phrases.len() <= FEW {
            for (phrase, owners) in &self.phrases {
                if phrase.len() < said.words.len() && in_order(phrase, &said.words) {
                    found.extend(owners.iter().map(|owner| (phrase.len(), *owner)));
                }
            }
        } else {
            let words: Vec<&str> = said.words.split(' ').collect();
            let mut candidate = String::with_capacity(said.words.len());
            for chosen in 1..(1_u32 << words.len()) - 1 {
                candidate.clear();
                for (at, word) in words.iter().enumerate() {
                    if chosen & (1 << at) != 0 {
                        if !candidate.is_empty() {
                            candidate.push(' ');
                        }
                        candidate.push_str(word);
                    }
                }
                if let Some(owners) = self.phrases.get(candidate.as_str()) {
                    found.extend(owners.iter().map(|owner| (candidate.len(), *owner)));
                }
            }
        }
        if let Some(set) = &self.containing {
            found.extend(
                set.matches(&said.whole)
                    .iter()
                    .map(|at| (0, self.containing_owners[at])),
            );
        }
        found.sort_by_key(|(length, owner)| (std::cmp::Reverse(*length), *owner));
        found.into_iter().map(|(_, owner)| owner).collect()
    }

    pub fn on_event(&self, event: &str) -> &[usize] {
        self.events.get(event).map_or(&[], Vec::as_slice)
    }

    pub fn events(&self) -> impl Iterator<Item = &str> {
        self.events.keys().map(AsRef::as_ref)
    }

    pub fn on_window_closing(&self) -> &[usize] {
        &self.window
    }

    pub fn has_links(&self) -> bool {
        !self.links.is_empty()
    }

    /// Owners of one of these codes, folded.
    pub fn on_link(&self, codes: &[String]) -> impl Iterator<Item = usize> {
        self.links
            .iter()
            .filter(|(code, _)| codes.iter().any(|given| **given == **code))
            .map(|(_, owner)| *owner)
    }

    pub fn on_topic(&self, topic: &str) -> &[usize] {
        self.topics.get(topic).map_or(&[], Vec::as_slice)
    }

    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.keys().map(AsRef::as_ref)
    }

    pub fn on_media(&self, kind: MediaKind) -> impl Iterator<Item = usize> + '_ {
        self.media
            .iter()
            .filter(move |(of, _)| *of == kind)
            .map(|(_, owner)| *owner)
    }

    pub fn on_reply(&self, template: &str) -> &[usize] {
        self.replies.get(template).map_or(&[], Vec::as_slice)
    }

    pub fn on_location(&self) -> &[usize] {
        &self.location
    }

    pub fn on_first_message(&self) -> &[usize] {
        &self.first_message
    }

    pub fn on_any_message(&self) -> &[usize] {
        &self.any_message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(phrases: &[&str]) -> TriggerIndex {
        let triggers: Vec<Trigger> = phrases
            .iter()
            .map(|phrase| Trigger::Words((*phrase).to_owned()))
            .collect();
        TriggerIndex::new(triggers.iter().enumerate())
    }

    #[test]
    fn a_phrase_is_found_whole_whatever_its_case_and_punctuation() {
        let index = index(&["where is my order", "hi"]);
        assert_eq!(index.exactly(&Said::new("Where is my order??")), [0]);
        assert_eq!(index.exactly(&Said::new("HI!")), [1]);
        assert!(index.exactly(&Said::new("")).is_empty());
    }

    #[test]
    fn a_phrase_inside_a_short_message_needs_all_its_words_in_order() {
        let index = index(&["my order", "order"]);
        assert_eq!(index.inside(&Said::new("where is my big order")), [0, 1]);
        assert_eq!(index.inside(&Said::new("order for my mother")), [1]);
        assert!(
            index
                .inside(&Said::new("one two three four five six order"))
                .is_empty()
        );
    }

    #[test]
    fn containing_looks_at_messages_of_any_length() {
        let triggers = [Trigger::Containing("refund".to_owned())];
        let index = TriggerIndex::new(triggers.iter().enumerate());
        let said = Said::new("I bought these last week and would now like to have two Refunds please");
        assert_eq!(index.inside(&said), [0]);
        assert!(index.inside(&Said::new("prefunded")).is_empty());
    }
}

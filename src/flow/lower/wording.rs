//! The same texts in the business's further languages, found by the place of what they translate.

use std::collections::{BTreeMap, BTreeSet};

use super::Lowering;
use super::text::is_fixed;
use crate::flow::fold::fold;
use crate::flow::program::{TextIx, Trigger, Worded, Wording};
use crate::flow::strings::Pairs;
use crate::flow::strings::pair::{BySpan, by_span};
use crate::flow::tree::{self, Tree, TriggerKind};

/// A wording under way, for each further language that has any translation.
#[derive(Debug, Default)]
pub(super) struct Words<'t> {
    languages: Vec<(BySpan<'t>, Wording)>,
    /// Folded words by which the flows themselves start or interrupt something.
    own: BTreeSet<String>,
}

impl<'t> Words<'t> {
    pub(super) fn of(tree: &'t Tree, pairs: &[Pairs<'t>]) -> Words<'t> {
        let further = tree
            .business
            .iter()
            .flat_map(|business| business.languages.iter().skip(1));
        let languages = further
            .map(|language| (by_span(pairs, &language.text), &language.text))
            .filter(|(found, _)| !found.is_empty())
            .map(|(found, language)| {
                let wording = Wording {
                    language: language.clone(),
                    texts: BTreeMap::new(),
                    also: BTreeMap::new(),
                    teams: titles(tree, &found),
                    alone: Vec::new(),
                };
                (found, wording)
            });
        Words {
            languages: languages.collect(),
            own: BTreeSet::new(),
        }
    }

    pub(super) fn into_wordings(self) -> Vec<Wording> {
        let Words { languages, own } = self;
        let mut wordings: Vec<Wording> = languages.into_iter().map(|(_, wording)| wording).collect();
        // What is the same in two languages tells neither.
        let mut languages_of: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (at, wording) in wordings.iter().enumerate() {
            for word in wording.alone.iter().filter_map(words_of) {
                languages_of.entry(fold(word)).or_default().insert(at);
            }
        }
        let tells = |word: &str| {
            let word = fold(word);
            !own.contains(&word)
                && languages_of
                    .get(&word)
                    .is_some_and(|languages| languages.len() == 1)
        };
        for wording in &mut wordings {
            wording
                .alone
                .retain(|trigger| words_of(trigger).is_some_and(tells));
        }
        wordings
    }
}

/// What somebody writes to set a trigger off; `None`: no words do.
fn words_of(trigger: &Trigger) -> Option<&str> {
    match trigger {
        Trigger::Words(words) | Trigger::Containing(words) => Some(words),
        Trigger::Topic(_)
        | Trigger::Event(_)
        | Trigger::Link(_)
        | Trigger::WindowClosing
        | Trigger::FirstMessage
        | Trigger::AnyMessage
        | Trigger::Media(_)
        | Trigger::Location
        | Trigger::Reply(_) => None,
    }
}

/// Titles of teams in a language.
fn titles(tree: &Tree, found: &BySpan) -> BTreeMap<u32, String> {
    let teams = tree.business.iter().flat_map(|business| &business.teams);
    let translated = teams.zip(0..).filter_map(|(team, index)| {
        let title = found.get(&team.title.span)?.texts.first()?;
        Some((index, title.source.clone()))
    });
    translated.collect()
}

impl Lowering<'_> {
    /// Takes the translations of a text in.
    pub(super) fn translate(&mut self, text: &tree::Text, index: TextIx) {
        let mut languages = std::mem::take(&mut self.words.languages);
        for (found, wording) in &mut languages {
            let Some(entry) = found.get(&text.span) else {
                continue;
            };
            let Some(words) = entry.texts.iter().find(|text| !text.source.trim().is_empty()) else {
                continue;
            };
            wording.texts.insert(
                index,
                Worded {
                    source: words.source.clone(),
                    fixed: is_fixed(&words.source),
                    place: self.place(words.span),
                },
            );
            let also: Vec<String> = entry.also.iter().map(|text| text.source.clone()).collect();
            if !also.is_empty() {
                wording.also.insert(index, also);
            }
        }
        self.words.languages = languages;
    }

    /// The words of these triggers in further languages.
    pub(super) fn translated_triggers(&mut self, triggers: &[tree::Trigger]) -> Vec<Trigger> {
        let mut translated = Vec::new();
        for (found, wording) in &mut self.words.languages {
            for trigger in triggers {
                let (make, own): (fn(String) -> Trigger, _) = match &trigger.kind {
                    TriggerKind::Words(words) => (Trigger::Words, words),
                    TriggerKind::Containing(words) => (Trigger::Containing, words),
                    _ => continue,
                };
                self.words.own.insert(fold(own));
                let texts = found
                    .get(&trigger.span)
                    .into_iter()
                    .flat_map(|entry| &entry.texts);
                let words = texts.filter(|text| !text.source.trim().is_empty());
                let words: Vec<Trigger> = words.map(|text| make(text.source.clone())).collect();
                wording.alone.extend(words.iter().cloned());
                translated.extend(words);
            }
        }
        translated
    }
}

//! The same texts in the business's further languages, found by the place of what they translate.

use std::collections::BTreeMap;

use super::Lowering;
use super::text::is_fixed;
use crate::flow::program::{TextIx, Trigger, Worded, Wording};
use crate::flow::strings::Pairs;
use crate::flow::strings::pair::{BySpan, by_span};
use crate::flow::tree::{self, Tree, TriggerKind};

/// A wording under way, for each further language that has any translation.
#[derive(Debug, Default)]
pub(super) struct Words<'t> {
    languages: Vec<(BySpan<'t>, Wording)>,
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
                };
                (found, wording)
            });
        Words {
            languages: languages.collect(),
        }
    }

    pub(super) fn into_wordings(self) -> Vec<Wording> {
        self.languages.into_iter().map(|(_, wording)| wording).collect()
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
    pub(super) fn translated_triggers(&self, triggers: &[tree::Trigger]) -> Vec<Trigger> {
        let mut translated = Vec::new();
        for (found, _) in &self.words.languages {
            for trigger in triggers {
                let make = match &trigger.kind {
                    TriggerKind::Words(_) => Trigger::Words,
                    TriggerKind::Containing(_) => Trigger::Containing,
                    _ => continue,
                };
                let texts = found
                    .get(&trigger.span)
                    .into_iter()
                    .flat_map(|entry| &entry.texts);
                let words = texts.filter(|text| !text.source.trim().is_empty());
                translated.extend(words.map(|text| make(text.source.clone())));
            }
        }
        translated
    }
}

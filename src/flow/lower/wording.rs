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
    /// Folded words that start or interrupt something, with the languages that have them; `None`: the flows' own.
    heard: BTreeMap<String, BTreeSet<Option<usize>>>,
    /// Those of further languages: which, folded, and the trigger.
    further: Vec<(usize, String, Trigger)>,
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
            ..Words::default()
        }
    }

    pub(super) fn into_wordings(self) -> Vec<Wording> {
        let Words {
            languages,
            heard,
            further,
        } = self;
        let mut wordings: Vec<Wording> = languages.into_iter().map(|(_, wording)| wording).collect();
        for (language, folded, trigger) in further {
            // What is the same in two languages tells neither.
            if heard.get(&folded).is_some_and(|languages| languages.len() == 1) {
                wordings[language].alone.push(trigger);
            }
        }
        wordings
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
        let Words {
            languages,
            heard,
            further,
        } = &mut self.words;
        let mut translated = Vec::new();
        for (language, (found, _)) in languages.iter().enumerate() {
            for trigger in triggers {
                let (make, own): (fn(String) -> Trigger, _) = match &trigger.kind {
                    TriggerKind::Words(words) => (Trigger::Words, words),
                    TriggerKind::Containing(words) => (Trigger::Containing, words),
                    _ => continue,
                };
                heard.entry(fold(own)).or_default().insert(None);
                let texts = found
                    .get(&trigger.span)
                    .into_iter()
                    .flat_map(|entry| &entry.texts);
                for text in texts.filter(|text| !text.source.trim().is_empty()) {
                    let (folded, trigger) = (fold(&text.source), make(text.source.clone()));
                    heard.entry(folded.clone()).or_default().insert(Some(language));
                    further.push((language, folded, trigger.clone()));
                    translated.push(trigger);
                }
            }
        }
        translated
    }
}

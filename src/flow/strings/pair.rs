//! Which translation belongs to which text, although flows are edited: a text that only moved keeps its translation,
//! one that was reworded keeps it too, marked.

use std::collections::HashMap;

use super::units::{Unit, units_of};
use crate::flow::source::{FileId, Span};
use crate::flow::tree::{Strings, TextKey, Translation, Tree};

/// How a translation came to its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It is a translation of these words.
    Words,
    /// It stands at this place, and is a translation of other words.
    Place,
}

/// The translations of one file's texts in one language.
#[derive(Debug)]
pub struct Paired<'t> {
    pub strings: &'t Strings,
    /// For each unit of the file.
    pub found: Vec<Option<(&'t Translation, Fit)>>,
    /// Translations of nothing.
    pub left: Vec<&'t Translation>,
}

/// The texts of one file with their translations in every language that has a file.
#[derive(Debug)]
pub struct Pairs<'t> {
    pub file: FileId,
    pub units: Vec<Unit<'t>>,
    pub languages: Vec<Paired<'t>>,
}

impl<'t> Pairs<'t> {
    /// What is said in a language, by the place of what it translates: the translations that have words.
    pub(in crate::flow) fn said<'p>(
        &'p self,
        paired: &'p Paired<'t>,
    ) -> impl Iterator<Item = (Span, &'t Translation)> + use<'p, 't> {
        let pairs = self.units.iter().zip(&paired.found);
        pairs.filter_map(|(unit, one)| {
            let (entry, _) = (*one)?;
            entry.is_filled().then_some((unit.span, entry))
        })
    }
}

/// All files that have texts, in the order of their ids.
pub fn pairs_of(tree: &Tree) -> Vec<Pairs<'_>> {
    let mut files: Vec<FileId> = tree.flows.iter().map(|flow| flow.file).collect();
    files.extend(tree.business.as_ref().map(|business| business.file));
    files.sort_unstable();
    files.dedup();
    let pairs = |file| {
        let units = units_of(tree, file);
        let languages = tree
            .strings
            .iter()
            .filter(|strings| strings.of == Some(file))
            .map(|strings| pair(&units, strings))
            .collect();
        Pairs {
            file,
            units,
            languages,
        }
    };
    files.into_iter().map(pairs).collect()
}

/// Finds the translation of each unit: of the same words at the same place; else of the same words in the step, then
/// anywhere in the file; else what stood at the place.
pub fn pair<'t>(units: &[Unit<'_>], strings: &'t Strings) -> Paired<'t> {
    let entries = &strings.entries;
    let mut taken = vec![false; entries.len()];
    let mut found: Vec<Option<(usize, Fit)>> = vec![None; units.len()];

    let mut exact: HashMap<(&TextKey, &str), usize> = HashMap::new();
    let mut in_step: HashMap<(&str, &str, &str), Vec<usize>> = HashMap::new();
    let mut in_file: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    let mut at_place: HashMap<&TextKey, usize> = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let (key, hash) = (&entry.key, entry.hash.as_str());
        exact.entry((key, hash)).or_insert(index);
        // Only words that are there are worth taking along.
        if entry.is_filled() {
            let step = (key.section.as_str(), key.kind.as_str(), hash);
            in_step.entry(step).or_default().push(index);
            in_file.entry((&key.kind, hash)).or_default().push(index);
            if !entry.unused {
                at_place.entry(key).or_insert(index);
            }
        }
    }
    let mut take = |found: &mut Option<(usize, Fit)>, index: usize, fit: Fit| {
        if found.is_none() && !taken[index] {
            taken[index] = true;
            *found = Some((index, fit));
        }
    };
    for (unit, found) in units.iter().zip(&mut found) {
        let keys = std::iter::once(&unit.key).chain(&unit.was);
        for key in keys {
            if let Some(index) = exact.get(&(key, unit.hash.as_str())) {
                take(found, *index, Fit::Words);
            }
        }
    }
    for (unit, found) in units.iter().zip(&mut found) {
        let key = (
            unit.key.section.as_str(),
            unit.key.kind.as_str(),
            unit.hash.as_str(),
        );
        for index in in_step.get(&key).into_iter().flatten() {
            take(found, *index, Fit::Words);
        }
    }
    for (unit, found) in units.iter().zip(&mut found) {
        let key = (unit.key.kind.as_str(), unit.hash.as_str());
        for index in in_file.get(&key).into_iter().flatten() {
            take(found, *index, Fit::Words);
        }
    }
    for (unit, found) in units.iter().zip(&mut found) {
        let keys = std::iter::once(&unit.key).chain(&unit.was);
        for key in keys {
            if let Some(index) = at_place.get(key) {
                take(found, *index, Fit::Place);
            }
        }
    }
    Paired {
        strings,
        found: found
            .into_iter()
            .map(|found| found.map(|(index, fit)| (&entries[index], fit)))
            .collect(),
        left: entries
            .iter()
            .zip(taken)
            .filter(|(_, taken)| !taken)
            .map(|(entry, _)| entry)
            .collect(),
    }
}

/// Translations by the place of what they translate, of one language.
pub(in crate::flow) type BySpan<'t> = HashMap<Span, &'t Translation>;

/// Filled translations of a language in all files.
pub(in crate::flow) fn by_span<'t>(pairs: &[Pairs<'t>], language: &str) -> BySpan<'t> {
    let mut found = HashMap::new();
    for pairs in pairs {
        let paired = pairs
            .languages
            .iter()
            .filter(|paired| super::same_language(&paired.strings.language, language));
        for paired in paired {
            found.extend(pairs.said(paired));
        }
    }
    found
}

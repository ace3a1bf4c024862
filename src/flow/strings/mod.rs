//! The texts of a flow in further languages: `support.pt.strings` beside `support.flow`.
//!
//! They stand beside the road of a flow file: [`read`] makes [`super::tree::Strings`] of such a file, [`units`] lists
//! what of a tree can be translated, [`pair`] finds the translation of each, and [`write`] makes the file anew without
//! losing one. Checks and lowering both ask [`Pairs`].
//!
//! ```text
//! # "Track my order" also "parcel", "delivery"
//! hello#menu.1 4e1d07aa  "Seguir encomenda" also "pacote", "entrega"
//! ```
//!
//! The key says where the text stands, the eight characters which words it is a translation of. `stale` behind them
//! marks a translation of words that have changed since; what the flow no longer says is kept under a line `unused`.

pub mod pair;
pub mod read;
pub mod units;
pub mod write;

pub use pair::{Pairs, pairs_of};

/// The texts of a business that speaks further languages, with their translations; nothing of one that speaks one.
pub fn pairs_of_further(tree: &super::tree::Tree) -> Vec<Pairs<'_>> {
    let further = tree
        .business
        .as_ref()
        .is_some_and(|business| business.languages.len() > 1);
    if further || !tree.strings.is_empty() {
        pairs_of(tree)
    } else {
        Vec::new()
    }
}

/// The ending of such files.
pub const ENDING: &str = "strings";

pub fn is_strings(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| ending == ENDING)
}

/// The path of the file whose texts these are, and the language: `support.pt.strings` is `support.flow` in `pt`.
/// `None` if the name says no language.
pub fn source_path(path: &str) -> Option<(String, &str)> {
    let (rest, ending) = path.rsplit_once('.')?;
    let (stem, language) = rest.rsplit_once('.')?;
    let named = ending == ENDING && is_language(language) && !stem.is_empty() && !stem.ends_with(['/', '\\']);
    named.then(|| (format!("{stem}.flow"), language))
}

/// The path of a flow file's texts in a language.
pub fn strings_path(flow: &str, language: &str) -> String {
    format!(
        "{}.{language}.{ENDING}",
        flow.strip_suffix(".flow").unwrap_or(flow)
    )
}

/// `pt`, `pt_BR`, `pt-BR`: letters, and perhaps a country or script.
pub fn is_language(code: &str) -> bool {
    let mut parts = code.split(['_', '-']);
    let letters = |part: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric())
    };
    parts.next().is_some_and(|first| letters(first, 2..=3)) && parts.all(|part| letters(part, 2..=8))
}

/// Whether two codes are one language: `pt_BR` and `pt-br`.
pub fn same_language(one: &str, other: &str) -> bool {
    let plain = |code: &str| code.replace('-', "_").to_ascii_lowercase();
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests;

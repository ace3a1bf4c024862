//! Static checks: what would go wrong in front of a customer is said when the file is saved.
//!
//! They stand between the tree and lowering. Every check looks at the whole business and reports each mistake once,
//! as data; one file here is one theme. The order in which they run doesn't matter: [`tidy`] sorts what they found.

mod answer;
mod blanks;
mod by_template;
mod consent;
mod declared;
mod known;
mod limits;
mod mentions;
mod options;
mod own_names;
mod paths;
mod private;
mod reach;
mod renames;
mod rounds;
mod services;
mod shown;
mod starts;
mod texts;
mod translations;
mod types;
mod values;
pub(crate) mod walk;
mod windows;

use std::collections::HashMap;

use super::diagnostic::{Code, Diagnostic, Severity};
use super::names::Names;
use super::source::{FileId, Sources, Span};
use super::strings::{Pairs, pairs_of_further};
use super::tree::Tree;
use crate::message::Limits;

pub use shown::{ShownText, shown_at};

/// Everything that the checks found, sorted, at most one for a line.
pub fn check(sources: &Sources, tree: &Tree) -> Vec<Diagnostic> {
    tidy(sources, check_all(sources, tree))
}

/// As [`check`], before sorting, for whoever adds what the parser found.
pub fn check_all(sources: &Sources, tree: &Tree) -> Vec<Diagnostic> {
    check_paired(sources, tree, &pairs_of_further(tree))
}

/// The same, of a business whose texts have found their translations.
pub(super) fn check_paired<'t>(sources: &Sources, tree: &'t Tree, pairs: &[Pairs<'t>]) -> Vec<Diagnostic> {
    let names = Names::of(tree);
    let shop = Shop {
        sources,
        tree,
        names: &names,
        limits: &Limits::META,
    };
    let mut found = Vec::new();
    declared::check(&shop, &mut found);
    starts::check(&shop, pairs, &mut found);
    paths::check(&shop, &mut found);
    reach::check(&shop, &mut found);
    rounds::check(&shop, &mut found);
    renames::check(&shop, &mut found);
    windows::check(&shop, &mut found);
    services::check(&shop, &mut found);
    consent::check(&shop, &mut found);
    let values = values::Values::of(&shop);
    let (mut blanks, samples) = texts::check(&shop, &values, &mut found);
    private::check(&shop, &blanks, &mut found);
    translations::check(&shop, pairs, &values, &mut blanks, &mut found);
    limits::check(&shop, &samples, &mut found);
    options::check(&shop, &mut found);
    mentions::check(&shop, &values, &blanks, &mut found);
    types::check(&shop, &values, &mut found);
    known::check(&shop, &values, &blanks, &mut found);
    found
}

/// What every check may look at.
pub(crate) struct Shop<'t> {
    pub sources: &'t Sources,
    pub tree: &'t Tree,
    pub names: &'t Names<'t>,
    pub limits: &'t Limits,
}

/// Sorts by place and keeps one mistake a line: the most severe, of equals the first. Mistakes that only follow
/// from another one are left out where the check that found them couldn't know.
pub fn tidy(sources: &Sources, mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    drop_knock_ons(sources, &mut found);
    let line = |span: Span| (span.file, sources.file(span.file).line(span.start));
    found.sort_by_cached_key(|diagnostic| {
        let span = diagnostic.span();
        (
            line(span),
            std::cmp::Reverse(diagnostic.severity),
            span.start,
            diagnostic.code,
        )
    });
    found.dedup_by_key(|diagnostic| line(diagnostic.span()));
    found
}

/// A line that could not be read may be the very line that another check misses: what it mentions, and the paths
/// through its step, are not talked about.
fn drop_knock_ons(sources: &Sources, found: &mut Vec<Diagnostic>) {
    let mut unread: HashMap<FileId, Vec<u32>> = HashMap::new();
    for diagnostic in found.iter() {
        if diagnostic.severity == Severity::Error && diagnostic.code < Code::F010 {
            let span = diagnostic.span();
            let line = sources.file(span.file).line(span.start);
            unread.entry(span.file).or_default().push(line);
        }
    }
    if unread.is_empty() {
        return;
    }
    // A broken heading in the business file takes its whole block along.
    let broken: Vec<&str> = unread
        .iter()
        .flat_map(|(id, lines)| {
            let file = sources.file(*id);
            let is_business = file.text.lines().any(|line| line.starts_with("business"));
            let whole = is_business.then_some(file.text.as_str());
            whole
                .into_iter()
                .chain(lines.iter().map(|line| file.line_text(*line)))
        })
        .collect();
    let mentioned = |name: &str| !name.is_empty() && broken.iter().any(|text| has_words(text, name));
    found.retain(|diagnostic| {
        let span = diagnostic.span();
        let file = sources.file(span.file);
        let name = sources.text(span).trim();
        match diagnostic.code {
            // What a step does is not known if one of its lines isn't.
            Code::F201 | Code::F203 | Code::F206 | Code::F208 => {
                let step = heading_range(file, file.line(span.start));
                let lines = unread.get(&span.file);
                !lines.is_some_and(|lines| lines.iter().any(|line| step.contains(line)))
            }
            Code::F209 => !mentioned("handoff"),
            Code::F101 | Code::F102 | Code::F103 | Code::F105 | Code::F106 | Code::F202 | Code::F405 => {
                !mentioned(name)
            }
            // A translation that can't be read is not missing.
            Code::F701 => !unread.keys().any(|id| {
                let of = super::strings::source_path(&sources.file(*id).path);
                *id == span.file || of.is_some_and(|(of, _)| of == file.path)
            }),
            Code::F104 => !name.split('.').any(mentioned),
            Code::F401 | Code::F402 | Code::F404 => {
                let mut parts = name.split('.');
                let root = parts.next().unwrap_or_default();
                let field = parts.next().filter(|_| matches!(root, "contact" | "chat"));
                !mentioned(field.unwrap_or(root))
            }
            _ => true,
        }
    });
}

/// Whether a text holds these words, whole.
fn has_words(text: &str, words: &str) -> bool {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(words).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + words.len()..].chars().next();
        !before.is_some_and(is_letter) && !after.is_some_and(is_letter)
    })
}

/// Lines of the step (or other heading) that a line belongs to.
fn heading_range(file: &super::source::SourceFile, line: u32) -> std::ops::Range<u32> {
    let is_heading = |number: u32| {
        let text = file.line_text(number);
        ["step ", "flow ", "on "]
            .iter()
            .any(|word| text.trim_start().starts_with(word))
    };
    let last = file.text.lines().count() as u32;
    let first = (1..=line).rev().find(|number| is_heading(*number)).unwrap_or(1);
    let next = (line + 1..=last)
        .find(|number| is_heading(*number))
        .unwrap_or(last + 1);
    first..next
}

/// Adds a diagnostic's note and fix for a name that is nearly right.
pub(crate) fn did_you_mean(diagnostic: Diagnostic, span: Span, near: Option<&str>) -> Diagnostic {
    match near {
        Some(near) => diagnostic.fix(near, span, near),
        None => diagnostic,
    }
}

/// `a, b and c`.
pub(crate) fn and_list<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let items: Vec<&str> = items.into_iter().collect();
    match items.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

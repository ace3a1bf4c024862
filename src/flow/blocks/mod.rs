//! Lines to tree: which line opens a block, which lines it takes, what closes it.
//!
//! A file falls into sections, from one heading to the next; each section is built by itself, so a mistake never
//! reaches further than its step. `end` is matched here. Indentation has no meaning, but when an `end` is missing
//! or one too many it is the evidence for where.

mod answer;
mod body;
mod business;
mod clause;
mod cursor;
mod file;
mod flow;
mod layout;
mod mistake;
mod salvage;

use super::diagnostic::{Diagnostic, Severity};
use super::lines::{self, Line};
use super::parse::Rule;
use super::source::{FileId, Sources};
use super::strings;
use super::tree::Tree;

/// What the block builder found out about one line; the formatter prints from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Laid {
    /// Levels of indentation.
    pub depth: usize,
    pub rule: Rule,
}

/// One file, built.
#[derive(Debug)]
pub struct Built {
    pub lines: Vec<Line>,
    /// Of the same length as `lines`; `None` for lines without code and lines that mean nothing.
    pub layout: Vec<Option<Laid>>,
    pub mistakes: Vec<Diagnostic>,
}

/// Parses all files of a business. Every mistake of every file is reported, at most one a line, in the order of
/// files and places; a file with mistakes still gives as much tree as can be read.
pub fn parse(sources: &Sources) -> (Tree, Vec<Diagnostic>) {
    let mut tree = Tree::default();
    let mut mistakes = Vec::new();
    for id in 0..sources.files.len() {
        let id = FileId(id as u16);
        if strings::is_strings(&sources.file(id).path) {
            let (read, found) = strings::read::read(sources, id);
            tree.strings.push(read);
            mistakes.extend(found);
            continue;
        }
        let built = build(sources, id, &mut tree);
        mistakes.extend(built.mistakes);
    }
    (tree, one_a_line(sources, mistakes))
}

/// Builds one file into the tree.
pub fn build(sources: &Sources, id: FileId, tree: &mut Tree) -> Built {
    let source = sources.file(id);
    let lines = lines::scan(&source.text);
    let mut file = file::File::new(source, id, &lines);
    file.build(sources, tree);
    let (layout, mistakes) = file.finish();
    Built {
        lines,
        layout,
        mistakes,
    }
}

/// Sorted by place; of several on one line, the gravest and first stays.
fn one_a_line(sources: &Sources, mut mistakes: Vec<Diagnostic>) -> Vec<Diagnostic> {
    mistakes.sort_by_key(|mistake| {
        let span = mistake.span();
        let line = sources.file(span.file).line(span.start);
        (span.file, line, std::cmp::Reverse(mistake.severity), span.start)
    });
    mistakes.dedup_by_key(|mistake| {
        let span = mistake.span();
        (span.file, sources.file(span.file).line(span.start))
    });
    mistakes
}

/// Whether any of these keeps a file from being used.
pub fn has_errors(mistakes: &[Diagnostic]) -> bool {
    mistakes.iter().any(|mistake| mistake.severity == Severity::Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_shop_is_read_whole() {
        let mut sources = Sources::default();
        sources.add("shop.flow", include_str!("../../../tests/flow/parse/shop.flow"));
        let (tree, mistakes) = parse(&sources);
        assert_eq!(mistakes, []);
        let flow = &tree.flows[0];
        let steps: Vec<&str> = flow.steps.iter().map(|step| step.name.slug.as_str()).collect();
        assert_eq!(steps, ["hello", "track"]);
        assert_eq!(flow.steps[0].body.len(), 2);
        assert_eq!(flow.steps[1].body.len(), 4);
    }
}

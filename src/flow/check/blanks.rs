//! Blanks of texts, read once for each different text, and where they stand in the file.

use std::collections::HashMap;
use std::ops::Range;

use crate::flow::source::{Sources, Span};
use crate::flow::template::{self, TemplateMistake, UsedPath};
use crate::flow::tree::Text;

/// What was read of one text.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub mistakes: Vec<TemplateMistake>,
    pub uses: Vec<UsedPath>,
    /// Nothing but `{{ path }}`: filling it in can't go wrong.
    pub plain: bool,
}

/// All texts with blanks, by their words.
#[derive(Debug, Default)]
pub(crate) struct Blanks<'t> {
    read: HashMap<&'t str, Read>,
}

impl<'t> Blanks<'t> {
    pub fn read(&mut self, text: &'t Text) -> &Read {
        self.read.entry(&text.source).or_insert_with(|| {
            let mistakes = template::lint(&text.source);
            let uses = if mistakes.is_empty() {
                template::paths(&text.source)
            } else {
                Vec::new()
            };
            Read {
                plain: is_plain(&text.source, &uses),
                mistakes,
                uses,
            }
        })
    }

    /// What [`Blanks::read`] found earlier; nothing for texts without blanks.
    pub fn get(&self, text: &Text) -> Option<&Read> {
        self.read.get(text.source.as_str())
    }

    pub fn uses(&self, text: &Text) -> &[UsedPath] {
        self.get(text).map_or(&[], |read| &read.uses)
    }
}

fn is_plain(source: &str, uses: &[UsedPath]) -> bool {
    let alone = |used: &UsedPath| {
        let before = source[..used.range.start].trim_end();
        let after = source[used.range.end..].trim_start();
        before.ends_with("{{") && after.starts_with("}}")
    };
    !source.contains("{%") && source.matches("{{").count() == uses.len() && uses.iter().all(alone)
}

/// Names of the blanks of a template approved by WhatsApp, in the order of reading.
pub(crate) fn simple_blanks(source: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for used in template::paths(source) {
        if let Some(name) = used.path.into_iter().next()
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

/// The range, or a little more: where minijinja stops at a sign it does not know, it may stop inside it.
fn whole_characters(source: &str, range: &Range<usize>) -> Range<usize> {
    let mut start = range.start.min(source.len());
    let mut end = range.end.clamp(start, source.len());
    while !source.is_char_boundary(start) {
        start -= 1;
    }
    while !source.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

/// The place in the file of a part of a text. Escapes and removed indentation make the text differ from what stands
/// in the file; then the same words are looked for, and the whole text is the answer if they can't be found.
pub(crate) fn place(sources: &Sources, text: &Text, range: &Range<usize>) -> Span {
    let range = &whole_characters(&text.source, range);
    let whole = text.span;
    let raw = sources.text(whole);
    let opening = if raw.starts_with("\"\"\"") {
        3
    } else {
        raw.chars().next().map_or(0, char::len_utf8)
    };
    let span = |start: usize, length: usize| {
        let start = whole.start as usize + start;
        Span::new(whole.file, start, start + length)
    };
    if raw[opening..].starts_with(text.source.as_str()) {
        return span(opening + range.start, range.len());
    }
    let Some(part) = text.source.get(range.clone()).filter(|part| !part.is_empty()) else {
        return whole;
    };
    let earlier = text.source[..range.start].matches(part).count();
    match raw.match_indices(part).nth(earlier) {
        Some((at, _)) => span(at, part.len()),
        None => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_text_is_found_in_the_file_even_if_escapes_moved_it() {
        let mut sources = Sources::default();
        let line = r#"say "\"Hi\" {{ a }} and {{ a }}!""#;
        let file = sources.add("a.flow", line);
        let text = Text {
            source: r#""Hi" {{ a }} and {{ a }}!"#.to_owned(),
            span: Span::new(file, 4, line.len()),
        };
        let second = text.source.rfind("a }}").unwrap();
        let span = place(&sources, &text, &(second..second + 4));
        assert_eq!(span.start as usize, line.rfind("a }}").unwrap());
    }
}

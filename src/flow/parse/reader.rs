//! Walks over the tokens of one rule.

use pest::iterators::{Pair, Pairs};

use super::{Notes, Rule};
use crate::flow::diagnostic::Diagnostic;
use crate::flow::source::Span;
use crate::flow::text;
use crate::flow::tree::{Name, Path, Phrase, Text};

/// The tokens that are still to be read, and the notes of the line.
pub(super) struct Reader<'i, 'n, 'c> {
    pub pairs: Pairs<'i, Rule>,
    pub notes: &'n mut Notes<'c>,
}

impl<'i, 'n, 'c> Reader<'i, 'n, 'c> {
    /// Reads the inside of `pair` with the same notes.
    pub fn inside<'s>(&'s mut self, pair: Pair<'i, Rule>) -> Reader<'i, 's, 'c> {
        Reader {
            pairs: pair.into_inner(),
            notes: self.notes,
        }
    }

    pub fn peek(&self) -> Option<Rule> {
        self.pairs.peek().map(|pair| pair.as_rule())
    }

    pub fn next(&mut self) -> Option<Pair<'i, Rule>> {
        self.pairs.next()
    }

    /// The next token if it is of this rule.
    pub fn maybe(&mut self, rule: Rule) -> Option<Pair<'i, Rule>> {
        match self.peek() {
            Some(next) if next == rule => self.pairs.next(),
            _ => None,
        }
    }

    /// Whether the next token is this word or mark; reads it.
    pub fn has(&mut self, rule: Rule) -> bool {
        self.maybe(rule).is_some()
    }

    /// The next token, which the grammar promises to be of this rule.
    pub fn take(&mut self, rule: Rule) -> Pair<'i, Rule> {
        match self.pairs.next() {
            Some(pair) if pair.as_rule() == rule => pair,
            other => unreachable!("flow.pest has {rule:?} here, not {other:?}"),
        }
    }

    pub fn mistake(&mut self, mistake: Diagnostic) {
        self.notes.mistake(mistake);
    }

    pub fn span(&self, pair: &Pair<'i, Rule>) -> Span {
        let span = pair.as_span();
        self.notes.code.span(span.start(), span.end())
    }

    pub fn text(&mut self) -> Text {
        let pair = self.take(Rule::text);
        self.text_of(&pair)
    }

    pub fn maybe_text(&mut self) -> Option<Text> {
        (self.peek() == Some(Rule::text)).then(|| self.text())
    }

    pub fn text_of(&self, pair: &Pair<'i, Rule>) -> Text {
        Text {
            source: text::source(pair.as_str()),
            span: self.span(pair),
        }
    }

    pub fn texts(&mut self) -> Vec<Text> {
        let mut texts = vec![self.text()];
        while self.has(Rule::comma) {
            texts.push(self.text());
        }
        texts
    }

    pub fn name(&mut self) -> Name {
        let pair = self.take(Rule::name);
        self.name_of(&pair)
    }

    pub fn name_of(&self, pair: &Pair<'i, Rule>) -> Name {
        Name {
            text: pair.as_str().to_owned(),
            span: self.span(pair),
        }
    }

    pub fn names(&mut self) -> Vec<Name> {
        let mut names = vec![self.name()];
        while self.has(Rule::comma) {
            names.push(self.name());
        }
        names
    }

    pub fn path(&mut self) -> Path {
        let pair = self.take(Rule::path);
        self.path_of(&pair)
    }

    pub fn path_of(&self, pair: &Pair<'i, Rule>) -> Path {
        Path {
            parts: pair.as_str().split('.').map(str::to_owned).collect(),
            span: self.span(pair),
        }
    }

    pub fn phrase(&mut self) -> Phrase {
        let pair = self.take(Rule::phrase);
        phrase(pair.as_str(), self.span(&pair))
    }
}

/// A phrase and its stable id: lower case, every run of other characters one `_`, apostrophes gone.
pub fn phrase(written: &str, span: Span) -> Phrase {
    let words = written.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut slug = String::with_capacity(words.len());
    for char in words.chars().filter(|char| !matches!(char, '\'' | '’')) {
        if char.is_alphanumeric() || (!char.is_ascii() && !char.is_whitespace()) {
            slug.extend(char.to_lowercase());
        } else if !slug.ends_with('_') {
            slug.push('_');
        }
    }
    Phrase {
        slug: slug.trim_matches('_').to_owned(),
        words,
        span,
    }
}

//! One logical line to its typed form: the pest line grammar, and what its tokens mean.
//!
//! The scanner ([`super::lines`]) hands over one line at a time, the block builder ([`super::blocks`]) says which rule
//! reads it and puts the result into the tree. A line that can't be read is one diagnostic and nothing more.

mod answer;
mod business;
mod expr;
mod kind;
mod line;
mod mistake;
mod reader;
mod slip;
mod statement;
#[cfg(test)]
mod tests;
mod value;

use pest::Parser;
use rust_decimal::Decimal;

use super::diagnostic::Diagnostic;
use super::source::{FileId, Span};
use super::words::Place;

pub use line::{Parsed, read};
pub use mistake::{allowed_list, meant_word, unknown_word};
pub use reader::phrase;

/// Bounds the work for one line; the longest line the scanner lets through stays far below.
const CALLS: usize = 20_000_000;

#[derive(Debug, pest_derive::Parser)]
#[grammar = "grammar/flow.pest"]
struct Grammar;

/// A line to read: its text, where it stands, and what may be written there.
#[derive(Debug, Clone, Copy)]
pub struct Code<'a> {
    pub file: FileId,
    /// Offset of `text` in the file.
    pub start: usize,
    pub text: &'a str,
    pub place: Place,
    /// The first word is not the one in the file.
    pub misspelt: Option<Misspelt>,
}

/// A line is read with the word that was meant; places after it are moved back to the file's.
#[derive(Debug, Clone, Copy)]
pub struct Misspelt {
    /// Bytes of the word in the file.
    pub written: usize,
    /// Bytes of the word that was meant.
    pub meant: usize,
}

impl Code<'_> {
    /// The place in the file of a range of `text`.
    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.file, self.offset(start), self.offset(end))
    }

    fn offset(&self, at: usize) -> usize {
        match self.misspelt {
            Some(Misspelt { written, meant }) if at >= meant => self.start + at - meant + written,
            Some(Misspelt { written, .. }) => self.start + at.min(written),
            _ => self.start + at,
        }
    }

    pub fn whole(&self) -> Span {
        self.span(0, self.text.len())
    }
}

/// A line's tokens in the order written: for the formatter.
pub fn tokens(text: &str, rule: Rule) -> Option<Vec<(Rule, std::ops::Range<usize>)>> {
    let pairs = Grammar::parse(rule, text).ok()?;
    let mut tokens = Vec::new();
    let mut open: Vec<pest::iterators::Pairs<'_, Rule>> = vec![pairs];
    while let Some(top) = open.last_mut() {
        match top.next() {
            None => {
                open.pop();
            }
            Some(pair) => {
                let span = pair.as_span();
                let (rule, range) = (pair.as_rule(), span.start()..span.end());
                let inner = pair.into_inner();
                if inner.peek().is_some() {
                    open.push(inner);
                } else if rule != Rule::EOI {
                    tokens.push((rule, range));
                }
            }
        }
    }
    Some(tokens)
}

/// Whether a rule reads one fixed word.
pub fn is_keyword(rule: Rule) -> bool {
    mistake::keyword(rule).is_some()
}

/// Keeps the first mistake found in a line; the values read on from there are placeholders.
#[derive(Debug)]
struct Notes<'a> {
    code: Code<'a>,
    mistake: Option<Diagnostic>,
}

impl Notes<'_> {
    fn mistake(&mut self, mistake: Diagnostic) {
        self.mistake.get_or_insert(mistake);
    }
}

/// `amount` times the seconds of a unit, if it is a length of time that can be kept.
fn seconds(amount: Decimal, unit: u64) -> Option<std::time::Duration> {
    use rust_decimal::prelude::ToPrimitive;
    let seconds = amount.checked_mul(Decimal::from(unit))?;
    let millis = seconds.checked_mul(Decimal::from(1000))?.to_u64()?;
    // A hundred years: nothing a business waits for is longer, and sums of times can't overflow.
    (millis <= 100 * 365 * 86_400 * 1000).then(|| std::time::Duration::from_millis(millis))
}

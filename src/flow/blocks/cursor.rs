//! Walks over the lines of one section, and keeps the stack of open blocks.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Laid, mistake, salvage};
use crate::flow::diagnostic::Diagnostic;
use crate::flow::lines::Line;
use crate::flow::parse::{self, Code, Misspelt, Parsed, Rule};
use crate::flow::source::{FileId, SourceFile, Span};
use crate::flow::words::{self, Place, Role};

/// Blocks inside each other beyond this are refused; the trees of deeper ones could exhaust the stack.
pub(super) const DEEPEST: usize = 24;

/// A block that is open.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub place: Place,
    /// The line that opened it.
    pub line: usize,
    /// What people call it: "question", "`if`".
    pub called: &'static str,
    /// The first line in it that stands level with the opening line or further out.
    pub level: Option<usize>,
}

/// The next line, looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Next<'a> {
    pub line: usize,
    pub code: Code<'a>,
    pub rule: Option<Rule>,
    /// The first word is misspelt; this one was meant, and `rule` is its rule.
    pub meant: Option<&'static str>,
}

impl Next<'_> {
    pub fn role(&self) -> Option<Role> {
        self.rule.map(words::role)
    }
}

/// What stands next in the section.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ahead<'a> {
    /// The section is over.
    Nothing,
    /// An `end` was found missing before this line in an earlier attempt.
    AssumedEnd,
    Line(Next<'a>),
}

/// Why a section should be built again: assume an `end` before this line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MissingEnd {
    pub opener: usize,
    pub before: usize,
}

#[derive(Debug)]
pub(super) struct Cursor<'a> {
    pub file: FileId,
    pub source: &'a SourceFile,
    pub lines: &'a [Line],
    pub at: usize,
    pub stop: usize,
    /// Levels of indentation under the section's heading.
    pub base: usize,
    /// What may be written at the heading of the section, and under it outside blocks.
    pub heading: Place,
    pub under: Place,
    pub open: Vec<Open>,
    pub laid: Vec<(usize, Laid)>,
    pub mistakes: Vec<Diagnostic>,
    /// Lines before which an `end` is assumed.
    pub assumed: BTreeSet<usize>,
    pub missing: Option<MissingEnd>,
    /// `end` lines whose indentation doesn't fit the block they closed: opener and `end`.
    pub suspects: Vec<(usize, usize)>,
    /// The last lines were out of place, so what follows of the same kind is the same mistake.
    pub astray: bool,
}

impl<'a> Cursor<'a> {
    pub fn new(
        file: FileId,
        source: &'a SourceFile,
        lines: &'a [Line],
        section: Range<usize>,
        heading: Place,
    ) -> Cursor<'a> {
        Cursor {
            file,
            source,
            lines,
            at: section.start,
            stop: section.end,
            base: 0,
            heading,
            under: Place::Body,
            open: Vec::new(),
            laid: Vec::new(),
            mistakes: Vec::new(),
            assumed: BTreeSet::new(),
            missing: None,
            suspects: Vec::new(),
            astray: false,
        }
    }

    /// The kind of block the next line stands in.
    pub fn place(&self) -> Place {
        match self.open.last() {
            Some(open) => open.place,
            None if self.at_heading() => self.heading,
            None => self.under,
        }
    }

    fn at_heading(&self) -> bool {
        self.laid.is_empty() && self.open.is_empty()
    }

    pub fn depth(&self) -> usize {
        self.base + self.open.len()
    }

    pub fn code(&self, line: usize) -> Code<'a> {
        let range = self.lines[line].code.clone();
        Code {
            file: self.file,
            start: range.start,
            text: &self.source.text[range],
            place: self.place(),
            misspelt: None,
        }
    }

    pub fn span(&self, line: usize) -> Span {
        let range = &self.lines[line].code;
        Span::new(self.file, range.start, range.end)
    }

    /// The place of a line's first word or mark.
    pub fn word(&self, line: usize) -> Span {
        let range = self.lines[line].code.clone();
        let len = words::first_len(&self.source.text[range.clone()]);
        Span::new(self.file, range.start, range.start + len)
    }

    pub fn indent(&self, line: usize) -> usize {
        self.lines[line].indent
    }

    /// Looks at the next line with code.
    pub fn ahead(&mut self) -> Ahead<'a> {
        while self.at < self.stop && !self.lines[self.at].has_code() {
            self.at += 1;
        }
        if self.assumed.contains(&self.at) {
            return Ahead::AssumedEnd;
        }
        if self.at >= self.stop {
            return Ahead::Nothing;
        }
        Ahead::Line(self.look(self.at))
    }

    fn look(&self, line: usize) -> Next<'a> {
        let code = self.code(line);
        let mut next = Next {
            line,
            code,
            rule: words::rule_of(code.text, code.place),
            meant: None,
        };
        if next.rule.is_none() {
            next.meant = parse::meant_word(words::first_word(code.text), &self.candidates());
            next.rule = next.meant.and_then(|meant| {
                let text = corrected(code.text, meant);
                words::rule_of(&text, code.place)
            });
        }
        next
    }

    /// The words that could have been meant by a first word that means nothing.
    pub fn candidates(&self) -> Vec<&'static str> {
        if self.at_heading() {
            return words::all_first_words().collect();
        }
        let places = self.places();
        let mut all: Vec<&str> = places.iter().flat_map(|place| place.first_words()).collect();
        if !self.open.is_empty() {
            all.push("end");
        }
        if self.in_if() {
            all.push("else");
        }
        all
    }

    /// The blocks that the next line could belong to, innermost first.
    fn places(&self) -> Vec<Place> {
        let mut places: Vec<Place> = self.open.iter().rev().map(|open| open.place).collect();
        if !places.contains(&self.under) {
            places.push(self.under);
        }
        places
    }

    /// The line with code after `line`, if the section has one.
    pub fn after(&self, line: usize) -> Option<Next<'a>> {
        let next = (line + 1..self.stop).find(|next| self.lines[*next].has_code())?;
        (!self.assumed.contains(&next)).then(|| self.look(next))
    }

    /// Steps over the next line and notes where it stands.
    pub fn pass(&mut self, next: Next<'a>, rule: Rule) {
        self.pass_at(next, rule, self.depth());
    }

    pub fn pass_at(&mut self, next: Next<'a>, rule: Rule, depth: usize) {
        let indent = self.indent(next.line);
        for open in &mut self.open {
            if open.level.is_none() && indent <= self.lines[open.line].indent {
                open.level = Some(next.line);
            }
        }
        self.laid.push((next.line, Laid { depth, rule }));
        self.at = next.line + 1;
    }

    /// Steps over a line that means nothing.
    pub fn skip(&mut self, next: Next<'a>) {
        self.at = next.line + 1;
    }

    /// Reads a line by its rule; of a broken line, what can be saved.
    pub fn read(&mut self, next: Next<'a>, rule: Rule) -> Option<Parsed> {
        if let Some(fault) = &self.lines[next.line].fault {
            self.mistakes.push(mistake::fault(next.code, fault));
            return salvage::line(next.code, rule);
        }
        if let Some(meant) = next.meant {
            self.mistakes
                .push(parse::unknown_word(next.code, &self.candidates()));
            let text = corrected(next.code.text, meant);
            let code = Code {
                text: &text,
                misspelt: Some(Misspelt {
                    written: words::first_word(next.code.text).len(),
                    meant: meant.len(),
                }),
                ..next.code
            };
            return parse::read(code, rule).0.or_else(|| salvage::line(code, rule));
        }
        let (parsed, mistake) = parse::read(next.code, rule);
        self.mistakes.extend(mistake);
        parsed.or_else(|| salvage::line(next.code, rule))
    }

    pub fn push(&mut self, place: Place, line: usize, called: &'static str) {
        self.open.push(Open {
            place,
            line,
            called,
            level: None,
        });
    }

    /// Closes the innermost block: reads its `end`, or says that there is none.
    pub fn close(&mut self) {
        let Some(open) = self.open.pop() else { return };
        match self.ahead() {
            Ahead::AssumedEnd => {
                let at = self.at;
                self.assumed.remove(&at);
            }
            Ahead::Line(next) if next.rule == Some(Rule::end_line) => {
                self.read(next, Rule::end_line);
                let (end, opener) = (self.indent(next.line), self.indent(open.line));
                let fits_outer = self.open.iter().any(|outer| self.indent(outer.line) == end);
                if end != opener && fits_outer {
                    self.suspects.push((open.line, next.line));
                }
                self.pass(next, Rule::end_line);
                self.astray = false;
            }
            Ahead::Line(next) => {
                let mistake = mistake::never_closed(self, &open, Some(next.line));
                self.mistakes.push(mistake);
            }
            Ahead::Nothing => {
                // Another attempt closes the block where the layout says it ends.
                let before = self
                    .suspects
                    .first()
                    .copied()
                    .or(open.level.map(|line| (open.line, line)));
                if let Some((opener, before)) = before {
                    self.missing.get_or_insert(MissingEnd { opener, before });
                }
                let mistake = mistake::never_closed(self, &open, None);
                self.mistakes.push(mistake);
            }
        }
    }

    /// Whether a block around the innermost one takes lines of this rule.
    pub fn wanted_outside(&self, rule: Rule) -> bool {
        self.open.iter().any(|open| words::accepts(open.place, rule))
    }

    /// Steps over a line that stands where it can't, and says where it belongs. Of several in a row the first is told.
    pub fn misplaced(&mut self, next: Next<'a>, rule: Rule) {
        if !std::mem::replace(&mut self.astray, true) {
            let mistake = mistake::misplaced(self, next, rule);
            self.mistakes.push(mistake);
        }
        self.skip(next);
    }

    /// An `end` with nothing to close.
    pub fn stray_end(&mut self, next: Next<'a>, rule: Rule) {
        // After lines out of place it closes the block they came from.
        if !std::mem::replace(&mut self.astray, false) {
            let mistake = mistake::stray_end(self, next);
            self.mistakes.push(mistake);
        }
        self.pass(next, rule);
    }

    pub fn in_if(&self) -> bool {
        self.open.iter().any(|open| open.called == "`if`")
    }
}

/// A line with its first word replaced.
fn corrected(code: &str, meant: &str) -> String {
    format!("{meant}{}", &code[words::first_word(code).len()..])
}

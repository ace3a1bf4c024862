//! The one canonical layout of a flow file.
//!
//! Printed from the tokens the line grammar read and the depth the block builder found, so nothing is kept twice:
//! two spaces a level, one between tokens, straight quotes, `->`. The text of a message never changes, comments
//! stay where they are, and a file with mistakes is not touched.

use std::ops::Range;

use super::blocks::{self, Laid};
use super::diagnostic::{Code, Diagnostic, Severity};
use super::lines::{Line, is_space, slot_end};
use super::parse::{self, Rule};
use super::source::{FileId, Sources};
use super::text::{self, Quoting};
use super::tree::Tree;

const LEVEL: &str = "  ";

/// The file in its canonical layout, or the mistakes that keep it from being read.
pub fn format(path: &str, text: &str) -> Result<String, Vec<Diagnostic>> {
    if super::strings::is_strings(path) {
        return super::strings::write::format(path, text);
    }
    let mut sources = Sources::default();
    let id = sources.add(path, text);
    let built = blocks::build(&sources, id, &mut Tree::default());
    let unread = |mistake: &&Diagnostic| {
        // A value that makes no sense, or a line that waits, is still a line that was read.
        mistake.severity == Severity::Error && !matches!(mistake.code, Code::F008 | Code::F204)
    };
    if built.mistakes.iter().any(|mistake| unread(&mistake)) {
        return Err(built
            .mistakes
            .into_iter()
            .filter(|mistake| unread(&mistake))
            .collect());
    }
    Printer {
        text,
        lines: &built.lines,
        layout: &built.layout,
        out: String::with_capacity(text.len() + text.len() / 8),
    }
    .print()
    .ok_or_else(|| vec![unreadable(id)])
}

/// Never seen: a line that was read once can be read again.
fn unreadable(file: FileId) -> Diagnostic {
    let start = super::source::Span::new(file, 0, 0);
    Diagnostic::new(
        Code::F001,
        start,
        "this file can't be formatted",
        "nothing was changed",
    )
}

struct Printer<'a> {
    text: &'a str,
    lines: &'a [Line],
    layout: &'a [Option<Laid>],
    out: String,
}

impl Printer<'_> {
    fn print(mut self) -> Option<String> {
        let mut blank = false;
        for line in 0..self.lines.len() {
            if self.lines[line].is_blank() {
                blank = true;
                continue;
            }
            if !self.out.is_empty() && (blank || self.begins_apart(line)) {
                self.out.push('\n');
            }
            blank = false;
            let depth = self.depth(line);
            self.indent(depth);
            let (code, comment) = (self.lines[line].code.clone(), self.lines[line].comment.clone());
            if let Some(laid) = self.layout[line] {
                self.code(code, laid)?;
                if comment.is_some() {
                    self.out.push_str(LEVEL);
                }
            }
            if let Some(comment) = comment {
                self.out.push_str(&self.text[comment]);
            }
            self.out.push('\n');
        }
        Some(self.out)
    }

    fn indent(&mut self, depth: usize) {
        for _ in 0..depth {
            self.out.push_str(LEVEL);
        }
    }

    /// A comment line goes with the line below it.
    fn depth(&self, line: usize) -> usize {
        if let Some(laid) = self.layout[line] {
            return laid.depth;
        }
        let indented = self.lines[line].indent > 0;
        let before = || (0..line).rev().find_map(|line| self.layout[line]);
        match self.layout[line..].iter().find_map(|laid| *laid) {
            Some(laid) if matches!(laid.rule, Rule::end_line | Rule::else_line) => laid.depth + 1,
            // Further in than the next heading: it belongs to the lines above.
            Some(laid) if laid.depth == 0 && indented => before().map_or(0, |laid| laid.depth.clamp(0, 1)),
            Some(laid) => laid.depth,
            None if indented => before().map_or(0, |laid| laid.depth.clamp(0, 1)),
            None => 0,
        }
    }

    /// Whether an empty line belongs before this line, written or not: before a step, and around an `on` with lines
    /// underneath. Comments right above a heading go with it.
    fn begins_apart(&self, line: usize) -> bool {
        if self.depth(line) != 0 {
            return false;
        }
        let glued = |line: usize| self.layout[line].is_none() && self.depth(line) == 0;
        if line > 0 && !self.lines[line - 1].is_blank() && glued(line - 1) {
            // The comment above had the empty line.
            return false;
        }
        let mut heading = line;
        while self.layout[heading].is_none() {
            heading += 1;
            if heading == self.lines.len() || self.lines[heading].is_blank() {
                return false;
            }
        }
        let Some(laid) = self.layout[heading].filter(|laid| laid.depth == 0) else {
            return false;
        };
        let before = (0..line)
            .rev()
            .find_map(|line| self.layout[line].map(|laid| (line, laid)));
        let runs_on = |line: usize| {
            let next = self.layout[line + 1..].iter().find_map(|laid| *laid);
            next.is_some_and(|next| next.depth > 0)
        };
        match (laid.rule, before) {
            (Rule::end_line, _) => false,
            (Rule::step_line, _) => true,
            (Rule::on_line, Some((before, laid))) => {
                laid.rule != Rule::on_line || runs_on(heading) || runs_on(before)
            }
            (_, Some((before, laid))) => {
                // After the lines of a step or an `on`, which have no `end`.
                laid.depth > 0 && self.under_open_heading(before)
            }
            (_, None) => false,
        }
    }

    /// Whether the heading above a line runs to the next heading.
    fn under_open_heading(&self, line: usize) -> bool {
        let heading = (0..=line)
            .rev()
            .find_map(|line| self.layout[line].filter(|laid| laid.depth == 0));
        heading.is_some_and(|laid| matches!(laid.rule, Rule::step_line | Rule::on_line))
    }

    fn code(&mut self, code: Range<usize>, laid: Laid) -> Option<()> {
        let code = &self.text[code];
        let tokens = parse::tokens(code, laid.rule)?;
        for (index, (rule, range)) in tokens.iter().enumerate() {
            let before = |back: usize| index.checked_sub(back).map(|at| tokens[at].0);
            if index > 0 && spaced(*rule, before(1), before(2)) {
                self.out.push(' ');
            }
            self.token(*rule, &code[range.clone()], laid.depth);
        }
        Some(())
    }

    fn token(&mut self, rule: Rule, written: &str, depth: usize) {
        match rule {
            Rule::text => self.quoted(written, depth),
            Rule::arrow => self.out.push_str("->"),
            Rule::minus => self.out.push('-'),
            Rule::different => self.out.push_str("!="),
            Rule::at_least => self.out.push_str(">="),
            Rule::at_most => self.out.push_str("<="),
            Rule::unit => self.out.push_str(&written.to_lowercase()),
            Rule::phrase => {
                let words: Vec<&str> = written.split(is_space).filter(|word| !word.is_empty()).collect();
                self.out.push_str(&words.join(" "));
            }
            rule if parse::is_keyword(rule) => self.out.push_str(&written.to_ascii_lowercase()),
            _ => self.out.push_str(written),
        }
    }

    fn quoted(&mut self, written: &str, depth: usize) {
        let (quoting, inner) = text::unquote(written);
        match quoting {
            Quoting::Single => {
                self.out.push('"');
                straight(inner, &mut self.out);
                self.out.push('"');
            }
            Quoting::Triple if !inner.contains('\n') => {
                self.out.push_str("\"\"\"");
                self.out.push_str(inner);
                self.out.push_str("\"\"\"");
            }
            Quoting::Triple => {
                self.out.push_str("\"\"\"\n");
                for line in text::lines_of(inner) {
                    if !line.is_empty() {
                        self.indent(depth + 1);
                        self.out.push_str(line);
                    }
                    self.out.push('\n');
                }
                self.indent(depth + 1);
                self.out.push_str("\"\"\"");
            }
        }
    }
}

/// Whether a space belongs between a token and those before it.
fn spaced(rule: Rule, before: Option<Rule>, two_before: Option<Rule>) -> bool {
    let closes = matches!(
        rule,
        Rule::comma | Rule::colon | Rule::close_round | Rule::close_square
    );
    let opened = matches!(before, Some(Rule::open_round | Rule::open_square));
    // The arguments of a filter: `short(200)`.
    let calls = rule == Rule::open_round && before == Some(Rule::name) && two_before == Some(Rule::pipe);
    !(closes || opened || calls)
}

/// The inside of a text as it stands between straight quotes.
pub(super) fn straight(inner: &str, out: &mut String) {
    let mut at = 0;
    while let Some(char) = inner[at..].chars().next() {
        match char {
            '{' if slot_end(inner, at).is_some() => {
                let end = slot_end(inner, at).unwrap_or(inner.len());
                out.extend(text::plain_slot(&inner[at..end]).map(|(_, char)| char));
                at = end;
                continue;
            }
            '\\' => {
                let next = inner[at + 1..].chars().next();
                out.push('\\');
                out.extend(next.map(|next| {
                    if matches!(next, '“' | '”' | '„') {
                        '"'
                    } else {
                        next
                    }
                }));
                at += next.map_or(0, char::len_utf8);
            }
            '"' => out.push_str("\\\""),
            other => out.push(other),
        }
        at += char.len_utf8();
    }
}

//! Logical lines: the first thing that happens to the text of a flow file.
//!
//! A statement is one line, except that a `"""` text may run over several. The scanner finds where each line
//! begins and ends, where its comment stands and how far it is indented; the line grammar then reads one line at a
//! time. What a text is must agree with the rule `text` in `grammar/flow.pest`.

use std::ops::Range;

use super::words;

/// More brackets than this inside each other are refused, so that no line can exhaust the stack.
const DEEPEST_BRACKETS: usize = 16;
/// Four bytes for each of the 4,096 characters of a message, and room for the rest of its line. It bounds the work
/// that a single line can ask for.
const LONGEST_LINE: usize = 20 * 1024;

/// One logical line. All offsets are bytes of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where the physical line begins.
    pub begin: usize,
    /// The statement: no outer blanks, no comment. Empty for a line that is blank or only a comment.
    pub code: Range<usize>,
    /// From `#` to the last character that isn't blank.
    pub comment: Option<Range<usize>>,
    /// Columns before the first character; a tab counts to the next multiple of four.
    pub indent: usize,
    pub fault: Option<Fault>,
}

/// Why a line can't be given to the line grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A text opens here and never closes.
    OpenText {
        at: usize,
        triple: bool,
    },
    /// This bracket stands too deep inside others.
    TooDeep {
        at: usize,
    },
    TooLong,
}

impl Line {
    pub fn is_blank(&self) -> bool {
        self.code.is_empty() && self.comment.is_none()
    }

    pub fn has_code(&self) -> bool {
        !self.code.is_empty()
    }
}

/// Cuts a file into logical lines, blank and comment lines included.
pub fn scan(text: &str) -> Vec<Line> {
    let mut lines = Vec::with_capacity(text.len() / 32);
    let mut at = 0;
    while at < text.len() {
        let (line, next) = line_at(text, at);
        lines.push(line);
        at = next;
    }
    lines
}

fn line_at(text: &str, begin: usize) -> (Line, usize) {
    let bytes = text.as_bytes();
    let (start, indent) = indentation(text, begin);
    let mut line = Line {
        begin,
        code: start..start,
        comment: None,
        indent,
        fault: None,
    };
    let mut at = start;
    let mut depth = 0usize;
    let mut end = start;
    while at < bytes.len() {
        match bytes[at] {
            b'\n' => break,
            b'#' => {
                end = at;
                let stop = line_end(text, at);
                let comment = text[at..stop].trim_end_matches(is_space);
                line.comment = Some(at..at + comment.len());
                at = stop;
                break;
            }
            b'(' | b'[' => {
                depth += 1;
                if depth > DEEPEST_BRACKETS && line.fault.is_none() {
                    line.fault = Some(Fault::TooDeep { at });
                }
                at += 1;
            }
            b')' | b']' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            b'"' | 0xE2 => match text_at(text, at, indent) {
                TextAt::None => at += char_len(bytes[at]),
                TextAt::Closed(stop) => at = stop,
                TextAt::Open { stop, triple } => {
                    line.fault = Some(Fault::OpenText { at, triple });
                    at = stop;
                    end = at;
                    break;
                }
            },
            byte => at += char_len(byte),
        }
        end = at;
    }
    let code = text[start..end].trim_end_matches(is_space);
    line.code = start..start + code.len();
    if line.code.len() > LONGEST_LINE && line.fault.is_none() {
        line.fault = Some(Fault::TooLong);
    }
    (line, (line_end(text, at) + 1).min(text.len()))
}

/// Offset of the first character that isn't blank, and its column.
fn indentation(text: &str, begin: usize) -> (usize, usize) {
    let mut columns = 0;
    for (offset, char) in text[begin..].char_indices() {
        match char {
            '\t' => columns = (columns / 4 + 1) * 4,
            '\u{FEFF}' | '\u{200B}' | '\r' => {}
            char if is_space(char) => columns += 1,
            _ => return (begin + offset, columns),
        }
    }
    (text.len(), columns)
}

/// Blanks inside a line; the same set as `WHITESPACE` in the grammar.
pub fn is_space(char: char) -> bool {
    matches!(
        char,
        ' ' | '\t' | '\r' | '\u{A0}' | '\u{2000}'..='\u{200B}' | '\u{202F}' | '\u{3000}' | '\u{FEFF}'
    )
}

/// Offset of the line break at or after `at`, or of the end of the text.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |found| at + found)
}

pub(super) fn char_len(first_byte: u8) -> usize {
    match first_byte {
        0..0xC0 => 1,
        0xC0..0xE0 => 2,
        0xE0..0xF0 => 3,
        _ => 4,
    }
}

pub(super) enum TextAt {
    /// No text begins here.
    None,
    /// One ends before this offset.
    Closed(usize),
    /// One begins and never closes; reading goes on at `stop`.
    Open { stop: usize, triple: bool },
}

fn quote_at(text: &str, at: usize) -> Option<char> {
    text[at..].chars().next().filter(|char| is_quote(*char))
}

fn is_quote(char: char) -> bool {
    matches!(char, '"' | '“' | '”')
}

/// Length in bytes of three quotes in a row, if they stand here.
fn triple_at(text: &str, at: usize) -> Option<usize> {
    let mut chars = text[at..].chars();
    let mut len = 0;
    for _ in 0..3 {
        len += chars.next().filter(|char| is_quote(*char))?.len_utf8();
    }
    Some(len)
}

pub(super) fn text_at(text: &str, at: usize, indent: usize) -> TextAt {
    if let Some(opening) = triple_at(text, at) {
        return match triple_close(text, at, opening, indent) {
            Some(stop) => TextAt::Closed(stop),
            None => TextAt::Open {
                stop: resume_after_open_triple(text, at, indent),
                triple: true,
            },
        };
    }
    let closes: &[char] = match text[at..].chars().next() {
        Some('"') => &['"'],
        Some('“' | '”') => &['”'],
        Some('„') => &['“', '”'],
        _ => return TextAt::None,
    };
    match single_close(text, at, closes) {
        Some(stop) => TextAt::Closed(stop),
        None => TextAt::Open {
            stop: line_end(text, at),
            triple: false,
        },
    }
}

fn single_close(text: &str, open: usize, closes: &[char]) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = open + char_len(bytes[open]);
    while at < bytes.len() {
        match bytes[at] {
            b'\n' => return None,
            b'\\' => match bytes.get(at + 1) {
                None | Some(b'\n') => return None,
                Some(next) => at += 1 + char_len(*next),
            },
            b'{' => at = slot_end(text, at).unwrap_or(at + 1),
            b'"' | 0xE2 => {
                let char = text[at..].chars().next()?;
                at += char.len_utf8();
                if closes.contains(&char) {
                    return Some(at);
                }
            }
            byte => at += char_len(byte),
        }
    }
    None
}

/// End of the `{{ … }}`, `{% … %}` or `{# … #}` that begins here, if it closes on this line.
pub fn slot_end(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let close = match bytes.get(at..at + 2)? {
        b"{{" => b"}}",
        b"{%" => b"%}",
        b"{#" => b"#}",
        _ => return None,
    };
    // A longer one makes the line too long anyway.
    let within = &bytes[at + 2..bytes.len().min(at + LONGEST_LINE)];
    for (offset, pair) in within.windows(2).enumerate() {
        if pair[0] == b'\n' {
            return None;
        }
        if pair == close {
            return Some(at + 2 + offset + 2);
        }
    }
    None
}

fn triple_close(text: &str, open: usize, opening: usize, indent: usize) -> Option<usize> {
    let body = open + opening;
    // A quote right before the closing quotes belongs to the text.
    let straight = text[body..].find("\"\"\"").map(|found| {
        let run = text[body + found..]
            .bytes()
            .take_while(|byte| *byte == b'"')
            .count();
        body + found + run - 3
    });
    let close = match straight {
        Some(at) if text[open..].starts_with("\"\"\"") => at,
        _ => text[body..]
            .char_indices()
            .filter(|(_, char)| is_quote(*char))
            .map(|(found, _)| body + found)
            .find(|at| triple_at(text, *at).is_some_and(|len| quote_at(text, *at + len).is_none()))?,
    };
    if opens_another(text, body, close, indent) {
        return None;
    }
    triple_at(text, close).map(|len| close + len)
}

/// Whether the quotes at `close` rather open the text of a later statement, as in `say """`, because the closing
/// quotes before it were forgotten.
fn opens_another(text: &str, body: usize, close: usize, indent: usize) -> bool {
    let Some(begin) = text[body..close].rfind('\n').map(|found| body + found + 1) else {
        return false;
    };
    let (start, columns) = indentation(text, begin);
    let after = text[close..line_end(text, close)].trim_start_matches(is_quote);
    start < close && columns <= indent && after.trim().is_empty() && words::begins_a_line(&text[start..close])
}

/// After a `"""` that never closes: the next line that looks like a statement at the same level or further out.
fn resume_after_open_triple(text: &str, open: usize, indent: usize) -> usize {
    let mut at = line_end(text, open);
    loop {
        let begin = at + 1;
        if begin >= text.len() {
            return text.len();
        }
        let (start, columns) = indentation(text, begin);
        let stop = line_end(text, begin);
        if start < stop && columns <= indent && words::begins_a_line(&text[start..stop]) {
            return at;
        }
        at = stop;
    }
}

/// Whether a quote of any form begins here.
pub fn begins_with_quote(text: &str) -> bool {
    text.starts_with(opens_text)
}

/// What stands between the quote at the beginning and the one at the end, of whatever form.
pub fn between_quotes(text: &str) -> Option<&str> {
    text.strip_prefix(opens_text)?.strip_suffix(is_quote)
}

fn opens_text(char: char) -> bool {
    is_quote(char) || char == '„'
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Code and comment of each line that has any.
    fn cut(text: &str) -> Vec<(&str, &str)> {
        let lines = scan(text).into_iter().filter(|line| !line.is_blank());
        lines
            .map(|line| {
                (
                    &text[line.code],
                    line.comment.map_or("", |comment| &text[comment]),
                )
            })
            .collect()
    }

    #[test]
    fn a_comment_begins_outside_texts_only() {
        assert_eq!(
            cut("say \"#1 {{ x | default('#') }}\"  # really \n# alone\nas text like “A-#”#x"),
            [
                ("say \"#1 {{ x | default('#') }}\"", "# really"),
                ("", "# alone"),
                ("as text like “A-#”", "#x")
            ]
        );
    }

    #[test]
    fn quotes_inside_a_slot_belong_to_the_slot() {
        assert_eq!(cut("say \"{{ x | default(\"a # b\") }}\" -> y # c")[0].1, "# c");
        assert_eq!(cut("say \"{% if x is \"#\" %}y{% endif %}\" # c")[0].1, "# c");
        // A brace that opens no slot is a character.
        assert_eq!(cut("say \"{{ x\" # c")[0], ("say \"{{ x\"", "# c"));
    }

    #[test]
    fn a_text_over_several_lines_is_one_line() {
        let lines = cut("say \"\"\"\n  one # not a comment\n  \"two\"\"\"\" # c\ndone");
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].1, "# c");
        assert_eq!(lines[1].0, "done");
    }

    #[test]
    fn indentation_is_counted_in_columns_whatever_the_blank() {
        let indents: Vec<usize> = scan("\u{FEFF}a\n  b\n\tc\n\u{A0}\u{A0}d\r\n \te")
            .iter()
            .map(|line| line.indent)
            .collect();
        assert_eq!(indents, [0, 2, 4, 2, 4]);
    }

    #[test]
    fn after_a_text_that_never_closes_the_next_statement_is_read() {
        let text = "say \"\"\"\n  open\nsay \"\"\"\n  closed\n  \"\"\"\ndone \"x";
        let lines = scan(text);
        assert!(matches!(
            lines[0].fault,
            Some(Fault::OpenText { triple: true, .. })
        ));
        assert_eq!(&text[lines[1].code.clone()], "say \"\"\"\n  closed\n  \"\"\"");
        assert_eq!(lines[1].fault, None);
        assert!(matches!(
            lines[2].fault,
            Some(Fault::OpenText { triple: false, .. })
        ));
    }
}

//! What a quoted text says: quotes off, escapes resolved, the common indentation of `"""` removed.
//!
//! The scanner found where the text ends; the tree keeps the result as a template source; the formatter needs the
//! same rules the other way round.

use super::lines::{is_space, slot_end};

/// How a text is quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quoting {
    /// `"…"` or its curly forms.
    Single,
    /// `"""…"""`.
    Triple,
}

/// The quoting, and the raw text between the quotes.
pub fn unquote(raw: &str) -> (Quoting, &str) {
    let quotes: usize = raw
        .chars()
        .take(3)
        .take_while(|char| matches!(char, '"' | '“' | '”'))
        .map(char::len_utf8)
        .sum();
    let triple = raw.chars().take(3).all(|char| matches!(char, '"' | '“' | '”')) && raw.chars().count() >= 6;
    if triple {
        let close: usize = raw.chars().rev().take(3).map(char::len_utf8).sum();
        return (Quoting::Triple, &raw[quotes..raw.len() - close]);
    }
    let open = raw.chars().next().map_or(0, char::len_utf8);
    let close = raw.chars().next_back().map_or(0, char::len_utf8);
    (
        Quoting::Single,
        raw.get(open..raw.len().saturating_sub(close)).unwrap_or(""),
    )
}

/// The template source of a text as it stands in a file, quotes included.
pub fn source(raw: &str) -> String {
    let (quoting, inner) = unquote(raw);
    match quoting {
        Quoting::Single => resolve(inner),
        Quoting::Triple => resolve(&lines_of(inner).join("\n")),
    }
}

/// The lines of a `"""` text: blank lines at both ends and the common indentation removed, escapes untouched.
pub fn lines_of(inner: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = inner
        .split('\n')
        .map(|line| line.trim_end_matches('\r'))
        .collect();
    if lines.len() == 1 {
        return lines;
    }
    for line in &mut lines {
        if line.chars().all(is_space) {
            *line = "";
        }
    }
    // What stands right behind the opening quotes has no indentation of its own.
    let first = lines.remove(0).trim_start_matches(is_space);
    let common = lines
        .iter()
        .filter(|line| !line.is_empty())
        .map(|line| &line[..line.len() - line.trim_start_matches(is_space).len()])
        .reduce(common_prefix)
        .map_or(0, str::len);
    let mut all = vec![first];
    all.extend(lines.iter().map(|line| line.get(common..).unwrap_or("")));
    let begin = all.iter().position(|line| !line.is_empty()).unwrap_or(all.len());
    let end = all
        .iter()
        .rposition(|line| !line.is_empty())
        .map_or(begin, |last| last + 1);
    all[begin..end].to_vec()
}

fn common_prefix<'a>(a: &'a str, b: &'a str) -> &'a str {
    let len: usize = a
        .chars()
        .zip(b.chars())
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a.len_utf8())
        .sum();
    &a[..len]
}

/// `\"`, `\n` and `\\` resolved outside slots; curly quotes and odd blanks made plain inside slots.
fn resolve(inner: &str) -> String {
    if !inner.contains(['\\', '{']) {
        return inner.to_owned();
    }
    let mut out = String::with_capacity(inner.len());
    let mut at = 0;
    while let Some(char) = inner[at..].chars().next() {
        match char {
            '{' => match slot_end(inner, at) {
                Some(end) => {
                    plain_slot(&inner[at..end], &mut out);
                    at = end;
                    continue;
                }
                None => out.push('{'),
            },
            '\\' => {
                let next = inner[at + 1..].chars().next();
                match next {
                    Some('n') => out.push('\n'),
                    Some('"' | '“' | '”' | '„') => out.push('"'),
                    Some('\\') => out.push('\\'),
                    // Patterns are full of `\d`; only what the language defines is an escape.
                    Some(other) => out.extend(['\\', other]),
                    None => out.push('\\'),
                }
                at += next.map_or(0, char::len_utf8);
            }
            other => out.push(other),
        }
        at += char.len_utf8();
    }
    out
}

/// A slot as the template engine wants it. Word processors curl the quotes in it and widen its blanks.
pub fn plain_slot(slot: &str, out: &mut String) {
    if slot.is_ascii() {
        out.push_str(slot);
        return;
    }
    let mut inside: Option<char> = None;
    for char in slot.chars() {
        let plain = match (inside, char) {
            (None, '“' | '”' | '„' | '"') => {
                inside = Some(if char == '"' { '"' } else { '”' });
                '"'
            }
            (None, '‘' | '’' | '‚' | '\'') => {
                inside = Some(if char == '\'' { '\'' } else { '’' });
                '\''
            }
            (None, blank) if is_space(blank) => ' ',
            (None, other) => other,
            (Some(close), char) if char == close => {
                inside = None;
                match close {
                    '”' | '"' => '"',
                    _ => '\'',
                }
            }
            (Some('”'), '“') => {
                inside = None;
                '"'
            }
            (Some(_), other) => other,
        };
        out.push(plain);
    }
}

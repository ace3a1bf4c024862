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
    // Most texts say what they are.
    if quoting == Quoting::Single && !inner.contains(['\\', '{']) {
        return inner.to_owned();
    }
    let mut out = String::with_capacity(inner.len());
    resolve(raw, &mut out, &mut |_, _| {});
    out
}

/// The offset in the quoted text `raw` of the character that became byte `at` of its template source: so that a
/// mistake found in a template can be shown in the file.
pub fn offset(raw: &str, at: usize) -> usize {
    let mut found = 0;
    let mut from = 0;
    resolve(raw, &mut String::new(), &mut |source, written| {
        if source <= at {
            (from, found) = (source, written);
        }
    });
    // Between two marks characters are the same on both sides.
    (found + (at - from)).min(raw.len())
}

/// Writes the template source to `out`. `mark` hears, in order, which offset of `out` comes from which of `raw`.
fn resolve(raw: &str, out: &mut String, mark: &mut impl FnMut(usize, usize)) {
    let (quoting, inner) = unquote(raw);
    let place = |part: &str| part.as_ptr() as usize - raw.as_ptr() as usize;
    match quoting {
        Quoting::Single => resolve_line(inner, place(inner), out, mark),
        Quoting::Triple => {
            for (index, line) in lines_of(inner).into_iter().enumerate() {
                // An empty line may be no part of `raw`.
                let at = if line.is_empty() { None } else { Some(place(line)) };
                if index > 0 {
                    out.push('\n');
                }
                if let Some(at) = at {
                    resolve_line(line, at, out, mark);
                }
            }
        }
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

/// `\"`, `\n` and `\\` resolved outside slots; curly quotes and odd blanks made plain inside slots. The line begins at
/// `start` of the raw text.
fn resolve_line(inner: &str, start: usize, out: &mut String, mark: &mut impl FnMut(usize, usize)) {
    let mut at = 0;
    mark(out.len(), start);
    while let Some(char) = inner[at..].chars().next() {
        match char {
            '{' => match slot_end(inner, at) {
                Some(end) => {
                    let slot = &inner[at..end];
                    if slot
                        .bytes()
                        .all(|byte| byte.is_ascii() && !byte.is_ascii_control())
                    {
                        out.push_str(slot);
                    } else {
                        for (offset, char) in plain_slot(slot) {
                            mark(out.len(), start + at + offset);
                            out.push(char);
                        }
                        mark(out.len(), start + end);
                    }
                    at = end;
                    continue;
                }
                None => out.push('{'),
            },
            '\\' => {
                let next = inner[at + 1..].chars().next();
                let len = next.map_or(0, char::len_utf8);
                match next {
                    Some('n') => out.push('\n'),
                    Some('"' | '“' | '”' | '„') => out.push('"'),
                    Some('\\') => out.push('\\'),
                    // Patterns are full of `\d`; only what the language defines is an escape.
                    Some(other) => out.extend(['\\', other]),
                    None => out.push('\\'),
                }
                at += len;
                mark(out.len(), start + at + 1);
            }
            other => out.push(other),
        }
        at += char.len_utf8();
    }
}

/// A slot as the template engine wants it, each character with its offset in the slot. Word processors curl the
/// quotes in it and widen its blanks.
pub fn plain_slot(slot: &str) -> impl Iterator<Item = (usize, char)> {
    let mut inside: Option<char> = None;
    slot.char_indices().map(move |(at, char)| {
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
            // The other form of a closing quote, as in „x“ and ‚x‘.
            (Some('”'), '“') | (Some('’'), '‘') => {
                inside = None;
                if char == '“' { '"' } else { '\'' }
            }
            (Some(_), other) => other,
        };
        (at, plain)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_resolved_and_patterns_are_left_alone() {
        assert_eq!(source(r#""a \"b\" \n \d \\""#), "a \"b\" \n \\d \\");
    }

    #[test]
    fn a_text_over_several_lines_loses_its_indentation_and_outer_breaks() {
        assert_eq!(
            source("\"\"\"\n    Booked!\n\n      *{{ day }}*\n    \"\"\""),
            "Booked!\n\n  *{{ day }}*"
        );
        assert_eq!(source("\"\"\"Booked!\r\n    Bye\r\n  \"\"\""), "Booked!\nBye");
        assert_eq!(source("\"\"\"one line\"\"\""), "one line");
        assert_eq!(source("\"\"\"\n  \n\"\"\""), "");
    }

    #[test]
    fn curly_quotes_and_wide_blanks_inside_a_slot_become_plain() {
        assert_eq!(
            source("“Hi {{ x\u{A0}| default(‘there’) }}, “you””"),
            "Hi {{ x | default('there') }}, “you”"
        );
        assert_eq!(
            source("\"{{ x | default(“it’s”) }}\""),
            "{{ x | default(\"it’s\") }}"
        );
        assert_eq!(
            source("\"{{ x | default('“so”') }}\""),
            "{{ x | default('“so”') }}"
        );
    }

    #[test]
    fn a_place_in_the_source_is_found_again_in_the_file() {
        for raw in [
            "\"Hi \\\"you\\\" {{ name }}!\"",
            "“Hi {{ x | default(‘there’) }} {{ name }}”",
            "\"\"\"\n    One\n\n      two {{ name }}\n    \"\"\"",
        ] {
            let source = source(raw);
            let at = source.find("name").expect("it is in the text");
            assert_eq!(&raw[offset(raw, at)..][..4], "name", "{raw}");
        }
    }
}

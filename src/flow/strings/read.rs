//! A `.strings` file, read line by line: a broken line costs one diagnostic, and the others count.

use std::collections::HashMap;

use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::lines::{TextAt, char_len, is_space, line_end, text_at};
use crate::flow::source::{FileId, Sources, Span};
use crate::flow::text;
use crate::flow::tree::{Strings, Text, TextKey, Translation};

/// The line above the translations that nothing uses any more.
pub const UNUSED: &str = "unused";
/// The mark of a translation whose source was reworded.
pub const STALE: &str = "stale";
/// Characters of a hash.
pub const DIGITS: usize = 8;

/// Reads one file. Mistakes are reported, at most one a line.
pub fn read(sources: &Sources, id: FileId) -> (Strings, Vec<Diagnostic>) {
    let file = sources.file(id);
    let named = super::source_path(&file.path);
    let of = named.as_ref().and_then(|(path, _)| {
        let at = sources
            .files
            .iter()
            .position(|file| same_path(&file.path, path))?;
        u16::try_from(at).ok().map(FileId)
    });
    let mut reader = Reader {
        text: &file.text,
        file: id,
        strings: Strings {
            file: id,
            language: named.as_ref().map_or("", |(_, language)| language).to_owned(),
            of,
            entries: Vec::new(),
            comments: Vec::new(),
        },
        comments: Vec::new(),
        unused: false,
        mistakes: Vec::new(),
    };
    if named.is_none() {
        let begin = Span::new(id, 0, line_end(&file.text, 0).min(file.text.len()));
        reader.mistakes.push(
            Diagnostic::new(
                Code::F007,
                begin,
                "this file's name doesn't say which language it is",
                "",
            )
            .note("Texts of support.flow in Portuguese are in  support.pt.strings  beside it."),
        );
        return (reader.strings, reader.mistakes);
    }
    let mut at = 0;
    while at < file.text.len() {
        at = reader.line(at);
    }
    reader.strings.comments = reader.comments;
    let mut mistakes = reader.mistakes;
    twice(&reader.strings, &mut mistakes);
    (reader.strings, mistakes)
}

/// Paths may be written with either slash.
fn same_path(one: &str, other: &str) -> bool {
    one == other || one.replace('\\', "/") == other.replace('\\', "/")
}

struct Reader<'a> {
    text: &'a str,
    file: FileId,
    strings: Strings,
    /// Above the next entry.
    comments: Vec<Span>,
    unused: bool,
    mistakes: Vec<Diagnostic>,
}

/// A place in a line, with what is wrong there.
struct Slip {
    at: usize,
    end: usize,
    code: Code,
    message: &'static str,
    label: &'static str,
}

impl Reader<'_> {
    /// Reads the line that begins here; gives the begin of the next.
    fn line(&mut self, begin: usize) -> usize {
        let stop = line_end(self.text, begin);
        let start = self.skip(begin, stop);
        let next = (stop + 1).min(self.text.len());
        if start >= stop {
            return next;
        }
        let line = self.text[start..stop].trim_end_matches(is_space);
        if line.starts_with('#') {
            self.comments.push(self.span(start, start + line.len()));
            return next;
        }
        let (word, after) = self.word(start, stop);
        if word == UNUSED && matches!(self.text.as_bytes().get(after), None | Some(b'\n' | b'#')) {
            self.unused = true;
            return next;
        }
        match self.entry(start) {
            Ok((entry, end)) => {
                self.strings.entries.push(entry);
                (line_end(self.text, end) + 1).min(self.text.len())
            }
            Err(slip) => {
                let note = match slip.code {
                    Code::F003 => {
                        "Put a quote behind the last word. A text over several lines stands between \"\"\" and \"\"\"."
                    }
                    _ => {
                        "A line is  KEY HASH \"your words\",  as  `switchboard strings`  writes it. Until it can be read, customers\nget the words of the flow instead."
                    }
                };
                let span = self.span(slip.at, slip.end.max(slip.at));
                self.mistakes
                    .push(Diagnostic::new(slip.code, span, slip.message, slip.label).note(note));
                self.comments.clear();
                self.resume(next)
            }
        }
    }

    /// After a line that can't be read: the next one that is blank, a comment, a heading or an entry, so that the
    /// rest of a broken text over several lines is not talked about.
    fn resume(&self, mut at: usize) -> usize {
        while at < self.text.len() {
            let stop = line_end(self.text, at);
            let start = self.skip(at, stop);
            let line = self.text[start..stop].trim_end_matches(is_space);
            let word = line.split(is_space).next().unwrap_or_default();
            if line.is_empty() || line.starts_with('#') || line == UNUSED || word.contains('#') {
                break;
            }
            at = (stop + 1).min(self.text.len());
        }
        at
    }

    /// `KEY HASH [stale] "…"[, "…"] [also "…", "…"] [# comment]`; and where it ends.
    fn entry(&mut self, start: usize) -> Result<(Translation, usize), Slip> {
        let stop = line_end(self.text, start);
        let (word, mut at) = self.word(start, stop);
        let key = key_of(word).ok_or(Slip {
            at: start,
            end: start + word.len(),
            code: Code::F001,
            message: "this is no translation",
            label: "a line begins with a key such as  hello#say.1",
        })?;
        let (hash, after) = self.word(at, stop);
        if hash.len() != DIGITS || !hash.chars().all(|c| c.is_ascii_hexdigit()) {
            let end = at + hash.len();
            return Err(Slip {
                at,
                end,
                code: Code::F001,
                message: "this translation doesn't say what it translates",
                label: "eight characters stand behind the key, as `switchboard strings` writes them",
            });
        }
        let hash = hash.to_ascii_lowercase();
        let mut marked = at + DIGITS;
        at = after;
        let (mark, after) = self.word(at, stop);
        let stale = mark.eq_ignore_ascii_case(STALE);
        if stale {
            marked = at + mark.len();
            at = after;
        }
        let texts = self.texts(&mut at)?;
        let mut also = Vec::new();
        let (word, after) = self.word(at, line_end(self.text, at));
        if word.eq_ignore_ascii_case("also") && !texts.is_empty() {
            at = after;
            let from = at;
            also = self.texts(&mut at)?;
            if also.is_empty() {
                return Err(Slip {
                    at: from,
                    end: from,
                    code: Code::F001,
                    message: "this translation breaks off",
                    label: "words in quotes follow `also`",
                });
            }
        }
        let stop = line_end(self.text, at);
        let rest = self.text[at..stop].trim_end_matches(is_space);
        let comment = rest.starts_with('#').then(|| self.span(at, at + rest.len()));
        if texts.is_empty() || (!rest.is_empty() && comment.is_none()) {
            return Err(Slip {
                at,
                end: at + rest.len(),
                code: Code::F001,
                message: "this translation can't be read",
                label: if texts.is_empty() {
                    "your words follow in quotes"
                } else {
                    "this belongs to no text: is a quote missing?"
                },
            });
        }
        Ok((
            Translation {
                key,
                hash,
                stale,
                unused: self.unused,
                texts,
                also,
                span: self.span(start, marked),
                comments: std::mem::take(&mut self.comments),
                comment,
            },
            at,
        ))
    }

    /// Texts with commas between them, from `at` on.
    fn texts(&self, at: &mut usize) -> Result<Vec<Text>, Slip> {
        let mut texts = Vec::new();
        loop {
            match text_at(self.text, *at, 0) {
                TextAt::None => return Ok(texts),
                TextAt::Open { stop, .. } => {
                    return Err(Slip {
                        at: *at,
                        end: line_end(self.text, *at).min(stop),
                        code: Code::F003,
                        message: "this text is never closed",
                        label: "it opens here …",
                    });
                }
                TextAt::Closed(end) => {
                    texts.push(Text {
                        source: text::source(&self.text[*at..end]),
                        span: self.span(*at, end),
                    });
                    let stop = line_end(self.text, end);
                    *at = self.skip(end, stop);
                    if !self.text[*at..].starts_with(',') {
                        return Ok(texts);
                    }
                    *at = self.skip(*at + 1, stop);
                }
            }
        }
    }

    /// The word here and where the next begins.
    fn word(&self, at: usize, stop: usize) -> (&str, usize) {
        let stop = stop.max(at);
        let word = self.text[at..stop].split(is_space).next().unwrap_or_default();
        // A text may stand right behind it.
        let word = match word.find(['"', '“', '”', '„']) {
            Some(quote) => &word[..quote],
            None => word,
        };
        (word, self.skip(at + word.len(), stop))
    }

    /// The first character that is not blank.
    fn skip(&self, mut at: usize, stop: usize) -> usize {
        while at < stop {
            let Some(char) = self.text[at..].chars().next().filter(|char| is_space(*char)) else {
                break;
            };
            at += char_len(self.text.as_bytes()[at]).max(char.len_utf8());
        }
        at
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.file, start, end)
    }
}

/// `hello#menu.1`.
fn key_of(word: &str) -> Option<TextKey> {
    let (section, rest) = word.split_once('#')?;
    let (kind, number) = rest.rsplit_once('.')?;
    let named = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_');
    (named(section) && named(kind)).then_some(())?;
    Some(TextKey {
        section: section.to_owned(),
        kind: kind.to_owned(),
        number: number.parse().ok()?,
    })
}

/// A text translated twice: which one is meant?
fn twice(strings: &Strings, mistakes: &mut Vec<Diagnostic>) {
    let mut first: HashMap<(&TextKey, &str), &Translation> = HashMap::new();
    for entry in strings.entries.iter().filter(|entry| !entry.unused) {
        match first.get(&(&entry.key, entry.hash.as_str())) {
            Some(earlier) => mistakes.push(
                Diagnostic::new(
                    Code::F006,
                    entry.span,
                    "this text is translated twice",
                    "this is the second …",
                )
                .label(earlier.span, "… and this the first")
                .note("Only one of them can be said. Keep the better one."),
            ),
            None => {
                first.insert((&entry.key, &entry.hash), entry);
            }
        }
    }
}

//! A `.strings` file, written: anew for its flow, or in its one layout.
//!
//! Nothing a translator wrote is lost: reworded sources mark their translation `stale` and say what they were, what
//! the flow no longer says goes below the line `unused`, and comments stay with their entry.

use super::pair::{Fit, pair};
use super::read::{STALE, UNUSED};
use super::units::units_of;
use crate::flow::diagnostic::Diagnostic;
use crate::flow::format::straight;
use crate::flow::locale;
use crate::flow::source::{FileId, Sources, Span};
use crate::flow::text::{self, Quoting};
use crate::flow::tree::{Strings, Text, Translation, Tree};

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub text: String,
    /// All that can be translated.
    pub texts: usize,
    /// Of these, without a translation.
    pub missing: usize,
    /// Translations of words that have changed.
    pub stale: usize,
    /// Translations kept though nothing uses them.
    pub unused: usize,
}

/// The file of a flow's texts in a language, anew. `before`: the file that is there.
pub fn rewritten(
    sources: &Sources,
    tree: &Tree,
    flow: FileId,
    language: &str,
    before: Option<&Strings>,
) -> Written {
    let units = units_of(tree, flow);
    let empty = Strings {
        file: flow,
        language: language.to_owned(),
        of: Some(flow),
        entries: Vec::new(),
        comments: Vec::new(),
    };
    let strings = before.unwrap_or(&empty);
    let paired = pair(&units, strings);
    let path = &sources.file(flow).path;
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let mut out = format!(
        "# {name} in {}. Put your words between the quotes; `switchboard strings {language}` adds what is new and marks what changed.\n",
        locale::name_of(language)
    );
    let mut written = Written {
        text: String::new(),
        texts: units.len(),
        missing: 0,
        stale: 0,
        unused: 0,
    };
    for (unit, found) in units.iter().zip(&paired.found) {
        out.push('\n');
        let entry = found.map(|(entry, _)| entry);
        let own = entry.map_or(&[][..], |entry| &entry.comments);
        for comment in own.iter().filter(|comment| !is_ours(sources.text(**comment))) {
            line(&mut out, sources.text(*comment));
        }
        line(&mut out, &format!("# {}", unit.shown()));
        let filled = entry.is_some_and(Translation::is_filled);
        let reworded = found.is_some_and(|(_, fit)| fit == Fit::Place);
        let stale = filled && (reworded || entry.is_some_and(|entry| entry.stale));
        if stale && let Some(was) = entry.and_then(|entry| formerly(sources, entry)) {
            line(&mut out, &was);
        }
        written.stale += usize::from(stale);
        written.missing += usize::from(!filled && !unit.is_optional());
        out.push_str(&format!("{} {}", unit.key, unit.hash));
        if stale {
            out.push_str(&format!(" {STALE}"));
        }
        match entry {
            Some(entry) => words(&mut out, sources, entry),
            None => out.push_str("  \"\"\n"),
        }
    }
    let left: Vec<&&Translation> = paired.left.iter().filter(|entry| entry.is_filled()).collect();
    written.unused = left.len();
    if !left.is_empty() {
        out.push_str(&format!(
            "\n# {LEFT}{name}: kept until you delete them.\n{UNUSED}\n"
        ));
    }
    for entry in left {
        out.push('\n');
        for comment in &entry.comments {
            let comment = sources.text(*comment);
            if !is_heading(comment) {
                line(&mut out, comment);
            }
        }
        key(&mut out, entry);
        words(&mut out, sources, entry);
    }
    let tail: Vec<&str> = strings
        .comments
        .iter()
        .map(|comment| sources.text(*comment))
        .filter(|comment| !is_heading(comment))
        .collect();
    if !tail.is_empty() {
        out.push('\n');
        tail.iter().for_each(|comment| line(&mut out, comment));
    }
    written.text = out;
    written
}

/// A `.strings` file in its one layout, or the mistakes that keep it from being read.
///
/// # Errors
/// The lines that can't be read.
pub fn format(path: &str, text: &str) -> Result<String, Vec<Diagnostic>> {
    let mut sources = Sources::default();
    let id = sources.add(path, text);
    let (strings, mistakes) = super::read::read(&sources, id);
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let mut out = String::with_capacity(text.len());
    let mut unused = false;
    for entry in &strings.entries {
        let (above, mut below): (Vec<&str>, Vec<&str>) = entry
            .comments
            .iter()
            .map(|comment| sources.text(*comment))
            .partition(|comment| is_heading(comment));
        apart(&mut out);
        above.iter().for_each(|comment| line(&mut out, comment));
        if entry.unused && !unused {
            unused = true;
            line(&mut out, UNUSED);
        }
        if !above.is_empty() {
            apart(&mut out);
        }
        below.drain(..).for_each(|comment| line(&mut out, comment));
        key(&mut out, entry);
        words(&mut out, &sources, entry);
    }
    if !strings.comments.is_empty() {
        apart(&mut out);
    }
    for comment in &strings.comments {
        line(&mut out, sources.text(*comment));
    }
    Ok(out)
}

const LEFT: &str = "No longer in ";
const WAS: &str = "# was ";

/// A comment that is made anew each time.
fn is_ours(comment: &str) -> bool {
    comment.starts_with("# \"") || comment.starts_with(WAS) || is_heading(comment)
}

/// The first line of a file, and the one above what is unused.
fn is_heading(comment: &str) -> bool {
    comment.contains("`switchboard strings ") || comment.starts_with(&format!("# {LEFT}"))
}

/// The comment that tells what a stale translation is a translation of.
fn formerly(sources: &Sources, entry: &Translation) -> Option<String> {
    let comments = || entry.comments.iter().map(|comment| sources.text(*comment));
    let told = comments().find(|comment| comment.starts_with(WAS));
    let source = comments().rfind(|comment| comment.starts_with("# \""));
    match (told, source) {
        (Some(told), _) => Some(told.to_owned()),
        (None, Some(source)) => Some(format!("{WAS}{}", &source[2..])),
        (None, None) => None,
    }
}

fn apart(out: &mut String) {
    if !out.is_empty() && !out.ends_with("\n\n") {
        out.push('\n');
    }
}

fn line(out: &mut String, words: &str) {
    out.push_str(words);
    out.push('\n');
}

fn key(out: &mut String, entry: &Translation) {
    out.push_str(&format!("{} {}", entry.key, entry.hash));
    if entry.stale {
        out.push_str(&format!(" {STALE}"));
    }
}

/// The texts of an entry as the translator wrote them, and the line's end.
fn words(out: &mut String, sources: &Sources, entry: &Translation) {
    let list = |out: &mut String, texts: &[Text]| {
        for (index, text) in texts.iter().enumerate() {
            out.push_str(if index == 0 { "" } else { ", " });
            quoted(out, sources, text.span);
        }
    };
    out.push_str("  ");
    list(out, &entry.texts);
    if !entry.also.is_empty() {
        out.push_str(" also ");
        list(out, &entry.also);
    }
    if let Some(comment) = entry.comment {
        out.push_str("  ");
        out.push_str(sources.text(comment));
    }
    out.push('\n');
}

/// A text between straight quotes; one over several lines keeps them.
fn quoted(out: &mut String, sources: &Sources, span: Span) {
    let (quoting, inner) = text::unquote(sources.text(span));
    match quoting {
        Quoting::Single => {
            out.push('"');
            straight(inner, out);
            out.push('"');
        }
        Quoting::Triple if !inner.contains('\n') => {
            out.push_str("\"\"\"");
            out.push_str(inner);
            out.push_str("\"\"\"");
        }
        Quoting::Triple => {
            out.push_str("\"\"\"\n");
            for line in text::lines_of(inner) {
                if !line.is_empty() {
                    out.push_str("  ");
                    out.push_str(line);
                }
                out.push('\n');
            }
            out.push_str("  \"\"\"");
        }
    }
}

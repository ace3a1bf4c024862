//! How mistakes look: drawn for the terminal, as JSON lines, as workflow commands of a code host, or in plain
//! sentences.
//!
//! The drawing is `annotate-snippets`'; what is said was decided where the mistake was found.

use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use super::diagnostic::{Diagnostic, Fix, Label, Severity};
use super::source::{FileId, Sources, Span};

/// Version of the JSON form: grows when a field changes its meaning or goes.
pub const JSON_VERSION: u32 = 1;

/// The drawn form of all mistakes, one blank line between them.
pub fn text(sources: &Sources, diagnostics: &[Diagnostic], colour: bool) -> String {
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut drawn = String::new();
    for diagnostic in diagnostics {
        if !drawn.is_empty() {
            drawn.push('\n');
        }
        drawn.push_str(renderer.render(&[report(sources, diagnostic)]).trim_end());
        drawn.push('\n');
    }
    drawn
}

fn report<'a>(sources: &'a Sources, diagnostic: &'a Diagnostic) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Hint => Level::INFO.with_name("hint"),
    };
    let title = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code.as_str());
    let mut group = Group::with_title(title);
    for file in files(diagnostic) {
        let source = sources.file(file);
        let mut snippet = Snippet::source(source.text.as_str()).path(source.path.as_str());
        for (index, label) in diagnostic
            .labels
            .iter()
            .enumerate()
            .filter(|(_, label)| label.span.file == file)
        {
            let kind = if index == 0 {
                AnnotationKind::Primary
            } else {
                AnnotationKind::Context
            };
            let mut annotation = kind.span(visible(sources, label.span));
            if !label.text.is_empty() {
                annotation = annotation.label(label.text.as_str());
            }
            snippet = snippet.annotation(annotation);
        }
        group = group.element(snippet);
    }
    let mut below: Vec<String> = diagnostic.notes.clone();
    if let Some(fixes) = fixes(&diagnostic.fixes) {
        below.push(fixes);
    }
    for note in below {
        group = group.element(Level::NOTE.no_name().message(note));
    }
    group
}

/// Files in which the mistake has labels, that of the mistake first.
fn files(diagnostic: &Diagnostic) -> Vec<FileId> {
    let mut files: Vec<FileId> = Vec::new();
    for label in &diagnostic.labels {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    files
}

/// A block is underlined at its first line only; an empty place gets one character.
fn visible(sources: &Sources, span: Span) -> std::ops::Range<usize> {
    let text = &sources.file(span.file).text;
    let start = (span.start as usize).min(text.len());
    let end = (span.end as usize).min(text.len());
    let first = text[start..end].lines().next().unwrap_or_default().trim_end();
    if first.is_empty() {
        let next = text[start..]
            .chars()
            .next()
            .filter(|c| *c != '\n')
            .map_or(0, char::len_utf8);
        start..start + next
    } else {
        start..start + first.len()
    }
}

/// `✎` marks what an editor can do by itself; the rest is advice.
fn fixes(fixes: &[Fix]) -> Option<String> {
    if fixes.is_empty() {
        return None;
    }
    let mut shown = String::new();
    for (index, fix) in fixes.iter().enumerate() {
        if index > 0 {
            shown.push('\n');
        }
        let mark = if fix.edits.is_empty() { ' ' } else { '✎' };
        let _ = write!(shown, "{mark} {}", fix.title.trim_end());
    }
    Some(shown)
}

// ───────── JSON ─────────

#[derive(Serialize)]
struct JsonDiagnostic<'a> {
    version: u32,
    code: &'a str,
    severity: Severity,
    message: &'a str,
    #[serde(flatten)]
    at: JsonSpan<'a>,
    labels: Vec<JsonLabel<'a>>,
    notes: &'a [String],
    fixes: Vec<JsonFix<'a>>,
}

/// Lines and columns count from 1, columns in Unicode scalars; the end is exclusive. Bytes are offsets in the file.
#[derive(Serialize)]
struct JsonSpan<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    start_byte: u32,
    end_byte: u32,
}

#[derive(Serialize)]
struct JsonLabel<'a> {
    #[serde(flatten)]
    at: JsonSpan<'a>,
    text: &'a str,
}

#[derive(Serialize)]
struct JsonFix<'a> {
    title: &'a str,
    edits: Vec<JsonEdit<'a>>,
}

#[derive(Serialize)]
struct JsonEdit<'a> {
    #[serde(flatten)]
    at: JsonSpan<'a>,
    replacement: &'a str,
}

fn json_span(sources: &Sources, span: Span) -> JsonSpan<'_> {
    let file = sources.file(span.file);
    JsonSpan {
        file: &file.path,
        line: file.line(span.start),
        column: file.column(span.start),
        end_line: file.line(span.end),
        end_column: file.column(span.end),
        start_byte: span.start,
        end_byte: span.end,
    }
}

/// One JSON object a line.
pub fn json(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let mut lines = String::new();
    for diagnostic in diagnostics {
        let object = JsonDiagnostic {
            version: JSON_VERSION,
            code: diagnostic.code.as_str(),
            severity: diagnostic.severity,
            message: &diagnostic.message,
            at: json_span(sources, diagnostic.span()),
            labels: diagnostic
                .labels
                .iter()
                .map(|Label { span, text }| JsonLabel {
                    at: json_span(sources, *span),
                    text,
                })
                .collect(),
            notes: &diagnostic.notes,
            fixes: diagnostic
                .fixes
                .iter()
                .map(|fix| JsonFix {
                    title: &fix.title,
                    edits: fix
                        .edits
                        .iter()
                        .map(|edit| JsonEdit {
                            at: json_span(sources, edit.span),
                            replacement: &edit.replacement,
                        })
                        .collect(),
                })
                .collect(),
        };
        // Strings and numbers only: this can't fail.
        lines.push_str(&serde_json::to_string(&object).unwrap_or_default());
        lines.push('\n');
    }
    lines
}

// ───────── workflow commands ─────────

/// `::error file=…,line=…::…`, as code hosts read them from a job's output.
pub fn github(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let mut lines = String::new();
    for diagnostic in diagnostics {
        let at = json_span(sources, diagnostic.span());
        let command = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Hint => "notice",
        };
        let mut body = diagnostic.message.clone();
        if let Some(label) = diagnostic.labels.first().filter(|label| !label.text.is_empty()) {
            let _ = write!(body, ": {}", label.text);
        }
        for note in &diagnostic.notes {
            let _ = write!(body, "\n{note}");
        }
        let _ = writeln!(
            lines,
            "::{command} file={},line={},endLine={},col={},endColumn={},title={}::{}",
            property(at.file),
            at.line,
            at.end_line,
            at.column,
            at.end_column,
            property(diagnostic.code.as_str()),
            body.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A"),
        );
    }
    lines
}

fn property(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
        .replace(':', "%3A")
        .replace(',', "%2C")
}

// ───────── plain sentences ─────────

/// Without drawing, for screen readers.
pub fn narrated(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let mut told = String::new();
    for (index, diagnostic) in diagnostics.iter().enumerate() {
        if index > 0 {
            told.push('\n');
        }
        let at = json_span(sources, diagnostic.span());
        let severity = match diagnostic.severity {
            Severity::Error => "Error",
            Severity::Warning => "Warning",
            Severity::Hint => "Hint",
        };
        let _ = writeln!(told, "{severity} {}: {}.", diagnostic.code, diagnostic.message);
        let _ = writeln!(told, "In {}, line {}, column {}.", at.file, at.line, at.column);
        for label in &diagnostic.labels {
            let line = sources.file(label.span.file).line(label.span.start);
            let written = sources.text(label.span).lines().next().unwrap_or_default().trim();
            let place = if label.span.file == diagnostic.span().file {
                format!("line {line}")
            } else {
                format!("{}, line {line}", sources.file(label.span.file).path)
            };
            match (label.text.as_str(), written) {
                ("", _) => {}
                (text, "") => {
                    let _ = writeln!(told, "At {place}: {text}.");
                }
                (text, written) => {
                    let _ = writeln!(told, "At {place}, {written} – {text}.");
                }
            }
        }
        for note in &diagnostic.notes {
            let _ = writeln!(told, "{note}");
        }
        for fix in &diagnostic.fixes {
            let words: Vec<&str> = fix.title.split_whitespace().collect();
            let _ = writeln!(told, "Possible: {}.", words.join(" "));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::super::diagnostic::Code;
    use super::*;

    fn sample() -> (Sources, Vec<Diagnostic>) {
        let mut sources = Sources::default();
        let file = sources.add("shop.flow", "flow shop\nstep hello\n  say \"Olá\"\n");
        let text = &sources.file(file).text;
        let at = text.find("\"Olá\"").unwrap();
        let at = Span::new(file, at, at + "\"Olá\"".len());
        let diagnostic = Diagnostic::new(
            Code::F201,
            at,
            "the conversation just stops here",
            "after this line, 100% nothing",
        )
        .label(Span::new(file, 10, 20), "in this step")
        .note("Add one of:\n  done")
        .fix("done", Span::new(file, 33, 33), "  done\n");
        (sources, vec![diagnostic])
    }

    #[test]
    fn a_mistake_as_text_shows_code_place_labels_notes_and_fixes() {
        let (sources, diagnostics) = sample();
        insta::assert_snapshot!(text(&sources, &diagnostics, false));
    }

    #[test]
    fn a_mistake_as_json_is_one_object_on_one_line() {
        let (sources, diagnostics) = sample();
        let line = json(&sources, &diagnostics);
        assert_eq!(line.matches('\n').count(), 1);
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object["version"], 1);
        assert_eq!(
            (object["line"].clone(), object["column"].clone()),
            (3.into(), 7.into())
        );
        assert_eq!(object["fixes"][0]["edits"][0]["replacement"], "  done\n");
    }

    #[test]
    fn a_workflow_command_stays_on_one_line() {
        let (sources, diagnostics) = sample();
        let line = github(&sources, &diagnostics);
        assert!(line.starts_with("::error file=shop.flow,line=3,"), "{line}");
        assert!(line.contains("100%25 nothing%0AAdd one of"), "{line}");
    }

    #[test]
    fn told_in_sentences_nothing_is_drawn() {
        let (sources, diagnostics) = sample();
        insta::assert_snapshot!(narrated(&sources, &diagnostics));
    }
}

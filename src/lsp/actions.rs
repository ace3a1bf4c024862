//! Code actions: every fix that `switchboard check --fix` knows, one by one or all of a file at once.

use lsp_types::{CodeAction, CodeActionKind, CodeActionOrCommand, TextEdit, WorkspaceEdit};

use super::documents::Reading;
use super::places::Encoding;
use super::server::diagnostic;
use crate::flow::diagnostic::Diagnostic;
use crate::flow::fixes;
use crate::flow::source::{FileId, Span};

/// The fixes for what is wrong in these bytes of a file.
pub(super) fn actions(
    reading: &Reading,
    encoding: Encoding,
    file: FileId,
    bytes: std::ops::Range<usize>,
    wanted: &dyn Fn(&CodeActionKind) -> bool,
) -> Vec<CodeActionOrCommand> {
    let mut all = Vec::new();
    if wanted(&CodeActionKind::QUICKFIX) {
        for found in reading
            .diagnostics()
            .iter()
            .filter(|found| touches(found, file, &bytes))
        {
            let only = found.fixes.iter().filter(|fix| !fix.edits.is_empty()).count() == 1;
            for fix in found.fixes.iter().filter(|fix| !fix.edits.is_empty()) {
                let edits = fix.edits.iter().map(|edit| (edit.span, edit.replacement.clone()));
                all.push(CodeActionOrCommand::CodeAction(CodeAction {
                    title: title(&fix.title, found),
                    kind: Some(CodeActionKind::QUICKFIX),
                    diagnostics: Some(vec![diagnostic(reading, encoding, found)]),
                    edit: Some(workspace_edit(reading, encoding, edits)),
                    is_preferred: Some(only),
                    ..CodeAction::default()
                }));
            }
        }
    }
    if wanted(&CodeActionKind::SOURCE_FIX_ALL)
        && let Some((mended, count)) = mended(reading, file)
    {
        let text = reading.text(file);
        let whole = Span::new(file, 0, text.len());
        let mistakes = if count == 1 { "mistake" } else { "mistakes" };
        all.push(CodeActionOrCommand::CodeAction(CodeAction {
            title: format!("Mend the {count} {mistakes} of this file that leave no choice"),
            kind: Some(CodeActionKind::SOURCE_FIX_ALL),
            edit: Some(workspace_edit(reading, encoding, [(whole, mended)])),
            ..CodeAction::default()
        }));
    }
    all
}

/// A fix's title may be just the new text.
fn title(title: &str, found: &Diagnostic) -> String {
    let words: Vec<&str> = title.split_whitespace().collect();
    format!("{} ({})", words.join(" "), found.code)
}

fn touches(found: &Diagnostic, file: FileId, bytes: &std::ops::Range<usize>) -> bool {
    let span = found.span();
    span.file == file && span.start as usize <= bytes.end && bytes.start <= span.end as usize
}

/// The file after every fix that leaves no choice, and how many there were.
fn mended(reading: &Reading, file: FileId) -> Option<(String, usize)> {
    let only: Vec<_> = reading
        .diagnostics()
        .iter()
        .filter(|found| found.span().file == file)
        .filter_map(|found| match found.fixes.as_slice() {
            [only] => Some(only),
            _ => None,
        })
        .collect();
    let (mended, count) = fixes::apply(only, file, reading.text(file));
    (count > 0).then_some((mended, count))
}

/// Changes by file, as every editor takes them.
// The key's inside is a cell for parsing only; its comparison is that of its text.
#[allow(clippy::mutable_key_type)]
pub(super) fn workspace_edit(
    reading: &Reading,
    encoding: Encoding,
    edits: impl IntoIterator<Item = (Span, String)>,
) -> WorkspaceEdit {
    let mut changes = std::collections::HashMap::new();
    for (span, new_text) in edits {
        let range = encoding.range(reading.text(span.file), span.range());
        let edits: &mut Vec<TextEdit> = changes.entry(reading.uri(span.file).clone()).or_default();
        edits.push(TextEdit { range, new_text });
    }
    WorkspaceEdit {
        changes: Some(changes),
        ..WorkspaceEdit::default()
    }
}

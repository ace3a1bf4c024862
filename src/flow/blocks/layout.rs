//! Whether the layout of a file says the same as its blocks.

use std::collections::HashSet;

use super::Laid;
use crate::flow::diagnostic::{Code, Diagnostic, Edit, Fix, Severity};
use crate::flow::lines::Line;
use crate::flow::source::{FileId, SourceFile, Span};

/// Columns of one level.
pub const LEVEL: usize = 2;

/// Adds a warning for each section (heading to heading) whose indentation disagrees with its blocks, unless a
/// missing or stray `end` was already told there: then the layout was the evidence.
pub(super) fn check(
    mistakes: &mut Vec<Diagnostic>,
    source: &SourceFile,
    file: FileId,
    lines: &[Line],
    layout: &[Option<Laid>],
) {
    let laid = || {
        layout
            .iter()
            .enumerate()
            .filter_map(|(line, laid)| laid.map(|laid| (line, laid)))
    };
    let flat = laid().all(|(line, _)| lines[line].indent == lines[0].indent);
    let broken: HashSet<u32> = mistakes
        .iter()
        .filter(|mistake| mistake.severity == Severity::Error)
        .map(|mistake| source.line(mistake.span().start))
        .collect();

    let mut section: Vec<(usize, Laid)> = Vec::new();
    let mut warnings: Vec<Diagnostic> = Vec::new();
    for (line, laid) in laid() {
        if laid.depth == 0 && !section.is_empty() {
            warnings.extend(warning(source, file, lines, &section, &broken));
            section.clear();
        }
        section.push((line, laid));
    }
    warnings.extend(warning(source, file, lines, &section, &broken));
    if flat {
        // Pasted without its layout: one word about it is enough, with the edits of all.
        let edits = warnings
            .iter_mut()
            .flat_map(|warning| &mut warning.fixes)
            .flat_map(|fix| fix.edits.drain(..));
        let edits: Vec<Edit> = edits.collect();
        warnings.truncate(1);
        if let Some(fix) = warnings.first_mut().and_then(|warning| warning.fixes.first_mut()) {
            fix.edits = edits;
        }
    }
    mistakes.extend(warnings);
}

fn warning(
    source: &SourceFile,
    file: FileId,
    lines: &[Line],
    section: &[(usize, Laid)],
    broken: &HashSet<u32>,
) -> Option<Diagnostic> {
    let (line, laid) = first_disagreement(lines, section)?;
    let numbers = section
        .iter()
        .map(|(line, _)| source.line(lines[*line].code.start as u32));
    if numbers.into_iter().any(|number| broken.contains(&number)) {
        return None;
    }
    let code = &lines[line].code;
    let span = Span::new(file, code.start, code.end);
    let mut diagnostic = Diagnostic::new(
        Code::F010,
        span,
        "the layout disagrees with the blocks",
        match laid.depth {
            1 => "this line belongs to the heading above, in one level".to_owned(),
            depth => format!("this line stands in {depth} levels"),
        },
    )
    .note(
        "Indentation has no meaning, so the bot does what the words say. `switchboard fmt` sets the layout.",
    );
    let edits = section
        .iter()
        .filter(|(line, laid)| lines[*line].indent != laid.depth * LEVEL)
        .map(|(line, laid)| Edit {
            span: Span::new(file, lines[*line].begin, lines[*line].code.start),
            replacement: " ".repeat(laid.depth * LEVEL),
        })
        .collect();
    diagnostic.fixes.push(Fix {
        title: "indent these lines by their blocks".to_owned(),
        edits,
    });
    Some(diagnostic)
}

/// The first line that is not level with its neighbours, or not further in than the line it belongs to.
fn first_disagreement(lines: &[Line], section: &[(usize, Laid)]) -> Option<(usize, Laid)> {
    let mut levels: Vec<usize> = Vec::new();
    for (line, laid) in section {
        let indent = lines[*line].indent;
        levels.truncate(laid.depth + 1);
        let agrees = match levels.get(laid.depth) {
            Some(level) => *level == indent,
            None => levels.last().is_none_or(|outer| indent > *outer),
        };
        if !agrees {
            return Some((*line, *laid));
        }
        if levels.len() == laid.depth {
            levels.push(indent);
        }
    }
    None
}

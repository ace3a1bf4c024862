//! Whatever stands in the files of a business, there are explained mistakes or a program, and soon: while somebody
//! types (every beginning of every file), and after a text went through a chat or a word processor.

mod samples;

use std::path::Path;
use std::time::Duration;

use switchboard::chat;
use switchboard::flow::compile::compile;
use switchboard::flow::render;
use switchboard::flow::source::Sources;
use switchboard::flow::strings;

#[path = "../benches/clock/mod.rs"]
mod clock;

/// Of the processor, for one business in an unoptimised build.
const SOON: Duration = Duration::from_secs(1);

/// The files of the sample business and of the fixtures, by folder.
fn businesses() -> Vec<Vec<(String, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("flows")];
    for entry in std::fs::read_dir(root.join("fixtures/flow")).expect("the folder is part of the project") {
        folders.push(entry.expect("the folder can be read").path());
    }
    folders.sort();
    folders
        .iter()
        .filter(|folder| folder.is_dir())
        .map(|folder| files(folder))
        .collect()
}

fn files(folder: &Path) -> Vec<(String, String)> {
    let found = samples::below([folder], &["flow", "strings", "chat"]);
    found
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a text");
            let name = path.strip_prefix(folder).expect("it was found there");
            (name.display().to_string(), text)
        })
        .collect()
}

/// Compiles, and draws what was found; a panic or a place outside its file is the failure.
fn explained(files: &[(String, String)]) {
    let mut sources = Sources::default();
    for (path, text) in files.iter().filter(|(path, _)| !path.ends_with(".chat")) {
        sources.add(path.as_str(), text.as_str());
    }
    let begin = clock::on_processor();
    let compiled = compile(&sources);
    let took = clock::on_processor().saturating_sub(begin);
    assert!(took < SOON, "{took:?} of the processor");
    for label in compiled.diagnostics.iter().flat_map(|found| &found.labels) {
        let text = &sources.file(label.span.file).text;
        assert!(text.get(label.span.range()).is_some(), "{label:?}");
    }
    render::narrated(&sources, &compiled.diagnostics);
    let broken = compiled
        .diagnostics
        .iter()
        .any(|found| found.severity == switchboard::flow::diagnostic::Severity::Error);
    assert_eq!(compiled.program.is_none(), broken);
}

/// Offsets of some twenty beginnings, and of those around every quote, blank and bracket of one line in ten: where
/// files break when they are typed.
fn cuts(text: &str) -> Vec<usize> {
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
    let step = (ends.len() / 12).max(1);
    let mut cuts: Vec<usize> = ends.iter().copied().step_by(step).collect();
    for begin in ends.iter().copied().step_by(step * 2) {
        let line = text[begin + 1..].lines().next().unwrap_or_default();
        let marks = line.char_indices().filter(|(_, c)| "\"{}[]|#".contains(*c));
        cuts.extend(marks.take(6).map(|(at, c)| begin + 1 + at + c.len_utf8()));
    }
    cuts
}

#[test]
fn beginnings_of_every_file_of_a_business_give_mistakes_or_a_program() {
    for files in businesses() {
        for (index, (path, text)) in files.iter().enumerate() {
            if path.ends_with(".chat") {
                continue;
            }
            for at in cuts(text) {
                let mut cut = files.clone();
                cut[index].1.truncate(at);
                explained(&cut);
            }
        }
    }
}

#[test]
fn every_beginning_of_every_translation_is_read_and_laid_out() {
    for (path, text) in businesses().into_iter().flatten() {
        if !strings::is_strings(&path) {
            continue;
        }
        for (at, _) in text.char_indices() {
            let mut sources = Sources::default();
            let id = sources.add(path.as_str(), &text[..at]);
            let (_, mistakes) = strings::read::read(&sources, id);
            for label in mistakes.iter().flat_map(|mistake| &mistake.labels) {
                assert!(text[..at].get(label.span.range()).is_some(), "{label:?} at {at}");
            }
            if let Ok(formatted) = strings::write::format(&path, &text[..at]) {
                assert_eq!(
                    strings::write::format(&path, &formatted).as_ref(),
                    Ok(&formatted),
                    "{path} at {at}"
                );
            }
        }
    }
}

#[test]
fn every_beginning_of_every_conversation_is_read() {
    for (path, text) in businesses().into_iter().flatten() {
        if !path.ends_with(".chat") {
            continue;
        }
        // Conversations don't look at each other: those before make no difference and a lot of work.
        let mut rest = text.as_str();
        while let Some(begin) = rest.find("chat \"") {
            rest = &rest[begin..];
            let end = rest[1..].find("\nchat \"").map_or(rest.len(), |found| found + 2);
            for (at, _) in rest[..end].char_indices() {
                let _ = chat::parse::parse(&path, &rest[..at]);
            }
            rest = &rest[end..];
        }
    }
}

/// What programs do to a text on its way.
fn pasted(text: &str, change: usize) -> String {
    match change {
        // A word processor: curly quotes, long arrows, no-break spaces.
        0 => {
            let mut open = false;
            let curled: String = text
                .chars()
                .map(|c| {
                    if c == '"' {
                        open = !open;
                        if open { '“' } else { '”' }
                    } else {
                        c
                    }
                })
                .collect();
            curled.replace("-> ", "→ ").replace("  ", "\u{A0} ")
        }
        // A chat: no indentation.
        1 => text
            .lines()
            .map(|line| format!("{}\n", line.trim_start()))
            .collect(),
        // Another system: its line breaks, a mark at the beginning, tabs.
        2 => format!("\u{FEFF}{}", text.replace("    ", "\t").replace('\n', "\r\n")),
        // German quotes.
        _ => {
            let mut open = false;
            text.chars()
                .map(|c| {
                    if c == '"' {
                        open = !open;
                        if open { '„' } else { '“' }
                    } else {
                        c
                    }
                })
                .collect()
        }
    }
}

#[test]
fn pasted_files_are_read_and_those_without_long_texts_say_the_same() {
    for files in businesses() {
        for change in 0..4 {
            let changed: Vec<(String, String)> = files
                .iter()
                .map(|(path, text)| (path.clone(), pasted(text, change)))
                .collect();
            explained(&changed);
            for (path, text) in changed.iter().filter(|(path, _)| path.ends_with(".chat")) {
                let _ = chat::parse::parse(path, text);
            }
        }
    }
    let program = |change: Option<usize>| {
        let mut sources = Sources::default();
        for (path, text) in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("flows")) {
            // A text of three quotes keeps what is in it, its indentation and quotes included.
            if !path.ends_with(".chat") && !path.starts_with("repair") {
                let text = change.map_or(text.clone(), |change| pasted(&text, change));
                sources.add(
                    path,
                    text.replace("-> flow repair", "-> flow support")
                        .replace("→ flow repair", "→ flow support"),
                );
            }
        }
        let compiled = compile(&sources);
        let told = render::narrated(&sources, &compiled.diagnostics);
        compiled.program.unwrap_or_else(|| panic!("{told}")).hash
    };
    for change in [1, 2] {
        assert_eq!(program(Some(change)), program(None), "change {change}");
    }
    for change in [0, 3] {
        // Quotes inside blanks are made plain, spaces inside texts stay as they are.
        program(Some(change));
    }
}

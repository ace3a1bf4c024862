//! What must hold of any bytes: the bodies of the fuzz targets, which `tests/fuzz_bounded.rs` runs too. A broken promise
//! is a panic.

#![allow(dead_code)]

use switchboard::chat::parse::parse as parse_chat;
use switchboard::flow::blocks::parse;
use switchboard::flow::compile::compile;
use switchboard::flow::format::format;
use switchboard::flow::source::Sources;
use switchboard::flow::{fixes, render};

/// Lines of a file that are also read alone.
const LINES: usize = 25;

/// Bytes that are no text are refused before anything reads them.
fn text(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok()
}

/// Every line by itself, and the whole file with the whole compiler: diagnostics or a program, each mistake with its
/// place, each fix applicable.
pub fn grammar(input: &[u8]) {
    let Some(text) = text(input) else {
        return;
    };
    for line in text.lines().take(LINES) {
        // Every kind of line may stand here, or is refused here by itself.
        for head in ["", "flow any\nstep one\n"] {
            let mut alone = Sources::default();
            alone.add("line.flow", format!("{head}{line}\n"));
            let (_, mistakes) = parse(&alone);
            for label in mistakes.iter().flat_map(|mistake| &mistake.labels) {
                assert!(
                    alone.file(label.span.file).text.get(label.span.range()).is_some(),
                    "{line:?}"
                );
            }
        }
    }
    let mut sources = Sources::default();
    sources.add("any.flow", text);
    let compiled = compile(&sources);
    for found in &compiled.diagnostics {
        for label in &found.labels {
            assert!(text.get(label.span.range()).is_some(), "{found:?}");
        }
        for fix in &found.fixes {
            fixes::apply([fix], found.span().file, text);
        }
    }
    let drawn = render::text(&sources, &compiled.diagnostics, false);
    assert_eq!(drawn.is_empty(), compiled.diagnostics.is_empty());
    if let Some(program) = compiled.program {
        // What compiles can be loaded.
        switchboard::engine::Machine::load(program);
    }
}

/// Laid out twice is laid out once, and says the same.
pub fn formatter(input: &[u8]) {
    let Some(text) = text(input) else {
        return;
    };
    let Ok(once) = format("any.flow", text) else {
        return;
    };
    let twice = format("any.flow", &once);
    assert_eq!(twice.as_ref(), Ok(&once), "of {text:?}");
    assert_eq!(bare(text), bare(&once), "of {text:?}");
    let comments = |text: &str| text.matches('#').count();
    assert!(comments(&once) >= comments(text), "a comment is lost of {text:?}");
}

/// Transcripts are read or refused, with the line.
pub fn chat(input: &[u8]) {
    let Some(text) = text(input) else {
        return;
    };
    let lines = text.lines().count().max(1) as u32;
    match parse_chat("any.chat", text) {
        Ok(stories) => {
            for story in &stories {
                let mut last = story.line;
                for beat in &story.beats {
                    assert!(
                        last < beat.first_line && beat.first_line <= beat.last_line,
                        "{beat:?}"
                    );
                    last = beat.last_line;
                }
                assert!(last <= lines);
            }
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            assert!(
                mistakes.iter().all(|mistake| (1..=lines).contains(&mistake.line)),
                "{mistakes:?}"
            );
        }
    }
}

/// The tree of a file, printed, without the places.
fn bare(text: &str) -> String {
    let mut sources = Sources::default();
    sources.add("any.flow", text);
    let (tree, _) = parse(&sources);
    let printed = format!("{tree:?}");
    let mut out = String::with_capacity(printed.len());
    let mut rest = printed.as_str();
    while let Some(at) = rest.find("Span {") {
        out.push_str(&rest[..at]);
        let end = rest[at..].find('}').map_or(rest.len(), |end| at + end + 1);
        rest = &rest[end..];
    }
    out + rest
}

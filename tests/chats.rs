//! The fixture businesses: each compiles without a mistake, and each of its conversations goes as written.

mod samples;

use std::path::Path;

use switchboard::chat::{parse, report, run};
use switchboard::engine::Machine;
use switchboard::flow::source::Sources;
use switchboard::flow::{compile, format, render};

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a text")
}

/// Plays every conversation; gives their number.
#[track_caller]
fn goes_as_written(business: &str) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/flow")
        .join(business);
    let mut sources = Sources::default();
    for path in samples::below([&folder], &["flow", "strings"]) {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let written = text(&path);
        assert_eq!(
            format::format(&name, &written).as_ref(),
            Ok(&written),
            "{name} is not in its canonical layout"
        );
        sources.add(name, written);
    }
    let compiled = compile(&sources);
    assert!(
        compiled.diagnostics.is_empty(),
        "{}",
        render::text(&sources, &compiled.diagnostics, false)
    );
    let machine = Machine::load(compiled.program.expect("no mistakes, so a program"));
    let mut count = 0;
    for path in samples::below([&folder], &["chat"]) {
        let written = text(&path);
        let name = path.display().to_string();
        let stories = parse::parse(&name, &written).unwrap_or_else(|mistakes| {
            panic!(
                "{}",
                mistakes
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("\n")
            )
        });
        for story in stories {
            let played = run::play(&machine, &story);
            if let Some(failure) = &played.failure {
                panic!("{}", report::failure(&name, &written, &story, &played, failure));
            }
            count += 1;
        }
    }
    count
}

#[test]
fn plans_lists_splits_marks_rows_and_stories_in_pieces_go_as_written() {
    assert_eq!(goes_as_written("errands"), 5);
}

/// The shoe shop.
#[test]
fn the_conversations_of_the_studio_go_as_written() {
    assert_eq!(goes_as_written("studio"), 26);
}

#[test]
fn a_model_answers_inside_its_fence_as_written() {
    assert_eq!(goes_as_written("advice"), 10);
}

#[test]
fn a_chat_goes_to_people_and_comes_back_as_written() {
    assert_eq!(goes_as_written("desk"), 9);
}

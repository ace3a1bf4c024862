//! The checks as an author meets them: whole files in, drawn mistakes out.

use std::path::Path;

use switchboard::chat::rehearsal::Rehearsal;
use switchboard::chat::story::Act;
use switchboard::chat::{self, coverage::Coverage};
use switchboard::engine::{Machine, SessionSettings};
use switchboard::flow::compile::{Compiled, compile};
use switchboard::flow::diagnostic::{Code, Severity};
use switchboard::flow::source::Sources;
use switchboard::flow::{explain, render};
use switchboard::server::impact::{self, Earlier};
use switchboard::server::tally::Tally;
use switchboard::store::ContactId;

const BUSINESS: &str = include_str!("flow/business.flow");

/// Compiles files together with the tests' business, unless they bring their own.
fn compiled(files: &[(String, String)]) -> (Sources, Compiled) {
    let mut sources = Sources::default();
    if !files
        .iter()
        .any(|(_, text)| text.lines().any(|line| line.starts_with("business")))
    {
        sources.add("business.flow", BUSINESS);
    }
    for (path, text) in files {
        sources.add(path.as_str(), text.as_str());
    }
    let compiled = compile(&sources);
    (sources, compiled)
}

fn drawn(sources: &Sources, compiled: &Compiled) -> String {
    render::text(sources, &compiled.diagnostics, false)
}

/// Names and texts of the flow files of a directory, and of their translations.
fn flow_files(directory: &str) -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut files: Vec<(String, String)> = std::fs::read_dir(directory)
        .expect("the directory is part of the repository")
        .map(|entry| entry.expect("its entries can be read").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|ending| ending == "flow" || ending == "strings")
        })
        .map(|path| {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            (
                name,
                std::fs::read_to_string(&path).expect("flow files are UTF-8"),
            )
        })
        .collect();
    files.sort();
    files
}

/// The sample business in the language of its flows alone: a change to one is no mistake of its translation.
fn untranslated() -> Vec<(String, String)> {
    let mut files = flow_files("flows");
    files.retain(|(name, _)| !name.ends_with(".strings"));
    for (_, text) in files.iter_mut().filter(|(name, _)| name == "business.flow") {
        assert!(text.contains("languages en, pt"));
        *text = text.replace("languages en, pt", "languages en");
    }
    files
}

/// The sample business, with one change to one file.
fn sample(file: &str, from: &str, to: &str) -> (Sources, Compiled) {
    let mut files = if file.is_empty() {
        flow_files("flows")
    } else {
        untranslated()
    };
    for (name, text) in &mut files {
        if name == file {
            assert!(text.contains(from), "{file} has no {from:?} any more");
            *text = text.replacen(from, to, 1);
        }
    }
    compiled(&files)
}

#[track_caller]
fn planted(file: &str, from: &str, to: &str, expected: &[(Code, u32)]) {
    let (sources, compiled) = sample(file, from, to);
    let found: Vec<(Code, u32)> = compiled
        .diagnostics
        .iter()
        .map(|diagnostic| (diagnostic.code, sources.place(diagnostic.span()).line))
        .collect();
    assert_eq!(found, expected, "\n{}", drawn(&sources, &compiled));
    assert!(
        compiled
            .diagnostics
            .iter()
            .all(|diagnostic| sources.place(diagnostic.span()).file == file),
        "\n{}",
        drawn(&sources, &compiled)
    );
    assert!(compiled.program.is_none(), "a broken business has no program");
}

#[test]
fn mistakes_are_drawn_as_they_always_were() {
    for (name, text) in flow_files("tests/flow/mistakes") {
        let (sources, compiled) = compiled(&[(name.clone(), text)]);
        let name = name.trim_end_matches(".flow").to_owned();
        insta::assert_snapshot!(name, drawn(&sources, &compiled));
    }
}

#[test]
fn the_sample_business_has_no_mistakes_and_a_program() {
    let (sources, compiled) = sample("", "", "");
    assert!(
        compiled.diagnostics.is_empty(),
        "\n{}",
        drawn(&sources, &compiled)
    );
    assert!(compiled.program.is_some());
}

#[test]
fn a_misspelt_word_in_the_sample_is_found() {
    planted(
        "tracking.flow",
        "    not found \"I",
        "    not fuond \"I",
        &[(Code::F004, 16)],
    );
}

#[test]
fn an_arrow_to_nowhere_in_the_sample_is_found_and_nothing_else_is_said() {
    planted(
        "tracking.flow",
        "problem -> shop is down",
        "problem -> shop is dwon",
        &[(Code::F101, 17)],
    );
}

#[test]
fn a_loose_end_in_the_sample_is_found() {
    planted(
        "support.flow",
        "hear from us {{ support.opens }}.\"\n      done",
        "hear from us {{ support.opens }}.\"",
        &[(Code::F201, 42)],
    );
}

#[test]
fn a_label_that_is_too_long_in_the_sample_is_found() {
    planted(
        "welcome.flow",
        "\"Track my order\"",
        "\"Track the order I made last week\"",
        &[(Code::F302, 8)],
    );
}

#[test]
fn a_value_that_may_be_missing_in_the_sample_is_found() {
    planted(
        "welcome.flow",
        "{{ contact.first_name | default('there') }}",
        "{{ contact.first_name }}",
        &[(Code::F402, 6)],
    );
}

#[test]
fn a_circle_in_the_sample_is_found() {
    planted(
        "tracking.flow",
        "check it together.\" -> ask for the number",
        "check it together.\" -> look it up",
        &[(Code::F203, 16)],
    );
}

/// What conversations beside the flows of a page leave out.
fn never_played(sources: &Sources, compiled: &Compiled, page: &'static str, heading: &str) -> Vec<Code> {
    let chats = explain::chats(page, heading);
    let Some(program) = compiled.program.clone().filter(|_| !chats.is_empty()) else {
        return Vec::new();
    };
    let machine = Machine::load(program);
    let mut coverage = Coverage::of(machine.program());
    for chat in chats {
        for story in chat::parse::parse("page.chat", chat).expect("the page's conversations can be read") {
            let played = chat::run::play(&machine, &story);
            assert!(played.failure.is_none(), "{heading}: {:?}", played.failure);
            coverage.add(&played.log);
        }
    }
    coverage.never(sources).iter().map(|found| found.code).collect()
}

#[test]
fn every_page_s_wrong_example_gives_exactly_its_code_and_the_right_one_gives_nothing() {
    let mut surprises = String::new();
    for code in Code::ALL {
        let page = explain::page(*code);
        if !explain::examples(page, "Before").is_empty() {
            // Said when it is published: see the test below.
            continue;
        }
        for (heading, expected) in [("Wrong", Some(*code)), ("Right", None)] {
            let mut flows = 0;
            let files: Vec<(String, String)> = explain::examples(page, heading)
                .iter()
                .map(|example| {
                    // A translation belongs to the flow before it.
                    flows += usize::from(example.ending == "flow");
                    let name = format!("{code}-{heading}-{flows}.{}", example.ending);
                    (name, example.text.to_owned())
                })
                .collect();
            let (sources, compiled) = compiled(&files);
            let mut found: Vec<Code> = compiled
                .diagnostics
                .iter()
                .map(|diagnostic| diagnostic.code)
                .collect();
            found.extend(never_played(&sources, &compiled, page, heading));
            found.dedup();
            if found != Vec::from_iter(expected) {
                surprises += &format!(
                    "── {heading} example of {code}: {found:?}\n{}\n",
                    drawn(&sources, &compiled)
                );
            }
            let broken = compiled
                .diagnostics
                .iter()
                .any(|diagnostic| diagnostic.severity == Severity::Error);
            assert_eq!(compiled.program.is_none(), broken, "{code} {heading}");
        }
    }
    assert!(surprises.is_empty(), "\n{surprises}");
}

/// The flows under a heading of a page, which must compile without a word.
fn example(page: &'static str, heading: &str) -> Machine {
    let files: Vec<(String, String)> = explain::examples(page, heading)
        .iter()
        .enumerate()
        .map(|(index, example)| {
            let name = format!("{heading}-{index}.{}", example.ending);
            (name, example.text.to_owned())
        })
        .collect();
    let (sources, compiled) = compiled(&files);
    assert!(compiled.diagnostics.is_empty(), "{}", drawn(&sources, &compiled));
    Machine::load(compiled.program.unwrap())
}

#[test]
fn every_page_of_what_is_said_at_publishing_shows_exactly_that_for_somebody_in_the_middle() {
    let mut pages = 0;
    for code in Code::ALL {
        let page = explain::page(*code);
        if explain::examples(page, "Before").is_empty() {
            continue;
        }
        pages += 1;
        let before = example(page, "Before");
        let mut somebody = Rehearsal::new(&before, SessionSettings::default(), None);
        somebody.act(&Act::Types("hi".to_owned()), None).unwrap();
        assert!(!somebody.position.frames.is_empty(), "{code}: nobody waits");
        let mut tally = Tally::default();
        tally.count("shop", ContactId([1; 16]), &somebody.position);
        for (heading, expected) in [("Wrong", vec![code.as_str()]), ("Right", vec![])] {
            let now = example(page, heading);
            let earlier = Earlier {
                machine: &before,
                number: Some(1),
            };
            let earlier = [(before.program().hash.clone(), earlier)].into();
            let channels = ["shop".to_owned()].into();
            let impact = impact::of(&tally, &channels, &earlier, Some(before.program()), &now);
            let mut codes: Vec<&str> = impact.steps.iter().map(|one| one.code).collect();
            codes.extend(impact.options.iter().map(|one| one.code));
            codes.extend(impact.fields.iter().map(|one| one.code));
            assert_eq!(codes, expected, "{heading} of {code}: {impact:#?}");
            assert_eq!(impact.waiting, 1, "{code}");
            assert_eq!(impact.is_worth_asking(), !expected.is_empty());
        }
    }
    assert_eq!(pages, 3);
}

/// Compiles and draws in every form; whatever happens, it must not panic, and every mistake must have its place.
fn survives(files: &[(String, String)]) {
    let (sources, compiled) = compiled(files);
    for diagnostic in &compiled.diagnostics {
        for label in &diagnostic.labels {
            let text = &sources.file(label.span.file).text;
            assert!(text.get(label.span.range()).is_some(), "{diagnostic:?}");
        }
        for edit in diagnostic.fixes.iter().flat_map(|fix| &fix.edits) {
            let text = &sources.file(edit.span.file).text;
            assert!(text.get(edit.span.range()).is_some(), "{diagnostic:?}");
        }
        assert!(!diagnostic.message.is_empty());
    }
    render::text(&sources, &compiled.diagnostics, true);
    render::json(&sources, &compiled.diagnostics);
    render::github(&sources, &compiled.diagnostics);
    render::narrated(&sources, &compiled.diagnostics);
}

#[test]
fn a_sample_with_lines_missing_doubled_or_cut_short_is_still_explained() {
    let files = flow_files("flows");
    for (index, (_, text)) in files.iter().enumerate() {
        let lines: Vec<&str> = text.lines().collect();
        for at in 0..lines.len() {
            let half = lines[at].char_indices().nth(lines[at].chars().count() / 2);
            let cut = half.map_or(lines[at], |(half, _)| &lines[at][..half]);
            let replacement = match at % 3 {
                0 => vec![],
                1 => vec![lines[at], lines[at]],
                _ => vec![cut],
            };
            let mut changed = lines.clone();
            changed.splice(at..=at, replacement);
            let mut files = files.clone();
            files[index].1 = changed.join("\n");
            survives(&files);
        }
    }
}

#[test]
fn every_mistake_of_every_file_is_found_in_one_run_at_most_one_a_line() {
    let mut files = untranslated();
    let mut plant = |file: &str, from: &str, to: &str| {
        let (_, text) = files.iter_mut().find(|(name, _)| name == file).unwrap();
        assert!(text.contains(from), "{file} has no {from:?} any more");
        *text = text.replacen(from, to, 1);
    };
    plant("tracking.flow", "    not found \"I", "    not fuond \"I");
    plant("tracking.flow", "-> shop is down", "-> shop is dwon");
    plant(
        "support.flow",
        "hear from us {{ support.opens }}.\"\n      done",
        "hear from us.\"",
    );
    plant(
        "welcome.flow",
        "\"Track my order\"",
        "\"Track the order I made last week\"",
    );
    plant(
        "welcome.flow",
        "{{ contact.first_name | default('there') }}",
        "{{ contact.first_name }}",
    );
    plant(
        "repair.flow",
        "fetch repair from shop.book_repair",
        "fetch repair from shop.book_repiar",
    );
    plant("repair.flow", "money(\"EUR\")", "mony(\"EUR\")");
    plant("identify.flow", "-> not verified\n", "-> not verfied\n");
    let (sources, compiled) = compiled(&files);
    let mut found: Vec<String> = compiled
        .diagnostics
        .iter()
        .map(|diagnostic| format!("{} {}", diagnostic.code, sources.place(diagnostic.span())))
        .collect();
    let all = found.clone();
    found.dedup_by_key(|line| line.split_once(' ').unwrap().1.to_owned());
    assert_eq!(found, all, "two mistakes on one line");
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn what_starts_by_itself_begins_with_a_template_and_interrupts_nothing() {
    let flow = |text: &str| {
        let (_, found) = compiled(&[("shipped.flow".to_owned(), text.to_owned())]);
        let codes: Vec<Code> = found.diagnostics.iter().map(|found| found.code).collect();
        codes
    };
    let starts = "flow shipped\nstarts on event order.shipped\nneeds number: text\n\nstep tell\n";
    assert_eq!(
        flow(&format!(
            "{starts}  say \"Order {{{{ number }}}} is on its way.\"\n  done\n"
        )),
        [Code::F310]
    );
    assert_eq!(
        flow(&format!(
            "{starts}  notify support \"{{{{ number }}}} left\"\n  done\n"
        )),
        []
    );
    assert_eq!(
        flow(&format!(
            "{starts}  notify support \"{{{{ message.text }}}}\"\n  done\n"
        )),
        [Code::F402]
    );
    assert_eq!(
        flow("flow a\nstarts on \"a\"\nneeds number: text\n\nstep tell\n  say \"{{ number }}\"\n  done\n"),
        [Code::F109]
    );
    assert_eq!(
        flow(
            "flow a\nstarts on \"a\"\n\nstep tell\n  say \"A\"\n  done\n\non event order.shipped\n  resume\n"
        ),
        [Code::F005]
    );
    assert_eq!(
        flow(
            "flow a\nstarts on \"a\"\n\nstep tell\n  handoff to support\n    no agent in 25 hours \"Still nobody.\"\n  end\n"
        ),
        [Code::F310]
    );
}

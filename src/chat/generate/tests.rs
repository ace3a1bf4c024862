//! What is written passes when it is played, and comes to flows by every way that leads to them.

use std::path::Path;

use super::*;
use crate::chat::{coverage::Coverage, parse, run};
use crate::flow::compile;
use crate::flow::source::Sources;

const BUSINESS: &str = r#"business "Boots"
timezone "Europe/Lisbon"
languages en
starts with front

team support "Care"
end

form delivery "1234567890"
  gives street: text, floor: whole number
end

template on_its_way utility
  en "Order {{ number }} is on its way."
end

template late utility
  en "Order {{ number }} is late."
  button "Never mind", "A person"
end

defaults
  otherwise "Sorry?" up to 2 times, then -> handoff to support
  problem "Something went wrong." -> handoff to support
end
"#;

const FLOWS: &str = r#"flow front
starts on "hi"

step hello
  do identify with order = "A-1", guest = no
  done

flow identify
starts when called
needs order: text, guest: yes or no
gives street: text

step ask
  if guest -> where
  say "Order {{ order }}."
  done

step where
  form details delivery "Where to?"
    open "Fill in"
    check details.floor | default(0) <= 20 else "We have no ladder that long."
  end
  done with street = details.street | default("?")

flow shipped
starts on event order.shipped
needs number: text, late: yes or no

step tell
  send template on_its_way with number = number
  if late -> sorry
  done

step sorry
  menu template late with number = number
    "Never mind" -> done
    "A person" -> handoff to support
  end

flow spring
starts on link "spring"
starts on reply to on_its_way

step hello
  ask room "Welcome to the sale! Which room is it for?"
  say "Lamps for the {{ room }} are half the price."
  done
"#;

fn machine(files: &[(&str, &str)]) -> Machine {
    let mut sources = Sources::default();
    for (name, text) in files {
        sources.add((*name).to_owned(), (*text).to_owned());
    }
    let compiled = compile(&sources);
    assert!(compiled.program.is_some(), "{:?}", compiled.diagnostics);
    Machine::load(compiled.program.expect("asserted"))
}

/// The text of each flow's file, all of which pass; and the exits that none of them takes.
#[track_caller]
fn written(machine: &Machine) -> (Vec<Generated>, String) {
    let all = generate(machine);
    let mut coverage = Coverage::of(machine.program());
    for file in &all {
        let stories = parse::parse("generated.chat", &file.text)
            .unwrap_or_else(|mistakes| panic!("{mistakes:?}\n{}", file.text));
        assert_eq!(stories.len(), file.chats);
        for story in &stories {
            let played = run::play(machine, story);
            assert!(
                played.failure.is_none(),
                "{}: {:?}\n{}",
                story.title,
                played.failure,
                file.text
            );
            coverage.add(&played.log);
        }
    }
    (all, coverage.table())
}

fn shop() -> Machine {
    let mut files = vec![("business.flow", BUSINESS)];
    let flows: Vec<String> = FLOWS
        .split("\nflow ")
        .map(|text| format!("flow {}", text.trim_start_matches("flow ")))
        .collect();
    let names = ["front.flow", "identify.flow", "shipped.flow", "spring.flow"];
    files.extend(names.into_iter().zip(flows.iter().map(String::as_str)));
    machine(&files)
}

#[test]
fn flows_are_walked_with_what_they_need_and_by_what_they_start_on() {
    let (all, table) = written(&shop());
    let text = |flow: &str| {
        let file = all.iter().find(|file| file.flow == flow);
        file.map(|file| file.text.clone()).unwrap_or_default()
    };
    for (flow, part) in [
        ("identify", "  flow identify with order \"order 1\", guest yes\n"),
        ("identify", "  flow identify with order \"order 1\", guest no\n"),
        ("identify", "Maria: (form {\"street\":\"street 1\",\"floor\":3})"),
        (
            "identify",
            "Maria: (form {\"street\":[\"several\",\"texts\"],\"floor\":3})",
        ),
        ("identify", "Bot:   We have no ladder that long."),
        (
            "shipped",
            "(event order.shipped with number \"number 1\", late yes)\n",
        ),
        (
            "shipped",
            "(event order.shipped with number \"number 1\", late no)\n",
        ),
        ("shipped", "Maria: [A person]"),
        ("spring", "(link \"spring\")"),
        ("spring", "Maria: (reply to on_its_way \"About this message\")"),
    ] {
        assert!(text(flow).contains(part), "{part} is not in\n{}", text(flow));
    }
    assert!(
        !text("identify").contains("A-1"),
        "another order leads nowhere else, so it has no conversation\n{}",
        text("identify")
    );
    // Every exit is taken, but for those of a question to which everything is an answer.
    for line in table.lines().filter(|line| !line.contains(" spring/")) {
        assert!(!line.contains("never:"), "{table}");
    }
}

#[test]
fn what_is_written_for_the_fixture_businesses_passes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in [
        "flows",
        "fixtures/flow/desk",
        "fixtures/flow/advice",
        "fixtures/flow/studio",
    ] {
        let folder = root.join(folder);
        let files: Vec<(String, String)> = std::fs::read_dir(&folder)
            .expect("the folder is part of the project")
            .map(|entry| entry.expect("it can be read").path())
            .filter(|path| path.extension().is_some_and(|own| own == "flow"))
            .map(|path| {
                let name = path.file_name().expect("a file").to_string_lossy().into_owned();
                (name, std::fs::read_to_string(&path).expect("a text"))
            })
            .collect();
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        let machine = machine(&files);
        let (all, _) = written(&machine);
        assert_eq!(
            all.len(),
            machine.program().flows.len(),
            "{}: each flow has its file",
            folder.display()
        );
    }
}

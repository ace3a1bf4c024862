//! Pairs of versions: `fixtures/versions/NN-name/before` is live, and in the middle of `story.chat` `after` is published.
//! Each row of the table of what happens to whom is there at least once; random edits are at the end.

// Helpers of tests stand outside test functions here; a panic is how they say that a promise was broken.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use switchboard::chat::rehearsal::{Happened, Rehearsal};
use switchboard::chat::story::Act;
use switchboard::chat::{parse, published, report, run};
use switchboard::engine::{Event, EventKind, Incoming, Machine, Mode, SessionSettings};
use switchboard::flow::compile::compile;
use switchboard::flow::render;
use switchboard::flow::source::Sources;

fn flows(folder: &Path) -> Machine {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut sources = Sources::default();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        sources.add(path.file_name().unwrap().to_string_lossy().into_owned(), text);
    }
    let compiled = compile(&sources);
    let drawn = render::text(&sources, &compiled.diagnostics, false);
    Machine::load(
        compiled
            .program
            .unwrap_or_else(|| panic!("{}:\n{drawn}", folder.display())),
    )
}

#[test]
fn every_pair_of_versions_goes_as_its_story_says() {
    let mut pairs: Vec<PathBuf> = std::fs::read_dir("fixtures/versions")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    pairs.sort();
    assert!(pairs.len() >= 24, "the corpus has lost pairs: {}", pairs.len());
    let mut failures = String::new();
    for pair in pairs {
        let machine = flows(&pair.join("before"));
        let place = pair.join("story.chat");
        let (name, text) = (
            place.display().to_string(),
            std::fs::read_to_string(&place).unwrap(),
        );
        let mut stories = parse::parse(&name, &text).unwrap_or_else(|why| panic!("{why:?}"));
        published::load(&mut stories, &place).unwrap_or_else(|why| panic!("{name}: {why}"));
        for story in &stories {
            assert!(story.folders().count() > 0, "{name} publishes nothing");
            let played = run::play(&machine, story);
            if let Some(failure) = &played.failure {
                failures += &report::failure(&name, &text, story, &played, failure);
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

/// Flows whose every way ends with words.
const BUSINESS: &str = r#"business "Pedal & Co"
timezone "Europe/Lisbon"
languages en
starts with desk

team support "Customer care"

defaults
  otherwise "Sorry?" up to 2 times, then -> handoff to support
  no reply in 30 minutes "Are you there?"
  problem "Something went wrong." -> handoff to support
end
"#;

const DESK: &str = r#"flow desk
starts on "hi"

step ask the number
  ask number "What's your order number?"
    as text like "A-#####"
    "I can't find it" -> lost
  end
  -> who

step who
  do identify save person
  say "Hello {{ person.name }}, about {{ number }}."
  -> colour

step colour
  menu colour "Which colour?"
    "Blue" = "blue"
    "Red" = "red"
    "Neither" -> lost
  end
  say "{{ colour }} for {{ number }}."
  -> last

step last
  menu "Anything else?"
    "Another" -> ask the number
    "No" -> bye
  end

step bye
  close "Bye."

step lost
  say "Then let us talk."
  -> handoff to support

on "help"
  menu "With the box in your hands?"
    "Yes" -> resume
    "Not now" -> lost
  end
"#;

const IDENTIFY: &str = r#"flow identify
starts when called
gives name: text

step ask
  ask name "Your name?"
    as text like "@*"
  end
  done with name = name
"#;

/// What an author changes between two versions. Those that take something away stand in for each other.
const EDITS: [(&str, &str); 16] = [
    ("What's your order number?", "Which order?"),
    ("Hello {{ person.name }}", "Good day, {{ person.name }}"),
    (
        "    \"I can't find it\" -> lost\n",
        "    \"I have two\" -> lost\n    \"I can't find it\" -> lost\n",
    ),
    (
        "    \"Blue\" = \"blue\"\n    \"Red\" = \"red\"\n",
        "    \"Red\" = \"red\"\n    \"Blue\" = \"blue\"\n",
    ),
    ("    \"Neither\" -> lost\n", ""),
    ("A-#####", "B-####"),
    ("step last\n", "step end of it (was last)\n"),
    ("step colour\n", "step choose\n"),
    (
        "step who\n",
        "step size\n  menu size \"Which size?\"\n    \"Small\"\n    \"Large\"\n  end\n  -> who\n\nstep who\n",
    ),
    ("{{ colour }} for {{ number }}", "{{ colour }}, size {{ size }}"),
    ("\"Blue\" = \"blue\"", "\"Blue\" = \"azure\""),
    ("Your name?", "Who is it?"),
    ("as text like \"@*\"", "as text"),
    ("    \"No\" -> bye\n", "    \"Enough\" -> bye\n"),
    (
        "    \"Not now\" -> lost\n",
        "    no reply in 5 minutes -> resume\n    \"Not now\" -> lost\n",
    ),
    (
        "step bye\n  close \"Bye.\"\n",
        "step bye\n  say \"Nearly.\"\n  close \"Bye.\"\n",
    ),
];

/// Flows with these edits. Arrows follow the steps, and a value that is said is asked for.
fn edited(edits: &std::collections::BTreeSet<usize>) -> Machine {
    let mut edits = edits.clone();
    if edits.contains(&9) {
        edits.insert(8);
    }
    let (mut desk, mut identify) = (DESK.to_owned(), IDENTIFY.to_owned());
    for edit in &edits {
        let (from, to) = EDITS[*edit];
        desk = desk.replace(from, to);
        identify = identify.replace(from, to);
    }
    for (edit, from, to) in [
        (6, "-> last", "-> end of it"),
        (7, "-> colour", "-> choose"),
        (8, "  -> who\n\nstep who", "  -> WHO\n\nstep who"),
    ] {
        if edits.contains(&edit) {
            desk = desk.replace(from, to);
        }
    }
    if edits.contains(&8) {
        // Everybody is asked for the size first.
        desk = desk
            .replace("  -> who\n", "  -> size\n")
            .replace("  -> WHO\n", "  -> who\n");
    }
    let mut sources = Sources::default();
    for (name, text) in [
        ("business.flow", BUSINESS),
        ("desk.flow", &desk),
        ("identify.flow", &identify),
    ] {
        sources.add(name, text);
    }
    let compiled = compile(&sources);
    let drawn = render::text(&sources, &compiled.diagnostics, false);
    Machine::load(compiled.program.unwrap_or_else(|| panic!("{drawn}\n{desk}")))
}

const WORDS: [&str; 16] = [
    "hi", "a-12345", "a-12345", "b-1234", "Maria", "Maria", "blue", "red", "neither", "another", "no",
    "enough", "help", "yes", "zzzzz", "1",
];

#[derive(Debug, Clone)]
enum Doing {
    Types(usize),
    /// One of what can be tapped on the newest question.
    Taps(prop::sample::Index),
    /// Something earlier.
    TapsOld(prop::sample::Index),
    Waits,
}

fn doing() -> impl Strategy<Value = Doing> {
    prop_oneof![
        4 => (0..WORDS.len()).prop_map(Doing::Types),
        3 => any::<prop::sample::Index>().prop_map(Doing::Taps),
        1 => any::<prop::sample::Index>().prop_map(Doing::TapsOld),
        1 => Just(Doing::Waits),
    ]
}

/// One thing the customer does, and what must be true of whatever comes back.
fn does(rehearsal: &mut Rehearsal<'_>, seen: &mut Vec<String>, doing: &Doing) -> Result<(), TestCaseError> {
    if rehearsal.position.mode == Mode::Human {
        rehearsal.apply(EventKind::Returned).unwrap();
    }
    let happened = rehearsal.happened.len();
    let options = rehearsal.options();
    let act = match doing {
        Doing::Types(word) => Some(Act::Types(WORDS[*word].to_owned())),
        Doing::Taps(which) if !options.is_empty() => Some(Act::Taps(which.get(&options).clone())),
        Doing::TapsOld(which) if !seen.is_empty() => Some(Act::Taps(which.get(seen).clone())),
        Doing::Taps(_) | Doing::TapsOld(_) => Some(Act::Types("hi".to_owned())),
        Doing::Waits => None,
    };
    match &act {
        Some(act) => rehearsal.act(act, None).unwrap(),
        None => rehearsal.pass(std::time::Duration::from_secs(31 * 60)).unwrap(),
    }
    seen.extend(rehearsal.options());
    let said: Vec<String> = rehearsal
        .said
        .drain(..)
        .flat_map(|said| said.shown.lines())
        .collect();
    let new = &rehearsal.happened[happened..];
    prop_assert!(
        !new.iter().any(|one| matches!(one, Happened::Fault(_))),
        "{doing:?}: {new:?}"
    );
    let answered = !said.is_empty() || new.iter().any(|one| matches!(one, Happened::Handed(_)));
    prop_assert!(
        answered || act.is_none(),
        "{doing:?} meets silence: {:?}",
        rehearsal.position
    );
    prop_assert!(
        said.iter().all(|line| !line.contains("Something went wrong")),
        "{said:?}"
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Nobody is stranded by whatever is published while they talk, once or twice.
    #[test]
    fn any_edit_under_any_conversation_is_answered_and_meets_no_fault(
        before in prop::collection::btree_set(0..EDITS.len(), 0..4),
        flips in prop::collection::vec(prop::collection::btree_set(0..EDITS.len(), 1..4), 2),
        talks in prop::collection::vec(prop::collection::vec(doing(), 0..7), 3),
    ) {
        let mut edits = vec![before];
        for flip in &flips {
            let next = edits.last().unwrap().symmetric_difference(flip).copied().collect();
            edits.push(next);
        }
        let machines: Vec<Machine> = edits.iter().map(edited).collect();
        let settings = SessionSettings { silence_rules: false, ..SessionSettings::default() };
        let mut rehearsal = Rehearsal::new(&machines[0], settings, None);
        let mut seen = Vec::new();
        for (at, talk) in talks.iter().enumerate() {
            if at > 0 {
                rehearsal.publish(&at.to_string(), &machines[at]);
            }
            for doing in talk {
                does(&mut rehearsal, &mut seen, doing)?;
            }
        }
    }

    /// Where an answer means the same, the new version answers as if it had asked.
    #[test]
    fn the_same_anchor_means_the_same_outcome(
        before in prop::collection::btree_set(0..8_usize, 0..4),
        flip in prop::collection::btree_set(0..8_usize, 1..3),
        talk in prop::collection::vec(doing(), 1..7),
        word in 0..WORDS.len(),
    ) {
        let after: std::collections::BTreeSet<usize> = before.symmetric_difference(&flip).copied().collect();
        let (before, after) = (edited(&before), edited(&after));
        let settings = SessionSettings { silence_rules: false, ..SessionSettings::default() };
        let mut rehearsal = Rehearsal::new(&before, settings.clone(), None);
        let mut seen = Vec::new();
        for doing in &talk {
            does(&mut rehearsal, &mut seen, doing)?;
        }
        let Some(frame) = rehearsal.position.frames.last().filter(|_| rehearsal.position.mode == Mode::Autopilot) else {
            return Ok(());
        };
        let same = after.program().states.iter().any(|state| state.name == frame.at && state.anchor == frame.anchor);
        // Below it, and where it may be resumed, nothing has changed either.
        let others = rehearsal.position.frames.iter().rev().skip(1).chain(rehearsal.position.interrupted.iter().flatten());
        let all_same = others.into_iter().all(|frame| {
            after.program().states.iter().any(|state| state.name == frame.at && state.anchor == frame.anchor)
        });
        if !(same && all_same) {
            return Ok(());
        }
        let event = Event {
            at: rehearsal.now(),
            kind: EventKind::Message(Incoming { text: WORDS[word].to_owned(), ..Incoming::default() }),
        };
        let mut as_if = rehearsal.position.clone();
        let hash = &after.program().hash;
        let frames = as_if.frames.iter_mut().chain(as_if.interrupted.iter_mut().flatten());
        frames.for_each(|frame| frame.program.clone_from(hash));
        let crossed = after.advance_among(&[&before], &settings, &rehearsal.position, &rehearsal.memory, &event);
        let own = after.advance(&settings, &as_if, &rehearsal.memory, &event);
        prop_assert_eq!(&crossed.outbox, &own.outbox);
        prop_assert_eq!(&crossed.effects, &own.effects);
        // A caller crosses when its sub-flow returns; until then only its program is another one.
        let places = |turn: &switchboard::engine::Turn| {
            let mut frames = turn.position.frames.clone();
            frames.iter_mut().for_each(|frame| frame.program.clear());
            frames
        };
        prop_assert_eq!(places(&crossed), places(&own));
    }
}

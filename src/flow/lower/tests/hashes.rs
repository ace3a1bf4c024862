//! Which edits disturb a waiting customer.

use super::{flow, lowered};
use crate::flow::hash;
use crate::flow::program::{Program, StateKind};

const ASKED: &str = r#"flow shop
starts on "hi"

step size
  menu size "Which size?"
    "Small" = "s"
    "Large" also "big" = "l"
    no reply in 10 minutes "Still there?"
  end
  say "Noted."
  done

step number
  ask number "Which order?"
    as text like "A-#####"
    otherwise "Like A-12345." up to 2 times, then -> size
  end
  done
"#;

/// Anchor of a state by name.
#[track_caller]
fn anchor<'p>(program: &'p Program, name: &str) -> &'p str {
    let state = program.states.iter().find(|state| state.name == name);
    &state.expect("the state is there").anchor
}

/// Whether an edit changes the program, and the anchors of the two questions.
#[track_caller]
fn edited(from: &str, to: &str) -> (bool, bool, bool) {
    assert!(ASKED.contains(from), "there is no {from} to edit");
    let (before, after) = (flow(ASKED), flow(&ASKED.replacen(from, to, 1)));
    let moved = |name| anchor(&before, name) != anchor(&after, name);
    (
        before.hash != after.hash,
        moved("shop/size.size"),
        moved("shop/number.number"),
    )
}

const NOBODY: (bool, bool, bool) = (true, false, false);
const SIZE: (bool, bool, bool) = (true, true, false);
const NUMBER: (bool, bool, bool) = (true, false, true);

#[test]
fn wording_disturbs_nobody() {
    assert_eq!(edited("Which size?", "What size do you take?"), NOBODY);
    assert_eq!(edited("Like A-12345.", "It looks like A-12345."), NOBODY);
    assert_eq!(edited("Noted.", "Got it."), NOBODY);
    assert_eq!(
        edited("\"Small\"", "\"Small one\""),
        NOBODY,
        "`= value` pins the option"
    );
    assert_eq!(edited("also \"big\"", "also \"huge\""), NOBODY);
}

#[test]
fn timers_tries_and_what_comes_after_disturb_nobody() {
    assert_eq!(edited("10 minutes", "20 minutes"), NOBODY);
    assert_eq!(edited("up to 2 times", "up to 5 times"), NOBODY);
    assert_eq!(edited("  say \"Noted.\"\n  done", "  -> number"), NOBODY);
}

#[test]
fn the_order_of_options_disturbs_nobody() {
    let small = "    \"Small\" = \"s\"\n";
    let large = "    \"Large\" also \"big\" = \"l\"\n";
    assert_eq!(
        edited(&format!("{small}{large}"), &format!("{large}{small}")),
        NOBODY
    );
}

#[test]
fn options_added_removed_or_of_another_value_are_another_question() {
    assert_eq!(
        edited("    \"Small\"", "    \"Medium\" = \"m\"\n    \"Small\""),
        SIZE
    );
    assert_eq!(edited("    \"Small\" = \"s\"\n", ""), SIZE);
    assert_eq!(edited("= \"l\"", "= \"xl\""), SIZE);
}

#[test]
fn an_added_option_leaves_the_old_ids_as_they_were() {
    let ids = |program: &Program| -> Vec<String> {
        let state = program.states.iter().find(|state| state.name == "shop/size.size");
        match state.map(|state| &state.kind) {
            Some(StateKind::Question(question)) => {
                question.options.iter().map(|option| option.id.clone()).collect()
            }
            _ => Vec::new(),
        }
    };
    assert_eq!(ids(&flow(ASKED)), ["s", "l"]);
    let more = ASKED.replace("    \"Small\"", "    \"Medium\" = \"m\"\n    \"Small\"");
    assert_eq!(ids(&flow(&more)), ["m", "s", "l"]);
}

#[test]
fn another_accepted_shape_is_another_question() {
    assert_eq!(edited("A-#####", "B-#####"), NUMBER);
    assert_eq!(edited("as text like \"A-#####\"", "as whole number"), NUMBER);
}

#[test]
fn a_step_that_says_its_old_name_keeps_the_anchor() {
    let renamed = flow(
        &ASKED
            .replacen("step size", "step pick a size (was size)", 1)
            .replace("-> size", "-> pick a size"),
    );
    assert_eq!(
        anchor(&flow(ASKED), "shop/size.size"),
        anchor(&renamed, "shop/pick_a_size.size")
    );
    assert_eq!(renamed.steps[0].was.as_deref(), Some("size"));
}

#[test]
fn comments_blank_lines_and_paths_are_not_part_of_a_program() {
    let moved = format!(
        "# A comment.\n\n{}",
        ASKED.replace("  say \"Noted.\"", "\n  # Said once.\n  say \"Noted.\"")
    );
    let (before, after) = (flow(ASKED), lowered(&[("elsewhere/other.flow", &moved)]));
    assert_eq!(before.hash, after.hash);
    assert_ne!(before.steps, after.steps, "places did move");
}

#[test]
fn the_same_sources_give_the_same_bytes() {
    let bytes = || serde_json::to_string(&super::shop()).expect("a program can be written");
    assert_eq!(bytes(), bytes());
}

#[test]
fn a_stored_program_is_known_by_its_content() {
    let program = super::shop();
    assert!(
        program.hash.starts_with("b3:") && program.hash.len() == 35,
        "{}",
        program.hash
    );
    let stored = serde_json::to_string(&program).expect("a program can be written");
    let mut read: Program = serde_json::from_str(&stored).expect("and read back");
    assert_eq!(read, program);
    assert_eq!(hash::of_program(&read), program.hash);
    read.texts[0].source.push('!');
    assert_ne!(hash::of_program(&read), program.hash);
}

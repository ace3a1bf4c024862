//! What becomes of each kind of line.

use super::{flow, lowered, shop};
use crate::flow::listing::listing;
use crate::flow::program::{Program, Question, StateKind};

/// Compares with `snapshots/NAME.snap`.
#[track_caller]
fn assert_listing(name: &str, program: &Program) {
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(name, listing(program));
    });
}

#[test]
fn a_business_becomes_a_flat_machine() {
    assert_listing("shop", &shop());
}

#[test]
fn without_a_business_file_switchboards_own_defaults_hold() {
    let called = "flow called first\nstarts when called\nstep one\n  done\n";
    assert_listing(
        "no_business_file",
        &lowered(&[
            ("called.flow", called),
            (
                "hello.flow",
                r#"flow hello
starts on "hi"
step ask
  menu "Tea or coffee?"
    "Tea"
    "Coffee"
    otherwise "Tea or coffee, please." up to 2 times
  end
  ask name "Your name?"
  say "Thanks, {{ name }}."
"#,
            ),
        ]),
    );
}

#[test]
fn every_tail_is_a_sentence_an_arrow_both_or_lines() {
    assert_listing(
        "tails",
        &lowered(&[
            (
                "business.flow",
                r#"business "Tails"
team desk "Desk"
end
service shop "https://shop.example"
  action look needs n
    get "/{{ n }}"
    gives status: text
end
defaults
  otherwise "Default sentence." -> handoff to desk
end
"#,
            ),
            (
                "tails.flow",
                r#"flow tails
starts on "go"
step one
  menu "Pick"
    "Nothing"
    "Arrow" -> two
    "Lines"
      say "From lines."
    otherwise "Own sentence." up to 3 times
    no reply in 2 hours "Bye." -> close
    no reply in 5 minutes "Hello?"
    no reply in 1 hour
      say "Lines of silence."
  end
  -> two

step two
  fetch x from shop.look with n = 1
    not found "Not there."
    refused -> one
    status 409 "Taken." -> one
    problem
      say "Down."
      done
  end
  ask n "Number?"
    as number
    otherwise
      say "Lines of otherwise."
  end
  handoff to desk
    note "About {{ n }}"
    when closed "We're closed."
  end

on "help"
  say "Help is near."
on "bye" -> close
"#,
            ),
        ]),
    );
}

#[test]
fn branches_meet_behind_the_block() {
    assert_listing(
        "branches",
        &flow(
            r#"flow branches
starts on "go"
step one
  if chat.a is 1
    if chat.b is known -> two
    say "a"
  else if chat.a is 2 and not (chat.b > 3 or chat.c is empty)
    -> two
  else
    say "else"
  end
  say "after"
  done
  say "never"

step two
  if chat.a is 1
    done
  else
    close "Bye"
  end
  say "never either"
"#,
        ),
    );
}

#[test]
fn unnamed_menus_and_handoffs_of_one_step_are_numbered() {
    let program = flow(
        r#"flow twice
starts on "go"
step one
  menu "First?"
    "Yes" -> handoff
    "No" -> handoff
  end
  menu "Second?"
    "Yes"
    "No"
  end
  ask menu_2 "Third?"
  done
"#,
    );
    let of_flow = program.states.iter().filter(|state| state.flow.is_some());
    let names: Vec<&str> = of_flow.map(|state| state.name.as_str()).collect();
    let expected = ["menu", "human", "human_2", "menu_2", "menu_2_2"].map(|name| format!("twice/one.{name}"));
    assert_eq!(names, expected);
}

#[test]
fn a_templates_blanks_are_numbered_as_they_appear_in_each_language() {
    let program = lowered(&[(
        "business.flow",
        r#"business "Templates"
template ready utility
  en "Hi {{ name }}, ready at {{ time }}. See you, {{ name }}."
  pt "Às {{ time }}, {{ name }}."
end
"#,
    )]);
    assert_eq!(
        program.business.templates[0].blanks,
        [["name", "time"], ["time", "name"]]
    );
}

fn questions(program: &Program) -> impl Iterator<Item = &Question> {
    program.states.iter().filter_map(|state| match &state.kind {
        StateKind::Question(question) => Some(&**question),
        StateKind::Fetch(_) | StateKind::Call(_) | StateKind::Human(_) | StateKind::Answer(_) => None,
    })
}

#[test]
fn an_option_that_books_before_the_next_question_works_once() {
    let program = lowered(&[
        (
            "business.flow",
            r#"business "Once"
service shop "https://shop.example"
  action look
    get "/look"
  action book
    post "/book"
end
"#,
        ),
        (
            "once.flow",
            r#"flow once
starts on "go"
step one
  menu "Where to?"
    "Straight" -> book it
    "After a look" -> look first
    "If lucky" -> maybe
    "Asked first" -> asked
    "In a sub-flow" -> sub
    "After a sub-flow" -> after sub
    "After a question there" -> after question
    "Nowhere" -> done
    "On"
  end
  -> book it

step book it
  fetch b from shop.book
  done

step look first
  fetch l from shop.look
    not found -> book it
  end
  done

step maybe
  set x = 1
  if x is 2 -> book it
  done

step asked
  menu "Sure?"
    "Yes" -> book it
    "No" -> done
  end

step sub
  do books
  done

step after sub
  do quiet
  -> book it

step after question
  do asks
  -> book it
"#,
        ),
        (
            "books.flow",
            r#"flow books
starts when called
step one
  fetch b from shop.book
  done
"#,
        ),
        (
            "quiet.flow",
            r#"flow quiet
starts when called
step one
  set x = 1
  done
"#,
        ),
        (
            "asks.flow",
            r#"flow asks
starts when called
step one
  menu "Really?"
    "Yes" -> done
    "No" -> close
  end
"#,
        ),
    ]);
    let once: Vec<Vec<&str>> = questions(&program)
        .map(|question| {
            let options = question.options.iter().filter(|option| option.single_use);
            options.map(|option| option.id.as_str()).collect()
        })
        .collect();
    let first = [
        "straight",
        "after_a_look",
        "if_lucky",
        "in_a_sub_flow",
        "after_a_sub_flow",
        "on",
    ];
    // The last question's flow is done after "Yes", and its caller books.
    assert_eq!(once, [first.to_vec(), vec!["yes"], vec!["yes"]]);
}

//! Buttons that are still on the screen.

use super::*;

const ORDER: &str = r#"
flow repair
starts on "repair"
step bike
  menu bike "Which bike?"
    "City"
    "Road"
  end
  menu day "Which day?"
    "Friday"
    "Monday"
  end
  say "{{ bike }} on {{ day }}"
  done
"#;

const BOOK: &str = r#"
flow book
starts on "book"
step a
  menu sure "Book it?"
    "Yes" -> do it
    "No" -> done
  end
step do it
  fetch repair from shop.book with day = "friday", name = "Maria"
  menu x "Booked {{ repair.code }}. More?"
    "More" -> a
    "Enough" -> done
  end
"#;

#[test]
fn an_old_button_counts_as_that_answer_to_that_question() {
    let mut talk = Talk::plus(ORDER);
    talk.says("repair")
        .taps("City")
        .sees(&["Which bike? [City] [Road]", "Which day? [Friday] [Monday]"]);
    talk.taps("Road")
        .sees(&["Which day? [Friday] [Monday]"])
        .taps("Friday")
        .sees(&["Road on Friday"]);
}

#[test]
fn an_old_button_works_after_the_flow_is_done() {
    let mut talk = Talk::plus(ORDER);
    talk.says("repair").taps("City").taps("Friday").skips();
    talk.taps("Road").sees(&["Which day? [Friday] [Monday]"]);
}

#[test]
fn an_option_that_changes_something_works_only_once() {
    let mut talk = Talk::plus(BOOK);
    talk.says("book")
        .taps("Yes")
        .answers(200, json!({"code": "R1"}))
        .skips();
    talk.taps_old("Yes").sees(&["Booked R1. More? [More] [Enough]"]);
    assert!(
        !talk
            .effects()
            .iter()
            .any(|effect| matches!(effect, Effect::Call(_)))
    );
}

#[test]
fn an_option_that_was_not_taken_before_may_still_be_taken_once() {
    let mut talk = Talk::plus(BOOK);
    talk.says("book").taps("No").taps_old("Yes");
    assert_eq!(talk.call().action, "book");
    talk.answers(200, json!({"code": "R1"})).skips().taps_old("Yes");
    assert!(
        !talk
            .effects()
            .iter()
            .any(|effect| matches!(effect, Effect::Call(_)))
    );
    talk.sees(&["Booked R1. More? [More] [Enough]"]);
}

#[test]
fn a_second_tap_while_the_service_is_asked_does_nothing() {
    let mut talk = Talk::plus(BOOK);
    talk.says("book").taps("Yes").skips().taps_old("Yes").sees(&[]);
    assert!(matches!(talk.log(), [Log::Stale { .. }]));
    talk.rests_at("book/do_it.repair");
}

#[test]
fn a_button_of_an_earlier_asking_of_the_open_question_still_answers_it() {
    let mut talk = Talk::plus(ORDER);
    talk.says("repair")
        .says("thanks")
        .skips()
        .taps_old("City")
        .sees(&["Which day? [Friday] [Monday]"]);
}

#[test]
fn in_a_later_session_the_flow_starts_from_its_beginning() {
    let mut talk = Talk::plus(ORDER);
    talk.says("repair").taps("City").event(EventKind::Close).skips();
    talk.taps_old("Road").sees(&["Which bike? [City] [Road]"]);
    assert_eq!(talk.position.session, 2);
}

#[test]
fn repeat_asks_the_present_question_again() {
    let business = BUSINESS.replace("defaults\n", "defaults\n  old buttons repeat\n");
    let mut talk = Talk::with(&[
        ("business.flow", &business),
        ("welcome.flow", WELCOME),
        ("tracking.flow", TRACKING),
        ("more.flow", ORDER),
    ]);
    talk.says("repair")
        .taps("City")
        .skips()
        .taps("Road")
        .sees(&["Which day? [Friday] [Monday]"]);
    talk.taps("Friday").sees(&["City on Friday"]);
}

#[test]
fn ignore_ignores_and_says_so_in_the_log() {
    let business = BUSINESS.replace("defaults\n", "defaults\n  old buttons ignore\n");
    let mut talk = Talk::with(&[
        ("business.flow", &business),
        ("welcome.flow", WELCOME),
        ("tracking.flow", TRACKING),
        ("more.flow", ORDER),
    ]);
    talk.says("repair").taps("City").skips().taps("Road").sees(&[]);
    assert!(matches!(talk.log(), [Log::Stale { .. }]));
}

#[test]
fn a_reopened_question_of_a_sub_flow_returns_to_its_caller() {
    let outer = "flow outer\nstarts on \"outer\"\nstep a\n  do inner save x\n  say \"{{ x.c | default('-') }}\"\n  done\n";
    let inner = "flow inner\nstarts when called\ngives c: text\nstep a\n  menu c \"C?\"\n    \"Red\"\n    \"Blue\"\n  end\n  menu d \"D?\"\n    \"Up\"\n    \"Down\"\n  end\n  done with c = c\n";
    let mut talk = Talk::with(&[
        ("business.flow", BUSINESS),
        ("welcome.flow", WELCOME),
        ("tracking.flow", TRACKING),
        ("o.flow", outer),
        ("i.flow", inner),
    ]);
    talk.says("outer")
        .taps("Red")
        .taps("Blue")
        .skips()
        .taps("Up")
        .sees(&["Blue"]);
}

#[test]
fn a_private_answer_goes_when_its_flow_is_done() {
    let flow = r#"
flow secret
starts on "secret"
step a
  ask pin "Pin?"
    as number
    private
  end
  menu ok "Sure?"
    "Yes" if pin is 1
    "No"
  end
  menu more "More?"
    "A"
    "B"
  end
  done
"#;
    let mut talk = Talk::plus(flow);
    talk.says("secret").says("1").says("yes");
    assert!(talk.position.old.iter().any(|old| old.locals.contains_key("pin")));
    talk.says("a");
    assert!(!serde_json::to_string(&talk.position).unwrap().contains("pin"));
}

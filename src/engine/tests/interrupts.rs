//! Interrupting and coming back.

use super::*;

#[test]
fn an_on_body_runs_and_the_question_is_asked_again_with_its_again_wording() {
    let mut talk = Talk::new();
    talk.says("track").skips().says("help me");
    talk.sees(&["Look at the box.", "So, the number? [I can't find it]"])
        .rests_at("tracking/ask_for_the_number.number");
    assert!(talk.position.interrupted.is_empty());
}

#[test]
fn the_businesss_on_resumes_too() {
    let mut talk = Talk::new();
    talk.says("track")
        .skips()
        .says("thanks")
        .sees(&["You're welcome.", "So, the number? [I can't find it]"]);
    talk.says("a-12345");
    assert_eq!(talk.call().action, "get_order");
}

#[test]
fn an_on_in_an_idle_chat_is_simply_answered() {
    let mut talk = Talk::new();
    talk.says("thanks").sees(&["You're welcome."]);
    assert!(talk.position.frames.is_empty());
}

#[test]
fn an_arrow_abandons_the_question() {
    let mut talk = Talk::new();
    talk.says("track").says("start over").skips();
    assert!(talk.position.interrupted.is_empty());
    talk.rests_at("welcome/hello.menu");
}

#[test]
fn timers_start_again_when_the_question_is_asked_again() {
    let mut talk = Talk::new();
    talk.says("track").waits(1700).skips().says("help me").skips();
    talk.waits(1700).sees(&[]).waits(100).sees(&["Are you there?"]);
}

const DEEP: &str = r#"
flow deep
starts on "deep"

step one
  ask a "One?"
    as number
  end
  done with x = a

step two
  ask b "Two?"
    as number
  end
  resume

on "two" -> go two
on "ask two"
  ask c "Inner?"
    as number
  end
  set seen = c
  resume

step go two
  -> two
"#;

#[test]
fn an_on_may_ask_and_then_resume() {
    let deep = DEEP.replace("  done with x = a\n", "  say \"{{ a }}\"\n  done\n");
    let mut talk = Talk::plus(&deep);
    talk.says("deep").says("ask two").sees(&["One?", "Inner?"]);
    assert_eq!(talk.position.interrupted.len(), 1);
    talk.says("5").sees(&["One?"]);
    assert!(talk.position.interrupted.is_empty());
    // What the body set is kept.
    assert!(talk.position.frames[0].locals.contains_key("seen"));
    talk.says("7").sees(&["7"]);
}

#[test]
fn three_interruptions_are_kept_and_deeper_ones_replace_the_oldest() {
    let ons: String = (1..=5)
        .map(|n| {
            format!(
                "on \"dig {n}\"\n  ask d{n} \"Depth {n}?\"\n    as number\n  end\n  set x = d{n}\n  resume\n"
            )
        })
        .collect();
    let flow = format!(
        "flow nest\nstarts on \"nest\"\nstep one\n  ask a \"One?\"\n    as number\n  end\n  say \"{{{{ a }}}}\"\n  done\n{ons}"
    );
    let mut talk = Talk::plus(&flow);
    talk.says("nest");
    for n in 1..=5 {
        talk.says(&format!("dig {n}"));
        assert_eq!(talk.position.interrupted.len(), n.min(3));
    }
    talk.skips()
        .says("5")
        .says("4")
        .says("3")
        .sees(&["Depth 4?", "Depth 3?", "Depth 2?"]);
    assert!(talk.position.interrupted.is_empty());
}

#[test]
fn the_same_question_is_not_its_own_interruption() {
    let mut talk = Talk::plus(&DEEP.replace("  done with x = a\n", "  say \"{{ a }}\"\n  done\n"));
    talk.says("deep")
        .says("ask two")
        .says("ask two")
        .skips()
        .says("5")
        .sees(&["One?"]);
}

const SUB: &str = r#"
flow outer
starts on "outer"
step a
  do inner with order = "A-1" save who
  say "{{ who.answer | default('none') }}"
  done
on "outer help"
  say "Outer helps."
"#;
const INNER: &str = r#"
flow inner
starts when called
needs order: text
gives answer: text
step q
  ask reply "Whose is {{ order }}?"
    as text like "B#"
  end
  done with answer = reply
on "inner help"
  say "Inner helps."
"#;

fn sub() -> Talk {
    Talk::with(&[
        ("business.flow", BUSINESS),
        ("welcome.flow", WELCOME),
        ("tracking.flow", TRACKING),
        ("outer.flow", SUB),
        ("inner.flow", INNER),
    ])
}

#[test]
fn a_sub_flow_gets_its_needs_and_gives_its_results() {
    let mut talk = sub();
    talk.says("outer").sees(&["Whose is A-1?"]);
    assert_eq!(talk.position.frames.len(), 2);
    talk.says("B4").sees(&["B4"]);
    assert!(talk.position.frames.is_empty());
}

#[test]
fn interrupts_in_a_sub_flow_are_its_own_then_its_callers() {
    let mut talk = sub();
    talk.says("outer")
        .skips()
        .says("inner help")
        .sees(&["Inner helps.", "Whose is A-1?"]);
    talk.says("outer help").sees(&["Outer helps.", "Whose is A-1?"]);
    assert_eq!(talk.position.frames.len(), 2);
    talk.says("B4").sees(&["B4"]);
}

#[test]
fn back_asks_the_previous_question_and_again_the_same() {
    let flow = r#"
flow steps
starts on "steps"
step one
  menu a "One?"
    "Red"
    "Blue"
  end
  menu b "Two?"
    "Green"
    "Go back" -> back
    "Once more" -> again
    "From the top" -> start
  end
  say "{{ a }} {{ b }}"
  done
"#;
    let mut talk = Talk::plus(flow);
    let two = "Two? [Green] [Go back] [Once more] [From the top]";
    talk.says("steps").says("red").skips();
    talk.says("once more")
        .sees(&[two])
        .says("go back")
        .sees(&["One? [Red] [Blue]"]);
    talk.says("blue")
        .sees(&[two])
        .says("from the top")
        .sees(&["One? [Red] [Blue]"]);
    talk.says("blue").says("green").skips();
    let mut talk = Talk::plus(flow);
    talk.says("steps")
        .says("red")
        .says("go back")
        .says("blue")
        .skips()
        .says("green")
        .sees(&["Blue Green"]);
}

/// Two questions with a sub-flow and a service between them.
const WALK: &str = r#"
flow walk
starts on "walk"
step one
  menu a "One?"
    "Red"
    "Blue"
  end
  menu b "Two?"
    "Look" -> look
    "Child" -> child step
  end
  done
step look
  fetch order from shop.get_order with number = b
    not found "Nothing." -> again
  end
  done
step child step
  do inner save i
  menu c "Three? {{ a }}"
    "Go back" -> back
  end
  done
"#;

const CALLED: &str = "flow inner\nstarts when called\nstep i\n  menu x \"Inner?\"\n    \"Yes\"\n    \"Back\" -> back\n  end\n  done\n";

fn walk(ons: &str) -> Talk {
    let business = format!("{BUSINESS}\n{ons}");
    Talk::with(&[
        ("business.flow", &business),
        ("welcome.flow", WELCOME),
        ("tracking.flow", TRACKING),
        ("walk.flow", WALK),
        ("inner.flow", CALLED),
    ])
}

#[test]
fn again_after_a_service_asks_the_question_that_led_to_it() {
    let mut talk = walk("");
    talk.says("walk").says("red").says("look").skips();
    talk.answers(404, serde_json::Value::Null)
        .sees(&["Nothing.", "Two? [Look] [Child]"]);
    talk.says("child").sees(&["Inner? [Yes] [Back]"]);
}

#[test]
fn back_after_a_sub_flow_leads_to_the_question_before_it() {
    let mut talk = walk("");
    talk.says("walk").says("red").says("child").skips();
    // Inside, nothing was asked before.
    talk.says("back").sees(&["Inner? [Yes] [Back]"]);
    talk.says("yes").sees(&["Three? Red [Go back]"]);
    talk.says("go back").sees(&["Two? [Look] [Child]"]);
    talk.says("child").says("yes").skips();
    talk.says("go back").sees(&["Two? [Look] [Child]"]);
}

#[test]
fn back_again_and_start_in_an_on_of_the_business_mean_the_interrupted_flow() {
    let mut talk = walk("on \"previous\" -> back\non \"repeat\" -> again\non \"from the top\" -> start\n");
    talk.says("walk").says("red").skips();
    talk.says("repeat").sees(&["Two? [Look] [Child]"]);
    talk.says("previous").sees(&["One? [Red] [Blue]"]);
    talk.says("blue").sees(&["Two? [Look] [Child]"]);
    talk.says("from the top").sees(&["One? [Red] [Blue]"]);
    talk.says("blue").says("child").says("yes").sees(&[
        "Two? [Look] [Child]",
        "Inner? [Yes] [Back]",
        "Three? Blue [Go back]",
    ]);
}

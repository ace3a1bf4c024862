//! Plans of other days: kept past the session, carried out in a free chat only, given up after twelve hours.

use super::*;

const VISITS: &str = r#"
flow visits
starts on "visit"

step ask
  ask secret "The code?"
    private
  end
  ask day "Which day?"
    as date in the future
  end
  later reminder 1 day before day -> remind
  later review in 3 hours -> review
  if secret is "none" -> call it off
  say "Planned."
  done

step remind
  send template reminder with day = day
  done

step review
  menu mood "How was it?"
    "Good" -> done
    "Bad" -> call it off
  end

step call it off
  cancel reminder
  done

on "call it off" -> call it off
"#;

const TEMPLATES: &str = r#"
template reminder utility
  en "Your visit is on {{ day }}."
end
"#;

fn talk() -> Talk {
    let business = format!("{BUSINESS}\n{TEMPLATES}");
    Talk::with(&[
        ("business.flow", &business),
        ("welcome.flow", WELCOME),
        ("tracking.flow", TRACKING),
        ("visits.flow", VISITS),
    ])
}

const HOUR: i64 = 3600;

#[test]
fn a_plan_comes_in_time_with_the_values_of_its_flow_and_without_private_ones() {
    let mut talk = talk();
    talk.says("visit").says("s3cret").says("friday").skips();
    let planned: Vec<&str> = talk
        .position
        .later
        .iter()
        .map(|plan| plan.name.as_str())
        .collect();
    assert_eq!(planned, ["reminder", "review"]);
    let kept = serde_json::to_string(&talk.position.later).unwrap();
    assert!(!kept.contains("s3cret") && kept.contains("2026-03-06"), "{kept}");
    // Friday the 6th; the day before at nine. The session of today is over by then.
    talk.waits(3 * HOUR).skips().says("good").waits(70 * HOUR);
    assert!(
        talk.seen
            .iter()
            .any(|said| said.contains("{reminder} Your visit is on 6 March 2026.")),
        "{:?}",
        talk.seen
    );
    assert_eq!(talk.now.to_string(), "2026-03-05T11:00:00Z");
    assert!(talk.position.later.is_empty());
}

#[test]
fn an_open_question_holds_a_plan_up_until_it_is_answered() {
    let mut talk = talk();
    talk.says("visit").says("x").says("friday").skips();
    talk.waits(3 * HOUR - 60).says("visit").waits(120).skips();
    talk.says("x").sees(&["Which day?"]);
    // The chat is busy with the same flow; once it is free, the plan follows at once.
    talk.says("tomorrow").sees(&["Planned."]);
    assert_eq!(
        talk.position.timers.get("later/reminder"),
        None,
        "nine o'clock is over"
    );
    let due = talk.position.timers["later/review"];
    assert!(due > talk.now, "it was planned anew");
}

#[test]
fn a_plan_follows_at_once_when_the_chat_gets_free() {
    let mut talk = talk();
    talk.says("visit").says("x").says("friday").says("hi").skips();
    talk.settings.silence_rules = false;
    talk.waits(20 * 60).says("hi").skips();
    // An agent has the chat while the plan falls due.
    talk.event(EventKind::Taken {
        agent: "Ana".to_owned(),
    })
    .waits(4 * HOUR)
    .sees(&[]);
    talk.event(EventKind::Returned).sees(&[]);
    talk.waits(0).sees(&["How was it? [Good] [Bad]"]);
}

#[test]
fn a_plan_lapses_after_twelve_hours_of_waiting() {
    let mut talk = talk();
    talk.says("visit").says("x").says("friday").skips();
    talk.event(EventKind::Taken {
        agent: "Ana".to_owned(),
    });
    talk.settings.resolve_after_seconds = 1_000_000;
    talk.says("hello?").waits(16 * HOUR).sees(&[]);
    assert!(
        talk.position.later.iter().all(|plan| plan.name != "review"),
        "{:?}",
        talk.position.later
    );
    assert!(talk.position.later.iter().any(|plan| plan.name == "reminder"));
}

#[test]
fn a_cancelled_plan_and_one_of_an_opted_out_customer_never_come() {
    let mut first = talk();
    first
        .says("visit")
        .says("x")
        .says("friday")
        .waits(3 * HOUR)
        .says("bad")
        .skips();
    assert!(
        first.position.later.is_empty() && first.position.timers.keys().all(|id| !id.starts_with("later/"))
    );
    let mut second = talk();
    second.says("visit").says("x").says("friday").says("stop").skips();
    second.waits(100 * HOUR).sees(&[]);
}

#[test]
fn a_plan_whose_time_is_over_is_not_made() {
    let mut talk = talk();
    talk.says("visit").says("x").says("tomorrow").skips();
    assert!(
        talk.log()
            .iter()
            .any(|entry| matches!(entry, Log::Lapsed { plan } if plan == "reminder"))
    );
    assert_eq!(talk.position.later.len(), 1);
}

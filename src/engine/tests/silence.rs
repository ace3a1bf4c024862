//! Silence, timers and their lateness.

use super::*;

#[test]
fn the_businesss_lines_nudge_and_then_close() {
    let mut talk = Talk::new();
    talk.says("track")
        .skips()
        .waits(1799)
        .sees(&[])
        .waits(1)
        .sees(&["Are you there?"]);
    talk.waits(5399).sees(&[]);
    talk.waits(1);
    assert!(talk.has_closed(Closing::Silence));
}

#[test]
fn an_answer_stops_the_timers_and_a_miss_starts_them_again() {
    let mut talk = Talk::new();
    talk.says("track")
        .waits(1700)
        .says("eh")
        .skips()
        .waits(1700)
        .sees(&[])
        .waits(100)
        .sees(&["Are you there?"]);
    talk.says("eh").skips().waits(1800).sees(&["Are you there?"]);
}

const STILL: &str = r#"
flow still
starts on "still"
step a
  ask n "Number?"
    as number
    again "So, the number?"
    no reply in 10 minutes -> there
  end
  say "{{ n }}"
  done
step there
  menu "Are you still there?"
    "Keep it open" -> resume
    "Close it" -> close
    no reply in 50 minutes -> close
  end
"#;

#[test]
fn silence_that_leads_elsewhere_can_be_resumed() {
    let mut talk = Talk::plus(STILL);
    talk.says("still")
        .skips()
        .waits(600)
        .sees(&["Are you still there? [Keep it open] [Close it]"]);
    talk.taps("Keep it open")
        .sees(&["So, the number?"])
        .says("5")
        .sees(&["5"]);
}

#[test]
fn silence_after_silence_closes() {
    let mut talk = Talk::plus(STILL);
    talk.says("still").waits(600);
    talk.waits(3000);
    assert!(talk.has_closed(Closing::Silence));
}

const BARE: &str = "business \"B\"\nstarts with a\n";
const ASKS: &str = "flow a\nstarts on \"a\"\nstep a\n  ask x \"X?\"\n  say \"{{ x }}\"\n  done\n";

#[test]
fn without_lines_the_numbers_settings_ask_and_then_end() {
    let mut talk = Talk::with(&[("business.flow", BARE), ("a.flow", ASKS)]);
    talk.settings.end_text = "Bye.".to_owned();
    let ask = talk.settings.ask_text.clone();
    talk.says("a")
        .skips()
        .waits(300)
        .sees(&[&ask])
        .waits(599)
        .sees(&[]);
    talk.waits(1).sees(&["Bye."]);
    assert!(talk.has_closed(Closing::Silence));
}

#[test]
fn an_idle_chat_follows_the_settings_too() {
    let mut talk = Talk::with(&[("business.flow", BARE), ("a.flow", ASKS)]);
    let ask = talk.settings.ask_text.clone();
    talk.says("a").says("y").skips().waits(300).sees(&[&ask]);
    talk.waits(600);
    assert!(talk.has_closed(Closing::Silence));
}

#[test]
fn without_asking_the_session_just_ends() {
    let mut talk = Talk::with(&[("business.flow", BARE), ("a.flow", ASKS)]);
    talk.settings.ask_before_end = false;
    talk.says("a").skips().waits(600).sees(&[]);
    assert!(talk.has_closed(Closing::Silence));
}

#[test]
fn silence_rules_can_be_switched_off_and_resolving_stays() {
    let mut talk = Talk::with(&[("business.flow", BARE), ("a.flow", ASKS)]);
    talk.settings.silence_rules = false;
    talk.says("a").skips().waits(12 * 3600 - 1).sees(&[]);
    talk.waits(1);
    assert!(talk.has_closed(Closing::Resolved));
}

#[test]
fn a_timer_whose_place_has_moved_on_or_that_is_early_does_nothing() {
    let mut talk = Talk::new();
    talk.says("track");
    let id = talk
        .position
        .timers
        .keys()
        .find(|id| id.starts_with('q'))
        .unwrap()
        .clone();
    let before = talk.position.clone();
    talk.skips().event(EventKind::Timer { id: id.clone() }).sees(&[]);
    assert!(matches!(talk.log(), [Log::Stale { .. }]));
    assert_eq!(talk.position.timers, before.timers);
    talk.says("start over").skips();
    talk.now += jiff::SignedDuration::from_hours(1);
    talk.event(EventKind::Timer { id }).sees(&[]);
    assert!(matches!(talk.log(), [Log::Stale { .. }]));
}

#[test]
fn timers_that_no_longer_apply_are_cancelled() {
    let mut talk = Talk::new();
    talk.says("track").says("agent");
    let turn = talk.turn.as_ref().unwrap();
    assert!(
        turn.timers
            .iter()
            .any(|change| matches!(change, TimerChange::Cancel { id } if id.starts_with('q')))
    );
    assert_eq!(talk.position.timers.keys().collect::<Vec<_>>(), ["resolve"]);
}

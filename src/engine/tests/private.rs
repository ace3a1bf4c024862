//! `private`: what the host must know of a question whose answer nobody is shown.

use super::*;

/// The same shape asked twice, once for nobody's eyes.
const DESK: &str = r#"
flow desk
starts on "my code"
step a
  ask code "Your code?"
    as text like "C-####"
    private
  end
  ask number "And the order's number?"
    as text like "C-####"
  end
  close "Thank you."

on topic complaint
  say "We are sorry."
  resume
"#;

fn asks_privately(talk: &Talk) -> bool {
    talk.turn.as_ref().unwrap().asks_privately
}

fn wants_a_topic(talk: &Talk) -> bool {
    let log = &talk.turn.as_ref().unwrap().log;
    log.iter().any(|entry| matches!(entry, Log::TopicWanted { .. }))
}

#[test]
fn the_host_is_told_while_a_private_question_is_open_also_after_a_miss_and_an_interruption() {
    let mut talk = Talk::plus(DESK);
    talk.says("my code");
    assert!(asks_privately(&talk));
    talk.says("12");
    assert!(asks_privately(&talk), "it asks again");
    talk.says("thanks");
    assert!(asks_privately(&talk), "it was only interrupted");
    talk.event(EventKind::Taken { agent: "Ana".into() });
    assert!(!asks_privately(&talk), "it is said to Ana now");
    talk.event(EventKind::Returned).says("my code");
    assert!(asks_privately(&talk));
    talk.says("C-4711");
    assert!(!asks_privately(&talk), "the next question is not private");
    talk.says("C-4712");
    assert!(!asks_privately(&talk));
}

#[test]
fn no_model_is_asked_for_the_topic_of_what_may_be_a_private_answer() {
    let mut talk = Talk::plus(DESK);
    talk.says("my code").says("it is 47 and 11, I think");
    assert!(!wants_a_topic(&talk));
    talk.says("C-4711").says("it is broken and I am not amused");
    assert!(wants_a_topic(&talk));
}

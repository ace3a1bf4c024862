//! Opting out and in.

use super::*;

#[test]
fn opting_out_works_while_a_question_is_open_and_ends_what_was_open() {
    let mut talk = Talk::new();
    talk.says("track").skips().says("Stop.");
    assert!(talk.effects().contains(&Effect::OptOut { opted_out: true }));
    assert!(talk.has_closed(Closing::OptOut));
    assert_eq!(talk.seen.len(), 1);
    assert!(talk.position.timers.is_empty() && talk.position.frames.is_empty());
}

#[test]
fn opting_out_works_while_people_have_the_chat_and_leaves_it_to_them() {
    let mut talk = Talk::new();
    talk.says("agent").skips().says("berhenti");
    assert!(talk.effects().contains(&Effect::OptOut { opted_out: true }));
    assert_eq!((talk.seen.len(), talk.position.mode), (1, Mode::Human));
}

#[test]
fn opting_out_works_while_a_service_is_asked() {
    let mut talk = Talk::new();
    talk.says("track").says("a-12345").skips().says("parar");
    assert!(talk.effects().contains(&Effect::OptOut { opted_out: true }));
}

#[test]
fn a_resume_word_counts_only_for_those_who_opted_out() {
    let mut talk = Talk::new();
    talk.says("start");
    assert!(!talk.effects().contains(&Effect::OptOut { opted_out: false }));
    talk.memory.opted_out = true;
    talk.says("start");
    assert!(talk.effects().contains(&Effect::OptOut { opted_out: false }));
}

#[test]
fn the_confirmation_is_in_the_customers_language() {
    let mut talk = Talk::new();
    talk.memory.language = Some("pt_BR".to_owned());
    talk.says("parar");
    assert!(talk.seen[0].starts_with("Não vai receber"));
}

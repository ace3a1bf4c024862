//! A program that changes under a waiting customer.

use super::*;

fn republish(talk: &mut Talk, from: &str, to: &str) {
    let tracking = TRACKING.replace(from, to);
    assert_ne!(tracking, TRACKING);
    talk.machine = machine(&[
        ("business.flow", BUSINESS),
        ("welcome.flow", WELCOME),
        ("tracking.flow", &tracking),
    ]);
    talk.skips();
}

#[test]
fn new_wording_disturbs_nobody() {
    let mut talk = Talk::new();
    talk.says("track");
    republish(&mut talk, "What's the number?", "Which number?");
    talk.says("a-12345");
    assert_eq!(talk.call().action, "get_order");
}

#[test]
fn an_option_more_disturbs_nobody_and_old_buttons_still_resolve() {
    let mut talk = Talk::new();
    talk.says("track");
    republish(
        &mut talk,
        "    \"I can't find it\"",
        "    \"No number\" -> done\n    \"I can't find it\"",
    );
    talk.taps("I can't find it");
    assert_eq!(talk.handed_over().team, "support");
}

#[test]
fn a_question_that_means_something_else_is_asked_again() {
    let mut talk = Talk::new();
    talk.tracks(200);
    talk.rests_at("tracking/look.menu");
    republish(
        &mut talk,
        "    \"Another\" -> ask for the number\n    \"No\" -> done",
        "    \"Nothing\" -> done\n    \"Finish\" -> done",
    );
    talk.taps("No").sees(&["Anything else? [Nothing] [Finish]"]);
}

#[test]
fn a_renamed_step_keeps_its_people() {
    let mut talk = Talk::new();
    talk.says("track");
    let renamed = TRACKING
        .replace(
            "step ask for the number",
            "step which order (was ask for the number)",
        )
        .replace("-> ask for the number", "-> which order");
    talk.machine = machine(&[
        ("business.flow", BUSINESS),
        ("welcome.flow", WELCOME),
        ("tracking.flow", &renamed),
    ]);
    talk.skips()
        .says("nope")
        .sees(&["Sorry? [I can't find it]"])
        .rests_at("tracking/which_order.number");
}

#[test]
fn a_flow_whose_step_is_gone_starts_again() {
    let mut talk = Talk::new();
    talk.says("track");
    let renamed = TRACKING
        .replace("step ask for the number", "step which order")
        .replace("-> ask for the number", "-> which order");
    talk.machine = machine(&[
        ("business.flow", BUSINESS),
        ("welcome.flow", WELCOME),
        ("tracking.flow", &renamed),
    ]);
    talk.skips()
        .says("a-12345")
        .sees(&["What's the number? [I can't find it]"])
        .rests_at("tracking/which_order.number");
}

#[test]
fn a_flow_that_is_gone_leads_to_the_front_door() {
    let mut talk =
        Talk::plus("flow old\nstarts on \"old\"\nstep a\n  ask x \"X?\"\n  say \"{{ x }}\"\n  done\n");
    talk.says("old").skips();
    talk.machine = Talk::new().machine;
    talk.says("hello")
        .sees(&["How can we help? [Track my order] [Opening hours] [Talk to us]"]);
}

#[test]
fn the_stored_position_keeps_its_form() {
    let mut talk = Talk::new();
    talk.says("track").says("thanks");
    let hash = talk.machine.program().hash.clone();
    let anchor = talk.position.frames[0].anchor.clone();
    let stored = serde_json::to_value(&talk.position).unwrap();
    let expected = json!({
        "v": 1,
        "mode": "autopilot",
        "session": 1,
        "open": true,
        "seq": 2,
        "visits": 2,
        "frames": [{
            "flow": "tracking",
            "program": hash,
            "at": "tracking/ask_for_the_number.number",
            "anchor": anchor,
            "visit": 2,
            "options": [{"id": "i_can_t_find_it", "label": "I can't find it"}]
        }],
        "timers": {"q2/0": "2026-03-02T10:30:00Z", "resolve": "2026-03-02T22:00:00Z"},
        "old": [{
            "visit": 1,
            "at": "tracking/ask_for_the_number.number",
            "flow": "tracking",
            "anchor": anchor,
            "locals": {},
            "options": [{"id": "i_can_t_find_it", "label": "I can't find it"}],
            "used": false
        }],
        "last": "2026-03-02T10:00:00Z"
    });
    assert_eq!(stored, expected);
}

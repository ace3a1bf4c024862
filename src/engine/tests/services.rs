//! Service calls and faults.

use super::*;

#[test]
fn a_call_carries_everything_the_host_needs() {
    let mut talk = Talk::new();
    talk.says("track").says("a-12345");
    let call = talk.call();
    assert_eq!(
        (call.service.as_str(), call.action.as_str(), call.tries),
        ("shop", "get_order", 2)
    );
    assert_eq!(
        (call.url.as_str(), call.body, call.timeout_ms),
        ("https://api.pedal.example/orders/A-12345", None, 5000)
    );
    assert_eq!(call.secret.as_deref(), Some("SHOP_TOKEN"));
    assert_eq!(call.args, [("number".to_owned(), Value::text("A-12345"))]);
    assert_eq!(call.key, "1.2.tracking/look.order");
}

#[test]
fn a_changing_call_has_a_json_body_and_is_tried_once() {
    let flow = "flow book\nstarts on \"book\"\nstep a\n  ask d \"Day?\"\n    as date\n  end\n  fetch r from shop.book with day = d, name = \"Maria\"\n  say \"{{ r.code }}\"\n  done\n";
    let mut talk = Talk::plus(flow);
    talk.says("book").says("tomorrow");
    let call = talk.call();
    assert_eq!(
        (call.tries, call.body),
        (1, Some(json!({"day": "2026-03-03", "name": "Maria"})))
    );
    talk.skips().answers(200, json!({"code": "R1"})).sees(&["R1"]);
}

#[test]
fn the_answer_is_kept_and_the_flow_goes_on() {
    let mut talk = Talk::new();
    talk.tracks(200).skips();
    assert_eq!(talk.memory.fields["last_order"].value, Value::text("A-12345"));
    let due = talk.memory.fields["last_order"].forget_at.unwrap();
    assert_eq!(due.to_string(), "2026-05-31T10:00:00Z");
}

#[test]
fn not_found_goes_its_own_way() {
    let mut talk = Talk::new();
    talk.says("track")
        .says("a-12345")
        .skips()
        .answers(404, Json::Null);
    talk.sees(&["No A-12345 here.", "What's the number? [I can't find it]"]);
    assert!(talk.log().contains(&Log::Left {
        state: "tracking/look.order".to_owned(),
        exit: Exit::NotFound
    }));
}

#[test]
fn every_other_failure_is_a_problem_with_a_note_that_names_file_and_line() {
    for (status, body) in [
        (500, Json::Null),
        (403, Json::Null),
        (302, Json::Null),
        (200, json!({"status": ["no", "text"]})),
        (200, json!("not an object")),
        (200, json!({"status": "x", "eta": "soon"})),
    ] {
        let mut talk = Talk::new();
        talk.says("track")
            .says("a-12345")
            .skips()
            .answers(status, body)
            .sees(&["Something went wrong."]);
        let note = talk.handed_over().note.clone().unwrap();
        assert!(
            note.contains("shop.get_order") && note.contains("tracking.flow:15"),
            "{note}"
        );
        assert!(
            talk.effects()
                .iter()
                .any(|effect| matches!(effect, Effect::Fault(_)))
        );
        assert_eq!(talk.position.mode, Mode::Human);
    }
    for answer in [
        Answer::TimedOut {
            why: "5 seconds, twice".into(),
        },
        Answer::Down {
            why: "refused".into(),
        },
    ] {
        let mut talk = Talk::new();
        talk.says("track").says("a-12345").skips();
        let key = talk.call().key;
        talk.event(EventKind::Result { key, answer })
            .sees(&["Something went wrong."]);
    }
}

#[test]
fn a_status_line_beats_the_others_and_own_lines_beat_the_default() {
    let flow = "flow o\nstarts on \"o\"\nstep a\n  fetch x from shop.get_order with number = \"1\"\n    status 404 \"Four.\" -> done\n    not found \"Never.\" -> done\n    refused \"Refused.\" -> done\n    problem \"Problem.\" -> done\n  end\n  say \"Fine.\"\n  done\n";
    for (status, expected) in [
        (404, "Four."),
        (409, "Refused."),
        (500, "Problem."),
        (200, "Fine."),
    ] {
        Talk::plus(flow)
            .says("o")
            .answers(status, json!({}))
            .sees(&[expected]);
    }
}

#[test]
fn null_and_missing_fields_are_unknown() {
    let mut talk = Talk::new();
    talk.says("track")
        .says("a-12345")
        .skips()
        .answers(200, json!({"status": "packed", "eta": null}));
    talk.sees(&["A-12345 is packed, no date.", "Anything else? [Another] [No]"]);
}

#[test]
fn an_answer_that_nobody_waits_for_does_nothing() {
    let mut talk = Talk::new();
    talk.says("track").says("a-12345");
    let key = talk.call().key;
    talk.answers(404, Json::Null).skips();
    let answer = Answer::Status {
        status: 200,
        body: json!({}),
    };
    talk.event(EventKind::Result { key, answer }).sees(&[]);
    assert!(matches!(talk.log(), [Log::Stale { .. }]));
    talk.rests_at("tracking/ask_for_the_number.number");
}

#[test]
fn an_answer_that_comes_after_people_took_the_chat_does_nothing() {
    let mut talk = Talk::new();
    talk.says("track").says("a-12345");
    let key = talk.call().key;
    let answer = Answer::Down { why: "late".into() };
    talk.event(EventKind::Taken { agent: "Ana".into() }).skips();
    talk.event(EventKind::Result { key, answer }).sees(&[]);
}

#[test]
fn a_message_while_a_service_is_asked_leaves_the_position() {
    let mut talk = Talk::new();
    talk.says("track")
        .says("a-12345")
        .skips()
        .says("hello?")
        .sees(&[])
        .rests_at("tracking/look.order");
    assert!(matches!(talk.log(), [Log::Stale { .. }]));
}

#[test]
fn values_are_encoded_into_addresses() {
    let flow = "flow o\nstarts on \"o\"\nstep a\n  ask n \"N?\"\n  fetch x from shop.get_order with number = n\n  say \"ok\"\n  done\n";
    let mut talk = Talk::plus(flow);
    talk.says("o").says("../admin?x=1#é");
    assert_eq!(
        talk.call().url,
        "https://api.pedal.example/orders/..%2Fadmin%3Fx%3D1%23%C3%A9"
    );
}

#[test]
fn a_fault_while_a_fault_is_handled_ends_with_a_person() {
    let business = BUSINESS.replace(
        "problem \"Something went wrong.\" -> handoff to support",
        "problem \"{{ business.nothing }}\" -> handoff to support",
    );
    let mut sources = Sources::default();
    for (name, text) in [
        ("business.flow", business.as_str()),
        ("welcome.flow", WELCOME),
        ("tracking.flow", TRACKING),
    ] {
        sources.add(name, text);
    }
    let (tree, _) = crate::flow::blocks::parse(&sources);
    let mut talk = Talk::new();
    talk.machine = Machine::load(crate::flow::lower::lower(&sources, &tree));
    talk.says("track")
        .says("a-12345")
        .skips()
        .answers(500, Json::Null);
    talk.sees(&["Something went wrong on our side. A colleague will help you here."]);
    assert_eq!(
        (talk.handed_over().team.as_str(), talk.position.mode),
        ("support", Mode::Human)
    );
    let faults = talk
        .effects()
        .iter()
        .filter(|effect| matches!(effect, Effect::Fault(_)))
        .count();
    assert_eq!(faults, 2);
}

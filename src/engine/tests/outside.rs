//! What reaches a chat from outside: events of the business's own systems, links, the end of the window.

use super::*;

const SHIPPED: &str = r#"
flow shipped
starts on event order.shipped
needs number: text, eta: date
step tell
  send template on_its_way with number = number
  done
"#;
const PARCELS: &str = r#"
template on_its_way utility
  en "Order {{ number }} is on its way."
end
"#;
const HOUR: i64 = 3600;

fn shop() -> Talk {
    let business = format!("{BUSINESS}{PARCELS}");
    Talk::with(&[
        ("business.flow", &business),
        ("welcome.flow", WELCOME),
        ("tracking.flow", TRACKING),
        ("shipped.flow", SHIPPED),
    ])
}

fn shipped() -> EventKind {
    EventKind::Happened {
        event: "order.shipped".to_owned(),
        values: [
            ("number".to_owned(), json!("A-1")),
            ("eta".to_owned(), json!("2026-03-04")),
        ]
        .into(),
    }
}

fn lapsed(talk: &Talk) -> bool {
    talk.log()
        .iter()
        .any(|entry| matches!(entry, Log::Lapsed { plan } if plan == "order.shipped"))
}

#[test]
fn an_event_starts_its_flow_with_what_it_brings() {
    let mut talk = shop();
    talk.event(shipped());
    assert_eq!(talk.turn.as_ref().unwrap().outbox.len(), 1);
    assert!(talk.position.frames.is_empty() && talk.position.later.is_empty());
}

#[test]
fn who_was_written_to_because_of_an_event_is_not_asked_whether_they_are_still_there() {
    let mut talk = shop();
    talk.event(shipped()).skips().waits(24 * HOUR).sees(&[]);
    assert!(!talk.position.open, "it resolves by itself");
    // Once somebody was there, silence is silence again.
    talk.event(shipped())
        .event(EventKind::Taken { agent: String::new() })
        .event(EventKind::Returned)
        .skips()
        .waits(300);
    assert_eq!(talk.seen.len(), 1);
}

#[test]
fn an_event_waits_while_a_question_is_open_and_comes_when_the_chat_is_free() {
    let mut talk = shop();
    talk.says("track").event(shipped()).event(shipped());
    assert!(talk.turn.as_ref().unwrap().outbox.is_empty());
    assert_eq!(talk.position.later.len(), 2);
    talk.event(EventKind::Taken { agent: String::new() })
        .event(EventKind::Returned)
        .skips()
        .waits(0);
    assert_eq!(talk.seen.len(), 2);
}

#[test]
fn an_event_lapses_after_twelve_hours_and_for_those_who_opted_out() {
    let mut talk = shop();
    talk.event(EventKind::Taken { agent: String::new() })
        .event(shipped());
    talk.settings.resolve_after_seconds = 1_000_000;
    talk.says("hello?").skips().waits(12 * HOUR);
    assert!(lapsed(&talk) && talk.seen.is_empty());
    let mut talk = shop();
    talk.memory.opted_out = true;
    talk.event(shipped());
    assert!(lapsed(&talk));
}

#[test]
fn an_event_that_no_flow_knows_or_that_brings_too_little_is_said_before_it_is_taken() {
    let talk = shop();
    let none = Default::default();
    let why = talk.machine.takes_event("order.lost", &none).unwrap_err();
    assert_eq!(why, "no flow starts on event order.lost; there are order.shipped");
    let why = talk.machine.takes_event("order.shipped", &none).unwrap_err();
    assert_eq!(why, "the flow needs number");
    let wrong = [
        ("number".to_owned(), json!("A-1")),
        ("eta".to_owned(), json!("soon")),
    ]
    .into();
    let why = talk.machine.takes_event("order.shipped", &wrong).unwrap_err();
    assert_eq!(why, "eta has the wrong type");
}

#[test]
fn a_host_starts_a_flow_with_what_it_needs_or_is_told_what_that_is() {
    let mut talk = shop();
    let values = [
        ("number".to_owned(), json!("A-1")),
        ("eta".to_owned(), json!("2026-03-04")),
    ];
    talk.event(EventKind::Start {
        flow: "shipped".to_owned(),
        values: values.clone().into(),
    });
    assert_eq!(talk.turn.as_ref().unwrap().outbox.len(), 1);
    let machine = &talk.machine;
    let refused = |flow: &str, values: &[(String, serde_json::Value)]| {
        machine
            .takes_start(flow, &values.iter().cloned().collect())
            .unwrap_err()
    };
    assert_eq!(refused("shipped", &values[..1]), "the flow needs eta");
    assert!(refused("shiped", &values).starts_with("there is no flow shiped; there are "));
    let further = [
        values[0].clone(),
        values[1].clone(),
        ("colour".to_owned(), json!("red")),
    ];
    assert_eq!(
        refused("shipped", &further),
        "the flow needs no colour; it needs number, eta"
    );
    assert_eq!(
        refused("tracking", &values[..1]),
        "the flow needs nothing, so it takes no number"
    );
}

const CLOSING: &str = r#"
flow quote
starts on "quote"
step a
  ask name "Your name?"
    no reply in 20 hours "Hello?"
  end
  done

on window closing
  say "I can't write to you after {{ now | time }} any more."
"#;

#[test]
fn the_end_of_the_window_is_told_once_a_window_and_the_question_stays() {
    let mut talk = Talk::plus(CLOSING);
    talk.settings.resolve_after_seconds = 1_000_000;
    talk.says("quote").skips().waits(23 * HOUR + 1799);
    talk.sees(&["Hello?"]).waits(1);
    talk.sees(&["I can't write to you after 09:30 any more.", "Your name?"]);
    talk.waits(10 * HOUR).skips().says("Maria");
    assert_eq!(
        talk.position.window,
        Some(talk.now + jiff::SignedDuration::from_mins(23 * 60 + 30))
    );
}

#[test]
fn the_end_of_the_window_is_not_told_while_people_have_the_chat() {
    let mut talk = Talk::plus(CLOSING);
    talk.settings.resolve_after_seconds = 1_000_000;
    talk.says("quote");
    talk.event(EventKind::Taken { agent: String::new() })
        .skips()
        .waits(24 * HOUR)
        .sees(&[]);
}

#[test]
fn a_business_hears_of_the_window_while_nothing_runs() {
    let business = format!("{BUSINESS}\non window closing\n  say \"Anything else?\"\n");
    let mut talk = Talk::with(&[
        ("business.flow", &business),
        ("welcome.flow", WELCOME),
        ("tracking.flow", TRACKING),
    ]);
    talk.settings.silence_rules = false;
    talk.memory.opted_out = true;
    talk.says("hi").event(EventKind::Close).skips();
    talk.waits(24 * HOUR).sees(&[]);
    talk.memory.opted_out = false;
    talk.says("hi").event(EventKind::Close).skips();
    talk.waits(24 * HOUR).sees(&["Anything else?"]);
}

const SPRING: &str = "flow spring\nstarts on link \"spring\"\nstep a\n  say \"Welcome to the spring sale!\"\n  done\n\non link \"summer\"\n  say \"Summer comes.\"\n";

#[test]
fn a_link_s_code_is_found_in_its_text_and_in_the_advertisement() {
    for text in [
        "Spring",
        "Hello! [spring]",
        "Hi (Spring) there",
        "I saw #spring, hi",
    ] {
        let mut talk = Talk::plus(SPRING);
        talk.says(text).sees(&["Welcome to the spring sale!"]);
    }
    let mut talk = Talk::plus(SPRING);
    talk.event(EventKind::Message(Incoming {
        text: "Hi".to_owned(),
        links: vec!["spring".to_owned()],
        ..Incoming::default()
    }))
    .sees(&["Welcome to the spring sale!"]);
    let mut talk = Talk::plus(SPRING);
    talk.says("in spring I ride");
    assert!(!talk.seen.contains(&"Welcome to the spring sale!".to_owned()));
}

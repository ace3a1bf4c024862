//! A conversation of Sari Wijaya, with all that must not be in a test.

use serde_json::json;

use super::*;
use crate::flow::compile;
use crate::flow::source::Sources;
use crate::message::OutboundBody;

const BUSINESS: &str = r#"business "Boots"
timezone "UTC"
languages en
starts with front

team support "Care"
end

memory
  contact.first_name: text
end

service shop "https://shop.example"
  action get_order needs number
    get "/orders/{{ number }}"
    gives status: text, owner_name: text, phone: text
end

defaults
  otherwise "Sorry?" up to 2 times, then -> handoff to support
  problem "Something went wrong." -> handoff to support
end
"#;

const FRONT: &str = r#"flow front "Front door"
starts on "hi"

step hello
  ask first_name "Who are you?"
  remember first_name as contact.first_name
  -> order

step order
  ask number "Thanks {{ first_name }}, which order?"
    as text like "A-#####"
    "I lost it" -> lost
    no reply in 10 minutes "Still there, {{ first_name }}?"
  end
  fetch order from shop.get_order with number = number
  if order.status is "sent 2 days ago"
    say "{{ number }} of {{ order.owner_name }} ({{ order.phone }}) is on its way."
  else
    say "It is {{ order.status }}."
  end
  done

step lost
  ask where "Where do you live?"
    as location
  end
  handoff to support
"#;

fn machine(front: &str) -> Machine {
    let mut sources = Sources::default();
    sources.add("business.flow".to_owned(), BUSINESS.to_owned());
    sources.add("front.flow".to_owned(), front.to_owned());
    let compiled = compile(&sources);
    assert!(compiled.program.is_some(), "{:?}", compiled.diagnostics);
    Machine::load(compiled.program.expect("asserted"))
}

fn says(text: &str) -> What {
    What::Customer(Act::Types(text.to_owned()))
}

fn bot(text: &str) -> What {
    let body = OutboundBody::Text {
        body: text.to_owned(),
        preview: false,
    };
    What::Bot(super::super::transcript::show(&body).remove(0))
}

fn asks(text: &str, option: &str) -> What {
    let What::Bot(mut shown) = bot(text) else {
        unreachable!("a bot speaks");
    };
    shown.extras.push(format!("[{option}]"));
    What::Bot(shown)
}

/// Facts at seconds after 09:00:30.
fn facts(all: Vec<(i64, What)>) -> Vec<Fact> {
    let start: Timestamp = "2026-03-02T09:00:30Z".parse().expect("a time");
    let fact = |(seconds, what)| Fact {
        at: start + SignedDuration::from_secs(seconds),
        what,
    };
    all.into_iter().map(fact).collect()
}

fn sari() -> Contact {
    Contact {
        memory: Memory {
            name: Some("Sari Wijaya".to_owned()),
            phone: Some("6281100000011".to_owned()),
            ..Memory::default()
        },
        lot: 7,
        from_the_beginning: true,
    }
}

fn conversation() -> Vec<Fact> {
    facts(vec![
        (0, says("hi")),
        (1, bot("Who are you?")),
        (20, says("Sari, sari@mail.example or +62 811 0000 0011")),
        (
            21,
            asks(
                "Thanks Sari, sari@mail.example or +62 811 0000 0011, which order?",
                "I lost it",
            ),
        ),
        (
            621,
            bot("Still there, Sari, sari@mail.example or +62 811 0000 0011?"),
        ),
        (700, says("a-48151")),
        (
            701,
            What::Answered {
                key: "1.2.front/order.order".to_owned(),
                answer: Some(Answer::Status {
                    status: 200,
                    body: json!({"status": "sent 2 days ago", "owner_name": "Budi Wijaya", "phone": "+6281234567890"}),
                }),
            },
        ),
        (702, bot("A-48151 of Budi Wijaya (+6281234567890) is on its way.")),
    ])
}

#[test]
fn a_stored_conversation_becomes_a_transcript_that_goes_as_recorded_and_names_nobody() {
    let recording = record(&machine(FRONT), "t.chat", &sari(), &conversation()).expect("it is recorded");
    assert_eq!(recording.goes, Goes::AsRecorded, "{}", recording.chat);
    let folded = recording.chat.to_lowercase();
    for private in [
        "sari",
        "wijaya",
        "budi",
        "mail.example",
        "0811",
        "811 0000",
        "48151",
        "81234567890",
    ] {
        assert!(!folded.contains(private), "{private} is in\n{}", recording.chat);
    }
    // What the flow compares with is as it was, and the same number is replaced by the same.
    assert!(recording.chat.contains("sent 2 days ago"), "{}", recording.chat);
    let number = recording
        .chat
        .lines()
        .find(|line| line.starts_with("Maria: a-4"))
        .expect("a number");
    let number = number.trim_start_matches("Maria: ").to_uppercase();
    assert!(
        recording.chat.contains(&format!("Bot:   {number} of ")),
        "{}",
        recording.chat
    );
    assert!(
        recording.chat.contains("(30 seconds pass)"),
        "the clock is the conversation's own"
    );
}

#[test]
fn flows_that_answer_otherwise_today_are_told_and_the_transcript_keeps_what_was_said() {
    let changed = FRONT.replace("is on its way.", "was posted.");
    let recording = record(&machine(&changed), "t.chat", &sari(), &conversation()).expect("it is recorded");
    let Goes::Otherwise(report) = &recording.goes else {
        panic!("the sentence has changed\n{}", recording.chat);
    };
    assert!(report.contains("was posted."), "{report}");
    assert!(recording.chat.contains("is on its way."), "{}", recording.chat);
    assert!(!recording.chat.to_lowercase().contains("wijaya") && !report.to_lowercase().contains("wijaya"));
}

#[test]
fn places_taps_people_and_silence_are_told() {
    let lost = facts(vec![
        (0, says("hi")),
        (1, bot("Who are you?")),
        (9, says("Sari")),
        (10, asks("Thanks Sari, which order?", "I lost it")),
        (30, What::Customer(Act::Taps("I lost it".to_owned()))),
        (31, bot("Where do you live?")),
        (
            60,
            What::Customer(Act::Location {
                lat: -6.2146,
                lng: 106.8451,
                name: Some("Jalan Sari 3".to_owned()),
            }),
        ),
        (90, says("hello?")),
        (
            120,
            What::Person {
                text: "I am here, Sari.".to_owned(),
            },
        ),
        (150, What::Returned),
    ]);
    let recording = record(&machine(FRONT), "t.chat", &sari(), &lost).expect("it is recorded");
    assert_eq!(recording.goes, Goes::AsRecorded, "{}", recording.chat);
    assert!(
        recording.chat.contains("(location 41.1, -8.6 named \"Place 1\")"),
        "{}",
        recording.chat
    );
    assert!(
        recording.chat.contains("Ana (team): I am here, Maria."),
        "{}",
        recording.chat
    );
    assert!(
        recording.chat.ends_with("(Ana returns the chat)\n"),
        "{}",
        recording.chat
    );
    assert!(!recording.chat.contains("106.8"));
}

#[test]
fn nothing_to_tell_is_said() {
    let nothing = record(&machine(FRONT), "t.chat", &sari(), &[]);
    assert_eq!(nothing, Err(NotRecorded::Nothing));
}

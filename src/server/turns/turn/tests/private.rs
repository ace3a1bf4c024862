//! What answers a private question is shown to nobody.

use super::*;

/// Messages of the customer, a second after the other, each with its id.
fn messages(all: &[(&str, InboundBody)]) -> Vec<Item> {
    let item = |(id, body): &(&str, InboundBody)| match inbound(body.clone()) {
        Item::Inbound(inbound) => Item::Inbound(Box::new(Inbound {
            message_id: Some((*id).to_owned()),
            ..*inbound
        })),
        other => other,
    };
    all.iter().map(item).collect()
}

fn words(id: &'static str, body: &str) -> (&'static str, InboundBody) {
    (id, InboundBody::Text { body: body.into() })
}

fn asked() -> Session {
    let (asked, _) = played(
        &claim(Owner::Bot, vec![text("my code")]),
        Session::default(),
        true,
    );
    assert!(asked.session.asks_privately);
    assert_eq!(asked.history, []);
    asked.session
}

fn withheld(outcome: &Outcome) -> Vec<&str> {
    let lines = outcome.history.iter().filter_map(|line| match line {
        Line::Private { messages } => Some(messages),
        _ => None,
    });
    lines.flatten().map(String::as_str).collect()
}

#[test]
fn all_of_a_burst_is_withheld_and_what_is_said_after_it_is_not() {
    let items = messages(&[words("m1", "47"), words("m2", "11"), words("m3", "thanks")]);
    let claim = claim(Owner::Bot, items);
    let mut arrived = acts::arrived(&claim.events[..2], Duration::from_secs(2), &[]);
    arrived.extend(acts::arrived(&claim.events[2..], Duration::ZERO, &[]));
    let simulator = Simulator::new("main");
    let parrot = Parrot {
        heard: RefCell::default(),
    };
    let advance = |position: &Position, _: &Memory, event: &Event| parrot.advance(position, event);
    let memory = Memory::default();
    let outcome = play(&claim, arrived, asked(), memory, rules(&simulator), &advance);
    assert_eq!(said(&outcome), ["You said 47\n11", "You said thanks"]);
    assert_eq!(withheld(&outcome), ["m1", "m2"]);
    assert!(!outcome.session.asks_privately);
}

#[test]
fn an_answer_that_had_to_wait_for_a_service_is_withheld_once_it_is_one() {
    let items = messages(&[words("m1", "ask"), words("m2", "my code"), words("m3", "4711")]);
    let (first, _) = played(&claim(Owner::Bot, items), Session::default(), true);
    assert!(withheld(&first).is_empty());
    let session: Session = serde_json::from_slice(&first.session.to_bytes()).unwrap();
    let result = Item::Answered {
        key: "desk/ask#1".into(),
        answer: Answer::Down { why: String::new() },
    };
    let (second, _) = played(&claim(Owner::Bot, vec![result]), session, true);
    assert_eq!(
        said(&second),
        ["The service answered.", "Your code?", "You said 4711"]
    );
    assert_eq!(withheld(&second), ["m3"]);
}

#[test]
fn what_was_said_to_the_question_is_withheld_from_whoever_takes_the_chat_before_it_is_read() {
    let items = messages(&[words("m1", "4711")]);
    let (outcome, heard) = played(&claim(Owner::Human, items), asked(), true);
    assert!(matches!(heard[0], EventKind::Taken { .. }));
    assert_eq!(withheld(&outcome), ["m1"]);
    let items = messages(&[words("m2", "are you there?")]);
    let (outcome, _) = played(&claim(Owner::Human, items), outcome.session, true);
    assert!(withheld(&outcome).is_empty());
}

#[test]
fn the_words_of_a_voice_note_are_withheld_with_it_whoever_has_the_chat_by_then() {
    let Item::Inbound(note) = voice() else { panic!() };
    let items = messages(&[("m1", note.body)]);
    let (first, _) = played(&claim(Owner::Bot, items), asked(), true);
    assert_eq!(withheld(&first), ["m1"]);
    let note = first.session.listening.as_ref().unwrap().note.clone();
    for people in [false, true] {
        let mut session = first.session.clone();
        if people {
            let agent = "Ana".to_owned();
            let taken = claim(Owner::Human, vec![Item::Taken { agent }]);
            session = played(&taken, session, true).0.session;
            assert_eq!(session.listening, None);
        }
        let owner = if people { Owner::Human } else { Owner::Bot };
        let hearing = Hearing::Words {
            text: "4711".into(),
            seconds: None,
        };
        let note = note.clone();
        let (outcome, _) = played(&claim(owner, vec![Item::Heard { note, hearing }]), session, true);
        let heard = Line::Heard {
            text: "4711".into(),
            private: true,
        };
        assert_eq!(outcome.history, [heard]);
        assert!(outcome.session.private_notes.is_empty());
    }
}

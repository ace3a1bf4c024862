mod drafts;
mod private;
mod rooms;

use std::cell::RefCell;

use super::*;
use crate::channel::Simulator;
use crate::engine::{Answer, Call};
use crate::flow::source::SourceLine;
use crate::flow::tree::Method;
use crate::message::{
    Conversation, DedupeKey, Forwarded, Inbound, InboundBody, Media, MediaHandle, MediaKind, MediaSource,
    Party,
};
use crate::store::{Alias, Fence, MailboxEvent, Nonce};

fn claim(owner: Owner, items: Vec<Item>) -> Claim {
    let alias = Alias("phone:351910000001".into());
    let at = |n: usize| Timestamp::from_second(1_800_000_000 + n as i64).unwrap();
    Claim {
        contact: ContactId::of("main", &alias),
        channel: "main".into(),
        aliases: vec![alias],
        owner,
        fence: Fence(1),
        nonce: Nonce(1),
        session: None,
        memory: None,
        events: items
            .into_iter()
            .enumerate()
            .map(|(n, item)| MailboxEvent {
                seq: n as Seq + 1,
                at: at(n),
                payload: item.to_bytes(),
            })
            .collect(),
        failures: 0,
    }
}

fn inbound(body: InboundBody) -> Item {
    Item::Inbound(Box::new(Inbound {
        account: "1".into(),
        key: DedupeKey("k".into()),
        at: None,
        who: Party {
            display_name: Some("Sari".into()),
            ..Party::default()
        },
        conversation: Conversation::default(),
        message_id: None,
        reply_to: None,
        forwarded: Forwarded::None,
        referral: None,
        body,
    }))
}

fn text(body: &str) -> Item {
    inbound(InboundBody::Text { body: body.into() })
}

fn voice() -> Item {
    inbound(InboundBody::Media(Media {
        media: MediaKind::Voice,
        handle: MediaHandle::Id {
            id: "v1".into(),
            url: None,
        },
        mime: None,
        sha256: None,
        filename: None,
        caption: None,
    }))
}

fn place() -> SourceLine {
    SourceLine {
        file: "desk.flow".into(),
        line: 7,
    }
}

/// A machine that says back what it hears, calls a service at `ask`, and hands over at `people`.
struct Parrot {
    heard: RefCell<Vec<EventKind>>,
}

impl Parrot {
    fn advance(&self, position: &Position, event: &Event) -> Turn {
        let mut position = position.clone();
        self.heard.borrow_mut().push(event.kind.clone());
        let (mut outbox, mut effects) = (Vec::new(), Vec::new());
        let mut asks_privately = false;
        let mut say = |body: OutboundBody| {
            outbox.push(Outgoing {
                body,
                said_at: Some(place()),
                after_ms: 0,
            })
        };
        let words = |body: String| OutboundBody::Text { body, preview: false };
        match &event.kind {
            EventKind::Taken { .. } => position.mode = Mode::Human,
            EventKind::Returned => position.mode = Mode::Autopilot,
            EventKind::Message(message) if position.mode == Mode::Autopilot => match message.text.as_str() {
                "ask" => effects.push(Effect::Call(a_call())),
                "my secret" => effects.push(Effect::Call(Call {
                    private: true,
                    ..a_call()
                })),
                "people" => {
                    position.mode = Mode::Human;
                    say(words("One moment.".into()));
                    effects.push(Effect::Handoff(HandedOver {
                        assist: false,
                        team: "support".into(),
                        note: None,
                        priority: None,
                        opens: None,
                        said_at: place(),
                    }));
                }
                "photo" => {
                    say(OutboundBody::Media {
                        media: MediaKind::Photo,
                        source: MediaSource::Url("https://bikes.example/a.jpg".into()),
                        caption: None,
                        filename: None,
                    });
                    say(words("There.".into()));
                }
                "my code" => {
                    asks_privately = true;
                    say(words("Your code?".into()));
                }
                other => say(words(format!("You said {other}"))),
            },
            EventKind::Result { .. } => say(words("The service answered.".into())),
            _ => {}
        }
        Turn {
            position,
            outbox,
            effects,
            timers: Vec::new(),
            memory: Vec::new(),
            log: Vec::new(),
            went: Vec::new(),
            asks_privately,
        }
    }
}

fn a_call() -> Call {
    Call {
        key: "desk/ask#1".into(),
        service: "shop".into(),
        action: "get".into(),
        args: Vec::new(),
        method: Method::Get,
        url: "https://bikes.example/".into(),
        body: None,
        secret: None,
        timeout_ms: 1,
        tries: 1,
        private: false,
        said_at: place(),
    }
}

/// Everything is allowed.
fn rules(channel: &dyn Channel) -> Rules<'_> {
    Rules {
        channel,
        autopilot: true,
        listens: true,
        sorts: false,
        drafts: true,
        tokens: Some(1_000),
        quiet: Duration::ZERO,
        timezone: "Europe/Lisbon",
    }
}

fn played(claim: &Claim, session: Session, autopilot: bool) -> (Outcome, Vec<EventKind>) {
    let simulator = Simulator::new("main");
    let parrot = Parrot {
        heard: RefCell::default(),
    };
    let rules = Rules {
        autopilot,
        ..rules(&simulator)
    };
    let advance = |position: &Position, _: &Memory, event: &Event| parrot.advance(position, event);
    let arrived = acts::arrived(&claim.events, rules.quiet, &[]);
    let outcome = play(claim, arrived, session, Memory::default(), rules, &advance);
    (outcome, parrot.heard.into_inner())
}

fn said(outcome: &Outcome) -> Vec<String> {
    let line = |entry: &OutboxEntry| match serde_json::from_slice(&entry.payload) {
        Ok(Line::Ours(ours)) => serde_json::to_value(&ours.step).unwrap()["show"]["body"]
            .as_str()
            .unwrap_or("(a file)")
            .to_owned(),
        other => panic!("{other:?}"),
    };
    outcome.outbox.iter().map(line).collect()
}

#[test]
fn what_is_said_during_a_call_waits_and_is_answered_after_its_result() {
    let (first, _) = played(
        &claim(Owner::Bot, vec![text("ask"), text("and this")]),
        Session::default(),
        true,
    );
    assert_eq!(first.jobs.len(), 1);
    assert_eq!(first.session.held.len(), 1);
    assert!(said(&first).is_empty());

    let answer = Answer::Down { why: "x".into() };
    let result = Item::Answered {
        key: "desk/ask#1".into(),
        answer,
    };
    let (second, _) = played(&claim(Owner::Bot, vec![result]), first.session, true);
    assert_eq!(said(&second), ["The service answered.", "You said and this"]);
    assert!(!second.session.waits());
}

#[test]
fn of_what_a_service_answers_to_something_private_only_the_status_is_kept() {
    let kept = |words: &str, answer: Answer| {
        let (first, _) = played(&claim(Owner::Bot, vec![text(words)]), Session::default(), true);
        let result = Item::Answered {
            key: "desk/ask#1".into(),
            answer,
        };
        let (second, _) = played(&claim(Owner::Bot, vec![result]), first.session, true);
        assert_eq!(said(&second), ["The service answered."]);
        assert!(second.session.private.is_empty());
        serde_json::to_value(&second.history[0]).unwrap()
    };
    let status = |status| Answer::Status {
        status,
        body: serde_json::json!({"owner": "Budi"}),
    };
    let down = Answer::Down {
        why: "https://shop.example/1234 can't be reached".into(),
    };
    assert_eq!(
        kept("ask", status(200))["answer"]["status"]["body"]["owner"],
        "Budi"
    );
    for answer in [status(200), status(404), down] {
        let line = kept("my secret", answer).to_string();
        assert!(!line.contains("Budi") && !line.contains("1234"), "{line}");
        assert!(line.contains("\"private\":true"), "{line}");
    }
    let refused = kept("my secret", status(404));
    assert!(refused.to_string().contains("404"), "{refused}");
}

#[test]
fn the_words_of_a_voice_note_become_the_message_and_later_messages_wait_for_them() {
    let (first, _) = played(
        &claim(Owner::Bot, vec![voice(), text("later")]),
        Session::default(),
        true,
    );
    let note = first.session.listening.clone().expect("it is listened to").note;
    let hearing = Hearing::Words {
        text: "track my order".into(),
        seconds: Some(2),
    };
    let (second, _) = played(
        &claim(Owner::Bot, vec![Item::Heard { note, hearing }]),
        first.session,
        true,
    );
    assert_eq!(said(&second), ["You said track my order", "You said later"]);
    assert_eq!(
        second.history,
        [Line::Heard {
            text: "track my order".into(),
            private: false,
        }]
    );
}

#[test]
fn a_voice_note_that_quotes_a_template_is_a_reply_to_it_also_after_waiting() {
    let quoting = |id: &str| {
        let mut note = voice();
        if let Item::Inbound(inbound) = &mut note {
            inbound.reply_to = Some(id.to_owned());
        }
        note
    };
    let mut session = Session::default();
    session.template_sent("visit_reminder".to_owned(), "wamid.1".to_owned());
    // The first is held behind a call, the second is of nothing that we know.
    let (first, _) = played(
        &claim(
            Owner::Bot,
            vec![text("ask"), quoting("wamid.1"), quoting("wamid.2")],
        ),
        session,
        true,
    );
    let result = Item::Answered {
        key: "desk/ask#1".into(),
        answer: Answer::Down { why: "x".into() },
    };
    let mut session = first.session;
    let mut next = result;
    let mut heard = Vec::new();
    for words in ["about the first", "about nothing"] {
        // As a store would: through its bytes.
        let bytes = session.to_bytes();
        let kept = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(session, kept);
        let (asked, _) = played(&claim(Owner::Bot, vec![next]), kept, true);
        let note = asked.session.listening.clone().expect("it is listened to").note;
        let hearing = Hearing::Words {
            text: words.into(),
            seconds: None,
        };
        next = Item::Heard { note, hearing };
        session = asked.session;
        let (_, told) = played(&claim(Owner::Bot, vec![next.clone()]), session.clone(), true);
        heard.extend(told.into_iter().filter_map(|kind| match kind {
            EventKind::Message(incoming) => Some((incoming.text, incoming.template)),
            _ => None,
        }));
    }
    assert_eq!(
        heard,
        [
            ("about the first".to_owned(), Some("visit_reminder".to_owned())),
            ("about nothing".to_owned(), None)
        ]
    );
}

#[test]
fn a_voice_note_that_an_earlier_version_kept_waiting_is_read() {
    let kept = r#"{"listen":{"media":"voice","handle":{"id":{"id":"v1"}}}}"#;
    let Ok(Act::Listen(note)) = serde_json::from_str(kept) else {
        panic!("{kept} is not read");
    };
    assert_eq!((note.media.media, note.template), (MediaKind::Voice, None));
}

#[test]
fn a_person_who_takes_over_during_a_call_frees_what_waited_and_the_bot_says_nothing() {
    let (first, _) = played(
        &claim(Owner::Bot, vec![text("ask"), text("hello?")]),
        Session::default(),
        true,
    );
    let taken = Item::Taken { agent: "Ana".into() };
    let (second, heard) = played(&claim(Owner::Human, vec![taken]), first.session, true);
    assert!(said(&second).is_empty());
    assert!(!second.session.waits() && second.session.held.is_empty());
    assert!(
        heard
            .iter()
            .any(|kind| matches!(kind, EventKind::Message(message) if message.text == "hello?"))
    );
}

#[test]
fn a_pause_that_is_over_gives_the_chat_back_before_the_next_message() {
    let (first, _) = played(&claim(Owner::Human, vec![text("hi")]), Session::default(), true);
    assert!(said(&first).is_empty());
    let over = Owner::PausedUntil(Timestamp::from_second(1_700_000_000).unwrap());
    let (second, _) = played(&claim(over, vec![text("hi")]), first.session, true);
    assert_eq!(said(&second), ["You said hi"]);
    assert_eq!(second.owner, Some(Owner::Bot));
}

#[test]
fn switching_autopilot_off_and_on_is_one_takeover_and_one_return() {
    let (off, heard) = played(
        &claim(Owner::Bot, vec![text("a"), text("b")]),
        Session::default(),
        false,
    );
    assert!(said(&off).is_empty() && off.session.autopilot_off);
    assert_eq!(
        heard
            .iter()
            .filter(|kind| matches!(kind, EventKind::Taken { .. }))
            .count(),
        1
    );
    let (on, _) = played(&claim(Owner::Bot, vec![text("c")]), off.session, true);
    assert_eq!(said(&on), ["You said c"]);
    assert!(!on.session.autopilot_off);
}

#[test]
fn a_handoff_keeps_its_goodbye_and_gives_the_chat_to_people() {
    let (outcome, _) = played(
        &claim(Owner::Bot, vec![text("people"), text("hello?")]),
        Session::default(),
        true,
    );
    assert_eq!(said(&outcome), ["One moment."]);
    assert_eq!(outcome.owner, Some(Owner::Human));
    let placed = outcome.history.iter().any(
        |line| matches!(line, Line::Note { kind: NoteKind::Handoff, place: Some(at), .. } if *at == place()),
    );
    assert!(placed);
}

#[test]
fn every_step_is_queued_by_itself_under_an_id_that_a_second_run_gives_again() {
    let mailbox = claim(Owner::Bot, vec![text("photo"), text("x")]);
    let ids =
        |outcome: &Outcome| -> Vec<String> { outcome.outbox.iter().map(|entry| entry.id.clone()).collect() };
    let (outcome, _) = played(&mailbox, Session::default(), true);
    let contact = mailbox.contact;
    assert_eq!(
        ids(&outcome),
        [
            format!("{contact}.1.0"),
            format!("{contact}.1.1"),
            format!("{contact}.2.0")
        ]
    );
    assert_eq!(ids(&played(&mailbox, Session::default(), true).0), ids(&outcome));
    // What follows a file waits for it a moment.
    assert!(outcome.outbox[0].not_before.is_none());
    assert!(outcome.outbox[1].not_before.is_some());
}

#[test]
fn a_customer_who_never_stops_writing_meanwhile_fills_no_session() {
    let mut items = vec![text("ask")];
    items.extend((0..200).map(|n| text(&n.to_string())));
    let (outcome, _) = played(&claim(Owner::Bot, items), Session::default(), true);
    assert_eq!(outcome.session.held.len(), HELD_AT_MOST);
    assert!(outcome.session.to_bytes().len() < 32 * 1024);
}

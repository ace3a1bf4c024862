//! Drafts for the people who have the chat: when one is wanted, and how long it holds.

use super::*;
use crate::engine::{Asked, Drafting};
use crate::server::inbound::mailbox::Drafted;

const ASK: &str = "people, with drafts";

/// A machine that wants a draft for every message while people have the chat.
fn advance(position: &Position, _: &Memory, event: &Event) -> Turn {
    let mut position = position.clone();
    let mut effects = Vec::new();
    match &event.kind {
        EventKind::Message(message) if position.mode == Mode::Human => {
            effects.push(Effect::Draft(Box::new(drafting(&message.text))));
        }
        EventKind::Message(message) if message.text == ASK => {
            position.mode = Mode::Human;
            effects.push(Effect::Handoff(HandedOver {
                team: "support".into(),
                note: None,
                priority: None,
                assist: true,
                opens: None,
                said_at: place(),
            }));
        }
        EventKind::Returned => {
            position.mode = Mode::Autopilot;
            effects.push(Effect::BotAgain);
        }
        _ => {}
    }
    Turn {
        position,
        outbox: Vec::new(),
        effects,
        timers: Vec::new(),
        memory: Vec::new(),
        log: Vec::new(),
        went: Vec::new(),
        asks_privately: false,
    }
}

fn drafting(text: &str) -> Drafting {
    let asked = Asked {
        key: String::new(),
        business: "Bikes".into(),
        language: "en".into(),
        knowledge: Vec::new(),
        about: Vec::new(),
        never: Vec::new(),
        style: None,
        at_most: None,
        topics: Vec::new(),
        remembers: Vec::new(),
        uses: Vec::new(),
        talk: vec![engine::Spoken {
            customer: true,
            text: text.into(),
        }],
        found: Vec::new(),
        refused: None,
        said_at: place(),
    };
    Drafting {
        asked,
        from_the_beginning: true,
    }
}

/// Plays events of a chat that people have, the first with this number.
fn plays(session: Session, first: Seq, items: Vec<Item>, drafts: bool) -> Outcome {
    let mut claim = claim(Owner::Human, items);
    for event in &mut claim.events {
        event.seq += first - 1;
    }
    plays_claim(&claim, session, drafts)
}

fn plays_claim(claim: &Claim, session: Session, drafts: bool) -> Outcome {
    let simulator = Simulator::new("main");
    let rules = Rules {
        drafts,
        ..rules(&simulator)
    };
    let arrived = acts::arrived(&claim.events, rules.quiet, &[]);
    play(claim, arrived, session, Memory::default(), rules, &advance)
}

fn handed_over() -> Session {
    let claim = claim(Owner::Bot, vec![text(ASK)]);
    let outcome = plays_claim(&claim, Session::default(), true);
    assert!(outcome.jobs.is_empty());
    outcome.session
}

fn came(id: &str, text: &str) -> Item {
    Item::Drafted {
        id: id.into(),
        drafted: Drafted::Text {
            text: text.into(),
            knowledge: Some("faq".into()),
        },
        tokens: 0,
    }
}

fn said(draft: Option<&str>) -> Item {
    Item::Said {
        agent: "Ana".into(),
        text: "It's ready.".into(),
        draft: draft.map(str::to_owned),
    }
}

fn counted(outcome: &Outcome) -> Vec<Counted> {
    let count = |told: &Told| match told {
        Told::Draft(became) => Some(*became),
        _ => None,
    };
    outcome.told.iter().filter_map(count).collect()
}

fn shown(outcome: &Outcome) -> Option<&str> {
    outcome.session.draft.as_ref()?.text.as_deref()
}

#[test]
fn a_draft_is_shown_beside_the_thread_and_nothing_is_sent() {
    let asked = plays(handed_over(), 2, vec![text("Is it ready?")], true);
    assert_eq!(asked.jobs.len(), 1);
    assert!(asked.jobs[0].id.0.ends_with("/draft/2"), "{:?}", asked.jobs[0].id);
    assert!(!asked.session.waits(), "nothing waits for a draft");
    let came = plays(asked.session, 3, vec![came("2", "It's ready.")], true);
    assert_eq!(shown(&came), Some("It's ready."));
    assert_eq!(
        came.history,
        [Line::Draft {
            id: "2".into(),
            text: "It's ready.".into(),
            knowledge: Some("faq".into())
        }]
    );
    assert!(came.outbox.is_empty());
    assert_eq!(counted(&came), [Counted::Shown]);
}

#[test]
fn a_newer_message_makes_a_draft_void_before_it_comes_and_after() {
    let asked = plays(handed_over(), 2, vec![text("Is it ready?")], true);
    let again = plays(asked.session.clone(), 3, vec![text("Hello?")], true);
    let late = plays(again.session, 4, vec![came("2", "It's ready.")], true);
    assert_eq!((shown(&late), late.history.len()), (None, 0));
    assert_eq!(counted(&late), [Counted::Outdated]);
    assert_eq!(
        late.session.draft.as_ref().map(|draft| draft.id.as_str()),
        Some("3")
    );
    let came = plays(
        asked.session,
        3,
        vec![came("2", "It's ready."), text("Hello?")],
        true,
    );
    assert_eq!(shown(&came), None);
}

#[test]
fn an_answer_of_people_ends_a_draft_and_tells_whether_it_was_used() {
    let asked = plays(handed_over(), 2, vec![text("Is it ready?")], true);
    for (draft, marked, count) in [
        (Some("2"), Some("2"), vec![Counted::Shown, Counted::Used]),
        (Some("1"), None, vec![Counted::Shown]),
        (None, None, vec![Counted::Shown]),
    ] {
        let items = vec![came("2", "It's ready."), said(draft)];
        let outcome = plays(asked.session.clone(), 3, items, true);
        assert_eq!(shown(&outcome), None);
        let line = serde_json::from_slice(&outcome.outbox[0].payload).unwrap();
        let Line::Ours(ours) = line else {
            panic!("{line:?}")
        };
        assert_eq!(
            (ours.draft.as_deref(), ours.agent.as_deref()),
            (marked, Some("Ana"))
        );
        assert_eq!(counted(&outcome), count);
    }
    // Nobody has seen one that is still being written.
    let early = plays(
        asked.session.clone(),
        3,
        vec![said(Some("2")), came("2", "It's ready.")],
        true,
    );
    assert_eq!((shown(&early), counted(&early)), (None, vec![Counted::Outdated]));
    let returned = plays(
        asked.session,
        3,
        vec![Item::Returned, came("2", "It's ready.")],
        true,
    );
    assert_eq!(
        (shown(&returned), counted(&returned)),
        (None, vec![Counted::Outdated])
    );
}

#[test]
fn of_messages_that_are_answered_together_only_the_last_is_drafted_for() {
    let outcome = plays(handed_over(), 2, vec![text("Hello?"), text("Is it ready?")], true);
    assert_eq!(outcome.jobs.len(), 1);
    assert!(outcome.jobs[0].id.0.ends_with("/draft/3"));
}

#[test]
fn that_drafts_fail_is_noted_once_for_each_handoff_and_silence_never() {
    let failed = |id: &str| Item::Drafted {
        id: id.into(),
        drafted: Drafted::Failed {
            why: "the model gave none: it did not answer in time".into(),
        },
        tokens: 0,
    };
    let mut session = handed_over();
    let mut notes = Vec::new();
    for seq in [2, 4, 6] {
        session = plays(session, seq, vec![text("Hello?")], true).session;
        let outcome = plays(session, seq + 1, vec![failed(&seq.to_string())], true);
        assert_eq!(counted(&outcome), [Counted::Failed]);
        notes.extend(outcome.history);
        session = outcome.session;
    }
    assert!(
        matches!(&notes[..], [Line::Note { kind: NoteKind::Handoff, text, .. }] if text.contains("in time")),
        "{notes:?}"
    );
    session = plays(session, 8, vec![text("Hello?")], true).session;
    let nothing = Item::Drafted {
        id: "8".into(),
        drafted: Drafted::Nothing,
        tokens: 0,
    };
    let silent = plays(session, 9, vec![nothing], true);
    assert!(silent.history.is_empty() && silent.session.draft.is_none());
}

#[test]
fn where_nobody_can_draft_nothing_is_asked_and_nothing_is_promised() {
    let outcome = plays(handed_over(), 2, vec![text("Is it ready?")], false);
    assert!(outcome.jobs.is_empty() && outcome.session.draft.is_none() && outcome.history.is_empty());
}

#[test]
fn whoever_has_cost_a_days_tokens_gets_no_drafts_until_the_next_and_the_team_one_note() {
    let costly = |tokens: u64| Item::Drafted {
        id: "2".into(),
        drafted: Drafted::Nothing,
        tokens,
    };
    let asked = plays(handed_over(), 2, vec![text("Hello?")], true);
    let most = plays(asked.session.clone(), 3, vec![costly(999), text("Hello?")], true);
    assert_eq!(most.jobs.len(), 1, "one token is left");
    let all = plays(
        most.session,
        5,
        vec![costly(1), text("Hello?"), text("Hello?")],
        true,
    );
    assert!(all.jobs.is_empty() && all.session.draft.is_none());
    let notes = |outcome: &Outcome| {
        let is_note = |line: &&Line| matches!(line, Line::Note { kind: NoteKind::Fault, text, .. } if text.contains("1000 tokens"));
        outcome.history.iter().filter(is_note).count()
    };
    assert_eq!(notes(&all), 1, "{:?}", all.history);
    let mut tomorrow = all.session;
    let spent = tomorrow.spent.as_mut().unwrap();
    spent.since = Timestamp::UNIX_EPOCH;
    let tomorrow = plays(tomorrow, 8, vec![text("Hello?")], true);
    assert_eq!((tomorrow.jobs.len(), notes(&tomorrow)), (1, 0));
}

//! What a provider's own inbox changes: who has the room, when it ends, and what it is told.

use secrecy::SecretString;

use super::*;
use crate::channel::Gate;
use crate::channel::qontak::{Credentials, Qontak, QontakSettings};
use crate::message::Role;

fn qontak() -> Qontak {
    let secret = || SecretString::from("sixteen-or-more-of-these");
    Qontak::new(QontakSettings::new(
        "a",
        Credentials::Token(secret()),
        "http://127.0.0.1:1",
        Gate::Path {
            secrets: vec![secret()],
        },
    ))
    .unwrap()
}

fn inboxed(owner: Owner, items: Vec<Item>, session: Session) -> (Outcome, Vec<EventKind>) {
    let mut claim = claim(owner, items);
    claim.aliases.push(Alias("room:r1".into()));
    let qontak = qontak();
    let parrot = Parrot {
        heard: RefCell::default(),
    };
    let rules = rules(&qontak);
    let advance = |position: &Position, _: &Memory, event: &Event| parrot.advance(position, event);
    let arrived = acts::arrived(&claim.events, rules.quiet, &[]);
    let outcome = play(&claim, arrived, session, Memory::default(), rules, &advance);
    (outcome, parrot.heard.into_inner())
}

/// Something that happened in the room.
fn in_room(role: Role, keeper: Keeper, window: Window, body: InboundBody) -> Item {
    let Item::Inbound(mut inbound) = inbound(body) else {
        panic!("an inbound event")
    };
    inbound.who.role = role;
    inbound.conversation.keeper = keeper;
    inbound.conversation.window = window;
    Item::Inbound(inbound)
}

fn says(text: &str, keeper: Keeper) -> Item {
    let body = InboundBody::Text { body: text.into() };
    in_room(Role::User, keeper, Window::Open, body)
}

fn news(news: RoomNews, keeper: Keeper) -> Item {
    in_room(Role::System, keeper, Window::Unknown, InboundBody::Room { news })
}

fn steps(outcome: &Outcome) -> Vec<Step> {
    let step = |entry: &OutboxEntry| match serde_json::from_slice(&entry.payload) {
        Ok(Line::Ours(ours)) => ours.step,
        other => panic!("{other:?}"),
    };
    outcome.outbox.iter().map(step).collect()
}

#[test]
fn a_handoff_is_told_to_the_inbox_after_everything_that_is_said() {
    let (outcome, _) = inboxed(Owner::Bot, vec![says("people", Keeper::Bot)], Session::default());
    let steps = steps(&outcome);
    assert!(
        matches!(&steps[0], Step::Send { to: Address::Room { id, .. }, .. } if id == "r1"),
        "{steps:?}"
    );
    assert_eq!(
        steps[1..],
        [Step::HandOff {
            room: "r1".into(),
            team: "support".into()
        }]
    );
}

#[test]
fn who_has_the_room_has_the_chat_until_it_is_given_back() {
    let (taken, _) = inboxed(Owner::Bot, vec![says("hi", Keeper::People)], Session::default());
    assert!(taken.outbox.is_empty() && taken.session.assigned);
    assert_eq!(taken.owner, Some(Owner::Human));
    let back = news(RoomNews::Unassigned, Keeper::Bot);
    let (given, heard) = inboxed(Owner::Human, vec![back, says("hi", Keeper::Bot)], taken.session);
    assert!(heard.contains(&EventKind::Returned), "{heard:?}");
    assert_eq!((steps(&given).len(), given.owner), (1, Some(Owner::Bot)));
    assert!(!given.session.assigned);
}

#[test]
fn a_chat_that_waits_for_people_is_not_the_bot_s_again_because_nobody_has_the_room_yet() {
    let (handed, _) = inboxed(Owner::Bot, vec![says("people", Keeper::Bot)], Session::default());
    let (waiting, heard) = inboxed(Owner::Human, vec![says("hello?", Keeper::Bot)], handed.session);
    assert!(waiting.outbox.is_empty() && waiting.owner.is_none());
    assert!(!heard.contains(&EventKind::Returned), "{heard:?}");
}

#[test]
fn a_resolved_room_ends_what_people_had_and_not_what_the_bot_has() {
    let resolved = || news(RoomNews::Resolved, Keeper::Unknown);
    let (bots, heard) = inboxed(
        Owner::Bot,
        vec![says("hi", Keeper::Bot), resolved()],
        Session::default(),
    );
    assert!(!heard.contains(&EventKind::Close), "{heard:?}");
    assert!(bots.owner.is_none());
    let (taken, _) = inboxed(Owner::Bot, vec![says("hi", Keeper::People)], Session::default());
    let (ended, heard) = inboxed(Owner::Human, vec![resolved()], taken.session);
    assert!(heard.contains(&EventKind::Close), "{heard:?}");
    assert_eq!(ended.owner, Some(Owner::Bot));
    assert!(ended.outbox.is_empty(), "it is closed there already");
}

#[test]
fn a_window_that_the_provider_calls_closed_lets_nothing_but_templates_out() {
    let echo = InboundBody::Echo {
        body: Box::new(InboundBody::Text { body: "ok".into() }),
    };
    let late = in_room(Role::Agent, Keeper::Unknown, Window::Closed, echo);
    let (closed, _) = inboxed(Owner::Human, vec![late], Session::default());
    assert!(closed.session.window_closed);
    let person = Item::Said {
        draft: None,
        agent: "Dewi".into(),
        text: "Are you there?".into(),
    };
    let (silent, _) = inboxed(Owner::Human, vec![person], closed.session);
    assert!(silent.outbox.is_empty());
    assert!(silent.history.iter().any(
        |line| matches!(line, Line::Note { kind: NoteKind::Sending, text, .. } if text.contains("24 hours"))
    ));
    let closed = Session {
        window_closed: true,
        ..Session::default()
    };
    let (open, _) = inboxed(Owner::Bot, vec![says("hi", Keeper::Bot)], closed);
    assert_eq!(steps(&open).len(), 1, "whoever writes opens it");
    assert!(!open.session.window_closed);
}

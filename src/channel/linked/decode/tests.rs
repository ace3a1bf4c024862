//! Every kind of webhook, read from `fixtures/linked`. Names, numbers and ids there are invented; shapes are WAHA's.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::channel::mutation::{anything, mutate, spoilt};

const OWN: Own<'_> = Own {
    session: "main",
    number: "6281100000011",
};
const SARI: &str = "6281100000022";
const HIDDEN: &str = "100000000000022@lid";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/linked")
}

fn fixture(name: &str) -> Vec<u8> {
    let path = folder().join(format!("{name}.json"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn fixtures() -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn all(name: &str) -> Vec<Inbound> {
    let Decoded { events, problems } = decode(&fixture(name), OWN);
    assert_eq!(problems, [], "{name}");
    events
}

fn one(name: &str) -> Inbound {
    let mut events = all(name);
    assert_eq!(events.len(), 1, "{name}");
    events.remove(0)
}

/// A fixture with some members changed.
fn changed(name: &str, change: impl FnOnce(&mut Value)) -> Decoded {
    let mut value: Value = serde_json::from_slice(&fixture(name)).unwrap();
    change(&mut value);
    decode(&serde_json::to_vec(&value).unwrap(), OWN)
}

#[test]
fn a_text_carries_who_when_and_the_chat_it_is_answered_in() {
    let event = one("text");
    assert_eq!(event.account, OWN.number);
    assert_eq!(event.key.0, "6281100000022@c.us/3EB0C0FFEE01/customer");
    assert_eq!(event.at, Some("2025-11-26T02:00:00Z".parse().unwrap()));
    assert_eq!(
        event.who,
        Party {
            role: Role::User,
            phone: Some(SARI.into()),
            bsuid: Some(HIDDEN.into()),
            username: None,
            display_name: Some("Sari".into()),
        }
    );
    assert_eq!(event.conversation.room.as_deref(), Some("6281100000022@c.us"));
    assert_eq!(
        event.message_id.as_deref(),
        Some("false_6281100000022@c.us_3EB0C0FFEE01")
    );
    assert_eq!(
        event.body,
        InboundBody::Text {
            body: "Masih buka?".into()
        }
    );
}

#[test]
fn a_customer_under_a_hidden_id_is_known_by_both_and_answered_under_the_hidden_one() {
    let event = one("text_hidden");
    assert_eq!(event.conversation.room.as_deref(), Some(HIDDEN));
    assert_eq!(
        (event.who.phone.as_deref(), event.who.bsuid.as_deref()),
        (Some(SARI), Some(HIDDEN))
    );
    let alone = one("text_hidden_alone");
    assert_eq!(
        (alone.who.phone, alone.who.bsuid.as_deref()),
        (None, Some(HIDDEN))
    );
    assert_eq!(alone.conversation.room.as_deref(), Some(HIDDEN));
}

#[test]
fn a_message_that_is_told_of_twice_has_one_key() {
    let twice = changed("text", |webhook| webhook["event"] = json!("message"));
    assert_eq!(twice.events[0].key, one("text").key);
}

#[test]
fn a_quoted_message_is_named_by_what_names_it_everywhere() {
    assert_eq!(one("quote").reply_to.as_deref(), Some("3EB0B07"));
}

#[test]
fn files_have_their_kind_their_address_and_their_caption() {
    let media = |name: &str| match one(name).body {
        InboundBody::Media(media) => media,
        other => panic!("{name}: {other:?}"),
    };
    for (name, kind) in [
        ("voice", MediaKind::Voice),
        ("audio", MediaKind::Audio),
        ("photo", MediaKind::Photo),
        ("document", MediaKind::Document),
        ("sticker", MediaKind::Sticker),
    ] {
        assert_eq!(media(name).media, kind, "{name}");
    }
    assert_eq!(media("photo").caption.as_deref(), Some("My wheel"));
    assert_eq!(media("document").filename.as_deref(), Some("receipt.pdf"));
    let url = "http://localhost:3000/api/files/main/3EB0C0FFEE05.oga";
    assert_eq!(media("voice").handle, MediaHandle::Url(url.into()));
    let recorded = changed("voice", |webhook| webhook["payload"]["_data"] = json!({}));
    assert!(
        matches!(&recorded.events[0].body, InboundBody::Media(media) if media.media == MediaKind::Voice),
        "Ogg is what notes are recorded in"
    );
}

#[test]
fn a_file_that_was_not_kept_is_told_and_not_answered() {
    let body = one("file_not_kept").body;
    assert!(
        matches!(body, InboundBody::Unsupported { what: Some(_), .. }),
        "{body:?}"
    );
    assert!(!body.starts_a_turn());
}

#[test]
fn places_and_cards_are_read() {
    let InboundBody::Location(place) = one("location").body else {
        panic!("no place")
    };
    assert_eq!(
        (place.lat, place.lng, place.name.as_deref()),
        (-6.1754, 106.8272, Some("Monas"))
    );
    assert!(
        matches!(one("contacts").body, InboundBody::Contacts { cards } if cards.as_array().unwrap().len() == 1)
    );
}

#[test]
fn what_a_person_typed_on_the_phone_is_the_team_s_and_what_we_sent_is_ours() {
    let typed = one("typed_on_the_phone");
    assert_eq!(typed.who.role, Role::Agent);
    assert_eq!(typed.who.phone.as_deref(), Some(SARI), "the customer's chat");
    assert_eq!(typed.who.display_name, None, "that is the business's own name");
    let body = InboundBody::Text {
        body: "I'm on it".into(),
    };
    assert_eq!(typed.body, InboundBody::Echo { body: Box::new(body) });
    assert_eq!(one("sent_by_us").who.role, Role::BotEcho);
    let unsaid = changed("sent_by_us", |webhook| {
        webhook["payload"].as_object_mut().unwrap().remove("source");
    });
    assert_eq!(
        unsaid.events[0].who.role,
        Role::BotEcho,
        "else each answer would silence the bot"
    );
}

#[test]
fn crowds_statuses_channels_and_notes_to_oneself_are_no_customers() {
    for name in ["group", "story", "newsletter", "note_to_oneself", "presence"] {
        assert_eq!(all(name), [], "{name}");
    }
    let under_the_hidden_id = changed("note_to_oneself", |webhook| {
        webhook["me"]["lid"] = json!("100000000000011@lid");
        webhook["payload"]["id"] = json!("true_100000000000011@lid_3EB0C0FFEE18");
    });
    assert_eq!(under_the_hidden_id, Decoded::default());
}

#[test]
fn acks_are_statuses_from_error_to_played() {
    let told = |ack: i64| {
        let decoded = changed("ack_read", |webhook| webhook["payload"]["ack"] = json!(ack));
        decoded.events.into_iter().next().map(|event| match event.body {
            InboundBody::Status(status) => (status.message_id, status.state),
            other => panic!("{other:?}"),
        })
    };
    let is = |state| Some(("3EB0B07".to_owned(), state));
    assert_eq!(told(-1), is(DeliveryState::Failed));
    assert_eq!(told(0), None);
    assert_eq!(told(1), is(DeliveryState::Sent));
    assert_eq!(told(2), is(DeliveryState::Delivered));
    assert_eq!(told(3), is(DeliveryState::Read));
    assert_eq!(told(4), is(DeliveryState::Played));
    let new = changed("ack_read", |webhook| webhook["payload"]["ack"] = json!(9));
    assert_eq!(new.problems.len(), 1, "kept for people");
    assert_eq!(all("ack_pending"), []);
    assert_eq!(all("ack_of_theirs"), []);
    let InboundBody::Status(failed) = one("ack_error").body else {
        panic!("no status")
    };
    assert_eq!(
        (failed.error_code, failed.error.as_deref()),
        (Some(463), Some("held back"))
    );
}

#[test]
fn reactions_changes_and_revocations_name_what_they_are_about() {
    let InboundBody::Reaction { target, emoji } = one("reaction").body else {
        panic!("no reaction")
    };
    assert_eq!((target.as_str(), emoji.as_deref()), ("3EB0B07", Some("🙏")));
    assert!(matches!(
        one("reaction_taken_back").body,
        InboundBody::Reaction { emoji: None, .. }
    ));
    let InboundBody::Edited { target, body } = one("edited").body else {
        panic!("no change")
    };
    assert_eq!(target, "3EB0C0FFEE01");
    assert_eq!(
        *body,
        InboundBody::Text {
            body: "Masih buka jam 9?".into()
        }
    );
    assert_eq!(
        one("revoked").body,
        InboundBody::Revoked {
            target: "3EB0C0FFEE01".into()
        }
    );
}

#[test]
fn a_vote_is_as_if_the_option_had_been_typed() {
    let body = one("vote").body;
    assert_eq!(
        body,
        InboundBody::Choice {
            id: None,
            title: "Track my order".into()
        }
    );
    let none = changed("vote", |webhook| {
        webhook["payload"]["vote"]["selectedOptions"] = json!([])
    });
    assert_eq!(none, Decoded::default());
}

#[test]
fn a_message_that_can_t_be_read_yet_and_a_call_are_recorded_without_an_answer() {
    assert!(!one("waiting").body.starts_a_turn());
    assert_ne!(
        one("waiting").key.0.split('/').next_back(),
        Some("customer"),
        "it may come again, readable"
    );
    assert!(matches!(one("call").body, InboundBody::Call { .. }));
}

#[test]
fn the_state_of_the_link_is_news_about_the_account() {
    let InboundBody::Account { field, value } = one("session_status").body else {
        panic!("no news")
    };
    assert_eq!(field, "session.status");
    assert_eq!(
        super::super::Link::of(&value).state,
        super::super::LinkState::Replaced
    );
}

#[test]
fn what_came_over_another_session_or_to_another_number_is_not_this_number_s() {
    assert_eq!(one("another_session").account, "session:other");
    assert_eq!(one("another_number").account, "6281100000099");
}

#[test]
fn what_is_not_known_is_kept_whole() {
    for (raw, why) in [
        (&b"[]"[..], "not an object"),
        (b"{}", "names no event"),
        (b"\xff", "not JSON"),
        (br#"{"event":"message.dreamt"}"#, "message.dreamt"),
        (br#"{"event":"message","payload":{}}"#, "without id"),
        (
            br#"{"event":"message","payload":{"id":"A","from":"x@moon"}}"#,
            "of a kind that is not known",
        ),
    ] {
        let decoded = decode(raw, OWN);
        assert_eq!(decoded.events, []);
        assert!(decoded.problems[0].why.contains(why), "{decoded:?}");
    }
    let silent = changed("text", |webhook| webhook["payload"]["body"] = json!(""));
    assert!(matches!(&silent.events[0].body, InboundBody::Unknown { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_of_a_webhook_breaks_the_decoder(
        which: prop::sample::Index, picks in prop::collection::vec(0usize..64, 1..6), with in anything(&["true_1@c.us_", "true__"]))
    {
        let all = fixtures();
        let raw: &Vec<u8> = which.get(&all);
        let mut value: Value = serde_json::from_slice(raw).unwrap();
        mutate(&mut value, &mut picks.into_iter(), &with);
        let decoded = decode(&serde_json::to_vec(&value).unwrap(), OWN);
        prop_assert!(decoded.problems.len() + decoded.events.len() <= 1);
        for event in &decoded.events {
            prop_assert!(!event.key.0.is_empty());
            prop_assert!(serde_json::to_vec(event).is_ok());
            // Whoever can be heard can be answered.
            prop_assert!(event.who.role == Role::System || event.conversation.room.is_some());
        }
    }

    #[test]
    fn any_bytes_give_an_answer(which: prop::sample::Index, cut in 0usize..4096, noise in prop::collection::vec(any::<u8>(), 0..8)) {
        let all = fixtures();
        let raw = spoilt(which.get(&all).clone(), cut, noise);
        let decoded = decode(&raw, OWN);
        prop_assert!(decoded.problems.len() + decoded.events.len() <= 1);
    }
}

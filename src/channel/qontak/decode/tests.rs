//! Every kind of webhook, read from `fixtures/qontak`. Names, numbers and ids there are invented; shapes are Qontak's.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::channel::mutation::{anything, mutate, spoilt};

const OURS: &str = "fa914ed7-672d-4530-97bd-1c554ab2e1ee";
const ROOM: &str = "60246f36-165f-4edb-b86d-0d27698f6079";
const SARI: &str = "6281100000011";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/qontak")
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
    let Decoded { events, problems } = decode(&fixture(name), OURS);
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
    decode(&serde_json::to_vec(&value).unwrap(), OURS)
}

#[test]
fn a_text_carries_who_when_in_which_room_and_what_the_inbox_knows() {
    let event = one("text");
    assert_eq!(event.account, OURS);
    assert_eq!(event.key.0, "7ce02506-0e16-4e6f-9baa-df183d6558c5/customer");
    assert_eq!(event.at, Some("2026-03-31T10:00:01Z".parse().unwrap()));
    assert_eq!(
        event.who,
        Party {
            role: Role::User,
            phone: Some(SARI.into()),
            display_name: Some("Sari".into()),
            ..Party::default()
        }
    );
    assert_eq!(
        event.conversation,
        Conversation {
            room: Some(ROOM.into()),
            group: None,
            window: Window::Open,
            keeper: Keeper::Bot,
        }
    );
    assert_eq!(event.body, InboundBody::Text { body: "Hello".into() });
}

#[test]
fn a_payload_of_2021_is_told_by_who_wrote_it_and_its_status() {
    let event = one("text_2021");
    assert_eq!(event.who.role, Role::User);
    assert_eq!(event.conversation.window, Window::Unknown, "it names no session");
    let InboundBody::Status(status) = one("delivered_2021").body else {
        panic!("a status")
    };
    assert_eq!(status.state, DeliveryState::Delivered);
    assert_eq!(one("agent_2021").who.role, Role::Agent);
}

#[test]
fn what_comes_back_of_ours_and_of_agents_bears_its_role() {
    let agent = one("agent");
    assert_eq!(
        (agent.who.role, agent.conversation.keeper),
        (Role::Agent, Keeper::People)
    );
    assert_eq!(
        agent.who.phone.as_deref(),
        Some(SARI),
        "it is of the customer's thread"
    );
    assert!(matches!(agent.body, InboundBody::Echo { .. }));
    let own = one("own_echo");
    assert_eq!(own.who.role, Role::BotEcho);
    assert_ne!(own.key, one("text").key);
}

#[test]
fn statuses_say_how_far_a_message_got() {
    for (status, state) in [
        ("sent", DeliveryState::Sent),
        ("delivered", DeliveryState::Delivered),
        ("read", DeliveryState::Read),
        ("failed", DeliveryState::Failed),
    ] {
        let decoded = changed("status", |value| value["status"] = json!(status));
        let InboundBody::Status(told) = &decoded.events[0].body else {
            panic!("{status}")
        };
        assert_eq!((told.state, told.message_id.as_str()), (state, "own-message-1"));
        assert_eq!(told.ours.as_deref(), Some("1.2.0"));
        assert_eq!(decoded.events[0].key.0, format!("own-message-1/{status}"));
    }
    let created = changed("status", |value| value["status"] = json!("created"));
    assert_eq!(created, Decoded::default(), "that Qontak has it is known");
    let odd = changed("status", |value| value["status"] = json!("teleported"));
    assert!(
        matches!(odd.events[0].body, InboundBody::Unknown { .. }),
        "it is kept"
    );
}

#[test]
fn a_broadcast_log_is_the_status_of_its_template() {
    let event = one("broadcast_log");
    let InboundBody::Status(status) = event.body else {
        panic!("a status")
    };
    assert_eq!(status.message_id, "broadcast-1");
    assert_eq!(status.state, DeliveryState::Failed);
    assert_eq!(status.error.as_deref(), Some("(#131026) Message undeliverable"));
    assert_eq!(
        event.account, OURS,
        "a log that names no integration is of this one"
    );
}

#[test]
fn files_come_by_their_address() {
    let of = |name: &str| match one(name).body {
        InboundBody::Media(media) => media,
        other => panic!("{name}: {other:?}"),
    };
    let photo = of("image");
    assert_eq!(
        (photo.media, photo.caption.as_deref()),
        (MediaKind::Photo, Some("Is this it?"))
    );
    assert_eq!(photo.filename.as_deref(), Some("wheel.jpg"));
    assert_eq!(
        photo.handle,
        MediaHandle::Url("https://cdn.qontak.com/uploads/wheel.jpg".into())
    );
    assert_eq!(of("voice").media, MediaKind::Voice);
    let audio = |url: &str| {
        let decoded = changed("voice", |value| {
            value["type"] = json!("audio");
            value["file"] = json!({ "url": url });
        });
        match &decoded.events[0].body {
            InboundBody::Media(media) => media.media,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(audio("https://cdn.qontak.com/a.ogg?x=1"), MediaKind::Voice);
    assert_eq!(audio("https://cdn.qontak.com/a.mp3"), MediaKind::Audio);
    let without = changed("image", |value| value["file"] = json!(null));
    assert!(matches!(without.events[0].body, InboundBody::Unknown { .. }));
}

#[test]
fn a_tap_is_read_from_meta_s_fragment_and_without_one_from_its_title() {
    assert_eq!(
        one("tap").body,
        InboundBody::Choice {
            id: Some("sb.1.1:hello:track".into()),
            title: "Track my order".into()
        }
    );
    let as_text = changed("tap", |value| {
        value["raw_message"] = json!(value["raw_message"].to_string());
    });
    assert_eq!(
        as_text.events[0].body,
        one("tap").body,
        "JSON in a text is read, too"
    );
    let bare = changed("tap", |value| value["raw_message"] = json!(null));
    assert_eq!(
        bare.events[0].body,
        InboundBody::Text {
            body: "Track my order".into()
        }
    );
}

#[test]
fn rooms_tell_who_has_them() {
    let resolved = one("room_resolved");
    assert_eq!(
        resolved.body,
        InboundBody::Room {
            news: RoomNews::Resolved
        }
    );
    assert_eq!(resolved.conversation.keeper, Keeper::Unknown);
    assert_eq!(resolved.who.phone.as_deref(), Some(SARI));
    let news = |status: &str| {
        changed("room_updated", |value| {
            value["status"] = json!(status);
            value["last_message"] = json!(null);
        })
        .events
        .remove(0)
    };
    let assigned = news("assigned");
    assert_eq!(
        (assigned.body, assigned.conversation.keeper),
        (
            InboundBody::Room {
                news: RoomNews::Assigned
            },
            Keeper::People
        )
    );
    assert_eq!(news("unassigned").conversation.keeper, Keeper::Bot);
    assert!(matches!(news("deleted").body, InboundBody::Unknown { .. }));
}

#[test]
fn the_last_message_of_a_room_is_the_same_event_as_the_message_itself() {
    let events = all("room_updated");
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].body, InboundBody::Text { body: "Hello".into() });
    assert_eq!(events[0].key, one("text").key);
    assert_eq!(events[0].conversation.room.as_deref(), Some(ROOM));
    let resolved = changed("room_updated", |value| value["status"] = json!("resolved"));
    assert_eq!(resolved.events.len(), 1, "what was said in a closed room is over");
}

#[test]
fn an_event_of_another_channel_of_the_organisation_bears_its_id() {
    let other = changed("text", |value| {
        value["room"]["channel_integration_id"] = json!("another-integration");
    });
    assert_eq!(other.events[0].account, "another-integration");
}

#[test]
fn kinds_that_are_not_known_are_kept_whole() {
    let poll = changed("text", |value| value["type"] = json!("poll"));
    let InboundBody::Unknown { kind, raw } = &poll.events[0].body else {
        panic!("unknown")
    };
    assert_eq!((kind.as_deref(), &raw["text"]), (Some("poll"), &json!("Hello")));
    let odd = decode(br#"{"something": "else"}"#, OURS);
    assert_eq!((odd.events.len(), odd.problems.len()), (0, 1));
    assert_eq!(odd.problems[0].raw, r#"{"something": "else"}"#);
    for broken in [
        "",
        "[]",
        "7",
        "{\"id\":1,\"room_id\":2}",
        "\u{0}",
        "{\"room\":{}}",
    ] {
        let decoded = decode(broken.as_bytes(), OURS);
        assert_eq!(
            (decoded.events.len(), decoded.problems.len()),
            (0, 1),
            "{broken:?}"
        );
    }
}

#[test]
fn a_message_is_never_the_customer_s_unless_it_says_so() {
    let nameless = changed("text", |value| {
        for name in ["participant_type", "sender_type", "data_event"] {
            value[name] = json!(null);
        }
    });
    assert_eq!((nameless.events.len(), nameless.problems.len()), (0, 1));
    let agent = changed("text", |value| {
        value["participant_type"] = json!("agent");
        value["sender_type"] = json!("Models::User");
    });
    assert_eq!(agent.events[0].who.role, Role::Agent);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_of_a_webhook_breaks_the_decoder_and_none_is_lost_unseen(
        which: prop::sample::Index, picks in prop::collection::vec(0usize..64, 1..6), with in anything(&["{\"type\":\"interactive\"}"]))
    {
        let all = fixtures();
        let raw: &Vec<u8> = which.get(&all);
        let mut value: Value = serde_json::from_slice(raw).unwrap();
        mutate(&mut value, &mut picks.into_iter(), &with);
        let decoded = decode(&serde_json::to_vec(&value).unwrap(), OURS);
        prop_assert!(decoded.problems.len() <= 1);
        for event in &decoded.events {
            prop_assert!(!event.key.0.is_empty());
            prop_assert!(serde_json::to_vec(event).is_ok());
        }
    }

    #[test]
    fn any_bytes_give_an_answer(which: prop::sample::Index, cut in 0usize..4096, noise in prop::collection::vec(any::<u8>(), 0..8)) {
        let all = fixtures();
        let raw = spoilt(which.get(&all).clone(), cut, noise);
        let decoded = decode(&raw, OURS);
        prop_assert!(decoded.problems.len() <= 1);
        verify_info(&raw);
    }
}

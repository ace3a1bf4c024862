//! Every kind of webhook, read from `fixtures/meta`. Names, numbers and ids there are invented; shapes are Meta's.

use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::channel::Decoded;
use crate::channel::meta::envelope::decode;

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/meta/{name}.json"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/meta");
    let mut all: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.file_stem().unwrap().to_string_lossy().into_owned(),
                std::fs::read(&path).unwrap(),
            )
        })
        .collect();
    all.sort();
    all
}

/// The only event of a fixture that has no problems.
fn one(name: &str) -> Inbound {
    let Decoded { mut events, problems } = decode(&fixture(name));
    assert_eq!((events.len(), &problems[..]), (1, &[][..]), "{name}");
    events.remove(0)
}

fn media_of(name: &str) -> Media {
    match one(name).body {
        InboundBody::Media(media) => media,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_text_carries_who_when_and_which_number() {
    let event = one("text");
    assert_eq!(event.account, "106540352242922");
    assert_eq!(event.key.0, event.message_id.clone().unwrap());
    assert_eq!(event.at, Some("2026-03-31T10:00:01Z".parse().unwrap()));
    assert_eq!(
        event.who,
        Party {
            role: Role::User,
            phone: Some("6281100000011".into()),
            bsuid: Some("ID.8fKq2Z".into()),
            username: None,
            display_name: Some("Sari".into()),
        }
    );
    assert_eq!(
        event.body,
        InboundBody::Text {
            body: "Selamat pagi, masih buka? ☕".into()
        }
    );
}

#[test]
fn a_quote_a_forward_and_an_advertisement_are_kept() {
    assert_eq!(one("text_reply").reply_to.as_deref(), Some("wamid.OURS1"));
    assert_eq!(one("text_forwarded_often").forwarded, Forwarded::Often);
    assert_eq!(one("text_forwarded_often").reply_to, None);
    assert_eq!(one("text_from_ad").referral.unwrap()["source_type"], "ad");
}

#[test]
fn a_customer_without_a_phone_number_is_known_by_the_user_id() {
    let who = one("text_without_phone").who;
    assert_eq!((who.phone, who.bsuid.as_deref()), (None, Some("PT.4cXy01")));
    assert_eq!(
        (who.username.as_deref(), who.display_name.as_deref()),
        (Some("rui.demo"), Some("Rui"))
    );
}

#[test]
fn a_time_in_milliseconds_is_read_as_such() {
    assert_eq!(
        one("text_in_milliseconds").at,
        Some("2026-03-31T10:01:39.123Z".parse().unwrap())
    );
}

#[test]
fn media_of_every_kind() {
    for (name, kind) in [
        ("image", MediaKind::Photo),
        ("video", MediaKind::Video),
        ("voice", MediaKind::Voice),
        ("audio", MediaKind::Audio),
        ("document", MediaKind::Document),
        ("sticker", MediaKind::Sticker),
    ] {
        assert_eq!(media_of(name).media, kind, "{name}");
    }
    let image = media_of("image");
    assert!(matches!(image.handle, MediaHandle::Id { ref id, url: Some(_) } if id == "1003383421387256"));
    assert_eq!(
        (image.caption.as_deref(), image.mime.as_deref()),
        (Some("Rusak"), Some("image/jpeg"))
    );
    assert!(image.sha256.is_some());
    assert_eq!(media_of("document").filename.as_deref(), Some("struk.pdf"));
}

#[test]
fn a_location_with_numbers_or_with_texts() {
    let InboundBody::Location(place) = one("location").body else {
        panic!()
    };
    assert_eq!(
        (place.lat, place.lng, place.name.as_deref()),
        (-6.2087, 106.8456, Some("Rumah"))
    );
    let InboundBody::Location(place) = one("location_as_text").body else {
        panic!()
    };
    assert_eq!((place.lat, place.lng), (-6.2087, 106.8456));
}

#[test]
fn a_tap_is_a_choice_whatever_was_tapped() {
    let choice = |id: &str, title: &str| InboundBody::Choice {
        id: Some(id.into()),
        title: title.into(),
    };
    assert_eq!(one("button_reply").body, choice("o1", "Espresso"));
    assert_eq!(one("list_reply").body, choice("o7", "Tempe mendoan"));
    assert_eq!(one("template_button").body, choice("CONFIRM-1", "Ya, benar"));
}

#[test]
fn forms_cards_orders_and_reactions() {
    assert_eq!(
        one("form_reply").body,
        InboundBody::FormReply {
            response: json!({ "flow_token": "t", "seats": 4 })
        }
    );
    assert!(
        matches!(one("contacts").body, InboundBody::Contacts { cards } if cards[0]["name"]["formatted_name"] == "Budi")
    );
    assert!(
        matches!(one("order").body, InboundBody::Order { order } if order["product_items"][0]["quantity"] == 2)
    );
    let reaction = |emoji: Option<&str>| InboundBody::Reaction {
        target: "wamid.OURS4".into(),
        emoji: emoji.map(str::to_owned),
    };
    assert_eq!(one("reaction").body, reaction(Some("👍")));
    assert_eq!(one("reaction_removed").body, reaction(None));
}

#[test]
fn changes_of_identity() {
    let changed = one("number_changed");
    assert_eq!(
        (changed.who.phone.as_deref(), changed.who.role),
        (Some("6281100000011"), Role::System)
    );
    let identity = |phone: Option<&str>, bsuid: Option<&str>, key_changed| InboundBody::Identity {
        phone: phone.map(str::to_owned),
        bsuid: bsuid.map(str::to_owned),
        key_changed,
    };
    assert_eq!(changed.body, identity(Some("6281200000099"), None, false));
    assert_eq!(one("identity_changed").body, identity(None, None, true));
    assert_eq!(
        one("user_id_changed_message").body,
        identity(None, Some("ID.9newQ"), false)
    );
    let update = one("user_id_update");
    assert_eq!(
        (update.who.bsuid.as_deref(), update.body),
        (Some("ID.8fKq2Z"), identity(None, Some("ID.9newQ"), false))
    );
}

#[test]
fn edits_and_deletions_name_their_message() {
    let body = Box::new(InboundBody::Text {
        body: "Dua, bukan tiga".into(),
    });
    assert_eq!(
        one("edit").body,
        InboundBody::Edited {
            target: "wamid.THEIRS1".into(),
            body
        }
    );
    assert_eq!(
        one("revoke").body,
        InboundBody::Revoked {
            target: "wamid.THEIRS1".into()
        }
    );
}

#[test]
fn what_meta_cannot_hand_over_and_what_we_do_not_know_is_kept() {
    assert_eq!(
        one("unsupported").body,
        InboundBody::Unsupported {
            what: Some("poll".into()),
            code: Some(131051)
        }
    );
    let Decoded { events, problems } = decode(&fixture("interactive_missing"));
    assert_eq!(
        (events[0].body.clone(), problems),
        (
            InboundBody::Unsupported {
                what: None,
                code: Some(131000)
            },
            vec![]
        )
    );
    for (name, kind) in [
        ("unknown_kind", "pin"),
        ("call_permission_reply", "interactive/call_permission_reply"),
        ("status_unheard_of", "status/archived"),
        ("field_unheard_of", "hologram_update"),
    ] {
        assert!(
            matches!(one(name).body, InboundBody::Unknown { kind: Some(ref k), .. } if k == kind),
            "{name}"
        );
    }
}

#[test]
fn statuses_keep_their_order_their_keys_and_our_own_id() {
    let Decoded { events, problems } = decode(&fixture("statuses"));
    assert_eq!(problems, []);
    let states: Vec<DeliveryState> = events
        .iter()
        .map(|event| match &event.body {
            InboundBody::Status(update) => update.state,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        states,
        [
            DeliveryState::Sent,
            DeliveryState::Read,
            DeliveryState::Delivered,
            DeliveryState::Played
        ]
    );
    assert_eq!(events[1].key.0, "wamid.OURS6/read");
    assert!(
        matches!(&events[0].body, InboundBody::Status(update) if update.ours.as_deref() == Some("1.7.0"))
    );
    assert!(
        events
            .iter()
            .all(|event| event.who.role == Role::System && !event.body.starts_a_turn())
    );
}

#[test]
fn a_failure_says_why() {
    let InboundBody::Status(update) = one("status_failed").body else {
        panic!()
    };
    assert_eq!(
        (update.state, update.error_code),
        (DeliveryState::Failed, Some(131047))
    );
    assert!(update.error.unwrap().contains("more than 24 hours"));
}

#[test]
fn groups_are_told_apart_from_people() {
    assert_eq!(
        one("group_text").conversation.group.as_deref(),
        Some("Y2FwaV9ncm91cA")
    );
    let status = one("status_group");
    assert_eq!(status.key.0, "wamid.OURS7/delivered/6281100000011");
    assert_eq!(status.who.phone.as_deref(), Some("6281100000011"));
}

#[test]
fn an_echo_belongs_to_the_customers_thread_and_to_a_person() {
    let echo = one("echo");
    assert_eq!(
        (echo.who.role, echo.who.phone.as_deref()),
        (Role::Agent, Some("6281100000011"))
    );
    assert_eq!(echo.key.0, "wamid.ECHO1");
    assert!(matches!(echo.body, InboundBody::Echo { .. }));
}

#[test]
fn preferences_calls_and_news_of_the_account() {
    let Decoded { events, problems } = decode(&fixture("user_preferences"));
    assert_eq!(problems, []);
    let marketing: Vec<&InboundBody> = events.iter().map(|event| &event.body).collect();
    assert_eq!(
        marketing,
        [
            &InboundBody::Preference { marketing: false },
            &InboundBody::Preference { marketing: true }
        ]
    );
    assert!(events[0].at.is_some());
    assert!(matches!(one("calls").body, InboundBody::Call { .. }));
    for (name, field, account) in [
        (
            "template_status",
            "message_template_status_update",
            "102290129340398",
        ),
        ("quality", "phone_number_quality_update", "102290129340398"),
        ("errors_alone", "errors", "106540352242922"),
    ] {
        let event = one(name);
        assert!(
            matches!(event.body, InboundBody::Account { field: ref f, .. } if f == field),
            "{name}"
        );
        assert_eq!(event.account, account);
    }
}

#[test]
fn one_bad_element_never_spoils_the_batch() {
    let Decoded { events, problems } = decode(&fixture("batch"));
    let texts: Vec<String> = events
        .iter()
        .filter_map(|event| match &event.body {
            InboundBody::Text { body } => Some(format!("{} {body}", event.account)),
            _ => None,
        })
        .collect();
    assert_eq!(
        texts,
        [
            "106540352242922 satu",
            "106540352242922 dua",
            "106540352242922 tiga",
            "106540352249999 empat"
        ]
    );
    assert_eq!(events.len(), 5);
    let places: Vec<&str> = problems.iter().map(|problem| problem.place.as_str()).collect();
    assert_eq!(
        places,
        [
            "entry[0].changes[0].value.messages[1]",
            "entry[0].changes[0].value.messages[3]",
            "entry[0].changes[1]",
            "entry[0].changes[2].value.statuses[1]",
            "entry[1]",
        ]
    );
    assert_eq!(problems[1].raw, "\"not an object\"");
    assert!(
        problems[0].raw.contains("\"no\": \"body\""),
        "{}",
        problems[0].raw
    );
}

#[test]
fn the_escapes_of_metas_own_writer_are_read() {
    let event = r#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{
        "metadata":{"phone_number_id":"2"},"messages":[
            {"from":"6281100000011","id":"a","timestamp":"1","type":"text","text":{"body":"\u2615 a\/b \u0040"}},
            {"from":"6281100000011","id":"b","timestamp":"1","type":"text","text":{"body":"half an emoji: \ud83d"}}]}}]}]}"#;
    let Decoded { events, problems } = decode(event.as_bytes());
    assert_eq!(events.len(), 1);
    assert_eq!(
        events[0].body,
        InboundBody::Text {
            body: "☕ a/b @".into()
        }
    );
    assert_eq!(problems[0].place, "entry[0].changes[0].value.messages[1]");
}

#[test]
fn a_body_that_is_no_webhook_is_one_problem_with_its_bytes() {
    for raw in [
        &b""[..],
        b"[]",
        b"null",
        b"{\"object\":1}",
        b"\xff\xfe",
        b"{\"entry\":{}}",
    ] {
        let Decoded { events, problems } = decode(raw);
        assert_eq!((events.len(), problems.len()), (0, 1), "{raw:?}");
    }
}

#[test]
fn nesting_is_limited_before_anything_is_parsed() {
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    let problems = decode(deep.as_bytes()).problems;
    assert_eq!(problems[0].why, "nested deeper than 64 levels");
    assert!(problems[0].raw.len() <= 64 * 1024);
}

#[test]
fn the_same_news_has_the_same_key_whatever_the_order_of_its_members() {
    let news = |value: &str| {
        let raw =
            format!(r#"{{"entry":[{{"id":"1","changes":[{{"field":"account_update","value":{value}}}]}}]}}"#);
        decode(raw.as_bytes()).events.remove(0).key
    };
    assert_eq!(
        news(r#"{"a":1,"b":[true,"x"]}"#),
        news(r#"{"b":[true,"x"],"a":1}"#)
    );
    assert_ne!(news(r#"{"a":1}"#), news(r#"{"a":2}"#));
    assert_ne!(news(r#"{"a":["b","c"]}"#), news(r#"{"a":["bc"]}"#));
}

#[test]
fn every_event_survives_being_stored() {
    for (name, raw) in fixtures() {
        for event in decode(&raw).events {
            let stored = serde_json::to_vec(&event).unwrap();
            assert_eq!(
                serde_json::from_slice::<Inbound>(&stored).unwrap(),
                event,
                "{name}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_bytes_never_panic(raw in proptest::collection::vec(any::<u8>(), 0..400)) {
        decode(&raw);
    }

    #[test]
    fn mutated_webhooks_never_panic(pick: prop::sample::Index, cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..8)) {
        let all = fixtures();
        let mut raw = all[pick.index(all.len())].1.clone();
        for (at, byte, what) in cuts {
            let at = at.index(raw.len());
            match what {
                0 => raw[at] = byte,
                1 => { raw.remove(at); }
                _ => raw.insert(at, byte),
            }
            if raw.is_empty() { break; }
        }
        decode(&raw);
    }

    /// Every value of a webhook replaced by one of another kind, wherever it stands.
    #[test]
    fn a_value_of_the_wrong_kind_never_panics_and_never_loses_its_neighbours(pick: prop::sample::Index, at: prop::sample::Index, with in 0..6usize) {
        let strange = [json!(null), json!(7), json!(""), json!([]), json!({}), json!({ "a": [1.5e300] })];
        let all = fixtures();
        let mut value: Value = serde_json::from_slice(&all[pick.index(all.len())].1).unwrap();
        let paths = pointers(&value, String::new());
        *value.pointer_mut(&paths[at.index(paths.len())]).unwrap() = strange[with].clone();
        let neighbour = json!({ "id": "9", "changes": [{ "field": "messages", "value": { "metadata": { "phone_number_id": "1" },
            "messages": [{ "from": "6281100000019", "id": "neighbour", "type": "text", "text": { "body": "still here" } }] } }] });
        if let Some(Value::Array(entries)) = value.get_mut("entry") {
            entries.push(neighbour);
            let events = decode(&serde_json::to_vec(&value).unwrap()).events;
            prop_assert!(events.iter().any(|event| event.key.0 == "neighbour"));
        } else {
            decode(&serde_json::to_vec(&value).unwrap());
        }
    }
}

fn pointers(value: &Value, here: String) -> Vec<String> {
    let below: Vec<String> = match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| pointers(value, format!("{here}/{name}")))
            .collect(),
        Value::Array(elements) => elements
            .iter()
            .enumerate()
            .flat_map(|(at, value)| pointers(value, format!("{here}/{at}")))
            .collect(),
        _ => Vec::new(),
    };
    [here].into_iter().chain(below).collect()
}

//! The exact bodies, one test a kind.

use serde_json::{Value, json};

use super::*;
use crate::channel::{Row, Show};
use crate::message::{ButtonValue, QuickReply, TemplateHeader, TemplateParts};

fn send(show: Show) -> Step {
    Step::Send {
        to: Address::WaId("6281100000011".into()),
        reply_to: None,
        ours: None,
        after_delivery: false,
        show,
    }
}

fn body(step: &Step) -> Value {
    serde_json::from_slice(&body_of(step).unwrap()).unwrap()
}

/// The body of a message to the usual customer, with `content` added.
fn message(content: Value) -> Value {
    let mut message =
        json!({ "messaging_product": "whatsapp", "recipient_type": "individual", "to": "6281100000011" });
    for (name, value) in content.as_object().unwrap() {
        message[name] = value.clone();
    }
    message
}

#[test]
fn a_text_says_whether_links_are_previewed() {
    let show = Show::Text {
        body: "Selamat pagi ☀️".into(),
        preview: true,
    };
    assert_eq!(
        body(&send(show)),
        message(json!({ "type": "text", "text": { "body": "Selamat pagi ☀️", "preview_url": true } }))
    );
}

#[test]
fn an_address_is_sent_exactly_as_it_is() {
    let show = Show::Text {
        body: "Hi".into(),
        preview: false,
    };
    let to = |to: Address| {
        body(&Step::Send {
            to,
            reply_to: None,
            ours: None,
            after_delivery: false,
            show: show.clone(),
        })
    };
    assert_eq!(to(Address::WaId("5215550000111".into()))["to"], "5215550000111");
    assert_eq!(to(Address::Phone("+351910000111".into()))["to"], "+351910000111");
    let bsuid = to(Address::Bsuid("ID.3f9a".into()));
    assert_eq!(
        (&bsuid["recipient"], &bsuid["to"]),
        (&json!("ID.3f9a"), &Value::Null)
    );
}

#[test]
fn a_quote_and_our_own_id_travel_along() {
    let step = Step::Send {
        to: Address::WaId("6281100000011".into()),
        reply_to: Some("wamid.Q".into()),
        ours: Some("1.17.0".into()),
        after_delivery: true,
        show: Show::Text {
            body: "Hi".into(),
            preview: false,
        },
    };
    assert_eq!(
        body(&step),
        message(
            json!({ "type": "text", "text": { "body": "Hi", "preview_url": false },
            "context": { "message_id": "wamid.Q" }, "biz_opaque_callback_data": "1.17.0" })
        )
    );
}

#[test]
fn our_own_id_is_never_longer_than_the_api_takes() {
    let step = |size: usize| Step::Send {
        to: Address::WaId("6281100000011".into()),
        reply_to: None,
        ours: Some("x".repeat(size)),
        after_delivery: false,
        show: Show::Text {
            body: "Hi".into(),
            preview: false,
        },
    };
    assert!(body_of(&step(512)).is_ok());
    assert!(matches!(
        body_of(&step(513)),
        Err(EncodeError::TooLong { size: 513, .. })
    ));
}

#[test]
fn reply_buttons() {
    let show = Show::Buttons {
        header: Some("Kopi".into()),
        body: "Hot or iced?".into(),
        footer: None,
        buttons: vec![
            Button {
                id: "hot".into(),
                title: "Hot".into(),
            },
            Button {
                id: "iced".into(),
                title: "Iced".into(),
            },
        ],
    };
    assert_eq!(
        body(&send(show)),
        message(json!({ "type": "interactive", "interactive": { "type": "button",
            "header": { "type": "text", "text": "Kopi" }, "body": { "text": "Hot or iced?" },
            "action": { "buttons": [
                { "type": "reply", "reply": { "id": "hot", "title": "Hot" } },
                { "type": "reply", "reply": { "id": "iced", "title": "Iced" } } ] } } }))
    );
}

#[test]
fn a_template_with_its_blanks_in_order() {
    let show = Show::Template {
        name: "repair_ready".into(),
        language: "en".into(),
        params: vec!["Maria".into(), "18:00".into()],
        text: "Hi Maria, your bike is ready until 18:00.".into(),
        parts: Box::default(),
    };
    assert_eq!(
        body(&send(show)),
        message(json!({ "type": "template", "template": { "name": "repair_ready",
            "language": { "code": "en" }, "components": [ { "type": "body", "parameters": [
                { "type": "text", "text": "Maria" }, { "type": "text", "text": "18:00" } ] } ] } }))
    );
}

#[test]
fn a_template_with_a_picture_blanks_by_name_and_buttons() {
    let header = TemplateHeader::File {
        media: MediaKind::Photo,
        url: "https://shop.example/bike.png".into(),
        filename: None,
    };
    let button = |index, copies, value: &str| ButtonValue {
        index,
        copies,
        value: value.into(),
    };
    let show = Show::Template {
        name: "repair_ready".into(),
        language: "en".into(),
        params: vec!["Maria".into()],
        text: "Hi Maria.".into(),
        parts: Box::new(TemplateParts {
            names: vec!["first_name".into()],
            header: Some(header),
            buttons: vec![button(2, false, "A-1"), button(3, true, "HALF")],
            replies: ["yes", "no"]
                .map(|id| QuickReply {
                    title: id.to_uppercase(),
                    id: id.to_owned(),
                })
                .to_vec(),
        }),
    };
    assert_eq!(
        body(&send(show)),
        message(json!({ "type": "template", "template": { "name": "repair_ready",
            "language": { "code": "en" }, "components": [
                { "type": "header", "parameters": [
                    { "type": "image", "image": { "link": "https://shop.example/bike.png" } } ] },
                { "type": "body", "parameters": [
                    { "type": "text", "parameter_name": "first_name", "text": "Maria" } ] },
                { "type": "button", "sub_type": "url", "index": "2", "parameters": [
                    { "type": "text", "text": "A-1" } ] },
                { "type": "button", "sub_type": "copy_code", "index": "3", "parameters": [
                    { "type": "coupon_code", "coupon_code": "HALF" } ] },
                { "type": "button", "sub_type": "quick_reply", "index": "0", "parameters": [
                    { "type": "payload", "payload": "yes" } ] },
                { "type": "button", "sub_type": "quick_reply", "index": "1", "parameters": [
                    { "type": "payload", "payload": "no" } ] } ] } }))
    );
}

#[test]
fn a_list() {
    let row = |id: &str, title: &str, description: Option<&str>| Row {
        id: id.into(),
        title: title.into(),
        description: description.map(str::to_owned),
    };
    let show = Show::List {
        header: None,
        body: "What may it be?".into(),
        footer: Some("Prices with tax".into()),
        open: "See menu".into(),
        sections: vec![
            Section {
                title: Some("Coffee".into()),
                rows: vec![row("a", "Espresso", Some("Short"))],
            },
            Section {
                title: Some("Tea".into()),
                rows: vec![row("b", "Green", None)],
            },
        ],
    };
    assert_eq!(
        body(&send(show)),
        message(json!({ "type": "interactive", "interactive": { "type": "list",
            "body": { "text": "What may it be?" }, "footer": { "text": "Prices with tax" },
            "action": { "button": "See menu", "sections": [
                { "title": "Coffee", "rows": [{ "id": "a", "title": "Espresso", "description": "Short" }] },
                { "title": "Tea", "rows": [{ "id": "b", "title": "Green" }] } ] } } }))
    );
}

#[test]
fn a_link_button() {
    let show = Show::Link {
        header: None,
        body: "Our menu".into(),
        footer: None,
        label: "Open".into(),
        url: "https://kopi.example/menu".into(),
    };
    assert_eq!(
        body(&send(show)),
        message(
            json!({ "type": "interactive", "interactive": { "type": "cta_url", "body": { "text": "Our menu" },
            "action": { "name": "cta_url",
                "parameters": { "display_text": "Open", "url": "https://kopi.example/menu" } } } })
        )
    );
}

#[test]
fn a_form_opens_at_its_first_screen_and_carries_its_token() {
    let show = Show::Form {
        header: None,
        body: "Where shall we bring it?".into(),
        footer: None,
        label: "Fill in".into(),
        form: "1234567890".into(),
        token: "sb.1.2:errands/a.details:form".into(),
    };
    assert_eq!(
        body(&send(show)),
        message(json!({ "type": "interactive", "interactive": { "type": "flow",
            "body": { "text": "Where shall we bring it?" },
            "action": { "name": "flow", "parameters": { "flow_message_version": "3",
                "flow_token": "sb.1.2:errands/a.details:form", "flow_id": "1234567890", "flow_cta": "Fill in",
                "flow_action": "navigate" } } } }))
    );
}

#[test]
fn a_request_for_the_location() {
    assert_eq!(
        body(&send(Show::AskLocation {
            body: "Where are you?".into()
        })),
        message(
            json!({ "type": "interactive", "interactive": { "type": "location_request_message",
            "body": { "text": "Where are you?" }, "action": { "name": "send_location" } } })
        )
    );
}

#[test]
fn a_location() {
    let place = Place {
        lat: -6.2,
        lng: 106.8,
        name: Some("Kopi Senja".into()),
        address: None,
    };
    assert_eq!(
        body(&send(Show::Location(place))),
        message(json!({ "type": "location",
            "location": { "latitude": -6.2, "longitude": 106.8, "name": "Kopi Senja" } }))
    );
}

#[test]
fn media_by_id_and_by_link() {
    let media = |media, source, caption: Option<&str>, filename: Option<&str>| {
        let show = Show::Media {
            media,
            source,
            caption: caption.map(str::to_owned),
            filename: filename.map(str::to_owned),
        };
        body(&send(show))
    };
    let id = || MediaSource::Id("42".into());
    let link = || MediaSource::Url("https://kopi.example/a".into());
    for (sent, content) in [
        (
            media(MediaKind::Photo, id(), Some("Ours"), None),
            json!({ "type": "image", "image": { "id": "42", "caption": "Ours" } }),
        ),
        (
            media(MediaKind::Video, link(), None, None),
            json!({ "type": "video", "video": { "link": "https://kopi.example/a" } }),
        ),
        (
            media(MediaKind::Voice, id(), None, None),
            json!({ "type": "audio", "audio": { "id": "42", "voice": true } }),
        ),
        (
            media(MediaKind::Audio, id(), None, None),
            json!({ "type": "audio", "audio": { "id": "42" } }),
        ),
        (
            media(MediaKind::Sticker, id(), None, None),
            json!({ "type": "sticker", "sticker": { "id": "42" } }),
        ),
        (
            media(MediaKind::Document, link(), Some("Menu"), Some("menu.pdf")),
            json!({ "type": "document",
                "document": { "link": "https://kopi.example/a", "caption": "Menu", "filename": "menu.pdf" } }),
        ),
    ] {
        assert_eq!(sent, message(content));
    }
}

#[test]
fn a_file_must_be_uploaded_first() {
    let show = |source| Show::Media {
        media: MediaKind::Photo,
        source,
        caption: None,
        filename: None,
    };
    let step = send(show(MediaSource::File("menu.jpg".into())));
    assert_eq!(step.file(), Some("menu.jpg"));
    assert_eq!(body_of(&step), Err(EncodeError::NotUploaded("menu.jpg".into())));
    assert_eq!(body(&step.uploaded("42".into()))["image"]["id"], "42");
}

#[test]
fn a_read_receipt_and_the_typing_sign_are_one_request() {
    let seen = |typing| {
        body(&Step::Seen {
            message_id: "wamid.A".into(),
            typing,
        })
    };
    assert_eq!(
        seen(false),
        json!({ "messaging_product": "whatsapp", "status": "read", "message_id": "wamid.A" })
    );
    assert_eq!(seen(true)["typing_indicator"], json!({ "type": "text" }));
}

#[test]
fn an_upload_is_a_multipart_form_that_no_file_can_break_out_of() {
    let bytes = b"--switchboard\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\nevil".to_vec();
    let upload = Upload {
        filename: "a\"\r\nX: y.ogg".into(),
        mime: "audio/ogg".into(),
        bytes: bytes.clone(),
    };
    let (content_type, form) = form_of(&upload);
    let boundary = content_type
        .strip_prefix("multipart/form-data; boundary=")
        .unwrap();
    assert!(boundary.len() <= 77, "longer than a boundary may be");
    let text = String::from_utf8(form).unwrap();
    let parts: Vec<&str> = text.split(&format!("--{boundary}")).collect();
    assert_eq!(parts.len(), 5, "{text}");
    assert!(
        parts[3].contains("name=\"file\"; filename=\"aX: y.ogg\"\r\nContent-Type: audio/ogg\r\n\r\n"),
        "{text}"
    );
    assert!(parts[3].ends_with("evil\r\n") && parts[4] == "--\r\n", "{text}");
}

#[test]
fn a_reaction_names_the_message_it_stands_at() {
    let show = Show::React {
        emoji: "👍".into(),
        target: "wamid.1".into(),
    };
    let sent = body(&send(show));
    assert_eq!(sent["type"], "reaction");
    assert_eq!(
        sent["reaction"],
        json!({ "message_id": "wamid.1", "emoji": "👍" })
    );
}

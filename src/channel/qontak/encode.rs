//! From a [`Step`] to the request of Qontak's API, without credentials: those are put on by [`super::access`]. Messages
//! go to rooms; only templates go to a number, which opens a room.
//!
//! Source: Qontak's Open API (2021) and the requests of public integrations (2024-2026).

use http::Method;
use serde_json::{Value, json};

use super::{HandOff, QontakSettings};
use crate::channel::form::form;
use crate::channel::{EncodeError, HttpRequest, Section, Show, Step, Upload};
use crate::message::{Address, MediaKind, MediaSource, TemplateHeader};

pub(super) fn request(settings: &QontakSettings, step: &Step) -> Result<HttpRequest, EncodeError> {
    match step {
        Step::Seen { .. } => Err(unsupported("read receipts")),
        Step::HandOff { room, team } => hand_off(settings, room, team),
        Step::Resolve { room } => {
            let path = format!("rooms/{}/resolve", segment(room)?);
            Ok(HttpRequest::new(Method::PUT, settings.address(&path)))
        }
        Step::Send { to, show, .. } => match to {
            Address::Room { id, phone } => to_room(settings, id, phone.as_deref(), show),
            Address::Phone(number) | Address::WaId(number) => match show {
                Show::Template { .. } => broadcast(settings, number, show),
                Show::Text { .. }
                | Show::Buttons { .. }
                | Show::List { .. }
                | Show::Link { .. }
                | Show::Form { .. }
                | Show::Media { .. }
                | Show::Location(_)
                | Show::React { .. }
                | Show::AskLocation { .. } => {
                    Err(unsupported("anything but a template to a number without a room"))
                }
            },
            Address::Bsuid(_) => Err(unsupported("to a user id")),
        },
    }
}

fn to_room(
    settings: &QontakSettings,
    room: &str,
    phone: Option<&str>,
    show: &Show,
) -> Result<HttpRequest, EncodeError> {
    match show {
        Show::Text { body, preview: _ } => Ok(post(
            settings,
            "messages/whatsapp/bot",
            &json!({ "room_id": room, "type": "text", "text": body }),
        )),
        Show::Buttons {
            header: _,
            body,
            footer: _,
            buttons,
        } => {
            let buttons: Vec<Value> = buttons
                .iter()
                .map(|button| json!({ "id": button.id, "title": button.title }))
                .collect();
            Ok(interactive(
                settings,
                room,
                "button",
                &json!({ "body": body, "buttons": buttons }),
            ))
        }
        Show::List {
            header: _,
            body,
            footer: _,
            open,
            sections,
        } => {
            let sections: Vec<Value> = sections.iter().map(section_of).collect();
            let lists = json!({ "button": open, "sections": sections });
            Ok(interactive(
                settings,
                room,
                "list",
                &json!({ "body": body, "lists": lists }),
            ))
        }
        Show::Template { params, parts, .. } => match phone {
            // A room takes a template that has no blanks; one with values goes to the number, into the same room.
            // Its quick replies come back as their words.
            _ if params.is_empty() && parts.header.is_none() && parts.buttons.is_empty() => {
                in_room(settings, room, show)
            }
            None => Err(unsupported(
                "a template with values to a customer whose number is not known",
            )),
            Some(phone) => broadcast(settings, phone, show),
        },
        Show::Media { source, .. } => match source {
            MediaSource::File(path) => Err(EncodeError::NotUploaded(path.clone())),
            MediaSource::Url(_) | MediaSource::Id(_) => Err(unsupported("a file by its address")),
        },
        Show::Link { .. } => Err(unsupported("a link button")),
        Show::Form { .. } => Err(unsupported("a form")),
        Show::Location(_) => Err(unsupported("a place")),
        Show::React { .. } => Err(unsupported("a reaction")),
        Show::AskLocation { .. } => Err(unsupported("the question for a place")),
    }
}

/// A file of the business goes into the room in one request with its bytes.
pub(super) fn with_file(
    settings: &QontakSettings,
    step: &Step,
    upload: &Upload,
) -> Result<HttpRequest, EncodeError> {
    let Step::Send {
        to: Address::Room { id, .. },
        show: Show::Media { media, .. },
        ..
    } = step
    else {
        return Err(unsupported("a file to a customer without a room"));
    };
    let kind = match media {
        // It has no stickers; a sticker is a picture.
        MediaKind::Photo | MediaKind::Sticker => "image",
        MediaKind::Video => "video",
        MediaKind::Voice => "voice",
        MediaKind::Audio => "audio",
        MediaKind::Document => "document",
    };
    let (content_type, bytes) = form(&[("room_id", id), ("type", kind)], upload);
    let address = settings.address("messages/whatsapp/bot");
    Ok(HttpRequest::new(Method::POST, address).body(&content_type, bytes))
}

/// A file by itself, for the header of a template; its answer holds the address.
pub(super) fn upload(settings: &QontakSettings, upload: &Upload) -> HttpRequest {
    let (content_type, bytes) = form(&[], upload);
    HttpRequest::new(Method::POST, settings.address("file_uploader")).body(&content_type, bytes)
}

fn in_room(settings: &QontakSettings, room: &str, show: &Show) -> Result<HttpRequest, EncodeError> {
    let body = json!({ "room_id": room, "message_template_id": template_of(settings, show)? });
    Ok(post(settings, "messages/whatsapp/hsm", &body))
}

fn broadcast(settings: &QontakSettings, number: &str, show: &Show) -> Result<HttpRequest, EncodeError> {
    let template = template_of(settings, show)?;
    let Show::Template {
        language,
        params,
        parts,
        ..
    } = show
    else {
        return Err(unsupported("anything but a template to a number"));
    };
    let digits = number.trim_start_matches('+');
    let values: Vec<Value> = (1..)
        .zip(params)
        .map(
            |(at, text)| json!({ "key": at.to_string(), "value": format!("value_{at}"), "value_text": text }),
        )
        .collect();
    let mut body = json!({
        // Qontak insists on a name, and a message of ours has none.
        "to_name": digits,
        "to_number": digits,
        "message_template_id": template,
        "channel_integration_id": settings.channel_integration_id,
        "language": { "code": language },
        "parameters": { "body": values },
    });
    match &parts.header {
        None => {}
        Some(TemplateHeader::Text(text)) => {
            let value = json!({ "key": "1", "value": "value_1", "value_text": text });
            body["parameters"]["header"] = json!({ "format": "TEXT", "params": [value] });
        }
        Some(TemplateHeader::File { media, url, filename }) => {
            let format = match media {
                MediaKind::Photo | MediaKind::Sticker => "IMAGE",
                MediaKind::Video => "VIDEO",
                MediaKind::Voice | MediaKind::Audio | MediaKind::Document => "DOCUMENT",
            };
            // It insists on a name for every file.
            let filename = filename.as_deref().unwrap_or("file");
            body["parameters"]["header"] = json!({ "format": format, "params": [
                { "key": "url", "value": url }, { "key": "filename", "value": filename } ] });
        }
    }
    if !parts.buttons.is_empty() {
        let buttons: Vec<Value> = parts
            .buttons
            .iter()
            .map(|button| {
                let kind = if button.copies { "copy_code" } else { "url" };
                json!({ "index": button.index.to_string(), "type": kind, "value": button.value })
            })
            .collect();
        body["parameters"]["buttons"] = json!(buttons);
    }
    Ok(post(settings, "broadcasts/whatsapp/direct", &body))
}

/// Templates are named by UUID at Qontak: the settings say which, unless the flow names the UUID itself.
fn template_of(settings: &QontakSettings, show: &Show) -> Result<String, EncodeError> {
    let Show::Template { name, .. } = show else {
        return Err(unsupported("a template that is none"));
    };
    match settings.templates.get(name) {
        Some(id) => Ok(id.clone()),
        None if is_uuid(name) => Ok(name.clone()),
        None => Err(EncodeError::UnknownTemplate(name.clone())),
    }
}

/// Whether it has the form of a UUID.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn hand_off(settings: &QontakSettings, room: &str, team: &str) -> Result<HttpRequest, EncodeError> {
    let room = segment(room)?;
    let path = match (settings.agents.get(team), settings.hand_off) {
        (Some(agent), _) => format!("rooms/{room}/agents/{}", segment(agent)?),
        (None, HandOff::RoundRobin) => format!("rooms/{room}/assign_round_robin"),
        (None, HandOff::Leave) => return Err(unsupported("a room to nobody")),
    };
    Ok(HttpRequest::new(Method::POST, settings.address(&path)))
}

/// An id that may stand in a path.
fn segment(id: &str) -> Result<&str, EncodeError> {
    let plain = !id.is_empty()
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if plain {
        Ok(id)
    } else {
        Err(unsupported("to a room whose id is none"))
    }
}

fn interactive(settings: &QontakSettings, room: &str, kind: &str, interactive: &Value) -> HttpRequest {
    let body = json!({ "room_id": room, "type": kind, "interactive": interactive });
    post(settings, "messages/whatsapp/interactive_message/bot", &body)
}

fn section_of(section: &Section) -> Value {
    let rows: Vec<Value> = section
        .rows
        .iter()
        .map(|row| {
            let mut shown = json!({ "id": row.id, "title": row.title });
            if let Some(description) = &row.description {
                shown["description"] = json!(description);
            }
            shown
        })
        .collect();
    let mut shown = json!({ "rows": rows });
    if let Some(title) = &section.title {
        shown["title"] = json!(title);
    }
    shown
}

fn post(settings: &QontakSettings, path: &str, body: &Value) -> HttpRequest {
    HttpRequest::new(Method::POST, settings.address(path))
        .body("application/json", body.to_string().into_bytes())
}

fn unsupported(what: &'static str) -> EncodeError {
    EncodeError::Unsupported {
        provider: "Qontak",
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{Button, Row};

    const ROOM: &str = "60246f36-165f-4edb-b86d-0d27698f6079";
    const TEMPLATE: &str = "7bf2d2a0-5a4c-4d5c-9a3c-2f0e6f2d1c11";

    fn settings() -> QontakSettings {
        let mut settings = super::super::tests::settings();
        settings.templates.insert("order_update".into(), TEMPLATE.into());
        settings.agents.insert("support".into(), "agent-1".into());
        settings
    }

    fn to_room(show: Show) -> Step {
        Step::Send {
            to: Address::Room {
                id: ROOM.into(),
                phone: Some("6281100000011".into()),
            },
            reply_to: None,
            ours: Some("1.2.0".into()),
            after_delivery: false,
            show,
        }
    }

    fn sent(step: &Step) -> (String, Value) {
        let request = request(&settings(), step).unwrap();
        assert!(
            request.headers.get("authorization").is_none(),
            "credentials are not the codec's"
        );
        let path = request
            .url
            .strip_prefix("http://127.0.0.1:4000/api/open/v1")
            .unwrap()
            .to_owned();
        (
            format!("{} {path}", request.method),
            serde_json::from_slice(&request.body).unwrap_or_default(),
        )
    }

    #[test]
    fn a_text_goes_into_the_room_as_the_bot_s() {
        let text = to_room(Show::Text {
            body: "Hi".into(),
            preview: true,
        });
        assert_eq!(
            sent(&text),
            (
                "POST /messages/whatsapp/bot".into(),
                json!({ "room_id": ROOM, "type": "text", "text": "Hi" })
            )
        );
    }

    #[test]
    fn buttons_and_lists_have_qontak_s_shape() {
        let buttons = to_room(Show::Buttons {
            header: None,
            body: "Shall we?".into(),
            footer: None,
            buttons: vec![Button {
                id: "o1".into(),
                title: "Yes".into(),
            }],
        });
        let interactive = "POST /messages/whatsapp/interactive_message/bot";
        assert_eq!(
            sent(&buttons),
            (
                interactive.into(),
                json!({ "room_id": ROOM, "type": "button",
                    "interactive": { "body": "Shall we?", "buttons": [{ "id": "o1", "title": "Yes" }] } })
            )
        );
        let row = Row {
            id: "o1".into(),
            title: "Espresso".into(),
            description: Some("short".into()),
        };
        let list = to_room(Show::List {
            header: None,
            body: "What?".into(),
            footer: None,
            open: "Menu".into(),
            sections: vec![Section {
                title: Some("Coffee".into()),
                rows: vec![row],
            }],
        });
        assert_eq!(
            sent(&list).1["interactive"],
            json!({ "body": "What?", "lists": { "button": "Menu", "sections": [{ "rows":
                [{ "id": "o1", "title": "Espresso", "description": "short" }], "title": "Coffee" }] } })
        );
    }

    fn template(name: &str, params: &[&str]) -> Show {
        Show::Template {
            name: name.into(),
            language: "id".into(),
            params: params.iter().map(|param| (*param).to_owned()).collect(),
            text: "Your order is on its way.".into(),
            parts: Box::default(),
        }
    }

    #[test]
    fn a_template_is_named_by_its_uuid_and_goes_to_the_number_if_it_has_values() {
        assert_eq!(
            sent(&to_room(template("order_update", &[]))),
            (
                "POST /messages/whatsapp/hsm".into(),
                json!({ "room_id": ROOM, "message_template_id": TEMPLATE })
            )
        );
        let (line, body) = sent(&to_room(template("order_update", &["Sari", "A-1"])));
        assert_eq!(line, "POST /broadcasts/whatsapp/direct");
        assert_eq!(body["to_number"], "6281100000011");
        assert_eq!(
            body["channel_integration_id"],
            "fa914ed7-672d-4530-97bd-1c554ab2e1ee"
        );
        assert_eq!(
            body["parameters"]["body"],
            json!([{ "key": "1", "value": "value_1", "value_text": "Sari" },
                { "key": "2", "value": "value_2", "value_text": "A-1" }])
        );
        let known = sent(&to_room(template(TEMPLATE, &[]))).1;
        assert_eq!(known["message_template_id"], TEMPLATE);
        assert_eq!(
            request(&settings(), &to_room(template("greeting", &[]))).unwrap_err(),
            EncodeError::UnknownTemplate("greeting".into())
        );
    }

    #[test]
    fn a_number_without_a_room_gets_templates_alone() {
        let to = |show| Step::Send {
            to: Address::WaId("6281100000011".into()),
            reply_to: None,
            ours: None,
            after_delivery: false,
            show,
        };
        assert_eq!(
            sent(&to(template("order_update", &[]))).0,
            "POST /broadcasts/whatsapp/direct"
        );
        let text = to(Show::Text {
            body: "Hi".into(),
            preview: false,
        });
        assert!(request(&settings(), &text).is_err());
    }

    #[test]
    fn a_room_is_given_to_the_team_s_agent_or_to_whose_turn_it_is() {
        let hand_off = |team: &str| Step::HandOff {
            room: ROOM.into(),
            team: team.into(),
        };
        assert_eq!(
            sent(&hand_off("support")).0,
            format!("POST /rooms/{ROOM}/agents/agent-1")
        );
        assert_eq!(
            sent(&hand_off("sales")).0,
            format!("POST /rooms/{ROOM}/assign_round_robin")
        );
        let resolve = Step::Resolve { room: ROOM.into() };
        assert_eq!(sent(&resolve).0, format!("PUT /rooms/{ROOM}/resolve"));
        let odd = Step::Resolve {
            room: "../../x".into(),
        };
        assert!(request(&settings(), &odd).is_err());
    }

    #[test]
    fn a_file_of_the_business_goes_into_the_room_with_its_bytes() {
        let step = to_room(Show::Media {
            media: MediaKind::Photo,
            source: MediaSource::File("menu.jpg".into()),
            caption: None,
            filename: None,
        });
        let upload = Upload {
            filename: "menu.jpg".into(),
            mime: "image/jpeg".into(),
            bytes: b"JPEG".to_vec(),
        };
        let request = with_file(&settings(), &step, &upload).unwrap();
        let form = String::from_utf8(request.body).unwrap();
        for part in [
            ROOM,
            "name=\"type\"\r\n\r\nimage",
            "filename=\"menu.jpg\"",
            "JPEG",
        ] {
            assert!(form.contains(part), "{part} in {form}");
        }
    }
}

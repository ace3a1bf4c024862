//! From a [`Step`] to the request of the server that holds the link. A chat is named as it was received; only a number
//! that people or configuration gave is brought into the form of a chat.
//!
//! Source: WAHA's documentation of sending and presence (2026).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, Method};
use serde_json::{Value, json};

use super::chat::{Chat, MessageId};
use super::{LinkedSettings, NAME};
use crate::channel::{EncodeError, HttpRequest, Show, Step, Upload};
use crate::message::{Address, MediaKind, MediaSource};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// From which number this is to leave: a server that knows the header sends from no other.
const EXPECTED: HeaderName = HeaderName::from_static("x-expected-number");

/// The request of a step; `upload` is the file that it names, where it names one of the business.
pub(super) fn request(
    settings: &LinkedSettings,
    step: &Step,
    upload: Option<&Upload>,
) -> Result<HttpRequest, EncodeError> {
    match step {
        Step::Seen {
            message_id,
            typing: _,
        } => seen(settings, message_id),
        Step::HandOff { .. } | Step::Resolve { .. } => Err(unsupported("anything to an inbox")),
        Step::Send {
            to, reply_to, show, ..
        } => {
            let mut body = json!({ "session": settings.session, "chatId": chat_of(to)? });
            if let Some(quoted) = reply_to {
                body["reply_to"] = json!(quoted);
            }
            let path = shown(show, upload, &mut body)?;
            Ok(post(settings, path, &body))
        }
    }
}

/// Shows that something is being written, or no more.
pub(super) fn typing(settings: &LinkedSettings, chat: &Value, begins: bool) -> HttpRequest {
    let path = if begins {
        "api/startTyping"
    } else {
        "api/stopTyping"
    };
    post(
        settings,
        path,
        &json!({ "session": settings.session, "chatId": chat }),
    )
}

/// A request of the session itself.
pub(super) fn ask(
    settings: &LinkedSettings,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> HttpRequest {
    let request = HttpRequest::new(method, settings.address(path));
    let request = request.secret(API_KEY, "", &settings.api_key);
    match body {
        Some(body) => request.body("application/json", body.to_string().into_bytes()),
        None => request,
    }
}

/// Something that leaves from the number.
pub(super) fn post(settings: &LinkedSettings, path: &str, body: &Value) -> HttpRequest {
    ask(settings, Method::POST, path, Some(body)).header(EXPECTED, &settings.number)
}

fn seen(settings: &LinkedSettings, message_id: &str) -> Result<HttpRequest, EncodeError> {
    let id = MessageId::of(message_id);
    let chat = id.chat.as_deref().and_then(Chat::of).and_then(|chat| chat.id());
    let chat = chat.ok_or_else(|| unsupported("a read receipt for a message that names no chat"))?;
    let body = json!({ "session": settings.session, "chatId": chat, "messageIds": [message_id] });
    Ok(post(settings, "api/sendSeen", &body))
}

fn chat_of(to: &Address) -> Result<String, EncodeError> {
    let of_number = |number: &str| Chat::of(&format!("{}@c.us", number.trim_start_matches('+')));
    let chat = match to {
        // A room of another provider, from before this number was linked, says nothing here; the number does.
        Address::Room { id, phone } => Chat::of(id).or_else(|| of_number(phone.as_deref()?)),
        Address::Bsuid(id) => Chat::of(id),
        Address::Phone(number) | Address::WaId(number) => of_number(number),
    };
    chat.and_then(|chat| chat.id())
        .ok_or_else(|| unsupported("to what is neither a number nor a hidden id"))
}

/// The path, and what the body holds besides.
fn shown(show: &Show, upload: Option<&Upload>, body: &mut Value) -> Result<&'static str, EncodeError> {
    match show {
        Show::Text { body: text, preview } => {
            body["text"] = json!(text);
            body["linkPreview"] = json!(preview);
            Ok("api/sendText")
        }
        Show::Media {
            media,
            source,
            caption,
            filename,
        } => {
            body["file"] = file(*media, source, filename.as_deref(), upload)?;
            if let Some(caption) = caption {
                body["caption"] = json!(caption);
            }
            Ok(match media {
                MediaKind::Photo | MediaKind::Sticker => "api/sendImage",
                MediaKind::Video => "api/sendVideo",
                MediaKind::Voice => {
                    // It must be Opus in Ogg, whatever the business has.
                    body["convert"] = json!(true);
                    "api/sendVoice"
                }
                MediaKind::Audio | MediaKind::Document => "api/sendFile",
            })
        }
        Show::Location(place) => {
            let title = [place.name.as_deref(), place.address.as_deref()];
            let title: Vec<&str> = title.into_iter().flatten().collect();
            body["latitude"] = json!(place.lat);
            body["longitude"] = json!(place.lng);
            body["title"] = json!(title.join(", "));
            Ok("api/sendLocation")
        }
        Show::Template { .. } => Err(unsupported(
            "templates: WhatsApp approves none for it, and writing first gets numbers banned",
        )),
        Show::React { .. } => Err(unsupported("a reaction")),
        Show::Buttons { .. } => Err(unsupported("buttons")),
        Show::List { .. } => Err(unsupported("lists")),
        Show::Link { .. } => Err(unsupported("a link button")),
        Show::Form { .. } => Err(unsupported("a form")),
        Show::AskLocation { .. } => Err(unsupported("the question for a place")),
    }
}

fn file(
    media: MediaKind,
    source: &MediaSource,
    filename: Option<&str>,
    upload: Option<&Upload>,
) -> Result<Value, EncodeError> {
    match (source, upload) {
        (MediaSource::File(_), Some(upload)) => Ok(json!({
            "mimetype": upload.mime,
            "filename": filename.unwrap_or(&upload.filename),
            "data": STANDARD.encode(&upload.bytes),
        })),
        (MediaSource::File(path), None) => Err(EncodeError::NotUploaded(path.clone())),
        (MediaSource::Url(url), _) => {
            let mut file = json!({ "mimetype": mime_of(media, url), "url": url });
            if let Some(filename) = filename {
                file["filename"] = json!(filename);
            }
            Ok(file)
        }
        (MediaSource::Id(_), _) => Err(unsupported("a file by an id")),
    }
}

/// The server insists on one. What the address ends with says more than the kind.
fn mime_of(media: MediaKind, url: &str) -> &'static str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let ending = path
        .rsplit(['.', '/'])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    match (ending.as_str(), media) {
        ("png", _) => "image/png",
        ("webp", _) => "image/webp",
        ("pdf", _) => "application/pdf",
        ("mp3", _) => "audio/mpeg",
        ("m4a", _) => "audio/mp4",
        (_, MediaKind::Photo) => "image/jpeg",
        (_, MediaKind::Sticker) => "image/webp",
        (_, MediaKind::Video) => "video/mp4",
        (_, MediaKind::Voice) => "audio/ogg; codecs=opus",
        (_, MediaKind::Audio) => "audio/mpeg",
        (_, MediaKind::Document) => "application/octet-stream",
    }
}

pub(super) fn unsupported(what: &'static str) -> EncodeError {
    EncodeError::Unsupported { provider: NAME, what }
}

//! The envelope: out, a Cloud API message stands in `data` beside account and division; in, a Cloud API webhook stands
//! in `data` beside ids of Coster's. Templates go without the envelope, to a host of their own.

use std::collections::HashMap;

use http::Method;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::CosterSettings;
use crate::channel::meta::body_of;
use crate::channel::{Decoded, EncodeError, HttpRequest, Problem, Show, Step};
use crate::message::{Address, DedupeKey, InboundBody};

/// The request that carries out `step`.
pub(super) fn request(settings: &CosterSettings, step: &Step) -> Result<HttpRequest, EncodeError> {
    let unsupported = |what| EncodeError::Unsupported {
        provider: super::NAME,
        what,
    };
    let Step::Send { to, ours, show, .. } = step else {
        return Err(unsupported("anything but messages"));
    };
    let body = match show {
        Show::Template { .. } => return push(settings, step),
        _ => message_of(to, show)?,
    };
    let wire = &settings.wire;
    let envelope = json!({
        "xid": xid(ours.as_deref(), &body),
        "channel_id": wire.channel_id,
        "account_id": settings.account_id,
        "division_id": settings.division_id,
        "is_helpdesk": wire.is_helpdesk,
        "message_type": wire.message_type,
        "data": body,
    });
    let request = settings.with_token(HttpRequest::new(Method::POST, settings.reply()));
    Ok(request.body("application/json", envelope.to_string().into_bytes()))
}

/// The Cloud API's message and nothing beside it: neither quotes nor callback data were seen to pass.
fn message_of(to: &Address, show: &Show) -> Result<Value, EncodeError> {
    let bare = Step::Send {
        to: to.clone(),
        reply_to: None,
        ours: None,
        after_delivery: false,
        show: show.clone(),
    };
    let body = body_of(&bare)?;
    // It was written as JSON a moment ago.
    Ok(serde_json::from_slice(&body).unwrap_or_default())
}

fn push(settings: &CosterSettings, step: &Step) -> Result<HttpRequest, EncodeError> {
    let Step::Send { to, ours, show, .. } = step else {
        return Err(EncodeError::Unsupported {
            provider: super::NAME,
            what: "anything but messages",
        });
    };
    let Some(token) = &settings.push_token else {
        return Err(EncodeError::Unsupported {
            provider: super::NAME,
            what: "a template without push_token_env or push_token_file",
        });
    };
    let message = message_of(to, show)?;
    let mut template = message["template"].clone();
    template["language"]["policy"] = json!(settings.wire.language_policy);
    if template.get("components").is_none() {
        template["components"] = json!([]);
    }
    // Digits alone, as its customers were seen to write them.
    let to = message["to"].as_str().unwrap_or_default().trim_start_matches('+');
    let body = json!({
        "xid": xid(ours.as_deref(), &message),
        "to": to,
        "type": "template",
        "template": template,
    });
    let request = HttpRequest::new(Method::POST, settings.push()).secret(
        settings.wire.push_header.clone(),
        &settings.wire.push_prefix,
        token,
    );
    Ok(request.body("application/json", body.to_string().into_bytes()))
}

/// Our id of the message in the form of a UUID. The same message always has the same, in case Coster takes a repetition
/// for what it is. Marked as random (version 4), the kind that was seen there.
fn xid(ours: Option<&str>, body: &Value) -> String {
    let mut hasher = blake3::Hasher::new();
    match ours {
        Some(ours) => hasher.update(b"ours\0").update(ours.as_bytes()),
        None => hasher.update(b"body\0").update(body.to_string().as_bytes()),
    };
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// The provider's id of the message, should the answer hold one that statuses would name.
pub(super) fn message_id_of(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    ["/messages/0/id", "/data/messages/0/id"]
        .iter()
        .find_map(|place| answer.pointer(place)?.as_str())
        .filter(|id| id.starts_with("wamid."))
        .map(str::to_owned)
}

/// Reads a webhook: what `decode` reads of the Cloud API's body inside. Total, as that is.
pub(super) fn open(raw: &[u8], decode: fn(&[u8]) -> Decoded) -> Decoded {
    let text = String::from_utf8_lossy(raw);
    let fields = match serde_json::from_str::<HashMap<String, &RawValue>>(&text) {
        Ok(fields) => fields,
        Err(error) => return Problem::new("body", &text, format!("not a JSON object: {error}")).into(),
    };
    let Some(data) = fields.get("data") else {
        // Without the envelope, as it would come from Meta itself, it is as good.
        if fields.contains_key("entry") {
            return decode(raw);
        }
        return Problem::new("body", &text, "no data".to_owned()).into();
    };
    let mut decoded = decode(data.get().as_bytes());
    let outer = ["mid", "id"]
        .iter()
        .find_map(|name| fields.get(*name).and_then(|id| text_of(id)));
    for (at, event) in decoded.events.iter_mut().enumerate() {
        // What has an id of WhatsApp's is known by it; a status by id and state. The rest is as new as its envelope.
        let known = event.message_id.is_some() || matches!(event.body, InboundBody::Status(_));
        if let Some(outer) = outer.as_ref().filter(|_| !known) {
            event.key = DedupeKey(format!("coster/{outer}/{at}"));
        }
    }
    for problem in &mut decoded.problems {
        problem.place = if problem.place == "body" {
            "data".to_owned()
        } else {
            format!("data.{}", problem.place)
        };
    }
    decoded
}

/// A text that is not empty, or a number where a text belongs.
fn text_of(raw: &RawValue) -> Option<String> {
    match serde_json::from_str(raw.get()).ok()? {
        Value::String(text) if !text.is_empty() => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

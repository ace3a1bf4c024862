//! One element of a webhook to one [`Inbound`]: a message, a status, an echo, a change of identity. Unknown kinds are
//! kept whole as [`InboundBody::Unknown`]; an element that lacks what its kind must have is an error, in words.
//!
//! Source: Meta, webhook reference for `messages`, `smb_message_echoes`, `user_id_update`, `user_preferences`, `calls`
//! (v23.0-v25.0, and the 2026 pages on business-scoped user ids).

use jiff::Timestamp;
use serde_json::Value;

use super::fields::Fields;
use crate::message::{
    Conversation, DedupeKey, DeliveryState, Forwarded, Inbound, InboundBody, Media, MediaHandle, MediaKind,
    Party, Place, Role, StatusUpdate,
};

/// What surrounds an element in its webhook.
pub(super) struct Setting<'a> {
    /// The phone number id, or for news of the account its id.
    pub account: String,
    pub contacts: Vec<Fields<'a>>,
    /// The code of an error that stands beside the elements.
    pub error_code: Option<i64>,
}

/// Reads one element.
pub(super) type Read = fn(&Value, &Setting<'_>) -> Result<Inbound, String>;

pub(super) fn message(message: &Value, setting: &Setting<'_>) -> Result<Inbound, String> {
    let kind = text(message, "type");
    let mut who = sender(message, setting)?;
    if kind.as_deref() == Some("system") {
        who.role = Role::System;
    }
    let id = text(message, "id");
    Ok(Inbound {
        account: setting.account.clone(),
        key: id
            .clone()
            .map_or_else(|| hashed("message", message, setting), DedupeKey),
        at: time(message),
        who,
        conversation: Conversation {
            group: text(message, "group_id"),
            ..Conversation::default()
        },
        message_id: id,
        reply_to: message.get("context").and_then(|context| text(context, "id")),
        forwarded: forwarded(message),
        referral: message
            .get("referral")
            .filter(|referral| referral.is_object())
            .cloned(),
        body: body(message, kind.as_deref(), setting)?,
    })
}

/// What a message says, for providers that carry Meta's own messages inside theirs. `None` if it can't be read.
pub(in crate::channel) fn read_body(message: &Value) -> Option<InboundBody> {
    let nothing_around = Setting {
        account: String::new(),
        contacts: Vec::new(),
        error_code: None,
    };
    body(message, text(message, "type").as_deref(), &nothing_around).ok()
}

/// The customer who sent a message. Since 2026 the number may be missing; then a user id stands for the customer.
fn sender(message: &Value, setting: &Setting<'_>) -> Result<Party, String> {
    let phone = text(message, "from");
    let bsuid = text(message, "from_user_id");
    if phone.is_none() && bsuid.is_none() {
        return Err("names no sender: neither from nor from_user_id".to_owned());
    }
    let is_sender = |contact: &&Fields<'_>| {
        let same = |name, of: &Option<String>| of.is_some() && contact.text(name) == *of;
        same("wa_id", &phone) || same("user_id", &bsuid)
    };
    // Some numbers are spelled differently in the two places (Brazil's ninth digit): a single contact is the sender.
    let contact = setting
        .contacts
        .iter()
        .find(is_sender)
        .or(match &setting.contacts[..] {
            [only] => Some(only),
            _ => None,
        });
    let profile = contact
        .map(|contact| contact.within("profile"))
        .unwrap_or_default();
    let named = contact
        .filter(is_sender)
        .and_then(|contact| contact.text("user_id"));
    Ok(Party {
        role: Role::User,
        bsuid: bsuid.or(named),
        phone,
        username: profile.text("username"),
        display_name: profile.text("name"),
    })
}

fn forwarded(message: &Value) -> Forwarded {
    let said =
        |name| message.get("context").and_then(|context| context.get(name)) == Some(&Value::Bool(true));
    if said("frequently_forwarded") {
        Forwarded::Often
    } else if said("forwarded") {
        Forwarded::Once
    } else {
        Forwarded::None
    }
}

fn body(message: &Value, kind: Option<&str>, setting: &Setting<'_>) -> Result<InboundBody, String> {
    let kind_of = kind.unwrap_or_default();
    let part = message.get(kind_of);
    let needed = |name: &str| {
        part.and_then(|part| text(part, name))
            .ok_or_else(|| format!("{kind_of} without {name}"))
    };
    Ok(match kind_of {
        "text" => InboundBody::Text {
            body: part
                .and_then(|part| raw_text(part, "body"))
                .ok_or("text without body")?,
        },
        "image" => media(MediaKind::Photo, part)?,
        "video" => media(MediaKind::Video, part)?,
        "document" => media(MediaKind::Document, part)?,
        "sticker" => media(MediaKind::Sticker, part)?,
        "audio" => {
            let voice = part.and_then(|part| part.get("voice")) == Some(&Value::Bool(true));
            media(if voice { MediaKind::Voice } else { MediaKind::Audio }, part)?
        }
        "location" => {
            let degrees = |name| part.and_then(|part| number(part, name));
            InboundBody::Location(Place {
                lat: degrees("latitude").ok_or("location without latitude")?,
                lng: degrees("longitude").ok_or("location without longitude")?,
                name: part.and_then(|part| text(part, "name")),
                address: part.and_then(|part| text(part, "address")),
            })
        }
        "contacts" => InboundBody::Contacts {
            cards: part.filter(|cards| cards.is_array()).ok_or("no cards")?.clone(),
        },
        "button" => InboundBody::Choice {
            id: part.and_then(|part| text(part, "payload")),
            title: needed("text")?,
        },
        "interactive" => match part {
            Some(part) => interactive(part)?,
            // Seen in the wild: the reply could not be handed over, and only an error stands beside it.
            None => unsupported(message, setting),
        },
        "reaction" => InboundBody::Reaction {
            target: needed("message_id")?,
            emoji: part.and_then(|part| text(part, "emoji")),
        },
        "order" => InboundBody::Order {
            order: part.ok_or("order without order")?.clone(),
        },
        "system" => system(part.ok_or("system without system")?),
        "edit" => {
            let inner = part
                .and_then(|part| part.get("message"))
                .ok_or("edit without message")?;
            let kind = text(inner, "type");
            if kind.as_deref() == Some("edit") {
                return Err("an edit of an edit".to_owned());
            }
            let body = Box::new(body(inner, kind.as_deref(), setting)?);
            InboundBody::Edited {
                target: needed("original_message_id")?,
                body,
            }
        }
        "revoke" => InboundBody::Revoked {
            target: needed("original_message_id")?,
        },
        "unsupported" => unsupported(message, setting),
        _ => InboundBody::Unknown {
            kind: kind.map(str::to_owned),
            raw: message.clone(),
        },
    })
}

fn media(kind: MediaKind, part: Option<&Value>) -> Result<InboundBody, String> {
    let part = part.ok_or("media without its object")?;
    let handle = match (text(part, "id"), text(part, "url").or_else(|| text(part, "link"))) {
        (Some(id), url) => MediaHandle::Id { id, url },
        (None, Some(url)) => MediaHandle::Url(url),
        (None, None) => return Err("media without id or url".to_owned()),
    };
    Ok(InboundBody::Media(Media {
        media: kind,
        handle,
        mime: text(part, "mime_type"),
        sha256: text(part, "sha256"),
        filename: text(part, "filename"),
        caption: text(part, "caption"),
    }))
}

fn interactive(part: &Value) -> Result<InboundBody, String> {
    let kind = text(part, "type").unwrap_or_default();
    let reply = part.get(&kind);
    Ok(match kind.as_str() {
        "button_reply" | "list_reply" => {
            let reply = reply.ok_or("an interactive reply without its object")?;
            let id = text(reply, "id");
            let title = text(reply, "title")
                .or_else(|| id.clone())
                .ok_or("an interactive reply without title")?;
            InboundBody::Choice { id, title }
        }
        "nfm_reply" => {
            let written = reply
                .and_then(|reply| reply.get("response_json"))
                .ok_or("a form without response_json")?;
            // JSON inside a string. Should it not be JSON, the string itself is the response.
            let parsed = written.as_str().and_then(|json| serde_json::from_str(json).ok());
            InboundBody::FormReply {
                response: parsed.unwrap_or_else(|| written.clone()),
            }
        }
        _ => InboundBody::Unknown {
            kind: Some(format!("interactive/{kind}")),
            raw: part.clone(),
        },
    })
}

fn system(part: &Value) -> InboundBody {
    let identity = |phone, bsuid, key_changed| InboundBody::Identity {
        phone,
        bsuid,
        key_changed,
    };
    match text(part, "type").as_deref() {
        Some("user_changed_number" | "customer_changed_number") => identity(
            text(part, "wa_id").or_else(|| text(part, "new_wa_id")),
            text(part, "user_id"),
            false,
        ),
        Some("user_changed_user_id") => identity(None, text(part, "user_id"), false),
        Some("customer_identity_changed" | "user_identity_changed") => identity(None, None, true),
        other => InboundBody::Unknown {
            kind: Some(format!("system/{}", other.unwrap_or_default())),
            raw: part.clone(),
        },
    }
}

fn unsupported(message: &Value, setting: &Setting<'_>) -> InboundBody {
    InboundBody::Unsupported {
        what: message.get("unsupported").and_then(|what| text(what, "type")),
        code: message
            .pointer("/errors/0/code")
            .and_then(Value::as_i64)
            .or(setting.error_code),
    }
}

/// News about a message of ours.
pub(super) fn status(status: &Value, setting: &Setting<'_>) -> Result<Inbound, String> {
    let message_id = text(status, "id").ok_or("a status without id")?;
    let word = text(status, "status").ok_or("a status without status")?;
    let participant = text(status, "recipient_participant_id");
    let mut key = format!("{message_id}/{word}");
    if let Some(participant) = &participant {
        key = format!("{key}/{participant}");
    }
    let state = match word.as_str() {
        "sent" => Some(DeliveryState::Sent),
        "delivered" => Some(DeliveryState::Delivered),
        "read" => Some(DeliveryState::Read),
        "played" => Some(DeliveryState::Played),
        "failed" => Some(DeliveryState::Failed),
        _ => None,
    };
    let body = match state {
        _ if text(status, "type").as_deref() == Some("call") => InboundBody::Call { call: status.clone() },
        None => InboundBody::Unknown {
            kind: Some(format!("status/{word}")),
            raw: status.clone(),
        },
        Some(state) => InboundBody::Status(StatusUpdate {
            message_id: message_id.clone(),
            state,
            ours: text(status, "biz_opaque_callback_data"),
            error_code: status.pointer("/errors/0/code").and_then(Value::as_i64),
            error: status.pointer("/errors/0").and_then(sentence_of),
        }),
    };
    let in_group = text(status, "recipient_type").as_deref() == Some("group");
    let recipient = text(status, "recipient_id");
    let (group, phone) = if in_group {
        (recipient, participant)
    } else {
        (None, recipient)
    };
    Ok(Inbound {
        account: setting.account.clone(),
        key: DedupeKey(key),
        at: time(status),
        who: Party {
            role: Role::System,
            phone,
            bsuid: text(status, "recipient_user_id"),
            ..Party::default()
        },
        conversation: Conversation {
            group,
            ..Conversation::default()
        },
        message_id: Some(message_id),
        reply_to: None,
        forwarded: Forwarded::None,
        referral: None,
        body,
    })
}

/// The most telling words of an error: its details, else its message, else its title.
fn sentence_of(error: &Value) -> Option<String> {
    error
        .get("error_data")
        .and_then(|data| text(data, "details"))
        .or_else(|| text(error, "message"))
        .or_else(|| text(error, "title"))
}

/// A message that a person of the business wrote on the phone. `who` is the customer it went to, so that it joins the
/// right thread; the role tells who wrote it.
pub(super) fn echo(echo: &Value, setting: &Setting<'_>) -> Result<Inbound, String> {
    let phone = text(echo, "to");
    let bsuid = text(echo, "to_user_id");
    if phone.is_none() && bsuid.is_none() {
        return Err("an echo that names no customer".to_owned());
    }
    let id = text(echo, "id");
    let kind = text(echo, "type");
    Ok(Inbound {
        key: id
            .clone()
            .map_or_else(|| hashed("echo", echo, setting), DedupeKey),
        at: time(echo),
        who: Party {
            role: Role::Agent,
            phone,
            bsuid,
            ..Party::default()
        },
        message_id: id,
        reply_to: echo.get("context").and_then(|context| text(context, "id")),
        body: InboundBody::Echo {
            body: Box::new(body(echo, kind.as_deref(), setting)?),
        },
        ..plain("echo", echo, setting)
    })
}

/// A business-scoped user id was replaced.
pub(super) fn user_id_update(update: &Value, setting: &Setting<'_>) -> Result<Inbound, String> {
    let ids = update.get("user_id").ok_or("an update without user_id")?;
    let current = text(ids, "current").ok_or("an update without the current user_id")?;
    let who = Party {
        role: Role::System,
        phone: text(update, "wa_id"),
        bsuid: text(ids, "previous"),
        ..Party::default()
    };
    let body = InboundBody::Identity {
        phone: None,
        bsuid: Some(current),
        key_changed: false,
    };
    Ok(Inbound {
        who,
        body,
        ..plain("user_id_update", update, setting)
    })
}

/// The customer stopped or resumed marketing messages in the app.
pub(super) fn preference(preference: &Value, setting: &Setting<'_>) -> Result<Inbound, String> {
    let value = text(preference, "value").ok_or("a preference without value")?;
    let about_marketing =
        text(preference, "category").is_none_or(|category| category == "marketing_messages");
    let body = match value.as_str() {
        "stop" if about_marketing => InboundBody::Preference { marketing: false },
        "resume" | "signup" if about_marketing => InboundBody::Preference { marketing: true },
        _ => InboundBody::Unknown {
            kind: Some(format!("user_preferences/{value}")),
            raw: preference.clone(),
        },
    };
    let who = Party {
        role: Role::System,
        phone: text(preference, "wa_id"),
        bsuid: text(preference, "user_id"),
        ..Party::default()
    };
    Ok(Inbound {
        who,
        body,
        ..plain("user_preferences", preference, setting)
    })
}

pub(super) fn call(call: &Value, setting: &Setting<'_>) -> Result<Inbound, String> {
    let who = Party {
        role: Role::System,
        phone: text(call, "from"),
        bsuid: text(call, "from_user_id"),
        ..Party::default()
    };
    Ok(Inbound {
        who,
        body: InboundBody::Call { call: call.clone() },
        ..plain("calls", call, setting)
    })
}

/// An error that belongs to no message.
pub(super) fn error(error: &Value, setting: &Setting<'_>) -> Result<Inbound, String> {
    Ok(account("errors", error, setting))
}

pub(super) fn account(field: &str, value: &Value, setting: &Setting<'_>) -> Inbound {
    plain(field, value, setting)
}

/// A webhook field that is not in the reference yet.
pub(super) fn unknown(field: &str, value: &Value, setting: &Setting<'_>) -> Inbound {
    let body = InboundBody::Unknown {
        kind: Some(field.to_owned()),
        raw: value.clone(),
    };
    Inbound {
        body,
        ..plain(field, value, setting)
    }
}

/// News from the provider that has no id of its own.
fn plain(field: &str, value: &Value, setting: &Setting<'_>) -> Inbound {
    Inbound {
        account: setting.account.clone(),
        key: hashed(field, value, setting),
        at: time(value),
        who: Party {
            role: Role::System,
            ..Party::default()
        },
        conversation: Conversation::default(),
        message_id: None,
        reply_to: None,
        forwarded: Forwarded::None,
        referral: None,
        body: InboundBody::Account {
            field: field.to_owned(),
            value: value.clone(),
        },
    }
}

/// The identity of an element without an id: its field and a hash of its canonical form, in which the order of
/// members does not count.
fn hashed(field: &str, value: &Value, setting: &Setting<'_>) -> DedupeKey {
    let mut hasher = blake3::Hasher::new();
    hasher.update(setting.account.as_bytes()).update(b"\0");
    canonical(value, &mut hasher);
    DedupeKey(format!("{field}/{}", hasher.finalize().to_hex()))
}

fn canonical(value: &Value, hasher: &mut blake3::Hasher) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort();
            hasher.update(b"{");
            for name in names {
                canonical(&Value::String(name.clone()), hasher);
                canonical(&members[name], hasher);
            }
            hasher.update(b"}");
        }
        Value::Array(elements) => {
            hasher.update(b"[");
            for element in elements {
                canonical(element, hasher);
            }
            hasher.update(b"]");
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {
            hasher.update(value.to_string().as_bytes()).update(b",");
        }
    }
}

/// Unix seconds as string or number. Milliseconds have been seen where seconds are promised: anything from 1e12 on.
fn time(element: &Value) -> Option<Timestamp> {
    let written = match element.get("timestamp")? {
        Value::String(text) => text.trim().parse::<i64>().ok()?,
        Value::Number(number) => number.as_i64()?,
        _ => return None,
    };
    if written >= 1_000_000_000_000 {
        Timestamp::from_millisecond(written).ok()
    } else {
        Timestamp::from_second(written).ok()
    }
}

/// A member that is a text (or a number where a text belongs), if not empty.
fn text(of: &Value, name: &str) -> Option<String> {
    match of.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A member that must be a text and may be empty.
fn raw_text(of: &Value, name: &str) -> Option<String> {
    of.get(name)?.as_str().map(str::to_owned)
}

/// A finite number, also where it was written as a text.
fn number(of: &Value, name: &str) -> Option<f64> {
    let number = match of.get(name)? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests;

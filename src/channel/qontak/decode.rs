//! One webhook to its events: a flat object of a message, of its statuses, of a broadcast, of a room. Called after the
//! path's secret was compared. Total: any bytes give an answer; what is not known is kept whole.
//!
//! Payloads of 2021 name no `data_event`: there who wrote it and its status tell what it is. Qontak sends our own
//! messages and the agents' as well; each bears its role.
//!
//! Source: Qontak's Open API (2021), payloads of public integrations (2021-2026), Mekari's developer centre (2026).

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::channel::Decoded;
use crate::channel::meta;
use crate::message::{
    Conversation, DedupeKey, DeliveryState, Forwarded, Inbound, InboundBody, Keeper, Media, MediaHandle,
    MediaKind, Party, Place, Role, RoomNews, StatusUpdate, Window,
};

/// `own` is the channel integration that events belong to which name none.
pub(super) fn decode(raw: &[u8], own: &str) -> Decoded {
    Decoded::of_one(raw, |webhook| events_of(webhook, own))
}

/// What must be answered when the address is checked.
pub(super) fn verify_info(raw: &[u8]) -> Option<Value> {
    let webhook: Value = serde_json::from_slice(raw).ok()?;
    webhook.get("verify_info").cloned()
}

fn events_of(webhook: &Value, own: &str) -> Result<Vec<Inbound>, String> {
    let Some(fields) = webhook.as_object() else {
        return Err("not an object".to_owned());
    };
    // The check of the address: there is nothing in it.
    if fields.contains_key("verify_info") {
        return Ok(Vec::new());
    }
    let event = ["data_event", "event", "event_name"]
        .iter()
        .find_map(|name| text(webhook, name))
        .unwrap_or_default();
    if event == "broadcast_log_status" || fields.contains_key("messages_broadcast_id") {
        return broadcast(webhook, own);
    }
    if text(webhook, "room_id").is_some() || fields.contains_key("participant_type") {
        return message(webhook, own);
    }
    // Mekari's own webhooks may wrap what happened.
    let inner = webhook
        .get("data")
        .filter(|data| data.is_object())
        .unwrap_or(webhook);
    let room = inner.get("room").filter(|room| room.is_object()).unwrap_or(inner);
    if room.get("account_uniq_id").is_some() || text(webhook, "service_name").as_deref() == Some("room") {
        return room_news(room, &event, own);
    }
    Err("a kind of webhook that is not known".to_owned())
}

/// What surrounds an event: its room.
struct Room {
    id: Option<String>,
    /// The customer's digits.
    phone: Option<String>,
    name: Option<String>,
    account: String,
    keeper: Keeper,
    window: Window,
}

impl Room {
    fn of(room: &Value, id: Option<String>, own: &str) -> Room {
        let keeper = match text(room, "status").as_deref() {
            Some("assigned") => Keeper::People,
            Some("unassigned" | "campaign") => Keeper::Bot,
            _ => Keeper::Unknown,
        };
        let window = match text(room, "session").as_deref() {
            Some("open" | "expiring") => Window::Open,
            Some("expired") => Window::Closed,
            _ => Window::Unknown,
        };
        Room {
            id: id.or_else(|| text(room, "id")),
            phone: text(room, "account_uniq_id").and_then(|id| digits(&id)),
            name: text(room, "name"),
            account: text(room, "channel_integration_id").unwrap_or_else(|| own.to_owned()),
            keeper,
            window,
        }
    }

    /// An event in this room.
    fn event(&self, role: Role, key: String, at: Option<Timestamp>, body: InboundBody) -> Inbound {
        Inbound {
            account: self.account.clone(),
            key: DedupeKey(key),
            at,
            who: Party {
                role,
                phone: self.phone.clone(),
                ..Party::default()
            },
            conversation: Conversation {
                room: self.id.clone(),
                group: None,
                window: self.window,
                keeper: self.keeper,
            },
            message_id: None,
            reply_to: None,
            forwarded: Forwarded::None,
            referral: None,
            body,
        }
    }
}

/// A message, or how far one of ours got.
fn message(message: &Value, own: &str) -> Result<Vec<Inbound>, String> {
    let id = text(message, "id").ok_or("a message without id")?;
    let around = message.get("room").unwrap_or(&Value::Null);
    let mut room = Room::of(around, text(message, "room_id"), own);
    if let Some(account) = text(message, "channel_integration_id") {
        room.account = account;
    }
    let event = text(message, "data_event").unwrap_or_default();
    let status = text(message, "status").unwrap_or_default();
    let role = role_of(message, &event).ok_or("a message that names no sender")?;
    let at = time(message, "created_at");
    let is_status = match event.as_str() {
        "status_message" => true,
        "receive_message_from_customer" | "receive_message_from_agent" => false,
        _ => role != Role::User && matches!(status.as_str(), "sent" | "delivered" | "read" | "failed"),
    };
    if is_status {
        return Ok(status_of(message, &room, id, &status, at).into_iter().collect());
    }
    if room.id.is_none() && room.phone.is_none() {
        return Err("a message that names neither room nor customer".to_owned());
    }
    let said = body(message);
    let (word, said) = match role {
        Role::User | Role::System => ("customer", said),
        Role::Agent | Role::BotEcho => ("agent", InboundBody::Echo { body: Box::new(said) }),
    };
    let mut event = room.event(role, format!("{id}/{word}"), at, said);
    if role == Role::User {
        event.who.display_name = message
            .get("sender")
            .and_then(|sender| text(sender, "name"))
            .or(room.name);
    }
    event.message_id = Some(id);
    event.reply_to = message.get("reply").and_then(|reply| text(reply, "id"));
    Ok(vec![event])
}

fn role_of(message: &Value, event: &str) -> Option<Role> {
    let participant = text(message, "participant_type");
    let sender = text(message, "sender_type");
    Some(match (participant.as_deref(), sender.as_deref()) {
        (Some("customer"), _) | (None, Some("Models::Contact")) => Role::User,
        (Some("bot"), _) | (_, Some("Models::SystemAccount")) => Role::BotEcho,
        (Some("agent"), _) | (_, Some("Models::User")) => Role::Agent,
        (Some("system"), _) => Role::System,
        _ if event == "receive_message_from_customer" => Role::User,
        // Never taken for the customer's: nobody would want it answered.
        _ if event == "receive_message_from_agent" => Role::Agent,
        _ if event == "status_message" => Role::System,
        _ => return None,
    })
}

fn status_of(
    message: &Value,
    room: &Room,
    id: String,
    status: &str,
    at: Option<Timestamp>,
) -> Option<Inbound> {
    let key = format!("{id}/{status}");
    let error = ["whatsapp_error_message", "error_message", "error"]
        .iter()
        .find_map(|name| text(message, name));
    let body = match state_of(status) {
        State::Told(state) => InboundBody::Status(StatusUpdate {
            message_id: id,
            state,
            ours: text(message, "local_id"),
            error_code: None,
            error: error.filter(|_| state == DeliveryState::Failed),
        }),
        State::Nothing => return None,
        State::Unheard => InboundBody::Unknown {
            kind: Some(format!("status/{status}")),
            raw: message.clone(),
        },
    };
    Some(room.event(Role::System, key, at, body))
}

enum State {
    Told(DeliveryState),
    /// Qontak has it, which we know.
    Nothing,
    Unheard,
}

fn state_of(status: &str) -> State {
    match status {
        "sent" => State::Told(DeliveryState::Sent),
        "delivered" => State::Told(DeliveryState::Delivered),
        "read" => State::Told(DeliveryState::Read),
        "failed" => State::Told(DeliveryState::Failed),
        "created" | "pending" | "todo" | "" => State::Nothing,
        _ => State::Unheard,
    }
}

/// How far a template got that was sent to a number. Its id is the broadcast's.
fn broadcast(log: &Value, own: &str) -> Result<Vec<Inbound>, String> {
    let id = text(log, "messages_broadcast_id")
        .or_else(|| text(log, "id"))
        .ok_or("a broadcast log without messages_broadcast_id")?;
    let status = text(log, "status").ok_or("a broadcast log without status")?;
    let mut room = Room::of(log, text(log, "room_id"), own);
    room.phone = text(log, "contact_phone_number").and_then(|number| digits(&number));
    // Its status is the message's, not a room's.
    (room.keeper, room.window) = (Keeper::Unknown, Window::Unknown);
    let at = time(log, "created_at");
    Ok(status_of(log, &room, id, &status, at).into_iter().collect())
}

/// A room was given to somebody, given back, or closed. Mekari's webhooks of rooms bear the last message, too.
fn room_news(of: &Value, event: &str, own: &str) -> Result<Vec<Inbound>, String> {
    let room = Room::of(of, None, own);
    let id = room.id.clone().ok_or("a room without id")?;
    let status = text(of, "status").unwrap_or_default();
    let news = match status.as_str() {
        _ if event == "resolved" || event.ends_with("room_resolved") => Some(RoomNews::Resolved),
        "resolved" => Some(RoomNews::Resolved),
        "assigned" => Some(RoomNews::Assigned),
        "unassigned" | "campaign" => Some(RoomNews::Unassigned),
        _ => None,
    };
    let at = ["resolved_at", "updated_at", "created_at"]
        .iter()
        .find_map(|name| time(of, name));
    let mut events = Vec::new();
    // What was said in a room that is closed by now is not answered any more.
    if news != Some(RoomNews::Resolved)
        && let Some(last) = of.get("last_message").and_then(Value::as_object)
        && last.get("participant_type").and_then(Value::as_str) == Some("customer")
    {
        events.extend(message(&in_room(last, of), own)?);
    }
    let moment = at.map_or_else(String::new, |at| at.to_string());
    let body = match news {
        Some(news) => InboundBody::Room { news },
        None => InboundBody::Unknown {
            kind: Some(format!("room/{status}")),
            raw: of.clone(),
        },
    };
    let word = match news {
        Some(RoomNews::Assigned) => "assigned",
        Some(RoomNews::Unassigned) => "unassigned",
        Some(RoomNews::Resolved) => "resolved",
        None => status.as_str(),
    };
    let mut told = room.event(Role::System, format!("room/{id}/{word}/{moment}"), at, body);
    if news == Some(RoomNews::Resolved) {
        told.conversation.keeper = Keeper::Unknown;
    }
    events.push(told);
    Ok(events)
}

/// The last message of a room as it would come by itself.
fn in_room(last: &Map<String, Value>, room: &Value) -> Value {
    let mut message = last.clone();
    let mut around = room.clone();
    if let Some(fields) = around.as_object_mut() {
        fields.remove("last_message");
    }
    message.insert("room".to_owned(), around);
    Value::Object(message)
}

fn body(message: &Value) -> InboundBody {
    let kind = text(message, "type").unwrap_or_default();
    let fragment = fragment_of(message);
    // A tapped button or row, a place, a card: Qontak's own fields for them are not public, Meta's are.
    if let Some(inner) = fragment.as_ref().and_then(of_meta) {
        return inner;
    }
    let written = message.get("text").and_then(Value::as_str).unwrap_or_default();
    let unknown = || InboundBody::Unknown {
        kind: Some(kind.clone()),
        raw: message.clone(),
    };
    let file = |media| file_of(message, media, written).map_or_else(unknown, InboundBody::Media);
    match kind.as_str() {
        // Also what a tapped button says where its id is not given: the titles last offered are matched with it.
        "text" | "button" | "interactive" | "list_reply" | "button_reply" if !written.is_empty() => {
            InboundBody::Text {
                body: written.to_owned(),
            }
        }
        "image" => file(MediaKind::Photo),
        "video" => file(MediaKind::Video),
        "voice" => file(MediaKind::Voice),
        "audio" => file(if is_voice_note(message, fragment.as_ref()) {
            MediaKind::Voice
        } else {
            MediaKind::Audio
        }),
        "document" | "file" => file(MediaKind::Document),
        "sticker" => file(MediaKind::Sticker),
        "location" => place_of(message).map_or_else(unknown, InboundBody::Location),
        "contact" | "contacts" => match message.get("contacts").filter(|cards| cards.is_array()) {
            Some(cards) => InboundBody::Contacts { cards: cards.clone() },
            None => unknown(),
        },
        _ => unknown(),
    }
}

/// `raw_message`, an object or JSON in a text: a message of Meta's, or the value of its webhook.
fn fragment_of(message: &Value) -> Option<Value> {
    let parsed = match message.get("raw_message")? {
        Value::String(json) => serde_json::from_str(json).ok()?,
        other => other.clone(),
    };
    match parsed.pointer("/messages/0") {
        Some(first) => Some(first.clone()),
        None => parsed.is_object().then_some(parsed),
    }
}

/// What Meta's decoder reads in a fragment, where it says more than Qontak does.
fn of_meta(fragment: &Value) -> Option<InboundBody> {
    let body = meta::read_body(fragment)?;
    match body {
        InboundBody::Choice { .. }
        | InboundBody::Location(_)
        | InboundBody::Contacts { .. }
        | InboundBody::FormReply { .. }
        | InboundBody::Reaction { .. }
        | InboundBody::Order { .. } => Some(body),
        // Texts and files are better told by Qontak: its files need no access of Meta's.
        InboundBody::Text { .. }
        | InboundBody::Media(_)
        | InboundBody::Edited { .. }
        | InboundBody::Revoked { .. }
        | InboundBody::Identity { .. }
        | InboundBody::Status(_)
        | InboundBody::Preference { .. }
        | InboundBody::Echo { .. }
        | InboundBody::Call { .. }
        | InboundBody::Room { .. }
        | InboundBody::Account { .. }
        | InboundBody::Unsupported { .. }
        | InboundBody::Unknown { .. } => None,
    }
}

fn file_of(message: &Value, media: MediaKind, written: &str) -> Option<Media> {
    let file = message.get("file")?;
    let url = text(file, "url")?;
    Some(Media {
        media,
        handle: MediaHandle::Url(url),
        mime: text(file, "mime_type").or_else(|| text(file, "content_type")),
        sha256: None,
        filename: text(file, "filename"),
        caption: (!written.is_empty()).then(|| written.to_owned()),
    })
}

/// A note recorded in the chat comes as `audio` from some channels: Meta's flag tells, else the form that notes have.
fn is_voice_note(message: &Value, fragment: Option<&Value>) -> bool {
    if let Some(Value::Bool(voice)) = fragment.and_then(|fragment| fragment.pointer("/audio/voice")) {
        return *voice;
    }
    let named = message
        .get("file")
        .and_then(|file| text(file, "filename").or_else(|| text(file, "url")));
    named.is_some_and(|name| {
        let name = name
            .split(['?', '#'])
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        [".ogg", ".oga", ".opus"]
            .iter()
            .any(|ending| name.ends_with(ending))
    })
}

fn place_of(message: &Value) -> Option<Place> {
    let place = message.get("location")?;
    let degrees = |name: &str| {
        let number = match place.get(name)? {
            Value::Number(number) => number.as_f64()?,
            Value::String(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        number.is_finite().then_some(number)
    };
    Some(Place {
        lat: degrees("latitude")?,
        lng: degrees("longitude")?,
        name: text(place, "name"),
        address: text(place, "address"),
    })
}

/// A member that is a text (or a number where a text belongs), if not empty.
fn text(of: &Value, name: &str) -> Option<String> {
    match of.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A number's digits as they came; other channels of the organisation have names there.
fn digits(id: &str) -> Option<String> {
    let id = id.strip_prefix('+').unwrap_or(id);
    let plain = (5..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| id.to_owned())
}

fn time(of: &Value, name: &str) -> Option<Timestamp> {
    of.get(name)?.as_str()?.trim().parse().ok()
}

#[cfg(test)]
mod tests;

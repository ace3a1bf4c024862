//! One webhook of a linked device to its events. Called after the signature was checked. Total: any bytes give an answer;
//! what is not known is kept whole, and what is no customer's (groups, channels, statuses) is dropped.
//!
//! All messages of the account come, also those that were sent through the server and those that a person typed on the
//! phone: `source` tells the two apart. A customer is known by the number, by the hidden id, or by both.
//!
//! Source: WAHA's documentation of events and messages (2026).

use jiff::Timestamp;
use serde_json::Value;

use super::chat::{Chat, MessageId};
use crate::channel::Decoded;
use crate::message::{
    Conversation, DedupeKey, DeliveryState, Forwarded, Inbound, InboundBody, Media, MediaHandle, MediaKind,
    Party, Place, Role, StatusUpdate,
};

/// Whose webhooks these are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own<'a> {
    pub session: &'a str,
    /// Digits.
    pub number: &'a str,
}

/// Of no use to a bot, and known.
const OF_NO_USE: [&str; 7] = [
    "presence.update",
    "state.change",
    "chat.archive",
    "engine.event",
    "message.ack.group",
    "poll.vote.failed",
    "event.response.failed",
];
/// The same for whole families.
const FAMILIES_OF_NO_USE: [&str; 4] = ["group.", "label.", "event.", "channel."];

pub(super) fn decode(raw: &[u8], own: Own<'_>) -> Decoded {
    Decoded::of_one(raw, |webhook| Around::of(webhook, own).events())
}

/// A webhook, and whose it is.
struct Around<'a> {
    webhook: &'a Value,
    payload: &'a Value,
    /// The number that is linked, as this webhook says; ours if it does not.
    account: String,
    /// What the account itself is called in chats.
    me: Vec<Chat>,
}

impl<'a> Around<'a> {
    fn of(webhook: &'a Value, own: Own<'_>) -> Around<'a> {
        let me: Vec<Chat> = ["/me/id", "/me/lid", "/me/jid"]
            .iter()
            .filter_map(|path| Chat::of(webhook.pointer(path)?.as_str()?))
            .chain([Chat::Number(own.number.to_owned())])
            .collect();
        let session = text(webhook, "session");
        let account = match session.filter(|session| session != own.session) {
            // Somebody else's, in a configuration that sends it here.
            Some(other) => format!("session:{other}"),
            None => me.iter().find_map(Chat::number).unwrap_or(own.number).to_owned(),
        };
        Around {
            webhook,
            payload: webhook.get("payload").unwrap_or(&Value::Null),
            account,
            me,
        }
    }

    fn events(&self) -> Result<Vec<Inbound>, String> {
        if !self.webhook.is_object() {
            return Err("not an object".to_owned());
        }
        let event = text(self.webhook, "event").ok_or("a webhook that names no event")?;
        let one = match event.as_str() {
            "session.status" => Some(self.told(
                "session.status",
                None,
                InboundBody::Account {
                    field: event.clone(),
                    value: self.payload.clone(),
                },
            )),
            "message" | "message.any" => self.message()?,
            "message.waiting" => self.waiting()?,
            "message.ack" => self.ack()?,
            "message.reaction" => self.reaction()?,
            "message.edited" => self.edited()?,
            "message.revoked" => self.revoked()?,
            "poll.vote" => self.vote()?,
            "call.received" => self.call()?,
            "call.accepted" | "call.rejected" => None,
            name if OF_NO_USE.contains(&name)
                || FAMILIES_OF_NO_USE.iter().any(|family| name.starts_with(family)) =>
            {
                None
            }
            other => return Err(format!("the event {other:?} is not known")),
        };
        Ok(one.into_iter().collect())
    }

    /// Something that nobody said.
    fn told(&self, key: &str, at: Option<Timestamp>, body: InboundBody) -> Inbound {
        let who = Party {
            role: Role::System,
            ..Party::default()
        };
        Inbound {
            account: self.account.clone(),
            key: DedupeKey(key.to_owned()),
            at,
            who,
            conversation: Conversation::default(),
            message_id: None,
            reply_to: None,
            forwarded: Forwarded::None,
            referral: None,
            body,
        }
    }

    /// In which chat, by whom and under which id; `None` where it is no customer's.
    fn place(&self, of: &Value) -> Result<Option<Said>, String> {
        let id = of.get("id").and_then(MessageId::in_value);
        let id = id.ok_or("a message without id")?;
        let from_me = of.get("fromMe").and_then(Value::as_bool).or(id.from_me);
        let from_me = from_me.unwrap_or(false);
        let named = if from_me { text(of, "to") } else { text(of, "from") };
        let chat = id.chat.clone().or(named).ok_or("a message that names no chat")?;
        let chat = Chat::of(&chat).ok_or("a message in a chat of a kind that is not known")?;
        let Some(room) = chat.id().filter(|_| !self.me.contains(&chat)) else {
            return Ok(None);
        };
        let role = match (from_me, text(of, "source").as_deref()) {
            (false, _) => Role::User,
            // Where nobody says what sent it, it is taken for ours: else each answer of the bot would silence it.
            (true, Some("api") | None) => Role::BotEcho,
            (true, Some(_)) => Role::Agent,
        };
        Ok(Some(Said { id, chat, room, role }))
    }

    /// An event of a message.
    fn event(&self, said: &Said, of: &Value, word: &str, body: InboundBody) -> Inbound {
        let other = other_address(of);
        let party = |pick: fn(&Chat) -> Option<&str>| {
            pick(&said.chat)
                .or_else(|| pick(other.as_ref()?))
                .map(str::to_owned)
        };
        let body = match said.role {
            Role::User | Role::System => body,
            Role::Agent | Role::BotEcho => InboundBody::Echo { body: Box::new(body) },
        };
        let named = || {
            ["/_data/pushName", "/_data/notifyName", "/_data/Info/PushName"]
                .iter()
                .find_map(|path| of.pointer(path)?.as_str())
                .filter(|name| !name.trim().is_empty())
                .map(str::to_owned)
        };
        let key = format!("{}/{}/{word}", said.room, said.id.bare());
        let mut event = self.told(&key, time(of), body);
        event.who = Party {
            role: said.role,
            phone: party(Chat::number),
            bsuid: party(Chat::hidden),
            username: None,
            display_name: (said.role == Role::User).then(named).flatten(),
        };
        event.conversation.room = Some(said.room.clone());
        event.message_id = Some(said.id.whole.clone());
        event
    }

    fn message(&self) -> Result<Option<Inbound>, String> {
        let Some(said) = self.place(self.payload)? else {
            return Ok(None);
        };
        let mut event = self.event(&said, self.payload, word_of(said.role), body(self.payload));
        let quoted = self.payload.pointer("/replyTo/id").and_then(MessageId::in_value);
        event.reply_to = quoted.map(|id| id.bare().to_owned());
        Ok(Some(event))
    }

    /// It may come once more, readable; the key keeps the two apart.
    fn waiting(&self) -> Result<Option<Inbound>, String> {
        let said = self.place(self.payload)?;
        Ok(said.filter(|said| said.role == Role::User).map(|said| {
            let body = InboundBody::Unsupported {
                what: Some("a message that could not be decrypted yet".to_owned()),
                code: None,
            };
            self.event(&said, self.payload, "waiting", body)
        }))
    }

    fn ack(&self) -> Result<Option<Inbound>, String> {
        let Some(said) = self.place(self.payload)? else {
            return Ok(None);
        };
        if said.role == Role::User {
            // That we have read theirs.
            return Ok(None);
        }
        let ack = self.payload.get("ack").and_then(Value::as_i64);
        let ack = ack.ok_or("an ack without its number")?;
        let state = match ack {
            -1 => DeliveryState::Failed,
            // Not sent yet, which is no news.
            0 => return Ok(None),
            1 => DeliveryState::Sent,
            2 => DeliveryState::Delivered,
            3 => DeliveryState::Read,
            4 => DeliveryState::Played,
            _ => return Err(format!("an ack of {ack}, which is not known")),
        };
        let failed = state == DeliveryState::Failed;
        let body = InboundBody::Status(StatusUpdate {
            message_id: said.id.bare().to_owned(),
            state,
            ours: None,
            error_code: self
                .payload
                .get("code")
                .and_then(Value::as_i64)
                .filter(|_| failed),
            error: text(self.payload, "error").filter(|_| failed),
        });
        let key = format!("{}/{}/ack{ack}", said.room, said.id.bare());
        Ok(Some(self.told(&key, time(self.payload), body)))
    }

    fn reaction(&self) -> Result<Option<Inbound>, String> {
        let Some(said) = self.place(self.payload)? else {
            return Ok(None);
        };
        let reaction = self.payload.get("reaction").unwrap_or(&Value::Null);
        let target = reaction.get("messageId").and_then(MessageId::in_value);
        let target = target.ok_or("a reaction to no message")?;
        let emoji = text(reaction, "text");
        let word = format!("reaction/{}", emoji.as_deref().unwrap_or("none"));
        let body = InboundBody::Reaction {
            target: target.bare().to_owned(),
            emoji,
        };
        Ok(Some(self.event(&said, self.payload, &word, body)))
    }

    fn edited(&self) -> Result<Option<Inbound>, String> {
        let Some(said) = self.place(self.payload)? else {
            return Ok(None);
        };
        let target = self.payload.get("editedMessageId").and_then(MessageId::in_value);
        let target = target.ok_or("a change of no message")?;
        let edited = InboundBody::Edited {
            target: target.bare().to_owned(),
            body: Box::new(body(self.payload)),
        };
        // The change may bear the id of what it changes.
        let moment = time(self.payload).map_or_else(String::new, |at| at.to_string());
        Ok(Some(self.event(
            &said,
            self.payload,
            &format!("edited/{moment}"),
            edited,
        )))
    }

    fn revoked(&self) -> Result<Option<Inbound>, String> {
        let after = ["after", "before"]
            .iter()
            .filter_map(|name| self.payload.get(name))
            .find(|message| message.is_object());
        let after = after.ok_or("a revocation of nothing")?;
        let Some(said) = self.place(after)? else {
            return Ok(None);
        };
        let target = self.payload.get("revokedMessageId").and_then(MessageId::in_value);
        let target = target.as_ref().unwrap_or(&said.id).bare().to_owned();
        Ok(Some(self.event(
            &said,
            after,
            "revoked",
            InboundBody::Revoked { target },
        )))
    }

    /// An answer to a poll is as if its option had been typed.
    fn vote(&self) -> Result<Option<Inbound>, String> {
        let vote = self.payload.get("vote").ok_or("a vote without itself")?;
        let Some(said) = self.place(vote)? else {
            return Ok(None);
        };
        let chosen = vote.get("selectedOptions").and_then(Value::as_array);
        let chosen: Vec<&str> = chosen.into_iter().flatten().filter_map(Value::as_str).collect();
        let [title] = chosen[..] else {
            // Taken back, or several: nothing that a menu could ask.
            return Ok(None);
        };
        let body = InboundBody::Choice {
            id: None,
            title: title.to_owned(),
        };
        let word = format!("vote/{title}");
        Ok(Some(self.event(&said, vote, &word, body)))
    }

    fn call(&self) -> Result<Option<Inbound>, String> {
        let id = text(self.payload, "id").ok_or("a call without id")?;
        let from = text(self.payload, "from").ok_or("a call from nobody")?;
        let chat = Chat::of(&from).ok_or("a call from somebody of a kind that is not known")?;
        let Some(room) = chat.id() else { return Ok(None) };
        let said = Said {
            id: MessageId::of(&id),
            chat,
            room,
            role: Role::User,
        };
        let body = InboundBody::Call {
            call: self.payload.clone(),
        };
        let mut event = self.event(&said, self.payload, "call", body);
        event.message_id = None;
        Ok(Some(event))
    }
}

/// What is known of whoever said something.
struct Said {
    id: MessageId,
    chat: Chat,
    /// The chat's id, under which it is answered.
    room: String,
    role: Role,
}

fn word_of(role: Role) -> &'static str {
    match role {
        Role::User | Role::System => "customer",
        Role::Agent | Role::BotEcho => "ours",
    }
}

/// The other name of the same customer, as the engines give it.
fn other_address(of: &Value) -> Option<Chat> {
    [
        "/_data/key/remoteJidAlt",
        "/_data/key/senderPn",
        "/_data/key/senderLid",
        "/_data/Info/RecipientAlt",
        "/_data/Info/SenderAlt",
    ]
    .iter()
    .filter_map(|path| Chat::of(of.pointer(path)?.as_str()?))
    .find(|chat| *chat != Chat::Crowd)
}

fn body(message: &Value) -> InboundBody {
    let file = message.get("media").filter(|media| media.is_object());
    let has_file = message.get("hasMedia").and_then(Value::as_bool) == Some(true);
    if let Some(place) = message.get("location").and_then(place_of) {
        return InboundBody::Location(place);
    }
    if has_file || file.is_some() {
        return match file.and_then(|file| media_of(message, file)) {
            Some(media) => InboundBody::Media(media),
            None => InboundBody::Unsupported {
                what: Some("a file that the server of the linked device has not kept".to_owned()),
                code: None,
            },
        };
    }
    if let Some(cards) = message.get("vCards").and_then(Value::as_array)
        && !cards.is_empty()
    {
        return InboundBody::Contacts {
            cards: Value::Array(cards.clone()),
        };
    }
    match message.get("body").and_then(Value::as_str) {
        Some(written) if !written.is_empty() => InboundBody::Text {
            body: written.to_owned(),
        },
        Some(_) | None => InboundBody::Unknown {
            kind: message
                .pointer("/_data/type")
                .and_then(Value::as_str)
                .map(str::to_owned),
            raw: message.clone(),
        },
    }
}

fn media_of(message: &Value, file: &Value) -> Option<Media> {
    let url = text(file, "url")?;
    let mime = text(file, "mimetype");
    let plain = mime.as_deref().unwrap_or_default().split(';').next();
    let kind = message.pointer("/_data/type").and_then(Value::as_str);
    let engine = |path: &str| message.pointer(path);
    let sticker = kind == Some("sticker")
        || engine("/_data/message/stickerMessage").is_some()
        || engine("/_data/Message/stickerMessage").is_some();
    let voice = engine("/_data/message/audioMessage/ptt")
        .or_else(|| engine("/_data/Message/audioMessage/PTT"))
        .and_then(Value::as_bool);
    let document = kind == Some("document") || text(file, "filename").is_some();
    let media = match plain.unwrap_or_default().trim() {
        _ if sticker => MediaKind::Sticker,
        // Photos in a chat are never of this kind.
        "image/webp" if !document => MediaKind::Sticker,
        mime if mime.starts_with("audio/") => {
            // Notes recorded in the chat are Ogg; other sounds hardly ever.
            let note = kind == Some("ptt") || voice.unwrap_or(mime == "audio/ogg");
            if note { MediaKind::Voice } else { MediaKind::Audio }
        }
        _ if document => MediaKind::Document,
        mime if mime.starts_with("image/") => MediaKind::Photo,
        mime if mime.starts_with("video/") => MediaKind::Video,
        _ => MediaKind::Document,
    };
    Some(Media {
        media,
        handle: MediaHandle::Url(url),
        mime,
        sha256: None,
        filename: text(file, "filename"),
        caption: message
            .get("body")
            .and_then(Value::as_str)
            .filter(|caption| !caption.is_empty())
            .map(str::to_owned),
    })
}

fn place_of(place: &Value) -> Option<Place> {
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
        name: text(place, "title")
            .or_else(|| text(place, "name"))
            .or_else(|| text(place, "description")),
        address: text(place, "address"),
    })
}

/// A member that is a text (or a number where a text belongs), if not empty.
pub(super) fn text(of: &Value, name: &str) -> Option<String> {
    match of.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Seconds, with or without a fraction; some engines give milliseconds.
fn time(of: &Value) -> Option<Timestamp> {
    let number = match of.get("timestamp")? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let seconds = if number > 100_000_000_000.0 {
        number / 1000.0
    } else {
        number
    };
    if !(0.0..=32_503_680_000.0).contains(&seconds) {
        return None;
    }
    // In range, so nothing is cut off but the fraction.
    #[allow(clippy::cast_possible_truncation)]
    Timestamp::from_millisecond((seconds * 1000.0) as i64).ok()
}

#[cfg(test)]
mod tests;

//! What arrives: one [`Inbound`] for each thing a provider tells us.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One event decoded from a provider's webhook.
///
/// Only [`Role::User`] events with a content body (see [`InboundBody::starts_a_turn`]) are given to the engine;
/// the rest update statuses, aliases or the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inbound {
    /// The provider's identity of the number that received it (Meta: `metadata.phone_number_id`).
    pub account: String,
    /// What makes two deliveries of this event the same event.
    pub key: DedupeKey,
    /// The provider's time, if it gave one.
    pub at: Option<Timestamp>,
    pub who: Party,
    #[serde(default, skip_serializing_if = "Conversation::is_plain")]
    pub conversation: Conversation,
    /// The provider's id of the message (Meta: `wamid.…`), for read receipts, quotes and reactions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The id of the message that this one quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    #[serde(default, skip_serializing_if = "Forwarded::is_none")]
    pub forwarded: Forwarded,
    /// The advertisement or link that brought the customer here, as the provider described it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<serde_json::Value>,
    pub body: InboundBody,
}

/// Identity of an event for deduplication: a provider's message id, or id and state for statuses, or a hash of
/// the canonical change where there is no id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DedupeKey(pub String);

/// Who did it. A phone number may be missing: since 2026 a customer can be known by a business-scoped id alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Party {
    pub role: Role,
    /// Digits as received, without `+`. Never rewritten: answers go to exactly these digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Business-scoped user id (`CC.…`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bsuid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// Whose event it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The customer.
    #[default]
    User,
    /// A person of the business, writing from the phone or the provider's own inbox.
    Agent,
    /// Our own message coming back.
    BotEcho,
    /// The provider itself.
    System,
}

/// Where it was said, for providers with rooms or groups.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Conversation {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    #[serde(default)]
    pub window: Window,
    #[serde(default, skip_serializing_if = "Keeper::is_unknown")]
    pub keeper: Keeper,
}

impl Conversation {
    fn is_plain(&self) -> bool {
        *self == Conversation::default()
    }
}

/// What the provider says of the 24-hour customer-service window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    Open,
    Closed,
    /// The provider does not say; it is computed from the last message.
    #[default]
    Unknown,
}

/// Who has the chat in the provider's own inbox, at providers that have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keeper {
    /// Nobody: the bot may answer.
    Bot,
    /// A person.
    People,
    /// The provider does not say.
    #[default]
    Unknown,
}

impl Keeper {
    fn is_unknown(&self) -> bool {
        *self == Keeper::Unknown
    }
}

/// What happened to the room of a conversation in the provider's own inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomNews {
    /// A person has it now.
    Assigned,
    /// Nobody has it (any more).
    Unassigned,
    /// The conversation is over.
    Resolved,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forwarded {
    #[default]
    None,
    Once,
    /// More than five hops.
    Often,
}

impl Forwarded {
    fn is_none(&self) -> bool {
        *self == Forwarded::None
    }
}

/// The content of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum InboundBody {
    Text {
        body: String,
    },
    Media(Media),
    Location(Place),
    /// Contact cards, as received.
    Contacts {
        cards: serde_json::Value,
    },
    /// A tapped button or list row. `id` is the one we sent; a template's quick reply has only a payload.
    Choice {
        id: Option<String>,
        title: String,
    },
    /// The JSON a WhatsApp form sent back.
    FormReply {
        response: serde_json::Value,
    },
    /// An emoji put on one of our messages; `None` takes it away.
    Reaction {
        target: String,
        emoji: Option<String>,
    },
    Order {
        order: serde_json::Value,
    },
    Edited {
        target: String,
        body: Box<InboundBody>,
    },
    Revoked {
        target: String,
    },
    /// The customer's number or id changed; `who` is the old identity.
    Identity {
        phone: Option<String>,
        bsuid: Option<String>,
        /// True if only the device key changed, not the address.
        key_changed: bool,
    },
    Status(StatusUpdate),
    /// Marketing consent changed in the app itself.
    Preference {
        marketing: bool,
    },
    /// A message that a person of the business sent from elsewhere.
    Echo {
        body: Box<InboundBody>,
    },
    Call {
        call: serde_json::Value,
    },
    /// The room was given to somebody, given back or closed; `who` is its customer.
    Room {
        news: RoomNews,
    },
    /// News about the account: quality, restriction, template status.
    Account {
        field: String,
        value: serde_json::Value,
    },
    /// The provider says it could not hand this over.
    Unsupported {
        what: Option<String>,
        code: Option<i64>,
    },
    /// A kind we do not know, kept whole.
    Unknown {
        kind: Option<String>,
        raw: serde_json::Value,
    },
}

impl Inbound {
    /// The provider's id of the message, or what it is known by here where the provider gives none.
    pub fn name(&self) -> &str {
        self.message_id.as_deref().unwrap_or(&self.key.0)
    }
}

impl InboundBody {
    /// Whether the bot answers such a body. Stickers, reactions, system messages and statuses are recorded without
    /// an answer.
    pub fn starts_a_turn(&self) -> bool {
        match self {
            InboundBody::Text { .. }
            | InboundBody::Location(_)
            | InboundBody::Contacts { .. }
            | InboundBody::Choice { .. }
            | InboundBody::FormReply { .. }
            | InboundBody::Order { .. } => true,
            InboundBody::Media(media) => media.media != MediaKind::Sticker,
            InboundBody::Reaction { .. }
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
            | InboundBody::Unknown { .. } => false,
        }
    }
}

/// A file the customer sent. The bytes stay with the provider until fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    pub media: MediaKind,
    pub handle: MediaHandle,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// Base64 of the SHA-256, as the provider gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    Photo,
    Video,
    /// A voice note: recorded in the chat, Ogg/Opus on WhatsApp.
    Voice,
    /// Any other sound file.
    Audio,
    Document,
    Sticker,
}

/// How to get at the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaHandle {
    /// The provider's media id; `url` is a short-lived shortcut it may have offered.
    Id {
        id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    },
    Url(String),
}

/// A point on the map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lng: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// News about a message we sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusUpdate {
    /// The provider's id of our message.
    pub message_id: String,
    pub state: DeliveryState,
    /// Our own id, if the provider echoes it (Meta: `biz_opaque_callback_data`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How far a sent message got. Statuses arrive in any order; the highest one is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    Sent,
    Delivered,
    Read,
    /// A voice note was listened to.
    Played,
    Failed,
}

//! What leaves: an [`OutboundBody`], to be sent to an [`Address`].

use serde::{Deserialize, Serialize};

use super::{MediaKind, Place};

/// Where a message goes. An address is kept exactly as it was received.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// A number given by people or configuration, in E.164 with `+`.
    Phone(String),
    /// Digits as a provider's webhook gave them.
    WaId(String),
    /// A business-scoped user id.
    Bsuid(String),
    /// A room of the provider's inbox. Templates may need the customer's digits besides.
    Room {
        id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        phone: Option<String>,
    },
}

/// One message of ours, before a channel has decided how to show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OutboundBody {
    Text {
        body: String,
        /// Let the app show a preview of the first link.
        #[serde(default)]
        preview: bool,
    },
    Media {
        media: MediaKind,
        source: MediaSource,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caption: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filename: Option<String>,
    },
    /// A question with options. The channel picks buttons, a list or numbered text.
    Choices(Choices),
    /// A message with one link button.
    Link {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        header: Option<String>,
        body: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        footer: Option<String>,
        label: String,
        url: String,
    },
    /// A form of WhatsApp behind a button.
    Form {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        header: Option<String>,
        body: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        footer: Option<String>,
        label: String,
        /// The form's id at WhatsApp.
        form: String,
        /// Comes back with what was filled in.
        token: String,
    },
    Location(Place),
    /// A template approved by WhatsApp: the only kind that may leave outside the 24-hour window.
    Template {
        name: String,
        /// `en`, `pt_BR`, …
        language: String,
        /// Values of the body's blanks `{{1}}`, `{{2}}`, … in their order.
        params: Vec<String>,
        /// What the customer will read, for the thread.
        text: String,
        /// What it takes besides.
        #[serde(default, skip_serializing_if = "TemplateParts::is_empty")]
        parts: Box<TemplateParts>,
    },
    /// Asks for the customer's location with the app's own button.
    AskLocation {
        body: String,
    },
    /// An emoji at the customer's last message.
    React {
        emoji: String,
        /// The provider's id of that message; the server fills it in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<String>,
    },
    /// People are to have the chat, in the inbox of a provider that has one. The customer sees nothing of it.
    HandOff {
        /// As the flow names it; empty: whoever is there.
        team: String,
    },
    /// The conversation is over, for that inbox.
    Resolve,
}

/// What a template takes besides the values of its body.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TemplateParts {
    /// The names of the body's blanks, in the order of the values, where the provider knows them by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<TemplateHeader>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<ButtonValue>,
    /// Its quick replies as far as a tap is to be known again, the first of them first. WhatsApp keeps them together
    /// and before buttons of other kinds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replies: Vec<QuickReply>,
}

/// A quick reply of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuickReply {
    /// As approved.
    pub title: String,
    /// What comes back with the tap; at most 128 bytes.
    pub id: String,
}

impl TemplateParts {
    pub fn is_empty(&self) -> bool {
        *self == TemplateParts::default()
    }
}

/// What fills the header of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateHeader {
    /// The value of its one blank.
    Text(String),
    /// A picture, video or document by its address.
    File {
        media: MediaKind,
        url: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filename: Option<String>,
    },
}

/// What fills a button of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ButtonValue {
    /// Its place among the template's buttons, from 0.
    pub index: usize,
    /// Whether it copies the value; otherwise that ends its address.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub copies: bool,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choices {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    pub body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    /// Label of the button that opens a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<String>,
    /// `true` if the author wrote `list`: a list even where buttons would do.
    #[serde(default)]
    pub as_list: bool,
    pub options: Vec<Choice>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Ours, opaque to the provider, at most 200 bytes.
    pub id: String,
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
}

/// Where the bytes of a sent file come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaSource {
    /// Already uploaded to the provider.
    Id(String),
    Url(String),
    /// A file of the business, beside its flows.
    File(String),
}

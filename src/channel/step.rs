//! What is to be sent, before and after a channel has decided how: an [`Outbound`] becomes a [`Plan`] of [`Step`]s.
//!
//! A step is one request that a provider will take as it stands. Steps are plain values that can be stored.

use serde::{Deserialize, Serialize};

use crate::message::{Address, Limits, MediaKind, MediaSource, OutboundBody, Place, TemplateParts};

/// A message of ours on its way to a channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outbound {
    pub to: Address,
    /// The provider's id of the message to quote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Our own id, echoed in statuses where the provider does so. At most 512 characters at Meta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<String>,
    pub body: OutboundBody,
}

/// What a provider can show, and how long it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    pub limits: Limits,
    /// Longest id of a button or row.
    pub option_id: usize,
    pub buttons: bool,
    pub lists: bool,
    /// Templates that WhatsApp has approved.
    pub templates: bool,
    /// A message with one link button.
    pub links: bool,
    pub ask_location: bool,
    /// Forms of WhatsApp (Flows).
    pub forms: bool,
    pub locations: bool,
    pub media: bool,
    /// Files are fetched by the provider from their address.
    pub media_links: bool,
    /// Files of the business; without it only those that have an address.
    pub uploads: bool,
    /// A file of the business goes out in the message itself; it is not uploaded before.
    pub files_along: bool,
    pub quotes: bool,
    /// Reactions of the business to a message.
    pub reactions: bool,
    /// Read receipts; with `typing` also the typing sign.
    pub seen: bool,
    pub typing: bool,
    /// Sending to a business-scoped user id.
    pub bsuid: bool,
    /// The provider has an inbox with a room for each customer: messages go there, and only templates to a number. Rooms
    /// can be handed to people and resolved.
    pub rooms: bool,
    /// It tells when a message was delivered, so that the next one can wait for that.
    pub deliveries: bool,
}

impl Caps {
    /// Meta's Cloud API. The smaller of its two limits on ids (rows 200, buttons 256) holds for both, so that an
    /// option keeps its id whatever form it takes.
    pub const META: Caps = Caps {
        limits: Limits::META,
        option_id: 200,
        buttons: true,
        lists: true,
        templates: true,
        links: true,
        ask_location: true,
        forms: true,
        locations: true,
        media: true,
        media_links: true,
        uploads: true,
        files_along: false,
        quotes: true,
        reactions: true,
        seen: true,
        typing: true,
        bsuid: true,
        rooms: false,
        deliveries: true,
    };

    /// Mekari Qontak's rooms. Its limits are not documented; they are WhatsApp's behind it. How headers, footers and
    /// captions are written is not documented either: they go into the text.
    pub const QONTAK: Caps = Caps {
        limits: Limits {
            provider: "Qontak",
            header: 0,
            footer: 0,
            caption: 0,
            ..Limits::META
        },
        option_id: 200,
        buttons: true,
        lists: true,
        templates: true,
        links: false,
        ask_location: false,
        forms: false,
        locations: false,
        media: true,
        media_links: false,
        uploads: true,
        files_along: true,
        quotes: false,
        reactions: false,
        seen: false,
        typing: false,
        bsuid: false,
        rooms: true,
        deliveries: true,
    };
}

/// The steps of one message, in order, and what could not be shown as written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub losses: Vec<Loss>,
}

/// One request to a provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    Send {
        to: Address,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<String>,
        /// Every step of a plan carries the message's own id. Where steps are stored apart, each has its own, which is
        /// that of its entry and does not stand here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ours: Option<String>,
        /// Hold it until the step before was delivered (a few seconds at most): the provider does not promise order,
        /// and options must not overtake what they speak of.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        after_delivery: bool,
        show: Show,
    },
    /// Marks the customer's message as read, and shows that an answer is being written.
    Seen { message_id: String, typing: bool },
    /// Gives the room to people.
    HandOff { room: String, team: String },
    /// Closes the room.
    Resolve { room: String },
}

impl Step {
    /// The file of the business that must be uploaded before this step can be encoded.
    pub fn file(&self) -> Option<&str> {
        match self {
            Step::Send {
                show:
                    Show::Media {
                        source: MediaSource::File(path),
                        ..
                    },
                ..
            } => Some(path),
            Step::Send { .. } | Step::Seen { .. } | Step::HandOff { .. } | Step::Resolve { .. } => None,
        }
    }

    /// The same step with its file replaced by the provider's id of the upload.
    pub fn uploaded(mut self, id: String) -> Self {
        if let Step::Send {
            show: Show::Media { source, .. },
            ..
        } = &mut self
        {
            *source = MediaSource::Id(id);
        }
        self
    }
}

/// The form that a message takes on the screen. Within the limits of the [`Caps`] it was planned for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "show", rename_all = "snake_case")]
pub enum Show {
    /// An emoji at the message with that id.
    React {
        emoji: String,
        target: String,
    },
    Text {
        body: String,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        preview: bool,
    },
    Buttons {
        header: Option<String>,
        body: String,
        footer: Option<String>,
        buttons: Vec<Button>,
    },
    List {
        header: Option<String>,
        body: String,
        footer: Option<String>,
        /// Label of the button that opens the list.
        open: String,
        sections: Vec<Section>,
    },
    Link {
        header: Option<String>,
        body: String,
        footer: Option<String>,
        label: String,
        url: String,
    },
    Form {
        header: Option<String>,
        body: String,
        footer: Option<String>,
        label: String,
        form: String,
        token: String,
    },
    Media {
        media: MediaKind,
        source: MediaSource,
        caption: Option<String>,
        filename: Option<String>,
    },
    Location(Place),
    AskLocation {
        body: String,
    },
    /// An approved template. `text` is what the customer reads, for the thread; it is not sent.
    Template {
        name: String,
        language: String,
        params: Vec<String>,
        text: String,
        #[serde(default, skip_serializing_if = "TemplateParts::is_empty")]
        parts: Box<TemplateParts>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    pub id: String,
    pub title: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Present wherever there is more than one section.
    pub title: Option<String>,
    pub rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub id: String,
    pub title: String,
    pub description: Option<String>,
}

/// Something that did not reach the customer as it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    #[error("a text of {parts} parts was cut off after part {kept}")]
    TextCut { parts: usize, kept: usize },
    #[error("\"{full}\" was shortened to \"{shown}\"")]
    Shortened { full: String, shown: String },
    #[error("the options are shown as a numbered text: {why}")]
    NumberedText { why: String },
    #[error("\"{title}\" stands twice, so the options are numbered")]
    EqualTitles { title: String },
    #[error("the template is sent as a plain message: there are none for this number")]
    TemplateAsText,
    #[error("the link button is shown as text")]
    LinkAsText,
    #[error("the form can't be shown on this number: the customer gets its words alone and can't fill it in")]
    FormAsText,
    #[error("the location is shown as text")]
    LocationAsText,
    #[error("the caption is sent as a text of its own")]
    CaptionApart,
    #[error("the file is not sent: the provider takes none")]
    MediaDropped,
    #[error("the file is shown as a link: the provider takes files of the business alone")]
    MediaAsLink,
    #[error("the reaction is not shown: the provider takes none, or the message is not known")]
    Reaction,
    #[error("the quoted message is not shown")]
    QuoteDropped,
    #[error("not sent: the provider cannot reach a customer who is known by a user id alone")]
    Unsendable,
    #[error(
        "not sent: this customer has no room at the provider yet; only a template can be sent, which opens one"
    )]
    NoRoom,
    #[error("not sent: this customer is known by the room of another provider's inbox alone")]
    ForeignRoom,
}

/// A file of the business on its way to the provider.
#[derive(Clone, PartialEq, Eq)]
pub struct Upload {
    pub filename: String,
    pub mime: String,
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Upload({:?}, {}, {} bytes)",
            self.filename,
            self.mime,
            self.bytes.len()
        )
    }
}

//! From a [`Step`] to the Cloud API's request. The wire types below are the request's exact shape, field by field, so
//! that nothing the API does not know can slip in.
//!
//! Source: Meta, Cloud API reference v23.0-v25.0, `POST /{phone_number_id}/messages` and `/media`.

mod template;

use serde::Serialize;

use self::template::Template;

use crate::channel::form::form;
use crate::channel::{Button, EncodeError, Section, Show, Step, Upload};
use crate::message::{Address, MediaKind, MediaSource, Place};

/// Longest `biz_opaque_callback_data`, in characters.
const LONGEST_OURS: usize = 512;

/// The JSON body of a step.
pub(in crate::channel) fn body_of(step: &Step) -> Result<Vec<u8>, EncodeError> {
    let json = match step {
        Step::Seen { message_id, typing } => serde_json::to_vec(&ReadReceipt {
            messaging_product: "whatsapp",
            status: "read",
            message_id,
            typing_indicator: typing.then_some(Typing { r#type: "text" }),
        }),
        Step::HandOff { .. } | Step::Resolve { .. } => return Err(unsupported("anything to an inbox")),
        Step::Send {
            to,
            reply_to,
            ours,
            after_delivery: _,
            show,
        } => {
            let ours = ours.as_deref();
            if let Some(size) = ours
                .map(|ours| ours.chars().count())
                .filter(|size| *size > LONGEST_OURS)
            {
                return Err(EncodeError::TooLong {
                    what: "the callback data",
                    size,
                    limit: LONGEST_OURS,
                });
            }
            serde_json::to_vec(&Message {
                messaging_product: "whatsapp",
                recipient_type: "individual",
                to: Recipient::of(to)?,
                context: reply_to.as_deref().map(|message_id| Context { message_id }),
                biz_opaque_callback_data: ours,
                content: Content::of(show)?,
            })
        }
    };
    // Maps with string keys and finite numbers always serialise; a place with a non-finite coordinate becomes `null`.
    Ok(json.unwrap_or_default())
}

#[derive(Serialize)]
struct ReadReceipt<'a> {
    messaging_product: &'static str,
    status: &'static str,
    message_id: &'a str,
    /// Cannot be sent without marking the message as read.
    #[serde(skip_serializing_if = "Option::is_none")]
    typing_indicator: Option<Typing>,
}

#[derive(Serialize)]
struct Typing {
    r#type: &'static str,
}

#[derive(Serialize)]
struct Message<'a> {
    messaging_product: &'static str,
    recipient_type: &'static str,
    #[serde(flatten)]
    to: Recipient<'a>,
    #[serde(flatten)]
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    biz_opaque_callback_data: Option<&'a str>,
}

/// A phone number goes into `to`; a business-scoped user id into `recipient`, never into `to`, where it would be
/// accepted and lost.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Recipient<'a> {
    To(&'a str),
    Recipient(&'a str),
}

impl<'a> Recipient<'a> {
    fn of(address: &'a Address) -> Result<Self, EncodeError> {
        match address {
            Address::Phone(phone) => Ok(Recipient::To(phone)),
            Address::WaId(digits) => Ok(Recipient::To(digits)),
            Address::Bsuid(id) => Ok(Recipient::Recipient(id)),
            Address::Room { .. } => Err(unsupported("to a room")),
        }
    }
}

#[derive(Serialize)]
struct Context<'a> {
    message_id: &'a str,
}

fn unsupported(what: &'static str) -> EncodeError {
    EncodeError::Unsupported {
        provider: "Meta",
        what,
    }
}

/// `type` and the member of that name.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
enum Content<'a> {
    Text { text: Text<'a> },
    Image { image: File<'a> },
    Video { video: File<'a> },
    Audio { audio: File<'a> },
    Document { document: File<'a> },
    Sticker { sticker: File<'a> },
    Location { location: Location<'a> },
    Reaction { reaction: Reaction<'a> },
    Interactive { interactive: Interactive<'a> },
    Template { template: Template<'a> },
}

#[derive(Serialize)]
struct Reaction<'a> {
    message_id: &'a str,
    emoji: &'a str,
}

#[derive(Serialize)]
struct Text<'a> {
    body: &'a str,
    preview_url: bool,
}

#[derive(Serialize)]
struct File<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caption: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
    /// Shows an Ogg/Opus file as a voice note.
    #[serde(skip_serializing_if = "Option::is_none")]
    voice: Option<bool>,
}

#[derive(Serialize)]
struct Location<'a> {
    latitude: f64,
    longitude: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
}

#[derive(Serialize)]
struct Interactive<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<Header<'a>>,
    body: Part<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    footer: Option<Part<'a>>,
    action: Action<'a>,
}

#[derive(Serialize)]
struct Header<'a> {
    r#type: &'static str,
    text: &'a str,
}

#[derive(Serialize)]
struct Part<'a> {
    text: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Action<'a> {
    Buttons {
        buttons: Vec<ReplyButton<'a>>,
    },
    List {
        button: &'a str,
        sections: Vec<ListSection<'a>>,
    },
    Link {
        name: &'static str,
        parameters: LinkParameters<'a>,
    },
    Form {
        name: &'static str,
        parameters: FormParameters<'a>,
    },
    Location {
        name: &'static str,
    },
}

#[derive(Serialize)]
struct ReplyButton<'a> {
    r#type: &'static str,
    reply: Reply<'a>,
}

#[derive(Serialize)]
struct Reply<'a> {
    id: &'a str,
    title: &'a str,
}

#[derive(Serialize)]
struct ListSection<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    rows: Vec<ListRow<'a>>,
}

#[derive(Serialize)]
struct ListRow<'a> {
    id: &'a str,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

#[derive(Serialize)]
struct LinkParameters<'a> {
    display_text: &'a str,
    url: &'a str,
}

/// Of a WhatsApp Flow: it opens at its first screen.
#[derive(Serialize)]
struct FormParameters<'a> {
    flow_message_version: &'static str,
    flow_token: &'a str,
    flow_id: &'a str,
    flow_cta: &'a str,
    flow_action: &'static str,
}

impl<'a> Content<'a> {
    fn of(show: &'a Show) -> Result<Self, EncodeError> {
        let interactive = |r#type, header: &'a Option<String>, body, footer: &'a Option<String>, action| {
            Content::Interactive {
                interactive: Interactive {
                    r#type,
                    header: header.as_deref().map(|text| Header { r#type: "text", text }),
                    body: Part { text: body },
                    footer: footer.as_deref().map(|text| Part { text }),
                    action,
                },
            }
        };
        Ok(match show {
            Show::Text { body, preview } => Content::Text {
                text: Text {
                    body,
                    preview_url: *preview,
                },
            },
            Show::Buttons {
                header,
                body,
                footer,
                buttons,
            } => interactive(
                "button",
                header,
                body,
                footer,
                Action::Buttons {
                    buttons: reply_buttons(buttons),
                },
            ),
            Show::List {
                header,
                body,
                footer,
                open,
                sections,
            } => {
                let action = Action::List {
                    button: open,
                    sections: list_sections(sections),
                };
                interactive("list", header, body, footer, action)
            }
            Show::Link {
                header,
                body,
                footer,
                label,
                url,
            } => {
                let parameters = LinkParameters {
                    display_text: label,
                    url,
                };
                interactive(
                    "cta_url",
                    header,
                    body,
                    footer,
                    Action::Link {
                        name: "cta_url",
                        parameters,
                    },
                )
            }
            Show::Form {
                header,
                body,
                footer,
                label,
                form,
                token,
            } => {
                let parameters = FormParameters {
                    flow_message_version: "3",
                    flow_token: token,
                    flow_id: form,
                    flow_cta: label,
                    flow_action: "navigate",
                };
                let action = Action::Form {
                    name: "flow",
                    parameters,
                };
                interactive("flow", header, body, footer, action)
            }
            Show::React { emoji, target } => Content::Reaction {
                reaction: Reaction {
                    message_id: target,
                    emoji,
                },
            },
            Show::AskLocation { body } => {
                let action = Action::Location {
                    name: "send_location",
                };
                interactive("location_request_message", &None, body, &None, action)
            }
            Show::Media {
                media,
                source,
                caption,
                filename,
            } => media_of(*media, source, caption.as_deref(), filename.as_deref())?,
            Show::Template {
                name,
                language,
                params,
                text: _,
                parts,
            } => Content::Template {
                template: Template::of(name, language, params, parts),
            },
            Show::Location(Place {
                lat,
                lng,
                name,
                address,
            }) => Content::Location {
                location: Location {
                    latitude: *lat,
                    longitude: *lng,
                    name: name.as_deref(),
                    address: address.as_deref(),
                },
            },
        })
    }
}

fn reply_buttons(buttons: &[Button]) -> Vec<ReplyButton<'_>> {
    buttons
        .iter()
        .map(|button| ReplyButton {
            r#type: "reply",
            reply: Reply {
                id: &button.id,
                title: &button.title,
            },
        })
        .collect()
}

fn list_sections(sections: &[Section]) -> Vec<ListSection<'_>> {
    sections
        .iter()
        .map(|section| ListSection {
            title: section.title.as_deref(),
            rows: section
                .rows
                .iter()
                .map(|row| ListRow {
                    id: &row.id,
                    title: &row.title,
                    description: row.description.as_deref(),
                })
                .collect(),
        })
        .collect()
}

fn media_of<'a>(
    media: MediaKind,
    source: &'a MediaSource,
    caption: Option<&'a str>,
    filename: Option<&'a str>,
) -> Result<Content<'a>, EncodeError> {
    let (id, link) = match source {
        MediaSource::Id(id) => (Some(id.as_str()), None),
        MediaSource::Url(link) => (None, Some(link.as_str())),
        MediaSource::File(path) => return Err(EncodeError::NotUploaded(path.clone())),
    };
    let file = File {
        id,
        link,
        caption: None,
        filename: None,
        voice: None,
    };
    Ok(match media {
        MediaKind::Photo => Content::Image {
            image: File { caption, ..file },
        },
        MediaKind::Video => Content::Video {
            video: File { caption, ..file },
        },
        MediaKind::Voice => Content::Audio {
            audio: File {
                voice: Some(true),
                ..file
            },
        },
        MediaKind::Audio => Content::Audio { audio: file },
        MediaKind::Document => Content::Document {
            document: File {
                caption,
                filename,
                ..file
            },
        },
        MediaKind::Sticker => Content::Sticker { sticker: file },
    })
}

/// A multipart form with the file, and its content type.
pub(super) fn form_of(upload: &Upload) -> (String, Vec<u8>) {
    form(
        &[("messaging_product", "whatsapp"), ("type", &upload.mime)],
        upload,
    )
}

#[cfg(test)]
mod tests;

//! From the crate's decrypted message to ours.

use wacore::proto_helpers::MessageExt as _;
use wacore_binary::{Jid, Server};
use waproto::whatsapp as wa;
use whatsapp_rust::types::events::InboundMessage;

use super::{Chat, Content, File, Received};

/// The address as the contract writes it; nothing for groups, channels and lists, which no one answers here.
pub(super) fn chat_of(jid: &Jid) -> Option<Chat> {
    match jid.server {
        Server::Pn => Some(Chat::of_number(&jid.user)),
        Server::Lid => Some(Chat::of_lid(&jid.user)),
        _ => None,
    }
}

/// What came in, or nothing if nobody has to know of it: protocol messages, groups, lists.
pub(super) fn received(inbound: &InboundMessage) -> Option<Received> {
    let info = &inbound.info;
    let source = &info.source;
    let content = content_of(&inbound.message)?;
    Some(Received {
        id: info.id.to_string(),
        chat: chat_of(&source.chat)?,
        sender: chat_of(&source.sender)?,
        other_address: source
            .sender_alt
            .as_ref()
            .filter(|_| !source.is_from_me)
            .and_then(chat_of),
        from_me: source.is_from_me,
        timestamp: info.timestamp.timestamp(),
        push_name: info.push_name.clone(),
        quoted: quoted_by(&inbound.message),
        content,
    })
}

fn content_of(whole: &wa::Message) -> Option<Content> {
    let message = whole.get_base_message();
    if let Some(text) = message.text_content() {
        return Some(Content::Text(text.to_owned()));
    }
    if let Some(protocol) = message.protocol_message.as_option() {
        return protocol_of(protocol);
    }
    if let Some(reaction) = message.reaction_message.as_option() {
        let to = reaction.key.as_option().and_then(|key| key.id.clone())?;
        return Some(Content::Reaction {
            text: reaction.text.clone().unwrap_or_default(),
            to,
        });
    }
    if let Some(place) = message.location_message.as_option() {
        let words: Vec<&str> = [place.name.as_deref(), place.address.as_deref()]
            .into_iter()
            .flatten()
            .collect();
        return Some(Content::Location {
            latitude: place.degrees_latitude.unwrap_or_default(),
            longitude: place.degrees_longitude.unwrap_or_default(),
            description: words.join(", "),
        });
    }
    if let Some(card) = message.contact_message.as_option() {
        return Some(Content::Cards(card.vcard.clone().into_iter().collect()));
    }
    if let Some(cards) = message.contacts_array_message.as_option() {
        return Some(Content::Cards(
            cards
                .contacts
                .iter()
                .filter_map(|card| card.vcard.clone())
                .collect(),
        ));
    }
    if let Some(file) = file_of(message, whole) {
        return Some(Content::File(file));
    }
    other_of(message)
}

fn file_of(message: &wa::Message, whole: &wa::Message) -> Option<File> {
    let caption = message.get_caption().unwrap_or_default().to_owned();
    let (mimetype, filename, voice) = if let Some(image) = message.image_message.as_option() {
        (image.mimetype.clone(), None, false)
    } else if let Some(video) = message.video_message.as_option() {
        (video.mimetype.clone(), None, false)
    } else if let Some(audio) = message.audio_message.as_option() {
        (audio.mimetype.clone(), None, audio.ptt.unwrap_or_default())
    } else if let Some(document) = message.document_message.as_option() {
        (document.mimetype.clone(), document.file_name.clone(), false)
    } else if let Some(sticker) = message.sticker_message.as_option() {
        (sticker.mimetype.clone(), None, false)
    } else {
        return None;
    };
    Some(File {
        mimetype: mimetype.unwrap_or_else(|| "application/octet-stream".to_owned()),
        filename,
        caption,
        voice,
        reference: waproto::codec::message_to_vec(whole),
    })
}

fn protocol_of(protocol: &wa::message::ProtocolMessage) -> Option<Content> {
    use wa::message::protocol_message::Type;
    let id = protocol.key.as_option().and_then(|key| key.id.clone())?;
    match protocol.r#type {
        Some(Type::REVOKE) => Some(Content::Revoked { id }),
        Some(Type::MESSAGE_EDIT) => {
            let edited = protocol.edited_message.as_option()?;
            let body = edited
                .text_content()
                .or_else(|| edited.get_caption())
                .unwrap_or_default()
                .to_owned();
            Some(Content::Edited { id, body })
        }
        _ => None,
    }
}

/// Taps on what other programs sent, and kinds without words.
fn other_of(message: &wa::Message) -> Option<Content> {
    if let Some(tap) = message.buttons_response_message.as_option() {
        return tap.selected_button_id.clone().map(Content::Text);
    }
    if let Some(tap) = message.template_button_reply_message.as_option() {
        return tap.selected_display_text.clone().map(Content::Text);
    }
    if let Some(tap) = message.list_response_message.as_option() {
        return tap.title.clone().map(Content::Text);
    }
    if message.poll_creation_message.is_set() || message.poll_creation_message_v3.is_set() {
        return Some(Content::Other("a poll".to_owned()));
    }
    if message.live_location_message.is_set() {
        return Some(Content::Other("a live location".to_owned()));
    }
    None
}

fn quoted_by(message: &wa::Message) -> Option<String> {
    let message = message.get_base_message();
    let context = message
        .extended_text_message
        .as_option()
        .and_then(|part| part.context_info.as_option())
        .or_else(|| {
            message
                .image_message
                .as_option()
                .and_then(|part| part.context_info.as_option())
        })
        .or_else(|| {
            message
                .audio_message
                .as_option()
                .and_then(|part| part.context_info.as_option())
        })
        .or_else(|| {
            message
                .video_message
                .as_option()
                .and_then(|part| part.context_info.as_option())
        })
        .or_else(|| {
            message
                .document_message
                .as_option()
                .and_then(|part| part.context_info.as_option())
        });
    context.and_then(|context| context.stanza_id.clone())
}

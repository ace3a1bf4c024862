//! Messages out, files in, and what became of a message.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Sessions;
use super::refusal::Refusal;
use crate::session::{Chat, FileKind, Outgoing, OutgoingContent};
use crate::waha::{bare_id, message_id};

type Body<T> = Result<Json<T>, JsonRejection>;
type Sent = Result<(StatusCode, Json<Value>), Refusal>;

/// A file at an address may take so long, and be so large.
const FETCH_LIMIT: Duration = Duration::from_secs(30);
const LARGEST_FILE: u64 = 64 * 1024 * 1024;

/// Where a message goes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct To {
    session: String,
    chat_id: String,
    #[serde(rename = "reply_to")]
    reply_to: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Text {
    #[serde(flatten)]
    to: To,
    text: String,
}

#[derive(Deserialize)]
pub(super) struct WithFile {
    #[serde(flatten)]
    to: To,
    file: GivenFile,
    #[serde(default)]
    caption: Option<String>,
}

#[derive(Deserialize)]
struct GivenFile {
    mimetype: String,
    filename: Option<String>,
    data: Option<String>,
    url: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Location {
    #[serde(flatten)]
    to: To,
    latitude: f64,
    longitude: f64,
    title: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reaction {
    session: String,
    message_id: String,
    reaction: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Seen {
    session: String,
    chat_id: String,
    #[serde(default)]
    message_ids: Vec<String>,
}

fn chat(text: &str) -> Result<Chat, Refusal> {
    Chat::parse(text).ok_or_else(|| {
        let message = format!(
            "{text:?} is no chat that can be written to; take digits and @c.us, or a hidden id and @lid, as a webhook named it"
        );
        Refusal::new(StatusCode::BAD_REQUEST, message)
    })
}

async fn send(sessions: &Sessions, headers: &HeaderMap, to: To, content: OutgoingContent) -> Sent {
    let chat = chat(&to.chat_id)?;
    let instance = sessions.named(&to.session).await?;
    let expected = headers
        .get("x-expected-number")
        .and_then(|number| number.to_str().ok());
    let quotes = to.reply_to.as_deref().map(bare_id);
    let address = chat.to_string();
    let body = match &content {
        OutgoingContent::Text(text) => text.clone(),
        OutgoingContent::File { caption, .. } => caption.clone(),
        OutgoingContent::Location { .. } | OutgoingContent::Reaction { .. } => String::new(),
    };
    let id = instance
        .send(
            Outgoing {
                chat,
                quotes,
                content,
            },
            expected,
        )
        .await?;
    let answer = json!({
        "id": message_id(true, &address, &id),
        "timestamp": jiff::Timestamp::now().as_second(),
        "from": instance.view().me.map(|me| format!("{}@c.us", me.number)),
        "to": address,
        "fromMe": true,
        "source": "api",
        "body": body,
        "ack": 1,
        "ackName": "SERVER",
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

pub(super) async fn text(State(sessions): State<Sessions>, headers: HeaderMap, body: Body<Text>) -> Sent {
    let Json(asked) = body?;
    if asked.text.is_empty() {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "the text is empty; WhatsApp sends no empty message",
        ));
    }
    send(&sessions, &headers, asked.to, OutgoingContent::Text(asked.text)).await
}

pub(super) async fn image(
    State(sessions): State<Sessions>,
    headers: HeaderMap,
    body: Body<WithFile>,
) -> Sent {
    send_file(&sessions, &headers, body, FileKind::Image).await
}

pub(super) async fn video(
    State(sessions): State<Sessions>,
    headers: HeaderMap,
    body: Body<WithFile>,
) -> Sent {
    send_file(&sessions, &headers, body, FileKind::Video).await
}

pub(super) async fn document(
    State(sessions): State<Sessions>,
    headers: HeaderMap,
    body: Body<WithFile>,
) -> Sent {
    send_file(&sessions, &headers, body, FileKind::Document).await
}

pub(super) async fn voice(
    State(sessions): State<Sessions>,
    headers: HeaderMap,
    body: Body<WithFile>,
) -> Sent {
    send_file(&sessions, &headers, body, FileKind::Voice).await
}

async fn send_file(sessions: &Sessions, headers: &HeaderMap, body: Body<WithFile>, kind: FileKind) -> Sent {
    let Json(asked) = body?;
    let wrong = |why: &str| Refusal::new(StatusCode::BAD_REQUEST, why);
    let data = match (&asked.file.data, asked.file.url) {
        (Some(data), _) => BASE64_STANDARD
            .decode(data)
            .map_err(|_| wrong("file.data is no base64"))?,
        (None, Some(url)) => fetched(url).await.map_err(|why| wrong(&why))?,
        (None, None) => {
            return Err(wrong(
                "the file has no bytes; give them as base64 in file.data, or a file.url",
            ));
        }
    };
    if data.is_empty() {
        return Err(wrong("the file is empty"));
    }
    let kind = match kind {
        // Only Ogg with Opus plays as a note of voice, and nothing is converted here: the rest goes out as a sound.
        FileKind::Voice if !asked.file.mimetype.starts_with("audio/ogg") => FileKind::Sound,
        FileKind::Image | FileKind::Video | FileKind::Document | FileKind::Voice | FileKind::Sound => kind,
    };
    let content = OutgoingContent::File {
        kind,
        mimetype: asked.file.mimetype,
        filename: asked.file.filename,
        caption: asked.caption.unwrap_or_default(),
        data,
    };
    send(sessions, headers, asked.to, content).await
}

/// The file at an address that the caller gave, or why it is not had.
async fn fetched(url: String) -> Result<Vec<u8>, String> {
    #[cfg(feature = "loopback-test")]
    crate::loopback::only(&url).map_err(|error| error.to_string())?;
    let asked = tokio::task::spawn_blocking(move || {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(FETCH_LIMIT))
            .build()
            .into();
        agent
            .get(&url)
            .call()?
            .into_body()
            .with_config()
            .limit(LARGEST_FILE)
            .read_to_vec()
    });
    match asked.await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(format!("the file cannot be fetched from file.url: {error}")),
        Err(_) => Err("fetching the file was broken off".to_owned()),
    }
}

pub(super) async fn location(
    State(sessions): State<Sessions>,
    headers: HeaderMap,
    body: Body<Location>,
) -> Sent {
    let Json(asked) = body?;
    if !(-90.0..=90.0).contains(&asked.latitude) || !(-180.0..=180.0).contains(&asked.longitude) {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "a latitude is from -90 to 90, a longitude from -180 to 180",
        ));
    }
    let content = OutgoingContent::Location {
        latitude: asked.latitude,
        longitude: asked.longitude,
        title: asked.title,
    };
    send(&sessions, &headers, asked.to, content).await
}

pub(super) async fn reaction(
    State(sessions): State<Sessions>,
    headers: HeaderMap,
    body: Body<Reaction>,
) -> Sent {
    let Json(asked) = body?;
    let (id, mine) = bare_id(&asked.message_id);
    let chat_id = asked.message_id.split('_').nth(1).unwrap_or_default().to_owned();
    let to = To {
        session: asked.session,
        chat_id,
        reply_to: None,
    };
    send(
        &sessions,
        &headers,
        to,
        OutgoingContent::Reaction {
            text: asked.reaction,
            to: id,
            to_mine: mine,
        },
    )
    .await
}

pub(super) async fn seen(State(sessions): State<Sessions>, body: Body<Seen>) -> Sent {
    let Json(asked) = body?;
    let chat = chat(&asked.chat_id)?;
    let ids: Vec<String> = asked.message_ids.iter().map(|id| bare_id(id).0).collect();
    sessions.named(&asked.session).await?.seen(&chat, &ids).await?;
    Ok((StatusCode::CREATED, Json(json!({}))))
}

pub(super) async fn start_typing(State(sessions): State<Sessions>, body: Body<Seen>) -> Sent {
    typing(&sessions, body, true).await
}

pub(super) async fn stop_typing(State(sessions): State<Sessions>, body: Body<Seen>) -> Sent {
    typing(&sessions, body, false).await
}

async fn typing(sessions: &Sessions, body: Body<Seen>, on: bool) -> Sent {
    let Json(asked) = body?;
    let chat = chat(&asked.chat_id)?;
    sessions.named(&asked.session).await?.typing(&chat, on).await?;
    Ok((StatusCode::CREATED, Json(json!({}))))
}

/// A message of ours with its ack as of now.
pub(super) async fn message(
    State(sessions): State<Sessions>,
    Path((name, _chat, message)): Path<(String, String, String)>,
) -> Result<Json<Value>, Refusal> {
    let (id, _) = bare_id(&message);
    let sent = sessions.named(&name).await?.sent(&id).await?;
    let sent = sent.ok_or_else(|| {
        Refusal::new(
            StatusCode::NOT_FOUND,
            "this session has sent no such message in the last 14 days",
        )
    })?;
    Ok(Json(json!({
        "id": message_id(true, &sent.chat, &sent.id),
        "timestamp": sent.at,
        "to": sent.chat,
        "fromMe": true,
        "source": "api",
        "body": sent.body,
        "ack": sent.ack,
        "code": sent.code,
    })))
}

/// A file that came in, decrypted.
pub(super) async fn file(
    State(sessions): State<Sessions>,
    Path((name, message)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let found = sessions.named(&name).await?.file(&message).await?;
    let (mimetype, bytes) = found.ok_or_else(|| {
        Refusal::new(
            StatusCode::NOT_FOUND,
            "there is no file of this message, or it is older than 14 days",
        )
    })?;
    Ok(([(header::CONTENT_TYPE, mimetype)], bytes).into_response())
}

//! Media: upload, and the two hops of a download. An address lives five minutes, an id thirty days for uploads and
//! seven for what customers sent.

use base64::Engine as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::dialog360;
use super::error::Refusal;
use super::face::Face;
use super::faults::{self, Faulty};
use super::graph::success;
use super::serve::{Asked, Reply};
use super::state::Inner;

/// The first segment of a media address.
pub const SEGMENT: &str = "whatsapp_business_attachment";

const ADDRESS_LIVES: SignedDuration = SignedDuration::from_mins(5);

#[derive(Debug, Clone)]
pub struct File {
    pub bytes: Vec<u8>,
    pub mime: String,
    pub until: Timestamp,
}

const MB: usize = 1024 * 1024;

/// What may be uploaded, and how large.
const TYPES: &[(&str, usize)] = &[
    ("image/jpeg", 5 * MB),
    ("image/png", 5 * MB),
    ("image/webp", MB / 2),
    ("video/mp4", 16 * MB),
    ("video/3gpp", 16 * MB),
    ("video/3gp", 16 * MB),
    ("audio/aac", 16 * MB),
    ("audio/amr", 16 * MB),
    ("audio/mpeg", 16 * MB),
    ("audio/mp4", 16 * MB),
    ("audio/ogg", 16 * MB),
    ("audio/opus", 16 * MB),
    ("text/plain", 100 * MB),
    ("application/pdf", 100 * MB),
    ("application/msword", 100 * MB),
    ("application/vnd.ms-excel", 100 * MB),
    ("application/vnd.ms-powerpoint", 100 * MB),
    (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        100 * MB,
    ),
    (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        100 * MB,
    ),
    (
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        100 * MB,
    ),
];

/// A text of a multipart form.
pub fn form_text(asked: &Asked, name: &str) -> Option<String> {
    let part = parts_of(asked)?.into_iter().find(|part| part.name == name)?;
    Some(String::from_utf8_lossy(part.bytes).into_owned())
}

pub fn upload(inner: &Inner, asked: &Asked) -> Result<Reply, Refusal> {
    let parts = parts_of(asked).ok_or_else(|| Refusal::parameter("The request is not a multipart form."))?;
    let field = |name: &str| parts.iter().find(|part| part.name == name);
    let text = |name: &str| field(name).map(|part| String::from_utf8_lossy(part.bytes).trim().to_owned());
    match text("messaging_product").as_deref() {
        Some("whatsapp") => {}
        Some(_) => {
            return Err(Refusal::parameter(
                "Param messaging_product must be one of {WHATSAPP}.",
            ));
        }
        None => return Err(Refusal::required("messaging_product")),
    }
    let file = field("file").ok_or_else(|| Refusal::required("file"))?;
    // Some clients put the kind of message there; then the file's own type counts.
    let mime = text("type")
        .filter(|kind| kind.contains('/'))
        .or_else(|| file.mime.clone())
        .ok_or_else(|| Refusal::required("type"))?;
    let plain = mime.split(';').next().unwrap_or_default().trim().to_lowercase();
    let Some((_, largest)) = TYPES.iter().find(|(of, _)| *of == plain) else {
        let all: Vec<&str> = TYPES.iter().map(|(of, _)| *of).collect();
        return Err(Refusal::parameter(format_args!(
            "Param file must be a file with one of the following types: {}. Received file of type '{mime}'.",
            all.join(", ")
        )));
    };
    if file.bytes.is_empty() || file.bytes.len() > *largest {
        return Err(Refusal::new(
            131053,
            format!(
                "The file has {} bytes, at most {largest} are taken",
                file.bytes.len()
            ),
        ));
    }
    let id = keep(inner, file.bytes.to_vec(), mime, 30);
    Ok(Reply::Json(200, json!({ "id": id })))
}

/// Keeps a file for so many days and gives its id.
pub fn keep(inner: &Inner, bytes: Vec<u8>, mime: String, days: i64) -> String {
    let until = inner.clock.now() + SignedDuration::from_hours(24 * days);
    let mut state = inner.state();
    let id = (1_003_383_421_387_000 + state.next_number()).to_string();
    state.files.insert(id.clone(), File { bytes, mime, until });
    id
}

/// The first hop.
pub fn resolve(inner: &Inner, id: &str) -> Result<Reply, Refusal> {
    let file = found(inner, id, "GET")?;
    Ok(Reply::Json(
        200,
        json!({
            "messaging_product": "whatsapp",
            "url": address(inner, id),
            "mime_type": file.mime,
            "sha256": hex(&file.bytes),
            "file_size": file.bytes.len().to_string(),
            "id": id,
        }),
    ))
}

/// An address for this file, five minutes long.
pub fn address(inner: &Inner, id: &str) -> String {
    let fault = faults::take(&mut inner.state().faults, id, true);
    let until = match fault {
        Some(Faulty::Expired) => inner.clock.now(),
        Some(Faulty::WrongHash) => {
            if let Some(file) = inner.state().files.get_mut(id) {
                file.bytes.reverse();
                file.bytes.push(b'!');
            }
            inner.clock.now() + ADDRESS_LIVES
        }
        _ => inner.clock.now() + ADDRESS_LIVES,
    };
    let host = match inner.setup.face {
        Face::Meta | Face::Coster => inner.base_url(),
        Face::Dialog360 => dialog360::META_S_HOST.to_owned(),
    };
    format!("{host}/{SEGMENT}/{id}/{}", until.as_millisecond())
}

/// The second hop.
pub fn download(inner: &Inner, id: &str, until: &str) -> Result<Reply, Refusal> {
    let until = until
        .parse()
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    if until.is_none_or(|until| until <= inner.clock.now()) {
        return Ok(Reply::Empty(404));
    }
    let file = found(inner, id, "GET")?;
    Ok(Reply::Bytes {
        mime: file.mime,
        bytes: file.bytes,
    })
}

pub fn delete(inner: &Inner, id: &str) -> Result<Reply, Refusal> {
    found(inner, id, "DELETE")?;
    inner.state().files.remove(id);
    Ok(success())
}

fn found(inner: &Inner, id: &str, method: &str) -> Result<File, Refusal> {
    let now = inner.clock.now();
    let file = inner
        .state()
        .files
        .get(id)
        .filter(|file| now < file.until)
        .cloned();
    file.ok_or_else(|| Refusal::no_object(id, method))
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// As webhooks give it.
pub fn base64_digest(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(Sha256::digest(bytes))
}

struct Part<'a> {
    name: String,
    mime: Option<String>,
    bytes: &'a [u8],
}

/// The parts of a multipart form, as RFC 7578 has it.
fn parts_of(asked: &Asked) -> Option<Vec<Part<'_>>> {
    let rest = asked.content_type.strip_prefix("multipart/form-data")?;
    let boundary = rest
        .split(';')
        .find_map(|attribute| attribute.trim().strip_prefix("boundary="))?;
    let delimiter = format!("--{}", boundary.trim_matches('"')).into_bytes();
    let mut parts = Vec::new();
    let mut from = find(&asked.body, &delimiter)? + delimiter.len();
    while let Some(length) = find(&asked.body[from..], &delimiter) {
        // What stands between two delimiters starts and ends with a line break.
        let part = asked.body[from..from + length]
            .strip_prefix(b"\r\n")?
            .strip_suffix(b"\r\n")?;
        let end_of_head = find(part, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&part[..end_of_head]);
        let header = |name: &str| {
            let line = head
                .lines()
                .find(|line| line.to_lowercase().starts_with(&format!("{name}:")))?;
            Some(line[name.len() + 1..].trim().to_owned())
        };
        let disposition = header("content-disposition")?;
        let name = disposition
            .split(';')
            .find_map(|attribute| attribute.trim().strip_prefix("name="))?;
        parts.push(Part {
            name: name.trim_matches('"').to_owned(),
            mime: header("content-type"),
            bytes: &part[end_of_head + 4..],
        });
        from += length + delimiter.len();
    }
    Some(parts)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

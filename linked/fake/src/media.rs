//! The host for files: what is uploaded is kept as it comes, sealed, and given out to whoever knows its path.
//!
//! It speaks plain HTTP on the port of the chat server. The real one is another host behind TLS; a companion in a test
//! build brings requests for it here.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wacore::download::{DownloadUtils, Downloadable, MediaType};
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::buffa::MessageField;
use waproto::whatsapp as wa;

use crate::customer::{Customer, Heard};
use crate::server::StandIn;

/// The name under which the chat server points devices here. Nobody can own it.
pub const MEDIA_HOST: &str = "media.invalid";

/// Larger than any test sends.
const LARGEST: usize = 8 * 1024 * 1024;

pub(crate) type Files = HashMap<String, Vec<u8>>;

/// A request for the host of files.
pub(crate) struct Asked {
    method: String,
    pub(crate) path: String,
    body: Vec<u8>,
}

/// Whether what a client sends first is for the chat server.
pub(crate) async fn is_chat(stream: &TcpStream) -> Result<bool> {
    let mut begun = [0; 8];
    let length = stream.peek(&mut begun).await?;
    // A client may send less than a word at first; the chat's request line is sent at once.
    Ok(begun[..length].starts_with(b"GET /ws"))
}

pub(crate) async fn ask_of(stream: &mut TcpStream) -> Result<Asked> {
    let mut bytes = Vec::new();
    let head_ends = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if bytes.len() > LARGEST || stream.read_buf(&mut bytes).await? == 0 {
            bail!("the client of the host for files left before its request was whole");
        }
    };
    let head = String::from_utf8(bytes[..head_ends].to_vec())?;
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let path = words.next().context("a request without a path")?;
    let path = path.split('?').next().unwrap_or_default().to_owned();
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(Ok(0), |(_, value)| value.trim().parse::<usize>())?;
    if length > LARGEST {
        bail!("a file of {length} bytes is too large for the stand-in");
    }
    let mut body = bytes.split_off(head_ends);
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            bail!("the client of the host for files left in the middle of a file");
        }
    }
    Ok(Asked { method, path, body })
}

/// Keeps or finds a file; gives a status and a body.
pub(crate) fn answer(files: &mut Files, asked: Asked) -> (u16, Vec<u8>) {
    match asked.method.as_str() {
        // Asked without bytes, it is whether the file is there already.
        "POST" if asked.body.is_empty() => (200, b"{}".to_vec()),
        "POST" => {
            let path = format!("/v/file-{}", files.len() + 1);
            files.insert(path.clone(), asked.body);
            let url = format!("https://{MEDIA_HOST}{path}");
            (
                200,
                format!(r#"{{"url":"{url}","direct_path":"{path}"}}"#).into_bytes(),
            )
        }
        "GET" => match files.get(&asked.path) {
            Some(file) => (200, file.clone()),
            None => (404, Vec::new()),
        },
        _ => (405, Vec::new()),
    }
}

pub(crate) async fn reply(stream: &mut TcpStream, status: u16, body: &[u8]) -> Result<()> {
    let head = format!(
        "HTTP/1.1 {status} -\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.shutdown().await?;
    Ok(())
}

/// Where files are, as the chat server tells it.
pub(crate) fn hosts() -> Node {
    NodeBuilder::new("media_conn")
        .attr("auth", "a-pass")
        .attr("ttl", "3600")
        .attr("auth_ttl", "3600")
        .attr("max_buckets", "12")
        .children([NodeBuilder::new("host")
            .attr("hostname", MEDIA_HOST)
            .attr("type", "primary")
            .build()])
        .build()
}

impl Customer<'_> {
    /// Sends a picture.
    pub async fn sends_picture(&self, picture: &[u8], caption: &str) -> Result<String> {
        let sealed = wacore::upload::encrypt_media(picture, MediaType::Image)?;
        let path = self
            .server
            .change(|world| {
                let path = format!("/v/file-{}", world.files.len() + 1);
                world.files.insert(path.clone(), sealed.data_to_upload.clone());
                path
            })
            .await;
        let image = wa::message::ImageMessage {
            url: Some(format!("https://{MEDIA_HOST}{path}")),
            direct_path: Some(path),
            mimetype: Some("image/jpeg".to_owned()),
            caption: Some(caption.to_owned()),
            media_key: Some(sealed.media_key.to_vec()),
            file_sha256: Some(sealed.file_sha256.to_vec()),
            file_enc_sha256: Some(sealed.file_enc_sha256.to_vec()),
            file_length: Some(picture.len() as u64),
            ..Default::default()
        };
        self.sends(wa::Message {
            image_message: MessageField::some(image),
            ..Default::default()
        })
        .await
    }
}

impl StandIn {
    /// Fetches and opens the file of a message, as the phone that heard it does.
    pub async fn file_of(&self, heard: &Heard) -> Result<Vec<u8>> {
        let message = &heard.message;
        let (part, kind): (&dyn Downloadable, MediaType) =
            if let Some(image) = message.image_message.as_option() {
                (image, MediaType::Image)
            } else if let Some(audio) = message.audio_message.as_option() {
                (audio, MediaType::Audio)
            } else if let Some(document) = message.document_message.as_option() {
                (document, MediaType::Document)
            } else {
                bail!("the message has no file");
            };
        let path = part.direct_path().context("the file has no path")?.to_owned();
        let key = part.media_key().context("the file has no key")?.to_vec();
        let sealed = self
            .change(|world| world.files.get(&path).cloned())
            .await
            .context("nothing was uploaded there")?;
        Ok(DownloadUtils::verify_and_decrypt(&sealed, &key, kind)?)
    }
}

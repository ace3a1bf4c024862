//! Fetching a customer's file in two hops: the media id gives an address that lives five minutes, the address gives
//! the bytes. Both want the key, so the address must be one of the provider's own hosts; redirects are not followed.

use http::StatusCode;
use serde::Deserialize;
use url::Url;

use super::Meta;
use crate::channel::fetch::{
    bad, file_of, foreign, is_known, is_media_id, read_at_most, readable, temporary,
};
use crate::channel::{Expected, FetchedMedia, MediaError};
use crate::message::MediaHandle;

/// Where customers' files may be fetched, and how large they may be.
#[derive(Debug, Clone)]
pub struct Files {
    /// Besides the API's own origin; `*.` in front stands for any part.
    pub hosts: Vec<String>,
    /// Whether files are fetched from the API's own host, whatever host their address names: some providers pass on
    /// Meta's addresses, where their keys mean nothing.
    pub from_api: bool,
    /// Largest file, in bytes.
    pub cap: u64,
}

/// What the media id resolves to.
#[derive(Deserialize)]
struct Resolved {
    url: String,
    mime_type: Option<String>,
    sha256: Option<String>,
    /// In bytes; a number, or a text in some of Meta's examples.
    file_size: Option<serde_json::Value>,
}

impl Resolved {
    fn size(&self) -> Option<u64> {
        let size = self.file_size.as_ref()?;
        size.as_u64().or_else(|| size.as_str()?.parse().ok())
    }
}

pub(super) async fn fetch(
    meta: &Meta,
    handle: &MediaHandle,
    expected: Expected<'_>,
) -> Result<FetchedMedia, MediaError> {
    let (id, shortcut) = match handle {
        MediaHandle::Url(url) => return download(meta, url, None, expected.sha256).await,
        MediaHandle::Id { id, url } => (id, url),
    };
    if let Some(url) = shortcut {
        match download(meta, url, None, expected.sha256).await {
            Ok(media) => return Ok(media),
            // The shortcut is old, or not what it seems: the id is what counts.
            Err(error @ (MediaError::TooLarge { .. } | MediaError::Unauthorised)) => return Err(error),
            Err(_) => {}
        }
    }
    // An address may run out between the two hops; then it is resolved once more.
    for last in [false, true] {
        let resolved = resolve(meta, id).await?;
        if resolved.size().is_some_and(|size| size > meta.files.cap) {
            return Err(MediaError::TooLarge {
                limit: meta.files.cap,
            });
        }
        let sha256 = expected.sha256.or(resolved.sha256.as_deref());
        match download(meta, &resolved.url, resolved.mime_type, sha256).await {
            Err(MediaError::Gone) if !last => {}
            outcome => return outcome,
        }
    }
    Err(MediaError::Gone)
}

async fn resolve(meta: &Meta, id: &str) -> Result<Resolved, MediaError> {
    is_media_id(id)?;
    let request = meta.route.get(meta.transport.client(), meta.route.media(id));
    let response = request.send().await.map_err(temporary)?;
    let status = response.status();
    let body = read_at_most(response, 64 * 1024).await?;
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|_| MediaError::Temporary {
            why: format!("{}'s answer is not its JSON", meta.name),
        });
    }
    let code = serde_json::from_slice::<serde_json::Value>(&body)
        .ok()
        .and_then(|body| body.pointer("/error/code")?.as_i64());
    Err(match (status, code) {
        (StatusCode::UNAUTHORIZED, _) | (_, Some(190)) => MediaError::Unauthorised,
        // Code 100 with subcode 33: there is no such object, or no longer.
        (StatusCode::NOT_FOUND, _) | (_, Some(100)) => MediaError::Gone,
        (_, code) => MediaError::Temporary {
            why: format!("HTTP {status}, code {code:?}"),
        },
    })
}

async fn download(
    meta: &Meta,
    address: &str,
    mime: Option<String>,
    sha256: Option<&str>,
) -> Result<FetchedMedia, MediaError> {
    let url = trusted(meta, address)?;
    let request = meta.route.get(meta.transport.client(), url);
    let response = request.send().await.map_err(temporary)?;
    file_of(response, mime, sha256, meta.files.cap).await
}

/// The address, if the key may go there: the API's own origin, or a known media host over TLS.
fn trusted(meta: &Meta, address: &str) -> Result<Url, MediaError> {
    let mut url = readable(address)?;
    let base = Url::parse(&meta.route.base_url).map_err(|_| bad("the API has no address"))?;
    if meta.files.from_api {
        url = at_host_of(&base, &url).ok_or_else(|| bad("it is not an address of the web"))?;
    }
    if base.origin() == url.origin() || is_known(&url, &meta.files.hosts) {
        Ok(url)
    } else {
        Err(foreign(&url))
    }
}

/// Path and query of `address` at the origin of `base`.
fn at_host_of(base: &Url, address: &Url) -> Option<Url> {
    if !matches!(address.scheme(), "http" | "https") {
        return None;
    }
    let mut there = base.clone();
    there.set_path(address.path());
    there.set_query(address.query());
    there.set_fragment(None);
    Some(there)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::meta::MetaSettings;
    use secrecy::SecretString;

    fn meta() -> Meta {
        let secret = || SecretString::from("x");
        let mut settings = MetaSettings::new("106540352242922", secret(), vec![secret()], secret());
        settings.base_url = "http://127.0.0.1:4000".into();
        Meta::new(settings).unwrap()
    }

    #[test]
    fn the_key_goes_to_the_providers_hosts_only() {
        let meta = meta();
        for good in [
            "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1",
            "https://media.fbcdn.net/v/1",
            "http://127.0.0.1:4000/media/1",
        ] {
            assert!(trusted(&meta, good).is_ok(), "{good}");
        }
        for bad in [
            "http://lookaside.fbsbx.com/x",
            "https://evil.example/x",
            "https://lookaside.fbsbx.com.evil.example/x",
            "https://evilfbcdn.net/x",
            "https://.fbcdn.net/x",
            "http://127.0.0.1:4001/media/1",
            "https://user@lookaside.fbsbx.com/x",
            "file:///etc/passwd",
            "media/1",
        ] {
            assert!(trusted(&meta, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn where_files_come_from_the_api_their_address_lends_no_host() {
        let mut meta = meta();
        meta.files.from_api = true;
        let there = trusted(&meta, "https://lookaside.fbsbx.com/attachments/?mid=1&hash=2").unwrap();
        assert_eq!(there.as_str(), "http://127.0.0.1:4000/attachments/?mid=1&hash=2");
        let evil = trusted(&meta, "https://evil.example/x").unwrap();
        assert_eq!(evil.as_str(), "http://127.0.0.1:4000/x");
        for bad in [
            "file:///etc/passwd",
            "https://user@lookaside.fbsbx.com/x",
            "media/1",
        ] {
            assert!(trusted(&meta, bad).is_err(), "{bad}");
        }
    }
}

//! Fetching a customer's file in two hops: the media id gives an address that lives five minutes, the address gives
//! the bytes. Both want the bearer, so the address must be one of Meta's own hosts; redirects are not followed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use secrecy::ExposeSecret;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::Url;

use super::Meta;
use crate::channel::{Expected, FetchedMedia, MediaError};
use crate::message::MediaHandle;

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
        if resolved.size().is_some_and(|size| size > meta.settings.media_cap) {
            return Err(MediaError::TooLarge {
                limit: meta.settings.media_cap,
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
    if id.is_empty()
        || !id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    {
        return Err(MediaError::BadHandle {
            why: "it is not a media id".to_owned(),
        });
    }
    let response = meta
        .transport
        .client()
        .get(meta.address(id))
        .query(&[("phone_number_id", &meta.settings.phone_number_id)])
        .bearer_auth(meta.settings.access_token.expose_secret())
        .send()
        .await
        .map_err(temporary)?;
    let status = response.status();
    let body = read_at_most(response, 64 * 1024).await?;
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|_| MediaError::Temporary {
            why: "Meta's answer is not its JSON".to_owned(),
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
    let response = meta
        .transport
        .client()
        .get(url)
        .bearer_auth(meta.settings.access_token.expose_secret())
        .send()
        .await
        .map_err(temporary)?;
    match response.status() {
        status if status.is_success() => {}
        StatusCode::NOT_FOUND | StatusCode::GONE => return Err(MediaError::Gone),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(MediaError::Unauthorised),
        status => {
            return Err(MediaError::Temporary {
                why: format!("HTTP {status}"),
            });
        }
    }
    let said = response
        .headers()
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let mime = mime.or_else(|| said.map(str::to_owned));
    let bytes = read_at_most(response, meta.settings.media_cap).await?;
    if !matches_hash(&bytes, sha256) {
        return Err(MediaError::WrongHash);
    }
    Ok(FetchedMedia { bytes, mime })
}

/// The address, if the bearer may go there: the API's own origin, or a known media host over TLS.
fn trusted(meta: &Meta, address: &str) -> Result<Url, MediaError> {
    let bad = |why: &str| MediaError::BadHandle { why: why.to_owned() };
    let url = Url::parse(address).map_err(|_| bad("it is not an address"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it holds credentials"));
    }
    let own = Url::parse(&meta.settings.base_url).is_ok_and(|base| base.origin() == url.origin());
    let host = url.host_str().unwrap_or_default().to_owned();
    let known = url.scheme() == "https"
        && meta
            .settings
            .media_hosts
            .iter()
            .any(|pattern| match pattern.strip_prefix('*') {
                Some(ending) => host.len() > ending.len() && host.ends_with(ending),
                None => host == *pattern,
            });
    if own || known {
        Ok(url)
    } else {
        Err(MediaError::ForeignHost { host })
    }
}

/// The body, given up as soon as it is larger than `limit`, whatever its headers promised.
async fn read_at_most(mut response: reqwest::Response, limit: u64) -> Result<Vec<u8>, MediaError> {
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(MediaError::TooLarge { limit });
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(temporary)? {
        if (bytes.len() + chunk.len()) as u64 > limit {
            return Err(MediaError::TooLarge { limit });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The webhook gives the digest in base64, the resolving answer in hexadecimal. One in neither form is not held
/// against the file.
fn matches_hash(bytes: &[u8], expected: Option<&str>) -> bool {
    let Some(expected) = expected else { return true };
    let digest = Sha256::digest(bytes);
    if expected.len() == 64 && expected.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        return hex == expected.to_ascii_lowercase();
    }
    match STANDARD.decode(expected) {
        Ok(announced) if announced.len() == digest.len() => announced == digest.as_slice(),
        _ => true,
    }
}

fn temporary(error: reqwest::Error) -> MediaError {
    MediaError::Temporary {
        why: error.without_url().to_string(),
    }
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
    fn the_bearer_goes_to_metas_hosts_only() {
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
    fn the_digest_is_compared_in_base64_and_in_hexadecimal() {
        let hex = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let base64 = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
        for digest in [hex, base64] {
            assert!(matches_hash(b"hello", Some(digest)));
            assert!(!matches_hash(b"hullo", Some(digest)));
        }
        assert!(matches_hash(b"hello", None));
    }
}

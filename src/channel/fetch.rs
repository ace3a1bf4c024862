//! Reading a customer's file from a provider: never more than the cap, and checked against the digest it announced.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use sha2::{Digest, Sha256};
use url::Url;

use super::{FetchedMedia, MediaError};
use crate::message::MediaHandle;

/// The address in a handle, where a provider knows files by nothing else; `whose` begins the sentence about one without.
pub(super) fn address_in<'a>(handle: &'a MediaHandle, whose: &str) -> Result<&'a str, MediaError> {
    match handle {
        MediaHandle::Url(url) | MediaHandle::Id { url: Some(url), .. } => Ok(url),
        MediaHandle::Id { url: None, .. } => Err(bad(&format!("{whose} knows files by their address"))),
    }
}

/// An address that can be read, and holds no credentials. Whether it may be asked is another matter.
pub(super) fn readable(address: &str) -> Result<Url, MediaError> {
    let url = Url::parse(address).map_err(|_| bad("it is not an address"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it holds credentials"));
    }
    Ok(url)
}

/// Whether it is on one of these hosts, over TLS; `*` in front of a host stands for any part.
pub(super) fn is_known(url: &Url, hosts: &[String]) -> bool {
    let host = url.host_str().unwrap_or_default();
    let is = |pattern: &String| match pattern.strip_prefix('*') {
        Some(ending) => host.len() > ending.len() && host.ends_with(ending),
        None => host == *pattern,
    };
    url.scheme() == "https" && hosts.iter().any(is)
}

pub(super) fn foreign(url: &Url) -> MediaError {
    MediaError::ForeignHost {
        host: url.host_str().unwrap_or_default().to_owned(),
    }
}

pub(super) fn bad(why: &str) -> MediaError {
    MediaError::BadHandle { why: why.to_owned() }
}

/// The file that an answer holds. `mime` is what was said of it before.
pub(super) async fn file_of(
    response: reqwest::Response,
    mime: Option<String>,
    sha256: Option<&str>,
    limit: u64,
) -> Result<FetchedMedia, MediaError> {
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
    let bytes = read_at_most(response, limit).await?;
    if !matches_hash(&bytes, sha256) {
        return Err(MediaError::WrongHash);
    }
    Ok(FetchedMedia { bytes, mime })
}

/// The body, given up as soon as it is larger than `limit`, whatever its headers promised.
pub(super) async fn read_at_most(mut response: reqwest::Response, limit: u64) -> Result<Vec<u8>, MediaError> {
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

/// Whether it can be an id in a path: nothing that leads elsewhere.
pub(super) fn is_media_id(id: &str) -> Result<(), MediaError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if id.is_empty() || id.starts_with('.') || !id.bytes().all(plain) {
        return Err(bad("it is not a media id"));
    }
    Ok(())
}

/// Webhooks give the digest in base64, resolving answers in hexadecimal. One in neither form is not held against the
/// file.
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

pub(super) fn temporary(error: reqwest::Error) -> MediaError {
    MediaError::Temporary {
        why: error.without_url().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn an_id_leads_nowhere_else() {
        assert!(is_media_id("1003383421387256").is_ok());
        for bad in ["", "..", "a/b", "a?b", "../x", "a%2fb"] {
            assert!(is_media_id(bad).is_err(), "{bad}");
        }
    }
}

//! Reading a customer's file from a provider: never more than the cap, and checked against the digest it announced.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use sha2::{Digest, Sha256};

use super::{FetchedMedia, MediaError};

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
        return Err(MediaError::BadHandle {
            why: "it is not a media id".to_owned(),
        });
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

//! What requests of jobs have in common: a client that goes where it is told, once, and a bounded body.

use std::time::Duration;

const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// A client that follows nobody, tries nothing twice and tells nobody where it comes from.
pub(super) fn client() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_WITHIN)
        .user_agent(concat!("switchboard/", env!("CARGO_PKG_VERSION")))
}

/// The body of an answer; `None`: it is larger than that.
pub(super) async fn body_within(
    mut response: reqwest::Response,
    most: usize,
) -> reqwest::Result<Option<Vec<u8>>> {
    let mut raw = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if raw.len() + chunk.len() > most {
            return Ok(None);
        }
        raw.extend_from_slice(&chunk);
    }
    Ok(Some(raw))
}

//! Fetching a customer's file: from the server that holds the link, with its key. Servers often call themselves by a name
//! that is good on their own machine alone, so only the path of such an address counts. Other hosts are asked where the
//! operator has named them, over TLS and without the key. Redirects are not followed.

use secrecy::ExposeSecret;
use url::Url;

use super::LinkedDevice;
use crate::channel::{Expected, FetchedMedia, MediaError, fetch};
use crate::message::MediaHandle;

/// Where such servers keep files.
const FILES: &str = "/api/files/";

pub(super) async fn fetch(
    linked: &LinkedDevice,
    handle: &MediaHandle,
    expected: Expected<'_>,
) -> Result<FetchedMedia, MediaError> {
    let address = fetch::address_in(handle, "a linked device")?;
    let found = place(linked, address)?;
    let mut request = linked.transport.client().get(found.url);
    if found.own {
        request = request.header("x-api-key", linked.settings.api_key.expose_secret().trim());
    }
    let response = request.send().await.map_err(fetch::temporary)?;
    fetch::file_of(response, None, expected.sha256, linked.settings.media_cap).await
}

struct Found {
    url: Url,
    /// At the server itself, which wants its key.
    own: bool,
}

fn place(linked: &LinkedDevice, address: &str) -> Result<Found, MediaError> {
    let url = fetch::readable(address)?;
    let settings = &linked.settings;
    let base = Url::parse(&settings.base_url).map_err(|_| fetch::bad("the server's own address is none"))?;
    if base.origin() == url.origin() {
        return Ok(Found { url, own: true });
    }
    if fetch::is_known(&url, &settings.media_hosts) {
        return Ok(Found { url, own: false });
    }
    // Parsed, so no `..` is left in the path that could lead out of the folder.
    if matches!(url.scheme(), "http" | "https") && url.path().starts_with(FILES) {
        let under = format!("{}{}", settings.base_url.trim_end_matches('/'), url.path());
        let url = Url::parse(&under).map_err(|_| fetch::bad("it is not an address"))?;
        return Ok(Found { url, own: true });
    }
    Err(fetch::foreign(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_from_the_server_that_is_configured_whatever_it_calls_itself() {
        let mut settings = super::super::tests::settings();
        settings.media_hosts = vec!["*.files.example".to_owned()];
        let linked = LinkedDevice::new(settings).unwrap();
        let found = |address: &str| place(&linked, address).map(|found| (found.url.to_string(), found.own));
        let own = |path: &str| Ok((format!("http://127.0.0.1:4000{path}"), true));
        assert_eq!(
            found("http://127.0.0.1:4000/api/files/main/a.oga"),
            own("/api/files/main/a.oga")
        );
        assert_eq!(
            found("http://localhost:3000/api/files/main/a.oga"),
            own("/api/files/main/a.oga")
        );
        assert_eq!(
            found("https://a.files.example/x.oga"),
            Ok(("https://a.files.example/x.oga".to_owned(), false))
        );
        for bad in [
            "https://evil.example/a.oga",
            "http://a.files.example/x.oga",
            "http://169.254.169.254/latest",
            "http://localhost:3000/api/files/../sessions",
            "http://localhost:3000/api/sessions",
            "https://user@a.files.example/x.oga",
            "file:///api/files/passwd",
            "a.oga",
        ] {
            assert!(place(&linked, bad).is_err(), "{bad}");
        }
    }
}

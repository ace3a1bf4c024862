//! Fetching a customer's file: a plain address that Qontak gives, in one hop. Whether it wants a token is not public; none
//! is sent, and only hosts of Qontak's are asked. Redirects are not followed.

use url::Url;

use super::Qontak;
use crate::channel::{Expected, FetchedMedia, MediaError, fetch};
use crate::message::MediaHandle;

pub(super) async fn fetch(
    qontak: &Qontak,
    handle: &MediaHandle,
    expected: Expected<'_>,
) -> Result<FetchedMedia, MediaError> {
    let address = fetch::address_in(handle, "Qontak")?;
    let url = trusted(qontak, address)?;
    let client = qontak.access.network().client();
    let response = client.get(url).send().await.map_err(fetch::temporary)?;
    fetch::file_of(response, None, expected.sha256, qontak.settings.media_cap).await
}

/// The address, if it is the API's own origin or on a known host over TLS.
fn trusted(qontak: &Qontak, address: &str) -> Result<Url, MediaError> {
    let url = fetch::readable(address)?;
    let settings = &qontak.settings;
    let own = Url::parse(&settings.base_url).is_ok_and(|base| base.origin() == url.origin());
    if own || fetch::is_known(&url, &settings.media_hosts) {
        Ok(url)
    } else {
        Err(fetch::foreign(&url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_from_qontak_s_hosts_alone() {
        let qontak = Qontak::new(super::super::tests::settings()).unwrap();
        for good in [
            "https://qontak-hub-production.s3-ap-southeast-1.amazonaws.com/uploads/a.ogg",
            "https://cdn.qontak.com/uploads/a.ogg",
            "http://127.0.0.1:4000/files/a.ogg",
        ] {
            assert!(trusted(&qontak, good).is_ok(), "{good}");
        }
        for bad in [
            "http://cdn.qontak.com/a.ogg",
            "https://evil.example/a.ogg",
            "https://cdn.qontak.com.evil.example/a.ogg",
            "http://127.0.0.1:4001/a.ogg",
            "http://169.254.169.254/latest",
            "https://user@cdn.qontak.com/a.ogg",
            "file:///etc/passwd",
            "a.ogg",
        ] {
            assert!(trusted(&qontak, bad).is_err(), "{bad}");
        }
    }
}

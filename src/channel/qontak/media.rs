//! Fetching a customer's file: a plain address that Qontak gives, in one hop. Whether it wants a token is not public; none
//! is sent, and only hosts of Qontak's are asked. Redirects are not followed.

use url::Url;

use super::Qontak;
use crate::channel::{Expected, FetchedMedia, MediaError, fetch as answer};
use crate::message::MediaHandle;

pub(super) async fn fetch(
    qontak: &Qontak,
    handle: &MediaHandle,
    expected: Expected<'_>,
) -> Result<FetchedMedia, MediaError> {
    let address = match handle {
        MediaHandle::Url(url) | MediaHandle::Id { url: Some(url), .. } => url,
        MediaHandle::Id { url: None, .. } => {
            return Err(MediaError::BadHandle {
                why: "Qontak knows files by their address".to_owned(),
            });
        }
    };
    let url = trusted(qontak, address)?;
    let client = qontak.access.network().client();
    let response = client.get(url).send().await.map_err(answer::temporary)?;
    answer::file_of(response, None, expected.sha256, qontak.settings.media_cap).await
}

/// The address, if it is the API's own origin or on a known host over TLS.
fn trusted(qontak: &Qontak, address: &str) -> Result<Url, MediaError> {
    let bad = |why: &str| MediaError::BadHandle { why: why.to_owned() };
    let url = Url::parse(address).map_err(|_| bad("it is not an address"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it holds credentials"));
    }
    let settings = &qontak.settings;
    let own = Url::parse(&settings.base_url).is_ok_and(|base| base.origin() == url.origin());
    let host = url.host_str().unwrap_or_default().to_owned();
    let is = |pattern: &String| match pattern.strip_prefix('*') {
        Some(ending) => host.len() > ending.len() && host.ends_with(ending),
        None => host == *pattern,
    };
    let known = url.scheme() == "https" && settings.media_hosts.iter().any(is);
    if own || known {
        Ok(url)
    } else {
        Err(MediaError::ForeignHost { host })
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

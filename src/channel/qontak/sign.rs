//! The signature of Mekari's API: HMAC-SHA256 over date and request line, and a digest of the body. Pure: the time is
//! given, so that a signature can be checked against one made elsewhere.
//!
//! Source: Mekari developer centre, HMAC authentication (2026).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use http::header::{AUTHORIZATION, DATE};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::channel::HttpRequest;

/// Of the request's body, in base64.
const DIGEST: http::HeaderName = http::HeaderName::from_static("digest");

/// The request with its date, signature and digest. The other side takes a date that is off by 300 seconds at most.
pub(super) fn signed(
    request: HttpRequest,
    client_id: &str,
    secret: &SecretString,
    at: Timestamp,
) -> HttpRequest {
    let date = date(at);
    let line = format!("{} {} HTTP/1.1", request.method, target_of(&request.url));
    let signature = mac(secret, &format!("date: {date}\n{line}"));
    let authorization = SecretString::from(format!(
        "hmac username=\"{client_id}\", algorithm=\"hmac-sha256\", headers=\"date request-line\", signature=\"{signature}\""
    ));
    let request = if request.method == Method::GET {
        request
    } else {
        let digest = STANDARD.encode(Sha256::digest(&request.body));
        request.header(DIGEST, &format!("SHA-256={digest}"))
    };
    request
        .header(DATE, &date)
        .secret(AUTHORIZATION, "", &authorization)
}

/// As HTTP writes dates (RFC 9110, 5.6.7).
fn date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Path and query of an address, as they stand in the request's first line.
fn target_of(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(url, |at| &url[at + 3..]);
    after_scheme.find('/').map_or("/", |at| &after_scheme[at..])
}

fn mac(secret: &SecretString, text: &str) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().trim().as_bytes()) else {
        return String::new();
    };
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: Method, url: &str, body: &[u8]) -> HttpRequest {
        let request = HttpRequest::new(method, url);
        if body.is_empty() {
            request
        } else {
            request.body("application/json", body.to_vec())
        }
    }

    fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
        request.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The signature was made with OpenSSL from the text that the developer centre prescribes.
    #[test]
    fn a_signature_is_that_of_another_implementation() {
        let at: Timestamp = "2021-08-24T02:18:19Z".parse().unwrap();
        let url = "https://api.mekari.com/qontak/chat/v1/integrations?target_channel=wa_cloud";
        let signed = signed(
            request(Method::GET, url, b""),
            "client-1",
            &SecretString::from("double-hmac-secret"),
            at,
        );
        assert_eq!(header(&signed, "date"), Some("Tue, 24 Aug 2021 02:18:19 GMT"));
        assert_eq!(
            header(&signed, "authorization"),
            Some(
                "hmac username=\"client-1\", algorithm=\"hmac-sha256\", headers=\"date request-line\", \
                 signature=\"dbo81R+JovbWyL1VDeiJpzS/cxosiJKNmFfVBvMhGO4=\""
            )
        );
        assert_eq!(header(&signed, "digest"), None, "a GET has no body");
        assert!(
            signed.headers["authorization"].is_sensitive(),
            "it is shown in no log"
        );
    }

    #[test]
    fn the_digest_is_of_the_body_and_nothing_of_the_body_is_in_the_signature() {
        let at: Timestamp = "2021-08-24T02:18:19Z".parse().unwrap();
        let sign = |body: &[u8]| {
            let post = request(Method::POST, "http://127.0.0.1:4000/v1/messages", body);
            signed(post, "client-1", &SecretString::from("s"), at)
        };
        let (one, other) = (sign(b"{\"hello\": \"world\"}"), sign(b"{}"));
        assert_eq!(
            header(&one, "digest"),
            Some("SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=")
        );
        assert_ne!(header(&one, "digest"), header(&other, "digest"));
        assert_eq!(header(&one, "authorization"), header(&other, "authorization"));
    }

    #[test]
    fn the_first_line_holds_path_and_query_and_no_host() {
        assert_eq!(target_of("https://api.mekari.com/a/b?c=d"), "/a/b?c=d");
        assert_eq!(target_of("https://api.mekari.com"), "/");
    }
}

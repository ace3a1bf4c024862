//! Who may speak to the webhook: the signature over the raw bytes, and the verify token of the handshake. Nothing is
//! parsed before the signature holds, every comparison takes the same time whatever it finds, and nothing here ends
//! up in a log.

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use crate::channel::delivery::is_one_of;
use crate::channel::{Answer, Forged};

const HEADER: &str = "x-hub-signature-256";
const LONGEST_CHALLENGE: usize = 128;

/// Holds if one of the app secrets signed exactly these bytes. Several are accepted so that a secret can be rotated
/// without losing a message.
pub(super) fn verify(secrets: &[SecretString], headers: &HeaderMap, raw: &[u8]) -> Result<(), Forged> {
    let mut values = headers.get_all(HEADER).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Forged);
    };
    let claimed = signature_of(value.as_bytes()).ok_or(Forged)?;
    // Every secret is tried, so that the time taken does not tell which one held.
    let mut holds = Choice::from(0);
    for secret in secrets {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
            continue;
        };
        mac.update(raw);
        holds |= mac.finalize().into_bytes().as_slice().ct_eq(&claimed);
    }
    if bool::from(holds) { Ok(()) } else { Err(Forged) }
}

/// The 32 bytes of `sha256=` and 64 hexadecimal digits; nothing longer, shorter or otherwise spelled.
fn signature_of(header: &[u8]) -> Option<[u8; 32]> {
    let digits = header.strip_prefix(b"sha256=")?;
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(high? * 16 + low?).ok()?;
    }
    Some(bytes)
}

/// Answers `GET …?hub.mode=subscribe&hub.verify_token=…&hub.challenge=…` with the bare challenge.
pub(super) fn handshake(verify_token: &SecretString, query: &str) -> Answer {
    let mut mode = None;
    let mut token = None;
    let mut challenge = None;
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "hub.mode" => mode = Some(value),
            "hub.verify_token" => token = Some(value),
            "hub.challenge" => challenge = Some(value),
            _ => {}
        }
    }
    let known = token.is_some_and(|token| is_one_of(&token, std::slice::from_ref(verify_token)).is_ok());
    match challenge {
        Some(challenge) if known && mode.as_deref() == Some("subscribe") && is_plain(&challenge) => {
            Answer::plain(200, challenge)
        }
        _ => Answer::plain(403, "forbidden"),
    }
}

/// What may be echoed back to whoever knows the token: short, and printable.
fn is_plain(challenge: &str) -> bool {
    (1..=LONGEST_CHALLENGE).contains(&challenge.len())
        && challenge.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn sign(secret: &str, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body);
        let hex: String = mac
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("sha256={hex}")
    }

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(
            http::HeaderName::from_static(HEADER),
            HeaderValue::from_str(value).unwrap(),
        )])
    }

    fn secrets(secrets: &[&str]) -> Vec<SecretString> {
        secrets.iter().map(|secret| SecretString::from(*secret)).collect()
    }

    /// The published example of RFC 4231 (test case 2) keeps us honest about what HMAC-SHA256 is.
    #[test]
    fn the_signature_is_hmac_sha256_of_the_raw_bytes() {
        let header = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(
            verify(
                &secrets(&["Jefe"]),
                &headers(header),
                b"what do ya want for nothing?"
            ),
            Ok(())
        );
    }

    #[test]
    fn the_old_secret_is_good_while_the_new_one_rolls_out() {
        let header = headers(&sign("old", b"{}"));
        assert_eq!(verify(&secrets(&["new", "old"]), &header, b"{}"), Ok(()));
        assert_eq!(verify(&secrets(&["new"]), &header, b"{}"), Err(Forged));
    }

    #[test]
    fn one_changed_byte_of_the_body_is_a_forgery() {
        let header = headers(&sign("s", br#"{"a":"\u00e9"}"#));
        assert_eq!(
            verify(&secrets(&["s"]), &header, "{\"a\":\"é\"}".as_bytes()),
            Err(Forged)
        );
    }

    #[test]
    fn the_header_must_be_spelled_exactly() {
        let good = sign("s", b"{}");
        for bad in [
            "",
            "sha256=",
            &good[7..],
            &good[..70],
            &format!("{good}0"),
            &good.replace("sha256", "SHA256"),
            &good.replace("sha256=", "sha1="),
            &format!("sha256={}", "g".repeat(64)),
            &format!("{good},{good}"),
        ] {
            assert_eq!(
                verify(&secrets(&["s"]), &headers(bad), b"{}"),
                Err(Forged),
                "{bad}"
            );
        }
        assert_eq!(verify(&secrets(&["s"]), &HeaderMap::new(), b"{}"), Err(Forged));
        let mut twice = headers(&good);
        twice.append(HEADER, HeaderValue::from_str(&good).unwrap());
        assert_eq!(verify(&secrets(&["s"]), &twice, b"{}"), Err(Forged));
    }

    #[test]
    fn without_a_secret_nothing_is_accepted() {
        assert_eq!(verify(&[], &headers(&sign("", b"{}")), b"{}"), Err(Forged));
    }

    #[test]
    fn every_forgery_gets_the_same_answer() {
        assert_eq!(Forged::answer(), Forged::answer());
        assert_eq!(Forged::answer().status, 401);
    }

    #[test]
    fn the_handshake_echoes_the_bare_challenge() {
        let token = SecretString::from("tok en");
        let answer = handshake(
            &token,
            "hub.mode=subscribe&hub.verify_token=tok+en&hub.challenge=1158201444",
        );
        assert_eq!((answer.status, answer.body.as_str()), (200, "1158201444"));
        assert!(answer.headers.contains(&("x-content-type-options", "nosniff")));
    }

    #[test]
    fn the_handshake_refuses_a_wrong_token_and_a_strange_challenge() {
        let token = SecretString::from("token");
        let long = format!(
            "hub.mode=subscribe&hub.verify_token=token&hub.challenge={}",
            "1".repeat(129)
        );
        for query in [
            "",
            "hub.mode=subscribe&hub.challenge=1",
            "hub.mode=subscribe&hub.verify_token=other&hub.challenge=1",
            "hub.mode=unsubscribe&hub.verify_token=token&hub.challenge=1",
            "hub.mode=subscribe&hub.verify_token=token",
            "hub.mode=subscribe&hub.verify_token=token&hub.challenge=a%0Ab",
            long.as_str(),
        ] {
            assert_eq!(
                handshake(&token, query),
                Answer::plain(403, "forbidden"),
                "{query}"
            );
        }
        assert_eq!(
            handshake(
                &SecretString::from(""),
                "hub.mode=subscribe&hub.verify_token=&hub.challenge=1"
            )
            .status,
            403
        );
    }
}

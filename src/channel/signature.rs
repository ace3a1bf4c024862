//! A keyed hash over a webhook's raw bytes. Nothing is parsed before it holds, every comparison takes the same time
//! whatever it finds, and nothing here ends up in a log.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};

use super::Forged;

/// The hash under the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    /// Length of its hash in bytes.
    fn length(self) -> usize {
        match self {
            Algorithm::Sha256 => 32,
            Algorithm::Sha512 => 64,
        }
    }

    fn hash(self, key: &[u8], raw: &[u8]) -> Option<Vec<u8>> {
        fn under<M: Mac + KeyInit>(key: &[u8], raw: &[u8]) -> Option<Vec<u8>> {
            let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
            mac.update(raw);
            Some(mac.finalize().into_bytes().to_vec())
        }
        match self {
            Algorithm::Sha256 => under::<Hmac<Sha256>>(key, raw),
            Algorithm::Sha512 => under::<Hmac<Sha512>>(key, raw),
        }
    }
}

/// Holds if one of the secrets signed exactly these bytes. Several are accepted so that a secret can be rotated
/// without losing a message. `value` is the whole header, which must start with `prefix`.
pub(super) fn verify(
    algorithm: Algorithm,
    prefix: &str,
    secrets: &[SecretString],
    value: &[u8],
    raw: &[u8],
) -> Result<(), Forged> {
    let digits = value.strip_prefix(prefix.as_bytes()).ok_or(Forged)?;
    let claimed = bytes_of(digits, algorithm.length()).ok_or(Forged)?;
    // Every secret is tried, so that the time taken does not tell which one held.
    let mut holds = Choice::from(0);
    for secret in secrets {
        let secret = secret.expose_secret().as_bytes();
        // HMAC takes a key of any length; an empty one is no key.
        let Some(hash) = algorithm.hash(secret, raw).filter(|_| !secret.is_empty()) else {
            continue;
        };
        holds |= hash.as_slice().ct_eq(&claimed);
    }
    if bool::from(holds) { Ok(()) } else { Err(Forged) }
}

/// The bytes of exactly so many hexadecimal pairs; nothing longer, shorter or otherwise spelled.
fn bytes_of(digits: &[u8], length: usize) -> Option<Vec<u8>> {
    if digits.len() != 2 * length {
        return None;
    }
    digits
        .chunks_exact(2)
        .map(|pair| {
            let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
            u8::try_from(high? * 16 + low?).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{Delivery, Gate};
    use http::{HeaderMap, HeaderName, HeaderValue};

    const HEADER: HeaderName = HeaderName::from_static("x-hub-signature-256");

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn sign(secret: &str, body: &[u8]) -> String {
        let hash = Algorithm::Sha256.hash(secret.as_bytes(), body).unwrap();
        format!("sha256={}", hex(&hash))
    }

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HEADER, HeaderValue::from_str(value).unwrap())])
    }

    fn verify(secrets: &[&str], headers: &HeaderMap, raw: &[u8]) -> Result<(), Forged> {
        let gate = Gate::Signed {
            header: HEADER,
            prefix: "sha256=".into(),
            algorithm: Algorithm::Sha256,
            secrets: secrets.iter().map(|secret| SecretString::from(*secret)).collect(),
        };
        gate.admits(&Delivery {
            secret: None,
            headers,
            raw,
        })
    }

    /// The published example of RFC 4231 (test case 2) keeps us honest about what HMAC is.
    #[test]
    fn the_signature_is_the_keyed_hash_of_the_raw_bytes() {
        let header = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let raw = b"what do ya want for nothing?";
        assert_eq!(verify(&["Jefe"], &headers(header), raw), Ok(()));
        let hash = Algorithm::Sha512.hash(b"Jefe", raw).unwrap();
        assert_eq!(hex(&hash[..16]), "164b7a7bfcf819e2e395fbe73b56e0a3");
        assert_eq!(hash.len(), Algorithm::Sha512.length());
    }

    #[test]
    fn the_old_secret_is_good_while_the_new_one_rolls_out() {
        let header = headers(&sign("old", b"{}"));
        assert_eq!(verify(&["new", "old"], &header, b"{}"), Ok(()));
        assert_eq!(verify(&["new"], &header, b"{}"), Err(Forged));
    }

    #[test]
    fn one_changed_byte_of_the_body_is_a_forgery() {
        let header = headers(&sign("s", br#"{"a":"\u00e9"}"#));
        assert_eq!(verify(&["s"], &header, "{\"a\":\"é\"}".as_bytes()), Err(Forged));
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
            assert_eq!(verify(&["s"], &headers(bad), b"{}"), Err(Forged), "{bad}");
        }
        assert_eq!(verify(&["s"], &HeaderMap::new(), b"{}"), Err(Forged));
        let mut twice = headers(&good);
        twice.append(HEADER, HeaderValue::from_str(&good).unwrap());
        assert_eq!(verify(&["s"], &twice, b"{}"), Err(Forged));
    }

    #[test]
    fn without_a_secret_nothing_is_accepted() {
        assert_eq!(verify(&[], &headers(&sign("", b"{}")), b"{}"), Err(Forged));
        assert_eq!(verify(&[""], &headers(&sign("", b"{}")), b"{}"), Err(Forged));
    }

    #[test]
    fn every_forgery_gets_the_same_answer() {
        assert_eq!(Forged::answer(), Forged::answer());
        assert_eq!(Forged::answer().status, 401);
    }
}

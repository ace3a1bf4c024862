//! What a provider's POST brings before any of it is believed: the secret in its path, its headers and its bytes.

use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::Forged;

/// A webhook as it came in. `Debug` shows neither the secret nor what people wrote.
#[derive(Clone, Copy)]
pub struct Delivery<'a> {
    /// What stands behind the channel's id in the webhook's path, if anything.
    pub secret: Option<&'a str>,
    pub headers: &'a HeaderMap,
    /// The body's bytes exactly as received.
    pub raw: &'a [u8],
}

impl Delivery<'_> {
    /// Holds if the path ends with one of `secrets`. Several are accepted so that a secret can be changed without losing
    /// a message.
    ///
    /// # Errors
    /// If it does not, or if there is no secret to compare with.
    pub fn has_path_secret(&self, secrets: &[SecretString]) -> Result<(), Forged> {
        is_one_of(self.secret.ok_or(Forged)?, secrets)
    }
}

impl std::fmt::Debug for Delivery<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Delivery({} bytes)", self.raw.len())
    }
}

/// Whether `given` is one of `secrets`. Compared by digest and with every one of them, so that neither content nor
/// length, nor which of them held, shows in the time it takes. An empty secret is no secret.
pub(super) fn is_one_of(given: &str, secrets: &[SecretString]) -> Result<(), Forged> {
    let given = Sha256::digest(given.as_bytes());
    let mut holds = Choice::from(0);
    for secret in secrets {
        let secret = secret.expose_secret();
        let same = given
            .as_slice()
            .ct_eq(Sha256::digest(secret.as_bytes()).as_slice());
        holds |= same & Choice::from(u8::from(!secret.is_empty()));
    }
    if bool::from(holds) { Ok(()) } else { Err(Forged) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(all: &[&str]) -> Vec<SecretString> {
        all.iter().map(|secret| SecretString::from(*secret)).collect()
    }

    #[test]
    fn the_path_must_end_with_one_of_the_secrets() {
        let headers = HeaderMap::new();
        let coming_with = |secret| Delivery {
            secret,
            headers: &headers,
            raw: b"{}",
        };
        let known = secrets(&["new", "old"]);
        assert_eq!(coming_with(Some("new")).has_path_secret(&known), Ok(()));
        assert_eq!(coming_with(Some("old")).has_path_secret(&known), Ok(()));
        for wrong in [None, Some(""), Some("ne"), Some("newer"), Some("NEW")] {
            assert_eq!(
                coming_with(wrong).has_path_secret(&known),
                Err(Forged),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn an_empty_secret_and_no_secret_let_nobody_in() {
        assert_eq!(is_one_of("", &secrets(&[""])), Err(Forged));
        assert_eq!(is_one_of("x", &[]), Err(Forged));
    }

    #[test]
    fn a_delivery_shows_neither_its_secret_nor_its_words() {
        let headers = HeaderMap::new();
        let delivery = Delivery {
            secret: Some("hush"),
            headers: &headers,
            raw: b"hello",
        };
        assert_eq!(format!("{delivery:?}"), "Delivery(5 bytes)");
    }
}

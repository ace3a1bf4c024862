//! Secrets that the store holds: sealed with a key that it does not hold, so that a copy of the store gives nothing away.
//! AES-256-GCM under a fresh nonce each; a secret's name is sealed with it, so that none can stand in for another.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Of a key.
const BYTES: usize = 32;

/// The keys of `store_key`: the first seals, and all open. `Debug` shows their names, which tell nothing of them.
#[derive(Clone)]
pub struct SealingKeys(Vec<SealingKey>);

#[derive(Clone)]
struct SealingKey {
    /// The first digits of the key's hash.
    name: String,
    /// In hexadecimal, as it was written.
    key: SecretString,
}

impl std::fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealingKeys({})", self.names())
    }
}

/// A secret as the store holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Format of this value; 1.
    v: u8,
    /// Name of the key.
    key: String,
    /// Base64, as below.
    nonce: String,
    sealed: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error(
        "store_key is not a list of keys: each has 64 hexadecimal digits, as `openssl rand -hex 32` gives; the first seals, the others open what was sealed before"
    )]
    NoKeys,
    #[error(
        "the store holds secrets, and the configuration has no key to them: write store_key = {{ env = \"NAME\" }} or {{ file = \"PATH\" }}"
    )]
    NoKey,
    #[error(
        "the secret {secret} was sealed with the key {sealed_with}, and store_key is {have}: give that key again, on a line below the new one, or set the secret anew with `switchboard channel secret {secret}`"
    )]
    OtherKey {
        secret: String,
        sealed_with: String,
        have: String,
    },
    #[error(
        "the secret {secret} does not open with its key: the store was changed by hand or is damaged; set it anew with `switchboard channel secret {secret}`"
    )]
    Damaged { secret: String },
}

impl SealingKeys {
    /// Reads keys, separated by white space.
    ///
    /// # Errors
    /// [`SealError::NoKeys`], which shows none of them.
    pub fn parse(written: &SecretString) -> Result<SealingKeys, SealError> {
        let keys: Option<Vec<SealingKey>> = written
            .expose_secret()
            .split_whitespace()
            .map(|word| {
                let bytes = bytes_of(word)?;
                Some(SealingKey {
                    name: name_of(&bytes),
                    key: SecretString::from(word.to_owned()),
                })
            })
            .collect();
        match keys {
            Some(keys) if !keys.is_empty() => Ok(SealingKeys(keys)),
            Some(_) | None => Err(SealError::NoKeys),
        }
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(|key| key.name.as_str()).collect();
        names.join(", ")
    }

    /// Whether this is sealed with the key that seals now.
    pub(in crate::server) fn is_current(&self, sealed: &Sealed) -> bool {
        self.0.first().is_some_and(|key| key.name == sealed.key)
    }

    pub(in crate::server) fn seal(&self, secret: &str, value: &SecretString) -> Result<Sealed, SealError> {
        let key = self.0.first().ok_or(SealError::NoKey)?;
        let damaged = || SealError::Damaged {
            secret: secret.to_owned(),
        };
        let cipher = key.cipher().ok_or_else(damaged)?;
        let mut bytes = value.expose_secret().as_bytes().to_vec();
        let nonce = cipher
            .seal_in_place_append_tag(Aad::from(secret.as_bytes()), &mut bytes)
            .map_err(|_| damaged())?;
        Ok(Sealed {
            v: 1,
            key: key.name.clone(),
            nonce: STANDARD.encode(nonce.as_ref()),
            sealed: STANDARD.encode(&bytes),
        })
    }

    pub(in crate::server) fn open(&self, secret: &str, sealed: &Sealed) -> Result<SecretString, SealError> {
        let damaged = || SealError::Damaged {
            secret: secret.to_owned(),
        };
        let key = self.0.iter().find(|key| key.name == sealed.key);
        let key = key.ok_or_else(|| SealError::OtherKey {
            secret: secret.to_owned(),
            sealed_with: sealed.key.clone(),
            have: self.names(),
        })?;
        let cipher = key.cipher().ok_or_else(damaged)?;
        let nonce = STANDARD.decode(&sealed.nonce).map_err(|_| damaged())?;
        let nonce = Nonce::try_assume_unique_for_key(&nonce).map_err(|_| damaged())?;
        let mut bytes = STANDARD.decode(&sealed.sealed).map_err(|_| damaged())?;
        let opened = cipher
            .open_in_place(nonce, Aad::from(secret.as_bytes()), &mut bytes)
            .map_err(|_| damaged())?;
        let text = std::str::from_utf8(opened).map_err(|_| damaged())?;
        Ok(SecretString::from(text.to_owned()))
    }
}

impl SealingKey {
    fn cipher(&self) -> Option<RandomizedNonceKey> {
        RandomizedNonceKey::new(&AES_256_GCM, &bytes_of(self.key.expose_secret())?).ok()
    }
}

fn bytes_of(hex: &str) -> Option<[u8; BYTES]> {
    if hex.len() != 2 * BYTES || !hex.is_ascii() {
        return None;
    }
    let mut bytes = [0; BYTES];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn name_of(key: &[u8; BYTES]) -> String {
    let hash = Sha256::digest(key);
    hash[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(written: &str) -> SealingKeys {
        SealingKeys::parse(&SecretString::from(written.to_owned())).expect("keys")
    }

    fn key(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    #[test]
    fn a_secret_opens_with_its_key_and_name_alone() {
        let (old, token) = (keys(&key('a')), SecretString::from("EAAG-token".to_owned()));
        let sealed = old.seal("main.token", &token).expect("sealed");
        assert_eq!(
            old.open("main.token", &sealed).expect("open").expose_secret(),
            "EAAG-token"
        );
        let again = old.seal("main.token", &token).expect("sealed");
        assert_ne!(again, sealed, "each has a nonce of its own");
        assert!(!format!("{sealed:?}{old:?}").contains("EAAG"));
        assert!(!format!("{old:?}").contains("aaaa"));

        let moved = old.open("other.token", &sealed).expect_err("moved");
        assert_eq!(
            moved,
            SealError::Damaged {
                secret: "other.token".to_owned()
            }
        );
        let mut damaged = sealed.clone();
        damaged.sealed = STANDARD.encode(b"something else, as long as it has to be");
        assert!(old.open("main.token", &damaged).is_err());

        // Another key says so; the old one below the new one opens, and the new one seals.
        let wrong = keys(&key('b'))
            .open("main.token", &sealed)
            .expect_err("wrong key");
        let said = wrong.to_string();
        assert!(
            said.contains(&name_of(&[0xaa; 32])) && said.contains("`switchboard channel secret main.token`"),
            "{said}"
        );
        let both = keys(&format!("{}\n{}", key('b'), key('a')));
        both.open("main.token", &sealed).expect("open");
        assert!(!both.is_current(&sealed));
        assert!(both.is_current(&both.seal("main.token", &token).expect("sealed")));
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        for wrong in ["", "short-secret", &"g".repeat(64), &"ä".repeat(32)] {
            let why = SealingKeys::parse(&SecretString::from(wrong.to_owned())).expect_err("no key");
            assert_eq!(why, SealError::NoKeys);
        }
        assert!(SealError::NoKeys.to_string().contains("openssl rand -hex 32"));
    }
}

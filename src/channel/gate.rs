//! Who may speak to a webhook. Providers prove themselves in different ways; here is each of them, and each fails
//! closed: without a secret to compare with, nobody comes in.

use http::HeaderName;
use secrecy::{ExposeSecret, SecretString};

use super::delivery::is_one_of;
use super::signature::{self, Algorithm};
use super::{Delivery, Forged};

/// How a provider proves that a webhook is its own. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub enum Gate {
    /// A keyed hash of the body's bytes, in hexadecimal, in a header.
    Signed {
        header: HeaderName,
        /// What stands before the hash, such as `sha256=`.
        prefix: String,
        algorithm: Algorithm,
        /// More than one while a secret is being changed; so below.
        secrets: Vec<SecretString>,
    },
    /// A header with a value that both sides know.
    Header {
        name: HeaderName,
        values: Vec<SecretString>,
    },
    /// A secret behind the channel's id in the path.
    Path { secrets: Vec<SecretString> },
    /// Nothing: whoever knows the address may speak for customers. The operator asked for it, and is warned.
    Open,
}

impl Gate {
    /// Whether this webhook comes from the provider.
    ///
    /// # Errors
    /// If it does not, whatever the reason: every forgery looks the same.
    pub fn admits(&self, delivery: &Delivery<'_>) -> Result<(), Forged> {
        match self {
            Gate::Signed {
                header,
                prefix,
                algorithm,
                secrets,
            } => signature::verify(*algorithm, prefix, secrets, only(delivery, header)?, delivery.raw),
            Gate::Header { name, values } => {
                let given = std::str::from_utf8(only(delivery, name)?).map_err(|_| Forged)?;
                is_one_of(given, values)
            }
            Gate::Path { secrets } => delivery.has_path_secret(secrets),
            Gate::Open => Ok(()),
        }
    }

    /// The secret that ends the webhook's address, where one does: the newest, for whoever hands the address over.
    pub fn path_secret(&self) -> Option<&SecretString> {
        match self {
            Gate::Path { secrets } => secrets.first(),
            Gate::Signed { .. } | Gate::Header { .. } | Gate::Open => None,
        }
    }

    /// `text` without any of the secrets, for what a provider repeats of them.
    pub fn hidden(&self, text: &str) -> String {
        let secrets = match self {
            Gate::Signed { secrets, .. } | Gate::Path { secrets } => secrets.as_slice(),
            Gate::Header { values, .. } => values.as_slice(),
            Gate::Open => &[],
        };
        secrets
            .iter()
            .map(SecretString::expose_secret)
            .filter(|secret| !secret.is_empty())
            .fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
    }
}

/// The value of a header that stands there once: two of them could be read in two ways.
fn only<'a>(delivery: &Delivery<'a>, name: &HeaderName) -> Result<&'a [u8], Forged> {
    let mut values = delivery.headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value.as_bytes()),
        _ => Err(Forged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue};

    fn secrets(all: &[&str]) -> Vec<SecretString> {
        all.iter().map(|secret| SecretString::from(*secret)).collect()
    }

    fn admitted(gate: &Gate, secret: Option<&str>, headers: &[(&'static str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let delivery = Delivery {
            secret,
            headers: &map,
            raw: b"{}",
        };
        gate.admits(&delivery).is_ok()
    }

    #[test]
    fn a_header_must_hold_the_value_both_sides_know_once() {
        let gate = Gate::Header {
            name: HeaderName::from_static("x-webhook-secret"),
            values: secrets(&["new", "old"]),
        };
        assert!(admitted(&gate, None, &[("x-webhook-secret", "new")]));
        assert!(admitted(&gate, None, &[("x-webhook-secret", "old")]));
        assert!(!admitted(&gate, None, &[("x-webhook-secret", "newer")]));
        assert!(!admitted(&gate, Some("new"), &[]));
        assert!(!admitted(
            &gate,
            None,
            &[("x-webhook-secret", "new"), ("x-webhook-secret", "new")]
        ));
    }

    #[test]
    fn a_path_must_end_with_the_secret_whatever_the_headers_say() {
        let gate = Gate::Path {
            secrets: secrets(&["hush"]),
        };
        assert!(admitted(&gate, Some("hush"), &[]));
        assert!(!admitted(&gate, None, &[("x-webhook-secret", "hush")]));
        assert!(!admitted(&gate, Some("hushed"), &[]));
    }

    #[test]
    fn without_a_secret_nobody_comes_in_and_only_an_open_gate_is_open() {
        assert!(!admitted(&Gate::Path { secrets: vec![] }, Some(""), &[]));
        assert!(admitted(&Gate::Open, None, &[]));
    }

    #[test]
    fn what_a_provider_repeats_is_shown_without_the_secret() {
        let gate = Gate::Path {
            secrets: secrets(&["hush", "older"]),
        };
        assert_eq!(
            gate.hidden("https://bot.example/webhook/main/hush"),
            "https://bot.example/webhook/main/…"
        );
        assert_eq!(gate.path_secret().unwrap().expose_secret(), "hush");
        assert!(!format!("{gate:?}").contains("hush"));
    }
}

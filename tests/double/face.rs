//! Whose manners the double has. Behind all of them is the same WhatsApp; what differs is the address, the key, the
//! envelope and how a refusal is worded.

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::setup::Setup;
use super::webhook::{escaped, signature};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Face {
    #[default]
    Meta,
    /// Meta's language without the number in the paths, under a key of its own, and without a signature.
    Dialog360,
    /// An envelope around Meta's language.
    Coster,
}

impl Face {
    /// The key that a request came with, where this face looks for it and nowhere else.
    pub fn key_of(self, headers: &HeaderMap, path: &str, query: &[(String, String)]) -> Option<String> {
        let header = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
        let bearer = || {
            Some(
                header("authorization")?
                    .strip_prefix("Bearer ")?
                    .trim()
                    .to_owned(),
            )
        };
        match self {
            Face::Meta => bearer().or_else(|| {
                let given = query.iter().find(|(name, _)| name == "access_token");
                given.map(|(_, value)| value.clone())
            }),
            Face::Dialog360 => header("d360-api-key"),
            Face::Coster if path.starts_with("/v1/") => bearer(),
            Face::Coster => header("x-access-token"),
        }
    }

    /// Whether this key opens this path.
    pub fn knows(self, setup: &Setup, path: &str, key: Option<&String>) -> bool {
        key.is_some_and(|key| match self {
            Face::Coster if path.starts_with("/v1/") => *key == setup.push_token,
            Face::Meta | Face::Dialog360 | Face::Coster => setup.access_tokens.contains(key),
        })
    }

    /// A webhook's bytes, and the headers that go with it.
    pub fn dressed(self, setup: &Setup, webhook: Value, number: u64) -> (Vec<(String, String)>, Vec<u8>) {
        match self {
            Face::Meta => {
                let bytes = escaped(&webhook);
                let signed = signature(&setup.app_secret, &bytes);
                (vec![("x-hub-signature-256".to_owned(), signed)], bytes)
            }
            Face::Dialog360 => (setup.webhook_headers.clone(), webhook.to_string().into_bytes()),
            Face::Coster => {
                let envelope = json!({
                    "id": format!("{number:08x}"),
                    "mid": format!("m-{number}"),
                    "client_id": "client",
                    "channel_id": "whatsapp-cloud",
                    "account": { "id": setup.coster_account, "account": setup.display_phone_number,
                        "account_title": "Kopi Senja" },
                    "data": webhook,
                });
                (setup.webhook_headers.clone(), envelope.to_string().into_bytes())
            }
        }
    }

    /// Whether a webhook was taken. Coster's customers answer in words, too.
    pub fn is_taken(self, status: u16, answer: &[u8]) -> bool {
        let in_words = || {
            let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
            answer["code"].is_number() && answer["message"].is_string() && answer["server_time"].is_string()
        };
        status == 200 && (self != Face::Coster || in_words())
    }
}

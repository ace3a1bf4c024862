//! Coster: Meta's messages and webhooks inside an envelope of its own. *Experimental*: Coster publishes no reference, so
//! this follows what its customers' integrations were seen to do, and every address, header and constant of it is a
//! setting ([`Wire`]). Texts are sure; buttons, lists and files pass only where the operator switches them on.
//!
//! A reply carries no id of the provider that statuses would name, so a message counts as sent once it was accepted, and
//! nothing waits for more.

mod envelope;
mod health;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::json;

use super::fetch::{file_of, is_media_id, temporary};
use super::meta::{decode, holds_errors};
use super::{
    Answer, Caps, Channel, Decoded, Delivery, EncodeError, Expected, FetchedMedia, Forged, Gate, Health,
    HttpRequest, HttpResponse, MediaError, NetworkTransport, Receipt, SendError, SendFailure, Step, Upload,
};
use crate::message::{Limits, MediaHandle};

pub use wire::Wire;

/// In logs, in configuration and in sentences.
const PROVIDER: &str = "coster";
const NAME: &str = "Coster";

/// What connects one phone number to Coster.
#[derive(Debug, Clone)]
pub struct CosterSettings {
    /// What the webhooks inside the envelope name the number by.
    pub phone_number_id: String,
    pub account_id: String,
    pub division_id: String,
    /// For replies and files.
    pub access_token: SecretString,
    /// For templates; without it none can be sent.
    pub push_token: Option<SecretString>,
    /// The end of the webhook's path. Coster signs nothing.
    pub gate: Gate,
    pub kinds: Kinds,
    pub wire: Wire,
    /// Largest file that is fetched, in bytes.
    pub media_cap: u64,
    pub connect_timeout: Duration,
    pub timeout: Duration,
}

/// What passes besides texts. Nobody has shown that it does, so all of it is off until the operator knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds {
    pub buttons: bool,
    pub lists: bool,
    pub links: bool,
    /// Files by their web address; files of the business can't be handed over.
    pub media: bool,
    pub locations: bool,
}

impl CosterSettings {
    pub fn new(
        phone_number_id: impl Into<String>,
        account_id: impl Into<String>,
        division_id: impl Into<String>,
        access_token: SecretString,
        gate: Gate,
    ) -> Self {
        CosterSettings {
            phone_number_id: phone_number_id.into(),
            account_id: account_id.into(),
            division_id: division_id.into(),
            access_token,
            push_token: None,
            gate,
            kinds: Kinds::default(),
            wire: Wire::default(),
            media_cap: 16 * 1024 * 1024,
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(20),
        }
    }
}

/// A number behind Coster.
#[derive(Debug)]
pub struct Coster {
    settings: CosterSettings,
    transport: NetworkTransport,
}

impl Coster {
    /// # Errors
    /// If the TLS back end cannot be started.
    pub fn new(settings: CosterSettings) -> Result<Self, reqwest::Error> {
        let transport = NetworkTransport::new(settings.connect_timeout, settings.timeout)?;
        Ok(Coster { settings, transport })
    }

    /// What Coster is told of a webhook, and of the check of its address: that it was taken.
    fn taken(&self) -> Answer {
        let wire = &self.settings.wire;
        Answer::json(
            200,
            &json!({
                "code": wire.answer_code,
                "message": wire.answer_message,
                "server_time": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            }),
        )
    }
}

#[async_trait]
impl Channel for Coster {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn account(&self) -> &str {
        &self.settings.phone_number_id
    }

    /// A GET is a look whether somebody is there. Only whoever knows the secret sees that somebody is.
    fn handshake(&self, secret: Option<&str>, _query: &str) -> Answer {
        let delivery = Delivery {
            secret,
            headers: &http::HeaderMap::new(),
            raw: &[],
        };
        match self.settings.gate.admits(&delivery) {
            Ok(()) => self.taken(),
            Err(Forged) => Answer::plain(403, "forbidden"),
        }
    }

    fn authenticate(&self, delivery: &Delivery<'_>) -> Result<(), Forged> {
        self.settings.gate.admits(delivery)
    }

    fn acknowledge(&self, _raw: &[u8]) -> Answer {
        self.taken()
    }

    fn decode(&self, raw: &[u8]) -> Decoded {
        envelope::open(raw, decode)
    }

    fn capabilities(&self) -> Caps {
        let Kinds {
            buttons,
            lists,
            links,
            media,
            locations,
        } = self.settings.kinds;
        Caps {
            limits: Limits {
                provider: NAME,
                ..Limits::META
            },
            option_id: Caps::META.option_id,
            buttons,
            lists,
            templates: true,
            links,
            ask_location: false,
            forms: false,
            locations,
            media,
            media_links: media,
            uploads: false,
            files_along: false,
            quotes: false,
            reactions: false,
            seen: false,
            typing: false,
            bsuid: false,
            rooms: false,
            deliveries: false,
        }
    }

    fn encode(&self, step: &Step) -> Result<HttpRequest, EncodeError> {
        envelope::request(&self.settings, step)
    }

    fn encode_upload(&self, _upload: &Upload) -> Result<HttpRequest, EncodeError> {
        Err(EncodeError::Unsupported {
            provider: NAME,
            what: "a file of the business",
        })
    }

    fn interpret(
        &self,
        outcome: Result<HttpResponse, SendFailure>,
        attempt: u32,
    ) -> Result<Receipt, SendError> {
        match outcome {
            Ok(response) if (200..300).contains(&response.status) && !holds_errors(&response.body) => {
                Ok(Receipt {
                    message_id: envelope::message_id_of(&response.body),
                })
            }
            outcome => super::meta::interpret(NAME, outcome, attempt),
        }
    }

    async fn fetch_media(
        &self,
        handle: &MediaHandle,
        expected: Expected<'_>,
    ) -> Result<FetchedMedia, MediaError> {
        let MediaHandle::Id { id, url: _ } = handle else {
            return Err(MediaError::BadHandle {
                why: "Coster knows files by id only".to_owned(),
            });
        };
        is_media_id(id)?;
        let request = self.settings.media(self.transport.client(), id);
        let response = request.send().await.map_err(temporary)?;
        file_of(response, None, expected.sha256, self.settings.media_cap).await
    }

    async fn health(&self) -> Health {
        health::check(self).await
    }
}

#[cfg(test)]
mod tests;

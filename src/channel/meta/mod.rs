//! Meta's WhatsApp Cloud API: the adapter of one phone number. Webhooks pass [`signature`], then [`decode`]; messages
//! leave through [`encode`], and [`errors`] reads the answers. Only [`media`] and [`health`] touch the network.

mod decode;
mod encode;
mod envelope;
mod errors;
mod health;
mod media;
mod signature;

use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use http::header::AUTHORIZATION;
use secrecy::SecretString;

use super::{
    Answer, Caps, Channel, Decoded, Delivery, EncodeError, Expected, FetchedMedia, Forged, Health,
    HttpRequest, HttpResponse, MediaError, NetworkTransport, Receipt, SendError, SendFailure, Step, Upload,
};
use crate::message::MediaHandle;

pub use errors::meaning_of;

/// What connects one phone number to the Cloud API.
#[derive(Debug, Clone)]
pub struct MetaSettings {
    /// The id of the number, not the number itself.
    pub phone_number_id: String,
    pub access_token: SecretString,
    /// All app secrets that webhooks may be signed with; more than one while a secret is being changed.
    pub app_secrets: Vec<SecretString>,
    /// What the handshake must present.
    pub verify_token: SecretString,
    /// Where the API is, without the version.
    pub base_url: String,
    /// Such as `v24.0`.
    pub api_version: String,
    /// Hosts that customers' files may be fetched from; `*.` in front stands for any part. The host of `base_url` is
    /// always among them.
    pub media_hosts: Vec<String>,
    /// Largest file that is fetched, in bytes.
    pub media_cap: u64,
    pub connect_timeout: Duration,
    pub timeout: Duration,
}

impl MetaSettings {
    pub fn new(
        phone_number_id: impl Into<String>,
        access_token: SecretString,
        app_secrets: Vec<SecretString>,
        verify_token: SecretString,
    ) -> Self {
        MetaSettings {
            phone_number_id: phone_number_id.into(),
            access_token,
            app_secrets,
            verify_token,
            base_url: "https://graph.facebook.com".to_owned(),
            api_version: "v24.0".to_owned(),
            media_hosts: ["lookaside.fbsbx.com", "*.fbcdn.net", "*.whatsapp.net"]
                .map(str::to_owned)
                .to_vec(),
            media_cap: 16 * 1024 * 1024,
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(20),
        }
    }
}

#[derive(Debug)]
pub struct Meta {
    settings: MetaSettings,
    transport: NetworkTransport,
}

impl Meta {
    /// # Errors
    /// If the TLS back end cannot be started.
    pub fn new(mut settings: MetaSettings) -> Result<Self, reqwest::Error> {
        settings
            .base_url
            .truncate(settings.base_url.trim_end_matches('/').len());
        let transport = NetworkTransport::new(settings.connect_timeout, settings.timeout)?;
        Ok(Meta { settings, transport })
    }

    /// The address of something in the API, such as `<phone number id>/messages`.
    fn address(&self, path: &str) -> String {
        format!("{}/{}/{path}", self.settings.base_url, self.settings.api_version)
    }

    fn post(&self, edge: &str, content_type: &str, body: Vec<u8>) -> HttpRequest {
        let address = self.address(&format!("{}/{edge}", self.settings.phone_number_id));
        HttpRequest::new(Method::POST, address)
            .secret(AUTHORIZATION, "Bearer ", &self.settings.access_token)
            .body(content_type, body)
    }
}

#[async_trait]
impl Channel for Meta {
    fn provider(&self) -> &'static str {
        "meta"
    }

    fn account(&self) -> &str {
        &self.settings.phone_number_id
    }

    fn handshake(&self, _secret: Option<&str>, query: &str) -> Answer {
        signature::handshake(&self.settings.verify_token, query)
    }

    fn authenticate(&self, delivery: &Delivery<'_>) -> Result<(), Forged> {
        signature::verify(&self.settings.app_secrets, delivery.headers, delivery.raw)
    }

    fn decode(&self, raw: &[u8]) -> Decoded {
        envelope::decode(raw)
    }

    fn capabilities(&self) -> Caps {
        Caps::META
    }

    fn encode(&self, step: &Step) -> Result<HttpRequest, EncodeError> {
        Ok(self.post("messages", "application/json", encode::body_of(step)?))
    }

    fn encode_upload(&self, upload: &Upload) -> Result<HttpRequest, EncodeError> {
        let (content_type, form) = encode::form_of(upload);
        Ok(self.post("media", &content_type, form))
    }

    fn interpret(
        &self,
        outcome: Result<HttpResponse, SendFailure>,
        attempt: u32,
    ) -> Result<Receipt, SendError> {
        errors::interpret(outcome, attempt)
    }

    async fn fetch_media(
        &self,
        handle: &MediaHandle,
        expected: Expected<'_>,
    ) -> Result<FetchedMedia, MediaError> {
        media::fetch(self, handle, expected).await
    }

    async fn health(&self) -> Health {
        health::check(self).await
    }
}

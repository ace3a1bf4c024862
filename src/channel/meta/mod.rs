//! Meta's WhatsApp Cloud API, and others who speak its language: the adapter of one phone number. Webhooks pass the
//! [`Gate`], then [`decode`]; messages leave through [`encode`] by the [`Route`], and [`errors`] reads the answers. Only
//! [`media`], [`health`] and [`templates`] touch the network.

mod compatible;
mod decode;
mod encode;
mod envelope;
mod errors;
mod fields;
mod handshake;
mod health;
mod media;
mod route;
mod templates;

use std::time::Duration;

use async_trait::async_trait;
use http::HeaderName;
use http::header::AUTHORIZATION;
use secrecy::SecretString;

use super::signature::Algorithm;
use super::template::{NotListed, Template};
use super::{
    Answer, Caps, Channel, Decoded, Delivery, EncodeError, Expected, FetchedMedia, Forged, Gate, Health,
    HttpRequest, HttpResponse, MediaError, NetworkTransport, Receipt, SendError, SendFailure, Step, Upload,
};
use crate::message::MediaHandle;

pub use compatible::{CompatibleSettings, Preset};
pub use errors::meaning_of;
pub use media::Files;
pub use route::{BLANKS, Key, Paths, Route};

/// The JSON by which the Cloud API is asked to carry out a step.
///
/// # Errors
/// If there is no such request.
pub fn cloud_json(step: &super::Step) -> Result<Vec<u8>, super::EncodeError> {
    encode::body_of(step)
}

pub(super) use decode::read_body;
pub(super) use encode::body_of;
pub(super) use envelope::decode;
pub(super) use errors::{holds_errors, interpret};

/// The header of Meta's signature, and what stands before it.
pub const SIGNATURE_HEADER: &str = "x-hub-signature-256";
pub const SIGNATURE_PREFIX: &str = "sha256=";

/// Largest file that is fetched, in bytes.
const MEDIA_CAP: u64 = 16 * 1024 * 1024;
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// What connects one phone number to the Cloud API.
#[derive(Debug, Clone)]
pub struct MetaSettings {
    /// The id of the number, not the number itself.
    pub phone_number_id: String,
    /// The id of the account, which the list of templates belongs to.
    pub account_id: Option<String>,
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
            account_id: None,
            access_token,
            app_secrets,
            verify_token,
            base_url: "https://graph.facebook.com".to_owned(),
            api_version: "v24.0".to_owned(),
            media_hosts: ["lookaside.fbsbx.com", "*.fbcdn.net", "*.whatsapp.net"]
                .map(str::to_owned)
                .to_vec(),
            media_cap: MEDIA_CAP,
            connect_timeout: CONNECT_WITHIN,
            timeout: ANSWER_WITHIN,
        }
    }
}

/// A number behind the Cloud API, at Meta or at somebody who speaks as Meta does.
#[derive(Debug)]
pub struct Meta {
    /// In logs and configuration.
    provider: &'static str,
    /// In sentences.
    name: &'static str,
    account: String,
    route: Route,
    /// A send without its body: there is one or two of them for every turn.
    bare_send: HttpRequest,
    gate: Gate,
    verify_token: Option<SecretString>,
    files: Files,
    transport: NetworkTransport,
}

impl Meta {
    /// # Errors
    /// If the TLS back end cannot be started.
    pub fn new(settings: MetaSettings) -> Result<Self, reqwest::Error> {
        let transport = NetworkTransport::new(settings.connect_timeout, settings.timeout)?;
        let account = settings.phone_number_id.clone();
        let route = Route {
            base_url: settings.base_url,
            api_version: settings.api_version,
            phone_number_id: settings.phone_number_id,
            paths: Paths {
                templates: settings.account_id.as_deref().map(Paths::meta_templates),
                ..Paths::meta()
            },
            key: Key {
                header: AUTHORIZATION,
                prefix: "Bearer ".to_owned(),
                secret: settings.access_token,
            },
        };
        Ok(Meta {
            provider: "meta",
            name: "Meta",
            account,
            bare_send: route.bare_send(),
            route,
            gate: Gate::Signed {
                header: HeaderName::from_static(SIGNATURE_HEADER),
                prefix: SIGNATURE_PREFIX.to_owned(),
                algorithm: Algorithm::Sha256,
                secrets: settings.app_secrets,
            },
            verify_token: Some(settings.verify_token),
            files: Files {
                hosts: settings.media_hosts,
                from_api: false,
                cap: settings.media_cap,
            },
            transport,
        })
    }

    /// A number at a provider that speaks as Meta does.
    ///
    /// # Errors
    /// If the TLS back end cannot be started.
    pub fn compatible(settings: CompatibleSettings) -> Result<Self, reqwest::Error> {
        let transport = NetworkTransport::new(settings.connect_timeout, settings.timeout)?;
        Ok(Meta {
            provider: "compatible",
            name: settings.name,
            account: settings.phone_number_id,
            bare_send: settings.route.bare_send(),
            route: settings.route,
            gate: settings.gate,
            verify_token: settings.verify_token,
            files: settings.files,
            transport,
        })
    }

    /// Whether it is not Meta itself.
    fn is_compatible(&self) -> bool {
        self.provider != "meta"
    }
}

#[async_trait]
impl Channel for Meta {
    fn provider(&self) -> &'static str {
        self.provider
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn handshake(&self, _secret: Option<&str>, query: &str) -> Answer {
        match &self.verify_token {
            Some(token) => handshake::answer(token, query),
            None => handshake::refusal(),
        }
    }

    fn authenticate(&self, delivery: &Delivery<'_>) -> Result<(), Forged> {
        self.gate.admits(delivery)
    }

    fn decode(&self, raw: &[u8]) -> Decoded {
        envelope::decode(raw)
    }

    fn capabilities(&self) -> Caps {
        Caps::META
    }

    fn encode(&self, step: &Step) -> Result<HttpRequest, EncodeError> {
        Ok(HttpRequest {
            body: encode::body_of(step)?,
            ..self.bare_send.clone()
        })
    }

    fn encode_upload(&self, upload: &Upload) -> Result<HttpRequest, EncodeError> {
        let (content_type, form) = encode::form_of(upload);
        Ok(self.route.post(self.route.upload(), &content_type, form))
    }

    fn interpret(
        &self,
        outcome: Result<HttpResponse, SendFailure>,
        attempt: u32,
    ) -> Result<Receipt, SendError> {
        errors::interpret(self.name, outcome, attempt)
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

    async fn templates(&self) -> Result<Vec<Template>, NotListed> {
        templates::list(self).await
    }
}

//! Mekari Qontak: the adapter of one number, which Qontak calls a channel integration. It is an inbox with a room for each
//! customer: messages go to rooms, people answer in them, and all of that comes back over one webhook of the whole
//! organisation. Webhooks pass the [`Gate`], then [`decode`]; messages leave through [`encode`] and are given credentials
//! by [`access`]; [`errors`] reads the answers. Only [`access`], [`media`], [`endpoint`], [`templates`] and [`health`] touch the network.
//!
//! Both generations of its API are spoken: the Open API (a token, or one had for a password) and Mekari's (signed).

mod access;
mod decode;
mod encode;
mod endpoint;
mod errors;
mod health;
mod media;
mod sign;
mod templates;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;

use super::template::{NotListed, Template};
use super::{
    Answer, Caps, Channel, Decoded, Delivery, EncodeError, Expected, FetchedMedia, Forged, Gate, Health,
    HttpRequest, HttpResponse, MediaError, NetworkTransport, NotRegistered, Outbound, Plan, Receipt,
    SendError, SendFailure, Step, Transport, Upload, plan,
};
use crate::message::{MediaHandle, OutboundBody};

pub use access::{Access, Credentials, Login};
pub use encode::is_uuid;

/// The Open API's base, and where it gives out tokens.
pub const OPEN_API: &str = "https://service-chat.qontak.com/api/open/v1";
pub const TOKEN_URL: &str = "https://service-chat.qontak.com/oauth/token";
/// The base of Mekari's API, where requests are signed.
pub const MEKARI_API: &str = "https://api.mekari.com/qontak/chat/v1";

/// Longest answer to a check of the address, in bytes.
const LONGEST_ECHO: usize = 1024;

/// What connects one number to Qontak. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct QontakSettings {
    /// The UUID that Qontak calls "Channel Integration ID".
    pub channel_integration_id: String,
    pub credentials: Credentials,
    /// Where the API is, with its version.
    pub base_url: String,
    pub gate: Gate,
    /// The whole address of our webhook with its secret; `None` if nobody said how the world reaches us.
    pub endpoint: Option<SecretString>,
    /// UUIDs of templates, by the names that flows use.
    pub templates: BTreeMap<String, String>,
    /// Ids of users of the inbox, by the names of teams in the flows.
    pub agents: BTreeMap<String, String>,
    /// Where a room goes whose team is not among `agents`.
    pub hand_off: HandOff,
    /// Rooms are resolved when the bot's session ends.
    pub resolve_rooms: bool,
    /// Hosts that customers' files may be fetched from; `*.` in front stands for any part. The host of `base_url` is
    /// always among them.
    pub media_hosts: Vec<String>,
    /// Largest file that is fetched, in bytes.
    pub media_cap: u64,
    pub connect_timeout: Duration,
    pub timeout: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandOff {
    /// To the agent whose turn it is.
    RoundRobin,
    /// To nobody: agents find it among the unassigned ones.
    Leave,
}

impl QontakSettings {
    pub fn new(
        channel_integration_id: impl Into<String>,
        credentials: Credentials,
        base_url: impl Into<String>,
        gate: Gate,
    ) -> Self {
        QontakSettings {
            channel_integration_id: channel_integration_id.into(),
            credentials,
            base_url: base_url.into(),
            gate,
            endpoint: None,
            templates: BTreeMap::new(),
            agents: BTreeMap::new(),
            hand_off: HandOff::RoundRobin,
            resolve_rooms: true,
            // Where its files were seen. No credentials go there.
            media_hosts: ["*.qontak.com", "*.mekari.com", "*.mekari.io", "*.amazonaws.com"]
                .map(str::to_owned)
                .to_vec(),
            media_cap: 16 * 1024 * 1024,
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(20),
        }
    }

    /// The address of something in the API, such as `rooms`.
    fn address(&self, path: &str) -> String {
        format!("{}/{path}", self.base_url.trim_end_matches('/'))
    }
}

#[derive(Debug)]
pub struct Qontak {
    settings: QontakSettings,
    access: Arc<Access>,
    organisation: String,
}

impl Qontak {
    /// # Errors
    /// If the TLS back end cannot be started.
    pub fn new(settings: QontakSettings) -> Result<Self, reqwest::Error> {
        let network = NetworkTransport::new(settings.connect_timeout, settings.timeout)?;
        let access = Access::new(settings.credentials.clone(), network);
        Ok(Qontak {
            organisation: access.organisation(),
            settings,
            access: Arc::new(access),
        })
    }

    /// The way out: the same credentials for what is sent and for what the adapter itself asks.
    pub fn transport(&self) -> Arc<dyn Transport> {
        self.access.clone()
    }
}

#[async_trait]
impl Channel for Qontak {
    fn provider(&self) -> &'static str {
        "qontak"
    }

    fn account(&self) -> &str {
        &self.settings.channel_integration_id
    }

    fn organisation(&self) -> Option<&str> {
        Some(&self.organisation)
    }

    /// Qontak checks the address with a POST.
    fn handshake(&self, _secret: Option<&str>, _query: &str) -> Answer {
        Answer::plain(403, "forbidden")
    }

    fn authenticate(&self, delivery: &Delivery<'_>) -> Result<(), Forged> {
        self.settings.gate.admits(delivery)
    }

    fn acknowledge(&self, raw: &[u8]) -> Answer {
        match decode::verify_info(raw) {
            Some(asked) if asked.to_string().len() <= LONGEST_ECHO => {
                Answer::json(200, &serde_json::json!({ "verify_info": asked }))
            }
            Some(_) | None => Answer::plain(200, "ok"),
        }
    }

    fn decode(&self, raw: &[u8]) -> Decoded {
        decode::decode(raw, &self.settings.channel_integration_id)
    }

    fn capabilities(&self) -> Caps {
        Caps::QONTAK
    }

    fn plan(&self, outbound: &Outbound) -> Plan {
        let silent = match &outbound.body {
            OutboundBody::Resolve => !self.settings.resolve_rooms,
            OutboundBody::HandOff { team } => {
                self.settings.hand_off == HandOff::Leave && !self.settings.agents.contains_key(team)
            }
            OutboundBody::Text { .. }
            | OutboundBody::Media { .. }
            | OutboundBody::Choices(_)
            | OutboundBody::Link { .. }
            | OutboundBody::Form { .. }
            | OutboundBody::Location(_)
            | OutboundBody::Template { .. }
            | OutboundBody::React { .. }
            | OutboundBody::AskLocation { .. } => false,
        };
        if silent {
            return Plan::default();
        }
        plan(outbound, &self.capabilities())
    }

    fn encode(&self, step: &Step) -> Result<HttpRequest, EncodeError> {
        encode::request(&self.settings, step)
    }

    fn encode_with_file(&self, step: &Step, upload: &Upload) -> Result<HttpRequest, EncodeError> {
        encode::with_file(&self.settings, step, upload)
    }

    fn encode_upload(&self, upload: &Upload) -> Result<HttpRequest, EncodeError> {
        Ok(encode::upload(&self.settings, upload))
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

    async fn templates(&self) -> Result<Vec<Template>, NotListed> {
        templates::list(self).await
    }

    async fn register(&self) -> Result<(), NotRegistered> {
        endpoint::set(self).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn settings() -> QontakSettings {
        QontakSettings::new(
            "fa914ed7-672d-4530-97bd-1c554ab2e1ee",
            Credentials::Token(SecretString::from("double-qontak-token")),
            "http://127.0.0.1:4000/api/open/v1",
            Gate::Path {
                secrets: vec![SecretString::from("path-secret-of-a-test")],
            },
        )
    }

    fn qontak() -> Qontak {
        Qontak::new(settings()).unwrap()
    }

    #[test]
    fn the_check_of_the_address_is_echoed_and_holds_no_event() {
        let raw = br#"{"verify_info": "abc-123"}"#;
        let answer = qontak().acknowledge(raw);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, r#"{"verify_info":"abc-123"}"#)
        );
        assert_eq!(qontak().decode(raw), Decoded::default());
        let plain = qontak().acknowledge(b"{}");
        assert_eq!((plain.status, plain.body.as_str()), (200, "ok"));
    }

    #[test]
    fn only_the_address_with_the_secret_is_taken() {
        let headers = http::HeaderMap::new();
        let with = |secret| Delivery {
            secret,
            headers: &headers,
            raw: b"{}",
        };
        assert!(
            qontak()
                .authenticate(&with(Some("path-secret-of-a-test")))
                .is_ok()
        );
        for wrong in [None, Some(""), Some("path-secret-of-a-tes")] {
            assert!(qontak().authenticate(&with(wrong)).is_err());
        }
    }

    #[test]
    fn what_the_operator_does_not_want_done_to_rooms_is_not_planned() {
        let mut quiet = settings();
        quiet.hand_off = HandOff::Leave;
        quiet.resolve_rooms = false;
        quiet.agents.insert("support".into(), "agent-1".into());
        let quiet = Qontak::new(quiet).unwrap();
        let steps = |channel: &Qontak, body| {
            let to = crate::message::Address::Room {
                id: "r".into(),
                phone: None,
            };
            let outbound = Outbound {
                to,
                reply_to: None,
                ours: None,
                body,
            };
            channel.plan(&outbound).steps.len()
        };
        let to = |team: &str| OutboundBody::HandOff { team: team.into() };
        assert_eq!(steps(&quiet, OutboundBody::Resolve), 0);
        assert_eq!(steps(&quiet, to("sales")), 0);
        assert_eq!(steps(&quiet, to("support")), 1);
        assert_eq!(steps(&qontak(), OutboundBody::Resolve), 1);
        assert_eq!(steps(&qontak(), to("sales")), 1);
    }
}

//! A number that is linked like WhatsApp Web, with no provider: another process holds the link, a WAHA server or our own
//! companion, and is spoken with over HTTP (docs/linked.md has the contract). Webhooks pass the [`Gate`], then [`decode`];
//! messages leave through [`encode`] and, at the pace of a person, through [`pacing`]; [`errors`] reads the answers, and
//! [`link`] how the link is. Only [`media`], [`pacing`], [`health`] and [`session`] touch the network.
//!
//! Buttons and lists are not promised by any such server, so a menu is a numbered text here.

mod chat;
mod decode;
mod encode;
mod errors;
mod health;
mod link;
mod media;
mod pacing;
mod session;

use std::time::Duration;

use async_trait::async_trait;
use http::HeaderName;
use secrecy::SecretString;

use super::template::{NotListed, Template};
use super::{
    Algorithm, Answer, Caps, Channel, Decoded, Delivery, EncodeError, Expected, FetchedMedia, Forged, Gate,
    Health, HttpRequest, HttpResponse, MediaError, NetworkTransport, NotRegistered, Outbound, Plan, Receipt,
    SendError, SendFailure, Step, Upload, plan,
};
use crate::message::{Address, Limits, MediaHandle, OutboundBody};

pub use link::{Link, LinkState};
pub use pacing::{Paced, Typing};
pub use session::{NotDone, Session};

/// In logs, in configuration and in sentences.
const PROVIDER: &str = "linked";
const NAME: &str = "a linked device";

/// The proof of a webhook.
const SIGNATURE: HeaderName = HeaderName::from_static("x-webhook-hmac");

/// What connects one number to the server that holds its link. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct LinkedSettings {
    /// The digits of the number that is meant to be linked. Nothing leaves from another.
    pub number: String,
    /// Where the server is.
    pub base_url: String,
    /// What the server calls the link.
    pub session: String,
    pub api_key: SecretString,
    /// The server signs webhooks with one of these.
    pub webhook_secrets: Vec<SecretString>,
    /// The whole address of our webhook; `None` if nobody said how the server reaches us.
    pub endpoint: Option<String>,
    /// So many messages leave in a minute at most; 0: as many as there are.
    pub per_minute: u32,
    pub typing: Typing,
    /// Hosts besides the server's own that customers' files may be fetched from; `*.` in front stands for any part.
    pub media_hosts: Vec<String>,
    /// The person whose number it is, and who may act for them; nobody named: anybody may change the connection.
    pub owner: String,
    pub deputies: Vec<String>,
    /// Largest file that is fetched, in bytes.
    pub media_cap: u64,
    pub connect_timeout: Duration,
    pub timeout: Duration,
}

impl LinkedSettings {
    pub fn new(
        number: impl Into<String>,
        base_url: impl Into<String>,
        session: impl Into<String>,
        api_key: SecretString,
        webhook_secrets: Vec<SecretString>,
    ) -> Self {
        LinkedSettings {
            number: number.into(),
            base_url: base_url.into(),
            session: session.into(),
            api_key,
            webhook_secrets,
            endpoint: None,
            per_minute: 20,
            typing: Typing::default(),
            media_hosts: Vec::new(),
            owner: String::new(),
            deputies: Vec::new(),
            media_cap: 16 * 1024 * 1024,
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(12),
        }
    }

    /// Whether this person may change the connection.
    pub fn may_change(&self, who: &str) -> bool {
        let named = std::iter::once(&self.owner).chain(&self.deputies);
        let mut named = named.filter(|name| !name.is_empty()).peekable();
        named.peek().is_none() || named.any(|name| name.eq_ignore_ascii_case(who))
    }

    /// The address of something at the server, such as `api/sendText`.
    fn address(&self, path: &str) -> String {
        format!("{}/{path}", self.base_url.trim_end_matches('/'))
    }

    fn gate(&self) -> Gate {
        Gate::Signed {
            header: SIGNATURE,
            prefix: String::new(),
            algorithm: Algorithm::Sha512,
            secrets: self.webhook_secrets.clone(),
        }
    }
}

/// A linked number.
#[derive(Debug)]
pub struct LinkedDevice {
    settings: LinkedSettings,
    gate: Gate,
    transport: NetworkTransport,
}

impl LinkedDevice {
    /// # Errors
    /// If the TLS back end cannot be started.
    pub fn new(settings: LinkedSettings) -> Result<Self, reqwest::Error> {
        let transport = NetworkTransport::new(settings.connect_timeout, settings.timeout)?;
        Ok(LinkedDevice {
            gate: settings.gate(),
            settings,
            transport,
        })
    }

    /// What can be asked of the link itself.
    pub fn session(&self) -> Session<'_> {
        Session::new(&self.settings, &self.transport)
    }

    /// The way out, at the pace of a person.
    ///
    /// # Errors
    /// If the TLS back end cannot be started.
    pub fn paced(&self) -> Result<Paced, reqwest::Error> {
        let network = NetworkTransport::new(self.settings.connect_timeout, self.settings.timeout)?;
        Ok(Paced::new(&self.settings, network))
    }

    /// The digits of the number that is meant to be linked.
    pub fn number(&self) -> &str {
        &self.settings.number
    }
}

impl Caps {
    /// A linked device. Chats are addressed as rooms: an answer goes to the very id under which the customer wrote,
    /// number or hidden id, and is never sent to another form of it.
    pub const LINKED: Caps = Caps {
        limits: Limits {
            provider: NAME,
            ..Limits::META
        },
        option_id: 200,
        buttons: false,
        lists: false,
        templates: false,
        links: false,
        ask_location: false,
        forms: false,
        locations: true,
        media: true,
        media_links: true,
        uploads: true,
        files_along: true,
        quotes: true,
        reactions: false,
        seen: true,
        typing: true,
        bsuid: true,
        rooms: true,
        deliveries: true,
    };
}

#[async_trait]
impl Channel for LinkedDevice {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn account(&self) -> &str {
        &self.settings.number
    }

    /// The server is told where webhooks go; nobody checks the address.
    fn handshake(&self, _secret: Option<&str>, _query: &str) -> Answer {
        Answer::plain(403, "forbidden")
    }

    fn authenticate(&self, delivery: &Delivery<'_>) -> Result<(), Forged> {
        self.gate.admits(delivery)
    }

    fn decode(&self, raw: &[u8]) -> Decoded {
        let own = decode::Own {
            session: &self.settings.session,
            number: &self.settings.number,
        };
        decode::decode(raw, own)
    }

    fn capabilities(&self) -> Caps {
        Caps::LINKED
    }

    fn plan(&self, outbound: &Outbound) -> Plan {
        // There is no inbox with people in it, so nothing there is handed over or closed.
        if matches!(
            outbound.body,
            OutboundBody::HandOff { .. } | OutboundBody::Resolve
        ) {
            return Plan::default();
        }
        let in_room = matches!(outbound.to, Address::Room { .. });
        let caps = Caps {
            rooms: in_room,
            ..self.capabilities()
        };
        plan(outbound, &caps)
    }

    fn encode(&self, step: &Step) -> Result<HttpRequest, EncodeError> {
        encode::request(&self.settings, step, None)
    }

    /// A file goes out in the message itself.
    fn encode_upload(&self, _upload: &Upload) -> Result<HttpRequest, EncodeError> {
        Err(encode::unsupported("a file without its message"))
    }

    fn encode_with_file(&self, step: &Step, upload: &Upload) -> Result<HttpRequest, EncodeError> {
        encode::request(&self.settings, step, Some(upload))
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

    /// None: WhatsApp approves templates for its own interface only. What asks for one is refused before it is queued.
    async fn templates(&self) -> Result<Vec<Template>, NotListed> {
        Ok(Vec::new())
    }

    /// Gives the session its webhooks, and makes it if there is none.
    async fn register(&self) -> Result<(), NotRegistered> {
        let Some(endpoint) = &self.settings.endpoint else {
            return Err(NotRegistered::NoAddress);
        };
        self.session().configure(endpoint).await.map_err(|why| match why {
            NotDone::KeyRefused(_) => NotRegistered::Unauthorised(why.to_string()),
            NotDone::Unreachable(_) => NotRegistered::Unreachable(why.to_string()),
            NotDone::NoSession | NotDone::NotNow(_) | NotDone::Refused(_) => {
                NotRegistered::Refused(why.to_string())
            }
        })
    }
}

#[cfg(test)]
mod tests;

//! What a linked session is to the rest of the companion. One engine fulfils it today ([`whatsapp`]); nothing outside
//! this folder knows whose code that is, so another can take its place.

mod inbound;
mod transport;
mod whatsapp;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use thiserror::Error;
use tokio::sync::mpsc::UnboundedSender;

pub use whatsapp::WhatsApp;

/// What an engine tells of a session.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A code to scan. Its text links a device: it is shown, never kept and never logged.
    Code {
        text: String,
        lasts: Duration,
    },
    CodesUsedUp,
    Paired {
        number: String,
        lid: Option<String>,
        name: Option<String>,
    },
    PairRefused {
        why: String,
    },
    Connected,
    Cut {
        why: String,
    },
    /// So many attempts in a row have failed.
    Unreachable {
        attempt: u32,
        why: String,
    },
    Replaced,
    LoggedOut {
        why: String,
    },
    Banned {
        seconds: Option<i64>,
        why: String,
    },
    Outdated,
    Refused {
        why: String,
    },
    /// The engine itself cannot go on.
    Broken {
        why: String,
    },
    /// The server took or refused a message of ours.
    Acked {
        id: String,
        refusal: Option<u16>,
    },
    Receipt {
        ids: Vec<String>,
        kind: Receipt,
    },
    Undecryptable {
        id: String,
        chat: Chat,
    },
    Call {
        id: String,
        from: Chat,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    Delivered,
    Read,
    Played,
}

/// An address of a chat as the contract writes it: digits and `@c.us`, or a hidden id and `@lid`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Chat(String);

/// A message that came in, decrypted.
#[derive(Clone, Debug)]
pub struct Received {
    pub id: String,
    pub chat: Chat,
    pub sender: Chat,
    /// The same customer's other address, if the message named it.
    pub other_address: Option<Chat>,
    pub from_me: bool,
    /// Seconds since 1970.
    pub timestamp: i64,
    pub push_name: String,
    pub content: Content,
    pub quoted: Option<String>,
}

#[derive(Clone, Debug)]
pub enum Content {
    Text(String),
    File(File),
    Location {
        latitude: f64,
        longitude: f64,
        description: String,
    },
    Cards(Vec<String>),
    Reaction {
        text: String,
        to: String,
    },
    Edited {
        id: String,
        body: String,
    },
    Revoked {
        id: String,
    },
    /// Something that has no words: kept as a name, so that people can see that it was there.
    Other(String),
}

#[derive(Clone, Debug)]
pub struct File {
    pub mimetype: String,
    pub filename: Option<String>,
    pub caption: String,
    /// A note of voice.
    pub voice: bool,
    /// What the engine needs to fetch it.
    pub reference: Vec<u8>,
}

/// A message to send.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub chat: Chat,
    /// The id of the message that is quoted, and whether it was ours.
    pub quotes: Option<(String, bool)>,
    pub content: OutgoingContent,
}

#[derive(Clone, Debug)]
pub enum OutgoingContent {
    Text(String),
    File {
        kind: FileKind,
        mimetype: String,
        filename: Option<String>,
        caption: String,
        data: Vec<u8>,
    },
    Location {
        latitude: f64,
        longitude: f64,
        title: Option<String>,
    },
    Reaction {
        text: String,
        to: String,
        to_mine: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    Image,
    Video,
    Document,
    /// Ogg with Opus, played as a note of voice.
    Voice,
    /// Any other sound.
    Sound,
}

#[derive(Debug, Error)]
pub enum SendFailure {
    #[error("{0}")]
    Invalid(String),
    /// Certainly not sent.
    #[error("it was not sent: {0}")]
    NotSent(String),
    /// It may have left.
    #[error("nobody knows whether it was sent: {0}")]
    Uncertain(String),
}

/// Takes decrypted messages before the server is told that they have arrived. Only what it has made durable is
/// acknowledged.
#[async_trait]
pub trait Inbox: Send + Sync {
    async fn keep(&self, messages: Vec<Received>) -> anyhow::Result<()>;
}

/// What an engine needs to begin.
pub struct Opening {
    /// The file of the keys; made when it is not there.
    pub keys: PathBuf,
    pub happenings: UnboundedSender<Happening>,
    pub inbox: Arc<dyn Inbox>,
    /// Ask for the current version of the client even if one is known.
    pub refresh_version: bool,
}

#[async_trait]
pub trait Engine: Send + Sync {
    /// Connects and goes on connecting until the session ends or is stopped.
    async fn open(&self, opening: Opening) -> anyhow::Result<Arc<dyn LinkedSession>>;
}

/// One session that is at work.
#[async_trait]
pub trait LinkedSession: Send + Sync {
    /// An id for a message that will be sent.
    fn new_id(&self) -> String;

    /// When the server was last heard on this line.
    fn heard(&self) -> Option<Timestamp>;

    async fn send(&self, id: &str, message: Outgoing) -> Result<(), SendFailure>;

    async fn seen(&self, chat: &Chat, ids: &[String]) -> anyhow::Result<()>;

    async fn typing(&self, chat: &Chat, on: bool) -> anyhow::Result<()>;

    /// The bytes of a file that came in.
    async fn fetch(&self, file: &[u8]) -> anyhow::Result<Vec<u8>>;

    /// Disconnects. The login stays.
    async fn stop(&self);

    /// Asks WhatsApp to remove this device from the phone. The error says why it could not be told.
    async fn unlink(&self) -> anyhow::Result<()>;
}

impl Chat {
    /// Reads an address of the contract. Groups, channels and lists are none.
    pub fn parse(text: &str) -> Option<Self> {
        let (user, server) = text.split_once('@')?;
        let server = match server {
            "c.us" | "s.whatsapp.net" => "c.us",
            "lid" => "lid",
            _ => return None,
        };
        let good = (5..=20).contains(&user.len()) && user.bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| Self(format!("{user}@{server}")))
    }

    /// A number without its server.
    pub fn of_number(digits: &str) -> Self {
        Self(format!("{digits}@c.us"))
    }

    pub fn of_lid(user: &str) -> Self {
        Self(format!("{user}@lid"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn user(&self) -> &str {
        self.0.split_once('@').map_or(&self.0, |(user, _)| user)
    }

    pub fn is_lid(&self) -> bool {
        self.0.ends_with("@lid")
    }
}

impl std::fmt::Display for Chat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Chat;

    #[test]
    fn an_address_is_a_number_or_a_hidden_id() {
        assert_eq!(
            Chat::parse("6281100000022@c.us").unwrap().as_str(),
            "6281100000022@c.us"
        );
        assert_eq!(
            Chat::parse("6281100000022@s.whatsapp.net").unwrap().as_str(),
            "6281100000022@c.us"
        );
        assert!(Chat::parse("100000000000022@lid").unwrap().is_lid());
        for bad in [
            "",
            "@c.us",
            "123",
            "120363@g.us",
            "abc12345@c.us",
            "status@broadcast",
            "+6281100000022@c.us",
        ] {
            assert_eq!(Chat::parse(bad), None, "{bad}");
        }
    }
}

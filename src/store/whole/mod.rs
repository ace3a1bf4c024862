//! Everything the store has of a contact as one value: what is exported, imported and merged, the same for every store.

mod merge;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::erasure::Tombstone;
use super::{Alias, ContactId, Owner, ParkedId, Quarantined, Sender, Seq};

pub(crate) use merge::merged;

/// Bytes in JSON: a string where they are text, `{"base64": …}` where they are not. Both come back exactly.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Bytes(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written<'a> {
    Text(std::borrow::Cow<'a, str>),
    Other { base64: String },
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use base64::Engine;
        match std::str::from_utf8(&self.0) {
            Ok(text) => Written::Text(text.into()),
            Err(_) => Written::Other {
                base64: base64::engine::general_purpose::STANDARD.encode(&self.0),
            },
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use base64::Engine;
        match Written::deserialize(deserializer)? {
            Written::Text(text) => Ok(Bytes(text.into_owned().into_bytes())),
            Written::Other { base64 } => base64::engine::general_purpose::STANDARD
                .decode(base64)
                .map(Bytes)
                .map_err(serde::de::Error::custom),
        }
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Bytes {
        Bytes(bytes.to_vec())
    }
}

/// One record of a store. Their order in an export is the order of the variants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    Setting { key: String, value: Bytes },
    Tombstone(Tombstone),
    Quarantined(Quarantined),
    Contact(Box<WholeContact>),
}

/// Where an export, or a walk over all contacts, goes on. Only the store that gave it can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub records: Vec<Record>,
    /// `None`: that was all.
    pub next: Option<Cursor>,
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    pub written: usize,
    /// They were there already, just so.
    pub same: usize,
    /// Settings that the store has with another value, which it keeps.
    pub kept: usize,
}

/// A contact with all that belongs to it. Who holds a lease is not in it: a turn or a send in work counts as one whose
/// holder died, and is due when its lease ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WholeContact {
    pub contact: ContactId,
    pub channel: String,
    /// In the order in which they were learned.
    pub aliases: Vec<Alias>,
    /// Contacts that were merged into this one.
    pub merged: Vec<ContactId>,
    pub owner: Owner,
    pub takeovers: u64,
    pub said_at: Option<Timestamp>,
    pub active_at: Timestamp,
    pub session: Option<Bytes>,
    pub memory: Option<Bytes>,

    /// Oldest first, without gaps, up to `last_seq`.
    pub mailbox: Vec<WholeEvent>,
    pub last_seq: Seq,
    /// Oldest first.
    pub seen: Vec<SeenId>,
    pub burst_at: Timestamp,
    pub run_at: Option<Timestamp>,
    pub rest_until: Option<Timestamp>,
    pub fence: u64,
    pub crashes: u32,
    pub failures: u32,
    pub ended: Option<EndedLease>,

    /// The next to be sent first.
    pub outbox: Vec<WholeEntry>,
    pub send_fence: u64,
    pub sent_fence: u64,
    pub pace: Option<WholePace>,

    /// Oldest first.
    pub thread: Vec<WholeLine>,
    /// The number of the newest line.
    pub lines: u64,

    /// By id.
    pub timers: Vec<WholeTimer>,
    /// In the order they were asked for.
    pub jobs: Vec<WholeJob>,
    /// Oldest first.
    pub parked: Vec<WholeParked>,
    /// It was erased not long ago and is a fresh one since.
    pub erased: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WholeEvent {
    pub seq: Seq,
    pub at: Timestamp,
    pub payload: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenId {
    pub id: String,
    pub at: Timestamp,
}

/// The lease that ended last, for a caller who lost the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndedLease {
    pub fence: u64,
    pub nonce: u64,
    pub how: EndedAs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedAs {
    Commit,
    Retry(Timestamp),
    Parked(Seq),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WholeEntry {
    pub id: String,
    pub sender: Sender,
    pub payload: Bytes,
    pub not_before: Option<Timestamp>,
    pub ready_at: Timestamp,
    /// People took the chat since: it is dropped instead of sent.
    pub void: bool,
    pub attempts: u32,
    pub uncertain: bool,
    pub doubts: u32,
}

/// Where the contact's pace stands: see [`super::Pace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WholePace {
    pub empty_at: Timestamp,
    pub until: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WholeLine {
    pub seq: u64,
    pub at: Timestamp,
    pub payload: Bytes,
    /// The id of a message of ours, and how far it got.
    pub ours: Option<String>,
    pub state: Option<String>,
    pub message_id: Option<String>,
    pub rank: Option<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WholeTimer {
    pub id: String,
    pub at: Timestamp,
    pub payload: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WholeJob {
    pub id: String,
    pub at: Timestamp,
    pub payload: Bytes,
    pub attempt: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WholeParked {
    pub id: ParkedId,
    pub seq: Seq,
    pub at: Timestamp,
    pub why: String,
    pub payload: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_come_back_from_json_as_they_were() {
        for bytes in [
            &b"plain"[..],
            b"",
            b"nul \0 and \x7f",
            b"\xff\xfe",
            "\u{1F6B2}\u{2028}".as_bytes(),
        ] {
            let json = serde_json::to_string(&Bytes::from(bytes)).unwrap();
            let back: Bytes = serde_json::from_str(&json).unwrap();
            assert_eq!(back.0, bytes, "{json}");
        }
        assert_eq!(
            serde_json::to_string(&Bytes(b"text".to_vec())).unwrap(),
            "\"text\""
        );
    }
}

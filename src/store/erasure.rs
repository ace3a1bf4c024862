//! What stays of an erased contact: enough to know a message again that was answered before, and nothing to find the
//! person by.
//!
//! Providers deliver for days what was not acknowledged. So that such a message does not bring an erased person back,
//! keyed hashes of what was seen are kept as long as ids are ([`super::Caps::dedup_for`]). Without the store's key they
//! can't be tried out against telephone numbers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::whole::Bytes;
use super::{ContactId, Seq};

/// The setting that holds the store's key: 32 random bytes, made by the first erasure.
pub(crate) const KEY_SETTING: &str = "erasure.key";

/// Bytes of one hash in [`Tombstone::seen`].
const SEEN: usize = 8;

/// Keyed hashes of an erased contact, and the counts that must not begin again: ids of messages are made of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tombstone {
    /// Of the contact's id.
    pub contact: Bytes,
    pub at: Timestamp,
    pub last_seq: Seq,
    pub fence: u64,
    pub send_fence: u64,
    /// Of the events that were seen, 8 bytes each, oldest first.
    pub seen: Bytes,
}

impl Tombstone {
    pub(crate) fn knows(&self, hash: [u8; SEEN]) -> bool {
        self.seen.0.chunks_exact(SEEN).any(|one| one == hash)
    }

    /// Also of what an earlier erasure left; the oldest beyond `kept` are forgotten.
    pub(crate) fn and_earlier(mut self, earlier: Option<Tombstone>, kept: usize) -> Tombstone {
        if let Some(earlier) = earlier {
            self.last_seq = self.last_seq.max(earlier.last_seq);
            self.fence = self.fence.max(earlier.fence);
            self.send_fence = self.send_fence.max(earlier.send_fence);
            let mut seen = earlier.seen.0;
            seen.append(&mut self.seen.0);
            let over = (seen.len() / SEEN).saturating_sub(kept) * SEEN;
            seen.drain(..over);
            self.seen = Bytes(seen);
        }
        self
    }
}

#[derive(Clone, Copy)]
pub(crate) struct ErasureKey(pub(crate) [u8; 32]);

impl ErasureKey {
    pub(crate) fn fresh() -> Result<ErasureKey, super::StoreError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|why| {
            super::StoreError::Unavailable(format!("the system gives no random numbers: {why}"))
        })?;
        Ok(ErasureKey(key))
    }

    pub(crate) fn read(setting: &[u8]) -> Option<ErasureKey> {
        setting.try_into().ok().map(ErasureKey)
    }

    pub(crate) fn contact(&self, id: ContactId) -> [u8; 16] {
        let mut hash = [0; 16];
        hash.copy_from_slice(&blake3::keyed_hash(&self.0, &id.0).as_bytes()[..16]);
        hash
    }

    pub(crate) fn event(&self, dedupe: &str) -> [u8; SEEN] {
        let mut hash = [0; SEEN];
        hash.copy_from_slice(&blake3::keyed_hash(&self.0, dedupe.as_bytes()).as_bytes()[..SEEN]);
        hash
    }
}

/// Whether bytes that could not be read name one of these identities. What is too short to be one person's is passed
/// over.
pub(crate) fn names(raw: &[u8], identities: &[super::Alias]) -> bool {
    identities.iter().any(|alias| {
        let value = alias
            .0
            .split_once(':')
            .map_or(alias.0.as_str(), |(_, value)| value);
        value.len() >= 6 && raw.windows(value.len()).any(|window| window == value.as_bytes())
    })
}

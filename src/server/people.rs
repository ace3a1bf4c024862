//! The contact behind a provider's identities. Asked for every event, so what the store has said once is remembered.

use std::collections::HashMap;
use std::sync::Mutex;

use super::masked::Masked;
use super::parts::{Number, Shared, lock};
use crate::store::{Alias, ContactId, Resolved, StoreError};

/// Above this many the memory is emptied; the store knows them all.
const REMEMBERED: usize = 50_000;

/// Who was met since the start.
#[derive(Debug, Default)]
pub(super) struct People {
    /// By channel and all identities that came together.
    known: Mutex<HashMap<(String, Vec<Alias>), ContactId>>,
}

impl People {
    /// The contact known by `first`, to whom `also` belongs too. Made if missing.
    pub async fn find(
        &self,
        shared: &Shared,
        number: &Number,
        first: &Alias,
        also: &[Alias],
    ) -> Result<ContactId, StoreError> {
        let channel = &number.config.id;
        let mut all = vec![first.clone()];
        all.extend_from_slice(also);
        let key = (channel.clone(), all);
        if let Some(contact) = lock(&self.known).get(&key) {
            return Ok(*contact);
        }
        let resolved = shared.store.resolve_alias(channel, first, also).await?;
        let contact = resolved.contact();
        if let Resolved::Clash { first, second } = resolved {
            tracing::warn!(
                channel, contact = %Masked(first), other = %Masked(second),
                "two contacts turn out to be one person; they stay apart until somebody merges them"
            );
            return Ok(contact);
        }
        let mut known = lock(&self.known);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key, contact);
        Ok(contact)
    }
}

//! The contact behind a provider's identities. Asked for every event, so what the store has said once is remembered.

use std::collections::HashMap;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::identity;
use super::mailbox::Item;
use super::masked::Masked;
use super::parts::{Number, Shared, lock};
use crate::message::Role;
use crate::store::{Alias, Claim, ContactId, Resolved, StoreError};

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
                "two contacts turn out to be one person; they stay apart until somebody merges them: GET /api/clashes"
            );
            remember_clash(shared, channel, first, second).await;
        }
        let mut known = lock(&self.known);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key, contact);
        Ok(contact)
    }

    /// After a contact was erased or merged: it may be another now.
    pub fn forget(&self) {
        lock(&self.known).clear();
    }

    /// The identities that a claim's own events name, where the store has none. Another process may have erased the
    /// contact while this one remembered it; its first message since then made it anew, without them.
    pub async fn relearned(&self, shared: &Shared, claim: &Claim) -> Result<Vec<Alias>, StoreError> {
        self.forget();
        for event in &claim.events {
            let Ok(Item::Inbound(inbound)) = serde_json::from_slice(&event.payload) else {
                continue;
            };
            let aliases = identity::aliases(&inbound.who);
            if inbound.who.role == Role::User
                && let Some((first, also)) = aliases.split_first()
            {
                let resolved = shared.store.resolve_alias(&claim.channel, first, also).await?;
                if resolved.contact() == claim.contact {
                    return Ok(aliases);
                }
            }
        }
        Ok(Vec::new())
    }
}

/// What people find under `/api/clashes` and among what was put aside, until it is old.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Clash {
    pub clash: [ContactId; 2],
}

impl Clash {
    /// As it lies in the quarantine: the same two are the same entry.
    pub fn to_bytes(first: ContactId, second: ContactId) -> Vec<u8> {
        let mut clash = [first, second];
        clash.sort();
        serde_json::to_vec(&Clash { clash }).unwrap_or_default()
    }
}

async fn remember_clash(shared: &Shared, channel: &str, first: ContactId, second: ContactId) {
    let why = format!(
        "two contacts turn out to be one person; make them one with POST /api/conversations/{second}/merge \
         {{\"into\": \"{first}\"}}"
    );
    let raw = Clash::to_bytes(first, second);
    if let Err(why) = shared.store.quarantine(channel, &raw, &why).await {
        tracing::error!(%why, "a clash of identities could not be kept for people; it is found again");
    }
}

//! The contact behind a provider's identities. Asked for every event, so what the store has said once is remembered.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::identity;
use super::mailbox::Item;
use super::webhook;
use crate::message::Role;
use crate::server::api::masked::Masked;
use crate::server::parts::{Number, Shared, lock};
use crate::server::patience::repeated;
use crate::server::turns::session::Session;
use crate::store::{Alias, Claim, ContactId, Ingest, Ingested, Merged, Resolved, Store, StoreError};

/// Above this many the memory is emptied; the store knows them all.
const REMEMBERED: usize = 50_000;

/// Who was met since the start.
#[derive(Debug, Default)]
pub(in crate::server) struct People {
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

    /// Who a claim without identities is, by its own events. Another process may have erased the contact while this one
    /// remembered it; its first message since then made it anew, without them.
    pub async fn relearned(&self, shared: &Shared, claim: &Claim) -> Result<Relearned, StoreError> {
        self.forget();
        for event in &claim.events {
            let Ok(Item::Inbound(inbound)) = Item::read(&event.payload) else {
                continue;
            };
            let aliases = identity::of_event(&inbound);
            if inbound.who.role == Role::User
                && let Some((first, also)) = aliases.split_first()
            {
                let resolved = shared.store.resolve_alias(&claim.channel, first, also).await?;
                let is = resolved.contact();
                return Ok(match is == claim.contact {
                    true => Relearned::Aliases(aliases),
                    false => Relearned::Another(is),
                });
            }
        }
        Ok(Relearned::Nobody)
    }

    /// What was written to a contact that is no more goes to the one that its customer is now. Whoever dies in between
    /// is followed by one who does it again: what is there already is a repetition.
    pub async fn hand_on(&self, shared: &Shared, claim: &Claim, to: ContactId) -> Result<(), StoreError> {
        let mut letters = Vec::new();
        for event in &claim.events {
            let Ok(Item::Inbound(inbound)) = Item::read(&event.payload) else {
                continue;
            };
            letters.push(Ingest {
                channel: claim.channel.clone(),
                contact: to,
                dedupe: inbound.key.0.clone(),
                said_at: webhook::said_at(&inbound, event.at),
                quiet: Duration::ZERO,
                quiet_max: Duration::ZERO,
                history: webhook::line_of(&inbound).map(|line| line.to_bytes()),
                payload: event.payload.clone(),
            });
        }
        tracing::info!(
            channel = claim.channel, contact = %Masked(claim.contact), to = %Masked(to), events = letters.len(),
            "a customer was erased meanwhile; what was written since goes to who they are now"
        );
        let outcomes = repeated(|| shared.store.ingest(&letters)).await?;
        if outcomes.contains(&Ingested::MailboxFull) {
            return Err(StoreError::Full("the mailbox of a contact".to_owned()));
        }
        // Nobody can be answered there, and nobody would ever look there to erase it.
        repeated(|| shared.store.erase(claim.contact)).await?;
        shared.ring(to);
        Ok(())
    }
}

/// Makes two contacts one. Whoever of them wants no messages on the business's own account, the one that stays does not:
/// a store keeps one of the two memories, and can't read either.
///
/// # Errors
/// If the store does not answer.
pub async fn merged_with_wishes(
    store: &dyn Store,
    from: ContactId,
    into: ContactId,
) -> Result<Merged, StoreError> {
    let (mut wish, mut channel) = (false, None);
    for contact in [from, into] {
        if let Some(claim) = store.peek(contact).await? {
            // One that can't be read has said nothing.
            wish |= Session::of(&claim).is_ok_and(|(_, memory)| memory.opted_out);
            channel = Some(claim.channel);
        }
    }
    let merged = store.merge(from, into).await?;
    if let (true, Merged::Done, Some(channel)) = (wish, merged, channel) {
        let letter = Ingest::internal(channel, into, format!("wish:{from}"), Item::OptedOut.to_bytes());
        store.ingest(&[letter]).await?;
    }
    Ok(merged)
}

/// See [`People::relearned`].
pub(in crate::server) enum Relearned {
    Aliases(Vec<Alias>),
    /// The customer who wrote is this contact now.
    Another(ContactId),
    /// No event of it names anybody.
    Nobody,
}

/// What people find under `/api/clashes` and among what was put aside, until it is old.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::server) struct Clash {
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

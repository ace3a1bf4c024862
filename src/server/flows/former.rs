//! Programs that are not live any more, for people who are still in the middle of them: fetched from the store by their
//! hash when a position names one, and kept ready. A worker that never saw their files can run them all the same.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::tally::{self, Tally};
use super::versions;
use crate::engine::{Machine, Position};
use crate::server::flows;
use crate::store::{Store, StoreError};

/// Name of the setting that lists former programs, the oldest first.
pub(in crate::server) const FORMER: &str = "flows/former";
/// A program stays so long after it was live, and after the last position has left it,
const LONGER: SignedDuration = SignedDuration::from_hours(7 * 24);
/// but no longer than this after it was live: whoever is in the middle of it then starts again.
const MOST: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Between two steps of a walk.
const BREATH: Duration = Duration::from_millis(20);
/// How often somebody who lost a race for the list looks again.
const TRIES: usize = 8;

/// So many are kept ready in memory. More versions than this are rarely in use at once; the rest is fetched anew.
const READY: usize = 16;

#[derive(Debug, Default)]
pub(in crate::server) struct Ready {
    /// `None`: the store has no such program.
    ready: RwLock<HashMap<String, Option<Arc<Machine>>>>,
}

impl Ready {
    /// Those that the position names, besides the live one. What is not kept any more is left out.
    pub async fn of(
        &self,
        store: &dyn Store,
        live: &Machine,
        position: &Position,
    ) -> Result<Vec<Arc<Machine>>, StoreError> {
        let mut machines = Vec::new();
        for hash in position.programs() {
            if *hash != live.program().hash {
                machines.extend(self.get(store, hash).await?);
            }
        }
        Ok(machines)
    }

    async fn get(&self, store: &dyn Store, hash: &str) -> Result<Option<Arc<Machine>>, StoreError> {
        let ready = self
            .ready
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(hash)
            .cloned();
        if let Some(ready) = ready {
            return Ok(ready);
        }
        let program = match flows::program(store, hash).await? {
            Some(program) => Some(program),
            None => versions::program(store, hash).await?,
        };
        if program.is_none() {
            tracing::warn!(
                program = hash,
                "somebody is in the middle of flows that are not kept any more; they start again"
            );
        }
        let machine = program.map(|program| Arc::new(Machine::load(program)));
        self.put(hash, machine.clone());
        Ok(machine)
    }

    fn put(&self, hash: &str, machine: Option<Arc<Machine>>) {
        let mut ready = self.ready.write().unwrap_or_else(PoisonError::into_inner);
        if ready.len() >= READY {
            ready.clear();
        }
        ready.insert(hash.to_owned(), machine);
    }

    /// A program that was live until now need not be fetched.
    pub fn was_live(&self, machine: Arc<Machine>) {
        let hash = machine.program().hash.clone();
        self.put(&hash, Some(machine));
    }
}

/// A program that was live before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Before {
    hash: String,
    /// When another took its place.
    until: Timestamp,
    /// When a walk over all chats last found somebody in the middle of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mentioned: Option<Timestamp>,
}

impl Before {
    fn is_old(&self, now: Timestamp) -> bool {
        let last = self
            .mentioned
            .map_or(self.until, |mentioned| mentioned.max(self.until));
        last.duration_until(now) > LONGER || self.until.duration_until(now) > MOST
    }
}

/// Another program took the place of this one.
pub(in crate::server) async fn note(store: &dyn Store, hash: &str, live: &str) -> Result<(), StoreError> {
    change(store, |former, now| {
        former.retain(|one| one.hash != live);
        if hash != live {
            add(former, hash, now);
        }
    })
    .await
}

/// The list with a program more, whose version is not listed any more.
pub(in crate::server) fn with(seen: Option<&[u8]>, hash: &str, now: Timestamp) -> Vec<u8> {
    let mut former = read(seen);
    add(&mut former, hash, now);
    serde_json::to_vec(&former).unwrap_or_default()
}

fn add(former: &mut Vec<Before>, hash: &str, now: Timestamp) {
    former.retain(|one| one.hash != hash);
    former.push(Before {
        hash: hash.to_owned(),
        until: now,
        mentioned: None,
    });
}

async fn change(store: &dyn Store, change: impl Fn(&mut Vec<Before>, Timestamp)) -> Result<(), StoreError> {
    for _ in 0..TRIES {
        let seen = store.setting(FORMER).await?;
        let mut former = read(seen.as_deref());
        change(&mut former, store.now());
        // Names of fields and strings only: nothing in it can fail to be written.
        let value = serde_json::to_vec(&former).unwrap_or_default();
        if store.swap_setting(FORMER, seen.as_deref(), Some(&value)).await? {
            return Ok(());
        }
    }
    Err(StoreError::Unavailable(
        "the list of former flows changes again and again".to_owned(),
    ))
}

fn read(listed: Option<&[u8]>) -> Vec<Before> {
    listed
        .and_then(|listed| serde_json::from_slice(listed).ok())
        .unwrap_or_default()
}

/// Programs that stay whoever is in them: the live one, and those of versions.
async fn needed(store: &dyn Store) -> Result<BTreeSet<String>, StoreError> {
    let mut needed = versions::hashes(store).await?;
    needed.extend(flows::live_hash(store).await?);
    Ok(needed)
}

/// Forgets programs that nobody is in the middle of any more. All chats are walked over only if something is old enough
/// to go and nothing else keeps it. Gives how many were forgotten.
pub(in crate::server) async fn clear_away(
    store: &dyn Store,
    stop: &CancellationToken,
) -> Result<usize, StoreError> {
    let began = store.now();
    let before = read(store.setting(FORMER).await?.as_deref());
    if !before.iter().any(|one| one.is_old(began)) {
        return Ok(0);
    }
    let stays = needed(store).await?;
    let may_go = |one: &Before| one.is_old(began) && !stays.contains(&one.hash);
    if !before.iter().any(may_go) {
        return Ok(0);
    }
    let Some(tally) = walk(store, stop).await? else {
        return Ok(0);
    };
    if tally.unread > 0 {
        // Somebody whose position could not be read may be in any of them.
        tracing::warn!(
            unread = tally.unread,
            "former flows are kept: not every chat could be read"
        );
        return Ok(0);
    }
    // Somebody may have published one meanwhile.
    let stays = needed(store).await?;
    let named = |one: &Before| tally.programs.contains_key(&one.hash);
    let goes = |one: &Before| {
        let over = one.until.duration_until(began) > MOST;
        one.is_old(began) && (over || !named(one)) && !stays.contains(&one.hash)
    };
    let gone: BTreeSet<String> = before
        .iter()
        .filter(|one| goes(one))
        .map(|one| one.hash.clone())
        .collect();
    change(store, |former, _| {
        former.retain(|one| !gone.contains(&one.hash));
        for one in former.iter_mut().filter(|one| named(one)) {
            one.mentioned = Some(began);
        }
    })
    .await?;
    for hash in &gone {
        store.remove_setting(&flows::name_of(hash)).await?;
        store.remove_setting(&versions::place_of(hash)).await?;
    }
    Ok(gone.len())
}

/// `None`: it was ended on the way.
async fn walk(store: &dyn Store, stop: &CancellationToken) -> Result<Option<Tally>, StoreError> {
    let mut tally = Tally::default();
    let mut after = None;
    loop {
        let (more, next) = tally::step(store, after, tally::STEP, &tally::Kinds::new()).await?;
        tally.add(more);
        after = next;
        if after.is_none() {
            return Ok(Some(tally));
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(None),
            () = tokio::time::sleep(BREATH) => {}
        }
    }
}

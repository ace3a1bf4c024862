//! The heartbeat: looks for due work, hands it out, and sleeps until there is more. The store's lists are hints; the
//! claims decide, so a second look never does harm.

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::parts::{Shared, lock};
use super::{jobs, sender, worker};
use crate::store::{ContactId, Due, StoreError};

/// So much due work is looked at in one go.
const BATCH: usize = 256;
/// Nothing is overlooked for longer than this, whatever happened to the bell.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);
/// A moment for what is due and in work already.
const SHORTEST_SLEEP: Duration = Duration::from_millis(20);
/// How long to rest while the store is away.
const STORE_AWAY: Duration = Duration::from_millis(500);

/// Runs until the server stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let turning = Arc::new(Mutex::new(HashSet::new()));
    let sending = Arc::new(Mutex::new(HashSet::new()));
    while !shared.stopping.is_cancelled() {
        let rest = match look(&shared, &turning, &sending).await {
            Ok(rest) => rest,
            Err(why) => {
                tracing::error!(%why, "the store can't be asked for work; trying again");
                STORE_AWAY
            }
        };
        tokio::select! {
            () = shared.stopping.cancelled() => {}
            () = shared.bell.notified() => {}
            _anywhere = shared.store.wait_for_work() => {}
            () = tokio::time::sleep(rest) => {}
        }
    }
}

type Busy = Arc<Mutex<HashSet<ContactId>>>;

/// Hands out what is due; says how long nothing will be.
async fn look(shared: &Arc<Shared>, turning: &Busy, sending: &Busy) -> Result<Duration, StoreError> {
    let store = &shared.store;
    // Firing is a write; looking is not.
    let soonest = store.next_due(Due::Timer).await?;
    if soonest.is_some_and(|at| at <= store.now()) {
        while store.fire_due_timers(BATCH).await? == BATCH {}
    }
    for contact in store.due(Due::Run, BATCH).await? {
        hand_out(shared, contact, turning, &shared.turns, worker::take_turn);
    }
    for contact in store.due(Due::Send, BATCH).await? {
        hand_out(shared, contact, sending, &shared.sends, sender::send_all);
    }
    while !shared.stopping.is_cancelled() && jobs::take(shared).await? {}
    let mut rest = LONGEST_SLEEP;
    for kind in [Due::Run, Due::Send, Due::Timer, Due::Job] {
        if let Some(at) = store.next_due(kind).await? {
            rest = rest.min(until(store.now(), at));
        }
    }
    // What is due and in work must not make this spin; its end rings the bell.
    Ok(rest.max(SHORTEST_SLEEP))
}

fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(now.duration_until(at)).unwrap_or(Duration::ZERO)
}

/// Starts work for a contact unless it is in work already.
fn hand_out<W, F>(shared: &Arc<Shared>, contact: ContactId, busy: &Busy, free: &Arc<Semaphore>, work: W)
where
    W: FnOnce(Arc<Shared>, ContactId) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    if !lock(busy).insert(contact) {
        return;
    }
    let done = Done(busy.clone(), contact);
    let (shared, free) = (shared.clone(), free.clone());
    shared.tasks.clone().spawn(async move {
        let _done = done;
        if let Ok(_permit) = free.acquire().await
            && !shared.stopping.is_cancelled()
        {
            work(shared, contact).await;
        }
    });
}

/// Makes a contact free again, however its work ended.
struct Done(Busy, ContactId);

impl Drop for Done {
    fn drop(&mut self) {
        lock(&self.0).remove(&self.1);
    }
}

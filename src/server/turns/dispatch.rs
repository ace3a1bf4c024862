//! The heartbeat: waits for work, hands it out, and waits again. What the store says of due work is a hint; the claims
//! decide, so a second look never does harm, and any process may take any contact.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::desk::{Seat, Task};
use super::worker;
use crate::failpoint;
use crate::server::api::masked::Masked;
use crate::server::jobs;
use crate::server::outbound::sender;
use crate::server::parts::{Shared, lock};
use crate::store::{ContactId, Due, StoreError, Wake};

/// So much due work is looked at in one go.
const BATCH: usize = 256;
/// Nothing is overlooked for longer than this, whatever the store says.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A contact whose records can't be read is looked at this seldom: nothing will have changed.
const UNREADABLE_FOR: Duration = Duration::from_secs(60);
/// So many of those are remembered.
const UNREADABLE_AT_MOST: usize = 10_000;

/// Runs until the server stops.
pub(in crate::server) async fn run(shared: Arc<Shared>) {
    let mut wake = Wake::Look;
    while !shared.stopping.is_cancelled() {
        let done = match wake {
            Wake::Look => look(&shared).await,
            Wake::Due(hints) => take(&shared, hints).await,
        };
        if let Err(why) = done {
            tracing::debug!(%why, "the store can't be asked for work");
        }
        wake = tokio::select! {
            () = shared.stopping.cancelled() => return,
            () = shared.bell.notified() => Wake::Look,
            wake = shared.store.wait_for_work() => wake,
            () = tokio::time::sleep(LONGEST_WAIT) => Wake::Look,
        };
        if let Some(rest) = shared.pulse.rest() {
            tokio::select! {
                () = shared.stopping.cancelled() => return,
                () = tokio::time::sleep(rest) => {}
            }
            wake = Wake::Look;
        }
    }
}

/// Hands out everything that is due.
async fn look(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let store = &shared.store;
    // Firing is a write; looking is not.
    let soonest = store.next_due(Due::Timer).await?;
    if soonest.is_some_and(|at| at <= store.now()) {
        while fire(shared).await? == BATCH {}
    }
    for (kind, task) in [(Due::Run, Task::Turn), (Due::Send, Task::Send)] {
        for contact in store.due(kind, BATCH).await? {
            call(shared, task, contact);
        }
        fill(shared, task);
    }
    take_jobs(shared).await
}

/// Hands out what the store named.
async fn take(shared: &Arc<Shared>, hints: Vec<(Due, ContactId)>) -> Result<(), StoreError> {
    let (mut timers, mut jobs) = (false, false);
    for (kind, contact) in hints {
        match kind {
            Due::Run => call(shared, Task::Turn, contact),
            Due::Send => call(shared, Task::Send, contact),
            Due::Timer => timers = true,
            Due::Job => jobs = true,
        }
    }
    fill(shared, Task::Turn);
    fill(shared, Task::Send);
    if timers {
        // A store that gives hints gives another if there is more: the turns of these begin meanwhile.
        fire(shared).await?;
    }
    if jobs {
        take_jobs(shared).await?;
    }
    Ok(())
}

async fn fire(shared: &Shared) -> Result<usize, StoreError> {
    failpoint!("before_timers");
    let fired = shared.store.fire_due_timers(BATCH).await?;
    failpoint!("after_timers");
    Ok(fired)
}

async fn take_jobs(shared: &Arc<Shared>) -> Result<(), StoreError> {
    while !shared.stopping.is_cancelled() && jobs::take(shared).await? {}
    Ok(())
}

fn call(shared: &Shared, task: Task, contact: ContactId) {
    let aside = lock(&shared.unreadable)
        .get(&contact)
        .is_some_and(|until| *until > Instant::now());
    if !aside {
        shared.desk(task).call(contact);
    }
}

/// Starts a task for each free seat that somebody waits for. It goes on with the next in line until nobody is left.
fn fill(shared: &Arc<Shared>, task: Task) {
    while let Some(contact) = shared.desk(task).next() {
        let shared = shared.clone();
        shared.tasks.clone().spawn(async move {
            serve(&shared, task, contact).await;
            go_on(&shared, task).await;
        });
    }
}

/// Serves the line. Boxed: a turn starts a sender, which serves a line in its turn.
pub(in crate::server) fn go_on(shared: &Arc<Shared>, task: Task) -> BoxFuture<'_, ()> {
    Box::pin(async move {
        while !shared.stopping.is_cancelled()
            && let Some(contact) = shared.desk(task).next()
        {
            serve(shared, task, contact).await;
        }
    })
}

async fn serve(shared: &Arc<Shared>, task: Task, contact: ContactId) {
    let seat = Seat::of(shared, task, contact);
    // Who stops takes nothing new; others find it.
    if shared.stopping.is_cancelled() {
        return;
    }
    match task {
        Task::Turn => worker::take_turn(shared, &seat).await,
        Task::Send => sender::send_all(shared, &seat).await,
    }
}

/// A claim failed. If the contact's records can't be read, it is put aside here for a while, so that the others go on;
/// another process, of another version, may be able to.
pub(in crate::server) fn not_claimed(shared: &Shared, contact: ContactId, why: &StoreError) {
    match why {
        StoreError::Corrupt { .. } | StoreError::Version { .. } => {
            tracing::error!(contact = %Masked(contact), %why, "a contact's records can't be used; it rests, the others go on");
            put_aside(shared, contact);
        }
        // Said once, by the pulse.
        StoreError::Unavailable(_) | StoreError::ReadOnly(_) | StoreError::Unknown(_) => {
            tracing::debug!(contact = %Masked(contact), %why, "nothing could be claimed");
        }
        StoreError::Full(_)
        | StoreError::TooBig { .. }
        | StoreError::TooMany { .. }
        | StoreError::Clash(_)
        | StoreError::Locked(_)
        | StoreError::Unfit(_) => {
            tracing::error!(contact = %Masked(contact), %why, "nothing could be claimed");
            put_aside(shared, contact);
        }
    }
}

fn put_aside(shared: &Shared, contact: ContactId) {
    let mut aside = lock(&shared.unreadable);
    if aside.len() >= UNREADABLE_AT_MOST {
        aside.clear();
    }
    aside.insert(contact, Instant::now() + UNREADABLE_FOR);
}

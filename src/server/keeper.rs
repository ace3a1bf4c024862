//! Forgets in time: once an hour it walks over all contacts and lets go of what is older than it may be.

use std::sync::Arc;
use std::time::Duration;

use crate::server::flows::former;
use crate::server::parts::Shared;
use crate::store::{StoreError, Trimmed};

const EVERY: Duration = Duration::from_secs(3600);
/// Contacts in one step of the store, so that nobody waits behind it.
const STEP: usize = 100;
/// Between two steps.
const BREATH: Duration = Duration::from_millis(20);

/// Runs until the server stops. Several servers on one store do the same walk; what one forgot the others don't find.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        match walk(&shared).await {
            Ok(forgot) if forgot == Trimmed::default() => {}
            Ok(Trimmed {
                lines,
                memories,
                parked,
                quarantined,
                tombstones,
                next: _,
            }) => tracing::info!(
                lines,
                memories,
                parked,
                quarantined,
                tombstones,
                "forgot what was older than it may be"
            ),
            Err(why) => tracing::warn!(%why, "what is old could not be forgotten; tried again in an hour"),
        }
        let cleared = former::clear_away(shared.store.as_ref(), &shared.stopping).await;
        match cleared {
            Ok(0) => {}
            Ok(programs) => tracing::info!(programs, "forgot flows that nobody is in the middle of any more"),
            Err(why) => {
                tracing::warn!(%why, "former flows could not be cleared away; tried again in an hour")
            }
        }
        if rest(&shared, EVERY).await {
            return;
        }
    }
}

/// One walk over everything; the sum of what it forgot.
async fn walk(shared: &Shared) -> Result<Trimmed, StoreError> {
    let mut sum = Trimmed::default();
    let mut after = None;
    loop {
        let step = shared
            .store
            .trim(after.as_ref(), &shared.config.retention, STEP)
            .await?;
        sum.lines += step.lines;
        sum.memories += step.memories;
        sum.parked += step.parked;
        sum.quarantined += step.quarantined;
        sum.tombstones += step.tombstones;
        after = step.next;
        if after.is_none() || rest(shared, BREATH).await {
            return Ok(sum);
        }
    }
}

/// `true`: the server stops.
async fn rest(shared: &Shared, time: Duration) -> bool {
    tokio::select! {
        () = shared.stopping.cancelled() => true,
        () = tokio::time::sleep(time) => false,
    }
}

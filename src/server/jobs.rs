//! Slow work outside the lease. A job is claimed, done, and its result comes back into the mailbox: however often a
//! process dies in between, exactly one result arrives.

use std::sync::Arc;
use std::time::Duration;

use super::mailbox::{Hearing, Item};
use super::masked::{Masked, unreadable};
use super::parts::Shared;
use super::patience::repeated;
use super::work::Work;
use crate::failpoint;
use crate::store::{JobClaim, StoreError};

/// Longer than any call with its tries. A job that takes longer is claimed again and then done twice, with one result.
const LEASE: Duration = Duration::from_secs(90);
/// A job whose holders died this often is not tried again: it may be what kills them.
const MOST_TRIES: u32 = 3;

/// Takes one due job. `false`: there is none, or as many are in work as may be.
pub(super) async fn take(shared: &Arc<Shared>) -> Result<bool, StoreError> {
    // Before the claim, so that no lease runs while the job waits for its turn.
    let Ok(permit) = shared.jobs.clone().try_acquire_owned() else {
        return Ok(false);
    };
    let Some(claim) = shared.store.job_claim(LEASE).await? else {
        return Ok(false);
    };
    let shared = shared.clone();
    shared.tasks.clone().spawn(async move {
        work(&shared, &claim).await;
        drop(permit);
        shared.ring(claim.contact);
    });
    Ok(true)
}

async fn work(shared: &Shared, claim: &JobClaim) {
    let contact = Masked(claim.contact);
    let item = match serde_json::from_slice::<Work>(&claim.payload) {
        Ok(work) => result(shared, claim, work).await,
        Err(why) => {
            let why = unreadable(&why);
            tracing::error!(%contact, why, "a job can't be read");
            Item::Noted
        }
    };
    failpoint!("before_job_done");
    let result = item.to_bytes();
    match repeated(|| shared.store.job_done(claim, result.clone())).await {
        Ok(true) => {}
        Ok(false) => tracing::warn!(%contact, "a job took so long that somebody else did it too"),
        Err(StoreError::TooBig { .. }) => {
            tracing::error!(%contact, "the result of a job is too large to keep");
            let small = shrunk(item);
            if let Err(why) = shared.store.job_done(claim, small.to_bytes()).await {
                tracing::error!(%contact, %why, "the result of a job could not be written");
            }
        }
        Err(why) => {
            tracing::error!(%contact, %why, "the result of a job could not be written; it is done again")
        }
    }
}

/// What the flow hears instead of a result that no mailbox takes.
fn shrunk(item: Item) -> Item {
    match item {
        Item::Answered { key, .. } => Item::Answered {
            key,
            answer: crate::engine::Answer::Down {
                why: "its answer is too large to keep".to_owned(),
            },
        },
        Item::Heard { note, .. } => Item::Heard {
            note,
            hearing: Hearing::Nothing {
                why: "there are too many words".to_owned(),
            },
        },
        other => other,
    }
}

/// Stable for this conversation, state and visit, and plain enough for any service: the machine's key may hold the
/// author's words.
fn idempotency_key(claim: &JobClaim) -> String {
    let hash = blake3::hash(claim.id.0.as_bytes()).to_hex();
    format!("{}-{}", claim.contact, &hash[..16])
}

async fn result(shared: &Shared, claim: &JobClaim, work: Work) -> Item {
    let (channel, contact) = (claim.channel.as_str(), Masked(claim.contact));
    let worn_out = claim.attempt > MOST_TRIES;
    match work {
        Work::Call(call) => {
            let key = call.key.clone();
            let answer = if worn_out {
                let why = "Switchboard stopped several times while calling".to_owned();
                crate::engine::Answer::Down { why }
            } else {
                shared.caller.call(&call, &idempotency_key(claim)).await
            };
            let outcome = match &answer {
                crate::engine::Answer::Status { status, .. } => status.to_string(),
                crate::engine::Answer::TimedOut { why } | crate::engine::Answer::Down { why } => why.clone(),
            };
            tracing::info!(channel, %contact, service = call.service, action = call.action, outcome, place = %call.said_at, "called");
            Item::Answered { key, answer }
        }
        Work::Listen { note, media } => {
            let hearing = match (&shared.ear, shared.numbers.get(channel)) {
                _ if worn_out => Hearing::Nothing {
                    why: "Switchboard stopped several times while listening".to_owned(),
                },
                (Some(ear), Some(number)) => {
                    ear.listen(number.channel.as_ref(), &media, shared.flows.language())
                        .await
                }
                (None, _) => Hearing::Nothing {
                    why: "no speech model is configured".to_owned(),
                },
                (_, None) => Hearing::Nothing {
                    why: format!("the channel {channel} is not configured any more"),
                },
            };
            let outcome = match &hearing {
                Hearing::Words { .. } => "words",
                Hearing::Silence => "silence",
                Hearing::Nothing { why } => why,
            };
            tracing::info!(channel, %contact, outcome, "listened to a voice note");
            Item::Heard { note, hearing }
        }
    }
}

//! Slow work outside the lease. A job is claimed, done, and its result comes back into the mailbox: however often a
//! process dies in between, exactly one result arrives.

pub(super) mod ai;
pub(super) mod calls;
mod drafts;
pub(super) mod guard;
pub(super) mod listen;
mod request;
pub(super) mod work;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use self::ai::Costed;
use self::work::{DRAFT, REPLY, TOPIC, Work};
use crate::engine::Says;
use crate::failpoint;
use crate::server::api::masked::{Masked, unreadable};
use crate::server::failpoint::hasty;
use crate::server::inbound::mailbox::{Drafted, Hearing, Item};
use crate::server::parts::{Shared, lock};
use crate::server::patience::repeated;
use crate::server::watch::metrics::{Called, Lease, Noted};
use crate::server::watch::traces::Span;
use crate::store::{JobClaim, JobId, StoreError};

/// While this process works on a job it keeps its claim alive, however long it takes; if it died or was cut off for so
/// long, another does the job anew. There is one result.
const LEASE: Duration = Duration::from_secs(90);
/// So often within a lease the claim is prolonged: two words to the store may get lost.
const RENEWALS: u32 = 3;
/// A job whose holders died this often is not tried again: it may be what kills them.
const MOST_TRIES: u32 = 3;

/// Takes one due job. `false`: there is none, or as many are in work as may be.
pub(super) async fn take(shared: &Arc<Shared>) -> Result<bool, StoreError> {
    // Before the claim, so that no lease runs while the job waits for its turn.
    let Ok(permit) = shared.jobs.clone().try_acquire_owned() else {
        shared.jobs_wait.store(true, Ordering::SeqCst);
        return Ok(false);
    };
    failpoint!("before_job_claim");
    let Some(claim) = shared.store.job_claim(hasty(LEASE)).await? else {
        return Ok(false);
    };
    if let Some(earlier) = lock(&shared.working).get_mut(&claim.id) {
        // Ours, still in work, and its claim ran out, as when the clock was moved or the store was away: this one goes on
        // under the new claim.
        *earlier = claim;
        return Ok(true);
    }
    lock(&shared.working).insert(claim.id.clone(), claim.clone());
    let shared = shared.clone();
    let working = Working(shared.clone(), claim.id.clone());
    shared.tasks.clone().spawn(async move {
        let _working = working;
        work(&shared, &claim).await;
        drop(permit);
        if shared.jobs_wait.swap(false, Ordering::SeqCst) {
            shared.bell.notify_one();
        }
        shared.ring(claim.contact);
    });
    Ok(true)
}

/// Takes a job out of those in work, however its work ended.
struct Working(Arc<Shared>, JobId);

impl Drop for Working {
    fn drop(&mut self) {
        lock(&self.0.working).remove(&self.1);
    }
}

/// The claim under which a job is in work now.
fn latest(shared: &Shared, first: &JobClaim) -> JobClaim {
    lock(&shared.working).get(&first.id).unwrap_or(first).clone()
}

/// Keeps the claim alive. Ends if it was lost to another.
async fn keep(shared: &Shared, first: &JobClaim) {
    let lease = hasty(LEASE);
    loop {
        tokio::time::sleep(lease / RENEWALS).await;
        let claim = latest(shared, first);
        match shared.store.job_renew(&claim, lease).await {
            Ok(false) if latest(shared, first).nonce == claim.nonce => return,
            Ok(_) => {}
            Err(why) => {
                tracing::debug!(contact = %Masked(first.contact), %why, "the claim of a job was not prolonged");
            }
        }
    }
}

/// Gives back what is still in work as this process stops, so that others need not wait for the end of the leases.
pub(super) async fn give_back(shared: &Shared) {
    let left: Vec<JobClaim> = lock(&shared.working).values().cloned().collect();
    let giving = left.iter().map(|claim| async {
        if let Err(why) = shared.store.job_renew(claim, Duration::ZERO).await {
            tracing::debug!(contact = %Masked(claim.contact), %why, "a job was not given back; its lease runs out");
        }
    });
    join_all(giving).await;
}

/// Ends a job under its latest claim.
async fn end(shared: &Shared, first: &JobClaim, result: &[u8]) -> Result<bool, StoreError> {
    let mut claim = latest(shared, first);
    loop {
        let done = repeated(|| shared.store.job_done(&claim, result.to_vec())).await?;
        let newer = latest(shared, first);
        if done || newer.nonce == claim.nonce {
            return Ok(done);
        }
        claim = newer;
    }
}

async fn work(shared: &Shared, claim: &JobClaim) {
    let contact = Masked(claim.contact);
    failpoint!("after_job_claim");
    let item = match serde_json::from_slice::<Work>(&claim.payload) {
        Ok(work) => {
            let span = Span::job(&claim.channel, work.kind());
            let item = tokio::select! {
                item = result(shared, claim, work) => item,
                // What would come of it is refused: no need to go on.
                () = keep(shared, claim) => {
                    span.end("lost", true);
                    return lost(shared, claim);
                }
            };
            span.end("done", false);
            item
        }
        Err(why) => {
            let why = unreadable(&why);
            tracing::error!(%contact, why, "a job can't be read");
            unreadable_result(claim)
        }
    };
    failpoint!("before_job_done");
    let ended = end(shared, claim, &item.to_bytes()).await;
    failpoint!("after_job_done");
    match ended {
        Ok(true) => {}
        Ok(false) => lost(shared, claim),
        Err(StoreError::TooBig { .. }) => {
            tracing::error!(%contact, "the result of a job is too large to keep");
            let small = shrunk(item);
            if let Err(why) = end(shared, claim, &small.to_bytes()).await {
                tracing::error!(%contact, %why, "the result of a job could not be written");
            }
        }
        Err(why) => {
            tracing::error!(%contact, %why, "the result of a job could not be written; it is done again")
        }
    }
}

fn lost(shared: &Shared, claim: &JobClaim) {
    shared.metrics.lease_losses.of(Lease::Job).increment(1);
    tracing::warn!(contact = %Masked(claim.contact), "another worker took a job while this one could not keep its claim");
}

/// The conversation waits for a result, whatever the job was. Its name says what kind.
fn unreadable_result(claim: &JobClaim) -> Item {
    let why = "Switchboard could not read its own note of it".to_owned();
    let name = claim.id.0.as_str();
    let own = format!("{}/", claim.contact);
    match name.strip_prefix(&own) {
        Some(rest) if rest.starts_with(TOPIC) => Item::Topic {
            note: name.to_owned(),
            topic: None,
            tokens: 0,
        },
        Some(rest) if rest.starts_with(DRAFT) => Item::Drafted {
            id: rest[DRAFT.len()..].to_owned(),
            drafted: Drafted::Failed { why },
            tokens: 0,
        },
        Some(rest) if rest.starts_with(REPLY) => Item::Replied {
            key: rest[REPLY.len()..].to_owned(),
            reply: Says::Problem { why }.into(),
            tokens: 0,
        },
        Some(rest) if rest.starts_with("voice/") => Item::Heard {
            note: name.to_owned(),
            hearing: Hearing::Nothing { why },
        },
        key => Item::Answered {
            key: key.unwrap_or(name).to_owned(),
            answer: crate::engine::Answer::Down { why },
        },
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
        Item::Replied { key, tokens, .. } => Item::Replied {
            key,
            tokens,
            reply: Says::Problem {
                why: "its reply is too large to keep".to_owned(),
            }
            .into(),
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
            let (key, began) = (call.key.clone(), Instant::now());
            let answer = if worn_out {
                let why = "Switchboard stopped several times while calling".to_owned();
                crate::engine::Answer::Down { why }
            } else {
                shared.caller.call(&call, &idempotency_key(claim)).await
            };
            shared
                .metrics
                .call(&call.service, called(&answer), began.elapsed());
            let outcome = match &answer {
                crate::engine::Answer::Status { status, .. } => status.to_string(),
                crate::engine::Answer::TimedOut { why } | crate::engine::Answer::Down { why } => why.clone(),
            };
            tracing::info!(channel, %contact, service = call.service, action = call.action, outcome, place = %call.said_at, "called");
            Item::Answered { key, answer }
        }
        Work::Reply(asked) => {
            let problem = |why: &str| Costed::free(Says::Problem { why: why.to_owned() }.into());
            let began = Instant::now();
            let Costed { came: reply, tokens } = match (&shared.mind, shared.numbers.get(channel)) {
                _ if worn_out => problem("Switchboard stopped several times while the model was asked"),
                (Some(mind), Some(number)) => mind.reply(&shared.flows, number.config.runs(), &asked).await,
                (None, _) => problem("no model is configured: add an [ai] table to switchboard.toml"),
                (_, None) => problem("the channel is not configured any more"),
            };
            let outcome = outcome_of(&reply.says);
            let milliseconds = began.elapsed().as_millis();
            tracing::info!(channel, %contact, outcome, milliseconds, tokens, place = %asked.said_at, "asked a model");
            Item::Replied {
                key: asked.key,
                reply,
                tokens,
            }
        }
        Work::Spent { key } => {
            let why = "this customer's tokens for today are used up".to_owned();
            tracing::info!(channel, %contact, "no model was asked: the customer may cost no more today");
            Item::Replied {
                key,
                reply: Says::Problem { why }.into(),
                tokens: 0,
            }
        }
        Work::Topic { note, text, topics } => {
            let runs = shared.numbers.get(channel).map(|number| number.config.runs());
            let Costed { came: found, tokens } = match (&shared.mind, runs) {
                (Some(mind), Some(runs)) if !worn_out => {
                    let machine = shared.flows.machine(runs);
                    let declared = &machine.program().business.topics;
                    let described: Vec<(String, String)> = declared
                        .iter()
                        .filter(|(name, _)| topics.contains(name))
                        .cloned()
                        .collect();
                    mind.topic(&text, &described).await
                }
                // The message is answered as one about nothing of that.
                _ => Costed::free(Ok(None)),
            };
            match &found {
                Ok(topic) => {
                    let topic = topic.as_deref().unwrap_or("none");
                    tracing::info!(channel, %contact, topic, "looked for a topic");
                }
                Err(why) => tracing::warn!(channel, %contact, %why, "no topic could be looked for"),
            }
            Item::Topic {
                note,
                topic: found.unwrap_or_default(),
                tokens,
            }
        }
        Work::Draft { id, drafting } => {
            let began = Instant::now();
            let place = drafting.asked.said_at.clone();
            let Costed {
                came: drafted,
                tokens,
            } = if worn_out {
                let why = "Switchboard stopped several times meanwhile".to_owned();
                Costed::free(Drafted::Failed { why })
            } else {
                drafts::draft(shared, claim, &id, *drafting).await
            };
            let outcome = match &drafted {
                Drafted::Text { .. } => "a draft",
                Drafted::Nothing => "none",
                Drafted::Failed { why } => why.as_str(),
            };
            let milliseconds = began.elapsed().as_millis();
            tracing::info!(channel, %contact, outcome, milliseconds, tokens, %place, "drafted an answer for people");
            Item::Drafted { id, drafted, tokens }
        }
        Work::Listen { note, media } => {
            let hearing = match (&shared.ear, shared.numbers.get(channel)) {
                _ if worn_out => Hearing::Nothing {
                    why: "Switchboard stopped several times while listening".to_owned(),
                },
                (Some(ear), Some(number)) => {
                    let language = shared.flows.language(number.config.runs());
                    ear.listen(number.channel.as_ref(), &media, language).await
                }
                (None, _) => Hearing::Nothing {
                    why: "no speech model is configured".to_owned(),
                },
                (_, None) => Hearing::Nothing {
                    why: format!("the channel {channel} is not configured any more"),
                },
            };
            let (noted, outcome) = match &hearing {
                Hearing::Words { .. } => (Noted::Words, "words"),
                Hearing::Silence => (Noted::Silence, "silence"),
                Hearing::Nothing { why } => (Noted::Nothing, why.as_str()),
            };
            shared.metrics.voice.notes.of(noted).increment(1);
            tracing::info!(channel, %contact, outcome, "listened to a voice note");
            Item::Heard { note, hearing }
        }
    }
}

/// For the log, without what was said.
fn outcome_of(says: &Says) -> &str {
    match says {
        Says::Text(_) => "answer",
        Says::NotSure => "not sure",
        Says::OffTopic => "off topic",
        Says::Finished(_) => "finished",
        Says::Topic(_) => "topic",
        Says::Use { .. } => "use",
        Says::Problem { why } => why,
    }
}

fn called(answer: &crate::engine::Answer) -> Called {
    match answer {
        crate::engine::Answer::Status { status, .. } => match status {
            ..300 => Called::Success,
            300..400 => Called::Redirected,
            400..500 => Called::Refused,
            500.. => Called::Failed,
        },
        crate::engine::Answer::TimedOut { .. } => Called::TimedOut,
        crate::engine::Answer::Down { .. } => Called::Down,
    }
}

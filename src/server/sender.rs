//! Sends what turns have queued: one message of one conversation at a time, in order, one attempt a claim. The provider
//! knows no idempotency key, so what may have been sent is never repeated blindly.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::failpoint::hasty;
use super::masked::{Masked, unreadable};
use super::metrics::{Lease, Sent, observe};
use super::notes;
use super::parts::{Gate, Number, Shared, lock};
use super::patience::repeated;
use super::thread::{Line, NoteKind, Ours};
use super::uploads;
use crate::channel::{SendClass, SendError, Step};
use crate::failpoint;
use crate::store::{ContactId, SendClaim, SendOutcome, Sender};

/// Longer than an attempt may take, 3 s to connect and 20 s in all.
const LEASE: Duration = Duration::from_secs(30);
/// Free-form messages may leave until 24 hours after the customer's last message; a minute is kept for the way.
const WINDOW: SignedDuration = SignedDuration::from_secs(24 * 3600 - 60);
/// How long a status bearing our id may take to settle what may have been sent.
const SETTLE: Duration = Duration::from_secs(45);
/// The same for a message whose sender died: its lease has run out by then, and that took time already.
const SETTLE_AFTER_DEATH: Duration = Duration::from_secs(15);
/// A message of which nobody knows whether it was sent goes out this often at most.
const UNCERTAIN_TRIES: u32 = 2;
/// So many doubtful messages are remembered at most.
const REMEMBERED: usize = 10_000;
/// A number that was stopped is tried again after this time: somebody may have mended it.
const STOPPED_FOR: Duration = Duration::from_secs(60);
/// A template waits this long for its turn at most; other messages have their window.
const OLDEST: SignedDuration = SignedDuration::from_hours(24);
/// How long to wait for the message before to be delivered, where order matters.
const DELIVERY_WITHIN: Duration = Duration::from_secs(3);

/// Sends what is due of this contact's outbox, one after the other.
pub(super) async fn send_all(shared: Arc<Shared>, contact: ContactId) {
    while !shared.stopping.is_cancelled() && send_next(&shared, contact).await {}
}

/// Sends the head of the outbox. `false`: nothing is due.
async fn send_next(shared: &Arc<Shared>, contact: ContactId) -> bool {
    failpoint!("before_send_claim");
    let claim = match shared.store.send_claim(contact, hasty(LEASE)).await {
        Ok(Some(claim)) => claim,
        Ok(None) => return false,
        Err(why) => {
            tracing::error!(contact = %Masked(contact), %why, "an outbox could not be claimed");
            return false;
        }
    };
    let outcome = attempt(shared, &claim).await;
    failpoint!("before_send_done");
    report(shared, &claim, &outcome).await;
    match repeated(|| shared.store.send_done(&claim, &outcome)).await {
        Ok(true) => {}
        Ok(false) => {
            shared.metrics.lease_losses.of(Lease::Send).increment(1);
            tracing::warn!(contact = %Masked(contact), "a status or another sender settled a message first")
        }
        Err(why) => {
            tracing::error!(contact = %Masked(contact), %why, "the fate of a message could not be written");
        }
    }
    shared.ring(contact);
    true
}

/// One attempt at most.
async fn attempt(shared: &Arc<Shared>, claim: &SendClaim) -> SendOutcome {
    let now = shared.store.now();
    let ours = match serde_json::from_slice(&claim.entry.payload) {
        Ok(Line::Ours(ours)) => *ours,
        Ok(_) => return dead("it is not a message of ours"),
        Err(why) => return dead(unreadable(&why)),
    };
    let Some(number) = shared.numbers.get(&claim.channel) else {
        let why = format!("the channel {} is not configured any more", claim.channel);
        return retry(now, STOPPED_FOR, why);
    };
    if let Some(why) = too_late(&ours, claim, now) {
        return dead(why);
    }
    if let Some(wait) = number.wait() {
        return retry(now, wait, "the number may not send now".to_owned());
    }
    if claim.uncertain
        && let Some(outcome) = doubt(shared, claim, now)
    {
        return outcome;
    }
    let slow = takes_time(&ours.step);
    let spoke = !slow || bot_may_speak(shared, claim).await;
    wait_for_delivery(shared, claim, &ours.step).await;
    let step = match uploads::ready(shared, number, &ours.step).await {
        Ok(step) => step,
        Err(error) => return after_failure(shared, number, claim, &error),
    };
    failpoint!("after_preparing");
    if slow && spoke && !bot_may_speak(shared, claim).await {
        return again_after_takeover(shared, claim);
    }
    let request = match number.channel.encode(&step) {
        Ok(request) => request,
        Err(why) => return dead(why.to_string()),
    };
    failpoint!("before_send");
    let series = shared.metrics.channel(&claim.channel);
    let began = Instant::now();
    let answer = number.transport.send(request).await;
    observe(&series.provider, began.elapsed());
    failpoint!("after_send");
    match number.channel.interpret(answer, claim.attempt) {
        Ok(receipt) => {
            let waited = ours.queued_at.duration_until(shared.store.now());
            series.waited.record(waited.as_secs_f64().max(0.0));
            *lock(&number.gate) = Gate::Open;
            SendOutcome::Accepted {
                message_id: receipt.message_id,
                pace: None,
            }
        }
        Err(error) => after_failure(shared, number, claim, &error),
    }
}

/// Whether a message waits for something between its claim and the moment it leaves.
fn takes_time(step: &Step) -> bool {
    let waits = matches!(
        step,
        Step::Send {
            after_delivery: true,
            ..
        }
    );
    waits || step.file().is_some()
}

/// Whether the bot has the chat now. A store that is away says nothing against it.
async fn bot_may_speak(shared: &Shared, claim: &SendClaim) -> bool {
    if claim.entry.sender == Sender::Person {
        return true;
    }
    match shared.store.peek(claim.contact).await {
        Ok(Some(now)) => now.owner.lets_bot_speak(shared.store.now()),
        Ok(None) | Err(_) => true,
    }
}

/// The chat changed hands while the message was made ready. The next claim decides: it drops what a person's takeover
/// voids, and lets the sentence through with which the bot itself has handed over.
fn again_after_takeover(shared: &Shared, claim: &SendClaim) -> SendOutcome {
    if claim.uncertain {
        // This try did not count; the doubt about an earlier one stays.
        lock(&shared.uncertain).insert(claim.entry.id.clone(), 1);
    }
    let why = "people took the chat meanwhile".to_owned();
    retry(shared.store.now(), Duration::ZERO, why)
}

/// Why a message may not leave any more.
fn too_late(ours: &Ours, claim: &SendClaim, now: Timestamp) -> Option<String> {
    if ours.template {
        let old = ours.queued_at.duration_until(now) > OLDEST;
        return old.then(|| "it waited for more than a day".to_owned());
    }
    let open = claim
        .last_in
        .is_some_and(|last| last.duration_until(now) < WINDOW);
    (!open).then(|| {
        "the customer's last message is more than 24 hours old, and WhatsApp takes only templates then"
            .to_owned()
    })
}

/// What to do with a message that may have been sent; `None`: send it again. An earlier process may have died with it,
/// so the first thing is always to wait for a status.
fn doubt(shared: &Shared, claim: &SendClaim, now: Timestamp) -> Option<SendOutcome> {
    let mut known = remembered(shared);
    let tries = known.entry(claim.entry.id.clone()).or_default();
    *tries += 1;
    match *tries {
        1 => Some(SendOutcome::Uncertain {
            until: now + hasty(SETTLE_AFTER_DEATH),
            why: "it may have been sent; waiting for the provider's word".to_owned(),
        }),
        tries if tries <= UNCERTAIN_TRIES => None,
        _ => Some(dead(
            "nobody knows whether it arrived; it is not sent a third time",
        )),
    }
}

/// The doubtful messages. Those that a status settles are never asked for again, so now and then all are forgotten:
/// each that is left then waits for a status once more.
fn remembered(shared: &Shared) -> MutexGuard<'_, HashMap<String, u32>> {
    let mut known = lock(&shared.uncertain);
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known
}

fn after_failure(shared: &Shared, number: &Number, claim: &SendClaim, error: &SendError) -> SendOutcome {
    let now = shared.store.now();
    let why = error.says.clone();
    if claim.uncertain && error.class.is_certain() {
        // This try did not count; the doubt about an earlier one stays.
        lock(&shared.uncertain).insert(claim.entry.id.clone(), 1);
    }
    match error.class {
        SendClass::Retry(after) | SendClass::SlowPair(after) => retry(now, jittered(after), why),
        SendClass::SlowChannel(after) => {
            let after = jittered(after);
            *lock(&number.gate) = Gate::Held(Instant::now() + after);
            retry(now, after, why)
        }
        SendClass::StopChannel => {
            *lock(&number.gate) = Gate::Stopped {
                why: why.clone(),
                again: Instant::now() + STOPPED_FOR,
            };
            tracing::error!(
                channel = number.config.id,
                code = error.code,
                why,
                "this number can't send until it is mended"
            );
            retry(now, STOPPED_FOR, why)
        }
        SendClass::WindowClosed | SendClass::Unreachable | SendClass::OurFault => dead(why),
        SendClass::Ambiguous => {
            // This process knows of the first try, so the wait for a status begins here.
            remembered(shared)
                .entry(claim.entry.id.clone())
                .and_modify(|tries| *tries += 1)
                .or_insert(1);
            SendOutcome::Uncertain {
                until: now + hasty(SETTLE),
                why,
            }
        }
    }
}

/// The provider does not promise order. Where a step must not overtake the one before, its delivery is awaited for a
/// moment; then it goes anyway.
async fn wait_for_delivery(shared: &Shared, claim: &SendClaim, step: &Step) {
    let Step::Send {
        after_delivery: true, ..
    } = step
    else {
        return;
    };
    let deadline = Instant::now() + DELIVERY_WITHIN;
    while Instant::now() < deadline {
        let Ok(lines) = shared.store.history(claim.contact, 20).await else {
            return;
        };
        let statuses: Vec<_> = lines.iter().filter_map(|line| line.status.as_ref()).collect();
        let before = statuses
            .iter()
            .position(|(id, _)| *id == claim.entry.id)
            .and_then(|at| at.checked_sub(1));
        match before.map(|at| statuses[at].1.as_str()) {
            Some("accepted" | "sent") => tokio::time::sleep(Duration::from_millis(100)).await,
            Some(_) | None => return,
        }
    }
}

/// Tells log and team of what the customer will not read.
async fn report(shared: &Shared, claim: &SendClaim, outcome: &SendOutcome) {
    let (channel, contact) = (claim.channel.as_str(), Masked(claim.contact));
    let count = |sent| shared.metrics.channel(channel).sends.of(sent).increment(1);
    match outcome {
        SendOutcome::Accepted { .. } => {
            count(Sent::Accepted);
            lock(&shared.uncertain).remove(&claim.entry.id);
            tracing::info!(channel, %contact, attempt = claim.attempt, "sent");
        }
        SendOutcome::Retry { at, why } => {
            count(Sent::Retry);
            tracing::warn!(channel, %contact, attempt = claim.attempt, %at, why, "not sent yet");
        }
        SendOutcome::NotYet { at, why } => {
            count(Sent::NotYet);
            tracing::warn!(channel, %contact, attempt = claim.attempt, %at, why, "not sent yet");
        }
        SendOutcome::Uncertain { why, .. } => {
            count(Sent::Uncertain);
            tracing::warn!(channel, %contact, why, "may have been sent");
        }
        SendOutcome::Dead { why } => {
            count(Sent::Dead);
            lock(&shared.uncertain).remove(&claim.entry.id);
            tracing::error!(channel, %contact, why, "a message was not sent; the team has a note");
            let line = Line::note(NoteKind::Sending, format!("A message was not sent: {why}."), None);
            notes::write(shared, channel, claim.contact, &claim.entry.id, &line).await;
        }
    }
}

fn dead(why: impl Into<String>) -> SendOutcome {
    SendOutcome::Dead { why: why.into() }
}

fn retry(now: Timestamp, after: Duration, why: String) -> SendOutcome {
    let after = SignedDuration::try_from(after).unwrap_or(SignedDuration::from_mins(1));
    SendOutcome::Retry { at: now + after, why }
}

/// Up to a quarter more, so that many waiters don't come back at once.
fn jittered(wait: Duration) -> Duration {
    let share = getrandom::u32().map_or(0.0, |n| f64::from(n) / f64::from(u32::MAX));
    wait.mul_f64(1.0 + share / 4.0)
}

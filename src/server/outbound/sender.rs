//! Sends what turns have queued: one message of one conversation at a time, in order, one attempt a claim. The provider
//! knows no idempotency key, so what may have been sent is never repeated blindly.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::uploads;
use super::volume;
use crate::channel::{SendClass, SendError, Show, Step};
use crate::engine::{EventKind, is_opt_out};
use crate::failpoint;
use crate::message::{Address, InboundBody};
use crate::server::agreed;
use crate::server::api::masked::{Masked, unreadable};
use crate::server::failpoint::hasty;
use crate::server::inbound::mailbox::Item;
use crate::server::parts::{Gate, Number, Shared, lock};
use crate::server::patience::repeated;
use crate::server::turns::desk::Seat;
use crate::server::turns::dispatch;
use crate::server::turns::notes;
use crate::server::turns::session::{Act, Session};
use crate::server::turns::thread::{Line, NoteKind, Ours};
use crate::server::watch::metrics::{Lease, Sent, observe};
use crate::server::watch::traces::Span;
use crate::store::{SendClaim, SendOutcome, Sender, StoreError};

/// Longer than a request may take.
pub(in crate::server) const LEASE: Duration = Duration::from_secs(30);
/// How long a request may take: 3 s to connect and 20 s in all. What can't be through within the lease is not begun:
/// the next holder may send it by then.
const REQUEST: Duration = Duration::from_secs(23);
/// So many messages of one contact are sent before it is another's turn.
const IN_A_ROW: u32 = 16;
/// Free-form messages may leave until 24 hours after the customer's last message; a minute is kept for the way.
const WINDOW: SignedDuration = SignedDuration::from_secs(24 * 3600 - 60);
/// How long a status bearing our id may take to settle what may have been sent.
const SETTLE: Duration = Duration::from_secs(45);
/// The same for a message whose sender died: its lease has run out by then, and that took time already.
const SETTLE_AFTER_DEATH: Duration = Duration::from_secs(15);
/// A message to whose tries the provider gave no clear answer goes out this often at most.
const DOUBTS: u32 = 2;
/// A number that was stopped is tried again after this time: somebody may have mended it.
const STOPPED_FOR: Duration = Duration::from_secs(60);
/// How long what nobody waits for may be kept back by a store that does not answer.
const PATIENT: Duration = Duration::from_secs(5);
/// How often a plan looks whether it may leave; whoever writes meanwhile waits no longer for what comes behind it.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// A template waits this long for its turn at most; other messages have their window.
const OLDEST: SignedDuration = SignedDuration::from_hours(24);
/// How long to wait for the message before to be delivered, where order matters.
const DELIVERY_WITHIN: Duration = Duration::from_secs(3);

/// Sends what is due of this contact's outbox, one after the other.
pub(in crate::server) async fn send_all(shared: &Arc<Shared>, seat: &Seat) {
    failpoint!("before_send_claim");
    let asked = Instant::now();
    let claimed = shared.store.send_claim(seat.contact, hasty(LEASE)).await;
    seat.claimed();
    match claimed {
        Ok(Some(first)) => send_on(shared, seat, first, asked).await,
        Ok(None) => {}
        Err(why) => dispatch::not_claimed(shared, seat.contact, &why),
    }
}

/// Sends a claimed message and what follows it, until nothing is due, the contact has had its share, or nothing new is
/// to be begun. `asked`: before the claim.
pub(in crate::server) async fn send_on(shared: &Arc<Shared>, seat: &Seat, first: SendClaim, asked: Instant) {
    let mut next = Some((first, asked));
    let mut left = IN_A_ROW;
    while let Some((claim, asked)) = next {
        failpoint!("after_send_claim");
        let span = Span::send(&claim.channel, claim.attempt);
        let outcome = attempt(shared, &claim, asked).await;
        let sent = Sent::of(&outcome);
        span.end(sent.word(), sent == Sent::Dead);
        let series = shared.metrics.channel(&claim.channel);
        series.sends.of(sent).increment(1);
        // Before it is settled: whoever dies in between has it settled again, and nobody would tell this again.
        if let SendOutcome::Accepted {
            message_id: Some(message_id),
            ..
        } = &outcome
            && let Some(number) = shared.numbers.get(&claim.channel)
        {
            notes::template_sent(shared, number, &claim, message_id).await;
        }
        failpoint!("before_send_done");
        report(shared, &claim, &outcome).await;
        left -= 1;
        let goes_on = left > 0
            && matches!(outcome, SendOutcome::Accepted { .. } | SendOutcome::Dead { .. })
            && !shared.stopping.is_cancelled();
        let asked = Instant::now();
        let following = settle(shared, &claim, &outcome, goes_on).await;
        next = following.map(|claim| (claim, asked));
        failpoint!("after_send_done");
        shared.ring(claim.contact);
    }
    if left == 0 {
        // There may be more: behind the others.
        shared.sending.call(seat.contact);
    }
}

/// Writes what became of a message; claims the next one in the same step if `goes_on`.
async fn settle(
    shared: &Shared,
    claim: &SendClaim,
    outcome: &SendOutcome,
    goes_on: bool,
) -> Option<SendClaim> {
    let contact = Masked(claim.contact);
    let settled = if goes_on {
        repeated(|| shared.store.sent_then_next(claim, outcome, hasty(LEASE))).await
    } else {
        repeated(|| shared.store.send_done(claim, outcome))
            .await
            .map(|ours| (ours, None))
    };
    match settled {
        Ok((true, next)) => next,
        Ok((false, _)) => {
            shared.metrics.lease_losses.of(Lease::Send).increment(1);
            tracing::warn!(%contact, "a status or another sender settled a message first");
            None
        }
        Err(why) => {
            tracing::error!(%contact, %why, "the fate of a message could not be written");
            None
        }
    }
}

/// One attempt at most, of a message whose lease began after `asked`.
async fn attempt(shared: &Arc<Shared>, claim: &SendClaim, asked: Instant) -> SendOutcome {
    let now = shared.store.now();
    let ours = match Line::read(&claim.entry.payload) {
        Ok(Line::Ours(ours)) => *ours,
        Ok(_) => return dead("it is not a message of ours"),
        Err(why) => return dead(unreadable(&why)),
    };
    let Some(number) = shared.numbers.get(&claim.channel) else {
        let why = format!("the channel {} is not configured any more", claim.channel);
        return not_yet(now, STOPPED_FOR, why);
    };
    let ours = addressed(ours, claim);
    if let Some(why) = template_refused(number, &ours.step) {
        return dead(why);
    }
    if let Some(why) = too_late(&ours, claim, now) {
        return dead(why);
    }
    if let Some(wait) = number.wait() {
        let why = number.stopped();
        return not_yet(
            now,
            wait,
            why.unwrap_or_else(|| "the number may not send now".to_owned()),
        );
    }
    if let Some(outcome) = doubt(claim, now) {
        return outcome;
    }
    let slow = takes_time(&ours.step);
    let spoke = !slow || bot_may_speak(shared, claim).await;
    wait_for_delivery(shared, number, claim, &ours.step).await;
    let request = match uploads::request(shared, number, &ours.step).await {
        Ok(request) => request,
        Err(error) => return after_failure(shared, number, &error).await,
    };
    failpoint!("after_preparing");
    if slow && spoke && !bot_may_speak(shared, claim).await {
        // The next claim decides: it drops what a person's takeover voids, and lets the sentence through with which the
        // bot itself has handed over.
        return not_yet(
            shared.store.now(),
            Duration::ZERO,
            "people took the chat meanwhile",
        );
    }
    if let Err(wait) = number.purse.take(shared.store.as_ref(), &claim.channel).await {
        return not_yet(shared.store.now(), wait, "the number sends as fast as it may");
    }
    if asked.elapsed() + hasty(REQUEST) > hasty(LEASE) {
        let why = "getting it ready took so long that another could send it meanwhile";
        return not_yet(shared.store.now(), Duration::ZERO, why);
    }
    if ours.unasked
        && let Some(outcome) = unwanted(shared, number, claim, &ours).await
    {
        return outcome;
    }
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
                pace: number.config.pace,
            }
        }
        Err(error) => after_failure(shared, number, &error).await,
    }
}

/// With its own id, which providers repeat in their statuses. A customer who never wrote is known by a number that people
/// gave: with a `+`, so that no provider takes it for one of the business's own country.
fn addressed(mut ours: Ours, claim: &SendClaim) -> Ours {
    if let Step::Send { to, ours: id, .. } = &mut ours.step {
        *id = Some(claim.entry.id.clone());
        if claim.last_in.is_none()
            && let Address::WaId(digits) = to
        {
            *to = Address::Phone(format!("+{digits}"));
        }
    }
    ours
}

/// Why a template that was good when it was queued is not any more.
fn template_refused(number: &Number, step: &Step) -> Option<String> {
    match step {
        Step::Send {
            show: Show::Template { name, language, .. },
            ..
        } => number.templates.refuses(name, language),
        Step::Send { .. } | Step::Seen { .. } | Step::HandOff { .. } | Step::Resolve { .. } => None,
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

/// What becomes of a message that nobody asked for, if it may not leave now.
async fn unwanted(shared: &Shared, number: &Number, claim: &SendClaim, ours: &Ours) -> Option<SendOutcome> {
    if let Some(outcome) = opted_out(shared, number, claim).await {
        return Some(outcome);
    }
    // A notification was counted when it was taken. Whoever has written since is in a conversation, and what comes behind
    // this answers them.
    let spoke = claim.last_in.is_some_and(|last| last > ours.queued_at);
    if ours.notify.is_some() || spoke || claim.attempt > 1 {
        return None;
    }
    match over_volume(shared, number, claim).await {
        Ok(over) => over,
        Err(why) => Some(not_yet(shared.store.now(), PATIENT, why.to_string())),
    }
}

async fn over_volume(
    shared: &Shared,
    number: &Number,
    claim: &SendClaim,
) -> Result<Option<SendOutcome>, StoreError> {
    let (store, volume) = (shared.store.as_ref(), number.config.volume);
    let lines = store.history(claim.contact, 200).await?;
    if volume::enough(&lines, &[], volume, store.now(), Some(&claim.entry.id)).is_some() {
        return Ok(Some(dead(format!(
            "this customer had {} messages in 24 hours that they did not ask for (unasked_per_customer)",
            volume.per_customer
        ))));
    }
    let full = volume::take(store, &claim.channel, volume).await?;
    Ok(full.map(|_| {
        let why = "the number has sent as much in 24 hours as it may without being asked (unasked_per_day)";
        not_yet(store.now(), LOOK_AGAIN, why)
    }))
}

/// What becomes of a message that nobody asked for, if its customer wants none: looked at in the last moment, and a word
/// that nobody has read yet counts, or that waits until a service has answered: the shipped ones, and the own ones of the
/// business in the version that this number runs. A store that is away keeps it back: it can wait.
async fn opted_out(shared: &Shared, number: &Number, claim: &SendClaim) -> Option<SendOutcome> {
    let now = match shared.store.peek(claim.contact).await {
        Ok(now) => now?,
        Err(why) => return Some(not_yet(shared.store.now(), PATIENT, why.to_string())),
    };
    let (session, memory) = match Session::of(&now) {
        Ok(known) => known,
        Err(why) => return Some(not_yet(shared.store.now(), PATIENT, why.to_string())),
    };
    let machine = shared.flows.machine(number.config.runs());
    let also = &machine.program().business.opt_out;
    let unread = now.events.iter().any(|event| match Item::read(&event.payload) {
        Ok(Item::Inbound(inbound)) => says_stop(&inbound.body, also),
        Ok(Item::OptedOut) => true,
        Ok(_) | Err(_) => false,
    });
    let held = session.held.iter().any(|held| held_stop(&held.act, also));
    (memory.opted_out || unread || held)
        .then(|| dead("the customer wants no more messages on the business's own account (opted out)"))
}

fn held_stop(act: &Act, also: &[String]) -> bool {
    match act {
        Act::Event(EventKind::Message(incoming)) => is_opt_out(&incoming.text, also),
        Act::Event(EventKind::Tap { title, .. }) => is_opt_out(title, also),
        // The customer does nothing else, and a voice note has no words yet.
        Act::Event(_) | Act::Listen(_) => false,
    }
}

/// `also`: the business's own words, folded.
fn says_stop(body: &InboundBody, also: &[String]) -> bool {
    match body {
        InboundBody::Text { body } => is_opt_out(body, also),
        InboundBody::Choice { title, .. } => is_opt_out(title, also),
        InboundBody::Preference { marketing } => !marketing,
        InboundBody::Media(_)
        | InboundBody::Location(_)
        | InboundBody::Contacts { .. }
        | InboundBody::FormReply { .. }
        | InboundBody::Order { .. }
        | InboundBody::Reaction { .. }
        | InboundBody::Edited { .. }
        | InboundBody::Revoked { .. }
        | InboundBody::Identity { .. }
        | InboundBody::Status(_)
        | InboundBody::Echo { .. }
        | InboundBody::Call { .. }
        | InboundBody::Room { .. }
        | InboundBody::Account { .. }
        | InboundBody::Unsupported { .. }
        | InboundBody::Unknown { .. } => false,
    }
}

/// Why a message may not leave any more.
fn too_late(ours: &Ours, claim: &SendClaim, now: Timestamp) -> Option<String> {
    if ours.template {
        let old = ours.queued_at.duration_until(now) > OLDEST;
        return old.then(|| "it waited for more than a day".to_owned());
    }
    (!is_open(claim.last_in, now)).then(|| {
        "the customer's last message is more than 24 hours old, and WhatsApp takes only templates then"
            .to_owned()
    })
}

/// Whether the customer, who spoke then, can be written to freely.
pub(in crate::server) fn is_open(last_in: Option<Timestamp>, now: Timestamp) -> bool {
    last_in.is_some_and(|last| last.duration_until(now) < WINDOW)
}

/// What to do with a message that may have been sent; `None`: send it. Whoever finds that its sender died first waits for
/// a status, which takes no try. All of it is in the claim, so that it does not matter which process takes it up.
fn doubt(claim: &SendClaim, now: Timestamp) -> Option<SendOutcome> {
    if claim.holder_died {
        let wait = hasty(SETTLE_AFTER_DEATH);
        return Some(not_yet(
            now,
            wait,
            "it may have been sent; waiting for the provider's word",
        ));
    }
    (claim.doubts >= DOUBTS).then(|| dead("nobody knows whether it arrived; it is not sent a third time"))
}

async fn after_failure(shared: &Shared, number: &Number, error: &SendError) -> SendOutcome {
    let now = shared.store.now();
    let why = error.says.clone();
    match error.class {
        SendClass::Retry(after) | SendClass::SlowPair(after) => retry(now, jittered(after), why),
        SendClass::SlowChannel(after) => {
            let after = jittered(after);
            *lock(&number.gate) = Gate::Held(Instant::now() + after);
            agreed::tell_rest(shared, number, after, None).await;
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
            agreed::tell_rest(shared, number, STOPPED_FOR, Some(&why)).await;
            retry(now, STOPPED_FOR, why)
        }
        SendClass::WindowClosed | SendClass::Unreachable | SendClass::OurFault => dead(why),
        SendClass::Ambiguous => SendOutcome::Uncertain {
            until: now + hasty(SETTLE),
            why,
        },
    }
}

/// The provider does not promise order. Where a step must not overtake the one before, its delivery is awaited for a
/// moment; then it goes anyway.
async fn wait_for_delivery(shared: &Shared, number: &Number, claim: &SendClaim, step: &Step) {
    if !number.channel.capabilities().deliveries {
        return;
    }
    let Step::Send {
        after_delivery: true, ..
    } = step
    else {
        return;
    };
    let deadline = Instant::now() + hasty(DELIVERY_WITHIN);
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
    match outcome {
        SendOutcome::Accepted { .. } => {
            tracing::info!(channel, %contact, attempt = claim.attempt, "sent");
        }
        SendOutcome::Retry { at, why } => {
            tracing::warn!(channel, %contact, attempt = claim.attempt, %at, why, "not sent yet");
        }
        // It was not tried. Where a number or its link keeps everybody waiting, that is said once, of the number.
        SendOutcome::NotYet { at, why } => {
            tracing::debug!(channel, %contact, %at, why, "waits");
        }
        SendOutcome::Uncertain { why, .. } => tracing::warn!(channel, %contact, why, "may have been sent"),
        SendOutcome::Dead { why } => {
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

fn not_yet(now: Timestamp, wait: Duration, why: impl Into<String>) -> SendOutcome {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::from_mins(1));
    let (at, why) = (now + wait, why.into());
    SendOutcome::NotYet { at, why }
}

/// Up to a quarter more, so that many waiters don't come back at once.
fn jittered(wait: Duration) -> Duration {
    let share = getrandom::u32().map_or(0.0, |n| f64::from(n) / f64::from(u32::MAX));
    wait.mul_f64(1.0 + share / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Incoming;

    #[test]
    fn what_waits_for_a_service_s_answer_says_stop_as_what_nobody_has_read_does() {
        let own = ["no more news".to_owned()];
        for (text, also, stops) in [
            ("STOP", &[][..], true),
            ("No more news!", &own[..], true),
            ("No more news!", &[][..], false),
            ("no more news today?", &own[..], false),
        ] {
            let held = Act::Event(EventKind::Message(Incoming {
                text: text.to_owned(),
                ..Incoming::default()
            }));
            assert_eq!(held_stop(&held, also), stops, "{text}");
            let unread = InboundBody::Text {
                body: text.to_owned(),
            };
            assert_eq!(says_stop(&unread, also), stops, "{text}");
        }
    }
}

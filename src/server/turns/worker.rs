//! Answers one conversation: claim, one pure turn, one commit. Whoever dies in between leaves nothing half done.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::acts::{self, Arrived, What};
use super::desk::{Seat, Task};
use super::dispatch;
use super::notes;
use super::session::{self, Session};
use super::thread::Line;
use super::turn::{self, Outcome, Rules, Told};
use crate::engine::Machine;
use crate::failpoint;
use crate::server::api::masked::Masked;
use crate::server::failpoint::hasty;
use crate::server::flows::Answering;
use crate::server::inbound::people::Relearned;
use crate::server::outbound::seen;
use crate::server::outbound::sender;
use crate::server::parts::{Number, Shared};
use crate::server::patience::repeated;
use crate::server::watch::metrics::{Lease, TurnEnd, observe};
use crate::server::watch::traces::Span;
use crate::store::{
    CLAIM_EVENTS, Claim, Committed, Failed, Ingest, Ingested, Keep, Nonce, StoreError, TurnCommit,
};

/// A turn takes milliseconds; a holder that is silent for this long is dead.
const LEASE: Duration = Duration::from_secs(20);

/// Takes one turn of this contact, if it is due, and sends what the turn says.
pub(in crate::server) async fn take_turn(shared: &Arc<Shared>, seat: &Seat) {
    let Some(nonce) = nonce() else { return };
    let began = Instant::now();
    failpoint!("before_claim");
    let claimed = shared.store.claim(seat.contact, nonce, hasty(LEASE)).await;
    take_what_came(shared, seat, claimed, began).await;
}

/// Stores events of the contact of this seat. If it is due at once, its claim comes in the same step, and the turn is taken
/// here, behind the answer to whoever brought the events. All of it goes on although the caller waits no longer, so that no
/// claim is left that nobody holds.
pub(in crate::server) async fn take_in(
    shared: &Arc<Shared>,
    seat: Seat,
    events: Arc<[Ingest]>,
) -> Result<Vec<Ingested>, StoreError> {
    let Some(nonce) = nonce() else {
        return shared.store.ingest(&events).await;
    };
    let (tell, told) = oneshot::channel();
    let shared = shared.clone();
    shared.tasks.clone().spawn(async move {
        let began = Instant::now();
        let stored = shared.store.ingest_then_claim(&events, nonce, hasty(LEASE)).await;
        // With an answer a claim may have got lost: only this nonce gets it again.
        let lost = matches!(stored, Err(StoreError::Unknown(_)));
        let (outcomes, claim) = match stored {
            Ok((outcomes, claim)) => (Ok(outcomes), claim),
            Err(why) => (Err(why), None),
        };
        // Nobody may wait for it any more.
        let _ = tell.send(outcomes);
        match (claim, lost) {
            (Some(claim), _) => take_claimed(&shared, claim, began).await,
            (None, true) => {
                let again = || shared.store.claim(seat.contact, nonce, hasty(LEASE));
                take_what_came(&shared, &seat, repeated(again).await, began).await;
            }
            (None, false) => {}
        }
        drop(seat);
        dispatch::go_on(&shared, Task::Turn).await;
    });
    told.await
        .unwrap_or_else(|_| Err(StoreError::Unknown("what stores events stopped".to_owned())))
}

/// What tells the holder of a lease from those before.
fn nonce() -> Option<Nonce> {
    match getrandom::u64() {
        Ok(nonce) => Some(Nonce(nonce)),
        Err(why) => {
            tracing::error!(%why, "the system gives no random numbers; nothing can be claimed safely");
            None
        }
    }
}

async fn take_what_came(
    shared: &Arc<Shared>,
    seat: &Seat,
    claimed: Result<Option<Claim>, StoreError>,
    began: Instant,
) {
    seat.claimed();
    match claimed {
        Ok(Some(claim)) => take_claimed(shared, claim, began).await,
        Ok(None) => {}
        Err(why) => dispatch::not_claimed(shared, seat.contact, &why),
    }
}

async fn take_claimed(shared: &Arc<Shared>, mut claim: Claim, began: Instant) {
    let contact = claim.contact;
    // After a failure one at a time, so that only the event that fails is ever put aside.
    if claim.failures > 0 {
        claim.events.truncate(1);
    }
    if claim.aliases.is_empty() {
        match shared.people.relearned(shared, &claim).await {
            Ok(Relearned::Aliases(aliases)) => claim.aliases = aliases,
            Ok(Relearned::Another(to)) => {
                // If it can't be done now, it is when the lease has run out.
                if let Err(why) = shared.people.hand_on(shared, &claim, to).await {
                    tracing::warn!(contact = %Masked(contact), %why, "what was written to it can't be handed on yet");
                }
                return;
            }
            Ok(Relearned::Nobody) => {}
            Err(why) => {
                tracing::warn!(contact = %Masked(contact), %why, "its identities can't be asked for");
            }
        }
    }
    failpoint!("after_claim");
    let span = Span::turn(&claim.channel, claim.events.len());
    let end = match answer(shared, &claim).await {
        Ok((turn, told)) => commit(shared, &claim, turn, told).await,
        Err(why) => fail(shared, &claim, &why).await,
    };
    let series = shared.metrics.channel(&claim.channel);
    observe(&series.turn, began.elapsed());
    series.turns.of(end).increment(1);
    span.end(end.word(), end != TurnEnd::Committed);
    if end == TurnEnd::Fenced {
        shared.metrics.lease_losses.of(Lease::Turn).increment(1);
    }
    shared.ring(contact);
}

/// The turn of a claim. A panic becomes an error: the engine promises not to, but one conversation must never take
/// the others down.
async fn answer(shared: &Arc<Shared>, claim: &Claim) -> Result<(TurnCommit, Vec<Told>), String> {
    let number = shared.numbers.get(&claim.channel).ok_or_else(|| {
        format!(
            "the channel {} is not configured any more; put it back, or nobody answers",
            claim.channel
        )
    })?;
    let (session, memory) = Session::of(claim).map_err(|why| why.to_string())?;
    let runs = number.config.runs();
    let answering = shared.flows.for_session(&session.position, runs).await;
    let Answering { live, former } = answering.map_err(|why| why.to_string())?;
    let rules = Rules {
        channel: number.channel.as_ref(),
        autopilot: number.autopilot(),
        listens: shared.ear.is_some(),
        sorts: shared.mind.is_some(),
        drafts: shared.mind.is_some() && number.config.assist,
        tokens: shared.config.ai.as_ref().and_then(|ai| ai.tokens),
        quiet: number
            .config
            .burst_quiet
            .unwrap_or_else(|| Duration::from_millis(live.program().business.burst_quiet_ms)),
        timezone: &live.program().business.timezone,
    };
    let arrived = acts::arrived(&claim.events, rules.quiet, &live.program().business.opt_out);
    if rules.autopilot && claim.owner.lets_bot_speak(shared.store.now()) {
        show_that_we_read(shared, number, &arrived);
    }
    let former: Vec<&Machine> = former.iter().map(|machine| &**machine).collect();
    let advance = |position: &_, memory: &_, event: &_| {
        live.advance_among(&former, &number.config.session, position, memory, event)
    };
    let played = catch_unwind(AssertUnwindSafe(|| {
        turn::play(claim, arrived, session, memory, rules, &advance)
    }));
    match played {
        Ok(outcome) => Ok(pack(claim, outcome, rules.quiet)),
        Err(panic) => {
            let why = panic
                .downcast_ref::<&str>()
                .map(|s| (*s).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            // What a panic says may quote what the customer said.
            tracing::debug!(contact = %Masked(claim.contact), why, "panic");
            Err("a turn panicked, which is a fault of Switchboard".to_owned())
        }
    }
}

fn show_that_we_read(shared: &Arc<Shared>, number: &Number, arrived: &[Arrived]) {
    let read = arrived.iter().rev().find_map(|arrived| match &arrived.what {
        What::Customer { message_id, .. } => message_id.clone(),
        What::Item(_) | What::Unreadable(_) => None,
    });
    if let Some(message_id) = read {
        seen::show(shared, number, message_id);
    }
}

fn pack(claim: &Claim, outcome: Outcome, quiet: Duration) -> (TurnCommit, Vec<Told>) {
    let memory = session::memory_bytes(&outcome.memory);
    let memory_changed = claim.memory.as_deref() != Some(memory.as_slice());
    let turn = TurnCommit {
        contact: claim.contact,
        fence: claim.fence,
        nonce: claim.nonce,
        upto: claim.events.last().map_or(0, |event| event.seq),
        session: Keep::Write(outcome.session.to_bytes()),
        memory: if memory_changed {
            Keep::Write(memory)
        } else {
            Keep::AsItIs
        },
        owner: outcome.owner,
        outbox: outcome.outbox,
        set_timers: outcome.set_timers,
        cancel_timers: outcome.cancel_timers,
        jobs: outcome.jobs,
        history: outcome.history.iter().map(Line::to_bytes).collect(),
        // A full claim means a backlog, not a burst.
        quiet: if claim.events.len() < CLAIM_EVENTS {
            quiet
        } else {
            Duration::ZERO
        },
    };
    (turn, outcome.told)
}

async fn commit(shared: &Arc<Shared>, claim: &Claim, turn: TurnCommit, told: Vec<Told>) -> TurnEnd {
    failpoint!("before_commit");
    let contact = Masked(claim.contact);
    let committed = write(shared, claim, &turn).await;
    match committed {
        Ok(Committed::Done | Committed::Already) => {
            tracing::info!(
                channel = claim.channel, %contact, events = claim.events.len(), messages = turn.outbox.len(),
                jobs = turn.jobs.len(), "turn"
            );
            for told in told {
                tell(shared, claim, told);
            }
            TurnEnd::Committed
        }
        Ok(Committed::Fenced) => {
            tracing::warn!(%contact, "the lease was lost; another worker goes on");
            TurnEnd::Fenced
        }
        Err(why @ (StoreError::TooBig { .. } | StoreError::TooMany { .. } | StoreError::Corrupt { .. })) => {
            fail(shared, claim, &why.to_string()).await
        }
        // Nothing was written: the lease runs out and the turn is taken again.
        Err(why) => {
            tracing::error!(%contact, %why, "a turn could not be written; it is repeated");
            TurnEnd::Unwritten
        }
    }
}

/// Commits the turn. If it says something and a sender is free, the first message is claimed in the same step and goes
/// out at once.
async fn write(shared: &Arc<Shared>, claim: &Claim, turn: &TurnCommit) -> Result<Committed, StoreError> {
    let sends = !turn.outbox.is_empty()
        && !shared.stopping.is_cancelled()
        && shared
            .numbers
            .get(&claim.channel)
            .is_some_and(|number| number.wait().is_none() && !number.purse.is_crowded());
    let seat =
        (sends && shared.sending.sit(claim.contact)).then(|| Seat::of(shared, Task::Send, claim.contact));
    let Some(seat) = seat else {
        let committed = repeated(|| shared.store.commit(turn)).await;
        failpoint!("after_commit");
        return committed;
    };
    let asked = Instant::now();
    let (committed, first) = repeated(|| shared.store.commit_then_send(turn, hasty(sender::LEASE))).await?;
    failpoint!("after_commit");
    let shared = shared.clone();
    shared.tasks.clone().spawn(async move {
        if let Some(first) = first {
            sender::send_on(&shared, &seat, first, asked).await;
        }
        drop(seat);
        dispatch::go_on(&shared, Task::Send).await;
    });
    Ok(committed)
}

fn tell(shared: &Shared, claim: &Claim, told: Told) {
    let (channel, contact) = (claim.channel.as_str(), Masked(claim.contact));
    match told {
        Told::Fault(fault) => {
            tracing::error!(channel, %contact, place = %fault.place, at = fault.at, "a flow met a fault; the team has a note");
            tracing::debug!(%contact, what = fault.what, "fault");
        }
        Told::Handoff { team, place } => tracing::info!(channel, %contact, team, place, "handed to people"),
        Told::Unreadable(why) => {
            tracing::error!(channel, %contact, why, "an event in a mailbox can't be read")
        }
        Told::Unsendable(losses) => {
            tracing::error!(channel, %contact, losses, "a message could not be shown at all; the team has a note");
        }
        Told::Draft(became) => shared.metrics.drafts.of(became).increment(1),
    }
}

async fn fail(shared: &Arc<Shared>, claim: &Claim, why: &str) -> TurnEnd {
    let contact = Masked(claim.contact);
    match repeated(|| shared.store.fail(claim.contact, claim.fence, claim.nonce, why)).await {
        Ok(Failed::RetryAt(at)) => {
            tracing::error!(%contact, why, %at, "a turn failed; it is tried again");
            TurnEnd::Failed
        }
        Ok(Failed::Parked(seq)) => {
            tracing::error!(%contact, why, seq, "a turn failed for the third time; its event was put aside");
            let head = claim.events.first().map_or(&[][..], |event| &event.payload);
            notes::parked(shared, &claim.channel, claim.contact, seq, why, head).await;
            TurnEnd::Parked
        }
        Ok(Failed::Fenced) => TurnEnd::Fenced,
        Err(why) => {
            tracing::error!(%contact, %why, "a failed turn could not be recorded");
            TurnEnd::Unwritten
        }
    }
}

//! Two contacts that turn out to be one person. Pure, so that every store merges alike.

use jiff::Timestamp;

use super::{WholeContact, WholeEvent};
use crate::store::{Caps, ParkedId, Sender};

/// `into` with what `from` had: its aliases, thread, unread events and what waits to be sent; the memory of whoever was
/// active later. The session, its timers and jobs stay `into`'s if it has one. If people have either chat, they have the
/// merged one, and what the bot had queued is not sent.
pub(crate) fn merged(
    from: WholeContact,
    mut into: WholeContact,
    caps: &Caps,
    now: Timestamp,
) -> WholeContact {
    let people_have_it = |contact: &WholeContact| !contact.owner.lets_bot_speak(now);
    let newer = from.active_at > into.active_at;

    for alias in from.aliases {
        if !into.aliases.contains(&alias) {
            into.aliases.push(alias);
        }
    }
    into.merged.extend(from.merged);
    into.merged.push(from.contact);
    into.merged.sort();

    let void_all = people_have_it(&into);
    if !void_all && !from.owner.lets_bot_speak(now) {
        into.owner = from.owner;
        into.takeovers += 1;
        for entry in &mut into.outbox {
            entry.void |= entry.sender == Sender::Bot;
        }
    }
    let void_all = people_have_it(&into);
    for mut entry in from.outbox {
        if into.outbox.iter().all(|known| known.id != entry.id) {
            entry.void |= void_all && entry.sender == Sender::Bot;
            into.outbox.push(entry);
        }
    }

    into.said_at = into.said_at.max(from.said_at);
    into.active_at = into.active_at.max(from.active_at);
    if from.memory.is_some() && (newer || into.memory.is_none()) {
        into.memory = from.memory;
    }
    if into.session.is_none() && from.session.is_some() {
        into.session = from.session;
        into.timers.extend(from.timers);
        into.timers.sort_by(|one, other| one.id.cmp(&other.id));
        into.timers.dedup_by(|one, other| one.id == other.id);
        for job in from.jobs {
            if into.jobs.iter().all(|known| known.id != job.id) {
                into.jobs.push(job);
            }
        }
    }

    if into.mailbox.is_empty() && !from.mailbox.is_empty() {
        into.burst_at = from.burst_at;
    }
    for event in from.mailbox {
        into.last_seq += 1;
        into.mailbox.push(WholeEvent {
            seq: into.last_seq,
            ..event
        });
    }
    into.run_at = match (into.run_at, from.run_at) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    into.seen.extend(from.seen);
    into.seen.sort_by_key(|seen| seen.at);
    let over = into.seen.len().saturating_sub(caps.dedup_ids);
    into.seen.drain(..over);
    into.erased |= from.erased;

    // Numbered anew, so that numbers still rise by time of writing and none is used twice.
    into.thread.extend(from.thread);
    into.thread.sort_by_key(|line| line.at);
    let over = into.thread.len().saturating_sub(caps.history_entries);
    into.thread.drain(..over);
    for line in &mut into.thread {
        into.lines += 1;
        line.seq = into.lines;
    }
    if let Some(pace) = from.pace
        && into.pace.is_none_or(|own| own.until < pace.until)
    {
        into.pace = Some(pace);
    }
    for mut parked in from.parked {
        parked.id = ParkedId::moved(into.contact, &parked.id);
        into.parked.push(parked);
    }
    into.parked.sort_by_key(|parked| parked.at);
    into
}

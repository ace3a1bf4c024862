//! How much is kept for one contact, and the check before anything is written.

use std::time::Duration;

use super::{Ingest, Keep, StoreError, TurnCommit};

/// Largest sizes of what is kept for one contact. Over a cap is a typed error, never silent growth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    pub session_bytes: usize,
    pub memory_bytes: usize,
    pub event_bytes: usize,
    pub mailbox_events: usize,
    pub outbox_entries: usize,
    pub history_entries: usize,
    /// Put aside in the whole store, or in each partition of one that has them. Beyond, the oldest goes.
    pub parked_events: usize,
    pub dedup_ids: usize,
    /// How long an inbound id is remembered. Meta redelivers for up to 7 days.
    pub dedup_for: Duration,
}

impl Default for Caps {
    fn default() -> Self {
        Caps {
            session_bytes: 64 * 1024,
            memory_bytes: 32 * 1024,
            event_bytes: 64 * 1024,
            mailbox_events: 1_000,
            outbox_entries: 200,
            history_entries: 500,
            parked_events: 1_000,
            dedup_ids: 512,
            dedup_for: Duration::from_secs(8 * 24 * 3600),
        }
    }
}

impl Caps {
    pub(crate) fn check_ingest(&self, events: &[Ingest]) -> Result<(), StoreError> {
        for event in events {
            at_most("an event", event.payload.len(), self.event_bytes)?;
            let line = event.history.as_ref().map_or(0, Vec::len);
            at_most("a line of the thread", line, self.event_bytes)?;
        }
        Ok(())
    }

    pub(crate) fn check_result(&self, result: &[u8]) -> Result<(), StoreError> {
        at_most("the result of a job", result.len(), self.event_bytes)
    }

    pub(crate) fn check_turn(&self, turn: &TurnCommit) -> Result<(), StoreError> {
        at_most("the session", written(&turn.session), self.session_bytes)?;
        at_most("the memory", written(&turn.memory), self.memory_bytes)?;
        for entry in &turn.outbox {
            at_most("a message", entry.payload.len(), self.event_bytes)?;
        }
        for (_, _, payload) in &turn.set_timers {
            at_most("a timer's event", payload.len(), self.event_bytes)?;
        }
        for job in &turn.jobs {
            at_most("a job", job.payload.len(), self.event_bytes)?;
        }
        for line in &turn.history {
            at_most("a line of the thread", line.len(), self.event_bytes)?;
        }
        Ok(())
    }

    /// `count` is what the outbox would hold after the turn.
    pub(crate) fn check_outbox(&self, count: usize) -> Result<(), StoreError> {
        if count > self.outbox_entries {
            return Err(StoreError::TooMany {
                what: "the outbox",
                count,
                cap: self.outbox_entries,
            });
        }
        Ok(())
    }
}

fn written(keep: &Keep) -> usize {
    match keep {
        Keep::AsItIs | Keep::Remove => 0,
        Keep::Write(bytes) => bytes.len(),
    }
}

fn at_most(what: &'static str, size: usize, cap: usize) -> Result<(), StoreError> {
    if size > cap {
        return Err(StoreError::TooBig { what, size, cap });
    }
    Ok(())
}

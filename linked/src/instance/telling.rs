//! What the keeper writes down and tells: the state of the session for the next start, the audit, and the events for
//! the webhooks.

use jiff::Timestamp;

use super::keeper::Keeper;
use crate::records::{Audited, Saved};
use crate::states::{Standing, State};
use crate::waha::{Frame, Me};

impl Keeper {
    pub(super) async fn acked(&self, id: &str, ack: i64, code: Option<u16>) {
        match self.records.acked(id, ack, code).await {
            Ok(Some(message)) => {
                let event = self.framed(|frame| frame.ack(&message));
                self.tell(event).await;
            }
            Ok(None) => {}
            Err(error) => tracing::error!(session = self.name, "an ack cannot be written down: {error:#}"),
        }
    }

    pub(super) fn framed<T>(&self, make: impl FnOnce(Frame<'_>) -> T) -> T {
        let me = self.view.borrow().me.clone();
        make(Frame {
            session: &self.name,
            me: me.as_ref(),
            now: Timestamp::now(),
        })
    }

    pub(super) async fn tell(&self, event: crate::records::Event) {
        match self.records.tell(event).await {
            Ok(()) => self.wake.send_modify(|count| *count += 1),
            Err(error) => tracing::error!(session = self.name, "an event cannot be written down: {error:#}"),
        }
    }

    pub(super) async fn audit(&self, who: &str, what: &str, from: &str, to: &str, reason: &str) {
        let line = Audited {
            at: Timestamp::now().to_string(),
            who: who.to_owned(),
            what: what.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            reason: reason.to_owned(),
            generation: self.view.borrow().generation,
        };
        if let Err(error) = self.records.audit(line).await {
            tracing::error!(session = self.name, "the audit cannot be written: {error:#}");
        }
    }

    pub(super) async fn write_down(&self) {
        if let Err(error) = self.save().await {
            tracing::error!(
                session = self.name,
                "the session's state cannot be written down: {error:#}"
            );
        }
    }

    pub(super) async fn save(&self) -> anyhow::Result<()> {
        let saved = {
            let view = self.view.borrow();
            Saved {
                config: view.config.clone(),
                generation: view.generation,
                wanted: self.wanted,
                state: written(&view.standing.state),
                reason: view.standing.reason.clone(),
                since: view.standing.since.to_string(),
                me: view.me.as_ref().map(Me::to_json),
            }
        };
        self.records.save(saved).await
    }
}

/// A state as it is written down: a ban with its end.
fn written(state: &State) -> String {
    match state {
        State::Banned { until: Some(until) } => format!("banned {until}"),
        other => other.name().to_owned(),
    }
}

/// Where a session stands that was written down by another run. What needed a person then needs one now.
pub(super) fn restored(saved: &Saved, now: Timestamp) -> Standing {
    let (name, until) = saved.state.split_once(' ').unwrap_or((&saved.state, ""));
    let state = match name {
        "qr_expired" => State::QrExpired,
        "replaced" => State::Replaced,
        "logged_out" => State::LoggedOut,
        "outdated" => State::Outdated,
        "failed" => State::Failed,
        "banned" => State::Banned {
            until: until.parse().ok(),
        },
        _ if saved.me.is_some() => State::Stopped,
        _ => State::Unlinked,
    };
    Standing {
        since: saved.since.parse().unwrap_or(now),
        ..Standing::new(state, saved.reason.clone(), now)
    }
}

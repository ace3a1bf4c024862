//! What people of the business type into a chat to keep the bot out of it: `.0` for a while, `.00` until they say so,
//! `.1` to let it go on. Only their side of a chat is read for these; a customer who types one has typed a text.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::mailbox::Item;
use crate::message::{Inbound, InboundBody, Role};
use crate::server::turns::thread::{Line, NoteKind};
use crate::store::Owner;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Shortcut {
    Pause,
    Stop,
    Resume,
}

impl Shortcut {
    /// The shortcut that a person has typed, and nothing else beside it.
    pub fn typed(text: &str) -> Option<Shortcut> {
        match text.trim() {
            ".0" => Some(Shortcut::Pause),
            ".00" => Some(Shortcut::Stop),
            ".1" => Some(Shortcut::Resume),
            _ => None,
        }
    }

    /// The shortcut in what somebody of the business wrote elsewhere, such as on the phone.
    pub fn in_event(event: &Inbound) -> Option<Shortcut> {
        if event.who.role != Role::Agent {
            return None;
        }
        let body = match &event.body {
            InboundBody::Echo { body } => body,
            other => other,
        };
        match body {
            InboundBody::Text { body } => Shortcut::typed(body),
            _ => None,
        }
    }

    /// Who has the chat from now on.
    pub fn owner(self, now: Timestamp, pause: Duration) -> Owner {
        match self {
            Shortcut::Pause => paused(now, pause),
            Shortcut::Stop => Owner::Human,
            Shortcut::Resume => Owner::Bot,
        }
    }

    /// What the conversation is told.
    pub fn item(self, agent: &str) -> Item {
        match self {
            Shortcut::Pause | Shortcut::Stop => Item::Taken {
                agent: agent.to_owned(),
            },
            Shortcut::Resume => Item::Returned,
        }
    }

    /// What the team reads in the thread.
    pub fn line(self, agent: &str, pause: Duration) -> Line {
        match self {
            Shortcut::Pause => {
                let minutes = pause.as_secs().div_ceil(60);
                let text =
                    format!(".0 typed ({agent}): Autopilot is paused in this chat for {minutes} minutes.");
                Line::note(NoteKind::Handoff, text, None)
            }
            Shortcut::Stop => {
                let text =
                    format!(".00 typed ({agent}): Autopilot is paused in this chat until .1 is typed.");
                Line::note(NoteKind::Handoff, text, None)
            }
            Shortcut::Resume => {
                let text = format!(".1 typed ({agent}): Autopilot goes on in this chat.");
                Line::note(NoteKind::Returned, text, None)
            }
        }
    }
}

/// Who has the chat after a person wrote into it: a pause that runs begins anew, otherwise they keep it.
pub(in crate::server) fn after_words(owner: Owner, now: Timestamp, pause: Duration) -> Owner {
    match owner {
        Owner::PausedUntil(until) if until > now => paused(now, pause),
        Owner::PausedUntil(_) | Owner::Bot | Owner::Human => Owner::Human,
    }
}

fn paused(now: Timestamp, pause: Duration) -> Owner {
    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
    Owner::PausedUntil(now.saturating_add(pause).unwrap_or(Timestamp::MAX))
}

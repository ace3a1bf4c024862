//! What happens when something in a flow can't be done: a template, a type, a service. It is said to the customer in
//! the business's words, to the team as a note, and to the log with file and line. It never loops: a fault while a
//! fault is handled ends with Switchboard's own sentence and a person.

use super::run::{Next, Run};
use super::sentences::sentences;
use super::turn::{Effect, Fault};
use crate::flow::program::Place;
use crate::flow::source::SourceLine;
use crate::message::OutboundBody;

/// An instruction that could not be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failed {
    pub what: String,
    pub place: Place,
    /// Name of the state or text.
    pub at: String,
}

impl Run<'_> {
    /// A fault at the present instruction.
    pub(super) fn failed(&self, what: impl Into<String>) -> Failed {
        Failed {
            what: what.into(),
            place: self.place,
            at: self
                .p
                .frames
                .last()
                .map(|frame| frame.at.clone())
                .unwrap_or_default(),
        }
    }

    /// Reports a fault and says where to go on: the business's `problem`, else our own sentence and a person.
    pub(super) fn mend(&mut self, failed: Failed) -> Next {
        let place = self.m.program.place(failed.place);
        let note = format!("{} ({place}, {})", failed.what, failed.at);
        self.effects.push(Effect::Fault(Fault {
            what: failed.what,
            place: place.clone(),
            at: failed.at,
        }));
        self.pending = None;
        let again = self.mending.replace(note).is_some();
        match self.m.program.business.problem {
            Some(pc) if !again => {
                self.fuel = super::run::FUEL;
                Next::At(pc)
            }
            _ => {
                self.give_up(place);
                Next::Rest
            }
        }
    }

    fn give_up(&mut self, said_at: SourceLine) {
        let words = sentences(self.language);
        if self.m.program.business.teams.is_empty() {
            // Nobody to give the chat to: the flow ends here, the next message starts afresh.
            self.say_own(words.problem_alone);
            self.idle();
            return;
        }
        self.say_own(words.problem);
        let note = self.why_passed_on();
        self.give_to_first_team(note, said_at);
    }

    pub(super) fn say_own(&mut self, text: &str) {
        self.send(
            OutboundBody::Text {
                body: text.to_owned(),
                preview: false,
            },
            None,
        );
    }
}

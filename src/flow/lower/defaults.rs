//! What every question inherits. Lowered once, from the business file, and shared.

use super::tail::{Ending, leads_somewhere};
use super::{Lowering, built_in};
use crate::flow::program::{Otherwise, Pc, Place, Silence, TextIx};
use crate::flow::tree::Defaults;

#[derive(Debug, Clone)]
pub(super) struct Inherited {
    pub(super) otherwise: Otherwise,
    /// The way out of `otherwise`, without its sentence: also for questions that write `up to N times` and no more.
    pub(super) way_out: Option<Pc>,
    pub(super) silence: Vec<Silence>,
}

impl Default for Inherited {
    fn default() -> Inherited {
        Inherited {
            otherwise: Otherwise {
                say: None,
                up_to: None,
                run: None,
            },
            way_out: None,
            silence: Vec::new(),
        }
    }
}

impl Lowering<'_> {
    pub(super) fn inherit(&mut self, defaults: &Defaults) {
        self.enter("business/otherwise".to_owned(), None, None);
        self.inherited.otherwise = match &defaults.otherwise {
            Some(otherwise) => {
                let lowered = self.otherwise(otherwise);
                let said_by_code = otherwise.up_to.is_none() && otherwise.tail.say.is_some();
                // Behind the sentence that stands before the way out.
                self.inherited.way_out = lowered.run.map(|run| run + u32::from(said_by_code));
                lowered
            }
            None => Otherwise {
                say: Some(self.built_in_text(built_in::OTHERWISE)),
                up_to: None,
                run: None,
            },
        };
        self.enter("business/no_reply".to_owned(), None, None);
        self.inherited.silence = self.silence(&defaults.no_reply);
    }

    /// One sentence, then the way that the business wrote; without one people get the chat.
    pub(super) fn problem(&mut self, defaults: &Defaults) -> Pc {
        self.enter("business/problem".to_owned(), None, None);
        let start = self.here();
        match &defaults.problem {
            Some(tail) => {
                let written = tail.say.as_ref().map(|text| text.span);
                let place = written
                    .or(tail.go.as_ref().map(|target| target.span))
                    .or(tail.body.first().map(|stmt| stmt.span))
                    .map_or(Place::BUILT_IN, |span| self.place(span));
                if written.is_none() && !leads_somewhere(tail) {
                    self.built_in_problem();
                } else {
                    self.tail(tail, place, Ending::People, &mut Vec::new());
                }
            }
            None => self.built_in_problem(),
        }
        start
    }

    fn built_in_problem(&mut self) {
        let text = self.built_in_text(built_in::PROBLEM);
        self.say(text, Place::BUILT_IN);
        self.hand_over(None, Place::BUILT_IN);
    }

    pub(super) fn closed(&mut self, defaults: &Defaults) -> TextIx {
        self.enter("business/closed".to_owned(), None, None);
        match &defaults.closed {
            Some(text) => self.text(text),
            None => self.built_in_text(built_in::CLOSED),
        }
    }
}

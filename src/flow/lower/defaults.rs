//! What every question inherits. Lowered once, from the business file, and shared. What the business didn't write
//! stays out of the program.

use super::Lowering;
use super::tail::Ending;
use crate::flow::program::{Otherwise, Pc, Silence, TextIx};
use crate::flow::tree::{Defaults, TargetKind};

#[derive(Debug, Clone, Default)]
pub(super) struct Inherited {
    pub(super) otherwise: Option<Otherwise>,
    /// The way out of `otherwise`, without its sentence: also for questions that write `up to N times` and no more.
    pub(super) way_out: Option<Pc>,
    pub(super) silence: Vec<Silence>,
    /// Those that say nothing, for questions of templates.
    pub(super) wordless: Vec<Silence>,
}

impl Lowering<'_> {
    pub(super) fn inherit(&mut self, defaults: &Defaults) {
        self.enter("business/otherwise".to_owned(), None, None);
        if let Some(otherwise) = &defaults.otherwise {
            let lowered = self.otherwise(otherwise);
            let said_by_code = otherwise.up_to.is_none() && otherwise.tail.say.is_some();
            // Behind the sentence that stands before the way out.
            self.inherited.way_out = lowered.run.map(|run| run + u32::from(said_by_code));
            self.inherited.otherwise = Some(lowered);
        }
        self.enter("business/no_reply".to_owned(), None, None);
        self.inherited.silence = self.silence(&defaults.no_reply);
        let wordless = |after: u64| {
            let line = defaults
                .no_reply
                .iter()
                .find(|line| line.after.as_secs() == after);
            line.is_some_and(|line| {
                let ends = line.tail.go.as_ref().is_some_and(|target| match target.kind {
                    TargetKind::Done(_) | TargetKind::Close | TargetKind::Handoff(_) => true,
                    TargetKind::Step(_)
                    | TargetKind::Flow(..)
                    | TargetKind::Again
                    | TargetKind::Back
                    | TargetKind::Start
                    | TargetKind::Resume => false,
                });
                ends && line.tail.say.is_none() && line.tail.body.is_empty()
            })
        };
        let silence = self.inherited.silence.iter();
        self.inherited.wordless = silence
            .filter(|line| wordless(line.after_seconds))
            .cloned()
            .collect();
    }

    /// One sentence, then the way that the business wrote; without one people get the chat.
    pub(super) fn problem(&mut self, defaults: &Defaults) -> Option<Pc> {
        self.enter("business/problem".to_owned(), None, None);
        let tail = defaults.problem.as_ref()?;
        let span = (tail.say.as_ref().map(|text| text.span))
            .or(tail.go.as_ref().map(|target| target.span))
            .or(tail.body.first().map(|stmt| stmt.span))?;
        let place = self.place(span);
        self.tail(tail, place, Ending::People, &mut Vec::new())
    }

    pub(super) fn closed(&mut self, defaults: &Defaults) -> Option<TextIx> {
        self.enter("business/closed".to_owned(), None, None);
        self.optional_text(defaults.closed.as_ref())
    }
}

//! Interrupting a question and coming back to it: `on` bodies, `no reply` lines, `resume`.

use super::faults::Failed;
use super::places::BUSINESS;
use super::position::Frame;
use super::run::{Next, Pending, Run};
use super::silence::Clock;
use super::turn::{Exit, Log};
use crate::flow::value::Record;

/// Interrupted questions that are kept; deeper ones replace the oldest.
pub(super) const DEPTH: usize = 3;

impl Run<'_> {
    /// Runs an `on` on top of whatever is open.
    pub(super) fn interrupt(&mut self, on: usize) {
        let m = self.m;
        let described = &m.program.ons[on];
        if let Some(frame) = self.p.frames.last() {
            self.log.push(Log::Left {
                state: frame.at.clone(),
                exit: Exit::Interrupted(on as u32),
            });
            self.pending = Some(Pending {
                frames: self.p.frames.clone(),
                from_on: true,
            });
        }
        match described
            .flow
            .map(|flow| m.program.flows[flow as usize].name.as_str())
        {
            // A flow's own `on` runs in that flow, and sees its values.
            Some(flow) => {
                let owner = self.p.frames.iter().rposition(|frame| frame.flow == flow);
                self.p.frames.truncate(owner.map_or(0, |at| at + 1));
            }
            None => {
                self.p.frames.clear();
                self.push_frame(BUSINESS, Record::new());
            }
        }
        self.execute(described.run);
    }

    /// The turn goes on elsewhere and rests there: what was interrupted can be resumed later.
    pub(super) fn commit_pending(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.p.interrupted.push(pending.frames);
            if self.p.interrupted.len() > DEPTH {
                self.p.interrupted.remove(0);
            }
        }
    }

    /// `resume`, and the end of an `on` body: the interrupted question is asked again.
    pub(super) fn resume(&mut self) -> Result<Next, Failed> {
        let interrupted = self
            .pending
            .take()
            .map(|pending| pending.frames)
            .or_else(|| self.p.interrupted.pop());
        let Some(frames) = interrupted else {
            // Nothing was interrupted: an `on` that answered an idle chat is simply done.
            if self.outbox.is_empty() && self.effects.is_empty() {
                return Ok(self.front_door());
            }
            self.idle();
            return Ok(Next::Rest);
        };
        self.put_back(frames);
        self.settle();
        self.left = None;
        let waits = self
            .p
            .frames
            .last()
            .and_then(|frame| self.m.state_named(&frame.at));
        match waits {
            Some(state) if self.question(state).is_some() => self.ask_anew(state),
            // The question is gone in this version, and so is the one that asked it.
            _ => Ok(self.restart_anew()),
        }
    }

    /// Stays in the question that is open, without asking again.
    pub(super) fn stay(&mut self) {
        if self.lent {
            // People keep the chat.
            return;
        }
        if let Some(pending) = self.pending.take() {
            let silences = self.p.frames.last().map(|frame| frame.silences);
            let from_on = pending.from_on;
            self.put_back(pending.frames);
            self.settle();
            if let (false, Some(silences), Some(frame)) = (from_on, silences, self.p.frames.last_mut()) {
                frame.silences = silences;
            }
            if from_on {
                self.clock = Clock::FromNow;
            }
        }
        self.left = None;
        let rests = self
            .p
            .frames
            .last()
            .is_some_and(|frame| self.question_named(&frame.at).is_some());
        if !rests {
            self.idle();
        }
    }

    /// Restores frames, with the values that were set meanwhile in the same flows.
    fn put_back(&mut self, mut frames: Vec<Frame>) {
        for (back, now) in frames.iter_mut().zip(&mut self.p.frames) {
            if back.flow == now.flow {
                back.locals = std::mem::take(&mut now.locals);
            }
        }
        self.p.frames = frames;
    }
}

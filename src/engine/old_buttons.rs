//! Taps: on an option of the open question, and on buttons that are still on the customer's screen from before.

use super::choice_id::{self, ChoiceId};
use super::crossing::Rest;
use super::machine::Machine;
use super::position::{Frame, OldQuestion, Position, SentOption};
use super::run::{Next, Run};
use super::triggers::Said;
use super::turn::Exit;
use crate::flow::program::{FINISH, Message, State, StateIx, StateKind};
use crate::flow::tree::OldButtons;
use crate::flow::value::Record;

/// Questions whose buttons may still be tapped in their session.
const OLD: usize = 8;
/// Seconds that a template waits for its answer, across sessions: a week.
const PATIENCE: u64 = 7 * 86_400;
/// So many of them outlive a session.
const TEMPLATES: usize = 3;
/// Bytes of rows from data that are kept of such a question, so that a position stays small.
const ROWS: usize = 4 * 1024;

impl Run<'_> {
    /// Whether the id of a tap is one of ours.
    pub(super) fn known_tap<'a>(&self, id: &'a str) -> Option<ChoiceId<'a>> {
        choice_id::decode(id)
    }

    pub(super) fn tap(&mut self, id: &ChoiceId<'_>) {
        if id.session != self.p.session || self.just_opened {
            let waiting = |entry: &usize| {
                self.p.old[*entry]
                    .waits_until
                    .is_some_and(|until| until > self.at)
            };
            match self.old_entry(id).filter(waiting) {
                Some(entry) => self.reopen(id, entry),
                None => self.tap_from_another_session(id),
            }
            return;
        }
        // The question that is open, also if its buttons are from an earlier time it was asked.
        let open = self
            .p
            .frames
            .last()
            .filter(|frame| id.visit == frame.visit || id.is_of(&frame.at));
        if let Some(frame) = open
            && let Some(state) = self.question_named(&frame.at)
        {
            let sent = frame.options.iter().find(|sent| id.picks(&sent.id)).cloned();
            if let Some(sent) = sent {
                self.take(state, &sent);
            } else if id.visit != frame.visit
                && let Some(entry) = self.old_entry(id)
            {
                self.tap_on_old(id, entry);
            } else {
                self.ask_instead("an option that is not offered");
            }
            return;
        }
        match self.old_entry(id) {
            Some(entry) => self.tap_on_old(id, entry),
            None => self.ask_instead("a button that is too old"),
        }
    }

    fn old_entry(&self, id: &ChoiceId<'_>) -> Option<usize> {
        self.p
            .old
            .iter()
            .rposition(|old| old.visit == id.visit && id.is_of(&old.at))
    }

    /// An earlier question of this session.
    fn tap_on_old(&mut self, id: &ChoiceId<'_>, entry: usize) {
        match self.m.program.business.old_buttons {
            OldButtons::Ignore => self.stale("an old button (they are ignored)"),
            OldButtons::Repeat => self.ask_instead("an old button (they repeat the question)"),
            OldButtons::Reopen => self.reopen(id, entry),
        }
    }

    fn reopen(&mut self, id: &ChoiceId<'_>, entry: usize) {
        let old = &self.p.old[entry];
        let sent = old.options.iter().find(|sent| id.picks(&sent.id)).cloned();
        match sent {
            Some(sent) => self.take_old(entry, &sent),
            None => self.ask_instead("a button of a question that is gone"),
        }
    }

    /// An answer to an earlier question.
    fn take_old(&mut self, entry: usize, sent: &SentOption) {
        let old = self.p.old[entry].clone();
        let rest = Rest {
            flow: &old.flow,
            program: &old.program,
            at: &old.at,
            anchor: &old.anchor,
            locals: &old.locals,
        };
        let Some(state) = self.settle_old(&rest) else {
            self.ask_instead("a button of a question that is gone");
            return;
        };
        let choice = self
            .question(state)
            .and_then(|question| question.options.iter().find(|one| one.id == sent.choice()));
        if sent.id == super::rows::MORE {
            self.ask_instead("a button for further rows that is too old");
            return;
        }
        let Some(choice) = choice else {
            self.ask_instead("a button of an option that is gone");
            return;
        };
        if choice.single_use {
            if old.used {
                self.ask_instead("a button that works only once");
                return;
            }
            self.p.old[entry].used = true;
        }
        self.p.old[entry].answered = true;
        self.p.frames = self.below(&old);
        self.p.interrupted.clear();
        self.p.frames.push(Frame {
            flow: old.flow,
            program: self.m.program.hash.clone(),
            at: self.m.program.states[state as usize].name.clone(),
            anchor: self.m.program.states[state as usize].anchor.clone(),
            visit: old.visit,
            misses: 0,
            gathered: 0,
            page: 0,
            silences: 0,
            locals: old.locals,
            talk: None,
            options: old.options,
        });
        self.take(state, sent);
    }

    /// Nothing runs, and the words are an option of a template that still waits for its answer: some providers tell of
    /// a tap by nothing but what stood on the button, and people type it, too.
    pub(super) fn answers_a_template(&mut self, said: &Said) -> bool {
        if said.whole.is_empty() {
            return false;
        }
        let waits = |old: &OldQuestion| !old.answered && old.waits_until.is_some_and(|until| until > self.at);
        let found = self
            .p
            .old
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, old)| waits(old))
            .find_map(|(entry, old)| {
                let state = self.question_named(&old.at)?;
                let question = self.question(state)?;
                let means =
                    |sent: &&SentOption| self.any_name(state, question, sent, |name| name == said.whole);
                Some((entry, old.options.iter().find(means)?.clone()))
            });
        match found {
            Some((entry, sent)) => {
                self.take_old(entry, &sent);
                true
            }
            None => false,
        }
    }

    /// The callers below the flow that asked, if it still runs or was interrupted.
    fn below(&self, old: &OldQuestion) -> Vec<Frame> {
        std::iter::once(&self.p.frames)
            .chain(self.p.interrupted.iter().rev())
            .find_map(|stack| {
                let at = stack.iter().rposition(|frame| frame.flow == old.flow)?;
                Some(stack[..at].to_vec())
            })
            .unwrap_or_default()
    }

    /// Instead of what was tapped, the present question is asked again.
    fn ask_instead(&mut self, what: &str) {
        self.stale(what);
        self.settle();
        let next = if self.p.frames.is_empty() {
            Ok(self.front_door())
        } else {
            self.ask_top_again()
        };
        self.finish_with(next);
    }

    /// The session of the button is over: its flow starts from its beginning.
    fn tap_from_another_session(&mut self, id: &ChoiceId<'_>) {
        self.speak_for(self.live);
        let asked = self.m.program.states.iter().find(|state| id.is_of(&state.name));
        if let Some(template) = asked.and_then(|state| self.template_asked_with(state))
            && self.replies_to(&template)
        {
            return;
        }
        let flow = asked.and_then(|state| state.flow).filter(|flow| {
            let flow = &self.m.program.flows[*flow as usize];
            !flow.called && flow.needs.is_empty()
        });
        let next = match flow {
            Some(flow) => Next::At(self.begin(flow, Record::new())),
            None => self.front_door(),
        };
        self.finish_with(Ok(next));
    }

    fn template_asked_with(&self, state: &State) -> Option<String> {
        match &state.kind {
            StateKind::Question(question) => match &question.prompt {
                Message::Template { template, .. } => {
                    let template = self.m.program.business.templates.get(*template as usize)?;
                    Some(template.name.clone())
                }
                Message::Say { .. }
                | Message::File { .. }
                | Message::Place { .. }
                | Message::React { .. } => None,
            },
            StateKind::Fetch(_) | StateKind::Call(_) | StateKind::Human(_) | StateKind::Answer(_) => None,
        }
    }

    /// Takes an option of a question.
    pub(super) fn take(&mut self, state: StateIx, sent: &SentOption) {
        let outcome = match self.question(state) {
            Some(question) if sent.id == FINISH && question.gather.is_some() => {
                self.log_left(state, Exit::Option(FINISH.to_owned()));
                return self.finish_gather(state, question);
            }
            Some(question) if sent.id == super::rows::MORE && question.more.is_some() => {
                self.log_left(state, Exit::Option(super::rows::MORE.to_owned()));
                self.next_page(state)
            }
            _ => self.option_taken(state, sent),
        };
        self.finish_with(outcome);
    }

    /// Remembers a question that was left, so that its buttons go on working.
    pub(super) fn keep_old(&mut self, frame: Frame) {
        if frame.options.is_empty() || self.p.old.iter().any(|old| old.visit == frame.visit) {
            return;
        }
        let rows = frame.options.iter().any(|sent| sent.row.is_some());
        let large = || serde_json::to_vec(&frame.options).is_ok_and(|bytes| bytes.len() > ROWS);
        if rows && large() {
            return;
        }
        let by_template = self
            .question_named(&frame.at)
            .and_then(|state| self.question(state))
            .is_some_and(|question| matches!(question.prompt, Message::Template { .. }));
        self.p.old.push(OldQuestion {
            used: self.used == Some(frame.visit),
            waits_until: by_template.then(|| super::silence::later(self.at, PATIENCE)),
            answered: self.answered == Some(frame.visit),
            visit: frame.visit,
            at: frame.at,
            flow: frame.flow,
            program: frame.program,
            anchor: frame.anchor,
            locals: frame.locals,
            options: frame.options,
        });
        if self.p.old.len() > OLD {
            let first = self.p.old.iter().position(|old| old.waits_until.is_none());
            self.p.old.remove(first.unwrap_or(0));
        }
    }

    /// The session ends. What an approved template asked stays answerable.
    pub(super) fn only_templates_stay(&mut self) {
        let open: Vec<Frame> = std::iter::once(&self.p.frames)
            .chain(&self.p.interrupted)
            .flatten()
            .filter(|frame| !frame.options.is_empty())
            .cloned()
            .collect();
        open.into_iter().for_each(|frame| self.keep_old(frame));
        let now = self.at;
        self.p
            .old
            .retain(|old| old.waits_until.is_some_and(|until| until > now));
        let surplus = self.p.old.len().saturating_sub(TEMPLATES);
        self.p.old.drain(..surplus);
    }

    /// Private answers go when their flow is done, also out of what is kept for old buttons.
    pub(super) fn forget_private(&mut self) {
        let versions: Vec<&Machine> = self.versions().filter(|m| !m.private.is_empty()).collect();
        if versions.is_empty() {
            return;
        }
        let Position {
            old,
            frames,
            interrupted,
            ..
        } = &mut self.p;
        let runs = |flow: &str| {
            let mut all = frames.iter().chain(interrupted.iter().flatten());
            all.any(|frame| frame.flow == flow)
        };
        for old in old.iter_mut().filter(|old| !runs(&old.flow)) {
            let private = versions.iter().filter_map(|m| m.private.get(old.flow.as_str()));
            for name in private.flatten() {
                old.locals.remove(name);
            }
        }
    }
}

//! What silence means, and every timer of a conversation.
//!
//! A question's own `no reply` lines win (lowering has already put the business's in where the question has none),
//! then the number's session settings; an idle chat has only the settings. A person in the chat suspends all of them.
//! An open session resolves by itself twelve hours after its last event, whoever has it.
//!
//! Timers are not set and cancelled one by one: at the end of a turn the position says which must be set, and the
//! difference to those before is what the host is told.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::position::Mode;
use super::run::{Next, Pending, Run};
use super::turn::{Closing, Effect, Exit, Log, TimerChange};
use crate::flow::program::{Message, Question};

const RESOLVE: &str = "resolve";
const TAKEOVER: &str = "takeover";
/// Beginning of the timer of a `no agent` line.
const AGENT: &str = "agent/";

/// From when silence is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// As before.
    Keep,
    /// From this event.
    FromNow,
    /// A line fired; the next one counts from when the first did.
    From(Timestamp),
}

/// What happens after some silence.
#[derive(Debug, Clone, Copy)]
enum Line {
    /// A `no reply` line of the question, by index.
    Own,
    /// The session settings' question and end.
    Ask,
    End,
}

/// `seconds` after `at`, or the end of time.
pub(super) fn later(at: Timestamp, seconds: u64) -> Timestamp {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    at.checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}

fn earlier(at: Timestamp, seconds: u64) -> Timestamp {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    at.checked_sub(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MIN)
}

impl<'m> Run<'m> {
    /// Silence lines that apply here, with the seconds after which each fires.
    fn lines(&self, question: Option<&Question>) -> Vec<(u64, Line)> {
        match question {
            Some(question) if !question.silence.is_empty() => question
                .silence
                .iter()
                .map(|line| (line.after_seconds, Line::Own))
                .collect(),
            // It may have come days after the customer's last words: the number's own questions could not be sent.
            Some(question) if matches!(question.prompt, Message::Template { .. }) => Vec::new(),
            None if self.p.uninvited => Vec::new(),
            _ if !self.settings.silence_rules => Vec::new(),
            _ if self.settings.ask_before_end => {
                let ask = self.settings.ask_after_seconds;
                vec![
                    (ask, Line::Ask),
                    (ask.saturating_add(self.settings.end_after_seconds), Line::End),
                ]
            }
            _ => vec![(self.settings.end_after_seconds, Line::End)],
        }
    }

    fn open_question(&self) -> Option<&'m Question> {
        let frame = self.p.frames.last()?;
        self.question(self.m.state_named(&frame.at)?)
    }

    /// The next silence timer of this position: its id, how much silence it means.
    fn next_silence(&self, before: &BTreeMap<String, Timestamp>) -> Option<(String, u64)> {
        if !self.p.open {
            return None;
        }
        if self.p.mode == Mode::Human {
            // Only the wait for somebody to take it.
            let (frame, human) = self.p.frames.last().zip(self.handed())?;
            let line = human.no_agent.get(frame.silences as usize)?;
            let id = format!("{AGENT}{}/{}", frame.visit, frame.silences);
            return self.p.taken.is_none().then_some((id, line.after_seconds));
        }
        match (self.p.frames.last(), self.open_question()) {
            (Some(frame), Some(question)) => {
                let quiet = question.gather.and_then(|gather| gather.quiet_seconds);
                if let Some(quiet) = quiet.filter(|_| frame.gathered > 0) {
                    return Some((format!("q{}/g{}", frame.visit, frame.gathered), quiet));
                }
                let (after, _) = *self.lines(Some(question)).get(frame.silences as usize)?;
                Some((format!("q{}/{}", frame.visit, frame.silences), after))
            }
            // Waiting for a service.
            (Some(_), None) => None,
            (None, _) => {
                let fired = match self.clock {
                    Clock::FromNow => 0,
                    Clock::Keep | Clock::From(_) => self.idle_line(before),
                };
                let (after, _) = *self.lines(None).get(fired)?;
                Some((format!("idle/{fired}"), after))
            }
        }
    }

    /// The line an idle chat waits for: the one whose timer is set, or the one after that which just fired.
    fn idle_line(&self, before: &BTreeMap<String, Timestamp>) -> usize {
        let set = |timers: &BTreeMap<String, Timestamp>| {
            timers.keys().find_map(|id| {
                id.strip_prefix("idle/")
                    .and_then(|line| line.parse::<usize>().ok())
            })
        };
        match self.clock {
            Clock::From(_) => set(before).map_or(0, |line| line.saturating_add(1)),
            Clock::Keep | Clock::FromNow => set(before).unwrap_or(0),
        }
    }

    /// Sets the timers that this position needs, and says what changed. `active`: the event shows that somebody is
    /// there, so the session lives on.
    pub(super) fn set_timers(
        &mut self,
        before: &BTreeMap<String, Timestamp>,
        active: bool,
    ) -> Vec<TimerChange> {
        let mut timers = BTreeMap::new();
        if self.p.open {
            let due = before.get(RESOLVE).copied().filter(|_| !active);
            timers.insert(
                RESOLVE.to_owned(),
                due.unwrap_or_else(|| later(self.at, self.settings.resolve_after_seconds)),
            );
        }
        if self.p.mode == Mode::Human
            && let Some(due) = self.p.timers.get(TAKEOVER)
        {
            timers.insert(TAKEOVER.to_owned(), *due);
        }
        if let Some((id, after)) = self.next_silence(before) {
            let base = match self.clock {
                Clock::Keep => None,
                Clock::FromNow => Some(self.at),
                Clock::From(base) => Some(base),
            };
            let kept = before.get(&id).copied().filter(|_| base.is_none());
            timers.insert(id, kept.unwrap_or_else(|| later(base.unwrap_or(self.at), after)));
        }
        if let Some(closing) = self.p.window {
            timers.insert(super::outside::TIMER.to_owned(), closing);
        }
        self.plan_timers(&mut timers);
        let mut changes: Vec<TimerChange> = before
            .keys()
            .filter(|id| !timers.contains_key(*id))
            .map(|id| TimerChange::Cancel { id: id.clone() })
            .collect();
        changes.extend(
            timers
                .iter()
                .filter(|(id, due)| before.get(*id) != Some(due))
                .map(|(id, due)| TimerChange::Set {
                    id: id.clone(),
                    due: *due,
                }),
        );
        self.p.timers = timers;
        changes
    }

    /// A person writes in the place of the bot: after this much silence by people the bot is back.
    pub(super) fn pause_for_takeover(&mut self) {
        if let Some(seconds) = self.m.program.business.takeover_pauses_seconds {
            self.p.timers.insert(TAKEOVER.to_owned(), later(self.at, seconds));
        }
    }

    pub(super) fn is_paused_for_takeover(&self) -> bool {
        self.p.timers.contains_key(TAKEOVER)
    }

    /// A timer fired. One that isn't set (any more), or fires before its time, does nothing.
    pub(super) fn timer(&mut self, id: &str) {
        let Some(due) = self.p.timers.get(id).copied().filter(|due| *due <= self.at) else {
            return self.stale_timer(id);
        };
        match id {
            RESOLVE => self.close(Closing::Resolved),
            super::outside::TIMER => self.window_closing(),
            TAKEOVER => {
                self.p.timers.remove(TAKEOVER);
                self.p.mode = Mode::Autopilot;
                self.idle();
                self.effects.push(Effect::BotAgain);
            }
            _ if id.starts_with(super::later::TIMER) => self.planned_timer(&id[super::later::TIMER.len()..]),
            _ if id.starts_with(AGENT) => self.agent_timer(id, due),
            _ if id.starts_with("idle/") => {
                let line = id
                    .strip_prefix("idle/")
                    .and_then(|line| line.parse().ok())
                    .unwrap_or(usize::MAX);
                match self.lines(None).get(line) {
                    Some((after, kind)) => self.silent(*kind, earlier(due, *after)),
                    None => self.stale_timer(id),
                }
            }
            _ => self.question_timer(id, due),
        }
    }

    fn stale_timer(&mut self, id: &str) {
        self.stale(&format!("timer {id}"));
    }

    fn agent_timer(&mut self, id: &str, due: Timestamp) {
        let lines = self.handed().map(|human| &human.no_agent);
        let Some((lines, frame)) = lines.zip(self.p.frames.last_mut()) else {
            self.stale_timer(id);
            return;
        };
        let at = frame.silences;
        let line = lines
            .get(at as usize)
            .filter(|_| format!("{AGENT}{}/{at}", frame.visit) == id);
        let Some(line) = line.filter(|_| self.p.mode == Mode::Human && self.p.taken.is_none()) else {
            self.stale_timer(id);
            return;
        };
        frame.silences = at.saturating_add(1);
        self.clock = Clock::From(earlier(due, line.after_seconds));
        if let Some(run) = self.nobody_came(at) {
            self.lent = true;
            self.finish_with(Ok(Next::At(run)));
            self.lent = false;
        }
    }

    fn question_timer(&mut self, id: &str, due: Timestamp) {
        let Some((question, frame)) = self.open_question().zip(self.p.frames.last_mut()) else {
            self.stale_timer(id);
            return;
        };
        if frame.gathered > 0 && format!("q{}/g{}", frame.visit, frame.gathered) == id {
            let state = self
                .p
                .frames
                .last()
                .and_then(|frame| self.m.state_named(&frame.at));
            if let Some(state) = state {
                self.finish_gather(state, question);
            }
            return;
        }
        let line = frame.silences;
        if format!("q{}/{line}", frame.visit) != id {
            self.stale_timer(id);
            return;
        }
        frame.silences = line.saturating_add(1);
        let state = frame.at.clone();
        let Some((after, kind)) = self.lines(Some(question)).get(line as usize).copied() else {
            self.stale_timer(id);
            return;
        };
        self.log.push(Log::Left {
            state,
            exit: Exit::NoReply(line),
        });
        let base = earlier(due, after);
        match (kind, question.silence.get(line as usize)) {
            (Line::Own, Some(own)) => {
                self.clock = Clock::From(base);
                self.by_silence = true;
                if let Some(text) = own.say
                    && let Err(failed) = self.say_text(text)
                {
                    self.finish_with(Err(failed));
                    return;
                }
                if let Some(run) = own.run {
                    self.pending = Some(Pending {
                        frames: self.p.frames.clone(),
                        from_on: false,
                    });
                    self.finish_with(Ok(Next::At(run)));
                }
            }
            (kind, _) => self.silent(kind, base),
        }
    }

    /// The session settings' rules.
    fn silent(&mut self, kind: Line, base: Timestamp) {
        match kind {
            Line::Ask => {
                self.clock = Clock::From(base);
                let text = self.settings.ask_text.clone();
                if !text.trim().is_empty() {
                    self.say_own(&text);
                }
            }
            Line::Own | Line::End => {
                let text = self.settings.end_text.clone();
                if !text.trim().is_empty() {
                    self.say_own(&text);
                }
                self.close(Closing::Silence);
            }
        }
    }
}

//! From an event to a turn: who has the chat, which session it is, what is being waited for.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::choice_id::ChoiceId;
use super::crossing::state_in;
use super::event::{Event, EventKind, Incoming};
use super::legal::{LegalWord, legal_word};
use super::position::Mode;
use super::run::Run;
use super::sentences::sentences;
use super::silence::Clock;
use super::triggers::Said;
use super::turn::{Closing, Effect, Log, Turn};
use crate::flow::program::{StateIx, StateKind};

/// Frames and interruptions that a position may have; a position that was tampered with is cut to this.
const FRAMES: usize = 32;

/// What the position waits for, in this version of the program.
#[derive(Debug)]
pub(super) enum Standing {
    Idle,
    Question(StateIx),
    /// A service's answer.
    Service,
    /// The question means something else now: it must be asked again.
    Changed(StateIx),
    /// The state is gone.
    Gone,
}

/// What a customer did.
enum Input<'a> {
    Words(&'a Incoming, Said),
    Tap(ChoiceId<'a>),
}

impl<'m> Run<'m> {
    pub(super) fn process(mut self, event: &'m Event) -> Turn {
        let before = self.p.timers.clone();
        let asked = self.p.frames.last();
        let asked = asked.filter(|frame| !frame.options.is_empty()).cloned();
        self.p.seq = self.p.seq.saturating_add(1);
        self.p.frames.truncate(FRAMES);
        let surplus = self.p.interrupted.len().saturating_sub(super::interrupts::DEPTH);
        self.p.interrupted.drain(..surplus);
        self.settle();
        self.p.last = Some(self.p.last.map_or(event.at, |last| last.max(event.at)));
        let active = match &event.kind {
            EventKind::Message(incoming) => {
                self.window_opens();
                self.incoming = Some(incoming);
                self.message(incoming);
                true
            }
            EventKind::Tap { id, title } => {
                self.window_opens();
                self.tapped = Some(title);
                self.tapped_on(id, title);
                true
            }
            EventKind::Timer { id } => {
                self.timer(id);
                false
            }
            EventKind::Result { key, answer } => {
                if self.p.mode == Mode::Human {
                    self.stale("a service answered after people took the chat");
                } else {
                    self.result(key, answer);
                }
                false
            }
            EventKind::Happened { event, values } => {
                self.happened(event, values);
                false
            }
            EventKind::Replied { key, reply } => {
                if self.p.mode == Mode::Human {
                    self.stale("the model replied after people took the chat");
                } else {
                    self.replied(key, reply);
                }
                false
            }
            EventKind::Start { flow, values } => {
                self.start_flow(flow, values);
                true
            }
            EventKind::Taken { agent } | EventKind::PersonSaid { agent } => {
                self.person(agent);
                true
            }
            EventKind::Returned => {
                if self.p.mode == Mode::Human {
                    self.given_back();
                } else {
                    self.stale("people gave back a chat they didn't have");
                }
                true
            }
            EventKind::Close => {
                if self.p.open || self.p.mode == Mode::Human {
                    self.close(Closing::Host);
                } else {
                    self.stale("a session was ended that wasn't open");
                }
                false
            }
        };
        self.p.uninvited &= !active;
        if let Some(asked) = asked
            && self.p.open
            && self
                .p
                .frames
                .last()
                .is_none_or(|frame| frame.visit != asked.visit)
        {
            self.keep_old(asked);
        }
        self.forget_private();
        // What rests now decides which silence counts.
        self.settle();
        let timers = self.set_timers(&before, active);
        self.into_turn(timers)
    }

    pub(super) fn stale(&mut self, what: &str) {
        self.log.push(Log::Stale {
            what: what.to_owned(),
        });
    }

    fn message(&mut self, incoming: &Incoming) {
        let said = Said::new(&incoming.text);
        match legal_word(
            &said.whole,
            self.memory.opted_out,
            &self.m.program.business.opt_out,
        ) {
            Some(word) => self.legal(word),
            None => self.respond(&Input::Words(incoming, said)),
        }
    }

    fn tapped_on(&mut self, id: &str, title: &str) {
        match self.known_tap(id) {
            Some(known) => self.respond(&Input::Tap(known)),
            None => {
                // A template's quick reply, or a button of somebody else's: its words count.
                let incoming = Incoming {
                    text: title.to_owned(),
                    template: super::choice_id::template_of(id).map(str::to_owned),
                    ..Incoming::default()
                };
                self.respond(&Input::Words(&incoming, Said::new(title)));
            }
        }
    }

    fn respond(&mut self, input: &Input<'_>) {
        self.open_session();
        if self.p.mode == Mode::Human {
            // The message goes to the team.
            if let Input::Words(incoming, _) = input {
                self.draft_for_people(&incoming.text);
            }
            return;
        }
        match (self.standing(), input) {
            (Standing::Idle, input) => {
                self.idle();
                match input {
                    Input::Words(incoming, said) => self.open_conversation(incoming, said),
                    Input::Tap(id) => self.tap(id),
                }
            }
            (Standing::Question(state), input) => {
                self.somebody_is_there();
                match input {
                    Input::Words(incoming, said) => self.answer(state, incoming, said),
                    Input::Tap(id) => self.tap(id),
                }
            }
            (Standing::Service, _) => self.stale("something while a service is asked"),
            (Standing::Changed(_) | Standing::Gone, _) => self.renew(),
        }
    }

    /// A message stops the timers of silence; those of the present question start again.
    fn somebody_is_there(&mut self) {
        self.clock = Clock::FromNow;
        if let Some(frame) = self.p.frames.last_mut() {
            frame.silences = 0;
        }
    }

    fn start_flow(&mut self, name: &str, values: &BTreeMap<String, Json>) {
        self.open_session();
        match self.m.start_named(name, values) {
            Ok((flow, needed)) if self.p.mode == Mode::Autopilot => {
                let first = self.begin(flow, needed);
                self.execute(first);
            }
            Ok(_) => self.stale("a flow was started while people have the chat"),
            Err(why) => self.stale(&why),
        }
    }

    fn legal(&mut self, word: LegalWord) {
        let words = sentences(self.language);
        match word {
            LegalWord::OptOut => {
                self.effects.push(Effect::OptOut { opted_out: true });
                self.say_own(words.opted_out);
                self.p.later.clear();
                // Whatever was open ends, so that no timer writes to them. People keep their chat.
                if self.p.mode == Mode::Autopilot {
                    self.close(Closing::OptOut);
                }
            }
            LegalWord::Resume => {
                self.effects.push(Effect::OptOut { opted_out: false });
                self.say_own(words.opted_in);
            }
        }
    }

    fn person(&mut self, agent: &str) {
        self.open_session();
        if self.p.mode == Mode::Autopilot {
            self.people_have_it();
            self.pause_for_takeover();
        } else if self.is_paused_for_takeover() {
            self.pause_for_takeover();
        }
        self.taken_by(agent);
    }

    /// What the running flow waits for, in the version that goes on with it (see [`Run::settle`]).
    pub(super) fn standing(&mut self) -> Standing {
        let m = self.m;
        let Some(frame) = self.p.frames.last_mut() else {
            return Standing::Idle;
        };
        let Some(ix) = state_in(m, &frame.flow, &frame.at) else {
            return Standing::Gone;
        };
        let state = &m.program.states[ix as usize];
        match &state.kind {
            StateKind::Question(question) if frame.program != m.program.hash => {
                // The version that asked is not kept any more. What was offered then is all there is to go by.
                let offered = |id: &str| question.options.iter().any(|choice| choice.id == id);
                let subset = !frame.options.is_empty()
                    && frame.options.iter().all(|sent| match sent.id.as_str() {
                        super::rows::MORE => question.more.is_some(),
                        _ => offered(sent.choice()),
                    });
                if !subset {
                    return Standing::Changed(ix);
                }
                frame.at.clone_from(&state.name);
                frame.anchor.clone_from(&state.anchor);
                frame.program.clone_from(&m.program.hash);
                Standing::Question(ix)
            }
            StateKind::Question(_) => Standing::Question(ix),
            StateKind::Fetch(_) | StateKind::Answer(_) => Standing::Service,
            // Nobody waits there in autopilot: a position from elsewhere.
            StateKind::Call(_) | StateKind::Human(_) => Standing::Gone,
        }
    }

    /// The version changed under the customer: the question as it is now, or the flow from its first step.
    fn renew(&mut self) {
        let next = match self.standing() {
            Standing::Changed(state) => self.ask(state, true),
            _ => {
                let at = self
                    .p
                    .frames
                    .last()
                    .map(|frame| frame.at.clone())
                    .unwrap_or_default();
                self.stale(&format!("{at} is gone in this version"));
                let next = self.restart_anew();
                self.p.interrupted.clear();
                Ok(next)
            }
        };
        self.finish_with(next);
    }
}

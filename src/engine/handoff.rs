//! Giving the chat to people and getting it back, and the beginning and end of sessions.

use super::faults::Failed;
use super::position::Mode;
use super::run::{Next, Run};
use super::sentences::sentences;
use super::silence::Clock;
use super::turn::{Closing, Effect, Exit, HandedOver, Log};
use crate::flow::program::{Human, Pc, StateIx, StateKind};
use crate::flow::source::SourceLine;
use crate::flow::value::Value;

impl<'m> Run<'m> {
    pub(super) fn hand_over(&mut self, state: StateIx) -> Result<Next, Failed> {
        let m = self.m;
        let StateKind::Human(human) = &m.program.states[state as usize].kind else {
            return Err(self.failed("a handoff without people"));
        };
        let opens = human.team.and_then(|team| self.opening_of(team));
        let closed = human.team.is_some_and(|team| {
            let team = &m.program.business.teams[team as usize];
            self.team_is_open(&team.name) == Some(false)
        });
        if closed && let Some(pc) = human.when_closed {
            self.log_left(state, Exit::Closed);
            return Ok(Next::At(pc));
        }
        let mut note = self.optional_text(human.note)?;
        if let Some(fault) = self.why_passed_on() {
            note = Some(note.map_or(fault.clone(), |note| format!("{note}\n{fault}")));
        }
        let priority = match &human.priority {
            Some((level, condition)) if self.allows(*condition) => Some(level.clone()),
            _ => None,
        };
        if closed {
            self.say_closed(human.team)?;
        }
        self.commit_pending();
        self.note_left();
        let talk = self.talk_for_drafts(human);
        self.rest_at(state);
        self.top().talk = talk;
        self.people_have_it();
        if let Some(opens) = opens {
            // Nobody can take it before.
            self.clock = Clock::From(opens);
        }
        self.effects.push(Effect::Handoff(HandedOver {
            team: human
                .team
                .map_or("", |team| &m.program.business.teams[team as usize].name)
                .to_owned(),
            note,
            priority,
            assist: human.assist,
            opens,
            said_at: m.program.place(self.place),
        }));
        Ok(Next::Rest)
    }

    /// The built-in way to a person, for questions of businesses that wrote none. `false` if there is nobody.
    pub(super) fn hand_to_first_team(&mut self) -> bool {
        let Some(team) = self.m.program.business.teams.first() else {
            return false;
        };
        if self.team_is_open(&team.name) == Some(false) && self.say_closed(Some(0)).is_err() {
            self.say_own(sentences(self.language).closed_for_now);
        }
        let said_at = self.m.program.place(self.place);
        self.give_to_first_team(None, said_at);
        true
    }

    /// People get the chat without a handoff of the author's; of a business without teams nobody does.
    pub(super) fn give_to_first_team(&mut self, note: Option<String>, said_at: SourceLine) {
        let Some(team) = self.m.program.business.teams.first() else {
            return;
        };
        self.people_have_it();
        self.effects.push(Effect::Handoff(HandedOver {
            team: team.name.clone(),
            note,
            priority: None,
            assist: false,
            opens: self.opening_of(0),
            said_at,
        }));
    }

    /// For the team, after a fault.
    pub(super) fn why_passed_on(&self) -> Option<String> {
        let fault = self.mending.as_ref()?;
        Some(format!(
            "The bot passed this chat on because something went wrong: {fault}"
        ))
    }

    fn say_closed(&mut self, team: Option<u32>) -> Result<(), Failed> {
        let opens = team.and_then(|team| self.opens_in_words(team));
        if let Some(text) = self.m.program.business.closed {
            let title = team.map(|team| self.title_of(team).to_owned());
            if let Some(title) = title {
                self.extra.insert("team".to_owned(), Value::Text(title));
            }
            if let Some(opens) = &opens {
                self.extra.insert("opens".to_owned(), Value::text(opens.clone()));
            }
            let said = self.say_text(text);
            self.extra.clear();
            return said;
        }
        let words = sentences(self.language);
        let body = match opens {
            Some(opens) => words.closed.replace("{}", &opens),
            None => words.closed_for_now.to_owned(),
        };
        self.say_own(&body);
        Ok(())
    }

    /// From now on the bot is silent. Nobody in particular has taken it yet.
    pub(super) fn people_have_it(&mut self) {
        self.p.mode = Mode::Human;
        self.p.taken = None;
        self.p.interrupted.clear();
        self.pending = None;
        self.left = None;
    }

    /// The handoff at which the flow rests while people have the chat, with its place.
    pub(super) fn handed(&self) -> Option<&'m Human> {
        let frame = self.p.frames.last()?;
        let state = self.m.state_named(&frame.at)?;
        match &self.m.program.states[state as usize].kind {
            StateKind::Human(human) => Some(human),
            StateKind::Question(_) | StateKind::Fetch(_) | StateKind::Call(_) | StateKind::Answer(_) => None,
        }
    }

    fn left_people(&mut self, exit: Exit) {
        let state = self.p.frames.last().map(|frame| frame.at.clone());
        if let Some(state) = state {
            self.log.push(Log::Left { state, exit });
        }
    }

    /// A person is there. The first time after a handoff the customer is told.
    pub(super) fn taken_by(&mut self, agent: &str) {
        let first = self.p.taken.is_none();
        if first || !agent.is_empty() {
            self.p.taken = Some(agent.to_owned());
        }
        let Some(human) = self.handed().filter(|_| first) else {
            return;
        };
        self.left_people(Exit::Taken);
        if let Some(text) = human.when_taken
            && let Err(failed) = self.say_text(text)
        {
            self.finish_with(Err(failed));
        }
    }

    /// The title of the team that was asked for, or the business, for somebody whose name is not known.
    pub(super) fn somebody(&self) -> String {
        match self.handed().and_then(|human| human.team) {
            Some(team) => self.title_of(team).to_owned(),
            None => self.m.program.business.name.clone(),
        }
    }

    /// A `no agent` line is due.
    pub(super) fn nobody_came(&mut self, line: u32) -> Option<Pc> {
        let waited = self.handed()?.no_agent.get(line as usize)?;
        self.left_people(Exit::NoAgent(line));
        if let Some(text) = waited.say
            && let Err(failed) = self.say_text(text)
        {
            self.finish_with(Err(failed));
            return None;
        }
        waited.run
    }

    /// The lines of `no agent` lead away: the chat is the bot's.
    pub(super) fn take_back(&mut self) {
        self.lent = false;
        self.p.mode = Mode::Autopilot;
        self.p.taken = None;
        self.effects.push(Effect::BotAgain);
    }

    /// People give the chat back.
    pub(super) fn given_back(&mut self) {
        let Some(pc) = self.handed().and_then(|human| human.when_returned) else {
            if self.handed().is_some() {
                self.left_people(Exit::Returned);
            }
            return self.bot_again();
        };
        self.left_people(Exit::Returned);
        self.p.mode = Mode::Autopilot;
        self.effects.push(Effect::BotAgain);
        self.execute(pc);
    }

    pub(super) fn bot_again(&mut self) {
        if self.p.mode == Mode::Human {
            self.p.mode = Mode::Autopilot;
            self.effects.push(Effect::BotAgain);
        }
        self.idle();
    }

    pub(super) fn open_session(&mut self) {
        if !self.p.open {
            self.p.open = true;
            self.just_opened = true;
            self.p.session = self.p.session.saturating_add(1);
            self.effects.push(Effect::Opened {
                session: self.p.session,
            });
        }
    }

    /// Opens a session that the customer didn't ask for.
    pub(super) fn open_uninvited(&mut self) {
        self.open_session();
        self.p.uninvited |= self.just_opened;
    }

    /// Ends the session: the values of flows and `chat.*` go, the contact's memory stays.
    pub(super) fn close(&mut self, why: Closing) {
        self.only_templates_stay();
        self.bot_again();
        self.p.taken = None;
        self.p.chat.clear();
        self.p.uninvited = false;
        if self.p.open {
            self.p.open = false;
            self.effects.push(Effect::Closed {
                session: self.p.session,
                why,
            });
        }
    }
}

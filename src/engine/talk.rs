//! `answer`: a model replies to the customer, inside a fence.
//!
//! The model is outside, like a service: the machine asks for a reply ([`Effect::Ask`]) and rests; what comes back is an
//! event. It is only a proposal. Here it is checked against the lines of the `answer`, refused once with a reason, and
//! then counts as not sure. Between two replies the conversation rests at an ordinary open question, so silence, `on`
//! words and interruptions work as everywhere.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::answers::fit;
use super::event::{self, Reply, Says};
use super::faults::Failed;
use super::fence::refusal;
use super::run::{Next, Run};
use super::sentences::sentences;
use super::turn::{Asked, Effect, Exit, Found, Log, Spoken};
use crate::flow::program::{Answer, Business, StateIx, StateKind};
use crate::flow::tree::Method;
use crate::flow::value::Value;
use crate::message::OutboundBody;

/// Characters of one thing said that the model is told.
const TOLD: usize = 1_500;
/// Things said that the model is told, and their bytes together.
const KEPT: usize = 16;
const KEPT_BYTES: usize = 6 * 1024;
/// Actions for one reply.
const LOOKS: u32 = 3;
/// Bytes of what came of an action that the model is told.
const FOUND_BYTES: usize = 4 * 1024;

/// What was said and counted while a model answers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Talk {
    /// Names of the two states: waiting for the model, and for the customer.
    pub answer: String,
    pub reply: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spoken: Vec<Spoken>,
    /// Looked up for the reply that is awaited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<Found>,
    /// The action that is under way, with what it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looking: Option<(String, Json)>,
    #[serde(default)]
    pub replies: u32,
    #[serde(default)]
    pub off_topic: u32,
    /// The reply that is awaited was refused once.
    #[serde(default)]
    pub refused: bool,
}

impl Talk {
    pub(super) fn is_at(&self, state: &str) -> bool {
        self.answer == state || self.reply == state
    }

    fn says(&mut self, customer: bool, text: &str) {
        Spoken::add(&mut self.spoken, customer, text);
    }
}

impl Spoken {
    /// Adds what was said now. What a model is told is bounded: the oldest goes first.
    pub fn add(spoken: &mut Vec<Spoken>, customer: bool, text: &str) {
        let text: String = text.chars().take(TOLD).collect();
        spoken.push(Spoken { customer, text });
        let bytes = |spoken: &[Spoken]| spoken.iter().map(|one| one.text.len()).sum::<usize>();
        while spoken.len() > KEPT || (spoken.len() > 1 && bytes(spoken) > KEPT_BYTES) {
            spoken.remove(0);
        }
    }
}

impl Asked {
    /// Why a text can't be what was asked for, in words for the model.
    pub fn refusal(&self, text: &str) -> Option<String> {
        refusal(self.at_most, &self.never, text)
    }
}

impl<'m> Run<'m> {
    pub(super) fn answer_at(&self, state: StateIx) -> Result<&'m Answer, Failed> {
        match &self.m.program.states[state as usize].kind {
            StateKind::Answer(answer) => Ok(answer),
            StateKind::Question(_) | StateKind::Fetch(_) | StateKind::Call(_) | StateKind::Human(_) => {
                Err(self.failed("an `answer` that is none"))
            }
        }
    }

    fn talk(&mut self) -> &mut Talk {
        self.top().talk.get_or_insert_default()
    }

    /// `answer`, for the first time or after the customer's next message.
    pub(super) fn answer_by_model(&mut self, state: StateIx) -> Result<Next, Failed> {
        let m = self.m;
        let answer = self.answer_at(state)?;
        let reply = &m.program.states[answer.reply as usize].name;
        if self.left.as_deref() == Some(reply) {
            self.left = None;
        } else {
            self.commit_pending();
            self.note_left();
            self.top().talk = Some(Box::new(Talk {
                answer: m.program.states[state as usize].name.clone(),
                reply: reply.clone(),
                ..Talk::default()
            }));
        }
        let words = self.words().trim();
        if words.is_empty() || self.chosen {
            // Nothing was asked yet. A sentence of the flow before it is the invitation.
            if self.outbox.is_empty() {
                self.ask_for_more(answer.reply);
            } else {
                self.rest_at_reply(answer.reply);
            }
            return Ok(Next::Rest);
        }
        let talk = self.talk();
        talk.says(true, words);
        (talk.refused, talk.found) = (false, Vec::new());
        self.ask_model(state, None)?;
        Ok(Next::Rest)
    }

    /// Asked again after an interruption, or before anything was asked.
    pub(super) fn ask_for_more(&mut self, reply: StateIx) {
        let words = sentences(self.language);
        let begun = self.top().talk.as_ref().is_some_and(|talk| talk.replies > 0);
        self.say_own(if begun { words.ask_on } else { words.ask_away });
        self.rest_at_reply(reply);
    }

    fn rest_at_reply(&mut self, reply: StateIx) {
        self.rest_at(reply);
        self.note_asked(reply);
    }

    /// The customer is expected to say something.
    fn note_asked(&mut self, reply: StateIx) {
        self.log.push(Log::Asked {
            state: self.m.program.states[reply as usize].name.clone(),
        });
    }

    fn ask_model(&mut self, state: StateIx, refused: Option<String>) -> Result<(), Failed> {
        let m = self.m;
        let answer = self.answer_at(state)?;
        let business = &m.program.business;
        let visit = self.rest_at(state);
        let name = &m.program.states[state as usize].name;
        let uses = answer.uses.iter().filter_map(|(service, action)| {
            let service = business.services.get(*service as usize)?;
            let action = service.actions.get(*action as usize)?;
            Some((format!("{}.{}", service.name, action.name), action.needs.clone()))
        });
        let remembers = answer.remembers.iter().filter_map(|path| {
            let [scope, field] = path.as_slice() else {
                return None;
            };
            let fields = if scope == "chat" {
                &business.chat_fields
            } else {
                &business.contact_fields
            };
            Some((path.join("."), fields.get(field)?.kind.clone()))
        });
        let knowledge = answer.knowledge.iter().filter_map(|name| {
            let known = business.knowledge.iter().find(|(own, _)| own == name);
            known.cloned()
        });
        let asked = Asked {
            key: self.key(visit, name),
            business: business.name.clone(),
            language: self.spoken_code(),
            knowledge: knowledge.collect(),
            about: described(business, answer.about.iter()),
            never: answer.never.clone(),
            style: answer.style.clone(),
            at_most: answer.at_most,
            topics: described(business, answer.topics.iter().map(|(topic, _)| topic)),
            remembers: remembers.collect(),
            uses: uses.collect(),
            talk: self.talk().spoken.clone(),
            found: self.talk().found.clone(),
            refused,
            said_at: m.program.place(self.place),
        };
        self.effects.push(Effect::Ask(Box::new(asked)));
        Ok(())
    }

    /// The language that a model is to write in, as a code.
    pub(super) fn spoken_code(&self) -> String {
        self.code.clone().unwrap_or_else(|| self.language.code.to_owned())
    }

    /// A reply came. One that nobody waits for (any more) does nothing.
    pub(super) fn replied(&mut self, key: &str, reply: &Reply) {
        let waits =
            |state: &StateIx| matches!(self.m.program.states[*state as usize].kind, StateKind::Answer(_));
        let Some(state) = self.waiting_for(key).filter(waits) else {
            return self.stale(&format!("reply {key}"));
        };
        self.place = self.m.program.states[state as usize].place;
        let next = self.take_reply(state, reply);
        self.finish_with(next);
    }

    fn take_reply(&mut self, state: StateIx, reply: &Reply) -> Result<Next, Failed> {
        let answer = self.answer_at(state)?;
        match &reply.says {
            Says::Problem { why } => {
                let what = format!("the model gave no reply: {why}");
                self.log_left(state, Exit::Problem);
                let run = answer.problem.ok_or_else(|| self.failed(what))?;
                Ok(Next::At(run))
            }
            Says::Text(text) | Says::Finished(Some(text)) => {
                match refusal(answer.at_most, &answer.never, text) {
                    Some(why) => self.refuse(state, why),
                    None => {
                        self.remember_of_model(answer, &reply.remember);
                        self.say_reply(answer, text);
                        if matches!(reply.says, Says::Finished(_)) {
                            self.log_left(state, Exit::Finished);
                            return Ok(Next::At(answer.finished));
                        }
                        match answer.up_to {
                            Some((most, run)) if self.talk().replies >= most => {
                                self.log_left(state, Exit::RepliesUsedUp);
                                Ok(Next::At(run))
                            }
                            Some(_) | None => {
                                self.log_left(state, Exit::Ok);
                                self.note_asked(answer.reply);
                                Ok(Next::Rest)
                            }
                        }
                    }
                }
            }
            Says::Finished(None) => {
                self.remember_of_model(answer, &reply.remember);
                self.rest_at(answer.reply);
                self.log_left(state, Exit::Finished);
                Ok(Next::At(answer.finished))
            }
            Says::Topic(topic) => match answer.topics.iter().find(|(own, _)| own == topic) {
                Some((_, run)) => {
                    self.remember_of_model(answer, &reply.remember);
                    self.log_left(state, Exit::Topic(topic.clone()));
                    Ok(Next::At(*run))
                }
                None => self.refuse(
                    state,
                    format!("{topic} is none of the topics with a way of their own"),
                ),
            },
            Says::Use { action, args } => match self.look_up_for_model(state, action, args)? {
                None => Ok(Next::Rest),
                Some(why) => self.refuse(state, why),
            },
            Says::NotSure => self.not_sure(state),
            Says::OffTopic => self.off_topic(state),
        }
    }

    /// The model is told once what was wrong; a second time it isn't sure.
    fn refuse(&mut self, state: StateIx, why: String) -> Result<Next, Failed> {
        if std::mem::replace(&mut self.talk().refused, true) {
            return self.not_sure(state);
        }
        self.ask_model(state, Some(why))?;
        Ok(Next::Rest)
    }

    fn say_reply(&mut self, answer: &Answer, text: &str) {
        let text = text.trim();
        self.rest_at(answer.reply);
        let talk = self.talk();
        talk.says(false, text);
        talk.replies = talk.replies.saturating_add(1);
        talk.off_topic = 0;
        let said_at = self.said_at(self.place);
        let body = OutboundBody::Text {
            body: text.to_owned(),
            preview: false,
        };
        self.send(body, said_at);
    }

    fn not_sure(&mut self, state: StateIx) -> Result<Next, Failed> {
        let answer = self.answer_at(state)?;
        self.rest_at(answer.reply);
        self.log_left(state, Exit::NotSure);
        match answer.not_sure {
            Some(run) => Ok(Next::At(run)),
            None => {
                if !self.hand_to_first_team() {
                    self.say_own(sentences(self.language).not_sure);
                    self.note_asked(answer.reply);
                }
                Ok(Next::Rest)
            }
        }
    }

    fn off_topic(&mut self, state: StateIx) -> Result<Next, Failed> {
        let answer = self.answer_at(state)?;
        let Some(line) = &answer.off_topic else {
            return self.not_sure(state);
        };
        self.rest_at(answer.reply);
        let talk = self.talk();
        talk.off_topic = talk.off_topic.saturating_add(1);
        let used_up = line.up_to.is_some_and(|most| talk.off_topic > most);
        let exit = if used_up {
            Exit::OffTopicUsedUp
        } else {
            Exit::OffTopic
        };
        self.log_left(state, exit);
        match (line.run, line.say) {
            (Some(run), _) if used_up || line.up_to.is_none() => Ok(Next::At(run)),
            (_, Some(text)) => {
                self.say_text(text)?;
                self.note_asked(answer.reply);
                Ok(Next::Rest)
            }
            (_, None) => {
                self.say_own(sentences(self.language).not_sure);
                self.note_asked(answer.reply);
                Ok(Next::Rest)
            }
        }
    }

    /// Only what the author allows, and only what fits its type.
    fn remember_of_model(&mut self, answer: &Answer, wishes: &BTreeMap<String, Json>) {
        let business = &self.m.program.business;
        for path in &answer.remembers {
            let [scope, field] = path.as_slice() else { continue };
            let declared = match scope.as_str() {
                "chat" => business.chat_fields.get(field),
                _ => business.contact_fields.get(field),
            };
            let wish = wishes.get(&path.join(".")).and_then(Value::from_json);
            let Some((declared, wish)) = declared.zip(wish) else {
                continue;
            };
            let Some(value) = fit(&declared.kind, &wish).filter(is_short) else {
                continue;
            };
            if scope == "chat" {
                self.p.chat.insert(field.clone(), value);
            } else {
                self.keep(field, value, declared.forget_after_seconds);
            }
        }
    }

    /// Calls the action; gives why not.
    fn look_up_for_model(
        &mut self,
        state: StateIx,
        wanted: &str,
        args: &BTreeMap<String, Json>,
    ) -> Result<Option<String>, Failed> {
        let m = self.m;
        let answer = self.answer_at(state)?;
        let business = &m.program.business;
        let allowed = answer.uses.iter().find_map(|(service, action)| {
            let service = business.services.get(*service as usize)?;
            let action = service.actions.get(*action as usize)?;
            let named = format!("{}.{}", service.name, action.name) == wanted;
            (named && action.method == Method::Get).then_some((service, action))
        });
        let Some((service, action)) = allowed else {
            return Ok(Some(format!("{wanted} may not be used here")));
        };
        if self.talk().found.len() >= LOOKS as usize {
            return Ok(Some(format!("more than {LOOKS} actions were used for one reply")));
        }
        let mut given = Vec::with_capacity(action.needs.len());
        for need in &action.needs {
            let value = args.get(need).and_then(Value::from_json);
            match value.filter(|value| is_plain(value) && is_short(value)) {
                Some(value) => given.push((need.clone(), value)),
                None => return Ok(Some(format!("{wanted} needs {need}, a text or a number"))),
            }
        }
        self.talk().looking = Some((wanted.to_owned(), json!(args)));
        self.call_action(state, service, action, given)?;
        Ok(None)
    }

    /// What a service answered to the model that is asked in this state. `false`: the model had asked for nothing.
    pub(super) fn found_for_model(&mut self, state: StateIx, answer: &event::Answer) -> bool {
        self.place = self.m.program.states[state as usize].place;
        let Some((action, args)) = self.talk().looking.take() else {
            return false;
        };
        let came = match answer {
            event::Answer::Status { status, body } if (200..300).contains(status) => body.clone(),
            event::Answer::Status { status: 404, .. } => json!({ "problem": "not found" }),
            event::Answer::Status { .. } => json!({ "problem": "refused" }),
            event::Answer::TimedOut { .. } | event::Answer::Down { .. } => {
                json!({ "problem": "it can't be asked now" })
            }
        };
        let came = if came.to_string().len() > FOUND_BYTES {
            json!({ "problem": "the answer is too long" })
        } else {
            came
        };
        self.talk().found.push(Found { action, args, came });
        let next = self.ask_model(state, None).map(|()| Next::Rest);
        self.finish_with(next);
        true
    }
}

/// A text, a number, yes or no, a date.
fn is_plain(value: &Value) -> bool {
    !matches!(value, Value::List(_) | Value::Record(_))
}

fn is_short(value: &Value) -> bool {
    value.to_json().to_string().len() <= 500
}

/// Topics with their descriptions.
pub(super) fn described<'a>(
    business: &Business,
    topics: impl Iterator<Item = &'a String>,
) -> Vec<(String, String)> {
    let of = |topic: &String| {
        let known = business.topics.iter().find(|(name, _)| name == topic);
        known.map(|(_, about)| about.clone()).unwrap_or_default()
    };
    topics.map(|topic| (topic.clone(), of(topic))).collect()
}

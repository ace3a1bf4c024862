//! `assist on`: while people have the chat, a model drafts what they might answer.
//!
//! The machine only says that a draft is wanted, and within which fence ([`Effect::Draft`]). It rests where it rests:
//! nothing waits for a draft, no event brings it, and what becomes of it changes no position.

use super::run::Run;
use super::talk::{Talk, described};
use super::turn::{Asked, Drafting, Effect, Spoken};
use crate::flow::program::{Answer, Human};

/// Characters of a draft where no `answer` sets a limit: what people read at a glance.
const GLANCE: u32 = 600;

impl<'m> Run<'m> {
    /// What was said to a model before it gives the chat to people who want drafts: these keep its fence.
    pub(super) fn talk_for_drafts(&mut self, human: &Human) -> Option<Box<Talk>> {
        let mut talk = self.p.frames.last_mut()?.talk.take().filter(|_| human.assist)?;
        (talk.found, talk.looking) = (Vec::new(), None);
        Some(talk)
    }

    /// The customer wrote while people have the chat.
    pub(super) fn draft_for_people(&mut self, text: &str) {
        let m = self.m;
        let business = &m.program.business;
        let wanted = self.handed().is_some_and(|human| human.assist);
        if !wanted || text.trim().is_empty() || business.knowledge.is_empty() {
            return;
        }
        let Some(frame) = self.p.frames.last() else { return };
        let talk = frame.talk.as_deref();
        let fence: Option<&Answer> = talk
            .and_then(|talk| m.state_named(&talk.answer))
            .and_then(|state| self.answer_at(state).ok());
        let from_the_beginning = self.versions().all(|version| version.private.is_empty());
        let mut spoken = match talk {
            Some(talk) if !from_the_beginning => talk.spoken.clone(),
            Some(_) | None => Vec::new(),
        };
        Spoken::add(&mut spoken, true, text.trim());
        let state = m.state_named(&frame.at);
        let asked = Asked {
            key: self.key(frame.visit, &frame.at),
            business: business.name.clone(),
            language: self.spoken_code(),
            knowledge: business.knowledge.clone(),
            about: fence.map_or_else(Vec::new, |answer| described(business, answer.about.iter())),
            never: fence.map_or_else(Vec::new, |answer| answer.never.clone()),
            style: fence.and_then(|answer| answer.style.clone()),
            at_most: Some(fence.and_then(|answer| answer.at_most).unwrap_or(GLANCE)),
            topics: Vec::new(),
            remembers: Vec::new(),
            uses: Vec::new(),
            talk: spoken,
            found: Vec::new(),
            refused: None,
            said_at: m
                .program
                .place(state.map_or(self.place, |state| m.program.states[state as usize].place)),
        };
        self.effects.push(Effect::Draft(Box::new(Drafting {
            asked,
            from_the_beginning,
        })));
    }
}

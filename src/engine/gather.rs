//! One answer from several messages: `gather story "What happened?"`.
//!
//! What comes is collected in the question's value, message by message, and nothing is said. It is finished by its
//! button, by quiet, or by its last message; only then its checks are looked at.

use super::event::Incoming;
use super::matching::Missed;
use super::run::Run;
use super::silence::Clock;
use super::turn::{Exit, Log};
use crate::flow::program::{Gather, Question, StateIx};
use crate::flow::template::shown;
use crate::flow::tree::Kind;
use crate::flow::value::{Record, Value};
use crate::message::MediaKind;

/// Bytes of text that are enough: a position stays small, and the story still fits into one rendered text.
const ENOUGH: usize = 8 * 1024;
/// Bytes of `text` at most. One long last message may go beyond what is enough; its `lines` are whole.
const MOST: usize = 12 * 1024;

impl<'m> Run<'m> {
    /// A question that is asked anew begins with nothing.
    pub(super) fn begin_gather(&mut self, state: StateIx) {
        let Some(question) = self.question(state).filter(|question| question.gather.is_some()) else {
            return;
        };
        if let Some(name) = &question.value {
            self.top()
                .locals
                .insert(name.clone(), Value::Record(nothing_yet()));
            self.top().gathered = 0;
        }
    }

    /// Adds a message; `false` if it is none of the kinds that are asked for.
    pub(super) fn collect(
        &mut self,
        state: StateIx,
        question: &'m Question,
        gather: Gather,
        incoming: &Incoming,
    ) -> bool {
        let fits = |kind: &Kind| self.reader(|reader| reader.read(kind, incoming));
        // A picture with words under it is a picture first.
        let files = question
            .accept
            .iter()
            .filter(|kind| matches!(kind, Kind::Media(_)));
        let others = question
            .accept
            .iter()
            .filter(|kind| !matches!(kind, Kind::Media(_)));
        let fitting = files
            .chain(others)
            .find_map(|kind| Some((kind, fits(kind)?.value)));
        let Some((kind, value)) = fitting else {
            return false;
        };
        let Some(name) = question.value.clone() else {
            return false;
        };
        let words = match kind {
            Kind::Location => shown(&value, self.language),
            _ => incoming.text.trim().to_owned(),
        };
        let frame = self.top();
        let mut draft = match frame.locals.remove(&name) {
            Some(Value::Record(draft)) => draft,
            _ => nothing_yet(),
        };
        add(&mut draft, kind, value, &words);
        let long = matches!(draft.get("text"), Some(Value::Text(text)) if text.len() >= ENOUGH);
        frame.locals.insert(name, Value::Record(draft));
        frame.gathered = frame.gathered.saturating_add(1);
        frame.misses = 0;
        frame.silences = 0;
        let messages = frame.gathered;
        let enough = messages >= gather.most || long;
        self.log.push(Log::Collected {
            state: self.m.program.states[state as usize].name.clone(),
            messages,
        });
        self.clock = Clock::FromNow;
        if enough {
            self.finish_gather(state, question);
        }
        true
    }

    /// The button, the quiet or the last message.
    pub(super) fn finish_gather(&mut self, state: StateIx, question: &'m Question) {
        let frame = self.top();
        let draft = question
            .value
            .as_ref()
            .and_then(|name| frame.locals.get(name))
            .cloned();
        match draft {
            Some(draft) if frame.gathered > 0 => {
                // If a check refuses it, more may be added.
                frame.gathered = 0;
                self.accept(state, question, draft, false);
            }
            _ => self.missed(state, question, Missed::NotUnderstood, Exit::Otherwise),
        }
    }
}

fn nothing_yet() -> Record {
    let list = |name: &str| (name.to_owned(), Value::List(Vec::new()));
    Record::from([
        ("text".to_owned(), Value::text("")),
        list("lines"),
        list("files"),
        list("photos"),
        list("voices"),
    ])
}

fn add(draft: &mut Record, kind: &Kind, value: Value, words: &str) {
    let mut push = |list: &str, value: Value| match draft.get_mut(list) {
        Some(Value::List(items)) => items.push(value),
        _ => {
            draft.insert(list.to_owned(), Value::List(vec![value]));
        }
    };
    if let Kind::Media(media) = kind {
        match media {
            MediaKind::Photo => push("photos", value.clone()),
            MediaKind::Voice | MediaKind::Audio => push("voices", value.clone()),
            MediaKind::Video | MediaKind::Document | MediaKind::Sticker => {}
        }
        push("files", value);
    }
    if words.is_empty() {
        return;
    }
    push("lines", Value::text(words));
    let mut text = match draft.get("text") {
        Some(Value::Text(text)) if !text.is_empty() => format!("{text}\n{words}"),
        _ => words.to_owned(),
    };
    text.truncate(text.floor_char_boundary(MOST));
    draft.insert("text".to_owned(), Value::Text(text));
}

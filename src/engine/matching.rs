//! What a message means, tried in this order; each line only if those above didn't fit:
//!
//!  1. legal words: always, in every mode (`events`)
//!  2. a person has the chat: nothing is matched (`events`)
//!  3. a tap on an option, or the old-button rule (`old_buttons`)
//!  4. an option by exact label, synonym (in the customer's language, then in the flow's own words; while the customer's
//!     language is not known, in any that has them for one option alone) or number (by number
//!     only if the question takes no bare numbers), and by the
//!     beginning of one label, cut with `…`: some providers tell of a tap by nothing but what stood on the button
//!  5. an `on` phrase that *is* the message: the flow's, its callers', the business's; the code of a link
//!  6. a typed answer with a shape
//!  7. an option by near spelling: the unique best within one edit (4–7 letters) or two (8 and more)
//!  8. an `on` phrase inside a message of at most six words, `containing`, a topic, a photo, a place
//!  9. free text, if the question takes it
//! 10. `otherwise`
//!
//! Open questions (those that take free text) skip 7 and the words of 8: in "the agent was rude" nobody asks for an
//! agent. `on any message` comes before `otherwise`.
//!
//! A voice note counts by its words. One without words is, unless the question takes voice notes, not understood with
//! a sentence of its own, because "please tap one of these" doesn't help somebody whose microphone was covered.

use serde_json::Value as Json;

use super::answers::{Reader, fit, has_shape, takes_numbers};
use super::event::{Heard, Incoming};
use super::faults::Failed;
use super::position::SentOption;
use super::run::{Next, Run};
use super::sentences::sentences;
use super::silence::Clock;
use super::triggers::{Said, TriggerIndex};
use super::turn::{Exit, Log};
use crate::flow::fold::{distance, fold, tolerance};
use crate::flow::locale::Language;
use crate::flow::program::{FormOf, Question, StateIx};
use crate::flow::source::SourceLine;
use crate::flow::tree::Kind;
use crate::flow::value::{Record, Value};
use crate::message::MediaKind;

/// Where a form brings back what it was sent with.
const TOKEN: &str = "flow_token";

/// How often a question of a business without any `otherwise` says that it didn't understand, before people help.
const BUILT_IN_TRIES: u32 = 2;

impl<'m> Run<'m> {
    /// A message while a question is open.
    pub(super) fn answer(&mut self, state: StateIx, incoming: &Incoming, said: &Said) {
        let Some(question) = self.question(state) else {
            return;
        };
        if let Some((form, filled)) = question.form_of.as_ref().zip(incoming.form.as_ref()) {
            return match self.filled_in(state, form, filled) {
                Some(record) => self.accept(state, question, Value::Record(record), false),
                None => self.missed(state, question, Missed::NotUnderstood, Exit::Otherwise),
            };
        }
        if let Some(sent) = self.option_by_words(state, question, said) {
            return self.take(state, &sent);
        }
        if let Some((sent, language)) = self.option_elsewhere(state, question, said) {
            language.into_iter().for_each(|language| self.tells(language));
            return self.take(state, &sent);
        }
        if let Some(on) = self.on_exactly(said) {
            self.told_by(said);
            return self.interrupt(on);
        }
        if let Some(on) = self.on_link(incoming) {
            return self.interrupt(on);
        }
        if let Some(gather) = question.gather
            && self.collect(state, question, gather, incoming)
        {
            return;
        }
        let gathers = question.gather.is_some();
        let shaped = question.accept.iter().filter(|kind| has_shape(kind) && !gathers);
        for kind in shaped {
            if let Some(answer) = self.reader(|reader| reader.read(kind, incoming)) {
                return self.accept(state, question, answer.value, answer.ambiguous);
            }
        }
        let open = gathers || question.accept.contains(&Kind::Text);
        if !open {
            if let Some(sent) = self.option_nearly(state, question, said) {
                return self.take(state, &sent);
            }
            if let Some(on) = self.on_inside(said) {
                self.told_by(said);
                return self.interrupt(on);
            }
            // What may be a private answer, misspelt, is told to no model.
            if !question.private {
                self.want_topic(incoming, false);
            }
        }
        let kind = incoming.file.as_ref().map(|file| file.kind);
        if let Some(on) = self.on_other(incoming, kind, open) {
            return self.interrupt(on);
        }
        if open
            && !gathers
            && let Some(answer) = self.reader(|reader| reader.read(&Kind::Text, incoming))
        {
            return self.accept(state, question, answer.value, false);
        }
        if let Some(on) = self.on_any_message() {
            return self.interrupt(on);
        }
        if unheard(incoming) {
            let own = sentences(self.language).unheard.to_owned();
            return self.missed(state, question, Missed::Said(own, None), Exit::Otherwise);
        }
        self.missed(state, question, Missed::NotUnderstood, Exit::Otherwise);
    }

    /// The declared fields of a form, if it is this question's and they fit. What was left empty is unknown.
    fn filled_in(&self, state: StateIx, form: &FormOf, filled: &Json) -> Option<Record> {
        let filled = filled.as_object()?;
        let name = &self.m.program.states[state as usize].name;
        let token = filled.get(TOKEN).and_then(Json::as_str);
        if token
            .and_then(super::choice_id::decode)
            .is_some_and(|token| !token.is_of(name))
        {
            return None;
        }
        let mut record = Record::new();
        for (field, kind) in &form.gives {
            let given = filled.get(field).and_then(Value::from_json);
            if let Some(given) = given.filter(|given| *given != Value::text("")) {
                record.insert(field.clone(), fit(kind, &given)?);
            }
        }
        Some(record)
    }

    /// A message while nothing runs.
    pub(super) fn open_conversation(&mut self, incoming: &Incoming, said: &Said) {
        let m = self.m;
        if self.answers_a_template(said) {
            return;
        }
        if let Some(on) = self.on_exactly(said).or_else(|| self.on_link(incoming)) {
            self.told_by(said);
            return self.interrupt(on);
        }
        if let Some(start) = self.start_by_link(incoming) {
            return self.start(start);
        }
        if let Some(start) = self.start_of(m.starts.exactly(said)) {
            self.told_by(said);
            return self.start(start);
        }
        if let Some(template) = &incoming.template
            && self.replies_to(template)
        {
            return;
        }
        if let Some(on) = self.on_inside(said) {
            self.told_by(said);
            return self.interrupt(on);
        }
        let kind = incoming.file.as_ref().map(|file| file.kind);
        let inside = self.start_of(&m.starts.inside(said));
        if inside.is_none() {
            self.want_topic(incoming, true);
        } else {
            self.told_by(said);
        }
        let start = inside.or_else(|| self.start_of(m.starts.on_topic(incoming.topic.as_deref()?)));
        if let Some(start) = start {
            return self.start(start);
        }
        if let Some(on) = self.on_other(incoming, kind, false) {
            return self.interrupt(on);
        }
        let by_kind = kind
            .and_then(|kind| self.start_of(&m.starts.on_media(kind).collect::<Vec<_>>()))
            .or_else(|| {
                self.start_of(m.starts.on_location())
                    .filter(|_| incoming.place.is_some())
            });
        if let Some(start) = by_kind {
            return self.start(start);
        }
        if unheard(incoming) {
            return self.say_own(sentences(self.language).unheard);
        }
        let first = self
            .just_opened
            .then(|| self.start_of(m.starts.on_first_message()))
            .flatten();
        if let Some(start) = first.or_else(|| self.start_of(m.starts.on_any_message())) {
            return self.start(start);
        }
        if let Some(on) = self.on_any_message() {
            return self.interrupt(on);
        }
        let door = self.front_door();
        self.finish_with(Ok(door));
    }

    /// `starts on reply to TEMPLATE`, and `on reply to TEMPLATE` of the business; `false` if there is neither.
    pub(super) fn replies_to(&mut self, template: &str) -> bool {
        let m = self.m;
        if let Some(start) = self.start_of(m.starts.on_reply(template)) {
            self.start(start);
            return true;
        }
        let on = self.first_on(|index, allowed| {
            let owners = index.on_reply(template).iter();
            owners.copied().find(|on| allowed(*on))
        });
        match on {
            Some(on) => {
                self.interrupt(on);
                true
            }
            None => false,
        }
    }

    /// Says that a topic could decide, where the host hasn't looked for one yet.
    fn want_topic(&mut self, incoming: &Incoming, idle: bool) {
        if incoming.topic.is_some() || incoming.text.trim().is_empty() {
            return;
        }
        let m = self.m;
        let running = self.p.frames.iter().filter_map(|frame| m.flow_named(&frame.flow));
        let mut topics: Vec<String> = running
            .filter_map(|flow| m.flow_ons.get(&flow))
            .chain(std::iter::once(&m.business_ons))
            .chain(idle.then_some(&m.starts))
            .flat_map(TriggerIndex::topics)
            .map(str::to_owned)
            .collect();
        topics.sort_unstable();
        topics.dedup();
        if !topics.is_empty() {
            self.log.push(Log::TopicWanted { topics });
        }
    }

    pub(super) fn start_of(&self, starts: &[usize]) -> Option<usize> {
        starts
            .iter()
            .copied()
            .find(|start| self.allows(self.m.program.starts[*start].condition))
    }

    pub(super) fn start(&mut self, start: usize) {
        let described = &self.m.program.starts[start];
        self.place = described.place;
        let pc = self.begin(described.flow, crate::flow::value::Record::new());
        self.finish_with(Ok(Next::At(pc)));
    }

    /// The first `on` that fits and whose condition holds: of the flow, of its callers, of the business.
    pub(super) fn first_on(
        &self,
        mut fitting: impl FnMut(&TriggerIndex, &dyn Fn(usize) -> bool) -> Option<usize>,
    ) -> Option<usize> {
        let m = self.m;
        let allowed = |on: usize| self.allows(m.program.ons[on].condition);
        for frame in self.p.frames.iter().rev().filter(|_| !m.flow_ons.is_empty()) {
            let index = m.flow_named(&frame.flow).and_then(|flow| m.flow_ons.get(&flow));
            if let Some(on) = index.and_then(|index| fitting(index, &allowed)) {
                return Some(on);
            }
        }
        fitting(&m.business_ons, &allowed)
    }

    fn on_exactly(&self, said: &Said) -> Option<usize> {
        self.first_on(|index, allowed| index.exactly(said).iter().copied().find(|on| allowed(*on)))
    }

    fn on_inside(&self, said: &Said) -> Option<usize> {
        self.first_on(|index, allowed| index.inside(said).into_iter().find(|on| allowed(*on)))
    }

    fn on_any_message(&self) -> Option<usize> {
        self.first_on(|index, allowed| index.on_any_message().iter().copied().find(|on| allowed(*on)))
    }

    fn on_other(&self, incoming: &Incoming, kind: Option<MediaKind>, open: bool) -> Option<usize> {
        let topic = incoming.topic.as_deref().filter(|_| !open);
        let template = incoming.template.as_deref();
        if topic.is_none() && incoming.place.is_none() && kind.is_none() && template.is_none() {
            return None;
        }
        self.first_on(|index, allowed| {
            let topic = topic.map_or(&[][..], |topic| index.on_topic(topic));
            let place = if incoming.place.is_some() {
                index.on_location()
            } else {
                &[]
            };
            let media = kind.into_iter().flat_map(|kind| index.on_media(kind));
            let replies = template.map_or(&[][..], |template| index.on_reply(template));
            replies
                .iter()
                .chain(topic)
                .chain(place)
                .copied()
                .chain(media)
                .find(|on| allowed(*on))
        })
    }

    /// An option by exact label, synonym, or its number as sent.
    fn option_by_words(&self, state: StateIx, question: &Question, said: &Said) -> Option<SentOption> {
        let frame = self.p.frames.last()?;
        if said.whole.is_empty() {
            return None;
        }
        for tongue in self.tongues() {
            for sent in &frame.options {
                if self.any_name_in(tongue, state, question, sent, |name| name == said.whole) {
                    return Some(sent.clone());
                }
            }
        }
        if said.cut
            && let Some(sent) = self.option_cut(state, question, &said.whole)
        {
            return Some(sent);
        }
        if question.accept.iter().any(takes_numbers) {
            return None;
        }
        let number: usize = said.whole.parse().ok().filter(|_| said.whole.len() <= 2)?;
        // A pattern of bare digits takes them before the numbers of options do.
        let typed = Incoming {
            text: said.whole.clone(),
            ..Incoming::default()
        };
        let shaped = |kind: &&Kind| matches!(kind, Kind::TextLike(_) | Kind::TextMatching(_));
        let taken = question
            .accept
            .iter()
            .filter(shaped)
            .any(|kind| self.reader(|reader| reader.read(kind, &typed)).is_some());
        frame
            .options
            .get(number.checked_sub(1)?)
            .filter(|_| !taken)
            .cloned()
    }

    /// The only option that begins like this.
    fn option_cut(&self, state: StateIx, question: &Question, beginning: &str) -> Option<SentOption> {
        let frame = self.p.frames.last()?;
        let mut begins = frame
            .options
            .iter()
            .filter(|sent| self.any_name(state, question, sent, |name| name.starts_with(beginning)));
        let first = begins.next()?;
        begins.next().is_none().then(|| first.clone())
    }

    /// The unique option nearest to what was typed.
    fn option_nearly(&self, state: StateIx, question: &Question, said: &Said) -> Option<SentOption> {
        let frame = self.p.frames.last()?;
        let typed = said.whole.chars().count();
        let mut best: Option<(usize, &SentOption)> = None;
        let mut unique = true;
        for sent in &frame.options {
            let mut near: Option<usize> = None;
            self.any_name(state, question, sent, |name| {
                let letters = name.chars().count();
                let tolerated = tolerance(name);
                // Lengths further apart than the tolerance need no comparison.
                if tolerated > 0 && letters.abs_diff(typed) <= tolerated {
                    let edits = distance(name, &said.whole);
                    if edits <= tolerated && near.is_none_or(|least| edits < least) {
                        near = Some(edits);
                    }
                }
                false
            });
            match (near, best) {
                (Some(edits), Some((least, _))) if edits == least => unique = false,
                (Some(edits), Some((least, _))) if edits > least => {}
                (Some(edits), _) => {
                    best = Some((edits, sent));
                    unique = true;
                }
                (None, _) => {}
            }
        }
        best.filter(|_| unique).map(|(_, sent)| sent.clone())
    }

    /// Whether a folded label or synonym of an option, as sent, is what is looked for.
    pub(super) fn any_name(
        &self,
        state: StateIx,
        question: &Question,
        sent: &SentOption,
        mut wanted: impl FnMut(&str) -> bool,
    ) -> bool {
        let mut tongues = self.tongues();
        tongues.any(|tongue| self.any_name_in(tongue, state, question, sent, &mut wanted))
    }

    /// Whose words count: those of the customer's language, then the flow's.
    fn tongues(&self) -> impl Iterator<Item = Tongue> + use<> {
        let spoken = self.wording.map(Tongue::Further);
        spoken.into_iter().chain([Tongue::Flow])
    }

    /// An option by exact label or synonym in a language of which the customer has shown nothing yet, and that language
    /// if no other has these words. Where two languages mean different options by them, it is none.
    fn option_elsewhere(
        &self,
        state: StateIx,
        question: &Question,
        said: &Said,
    ) -> Option<(SentOption, Option<usize>)> {
        if self.code.is_some() || said.whole.is_empty() {
            return None;
        }
        let frame = self.p.frames.last()?;
        let mut found: Option<(&SentOption, Option<usize>)> = None;
        for language in 0..self.m.wordings.len() {
            let named = |sent: &&SentOption| {
                self.any_name_in(Tongue::Further(language), state, question, sent, |name| {
                    name == said.whole
                })
            };
            found = match (frame.options.iter().find(named), found) {
                (None, before) => before,
                (Some(sent), None) => Some((sent, Some(language))),
                (Some(sent), Some((before, _))) if sent.id == before.id => Some((before, None)),
                (Some(_), Some(_)) => return None,
            };
        }
        found.map(|(sent, language)| (sent.clone(), language))
    }

    /// The same, in one language.
    fn any_name_in(
        &self,
        tongue: Tongue,
        state: StateIx,
        question: &Question,
        sent: &SentOption,
        mut wanted: impl FnMut(&str) -> bool,
    ) -> bool {
        let at = || {
            let mut options = question.options.iter();
            options.position(|choice| choice.id == sent.choice())
        };
        let (words, as_sent) = match tongue {
            Tongue::Further(wording) => {
                let Some(spoken) = self.m.wordings.get(wording) else {
                    return false;
                };
                let option = at().and_then(|at| spoken.labels.get(&state)?.get(at));
                let blanks = option.is_some_and(|option| option.labelled && option.words.label.is_none());
                (option.map(|option| &option.words), blanks)
            }
            Tongue::Flow => {
                let words = at().and_then(|at| self.m.labels.get(&state)?.get(at));
                let blanks = words.is_none_or(|words| words.label.is_none());
                // In a business of several languages it may have been sent in one that is not spoken any more.
                (words, blanks || !self.m.wordings.is_empty())
            }
        };
        if let Some(label) = words.and_then(|words| words.label.as_deref())
            && wanted(label)
        {
            return true;
        }
        if as_sent && wanted(&fold(&sent.label)) {
            return true;
        }
        words.is_some_and(|words| words.also.iter().any(|word| wanted(word)))
    }

    pub(super) fn reader<T>(&self, read: impl FnOnce(&Reader) -> T) -> T {
        let code = self
            .code
            .as_deref()
            .or(self.m.program.business.languages.first().map(String::as_str));
        let code = code.unwrap_or("en");
        let language = Language::of(code);
        let pattern = |source: &str| self.m.patterns.get(source);
        read(&Reader {
            language,
            // Months come first only in American English.
            day_first: language.day_first && !matches!(code, "en_US" | "en-US"),
            today: self.moment().today(),
            pattern: &pattern,
        })
    }

    /// What an option leads to.
    pub(super) fn option_taken(&mut self, state: StateIx, sent: &SentOption) -> Result<Next, Failed> {
        let m = self.m;
        let described = &m.program.states[state as usize];
        let question = self.question(state);
        let choice =
            question.and_then(|question| question.options.iter().find(|choice| choice.id == sent.choice()));
        let Some((question, choice)) = question.zip(choice) else {
            // The option is gone in this version.
            return self.ask_top_again();
        };
        let item = sent.row.as_ref().and_then(|row| row.item.clone());
        if let (Some((name, _)), Some(item)) = (&choice.each, item) {
            self.top().locals.insert(name.clone(), item);
        }
        if let Some(name) = &question.value {
            let value = sent
                .value
                .clone()
                .unwrap_or_else(|| Value::text(sent.label.clone()));
            self.top().locals.insert(name.clone(), value);
        }
        self.answered = self.p.frames.last().map(|frame| frame.visit);
        self.chosen = true;
        if choice.single_use {
            self.used = self.p.frames.last().map(|frame| frame.visit);
        }
        self.log_left(state, Exit::Option(choice.id.clone()));
        self.left = Some(described.name.clone());
        self.place = described.place;
        Ok(Next::At(choice.run.unwrap_or(question.next)))
    }

    /// A typed answer, if its checks hold.
    pub(super) fn accept(&mut self, state: StateIx, question: &'m Question, value: Value, ambiguous: bool) {
        let name = self.m.program.states[state as usize].name.clone();
        self.place = self.m.program.states[state as usize].place;
        let read_as = match &value {
            Value::Date(date) if ambiguous => Some(self.language.day(*date, self.moment().today())),
            _ => None,
        };
        let before = question.value.as_ref().map(|name| {
            let before = self.top().locals.insert(name.clone(), value);
            (name, before)
        });
        for (at, (condition, sentence)) in question.checks.iter().enumerate() {
            let refused = match self.holds(*condition) {
                Ok(true) => continue,
                Ok(false) => self.text(*sentence),
                Err(failed) => return self.finish_with(Err(failed)),
            };
            // The sentence may name the answer it refuses; afterwards the answer was never given.
            if let Some((name, before)) = before {
                super::run::set_in(&mut self.top().locals, std::slice::from_ref(name), before);
            }
            let place = self.m.program.texts[*sentence as usize].place;
            let said_at = self.said_at(place);
            return match refused {
                Ok(text) => self.missed(
                    state,
                    question,
                    Missed::Said(text, said_at),
                    Exit::Check(at as u32),
                ),
                Err(failed) => self.finish_with(Err(failed)),
            };
        }
        self.answered = self.p.frames.last().map(|frame| frame.visit);
        // A number or a form answers the question and asks nothing; free text may.
        self.chosen |= !question.accept.contains(&Kind::Text);
        if let Some(day) = read_as {
            self.say_own(&sentences(self.language).read_as.replace("{}", &day));
        }
        self.log_left(state, Exit::Answer);
        self.left = Some(name);
        self.finish_with(Ok(Next::At(question.next)));
    }

    /// Not an answer. `otherwise` says how often it is said, and where it goes then.
    pub(super) fn missed(&mut self, state: StateIx, question: &'m Question, missed: Missed, exit: Exit) {
        self.clock = Clock::FromNow;
        let name = self.m.program.states[state as usize].name.clone();
        let frame = self.top();
        frame.misses = frame.misses.saturating_add(1);
        frame.silences = 0;
        let misses = frame.misses;
        self.place = self.m.program.states[state as usize].place;
        let (say, up_to, run) = match &question.otherwise {
            Some(otherwise) => (otherwise.say, otherwise.up_to, otherwise.run),
            None => (None, Some(BUILT_IN_TRIES), None),
        };
        let at_once = up_to.is_none() && run.is_some() && matches!(missed, Missed::NotUnderstood);
        let used_up = up_to.is_some_and(|most| misses > most);
        self.log_left(state, if used_up { Exit::OtherwiseUsedUp } else { exit });
        if used_up || at_once {
            self.left = Some(name);
            match run {
                Some(run) => {
                    let said = match say.filter(|_| at_once) {
                        Some(text) => self.say_text(text),
                        None => Ok(()),
                    };
                    return self.finish_with(said.map(|()| Next::At(run)));
                }
                None if question.otherwise.is_none() && self.hand_to_first_team() => return,
                // Nobody to go to: it goes on asking.
                None => self.left = None,
            }
        }
        let outcome = match (missed, say) {
            (Missed::Said(text, said_at), _) => self.say_at_question(state, text, said_at),
            (Missed::NotUnderstood, Some(text)) => {
                let said_at = self.said_at(self.m.program.texts[text as usize].place);
                self.text(text)
                    .and_then(|body| self.say_at_question(state, body, said_at))
            }
            (Missed::NotUnderstood, None) => {
                let own = sentences(self.language).not_understood.to_owned();
                self.say_at_question(state, own, None)
            }
        };
        self.finish_with(outcome.map(|()| Next::Rest));
    }
}

/// Whose words an option is looked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tongue {
    /// Those of a further language, by the index of its wording.
    Further(usize),
    /// Those of the flow, which are always understood.
    Flow,
}

/// Why a message is no answer.
pub(super) enum Missed {
    NotUnderstood,
    /// It has its own sentence: a refused check, a voice note without words.
    Said(String, Option<SourceLine>),
}

/// A voice note in which nothing was heard.
fn unheard(incoming: &Incoming) -> bool {
    let silent = |heard| matches!(heard, Heard::Silence | Heard::Nothing);
    incoming.text.trim().is_empty()
        && incoming.file.as_ref().is_some_and(|file| {
            matches!(file.kind, MediaKind::Voice | MediaKind::Audio) && silent(file.heard)
        })
}

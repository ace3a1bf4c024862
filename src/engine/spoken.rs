//! In which language a customer is spoken to, and the program's words in it.
//!
//! `contact.language` says it: the field of memory that a flow wrote, else what the customer's own words told. A language
//! that the business doesn't speak, and a text that nobody translated, is the business's first. What customers type is
//! understood in their language and, behind it, in the words of the flow.
//!
//! No provider tells a language, and the country of a number is none. So while nothing is known, words that only one
//! of the further languages has (to start something, or for an option) are understood, and tell it. Words of the first
//! language tell nothing: it is spoken anyway, and what comes later may still tell.

use std::collections::HashMap;

use super::Memory;
use super::machine::{Compiled, OptionWords};
use super::run::Run;
use super::triggers::Said;
use super::turn::MemoryWrite;
use crate::flow::fold::fold;
use crate::flow::locale::Language;
use crate::flow::program::{Program, StateIx, StateKind, TextIx, Wording};
use crate::flow::strings::same_language;
use crate::flow::template::Templates;
use crate::flow::value::Value;

/// The field of memory that decides.
const FIELD: &str = "language";

/// A wording, made ready.
#[derive(Debug)]
pub(super) struct Spoken {
    pub texts: HashMap<TextIx, Compiled>,
    /// Folded words of each question's options, by state.
    pub labels: HashMap<StateIx, Vec<SpokenOption>>,
}

/// Folded words by which an option is known in a further language.
#[derive(Debug)]
pub(super) struct SpokenOption {
    pub words: OptionWords,
    /// The label is translated. One with blanks is folded as it was sent.
    pub labelled: bool,
}

impl Spoken {
    pub fn of(program: &Program, wording: &Wording, templates: &mut Templates) -> Spoken {
        let texts = wording.texts.iter().map(|(index, text)| {
            let name = program.texts.get(*index as usize).map_or("", |text| &text.name);
            let name = format!("{name} in {}", wording.language);
            (*index, Compiled::of(templates, text.fixed, &name, &text.source))
        });
        let labels = program
            .states
            .iter()
            .enumerate()
            .filter_map(|(state, described)| {
                let StateKind::Question(question) = &described.kind else {
                    return None;
                };
                let options = question.options.iter().map(|choice| {
                    let label = wording.texts.get(&choice.label);
                    let also = wording.also.get(&choice.label);
                    SpokenOption {
                        words: OptionWords {
                            label: label
                                .filter(|text| text.fixed)
                                .map(|text| fold(&text.source).into()),
                            also: also.into_iter().flatten().map(|word| fold(word).into()).collect(),
                        },
                        labelled: label.is_some(),
                    }
                });
                Some((state as StateIx, options.collect()))
            });
        Spoken {
            texts: texts.collect(),
            labels: labels.collect(),
        }
    }
}

/// How one customer is spoken to.
#[derive(Debug)]
pub(super) struct Speech {
    /// The customer's own code, if it is known: what they type is read by its rules.
    pub code: Option<String>,
    /// In which the bot speaks.
    pub language: &'static Language,
    /// Index of the wording; `None`: the words of the flows.
    pub wording: Option<usize>,
}

impl Speech {
    pub fn of(program: &Program, memory: &Memory, at: jiff::Timestamp) -> Speech {
        let remembered = memory
            .fields
            .get(FIELD)
            .filter(|kept| kept.forget_at.is_none_or(|end| end > at));
        let code = match remembered.map(|kept| &kept.value) {
            Some(Value::Text(code)) => Some(code.trim().to_owned()),
            Some(_) | None => memory.language.clone(),
        };
        Speech::in_code(program, code)
    }

    fn in_code(program: &Program, code: Option<String>) -> Speech {
        let languages = &program.business.languages;
        let stem = |code: &str| {
            code.split(['_', '-'])
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase()
        };
        // Their own, else the same with another country, else the first.
        let own = code.as_deref().and_then(|code| {
            let same = languages.iter().find(|own| same_language(own, code));
            same.or_else(|| languages.iter().find(|own| stem(own) == stem(code)))
        });
        let spoken = own.or(languages.first()).map_or("en", String::as_str);
        let table = code.as_deref().filter(|_| own.is_some()).unwrap_or(spoken);
        Speech {
            language: Language::of(table),
            wording: program
                .wordings
                .iter()
                .position(|wording| same_language(&wording.language, spoken)),
            code,
        }
    }
}

impl Run<'_> {
    /// A field of memory was written: from here on the customer may be spoken to in another language.
    pub(super) fn wrote(&mut self, field: &str) {
        if field != FIELD {
            return;
        }
        let code = match self.writes.last() {
            Some(MemoryWrite::Remember {
                value: Value::Text(code),
                ..
            }) => Some(code.trim().to_owned()),
            _ => self.memory.language.clone(),
        };
        self.speak(code);
    }

    /// What was said starts or interrupts something: it may be in words that only one language has.
    pub(super) fn told_by(&mut self, said: &Said) {
        if self.code.is_some() {
            return;
        }
        let m = self.m;
        let exactly = m.telling.exactly(said);
        let inside;
        let languages = if exactly.is_empty() {
            inside = m.telling.inside(said);
            &inside
        } else {
            exactly
        };
        if let Some(first) = languages.first()
            && languages.iter().all(|language| language == first)
        {
            self.tells(*first);
        }
    }

    /// The customer speaks the language of this wording, it seems; of theirs nothing was known.
    pub(super) fn tells(&mut self, wording: usize) {
        if self.code.is_some() {
            return;
        }
        let Some(wording) = self.m.program.wordings.get(wording) else {
            return;
        };
        let code = wording.language.clone();
        self.writes.push(MemoryWrite::Language { code: code.clone() });
        self.speak(Some(code));
    }

    /// Goes on in the customer's language, as the version that speaks now has it.
    pub(super) fn speak(&mut self, code: Option<String>) {
        let speech = Speech::in_code(&self.m.program, code);
        self.language = speech.language;
        self.wording = speech.wording;
        self.code = speech.code;
    }

    /// A team's title in the customer's language.
    pub(super) fn title_of(&self, team: u32) -> &str {
        let program = &self.m.program;
        let worded = self
            .wording
            .and_then(|at| program.wordings.get(at)?.teams.get(&team));
        worded
            .or_else(|| program.business.teams.get(team as usize).map(|team| &team.title))
            .map_or("", String::as_str)
    }

    /// The words of a text in the customer's language, if it is translated.
    pub(super) fn worded(&self, text: TextIx) -> Option<(&Compiled, &crate::flow::program::Worded)> {
        let at = self.wording?;
        let compiled = self.m.wordings.get(at)?.texts.get(&text)?;
        Some((compiled, self.m.program.wordings.get(at)?.texts.get(&text)?))
    }
}

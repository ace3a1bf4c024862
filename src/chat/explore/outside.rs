//! What reaches a bot beside words, taps and media: forms that were filled in, events of the business's own systems,
//! links, quoted templates, the end of the 24-hour window. Only what some flow waits for is drawn.

use serde_json::{Map, Value as Json, json};

use super::chance::Chance;
use super::words::Words;
use super::{Move, WINDOW};
use crate::chat::rehearsal::Rehearsal;
use crate::chat::story::Act;
use crate::flow::program::{FormOf, Program, StateKind, Trigger};
use crate::flow::tree::Kind;

/// What the flows of a business wait for, each once.
#[derive(Debug, Clone, Default)]
pub(in crate::chat) struct Outside {
    ways: Vec<Way>,
}

#[derive(Debug, Clone, PartialEq)]
enum Way {
    /// Name, and what the flow that starts on it needs.
    Event(String, Vec<(String, Kind)>),
    Link(String),
    /// Name of a template.
    Quote(String),
    Form(FormOf),
    WindowIsClosing,
    WindowCloses,
}

impl Outside {
    pub fn of(program: &Program) -> Outside {
        let mut ways: Vec<Way> = Vec::new();
        let mut add = |way: Way| {
            // Of several flows that start on one event the first says what it brings.
            let known = |own: &Way| match (own, &way) {
                (Way::Event(own, _), Way::Event(name, _)) => own == name,
                (own, way) => own == way,
            };
            if !ways.iter().any(known) {
                ways.push(way);
            }
        };
        for start in &program.starts {
            match &start.trigger {
                Trigger::Event(name) => {
                    let needs = &program.flows[start.flow as usize].needs;
                    add(Way::Event(name.clone(), needs.clone()));
                }
                trigger => waits_for(trigger).into_iter().for_each(&mut add),
            }
        }
        let ons = program.ons.iter().flat_map(|on| &on.triggers);
        ons.flat_map(waits_for).for_each(&mut add);
        for state in &program.states {
            if let StateKind::Question(question) = &state.kind {
                question.form_of.iter().cloned().map(Way::Form).for_each(&mut add);
            }
        }
        Outside { ways }
    }

    /// One of them; `None` if there is none, or not now.
    pub fn one(&self, chance: &mut Chance, words: &Words, rehearsal: &Rehearsal<'_>) -> Option<Move> {
        // Where nothing is waited for, nothing is drawn.
        if self.ways.is_empty() || !chance.one_in(8) {
            return None;
        }
        // A window that no message opened does not close.
        let open = rehearsal.watch.quiet_for(rehearsal.now()) < WINDOW;
        Some(match chance.of(&self.ways)? {
            Way::Event(event, needs) => Move::Happens {
                event: event.clone(),
                values: needs
                    .iter()
                    .map(|(name, kind)| (name.clone(), chance.brought(kind, words)))
                    .collect(),
            },
            Way::Link(code) => Move::comes_by(code),
            Way::Quote(template) => Move::does(Act::Quotes {
                template: template.clone(),
                words: words.one(chance),
            }),
            // One that was sent earlier, too.
            Way::Form(form) => Move::does(chance.form(form, words)),
            Way::WindowIsClosing if open => Move::WindowIsClosing,
            Way::WindowCloses if open => Move::WindowCloses,
            Way::WindowIsClosing | Way::WindowCloses => return None,
        })
    }
}

fn waits_for(trigger: &Trigger) -> Vec<Way> {
    match trigger {
        Trigger::Link(code) => vec![Way::Link(code.clone())],
        Trigger::Reply(template) => vec![Way::Quote(template.clone())],
        Trigger::WindowClosing => vec![Way::WindowIsClosing, Way::WindowCloses],
        // What an event brings stands with the flow that starts on it; no question is interrupted by one.
        Trigger::Event(_)
        // These come with what customers do anyway.
        | Trigger::Words(_)
        | Trigger::Containing(_)
        | Trigger::Topic(_)
        | Trigger::FirstMessage
        | Trigger::AnyMessage
        | Trigger::Media(_)
        | Trigger::Location => Vec::new(),
    }
}

impl Chance {
    /// A form as somebody fills it in: in two of three as it is declared, else with a field that is not.
    pub fn form(&mut self, form: &FormOf, words: &Words) -> Act {
        let misfits = self.one_in(3);
        let mut fields = self.fitting(form, words);
        if misfits && let Some((name, kind)) = self.of(&form.gives) {
            fields.insert(name.clone(), misfit(kind));
        }
        Act::Form(fields.into())
    }

    /// As it is declared.
    pub fn fitting_form(&mut self, form: &FormOf, words: &Words) -> Act {
        Act::Form(self.fitting(form, words).into())
    }

    /// Of every type what is declared; some fields are left empty.
    fn fitting(&mut self, form: &FormOf, words: &Words) -> Map<String, Json> {
        let mut fields = Map::new();
        for (name, kind) in &form.gives {
            if !self.one_in(5) {
                fields.insert(name.clone(), self.brought(kind, words));
            }
        }
        fields
    }

    /// A value that a form, an event or a caller brings; numbers reach further than those of services.
    pub fn brought(&mut self, kind: &Kind, words: &Words) -> Json {
        match kind {
            Kind::Number { .. } | Kind::WholeNumber { .. } | Kind::Money => {
                let number = self.of(&[0, 1, 2, 3, 7, 21, 100, 1000]);
                json!(number.copied().unwrap_or(1))
            }
            Kind::Date(_) => {
                let day = self.of(&["2026-03-20", "2026-03-03", "2020-01-01"]);
                json!(day.copied().unwrap_or("2026-03-20"))
            }
            Kind::Text
            | Kind::TextLike(_)
            | Kind::TextMatching(_)
            | Kind::YesNo
            | Kind::Time
            | Kind::Email
            | Kind::Phone
            | Kind::WebAddress
            | Kind::Media(_)
            | Kind::Location
            | Kind::Rating { .. }
            | Kind::List(_) => self.value(kind, words),
        }
    }
}

/// What no field of this kind takes.
pub(in crate::chat) fn misfit(kind: &Kind) -> Json {
    match kind {
        Kind::Text
        | Kind::TextLike(_)
        | Kind::TextMatching(_)
        | Kind::Email
        | Kind::Phone
        | Kind::WebAddress => json!(["several", "texts"]),
        Kind::Number { .. }
        | Kind::WholeNumber { .. }
        | Kind::Money
        | Kind::Rating { .. }
        | Kind::YesNo
        | Kind::Date(_)
        | Kind::Time
        | Kind::Media(_)
        | Kind::Location
        | Kind::List(_) => json!("something else"),
    }
}

//! How the conversations of a flow begin: with what it needs, by the event, link, template or file it starts on.

use serde_json::{Map, Value as Json, json};

use super::Writer;
use crate::chat::explore::{Move, Words, misfit};
use crate::chat::sample::{each, file, other, place, sample};
use crate::chat::story::Act;
use crate::chat::transcript;
use crate::flow::program::{Flow, FormOf, Program, Trigger};
use crate::flow::tree::Kind;

/// Beginnings that are tried with other values than the first, to come to other questions.
const OTHERS: usize = 8;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Begin {
    /// `flow NAME with …`
    Given(Vec<(String, Json)>),
    /// What brings somebody to it.
    By(Move),
}

/// A beginning, and what it is called.
pub(super) type Named = (String, Begin);

/// Every way to begin; the first is the one of the usual conversations.
pub(super) fn beginnings(program: &Program, flow: &Flow, words: &Words) -> Vec<Named> {
    let own = program
        .starts
        .iter()
        .filter(|start| program.flows[start.flow as usize].name == flow.name);
    let triggers: Vec<&Trigger> = own.map(|start| &start.trigger).collect();
    let event = triggers.iter().find_map(|trigger| match trigger {
        Trigger::Event(name) => Some(name),
        _ => None,
    });
    let begin = |values| match event {
        Some(event) => Begin::By(Move::Happens {
            event: event.clone(),
            values,
        }),
        None => Begin::Given(values),
    };
    let title = event.map_or_else(|| "It begins".to_owned(), |event| format!("The event {event}"));
    let mut all: Vec<Named> = given(flow, words)
        .into_iter()
        .map(|values| (title.clone(), begin(values)))
        .collect();
    all.extend(triggers.into_iter().filter_map(arrives));
    all
}

/// Values for what a flow needs: usual ones, then others that may lead elsewhere. Once nothing, if it needs nothing.
fn given(flow: &Flow, words: &Words) -> Vec<Vec<(String, Json)>> {
    let mut all: Vec<Vec<(String, Json)>> = vec![each(&flow.needs, sample)];
    if flow.needs.is_empty() {
        return all;
    }
    all.push(each(&flow.needs, other));
    for (own, kind) in &flow.needs {
        if *kind == Kind::Text {
            for text in &words.compared {
                all.push(each(&flow.needs, |name, kind| match name == own {
                    true => json!(text),
                    false => sample(name, kind),
                }));
            }
        }
    }
    all.dedup();
    all.truncate(OTHERS);
    all
}

/// How somebody comes to the flow who types none of its words.
fn arrives(trigger: &Trigger) -> Option<Named> {
    let (title, what) = match trigger {
        Trigger::Link(code) => (format!("By the link {code}"), Move::comes_by(code)),
        Trigger::Reply(template) => (
            format!("A reply to {template}"),
            Move::does(Act::Quotes {
                template: template.clone(),
                words: "About this message".to_owned(),
            }),
        ),
        Trigger::Topic(topic) => (
            format!("The topic {topic}"),
            Move::Customer {
                act: Act::Types("I would like to know something".to_owned()),
                topic: Some(topic.clone()),
                link: None,
            },
        ),
        Trigger::Media(kind) => (
            format!("A {}", transcript::word_for(*kind)),
            Move::does(file(*kind, Some("It came with a scratch."))),
        ),
        Trigger::Location => ("A location".to_owned(), Move::does(place(Some("Porto")))),
        // The first of them is how the others begin; words are spelled in the flow itself.
        Trigger::Event(_)
        | Trigger::Words(_)
        | Trigger::Containing(_)
        | Trigger::WindowClosing
        | Trigger::FirstMessage
        | Trigger::AnyMessage => return None,
    };
    Some((title, Begin::By(what)))
}

/// Ways to fill in a form, named; the first is the usual one.
pub(super) fn filled(form: &FormOf) -> Vec<(String, Act)> {
    let mut all: Vec<(&str, Map<String, Json>)> = vec![
        ("a form", each(&form.gives, sample)),
        ("another form", each(&form.gives, other)),
        ("an empty form", Map::new()),
    ];
    if let Some((name, kind)) = form.gives.first() {
        let mut fields: Map<String, Json> = each(&form.gives, sample);
        fields.insert(name.clone(), misfit(kind));
        all.push(("a form that does not fit", fields));
    }
    all.into_iter()
        .map(|(title, fields)| (title.to_owned(), Act::Form(fields.into())))
        .collect()
}

impl Writer<'_> {
    /// What stands above the conversation for it.
    pub(super) fn heading(&self) -> String {
        match &self.begin {
            Begin::Given(values) => format!(
                "  flow {}{}\n",
                self.flow.words,
                crate::chat::written::with_values(values)
            ),
            Begin::By(_) => String::new(),
        }
    }
}

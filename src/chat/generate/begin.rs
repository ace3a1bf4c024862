//! How the conversations of a flow begin: with what it needs, by the event, link, template or file it starts on.

use serde_json::{Map, Value as Json, json};

use super::Writer;
use crate::chat::explore::{Move, Words, misfit};
use crate::chat::sample::{other, sample};
use crate::chat::story::Act;
use crate::chat::transcript;
use crate::flow::program::{Flow, FormOf, Program, Trigger};
use crate::flow::tree::Kind;
use crate::message::MediaKind;

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
    let with = |value: &dyn Fn(&str, &Kind) -> Json| -> Vec<(String, Json)> {
        let needs = flow.needs.iter();
        needs
            .map(|(name, kind)| (name.clone(), value(name, kind)))
            .collect()
    };
    let mut all = vec![with(&sample)];
    if flow.needs.is_empty() {
        return all;
    }
    all.push(with(&other));
    for (own, kind) in &flow.needs {
        if *kind == Kind::Text {
            for text in &words.compared {
                all.push(with(&|name, kind| match name == own {
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
        Trigger::Link(code) => (
            format!("By the link {code}"),
            Move::Customer {
                act: Act::Types("I saw your advertisement".to_owned()),
                topic: None,
                link: Some(code.clone()),
            },
        ),
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
            Move::does(file(*kind)),
        ),
        Trigger::Location => ("A location".to_owned(), Move::does(place())),
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

fn file(kind: MediaKind) -> Act {
    match kind {
        MediaKind::Voice => Act::Voice {
            seconds: Some(4),
            words: Some("It came with a scratch.".to_owned()),
        },
        kind => Act::Sends {
            kind,
            name: None,
            caption: None,
        },
    }
}

fn place() -> Act {
    Act::Location {
        lat: 41.1,
        lng: -8.6,
        name: Some("Porto".to_owned()),
    }
}

/// Ways to fill in a form, named; the first is the usual one.
pub(super) fn filled(form: &FormOf) -> Vec<(String, Act)> {
    let with = |value: &dyn Fn(&str, &Kind) -> Json| -> Map<String, Json> {
        let fields = form.gives.iter();
        fields
            .map(|(name, kind)| (name.clone(), value(name, kind)))
            .collect()
    };
    let mut all = vec![
        ("a form", with(&sample)),
        ("another form", with(&other)),
        ("an empty form", Map::new()),
    ];
    if let Some((name, kind)) = form.gives.first() {
        let mut fields = with(&sample);
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

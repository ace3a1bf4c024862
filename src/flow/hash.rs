//! Two hashes: of a whole program, and of what an answer means at one place.
//!
//! A published version is known by its *program* hash. A customer in mid-conversation is answered by a newer version
//! as long as the state where they rest has the same *anchor*.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write as _};

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::program::{
    Business, Expr, ExprIx, Flow, FlowIx, On, Op, Pc, Program, Question, Start, State, StateKind, Step,
    StepIx, Text, TextIx, Trigger, Worded, Wording,
};

/// Hexadecimal digits of a program's hash.
const PROGRAM_DIGITS: usize = 32;
/// Anchors are compared only between versions of one state: 64 bits are plenty, and positions stay small.
const ANCHOR_DIGITS: usize = 16;

/// `b3:` and 32 digits of the BLAKE3 of the program's JSON without `hash`, `files` and places.
///
/// The JSON is canonical: no blanks, fields in the order of their declaration, maps in the order of their keys; what
/// has a place is a row of its other fields.
pub fn of_program(program: &Program) -> String {
    let mut hasher = BufWriter::with_capacity(1 << 16, blake3::Hasher::new());
    let written = serde_json::to_writer(&mut hasher, &Placeless::of(program)).map_err(|why| why.to_string());
    let flushed = hasher.flush().map_err(|why| why.to_string());
    written
        .and(flushed)
        .expect("a hasher takes every byte, and a program has only text keys");
    digits(hasher.get_ref(), PROGRAM_DIGITS)
}

/// Gives every state its anchor.
pub(super) fn set_anchors(program: &mut Program) {
    let anchors: Vec<String> = program
        .states
        .iter()
        .map(|state| anchor(program, state))
        .collect();
    for (state, anchor) in program.states.iter_mut().zip(anchors) {
        state.anchor = anchor;
    }
}

/// What an answer means here: kind, value, option ids and values, accepted shapes. Wording, order of options, timers,
/// checks and everything after the question are left out.
fn anchor(program: &Program, state: &State) -> String {
    let meaning = match &state.kind {
        StateKind::Question(question) => {
            let (options, accept) = (options(program, question), accepted(question));
            match (&question.form_of, question.gather) {
                (Some(form), _) => json!(["form", question.value, form.id, form.gives]),
                (None, Some(_)) => json!(["gather", question.value, options, accept]),
                (None, None) => json!(["question", question.value, options, accept]),
            }
        }
        StateKind::Fetch(fetch) => {
            let service = &program.business.services[fetch.service as usize];
            let action = &service.actions[fetch.action as usize];
            json!(["fetch", fetch.value, service.name, action.name, action.gives])
        }
        StateKind::Call(call) => {
            let flow = &program.flows[call.flow as usize];
            json!(["call", flow.name, call.save, flow.gives])
        }
        StateKind::Human(_) => json!(["human"]),
        StateKind::Answer(_) => json!(["answer"]),
    };
    let mut hasher = blake3::Hasher::new();
    hasher.update(meaning.to_string().as_bytes());
    digits(&hasher, ANCHOR_DIGITS)
}

/// Whether a question takes every answer that an older version of it took, and each means what it meant: options may
/// have been added.
pub fn is_wider(old: (&Program, &Question), new: (&Program, &Question)) -> bool {
    let (was, is) = (options(old.0, old.1), options(new.0, new.1));
    old.1.value == new.1.value
        && accepted(old.1) == accepted(new.1)
        && old.1.gather.is_some() == new.1.gather.is_some()
        && old.1.form_of == new.1.form_of
        && (old.1.more.is_none() || new.1.more.is_some())
        && was.iter().all(|option| is.binary_search(option).is_ok())
}

/// Options of a question by what they mean, in order.
fn options(program: &Program, question: &Question) -> Vec<String> {
    let mut options: Vec<String> = question
        .options
        .iter()
        .map(|option| json!([option.id, option.value.map(|value| meant(program, value))]).to_string())
        .collect();
    options.sort_unstable();
    options
}

/// Shapes of typed answers, in order.
fn accepted(question: &Question) -> Vec<String> {
    let mut accept: Vec<String> = question
        .accept
        .iter()
        .map(|kind| json!(kind).to_string())
        .collect();
    accept.sort_unstable();
    accept
}

/// An expression with its texts in place of their indices, which change with every edit elsewhere.
fn meant(program: &Program, expr: ExprIx) -> Json {
    fn texts_in(program: &Program, json: &mut Json) {
        match json {
            Json::Object(fields) => {
                for (name, value) in fields {
                    match value.as_u64().filter(|_| name == "text") {
                        Some(text) => *value = json!(program.texts[text as usize].source),
                        None => texts_in(program, value),
                    }
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| texts_in(program, item)),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
    let mut json = json!(program.exprs[expr as usize]);
    texts_in(program, &mut json);
    json
}

fn digits(hasher: &blake3::Hasher, count: usize) -> String {
    format!("b3:{}", &hasher.finalize().to_hex()[..count])
}

type StepRow<'p> = (FlowIx, &'p str, &'p str, Option<&'p str>, Pc);
type StateRow<'p> = (&'p str, Option<FlowIx>, Option<StepIx>, &'p str, &'p StateKind);
type TextRow<'p> = (&'p str, &'p str, bool);
type StartRow<'p> = (FlowIx, &'p Trigger, Option<ExprIx>);
type WordingRow<'p> = (
    &'p str,
    Vec<(TextIx, &'p str, bool)>,
    &'p BTreeMap<TextIx, Vec<String>>,
    &'p BTreeMap<u32, String>,
    &'p [Trigger],
);
type OnRow<'p> = (Option<FlowIx>, &'p [Trigger], Option<ExprIx>, Pc);

/// A program without its hash, files and places. What has a place becomes a row of its other fields.
#[derive(Serialize)]
struct Placeless<'p> {
    business: &'p Business,
    flows: &'p [Flow],
    steps: Vec<StepRow<'p>>,
    states: Vec<StateRow<'p>>,
    code: Vec<&'p Op>,
    texts: Vec<TextRow<'p>>,
    exprs: &'p [Expr],
    starts: Vec<StartRow<'p>>,
    ons: Vec<OnRow<'p>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    wordings: Vec<WordingRow<'p>>,
}

impl<'p> Placeless<'p> {
    /// Fields are taken apart by name, so that a new one can't be forgotten here.
    fn of(program: &'p Program) -> Placeless<'p> {
        let Program {
            hash: _,
            business,
            flows,
            steps,
            states,
            code,
            texts,
            exprs,
            starts,
            ons,
            wordings,
            files: _,
        } = program;
        let step = |step: &'p Step| {
            let Step {
                flow,
                name,
                words,
                was,
                entry,
                place: _,
            } = step;
            (*flow, name.as_str(), words.as_str(), was.as_deref(), *entry)
        };
        let state = |state: &'p State| {
            let State {
                name,
                flow,
                step,
                anchor,
                place: _,
                kind,
            } = state;
            (name.as_str(), *flow, *step, anchor.as_str(), kind)
        };
        let text = |text: &'p Text| {
            let Text {
                name,
                source,
                fixed,
                place: _,
            } = text;
            (name.as_str(), source.as_str(), *fixed)
        };
        let start = |start: &'p Start| {
            let Start {
                flow,
                trigger,
                condition,
                place: _,
            } = start;
            (*flow, trigger, *condition)
        };
        let on = |on: &'p On| {
            let On {
                flow,
                triggers,
                condition,
                run,
                place: _,
            } = on;
            (*flow, triggers.as_slice(), *condition, *run)
        };
        let wording = |wording: &'p Wording| {
            let Wording {
                language,
                texts,
                also,
                teams,
                alone,
            } = wording;
            let texts = texts.iter().map(|(index, text)| {
                let Worded {
                    source,
                    fixed,
                    place: _,
                } = text;
                (*index, source.as_str(), *fixed)
            });
            (language.as_str(), texts.collect(), also, teams, alone.as_slice())
        };
        Placeless {
            business,
            flows,
            steps: steps.iter().map(step).collect(),
            states: states.iter().map(state).collect(),
            code: code.iter().map(|instruction| &instruction.op).collect(),
            texts: texts.iter().map(text).collect(),
            exprs,
            starts: starts.iter().map(start).collect(),
            ons: ons.iter().map(on).collect(),
            wordings: wordings.iter().map(wording).collect(),
        }
    }
}

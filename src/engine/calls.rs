//! Calls of the business's services: what is asked for, and what comes of the answer.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value as Json;

use super::answers::fit;
use super::event::Answer;
use super::faults::Failed;
use super::run::{Next, Run};
use super::turn::{Call, Effect, Exit, Fault};
use crate::flow::program::{Action, Fetch, Pc, Service, StateIx, StateKind};
use crate::flow::template::shown;
use crate::flow::tree::{Kind, Method};
use crate::flow::value::{Record, Value};

/// Bytes of an address; what makes a longer one is a fault.
const URL_LIMIT: usize = 4 * 1024;

impl<'m> Run<'m> {
    pub(super) fn call_service(&mut self, state: StateIx) -> Result<(), Failed> {
        let described = &self.m.program.states[state as usize];
        let StateKind::Fetch(fetch) = &described.kind else {
            return Err(self.failed("a `fetch` without an action"));
        };
        let (service, action) = self.action(fetch)?;
        let mut args = Vec::with_capacity(fetch.args.len());
        for (name, value) in &fetch.args {
            let value = self.eval(*value)?;
            let value = value.ok_or_else(|| {
                self.failed(format!(
                    "{}.{} needs {name}, which is not known",
                    service.name, action.name
                ))
            })?;
            args.push((name.clone(), value));
        }
        self.call_action(state, service, action, args)
    }

    /// Calls an action with these arguments and rests at the state.
    pub(super) fn call_action(
        &mut self,
        state: StateIx,
        service: &'m Service,
        action: &'m Action,
        args: Vec<(String, Value)>,
    ) -> Result<(), Failed> {
        let m = self.m;
        let described = &m.program.states[state as usize];
        let path = self.path(action, &args)?;
        let url = format!("{}{path}", service.url.trim_end_matches('/'));
        if url.len() > URL_LIMIT {
            return Err(self.failed(format!("the address gets longer than {URL_LIMIT} bytes")));
        }
        let body = self.body(action, &args)?;
        self.commit_pending();
        self.note_left();
        let visit = self.rest_at(state);
        self.effects.push(Effect::Call(Call {
            key: self.key(visit, &described.name),
            service: service.name.clone(),
            action: action.name.clone(),
            args,
            method: action.method,
            url,
            body,
            secret: service.key.clone(),
            timeout_ms: action.timeout_ms,
            private: m.is_private_call(&described.name),
            tries: if action.method == Method::Get { 2 } else { 1 },
            said_at: m.program.place(self.place),
        }));
        Ok(())
    }

    fn action(&self, fetch: &Fetch) -> Result<(&'m Service, &'m Action), Failed> {
        let service = self.m.program.business.services.get(fetch.service as usize);
        service
            .and_then(|service| Some((service, service.actions.get(fetch.action as usize)?)))
            .ok_or_else(|| self.failed("an action that the business file doesn't have"))
    }

    pub(super) fn key(&self, visit: u64, state: &str) -> String {
        format!("{}.{visit}.{state}", self.p.session)
    }

    /// The path with its blanks percent-encoded: a value can never leave its place in the address.
    fn path(&self, action: &Action, args: &[(String, Value)]) -> Result<String, Failed> {
        let source = self.m.source(action.path);
        let mut path = String::with_capacity(source.len() + 16);
        let mut rest = source;
        while let Some((before, tail)) = rest.split_once("{{") {
            let Some((blank, after)) = tail.split_once("}}") else {
                break;
            };
            let name = blank.trim();
            let (_, value) = args
                .iter()
                .find(|(own, _)| own == name)
                .ok_or_else(|| self.failed(format!("{} needs {name} in its address", action.name)))?;
            path.push_str(before);
            percent_encode(&in_address(value), &mut path);
            rest = after;
        }
        path.push_str(rest);
        if path.is_empty() || path.starts_with(['/', '?']) {
            Ok(path)
        } else {
            Ok(format!("/{path}"))
        }
    }

    /// The JSON body. Its expressions see the arguments by name. Unknown values are left out.
    fn body(&mut self, action: &Action, args: &[(String, Value)]) -> Result<Option<Json>, Failed> {
        if action.body.is_empty() {
            let bodied = matches!(action.method, Method::Post | Method::Put);
            return Ok(bodied.then(|| Json::Object(serde_json::Map::new())));
        }
        self.extra = args.iter().cloned().collect();
        let fields = action
            .body
            .iter()
            .map(|(name, value)| Ok((name.clone(), self.eval(*value)?)));
        let fields = fields.collect::<Result<Vec<_>, Failed>>();
        self.extra.clear();
        let known = fields?
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?.to_json())));
        Ok(Some(Json::Object(known.collect())))
    }

    /// The state that waits for something with this key.
    pub(super) fn waiting_for(&self, key: &str) -> Option<StateIx> {
        let frame = self.p.frames.last()?;
        let state = self.m.state_named(&frame.at)?;
        // The step may have another name by now; a visit is one of its own.
        key.starts_with(&self.key(frame.visit, "")).then_some(state)
    }

    /// An answer came. One that nobody waits for (any more) does nothing.
    pub(super) fn result(&mut self, key: &str, answer: &Answer) {
        let m = self.m;
        let state = self.waiting_for(key);
        let waiting = state.map(|state| (state, &m.program.states[state as usize].kind));
        let (state, fetch) = match waiting {
            Some((state, StateKind::Fetch(fetch))) => (state, &**fetch),
            Some((state, StateKind::Answer(_))) if self.found_for_model(state, answer) => return,
            Some((
                _,
                StateKind::Answer(_) | StateKind::Question(_) | StateKind::Call(_) | StateKind::Human(_),
            ))
            | None => return self.stale(&format!("answer {key}")),
        };
        self.place = m.program.states[state as usize].place;
        let outcome = self.outcome(fetch, answer);
        let (exit, next) = match outcome {
            Ok((exit, next)) => (exit, Ok(Next::At(next))),
            Err((exit, failed)) => (exit, Err(failed)),
        };
        self.log_left(state, exit);
        self.finish_with(next);
    }

    fn outcome(&mut self, fetch: &'m Fetch, answer: &Answer) -> Result<(Exit, Pc), (Exit, Failed)> {
        let (service, action) = self.action(fetch).map_err(|failed| (Exit::Problem, failed))?;
        let called = format!("{}.{}", service.name, action.name);
        let (status, body) = match answer {
            Answer::Status { status, body } => (*status, body),
            Answer::TimedOut { why } => return self.problem(fetch, format!("{called} took too long: {why}")),
            Answer::Down { why } => return self.problem(fetch, format!("{called} can't be reached: {why}")),
        };
        let success = (200..300).contains(&status);
        let given = success.then(|| given(action, body));
        if let Some(Ok(record)) = &given {
            let record = record.clone();
            self.top()
                .locals
                .insert(fetch.value.clone(), Value::Record(record));
        }
        if let Some((_, pc)) = fetch.statuses.iter().find(|(own, _)| *own == status) {
            return Ok((Exit::Status(status), *pc));
        }
        match (given, status, fetch.not_found, fetch.refused) {
            (Some(Ok(_)), ..) => Ok((Exit::Ok, fetch.next)),
            (Some(Err(misfit)), ..) => {
                let what = format!("{called} answered something else than it declares: {misfit}");
                if fetch.problem.is_some() {
                    // The author copes, but whoever looks after the service must know.
                    let failed = self.failed(what.clone());
                    self.effects.push(Effect::Fault(Fault {
                        what: failed.what,
                        place: self.m.program.place(failed.place),
                        at: failed.at,
                    }));
                }
                self.problem(fetch, what)
            }
            (None, 404, Some(pc), _) => Ok((Exit::NotFound, pc)),
            (None, 400..500, _, Some(pc)) if status != 404 => Ok((Exit::Refused, pc)),
            (None, ..) => self.problem(fetch, format!("{called} answered {status}")),
        }
    }

    fn problem(&mut self, fetch: &Fetch, what: String) -> Result<(Exit, Pc), (Exit, Failed)> {
        match fetch.problem {
            Some(pc) => Ok((Exit::Problem, pc)),
            None => Err((Exit::Problem, self.failed(what))),
        }
    }
}

/// What an event of the business's own systems brings, as the flow that starts on it needs it. All of it must be there.
pub(super) fn brought(needs: &[(String, Kind)], values: &BTreeMap<String, Json>) -> Result<Record, String> {
    let mut record = Record::new();
    for (name, kind) in needs {
        let value = values.get(name).and_then(Value::from_json);
        let value = value.ok_or_else(|| format!("the flow needs {name}"))?;
        let fitting = fit(kind, &value).ok_or_else(|| format!("{name} has the wrong type"))?;
        record.insert(name.clone(), fitting);
    }
    Ok(record)
}

/// The declared fields of an answer. What is missing or null is unknown; what doesn't fit is said.
fn given(action: &Action, body: &Json) -> Result<Record, String> {
    let value = Value::from_json(body);
    if action.gives.is_empty() {
        return Ok(match value {
            Some(Value::Record(fields)) => fields,
            _ => Record::new(),
        });
    }
    let Some(Value::Record(mut fields)) = value else {
        return Err("it is not a JSON object".to_owned());
    };
    let mut record = Record::new();
    for (name, kind) in &action.gives {
        if let Some(value) = fields.remove(name) {
            let value = fit(kind, &value).ok_or_else(|| format!("{name} has the wrong type"))?;
            record.insert(name.clone(), value);
        }
    }
    Ok(record)
}

/// As addresses write values: dates and numbers plainly, not as a message shows them.
fn in_address(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::YesNo(yes) => yes.to_string(),
        Value::Number(_) | Value::Date(_) | Value::Time(_) => match value.to_json() {
            Json::String(text) => text,
            other => other.to_string(),
        },
        Value::List(items) => items.iter().map(in_address).collect::<Vec<_>>().join(","),
        Value::Record(_) => shown(value, crate::flow::locale::Language::of("en")),
    }
}

/// Everything but unreserved characters (RFC 3986, 2.3). A value of `..` alone keeps its dots encoded, so that it
/// doesn't climb in the path.
fn percent_encode(text: &str, into: &mut String) {
    let dots = !text.is_empty() && text.bytes().all(|byte| byte == b'.');
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') || (byte == b'.' && !dots) {
            into.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_place_in_an_address() {
        let encoded = |text: &str| {
            let mut into = String::new();
            percent_encode(text, &mut into);
            into
        };
        assert_eq!(
            encoded("A-123/../x?y=1&z#é"),
            "A-123%2F..%2Fx%3Fy%3D1%26z%23%C3%A9"
        );
        assert_eq!(encoded(".."), "%2E%2E");
        assert_eq!(encoded("a b"), "a%20b");
    }
}

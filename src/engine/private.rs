//! Which service calls are given something that a customer answered to a `private` question, by whatever way it went
//! there: through `set`, memory, another flow, or the answer of such a call.
//!
//! What comes back from them is as private as what they were given, so nobody keeps it.

use std::collections::{BTreeSet, HashSet};

use crate::flow::owner::Owners;
use crate::flow::program::{Expr, ExprIx, FlowIx, Jump, Op, Program, StateIx, StateKind};
use crate::flow::template;

/// A value by its flow and name; of memory without a flow, as `contact.street`.
type Value = (Option<FlowIx>, String);

/// Names of the states whose calls are.
pub(super) fn private_calls(program: &Program) -> HashSet<Box<str>> {
    let mut trace = Trace {
        program,
        known: BTreeSet::new(),
        calls: BTreeSet::new(),
    };
    for state in &program.states {
        if let StateKind::Question(question) = &state.kind
            && question.private
            && let Some(value) = &question.value
        {
            trace.known.insert((state.flow, value.clone()));
        }
    }
    if trace.known.is_empty() {
        return HashSet::new();
    }
    let owners = Owners::of(program);
    let mut before = 0;
    // Until nothing is added: values only ever join.
    while trace.known.len() > before {
        before = trace.known.len();
        for (pc, instruction) in (0..).zip(&program.code) {
            trace.op(owners.flow(program, pc), &instruction.op);
        }
        for (ix, state) in (0..).zip(&program.states) {
            trace.state(ix, state.flow, &state.kind);
        }
    }
    trace
        .calls
        .into_iter()
        .map(|state| program.states[state as usize].name.as_str().into())
        .collect()
}

struct Trace<'p> {
    program: &'p Program,
    known: BTreeSet<Value>,
    calls: BTreeSet<StateIx>,
}

impl Trace<'_> {
    fn op(&mut self, flow: Option<FlowIx>, op: &Op) {
        match op {
            Op::Set { path, value } => {
                if self.tells(flow, *value) {
                    self.known.extend(value_of(flow, path));
                }
            }
            Op::Mem {
                field,
                value: Some(value),
                ..
            } => {
                if self.tells(flow, *value) {
                    self.known.insert((None, format!("contact.{field}")));
                }
            }
            Op::ForEach { list, value, .. } => {
                if self.tells(flow, *list) {
                    self.known.insert((flow, value.clone()));
                }
            }
            Op::Jump(jump) => self.jump(flow, jump),
            Op::Plan(plan) => self.jump(flow, &plan.to),
            Op::Return { gives } => {
                if gives.iter().any(|(_, value)| self.tells(flow, *value)) {
                    let calls = self.program.states.iter().filter_map(|state| match &state.kind {
                        StateKind::Call(call) if Some(call.flow) == flow => {
                            Some((state.flow, call.save.clone()?))
                        }
                        _ => None,
                    });
                    self.known.extend(calls);
                }
            }
            Op::Mem { value: None, .. }
            | Op::Send(_)
            | Op::JumpIf { .. }
            | Op::Ask(_)
            | Op::Effect(_)
            | Op::Answer(_)
            | Op::Call(_)
            | Op::Handoff(_)
            | Op::Close { .. }
            | Op::Emit(_)
            | Op::Cancel { .. }
            | Op::Split { .. }
            | Op::Pause { .. }
            | Op::Resume
            | Op::Wait => {}
        }
    }

    fn jump(&mut self, flow: Option<FlowIx>, jump: &Jump) {
        match jump {
            Jump::Flow { flow: other, args } => self.given(flow, *other, args),
            Jump::To(_) | Jump::Step(_) | Jump::Again | Jump::Back | Jump::Start => {}
        }
    }

    fn given(&mut self, flow: Option<FlowIx>, other: FlowIx, args: &[(String, ExprIx)]) {
        for (name, value) in args {
            if self.tells(flow, *value) {
                self.known.insert((Some(other), name.clone()));
            }
        }
    }

    fn state(&mut self, ix: StateIx, flow: Option<FlowIx>, kind: &StateKind) {
        match kind {
            StateKind::Fetch(fetch) => {
                if fetch.args.iter().any(|(_, value)| self.tells(flow, *value)) {
                    self.calls.insert(ix);
                    self.known.insert((flow, fetch.value.clone()));
                }
            }
            StateKind::Call(call) => self.given(flow, call.flow, &call.args),
            StateKind::Question(question) => {
                let mut values = question.options.iter().flat_map(|choice| {
                    let list = choice.each.as_ref().map(|(_, list)| *list);
                    choice.value.into_iter().chain(list)
                });
                if let Some(own) = &question.value
                    && values.any(|value| self.tells(flow, value))
                {
                    self.known.insert((flow, own.clone()));
                }
            }
            StateKind::Human(_) | StateKind::Answer(_) => {}
        }
    }

    /// Whether something private is in what this comes to.
    fn tells(&self, flow: Option<FlowIx>, expr: ExprIx) -> bool {
        self.is_told(flow, &self.program.exprs[expr as usize])
    }

    fn is_told(&self, flow: Option<FlowIx>, expr: &Expr) -> bool {
        let known = |path: &[String]| value_of(flow, path).is_some_and(|value| self.known.contains(&value));
        match expr {
            Expr::Path(path) => known(path),
            Expr::Text(text) => {
                let text = &self.program.texts[*text as usize];
                !text.fixed && template::paths(&text.source).iter().any(|used| known(&used.path))
            }
            Expr::List(items) => items.iter().any(|item| self.is_told(flow, item)),
            Expr::Not(inner) => self.is_told(flow, inner),
            Expr::Binary(_, left, right) => self.is_told(flow, left) || self.is_told(flow, right),
            Expr::Test { subject, .. } => self.is_told(flow, subject),
            Expr::Filter { subject, args, .. } => {
                self.is_told(flow, subject) || args.iter().any(|arg| self.is_told(flow, arg))
            }
            Expr::Number(_)
            | Expr::YesNo(_)
            | Expr::Nothing
            | Expr::Date(_)
            | Expr::Time(_)
            | Expr::Duration(_) => false,
        }
    }
}

fn value_of(flow: Option<FlowIx>, path: &[String]) -> Option<Value> {
    match path {
        [] => None,
        [scope, field, ..] if scope == "contact" || scope == "chat" => {
            Some((None, format!("{scope}.{field}")))
        }
        [name, ..] => Some((flow, name.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::compile;
    use crate::flow::source::Sources;

    const BUSINESS: &str = r#"business "Boots"
timezone "UTC"
languages en
starts with front

team support "Care"
end

service shop "https://shop.example"
  action check needs code
    get "/codes/{{ code }}"
    gives token: text
end

defaults
  otherwise "Sorry?" up to 2 times, then -> handoff to support
  problem "Something went wrong." -> handoff to support
end
"#;

    const FRONT: &str = r#"flow front
starts on "hi"

step hello
  ask name "Your name?"
  fetch plain from shop.check with code = name
  do secret with greeting = name save secret
  fetch returned from shop.check with code = secret.pin
  say "{{ plain.token }} {{ returned.token }}"
  done
"#;

    const SECRET: &str = r#"flow secret
starts when called
needs greeting: text
gives pin: text

step ask
  fetch before from shop.check with code = greeting
  ask pin "{{ greeting }}, your code? {{ before.token }}"
    private
  end
  set longer = "{{ pin }}!"
  fetch direct from shop.check with code = longer
  fetch further from shop.check with code = direct.token
  say "{{ further.token }}"
  done with pin = pin
"#;

    #[test]
    fn a_private_answer_is_followed_through_values_flows_and_answers() {
        let mut sources = Sources::default();
        for (name, text) in [
            ("business.flow", BUSINESS),
            ("front.flow", FRONT),
            ("secret.flow", SECRET),
        ] {
            sources.add(name.to_owned(), text.to_owned());
        }
        let compiled = compile(&sources);
        let program = compiled
            .program
            .unwrap_or_else(|| panic!("{:?}", compiled.diagnostics));
        let mut found: Vec<String> = private_calls(&program).into_iter().map(String::from).collect();
        found.sort();
        let private = ["front/hello.returned", "secret/ask.direct", "secret/ask.further"];
        assert_eq!(found, private);
    }
}

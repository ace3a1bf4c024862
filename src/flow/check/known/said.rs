//! The words about a value that may not be known: where it is first learned, and three ways out.

use super::{Use, Walk};
use crate::flow::check::values::Var;
use crate::flow::diagnostic::{Code, Diagnostic, Edit, Fix};
use crate::flow::source::Span;
use crate::flow::tree::Flow;

impl Walk<'_, '_> {
    pub(super) fn not_known(&self, path: &[String], at: Span, how: Use) -> Diagnostic {
        let name = path.join(".");
        let var = self
            .home
            .flow
            .and_then(|flow| self.values.flows[flow].get(&path[0]));
        let diagnostic = Diagnostic::new(Code::F402, at, format!("{name} may not be known here"), "");
        let diagnostic = match var {
            Some(var) => self.own_value(diagnostic, path, var),
            None => self.memory_value(diagnostic, path),
        };
        let ask = self.ask_first(path).unwrap_or_else(|| "that step".to_owned());
        let (guard, guard_what) = match how {
            Use::Text => (
                format!("{{% if {name} is known %}} … {{% endif %}}"),
                "leave it out",
            ),
            Use::Line => (format!("if {name} is known"), "only then"),
        };
        // "Hi there" does for a name; what else can be said, only the author knows.
        let is_name = path.last().is_some_and(|part| part.contains("name"));
        let first = match (how, is_name) {
            (Use::Text, true) => format!("{name} | default('there')"),
            (Use::Text, false) => format!("{name} | default('…')"),
            (Use::Line, _) => format!("{name} | default(\"…\")"),
        };
        let first_shown = if how == Use::Text {
            format!("{{{{ {first} }}}}")
        } else {
            first.clone()
        };
        let last = format!("if {name} is unknown -> {ask}");
        let width = [&first_shown, &guard, &last]
            .into_iter()
            .map(|text| text.chars().count())
            .max()
            .unwrap_or(0);
        let fix = |title: &str, what: &str, edits: Vec<Edit>| Fix {
            title: format!("{title:width$}   {what}"),
            edits,
        };
        let edit = Edit {
            span: at,
            replacement: first,
        };
        let mut diagnostic = diagnostic;
        diagnostic.fixes = vec![
            fix(
                &first_shown,
                "say something else",
                if how == Use::Text && is_name {
                    vec![edit]
                } else {
                    Vec::new()
                },
            ),
            fix(&guard, guard_what, Vec::new()),
            fix(&last, "ask first", Vec::new()),
        ];
        diagnostic
    }

    fn own_value(&self, diagnostic: Diagnostic, path: &[String], var: &Var) -> Diagnostic {
        let unsure = path.get(1).filter(|field| var.unsure_fields.contains(field));
        let mut diagnostic = diagnostic;
        match unsure {
            Some(field) => {
                diagnostic.labels[0].text = format!("not every way through the called flow gives {field}");
                diagnostic.label(var.first, "called here")
            }
            None => {
                diagnostic.labels[0].text = "on some way to this line nobody has learned it".to_owned();
                let learned = self.shop.sources.place(var.first);
                diagnostic.label(var.first, "first learned here").note(format!(
                    "There is a way to this line that doesn't pass {learned}, where {} is learned.\nA customer who comes that way would get the sentence for problems instead.",
                    var.name
                ))
            }
        }
    }

    fn memory_value(&self, mut diagnostic: Diagnostic, path: &[String]) -> Diagnostic {
        let name = path
            .iter()
            .take(2)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(".");
        let field = path.get(1).map_or("value", String::as_str).replace('_', " ");
        diagnostic.labels[0].text = "customers may not have one".to_owned();
        let learned = self.values.learned.get(&name);
        let note = match (path[0].as_str(), learned) {
            ("contact", Some(learned)) => format!(
                "New customers have no {field} yet; it is first learned in {}.",
                self.shop.sources.place(learned.at)
            ),
            ("contact", None) if matches!(path.get(1).map(String::as_str), Some("name" | "phone")) => {
                format!("WhatsApp doesn't tell the {field} of every customer.")
            }
            ("contact", None) if path.get(1).map(String::as_str) == Some("language") => {
                "It is known once the customer has written words of one language alone.".to_owned()
            }
            ("contact", None) => format!("No flow ever learns it: nothing remembers {name}."),
            ("chat", Some(learned)) => format!(
                "It is first learned in {}; before that, and in a new chat, there is none.",
                self.shop.sources.place(learned.at)
            ),
            ("chat", None) => format!("No flow ever learns it: nothing sets {name}."),
            ("message", _) => format!("Not every message has a {field}."),
            ("agent", _) => "Nobody of the team may have taken the chat yet.".to_owned(),
            _ => "It is only known if it was recognised in the customer's last message.".to_owned(),
        };
        diagnostic.note(note)
    }

    /// The step that asks for it, to lead to.
    fn ask_first(&self, path: &[String]) -> Option<String> {
        let name = path
            .iter()
            .take(2)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(".");
        let own = self.home.flow.map(|flow| &self.shop.tree.flows[flow]);
        if let Some(var) = self
            .home
            .flow
            .and_then(|flow| self.values.flows[flow].get(&path[0]))
        {
            return own.and_then(|flow| step_at(flow, var.first)).map(str::to_owned);
        }
        let learned = self.values.learned.get(&name)?;
        let flow = &self.shop.tree.flows[learned.flow?];
        if learned.flow == self.home.flow {
            return Some(flow.steps.get(learned.step?)?.name.words.clone());
        }
        Some(format!("ask the {}", path.get(1)?.replace('_', " ")))
    }
}

/// Name of the step whose lines hold the place.
fn step_at(flow: &Flow, at: Span) -> Option<&str> {
    let steps = flow
        .steps
        .iter()
        .filter(|step| step.span.file == at.file && step.span.start <= at.start);
    steps
        .max_by_key(|step| step.span.start)
        .map(|step| step.name.words.as_str())
}

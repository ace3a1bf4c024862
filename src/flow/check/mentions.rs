//! Values that are mentioned: unknown ones (F401), undeclared memory (F404), and values that nobody ever uses (F405).

use super::blanks::{self, Blanks};
use super::values::{Meaning, Origin, Type, Values};
use super::walk;
use super::{Shop, did_you_mean};
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::names::nearest;
use crate::flow::source::Span;
use crate::flow::tree::{Action, Expr, ExprKind, Path, StmtKind, Text};

pub(super) fn check(shop: &Shop, values: &Values, texts: &Blanks, found: &mut Vec<Diagnostic>) {
    let mut mentions = Mentions {
        shop,
        values,
        texts,
        used: values
            .flows
            .iter()
            .map(|scope| vec![false; scope.vars.len()])
            .collect(),
        found,
    };
    mentions.everywhere();
    mentions.never_used();
}

struct Mentions<'c, 't> {
    shop: &'c Shop<'t>,
    values: &'c Values<'t>,
    texts: &'c Blanks<'t>,
    /// By flow and value.
    used: Vec<Vec<bool>>,
    found: &'c mut Vec<Diagnostic>,
}

impl Mentions<'_, '_> {
    fn everywhere(&mut self) {
        let shop = self.shop;
        walk::statements(shop.tree, |home, stmt| {
            walk::texts(stmt, &mut |_, text| self.text(home.flow, text, &[]));
            walk::exprs(stmt, &mut |expr| self.expr(home.flow, expr, &[]));
            match &stmt.kind {
                StmtKind::Remember(remember) => {
                    self.path(home.flow, &remember.value.parts, remember.value.span, &[]);
                    match &remember.field {
                        Some(field) => self.memory(field, field.span),
                        None => self.memory_of_value(&remember.value),
                    }
                }
                StmtKind::Forget { fields } => {
                    fields.iter().for_each(|field| self.memory(field, field.span));
                }
                StmtKind::Answer(answer) => {
                    answer
                        .remembers
                        .iter()
                        .for_each(|field| self.memory(field, field.span));
                }
                StmtKind::Set { path, .. } if path.parts.len() > 1 => self.set_field(path),
                _ => {}
            }
        });
        for (index, flow) in shop.tree.flows.iter().enumerate() {
            let conditions = flow
                .starts
                .iter()
                .filter_map(|starts| starts.condition.as_ref())
                .chain(flow.ons.iter().filter_map(|on| on.condition.as_ref()));
            conditions.for_each(|expr| self.expr(Some(index), expr, &[]));
        }
        for tail in walk::default_tails(shop.tree) {
            tail.say.iter().for_each(|text| self.text(None, text, &[]));
            if let Some(target) = &tail.go {
                walk::target_args(target)
                    .iter()
                    .for_each(|arg| self.expr(None, &arg.value, &[]));
            }
        }
        let Some(business) = &shop.tree.business else {
            return;
        };
        business
            .ons
            .iter()
            .filter_map(|on| on.condition.as_ref())
            .for_each(|expr| self.expr(None, expr, &[]));
        business
            .defaults
            .closed
            .iter()
            .for_each(|text| self.text(None, text, &["team", "opens"]));
        business
            .services
            .iter()
            .flat_map(|service| &service.actions)
            .for_each(|action| self.action(action));
    }

    fn action(&mut self, action: &Action) {
        let needs: Vec<&str> = action.needs.iter().map(|name| name.text.as_str()).collect();
        self.text(None, &action.path, &needs);
        action
            .body
            .iter()
            .for_each(|arg| self.expr(None, &arg.value, &needs));
    }

    fn text(&mut self, flow: Option<usize>, text: &Text, also: &[&str]) {
        if self.texts.get(text).is_some_and(|read| !read.mistakes.is_empty()) {
            return self.unreadable(flow, text);
        }
        for used in self.texts.uses(text) {
            if !self.is_fine(flow, &used.path, also) {
                let at = blanks::place(self.shop.sources, text, &used.range);
                self.path(flow, &used.path, at, also);
            }
        }
    }

    /// What a text with a mistake in it uses can't be told: every value that it names counts as used.
    fn unreadable(&mut self, flow: Option<usize>, text: &Text) {
        let Some(flow) = flow else { return };
        let words = text.source.split(|c: char| !c.is_alphanumeric() && c != '_');
        for word in words {
            if let Some(index) = self.values.flows[flow].index(word) {
                self.used[flow][index] = true;
            }
        }
    }

    fn expr(&mut self, flow: Option<usize>, expr: &Expr, also: &[&str]) {
        walk::parts(expr, &mut |part| {
            if let ExprKind::Path(path) = &part.kind {
                self.path(flow, &path.parts, path.span, also);
            }
        });
    }

    /// Notes the use; `false` if there is something to say about it.
    fn is_fine(&mut self, flow: Option<usize>, path: &[String], also: &[&str]) -> bool {
        let Some(root) = path.first() else { return true };
        if let Some(flow) = flow
            && let Some(index) = self.values.flows[flow].index(root)
        {
            self.used[flow][index] = true;
        }
        also.contains(&root.as_str()) || matches!(self.values.look_up(flow, path), Meaning::Value(_))
    }

    fn path(&mut self, flow: Option<usize>, path: &[String], at: Span, also: &[&str]) {
        if self.is_fine(flow, path, also) {
            return;
        }
        let diagnostic = match self.values.look_up(flow, path) {
            Meaning::Value(_) => return,
            Meaning::NoName => self.no_value(flow, path, at, also),
            Meaning::NoMemory => self.no_memory(&path[0], &path[1], at, path.len() == 2),
            Meaning::NoField(index, of) => no_field(path, index, &of, at),
        };
        self.found.push(diagnostic);
    }

    fn no_value(&self, flow: Option<usize>, path: &[String], at: Span, also: &[&str]) -> Diagnostic {
        let root = &path[0];
        let scope = flow.map(|flow| &self.values.flows[flow]);
        let names = scope
            .into_iter()
            .flat_map(|scope| scope.vars.iter().map(|var| var.name));
        let teams = self
            .shop
            .tree
            .business
            .iter()
            .flat_map(|business| &business.teams);
        let all = names
            .chain(also.iter().copied())
            .chain(["contact", "message", "today", "now"])
            .chain(teams.map(|team| team.name.text.as_str()));
        let near = nearest(root, all);
        let memory = format!("contact.{root}");
        let declared = self.shop.names.field(&memory).is_some();
        let elsewhere = self.learned_elsewhere(flow, root);
        let label = match (near, declared) {
            (_, true) => format!("did you mean `{memory}`?"),
            (Some(near), false) => format!("did you mean `{near}`?"),
            (None, false) if flow.is_none() => "the business file can't see values of flows".to_owned(),
            (None, false) => "nothing in this flow has this name".to_owned(),
        };
        let mut diagnostic = Diagnostic::new(Code::F401, at, format!("{root} is not a value here"), label);
        // Only the first part is wrong.
        let first = Span::new(at.file, at.start as usize, at.start as usize + root.len());
        if declared {
            diagnostic = diagnostic.fix(memory.clone(), first, memory);
        } else if near.is_some() {
            diagnostic = did_you_mean(diagnostic, first, near);
        } else if let Some((name, span)) = elsewhere {
            diagnostic = diagnostic.note(format!(
                "Flow {name} has a value of this name ({}), but values belong to their flow.\nGive it along:  -> flow … with {root} = {root}  (and `needs {root}: …` here), or remember it as contact.{root}.",
                self.shop.sources.place(span)
            ));
        } else if flow.is_some() {
            diagnostic = diagnostic.note(format!(
                "The customer would get the sentence for problems instead. A value gets its name where it is learned:\nask {root} \"…\" , menu {root} \"…\" , fetch {root} from … or  set {root} = …"
            ));
        }
        diagnostic
    }

    /// A flow that has a value of this name.
    fn learned_elsewhere(&self, flow: Option<usize>, name: &str) -> Option<(&str, Span)> {
        let flows = self.values.flows.iter().enumerate();
        flows
            .filter(|(index, _)| Some(*index) != flow)
            .find_map(|(index, scope)| {
                let var = scope.get(name)?;
                Some((self.shop.tree.flows[index].name.words.as_str(), var.first))
            })
    }

    fn no_memory(&self, root: &str, field: &str, at: Span, whole: bool) -> Diagnostic {
        let prefix = format!("{root}.");
        let declared: Vec<&str> = self
            .shop
            .tree
            .business
            .iter()
            .flat_map(|business| &business.memory)
            .filter(|field| field.path.parts.first().is_some_and(|first| first == root))
            .filter_map(|field| field.path.parts.get(1).map(String::as_str))
            .chain(
                (root == "contact")
                    .then_some(["name", "phone", "language"])
                    .into_iter()
                    .flatten(),
            )
            .collect();
        let near = nearest(field, declared.iter().copied());
        let label = match near {
            Some(near) => format!("did you mean `{prefix}{near}`?"),
            None => "the business file doesn't declare it".to_owned(),
        };
        let diagnostic = Diagnostic::new(Code::F404, at, format!("{prefix}{field} is not declared"), label);
        match near {
            Some(near) if whole => diagnostic.fix(format!("{prefix}{near}"), at, format!("{prefix}{near}")),
            Some(_) => diagnostic,
            None => diagnostic.note(format!(
                "What is remembered of a customer is declared once, so that a slip of the pen doesn't lose it.\nAdd a line under `memory` in the business file, for example  {prefix}{field}: text"
            )),
        }
    }

    /// A field that is written or forgotten.
    fn memory(&mut self, path: &Path, at: Span) {
        match path.parts.as_slice() {
            [root, field, ..] if root == "contact" || root == "chat" => {
                if self.shop.names.field(&format!("{root}.{field}")).is_none() {
                    let diagnostic = match (root.as_str(), field.as_str()) {
                        ("contact", "phone" | "name") => Diagnostic::new(
                            Code::F404,
                            at,
                            format!("contact.{field} can't be changed"),
                            "this comes from WhatsApp",
                        )
                        .note("Declare a field of your own under `memory` in the business file, for example  contact.first_name: text"),
                        ("contact", "language") => Diagnostic::new(
                            Code::F404,
                            at,
                            "contact.language is not remembered yet",
                            "the customer's own words tell it, until the business declares it",
                        )
                        .note("Write  contact.language: text  under `memory` in the business file; what a flow sets there counts from then on."),
                        _ => self.no_memory(root, field, at, path.parts.len() == 2),
                    };
                    self.found.push(diagnostic);
                }
            }
            _ => {
                let name = path.parts.join(".");
                self.found.push(
                    Diagnostic::new(
                        Code::F404,
                        at,
                        format!("{name} is not memory"),
                        "only fields of contact and chat are remembered",
                    )
                    .note(format!(
                        "Write  contact.{name} , declared under `memory` in the business file."
                    )),
                );
            }
        }
    }

    /// `remember x` without `as` writes `contact.x`.
    fn memory_of_value(&mut self, value: &Path) {
        let Some(last) = value.parts.last() else { return };
        let path = Path {
            parts: vec!["contact".to_owned(), last.clone()],
            span: value.span,
        };
        if self.shop.names.field(&format!("contact.{last}")).is_none() {
            self.memory(&path, value.span);
        }
    }

    fn set_field(&mut self, path: &Path) {
        if matches!(path.parts[0].as_str(), "contact" | "chat") {
            self.memory(path, path.span);
        }
    }

    fn never_used(&mut self) {
        for (index, scope) in self.values.flows.iter().enumerate() {
            for (var, used) in scope.vars.iter().zip(&self.used[index]) {
                let (what, advice) = match var.origin {
                    // A called flow may be given more than it looks at; options may only lead on.
                    Origin::Needed | Origin::Chosen | Origin::FetchedNothing | Origin::Each => continue,
                    Origin::Asked => ("asked for", "The customer is asked for nothing."),
                    Origin::Set => ("set", "This line does nothing."),
                    Origin::Fetched => (
                        "fetched",
                        "The customer waits for an answer that nobody looks at.",
                    ),
                    Origin::Called => ("given back", "Leave out  save  if the result doesn't matter."),
                };
                if *used {
                    continue;
                }
                self.found.push(
                    Diagnostic::new(
                        Code::F405,
                        var.first,
                        format!("{} is {what} but never used", var.name),
                        "nothing reads this value",
                    )
                    .note(format!(
                        "{advice} Use it in a message, a condition or a note, remember it, or remove it."
                    )),
                );
            }
        }
    }
}

fn no_field(path: &[String], index: usize, of: &Type, at: Span) -> Diagnostic {
    let holder = path[..index].join(".");
    let Some(field) = path.get(index) else {
        return Diagnostic::new(
            Code::F401,
            at,
            format!("{holder} alone is not a value"),
            "which field of it?",
        )
        .note(format!("Name one of its fields, for example  {holder}.name"));
    };
    let names = of.field_names();
    let near = nearest(field, names.iter().copied());
    let label = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => format!("{} has no fields", of.words()),
        None => "no field of it is called so".to_owned(),
    };
    let mut diagnostic = Diagnostic::new(Code::F401, at, format!("{holder} has no {field}"), label);
    if !names.is_empty() {
        diagnostic = diagnostic.note(format!("{holder} has: {}.", names.join(", ")));
    }
    match near {
        Some(near) => {
            let mut mended = path.to_vec();
            mended[index] = near.to_owned();
            diagnostic.fix(mended.join("."), at, mended.join("."))
        }
        None => diagnostic,
    }
}

//! Answers to `private` questions (F406): they stay out of messages, memory and notes, and are gone when the flow is
//! done. They may be compared, and given to a service. Given to another flow, or back to the caller, they are private
//! there too; a plan of another day keeps none.

use super::blanks::{self, Blanks};
use super::walk::{self, Role};
use super::{Shop, paths::first_line};
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::source::Span;
use crate::flow::tree::{Arg, Expr, ExprKind, Phrase, Stmt, StmtKind, TargetKind};

pub(super) fn check(shop: &Shop, blanks: &Blanks, found: &mut Vec<Diagnostic>) {
    let secrets = secrets(shop, blanks);
    if secrets.iter().all(Secrets::is_empty) {
        return;
    }
    walk::statements(shop.tree, |home, stmt| {
        let Some(secrets) = home.flow.map(|flow| &secrets[flow]).filter(|one| !one.is_empty()) else {
            return;
        };
        walk::texts(stmt, &mut |role, text| {
            let does = match role {
                Role::Note => "noted",
                // What an expression does is told by its statement.
                Role::Value => return,
                _ => "sent",
            };
            for used in blanks.uses(text) {
                if let Some(secret) = secrets.named(&used.path) {
                    let at = blanks::place(shop.sources, text, &used.range);
                    found.push(told(secret, at, does));
                }
            }
        });
        for (expr, does) in gives_away(stmt) {
            if let Some((secret, at)) = secrets.in_expr(expr, blanks) {
                found.push(told(secret, at, does));
            }
        }
        if let StmtKind::Remember(remember) = &stmt.kind
            && let Some(secret) = secrets.named(&remember.value.parts)
        {
            found.push(told(secret, remember.value.span, "remembered"));
        }
        if let StmtKind::Set { path, value } = &stmt.kind
            && path
                .parts
                .first()
                .is_some_and(|root| root == "contact" || root == "chat")
            && let Some((secret, _)) = secrets.in_expr(value, blanks)
        {
            found.push(told(secret, first_line(shop, stmt.span), "remembered"));
        }
    });
}

fn told(secret: &Secret, at: Span, does: &str) -> Diagnostic {
    Diagnostic::new(
        Code::F406,
        at,
        format!("a private answer is {does}"),
        format!("{} would stay in the chat, the memory or the inbox", secret.path.join(".")),
    )
    .label(secret.asked, "it was asked for as private here")
    .note("What is private is kept out of logs and transcripts and dropped when the flow is done. Give it to a service, or compare\nit; or leave `private` out of the question.")
}

/// Expressions by which a statement sends or notes something.
fn gives_away(stmt: &Stmt) -> Vec<(&Expr, &'static str)> {
    match &stmt.kind {
        StmtKind::SendTemplate { args, .. } => args.iter().map(|arg| (&arg.value, "sent")).collect(),
        StmtKind::Question(question) => {
            let args = question.by_template().into_iter().flat_map(|by| &by.args);
            args.map(|arg| (&arg.value, "sent")).collect()
        }
        StmtKind::SendFile(file) => vec![(&file.source, "sent")],
        StmtKind::Later(plan) => match &plan.to.kind {
            TargetKind::Flow(_, args) => args
                .iter()
                .map(|arg| (&arg.value, "kept for another day"))
                .collect(),
            _ => Vec::new(),
        },
        StmtKind::Record { value, .. } => value.iter().map(|value| (value, "noted")).collect(),
        _ => Vec::new(),
    }
}

/// A value that is private, with the question.
struct Secret<'t> {
    /// `pin`, or `owner.pin` where a flow gave it back.
    path: Vec<&'t str>,
    asked: Span,
}

/// The private values of one flow.
#[derive(Default)]
struct Secrets<'t>(Vec<Secret<'t>>);

impl<'t> Secrets<'t> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The private value that is meant, or that is in the record that is meant.
    fn named(&self, path: &[String]) -> Option<&Secret<'t>> {
        let meets = |secret: &&Secret<'t>| secret.path.iter().zip(path).all(|(one, other)| *one == *other);
        self.0.iter().filter(|_| !path.is_empty()).find(meets)
    }

    /// A private value that an expression's result shows something of. A comparison shows only yes or no.
    fn in_expr(&self, expr: &Expr, blanks: &Blanks) -> Option<(&Secret<'t>, Span)> {
        match &expr.kind {
            ExprKind::Path(path) => Some((self.named(&path.parts)?, path.span)),
            ExprKind::Text(text) => {
                let mut used = blanks.uses(text).iter();
                used.find_map(|used| Some((self.named(&used.path)?, text.span)))
            }
            ExprKind::List(items) => items.iter().find_map(|item| self.in_expr(item, blanks)),
            ExprKind::Filter { subject, name, args } => {
                let mut parts = std::iter::once(&**subject).chain(args);
                // How many there are is no secret.
                (name.text != "count").then(|| parts.find_map(|part| self.in_expr(part, blanks)))?
            }
            ExprKind::Binary { op, left, right } => {
                use crate::flow::tree::BinaryOp::{Add, Divide, Multiply, Subtract};
                matches!(op, Add | Subtract | Multiply | Divide)
                    .then(|| self.in_expr(left, blanks).or_else(|| self.in_expr(right, blanks)))?
            }
            ExprKind::Not(_)
            | ExprKind::Test { .. }
            | ExprKind::Number(_)
            | ExprKind::YesNo(_)
            | ExprKind::Nothing
            | ExprKind::Date(_)
            | ExprKind::Time(_)
            | ExprKind::Duration(_) => None,
        }
    }
}

/// A value of one flow that is made of those of another, or of the same.
struct Copy<'t> {
    from: usize,
    value: &'t Expr,
    to: usize,
    path: Vec<&'t str>,
}

/// Answers to private questions, and the values that are made of them: in their flow, in flows that are given them, and
/// in those that get them back.
fn secrets<'t>(shop: &Shop<'t>, blanks: &Blanks) -> Vec<Secrets<'t>> {
    let mut secrets: Vec<Secrets> = shop.tree.flows.iter().map(|_| Secrets::default()).collect();
    walk::statements(shop.tree, |home, stmt| {
        if let (Some(flow), StmtKind::Question(question)) = (home.flow, &stmt.kind)
            && let (true, Some(name)) = (question.private, &question.name)
        {
            secrets[flow].0.push(Secret {
                path: vec![&name.text],
                asked: name.span,
            });
        }
    });
    if secrets.iter().all(Secrets::is_empty) {
        return secrets;
    }
    let copies = copies(shop);
    // A copy of a copy is found in the next round; each round finds one or is the last.
    loop {
        let found = copies.iter().find_map(|copy| {
            let known = secrets[copy.to].0.iter().any(|secret| secret.path == copy.path);
            let (secret, _) = (!known).then(|| secrets[copy.from].in_expr(copy.value, blanks))??;
            Some((copy.to, copy.path.clone(), secret.asked))
        });
        let Some((flow, path, asked)) = found else {
            return secrets;
        };
        secrets[flow].0.push(Secret { path, asked });
    }
}

fn copies<'t>(shop: &Shop<'t>) -> Vec<Copy<'t>> {
    let mut copies: Vec<Copy<'t>> = Vec::new();
    // What flows give back, and who saves what a flow gives back.
    let mut given: Vec<(usize, &'t [Arg])> = Vec::new();
    let mut saved: Vec<(usize, usize, &'t str)> = Vec::new();
    walk::statements(shop.tree, |home, stmt| {
        let Some(from) = home.flow else { return };
        let mut handed = |to: &Phrase, args: &'t [Arg]| {
            let Some(to) = shop.names.flow_index(to) else {
                return;
            };
            copies.extend(args.iter().map(|arg| Copy {
                from,
                value: &arg.value,
                to,
                path: vec![arg.name.text.as_str()],
            }));
        };
        for arrow in walk::arrows(stmt) {
            match &arrow.kind {
                TargetKind::Flow(flow, args) => handed(flow, args),
                TargetKind::Done(gives) => given.push((from, gives)),
                _ => {}
            }
        }
        match &stmt.kind {
            StmtKind::Do(call) => {
                handed(&call.flow, &call.args);
                if let (Some(name), Some(flow)) = (&call.save, shop.names.flow_index(&call.flow)) {
                    saved.push((from, flow, &name.text));
                }
            }
            StmtKind::Done { gives } => given.push((from, gives)),
            StmtKind::ForEach(each) => copies.push(Copy {
                from,
                value: &each.list,
                to: from,
                path: vec![each.name.text.as_str()],
            }),
            StmtKind::Set { path, value } => {
                let path: Vec<&str> = path.parts.iter().map(String::as_str).collect();
                if !matches!(path.first(), Some(&("contact" | "chat")) | None) {
                    copies.push(Copy {
                        from,
                        value,
                        to: from,
                        path,
                    });
                }
            }
            _ => {}
        }
    });
    for (to, flow, name) in saved {
        let gives = given.iter().filter(|(from, _)| *from == flow);
        copies.extend(gives.flat_map(|(from, args)| {
            args.iter().map(|arg| Copy {
                from: *from,
                value: &arg.value,
                to,
                path: vec![name, arg.name.text.as_str()],
            })
        }));
    }
    copies
}

#[cfg(test)]
mod tests {
    use crate::flow::compile::compile;
    use crate::flow::diagnostic::Code;
    use crate::flow::source::Sources;

    const BUSINESS: &str = "business \"Shoes\"\nstarts with pin\n\nteam support \"Care\"\n\nservice bank \"https://api.shoes.example\"\n  action account needs pin\n    post \"/account\" with pin = pin\n    gives since: text\nend\n\ndefaults\n  problem \"Something went wrong.\" -> handoff to support\nend\n\non \"agent\" -> handoff to support\n";
    /// It asks, in private, and `NEXT` stands behind the question.
    const PIN: &str = "flow pin\nstarts on \"pin\"\n\nstep hello\n  ask pin \"What's your PIN?\"\n    as whole number\n    private\n  end\nNEXT";

    /// Files and lines of all mistakes, each of which has to be F406.
    fn told(next: &str, other: &str) -> Vec<(String, u32)> {
        let mut sources = Sources::default();
        sources.add("business.flow", BUSINESS);
        sources.add("pin.flow", PIN.replace("NEXT", next));
        if !other.is_empty() {
            sources.add("other.flow", other);
        }
        let compiled = compile(&sources);
        let told = compiled.diagnostics.iter().map(|told| {
            assert_eq!(told.code, Code::F406, "{told:?}");
            let place = sources.place(told.span());
            (place.file, place.line)
        });
        told.collect()
    }

    fn at(file: &str, line: u32) -> Vec<(String, u32)> {
        vec![(file.to_owned(), line)]
    }

    #[test]
    fn a_flow_that_is_given_a_private_answer_keeps_it_private() {
        let called = "flow check it\nstarts when called\nneeds code: number\n\nstep a\n  fetch account from bank.account with pin = code\n  say \"Since {{ account.since }}: your code is CODE.\"\n  done\n";
        let does = "  do check it with code = pin\n  done\n";
        assert_eq!(
            told(does, &called.replace("CODE", "{{ code }}")),
            at("other.flow", 7)
        );
        // To a service it may go on.
        assert_eq!(told(does, &called.replace("CODE", "right")), []);
        // An arrow takes it along as well, also under a line.
        let arrow =
            "  menu \"Sure?\"\n    \"Yes\" -> flow check it with code = pin\n    \"No\" -> done\n  end\n";
        assert_eq!(
            told(arrow, &called.replace("CODE", "{{ code }}")),
            at("other.flow", 7)
        );
        // What a comparison gives is no secret.
        let compared = "  set right = 0\n  if pin > 999\n    set right = 1\n  end\n  do check it with code = right\n  done\n";
        assert_eq!(told(compared, &called.replace("CODE", "{{ code }}")), []);
    }

    #[test]
    fn what_a_flow_gives_back_of_a_private_answer_is_private_with_the_caller() {
        let asks = "  done with code = pin, fine = yes\n";
        let caller = |says: &str| {
            format!(
                "flow caller\nstarts on \"me\"\n\nstep a\n  do pin save owner\n  say \"Hello {says}.\"\n  done\n"
            )
        };
        let pin = PIN.replace(
            "starts on \"pin\"",
            "starts when called\ngives code: number, fine: yes or no",
        );
        let told = |says: &str| {
            let mut sources = Sources::default();
            sources.add(
                "business.flow",
                BUSINESS.replace("starts with pin", "starts with caller"),
            );
            sources.add("pin.flow", pin.replace("NEXT", asks));
            sources.add("caller.flow", caller(says));
            let compiled = compile(&sources);
            let told = compiled.diagnostics.iter();
            let told = told.map(|told| (told.code, sources.place(told.span()).line));
            told.collect::<Vec<_>>()
        };
        assert_eq!(told("{{ owner.code }}"), [(Code::F406, 6)]);
        // What else it gives back is none.
        assert_eq!(told("{% if owner.fine %}you{% endif %}"), []);
    }

    #[test]
    fn a_plan_of_another_day_takes_no_private_answer_along() {
        let reminds = "flow remind\nstarts when called\nneeds code: number\n\nstep a\n  fetch account from bank.account with pin = code\n  say \"{{ account.since }}\"\n  done\n";
        let plans = "  later again in 2 hours -> flow remind with code = pin\n  done\n";
        assert_eq!(told(plans, reminds), at("pin.flow", 9));
        let public = "  set code = 5\n  if pin > 999\n    set code = 6\n  end\n  later again in 2 hours -> flow remind with code = code\n  done\n";
        assert_eq!(told(public, reminds), []);
    }

    #[test]
    fn a_copy_in_a_text_or_a_list_is_private_too() {
        let text = "  set line = \"PIN {{ pin }}\"\n  say \"{{ line }}\"\n  done\n";
        assert_eq!(told(text, ""), at("pin.flow", 10));
        let list = "  set all = [pin]\n  for each one in all\n    say \"{{ one }}\"\n  end\n  done\n";
        assert_eq!(told(list, ""), at("pin.flow", 11));
    }
}

//! The sections of a flow file: its head, steps, and `on`s.

use super::cursor::{Ahead, Cursor, Next};
use super::mistake;
use crate::flow::diagnostic::{Code as Check, Diagnostic};
use crate::flow::parse::{self, Parsed, Rule};
use crate::flow::tree::{Field, On, Phrase, Step, Stmt, StmtKind, Text};
use crate::flow::words::{self, Place, Role};

/// What a section of a flow file turned out to be.
pub(super) enum Section {
    /// The `flow` line, and what it gives.
    Flow(Phrase, Option<Text>, Vec<Field>),
    /// Another line of the head, and what follows it.
    Head(Box<Option<Parsed>>, Vec<Field>),
    Step(Step),
    On(On),
    Nothing,
}

/// A section of a flow file. `begun`: steps came before; `named`: the `flow` line came before.
pub(super) fn flow_section(cursor: &mut Cursor<'_>, begun: bool, named: bool) -> Section {
    let Ahead::Line(next) = cursor.ahead() else {
        return Section::Nothing;
    };
    let Some(rule) = next.rule.filter(|rule| words::role(*rule) == Role::Heading) else {
        // Lines before the first heading: a step without a name.
        cursor.body(true);
        return Section::Nothing;
    };
    let misplaced = match rule {
        Rule::flow_line => named || begun,
        Rule::starts_line | Rule::needs_line => begun,
        Rule::step_line | Rule::on_line => false,
        _ => true,
    };
    if misplaced {
        cursor.misplaced(next, rule);
        cursor.skip_section(next);
        return Section::Nothing;
    }
    let span = cursor.span(next.line);
    let parsed = cursor.read(next, rule);
    cursor.pass(next, rule);
    match (rule, parsed) {
        (Rule::step_line, parsed) => {
            cursor.base = 1;
            let body = cursor.body(true);
            match parsed {
                Some(Parsed::Step { name, was }) => Section::Step(Step {
                    name,
                    was,
                    body,
                    span,
                }),
                _ => Section::Nothing,
            }
        }
        (Rule::on_line, parsed) => cursor.on(next, parsed).map_or(Section::Nothing, Section::On),
        (Rule::flow_line, Some(Parsed::Flow { name, title })) => {
            let gives = cursor.head_lines();
            Section::Flow(name, title, gives)
        }
        (_, parsed) => {
            let parsed = match parsed {
                Some(Parsed::StartsWith(_)) => {
                    cursor.mistakes.push(
                        Diagnostic::new(
                            Check::F005,
                            span,
                            "`starts with` can't stand here",
                            "it belongs in the business file",
                        )
                        .note("A flow says what it starts on:  starts on \"hi\", \"hello\""),
                    );
                    None
                }
                other => other,
            };
            Section::Head(Box::new(parsed), cursor.head_lines())
        }
    }
}

impl<'a> Cursor<'a> {
    pub fn on(&mut self, next: Next<'a>, parsed: Option<Parsed>) -> Option<On> {
        let span = self.span(next.line);
        self.base = 1;
        let Some(Parsed::On {
            triggers,
            condition,
            go,
        }) = parsed
        else {
            self.body(true);
            return None;
        };
        let body = match go {
            Some(target) => {
                let go = Stmt {
                    span: target.span,
                    kind: StmtKind::Go(target),
                };
                // The arrow says it all; what follows belongs nowhere.
                if let Ahead::Line(line) = self.ahead() {
                    self.mistakes
                        .push(mistake::after_arrow(self.word(line.line), span));
                    let told = self.mistakes.len();
                    self.body(true);
                    self.mistakes.truncate(told);
                }
                vec![go]
            }
            None => self.body(true),
        };
        Some(On {
            triggers,
            condition,
            body,
            span,
        })
    }

    /// The lines after a line of the flow's head: only `gives` can follow.
    fn head_lines(&mut self) -> Vec<Field> {
        let mut gives = Vec::new();
        self.under = Place::FlowHead;
        while let Ahead::Line(next) = self.ahead() {
            match next.rule {
                Some(Rule::gives_line) => {
                    if let Some(Parsed::Gives(fields)) = self.read(next, Rule::gives_line) {
                        gives.extend(fields);
                    }
                    self.pass(next, Rule::gives_line);
                    self.astray = false;
                }
                Some(_) => self.misplaced_in_head(next),
                None => self.unknown(next),
            }
        }
        gives
    }

    fn misplaced_in_head(&mut self, next: Next<'a>) {
        if !std::mem::replace(&mut self.astray, true) {
            let span = self.word(next.line);
            let word = &self.source.text[span.range()];
            self.mistakes.push(
                Diagnostic::new(
                    Check::F005,
                    span,
                    "this line stands before the first step",
                    format!("`{word}` belongs in a step"),
                )
                .note("Write a heading above it, for example:  step hello")
                .note(parse::allowed_list(Place::FlowHead)),
            );
        }
        self.skip(next);
    }

    /// Steps over the rest of a section.
    pub fn skip_section(&mut self, next: Next<'a>) {
        self.skip(next);
        self.at = self.stop;
    }
}

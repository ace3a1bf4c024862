//! A question that an approved template asks (F305): its buttons were fixed when WhatsApp approved it, so the options
//! are these buttons, all of them, in their order.

use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::names::nearest;
use crate::flow::source::Span;
use crate::flow::tree::{ByTemplate, Question, Template};

pub(super) fn check(
    question: &Question,
    asks: &ByTemplate,
    declared: &Template,
    found: &mut Vec<Diagnostic>,
) {
    let name = &declared.name.text;
    let approved: Vec<&str> = declared
        .buttons
        .iter()
        .map(|button| button.source.trim())
        .collect();
    if approved.is_empty() {
        found.push(
            Diagnostic::new(
                Code::F305,
                asks.template.span,
                format!("the template {name} has no buttons"),
                "so there is nothing to answer it with",
            )
            .label(declared.span, "it is declared here")
            .note(
                "Write the buttons that it was approved with under it:  button \"Yes\", \"No\"\n\
                 If it has none, send it by itself:  send template … ; what the customer writes then starts a flow.",
            ),
        );
        return;
    }
    let fixed = fixed_parts(question);
    if let Some((at, what)) = fixed.into_iter().next() {
        found.push(
            Diagnostic::new(
                Code::F305,
                at,
                format!("{what} can't be added to a template"),
                "how it looks was fixed when WhatsApp approved it",
            )
            .note("Leave it out. A template shows its own buttons, all of them, to everybody."),
        );
        return;
    }
    for (at, option) in question.options.iter().enumerate() {
        let label = option.label.source.trim();
        if approved.get(at) == Some(&label) {
            continue;
        }
        let list = approved
            .iter()
            .map(|button| format!("\"{button}\""))
            .collect::<Vec<_>>()
            .join(", ");
        let elsewhere = approved.contains(&label);
        let why = if elsewhere {
            format!("as button {} the template has another one", at + 1)
        } else {
            format!("the template {name} has no such button")
        };
        let mut diagnostic = Diagnostic::new(
            Code::F305,
            option.label.span,
            "the options are not the template's buttons",
            why,
        )
        .label(declared.span, "it is declared here")
        .note(format!(
            "WhatsApp shows the buttons that were approved: {list}. Write an option for each, in this order."
        ));
        let near = nearest(label, approved.iter().copied()).filter(|_| !elsewhere);
        if let Some(near) = near {
            let near = format!("\"{near}\"");
            diagnostic = diagnostic.fix(near.clone(), option.label.span, near);
        }
        found.push(diagnostic);
        return;
    }
    if let Some(missing) = approved.get(question.options.len()) {
        found.push(
            Diagnostic::new(
                Code::F305,
                asks.span,
                format!("nothing is said about the button \"{missing}\""),
                "the customer can tap it all the same",
            )
            .label(declared.span, "it is declared here")
            .note(format!("Add an option for it:  \"{missing}\" -> some step")),
        );
    }
}

/// What a template can't show, where it is written.
fn fixed_parts(question: &Question) -> Vec<(Span, &'static str)> {
    let mut fixed = Vec::new();
    let lines = [
        (&question.header, "a header"),
        (&question.footer, "a footer"),
        (&question.open, "a list button"),
        (&question.more, "a row for more"),
    ];
    for (text, what) in lines {
        fixed.extend(text.as_ref().map(|text| (text.span, what)));
    }
    for option in &question.options {
        if option.each.is_some() {
            fixed.push((option.span, "a row from data"));
        }
        fixed.extend(option.hint.as_ref().map(|text| (text.span, "a hint")));
        fixed.extend(option.section.as_ref().map(|text| (text.span, "a section")));
        let condition = option.condition.as_ref();
        fixed.extend(condition.map(|condition| (condition.span, "a condition")));
    }
    fixed
}

//! A question that an approved template asks (F305): its buttons were fixed when WhatsApp approved it, so the options
//! are these buttons, all of them, in their order: in the flow's language, and translated in every further one.

use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::locale::name_of;
use crate::flow::names::nearest;
use crate::flow::source::Span;
use crate::flow::tree::{ByTemplate, Question, Template, Text};

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
        let note = format!(
            "WhatsApp shows the buttons that were approved: {}. Write an option for each, in this order.",
            quoted(&approved)
        );
        found.push(no_button(declared, &approved, at, &option.label, None, note));
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

/// The same in a further language in which the template was approved: the translated options are the buttons that it has
/// there. What nobody translated is another matter (F701).
pub(super) fn in_language<'t>(
    question: &Question,
    declared: &Template,
    code: &str,
    translated: impl Fn(&Text) -> Option<&'t Text>,
    found: &mut Vec<Diagnostic>,
) {
    if !declared.speaks(code) {
        // It goes out in another language, with the buttons of that.
        return;
    }
    let own = declared.own_buttons(code);
    let buttons = own.unwrap_or(&declared.buttons);
    let approved: Vec<&str> = buttons.iter().map(|button| button.source.trim()).collect();
    let language = name_of(code);
    for (at, option) in question.options.iter().enumerate() {
        let Some(text) = translated(&option.label) else {
            continue;
        };
        let label = text.source.trim();
        if approved.get(at).is_none_or(|button| *button == label) {
            continue;
        }
        let note = match own.is_some() {
            true => format!(
                "WhatsApp shows the buttons that were approved in {language}: {}. Translate the options so.",
                quoted(&approved)
            ),
            false => format!(
                "WhatsApp shows the buttons that were approved: {}. Was it approved with other ones in {language}? Then\nwrite them under the template:  button {code} \"{label}\", …",
                quoted(&approved)
            ),
        };
        found.push(no_button(declared, &approved, at, text, Some(&language), note));
        return;
    }
}

/// A label that is not the button at its place; `language`: of a translation.
fn no_button(
    declared: &Template,
    approved: &[&str],
    at: usize,
    text: &Text,
    language: Option<&str>,
    note: String,
) -> Diagnostic {
    let (name, label) = (&declared.name.text, text.source.trim());
    let elsewhere = approved.contains(&label);
    let why = match (elsewhere, language) {
        (true, _) => format!("as button {} the template has another one", at + 1),
        (false, None) => format!("the template {name} has no such button"),
        (false, Some(language)) => format!("in {language} the template {name} has no such button"),
    };
    let of = language.map_or_else(String::new, |language| format!("{language} "));
    let message = format!("the {of}options are not the template's buttons");
    let diagnostic = Diagnostic::new(Code::F305, text.span, message, why)
        .label(declared.span, "it is declared here")
        .note(note);
    match nearest(label, approved.iter().copied()).filter(|_| !elsewhere) {
        Some(near) => {
            let near = format!("\"{near}\"");
            diagnostic.fix(near.clone(), text.span, near)
        }
        None => diagnostic,
    }
}

/// Buttons of a further language: in one that the template has, as many as in the first.
pub(super) fn declared(template: &Template, found: &mut Vec<Diagnostic>) {
    let name = &template.name.text;
    for (language, buttons) in &template.further_buttons {
        let spoken = name_of(&language.text);
        if !template.speaks(&language.text) {
            found.push(
                Diagnostic::new(
                    Code::F305,
                    language.span,
                    format!("the template {name} is not there in {spoken}"),
                    "so nobody sees these buttons",
                )
                .note(format!(
                    "Write the text that was approved too:  {} \"…\"",
                    language.text
                )),
            );
        } else if buttons.len() != template.buttons.len() {
            let many = |count: usize| match count {
                0 => "no buttons".to_owned(),
                1 => "one button".to_owned(),
                more => format!("{more} buttons"),
            };
            found.push(
                Diagnostic::new(
                    Code::F305,
                    buttons.first().map_or(language.span, |button| button.span),
                    format!("in {spoken} the template {name} has {}", many(buttons.len())),
                    format!("otherwise it has {}", many(template.buttons.len())),
                )
                .note("Its buttons mean the same in every language: as many, in the same order. Those without a language are the first language's."),
            );
        }
    }
}

fn quoted(buttons: &[&str]) -> String {
    let quoted: Vec<String> = buttons.iter().map(|button| format!("\"{button}\"")).collect();
    quoted.join(", ")
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

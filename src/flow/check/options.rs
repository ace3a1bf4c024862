//! A question's options among themselves: two that the matcher can't tell apart (F303), two that do the same (F207).

use std::collections::HashMap;

use super::Shop;
use super::starts::same_place;
use super::walk;
use crate::flow::diagnostic::{Code, Diagnostic, Severity};
use crate::flow::fold;
use crate::flow::tree::{Choice, Expr, ExprKind, Question, StmtKind, Text};

pub(super) fn check(shop: &Shop, found: &mut Vec<Diagnostic>) {
    walk::statements(shop.tree, |_, stmt| {
        if let StmtKind::Question(question) = &stmt.kind {
            read_the_same(shop, question, found);
            do_the_same(shop, question, found);
        }
    });
}

/// Something a customer may type to choose an option.
struct Reading<'t> {
    option: usize,
    text: &'t Text,
    folded: String,
}

/// Near-equal pairs are only looked for among so many readings: a longer question can't be sent anyway.
const PAIRED: usize = 60;

fn read_the_same(shop: &Shop, question: &Question, found: &mut Vec<Diagnostic>) {
    let readings: Vec<Reading> = question
        .options
        .iter()
        .enumerate()
        .flat_map(|(option, choice)| {
            std::iter::once(&choice.label)
                .chain(&choice.also)
                .map(move |text| (option, text))
        })
        // What a blank will say is not known yet.
        .filter(|(_, text)| !text.source.contains("{{") && !text.source.contains("{%"))
        .map(|(option, text)| Reading {
            option,
            text,
            folded: fold::fold(&text.source),
        })
        .collect();
    let mut first: HashMap<&str, &Reading> = HashMap::new();
    let mut clashing = vec![false; question.options.len()];
    for reading in &readings {
        match first.get(reading.folded.as_str()) {
            Some(earlier)
                if earlier.option != reading.option
                    && !either_hidden(question, earlier.option, reading.option) =>
            {
                clashing[reading.option] = true;
                found.push(same(shop, earlier, reading));
            }
            Some(_) => {}
            None => {
                first.insert(&reading.folded, reading);
            }
        }
        if let Some(clash) = number_clash(shop, question, reading) {
            clashing[reading.option] = true;
            found.push(clash);
        }
    }
    for (index, reading) in readings.iter().enumerate().take(PAIRED) {
        for earlier in &readings[..index] {
            if earlier.option == reading.option || clashing[reading.option] || clashing[earlier.option] {
                continue;
            }
            // Shorter labels have to be typed exactly, so they can't be confused.
            let tolerated = fold::tolerance(&earlier.folded).min(fold::tolerance(&reading.folded));
            if tolerated > 0
                && earlier
                    .folded
                    .chars()
                    .count()
                    .abs_diff(reading.folded.chars().count())
                    <= 1
                && earlier.folded != reading.folded
                && fold::distance(&earlier.folded, &reading.folded) == 1
            {
                clashing[reading.option] = true;
                found.push(nearly_same(shop, earlier, reading));
            }
        }
    }
}

/// With a condition on both, they may never be shown together.
fn either_hidden(question: &Question, one: usize, other: usize) -> bool {
    question.options[one].condition.is_some() && question.options[other].condition.is_some()
}

fn same(shop: &Shop, earlier: &Reading, later: &Reading) -> Diagnostic {
    let written = shop.sources.text(later.text.span);
    Diagnostic::new(
        Code::F303,
        later.text.span,
        "two options read the same",
        format!("a customer who types {written} means this one …"),
    )
    .label(earlier.text.span, "… or this one")
    .note("Capitals, accents and punctuation at the edges don't count when an answer is matched. Reword one of them.")
}

fn nearly_same(shop: &Shop, earlier: &Reading, later: &Reading) -> Diagnostic {
    Diagnostic::new(
        Code::F303,
        later.text.span,
        "two options are only one letter apart",
        format!("{} and …", shop.sources.text(later.text.span)),
    )
    .label(
        earlier.text.span,
        format!("… {}", shop.sources.text(earlier.text.span)),
    )
    .severity(Severity::Warning)
    .note("A typing mistake in one is the other, so a mistyped answer would be taken for the wrong one.")
}

/// `"2"` as the first option: typing 2 could mean it, or the second one.
fn number_clash(shop: &Shop, question: &Question, reading: &Reading) -> Option<Diagnostic> {
    let number: usize = reading.folded.parse().ok()?;
    let meant = question.options.get(number.checked_sub(1)?)?;
    if number - 1 == reading.option {
        return None;
    }
    Some(
        Diagnostic::new(
            Code::F303,
            reading.text.span,
            "two options read the same",
            format!("a customer who types {number} means this one …"),
        )
        .label(
            meant.label.span,
            format!("… or this one, the {} in the list", ordinal(number)),
        )
        .note(format!(
            "Options can be chosen by their number. Put words into {}, or put it at place {number}.",
            shop.sources.text(reading.text.span)
        )),
    )
}

fn ordinal(number: usize) -> String {
    match number {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        _ => format!("{number}th"),
    }
}

fn do_the_same(shop: &Shop, question: &Question, found: &mut Vec<Diagnostic>) {
    for (index, option) in question.options.iter().enumerate() {
        let twin = question.options[..index]
            .iter()
            .find(|earlier| twins(shop, question, earlier, option));
        if let Some(twin) = twin {
            found.push(
                Diagnostic::new(
                    Code::F207,
                    option.label.span,
                    "two options do the same",
                    "this option leads to the same place …",
                )
                .label(twin.label.span, "… as this one")
                .note("This is usually a copy whose arrow was not changed. If both are meant, write one option\nand add the other's words with `also`."),
            );
        }
    }
}

fn twins(shop: &Shop, question: &Question, one: &Choice, other: &Choice) -> bool {
    let (Some(to), Some(other_to)) = (&one.then.go, &other.then.go) else {
        return false;
    };
    if one.then.say != other.then.say && (one.then.say.is_some() || other.then.say.is_some()) {
        return false;
    }
    let same_value = match (&one.value, &other.value) {
        (Some(value), Some(other)) => same_constant(value, other),
        // Without `=` a named question keeps the labels, which differ.
        (None, None) => question.name.is_none(),
        (Some(_), None) | (None, Some(_)) => false,
    };
    same_value && one.condition.is_none() && other.condition.is_none() && same_place(shop.names, to, other_to)
}

fn same_constant(one: &Expr, other: &Expr) -> bool {
    match (&one.kind, &other.kind) {
        (ExprKind::Text(one), ExprKind::Text(other)) => one.source == other.source,
        (ExprKind::Number(one), ExprKind::Number(other)) => one == other,
        (ExprKind::YesNo(one), ExprKind::YesNo(other)) => one == other,
        (ExprKind::Path(one), ExprKind::Path(other)) => one.parts == other.parts,
        _ => false,
    }
}

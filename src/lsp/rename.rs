//! Renaming a step: its heading, every arrow to it, and `(was …)` for the customers who wait in it.

use super::documents::Reading;
use super::mentions::{self, Mention, Symbol};
use crate::flow::names::PLACES;
use crate::flow::parse::{self, Rule};
use crate::flow::source::{FileId, Span};
use crate::flow::tree::Step;

/// The step's name at a place, if one can be renamed there.
pub(super) fn renamable(reading: &Reading, file: FileId, offset: usize) -> Option<&Mention> {
    let mention = mentions::at(reading.mentions(), file, offset)?;
    step_of(reading, mention).map(|_| mention)
}

fn step_of<'r>(reading: &'r Reading, mention: &Mention) -> Option<&'r Step> {
    let Symbol::Step(flow, slug) = &mention.symbol else {
        return None;
    };
    let steps = &reading.tree.flows.get(*flow)?.steps;
    steps.iter().find(|step| step.name.slug == *slug)
}

/// The changes that give the step at a place another name, or a sentence that says why it can't have it.
pub(super) fn rename(
    reading: &Reading,
    file: FileId,
    offset: usize,
    name: &str,
) -> Result<Vec<(Span, String)>, String> {
    let mention = mentions::at(reading.mentions(), file, offset);
    let step = mention.and_then(|mention| step_of(reading, mention));
    let (Some(mention), Some(step)) = (mention, step) else {
        return Err(
            "only steps can be renamed: put the cursor on the name of one, in its heading or behind an arrow"
                .to_owned(),
        );
    };
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let slug = crate::flow::slug(&name);
    fits(&name)?;
    let taken = |flow: usize| {
        let steps = &reading.tree.flows[flow].steps;
        steps
            .iter()
            .any(|other| other.name.slug == slug && other.name.span != step.name.span)
    };
    if let Symbol::Step(flow, _) = &mention.symbol
        && taken(*flow)
    {
        return Err(format!("there is a step called {name} already"));
    }
    let mut edits: Vec<(Span, String)> = Vec::new();
    for other in reading
        .mentions()
        .iter()
        .filter(|other| other.symbol == mention.symbol)
    {
        if other.span != step.name.span && !edits.iter().any(|(span, _)| *span == other.span) {
            edits.push((other.span, name.clone()));
        }
    }
    // A heading that tells an older name keeps it: people wait under the name that was published.
    let heading = if step.was.is_none() && slug != step.name.slug {
        format!("{name} (was {})", step.name.words)
    } else {
        name
    };
    edits.push((step.name.span, heading));
    edits.sort_by_key(|(span, _)| (span.file, span.start));
    Ok(edits)
}

/// Whether a name can stand in a heading and behind an arrow, and means a step in both.
fn fits(name: &str) -> Result<(), String> {
    let whole = |text: &str, rule: Rule, before: usize| {
        parse::tokens(text, rule).is_some_and(|tokens| {
            tokens
                .last()
                .is_some_and(|(rule, range)| *rule == Rule::phrase && *range == (before..text.len()))
        })
    };
    let slug = crate::flow::slug(name);
    if slug.is_empty() || !whole(&format!("step {name}"), Rule::step_line, 5) {
        return Err(format!(
            "{name:?} can't be the name of a step: names are words of letters and digits, without `with`, `was` and `save`"
        ));
    }
    let reached = format!("-> {name}");
    let targets = parse::tokens(&reached, Rule::go_line);
    let names_a_step = targets.is_some_and(|tokens| tokens.len() == 2) && whole(&reached, Rule::go_line, 3);
    if PLACES.contains(&slug.as_str()) || slug == "start" || !names_a_step {
        return Err(format!(
            "{name:?} means another place behind an arrow; choose another name"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_name_must_mean_a_step_behind_an_arrow() {
        for good in ["ask for the number", "größe", "what's next", "flower shop"] {
            assert_eq!(fits(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "!",
            "done",
            "close",
            "start",
            "flow support",
            "go with me",
            "a\"b",
            "x -> y",
            "handoff to people",
        ] {
            assert!(fits(bad).is_err(), "{bad}");
        }
    }
}

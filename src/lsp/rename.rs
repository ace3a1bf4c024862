//! Renaming a step (its heading, every arrow to it, and `(was …)` for the customers who wait in it), a flow and a field of
//! memory: everywhere in the business, its translations included. Flows and fields have no `(was …)`: who waits in the flow
//! is answered by the version that asked, and what is remembered of a customer stays under the field's old name.

use super::documents::Reading;
use super::mentions::{self, Mention, Symbol};
use crate::flow::check::walk;
use crate::flow::names::PLACES;
use crate::flow::parse::{self, Rule};
use crate::flow::source::{FileId, Span};
use crate::flow::tree::{Flow, Step, StmtKind};

/// Facts of every contact that no business declares.
const FACTS: [&str; 3] = ["phone", "name", "language"];

/// Edits that give something another name.
type Edits = Vec<(Span, String)>;

/// What can be renamed.
enum Renamed<'r> {
    Step(usize, &'r Step),
    Flow(&'r Flow),
    /// `contact` or `chat`, and the field.
    Field(&'r str, &'r str),
}

/// The name at a place, if what it names can be renamed there.
pub(super) fn renamable(reading: &Reading, file: FileId, offset: usize) -> Option<&Mention> {
    let mention = mentions::at(reading.mentions(), file, offset)?;
    meant(reading, mention).map(|_| mention)
}

fn meant<'r>(reading: &'r Reading, mention: &'r Mention) -> Option<Renamed<'r>> {
    match &mention.symbol {
        Symbol::Step(flow, slug) => {
            let steps = &reading.tree.flows.get(*flow)?.steps;
            let step = steps.iter().find(|step| step.name.slug == *slug)?;
            Some(Renamed::Step(*flow, step))
        }
        Symbol::Flow(slug) => {
            let mut flows = reading.tree.flows.iter();
            flows.find(|flow| flow.name.slug == *slug).map(Renamed::Flow)
        }
        Symbol::Field(field) => {
            let mut memory = reading.tree.business.iter().flat_map(|business| &business.memory);
            memory.find(|declared| declared.path.parts.join(".") == *field)?;
            let (root, name) = field.split_once('.')?;
            Some(Renamed::Field(root, name))
        }
        Symbol::Team(_)
        | Symbol::Topic(_)
        | Symbol::Template(_)
        | Symbol::Service(_)
        | Symbol::Action(..)
        | Symbol::Later(_)
        | Symbol::Value(..) => None,
    }
}

/// The changes that give what is at a place another name, or a sentence that says why it can't have it.
pub(super) fn rename(reading: &Reading, file: FileId, offset: usize, name: &str) -> Result<Edits, String> {
    let mention = mentions::at(reading.mentions(), file, offset);
    let found = mention.and_then(|mention| Some((mention, meant(reading, mention)?)));
    let Some((mention, renamed)) = found else {
        return Err(
            "only steps, flows and fields of memory can be renamed: put the cursor on the name of one, where it is declared or used"
                .to_owned(),
        );
    };
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut edits = match renamed {
        Renamed::Step(flow, step) => of_step(reading, &mention.symbol, flow, step, name)?,
        Renamed::Flow(flow) => of_flow(reading, &mention.symbol, flow, name)?,
        Renamed::Field(root, field) => of_field(reading, &mention.symbol, root, field, &name)?,
    };
    edits.sort_by_key(|(span, _)| (span.file, span.start));
    Ok(edits)
}

/// The same words wherever something is mentioned, but for one place.
fn everywhere(reading: &Reading, symbol: &Symbol, but: Option<Span>, name: &str) -> Edits {
    let mut edits: Edits = Vec::new();
    for other in reading.mentions().iter().filter(|other| other.symbol == *symbol) {
        if Some(other.span) != but && !edits.iter().any(|(span, _)| *span == other.span) {
            edits.push((other.span, name.to_owned()));
        }
    }
    edits
}

fn of_step(
    reading: &Reading,
    symbol: &Symbol,
    flow: usize,
    step: &Step,
    name: String,
) -> Result<Edits, String> {
    let slug = crate::flow::slug(&name);
    fits(&name)?;
    let mut steps = reading.tree.flows[flow].steps.iter();
    if steps.any(|other| other.name.slug == slug && other.name.span != step.name.span) {
        return Err(format!("there is a step called {name} already"));
    }
    let mut edits = everywhere(reading, symbol, Some(step.name.span), &name);
    // A heading that tells an older name keeps it: people wait under the name that was published.
    let heading = if step.was.is_none() && slug != step.name.slug {
        format!("{name} (was {})", step.name.words)
    } else {
        name
    };
    edits.push((step.name.span, heading));
    Ok(edits)
}

fn of_flow(reading: &Reading, symbol: &Symbol, flow: &Flow, name: String) -> Result<Edits, String> {
    let slug = crate::flow::slug(&name);
    let headed = is_last(&format!("flow {name}"), Rule::flow_line, Rule::phrase, 5);
    let reached = is_last(&format!("-> flow {name}"), Rule::go_line, Rule::phrase, 8);
    if slug.is_empty() || !headed || !reached {
        return Err(format!(
            "{name:?} can't be the name of a flow: names are words of letters and digits, without `with`, `was` and `save`"
        ));
    }
    let mut flows = reading.tree.flows.iter();
    if flows.any(|other| other.name.slug == slug && other.name.span != flow.name.span) {
        return Err(format!("there is a flow called {name} already"));
    }
    Ok(everywhere(reading, symbol, None, &name))
}

fn of_field(
    reading: &Reading,
    symbol: &Symbol,
    root: &str,
    field: &str,
    name: &str,
) -> Result<Edits, String> {
    // Editors show the whole name, and people write all of it or what stands behind the dot.
    let name = name.strip_prefix(&format!("{root}.")).unwrap_or(name);
    let path = format!("{root}.{name}");
    let declared = format!("{path}: text");
    let is_name = parse::tokens(&declared, Rule::field_line).is_some_and(|tokens| {
        tokens
            .iter()
            .any(|(rule, range)| *rule == Rule::path && *range == (0..path.len()))
    });
    let is_value = is_last(&format!("set x = {path}"), Rule::set_line, Rule::path, 8);
    if name.contains('.') || !is_name || !is_value {
        return Err(format!(
            "{name:?} can't be the name of a field: names are letters, digits and `_`"
        ));
    }
    if root == "contact" && FACTS.contains(&name) {
        return Err(format!(
            "contact.{name} is what is known of everybody; choose another name"
        ));
    }
    let mut memory = reading.tree.business.iter().flat_map(|business| &business.memory);
    if name != field && memory.any(|other| other.path.parts.join(".") == path) {
        return Err(format!("there is a field called {path} already"));
    }
    let mut edits = everywhere(reading, symbol, None, &path);
    // `remember size` means contact.size by the value's name.
    if root == "contact" && name != field {
        walk::statements(&reading.tree, |_, stmt| {
            if let StmtKind::Remember(remember) = &stmt.kind
                && remember.field.is_none()
                && remember.value.parts.last().is_some_and(|last| last == field)
            {
                let end = remember.value.span.end as usize;
                edits.push((
                    Span::new(remember.value.span.file, end, end),
                    format!(" as {path}"),
                ));
            }
        });
    }
    Ok(edits)
}

/// Whether a line is read as one whose last part is this kind of word, from there to its end.
fn is_last(text: &str, line: Rule, part: Rule, from: usize) -> bool {
    parse::tokens(text, line).is_some_and(|tokens| {
        tokens
            .last()
            .is_some_and(|(rule, range)| *rule == part && *range == (from..text.len()))
    })
}

/// Whether a name can stand in a heading and behind an arrow, and means a step in both.
fn fits(name: &str) -> Result<(), String> {
    let slug = crate::flow::slug(name);
    if slug.is_empty() || !is_last(&format!("step {name}"), Rule::step_line, Rule::phrase, 5) {
        return Err(format!(
            "{name:?} can't be the name of a step: names are words of letters and digits, without `with`, `was` and `save`"
        ));
    }
    let reached = format!("-> {name}");
    let targets = parse::tokens(&reached, Rule::go_line);
    let names_a_step =
        targets.is_some_and(|tokens| tokens.len() == 2) && is_last(&reached, Rule::go_line, Rule::phrase, 3);
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

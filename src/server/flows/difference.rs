//! What is different between two versions of the flows, in words: steps and options that came or went, and texts that are
//! said otherwise.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::flow::program::{Program, StateKind, StepIx};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub flows_added: Vec<String>,
    pub flows_removed: Vec<String>,
    pub steps_added: Vec<Place>,
    pub steps_removed: Vec<Place>,
    pub steps_renamed: Vec<Renamed>,
    pub options_added: Vec<OptionAt>,
    pub options_removed: Vec<OptionAt>,
    pub texts: Vec<Reworded>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    pub flow: String,
    pub step: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Renamed {
    pub flow: String,
    pub from: String,
    pub to: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OptionAt {
    #[serde(flatten)]
    pub at: Place,
    pub option: String,
}

/// Without `before` the text is new, without `now` it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reworded {
    #[serde(flatten)]
    pub at: Place,
    pub before: Option<String>,
    pub now: Option<String>,
}

/// What the flows of `now` have that those of `before` had not, and the other way round.
pub fn between(before: &Program, now: &Program) -> Difference {
    let mut found = Difference::default();
    let (old, new) = (Steps::of(before), Steps::of(now));
    let names = |program: &Program| -> BTreeMap<String, String> {
        let flows = program.flows.iter();
        flows
            .map(|flow| (flow.name.clone(), flow.words.clone()))
            .collect()
    };
    let (flows_before, flows_now) = (names(before), names(now));
    let only = |of: &BTreeMap<String, String>, not: &BTreeMap<String, String>| -> Vec<String> {
        let these = of.iter().filter(|(name, _)| !not.contains_key(*name));
        these.map(|(_, words)| words.clone()).collect()
    };
    found.flows_added = only(&flows_now, &flows_before);
    found.flows_removed = only(&flows_before, &flows_now);
    let mut met = BTreeSet::new();
    for ((flow, step), is) in &new.by_name {
        let at = new.place(*is);
        let same = old.by_name.get(&(flow.clone(), step.clone()));
        let was = now.steps[*is as usize].was.as_ref();
        let renamed = was.and_then(|was| old.by_name.get(&(flow.clone(), was.clone())));
        match (same, renamed) {
            (Some(was), _) => {
                met.insert(*was);
                found.within(&at, (before, *was), (now, *is));
            }
            (None, Some(was)) => {
                met.insert(*was);
                found.steps_renamed.push(Renamed {
                    flow: at.flow.clone(),
                    from: old.place(*was).step,
                    to: at.step.clone(),
                });
                found.within(&at, (before, *was), (now, *is));
            }
            (None, None) => found.steps_added.push(at),
        }
    }
    let gone = old.by_name.values().filter(|step| !met.contains(*step));
    found.steps_removed = gone.map(|step| old.place(*step)).collect();
    found
}

impl Difference {
    pub fn is_empty(&self) -> bool {
        *self == Difference::default()
    }

    fn within(&mut self, at: &Place, before: (&Program, StepIx), now: (&Program, StepIx)) {
        let (was, is) = (options(before), options(now));
        let gone = |these: &[String], others: &[String]| -> Vec<OptionAt> {
            let these = these.iter().filter(|option| !others.contains(option));
            these
                .map(|option| OptionAt {
                    at: at.clone(),
                    option: option.clone(),
                })
                .collect()
        };
        self.options_added.extend(gone(&is, &was));
        self.options_removed.extend(gone(&was, &is));
        let (was_said, is_said) = (texts(before), texts(now));
        let labels = |text: &String| !was.contains(text) && !is.contains(text);
        let mut left: Vec<String> = was_said
            .iter()
            .filter(|text| labels(text) && !is_said.contains(text))
            .cloned()
            .collect();
        let came: Vec<String> = is_said
            .iter()
            .filter(|text| labels(text) && !was_said.contains(text))
            .cloned()
            .collect();
        for text in came {
            let before = (!left.is_empty()).then(|| left.remove(0));
            self.texts.push(Reworded {
                at: at.clone(),
                before,
                now: Some(text),
            });
        }
        self.texts.extend(left.into_iter().map(|text| Reworded {
            at: at.clone(),
            before: Some(text),
            now: None,
        }));
    }

    /// One line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let at = |place: &Place| format!("\"{} / {}\"", place.flow, place.step);
        lines.extend(
            self.flows_added
                .iter()
                .map(|flow| format!("flow \"{flow}\" is new")),
        );
        lines.extend(
            self.flows_removed
                .iter()
                .map(|flow| format!("flow \"{flow}\" is gone")),
        );
        let renamed = self.steps_renamed.iter();
        lines.extend(renamed.map(|step| {
            let Renamed { flow, from, to } = step;
            format!("step \"{flow} / {from}\" is called \"{to}\" now")
        }));
        lines.extend(
            self.steps_added
                .iter()
                .map(|step| format!("step {} is new", at(step))),
        );
        lines.extend(
            self.steps_removed
                .iter()
                .map(|step| format!("step {} is gone", at(step))),
        );
        for (options, what) in [
            (&self.options_added, "is new"),
            (&self.options_removed, "is gone"),
        ] {
            lines.extend(
                options
                    .iter()
                    .map(|one| format!("option [{}] in {} {what}", one.option, at(&one.at))),
            );
        }
        for text in &self.texts {
            let place = at(&text.at);
            lines.push(match (&text.before, &text.now) {
                (Some(before), Some(now)) => format!("text in {place}:\n    - {before}\n    + {now}"),
                (None, Some(now)) => format!("text in {place}:\n    + {now}"),
                (Some(before), None) => format!("text in {place}:\n    - {before}"),
                (None, None) => continue,
            });
        }
        lines
    }
}

/// Steps of a program by flow and name.
struct Steps<'p> {
    program: &'p Program,
    by_name: BTreeMap<(String, String), StepIx>,
}

impl<'p> Steps<'p> {
    fn of(program: &'p Program) -> Steps<'p> {
        let named = (0..).zip(&program.steps).map(|(ix, step)| {
            let flow = &program.flows[step.flow as usize].name;
            ((flow.clone(), step.name.clone()), ix)
        });
        Steps {
            program,
            by_name: named.collect(),
        }
    }

    fn place(&self, step: StepIx) -> Place {
        let step = &self.program.steps[step as usize];
        Place {
            flow: self.program.flows[step.flow as usize].words.clone(),
            step: step.words.clone(),
        }
    }
}

/// Labels of the options of a step's questions.
fn options((program, step): (&Program, StepIx)) -> Vec<String> {
    let mut labels = Vec::new();
    for state in program.states.iter().filter(|state| state.step == Some(step)) {
        if let StateKind::Question(question) = &state.kind {
            let options = question.options.iter();
            labels.extend(options.map(|choice| program.texts[choice.label as usize].source.clone()));
        }
    }
    labels
}

/// Texts of a step, in the order written. They are named `flow/step#n`.
fn texts((program, step): (&Program, StepIx)) -> Vec<String> {
    let described = &program.steps[step as usize];
    let flow = &program.flows[described.flow as usize].name;
    let place = format!("{flow}/{}", described.name);
    let of_step = |name: &str| name.split_once('#').is_some_and(|(of, _)| of == place);
    let texts = program.texts.iter().filter(|text| of_step(&text.name));
    texts.map(|text| text.source.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::compile::compile;
    use crate::flow::source::Sources;

    const BEFORE: &str = "flow desk\nstarts on \"hi\"\n\nstep ask\n  ask name \"Your name?\"\n    \"None\" -> bye\n  end\n  -> tell\n\nstep tell\n  say \"Hello {{ name }}.\"\n  -> bye\n\nstep bye\n  close \"Bye.\"\n";

    fn program(text: &str) -> Program {
        let mut sources = Sources::default();
        sources.add("desk.flow", text);
        compile(&sources).program.unwrap()
    }

    #[test]
    fn what_is_different_is_said_in_words() {
        let after = BEFORE
            .replace("step ask\n", "step the name (was ask)\n")
            .replace("    \"None\" -> bye\n", "    \"No name\" -> bye\n")
            .replace("Hello {{ name }}.", "Good day, {{ name }}.")
            .replace("  -> bye\n\nstep bye", "  -> end of it\n\nstep end of it")
            .replace("\"No name\" -> bye", "\"No name\" -> end of it");
        let found = between(&program(BEFORE), &program(&after));
        assert_eq!(
            found.lines(),
            [
                "step \"desk / ask\" is called \"the name\" now",
                "step \"desk / end of it\" is new",
                "step \"desk / bye\" is gone",
                "option [No name] in \"desk / the name\" is new",
                "option [None] in \"desk / the name\" is gone",
                "text in \"desk / tell\":\n    - Hello {{ name }}.\n    + Good day, {{ name }}.",
            ]
        );
        assert!(between(&program(BEFORE), &program(BEFORE)).is_empty());
    }
}

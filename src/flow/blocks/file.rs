//! One file: what kind it is, and its sections from heading to heading.

use std::ops::Range;

use super::cursor::{Cursor, MissingEnd};
use super::flow::{Section, flow_section};
use super::{Laid, mistake};
use crate::flow::diagnostic::{Code as Check, Diagnostic};
use crate::flow::lines::Line;
use crate::flow::parse::{Parsed, Rule, phrase};
use crate::flow::source::{FileId, SourceFile, Sources, Span};
use crate::flow::tree::{Business, Defaults, Flow, Text, Tree};
use crate::flow::words::{self, Place, Role};

/// Attempts at a section whose blocks don't close: each finds the place of one missing `end`.
const ATTEMPTS: usize = 8;

#[derive(Debug)]
pub(super) struct File<'a> {
    pub source: &'a SourceFile,
    pub id: FileId,
    pub lines: &'a [Line],
    layout: Vec<Option<Laid>>,
    pub mistakes: Vec<Diagnostic>,
}

impl<'a> File<'a> {
    pub fn new(source: &'a SourceFile, id: FileId, lines: &'a [Line]) -> File<'a> {
        File {
            source,
            id,
            lines,
            layout: vec![None; lines.len()],
            mistakes: Vec::new(),
        }
    }

    pub fn finish(mut self) -> (Vec<Option<Laid>>, Vec<Diagnostic>) {
        super::layout::check(&mut self.mistakes, self.source, self.id, self.lines, &self.layout);
        (self.layout, self.mistakes)
    }

    pub fn build(&mut self, sources: &Sources, tree: &mut Tree) {
        let business = self
            .lines
            .iter()
            .find(|line| line.has_code())
            .is_some_and(|line| {
                let rule = heading_of(&self.source.text[line.code.clone()]);
                rule.is_some_and(|rule| rule == Rule::business_line || words::accepts(Place::Business, rule))
            });
        let sections = self.sections(business);
        let first = sections
            .first()
            .and_then(|section| self.lines[section.clone()].iter().find(|line| line.has_code()));
        let Some(first) = first else {
            let whole = Span::new(self.id, 0, 0);
            self.mistakes.push(
                Diagnostic::new(
                    Check::F007,
                    whole,
                    "this file is empty",
                    "a flow begins with `flow` and its name",
                )
                .note("The business file begins with `business` and a name in quotes."),
            );
            return;
        };
        let code = &self.source.text[first.code.clone()];
        let rule = heading_of(code);
        match rule {
            Some(Rule::business_line) => self.business_file(sources, sections, tree),
            Some(Rule::flow_line) => self.flow_file(sections, tree),
            _ => {
                let start = first.code.start;
                let span = Span::new(self.id, start, start + words::first_len(code));
                let name = self.stem();
                let business = matches!(
                    rule,
                    Some(
                        Rule::timezone_line
                            | Rule::languages_line
                            | Rule::team_line
                            | Rule::knowledge_line
                            | Rule::topic_line
                            | Rule::form_declared_line
                            | Rule::template_line
                            | Rule::memory_line
                            | Rule::service_line
                            | Rule::defaults_line
                    )
                );
                let before = Span::new(self.id, first.begin, first.begin);
                let mistake = Diagnostic::new(
                    Check::F007,
                    span,
                    "this file is neither a flow nor the business file",
                    "the first line says which it is",
                )
                .note("A flow begins with  flow NAME,  the business file with  business \"NAME\".");
                if business {
                    self.mistakes.push(mistake.fix(
                        "business \"…\"",
                        before,
                        format!("business \"{name}\"\n"),
                    ));
                    self.business_file(sources, sections, tree);
                } else {
                    self.mistakes.push(mistake.fix(
                        format!("flow {name}"),
                        before,
                        format!("flow {name}\n\n"),
                    ));
                    self.flow_file(sections, tree);
                }
            }
        }
    }

    /// The file's name without folder and ending, as words.
    fn stem(&self) -> String {
        let name = self.source.path.rsplit(['/', '\\']).next().unwrap_or_default();
        let stem = name
            .split('.')
            .next()
            .unwrap_or_default()
            .replace(['_', '-'], " ");
        let words: String = stem
            .chars()
            .filter(|char| words::is_wordchar(*char) || *char == ' ')
            .collect();
        if words.trim().is_empty() {
            "unnamed".to_owned()
        } else {
            words.trim().to_owned()
        }
    }

    /// Cuts the file before each heading. In a flow file the items of a business file are none: `topic` may stand in
    /// an `answer`.
    fn sections(&self, business: bool) -> Vec<Range<usize>> {
        let mut sections = Vec::new();
        let mut start = 0;
        let mut seen_code = false;
        for (index, line) in self.lines.iter().enumerate() {
            if !line.has_code() {
                continue;
            }
            let heading = heading_of(&self.source.text[line.code.clone()]).is_some_and(|rule| {
                business
                    || rule == Rule::flow_line
                    || rule == Rule::business_line
                    || words::accepts(Place::FlowHead, rule)
            });
            if seen_code && heading {
                sections.push(start..index);
                start = index;
            }
            seen_code = true;
        }
        if seen_code {
            sections.push(start..self.lines.len());
        }
        sections
    }

    /// Builds a section, and again with the `end`s that turned out to be missing.
    pub fn section<T>(
        &mut self,
        range: Range<usize>,
        heading: Place,
        build: impl Fn(&mut Cursor<'a>) -> T,
    ) -> T {
        let mut found: Vec<(MissingEnd, Diagnostic)> = Vec::new();
        loop {
            let mut cursor = Cursor::new(self.id, self.source, self.lines, range.clone(), heading);
            cursor.assumed = found.iter().map(|(missing, _)| missing.before).collect();
            let built = build(&mut cursor);
            if let Some(missing) = cursor.missing
                && found.len() < ATTEMPTS
                && found.iter().all(|(known, _)| known.before != missing.before)
            {
                let open = super::cursor::Open {
                    place: Place::Body,
                    line: missing.opener,
                    called: called(&self.source.text[self.lines[missing.opener].code.clone()]),
                    level: None,
                };
                let told = mistake::never_closed(&cursor, &open, Some(missing.before));
                found.push((missing, told));
                continue;
            }
            self.mistakes.extend(found.into_iter().map(|(_, told)| told));
            self.mistakes.append(&mut cursor.mistakes);
            for (line, laid) in cursor.laid {
                self.layout[line] = Some(laid);
            }
            return built;
        }
    }

    fn flow_file(&mut self, sections: Vec<Range<usize>>, tree: &mut Tree) {
        let name = self.stem();
        let mut flow = Flow {
            file: self.id,
            name: phrase(&name, Span::new(self.id, 0, 0)),
            title: None,
            starts: Vec::new(),
            called: false,
            needs: Vec::new(),
            gives: Vec::new(),
            steps: Vec::new(),
            ons: Vec::new(),
        };
        let mut named = false;
        for section in sections {
            let begun = !flow.steps.is_empty() || !flow.ons.is_empty();
            let heading = if named || begun {
                Place::FlowHead
            } else {
                Place::File
            };
            let read = self.section(section, heading, |cursor| flow_section(cursor, begun, named));
            match read {
                Section::Flow(name, title, gives) => {
                    flow.name = name;
                    flow.title = title;
                    named = true;
                    flow.gives.extend(gives);
                }
                Section::Head(parsed, gives) => {
                    match *parsed {
                        Some(Parsed::Starts(starts)) => flow.starts.push(starts),
                        Some(Parsed::StartsWhenCalled) => flow.called = true,
                        Some(Parsed::Needs(fields)) => flow.needs.extend(fields),
                        _ => {}
                    }
                    flow.gives.extend(gives);
                }
                Section::Step(step) => flow.steps.push(step),
                Section::On(on) => flow.ons.push(on),
                Section::Nothing => {}
            }
        }
        tree.flows.push(flow);
    }

    /// A business file that says nothing yet.
    fn no_business(&self, start: usize) -> Business {
        Business {
            file: self.id,
            name: Text {
                source: self.stem(),
                span: Span::new(self.id, start, start),
            },
            timezone: None,
            languages: Vec::new(),
            front_door: None,
            teams: Vec::new(),
            knowledge: Vec::new(),
            forms: Vec::new(),
            topics: Vec::new(),
            templates: Vec::new(),
            memory: Vec::new(),
            services: Vec::new(),
            defaults: Defaults::default(),
            ons: Vec::new(),
        }
    }

    fn business_file(&mut self, sources: &Sources, sections: Vec<Range<usize>>, tree: &mut Tree) {
        let start = self.lines[sections[0].clone()]
            .iter()
            .find(|line| line.has_code())
            .map_or(0, |line| line.code.start);
        let mut business = self.no_business(start);
        let mut once = super::clause::Once::default();
        for section in sections {
            // Attempts at a section must not leave anything behind, so each begins anew.
            let empty = self.no_business(start);
            let (part, seen) = self.section(section, Place::Business, |cursor| {
                let (mut part, mut seen) = (empty.clone(), once.clone());
                cursor.business_section(&mut part, &mut seen);
                (part, seen)
            });
            super::business::absorb(&mut business, part);
            once = seen;
        }
        match &tree.business {
            None => tree.business = Some(business),
            Some(other) => {
                let path = &sources.file(other.file).path;
                self.mistakes.push(
                    Diagnostic::new(
                        Check::F005,
                        Span::new(self.id, start, start + words::first_len(&self.source.text[start..])),
                        "there is already a business file",
                        format!("the other one is {path}"),
                    )
                    .note("A business has one, so that nothing is declared in two ways. Move these lines there."),
                );
            }
        }
    }
}

/// The heading rule of a line, also if its word is misspelt.
fn heading_of(code: &str) -> Option<Rule> {
    let heading = |rule: &Rule| words::role(*rule) == Role::Heading;
    match words::rule_of(code, Place::Body) {
        Some(rule) => Some(rule).filter(heading),
        None => {
            let word = words::first_word(code);
            if word.is_empty() {
                return None;
            }
            // A line of a template or the memory begins with any word.
            let rest = code[word.len()..].trim_start();
            if rest.starts_with(['.', ':'])
                || (crate::flow::lines::begins_with_quote(rest) && word.len() <= 3)
            {
                return None;
            }
            let meant = words::nearest(word, words::all_first_words())?;
            words::rule_of(&format!("{meant}{}", &code[word.len()..]), Place::Body).filter(heading)
        }
    }
}

/// What people call the block that a line opens.
fn called(code: &str) -> &'static str {
    match words::rule_of(code, Place::Body) {
        Some(Rule::if_line) => "`if`",
        Some(Rule::fetch_line) => "`fetch`",
        Some(Rule::handoff_line) => "`handoff`",
        Some(Rule::for_line) => "`for each`",
        Some(Rule::split_line) => "`split`",
        Some(Rule::transcribe_line) => "`transcribe`",
        Some(Rule::answer_line) => "`answer`",
        Some(Rule::form_line | Rule::form_declared_line) => "`form`",
        Some(Rule::question_line)
            if ["ask", "gather"]
                .iter()
                .any(|word| words::first_word(code).eq_ignore_ascii_case(word)) =>
        {
            "question"
        }
        Some(Rule::question_line) => "menu",
        Some(Rule::team_line) => "`team`",
        Some(Rule::template_line) => "`template`",
        Some(Rule::memory_line) => "`memory`",
        Some(Rule::service_line) => "`service`",
        Some(Rule::defaults_line) => "`defaults`",
        _ => "block",
    }
}

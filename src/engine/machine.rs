//! A program made ready: texts compiled, names and triggers indexed, patterns built. Loading costs once; after it, a
//! turn costs the same in a program of a hundred lines and of ten thousand.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use jiff::tz::TimeZone;
use regex::{Regex, RegexBuilder};

use super::event::Event;
use super::needs::Needs;
use super::position::Position;
use super::private::private_calls;
use super::run::Run;
use super::spoken::Spoken;
use super::triggers::TriggerIndex;
use super::turn::Turn;
use super::{Memory, SessionSettings};
use crate::flow::fold::fold;
use crate::flow::program::{Expr, FlowIx, Program, Question, StateIx, StateKind, TextIx, Trigger};
use crate::flow::template::{TemplateFault, Templates, TextTemplate};
use crate::flow::tree::Kind;

/// Compiled size of one regular expression.
const PATTERN_SIZE: usize = 1 << 20;

/// A business's program, ready to answer events. Share it between threads; it never changes.
#[derive(Debug)]
pub struct Machine {
    pub(super) program: Program,
    pub(super) zone: TimeZone,
    pub(super) templates: Templates,
    pub(super) texts: Vec<Compiled>,
    states: HashMap<Box<str>, StateIx>,
    /// States of renamed steps by the names they would have had.
    renamed: HashMap<Box<str>, StateIx>,
    flows: HashMap<Box<str>, FlowIx>,
    teams: HashMap<Box<str>, u32>,
    /// Folded words of each question's options, by state.
    pub(super) labels: HashMap<StateIx, Vec<OptionWords>>,
    /// The program's words in its further languages, as it lists them.
    pub(super) wordings: Vec<Spoken>,
    /// Words that only one of those languages has, by its index.
    pub(super) telling: TriggerIndex,
    pub(super) starts: TriggerIndex,
    pub(super) business_ons: TriggerIndex,
    pub(super) flow_ons: HashMap<FlowIx, TriggerIndex>,
    /// Values of `private` questions, by flow.
    pub(super) private: HashMap<Box<str>, Vec<String>>,
    /// States whose service calls are given something private.
    private_calls: HashSet<Box<str>>,
    /// Questions between the replies of an `answer`.
    pub(super) replies: HashSet<StateIx>,
    /// Regular expressions that the program writes out, for the whole of a text.
    pub(super) patterns: HashMap<Box<str>, Regex>,
    /// Whether anything in it looks at the codes of links while a flow runs, at the end of the window, and at which
    /// template a message quotes.
    pub(super) links_interrupt: bool,
    pub(super) watches_window: bool,
    waits_for_replies: bool,
    /// What must be known where, for people who come from another version.
    needs: OnceLock<Needs>,
}

/// A text of the program.
#[derive(Debug)]
pub(super) enum Compiled {
    /// Sent as it is.
    Fixed,
    Blanks(TextTemplate),
    /// Checks refuse such a text; met nevertheless, it is a fault where it is said.
    Broken(TemplateFault),
}

impl Compiled {
    pub fn of(templates: &mut Templates, fixed: bool, name: &str, source: &str) -> Compiled {
        if fixed {
            return Compiled::Fixed;
        }
        match templates.add(name, source) {
            Ok(template) => Compiled::Blanks(template),
            Err(fault) => Compiled::Broken(fault),
        }
    }
}

/// Folded words by which an option is known.
#[derive(Debug)]
pub(super) struct OptionWords {
    /// `None` if the label has blanks: then the label as sent is folded.
    pub label: Option<Box<str>>,
    pub also: Vec<Box<str>>,
}

impl Machine {
    pub fn load(program: Program) -> Machine {
        let mut templates = Templates::new();
        let texts = program
            .texts
            .iter()
            .map(|text| Compiled::of(&mut templates, text.fixed, &text.name, &text.source))
            .collect();
        let wordings = program
            .wordings
            .iter()
            .map(|wording| Spoken::of(&program, wording, &mut templates))
            .collect();
        let boxed = |name: &str| Box::<str>::from(name);
        let mut states = HashMap::new();
        let mut renamed = HashMap::new();
        let mut labels = HashMap::new();
        let mut patterns = HashMap::new();
        let mut replies = HashSet::new();
        let mut private: HashMap<Box<str>, Vec<String>> = HashMap::new();
        for (ix, state) in program.states.iter().enumerate() {
            let ix = ix as StateIx;
            states.insert(boxed(&state.name), ix);
            if let Some(old) = old_name(&program, &state.name, state.step) {
                renamed.insert(old.into_boxed_str(), ix);
            }
            if let StateKind::Answer(answer) = &state.kind {
                replies.insert(answer.reply);
            }
            if let StateKind::Question(question) = &state.kind {
                let words = question.options.iter().map(|choice| {
                    let text = &program.texts[choice.label as usize];
                    OptionWords {
                        label: text.fixed.then(|| fold(&text.source).into()),
                        also: choice.also.iter().map(|word| fold(word).into()).collect(),
                    }
                });
                labels.insert(ix, words.collect());
                if let (true, Some(value), Some(flow)) = (question.private, &question.value, state.flow) {
                    let flow = &program.flows[flow as usize].name;
                    private.entry(boxed(flow)).or_default().push(value.clone());
                }
                for kind in &question.accept {
                    if let Kind::TextMatching(pattern) = kind
                        && let Some(regex) = whole_pattern(pattern)
                    {
                        patterns.insert(boxed(pattern), regex);
                    }
                }
            }
        }
        for text in fixed_texts(&program) {
            // Any fixed text of an expression may be the right side of `matches`; only patterns are worth keeping.
            let source = &program.texts[text as usize].source;
            if regex::escape(source) != *source
                && let Some(regex) = whole_pattern(source)
            {
                patterns.insert(boxed(source), regex);
            }
        }
        let telling = TriggerIndex::new(program.wordings.iter().enumerate().flat_map(|(ix, wording)| {
            let alone = wording.alone.iter();
            alone.map(move |trigger| (ix, trigger))
        }));
        let starts = TriggerIndex::new(
            program
                .starts
                .iter()
                .enumerate()
                .map(|(ix, start)| (ix, &start.trigger)),
        );
        let ons = |of: Option<FlowIx>| {
            let of_scope = program
                .ons
                .iter()
                .enumerate()
                .filter(move |(_, on)| on.flow == of);
            TriggerIndex::new(
                of_scope.flat_map(|(ix, on)| on.triggers.iter().map(move |trigger| (ix, trigger))),
            )
        };
        let business_ons = ons(None);
        let mut flow_ons = HashMap::new();
        for flow in program.ons.iter().filter_map(|on| on.flow) {
            flow_ons.entry(flow).or_insert_with(|| ons(Some(flow)));
        }
        let interrupts = || flow_ons.values().chain([&business_ons]);
        let links_interrupt = interrupts().any(TriggerIndex::has_links);
        let watches_window = interrupts()
            .chain([&starts])
            .any(|index| !index.on_window_closing().is_empty());
        let waits_for_replies = program
            .triggers()
            .any(|trigger| matches!(trigger, Trigger::Reply(_)));
        Machine {
            zone: TimeZone::get(&program.business.timezone).unwrap_or(TimeZone::UTC),
            templates,
            texts,
            states,
            renamed,
            flows: index(program.flows.iter().map(|flow| flow.name.as_str())),
            teams: index(program.business.teams.iter().map(|team| team.name.as_str())),
            labels,
            wordings,
            telling,
            starts,
            business_ons,
            flow_ons,
            private,
            private_calls: private_calls(&program),
            replies,
            patterns,
            links_interrupt,
            watches_window,
            waits_for_replies,
            needs: OnceLock::new(),
            program,
        }
    }

    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Whether it matters which template a message quotes.
    pub fn waits_for_replies(&self) -> bool {
        self.waits_for_replies
    }

    /// One event, processed to completion. Total and pure: any event in any position gives a turn, the same turn
    /// each time.
    pub fn advance(
        &self,
        settings: &SessionSettings,
        position: &Position,
        memory: &Memory,
        event: &Event,
    ) -> Turn {
        self.advance_among(&[], settings, position, memory, event)
    }

    /// As [`Machine::advance`] of the version that is live, with those before it that the position mentions: an answer
    /// may be the matter of the version that asked. Without them a question that is not the same any more is asked
    /// again.
    pub fn advance_among(
        &self,
        former: &[&Machine],
        settings: &SessionSettings,
        position: &Position,
        memory: &Memory,
        event: &Event,
    ) -> Turn {
        Run::new(self, former, settings, position.clone(), memory, event).process(event)
    }

    pub(super) fn needs(&self) -> &Needs {
        self.needs.get_or_init(|| Needs::of(&self.program))
    }

    /// A state by its name, or by the name it had before its step was renamed.
    pub(crate) fn state_named(&self, name: &str) -> Option<StateIx> {
        self.states.get(name).or_else(|| self.renamed.get(name)).copied()
    }

    /// The question of this state, if what answers it is private.
    pub fn private_question(&self, state: &str) -> Option<&Question> {
        match &self.program.states[self.state_named(state)? as usize].kind {
            StateKind::Question(question) => question.private.then_some(&**question),
            StateKind::Fetch(_) | StateKind::Call(_) | StateKind::Human(_) | StateKind::Answer(_) => None,
        }
    }

    /// Whether what the service answers to this state's call is private: nobody keeps it.
    pub fn is_private_call(&self, state: &str) -> bool {
        self.private_calls.contains(state)
    }

    pub(crate) fn flow_named(&self, name: &str) -> Option<FlowIx> {
        self.flows.get(name).copied()
    }

    pub(super) fn team_named(&self, name: &str) -> Option<u32> {
        self.teams.get(name).copied()
    }

    pub(super) fn source(&self, text: TextIx) -> &str {
        &self.program.texts[text as usize].source
    }
}

fn index<'a>(names: impl Iterator<Item = &'a str>) -> HashMap<Box<str>, u32> {
    names
        .enumerate()
        .map(|(ix, name)| (name.into(), ix as u32))
        .collect()
}

/// `tracking/which_order.number` of a step that was `ask_for_the_number`: `tracking/ask_for_the_number.number`.
fn old_name(program: &Program, name: &str, step: Option<u32>) -> Option<String> {
    let was = program.steps[step? as usize].was.as_ref()?;
    let (flow, rest) = name.split_once('/')?;
    let (_, value) = rest.split_once('.')?;
    Some(format!("{flow}/{was}.{value}"))
}

/// Every fixed text that stands in an expression.
fn fixed_texts(program: &Program) -> Vec<TextIx> {
    fn walk(expr: &Expr, found: &mut Vec<TextIx>) {
        match expr {
            Expr::Binary(_, left, right) => {
                walk(left, found);
                walk(right, found);
            }
            Expr::Text(text) => found.push(*text),
            Expr::Not(inner) => walk(inner, found),
            Expr::Test { subject, .. } | Expr::Filter { subject, .. } => walk(subject, found),
            Expr::List(items) => items.iter().for_each(|item| walk(item, found)),
            Expr::Number(_)
            | Expr::YesNo(_)
            | Expr::Nothing
            | Expr::Date(_)
            | Expr::Time(_)
            | Expr::Duration(_)
            | Expr::Path(_) => {}
        }
    }
    let mut found = Vec::new();
    program.exprs.iter().for_each(|expr| walk(expr, &mut found));
    found.retain(|text| program.texts[*text as usize].fixed);
    found
}

/// The pattern for the whole of a text. The crate's expressions run in linear time; size is bounded here.
pub(super) fn whole_pattern(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(&format!("^(?:{pattern})$"))
        .size_limit(PATTERN_SIZE)
        .dfa_size_limit(PATTERN_SIZE)
        .build()
        .ok()
}

//! Blanks inside texts: what can't be read (F501), unknown filters (F502), what only flows may do (F503), and what
//! fails when the text is filled in with typical values (F504).

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use jiff::civil;

use super::blanks::{self, Blanks};
use super::values::{Meaning, Values, has_blanks};
use super::{Shop, walk};
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::locale::Language;
use crate::flow::names::nearest;
use crate::flow::source::Span;
use crate::flow::template::{
    FILTERS, Facts, FaultKind, MistakeKind, Moment, TemplateFault, TemplateMistake, Templates,
};
use crate::flow::tree::Text;
use crate::flow::value::Value;

pub(super) fn check<'t, 'v>(
    shop: &Shop<'t>,
    values: &'v Values<'t>,
    found: &mut Vec<Diagnostic>,
) -> (Blanks<'t>, Samples<'t, 'v>) {
    let mut read = Blanks::default();
    let samples = Samples::of(shop, values);
    all_texts(shop, |flow, text| {
        if text.source.contains('{') {
            filled(shop, values, &samples, flow, text, &mut read, found);
        }
    });
    (read, samples)
}

/// Reads the blanks of one text and fills it in.
pub(super) fn filled<'t>(
    shop: &Shop<'t>,
    values: &Values<'t>,
    samples: &Samples<'t, '_>,
    flow: Option<usize>,
    text: &'t Text,
    read: &mut Blanks<'t>,
    found: &mut Vec<Diagnostic>,
) {
    let read = read.read(text);
    for mistake in &read.mistakes {
        found.push(mistaken(shop, text, mistake));
    }
    if !read.mistakes.is_empty() || read.plain {
        return;
    }
    // What a sample can't stand for proves nothing.
    let certain = read
        .uses
        .iter()
        .all(|used| match values.look_up(flow, &used.path) {
            Meaning::Value(kind) => kind.is_certain(),
            Meaning::NoName | Meaning::NoMemory | Meaning::NoField(..) => false,
        });
    if let Err(fault) = samples.fill(flow, text)
        && certain
    {
        found.push(fails(shop, text, &fault));
    }
}

/// Calls `visit` for every text that is filled in, with the flow whose values it sees.
fn all_texts<'t>(shop: &Shop<'t>, mut visit: impl FnMut(Option<usize>, &'t Text)) {
    walk::statements(shop.tree, |home, stmt| {
        walk::texts(stmt, &mut |_, text| visit(home.flow, text));
    });
    for tail in walk::default_tails(shop.tree) {
        tail.say.iter().for_each(|text| visit(None, text));
    }
    if let Some(business) = &shop.tree.business {
        business.defaults.closed.iter().for_each(|text| visit(None, text));
        for action in business.services.iter().flat_map(|service| &service.actions) {
            visit(None, &action.path);
        }
        for (_, text) in business.templates.iter().flat_map(|template| &template.texts) {
            visit(None, text);
        }
    }
}

/// Texts filled in with typical values.
pub(crate) struct Samples<'t, 'v> {
    values: &'v Values<'t>,
    language: &'static Language,
    templates: RefCell<Templates>,
    filled: RefCell<HashMap<(Option<usize>, &'t str), Filled>>,
}

type Filled = Result<String, TemplateFault>;

impl<'t, 'v> Samples<'t, 'v> {
    pub(super) fn of(shop: &Shop<'t>, values: &'v Values<'t>) -> Samples<'t, 'v> {
        let business = shop.tree.business.as_ref();
        let language = business.and_then(|business| business.languages.first());
        Samples::in_language(values, language.map_or("en", |name| &name.text))
    }

    /// As customers of a language read them.
    pub fn in_language(values: &'v Values<'t>, code: &str) -> Samples<'t, 'v> {
        Samples {
            values,
            language: Language::of(code),
            templates: RefCell::new(Templates::new()),
            filled: RefCell::new(HashMap::new()),
        }
    }

    pub fn fill(&self, flow: Option<usize>, text: &'t Text) -> Filled {
        let key = (flow, text.source.as_str());
        if let Some(filled) = self.filled.borrow().get(&key) {
            return filled.clone();
        }
        let facts = Typical {
            values: self.values,
            flow,
            language: self.language,
        };
        let mut templates = self.templates.borrow_mut();
        let filled = templates
            .add("text", &text.source)
            .and_then(|template| templates.render(&template, &facts));
        self.filled.borrow_mut().insert(key, filled.clone());
        filled
    }
}

/// A typical value for every name.
struct Typical<'v, 't> {
    values: &'v Values<'t>,
    flow: Option<usize>,
    language: &'static Language,
}

impl Facts for Typical<'_, '_> {
    fn value(&self, path: &[String]) -> Option<Cow<'_, Value>> {
        Some(Cow::Owned(match self.values.look_up(self.flow, path) {
            Meaning::Value(kind) => kind.sample(),
            // Said once, as F401 or F404.
            Meaning::NoName | Meaning::NoMemory | Meaning::NoField(..) => Value::text("Maria"),
        }))
    }

    fn language(&self) -> &'static Language {
        self.language
    }

    fn moment(&self) -> Moment {
        Moment(civil::date(2026, 3, 2).at(10, 0, 0, 0))
    }
}

fn mistaken(shop: &Shop, text: &Text, mistake: &TemplateMistake) -> Diagnostic {
    let at = blanks::place(shop.sources, text, &mistake.range);
    let written = shop.sources.text(at);
    match mistake.kind {
        MistakeKind::Syntax | MistakeKind::UnknownTest | MistakeKind::Call => {
            Diagnostic::new(Code::F501, at, "this blank can't be read", mistake.what.as_str()).note(
                "The message could never be sent. A blank is written  {{ name }}  or  {{ name | filter }} .",
            )
        }
        MistakeKind::UnknownFilter => {
            // The range may cover the value too: the filter's name is what follows the last bar.
            let bar = written.rfind('|').map_or(0, |at| at + 1);
            let rest = &written[bar..];
            let start = bar + rest.len() - rest.trim_start().len();
            let length = written[start..]
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(written.len() - start);
            let span = Span::new(at.file, at.start as usize + start, at.start as usize + start + length);
            unknown_filter(span, &written[start..start + length])
        }
        MistakeKind::Statement => {
            Diagnostic::new(Code::F503, at, "messages may format, only flows may decide", mistake.what.as_str())
                .note("Inside a text there are blanks {{ … }}, {% if … %} and {% for … %}. Anything else is a line of the flow,\nwhere everybody can see it.")
        }
        MistakeKind::TooMuch => Diagnostic::new(Code::F503, at, "this text does too much", mistake.what.as_str())
            .note("A message that takes long to fill in keeps customers waiting. Do the work in the flow, or let a service do it."),
    }
}

pub(super) fn unknown_filter(span: Span, name: &str) -> Diagnostic {
    let near = nearest(name, FILTERS);
    let label = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "no filter is called so".to_owned(),
    };
    let diagnostic = Diagnostic::new(
        Code::F502,
        span,
        format!("there is no filter called {name}"),
        label,
    )
    .note(format!("Filters: {}.", FILTERS.join(", ")));
    super::did_you_mean(diagnostic, span, near)
}

fn fails(shop: &Shop, text: &Text, fault: &TemplateFault) -> Diagnostic {
    let at = match &fault.range {
        Some(range) if range.end <= text.source.len() && !range.is_empty() => {
            blanks::place(shop.sources, text, range)
        }
        _ => line_of(shop, text, fault.line),
    };
    let why = match fault.kind {
        FaultKind::TooLong => "The message would be cut.",
        FaultKind::Syntax
        | FaultKind::Refused
        | FaultKind::UnknownValue
        | FaultKind::UnknownFilter
        | FaultKind::Type
        | FaultKind::TooMuchWork => {
            "The customer would get the sentence for problems instead of this message."
        }
    };
    Diagnostic::new(
        Code::F504,
        at,
        "this text fails when it is filled in",
        fault.what.as_str(),
    )
    .note(why)
}

/// A line (from 1) of a text, in the file.
fn line_of(shop: &Shop, text: &Text, line: usize) -> Span {
    let start: usize = text
        .source
        .split_inclusive('\n')
        .take(line.max(1) - 1)
        .map(str::len)
        .sum();
    let length = text
        .source
        .get(start..)
        .and_then(|rest| rest.lines().next())
        .map_or(0, str::len);
    if has_blanks(text) && length > 0 {
        blanks::place(shop.sources, text, &(start..start + length))
    } else {
        text.span
    }
}

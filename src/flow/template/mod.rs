//! Blanks in quoted texts: minijinja, fenced in.
//!
//! Authors write `{{ order.eta | day }}` in their sentences. Checks [`lint`] every text and dry-render it; the engine
//! compiles each text once ([`Templates::add`]) and fills it in ([`Templates::render`]) with values that are looked
//! up on demand.
//!
//! # Why a text cannot eat the machine
//!
//! Fuel bounds steps, not bytes. Bytes are bounded by what [`lint`] lets through, so every text is linted before it
//! is compiled:
//!
//! - a text is at most 16 KiB, loops nest at most twice, and each filling-in has 10,000 units of fuel;
//! - there is no `set`, so nothing carries over from one round of a loop to the next: the largest value is what a
//!   single expression makes;
//! - values enter cut to 16 KiB, and every filter gives at most that;
//! - at most eight `~`, `+` and `*` a text, of them at most one `*`, by a written number up to 50 and outside loops.
//!   So one expression makes at most (1 + 7) × 16 KiB × 50 = 6.25 MiB, twice while it is made, and without `*` 144 KiB;
//! - what is written out stops at 16 KiB with an error, lists are joined lazily and printed up to the same cap;
//! - there are no functions and no methods, and only the tests `known`, `unknown`, `empty`, `open` and `closed`.

mod filters;
mod lint;
mod paths;
mod shown;

use std::borrow::Cow;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use jiff::civil;
use minijinja::value::{Object, Rest, Value as Jinja, ValueKind};
use minijinja::{AutoEscape, Environment, ErrorKind, State, UndefinedBehavior};

use super::locale::Language;
use super::value::{Record, Value};

pub use filters::{FILTERS, FilterFault, apply, kind_of, shown};
pub use lint::{MistakeKind, TemplateMistake, lint};
pub use paths::{UsedPath, paths};

/// Bytes that a text may have, and what it may write.
pub const SOURCE_CAP: usize = 16 * 1024;
pub const OUTPUT_CAP: usize = 16 * 1024;
const FUEL: u64 = 10_000;

/// The event's time in the business's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub civil::DateTime);

impl Moment {
    pub fn today(&self) -> civil::Date {
        self.0.date()
    }

    pub fn time(&self) -> civil::Time {
        self.0.time()
    }
}

/// Where the values of blanks come from.
pub trait Facts {
    /// The value at a path such as `["order", "eta"]`; `None` if it is unknown.
    fn value(&self, path: &[String]) -> Option<Cow<'_, Value>>;
    /// The customer's.
    fn language(&self) -> &'static Language;
    fn moment(&self) -> Moment;
}

/// A text that passed the lint, compiled.
#[derive(Debug, Clone, PartialEq)]
pub struct TextTemplate {
    /// Key in the environment.
    key: Box<str>,
    /// `flow/step#n`, for people.
    name: Box<str>,
    /// What it looks up, as a tree: only these values are fetched.
    blanks: Vec<Blank>,
}

/// A value that a text looks up.
#[derive(Debug, Clone, PartialEq)]
struct Blank {
    path: Vec<String>,
    /// Empty: the whole value. Otherwise only these fields of it.
    fields: Vec<Blank>,
}

/// Why a text could not be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} (in {name}, line {line} of the text)")]
pub struct TemplateFault {
    pub kind: FaultKind,
    /// In words.
    pub what: String,
    pub name: String,
    /// Of the text, from 1.
    pub line: usize,
    /// Bytes of the text, if known.
    pub range: Option<Range<usize>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    Syntax,
    /// The lint refuses it.
    Refused,
    UnknownValue,
    UnknownFilter,
    /// A filter or operator got what it can't work on.
    Type,
    TooLong,
    TooMuchWork,
}

/// All texts of a program, compiled once.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    added: usize,
}

impl Default for Templates {
    fn default() -> Templates {
        Templates::new()
    }
}

impl Templates {
    pub fn new() -> Templates {
        Templates {
            environment: environment(),
            added: 0,
        }
    }

    /// Compiles a text. Fails on the first thing that [`lint`] finds.
    pub fn add(&mut self, name: &str, source: &str) -> Result<TextTemplate, TemplateFault> {
        if let Some(mistake) = lint(source).into_iter().next() {
            return Err(TemplateFault {
                kind: match mistake.kind {
                    MistakeKind::Syntax => FaultKind::Syntax,
                    MistakeKind::UnknownFilter => FaultKind::UnknownFilter,
                    _ => FaultKind::Refused,
                },
                line: 1 + source[..mistake.range.start.min(source.len())]
                    .matches('\n')
                    .count(),
                range: Some(mistake.range),
                what: mistake.what,
                name: name.to_owned(),
            });
        }
        let key = self.added.to_string();
        self.environment
            .add_template_owned(key.clone(), source.to_owned())
            .map_err(|error| fault(name, &error))?;
        self.added += 1;
        Ok(TextTemplate {
            key: key.into(),
            name: name.into(),
            blanks: Blank::tree(
                &[],
                &paths(source)
                    .into_iter()
                    .map(|used| used.path)
                    .collect::<Vec<_>>(),
            ),
        })
    }

    /// Fills a text in.
    pub fn render(&self, template: &TextTemplate, facts: &dyn Facts) -> Result<String, TemplateFault> {
        let language = facts.language();
        let context = Scope {
            values: template
                .blanks
                .iter()
                .filter_map(|blank| blank.fetch(facts, language))
                .collect(),
            setting: Some(Jinja::from_object(Setting {
                language,
                moment: facts.moment(),
            })),
        };
        let compiled = self
            .environment
            .get_template(&template.key)
            .map_err(|error| fault(&template.name, &error))?;
        let mut out = Capped(Vec::with_capacity(compiled.source().len() + 32));
        compiled
            .render_captured_to(Jinja::from_object(context), &mut out)
            .map_err(|error| fault(&template.name, &error))?;
        String::from_utf8(out.0).map_err(|_| TemplateFault {
            kind: FaultKind::Type,
            what: "the text is not readable as UTF-8".to_owned(),
            name: template.name.to_string(),
            line: 1,
            range: None,
        })
    }
}

/// Fills a text in once, with sample values: finds what only shows when a text is filled in.
pub fn dry_render(name: &str, source: &str, facts: &dyn Facts) -> Result<String, TemplateFault> {
    let mut templates = Templates::new();
    let template = templates.add(name, source)?;
    templates.render(&template, facts)
}

/// Values given as one record, for dry renders and tests.
#[derive(Debug, Clone)]
pub struct Sample {
    pub values: Record,
    pub language: &'static Language,
    pub moment: Moment,
}

impl Facts for Sample {
    fn value(&self, path: &[String]) -> Option<Cow<'_, Value>> {
        value_at(&self.values, path).map(Cow::Borrowed)
    }

    fn language(&self) -> &'static Language {
        self.language
    }

    fn moment(&self) -> Moment {
        self.moment
    }
}

/// The value at a dotted path of a record.
pub fn value_at<'a>(record: &'a Record, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let value = record.get(first)?;
    match (rest, value) {
        ([], value) => Some(value),
        (rest, Value::Record(fields)) => value_at(fields, rest),
        _ => None,
    }
}

impl Blank {
    /// `contact.first_name` and `contact.vip` share their `contact`; a path that is used whole swallows its fields.
    fn tree(prefix: &[String], paths: &[Vec<String>]) -> Vec<Blank> {
        let depth = prefix.len();
        let mut blanks: Vec<Blank> = Vec::new();
        for path in paths
            .iter()
            .filter(|path| path.len() > depth && path.starts_with(prefix))
        {
            let head = &path[..=depth];
            if blanks.iter().any(|blank| blank.path == head) {
                continue;
            }
            let whole = paths.iter().any(|other| other == head);
            blanks.push(Blank {
                path: head.to_vec(),
                fields: if whole {
                    Vec::new()
                } else {
                    Blank::tree(head, paths)
                },
            });
        }
        blanks
    }

    fn name(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    fn fetch(&self, facts: &dyn Facts, language: &'static Language) -> Option<(Box<str>, Jinja)> {
        let value = if self.fields.is_empty() {
            shown::to_jinja(&*facts.value(&self.path)?, language)
        } else {
            // Even if the record is unknown: then its fields are, which `default` and `is known` can ask about.
            Jinja::from_object(Scope {
                values: self
                    .fields
                    .iter()
                    .filter_map(|field| field.fetch(facts, language))
                    .collect(),
                setting: None,
            })
        };
        Some((self.name().into(), value))
    }
}

/// The values of one filling-in, or of a record of it.
#[derive(Debug)]
struct Scope {
    values: Vec<(Box<str>, Jinja)>,
    setting: Option<Jinja>,
}

/// Not a name that a text could write.
const SETTING: &str = "$setting";

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Jinja> {
        if key == SETTING {
            return self.setting.clone();
        }
        self.values
            .iter()
            .find(|(name, _)| **name == *key)
            .map(|(_, value)| value.clone())
    }
}

#[derive(Debug)]
struct Setting {
    language: &'static Language,
    moment: Moment,
}

impl Object for Setting {}

/// The fenced environment: no globals, no functions, our filters, five tests.
fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_debug(true);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(64);
    environment.set_formatter(|out, state, value| {
        // Yes and no print in the customer's language, and 25.0 as 25.
        let plain = matches!(value.kind(), ValueKind::Bool) || (value.is_number() && !value.is_integer());
        if plain && let Some(ours) = shown::from_jinja(value) {
            return out
                .write_str(&shown(&ours, setting(state)?.0))
                .map_err(Into::into);
        }
        write!(out, "{value}").map_err(Into::into)
    });
    for name in FILTERS {
        environment.add_filter(name, move |state: &State, subject: Jinja, args: Rest<Jinja>| {
            let (language, moment) = setting(state)?;
            let args: Vec<Value> = args.iter().filter_map(shown::from_jinja).collect();
            match apply(
                name,
                shown::from_jinja(&subject).as_ref(),
                &args,
                language,
                &moment,
            ) {
                Ok(Some(value)) => Ok(shown::to_jinja(&value, language)),
                Ok(None) => Ok(Jinja::UNDEFINED),
                Err(FilterFault::TooLong { filter }) => Err(minijinja::Error::new(
                    ErrorKind::WriteFailure,
                    FilterFault::TooLong { filter }.to_string(),
                )),
                Err(other) => Err(minijinja::Error::new(
                    ErrorKind::InvalidOperation,
                    other.to_string(),
                )),
            }
        });
    }
    environment.add_test("known", |value: &Jinja| !value.is_undefined());
    environment.add_test("unknown", |value: &Jinja| value.is_undefined());
    environment.add_test("empty", |value: &Jinja| {
        value.is_undefined() || value.len() == Some(0)
    });
    // A team is a record with a field that says so.
    let open = |team: &Jinja| team.get_attr("open").is_ok_and(|open| open.is_true());
    environment.add_test("open", move |team: &Jinja| open(team));
    environment.add_test("closed", move |team: &Jinja| !open(team));
    environment
}

fn setting(state: &State) -> Result<(&'static Language, Moment), minijinja::Error> {
    let value = state.lookup(SETTING);
    let setting = value
        .as_ref()
        .and_then(|value| value.downcast_object_ref::<Setting>());
    setting
        .map(|setting| (setting.language, setting.moment))
        .ok_or_else(|| {
            minijinja::Error::new(
                ErrorKind::InvalidOperation,
                "a text was filled in without its setting",
            )
        })
}

/// Stops what is written at [`OUTPUT_CAP`].
struct Capped(Vec<u8>);

impl io::Write for &mut Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > OUTPUT_CAP {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn fault(name: &str, error: &minijinja::Error) -> TemplateFault {
    let detail = || error.detail().unwrap_or("it can't be filled in").to_owned();
    let written = || {
        error
            .template_source()
            .zip(error.range())
            .and_then(|(source, range)| source.get(range))
            .map(|part| format!("`{}`", part.trim()))
    };
    let (kind, what) = match error.kind() {
        ErrorKind::UndefinedError => {
            let part = written().unwrap_or_else(|| "a value".to_owned());
            (FaultKind::UnknownValue, format!("{part} is not known"))
        }
        ErrorKind::SyntaxError => (FaultKind::Syntax, detail()),
        ErrorKind::UnknownFilter => (FaultKind::UnknownFilter, detail()),
        ErrorKind::WriteFailure => (
            FaultKind::TooLong,
            format!("the text gets longer than {OUTPUT_CAP} bytes"),
        ),
        ErrorKind::OutOfFuel => (
            FaultKind::TooMuchWork,
            "the text takes too many steps to fill in (a loop over too many rows?)".to_owned(),
        ),
        _ => (FaultKind::Type, detail()),
    };
    TemplateFault {
        kind,
        what,
        name: name.to_owned(),
        line: error.line().unwrap_or(1),
        range: error.range(),
    }
}

#[cfg(test)]
mod tests;

//! Texts with their blanks filled in, and the values that blanks and expressions see.

use std::borrow::Cow;

use super::answers::converted;
use super::faults::Failed;
use super::hours;
use super::machine::Compiled;
use super::run::Run;
use super::turn::MemoryWrite;
use crate::flow::locale::Language;
use crate::flow::program::{Expr, Field, Place, TextIx};
use crate::flow::template::{Facts, Moment, value_at};
use crate::flow::value::{Record, Value};

impl Run<'_> {
    /// A text in the customer's language, filled in.
    pub(super) fn text(&self, ix: TextIx) -> Result<String, Failed> {
        match self.worded(ix) {
            Some((compiled, text)) => self.filled(ix, compiled, &text.source, text.place),
            None => self.source_text(ix),
        }
    }

    /// A text in the words of the flow, filled in.
    pub(super) fn source_text(&self, ix: TextIx) -> Result<String, Failed> {
        let text = &self.m.program.texts[ix as usize];
        self.filled(ix, &self.m.texts[ix as usize], &text.source, text.place)
    }

    fn filled(&self, ix: TextIx, compiled: &Compiled, source: &str, place: Place) -> Result<String, Failed> {
        let fault = match compiled {
            Compiled::Fixed => return Ok(source.to_owned()),
            Compiled::Blanks(template) => match self.m.templates.render(template, self) {
                Ok(rendered) => return Ok(rendered),
                Err(fault) => fault,
            },
            Compiled::Broken(fault) => fault.clone(),
        };
        Err(Failed {
            what: fault.what,
            place,
            at: self.m.program.texts[ix as usize].name.clone(),
        })
    }

    pub(super) fn optional_text(&self, ix: Option<TextIx>) -> Result<Option<String>, Failed> {
        ix.map(|ix| self.text(ix)).transpose()
    }

    pub(super) fn team_is_open(&self, name: &str) -> Option<bool> {
        let team = self.m.team_named(name)?;
        Some(hours::is_open(
            &self.m.program.business.teams[team as usize],
            self.at,
            &self.m.zone,
        ))
    }

    /// When a closed team opens; `None` if it is open or never opens.
    pub(super) fn opening_of(&self, team: u32) -> Option<jiff::Timestamp> {
        let team = self.m.program.business.teams.get(team as usize)?;
        if hours::is_open(team, self.at, &self.m.zone) {
            return None;
        }
        hours::opens(team, self.at, &self.m.zone)
    }

    pub(super) fn opens_in_words(&self, team: u32) -> Option<String> {
        let team = self.m.program.business.teams.get(team as usize)?;
        hours::opens_in_words(team, self.at, &self.m.zone, self.language)
    }

    fn contact(&self, field: &str) -> Option<Cow<'_, Value>> {
        // What this turn remembers or forgets counts at once.
        for write in self.writes.iter().rev() {
            match write {
                MemoryWrite::Remember {
                    field: own, value, ..
                } if own == field => return Some(Cow::Borrowed(value)),
                MemoryWrite::Forget { field: own } if own == field => return self.default_of(field),
                MemoryWrite::Language { code } if field == "language" => {
                    return Some(Cow::Owned(Value::text(code)));
                }
                MemoryWrite::Remember { .. }
                | MemoryWrite::Language { .. }
                | MemoryWrite::Forget { .. }
                | MemoryWrite::Tag { .. }
                | MemoryWrite::Subscribe { .. } => {}
            }
        }
        let remembered = self.memory.fields.get(field);
        if let Some(remembered) = remembered.filter(|one| one.forget_at.is_none_or(|end| end > self.at)) {
            let declared = self.m.program.business.contact_fields.get(field);
            return match declared {
                // The field may have had another type when this was remembered.
                Some(declared) => {
                    converted(&declared.kind, &remembered.value).or_else(|| self.default_of(field))
                }
                None => Some(Cow::Borrowed(&remembered.value)),
            };
        }
        let fact = match field {
            "phone" => self.memory.phone.as_ref(),
            "name" => self.memory.name.as_ref(),
            "language" => self.memory.language.as_ref(),
            _ => None,
        };
        fact.map(|fact| Cow::Owned(Value::text(fact.clone())))
            .or_else(|| self.default_of(field))
    }

    fn default_of(&self, field: &str) -> Option<Cow<'_, Value>> {
        self.constant(self.m.program.business.contact_fields.get(field)?)
    }

    /// Defaults of memory are written-out values; anything else could lead in circles.
    fn constant(&self, field: &Field) -> Option<Cow<'_, Value>> {
        let value = match &self.m.program.exprs[field.default? as usize] {
            Expr::Text(text) => Value::text(self.m.source(*text)),
            Expr::Number(number) => Value::Number(*number),
            Expr::YesNo(yes) => Value::YesNo(*yes),
            Expr::Date(date) => Value::Date(*date),
            Expr::Time(time) => Value::Time(*time),
            Expr::Duration(seconds) => Value::Number((*seconds).into()),
            Expr::List(items) if items.is_empty() => Value::List(Vec::new()),
            Expr::List(_)
            | Expr::Nothing
            | Expr::Path(_)
            | Expr::Not(_)
            | Expr::Binary(..)
            | Expr::Test { .. }
            | Expr::Filter { .. } => return None,
        };
        Some(Cow::Owned(value))
    }

    fn message_value(&self) -> Record {
        let mut fields = Record::from([("text".to_owned(), Value::text(self.words()))]);
        let kind = match self.incoming {
            Some(incoming) => {
                if let Some(place) = &incoming.place {
                    fields.insert("place".to_owned(), super::answers::place_value(place));
                    "location"
                } else if let Some(file) = &incoming.file {
                    fields.insert(
                        "file".to_owned(),
                        super::answers::file_value(file, incoming.text.trim()),
                    );
                    super::answers::kind_word(file.kind)
                } else {
                    "text"
                }
            }
            None if self.tapped.is_some() => "tap",
            None => return Record::new(),
        };
        fields.insert("kind".to_owned(), Value::text(kind));
        fields
    }

    fn team_value(&self, team: u32) -> Record {
        let described = &self.m.program.business.teams[team as usize];
        let open = hours::is_open(described, self.at, &self.m.zone);
        let mut fields = Record::from([
            ("open".to_owned(), Value::YesNo(open)),
            ("name".to_owned(), Value::text(self.title_of(team))),
        ]);
        if let Some(opens) = self.opens_in_words(team) {
            fields.insert("opens".to_owned(), Value::Text(opens));
        }
        fields
    }
}

impl Facts for Run<'_> {
    fn value(&self, path: &[String]) -> Option<Cow<'_, Value>> {
        let (root, rest) = path.split_first()?;
        let owned = |record: Record| match rest {
            [] => Some(Cow::Owned(Value::Record(record))),
            rest => value_at(&record, rest).cloned().map(Cow::Owned),
        };
        match root.as_str() {
            "contact" => {
                let (field, deeper) = rest.split_first()?;
                let value = self.contact(field)?;
                match (deeper, &*value) {
                    ([], _) => Some(value),
                    (deeper, Value::Record(fields)) => value_at(fields, deeper).cloned().map(Cow::Owned),
                    _ => None,
                }
            }
            "chat" => value_at(&self.p.chat, rest)
                .map(Cow::Borrowed)
                .or_else(|| match rest {
                    [field] => self.constant(self.m.program.business.chat_fields.get(field)?),
                    _ => None,
                }),
            "message" => owned(self.message_value()),
            "topic" => Some(Cow::Owned(Value::text(self.incoming?.topic.clone()?))),
            "now" if rest.is_empty() => Some(Cow::Owned(Value::Time(self.moment().time()))),
            "today" if rest.is_empty() => Some(Cow::Owned(Value::Date(self.moment().today()))),
            "agent" => {
                let name = match self.p.taken.as_deref()? {
                    "" => self.somebody(),
                    name => name.to_owned(),
                };
                owned(Record::from([("name".to_owned(), Value::Text(name))]))
            }
            "business" => owned(Record::from([(
                "name".to_owned(),
                Value::text(self.m.program.business.name.clone()),
            )])),
            _ => {
                let locals = self.p.frames.last().map(|frame| &frame.locals);
                if let Some(value) = value_at(&self.extra, path).or_else(|| value_at(locals?, path)) {
                    return Some(Cow::Borrowed(value));
                }
                owned(self.team_value(self.m.team_named(root)?))
            }
        }
    }

    fn language(&self) -> &'static Language {
        self.language
    }

    fn moment(&self) -> Moment {
        Run::moment(self)
    }
}

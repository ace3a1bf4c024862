//! Reading what a customer answered as the kind of value a question asked for.
//!
//! The language decides how `1,5` and `12/03` read. English words are understood in every language, because
//! customers mix.

mod dates;
mod fitting;
mod numbers;
mod patterns;

use jiff::civil;
use regex::Regex;

use super::event::{File, Heard, Incoming};
use crate::flow::fold::fold;
use crate::flow::locale::Language;
use crate::flow::tree::Kind;
use crate::flow::value::{Record, Value};
use crate::message::MediaKind;

pub use fitting::fits;
pub(super) use fitting::{converted, fit};

/// A value read from a message.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub value: Value,
    /// It could have been read in another way, too (`12/03`): the customer is told how it was read.
    pub ambiguous: bool,
}

/// What reading needs to know besides the message.
pub(super) struct Reader<'a> {
    pub language: &'static Language,
    /// `12/03` is the third of December where months come first (`en_US`).
    pub day_first: bool,
    pub today: civil::Date,
    /// Built patterns of `text matching "…"`.
    pub pattern: &'a dyn Fn(&str) -> Option<&'a Regex>,
}

impl Reader<'_> {
    /// The message as a value of the kind, if it is one.
    pub fn read(&self, kind: &Kind, incoming: &Incoming) -> Option<Answer> {
        let text = incoming.text.trim();
        let sure = |value| {
            Some(Answer {
                value,
                ambiguous: false,
            })
        };
        match kind {
            Kind::Media(media) => {
                let file = incoming.file.as_ref().filter(|file| file.kind == *media)?;
                return sure(file_value(file, text));
            }
            Kind::Location => return sure(place_value(incoming.place.as_ref()?)),
            _ if text.is_empty() => return None,
            _ => {}
        }
        match kind {
            Kind::Text => sure(Value::text(text)),
            Kind::TextLike(pattern) => {
                let heard = incoming
                    .file
                    .as_ref()
                    .is_some_and(|file| file.heard == Heard::Words);
                let spoken = || heard.then(|| patterns::spoken(pattern, text)).flatten();
                patterns::like(pattern, text)
                    .or_else(spoken)
                    .and_then(|value| sure(Value::Text(value)))
            }
            Kind::TextMatching(pattern) => {
                let regex = (self.pattern)(pattern)?;
                regex.is_match(text).then(|| Value::text(text)).and_then(sure)
            }
            Kind::Number { from, to } => {
                let number = numbers::number(text, self.language)?;
                numbers::within(number, *from, *to)
                    .then_some(Value::Number(number))
                    .and_then(sure)
            }
            Kind::WholeNumber { from, to } => {
                let number = numbers::number(text, self.language)?.normalize();
                let fits = number.is_integer() && numbers::within(number, *from, *to);
                fits.then_some(Value::Number(number)).and_then(sure)
            }
            Kind::Money => numbers::money(text, self.language).and_then(|number| sure(Value::Number(number))),
            Kind::Rating { from, to } => {
                let number = numbers::rating(text, self.language)?;
                let fits = (u64::from(*from)..=u64::from(*to)).contains(&number);
                fits.then(|| Value::Number(number.into())).and_then(sure)
            }
            Kind::YesNo => self.yes_no(text).and_then(|yes| sure(Value::YesNo(yes))),
            Kind::Date(when) => {
                let (date, ambiguous) = dates::date(&fold(text), *when, self)?;
                Some(Answer {
                    value: Value::Date(date),
                    ambiguous,
                })
            }
            Kind::Time => dates::time(&fold(text), self.language).and_then(|time| sure(Value::Time(time))),
            Kind::Email => patterns::email(text).and_then(|email| sure(Value::Text(email))),
            Kind::Phone => patterns::phone(text).and_then(|phone| sure(Value::Text(phone))),
            Kind::WebAddress => patterns::web_address(text).and_then(|address| sure(Value::Text(address))),
            Kind::List(of) => {
                let items = text
                    .split([',', ';', '\n'])
                    .map(str::trim)
                    .filter(|item| !item.is_empty());
                let items: Option<Vec<Value>> = items
                    .map(|item| match of {
                        None => Some(Value::text(item)),
                        Some(of) => self.read(of, &typed(item)).map(|answer| answer.value),
                    })
                    .collect();
                items
                    .filter(|items| !items.is_empty())
                    .map(Value::List)
                    .and_then(sure)
            }
            Kind::Media(_) | Kind::Location => None,
        }
    }

    fn yes_no(&self, text: &str) -> Option<bool> {
        let said = fold(text);
        let english = Language::of("en");
        let among = |list: fn(&'static Language) -> &'static [&'static str]| {
            list(self.language).contains(&said.as_str()) || list(english).contains(&said.as_str())
        };
        // A word of the customer's own language goes before an English one that means the opposite.
        if self.language.no.contains(&said.as_str()) {
            return Some(false);
        }
        if among(|language| language.yes) {
            return Some(true);
        }
        among(|language| language.no).then_some(false)
    }
}

/// Whether a kind has a shape that plain words don't have: those are read before near spelling is tried.
pub(super) fn has_shape(kind: &Kind) -> bool {
    !matches!(kind, Kind::Text)
}

/// Whether a bare number can be an answer of this kind, so that it isn't the number of an option.
pub(super) fn takes_numbers(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Number { .. } | Kind::WholeNumber { .. } | Kind::Money | Kind::Rating { .. } | Kind::Time
    )
}

fn typed(text: &str) -> Incoming {
    Incoming {
        text: text.to_owned(),
        ..Incoming::default()
    }
}

/// A file as flows see it.
pub(super) fn file_value(file: &File, text: &str) -> Value {
    let mut fields = Record::from([
        ("kind".to_owned(), Value::text(kind_word(file.kind))),
        ("url".to_owned(), Value::text(file.url.clone())),
    ]);
    if let Some(size) = file.size {
        fields.insert("size".to_owned(), Value::Number(size.into()));
    }
    if let Some(seconds) = file.seconds {
        fields.insert("seconds".to_owned(), Value::Number(seconds.into()));
    }
    // The words of a voice note are its text; those beside any other file are its caption.
    let words = match (file.kind, file.heard) {
        (MediaKind::Voice, Heard::Words) => Some("text"),
        (MediaKind::Voice, _) => None,
        _ => Some("caption"),
    };
    if let Some(field) = words.filter(|_| !text.is_empty()) {
        fields.insert(field.to_owned(), Value::text(text));
    }
    Value::Record(fields)
}

pub(super) fn kind_word(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Photo => "photo",
        MediaKind::Video => "video",
        MediaKind::Voice => "voice",
        MediaKind::Audio => "audio",
        MediaKind::Document => "document",
        MediaKind::Sticker => "sticker",
    }
}

pub(super) fn place_value(place: &crate::message::Place) -> Value {
    let degrees = |value: f64| Value::Number(rust_decimal::Decimal::try_from(value).unwrap_or_default());
    let mut fields = Record::from([
        ("lat".to_owned(), degrees(place.lat)),
        ("lng".to_owned(), degrees(place.lng)),
    ]);
    for (field, value) in [("name", &place.name), ("address", &place.address)] {
        if let Some(value) = value {
            fields.insert(field.to_owned(), Value::text(value.clone()));
        }
    }
    Value::Record(fields)
}

#[cfg(test)]
mod tests;

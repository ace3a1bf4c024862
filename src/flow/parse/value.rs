//! Numbers, lengths of time, dates and times, each checked for sense.

use std::time::Duration;

use jiff::civil;
use pest::iterators::Pair;
use rust_decimal::Decimal;

use super::reader::Reader;
use super::{Rule, seconds};
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::words;

/// Names of units, and the seconds of one.
const UNITS: [(&str, u64); 6] = [
    ("second", 1),
    ("minute", 60),
    ("hour", 3600),
    ("day", 86_400),
    ("week", 7 * 86_400),
    ("month", 30 * 86_400),
];

/// What people write for a unit that has another name here.
const SHORT_UNITS: [(&str, &str); 13] = [
    ("s", "seconds"),
    ("sec", "seconds"),
    ("secs", "seconds"),
    ("m", "minutes"),
    ("min", "minutes"),
    ("mins", "minutes"),
    ("h", "hours"),
    ("hr", "hours"),
    ("hrs", "hours"),
    ("d", "days"),
    ("w", "weeks"),
    ("wk", "weeks"),
    ("mo", "months"),
];

impl<'i> Reader<'i, '_, '_> {
    pub fn duration(&mut self) -> Duration {
        let pair = self.take(Rule::duration);
        self.duration_of(pair)
    }

    /// A length of time that must not be nothing, as in `no reply in …`.
    pub fn wait(&mut self) -> Duration {
        let pair = self.take(Rule::duration);
        let span = self.span(&pair);
        let duration = self.duration_of(pair);
        if duration.is_zero() {
            self.mistake(
                Diagnostic::new(
                    Code::F008,
                    span,
                    "this is no time at all",
                    "write at least `1 second`",
                )
                .note("Customers need a moment to answer."),
            );
        }
        duration
    }

    pub fn duration_of(&mut self, pair: Pair<'i, Rule>) -> Duration {
        let span = self.span(&pair);
        let mut inner = self.inside(pair);
        let amount = inner.take(Rule::amount);
        let unit = inner.take(Rule::unit);
        let unit_span = inner.span(&unit);
        let written = unit.as_str().to_lowercase();
        let singular = written.strip_suffix('s').unwrap_or(&written);
        let known = UNITS.iter().find(|(name, _)| *name == singular);
        let Some((_, each)) = known else {
            let meant = SHORT_UNITS
                .iter()
                .find(|(short, _)| *short == written)
                .map(|(_, unit)| *unit)
                .or_else(|| {
                    let plural = ["seconds", "minutes", "hours", "days", "weeks", "months"];
                    words::nearest(&written, plural)
                });
            let mut mistake = Diagnostic::new(
                Code::F008,
                unit_span,
                format!("\"{}\" is not a unit of time", unit.as_str()),
                meant.map_or("this unit isn't known".to_owned(), |meant| {
                    format!("did you mean `{meant}`?")
                }),
            )
            .note(
                "Lengths of time are written in seconds, minutes, hours, days, weeks or months: 10 minutes.",
            );
            if let Some(meant) = meant {
                mistake = mistake.fix(meant, unit_span, meant);
            }
            self.mistake(mistake);
            return Duration::from_secs(60);
        };
        let duration = amount
            .as_str()
            .parse::<Decimal>()
            .ok()
            .and_then(|amount| seconds(amount, *each));
        duration.unwrap_or_else(|| {
            self.mistake(Diagnostic::new(
                Code::F008,
                span,
                "this is longer than anybody waits",
                "write a hundred years at most",
            ));
            Duration::from_secs(60)
        })
    }

    pub fn number(&mut self) -> Decimal {
        let pair = self.take(Rule::number);
        self.number_of(&pair)
    }

    pub fn number_of(&mut self, pair: &Pair<'i, Rule>) -> Decimal {
        pair.as_str().parse().unwrap_or_else(|_| {
            self.mistake(Diagnostic::new(
                Code::F008,
                self.span(pair),
                "this number has too many digits",
                "28 digits are kept at most",
            ));
            Decimal::ZERO
        })
    }

    /// A whole number between two limits, as in `up to 3 times`.
    pub fn integer(&mut self, from: u32, to: u32) -> u32 {
        let pair = self.take(Rule::integer);
        match pair.as_str().parse() {
            Ok(number) if (from..=to).contains(&number) => number,
            _ => {
                self.mistake(Diagnostic::new(
                    Code::F008,
                    self.span(&pair),
                    format!("{} makes no sense here", pair.as_str()),
                    format!("write a number from {from} to {to}"),
                ));
                from
            }
        }
    }

    pub fn date(&mut self) -> (civil::Date, crate::flow::source::Span) {
        let pair = self.take(Rule::day);
        (self.date_of(&pair), self.span(&pair))
    }

    pub fn date_of(&mut self, pair: &Pair<'i, Rule>) -> civil::Date {
        let mut parts = pair.as_str().split('-');
        let mut part = || {
            parts
                .next()
                .and_then(|part| part.parse::<i16>().ok())
                .unwrap_or(0)
        };
        let (year, month, day) = (part(), part(), part());
        let small = |number: i16| i8::try_from(number).unwrap_or(0);
        civil::Date::new(year, small(month), small(day)).unwrap_or_else(|_| {
            let why = if !(1..=12).contains(&month) {
                format!("there is no month {month}")
            } else {
                format!("month {month} of {year} has no day {day}")
            };
            self.mistake(
                Diagnostic::new(
                    Code::F008,
                    self.span(pair),
                    format!("{} is not a date", pair.as_str()),
                    why,
                )
                .note("Dates are written year-month-day: 2026-03-04 is the fourth of March."),
            );
            civil::Date::constant(2000, 1, 1)
        })
    }

    /// A time of day. `24:00` is the midnight that ends a day; only the end of a range may be written so.
    pub fn time_of(&mut self, pair: &Pair<'i, Rule>, may_end_day: bool) -> civil::Time {
        let (hour, minute) = pair.as_str().split_once(':').unwrap_or(("", ""));
        let (hour, minute) = (hour.parse().unwrap_or(99), minute.parse().unwrap_or(99));
        if may_end_day && hour == 24 && minute == 0 {
            return civil::Time::midnight();
        }
        civil::Time::new(hour, minute, 0, 0).unwrap_or_else(|_| {
            self.mistake(
                Diagnostic::new(
                    Code::F008,
                    self.span(pair),
                    format!("{} is not a time of day", pair.as_str()),
                    "hours go from 00 to 23, minutes from 00 to 59",
                )
                .note("A day's last moment is written 24:00, and only as the end of opening hours."),
            );
            civil::Time::midnight()
        })
    }
}

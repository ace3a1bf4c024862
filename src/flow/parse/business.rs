//! The lines of the business file.

use jiff::civil::Weekday;
use jiff::tz::TimeZoneDatabase;

use super::Rule;
use super::line::Parsed;
use super::reader::Reader;
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::source::Span;
use crate::flow::tree::{Hours, Knowledge, Method, Name, OldButtons, Text, Topic};
use crate::flow::words;

const WEEKDAYS: [(&str, &str, Weekday); 7] = [
    ("mon", "monday", Weekday::Monday),
    ("tue", "tuesday", Weekday::Tuesday),
    ("wed", "wednesday", Weekday::Wednesday),
    ("thu", "thursday", Weekday::Thursday),
    ("fri", "friday", Weekday::Friday),
    ("sat", "saturday", Weekday::Saturday),
    ("sun", "sunday", Weekday::Sunday),
];

impl Reader<'_, '_, '_> {
    pub fn business_line(&mut self, rule: Rule, word: Option<Rule>, span: Span) -> Parsed {
        match rule {
            Rule::business_line => Parsed::Business(self.text()),
            Rule::timezone_line => Parsed::Timezone(self.timezone()),
            Rule::languages_line => Parsed::Languages(self.names()),
            Rule::team_line => Parsed::Team {
                name: self.name(),
                title: self.text(),
            },
            Rule::hours_line => Parsed::Hours(self.opening_hours()),
            Rule::closed_on_line => {
                self.take(Rule::k_on);
                let mut days = vec![self.date()];
                while self.has(Rule::comma) {
                    days.push(self.date());
                }
                Parsed::ClosedOn(days)
            }
            Rule::knowledge_line => Parsed::Knowledge(Knowledge {
                name: self.name(),
                path: self.text(),
                span,
            }),
            Rule::form_declared_line => Parsed::Form {
                name: self.name(),
                id: self.text(),
            },
            Rule::topic_line => Parsed::Topic(Topic {
                name: self.name(),
                about: self.text(),
                span,
            }),
            Rule::template_line => Parsed::Template {
                name: self.name(),
                category: self.category(),
            },
            Rule::wording_line => Parsed::Wording {
                language: self.name(),
                text: self.text(),
            },
            Rule::button_line => {
                let language = self.maybe(Rule::name);
                let language = language.map(|pair| self.name_of(&pair));
                Parsed::Button(language, self.texts())
            }
            Rule::memory_line => Parsed::Memory,
            Rule::field_line => {
                let mut field = self.field();
                if self.has(Rule::comma) {
                    self.take(Rule::k_forget);
                    self.take(Rule::k_after);
                    field.forget_after = Some(self.wait());
                }
                field.span = span;
                Parsed::Field(field)
            }
            Rule::service_line => Parsed::Service {
                name: self.name(),
                url: self.text(),
            },
            Rule::key_line => Parsed::Key(self.name()),
            Rule::action_line => Parsed::Action {
                name: self.name(),
                needs: if self.has(Rule::k_needs) {
                    self.names()
                } else {
                    Vec::new()
                },
            },
            Rule::call_line => Parsed::Call {
                method: match word {
                    Some(Rule::k_post) => Method::Post,
                    Some(Rule::k_put) => Method::Put,
                    Some(Rule::k_delete) => Method::Delete,
                    _ => Method::Get,
                },
                path: self.text(),
                body: self.maybe_args(),
            },
            Rule::timeout_line => Parsed::Timeout(self.wait()),
            Rule::defaults_line => Parsed::Defaults,
            Rule::closed_line => Parsed::Closed(self.text()),
            Rule::old_buttons_line => {
                self.take(Rule::k_buttons);
                self.old_buttons()
            }
            Rule::takeover_line => {
                self.take(Rule::k_pauses);
                self.take(Rule::k_for);
                Parsed::TakeoverPauses(self.wait())
            }
            Rule::burst_line => {
                self.take(Rule::k_quiet);
                Parsed::BurstQuiet(self.duration())
            }
            Rule::opt_out_line => {
                self.take(Rule::k_out);
                self.take(Rule::k_also);
                let mut words = vec![self.text()];
                while self.has(Rule::comma) {
                    words.push(self.text());
                }
                Parsed::OptOut(words)
            }
            other => unreachable!("{other:?} is no rule for a line"),
        }
    }

    fn timezone(&mut self) -> Text {
        let zone = self.text();
        let zones = TimeZoneDatabase::bundled();
        if zones.get(&zone.source).is_err() {
            let wanted = zone.source.to_lowercase().replace(' ', "_");
            let meant = zones
                .available()
                .map(|name| name.as_str().to_owned())
                .map(|name| {
                    let lower = name.to_lowercase();
                    let city = lower.rsplit('/').next().unwrap_or(&lower);
                    (
                        strsim::osa_distance(city, &wanted).min(strsim::osa_distance(&lower, &wanted)),
                        name,
                    )
                })
                .filter(|(distance, _)| *distance <= 2)
                .min();
            let mut mistake = Diagnostic::new(
                Code::F008,
                zone.span,
                format!("there is no time zone \"{}\"", zone.source),
                meant.as_ref().map_or("write a region and a city".to_owned(), |(_, name)| {
                    format!("did you mean \"{name}\"?")
                }),
            )
            .note("Opening hours and dates follow it. Zones are named like \"Europe/Lisbon\" or \"Asia/Jakarta\".");
            if let Some((_, name)) = meant {
                mistake = mistake.fix(format!("\"{name}\""), zone.span, format!("\"{name}\""));
            }
            self.mistake(mistake);
        }
        zone
    }

    fn opening_hours(&mut self) -> Vec<Hours> {
        let mut all = Vec::new();
        while let Some(pair) = self.maybe(Rule::hours) {
            let span = self.span(&pair);
            let mut inner = self.inside(pair);
            let first = inner.weekday();
            let last = if inner.has(Rule::k_to) {
                inner.weekday()
            } else {
                first
            };
            let from = inner.take(Rule::clock);
            let from = inner.time_of(&from, false);
            inner.take(Rule::k_to);
            let to = inner.take(Rule::clock);
            let to = inner.time_of(&to, true);
            all.push(Hours {
                first,
                last,
                from,
                to,
                span,
            });
            self.has(Rule::comma);
        }
        all
    }

    fn weekday(&mut self) -> Weekday {
        let name = self.name();
        let written = name.text.to_lowercase();
        let known = WEEKDAYS
            .iter()
            .find(|(short, long, _)| *short == written || *long == written);
        if let Some((_, _, day)) = known {
            return *day;
        }
        let names = WEEKDAYS.iter().flat_map(|(short, long, _)| [*short, *long]);
        self.choose(
            &name,
            "day of the week",
            names,
            "mon, tue, wed, thu, fri, sat, sun",
        );
        Weekday::Monday
    }

    fn category(&mut self) -> Name {
        let name = self.name();
        let known = ["utility", "marketing", "authentication"];
        if !known.contains(&name.text.as_str()) {
            self.choose(
                &name,
                "category of template",
                known,
                "utility, marketing, authentication",
            );
        }
        name
    }

    fn old_buttons(&mut self) -> Parsed {
        let name = self.name();
        let answer = match name.text.to_lowercase().as_str() {
            "reopen" => OldButtons::Reopen,
            "repeat" => OldButtons::Repeat,
            "ignore" => OldButtons::Ignore,
            _ => {
                let known = ["reopen", "repeat", "ignore"];
                self.choose(&name, "way to treat old buttons", known, "reopen, repeat, ignore");
                OldButtons::Reopen
            }
        };
        Parsed::OldButtons(answer, name.span)
    }

    /// Says that `name` is none of a few known words.
    fn choose<'k>(&mut self, name: &Name, what: &str, known: impl IntoIterator<Item = &'k str>, all: &str) {
        let meant = words::nearest(&name.text, known);
        let mut mistake = Diagnostic::new(
            Code::F004,
            name.span,
            format!("\"{}\" is not a {what}", name.text),
            meant.map_or("this word isn't known here".to_owned(), |meant| {
                format!("did you mean `{meant}`?")
            }),
        )
        .note(format!("Here you can write: {all}."));
        if let Some(meant) = meant {
            mistake = mistake.fix(meant, name.span, meant);
        }
        self.mistake(mistake);
    }
}

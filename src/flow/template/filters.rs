//! The filters of the language, on [`Value`]s: the same ones in messages and in expressions.

use rust_decimal::{Decimal, RoundingStrategy};
use unicode_segmentation::UnicodeSegmentation;

use super::super::locale::Language;
use super::super::value::Value;
use super::{Moment, OUTPUT_CAP};

/// Every filter there is, `default` included.
pub const FILTERS: [&str; 14] = [
    "default", "short", "upper", "lower", "title", "day", "time", "ago", "money", "count", "first", "last",
    "join", "plain",
];

/// Why a filter gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterFault {
    #[error("there is no filter \"{0}\"")]
    Unknown(String),
    #[error("`{filter}` doesn't work on {found}: it needs {needs}")]
    Subject {
        filter: &'static str,
        found: &'static str,
        needs: &'static str,
    },
    #[error("`{filter}` is written `{usage}`")]
    Arguments {
        filter: &'static str,
        usage: &'static str,
    },
    #[error("`{filter}` would make more than {OUTPUT_CAP} bytes")]
    TooLong { filter: &'static str },
}

/// Applies a filter. `None` is an unknown value: `default` mends it, every other filter passes it on, so that
/// `order.eta | day | default("soon")` works. `first` and `last` of an empty list give it.
pub fn apply(
    name: &str,
    subject: Option<&Value>,
    args: &[Value],
    language: &'static Language,
    moment: &Moment,
) -> Result<Option<Value>, FilterFault> {
    if name == "default" {
        let [other] = args else {
            return Err(arguments("default", "default(\"…\")"));
        };
        return Ok(Some(subject.unwrap_or(other).clone()));
    }
    let Some(name) = FILTERS.into_iter().find(|known| *known == name) else {
        return Err(FilterFault::Unknown(name.to_owned()));
    };
    let Some(subject) = subject else {
        return Ok(None);
    };
    let none = |usage| {
        if args.is_empty() {
            Ok(())
        } else {
            Err(arguments(name, usage))
        }
    };
    Ok(Some(match name {
        "short" => {
            let limit = match args {
                [Value::Number(n)] => usize::try_from(*n).ok().filter(|n| (1..=OUTPUT_CAP).contains(n)),
                _ => None,
            };
            let limit = limit.ok_or_else(|| arguments(name, "short(200)"))?;
            Value::Text(short(&text_of(name, subject, language)?, limit))
        }
        "upper" => {
            none("upper").and_then(|()| capped(name, text_of(name, subject, language)?.to_uppercase()))?
        }
        "lower" => {
            none("lower").and_then(|()| capped(name, text_of(name, subject, language)?.to_lowercase()))?
        }
        "title" => none("title").and_then(|()| capped(name, title(&text_of(name, subject, language)?)))?,
        "plain" => none("plain").and_then(|()| capped(name, plain(&text_of(name, subject, language)?)))?,
        "day" => {
            none("day")?;
            let date = as_date(subject).ok_or_else(|| needs(name, subject, "a date"))?;
            Value::Text(language.day(date, moment.today()))
        }
        "time" => {
            none("time")?;
            let time = match subject {
                Value::Time(time) => Some(*time),
                Value::Text(text) => text.parse().ok(),
                _ => None,
            };
            let time = time.ok_or_else(|| needs(name, subject, "a time"))?;
            Value::Text(language.time(time))
        }
        "ago" => {
            none("ago")?;
            Value::Text(match subject {
                Value::Time(time) => language.time_ago(*time, moment.time()),
                other => {
                    let date = as_date(other).ok_or_else(|| needs(name, subject, "a date or a time"))?;
                    language.days_ago(date, moment.today())
                }
            })
        }
        "money" => {
            let [Value::Text(currency)] = args else {
                return Err(arguments(name, "money(\"EUR\")"));
            };
            let amount = match subject {
                Value::Number(number) => Some(*number),
                Value::Text(text) => text.trim().parse().ok(),
                _ => None,
            };
            let amount = amount.ok_or_else(|| needs(name, subject, "a number"))?;
            Value::Text(money(amount, currency, language))
        }
        "count" => {
            none("count")?;
            let count = match subject {
                Value::List(items) => items.len(),
                Value::Text(text) => text.graphemes(true).count(),
                Value::Record(fields) => fields.len(),
                Value::Number(_) | Value::YesNo(_) | Value::Date(_) | Value::Time(_) => {
                    return Err(needs(name, subject, "a list or a text"));
                }
            };
            Value::Number(count.into())
        }
        "first" | "last" => {
            none(if name == "first" { "first" } else { "last" })?;
            let Value::List(items) = subject else {
                return Err(needs(name, subject, "a list"));
            };
            let item = if name == "first" {
                items.first()
            } else {
                items.last()
            };
            return Ok(item.cloned());
        }
        "join" => {
            let between = match args {
                [] => ", ",
                [Value::Text(between)] => between,
                _ => return Err(arguments(name, "join(\", \")")),
            };
            let Value::List(items) = subject else {
                return Err(needs(name, subject, "a list"));
            };
            let mut joined = String::new();
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    joined.push_str(between);
                }
                joined.push_str(&shown(item, language));
                if joined.len() > OUTPUT_CAP {
                    return Err(FilterFault::TooLong { filter: name });
                }
            }
            Value::Text(joined)
        }
        // `FILTERS` and this match name the same words; a test applies each of them.
        other => return Err(FilterFault::Unknown(other.to_owned())),
    }))
}

fn arguments(filter: &'static str, usage: &'static str) -> FilterFault {
    FilterFault::Arguments { filter, usage }
}

fn needs(filter: &'static str, found: &Value, needs: &'static str) -> FilterFault {
    FilterFault::Subject {
        filter,
        found: kind_of(found),
        needs,
    }
}

/// What a value is, in the words of the language.
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Text(_) => "a text",
        Value::Number(_) => "a number",
        Value::YesNo(_) => "a yes or no",
        Value::Date(_) => "a date",
        Value::Time(_) => "a time",
        Value::List(_) => "a list",
        Value::Record(_) => "a record",
    }
}

fn capped(filter: &'static str, text: String) -> Result<Value, FilterFault> {
    if text.len() > OUTPUT_CAP {
        return Err(FilterFault::TooLong { filter });
    }
    Ok(Value::Text(text))
}

fn text_of(filter: &'static str, value: &Value, language: &'static Language) -> Result<String, FilterFault> {
    match value {
        Value::List(_) => Err(needs(filter, value, "a text")),
        other => Ok(shown(other, language)),
    }
}

fn as_date(value: &Value) -> Option<jiff::civil::Date> {
    match value {
        Value::Date(date) => Some(*date),
        // Services often give a moment where a day is meant; its date part is what the service wrote.
        Value::Text(text) => text.get(..10).unwrap_or(text).parse().ok(),
        _ => None,
    }
}

/// As a message shows a value: dates in the customer's language, files as their caption, places as name and address.
pub fn shown(value: &Value, language: &'static Language) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.normalize().to_string(),
        Value::YesNo(true) => language.yes_no.0.to_owned(),
        Value::YesNo(false) => language.yes_no.1.to_owned(),
        Value::Date(date) => language.date(*date),
        Value::Time(time) => language.time(*time),
        Value::List(items) => {
            let mut joined = String::new();
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    joined.push_str(", ");
                }
                joined.push_str(&shown(item, language));
                // A message is capped at `OUTPUT_CAP`: what would be cut anyway is not made.
                if joined.len() > OUTPUT_CAP {
                    break;
                }
            }
            joined
        }
        Value::Record(fields) => {
            let field = |name: &str| match fields.get(name) {
                Some(Value::Text(text)) if !text.is_empty() => Some(text.as_str()),
                _ => None,
            };
            if fields.contains_key("lat") && fields.contains_key("lng") {
                return match (field("name"), field("address")) {
                    (Some(name), Some(address)) => format!("{name}, {address}"),
                    (Some(one), None) | (None, Some(one)) => one.to_owned(),
                    (None, None) => format!(
                        "{}, {}",
                        shown(&fields["lat"], language),
                        shown(&fields["lng"], language)
                    ),
                };
            }
            field("caption")
                .or_else(|| field("text"))
                .unwrap_or_default()
                .to_owned()
        }
    }
}

/// At most `limit` graphemes, the last one `…` if something was cut.
fn short(text: &str, limit: usize) -> String {
    let mut graphemes = text.grapheme_indices(true);
    let Some((last, _)) = graphemes.nth(limit - 1) else {
        return text.to_owned();
    };
    if graphemes.next().is_none() {
        return text.to_owned();
    }
    format!("{}…", text[..last].trim_end())
}

fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    for word in text.split_word_bounds() {
        let mut letters = word.chars();
        if let Some(first) = letters.next() {
            titled.extend(first.to_uppercase());
            titled.extend(letters.flat_map(char::to_lowercase));
        }
    }
    titled
}

/// Takes WhatsApp's markup out: `*bold*`, `_italic_`, `~struck~`, `` `code` ``, and quote and list marks at line starts.
fn plain(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    for (at, line) in text.lines().enumerate() {
        if at > 0 {
            bare.push('\n');
        }
        let mut line = line.trim_start();
        for mark in ["> ", "* ", "- "] {
            line = line.strip_prefix(mark).unwrap_or(line);
        }
        bare.extend(line.chars().filter(|c| !matches!(c, '*' | '_' | '~' | '`')));
    }
    bare
}

fn money(amount: Decimal, currency: &str, language: &'static Language) -> String {
    let currency = currency.to_ascii_uppercase();
    let (symbol, places) = match currency.as_str() {
        "EUR" => ("€", 2),
        "USD" => ("$", 2),
        "GBP" => ("£", 2),
        "BRL" => ("R$ ", 2),
        "IDR" => ("Rp ", 0),
        "JPY" => ("¥", 0),
        _ => ("", 2),
    };
    let rounded = amount.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
    let minus = if rounded.is_sign_negative() && !rounded.is_zero() {
        "-"
    } else {
        ""
    };
    let digits = format!("{:.*}", places as usize, rounded.abs());
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let (thousands, point) = if language.decimal_comma {
        ('.', ',')
    } else {
        (',', '.')
    };
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(thousands);
        }
        grouped.push(digit);
    }
    if !fraction.is_empty() {
        grouped.push(point);
        grouped.push_str(fraction);
    }
    match symbol {
        "" => format!("{minus}{grouped} {currency}"),
        "€" if language.decimal_comma => format!("{minus}{grouped} €"),
        symbol => format!("{minus}{symbol}{grouped}"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::*;

    fn moment() -> Moment {
        Moment(date(2026, 3, 2).at(10, 0, 0, 0))
    }

    #[track_caller]
    fn gives(name: &str, subject: Value, args: &[Value], expected: &str) {
        let language = Language::of("en");
        let value = apply(name, Some(&subject), args, language, &moment())
            .unwrap()
            .unwrap();
        assert_eq!(shown(&value, language), expected);
    }

    fn texts(items: &[&str]) -> Value {
        Value::List(items.iter().map(|item| Value::text(*item)).collect())
    }

    #[test]
    fn every_filter_does_what_its_name_says() {
        gives("default", Value::text("a"), &[Value::text("b")], "a");
        gives(
            "short",
            Value::text("Hello there"),
            &[Value::Number(6.into())],
            "Hello…",
        );
        gives("short", Value::text("Hello"), &[Value::Number(5.into())], "Hello");
        gives("upper", Value::text("olá"), &[], "OLÁ");
        gives("lower", Value::text("OLÁ"), &[], "olá");
        gives("title", Value::text("the old HOUSE"), &[], "The Old House");
        gives("day", Value::Date(date(2026, 3, 6)), &[], "Fri 6 March");
        gives("day", Value::text("2026-03-06T10:00:00Z"), &[], "Fri 6 March");
        gives("time", Value::Time(time(9, 5, 0, 0)), &[], "09:05");
        gives("ago", Value::Date(date(2026, 3, 1)), &[], "yesterday");
        gives("ago", Value::Time(time(9, 0, 0, 0)), &[], "1 hour ago");
        gives(
            "money",
            Value::Number("1234.5".parse().unwrap()),
            &[Value::text("EUR")],
            "€1,234.50",
        );
        gives("count", texts(&["a", "b"]), &[], "2");
        gives("first", texts(&["a", "b"]), &[], "a");
        gives("last", texts(&["a", "b"]), &[], "b");
        gives("join", texts(&["a", "b"]), &[Value::text(" and ")], "a and b");
        gives("plain", Value::text("> *Hi* _you_"), &[], "Hi you");
    }

    #[test]
    fn every_listed_filter_is_known() {
        for name in FILTERS {
            let outcome = apply(name, Some(&Value::text("x")), &[], Language::of("en"), &moment());
            assert!(!matches!(outcome, Err(FilterFault::Unknown(_))), "{name}");
        }
    }

    #[test]
    fn money_follows_the_language() {
        let amount = "1234567.891".parse().unwrap();
        assert_eq!(money(amount, "EUR", Language::of("pt")), "1.234.567,89 €");
        assert_eq!(money(amount, "idr", Language::of("id")), "Rp 1.234.568");
        assert_eq!(money(amount, "CHF", Language::of("en")), "1,234,567.89 CHF");
        assert_eq!(
            money("-0.001".parse().unwrap(), "EUR", Language::of("en")),
            "€0.00"
        );
    }

    #[test]
    fn an_unknown_value_passes_through_until_default() {
        let language = Language::of("en");
        assert_eq!(apply("upper", None, &[], language, &moment()), Ok(None));
        let other = apply("default", None, &[Value::text("there")], language, &moment());
        assert_eq!(other, Ok(Some(Value::text("there"))));
    }

    #[test]
    fn a_place_prints_as_name_and_address_and_a_file_as_its_caption() {
        let place = Value::Record(
            [
                ("lat".to_owned(), Value::Number("41.1".parse().unwrap())),
                ("lng".to_owned(), Value::Number("-8.6".parse().unwrap())),
                ("name".to_owned(), Value::text("Studio")),
                ("address".to_owned(), Value::text("Rua 1")),
            ]
            .into(),
        );
        assert_eq!(shown(&place, Language::of("en")), "Studio, Rua 1");
        let file = Value::Record([("caption".to_owned(), Value::text("My shoes"))].into());
        assert_eq!(shown(&file, Language::of("en")), "My shoes");
    }
}

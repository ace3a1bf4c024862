//! Parts of a program in the words of the language, for people: listings, graphs, messages.

use super::program::{Expr, Program, TextIx, Trigger};
use super::tree::{BinaryOp, Kind, Test, When};
use crate::message::MediaKind;

/// As an author would write it.
pub fn expr(program: &Program, expr: &Expr) -> String {
    spell(program, expr, 0)
}

/// `around` is how tightly the expression around this one binds; weaker ones get parentheses.
fn spell(program: &Program, expr: &Expr, around: u8) -> String {
    let (spelled, binds) = match expr {
        Expr::Text(at) => (text(program, *at), 9),
        Expr::Number(number) => (number.to_string(), 9),
        Expr::YesNo(yes) => ((if *yes { "yes" } else { "no" }).to_owned(), 9),
        Expr::Nothing => ("nothing".to_owned(), 9),
        Expr::Date(date) => (date.to_string(), 9),
        Expr::Time(time) => (time.strftime("%H:%M").to_string(), 9),
        Expr::Duration(seconds) => (duration(*seconds), 9),
        Expr::List(items) => {
            let items: Vec<String> = items.iter().map(|item| spell(program, item, 0)).collect();
            (format!("[{}]", items.join(", ")), 9)
        }
        Expr::Path(parts) => (parts.join("."), 9),
        Expr::Not(inner) => (format!("not {}", spell(program, inner, 3)), 3),
        Expr::Binary(op, left, right) => {
            let (word, binds) = operator(*op);
            let left = spell(program, left, binds);
            let right = spell(program, right, binds + 1);
            (format!("{left} {word} {right}"), binds)
        }
        Expr::Test {
            subject,
            test,
            negated,
        } => {
            let not = if *negated { "not " } else { "" };
            let test = match test {
                Test::Known => "known",
                Test::Unknown => "unknown",
                Test::Empty => "empty",
                Test::Open => "open",
                Test::Closed => "closed",
                Test::Unheard => "unheard",
            };
            (format!("{} is {not}{test}", spell(program, subject, 5)), 4)
        }
        Expr::Filter { subject, name, args } => {
            let subject = spell(program, subject, 7);
            let args: Vec<String> = args.iter().map(|arg| spell(program, arg, 0)).collect();
            let args = if args.is_empty() {
                String::new()
            } else {
                format!("({})", args.join(", "))
            };
            (format!("{subject} | {name}{args}"), 7)
        }
    };
    if binds < around {
        format!("({spelled})")
    } else {
        spelled
    }
}

/// Its word, and how tightly it binds.
fn operator(op: BinaryOp) -> (&'static str, u8) {
    match op {
        BinaryOp::Or => ("or", 1),
        BinaryOp::And => ("and", 2),
        BinaryOp::Is => ("is", 4),
        BinaryOp::IsNot => ("is not", 4),
        BinaryOp::IsExactly => ("is exactly", 4),
        BinaryOp::Greater => (">", 4),
        BinaryOp::GreaterOrEqual => (">=", 4),
        BinaryOp::Less => ("<", 4),
        BinaryOp::LessOrEqual => ("<=", 4),
        BinaryOp::In => ("in", 4),
        BinaryOp::Contains => ("contains", 4),
        BinaryOp::StartsWith => ("starts with", 4),
        BinaryOp::EndsWith => ("ends with", 4),
        BinaryOp::Matches => ("matches", 4),
        BinaryOp::Add => ("+", 5),
        BinaryOp::Subtract => ("-", 5),
        BinaryOp::Multiply => ("*", 6),
        BinaryOp::Divide => ("/", 6),
    }
}

/// A text in quotes, on one line.
pub fn text(program: &Program, text: TextIx) -> String {
    quoted(&program.texts[text as usize].source)
}

pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\\\"").replace('\n', "\\n"))
}

/// The first words of a text, for labels: at most `most` characters and no line breaks.
pub fn short(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    let cut: String = line.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

/// In the largest unit that fits: `10 minutes`.
pub fn duration(seconds: u64) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let (count, unit) = units
        .into_iter()
        .find(|(size, _)| seconds >= *size && seconds.is_multiple_of(*size))
        .map_or((seconds, "second"), |(size, unit)| (seconds / size, unit));
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

pub fn kind(kind: &Kind) -> String {
    let between = |name: &str, from: Option<String>, to: Option<String>| {
        let from = from.map(|from| format!(" from {from}")).unwrap_or_default();
        let to = to.map(|to| format!(" to {to}")).unwrap_or_default();
        format!("{name}{from}{to}")
    };
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::TextLike(pattern) => format!("text like {}", quoted(pattern)),
        Kind::TextMatching(pattern) => format!("text matching {}", quoted(pattern)),
        Kind::Number { from, to } => {
            between("number", from.map(|n| n.to_string()), to.map(|n| n.to_string()))
        }
        Kind::WholeNumber { from, to } => between(
            "whole number",
            from.map(|n| n.to_string()),
            to.map(|n| n.to_string()),
        ),
        Kind::YesNo => "yes or no".to_owned(),
        Kind::Money => "money".to_owned(),
        Kind::Date(When::Any) => "date".to_owned(),
        Kind::Date(When::Future) => "date in the future".to_owned(),
        Kind::Date(When::Past) => "date in the past".to_owned(),
        Kind::Time => "time".to_owned(),
        Kind::Email => "email".to_owned(),
        Kind::Phone => "phone".to_owned(),
        Kind::WebAddress => "web address".to_owned(),
        Kind::Media(media) => media_kind(*media).to_owned(),
        Kind::Location => "location".to_owned(),
        Kind::Rating { from, to } => format!("rating {from} to {to}"),
        Kind::List(None) => "list".to_owned(),
        Kind::List(Some(item)) => format!("list of {}", self::kind(item)),
    }
}

pub fn media_kind(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Photo => "photo",
        MediaKind::Video => "video",
        MediaKind::Voice => "voice",
        MediaKind::Audio => "audio",
        MediaKind::Document => "document",
        MediaKind::Sticker => "sticker",
    }
}

pub fn trigger(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Words(words) => quoted(words),
        Trigger::Containing(words) => format!("containing {}", quoted(words)),
        Trigger::Topic(topic) => format!("topic {topic}"),
        Trigger::Event(name) => format!("event {name}"),
        Trigger::Link(code) => format!("link {}", quoted(code)),
        Trigger::WindowClosing => "window closing".to_owned(),
        Trigger::FirstMessage => "first message".to_owned(),
        Trigger::AnyMessage => "any message".to_owned(),
        Trigger::Media(kind) => media_kind(*kind).to_owned(),
        Trigger::Location => "location".to_owned(),
        Trigger::Reply(template) => format!("reply to {template}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_authors_write_them() {
        assert_eq!(duration(600), "10 minutes");
        assert_eq!(duration(3_600), "1 hour");
        assert_eq!(duration(90), "90 seconds");
        assert_eq!(duration(172_800), "2 days");
        assert_eq!(duration(0), "0 seconds");
    }

    #[test]
    fn a_shortened_text_ends_between_characters() {
        assert_eq!(short("What's  your\nname?", 40), "What's your name?");
        assert_eq!(short("Olá, até já", 6), "Olá,…");
    }
}

//! Slips that people who know other tools make again and again, each with its mending.

use super::{Code, Rule};
use crate::flow::diagnostic::{Code as Check, Diagnostic};
use crate::flow::lines::{begins_with_quote, between_quotes};
use crate::flow::words;

/// First words of other languages, and what they are here.
const OTHER_WORDS: &[(&str, &str)] = &[
    ("goto", "->"),
    ("go", "->"),
    ("jump", "->"),
    ("endif", "end"),
    ("endmenu", "end"),
    ("elif", "else if"),
    ("elseif", "else if"),
    ("elsif", "else if"),
    ("print", "say"),
    ("message", "say"),
    ("question", "ask"),
    ("input", "ask"),
    ("choose", "menu"),
    ("exit", "close"),
    ("quit", "close"),
    ("return", "done"),
    ("let", "set"),
    ("call", "do"),
    ("default", "otherwise"),
    ("fallback", "otherwise"),
    ("timeout", "no reply in"),
    ("transfer", "handoff"),
    ("escalate", "handoff"),
];

/// What a word of another language is called here, if that can be written here.
pub(super) fn other_word(word: &str, candidates: &[&'static str]) -> Option<&'static str> {
    let (_, here) = OTHER_WORDS
        .iter()
        .find(|(other, _)| other.eq_ignore_ascii_case(word))?;
    let first = here.split(' ').next().unwrap_or(here);
    (candidates.contains(&first) || first == "->").then_some(here)
}

/// The slip at the place where reading stopped: what stands there is `rest`, at byte `at` of the line.
pub(super) fn at(code: Code<'_>, rule: Rule, expected: &[Rule], at: usize) -> Option<Diagnostic> {
    let rest = &code.text[at..];
    let word = words::first_word(rest);
    let told = |len: usize, message: &str, label: &str| {
        Diagnostic::new(Check::F001, code.span(at, at + len), message, label)
    };
    let replace = |len: usize, message: &str, label: &str, new: &str| {
        told(len, message, label).fix(new.trim(), code.span(at, at + len), new)
    };
    let insert = |message: &str, label: &str, new: &str| {
        told(words::first_len(rest), message, label).fix(new.trim(), code.span(at, at), new)
    };
    let takes_arrow = expected
        .iter()
        .any(|rule| matches!(rule, Rule::arrow | Rule::go | Rule::option_part));

    if rest.starts_with(':') {
        return Some(if rule == Rule::option_line {
            replace(1, "an arrow is missing", "`->` leads on from an option", " ->")
        } else {
            told(1, "no `:` is needed here", "leave it out").fix("take `:` out", code.span(at, at + 1), "")
        });
    }
    if let Some(quote) = rest
        .chars()
        .next()
        .filter(|char| matches!(char, '\'' | '‘' | '`'))
        && expected.contains(&Rule::text)
        && let Some(end) = rest[quote.len_utf8()..].rfind(['\'', '’', '`'])
    {
        let inner = &rest[quote.len_utf8()..][..end];
        let len = quote.len_utf8()
            + end
            + rest[quote.len_utf8() + end..]
                .chars()
                .next()
                .map_or(0, char::len_utf8);
        let new = format!("\"{inner}\"");
        return (!inner.contains('"')).then(|| {
            replace(
                len,
                "this text has other quotes",
                "texts stand between double quotes",
                &new,
            )
        });
    }
    for other in ["=>", "- >", "-->", "~>", "»"] {
        if rest.starts_with(other) {
            return Some(replace(
                other.len(),
                "an arrow is written `->`",
                "this isn't one",
                "->",
            ));
        }
    }
    if rest.starts_with('>') && code.text[..at].ends_with('=') {
        let span = code.span(at - 1, at + 1);
        let mistake = Diagnostic::new(Check::F001, span, "an arrow is written `->`", "this isn't one");
        return Some(mistake.fix("->", span, "->"));
    }
    if rest.starts_with('=') && matches!(rule, Rule::if_line | Rule::else_line | Rule::check_line) {
        return Some(replace(
            1,
            "this sets nothing",
            "comparisons are written `is`",
            "is",
        ));
    }
    for (other, here) in [("&&", "and"), ("||", "or")] {
        if rest.starts_with(other) {
            return Some(replace(
                2,
                "this sign means nothing here",
                &format!("write `{here}`"),
                here,
            ));
        }
    }
    if rest.starts_with('!') && expected.contains(&Rule::primary) {
        return Some(replace(1, "this sign means nothing here", "write `not`", "not "));
    }
    if matches!(
        rule,
        Rule::end_line | Rule::resume_line | Rule::done_line | Rule::private_line
    ) && !matches!(word.to_ascii_lowercase().as_str(), "with" | "wiht")
        && !(rule == Rule::done_line && rest.contains('='))
    {
        let first = words::first_word(code.text);
        let span = code.span(first.len(), code.text.len());
        let label = format!("`{first}` stands alone on its line");
        let mistake = Diagnostic::new(
            Check::F001,
            code.span(at, code.text.len()),
            "nothing belongs here",
            label,
        );
        return Some(mistake.fix("take it out", span, ""));
    }
    if begins_with_quote(rest) && code.text[..at].trim_end().ends_with("->") {
        let inner = between_quotes(rest)?;
        return Some(replace(
            rest.len(),
            "names have no quotes",
            "only what customers read has them",
            inner,
        ));
    }
    if rule == Rule::handoff_line && !word.is_empty() && expected.contains(&Rule::k_to) {
        return Some(insert("`to` is missing", "it belongs before the team", "to "));
    }
    if rule == Rule::handoff_line && begins_with_quote(rest) {
        return Some(
            told(
                rest.len(),
                "the note stands on a line of its own",
                "write it underneath, and close with `end`",
            )
            .note("handoff to support\n  note \"Needs help\"\nend"),
        );
    }
    let named = !word.is_empty() && rest[word.len()..].trim_start().starts_with('=');
    if named
        && expected
            .iter()
            .any(|rule| matches!(rule, Rule::args | Rule::k_with))
    {
        return Some(insert(
            "`with` is missing",
            "it belongs before what is given along",
            "with ",
        ));
    }
    if rule == Rule::set_line && named {
        let first = code.text[..at].trim_end();
        let span = code.span(first.len(), at);
        let label = "join the words with `_`";
        let mistake = Diagnostic::new(
            Check::F001,
            code.span(at, at + word.len()),
            "a value's name is one word",
            label,
        );
        return Some(mistake.fix("_", span, "_"));
    }
    if rule == Rule::set_line && word.eq_ignore_ascii_case("to") {
        return Some(replace(2, "a value is set with `=`", "write `=` here", "="));
    }
    if rule == Rule::no_reply_line
        && ["after", "for", "within"]
            .iter()
            .any(|other| word.eq_ignore_ascii_case(other))
        && expected.contains(&Rule::k_in)
    {
        return Some(replace(
            word.len(),
            "this word doesn't fit here",
            "write `in`",
            "in",
        ));
    }
    if rule == Rule::option_line
        && takes_arrow
        && !word.is_empty()
        && words::nearest(word, ["hint", "also"]).is_none()
    {
        return Some(insert(
            "an arrow is missing",
            "`->` leads on from an option",
            "-> ",
        ));
    }
    if rest.starts_with("->")
        && !takes_arrow
        && matches!(rule, Rule::say_line | Rule::else_line | Rule::set_line)
    {
        return Some(
            told(2, "the arrow stands on a line of its own", "write it underneath")
                .note("An arrow on the same line is only for options, `if` and other cases."),
        );
    }
    None
}

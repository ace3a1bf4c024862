//! Mistakes in how lines stand together. All their sentences are side by side here, so that they sound alike.

use super::cursor::{Cursor, Next, Open};
use crate::flow::diagnostic::{Code as Check, Diagnostic, Edit, Fix};
use crate::flow::lines::Fault;
use crate::flow::parse::{self, Code, Rule};
use crate::flow::source::{SourceFile, Span};
use crate::flow::words::{self, Place};

/// A line that the scanner already knows can't be read.
pub(super) fn fault(code: Code<'_>, fault: &Fault) -> Diagnostic {
    let end = code.start + code.text.len();
    match fault {
        Fault::OpenText { at, triple: false } => {
            let from = *at - code.start;
            let rest = &code.text[from..];
            let arrow = rest.rfind(" -> ").map(|found| from + found);
            let stop = arrow.map_or(code.text.len(), |arrow| code.text[..arrow].trim_end().len());
            let closing = match rest.chars().next() {
                Some('“' | '”') => "”",
                Some('„') => "“",
                _ => "\"",
            };
            // Opened in one form and closed in another: that one is exchanged.
            let text = &code.text[from..stop];
            let other = text
                .chars()
                .next_back()
                .filter(|last| text.chars().count() > 1 && matches!(last, '"' | '“' | '”'));
            let end_of_text = stop - other.map_or(0, char::len_utf8);
            let close = Span::new(code.file, code.start + end_of_text, code.start + stop);
            Diagnostic::new(
                Check::F003,
                Span::new(code.file, *at, end),
                "this text is never closed",
                match other {
                    Some(other) => format!("it opens here, and {other} doesn't close it"),
                    None => "it opens here, and the line ends before it closes".to_owned(),
                },
            )
            .note(
                "A text on one line stands between quotes. For several lines write \"\"\" before and after.",
            )
            .fix("put a quote at the end of the text", close, closing)
        }
        Fault::OpenText { at, triple: true } => {
            let first = code.text[*at - code.start..].lines().next().unwrap_or_default();
            Diagnostic::new(
                Check::F003,
                Span::new(code.file, *at, *at + first.trim_end().len()),
                "this text is never closed",
                "it opens here; no \"\"\" closes it",
            )
            .note("Write \"\"\" on a line of its own after the last line of the text.")
            .fix(
                "put \"\"\" after the text",
                Span::new(code.file, end, end),
                "\n\"\"\"",
            )
        }
        Fault::TooDeep { at } => Diagnostic::new(
            Check::F001,
            Span::new(code.file, *at, *at + 1),
            "too many brackets inside each other",
            "keep a part of it with `set`, and use that",
        ),
        Fault::TooLong => Diagnostic::new(
            Check::F001,
            Span::new(code.file, code.start, code.start + words::first_len(code.text)),
            "this line is too long",
            "WhatsApp takes 4,096 characters in a message",
        ),
    }
}

pub(super) fn too_deep(code: Code<'_>) -> Diagnostic {
    Diagnostic::new(
        Check::F001,
        code.whole(),
        "too many blocks inside each other",
        "make a step of the inner ones and go there with `->`",
    )
}

/// A block without `end`. `before` is the line that shows it, if the block was given up there.
pub(super) fn never_closed(cursor: &Cursor<'_>, open: &Open, before: Option<usize>) -> Diagnostic {
    let shown = before.or(open.level);
    let called = open.called;
    let mistake = Diagnostic::new(
        Check::F002,
        cursor.word(open.line),
        format!("this {called} is never closed"),
        "lines underneath belong to it until `end` …",
    );
    let indent = &cursor.source.text[cursor.lines[open.line].begin..cursor.lines[open.line].code.start];
    let indent = indent.trim_start_matches('\u{FEFF}');
    let (mistake, last) = match shown {
        Some(line) => {
            let why = if cursor.indent(line) <= cursor.indent(open.line) {
                format!(
                    "… but this line stands level with the {}",
                    called.trim_matches('`')
                )
            } else {
                "… but this line can't belong to it".to_owned()
            };
            (
                mistake.label(cursor.word(line), why),
                last_code_before(cursor, line),
            )
        }
        None if cursor.stop < cursor.lines.len() => (
            mistake.label(heading(cursor), "… but here something new begins"),
            last_code_before(cursor, cursor.stop),
        ),
        None => (mistake, last_code_before(cursor, cursor.stop)),
    };
    let at = cursor.lines[last]
        .comment
        .as_ref()
        .map_or(cursor.lines[last].code.end, |comment| comment.end);
    let line = cursor.source.line(at.saturating_sub(1) as u32);
    let title = match shown {
        Some(_) => format!("put `end` between lines {line} and {}", line + 1),
        None => format!("put `end` after line {line}"),
    };
    mistake.fix(title, Span::new(cursor.file, at, at), format!("\n{indent}end"))
}

/// The first word of the heading that ends the section.
fn heading(cursor: &Cursor<'_>) -> Span {
    let next = (cursor.stop..cursor.lines.len()).find(|line| cursor.lines[*line].has_code());
    cursor.word(next.unwrap_or(cursor.stop))
}

fn last_code_before(cursor: &Cursor<'_>, line: usize) -> usize {
    (0..line)
        .rev()
        .find(|line| cursor.lines[*line].has_code())
        .unwrap_or(0)
}

pub(super) fn stray_end(cursor: &Cursor<'_>, next: Next<'_>) -> Diagnostic {
    let line = &cursor.lines[next.line];
    let after = cursor.source.text[line.code.end..]
        .find('\n')
        .map_or(line.code.end, |found| line.code.end + found + 1);
    Diagnostic::new(
        Check::F002,
        next.code.whole(),
        "this `end` closes nothing",
        "no block is open here",
    )
    .note(
        "`end` closes `menu`, `ask`, `if` and other lines that have lines underneath. A step needs none: it runs to the \
         next heading.",
    )
    .fix("take this line out", Span::new(cursor.file, line.begin, after), "")
}

pub(super) fn after_else(word: Span) -> Diagnostic {
    Diagnostic::new(
        Check::F005,
        word,
        "nothing can follow `else` in an `if`",
        "the lines under `else` already cover every other case",
    )
    .note("Put `else if` before `else`.")
}

/// Lines after an `on` that already has its arrow.
pub(super) fn after_arrow(word: Span, on: Span) -> Diagnostic {
    Diagnostic::new(
        Check::F005,
        word,
        "this line never runs",
        "the `on` above is finished by its arrow",
    )
    .label(on, "this says all that happens")
    .note("Take the arrow out and write it as the last line underneath.")
}

pub(super) fn twice(span: Span, first: Span, source: &SourceFile, place: Place) -> Diagnostic {
    let word = &source.text[span.range()];
    let word = if word.starts_with(['"', '“']) {
        "this"
    } else {
        word
    };
    Diagnostic::new(
        Check::F006,
        span,
        format!("`{word}` is written twice"),
        "only one can hold",
    )
    .label(first, "the first is here")
    .note(match place {
        Place::Question => "A question has each of its lines once; only options, `check`, `section` and `no reply` may be repeated.",
        Place::Fetch => "Each outcome is said once; the sentence and the arrow can stand on the same line.",
        _ => "Take one of them out.",
    })
}

/// A line that is right somewhere else.
pub(super) fn misplaced(cursor: &Cursor<'_>, next: Next<'_>, rule: Rule) -> Diagnostic {
    let span = cursor.word(next.line);
    let word = match rule {
        Rule::option_line => "an option".to_owned(),
        _ => format!("`{}`", &cursor.source.text[span.range()]),
    };
    let place = cursor.place();
    Diagnostic::new(
        Check::F005,
        span,
        format!("{word} can't stand here"),
        belongs(rule),
    )
    .note(parse::allowed_list(place))
}

/// Where lines of a rule belong.
fn belongs(rule: Rule) -> &'static str {
    match rule {
        Rule::option_line => "it belongs under `menu`, `buttons`, `list` or `ask`, before their `end`",
        Rule::as_line
        | Rule::check_line
        | Rule::again_line
        | Rule::private_line
        | Rule::open_line
        | Rule::section_line => "it belongs under a question, before its `end`",
        Rule::header_line | Rule::footer_line => {
            "it belongs under a question, or behind the text of `say` on the same line"
        }
        Rule::otherwise_line | Rule::no_reply_line => {
            "it belongs under a question, or under `defaults` in the business file"
        }
        Rule::not_found_line | Rule::refused_line | Rule::status_line => {
            "it belongs under `fetch`, before its `end`"
        }
        Rule::problem_line => {
            "it belongs under `fetch`, `transcribe` or `answer`, or under `defaults` in the business file"
        }
        Rule::about_line
        | Rule::never_line
        | Rule::style_line
        | Rule::length_line
        | Rule::replies_line
        | Rule::may_line
        | Rule::topic_exit_line
        | Rule::not_sure_line
        | Rule::off_topic_line
        | Rule::finished_line => "it belongs under `answer`, before its `end`",
        Rule::note_line
        | Rule::priority_line
        | Rule::assist_line
        | Rule::when_closed_line
        | Rule::when_taken_line
        | Rule::no_agent_line
        | Rule::when_returned_line => "it belongs under `handoff`, before its `end`",
        Rule::else_line => "it belongs in an `if`, before its `end`",
        Rule::flow_line => "a file has one flow, and this is its first line",
        Rule::starts_line | Rule::needs_line => "it belongs right under `flow`, before the first step",
        Rule::gives_line => "it belongs right under `flow`, or under an `action` in the business file",
        Rule::step_line => "steps belong in a flow file, after `flow`",
        Rule::business_line => "it is the first line of the business file",
        Rule::timezone_line
        | Rule::languages_line
        | Rule::team_line
        | Rule::knowledge_line
        | Rule::topic_line
        | Rule::form_declared_line
        | Rule::template_line
        | Rule::memory_line
        | Rule::service_line
        | Rule::defaults_line => "it belongs in the business file",
        Rule::hours_line | Rule::closed_on_line => "it belongs under `team` in the business file",
        Rule::wording_line | Rule::button_line => "it belongs under `template` in the business file",
        Rule::field_line => "it belongs under `memory` in the business file",
        Rule::key_line | Rule::action_line | Rule::call_line | Rule::timeout_line => {
            "it belongs under `service` in the business file"
        }
        Rule::closed_line
        | Rule::old_buttons_line
        | Rule::takeover_line
        | Rule::burst_line
        | Rule::opt_out_line => "it belongs under `defaults` in the business file",
        _ => "it belongs in a step",
    }
}

/// Where a line under a question would help, and why it doesn't here.
pub(super) const ONLY_GATHER: [&str; 2] = [
    "only `gather` collects several messages",
    "Ask with  gather story \"What happened?\"  or leave this out: other questions end with the first answer.",
];
pub(super) const ONLY_LIST: [&str; 2] = [
    "rows from data stand under `menu` or `list`",
    "How many there will be is not known before, and only a list has room for them. Write `list`.",
];
pub(super) const ONLY_ROWS: [&str; 2] = [
    "there are no rows from data here",
    "Options that are written out are all shown. `none` and `more` are for rows of  each … in … .",
];

pub(super) const NOT_IN_A_FORM: [&str; 2] = [
    "what can be answered is in the form itself",
    "A form has fields of its own, made at WhatsApp. Leave this out, or ask with `ask` or `menu` before.",
];

/// A line that does nothing under this question.
pub(super) fn no_use(at: Span, [why, advice]: [&str; 2]) -> Diagnostic {
    Diagnostic::new(Check::F005, at, "this can't stand under this question", why).note(advice)
}

/// The shares of a `split` don't add up.
pub(super) fn not_a_hundred(at: Span, shares: u32) -> Diagnostic {
    Diagnostic::new(
        Check::F008,
        at,
        "these shares don't make a whole",
        format!("together they are {shares}%, not 100%"),
    )
    .note("Every customer goes one of the ways. Change the numbers so that they add up to 100%.")
}

/// A question, `fetch`, `do` or `handoff` under a clause line. The fix makes a step of it.
pub(super) fn waits_under_a_clause(cursor: &Cursor<'_>, next: Next<'_>) -> Diagnostic {
    let span = cursor.word(next.line);
    let word = &cursor.source.text[span.range()];
    let mistake = Diagnostic::new(
        Check::F204,
        span,
        format!("`{word}` waits, and nothing may wait here"),
        "it needs a step of its own",
    );
    let moved = lines_level_with(cursor, next.line);
    if next.rule == Some(Rule::handoff_line) {
        let mistake = mistake.note(
            "Under an option and other lines of a block everything happens at once. Write the arrow instead:  \
             -> handoff to support",
        );
        let start = Span::new(cursor.file, span.start as usize, span.start as usize);
        return if moved.len() == 1 {
            mistake.fix("-> handoff", start, "-> ")
        } else {
            mistake
        };
    }
    let step = step_name(next.code.text);
    let mistake = mistake.note(format!(
        "Under an option and other lines of a block everything happens at once; what waits for an answer gets a \
         step. Go there with  -> {step}",
    ));
    let (Some(first), Some(last)) = (moved.first(), moved.last()) else {
        return mistake;
    };
    let outer = cursor.open.last().map_or(0, |open| cursor.indent(open.line));
    if cursor.indent(next.line) <= outer {
        // Without a layout nobody can tell which lines would have to move.
        return mistake;
    }
    let text = &cursor.source.text;
    let drop = cursor.lines[*first].code.start - cursor.lines[*first].begin;
    let mut body = String::new();
    for line in &moved {
        let line = &cursor.lines[*line];
        let indent = (line.code.start - line.begin).saturating_sub(drop) + 2;
        body.push_str(&format!("\n{}{}", " ".repeat(indent), &text[line.code.clone()]));
    }
    let after = last_code_before(cursor, cursor.stop);
    let after = cursor.lines[after]
        .comment
        .as_ref()
        .map_or(cursor.lines[after].code.end, |comment| comment.end);
    let from = Span::new(
        cursor.file,
        cursor.lines[*first].code.start,
        cursor.lines[*last].code.end,
    );
    let mut mistake = mistake;
    let added = format!("\n\nstep {step}{body}");
    let mut edits = vec![Edit {
        span: from,
        replacement: format!("-> {step}"),
    }];
    if after == from.end as usize {
        edits[0].replacement.push_str(&added);
    } else {
        edits.push(Edit {
            span: Span::new(cursor.file, after, after),
            replacement: added,
        });
    }
    mistake.fixes.push(Fix {
        title: format!("make it the step \"{step}\""),
        edits,
    });
    mistake
}

/// A name for a step made of a statement: `ask reason "…"` becomes "ask reason".
fn step_name(code: &str) -> String {
    let word = words::first_word(code);
    let rest = code[word.len()..].trim_start();
    let name = words::first_word(rest).replace('_', " ");
    match (word.to_ascii_lowercase().as_str(), name.as_str()) {
        (word, "") => format!("{word} next"),
        ("menu" | "buttons" | "list", name) => format!("ask {name}"),
        (word, name) => format!("{word} {name}"),
    }
}

/// The line and those after it that stand as far in or further.
fn lines_level_with(cursor: &Cursor<'_>, line: usize) -> Vec<usize> {
    let code = (line..cursor.stop).filter(|line| cursor.lines[*line].has_code());
    code.take_while(|other| cursor.indent(*other) >= cursor.indent(line))
        .collect()
}

/// Statements under a clause line that already says what happens.
pub(super) fn after_tail(cursor: &Cursor<'_>, next: Next<'_>, clause: usize) -> Diagnostic {
    Diagnostic::new(
        Check::F005,
        cursor.word(next.line),
        "this line never runs",
        "the line above already has its sentence or arrow",
    )
    .label(cursor.word(clause), "this says all that happens")
    .note("Either a sentence and an arrow stand on the line, or statements stand underneath:\n  no reply in 10 minutes\n    say \"Are you still there?\"\n    -> still there")
}

pub(super) fn starts_in_business(word: Span) -> Diagnostic {
    Diagnostic::new(
        Check::F005,
        word,
        "the business file starts nothing by itself",
        "write  starts with FLOW  here",
    )
    .note(
        "`starts with` names the flow for messages that nothing else answers; `starts on` belongs in a flow.",
    )
}

pub(super) fn before_action(word: Span) -> Diagnostic {
    Diagnostic::new(
        Check::F005,
        word,
        "this line stands before the first action",
        "it belongs under an `action`",
    )
    .note("Under `service` first comes `key`, then each `action` with its call:\n  action get_order needs number\n    get \"/orders/{{ number }}\"")
}

pub(super) fn action_without_call(action: &crate::flow::tree::Name) -> Diagnostic {
    Diagnostic::new(
        Check::F001,
        action.span,
        format!("the action {} calls nothing", action.text),
        "no get, post, put or delete stands under it",
    )
    .note("Write the call on the next line, for example  get \"/orders/{{ number }}\"")
}

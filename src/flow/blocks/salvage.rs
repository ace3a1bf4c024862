//! What can be saved of a line that can't be read, so that one mistake stays one mistake: the names it declares and
//! the block it opens.

use crate::flow::parse::{Code, Parsed, Rule, phrase};
use crate::flow::source::Span;
use crate::flow::tree::{
    Choice, Expr, ExprKind, Fetch, ForEach, Handoff, Name, Path, Prompt, Question, QuestionWord, Split,
    StmtKind, Tail, Text,
};
use crate::flow::words;

pub(super) fn line(code: Code<'_>, rule: Rule) -> Option<Parsed> {
    let span = code.whole();
    let rest = code.text[words::first_word(code.text).len()..].trim_start();
    let text = || Text {
        source: "…".to_owned(),
        span,
    };
    let condition = || Expr {
        kind: ExprKind::YesNo(true),
        span,
    };
    Some(match rule {
        Rule::flow_line => Parsed::Flow {
            name: phrase(words_of(rest), span),
            title: None,
        },
        Rule::step_line => Parsed::Step {
            name: phrase(words_of(rest), span),
            was: None,
        },
        Rule::on_line => Parsed::On {
            triggers: Vec::new(),
            condition: None,
            go: None,
        },
        Rule::question_line => Parsed::Statement(StmtKind::Question(Box::new(question(code, rest, text())))),
        // With an arrow it was meant to be one line.
        Rule::if_line if rest.contains("->") || rest.contains('→') => return None,
        Rule::if_line => Parsed::If {
            condition: condition(),
            go: None,
        },
        Rule::else_line => Parsed::Else {
            condition: words::first_word(rest).eq_ignore_ascii_case("if").then(condition),
        },
        Rule::end_line => Parsed::End,
        Rule::fetch_line => Parsed::Statement(StmtKind::Fetch(Box::new(Fetch {
            name: name(rest, span)?,
            action: Path {
                parts: vec!["unknown".to_owned(), "unknown".to_owned()],
                span,
            },
            args: Vec::new(),
            outcomes: Vec::new(),
        }))),
        Rule::handoff_line => Parsed::Statement(StmtKind::Handoff(Box::new(Handoff {
            team: None,
            note: None,
            priority: None,
            assist: false,
            when_closed: None,
            when_taken: None,
            no_agent: Vec::new(),
            when_returned: None,
        }))),
        Rule::for_line => Parsed::Statement(StmtKind::ForEach(Box::new(ForEach {
            name: name(rest, span)?,
            list: condition(),
            body: Vec::new(),
        }))),
        Rule::split_line => Parsed::Statement(StmtKind::Split(Box::new(Split {
            name: name(rest, span)?,
            ways: Vec::new(),
        }))),
        Rule::answer_line => Parsed::Statement(StmtKind::Answer(Box::default())),
        Rule::option_line => Parsed::Option(Box::new(Choice {
            each: None,
            label: text(),
            hint: None,
            also: Vec::new(),
            value: None,
            condition: None,
            section: None,
            then: Tail::default(),
            span,
        })),
        Rule::business_line => Parsed::Business(text()),
        Rule::team_line => Parsed::Team {
            name: name(rest, span)?,
            title: text(),
        },
        Rule::service_line => Parsed::Service {
            name: name(rest, span)?,
            url: text(),
        },
        Rule::template_line => Parsed::Template {
            name: name(rest, span)?,
            category: Name {
                text: "utility".to_owned(),
                span,
            },
        },
        Rule::action_line => Parsed::Action {
            name: name(rest, span)?,
            needs: Vec::new(),
        },
        Rule::memory_line => Parsed::Memory,
        Rule::defaults_line => Parsed::Defaults,
        _ => return None,
    })
}

fn question(code: Code<'_>, rest: &str, prompt: Text) -> Question {
    let word = match words::first_word(code.text).to_ascii_lowercase().as_str() {
        "ask" => QuestionWord::Ask,
        "gather" => QuestionWord::Gather,
        "buttons" => QuestionWord::Buttons,
        "list" => QuestionWord::List,
        _ => QuestionWord::Menu,
    };
    let span = prompt.span;
    Question::new(word, name(rest, span), None, Prompt::Says(prompt), span)
}

fn name(rest: &str, span: Span) -> Option<Name> {
    let word = words::first_word(rest);
    let begins_well = word.chars().next().is_some_and(|first| !first.is_numeric());
    begins_well.then(|| Name {
        text: word.to_owned(),
        span,
    })
}

/// The words a name of a step is made of, up to the first character that can't be in one.
fn words_of(rest: &str) -> &str {
    let end = rest
        .find(|char| !(words::is_wordchar(char) || matches!(char, ' ' | '-' | '\'' | '’' | '\u{A0}')))
        .unwrap_or(rest.len());
    match rest[..end].trim() {
        "" => "unnamed",
        words => words,
    }
}

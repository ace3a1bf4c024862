//! Headings, statements and the clauses under them.

use super::Rule;
use super::line::Parsed;
use super::reader::Reader;
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::source::Span;
use crate::flow::tree::{
    Arg, ByTemplate, Check, Choice, Do, Due, Each, Expr, ExprKind, Fetch, Finish, ForEach, Handoff, Later,
    Link, Name, NoReply, Otherwise, Outcome, OutcomeKind, Prompt, Question, QuestionWord, Remember, Say,
    SendFile, SendPlace, Share, Split, Starts, StmtKind, Tail, Target, TargetKind, Text, Trigger,
    TriggerKind,
};

/// A longer one would look as if the bot had gone.
const LONGEST_PAUSE: std::time::Duration = std::time::Duration::from_secs(30);

/// Characters of the longest emoji: a family of four with its joiners.
const LONGEST_EMOJI: usize = 12;

impl Reader<'_, '_, '_> {
    /// `if …` at the end of a line.
    pub fn condition(&mut self) -> Option<Expr> {
        self.has(Rule::k_if).then(|| self.expr())
    }

    // ───────── headings ─────────

    pub fn starts(&mut self, span: Span) -> Parsed {
        match self.next().map(|word| word.as_rule()) {
            Some(Rule::k_when) => Parsed::StartsWhenCalled,
            Some(Rule::k_with) => Parsed::StartsWith(self.phrase()),
            _ => Parsed::Starts(Starts {
                triggers: self.triggers(),
                condition: self.condition(),
                span,
            }),
        }
    }

    pub fn step(&mut self) -> Parsed {
        let name = self.phrase();
        let was = self.maybe(Rule::was).map(|pair| {
            let mut inner = self.inside(pair);
            inner.take(Rule::open_round);
            inner.take(Rule::k_was);
            inner.phrase()
        });
        Parsed::Step { name, was }
    }

    pub fn triggers(&mut self) -> Vec<Trigger> {
        let pair = self.take(Rule::triggers);
        let mut inner = self.inside(pair);
        let mut triggers = Vec::new();
        while let Some(pair) = inner.next() {
            if pair.as_rule() == Rule::trigger {
                let span = inner.span(&pair);
                let written = pair.as_str();
                if let Some(kind) = inner.inside(pair).trigger(span, written) {
                    triggers.push(Trigger { kind, span });
                }
            }
        }
        triggers
    }

    fn trigger(&mut self, span: Span, written: &str) -> Option<TriggerKind> {
        Some(match self.peek()? {
            Rule::text => TriggerKind::Words(self.text().source),
            Rule::media => TriggerKind::Media(self.media()),
            Rule::k_containing => {
                self.next();
                TriggerKind::Containing(self.text().source)
            }
            Rule::k_topic => {
                self.next();
                TriggerKind::Topic(self.name().text)
            }
            Rule::k_event => {
                self.next();
                TriggerKind::Event(self.path().parts.join("."))
            }
            Rule::k_link => {
                self.next();
                TriggerKind::Link(self.text().source)
            }
            Rule::k_window => TriggerKind::WindowClosing,
            Rule::k_first => TriggerKind::FirstMessage,
            Rule::k_any => TriggerKind::AnyMessage,
            Rule::k_location => TriggerKind::Location,
            Rule::k_reply => {
                self.next();
                self.take(Rule::k_to);
                TriggerKind::Reply(self.name().text)
            }
            _ => {
                let word = written.split_whitespace().next().unwrap_or(written);
                self.mistake(
                    Diagnostic::new(
                        Code::F004,
                        span,
                        format!("`{word}` is not whole"),
                        "nothing can start here",
                    )
                    .note(
                        "A conversation starts on words in quotes, containing \"…\", topic NAME, event NAME, link \"…\", \
                         window closing, reply to TEMPLATE, first message, any message, photo, voice, location and other \
                         media.",
                    ),
                );
                return None;
            }
        })
    }

    // ───────── statements ─────────

    pub fn say(&mut self) -> Parsed {
        if self.has(Rule::k_one) {
            self.take(Rule::k_of);
        }
        let text = self.text();
        let mut or = Vec::new();
        while self.has(Rule::k_or) {
            or.push(self.text());
        }
        let mut say = Say {
            text,
            or,
            link: None,
            header: None,
            footer: None,
        };
        while let Some(pair) = self.maybe(Rule::extra) {
            let span = self.span(&pair);
            let mut inner = self.inside(pair);
            let word = inner.next().map(|word| word.as_rule());
            let text = inner.text();
            let twice = match word {
                Some(Rule::k_link) => {
                    inner.take(Rule::k_to);
                    let url = inner.text();
                    say.link.replace(Link { label: text, url }).map(|_| "link")
                }
                Some(Rule::k_header) => say.header.replace(text).map(|_| "header"),
                _ => say.footer.replace(text).map(|_| "footer"),
            };
            if let Some(word) = twice {
                self.mistake(
                    Diagnostic::new(
                        Code::F006,
                        span,
                        format!("a message has one {word}"),
                        "this is the second one",
                    )
                    .note("WhatsApp shows only one. Write a second `say` for the other."),
                );
            }
        }
        Parsed::Statement(StmtKind::Say(say))
    }

    pub fn question(&mut self, word: Option<Rule>, block: Span) -> Parsed {
        let word = match word {
            Some(Rule::k_buttons) => QuestionWord::Buttons,
            Some(Rule::k_list) => QuestionWord::List,
            Some(Rule::k_ask) => QuestionWord::Ask,
            Some(Rule::k_gather) => QuestionWord::Gather,
            _ => QuestionWord::Menu,
        };
        let name = self.maybe(Rule::name).map(|pair| self.name_of(&pair));
        let Some(prompt) = self.maybe_text() else {
            let whole = self.take(Rule::by_template);
            let span = self.span(&whole);
            let mut inner = self.inside(whole);
            inner.take(Rule::k_template);
            let prompt = Prompt::Template(ByTemplate {
                template: inner.name(),
                args: inner.maybe_args(),
                span,
            });
            return question_of(word, name, None, prompt, block);
        };
        if matches!(word, QuestionWord::Ask | QuestionWord::Gather) && name.is_none() {
            let before = Span {
                end: prompt.span.start,
                start: prompt.span.start,
                ..prompt.span
            };
            self.mistake(
                Diagnostic::new(
                    Code::F001,
                    prompt.span,
                    "this question has no name for its answer",
                    "a name belongs before the text",
                )
                .note("It keeps what the customer answers:  ask number \"What's your order number?\"")
                .fix("answer \"…\"", before, "answer "),
            );
        }
        question_of(word, name, None, Prompt::Says(prompt), block)
    }

    /// A question whose answer comes from a form.
    pub fn form(&mut self, block: Span) -> Parsed {
        let (name, form) = (self.name(), self.name());
        let prompt = Prompt::Says(self.text());
        question_of(QuestionWord::Ask, Some(name), Some(form), prompt, block)
    }

    pub fn set(&mut self) -> Parsed {
        let path = self.path();
        self.take(Rule::equals);
        let value = self.expr();
        Parsed::Statement(StmtKind::Set { path, value })
    }

    pub fn remember(&mut self) -> Parsed {
        let value = self.path();
        let field = self.has(Rule::k_as).then(|| self.path());
        let keep = self.has(Rule::k_for).then(|| self.wait());
        Parsed::Statement(StmtKind::Remember(Remember { value, field, keep }))
    }

    pub fn forget(&mut self) -> Parsed {
        let mut fields = vec![self.path()];
        while self.has(Rule::comma) {
            fields.push(self.path());
        }
        Parsed::Statement(StmtKind::Forget { fields })
    }

    pub fn fetch(&mut self) -> Parsed {
        let name = self.name();
        self.take(Rule::k_from);
        let action = self.path();
        if action.parts.len() != 2 {
            self.mistake(
                Diagnostic::new(
                    Code::F001,
                    action.span,
                    "this doesn't name an action",
                    "write the service, a dot and the action",
                )
                .note("For example:  fetch order from shop.get_order with number = number"),
            );
        }
        Parsed::Statement(StmtKind::Fetch(Box::new(Fetch {
            name,
            action,
            args: self.maybe_args(),
            outcomes: Vec::new(),
        })))
    }

    pub fn do_flow(&mut self) -> Parsed {
        Parsed::Statement(StmtKind::Do(Box::new(Do {
            flow: self.phrase(),
            args: self.maybe_args(),
            save: self.has(Rule::k_save).then(|| self.name()),
        })))
    }

    pub fn send(&mut self) -> Parsed {
        if self.has(Rule::k_template) {
            return Parsed::Statement(StmtKind::SendTemplate {
                template: self.name(),
                args: self.maybe_args(),
            });
        }
        if self.has(Rule::k_location) {
            let lat = self.number();
            self.take(Rule::comma);
            let lng = self.number();
            return Parsed::Statement(StmtKind::SendPlace(Box::new(SendPlace {
                lat,
                lng,
                name: self.has(Rule::k_named).then(|| self.text()),
                address: self.has(Rule::k_at).then(|| self.text()),
            })));
        }
        let kind = self.media();
        let source = if self.peek() == Some(Rule::text) {
            let text = self.text();
            Expr {
                span: text.span,
                kind: ExprKind::Text(text),
            }
        } else {
            let path = self.path();
            Expr {
                span: path.span,
                kind: ExprKind::Path(path),
            }
        };
        Parsed::Statement(StmtKind::SendFile(Box::new(SendFile {
            kind,
            source,
            caption: self.has(Rule::k_caption).then(|| self.text()),
            named: self.has(Rule::k_named).then(|| self.text()),
        })))
    }

    pub fn for_each(&mut self) -> Parsed {
        self.take(Rule::k_each);
        let name = self.name();
        self.take(Rule::k_in);
        Parsed::Statement(StmtKind::ForEach(Box::new(ForEach {
            name,
            list: self.expr(),
            body: Vec::new(),
        })))
    }

    pub fn plan(&mut self) -> Parsed {
        let name = self.name();
        let pair = self.take(Rule::due);
        let mut inner = self.inside(pair);
        let due = if inner.has(Rule::k_in) {
            Due::In(inner.wait())
        } else if inner.has(Rule::k_at) {
            Due::At(inner.expr())
        } else {
            let by = inner.wait();
            if inner.has(Rule::k_before) {
                Due::Before(by, inner.expr())
            } else {
                inner.take(Rule::k_after);
                Due::After(by, inner.expr())
            }
        };
        let to = self.go();
        if !matches!(to.kind, TargetKind::Step(_) | TargetKind::Flow(..)) {
            self.mistake(
                Diagnostic::new(
                    Code::F101,
                    to.span,
                    "a plan can't lead there",
                    "this is no step and no flow",
                )
                .note("By then the chat stands somewhere else. Lead to a step, or to a flow:  -> remind"),
            );
        }
        Parsed::Statement(StmtKind::Later(Box::new(Later { name, due, to })))
    }

    pub fn split(&mut self) -> Parsed {
        Parsed::Statement(StmtKind::Split(Box::new(Split {
            name: self.name(),
            ways: Vec::new(),
        })))
    }

    pub fn share(&mut self, span: Span) -> Parsed {
        let pair = self.take(Rule::percent);
        let at = self.span(&pair);
        let percent = pair.as_str().trim_end_matches('%').parse().unwrap_or(0);
        if !(1..=100).contains(&percent) {
            self.mistake(Diagnostic::new(
                Code::F008,
                at,
                "this is no share",
                "write a number from 1 to 100",
            ));
        }
        let tail = Tail {
            say: None,
            go: self.maybe_go(),
            body: Vec::new(),
        };
        Parsed::Share(Share {
            percent: percent.clamp(1, 100),
            tail,
            span,
        })
    }

    /// One emoji: some are put together of several characters.
    pub fn reaction(&mut self) -> Text {
        let text = self.text();
        let source = &text.source;
        let plain = |char: char| char.is_alphanumeric() || char.is_whitespace() || char == '{';
        if source.is_empty() || source.chars().count() > LONGEST_EMOJI || source.chars().any(plain) {
            let span = text.span;
            self.mistake(
                Diagnostic::new(
                    Code::F008,
                    span,
                    "this is no reaction",
                    "a reaction is one emoji, such as \"👍\"",
                )
                .note(
                    "WhatsApp shows it at the customer's message. What is to be read is written with `say`.",
                ),
            );
        }
        text
    }

    /// A pause between two messages.
    pub fn pause(&mut self) -> std::time::Duration {
        let whole = self.notes.code.whole();
        let pause = self.wait();
        if pause > LONGEST_PAUSE {
            self.mistake(
                Diagnostic::new(
                    Code::F008,
                    whole,
                    "this is a long pause",
                    "a pause between two messages lasts at most 30 seconds",
                )
                .note(
                    "To write to the customer at another time, plan it:  later NAME in 2 hours -> some step",
                ),
            );
        }
        pause.min(LONGEST_PAUSE)
    }

    pub fn handoff(&mut self) -> Parsed {
        Parsed::Statement(StmtKind::Handoff(Box::new(Handoff {
            team: self.has(Rule::k_to).then(|| self.name()),
            note: None,
            priority: None,
            assist: false,
            when_closed: None,
            when_taken: None,
            no_agent: Vec::new(),
            when_returned: None,
        })))
    }

    pub fn maybe_args(&mut self) -> Vec<Arg> {
        let Some(pair) = self.maybe(Rule::args) else {
            return Vec::new();
        };
        let mut inner = self.inside(pair);
        inner.take(Rule::k_with);
        let mut args = Vec::new();
        while let Some(pair) = inner.next() {
            if pair.as_rule() == Rule::arg {
                let mut arg = inner.inside(pair);
                let name = arg.name();
                arg.take(Rule::equals);
                args.push(Arg {
                    name,
                    value: arg.expr(),
                });
            }
        }
        args
    }

    // ───────── arrows and tails ─────────

    pub fn maybe_go(&mut self) -> Option<Target> {
        (self.peek() == Some(Rule::go)).then(|| self.go())
    }

    pub fn go(&mut self) -> Target {
        let pair = self.take(Rule::go);
        let mut inner = self.inside(pair);
        inner.take(Rule::arrow);
        let target = inner.take(Rule::target);
        let span = inner.span(&target);
        let mut inner = inner.inside(target);
        let kind = match inner.peek() {
            Some(Rule::phrase) | None => TargetKind::Step(inner.phrase()),
            Some(word) => {
                inner.next();
                match word {
                    Rule::k_again => TargetKind::Again,
                    Rule::k_back => TargetKind::Back,
                    Rule::k_start => TargetKind::Start,
                    Rule::k_close => TargetKind::Close,
                    Rule::k_resume => TargetKind::Resume,
                    Rule::k_done => TargetKind::Done(inner.maybe_args()),
                    Rule::k_handoff => TargetKind::Handoff(inner.has(Rule::k_to).then(|| inner.name())),
                    Rule::k_flow => TargetKind::Flow(inner.phrase(), inner.maybe_args()),
                    other => unreachable!("flow.pest has no arrow to {other:?}"),
                }
            }
        };
        Target { kind, span }
    }

    pub fn tail(&mut self) -> Tail {
        Tail {
            say: self.maybe_text(),
            go: self.maybe_go(),
            body: Vec::new(),
        }
    }

    // ───────── lines under a statement ─────────

    pub fn each(&mut self, span: Span) -> Parsed {
        let name = self.name();
        self.take(Rule::k_in);
        let list = self.expr();
        self.take(Rule::k_as);
        let mut parsed = self.option(span);
        if let Parsed::Option(choice) = &mut parsed {
            choice.each = Some(Box::new(Each { name, list }));
        }
        parsed
    }

    pub fn finish(&mut self, span: Span) -> Parsed {
        let on = self.has(Rule::k_on).then(|| self.text());
        self.has(Rule::k_or);
        let quiet = self.maybe(Rule::silent).map(|pair| {
            let mut inner = self.inside(pair);
            inner.take(Rule::k_after);
            inner.wait()
        });
        Parsed::Finish(Finish { on, quiet, span })
    }

    pub fn option(&mut self, span: Span) -> Parsed {
        let mut choice = Choice {
            each: None,
            label: self.text(),
            hint: None,
            also: Vec::new(),
            value: None,
            condition: None,
            section: None,
            then: Tail::default(),
            span,
        };
        while let Some(pair) = self.maybe(Rule::option_part) {
            let span = self.span(&pair);
            let mut inner = self.inside(pair);
            let twice = match inner.next().map(|word| word.as_rule()) {
                Some(Rule::k_hint) => choice.hint.replace(inner.text()).map(|_| "hint"),
                Some(Rule::k_also) => {
                    choice.also.extend(inner.texts());
                    None
                }
                Some(Rule::equals) => choice.value.replace(inner.expr()).map(|_| "value"),
                _ => choice.condition.replace(inner.expr()).map(|_| "condition"),
            };
            if let Some(word) = twice {
                self.mistake(Diagnostic::new(
                    Code::F006,
                    span,
                    format!("an option has one {word}"),
                    "this is the second one",
                ));
            }
        }
        choice.then.go = self.maybe_go();
        Parsed::Option(Box::new(choice))
    }

    pub fn check(&mut self, span: Span) -> Parsed {
        let condition = self.expr();
        self.take(Rule::k_else);
        Parsed::Check(Check {
            condition,
            otherwise: self.text(),
            span,
        })
    }

    pub fn otherwise(&mut self, span: Span) -> Parsed {
        let mut tail = self.tail();
        let mut up_to = None;
        if let Some(pair) = self.maybe(Rule::tries) {
            let mut inner = self.inside(pair);
            inner.take(Rule::k_up);
            inner.take(Rule::k_to);
            up_to = Some(inner.integer(1, 20));
            while let Some(rule) = inner.peek() {
                if rule == Rule::go {
                    tail.go = Some(inner.go());
                } else {
                    inner.next();
                }
            }
        }
        Parsed::Otherwise(Otherwise { tail, up_to, span })
    }

    pub fn no_reply(&mut self, span: Span) -> Parsed {
        self.take(Rule::k_reply);
        self.take(Rule::k_in);
        Parsed::NoReply(NoReply {
            after: self.wait(),
            tail: self.tail(),
            span,
        })
    }

    pub fn outcome(&mut self, rule: Rule, span: Span) -> Parsed {
        let kind = match rule {
            Rule::not_found_line => {
                self.take(Rule::k_found);
                OutcomeKind::NotFound
            }
            Rule::refused_line => OutcomeKind::Refused,
            Rule::status_line => OutcomeKind::Status(self.integer(100, 599) as u16),
            _ => OutcomeKind::Problem,
        };
        Parsed::Outcome(Outcome {
            kind,
            tail: self.tail(),
            span,
        })
    }
}

/// A question without the lines underneath.
fn question_of(
    word: QuestionWord,
    name: Option<Name>,
    form: Option<Name>,
    prompt: Prompt,
    block: Span,
) -> Parsed {
    let question = Question::new(word, name, form, prompt, block);
    Parsed::Statement(StmtKind::Question(Box::new(question)))
}

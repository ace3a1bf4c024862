//! `answer` and the lines under it.

use super::Rule;
use super::line::Parsed;
use super::reader::Reader;
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::source::Span;
use crate::flow::tree::{Answer, AnswerExit, AnswerExitKind, StmtKind, Tail, Text, UpTo};

impl Reader<'_, '_, '_> {
    pub fn answer(&mut self) -> Parsed {
        self.take(Rule::k_from);
        Parsed::Statement(StmtKind::Answer(Box::new(Answer {
            from: self.names(),
            ..Answer::default()
        })))
    }

    pub fn answer_line(&mut self, rule: Rule, span: Span) -> Parsed {
        match rule {
            Rule::about_line => Parsed::About(self.names()),
            Rule::never_line => {
                let texts = self.texts();
                texts.iter().for_each(|text| self.without_blanks(text));
                Parsed::Never(texts)
            }
            Rule::style_line => {
                let text = self.text();
                self.without_blanks(&text);
                Parsed::Style(text)
            }
            Rule::length_line => {
                self.take(Rule::k_most);
                Parsed::Length(self.integer(20, 4096))
            }
            Rule::replies_line => {
                self.take(Rule::k_to);
                let replies = self.integer(1, 50);
                while self.peek().is_some_and(|rule| rule != Rule::go) {
                    self.next();
                }
                Parsed::Replies(UpTo {
                    replies,
                    then: self.go(),
                })
            }
            Rule::may_line => {
                let remember = self.has(Rule::k_remember);
                if !remember {
                    self.take(Rule::k_use);
                }
                let mut paths = vec![self.path()];
                while self.has(Rule::comma) {
                    paths.push(self.path());
                }
                if remember {
                    Parsed::MayRemember(paths)
                } else {
                    Parsed::MayUse(paths)
                }
            }
            Rule::topic_exit_line => {
                let kind = AnswerExitKind::Topic(self.name());
                let tail = Tail {
                    go: Some(self.go()),
                    ..Tail::default()
                };
                exit(kind, tail, None, span)
            }
            Rule::not_sure_line => {
                self.take(Rule::k_sure);
                exit(AnswerExitKind::NotSure, self.tail(), None, span)
            }
            Rule::off_topic_line => {
                self.take(Rule::k_topic);
                // Counted as `otherwise` is.
                let Parsed::Otherwise(line) = self.otherwise(span) else {
                    unreachable!("`otherwise` reads an `otherwise`")
                };
                exit(AnswerExitKind::OffTopic, line.tail, line.up_to, span)
            }
            Rule::finished_line => exit(AnswerExitKind::Finished, self.tail(), None, span),
            other => unreachable!("{other:?} is no line of `answer`"),
        }
    }

    /// What the model is told to do is the author's alone: nothing that a customer wrote gets in.
    fn without_blanks(&mut self, text: &Text) {
        if text.source.contains("{{") || text.source.contains("{%") {
            self.mistake(
                Diagnostic::new(
                    Code::F008,
                    text.span,
                    "a rule for the model holds no blanks",
                    "values can't be filled in here",
                )
                .note(
                    "A blank could carry words of a customer into the rules. Say what holds for everybody.",
                ),
            );
        }
    }
}

fn exit(kind: AnswerExitKind, tail: Tail, up_to: Option<u32>, span: Span) -> Parsed {
    Parsed::AnswerExit(AnswerExit {
        kind,
        tail,
        up_to,
        span,
    })
}

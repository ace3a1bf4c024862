//! The lines under `answer`.

use super::clause::Once;
use super::cursor::Cursor;
use crate::flow::parse::Parsed;
use crate::flow::tree::{Answer, AnswerExit, AnswerExitKind};

impl Cursor<'_> {
    pub fn answer_lines(&mut self, answer: &mut Answer) {
        let mut once = Once::default();
        while let Some((next, rule)) = self.next_clause() {
            let parsed = self.read(next, rule);
            self.pass(next, rule);
            match parsed {
                Some(Parsed::About(mut topics)) => answer.about.append(&mut topics),
                Some(Parsed::Never(mut texts)) => answer.never.append(&mut texts),
                Some(Parsed::Style(text)) => self.set_once(&mut once, "style", next, &mut answer.style, text),
                Some(Parsed::Length(most)) => {
                    self.set_once(&mut once, "at most", next, &mut answer.at_most, most)
                }
                Some(Parsed::Replies(up_to)) => {
                    self.set_once(&mut once, "up to", next, &mut answer.up_to, up_to)
                }
                Some(Parsed::MayRemember(mut fields)) => answer.remembers.append(&mut fields),
                Some(Parsed::MayUse(mut actions)) => answer.uses.append(&mut actions),
                Some(Parsed::AnswerExit(mut exit)) => {
                    let first = self.first(&mut once, &name_of(&exit.kind), next);
                    self.lines_under(&mut exit.tail);
                    if first {
                        answer.exits.push(exit);
                    }
                }
                Some(Parsed::Outcome(mut outcome)) => {
                    let first = self.first(&mut once, "problem", next);
                    self.lines_under(&mut outcome.tail);
                    if first {
                        answer.exits.push(AnswerExit {
                            kind: AnswerExitKind::Problem,
                            tail: outcome.tail,
                            up_to: None,
                            span: outcome.span,
                        });
                    }
                }
                Some(Parsed::NoReply(mut no_reply)) => {
                    self.lines_under(&mut no_reply.tail);
                    answer.no_reply.push(no_reply);
                }
                _ => self.lines_under_a_broken_line(next, rule),
            }
        }
    }
}

fn name_of(kind: &AnswerExitKind) -> String {
    match kind {
        AnswerExitKind::Topic(name) => format!("topic {}", name.text),
        AnswerExitKind::NotSure => "not sure".to_owned(),
        AnswerExitKind::OffTopic => "off topic".to_owned(),
        AnswerExitKind::Finished => "finished".to_owned(),
        AnswerExitKind::Problem => "problem".to_owned(),
    }
}

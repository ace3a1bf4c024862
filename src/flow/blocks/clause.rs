//! The lines under a question, `fetch` and `handoff`.

use super::cursor::{Ahead, Cursor, Next};
use super::mistake;
use crate::flow::parse::{Parsed, Rule};
use crate::flow::source::Span;
use crate::flow::tree::{Fetch, Handoff, Question, QuestionWord, Split, Stmt, Tail, Text};
use crate::flow::words::{self, Place, Role};

/// The line that a clause was first written on; a second one is a mistake.
#[derive(Debug, Clone, Default)]
pub(super) struct Once {
    seen: Vec<(String, Span)>,
}

impl<'a> Cursor<'a> {
    /// The next line of the open block, or `None` where the block ends. Lines that can't stand here are told.
    pub fn next_clause(&mut self) -> Option<(Next<'a>, Rule)> {
        loop {
            let Ahead::Line(next) = self.ahead() else {
                return None;
            };
            let open = self.open.last()?;
            let (place, opener) = (open.place, open.line);
            let Some(rule) = next.rule else {
                self.unknown(next);
                continue;
            };
            if words::accepts(place, rule) {
                self.astray = false;
                return Some((next, rule));
            }
            match words::role(rule) {
                Role::End => return None,
                Role::Else if self.in_if() => return None,
                Role::Clause if self.wanted_outside(rule) => return None,
                // Level with the opening line: the `end` before it is missing.
                Role::Statement if self.indent(next.line) <= self.indent(opener) => return None,
                Role::Statement => {
                    let above = self.laid.last().map(|(line, _)| *line);
                    match above.filter(|line| *line != opener && self.indent(next.line) > self.indent(*line))
                    {
                        Some(clause) if !std::mem::replace(&mut self.astray, true) => {
                            let mistake = mistake::after_tail(self, next, clause);
                            self.mistakes.push(mistake);
                            self.skip(next);
                        }
                        _ => self.misplaced(next, rule),
                    }
                    // What it opens goes with it.
                    if matches!(
                        rule,
                        Rule::if_line | Rule::question_line | Rule::for_line | Rule::split_line
                    ) {
                        self.skip_indented_block(next.line);
                    }
                }
                Role::Else | Role::Clause | Role::Heading => self.misplaced(next, rule),
            }
        }
    }

    pub fn question_lines(&mut self, question: &mut Question) {
        let mut once = Once::default();
        let mut section: Option<Text> = None;
        while let Some((next, rule)) = self.next_clause() {
            let parsed = self.read(next, rule);
            self.pass(next, rule);
            match parsed {
                Some(Parsed::Option(mut choice)) => {
                    choice.section = section.clone();
                    self.lines_under(&mut choice.then);
                    question.options.push(*choice);
                }
                Some(Parsed::Section(text)) => section = Some(text),
                Some(Parsed::None(tail)) => {
                    self.set_tail_once(&mut once, "none", next, &mut question.none, tail)
                }
                Some(Parsed::More(text)) => self.set_once(&mut once, "more", next, &mut question.more, text),
                Some(Parsed::Finish(finish)) => {
                    self.set_once(&mut once, "finish", next, &mut question.finish, finish)
                }
                Some(Parsed::As(accept)) => {
                    self.set_once(&mut once, "as", next, &mut question.accept, accept)
                }
                Some(Parsed::Check(check)) => question.checks.push(check),
                Some(Parsed::Otherwise(mut otherwise)) => {
                    let first = self.first(&mut once, "otherwise", next);
                    self.lines_under(&mut otherwise.tail);
                    if first {
                        question.otherwise = Some(otherwise);
                    }
                }
                Some(Parsed::NoReply(mut no_reply)) => {
                    self.lines_under(&mut no_reply.tail);
                    question.no_reply.push(no_reply);
                }
                Some(Parsed::Again(text)) => {
                    self.set_once(&mut once, "again", next, &mut question.again, text)
                }
                Some(Parsed::Private) => {
                    if self.first(&mut once, "private", next) {
                        question.private = true;
                    }
                }
                Some(Parsed::Header(text)) => {
                    self.set_once(&mut once, "header", next, &mut question.header, text)
                }
                Some(Parsed::Footer(text)) => {
                    self.set_once(&mut once, "footer", next, &mut question.footer, text)
                }
                Some(Parsed::Open(text)) => self.set_once(&mut once, "open", next, &mut question.open, text),
                _ => self.lines_under_a_broken_line(next, rule),
            }
        }
    }

    /// Some lines mean something only under some questions.
    pub fn only_where_it_helps(&mut self, question: &Question) {
        let gathers = question.word == QuestionWord::Gather;
        let rows = question
            .options
            .iter()
            .find_map(|option| option.each.as_ref().map(|_| option.span));
        let listed = matches!(question.word, QuestionWord::Menu | QuestionWord::List);
        let up_to = question.accept.as_ref().and_then(|accept| accept.up_to);
        let none = question.none.as_ref().map(|tail| {
            let body = tail.body.first().map(|stmt| stmt.span);
            let go = tail.go.as_ref().map(|target| target.span);
            let say = tail.say.as_ref().map(|text| text.span);
            say.or(go).or(body).unwrap_or(question.block)
        });
        let wrong = [
            (
                question
                    .finish
                    .as_ref()
                    .map(|finish| finish.span)
                    .filter(|_| !gathers),
                mistake::ONLY_GATHER,
            ),
            (
                up_to.map(|(_, span)| span).filter(|_| !gathers),
                mistake::ONLY_GATHER,
            ),
            (rows.filter(|_| !listed), mistake::ONLY_LIST),
            (
                question
                    .more
                    .as_ref()
                    .map(|text| text.span)
                    .filter(|_| rows.is_none()),
                mistake::ONLY_ROWS,
            ),
            (none.filter(|_| rows.is_none()), mistake::ONLY_ROWS),
        ];
        if question.form.is_some() {
            let option = question.options.first().map(|option| option.span);
            let accept = question.accept.as_ref().map(|accept| accept.span);
            for span in [option, accept].into_iter().flatten() {
                self.mistakes.push(mistake::no_use(span, mistake::NOT_IN_A_FORM));
            }
        }
        for (span, why) in wrong {
            self.mistakes.extend(span.map(|span| mistake::no_use(span, why)));
        }
    }

    pub fn fetch_lines(&mut self, fetch: &mut Fetch) {
        let mut once = Once::default();
        while let Some((next, rule)) = self.next_clause() {
            let parsed = self.read(next, rule);
            self.pass(next, rule);
            let Some(Parsed::Outcome(mut outcome)) = parsed else {
                self.lines_under_a_broken_line(next, rule);
                continue;
            };
            let first = self.first(&mut once, &format!("{:?}", outcome.kind), next);
            self.lines_under(&mut outcome.tail);
            if first {
                fetch.outcomes.push(outcome);
            }
        }
    }

    /// The one line under `transcribe`.
    pub fn problem_line(&mut self, tail: &mut Tail) {
        let mut once = Once::default();
        while let Some((next, rule)) = self.next_clause() {
            let parsed = self.read(next, rule);
            self.pass(next, rule);
            let Some(Parsed::Outcome(mut outcome)) = parsed else {
                self.lines_under_a_broken_line(next, rule);
                continue;
            };
            let first = self.first(&mut once, "problem", next);
            self.lines_under(&mut outcome.tail);
            if first {
                *tail = outcome.tail;
            }
        }
    }

    pub fn handoff_lines(&mut self, handoff: &mut Handoff) {
        let mut once = Once::default();
        while let Some((next, rule)) = self.next_clause() {
            let parsed = self.read(next, rule);
            self.pass(next, rule);
            match parsed {
                Some(Parsed::Note(text)) => self.set_once(&mut once, "note", next, &mut handoff.note, text),
                Some(Parsed::Priority(priority)) => {
                    self.set_once(&mut once, "priority", next, &mut handoff.priority, priority)
                }
                Some(Parsed::WhenClosed(tail)) => {
                    self.set_tail_once(&mut once, "when closed", next, &mut handoff.when_closed, tail)
                }
                Some(Parsed::Assist) => {
                    handoff.assist |= self.first(&mut once, "assist", next);
                }
                Some(Parsed::WhenTaken(text)) => {
                    self.set_once(&mut once, "when taken", next, &mut handoff.when_taken, text)
                }
                Some(Parsed::NoAgent(mut line)) => {
                    self.lines_under(&mut line.tail);
                    handoff.no_agent.push(line);
                }
                Some(Parsed::WhenReturned(tail)) => {
                    self.set_tail_once(&mut once, "when returned", next, &mut handoff.when_returned, tail)
                }
                _ => self.lines_under_a_broken_line(next, rule),
            }
        }
    }

    pub fn split_lines(&mut self, split: &mut Split) {
        while let Some((next, rule)) = self.next_clause() {
            let parsed = self.read(next, rule);
            self.pass(next, rule);
            match parsed {
                Some(Parsed::Share(mut share)) => {
                    self.lines_under(&mut share.tail);
                    split.ways.push(share);
                }
                _ => self.lines_under_a_broken_line(next, rule),
            }
        }
    }

    /// Whether this clause is the first of its kind in the block; says so if not.
    pub fn first(&mut self, once: &mut Once, clause: &str, next: Next<'a>) -> bool {
        let span = self.word(next.line);
        match once.seen.iter().find(|(seen, _)| seen == clause) {
            Some((_, first)) => {
                self.mistakes
                    .push(mistake::twice(span, *first, self.source, self.place()));
                false
            }
            None => {
                once.seen.push((clause.to_owned(), span));
                true
            }
        }
    }

    /// Takes the value of a clause that stands once.
    pub fn set_once<T>(
        &mut self,
        once: &mut Once,
        clause: &str,
        next: Next<'a>,
        place: &mut Option<T>,
        value: T,
    ) {
        if self.first(once, clause, next) {
            *place = Some(value);
        }
    }

    /// The same of a clause that may have lines under it.
    fn set_tail_once(
        &mut self,
        once: &mut Once,
        clause: &str,
        next: Next<'a>,
        place: &mut Option<Tail>,
        mut tail: Tail,
    ) {
        let first = self.first(once, clause, next);
        self.lines_under(&mut tail);
        if first {
            *place = Some(tail);
        }
    }

    /// The statements under a clause line that has neither sentence nor arrow.
    pub fn lines_under(&mut self, tail: &mut Tail) {
        if tail.say.is_none() && tail.go.is_none() {
            tail.body = self.clause_body();
        }
    }

    fn clause_body(&mut self) -> Vec<Stmt> {
        let Some(open) = self.open.last() else {
            return Vec::new();
        };
        let (line, called) = (open.line, open.called);
        // One level further in than the clause lines of the block.
        self.push(Place::ClauseBody, line, called);
        let body = self.body(false);
        self.open.pop();
        body
    }

    /// Lines under a clause that could not be read are still lines of it, if they stand further in.
    pub fn lines_under_a_broken_line(&mut self, next: Next<'a>, rule: Rule) {
        let takes_lines = matches!(
            rule,
            Rule::option_line
                | Rule::otherwise_line
                | Rule::no_reply_line
                | Rule::not_found_line
                | Rule::refused_line
                | Rule::status_line
                | Rule::problem_line
                | Rule::when_closed_line
                | Rule::no_agent_line
                | Rule::when_returned_line
                | Rule::share_line
                | Rule::each_line
                | Rule::none_line
                | Rule::not_sure_line
                | Rule::off_topic_line
                | Rule::finished_line
        );
        let deeper = self
            .after(next.line)
            .is_some_and(|after| self.indent(after.line) > self.indent(next.line));
        if takes_lines && deeper {
            self.clause_body();
        }
    }
}

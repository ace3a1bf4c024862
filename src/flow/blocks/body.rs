//! Statements: the lines of a step, of a branch, or under a clause line.

use super::cursor::{Ahead, Cursor, DEEPEST, Next};
use super::mistake;
use crate::flow::parse::{self, Parsed, Rule};
use crate::flow::tree::{
    Branch, Expr, ExprKind, Fetch, Handoff, If, Path, Question, QuestionWord, Say, Stmt, StmtKind, Tail, Test,
};
use crate::flow::words::{self, Place, Role};

impl<'a> Cursor<'a> {
    /// Reads statements until a line that belongs to a block around.
    pub fn body(&mut self, waits: bool) -> Vec<Stmt> {
        let mut body = Vec::new();
        while let Ahead::Line(next) = self.ahead() {
            match (next.role(), next.rule) {
                (Some(Role::Statement), Some(rule)) => {
                    self.astray = false;
                    self.statement(next, rule, waits, &mut body);
                }
                (Some(Role::End), Some(rule)) => {
                    if !self.open.is_empty() {
                        break;
                    }
                    self.stray_end(next, rule);
                }
                (Some(Role::Else), Some(rule)) => {
                    if self.in_if() {
                        break;
                    }
                    self.misplaced(next, rule);
                }
                (Some(Role::Clause), Some(rule)) => {
                    if self.wanted_outside(rule) {
                        break;
                    }
                    self.misplaced(next, rule);
                }
                // Headings begin the next section; one in here is a line of another kind of file.
                (Some(Role::Heading), Some(rule)) => self.misplaced(next, rule),
                _ => self.unknown(next),
            }
        }
        body
    }

    fn statement(&mut self, next: Next<'a>, rule: Rule, waits: bool, body: &mut Vec<Stmt>) {
        if !waits
            && matches!(
                rule,
                Rule::question_line
                    | Rule::form_line
                    | Rule::fetch_line
                    | Rule::do_line
                    | Rule::handoff_line
                    | Rule::answer_line
            )
        {
            let mistake = mistake::waits_under_a_clause(self, next);
            self.mistakes.push(mistake);
        }
        let span = self.span(next.line);
        let parsed = self.read(next, rule);
        if self.depth() >= DEEPEST
            && matches!(
                rule,
                Rule::question_line
                    | Rule::form_line
                    | Rule::if_line
                    | Rule::fetch_line
                    | Rule::for_line
                    | Rule::split_line
                    | Rule::transcribe_line
                    | Rule::answer_line
            )
        {
            self.mistakes.push(mistake::too_deep(next.code));
            self.skip(next);
            return;
        }
        self.pass(next, rule);
        let kind = match parsed {
            Some(Parsed::Statement(StmtKind::Question(question))) => {
                StmtKind::Question(Box::new(self.question(next, *question, waits)))
            }
            Some(Parsed::Statement(StmtKind::Fetch(fetch))) => {
                StmtKind::Fetch(Box::new(self.fetch(next, *fetch, waits)))
            }
            Some(Parsed::Statement(StmtKind::Handoff(handoff))) => {
                StmtKind::Handoff(Box::new(self.handoff(next, *handoff, waits)))
            }
            Some(Parsed::Statement(StmtKind::Answer(mut answer))) => {
                if self.has_lines(next, Place::Answer, waits) {
                    self.push(Place::Answer, next.line, "`answer`");
                    self.answer_lines(&mut answer);
                    self.close();
                }
                StmtKind::Answer(answer)
            }
            Some(Parsed::Statement(StmtKind::ForEach(mut each))) => {
                self.push(Place::ClauseBody, next.line, "`for each`");
                each.body = self.body(false);
                self.close();
                StmtKind::ForEach(each)
            }
            Some(Parsed::Statement(StmtKind::Split(mut split))) => {
                self.push(Place::Split, next.line, "`split`");
                self.split_lines(&mut split);
                self.close();
                let shares: u32 = split.ways.iter().map(|way| way.percent).sum();
                if shares != 100 {
                    self.mistakes.push(mistake::not_a_hundred(span, shares));
                }
                StmtKind::Split(split)
            }
            Some(Parsed::Statement(kind)) => kind,
            Some(Parsed::If {
                condition,
                go: Some(target),
            }) => {
                let go = Stmt {
                    span: target.span,
                    kind: StmtKind::Go(target),
                };
                StmtKind::If(If {
                    branches: vec![Branch {
                        condition,
                        body: vec![go],
                        span,
                    }],
                    otherwise: None,
                    one_line: true,
                })
            }
            Some(Parsed::Transcribe { path }) => StmtKind::If(self.transcribe(next, path, waits)),
            Some(Parsed::If { condition, go: None }) => StmtKind::If(self.if_block(next, condition, waits)),
            _ => return,
        };
        body.push(Stmt { kind, span });
    }

    fn if_block(&mut self, next: Next<'a>, condition: Expr, waits: bool) -> If {
        self.push(
            if waits { Place::Body } else { Place::ClauseBody },
            next.line,
            "`if`",
        );
        let first = Branch {
            condition,
            body: self.body(waits),
            span: self.span(next.line),
        };
        let mut branches = vec![first];
        let mut otherwise = None;
        while let Ahead::Line(line) = self.ahead() {
            if line.rule != Some(Rule::else_line) {
                break;
            }
            // An `else` further out belongs to an outer `if`, if that is where it stands.
            let parsed = self.read(line, Rule::else_line);
            self.pass_at(line, Rule::else_line, self.depth() - 1);
            let span = self.span(line.line);
            match parsed {
                Some(Parsed::Else {
                    condition: Some(condition),
                }) => {
                    if otherwise.is_some() {
                        self.mistakes.push(mistake::after_else(self.word(line.line)));
                    }
                    branches.push(Branch {
                        condition,
                        body: self.body(waits),
                        span,
                    });
                }
                _ => {
                    if otherwise.is_some() {
                        self.mistakes.push(mistake::after_else(self.word(line.line)));
                    }
                    let body = self.body(waits);
                    otherwise.get_or_insert(body);
                }
            }
        }
        self.close();
        If {
            branches,
            otherwise,
            one_line: false,
        }
    }

    fn question(&mut self, next: Next<'a>, mut question: Question, waits: bool) -> Question {
        let start = self.span(next.line);
        let opens = question.word != QuestionWord::Ask || self.has_lines(next, Place::Question, waits);
        if opens {
            let called = if matches!(question.word, QuestionWord::Ask | QuestionWord::Gather) {
                "question"
            } else {
                "menu"
            };
            self.push(Place::Question, next.line, called);
            self.question_lines(&mut question);
            self.only_where_it_helps(&question);
            self.close();
        }
        let last = self.laid.last().map_or(next.line, |(line, _)| *line);
        question.block = start.to(self.span(last));
        question
    }

    fn fetch(&mut self, next: Next<'a>, mut fetch: Fetch, waits: bool) -> Fetch {
        if self.has_lines(next, Place::Fetch, waits) {
            self.push(Place::Fetch, next.line, "`fetch`");
            self.fetch_lines(&mut fetch);
            self.close();
        }
        fetch
    }

    /// Voice notes are listened to when they come. What is left to say is what happens if one has no words: a branch.
    fn transcribe(&mut self, next: Next<'a>, path: Path, waits: bool) -> If {
        let span = self.span(next.line);
        let mut tail = Tail::default();
        if self.has_lines(next, Place::Transcribe, waits) {
            self.push(Place::Transcribe, next.line, "`transcribe`");
            self.problem_line(&mut tail);
            self.close();
        }
        let said = tail.say.map(|text| Stmt {
            span: text.span,
            kind: StmtKind::Say(Say::of(text)),
        });
        let go = tail.go.map(|target| Stmt {
            span: target.span,
            kind: StmtKind::Go(target),
        });
        let subject = Expr {
            span: path.span,
            kind: ExprKind::Path(path),
        };
        let condition = Expr {
            span: subject.span,
            kind: ExprKind::Test {
                subject: Box::new(subject),
                test: Test::Unheard,
                negated: false,
            },
        };
        If {
            branches: vec![Branch {
                condition,
                body: said.into_iter().chain(tail.body).chain(go).collect(),
                span,
            }],
            otherwise: None,
            one_line: false,
        }
    }

    fn handoff(&mut self, next: Next<'a>, mut handoff: Handoff, waits: bool) -> Handoff {
        if self.has_lines(next, Place::Handoff, waits) {
            self.push(Place::Handoff, next.line, "`handoff`");
            self.handoff_lines(&mut handoff);
            self.close();
        }
        handoff
    }

    /// Whether lines follow that belong to an `ask`, `fetch` or `handoff`, which may also stand alone. Where nothing
    /// may wait, and where the next line can't be read, only the layout can tell.
    fn has_lines(&self, opener: Next<'a>, place: Place, waits: bool) -> bool {
        let Some(next) = self.after(opener.line) else {
            return false;
        };
        let deeper = self.indent(next.line) > self.indent(opener.line);
        match next.rule {
            Some(rule) if words::accepts(place, rule) => waits || deeper,
            Some(_) => false,
            None => deeper,
        }
    }

    /// A line that no rule reads: says so.
    pub fn unknown(&mut self, next: Next<'a>) {
        let mistake = match &self.lines[next.line].fault {
            Some(fault) => mistake::fault(next.code, fault),
            None => parse::unknown_word(next.code, &self.candidates()),
        };
        self.mistakes.push(mistake);
        self.skip(next);
        self.skip_indented_block(next.line);
    }

    /// Steps over lines further in than `line`, if they are closed by an `end` level with it.
    pub fn skip_indented_block(&mut self, line: usize) {
        let mut lines = (line + 1..self.stop).filter(|next| self.lines[*next].has_code());
        let first_out = lines.find(|next| self.indent(*next) <= self.indent(line));
        if let Some(end) = first_out
            && end > line + 1
            && self.indent(end) == self.indent(line)
            && words::rule_of(self.code(end).text, Place::Body) == Some(Rule::end_line)
        {
            self.at = end + 1;
        }
    }
}

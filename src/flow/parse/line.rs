//! What a line says once it is read, whatever stands around it.

use std::time::Duration;

use jiff::civil;
use pest::Parser;

use super::reader::Reader;
use super::{CALLS, Code, Grammar, Notes, Rule, mistake};
use crate::flow::diagnostic::Diagnostic;
use crate::flow::source::Span;
use crate::flow::tree::{
    Accept, AnswerExit, Check, Choice, Expr, Field, Finish, Hours, Knowledge, Name, NoReply, OldButtons,
    Otherwise, Outcome, Path, Phrase, Priority, Share, Starts, StmtKind, Tail, Target, Text, Topic, Trigger,
    UpTo,
};
use crate::flow::tree::{Arg, Method};

/// A line, read. Blocks are still empty: the lines underneath come next.
#[derive(Debug, Clone, PartialEq)]
pub enum Parsed {
    // headings
    Flow {
        name: Phrase,
        title: Option<Text>,
    },
    Starts(Starts),
    StartsWhenCalled,
    StartsWith(Phrase),
    Needs(Vec<Field>),
    Gives(Vec<Field>),
    Step {
        name: Phrase,
        was: Option<Phrase>,
    },
    On {
        triggers: Vec<Trigger>,
        condition: Option<Expr>,
        go: Option<Target>,
    },
    // statements
    Statement(StmtKind),
    If {
        condition: Expr,
        go: Option<Target>,
    },
    Else {
        condition: Option<Expr>,
    },
    /// `transcribe story`: its voice notes have words, or it is a problem.
    Transcribe {
        path: Path,
    },
    End,
    // under a question
    Option(Box<Choice>),
    As(Accept),
    Check(Check),
    Otherwise(Otherwise),
    NoReply(NoReply),
    Again(Text),
    Private,
    Header(Text),
    Footer(Text),
    Open(Text),
    Section(Text),
    None(Tail),
    More(Text),
    Finish(Finish),
    // under answer
    About(Vec<Name>),
    Never(Vec<Text>),
    Style(Text),
    Length(u32),
    Replies(UpTo),
    MayRemember(Vec<Path>),
    MayUse(Vec<Path>),
    AnswerExit(AnswerExit),
    // under fetch and handoff
    Outcome(Outcome),
    Share(Share),
    Note(Text),
    Priority(Priority),
    WhenClosed(Tail),
    Assist,
    WhenTaken(Text),
    NoAgent(NoReply),
    WhenReturned(Tail),
    // the business file
    Business(Text),
    Timezone(Text),
    Languages(Vec<Name>),
    Team {
        name: Name,
        title: Text,
    },
    Hours(Vec<Hours>),
    ClosedOn(Vec<(civil::Date, Span)>),
    Knowledge(Knowledge),
    Form {
        name: Name,
        id: Text,
    },
    Topic(Topic),
    Template {
        name: Name,
        category: Name,
    },
    Wording {
        language: Name,
        text: Text,
    },
    /// Labels, of one language if it is named.
    Button(Option<Name>, Vec<Text>),
    Memory,
    Field(Field),
    Service {
        name: Name,
        url: Text,
    },
    Key(Name),
    Action {
        name: Name,
        needs: Vec<Name>,
    },
    Call {
        method: Method,
        path: Text,
        body: Vec<Arg>,
    },
    Timeout(Duration),
    Defaults,
    Closed(Text),
    OldButtons(OldButtons, Span),
    TakeoverPauses(Duration),
    BurstQuiet(Duration),
    OptOut(Vec<Text>),
}

/// Reads a line by a rule. A line that breaks the grammar gives only a mistake; a value that makes no sense gives
/// both, the value replaced by a harmless one.
pub fn read(code: Code<'_>, rule: Rule) -> (Option<Parsed>, Option<Diagnostic>) {
    pest::set_call_limit(std::num::NonZeroUsize::new(CALLS));
    let pairs = match Grammar::parse(rule, code.text) {
        Ok(pairs) => pairs,
        Err(error) => return (None, Some(mistake::unreadable(code, rule, &error))),
    };
    let mut notes = Notes { code, mistake: None };
    let mut line = Reader {
        pairs,
        notes: &mut notes,
    };
    let pair = line.take(rule);
    let parsed = line.inside(pair).line(rule);
    (Some(parsed), notes.mistake)
}

impl Reader<'_, '_, '_> {
    fn line(&mut self, rule: Rule) -> Parsed {
        let whole = self.notes.code.whole();
        // The word that chose the rule; options and arrows have none.
        let word = match rule {
            Rule::option_line | Rule::go_line | Rule::wording_line | Rule::field_line | Rule::share_line => {
                None
            }
            _ => self.next().map(|word| word.as_rule()),
        };
        match rule {
            Rule::flow_line => Parsed::Flow {
                name: self.phrase(),
                title: self.maybe_text(),
            },
            Rule::starts_line => self.starts(whole),
            Rule::needs_line => Parsed::Needs(self.fields()),
            Rule::gives_line => Parsed::Gives(self.fields()),
            Rule::step_line => self.step(),
            Rule::on_line => Parsed::On {
                triggers: self.triggers(),
                condition: self.condition(),
                go: self.maybe_go(),
            },
            Rule::say_line => self.say(),
            Rule::question_line => self.question(word, whole),
            Rule::form_line => self.form(whole),
            Rule::set_line => self.set(),
            Rule::remember_line => self.remember(),
            Rule::forget_line => self.forget(),
            Rule::if_line => Parsed::If {
                condition: self.expr(),
                go: self.maybe_go(),
            },
            Rule::else_line => Parsed::Else {
                condition: self.condition(),
            },
            Rule::end_line => Parsed::End,
            Rule::fetch_line => self.fetch(),
            Rule::do_line => self.do_flow(),
            Rule::go_line => Parsed::Statement(StmtKind::Go(self.go())),
            Rule::done_line => Parsed::Statement(StmtKind::Done {
                gives: self.maybe_args(),
            }),
            Rule::close_line => Parsed::Statement(StmtKind::Close {
                say: self.maybe_text(),
            }),
            Rule::resume_line => Parsed::Statement(StmtKind::Resume),
            Rule::send_line => self.send(),
            Rule::handoff_line => self.handoff(),
            Rule::notify_line => Parsed::Statement(StmtKind::Notify {
                team: self.name(),
                text: self.text(),
            }),
            Rule::for_line => self.for_each(),
            Rule::later_line => self.plan(),
            Rule::cancel_line => Parsed::Statement(StmtKind::Cancel { name: self.name() }),
            Rule::record_line => Parsed::Statement(StmtKind::Record {
                name: self.name(),
                value: self.has(Rule::equals).then(|| self.expr()),
            }),
            Rule::tag_line => Parsed::Statement(StmtKind::Tag {
                tag: self.text(),
                on: word == Some(Rule::k_tag),
            }),
            Rule::split_line => self.split(),
            Rule::share_line => self.share(whole),
            Rule::transcribe_line => Parsed::Transcribe { path: self.path() },
            Rule::answer_line => self.answer(),
            Rule::react_line => Parsed::Statement(StmtKind::React(self.reaction())),
            Rule::pause_line => Parsed::Statement(StmtKind::Pause(self.pause())),
            Rule::subscribe_line => {
                self.take(Rule::k_to);
                Parsed::Statement(StmtKind::Subscribe {
                    list: Some(self.name()),
                    on: true,
                })
            }
            Rule::unsubscribe_line => Parsed::Statement(StmtKind::Subscribe {
                list: self.has(Rule::k_from).then(|| self.name()),
                on: false,
            }),
            Rule::option_line => self.option(whole),
            Rule::each_line => self.each(whole),
            Rule::none_line => Parsed::None(self.tail()),
            Rule::more_line => Parsed::More(self.text()),
            Rule::finish_line => self.finish(whole),
            Rule::as_line => Parsed::As(self.accept()),
            Rule::check_line => self.check(whole),
            Rule::otherwise_line => self.otherwise(whole),
            Rule::no_reply_line => self.no_reply(whole),
            Rule::again_line => Parsed::Again(self.text()),
            Rule::private_line => Parsed::Private,
            Rule::header_line => Parsed::Header(self.text()),
            Rule::footer_line => Parsed::Footer(self.text()),
            Rule::open_line => Parsed::Open(self.text()),
            Rule::section_line => Parsed::Section(self.text()),
            Rule::not_found_line | Rule::refused_line | Rule::status_line | Rule::problem_line => {
                self.outcome(rule, whole)
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
            | Rule::finished_line => self.answer_line(rule, whole),
            Rule::note_line => Parsed::Note(self.text()),
            Rule::priority_line => Parsed::Priority(Priority {
                level: self.name(),
                condition: self.condition(),
            }),
            Rule::when_closed_line => {
                self.take(Rule::k_closed);
                Parsed::WhenClosed(self.tail())
            }
            Rule::assist_line => Parsed::Assist,
            Rule::when_taken_line => {
                self.take(Rule::k_taken);
                Parsed::WhenTaken(self.text())
            }
            Rule::no_agent_line => {
                self.take(Rule::k_agent);
                self.take(Rule::k_in);
                Parsed::NoAgent(NoReply {
                    after: self.wait(),
                    tail: self.tail(),
                    span: whole,
                })
            }
            Rule::when_returned_line => {
                self.take(Rule::k_returned);
                Parsed::WhenReturned(self.tail())
            }
            _ => self.business_line(rule, word, whole),
        }
    }
}

//! Questions: everything about them in one state, their ways out as code behind the `Ask`.

use super::tail::{Ending, leads_somewhere};
use super::{Lowering, ids};
use crate::flow::program::{
    Choice, FINISH, Form, Gather, Message, Op, Otherwise, Pc, Place, Question, Silence, StateKind,
};
use crate::flow::source::Span;
use crate::flow::tree::{self, Kind, NoReply, QuestionWord, Tail};

impl Lowering<'_> {
    pub(super) fn question(&mut self, question: &tree::Question, place: Place) {
        let value = question.name.as_ref().map(|name| name.text.clone());
        let state = self.open_state(value.as_deref().unwrap_or("menu"), place);
        let prompt = match &question.prompt {
            tree::Prompt::Says(text) => Message::Say {
                body: self.text(text),
                or: Vec::new(),
                header: self.optional_text(question.header.as_ref()),
                footer: self.optional_text(question.footer.as_ref()),
                link: None,
            },
            tree::Prompt::Template(asks) => match self.names.template(&asks.template.text) {
                Some(template) => Message::Template {
                    template,
                    args: self.args(&asks.args),
                },
                // An error was told, and this program never runs.
                None => Message::Say {
                    body: self.text(&tree::Text {
                        source: asks.template.text.clone(),
                        span: asks.span,
                    }),
                    or: Vec::new(),
                    header: None,
                    footer: None,
                    link: None,
                },
            },
        };
        let again = self.optional_text(question.again.as_ref());
        let open = self.optional_text(question.open.as_ref());
        let more = self.optional_text(question.more.as_ref());
        let finish = question.finish.as_ref().and_then(|finish| finish.on.as_ref());
        let finish = finish.map(|label| Choice {
            id: FINISH.to_owned(),
            each: None,
            label: self.text(label),
            hint: None,
            also: Vec::new(),
            value: None,
            condition: None,
            section: None,
            run: None,
            single_use: false,
        });
        self.emit(Op::Ask(state), place);

        let mut to_next = Vec::new();
        let mut options = self.options(&question.options, &mut to_next);
        options.extend(finish);
        let none = question
            .none
            .as_ref()
            .map(|tail| self.always(tail, place, Ending::Next, &mut to_next));
        let checks = question
            .checks
            .iter()
            .map(|check| (self.expr(&check.condition), self.text(&check.otherwise)))
            .collect();
        let otherwise = match &question.otherwise {
            Some(own) => Some(self.otherwise(own)),
            None => self.inherited.otherwise.clone(),
        };
        let silence = if question.no_reply.is_empty() {
            match &question.prompt {
                tree::Prompt::Says(_) => self.inherited.silence.clone(),
                // It may be asked days after the customer last wrote: nothing can be said then.
                tree::Prompt::Template(_) => self.inherited.wordless.clone(),
            }
        } else {
            self.silence(&question.no_reply)
        };
        let next = self.join(&to_next);
        let lowered = Question {
            prompt,
            again,
            form: match question.word {
                QuestionWord::Menu | QuestionWord::Ask | QuestionWord::Gather => Form::Fitting,
                QuestionWord::Buttons => Form::Buttons,
                QuestionWord::List => Form::List,
            },
            open,
            options,
            value,
            accept: accepted(question),
            checks,
            otherwise,
            silence,
            private: question.private,
            none,
            more,
            form_of: question
                .form
                .as_ref()
                .and_then(|form| self.names.form(&form.text)),
            gather: (question.word == QuestionWord::Gather).then(|| gather_of(question)),
            next,
        };
        self.close_state(state, StateKind::Question(Box::new(lowered)));
    }

    fn options(&mut self, options: &[tree::Choice], to_next: &mut Vec<Pc>) -> Vec<Choice> {
        let mut ids = ids::Ids::default();
        let mut section: Option<(Span, u32)> = None;
        options
            .iter()
            .map(|option| {
                // Options of one section repeat its text: it becomes one text.
                section = option.section.as_ref().map(|text| match section {
                    Some((span, known)) if span == text.span => (span, known),
                    Some(_) | None => (text.span, self.text(text)),
                });
                let each = option
                    .each
                    .as_ref()
                    .map(|each| (each.name.text.clone(), self.expr(&each.list)));
                let label = self.text(&option.label);
                let hint = self.optional_text(option.hint.as_ref());
                let value = self.optional_expr(option.value.as_ref());
                let condition = self.optional_expr(option.condition.as_ref());
                let place = self.place(option.span);
                Choice {
                    id: ids.take(option),
                    each,
                    label,
                    hint,
                    also: option.also.iter().map(|text| text.source.clone()).collect(),
                    value,
                    condition,
                    section: section.map(|(_, text)| text),
                    run: self.tail(&option.then, place, Ending::Next, to_next),
                    single_use: false,
                }
            })
            .collect()
    }

    /// A question's own `otherwise`. Used up without a way out, the business's is taken; without that people get the
    /// chat, and in a business without teams the sentence is simply said every time.
    pub(super) fn otherwise(&mut self, otherwise: &tree::Otherwise) -> Otherwise {
        let place = self.place(otherwise.span);
        let tail = &otherwise.tail;
        match (otherwise.up_to, leads_somewhere(tail)) {
            (None, true) => Otherwise {
                // Said by the code itself: nothing is counted here.
                say: None,
                up_to: None,
                run: self.tail(tail, place, Ending::Wait, &mut Vec::new()),
            },
            (Some(times), true) => Otherwise {
                say: self.optional_text(tail.say.as_ref()),
                up_to: Some(times),
                run: Some(self.way(tail, place, Ending::Wait, &mut Vec::new())),
            },
            (Some(times), false) => {
                let say = self.optional_text(tail.say.as_ref());
                let run = self.inherited.way_out.or_else(|| self.people_get_it(place));
                Otherwise {
                    say,
                    up_to: run.is_some().then_some(times),
                    run,
                }
            }
            (None, false) => Otherwise {
                say: self.optional_text(tail.say.as_ref()),
                up_to: None,
                run: None,
            },
        }
    }

    fn people_get_it(&mut self, place: Place) -> Option<Pc> {
        self.names.team(None)?;
        Some(self.way(&Tail::default(), place, Ending::People, &mut Vec::new()))
    }

    /// Silence lines, soonest first.
    pub(super) fn silence(&mut self, lines: &[NoReply]) -> Vec<Silence> {
        let mut silence: Vec<Silence> = lines
            .iter()
            .map(|line| {
                let place = self.place(line.span);
                Silence {
                    after_seconds: line.after.as_secs(),
                    say: self.optional_text(line.tail.say.as_ref()),
                    run: leads_somewhere(&line.tail)
                        .then(|| self.way(&line.tail, place, Ending::Wait, &mut Vec::new())),
                }
            })
            .collect();
        silence.sort_by_key(|line| line.after_seconds);
        silence
    }
}

/// Messages of a `gather` that doesn't say how many.
const GATHERED: u32 = 10;
/// Seconds of quiet that end a `gather` which says nothing of its end.
const QUIET: u64 = 60;

fn gather_of(question: &tree::Question) -> Gather {
    let up_to = question.accept.as_ref().and_then(|accept| accept.up_to);
    Gather {
        most: up_to.map_or(GATHERED, |(most, _)| most),
        quiet_seconds: match &question.finish {
            Some(finish) => finish.quiet.map(|quiet| quiet.as_secs().max(1)),
            None => Some(QUIET),
        },
    }
}

/// `ask` without `as` takes any text; the others take only their options.
fn accepted(question: &tree::Question) -> Vec<Kind> {
    if question.form.is_some() {
        return Vec::new();
    }
    match (&question.accept, question.word) {
        (Some(accept), _) => accept.kinds.iter().map(|(kind, _)| kind.clone()).collect(),
        (None, QuestionWord::Ask | QuestionWord::Gather) => vec![Kind::Text],
        (None, QuestionWord::Menu | QuestionWord::Buttons | QuestionWord::List) => Vec::new(),
    }
}

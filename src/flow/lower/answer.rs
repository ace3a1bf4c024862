//! `answer`: a state that waits for the model, and a question that waits for the customer and leads back.

use super::tail::Ending;
use super::{Lowering, Then};
use crate::flow::program::{Answer, Form, Message, Op, Otherwise, Place, Question, StateKind};
use crate::flow::source::Span;
use crate::flow::tree::{self, AnswerExitKind, Kind, Text};

impl Lowering<'_> {
    pub(super) fn answer(&mut self, answer: &tree::Answer, place: Place) -> Then {
        let state = self.open_state("answer", place);
        let reply = self.open_state("reply", place);
        let start = self.emit(Op::Answer(state), place);
        let mut to_next = Vec::new();
        let up_to = answer.up_to.as_ref().map(|up_to| {
            let run = self.here();
            self.go(&up_to.then);
            (up_to.replies, run)
        });
        let mut topics = Vec::new();
        let (mut not_sure, mut off_topic, mut finished, mut problem) = (None, None, None, None);
        for exit in &answer.exits {
            let (tail, place) = (&exit.tail, self.place(exit.span));
            match &exit.kind {
                AnswerExitKind::Topic(name) => {
                    let run = self.way(tail, place, Ending::Wait, &mut Vec::new());
                    topics.push((name.text.clone(), run));
                }
                AnswerExitKind::NotSure => {
                    not_sure = Some(self.always(tail, place, Ending::Wait, &mut Vec::new()));
                }
                AnswerExitKind::OffTopic => off_topic = Some(self.off_topic(exit)),
                AnswerExitKind::Finished => {
                    finished = Some(self.always(tail, place, Ending::Next, &mut to_next));
                }
                AnswerExitKind::Problem => {
                    problem = Some(self.always(tail, place, Ending::Next, &mut to_next));
                }
            }
        }
        let silence = if answer.no_reply.is_empty() {
            self.inherited.silence.clone()
        } else {
            self.silence(&answer.no_reply)
        };
        let goes_on = finished.is_none() || !to_next.is_empty();
        let next = self.join(&to_next);
        let uses = answer.uses.iter();
        let lowered = Answer {
            reply,
            knowledge: answer.from.iter().map(|name| name.text.clone()).collect(),
            about: answer.about.iter().map(|name| name.text.clone()).collect(),
            never: answer.never.iter().map(|text| text.source.clone()).collect(),
            style: answer.style.as_ref().map(|text| text.source.clone()),
            at_most: answer.at_most,
            up_to,
            remembers: answer.remembers.iter().map(|path| path.parts.clone()).collect(),
            uses: uses.filter_map(|path| self.names.action(&path.parts)).collect(),
            topics,
            not_sure,
            off_topic,
            // A line whose jump was dropped leads to its own end, which is here.
            finished: finished.unwrap_or(next),
            problem,
        };
        self.close_state(state, StateKind::Answer(Box::new(lowered)));
        // What is asked when it is asked again is Switchboard's own sentence.
        let nothing = self.text(&Text {
            source: String::new(),
            span: Span::new(crate::flow::source::FileId(place.file), 0, 0),
        });
        let question = Question {
            prompt: Message::Say {
                body: nothing,
                or: Vec::new(),
                header: None,
                footer: None,
                link: None,
            },
            again: None,
            form: Form::Fitting,
            open: None,
            options: Vec::new(),
            value: None,
            accept: vec![Kind::Text],
            checks: Vec::new(),
            otherwise: self.inherited.otherwise.clone(),
            silence,
            private: false,
            none: None,
            more: None,
            gather: None,
            form_of: None,
            next: start,
        };
        self.close_state(reply, StateKind::Question(Box::new(question)));
        if goes_on { Then::GoesOn } else { Then::Ends }
    }

    fn off_topic(&mut self, exit: &tree::AnswerExit) -> Otherwise {
        let otherwise = tree::Otherwise {
            tail: exit.tail.clone(),
            up_to: exit.up_to,
            span: exit.span,
        };
        self.otherwise(&otherwise)
    }
}

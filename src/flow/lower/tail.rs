//! What happens in a case: a sentence, an arrow, both, or lines underneath; and where arrows lead.

use super::{Lowering, PENDING, Then};
use crate::flow::program::{Human, Jump, Message, Op, Pc, Place, StateKind, TextIx};
use crate::flow::tree::{self, Tail, Target, TargetKind};

/// What comes after lines that run off their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Go on after the block.
    Next,
    /// Stay in the question that is open.
    Wait,
    /// The flow is finished.
    Finish,
    /// People get the chat.
    People,
}

impl Lowering<'_> {
    /// The code of a tail; `None` if it is empty. Jumps to the place after the block are collected in `to_next`.
    pub(super) fn tail(
        &mut self,
        tail: &Tail,
        place: Place,
        ending: Ending,
        to_next: &mut Vec<Pc>,
    ) -> Option<Pc> {
        let say = self.optional_text(tail.say.as_ref());
        if say.is_none() && !leads_somewhere(tail) {
            return None;
        }
        let start = self.here();
        if let Some(text) = say {
            self.say(text, place);
        }
        self.way(tail, place, ending, to_next);
        Some(start)
    }

    /// As [`Lowering::tail`], also of a line with nothing behind it: it still is a line, and goes on.
    pub(super) fn always(&mut self, tail: &Tail, place: Place, ending: Ending, to_next: &mut Vec<Pc>) -> Pc {
        match self.tail(tail, place, ending, to_next) {
            Some(run) => run,
            None => self.way(tail, place, ending, to_next),
        }
    }

    /// The code of a tail without its sentence: lines and arrow, then `ending` if they don't lead away.
    pub(super) fn way(&mut self, tail: &Tail, place: Place, ending: Ending, to_next: &mut Vec<Pc>) -> Pc {
        let start = self.here();
        let mut then = self.body(&tail.body);
        if let (Then::GoesOn, Some(target)) = (then, &tail.go) {
            self.go(target);
            then = Then::Ends;
        }
        if then == Then::GoesOn {
            match ending {
                Ending::Next => to_next.push(self.emit(Op::Jump(Jump::To(PENDING)), place)),
                Ending::Wait => {
                    self.emit(Op::Wait, place);
                }
                Ending::Finish => self.finish_flow(place),
                Ending::People => self.hand_over(None, place),
            }
        }
        start
    }

    /// `-> place`.
    pub(super) fn go(&mut self, target: &Target) {
        let place = self.place(target.span);
        let op = match &target.kind {
            TargetKind::Step(name) => {
                let step = self.scope.flow.and_then(|flow| self.names.step(flow, &name.slug));
                match step {
                    Some(step) => Op::Jump(Jump::Step(step)),
                    None => return self.finish_flow(place),
                }
            }
            TargetKind::Flow(name, args) => match self.names.flow(&name.slug) {
                Some(flow) => {
                    let args = self.args(args);
                    Op::Jump(Jump::Flow { flow, args })
                }
                None => return self.finish_flow(place),
            },
            TargetKind::Again => Op::Jump(Jump::Again),
            TargetKind::Resume => Op::Resume,
            TargetKind::Back => Op::Jump(Jump::Back),
            TargetKind::Start => Op::Jump(Jump::Start),
            TargetKind::Done(gives) => Op::Return {
                gives: self.args(gives),
            },
            TargetKind::Close => Op::Close { say: None },
            TargetKind::Handoff(team) => return self.hand_over(team.as_ref(), place),
        };
        self.emit(op, place);
    }

    pub(super) fn say(&mut self, body: TextIx, place: Place) {
        let message = Message::Say {
            body,
            or: Vec::new(),
            header: None,
            footer: None,
            link: None,
        };
        self.emit(Op::Send(message), place);
    }

    pub(super) fn finish_flow(&mut self, place: Place) {
        self.emit(Op::Return { gives: Vec::new() }, place);
    }

    /// A handoff without lines.
    pub(super) fn hand_over(&mut self, team: Option<&tree::Name>, place: Place) {
        let state = self.open_state("human", place);
        let human = Human {
            team: self.names.team(team.map(|name| name.text.as_str())),
            note: None,
            priority: None,
            assist: false,
            when_closed: None,
            when_taken: None,
            no_agent: Vec::new(),
            when_returned: None,
        };
        self.close_state(state, StateKind::Human(human));
        self.emit(Op::Handoff(state), place);
    }
}

/// The tail has an arrow or lines.
pub(super) fn leads_somewhere(tail: &Tail) -> bool {
    tail.go.is_some() || !tail.body.is_empty()
}

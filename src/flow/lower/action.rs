//! What leaves the flow and comes back: service calls, sub-flows, handoffs.

use super::Lowering;
use super::tail::Ending;
use crate::flow::program::{Call, Fetch, Human, Op, Pc, Place, StateKind};
use crate::flow::tree::{self, Do, Handoff, OutcomeKind};

impl Lowering<'_> {
    pub(super) fn fetch(&mut self, fetch: &tree::Fetch, place: Place) {
        let Some((service, action)) = self.names.action(&fetch.action.parts) else {
            return;
        };
        let state = self.open_state(&fetch.name.text, place);
        let args = self.args(&fetch.args);
        self.emit(Op::Effect(state), place);

        let mut to_next = Vec::new();
        let (mut not_found, mut refused, mut problem) = (None, None, None);
        let mut statuses: Vec<(u16, Pc)> = Vec::new();
        for outcome in &fetch.outcomes {
            let place = self.place(outcome.span);
            let run = self.always(&outcome.tail, place, Ending::Next, &mut to_next);
            match outcome.kind {
                OutcomeKind::NotFound => not_found = not_found.or(Some(run)),
                OutcomeKind::Refused => refused = refused.or(Some(run)),
                OutcomeKind::Problem => problem = problem.or(Some(run)),
                OutcomeKind::Status(status) => statuses.push((status, run)),
            }
        }
        let next = self.join(&to_next);
        let fetch = Fetch {
            service,
            action,
            args,
            value: fetch.name.text.clone(),
            next,
            not_found,
            refused,
            statuses,
            problem,
        };
        self.close_state(state, StateKind::Fetch(Box::new(fetch)));
    }

    pub(super) fn call(&mut self, call: &Do, place: Place) {
        let Some(flow) = self.names.flow(&call.flow.slug) else {
            return;
        };
        let state = self.open_state(&format!("do_{}", call.flow.slug), place);
        let args = self.args(&call.args);
        self.emit(Op::Call(state), place);
        let call = Call {
            flow,
            args,
            save: call.save.as_ref().map(|name| name.text.clone()),
            next: self.here(),
        };
        self.close_state(state, StateKind::Call(call));
    }

    pub(super) fn handoff(&mut self, handoff: &Handoff, place: Place) {
        let state = self.open_state("human", place);
        let note = self.optional_text(handoff.note.as_ref());
        let priority = handoff.priority.as_ref().map(|priority| {
            let condition = self.optional_expr(priority.condition.as_ref());
            (priority.level.text.clone(), condition)
        });
        self.emit(Op::Handoff(state), place);
        // Nothing follows a handoff: `when closed` lines that run off their end finish the flow.
        let when_closed = handoff
            .when_closed
            .as_ref()
            .and_then(|tail| self.tail(tail, place, Ending::Finish, &mut Vec::new()));
        let when_taken = self.optional_text(handoff.when_taken.as_ref());
        let no_agent = self.silence(&handoff.no_agent);
        let when_returned = handoff
            .when_returned
            .as_ref()
            .and_then(|tail| self.tail(tail, place, Ending::Finish, &mut Vec::new()));
        let human = Human {
            team: self
                .names
                .team(handoff.team.as_ref().map(|name| name.text.as_str())),
            note,
            priority,
            assist: handoff.assist,
            when_closed,
            when_taken,
            no_agent,
            when_returned,
        };
        self.close_state(state, StateKind::Human(human));
    }
}

//! Conditions from outside the program, such as a transcript's `check  contact.last_order is "A-12345"`.

use jiff::Timestamp;

use super::event::{Event, EventKind};
use super::expressions::truth;
use super::position::Position;
use super::run::Run;
use super::{Machine, Memory, SessionSettings};
use crate::flow::expression;
use crate::flow::program::Expr;

impl Machine {
    /// Whether a condition holds in a position. Unknown values hold nothing.
    ///
    /// # Errors
    /// If it can't be read or fails, in a sentence.
    pub fn check(
        &self,
        condition: &str,
        position: &Position,
        memory: &Memory,
        at: Timestamp,
    ) -> Result<bool, String> {
        let loose = expression(condition)?;
        // Its texts join a copy of the program; transcripts have few checks, and a turn has none.
        let mut program = self.program().clone();
        let first = program.texts.len() as u32;
        program.texts.extend(loose.texts);
        let mut expr = loose.expr;
        shift(&mut expr, first);
        program.exprs.push(expr);
        let index = program.exprs.len() as u32 - 1;
        let machine = Machine::load(program);
        let event = Event {
            at,
            kind: EventKind::Close,
        };
        let settings = SessionSettings::default();
        let run = Run::new(&machine, &[], &settings, position.clone(), memory, &event);
        run.eval(index)
            .map(|value| truth(value.as_ref()))
            .map_err(|failed| failed.what)
    }
}

/// Moves the indexes of texts by `first`.
fn shift(expr: &mut Expr, first: u32) {
    match expr {
        Expr::Text(text) => *text += first,
        Expr::List(items) => items.iter_mut().for_each(|item| shift(item, first)),
        Expr::Not(inner) => shift(inner, first),
        Expr::Binary(_, left, right) => {
            shift(left, first);
            shift(right, first);
        }
        Expr::Test { subject, .. } => shift(subject, first),
        Expr::Filter { subject, args, .. } => {
            shift(subject, first);
            args.iter_mut().for_each(|arg| shift(arg, first));
        }
        Expr::Number(_)
        | Expr::YesNo(_)
        | Expr::Nothing
        | Expr::Date(_)
        | Expr::Time(_)
        | Expr::Duration(_)
        | Expr::Path(_) => {}
    }
}

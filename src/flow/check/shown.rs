//! What a text of a flow looks like on the customer's screen, and how much room it has: for editors.

use super::Shop;
use super::limits;
use super::texts::Samples;
use super::values::Values;
use super::walk;
use crate::flow::names::Names;
use crate::flow::source::{FileId, Sources, Span};
use crate::flow::tree::{StmtKind, Text, Tree};
use crate::message::{Limits, measure};

/// A text, filled in with typical values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownText {
    /// With its quotes.
    pub span: Span,
    pub text: String,
    /// Characters, as they are held against the limit.
    pub characters: usize,
    /// Characters there may be; `None` for texts that no customer sees.
    pub limit: Option<usize>,
    /// "a button", "a message"; empty without a limit.
    pub what: &'static str,
}

/// A text at the place, before it is filled in.
struct Found<'t> {
    flow: Option<usize>,
    /// Characters there may be, and in what.
    room: Option<(usize, &'static str)>,
    text: &'t Text,
}

/// The text that stands at this byte of a file; `None` if there is none, or if it can't be filled in (a diagnostic
/// says why).
pub fn shown_at(sources: &Sources, tree: &Tree, file: FileId, offset: u32) -> Option<ShownText> {
    let names = Names::of(tree);
    let shop = Shop {
        sources,
        tree,
        names: &names,
        limits: &Limits::META,
    };
    let here = |text: &Text| text.span.file == file && text.span.start <= offset && offset < text.span.end;
    let room =
        |role, question| limits::limit(&shop, role, question, &|_| None).map(|(most, what, _)| (most, what));
    let mut found: Option<Found> = None;
    walk::statements(tree, |home, stmt| {
        let question = match &stmt.kind {
            StmtKind::Question(question) => Some(question.as_ref()),
            _ => None,
        };
        walk::texts(stmt, &mut |role, text| {
            if here(text) {
                found = Some(Found {
                    flow: home.flow,
                    room: room(role, question),
                    text,
                });
            }
        });
    });
    for (role, text) in walk::default_texts(tree) {
        if here(text) {
            found = Some(Found {
                flow: None,
                room: room(role, None),
                text,
            });
        }
    }
    let Found { flow, room, text } = found?;
    let values = Values::of(&shop);
    let samples = Samples::of(&shop, &values);
    let filled = samples.fill(flow, text).ok()?;
    Some(ShownText {
        span: text.span,
        characters: measure(&filled).scalars,
        text: filled,
        limit: room.map(|(most, _)| most),
        what: room.map_or("", |(_, what)| what),
    })
}

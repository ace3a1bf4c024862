//! Texts of the program, and the numbering of a template's blanks.

use super::{Lowering, index};
use crate::flow::program::{Place, Text, TextIx};
use crate::flow::tree;

impl Lowering<'_> {
    pub(super) fn text(&mut self, text: &tree::Text) -> TextIx {
        self.add_text(text.source.clone(), self.place(text.span))
    }

    pub(super) fn optional_text(&mut self, text: Option<&tree::Text>) -> Option<TextIx> {
        text.map(|text| self.text(text))
    }

    /// One of Switchboard's own.
    pub(super) fn built_in_text(&mut self, source: &str) -> TextIx {
        self.add_text(source.to_owned(), Place::BUILT_IN)
    }

    fn add_text(&mut self, source: String, place: Place) -> TextIx {
        self.scope.texts += 1;
        self.texts.push(Text {
            name: format!("{}#{}", self.scope.name, self.scope.texts),
            fixed: !source.contains("{{") && !source.contains("{%"),
            source,
            place,
        });
        index(self.texts.len() - 1)
    }
}

/// Names of a template's blanks in the order in which they first appear: WhatsApp numbers them so.
pub(super) fn blanks_of(text: &str) -> Vec<String> {
    let mut blanks: Vec<String> = Vec::new();
    for piece in text.split("{{").skip(1) {
        let Some((blank, _)) = piece.split_once("}}") else {
            continue;
        };
        let name = blank.split('|').next().unwrap_or_default().trim();
        if !name.is_empty() && !blanks.iter().any(|known| known == name) {
            blanks.push(name.to_owned());
        }
    }
    blanks
}

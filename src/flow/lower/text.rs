//! Texts of the program, and the numbering of a template's blanks.

use super::{Lowering, index};
use crate::flow::program::{Text, TextIx};
use crate::flow::tree;

impl Lowering<'_> {
    pub(super) fn text(&mut self, text: &tree::Text) -> TextIx {
        self.scope.texts += 1;
        self.texts.push(Text {
            name: format!("{}#{}", self.scope.name, self.scope.texts),
            source: text.source.clone(),
            fixed: is_fixed(&text.source),
            place: self.place(text.span),
        });
        let index = index(self.texts.len() - 1);
        self.translate(text, index);
        index
    }

    pub(super) fn optional_text(&mut self, text: Option<&tree::Text>) -> Option<TextIx> {
        text.map(|text| self.text(text))
    }
}

/// Nothing in it is filled in.
pub(super) fn is_fixed(source: &str) -> bool {
    !source.contains("{{") && !source.contains("{%")
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

//! Text to program: the language that businesses write.
//!
//! The order of the road: [`source`] holds the files, the scanner ([`lines`]), the line grammar ([`parse`]) and the
//! block builder ([`blocks`]) make a [`tree`], checks find [`diagnostic`]s, and lowering makes the [`program`] that
//! the engine runs. Nothing here does I/O.

pub mod blocks;
pub mod check;
pub mod compile;
pub mod diagnostic;
pub mod explain;
pub mod fixes;
pub mod fold;
pub mod format;
pub mod graph;
pub mod hash;
pub mod lines;
pub mod listing;
pub mod locale;
pub mod lower;
pub mod names;
pub mod owner;
pub mod parse;
pub mod program;
pub mod render;
pub mod sarif;
pub mod source;
pub mod spell;
pub mod strings;
pub mod template;
pub mod text;
pub mod tree;
pub mod value;
pub mod words;

pub use compile::{Compiled, Loose, compile, expression};

/// The stable id of a step's or flow's name: `ask_for_the_number`.
pub fn slug(name: &str) -> String {
    let nowhere = source::Span {
        file: source::FileId(0),
        start: 0,
        end: 0,
    };
    parse::phrase(name, nowhere).slug
}

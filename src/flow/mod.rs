//! Text to program: the language that businesses write.
//!
//! The order of the road: [`source`] holds the files, the scanner ([`lines`]), the line grammar ([`parse`]) and the
//! block builder ([`blocks`]) make a [`tree`], checks find [`diagnostic`]s, and lowering makes the [`program`] that
//! the engine runs. Nothing here does I/O.

pub mod blocks;
pub mod diagnostic;
pub mod fixes;
pub mod format;
pub mod lines;
pub mod parse;
pub mod program;
pub mod source;
pub mod text;
pub mod tree;
pub mod value;
pub mod words;

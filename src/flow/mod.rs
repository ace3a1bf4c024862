//! Text to program: the language that businesses write.
//!
//! The order of the road: [`source`] holds the files, the scanner and line grammar make a [`tree`], checks find
//! [`diagnostic`]s, and lowering makes the [`program`] that the engine runs. Nothing here does I/O.

pub mod diagnostic;
pub mod program;
pub mod source;
pub mod tree;
pub mod value;

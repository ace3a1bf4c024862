//! The command line: one file a command, texts to standard output, notes to standard error.

pub mod transcribe;
pub mod voice;

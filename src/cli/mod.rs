//! The command line: one file a command, texts to standard output, notes to standard error.

pub mod doctor;
pub mod serve;
pub mod transcribe;
pub mod voice;

//! The language server: what an editor asks about `.flow` files while they are typed.
//!
//! It stands beside the road: texts in, the same tree and the same checks as `switchboard check`, answers out over
//! standard input and output. One thread reads one message after the other, so an edit can never be seen out of
//! order; a file that is half written is read as far as it goes, and every request gets an answer.

mod actions;
mod completion;
mod documents;
mod hover;
mod mentions;
mod places;
mod rename;
mod server;

pub use server::{Ended, LspError, serve};

//! Pages for people, on top of a running server. They look in through [`crate::server::Handle`] and act through it;
//! nothing imports them but the command line.

pub mod demo;

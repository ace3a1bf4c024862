//! Conversations as tests: `.chat` transcripts run against the same engine as production.
//!
//! A transcript is [`parse`]d into [`story`]s; a [`rehearsal`] plays the customer's part with a virtual clock and
//! declared mocks; [`run`] compares what the bot says, line by line, with the transcript. Nothing here touches a
//! network, a model or the real time, so the same story gives the same answer everywhere.

pub mod bless;
mod check;
pub mod coverage;
pub mod dialogue;
pub mod explore;
pub mod generate;
mod golden;
pub mod parse;
pub mod promises;
pub mod published;
pub mod record;
pub mod rehearsal;
pub mod report;
pub mod run;
mod sample;
pub mod story;
pub mod transcript;
mod written;

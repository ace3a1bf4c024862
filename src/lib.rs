//! Switchboard: a chat-native WhatsApp bot server.
//!
//! The road of a message, and so the order of the modules: `.flow` text becomes a program ([`flow`]), the pure
//! machine answers events with it ([`engine`]), messages are provider-neutral ([`message`]), a [`channel`] speaks
//! a provider's wire format, a [`store`] keeps every promise across crashes, and [`server`] ties them together.
//! [`chat`] replays the same engine on transcripts. Nothing imports [`server`], `console` or [`cli`].

#![cfg_attr(not(test), deny(clippy::unwrap_used))]

pub mod channel;
pub mod chat;
pub mod cli;
pub mod console;
pub mod engine;
pub mod flow;
pub mod lsp;
pub mod message;
pub mod server;
pub mod store;
pub mod voice;

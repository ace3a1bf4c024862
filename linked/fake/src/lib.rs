//! A stand-in for WhatsApp's chat server, for the phone that owns an account, and for its customers.
//!
//! It listens on 127.0.0.1 only and is meant for tests: a companion pairs with it by the text of a QR code, logs in,
//! and exchanges messages that are really sealed and really opened. [`StandIn`] is the server with its controls,
//! [`StandIn::phone`] is the owner's phone, [`StandIn::customer`] a person who writes.
//!
//! It answers what a linked device asks of the real server, in the shapes the real server uses, and nothing more:
//! there are no groups, no history and no passkeys here.

mod controls;
mod customer;
mod iq;
mod media;
mod noise;
mod party;
mod phone;
mod server;
mod socket;
mod stanza;
mod world;

pub use controls::LoginAnswer;
pub use customer::{Customer, Heard};
pub use media::MEDIA_HOST;
pub use phone::Phone;
pub use server::StandIn;

//! Holds WhatsApp devices that are linked by QR code, one a session, and serves them over the WAHA HTTP contract.
//!
//! The road of a message in: `session` decrypts it, `instance` makes it durable in its own file before the server is
//! told that it arrived, `webhooks` posts it until it is taken. Out: `api` takes a request, `pace` lets it through,
//! `session` seals and sends it, and the server's answer decides what is reported.

pub mod api;
pub mod instance;
#[cfg(feature = "loopback-test")]
pub mod loopback;
pub mod pace;
pub mod place;
pub mod qr;
pub mod records;
pub mod session;
pub mod settings;
pub mod states;
pub mod waha;
pub mod webhooks;

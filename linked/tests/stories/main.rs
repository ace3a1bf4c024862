//! Stories of the companion: the real executable beside a stand-in of WhatsApp's server and of the owner's phone, all on
//! loopback. They need a build with the feature `loopback-test`; `make test-linked` makes it.
// The helpers of stories fail by panicking, too.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "loopback-test")]

mod crash;
mod cycle;
mod doors;
mod messages;
mod rig;
mod switchboard;
mod troubles;

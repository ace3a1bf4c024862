//! Every promise shown under faults: real workers, a real store, the provider's double, and customers whose right answers
//! can be computed. Each scenario breaks something for a while; then everything that was taken must have been answered
//! once, in order, and nothing may be left.
//!
//! `make faults` runs the short form and prints one line for each scenario; `make faults FAULTS=long` the long one.

// Helpers of tests stand outside test functions here; a panic is how they say that a promise was broken.
#![allow(clippy::unwrap_used)]

#[path = "../double/mod.rs"]
mod double;
#[path = "../proxy/mod.rs"]
mod proxy;
#[path = "../redis/mod.rs"]
mod redis;

mod business;
mod customers;
mod fleet;
mod heard;
mod plan;
mod scenario;
mod verdict;
mod world;

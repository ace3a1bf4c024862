//! The store for many machines: conversations in Redis, every step one script in one slot.

pub mod link;
mod script;
mod slot;

pub use script::Script;
pub use slot::{PARTITIONS, Partition, slot_of};

//! What every store must do: one suite, run on each of them from `tests/store`.
//!
//! The cases know a store only by its trait and move its clock; they never sleep. A new store brings an [`UnderTest`]
//! and calls `conformance!` with it.

#[macro_use]
mod cases;
pub mod bed;
pub mod claims;
pub mod dead;
pub mod mailbox;
pub mod outbox;
pub mod pace;
pub mod people;
pub mod takeover;
pub mod timers;
pub mod turns;
pub mod whole;

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use switchboard::store::{Caps, Store};

/// A fresh, empty store and its clock.
#[async_trait]
pub trait UnderTest: Send + Sync {
    fn store(&self) -> Arc<dyn Store>;
    /// Moves the store's clock; back too.
    fn shift(&self, millis: i64);
    /// Closes the store and opens the same records again.
    async fn reopen(&mut self);
}

pub type Opening = Pin<Box<dyn Future<Output = Box<dyn UnderTest>> + Send>>;
pub type Open = fn(Caps) -> Opening;

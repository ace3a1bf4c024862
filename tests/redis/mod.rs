//! Private Redis servers for tests: real `redis-server` and `redis-sentinel` processes on free ports of loopback, each with
//! its own folder, ended by their ids when the rig is dropped. Nothing here touches a Redis that was there before.
//!
//! [`Server`] is one server; [`Sentinels`] a primary with a replica and three sentinels; [`Cluster`] three masters with
//! a replica each. A rig is ready when its constructor returns. Calls block for milliseconds: tests use them as they are.
//!
//! `SWITCHBOARD_TEST_REDIS` names another program than `redis-server`, such as `valkey-server`; its sentinel mode is used too.
//! After a failed test the folder with the logs is kept and its path is printed.

// Each test binary that includes this uses a part of it.
#![allow(dead_code, unused_imports)]

mod ask;
pub mod clock;
mod cluster;
mod port;
mod sentinels;
mod server;

use std::time::{Duration, Instant};

pub use ask::Reply;
pub use cluster::{Cluster, OneNode};
pub use sentinels::Sentinels;
pub use server::{Options, Persist, Server};

/// How long a rig waits for something that must come. Only a failure takes that long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `wanted` gives something.
#[track_caller]
pub fn wait<T>(what: &str, mut wanted: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = wanted() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

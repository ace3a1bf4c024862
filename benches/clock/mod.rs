//! Time that this thread spent on a processor: what a computation costs, whatever else the machine is doing.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Since some moment in the past. Where the system does not tell (it is read from Linux's `/proc`), time on the wall.
pub fn on_processor() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat");
    let nanoseconds = told.ok().and_then(|told| told.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

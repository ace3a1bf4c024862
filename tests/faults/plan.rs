//! How much of a scenario is run, and by which seed: `FAULTS=long`, `FAULTS_SEED=7`.

use std::time::{Duration, Instant};

/// The form in which everything is run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub long: bool,
    pub seed: u64,
}

impl Plan {
    /// As the environment says; the short form with seed 1 without it.
    pub fn asked() -> Plan {
        let long = match std::env::var("FAULTS").as_deref() {
            Ok("long") => true,
            Ok("short") | Err(_) => false,
            Ok(other) => panic!("FAULTS is {other:?}; it can be \"short\" or \"long\""),
        };
        let seed = std::env::var("FAULTS_SEED").map_or(1, |seed| {
            seed.parse()
                .unwrap_or_else(|_| panic!("FAULTS_SEED is {seed:?}; it must be a whole number"))
        });
        Plan { long, seed }
    }

    /// One of two sizes.
    pub fn size<T>(&self, short: T, long: T) -> T {
        if self.long { long } else { short }
    }

    pub fn random(&self, salt: u64) -> Random {
        Random(self.seed ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// A sequence that depends on its seed only (SplitMix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.draw() % end.max(1)
    }

    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to.saturating_sub(from)))
    }
}

/// Waits until `holds`, and fails after `patience`.
pub async fn until(what: &str, patience: Duration, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(
            began.elapsed() < patience,
            "waited {patience:?} in vain for {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

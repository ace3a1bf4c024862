//! Named places where a test may stop this process, as a crash would: `SWITCHBOARD_FAILPOINT=before_send:abort`.
//!
//! Several places are separated by commas. What happens there:
//!
//! | action | |
//! | --- | --- |
//! | `abort` | the process dies on the spot |
//! | `hold` | it says on standard error that the place was reached and never goes on, so that a test can kill it |
//! | `pause=MS` | it goes on after so many milliseconds, perhaps as one that has lost its lease |
//! | `error` | of a step of the store, `store.commit`: it is not taken, and the caller is told that the store is away |
//! | `lose` | of a step of the store: it is taken, and its answer gets lost |
//!
//! `@N` behind an action leaves the first N-1 times alone; `%P` lets it happen in P of 100 cases, drawn by
//! `SWITCHBOARD_FAILPOINT_SEED`, place and count if the seed is given.
//!
//! `SWITCHBOARD_CLOCK_AHEAD` moves the process's clock by so many seconds; `SWITCHBOARD_HASTE=10` makes leases and the waits
//! that follow a death ten times shorter. Release builds have none of this unless they ask for the feature `failpoints`.

use std::sync::Arc;
use std::time::Duration;

use crate::store::{Clock, StoreError, SystemClock};

/// Stops here if a test asked for it. The name is for the test's eyes.
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(any(debug_assertions, feature = "failpoints"))]
        $crate::server::failpoint::reached($name).await
    };
}

#[cfg(any(debug_assertions, feature = "failpoints"))]
mod asked {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    pub(super) enum Action {
        Abort,
        Hold,
        Pause(Duration),
        Error,
        Lose,
    }

    pub(super) struct Asked {
        place: String,
        action: Action,
        /// Leaves the first ones alone.
        from: u64,
        percent: u64,
        reached: AtomicU64,
    }

    impl Asked {
        fn parse(text: &str) -> Option<Asked> {
            let (place, rest) = text.split_once(':')?;
            let (rest, percent) = match rest.split_once('%') {
                Some((rest, percent)) => (rest, percent.parse().ok()?),
                None => (rest, 100),
            };
            let (rest, from) = match rest.split_once('@') {
                Some((rest, from)) => (rest, from.parse().ok()?),
                None => (rest, 1),
            };
            let action = match rest.split_once('=') {
                None if rest == "abort" => Action::Abort,
                None if rest == "hold" => Action::Hold,
                None if rest == "error" && is_step(place) => Action::Error,
                None if rest == "lose" && is_step(place) => Action::Lose,
                Some(("pause", millis)) => Action::Pause(Duration::from_millis(millis.parse().ok()?)),
                None | Some(_) => return None,
            };
            Some(Asked {
                place: place.to_owned(),
                action,
                from,
                percent,
                reached: AtomicU64::new(0),
            })
        }

        /// What is to happen at this place now.
        pub(super) fn at(place: &str) -> Option<&'static Action> {
            static ALL: OnceLock<Vec<Asked>> = OnceLock::new();
            let all = ALL.get_or_init(|| {
                let text = std::env::var("SWITCHBOARD_FAILPOINT").unwrap_or_default();
                let one_by_one = text.split(',').map(str::trim).filter(|one| !one.is_empty());
                one_by_one
                    .map(|one| {
                        Asked::parse(one).unwrap_or_else(|| {
                            panic!("SWITCHBOARD_FAILPOINT has {one:?}: a test set it wrongly")
                        })
                    })
                    .collect()
            });
            let asked = all.iter().find(|asked| asked.place == place)?;
            let times = asked.reached.fetch_add(1, Ordering::Relaxed) + 1;
            let drawn = || match seed() {
                Some(seed) => drawn(seed, place, times) % 100,
                None => getrandom::u64().map_or(0, |drawn| drawn % 100),
            };
            (times >= asked.from && (asked.percent >= 100 || drawn() < asked.percent))
                .then_some(&asked.action)
        }
    }

    /// Only these can fail; other places are passed or not.
    fn is_step(place: &str) -> bool {
        place.starts_with("store.")
    }

    fn seed() -> Option<u64> {
        static SEED: OnceLock<Option<u64>> = OnceLock::new();
        *SEED.get_or_init(|| {
            let seed = std::env::var("SWITCHBOARD_FAILPOINT_SEED").ok()?;
            Some(
                seed.parse()
                    .expect("SWITCHBOARD_FAILPOINT_SEED is a whole number: a test set it"),
            )
        })
    }

    /// The same for the same seed, place and count (FNV-1a, then SplitMix64).
    pub(super) fn drawn(seed: u64, place: &str, times: u64) -> u64 {
        let place = place.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mut z = (seed ^ place).wrapping_add(times.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn what_a_test_asks_for_is_read_and_a_mistake_is_not_overlooked() {
            let asked = Asked::parse("before_commit:pause=30@4%8").expect("it is right");
            assert_eq!(
                (&*asked.place, asked.from, asked.percent),
                ("before_commit", 4, 8)
            );
            assert!(matches!(asked.action, Action::Pause(time) if time == Duration::from_millis(30)));
            for right in [
                "store.commit:error",
                "store.ingest:lose%5",
                "after_send:abort@2",
                "after_send:hold",
            ] {
                assert!(Asked::parse(right).is_some(), "{right}");
            }
            // Only a step of the store can be told to fail.
            for wrong in [
                "before_commit:error",
                "before_commit:lose",
                "before_commit",
                "x:pause",
                "x:die",
                "x:abort@y",
            ] {
                assert!(Asked::parse(wrong).is_none(), "{wrong}");
            }
        }

        #[test]
        fn a_seed_draws_the_same_again_and_about_as_often_as_it_was_asked_to() {
            let hits = |seed, place: &str| {
                (1..=2_000)
                    .filter(|times| drawn(seed, place, *times) % 100 < 8)
                    .collect::<Vec<_>>()
            };
            assert_eq!(hits(7, "before_commit"), hits(7, "before_commit"));
            assert_ne!(hits(7, "before_commit"), hits(8, "before_commit"));
            assert_ne!(hits(7, "before_commit"), hits(7, "before_send"));
            assert!((100..220).contains(&hits(7, "before_commit").len()));
        }
    }
}

#[cfg(any(debug_assertions, feature = "failpoints"))]
pub async fn reached(name: &str) {
    if let Some(action) = asked::Asked::at(name) {
        happen(name, action).await;
    }
}

#[cfg(any(debug_assertions, feature = "failpoints"))]
async fn happen(name: &str, action: &asked::Action) {
    eprintln!("failpoint {name} reached");
    match action {
        asked::Action::Abort => std::process::abort(),
        asked::Action::Hold => std::future::pending().await,
        asked::Action::Pause(time) => tokio::time::sleep(*time).await,
        // They are read for steps of the store only, see `step`.
        asked::Action::Error | asked::Action::Lose => {}
    }
}

/// A step of the store, as a test wants it to end.
#[cfg(any(debug_assertions, feature = "failpoints"))]
pub async fn step<T>(name: &str, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let place = format!("store.{name}");
    match asked::Asked::at(&place) {
        None => work.await,
        Some(asked::Action::Error) => Err(StoreError::Unavailable(format!("a test refuses {place}"))),
        Some(asked::Action::Lose) => {
            let taken = work.await;
            taken.and_then(|_| Err(StoreError::Unknown(format!("a test lost the answer of {place}"))))
        }
        Some(action @ (asked::Action::Abort | asked::Action::Hold | asked::Action::Pause(_))) => {
            happen(&place, action).await;
            work.await
        }
    }
}

/// A step of the store.
#[cfg(not(any(debug_assertions, feature = "failpoints")))]
pub async fn step<T>(
    _name: &str,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    work.await
}

/// A lease, or a wait that follows a death; a test may have shortened all of them.
pub fn hasty(time: Duration) -> Duration {
    #[cfg(any(debug_assertions, feature = "failpoints"))]
    {
        static HASTE: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
        let haste = HASTE.get_or_init(|| {
            std::env::var("SWITCHBOARD_HASTE").map_or(1, |haste| {
                haste
                    .parse()
                    .expect("SWITCHBOARD_HASTE is a whole number above 0: a test set it")
            })
        });
        time / *haste
    }
    #[cfg(not(any(debug_assertions, feature = "failpoints")))]
    time
}

/// The system's clock; a test may have moved it.
pub fn clock() -> Arc<dyn Clock> {
    #[cfg(any(debug_assertions, feature = "failpoints"))]
    if let Ok(ahead) = std::env::var("SWITCHBOARD_CLOCK_AHEAD") {
        let moved = crate::store::MovableClock::default();
        let seconds = ahead
            .parse()
            .expect("SWITCHBOARD_CLOCK_AHEAD is a number of seconds: a test set it");
        moved.advance(std::time::Duration::from_secs(seconds));
        return Arc::new(moved);
    }
    Arc::new(SystemClock)
}

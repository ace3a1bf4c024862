//! Named places where a test may stop this process, as a crash would: `SWITCHBOARD_FAILPOINT=before_send:abort`.
//!
//! Several places are separated by commas. What happens there:
//!
//! | action | |
//! | --- | --- |
//! | `abort` | the process dies on the spot |
//! | `hold` | it says on standard error that the place was reached and never goes on, so that a test can kill it |
//! | `pause=MS` | it goes on after so many milliseconds, perhaps as one that has lost its lease |
//!
//! `@N` behind an action leaves the first N-1 times alone; `%P` lets it happen in P of 100 cases.
//!
//! `SWITCHBOARD_CLOCK_AHEAD` moves the process's clock by so many seconds; `SWITCHBOARD_HASTE=10` makes leases and the waits
//! that follow a death ten times shorter. Release builds have none of this unless they ask for the feature `failpoints`.

use std::sync::Arc;
use std::time::Duration;

use crate::store::{Clock, SystemClock};

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
            let drawn = || getrandom::u64().map_or(0, |drawn| drawn % 100);
            (times >= asked.from && (asked.percent >= 100 || drawn() < asked.percent))
                .then_some(&asked.action)
        }
    }
}

#[cfg(any(debug_assertions, feature = "failpoints"))]
pub async fn reached(name: &str) {
    match asked::Asked::at(name) {
        Some(asked::Action::Abort) => {
            eprintln!("failpoint {name} reached");
            std::process::abort();
        }
        Some(asked::Action::Hold) => {
            eprintln!("failpoint {name} reached");
            std::future::pending::<()>().await;
        }
        Some(asked::Action::Pause(time)) => {
            eprintln!("failpoint {name} reached");
            tokio::time::sleep(*time).await;
        }
        None => {}
    }
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

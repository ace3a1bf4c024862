//! Named places where a test may stop this process, as a crash would: `SWITCHBOARD_FAILPOINT=before_send:abort`.
//!
//! `abort` kills the process on the spot. `hold` says on standard error that the place was reached and then never
//! goes on, so that a test can kill the process from outside. `SWITCHBOARD_CLOCK_AHEAD` moves the process's clock by so
//! many seconds. Release builds have none of this unless they ask for the feature `failpoints`.

use std::sync::Arc;

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
pub async fn reached(name: &str) {
    let Ok(asked) = std::env::var("SWITCHBOARD_FAILPOINT") else {
        return;
    };
    match asked.split_once(':') {
        Some((place, "abort")) if place == name => {
            eprintln!("failpoint {name} reached");
            std::process::abort();
        }
        Some((place, "hold")) if place == name => {
            eprintln!("failpoint {name} reached");
            std::future::pending::<()>().await;
        }
        Some(_) | None => {}
    }
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

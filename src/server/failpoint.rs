//! Named places where a test may stop this process, as a crash would: `SWITCHBOARD_FAILPOINT=before_send:abort`.
//!
//! `abort` kills the process on the spot. `hold` says on standard error that the place was reached and then never
//! goes on, so that a test can kill the process from outside. Release builds have none of this unless they ask for the
//! feature `failpoints`.

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

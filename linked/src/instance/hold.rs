//! A place where a test may hold this process, to kill it there. A build that runs holds nowhere.

/// Waits for ever if a test asked to be held at `point`, after saying that it is there.
#[cfg(feature = "loopback-test")]
pub(super) async fn at(point: &str) {
    if std::env::var("LINKED_HOLD_AT").is_ok_and(|wanted| wanted == point)
        && let Ok(marker) = std::env::var("LINKED_HOLD_MARKER")
        && std::fs::write(marker, point).is_ok()
    {
        std::future::pending::<()>().await;
    }
}

#[cfg(not(feature = "loopback-test"))]
pub(super) async fn at(_point: &str) {}

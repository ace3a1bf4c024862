//! What has happened already must be written down: a message that is with the provider, a service that was called. A
//! store that is away for a moment must not make it happen twice.

use std::future::Future;
use std::time::Duration;

use crate::store::StoreError;

/// The waits between tries; together well within a sender's lease.
const WAITS: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(5),
];

/// Repeats a step of the store that may be repeated while the store is away, full or silent.
pub(super) async fn repeated<T, F>(step: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    for wait in WAITS {
        match step().await {
            Err(
                StoreError::Unavailable(_)
                | StoreError::Full(_)
                | StoreError::ReadOnly(_)
                | StoreError::Unknown(_),
            ) => {
                tokio::time::sleep(wait).await;
            }
            other => return other,
        }
    }
    step().await
}

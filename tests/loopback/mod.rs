//! What stand-ins on loopback have in common: they serve a router, and a test waits for what they come to know.

// Each stand-in uses a part of it.
#![allow(dead_code)]

use std::time::Duration;

use axum::Router;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// How long a test waits for something that must come. Only a failure takes that long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Serves until the task ends.
pub async fn serve(listener: TcpListener, router: Router) {
    while let Ok((stream, _)) = listener.accept().await {
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            // The other side may go away, or be killed, at any time.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Waits for what `look` gives, or gives up. Whoever changes what it looks at notifies `changed` after.
pub async fn comes<T>(changed: &Notify, look: impl Fn() -> Option<T>) -> Option<T> {
    let found = async {
        loop {
            let notified = changed.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if let Some(found) = look() {
                return found;
            }
            notified.await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await.ok()
}

//! The page itself, on a listener of its own: what watches the server must not share an address with what the world
//! may reach.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use super::series::Maker;
use super::{Queue, process};
use crate::server::overview;
use crate::server::parts::{Gate, Shared, lock};
use crate::store::{Due, StoreError};

/// How long the page waits for the store. The counts are shown without it.
const STORE_WITHIN: Duration = Duration::from_secs(1);

/// `/metrics`, to be served beside the pages of health.
pub(in crate::server) fn routes(shared: Arc<Shared>) -> Router {
    Router::new().route("/metrics", get(show)).with_state(shared)
}

async fn show(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let metrics = &shared.metrics;
    metrics.gauges.uptime.set(metrics.uptime().as_secs_f64());
    process::look(Maker(&metrics.recorder));
    for (id, number) in &shared.numbers {
        let stopped = matches!(&*lock(&number.gate), Gate::Stopped { .. });
        let series = metrics.channel(id);
        series.stopped.set(f64::from(u8::from(stopped)));
        series.autopilot.set(f64::from(u8::from(number.autopilot())));
    }
    let looked = tokio::time::timeout(STORE_WITHIN, look(&shared)).await;
    let up = matches!(looked, Ok(Ok(())));
    metrics.gauges.up.set(f64::from(u8::from(up)));
    if !up {
        // What was true before must not be shown as if it were true now.
        for queue in [Queue::Mailbox, Queue::Outbox, Queue::Timers, Queue::Jobs] {
            metrics.gauges.oldest.of(queue).set(f64::NAN);
        }
    }
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics.page.render())
}

async fn look(shared: &Shared) -> Result<(), StoreError> {
    for (queue, due) in [
        (Queue::Mailbox, Due::Run),
        (Queue::Outbox, Due::Send),
        (Queue::Timers, Due::Timer),
        (Queue::Jobs, Due::Job),
    ] {
        let oldest = overview::oldest(shared.store.as_ref(), due).await?;
        shared.metrics.gauges.oldest.of(queue).set(oldest);
    }
    Ok(())
}

//! The page itself, on a listener of its own: what watches the server must not share an address with what the world
//! may reach.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use super::series::Maker;
use super::{Queue, process};
use crate::server::api::overview;
use crate::server::parts::Shared;
use crate::store::{AtWork, StoreError};

/// How long the page waits for the store. The counts are shown without it.
const STORE_WITHIN: Duration = Duration::from_secs(1);

/// In the order in which [`overview::depths`] gives them.
const QUEUES: [Queue; 4] = [Queue::Mailbox, Queue::Outbox, Queue::Timers, Queue::Jobs];

/// `/metrics`, to be served beside the pages of health.
pub(in crate::server) fn routes(shared: Arc<Shared>) -> Router {
    Router::new().route("/metrics", get(show)).with_state(shared)
}

async fn show(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let metrics = &shared.metrics;
    metrics.gauges.uptime.set(metrics.uptime().as_secs_f64());
    process::look(Maker(&metrics.recorder));
    for (id, number) in &shared.numbers {
        let stopped = number.stopped().is_some();
        let series = metrics.channel(id);
        series.stopped.set(f64::from(u8::from(stopped)));
        series.autopilot.set(f64::from(u8::from(number.autopilot())));
    }
    let looked = tokio::time::timeout(STORE_WITHIN, look(&shared)).await;
    let up = matches!(looked, Ok(Ok(_)));
    metrics.gauges.up.set(f64::from(u8::from(up)));
    if !up {
        // What was true before must not be shown as if it were true now.
        let gauges = &metrics.gauges;
        for queue in QUEUES {
            gauges.waiting.of(queue).set(f64::NAN);
            gauges.oldest.of(queue).set(f64::NAN);
        }
        for gauge in [
            &gauges.contacts,
            &gauges.parked,
            &gauges.quarantined,
            &gauges.unreadable,
            &gauges.bytes,
        ] {
            gauge.set(f64::NAN);
        }
    }
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    let mut page = metrics.page.render();
    if let Ok(Ok(workers)) = looked {
        write_workers(&mut page, &workers);
    }
    ([(header::CONTENT_TYPE, kind)], page)
}

/// Written anew each time: the series of a worker that went must go with it.
fn write_workers(page: &mut String, workers: &[AtWork]) {
    type Value = fn(&AtWork) -> f64;
    let series: [(&str, &str, Value); 2] = [
        (
            "switchboard_worker_partitions",
            "Parts of the store that each live worker looks after.",
            |worker| worker.partitions as f64,
        ),
        (
            "switchboard_worker_start_seconds",
            "When each live worker started, in seconds since 1970.",
            |worker| worker.since.as_millisecond() as f64 / 1000.0,
        ),
    ];
    if workers.is_empty() {
        return;
    }
    for (name, help, value) in series {
        // Writing to a string does not fail.
        let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} gauge");
        for worker in workers {
            let (named, version) = (label(&worker.name), label(&worker.version));
            let _ = writeln!(
                page,
                "{name}{{worker=\"{named}\",version=\"{version}\",format=\"{}\"}} {}",
                worker.reads.1,
                value(worker)
            );
        }
    }
}

fn label(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

async fn look(shared: &Shared) -> Result<Vec<AtWork>, StoreError> {
    let depths = overview::depths(shared.store.as_ref()).await?;
    let gauges = &shared.metrics.gauges;
    for (queue, waiting) in QUEUES.into_iter().zip(&depths.queues) {
        gauges.waiting.of(queue).set(waiting.waiting as f64);
        gauges.oldest.of(queue).set(waiting.oldest_seconds);
    }
    gauges.contacts.set(depths.contacts as f64);
    gauges.parked.set(depths.parked as f64);
    gauges.quarantined.set(depths.quarantined as f64);
    gauges.unreadable.set(depths.unreadable as f64);
    gauges
        .bytes
        .set(depths.bytes.map_or(f64::NAN, |bytes| bytes as f64));
    gauges
        .bytes_limit
        .set(depths.bytes_limit.map_or(f64::NAN, |bytes| bytes as f64));
    gauges.leases_expired.absolute(depths.leases_lost);
    gauges.parked_dropped.absolute(depths.parked_dropped);
    Ok(depths.workers)
}

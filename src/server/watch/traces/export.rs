//! Spans on their way to the collector: batched by OpenTelemetry's own thread, posted by the HTTP client that everything
//! else here uses.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use url::Url;

use super::{Spans, TARGET, TracesError};

/// How long a batch may take.
const WITHIN: Duration = Duration::from_secs(5);
/// How long the last batch may take while the process ends.
const LAST_WITHIN: Duration = Duration::from_secs(3);
/// A collector's answer is looked at this far.
const ANSWER_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Exporter {
    provider: SdkTracerProvider,
}

pub(super) fn start(endpoint: Option<&Url>) -> Result<(Spans, Exporter), TracesError> {
    let client = reqwest::Client::builder()
        .timeout(WITHIN)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|why| TracesError(why.to_string()))?;
    let post = Post {
        client,
        runtime: Handle::current(),
        failing: AtomicBool::new(false),
    };
    let mut exporter = SpanExporter::builder().with_http().with_http_client(post);
    if let Some(endpoint) = endpoint {
        exporter = exporter.with_endpoint(format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/')));
    }
    let exporter = exporter.build().map_err(|why| TracesError(why.to_string()))?;
    let mut resource = Resource::builder();
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name("switchboard");
    }
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource.build())
        .build();
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("switchboard"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(|metadata| {
            metadata.is_span() && metadata.target() == TARGET
        }))
        .boxed();
    Ok((spans, Exporter { provider }))
}

impl Exporter {
    /// Sends what is left.
    pub async fn stop(self) {
        // It waits for a thread of its own, so it must not hold one of ours.
        let stopped =
            tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(LAST_WITHIN)).await;
        if !matches!(stopped, Ok(Ok(()))) {
            tracing::warn!("the last traces could not be sent");
        }
    }
}

/// Posts from OpenTelemetry's thread on our runtime.
#[derive(Debug)]
struct Post {
    client: reqwest::Client,
    runtime: Handle,
    failing: AtomicBool,
}

#[async_trait]
impl HttpClient for Post {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let answer = self.runtime.spawn(answer(self.client.clone(), request)).await;
        let answer = answer.map_err(HttpError::from).and_then(|answer| answer);
        self.tell(&answer);
        answer
    }
}

async fn answer(client: reqwest::Client, request: reqwest::Request) -> Result<Response<Bytes>, HttpError> {
    let mut got = client.execute(request).await?;
    let mut body = Vec::new();
    while let Some(chunk) = got.chunk().await? {
        if body.len() + chunk.len() > ANSWER_BYTES {
            return Err("the collector's answer is too long".into());
        }
        body.extend_from_slice(&chunk);
    }
    let mut answer = Response::new(Bytes::from(body));
    *answer.status_mut() = got.status();
    *answer.headers_mut() = std::mem::take(got.headers_mut());
    Ok(answer)
}

impl Post {
    /// One line when it begins to fail and one when it works again: a collector that is away is no reason for more.
    fn tell(&self, answer: &Result<Response<Bytes>, HttpError>) {
        let why = match answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(answer.status().to_string()),
            Err(why) => Some(why.to_string()),
        };
        let failed_before = self.failing.swap(why.is_some(), Ordering::Relaxed);
        match why {
            Some(why) if !failed_before => {
                tracing::warn!(
                    why,
                    "the collector does not take traces; they are dropped until it does"
                );
            }
            None if failed_before => tracing::info!("the collector takes traces again"),
            Some(_) | None => {}
        }
    }
}

//! Traces of the road: a span for each webhook, turn, attempt to send and job, sent to a collector of OpenTelemetry in
//! builds with the feature `otlp`, and nothing at all in others. A span holds names of the operator's own and how it
//! ended; no number, text or contact.

#[cfg(feature = "otlp")]
mod export;

use tracing_subscriber::{Layer, Registry};

use crate::server::config::TracesConfig;

/// Takes the spans of this process.
pub type Spans = Box<dyn Layer<Registry> + Send + Sync>;

/// Why no traces can be sent.
#[derive(Debug, thiserror::Error)]
#[error("traces can't be sent: {0}. Correct `endpoint` in [traces] or OTEL_EXPORTER_OTLP_ENDPOINT")]
pub struct TracesError(pub(self) String);

/// Sends spans in the background.
#[derive(Debug)]
pub struct Sending {
    #[cfg(feature = "otlp")]
    exporter: export::Exporter,
}

impl Sending {
    /// Sends what is left, for a few seconds at most.
    pub async fn stop(self) {
        #[cfg(feature = "otlp")]
        self.exporter.stop().await;
    }
}

/// Begins to send traces, if the configuration or the environment asks for it. Needs a runtime.
///
/// # Errors
/// If the collector's address can't be used.
#[cfg(feature = "otlp")]
pub fn start(config: Option<&TracesConfig>) -> Result<Option<(Spans, Sending)>, TracesError> {
    let asked = [
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    ];
    if config.is_none() && asked.iter().all(|name| std::env::var_os(name).is_none()) {
        return Ok(None);
    }
    let endpoint = config.and_then(|config| config.endpoint.as_ref());
    let (spans, exporter) = export::start(endpoint)?;
    Ok(Some((spans, Sending { exporter })))
}

/// This build sends none.
///
/// # Errors
/// Never.
#[cfg(not(feature = "otlp"))]
pub fn start(_config: Option<&TracesConfig>) -> Result<Option<(Spans, Sending)>, TracesError> {
    Ok(None)
}

/// The target that tells our spans from those of libraries.
#[cfg(feature = "otlp")]
const TARGET: &str = "switchboard::trace";

/// A piece of work while it lasts.
#[derive(Debug)]
pub(in crate::server) struct Span {
    #[cfg(feature = "otlp")]
    span: tracing::Span,
}

/// Opens a span in builds that send them.
macro_rules! open {
    ($name:literal, $kind:literal, $($field:ident = $value:expr),+) => {{
        #[cfg(feature = "otlp")]
        let opened = Span {
            span: tracing::info_span!(
                target: TARGET, parent: None, $name, otel.kind = $kind, otel.status_code = tracing::field::Empty,
                outcome = tracing::field::Empty, $($field = $value),+
            ),
        };
        #[cfg(not(feature = "otlp"))]
        let opened = {
            $(let _ = $value;)+
            Span {}
        };
        opened
    }};
}

impl Span {
    pub fn webhook(channel: &str) -> Span {
        open!("webhook", "server", channel = channel)
    }

    pub fn turn(channel: &str, events: usize) -> Span {
        open!("turn", "consumer", channel = channel, events = events as u64)
    }

    pub fn send(channel: &str, attempt: u32) -> Span {
        open!("send", "client", channel = channel, attempt = attempt)
    }

    pub fn job(channel: &str, kind: &'static str) -> Span {
        open!("job", "client", channel = channel, kind = kind)
    }

    /// Ends it, with the word that the metrics have for it.
    pub fn end(self, outcome: &str, failed: bool) {
        #[cfg(feature = "otlp")]
        {
            self.span.record("outcome", outcome);
            self.span
                .record("otel.status_code", if failed { "ERROR" } else { "OK" });
        }
        #[cfg(not(feature = "otlp"))]
        let _ = (outcome, failed);
    }
}

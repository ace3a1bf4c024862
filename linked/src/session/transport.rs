//! Sockets of the engine, counted. The engine gives no sign when connecting keeps failing; this does.
//!
//! In a build for the tests an address that is not loopback is refused here, so that no test can reach a live server.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;
use wacore::net::{Transport, TransportEvent, TransportFactory};
use whatsapp_rust::async_channel::{self, Receiver};
use whatsapp_rust_tokio_transport::TokioWebSocketTransportFactory;

use super::Happening;

pub(super) struct CountedTransport {
    inner: TokioWebSocketTransportFactory,
    #[cfg(feature = "loopback-test")]
    url: String,
    attempts: Arc<Attempts>,
    happenings: UnboundedSender<Happening>,
}

/// What is known of the line: attempts since the last login, and when the server was last heard.
#[derive(Default)]
pub(super) struct Attempts {
    since_login: AtomicU32,
    /// Seconds since 1970; 0 is never.
    heard: AtomicI64,
}

impl Attempts {
    pub(super) fn good(&self) {
        self.since_login.store(0, Ordering::Relaxed);
    }

    pub(super) fn heard(&self) -> Option<Timestamp> {
        let heard = Some(self.heard.load(Ordering::Relaxed)).filter(|heard| *heard != 0)?;
        Timestamp::from_second(heard).ok()
    }

    fn next(&self) -> u32 {
        self.since_login.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The same events, looked at as they pass.
    fn watched(self: &Arc<Self>, events: Receiver<TransportEvent>) -> Receiver<TransportEvent> {
        let (onward, watched) = async_channel::bounded(1);
        let line = Arc::clone(self);
        tokio::spawn(async move {
            while let Ok(event) = events.recv().await {
                if matches!(event, TransportEvent::DataReceived(_)) {
                    line.heard.store(Timestamp::now().as_second(), Ordering::Relaxed);
                }
                if onward.send(event).await.is_err() {
                    return;
                }
            }
        });
        watched
    }
}

impl CountedTransport {
    /// To WhatsApp, and nowhere else.
    #[cfg(not(feature = "loopback-test"))]
    pub(super) fn new(attempts: Arc<Attempts>, happenings: UnboundedSender<Happening>) -> Self {
        Self {
            inner: TokioWebSocketTransportFactory::new(),
            attempts,
            happenings,
        }
    }

    /// To the stand-in that the test has started.
    #[cfg(feature = "loopback-test")]
    pub(super) fn new(attempts: Arc<Attempts>, happenings: UnboundedSender<Happening>, url: &str) -> Self {
        let inner = TokioWebSocketTransportFactory::new().with_url(url);
        Self {
            inner,
            url: url.to_owned(),
            attempts,
            happenings,
        }
    }
}

#[async_trait]
impl TransportFactory for CountedTransport {
    async fn create_transport(&self) -> anyhow::Result<(Arc<dyn Transport>, Receiver<TransportEvent>)> {
        let attempt = self.attempts.next();
        #[cfg(feature = "loopback-test")]
        crate::loopback::only(&self.url)?;
        match self.inner.create_transport().await {
            Ok((transport, events)) => {
                // A socket that opens is not yet a login: the third in a row without one is worth a word.
                if attempt >= 3 {
                    self.tell(attempt, "the server answers, but no login follows");
                }
                Ok((transport, self.attempts.watched(events)))
            }
            Err(error) => {
                self.tell(attempt, &error.to_string());
                Err(error)
            }
        }
    }
}

impl CountedTransport {
    fn tell(&self, attempt: u32, why: &str) {
        // Nobody listens any more once the session has been taken down.
        let _ = self.happenings.send(Happening::Unreachable {
            attempt,
            why: why.to_owned(),
        });
    }
}

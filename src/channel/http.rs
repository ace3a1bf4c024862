//! Requests and answers as plain values, so that a channel's codec needs no network, and the two ways to carry them.
//!
//! What counts most after a failed send is *where* it failed: before the body left, the message was certainly not
//! sent; after, nobody knows (there is no idempotency key at Meta), and only the caller may decide what to do.

use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use http::header::{ACCEPT, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

/// A request to a provider. Secret headers are marked sensitive and don't show in `Debug`; nor does the body, which
/// holds what people say to each other.
#[derive(Clone)]
pub struct HttpRequest {
    pub method: Method,
    pub url: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl HttpRequest {
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        HttpRequest {
            method,
            url: url.into(),
            headers: HeaderMap::new(),
            body: Vec::new(),
        }
    }

    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        // A value with control characters can only come from our own configuration; the provider then answers that
        // the header is missing, which names the fault better than a panic.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Adds a secret in a header. `prefix` is what stands before it, such as `Bearer `. White space around the secret,
    /// as files leave it, is dropped.
    pub fn secret(mut self, name: HeaderName, prefix: &str, secret: &SecretString) -> Self {
        if let Ok(mut value) = HeaderValue::from_str(&format!("{prefix}{}", secret.expose_secret().trim())) {
            value.set_sensitive(true);
            self.headers.insert(name, value);
        }
        self
    }

    pub fn body(mut self, content_type: &str, body: Vec<u8>) -> Self {
        self.body = body;
        self.header(http::header::CONTENT_TYPE, content_type)
    }
}

impl std::fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let address = self.url.split('?').next().unwrap_or_default();
        write!(f, "{} {address} ({} bytes)", self.method, self.body.len())
    }
}

/// What the provider answered, read whole.
#[derive(Clone)]
pub struct HttpResponse {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl std::fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HTTP {} ({} bytes)", self.status, self.body.len())
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendFailure {
    /// The request never left: name, connection or TLS failed. Safe to try again.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The request may have arrived: no answer in time, or the connection broke while reading it.
    #[error("sent, but the answer is unknown: {0}")]
    Unanswered(String),
}

/// An answer of ours to a provider's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: &'static [(&'static str, &'static str)],
    pub body: String,
}

impl Answer {
    /// JSON, for providers that read more than the status.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Answer {
            status,
            headers: &[
                ("content-type", "application/json"),
                ("x-content-type-options", "nosniff"),
            ],
            body: body.to_string(),
        }
    }

    /// Plain text that no browser takes for anything else.
    pub fn plain(status: u16, body: impl Into<String>) -> Self {
        Answer {
            status,
            headers: &[
                ("content-type", "text/plain; charset=utf-8"),
                ("x-content-type-options", "nosniff"),
            ],
            body: body.into(),
        }
    }
}

/// Carries a request once: no redirects, no retries, no second thoughts.
#[async_trait]
pub trait Transport: std::fmt::Debug + Send + Sync {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, SendFailure>;
}

/// How long a connection waits for the next request. Shorter than any server of note closes it.
const IDLE: Duration = Duration::from_secs(15);
const US: &str = concat!("switchboard/", env!("CARGO_PKG_VERSION"));

/// The real network.
#[derive(Debug, Clone)]
pub struct NetworkTransport {
    client: reqwest::Client,
    /// Carries sends, of which there is one or two for every turn: half the work of the one above.
    sender: Result<Sender, String>,
    total: Duration,
    largest_answer: usize,
}

type Sender = legacy::Client<Within, Full<Bytes>>;

impl NetworkTransport {
    /// # Errors
    /// If the TLS back end cannot be started.
    pub fn new(connect: Duration, total: Duration) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            // A connection the other side has closed in the meantime would make a send uncertain for no reason.
            .pool_idle_timeout(IDLE)
            .connect_timeout(connect)
            .timeout(total)
            .user_agent(US)
            .build()?;
        Ok(NetworkTransport {
            client,
            sender: sender(connect),
            total,
            largest_answer: 256 * 1024,
        })
    }

    /// The client itself, for a channel's own reads of media and health.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    async fn carry(&self, request: HttpRequest) -> Result<HttpResponse, SendFailure> {
        let not_sent = |why: String| SendFailure::NotSent(why);
        let sender = self.sender.as_ref().map_err(|why| not_sent(why.clone()))?;
        let mut sent = http::Request::new(Full::new(Bytes::from(request.body)));
        *sent.method_mut() = request.method;
        *sent.uri_mut() = address(&request.url).map_err(not_sent)?;
        *sent.headers_mut() = request.headers;
        sent.headers_mut()
            .insert(USER_AGENT, HeaderValue::from_static(US));
        sent.headers_mut().insert(ACCEPT, HeaderValue::from_static("*/*"));
        let response = sender.request(sent).await.map_err(failure_of)?;
        let (head, mut rest) = response.into_parts();
        let mut body = Vec::new();
        while let Some(frame) = rest.frame().await {
            let frame = frame.map_err(|why| SendFailure::Unanswered(told(&why)))?;
            // What is no piece of the body is a trailer, which nobody reads.
            let chunk = frame.into_data().unwrap_or_default();
            if body.len() + chunk.len() > self.largest_answer {
                return Err(SendFailure::Unanswered(format!(
                    "the answer is larger than {} bytes",
                    self.largest_answer
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpResponse {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        })
    }
}

#[async_trait]
impl Transport for NetworkTransport {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, SendFailure> {
        match timeout(self.total, self.carry(request)).await {
            Ok(answered) => answered,
            Err(_) => Err(SendFailure::Unanswered(format!(
                "no answer within {} s",
                self.total.as_secs_f64()
            ))),
        }
    }
}

fn sender(connect: Duration) -> Result<Sender, String> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let open = HttpsConnectorBuilder::new()
        .try_with_platform_verifier()
        .map_err(|why| format!("TLS can't be started: {why}"))?
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    let within = Within { open, time: connect };
    Ok(legacy::Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE)
        .pool_timer(TokioTimer::new())
        .build(within))
}

/// Opens connections, and gives up after a time: names, TCP and TLS together.
#[derive(Debug, Clone)]
struct Within {
    open: HttpsConnector<HttpConnector>,
    time: Duration,
}

impl tower::Service<Uri> for Within {
    type Response = <HttpsConnector<HttpConnector> as tower::Service<Uri>>::Response;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.open.poll_ready(context)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let (opening, time) = (self.open.call(to), self.time);
        Box::pin(async move {
            match timeout(time, opening).await {
                Ok(opened) => opened,
                Err(_) => Err(format!("no connection within {} s", time.as_secs_f64()).into()),
            }
        })
    }
}

/// Most addresses are in the form that goes over the wire; others, with a name of other letters say, are brought into it.
fn address(url: &str) -> Result<Uri, String> {
    if let Ok(uri) = url.parse::<Uri>()
        && uri.scheme().is_some()
        && uri.host().is_some()
    {
        return Ok(uri);
    }
    // Without the address, whose query may hold what should not be logged.
    let url = reqwest::Url::parse(url).map_err(|why| format!("the address can't be read: {why}"))?;
    let uri = url.as_str().parse();
    uri.map_err(|why: http::uri::InvalidUri| format!("the address can't be read: {why}"))
}

/// Where it failed. A connect error covers name, TCP and TLS; all else may have been read by the other side.
fn failure_of(error: legacy::Error) -> SendFailure {
    if error.is_connect() {
        SendFailure::NotSent(told(&error))
    } else {
        SendFailure::Unanswered(told(&error))
    }
}

/// An error with its causes. None of them holds an address.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

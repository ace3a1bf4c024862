//! The double's sockets. Not axum: a fault must be able to drop a connection without an answer, which a service that
//! may fail can do.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

use super::face::Face;
use super::log::Logged;
use super::state::Inner;
use super::{coster, dialog360, graph};

/// Meta takes documents of up to 100 MB.
const LARGEST: usize = 110 * 1024 * 1024;

/// A request, read whole.
#[derive(Debug)]
pub struct Asked {
    pub method: String,
    /// Without the version prefix and empty segments.
    pub segments: Vec<String>,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub content_type: String,
    pub token: Option<String>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.as_str())
    }

    /// A parameter of a small call: in the query, in a form or in a JSON body.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let of_json = || {
            let value = serde_json::from_slice::<Value>(&self.body).ok()?;
            match value.get(name)? {
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            }
        };
        let of_form = || {
            let form = self.content_type.starts_with("application/x-www-form-urlencoded");
            let mut pairs = url::form_urlencoded::parse(if form { &self.body } else { b"" });
            pairs
                .find(|(given, _)| given == name)
                .map(|(_, value)| value.into_owned())
        };
        self.query(name)
            .map(str::to_owned)
            .or_else(of_json)
            .or_else(of_form)
    }
}

/// What the double does with a request.
#[derive(Debug)]
pub enum Reply {
    Json(u16, Value),
    Bytes {
        mime: String,
        bytes: Vec<u8>,
    },
    Empty(u16),
    /// HTTP 429, to be asked again after so many seconds.
    TooMany(u64),
    /// Never.
    Hang,
    /// The connection is dropped.
    Reset,
}

pub async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let inner = Arc::clone(&inner);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&inner), request));
            // An error here is a client that left, or a fault that was asked for.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn answer(inner: Arc<Inner>, request: Request<Incoming>) -> Result<Response<Body>, Failure> {
    let (head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), LARGEST).await?.to_vec();
    let header = |name: &str| {
        head.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let path = head.uri.path().to_owned();
    let raw_query = head.uri.query().unwrap_or_default().to_owned();
    let query: Vec<(String, String)> = url::form_urlencoded::parse(raw_query.as_bytes())
        .into_owned()
        .collect();
    let face = inner.setup.face;
    let token = face.key_of(&head.headers, &path, &query);
    let asked = Asked {
        method: head.method.to_string(),
        segments: segments(&path),
        path: path.clone(),
        query,
        content_type: header("content-type").unwrap_or_default(),
        token,
        body,
    };
    let is_control = asked.segments.first().is_some_and(|first| first == "double");
    if is_control {
        return respond(super::control::answer(&inner, &asked)).await;
    }
    let at = {
        let logged = Logged {
            at: inner.clock.now().as_second(),
            method: asked.method.clone(),
            path,
            query: raw_query,
            content_type: Some(asked.content_type.clone()).filter(|kind| !kind.is_empty()),
            authorised: graph::is_authorised(&inner, &asked),
            body: asked.body.clone(),
            answered: None,
        };
        let mut state = inner.state();
        state.log.push(logged);
        state.log.len() - 1
    };
    let reply = match face {
        Face::Meta => graph::answer(&inner, &asked).await,
        Face::Dialog360 => dialog360::answer(&inner, &asked),
        Face::Coster => coster::answer(&inner, &asked),
    };
    if let Reply::TooMany(_) = &reply {
        inner.state().log[at].answered = Some(429);
    } else if let Reply::Json(status, _) | Reply::Empty(status) = &reply {
        inner.state().log[at].answered = Some(*status);
    } else if let Reply::Bytes { .. } = &reply {
        inner.state().log[at].answered = Some(200);
    }
    inner.touch();
    respond(reply).await
}

async fn respond(reply: Reply) -> Result<Response<Body>, Failure> {
    let response = Response::builder();
    Ok(match reply {
        Reply::Json(status, value) => response
            .status(status)
            .header("content-type", "application/json; charset=UTF-8")
            .header("facebook-api-version", "v24.0")
            .body(Body::from(value.to_string()))?,
        Reply::Bytes { mime, bytes } => response
            .status(200)
            .header("content-type", mime)
            .body(Body::from(bytes))?,
        Reply::Empty(status) => response.status(status).body(Body::empty())?,
        Reply::TooMany(seconds) => response
            .status(429)
            .header("retry-after", seconds.to_string())
            .body(Body::empty())?,
        Reply::Hang => std::future::pending().await,
        Reply::Reset => return Err("the connection is dropped, as asked".into()),
    })
}

/// The path's segments without the version.
fn segments(path: &str) -> Vec<String> {
    let mut segments: Vec<String> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(str::to_owned)
        .collect();
    if segments.first().is_some_and(|first| is_version(first)) {
        segments.remove(0);
    }
    segments
}

/// `v24.0`, `v9.0`, …
fn is_version(segment: &str) -> bool {
    let number = segment.strip_prefix('v').and_then(|rest| rest.split_once('.'));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    number.is_some_and(|(major, minor)| digits(major) && digits(minor))
}

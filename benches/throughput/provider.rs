//! A provider that takes every message at once, and tells the load who was answered. It is as lean as it can be, for it
//! runs on the same two cores as what is measured.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, to_bytes};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// All that is read of a message or a read receipt.
#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(borrow)]
    to: Option<&'a str>,
}

#[derive(Debug)]
pub struct Provider {
    /// Messages taken, read receipts apart.
    pub taken: AtomicU64,
    /// Rung for the slot whose customer was answered.
    pub answered: Vec<Notify>,
}

impl Provider {
    pub async fn start(slots: usize) -> std::io::Result<(Arc<Provider>, SocketAddr)> {
        let provider = Arc::new(Provider {
            taken: AtomicU64::new(0),
            answered: (0..slots).map(|_| Notify::new()).collect(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let serving = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let provider = serving.clone();
                // Small answers must not wait for more; one that can't be set this way is only slower.
                let _ = stream.set_nodelay(true);
                tokio::spawn(async move {
                    let service = service_fn(move |request| take(provider.clone(), request));
                    // An error here is a worker that left.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok((provider, address))
    }
}

async fn take(provider: Arc<Provider>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let body = to_bytes(Body::new(request.into_body()), 1 << 20)
        .await
        .unwrap_or_default();
    let to = serde_json::from_slice::<Asked>(&body)
        .ok()
        .and_then(|asked| asked.to);
    let answer = match to {
        None => r#"{"success":true}"#.to_owned(),
        Some(to) => {
            let n = provider.taken.fetch_add(1, Ordering::Relaxed);
            // A customer's number ends in its place; places go round the slots.
            let place: usize = to
                .get(to.len().saturating_sub(7)..)
                .and_then(|end| end.parse().ok())
                .unwrap_or(0);
            provider.answered[place % provider.answered.len()].notify_one();
            format!(
                r#"{{"messaging_product":"whatsapp","contacts":[{{"input":"{to}","wa_id":"{to}"}}],"messages":[{{"id":"wamid.out.{n}"}}]}}"#
            )
        }
    };
    let mut response = Response::new(Body::from(answer));
    response.headers_mut().insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/json"),
    );
    Ok(response)
}

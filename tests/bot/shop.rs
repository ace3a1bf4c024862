//! A service of the business, on loopback: what it was asked, and what it answers.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::super::double::loopback::serve;

/// One call as it arrived.
#[derive(Debug, Clone)]
pub struct Call {
    pub line: String,
    pub bearer: Option<String>,
    pub key: Option<String>,
    pub body: Value,
}

#[derive(Debug, Clone)]
pub struct Shop {
    pub address: String,
    calls: Arc<Mutex<Vec<Call>>>,
    /// How many calls were taken, and whether they are answered.
    asked: watch::Sender<usize>,
    open: watch::Sender<bool>,
}

impl Shop {
    /// Knows the order A-12345 and no other.
    pub async fn start() -> Shop {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let shop = Shop {
            address,
            calls: Arc::default(),
            asked: watch::channel(0).0,
            open: watch::channel(true).0,
        };
        let router = Router::new().fallback(answer).with_state(shop.clone());
        tokio::spawn(serve(listener, router));
        shop
    }

    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// Takes calls and answers none until [`Shop::release`].
    pub fn hold(&self) {
        self.open.send_replace(false);
    }

    pub fn release(&self) {
        self.open.send_replace(true);
    }

    /// Waits until so many calls have come.
    pub async fn asked(&self, count: usize) {
        let mut asked = self.asked.subscribe();
        let enough = asked.wait_for(|asked| *asked >= count);
        let came = tokio::time::timeout(super::PATIENCE, enough).await;
        assert!(came.is_ok(), "waited in vain for {count} calls");
    }

    /// The tables that lead a bot's service `shop` here.
    pub fn config(&self) -> String {
        format!(
            "[services.shop]\nurl = \"http://{0}\"\nallow = [\"{0}\"]\n[secrets]\nSHOP_TOKEN = {{ env = \"SHOP_TOKEN\" }}\n",
            self.address
        )
    }
}

async fn answer(State(shop): State<Shop>, request: Request) -> impl IntoResponse {
    let (head, body) = request.into_parts();
    let text = |name: &str| {
        head.headers
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    let raw = axum::body::to_bytes(body, 64 * 1024).await.unwrap_or_default();
    shop.calls.lock().unwrap().push(Call {
        line: format!("{} {}", head.method, head.uri),
        bearer: text("authorization"),
        key: text("idempotency-key"),
        body: serde_json::from_slice(&raw).unwrap_or(Value::Null),
    });
    shop.asked.send_modify(|asked| *asked += 1);
    let mut open = shop.open.subscribe();
    // It ends when the test ends.
    let _ = open.wait_for(|open| *open).await;
    match head.uri.path() {
        "/orders/A-12345" => (StatusCode::OK, axum::Json(json!({ "status": "on its way" }))),
        _ => (StatusCode::NOT_FOUND, axum::Json(json!({}))),
    }
}

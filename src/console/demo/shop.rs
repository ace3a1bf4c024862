//! A stand-in for the sample business's own services, on loopback, so that the demo's `fetch` lines have somebody to
//! ask. The page can let it be down.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The running stand-in. It ends with the process.
#[derive(Debug, Clone)]
pub struct Shop {
    address: SocketAddr,
    down: Arc<AtomicBool>,
}

impl Shop {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// If no port can be had on loopback.
    pub async fn start() -> std::io::Result<Shop> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let shop = Shop {
            address: listener.local_addr()?,
            down: Arc::default(),
        };
        let router = Router::new()
            .route("/orders/{number}", get(order))
            .route("/orders/{number}/owner", get(owner))
            .route("/repairs", post(repair))
            .with_state(shop.down.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(shop)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::Relaxed);
    }
}

fn unless_down(down: &AtomicBool, answer: impl IntoResponse) -> Response {
    if down.load(Ordering::Relaxed) {
        StatusCode::SERVICE_UNAVAILABLE.into_response()
    } else {
        answer.into_response()
    }
}

async fn order(State(down): State<Arc<AtomicBool>>, Path(number): Path<String>) -> Response {
    let soon = jiff::Zoned::now()
        .date()
        .saturating_add(jiff::Span::new().days(2));
    let with = |status: &str| {
        Json(json!({
            "status": status, "eta": soon.to_string(), "carrier": "Harbour Parcels",
            "link": format!("https://parcels.example/{number}"),
        }))
    };
    let answer = match number.as_str() {
        "A-12345" => with("shipped").into_response(),
        "A-54321" => with("received").into_response(),
        "A-99999" => with("delivered").into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    };
    unless_down(&down, answer)
}

#[derive(Deserialize)]
struct Postcode {
    postcode: String,
}

async fn owner(State(down): State<Arc<AtomicBool>>, Query(asked): Query<Postcode>) -> Response {
    let answer = if asked.postcode == "1200-109" {
        StatusCode::OK
    } else {
        StatusCode::FORBIDDEN
    };
    unless_down(&down, (answer, Json(json!({}))))
}

async fn repair(State(down): State<Arc<AtomicBool>>, Json(asked): Json<Value>) -> Response {
    let price = if asked["bike"] == "electric" { 55 } else { 35 };
    unless_down(&down, Json(json!({ "code": "R-107", "price": price })))
}

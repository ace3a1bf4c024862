//! The demo page: a simulated number with a phone to type on, and the inside of the conversation beside it.
//!
//! The page streams one JSON view of the conversation and posts what the person does. Everything it serves is in the
//! binary; scripts come from this server alone.

mod shop;
mod view;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use tokio::sync::broadcast;
use tower_http::csrf::CsrfLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::message::{MediaKind, Place};
use crate::server::{Handle, NotSimulated, Said};
use crate::store::{ContactId, StoreError};

pub use shop::Shop;

/// Id of the simulated number in the demo's configuration.
pub const CHANNEL: &str = "demo";
/// The person of the business on the page.
const AGENT: &str = "Ana";
/// Largest upload: WhatsApp's own bound for audio and pictures.
const UPLOAD_BYTES: usize = 16 * 1024 * 1024;
/// The view is looked at again this often even if nothing changed: the clock goes on.
const REFRESH: Duration = Duration::from_secs(2);

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; \
                      connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The customer at the page. "New customer" takes the next number.
#[derive(Debug, Clone)]
struct Customer {
    phone: String,
    contact: Option<ContactId>,
}

#[derive(Debug)]
struct Demo {
    handle: Handle,
    shop: Shop,
    customer: Mutex<Customer>,
    /// The page's own changes (another customer, the shop's state).
    changed: broadcast::Sender<()>,
}

impl Demo {
    fn customer(&self) -> MutexGuard<'_, Customer> {
        // A panic elsewhere can't leave two fields half changed.
        self.customer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn contact(&self) -> Option<ContactId> {
        self.customer().contact
    }

    async fn say(&self, said: Said) -> Result<(), Refused> {
        let phone = self.customer().phone.clone();
        let contact = self.handle.say(CHANNEL, &phone, None, said).await?;
        self.customer().contact = Some(contact);
        self.changed();
        Ok(())
    }

    fn changed(&self) {
        // Nobody looking is no fault.
        let _ = self.changed.send(());
    }
}

/// The pages of the demo.
pub fn pages(handle: Handle, shop: Shop) -> Router {
    let customer = Customer {
        phone: phone(1),
        contact: None,
    };
    let demo = Arc::new(Demo {
        handle,
        shop,
        customer: Mutex::new(customer),
        changed: broadcast::channel(64).0,
    });
    let fixed = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
    };
    Router::new()
        .route(
            "/",
            get(|| asset("text/html; charset=utf-8", include_str!("page.html"))),
        )
        .route(
            "/demo.css",
            get(|| asset("text/css; charset=utf-8", include_str!("demo.css"))),
        )
        .route(
            "/demo.js",
            get(|| asset("text/javascript; charset=utf-8", include_str!("demo.js"))),
        )
        .route(
            "/recorder.js",
            get(|| asset("text/javascript; charset=utf-8", include_str!("recorder.js"))),
        )
        .route("/demo/view", get(watch))
        .route("/demo/text", post(text))
        .route("/demo/tap", post(tap))
        .route("/demo/location", post(location))
        .route("/demo/photo", post(photo))
        .route("/demo/voice", post(voice))
        .route("/demo/file/{id}", get(file))
        .route("/demo/clock", post(clock))
        .route("/demo/staff", post(staff))
        .route("/demo/take", post(take))
        .route("/demo/return", post(give_back))
        .route("/demo/new", post(new_customer))
        .route("/demo/shop", post(shop_state))
        .layer(DefaultBodyLimit::max(UPLOAD_BYTES))
        .layer(CsrfLayer::new())
        .layer(fixed(header::CONTENT_SECURITY_POLICY, POLICY))
        .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed(header::REFERRER_POLICY, "no-referrer"))
        .with_state(demo)
}

/// Invented numbers, one a customer.
fn phone(number: u32) -> String {
    format!("351910000{number:03}")
}

async fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")],
        text,
    )
}

/// Streams the view: at once, and whenever it has changed.
async fn watch(State(demo): State<Arc<Demo>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (conversations, page) = (demo.handle.subscribe(), demo.changed.subscribe());
    let views = stream::unfold(
        (demo, conversations, page, String::new()),
        |(demo, mut talks, mut page, last)| async move {
            let mut first = last.is_empty();
            loop {
                if !first {
                    tokio::select! {
                        _ = talks.recv() => {}
                        _ = page.recv() => {}
                        // A page that is open must not hold the server back.
                        () = demo.handle.stopped() => return None,
                        () = tokio::time::sleep(REFRESH) => {}
                    }
                }
                first = false;
                let view = match view::of(&demo).await {
                    Ok(view) => view.to_string(),
                    Err(why) => {
                        tracing::warn!(%why, "the demo's view could not be read");
                        continue;
                    }
                };
                if view != last {
                    return Some((Ok(Event::default().data(&view)), (demo, talks, page, view)));
                }
            }
        },
    );
    Sse::new(views).keep_alive(KeepAlive::default())
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

async fn text(State(demo): State<Arc<Demo>>, Json(Text { text }): Json<Text>) -> Result<(), Refused> {
    demo.say(Said::Text(text)).await
}

#[derive(Deserialize)]
struct Tap {
    id: String,
    title: String,
}

async fn tap(State(demo): State<Arc<Demo>>, Json(Tap { id, title }): Json<Tap>) -> Result<(), Refused> {
    demo.say(Said::Tap { id, title }).await
}

async fn location(State(demo): State<Arc<Demo>>, Json(place): Json<Place>) -> Result<(), Refused> {
    demo.say(Said::Location(place)).await
}

async fn photo(
    State(demo): State<Arc<Demo>>,
    headers: axum::http::HeaderMap,
    bytes: Bytes,
) -> Result<(), Refused> {
    demo.say(upload(MediaKind::Photo, &headers, &bytes)).await
}

async fn voice(
    State(demo): State<Arc<Demo>>,
    headers: axum::http::HeaderMap,
    bytes: Bytes,
) -> Result<(), Refused> {
    demo.say(upload(MediaKind::Voice, &headers, &bytes)).await
}

fn upload(kind: MediaKind, headers: &axum::http::HeaderMap, bytes: &Bytes) -> Said {
    let mime = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .map(str::to_owned);
    Said::File {
        kind,
        bytes: bytes.to_vec(),
        mime,
        filename: None,
        caption: None,
    }
}

/// A file of the chat. Only kinds a browser can't run are shown in place.
async fn file(State(demo): State<Arc<Demo>>, Path(id): Path<String>) -> Response {
    let Some(file) = demo.handle.file(CHANNEL, &id) else {
        return (StatusCode::NOT_FOUND, "there is no such file").into_response();
    };
    let kind = file.mime.unwrap_or_default();
    let safe = ["image/png", "image/jpeg", "image/webp", "image/gif"].contains(&kind.as_str())
        || kind.starts_with("audio/");
    let kind = if safe {
        kind
    } else {
        "application/octet-stream".to_owned()
    };
    let place = if safe { "inline" } else { "attachment" };
    (
        [
            (header::CONTENT_TYPE, kind),
            (header::CONTENT_DISPOSITION, place.to_owned()),
        ],
        file.bytes,
    )
        .into_response()
}

#[derive(Deserialize)]
struct Seconds {
    seconds: u32,
}

async fn clock(
    State(demo): State<Arc<Demo>>,
    Json(Seconds { seconds }): Json<Seconds>,
) -> Result<(), Refused> {
    if !demo.handle.advance_clock(Duration::from_secs(seconds.into())) {
        return Err(Refused(
            StatusCode::CONFLICT,
            "the clock can't be moved here".to_owned(),
        ));
    }
    demo.changed();
    Ok(())
}

async fn staff(State(demo): State<Arc<Demo>>, Json(Text { text }): Json<Text>) -> Result<(), Refused> {
    let contact = demo.contact().ok_or_else(nobody)?;
    Ok(demo.handle.say_as_person(contact, AGENT, &text).await?)
}

async fn take(State(demo): State<Arc<Demo>>) -> Result<(), Refused> {
    let contact = demo.contact().ok_or_else(nobody)?;
    Ok(demo.handle.take_over(contact, AGENT).await?)
}

async fn give_back(State(demo): State<Arc<Demo>>) -> Result<(), Refused> {
    let contact = demo.contact().ok_or_else(nobody)?;
    Ok(demo.handle.give_back(contact).await?)
}

async fn new_customer(State(demo): State<Arc<Demo>>) {
    {
        let mut customer = demo.customer();
        let number = customer
            .phone
            .get(9..)
            .and_then(|number| number.parse().ok())
            .unwrap_or(0);
        *customer = Customer {
            phone: phone((number + 1) % 1000),
            contact: None,
        };
    }
    demo.changed();
}

#[derive(Deserialize)]
struct Down {
    down: bool,
}

async fn shop_state(State(demo): State<Arc<Demo>>, Json(Down { down }): Json<Down>) {
    demo.shop.set_down(down);
    demo.changed();
}

fn nobody() -> Refused {
    Refused(StatusCode::CONFLICT, "nobody has written yet".to_owned())
}

/// What the page could not do, in words for the person at it.
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

impl From<NotSimulated> for Refused {
    fn from(why: NotSimulated) -> Refused {
        Refused(StatusCode::SERVICE_UNAVAILABLE, why.to_string())
    }
}

impl From<StoreError> for Refused {
    fn from(why: StoreError) -> Refused {
        Refused(StatusCode::SERVICE_UNAVAILABLE, why.to_string())
    }
}

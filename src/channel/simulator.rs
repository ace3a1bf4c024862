//! A number without a provider, for the demo page and for tests. Its codec keeps the same contract and the same limits
//! as Meta's; what it sends ends in a [`BubbleSink`] that draws it, and what the page says comes in as a webhook body
//! made by [`Simulator::webhook`].
//!
//! Nothing from the network is ever authentic here: the page hands its events over in the process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, Method};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use super::{
    Answer, Caps, Channel, Decoded, Delivery, EncodeError, Expected, FetchedMedia, Forged, Health,
    HealthCheck, HealthState, HttpRequest, HttpResponse, MediaError, Problem, Receipt, SendClass, SendError,
    SendFailure, Show, Step, Transport, Upload,
};
use crate::message::{Address, Inbound, MediaHandle};

/// Requests of the simulator go to addresses of this scheme, which no network client would carry.
const SCHEME: &str = "simulator:";
const MEDIA_CAP: usize = 16 * 1024 * 1024;
const FILENAME: HeaderName = HeaderName::from_static("x-filename");

/// A message of ours, as the page draws it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bubble {
    pub id: String,
    pub to: Address,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<String>,
    #[serde(flatten)]
    pub show: Show,
}

/// Where bubbles end: the page's stream, or a list in a test.
pub trait BubbleSink: std::fmt::Debug + Send + Sync {
    fn bubble(&self, bubble: Bubble);

    /// The customer's message was read; `typing` until the next bubble.
    fn seen(&self, message_id: &str, typing: bool);
}

/// One simulated number.
#[derive(Debug, Clone)]
pub struct Simulator {
    account: String,
    shelf: Arc<Shelf>,
}

/// Files of both sides, by id.
#[derive(Debug, Default)]
struct Shelf {
    last: AtomicU64,
    files: Mutex<HashMap<String, FetchedMedia>>,
}

impl Shelf {
    fn next(&self, kind: &str) -> String {
        format!("sim-{kind}-{}", self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn files(&self) -> MutexGuard<'_, HashMap<String, FetchedMedia>> {
        // A panic elsewhere cannot leave a map half changed.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, file: FetchedMedia) -> String {
        let id = self.next("file");
        self.files().insert(id.clone(), file);
        id
    }
}

impl Simulator {
    pub fn new(account: impl Into<String>) -> Self {
        Simulator {
            account: account.into(),
            shelf: Arc::default(),
        }
    }

    /// Keeps a file the customer sends; its id goes into the webhook.
    pub fn keep(&self, bytes: Vec<u8>, mime: Option<String>) -> String {
        self.shelf.keep(FetchedMedia { bytes, mime })
    }

    /// A file by its id, whichever side sent it.
    pub fn file(&self, id: &str) -> Option<FetchedMedia> {
        self.shelf.files().get(id).cloned()
    }

    /// The webhook body with these events, for the server's ingest.
    pub fn webhook(events: &[Inbound]) -> Vec<u8> {
        json!({ "events": events }).to_string().into_bytes()
    }

    /// Carries this number's requests to `sink`.
    pub fn transport(&self, sink: Arc<dyn BubbleSink>) -> SimulatorTransport {
        SimulatorTransport {
            shelf: Arc::clone(&self.shelf),
            sink,
        }
    }
}

#[async_trait]
impl Channel for Simulator {
    fn provider(&self) -> &'static str {
        "simulator"
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn handshake(&self, _secret: Option<&str>, _query: &str) -> Answer {
        Answer::plain(403, "forbidden")
    }

    fn authenticate(&self, _delivery: &Delivery<'_>) -> Result<(), Forged> {
        Err(Forged)
    }

    fn decode(&self, raw: &[u8]) -> Decoded {
        #[derive(Deserialize)]
        struct Webhook<'a> {
            #[serde(borrow)]
            events: Vec<&'a RawValue>,
        }
        let problem = |place: String, why: String, raw: &str| Problem {
            place,
            why,
            raw: raw.to_owned(),
        };
        let text = String::from_utf8_lossy(raw);
        let mut decoded = Decoded::default();
        match serde_json::from_str::<Webhook>(&text) {
            Err(error) => decoded
                .problems
                .push(problem("body".to_owned(), error.to_string(), &text)),
            Ok(webhook) => {
                for (at, event) in webhook.events.into_iter().enumerate() {
                    match serde_json::from_str(event.get()) {
                        Ok(event) => decoded.events.push(event),
                        Err(error) => decoded.problems.push(problem(
                            format!("events[{at}]"),
                            error.to_string(),
                            event.get(),
                        )),
                    }
                }
            }
        }
        decoded
    }

    fn capabilities(&self) -> Caps {
        Caps::META
    }

    fn encode(&self, step: &Step) -> Result<HttpRequest, EncodeError> {
        if let Some(file) = step.file() {
            return Err(EncodeError::NotUploaded(file.to_owned()));
        }
        let body = json!(step).to_string().into_bytes();
        Ok(
            HttpRequest::new(Method::POST, format!("{SCHEME}{}/messages", self.account))
                .body("application/json", body),
        )
    }

    fn encode_upload(&self, upload: &Upload) -> Result<HttpRequest, EncodeError> {
        Ok(
            HttpRequest::new(Method::POST, format!("{SCHEME}{}/media", self.account))
                .header(FILENAME, &upload.filename)
                .body(&upload.mime, upload.bytes.clone()),
        )
    }

    fn interpret(
        &self,
        outcome: Result<HttpResponse, SendFailure>,
        attempt: u32,
    ) -> Result<Receipt, SendError> {
        #[derive(Deserialize)]
        struct Accepted {
            id: Option<String>,
        }
        let wait = std::time::Duration::from_secs(u64::from(attempt.min(60)));
        let failed = |class, says| {
            Err(SendError {
                class,
                code: None,
                says,
            })
        };
        match outcome {
            Ok(response) => match serde_json::from_slice::<Accepted>(&response.body) {
                Ok(Accepted { id }) if response.status == 200 => Ok(Receipt { message_id: id }),
                _ => failed(
                    SendClass::OurFault,
                    format!("the simulator refused it: HTTP {}", response.status),
                ),
            },
            Err(SendFailure::NotSent(why)) => failed(SendClass::Retry(wait), why),
            Err(SendFailure::Unanswered(why)) => failed(SendClass::Ambiguous, why),
        }
    }

    async fn fetch_media(
        &self,
        handle: &MediaHandle,
        _expected: Expected<'_>,
    ) -> Result<FetchedMedia, MediaError> {
        let MediaHandle::Id { id, .. } = handle else {
            return Err(MediaError::BadHandle {
                why: "the simulator knows files by id only".to_owned(),
            });
        };
        self.file(id).ok_or(MediaError::Gone)
    }

    async fn health(&self) -> Health {
        let says = "this number is simulated; no provider is involved".to_owned();
        Health {
            checks: vec![HealthCheck {
                name: "number",
                state: HealthState::Fine,
                says,
            }],
        }
    }
}

/// Carries the simulator's requests inside the process.
#[derive(Debug, Clone)]
pub struct SimulatorTransport {
    shelf: Arc<Shelf>,
    sink: Arc<dyn BubbleSink>,
}

#[async_trait]
impl Transport for SimulatorTransport {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, SendFailure> {
        let answer = |status, body: serde_json::Value| {
            Ok(HttpResponse {
                status,
                headers: HeaderMap::new(),
                body: body.to_string().into_bytes(),
            })
        };
        let Some(path) = request.url.strip_prefix(SCHEME) else {
            return Err(SendFailure::NotSent(
                "the simulator carries only its own requests".to_owned(),
            ));
        };
        if path.ends_with("/media") {
            if request.body.len() > MEDIA_CAP {
                return answer(413, json!({}));
            }
            let mime = request.headers.get(http::header::CONTENT_TYPE);
            let mime = mime.and_then(|mime| Some(mime.to_str().ok()?.to_owned()));
            let id = self.shelf.keep(FetchedMedia {
                bytes: request.body,
                mime,
            });
            return answer(200, json!({ "id": id }));
        }
        match serde_json::from_slice(&request.body) {
            Ok(Step::Send {
                to,
                reply_to,
                ours,
                after_delivery: _,
                show,
            }) => {
                let id = self.shelf.next("message");
                self.sink.bubble(Bubble {
                    id: id.clone(),
                    to,
                    reply_to,
                    ours,
                    show,
                });
                answer(200, json!({ "id": id }))
            }
            Ok(Step::Seen { message_id, typing }) => {
                self.sink.seen(&message_id, typing);
                answer(200, json!({ "id": null }))
            }
            // It has no inbox of its own.
            Ok(Step::HandOff { .. } | Step::Resolve { .. }) | Err(_) => answer(400, json!({})),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Outbound;
    use crate::message::{
        Choice, Choices, Conversation, DedupeKey, Forwarded, InboundBody, MediaKind, MediaSource,
        OutboundBody, Party,
    };

    #[derive(Debug, Default)]
    struct Page {
        bubbles: Mutex<Vec<Bubble>>,
        seen: Mutex<Vec<(String, bool)>>,
    }

    impl BubbleSink for Page {
        fn bubble(&self, bubble: Bubble) {
            self.bubbles.lock().unwrap().push(bubble);
        }

        fn seen(&self, message_id: &str, typing: bool) {
            self.seen.lock().unwrap().push((message_id.to_owned(), typing));
        }
    }

    fn outbound(body: OutboundBody) -> Outbound {
        Outbound {
            to: Address::WaId("6281100000011".into()),
            reply_to: None,
            ours: Some("1.1.0".into()),
            body,
        }
    }

    #[tokio::test]
    async fn what_is_sent_is_drawn_with_its_buttons() {
        let simulator = Simulator::new("demo");
        let page = Arc::new(Page::default());
        let transport = simulator.transport(page.clone());
        let options = vec![Choice {
            id: "o1".into(),
            title: "Yes".into(),
            description: None,
            section: None,
        }];
        let body = OutboundBody::Choices(Choices {
            header: None,
            body: "Shall we?".into(),
            footer: None,
            open: None,
            as_list: false,
            options,
        });
        let plan = simulator.plan(&outbound(body));
        let request = simulator.encode(&plan.steps[0]).unwrap();
        let receipt = simulator.interpret(transport.send(request).await, 1).unwrap();
        let bubbles = page.bubbles.lock().unwrap();
        assert_eq!(receipt.message_id.as_deref(), Some(bubbles[0].id.as_str()));
        let drawn = serde_json::to_value(&bubbles[0]).unwrap();
        assert_eq!(drawn["show"], "buttons");
        assert_eq!(drawn["buttons"], json!([{ "id": "o1", "title": "Yes" }]));
    }

    #[tokio::test]
    async fn a_file_of_the_business_is_uploaded_and_shown() {
        let simulator = Simulator::new("demo");
        let page = Arc::new(Page::default());
        let transport = simulator.transport(page.clone());
        let body = OutboundBody::Media {
            media: MediaKind::Photo,
            source: MediaSource::File("menu.jpg".into()),
            caption: None,
            filename: None,
        };
        let step = simulator.plan(&outbound(body)).steps.remove(0);
        assert!(simulator.encode(&step).is_err());
        let upload = Upload {
            filename: "menu.jpg".into(),
            mime: "image/jpeg".into(),
            bytes: vec![1, 2, 3],
        };
        let request = simulator.encode_upload(&upload).unwrap();
        let id = simulator
            .interpret(transport.send(request).await, 1)
            .unwrap()
            .message_id
            .unwrap();
        let request = simulator.encode(&step.uploaded(id.clone())).unwrap();
        simulator.interpret(transport.send(request).await, 1).unwrap();
        assert_eq!(simulator.file(&id).unwrap().bytes, [1, 2, 3]);
        assert_eq!(page.bubbles.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_the_page_says_comes_in_as_a_webhook_and_its_files_can_be_fetched() {
        let simulator = Simulator::new("demo");
        let id = simulator.keep(b"OggS".to_vec(), Some("audio/ogg".into()));
        let event = Inbound {
            account: "demo".into(),
            key: DedupeKey("page-1".into()),
            at: None,
            who: Party {
                phone: Some("6281100000011".into()),
                ..Party::default()
            },
            conversation: Conversation::default(),
            message_id: Some("page-1".into()),
            reply_to: None,
            forwarded: Forwarded::None,
            referral: None,
            body: InboundBody::Text { body: "Hi".into() },
        };
        let decoded = simulator.decode(&Simulator::webhook(std::slice::from_ref(&event)));
        assert_eq!(
            decoded,
            Decoded {
                events: vec![event],
                problems: vec![]
            }
        );
        assert_eq!(
            simulator.decode(br#"{"events":[7]}"#).problems[0].place,
            "events[0]"
        );
        let handle = MediaHandle::Id { id, url: None };
        assert_eq!(
            simulator
                .fetch_media(&handle, Expected::default())
                .await
                .unwrap()
                .bytes,
            b"OggS"
        );
        assert_eq!(
            simulator
                .fetch_media(
                    &MediaHandle::Id {
                        id: "x".into(),
                        url: None
                    },
                    Expected::default()
                )
                .await,
            Err(MediaError::Gone)
        );
    }

    #[tokio::test]
    async fn a_read_receipt_reaches_the_page() {
        let simulator = Simulator::new("demo");
        let page = Arc::new(Page::default());
        let seen = Step::Seen {
            message_id: "page-1".into(),
            typing: true,
        };
        let request = simulator.encode(&seen).unwrap();
        let receipt = simulator.interpret(simulator.transport(page.clone()).send(request).await, 1);
        assert_eq!(receipt, Ok(Receipt { message_id: None }));
        assert_eq!(*page.seen.lock().unwrap(), [("page-1".to_owned(), true)]);
    }

    #[test]
    fn nothing_from_the_network_is_authentic() {
        let simulator = Simulator::new("demo");
        let delivery = Delivery {
            secret: Some("demo"),
            headers: &HeaderMap::new(),
            raw: b"{}",
        };
        assert_eq!(simulator.authenticate(&delivery), Err(Forged));
        assert_eq!(
            simulator
                .handshake(None, "hub.mode=subscribe&hub.challenge=1")
                .status,
            403
        );
    }
}

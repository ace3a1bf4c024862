//! Webhooks: their envelope, Meta's way of escaping, the signature, and delivery until the answer is 200.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::{Semaphore, mpsc};

use super::error::Refusal;
use super::face::Face;
use super::state::{Inner, State};

/// Meta gives up after seven days.
const GIVES_UP_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);

/// One `changes[]` element on its way.
#[derive(Debug, Clone)]
pub struct Webhook {
    pub field: &'static str,
    pub value: Value,
}

/// The order in which held webhooks are let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    #[default]
    AsItHappened,
    Reversed,
    /// By the seed.
    Shuffled,
}

/// How held webhooks are let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    pub order: Order,
    /// All in one POST.
    pub batch: bool,
    pub copies: u32,
}

impl Default for Release {
    fn default() -> Self {
        Release {
            order: Order::AsItHappened,
            batch: false,
            copies: 1,
        }
    }
}

impl Inner {
    /// Sends a webhook, or keeps it if webhooks are held.
    pub fn tell(&self, webhook: Webhook) {
        let copies = {
            let mut state = self.state();
            if state.holding {
                state.held.push(webhook);
                drop(state);
                return self.touch();
            }
            state.copies
        };
        for _ in 0..copies.max(1) {
            self.queue(vec![webhook.clone()]);
        }
    }

    pub fn release(&self, release: &Release) {
        let held = {
            let mut state = self.state();
            state.holding = false;
            let mut held = std::mem::take(&mut state.held);
            match release.order {
                Order::AsItHappened => {}
                Order::Reversed => held.reverse(),
                Order::Shuffled => shuffle(&mut held, &mut state),
            }
            held
        };
        for _ in 0..release.copies.max(1) {
            if release.batch {
                self.queue(held.clone());
            } else {
                held.iter().for_each(|webhook| self.queue(vec![webhook.clone()]));
            }
        }
    }
}

fn shuffle(held: &mut [Webhook], state: &mut State) {
    for last in (1..held.len()).rev() {
        let with = (state.random() % (last as u64 + 1)) as usize;
        held.swap(last, with);
    }
}

/// Delivers in order, as many at once as the setup says. One that is refused comes again later, beside the others.
pub async fn deliver(mut queue: mpsc::UnboundedReceiver<Vec<Webhook>>, inner: Arc<Inner>) {
    let ways = Arc::new(Semaphore::new(inner.setup.under_way));
    while let Some(batch) = queue.recv().await {
        // Meta's ids must not depend on how many webhooks there were.
        let number = match inner.setup.face {
            Face::Coster => inner.state().next_number(),
            Face::Meta | Face::Dialog360 => 0,
        };
        let body = inner
            .setup
            .face
            .dressed(&inner.setup, envelope(&inner, &batch), number);
        let way = Arc::clone(&ways).acquire_owned().await;
        let inner = Arc::clone(&inner);
        tokio::spawn(async move {
            let good = post(&inner, &body).await;
            drop(way);
            if good {
                taken(&inner);
            } else {
                again(inner, body).await;
            }
        });
    }
}

fn taken(inner: &Inner) {
    inner.state().undelivered -= 1;
    inner.touch();
}

async fn again(inner: Arc<Inner>, body: Dressed) {
    let mut wait = inner.setup.retry_after;
    let mut waited = Duration::ZERO;
    while waited < GIVES_UP_AFTER {
        inner.clock.sleep(wait).await;
        if post(&inner, &body).await {
            break;
        }
        waited += wait;
        wait = (wait * 2).min(inner.setup.retry_at_most);
    }
    taken(&inner);
}

/// Headers and bytes of a webhook.
type Dressed = (Vec<(String, String)>, Vec<u8>);

/// Whether it was answered as it must be. Without an address there is nobody to tell.
async fn post(inner: &Inner, (headers, body): &Dressed) -> bool {
    let Some(url) = inner.state().webhook_url.clone() else {
        return true;
    };
    let mut request = inner.client.post(url).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let good = match request.body(body.clone()).send().await {
        Ok(answer) => {
            let status = answer.status().as_u16();
            let words = answer.bytes().await.unwrap_or_default();
            inner.setup.face.is_taken(status, &words)
        }
        Err(_) => false,
    };
    if !good {
        inner.state().failed_attempts += 1;
        inner.touch();
    }
    good
}

fn envelope(inner: &Inner, batch: &[Webhook]) -> Value {
    let changes: Vec<Value> = batch
        .iter()
        .map(|webhook| json!({ "value": webhook.value, "field": webhook.field }))
        .collect();
    json!({
        "object": "whatsapp_business_account",
        "entry": [{ "id": inner.setup.business_account_id, "changes": changes }],
    })
}

/// The signature header and the bytes for `body`.
pub fn signed(secret: &str, body: &Value) -> (String, Vec<u8>) {
    let bytes = escaped(body);
    (signature(secret, &bytes), bytes)
}

pub fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(body);
    let hex: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256={hex}")
}

/// JSON as Meta writes it: everything beyond ASCII as `\uXXXX` in lower case, and some of ASCII escaped as well.
/// Reading and writing it again does not give the same bytes, which is the point.
pub fn escaped(body: &Value) -> Vec<u8> {
    let mut out = String::new();
    // Outside of strings JSON has none of these characters.
    for c in body.to_string().chars() {
        match c {
            '/' => out.push_str("\\/"),
            '<' | '>' | '@' | '&' | '\'' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c if c.is_ascii() => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.into_bytes()
}

/// Meta's own check of an address before it takes it: the challenge must come back, alone.
pub async fn handshake(inner: &Inner, url: &str, verify_token: &str) -> Result<(), Refusal> {
    let challenge = (inner.state().random() % 1_000_000_000).to_string();
    let answer = inner
        .client
        .get(url)
        .query(&[
            ("hub.mode", "subscribe"),
            ("hub.challenge", &challenge),
            ("hub.verify_token", verify_token),
        ])
        .send()
        .await;
    let (status, body) = match answer {
        Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
        Err(_) => (0, String::new()),
    };
    if status == 200 && body == challenge {
        return Ok(());
    }
    Err(Refusal {
        subcode: Some(2_200),
        ..Refusal::parameter(format_args!(
            "Callback verification failed with the following errors: HTTP Status Code = {status}; the challenge \
             {challenge} did not come back"
        ))
    })
}

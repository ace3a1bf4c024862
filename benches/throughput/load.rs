//! Customers who write and wait for their answers, each over a connection of its own, with webhooks signed as Meta's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::provider::Provider;
use super::wire;

pub const SECRET: &str = "bench-app-secret";
pub const NUMBER: &str = "106540352242922";

/// Only a fault takes that long.
const PATIENCE: Duration = Duration::from_secs(30);

/// What one slot saw.
#[derive(Debug, Default)]
pub struct Seen {
    pub acknowledged: Vec<Duration>,
    /// From the first byte of the webhook to the provider's having the answer.
    pub answered: Vec<Duration>,
    pub refused: u64,
    pub unanswered: u64,
}

/// One connection and its customers: those whose place is `slot` modulo `slots`.
pub struct Slot {
    pub slot: usize,
    pub slots: usize,
    /// Tells runs apart: customers and ids of two runs differ.
    pub run: u32,
    /// Customers of this slot; they write in turn.
    pub customers: usize,
    /// The number of the first message. No number is used twice in a run.
    pub from: usize,
    pub webhook: SocketAddr,
    pub provider: Arc<Provider>,
}

impl Slot {
    /// Writes, waits for the answer, writes again, until `until` or `most` messages.
    pub async fn converse(self, until: Instant, most: usize) -> Result<Seen, String> {
        let mut wire = Wire::open(self.webhook).await?;
        let mut seen = Seen::default();
        for n in (self.from..).take(most) {
            if Instant::now() >= until {
                break;
            }
            let begun = Instant::now();
            let status = wire.post(&self.body(n)).await?;
            seen.acknowledged.push(begun.elapsed());
            if status != 200 {
                seen.refused += 1;
                continue;
            }
            match timeout(PATIENCE, self.provider.answered[self.slot].notified()).await {
                Ok(()) => seen.answered.push(begun.elapsed()),
                Err(_) => seen.unanswered += 1,
            }
        }
        Ok(seen)
    }

    /// Writes at a steady pace, whatever the answers do.
    pub async fn pace(self, every: Duration, until: Instant) -> Result<Seen, String> {
        let mut wire = Wire::open(self.webhook).await?;
        let mut seen = Seen::default();
        let offset = every.mul_f64(self.slot as f64 / self.slots as f64);
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + offset, every);
        for n in self.from.. {
            ticks.tick().await;
            if Instant::now() >= until {
                break;
            }
            let begun = Instant::now();
            let status = wire.post(&self.body(n)).await?;
            seen.acknowledged.push(begun.elapsed());
            seen.refused += u64::from(status != 200);
        }
        Ok(seen)
    }

    fn body(&self, n: usize) -> String {
        let place = self.slot + self.slots * (n % self.customers);
        let (run, number) = (self.run, NUMBER);
        let who = format!("62{run:03}{place:07}");
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        format!(
            r#"{{"object":"whatsapp_business_account","entry":[{{"id":"102290129340398","changes":[{{"value":{{"messaging_product":"whatsapp","metadata":{{"display_phone_number":"62211000001","phone_number_id":"{number}"}},"contacts":[{{"profile":{{"name":"Sari"}},"wa_id":"{who}","user_id":"ID.{run}.{place}"}}],"messages":[{{"from":"{who}","from_user_id":"ID.{run}.{place}","id":"wamid.in.{run}.{place}.{n}","timestamp":"{now}","type":"text","text":{{"body":"And then the {n}th thing happened."}}}}]}},"field":"messages"}}]}}]}}"#
        )
    }
}

struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    request: Vec<u8>,
    signing: Hmac<Sha256>,
}

impl Wire {
    async fn open(address: SocketAddr) -> Result<Wire, String> {
        let stream = TcpStream::connect(address).await.map_err(told)?;
        stream.set_nodelay(true).map_err(told)?;
        Ok(Wire {
            stream,
            buffer: Vec::with_capacity(4096),
            request: Vec::with_capacity(4096),
            signing: Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).map_err(told)?,
        })
    }

    /// Sends one webhook; the status of its answer.
    async fn post(&mut self, body: &str) -> Result<u16, String> {
        self.request.clear();
        self.request.extend_from_slice(
            b"POST /webhook/main HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n",
        );
        self.request.extend_from_slice(b"x-hub-signature-256: sha256=");
        for byte in self.signing.clone().chain_update(body).finalize().into_bytes() {
            let digit = |half: u8| b"0123456789abcdef"[usize::from(half)];
            self.request.extend([digit(byte >> 4), digit(byte & 15)]);
        }
        let length = format!("\r\ncontent-length: {}\r\n\r\n", body.len());
        self.request.extend_from_slice(length.as_bytes());
        self.request.extend_from_slice(body.as_bytes());
        self.stream.write_all(&self.request).await.map_err(told)?;
        self.buffer.clear();
        timeout(PATIENCE, wire::read(&mut self.stream, &mut self.buffer))
            .await
            .map_err(|_| "a webhook was not answered".to_owned())?
            .map_err(told)?
            .ok_or("a worker closed the connection")?;
        let status = self
            .buffer
            .get(9..12)
            .and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
        status.ok_or_else(|| format!("not an answer: {}", String::from_utf8_lossy(&self.buffer)))
    }
}

fn told(why: impl std::fmt::Display) -> String {
    why.to_string()
}

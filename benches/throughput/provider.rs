//! A provider that takes every message at once, and tells the load who was answered. HTTP/1.1 by hand, for it runs on
//! the same two cores as what is measured.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::wire;

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
    /// Read receipts taken.
    pub read: AtomicU64,
    /// Rung for the slot whose customer was answered.
    pub answered: Vec<Notify>,
}

impl Provider {
    pub async fn start(slots: usize) -> std::io::Result<(Arc<Provider>, SocketAddr)> {
        let provider = Arc::new(Provider {
            taken: AtomicU64::new(0),
            read: AtomicU64::new(0),
            answered: (0..slots).map(|_| Notify::new()).collect(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let serving = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Small answers must not wait for more; one that can't be set this way is only slower.
                let _ = stream.set_nodelay(true);
                let provider = serving.clone();
                tokio::spawn(async move {
                    // An error here is a worker that left.
                    let _ = provider.serve(stream).await;
                });
            }
        });
        Ok((provider, address))
    }

    /// One connection, request by request.
    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let (mut buffer, mut answer) = (Vec::with_capacity(4096), Vec::with_capacity(512));
        while let Some(whole) = wire::read(&mut stream, &mut buffer).await? {
            answer.clear();
            self.take(&buffer[whole.head..whole.end], &mut answer);
            stream.write_all(&answer).await?;
            buffer.drain(..whole.end);
        }
        Ok(())
    }

    fn take(&self, body: &[u8], answer: &mut Vec<u8>) {
        let asked = serde_json::from_slice::<Asked>(body).ok();
        let said = match asked.and_then(|asked| asked.to) {
            None => {
                self.read.fetch_add(1, Ordering::Relaxed);
                r#"{"success":true}"#.to_owned()
            }
            Some(to) => {
                let n = self.taken.fetch_add(1, Ordering::Relaxed);
                // A customer's number ends in its place; places go round the slots.
                let place: usize = to
                    .get(to.len().saturating_sub(7)..)
                    .and_then(|end| end.parse().ok())
                    .unwrap_or(0);
                self.answered[place % self.answered.len()].notify_one();
                format!(
                    r#"{{"messaging_product":"whatsapp","contacts":[{{"input":"{to}","wa_id":"{to}"}}],"messages":[{{"id":"wamid.out.{n}"}}]}}"#
                )
            }
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            said.len()
        );
        answer.extend_from_slice(head.as_bytes());
        answer.extend_from_slice(said.as_bytes());
    }
}

//! A webhook address of a test: keeps what comes and answers as told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use switchboard::channel::meta::Meta;
use switchboard::channel::{Channel, Delivery};
use switchboard::message::Inbound;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A webhook as it came: signature header and bytes.
#[derive(Debug, Clone)]
pub struct Taken {
    pub signature: String,
    pub raw: Vec<u8>,
}

pub struct Inbox {
    pub url: String,
    taken: Arc<Mutex<Vec<Taken>>>,
    came: Arc<Notify>,
}

impl Inbox {
    /// Answers with these statuses, then with 200.
    pub async fn open(mut answers: Vec<u16>) -> Inbox {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhook", listener.local_addr().unwrap());
        let inbox = Inbox {
            url,
            taken: Arc::default(),
            came: Arc::default(),
        };
        let (taken, came) = (Arc::clone(&inbox.taken), Arc::clone(&inbox.came));
        answers.reverse();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let webhook = read(&mut stream).await;
                let status = answers.pop().unwrap_or(200);
                let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                taken.lock().unwrap().push(webhook);
                stream.write_all(answer.as_bytes()).await.unwrap();
                came.notify_waiters();
            }
        });
        inbox
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }

    /// Waits until so many webhooks came.
    pub async fn wait_for(&self, count: usize) -> Vec<Taken> {
        let enough = async {
            loop {
                let came = self.came.notified();
                tokio::pin!(came);
                came.as_mut().enable();
                if self.taken().len() >= count {
                    return self.taken();
                }
                came.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), enough)
            .await
            .expect("webhooks come within half a minute")
    }

    /// Everything that came, checked and decoded by the channel.
    pub fn events(&self, meta: &Meta) -> Vec<Inbound> {
        let mut events = Vec::new();
        for Taken { signature, raw } in self.taken() {
            let headers = [("x-hub-signature-256".parse().unwrap(), signature.parse().unwrap())];
            let delivery = Delivery {
                secret: None,
                headers: &headers.into_iter().collect(),
                raw: &raw,
            };
            meta.authenticate(&delivery).unwrap();
            let decoded = meta.decode(&raw);
            assert_eq!(decoded.problems, []);
            events.extend(decoded.events);
        }
        events
    }
}

async fn read(stream: &mut TcpStream) -> Taken {
    let mut request = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.unwrap();
        assert_ne!(read, 0, "the double left in the middle of a webhook");
        request.extend_from_slice(&chunk[..read]);
        let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(request[..end].to_vec()).unwrap();
        let length: usize = header(&head, "content-length").unwrap().parse().unwrap();
        if request.len() >= end + 4 + length {
            let signature = header(&head, "x-hub-signature-256").unwrap();
            return Taken {
                signature,
                raw: request[end + 4..].to_vec(),
            };
        }
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    let line = head
        .lines()
        .find(|line| line.to_lowercase().starts_with(&format!("{name}:")))?;
    Some(line[name.len() + 1..].trim().to_owned())
}

//! The way out at the pace of a person: the sign of writing, a moment that is never the same, then the message. Whoever
//! answers at once and at equal intervals is taken for a machine, and loses the number.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::{LinkedSettings, encode};
use crate::channel::{HttpRequest, HttpResponse, NetworkTransport, SendFailure, Transport};

/// How long something is "being written" before it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Typing {
    pub least: Duration,
    pub most: Duration,
}

impl Default for Typing {
    fn default() -> Typing {
        Typing {
            least: Duration::from_millis(800),
            most: Duration::from_millis(2000),
        }
    }
}

impl Typing {
    /// A time between the two; `share` is from 0 to 1.
    fn time(self, share: f64) -> Duration {
        let span = self.most.saturating_sub(self.least);
        self.least + span.mul_f64(share.clamp(0.0, 1.0))
    }
}

/// Carries requests to the server that holds the link.
#[derive(Debug)]
pub struct Paced {
    settings: LinkedSettings,
    network: NetworkTransport,
}

impl Paced {
    pub(super) fn new(settings: &LinkedSettings, network: NetworkTransport) -> Paced {
        Paced {
            settings: settings.clone(),
            network,
        }
    }

    /// The sign is for show: that it fails says nothing of the message.
    async fn shows(&self, chat: &Value, begins: bool) {
        let request = encode::typing(&self.settings, chat, begins);
        if let Err(why) = self.network.send(request).await {
            tracing::debug!(%why, "the sign of writing was not taken");
        }
    }
}

/// The chat that a customer will read this in; `None`: it is nothing to be read.
fn chat_of(request: &HttpRequest) -> Option<Value> {
    let path = request.url.split('?').next().unwrap_or_default();
    let sends = path.rsplit('/').next()?.strip_prefix("send")?;
    if sends == "Seen" {
        return None;
    }
    let mut body: Value = serde_json::from_slice(&request.body).ok()?;
    Some(body.get_mut("chatId")?.take())
}

#[async_trait]
impl Transport for Paced {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, SendFailure> {
        let typing = self.settings.typing;
        if !typing.most.is_zero()
            && let Some(chat) = chat_of(&request)
        {
            self.shows(&chat, true).await;
            let share = getrandom::u32().map_or(0.5, |n| f64::from(n) / f64::from(u32::MAX));
            tokio::time::sleep(typing.time(share)).await;
            self.shows(&chat, false).await;
        }
        self.network.send(request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;

    #[test]
    fn the_moment_lies_between_least_and_most() {
        let typing = Typing::default();
        assert_eq!(typing.time(0.0), Duration::from_millis(800));
        assert_eq!(typing.time(1.0), Duration::from_millis(2000));
        assert_eq!(typing.time(0.5), Duration::from_millis(1400));
        let odd = Typing {
            least: Duration::from_secs(2),
            most: Duration::from_secs(1),
        };
        assert_eq!(odd.time(1.0), Duration::from_secs(2));
    }

    #[test]
    fn only_what_a_customer_reads_is_written_first() {
        let chat = |path: &str, body: &str| {
            let url = format!("http://127.0.0.1:1/{path}");
            chat_of(&HttpRequest::new(Method::POST, url).body("application/json", body.as_bytes().to_vec()))
        };
        let body = r#"{"chatId":"6281100000022@c.us","text":"Hi"}"#;
        assert_eq!(
            chat("api/sendText", body),
            Some(Value::from("6281100000022@c.us"))
        );
        assert_eq!(
            chat("api/sendVoice", body),
            Some(Value::from("6281100000022@c.us"))
        );
        for quiet in ["api/sendSeen", "api/startTyping", "api/sessions/main/start"] {
            assert_eq!(chat(quiet, body), None, "{quiet}");
        }
        assert_eq!(chat("api/sendText", "[]"), None);
    }
}

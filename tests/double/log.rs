//! What the double received, as received.

use serde_json::{Value, json};

#[derive(Debug, Clone)]
pub struct Logged {
    /// Unix seconds of the double's clock.
    pub at: i64,
    pub method: String,
    /// With the version prefix, without the query.
    pub path: String,
    pub query: String,
    pub content_type: Option<String>,
    /// Whether a good access token came with it.
    pub authorised: bool,
    pub body: Vec<u8>,
    /// The status it was answered with; `None` while it hangs, or if the connection was dropped.
    pub answered: Option<u16>,
}

impl Logged {
    /// The body as JSON, or null.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Whether this is a call to send (or to mark as read).
    pub fn is_message(&self) -> bool {
        self.method == "POST" && self.path.ends_with("/messages")
    }

    /// Whether this is a call to send a template.
    pub fn is_template(&self) -> bool {
        self.is_message() && self.json()["type"] == "template"
    }

    pub fn as_json(&self) -> Value {
        json!({
            "at": self.at,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "content_type": self.content_type,
            "authorised": self.authorised,
            "answered": self.answered,
            "body": String::from_utf8_lossy(&self.body),
            "json": self.json(),
        })
    }
}

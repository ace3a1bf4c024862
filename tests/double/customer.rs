//! Customers: what they write opens the 24-hour window and reaches the business as a webhook.

use std::sync::Arc;

use serde_json::{Value, json};

use super::media;
use super::state::{Inner, Known};
use super::webhook::Webhook;

/// A customer of the double.
#[derive(Debug, Clone)]
pub struct Customer {
    inner: Arc<Inner>,
    /// Digits, or a user id.
    id: String,
}

impl Customer {
    /// By phone number, in any spelling, or by user id (`CC.…`): then the phone number stays unknown.
    pub(super) fn new(inner: Arc<Inner>, address: &str) -> Self {
        let id = if is_user_id(address) {
            address.to_owned()
        } else {
            address.chars().filter(char::is_ascii_digit).collect()
        };
        let known = Known::new(&id);
        inner.state().customers.entry(id.clone()).or_insert(known);
        Customer { inner, id }
    }

    /// What the business writes to: digits, or the user id.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn named(self, name: &str) -> Self {
        if let Some(known) = self.inner.state().customers.get_mut(&self.id) {
            known.name = name.to_owned();
        }
        self
    }

    /// The customer's business-scoped user id.
    pub fn user_id(&self) -> String {
        self.inner.state().customers[&self.id].user_id.clone()
    }

    /// Writes a text. Gives the message's id.
    pub fn says(&self, body: &str) -> String {
        self.sends("text", json!({ "body": body }))
    }

    /// Taps the button or row of this id or title on the latest message that has one.
    ///
    /// # Errors
    /// What is on the screen instead.
    pub fn try_taps(&self, wanted: &str) -> Result<String, String> {
        let sent: Vec<_> = self
            .inner
            .state()
            .sent
            .iter()
            .filter(|sent| sent.to == self.id)
            .cloned()
            .collect();
        for message in sent.iter().rev() {
            let found = message
                .options()
                .into_iter()
                .find(|(id, title, _)| id == wanted || title == wanted);
            let Some((id, title, description)) = found else {
                continue;
            };
            let context = json!({ "from": self.inner.setup.display_phone_number, "id": message.id });
            if message.kind == "template" {
                return Ok(self.send(
                    "button",
                    json!({ "payload": id, "text": title }),
                    json!({ "context": context }),
                ));
            }
            let kind = if message.body["interactive"]["type"] == "list" {
                "list_reply"
            } else {
                "button_reply"
            };
            let mut reply = json!({ "id": id, "title": title });
            if let Some(description) = description {
                reply["description"] = json!(description);
            }
            return Ok(self.send(
                "interactive",
                json!({ "type": kind, kind: reply }),
                json!({ "context": context }),
            ));
        }
        let shown: Vec<String> = sent
            .iter()
            .flat_map(|sent| sent.options())
            .map(|(id, title, _)| format!("{title} ({id})"))
            .collect();
        Err(format!(
            "there is nothing to tap that reads {wanted:?}; there is: {}",
            shown.join(", ")
        ))
    }

    /// As [`Customer::try_taps`], for tests that know what is there.
    pub fn taps(&self, wanted: &str) -> String {
        self.try_taps(wanted).unwrap_or_else(|why| panic!("{why}"))
    }

    pub fn sends_voice(&self, bytes: Vec<u8>) -> String {
        self.sends_media("voice", "audio/ogg; codecs=opus", bytes, json!({}))
    }

    pub fn sends_photo(&self, bytes: Vec<u8>, caption: Option<&str>) -> String {
        self.sends_media(
            "image",
            "image/jpeg",
            bytes,
            caption.map_or(json!({}), |caption| json!({ "caption": caption })),
        )
    }

    pub fn sends_document(&self, bytes: Vec<u8>, mime: &str, filename: &str) -> String {
        self.sends_media("document", mime, bytes, json!({ "filename": filename }))
    }

    /// `image`, `video`, `audio`, `voice`, `document` or `sticker`; `more` adds caption or file name.
    pub fn sends_media(&self, kind: &str, mime: &str, bytes: Vec<u8>, more: Value) -> String {
        let sha256 = media::base64_digest(&bytes);
        let id = media::keep(&self.inner, bytes, mime.to_owned(), 7);
        let address = media::address(&self.inner, &id);
        let mut part = json!({ "mime_type": mime, "sha256": sha256, "id": id, "url": address });
        let wire = if kind == "voice" { "audio" } else { kind };
        if wire == "audio" {
            part["voice"] = json!(kind == "voice");
        }
        if wire == "sticker" {
            part["animated"] = json!(false);
        }
        if wire == "document" {
            part["filename"] = json!("document");
        }
        merge(&mut part, more);
        self.sends(wire, part)
    }

    pub fn sends_location(&self, latitude: f64, longitude: f64) -> String {
        self.sends(
            "location",
            json!({ "latitude": latitude, "longitude": longitude }),
        )
    }

    pub fn reacts(&self, message_id: &str, emoji: &str) -> String {
        self.sends("reaction", json!({ "message_id": message_id, "emoji": emoji }))
    }

    /// Sends any kind with any content.
    pub fn sends(&self, kind: &str, content: Value) -> String {
        self.send(kind, content, json!({}))
    }

    /// Sends a message as it stands: its `type`, the member of that name if there is one, and whatever else.
    pub fn sends_raw(&self, kind: &str, mut message: Value) -> String {
        let content = message
            .as_object_mut()
            .and_then(|members| members.remove(kind))
            .unwrap_or_default();
        self.send(kind, content, message)
    }

    fn send(&self, kind: &str, content: Value, more: Value) -> String {
        let now = self.inner.clock.now();
        let (id, known) = {
            let mut state = self.inner.state();
            if let Some(known) = state.customers.get_mut(&self.id) {
                known.last_in = Some(now);
            }
            (state.wamid(&self.id), state.customers[&self.id].clone())
        };
        let mut message = json!({ "from_user_id": known.user_id, "id": id, "timestamp": now.as_second().to_string(),
            "type": kind });
        if !content.is_null() {
            message[kind] = content;
        }
        if let Some(phone) = &known.phone {
            message["from"] = json!(phone);
        }
        merge(&mut message, more);
        let mut value = self.inner.frame();
        // News of WhatsApp's own about a customer comes without them.
        if kind != "system" {
            value["contacts"] = json!([known.contact()]);
        }
        value["messages"] = json!([message]);
        self.inner.touch();
        let is_blocked = {
            let blocked = &self.inner.state().kept.blocked;
            blocked.contains(&self.id) || blocked.contains(&known.user_id)
        };
        if !is_blocked {
            self.inner.tell(Webhook {
                field: "messages",
                value,
            });
        }
        id
    }
}

fn merge(into: &mut Value, more: Value) {
    for (name, value) in more.as_object().into_iter().flatten() {
        into[name] = value.clone();
    }
}

/// `CC.` and letters or digits.
fn is_user_id(address: &str) -> bool {
    address
        .split_once('.')
        .is_some_and(|(country, _)| country.len() == 2 && country.bytes().all(|c| c.is_ascii_uppercase()))
}

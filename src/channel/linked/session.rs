//! What is asked of the server about the link itself, and what it is told to do with it. Nothing here ends in a log: the
//! text of a QR code is the key to the account.

use http::{HeaderName, Method};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::chat::MessageId;
use super::errors::{meaning_of, words_of};
use super::link::{Link, LinkState};
use super::{LinkedSettings, encode};
use crate::channel::{HttpRequest, HttpResponse, NetworkTransport, SendFailure, Transport};

/// What comes for the bot to work.
const EVENTS: [&str; 9] = [
    "message.any",
    "message.ack",
    "message.reaction",
    "message.edited",
    "message.revoked",
    "message.waiting",
    "poll.vote",
    "call.received",
    "session.status",
];

/// A WAHA server passes over it; the companion writes it into its audit.
const ACTOR: HeaderName = HeaderName::from_static("x-actor");

/// Why the server did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    #[error("{0}")]
    KeyRefused(String),
    #[error("the server has no session of this name; `switchboard channel pair` makes it")]
    NoSession,
    /// Not in the state in which the link is.
    #[error("{0}")]
    NotNow(String),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Unreachable(String),
}

/// One session at the server.
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    settings: &'a LinkedSettings,
    network: &'a NetworkTransport,
    /// Who asks, for the server's audit.
    actor: Option<&'a str>,
}

impl<'a> Session<'a> {
    pub(super) fn new(settings: &'a LinkedSettings, network: &'a NetworkTransport) -> Session<'a> {
        Session {
            settings,
            network,
            actor: None,
        }
    }

    /// The same session, asked by a person.
    pub fn by(self, actor: &'a str) -> Session<'a> {
        Session {
            actor: Some(actor),
            ..self
        }
    }

    /// How the link is. What the server does not answer is a state as well.
    pub async fn look(&self) -> Link {
        match self.found().await {
            Ok(session) => Link::of(&session),
            Err(NotDone::NoSession) => Link::bare(LinkState::NoSession, ""),
            Err(NotDone::KeyRefused(why)) => Link::bare(LinkState::KeyRefused, why),
            Err(NotDone::NotNow(why) | NotDone::Refused(why) | NotDone::Unreachable(why)) => {
                Link::bare(LinkState::Unreachable, why)
            }
        }
    }

    /// Whether webhooks of the session go to this address.
    ///
    /// # Errors
    /// If the server can't be asked.
    pub async fn has_webhook(&self, address: &str) -> Result<bool, NotDone> {
        Ok(goes_to(&self.found().await?, address))
    }

    /// The text of the QR code that is good now; `None` while there is none.
    ///
    /// # Errors
    /// If the server can't be asked.
    pub async fn code(&self) -> Result<Option<String>, NotDone> {
        let path = format!("api/{}/auth/qr?format=raw", self.settings.session);
        match self.ask(Method::GET, &path, None).await {
            Ok(answer) => Ok(super::decode::text(&answer, "value")),
            Err(NotDone::NotNow(_)) => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// Starts the session, which is made if there is none. Started twice it is as if started once.
    ///
    /// # Errors
    /// If the server does not do it.
    pub async fn start(&self) -> Result<(), NotDone> {
        match self.order("start").await {
            Err(NotDone::NoSession) => self.make().await,
            done => done,
        }
    }

    /// Starts it anew, with the same login.
    ///
    /// # Errors
    /// If the server does not do it.
    pub async fn restart(&self) -> Result<(), NotDone> {
        self.order("restart").await
    }

    /// Takes the device off the phone and forgets the keys.
    ///
    /// # Errors
    /// If the server does not do it.
    pub async fn log_out(&self) -> Result<(), NotDone> {
        self.order("logout").await
    }

    /// Gives the session its webhooks, and makes it if there is none. What is so already is not done again, for a change
    /// starts the session anew.
    ///
    /// # Errors
    /// If the server does not do it.
    pub async fn configure(&self, address: &str) -> Result<(), NotDone> {
        match self.found().await {
            Ok(session) if goes_to(&session, address) => Ok(()),
            Ok(session) => {
                let config = joined(session.get("config"), self.config());
                let body = json!({ "name": self.settings.session, "config": config });
                let path = format!("api/sessions/{}", self.settings.session);
                self.ask(Method::PUT, &path, Some(&body)).await.map(drop)
            }
            Err(NotDone::NoSession) => self.make().await,
            Err(why) => Err(why),
        }
    }

    /// Writes to a chat and gives the message's id.
    ///
    /// # Errors
    /// If the server does not take it.
    pub async fn write(&self, digits: &str, words: &str) -> Result<String, NotDone> {
        let body = json!({ "session": self.settings.session, "chatId": format!("{digits}@c.us"), "text": words,
            "linkPreview": false });
        let answer = self
            .carry(encode::post(self.settings, "api/sendText", &body))
            .await?;
        let id = answer.get("id").or_else(|| answer.get("key"));
        let id = id.and_then(MessageId::in_value);
        id.map(|id| id.whole)
            .ok_or_else(|| NotDone::Refused("the server took a message and gave it no id".to_owned()))
    }

    /// How far a message has come: -1 it failed, 1 it was sent, 2 it arrived, 3 it was read.
    ///
    /// # Errors
    /// If the server can't be asked, or does not know the message.
    pub async fn ack(&self, digits: &str, message: &str) -> Result<i64, NotDone> {
        let path = format!(
            "api/{}/chats/{digits}@c.us/messages/{message}",
            self.settings.session
        );
        let answer = self.ask(Method::GET, &path, None).await?;
        Ok(answer.get("ack").and_then(Value::as_i64).unwrap_or_default())
    }

    async fn found(&self) -> Result<Value, NotDone> {
        let path = format!("api/sessions/{}", self.settings.session);
        self.ask(Method::GET, &path, None).await
    }

    async fn make(&self) -> Result<(), NotDone> {
        let body = json!({ "name": self.settings.session, "config": self.config() });
        self.ask(Method::POST, "api/sessions", Some(&body))
            .await
            .map(drop)
    }

    /// Without an address of ours the session has no webhooks: nothing comes, and `channel verify` says so.
    fn config(&self) -> Value {
        let mut config = json!({
            "ignore": { "status": true, "groups": true, "channels": true, "broadcast": true },
        });
        if let Some(address) = &self.settings.endpoint {
            let key = self.settings.webhook_secrets.first();
            config["webhooks"] = json!([{
                "url": address,
                "events": EVENTS,
                "hmac": { "key": key.map(|key| key.expose_secret().trim()) },
                "retries": { "policy": "exponential", "delaySeconds": 2, "attempts": 15 },
            }]);
        }
        config
    }

    async fn order(&self, what: &str) -> Result<(), NotDone> {
        let path = format!("api/sessions/{}/{what}", self.settings.session);
        self.ask(Method::POST, &path, None).await.map(drop)
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, NotDone> {
        let request = encode::ask(self.settings, method, path, body);
        self.carry(match self.actor {
            Some(actor) => request.header(ACTOR, actor),
            None => request,
        })
        .await
    }

    async fn carry(&self, request: HttpRequest) -> Result<Value, NotDone> {
        let answer = self.network.send(request).await.map_err(|failure| {
            let (SendFailure::NotSent(why) | SendFailure::Unanswered(why)) = failure;
            NotDone::Unreachable(format!("the server of the linked device can't be reached: {why}"))
        })?;
        read(&answer)
    }
}

fn read(answer: &HttpResponse) -> Result<Value, NotDone> {
    if (200..300).contains(&answer.status) {
        // Some orders are answered with nothing.
        if answer.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Null);
        }
        return serde_json::from_slice(&answer.body).map_err(|_| {
            NotDone::Unreachable(
                "something answers at this address, and not in the language of such a server; check api_base"
                    .to_owned(),
            )
        });
    }
    let (code, words) = words_of(&answer.body);
    let words = if words.is_empty() {
        words
    } else {
        format!(" ({words})")
    };
    let says = format!(
        "the server of the linked device refused with HTTP {}: {}{words}",
        answer.status,
        meaning_of(answer.status, code)
    );
    Err(match answer.status {
        401 | 403 => NotDone::KeyRefused(says),
        404 => NotDone::NoSession,
        409 | 422 => NotDone::NotNow(says),
        500.. => NotDone::Unreachable(says),
        _ => NotDone::Refused(says),
    })
}

/// Our configuration of a session in what is there already: what others have set stays, and so do their webhooks.
fn joined(there: Option<&Value>, ours: Value) -> Value {
    let Some(Value::Object(there)) = there else {
        return ours;
    };
    let mut config = there.clone();
    let addresses = |hooks: Option<&Value>| -> Vec<Value> {
        let hooks = hooks.and_then(Value::as_array);
        hooks
            .into_iter()
            .flatten()
            .map(|hook| hook["url"].clone())
            .collect()
    };
    let replaced = addresses(ours.get("webhooks"));
    let kept = there.get("webhooks").and_then(Value::as_array);
    let kept = kept
        .into_iter()
        .flatten()
        .filter(|hook| !replaced.contains(&hook["url"]));
    let added = ours.get("webhooks").and_then(Value::as_array);
    let hooks: Vec<Value> = kept.chain(added.into_iter().flatten()).cloned().collect();
    config.insert("webhooks".to_owned(), Value::Array(hooks));
    if !config.get("ignore").is_some_and(Value::is_object) {
        config.insert("ignore".to_owned(), ours["ignore"].clone());
    }
    Value::Object(config)
}

fn goes_to(session: &Value, address: &str) -> bool {
    let hooks = session.pointer("/config/webhooks").and_then(Value::as_array);
    hooks.into_iter().flatten().any(|hook| {
        let events = hook.get("events").and_then(Value::as_array);
        let hears = |name: &str| {
            events
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .any(|event| event == name || event == "*")
        };
        hook.get("url").and_then(Value::as_str) == Some(address)
            && (hears("message.any") || hears("message"))
            && hears("message.ack")
            && hears("session.status")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> HttpResponse {
        HttpResponse {
            status,
            headers: http::HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_session_s_webhooks_come_here_if_they_tell_all_that_is_needed() {
        let url = "https://bot.example/webhook/main";
        let with = |url: &str, events: Value| json!({ "config": { "webhooks": [{ "url": url, "events": events }] } });
        assert!(goes_to(&with(url, json!(EVENTS)), url));
        assert!(goes_to(&with(url, json!(["*"])), url));
        assert!(!goes_to(&with(url, json!(["message.any"])), url), "no acks");
        assert!(!goes_to(&with("https://other.example", json!(EVENTS)), url));
        assert!(!goes_to(&json!({ "config": null }), url));
    }

    #[test]
    fn what_others_have_set_of_a_session_stays() {
        let hook = |url: &str, events: Value| json!({ "url": url, "events": events });
        let ours = json!({ "webhooks": [hook("https://bot.example/webhook/main", json!(EVENTS))], "ignore": { "groups": true } });
        let there = json!({ "proxy": { "server": "127.0.0.1:1" }, "ignore": null, "webhooks": [
            hook("https://bot.example/webhook/main", json!(["message"])), hook("https://other.example", json!(["*"]))] });
        let joined = super::joined(Some(&there), ours.clone());
        assert_eq!(joined["proxy"]["server"], "127.0.0.1:1");
        assert_eq!(joined["ignore"], ours["ignore"]);
        assert_eq!(
            joined["webhooks"],
            json!([there["webhooks"][1], ours["webhooks"][0]])
        );
        assert_eq!(super::joined(Some(&Value::Null), ours.clone()), ours);
    }

    #[test]
    fn what_the_server_answers_is_sorted() {
        assert_eq!(read(&answer(201, "")), Ok(Value::Null));
        assert!(matches!(
            read(&answer(200, "<html>")),
            Err(NotDone::Unreachable(_))
        ));
        assert!(matches!(read(&answer(401, "")), Err(NotDone::KeyRefused(_))));
        assert_eq!(read(&answer(404, "{}")), Err(NotDone::NoSession));
        let not_now = read(&answer(422, r#"{"error":"not yet","status":"STARTING"}"#)).unwrap_err();
        assert!(not_now.to_string().contains("not yet: STARTING"), "{not_now}");
        assert!(matches!(read(&answer(502, "")), Err(NotDone::Unreachable(_))));
    }
}

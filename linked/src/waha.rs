//! The shapes of the WAHA contract: what a session looks like, and what its webhooks carry.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::records::{Arrival, Event, SentMessage};
use crate::session::{Chat, Content, Received};
use crate::states::{Standing, State};

/// Named in webhooks and sessions, so that people see who holds the device.
pub const ENGINE: &str = "SWITCHBOARD-LINKED";

/// The account that is linked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Me {
    pub number: String,
    pub name: String,
    pub lid: Option<String>,
}

/// What the events of a session have in common.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    pub session: &'a str,
    pub me: Option<&'a Me>,
    pub now: Timestamp,
}

impl Me {
    pub fn to_json(&self) -> Value {
        json!({
            "id": format!("{}@c.us", self.number),
            "pushName": self.name,
            "lid": self.lid.as_ref().map(|lid| format!("{lid}@lid")),
        })
    }

    pub fn from_json(me: &Value) -> Option<Self> {
        let number = me["id"].as_str()?.split('@').next()?.to_owned();
        Some(Self {
            number,
            name: me["pushName"].as_str().unwrap_or_default().to_owned(),
            lid: me["lid"]
                .as_str()
                .and_then(|lid| lid.split('@').next())
                .map(str::to_owned),
        })
    }

    fn address(&self) -> String {
        format!("{}@c.us", self.number)
    }
}

/// A time of ours: to the second, in UTC.
pub fn rfc3339(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// The part of a session that a WAHA server does not have.
pub fn link(standing: &Standing, generation: u32) -> Value {
    let mut link = json!({
        "state": standing.state.name(),
        "since": rfc3339(standing.since),
        "reason": standing.reason,
        "next_action": standing.state.next_action(),
        "generation": generation,
    });
    match &standing.state {
        State::AwaitingScan { expires, .. } => link["expires"] = json!(rfc3339(*expires)),
        State::Reconnecting { attempt, next_at } => {
            link["attempt"] = json!(attempt);
            link["next_at"] = json!(next_at.map(rfc3339));
        }
        State::Banned { until } => link["until"] = json!(until.map(rfc3339)),
        State::Unlinked
        | State::Stopped
        | State::Starting
        | State::Linking
        | State::Connected
        | State::QrExpired
        | State::Replaced
        | State::LoggedOut
        | State::Outdated
        | State::Failed
        | State::Resetting => {}
    }
    link
}

pub fn session(name: &str, standing: &Standing, generation: u32, me: Option<&Me>, config: &Value) -> Value {
    json!({
        "name": name,
        "status": standing.state.status(),
        "me": me.map(Me::to_json),
        "config": config,
        "engine": { "engine": ENGINE },
        "link": link(standing, generation),
    })
}

/// The id of a message as the contract writes it.
pub fn message_id(from_me: bool, chat: &str, id: &str) -> String {
    format!("{from_me}_{chat}_{id}")
}

/// The last part of an id, which names a message everywhere, and whether it was ours.
pub fn bare_id(id: &str) -> (String, bool) {
    let mut parts = id.splitn(3, '_');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(from_me @ ("true" | "false")), Some(_), Some(id)) => (id.to_owned(), from_me == "true"),
        _ => (id.to_owned(), false),
    }
}

impl Frame<'_> {
    fn event(&self, chat: &str, event: &'static str, payload: Value) -> Event {
        let body = json!({
            "id": event_id(),
            "timestamp": self.now.as_millisecond(),
            "event": event,
            "session": self.session,
            "me": self.me.map(Me::to_json),
            "payload": payload,
            "engine": ENGINE,
            "environment": { "engine": ENGINE, "version": env!("CARGO_PKG_VERSION"), "tier": "CORE" },
        });
        Event {
            chat: chat.to_owned(),
            event,
            body,
        }
    }

    pub fn status(&self, standing: &Standing, generation: u32) -> Event {
        let payload = json!({
            "name": self.session,
            "status": standing.state.status(),
            "link": link(standing, generation),
        });
        self.event("", "session.status", payload)
    }

    pub fn ack(&self, message: &SentMessage) -> Event {
        let name = match message.ack {
            ..0 => "ERROR",
            0 => "PENDING",
            1 => "SERVER",
            2 => "DEVICE",
            3 => "READ",
            4.. => "PLAYED",
        };
        let mut payload = json!({
            "id": message_id(true, &message.chat, &message.id),
            "from": self.me.map(Me::address),
            "to": message.chat,
            "fromMe": true,
            "ack": message.ack,
            "ackName": name,
        });
        if let Some(code) = message.code {
            payload["code"] = json!(code);
            payload["error"] = json!(crate::waha::refusal(code));
        }
        self.event(&message.chat, "message.ack", payload)
    }

    pub fn waiting(&self, id: &str, chat: &Chat) -> Event {
        let payload = json!({ "id": message_id(false, chat.as_str(), id), "from": chat.as_str() });
        self.event(chat.as_str(), "message.waiting", payload)
    }

    pub fn call(&self, id: &str, from: &Chat) -> Event {
        self.event(
            from.as_str(),
            "call.received",
            json!({ "id": id, "from": from.as_str() }),
        )
    }

    /// What is kept of a message, and what the webhooks are told of it. `files` is the address under which this
    /// server gives files out.
    pub fn arrival(&self, message: Received, files: &str) -> Arrival {
        let chat = message.chat.as_str().to_owned();
        let mine = self.me.map(Me::address).unwrap_or_default();
        let (from, to) = if message.from_me {
            (mine, chat.clone())
        } else {
            (chat.clone(), mine)
        };
        let mut payload = json!({
            "id": message_id(message.from_me, &chat, &message.id),
            "timestamp": message.timestamp,
            "from": from,
            "to": to,
            "fromMe": message.from_me,
            "source": "app",
            "body": "",
            "hasMedia": false,
            "media": null,
            "replyTo": message.quoted.as_ref().map(|id| json!({ "id": id })),
            "_data": {
                "pushName": message.push_name,
                "key": { "remoteJidAlt": message.other_address.as_ref().map(Chat::as_str) },
            },
        });
        let mut file = None;
        let mut only = None;
        match message.content {
            Content::Text(body) => payload["body"] = json!(body),
            Content::File(given) => {
                payload["body"] = json!(given.caption);
                payload["hasMedia"] = json!(true);
                payload["media"] = json!({
                    "url": format!("{files}/api/files/{}/{}", self.session, message.id),
                    "mimetype": given.mimetype,
                    "filename": given.filename,
                    "error": null,
                });
                if given.mimetype.starts_with("audio/") {
                    payload["_data"]["message"] = json!({ "audioMessage": { "ptt": given.voice } });
                }
                file = Some((given.mimetype, given.reference));
            }
            Content::Location {
                latitude,
                longitude,
                description,
            } => {
                payload["location"] =
                    json!({ "latitude": latitude, "longitude": longitude, "description": description });
            }
            Content::Cards(cards) => payload["vCards"] = json!(cards),
            Content::Reaction { text, to } => {
                payload["reaction"] = json!({ "text": text, "messageId": to });
                only = Some("message.reaction");
            }
            Content::Edited { id, body } => {
                payload["body"] = json!(body);
                payload["editedMessageId"] = json!(id);
                only = Some("message.edited");
            }
            Content::Revoked { id } => {
                payload["revokedMessageId"] = json!(id);
                payload["after"] =
                    json!({ "id": payload["id"], "from": payload["from"], "fromMe": payload["fromMe"] });
                only = Some("message.revoked");
            }
            Content::Other(kind) => payload["_data"]["kind"] = json!(kind),
        }
        // `message` is what others wrote, `message.any` also what the owner wrote on the phone.
        let events = match only {
            Some(event) => vec![self.event(&chat, event, payload)],
            None if message.from_me => vec![self.event(&chat, "message.any", payload)],
            None => vec![
                self.event(&chat, "message", payload.clone()),
                self.event(&chat, "message.any", payload),
            ],
        };
        Arrival {
            chat: message.chat,
            sender: message.sender,
            other_address: message.other_address,
            id: message.id,
            from_me: message.from_me,
            file,
            events,
        }
    }
}

/// What a refusal of WhatsApp's server means.
pub fn refusal(code: u16) -> &'static str {
    match code {
        463 => {
            "WhatsApp does not let this number write to this customer first; wait until the customer writes"
        }
        429 => "WhatsApp says that this number sends too fast; send less",
        405 | 473 | 479 => "WhatsApp refused this kind of message; send it as plain text",
        _ => "WhatsApp refused the message",
    }
}

fn event_id() -> String {
    let mut bytes = [0; 16];
    // Without randomness the time still tells events apart.
    if getrandom::fill(&mut bytes).is_err() {
        bytes = Timestamp::now().as_nanosecond().to_be_bytes();
    }
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("evt_{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::File;

    fn now() -> Timestamp {
        Timestamp::from_second(1_764_122_400).unwrap()
    }

    fn me() -> Me {
        Me {
            number: "6281100000099".into(),
            name: "Kopi Senja".into(),
            lid: Some("900000000000099".into()),
        }
    }

    fn received(content: Content) -> Received {
        let chat = Chat::of_number("6281100000022");
        Received {
            id: "3EB0C0FFEE".into(),
            sender: chat.clone(),
            chat,
            other_address: Some(Chat::of_lid("100000000000022")),
            from_me: false,
            timestamp: 1_764_122_400,
            push_name: "Sari".into(),
            content,
            quoted: None,
        }
    }

    fn arrival(message: Received) -> Arrival {
        let me = me();
        Frame {
            session: "main",
            me: Some(&me),
            now: now(),
        }
        .arrival(message, "http://127.0.0.1:3080")
    }

    #[test]
    fn a_text_is_told_as_the_contract_has_it() {
        let arrival = arrival(received(Content::Text("Hi".into())));
        let names: Vec<_> = arrival.events.iter().map(|event| event.event).collect();
        assert_eq!(names, ["message", "message.any"]);
        let body = &arrival.events[1].body;
        let payload = &body["payload"];
        assert_eq!(payload["id"], "false_6281100000022@c.us_3EB0C0FFEE");
        assert_eq!(
            (&payload["from"], &payload["to"]),
            (&json!("6281100000022@c.us"), &json!("6281100000099@c.us"))
        );
        assert_eq!(payload["body"], "Hi");
        assert_eq!(payload["_data"]["pushName"], "Sari");
        assert_eq!(payload["_data"]["key"]["remoteJidAlt"], "100000000000022@lid");
        assert_eq!(body["me"]["id"], "6281100000099@c.us");
        assert_eq!(body["timestamp"], 1_764_122_400_000_i64);
    }

    #[test]
    fn what_the_owner_wrote_on_the_phone_is_told_to_message_any_alone() {
        let mut message = received(Content::Text("Hello, this is Ani".into()));
        message.from_me = true;
        let arrival = arrival(message);
        assert_eq!(arrival.events.len(), 1);
        let payload = &arrival.events[0].body["payload"];
        assert_eq!(arrival.events[0].event, "message.any");
        assert_eq!(
            (&payload["source"], &payload["fromMe"]),
            (&json!("app"), &json!(true))
        );
        assert_eq!(payload["to"], "6281100000022@c.us");
    }

    #[test]
    fn a_note_of_voice_has_an_address_here_and_says_that_it_is_one() {
        let arrival = arrival(received(Content::File(File {
            mimetype: "audio/ogg; codecs=opus".into(),
            filename: None,
            caption: String::new(),
            voice: true,
            reference: vec![1],
        })));
        let payload = &arrival.events[0].body["payload"];
        assert_eq!(
            payload["media"]["url"],
            "http://127.0.0.1:3080/api/files/main/3EB0C0FFEE"
        );
        assert_eq!(payload["_data"]["message"]["audioMessage"]["ptt"], true);
        assert_eq!(arrival.file, Some(("audio/ogg; codecs=opus".into(), vec![1])));
    }

    #[test]
    fn reactions_edits_and_revocations_are_events_of_their_own() {
        for (content, name, pointer, value) in [
            (
                Content::Reaction {
                    text: "👍".into(),
                    to: "B".into(),
                },
                "message.reaction",
                "/reaction/messageId",
                "B",
            ),
            (
                Content::Edited {
                    id: "B".into(),
                    body: "new".into(),
                },
                "message.edited",
                "/editedMessageId",
                "B",
            ),
            (
                Content::Revoked { id: "B".into() },
                "message.revoked",
                "/revokedMessageId",
                "B",
            ),
        ] {
            let arrival = arrival(received(content));
            assert_eq!(arrival.events.len(), 1);
            assert_eq!(arrival.events[0].event, name);
            assert_eq!(
                arrival.events[0].body["payload"].pointer(pointer),
                Some(&json!(value))
            );
        }
    }

    #[test]
    fn an_id_is_read_in_every_form() {
        assert_eq!(bare_id("true_6281100000022@c.us_3EB0"), ("3EB0".to_owned(), true));
        assert_eq!(
            bare_id("false_100000000000022@lid_3E_B0"),
            ("3E_B0".to_owned(), false)
        );
        assert_eq!(bare_id("3EB0"), ("3EB0".to_owned(), false));
    }

    #[test]
    fn a_refused_message_says_the_code_and_what_it_means() {
        let me = me();
        let frame = Frame {
            session: "main",
            me: Some(&me),
            now: now(),
        };
        let message = SentMessage {
            id: "A".into(),
            chat: "6281100000022@c.us".into(),
            body: "Hi".into(),
            ack: -1,
            code: Some(463),
            at: 0,
        };
        let payload = &frame.ack(&message).body["payload"];
        assert_eq!((&payload["ack"], &payload["code"]), (&json!(-1), &json!(463)));
        assert!(payload["error"].as_str().unwrap().contains("customer"));
    }

    #[test]
    fn a_session_says_its_state_coarsely_and_exactly() {
        let until = now();
        let standing = Standing::new(State::Banned { until: Some(until) }, "too many messages", now());
        let session = session("main", &standing, 3, Some(&me()), &json!({}));
        assert_eq!(
            (&session["status"], &session["link"]["state"]),
            (&json!("FAILED"), &json!("banned"))
        );
        assert_eq!(session["link"]["until"], "2025-11-26T02:00:00Z");
        assert_eq!(session["link"]["generation"], 3);
    }
}

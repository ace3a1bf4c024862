//! How the link between the phone and the server is: read from what the server says of its session, whichever of the two
//! languages it speaks. Ours names every state, with a reason and what to do; a WAHA server's has five words. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::chat::Chat;
use super::decode::text;

/// A state of the link. What needs a person is told from what mends itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// No phone is linked.
    Unlinked,
    /// There is a link, and somebody has stopped the session at the server.
    Stopped,
    Starting,
    /// A code waits for the phone's camera.
    AwaitingScan,
    /// A code of letters, or a passkey, waits for the phone.
    AwaitingCode,
    /// The phone has scanned.
    Linking,
    Connected,
    Reconnecting,
    /// Nobody has scanned in time.
    QrExpired,
    /// Another program uses the same link.
    Replaced,
    LoggedOut,
    Banned,
    /// WhatsApp takes this version of the client no more.
    Outdated,
    Failed,
    Resetting,
    /// The server has no session of this name.
    NoSession,
    /// The server can't be asked.
    Unreachable,
    /// It takes our key no more.
    KeyRefused,
}

impl LinkState {
    const ALL: [LinkState; 18] = [
        LinkState::Unlinked,
        LinkState::Stopped,
        LinkState::Starting,
        LinkState::AwaitingScan,
        LinkState::AwaitingCode,
        LinkState::Linking,
        LinkState::Connected,
        LinkState::Reconnecting,
        LinkState::QrExpired,
        LinkState::Replaced,
        LinkState::LoggedOut,
        LinkState::Banned,
        LinkState::Outdated,
        LinkState::Failed,
        LinkState::Resetting,
        LinkState::NoSession,
        LinkState::Unreachable,
        LinkState::KeyRefused,
    ];

    /// In configuration, JSON and the contract.
    pub fn word(self) -> &'static str {
        match self {
            LinkState::Unlinked => "unlinked",
            LinkState::Stopped => "stopped",
            LinkState::Starting => "starting",
            LinkState::AwaitingScan => "awaiting_scan",
            LinkState::AwaitingCode => "awaiting_code",
            LinkState::Linking => "linking",
            LinkState::Connected => "connected",
            LinkState::Reconnecting => "reconnecting",
            LinkState::QrExpired => "qr_expired",
            LinkState::Replaced => "replaced",
            LinkState::LoggedOut => "logged_out",
            LinkState::Banned => "banned",
            LinkState::Outdated => "outdated",
            LinkState::Failed => "failed",
            LinkState::Resetting => "resetting",
            LinkState::NoSession => "no_session",
            LinkState::Unreachable => "unreachable",
            LinkState::KeyRefused => "key_refused",
        }
    }

    pub fn named(word: &str) -> Option<LinkState> {
        LinkState::ALL.into_iter().find(|state| state.word() == word)
    }

    pub fn in_words(self) -> &'static str {
        match self {
            LinkState::Unlinked => "no phone is linked",
            LinkState::Stopped => "the session is stopped at its server; the phone is still linked",
            LinkState::Starting => "the session is starting",
            LinkState::AwaitingScan => "a QR code waits to be scanned with the phone",
            LinkState::AwaitingCode => "WhatsApp waits for a code or a passkey on the phone",
            LinkState::Linking => "the phone has scanned the code, and the link is being made",
            LinkState::Connected => "connected",
            LinkState::Reconnecting => "the connection is lost and is being made again",
            LinkState::QrExpired => "nobody scanned the QR code in time",
            LinkState::Replaced => "another program uses the same link, which threw this one out",
            LinkState::LoggedOut => "the device was logged out",
            LinkState::Banned => "WhatsApp has banned the number for a time",
            LinkState::Outdated => "WhatsApp takes this version of the server no more",
            LinkState::Failed => "the session has failed",
            LinkState::Resetting => "the login is being reset",
            LinkState::NoSession => "the server has no session of this name",
            LinkState::Unreachable => "the server that holds the link can't be reached",
            LinkState::KeyRefused => "the server that holds the link does not take the access_token",
        }
    }

    /// What a person has to do about it; `None` if nothing. `id` is the channel's.
    pub fn next_step(self, id: &str) -> Option<String> {
        Some(match self {
            LinkState::Connected => return None,
            LinkState::Starting | LinkState::Linking | LinkState::Resetting => {
                "wait a moment, and look again".to_owned()
            }
            LinkState::Reconnecting => {
                "wait; if it lasts for minutes, see whether the server that holds the link reaches the internet".to_owned()
            }
            LinkState::Unlinked | LinkState::QrExpired | LinkState::LoggedOut | LinkState::NoSession => {
                format!("run `switchboard channel pair {id}` and scan the code with the phone that owns the number")
            }
            LinkState::AwaitingScan => {
                format!("scan the code that `switchboard channel pair {id}` shows, with the phone that owns the number")
            }
            LinkState::AwaitingCode => "finish it on the phone and at the server that holds the link".to_owned(),
            LinkState::Stopped => format!("run `switchboard channel pair {id}`, which starts it again; no scan is needed"),
            LinkState::Replaced => format!(
                "end the other program first, then run `switchboard channel pair {id}`; two of them throw each other out \
                 for ever"
            ),
            LinkState::Banned => {
                "wait until the ban is over, and write less: replies only, to people who wrote first".to_owned()
            }
            LinkState::Outdated => "update the server that holds the link".to_owned(),
            LinkState::Failed => format!(
                "run `switchboard channel pair {id}`; if it fails again, remove the device on the phone and run \
                 `switchboard channel reset {id}`"
            ),
            LinkState::Unreachable => "check api_base, and whether the server that holds the link runs".to_owned(),
            LinkState::KeyRefused => {
                "put the server's key where access_token_env or access_token_file points, and restart".to_owned()
            }
        })
    }

    /// Whether it ends, or gets on, only when a person does something.
    pub fn needs_a_person(self) -> bool {
        match self {
            LinkState::Starting
            | LinkState::Linking
            | LinkState::Connected
            | LinkState::Reconnecting
            | LinkState::Resetting => false,
            LinkState::Unlinked
            | LinkState::Stopped
            | LinkState::AwaitingScan
            | LinkState::AwaitingCode
            | LinkState::QrExpired
            | LinkState::Replaced
            | LinkState::LoggedOut
            | LinkState::Banned
            | LinkState::Outdated
            | LinkState::Failed
            | LinkState::NoSession
            | LinkState::Unreachable
            | LinkState::KeyRefused => true,
        }
    }
}

/// The link of one session, as its server tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub state: LinkState,
    /// When that began, if the server says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Why, in the server's words; empty if it says nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What the server says is to be done; empty if nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next_action: String,
    /// Counts logins of this session, if the server does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// The digits of the number that is linked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// When a ban ends, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Link {
    /// A link of which the server says nothing.
    pub fn bare(state: LinkState, reason: impl Into<String>) -> Link {
        Link {
            state,
            since: None,
            reason: reason.into(),
            next_action: String::new(),
            generation: None,
            number: None,
            until: None,
        }
    }

    /// From a session, or from the payload of a `session.status`. Total.
    pub fn of(session: &Value) -> Link {
        let number = session
            .pointer("/me/id")
            .and_then(Value::as_str)
            .and_then(Chat::of)
            .and_then(|chat| chat.number().map(str::to_owned));
        let linked = session.get("me").is_some_and(Value::is_object);
        let status = text(session, "status").unwrap_or_default();
        let coarse = coarse(&status, linked);
        let ours = session.get("link").unwrap_or(&Value::Null);
        let time = |name: &str| ours.get(name)?.as_str()?.parse().ok();
        let state = text(ours, "state").and_then(|word| LinkState::named(&word));
        let reason = text(ours, "reason").unwrap_or_else(|| match coarse {
            // A word that is not known is told as it is.
            LinkState::Failed if status != "FAILED" => format!("the server says {status:?}"),
            _ => String::new(),
        });
        Link {
            state: state.unwrap_or(coarse),
            since: time("since"),
            reason,
            next_action: text(ours, "next_action").unwrap_or_default(),
            generation: ours.get("generation").and_then(Value::as_u64),
            number,
            until: time("until"),
        }
    }

    /// Why nothing may leave from `planned` over this link; `None`: it may.
    pub fn held(&self, planned: &str) -> Option<String> {
        if self.state != LinkState::Connected {
            return Some(self.in_words());
        }
        match &self.number {
            Some(number) if number != planned => Some(format!(
                "another number is linked than the one that is planned (it ends with {}, planned is one that ends with {}); \
                 nothing is sent from it",
                ending(number),
                ending(planned)
            )),
            Some(_) | None => None,
        }
    }

    /// The state and its reason, for people.
    pub fn in_words(&self) -> String {
        let mut words = self.state.in_words().to_owned();
        if !self.reason.is_empty() {
            words = format!("{words} ({})", self.reason);
        }
        match self.until.filter(|_| self.state == LinkState::Banned) {
            Some(until) => format!("{words}, until {until}"),
            None => words,
        }
    }
}

/// The last digits, enough to tell two numbers apart in a log.
fn ending(number: &str) -> &str {
    number.get(number.len().saturating_sub(4)..).unwrap_or(number)
}

/// What a WAHA server's word means.
fn coarse(status: &str, linked: bool) -> LinkState {
    match status {
        "WORKING" => LinkState::Connected,
        "STARTING" => LinkState::Starting,
        "SCAN_QR_CODE" => LinkState::AwaitingScan,
        "PASSKEY_REQUIRED" | "PASSKEY_CONFIRMATION_REQUIRED" => LinkState::AwaitingCode,
        "STOPPED" if linked => LinkState::Stopped,
        "STOPPED" => LinkState::Unlinked,
        _ => LinkState::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn session(status: &str, me: Value) -> Value {
        json!({ "name": "main", "status": status, "me": me })
    }

    #[test]
    fn the_five_words_of_a_waha_server_are_understood() {
        let me = json!({ "id": "6281100000011@c.us", "pushName": "Kopi" });
        for (status, me, state) in [
            ("WORKING", me.clone(), LinkState::Connected),
            ("STARTING", Value::Null, LinkState::Starting),
            ("SCAN_QR_CODE", Value::Null, LinkState::AwaitingScan),
            ("STOPPED", Value::Null, LinkState::Unlinked),
            ("STOPPED", me, LinkState::Stopped),
            ("FAILED", Value::Null, LinkState::Failed),
            ("PASSKEY_REQUIRED", Value::Null, LinkState::AwaitingCode),
        ] {
            assert_eq!(Link::of(&session(status, me)).state, state, "{status}");
        }
        let new = Link::of(&session("DREAMING", Value::Null));
        assert_eq!(new.state, LinkState::Failed);
        assert!(new.reason.contains("DREAMING"));
    }

    #[test]
    fn a_server_of_ours_says_more_and_its_word_counts() {
        let mut session = session("FAILED", Value::Null);
        session["link"] = json!({ "state": "banned", "since": "2026-11-26T01:00:00Z", "reason": "code 101",
            "next_action": "wait", "generation": 3, "until": "2026-11-27T01:00:00Z" });
        let link = Link::of(&session);
        assert_eq!(
            (
                link.state,
                link.generation,
                link.reason.as_str(),
                link.next_action.as_str()
            ),
            (LinkState::Banned, Some(3), "code 101", "wait")
        );
        assert!(
            link.in_words().ends_with("until 2026-11-27T01:00:00Z"),
            "{}",
            link.in_words()
        );
        session["link"]["state"] = json!("dreaming");
        assert_eq!(
            Link::of(&session).state,
            LinkState::Failed,
            "a word that is new falls back to the coarse one"
        );
    }

    #[test]
    fn nothing_leaves_from_another_number_or_over_a_link_that_is_down() {
        let me = json!({ "id": "6281100000011:4@s.whatsapp.net" });
        let link = Link::of(&session("WORKING", me.clone()));
        assert_eq!(link.held("6281100000011"), None);
        let held = link.held("6281100000099").unwrap();
        assert!(
            held.contains("ends with 0011") && held.contains("ends with 0099"),
            "{held}"
        );
        assert!(
            !held.contains("6281100000011"),
            "whole numbers stay out of logs: {held}"
        );
        for status in ["STOPPED", "STARTING", "SCAN_QR_CODE", "FAILED"] {
            assert!(
                Link::of(&session(status, me.clone()))
                    .held("6281100000011")
                    .is_some(),
                "{status}"
            );
        }
    }

    #[test]
    fn every_state_has_its_word_and_all_but_one_a_next_step() {
        for state in LinkState::ALL {
            assert_eq!(LinkState::named(state.word()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), json!(state.word()));
            assert!(!state.in_words().is_empty());
            let step = state.next_step("main");
            assert_eq!(step.is_none(), state == LinkState::Connected, "{state:?}");
        }
    }

    #[test]
    fn anything_at_all_is_a_link() {
        for value in [
            json!(null),
            json!([]),
            json!({ "status": 7, "me": 7, "link": [1] }),
            json!("x"),
        ] {
            Link::of(&value);
        }
    }
}

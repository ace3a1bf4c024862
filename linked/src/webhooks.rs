//! Posts what happened to the addresses that a session was configured with, signed, until each has taken it.
//!
//! At least once and in order within a chat: an event leaves the file only after a 2xx. An address that does not answer
//! holds up its chat and nothing else.

use std::collections::HashMap;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde_json::Value;
use sha2::Sha512;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::records::{Records, Waiting};

/// The longest pause between two attempts, in seconds.
const LONGEST_PAUSE: i64 = 60;

/// So many events, each of another chat, are on their way at once.
const AT_ONCE: usize = 16;

/// An address that events go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub url: String,
    events: Vec<String>,
    key: Option<String>,
}

/// The addresses of a session's configuration, or a sentence on what is wrong with it.
pub fn targets(config: &Value) -> Result<Vec<Target>, String> {
    let Some(listed) = config.get("webhooks").filter(|listed| !listed.is_null()) else {
        return Ok(Vec::new());
    };
    let listed = listed
        .as_array()
        .ok_or("config.webhooks is a list of {url, events, hmac}")?;
    listed
        .iter()
        .enumerate()
        .map(|(number, hook)| target(hook).map_err(|why| format!("webhook {number}: {why}")))
        .collect()
}

fn target(hook: &Value) -> Result<Target, String> {
    let url = hook["url"].as_str().ok_or("it has no url")?;
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(format!("{url:?} is no http or https address"));
    }
    let events = hook["events"].as_array().ok_or("it has no list of events")?;
    let events = events
        .iter()
        .map(|event| {
            event
                .as_str()
                .map(str::to_owned)
                .ok_or_else(|| format!("{event} is no name of an event"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let key = match &hook["hmac"]["key"] {
        Value::Null => None,
        Value::String(key) if !key.is_empty() => Some(key.clone()),
        _ => return Err("hmac.key is a text that is not empty".to_owned()),
    };
    Ok(Target {
        url: url.to_owned(),
        events,
        key,
    })
}

impl Target {
    fn wants(&self, event: &str) -> bool {
        self.events.iter().any(|wanted| wanted == event || wanted == "*")
    }
}

/// HMAC-SHA512 of the body's bytes, in hexadecimal.
pub fn signature(key: &str, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha512>::new_from_slice(key.as_bytes()) else {
        unreachable!("HMAC takes keys of any length")
    };
    mac.update(body.as_bytes());
    mac.finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Posts until the session is taken down. `config` always holds the configuration of now.
pub async fn deliver(records: Records, mut config: watch::Receiver<Value>, mut wake: watch::Receiver<u64>) {
    let mut posting = JoinSet::new();
    // Which task has which event in hand.
    let mut in_hand: HashMap<tokio::task::Id, i64> = HashMap::new();
    loop {
        wake.borrow_and_update();
        let targets = targets(&config.borrow_and_update()).unwrap_or_default();
        if targets.is_empty() && posting.is_empty() {
            // What happens before anybody listens is kept until somebody does.
            if config.changed().await.is_err() {
                return;
            }
            continue;
        }
        let waiting = match records.waiting(Timestamp::now().as_second()).await {
            Ok(waiting) => waiting,
            Err(error) => {
                tracing::error!("the events that wait cannot be read: {error:#}");
                Vec::new()
            }
        };
        for event in waiting {
            if in_hand.len() >= AT_ONCE || in_hand.values().any(|id| *id == event.id) {
                continue;
            }
            let (records, targets, id) = (records.clone(), targets.clone(), event.id);
            let task = posting.spawn(async move {
                if let Err(error) = post(&records, &targets, event).await {
                    tracing::error!("what became of an event cannot be written down: {error:#}");
                }
            });
            in_hand.insert(task.id(), id);
        }
        tokio::select! {
            Some(done) = posting.join_next_with_id() => {
                let task = done.map_or_else(|error| error.id(), |(task, ())| task);
                in_hand.remove(&task);
            }
            changed = wake.changed() => if changed.is_err() { return },
            changed = config.changed() => if changed.is_err() { return },
            // Something that was put off may be due.
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}

async fn post(records: &Records, targets: &[Target], event: Waiting) -> anyhow::Result<()> {
    let mut taken = event.taken.clone();
    let mut failure = None;
    for target in targets.iter().filter(|target| target.wants(&event.event)) {
        if taken.contains(&target.url) {
            continue;
        }
        match post_to(target.clone(), event.body.clone()).await {
            Ok(()) => taken.push(target.url.clone()),
            Err(why) => failure = Some((target.url.clone(), why)),
        }
    }
    let Some((url, why)) = failure else {
        return records.posted(event.id).await;
    };
    let pause = (1_i64 << event.attempts.min(6)).min(LONGEST_PAUSE);
    tracing::warn!(
        event = event.event,
        attempt = event.attempts + 1,
        "{} took no webhook: {why}",
        without_query(&url)
    );
    records
        .put_off(event.id, taken, Timestamp::now().as_second() + pause)
        .await
}

/// What stands before a question mark: the rest may be a secret.
fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

async fn post_to(target: Target, body: String) -> Result<(), String> {
    #[cfg(feature = "loopback-test")]
    crate::loopback::only(&target.url).map_err(|error| error.to_string())?;
    let posted = tokio::task::spawn_blocking(move || {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(30)))
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .into();
        let mut request = agent
            .post(&target.url)
            .header("Content-Type", "application/json")
            .header(
                "User-Agent",
                concat!("switchboard-linked/", env!("CARGO_PKG_VERSION")),
            )
            .header(
                "X-Webhook-Timestamp",
                Timestamp::now().as_millisecond().to_string(),
            )
            .header("X-Webhook-Request-Id", request_id(&body));
        if let Some(key) = &target.key {
            request = request
                .header("X-Webhook-Hmac", signature(key, &body))
                .header("X-Webhook-Hmac-Algorithm", "sha512");
        }
        request.send(body.as_bytes()).map(|answer| answer.status())
    });
    match posted.await {
        Ok(Ok(status)) if status.is_success() => Ok(()),
        Ok(Ok(status)) => Err(format!("it answered {status}")),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("posting it was broken off".to_owned()),
    }
}

/// The event's own id: a repetition carries the same.
fn request_id(body: &str) -> String {
    serde_json::from_str::<Value>(body)
        .ok()
        .and_then(|body| body["id"].as_str().map(str::to_owned))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_signature_is_hmac_sha512_in_hexadecimal() {
        // RFC 4231, case 2.
        assert_eq!(
            signature("Jefe", "what do ya want for nothing?"),
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
        );
    }

    #[test]
    fn a_wrong_configuration_is_refused_in_words() {
        for (config, words) in [
            (json!({"webhooks": 3}), "is a list"),
            (json!({"webhooks": [{"events": []}]}), "webhook 0: it has no url"),
            (
                json!({"webhooks": [{"url": "ftp://x", "events": []}]}),
                "no http or https address",
            ),
            (json!({"webhooks": [{"url": "http://x"}]}), "no list of events"),
            (
                json!({"webhooks": [{"url": "http://x", "events": [3]}]}),
                "no name of an event",
            ),
            (
                json!({"webhooks": [{"url": "http://x", "events": [], "hmac": {"key": ""}}]}),
                "not empty",
            ),
        ] {
            let why = targets(&config).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
        assert_eq!(targets(&json!({})).unwrap(), []);
    }

    #[test]
    fn an_address_gets_the_events_it_asked_for() {
        let targets =
            targets(&json!({"webhooks": [{"url": "http://x", "events": ["message.any"]}]})).unwrap();
        assert!(targets[0].wants("message.any"));
        assert!(!targets[0].wants("message"));
    }
}

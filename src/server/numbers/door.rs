//! The settings of a store for commands that change them: straight, or through the server that holds an embedded store,
//! by its operators' API. Either way a change is one swap, and a running server hears of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::server::agreed;
use crate::server::config::Config;
use crate::server::flows::tally::{self, Kinds, Tally};
use crate::store::{self, Bytes, Caps, ContactId, Store, StoreError};

/// What may be changed through a server: nothing of a customer is among it.
const OPEN: [&str; 4] = ["flows/", "launch/", "number/", "secret/"];
/// What may be read besides.
const SHOWN: [&str; 2] = ["endpoint/", "link/"];
/// A whole published version fits.
pub(in crate::server) const ASKED_BYTES: usize = 32 * 1024 * 1024;
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// How often somebody who lost a race looks again.
const TRIES: usize = 8;

/// A way to the settings.
#[derive(Debug, Clone)]
pub enum Door {
    Here(Arc<dyn Store>),
    There(Remote),
}

/// A running server.
#[derive(Debug, Clone)]
pub struct Remote {
    at: SocketAddr,
    token: SecretString,
    client: reqwest::Client,
}

impl Remote {
    /// Where it listens.
    pub fn at(&self) -> SocketAddr {
        self.at
    }
}

/// One step, as a server is asked for it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::server) enum Ask {
    Get {
        key: String,
    },
    List {
        prefix: String,
    },
    Swap {
        key: String,
        seen: Option<Bytes>,
        value: Option<Bytes>,
    },
    /// One step of counting who is where: names of the flows and numbers, and nothing that a customer said.
    Tally {
        after: Option<String>,
        limit: usize,
        /// Fields of contacts whose values are held against these kinds.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        kinds: Kinds,
    },
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::server) struct Told {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Bytes>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    listed: Vec<(String, Bytes)>,
    #[serde(default)]
    swapped: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tally: Option<Tally>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "the store is in use by a running server, and the configuration has no admin_token to ask it with: add one, or stop the server first"
    )]
    NoToken,
    #[error(
        "the store is in use by a running server, which does not answer at http://{at}: {why}. Is `bind` the address it listens on?"
    )]
    Silent { at: SocketAddr, why: String },
    #[error("the running server at http://{at} refuses: {why}")]
    Refused { at: SocketAddr, why: String },
    #[error("somebody else changes {0} at the same time, again and again; run it once more")]
    Contended(String),
}

/// Where a server that listens everywhere is reached from this machine.
pub fn reached(mut at: SocketAddr) -> SocketAddr {
    match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => at.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => at.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    at
}

/// For questions to a server of one's own, past any proxy.
///
/// # Errors
/// If TLS can't be started.
pub fn client(answers_within: Duration) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .timeout(answers_within)
        .no_proxy()
        .build()
}

impl Door {
    /// Opens the store of a configuration, or finds the server that has it.
    ///
    /// # Errors
    /// If neither can be reached; in words, with what to do.
    pub async fn open(config: &Config) -> Result<Door, DoorError> {
        match store::open(&config.store, Caps::default(), crate::server::clock()).await {
            Ok(store) => Ok(Door::Here(store)),
            Err(StoreError::Locked(_)) => {
                let token = config.admin_token.clone().ok_or(DoorError::NoToken)?;
                let at = reached(config.bind);
                let client = client(ANSWER_WITHIN).map_err(|why| DoorError::Silent {
                    at,
                    why: why.to_string(),
                })?;
                Ok(Door::There(Remote { at, token, client }))
            }
            Err(why) => Err(why.into()),
        }
    }

    pub async fn close(&self) -> Result<(), DoorError> {
        match self {
            Door::Here(store) => Ok(store.close().await?),
            Door::There(_) => Ok(()),
        }
    }

    /// The time of the store.
    pub fn now(&self) -> Timestamp {
        match self {
            Door::Here(store) => store.now(),
            Door::There(_) => Timestamp::now(),
        }
    }

    pub(in crate::server) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, DoorError> {
        match self {
            Door::Here(store) => Ok(store.setting(key).await?),
            Door::There(server) => {
                let key = key.to_owned();
                Ok(server.ask(&Ask::Get { key }).await?.value.map(|value| value.0))
            }
        }
    }

    pub(in crate::server) async fn list(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, DoorError> {
        match self {
            Door::Here(store) => Ok(store.settings(prefix).await?),
            Door::There(server) => {
                let prefix = prefix.to_owned();
                let told = server.ask(&Ask::List { prefix }).await?;
                Ok(told
                    .listed
                    .into_iter()
                    .map(|(key, value)| (key, value.0))
                    .collect())
            }
        }
    }

    /// Counts who is where in all chats, in steps, and whose values of these fields don't fit these kinds; `on_the_way`
    /// hears how many were looked at.
    ///
    /// # Errors
    /// If the store can't be asked.
    pub async fn tally(&self, kinds: &Kinds, mut on_the_way: impl FnMut(usize)) -> Result<Tally, DoorError> {
        let mut tally = Tally::default();
        let mut kinds = kinds.clone();
        let mut after: Option<ContactId> = None;
        loop {
            let (more, next) = match self {
                Door::Here(store) => tally::step(store.as_ref(), after, tally::STEP, &kinds).await?,
                Door::There(server) => {
                    let limit = tally::STEP;
                    let after = after.map(|contact| contact.to_string());
                    let ask = |kinds| Ask::Tally {
                        after: after.clone(),
                        limit,
                        kinds,
                    };
                    let told = match server.ask(&ask(kinds.clone())).await {
                        // It may be an older one, which knows places only.
                        Err(DoorError::Refused { .. }) if !kinds.is_empty() => {
                            kinds.clear();
                            server.ask(&ask(Kinds::new())).await?
                        }
                        told => told?,
                    };
                    let next = told.next.and_then(|contact| contact.parse().ok());
                    (told.tally.unwrap_or_default(), next)
                }
            };
            tally.add(more);
            on_the_way(tally.chats);
            after = next;
            if after.is_none() {
                return Ok(tally);
            }
        }
    }

    /// Changes a setting if it still is what was seen, and lets running servers know. `false`: it is something else.
    pub(in crate::server) async fn swap(
        &self,
        key: &str,
        seen: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, DoorError> {
        match self {
            Door::Here(store) => {
                let done = store.swap_setting(key, seen, value).await?;
                if done {
                    agreed::turn_page(store.as_ref()).await?;
                }
                Ok(done)
            }
            Door::There(server) => {
                let bytes = |value: Option<&[u8]>| value.map(|value| Bytes(value.to_vec()));
                let (key, seen, value) = (key.to_owned(), bytes(seen), bytes(value));
                Ok(server.ask(&Ask::Swap { key, seen, value }).await?.swapped)
            }
        }
    }

    /// Reads, changes and swaps, again if somebody else was faster. `change` gives what shall be there, or an end of its
    /// own without a change.
    pub(in crate::server) async fn change<T, E: From<DoorError>>(
        &self,
        key: &str,
        mut change: impl FnMut(Option<&[u8]>) -> Result<(Option<Vec<u8>>, T), E>,
    ) -> Result<T, E> {
        for _ in 0..TRIES {
            let seen = self.get(key).await?;
            let (value, result) = change(seen.as_deref())?;
            if value == seen || self.swap(key, seen.as_deref(), value.as_deref()).await? {
                return Ok(result);
            }
        }
        Err(DoorError::Contended(key.to_owned()).into())
    }
}

impl Remote {
    async fn ask(&self, ask: &Ask) -> Result<Told, DoorError> {
        let at = self.at;
        let silent = |why: reqwest::Error| DoorError::Silent {
            at,
            why: why.without_url().to_string(),
        };
        let sent = self
            .client
            .post(format!("http://{at}/api/settings"))
            .bearer_auth(self.token.expose_secret())
            .json(ask)
            .send();
        let answer = sent.await.map_err(silent)?;
        if !answer.status().is_success() {
            let status = answer.status();
            let said = answer.text().await.unwrap_or_default();
            let said: String = said.chars().take(300).collect();
            let why = format!("{status} {said}");
            return Err(DoorError::Refused { at, why });
        }
        answer.json().await.map_err(silent)
    }
}

/// A step that somebody asks a running server for. `None`: that is not to be reached this way.
pub(in crate::server) async fn answer(store: Arc<dyn Store>, ask: Ask) -> Option<Result<Told, DoorError>> {
    let (place, shown) = match &ask {
        Ask::Get { key } => (key, SHOWN.iter().any(|shown| key.starts_with(shown))),
        Ask::Swap { key, .. } => (key, false),
        Ask::List { prefix } => (prefix, false),
        Ask::Tally { after, limit, kinds } => {
            let after = after.as_ref().and_then(|contact| contact.parse().ok());
            let step = tally::step(store.as_ref(), after, (*limit).min(tally::STEP), kinds).await;
            return Some(step.map_err(DoorError::from).map(|(tally, next)| Told {
                tally: Some(tally),
                next: next.map(|contact| contact.to_string()),
                ..Told::default()
            }));
        }
    };
    if !shown && !OPEN.iter().any(|open| place.starts_with(open)) {
        return None;
    }
    let door = Door::Here(store);
    Some(match ask {
        Ask::Get { key } => door.get(&key).await.map(|value| Told {
            value: value.map(Bytes),
            ..Told::default()
        }),
        Ask::List { prefix } => door.list(&prefix).await.map(|listed| Told {
            listed: listed
                .into_iter()
                .map(|(key, value)| (key, Bytes(value)))
                .collect(),
            ..Told::default()
        }),
        Ask::Tally { .. } => return None,
        Ask::Swap { key, seen, value } => {
            let bytes = |value: Option<Bytes>| value.map(|value| value.0);
            let (seen, value) = (bytes(seen), bytes(value));
            let swapped = door.swap(&key, seen.as_deref(), value.as_deref()).await;
            swapped.map(|swapped| Told {
                swapped,
                ..Told::default()
            })
        }
    })
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use serde_json::{Value as Json, json};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use super::*;
    use crate::flow::tree::Kind;

    #[test]
    fn a_server_that_listens_everywhere_is_reached_on_this_machine() {
        let of = |at: &str| reached(at.parse().unwrap()).to_string();
        assert_eq!(of("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(of("[::]:80"), "[::1]:80");
        assert_eq!(of("10.0.0.1:80"), "10.0.0.1:80");
    }

    /// A server of before, which counts places only and refuses what it doesn't know.
    async fn older(asked: mpsc::UnboundedSender<Json>) -> Remote {
        let answer = async move |axum::Json(ask): axum::Json<Json>| {
            asked.send(ask.clone()).unwrap();
            let mut counting = ask["tally"].as_object().unwrap().clone();
            let next = counting["after"]
                .is_null()
                .then(|| ContactId([7; 16]).to_string());
            counting.retain(|key, _| key != "after" && key != "limit");
            match counting.is_empty() {
                true => {
                    let tally = Tally {
                        chats: 3,
                        ..Tally::default()
                    };
                    Ok(axum::Json(json!({ "tally": tally, "next": next })))
                }
                false => Err((StatusCode::UNPROCESSABLE_ENTITY, "unknown field")),
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let routes = axum::Router::new().route("/api/settings", axum::routing::post(answer));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Remote {
            at,
            token: "any".to_owned().into(),
            client: client(ANSWER_WITHIN).unwrap(),
        }
    }

    #[tokio::test]
    async fn a_server_that_can_t_count_fields_yet_is_asked_for_the_places_alone() {
        let (sender, mut asked) = mpsc::unbounded_channel();
        let door = Door::There(older(sender).await);
        let kinds = Kinds::from([("size".to_owned(), Kind::YesNo)]);
        let tally = door.tally(&kinds, |_| {}).await.unwrap();
        assert_eq!((tally.chats, tally.held), (6, None));
        let with_kinds =
            std::iter::from_fn(|| asked.try_recv().ok()).map(|ask| ask["tally"]["kinds"].is_object());
        assert_eq!(with_kinds.collect::<Vec<_>>(), [true, false, false]);
    }
}

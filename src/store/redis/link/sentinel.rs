//! The sentinels: who is the primary now. All are asked at once, and what most of them say counts, for one that was cut
//! off may still name the server that was replaced.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redis::Value;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::address::Endpoint;
use super::door::{Door, Target};

#[derive(Debug)]
pub(super) struct Sentinels {
    door: Door,
    service: String,
    answer: Duration,
    all: Vec<Sentinel>,
}

/// One of them, with the connection from the last time it was asked.
#[derive(Debug)]
struct Sentinel {
    target: Target,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Sentinels {
    pub(super) fn new(door: Door, service: &str, sentinels: &[Endpoint], answer: Duration) -> Sentinels {
        Sentinels {
            door,
            service: service.to_owned(),
            answer,
            all: sentinels
                .iter()
                .map(|endpoint| Sentinel {
                    target: Target::Network(endpoint.clone()),
                    connection: Mutex::new(None),
                })
                .collect(),
        }
    }

    pub(super) fn door(&self) -> &Door {
        &self.door
    }

    pub(super) fn targets(&self) -> Vec<Target> {
        self.all.iter().map(|sentinel| sentinel.target.clone()).collect()
    }

    /// Whom most of those name who answer; why nobody does otherwise.
    pub(super) async fn primary(&self) -> Result<Endpoint, String> {
        let mut asking: FuturesUnordered<_> = self.all.iter().map(|one| self.named_by(one)).collect();
        let mut named: Vec<(Endpoint, usize)> = Vec::new();
        let mut silent = Vec::new();
        while let Some(answer) = asking.next().await {
            match answer {
                Ok(endpoint) => {
                    let at = named.iter().position(|(known, _)| *known == endpoint);
                    let at = at.unwrap_or_else(|| {
                        named.push((endpoint, 0));
                        named.len() - 1
                    });
                    named[at].1 += 1;
                    // The others can't change it any more.
                    if named[at].1 * 2 > self.all.len() {
                        return Ok(named.swap_remove(at).0);
                    }
                }
                Err(why) => silent.push(why),
            }
        }
        match named.into_iter().max_by_key(|(_, votes)| *votes) {
            Some((endpoint, _)) => Ok(endpoint),
            None => Err(silent.join("; ")),
        }
    }

    async fn named_by(&self, sentinel: &Sentinel) -> Result<Endpoint, String> {
        let mut kept = sentinel.connection.lock().await;
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => self.open(sentinel).await?,
        };
        let mut asked = redis::cmd("SENTINEL");
        asked.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.service);
        let answer = timeout(self.answer, connection.req_packed_command(&asked)).await;
        let answer = match answer {
            Ok(Ok(value)) => value.extract_error(),
            Ok(Err(why)) => Err(why),
            // The connection is dropped: it may lead nowhere.
            Err(_) => return Err(format!("the sentinel {} gave no answer", sentinel.target)),
        };
        match answer {
            Ok(Value::Nil) => {
                *kept = Some(connection);
                Err(format!(
                    "the sentinel {} knows no primary named {:?}; write the name of its `sentinel monitor` line after the hosts",
                    sentinel.target, self.service
                ))
            }
            Ok(value) => {
                *kept = Some(connection);
                let (host, port) = redis::from_redis_value::<(String, u16)>(value).map_err(|why| {
                    format!("the sentinel {} answers something else: {why}", sentinel.target)
                })?;
                Ok(Endpoint { host, port })
            }
            Err(why) => Err(format!("the sentinel {}: {why}", sentinel.target)),
        }
    }

    async fn open(&self, sentinel: &Sentinel) -> Result<MultiplexedConnection, String> {
        let opened = self.door.open(&sentinel.target, |_| {}).await;
        opened.map_err(|why| format!("the sentinel {}: {why}", sentinel.target))
    }

    /// Whether a `+switch-master` message is about the primary that is ours.
    pub(super) fn is_about_ours(&self, message: &[u8]) -> bool {
        let mut words = message.split(|byte| *byte == b' ');
        words.next() == Some(self.service.as_bytes())
    }
}

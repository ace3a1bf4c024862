//! Which node of a cluster serves which slot. Switchboard routes by itself, over the crate's plain connections:
//! the crate's cluster connection sends a command again after a broken connection (up to 16 times) and keeps
//! commands while the cluster is down, both of which the store must not have done behind its back; and `WAIT` needs
//! connections of its own to a given primary.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use redis::Value;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::address::Endpoint;
use super::clock::ServerClock;
use super::door::{Door, Target};
use super::node::{Finding, Node, pause};
use super::replica::Lanes;
use crate::store::StoreError;
use crate::store::redis::slot::SLOTS;

/// How often the map is looked at when nothing seems wrong.
const LOOK: Duration = Duration::from_secs(5);
/// Between two looks, however much seems wrong.
const REST: Duration = Duration::from_millis(50);

/// A node with what belongs to it. Its connections end with the last one who knows it.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) node: Arc<Node>,
    pub(super) lanes: Lanes,
    _stop: DropGuard,
}

impl Seat {
    pub(super) fn new(
        finding: Finding,
        door: Door,
        answer: Duration,
        clock: Arc<ServerClock>,
        changed: Arc<Notify>,
        stop: CancellationToken,
    ) -> Arc<Seat> {
        let node = Node::start(finding, door, answer, clock, changed, stop.clone());
        Arc::new(Seat {
            lanes: Lanes::new(node.clone(), stop.clone()),
            node,
            _stop: stop.drop_guard(),
        })
    }
}

/// Slots as ranges, in order of their beginning.
type Ranges = Vec<(u16, u16, Endpoint)>;

#[derive(Debug)]
struct Map {
    seats: Vec<Arc<Seat>>,
    /// For each slot the place in `seats`; `NOBODY` serves the others.
    owners: Vec<u16>,
}

const NOBODY: u16 = u16::MAX;

pub(super) struct Cluster {
    door: Door,
    answer: Duration,
    clock: Arc<ServerClock>,
    /// Rung when the map may have changed.
    pub(super) changed: Arc<Notify>,
    stop: CancellationToken,
    seeds: Vec<Endpoint>,
    map: RwLock<Arc<Map>>,
    /// Every node there is a connection to, by its address.
    seats: Mutex<HashMap<Endpoint, Arc<Seat>>>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}

impl Cluster {
    /// Reads the map once, and from then on follows it until `stop`.
    pub(super) async fn start(
        door: Door,
        answer: Duration,
        clock: Arc<ServerClock>,
        seeds: &[Endpoint],
        stop: CancellationToken,
    ) -> Result<Arc<Cluster>, StoreError> {
        let cluster = Arc::new(Cluster {
            door,
            answer,
            clock,
            changed: Arc::new(Notify::new()),
            stop: stop.clone(),
            seeds: seeds.to_vec(),
            map: RwLock::new(Arc::new(Map {
                seats: Vec::new(),
                owners: vec![NOBODY; usize::from(SLOTS)],
            })),
            seats: Mutex::new(HashMap::new()),
        });
        cluster.look().await.map_err(StoreError::Unavailable)?;
        for seat in cluster.masters() {
            seat.node.line().await?;
        }
        let follower = Arc::downgrade(&cluster);
        let changed = cluster.changed.clone();
        tokio::spawn(async move {
            let following = async {
                let mut troubled = 0;
                loop {
                    let rest = if troubled == 0 { LOOK } else { pause(troubled) };
                    tokio::select! {
                        () = changed.notified() => tokio::time::sleep(REST).await,
                        () = tokio::time::sleep(rest) => {}
                    }
                    let Some(cluster) = follower.upgrade() else {
                        return;
                    };
                    let looked = cluster.look().await;
                    if let Err(why) = &looked {
                        tracing::warn!(%why, "the cluster does not say who serves what");
                    }
                    let well = looked.is_ok() && cluster.is_whole();
                    troubled = if well { 0 } else { troubled + 1 };
                }
            };
            tokio::select! {
                () = following => {}
                () = stop.cancelled() => {}
            }
        });
        Ok(cluster)
    }

    fn map(&self) -> Arc<Map> {
        self.map.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<Endpoint, Arc<Seat>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The masters that serve slots.
    pub(super) fn masters(&self) -> Vec<Arc<Seat>> {
        self.map().seats.clone()
    }

    /// Every slot is served and every master connected.
    pub(super) fn is_whole(&self) -> bool {
        let map = self.map();
        !map.owners.contains(&NOBODY) && map.seats.iter().all(|seat| seat.node.is_up())
    }

    pub(super) fn owner(&self, slot: u16) -> Result<Arc<Seat>, StoreError> {
        let map = self.map();
        let owner = map.owners[usize::from(slot % SLOTS)];
        match map.seats.get(usize::from(owner)) {
            Some(seat) => Ok(seat.clone()),
            None => {
                self.changed.notify_one();
                Err(StoreError::Unavailable(format!(
                    "no master of the cluster serves slot {slot}; bring one back"
                )))
            }
        }
    }

    /// The place of the slot's master among the masters; one place stands for nobody.
    pub(super) fn place_of(&self, slot: u16) -> u16 {
        self.map().owners[usize::from(slot % SLOTS)]
    }

    /// The node at this address, known so far or not.
    pub(super) fn at(&self, endpoint: &Endpoint) -> Arc<Seat> {
        self.seats()
            .entry(endpoint.clone())
            .or_insert_with(|| {
                Seat::new(
                    Finding::Fixed(Target::Network(endpoint.clone())),
                    self.door.clone(),
                    self.answer,
                    self.clock.clone(),
                    self.changed.clone(),
                    self.stop.child_token(),
                )
            })
            .clone()
    }

    /// A server said so. The rest of the map is looked at soon.
    pub(super) fn moved(&self, slot: u16, to: &Endpoint) -> Arc<Seat> {
        let seat = self.at(to);
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        let mut seats = map.seats.clone();
        let place = seats
            .iter()
            .position(|known| Arc::ptr_eq(known, &seat))
            .unwrap_or_else(|| {
                seats.push(seat.clone());
                seats.len() - 1
            });
        let mut owners = map.owners.clone();
        owners[usize::from(slot % SLOTS)] = u16::try_from(place).unwrap_or(NOBODY);
        *map = Arc::new(Map { seats, owners });
        self.changed.notify_one();
        seat
    }

    /// Reads the map from the first node that tells it: a connected one, else one that was named to begin with.
    async fn look(&self) -> Result<(), String> {
        let asked = Instant::now() + self.answer;
        let mut silent = Vec::new();
        let known: Vec<Arc<Seat>> = self.seats().values().cloned().collect();
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        for seat in known.into_iter().filter(|seat| seat.node.is_up()) {
            let from = seat.node.target();
            match seat.node.ask(&command, asked).await {
                Ok(answer) => match ranges(answer, from.as_ref()) {
                    Ok(ranges) => return self.draw(ranges),
                    Err(why) => silent.push(why),
                },
                Err(why) => silent.push(why.to_string()),
            }
        }
        for seed in &self.seeds {
            let target = Target::Network(seed.clone());
            let mut connection = match self.door.open(&target, |_| {}).await {
                Ok(connection) => connection,
                Err(why) => {
                    silent.push(why.to_string());
                    continue;
                }
            };
            let answer = tokio::time::timeout(self.answer, connection.send_packed_command(&command)).await;
            match answer {
                Ok(Ok(answer)) => match ranges(answer, Some(&target)) {
                    Ok(ranges) => return self.draw(ranges),
                    Err(why) => silent.push(why),
                },
                Ok(Err(why)) => silent.push(why.to_string()),
                Err(_) => silent.push(format!("{target} gave no answer")),
            }
        }
        Err(silent.join("; "))
    }

    fn draw(&self, ranges: Ranges) -> Result<(), String> {
        if ranges.is_empty() {
            return Err("the cluster serves no slots yet; assign them with `redis-cli --cluster`".into());
        }
        let mut seats: Vec<Arc<Seat>> = Vec::new();
        let mut owners = vec![NOBODY; usize::from(SLOTS)];
        let mut places: HashMap<Endpoint, u16> = HashMap::new();
        for (first, last, endpoint) in ranges {
            let place = *places.entry(endpoint.clone()).or_insert_with(|| {
                seats.push(self.at(&endpoint));
                u16::try_from(seats.len() - 1).unwrap_or(NOBODY)
            });
            for slot in first..=last.min(SLOTS - 1) {
                owners[usize::from(slot)] = place;
            }
        }
        // Who serves nothing any more is let go; calls in flight still know it.
        self.seats().retain(|endpoint, _| places.contains_key(endpoint));
        *self.map.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Map { seats, owners });
        Ok(())
    }
}

/// The answer of `CLUSTER SLOTS`: first, last, then the nodes, the master first, each as host, port and more. An empty
/// host means the one that was asked.
fn ranges(answer: Value, from: Option<&Target>) -> Result<Ranges, String> {
    let parts = match answer {
        Value::Array(parts) => parts,
        Value::ServerError(why)
            if why
                .details()
                .is_some_and(|why| why.contains("cluster support disabled")) =>
        {
            return Err("this Redis is no cluster; write redis:// instead of redis+cluster://".into());
        }
        Value::ServerError(why) => return Err(why.to_string()),
        other => return Err(format!("CLUSTER SLOTS answers {other:?}")),
    };
    let mut ranges = Vec::with_capacity(parts.len());
    for part in parts {
        let Value::Array(fields) = part else { continue };
        let mut fields = fields.into_iter();
        let (Some(Value::Int(first)), Some(Value::Int(last)), Some(Value::Array(master))) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let mut master = master.into_iter();
        let host = match master.next() {
            Some(Value::BulkString(host)) if !host.is_empty() => String::from_utf8_lossy(&host).into_owned(),
            Some(_) | None => match from {
                Some(Target::Network(from)) => from.host.clone(),
                Some(Target::Socket(_)) | None => continue,
            },
        };
        let Some(Value::Int(port)) = master.next() else {
            continue;
        };
        if let (Ok(first), Ok(last), Ok(port)) = (first.try_into(), last.try_into(), port.try_into()) {
            ranges.push((first, last, Endpoint { host, port }));
        }
    }
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn the_map_names_the_master_of_each_range() {
        let node =
            |host: Value, port| Value::Array(vec![host, Value::Int(port), bulk("id"), Value::Array(vec![])]);
        let answer = Value::Array(vec![
            Value::Array(vec![
                Value::Int(0),
                Value::Int(8191),
                node(bulk("10.0.0.1"), 7000),
                node(bulk("10.0.0.2"), 7001),
            ]),
            Value::Array(vec![Value::Int(8192), Value::Int(16_383), node(Value::Nil, 7002)]),
        ]);
        let at = |host: &str, port| Endpoint {
            host: host.into(),
            port,
        };
        let from = Target::Network(at("10.0.0.9", 7009));
        assert_eq!(
            ranges(answer, Some(&from)).unwrap(),
            [
                (0, 8191, at("10.0.0.1", 7000)),
                (8192, 16_383, at("10.0.0.9", 7002))
            ]
        );
    }

    #[test]
    fn a_server_without_cluster_is_said_to_be_one() {
        let refusal =
            redis::parse_redis_value(b"-ERR This instance has cluster support disabled\r\n").unwrap();
        assert!(ranges(refusal, None).unwrap_err().contains("write redis://"));
    }
}

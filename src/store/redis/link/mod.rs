//! How Switchboard reaches Redis. The store says which script runs on which keys; the link knows where they live, how
//! long to wait, and what it means when no answer comes.
//!
//! A call is answered within [`LinkSettings::answer`] or fails; while Redis is away it fails at once. Nothing is sent
//! twice, except what a server refused unread (a script it did not know, a slot that lives elsewhere).

mod address;
mod clock;
mod cluster;
mod door;
mod fault;
mod gather;
mod node;
mod replica;
mod sentinel;
mod subscription;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::Timestamp;
use redis::{Cmd, Pipeline, Value};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::clock::ServerClock;
use self::cluster::{Cluster, Seat};
use self::door::{Door, Target};
use self::fault::Hint;
use self::node::Finding;
use self::replica::Patience;
use self::sentinel::Sentinels;
use super::Script;
use super::slot::{slot_of, tag_of};
use crate::store::StoreError;

pub use address::{AddressError, Credentials, Endpoint, Place, RedisAddress, Tls};
pub use subscription::Subscription;

/// Redirections that one call follows.
const HOPS: usize = 5;
/// Scripts that go to a server in one go.
const TOGETHER: usize = 256;

/// How sure a step must be before it counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// As sure as the server that runs it.
    #[default]
    Local,
    /// A replica has it too.
    Replica,
}

/// Whether a step needs the configured durability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    Local,
    AsConfigured,
}

#[derive(Debug, Clone)]
pub struct LinkSettings {
    pub durability: Durability,
    /// How long to wait for a connection.
    pub connect: Duration,
    /// How long to wait for an answer.
    pub answer: Duration,
    /// How long a replica may take to say that it has what was written.
    pub replica: Duration,
}

impl Default for LinkSettings {
    fn default() -> Self {
        LinkSettings {
            durability: Durability::Local,
            connect: Duration::from_secs(1),
            answer: Duration::from_secs(1),
            replica: Duration::from_millis(500),
        }
    }
}

/// One script on the keys of one slot.
#[derive(Debug, Clone)]
pub struct Call {
    pub keys: Vec<Vec<u8>>,
    pub args: Vec<Vec<u8>>,
}

/// Clones share the connections, which close with the last of them.
#[derive(Debug, Clone)]
pub struct Link(Arc<Wiring>);

#[derive(Debug)]
struct Wiring {
    topology: Topology,
    door: Door,
    settings: LinkSettings,
    clock: Arc<ServerClock>,
    stop: CancellationToken,
    _stopper: DropGuard,
}

#[derive(Debug)]
enum Topology {
    /// A server, or whoever is the primary among those that sentinels watch.
    Single(Arc<Seat>),
    Cluster(Arc<Cluster>),
}

impl Link {
    /// Connects, and keeps connected until the last clone is dropped or [`Link::close`]. An error says what to change.
    pub async fn connect(address: &RedisAddress, settings: &LinkSettings) -> Result<Link, StoreError> {
        let stop = CancellationToken::new();
        let stopper = stop.clone().drop_guard();
        let clock = Arc::new(ServerClock::new());
        let door = Door::to_data(address, settings.connect)?;
        let single = |finding| {
            Seat::new(
                finding,
                door.clone(),
                settings.answer,
                clock.clone(),
                Arc::new(Notify::new()),
                stop.child_token(),
            )
        };
        let topology = match &address.place {
            Place::Server(endpoint) => {
                Topology::Single(single(Finding::Fixed(Target::Network(endpoint.clone()))))
            }
            Place::Socket(path) => Topology::Single(single(Finding::Fixed(Target::Socket(path.clone())))),
            Place::Sentinel { sentinels, service } => {
                let watch = Door::to_sentinels(address, settings.connect)?;
                let sentinels = || Sentinels::new(watch.clone(), service, sentinels, settings.answer);
                let seat = single(Finding::Primary(sentinels()));
                follow(sentinels(), seat.clone(), settings.answer, stop.child_token());
                Topology::Single(seat)
            }
            Place::Cluster(seeds) => Topology::Cluster(
                Cluster::start(
                    door.clone(),
                    settings.answer,
                    clock.clone(),
                    seeds,
                    stop.child_token(),
                )
                .await?,
            ),
        };
        if let Topology::Single(seat) = &topology {
            seat.node.line().await?;
        }
        Ok(Link(Arc::new(Wiring {
            topology,
            door,
            settings: settings.clone(),
            clock,
            stop,
            _stopper: stopper,
        })))
    }

    /// Runs a script once. All `keys` share one slot, and there is at least one.
    pub async fn run(
        &self,
        script: &'static Script,
        keys: &[Vec<u8>],
        args: &[Vec<u8>],
        durable: Durable,
    ) -> Result<Value, StoreError> {
        one_slot(keys)?;
        let settings = &self.0.settings;
        let replicated = match (durable, settings.durability) {
            (Durable::AsConfigured, Durability::Replica) => true,
            (Durable::AsConfigured, Durability::Local) | (Durable::Local, _) => false,
        };
        let until = Instant::now()
            + if replicated {
                settings.answer + settings.replica
            } else {
                settings.answer
            };
        let mut command = known(script, keys, args);
        let mut seat = self.seat_of(&keys[0])?;
        let mut asking = false;
        for _ in 0..HOPS {
            let answer = if replicated {
                let patience = Patience {
                    answer: settings.answer,
                    replica: settings.replica,
                };
                seat.lanes
                    .ask(command.clone(), asking, &keys[0], patience, until)
                    .await?
            } else if asking {
                asked_there(&seat, &command, until).await?
            } else {
                seat.node.ask(&command, until).await?
            };
            if !matches!(answer, Value::ServerError(_)) {
                return Ok(answer);
            }
            match (
                fault::hint(&answer, seat.node.target().as_ref()),
                &self.0.topology,
            ) {
                (Hint::Text, _) => command = in_full(script, keys, args),
                (Hint::Moved(to), Topology::Cluster(cluster)) => {
                    seat = cluster.moved(slot_of(&keys[0]), &to);
                    asking = false;
                }
                (Hint::Ask(to), Topology::Cluster(cluster)) => {
                    seat = cluster.at(&to);
                    asking = true;
                }
                (Hint::Look, _) => {
                    self.look_again(&seat);
                    return fault::answered(answer);
                }
                (Hint::Moved(_) | Hint::Ask(_), Topology::Single(_)) | (Hint::None, _) => {
                    return fault::answered(answer);
                }
            }
        }
        Err(StoreError::Unavailable(
            "the servers of the cluster do not agree on who has these data; wait".into(),
        ))
    }

    /// Runs a script once as [`Link::run`] does, and plain commands about other keys with it: in the same round trip, if all
    /// keys live on one server. Whatever becomes of one says nothing of the other. `None`: they do not go together here.
    pub async fn run_along(
        &self,
        script: &'static Script,
        keys: &[Vec<u8>],
        args: &[Vec<u8>],
        durable: Durable,
        along: &[Cmd],
    ) -> Option<(Result<Value, StoreError>, Result<(), StoreError>)> {
        let settings = &self.0.settings;
        let Topology::Single(seat) = &self.0.topology else {
            return None;
        };
        if durable == Durable::AsConfigured && settings.durability == Durability::Replica {
            return None;
        }
        if let Err(why) = one_slot(keys) {
            return Some((Err(why.clone()), Err(why)));
        }
        let mut commands = Pipeline::with_capacity(1 + along.len());
        commands.add_command(known(script, keys, args));
        for command in along {
            commands.add_command(command.clone());
        }
        let answers = match seat
            .node
            .ask_all(&commands, Instant::now() + settings.answer)
            .await
        {
            Ok(answers) => answers,
            Err(why) => return Some((Err(why.clone()), Err(why))),
        };
        let mut answers = answers.into_iter();
        let Some(answer) = answers.next() else {
            let why = StoreError::Unknown("Redis gave too few answers".into());
            return Some((Err(why.clone()), Err(why)));
        };
        let others = answers.try_for_each(|answer| fault::answered(answer).map(|_| ()));
        let answer = match answer {
            // Refused unread: again by itself, with all that a refusal may ask for.
            Value::ServerError(_) if must_go_elsewhere(&answer) => {
                self.run(script, keys, args, durable).await
            }
            Value::ServerError(_) => {
                if fault::hint(&answer, None) == Hint::Look {
                    self.look_again(seat);
                }
                fault::answered(answer)
            }
            answer => Ok(answer),
        };
        Some((answer, others))
    }

    /// Runs a script on the keys of many slots, in one round trip a server. The answers come in the order of the calls.
    pub async fn each(&self, script: &'static Script, calls: &[Call]) -> Vec<Result<Value, StoreError>> {
        let mut answers: Vec<Option<Result<Value, StoreError>>> = vec![None; calls.len()];
        let mut servers: Vec<(Arc<Seat>, Vec<usize>)> = Vec::new();
        for (at, call) in calls.iter().enumerate() {
            let seat = one_slot(&call.keys).and_then(|()| self.seat_of(&call.keys[0]));
            match seat {
                Err(why) => answers[at] = Some(Err(why)),
                Ok(seat) => match servers.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &seat)) {
                    Some((_, list)) => list.push(at),
                    None => servers.push((seat, vec![at])),
                },
            }
        }
        let until = Instant::now() + self.0.settings.answer;
        let asking = servers
            .iter()
            .map(|(seat, list)| together(seat, script, calls, list, until));
        for answered in join_all(asking).await {
            for (at, answer) in answered {
                answers[at] = Some(answer);
            }
        }
        let mut whole = Vec::with_capacity(calls.len());
        for (call, answer) in calls.iter().zip(answers) {
            whole.push(match answer {
                Some(Ok(answer)) if must_go_elsewhere(&answer) => {
                    self.run(script, &call.keys, &call.args, Durable::Local).await
                }
                Some(answer) => answer.and_then(fault::answered),
                None => Err(StoreError::Unavailable("Redis was not asked".into())),
            });
        }
        whole
    }

    /// Tells all who have subscribed to the channel and are connected now.
    pub async fn publish(&self, channel: &str, message: &[u8]) -> Result<(), StoreError> {
        let mut command = redis::cmd("PUBLISH");
        command.arg(channel).arg(message);
        let seat = self.seat_of(channel.as_bytes())?;
        let until = Instant::now() + self.0.settings.answer;
        fault::answered(seat.node.ask(&command, until).await?).map(|_| ())
    }

    /// Returns once the subscription holds, or the first attempt failed and others follow.
    pub async fn subscribe(&self, channel: &str) -> Subscription {
        let wiring = Arc::downgrade(&self.0);
        let targets = move || match wiring.upgrade() {
            None => Vec::new(),
            Some(wiring) => wiring
                .seats()
                .iter()
                .filter_map(|seat| seat.node.target())
                .collect(),
        };
        subscription::subscribe(
            self.0.door.clone(),
            targets,
            channel.to_owned(),
            self.0.settings.answer,
            self.0.stop.child_token(),
        )
        .await
    }

    /// One command to each server that takes writes, with its name. For what is asked of servers rather than of keys.
    pub async fn ask_servers(&self, command: &Cmd) -> Vec<(String, Result<Value, StoreError>)> {
        let until = Instant::now() + self.0.settings.answer;
        let seats = self.0.seats();
        join_all(seats.iter().map(|seat| async move {
            let answer = seat.node.ask(command, until).await.and_then(fault::answered);
            let name = seat
                .node
                .target()
                .map_or_else(|| "a server".to_owned(), |target| target.to_string());
            (name, answer)
        }))
        .await
    }

    /// The servers' time.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// By how many milliseconds the servers' clock is ahead of this machine's.
    pub fn clock_ahead(&self) -> i64 {
        self.0.clock.ahead()
    }

    /// Whether every server that takes writes is connected now.
    pub fn is_up(&self) -> bool {
        match &self.0.topology {
            Topology::Single(seat) => seat.node.is_up(),
            Topology::Cluster(cluster) => cluster.is_whole(),
        }
    }

    /// Which master of a cluster serves the slot, by its place among them; a replica takes over the place of its master.
    /// `None`: there is no cluster.
    pub fn server_of(&self, slot: u16) -> Option<u16> {
        match &self.0.topology {
            Topology::Single(_) => None,
            Topology::Cluster(cluster) => Some(cluster.place_of(slot)),
        }
    }

    pub fn is_cluster(&self) -> bool {
        matches!(self.0.topology, Topology::Cluster(_))
    }

    pub fn durability(&self) -> Durability {
        self.0.settings.durability
    }

    /// Closes the connections. Later calls answer `Unavailable`.
    pub fn close(&self) {
        self.0.stop.cancel();
    }

    fn seat_of(&self, key: &[u8]) -> Result<Arc<Seat>, StoreError> {
        match &self.0.topology {
            Topology::Single(seat) => Ok(seat.clone()),
            Topology::Cluster(cluster) => cluster.owner(slot_of(key)),
        }
    }

    fn look_again(&self, seat: &Seat) {
        match &self.0.topology {
            Topology::Single(_) => seat
                .node
                .doubt_any("it takes no writes; it may have become a replica"),
            Topology::Cluster(cluster) => cluster.changed.notify_one(),
        }
    }
}

impl Wiring {
    fn seats(&self) -> Vec<Arc<Seat>> {
        match &self.topology {
            Topology::Single(seat) => vec![seat.clone()],
            Topology::Cluster(cluster) => cluster.masters(),
        }
    }
}

/// Listens to the sentinels, who say at once when they have chosen another primary.
fn follow(sentinels: Sentinels, seat: Arc<Seat>, answer: Duration, stop: CancellationToken) {
    let node = seat.node.clone();
    tokio::spawn(async move {
        let targets = sentinels.targets();
        let door = sentinels.door().clone();
        let channel = "+switch-master".to_owned();
        let mut said = subscription::subscribe(door, move || targets.clone(), channel, answer, stop).await;
        while let Some(message) = said.next().await {
            if sentinels.is_about_ours(&message) {
                node.doubt_any("the sentinels have chosen another primary");
            }
        }
    });
}

/// `ASKING` holds for the command right behind it.
async fn asked_there(seat: &Seat, command: &Cmd, until: Instant) -> Result<Value, StoreError> {
    let mut commands = Pipeline::new();
    commands.cmd("ASKING").add_command(command.clone());
    let answers = seat.node.ask_all(&commands, until).await?;
    answers
        .into_iter()
        .nth(1)
        .ok_or_else(|| StoreError::Unknown("Redis gave too few answers".into()))
}

/// Refused unread, and another server or the script's text will do.
fn must_go_elsewhere(answer: &Value) -> bool {
    match fault::hint(answer, None) {
        Hint::Text | Hint::Moved(_) | Hint::Ask(_) => true,
        Hint::Look | Hint::None => false,
    }
}

/// The answers of one server to the calls in `list`. One that is a refusal is to be asked for again by itself.
async fn together(
    seat: &Seat,
    script: &'static Script,
    calls: &[Call],
    list: &[usize],
    until: Instant,
) -> Vec<(usize, Result<Value, StoreError>)> {
    let mut answered = Vec::with_capacity(list.len());
    for part in list.chunks(TOGETHER) {
        let mut rest: Vec<usize> = part.to_vec();
        let mut in_text = false;
        loop {
            let mut commands = Pipeline::with_capacity(rest.len());
            for (nth, at) in rest.iter().enumerate() {
                let call = &calls[*at];
                commands.add_command(if in_text && nth == 0 {
                    in_full(script, &call.keys, &call.args)
                } else {
                    known(script, &call.keys, &call.args)
                });
            }
            let answers = match seat.node.ask_all(&commands, until).await {
                Ok(answers) => answers,
                Err(why) => {
                    answered.extend(rest.iter().map(|at| (*at, Err(why.clone()))));
                    break;
                }
            };
            let mut unknown = Vec::new();
            for (at, answer) in rest.iter().zip(answers) {
                if !in_text && fault::hint(&answer, None) == Hint::Text {
                    unknown.push(*at);
                } else {
                    answered.push((*at, Ok(answer)));
                }
            }
            if unknown.is_empty() {
                break;
            }
            // The first one brings the text, and the server knows it for the others.
            rest = unknown;
            in_text = true;
        }
    }
    answered
}

/// Keys of two slots would be refused by a cluster, and by a single server only after a part was written.
fn one_slot(keys: &[Vec<u8>]) -> Result<(), StoreError> {
    if let Some((first, others)) = keys.split_first()
        && others.iter().all(|key| tag_of(key) == tag_of(first))
    {
        return Ok(());
    }
    Err(StoreError::Unavailable(
        "a step was asked for that touches two partitions or none; this is a fault of Switchboard, please report it"
            .into(),
    ))
}

/// By the script's hash, for a server that knows it.
fn known(script: &Script, keys: &[Vec<u8>], args: &[Vec<u8>]) -> Cmd {
    command("EVALSHA", script.sha1(), keys, args)
}

fn in_full(script: &Script, keys: &[Vec<u8>], args: &[Vec<u8>]) -> Cmd {
    command("EVAL", script.text(), keys, args)
}

fn command(verb: &str, script: &str, keys: &[Vec<u8>], args: &[Vec<u8>]) -> Cmd {
    let size = keys.iter().chain(args).map(|word| word.len() + 16).sum::<usize>();
    let mut command = Cmd::with_capacity(keys.len() + args.len() + 3, size + script.len() + 32);
    command.arg(verb).arg(script).arg(keys.len()).arg(keys).arg(args);
    command
}

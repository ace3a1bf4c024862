//! How Switchboard reaches Redis. The store says which script runs on which keys; the link knows where they live, how
//! long to wait, and what it means when no answer comes.

mod address;
mod fault;

use std::time::Duration;

use redis::Value;
use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};

use super::slot::tag_of;
use super::{Partition, Script};
use crate::store::StoreError;

pub use address::RedisAddress;

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
    pub partition: Partition,
    pub keys: Vec<Vec<u8>>,
    pub args: Vec<Vec<u8>>,
}

#[derive(Clone)]
pub struct Link {
    connection: ConnectionManager,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

impl Link {
    pub async fn connect(address: &RedisAddress, settings: &LinkSettings) -> Result<Link, StoreError> {
        let client = address.client().map_err(|why| fault::of(&why))?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(settings.connect))
            .set_response_timeout(Some(settings.answer));
        let connection = client
            .get_connection_manager_with_config(config)
            .await
            .map_err(|why| fault::of(&why))?;
        Ok(Link { connection })
    }

    /// Runs a script once. All `keys` share one slot; there is at least one.
    pub async fn run(
        &self,
        script: &'static Script,
        _partition: Partition,
        keys: Vec<Vec<u8>>,
        args: Vec<Vec<u8>>,
        _durable: Durable,
    ) -> Result<Value, StoreError> {
        one_slot(&keys)?;
        let mut connection = self.connection.clone();
        let asked = command(b"EVALSHA", script.sha1().as_bytes(), &keys, &args);
        let mut answer = connection.req_packed_command(&asked).await;
        if fault::no_script(&answer) {
            let asked = command(b"EVAL", script.text().as_bytes(), &keys, &args);
            answer = connection.req_packed_command(&asked).await;
        }
        fault::answered(answer)
    }

    /// Runs a script on many partitions, one round trip a server. The answers come in the order of the calls.
    pub async fn each(&self, script: &'static Script, calls: Vec<Call>) -> Vec<Result<Value, StoreError>> {
        let mut answers = Vec::with_capacity(calls.len());
        for call in calls {
            answers.push(
                self.run(script, call.partition, call.keys, call.args, Durable::Local)
                    .await,
            );
        }
        answers
    }
}

/// Keys of two slots would be refused by a cluster, and by a single server only after a part was written.
fn one_slot(keys: &[Vec<u8>]) -> Result<(), StoreError> {
    let first = keys.first().map(|key| tag_of(key));
    if first.is_some() && keys.iter().all(|key| Some(tag_of(key)) == first) {
        return Ok(());
    }
    Err(StoreError::Unavailable(
        "a step was asked for that touches two partitions or none; this is a fault of Switchboard, please report it"
            .into(),
    ))
}

fn command(verb: &[u8], script: &[u8], keys: &[Vec<u8>], args: &[Vec<u8>]) -> redis::Cmd {
    let mut command = redis::Cmd::new();
    command.arg(verb).arg(script).arg(keys.len()).arg(keys).arg(args);
    command
}

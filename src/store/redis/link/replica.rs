//! `durability = "replica"`: what was written counts once a replica has it. `WAIT` blocks its whole connection, so it
//! has connections of its own, and one `WAIT` answers for all scripts that came while the last one lasted.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, Pipeline, Value};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::node::{Answer, Node};
use crate::store::StoreError;
use crate::store::redis::slot::tag_of;

/// Connections of one primary: while one waits for the replica, the other takes what comes.
const LANES: usize = 2;
/// Scripts that one `WAIT` answers for.
const BATCH: usize = 256;
/// Scripts that may wait for a lane.
const WAITING: usize = 4096;

/// `WAIT` answers for what its own connection wrote. A script that found the work done already wrote nothing, and the
/// one that did it may not be on the replica yet: so each batch writes something itself, when memory is full too.
const STAMP: &str = "#!lua flags=allow-oom\nreturn redis.call('SET',KEYS[1],'1','PX',60000)";

#[derive(Debug)]
pub(super) struct Lanes {
    node: Arc<Node>,
    stop: CancellationToken,
    queue: OnceLock<mpsc::Sender<Asked>>,
}

#[derive(Debug)]
struct Asked {
    command: Cmd,
    /// The slot is on its way to this node.
    asking: bool,
    stamp: Vec<u8>,
    answer: oneshot::Sender<Answer>,
}

/// How long to wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) answer: Duration,
    pub(super) replica: Duration,
}

impl Lanes {
    /// Opens nothing until it is asked.
    pub(super) fn new(node: Arc<Node>, stop: CancellationToken) -> Lanes {
        Lanes {
            node,
            stop,
            queue: OnceLock::new(),
        }
    }

    /// The answer once a replica has what was written. `key` is one of those of the script.
    pub(super) async fn ask(
        &self,
        command: Cmd,
        asking: bool,
        key: &[u8],
        patience: Patience,
        until: Instant,
    ) -> Answer {
        let queue = self.queue.get_or_init(|| self.start(patience));
        let (answer, answered) = oneshot::channel();
        let asked = Asked {
            command,
            asking,
            stamp: stamp_beside(key),
            answer,
        };
        let closed = || StoreError::Unavailable("the connection to Redis was closed".into());
        let waiting = async {
            queue.send(asked).await.map_err(|_| closed())?;
            answered.await.unwrap_or_else(|_| Err(closed()))
        };
        match timeout_at(until.into(), waiting).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::Unknown(
                "no answer that a replica has it came in time".into(),
            )),
        }
    }

    fn start(&self, patience: Patience) -> mpsc::Sender<Asked> {
        let (sender, queue) = mpsc::channel(WAITING);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..LANES {
            let lane = Lane {
                node: self.node.clone(),
                patience,
                connection: None,
            };
            let (queue, stop) = (queue.clone(), self.stop.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = lane.serve(&queue) => {}
                    () = stop.cancelled() => {}
                }
            });
        }
        sender
    }
}

struct Lane {
    node: Arc<Node>,
    patience: Patience,
    /// With the number of the shared line it was opened beside: what that one learned holds for this one.
    connection: Option<(u64, MultiplexedConnection)>,
}

impl Lane {
    async fn serve(mut self, queue: &Mutex<mpsc::Receiver<Asked>>) {
        loop {
            let mut batch = Vec::new();
            if queue.lock().await.recv_many(&mut batch, BATCH).await == 0 {
                return;
            }
            // Nobody waits for these any more, and they were not sent.
            batch.retain(|asked| !asked.answer.is_closed());
            if !batch.is_empty() {
                self.carry(batch).await;
            }
        }
    }

    async fn carry(&mut self, batch: Vec<Asked>) {
        let connection = match self.open().await {
            Ok(connection) => connection,
            Err(why) => return all(batch, &why),
        };
        let commands = packed(&batch, self.patience.replica);
        let (line, mut connection) = connection;
        let asking = connection.req_packed_commands(&commands, 0, commands.len());
        match timeout(self.patience.answer + self.patience.replica, asking).await {
            Ok(Ok(answers)) => {
                self.connection = Some((line, connection));
                share_out(batch, answers, self.patience.replica);
            }
            Ok(Err(why)) => all(
                batch,
                &StoreError::Unknown(format!("the connection to Redis broke ({why})")),
            ),
            Err(_) => {
                let why = format!(
                    "Redis gave no answer within {} ms",
                    self.patience.answer.as_millis()
                );
                self.node.doubt(line, &why);
                all(batch, &StoreError::Unknown(why));
            }
        }
    }

    async fn open(&mut self) -> Result<(u64, MultiplexedConnection), StoreError> {
        let line = self.node.line().await?;
        if let Some((number, connection)) = self.connection.take()
            && number == line.number
        {
            return Ok((number, connection));
        }
        let connection = self.node.door().open(&line.target, |_| {}).await?;
        Ok((line.number, connection))
    }
}

/// A key in the slot of this one, beginning as it does: a user may be allowed just the keys of one prefix.
fn stamp_beside(key: &[u8]) -> Vec<u8> {
    let tag = tag_of(key);
    let before = key.iter().position(|byte| *byte == b'{').unwrap_or(key.len());
    let before = if tag.len() == key.len() {
        key
    } else {
        &key[..before]
    };
    [before, b"{", tag, b"}:replicated"].concat()
}

fn packed(batch: &[Asked], replica: Duration) -> Pipeline {
    let mut commands = Pipeline::with_capacity(2 * batch.len() + 3);
    for asked in batch {
        if asked.asking {
            commands.cmd("ASKING");
        }
        commands.add_command(asked.command.clone());
    }
    if let Some(first) = batch.first() {
        if first.asking {
            commands.cmd("ASKING");
        }
        commands.cmd("EVAL").arg(STAMP).arg(1).arg(&first.stamp);
    }
    commands.cmd("WAIT").arg(1).arg(replica.as_millis() as u64);
    commands
}

fn share_out(batch: Vec<Asked>, mut answers: Vec<Value>, replica: Duration) {
    let copies = answers.pop();
    let stamp = answers.pop();
    let safe = matches!(copies, Some(Value::Int(copies)) if copies >= 1)
        && !matches!(stamp, None | Some(Value::ServerError(_)));
    let mut answers = answers.into_iter();
    for asked in batch {
        if asked.asking {
            answers.next();
        }
        let answer = match answers.next() {
            None => Err(StoreError::Unknown("Redis gave too few answers".into())),
            // Nothing was written that a replica could have, or it is an error anyway.
            Some(refusal @ Value::ServerError(_)) => Ok(refusal),
            Some(value) if safe => Ok(value),
            Some(_) => Err(StoreError::Unknown(format!(
                "no replica had it within {} ms; see that one is connected and in step",
                replica.as_millis()
            ))),
        };
        // Who asked may have gone.
        let _ = asked.answer.send(answer);
    }
}

fn all(batch: Vec<Asked>, why: &StoreError) {
    for asked in batch {
        let _ = asked.answer.send(Err(why.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::{self, Hint};
    use super::*;

    fn asked(asking: bool) -> (Asked, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        let asked = Asked {
            command: redis::cmd("PING"),
            asking,
            stamp: b"sb:{aa}:replicated".to_vec(),
            answer,
        };
        (asked, answered)
    }

    fn shared(copies: Value, stamp: Value) -> (Answer, Answer) {
        let ((first, mut one), (second, mut two)) = (asked(false), asked(true));
        let batch = vec![first, second];
        let length = packed(&batch, Duration::from_millis(5)).len();
        let answers = vec![Value::Int(1), Value::Okay, Value::Int(2), stamp, copies];
        assert_eq!(answers.len(), length);
        share_out(batch, answers, Duration::from_millis(5));
        (one.try_recv().unwrap(), two.try_recv().unwrap())
    }

    #[test]
    fn the_stamp_lives_where_the_script_writes_and_under_its_prefix() {
        use crate::store::redis::slot_of;
        assert_eq!(stamp_beside(b"sb:{aa}:run"), b"sb:{aa}:replicated");
        for key in [&b"sb:{aa}:run"[..], b"sb:meta", b"sb:a:0123"] {
            let stamp = stamp_beside(key);
            assert!(stamp.starts_with(b"sb:"));
            assert_eq!(
                slot_of(&stamp),
                slot_of(key),
                "{}",
                String::from_utf8_lossy(&stamp)
            );
        }
    }

    #[test]
    fn answers_reach_their_askers_once_a_replica_has_it() {
        let (one, two) = shared(Value::Int(1), Value::Okay);
        assert_eq!((one.unwrap(), two.unwrap()), (Value::Int(1), Value::Int(2)));
    }

    #[test]
    fn without_a_copy_it_may_have_happened_or_not() {
        let refusal = || redis::parse_redis_value(b"-MOVED 1 127.0.0.1:1\r\n").unwrap();
        for (copies, stamp) in [
            (Value::Int(0), Value::Okay),
            (refusal(), Value::Okay),
            (Value::Int(1), refusal()),
        ] {
            let (one, two) = shared(copies, stamp);
            assert!(matches!(one, Err(StoreError::Unknown(_))));
            assert!(matches!(two, Err(StoreError::Unknown(_))));
        }
    }

    #[test]
    fn a_refusal_is_passed_on_as_it_is() {
        let (first, mut one) = asked(false);
        let refusal = redis::parse_redis_value(b"-NOSCRIPT No matching script.\r\n").unwrap();
        share_out(
            vec![first],
            vec![refusal, Value::Okay, Value::Int(0)],
            Duration::from_millis(5),
        );
        let passed = one.try_recv().unwrap().unwrap();
        assert_eq!(fault::hint(&passed, None), Hint::Text);
    }
}

//! Messages of one channel, over a connection of its own that is opened again when it breaks. What is said meanwhile is
//! lost: messages here are hints, and the work they hint at is found anyway.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{PushInfo, PushKind, Value};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::door::{Door, Target};
use super::node::pause;

/// Messages that may wait for their reader. Further ones are dropped.
const WAITING: usize = 4096;
/// How often the connection is tried while nothing is said.
const BEAT: Duration = Duration::from_secs(5);

/// Ends with its last reader.
#[derive(Debug)]
pub struct Subscription {
    messages: mpsc::Receiver<Vec<u8>>,
    _stop: DropGuard,
}

impl Subscription {
    /// The next message; none once the link is closed.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        self.messages.recv().await
    }

    /// A message that has come already.
    pub fn try_next(&mut self) -> Option<Vec<u8>> {
        self.messages.try_recv().ok()
    }
}

/// Returns once the server confirmed, or the first attempt failed and others follow.
pub(super) async fn subscribe(
    door: Door,
    targets: impl Fn() -> Vec<Target> + Send + Sync + 'static,
    channel: String,
    answer: Duration,
    stop: CancellationToken,
) -> Subscription {
    let (sender, messages) = mpsc::channel(WAITING);
    let (tried, first) = oneshot::channel();
    let ended = stop.clone();
    tokio::spawn(async move {
        let mut tried = Some(tried);
        let mut turn = 0_usize;
        let mut attempt = 0;
        let following = async {
            loop {
                let targets = targets();
                if let Some(target) = targets.get(turn % targets.len().max(1)) {
                    match open(&door, target, &channel, &sender, answer).await {
                        Ok((connection, closed)) => {
                            tried.take().map(|tried| tried.send(()));
                            attempt = 0;
                            listen(connection, &closed, answer).await;
                        }
                        Err(why) => tracing::debug!(%why, %channel, "can't listen"),
                    }
                }
                tried.take().map(|tried| tried.send(()));
                turn = turn.wrapping_add(1);
                tokio::time::sleep(pause(attempt)).await;
                attempt = attempt.saturating_add(1);
            }
        };
        tokio::select! {
            () = following => {}
            () = ended.cancelled() => {}
        }
    });
    // An error means that the link was closed meanwhile, which the reader will see.
    let _ = first.await;
    Subscription {
        messages,
        _stop: stop.drop_guard(),
    }
}

async fn open(
    door: &Door,
    target: &Target,
    channel: &str,
    sender: &mpsc::Sender<Vec<u8>>,
    answer: Duration,
) -> Result<(MultiplexedConnection, Arc<Notify>), String> {
    let closed = Arc::new(Notify::new());
    let (rung, sender) = (closed.clone(), sender.clone());
    let heard = move |push: PushInfo| match push.kind {
        PushKind::Disconnection => rung.notify_one(),
        PushKind::Message => {
            if let Some(Value::BulkString(message)) = push.data.into_iter().nth(1) {
                // A reader that far behind finds the work by looking.
                let _ = sender.try_send(message);
            }
        }
        _ => {}
    };
    let mut connection = door.open(target, heard).await.map_err(|why| why.to_string())?;
    match timeout(answer, connection.subscribe(channel)).await {
        Ok(Ok(())) => Ok((connection, closed)),
        Ok(Err(why)) => Err(why.to_string()),
        Err(_) => Err(format!("{target} gave no answer")),
    }
}

/// Until the connection is gone or answers no more.
async fn listen(mut connection: MultiplexedConnection, closed: &Notify, answer: Duration) {
    loop {
        tokio::select! {
            () = closed.notified() => return,
            () = tokio::time::sleep(BEAT) => {
                let ping = redis::cmd("PING");
                let pong = timeout(answer, connection.req_packed_command(&ping)).await;
                if !matches!(pong, Ok(Ok(_))) {
                    return;
                }
            }
        }
    }
}

//! The threads that hold the connections: one writes, one reads.
//!
//! Callers send steps over a channel. The writer takes all that wait, runs each in a savepoint of one transaction,
//! commits (which syncs) and only then answers: while one sync runs, the next batch gathers. A step that fails undoes
//! itself alone.

use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::trouble::sync_failed;
use crate::store::bell::Bell;
use crate::store::{Caps, Clock, StoreError, millis};

/// Steps in one transaction at most, so that the first of them does not wait long.
const BATCH: usize = 256;
/// Steps that may wait. Beyond, callers wait for a place.
const QUEUE: usize = 1024;

/// What a step works with. All reads and writes of one step see the same `now`.
pub(super) struct Step<'a> {
    pub(super) db: &'a Connection,
    pub(super) now: i64,
    pub(super) caps: &'a Caps,
}

/// A step and the caller who waits for it. It can be run again if its transaction was undone.
trait Waiting: Send {
    /// Whether what it wrote is to stay.
    fn run(&mut self, step: &Step<'_>) -> bool;
    /// With an error of the whole transaction, or its own result.
    fn answer(self: Box<Self>, whole: Result<(), StoreError>);
}

struct Asked<T, F> {
    work: F,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Waiting for Asked<T, F>
where
    T: Send,
    F: FnMut(&Step<'_>) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, step: &Step<'_>) -> bool {
        let result = (self.work)(step);
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn answer(self: Box<Self>, whole: Result<(), StoreError>) {
        // Its own error first: what then undid the whole transaction is a consequence of it.
        let result = match (self.result, whole) {
            (Some(Err(own)), _) => Err(own),
            (_, Err(whole)) => Err(whole),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(stopped()),
        };
        // Whoever no longer waits will ask again with the same ids.
        let _ = self.reply.send(result);
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("it is closed".into())
}

/// The way to a thread. Dropping it ends the thread once the queue is done.
#[derive(Debug)]
pub(super) struct Desk {
    queue: Option<mpsc::Sender<Box<dyn Waiting>>>,
    thread: Option<JoinHandle<()>>,
}

impl Desk {
    pub(super) async fn ask<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Step<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let waiting = Box::new(Asked {
            work,
            result: None,
            reply,
        });
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(waiting).await.map_err(|_| stopped())?;
        answer
            .await
            .unwrap_or_else(|_| Err(StoreError::Unknown("its thread ended".into())))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic in it has been printed already; there is nobody to tell here.
            let _ = thread.join();
        }
    }
}

pub(super) struct Room {
    pub(super) db: Connection,
    pub(super) caps: Caps,
    pub(super) clock: Arc<dyn Clock>,
}

impl Room {
    fn step(&self) -> Step<'_> {
        Step {
            db: &self.db,
            now: millis::floor(self.clock.now()),
            caps: &self.caps,
        }
    }

    fn sql(&self, text: &str) -> Result<(), rusqlite::Error> {
        self.db.prepare_cached(text)?.execute([]).map(|_| ())
    }
}

fn desk(
    name: &str,
    work: impl FnOnce(mpsc::Receiver<Box<dyn Waiting>>) + Send + 'static,
) -> Result<Desk, StoreError> {
    let (queue, steps) = mpsc::channel(QUEUE);
    let thread = std::thread::Builder::new()
        .name(name.into())
        .spawn(move || work(steps))
        .map_err(|why| StoreError::Unavailable(format!("no thread could be started: {why}")))?;
    Ok(Desk {
        queue: Some(queue),
        thread: Some(thread),
    })
}

/// Each step sees one state of the store, as of the last commit.
pub(super) fn start_reader(room: Room) -> Result<Desk, StoreError> {
    desk("store-reader", move |mut steps| {
        while let Some(mut waiting) = steps.blocking_recv() {
            let begun = room.sql("BEGIN");
            if begun.is_ok() {
                waiting.run(&room.step());
            }
            let ended = begun.and_then(|()| room.sql("COMMIT"));
            if ended.is_err() && !room.db.is_autocommit() {
                // The next BEGIN would fail on the open transaction.
                let _ = room.sql("ROLLBACK");
            }
            waiting.answer(ended.map_err(StoreError::from));
        }
    })
}

pub(super) fn start_writer(room: Room, bell: Arc<Bell>) -> Result<Desk, StoreError> {
    let mut writer = Writer {
        room,
        bell,
        broken: None,
    };
    writer.ring()?;
    desk("store-writer", move |mut steps| {
        let mut batch = Vec::with_capacity(BATCH);
        while steps.blocking_recv_many(&mut batch, BATCH) > 0 {
            writer.work_off(std::mem::take(&mut batch));
        }
        // Leaves one file behind. If it fails, the log stays and the next start reads it.
        let _ = writer.room.db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE);");
    })
}

fn refuse(batch: Vec<Box<dyn Waiting>>, why: &StoreError) {
    for waiting in batch {
        waiting.answer(Err(why.clone()));
    }
}

struct Writer {
    room: Room,
    bell: Arc<Bell>,
    /// Why nothing is written any more.
    broken: Option<StoreError>,
}

impl Writer {
    fn work_off(&mut self, mut batch: Vec<Box<dyn Waiting>>) {
        if let Some(why) = &self.broken {
            return refuse(batch, why);
        }
        if let Err(why) = self.room.sql("BEGIN IMMEDIATE") {
            // Another program holds the file: no step of the batch would fare better alone.
            return refuse(batch, &why.into());
        }
        let changes = self.room.db.total_changes();
        match self.finish(&mut batch) {
            Ok(()) => {
                // Before the answers: who hears of a write and then waits for work must find the bell rung. And only
                // for a write: one who looks for work in vain must not wake itself to look again.
                if self.room.db.total_changes() != changes && self.ring().is_err() {
                    self.bell.ring(Some(i64::MIN));
                }
                for waiting in batch {
                    waiting.answer(Ok(()));
                }
            }
            Err(why) if sync_failed(&why) => {
                self.broken = Some(StoreError::Unavailable(format!(
                    "the disk failed to sync ({why}). Look at the disk, then start again"
                )));
                refuse(batch, &why.into());
            }
            // The whole transaction is undone. Alone, the small ones and those that free room may still pass.
            Err(_) if batch.len() > 1 => {
                for waiting in batch {
                    self.work_off(vec![waiting]);
                }
            }
            Err(why) => refuse(batch, &why.into()),
        }
    }

    /// Runs the batch in the open transaction and ends that. On an error nothing of it is written, unless the sync
    /// failed.
    fn finish(&self, batch: &mut [Box<dyn Waiting>]) -> Result<(), rusqlite::Error> {
        let outcome = self.fill(batch).and_then(|()| self.room.sql("COMMIT"));
        if outcome.is_err() && !self.room.db.is_autocommit() {
            // It can only fail if there is nothing to undo.
            let _ = self.room.sql("ROLLBACK");
        }
        outcome
    }

    fn fill(&self, batch: &mut [Box<dyn Waiting>]) -> Result<(), rusqlite::Error> {
        for waiting in batch {
            self.room.sql("SAVEPOINT step")?;
            if !waiting.run(&self.room.step()) {
                // Some errors undo the whole transaction; then there is no savepoint, and this fails.
                self.room.sql("ROLLBACK TO step")?;
            }
            self.room.sql("RELEASE step")?;
        }
        Ok(())
    }

    fn ring(&self) -> Result<(), rusqlite::Error> {
        let soonest = self
            .room
            .db
            .prepare_cached(
                "SELECT min(at) FROM (
                    SELECT min(run_at) AS at FROM contact WHERE run_at IS NOT NULL
                    UNION ALL SELECT min(send_at) FROM contact WHERE send_at IS NOT NULL
                    UNION ALL SELECT min(at) FROM timer
                    UNION ALL SELECT min(at) FROM job)",
            )?
            .query_row([], |row| row.get(0))?;
        self.bell.ring(soonest);
        Ok(())
    }
}

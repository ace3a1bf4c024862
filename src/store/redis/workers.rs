//! Who else works on this store, which partitions each looks after, and a word to the one whom new work concerns.
//!
//! All of it only saves time. Any worker may claim any contact; one who sees the others wrongly, or whose message is
//! lost, finds the work by looking.

use std::ops::RangeInclusive;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use redis::Value;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::formats::{WRITES, to_write};
use super::link::{Durable, Link, Subscription};
use super::{PARTITIONS, Partition, Script};
use crate::store::{AtWork, ContactId, Due, StoreError, millis};

static BEAT: Script = Script::new("beat", include_str!("beat.lua"));

/// How often a worker says that it lives.
const EVERY: Duration = Duration::from_secs(1);
/// One that has not for so long is gone.
const GONE: Duration = Duration::from_secs(5);
/// Hints that may wait to be sent. Further ones are dropped.
const WAITING: usize = 8192;
/// Hints in one message.
const BATCH: usize = 256;
/// Bytes of one: kind, time, contact.
const HINT: usize = 1 + 8 + 16;

/// A process that takes turns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// Random for each start.
    #[serde(skip)]
    pub id: String,
    pub version: String,
    pub host: String,
    /// The formats of records it can read, the lowest and the highest.
    pub reads: (u32, u32),
    /// Milliseconds since 1970.
    pub started: i64,
}

impl Worker {
    /// Its machine, and what tells it apart from others there.
    pub fn name(&self) -> String {
        format!("{}/{}", self.host, self.id.get(..8).unwrap_or(&self.id))
    }

    /// This process, starting now.
    pub fn this(reads: (u32, u32), started: i64) -> Result<Worker, StoreError> {
        let id = getrandom::u64()
            .map_err(|why| StoreError::Unavailable(format!("the system gives no random numbers: {why}")))?;
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
            .or_else(|_| std::env::var("HOSTNAME"))
            .unwrap_or_else(|_| "a machine without a name".into());
        Ok(Worker {
            id: format!("{id:016x}"),
            version: env!("CARGO_PKG_VERSION").into(),
            host: host.trim().into(),
            reads,
            started,
        })
    }
}

/// Work of this kind is due then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    pub kind: Due,
    /// Milliseconds since 1970.
    pub at: i64,
    pub contact: ContactId,
}

/// What one worker knows of all.
#[derive(Debug, Clone)]
struct View {
    live: Vec<Worker>,
    /// For each partition the place of its owner in `live`.
    owners: Vec<usize>,
}

impl View {
    fn of(mut live: Vec<Worker>) -> View {
        live.sort_by(|one, other| one.id.cmp(&other.id));
        let hashes: Vec<u64> = live.iter().map(|worker| hash(worker.id.as_bytes())).collect();
        let owner = |partition: Partition| {
            let weight = |at: &usize| mixed(hashes[*at] ^ mixed(u64::from(partition.0)));
            (0..hashes.len()).max_by_key(weight).unwrap_or(0)
        };
        View {
            owners: if live.is_empty() {
                Vec::new()
            } else {
                Partition::all().map(owner).collect()
            },
            live,
        }
    }

    fn at_work(&self) -> Vec<AtWork> {
        let mut all: Vec<AtWork> = self
            .live
            .iter()
            .enumerate()
            .map(|(place, worker)| AtWork {
                name: worker.name(),
                version: worker.version.clone(),
                since: millis::timestamp(worker.started),
                partitions: self.owners.iter().filter(|owner| **owner == place).count() as u64,
                reads: worker.reads,
            })
            .collect();
        all.sort_by(|one, other| (one.since, &one.name).cmp(&(other.since, &other.name)));
        all
    }

    fn owner(&self, partition: Partition) -> Option<&Worker> {
        self.live.get(*self.owners.get(usize::from(partition.0))?)
    }
}

/// The registry as this process sees it. Leaves when it is dropped, or at once with [`Workers::leave`].
#[derive(Debug)]
pub struct Workers {
    link: Link,
    key: Vec<u8>,
    me: Worker,
    view: RwLock<View>,
    /// Rung when the view changed.
    changed: Notify,
    out: mpsc::Sender<(String, Hint)>,
    stop: CancellationToken,
    _stopper: DropGuard,
}

impl Workers {
    /// Says that `me` works here, and goes on saying it. `prefix` is that of the store's keys; `heard` is given what others
    /// tell this process.
    ///
    /// Returns even if Redis does not answer: then `me` is alone until it does.
    pub async fn join(
        link: Link,
        prefix: &str,
        me: Worker,
        heard: impl Fn(Vec<Hint>) + Send + Sync + 'static,
    ) -> Arc<Workers> {
        let (out, told) = mpsc::channel(WAITING);
        let stop = CancellationToken::new();
        let workers = Arc::new(Workers {
            key: key(prefix),
            view: RwLock::new(View::of(vec![me.clone()])),
            changed: Notify::new(),
            out,
            stop: stop.clone(),
            _stopper: stop.clone().drop_guard(),
            link: link.clone(),
            me,
        });
        let subscription = link.subscribe(&channel(prefix, &workers.me.id)).await;
        workers.beat().await;
        spawn(&stop, beating(Arc::downgrade(&workers)));
        spawn(&stop, telling(link, prefix.to_owned(), told));
        spawn(&stop, listening(subscription, heard));
        workers
    }

    pub fn me(&self) -> &Worker {
        &self.me
    }

    /// Those who lived a moment ago, `me` among them.
    pub fn live(&self) -> Vec<Worker> {
        self.view().live.clone()
    }

    /// Whether looking after the partition is up to this process.
    pub fn is_mine(&self, partition: Partition) -> bool {
        self.view()
            .owner(partition)
            .is_none_or(|owner| owner.id == self.me.id)
    }

    pub fn mine(&self) -> Vec<Partition> {
        let view = self.view();
        let mine = |partition: &Partition| view.owner(*partition).is_none_or(|owner| owner.id == self.me.id);
        Partition::all().filter(mine).collect()
    }

    /// The format in which to write while these work, of those that this process can write.
    ///
    /// # Errors
    /// Who must go first.
    pub fn format(&self, writes: &RangeInclusive<u32>) -> Result<u32, StoreError> {
        to_write(&self.view().live, writes)
    }

    /// Those who lived a moment ago, with what they look after.
    pub fn at_work(&self) -> Vec<AtWork> {
        self.view().at_work()
    }

    /// Tells the owner of the contact's partition. `false`: that is this process itself, or nobody could be told.
    pub fn tell(&self, hint: Hint) -> bool {
        let view = self.view();
        match view.owner(Partition::of(hint.contact)) {
            Some(owner) if owner.id != self.me.id => self.out.try_send((owner.id.clone(), hint)).is_ok(),
            Some(_) | None => false,
        }
    }

    /// Waits until somebody came or went.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Takes this process off the list at once, so that others look after its partitions.
    pub async fn leave(&self) {
        self.stop.cancel();
        // Otherwise it is missed after some seconds.
        let _ = asked(&self.link, &self.key, &self.me.id, "").await;
    }

    fn view(&self) -> std::sync::RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    async fn beat(&self) {
        let record = serde_json::to_string(&self.me).unwrap_or_default();
        match asked(&self.link, &self.key, &self.me.id, &record).await {
            Ok(live) => {
                let known = self.live();
                if known.len() != live.len() || !live.iter().all(|worker| known.contains(worker)) {
                    let all: Vec<&str> = live.iter().map(|worker| worker.host.as_str()).collect();
                    match to_write(&live, &WRITES) {
                        Ok(format) => {
                            tracing::info!(workers = live.len(), hosts = ?all, format, "the workers of this store");
                        }
                        // What it can't read it leaves alone, so nothing breaks; but its share of the work waits.
                        Err(why) => {
                            tracing::error!(workers = live.len(), hosts = ?all, %why, "workers of this store do not fit together");
                        }
                    }
                    *self.view.write().unwrap_or_else(PoisonError::into_inner) = View::of(live);
                    self.changed.notify_waiters();
                }
            }
            Err(why) => tracing::debug!(%why, "no word to the other workers"),
        }
    }
}

/// These with what they look after, as they see it themselves.
pub(super) fn at_work(live: Vec<Worker>) -> Vec<AtWork> {
    View::of(live).at_work()
}

/// Who works on the store, without joining them: for `doctor`.
pub async fn live(link: &Link, prefix: &str) -> Result<Vec<Worker>, StoreError> {
    asked(link, &key(prefix), "", "").await
}

fn key(prefix: &str) -> Vec<u8> {
    format!("{prefix}:workers").into_bytes()
}

fn channel(prefix: &str, id: &str) -> String {
    format!("{prefix}:wake:{id}")
}

async fn asked(link: &Link, key: &[u8], id: &str, record: &str) -> Result<Vec<Worker>, StoreError> {
    let args: Vec<Vec<u8>> = [id, record, &GONE.as_millis().to_string()]
        .map(|arg| arg.as_bytes().to_vec())
        .into();
    let answer = link.run(&BEAT, &[key.to_vec()], &args, Durable::Local).await?;
    let Value::Array(words) = answer else {
        return Ok(Vec::new());
    };
    let word = |value: &Value| match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        _ => None,
    };
    let worker = |pair: &[Value]| {
        let (id, record) = (word(pair.first()?)?, word(pair.get(1)?)?);
        // One of another version may say more or less of itself; it counts all the same where it can be read.
        let known: Worker = serde_json::from_str(&record).ok()?;
        Some(Worker { id, ..known })
    };
    Ok(words.chunks_exact(2).filter_map(worker).collect())
}

fn spawn(stop: &CancellationToken, work: impl Future<Output = ()> + Send + 'static) {
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = work => {}
            () = stop.cancelled() => {}
        }
    });
}

async fn beating(workers: std::sync::Weak<Workers>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(workers) = workers.upgrade() else { return };
        workers.beat().await;
    }
}

/// What came while the last messages were under way goes together.
async fn telling(link: Link, prefix: String, mut told: mpsc::Receiver<(String, Hint)>) {
    let mut batch = Vec::new();
    while told.recv_many(&mut batch, BATCH).await > 0 {
        batch.sort_by(|(one, _), (other, _)| one.cmp(other));
        for group in batch.chunk_by(|(one, _), (other, _)| one == other) {
            let message: Vec<u8> = group.iter().flat_map(|(_, hint)| packed(*hint)).collect();
            if let Err(why) = link.publish(&channel(&prefix, &group[0].0), &message).await {
                tracing::debug!(%why, "a wake-up was not sent; the work will be found");
            }
        }
        batch.clear();
    }
}

async fn listening(mut subscription: Subscription, heard: impl Fn(Vec<Hint>)) {
    while let Some(message) = subscription.next().await {
        heard(unpacked(&message));
    }
}

fn packed(hint: Hint) -> [u8; HINT] {
    let mut bytes = [0; HINT];
    bytes[0] = match hint.kind {
        Due::Run => b'r',
        Due::Send => b's',
        Due::Timer => b't',
        Due::Job => b'j',
    };
    bytes[1..9].copy_from_slice(&hint.at.to_be_bytes());
    bytes[9..].copy_from_slice(&hint.contact.0);
    bytes
}

/// What is not understood, such as a kind of a newer version, is left out.
fn unpacked(message: &[u8]) -> Vec<Hint> {
    let hint = |bytes: &[u8]| {
        let kind = match bytes.first()? {
            b'r' => Due::Run,
            b's' => Due::Send,
            b't' => Due::Timer,
            b'j' => Due::Job,
            _ => return None,
        };
        Some(Hint {
            kind,
            at: i64::from_be_bytes(bytes.get(1..9)?.try_into().ok()?),
            contact: ContactId(bytes.get(9..HINT)?.try_into().ok()?),
        })
    };
    message.chunks_exact(HINT).filter_map(hint).collect()
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The finaliser of SplitMix64: each bit of the input changes half of the output.
fn mixed(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

const _: () = assert!(PARTITIONS <= 256, "a partition is one byte");

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(id: &str, reads: u32) -> Worker {
        Worker {
            id: id.into(),
            version: "1".into(),
            host: "h".into(),
            reads: (1, reads),
            started: 0,
        }
    }

    fn owners(view: &View) -> Vec<String> {
        let owner = |partition| view.owner(partition).map(|owner| owner.id.clone());
        Partition::all().filter_map(owner).collect()
    }

    #[test]
    fn partitions_are_shared_out_evenly_and_only_those_of_a_leaver_change_hands() {
        let all: Vec<Worker> = (0..4)
            .map(|n| worker(&format!("{:016x}", n * 7_919), 1))
            .collect();
        let before = owners(&View::of(all.clone()));
        assert_eq!(before.len(), PARTITIONS);
        for worker in &all {
            let share = before.iter().filter(|owner| **owner == worker.id).count();
            assert!((40..=90).contains(&share), "{share}");
        }
        let mut others = all.clone();
        let gone = others.remove(2).id;
        let after = owners(&View::of(others));
        for (before, after) in before.iter().zip(&after) {
            assert!(before == after || *before == gone);
        }
        // In whatever order they are heard of.
        let mut turned = all;
        turned.reverse();
        assert_eq!(owners(&View::of(turned)), before);
        assert!(owners(&View::of(Vec::new())).is_empty());
    }

    #[test]
    fn hints_arrive_as_they_were_sent_and_what_is_not_understood_is_left_out() {
        let hint = |kind, at| Hint {
            kind,
            at,
            contact: ContactId([at as u8; 16]),
        };
        let all = [
            hint(Due::Run, 1),
            hint(Due::Send, -2),
            hint(Due::Timer, 3),
            hint(Due::Job, i64::MAX),
        ];
        let mut message: Vec<u8> = all.iter().flat_map(|hint| packed(*hint)).collect();
        assert_eq!(unpacked(&message), all);
        message[0] = b'?';
        message.push(1);
        assert_eq!(unpacked(&message), all[1..]);
    }
}

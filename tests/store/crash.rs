//! A real process is killed at random moments; what it acknowledged must be there, and nothing half-written.
//!
//! The test runs its own binary again as the victim: it ingests, claims, commits and sends in a loop and prints a line
//! after each acknowledged step. SIGKILL leaves the system's page cache alone, so this shows the store's transactions,
//! not the disk's honesty.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use switchboard::store::{
    Alias, Caps, Due, Keep, Nonce, OutboxEntry, SendOutcome, Sender, SqliteStore, Store, StoreError,
    SystemClock, TurnCommit,
};

use crate::conformance::bed::message;

const VICTIM: &str = "SWITCHBOARD_TEST_VICTIM";
const KILLS: u64 = 25;
const LEASE: Duration = Duration::from_millis(1);

fn open(path: &Path) -> Result<SqliteStore, StoreError> {
    let caps = Caps {
        history_entries: 1_000_000,
        outbox_entries: 1_000_000,
        dedup_ids: 1_000_000,
        mailbox_events: 1_000_000,
        session_bytes: 1_000_000,
        ..Caps::default()
    };
    SqliteStore::open(path, caps, Arc::new(SystemClock))
}

/// Says that a step was acknowledged; a pipe carries it out of the process at once.
fn told(line: String) {
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).unwrap();
    out.flush().unwrap();
}

/// The life of the victim: it never ends by itself.
async fn live(path: &Path, round: u64) {
    let store = Arc::new(open(path).unwrap());
    told("up\n".into());
    let mut lives = Vec::new();
    for name in 0..4 {
        let store = store.clone();
        lives.push(tokio::spawn(async move {
            let alias = Alias(format!("phone:{name}"));
            let contact = store.resolve_alias("one", &alias, &[]).await.unwrap().contact();
            for n in 0u64.. {
                let id = format!("{round}/{n}");
                store.ingest(&[message(contact, &id, &id)]).await.unwrap();
                told(format!("in {name} {id}\n"));
                // Leases of the dead last a millisecond here.
                let claim = loop {
                    if let Some(claim) = store
                        .claim(contact, Nonce(round * 1_000_000 + n), LEASE)
                        .await
                        .unwrap()
                    {
                        break claim;
                    }
                    tokio::task::yield_now().await;
                };
                let mut session = claim.session.clone().unwrap_or_default();
                for event in &claim.events {
                    session.extend_from_slice(&event.payload);
                    session.push(b' ');
                }
                let last = claim.events.last().unwrap().seq;
                let turn = TurnCommit {
                    contact,
                    fence: claim.fence,
                    nonce: claim.nonce,
                    upto: last,
                    session: Keep::Write(session),
                    memory: Keep::Write(last.to_string().into()),
                    owner: None,
                    outbox: ["a", "b"]
                        .map(|part| OutboxEntry {
                            id: format!("{name}.{last}.{part}"),
                            sender: Sender::Bot,
                            payload: vec![b'x'; 3_000],
                            not_before: None,
                        })
                        .into(),
                    set_timers: Vec::new(),
                    cancel_timers: Vec::new(),
                    jobs: Vec::new(),
                    history: Vec::new(),
                    quiet: Duration::ZERO,
                };
                store.commit(&turn).await.unwrap();
                told(format!("turn {name} {last}\n"));
                while let Some(send) = store.send_claim(contact, LEASE).await.unwrap() {
                    let message_id = Some(format!("wamid.{}", send.entry.id));
                    let done = store
                        .send_done(
                            &send,
                            &SendOutcome::Accepted {
                                message_id,
                                pace: None,
                            },
                        )
                        .await
                        .unwrap();
                    assert!(done);
                    told(format!("sent {name} {}\n", send.entry.id));
                }
            }
        }));
    }
    for life in lives {
        life.await.unwrap();
    }
}

fn start(path: &Path, round: u64) -> (Child, BufReader<ChildStdout>) {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::the_victim", "--nocapture"])
        .env(VICTIM, format!("{round} {}", path.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(victim.stdout.take().unwrap());
    (victim, out)
}

/// Not a test by itself: the body of the process that the tests below kill. Without their variable it has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_victim() {
    if let Ok(told) = std::env::var(VICTIM) {
        let (round, path) = told.split_once(' ').unwrap();
        live(Path::new(path), round.parse().unwrap()).await;
    }
}

#[derive(Default)]
struct Acknowledged {
    /// By contact: ids ingested, in order.
    events: [Vec<String>; 4],
    turns: [u64; 4],
    sent: [Vec<String>; 4],
}

impl Acknowledged {
    fn note(&mut self, line: &str) {
        let mut words = line.split(' ');
        let (Some(what), Some(name), Some(id)) = (words.next(), words.next(), words.next()) else {
            return;
        };
        let Ok(name) = name.parse::<usize>() else { return };
        match what {
            "in" => self.events[name].push(id.to_owned()),
            "turn" => self.turns[name] = id.parse().unwrap(),
            "sent" => self.sent[name].push(id.to_owned()),
            _ => {}
        }
    }
}

async fn everything_acknowledged_is_there(path: &Path, acknowledged: &Acknowledged) {
    let store = open(path).expect("it opens after every kill");
    for name in 0..4 {
        let alias = Alias(format!("phone:{name}"));
        let contact = store.resolve_alias("one", &alias, &[]).await.unwrap().contact();
        let known = store.peek(contact).await.unwrap().unwrap();
        let session = String::from_utf8(known.session.unwrap_or_default()).unwrap();
        let mut log: Vec<String> = session.split_whitespace().map(str::to_owned).collect();
        let consumed = log.len() as u64;
        log.extend(
            known
                .events
                .iter()
                .map(|event| String::from_utf8_lossy(&event.payload).into_owned()),
        );
        // Each acknowledged event is there exactly once, in order; besides them only some whose word was lost.
        let mut unique = log.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), log.len(), "an event was applied twice");
        let mut rest = log.iter();
        for id in &acknowledged.events[name] {
            assert!(rest.any(|other| other == id), "{id} is lost or out of order");
        }
        // Session, memory, consumption, thread and outbox are of one turn.
        let memory = String::from_utf8(known.memory.unwrap_or_default()).unwrap();
        let last: u64 = if memory.is_empty() {
            0
        } else {
            memory.parse().unwrap()
        };
        assert_eq!(last, consumed);
        assert!(last >= acknowledged.turns[name], "a committed turn is lost");
        assert!(known.events.iter().all(|event| event.seq > last));
        let thread = store.history(contact, usize::MAX).await.unwrap();
        assert!(thread.len() % 2 == 0, "half a turn's messages are queued");
        let newest = thread
            .last()
            .and_then(|line| line.status.as_ref())
            .map(|(id, _)| id.clone());
        assert_eq!(newest, (last > 0).then(|| format!("{name}.{last}.b")));
        let state = |id: &String| {
            let mine = thread
                .iter()
                .filter_map(|line| line.status.as_ref())
                .find(|(ours, _)| ours == id);
            mine.map(|(_, state)| state.as_str())
        };
        for id in &acknowledged.sent[name] {
            assert_eq!(state(id), Some("accepted"));
        }
        let unsent = thread
            .iter()
            .any(|line| line.status.as_ref().is_some_and(|(_, state)| state != "accepted"));
        let due = store.next_due(Due::Send).await.unwrap().is_some();
        assert!(!unsent || due, "a message is stranded");
    }
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut acknowledged = Acknowledged::default();
    for round in 1..=KILLS {
        let (mut victim, mut out) = start(&path, round);
        // The moment: after a number of acknowledgements that differs from round to round, somewhere in the next step.
        let mut left = 1 + (round * round * 37) % 160;
        let mut line = String::new();
        while left > 0 && out.read_line(&mut line).unwrap() > 0 {
            let is_ours = ["up", "in ", "turn ", "sent "]
                .iter()
                .any(|start| line.starts_with(start));
            left -= u64::from(is_ours);
            acknowledged.note(line.trim_end());
            line.clear();
        }
        assert_eq!(left, 0, "the victim ended by itself");
        victim.kill().unwrap();
        victim.wait().unwrap();
        // What it said before it died counts; a line cut in the middle does not.
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        for line in rest.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            acknowledged.note(line.trim_end());
        }
        if round % 3 == 0 {
            // As after a loss of power, or a copy by hand: the log is there, its shared index is not.
            std::fs::remove_file(folder.path().join("store.db-shm")).unwrap();
        }
        if round % 4 == 0 {
            // As when the power went in the middle of the next write: the log ends in a torn frame.
            let mut log = File::options()
                .append(true)
                .open(folder.path().join("store.db-wal"))
                .unwrap();
            log.write_all(&vec![0xa5; 1_000 + 777 * round as usize]).unwrap();
        }
        everything_acknowledged_is_there(&path, &acknowledged).await;
    }
    assert!(
        acknowledged.turns.iter().all(|turn| *turn > 20),
        "{:?}",
        acknowledged.turns
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_is_kept_out_until_the_first_is_dead() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let (mut victim, mut out) = start(&path, 1);
    let mut line = String::new();
    while !line.starts_with("up") {
        line.clear();
        assert!(
            out.read_line(&mut line).unwrap() > 0,
            "the victim ended by itself"
        );
    }
    let refused = open(&path).unwrap_err();
    assert!(matches!(refused, StoreError::Locked(_)), "{refused:?}");
    let sentence = refused.to_string();
    assert!(
        sentence.starts_with("another Switchboard uses this store"),
        "{sentence}"
    );
    assert!(sentence.contains("Stop that one"), "{sentence}");
    victim.kill().unwrap();
    victim.wait().unwrap();
    open(&path).unwrap();
}

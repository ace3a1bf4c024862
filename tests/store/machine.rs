//! Random sequences of steps, run on a real store and on the model: every answer and all that can be seen must
//! be equal. `PROPTEST_CASES` raises the number of sequences.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use switchboard::store::model::ModelStore;
use switchboard::store::{
    Alias, Caps, Claim, ContactId, Due, Fence, Ingest, Job, JobClaim, JobId, Keep, Nonce, OutboxEntry, Owner,
    Pace, SendClaim, SendOutcome, Sender, SqliteStore, Status, StillClock, Store, TimerId, TurnCommit,
};

use crate::rig::Server;

/// Small, so that sequences of some dozen steps reach them.
const CAPS: Caps = Caps {
    session_bytes: 8,
    memory_bytes: 8,
    event_bytes: 8,
    mailbox_events: 6,
    outbox_entries: 4,
    history_entries: 9,
    parked_events: 1_000,
    dedup_ids: 5,
    dedup_for: Duration::from_secs(60),
};

const PACE: Pace = Pace {
    every: Duration::from_millis(700),
    burst: 2,
};

const LEASE: Duration = Duration::from_secs(20);

/// Numbers name contacts, ids and earlier claims; those that lead nowhere are passed over.
#[derive(Debug, Clone)]
enum Step {
    Resolve {
        alias: u8,
        also: Vec<u8>,
    },
    Ingest(Vec<Event>),
    Claim {
        contact: u8,
        same_nonce: bool,
    },
    Commit {
        back: usize,
        turn: Turn,
    },
    CommitAgain {
        back: usize,
    },
    Fail {
        back: usize,
    },
    Fire {
        limit: usize,
    },
    SendClaim {
        contact: u8,
    },
    SendDone {
        back: usize,
        outcome: Outcome,
    },
    Reconcile {
        contact: u8,
        id: u8,
        ours: bool,
        known_channel: bool,
        rank: u8,
        error: bool,
        paced: bool,
    },
    JobClaim,
    JobRenew {
        back: usize,
        millis: u64,
    },
    JobDone {
        back: usize,
        size: usize,
    },
    SetOwner {
        contact: u8,
        owner: Whose,
    },
    Unpark {
        back: usize,
        discard: bool,
    },
    Erase {
        contact: u8,
    },
    Merge {
        from: u8,
        into: u8,
    },
    Pass {
        millis: u64,
    },
    Reopen,
}

#[derive(Debug, Clone)]
struct Event {
    contact: u8,
    id: u8,
    size: usize,
    patient: bool,
    said_ago: Option<i64>,
    history: bool,
}

#[derive(Debug, Clone)]
struct Turn {
    less: u64,
    session: Option<Option<usize>>,
    memory: Option<Option<usize>>,
    owner: Option<Whose>,
    outbox: Vec<(u8, bool, Option<u64>)>,
    set: Vec<(u8, u64)>,
    cancel: Vec<u8>,
    jobs: Vec<(u8, Option<u64>)>,
    history: usize,
    quiet: bool,
}

#[derive(Debug, Clone, Copy)]
enum Whose {
    Bot,
    Human,
    Paused(i64),
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Accepted { named: bool, paced: bool },
    Retry(i64),
    NotYet(i64),
    Uncertain(i64),
    Dead,
}

fn whose() -> impl Strategy<Value = Whose> {
    prop_oneof![
        3 => Just(Whose::Bot),
        2 => Just(Whose::Human),
        1 => prop_oneof![Just(-5), Just(0), Just(700), Just(30_000)].prop_map(Whose::Paused),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let size = prop_oneof![20 => 0usize..9, 1 => Just(9usize)];
    (
        0u8..3,
        0u8..9,
        size,
        any::<bool>(),
        option::of(-2_000i64..2_000),
        any::<bool>(),
    )
        .prop_map(|(contact, id, size, patient, said_ago, history)| Event {
            contact,
            id,
            size,
            patient,
            said_ago,
            history,
        })
}

fn turn() -> impl Strategy<Value = Turn> {
    let blob = || option::of(option::of(prop_oneof![20 => 0usize..9, 1 => Just(9usize)]));
    let wait = || option::of(prop_oneof![Just(0u64), Just(300), Just(2_000), Just(40_000)]);
    let small = (
        0u64..3,
        blob(),
        blob(),
        option::weighted(0.2, whose()),
        0usize..3,
        any::<bool>(),
    );
    let lists = (
        vec((0u8..8, prop::bool::weighted(0.7), wait()), 0..4),
        vec(
            (
                0u8..3,
                prop_oneof![Just(0u64), Just(500), Just(3_000), Just(30_000)],
            ),
            0..3,
        ),
        vec(0u8..3, 0..2),
        vec((0u8..4, wait()), 0..2),
    );
    (small, lists).prop_map(
        |((less, session, memory, owner, history, quiet), (outbox, set, cancel, jobs))| Turn {
            less,
            session,
            memory,
            owner,
            outbox,
            set,
            cancel,
            jobs,
            history,
            quiet,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        3 => any::<(bool, bool)>().prop_map(|(named, paced)| Outcome::Accepted { named, paced }),
        1 => prop_oneof![Just(-100i64), Just(900)].prop_map(Outcome::Retry),
        1 => prop_oneof![Just(-100i64), Just(900)].prop_map(Outcome::NotYet),
        1 => prop_oneof![Just(-100i64), Just(900)].prop_map(Outcome::Uncertain),
        1 => Just(Outcome::Dead),
    ];
    prop_oneof![
        2 => (0u8..5, vec(0u8..5, 0..3)).prop_map(|(alias, also)| Step::Resolve { alias, also }),
        10 => vec(event(), 1..4).prop_map(Step::Ingest),
        10 => (0u8..3, prop::bool::weighted(0.1)).prop_map(|(contact, same_nonce)| Step::Claim { contact, same_nonce }),
        10 => (0usize..3, turn()).prop_map(|(back, turn)| Step::Commit { back, turn }),
        1 => (0usize..2).prop_map(|back| Step::CommitAgain { back }),
        2 => (0usize..3).prop_map(|back| Step::Fail { back }),
        3 => (1usize..4).prop_map(|limit| Step::Fire { limit }),
        6 => (0u8..3).prop_map(|contact| Step::SendClaim { contact }),
        6 => (0usize..3, outcome).prop_map(|(back, outcome)| Step::SendDone { back, outcome }),
        3 => (0u8..3, 0u8..8, any::<bool>(), prop::bool::weighted(0.9), 0u8..4, any::<(bool, bool)>()).prop_map(
            |(contact, id, ours, known_channel, rank, (error, paced))| Step::Reconcile {
                contact, id, ours, known_channel, rank, error, paced
            }
        ),
        3 => Just(Step::JobClaim),
        2 => (0usize..3, prop_oneof![Just(0u64), 1u64..30_000])
            .prop_map(|(back, millis)| Step::JobRenew { back, millis }),
        3 => (0usize..3, 0usize..9).prop_map(|(back, size)| Step::JobDone { back, size }),
        2 => (0u8..3, whose()).prop_map(|(contact, owner)| Step::SetOwner { contact, owner }),
        8 => prop_oneof![Just(1u64), Just(400), Just(1_000), Just(5_000), Just(20_000), Just(61_000)]
            .prop_map(|millis| Step::Pass { millis }),
        2 => (0usize..2, any::<bool>()).prop_map(|(back, discard)| Step::Unpark { back, discard }),
        1 => (0u8..3).prop_map(|contact| Step::Erase { contact }),
        1 => (0u8..3, 0u8..3).prop_map(|(from, into)| Step::Merge { from, into }),
        1 => Just(Step::Reopen),
    ]
}

/// Where the real store's records are.
enum Place {
    File(tempfile::TempDir),
    Server(Arc<Server>),
}

impl Place {
    async fn open(&self, clock: Arc<StillClock>) -> Arc<dyn Store> {
        match self {
            Place::File(folder) => {
                let path = folder.path().join("store.db");
                Arc::new(SqliteStore::open(path, CAPS, clock).unwrap())
            }
            Place::Server(server) => crate::shared::open_on(server, CAPS, clock).await,
        }
    }
}

struct Pair {
    real: Arc<dyn Store>,
    model: ModelStore,
    clock: Arc<StillClock>,
    place: Place,
    nonces: u64,
    claims: Vec<Claim>,
    turns: Vec<TurnCommit>,
    sends: Vec<SendClaim>,
    /// The nonces of jobs are the store's own, so each store has its claim.
    jobs: Vec<(JobClaim, JobClaim)>,
}

/// Runs the same call on both and compares.
macro_rules! both {
    ($pair:ident . $call:ident ( $($argument:expr),* )) => {{
        let real = $pair.real.$call($($argument),*).await;
        let model = $pair.model.$call($($argument),*).await;
        assert_eq!(real, model, "left: real, right: model");
        real
    }};
}

fn contact(n: u8) -> ContactId {
    ContactId([n; 16])
}

fn latest<T: Clone>(list: &[T], back: usize) -> Option<T> {
    list.len().checked_sub(back + 1).map(|place| list[place].clone())
}

impl Pair {
    async fn new(place: Place) -> Pair {
        let clock = super::still_clock();
        Pair {
            real: place.open(clock.clone()).await,
            model: ModelStore::new(CAPS, clock.clone()),
            clock,
            place,
            nonces: 0,
            claims: Vec::new(),
            turns: Vec::new(),
            sends: Vec::new(),
            jobs: Vec::new(),
        }
    }

    fn at(&self, millis: i64) -> jiff::Timestamp {
        // Half a millisecond off the whole one, to see the rounding.
        self.model.now() + SignedDuration::from_micros(millis * 1_000 - 500)
    }

    fn owner(&self, whose: Whose) -> Owner {
        match whose {
            Whose::Bot => Owner::Bot,
            Whose::Human => Owner::Human,
            Whose::Paused(millis) => {
                Owner::PausedUntil(self.model.now() + SignedDuration::from_millis(millis))
            }
        }
    }

    fn event(&self, event: &Event) -> Ingest {
        let (quiet, quiet_max) = if event.patient { (1_000, 3_000) } else { (0, 0) };
        Ingest {
            channel: "one".into(),
            contact: contact(event.contact),
            dedupe: event.id.to_string(),
            payload: vec![b'e'; event.size],
            said_at: event.said_ago.map(|millis| self.at(millis)),
            quiet: Duration::from_millis(quiet),
            quiet_max: Duration::from_millis(quiet_max),
            history: event.history.then(|| vec![b'h'; event.size]),
        }
    }

    fn turn(&self, claim: &Claim, turn: &Turn) -> TurnCommit {
        let keep = |change: &Option<Option<usize>>| match change {
            None => Keep::AsItIs,
            Some(None) => Keep::Remove,
            Some(Some(size)) => Keep::Write(vec![b'k'; *size]),
        };
        let after = |millis: u64| self.at(i64::try_from(millis).unwrap());
        let last = claim.events.last().map_or(0, |event| event.seq);
        TurnCommit {
            contact: claim.contact,
            fence: claim.fence,
            nonce: claim.nonce,
            upto: last.saturating_sub(turn.less),
            session: keep(&turn.session),
            memory: keep(&turn.memory),
            owner: turn.owner.map(|owner| self.owner(owner)),
            outbox: turn
                .outbox
                .iter()
                .map(|(id, bot, wait)| OutboxEntry {
                    id: format!("{}.{id}", claim.contact.0[0]),
                    sender: if *bot { Sender::Bot } else { Sender::Person },
                    payload: vec![*id],
                    not_before: wait.map(after),
                })
                .collect(),
            set_timers: turn
                .set
                .iter()
                .map(|(id, wait)| (TimerId(id.to_string()), after(*wait), vec![*id]))
                .collect(),
            cancel_timers: turn.cancel.iter().map(|id| TimerId(id.to_string())).collect(),
            jobs: turn
                .jobs
                .iter()
                .map(|(id, wait)| Job {
                    id: JobId(id.to_string()),
                    payload: vec![*id],
                    not_before: wait.map(after),
                })
                .collect(),
            history: vec![b"line".to_vec(); turn.history],
            quiet: Duration::from_millis(if turn.quiet { 1_000 } else { 0 }),
        }
    }

    async fn run(&mut self, step: &Step) {
        let pair = self;
        match step {
            Step::Resolve { alias, also } => {
                let name = |n: &u8| Alias(format!("phone:{n}"));
                let also: Vec<Alias> = also.iter().map(name).collect();
                let _ = both!(pair.resolve_alias("one", &name(alias), &also));
            }
            Step::Ingest(events) => {
                let events: Vec<Ingest> = events.iter().map(|event| pair.event(event)).collect();
                let _ = both!(pair.ingest(&events));
            }
            Step::Claim {
                contact: n,
                same_nonce,
            } => {
                pair.nonces += u64::from(!same_nonce);
                let claim = both!(pair.claim(contact(*n), Nonce(pair.nonces), LEASE));
                pair.claims.extend(claim.unwrap());
            }
            Step::Commit { back, turn } => {
                if let Some(claim) = latest(&pair.claims, *back) {
                    let turn = pair.turn(&claim, turn);
                    let _ = both!(pair.commit(&turn));
                    pair.turns.push(turn);
                }
            }
            Step::CommitAgain { back } => {
                if let Some(turn) = latest(&pair.turns, *back) {
                    let _ = both!(pair.commit(&turn));
                }
            }
            Step::Fail { back } => {
                if let Some(claim) = latest(&pair.claims, *back) {
                    let _ = both!(pair.fail(claim.contact, claim.fence, claim.nonce, "broke"));
                }
            }
            Step::Fire { limit } => {
                let _ = both!(pair.fire_due_timers(*limit));
            }
            Step::SendClaim { contact: n } => {
                let claim = both!(pair.send_claim(contact(*n), LEASE));
                pair.sends.extend(claim.unwrap());
            }
            Step::SendDone { back, outcome } => {
                if let Some(claim) = latest(&pair.sends, *back) {
                    let why = "why".to_owned();
                    let outcome = match *outcome {
                        Outcome::Accepted { named, paced } => SendOutcome::Accepted {
                            message_id: named.then(|| format!("wamid.{}", claim.entry.id)),
                            pace: paced.then_some(PACE),
                        },
                        Outcome::Retry(millis) => SendOutcome::Retry {
                            at: pair.at(millis),
                            why,
                        },
                        Outcome::NotYet(millis) => SendOutcome::NotYet {
                            at: pair.at(millis),
                            why,
                        },
                        Outcome::Uncertain(millis) => SendOutcome::Uncertain {
                            until: pair.at(millis),
                            why,
                        },
                        Outcome::Dead => SendOutcome::Dead { why },
                    };
                    let _ = both!(pair.send_done(&claim, &outcome));
                }
            }
            Step::Reconcile {
                contact: n,
                id,
                ours,
                known_channel,
                rank,
                error,
                paced,
            } => {
                let id = format!("{n}.{id}");
                let status = Status {
                    message_id: format!("wamid.{id}"),
                    ours: ours.then_some(id),
                    rank: *rank,
                    state: format!("state {rank}"),
                    error: error.then(|| "error".to_owned()),
                    pace: paced.then_some(PACE),
                };
                let channel = if *known_channel { "one" } else { "two" };
                let _ = both!(pair.reconcile(channel, &status));
            }
            Step::JobClaim => {
                let real = pair.real.job_claim(LEASE).await.unwrap();
                let model = pair.model.job_claim(LEASE).await.unwrap();
                let same_nonce = real.clone().zip(model.clone()).map(|(real, model)| JobClaim {
                    nonce: real.nonce,
                    ..model
                });
                assert_eq!(real, same_nonce, "left: real, right: model");
                assert_eq!(real.is_some(), model.is_some());
                pair.jobs.extend(real.zip(model));
            }
            Step::JobRenew { back, millis } => {
                if let Some((real, model)) = latest(&pair.jobs, *back) {
                    let lease = Duration::from_millis(*millis);
                    let real = pair.real.job_renew(&real, lease).await;
                    assert_eq!(real, pair.model.job_renew(&model, lease).await);
                }
            }
            Step::JobDone { back, size } => {
                if let Some((real, model)) = latest(&pair.jobs, *back) {
                    let result = vec![b'r'; *size];
                    let real = pair.real.job_done(&real, result.clone()).await;
                    assert_eq!(real, pair.model.job_done(&model, result).await);
                }
            }
            Step::SetOwner { contact: n, owner } => {
                let owner = pair.owner(*owner);
                let _ = both!(pair.set_owner(contact(*n), owner));
            }
            // What the store of many machines does not do yet.
            Step::Unpark { .. } | Step::Erase { .. } | Step::Merge { .. }
                if matches!(pair.place, Place::Server(_)) => {}
            Step::Unpark { back, discard } => {
                let parked = pair.model.parked(20).await.unwrap();
                if let Some(parked) = latest(&parked, *back) {
                    if *discard {
                        let _ = both!(pair.discard(&parked.id));
                    } else {
                        let _ = both!(pair.unpark(&parked.id));
                    }
                }
            }
            Step::Erase { contact: n } => {
                let _ = both!(pair.erase(contact(*n)));
            }
            Step::Merge { from, into } => {
                let _ = both!(pair.merge(contact(*from), contact(*into)));
            }
            Step::Pass { millis } => pair.clock.advance(Duration::from_millis(*millis)),
            Step::Reopen => {
                pair.real.close().await.unwrap();
                // The holders of a store that is shared may live in other processes.
                if !pair.real.promises().shared {
                    pair.model.holders_died().unwrap();
                }
                pair.real = pair.place.open(pair.clock.clone()).await;
            }
        }
    }

    async fn looks_the_same(&self) {
        let pair = self;
        for n in 0..3 {
            // Fence and nonce mean something to the holder of a lease only.
            let plain = |claim: Option<Claim>| {
                claim.map(|claim| Claim {
                    fence: Fence(0),
                    nonce: Nonce(0),
                    ..claim
                })
            };
            let real = plain(pair.real.peek(contact(n)).await.unwrap());
            assert_eq!(
                real,
                plain(pair.model.peek(contact(n)).await.unwrap()),
                "left: real, right: model"
            );
            let _ = both!(pair.history(contact(n), 20));
        }
        for kind in [Due::Run, Due::Send, Due::Timer, Due::Job] {
            let mut real = pair.real.due(kind, 20).await.unwrap();
            let mut model = pair.model.due(kind, 20).await.unwrap();
            real.sort();
            model.sort();
            assert_eq!(real, model, "{kind:?}; left: real, right: model");
            // What is overdue is due now, however long it has been.
            let now = pair.model.now();
            let real = pair.real.next_due(kind).await.unwrap().map(|at| at.max(now));
            let model = pair.model.next_due(kind).await.unwrap().map(|at| at.max(now));
            assert_eq!(real, model, "{kind:?}; left: real, right: model");
        }
        let _ = both!(pair.contacts(20));
        let first = both!(pair.contacts_after(None, 2)).unwrap();
        let _ = both!(pair.contacts_after(first.last().copied(), 20));
        // Of those put aside in the same millisecond any may come first.
        let sorted = |mut list: Vec<_>| {
            list.sort_by_key(|one| format!("{one:?}"));
            list
        };
        let real = sorted(pair.real.parked(20).await.unwrap());
        let model = sorted(pair.model.parked(20).await.unwrap());
        assert_eq!(real, model, "left: real, right: model");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_steps_gives_what_the_model_gives(steps in vec(step(), 60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut pair = Pair::new(Place::File(tempfile::tempdir().unwrap())).await;
            for (n, step) in steps.iter().enumerate() {
                pair.run(step).await;
                if n % 5 == 4 {
                    pair.looks_the_same().await;
                }
            }
        });
    }
}

/// As many sequences as one wants to wait for: each look asks 256 partitions ten times.
fn on_a_server() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    ProptestConfig {
        failure_persistence: None,
        cases: asked.unwrap_or(48),
        ..ProptestConfig::default()
    }
}

#[test]
fn any_sequence_of_steps_gives_on_redis_what_the_model_gives() {
    let server = Arc::new(Server::plain());
    proptest!(on_a_server(), |(steps in vec(step(), 60))| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            server.must(&["FLUSHALL"]);
            let mut pair = Pair::new(Place::Server(server.clone())).await;
            for (n, step) in steps.iter().enumerate() {
                pair.run(step).await;
                if n % 12 == 11 {
                    pair.looks_the_same().await;
                }
            }
        });
    });
}

//! The store as a whole: what outlives it, what it lists, its clock, and how one waits for work.

use std::time::Duration;

use futures_util::FutureExt;
use switchboard::store::{Due, Job, JobId, Keep, Nonce, Owner, SendOutcome, Status, StoreError};

use super::Open;
use super::bed::{Bed, LEASE, accepted, bed, bot, message, timer, turn, words};

pub async fn everything_is_there_after_reopening(open: Open) {
    let mut bed = bed(open).await;
    let ana = bed.contact("ana").await;
    let mut event = message(ana, "wamid.1", "hello");
    event.history = Some(b"customer: hello".to_vec());
    bed.ingest(event.clone()).await;
    let mut first = turn(&bed.claim(ana).await);
    first.session = Keep::Write(b"session".to_vec());
    first.memory = Keep::Write(b"memory".to_vec());
    first.outbox = vec![bot("1"), bot("2")];
    first.set_timers = vec![timer("idle", bed.in_millis(1_000))];
    first.jobs = vec![Job {
        id: JobId("j1".into()),
        payload: b"job".to_vec(),
        not_before: None,
    }];
    bed.commit(&first).await;
    bed.sends(ana, "1").await;
    bed.say(ana, "next").await;
    bed.store.put_setting("live", b"7").await.unwrap();
    let before = (
        bed.store.peek(ana).await.unwrap(),
        bed.store.history(ana, 100).await.unwrap(),
    );
    bed.reopen().await;
    let after = (
        bed.store.peek(ana).await.unwrap(),
        bed.store.history(ana, 100).await.unwrap(),
    );
    assert_eq!(before, after);
    assert_eq!(bed.contact("ana").await, ana);
    assert_eq!(bed.ingest(event).await, switchboard::store::Ingested::Duplicate);
    assert_eq!(
        bed.store.commit(&first).await.unwrap(),
        switchboard::store::Committed::Already
    );
    assert_eq!(words(&bed.claim(ana).await), ["next"]);
    assert_eq!(
        bed.store.setting("live").await.unwrap().as_deref(),
        Some(&b"7"[..])
    );
    bed.sends(ana, "2").await;
    assert_eq!(bed.store.job_claim(LEASE).await.unwrap().unwrap().id.0, "j1");
    bed.pass(1_000);
    assert_eq!(bed.store.fire_due_timers(10).await.unwrap(), 1);
}

/// A conversation in which every call is made `times` times, as by a caller who got no answer at first; what is seen
/// afterwards.
async fn conversation(open: Open, times: usize) -> impl PartialEq + std::fmt::Debug {
    macro_rules! call {
        ($bed:ident . $call:ident ( $($argument:expr),* )) => {{
            let first = $bed.store.$call($($argument),*).await.unwrap();
            for _ in 1..times {
                $bed.store.$call($($argument),*).await.unwrap();
            }
            first
        }};
    }
    let bed = bed(open).await;
    let alias = switchboard::store::Alias("phone:ana".into());
    let ana = call!(bed.resolve_alias(super::bed::CHANNEL, &alias, &[])).contact();
    let mut event = message(ana, "1", "hello");
    event.history = Some(b"customer: hello".to_vec());
    call!(bed.ingest(&[event.clone(), message(ana, "2", "more")]));
    let claim = call!(bed.claim(ana, Nonce(1), LEASE)).unwrap();
    call!(bed.fail(ana, claim.fence, claim.nonce, "it broke"));
    bed.pass(1_000);
    let claim = call!(bed.claim(ana, Nonce(2), LEASE)).unwrap();
    let mut first = turn(&claim);
    first.upto = 1;
    first.session = Keep::Write(b"session".to_vec());
    first.outbox = vec![bot("1"), bot("2"), bot("3")];
    first.set_timers = vec![timer("idle", bed.in_millis(0))];
    first.jobs = vec![Job {
        id: JobId("j1".into()),
        payload: b"job".to_vec(),
        not_before: None,
    }];
    call!(bed.commit(&first));
    call!(bed.fire_due_timers(10));
    let job = bed.store.job_claim(LEASE).await.unwrap().unwrap();
    call!(bed.job_done(&job, b"result".to_vec()));
    let send = bed.send_claim(ana).await.unwrap();
    call!(bed.send_done(&send, &accepted("1")));
    let send = bed.send_claim(ana).await.unwrap();
    let uncertain = SendOutcome::Uncertain {
        until: bed.in_millis(1_000),
        why: "no answer".into(),
    };
    call!(bed.send_done(&send, &uncertain));
    let status = Status {
        message_id: "wamid.2".into(),
        ours: Some("2".into()),
        rank: 1,
        state: "sent".into(),
        error: None,
        pace: None,
    };
    call!(bed.reconcile(super::bed::CHANNEL, &status));
    call!(bed.set_owner(ana, Owner::Human));
    call!(bed.put_setting("live", b"1"));
    assert!(bed.send_claim(ana).await.is_none());
    let lists = (
        bed.store.contacts(10).await.unwrap(),
        bed.store.parked(10).await.unwrap(),
    );
    let mut due = Vec::new();
    for kind in [Due::Run, Due::Send, Due::Timer, Due::Job] {
        due.push(
            bed.store
                .next_due(kind)
                .await
                .unwrap()
                .map(|at| at.max(bed.store.now())),
        );
    }
    let known = bed.store.peek(ana).await.unwrap();
    (known, bed.store.history(ana, 100).await.unwrap(), lists, due)
}

pub async fn a_step_repeated_after_a_lost_answer_changes_nothing_more(open: Open) {
    let once = conversation(open, 1).await;
    let thrice = conversation(open, 3).await;
    assert_eq!(once, thrice);
}

pub async fn what_was_in_work_is_taken_up_again_after_reopening(open: Open) {
    let mut bed = bed(open).await;
    let (ana, budi) = (bed.contact("ana").await, bed.contact("budi").await);
    for contact in [ana, budi] {
        bed.say(contact, "hello").await;
    }
    let mut asks = turn(&bed.claim(budi).await);
    asks.outbox = vec![bot("1")];
    asks.jobs = vec![Job {
        id: JobId("j1".into()),
        payload: b"job".to_vec(),
        not_before: None,
    }];
    bed.commit(&asks).await;
    let held = turn(&bed.claim(ana).await);
    let send = bed.send_claim(budi).await.unwrap();
    let job = bed.store.job_claim(LEASE).await.unwrap().unwrap();
    bed.reopen().await;
    if bed.store.promises().shared {
        // The holders may live in other processes.
        assert!(bed.try_claim(ana).await.is_none());
        bed.pass(LEASE.as_millis() as u64);
    }
    assert_eq!(words(&bed.claim(ana).await), ["hello"]);
    assert_eq!(
        bed.store.commit(&held).await.unwrap(),
        switchboard::store::Committed::Fenced
    );
    let again = bed.send_claim(budi).await.unwrap();
    assert!(again.uncertain && again.fence > send.fence);
    assert!(!bed.store.send_done(&send, &accepted("1")).await.unwrap());
    assert_eq!(bed.store.job_claim(LEASE).await.unwrap().unwrap().attempt, 2);
    assert!(!bed.store.job_done(&job, b"late".to_vec()).await.unwrap());
}

pub async fn work_is_listed_soonest_first_and_bounded(open: Open) {
    let bed = bed(open).await;
    let mut contacts = Vec::new();
    for n in 0..5 {
        let contact = bed.contact(&n.to_string()).await;
        bed.say(contact, "hello").await;
        bed.pass(1);
        contacts.push(contact);
    }
    let later = bed.contact("later").await;
    let mut patient = message(later, "1", "hello");
    (patient.quiet, patient.quiet_max) = (Duration::from_secs(1), Duration::from_secs(3));
    bed.ingest(patient).await;
    assert_eq!(bed.store.due(Due::Run, 100).await.unwrap(), contacts);
    assert_eq!(bed.store.due(Due::Run, 2).await.unwrap(), contacts[..2]);
    bed.claim(contacts[0]).await;
    assert_eq!(bed.store.due(Due::Run, 100).await.unwrap(), contacts[1..]);
    bed.pass(LEASE.as_millis() as u64);
    let due = bed.store.due(Due::Run, 100).await.unwrap();
    assert!(due.contains(&contacts[0]), "its holder died");
}

pub async fn contacts_are_listed_by_latest_activity(open: Open) {
    let bed = bed(open).await;
    let mut contacts = Vec::new();
    for n in 0..3 {
        contacts.push(bed.contact(&n.to_string()).await);
        bed.pass(10);
    }
    bed.say(contacts[0], "hello").await;
    assert_eq!(
        bed.store.contacts(10).await.unwrap(),
        [contacts[0], contacts[2], contacts[1]]
    );
    assert_eq!(bed.store.contacts(1).await.unwrap(), [contacts[0]]);
}

pub async fn settings_keep_the_last_write(open: Open) {
    let bed = bed(open).await;
    assert_eq!(bed.store.setting("live").await.unwrap(), None);
    bed.store.put_setting("live", b"1").await.unwrap();
    bed.store.put_setting("live", b"\0\xff").await.unwrap();
    bed.store.put_setting("other", b"").await.unwrap();
    assert_eq!(bed.store.setting("live").await.unwrap(), Some(b"\0\xff".to_vec()));
    bed.store.remove_setting("live").await.unwrap();
    bed.store.remove_setting("live").await.unwrap();
    assert_eq!(bed.store.setting("live").await.unwrap(), None);
    assert_eq!(bed.store.setting("other").await.unwrap(), Some(Vec::new()));
    assert_eq!(bed.store.setting("other").await.unwrap(), Some(Vec::new()));
    bed.store
        .quarantine("number-one", b"{\xff", "not JSON")
        .await
        .unwrap();
}

pub async fn a_setting_is_swapped_only_by_who_saw_what_it_is(open: Open) {
    let bed = bed(open).await;
    let swap = async |seen: Option<&[u8]>, value: Option<&[u8]>| {
        bed.store.swap_setting("number", seen, value).await.unwrap()
    };
    assert!(!swap(Some(b"1"), Some(b"2")).await, "it is not there");
    assert!(swap(None, Some(b"")).await);
    assert!(!swap(None, Some(b"1")).await, "an empty one is there");
    assert!(swap(Some(b""), Some(b"\0\xff")).await);
    // A repeated call says what the first one did.
    assert!(swap(Some(b""), Some(b"\0\xff")).await);
    assert_eq!(
        bed.store.setting("number").await.unwrap(),
        Some(b"\0\xff".to_vec())
    );
    assert!(!swap(Some(b"\0"), None).await);
    assert!(swap(Some(b"\0\xff"), None).await);
    assert!(swap(Some(b"\0\xff"), None).await);
    assert_eq!(bed.store.setting("number").await.unwrap(), None);
}

pub async fn of_many_who_swap_a_setting_at_once_one_does(open: Open) {
    let bed = bed(open).await;
    bed.store.put_setting("number", b"before").await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..16u8 {
        let store = bed.store.clone();
        tasks.spawn(async move {
            let done = store.swap_setting("number", Some(b"before"), Some(&[n])).await;
            done.unwrap().then_some(n)
        });
    }
    let done: Vec<u8> = tasks.join_all().await.into_iter().flatten().collect();
    let [winner] = done[..] else {
        panic!("{done:?} all did");
    };
    assert_eq!(bed.store.setting("number").await.unwrap(), Some(vec![winner]));
}

pub async fn settings_are_listed_by_what_their_keys_begin_with(open: Open) {
    let bed = bed(open).await;
    for key in [
        "number/b",
        "number/a_1",
        "number/A",
        "numbers",
        "number%",
        "other",
    ] {
        bed.store.put_setting(key, key.as_bytes()).await.unwrap();
    }
    bed.store.put_setting("number/none", b"").await.unwrap();
    let listed = async |prefix: &str| -> Vec<String> {
        let listed = bed.store.settings(prefix).await.unwrap();
        for (key, value) in &listed {
            assert!(
                value == key.as_bytes() || key == "number/none",
                "{key}: {value:?}"
            );
        }
        listed.into_iter().map(|(key, _)| key).collect()
    };
    let under = ["number/A", "number/a_1", "number/b", "number/none"];
    assert_eq!(listed("number/").await, under);
    assert_eq!(listed("number%").await, ["number%"]);
    assert_eq!(listed("number/a_").await, ["number/a_1"]);
    assert_eq!(listed("nobody/").await, [""; 0]);
    assert_eq!(listed("number").await.len(), 6);
}

pub async fn a_clock_set_back_or_forward_an_hour_loses_nothing(open: Open) {
    const HOUR: i64 = 3_600_000;
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "one").await;
    let mut first = turn(&bed.claim(ana).await);
    first.set_timers = vec![timer("idle", bed.in_millis(1_000))];
    first.outbox = vec![bot("1")];
    bed.commit(&first).await;
    bed.shift(-HOUR);
    bed.ingest(message(ana, "2", "two")).await;
    assert_eq!(
        bed.ingest(message(ana, "2", "two")).await,
        switchboard::store::Ingested::Duplicate
    );
    assert_eq!(bed.store.fire_due_timers(10).await.unwrap(), 0);
    let held = turn(&bed.claim(ana).await);
    bed.shift(2 * HOUR);
    let heir = bed.claim(ana).await;
    assert_eq!(
        bed.store.commit(&held).await.unwrap(),
        switchboard::store::Committed::Fenced
    );
    assert_eq!(bed.store.fire_due_timers(10).await.unwrap(), 1);
    bed.commit(&turn(&heir)).await;
    assert_eq!(words(&bed.claim(ana).await), ["timer idle"]);
    bed.sends(ana, "1").await;
    let owner = bed.store.peek(ana).await.unwrap().unwrap().owner;
    assert_eq!(owner, Owner::Bot);
}

/// Fails rather than hangs. The time is for a stuck test only; nothing is measured by it.
async fn soon(future: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .expect("it was never woken");
}

/// Loops as a worker does, since a wake-up may be for nothing.
async fn until_due(bed: &Bed, kind: Due) {
    while bed.store.due(kind, 1).await.unwrap().is_empty() {
        bed.store.wait_for_work().await;
    }
}

pub async fn waiting_ends_when_something_was_written(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    soon(async {
        let both = futures_util::future::join(until_due(&bed, Due::Run), async {
            tokio::task::yield_now().await;
            bed.say(ana, "hello").await;
        });
        both.await;
        let mut turn = turn(&bed.claim(ana).await);
        turn.outbox = vec![bot("1")];
        futures_util::future::join(until_due(&bed, Due::Send), bed.commit(&turn)).await;
    })
    .await;
}

pub async fn waiting_ends_when_the_clock_reaches_the_soonest_work(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "hello").await;
    let mut turn = turn(&bed.claim(ana).await);
    turn.set_timers = vec![timer("idle", bed.in_millis(3_600_000))];
    bed.commit(&turn).await;
    soon(async {
        futures_util::future::join(until_due(&bed, Due::Timer), async {
            tokio::task::yield_now().await;
            bed.pass(3_600_000);
        })
        .await;
    })
    .await;
}

pub async fn looking_for_work_in_vain_does_not_end_the_waiting(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    // What was rung for until now.
    while bed.store.wait_for_work().now_or_never().is_some() {}
    assert_eq!(bed.store.fire_due_timers(10).await.unwrap(), 0);
    assert!(bed.try_claim(ana).await.is_none());
    assert!(bed.send_claim(ana).await.is_none());
    assert!(bed.store.job_claim(LEASE).await.unwrap().is_none());
    assert!(bed.store.wait_for_work().now_or_never().is_none());
    bed.say(ana, "hello").await;
    assert!(bed.store.wait_for_work().now_or_never().is_some());
}

pub async fn a_closed_store_says_so(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.store.close().await.unwrap();
    let refused = bed.store.ingest(&[message(ana, "1", "hello")]).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    let refused = bed.store.peek(ana).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    bed.store.close().await.unwrap();
}

//! The commit: everything or nothing, once, and exactly what was said.

use std::time::Duration;

use switchboard::store::{Caps, Committed, Due, Ingested, Job, JobId, Keep, Owner, StoreError, TurnCommit};

use super::Open;
use super::bed::{Bed, bed, bed_with, bot, message, timer, turn, words};

/// A turn that writes one of everything.
fn rich(bed: &Bed, claim: &switchboard::store::Claim) -> TurnCommit {
    TurnCommit {
        session: Keep::Write(b"at question 2".to_vec()),
        memory: Keep::Write(b"likes tea".to_vec()),
        owner: Some(Owner::Human),
        outbox: vec![bot("a.1.0"), bot("a.1.1")],
        set_timers: vec![timer("idle", bed.in_millis(5_000))],
        jobs: vec![Job {
            id: JobId("a.1.j0".into()),
            payload: b"look it up".to_vec(),
            not_before: None,
        }],
        history: vec![b"customer: hello".to_vec()],
        ..turn(claim)
    }
}

pub async fn a_turn_writes_everything_together(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "hello").await;
    let claim = bed.claim(ana).await;
    assert_eq!(
        (&claim.session, &claim.memory, claim.owner),
        (&None, &None, Owner::Bot)
    );
    bed.commit(&rich(&bed, &claim)).await;
    let known = bed.store.peek(ana).await.unwrap().unwrap();
    assert_eq!(known.session.as_deref(), Some(&b"at question 2"[..]));
    assert_eq!(known.memory.as_deref(), Some(&b"likes tea"[..]));
    assert_eq!(known.owner, Owner::Human);
    assert!(known.events.is_empty());
    let thread = bed.store.history(ana, 10).await.unwrap();
    let lines: Vec<_> = thread
        .iter()
        .map(|line| String::from_utf8_lossy(&line.payload).into_owned())
        .collect();
    assert_eq!(lines, ["customer: hello", "text of a.1.0", "text of a.1.1"]);
    assert_eq!(bed.state(ana, "a.1.1").await, "queued");
    assert_eq!(bed.store.due(Due::Send, 10).await.unwrap(), [ana]);
    assert_eq!(bed.store.due(Due::Job, 10).await.unwrap(), [ana]);
    assert_eq!(
        bed.store.next_due(Due::Timer).await.unwrap(),
        Some(bed.in_millis(5_000))
    );
    assert_eq!(bed.store.next_due(Due::Run).await.unwrap(), None);
}

pub async fn a_repeated_commit_says_already_and_writes_once(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "hello").await;
    let turn = rich(&bed, &bed.claim(ana).await);
    bed.commit(&turn).await;
    assert_eq!(bed.store.commit(&turn).await.unwrap(), Committed::Already);
    assert_eq!(bed.states(ana).await.len(), 2);
    // A later turn of the same contact does not make the first one new again.
    bed.say(ana, "more").await;
    bed.commit(&super::bed::turn(&bed.claim(ana).await)).await;
    assert_eq!(bed.store.commit(&turn).await.unwrap(), Committed::Fenced);
}

async fn nothing_was_written(bed: &Bed, contact: switchboard::store::ContactId) {
    let known = bed.store.peek(contact).await.unwrap().unwrap();
    assert_eq!(
        (known.session, known.memory, known.owner),
        (None, None, Owner::Bot)
    );
    assert_eq!(known.events.len(), 1);
    assert!(bed.store.history(contact, 10).await.unwrap().is_empty());
    for kind in [Due::Send, Due::Timer, Due::Job] {
        assert_eq!(bed.store.next_due(kind).await.unwrap(), None, "{kind:?}");
    }
}

pub async fn a_fenced_commit_writes_nothing(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "hello").await;
    let zombie = bed.claim(ana).await;
    bed.pass(super::bed::LEASE.as_millis() as u64);
    bed.claim(ana).await;
    assert_eq!(
        bed.store.commit(&rich(&bed, &zombie)).await.unwrap(),
        Committed::Fenced
    );
    nothing_was_written(&bed, ana).await;
}

pub async fn over_any_cap_nothing_is_written_and_the_lease_stays(open: Open) {
    let caps = Caps {
        session_bytes: 100,
        memory_bytes: 100,
        event_bytes: 100,
        outbox_entries: 3,
        ..Caps::default()
    };
    let bed = bed_with(open, caps).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "hello").await;
    let claim = bed.claim(ana).await;
    let big = vec![b'x'; 101];
    let breaches: Vec<fn(&mut TurnCommit, Vec<u8>)> = vec![
        |turn, big| turn.session = Keep::Write(big),
        |turn, big| turn.memory = Keep::Write(big),
        |turn, big| turn.outbox[1].payload = big,
        |turn, big| turn.set_timers[0].2 = big,
        |turn, big| turn.jobs[0].payload = big,
        |turn, big| turn.history.push(big),
        |turn, _| turn.outbox.extend([bot("a.1.2"), bot("a.1.3")]),
    ];
    for breach in breaches {
        let mut turn = rich(&bed, &claim);
        breach(&mut turn, big.clone());
        let refused = bed.store.commit(&turn).await;
        let expected = matches!(
            refused,
            Err(StoreError::TooBig { .. } | StoreError::TooMany { .. })
        );
        assert!(expected, "{refused:?}");
        nothing_was_written(&bed, ana).await;
    }
    let mut turn = rich(&bed, &claim);
    turn.session = Keep::Write(vec![b'x'; 100]);
    turn.outbox.push(bot("a.1.2"));
    bed.commit(&turn).await;
}

pub async fn exactly_the_events_up_to_the_given_one_are_consumed(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    for n in 1..=5 {
        bed.say(ana, &n.to_string()).await;
    }
    for (upto, left) in [(0, 5), (2, 3), (2, 3), (4, 1), (99, 0)] {
        let mut turn = turn(&bed.claim(ana).await);
        turn.upto = upto;
        bed.commit(&turn).await;
        assert_eq!(bed.mailbox(ana).await.len(), left, "up to {upto}");
    }
    assert_eq!(
        bed.say(ana, "6").await,
        Ingested::New(6),
        "a number is never used again"
    );
    assert_eq!(words(&bed.claim(ana).await), ["6"]);
}

pub async fn events_that_arrive_during_a_turn_queue_the_contact_again(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "one").await;
    let mut turn = turn(&bed.claim(ana).await);
    bed.say(ana, "two").await;
    assert!(bed.try_claim(ana).await.is_none());
    turn.quiet = Duration::from_secs(1);
    bed.commit(&turn).await;
    assert!(bed.try_claim(ana).await.is_none());
    bed.pass(1_000);
    assert_eq!(words(&bed.claim(ana).await), ["two"]);
}

pub async fn blobs_are_kept_written_and_removed_as_told(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    let steps = [
        (Keep::Write(b"1".to_vec()), Some(b"1".to_vec())),
        (Keep::AsItIs, Some(b"1".to_vec())),
        (Keep::Write(Vec::new()), Some(Vec::new())),
        (Keep::Remove, None),
        (Keep::Remove, None),
        (Keep::AsItIs, None),
    ];
    for (keep, then) in steps {
        bed.say(ana, "next").await;
        let mut turn = turn(&bed.claim(ana).await);
        (turn.session, turn.memory) = (keep.clone(), keep);
        bed.commit(&turn).await;
        let known = bed.store.peek(ana).await.unwrap().unwrap();
        assert_eq!((&known.session, &known.memory), (&then, &then));
    }
}

pub async fn the_thread_keeps_its_newest_lines(open: Open) {
    let caps = Caps {
        history_entries: 10,
        ..Caps::default()
    };
    let bed = bed_with(open, caps).await;
    let ana = bed.contact("ana").await;
    for n in 1..=25 {
        let mut event = message(ana, &n.to_string(), "hello");
        event.history = Some(n.to_string().into());
        bed.ingest(event).await;
    }
    let thread = bed.store.history(ana, 100).await.unwrap();
    let seqs: Vec<u64> = thread.iter().map(|line| line.seq).collect();
    assert_eq!(seqs, (16..=25).collect::<Vec<u64>>());
    let latest = bed.store.history(ana, 2).await.unwrap();
    assert_eq!(latest, thread[8..]);
}

pub async fn a_history_line_of_an_event_is_written_once(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    let mut event = message(ana, "1", "hello");
    event.history = Some(b"customer: hello".to_vec());
    bed.ingest(event.clone()).await;
    bed.ingest(event).await;
    let thread = bed.store.history(ana, 10).await.unwrap();
    assert_eq!(thread.len(), 1);
    assert_eq!((thread[0].at, &thread[0].status), (bed.store.now(), &None));
}

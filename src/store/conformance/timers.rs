//! Timers and jobs: once, never early, and back in the mailbox.

use std::time::Duration;

use switchboard::store::{Caps, ContactId, Due, Ingested, Job, JobClaim, JobId, Store, StoreError, TimerId};

use super::Open;
use super::bed::{Bed, LEASE, bed, bed_with, timer, turn, words};

async fn sets(bed: &Bed, contact: ContactId, name: &str, in_millis: i64) {
    bed.say(contact, "hello").await;
    let mut turn = turn(&bed.claim(contact).await);
    turn.set_timers = vec![timer(name, bed.in_millis(in_millis))];
    bed.commit(&turn).await;
}

async fn fire(store: &dyn Store) -> usize {
    store.fire_due_timers(10_000).await.unwrap()
}

pub async fn a_timer_fires_once_and_never_early(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "hello").await;
    let mut turn = turn(&bed.claim(ana).await);
    // A fraction of a millisecond past the third.
    let at = bed.in_millis(3) + jiff::SignedDuration::from_nanos(1);
    turn.set_timers = vec![timer("idle", at)];
    bed.commit(&turn).await;
    bed.pass(3);
    assert_eq!(fire(&*bed.store).await, 0);
    assert!(bed.store.due(Due::Timer, 10).await.unwrap().is_empty());
    bed.pass(1);
    assert_eq!(bed.store.due(Due::Timer, 10).await.unwrap(), [ana]);
    assert_eq!(fire(&*bed.store).await, 1);
    assert_eq!(fire(&*bed.store).await, 0);
    assert_eq!(words(&bed.claim(ana).await), ["timer idle"]);
}

pub async fn a_timer_set_again_is_moved(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    sets(&bed, ana, "idle", 1_000).await;
    sets(&bed, ana, "idle", 5_000).await;
    bed.pass(4_999);
    assert_eq!(fire(&*bed.store).await, 0);
    bed.pass(1);
    assert_eq!(fire(&*bed.store).await, 1);
}

pub async fn a_cancelled_timer_does_not_fire(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    sets(&bed, ana, "idle", 1_000).await;
    bed.say(ana, "hello").await;
    let mut cancel = turn(&bed.claim(ana).await);
    cancel.cancel_timers = vec![TimerId("idle".into()), TimerId("never set".into())];
    bed.commit(&cancel).await;
    bed.pass(10_000);
    assert_eq!(fire(&*bed.store).await, 0);
    assert_eq!(bed.store.next_due(Due::Timer).await.unwrap(), None);
}

pub async fn a_timer_in_both_lists_is_set(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "hello").await;
    let mut turn = turn(&bed.claim(ana).await);
    turn.cancel_timers = vec![TimerId("idle".into())];
    turn.set_timers = vec![timer("idle", bed.in_millis(1))];
    bed.commit(&turn).await;
    bed.pass(1);
    assert_eq!(fire(&*bed.store).await, 1);
}

pub async fn a_timer_that_fired_can_no_longer_be_cancelled(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    sets(&bed, ana, "idle", 1_000).await;
    bed.say(ana, "just in time").await;
    let mut cancel = turn(&bed.claim(ana).await);
    bed.pass(1_000);
    assert_eq!(fire(&*bed.store).await, 1);
    cancel.cancel_timers = vec![TimerId("idle".into())];
    bed.commit(&cancel).await;
    assert_eq!(
        words(&bed.claim(ana).await),
        ["timer idle"],
        "it is an event now: the engine ignores stale ones"
    );
}

pub async fn a_thousand_timers_of_one_millisecond_all_fire_once(open: Open) {
    let bed = bed(open).await;
    let at = bed.in_millis(1_000);
    let mut contacts = Vec::new();
    for n in 0..100 {
        let contact = bed.contact(&n.to_string()).await;
        bed.say(contact, "hello").await;
        let mut turn = turn(&bed.claim(contact).await);
        turn.set_timers = (0..10).map(|n| timer(&n.to_string(), at)).collect();
        bed.commit(&turn).await;
        contacts.push(contact);
    }
    bed.pass(1_000);
    let firing = (0..4).map(|_| {
        let store = bed.store.clone();
        tokio::spawn(async move {
            let mut fired = 0;
            loop {
                let now = store.fire_due_timers(70).await.unwrap();
                assert!(now <= 70);
                if now == 0 {
                    return fired;
                }
                fired += now;
            }
        })
    });
    let mut fired = 0;
    for one in firing.collect::<Vec<_>>() {
        fired += one.await.unwrap();
    }
    assert_eq!(fired, 1_000);
    for contact in contacts {
        let mut events = bed.mailbox(contact).await;
        events.sort();
        assert_eq!(events, (0..10).map(|n| format!("timer {n}")).collect::<Vec<_>>());
    }
}

pub async fn a_timer_reaches_a_full_mailbox(open: Open) {
    let caps = Caps {
        mailbox_events: 1,
        ..Caps::default()
    };
    let bed = bed_with(open, caps).await;
    let ana = bed.contact("ana").await;
    sets(&bed, ana, "idle", 1).await;
    assert_eq!(bed.say(ana, "hello").await, Ingested::New(2));
    assert_eq!(bed.say(ana, "hello").await, Ingested::MailboxFull);
    bed.pass(1);
    assert_eq!(fire(&*bed.store).await, 1);
    assert_eq!(bed.mailbox(ana).await, ["hello", "timer idle"]);
}

pub async fn a_timer_that_fires_during_a_turn_waits_for_its_end(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    sets(&bed, ana, "idle", 1).await;
    bed.say(ana, "hello").await;
    let held = turn(&bed.claim(ana).await);
    bed.pass(1);
    assert_eq!(fire(&*bed.store).await, 1);
    assert!(bed.try_claim(ana).await.is_none());
    bed.commit(&held).await;
    assert_eq!(words(&bed.claim(ana).await), ["timer idle"]);
}

async fn asks(bed: &Bed, contact: ContactId, id: &str, wait: Option<i64>) {
    bed.say(contact, "hello").await;
    let mut turn = turn(&bed.claim(contact).await);
    turn.jobs = vec![Job {
        id: JobId(id.into()),
        payload: format!("do {id}").into(),
        not_before: wait.map(|millis| bed.in_millis(millis)),
    }];
    bed.commit(&turn).await;
}

pub async fn a_job_is_done_once_and_its_result_is_an_event(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    asks(&bed, ana, "j1", None).await;
    let claim = bed.store.job_claim(LEASE).await.unwrap().unwrap();
    assert_eq!(
        (claim.id.0.as_str(), claim.attempt, claim.contact),
        ("j1", 1, ana)
    );
    assert_eq!(
        (claim.payload.as_slice(), claim.channel.as_str()),
        (&b"do j1"[..], super::bed::CHANNEL)
    );
    assert!(bed.store.job_claim(LEASE).await.unwrap().is_none());
    let big = vec![b'x'; Caps::default().event_bytes + 1];
    let refused = bed.store.job_done(&claim, big).await;
    assert!(matches!(refused, Err(StoreError::TooBig { .. })));
    assert!(bed.store.job_done(&claim, b"42".to_vec()).await.unwrap());
    assert!(!bed.store.job_done(&claim, b"42".to_vec()).await.unwrap());
    assert_eq!(words(&bed.claim(ana).await), ["42"]);
    bed.pass(LEASE.as_millis() as u64);
    assert!(bed.store.job_claim(LEASE).await.unwrap().is_none());
}

/// A claim of a job that ran out, and the one that took over.
async fn taken_over(bed: &Bed, contact: ContactId) -> (JobClaim, JobClaim) {
    asks(bed, contact, "j1", None).await;
    let zombie = bed.store.job_claim(LEASE).await.unwrap().unwrap();
    bed.pass(LEASE.as_millis() as u64);
    let heir = bed.store.job_claim(LEASE).await.unwrap().unwrap();
    (zombie, heir)
}

pub async fn a_job_of_a_dead_worker_is_claimed_again_and_the_old_claim_is_void(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    let (zombie, heir) = taken_over(&bed, ana).await;
    assert_eq!((heir.id.clone(), heir.attempt), (zombie.id.clone(), 2));
    assert_ne!(heir.nonce, zombie.nonce);
    assert!(!bed.store.job_done(&zombie, b"late".to_vec()).await.unwrap());
    assert!(bed.mailbox(ana).await.is_empty());
    assert!(bed.store.job_done(&heir, b"42".to_vec()).await.unwrap());
    assert_eq!(bed.mailbox(ana).await, ["42"]);
}

pub async fn a_job_that_takes_long_stays_with_the_worker_that_keeps_its_claim(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    asks(&bed, ana, "j1", None).await;
    let lease = LEASE.as_millis() as u64;
    let claim = bed.store.job_claim(LEASE).await.unwrap().unwrap();
    for _ in 0..5 {
        bed.pass(lease - 1);
        assert!(bed.store.job_claim(LEASE).await.unwrap().is_none());
        assert!(bed.store.job_renew(&claim, LEASE).await.unwrap());
    }
    // It ran out and nobody took it: it is still the holder's.
    bed.pass(lease + 1);
    assert!(bed.store.job_renew(&claim, LEASE).await.unwrap());
    assert!(bed.store.job_claim(LEASE).await.unwrap().is_none());
    assert!(bed.store.job_done(&claim, b"42".to_vec()).await.unwrap());
    assert_eq!(bed.mailbox(ana).await, ["42"]);
    assert!(!bed.store.job_renew(&claim, LEASE).await.unwrap(), "it is done");
    bed.pass(lease);
    assert!(bed.store.job_claim(LEASE).await.unwrap().is_none());
}

pub async fn a_claim_that_was_lost_is_not_kept(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    let (zombie, heir) = taken_over(&bed, ana).await;
    bed.pass(1);
    assert!(!bed.store.job_renew(&zombie, LEASE * 2).await.unwrap());
    assert!(!bed.store.job_renew(&zombie, Duration::ZERO).await.unwrap());
    assert!(!bed.store.job_done(&zombie, b"late".to_vec()).await.unwrap());
    // Neither did it change when the heir's own claim ends.
    bed.pass(LEASE.as_millis() as u64 - 2);
    assert!(bed.store.job_claim(LEASE).await.unwrap().is_none());
    bed.pass(1);
    let third = bed.store.job_claim(LEASE).await.unwrap().unwrap();
    assert_eq!((third.id, third.attempt), (heir.id, 3));
}

pub async fn a_job_that_is_given_back_is_taken_at_once(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    asks(&bed, ana, "j1", None).await;
    let first = bed.store.job_claim(LEASE).await.unwrap().unwrap();
    assert!(bed.store.job_renew(&first, Duration::ZERO).await.unwrap());
    assert_eq!(bed.store.due(Due::Job, 10).await.unwrap(), [ana]);
    let second = bed.store.job_claim(LEASE).await.unwrap().unwrap();
    assert_eq!(second.attempt, 2);
    assert!(!bed.store.job_done(&first, b"late".to_vec()).await.unwrap());
    assert!(bed.store.job_done(&second, b"42".to_vec()).await.unwrap());
    assert_eq!(bed.mailbox(ana).await, ["42"]);
}

pub async fn a_job_is_asked_for_once(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    asks(&bed, ana, "j1", None).await;
    asks(&bed, ana, "j1", None).await;
    assert!(bed.store.job_claim(LEASE).await.unwrap().is_some());
    assert!(bed.store.job_claim(LEASE).await.unwrap().is_none());
}

pub async fn a_job_waits_for_its_time(open: Open) {
    let bed = bed(open).await;
    let (ana, budi) = (bed.contact("ana").await, bed.contact("budi").await);
    asks(&bed, ana, "later", Some(2_000)).await;
    asks(&bed, budi, "sooner", Some(1_000)).await;
    assert_eq!(
        bed.store.next_due(Due::Job).await.unwrap(),
        Some(bed.in_millis(1_000))
    );
    bed.pass(999);
    assert!(bed.store.job_claim(LEASE).await.unwrap().is_none());
    bed.pass(5_000);
    assert_eq!(bed.store.due(Due::Job, 10).await.unwrap(), [budi, ana]);
    let first = bed
        .store
        .job_claim(Duration::from_secs(1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(first.id.0, "sooner");
}

//! The lease: exclusive, fenced, passed on when its holder dies; and the events that no turn survives.

use std::time::Duration;

use switchboard::store::{Alias, CLAIM_EVENTS, Committed, Failed, Fence, Ingested, Keep, Nonce, Owner};

use super::Open;
use super::bed::{Bed, CHANNEL, LEASE, bed, message, turn, words};

pub async fn only_one_of_many_claimers_gets_the_contact(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "hello").await;
    let claimers = (0..32).map(|n| {
        let store = bed.store.clone();
        tokio::spawn(async move { store.claim(ana, Nonce(1_000 + n), LEASE).await.unwrap() })
    });
    let mut got = 0;
    for claimer in claimers.collect::<Vec<_>>() {
        got += usize::from(claimer.await.unwrap().is_some());
    }
    assert_eq!(got, 1);
}

pub async fn a_contact_that_is_not_due_cannot_be_claimed(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    assert!(bed.try_claim(ana).await.is_none());
    let nobody = "00112233445566778899aabbccddeeff".parse().unwrap();
    assert!(bed.try_claim(nobody).await.is_none());
    assert!(bed.store.peek(nobody).await.unwrap().is_none());
}

pub async fn the_same_nonce_gets_the_same_claim_again(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "hello").await;
    let first = bed.store.claim(ana, Nonce(7), LEASE).await.unwrap();
    bed.pass(5);
    assert_eq!(bed.store.claim(ana, Nonce(7), LEASE).await.unwrap(), first);
    assert!(bed.store.claim(ana, Nonce(8), LEASE).await.unwrap().is_none());
}

pub async fn who_brings_an_event_gets_the_claim_in_the_same_step(open: Open) {
    let bed = bed(open).await;
    let aliases: Vec<Alias> = (0..6).map(|n| Alias(format!("phone:ana-{n}"))).collect();
    let resolved = bed.store.resolve_alias(CHANNEL, &aliases[0], &aliases[1..]).await;
    let ana = resolved.unwrap().contact();
    // With a session, a memory and an owner from before.
    bed.say(ana, "good morning").await;
    let mut before = turn(&bed.claim(ana).await);
    before.session = Keep::Write(b"the session".to_vec());
    before.memory = Keep::Write(b"\0\xff".to_vec());
    before.owner = Some(Owner::Human);
    bed.commit(&before).await;

    let hello = message(ana, "1", "hello");
    let together = bed
        .store
        .ingest_then_claim(std::slice::from_ref(&hello), Nonce(7), LEASE);
    let (outcomes, claim) = together.await.unwrap();
    assert_eq!(outcomes, [Ingested::New(2)]);
    let claim = claim.expect("it is due at once and nobody holds it");
    assert_eq!(words(&claim), ["hello"]);
    assert_eq!(claim.owner, Owner::Human);
    assert_eq!(claim.aliases, aliases);
    assert!(claim.fence > before.fence);
    // It is a claim like any other.
    let again = bed.store.claim(ana, Nonce(7), LEASE).await.unwrap();
    assert_eq!(again.as_ref(), Some(&claim));
    assert!(bed.try_claim(ana).await.is_none());

    // What comes meanwhile waits for its end, and what was seen is no news.
    let more = [hello, message(ana, "2", "more")];
    let (outcomes, none) = bed.store.ingest_then_claim(&more, Nonce(8), LEASE).await.unwrap();
    assert_eq!(outcomes, [Ingested::Duplicate, Ingested::New(3)]);
    assert_eq!(none, None);
    bed.commit(&turn(&claim)).await;
    let next = bed.claim(ana).await;
    assert_eq!(words(&next), ["more"]);
    bed.commit(&turn(&next)).await;

    // Who dies with it is fenced, as after any claim.
    let last = [message(ana, "3", "last")];
    let (_, zombie) = bed.store.ingest_then_claim(&last, Nonce(9), LEASE).await.unwrap();
    bed.pass(LEASE.as_millis() as u64);
    let heir = bed.claim(ana).await;
    assert_eq!(words(&heir), ["last"]);
    let late = bed.store.commit(&turn(&zombie.expect("a claim"))).await.unwrap();
    assert_eq!(late, Committed::Fenced);
    bed.commit(&turn(&heir)).await;
}

pub async fn who_brings_an_event_of_a_contact_that_is_not_due_only_stores_it(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    let mut slow = message(ana, "1", "one of several");
    slow.quiet = Duration::from_secs(2);
    slow.quiet_max = Duration::from_secs(10);
    let (outcomes, none) = bed
        .store
        .ingest_then_claim(&[slow], Nonce(7), LEASE)
        .await
        .unwrap();
    assert_eq!((outcomes, none), (vec![Ingested::New(1)], None));
    bed.pass(2_000);
    let claim = bed.claim(ana).await;
    bed.store.fail(ana, claim.fence, claim.nonce, "no").await.unwrap();

    // New events do not shorten the rest after a failure.
    let hello = [message(ana, "2", "hello")];
    let (outcomes, none) = bed
        .store
        .ingest_then_claim(&hello, Nonce(8), LEASE)
        .await
        .unwrap();
    assert_eq!((outcomes, none), (vec![Ingested::New(2)], None));
    assert!(bed.try_claim(ana).await.is_none());
    bed.pass(1_000);
    assert_eq!(words(&bed.claim(ana).await), ["one of several", "hello"]);

    let (outcomes, none) = bed.store.ingest_then_claim(&[], Nonce(9), LEASE).await.unwrap();
    assert_eq!((outcomes, none), (vec![], None));
}

pub async fn an_expired_lease_can_be_taken_and_the_old_holder_is_fenced(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "hello").await;
    let zombie = bed.claim(ana).await;
    bed.pass(LEASE.as_millis() as u64 - 1);
    assert!(bed.try_claim(ana).await.is_none());
    bed.pass(1);
    let heir = bed.claim(ana).await;
    assert!(heir.fence > zombie.fence);
    assert_eq!(heir.events, zombie.events);
    assert_eq!(bed.store.commit(&turn(&zombie)).await.unwrap(), Committed::Fenced);
    let failed = bed
        .store
        .fail(ana, zombie.fence, zombie.nonce, "late")
        .await
        .unwrap();
    assert_eq!(failed, Failed::Fenced);
    bed.commit(&turn(&heir)).await;
    assert_eq!(bed.store.commit(&turn(&zombie)).await.unwrap(), Committed::Fenced);
}

pub async fn a_fence_number_is_nothing_without_its_nonce(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "hello").await;
    let claim = bed.claim(ana).await;
    let mut forged = turn(&claim);
    forged.nonce = Nonce(claim.nonce.0 ^ 1);
    assert_eq!(bed.store.commit(&forged).await.unwrap(), Committed::Fenced);
    let failed = bed.store.fail(ana, claim.fence, forged.nonce, "x").await.unwrap();
    assert_eq!(failed, Failed::Fenced);
    let mut future = turn(&claim);
    future.fence = Fence(claim.fence.0 + 1);
    assert_eq!(bed.store.commit(&future).await.unwrap(), Committed::Fenced);
    bed.commit(&turn(&claim)).await;
}

pub async fn a_claim_takes_a_bounded_number_of_events(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    for n in 0..CLAIM_EVENTS + 5 {
        bed.say(ana, &n.to_string()).await;
    }
    assert_eq!(bed.mailbox(ana).await.len(), CLAIM_EVENTS + 5);
    let claim = bed.claim(ana).await;
    assert_eq!(claim.events.len(), CLAIM_EVENTS);
    bed.commit(&turn(&claim)).await;
    assert_eq!(bed.claim(ana).await.events.len(), 5);
}

async fn dies_holding(bed: &Bed, contact: switchboard::store::ContactId) -> Vec<String> {
    let claim = bed.claim(contact).await;
    bed.pass(LEASE.as_millis() as u64);
    words(&claim)
}

pub async fn an_event_that_kills_its_worker_three_times_is_parked(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "poison").await;
    bed.say(ana, "hello").await;
    for _ in 0..3 {
        assert_eq!(dies_holding(&bed, ana).await, ["poison", "hello"]);
    }
    let claim = bed.claim(ana).await;
    assert_eq!(words(&claim), ["hello"]);
    let parked = bed.store.parked(10).await.unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!((parked[0].contact, parked[0].seq), (ana, 1));
    bed.commit(&turn(&claim)).await;
    // The only event of a mailbox is parked too, and then nothing is left to claim.
    bed.say(ana, "poison again").await;
    for _ in 0..3 {
        dies_holding(&bed, ana).await;
    }
    assert!(bed.try_claim(ana).await.is_none());
    let parked = bed.store.parked(10).await.unwrap();
    assert_eq!(
        parked.iter().map(|parked| parked.seq).collect::<Vec<_>>(),
        [3, 1],
        "newest first"
    );
    assert_eq!(bed.say(ana, "still here").await, Ingested::New(4));
    bed.claim(ana).await;
}

pub async fn a_turn_that_fails_backs_off_and_is_parked_the_third_time(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "poison").await;
    bed.say(ana, "hello").await;
    for (failures, rest) in [(0, 1_000), (1, 10_000)] {
        let claim = bed.claim(ana).await;
        assert_eq!(claim.failures, failures);
        let failed = bed
            .store
            .fail(ana, claim.fence, claim.nonce, "it broke")
            .await
            .unwrap();
        assert_eq!(failed, Failed::RetryAt(bed.in_millis(rest)));
        bed.pass(rest as u64 - 1);
        assert!(bed.try_claim(ana).await.is_none());
        bed.pass(1);
    }
    let claim = bed.claim(ana).await;
    let failed = bed
        .store
        .fail(ana, claim.fence, claim.nonce, "it broke for good")
        .await
        .unwrap();
    assert_eq!(failed, Failed::Parked(1));
    let parked = bed.store.parked(10).await.unwrap();
    assert_eq!(
        (parked[0].contact, parked[0].seq, parked[0].why.as_str()),
        (ana, 1, "it broke for good")
    );
    let next = bed.claim(ana).await;
    assert_eq!((words(&next), next.failures), (vec!["hello".to_owned()], 0));
}

pub async fn a_repeated_fail_counts_once(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "poison").await;
    let claim = bed.claim(ana).await;
    let first = bed
        .store
        .fail(ana, claim.fence, claim.nonce, "it broke")
        .await
        .unwrap();
    bed.pass(100);
    assert_eq!(
        bed.store
            .fail(ana, claim.fence, claim.nonce, "it broke")
            .await
            .unwrap(),
        first
    );
    assert_eq!(bed.store.commit(&turn(&claim)).await.unwrap(), Committed::Fenced);
    bed.pass(900);
    assert_eq!(bed.claim(ana).await.failures, 1);
}

pub async fn new_events_do_not_shorten_the_back_off(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "poison").await;
    let claim = bed.claim(ana).await;
    bed.store
        .fail(ana, claim.fence, claim.nonce, "it broke")
        .await
        .unwrap();
    bed.pass(500);
    bed.say(ana, "are you there?").await;
    assert!(bed.try_claim(ana).await.is_none());
    bed.pass(500);
    assert_eq!(bed.claim(ana).await.events.len(), 2);
}

pub async fn a_turn_that_succeeds_forgets_earlier_failures(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    for _ in 0..4 {
        bed.say(ana, "hello").await;
        let claim = bed.claim(ana).await;
        assert_eq!(claim.failures, 0);
        bed.store
            .fail(ana, claim.fence, claim.nonce, "it broke")
            .await
            .unwrap();
        bed.pass(1_000);
        let _crashed = bed.claim(ana).await;
        bed.pass(LEASE.as_millis() as u64);
        let claim = bed.claim(ana).await;
        assert_eq!(claim.failures, 1);
        bed.commit(&turn(&claim)).await;
        bed.pass(Duration::from_secs(1).as_millis() as u64);
    }
    assert!(bed.store.parked(10).await.unwrap().is_empty());
}

//! What was put aside: it can be read, comes back once, and never grows without end.

use std::time::Duration;

use switchboard::store::{Caps, ContactId, Failed, ParkedId, Retention, Stays};

use super::Open;
use super::bed::{Bed, CHANNEL, bed, bed_with, turn, words};

/// This is said, and no turn survives it.
pub async fn poison(bed: &Bed, contact: ContactId, said: &str) {
    bed.say(contact, said).await;
    loop {
        let claim = bed.claim(contact).await;
        let failed = bed
            .store
            .fail(contact, claim.fence, claim.nonce, "the engine gave up")
            .await;
        match failed.unwrap() {
            Failed::RetryAt(_) => bed.pass(10_000),
            Failed::Parked(_) => return,
            Failed::Fenced => panic!("nobody else has it"),
        }
    }
}

async fn said_of(bed: &Bed) -> Vec<String> {
    let parked = bed.store.parked(100).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    parked.into_iter().map(|one| text(one.payload)).collect()
}

pub async fn what_was_put_aside_can_be_read_newest_first(open: Open) {
    let bed = bed(open).await;
    let (ana, budi) = (bed.contact("ana").await, bed.contact("budi").await);
    poison(&bed, ana, "one").await;
    bed.pass(5);
    poison(&bed, budi, "two \0").await;
    let parked = bed.store.parked(10).await.unwrap();
    let newest = &parked[0];
    assert_eq!((newest.contact, newest.channel.as_str()), (budi, CHANNEL));
    assert_eq!((newest.seq, newest.payload.as_slice()), (1, &b"two \0"[..]));
    assert_eq!(
        (newest.at, newest.why.as_str()),
        (bed.store.now(), "the engine gave up")
    );
    assert_eq!(newest.id.contact(), Some(budi));
    assert_eq!(parked[1].contact, ana);
    assert_ne!(parked[0].id, parked[1].id);
    assert_eq!(bed.store.parked(1).await.unwrap(), parked[..1]);
}

pub async fn a_parked_event_comes_back_once(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    poison(&bed, ana, "poison").await;
    bed.say(ana, "next").await;
    let id = bed.store.parked(10).await.unwrap()[0].id.clone();
    assert!(bed.store.unpark(&id).await.unwrap());
    assert!(!bed.store.unpark(&id).await.unwrap());
    assert!(!bed.store.discard(&id).await.unwrap());
    assert!(bed.store.parked(10).await.unwrap().is_empty());
    let claim = bed.claim(ana).await;
    assert_eq!(words(&claim), ["next", "poison"], "at the end");
    assert_eq!(claim.events[1].seq, 3, "as a new event");
    assert_eq!(claim.failures, 0);
    bed.commit(&turn(&claim)).await;
}

pub async fn a_parked_event_wakes_a_contact_that_rests_and_a_full_mailbox_takes_it(open: Open) {
    let caps = Caps {
        mailbox_events: 1,
        ..Caps::default()
    };
    let bed = bed_with(open, caps).await;
    let (ana, budi) = (bed.contact("ana").await, bed.contact("budi").await);
    for contact in [ana, budi] {
        poison(&bed, contact, "poison").await;
    }
    bed.say(budi, "next").await;
    assert!(bed.try_claim(ana).await.is_none());
    for parked in bed.store.parked(10).await.unwrap() {
        assert!(bed.store.unpark(&parked.id).await.unwrap());
    }
    assert_eq!(words(&bed.claim(ana).await), ["poison"]);
    assert_eq!(words(&bed.claim(budi).await), ["next", "poison"]);
}

pub async fn a_parked_event_can_be_forgotten(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    poison(&bed, ana, "poison").await;
    let id = bed.store.parked(10).await.unwrap()[0].id.clone();
    assert!(bed.store.discard(&id).await.unwrap());
    assert!(!bed.store.discard(&id).await.unwrap());
    assert!(!bed.store.unpark(&id).await.unwrap());
    for nobody in ["", "x", "00112233445566778899aabbccddeeff.1"] {
        assert!(!bed.store.unpark(&ParkedId(nobody.into())).await.unwrap());
        assert!(!bed.store.discard(&ParkedId(nobody.into())).await.unwrap());
    }
    assert!(bed.try_claim(ana).await.is_none());
}

pub async fn beyond_the_cap_the_oldest_parked_event_goes_and_is_counted(open: Open) {
    let caps = Caps {
        parked_events: 2,
        ..Caps::default()
    };
    let bed = bed_with(open, caps).await;
    let ana = bed.contact("ana").await;
    for said in ["1", "2", "3", "4"] {
        poison(&bed, ana, said).await;
    }
    assert_eq!(said_of(&bed).await, ["4", "3"]);
    let stats = bed.store.stats().await.unwrap();
    assert_eq!((stats.parked, stats.parked_dropped), (2, 2));
}

pub async fn what_could_not_be_read_is_kept_once_and_can_be_forgotten(open: Open) {
    let bed = bed(open).await;
    bed.store
        .quarantine(CHANNEL, b"{\xff\0", "not JSON")
        .await
        .unwrap();
    bed.pass(5);
    bed.store
        .quarantine(CHANNEL, b"{", "its end is missing")
        .await
        .unwrap();
    bed.store
        .quarantine("number-two", b"{", "its end is missing")
        .await
        .unwrap();
    bed.pass(5);
    bed.store
        .quarantine(CHANNEL, b"{\xff\0", "not JSON")
        .await
        .unwrap();
    let kept = bed.store.quarantined(10).await.unwrap();
    assert_eq!(kept.len(), 3);
    let newest = &kept[0];
    assert_eq!(
        (newest.raw.0.as_slice(), newest.at),
        (&b"{\xff\0"[..], bed.store.now())
    );
    assert_eq!(
        (newest.channel.as_str(), newest.why.as_str()),
        (CHANNEL, "not JSON")
    );
    assert_eq!(bed.store.quarantined(1).await.unwrap(), kept[..1]);
    assert!(bed.store.discard_quarantined(&newest.id).await.unwrap());
    assert!(!bed.store.discard_quarantined(&newest.id).await.unwrap());
    assert_eq!(bed.store.quarantined(10).await.unwrap(), kept[1..]);
}

pub const KEEP: Retention = Retention {
    history: Duration::from_secs(90 * 24 * 3600),
    memory: Duration::from_secs(365 * 24 * 3600),
    dead: Duration::from_secs(14 * 24 * 3600),
    stays: Stays(|_| None),
};

pub async fn what_was_put_aside_is_forgotten_after_its_time(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    poison(&bed, ana, "old").await;
    bed.store.quarantine(CHANNEL, b"old", "not JSON").await.unwrap();
    bed.pass(KEEP.dead.as_millis() as u64);
    poison(&bed, ana, "young").await;
    bed.store.quarantine(CHANNEL, b"young", "not JSON").await.unwrap();
    bed.pass(1);
    let trimmed = bed.store.trim(None, &KEEP, 100).await.unwrap();
    assert_eq!((trimmed.parked, trimmed.quarantined, trimmed.next), (1, 1, None));
    assert_eq!(said_of(&bed).await, ["young"]);
    assert_eq!(bed.store.quarantined(10).await.unwrap()[0].raw.0, b"young");
}

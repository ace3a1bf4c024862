//! Events that come in: once, in order, bounded, and answered after the quiet time.

use std::time::Duration;

use switchboard::store::{Alias, Caps, ContactId, Due, Ingest, Ingested, Keep, Resolved, StoreError};

use super::Open;
use super::bed::{CHANNEL, bed, bed_with, message, turn};

pub async fn an_id_that_was_seen_changes_nothing(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    assert_eq!(
        bed.ingest(message(ana, "wamid.1", "hello")).await,
        Ingested::New(1)
    );
    assert_eq!(
        bed.ingest(message(ana, "wamid.1", "hello")).await,
        Ingested::Duplicate
    );
    bed.commit(&turn(&bed.claim(ana).await)).await;
    assert_eq!(
        bed.ingest(message(ana, "wamid.1", "hello")).await,
        Ingested::Duplicate
    );
    assert!(bed.mailbox(ana).await.is_empty());
    assert!(bed.try_claim(ana).await.is_none());
    let budi = bed.contact("budi").await;
    let same_id_of_another = bed.ingest(message(budi, "wamid.1", "hello")).await;
    assert_eq!(same_id_of_another, Ingested::New(1));
}

pub async fn of_64_deliveries_at_once_one_counts(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    let deliveries = (0..64).map(|_| {
        let store = bed.store.clone();
        tokio::spawn(async move { store.ingest(&[message(ana, "wamid.1", "hello")]).await.unwrap()[0] })
    });
    let mut outcomes = Vec::new();
    for delivery in deliveries.collect::<Vec<_>>() {
        outcomes.push(delivery.await.unwrap());
    }
    let new = outcomes
        .iter()
        .filter(|outcome| **outcome == Ingested::New(1))
        .count();
    let seen = outcomes
        .iter()
        .filter(|outcome| **outcome == Ingested::Duplicate)
        .count();
    assert_eq!((new, seen), (1, 63));
    assert_eq!(bed.mailbox(ana).await, ["hello"]);
}

pub async fn an_id_is_forgotten_after_its_time(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.ingest(message(ana, "wamid.1", "hello")).await;
    let kept = Caps::default().dedup_for.as_millis() as u64;
    bed.pass(kept - 60_000);
    assert_eq!(
        bed.ingest(message(ana, "wamid.1", "hello")).await,
        Ingested::Duplicate
    );
    bed.pass(60_000);
    assert_eq!(
        bed.ingest(message(ana, "wamid.1", "hello")).await,
        Ingested::New(2)
    );
    assert_eq!(
        bed.ingest(message(ana, "wamid.1", "hello")).await,
        Ingested::Duplicate
    );
}

pub async fn an_id_is_forgotten_when_enough_newer_ones_came(open: Open) {
    let caps = Caps {
        dedup_ids: 4,
        ..Caps::default()
    };
    let bed = bed_with(open, caps).await;
    let ana = bed.contact("ana").await;
    for n in 1..=5 {
        bed.pass(1);
        assert_eq!(
            bed.ingest(message(ana, &format!("wamid.{n}"), "hello")).await,
            Ingested::New(n)
        );
    }
    for n in 2..=5 {
        assert_eq!(
            bed.ingest(message(ana, &format!("wamid.{n}"), "hello")).await,
            Ingested::Duplicate
        );
    }
    assert_eq!(
        bed.ingest(message(ana, "wamid.1", "hello")).await,
        Ingested::New(6)
    );
}

pub async fn a_batch_keeps_its_order_and_answers_in_it(open: Open) {
    let bed = bed(open).await;
    let (ana, budi) = (bed.contact("ana").await, bed.contact("budi").await);
    let batch = [
        message(ana, "1", "one"),
        message(budi, "2", "two"),
        message(ana, "1", "one again"),
        message(ana, "3", "three"),
    ];
    let outcomes = bed.store.ingest(&batch).await.unwrap();
    let expected = [
        Ingested::New(1),
        Ingested::New(1),
        Ingested::Duplicate,
        Ingested::New(2),
    ];
    assert_eq!(outcomes, expected);
    assert_eq!(bed.mailbox(ana).await, ["one", "three"]);
    assert_eq!(bed.mailbox(budi).await, ["two"]);
}

pub async fn events_of_8_producers_keep_each_producers_order(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    let producers = (0..8).map(|producer| {
        let store = bed.store.clone();
        tokio::spawn(async move {
            for n in 0..25 {
                let name = format!("{producer}/{n:02}");
                store.ingest(&[message(ana, &name, &name)]).await.unwrap();
            }
        })
    });
    for producer in producers.collect::<Vec<_>>() {
        producer.await.unwrap();
    }
    let claim = bed.store.peek(ana).await.unwrap().unwrap();
    let seqs: Vec<u64> = claim.events.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=200).collect::<Vec<u64>>());
    for producer in 0..8 {
        let all = bed.mailbox(ana).await;
        let own: Vec<_> = all
            .iter()
            .filter(|name| name.starts_with(&format!("{producer}/")))
            .collect();
        assert!(own.is_sorted() && own.len() == 25, "{own:?}");
    }
}

pub async fn a_full_mailbox_says_so_and_takes_events_again_later(open: Open) {
    let caps = Caps {
        mailbox_events: 3,
        ..Caps::default()
    };
    let bed = bed_with(open, caps).await;
    let ana = bed.contact("ana").await;
    for n in 1..=3 {
        assert_eq!(bed.say(ana, "hello").await, Ingested::New(n));
    }
    assert_eq!(bed.say(ana, "hello").await, Ingested::MailboxFull);
    assert_eq!(bed.mailbox(ana).await.len(), 3);
    bed.commit(&turn(&bed.claim(ana).await)).await;
    assert_eq!(bed.say(ana, "hello").await, Ingested::New(4));
}

pub async fn a_refused_event_can_be_delivered_again(open: Open) {
    let caps = Caps {
        mailbox_events: 1,
        ..Caps::default()
    };
    let bed = bed_with(open, caps).await;
    let ana = bed.contact("ana").await;
    bed.ingest(message(ana, "1", "one")).await;
    assert_eq!(bed.ingest(message(ana, "2", "two")).await, Ingested::MailboxFull);
    bed.commit(&turn(&bed.claim(ana).await)).await;
    assert_eq!(bed.ingest(message(ana, "2", "two")).await, Ingested::New(2));
}

pub async fn an_event_over_the_cap_refuses_the_whole_batch(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    let mut big = message(ana, "2", "");
    big.payload = vec![b'x'; Caps::default().event_bytes + 1];
    let refused = bed.store.ingest(&[message(ana, "1", "one"), big.clone()]).await;
    assert!(matches!(refused, Err(StoreError::TooBig { .. })), "{refused:?}");
    assert!(bed.mailbox(ana).await.is_empty());
    big.payload.pop();
    assert_eq!(bed.ingest(big).await, Ingested::New(1));
}

fn patient(contact: ContactId, id: &str) -> Ingest {
    Ingest {
        quiet: Duration::from_secs(1),
        quiet_max: Duration::from_secs(3),
        ..message(contact, id, id)
    }
}

pub async fn a_burst_is_answered_after_quiet_and_no_later_than_its_cap(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    let start = bed.store.now();
    let mut due = Vec::new();
    for n in 0..8 {
        bed.ingest(patient(ana, &n.to_string())).await;
        let at = bed.store.next_due(Due::Run).await.unwrap().unwrap();
        due.push(at.as_millisecond() - start.as_millisecond());
        bed.pass(600);
    }
    assert_eq!(due, [1_000, 1_600, 2_200, 2_800, 3_000, 3_000, 3_000, 3_000]);
    assert_eq!(bed.claim(ana).await.events.len(), 8);
}

pub async fn without_quiet_a_contact_is_due_at_once(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "hello").await;
    assert_eq!(bed.store.due(Due::Run, 10).await.unwrap(), [ana]);
}

pub async fn an_urgent_event_ends_the_quiet_time(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.ingest(patient(ana, "1")).await;
    assert!(bed.try_claim(ana).await.is_none());
    bed.ingest(message(ana, "2", "now")).await;
    assert_eq!(bed.claim(ana).await.events.len(), 2);
}

pub async fn aliases_lead_to_one_contact_in_the_order_learned(open: Open) {
    let bed = bed(open).await;
    let (phone, bsuid, lid) = (alias("phone:1"), alias("bsuid:1"), alias("lid:1"));
    let resolve =
        async |one: &Alias, also: &[Alias]| bed.store.resolve_alias(CHANNEL, one, also).await.unwrap();
    let Resolved::Created(ana) = resolve(&bsuid, std::slice::from_ref(&phone)).await else {
        panic!("it is new");
    };
    assert_eq!(resolve(&phone, &[]).await, Resolved::Found(ana));
    assert_eq!(
        resolve(&lid, std::slice::from_ref(&bsuid)).await,
        Resolved::Found(ana)
    );
    assert_eq!(resolve(&lid, &[]).await, Resolved::Found(ana));
    let known = bed.store.peek(ana).await.unwrap().unwrap();
    assert_eq!(known.aliases, [bsuid, phone.clone(), lid]);
    assert_eq!(known.channel, CHANNEL);
    let elsewhere = bed.store.resolve_alias("number-two", &phone, &[]).await.unwrap();
    assert!(matches!(elsewhere, Resolved::Created(other) if other != ana));
}

pub async fn a_clash_of_aliases_is_said_and_links_nothing(open: Open) {
    let bed = bed(open).await;
    let (phone, bsuid, lid) = (alias("phone:1"), alias("bsuid:1"), alias("lid:1"));
    let resolve =
        async |one: &Alias, also: &[Alias]| bed.store.resolve_alias(CHANNEL, one, also).await.unwrap();
    let first = resolve(&phone, &[]).await.contact();
    let second = resolve(&bsuid, &[]).await.contact();
    let clash = resolve(&phone, &[lid.clone(), bsuid.clone()]).await;
    assert_eq!(clash, Resolved::Clash { first, second });
    assert_eq!(clash.contact(), first);
    assert!(matches!(resolve(&lid, &[]).await, Resolved::Created(_)));
    let of_new = resolve(&alias("room:1"), &[phone, bsuid]).await;
    assert_eq!(of_new, Resolved::Clash { first, second });
}

fn alias(text: &str) -> Alias {
    Alias(text.into())
}

pub async fn bytes_come_back_as_they_went_in(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    let blobs = [
        Vec::new(),
        vec![0],
        b"\0a\0\r\n'\"%$".to_vec(),
        vec![0xff, 0xfe, 0xc3, 0x28, 0xed, 0xa0, 0x80],
        (0..64 * 1024).map(|n| (n % 251) as u8).collect(),
    ];
    for (n, blob) in blobs.iter().enumerate() {
        let mut event = message(ana, &format!("id {n}\0\u{202e}"), "");
        event.payload = blob.clone();
        event.history = Some(blob.clone());
        assert!(matches!(bed.ingest(event).await, Ingested::New(_)));
        let claim = bed.claim(ana).await;
        assert_eq!(&claim.events[0].payload, blob);
        let mut turn = turn(&claim);
        turn.session = Keep::Write(blob.clone());
        turn.memory = Keep::Write(blob[..blob.len().min(32 * 1024)].to_vec());
        turn.outbox = vec![super::bed::bot(&format!("out {n}"))];
        turn.outbox[0].payload = blob.clone();
        bed.commit(&turn).await;
        let known = bed.store.peek(ana).await.unwrap().unwrap();
        assert_eq!(known.session.as_ref(), Some(blob));
        assert_eq!(known.memory.unwrap(), blob[..blob.len().min(32 * 1024)]);
        assert_eq!(&bed.send_claim(ana).await.unwrap().entry.payload, blob);
        let settled = switchboard::store::Status {
            message_id: format!("wamid {n}"),
            ours: Some(format!("out {n}")),
            rank: 1,
            state: "sent".into(),
            error: None,
            pace: None,
        };
        assert!(bed.store.reconcile(CHANNEL, &settled).await.unwrap());
        let thread = bed.store.history(ana, 2).await.unwrap();
        assert!(thread.iter().all(|line| &line.payload == blob));
    }
}

//! Contacts that go: erased for good, or merged into another; and what time forgets.

use switchboard::store::{
    Alias, Committed, ContactId, Due, Fence, Ingested, Job, JobId, Keep, Merged, Nonce, Owner, Resolved,
    SendOutcome, Status,
};

use super::Open;
use super::bed::{Bed, CHANNEL, LEASE, accepted, bed, bot, message, person, timer, turn, words};
use super::dead::{KEEP, poison};

/// A contact with something of every kind.
async fn busy(bed: &Bed, name: &str) -> ContactId {
    let (alias, also) = (Alias(format!("phone:{name}")), Alias(format!("bsuid:{name}")));
    let resolved = bed.store.resolve_alias(CHANNEL, &alias, &[also]).await;
    let contact = resolved.unwrap().contact();
    poison(bed, contact, "poison").await;
    let mut event = message(contact, "wamid.1", "hello");
    event.history = Some(b"customer: hello".to_vec());
    bed.ingest(event).await;
    let mut first = turn(&bed.claim(contact).await);
    first.session = Keep::Write(format!("session of {name}").into());
    first.memory = Keep::Write(format!("memory of {name}").into());
    first.outbox = vec![bot(&format!("{name}.1")), person(&format!("{name}.2"))];
    first.set_timers = vec![timer("idle", bed.in_millis(1_000))];
    first.jobs = vec![Job {
        id: JobId("j1".into()),
        payload: b"job".to_vec(),
        not_before: None,
    }];
    bed.commit(&first).await;
    bed.sends(contact, &format!("{name}.1")).await;
    bed.say(contact, "waiting").await;
    contact
}

/// Nothing of it can be seen any more.
async fn is_gone(bed: &Bed, contact: ContactId) {
    assert_eq!(bed.store.peek(contact).await.unwrap(), None);
    assert_eq!(bed.store.whole(contact).await.unwrap(), None);
    assert!(bed.store.history(contact, 10).await.unwrap().is_empty());
    assert!(!bed.store.contacts(100).await.unwrap().contains(&contact));
    let parked = bed.store.parked(100).await.unwrap();
    assert!(parked.iter().all(|parked| parked.contact != contact));
    bed.pass(LEASE.as_millis() as u64 + 1_000);
    for kind in [Due::Run, Due::Send, Due::Timer, Due::Job] {
        assert!(
            !bed.store.due(kind, 100).await.unwrap().contains(&contact),
            "{kind:?}"
        );
    }
    assert!(bed.try_claim(contact).await.is_none());
    assert!(bed.send_claim(contact).await.is_none());
}

pub async fn an_erased_contact_leaves_nothing(open: Open) {
    let bed = bed(open).await;
    let (ana, budi) = (busy(&bed, "628110000001").await, busy(&bed, "628110000002").await);
    let names_her = b"{\"from\": \"628110000001\", \xff";
    bed.store
        .quarantine(CHANNEL, names_her, "not JSON")
        .await
        .unwrap();
    bed.store
        .quarantine(CHANNEL, b"{\"from\": \"62811", "not JSON")
        .await
        .unwrap();
    let before = bed.store.whole(budi).await.unwrap();
    assert!(bed.store.erase(ana).await.unwrap());
    assert_eq!(
        bed.store.whole(budi).await.unwrap(),
        before,
        "others are left alone"
    );
    assert_eq!(bed.store.quarantined(10).await.unwrap().len(), 1);
    is_gone(&bed, ana).await;
    assert!(!bed.store.erase(ana).await.unwrap(), "it is not known any more");
    let status = Status {
        message_id: "wamid.628110000001.1".into(),
        ours: Some("628110000001.1".into()),
        rank: 1,
        state: "sent".into(),
        error: None,
        pace: None,
    };
    assert!(!bed.store.reconcile(CHANNEL, &status).await.unwrap());
    // Nor does it go out with an export.
    let page = bed.store.export(None, 1_000).await.unwrap();
    let text = serde_json::to_string(&page.records).unwrap();
    assert!(!text.contains("628110000001") && text.contains("628110000002"));
}

pub async fn an_erased_contact_is_not_resurrected_by_a_redelivery(open: Open) {
    let bed = bed(open).await;
    let ana = busy(&bed, "628110000001").await;
    bed.store.erase(ana).await.unwrap();
    for _ in 0..2 {
        let again = bed.contact("628110000001").await;
        assert_eq!(again, ana);
        assert_eq!(
            bed.ingest(message(ana, "wamid.1", "hello")).await,
            Ingested::Duplicate
        );
        is_gone(&bed, ana).await;
    }
    // She may come under any of her identities.
    let by_other = bed
        .store
        .resolve_alias(CHANNEL, &Alias("bsuid:628110000001".into()), &[])
        .await;
    let by_other = by_other.unwrap().contact();
    let again = bed.ingest(message(by_other, "wamid.1", "hello")).await;
    assert_eq!(again, Ingested::Duplicate);
    is_gone(&bed, by_other).await;
    // After the time that ids are kept, nobody remembers.
    bed.pass(9 * 24 * 3_600_000);
    bed.store.trim(None, &KEEP, 100).await.unwrap();
    let again = bed.contact("628110000001").await;
    assert!(matches!(
        bed.ingest(message(again, "wamid.1", "hello")).await,
        Ingested::New(_)
    ));
}

pub async fn who_writes_anew_after_an_erasure_is_a_fresh_contact(open: Open) {
    let bed = bed(open).await;
    let ana = busy(&bed, "628110000001").await;
    let before = bed.store.whole(ana).await.unwrap().unwrap();
    bed.store.erase(ana).await.unwrap();
    assert_eq!(bed.contact("628110000001").await, ana);
    let said = bed.ingest(message(ana, "wamid.new", "hello again")).await;
    assert_eq!(
        said,
        Ingested::New(before.last_seq + 1),
        "ids of messages are made of it"
    );
    let claim = bed.claim(ana).await;
    assert_eq!((&claim.session, &claim.memory), (&None, &None));
    assert_eq!(claim.aliases, [Alias("phone:628110000001".into())]);
    assert_eq!(words(&claim), ["hello again"]);
    assert!(claim.fence > Fence(before.fence));
    // What was seen before is still not news.
    assert_eq!(
        bed.ingest(message(ana, "wamid.1", "hello")).await,
        Ingested::Duplicate
    );
    bed.commit(&turn(&claim)).await;
    // And once more, with both lists.
    bed.store.erase(ana).await.unwrap();
    bed.contact("628110000001").await;
    for seen in ["wamid.1", "wamid.new"] {
        assert_eq!(
            bed.ingest(message(ana, seen, "x")).await,
            Ingested::Duplicate,
            "{seen}"
        );
    }
}

pub async fn an_erasure_fences_the_turn_in_flight(open: Open) {
    let bed = bed(open).await;
    let ana = busy(&bed, "628110000001").await;
    let claim = bed.claim(ana).await;
    let send = bed.send_claim(ana).await.unwrap();
    let job = bed.store.job_claim(LEASE).await.unwrap().unwrap();
    assert!(bed.store.erase(ana).await.unwrap());
    let mut late = turn(&claim);
    late.memory = Keep::Write(b"late".to_vec());
    assert_eq!(bed.store.commit(&late).await.unwrap(), Committed::Fenced);
    assert!(!bed.store.send_done(&send, &accepted("x")).await.unwrap());
    assert!(!bed.store.job_done(&job, b"late".to_vec()).await.unwrap());
    is_gone(&bed, ana).await;
    // Nor do they touch the fresh contact.
    bed.contact("628110000001").await;
    bed.answer(ana, vec![bot("fresh")]).await;
    let fresh = bed.send_claim(ana).await.unwrap();
    assert!(!bed.store.send_done(&send, &accepted("x")).await.unwrap());
    assert_eq!(bed.store.commit(&late).await.unwrap(), Committed::Fenced);
    assert!(bed.store.send_done(&fresh, &accepted("fresh")).await.unwrap());
    assert_eq!(bed.store.peek(ana).await.unwrap().unwrap().memory, None);
}

pub async fn merged_contacts_are_one_and_a_repeated_merge_changes_nothing(open: Open) {
    let bed = bed(open).await;
    let ana = busy(&bed, "628110000001").await;
    bed.pass(1);
    let twin = busy(&bed, "628110000002").await;
    let lines = async |contact| bed.store.history(contact, 100).await.unwrap();
    let (hers, twins) = (lines(ana).await, lines(twin).await);
    assert_eq!(bed.store.merge(twin, ana).await.unwrap(), Merged::Done);
    let once = bed.store.whole(ana).await.unwrap().unwrap();
    assert_eq!(bed.store.merge(twin, ana).await.unwrap(), Merged::Already);
    assert_eq!(bed.store.whole(ana).await.unwrap().unwrap(), once);

    for name in [
        "phone:628110000001",
        "bsuid:628110000001",
        "phone:628110000002",
        "bsuid:628110000002",
    ] {
        let found = bed
            .store
            .resolve_alias(CHANNEL, &Alias(name.into()), &[])
            .await
            .unwrap();
        assert_eq!(found, Resolved::Found(ana), "{name}");
    }
    let known = bed.store.peek(ana).await.unwrap().unwrap();
    assert_eq!(words(&known), ["waiting", "waiting"]);
    assert_eq!(known.session.as_deref(), Some(&b"session of 628110000001"[..]));
    assert_eq!(
        known.memory.as_deref(),
        Some(&b"memory of 628110000002"[..]),
        "the newer one"
    );
    let thread = lines(ana).await;
    assert_eq!(thread.len(), hers.len() + twins.len());
    assert!(thread.is_sorted_by_key(|line| line.at) && thread.is_sorted_by_key(|line| line.seq));
    assert_eq!(bed.store.parked(10).await.unwrap().len(), 2);
    for parked in bed.store.parked(10).await.unwrap() {
        assert_eq!((parked.contact, parked.id.contact()), (ana, Some(ana)));
        assert!(bed.store.unpark(&parked.id).await.unwrap());
    }
    let claim = bed.claim(ana).await;
    assert_eq!(words(&claim), ["waiting", "waiting", "poison", "poison"]);
    bed.commit(&turn(&claim)).await;
    // What either had queued leaves, and what is said of either's messages is known.
    bed.sends(ana, "628110000001.2").await;
    bed.sends(ana, "628110000002.2").await;
    let status = Status {
        message_id: "wamid.628110000002.1".into(),
        ours: Some("628110000002.1".into()),
        rank: 2,
        state: "delivered".into(),
        error: None,
        pace: None,
    };
    assert!(bed.store.reconcile(CHANNEL, &status).await.unwrap());
    assert_eq!(bed.state(ana, "628110000002.1").await, "delivered");
    is_gone(&bed, twin).await;
}

pub async fn what_is_still_delivered_for_a_merged_contact_reaches_the_one(open: Open) {
    let bed = bed(open).await;
    let (ana, twin) = (bed.contact("ana").await, bed.contact("twin").await);
    bed.ingest(message(twin, "wamid.1", "hello")).await;
    assert_eq!(bed.store.merge(twin, ana).await.unwrap(), Merged::Done);
    assert_eq!(
        bed.ingest(message(twin, "wamid.1", "hello")).await,
        Ingested::Duplicate
    );
    assert_eq!(
        bed.ingest(message(twin, "wamid.2", "more")).await,
        Ingested::New(2)
    );
    assert_eq!(words(&bed.claim(ana).await), ["hello", "more"]);
    assert_eq!(bed.store.peek(twin).await.unwrap(), None);
    // And once more, into a third.
    let third = bed.contact("third").await;
    bed.pass(LEASE.as_millis() as u64);
    assert_eq!(bed.store.merge(ana, third).await.unwrap(), Merged::Done);
    assert_eq!(
        bed.ingest(message(twin, "wamid.3", "again")).await,
        Ingested::New(3)
    );
    assert_eq!(bed.mailbox(third).await, ["hello", "more", "again"]);
}

pub async fn what_may_have_been_sent_is_still_in_doubt_after_a_merge(open: Open) {
    let bed = bed(open).await;
    let (ana, twin) = (bed.contact("ana").await, bed.contact("twin").await);
    for (contact, name) in [(twin, "twin"), (ana, "ana")] {
        bed.answer(
            contact,
            vec![bot(&format!("{name}.1")), bot(&format!("{name}.2"))],
        )
        .await;
        let claim = bed.send_claim(contact).await.unwrap();
        let doubt = SendOutcome::Uncertain {
            until: bed.in_millis(1_000),
            why: "no answer".into(),
        };
        assert!(bed.store.send_done(&claim, &doubt).await.unwrap());
    }
    assert_eq!(bed.store.merge(twin, ana).await.unwrap(), Merged::Done);
    bed.pass(1_000);
    let mut sent = Vec::new();
    for _ in 0..4 {
        let claim = bed.send_claim(ana).await.expect("there is something to send");
        assert!(
            bed.store
                .send_done(&claim, &accepted(&claim.entry.id))
                .await
                .unwrap()
        );
        sent.push((claim.entry.id, claim.uncertain, claim.doubts));
    }
    let of = |id: &str, doubts: u32| (id.to_owned(), doubts > 0, doubts);
    assert_eq!(
        sent,
        [of("ana.1", 1), of("ana.2", 0), of("twin.1", 1), of("twin.2", 0)]
    );
    assert!(bed.send_claim(ana).await.is_none());
}

pub async fn contacts_in_work_are_not_merged(open: Open) {
    let bed = bed(open).await;
    let (ana, twin) = (bed.contact("ana").await, bed.contact("twin").await);
    bed.say(ana, "hello").await;
    let claim = bed.claim(ana).await;
    assert_eq!(bed.store.merge(twin, ana).await.unwrap(), Merged::Busy);
    assert_eq!(bed.store.merge(ana, twin).await.unwrap(), Merged::Busy);
    let mut answer = turn(&claim);
    answer.outbox = vec![bot("1")];
    bed.commit(&answer).await;
    let send = bed.send_claim(ana).await.unwrap();
    assert_eq!(bed.store.merge(ana, twin).await.unwrap(), Merged::Busy);
    assert!(bed.store.send_done(&send, &accepted("1")).await.unwrap());
    assert_eq!(bed.store.merge(ana, twin).await.unwrap(), Merged::Done);
}

pub async fn what_cannot_be_merged_says_why(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    let other = bed
        .store
        .resolve_alias("number-two", &Alias("phone:ana".into()), &[])
        .await
        .unwrap()
        .contact();
    let nobody = "00112233445566778899aabbccddeeff".parse().unwrap();
    for (from, into) in [(ana, ana), (ana, other), (ana, nobody), (nobody, ana)] {
        let refused = bed.store.merge(from, into).await.unwrap();
        assert!(matches!(refused, Merged::Refused(_)), "{refused:?}");
    }
    assert!(bed.store.peek(ana).await.unwrap().is_some());
}

pub async fn if_people_have_either_chat_they_have_the_merged_one(open: Open) {
    let bed = bed(open).await;
    let (ana, twin) = (bed.contact("ana").await, bed.contact("twin").await);
    bed.answer(ana, vec![bot("1"), person("2")]).await;
    bed.store.set_owner(twin, Owner::Human).await.unwrap();
    assert_eq!(bed.store.merge(twin, ana).await.unwrap(), Merged::Done);
    assert_eq!(bed.store.peek(ana).await.unwrap().unwrap().owner, Owner::Human);
    bed.sends(ana, "2").await;
    assert_eq!(bed.state(ana, "1").await, "dropped: a person took over");
}

pub async fn time_forgets_old_lines_and_the_memory_of_the_silent(open: Open) {
    let bed = bed(open).await;
    let (ana, budi) = (busy(&bed, "ana").await, busy(&bed, "budi").await);
    for contact in [ana, budi] {
        let claim = bed.claim(contact).await;
        bed.commit(&turn(&claim)).await;
        while let Some(send) = bed.send_claim(contact).await {
            assert!(bed.store.send_done(&send, &accepted("x")).await.unwrap());
        }
    }
    let day = 24 * 3_600_000;
    bed.pass(80 * day);
    let mut event = message(budi, "later", "hello");
    event.history = Some(b"customer: later".to_vec());
    bed.ingest(event).await;
    let all = async || {
        let (mut lines, mut memories, mut after) = (0, 0, None);
        loop {
            let trimmed = bed.store.trim(after.as_ref(), &KEEP, 1).await.unwrap();
            lines += trimmed.lines;
            memories += trimmed.memories;
            after = trimmed.next;
            if after.is_none() {
                return (lines, memories);
            }
        }
    };
    assert_eq!(all().await, (0, 0));
    bed.pass(11 * day);
    let (lines, memories) = all().await;
    assert!(lines >= 6 && memories == 0, "{lines} {memories}");
    assert!(bed.store.history(ana, 100).await.unwrap().is_empty());
    assert_eq!(
        bed.store.history(budi, 100).await.unwrap()[0].payload,
        b"customer: later"
    );
    bed.pass(300 * day);
    assert_eq!(all().await.1, 1, "budi has something to be answered");
    let (hers, his) = (bed.store.peek(ana).await, bed.store.peek(budi).await);
    let (hers, his) = (hers.unwrap().unwrap(), his.unwrap().unwrap());
    assert_eq!((hers.session, hers.memory), (None, None));
    assert_eq!(hers.aliases.len(), 2, "she is known by name");
    assert!(his.memory.is_some());
    assert_eq!(all().await, (0, 0));
}

pub async fn what_must_not_be_forgotten_stays_of_a_memory(open: Open) {
    let bed = bed(open).await;
    let (ana, budi) = (busy(&bed, "ana").await, busy(&bed, "budi").await);
    for contact in [ana, budi] {
        let claim = bed.claim(contact).await;
        let mut turn = turn(&claim);
        let memory: &[u8] = if contact == ana {
            b"name=Ana;never"
        } else {
            b"name=Budi"
        };
        turn.memory = switchboard::store::Keep::Write(memory.to_vec());
        bed.commit(&turn).await;
        while let Some(send) = bed.send_claim(contact).await {
            assert!(bed.store.send_done(&send, &accepted("x")).await.unwrap());
        }
    }
    let keep = switchboard::store::Retention {
        stays: switchboard::store::Stays(|memory| memory.ends_with(b"never").then(|| b"never".to_vec())),
        ..KEEP
    };
    bed.pass(400 * 24 * 3_600_000);
    let forgot = async || bed.store.trim(None, &keep, 100).await.unwrap().memories;
    assert_eq!(forgot().await, 2);
    let memory = async |contact| bed.store.peek(contact).await.unwrap().unwrap().memory;
    assert_eq!(memory(ana).await.as_deref(), Some(&b"never"[..]));
    assert_eq!(memory(budi).await, None);
    assert_eq!(forgot().await, 0, "what stays is not forgotten again");
}

/// All records, in pages of this size.
async fn records(bed: &Bed, limit: usize) -> Vec<switchboard::store::Record> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = bed.store.export(after.as_ref(), limit).await.unwrap();
        assert!(page.records.len() <= limit);
        all.extend(page.records);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

pub async fn an_export_imported_elsewhere_is_the_same_store(open: Open) {
    let here = bed(open).await;
    let ana = busy(&here, "628110000001").await;
    let twin = busy(&here, "628110000002").await;
    let erased = busy(&here, "628110000003").await;
    let mut strange = message(ana, "strange", "");
    strange.payload = b"\0\xff{\"base64\": 1}\xfe".to_vec();
    here.ingest(strange).await;
    assert_eq!(here.store.merge(twin, ana).await.unwrap(), Merged::Done);
    here.store.erase(erased).await.unwrap();
    here.store.put_setting("live", b"\0\xff").await.unwrap();
    here.store
        .quarantine(CHANNEL, b"{\xff", "not JSON")
        .await
        .unwrap();
    here.store.set_owner(ana, Owner::Human).await.unwrap();
    let exported = records(&here, 1).await;
    assert_eq!(
        records(&here, 100).await,
        exported,
        "pages of any size hold the same"
    );

    // Through JSON, as it lies in a file.
    let lines: Vec<String> = exported
        .iter()
        .map(|record| serde_json::to_string(record).unwrap())
        .collect();
    let read: Vec<_> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(read, exported);

    let there = bed(open).await;
    there.pass((here.store.now().as_millisecond() - there.store.now().as_millisecond()) as u64);
    let imported = there.store.import(&read).await.unwrap();
    assert_eq!(imported.written, exported.len());
    assert_eq!(records(&there, 3).await, exported);
    let again = there.store.import(&read).await.unwrap();
    assert_eq!(again.written + again.same, exported.len());
    assert_eq!(
        records(&there, 3).await,
        exported,
        "a repeated import changes nothing"
    );
    // And it goes on there.
    assert_eq!(
        there.ingest(message(ana, "wamid.1", "hello")).await,
        Ingested::Duplicate
    );
    assert_eq!(
        there.ingest(message(twin, "new", "hello")).await,
        here.ingest(message(twin, "new", "hello")).await
    );
    there.contact("628110000003").await;
    assert_eq!(
        there.ingest(message(erased, "wamid.1", "hello")).await,
        Ingested::Duplicate
    );
    assert_eq!(there.claim(ana).await.events, here.claim(ana).await.events);
    there.sends(ana, "628110000001.2").await;
}

pub async fn an_import_over_another_contact_is_refused(open: Open) {
    let here = bed(open).await;
    let ana = busy(&here, "628110000001").await;
    let record = switchboard::store::Record::Contact(Box::new(here.store.whole(ana).await.unwrap().unwrap()));
    let there = bed(open).await;
    assert_eq!(there.contact("628110000001").await, ana);
    let before = there.store.whole(ana).await.unwrap();
    let refused = there
        .store
        .import(std::slice::from_ref(&record))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains(&ana.to_string()), "{refused}");
    assert_eq!(there.store.whole(ana).await.unwrap(), before);
    // An alias of another counts too.
    let elsewhere = bed(open).await;
    let other = elsewhere
        .store
        .resolve_alias(
            CHANNEL,
            &Alias("phone:other".into()),
            &[Alias("bsuid:628110000001".into())],
        )
        .await;
    let other = other.unwrap().contact();
    let refused = elsewhere.store.import(&[record]).await.unwrap_err();
    assert!(refused.to_string().contains(&other.to_string()), "{refused}");
    assert_eq!(elsewhere.store.peek(ana).await.unwrap(), None);
}

pub async fn what_is_in_work_goes_out_as_if_its_holder_had_died(open: Open) {
    let here = bed(open).await;
    let ana = busy(&here, "628110000001").await;
    here.claim(ana).await;
    let send = here.send_claim(ana).await.unwrap();
    let exported = records(&here, 10).await;
    let there = bed(open).await;
    there.pass((here.store.now().as_millisecond() - there.store.now().as_millisecond()) as u64);
    there.store.import(&exported).await.unwrap();
    assert!(there.try_claim(ana).await.is_none() && there.send_claim(ana).await.is_none());
    there.pass(LEASE.as_millis() as u64);
    assert_eq!(words(&there.claim(ana).await), ["waiting"]);
    let again = there.send_claim(ana).await.unwrap();
    assert_eq!((again.entry, again.uncertain), (send.entry, true));
}

pub async fn the_counts_are_of_what_is_there(open: Open) {
    let bed = bed(open).await;
    let empty = bed.store.stats().await.unwrap();
    assert_eq!(
        (
            empty.contacts,
            empty.waiting,
            empty.outbox,
            empty.timers,
            empty.jobs
        ),
        (0, 0, 0, 0, 0)
    );
    assert_eq!(
        (empty.oldest_due, empty.oldest_send, empty.leases_lost),
        (None, None, 0)
    );
    busy(&bed, "ana").await;
    busy(&bed, "budi").await;
    bed.store.quarantine(CHANNEL, b"{", "not JSON").await.unwrap();
    let since = bed.store.now();
    bed.pass(500);
    let stats = bed.store.stats().await.unwrap();
    assert_eq!((stats.contacts, stats.waiting, stats.outbox), (2, 2, 2));
    assert_eq!((stats.timers, stats.jobs), (2, 2));
    assert_eq!((stats.parked, stats.parked_dropped, stats.quarantined), (2, 0, 1));
    assert!(stats.oldest_due.is_some_and(|at| at <= since), "{stats:?}");
    assert!(stats.oldest_send.is_some_and(|at| at <= since), "{stats:?}");
    for contact in bed.store.contacts(10).await.unwrap() {
        bed.store
            .claim(contact, Nonce(bed.fresh()), LEASE)
            .await
            .unwrap()
            .unwrap();
    }
    assert_eq!(
        bed.store.stats().await.unwrap().oldest_due,
        None,
        "all are in work"
    );
    bed.pass(LEASE.as_millis() as u64);
    for contact in bed.store.contacts(10).await.unwrap() {
        bed.claim(contact).await;
    }
    assert_eq!(bed.store.stats().await.unwrap().leases_lost, 2);
}

pub async fn a_walk_in_steps_meets_every_contact_once(open: Open) {
    let bed = bed(open).await;
    let mut all = Vec::new();
    for n in 0..23 {
        all.push(bed.contact(&format!("62811000{n:04}")).await);
    }
    let gone = all.remove(7);
    assert!(bed.store.erase(gone).await.unwrap());
    all.sort();
    for limit in [1, 5, 22, 23, 100] {
        let (mut met, mut after) = (Vec::new(), None);
        loop {
            let step = bed.store.contacts_after(after, limit).await.unwrap();
            assert!(step.len() <= limit);
            let last = step.len() < limit;
            after = step.last().copied().or(after);
            met.extend(step);
            if last {
                break;
            }
        }
        assert_eq!(met, all, "{limit} at a time");
    }
    assert!(
        bed.store
            .contacts_after(all.last().copied(), 5)
            .await
            .unwrap()
            .is_empty()
    );
}

pub async fn a_walk_goes_on_after_reopening(open: Open) {
    let mut bed = bed(open).await;
    let mut all = Vec::new();
    for n in 0..12 {
        all.push(bed.contact(&format!("62811000{n:04}")).await);
    }
    all.sort();
    let mut met = bed.store.contacts_after(None, 5).await.unwrap();
    assert_eq!(met.len(), 5);
    // Whoever walks on knows nothing but the last one that was met.
    bed.reopen().await;
    loop {
        let step = bed.store.contacts_after(met.last().copied(), 5).await.unwrap();
        let last = step.len() < 5;
        met.extend(step);
        if last {
            break;
        }
    }
    assert_eq!(met, all);
}

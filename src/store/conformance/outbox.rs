//! Sending: in order, one at a time, and never a doubt that is not written down.

use switchboard::store::{Caps, Committed, Due, SendClaim, SendOutcome, Status};

use super::Open;
use super::bed::{CHANNEL, LEASE, accepted, bed, bed_with, bot, message, turn};

pub async fn messages_leave_in_order_one_at_a_time(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    assert!(bed.send_claim(ana).await.is_none());
    bed.answer(ana, vec![bot("1"), bot("2")]).await;
    bed.answer(ana, vec![bot("3")]).await;
    let first = bed.send_claim(ana).await.unwrap();
    assert_eq!(
        (first.entry.id.as_str(), first.attempt, first.uncertain),
        ("1", 1, false)
    );
    assert_eq!(first.channel, CHANNEL);
    assert_eq!(first.aliases[0].0, "phone:ana");
    assert_eq!(bed.state(ana, "1").await, "sending");
    assert!(bed.send_claim(ana).await.is_none(), "one at a time");
    assert!(bed.store.send_done(&first, &accepted("1")).await.unwrap());
    assert_eq!(bed.state(ana, "1").await, "accepted");
    bed.sends(ana, "2").await;
    bed.sends(ana, "3").await;
    assert!(bed.send_claim(ana).await.is_none());
    assert_eq!(bed.store.next_due(Due::Send).await.unwrap(), None);
}

pub async fn a_head_that_must_wait_holds_back_the_rest(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    let mut later = bot("1");
    later.not_before = Some(bed.in_millis(800));
    bed.answer(ana, vec![later, bot("2")]).await;
    assert_eq!(
        bed.store.next_due(Due::Send).await.unwrap(),
        Some(bed.in_millis(800))
    );
    assert!(bed.send_claim(ana).await.is_none());
    bed.pass(799);
    assert!(bed.send_claim(ana).await.is_none());
    bed.pass(1);
    bed.sends(ana, "1").await;
    bed.sends(ana, "2").await;
}

pub async fn a_retry_keeps_its_place_and_comes_again_in_time(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, vec![bot("1"), bot("2")]).await;
    let claim = bed.send_claim(ana).await.unwrap();
    let retry = SendOutcome::Retry {
        at: bed.in_millis(2_000),
        why: "too many messages".into(),
    };
    assert!(bed.store.send_done(&claim, &retry).await.unwrap());
    assert_eq!(bed.state(ana, "1").await, "queued: too many messages");
    bed.pass(1_999);
    assert!(bed.send_claim(ana).await.is_none());
    bed.pass(1);
    let again = bed.send_claim(ana).await.unwrap();
    assert_eq!(
        (again.entry.id.as_str(), again.attempt, again.uncertain),
        ("1", 2, false)
    );
}

pub async fn a_dead_message_leaves_its_reason_in_the_thread(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, vec![bot("1"), bot("2")]).await;
    let claim = bed.send_claim(ana).await.unwrap();
    let dead = SendOutcome::Dead {
        why: "the number is not on WhatsApp".into(),
    };
    assert!(bed.store.send_done(&claim, &dead).await.unwrap());
    assert_eq!(bed.state(ana, "1").await, "dead: the number is not on WhatsApp");
    bed.sends(ana, "2").await;
}

pub async fn after_a_dead_sender_the_message_is_uncertain(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, vec![bot("1"), bot("2")]).await;
    let lost = bed.send_claim(ana).await.unwrap();
    assert_eq!(
        bed.store.next_due(Due::Send).await.unwrap(),
        Some(bed.store.now() + LEASE)
    );
    bed.pass(LEASE.as_millis() as u64);
    assert_eq!(bed.store.due(Due::Send, 10).await.unwrap(), [ana]);
    let again = bed.send_claim(ana).await.unwrap();
    assert_eq!(
        (again.entry.id.as_str(), again.attempt, again.uncertain),
        ("1", 2, true)
    );
    assert!(again.fence > lost.fence);
    let retry = SendOutcome::Retry {
        at: bed.store.now(),
        why: "refused".into(),
    };
    assert!(bed.store.send_done(&again, &retry).await.unwrap());
    let third = bed.send_claim(ana).await.unwrap();
    assert!(third.uncertain, "the first try is still in doubt");
    assert!(bed.store.send_done(&third, &accepted("1")).await.unwrap());
    assert!(
        !bed.send_claim(ana).await.unwrap().uncertain,
        "the next message is not"
    );
}

pub async fn a_lost_send_cannot_be_recorded(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, vec![bot("1"), bot("2")]).await;
    let zombie = bed.send_claim(ana).await.unwrap();
    bed.pass(LEASE.as_millis() as u64);
    let heir = bed.send_claim(ana).await.unwrap();
    assert!(!bed.store.send_done(&zombie, &accepted("1")).await.unwrap());
    assert_eq!(bed.state(ana, "1").await, "sending");
    assert!(bed.store.send_done(&heir, &accepted("1")).await.unwrap());
    assert!(!bed.store.send_done(&zombie, &accepted("1")).await.unwrap());
    bed.sends(ana, "2").await;
}

pub async fn a_repeated_send_done_changes_nothing(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, vec![bot("1"), bot("2")]).await;
    let claim = bed.send_claim(ana).await.unwrap();
    assert!(bed.store.send_done(&claim, &accepted("1")).await.unwrap());
    assert!(bed.store.send_done(&claim, &accepted("1")).await.unwrap());
    bed.sends(ana, "2").await;
    assert!(bed.send_claim(ana).await.is_none());
}

pub async fn an_uncertain_send_is_tried_again_at_its_time(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, vec![bot("1"), bot("2")]).await;
    let claim = bed.send_claim(ana).await.unwrap();
    assert!(bed.store.send_done(&claim, &uncertain(&bed)).await.unwrap());
    assert_eq!(bed.state(ana, "1").await, "uncertain: no answer");
    bed.pass(44_999);
    assert!(bed.send_claim(ana).await.is_none());
    bed.pass(1);
    let again = bed.send_claim(ana).await.unwrap();
    assert_eq!(
        (again.entry.id.as_str(), again.attempt, again.uncertain),
        ("1", 2, true)
    );
}

pub async fn doubts_are_counted_and_a_wait_is_no_attempt(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, vec![bot("1")]).await;
    let told = |claim: &SendClaim| (claim.attempt, claim.uncertain, claim.doubts, claim.holder_died);
    let wait = |bed: &super::bed::Bed| SendOutcome::NotYet {
        at: bed.in_millis(0),
        why: "the number rests".into(),
    };
    let first = bed.send_claim(ana).await.unwrap();
    assert_eq!(told(&first), (1, false, 0, false));
    assert!(bed.store.send_done(&first, &wait(&bed)).await.unwrap());
    assert_eq!(bed.state(ana, "1").await, "queued: the number rests");
    let second = bed.send_claim(ana).await.unwrap();
    assert_eq!(told(&second), (1, false, 0, false));
    assert!(bed.store.send_done(&second, &uncertain(&bed)).await.unwrap());
    bed.pass(45_000);
    let third = bed.send_claim(ana).await.unwrap();
    assert_eq!(told(&third), (2, true, 1, false));
    assert!(bed.store.send_done(&third, &wait(&bed)).await.unwrap());
    bed.send_claim(ana).await.unwrap();
    bed.pass(LEASE.as_millis() as u64);
    let heir = bed.send_claim(ana).await.unwrap();
    assert_eq!(told(&heir), (3, true, 1, true));
    assert!(bed.store.send_done(&heir, &wait(&bed)).await.unwrap());
    let waited = bed.send_claim(ana).await.unwrap();
    assert_eq!(told(&waited), (3, true, 1, false));
    assert!(bed.store.send_done(&waited, &uncertain(&bed)).await.unwrap());
    bed.pass(45_000);
    assert_eq!(told(&bed.send_claim(ana).await.unwrap()), (4, true, 2, false));
}

fn uncertain(bed: &super::bed::Bed) -> SendOutcome {
    SendOutcome::Uncertain {
        until: bed.in_millis(45_000),
        why: "no answer".into(),
    }
}

fn status(id: &str, ours: Option<&str>, rank: u8, state: &str) -> Status {
    Status {
        message_id: format!("wamid.{id}"),
        ours: ours.map(str::to_owned),
        rank,
        state: state.into(),
        error: None,
        pace: None,
    }
}

pub async fn a_status_settles_an_uncertain_send(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, vec![bot("1"), bot("2")]).await;
    let claim = bed.send_claim(ana).await.unwrap();
    bed.store.send_done(&claim, &uncertain(&bed)).await.unwrap();
    assert!(
        bed.store
            .reconcile(CHANNEL, &status("1", Some("1"), 1, "sent"))
            .await
            .unwrap()
    );
    assert_eq!(bed.state(ana, "1").await, "sent");
    bed.sends(ana, "2").await;
    assert!(bed.send_claim(ana).await.is_none());
    assert!(
        bed.store
            .reconcile(CHANNEL, &status("1", None, 3, "read"))
            .await
            .unwrap()
    );
    assert_eq!(bed.state(ana, "1").await, "read");
}

pub async fn a_status_before_the_accept_is_recorded_counts(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, vec![bot("1"), bot("2")]).await;
    let claim = bed.send_claim(ana).await.unwrap();
    assert!(
        bed.store
            .reconcile(CHANNEL, &status("1", Some("1"), 2, "delivered"))
            .await
            .unwrap()
    );
    assert!(bed.store.send_done(&claim, &accepted("1")).await.unwrap());
    assert_eq!(bed.state(ana, "1").await, "delivered");
    bed.sends(ana, "2").await;
    assert!(bed.send_claim(ana).await.is_none());
}

pub async fn a_late_lower_status_changes_nothing(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, vec![bot("1")]).await;
    bed.sends(ana, "1").await;
    for (rank, state, then) in [
        (3, "read", "read"),
        (1, "sent", "read"),
        (2, "delivered", "read"),
        (3, "seen", "read"),
        (4, "played", "played"),
    ] {
        assert!(
            bed.store
                .reconcile(CHANNEL, &status("1", None, rank, state))
                .await
                .unwrap()
        );
        assert_eq!(bed.state(ana, "1").await, then);
    }
    bed.answer(ana, vec![bot("2")]).await;
    bed.sends(ana, "2").await;
    let failed = Status {
        error: Some("not reachable".into()),
        ..status("2", None, 9, "failed")
    };
    assert!(bed.store.reconcile(CHANNEL, &failed).await.unwrap());
    assert_eq!(bed.state(ana, "2").await, "failed: not reachable");
}

pub async fn a_status_of_another_channel_or_nobody_is_not_known(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, vec![bot("1"), bot("2")]).await;
    bed.sends(ana, "1").await;
    let claim = bed.send_claim(ana).await.unwrap();
    assert!(
        !bed.store
            .reconcile("number-two", &status("1", None, 3, "read"))
            .await
            .unwrap()
    );
    assert!(
        !bed.store
            .reconcile("number-two", &status("2", Some("2"), 3, "read"))
            .await
            .unwrap()
    );
    assert!(
        !bed.store
            .reconcile(CHANNEL, &status("9", Some("9"), 3, "read"))
            .await
            .unwrap()
    );
    assert!(
        !bed.store
            .reconcile(CHANNEL, &status("2", None, 3, "read"))
            .await
            .unwrap()
    );
    assert_eq!(bed.state(ana, "1").await, "accepted");
    assert!(bed.store.send_done(&claim, &accepted("2")).await.unwrap());
}

pub async fn an_id_that_was_queued_before_is_not_queued_again(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, vec![bot("1"), bot("2"), bot("1")]).await;
    bed.sends(ana, "1").await;
    bed.answer(ana, vec![bot("1"), bot("2"), bot("3")]).await;
    bed.sends(ana, "2").await;
    bed.sends(ana, "3").await;
    assert!(bed.send_claim(ana).await.is_none());
    assert_eq!(bed.states(ana).await.len(), 3);
}

pub async fn an_id_that_the_turn_itself_pushes_out_of_the_thread_is_still_known(open: Open) {
    let caps = Caps {
        history_entries: 3,
        ..Caps::default()
    };
    let bed = bed_with(open, caps).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, vec![bot("1"), bot("2"), bot("3")]).await;
    for id in ["1", "2", "3"] {
        bed.sends(ana, id).await;
    }
    bed.say(ana, "again").await;
    let mut again = turn(&bed.claim(ana).await);
    again.history = vec![b"a line".to_vec()];
    again.outbox = vec![bot("1"), bot("4"), bot("2"), bot("3")];
    bed.commit(&again).await;
    bed.sends(ana, "4").await;
    assert!(bed.send_claim(ana).await.is_none());
}

pub async fn the_window_starts_with_the_customers_words_only(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    let start = bed.store.now();
    let mut n = 0;
    let mut last_in = async |said_at: Option<jiff::Timestamp>| {
        n += 1;
        let mut event = message(ana, &n.to_string(), "hello");
        event.said_at = said_at;
        bed.ingest(event).await;
        let mut turn = turn(&bed.claim(ana).await);
        turn.outbox = vec![bot(&n.to_string())];
        bed.commit(&turn).await;
        let claim = bed.send_claim(ana).await.unwrap();
        bed.store.send_done(&claim, &accepted("x")).await.unwrap();
        bed.pass(1_000);
        claim.last_in
    };
    assert_eq!(last_in(None).await, None, "staff do not open the window");
    let second = start + jiff::SignedDuration::from_secs(1);
    let third = start + jiff::SignedDuration::from_secs(2);
    assert_eq!(last_in(Some(start)).await, Some(start));
    assert_eq!(last_in(Some(second)).await, Some(second));
    assert_eq!(last_in(Some(start)).await, Some(second), "delivered late");
    assert_eq!(last_in(None).await, Some(second));
    let ahead = last_in(Some(start + jiff::SignedDuration::from_hours(9)))
        .await
        .unwrap();
    assert!(
        ahead > third && ahead <= bed.store.now(),
        "the provider's clock runs ahead"
    );
}

pub async fn a_turn_and_its_first_send_are_one_step(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "hello").await;
    let mut asks = turn(&bed.claim(ana).await);
    asks.outbox = vec![bot("1"), bot("2")];
    let (committed, first) = bed.store.commit_then_send(&asks, LEASE).await.unwrap();
    assert_eq!(committed, Committed::Done);
    let first = first.unwrap();
    assert_eq!(
        (first.entry.id.as_str(), first.attempt, first.uncertain),
        ("1", 1, false)
    );
    assert_eq!(
        (first.channel.as_str(), &first.aliases[0].0[..]),
        (CHANNEL, "phone:ana")
    );
    assert_eq!(bed.state(ana, "1").await, "sending");
    assert!(bed.send_claim(ana).await.is_none(), "one at a time");
    // A repeated call commits nothing more, and gives that very claim or none.
    let (committed, again) = bed.store.commit_then_send(&asks, LEASE).await.unwrap();
    assert_eq!(committed, Committed::Already);
    assert!(again.is_none_or(|again| again == first));
    assert_eq!(bed.states(ana).await.len(), 2);

    // While another sends, the turn commits and claims nothing.
    bed.say(ana, "more").await;
    let mut more = turn(&bed.claim(ana).await);
    more.outbox = vec![bot("3")];
    let done = bed.store.commit_then_send(&more, LEASE).await.unwrap();
    assert_eq!(done, (Committed::Done, None));
    // Nothing to send is no claim, and so is a turn that lost its lease.
    let budi = bed.contact("budi").await;
    bed.say(budi, "hello").await;
    let quiet = turn(&bed.claim(budi).await);
    let done = bed.store.commit_then_send(&quiet, LEASE).await.unwrap();
    assert_eq!(done, (Committed::Done, None));
    let mut zombie = quiet;
    zombie.nonce.0 ^= 1;
    zombie.outbox = vec![bot("4")];
    let fenced = bed.store.commit_then_send(&zombie, LEASE).await.unwrap();
    assert_eq!(fenced, (Committed::Fenced, None));
    assert!(bed.send_claim(budi).await.is_none());
}

pub async fn a_send_and_the_next_are_one_step(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    let mut later = bot("3");
    later.not_before = Some(bed.in_millis(800));
    bed.answer(ana, vec![bot("1"), bot("2"), later]).await;
    let first = bed.send_claim(ana).await.unwrap();
    let (ours, second) = bed
        .store
        .sent_then_next(&first, &accepted("1"), LEASE)
        .await
        .unwrap();
    let second = second.unwrap();
    assert!(ours);
    assert_eq!((second.entry.id.as_str(), second.attempt), ("2", 1));
    assert!(second.fence > first.fence);
    let (ours, again) = bed
        .store
        .sent_then_next(&first, &accepted("1"), LEASE)
        .await
        .unwrap();
    assert!(ours && again.is_none_or(|again| again == second));
    assert_eq!(bed.state(ana, "1").await, "accepted");
    // What has to wait is not claimed; what is not sent comes again in its time.
    let retry = SendOutcome::Retry {
        at: bed.in_millis(500),
        why: "busy".into(),
    };
    let done = bed.store.sent_then_next(&second, &retry, LEASE).await.unwrap();
    assert_eq!(done, (true, None));
    bed.pass(500);
    let again = bed.send_claim(ana).await.unwrap();
    assert_eq!((again.entry.id.as_str(), again.attempt), ("2", 2));
    let done = bed
        .store
        .sent_then_next(&again, &accepted("2"), LEASE)
        .await
        .unwrap();
    assert_eq!(done, (true, None));
    assert_eq!(
        bed.store.next_due(Due::Send).await.unwrap(),
        Some(bed.in_millis(300))
    );
    // A claim that was lost records nothing and claims nothing.
    bed.pass(300);
    let lost = bed.send_claim(ana).await.unwrap();
    bed.pass(LEASE.as_millis() as u64);
    let heir = bed.send_claim(ana).await.unwrap();
    let done = bed
        .store
        .sent_then_next(&lost, &accepted("3"), LEASE)
        .await
        .unwrap();
    assert_eq!(done, (false, None));
    assert!(bed.store.send_done(&heir, &accepted("3")).await.unwrap());
}

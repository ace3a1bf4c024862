//! The bot never talks over a person, and its goodbye is not swallowed.

use switchboard::store::{Owner, SendOutcome};

use super::Open;
use super::bed::{accepted, bed, bot, person, turn};

const DROPPED: &str = "dropped: a person took over";

pub async fn a_takeover_voids_what_the_bot_queued(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    for owner in [Owner::Human, Owner::PausedUntil(bed.in_millis(60_000))] {
        let id = format!("{owner:?}");
        bed.store.set_owner(ana, Owner::Bot).await.unwrap();
        bed.answer(ana, vec![bot(&id)]).await;
        bed.store.set_owner(ana, owner).await.unwrap();
        assert!(bed.send_claim(ana).await.is_none());
        assert_eq!(bed.state(ana, &id).await, DROPPED);
        assert_eq!(bed.store.peek(ana).await.unwrap().unwrap().owner, owner);
        // Giving the chat back does not bring it back.
        bed.store.set_owner(ana, Owner::Bot).await.unwrap();
        assert!(bed.send_claim(ana).await.is_none());
    }
}

pub async fn a_takeover_leaves_what_people_queued(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, vec![bot("1"), person("2"), bot("3"), person("4")])
        .await;
    bed.store.set_owner(ana, Owner::Human).await.unwrap();
    bed.sends(ana, "2").await;
    bed.sends(ana, "4").await;
    assert!(bed.send_claim(ana).await.is_none());
}

pub async fn a_takeover_leaves_what_is_being_sent_but_not_its_retry(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, vec![bot("1"), bot("2")]).await;
    let sending = bed.send_claim(ana).await.unwrap();
    bed.store.set_owner(ana, Owner::Human).await.unwrap();
    assert!(bed.store.send_done(&sending, &accepted("1")).await.unwrap());
    assert_eq!(bed.state(ana, "1").await, "accepted");
    assert!(bed.send_claim(ana).await.is_none());
    assert_eq!(bed.state(ana, "2").await, DROPPED);

    bed.store.set_owner(ana, Owner::Bot).await.unwrap();
    bed.answer(ana, vec![bot("3")]).await;
    let sending = bed.send_claim(ana).await.unwrap();
    bed.store.set_owner(ana, Owner::Human).await.unwrap();
    let retry = SendOutcome::Retry {
        at: bed.store.now(),
        why: "busy".into(),
    };
    assert!(bed.store.send_done(&sending, &retry).await.unwrap());
    assert!(bed.send_claim(ana).await.is_none());
    assert_eq!(bed.state(ana, "3").await, DROPPED);
}

pub async fn a_takeover_silences_the_turn_in_flight(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "hello").await;
    let mut turn = turn(&bed.claim(ana).await);
    turn.outbox = vec![bot("1")];
    bed.store.set_owner(ana, Owner::Human).await.unwrap();
    bed.commit(&turn).await;
    assert!(bed.send_claim(ana).await.is_none());
    assert_eq!(bed.state(ana, "1").await, DROPPED);
}

pub async fn a_takeover_is_not_undone_by_the_turn_in_flight(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "hello").await;
    let mut turn = turn(&bed.claim(ana).await);
    turn.owner = Some(Owner::Bot);
    turn.outbox = vec![bot("1")];
    bed.store.set_owner(ana, Owner::Human).await.unwrap();
    bed.commit(&turn).await;
    assert_eq!(bed.store.peek(ana).await.unwrap().unwrap().owner, Owner::Human);
    assert!(bed.send_claim(ana).await.is_none());
}

pub async fn the_bots_goodbye_is_sent_after_it_hands_over(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.answer(ana, vec![bot("1")]).await;
    bed.say(ana, "a person please").await;
    let mut turn = turn(&bed.claim(ana).await);
    turn.owner = Some(Owner::Human);
    turn.outbox = vec![bot("2 goodbye")];
    bed.commit(&turn).await;
    assert_eq!(bed.store.peek(ana).await.unwrap().unwrap().owner, Owner::Human);
    bed.sends(ana, "1").await;
    bed.sends(ana, "2 goodbye").await;
}

pub async fn what_the_bot_queues_while_people_own_the_chat_is_dropped(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    bed.say(ana, "a person please").await;
    let mut handover = turn(&bed.claim(ana).await);
    handover.owner = Some(Owner::Human);
    bed.commit(&handover).await;
    bed.answer(ana, vec![bot("1"), person("2")]).await;
    bed.sends(ana, "2").await;
    assert_eq!(bed.state(ana, "1").await, DROPPED);
    // A turn that gives the chat back may speak.
    bed.say(ana, ".1").await;
    let mut resume = turn(&bed.claim(ana).await);
    resume.owner = Some(Owner::Bot);
    resume.outbox = vec![bot("3")];
    bed.commit(&resume).await;
    bed.sends(ana, "3").await;
}

pub async fn a_void_head_does_not_hold_back_a_person(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    let mut later = bot("1");
    later.not_before = Some(bed.in_millis(60_000));
    bed.answer(ana, vec![later, person("2")]).await;
    assert!(bed.send_claim(ana).await.is_none());
    bed.store.set_owner(ana, Owner::Human).await.unwrap();
    assert_eq!(
        bed.store.due(switchboard::store::Due::Send, 10).await.unwrap(),
        [ana]
    );
    bed.sends(ana, "2").await;
}

pub async fn after_a_pause_the_bot_speaks_again(open: Open) {
    let bed = bed(open).await;
    let ana = bed.contact("ana").await;
    let pause = Owner::PausedUntil(bed.in_millis(60_000));
    bed.store.set_owner(ana, pause).await.unwrap();
    bed.pass(59_999);
    bed.answer(ana, vec![bot("1")]).await;
    assert!(bed.send_claim(ana).await.is_none());
    bed.pass(1);
    bed.answer(ana, vec![bot("2")]).await;
    bed.sends(ana, "2").await;
    assert_eq!(bed.state(ana, "1").await, DROPPED);
}

//! `assist on`: what a model is told while people have the chat.

use super::talk::{ADVICE, KNOWLEDGE};
use super::*;

/// Asks something that is nobody's matter, and hands over.
const DESK: &str = r#"
flow desk
starts on "my code"
step a
  ask code "Your code?"
    private
  end
  -> b
step b
  handoff to support
    note "Somebody waits."
    assist on
  end
"#;

fn drafting(talk: &Talk) -> Option<Drafting> {
    talk.effects().iter().find_map(|effect| match effect {
        Effect::Draft(drafting) => Some((**drafting).clone()),
        _ => None,
    })
}

fn said(drafting: &Drafting) -> Vec<&str> {
    drafting.asked.talk.iter().map(|one| one.text.as_str()).collect()
}

/// The model isn't sure, and people get the chat.
fn handed_over(assist: &str) -> Talk {
    let advice =
        ADVICE.replace(
            "    may use shop.get_order\n",
            "    may use shop.get_order\n    not sure -> people\n",
        ) + &format!("step people\n  handoff to support\n{assist}    when returned -> answer\n  end\n");
    let mut talk = Talk::with(&[("business.flow", KNOWLEDGE), ("advice.flow", &advice)]);
    talk.says("Which tyre?");
    let key = super::talk::asked(&talk).key;
    talk.event(EventKind::Replied {
        key,
        reply: Says::NotSure.into(),
    });
    assert_eq!(talk.position.mode, Mode::Human);
    assert_eq!(
        drafting(&talk),
        None,
        "the model has just said that it isn't sure"
    );
    talk
}

#[test]
fn what_the_customer_writes_to_people_is_drafted_for_within_the_fence_they_came_from() {
    let mut talk = handed_over("    assist on\n");
    talk.says("  and inside?  ").sees(&[]);
    let first = drafting(&talk).expect("a draft is wanted");
    assert!(first.from_the_beginning);
    assert_eq!(said(&first), ["and inside?"], "the host has the thread");
    let asked = first.asked;
    assert_eq!(
        (asked.never.len(), asked.style.as_deref(), asked.at_most),
        (1, Some("Short."), Some(40))
    );
    assert_eq!(asked.about[0].0, "repairs");
    assert_eq!(asked.knowledge[0].0, "faq");
    assert!(asked.uses.is_empty() && asked.remembers.is_empty() && asked.topics.is_empty());
    assert!(asked.refusal("See https://pedal.example").is_some());
    assert!(asked.refusal(&"long ".repeat(10)).is_some());
    assert!(asked.refusal("I'd say the prices of others are high.").is_some());
    assert_eq!(asked.refusal("Take 28 inches."), None);
    // Each message is one of its own, whether or not somebody has answered.
    let agent = "Ana".to_owned();
    talk.event(EventKind::PersonSaid { agent }).says("thanks!");
    assert_eq!(said(&drafting(&talk).expect("the next")), ["thanks!"]);
    // The conversation with the model begins anew when people give the chat back.
    talk.event(EventKind::Returned).says("And the price?");
    assert_eq!(drafting(&talk), None);
    assert_eq!(super::talk::asked(&talk).talk.len(), 1);
}

#[test]
fn nothing_is_drafted_without_assist_on_or_while_the_bot_answers_or_for_a_word_of_the_law() {
    let mut talk = handed_over("");
    talk.says("and inside?");
    assert_eq!(drafting(&talk), None);
    let mut talk = handed_over("    assist on\n");
    talk.says("STOP");
    assert_eq!(drafting(&talk), None);
    talk.event(EventKind::Message(Incoming::default()));
    assert_eq!(drafting(&talk), None, "there are no words");
    talk.event(EventKind::Returned).says("hello?");
    assert_eq!(drafting(&talk), None);
    // Somebody takes over from the bot: no flow has said that drafts are wanted.
    let agent = "Ana".to_owned();
    talk.event(EventKind::Taken { agent }).says("hello?");
    assert_eq!(drafting(&talk), None);
}

#[test]
fn a_business_that_asks_something_private_tells_the_model_nothing_from_before() {
    let mut talk = Talk::with(&[
        ("business.flow", KNOWLEDGE),
        ("advice.flow", ADVICE),
        ("desk.flow", DESK),
    ]);
    talk.says("my code").says("4711");
    assert!(talk.handed_over().assist);
    talk.says("Is it ready?");
    let drafting = drafting(&talk).expect("a draft is wanted");
    assert!(!drafting.from_the_beginning);
    assert_eq!(said(&drafting), ["Is it ready?"]);
    // No `answer` led here: a limit for reading at a glance, and no more.
    let asked = drafting.asked;
    assert_eq!(
        (asked.at_most, asked.style, asked.never.len(), asked.about.len()),
        (Some(600), None, 0, 0)
    );
}

#[test]
fn what_a_model_was_told_before_it_gave_the_chat_away_may_be_told_again() {
    let advice = ADVICE.replace(
        "    may use shop.get_order\n",
        "    may use shop.get_order\n    not sure -> people\n",
    ) + "step people\n  handoff to support\n    assist on\n  end\n";
    let mut talk = Talk::with(&[
        ("business.flow", KNOWLEDGE),
        ("advice.flow", &advice),
        ("desk.flow", DESK),
    ]);
    talk.says("Which tyre?");
    let key = super::talk::asked(&talk).key;
    talk.event(EventKind::Replied {
        key,
        reply: Says::NotSure.into(),
    });
    talk.says("and inside?");
    let drafting = drafting(&talk).expect("a draft is wanted");
    assert!(!drafting.from_the_beginning);
    assert_eq!(said(&drafting), ["Which tyre?", "and inside?"]);
}

#[test]
fn a_business_without_knowledge_drafts_nothing() {
    let flow = "flow queue\nstarts on \"queue\"\nstep a\n  handoff to support\n    assist on\n  end\n";
    let business = KNOWLEDGE
        .replace("knowledge faq \"knowledge/faq.md\"\n", "")
        .replace("starts with advice", "starts with queue");
    let mut talk = Talk::with(&[("business.flow", &business), ("queue.flow", flow)]);
    talk.says("queue");
    assert!(talk.handed_over().assist);
    talk.says("hello?");
    assert_eq!(drafting(&talk), None);
}

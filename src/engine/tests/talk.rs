//! A model that answers, inside its fence.

use super::*;

pub(super) const KNOWLEDGE: &str = r#"
business "Pedal & Co"
timezone "Europe/Lisbon"
languages en, pt
starts with advice

team support "Customer care"

knowledge faq "knowledge/faq.md"

topic repairs "Something to mend"

memory
  contact.wheel: number
  contact.frame: text, forget after 90 days
end

service shop "https://api.pedal.example"
  action get_order needs number
    get "/orders/{{ number }}"
    gives status: text
end

defaults
  no reply in 30 minutes "Are you there?"
  no reply in 2 hours -> close
  problem "Something went wrong." -> handoff to support
end

on "agent" -> handoff to support
"#;

pub(super) const ADVICE: &str = r#"
flow advice
starts on any message

step answer
  answer from faq
    about repairs
    never "prices of others"
    style "Short."
    at most 40 characters
    may remember contact.wheel, contact.frame
    may use shop.get_order
  end
  say "Bye!"
  done
"#;

fn advice() -> Talk {
    Talk::with(&[("business.flow", KNOWLEDGE), ("advice.flow", ADVICE)])
}

#[track_caller]
pub(super) fn asked(talk: &Talk) -> Asked {
    let found = talk.effects().iter().find_map(|effect| match effect {
        Effect::Ask(asked) => Some((**asked).clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("a model is asked, not {:?}", talk.effects()))
}

#[track_caller]
fn replies(talk: &mut Talk, says: Says) {
    let key = asked(talk).key;
    talk.event(EventKind::Replied {
        key,
        reply: says.into(),
    });
}

#[test]
fn the_model_is_asked_with_its_fence_and_what_was_said() {
    let mut talk = advice();
    talk.memory.language = Some("pt".to_owned());
    talk.says("Which tyre?");
    let first = asked(&talk);
    assert_eq!(
        first.knowledge,
        [("faq".to_owned(), "knowledge/faq.md".to_owned())]
    );
    assert_eq!(
        first.about,
        [("repairs".to_owned(), "Something to mend".to_owned())]
    );
    assert_eq!(
        first.uses,
        [("shop.get_order".to_owned(), vec!["number".to_owned()])]
    );
    assert_eq!((first.language.as_str(), first.at_most), ("pt", Some(40)));
    assert_eq!(first.remembers.len(), 2);
    replies(&mut talk, Says::Text("Take 28 inches.".to_owned()));
    talk.sees(&["Take 28 inches."]).says("and inside?");
    let said: Vec<(bool, String)> = asked(&talk)
        .talk
        .into_iter()
        .map(|one| (one.customer, one.text))
        .collect();
    assert_eq!(
        said,
        [
            (true, "Which tyre?".to_owned()),
            (false, "Take 28 inches.".to_owned()),
            (true, "and inside?".to_owned())
        ]
    );
}

#[test]
fn the_model_replies_in_the_language_that_the_bot_speaks() {
    let business = KNOWLEDGE.replace("  contact.wheel", "  contact.language: text\n  contact.wheel");
    let advice = ADVICE
        .replace("contact.wheel,", "contact.language,")
        .replace("step answer\n", "step answer\n  set contact.language = \"pt\"\n");
    let mut talk = Talk::with(&[("business.flow", &business), ("advice.flow", &advice)]);
    talk.memory.language = Some("en".to_owned());
    talk.says("Que pneu?");
    assert_eq!(
        asked(&talk).language,
        "pt",
        "what a flow remembered goes before the channel's"
    );
    // What the model remembers counts from here on, as what a flow remembers does.
    let key = asked(&talk).key;
    talk.event(EventKind::Replied {
        key,
        reply: Reply {
            says: Says::Use {
                action: "shop.get_order".to_owned(),
                args: [("number".to_owned(), json!("A-1"))].into(),
            },
            remember: BTreeMap::new(),
        },
    });
    talk.answers(200, json!({ "status": "packed" }));
    let key = asked(&talk).key;
    talk.event(EventKind::Replied {
        key,
        reply: Reply {
            says: Says::Text("Packed.".to_owned()),
            remember: [("contact.language".to_owned(), json!("en"))].into(),
        },
    });
    talk.skips().says("and?");
    assert_eq!(asked(&talk).language, "en");
}

#[test]
fn a_reply_that_nobody_waits_for_does_nothing() {
    let mut talk = advice();
    talk.says("Which tyre?");
    let key = asked(&talk).key;
    let reply = |text: &str| EventKind::Replied {
        key: key.clone(),
        reply: Says::Text(text.to_owned()).into(),
    };
    talk.event(reply("28 inches.")).event(reply("26 inches."));
    talk.sees(&["28 inches."]);
    assert!(talk.log().iter().any(|entry| matches!(entry, Log::Stale { .. })));
    talk.says("sure?").event(EventKind::Taken {
        agent: "Ana".to_owned(),
    });
    replies_after(&mut talk);
}

/// People have the chat by now.
fn replies_after(talk: &mut Talk) {
    talk.event(EventKind::Replied {
        key: "1.3.advice/answer.answer".to_owned(),
        reply: Says::Text("Yes.".to_owned()).into(),
    });
    talk.sees(&[]);
}

#[test]
fn a_refused_reply_is_asked_for_again_with_the_reason_and_a_second_one_is_not_sure() {
    let mut talk = advice();
    talk.says("Which tyre?");
    replies(&mut talk, Says::Text("x".repeat(41)));
    talk.sees(&[]);
    let again = asked(&talk);
    assert_eq!(
        again.refused.as_deref(),
        Some("the reply has 41 characters; at most 40 are allowed")
    );
    replies(&mut talk, Says::Text("{{ contact.wheel }}".to_owned()));
    talk.sees(&[]);
    assert_eq!(talk.handed_over().team, "support");
}

#[test]
fn what_it_remembers_must_be_allowed_and_fit_its_type() {
    let mut talk = advice();
    talk.says("I ride 28 inches");
    let key = asked(&talk).key;
    let remember = [
        ("contact.wheel", json!(28)),
        ("contact.frame", json!({"not": "a text"})),
        ("contact.phone", json!("351910000001")),
        ("wheel", json!(29)),
    ];
    talk.event(EventKind::Replied {
        key,
        reply: Reply {
            says: Says::Text("Noted.".to_owned()),
            remember: remember
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        },
    });
    let fields: Vec<&str> = talk.memory.fields.keys().map(String::as_str).collect();
    assert_eq!(fields, ["wheel"]);
}

#[test]
fn an_action_is_called_as_any_other_and_its_answer_is_told_to_the_model() {
    let mut talk = advice();
    talk.says("Where is A-1?");
    let look = |number: &str| Says::Use {
        action: "shop.get_order".to_owned(),
        args: [("number".to_owned(), json!(number))].into(),
    };
    replies(&mut talk, look("A-1"));
    assert_eq!(talk.call().url, "https://api.pedal.example/orders/A-1");
    talk.answers(200, json!({"status": "packed"}));
    let found = asked(&talk).found;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].came, json!({"status": "packed"}));
    for _ in 0..2 {
        replies(&mut talk, look("A-1"));
        talk.answers(404, json!(null));
    }
    assert_eq!(asked(&talk).found[2].came, json!({"problem": "not found"}));
    // Enough is enough.
    replies(&mut talk, look("A-1"));
    assert!(asked(&talk).refused.is_some());
    replies(&mut talk, Says::Text("It is packed.".to_owned()));
    talk.sees(&["It is packed."]);
}

#[test]
fn silence_and_on_words_work_between_replies_as_at_any_question() {
    let mut talk = advice();
    talk.says("Which tyre?");
    // Nothing runs out while the model thinks.
    assert!(!talk.position.timers.keys().any(|id| id.starts_with('q')));
    replies(&mut talk, Says::Text("28.".to_owned()));
    talk.skips().waits(1_800).sees(&["Are you there?"]);
    talk.says("agent");
    assert_eq!(talk.handed_over().team, "support");
}

#[test]
fn a_customer_who_has_asked_nothing_yet_is_invited() {
    let mut talk = advice();
    talk.event(EventKind::Start {
        flow: "advice".to_owned(),
        values: Default::default(),
    });
    talk.sees(&["What would you like to know?"])
        .rests_at("advice/answer.reply");
    talk.says("Which tyre?");
    replies(
        &mut talk,
        Says::Finished(Some("28. Have a good ride!".to_owned())),
    );
    talk.sees(&["28. Have a good ride!", "Bye!"]);
    assert_eq!(talk.position.frames, []);
}

#[test]
fn a_model_that_fails_is_a_problem_that_the_team_is_told_of() {
    let mut talk = advice();
    talk.says("Which tyre?");
    let why = "it did not answer in time".to_owned();
    replies(&mut talk, Says::Problem { why });
    talk.sees(&["Something went wrong."]);
    let fault = talk.effects().iter().find_map(|effect| match effect {
        Effect::Fault(fault) => Some(fault.what.clone()),
        _ => None,
    });
    assert_eq!(
        fault.as_deref(),
        Some("the model gave no reply: it did not answer in time")
    );
}

#[test]
fn what_is_kept_of_a_long_talk_is_bounded() {
    let mut talk = advice();
    talk.says(&"word ".repeat(2_000));
    for _ in 0..40 {
        replies(&mut talk, Says::Text("Yes.".to_owned()));
        talk.says(&"word ".repeat(400));
    }
    let kept = talk.position.frames[0].talk.as_ref().unwrap();
    assert!(kept.spoken.len() <= 16);
    assert!(serde_json::to_vec(&talk.position).unwrap().len() < 10_000);
    assert!(asked(&talk).talk.last().is_some_and(|last| last.customer));
}

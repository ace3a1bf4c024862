//! People in the chat: handing over, taking over, giving back, sessions.

use super::*;

const DESK: &str = r#"
flow desk
starts on "desk"
step a
  menu subject "What is it?"
    "Damaged"
    "Late"
  end
  handoff to support
    note "About: {{ subject }}"
    priority high if subject is "damaged"
  end
"#;

#[test]
fn a_handoff_carries_note_and_priority_and_silences_the_bot() {
    let mut talk = Talk::plus(DESK);
    talk.says("desk").says("damaged");
    let handed = talk.handed_over();
    assert_eq!(
        (handed.note.as_deref(), handed.priority.as_deref(), handed.opens),
        (Some("About: Damaged"), Some("high"), None)
    );
    talk.skips().says("hello?").waits(3 * 3600).sees(&[]);
    assert_eq!(talk.position.mode, Mode::Human);
    let mut talk = Talk::plus(DESK);
    talk.says("desk").says("late");
    assert_eq!(talk.handed_over().priority, None);
}

#[test]
fn outside_hours_the_customer_is_told_when_the_team_opens_and_the_chat_is_queued() {
    let mut talk = Talk::plus(DESK);
    talk.now = "2026-03-02T20:00:00Z".parse().unwrap();
    talk.says("desk").skips().says("late");
    talk.sees(&["We're closed right now and back tomorrow at 09:00. Your message is waiting for us."]);
    assert_eq!(
        talk.handed_over().opens,
        Some("2026-03-03T09:00:00Z".parse().unwrap())
    );
    assert_eq!(talk.position.mode, Mode::Human);
}

#[test]
fn when_closed_runs_instead_of_the_handoff() {
    let flow = DESK.replace(
        "    priority",
        "    when closed \"Come back later.\" -> a\n    priority",
    );
    let mut talk = Talk::plus(&flow);
    talk.now = "2026-03-02T20:00:00Z".parse().unwrap();
    talk.says("desk")
        .skips()
        .says("late")
        .sees(&["Come back later.", "What is it? [Damaged] [Late]"]);
    assert_eq!(talk.position.mode, Mode::Autopilot);
}

#[test]
fn people_give_the_chat_back_and_it_is_idle() {
    let mut talk = Talk::new();
    talk.says("track").says("agent").event(EventKind::Returned);
    assert!(talk.effects().contains(&Effect::BotAgain));
    assert!(talk.position.frames.is_empty());
    talk.skips()
        .says("track")
        .sees(&["What's the number? [I can't find it]"]);
}

#[test]
fn a_person_who_writes_takes_the_chat() {
    for kind in [
        EventKind::PersonSaid { agent: "Ana".into() },
        EventKind::Taken { agent: "Ana".into() },
    ] {
        let mut talk = Talk::new();
        talk.says("track")
            .skips()
            .event(kind)
            .says("a-12345")
            .waits(4 * 3600)
            .sees(&[]);
        assert_eq!(talk.position.mode, Mode::Human);
    }
}

#[test]
fn after_a_takeover_the_bot_is_back_when_people_have_been_silent() {
    let business = BUSINESS.replace("defaults\n", "defaults\n  takeover pauses for 1 hour\n");
    let mut talk = Talk::with(&[
        ("business.flow", &business),
        ("welcome.flow", WELCOME),
        ("tracking.flow", TRACKING),
    ]);
    let writes = || EventKind::PersonSaid { agent: "Ana".into() };
    talk.says("track")
        .event(writes())
        .waits(3000)
        .event(writes())
        .waits(3000);
    assert_eq!(talk.position.mode, Mode::Human);
    talk.waits(600);
    assert_eq!(talk.position.mode, Mode::Autopilot);
}

#[test]
fn a_session_opens_with_a_message_and_resolves_after_twelve_hours_whoever_has_it() {
    let mut talk = Talk::new();
    talk.says("agent");
    assert_eq!(talk.effects()[0], Effect::Opened { session: 1 });
    talk.waits(12 * 3600 - 1);
    assert!(talk.position.open);
    talk.waits(1);
    assert!(talk.has_closed(Closing::Resolved) && talk.effects().contains(&Effect::BotAgain));
    talk.says("hi");
    assert_eq!((talk.position.session, talk.position.mode), (2, Mode::Autopilot));
}

#[test]
fn closing_ends_the_values_of_flows_and_chat_but_not_the_contacts() {
    let flow = "flow mood\nstarts on \"mood\"\nstep a\n  ask m \"How?\"\n  set chat.mood = m\n  remember m as contact.first_name\n  -> b\nstep b\n  menu x \"{{ chat.mood }}?\"\n    \"Yes\"\n      close \"Bye!\"\n    \"No\" -> a\n  end\n";
    let mut talk = Talk::plus(flow);
    talk.says("mood").says("fine").skips();
    assert_eq!(talk.position.chat["mood"], Value::text("fine"));
    talk.says("yes").sees(&["Bye!"]);
    assert!(talk.has_closed(Closing::Flow));
    assert!(
        talk.position.chat.is_empty() && talk.position.frames.is_empty() && talk.position.timers.is_empty()
    );
    assert_eq!(talk.memory.fields["first_name"].value, Value::text("fine"));
}

#[test]
fn the_host_may_end_a_session_once() {
    let mut talk = Talk::new();
    talk.says("track").event(EventKind::Close);
    assert!(talk.has_closed(Closing::Host));
    talk.event(EventKind::Close);
    assert!(talk.effects().is_empty() && matches!(talk.log(), [Log::Stale { .. }]));
}

#[test]
fn a_team_is_notified_while_the_bot_keeps_the_chat() {
    let flow = "flow tell\nstarts on \"tell\"\nstep a\n  notify support \"From {{ contact.name | default('somebody') }}\"\n  say \"Told.\"\n  done\n";
    let mut talk = Talk::plus(flow);
    talk.memory.name = Some("Maria".to_owned());
    talk.says("tell").sees(&["Told."]);
    let told = talk.effects().iter().any(|effect| matches!(effect, Effect::Notify { text, said_at, .. } if text == "From Maria" && said_at.line == 4));
    assert!(told);
}

const QUEUE: &str = r#"
flow queue
starts on "queue"
step a
  ask story "What happened?"
  say "Thanks – finding you a colleague."
  handoff to support
    note "{{ story }}"
    assist on
    when taken "You're now chatting with {{ agent.name }}."
    no agent in 15 minutes "Still looking for someone free."
    no agent in 30 minutes
      notify support "Nobody took: {{ story }}"
    no agent in 1 hour -> leave a note
    when returned -> how did we do
  end
step leave a note
  menu "Shall we write to you instead?"
    "Yes"
      say "We will, about {{ story }}."
      done
    "No" -> done
  end
step how did we do
  menu score "How did we do?"
    "Great" = 3
    "Not good" = 1
  end
  record csat = score
  say "Thank you!"
  done
"#;

fn queued() -> Talk {
    let mut talk = Talk::plus(QUEUE);
    talk.says("queue").skips().says("it broke");
    assert!(talk.handed_over().assist);
    talk.sees(&["Thanks – finding you a colleague."]);
    talk
}

fn ana(words: bool) -> EventKind {
    let agent = "Ana".to_owned();
    if words {
        EventKind::PersonSaid { agent }
    } else {
        EventKind::Taken { agent }
    }
}

#[test]
fn the_customer_is_told_once_who_took_the_chat_and_then_nobody_is_waited_for() {
    for words in [true, false] {
        let mut talk = queued();
        talk.event(ana(words)).sees(&["You're now chatting with Ana."]);
        talk.event(ana(true)).event(ana(false)).waits(5 * 3600).sees(&[]);
        assert_eq!(talk.position.mode, Mode::Human);
    }
    let mut talk = queued();
    let agent = String::new();
    talk.event(EventKind::PersonSaid { agent })
        .sees(&["You're now chatting with Customer care."]);
}

#[test]
fn while_nobody_takes_it_the_lines_of_no_agent_run_one_after_the_other_and_the_last_takes_the_chat_back() {
    let mut talk = queued();
    talk.waits(899)
        .sees(&[])
        .waits(1)
        .sees(&["Still looking for someone free."]);
    // What the customer writes doesn't begin the wait anew.
    talk.says("hello?").sees(&[]).waits(900);
    let told =
        |effect: &Effect| matches!(effect, Effect::Notify { text, .. } if text == "Nobody took: it broke");
    assert!(talk.effects().iter().any(told));
    assert!(!talk.effects().contains(&Effect::BotAgain));
    assert_eq!(talk.position.mode, Mode::Human);
    talk.waits(1800)
        .sees(&["Shall we write to you instead? [Yes] [No]"]);
    assert!(talk.effects().contains(&Effect::BotAgain));
    assert_eq!(talk.position.mode, Mode::Autopilot);
    // The flow still knows what it knew.
    talk.says("yes").sees(&["We will, about it broke."]);
    assert!(talk.position.frames.is_empty());
}

#[test]
fn a_chat_that_people_give_back_goes_on_where_the_handoff_says() {
    let mut talk = queued();
    talk.event(ana(true)).skips().event(EventKind::Returned);
    talk.sees(&["How did we do? [Great] [Not good]"]);
    assert!(talk.effects().contains(&Effect::BotAgain));
    talk.says("great").sees(&["Thank you!"]);
    let kept = |effect: &Effect| {
        matches!(effect, Effect::Noted { what: Noted::Record { name, value: Some(value) }, .. }
            if name == "csat" && *value == Value::Number(3.into()))
    };
    assert!(talk.effects().iter().any(kept));
}

#[test]
fn outside_hours_the_wait_for_a_person_begins_when_the_team_opens() {
    let mut talk = Talk::plus(QUEUE);
    talk.now = "2026-03-02T20:00:00Z".parse().unwrap();
    talk.says("queue").says("it broke").skips();
    talk.waits(11 * 3600).sees(&[]);
    assert_eq!(
        talk.position
            .timers
            .keys()
            .filter(|id| id.starts_with("agent/"))
            .count(),
        1
    );
    assert_eq!(
        talk.position
            .timers
            .iter()
            .find(|(id, _)| id.starts_with("agent/"))
            .unwrap()
            .1
            .to_string(),
        "2026-03-03T09:15:00Z"
    );
}

#[test]
fn a_no_agent_line_may_give_the_chat_to_others_and_the_wait_begins_anew() {
    let flow = QUEUE.replace(
        "no agent in 1 hour -> leave a note",
        "no agent in 1 hour -> others",
    ) + "step others\n  handoff\n    no agent in 2 hours \"Sorry, still nobody.\"\n  end\n";
    let mut talk = Talk::plus(&flow);
    talk.says("queue").says("it broke").waits(3600).skips();
    assert_eq!(talk.handed_over().team, "support");
    assert_eq!(talk.position.mode, Mode::Human);
    talk.waits(7199)
        .sees(&[])
        .waits(1)
        .sees(&["Sorry, still nobody."]);
    talk.waits(3600).sees(&[]);
}

#[test]
fn somebody_without_a_name_is_called_by_the_team_s_title_in_the_customer_s_language() {
    let business = "business \"Pedal & Co\"\ntimezone \"Europe/Lisbon\"\nlanguages en, pt\nstarts with desk\n\nteam support \"Customer care\"\n";
    let desk = "flow desk\nstarts on any message\nstep a\n  handoff to support\n    when taken \"You're now chatting with {{ agent.name }}.\"\n  end\n";
    let mut talk = Talk::with(&[
        ("business.flow", business),
        ("desk.flow", desk),
        (
            "business.pt.strings",
            "support#title.1 ebe808eb  \"Apoio ao cliente\"\n",
        ),
        (
            "desk.pt.strings",
            "a#say.1 f76a5bbc  \"Está a falar com {{ agent.name }}.\"\n",
        ),
    ]);
    talk.memory.language = Some("pt".to_owned());
    talk.says("olá").event(EventKind::Taken { agent: String::new() });
    talk.sees(&["Está a falar com Apoio ao cliente."]);
}

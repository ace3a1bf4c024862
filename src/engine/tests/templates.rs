//! Questions that an approved template asks, often days later.

use super::*;

const VISITS: &str = r#"
flow visits
starts on "visit"

step plan it
  set day = "Friday"
  later reminder in 2 days -> remind
  say "Planned."
  done

step remind
  menu answer template reminder with day = day
    "I'll be there" also "ok" = "comes"
    "Change it" -> change
    otherwise "Please tap one." up to 2 times, then -> handoff to support
  end
  say "Until {{ day }}: {{ answer }}."
  done

step change
  say "Another day than {{ day }}?"
  done
"#;

fn visits() -> Talk {
    let mut talk = Talk::with(&[
        ("business.flow", &BUSINESS.replace("defaults", TEMPLATE)),
        ("welcome.flow", WELCOME),
        ("tracking.flow", TRACKING),
        ("visits.flow", VISITS),
    ]);
    talk.settings.silence_rules = false;
    talk.says("visit").waits(2 * DAY);
    talk.sees(&["Planned.", REMINDER]);
    talk
}

pub(super) const TEMPLATE: &str = r#"
template reminder utility
  en "Your visit is on {{ day }}."
  button "I'll be there", "Change it"
end
template news marketing
  en "New bells."
end

defaults"#;
const DAY: i64 = 86_400;
const REMINDER: &str = "{reminder} Your visit is on Friday. [I'll be there] [Change it]";

#[test]
fn a_template_asks_and_its_buttons_are_the_options() {
    visits().taps("I'll be there").sees(&["Until Friday: comes."]);
    visits().taps("Change it").sees(&["Another day than Friday?"]);
    // Typed, numbered, nearly spelt, as any option.
    for words in ["ok", "2", "chnge it", "I'll be there"] {
        let mut talk = visits();
        talk.says(words);
        assert_eq!(talk.seen.len(), 1, "{words}");
        assert!(talk.position.frames.is_empty(), "{words}");
    }
    // Whoever writes opened the window: from here on it is asked like any question.
    visits()
        .says("what?")
        .sees(&["Please tap one. [I'll be there] [Change it]"]);
}

#[test]
fn a_template_that_nobody_answers_is_not_talked_after() {
    let mut talk = visits();
    talk.waits(2 * 3600).sees(&[]);
    assert!(talk.has_closed(Closing::Silence), "the business closes its chats");
    talk.waits(30 * DAY).sees(&[]);
}

#[test]
fn its_buttons_work_days_later() {
    let mut talk = visits();
    talk.waits(3 * DAY)
        .taps("Change it")
        .sees(&["Another day than Friday?"]);
    // And the other one, too: somebody changed their mind.
    talk.taps("I'll be there").sees(&["Until Friday: comes."]);
    talk.waits(8 * DAY).taps("I'll be there");
    talk.sees(&["Planned."]);
}

#[test]
fn the_words_of_a_button_count_while_nothing_else_is_asked() {
    let mut talk = visits();
    talk.waits(DAY)
        .says("Change it")
        .sees(&["Another day than Friday?"]);
    // Answered: now they are words like any others.
    talk.says("ok")
        .sees(&["How can we help? [Track my order] [Opening hours] [Talk to us]"]);
    let mut talk = visits();
    talk.waits(DAY).says("hi").skips().says("change it");
    talk.sees(&["Sorry? [Track my order] [Opening hours] [Talk to us]"]);
}

#[test]
fn few_questions_outlive_a_session_and_a_position_stays_small() {
    let mut talk = visits();
    for _ in 0..6 {
        talk.waits(DAY).says("visit").waits(2 * DAY);
    }
    assert!(talk.position.old.len() <= 3, "{:?}", talk.position.old.len());
    talk.skips().taps_old("Change it").sees(&["Planned."]);
}

const REPLIES: &str = r#"
flow replies
starts on reply to reminder
step a
  say "About your visit: {{ message.text }}"
  done
"#;

fn reminded() -> Talk {
    let business = BUSINESS.replace("defaults", TEMPLATE).replace(
        "on \"thanks\"",
        "on reply to news\n  say \"Nice.\"\n  resume\non \"thanks\"",
    );
    let sends =
        "flow sends\nstarts on \"send\"\nstep a\n  send template reminder with day = \"Friday\"\n  done\n";
    Talk::with(&[
        ("business.flow", &business),
        ("welcome.flow", WELCOME),
        ("tracking.flow", TRACKING),
        ("replies.flow", REPLIES),
        ("sends.flow", sends),
    ])
}

fn quoting(template: &str, text: &str) -> EventKind {
    EventKind::Message(Incoming {
        text: text.to_owned(),
        template: Some(template.to_owned()),
        ..Incoming::default()
    })
}

#[test]
fn a_flow_starts_on_a_reply_to_a_template() {
    let mut talk = reminded();
    talk.settings.silence_rules = false;
    talk.event(quoting("reminder", "Can I come earlier?"));
    talk.sees(&["About your visit: Can I come earlier?"]);
    // A tap on a button of a template that was only sent is a reply, too.
    talk.says("send")
        .sees(&[REMINDER])
        .waits(2 * DAY)
        .taps("Change it");
    talk.sees(&["About your visit: Change it"]);
    // Words that start a flow by themselves win, and so does an open question.
    talk.event(quoting("reminder", "hi"))
        .sees(&["How can we help? [Track my order] [Opening hours] [Talk to us]"]);
    talk.event(quoting("reminder", "opening hours"))
        .sees(&["We open at nine."]);
    talk.event(quoting("news", "hm")).sees(&["Nice."]);
    talk.says("hi").skips().event(quoting("news", "hm"));
    talk.sees(&[
        "Nice.",
        "How can we help? [Track my order] [Opening hours] [Talk to us]",
    ]);
}

#[test]
fn a_template_sent_by_itself_shows_the_buttons_of_the_language_it_goes_out_in() {
    let template = "\ntemplate offer utility\n  en \"A visit?\"\n  pt \"Uma visita?\"\n  es \"¿Una visita?\"\n  pt_BR \"Uma visita, você?\"\n  button \"Yes\", \"No\"\n  button pt \"Sim\", \"Não\"\n  button pt_br \"Quero\", \"Não\"\nend\n\ndefaults";
    let offers = "flow offers\nstarts on \"offer\"\n\nstep a\n  send template offer\n  done\n";
    for (language, shown) in [
        (None, "{offer} A visit? [Yes] [No]"),
        (Some("pt"), "{offer} Uma visita? [Sim] [Não]"),
        // Approved with the same buttons there.
        (Some("es"), "{offer} ¿Una visita? [Yes] [No]"),
        // However it is spelt.
        (Some("pt-BR"), "{offer} Uma visita, você? [Quero] [Não]"),
    ] {
        let mut talk = Talk::with(&[
            ("business.flow", &BUSINESS.replace("defaults", template)),
            ("welcome.flow", WELCOME),
            ("tracking.flow", TRACKING),
            ("offers.flow", offers),
        ]);
        talk.memory.language = language.map(str::to_owned);
        talk.says("offer").sees(&[shown]);
    }
}

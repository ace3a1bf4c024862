//! Templates of flows, between the real server and the provider's double: a tap on a button of one is an answer, and who
//! quotes one opens the flow that waits for it.

// Helpers of tests stand outside test functions here; a panic is how they say that a promise was broken.
#![allow(clippy::unwrap_used)]

mod bot;
mod double;

use std::time::Duration;

use bot::{Bot, heard, texts};
use double::{Double, Sent, Setup};
use serde_json::{Value, json};

const SARI: &str = "6281100000011";

const BUSINESS: &str = r#"business "Corner Studio"
timezone "Europe/Lisbon"
languages en

team support "Customer care"

memory
  contact.asked: yes or no = no
end

template visit_reminder utility
  en "Your visit is on {{ day }}."
  button "I'll be there", "Change it"
end

on "agent" -> handoff to support
"#;

const VISITS: &str = r#"flow visits
starts on "remind me"
starts on reply to visit_reminder if contact.asked

step begin
  if contact.asked -> about it
  set asked = yes
  remember asked as contact.asked
  -> remind

step remind
  menu template visit_reminder with day = "Friday"
    "I'll be there" -> see you
    "Change it" -> handoff to support
  end

step see you
  say "See you on Friday."
  done

step about it
  say "About your visit: {{ message.text }}"
  done
"#;

/// A server with these flows, and an account that has their template.
async fn open(double: &Double) -> Bot {
    open_until(double, "").await
}

/// The same, which dies where the failpoint says.
async fn open_until(double: &Double, failpoint: &str) -> Bot {
    let mut bot = Bot::new(double);
    std::fs::remove_dir_all(bot.flows()).unwrap();
    std::fs::create_dir_all(bot.flows()).unwrap();
    std::fs::write(bot.flows().join("business.flow"), BUSINESS).unwrap();
    std::fs::write(bot.flows().join("visits.flow"), VISITS).unwrap();
    double.has_template(json!({ "name": "visit_reminder", "language": "en", "status": "APPROVED",
        "category": "UTILITY", "id": "78", "components": [
            { "type": "BODY", "text": "Your visit is on {{1}}." },
            { "type": "BUTTONS", "buttons": [
                { "type": "QUICK_REPLY", "text": "I'll be there" }, { "type": "QUICK_REPLY", "text": "Change it" } ] } ] }));
    bot.env("SWITCHBOARD_FAILPOINT", failpoint);
    bot.start(double).await;
    bot
}

fn template(sent: &[Sent]) -> Option<&Sent> {
    sent.iter().find(|sent| sent.kind == "template")
}

#[tokio::test]
async fn a_template_is_answered_by_its_buttons_and_by_quoting_it() {
    let double = Double::start().await;
    let _bot = open(&double).await;
    let sari = double.customer(SARI);

    sari.says("remind me");
    let sent = double
        .wait_until("the template", |sent| template(sent).is_some())
        .await;
    let reminder = template(&sent).unwrap();
    let replies: Vec<Value> = reminder.body["template"]["components"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|component| component["sub_type"] == "quick_reply")
        .cloned()
        .collect();
    assert_eq!(replies.len(), 2, "{}", reminder.body);
    let payload = replies[0]["parameters"][0]["payload"].as_str().unwrap();

    sari.sends("button", json!({ "payload": payload, "text": "I'll be there" }));
    assert_eq!(
        heard(&double, SARI, 2).await.last().unwrap(),
        "See you on Friday."
    );

    // Nothing is asked any more. Who quotes the reminder means it.
    sari.sends_raw(
        "text",
        json!({ "text": { "body": "Is there parking?" }, "context": { "id": reminder.id } }),
    );
    let answered = heard(&double, SARI, 3).await;
    assert_eq!(answered.last().unwrap(), "About your visit: Is there parking?");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_is_known_by_its_quote_although_the_process_died_when_it_was_accepted() {
    let double = Double::with(Setup {
        retry_after: Duration::from_millis(100),
        ..Setup::default()
    })
    .await;
    // What became of the message is not written yet.
    let mut bot = open_until(&double, "before_send_done:abort").await;
    let sari = double.customer(SARI);
    sari.says("remind me");
    bot.ended_in_time().await;
    let sent = double.sent();
    let reminder = template(&sent).expect("it was accepted").clone();

    bot.env("SWITCHBOARD_FAILPOINT", "");
    bot.env("SWITCHBOARD_CLOCK_AHEAD", "100");
    bot.start(&double).await;
    sari.says("I'll be there");
    double
        .wait_until("the answer", |sent| {
            texts(sent, SARI).contains(&"See you on Friday.".to_owned())
        })
        .await;
    sari.sends_raw(
        "text",
        json!({ "text": { "body": "Is there parking?" }, "context": { "id": reminder.id } }),
    );
    double
        .wait_until("what was quoted", |sent| {
            texts(sent, SARI).contains(&"About your visit: Is there parking?".to_owned())
        })
        .await;
}

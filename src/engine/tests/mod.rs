//! Conversations with small businesses, rule by rule. `Talk` plays the customer, the services and the clock.

mod draft;
mod gather;
mod interrupts;
mod languages;
mod later;
mod legal;
mod lines;
mod matching;
mod old_buttons;
mod outside;
mod people;
mod private;
mod properties;
mod rows;
mod services;
mod silence;
mod talk;
mod templates;
mod values;
mod versions;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::*;
use crate::flow::compile::compile;
use crate::flow::source::Sources;
use crate::message::{MediaKind, OutboundBody};

/// Monday, 2 March 2026, 10:00 in Lisbon.
pub(super) const MONDAY: &str = "2026-03-02T10:00:00Z";

pub(super) const BUSINESS: &str = r#"
business "Pedal & Co"
timezone "Europe/Lisbon"
languages en, pt
starts with welcome

team support "Customer care"
  hours mon to fri 09:00 to 18:00
end

memory
  contact.first_name: text
  contact.vip: yes or no = no
  contact.last_order: text, forget after 90 days
  chat.mood: text
end

service shop "https://api.pedal.example"
  key SHOP_TOKEN
  action get_order needs number
    get "/orders/{{ number }}"
    gives status: text, eta: date
  action book needs day, name
    post "/repairs" with day = day, name = name
    gives code: text
end

knowledge faq "knowledge/faq.md"

topic complaint "Something broke"

defaults
  otherwise "Sorry?" up to 2 times, then -> handoff to support
  no reply in 30 minutes "Are you there?"
  no reply in 2 hours -> close
  problem "Something went wrong." -> handoff to support
end

on "agent", "a person" -> handoff to support
on "start over" -> flow welcome
on "thanks"
  say "You're welcome."
  resume
"#;

pub(super) const WELCOME: &str = r#"
flow welcome
starts on "hi"

step hello
  menu "How can we help?"
    "Track my order" also "parcel" -> flow tracking
    "Opening hours" -> hours
    "Talk to us" -> handoff to support
  end

step hours
  say "We open at nine."
  done
"#;

pub(super) const TRACKING: &str = r#"
flow tracking
starts on "track", "where is my order"
starts on topic complaint

step ask for the number
  ask number "What's the number?"
    as text like "A-#####"
    again "So, the number?"
    "I can't find it" -> handoff to support
  end
  -> look

step look
  fetch order from shop.get_order with number = number
    not found "No {{ number }} here." -> ask for the number
  end
  remember number as contact.last_order
  say "{{ number }} is {{ order.status }}, {{ order.eta | day | default('no date') }}."
  menu "Anything else?"
    "Another" -> ask for the number
    "No" -> done
  end

on "help me"
  say "Look at the box."
"#;

pub(super) fn machine(files: &[(&str, &str)]) -> Machine {
    let mut sources = Sources::default();
    for (name, text) in files {
        sources.add(*name, *text);
    }
    let compiled = compile(&sources);
    let errors: Vec<_> = compiled
        .diagnostics
        .iter()
        .filter(|found| found.severity == crate::flow::diagnostic::Severity::Error)
        .map(|found| {
            format!(
                "{} {} at {}",
                found.code,
                found.message,
                sources.place(found.span())
            )
        })
        .collect();
    Machine::load(compiled.program.unwrap_or_else(|| panic!("{errors:#?}")))
}

/// A conversation with the sample above.
pub(super) struct Talk {
    pub machine: Machine,
    /// Versions before it that are still kept.
    pub former: Vec<Arc<Machine>>,
    pub settings: SessionSettings,
    pub position: Position,
    pub memory: Memory,
    pub now: Timestamp,
    /// What came since the last look.
    pub seen: Vec<String>,
    pub turn: Option<Turn>,
    taps: Vec<(String, String)>,
}

impl Talk {
    pub fn new() -> Talk {
        Talk::with(&[
            ("business.flow", BUSINESS),
            ("welcome.flow", WELCOME),
            ("tracking.flow", TRACKING),
        ])
    }

    /// With one more flow.
    pub fn plus(flow: &str) -> Talk {
        Talk::with(&[
            ("business.flow", BUSINESS),
            ("welcome.flow", WELCOME),
            ("tracking.flow", TRACKING),
            ("more.flow", flow),
        ])
    }

    pub fn with(files: &[(&str, &str)]) -> Talk {
        Talk {
            machine: machine(files),
            former: Vec::new(),
            settings: SessionSettings::default(),
            position: Position::default(),
            memory: Memory::default(),
            now: MONDAY.parse().unwrap(),
            seen: Vec::new(),
            turn: None,
            taps: Vec::new(),
        }
    }

    /// Other flows are published; those before them are kept.
    pub fn publishes(&mut self, files: &[(&str, &str)]) -> &mut Talk {
        let before = std::mem::replace(&mut self.machine, machine(files));
        assert_ne!(before.program().hash, self.machine.program().hash);
        self.former.push(Arc::new(before));
        self.skips()
    }

    /// Only the live version is kept.
    pub fn forgets_the_former(&mut self) -> &mut Talk {
        self.former.clear();
        self
    }

    pub fn event(&mut self, kind: EventKind) -> &mut Talk {
        let event = Event { at: self.now, kind };
        let former: Vec<&Machine> = self.former.iter().map(|machine| &**machine).collect();
        let turn = self
            .machine
            .advance_among(&former, &self.settings, &self.position, &self.memory, &event);
        // As a store would: through its bytes.
        let bytes = serde_json::to_vec(&turn.position).unwrap();
        self.position = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(self.position, turn.position);
        self.memory.apply(&turn.memory);
        for outgoing in &turn.outbox {
            if let OutboundBody::Template { parts, .. } = &outgoing.body {
                let replies = parts.replies.iter();
                self.taps
                    .extend(replies.map(|reply| (reply.title.clone(), reply.id.clone())));
            }
            if let OutboundBody::Choices(choices) = &outgoing.body {
                self.taps.extend(
                    choices
                        .options
                        .iter()
                        .map(|option| (option.title.clone(), option.id.clone())),
                );
            }
            self.seen.push(drawn(&outgoing.body));
        }
        self.turn = Some(turn);
        self
    }

    pub fn says(&mut self, text: &str) -> &mut Talk {
        self.event(EventKind::Message(Incoming {
            text: text.to_owned(),
            ..Incoming::default()
        }))
    }

    pub fn sends(&mut self, kind: MediaKind, text: &str, heard: Heard) -> &mut Talk {
        self.event(EventKind::Message(Incoming {
            text: text.to_owned(),
            file: Some(File {
                kind,
                url: "media:1".to_owned(),
                size: None,
                seconds: Some(3),
                heard,
            }),
            ..Incoming::default()
        }))
    }

    /// Taps the newest button of that label.
    #[track_caller]
    pub fn taps(&mut self, label: &str) -> &mut Talk {
        let (title, id) = self
            .taps
            .iter()
            .rev()
            .find(|(title, _)| title == label)
            .unwrap()
            .clone();
        self.event(EventKind::Tap { id, title })
    }

    /// Taps the first button of that label.
    #[track_caller]
    pub fn taps_old(&mut self, label: &str) -> &mut Talk {
        let (title, id) = self
            .taps
            .iter()
            .find(|(title, _)| title == label)
            .unwrap()
            .clone();
        self.event(EventKind::Tap { id, title })
    }

    /// Moves the clock; due timers fire in order on the way.
    pub fn waits(&mut self, seconds: i64) -> &mut Talk {
        let until = self.now + jiff::SignedDuration::from_secs(seconds);
        while let Some((id, due)) = self
            .position
            .timers
            .iter()
            .filter(|(_, due)| **due <= until)
            .min_by_key(|(_, due)| **due)
            .map(|(id, due)| (id.clone(), *due))
        {
            self.now = due;
            self.event(EventKind::Timer { id });
        }
        self.now = until;
        self
    }

    /// The service that is being asked answers.
    #[track_caller]
    pub fn answers(&mut self, status: u16, body: Json) -> &mut Talk {
        let key = self.call().key;
        self.event(EventKind::Result {
            key,
            answer: Answer::Status { status, body },
        })
    }

    #[track_caller]
    pub fn call(&self) -> Call {
        let effects = &self.turn.as_ref().unwrap().effects;
        let call = effects.iter().find_map(|effect| match effect {
            Effect::Call(call) => Some(call.clone()),
            _ => None,
        });
        call.unwrap_or_else(|| panic!("a service is called, not {effects:?}"))
    }

    /// Everything that came since the last look.
    #[track_caller]
    pub fn sees(&mut self, expected: &[&str]) -> &mut Talk {
        let seen = std::mem::take(&mut self.seen);
        assert_eq!(seen, expected);
        self
    }

    /// Forgets what came.
    pub fn skips(&mut self) -> &mut Talk {
        self.seen.clear();
        self
    }

    #[track_caller]
    pub fn rests_at(&mut self, state: &str) -> &mut Talk {
        let at = self.position.frames.last().map_or("", |frame| frame.at.as_str());
        assert_eq!(at, state);
        self
    }

    pub fn effects(&self) -> &[Effect] {
        &self.turn.as_ref().unwrap().effects
    }

    pub fn log(&self) -> &[Log] {
        &self.turn.as_ref().unwrap().log
    }

    #[track_caller]
    pub fn handed_over(&self) -> &HandedOver {
        let effects = self.effects();
        let found = effects.iter().find_map(|effect| match effect {
            Effect::Handoff(handed) => Some(handed),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("the chat is handed over, not {effects:?}"))
    }

    pub fn has_closed(&self, why: Closing) -> bool {
        self.effects()
            .iter()
            .any(|effect| matches!(effect, Effect::Closed { why: own, .. } if *own == why))
    }

    /// Asks for an order, known to the shop or not.
    pub fn tracks(&mut self, status: u16) -> &mut Talk {
        self.says("track")
            .says("a-12345")
            .answers(status, json!({"status": "packed", "eta": "2026-03-04"}))
    }
}

#[test]
fn one_machine_serves_all_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&machine(&[
        ("business.flow", BUSINESS),
        ("welcome.flow", WELCOME),
        ("tracking.flow", TRACKING),
    ]));
}

fn drawn(body: &OutboundBody) -> String {
    match body {
        OutboundBody::Text { body, .. } => body.clone(),
        OutboundBody::Choices(choices) => {
            let options: String = choices
                .options
                .iter()
                .map(|option| format!(" [{}]", option.title))
                .collect();
            format!("{}{options}", choices.body)
        }
        OutboundBody::Link { body, label, url, .. } => format!("{body} [{label} -> {url}]"),
        OutboundBody::React { emoji, .. } => format!("({emoji})"),
        OutboundBody::Template {
            name, text, parts, ..
        } => {
            let replies: String = parts
                .replies
                .iter()
                .map(|reply| format!(" [{}]", reply.title))
                .collect();
            format!("{{{name}}} {text}{replies}")
        }
        other => format!("{other:?}"),
    }
}

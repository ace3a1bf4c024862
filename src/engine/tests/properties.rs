//! For any position and any event: a turn, never a panic; the same turn twice; never two questions at once; never a
//! customer without an answer or a reason.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

static MACHINE: LazyLock<Machine> = LazyLock::new(|| {
    let more = r#"
flow everything
starts on "everything", containing "refund"
starts on photo, voice, reply to reminder
step a
  menu choice "Choose."
    "First" also "one more" = 1
    "Second" = 2
    "Only for some" if contact.vip -> done
    "Back" -> back
    "Again" -> again
    "Start" -> start
    "Resume" -> resume
    otherwise -> b
    no reply in 5 minutes "Still there?"
    no reply in 20 minutes -> b
  end
  later nudge in 2 hours -> nudge
  gather told "Tell."
    as text, voice or photo up to 3
    finish on "Enough" or after 1 minute of quiet
    check told.lines | count < 3 else "Shorter: {{ told.text | short(9) }}"
    "First" -> b
  end
  menu row "Rows {{ told.files | count }}."
    each one in told.lines + [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] as "Row {{ one }}" hint "{{ one }}" = one if one is not 3
      say "{{ one }}"
      -> b
    none -> b
    more "Further"
  end
  split wording
    30% -> b
    70%
      record chose = choice
      -> b
  end
step nudge
  say one of "Hello again." or "Me again."
  for each one in ["a", "b", choice]
    if one is "b" -> a
    say "{{ one }}"
  end
  cancel nudge
  later nudge in 20 hours -> flow everything
  menu comes template reminder with day = "today"
    "I'll be there" also "ok" -> b
    "Change it" = 2
    no reply in 3 hours -> close
  end
  say "{{ comes }}"
  done
step b
  tag "asked {{ choice | default(1) }}"
  send photo "assets/a.jpg" caption "{{ choice | default(2) }}"
  subscribe to news
  pause 1 second
  ask thing "Anything."
    as date, number, email or text
    private
    check thing is not "no" else "Not that."
  end
  do called with given = thing save got
  say "{{ got.back | default('') }} {{ message.text | default('') | short(10) }}"
  set chat.mood = "{{ got.back | default('') | short(20) }}"
  close "Bye."
on "help"
  ask inner "Inner?"
    as yes or no
  end
  set inner2 = inner
  resume
on photo, reply to news
  say "A photo."
"#;
    let advice = r#"
flow advice
starts on "advice"
step a
  answer from faq
    never "prices"
    at most 60 characters
    up to 3 replies, then -> b
    may remember contact.vip, chat.mood
    may use shop.get_order
    topic complaint -> flow tracking
    off topic "No." up to 1 times, then -> b
    no reply in 5 minutes "Still there?"
  end
  -> b
step b
  answer from faq
    not sure -> a
    off topic -> handoff to support
    finished "Good."
  end
  done
"#;
    let called = r#"
flow called
starts when called
needs given: text
gives back: text
step a
  fetch x from shop.get_order with number = given
    refused -> a2
    problem "Problem." -> a2
  end
  done with back = x.status | default("none")
step a2
  list pick "Pick."
    section "One"
      "Alpha"
      "Beta"
    section "Two"
      "Gamma" -> done
  end
  done with back = pick
"#;
    machine(&[
        (
            "business.flow",
            &BUSINESS.replace("defaults", super::templates::TEMPLATE),
        ),
        ("welcome.flow", WELCOME),
        ("tracking.flow", TRACKING),
        ("everything.flow", more),
        ("advice.flow", advice),
        ("called.flow", called),
    ])
});

/// What can happen, by number, so that taps and timers can refer to what there is.
#[derive(Debug, Clone)]
enum Happening {
    Says(String),
    Sends(MediaKind, String, Heard),
    Place,
    Quotes(&'static str, String),
    TapsSent(usize),
    Taps(String),
    Fires(usize),
    FiresAny(String),
    Answers(u16, Json),
    Fails,
    Replies(Says),
    Agent(u8),
    Starts(&'static str),
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(vec![
            "hi", "track", "everything", "advice", "advice", "a-12345", "1", "2", "3", "9", "agent", "help", "help me", "stop", "start", "thanks",
            "First", "Enough", "ok", "change it", "Further", "row 2", "secnd", "back", "again", "resume", "start over", "friday", "4/3", "no", "yes", "x@y.example", "a refund",
            "", "beta", "gamma", "repair", "help", "e-bike", "no thanks", "something else", "can I have a person please", "I can't find it",
        ]).prop_map(str::to_owned),
        1 => ".{0,40}",
        1 => "[a-z ]{0,30}",
    ]
}

fn says() -> impl Strategy<Value = Says> {
    prop_oneof![
        4 => prop::sample::select(vec!["Yes.", "", "See https://x.example", "The prices are high."])
            .prop_map(|text| Says::Text(text.to_owned())),
        1 => ".{0,80}".prop_map(Says::Text),
        1 => prop::sample::select(vec![
            Says::NotSure,
            Says::OffTopic,
            Says::Finished(None),
            Says::Finished(Some("Bye {{ x }}".to_owned())),
            Says::Topic("complaint".to_owned()),
            Says::Topic("nothing".to_owned()),
            Says::Problem { why: "gone".to_owned() },
        ]),
        1 => prop::sample::select(vec!["shop.get_order", "shop.book", "x"]).prop_map(|action| Says::Use {
            action: action.to_owned(),
            args: [("number".to_owned(), json!("A-1"))].into(),
        }),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    let media = prop::sample::select(vec![
        MediaKind::Photo,
        MediaKind::Voice,
        MediaKind::Document,
        MediaKind::Sticker,
    ]);
    let heard = prop::sample::select(vec![
        Heard::NotVoice,
        Heard::Words,
        Heard::Silence,
        Heard::Nothing,
    ]);
    let body = prop::sample::select(vec![
        json!({"status": "packed", "eta": "2026-03-04"}),
        json!({"status": 5, "eta": null}),
        json!({"status": {}, "eta": 1}),
        json!([1, 2]),
        Json::Null,
    ]);
    prop_oneof![
        10 => words().prop_map(Happening::Says),
        2 => (media, words(), heard).prop_map(|(kind, text, heard)| Happening::Sends(kind, text, heard)),
        1 => Just(Happening::Place),
        1 => (prop::sample::select(vec!["reminder", "news", ""]), words())
            .prop_map(|(template, text)| Happening::Quotes(template, text)),
        4 => any::<prop::sample::Index>().prop_map(|at| Happening::TapsSent(at.index(64))),
        1 => prop_oneof![".{0,30}", "sb\\.[0-9]{1,3}\\.[0-9]{1,3}:[a-z/._]{0,20}:[a-z_]{0,10}"].prop_map(Happening::Taps),
        4 => any::<prop::sample::Index>().prop_map(|at| Happening::Fires(at.index(8))),
        1 => "(q[0-9]/[0-9]|idle/[0-9]{1,3}|resolve|takeover|.{0,8})".prop_map(Happening::FiresAny),
        5 => (prop::sample::select(vec![200_u16, 200, 201, 302, 404, 409, 500]), body).prop_map(|(status, body)| Happening::Answers(status, body)),
        1 => Just(Happening::Fails),
        5 => says().prop_map(Happening::Replies),
        2 => (0..4_u8).prop_map(Happening::Agent),
        1 => prop::sample::select(vec!["tracking", "welcome", "nowhere"]).prop_map(Happening::Starts),
    ]
}

/// The sample business of the demo and the documentation.
static SAMPLE: LazyLock<Machine> = LazyLock::new(|| {
    machine(&[
        ("business.flow", include_str!("../../../flows/business.flow")),
        ("welcome.flow", include_str!("../../../flows/welcome.flow")),
        ("tracking.flow", include_str!("../../../flows/tracking.flow")),
        ("repair.flow", include_str!("../../../flows/repair.flow")),
        ("support.flow", include_str!("../../../flows/support.flow")),
        ("identify.flow", include_str!("../../../flows/identify.flow")),
    ])
});

struct Walk {
    machine: &'static Machine,
    position: Position,
    memory: Memory,
    now: Timestamp,
    taps: Vec<String>,
}

impl Walk {
    fn event(&mut self, happening: &Happening) -> Event {
        let message = |text: &str| Incoming {
            text: text.to_owned(),
            ..Incoming::default()
        };
        let kind = match happening {
            Happening::Says(text) => EventKind::Message(message(text)),
            Happening::Sends(kind, text, heard) => EventKind::Message(Incoming {
                file: Some(File {
                    kind: *kind,
                    url: "media:1".to_owned(),
                    size: None,
                    seconds: None,
                    heard: *heard,
                }),
                ..message(text)
            }),
            Happening::Place => EventKind::Message(Incoming {
                place: Some(crate::message::Place {
                    lat: f64::NAN,
                    lng: 1e300,
                    name: None,
                    address: None,
                }),
                ..message("")
            }),
            Happening::Quotes(template, text) => EventKind::Message(Incoming {
                template: Some((*template).to_owned()),
                ..message(text)
            }),
            Happening::TapsSent(at) => {
                let id = self
                    .taps
                    .len()
                    .checked_sub(1)
                    .map(|last| self.taps[last - at % (last + 1)].clone());
                EventKind::Tap {
                    id: id.unwrap_or_default(),
                    title: "hi".to_owned(),
                }
            }
            Happening::Taps(id) => EventKind::Tap {
                id: id.clone(),
                title: "track".to_owned(),
            },
            Happening::Fires(at) => {
                let timers: Vec<_> = self.position.timers.clone().into_iter().collect();
                match timers.get(at % timers.len().max(1)) {
                    Some((id, due)) => {
                        self.now = self.now.max(*due);
                        EventKind::Timer { id: id.clone() }
                    }
                    None => EventKind::Timer { id: String::new() },
                }
            }
            Happening::FiresAny(id) => EventKind::Timer { id: id.clone() },
            Happening::Answers(status, body) => EventKind::Result {
                key: self.key(),
                answer: Answer::Status {
                    status: *status,
                    body: body.clone(),
                },
            },
            Happening::Fails => EventKind::Result {
                key: self.key(),
                answer: Answer::Down {
                    why: "gone".to_owned(),
                },
            },
            Happening::Replies(says) => EventKind::Replied {
                key: self.key(),
                reply: Reply {
                    says: says.clone(),
                    remember: [
                        ("contact.vip".to_owned(), json!(true)),
                        ("chat.mood".to_owned(), json!([1])),
                    ]
                    .into(),
                },
            },
            Happening::Agent(0) => EventKind::Taken {
                agent: "Ana".to_owned(),
            },
            Happening::Agent(1) => EventKind::PersonSaid {
                agent: "Ana".to_owned(),
            },
            Happening::Agent(2) => EventKind::Returned,
            Happening::Agent(_) => EventKind::Close,
            Happening::Starts(flow) => EventKind::Start {
                flow: (*flow).to_owned(),
                values: Default::default(),
            },
        };
        self.now += jiff::SignedDuration::from_secs(7);
        Event { at: self.now, kind }
    }

    fn key(&self) -> String {
        let frame = self.position.frames.last();
        frame.map_or_else(String::new, |frame| {
            format!("{}.{}.{}", self.position.session, frame.visit, frame.at)
        })
    }

    /// Applies the event twice and checks what must hold of every turn.
    fn step(&mut self, event: &Event) -> Result<Turn, TestCaseError> {
        let settings = SessionSettings::default();
        let turn = self
            .machine
            .advance(&settings, &self.position, &self.memory, event);
        let twin = self
            .machine
            .advance(&settings, &self.position, &self.memory, event);
        prop_assert_eq!(&turn, &twin);
        prop_assert_eq!(
            serde_json::to_vec(&turn.position).unwrap(),
            serde_json::to_vec(&twin.position).unwrap()
        );
        let asked = turn
            .log
            .iter()
            .filter(|log| matches!(log, Log::Asked { .. }))
            .count();
        prop_assert!(asked <= 1, "{asked} questions at once: {:?}", turn.log);
        let by_customer = matches!(event.kind, EventKind::Message(_) | EventKind::Tap { .. });
        if by_customer && self.position.mode == Mode::Autopilot {
            let reasoned = turn.log.iter().any(|log| {
                matches!(
                    log,
                    Log::Stale { .. } | Log::Unanswered | Log::Left { .. } | Log::Collected { .. }
                )
            });
            prop_assert!(
                !turn.outbox.is_empty() || !turn.effects.is_empty() || reasoned,
                "unanswered: {event:?}"
            );
        }
        if self.position.mode == Mode::Human && turn.position.mode == Mode::Human {
            let legal = turn
                .effects
                .iter()
                .any(|effect| matches!(effect, Effect::OptOut { .. }));
            prop_assert!(
                turn.outbox.is_empty() || legal,
                "the bot talks over a person: {:?}",
                turn.outbox
            );
        }
        for outgoing in &turn.outbox {
            if let OutboundBody::Choices(choices) = &outgoing.body {
                prop_assert!(choices.options.iter().all(|option| option.id.len() <= 200));
            }
        }
        prop_assert!(turn.position.interrupted.len() <= 3 && turn.position.old.len() <= 8);
        // What the host is told of timers leads from the old ones to the new ones.
        let mut timers = self.position.timers.clone();
        for change in &turn.timers {
            match change {
                TimerChange::Set { id, due } => timers.insert(id.clone(), *due),
                TimerChange::Cancel { id } => timers.remove(id),
            };
        }
        prop_assert_eq!(&timers, &turn.position.timers);
        // A position survives storage.
        let bytes = serde_json::to_string(&turn.position).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Position>(&bytes).unwrap(), &turn.position);
        Ok(turn)
    }
}

fn walk(sample: bool) -> Walk {
    Walk {
        machine: if sample { &SAMPLE } else { &MACHINE },
        position: Position::default(),
        memory: Memory::default(),
        now: MONDAY.parse().unwrap(),
        taps: Vec::new(),
    }
}

/// Changes one leaf of a position's JSON, chosen by number.
fn mutate(json: &mut Json, at: &mut usize, with: &Json) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(|item| mutate(item, at, with)),
        Json::Object(fields) => fields.iter_mut().for_each(|(_, item)| mutate(item, at, with)),
        leaf => {
            if *at == 0 {
                *leaf = with.clone();
            }
            *at = at.wrapping_sub(1);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_conversation_gives_sound_turns(sample: bool, happenings in prop::collection::vec(happening(), 1..60)) {
        let mut walk = walk(sample);
        for happening in &happenings {
            let event = walk.event(happening);
            let turn = walk.step(&event)?;
            walk.memory.apply(&turn.memory);
            for effect in &turn.effects {
                if let Effect::OptOut { opted_out } = effect {
                    walk.memory.opted_out = *opted_out;
                }
            }
            for outgoing in &turn.outbox {
                if let OutboundBody::Template { parts, .. } = &outgoing.body {
                    walk.taps.extend(parts.replies.iter().map(|reply| reply.id.clone()));
                }
                if let OutboundBody::Choices(choices) = &outgoing.body {
                    walk.taps.extend(choices.options.iter().map(|option| option.id.clone()));
                }
            }
            walk.position = turn.position;
        }
    }

    #[test]
    fn a_position_that_was_tampered_with_gives_a_turn_all_the_same(
        sample: bool,
        happenings in prop::collection::vec(happening(), 1..20),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..9_usize), 1..6),
        then in prop::collection::vec(happening(), 1..5),
    ) {
        let mut walk = walk(sample);
        for happening in &happenings {
            let event = walk.event(happening);
            let turn = walk.step(&event)?;
            walk.position = turn.position;
        }
        let names = ["", "nowhere", "welcome/hello.menu", "tracking/look.order", "tracking", "everything/b.do_called", "autopilot"];
        let mut json = serde_json::to_value(&walk.position).unwrap();
        for (place, with) in changes {
            let with = match with {
                7 => json!(u64::MAX),
                8 => json!(0),
                other => json!(names[other]),
            };
            mutate(&mut json, &mut place.index(40), &with);
        }
        // Most changes are still positions; what isn't would be refused by the store.
        if let Ok(position) = serde_json::from_value(json) {
            walk.position = position;
            for happening in &then {
                let event = walk.event(happening);
                let turn = walk.machine.advance(&SessionSettings::default(), &walk.position, &walk.memory, &event);
                prop_assert_eq!(&turn, &walk.machine.advance(&SessionSettings::default(), &walk.position, &walk.memory, &event));
                walk.position = turn.position;
            }
        }
    }
}

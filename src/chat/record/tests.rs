//! A conversation of Sari Wijaya, with all that must not be in a test.

use serde_json::json;

use super::*;
use crate::flow::compile;
use crate::flow::source::Sources;
use crate::message::OutboundBody;

const BUSINESS: &str = r#"business "Boots"
timezone "UTC"
languages en
starts with front

team support "Care"
end

memory
  contact.first_name: text
end

service shop "https://shop.example"
  action get_order needs number
    get "/orders/{{ number }}"
    gives status: text, owner_name: text, phone: text
end

defaults
  otherwise "Sorry?" up to 2 times, then -> handoff to support
  problem "Something went wrong." -> handoff to support
end
"#;

const FRONT: &str = r#"flow front "Front door"
starts on "hi"

step hello
  ask first_name "Who are you?"
  remember first_name as contact.first_name
  -> order

step order
  ask number "Thanks {{ first_name }}, which order?"
    as text like "A-#####"
    "I lost it" -> lost
    no reply in 10 minutes "Still there, {{ first_name }}?"
  end
  fetch order from shop.get_order with number = number
  if order.status is "sent 2 days ago"
    say "{{ number }} of {{ order.owner_name }} ({{ order.phone }}) is on its way."
  else
    say "It is {{ order.status }}."
  end
  done

step lost
  ask where "Where do you live?"
    as location
  end
  handoff to support
"#;

fn machine(front: &str) -> Machine {
    let mut sources = Sources::default();
    sources.add("business.flow".to_owned(), BUSINESS.to_owned());
    sources.add("front.flow".to_owned(), front.to_owned());
    let compiled = compile(&sources);
    assert!(compiled.program.is_some(), "{:?}", compiled.diagnostics);
    Machine::load(compiled.program.expect("asserted"))
}

fn says(text: &str) -> What {
    What::Customer(Act::Types(text.to_owned()))
}

fn bot(text: &str) -> What {
    let body = OutboundBody::Text {
        body: text.to_owned(),
        preview: false,
    };
    What::Bot(super::super::transcript::show(&body).remove(0))
}

fn asks(text: &str, option: &str) -> What {
    let What::Bot(mut shown) = bot(text) else {
        unreachable!("a bot speaks");
    };
    shown.extras.push(format!("[{option}]"));
    What::Bot(shown)
}

/// Facts at seconds after 09:00:30.
fn facts(all: Vec<(i64, What)>) -> Vec<Fact> {
    let start: Timestamp = "2026-03-02T09:00:30Z".parse().expect("a time");
    let fact = |(seconds, what)| Fact {
        at: start + SignedDuration::from_secs(seconds),
        what,
    };
    all.into_iter().map(fact).collect()
}

fn sari() -> Contact {
    Contact {
        memory: Memory {
            name: Some("Sari Wijaya".to_owned()),
            phone: Some("6281100000011".to_owned()),
            ..Memory::default()
        },
        lot: 7,
        from_the_beginning: true,
    }
}

fn conversation() -> Vec<Fact> {
    facts(vec![
        (0, says("hi")),
        (1, bot("Who are you?")),
        (20, says("Sari, sari@mail.example or +62 811 0000 0011")),
        (
            21,
            asks(
                "Thanks Sari, sari@mail.example or +62 811 0000 0011, which order?",
                "I lost it",
            ),
        ),
        (
            621,
            bot("Still there, Sari, sari@mail.example or +62 811 0000 0011?"),
        ),
        (700, says("a-48151")),
        (
            701,
            What::Answered {
                key: "1.2.front/order.order".to_owned(),
                answer: Some(Answer::Status {
                    status: 200,
                    body: json!({"status": "sent 2 days ago", "owner_name": "Budi Wijaya", "phone": "+6281234567890"}),
                }),
                private: false,
            },
        ),
        (702, bot("A-48151 of Budi Wijaya (+6281234567890) is on its way.")),
    ])
}

#[test]
fn a_stored_conversation_becomes_a_transcript_that_goes_as_recorded_and_names_nobody() {
    let recording = record(&machine(FRONT), "t.chat", &sari(), &conversation()).expect("it is recorded");
    assert_eq!(recording.goes, Goes::AsRecorded, "{}", recording.chat);
    let folded = recording.chat.to_lowercase();
    for private in [
        "sari",
        "wijaya",
        "budi",
        "mail.example",
        "0811",
        "811 0000",
        "48151",
        "81234567890",
    ] {
        assert!(!folded.contains(private), "{private} is in\n{}", recording.chat);
    }
    // What the flow compares with is as it was, and the same number is replaced by the same.
    assert!(recording.chat.contains("sent 2 days ago"), "{}", recording.chat);
    let number = recording
        .chat
        .lines()
        .find(|line| line.starts_with("Maria: a-4"))
        .expect("a number");
    let number = number.trim_start_matches("Maria: ").to_uppercase();
    assert!(
        recording.chat.contains(&format!("Bot:   {number} of ")),
        "{}",
        recording.chat
    );
    assert!(
        recording.chat.contains("(30 seconds pass)"),
        "the clock is the conversation's own"
    );
}

#[test]
fn flows_that_answer_otherwise_today_are_told_and_the_transcript_keeps_what_was_said() {
    let changed = FRONT.replace("is on its way.", "was posted.");
    let recording = record(&machine(&changed), "t.chat", &sari(), &conversation()).expect("it is recorded");
    let Goes::Otherwise(report) = &recording.goes else {
        panic!("the sentence has changed\n{}", recording.chat);
    };
    assert!(report.contains("was posted."), "{report}");
    assert!(recording.chat.contains("is on its way."), "{}", recording.chat);
    assert!(!recording.chat.to_lowercase().contains("wijaya") && !report.to_lowercase().contains("wijaya"));
}

#[test]
fn places_taps_people_and_silence_are_told() {
    let lost = facts(vec![
        (0, says("hi")),
        (1, bot("Who are you?")),
        (9, says("Sari")),
        (10, asks("Thanks Sari, which order?", "I lost it")),
        (30, What::Customer(Act::Taps("I lost it".to_owned()))),
        (31, bot("Where do you live?")),
        (
            60,
            What::Customer(Act::Location {
                lat: -6.2146,
                lng: 106.8451,
                name: Some("Jalan Sari 3".to_owned()),
            }),
        ),
        (90, says("hello?")),
        (
            120,
            What::Person {
                text: "I am here, Sari.".to_owned(),
            },
        ),
        (150, What::Returned),
    ]);
    let recording = record(&machine(FRONT), "t.chat", &sari(), &lost).expect("it is recorded");
    assert_eq!(recording.goes, Goes::AsRecorded, "{}", recording.chat);
    assert!(
        recording.chat.contains("(location 41.1, -8.6 named \"Place 1\")"),
        "{}",
        recording.chat
    );
    assert!(
        recording.chat.contains("Ana (team): I am here, Maria."),
        "{}",
        recording.chat
    );
    assert!(
        recording.chat.ends_with("(Ana returns the chat)\n"),
        "{}",
        recording.chat
    );
    assert!(!recording.chat.contains("106.8"));
}

const SECRETS: &str = r#"flow front "Front door"
starts on "hi"

step hello
  ask code "Your code?"
    as text like "P-####"
    private
  end
  set whole = "X-" + code
  fetch match from shop.check with code = whole
    not found "There is none." -> hello
  end
  if match.right
    say "That's right."
  else
    say "That's wrong."
  end
  done
"#;

/// A shop that checks codes.
fn secretive() -> Machine {
    let mut sources = Sources::default();
    let business = BUSINESS.replace(
        "  action get_order",
        "  action check needs code\n    get \"/codes/{{ code }}\"\n    gives right: yes or no, owner: text\n  action get_order",
    );
    sources.add("business.flow".to_owned(), business);
    sources.add("front.flow".to_owned(), SECRETS.to_owned());
    let compiled = compile(&sources);
    assert!(compiled.program.is_some(), "{:?}", compiled.diagnostics);
    Machine::load(compiled.program.expect("asserted"))
}

#[test]
fn what_a_service_answered_to_something_private_is_not_told() {
    let kept = |right: bool| Answer::Status {
        status: 200,
        body: json!({"right": right, "owner": "Budi of Jalan Kenanga"}),
    };
    let stripped = Answer::Status {
        status: 200,
        body: serde_json::Value::Null,
    };
    for (answer, private, said, given) in [
        // Kept by a version before this one.
        (
            kept(true),
            false,
            "That's right.",
            "{\"right\":true,\"owner\":\"owner 1\"}",
        ),
        (
            stripped,
            true,
            "That's wrong.",
            "{\"right\":false,\"owner\":\"owner 1\"}",
        ),
    ] {
        let answered = What::Answered {
            key: "1.2.front/hello.match".to_owned(),
            answer: Some(answer),
            private,
        };
        let facts = facts(vec![
            (0, says("hi")),
            (1, bot("Your code?")),
            (9, says("P-4711")),
            (10, answered),
            (11, bot(said)),
        ]);
        let recording = record(&secretive(), "t.chat", &sari(), &facts).expect("it is recorded");
        let chat = &recording.chat;
        assert_eq!(recording.goes, Goes::AsRecorded, "{chat}");
        assert!(!chat.contains("Kenanga") && !chat.contains("4711"), "{chat}");
        assert!(chat.contains("\nMaria: P-1111\n"), "{chat}");
        let wanted = format!(
            "  # this call was given something private: what it answered is not told, these are made up\n  given shop.check answers 200 {given}\n"
        );
        assert!(chat.contains(&wanted), "{chat}");
    }
}

#[test]
fn what_a_customer_answered_to_a_private_question_is_not_told_in_any_words() {
    let front = "flow front\nstarts on \"hi\"\n\nstep hello\n  ask story \"What may nobody know?\"\n    private\n  end\n  \
                 fetch match from shop.get_order with number = story\n  say \"It is {{ match.status }}.\"\n  done\n";
    let answered = What::Answered {
        key: "1.2.front/hello.match".to_owned(),
        answer: Some(Answer::TimedOut { why: String::new() }),
        private: true,
    };
    let facts = facts(vec![
        (0, says("hi")),
        (1, bot("What may nobody know?")),
        (9, says("Dewi and I are moving")),
        (10, answered),
        (11, bot("Something went wrong.")),
    ]);
    let recording = record(&machine(front), "t.chat", &sari(), &facts).expect("it is recorded");
    let chat = &recording.chat;
    assert_eq!(recording.goes, Goes::AsRecorded, "{chat}");
    assert!(chat.contains("\nMaria: something private\n"), "{chat}");
    assert!(!chat.contains("Dewi") && !chat.contains("moving"), "{chat}");
    assert!(chat.contains("  given shop.get_order times out\n"), "{chat}");
}

#[test]
fn the_status_of_a_private_answer_is_told() {
    let answered = What::Answered {
        key: "1.2.front/hello.match".to_owned(),
        answer: Some(Answer::Status {
            status: 404,
            body: json!({"why": "Budi has another"}),
        }),
        private: true,
    };
    let facts = facts(vec![
        (0, says("hi")),
        (1, bot("Your code?")),
        (9, says("P-4711")),
        (10, answered),
        (11, bot("There is none.")),
        (12, bot("Your code?")),
    ]);
    let recording = record(&secretive(), "t.chat", &sari(), &facts).expect("it is recorded");
    assert_eq!(recording.goes, Goes::AsRecorded, "{}", recording.chat);
    assert!(
        recording.chat.contains("given shop.check answers 404\n"),
        "{}",
        recording.chat
    );
}

#[test]
fn lines_in_which_people_wrote_freely_are_named_at_the_top() {
    let facts = facts(vec![
        (0, says("hi")),
        (1, bot("Who are you?")),
        (20, says("ask my neighbour Dewi")),
        (
            21,
            asks("Thanks ask my neighbour Dewi, which order?", "I lost it"),
        ),
        (30, What::Customer(Act::Taps("I lost it".to_owned()))),
        (31, bot("Where do you live?")),
        (
            40,
            What::Person {
                text: "I'll call Dewi.".to_owned(),
            },
        ),
    ]);
    let recording = record(&machine(FRONT), "t.chat", &sari(), &facts).expect("it is recorded");
    let lines: Vec<&str> = recording.chat.lines().collect();
    let at = |words: &str| {
        let line = lines.iter().position(|line| line.contains(words));
        line.map_or(0, |line| line + 1)
    };
    let wanted = format!(
        "# Look at line {}, {} before you keep this: people wrote there in their own words, and a name or an address in them can't be known.",
        at("Maria: ask my neighbour"),
        at("Ana (team): I'll call")
    );
    assert_eq!(lines[0], wanted, "{}", recording.chat);
    assert!(lines[1].starts_with("chat "), "{}", recording.chat);
    // Where nobody did, nothing is to be looked at.
    let plain = conversation().into_iter().take(2).collect::<Vec<_>>();
    let recording = record(&machine(FRONT), "t.chat", &sari(), &plain).expect("it is recorded");
    assert!(recording.chat.starts_with("chat "), "{}", recording.chat);
}

const WAYS_IN: &str = r#"flow front "Front door"
starts on topic fitting
starts on link "spring"
starts on reply to visit

step hello
  form details delivery "Where to?"
    open "Fill in"
  end
  say "To {{ details.street | default('?') }}."
  done
"#;

#[test]
fn topics_links_quotes_and_forms_are_told_as_transcripts_tell_them() {
    let business = BUSINESS.replace(
        "service shop",
        "topic fitting \"Which size fits\"\n\nform delivery \"1234567890\"\n  gives street: text\nend\n\n\
         template visit utility\n  en \"Your visit is tomorrow.\"\nend\n\nservice shop",
    );
    let mut sources = Sources::default();
    sources.add("business.flow".to_owned(), business);
    sources.add("front.flow".to_owned(), WAYS_IN.to_owned());
    let compiled = compile(&sources);
    assert!(compiled.program.is_some(), "{:?}", compiled.diagnostics);
    let machine = Machine::load(compiled.program.expect("asserted"));
    let meant = |topic: Option<&str>, links: &[&str]| What::Meant {
        topic: topic.map(str::to_owned),
        links: links.iter().map(|link| (*link).to_owned()).collect(),
    };
    let asks = || {
        let What::Bot(mut shown) = bot("Where to?") else {
            unreachable!("a bot speaks");
        };
        shown.extras.push("<Fill in>".to_owned());
        What::Bot(shown)
    };
    let fills = || What::Customer(Act::Form(json!({"street": "Jalan Kenanga 12345"})));
    for (first, meant, line) in [
        (
            says("do you fit"),
            Some(meant(Some("fitting"), &[])),
            "Maria: do you fit\n(topic fitting)\n",
        ),
        (
            says("I saw you"),
            Some(meant(None, &["23851", "spring"])),
            "Maria: I saw you\n(link \"spring\")\n",
        ),
        (
            What::Customer(Act::Quotes {
                template: "visit".to_owned(),
                words: "Which one?".to_owned(),
            }),
            None,
            "Maria: (reply to visit \"Which one?\")\n",
        ),
    ] {
        let mut all = vec![(0, first)];
        all.extend(meant.map(|meant| (1, meant)));
        all.extend([(2, asks()), (20, fills()), (21, bot("To Jalan Kenanga 12345."))]);
        let recording = record(&machine, "t.chat", &sari(), &facts(all)).expect("it is recorded");
        let chat = &recording.chat;
        assert_eq!(recording.goes, Goes::AsRecorded, "{chat}");
        assert!(chat.contains(line), "{chat}");
        assert!(
            chat.contains("Maria: (form {\"street\":\"Jalan Kenanga "),
            "{chat}"
        );
        assert!(!chat.contains("12345"), "{chat}");
    }
}

#[test]
fn nothing_to_tell_is_said() {
    let nothing = record(&machine(FRONT), "t.chat", &sari(), &[]);
    assert_eq!(nothing, Err(NotRecorded::Nothing));
}

//! One fault of each class is planted in a sound business, and is found; the transcript of it shows it again.

use super::*;
use crate::chat::{parse, run};
use crate::engine::{Event, Turn as Done};
use crate::flow::compile;
use crate::flow::program::{Due, Instruction, Op, Place, Program};
use crate::flow::source::Sources;
use crate::message::OutboundBody;

const BUSINESS: &str = r#"business "Boots"
timezone "Europe/Lisbon"
languages en
starts with front

team support "Care"
  hours mon to sun 09:00 to 18:00
end

service shop "https://shop.example"
  action get_order needs number
    get "/orders/{{ number }}"
    gives status: text
end

defaults
  otherwise "Sorry?" up to 2 times, then -> handoff to support
  problem "Something went wrong." -> handoff to support
end

on "agent" -> handoff to support
"#;

const FRONT: &str = r#"flow front "Front door"
starts on "hi"

step hello
  menu "What can I do?"
    "An order" -> order
    "Nothing" -> bye
  end

step order
  ask number "Which number?"
    as text like "A-##"
  end
  fetch order from shop.get_order with number = number
    not found "There is none." -> order
  end
  say "It is {{ order.status }}."
  later nudge in 6 hours -> nudge
  done

step nudge
  menu "Did it come?"
    "Yes" -> bye
    "No" -> handoff to support
  end

step bye
  close "Bye!"
"#;

fn program() -> Program {
    compiled(BUSINESS, FRONT)
}

fn compiled(business: &str, front: &str) -> Program {
    let mut sources = Sources::default();
    sources.add("business.flow".to_owned(), business.to_owned());
    sources.add("front.flow".to_owned(), front.to_owned());
    let compiled = compile(&sources);
    assert!(compiled.diagnostics.is_empty(), "{:?}", compiled.diagnostics);
    compiled.program.expect("no mistakes, so a program")
}

/// Walks until something is found.
#[track_caller]
fn found(explorer: &mut Explorer<'_>) -> Finding {
    for seed in 1..=300 {
        if let Err(lost) = explorer.walk(seed, 60) {
            assert!(lost.turn() <= 60);
            return explorer.tell(&lost);
        }
    }
    panic!("nothing was found");
}

/// What is found in a program, whose transcript is refused by the same program with the same reason.
#[track_caller]
fn found_in(program: Program) -> Finding {
    let machine = Machine::load(program);
    let finding = found(&mut Explorer::new(&machine));
    let failure = failure(&machine, &finding.chat);
    assert!(
        failure.contains(&finding.what.to_string()),
        "{failure}\n{}",
        finding.chat
    );
    finding
}

/// Why a transcript fails; empty if it goes as written.
#[track_caller]
fn failure(machine: &Machine, chat: &str) -> String {
    let stories = parse::parse("found.chat", chat).unwrap_or_else(|mistakes| panic!("{mistakes:?}\n{chat}"));
    assert_eq!(stories.len(), 1, "{chat}");
    run::play(machine, &stories[0])
        .failure
        .map(|failure| format!("{failure:?}").replace("\\\"", "\""))
        .unwrap_or_default()
}

#[test]
fn in_a_sound_business_nothing_is_found_and_the_same_seed_is_the_same_customer() {
    let machine = Machine::load(program());
    let mut explorer = Explorer::new(&machine);
    for seed in 1..=100 {
        if let Err(lost) = explorer.walk(seed, 100) {
            panic!("{}", explorer.tell(&lost).chat);
        }
    }
    assert_eq!(
        explorer.walk(3, 50).expect("nothing found"),
        Explorer::new(&machine).walk(3, 50).expect("nothing found")
    );
}

#[test]
fn a_text_that_cannot_be_said_is_found() {
    let mut program = program();
    for text in &mut program.texts {
        text.source = text.source.replace("order.status", "order.colour");
    }
    let finding = found_in(program.clone());
    assert_eq!(finding.what.class(), "fault");
    assert!(finding.moves <= 3, "it is not shrunk:\n{}", finding.chat);
    assert!(finding.chat.contains("given shop.get_order answers 200"));
}

#[test]
fn what_a_model_replied_on_the_way_to_a_fault_stands_in_its_transcript() {
    let business = BUSINESS.replace("service shop", "knowledge faq \"faq.md\"\n\nservice shop");
    let front = FRONT.replace(
        "\nstep bye",
        "\nstep advise\n  answer from faq\n    not sure -> order\n    off topic \"Only boots.\" up to 1 time, then -> order\n    finished -> doubt\n    no reply in 20 minutes -> done\n  end\n\nstep doubt\n  say \"Asked {{ business.name }}.\"\n  done\n\nstep bye",
    );
    let front = front.replace(
        "\"Nothing\" -> bye",
        "\"A question\" -> advise\n    \"Nothing\" -> bye",
    );
    let mut program = compiled(&business, &front);
    for text in &mut program.texts {
        text.source = text
            .source
            .replace("Asked {{ business.name }}", "Asked {{ business.colour }}");
    }
    let finding = found_in(program);
    assert_eq!(finding.what.class(), "fault");
    assert!(finding.chat.contains("(ai is finished)"), "{}", finding.chat);
}

/// A business whose one text can't be said, behind a door of its own; the same without the fault; and what is found.
#[track_caller]
fn found_behind(business: &str, door: &str) -> Finding {
    let mut sources = Sources::default();
    sources.add("business.flow".to_owned(), business.to_owned());
    sources.add("front.flow".to_owned(), FRONT.to_owned());
    sources.add("door.flow".to_owned(), door.to_owned());
    let compiled = compile(&sources);
    assert!(compiled.diagnostics.is_empty(), "{:?}", compiled.diagnostics);
    let sound = compiled.program.expect("no mistakes, so a program");
    let mut program = sound.clone();
    for text in &mut program.texts {
        text.source = text
            .source
            .replace("{{ business.name }}", "{{ business.colour }}");
    }
    assert_ne!(program.texts, sound.texts, "the fault is planted");
    let finding = found_in(program);
    assert_eq!(finding.what.class(), "fault");
    let machine = Machine::load(sound);
    let mut explorer = Explorer::new(&machine);
    for seed in 1..=50 {
        if let Err(lost) = explorer.walk(seed, 60) {
            panic!("{}", explorer.tell(&lost).chat);
        }
    }
    let mended = failure(&machine, &finding.chat);
    assert!(!mended.contains(&finding.what.to_string()), "{mended}");
    finding
}

#[test]
fn a_fault_behind_a_form_that_was_filled_in_is_found() {
    let business = BUSINESS.replace(
        "service shop",
        "form delivery \"1234567890\"\n  gives street: text, floor: whole number, lift: yes or no, day: date\nend\n\nservice shop",
    );
    let door = "flow deliver\nstarts on \"deliver\"\n\nstep where\n  form details delivery \"Where to?\"\n    open \"Fill in\"\n    \
                otherwise \"Use the button.\" up to 2 times, then -> handoff to support\n  end\n  if details.floor | default(0) > 20\n    \
                say \"{{ business.name }} has no ladder that long.\"\n  end\n  done\n";
    let finding = found_behind(&business, door);
    assert!(finding.chat.contains("\nMaria: (form {"), "{}", finding.chat);
    assert!(finding.moves <= 2, "it is not shrunk:\n{}", finding.chat);
}

#[test]
fn a_form_with_a_field_of_another_type_is_among_what_customers_send() {
    fn silent(event: &Event, turn: &mut Done) {
        let form = matches!(&event.kind, EventKind::Message(message) if message.form.is_some());
        let refused = |log: &Log| matches!(log, Log::Left { state, exit: crate::engine::Exit::Otherwise } if state == "front/where.details");
        if form && turn.log.iter().any(refused) {
            turn.outbox.clear();
        }
    }
    let business = BUSINESS.replace(
        "service shop",
        "form delivery \"1234567890\"\n  gives floor: whole number\nend\n\nservice shop",
    );
    let front = FRONT.replace(
        "\nstep bye",
        "\nstep where\n  form details delivery \"Where to?\"\n    open \"Fill in\"\n  end\n  say \"Floor {{ details.floor | default('?') }}.\"\n  done\n\nstep bye",
    );
    let front = front.replace(
        "\"Nothing\" -> bye",
        "\"Bring it\" -> where\n    \"Nothing\" -> bye",
    );
    let machine = Machine::load(compiled(&business, &front));
    let mut explorer = Explorer::new(&machine);
    explorer.tamper = Some(silent);
    let finding = found(&mut explorer);
    assert_eq!(finding.what.class(), "unanswered");
    assert!(
        finding
            .chat
            .contains("Maria: (form {\"floor\":\"something else\"})"),
        "{}",
        finding.chat
    );
}

#[test]
fn a_fault_behind_an_event_of_the_business_s_own_systems_is_found() {
    let door = "flow shipped\nstarts on event order.shipped\nneeds number: text, eta: date, late: yes or no, items: list of text, price: money\n\n\
                step tell\n  if late and price > 20\n    notify support \"{{ business.name }}: {{ number }} is late, {{ items | count }}.\"\n  end\n  done\n";
    let finding = found_behind(BUSINESS, door);
    assert!(
        finding.chat.contains("\n(event order.shipped with number \""),
        "{}",
        finding.chat
    );
    assert_eq!(finding.moves, 1, "it is not shrunk:\n{}", finding.chat);
}

#[test]
fn a_fault_behind_a_link_is_found() {
    let door = "flow spring\nstarts on link \"spring\"\n\nstep hello\n  say \"{{ business.name }} in spring!\"\n  done\n";
    let finding = found_behind(BUSINESS, door);
    assert!(finding.chat.contains("\n(link \"spring\")\n"), "{}", finding.chat);
    assert_eq!(finding.moves, 1, "it is not shrunk:\n{}", finding.chat);
}

#[test]
fn a_fault_behind_a_quoted_template_is_found() {
    let business = BUSINESS.replace(
        "service shop",
        "template visit utility\n  en \"Your visit is tomorrow.\"\nend\n\nservice shop",
    );
    let door = "flow visit\nstarts on reply to visit\n\nstep hello\n  say \"{{ business.name }} changes your visit.\"\n  done\n";
    let finding = found_behind(&business, door);
    assert!(
        finding.chat.contains("\nMaria: (reply to visit \""),
        "{}",
        finding.chat
    );
    assert_eq!(finding.moves, 1, "it is not shrunk:\n{}", finding.chat);
}

#[test]
fn a_fault_at_the_end_of_the_window_is_found() {
    let business =
        format!("{BUSINESS}\non window closing\n  say \"{{{{ business.name }}}} is still here.\"\n");
    let door = "flow more\nstarts on \"more\"\n\nstep hello\n  say \"More!\"\n  done\n";
    let finding = found_behind(&business, door);
    let told = ["\n(window is closing)\n", "\n(window closes)\n", " pass)\n"];
    assert!(
        told.iter().any(|line| finding.chat.contains(line)),
        "{}",
        finding.chat
    );
    assert_eq!(finding.moves, 2, "it is not shrunk:\n{}", finding.chat);
}

#[test]
fn a_message_without_an_answer_is_found() {
    let mut program = program();
    let stays = program.code.len() as u32;
    program.code.push(Instruction {
        op: Op::Wait,
        place: Place { file: 1, line: 7 },
    });
    for state in &mut program.states {
        if let StateKind::Question(question) = &mut state.kind {
            for choice in question
                .options
                .iter_mut()
                .filter(|choice| choice.id.contains("nothing"))
            {
                choice.run = Some(stays);
            }
        }
    }
    let finding = found_in(program);
    assert_eq!(finding.what.class(), "unanswered");
    assert!(finding.moves <= 2, "it is not shrunk:\n{}", finding.chat);
}

#[test]
fn a_message_to_a_closed_window_is_found() {
    let mut program = program();
    for instruction in &mut program.code {
        if let Op::Plan(plan) = &mut instruction.op {
            plan.due = Due::In(30 * 3600);
        }
    }
    let finding = found_in(program);
    assert_eq!(finding.what.class(), "closed_window");
    assert!(finding.what.to_string().contains("Did it come?"));
}

#[test]
fn a_place_without_a_way_out_is_found() {
    let mut program = program();
    program.ons.clear();
    program.starts.clear();
    let entry = program.steps[program.flows[0].entry as usize].entry;
    for state in &mut program.states {
        if let StateKind::Question(question) = &mut state.kind {
            question.otherwise.iter_mut().for_each(|otherwise| {
                otherwise.up_to = None;
                otherwise.run = None;
            });
            question
                .options
                .iter_mut()
                .for_each(|choice| choice.run = Some(entry));
            question.next = entry;
        }
    }
    let finding = found_in(program);
    assert_eq!(finding.what.class(), "stranded");
    assert_eq!(finding.moves, 1, "{}", finding.chat);
}

#[test]
fn a_service_that_is_asked_again_and_again_is_found() {
    let mut program = program();
    let call = program
        .code
        .iter()
        .position(|instruction| matches!(instruction.op, Op::Effect(_)))
        .expect("there is a call") as u32;
    for state in &mut program.states {
        if let StateKind::Fetch(fetch) = &mut state.kind {
            fetch.next = call;
            fetch.not_found = Some(call);
            fetch.refused = Some(call);
            fetch.problem = Some(call);
        }
    }
    let machine = Machine::load(program);
    let finding = found(&mut Explorer::new(&machine));
    assert_eq!(finding.what.class(), "circle");
    assert!(failure(&machine, &finding.chat).contains("Endless"));
}

#[test]
fn two_questions_at_once_are_found() {
    fn twice(_: &Event, turn: &mut Done) {
        let asked: Vec<Log> = turn
            .log
            .iter()
            .filter(|log| matches!(log, Log::Asked { .. }))
            .cloned()
            .collect();
        turn.log.extend(asked);
    }
    fn shown_twice(_: &Event, turn: &mut Done) {
        let shown: Vec<_> = turn
            .outbox
            .iter()
            .filter(|said| matches!(said.body, OutboundBody::Choices(_)))
            .cloned()
            .collect();
        turn.outbox.extend(shown);
    }
    for tamper in [twice as fn(&Event, &mut Done), shown_twice] {
        let machine = Machine::load(program());
        let mut explorer = Explorer::new(&machine);
        explorer.tamper = Some(tamper);
        let finding = found(&mut explorer);
        assert_eq!(finding.what.class(), "two_questions");
        assert_eq!(finding.moves, 1);
        // The machine itself is sound, so its own transcript of it has nothing to show.
        assert!(parse::parse("found.chat", &finding.chat).is_ok());
    }
}

#[test]
fn a_bot_that_talks_over_a_person_is_found() {
    fn talks(event: &Event, turn: &mut Done) {
        if turn.position.mode == Mode::Human
            && matches!(event.kind, EventKind::Message(_))
            && turn.outbox.is_empty()
        {
            turn.outbox.push(crate::engine::Outgoing {
                body: OutboundBody::Text {
                    body: "I am here too.".to_owned(),
                    preview: false,
                },
                said_at: None,
                after_ms: 0,
            });
        }
    }
    let machine = Machine::load(program());
    let mut explorer = Explorer::new(&machine);
    explorer.tamper = Some(talks);
    assert_eq!(found(&mut explorer).what.class(), "talks_over");
}

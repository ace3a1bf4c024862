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

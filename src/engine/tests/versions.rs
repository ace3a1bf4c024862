//! A program that changes under a waiting customer: the table of what happens to whom, row by row.

use super::*;

fn tracking_with(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(TRACKING.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

fn republish<'t>(talk: &'t mut Talk, changes: &[(&str, &str)]) -> &'t mut Talk {
    talk.publishes(&[
        ("business.flow", BUSINESS),
        ("welcome.flow", WELCOME),
        ("tracking.flow", &tracking_with(changes)),
    ])
}

/// The version that the running flow belongs to: 0 is the live one, then those before it, the latest first.
#[track_caller]
fn version(talk: &Talk) -> usize {
    let program = &talk.position.frames.last().unwrap().program;
    let mut versions = std::iter::once(talk.machine.program())
        .chain(talk.former.iter().rev().map(|former| former.program()));
    versions.position(|version| version.hash == *program).unwrap()
}

#[track_caller]
fn no_fault(talk: &Talk) {
    let faults = talk.effects().iter();
    let faults: Vec<_> = faults
        .filter(|effect| matches!(effect, Effect::Fault(_)))
        .collect();
    assert!(faults.is_empty(), "{faults:?}");
}

const RENAMED: [(&str, &str); 2] = [
    (
        "step ask for the number",
        "step which order (was ask for the number)",
    ),
    ("-> ask for the number", "-> which order"),
];

const GONE: [(&str, &str); 2] = [
    ("step ask for the number", "step which order"),
    ("-> ask for the number", "-> which order"),
];

#[test]
fn new_wording_disturbs_nobody() {
    let mut talk = Talk::new();
    talk.says("track");
    republish(&mut talk, &[("What's the number?", "Which number?")]);
    talk.says("nope").rests_at("tracking/ask_for_the_number.number");
    assert_eq!(version(&talk), 0);
    talk.says("a-12345");
    assert_eq!(talk.call().action, "get_order");
}

#[test]
fn new_timers_and_new_code_after_the_question_count_at_once() {
    let mut talk = Talk::new();
    talk.says("track");
    republish(
        &mut talk,
        &[
            (
                "    \"I can't find it\"",
                "    no reply in 5 minutes \"Still looking?\"\n    \"I can't find it\"",
            ),
            ("  -> look\n", "  say \"Let me look.\"\n  -> look\n"),
        ],
    );
    talk.says("what?").skips().waits(301).sees(&["Still looking?"]);
    talk.says("a-12345").sees(&["Let me look."]);
}

#[test]
fn an_option_more_disturbs_nobody_and_old_buttons_still_resolve() {
    let mut talk = Talk::new();
    talk.says("track");
    republish(
        &mut talk,
        &[(
            "    \"I can't find it\"",
            "    \"No number\" -> done\n    \"I can't find it\"",
        )],
    );
    // What was added is understood, too.
    let mut other = Talk::new();
    other.says("track");
    republish(
        &mut other,
        &[(
            "    \"I can't find it\"",
            "    \"No number\" -> done\n    \"I can't find it\"",
        )],
    );
    talk.taps("I can't find it");
    assert_eq!(talk.handed_over().team, "support");
    other.says("nope").sees(&["Sorry? [I can't find it]"]);
    assert_eq!(version(&other), 0);
}

#[test]
fn options_in_another_order_disturb_nobody() {
    let mut talk = Talk::new();
    talk.tracks(200);
    republish(
        &mut talk,
        &[(
            "    \"Another\" -> ask for the number\n    \"No\" -> done",
            "    \"No\" -> done\n    \"Another\" -> ask for the number",
        )],
    );
    // 1 is what stood first on their screen, in whatever order it stands now.
    talk.says("1").sees(&["What's the number? [I can't find it]"]);
    assert_eq!(version(&talk), 0);
}

#[test]
fn a_removed_option_is_answered_by_the_version_that_offered_it_and_then_they_cross_over() {
    let mut talk = Talk::new();
    talk.tracks(200).rests_at("tracking/look.menu");
    republish(
        &mut talk,
        &[
            (
                "    \"Another\" -> ask for the number\n",
                "    \"Nothing\" -> done\n",
            ),
            ("What's the number?", "Which number?"),
        ],
    );
    talk.taps("Another").sees(&["Which number? [I can't find it]"]);
    assert_eq!(version(&talk), 0);
    no_fault(&talk);
}

#[test]
fn who_is_not_understood_stays_with_the_version_that_asked() {
    let mut talk = Talk::new();
    talk.tracks(200);
    republish(
        &mut talk,
        &[(
            "    \"Another\" -> ask for the number\n",
            "    \"Nothing\" -> done\n",
        )],
    );
    talk.says("hm hm hm").sees(&["Sorry? [Another] [No]"]);
    assert_eq!(version(&talk), 1);
    talk.waits(30 * 60).sees(&["Are you there?"]);
    talk.says("thanks").skips().rests_at("tracking/look.menu");
    // It was asked anew, and so as it is asked now.
    assert_eq!(version(&talk), 0);
}

#[test]
fn a_changed_value_and_a_changed_shape_are_handled_by_the_version_that_asked() {
    let mut talk = Talk::new();
    talk.says("track");
    republish(
        &mut talk,
        &[
            ("A-#####", "B-#####"),
            ("No {{ number }} here.", "{{ number }} is not there."),
        ],
    );
    talk.says("a-12345");
    assert_eq!(talk.call().action, "get_order");
    assert_eq!(
        version(&talk),
        0,
        "the arrow to `look` leads into the new version"
    );
    talk.answers(404, json!({}))
        .sees(&["A-12345 is not there.", "What's the number? [I can't find it]"]);
    talk.says("a-12345").sees(&["Sorry? [I can't find it]"]);
}

#[test]
fn a_renamed_step_keeps_its_people() {
    let mut talk = Talk::new();
    talk.says("track");
    republish(&mut talk, &RENAMED);
    talk.says("nope")
        .sees(&["Sorry? [I can't find it]"])
        .rests_at("tracking/which_order.number");
    assert_eq!(version(&talk), 0);
    talk.taps("I can't find it");
    assert_eq!(talk.handed_over().team, "support");
}

#[test]
fn a_renamed_step_whose_question_changed_too_is_answered_by_the_version_that_asked() {
    let mut talk = Talk::new();
    talk.says("track");
    let changes = [RENAMED[0], RENAMED[1], ("A-#####", "B-#####")];
    republish(&mut talk, &changes);
    talk.says("a-12345").rests_at("tracking/look.order");
    assert_eq!(version(&talk), 0);
}

#[test]
fn a_service_that_is_being_asked_in_a_renamed_step_is_still_waited_for() {
    let mut talk = Talk::new();
    talk.says("track").says("a-12345");
    let call = talk.call();
    republish(
        &mut talk,
        &[
            ("step look", "step look it up (was look)"),
            ("-> look", "-> look it up"),
        ],
    );
    talk.event(EventKind::Result {
        key: call.key,
        answer: Answer::Status {
            status: 200,
            body: json!({"status": "packed", "eta": "2026-03-04"}),
        },
    });
    talk.rests_at("tracking/look_it_up.menu");
    no_fault(&talk);
}

#[test]
fn a_removed_step_is_finished_by_the_version_that_has_it() {
    let mut talk = Talk::new();
    talk.says("track");
    republish(&mut talk, &GONE);
    talk.says("hm").sees(&["Sorry? [I can't find it]"]);
    assert_eq!(version(&talk), 1);
    talk.says("a-12345").rests_at("tracking/look.order");
    assert_eq!(version(&talk), 0);
}

#[test]
fn once_the_version_that_has_it_is_gone_the_flow_starts_again_with_the_again_wording() {
    let mut talk = Talk::new();
    talk.says("track");
    republish(&mut talk, &GONE).forgets_the_former();
    talk.says("a-12345")
        .sees(&["So, the number? [I can't find it]"])
        .rests_at("tracking/which_order.number");
}

#[test]
fn a_question_that_means_something_else_is_asked_again_once_its_version_is_gone() {
    let mut talk = Talk::new();
    talk.tracks(200);
    republish(
        &mut talk,
        &[(
            "    \"Another\" -> ask for the number\n    \"No\" -> done",
            "    \"Nothing\" -> done\n    \"Finish\" -> done",
        )],
    )
    .forgets_the_former();
    talk.taps("No").sees(&["Anything else? [Nothing] [Finish]"]);
}

#[test]
fn a_flow_that_is_gone_is_finished_and_then_leads_to_the_front_door() {
    const OLD: &str = "flow old\nstarts on \"old\"\nstep a\n  ask x \"X?\"\n  say \"{{ x }}\"\n  -> b\nstep b\n  ask y \"Y?\"\n  done\n";
    let mut talk = Talk::plus(OLD);
    let without = [
        ("business.flow", BUSINESS),
        ("welcome.flow", WELCOME),
        ("tracking.flow", TRACKING),
    ];
    talk.says("old").publishes(&without);
    talk.says("hello").sees(&["hello", "Y?"]);
    assert_eq!(version(&talk), 1);
    talk.forgets_the_former();
    talk.says("hello")
        .sees(&["How can we help? [Track my order] [Opening hours] [Talk to us]"]);
}

/// A value that only the new version asks for.
const SIZE: [(&str, &str); 2] = [
    (
        "step ask for the number\n",
        "step ask for the size\n  ask size \"Which size?\"\n    as number\n  end\n  -> ask for the number\n\nstep ask for the number\n",
    ),
    (
        "{{ number }} is {{ order.status }}",
        "Size {{ size }}: {{ number }} is {{ order.status }}",
    ),
];

#[test]
fn who_was_never_asked_for_a_new_value_does_not_meet_a_sentence_with_a_hole() {
    let mut talk = Talk::new();
    talk.says("track");
    republish(&mut talk, &SIZE);
    talk.says("a-12345")
        .answers(200, json!({"status": "packed", "eta": "2026-03-04"}))
        .sees(
            &[
                "A-12345 is packed, Wed 4 March. ",
                "Anything else? [Another] [No]",
            ]
            .map(str::trim),
        );
    no_fault(&talk);
}

#[test]
fn a_new_value_that_the_text_copes_without_holds_nobody_back() {
    let mut talk = Talk::new();
    talk.says("track");
    let copes = (
        "{{ number }} is {{ order.status }}",
        "Size {{ size | default('any') }}: {{ order.status }}",
    );
    republish(&mut talk, &[SIZE[0], copes]);
    talk.says("a-12345");
    assert_eq!(version(&talk), 0);
    talk.answers(200, json!({"status": "packed", "eta": "2026-03-04"}))
        .sees(&["Size any: packed, Wed 4 March.", "Anything else? [Another] [No]"]);
}

const CALLER: &str = r#"
flow visit
starts on "visit"

step name first
  do who save person
  say "Hello {{ person.name }}!"
  -> day

step day
  ask day "Which day?"
    as date
  end
  done
"#;

const CALLED: &str = r#"
flow who
starts when called
gives name: text

step ask
  ask name "Your name?"
  done with name = name
"#;

fn visits(caller: &str, called: &str) -> Vec<(String, String)> {
    [
        ("business.flow", BUSINESS),
        ("welcome.flow", WELCOME),
        ("tracking.flow", TRACKING),
        ("visit.flow", caller),
        ("who.flow", called),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .to_vec()
}

fn named(files: &[(String, String)]) -> Vec<(&str, &str)> {
    files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect()
}

#[test]
fn a_caller_that_changed_goes_on_in_its_own_version_when_the_sub_flow_returns() {
    let mut talk = Talk::with(&named(&visits(CALLER, CALLED)));
    talk.says("visit").sees(&["Your name?"]);
    // The step that called is gone; the called flow is only worded anew.
    let caller = CALLER.replace(
        "step name first\n  do who save person\n  say \"Hello {{ person.name }}!\"\n  -> day\n",
        "",
    );
    let called = CALLED.replace("Your name?", "Who is it?");
    talk.publishes(&named(&visits(&caller, &called)));
    talk.says("Ana")
        .sees(&["Hello Ana!", "Which day?"])
        .rests_at("visit/day.day");
    assert_eq!(version(&talk), 0, "the arrow to `day` leads into the new version");
}

#[test]
fn a_caller_that_means_the_same_goes_on_in_the_new_version() {
    let mut talk = Talk::with(&named(&visits(CALLER, CALLED)));
    talk.says("visit");
    let caller = CALLER.replace("Hello {{", "Good day, {{");
    let called = CALLED.replace(
        "ask name \"Your name?\"",
        "ask name \"Who?\"\n    as text like \"@*\"\n  end",
    );
    talk.skips().publishes(&named(&visits(&caller, &called)));
    talk.says("Ana").sees(&["Good day, Ana!", "Which day?"]);
    no_fault(&talk);
}

#[test]
fn an_interrupted_question_is_asked_as_it_is_now() {
    let mut talk = Talk::plus(
        "flow more\nstarts on \"more\"\nstep a\n  ask x \"X?\"\n    as number\n    no reply in 10 minutes -> nudge\n  end\n  say \"x {{ x }}\"\n  done\nstep nudge\n  menu \"Go on?\"\n    \"Yes\" -> resume\n    \"No\" -> done\n  end\n",
    );
    talk.says("more").waits(600).skips().rests_at("more/nudge.menu");
    let more = "flow more\nstarts on \"more\"\nstep a\n  ask x \"Which X?\"\n    as whole number\n    no reply in 10 minutes -> nudge\n  end\n  say \"x {{ x }}\"\n  done\nstep nudge\n  menu \"Go on?\"\n    \"Yes\" -> resume\n    \"No\" -> done\n  end\n";
    talk.publishes(&[
        ("business.flow", BUSINESS),
        ("welcome.flow", WELCOME),
        ("tracking.flow", TRACKING),
        ("more.flow", more),
    ]);
    talk.taps("Yes").sees(&["Which X?"]);
    assert_eq!(version(&talk), 0);
    talk.says("3").sees(&["x 3"]);
}

#[test]
fn an_interrupted_question_that_is_gone_is_asked_by_the_version_that_has_it() {
    let mut talk = Talk::new();
    talk.says("track").says("thanks").skips();
    republish(&mut talk, &GONE);
    talk.says("thanks")
        .sees(&["You're welcome.", "So, the number? [I can't find it]"]);
    assert_eq!(version(&talk), 1);
}

#[test]
fn a_tap_on_an_older_question_is_handled_by_the_version_that_asked_it() {
    let mut talk = Talk::new();
    talk.tracks(200).says("another").skips();
    republish(
        &mut talk,
        &[("    \"No\" -> done\n", "    \"Nothing else\" -> done\n")],
    );
    talk.taps_old("No");
    assert!(
        talk.position.frames.is_empty(),
        "the flow is done: {:?}",
        talk.position.frames
    );
    no_fault(&talk);
}

const PLANNING: &str = r#"
flow plan
starts on "plan"

step ask
  ask word "Which word?"
  later reminder in 3 hours -> remind
  done

step remind
  say "You said {{ word }}."
  done
"#;

fn planning(flow: &str) -> Vec<(&str, &str)> {
    vec![
        ("business.flow", BUSINESS),
        ("welcome.flow", WELCOME),
        ("tracking.flow", TRACKING),
        ("plan.flow", flow),
    ]
}

#[test]
fn a_plan_leads_to_the_step_as_it_is_when_it_is_due_or_as_it_was_when_it_is_gone() {
    for (change, said) in [
        (("You said", "Your word was"), "Your word was blue."),
        (("remind\n", "tell them\n"), "You said blue."),
        // A value that nobody was asked for when the plan was made.
        (
            ("You said {{ word }}", "You said {{ word }} in {{ colour }}"),
            "You said blue.",
        ),
    ] {
        let mut talk = Talk::with(&planning(PLANNING));
        talk.says("plan").says("blue");
        let asks = ("  later", "  ask colour \"Which colour?\"\n  later");
        let flow = PLANNING.replace(change.0, change.1).replace(asks.0, asks.1);
        talk.publishes(&planning(&flow)).waits(3 * 3600);
        talk.seen.retain(|line| line != "Are you there?");
        assert_eq!(talk.seen.last().map(String::as_str), Some(said), "{flow}");
        no_fault(&talk);
    }
}

#[test]
fn a_plan_whose_step_is_gone_with_its_version_lapses() {
    let mut talk = Talk::with(&planning(PLANNING));
    talk.says("plan").says("blue");
    let flow = PLANNING.replace("remind\n", "tell them\n");
    talk.publishes(&planning(&flow))
        .forgets_the_former()
        .skips()
        .waits(3 * 3600);
    let lapsed = Log::Lapsed {
        plan: "reminder".to_owned(),
    };
    assert!(talk.log().contains(&lapsed), "{:?}", talk.log());
}

const LEARNING: &str = r#"
flow learn
starts on "learn"

step ask
  ask first_name "Your name?"
  remember first_name as contact.first_name
  -> tell

step tell
  if contact.first_name is known
    say "I know {{ contact.first_name }}."
  else
    say "I know nothing."
  end
  done

on "again"
  -> tell
"#;

#[test]
fn a_remembered_value_whose_field_has_another_type_now_is_converted_or_unknown() {
    let of = |kind: &str, flow: &str| {
        let business = BUSINESS.replace("contact.first_name: text", &format!("contact.first_name: {kind}"));
        let files = [
            ("business.flow", business),
            ("learn.flow", flow.to_owned()),
            ("welcome.flow", WELCOME.to_owned()),
            ("tracking.flow", TRACKING.to_owned()),
        ];
        files.map(|(name, text)| (name.to_owned(), text))
    };
    let text = of("text", LEARNING);
    // Nobody is asked in the new one: a text would not be remembered as a number.
    let number = of(
        "number",
        "flow learn\nstarts on \"tell\"\n\nstep tell\n  if contact.first_name is known\n    say \"I know {{ contact.first_name }}.\"\n  else\n    say \"I know nothing.\"\n  end\n  done\n",
    );
    for (name, known) in [("12", "I know 12."), ("Ana", "I know nothing.")] {
        let mut talk = Talk::with(&named(&text));
        talk.says("learn").says(name);
        talk.publishes(&named(&number));
        talk.says("tell").sees(&[known]);
        no_fault(&talk);
        // It stays as it was, for whoever publishes the earlier version again.
        assert_eq!(
            talk.memory.fields["first_name"].value,
            crate::flow::value::Value::text(name)
        );
    }
}

#[test]
fn the_stored_position_keeps_its_form() {
    let mut talk = Talk::new();
    talk.says("track").says("thanks");
    let hash = talk.machine.program().hash.clone();
    let anchor = talk.position.frames[0].anchor.clone();
    let stored = serde_json::to_value(&talk.position).unwrap();
    let expected = json!({
        "v": 1,
        "session": 1,
        "open": true,
        "seq": 2,
        "visits": 2,
        "frames": [{
            "flow": "tracking",
            "program": hash,
            "at": "tracking/ask_for_the_number.number",
            "anchor": anchor,
            "visit": 2,
            "options": [{"id": "i_can_t_find_it", "label": "I can't find it"}]
        }],
        "timers": {"q2/0": "2026-03-02T10:30:00Z", "resolve": "2026-03-02T22:00:00Z"},
        "old": [{
            "visit": 1,
            "at": "tracking/ask_for_the_number.number",
            "flow": "tracking",
            "program": hash,
            "anchor": anchor,
            "locals": {},
            "options": [{"id": "i_can_t_find_it", "label": "I can't find it"}],
            "used": false
        }],
        "last": "2026-03-02T10:00:00Z"
    });
    assert_eq!(stored, expected);
    // As it was written before: with the mode also when it is the usual one.
    let mut earlier = stored;
    earlier["mode"] = json!("autopilot");
    assert_eq!(
        serde_json::from_value::<Position>(earlier).unwrap(),
        talk.position
    );
    assert_eq!(
        talk.position.programs().into_iter().collect::<Vec<_>>(),
        [hash.as_str()]
    );
}

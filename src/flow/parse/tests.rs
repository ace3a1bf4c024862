//! Each kind of line, read by itself.

use std::time::Duration;

use jiff::civil::{Weekday, date, time};
use rust_decimal::Decimal;

use super::{Code, Misspelt, Parsed, Rule, read};
use crate::flow::diagnostic::Diagnostic;
use crate::flow::source::FileId;
use crate::flow::tree::*;
use crate::flow::words::{self, Place};
use crate::message::MediaKind;

fn reading(text: &str, place: Place) -> (Option<Parsed>, Option<Diagnostic>) {
    let code = Code {
        file: FileId(0),
        start: 0,
        text,
        place,
        misspelt: None,
    };
    let rule = words::rule_of(text, place).expect("the first word is known");
    read(code, rule)
}

fn line(text: &str) -> Parsed {
    line_in(text, Place::Body)
}

fn line_in(text: &str, place: Place) -> Parsed {
    match reading(text, place) {
        (Some(parsed), None) => parsed,
        other => panic!("{text}: {other:#?}"),
    }
}

fn statement(text: &str) -> StmtKind {
    match line(text) {
        Parsed::Statement(kind) => kind,
        other => panic!("{text}: {other:#?}"),
    }
}

fn code_of(text: &str) -> &'static str {
    reading(text, Place::Body)
        .1
        .map_or("none", |mistake| mistake.code.as_str())
}

/// An expression with every operator in brackets.
fn shape(expr: &Expr) -> String {
    let list = |exprs: &[Expr]| exprs.iter().map(shape).collect::<Vec<_>>().join(" ");
    match &expr.kind {
        ExprKind::Text(text) => format!("{:?}", text.source),
        ExprKind::Number(number) => number.to_string(),
        ExprKind::YesNo(yes) => yes.to_string(),
        ExprKind::Nothing => "nothing".to_owned(),
        ExprKind::Date(date) => date.to_string(),
        ExprKind::Time(time) => time.to_string(),
        ExprKind::Duration(duration) => format!("{}s", duration.as_secs_f64()),
        ExprKind::List(items) => format!("[{}]", list(items)),
        ExprKind::Path(path) => path.parts.join("."),
        ExprKind::Not(inner) => format!("(not {})", shape(inner)),
        ExprKind::Binary { op, left, right } => format!("({op:?} {} {})", shape(left), shape(right)),
        ExprKind::Test {
            subject,
            test,
            negated,
        } => {
            let not = if *negated { "Not" } else { "" };
            format!("({not}{test:?} {})", shape(subject))
        }
        ExprKind::Filter { subject, name, args } => {
            format!(
                "({} {}{})",
                name.text,
                shape(subject),
                args.iter()
                    .map(|arg| format!(" {}", shape(arg)))
                    .collect::<String>()
            )
        }
    }
}

fn expression(text: &str) -> String {
    match statement(&format!("set x = {text}")) {
        StmtKind::Set { value, .. } => shape(&value),
        other => panic!("{text}: {other:#?}"),
    }
}

fn kind(text: &str) -> Kind {
    match line(&format!("as {text}")) {
        Parsed::As(accept) => accept.kinds[0].0.clone(),
        other => panic!("{text}: {other:#?}"),
    }
}

fn target(text: &str) -> TargetKind {
    match statement(text) {
        StmtKind::Go(target) => target.kind,
        other => panic!("{text}: {other:#?}"),
    }
}

#[test]
fn words_bind_from_or_over_and_not_comparisons_and_sums_to_filters() {
    for (written, meant) in [
        ("a or b and not c is d", "(Or a (And b (not (Is c d))))"),
        ("a + b * c - d", "(Subtract (Add a (Multiply b c)) d)"),
        ("a - b - c", "(Subtract (Subtract a b) c)"),
        ("a + b > c * 2", "(Greater (Add a b) (Multiply c 2))"),
        ("(a or b) and c", "(And (Or a b) c)"),
        ("a + b | short(2)", "(Add a (short b 2))"),
        (
            "a | short(2, \"x\") | upper is b",
            "(Is (upper (short a 2 \"x\")) b)",
        ),
        ("a + b is known", "(Known (Add a b))"),
        (
            "not a is not empty and b is open",
            "(And (not (NotEmpty a)) (Open b))",
        ),
        ("a is not b", "(IsNot a b)"),
        ("a is exactly \"B\"", "(IsExactly a \"B\")"),
        ("a is in [1, \"b\", c.d]", "(In a [1 \"b\" c.d])"),
        (
            "a not in b or a is not in c",
            "(Or (not (In a b)) (not (In a c)))",
        ),
        (
            "a starts with \"b\" and c ends with \"d\"",
            "(And (StartsWith a \"b\") (EndsWith c \"d\"))",
        ),
        (
            "a contains b or a matches \"c\"",
            "(Or (Contains a b) (Matches a \"c\"))",
        ),
        ("a == b or c != d", "(Or (Is a b) (IsNot c d))"),
        (
            "a >= 1 and b <= 2 and c < 3",
            "(And (And (GreaterOrEqual a 1) (LessOrEqual b 2)) (Less c 3))",
        ),
        (
            "day - today <= 30 days",
            "(LessOrEqual (Subtract day today) 2592000s)",
        ),
        ("a - -2.5", "(Subtract a -2.5)"),
        ("yes or no or nothing", "(Or (Or true false) nothing)"),
        ("2026-03-04 > now", "(Greater 2026-03-04 now)"),
        ("09:30", "09:30:00"),
        ("isle + order + notice", "(Add (Add isle order) notice)"),
    ] {
        assert_eq!(expression(written), meant, "{written}");
    }
}

#[test]
fn an_expression_that_means_nothing_is_one_mistake() {
    for text in [
        "a is b is c",
        "1 + not a",
        "a +",
        "a b",
        "and",
        "(a",
        "a | ",
        "[1, ]",
    ] {
        assert_eq!(code_of(&format!("set x = {text}")), "F001", "{text}");
    }
}

#[test]
fn every_kind_of_answer_is_read() {
    let some = |number: i64| Some(Decimal::from(number));
    for (written, meant) in [
        ("text", Kind::Text),
        ("text like \"A-##\"", Kind::TextLike("A-##".to_owned())),
        ("text matching \"\\d+\"", Kind::TextMatching("\\d+".to_owned())),
        ("number", Kind::Number { from: None, to: None }),
        (
            "number from -1 to 9",
            Kind::Number {
                from: some(-1),
                to: some(9),
            },
        ),
        (
            "whole number from 1 to 10",
            Kind::WholeNumber {
                from: some(1),
                to: some(10),
            },
        ),
        ("yes or no", Kind::YesNo),
        ("money", Kind::Money),
        ("date", Kind::Date(When::Any)),
        ("date in the future", Kind::Date(When::Future)),
        ("date in the past", Kind::Date(When::Past)),
        ("time", Kind::Time),
        ("email", Kind::Email),
        ("phone", Kind::Phone),
        ("web address", Kind::WebAddress),
        ("photo", Kind::Media(MediaKind::Photo)),
        ("image", Kind::Media(MediaKind::Photo)),
        ("video", Kind::Media(MediaKind::Video)),
        ("voice", Kind::Media(MediaKind::Voice)),
        ("audio", Kind::Media(MediaKind::Audio)),
        ("document", Kind::Media(MediaKind::Document)),
        ("file", Kind::Media(MediaKind::Document)),
        ("sticker", Kind::Media(MediaKind::Sticker)),
        ("location", Kind::Location),
        ("rating 1 to 5", Kind::Rating { from: 1, to: 5 }),
        ("list", Kind::List(None)),
        (
            "list of number",
            Kind::List(Some(Box::new(Kind::Number { from: None, to: None }))),
        ),
    ] {
        assert_eq!(kind(written), meant, "{written}");
    }
    let Parsed::As(accept) = line("as photo, voice or text") else {
        panic!("three kinds");
    };
    assert_eq!(accept.kinds.len(), 3);
}

#[test]
fn an_arrow_leads_to_a_place_or_a_step_of_that_name() {
    let step = |words: &str| match target(words) {
        TargetKind::Step(phrase) => phrase.slug,
        other => panic!("{words}: {other:?}"),
    };
    assert_eq!(step("-> ask for the  Number"), "ask_for_the_number");
    assert_eq!(step("→ start again"), "start_again");
    assert_eq!(step("-> done deal"), "done_deal");
    assert_eq!(step("-> don't stop-now"), "dont_stop_now");
    assert_eq!(target("-> again"), TargetKind::Again);
    assert_eq!(target("-> back"), TargetKind::Back);
    assert_eq!(target("-> start"), TargetKind::Start);
    assert_eq!(target("-> resume"), TargetKind::Resume);
    assert_eq!(target("-> close"), TargetKind::Close);
    assert_eq!(target("-> handoff"), TargetKind::Handoff(None));
    assert!(
        matches!(target("-> handoff to support"), TargetKind::Handoff(Some(team)) if team.text == "support")
    );
    assert_eq!(target("-> done"), TargetKind::Done(Vec::new()));
    assert!(matches!(target("-> done with a = 1, b = x"), TargetKind::Done(args) if args.len() == 2));
    assert!(matches!(target("-> flow order tracking with a = 1"),
        TargetKind::Flow(name, args) if name.slug == "order_tracking" && args.len() == 1));
    assert_eq!(code_of("-> handoff to the team"), "F001");
}

#[test]
fn headings_of_a_flow_are_read() {
    assert!(matches!(line("flow order tracking \"Where?\""),
        Parsed::Flow { name, title: Some(_) } if name.slug == "order_tracking"));
    assert!(matches!(line("Step New name (was old name)"),
        Parsed::Step { name, was: Some(was) } if name.words == "New name" && was.slug == "old_name"));
    assert_eq!(line("starts when called"), Parsed::StartsWhenCalled);
    assert!(matches!(line("starts with welcome"), Parsed::StartsWith(flow) if flow.slug == "welcome"));
    let Parsed::Starts(starts) = line(
        "starts on \"hi\", containing \"refund\", topic returns, first message, any message, voice, location if contact.vip",
    ) else {
        panic!("triggers");
    };
    let kinds: Vec<TriggerKind> = starts.triggers.into_iter().map(|trigger| trigger.kind).collect();
    assert_eq!(
        kinds,
        [
            TriggerKind::Words("hi".to_owned()),
            TriggerKind::Containing("refund".to_owned()),
            TriggerKind::Topic("returns".to_owned()),
            TriggerKind::FirstMessage,
            TriggerKind::AnyMessage,
            TriggerKind::Media(MediaKind::Voice),
            TriggerKind::Location,
        ]
    );
    assert!(starts.condition.is_some());
    assert!(matches!(
        line("on \"x\" -> resume"),
        Parsed::On { go: Some(_), .. }
    ));
    assert!(matches!(line("needs order: text, vip: yes or no = no"),
        Parsed::Needs(fields) if fields.len() == 2 && fields[1].default.is_some()));
}

#[test]
fn statements_are_read() {
    assert!(
        matches!(statement("say \"a\" link \"b\" to \"c\" header \"d\" footer \"e\""),
        StmtKind::Say(say) if say.link.is_some() && say.header.is_some() && say.footer.is_some())
    );
    assert!(matches!(statement("ask number \"?\""),
        StmtKind::Question(question) if question.word == QuestionWord::Ask && question.name.is_some()));
    assert!(matches!(statement("list \"?\""),
        StmtKind::Question(question) if question.word == QuestionWord::List && question.name.is_none()));
    assert!(matches!(statement("remember x as contact.y for 30 days"),
        StmtKind::Remember(Remember { field: Some(_), keep: Some(keep), .. }) if keep == Duration::from_secs(30 * 86_400)));
    assert!(
        matches!(statement("forget contact.a, contact.b"), StmtKind::Forget { fields } if fields.len() == 2)
    );
    assert!(matches!(statement("fetch a from b.c with d = 1, e = x"),
        StmtKind::Fetch(fetch) if fetch.action.parts == ["b", "c"] && fetch.args.len() == 2));
    assert!(matches!(statement("do check it with order = order save who"),
        StmtKind::Do(call) if call.flow.slug == "check_it" && call.args.len() == 1 && call.save.is_some()));
    assert!(matches!(statement("done with a = 1"), StmtKind::Done { gives } if gives.len() == 1));
    assert!(matches!(
        statement("close \"Bye\""),
        StmtKind::Close { say: Some(_) }
    ));
    assert_eq!(statement("resume"), StmtKind::Resume);
    assert!(matches!(statement("handoff to support"), StmtKind::Handoff(handoff) if handoff.team.is_some()));
    assert!(matches!(
        statement("notify support \"x\""),
        StmtKind::Notify { .. }
    ));
    assert!(matches!(
        statement("send template visit with a = 1"),
        StmtKind::SendTemplate { .. }
    ));
    assert!(matches!(line("if a is b -> c"), Parsed::If { go: Some(_), .. }));
    assert!(matches!(line("else if a"), Parsed::Else { condition: Some(_) }));
    assert!(matches!(line("else"), Parsed::Else { condition: None }));
    assert_eq!(line("End"), Parsed::End);
}

#[test]
fn clauses_are_read() {
    let Parsed::Option(choice) = line("\"A\" hint \"h\" also \"b\", \"c\" = 3 if x is known -> done") else {
        panic!("an option");
    };
    assert_eq!(
        (choice.also.len(), choice.hint.is_some(), choice.value.is_some()),
        (2, true, true)
    );
    assert!(choice.condition.is_some() && choice.then.go.is_some());
    let Parsed::Otherwise(otherwise) = line("otherwise \"No.\" up to 3 times, then -> handoff to support")
    else {
        panic!("otherwise");
    };
    assert_eq!(otherwise.up_to, Some(3));
    assert!(otherwise.tail.say.is_some() && otherwise.tail.go.is_some());
    assert!(matches!(line("no reply in 1.5 hours \"Hm?\" -> x"),
        Parsed::NoReply(no_reply) if no_reply.after == Duration::from_secs(5400) && no_reply.tail.go.is_some()));
    assert!(matches!(line("check a < 3 else \"No.\""), Parsed::Check(_)));
    assert!(matches!(line("section \"S\""), Parsed::Section(_)));
    assert!(
        matches!(line("status 409 -> x"), Parsed::Outcome(outcome) if outcome.kind == OutcomeKind::Status(409))
    );
    assert!(matches!(line("not found"), Parsed::Outcome(outcome) if outcome.tail == Tail::default()));
    assert!(
        matches!(line("priority high if contact.vip"), Parsed::Priority(priority) if priority.condition.is_some())
    );
    assert!(matches!(line("when closed -> x"), Parsed::WhenClosed(_)));
}

#[test]
fn lines_of_the_business_file_are_read() {
    let Parsed::Hours(hours) = line("hours mon to friday 09:00 to 18:00, SAT 22:00 to 24:00") else {
        panic!("hours");
    };
    assert_eq!(
        (hours[0].first, hours[0].last),
        (Weekday::Monday, Weekday::Friday)
    );
    assert_eq!(
        (hours[1].first, hours[1].last),
        (Weekday::Saturday, Weekday::Saturday)
    );
    assert_eq!(
        (hours[1].from, hours[1].to),
        (time(22, 0, 0, 0), time(0, 0, 0, 0))
    );
    assert!(matches!(line("closed on 2026-12-25, 2027-01-01"),
        Parsed::ClosedOn(days) if days[1].0 == date(2027, 1, 1)));
    assert!(matches!(line("closed \"Back soon.\""), Parsed::Closed(_)));
    assert!(
        matches!(line_in("contact.vip: yes or no = no, forget after 90 days", Place::Memory),
        Parsed::Field(field) if field.kind == Kind::YesNo && field.forget_after.is_some())
    );
    assert!(
        matches!(line_in("no \"Hei\"", Place::Template), Parsed::Wording { language, .. } if language.text == "no")
    );
    assert!(
        matches!(line_in("button \"A\", \"B\"", Place::Template), Parsed::Button(None, labels) if labels.len() == 2)
            && matches!(line_in("button pt \"A\", \"B\"", Place::Template), Parsed::Button(Some(pt), labels) if pt.text == "pt" && labels.len() == 2)
    );
    assert!(matches!(line("post \"/x\" with a = b"),
        Parsed::Call { method: Method::Post, body, .. } if body.len() == 1));
    assert!(matches!(line("action a needs b, c"), Parsed::Action { needs, .. } if needs.len() == 2));
    assert!(matches!(
        line("old buttons repeat"),
        Parsed::OldButtons(OldButtons::Repeat, _)
    ));
    assert!(matches!(
        line("takeover pauses for 12 hours"),
        Parsed::TakeoverPauses(_)
    ));
    assert!(matches!(line("burst quiet 2 seconds"), Parsed::BurstQuiet(_)));
    assert!(matches!(line("timezone \"Asia/Jakarta\""), Parsed::Timezone(_)));
}

#[test]
fn a_misspelt_first_word_keeps_the_places_of_the_rest() {
    let code = Code {
        file: FileId(0),
        start: 100,
        text: "menu pick \"Which?\"",
        place: Place::Body,
        misspelt: Some(Misspelt { written: 5, meant: 4 }),
    };
    let (Some(Parsed::Statement(StmtKind::Question(question))), None) = read(code, Rule::question_line)
    else {
        panic!("a menu");
    };
    assert_eq!(
        question.name.as_ref().map(|name| name.span.range()),
        Some(106..110)
    );
    assert_eq!(question.words().unwrap().span.range(), 111..119);
}

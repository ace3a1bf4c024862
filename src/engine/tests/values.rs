//! Values: expressions, conditions, memory, checks.

use super::*;

/// A flow that says what an expression comes to.
#[track_caller]
fn comes_to(setup: &str, expression: &str, expected: &str) {
    let flow = format!(
        "flow x\nstarts on \"x\"\nstep a\n{setup}  set v = {expression}\n  say \"{{{{ v }}}}\"\n  done\n"
    );
    Talk::plus(&flow).says("x").sees(&[expected]);
}

#[track_caller]
fn holds(setup: &str, condition: &str, expected: bool) {
    let flow = format!(
        "flow x\nstarts on \"x\"\nstep a\n{setup}  if {condition}\n    say \"yes\"\n    done\n  end\n  say \"no\"\n  done\n"
    );
    Talk::plus(&flow)
        .says("x")
        .sees(&[if expected { "yes" } else { "no" }]);
}

#[test]
fn comparing_texts_ignores_case_and_accents() {
    let setup = "  set t = \"São Paulo\"\n";
    holds(setup, "t is \"sao paulo\"", true);
    holds(setup, "t is exactly \"sao paulo\"", false);
    holds(setup, "t is not \"Lisboa\"", true);
    holds(setup, "t starts with \"SAO\"", true);
    holds(setup, "t ends with \"paulo\"", true);
    holds(setup, "t contains \"o p\"", true);
    holds(setup, "t in [\"Lisboa\", \"sao paulo\"]", true);
    holds(setup, "t matches \"S.*\"", true);
    holds(setup, "t matches \"S\"", false);
}

#[test]
fn decimals_are_exact() {
    comes_to("", "0.1 + 0.2", "0.3");
    comes_to("", "10 / 4", "2.5");
    comes_to("", "3 * 1.10", "3.3");
    comes_to("", "\"a\" + \"b\"", "ab");
    comes_to("", "[1, 2] + 3", "1, 2, 3");
}

#[test]
fn dates_differ_by_durations() {
    holds("  set d = 2026-03-12\n", "d - today <= 30 days", true);
    holds("  set d = 2026-05-12\n", "d - today <= 30 days", false);
    comes_to("", "today + 2 days", "4 March 2026");
    comes_to("", "09:30 + 45 minutes", "10:15");
    comes_to("", "now", "10:00");
}

#[test]
fn division_by_nothing_is_a_fault_not_a_panic() {
    let flow = "flow x\nstarts on \"x\"\nstep a\n  set v = 1 / 0\n  say \"{{ v }}\"\n  done\n";
    Talk::plus(flow).says("x").sees(&["Something went wrong."]);
}

#[test]
fn memory_has_defaults_ends_and_counts_at_once() {
    holds("", "contact.vip", false);
    holds("", "contact.first_name is known", false);
    holds(
        "  set n = \"Ana\"\n  remember n as contact.first_name\n",
        "contact.first_name is \"ana\"",
        true,
    );
    holds(
        "  set n = \"Ana\"\n  remember n as contact.first_name\n  forget contact.first_name\n",
        "contact.first_name is known",
        false,
    );
    let mut talk = Talk::plus(
        "flow x\nstarts on \"x\"\nstep a\n  say \"{{ contact.last_order | default('none') }}\"\n  done\n",
    );
    let remembered = Remembered {
        value: Value::text("A-1"),
        forget_at: Some("2026-03-02T10:00:01Z".parse().unwrap()),
    };
    talk.memory.fields.insert("last_order".to_owned(), remembered);
    talk.says("x").sees(&["A-1"]).waits(1).says("x").sees(&["none"]);
}

#[test]
fn teams_know_when_they_are_open() {
    holds("", "support is open", true);
    holds("", "support is closed", false);
    let mut talk =
        Talk::plus("flow x\nstarts on \"x\"\nstep a\n  say \"Back {{ support.opens }}.\"\n  done\n");
    talk.now = "2026-03-06T20:00:00Z".parse().unwrap();
    talk.says("x").sees(&["Back on Monday at 09:00."]);
}

#[test]
fn a_check_refuses_an_answer_with_its_own_sentence() {
    let flow = "flow x\nstarts on \"x\"\nstep a\n  ask d \"Day?\"\n    as date in the future\n    check d - today <= 30 days else \"{{ d | day }} is too far.\"\n  end\n  say \"{{ d | day }}\"\n  done\n";
    let mut talk = Talk::plus(flow);
    talk.says("x")
        .skips()
        .says("25 december")
        .sees(&["Fri 25 December 2026 is too far."]);
    assert!(talk.position.frames[0].locals.is_empty());
    talk.says("friday").sees(&["Fri 6 March"]);
}

#[test]
fn an_ambiguous_date_is_read_back() {
    let flow = "flow x\nstarts on \"x\"\nstep a\n  ask d \"Day?\"\n    as date in the future\n  end\n  say \"ok\"\n  done\n";
    Talk::plus(flow)
        .says("x")
        .skips()
        .says("4/3")
        .sees(&["I've read that as *Wed 4 March*.", "ok"]);
    Talk::plus(flow).says("x").skips().says("25/3").sees(&["ok"]);
}

#[test]
fn options_may_have_conditions_and_values() {
    let flow = "flow x\nstarts on \"x\"\nstep a\n  menu c \"C?\"\n    \"Gold\" = 3 if contact.vip\n    \"Plain\" = 1\n  end\n  say \"{{ c + 1 }}\"\n  done\n";
    let mut talk = Talk::plus(flow);
    talk.says("x").sees(&["C? [Plain]"]).says("1").sees(&["2"]);
}

#[test]
fn a_text_that_comes_out_empty_is_not_sent() {
    let flow = "flow x\nstarts on \"x\"\nstep a\n  say \"{% if contact.vip %}VIP{% endif %}\"\n  say \"ok\"\n  done\n";
    Talk::plus(flow).says("x").sees(&["ok"]);
}

#[test]
fn a_loop_without_a_question_ends_in_a_fault() {
    let flow = "flow x\nstarts on \"x\"\nstep a\n  set n = 1\n  -> a\n";
    let mut sources = Sources::default();
    for (name, text) in [
        ("business.flow", BUSINESS),
        ("welcome.flow", WELCOME),
        ("tracking.flow", TRACKING),
        ("x.flow", flow),
    ] {
        sources.add(name, text);
    }
    let (tree, _) = crate::flow::blocks::parse(&sources);
    let mut talk = Talk::new();
    talk.machine = Machine::load(crate::flow::lower::lower(&sources, &tree));
    talk.says("x").sees(&["Something went wrong."]);
    assert!(
        talk.handed_over()
            .note
            .as_ref()
            .unwrap()
            .contains("200 instructions")
    );
}

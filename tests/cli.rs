//! The commands for authors and testers, driven as a person would: the real binary in a folder of its own.

mod story;

use std::sync::Arc;

use story::Story;
use switchboard::store::{Caps, SqliteStore, SystemClock};

const SMALL: &str = "\
business \"Corner Shop\"
timezone \"Europe/Lisbon\"
team people \"People\"
defaults
  otherwise \"Please say that again.\" up to 2 times, then -> handoff to people
end
";

const FLOW: &str = "\
flow front
starts on \"hi\"

step hello
  menu \"How can we help?\"
    \"Opening hours\" -> hours
    \"A person\" -> handoff to people
  end

step hours
  say \"We are open every day.\"
  done
";

fn shop() -> Story {
    Story::new()
        .file("flows/business.flow", SMALL)
        .file("flows/front.flow", FLOW)
}

#[test]
fn clean_flows_pass_the_check_in_silence() {
    shop()
        .run(["check"])
        .code(0)
        .stdout("")
        .stderr_has("2 files, nothing to mend");
}

#[test]
fn a_mistake_is_named_with_its_code_and_place_and_the_exit_code_is_1() {
    shop()
        .file("flows/front.flow", &FLOW.replace("-> hours", "-> ours"))
        .run(["check"])
        .code(1)
        .stdout_has("F101")
        .stdout_has("flows/front.flow:6")
        .stdout_has("hours");
}

#[test]
fn all_mistakes_of_all_files_are_found_in_one_run() {
    shop()
        .file(
            "flows/front.flow",
            &FLOW
                .replace("-> hours", "-> ours")
                .replace("\"A person\"", "\"A person of flesh and blood\""),
        )
        .file(
            "flows/other.flow",
            "flow other\nstarts on \"bye\"\n\nstep bye\n  say \"Bye {{ nam }}!\"\n  done\n",
        )
        .run(["check"])
        .code(1)
        .stdout_has("F101")
        .stdout_has("F302")
        .stdout_has("F401");
}

#[test]
fn machines_get_one_json_object_a_mistake() {
    let run = shop()
        .file("flows/front.flow", &FLOW.replace("-> hours", "-> ours"))
        .run(["check", "--format", "json"]);
    let first: serde_json::Value = serde_json::from_str(run.stdout_text().lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["code"], &first["line"]),
        (&"F101".into(), &6.into()),
        "{first}"
    );
    run.code(1);
}

#[test]
fn code_hosts_get_sarif_and_workflow_commands_and_screen_readers_get_sentences() {
    let story = shop().file("flows/front.flow", &FLOW.replace("-> hours", "-> ours"));
    let run = story.run(["check", "--format", "sarif"]);
    let log: serde_json::Value = serde_json::from_str(&run.stdout_text()).unwrap();
    let result = &log["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "F101", "{log}");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "flows/front.flow");
    assert_eq!(place["region"]["startLine"], 6);
    run.code(1);
    story
        .run(["check", "--format", "github"])
        .code(1)
        .stdout_has("::error file=flows/front.flow,line=6,");
    story
        .run(["check", "--format", "narrated"])
        .code(1)
        .stdout_has("Error F101: there is no step called ours.\nIn flows/front.flow, line 6,")
        .stderr_has("1 error");
    // Nothing found is a document, too.
    let clean = shop().run(["check", "--format", "sarif"]).code(0).stdout_text();
    let log: serde_json::Value = serde_json::from_str(&clean).unwrap();
    assert_eq!(log["runs"][0]["results"], serde_json::json!([]));
}

#[test]
fn a_missing_folder_is_wrong_usage() {
    Story::new()
        .run(["check", "nowhere"])
        .code(2)
        .stderr_has("there is no file or folder nowhere");
    Story::new().run(["check", "--colour"]).code(2);
    Story::new().run(["check"]).code(2).stderr_has("no .flow files");
}

#[test]
fn a_file_that_is_not_text_is_refused_with_the_place() {
    shop()
        .bytes("flows/bad.flow", b"flow bad\n\xff\xfe")
        .run(["check"])
        .code(1)
        .stderr_has("not UTF-8");
}

#[test]
fn the_formatter_lists_changes_and_writes_and_then_has_nothing_to_do() {
    let crooked = FLOW
        .replace("  menu", "      menu")
        .replace("\"Opening hours\" -> hours", "“Opening hours”   →  hours");
    let story = shop().file("flows/front.flow", &crooked);
    story
        .run(["fmt", "--check"])
        .code(1)
        .stdout_has("flows/front.flow");
    story
        .run(["fmt", "--diff"])
        .code(1)
        .stdout_has("+    \"Opening hours\" -> hours");
    story.run(["fmt"]).code(0);
    story.run(["fmt", "--check"]).code(0).stdout("");
    assert_eq!(story.read("flows/front.flow"), FLOW);
}

#[test]
fn the_formatter_returns_what_it_cannot_read_unchanged() {
    let broken = FLOW.replace("  end\n", "").replace("menu", "  menu");
    Story::new()
        .input(&broken)
        .run(["fmt", "-"])
        .code(1)
        .stdout(&broken)
        .stderr_has("F002");
}

#[test]
fn every_code_has_its_story() {
    let list = Story::new().run(["explain"]).code(0).stdout_text();
    assert!(list.lines().count() >= 40, "{list}");
    for line in list.lines() {
        let code = line.split_whitespace().next().unwrap();
        Story::new().run(["explain", code]).code(0).stdout_has(code);
    }
    Story::new().run(["explain", "F999"]).code(2).stderr_has("F999");
}

#[test]
fn a_conversation_in_a_pipe_reads_as_a_conversation() {
    shop()
        .input("hi\n2\n/state\n/quit\n")
        .run(["chat"])
        .code(0)
        .stdout_has("Bot:   How can we help?\n       [Opening hours] [A person]")
        .stdout_has("(handed to people)")
        .stdout_has("mode  Human");
}

#[test]
fn a_conversation_by_hand_can_be_saved_and_passes_as_a_test() {
    let story = shop();
    story
        .input("hi\n/tap 1\nhi\n/undo\n/save \"Opening hours\" flows/hours.chat\n/quit\n")
        .run(["chat"])
        .code(0)
        .stdout_has("(added to flows/hours.chat)");
    story.run(["test"]).code(0).stdout_has("1 passed, 0 failed");
}

const CHAT: &str = "\
chat \"Opening hours\"
  customer Maria

Maria: hi
Bot:   How can we help?
       [Opening hours] [A person]
Maria: 1
Bot:   We are open every day.
";

#[test]
fn a_failing_conversation_shows_the_difference_and_where_it_is_said() {
    let story = shop().file("flows/hours.chat", &CHAT.replace("every day", "on Sundays"));
    story
        .run(["test"])
        .code(1)
        .stdout_has("FAIL  flows/hours.chat:1")
        .stdout_has("- Bot:   We are open on Sundays.")
        .stdout_has("+ Bot:   We are open every day.")
        .stdout_has("said at flows/front.flow:11")
        .stdout_has("0 passed, 1 failed");
    story
        .run(["test", "--bless"])
        .code(1)
        .stderr_has("rewrote flows/hours.chat");
    assert_eq!(story.read("flows/hours.chat"), CHAT);
    story.run(["test"]).code(0).stdout_has("1 passed, 0 failed");
}

#[test]
fn speech_is_strict_and_silence_can_be_demanded() {
    shop()
        .file(
            "flows/a.chat",
            &CHAT.replace("Maria: 1\n", "Maria: 1\n(silence)\n"),
        )
        .run(["test"])
        .code(1)
        .stdout_has("This is not in the transcript");
}

#[test]
fn a_call_without_a_mock_prints_the_line_to_add() {
    let with_service = format!(
        "{SMALL}\nservice shop \"https://api.example\"\n  action hours needs day\n    get \"/hours?day={{{{ day }}}}\"\n    gives text: text\nend\n"
    );
    let flow = FLOW.replace(
        "  say \"We are open every day.\"\n",
        "  fetch hours from shop.hours with day = \"today\"\n    problem -> handoff to people\n  end\n  say \"{{ hours.text }}\"\n",
    );
    shop()
        .file("flows/business.flow", &with_service)
        .file("flows/front.flow", &flow)
        .file("flows/a.chat", CHAT)
        .run(["test"])
        .code(1)
        .stdout_has("given shop.hours with day \"today\" answers 200");
}

#[test]
fn a_call_that_was_down_by_hand_is_down_in_the_saved_test() {
    let with_service = format!(
        "{SMALL}\nservice shop \"https://api.example\"\n  action hours needs day\n    get \"/hours?day={{{{ day }}}}\"\n    gives text: text\nend\n"
    );
    let flow = FLOW.replace(
        "  say \"We are open every day.\"\n",
        "  fetch hours from shop.hours with day = \"today\"\n    problem -> handoff to people\n  end\n  say \"{{ hours.text }}\"\n",
    );
    let story = shop()
        .file("flows/business.flow", &with_service)
        .file("flows/front.flow", &flow);
    story
        .input("hi\n1\n/save \"Nobody answers\" flows/down.chat\n")
        .run(["chat"])
        .code(0)
        .stdout_has("try  /given shop.hours with day \"today\" answers 200 {}");
    assert!(
        story
            .read("flows/down.chat")
            .contains("  given shop.hours with day \"today\" is down\n")
    );
    story.run(["test"]).code(0).stdout_has("1 passed, 0 failed");
}

#[test]
fn one_conversation_can_be_picked_and_the_result_written_for_machines() {
    let story = shop().file(
        "flows/a.chat",
        &format!("{CHAT}\n{}", CHAT.replace("Opening hours\"\n", "Again\"\n")),
    );
    story
        .run(["test", "flows/a.chat:1"])
        .code(0)
        .stdout_has("1 passed, 0 failed");
    story
        .run(["test", "--filter", "Again", "--junit", "out.xml"])
        .code(0)
        .stdout_has("1 passed, 0 failed");
    assert!(story.read("out.xml").contains("testcase name=\"Again\""));
}

#[test]
fn coverage_names_the_exits_that_were_never_taken() {
    let story = shop().file("flows/a.chat", CHAT);
    story
        .run(["test", "--coverage"])
        .code(0)
        .stdout_has("front/hello.menu")
        .stdout_has("never: [A person], otherwise");
    story
        .run(["test", "--fail-under", "100"])
        .code(1)
        .stderr_has("exits were taken");
}

#[test]
fn a_transcript_that_cannot_be_read_names_every_line() {
    shop()
        .file(
            "flows/a.chat",
            "chat \"x\"\n  customer Maria\nPedro: hi\n(the moon rises)\n",
        )
        .run(["test"])
        .code(1)
        .stderr_has("flows/a.chat:3: who is Pedro?")
        .stderr_has("flows/a.chat:4: no stage direction");
}

#[test]
fn nothing_to_play_is_wrong_usage() {
    shop().run(["test"]).code(2).stderr_has("no conversation to play");
}

#[test]
fn the_graph_is_drawn_for_reviews_and_for_graphviz() {
    shop()
        .run(["graph"])
        .code(0)
        .stdout_has("flowchart")
        .stdout_has("Opening hours");
    shop()
        .run(["graph", "front", "--format", "dot"])
        .code(0)
        .stdout_has("digraph");
    shop()
        .run(["graph", "back"])
        .code(2)
        .stderr_has("there are: front");
}

#[test]
fn flows_with_mistakes_are_not_played_or_drawn() {
    let story = shop().file("flows/front.flow", &FLOW.replace("-> hours", "-> ours"));
    story.run(["test"]).code(1).stderr_has("F101");
    story.run(["graph"]).code(1).stderr_has("F101");
    story.input("hi\n").run(["chat"]).code(1).stderr_has("F101");
}

#[test]
fn what_the_machine_lacks_ends_with_3_and_what_the_other_side_refuses_with_4() {
    Story::new()
        .run(["serve", "--config", "switchboard.toml"])
        .code(3)
        .stderr_has("--print-config");
    Story::new()
        .run(["doctor", "--config", "switchboard.toml"])
        .code(3);
    Story::new().run(["transcribe", "nothing.ogg"]).code(3);
    // Nobody listens on port 9 of this machine.
    Story::new()
        .run(["voice", "fetch", "tiny", "--from", "http://127.0.0.1:9/tiny.bin"])
        .code(4);
}

/// A folder with a number at 360dialog, whose API is where nobody listens.
fn with_a_number() -> Story {
    Story::new()
        .file("token", "the-token-itself\n")
        .file("secret", "sixteen-or-more-of-these\n")
        .file(
            "switchboard.toml",
            "public_url = \"https://bot.example\"\n[[channel]]\nid = \"main\"\nprovider = \"compatible\"\n\
             number = \"+62 811 0000 0099\"\nphone_number_id = \"106\"\napi_base = \"http://127.0.0.1:9\"\n\
             access_token_file = \"token\"\nwebhook_secret_file = \"secret\"\n[channel.compatible]\n\
             preset = \"360dialog\"\nwebhook_auth = \"path\"\n",
        )
}

#[test]
fn a_number_is_listed_with_the_address_to_hand_over_and_its_secret_only_if_asked() {
    let story = with_a_number();
    let listing = "main\n  provider  compatible\n  number    +62 811 0000 0099\n  account   106\n  autopilot on\n  \
                   webhook   https://bot.example/webhook/main/";
    story
        .run(["channel", "list"])
        .code(0)
        .stdout(&format!("{listing}…\n"));
    story
        .run(["channel", "list", "--show-secret"])
        .code(0)
        .stdout(&format!("{listing}sixteen-or-more-of-these\n"));
    let json = story
        .run(["channel", "list", "--format", "json"])
        .code(0)
        .stdout_text();
    let listed: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(listed[0]["webhook"], "https://bot.example/webhook/main/…");
    assert_eq!(listed[0]["account"], "106");
}

#[test]
fn a_number_of_the_file_is_verified_although_a_server_holds_the_store() {
    let story = with_a_number();
    let clock = Arc::new(SystemClock);
    let held = SqliteStore::open(story.path("switchboard.db"), Caps::default(), clock).expect("a store");
    story
        .run(["channel", "verify"])
        .code(4)
        .stdout_has("main (compatible): the provider can't be reached")
        .stderr_has("Numbers that the store may hold are not among these");
    drop(held);
}

#[test]
fn a_provider_that_can_t_be_reached_is_told_with_the_next_step() {
    let story = with_a_number();
    story
        .run(["channel", "verify"])
        .code(4)
        .stdout_has("main (compatible): the provider can't be reached")
        .stdout_has("→ check api_base");
    story
        .run(["channel", "verify", "other"])
        .code(2)
        .stderr_has("there is no channel \"other\"; there are main");
    let json = story
        .run(["channel", "verify", "main", "--format", "json"])
        .code(4)
        .stdout_text();
    let verified: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(verified[0]["state"], "unreachable");
    assert!(!json.contains("the-token-itself"), "{json}");
}

const HOURS: &str = "\
chat \"The hours\"
  customer Maria
Maria: hi
Bot:   How can we help?
       [Opening hours] [A person]
Maria: [Opening hours]
Bot:   We are open every day.
";

#[test]
fn coverage_is_a_table_a_warning_of_steps_that_no_test_enters_a_file_and_the_colours_of_the_graph() {
    let with_more = FLOW.to_owned() + "\nstep parking\n  say \"Behind the shop.\"\n  done\n";
    let with_more = with_more.replace("    \"A person\"", "    \"Parking\" -> parking\n    \"A person\"");
    let chat = HOURS.replace("[A person]", "[Parking] [A person]");
    let story = shop()
        .file("flows/front.flow", &with_more)
        .file("flows/tests/hours.chat", &chat);
    story
        .run(["test", "--coverage", "--coverage-json", "coverage.json"])
        .code(0)
        .stdout_has("never: [Parking], [A person], otherwise, otherwise used up")
        .stderr_has("warning[F901]: no conversation test comes to the step \"parking\"")
        .stderr_has("flows/front.flow:15");
    let told: serde_json::Value = serde_json::from_str(&story.read("coverage.json")).expect("JSON");
    assert_eq!((&told["taken"], &told["all"]), (&1.into(), &5.into()));
    assert_eq!(told["steps"][2]["step"], "front/parking");
    assert_eq!(told["steps"][2]["entered"], false);
    let drawn = story.run(["graph", "--coverage"]).code(0).stdout_text();
    for (class, node) in [("whole", "n3"), ("part", "n2"), ("never", "n4")] {
        assert!(
            drawn.contains(&format!("class {node},legend_{class} {class}\n")),
            "{class}: {drawn}"
        );
    }
    // Arrows, too: nobody asked for the parking.
    assert!(
        drawn.contains("stroke:#b71c1c,color:#b71c1c,stroke-dasharray"),
        "{drawn}"
    );
    assert!(drawn.contains("1/5"), "{drawn}");
    story
        .run(["graph", "--coverage", "--format", "dot"])
        .code(0)
        .stdout_has("fillcolor=\"#f8cccc\"")
        .stdout_has("[label=\"Opening hours\", color=\"#2e7d32\"")
        .stdout_has("[label=\"Parking\", style=dashed, color=\"#b71c1c\"");
    story
        .run(["graph", "--coverage", "--format", "json"])
        .code(0)
        .stdout_has("\"taken\": 1")
        .stdout_has("\"taken\": false");
    let plain = story.run(["graph"]).code(0).stdout_text();
    assert!(!plain.contains("classDef"));
}

/// Elements and attributes that readers of JUnit files know (Jenkins' `junit-10.xsd`, and `skipped` on the whole, which
/// Ant and Maven write), and in which they stand.
const JUNIT: [(&str, &str, &[&str]); 5] = [
    (
        "testsuites",
        "",
        &[
            "name", "tests", "failures", "errors", "skipped", "time", "disabled",
        ],
    ),
    (
        "testsuite",
        "testsuites",
        &[
            "name",
            "tests",
            "failures",
            "errors",
            "disabled",
            "skipped",
            "time",
            "timestamp",
            "id",
            "package",
        ],
    ),
    (
        "testcase",
        "testsuite",
        &["name", "classname", "time", "status", "assertions"],
    ),
    ("failure", "testcase", &["message", "type"]),
    ("error", "testcase", &["message", "type"]),
];

/// Reads a JUnit file by hand; gives how often each element stands in it.
#[track_caller]
fn valid_junit(xml: &str) -> std::collections::BTreeMap<String, usize> {
    let mut open: Vec<String> = Vec::new();
    let mut count = std::collections::BTreeMap::new();
    let body = xml.split_once("?>").expect("an XML declaration").1;
    for part in body.split('<').skip(1) {
        let (tag, _) = part.split_once('>').expect("a tag is closed");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "{xml}");
            continue;
        }
        let name = tag.split([' ', '/']).next().expect("a name");
        let known = JUNIT.iter().find(|known| known.0 == name);
        let (_, parent, attributes) = known.unwrap_or_else(|| panic!("nobody knows <{name}>: {xml}"));
        assert_eq!(open.last().map_or("", String::as_str), *parent, "{xml}");
        for attribute in tag.split('"').step_by(2) {
            let attribute = attribute
                .trim_end_matches('=')
                .rsplit(' ')
                .next()
                .unwrap_or_default();
            let known = attribute.is_empty() || attribute == "/" || attribute == name;
            assert!(
                known || attributes.contains(&attribute),
                "<{name} {attribute}>: {xml}"
            );
        }
        *count.entry(name.to_owned()).or_default() += 1;
        if !tag.ends_with('/') {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty(), "{xml}");
    count
}

#[test]
fn a_junit_file_is_as_its_readers_expect_and_a_failure_carries_the_difference() {
    let story = shop()
        .file("flows/tests/a.chat", HOURS)
        .file(
            "flows/tests/b.chat",
            &HOURS.replace("every day.", "\"never\" & <only> then."),
        )
        .file("flows/tests/c.chat", "chat \"x\"\n(the moon rises)\n");
    story.run(["test", "--junit", "out.xml"]).code(1);
    let xml = story.read("out.xml");
    let count = valid_junit(&xml);
    assert_eq!((count["testsuite"], count["testcase"]), (3, 3), "{xml}");
    assert_eq!((count["failure"], count["error"]), (1, 1), "{xml}");
    for part in [
        "- Bot:   We are open &quot;never&quot; &amp; &lt;only&gt; then.",
        "+ Bot:   We are open every day.",
        "no stage direction reads like (the moon rises)",
    ] {
        let part_as_text = part.replace("&quot;", "\"");
        assert!(
            xml.contains(part) || xml.contains(&part_as_text),
            "{part} is not in {xml}"
        );
    }
}

#[test]
fn what_is_sent_is_compared_byte_for_byte_and_blessed() {
    let chat = HOURS.replace(
        "Maria: [Opening hours]",
        "check  sends exactly \"menu.json\"\nMaria: [Opening hours]",
    );
    let story = shop().file("flows/tests/hours.chat", &chat);
    story
        .run(["test"])
        .code(1)
        .stdout_has("there is no file menu.json beside the transcript; --bless writes it");
    story
        .run(["test", "--bless"])
        .code(0)
        .stderr_has("wrote flows/tests/menu.json");
    let golden = story.read("flows/tests/menu.json");
    let sent: serde_json::Value = serde_json::from_str(&golden).expect("JSON");
    assert_eq!(sent[0]["messaging_product"], "whatsapp");
    assert_eq!(
        sent[0]["interactive"]["action"]["buttons"][1]["reply"]["title"],
        "A person"
    );
    story.run(["test"]).code(0);
    let other = golden.replace("A person", "A human");
    story
        .file("flows/tests/menu.json", &other)
        .run(["test"])
        .code(1)
        .stdout_has("the last turn is sent otherwise")
        .stdout_has("A human");
}

#[test]
fn conversations_of_every_way_are_written_once_and_pass() {
    let story = shop();
    story
        .run(["test", "--generate"])
        .code(0)
        .stdout_has("wrote flows/tests/generated/front.chat with ");
    let written = story.read("flows/tests/generated/front.chat");
    for part in [
        "chat \"Happy path\"",
        "chat \"Wrong too often\"",
        "chat \"Cancelled\"",
        "Maria: [A person]",
        "(handed to people)",
        "Bot:   We are open every day.",
        "Bot:   Please say that again.",
    ] {
        assert!(written.contains(part), "{part} is not in\n{written}");
    }
    // Every exit is taken, and the bot says what is written.
    story
        .run(["test", "--coverage", "--fail-under", "100"])
        .code(0)
        .stdout_has(" 0 failed");
    let story = story.file("flows/tests/generated/front.chat", "# mine\n");
    story
        .run(["test", "--generate"])
        .code(0)
        .stdout_has("left flows/tests/generated/front.chat alone: it is there already");
    assert_eq!(story.read("flows/tests/generated/front.chat"), "# mine\n");
}

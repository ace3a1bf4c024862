//! Random customers talk to the sample businesses: nothing that may never happen happens. And to one that leaves
//! somebody without an answer, which is told as a conversation.

mod story;

use std::path::Path;

use story::Story;
use switchboard::chat::explore::Explorer;
use switchboard::engine::Machine;
use switchboard::flow::compile;
use switchboard::flow::source::Sources;

/// The release promise is a thousand customers of two hundred turns; here are as many as a debug build takes in seconds.
const CUSTOMERS: u64 = 25;
const TURNS: u32 = 200;

#[track_caller]
fn nothing_is_found_in(folder: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut sources = Sources::default();
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder is part of the project")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|own| own == "flow"))
        .collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        sources.add(name, std::fs::read_to_string(&path).expect("a text"));
    }
    let machine = Machine::load(compile(&sources).program.expect("it compiles"));
    let mut explorer = Explorer::new(&machine);
    for seed in 1..=CUSTOMERS {
        if let Err(lost) = explorer.walk(seed, TURNS) {
            panic!("{}\n{}", folder.display(), explorer.tell(&lost).chat);
        }
    }
}

#[test]
fn in_the_sample_business_nothing_is_found() {
    nothing_is_found_in("flows");
}

#[test]
fn in_the_fixture_businesses_nothing_is_found() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/flow");
    let mut count = 0;
    for business in std::fs::read_dir(folder).expect("the folder is part of the project") {
        let business = business.expect("it can be read").file_name();
        nothing_is_found_in(&format!("fixtures/flow/{}", business.to_string_lossy()));
        count += 1;
    }
    assert!(count > 1, "there are businesses");
}

const BUSINESS: &str = "\
business \"Corner Shop\"
timezone \"Europe/Lisbon\"
team people \"People\"
";

const ROUND: &str = "\
flow front
starts on \"hi\"

step hello
  menu \"Which way?\"
    \"Left\" -> left
    \"Right\" -> right
    otherwise \"Please tap one of these.\"
  end

step left
  say \"To the left!\"
  -> hello

step right
  say \"To the right!\"
  -> hello
";

fn shop(front: &str) -> Story {
    Story::new()
        .file("flows/business.flow", BUSINESS)
        .file("flows/front.flow", front)
}

#[test]
fn what_is_found_is_printed_as_a_transcript_that_fails_until_it_is_mended() {
    // Nobody who writes gets out of it.
    let found = shop(ROUND)
        .run(["explore", "--seeds", "20", "--turns", "50"])
        .code(1)
        .stdout_has("# found 20 times; again with  switchboard explore --turns 1 --seed 1\n")
        .stdout_has("# 20 customers of 50 turns: 1 found\n")
        .stderr_has("20 random customers");
    let chat = found.stdout_text();
    shop(ROUND)
        .file("flows/tests/found.chat", &chat)
        .run(["test"])
        .code(1)
        .stdout_has(
            "Not so: from front/hello.menu nothing the customer does leads to a person or to an end.",
        );
    let mended = ROUND.replace("    otherwise", "    \"Enough\" -> done\n    otherwise");
    shop(&mended)
        .run(["explore", "--seeds", "20", "--turns", "50"])
        .code(0)
        .stdout("# 20 customers of 50 turns: nothing found\n");
}

#[test]
fn findings_are_read_by_machines_too() {
    let shop = shop(ROUND);
    let told = shop
        .run(["explore", "flows", "--seeds", "10", "--format", "json"])
        .code(1);
    let told: serde_json::Value = serde_json::from_str(&told.stdout_text()).expect("it is JSON");
    let found = &told["found"][0];
    assert_eq!(
        (&found["class"], &found["customers"]),
        (&"stranded".into(), &10.into())
    );
    let chat = found["chat"].as_str().expect("a transcript");
    assert!(chat.ends_with("check  every promise holds\n"), "{chat}");
    let (seed, turn) = (found["seed"].to_string(), found["turn"].to_string());
    shop.run(["explore", "--seed", seed.as_str(), "--turns", turn.as_str()])
        .code(1)
        .stdout_has("leads to a person or to an end")
        .stdout_has("1 customer of");
}

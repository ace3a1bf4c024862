//! An agent's two numbers: the published one keeps the flows that were published and what it knows of a customer, the draft
//! one has the folder as it is, and neither sees the other's memory.

// Helpers of tests stand outside test functions here; a panic is how they say that a promise was broken.
#![allow(clippy::unwrap_used)]

mod bot;
mod double;
mod thread;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use assert_cmd::Command;
use switchboard::engine::{Machine, Mode};
use switchboard::server::config::Config;
use switchboard::server::door::Door;
use switchboard::server::impact::{self, Earlier, How};
use switchboard::server::tally::Kinds;
use switchboard::server::versions::{self, Candidate, Said as Note};
use switchboard::server::{FlowsError, Handle, Parts, Running, Said, Server, StartError, ThreadEntry};
use switchboard::store::{Caps, ContactId, MovableClock, SqliteStore, Store};
use tempfile::TempDir;

const SARI: &str = "6281100000011";

const NUMBERS: &str = "[[agent]]\nid = \"shop\"\n[agent.published]\nprovider = \"simulator\"\nburst_quiet_ms = 20\n\
                       [agent.draft]\nprovider = \"simulator\"\nburst_quiet_ms = 20\n";
const PUBLISHED: &str = "shop-published";
const DRAFT: &str = "shop-draft";

/// Flows that ask for a name once in a customer's life.
fn write_flows(folder: &Path, greeting: &str) {
    std::fs::create_dir_all(folder).unwrap();
    let business = "business \"Test Bikes\"\ntimezone \"Europe/Lisbon\"\nlanguages en\nstarts with desk\n\n\
                    team support \"Customer care\"\n\nmemory\n  contact.first_name: text\nend\n\n\
                    defaults\n  otherwise \"Sorry?\" up to 2 times, then -> handoff to support\nend\n";
    let desk = format!(
        "flow desk \"Front desk\"\nstarts on first message\nstarts on \"hi\"\n\nstep hello\n  \
         if contact.first_name is known -> greet them\n  ask first_name \"{greeting} What's your name?\"\n    as text\n  end\n  \
         remember first_name as contact.first_name\n  close \"Noted, {{{{ first_name }}}}.\"\n\nstep greet them\n  \
         close \"Hello again, {{{{ contact.first_name }}}}.\"\n"
    );
    std::fs::write(folder.join("business.flow"), business).unwrap();
    std::fs::write(folder.join("desk.flow"), desk).unwrap();
}

struct Office {
    folder: TempDir,
    store: Arc<SqliteStore>,
}

impl Office {
    fn new() -> Office {
        let folder = tempfile::tempdir().unwrap();
        write_flows(&folder.path().join("flows"), "Hello!");
        let clock = Arc::new(MovableClock::default());
        let store = SqliteStore::open(folder.path().join("store.db"), Caps::default(), clock).unwrap();
        Office {
            folder,
            store: Arc::new(store),
        }
    }

    fn flows(&self) -> PathBuf {
        self.folder.path().join("flows")
    }

    async fn publish(&self) -> u32 {
        let door = Door::Here(self.store.clone());
        let candidate = Candidate::of_folder(&door, &self.flows()).await.unwrap();
        let published = candidate.publish(&door, &Note::default()).await;
        published.unwrap().version.number
    }

    async fn start(&self) -> Result<Running, StartError> {
        self.start_with(NUMBERS, &|_| None).await
    }

    async fn start_with(
        &self,
        numbers: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Running, StartError> {
        let text = format!("flows = \"flows\"\nbind = \"127.0.0.1:0\"\n{numbers}");
        let place = self.folder.path().join("switchboard.toml");
        let config = Config::parse(&text, &place, env).unwrap();
        Server::start(config, self.store.clone(), Parts::default()).await
    }

    /// With somebody in the middle of what is published, and no server. The configuration for commands.
    async fn with_somebody_waiting(&self) -> PathBuf {
        self.publish().await;
        let running = self.start().await.unwrap();
        says(&running.handle(), PUBLISHED, "hi", "Hello! What's your name?").await;
        running.shutdown().await;
        self.config()
    }

    /// The same settings for the real binary, with the store's place.
    fn config(&self) -> PathBuf {
        let config = self.folder.path().join("switchboard.toml");
        let text =
            format!("flows = \"flows\"\nbind = \"127.0.0.1:0\"\nstore = \"sqlite:store.db\"\n{NUMBERS}");
        std::fs::write(&config, text).unwrap();
        config
    }

    /// The step in which somebody waits goes. The flow as it was.
    fn renames_the_step(&self) -> String {
        let desk = self.flows().join("desk.flow");
        let flow = std::fs::read_to_string(&desk).unwrap();
        std::fs::write(&desk, flow.replace("step hello", "step welcome")).unwrap();
        flow
    }
}

/// Says it and waits for the answer that begins so. Gives who said it.
async fn says(handle: &Handle, channel: &str, text: &str, wanted: &str) -> ContactId {
    let said = Said::Text(text.to_owned());
    let contact = handle.say(channel, SARI, None, said).await.unwrap();
    let heard = |thread: &[ThreadEntry]| {
        let last = thread::bodies(thread).pop();
        last.is_some_and(|last| last.starts_with(wanted))
    };
    thread::until(handle, contact, &format!("{wanted:?} on {channel}"), heard).await;
    contact
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_draft_number_never_sees_what_the_published_one_remembers() {
    let office = Office::new();
    office.publish().await;
    let running = office.start().await.unwrap();
    let handle = running.handle();
    let published = says(&handle, PUBLISHED, "hi", "Hello! What's your name?").await;
    says(&handle, PUBLISHED, "Sari", "Noted, Sari.").await;
    says(&handle, PUBLISHED, "hi", "Hello again, Sari.").await;

    // The same person, the other number: a stranger there.
    let draft = says(&handle, DRAFT, "hi", "Hello! What's your name?").await;
    assert_ne!(published, draft);
    says(&handle, DRAFT, "Budi", "Noted, Budi.").await;
    says(&handle, DRAFT, "hi", "Hello again, Budi.").await;
    says(&handle, PUBLISHED, "hi", "Hello again, Sari.").await;
    for (contact, theirs, others) in [(published, "Sari", "Budi"), (draft, "Budi", "Sari")] {
        let whole = office.store.whole(contact).await.unwrap().unwrap();
        let memory = String::from_utf8(whole.memory.unwrap().0).unwrap();
        assert!(memory.contains(theirs) && !memory.contains(others), "{memory}");
    }
    // Each has a switch of its own.
    assert!(handle.set_autopilot(DRAFT, false).await.unwrap());
    let on = |id: &str| {
        handle
            .channels()
            .iter()
            .any(|channel| channel.id == id && channel.autopilot)
    };
    assert!(on(PUBLISHED) && !on(DRAFT));
    let draft = handle.conversation(draft).await.unwrap().unwrap();
    assert_ne!(draft.session.position.mode, Mode::Human);
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_published_number_keeps_its_flows_while_the_folder_changes_until_they_are_published() {
    let office = Office::new();
    assert_eq!(office.publish().await, 1);
    let running = office.start().await.unwrap();
    let handle = running.handle();
    write_flows(&office.flows(), "Good day!");
    running.reload().await.unwrap();
    let draft = says(&handle, DRAFT, "hi", "Good day!").await;
    let published = says(&handle, PUBLISHED, "hi", "Hello!").await;

    // A folder with a mistake is not published, and the draft keeps the last good one.
    std::fs::write(office.flows().join("broken.flow"), "flow broken\nstep a\n  say").unwrap();
    let door = Door::Here(office.store.clone());
    let refused = Candidate::of_folder(&door, &office.flows()).await;
    assert!(refused.unwrap_err().to_string().contains("broken.flow"));
    running.reload().await.unwrap_err();
    std::fs::remove_file(office.flows().join("broken.flow")).unwrap();

    let candidate = Candidate::of_folder(&door, &office.flows()).await.unwrap();
    let would = candidate.would(&door, &Note::default());
    assert_eq!((would.version.number, would.new), (2, true));
    assert_eq!(would.changed, ["desk.flow is changed"]);
    assert_eq!(versions::list(&door).await.unwrap().published, 1);
    assert_eq!(office.publish().await, 2);
    assert_eq!(office.publish().await, 2, "they are published already");
    // The server hears of it by itself.
    for contact in [published, draft] {
        assert!(handle.erase(contact).await.unwrap());
    }
    let takes_over = async {
        loop {
            let contact = says(&handle, PUBLISHED, "hi", "").await;
            let thread = format!("{:?}", handle.thread(contact, 10).await.unwrap());
            assert!(handle.erase(contact).await.unwrap());
            if thread.contains("Good day!") {
                return;
            }
        }
    };
    tokio::time::timeout(bot::PATIENCE, takes_over)
        .await
        .expect("version 2 answers");
    running.shutdown().await;

    // And back: the folder is as it was.
    let door = Door::Here(Arc::new(
        SqliteStore::open(
            office.folder.path().join("store.db"),
            Caps::default(),
            Arc::new(MovableClock::default()),
        )
        .unwrap(),
    ));
    let candidate = Candidate::of_version(&door, 1).await.unwrap();
    let back = candidate.publish(&door, &Note::default()).await.unwrap();
    assert_eq!((back.before, back.version.number), (2, 1));
    assert_eq!(versions::list(&door).await.unwrap().published, 1);
    let why = Candidate::of_version(&door, 7).await.unwrap_err();
    assert_eq!(why.to_string(), "there is no version 7; there are 1, 2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_published_number_sends_the_files_that_were_published() {
    let double = double::Double::start().await;
    let setup = double.setup().clone();
    let office = Office::new();
    let desk = "flow desk \"Front desk\"\nstarts on first message\nstarts on \"hi\"\n\nstep hello\n  \
                send photo \"assets/menu.png\"\n  close \"That is the menu.\"\n";
    std::fs::write(office.flows().join("desk.flow"), desk).unwrap();
    std::fs::create_dir(office.flows().join("assets")).unwrap();
    std::fs::write(office.flows().join("assets/unnamed.png"), b"nobody sends this").unwrap();
    let draw = |picture: &str| std::fs::write(office.flows().join("assets/menu.png"), picture).unwrap();
    draw("the menu of May");
    assert_eq!(office.publish().await, 1);
    let kept = office.store.settings("flows/file/").await.unwrap();
    assert_eq!(kept.len(), 1);

    let numbers = format!(
        "[[agent]]\nid = \"shop\"\n[agent.published]\nprovider = \"meta\"\nphone_number_id = \"{}\"\n\
         api_base = \"{}\"\naccess_token_env = \"TOKEN\"\napp_secret_env = \"SECRET\"\nverify_token_env = \"VERIFY\"\n\
         burst_quiet_ms = 20\n",
        setup.phone_number_id,
        double.base_url()
    );
    let env = |name: &str| match name {
        "TOKEN" => Some(setup.access_tokens[0].clone()),
        "SECRET" => Some(setup.app_secret.clone()),
        "VERIFY" => Some(setup.verify_token.clone()),
        _ => None,
    };
    let running = office.start_with(&numbers, &env).await.unwrap();
    double.point_at(format!("http://{}/webhook/shop-published", running.address()));
    let uploaded = |log: &[double::Logged], what: &str| {
        let holds = |body: &[u8]| body.windows(what.len()).any(|part| part == what.as_bytes());
        log.iter()
            .any(|call| call.path.ends_with("/media") && holds(&call.body))
    };
    draw("the menu of June");
    let sari = double.customer(SARI);
    sari.says("hi");
    let log = double
        .wait_for_log("a picture", |log| uploaded(log, "the menu of"))
        .await;
    assert!(uploaded(&log, "the menu of May") && !uploaded(&log, "the menu of June"));

    let door = Door::Here(office.store.clone());
    let candidate = Candidate::of_folder(&door, &office.flows()).await.unwrap();
    let published = candidate.publish(&door, &Note::default()).await.unwrap();
    assert_eq!((published.version.number, published.new), (2, true));
    assert_eq!(published.changed, ["assets/menu.png is changed"]);
    let takes_over = async {
        let mut sent = double.sent().len();
        loop {
            sari.says("hi");
            sent += 1;
            double.wait_for_sent(sent + 1).await;
            sent = double.sent().len();
            if uploaded(&double.log(), "the menu of June") {
                return;
            }
        }
    };
    tokio::time::timeout(bot::PATIENCE, takes_over)
        .await
        .expect("the picture of version 2 is sent");
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_published_number_does_not_start_before_flows_are_published() {
    let office = Office::new();
    let refused = office.start().await.unwrap_err();
    assert!(matches!(refused, StartError::Flows(FlowsError::NothingPublished)));
    assert!(refused.to_string().contains("`switchboard publish`"), "{refused}");
}

/// The real binary, with an embedded store that the server holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_reaches_a_server_that_holds_the_store() {
    let double = double::Double::start().await;
    let mut bot = bot::Bot::new(&double);
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let text = format!(
        "bind = \"{free}\"\nstore = \"sqlite:store.db\"\nadmin_token = {{ env = \"ADMIN\" }}\n{NUMBERS}"
    );
    write_flows(&bot.flows(), "Hello!");
    std::fs::write(bot.config(), &text).unwrap();
    bot.env("ADMIN", "let-me-in");
    let config = bot.config();
    let flows = bot.flows();
    let switchboard = |arguments: &[&str], token: &str, failpoint: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command.args(arguments).arg("--config").arg(&config);
        let done = command
            .env("ADMIN", token)
            .env("USER", "ana")
            .env("SWITCHBOARD_FAILPOINT", failpoint)
            .output()
            .unwrap();
        let both = [done.stdout, done.stderr].concat();
        (done.status.code(), String::from_utf8(both).unwrap())
    };
    let run = |arguments: &[&str]| switchboard(arguments, "let-me-in", "");
    assert_eq!(
        run(&["versions", "list"]),
        (Some(0), "Nothing is published yet.\n".to_owned())
    );
    // A conversation that fails keeps it from being published.
    let chat = "chat \"Hello\"\n  customer Maria\n\nMaria: hi\nBot:   Hello! What's your name?\nMaria: Ana\nBot:   Noted, Ana.\n";
    std::fs::write(flows.join("desk.chat"), chat.replace("Noted", "Thanks")).unwrap();
    let (code, said) = run(&["publish", "--note", "first"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("\"Hello\" in ") && said.contains("Nothing is published"),
        "{said}"
    );
    std::fs::write(flows.join("desk.chat"), chat).unwrap();
    // One that is killed on the way publishes nothing, and the next one does.
    for place in ["before_version:abort", "before_published:abort"] {
        let (code, said) = switchboard(&["publish"], "let-me-in", place);
        assert_eq!(code, None, "{said}");
        let (_, said) = run(&["versions", "list"]);
        assert_eq!(said, "Nothing is published yet.\n");
    }
    let (code, said) = run(&["publish", "--note", "first"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("Version 1 ("), "{said}");
    bot.try_start(&double, &[]).await.unwrap();
    write_flows(&flows, "Good day!");
    let (code, said) = run(&["publish"]);
    assert_eq!(code, Some(1), "its conversation says something else now: {said}");
    // Killed on the way, the version before goes on answering, and the list is whole.
    for place in ["before_version:abort", "before_published:abort"] {
        let (code, _) = switchboard(&["publish", "--without-tests"], "let-me-in", place);
        assert_eq!(code, None);
    }
    let (_, said) = run(&["versions", "list"]);
    assert!(
        said.contains("   1  published") && !said.contains("   2  "),
        "{said}"
    );
    let (code, said) = run(&["publish", "--without-tests"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("desk.flow is changed") && said.contains("shop-published"),
        "{said}"
    );
    bot.line("published flows are live version=2")
        .await
        .expect("it takes it over");
    let (code, said) = switchboard(&["versions", "rollback", "1"], "wrong", "");
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("unauthorized"), "{said}");
    let (code, said) = run(&["versions", "list"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("   2  published")
            && said.contains("ana  without tests")
            && said.contains("ana  1 chat passed  first"),
        "{said}"
    );
    let (code, said) = run(&["versions", "diff", "1", "2"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("- Hello! What's your name?") && said.contains("+ Good day! What's your name?"),
        "{said}"
    );
    let (code, said) = run(&["versions", "rollback", "1", "--note", "it was better"]);
    assert_eq!(code, Some(0), "{said}");
    bot.line("published flows are live version=1")
        .await
        .expect("it goes back");
    let (_, said) = run(&["versions", "list"]);
    assert!(
        said.contains("over 2  ana  it was better") && said.contains("   1  published"),
        "{said}"
    );
    // Who publishes for somebody else says so, and going back and forth is kept of each version.
    for (arguments, listed) in [
        (["versions", "rollback", "2", "--by", "budi"], "over 1  budi"),
        (["versions", "rollback", "1", "--as", "sari"], "over 2  sari"),
    ] {
        let (code, said) = run(&arguments);
        assert_eq!(code, Some(0), "{said}");
        let (_, said) = run(&["versions", "list"]);
        assert!(said.contains(listed), "{said}");
    }
    let (_, said) = run(&["versions", "list"]);
    assert_eq!(said.matches("  again  ").count(), 3, "{said}");
    let (code, said) = run(&["versions", "rollback", "9"]);
    assert_eq!(code, Some(2), "{said}");
    let (status, _) = bot.stop();
    assert!(status.success());
}

/// Somebody waits for an answer, and their step is to go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_says_whom_it_touches_and_waits_for_a_yes_and_they_finish_where_they_are() {
    let office = Office::new();
    office.publish().await;
    let running = office.start().await.unwrap();
    let handle = running.handle();
    let contact = says(&handle, PUBLISHED, "hi", "Hello! What's your name?").await;
    let door = Door::Here(office.store.clone());
    let tally = door.tally(&Kinds::new(), |_| {}).await.unwrap();
    assert_eq!((tally.chats, tally.unread), (1, 0));
    let waiting = &tally.waiting[0];
    assert_eq!((waiting.channel.as_str(), waiting.people), (PUBLISHED, 1));
    assert_eq!(waiting.contacts, [contact.to_string()]);

    let desk = office.flows().join("desk.flow");
    let text = std::fs::read_to_string(&desk).unwrap();
    let text = text
        .replace("step hello", "step welcome")
        .replace("What's your name?", "And you are?");
    std::fs::write(&desk, text).unwrap();
    let candidate = Candidate::of_folder(&door, &office.flows()).await.unwrap();
    let hashes = [waiting.program.clone()];
    let programs = versions::programs(&door, &hashes).await.unwrap();
    let before = Machine::load(programs[&waiting.program].clone());
    let now = Machine::load(candidate.program.clone());
    let earlier = [(
        waiting.program.clone(),
        Earlier {
            machine: &before,
            number: Some(1),
        },
    )]
    .into();
    let touched = impact::of(
        &tally,
        &[PUBLISHED.to_owned()].into(),
        &earlier,
        Some(before.program()),
        &now,
    );
    assert_eq!(
        (touched.waiting, touched.carry_on, touched.steps.len()),
        (1, 0, 1)
    );
    let moved = &touched.steps[0];
    assert_eq!(
        (moved.code, moved.step.as_str(), moved.how, moved.version),
        ("F801", "hello", How::Gone, Some(1))
    );
    assert_eq!(moved.renamed.as_deref(), Some("welcome"));
    // Draft numbers are none of its business.
    let others = impact::of(&tally, &[DRAFT.to_owned()].into(), &earlier, None, &now);
    assert_eq!(others.waiting, 0);

    candidate.publish(&door, &Note::default()).await.unwrap();
    let somebody_else = async {
        loop {
            let other = handle
                .say(PUBLISHED, "6281100000012", None, Said::Text("hi".to_owned()))
                .await
                .unwrap();
            let thread = says_back(&handle, other, 1).await;
            assert!(handle.erase(other).await.unwrap());
            if thread.contains("And you are?") {
                return;
            }
        }
    };
    tokio::time::timeout(bot::PATIENCE, somebody_else)
        .await
        .expect("version 2 answers");
    // The name is an answer to the question that is gone.
    says(&handle, PUBLISHED, "Sari", "Noted, Sari.").await;
    running.shutdown().await;
}

/// The real binary, with somebody in the middle of a step that goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_publishes_over_people_only_with_a_yes() {
    let office = Office::new();
    let config = office.with_somebody_waiting().await;
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        let done = command
            .args(arguments)
            .arg("--config")
            .arg(&config)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (done.status.code(), text(done.stdout), text(done.stderr))
    };
    let desk = office.flows().join("desk.flow");
    let flow = office.renames_the_step();

    let (code, said, why) = run(&["publish"]);
    assert_eq!(code, Some(2), "{said}{why}");
    for line in [
        "   1 person is waiting for an answer in these flows.\n",
        "   1 is in \"desk / hello\", which is gone",
        "F801\n",
        "Renamed it? Write  step welcome (was hello)\n",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    assert!(why.contains("say --yes"), "{why}");
    let (_, listed, _) = run(&["versions", "list"]);
    assert!(
        listed.contains("   1  published") && !listed.contains("   2  "),
        "{listed}"
    );
    // As machines read it.
    let (code, said, _) = run(&["publish", "--dry-run", "--format", "json"]);
    let would: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &would["version"]["number"]), (Some(0), &2.into()));
    assert_eq!(would["impact"]["steps"][0]["code"], "F801");
    assert_eq!(would["impact"]["steps"][0]["how"], "gone");
    let (code, said, why) = run(&["publish", "--yes"]);
    assert_eq!(code, Some(0), "{said}{why}");
    // Back again, they are where they were asked: nobody is touched, and nobody is asked.
    let (code, said, why) = run(&["versions", "rollback", "1"]);
    assert_eq!(code, Some(0), "{said}{why}");
    // Written so, they join at once; the note goes once nobody needs it.
    let renamed = flow.replace("step hello", "step welcome (was hello)");
    std::fs::write(&desk, renamed).unwrap();
    let (code, said, why) = run(&["publish"]);
    assert_eq!(code, Some(0), "{said}{why}");
    assert!(!said.contains("F801") && !said.contains("can go"), "{said}");
}

/// The real binary, and names that shall be numbers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_counts_who_remembers_what_the_new_type_can_t_read() {
    let office = Office::new();
    office.publish().await;
    let running = office.start().await.unwrap();
    let handle = running.handle();
    for (number, name) in [("6281100000011", "Sari"), ("6281100000012", "77")] {
        let said = Said::Text("hi".to_owned());
        let contact = handle.say(PUBLISHED, number, None, said).await.unwrap();
        says_back(&handle, contact, 1).await;
        let said = Said::Text(name.to_owned());
        handle.say(PUBLISHED, number, None, said).await.unwrap();
        let thread = says_back(&handle, contact, 2).await;
        assert!(thread.contains(&format!("Noted, {name}.")), "{thread}");
    }
    running.shutdown().await;
    let config = office.config();
    for (file, from, to) in [
        ("business.flow", "first_name: text", "first_name: number"),
        ("desk.flow", "    as text\n", "    as number\n"),
    ] {
        let path = office.flows().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace(from, to)).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(["publish", "--dry-run", "--config"]).arg(&config);
    let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(
        said.contains("   1 of 2 has a contact.first_name that is no number") && said.contains("F804"),
        "{said}"
    );
    command.args(["--format", "json"]);
    let would: serde_json::Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    let field = &would["impact"]["fields"][0];
    assert_eq!(
        (&field["people"], &field["unfit"]),
        (&2.into(), &1.into()),
        "{would}"
    );
}

/// A terminal of its own, as somebody sits at one; what is typed is read when it is asked for.
fn terminal(command: &str) -> std::process::Command {
    let mut terminal = std::process::Command::new("script");
    terminal
        .args([
            "--quiet",
            "--return",
            "--flush",
            "--command",
            command,
            "/dev/null",
        ])
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    terminal
}

/// Types into a command's terminal. Its exit code, and what stood on the screen.
fn typed(command: &str, keys: &str) -> (Option<i32>, String) {
    let mut process = terminal(command)
        .spawn()
        .expect("script(1) is part of every Debian");
    let mut input = process.stdin.take().unwrap();
    input.write_all(keys.as_bytes()).unwrap();
    drop(input);
    let done = process.wait_with_output().unwrap();
    (done.status.code(), String::from_utf8(done.stdout).unwrap())
}

/// Somebody waits in a step that goes, and a person sits at the terminal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_terminal_the_answer_to_the_question_decides_and_whoever_hangs_up_publishes_nothing() {
    let office = Office::new();
    let config = office.with_somebody_waiting().await;
    office.renames_the_step();
    let switchboard = format!("'{}'", env!("CARGO_BIN_EXE_switchboard"));
    let publish = format!("exec {switchboard} publish --config '{}'", config.display());
    let published = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command.args(["versions", "list", "--config"]).arg(&config);
        let listed = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let line = listed.lines().find(|line| line.contains("  published  "));
        let number = line.and_then(|line| line.split_whitespace().next());
        (number.map(str::to_owned), listed)
    };

    for keys in ["n\n", "c\n", "hm\nNo\n"] {
        let (code, screen) = typed(&publish, keys);
        assert!(screen.contains("Publish version 2 over 1?"), "{screen}");
        assert!(
            screen.contains("[p]ublish   [l]ist the one   [c]ancel"),
            "{screen}"
        );
        assert!(screen.contains("Nothing is published."), "{screen}");
        assert_eq!(code, Some(1), "{screen}");
        let (number, listed) = published();
        assert_eq!(number.as_deref(), Some("1"), "{listed}");
    }

    // The line breaks while it is asked.
    let mut process = terminal(&format!("echo pid $$ pid; {publish}")).spawn().unwrap();
    let (mut screen, mut output) = (String::new(), process.stdout.take().unwrap());
    let mut some = [0; 1024];
    while !screen.contains("[c]ancel") {
        let read = output.read(&mut some).unwrap();
        assert_ne!(read, 0, "{screen}");
        screen.push_str(&String::from_utf8_lossy(&some[..read]));
    }
    let asks = screen
        .split_whitespace()
        .skip_while(|word| *word != "pid")
        .nth(1)
        .unwrap();
    let place = Path::new("/proc").join(asks);
    assert!(place.exists(), "{screen}");
    process.kill().unwrap();
    process.wait().unwrap();
    let gone = async {
        while place.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(bot::PATIENCE, gone)
        .await
        .expect("it ends with its terminal");
    let (number, listed) = published();
    assert_eq!(number.as_deref(), Some("1"), "{listed}");

    let (code, screen) = typed(&publish, "l\ny\n");
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("\"desk / hello\""), "{screen}");
    let (number, listed) = published();
    assert_eq!(number.as_deref(), Some("2"), "{listed}");
}

/// A worker that never compiled the folder of before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_that_changes_is_finished_by_a_server_that_never_saw_the_old_folder() {
    let mut office = Office::new();
    office.publish().await;
    let running = office.start().await.unwrap();
    says(&running.handle(), DRAFT, "hi", "Hello! What's your name?").await;
    running.shutdown().await;
    let desk = office.flows().join("desk.flow");
    let text = std::fs::read_to_string(&desk).unwrap();
    std::fs::write(
        &desk,
        text.replace("step hello", "step welcome")
            .replace("    as text\n", "    as number\n")
            .replace("  remember first_name as contact.first_name\n", ""),
    )
    .unwrap();
    let clock = Arc::new(MovableClock::default());
    let store = SqliteStore::open(office.folder.path().join("store.db"), Caps::default(), clock).unwrap();
    office.store = Arc::new(store);
    let running = office.start().await.unwrap();
    says(&running.handle(), DRAFT, "Sari", "Noted, Sari.").await;
    running.shutdown().await;
}

/// Everything that was said to a contact, once there are so many messages.
async fn says_back(handle: &Handle, contact: ContactId, messages: usize) -> String {
    let enough = |thread: &[ThreadEntry]| thread::bodies(thread).len() >= messages;
    let thread = thread::until(handle, contact, &format!("{messages} messages"), enough).await;
    format!("{thread:?}")
}

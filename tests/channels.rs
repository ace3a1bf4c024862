//! Numbers that the store holds: declared by a file or key by key, with secrets that are sealed, and taken over by a server
//! that runs.

// Helpers of tests stand outside test functions here; a panic is how they say that a promise was broken.
#![allow(clippy::unwrap_used)]

mod bot;
mod double;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use assert_cmd::Command;
use double::Double;
use secrecy::SecretString;
use switchboard::server::channels::{self, Secrets};
use switchboard::server::config::{Config, ProviderConfig};
use switchboard::server::door::Door;
use switchboard::server::stored::{self, StoredError, Written};
use switchboard::server::versions::{Candidate, Really, Said as Note};
use switchboard::store::{Caps, MovableClock, SqliteStore, Store};
use tempfile::TempDir;

const SARI: &str = "6281100000011";
const HELLO: &str = "Hello! What can I do for you?";
const KEY: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const NEXT_KEY: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// A folder with a configuration and a store that no server uses.
struct Place {
    folder: TempDir,
    key: String,
}

impl Place {
    fn new(config: &str) -> Place {
        let folder = tempfile::tempdir().unwrap();
        bot::copy(
            &bot::root().join("fixtures/server/flows"),
            &folder.path().join("flows"),
        );
        let text = format!("store = \"sqlite:store.db\"\nstore_key = {{ env = \"STORE_KEY\" }}\n{config}");
        std::fs::write(folder.path().join("switchboard.toml"), text).unwrap();
        Place {
            folder,
            key: KEY.to_owned(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Exit code, and what it printed.
    fn channel(&self, arguments: &[&str]) -> (i32, String) {
        self.channel_with(arguments, "")
    }

    fn channel_with(&self, arguments: &[&str], input: &str) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        let done = command
            .current_dir(self.folder.path())
            .arg("channel")
            .args(arguments)
            .env("STORE_KEY", &self.key)
            .env("TOKEN", "token-of-the-environment")
            .write_stdin(input)
            .output()
            .unwrap();
        let both = [done.stdout, done.stderr].concat();
        (done.status.code().unwrap(), String::from_utf8(both).unwrap())
    }

    fn write(&self, text: &str) {
        std::fs::write(self.path("numbers.toml"), text).unwrap();
    }

    fn apply(&self, more: &[&str]) -> (i32, String) {
        self.channel(&[&["apply", "numbers.toml"], more].concat())
    }
}

const DESK: &str = "[[channel]]\nid = \"desk\"\nprovider = \"simulator\"\nautopilot = false\n";

fn gateway(id: &str, number: &str, account: &str) -> String {
    format!(
        "[[channel]]\nid = \"{id}\"\nprovider = \"compatible\"\nnumber = \"{number}\"\nphone_number_id = \"{account}\"\n\
         access_token_env = \"store:gateway\"\nwebhook_secret_env = \"store:hook\"\n\
         [channel.compatible]\npreset = \"360dialog\"\nwebhook_auth = \"path\"\n"
    )
}

#[test]
fn a_file_declares_numbers_and_applying_it_again_changes_nothing() {
    let place = Place::new("");
    place.write(&format!("{DESK}[channel.session]\nask_after_seconds = 300\n"));
    let (code, said) = place.apply(&["--dry-run"]);
    assert_eq!(
        (code, said.as_str()),
        (0, "desk: is new\nNothing was changed: that would be.\n")
    );
    assert!(place.channel(&["list"]).1.contains("no channel is configured"));
    assert!(
        place
            .apply(&[])
            .1
            .starts_with("desk: is new\nA running server takes it over")
    );
    assert_eq!(
        place.apply(&[]),
        (0, "desk: as it is\nNothing to change.\n".to_owned())
    );
    let (_, listed) = place.channel(&["list"]);
    assert!(
        listed.starts_with("desk\n") && listed.contains("in the store"),
        "{listed}"
    );

    // Key by key; what a key takes decides how its value is read.
    let (code, said) = place.channel(&[
        "set",
        "desk",
        "autopilot=true",
        "session.ask_after_seconds=60",
        "number=6281100000099",
        "session.end_text=Bye!",
    ]);
    assert_eq!(code, 0, "{said}");
    for line in [
        "autopilot: false → true",
        "session.ask_after_seconds: 300 → 60",
        "number: \"6281100000099\" is new",
        "session.end_text: \"Bye!\" is new",
    ] {
        assert!(said.contains(line), "{said}");
    }
    let (code, said) = place.channel(&[
        "set",
        "desk",
        "--without",
        "session.end_text",
        "--without",
        "number",
    ]);
    assert!(
        code == 0 && said.contains("number: \"6281100000099\" is taken away"),
        "{said}"
    );
    let (code, said) = place.channel(&["set", "other", "provider=simulator"]);
    assert!(code == 0 && said.contains("other: is new"), "{said}");

    // The file says it all, but takes nothing away unasked.
    let (code, said) = place.apply(&[]);
    assert_eq!(code, 0);
    assert!(said.contains("autopilot: true → false"), "{said}");
    assert!(
        said.contains("other: not in the file, and stays; --prune takes it away"),
        "{said}"
    );
    let (_, said) = place.apply(&["--prune"]);
    assert!(said.contains("other: is taken away"), "{said}");
    assert_eq!(place.channel(&["remove", "other"]).0, 2);
    let (code, said) = place.channel(&["remove", "desk"]);
    assert!(code == 0 && said.contains("desk: is taken away"), "{said}");
}

#[test]
fn what_does_not_fit_is_refused_whole_with_its_place_and_its_next_step() {
    let place = Place::new("[[channel]]\nid = \"main\"\nprovider = \"simulator\"\n");
    place.write(&format!(
        "{DESK}[[channel]]\nid = \"main\"\nprovider = \"simulator\"\nautopiolt = true\n"
    ));
    let (code, said) = place.apply(&[]);
    assert_eq!(code, 3);
    assert!(
        said.contains("numbers.toml:8:1") && said.contains("autopiolt"),
        "{said}"
    );
    place.write(&format!(
        "{DESK}[[channel]]\nid = \"main\"\nprovider = \"simulator\"\n"
    ));
    let (code, said) = place.apply(&[]);
    assert_eq!(code, 3);
    assert!(
        said.contains("the configuration has the channel \"main\", too"),
        "{said}"
    );
    assert!(
        !place.channel(&["list"]).1.contains("desk"),
        "nothing of it was taken"
    );
    let (code, said) = place.channel(&["set", "main", "autopilot=false"]);
    assert!(
        code == 2 && said.contains("main stands in switchboard.toml"),
        "{said}"
    );
    let (code, said) = place.channel(&["set", "desk", "autopilot"]);
    assert!(code == 2 && said.contains("KEY=VALUE"), "{said}");
    // A published number waits for flows that are published.
    place.write("[[agent]]\nid = \"shop\"\n[agent.published]\nprovider = \"simulator\"\n");
    let (code, said) = place.apply(&[]);
    assert!(code == 3 && said.contains("`switchboard publish`"), "{said}");

    // A secret that is not there, a number that is there already.
    place.write(&gateway("one", "+62 811-0000-0099", "106"));
    let (code, said) = place.apply(&[]);
    assert!(
        code == 3 && said.contains("`switchboard channel secret gateway`"),
        "{said}"
    );
    for (name, value) in [("gateway", "a-token"), ("hook", "sixteen-or-more-of-these")] {
        assert_eq!(place.channel_with(&["secret", name], value).0, 0);
    }
    assert_eq!(place.apply(&[]).0, 0);
    place.write(&gateway("two", "", "106"));
    let (code, said) = place.apply(&[]);
    assert!(
        code == 3 && said.contains("are the same number: compatible knows both as 106"),
        "{said}"
    );
    place.write(&gateway("two", "6281100000099", "107"));
    let (code, said) = place.apply(&[]);
    assert!(
        code == 3 && said.contains("are the same number: both are 6281100000099"),
        "{said}"
    );
}

#[test]
fn secrets_are_sealed_and_a_wrong_key_is_one_sentence() {
    const TOKEN: &str = "EAAG-never-to-be-seen";
    let mut place = Place::new("");
    assert_eq!(place.channel_with(&["secret", "no name"], TOKEN).0, 2);
    assert_eq!(place.channel_with(&["secret", "gateway"], " \n").0, 2);
    let (code, said) = place.channel_with(&["secret", "gateway"], &format!("{TOKEN}\n"));
    assert!(
        code == 0 && said.contains("No number uses it yet") && !said.contains(TOKEN),
        "{said}"
    );
    place.channel_with(&["secret", "hook"], "sixteen-or-more-of-these");
    place.write(&gateway("one", "", "106"));
    assert_eq!(place.apply(&[]).0, 0);
    let (_, said) = place.channel_with(&["secret", "gateway"], TOKEN);
    assert!(said.contains("A running server takes it over"), "{said}");
    let mut kept = std::fs::read(place.path("store.db")).unwrap();
    kept.extend(std::fs::read(place.path("store.db-wal")).unwrap_or_default());
    let holds = |what: &str| kept.windows(what.len()).any(|part| part == what.as_bytes());
    assert!(holds("secret/gateway") && !holds(TOKEN) && !holds("sixteen-or-more"));
    let (_, shown) = place.channel(&["list"]);
    assert!(
        shown.contains("/webhook/one/…") && !shown.contains("sixteen-or-more"),
        "{shown}"
    );
    assert!(
        place
            .channel(&["list", "--show-secret"])
            .1
            .contains("/webhook/one/sixteen-or-more-of-these")
    );

    // Another key: a sentence. The former below it: all is well, and it can go once the secrets are sealed anew.
    place.key = NEXT_KEY.to_owned();
    let (code, said) = place.channel(&["list"]);
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("was sealed with the key") && said.contains("on a line below the new one"),
        "{said}"
    );
    assert!(!said.contains(NEXT_KEY) && said.lines().count() == 1, "{said}");
    place.key = format!("{NEXT_KEY}\n{KEY}");
    assert_eq!(place.channel(&["list"]).0, 0);
    let (code, said) = place.channel(&["reseal"]);
    assert!(
        code == 0 && said.starts_with("2 of 2 secrets were sealed anew"),
        "{said}"
    );
    place.key = NEXT_KEY.to_owned();
    assert_eq!(place.channel(&["list"]).0, 0);
    place.key = "too-short".to_owned();
    let (code, said) = place.channel(&["list"]);
    assert!(
        code == 3 && said.contains("openssl rand -hex 32") && !said.contains("too-short"),
        "{said}"
    );
}

/// A configuration and a store in this process, whose clock can be moved.
struct Desk {
    written: Written,
    door: Door,
    store: Arc<SqliteStore>,
    clock: Arc<MovableClock>,
    _folder: TempDir,
}

impl Desk {
    fn new() -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("switchboard.toml");
        let text = "store_key = { env = \"STORE_KEY\" }\npublic_url = \"https://bot.example\"\n";
        let clock = Arc::new(MovableClock::default());
        let store = SqliteStore::open(folder.path().join("store.db"), Caps::default(), clock.clone());
        let store = Arc::new(store.unwrap());
        Desk {
            written: Written {
                config: Config::parse(text, &path, &|_| Some(KEY.to_owned())).unwrap(),
                path,
            },
            door: Door::Here(store.clone()),
            store,
            clock,
            _folder: folder,
        }
    }

    async fn secret(&self, name: &str, value: &str) {
        let value = SecretString::from(value.to_owned());
        stored::put_secret(&self.written, &self.door, name, &value)
            .await
            .unwrap();
    }

    async fn apply(&self, text: &str) -> Result<stored::Changes, StoredError> {
        let shown = ("numbers.toml", text);
        stored::apply(
            &self.written,
            &self.door,
            (shown.1, shown.0.as_ref()),
            false,
            Really::Do,
        )
        .await
    }

    /// The ends of the addresses that are taken, the newest first.
    async fn taken(&self) -> Vec<String> {
        use secrecy::ExposeSecret;
        use switchboard::channel::Gate;
        let (config, _) = self.written.with_stored(&self.door).await.unwrap();
        let ProviderConfig::Compatible(settings) = &config.channels[0].provider else {
            panic!("{:?}", config.channels);
        };
        let Gate::Path { secrets } = &settings.gate else {
            panic!("{:?}", settings.gate);
        };
        let shown = channels::list(&config, Secrets::Shown);
        let newest = secrets[0].expose_secret();
        assert!(shown[0].webhook.as_ref().unwrap().ends_with(newest));
        secrets
            .iter()
            .map(|secret| secret.expose_secret().to_owned())
            .collect()
    }
}

#[tokio::test]
async fn a_rotated_secret_is_good_for_the_stated_time_beside_the_new_one() {
    const HOUR: Duration = Duration::from_secs(3600);
    let desk = Desk::new();
    desk.secret("gateway", "a-token").await;
    desk.secret("hook", "sixteen-or-more-of-these").await;
    let file = gateway("one", "", "106");
    desk.apply(&file).await.unwrap();
    let earliest = desk.store.now() + jiff::SignedDuration::from_hours(1);
    let rotated = stored::rotate(&desk.written, &desk.door, "one", HOUR)
        .await
        .unwrap();
    assert!(!rotated.by_register);
    let latest = desk.store.now() + jiff::SignedDuration::from_hours(1);
    assert!(earliest <= rotated.until && rotated.until <= latest);
    let both = desk.taken().await;
    assert_eq!((both.len(), both[1].as_str()), (2, "sixteen-or-more-of-these"));
    assert!(both[0].len() == 64 && both[0].chars().all(|c| c.is_ascii_hexdigit()));
    // The file is applied again, as every deployment does: what was rotated stays.
    let again = desk.apply(&file).await.unwrap();
    assert!(again.is_empty(), "{again:?}");
    assert_eq!(desk.taken().await, both);

    // Then it is over, also for the file that names it.
    desk.clock.advance(HOUR);
    assert!(desk.apply(&file).await.unwrap().is_empty());
    assert_eq!(desk.taken().await, both[..1]);
    // Again, at once: two are over then, and what nobody names is forgotten.
    stored::rotate(&desk.written, &desk.door, "one", Duration::ZERO)
        .await
        .unwrap();
    let last = desk.taken().await;
    assert!(last.len() == 1 && last != both[..1]);
    stored::rotate(&desk.written, &desk.door, "one", HOUR)
        .await
        .unwrap();
    let mut kept = desk.store.settings("secret/").await.unwrap();
    kept.retain(|(name, _)| name.contains(".webhook_secret."));
    let names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["secret/one.webhook_secret.2", "secret/one.webhook_secret.3"]
    );

    let signed = "[[channel]]\nid = \"sim\"\nprovider = \"simulator\"\n";
    desk.apply(signed).await.unwrap();
    for (id, part) in [
        ("sim", "ends with no secret"),
        ("nobody", "holds no number \"nobody\"; it holds one, sim"),
    ] {
        let why = stored::rotate(&desk.written, &desk.door, id, HOUR)
            .await
            .unwrap_err();
        assert!(why.to_string().contains(part), "{why}");
    }
}

#[tokio::test]
async fn session_settings_of_qontak_are_not_taken_before_its_endpoint_is_set() {
    let desk = Desk::new();
    desk.secret("token", "a-token").await;
    desk.secret("hook", "sixteen-or-more-of-these").await;
    desk.apply(
        "[[channel]]\nid = \"inbox\"\nprovider = \"qontak\"\naccess_token_env = \"store:token\"\n\
         webhook_secret_env = \"store:hook\"\n[channel.qontak]\nchannel_integration_id = \"a\"\nauth = \"token\"\n",
    )
    .await
    .unwrap();
    let set = async || {
        let keys = [("session.ask_after_seconds".to_owned(), "60".to_owned())];
        stored::set(&desk.written, &desk.door, "inbox", (&keys, &[]), Really::Do).await
    };
    let why = set().await.unwrap_err();
    assert!(
        why.to_string().contains("`switchboard channel register inbox`"),
        "{why}"
    );
    desk.store.put_setting("endpoint/inbox", b"set").await.unwrap();
    set().await.unwrap();
    let (config, _) = desk.written.with_stored(&desk.door).await.unwrap();
    assert_eq!(config.channels[0].session.ask_after_seconds, 60);
}

#[tokio::test]
async fn a_linked_number_of_the_store_knows_where_its_webhooks_go() {
    let desk = Desk::new();
    desk.secret("key", "the-key-of-its-server").await;
    desk.secret("hook", "sixteen-or-more-of-these").await;
    desk.apply(
        "[[channel]]\nid = \"phone\"\nprovider = \"linked\"\napi_base = \"http://127.0.0.1:9\"\n\
         access_token_env = \"store:key\"\nwebhook_secret_env = \"store:hook\"\n[channel.linked]\n\
         phone = \"+62 811 0000 0011\"\n",
    )
    .await
    .unwrap();
    let (config, _) = desk.written.with_stored(&desk.door).await.unwrap();
    let ProviderConfig::Linked(settings) = &config.channels[0].provider else {
        panic!("{:?}", config.channels);
    };
    assert_eq!(
        settings.endpoint.as_deref(),
        Some("https://bot.example/webhook/phone")
    );
}

/// Written once by the version that made the record, and never again.
const RECORD: &str = include_str!("../fixtures/records/numbers-1.json");

#[tokio::test]
async fn numbers_and_secrets_of_the_first_version_are_still_read() {
    let desk = Desk::new();
    let record: serde_json::Map<String, serde_json::Value> = serde_json::from_str(RECORD).unwrap();
    for (key, value) in &record {
        let value = serde_json::to_vec(value).unwrap();
        desk.store.put_setting(key, &value).await.unwrap();
    }
    let ends = desk.taken().await;
    assert_eq!(ends, ["the-newest-of-the-secrets", "sixteen-or-more-of-these"]);
    let (config, _) = desk.written.with_stored(&desk.door).await.unwrap();
    let ids: Vec<&str> = config
        .channels
        .iter()
        .map(|channel| channel.id.as_str())
        .collect();
    assert_eq!(ids, ["one", "shop-published", "shop-draft"]);
    assert_eq!(config.channels[2].session.ask_after_seconds, 60);
    // Nothing of it gets lost when it is written anew.
    let flows = bot::root().join("fixtures/server/flows");
    let candidate = Candidate::of_folder(&desk.door, &flows).await.unwrap();
    candidate.publish(&desk.door, &Note::default()).await.unwrap();
    let keys = [("autopilot".to_owned(), "false".to_owned())];
    let changes = stored::set(&desk.written, &desk.door, "one", (&keys, &[]), Really::Do)
        .await
        .unwrap();
    assert_eq!(changes.numbers["one"], ["autopilot: false is new"]);
    let now = desk.store.setting("number/all").await.unwrap().unwrap();
    let mut now: serde_json::Value = serde_json::from_slice(&now).unwrap();
    let mut before = record["number/all"].clone();
    now["numbers"][0]["table"]
        .as_object_mut()
        .unwrap()
        .remove("autopilot")
        .unwrap();
    for record in [&mut now, &mut before] {
        record["turn"].take();
    }
    assert_eq!(now, before);
    desk.store
        .put_setting("number/all", br#"{"v":2,"turn":0,"numbers":[]}"#)
        .await
        .unwrap();
    let why = desk.written.with_stored(&desk.door).await.unwrap_err();
    assert!(why.to_string().contains("format 2"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_server_takes_numbers_over_and_keeps_those_before_if_it_can_t() {
    let double = Double::start().await;
    let mut bot = bot::Bot::new(&double);
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let text = format!(
        "bind = \"{free}\"\nstore = \"sqlite:store.db\"\nadmin_token = {{ env = \"ADMIN\" }}\n\
         store_key = {{ env = \"STORE_KEY\" }}\n"
    );
    std::fs::write(bot.config(), &text).unwrap();
    bot.env("ADMIN", "let-me-in");
    bot.env("STORE_KEY", KEY);
    let config = bot.config();
    let setup = double.setup();
    let secrets = [
        ("main-token", setup.access_tokens[0].clone()),
        ("main-secret", setup.app_secret.clone()),
        ("main-verify", setup.verify_token.clone()),
    ];
    let channel = |arguments: &[&str], input: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command
            .arg("channel")
            .args(arguments)
            .arg("--config")
            .arg(&config);
        let done = command
            .env("ADMIN", "let-me-in")
            .env("STORE_KEY", KEY)
            .write_stdin(input)
            .output()
            .unwrap();
        let both = [done.stdout, done.stderr].concat();
        (done.status.code().unwrap(), String::from_utf8(both).unwrap())
    };
    bot.start(&double).await;
    for (name, value) in &secrets {
        let (code, said) = channel(&["secret", name], value);
        assert_eq!(code, 0, "{said}");
    }
    let file = bot.folder.path().join("numbers.toml");
    let numbers = format!(
        "[[channel]]\nid = \"main\"\nprovider = \"meta\"\nphone_number_id = \"{}\"\napi_base = \"{}\"\n\
         access_token_env = \"store:main-token\"\napp_secret_env = \"store:main-secret\"\n\
         verify_token_env = \"store:main-verify\"\nburst_quiet_ms = 50\n",
        setup.phone_number_id,
        double.base_url()
    );
    std::fs::write(&file, numbers).unwrap();
    let (code, said) = channel(&["apply", file.to_str().unwrap()], "");
    assert_eq!(code, 0, "{said}");
    bot.line("the numbers of the store have changed")
        .await
        .expect("it notices");
    bot.line("ready address=").await.expect("it is there again");
    let sari = double.customer(SARI);
    sari.says("Good morning");
    assert_eq!(bot::heard(&double, SARI, 1).await, [HELLO]);
    let (code, said) = channel(&["verify", "main"], "");
    assert_eq!(code, 0, "{said}");
    // What the server can't use stays out: it has not got this variable.
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command
        .args(["channel", "set", "main", "access_token_env=ONLY_HERE", "--config"])
        .arg(&config);
    let done = command
        .env("ADMIN", "let-me-in")
        .env("STORE_KEY", KEY)
        .env("ONLY_HERE", "x")
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    bot.line("are not taken; those before stay")
        .await
        .expect("it says so");
    sari.taps("Nothing, thanks");
    assert_eq!(bot::heard(&double, SARI, 2).await[1], "Ride safely!");
    let said = bot.last_words().await;
    assert!(
        said.contains("the environment variable ONLY_HERE is not set"),
        "{said}"
    );
    for (name, value) in &secrets {
        assert!(!said.contains(value.as_str()), "{name} is shown");
    }
}

//! The commands about a link, as an operator runs them: pairing, stopping, resetting, and what each of them ends with. The
//! phone scans what the double shows, which is what the picture holds.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::double::Double;
use super::loopback::PATIENCE;
use super::shop::{OURS, Shop, number};

struct Office {
    double: Double,
    folder: TempDir,
}

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    #[track_caller]
    fn ends(&self, code: i32, words: &str) {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        let said = format!("{}{}", self.stdout, self.stderr);
        assert!(said.contains(words), "no {words:?} in {said}");
    }
}

impl Office {
    /// With a store that no server uses.
    fn new(double: Double) -> Office {
        Office::with(double, "127.0.0.1:0", "")
    }

    fn with(double: Double, bind: &str, more: &str) -> Office {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "flows = \"{}\"\nbind = \"{bind}\"\npublic_url = \"https://bot.example\"\nadmin_token = {{ env = \"ADMIN\" }}\n{}{more}",
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("fixtures/server/flows")
                .display(),
            number(&double)
        );
        std::fs::write(folder.path().join("switchboard.toml"), text).unwrap();
        Office { double, folder }
    }

    fn code(&self) -> PathBuf {
        self.folder.path().join("code.svg")
    }

    async fn runs(&self, arguments: &str) -> Ran {
        self.types(arguments, "").await
    }

    /// Runs a command and types something into it.
    async fn types(&self, arguments: &str, typed: &str) -> Ran {
        let mut child = Command::new(env!("CARGO_BIN_EXE_switchboard"))
            .arg("channel")
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env("KEY", super::double::KEY)
            .env("SIGN", "what-webhooks-are-signed-with")
            .env("ADMIN", "an-operator")
            .env("SHOP_TOKEN", "shop-secret")
            .env("USER", "dewi")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // One that reads nothing may be gone already.
        let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
        let ran = tokio::task::spawn_blocking(move || child.wait_with_output());
        let ran = tokio::time::timeout(PATIENCE, ran)
            .await
            .expect("it ends")
            .unwrap()
            .unwrap();
        Ran {
            code: ran.status.code().unwrap(),
            stdout: String::from_utf8_lossy(&ran.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&ran.stderr).into_owned(),
        }
    }

    /// Waits for the picture of a code, and scans what it shows.
    async fn scans(&self, digits: &str) {
        let there = async {
            while !self.code().exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, there).await.expect("a picture");
        let mode = self.code().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it is for one user");
        self.double.scans_what_is_shown(digits).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_is_paired_with_a_test_message_stopped_resumed_and_reset() {
    let office = Office::new(Double::ours().await);
    let pair = "pair main --svg code.svg";
    let (ran, ()) = tokio::join!(office.runs(pair), office.scans(OURS));
    ran.ends(0, "the test message has arrived");
    assert!(!office.code().exists(), "the picture is gone");
    assert!(
        !format!("{}{}", ran.stdout, ran.stderr).contains("2@code"),
        "the code is not in words"
    );
    let sent = office.double.sent();
    assert_eq!(
        (sent.len(), sent[0].chat.as_str()),
        (1, "6281100000011@c.us"),
        "to the number itself"
    );
    office.runs(pair).await.ends(0, "nothing is to be done");

    office.runs("list").await.ends(0, "connected");
    office.runs("verify main").await.ends(0, "ready");
    office
        .runs("stop main --why stock-taking")
        .await
        .ends(0, "nothing leaves any more");
    let told = office.runs("verify main").await;
    told.ends(0, "dewi has paused it (stock-taking)");
    told.ends(0, "switchboard channel resume main");
    office
        .runs("resume main")
        .await
        .ends(0, "what was kept leaves now");

    let old = office.double.inner.state().session().code.clone();
    assert_eq!(old, None);
    let reset = "reset main --svg code.svg";
    office.types(reset, "mian\n").await.ends(2, "nothing was changed");
    assert_eq!(office.double.inner.state().session().status, "WORKING");
    let scanned = async {
        let code = office
            .double
            .until("a new code", |state| state.session.as_ref()?.code.clone())
            .await;
        assert!(
            !office.double.scans(OURS, "2@code-of-before"),
            "an old code links nobody"
        );
        assert!(office.double.scans(OURS, &code));
    };
    let (ran, ()) = tokio::join!(office.types(reset, "main\n"), scanned);
    ran.ends(0, "the device is unlinked");
    ran.ends(0, "the test message has arrived");
    assert_eq!(office.double.inner.state().session().generation, 2);
    let log = office.double.log();
    let unlinked = log.iter().find(|call| call.line.ends_with("/logout")).unwrap();
    assert_eq!(unlinked.actor, "dewi", "the server's audit has a name");
    office.runs("list").await.ends(0, "link number 2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_end_of_a_pairing_has_its_words_and_its_exit_code() {
    let office = Office::new(Double::ours().await);
    let pair = "pair main --svg code.svg --wait 1";
    office
        .runs(pair)
        .await
        .ends(10, "nobody scanned the QR code in time");
    assert!(!office.code().exists());

    let patient = "pair main --svg code.svg";
    let (ran, ()) = tokio::join!(office.runs(patient), office.scans("6281100000099"));
    ran.ends(11, "another number is linked");
    assert_eq!(office.double.sent().len(), 0, "not even the test message");
    office
        .runs("resume main")
        .await
        .ends(4, "another number is linked");
    office
        .runs(patient)
        .await
        .ends(11, "switchboard channel reset main");

    office.double.unlinks();
    office
        .double
        .inner
        .state()
        .faults
        .push((422, serde_json::json!({ "code": 463, "error": "held back" })));
    let (ran, ()) = tokio::join!(office.runs(patient), office.scans(OURS));
    ran.ends(12, "the test message was not taken");
    ran.ends(12, "switchboard channel resume main");

    for (state, code) in [
        ("replaced", 13),
        ("logged_out", 14),
        ("banned", 15),
        ("outdated", 16),
        ("failed", 17),
    ] {
        office.double.inner.state().linked = None;
        office.double.inner.becomes("STOPPED", "unlinked", "");
        let ends = async {
            office
                .double
                .until("a code", |state| state.session.as_ref()?.code.clone())
                .await;
            office.double.inner.state().session().code = None;
            office.double.inner.becomes("FAILED", state, "so it ended");
        };
        let (ran, ()) = tokio::join!(office.runs(patient), ends);
        ran.ends(code, "so it ended");
    }
    let Office { double, folder } = office;
    drop(double);
    let office = Office {
        double: Double::start().await,
        folder,
    };
    office.runs(patient).await.ends(4, "can't be reached");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_or_at_what_is_no_linked_number_is_told_so() {
    let more =
        "owner = \"Dewi\"\ndeputies = [\"Budi\"]\n[[channel]]\nid = \"page\"\nprovider = \"simulator\"\n";
    let office = Office::with(Double::ours().await, "127.0.0.1:0", more);
    office
        .runs("pair main --by Sari --svg code.svg")
        .await
        .ends(1, "its owner is Dewi, or Budi for them");
    assert!(
        office
            .double
            .log()
            .iter()
            .all(|asked| asked.line.starts_with("GET")),
        "nothing was begun"
    );
    office.runs("stop main --by Budi").await.ends(0, "nothing leaves");
    office
        .runs("pair page --svg code.svg")
        .await
        .ends(2, "has no phone to link");
    office
        .runs("pair nobody --svg code.svg")
        .await
        .ends(2, "there is no channel");
    office.runs("pair main").await.ends(2, "--svg FILE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_server_is_told_and_holds_at_once() {
    let shop = Shop::open(Double::ours().await).await;
    let bind = shop.running.address().to_string();
    // The same server's configuration, with an embedded store that only the server may open.
    let office = Office::with(Double::start().await, &bind, "");
    let text = std::fs::read_to_string(office.folder.path().join("switchboard.toml")).unwrap();
    let text = text.replace(&office.double.base_url(), &shop.double.base_url());
    let store = shop.folder.path().join("store.db");
    let text = format!("store = \"sqlite:{}\"\n{text}", store.display());
    std::fs::write(office.folder.path().join("switchboard.toml"), text).unwrap();
    office.runs("stop main").await.ends(0, "nothing leaves any more");
    let view = shop.view().await;
    assert_eq!(view.paused.map(|pause| pause.by).as_deref(), Some("dewi"));
    office
        .runs("resume main")
        .await
        .ends(0, "what was kept leaves now");
    assert_eq!(shop.view().await.held, None);
    assert!(
        !office.folder.path().join("switchboard.db").exists(),
        "no store was made beside the server's"
    );
    shop.running.shutdown().await;
}

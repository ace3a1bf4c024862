//! The whole road: Switchboard's own executable speaks with the companion, the companion with the stand-in, and the
//! customer's phone decrypts what the flow says. `make test-linked` names the executable; without it nothing is shown.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::rig::{HOOK_KEY, KEY, LIMIT, Rig, SARI};

const FLOW: &str = r#"flow shop "Shop"
starts on "hello"

step hello
  menu "What is it?"
    "Coffee" -> coffee
    "Tea" -> tea
    otherwise "Please take one of these." up to 2 times, then -> tea
    no reply in 10 minutes -> close
  end

step coffee
  say "One coffee."
  done

step tea
  say "One tea."
  done
"#;

struct Switchboard {
    program: PathBuf,
    folder: PathBuf,
    serving: Option<Child>,
}

impl Switchboard {
    fn beside(rig: &Rig, program: PathBuf) -> Self {
        let folder = rig.data.path().join("switchboard");
        std::fs::create_dir_all(folder.join("flows")).unwrap();
        std::fs::write(folder.join("flows/shop.flow"), FLOW).unwrap();
        // Nobody else is given this port between here and there but by a rare accident.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let config = format!(
            r#"flows = "flows"
bind = "127.0.0.1:{port}"
public_url = "http://127.0.0.1:{port}"
store = "sqlite:{}"
admin_token = {{ env = "ADMIN_TOKEN" }}

[[channel]]
id = "main"
provider = "linked"
launch = "unchecked"
api_base = "{}"
access_token_env = "LINKED_API_KEY"
webhook_secret_env = ["HOOK_KEY"]

[channel.linked]
phone = "+{}"
session = "main"
typing_ms = [0, 0]
"#,
            folder.join("switchboard.db").display(),
            rig.companion.url,
            rig.stand_in.phone().number(),
        );
        std::fs::write(folder.join("switchboard.toml"), config).unwrap();
        Self {
            program,
            folder,
            serving: None,
        }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(words)
            .args(["--config", "switchboard.toml"])
            .current_dir(&self.folder)
            .env("LINKED_API_KEY", KEY)
            .env("HOOK_KEY", HOOK_KEY)
            .env("ADMIN_TOKEN", "a token for tests, 0123456789")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn serve(&mut self) {
        let log = std::fs::File::create(self.folder.join("log")).unwrap();
        let mut command = self.command(&["serve"]);
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        self.serving = Some(command.spawn().unwrap());
    }

    async fn is_ready(&self) {
        let begun = Instant::now();
        while !self.log().contains("listening on") {
            assert!(
                begun.elapsed() < LIMIT,
                "Switchboard did not listen: {}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Runs a command that shows a code, and scans the code with the owner's phone.
    async fn links(&self, rig: &Rig, words: &[&str], typed: &str) {
        use std::io::Write as _;
        let picture = self.folder.join("code.svg");
        let mut command = self.command(words);
        command.args(["--by", "Ani", "--svg"]).arg(&picture);
        let mut running = command.spawn().unwrap();
        running.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        let output = tokio::task::spawn_blocking(move || running.wait_with_output().unwrap());
        let begun = Instant::now();
        let code = loop {
            let (status, answer) = rig.get("/api/main/auth/qr?format=raw").await;
            if status == 200 {
                break answer["value"].as_str().unwrap().to_owned();
            }
            assert!(begun.elapsed() < LIMIT, "no code: {answer}; {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        rig.stand_in.phone().scan(&code).await.unwrap();
        let output = output.await.unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {said}\n{}", self.log());
        assert!(!said.contains(&code), "the code is shown, not printed");
    }
}

impl Drop for Switchboard {
    fn drop(&mut self) {
        if let Some(serving) = &mut self.serving {
            let _ = serving.kill();
            let _ = serving.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- Switchboard said ---\n{}", self.log());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_talks_with_a_flow_over_a_linked_phone_and_a_reset_loses_nothing() {
    let Some(program) = std::env::var_os("SWITCHBOARD").map(PathBuf::from) else {
        println!("skipped: SWITCHBOARD does not name Switchboard's executable; make test-linked does");
        return;
    };
    assert!(Path::new(&program).exists(), "{} is not there", program.display());
    let rig = Rig::bare().await;
    let mut switchboard = Switchboard::beside(&rig, program);
    switchboard.serve();
    switchboard.is_ready().await;
    switchboard.links(&rig, &["channel", "pair", "main"], "").await;

    let sari = rig.stand_in.customer(SARI, "Sari").await.unwrap();
    sari.says("hello").await.unwrap();
    let menu = sari.hears(LIMIT).await.unwrap().text;
    assert!(
        menu.starts_with("What is it?") && menu.contains("1. Coffee\n2. Tea"),
        "{menu}"
    );

    // The line is cut, and the answer to the menu is given meanwhile.
    rig.stand_in.drop_connection().await;
    sari.says("2").await.unwrap();
    assert_eq!(sari.hears(LIMIT).await.unwrap().text, "One tea.");

    // Asked again; then the login is thrown away and the phone linked anew, and the conversation goes on.
    sari.says("hello").await.unwrap();
    assert!(sari.hears(LIMIT).await.unwrap().text.starts_with("What is it?"));
    switchboard
        .links(&rig, &["channel", "reset", "main"], "main\n")
        .await;
    assert_eq!(rig.session().await["link"]["generation"], 2);
    sari.says("coffee").await.unwrap();
    assert_eq!(sari.hears(LIMIT).await.unwrap().text, "One coffee.");
    let audit = rig.get("/api/sessions/main/audit").await.1;
    assert!(
        audit.as_array().is_some_and(|lines| lines.len() >= 8),
        "{:#}",
        Value::Array(vec![audit.clone()])
    );
}

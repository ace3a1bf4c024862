//! The double as the program `cloud-double`, which others start: what it prints, what it answers, what it sends.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use switchboard::message::InboundBody;

use crate::inbox::Inbox;
use crate::*;

/// A running `cloud-double`. It ends when dropped.
struct Program {
    child: Child,
    base: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// Cargo builds examples along with the tests, into the folder beside theirs.
    fn start(flags: &[&str]) -> Program {
        let of_test = std::env::current_exe().unwrap();
        let built = of_test.ancestors().nth(2).unwrap().join("examples");
        let path = built.join(format!("cloud-double{}", std::env::consts::EXE_SUFFIX));
        let mut child = Command::new(&path)
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{}: {error}; `cargo build --example cloud-double` builds it",
                    path.display()
                )
            });
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let base = line
            .trim_end()
            .strip_prefix("cloud-double listens on ")
            .unwrap_or_else(|| panic!("the first line is {line:?}"))
            .to_owned();
        Program { child, base }
    }
}

#[tokio::test]
async fn the_program_says_where_it_listens_answers_its_controls_and_signs_its_webhooks() {
    let inbox = Inbox::open(vec![]).await;
    let program = Program::start(&["--webhook", &inbox.url, "--delivered-after", "0"]);
    assert!(program.base.starts_with("http://127.0.0.1:"), "{}", program.base);
    let client = reqwest::Client::new();
    let said = client
        .post(format!("{}/double/customer-message", program.base))
        .json(&json!({ "from": SARI, "name": "Sari", "text": "Selamat pagi" }))
        .send()
        .await
        .unwrap();
    let said: Value = said.json().await.unwrap();
    inbox.wait_for(1).await;
    // A double of the same setup that sends nothing lends its secrets; a wrong signature would panic here.
    let meta = meta(&Double::start().await);
    let events = inbox.events(&meta);
    assert_eq!(events[0].message_id.as_deref(), said["id"].as_str());
    assert!(
        matches!(&events[0].body, InboundBody::Text { body } if body == "Selamat pagi"),
        "{:?}",
        events[0].body
    );
    let sent = client
        .post(format!("{}/v23.0/106540352242922/messages", program.base))
        .bearer_auth("double-token")
        .json(
            &json!({ "messaging_product": "whatsapp", "to": SARI, "type": "text", "text": { "body": "Hi" } }),
        )
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 200);
    let status: Value = client
        .get(format!("{}/double/status", program.base))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        (&status["base_url"], &status["sent"]),
        (&json!(program.base), &json!(1))
    );
}

#[test]
fn the_program_refuses_a_fault_it_does_not_know() {
    let of_test = std::env::current_exe().unwrap();
    let path = of_test
        .ancestors()
        .nth(2)
        .unwrap()
        .join("examples")
        .join("cloud-double");
    let output = Command::new(path)
        .args(["--fault", r#"{"fault":"nonsense"}"#])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("there is no fault \"nonsense\""), "{said}");
}

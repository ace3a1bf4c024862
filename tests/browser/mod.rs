//! A real browser at the demo page of the real binary. Both are started for one test and ended with it, however it ends.

// Each test binary that includes this uses a part of it.
#![allow(dead_code)]

use std::io::{BufRead, BufReader};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::prelude::*;

/// How long a test waits for something that must come. Only a failure takes that long.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(30);

/// The demo page in a browser.
pub struct Page {
    pub address: String,
    driver: WebDriver,
    /// Of chromedriver, for what the client has no call for.
    session: String,
}

/// A process that ends with its value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Already ended, perhaps.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `switchboard serve --demo` and a browser at its page, lets `test` use it, and ends both. The browser's
/// microphone hears the recording `microphone`, a 16-bit WAV.
pub async fn at_the_demo(microphone: Option<PathBuf>, test: impl AsyncFnOnce(&Page)) {
    let (mut server, address) = demo();
    let (driver_process, driver_address) = chromedriver();
    let profile = tempfile::tempdir().expect("a folder for the browser");
    let driver = browser(&driver_address, &profile, microphone).await;
    let session = format!("{driver_address}/session/{}", driver.session_id());
    let page = Page {
        address,
        driver: driver.clone(),
        session,
    };
    let outcome = AssertUnwindSafe(async {
        page.driver.goto(&page.address).await.expect("the page opens");
        page.until("document.getElementById('business').textContent === 'Pedal & Co'")
            .await;
        test(&page).await;
        page.nothing_went_wrong().await;
    })
    .catch_unwind()
    .await;
    if outcome.is_err() {
        eprintln!("the page was:\n{}", page.words().await);
    }
    // The page stays open while the server stops: that must not hold it back.
    let stopped = Command::new("kill")
        .args(["-TERM", &server.0.id().to_string()])
        .status();
    let ended = server.0.wait();
    let quit = driver.quit().await;
    drop(driver_process);
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
    assert!(stopped.expect("kill runs").success());
    assert!(
        ended.expect("the server ended").success(),
        "the demo stops in order"
    );
    quit.expect("the browser closes");
}

/// The demo on a free port, and its address as it prints it.
fn demo() -> (Process, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .args(["serve", "--demo", "--bind", "127.0.0.1:0"])
        .current_dir(root())
        .env_remove("RUST_LOG")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let lines = BufReader::new(child.stdout.take().expect("its standard output"));
    let process = Process(child);
    let mut said = String::new();
    for line in lines.lines().map_while(Result::ok) {
        if let Some((_, rest)) = line.split_once("Open ") {
            let address = rest.split_whitespace().next().expect("an address").to_owned();
            return (process, address);
        }
        said.push_str(&line);
    }
    panic!("the demo did not start; it said: {said}");
}

/// Debian's chromedriver on a free port, and its address.
fn chromedriver() -> (Process, String) {
    for program in ["chromium", "chromedriver"] {
        let found = Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        assert!(
            found.is_ok_and(|status| status.success()),
            "{program} is missing: run `scripts/setup test`"
        );
    }
    let mut child = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .spawn()
        .expect("chromedriver starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its standard output"))
        .lines()
        .map_while(Result::ok);
    let process = Process(child);
    let port = lines.find_map(|line| {
        line.split_once("successfully on port ")
            .map(|(_, port)| port.trim_end_matches('.').to_owned())
    });
    // Read on, so that it never waits for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    (
        process,
        format!("http://127.0.0.1:{}", port.expect("chromedriver says its port")),
    )
}

async fn browser(driver: &str, profile: &TempDir, microphone: Option<PathBuf>) -> WebDriver {
    let mut wishes = DesiredCapabilities::chrome();
    let mut flags: Vec<String> = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        "--window-size=1200,800",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
    ]
    .map(str::to_owned)
    .into();
    flags.push(format!("--user-data-dir={}", profile.path().display()));
    if let Some(recording) = microphone {
        flags.push(format!(
            "--use-file-for-fake-audio-capture={}",
            recording.display()
        ));
    }
    for flag in &flags {
        wishes.add_arg(flag).expect("a flag");
    }
    wishes
        .set("goog:loggingPrefs", json!({ "browser": "ALL" }))
        .expect("a wish");
    WebDriver::new(driver, wishes).await.expect("the browser starts")
}

impl Page {
    /// Waits until a JavaScript expression holds, and gives its value.
    pub async fn until(&self, condition: &str) -> Value {
        let began = std::time::Instant::now();
        loop {
            let value = self.value(condition).await;
            if !matches!(value, Value::Null | Value::Bool(false)) {
                return value;
            }
            assert!(began.elapsed() < PATIENCE, "waited in vain for {condition}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The value of a JavaScript expression.
    pub async fn value(&self, expression: &str) -> Value {
        let found = self
            .driver
            .execute(format!("return ({expression});"), Vec::new())
            .await;
        found.expect(expression).json().clone()
    }

    /// All that can be read on the page.
    pub async fn words(&self) -> String {
        let found = self
            .driver
            .execute("return document.body.innerText;", Vec::new())
            .await;
        found
            .map(|found| found.json().as_str().unwrap_or_default().to_owned())
            .unwrap_or_default()
    }

    pub async fn find(&self, css: &str) -> WebElement {
        self.driver
            .find(By::Css(css.to_owned()))
            .await
            .unwrap_or_else(|why| panic!("{css}: {why}"))
    }

    pub async fn click(&self, css: &str) {
        self.find(css)
            .await
            .click()
            .await
            .unwrap_or_else(|why| panic!("{css}: {why}"));
    }

    /// Types a message and sends it with the Enter key.
    pub async fn say(&self, text: &str) {
        self.find("#text")
            .await
            .send_keys(text.to_owned() + Key::Enter)
            .await
            .expect("typing");
    }

    /// Taps the last button of the chat with this label.
    pub async fn tap(&self, label: &str) {
        self.press("#thread", label).await;
    }

    /// Clicks the last button with this label in a part of the page, once it is there.
    pub async fn press(&self, part: &str, label: &str) {
        let buttons = format!(
            "[...document.querySelectorAll('{part} button')].filter(b => b.firstChild.textContent === {})",
            json!(label)
        );
        self.until(&format!("{buttons}.length > 0")).await;
        let last = self
            .driver
            .execute(format!("return {buttons}.pop();"), Vec::new())
            .await;
        let button = last.expect("a script").element().expect("a button");
        button
            .click()
            .await
            .unwrap_or_else(|why| panic!("{label}: {why}"));
    }

    /// Gives a file to one of the page's file fields.
    pub async fn upload(&self, css: &str, path: &std::path::Path) {
        self.find(css)
            .await
            .send_keys(path.display().to_string())
            .await
            .expect("a file is chosen");
    }

    /// Waits until the last message of this kind (`bot`, `mine`, `person`) holds `part`.
    pub async fn last(&self, kind: &str, part: &str) {
        let last = format!("[...document.querySelectorAll('.msg.{kind}')].pop()");
        self.until(&format!("{last}?.innerText.includes({})", json!(part)))
            .await;
    }

    /// Waits until the part of the page shows these words.
    pub async fn shows(&self, css: &str, part: &str) {
        self.until(&format!(
            "document.querySelector('{css}')?.innerText.includes({})",
            json!(part)
        ))
        .await;
    }

    /// The browser found nothing to complain about: no script error, nothing the policy forbids.
    async fn nothing_went_wrong(&self) {
        let url = format!("{}/se/log", self.session);
        let log = reqwest::Client::new()
            .post(url)
            .json(&json!({ "type": "browser" }))
            .send()
            .await;
        let log: Value = log.expect("the browser's log").json().await.expect("JSON");
        assert_eq!(log["value"], json!([]), "the browser complained");
    }

    /// A picture of the page, 1200 × 800.
    pub async fn screenshot(&self) -> Vec<u8> {
        let around = self.value("window.outerHeight - window.innerHeight").await;
        let height = 800 + u32::try_from(around.as_u64().unwrap_or(0)).unwrap_or(0);
        self.driver
            .set_window_rect(0, 0, 1200, height)
            .await
            .expect("a window of this size");
        self.until("window.innerHeight === 800").await;
        self.value("document.activeElement.blur() ?? (document.getElementById('thread').scrollTop = 1e6)")
            .await;
        self.driver.screenshot_as_png().await.expect("a picture")
    }
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn fixture(path: &str) -> PathBuf {
    let path = root().join("fixtures").join(path);
    assert!(path.is_file(), "{} is missing", path.display());
    path
}

//! One conversation over each of the six ways in: the same flow, the same server, another provider's stand-in. What differs
//! in what the customer reads is printed, and stands here word for word.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use switchboard::channel::Show;
use switchboard::channel::Step;
use switchboard::message::MediaKind;
use switchboard::server::channels;
use switchboard::server::config::Config;
use switchboard::server::{Handle, Line, NoteKind, Running, Said, ThreadEntry};
use switchboard::store::ContactId;
use tempfile::TempDir;

use super::cloud::{self, Face, Setup};
use super::ear::{Ear, listening};
use super::loopback::PATIENCE;
use super::qontak::double as inbox;
use super::{double, shop};
use crate::thread;

const SARI: &str = "6281100000022";
const SECRET: &str = "sixteen-or-more-of-these";
const NOTE: &[u8] = b"OggS: not really, but nobody here listens";

const BUTTONS: &str = "Hello! What can I do for you? [Track my order | Leave a message | Nothing, thanks]";
const NUMBERS: &str =
    "Hello! What can I do for you?\n\n1. Track my order\n2. Leave a message\n3. Nothing, thanks";

/// What every customer of this story reads; only the menu looks as its provider allows.
fn story(menu: &str) -> Vec<String> {
    [
        menu,
        "Tell me, typed or as a voice note.",
        "Noted: my wheel is bent",
        menu,
        "Ride safely!",
        menu,
        "Are you still there? Is there anything else I can help with?",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// The customer's side of one way in.
#[async_trait]
trait Phone: Send + Sync {
    /// The tables of the number.
    fn number(&self) -> String;

    /// The server is there.
    async fn opened(&self, config: &Config, server: &str);

    async fn says(&self, handle: &Handle, text: &str);
    async fn sends_voice(&self, handle: &Handle);
    /// Chooses what a menu offers: by a tap where it has something to tap, else by its number.
    async fn picks(&self, handle: &Handle, title: &str);

    /// What stands on the screen of the customer.
    async fn screen(&self, handle: &Handle) -> Vec<String>;

    /// Everything that was said has come to the server.
    async fn settled(&self);

    /// The calls that the stand-in did not take.
    fn refused(&self) -> Vec<String>;

    /// People give the chat back, wherever they have it.
    async fn given_back(&self, handle: &Handle, contact: ContactId) {
        handle.give_back(contact).await.unwrap();
    }
}

fn env(name: &str) -> Option<String> {
    let setup = Setup::default();
    match name {
        "TOKEN" => Some(setup.access_tokens[0].clone()),
        "PUSH" => Some(setup.push_token),
        "APP" => Some(setup.app_secret),
        "SECRET" => Some(SECRET.to_owned()),
        "INBOX" => Some(inbox::TOKEN.to_owned()),
        other => shop::env(other),
    }
}

/// The number of whoever answers to this title, as a customer types it.
fn number_of(title: &str) -> &'static str {
    let line = NUMBERS.lines().find(|line| line.ends_with(title)).unwrap();
    line.split('.').next().unwrap()
}

/// Meta, and two who speak as it does.
struct Cloud(cloud::Double, Face);

#[async_trait]
impl Phone for Cloud {
    fn number(&self) -> String {
        let (setup, url) = (self.0.setup(), self.0.base_url());
        let provider = match self.1 {
            Face::Meta => format!(
                "provider = \"meta\"\napi_base = \"{url}\"\napp_secret_env = \"APP\"\nverify_token_env = \"SECRET\"\n"
            ),
            Face::Dialog360 => format!(
                "provider = \"compatible\"\napi_base = \"{url}\"\nwebhook_secret_env = \"SECRET\"\n[channel.compatible]\n\
                 preset = \"360dialog\"\nwebhook_auth = \"path\"\n"
            ),
            Face::Coster => format!(
                "provider = \"coster\"\nwebhook_secret_env = \"SECRET\"\n[channel.coster]\naccount_id = \"{}\"\n\
                 division_id = \"{}\"\npush_token_env = \"PUSH\"\nhost = \"{url}\"\npush_host = \"{url}\"\n",
                setup.coster_account, setup.coster_division
            ),
        };
        format!(
            "[[channel]]\nid = \"main\"\nphone_number_id = \"{}\"\naccess_token_env = \"TOKEN\"\nburst_quiet_ms = 20\n{provider}",
            setup.phone_number_id
        )
    }

    async fn opened(&self, _config: &Config, server: &str) {
        let end = match self.1 {
            Face::Meta => String::new(),
            Face::Dialog360 | Face::Coster => format!("/{SECRET}"),
        };
        self.0.point_at(format!("{server}/webhook/main{end}"));
    }

    async fn says(&self, _handle: &Handle, text: &str) {
        self.0.customer(SARI).says(text);
    }

    async fn sends_voice(&self, _handle: &Handle) {
        self.0.customer(SARI).sends_voice(NOTE.to_vec());
    }

    async fn picks(&self, _handle: &Handle, title: &str) {
        let sari = self.0.customer(SARI);
        match self.1 {
            Face::Meta | Face::Dialog360 => sari.taps(title),
            Face::Coster => sari.says(number_of(title)),
        };
    }

    async fn screen(&self, _handle: &Handle) -> Vec<String> {
        let shown = |sent: &cloud::Sent| {
            let titles: Vec<String> = sent.options().into_iter().map(|(_, title, _)| title).collect();
            with_options(sent.text(), &titles)
        };
        self.0.sent().iter().map(shown).collect()
    }

    async fn settled(&self) {
        self.0.settled().await;
    }

    fn refused(&self) -> Vec<String> {
        let log = self.0.log();
        let refused = log
            .iter()
            .filter(|asked| !asked.authorised || asked.answered != Some(200));
        refused.map(|asked| asked.path.clone()).collect()
    }
}

fn with_options(text: &str, titles: &[String]) -> String {
    if titles.is_empty() {
        text.to_owned()
    } else {
        format!("{text} [{}]", titles.join(" | "))
    }
}

/// Qontak's inbox, where people have the room as well.
struct Inbox(inbox::Double);

#[async_trait]
impl Phone for Inbox {
    fn number(&self) -> String {
        format!(
            "[[channel]]\nid = \"main\"\nprovider = \"qontak\"\napi_base = \"{}\"\naccess_token_env = \"INBOX\"\n\
             webhook_secret_env = \"SECRET\"\nburst_quiet_ms = 20\nmessages_per_second = 0\n[channel.qontak]\n\
             channel_integration_id = \"{}\"\nauth = \"token\"\n",
            self.0.open_api(),
            inbox::INTEGRATION
        )
    }

    async fn opened(&self, _config: &Config, server: &str) {
        self.0.inner.state().server = Some(server.to_owned());
        self.0
            .point_at(&format!("https://bot.example/webhook/main/{SECRET}"));
    }

    async fn says(&self, _handle: &Handle, text: &str) {
        self.0.customer(SARI).says(text);
    }

    async fn sends_voice(&self, _handle: &Handle) {
        self.0.customer(SARI).sends_voice(NOTE);
    }

    async fn picks(&self, _handle: &Handle, title: &str) {
        self.0.customer(SARI).taps(title);
    }

    async fn screen(&self, _handle: &Handle) -> Vec<String> {
        self.0.sent().iter().map(inbox::Sent::shown).collect()
    }

    async fn settled(&self) {
        self.0.settled().await;
    }

    fn refused(&self) -> Vec<String> {
        let log = self.0.log();
        let refused = log.iter().filter(|asked| asked.answered >= 400);
        refused.map(|asked| asked.line.clone()).collect()
    }

    async fn given_back(&self, handle: &Handle, contact: ContactId) {
        // The inbox has the last word, and the room goes to its agent with the hand-off.
        self.0
            .until("the room to be somebody's", |state| {
                (state.rooms[SARI].status == "assigned").then_some(())
            })
            .await;
        self.0.set_status(SARI, "unassigned");
        self.0.settled().await;
        handle.give_back(contact).await.unwrap();
    }
}

/// A phone that is linked.
struct Device(double::Double);

#[async_trait]
impl Phone for Device {
    fn number(&self) -> String {
        shop::number(&self.0)
    }

    async fn opened(&self, config: &Config, server: &str) {
        self.0.inner.state().server = Some(server.to_owned());
        channels::register(config, &config.channels[0]).await.unwrap();
        self.0.scans_what_is_shown(shop::OURS).await;
    }

    async fn says(&self, _handle: &Handle, text: &str) {
        self.0.customer(SARI).says(text);
    }

    async fn sends_voice(&self, _handle: &Handle) {
        self.0.customer(SARI).sends_voice(NOTE);
    }

    async fn picks(&self, _handle: &Handle, title: &str) {
        self.0.customer(SARI).says(number_of(title));
    }

    async fn screen(&self, _handle: &Handle) -> Vec<String> {
        self.0.sent().iter().map(double::Sent::shown).collect()
    }

    async fn settled(&self) {
        self.0.settled().await;
    }

    /// Before the session was made it could not be found.
    fn refused(&self) -> Vec<String> {
        let log = self.0.log();
        let refused = log
            .iter()
            .filter(|asked| asked.answered >= 400 && asked.answered != 404);
        refused.map(|asked| asked.line.clone()).collect()
    }
}

/// No provider at all: the demo page's number.
struct Simulated;

impl Simulated {
    async fn act(handle: &Handle, said: Said) {
        handle.say("main", SARI, Some("Sari"), said).await.unwrap();
    }

    async fn shows(handle: &Handle) -> Vec<Show> {
        let Some(contact) = handle.contacts(1).await.unwrap().first().copied() else {
            return Vec::new();
        };
        let shown = |line: Option<Line>| match line {
            Some(Line::Ours(ours)) => match ours.step {
                Step::Send { show, .. } => Some(show),
                Step::Seen { .. } | Step::HandOff { .. } | Step::Resolve { .. } => None,
            },
            _ => None,
        };
        let thread = handle.thread(contact, 200).await.unwrap();
        thread.into_iter().filter_map(|entry| shown(entry.line)).collect()
    }
}

#[async_trait]
impl Phone for Simulated {
    fn number(&self) -> String {
        "[[channel]]\nid = \"main\"\nprovider = \"simulator\"\nburst_quiet_ms = 20\n".to_owned()
    }

    async fn opened(&self, _config: &Config, _server: &str) {}

    async fn says(&self, handle: &Handle, text: &str) {
        Simulated::act(handle, Said::Text(text.to_owned())).await;
    }

    async fn sends_voice(&self, handle: &Handle) {
        let note = Said::File {
            kind: MediaKind::Voice,
            bytes: NOTE.to_vec(),
            mime: Some("audio/ogg".to_owned()),
            filename: None,
            caption: None,
        };
        Simulated::act(handle, note).await;
    }

    async fn picks(&self, handle: &Handle, title: &str) {
        let offered = Simulated::shows(handle)
            .await
            .into_iter()
            .rev()
            .find_map(|show| match show {
                Show::Buttons { buttons, .. } => buttons.into_iter().find(|button| button.title == title),
                _ => None,
            });
        let button = offered.unwrap_or_else(|| panic!("nobody offered {title:?}"));
        let tap = Said::Tap {
            id: button.id,
            title: button.title,
        };
        Simulated::act(handle, tap).await;
    }

    async fn screen(&self, handle: &Handle) -> Vec<String> {
        let shown = |show: Show| match show {
            Show::Text { body, .. } => body,
            Show::Buttons { body, buttons, .. } => {
                let titles: Vec<String> = buttons.into_iter().map(|button| button.title).collect();
                with_options(&body, &titles)
            }
            other => format!("{other:?}"),
        };
        Simulated::shows(handle).await.into_iter().map(shown).collect()
    }

    async fn settled(&self) {}

    fn refused(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A server with one number, and whoever writes to it.
struct Way {
    phone: Box<dyn Phone>,
    running: Running,
    handle: Handle,
    ear: Arc<Ear>,
    _folder: TempDir,
}

impl Way {
    async fn open(phone: impl Phone + 'static) -> Way {
        let folder = tempfile::tempdir().unwrap();
        let flows = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/server/flows");
        let text = format!(
            "flows = \"{}\"\nbind = \"127.0.0.1:0\"\npublic_url = \"https://bot.example\"\n{}",
            flows.display(),
            phone.number()
        );
        let config = Config::parse(&text, &folder.path().join("switchboard.toml"), &env).unwrap();
        let (running, ear) = listening(&config, folder.path()).await;
        phone
            .opened(&config, &format!("http://{}", running.address()))
            .await;
        Way {
            phone: Box::new(phone),
            handle: running.handle(),
            running,
            ear,
            _folder: folder,
        }
    }

    /// Waits until so much stands on the customer's screen.
    async fn reads(&self, count: usize) -> Vec<String> {
        let mut changes = self.handle.subscribe();
        let enough = async {
            loop {
                let screen = self.phone.screen(&self.handle).await;
                if screen.len() >= count {
                    return screen;
                }
                // A change may have been missed: look again now and then.
                let _ = tokio::time::timeout(Duration::from_millis(100), changes.recv()).await;
            }
        };
        match tokio::time::timeout(PATIENCE, enough).await {
            Ok(screen) => screen,
            Err(_) => panic!(
                "no {count} messages: {:#?} stopped: {:?}",
                self.phone.screen(&self.handle).await,
                self.handle.channels()
            ),
        }
    }

    async fn notes(&self, contact: ContactId, kind: NoteKind) -> Vec<String> {
        thread::notes(&self.handle.thread(contact, 300).await.unwrap(), kind)
    }

    async fn noted(&self, contact: ContactId, kind: NoteKind, count: usize) -> Vec<String> {
        let enough = |thread: &[ThreadEntry]| thread::notes(thread, kind).len() >= count;
        let thread = thread::until(&self.handle, contact, "a note for the team", enough).await;
        thread::notes(&thread, kind)
    }

    /// Text, menu, voice note, hand-off, return, an end, silence, the session's end. Gives what the customer was shown.
    async fn is_lived_through(&self, name: &str) -> Vec<String> {
        let (phone, handle) = (&self.phone, &self.handle);
        phone.says(handle, "Hi").await;
        self.reads(1).await;
        phone.picks(handle, "Leave a message").await;
        self.reads(2).await;
        phone.sends_voice(handle).await;
        self.reads(3).await;
        assert_eq!(*self.ear.given.lock().unwrap(), [NOTE.to_vec()], "{name}");
        let contacts = handle.contacts(2).await.unwrap();
        let [contact] = contacts[..] else {
            panic!("{name}: one customer is one contact")
        };
        phone.says(handle, "agent").await;
        self.noted(contact, NoteKind::Handoff, 1).await;
        let before = phone.screen(handle).await.len();
        phone.says(handle, "hello? anybody?").await;
        phone.settled().await;
        phone.given_back(handle, contact).await;
        self.noted(contact, NoteKind::Returned, 1).await;
        assert_eq!(
            phone.screen(handle).await.len(),
            before,
            "{name}: the bot spoke over a person"
        );
        phone.says(handle, "Hi").await;
        self.reads(before + 1).await;
        phone.picks(handle, "Nothing, thanks").await;
        self.reads(before + 2).await;
        phone.says(handle, "Hi").await;
        self.reads(before + 3).await;
        let sessions = self.notes(contact, NoteKind::Session).await.len();
        handle.advance_clock(Duration::from_secs(301));
        self.reads(before + 4).await;
        handle.advance_clock(Duration::from_secs(601));
        let ended = self.noted(contact, NoteKind::Session, sessions + 1).await;
        assert!(
            ended.last().unwrap().ends_with("the customer was silent."),
            "{name}: {ended:?}"
        );
        self.reads(before + 4).await
    }
}

/// Lives through the story, prints how its menu looks there, and holds the rest against the one transcript.
async fn passes(name: &str, phone: impl Phone + 'static, menu: &str) {
    let way = Way::open(phone).await;
    let read = way.is_lived_through(name).await;
    println!("{name}: the menu is\n{}\n", read[0]);
    assert_eq!(read, story(menu), "{name}");
    assert_eq!(way.phone.refused(), Vec::<String>::new(), "{name}");
    way.running.shutdown().await;
}

async fn at(face: Face) -> Cloud {
    Cloud(cloud::Double::with(Setup::of(face)).await, face)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_conversation_passes_through_meta_with_buttons() {
    passes("meta", at(Face::Meta).await, BUTTONS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_conversation_passes_through_a_compatible_provider_with_buttons() {
    passes("compatible", at(Face::Dialog360).await, BUTTONS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_conversation_passes_through_coster_with_numbers() {
    passes("coster", at(Face::Coster).await, NUMBERS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_conversation_passes_through_qontak_with_buttons() {
    passes("qontak", Inbox(inbox::Double::start().await), BUTTONS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_conversation_passes_through_a_linked_device_with_numbers() {
    passes("linked", Device(double::Double::start().await), NUMBERS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_conversation_passes_through_the_simulator_with_buttons() {
    passes("simulator", Simulated, BUTTONS).await;
}

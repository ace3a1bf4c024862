//! A server in this process with numbers at the double of Qontak, whose clock can be moved.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use switchboard::server::config::Config;
use switchboard::server::{Handle, NoteKind, Running, ThreadEntry};
use switchboard::store::ContactId;
use tempfile::TempDir;

use super::double::{CLIENT_ID, CLIENT_SECRET, Double, INTEGRATION, PASSWORD, TEMPLATE, TOKEN, USERNAME};
use super::ear::{Ear, listening};
use crate::thread;

pub const SECRET: &str = "sixteen-or-more-of-these";
pub const OTHER_SECRET: &str = "another-path-another-secret";

/// How the number logs in.
#[derive(Debug, Clone, Copy)]
pub enum Auth {
    Token,
    Password,
    Hmac,
}

pub struct Office {
    pub double: Double,
    pub config: Config,
    pub running: Running,
    pub handle: Handle,
    pub ear: Arc<Ear>,
    _folder: TempDir,
}

/// The tables of a number at the double.
pub fn number(double: &Double, id: &str, integration: &str, auth: Auth) -> String {
    let (base, login) = match auth {
        Auth::Token => (double.open_api(), "auth = \"token\"".to_owned()),
        Auth::Password => (
            double.open_api(),
            format!(
                "auth = \"password\"\nusername = \"{USERNAME}\"\npassword_env = \"PASSWORD\"\nclient_id = \"{CLIENT_ID}\"\n\
                 client_secret_env = \"CLIENT\"\ntoken_url = \"{}\"",
                double.token_url()
            ),
        ),
        Auth::Hmac => (
            double.mekari_api(),
            format!("auth = \"hmac\"\nclient_id = \"{CLIENT_ID}\"\nclient_secret_env = \"CLIENT\""),
        ),
    };
    format!(
        "[[channel]]\nid = \"{id}\"\nprovider = \"qontak\"\napi_base = \"{base}\"\naccess_token_env = \"TOKEN\"\n\
         webhook_secret_env = \"SECRET_{id}\"\nburst_quiet_ms = 20\nmessages_per_second = 0\n[channel.qontak]\n\
         channel_integration_id = \"{integration}\"\n{login}\n[channel.qontak.templates]\norder_update = \"{TEMPLATE}\"\n"
    )
}

pub fn env(name: &str) -> Option<String> {
    let value = match name {
        "TOKEN" => TOKEN,
        "PASSWORD" => PASSWORD,
        "CLIENT" => CLIENT_SECRET,
        "SECRET_main" => SECRET,
        "SECRET_draft" => OTHER_SECRET,
        "SHOP_TOKEN" => "shop-secret",
        _ => return None,
    };
    Some(value.to_owned())
}

/// The flows of the fixtures, and one with a list.
fn flows(folder: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/server/flows");
    std::fs::create_dir_all(folder).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let coffee = r#"flow coffee "Coffee"
starts on "coffee"

step ask
  menu "What will it be?"
    "Espresso" -> served
    "Cappuccino" -> served
    "Flat white" -> served
    "Filter" -> served
  end

step served
  say "Coming up."
  done
"#;
    std::fs::write(folder.join("coffee.flow"), coffee).unwrap();
}

impl Office {
    /// With one number, whose endpoint is set by hand.
    pub async fn open(auth: Auth) -> Office {
        let double = Double::start().await;
        let tables = number(&double, "main", INTEGRATION, auth);
        let office = Office::with(double, &tables).await;
        office
            .double
            .point_at(&format!("https://bot.example/webhook/main/{SECRET}"));
        office
    }

    /// With these numbers, and an endpoint that nobody has set.
    pub async fn with(double: Double, tables: &str) -> Office {
        let folder = tempfile::tempdir().unwrap();
        flows(&folder.path().join("flows"));
        let text = format!(
            "flows = \"flows\"\nbind = \"127.0.0.1:0\"\npublic_url = \"https://bot.example\"\n{tables}"
        );
        let config = Config::parse(&text, &folder.path().join("switchboard.toml"), &env).unwrap();
        let (running, ear) = listening(&config, folder.path()).await;
        double.inner.state().server = Some(format!("http://{}", running.address()));
        Office {
            double,
            config,
            handle: running.handle(),
            running,
            ear,
            _folder: folder,
        }
    }

    /// Waits until customers were sent so many messages, and gives them as they look.
    pub async fn reads(&self, count: usize) -> Vec<String> {
        let sent = self.double.wait_for_sent(count).await;
        sent.iter().map(super::double::Sent::shown).collect()
    }

    /// The only contact there is.
    pub async fn contact(&self) -> ContactId {
        let all = self.handle.contacts(2).await.unwrap();
        assert_eq!(all.len(), 1, "one customer is one contact");
        all[0]
    }

    /// Waits until the team has a note of this kind that holds `part`, so many times.
    pub async fn noted(&self, contact: ContactId, kind: NoteKind, part: &str, count: usize) {
        let enough = |thread: &[ThreadEntry]| {
            let notes = thread::notes(thread, kind);
            notes.iter().filter(|note| note.contains(part)).count() >= count
        };
        thread::until(&self.handle, contact, &format!("a note {part:?}"), enough).await;
    }

    /// Time passes for both sides.
    pub fn pass(&self, seconds: u64) {
        self.double.advance(Duration::from_secs(seconds));
        self.handle.advance_clock(Duration::from_secs(seconds));
    }
}

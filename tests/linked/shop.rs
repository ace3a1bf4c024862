//! A server in this process with a number whose link the double holds, and a clock that can be moved.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use switchboard::server::channels;
use switchboard::server::config::Config;
use switchboard::server::link::LinkView;
use switchboard::server::{Handle, Line, NoteKind, Running, ThreadEntry};
use switchboard::store::ContactId;
use tempfile::TempDir;

use super::double::{Double, KEY, SESSION};
use super::ear::{Ear, listening};
use super::loopback::PATIENCE;
use crate::thread;

/// The planned number.
pub const OURS: &str = "6281100000011";
pub const SARI: &str = "6281100000022";

pub struct Shop {
    pub double: Double,
    pub config: Config,
    pub running: Running,
    pub handle: Handle,
    pub ear: Arc<Ear>,
    pub folder: TempDir,
}

/// The tables of a number whose link the double holds. No time is spent on typing.
pub fn number(double: &Double) -> String {
    format!(
        "[[channel]]\nid = \"main\"\nprovider = \"linked\"\napi_base = \"{}\"\naccess_token_env = \"KEY\"\nlaunch = \"unchecked\"\n\
         webhook_secret_env = \"SIGN\"\nburst_quiet_ms = 20\npair_every_ms = 0\n[channel.linked]\nphone = \"+62 811 0000 0011\"\n\
         session = \"{SESSION}\"\nmessages_per_minute = 0\ntyping_ms = [0, 0]\n",
        double.base_url()
    )
}

pub fn env(name: &str) -> Option<String> {
    let value = match name {
        "KEY" => KEY,
        "SIGN" => "what-webhooks-are-signed-with",
        "ADMIN" => "an-operator",
        "SHOP_TOKEN" => "shop-secret",
        _ => return None,
    };
    Some(value.to_owned())
}

pub fn config(tables: &str, folder: &Path) -> Config {
    let flows = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/server/flows");
    let text = format!(
        "flows = \"{}\"\nbind = \"127.0.0.1:0\"\npublic_url = \"https://bot.example\"\nadmin_token = {{ env = \"ADMIN\" }}\n{tables}",
        flows.display()
    );
    Config::parse(&text, &folder.join("switchboard.toml"), &env).unwrap()
}

impl Shop {
    /// With a session that has its webhooks, and a phone that was linked.
    pub async fn open(double: Double) -> Shop {
        let shop = Shop::unlinked(double).await;
        shop.double.scans_what_is_shown(OURS).await;
        shop.is("connected").await;
        shop
    }

    /// With a session that waits for its phone.
    pub async fn unlinked(double: Double) -> Shop {
        Shop::unlinked_with(double, |tables| tables).await
    }

    /// The same, with other words in the configuration.
    pub async fn unlinked_with(double: Double, change: impl Fn(String) -> String) -> Shop {
        let tables = change(number(&double));
        let folder = tempfile::tempdir().unwrap();
        let config = config(&tables, folder.path());
        let (running, ear) = listening(&config, folder.path()).await;
        double.inner.state().server = Some(format!("http://{}", running.address()));
        channels::register(&config, &config.channels[0]).await.unwrap();
        Shop {
            double,
            config,
            handle: running.handle(),
            running,
            ear,
            folder,
        }
    }

    pub async fn view(&self) -> LinkView {
        self.handle.link("main").await.unwrap().unwrap()
    }

    /// Waits until the server has seen the link in this state.
    pub async fn is(&self, state: &str) -> LinkView {
        let seen = async {
            loop {
                let view = self.view().await;
                if view.state.word() == state {
                    return view;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, seen).await {
            Ok(view) => view,
            Err(_) => panic!("the link is not {state}: {:#?}", self.view().await),
        }
    }

    /// Waits until customers were sent so many messages, and gives them as they look.
    pub async fn reads(&self, count: usize) -> Vec<String> {
        let sent = self.double.wait_for_sent(count).await;
        sent.iter().map(super::double::Sent::shown).collect()
    }

    pub async fn contact(&self) -> ContactId {
        let all = self.handle.contacts(5).await.unwrap();
        assert_eq!(all.len(), 1, "one customer is one contact");
        all[0]
    }

    /// Waits until the team has so many notes of a kind.
    pub async fn noted(&self, contact: ContactId, kind: NoteKind, count: usize) {
        let enough = |thread: &[ThreadEntry]| thread::notes(thread, kind).len() >= count;
        thread::until(&self.handle, contact, "a note for the team", enough).await;
    }

    /// Waits until so many replies wait to be sent.
    pub async fn kept(&self, count: usize) {
        let waiting = async {
            loop {
                let mut thread = Vec::new();
                for contact in self.handle.contacts(5).await.unwrap() {
                    thread.extend(self.handle.thread(contact, 100).await.unwrap());
                }
                let ours = thread
                    .iter()
                    .filter(|entry| matches!(entry.line, Some(Line::Ours(_))));
                let waits = ours.filter(|entry| {
                    entry
                        .status
                        .as_ref()
                        .is_none_or(|(_, state)| state.starts_with("queued"))
                });
                if waits.count() >= count {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("a reply waits");
    }
}

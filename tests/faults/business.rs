//! The business whose right answers can be computed: it counts. Each answer says how many messages this conversation
//! has had (kept in the session), how many this customer ever sent (kept in the memory), and what the message was.

use std::path::{Path, PathBuf};

use axum::Router;
use axum::routing::get;

use super::double::{Double, loopback};

/// What customers say, before a number. No log may ever have it.
pub const WORD: &str = "marmalade";
/// A message that begins with it is weighed by a service, in a job outside the lease.
pub const WEIGH: &str = "weigh ";
/// All phone numbers of the customers begin with it. No log may ever have it.
pub const PHONES: &str = "6281177";

/// What the bot asks somebody who is silent, where a scenario wants it asked.
pub const NUDGE: &str = "Are you still there?";

pub fn phone(contact: usize) -> String {
    format!("{PHONES}{contact:07}")
}

pub fn flows(into: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/flows");
    std::fs::create_dir_all(into).expect("a folder for the flows");
    for name in ["business.flow", "counting.flow"] {
        std::fs::copy(from.join(name), into.join(name)).expect("a copy of the flow");
    }
}

/// The service that weighs.
#[derive(Debug)]
pub struct Scales {
    address: String,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Scales {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Scales {
    pub async fn start() -> Scales {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let weighed = || async { axum::Json(serde_json::json!({ "grams": "heavy" })) };
        let router = Router::new().route("/weigh/{word}", get(weighed));
        let serving = tokio::spawn(loopback::serve(listener, router));
        Scales { address, serving }
    }
}

/// The configuration of one worker. `more` goes before the tables, `channel` into the number's.
pub fn config(
    double: &Double,
    scales: &Scales,
    store: &str,
    provider: &str,
    more: &str,
    channel: &str,
) -> String {
    let setup = double.setup();
    format!(
        "flows = \"flows\"\nstore = \"{store}\"\nbind = \"127.0.0.1:0\"\n{more}\n\
         [services.tally]\nurl = \"http://{0}\"\nallow = [\"{0}\"]\n\
         [[channel]]\nid = \"{CHANNEL}\"\nprovider = \"meta\"\nphone_number_id = \"{1}\"\napi_base = \"{2}\"\n\
         access_token_env = \"TOKEN\"\napp_secret_env = \"SECRET\"\nverify_token_env = \"VERIFY\"\n\
         {channel}\n",
        scales.address, setup.phone_number_id, provider,
    )
}

pub const CHANNEL: &str = "main";

pub fn secrets(double: &Double) -> Vec<(String, String)> {
    let setup = double.setup();
    [
        ("TOKEN", &setup.access_tokens[0]),
        ("SECRET", &setup.app_secret),
        ("VERIFY", &setup.verify_token),
    ]
    .map(|(name, value)| (name.to_owned(), value.clone()))
    .into()
}

/// The numbers of the customer's messages that stand in a text of either side, in order. A burst has several.
pub fn numbers_in(text: &str) -> Vec<u32> {
    let pieces = text.split(WORD).skip(1);
    let digits = pieces.map(|piece| piece.split(|c: char| !c.is_ascii_digit()).next());
    digits.filter_map(|digits| digits?.parse().ok()).collect()
}

/// An answer, read: how many messages it counts in the session and in the memory, and which it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub session: u32,
    pub memory: u32,
    pub numbers: Vec<u32>,
}

pub fn answer(text: &str) -> Option<Answer> {
    let (counts, said) = text.split_once(": ")?;
    let (session, memory) = counts.split_once(" of ")?;
    Some(Answer {
        session: session.parse().ok()?,
        memory: memory.parse().ok()?,
        numbers: numbers_in(said),
    })
}

/// Where nothing of a customer may stand.
pub fn leaks(log: &str, double: &Double) -> Vec<&'static str> {
    let setup = double.setup();
    let secrets = [
        (WORD, "a message's text"),
        (PHONES, "a phone number"),
        (&setup.access_tokens[0], "the access token"),
        (&setup.app_secret, "the app secret"),
    ];
    secrets
        .iter()
        .filter(|(secret, _)| log.contains(*secret))
        .map(|(_, what)| *what)
        .collect()
}

/// A folder that is kept when the test fails.
pub fn folder() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("switchboard-faults-")
        .tempdir()
        .expect("a temporary folder")
}

pub fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_switchboard"))
}

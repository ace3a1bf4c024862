//! A stand-in for the speech model, and a server in this process that listens with it.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use switchboard::server::config::Config;
use switchboard::server::{Parts, Running, Server};
use switchboard::store::{Caps, MovableClock, SqliteStore};
use switchboard::voice::audio::Kind;
use switchboard::voice::{Transcriber, Transcript, VoiceError};

/// Hears the same words in every note, and keeps what it was given.
#[derive(Debug, Default)]
pub struct Ear {
    pub given: Mutex<Vec<Vec<u8>>>,
}

impl Transcriber for Ear {
    fn transcribe(&self, note: &[u8], _language: Option<&str>) -> Result<Transcript, VoiceError> {
        self.given.lock().unwrap().push(note.to_vec());
        Ok(Transcript {
            text: "my wheel is bent".to_owned(),
            language: "en".to_owned(),
            seconds: 1.0,
            took: Duration::ZERO,
            kind: Kind::OggOpus,
            cut_short: false,
        })
    }
}

/// Starts a server with an ear, a clock that can be moved, and a store of its own in the folder.
pub async fn listening(config: &Config, folder: &Path) -> (Running, Arc<Ear>) {
    let clock = Arc::new(MovableClock::default());
    let path = folder.join("store.db");
    let store = Arc::new(SqliteStore::open(path, Caps::default(), clock.clone()).unwrap());
    let ear = Arc::new(Ear::default());
    let parts = Parts {
        clock: Some(clock),
        voice: Some(ear.clone()),
        ..Parts::default()
    };
    let running = Server::start(config.clone(), store, parts).await.unwrap();
    (running, ear)
}

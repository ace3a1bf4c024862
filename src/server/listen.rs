//! Voice notes: fetched from the provider, heard on threads of their own, as many at a time as the operator allows.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::config::{Config, VoiceConfig};
use super::mailbox::Hearing;
use crate::channel::{Channel, Expected};
use crate::message::Media;
use crate::voice::{self, Settings, Transcriber, Unavailable, VoiceError};

#[derive(Debug, Clone)]
pub(super) struct Ear {
    voice: Arc<dyn Transcriber>,
    free: Arc<Semaphore>,
}

impl Ear {
    pub fn new(voice: Arc<dyn Transcriber>, parallel: usize) -> Ear {
        Ear {
            voice,
            free: Arc::new(Semaphore::new(parallel.max(1))),
        }
    }

    /// Fetches a note and listens to it. Every failure is an outcome.
    pub async fn listen(&self, channel: &dyn Channel, media: &Media, language: Option<String>) -> Hearing {
        let expected = Expected {
            sha256: media.sha256.as_deref(),
        };
        let fetched = match channel.fetch_media(&media.handle, expected).await {
            Ok(fetched) => fetched,
            Err(why) => return Hearing::Nothing { why: why.to_string() },
        };
        let Ok(_permit) = self.free.clone().acquire_owned().await else {
            return Hearing::Nothing {
                why: "Switchboard is stopping".to_owned(),
            };
        };
        let voice = self.voice.clone();
        let heard =
            tokio::task::spawn_blocking(move || voice.transcribe(&fetched.bytes, language.as_deref())).await;
        match heard {
            Ok(Ok(transcript)) => Hearing::Words {
                text: transcript.text,
                // Whole seconds, upwards: a note of half a second is not one of none.
                seconds: Some(transcript.seconds.ceil() as u32),
            },
            Ok(Err(VoiceError::Silence { .. })) => Hearing::Silence,
            Ok(Err(why)) => Hearing::Nothing { why: why.to_string() },
            Err(_) => Hearing::Nothing {
                why: "the recording could not be decoded".to_owned(),
            },
        }
    }
}

/// The speech model of the configuration, loaded. `None` if none is configured.
///
/// # Errors
/// If one is configured that can't be loaded.
pub fn ear(config: &Config) -> Result<Option<Arc<dyn Transcriber>>, Unavailable> {
    config
        .voice
        .as_ref()
        .map(|voice| voice::load(settings(voice)))
        .transpose()
}

fn settings(config: &VoiceConfig) -> Settings {
    let mut settings = Settings::new(Path::new(&config.model));
    settings.language.clone_from(&config.language);
    settings.threads = config.threads.unwrap_or(settings.threads);
    settings.parallel = config.parallel;
    settings.limits.length = config.longest;
    settings
}

//! Voice notes: fetched from the provider, heard on threads of their own, as many at a time as the operator allows.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::channel::{Channel, Expected};
use crate::message::Media;
use crate::server::config::{Config, VoiceConfig};
use crate::server::inbound::mailbox::Hearing;
use crate::server::watch::metrics::Metrics;
use crate::voice::{self, Settings, Transcriber, Unavailable, VoiceError};

#[derive(Debug, Clone)]
pub(in crate::server) struct Ear {
    voice: Arc<dyn Transcriber>,
    free: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

impl Ear {
    pub fn new(voice: Arc<dyn Transcriber>, parallel: usize, metrics: Arc<Metrics>) -> Ear {
        Ear {
            voice,
            free: Arc::new(Semaphore::new(parallel.max(1))),
            metrics,
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
        let _waits = Waits::begin(&self.metrics);
        let Ok(_permit) = self.free.clone().acquire_owned().await else {
            return Hearing::Nothing {
                why: "Switchboard is stopping".to_owned(),
            };
        };
        let voice = self.voice.clone();
        let heard =
            tokio::task::spawn_blocking(move || voice.transcribe(&fetched.bytes, language.as_deref())).await;
        match heard {
            Ok(Ok(transcript)) => {
                let voice = &self.metrics.voice;
                voice.seconds.record(transcript.seconds);
                if transcript.seconds > 0.0 {
                    voice
                        .factor
                        .record(transcript.took.as_secs_f64() / transcript.seconds);
                }
                Hearing::Words {
                    text: transcript.text,
                    // Whole seconds, upwards: a note of half a second is not one of none.
                    seconds: Some(transcript.seconds.ceil() as u32),
                }
            }
            Ok(Err(VoiceError::Silence { .. })) => Hearing::Silence,
            Ok(Err(why)) => Hearing::Nothing { why: why.to_string() },
            Err(_) => Hearing::Nothing {
                why: "the recording could not be decoded".to_owned(),
            },
        }
    }
}

/// A note on its way through the ear, however that ends.
struct Waits<'a>(&'a Metrics);

impl Waits<'_> {
    fn begin(metrics: &Metrics) -> Waits<'_> {
        metrics.voice.waiting.increment(1.0);
        Waits(metrics)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.voice.waiting.decrement(1.0);
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

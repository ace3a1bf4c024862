//! A transcriber for tests of what stands around one: it hears nothing and says what it was told to.

use std::time::Duration;

use super::audio::{self, Kind, Limits};
use super::{Transcriber, Transcript, VoiceError};

/// Gives the same words for every note that really is audio, so that bad files still meet the real decoder.
#[derive(Debug, Clone)]
pub struct FixedWords {
    pub words: String,
}

impl FixedWords {
    pub fn new(words: impl Into<String>) -> FixedWords {
        FixedWords { words: words.into() }
    }
}

impl Transcriber for FixedWords {
    fn transcribe(&self, note: &[u8], language: Option<&str>) -> Result<Transcript, VoiceError> {
        let sound = audio::decode(note, &Limits::default())?;
        if sound.is_silent() {
            return Err(VoiceError::Silence {
                seconds: sound.seconds(),
            });
        }
        Ok(Transcript {
            text: self.words.clone(),
            language: language.unwrap_or("en").to_owned(),
            seconds: sound.seconds(),
            took: Duration::ZERO,
            kind: sound.kind,
            cut_short: sound.cut_short,
        })
    }
}

/// Gives the same failure for every note, such as a missing model.
#[derive(Debug, Clone)]
pub struct FixedFailure(pub VoiceError);

impl Transcriber for FixedFailure {
    fn transcribe(&self, _note: &[u8], _language: Option<&str>) -> Result<Transcript, VoiceError> {
        Err(self.0.clone())
    }
}

/// The kind of a fixture, for tests that only care that it decodes.
pub fn kind_of(note: &[u8]) -> Option<Kind> {
    audio::decode(note, &Limits::default())
        .ok()
        .map(|sound| sound.kind)
}

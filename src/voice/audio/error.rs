//! Why a file gave no sound, each with one sentence for the person who reads the log or the command's output.

use std::time::Duration;

use super::Kind;

/// A file that can't be used as a voice message.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AudioError {
    #[error("the audio is empty: the file has no bytes")]
    Empty,

    #[error("the audio has {} MiB, more than the limit of {} MiB", mib(.bytes), mib(.limit))]
    TooLarge { bytes: usize, limit: usize },

    #[error("this is {what}, not audio")]
    NotAudio { what: &'static str },

    #[error(
        "this is not a known kind of audio (it starts with {starts}); known are Ogg/Opus, MP4 (M4A), WebM, AAC, \
         MP3 and WAV"
    )]
    Unknown {
        /// The first bytes in hexadecimal.
        starts: String,
    },

    #[error("this is {what} audio, which can't be read; send Ogg/Opus, MP4 (M4A), WebM, AAC, MP3 or WAV")]
    Unsupported { what: String },

    #[error("the {kind} audio is corrupt after {after:.1} s: {why}")]
    Corrupt { kind: Kind, after: f64, why: String },

    #[error(
        "the {kind} audio is cut off: the file ends after {after:.1} s of sound, too little to hear words in"
    )]
    Truncated { kind: Kind, after: f64 },

    #[error("the {kind} audio has no sound in it")]
    NoSound { kind: Kind },

    #[error("the audio is longer than the limit of {}", minutes(.limit))]
    TooLong { limit: Duration },

    #[error("the {kind} audio has {channels} channels, more than the limit of {limit}")]
    TooManyChannels {
        kind: Kind,
        channels: usize,
        limit: usize,
    },
}

impl AudioError {
    /// A word for logs, counters and JSON; it stays the same between versions.
    pub fn reason(&self) -> &'static str {
        match self {
            AudioError::Empty => "empty",
            AudioError::TooLarge { .. } => "too_large",
            AudioError::NotAudio { .. } => "not_audio",
            AudioError::Unknown { .. } => "unknown_kind",
            AudioError::Unsupported { .. } => "unsupported_kind",
            AudioError::Corrupt { .. } => "corrupt",
            AudioError::Truncated { .. } => "truncated",
            AudioError::NoSound { .. } => "no_sound",
            AudioError::TooLong { .. } => "too_long",
            AudioError::TooManyChannels { .. } => "too_many_channels",
        }
    }
}

fn mib(bytes: &usize) -> String {
    let mib = *bytes as f64 / (1024.0 * 1024.0);
    // Rounded up to hundredths, so that one byte too many doesn't read "16 MiB, more than 16 MiB".
    let text = format!("{:.2}", (mib * 100.0).ceil() / 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn minutes(limit: &Duration) -> String {
    match limit.as_secs() {
        60 => "1 minute".to_owned(),
        seconds if seconds >= 60 && seconds.is_multiple_of(60) => format!("{} minutes", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

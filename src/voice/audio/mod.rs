//! Bytes of a voice message to the sound that speech models take: 16 kHz, one channel, 32-bit floats.
//!
//! The bytes come from strangers. What a file is follows from its first bytes, never from its name or the type
//! a provider states. No length, size or count written in the file is believed: memory grows with what was in
//! fact decoded, and decoding stops at [`Limits`]. A file at both limits needs about 16 MiB for itself and 37 MiB
//! for its sound.

mod demux;
mod error;
mod kind;
mod ogg;
mod opus;
mod pcm;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

pub use error::AudioError;
pub use kind::Kind;

/// Samples a second of every [`Sound`].
pub const SAMPLE_RATE: u32 = 16_000;

/// Speech quieter than this never reaches a phone's recording: the loudest fifth of a second of a note must have
/// at least this root mean square (about -52 dB below full scale), or the note counts as silent.
const SILENCE_RMS: f32 = 0.0025;

/// A file that ends in the middle is still heard if this much of it was whole.
const WORTH_HEARING: Duration = Duration::from_secs(1);

/// How much of a file is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest file, in bytes. 16 MiB is also the most that Meta's Cloud API delivers for audio.
    pub bytes: usize,
    /// Longest sound. Decoding stops here, whatever the file's headers claim.
    pub length: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            bytes: 16 * 1024 * 1024,
            length: Duration::from_secs(600),
        }
    }
}

/// A decoded voice message.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    /// Mono, [`SAMPLE_RATE`] a second, full scale is ±1.
    pub samples: Vec<f32>,
    /// What the file really was.
    pub kind: Kind,
    /// The file ends in the middle; the samples are what came before.
    pub cut_short: bool,
}

impl Sound {
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(SAMPLE_RATE)
    }

    /// Nobody speaks in this note.
    pub fn is_silent(&self) -> bool {
        let window = SAMPLE_RATE as usize / 5;
        self.samples.chunks(window).all(|part| {
            let power: f32 = part.iter().map(|sample| sample * sample).sum();
            // Always over a whole window, so that a click in a short last part doesn't count as loud.
            power < SILENCE_RMS * SILENCE_RMS * window as f32
        })
    }
}

/// Decodes one file.
///
/// A file that breaks off (an upload cut short) gives the part before the break, marked [`Sound::cut_short`], if
/// that is a second or more. A file damaged in the middle is refused: half of a sentence can mean the opposite of
/// the whole, and the customer can simply say it again.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Sound, AudioError> {
    if bytes.is_empty() {
        return Err(AudioError::Empty);
    }
    if bytes.len() > limits.bytes {
        return Err(AudioError::TooLarge {
            bytes: bytes.len(),
            limit: limits.bytes,
        });
    }
    let kind = kind::of(bytes)?;
    let mut pcm = pcm::Pcm::new(limits.length);
    // The demultiplexers are other people's code fed with hostile bytes: a panic there is one more way for a file
    // to be corrupt. Nothing outlives the closure but `pcm`, which stays a plain list of samples.
    let ended = catch_unwind(AssertUnwindSafe(|| match kind {
        Kind::OggOpus => ogg::decode(bytes, &mut pcm),
        Kind::Mp4 | Kind::WebM | Kind::Aac | Kind::Mp3 | Kind::Wav => demux::decode(bytes, kind, &mut pcm),
    }))
    .unwrap_or_else(|_| {
        Err(AudioError::Corrupt {
            kind,
            after: pcm.seconds(),
            why: "its structure makes no sense".into(),
        })
    })?;
    let sound = Sound {
        samples: pcm.into_samples(),
        kind,
        cut_short: matches!(ended, End::CutShort),
    };
    let too_short = sound.seconds() < WORTH_HEARING.as_secs_f64();
    match ended {
        End::CutShort if too_short => Err(AudioError::Truncated {
            kind,
            after: sound.seconds(),
        }),
        End::CutShort => Ok(sound),
        End::Whole if sound.samples.is_empty() => Err(AudioError::NoSound { kind }),
        End::Whole => Ok(sound),
    }
}

/// How the file stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    CutShort,
}

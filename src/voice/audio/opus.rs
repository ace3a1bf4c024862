//! Opus packets, wherever they were packed: libopus gives 16 kHz mono directly, so nothing is resampled or mixed.

use super::pcm::Pcm;
use super::{AudioError, Kind, SAMPLE_RATE};

/// The longest packet is 120 ms (RFC 6716, 3.2.5).
const PACKET_SAMPLES: usize = SAMPLE_RATE as usize * 120 / 1000;

/// Voice is mono or stereo. More channels travel as several coded streams in a packet, which no phone records.
const MOST_CHANNELS: u8 = 2;

/// The identification header (RFC 7845, 5.1), as far as it matters here. MP4 has the same fields in the same
/// places, with the pre-skip's and gain's bytes swapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) pre_skip: u16,
    pub(super) gain: i16,
}

impl Head {
    pub(super) fn read(packet: &[u8], kind: Kind) -> Result<Head, AudioError> {
        let corrupt = |why: &str| AudioError::Corrupt {
            kind,
            after: 0.0,
            why: why.into(),
        };
        let head = packet
            .strip_prefix(b"OpusHead")
            .and_then(|fields| fields.first_chunk::<11>())
            .ok_or_else(|| corrupt("its Opus header is too short"))?;
        let [
            version,
            channels,
            skip_low,
            skip_high,
            _,
            _,
            _,
            _,
            gain_low,
            gain_high,
            family,
        ] = *head;
        // Versions up to 15 promise to be readable as version 1.
        if version > 15 {
            return Err(AudioError::Unsupported {
                what: format!("Opus of version {version}"),
            });
        }
        match (family, channels) {
            (_, 0) => Err(corrupt("its Opus header claims no channels")),
            (0 | 1, channels) if channels > MOST_CHANNELS => Err(AudioError::TooManyChannels {
                kind,
                channels: channels.into(),
                limit: MOST_CHANNELS.into(),
            }),
            (0 | 1, _) => Ok(Head {
                pre_skip: u16::from_le_bytes([skip_low, skip_high]),
                gain: i16::from_le_bytes([gain_low, gain_high]),
            }),
            (family, _) => Err(AudioError::Unsupported {
                what: format!("Opus channel mapping {family}"),
            }),
        }
    }
}

pub(super) struct Decoder {
    opus: opus::Decoder,
    /// Samples still to drop: the encoder's run-up.
    skip: usize,
    kind: Kind,
}

impl Decoder {
    pub(super) fn new(head: Head, kind: Kind) -> Result<Decoder, AudioError> {
        let failed = |error: opus::Error| AudioError::Corrupt {
            kind,
            after: 0.0,
            why: error.to_string(),
        };
        let mut opus = opus::Decoder::new(SAMPLE_RATE, opus::Channels::Mono).map_err(failed)?;
        // In 1/256 dB (RFC 7845, 5.1); libopus applies it while decoding and clips like a player would.
        opus.set_gain(head.gain.into()).map_err(failed)?;
        // The header counts at 48 kHz, whatever the recording's rate was.
        let skip = usize::from(head.pre_skip) * SAMPLE_RATE as usize / 48_000;
        Ok(Decoder { opus, skip, kind })
    }

    pub(super) fn packet(&mut self, packet: &[u8], pcm: &mut Pcm) -> Result<(), AudioError> {
        // libopus takes an empty packet for a lost one and invents sound for it.
        if packet.is_empty() {
            return Ok(());
        }
        let mut sound = [0f32; PACKET_SAMPLES];
        let count = self
            .opus
            .decode_float(packet, &mut sound, false)
            .map_err(|error| AudioError::Corrupt {
                kind: self.kind,
                after: pcm.seconds(),
                why: format!("Opus: {}", error.code().description()),
            })?;
        let skipped = self.skip.min(count);
        self.skip -= skipped;
        pcm.push(&sound[skipped..count])
    }
}

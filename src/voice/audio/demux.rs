//! Everything but Ogg: symphonia opens the container, and decodes AAC, MP3 and PCM; Opus inside MP4 or WebM goes to
//! libopus.

use std::io::{Cursor, ErrorKind};

use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::{Hint, Probe};
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use symphonia::default::formats::{AdtsReader, IsoMp4Reader, MkvReader, MpaReader, WavReader};

use super::opus::{self, Head};
use super::pcm::Pcm;
use super::{AudioError, End, Kind, kind::id3_length};

/// Rates that recorders use; a forged one would size the resampler's tables.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;

/// 7.1 is the most that a phone's camera writes.
const MOST_CHANNELS: usize = 8;

/// Decoders stumble over single frames of sound files that every player plays. One packet in this many may fail.
const PACKETS_PER_FAILURE: usize = 10;

pub(super) fn decode(bytes: &[u8], kind: Kind, pcm: &mut Pcm) -> Result<End, AudioError> {
    // Titles and pictures in front of MP3 and AAC are stepped over unread.
    let sound = bytes.get(id3_length(bytes)..).unwrap_or_default();
    let source = MediaSourceStream::new(Box::new(Cursor::new(sound)), Default::default());
    let mut format = match open(kind, source) {
        Ok(format) => format,
        Err(error) if breaks_off(&error) || (kind == Kind::Mp4 && !holds_index(bytes)) => {
            return Ok(End::CutShort);
        }
        Err(error) => return Err(damaged(kind, pcm, &error)),
    };
    let Some((track, parameters)) = audio_track(format.as_ref()) else {
        return Err(match kind {
            Kind::Mp4 | Kind::WebM => AudioError::NotAudio {
                what: "a video without sound",
            },
            Kind::OggOpus | Kind::Aac | Kind::Mp3 | Kind::Wav => AudioError::NoSound { kind },
        });
    };
    let mut decoder = Decoder::new(&parameters, kind)?;
    let (mut packets, mut failures) = (0, 0);
    let end = loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) if packet.track_id == track => packet,
            Ok(Some(_)) => continue,
            Ok(None) => break End::Whole,
            Err(error) if breaks_off(&error) => break End::CutShort,
            Err(error) => return Err(damaged(kind, pcm, &error)),
        };
        packets += 1;
        if !decoder.packet(&packet, kind, pcm)? {
            failures += 1;
        }
    };
    pcm.finish()?;
    if failures * PACKETS_PER_FAILURE > packets {
        let why = format!("{failures} of its {packets} packets can't be decoded");
        return Err(AudioError::Corrupt {
            kind,
            after: pcm.seconds(),
            why,
        });
    }
    Ok(end)
}

/// Opens the one format that the first bytes named, so that a probe never takes a file for another kind.
fn open(kind: Kind, source: MediaSourceStream<'_>) -> Result<Box<dyn FormatReader + '_>, Error> {
    let mut probe = Probe::new();
    match kind {
        Kind::Mp4 => probe.register_format::<IsoMp4Reader<'_>>(),
        Kind::WebM => probe.register_format::<MkvReader<'_>>(),
        Kind::Aac => probe.register_format::<AdtsReader<'_>>(),
        Kind::Mp3 => probe.register_format::<MpaReader<'_>>(),
        Kind::Wav => probe.register_format::<WavReader<'_>>(),
        Kind::OggOpus => return Err(Error::Unsupported("Ogg has its own reader")),
    }
    probe.probe(
        &Hint::new(),
        source,
        FormatOptions::default(),
        MetadataOptions::default(),
    )
}

fn audio_track(format: &dyn FormatReader) -> Option<(u32, AudioCodecParameters)> {
    let track = format.default_track(TrackType::Audio)?;
    let parameters = track.codec_params.as_ref()?.audio()?;
    Some((track.id, parameters.clone()))
}

enum Decoder {
    Opus(opus::Decoder),
    Other(Box<dyn AudioDecoder>, Vec<f32>),
}

impl Decoder {
    fn new(parameters: &AudioCodecParameters, kind: Kind) -> Result<Decoder, AudioError> {
        if parameters.codec == CODEC_ID_OPUS {
            let header = parameters.extra_data.as_deref().unwrap_or_default();
            // Read for its checks only: MP4 stores the numbers the other way round, and neither run-up nor gain
            // matters to words.
            Head::read(header, kind)?;
            return Ok(Decoder::Opus(opus::Decoder::new(
                Head { pre_skip: 0, gain: 0 },
                kind,
            )?));
        }
        if let Some(channels) = parameters.channels.as_ref().map(|c| c.count()) {
            check_channels(channels, kind)?;
        }
        let made =
            symphonia::default::get_codecs().make_audio_decoder(parameters, &AudioDecoderOptions::default());
        match made {
            Ok(decoder) => Ok(Decoder::Other(decoder, Vec::new())),
            Err(_) => Err(AudioError::Unsupported {
                what: format!("{kind} with another codec"),
            }),
        }
    }

    /// False if this packet gave no sound because it is damaged.
    fn packet(
        &mut self,
        packet: &symphonia::core::packet::Packet,
        kind: Kind,
        pcm: &mut Pcm,
    ) -> Result<bool, AudioError> {
        let (decoder, interleaved) = match self {
            Decoder::Opus(decoder) => return decoder.packet(&packet.data, pcm).map(|()| true),
            Decoder::Other(decoder, interleaved) => (decoder, interleaved),
        };
        let sound = match decoder.decode(packet) {
            Ok(sound) => sound,
            Err(Error::DecodeError(_) | Error::IoError(_)) => return Ok(false),
            Err(error) => return Err(damaged(kind, pcm, &error)),
        };
        let (rate, channels) = (sound.spec().rate(), sound.spec().channels().count());
        check_channels(channels, kind)?;
        if !RATES.contains(&rate) {
            let why = format!("it claims {rate} samples a second");
            return Err(AudioError::Corrupt {
                kind,
                after: pcm.seconds(),
                why,
            });
        }
        sound.copy_to_vec_interleaved(interleaved);
        pcm.push_at(rate, channels, interleaved)?;
        Ok(true)
    }
}

fn check_channels(channels: usize, kind: Kind) -> Result<(), AudioError> {
    match channels {
        0 => Err(AudioError::Corrupt {
            kind,
            after: 0.0,
            why: "it claims no channels".into(),
        }),
        1..=MOST_CHANNELS => Ok(()),
        _ => Err(AudioError::TooManyChannels {
            kind,
            channels,
            limit: MOST_CHANNELS,
        }),
    }
}

fn breaks_off(error: &Error) -> bool {
    matches!(error, Error::IoError(error) if error.kind() == ErrorKind::UnexpectedEof)
}

/// An MP4 whose `moov` box (its index, often at the end) never came.
fn holds_index(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|four| four == b"moov")
}

fn damaged(kind: Kind, pcm: &Pcm, error: &Error) -> AudioError {
    AudioError::Corrupt {
        kind,
        after: pcm.seconds(),
        why: error.to_string(),
    }
}

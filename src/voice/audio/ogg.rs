//! Ogg pages to Opus packets.
//!
//! Granule positions (the running sample counts in page headers) are not read at all: the sound is as long as its
//! packets are, so a forged count can neither allocate nor cut anything. The price is some milliseconds of the
//! encoder's padding at the end.

use std::io::{Cursor, ErrorKind};

use ogg::{OggReadError, PacketReader};

use super::opus::{Decoder, Head};
use super::pcm::Pcm;
use super::{AudioError, End, Kind};

/// Streams chained one after the other or laid side by side in one file. The reader keeps a page for each.
const MOST_STREAMS: usize = 64;

pub(super) fn decode(bytes: &[u8], pcm: &mut Pcm) -> Result<End, AudioError> {
    let kind = Kind::OggOpus;
    if streams(bytes) > MOST_STREAMS {
        let why = format!("it claims more than {MOST_STREAMS} streams");
        return Err(AudioError::Corrupt {
            kind,
            after: 0.0,
            why,
        });
    }
    let mut reader = PacketReader::new(Cursor::new(bytes));
    let mut hearing: Option<Hearing> = None;
    loop {
        let packet = match reader.read_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(OggReadError::ReadError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                return Ok(End::CutShort);
            }
            // Rubbish after the end of the last stream harms nobody.
            Err(OggReadError::NoCapturePatternFound)
                if hearing.as_ref().is_some_and(|stream| stream.ended) =>
            {
                return Ok(End::Whole);
            }
            Err(error) => {
                return Err(AudioError::Corrupt {
                    kind,
                    after: pcm.seconds(),
                    why: format!("Ogg: {error}"),
                });
            }
        };
        if packet.first_in_stream() && packet.data.starts_with(b"OpusHead") {
            // The first stream of a file, or the next one of a chain: each brings its own header and decoder.
            let decoder = Decoder::new(Head::read(&packet.data, kind)?, kind)?;
            hearing = Some(Hearing {
                serial: packet.stream_serial(),
                decoder,
                tags_read: false,
                ended: false,
            });
            continue;
        }
        match &mut hearing {
            Some(stream) if stream.serial == packet.stream_serial() => {
                stream.packet(&packet.data, pcm)?;
                stream.ended = packet.last_in_stream();
            }
            // Pages of another stream beside the audio (a skeleton, a picture).
            Some(_) | None => {}
        }
    }
    let ends_in_header = reader.into_inner().position() < 27 || last_page_is_torn(bytes);
    Ok(if hearing.is_none() || ends_in_header {
        End::CutShort
    } else {
        End::Whole
    })
}

/// The Opus stream whose packets are being decoded.
struct Hearing {
    serial: u32,
    decoder: Decoder,
    tags_read: bool,
    ended: bool,
}

impl Hearing {
    fn packet(&mut self, packet: &[u8], pcm: &mut Pcm) -> Result<(), AudioError> {
        // The second packet holds titles and comments (RFC 7845, 5.2).
        if !std::mem::replace(&mut self.tags_read, true) && packet.starts_with(b"OpusTags") {
            return Ok(());
        }
        self.decoder.packet(packet, pcm)
    }
}

/// Pages that open a stream: capture pattern, version 0, and the flag in the header type.
fn streams(bytes: &[u8]) -> usize {
    bytes
        .windows(6)
        .filter(|six| six.starts_with(b"OggS\0") && six[5] & 2 != 0)
        .count()
}

/// The reader takes an end inside a page's header for the end of the file; this sees the difference.
fn last_page_is_torn(bytes: &[u8]) -> bool {
    let tail = &bytes[bytes.len().saturating_sub(26)..];
    tail.windows(4).any(|four| four == b"OggS")
}

//! What a file is, from its first bytes. Names and stated types are not asked: phones, bridges and attackers all
//! mislabel, and an MP4 called `note.ogg` is simply decoded as the MP4 it is.

use std::fmt;

use super::AudioError;

/// The kinds that can be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// WhatsApp's own voice notes.
    OggOpus,
    /// M4A, MP4, MOV, 3GP: boxes with AAC or Opus inside.
    Mp4,
    /// What Chromium's recorder writes (Opus inside); Matroska reads the same.
    WebM,
    /// AAC with ADTS headers.
    Aac,
    Mp3,
    Wav,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::OggOpus => "Ogg/Opus",
            Kind::Mp4 => "MP4",
            Kind::WebM => "WebM",
            Kind::Aac => "AAC",
            Kind::Mp3 => "MP3",
            Kind::Wav => "WAV",
        })
    }
}

/// Known files that are not audio; the words fill "this is ..., not audio".
const NOT_AUDIO: [(&[u8], &str); 10] = [
    (b"\xFF\xD8\xFF", "a JPEG picture"),
    (b"\x89PNG", "a PNG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or office document"),
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
    (b"<?xml", "an XML document"),
    (b"{\"", "a JSON document"),
    (b"\x1F\x8B", "a gzip archive"),
];

/// Known audio without a decoder here; the words fill "this is ... audio".
const UNSUPPORTED: [(&[u8], &str); 8] = [
    (b"#!AMR", "AMR"),
    (b"fLaC", "FLAC"),
    (b"caff", "Core Audio"),
    (b"MThd", "MIDI"),
    (b"#!SILK", "SILK"),
    (b"\x02#!SILK", "SILK"),
    (b".snd", "AU"),
    (b"\x30\x26\xB2\x75\x8E\x66\xCF\x11", "Windows Media"),
];

pub(super) fn of(bytes: &[u8]) -> Result<Kind, AudioError> {
    let after = |at: usize, what: &[u8]| bytes.get(at..at + what.len()) == Some(what);
    if after(0, b"OggS") {
        return inside_ogg(bytes);
    }
    if after(4, b"ftyp") {
        return Ok(Kind::Mp4);
    }
    if after(0, b"RIFF") || after(0, b"RIFX") || after(0, b"RF64") {
        return match bytes.get(8..12) {
            Some(b"WAVE") => Ok(Kind::Wav),
            Some(b"WEBP") => Err(AudioError::NotAudio {
                what: "a WebP picture",
            }),
            Some(b"AVI ") => Err(AudioError::NotAudio { what: "an AVI video" }),
            Some(_) | None => Err(unknown(bytes)),
        };
    }
    if after(0, b"\x1A\x45\xDF\xA3") {
        return Ok(Kind::WebM);
    }
    if after(0, b"FORM") && (after(8, b"AIFF") || after(8, b"AIFC")) {
        return Err(AudioError::Unsupported { what: "AIFF".into() });
    }
    if let Some((_, what)) = NOT_AUDIO.iter().find(|(magic, _)| after(0, magic)) {
        return Err(AudioError::NotAudio { what });
    }
    if let Some((_, what)) = UNSUPPORTED.iter().find(|(magic, _)| after(0, magic)) {
        return Err(AudioError::Unsupported { what: (*what).into() });
    }
    // Tags stand before MP3 and, rarely, before raw AAC: what follows them decides.
    let tag = id3_length(bytes);
    match mpeg_frame(bytes.get(tag..).unwrap_or_default()) {
        Some(kind) => Ok(kind),
        None if tag > 0 => Ok(Kind::Mp3),
        None => Err(unknown(bytes)),
    }
}

/// The first packet of an Ogg file names its codec: it starts after the page's header and segment table.
fn inside_ogg(bytes: &[u8]) -> Result<Kind, AudioError> {
    let segments = bytes.get(26).copied().unwrap_or(0) as usize;
    let packet = bytes.get(27 + segments..).unwrap_or_default();
    let what = match packet {
        p if p.starts_with(b"OpusHead") => return Ok(Kind::OggOpus),
        // Skeleton is a table of contents that stands before the audio it describes.
        p if p.starts_with(b"fishead\0") => return Ok(Kind::OggOpus),
        // Cut off inside the first page: Opus is by far the likeliest, and the reader says where it ends.
        p if p.len() < 8 => return Ok(Kind::OggOpus),
        p if p.starts_with(b"\x01vorbis") => "Ogg/Vorbis",
        p if p.starts_with(b"Speex   ") => "Ogg/Speex",
        p if p.starts_with(b"\x7FFLAC") => "Ogg/FLAC",
        p if p.starts_with(b"\x80theora") => return Err(AudioError::NotAudio { what: "an Ogg video" }),
        _ => "Ogg with an unknown codec",
    };
    Err(AudioError::Unsupported { what: what.into() })
}

/// MPEG audio has no magic, only an 11 or 12 bit frame sync followed by fields with forbidden values.
fn mpeg_frame(bytes: &[u8]) -> Option<Kind> {
    let &[0xFF, second, third, ..] = bytes else {
        return None;
    };
    if second & 0xF6 == 0xF0 {
        return Some(Kind::Aac);
    }
    let (version, layer) = ((second >> 3) & 3, (second >> 1) & 3);
    let (bit_rate, sample_rate) = (third >> 4, (third >> 2) & 3);
    let valid = second & 0xE0 == 0xE0 && version != 1 && layer == 1 && bit_rate != 15 && sample_rate != 3;
    valid.then_some(Kind::Mp3)
}

/// Length of the ID3v2 tag in front, 0 without one; its size is written in four 7-bit groups.
pub(super) fn id3_length(bytes: &[u8]) -> usize {
    if !bytes.starts_with(b"ID3") {
        return 0;
    }
    let size = bytes.get(6..10).unwrap_or_default();
    10 + size
        .iter()
        .fold(0, |sum, &group| (sum << 7) | usize::from(group & 0x7F))
}

fn unknown(bytes: &[u8]) -> AudioError {
    // A text sent as audio is worth its own word; binary noise is shown by its start.
    let head = &bytes[..bytes.len().min(64)];
    if std::str::from_utf8(head).is_ok_and(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace()))
    {
        return AudioError::NotAudio { what: "text" };
    }
    let starts = head
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .join(" ");
    AudioError::Unknown { starts }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide_and_known_strangers_are_named() {
        assert_eq!(of(b"\0\0\0\x20ftypM4A "), Ok(Kind::Mp4));
        assert_eq!(of(b"RIFF\0\0\0\0WAVEfmt "), Ok(Kind::Wav));
        assert_eq!(of(b"ID3\x04\0\0\0\0\0\x02xx\xFF\xFB\x90\x64"), Ok(Kind::Mp3));
        assert_eq!(of(b"\xFF\xF1\x50\x80"), Ok(Kind::Aac));
        assert_eq!(
            of(b"#!AMR\nabc"),
            Err(AudioError::Unsupported { what: "AMR".into() })
        );
        assert_eq!(
            of(b"\xFF\xD8\xFF\xE0"),
            Err(AudioError::NotAudio {
                what: "a JPEG picture"
            })
        );
        assert_eq!(of(b"hello there"), Err(AudioError::NotAudio { what: "text" }));
        let noise = of(b"\x00\x01\x02\x03").unwrap_err();
        assert!(noise.to_string().contains("starts with 00 01 02 03"), "{noise}");
    }
}

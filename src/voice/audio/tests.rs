//! Every fixture and every lie, without a model. The hostile files are made by `scripts/make-audio-fixtures` or here.

use std::path::Path;

use ::ogg::writing::{PacketWriteEndInfo, PacketWriter};
use proptest::prelude::*;

use super::*;

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/audio")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn heard(bytes: &[u8]) -> Result<Sound, AudioError> {
    decode(bytes, &Limits::default())
}

/// Why a hostile fixture is refused, in the reader's words.
fn refusal(name: &str) -> AudioError {
    heard(&fixture(&format!("hostile/{name}"))).expect_err(name)
}

/// An Ogg/Opus file of `count` packets that are all `packet`.
fn note_of(packet: &[u8], count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = PacketWriter::new(&mut bytes);
    let head = *b"OpusHead\x01\x01\x38\x01\x80\x3e\0\0\0\0\0";
    writer
        .write_packet(head.to_vec(), 1, PacketWriteEndInfo::EndPage, 0)
        .unwrap();
    let tags = *b"OpusTags\0\0\0\0\0\0\0\0";
    writer
        .write_packet(tags.to_vec(), 1, PacketWriteEndInfo::EndPage, 0)
        .unwrap();
    for number in 1..=count {
        let end = if number == count {
            PacketWriteEndInfo::EndStream
        } else {
            PacketWriteEndInfo::NormalPacket
        };
        writer.write_packet(packet.to_vec(), 1, end, 0).unwrap();
    }
    drop(writer);
    bytes
}

/// A WAV file whose header may lie.
fn wav(channels: u16, rate: u32, claimed: u32, sound: &[u8]) -> Vec<u8> {
    let frame = channels.wrapping_mul(2);
    let mut bytes = b"RIFF".to_vec();
    bytes.extend(claimed.wrapping_add(36).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    bytes.extend(channels.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend(rate.wrapping_mul(frame.into()).to_le_bytes());
    bytes.extend(frame.to_le_bytes());
    bytes.extend(16u16.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(claimed.to_le_bytes());
    bytes.extend(sound);
    bytes
}

#[test]
fn every_kind_of_file_gives_the_same_sentence_at_16_khz() {
    let kinds = [
        ("talk-to-a-person.ogg", Kind::OggOpus),
        ("talk-to-a-person-stereo.ogg", Kind::OggOpus),
        ("talk-to-a-person.m4a", Kind::Mp4),
        ("talk-to-a-person.webm", Kind::WebM),
        ("talk-to-a-person.aac", Kind::Aac),
        ("talk-to-a-person.mp3", Kind::Mp3),
        ("talk-to-a-person.wav", Kind::Wav),
    ];
    for (name, kind) in kinds {
        let sound = heard(&fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(sound.kind, kind, "{name}");
        assert!(
            (2.7..2.9).contains(&sound.seconds()),
            "{name}: {} s",
            sound.seconds()
        );
        assert!(!sound.is_silent() && !sound.cut_short, "{name}");
    }
}

#[test]
fn chained_streams_follow_one_another() {
    let both = heard(&fixture("two-chained.ogg")).unwrap().seconds();
    let each: f64 = ["track-my-order.ogg", "talk-to-a-person.ogg"]
        .map(|name| heard(&fixture(name)).unwrap().seconds())
        .iter()
        .sum();
    assert!((both - each).abs() < 0.01, "{both} s instead of {each} s");
}

#[test]
fn a_wrong_name_changes_nothing_and_the_real_kind_is_told() {
    assert_eq!(heard(&fixture("hostile/mp4-named.ogg")).unwrap().kind, Kind::Mp4);
    assert_eq!(
        refusal("picture-named.ogg"),
        AudioError::NotAudio {
            what: "a JPEG picture"
        }
    );
    assert_eq!(
        refusal("amr-named.ogg"),
        AudioError::Unsupported { what: "AMR".into() }
    );
    assert_eq!(refusal("random.ogg").reason(), "unknown_kind");
}

#[test]
fn an_empty_file_is_empty_and_a_silent_one_silent() {
    assert_eq!(refusal("empty.ogg"), AudioError::Empty);
    assert!(heard(&fixture("hostile/silent.ogg")).unwrap().is_silent());
    assert_eq!(
        heard(&wav(1, 16_000, 0, &[])).unwrap_err(),
        AudioError::NoSound { kind: Kind::Wav }
    );
}

#[test]
fn a_file_that_breaks_off_is_heard_up_to_there_if_that_is_a_second_or_more() {
    let sound = heard(&fixture("hostile/cut-near-the-end.ogg")).unwrap();
    assert!(sound.cut_short && sound.seconds() > 5.0);
    for name in ["cut-early.ogg", "cut-in-the-header.ogg"] {
        assert_eq!(refusal(name).reason(), "truncated", "{name}");
    }
    let m4a = fixture("talk-to-a-person.m4a");
    assert_eq!(
        heard(&m4a[..m4a.len() / 2]).unwrap_err().reason(),
        "truncated",
        "its index stands at the end"
    );
}

#[test]
fn a_file_damaged_in_the_middle_is_refused_and_the_place_told() {
    let AudioError::Corrupt {
        kind: Kind::OggOpus,
        after,
        ..
    } = refusal("damaged.ogg")
    else {
        panic!("{}", refusal("damaged.ogg"));
    };
    assert!((0.5..2.7).contains(&after), "{after}");
}

#[test]
fn channels_are_counted_before_they_cost_anything() {
    let many = AudioError::TooManyChannels {
        kind: Kind::OggOpus,
        channels: 64,
        limit: 2,
    };
    assert_eq!(refusal("64-channels.ogg"), many);
    assert_eq!(
        refusal("mapping-255.ogg"),
        AudioError::Unsupported {
            what: "Opus channel mapping 255".into()
        }
    );
    let sound = vec![0; 64 * 2 * 100];
    let refused = heard(&wav(64, 16_000, sound.len() as u32, &sound)).unwrap_err();
    assert!(
        matches!(refused.reason(), "too_many_channels" | "corrupt"),
        "{refused}"
    );
}

#[test]
fn forged_counts_neither_cut_nor_allocate() {
    let honest = heard(&fixture("talk-to-a-person.ogg")).unwrap();
    let forged = heard(&fixture("hostile/forged-sample-counts.ogg")).unwrap();
    assert_eq!(forged.samples, honest.samples);
    // Two seconds of sound under a header that claims 4 GiB.
    let claimed = heard(&wav(1, 16_000, u32::MAX - 36, &vec![1; 64_000])).unwrap();
    assert!(claimed.seconds() <= 2.01, "{} s", claimed.seconds());
    // The table of sample sizes in an MP4 claims four thousand million entries.
    let mut m4a = fixture("talk-to-a-person.m4a");
    let table = m4a.windows(4).position(|four| four == b"stsz").unwrap();
    m4a[table + 12..table + 16].fill(0xFF);
    heard(&m4a).unwrap_err();
}

#[test]
fn insane_rates_are_refused() {
    for rate in [0, 1, 100, 400_000, u32::MAX] {
        let refused = heard(&wav(1, rate, 32_000, &vec![1; 32_000]));
        assert!(refused.is_err(), "{rate} Hz: {} s", refused.unwrap().seconds());
    }
}

#[test]
fn decoding_stops_at_the_length_limit_whatever_the_file_holds() {
    // Three hours in 360 kB: each packet is 120 ms of nothing in two bytes.
    let bomb = note_of(&[0b0000_1011, 6], 90_000);
    let too_long = AudioError::TooLong {
        limit: Duration::from_secs(600),
    };
    assert_eq!(heard(&bomb).unwrap_err(), too_long);
    assert_eq!(
        too_long.to_string(),
        "the audio is longer than the limit of 10 minutes"
    );
    let limits = Limits {
        length: Duration::from_secs(2),
        ..Limits::default()
    };
    assert_eq!(
        decode(&fixture("talk-to-a-person.mp3"), &limits)
            .unwrap_err()
            .reason(),
        "too_long"
    );
}

#[test]
fn one_byte_too_many_is_too_large() {
    let limit = Limits::default().bytes;
    let error = heard(&vec![0; limit + 1]).unwrap_err();
    assert_eq!(
        error,
        AudioError::TooLarge {
            bytes: limit + 1,
            limit
        }
    );
    assert_eq!(
        error.to_string(),
        "the audio has 16.01 MiB, more than the limit of 16 MiB"
    );
}

#[test]
fn thousands_of_claimed_streams_are_refused() {
    let page = [&b"OggS\0\x02"[..], &[0; 20], &[0]].concat();
    let start = fixture("talk-to-a-person.ogg");
    let many = [start, page.repeat(5_000)].concat();
    assert_eq!(heard(&many).unwrap_err().reason(), "corrupt");
}

/// The starts that reach each decoder.
const STARTS: [&[u8]; 8] = [
    b"",
    b"OggS\0\x02\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead\x01\x01",
    b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42\0\0\0\x40moov",
    b"\x1A\x45\xDF\xA3\x9F\x42\x86\x81\x01",
    b"\xFF\xF1\x50\x80",
    b"\xFF\xFB\x90\x64",
    b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0",
    b"ID3\x04\0\0\0\0\0\x02",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_bytes_make_it_panic(start in 0..STARTS.len(), rest in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = heard(&[STARTS[start], &rest].concat());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn no_change_to_a_good_file_makes_it_panic_or_grow(
        name in prop::sample::select(vec![
            "talk-to-a-person.ogg", "talk-to-a-person.m4a", "talk-to-a-person.webm", "talk-to-a-person.aac",
            "talk-to-a-person.mp3", "talk-to-a-person.wav",
        ]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        early in any::<bool>(),
        cut in prop::option::weighted(0.3, any::<prop::sample::Index>()),
    ) {
        let mut bytes = fixture(name);
        // Headers are where the lies are: half of the cases change the first kilobyte only.
        let reach = if early { 1024 } else { bytes.len() };
        for (at, byte) in changes {
            bytes[at.index(reach)] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let limits = Limits { length: Duration::from_secs(20), ..Limits::default() };
        if let Ok(sound) = decode(&bytes, &limits) {
            prop_assert!(sound.seconds() <= 20.0);
            prop_assert!(sound.samples.iter().all(|s| s.is_finite() && s.abs() <= 1.0));
        }
    }
}

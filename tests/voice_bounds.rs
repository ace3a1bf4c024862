//! What a voice note may cost at the most. A file of its own: the measure is the whole process's.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::io::Cursor;
use std::path::Path;

use ogg::writing::{PacketWriteEndInfo, PacketWriter};
use ogg::{Packet, PacketReader};
use switchboard::voice::audio::{Limits, decode};

/// The most memory this process ever held, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// `note` said again and again in one stream: its packets `times` over.
fn repeated(note: &[u8], times: usize) -> Vec<u8> {
    let mut reader = PacketReader::new(Cursor::new(note));
    let packets: Vec<Packet> = std::iter::from_fn(|| reader.read_packet().unwrap()).collect();
    let (headers, sound) = packets.split_at(2);
    let mut bytes = Vec::new();
    let mut writer = PacketWriter::new(&mut bytes);
    for header in headers {
        writer
            .write_packet(header.data.clone(), 1, PacketWriteEndInfo::EndPage, 0)
            .unwrap();
    }
    for number in 0..times * sound.len() {
        let last = number + 1 == times * sound.len();
        let end = if last {
            PacketWriteEndInfo::EndStream
        } else {
            PacketWriteEndInfo::NormalPacket
        };
        writer
            .write_packet(sound[number % sound.len()].data.clone(), 1, end, 0)
            .unwrap();
    }
    drop(writer);
    bytes
}

#[test]
fn ten_minutes_of_speech_in_the_largest_file_stay_within_64_mib() {
    let limits = Limits::default();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/audio/ten-seconds.ogg");
    let mut note = repeated(&std::fs::read(path).unwrap(), 52);
    // Bytes after the last page are ignored, so the file can be as large as files may be.
    note.resize(limits.bytes, 0);
    let before = peak() - note.len();
    let sound = decode(&note, &limits).unwrap();
    assert!(
        (590.0..=600.0).contains(&sound.seconds()),
        "{} s",
        sound.seconds()
    );
    let cost = peak() - before;
    assert!(cost <= 64 * 1024 * 1024, "{} MiB", cost / 1024 / 1024);
}

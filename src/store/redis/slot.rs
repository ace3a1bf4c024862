//! Which of the 16,384 slots of a cluster a key lives in, and the 256 partitions: everything of a contact shares one
//! hash tag, so that each step is one script in one slot, on one server or a hundred.

use std::sync::LazyLock;

use crate::store::ContactId;

/// Fixed for ever: the partition of a contact is part of its keys.
pub const PARTITIONS: usize = 256;
pub(crate) const SLOTS: u16 = 16_384;
/// Partition *i* lives in slot *i* · 64, so that masters with equal shares of the slots get equal shares of the contacts.
const SPACING: u16 = SLOTS / PARTITIONS as u16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub u8);

impl Partition {
    pub fn of(contact: ContactId) -> Partition {
        Partition(contact.0[0])
    }

    pub fn all() -> impl Iterator<Item = Partition> {
        (0..=u8::MAX).map(Partition)
    }

    /// What stands between the braces of its keys.
    pub fn tag(self) -> &'static str {
        &TAGS[usize::from(self.0)]
    }

    pub fn slot(self) -> u16 {
        u16::from(self.0) * SPACING
    }
}

/// The first words of two letters and more that fall on the wanted slots. The order of the search never changes.
static TAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut tags = vec![String::new(); PARTITIONS];
    let mut missing = PARTITIONS;
    for number in 0_u32.. {
        if missing == 0 {
            break;
        }
        let word = word(number);
        let slot = crc16(word.as_bytes()) % SLOTS;
        if slot.is_multiple_of(SPACING) {
            let tag = &mut tags[usize::from(slot / SPACING)];
            if tag.is_empty() {
                *tag = word;
                missing -= 1;
            }
        }
    }
    tags
});

/// `aa`, `ba` … `zz`, `aaa` …
fn word(mut number: u32) -> String {
    let mut word = String::new();
    number += 26;
    while number > 0 {
        word.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
    }
    word
}

/// The part of a key that decides its slot: what stands in the first braces, if they hold anything.
pub(crate) fn tag_of(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|byte| *byte == b'{') else {
        return key;
    };
    let rest = &key[open + 1..];
    match rest.iter().position(|byte| *byte == b'}') {
        Some(0) | None => key,
        Some(close) => &rest[..close],
    }
}

pub fn slot_of(key: &[u8]) -> u16 {
    crc16(tag_of(key)) % SLOTS
}

/// CRC-16/XMODEM, as the cluster's specification wants it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (crc << 8) ^ CRC[usize::from((crc >> 8) as u8 ^ byte)]
    })
}

static CRC: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_key_falls_on_the_slot_that_the_specification_names() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(slot_of(b"foo"), 12_182);
        assert_eq!(slot_of(b"{user1000}.following"), slot_of(b"{user1000}.followers"));
        assert_eq!(tag_of(b"foo{}{bar}"), b"foo{}{bar}");
        assert_eq!(tag_of(b"foo{{bar}}zap"), b"{bar");
        assert_eq!(tag_of(b"foo{bar}{zap}"), b"bar");
        assert_eq!(tag_of(b"foo{bar"), b"foo{bar");
    }

    #[test]
    fn partitions_have_their_own_tags_evenly_spaced() {
        let tags: HashSet<&str> = Partition::all().map(Partition::tag).collect();
        assert_eq!(tags.len(), PARTITIONS);
        for partition in Partition::all() {
            assert_eq!(slot_of(partition.tag().as_bytes()), partition.slot());
        }
    }

    #[test]
    fn the_tags_never_change() {
        let all: Vec<&str> = Partition::all().map(Partition::tag).collect();
        let hash = blake3::hash(all.join(",").as_bytes()).to_hex();
        assert_eq!(&hash[..16], "062859dc151d604c");
        assert!(all.iter().all(|tag| tag.len() <= 5));
    }
}

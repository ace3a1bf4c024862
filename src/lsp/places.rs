//! Places in a file as editors count them: lines from 0, columns in UTF-8 or UTF-16 units.

use lsp_types::{Position, PositionEncodingKind, Range};

/// The unit of columns that both sides agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    /// Every editor knows it; the protocol's own.
    Utf16,
}

impl Encoding {
    pub fn kind(self) -> PositionEncodingKind {
        match self {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
        }
    }

    fn units(self, text: &str) -> u32 {
        let units = match self {
            Encoding::Utf8 => text.len(),
            Encoding::Utf16 => text.chars().map(char::len_utf16).sum(),
        };
        units as u32
    }

    /// Where a byte of a text stands.
    pub fn position(self, text: &str, offset: usize) -> Position {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &text[..offset];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        Position {
            line: before.matches('\n').count() as u32,
            character: self.units(&before[start..]),
        }
    }

    pub fn range(self, text: &str, bytes: std::ops::Range<usize>) -> Range {
        Range {
            start: self.position(text, bytes.start),
            end: self.position(text, bytes.end),
        }
    }

    /// The byte at a place. A place behind the end of its line, or of the file, is that end: editors may be ahead.
    pub fn offset(self, text: &str, place: Position) -> usize {
        let mut start = 0;
        for _ in 0..place.line {
            match text[start..].find('\n') {
                Some(at) => start += at + 1,
                None => return text.len(),
            }
        }
        let line = text[start..].split('\n').next().unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        let mut left = place.character;
        for (at, char) in line.char_indices() {
            let units = self.units(&line[at..at + char.len_utf8()]);
            if left < units {
                return start + at;
            }
            left -= units;
        }
        start + line.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_again_in_both_units() {
        let text = "say \"👟 olá\"\r\n  done\n";
        for encoding in [Encoding::Utf8, Encoding::Utf16] {
            for (offset, _) in text
                .char_indices()
                .filter(|(_, char)| !matches!(char, '\r' | '\n'))
            {
                let place = encoding.position(text, offset);
                assert_eq!(encoding.offset(text, place), offset, "{place:?}");
            }
        }
        let behind_the_shoe = text.find('👟').unwrap() + '👟'.len_utf8();
        assert_eq!(Encoding::Utf8.position(text, behind_the_shoe).character, 9);
        assert_eq!(Encoding::Utf16.position(text, behind_the_shoe).character, 7);
    }

    #[test]
    fn a_place_behind_the_end_is_the_end() {
        let text = "ab\r\ncd";
        let at = |line, character| Encoding::Utf16.offset(text, Position { line, character });
        assert_eq!((at(0, 99), at(1, 99), at(7, 0)), (2, 6, 6));
    }
}

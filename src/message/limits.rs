//! How long things may be, and how length is counted.
//!
//! WhatsApp states its limits in "characters" and does not say which. The rule here: above the limit in Unicode
//! scalars is an error, above it in UTF-16 units a warning, and cutting happens only between graphemes. Texts are
//! counted in NFC. One table a provider, so that a measurement can correct it in one place.

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// The largest sizes a provider takes, in characters unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub provider: &'static str,
    pub text: usize,
    /// Body of a message with buttons, a list or a link.
    pub question: usize,
    pub buttons: usize,
    pub button_label: usize,
    pub rows: usize,
    pub row_label: usize,
    pub row_hint: usize,
    pub sections: usize,
    pub section_label: usize,
    /// Label of the button that opens a list.
    pub list_button: usize,
    pub header: usize,
    pub footer: usize,
    pub link_label: usize,
    pub caption: usize,
}

impl Limits {
    /// Meta's WhatsApp Cloud API, v23-v25 reference. Its guide allows a list body of 4,096, its schema 1,024: the
    /// smaller one is used.
    pub const META: Limits = Limits {
        provider: "WhatsApp",
        text: 4096,
        question: 1024,
        buttons: 3,
        button_label: 20,
        rows: 10,
        row_label: 24,
        row_hint: 72,
        sections: 10,
        section_label: 24,
        list_button: 20,
        header: 60,
        footer: 60,
        link_label: 20,
        caption: 1024,
    };
}

/// The length of a text, counted in the ways that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextMeasure {
    /// Unicode scalars of the NFC form: the count that is held against a limit.
    pub scalars: usize,
    /// UTF-16 units of the NFC form.
    pub utf16: usize,
}

/// Measures a text as [`Limits`] counts it.
pub fn measure(text: &str) -> TextMeasure {
    if text.is_ascii() {
        return TextMeasure {
            scalars: text.len(),
            utf16: text.len(),
        };
    }
    let mut measured = TextMeasure { scalars: 0, utf16: 0 };
    for scalar in text.nfc() {
        measured.scalars += 1;
        measured.utf16 += scalar.len_utf16();
    }
    measured
}

/// The text itself if it has at most `limit` scalars, else the longest run of whole graphemes that leaves room for
/// `…` at the end. `limit` is at least 1.
pub fn clip(text: &str, limit: usize) -> std::borrow::Cow<'_, str> {
    if measure(text).scalars <= limit {
        return text.into();
    }
    let room = limit.saturating_sub(1);
    let (mut used, mut end) = (0, 0);
    for (start, grapheme) in text.grapheme_indices(true) {
        let width = measure(grapheme).scalars;
        if used + width > room {
            break;
        }
        used += width;
        end = start + grapheme.len();
    }
    format!("{}…", text[..end].trim_end()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_unicode_scalars_of_the_composed_form() {
        assert_eq!(measure("é").scalars, 1);
        assert_eq!(measure("e\u{301}"), TextMeasure { scalars: 1, utf16: 1 });
        assert_eq!(measure("👍"), TextMeasure { scalars: 1, utf16: 2 });
    }

    #[test]
    fn clipping_never_cuts_inside_a_grapheme() {
        assert_eq!(clip("Hello", 5), "Hello");
        assert_eq!(clip("Hello there", 6), "Hello…");
        assert_eq!(clip("ab👨‍👩‍👧‍👦cd", 6), "ab…");
        assert_eq!(clip("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
    }
}

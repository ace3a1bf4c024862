//! Splitting a text that is longer than one message: at a paragraph, else a line, a sentence, a word, and only then
//! between two graphemes. Never inside a grapheme, and never inside a web address that fits a message by itself.

use unicode_segmentation::UnicodeSegmentation;

/// Splits `text` into parts of at most `limit` Unicode scalars each. White space at the seams is dropped; a text
/// within the limit comes back as it is. `text` is expected in NFC, so that its scalars are what is counted.
///
/// `limit` must be at least 1. A single grapheme longer than `limit` (nothing a person types) is cut inside.
pub fn split_text(text: &str, limit: usize) -> Vec<String> {
    let limit = limit.max(1);
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(window) = window(rest, limit) {
        let (end, next) = seam(rest, window);
        if !rest[..end].trim().is_empty() {
            parts.push(rest[..end].to_owned());
        }
        rest = skip_blank(&rest[next..]);
    }
    if parts.is_empty() || !rest.trim().is_empty() {
        parts.push(rest.to_owned());
    }
    parts
}

/// The byte where scalar number `limit` starts, or `None` if the text is not longer than that.
fn window(text: &str, limit: usize) -> Option<usize> {
    text.char_indices().nth(limit).map(|(at, _)| at)
}

/// How good a place for a seam is; later variants are better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Seam {
    Word,
    Sentence,
    Line,
    Paragraph,
}

/// Where the part ends and where the rest starts. The best seam wins, the last one of its kind; seams in the first
/// quarter only count when there is nothing but words to choose from, so that a short heading does not stand alone.
fn seam(text: &str, window: usize) -> (usize, usize) {
    let mut best: Option<(Seam, usize, usize)> = None;
    let mut fits = 0;
    let mut before: Option<(usize, &str)> = None;
    let mut blank_from = 0;
    let mut newlines = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        if at > window {
            break;
        }
        fits = at;
        if is_blank(grapheme) {
            if before.is_some_and(|(_, last)| !is_blank(last)) {
                (blank_from, newlines) = (at, 0);
            }
            newlines += usize::from(grapheme.contains('\n'));
            let kind = match newlines {
                0 if text[..blank_from].ends_with(['.', '!', '?', '…', '。', '！', '？', ':', ';']) => {
                    Seam::Sentence
                }
                0 => Seam::Word,
                1 => Seam::Line,
                _ => Seam::Paragraph,
            };
            let far_enough = blank_from >= window / 4;
            let kind = if far_enough { kind } else { Seam::Word };
            if blank_from > 0 && best.is_none_or(|(of, _, _)| kind >= of) {
                best = Some((kind, blank_from, at + grapheme.len()));
            }
        }
        before = Some((at, grapheme));
    }
    if let Some((_, end, next)) = best {
        return (end, next);
    }
    if fits == 0 {
        // One grapheme fills the whole window.
        return (window, window);
    }
    match web_address_around(text, fits) {
        Some(start) if start > 0 => (start, start),
        _ => (fits, fits),
    }
}

/// The start of the web address that a cut at `at` would tear apart.
fn web_address_around(text: &str, at: usize) -> Option<usize> {
    let word = text[..at].rfind(char::is_whitespace).map_or(0, |blank| {
        blank + text[blank..].chars().next().map_or(0, char::len_utf8)
    });
    ["https://", "http://"]
        .iter()
        .filter_map(|scheme| text[word..].find(scheme).map(|found| word + found))
        .filter(|start| *start < at && !text[*start..at].contains(char::is_whitespace))
        .min()
}

/// A grapheme of white space only. A space that carries a combining mark is not blank.
fn is_blank(grapheme: &str) -> bool {
    grapheme.chars().all(char::is_whitespace)
}

fn skip_blank(text: &str) -> &str {
    text.grapheme_indices(true)
        .find(|(_, grapheme)| !is_blank(grapheme))
        .map_or("", |(at, _)| &text[at..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_within_the_limit_is_left_alone() {
        assert_eq!(split_text("  Hello\n", 8), ["  Hello\n"]);
        assert_eq!(split_text("", 8), [""]);
    }

    #[test]
    fn a_long_text_is_split_at_the_paragraph_before_the_line_before_the_sentence_before_the_word() {
        assert_eq!(
            split_text("One two.\n\nThree four five", 18),
            ["One two.", "Three four five"]
        );
        assert_eq!(
            split_text("One two three\nfour. Five six", 22),
            ["One two three", "four. Five six"]
        );
        assert_eq!(
            split_text("One two three. Four five six", 20),
            ["One two three.", "Four five six"]
        );
        assert_eq!(split_text("One two three four", 10), ["One two", "three four"]);
    }

    #[test]
    fn a_web_address_is_never_torn_apart_if_it_fits_a_message() {
        assert_eq!(
            split_text("see:https://kopi.example/menu", 26),
            ["see:", "https://kopi.example/menu"]
        );
        assert_eq!(
            split_text("so https://kopi.example/menu", 26),
            ["so", "https://kopi.example/menu"]
        );
    }

    #[test]
    fn a_family_stays_together() {
        let family = "👨‍👩‍👧‍👦";
        assert_eq!(split_text(&format!("abcd{family}"), 8), ["abcd", family]);
    }

    proptest! {
        #[test]
        fn every_part_fits_and_no_word_is_lost(text in "([a-zäöü]{1,9}|👩‍🍳|🇮🇩|e\u{301}|https://a\\.b/[a-z]{1,5}|[ \n.!]){0,80}", limit in 12usize..60) {
            let parts = split_text(&text, limit);
            for part in &parts {
                prop_assert!(part.chars().count() <= limit);
            }
            let squeeze = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(squeeze(&parts.concat()), squeeze(&text));
            let whole: Vec<&str> = text.graphemes(true).filter(|g| !is_blank(g)).collect();
            let kept: Vec<&str> = parts.iter().flat_map(|p| p.graphemes(true)).filter(|g| !is_blank(g)).collect();
            prop_assert_eq!(whole, kept);
        }
    }
}

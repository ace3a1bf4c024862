//! What counts as the same words: case, accents, punctuation, emoji and spacing are set aside.
//!
//! The matcher folds what a customer types, checks fold labels to find those that would read the same.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Small letters without accents, single spaces, no punctuation or emoji at the edges.
///
/// A text of nothing but emoji or punctuation keeps them, so that `👍` can be an answer.
pub fn fold(text: &str) -> String {
    let plain = plain(text);
    let trimmed = plain.trim_matches(|c: char| !c.is_alphanumeric());
    if trimmed.is_empty() {
        plain.trim().to_owned()
    } else if trimmed.len() == plain.len() {
        plain
    } else {
        trimmed.to_owned()
    }
}

/// Small letters without accents and single spaces; punctuation stays. Comparing texts in flows uses this.
pub fn plain(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut gap = false;
    let mut push = |c: char| {
        if c.is_whitespace() {
            gap = true;
        } else {
            if gap && !folded.is_empty() {
                folded.push(' ');
            }
            gap = false;
            folded.push(c);
        }
    };
    if text.is_ascii() {
        text.chars().for_each(|c| push(c.to_ascii_lowercase()));
    } else {
        text.nfkd()
            // Combining marks are the accents; variation selectors and joiners only dress emoji.
            .filter(|c| !is_combining_mark(*c) && !matches!(c, '\u{FE0E}' | '\u{FE0F}' | '\u{200B}'))
            .map(|c| if matches!(c, '’' | '‘') { '\'' } else { c })
            .for_each(|c| c.to_lowercase().for_each(&mut push));
    }
    folded
}

/// A text as it looks: letters, digits and dots of any width are the plain ones, and what nobody sees is gone.
pub fn seen(text: &str) -> String {
    text.nfkc()
        .filter(|c| !is_unseen(*c))
        .map(|c| if c == '。' { '.' } else { c })
        .collect()
}

/// Joiners, marks of direction, soft hyphens, and what only dresses an emoji.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{20E3}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}')
}

/// The words of a folded text, without the punctuation around each.
pub fn words(folded: &str) -> impl Iterator<Item = &str> {
    folded
        .split(' ')
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
}

/// How many single-letter edits (swap of neighbours included) lead from one to the other.
pub fn distance(left: &str, right: &str) -> usize {
    strsim::osa_distance(left, right)
}

/// How far a typed text may be from a label and still mean it: one edit for 4–7 letters, two for 8 and more.
pub fn tolerance(label: &str) -> usize {
    match label.chars().count() {
        0..4 => 0,
        4..8 => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_spacing_and_edges_do_not_matter() {
        assert_eq!(fold("  Não,   OBRIGADO!! 🙏 "), "nao, obrigado");
        assert_eq!(fold("Help & returns"), "help & returns");
        assert_eq!(fold("😀 Great"), "great");
        assert_eq!(fold("Ｗｉｄｅ"), "wide");
        assert_eq!(fold("a-12345"), "a-12345");
    }

    #[test]
    fn emoji_alone_stay() {
        assert_eq!(fold(" 👍\u{FE0F} "), "👍");
        assert_eq!(fold("..."), "...");
    }

    #[test]
    fn swapped_neighbours_are_one_edit() {
        assert_eq!(distance("trakc", "track"), 1);
        assert_eq!(
            (tolerance("yes"), tolerance("track"), tolerance("delivery")),
            (0, 1, 2)
        );
    }
}

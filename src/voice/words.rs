//! From what a model writes to what was said.

/// Joins the pieces and takes out what nobody said: "[BLANK_AUDIO]", "(upbeat music)", "*sighs*", "♪". Speech has
/// no brackets, so everything inside a pair goes. Empty if no word is left.
pub(super) fn spoken(pieces: impl Iterator<Item = String>) -> String {
    let text: String = pieces.collect();
    let mut said = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(start) = rest.find(['[', '(', '*', '♪']) {
        said.push_str(&rest[..start]);
        let open = rest[start..].chars().next().unwrap_or(' ');
        let inner = &rest[start + open.len_utf8()..];
        let close = match open {
            '[' => ']',
            '(' => ')',
            other => other,
        };
        rest = match inner.find(close) {
            Some(end) => &inner[end + close.len_utf8()..],
            // A single star or note sign is dropped alone; an unclosed bracket was cut off at the window's end.
            None if open == close => inner,
            None => "",
        };
        said.push(' ');
    }
    said.push_str(rest);
    if !said.contains(char::is_alphanumeric) {
        return String::new();
    }
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The model got stuck and says a phrase of three or more words at once again. Also true for a person who really
/// repeats a sentence: the caller then listens once more, which costs time and loses nothing.
pub(super) fn repeats(text: &str) -> bool {
    let words: Vec<String> = text
        .split_whitespace()
        .map(|word| {
            word.chars()
                .filter(|c| c.is_alphanumeric())
                .flat_map(char::to_lowercase)
                .collect()
        })
        .collect();
    let longest = words.len() / 2;
    (3..=longest).any(|n| words.windows(2 * n).any(|pair| pair[..n] == pair[n..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> String {
        spoken(std::iter::once(text.to_owned()))
    }

    #[test]
    fn marks_for_sounds_are_not_words() {
        for mark in [
            " [BLANK_AUDIO]",
            "(upbeat music)",
            " ♪♪ ",
            "...",
            "*sighs* [Music",
            " . ",
        ] {
            assert_eq!(one(mark), "", "{mark}");
        }
        assert_eq!(one(" [Music] Track my order. (clicking)"), "Track my order.");
        assert_eq!(
            spoken([" My order", " is late."].map(String::from).into_iter()),
            "My order is late."
        );
        assert_eq!(one("5 * 3 is fifteen"), "5 3 is fifteen");
    }

    #[test]
    fn a_stuck_phrase_is_seen_and_ordinary_speech_is_not() {
        assert!(repeats(
            "Please raise that limit. Please raise that limit. Please"
        ));
        assert!(repeats("and then I went and then I went home"));
        assert!(!repeats("No, no, no. I would like to talk to a person."));
        assert!(!repeats("One two three four five"));
    }
}

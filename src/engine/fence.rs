//! What a model may not say to a customer, whatever it was talked into: the lines of the `answer` that code can check.

use std::net::Ipv4Addr;

use crate::flow::fold::{fold, seen, words};

/// Characters of a reply where the author set no limit: what one message holds.
const LONGEST: u32 = 4_096;

/// Why a reply can't be sent, in words for the model.
pub(super) fn refusal(at_most: Option<u32>, never: &[String], text: &str) -> Option<String> {
    let text = text.trim();
    let seen = seen(text);
    if seen.trim().is_empty() {
        return Some("the reply is empty".to_owned());
    }
    let (length, most) = (text.chars().count(), at_most.unwrap_or(LONGEST));
    if length > most as usize {
        return Some(format!(
            "the reply has {length} characters; at most {most} are allowed"
        ));
    }
    let spoken = in_words(&seen);
    let says = |never: &&String| match in_words(never).as_str() {
        // An emoji, say.
        "" => seen.contains(never.trim()),
        words => spoken.contains(words),
    };
    if let Some(never) = never.iter().find(says) {
        return Some(format!(
            "the reply talks about \"{never}\", which is never allowed"
        ));
    }
    if ["{{", "{%", "{#"].iter().any(|opens| seen.contains(opens)) {
        return Some("the reply holds a template; write plain words".to_owned());
    }
    if has_link(&seen) {
        return Some("the reply holds a link or an address; leave it out".to_owned());
    }
    None
}

/// The words with a blank between them: hyphens, line ends and further blanks hide none. An inflection holds its word.
fn in_words(text: &str) -> String {
    let apart = fold(text).replace(|c: char| !c.is_alphanumeric(), " ");
    words(&apart).collect::<Vec<_>>().join(" ")
}

/// Beginnings of addresses that a telephone opens.
const SCHEMES: [&str; 14] = [
    "http",
    "https",
    "ftp",
    "mailto",
    "tel",
    "sms",
    "callto",
    "sip",
    "whatsapp",
    "intent",
    "market",
    "geo",
    "data",
    "javascript",
];

/// Endings of names that people and WhatsApp take for addresses.
const ENDINGS: [&str; 66] = [
    "com", "net", "org", "io", "co", "app", "dev", "shop", "store", "info", "biz", "me", "ly", "gl", "link",
    "example", "id", "pt", "br", "es", "uk", "ru", "xyz", "top", "site", "online", "club", "click", "page",
    "zip", "cc", "tk", "ml", "ga", "cf", "gq", "ai", "gg", "tv", "eu", "de", "fr", "nl", "ch", "pl", "se",
    "dk", "fi", "ie", "ca", "au", "nz", "mx", "ar", "cl", "sg", "vn", "th", "ph", "hk", "cn", "jp", "kr",
    "za", "рф", "укр",
];

fn has_link(text: &str) -> bool {
    let lower = text.to_lowercase();
    if lower.contains("://") || lower.contains("www.") || lower.split_whitespace().any(opens_something) {
        return true;
    }
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | '@');
    lower.split(|c: char| !is_part(c)).any(|word| {
        let host = word.rsplit('@').next().unwrap_or(word);
        let host = host.split('/').next().unwrap_or(host).trim_matches('.');
        if host.parse::<Ipv4Addr>().is_ok() {
            return true;
        }
        let mut labels = host.rsplit('.');
        let ending = labels.next().unwrap_or_default();
        let before = labels.next().unwrap_or_default();
        // In a message `t.co` is an address only with what follows it: people write `e.g` and `i.e`, too.
        (ENDINGS.contains(&ending) || ending.starts_with("xn--"))
            && !before.is_empty()
            && (word.contains('/') || word.contains('@') || before.len() > 1)
    })
}

/// `tel:123`, but not `Tel: 123`.
fn opens_something(word: &str) -> bool {
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    let opened = word.split_once(':').filter(|(_, rest)| !rest.is_empty());
    opened.is_some_and(|(scheme, _)| SCHEMES.contains(&scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_however_they_are_written() {
        for text in [
            "See https://kinini.example/returns",
            "Go to www.kinini.pt",
            "It's on kinini.example.",
            "wa.me/351910000001",
            "Write to help@kinini.example",
            "BIT.LY/abc",
            "t.co/abc",
            "kinini.xyz",
            "кинини.рф",
            "xn--h1alffa9f.xn--p1ai",
            "It's 10.0.0.8.",
            "(tel:+351910000001)",
            "javascript:alert(1)",
        ] {
            assert!(has_link(text), "{text}");
        }
        for text in [
            "That's 9.30 in the morning.",
            "Sizes run small, e.g. take one more.",
            "We're open.Come by.",
            "About 2.5 cm, i.e. one size.",
            "Half/half is fine.",
            "Tel: at the desk. Data: none.",
        ] {
            assert!(!has_link(text), "{text}");
        }
    }

    #[test]
    fn what_is_never_said_is_found_in_any_spelling() {
        let never = ["medical advice".to_owned()];
        for text in [
            "MEDICAL ADVICE",
            "medical  advice",
            "medical\nadvice",
            "medical-advice",
            "me\u{200B}dical advice",
            "ｍｅｄｉｃａｌ ａｄｖｉｃｅ",
        ] {
            assert!(refusal(None, &never, text).is_some(), "{text}");
        }
        assert_eq!(refusal(None, &never, "It was advised, not medical."), None);
        let emoji = ["👍".to_owned()];
        assert!(refusal(None, &emoji, "Fine 👍").is_some());
        assert_eq!(refusal(None, &emoji, "Fine."), None);
        assert!(
            refusal(None, &[], "\u{200B}\u{2060}").is_some(),
            "nobody sees a word"
        );
    }
}

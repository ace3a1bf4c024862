//! One page for each code: what the mistake means, why it matters to the customer, how it looks wrong and right.
//!
//! The pages are Markdown files beside this one. Tests compile every example: the wrong one gives exactly its code, the
//! right one gives nothing.

use super::diagnostic::Code;

/// The page of a code, as Markdown.
pub fn page(code: Code) -> &'static str {
    match code {
        Code::F001 => include_str!("pages/F001.md"),
        Code::F002 => include_str!("pages/F002.md"),
        Code::F003 => include_str!("pages/F003.md"),
        Code::F004 => include_str!("pages/F004.md"),
        Code::F005 => include_str!("pages/F005.md"),
        Code::F006 => include_str!("pages/F006.md"),
        Code::F007 => include_str!("pages/F007.md"),
        Code::F008 => include_str!("pages/F008.md"),
        Code::F010 => include_str!("pages/F010.md"),
        Code::F101 => include_str!("pages/F101.md"),
        Code::F102 => include_str!("pages/F102.md"),
        Code::F103 => include_str!("pages/F103.md"),
        Code::F104 => include_str!("pages/F104.md"),
        Code::F105 => include_str!("pages/F105.md"),
        Code::F106 => include_str!("pages/F106.md"),
        Code::F107 => include_str!("pages/F107.md"),
        Code::F108 => include_str!("pages/F108.md"),
        Code::F109 => include_str!("pages/F109.md"),
        Code::F110 => include_str!("pages/F110.md"),
        Code::F111 => include_str!("pages/F111.md"),
        Code::F112 => include_str!("pages/F112.md"),
        Code::F113 => include_str!("pages/F113.md"),
        Code::F201 => include_str!("pages/F201.md"),
        Code::F202 => include_str!("pages/F202.md"),
        Code::F203 => include_str!("pages/F203.md"),
        Code::F204 => include_str!("pages/F204.md"),
        Code::F205 => include_str!("pages/F205.md"),
        Code::F206 => include_str!("pages/F206.md"),
        Code::F207 => include_str!("pages/F207.md"),
        Code::F208 => include_str!("pages/F208.md"),
        Code::F209 => include_str!("pages/F209.md"),
        Code::F301 => include_str!("pages/F301.md"),
        Code::F302 => include_str!("pages/F302.md"),
        Code::F303 => include_str!("pages/F303.md"),
        Code::F304 => include_str!("pages/F304.md"),
        Code::F305 => include_str!("pages/F305.md"),
        Code::F310 => include_str!("pages/F310.md"),
        Code::F311 => include_str!("pages/F311.md"),
        Code::F312 => include_str!("pages/F312.md"),
        Code::F401 => include_str!("pages/F401.md"),
        Code::F402 => include_str!("pages/F402.md"),
        Code::F403 => include_str!("pages/F403.md"),
        Code::F404 => include_str!("pages/F404.md"),
        Code::F405 => include_str!("pages/F405.md"),
        Code::F406 => include_str!("pages/F406.md"),
        Code::F501 => include_str!("pages/F501.md"),
        Code::F502 => include_str!("pages/F502.md"),
        Code::F503 => include_str!("pages/F503.md"),
        Code::F504 => include_str!("pages/F504.md"),
        Code::F601 => include_str!("pages/F601.md"),
        Code::F602 => include_str!("pages/F602.md"),
        Code::F603 => include_str!("pages/F603.md"),
        Code::F604 => include_str!("pages/F604.md"),
        Code::F701 => include_str!("pages/F701.md"),
        Code::F702 => include_str!("pages/F702.md"),
        Code::F703 => include_str!("pages/F703.md"),
        Code::F704 => include_str!("pages/F704.md"),
        Code::F705 => include_str!("pages/F705.md"),
        Code::F801 => include_str!("pages/F801.md"),
        Code::F802 => include_str!("pages/F802.md"),
        Code::F803 => include_str!("pages/F803.md"),
        Code::F804 => include_str!("pages/F804.md"),
        Code::F901 => include_str!("pages/F901.md"),
    }
}

/// A file of an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// `flow`; `chat`; or `pt.strings`: the flow before it in Portuguese.
    pub ending: &'static str,
    pub text: &'static str,
}

const ENDINGS: [&str; 3] = ["flow", "pt.strings", "chat"];

/// Example files under a heading (`Wrong` or `Right`) of a page. More than one fence is more than one file.
pub fn examples(page: &'static str, heading: &str) -> Vec<Example> {
    let mut files = fences(page, heading);
    files.retain(|file| file.ending != "chat");
    files
}

/// Conversation tests under a heading of a page: what a page about tests shows beside its flows.
pub fn chats(page: &'static str, heading: &str) -> Vec<&'static str> {
    let files = fences(page, heading).into_iter();
    let chats = files.filter(|file| file.ending == "chat");
    chats.map(|file| file.text).collect()
}

fn fences(page: &'static str, heading: &str) -> Vec<Example> {
    let mut files = Vec::new();
    let mut inside = false;
    let mut rest = page;
    while let Some(at) = rest.find(['#', '`']) {
        rest = &rest[at..];
        let fence = ENDINGS.into_iter().find_map(|ending| {
            let after = rest
                .strip_prefix("```")?
                .strip_prefix(ending)?
                .strip_prefix('\n')?;
            Some((ending, after))
        });
        if let Some((ending, after)) = fence {
            let end = after.find("```").unwrap_or(after.len());
            if inside {
                files.push(Example {
                    ending,
                    text: &after[..end],
                });
            }
            rest = after[end..].strip_prefix("```").unwrap_or_default();
        } else if let Some(after) = rest.strip_prefix("## ") {
            let line = after.lines().next().unwrap_or_default();
            inside = line == heading;
            rest = &after[line.len()..];
        } else {
            rest = &rest[1..];
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page_under_its_own_title_with_both_examples() {
        for code in Code::ALL {
            let page = page(*code);
            assert!(
                page.starts_with(&format!("# {code}: {}\n", code.title())),
                "{code}"
            );
            assert!(!examples(page, "Wrong").is_empty(), "{code} has no wrong example");
            assert!(!examples(page, "Right").is_empty(), "{code} has no right example");
            let at_publish = matches!(code, Code::F801 | Code::F803 | Code::F804);
            assert_eq!(!examples(page, "Before").is_empty(), at_publish, "{code}");
        }
    }
}

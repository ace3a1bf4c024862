//! Which parts of the knowledge a model is given: all of it where it is small, else the sections that share the most
//! words with what the customer asks. Nothing is learned, stored or sent elsewhere.

use std::collections::{HashMap, HashSet};

use crate::flow::fold::{fold, words};

/// Bytes of knowledge in one prompt.
const BUDGET: usize = 8 * 1024;
/// Bytes of a section; a longer one is cut at its paragraphs.
const SECTION: usize = 2 * 1024;
/// Letters that two forms of a word have in common: `return` and `returns`.
const STEM: usize = 5;

/// A section of a file, as it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    /// Name of the knowledge.
    pub from: String,
    /// The heading above it; empty before the first one.
    pub title: String,
    pub text: String,
}

impl Section {
    fn size(&self) -> usize {
        self.title.len() + self.text.len()
    }
}

/// The sections for a question, in the order written. None: nothing of it fits.
pub(super) fn choose(texts: &[(String, String)], question: &str) -> Vec<Section> {
    let all: Vec<Section> = texts
        .iter()
        .flat_map(|(name, text)| sections(name, text))
        .collect();
    if all.iter().map(Section::size).sum::<usize>() <= BUDGET {
        return all;
    }
    let stems: Vec<HashSet<String>> = all
        .iter()
        .map(|section| stems(&format!("{} {}", section.title, section.text)))
        .collect();
    let mut common: HashMap<&str, usize> = HashMap::new();
    for stem in stems.iter().flatten() {
        *common.entry(stem).or_default() += 1;
    }
    let asked = stems_of_question(question);
    let mut scored: Vec<(f64, usize)> = Vec::new();
    for (at, own) in stems.iter().enumerate() {
        // A word that stands everywhere says little.
        let score: f64 = asked
            .iter()
            .filter(|stem| own.contains(*stem))
            .map(|stem| 1.0 / common.get(stem.as_str()).copied().unwrap_or(1) as f64)
            .sum();
        if score > 0.0 {
            scored.push((score, at));
        }
    }
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut room = BUDGET;
    let mut chosen = Vec::new();
    for (_, at) in scored {
        if all[at].size() <= room {
            room -= all[at].size();
            chosen.push(at);
        }
    }
    chosen.sort_unstable();
    chosen.into_iter().map(|at| all[at].clone()).collect()
}

/// Cut at the headings of Markdown.
fn sections(from: &str, text: &str) -> Vec<Section> {
    let mut found = Vec::new();
    let mut title = String::new();
    let mut body = String::new();
    let mut close = |title: &str, body: &mut String| {
        for part in parts(std::mem::take(body).trim()) {
            found.push(Section {
                from: from.to_owned(),
                title: title.to_owned(),
                text: part,
            });
        }
    };
    for line in text.lines() {
        let heading = line.trim_start_matches('#');
        if heading.len() < line.len() && heading.starts_with(' ') {
            close(&title, &mut body);
            heading.trim().clone_into(&mut title);
        } else {
            body.push_str(line);
            body.push('\n');
        }
    }
    close(&title, &mut body);
    found
}

/// Pieces of at most [`SECTION`] bytes, cut between paragraphs, else between lines, else between words.
fn parts(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = text;
    while rest.len() > SECTION {
        let mut end = SECTION;
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let head = &rest[..end];
        let cut = ["\n\n", "\n", " "]
            .iter()
            .find_map(|mark| head.rfind(mark).filter(|at| *at > 0))
            .unwrap_or(end);
        parts.push(rest[..cut].trim().to_owned());
        rest = rest[cut..].trim_start();
    }
    if !rest.is_empty() {
        parts.push(rest.to_owned());
    }
    parts
}

fn stems(text: &str) -> HashSet<String> {
    let folded = fold(text);
    words(&folded).map(stem).collect()
}

fn stems_of_question(text: &str) -> HashSet<String> {
    let folded = fold(text);
    words(&folded)
        .filter(|word| word.chars().count() > 2)
        .map(stem)
        .collect()
}

fn stem(word: &str) -> String {
    word.chars().take(STEM).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(String, String)> {
        vec![("faq".to_owned(), text.to_owned())]
    }

    #[test]
    fn small_knowledge_is_given_whole_in_its_sections() {
        let chosen = choose(&texts("Hello.\n\n# Sizes\n\nSmall.\n\n## Wide\nAna."), "anything");
        let told: Vec<(&str, &str)> = chosen
            .iter()
            .map(|section| (section.title.as_str(), section.text.as_str()))
            .collect();
        assert_eq!(told, [("", "Hello."), ("Sizes", "Small."), ("Wide", "Ana.")]);
    }

    #[test]
    fn of_large_knowledge_the_sections_that_share_words_are_given_and_none_if_none_does() {
        let filler = "Lorem ipsum dolor sit amet. ".repeat(60);
        let mut text = String::new();
        for number in 0..20 {
            text += &format!("# Chapter {number}\n{filler}\n");
        }
        text += "# Sending back\nUnworn shoes can be returned within 30 days.\n";
        let chosen = choose(&texts(&text), "How do I return my shoes?");
        assert_eq!(chosen.len(), 1, "{chosen:?}");
        assert_eq!(chosen[0].title, "Sending back");
        assert_eq!(choose(&texts(&text), "Quem ganha a taça?"), []);
        let many = choose(&texts(&text), "lorem");
        assert!(many.iter().map(Section::size).sum::<usize>() <= BUDGET);
    }

    #[test]
    fn long_sections_are_cut_and_nothing_is_lost() {
        let paragraph = "word ".repeat(300);
        let text = format!("# One\n{paragraph}\n\n{paragraph}\n\n{}", "é".repeat(3_000));
        let found = sections("faq", &text);
        assert!(
            found
                .iter()
                .all(|section| section.text.len() <= SECTION && !section.text.is_empty())
        );
        let letters = |text: &str| text.chars().filter(|c| c.is_alphabetic()).count();
        let told: usize = found.iter().map(|section| letters(&section.text)).sum();
        assert_eq!(told, letters(&text) - 3, "all but the heading");
    }
}

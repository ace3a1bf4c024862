//! The language guide is compiled and played as it is written.

mod story;

use story::Story;

const GUIDE: &str = include_str!("../docs/language.md");

/// The blocks between fences of this kind.
fn blocks(kind: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut rest = GUIDE;
    while let Some((_, after)) = rest.split_once(&format!("\n```{kind}\n")) {
        let (block, next) = after.split_once("\n```\n").expect("the fence is closed");
        blocks.push(format!("{block}\n"));
        rest = next;
    }
    assert!(!blocks.is_empty(), "the guide has no {kind} block");
    blocks
}

/// All blocks of the guide, as files of one business.
fn business() -> Story {
    let flows = blocks("flow").into_iter().enumerate();
    let begun = Story::new().file("flows/knowledge/faq.md", "# Bread\nIt keeps for three days.\n");
    let story = flows.fold(begun, |story, (number, block)| {
        story.file(&format!("flows/{number}.flow"), &block)
    });
    blocks("chat")
        .into_iter()
        .enumerate()
        .fold(story, |story, (number, block)| {
            story.file(&format!("flows/tests/{number}.chat"), &block)
        })
}

#[test]
fn every_flow_of_the_guide_compiles_without_a_warning_and_is_in_its_one_layout() {
    business()
        .run(["check", "--deny", "warnings"])
        .code(0)
        .stderr_has("nothing to mend");
    business().run(["fmt", "--check"]).code(0).stdout("");
}

#[test]
fn every_conversation_of_the_guide_passes() {
    business().run(["test"]).code(0).stdout_has("2 passed, 0 failed");
}

#[test]
fn the_translation_of_the_guide_is_whole_and_has_nothing_to_mend() {
    let business = blocks("flow")
        .into_iter()
        .find(|block| block.starts_with("business"))
        .expect("the guide has a business file");
    let said = business_speaking_portuguese(&business)
        .run(["check", "--format", "json"])
        .stdout_text();
    let ours: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("0.pt.strings"))
        .collect();
    assert!(ours.is_empty(), "{ours:?}");
    // Of the flows only the first is translated.
    assert!(
        said.contains("flows/1.flow") && !said.contains("flows/0.flow"),
        "{said}"
    );
}

fn business_speaking_portuguese(file: &str) -> Story {
    let number = blocks("flow")
        .iter()
        .position(|block| block == file)
        .unwrap_or_default();
    let translated = &blocks("pt.strings")[0];
    business()
        .file(
            &format!("flows/{number}.flow"),
            &file.replace("languages en\n", "languages en, pt\n"),
        )
        .file("flows/0.pt.strings", translated)
}

#[test]
fn every_block_of_the_guide_is_tested() {
    let fences = GUIDE
        .lines()
        .filter(|line| line.starts_with("```") && line.len() > 3)
        .count();
    assert_eq!(
        fences,
        blocks("flow").len() + blocks("chat").len() + blocks("pt.strings").len()
    );
}

#[test]
fn every_command_that_the_guide_names_is_there() {
    let help = Story::new().run(["--help"]).code(0).stdout_text();
    let mut named = 0;
    for after in GUIDE.split("`switchboard ").skip(1) {
        let command = after.split(['`', ' ']).next().unwrap_or_default();
        assert!(help.contains(&format!("\n  {command}")), "no command {command}");
        named += 1;
    }
    assert!(named > 8, "{named}");
}

//! The businesses that benches measure are real ones.

use switchboard::flow::compile;
use switchboard::flow::source::Sources;

#[path = "../benches/generate/mod.rs"]
mod generate;

#[test]
fn a_generated_business_has_the_lines_asked_for_and_no_mistake() {
    for lines in [100, 400, 1_000] {
        let files = generate::business(lines);
        assert_eq!(
            files.iter().map(|file| file.text.lines().count()).sum::<usize>(),
            lines
        );
        let mut sources = Sources::default();
        for file in files {
            sources.add(file.path, file.text);
        }
        let compiled = compile(&sources);
        let mistakes: Vec<_> = compiled
            .diagnostics
            .iter()
            .map(|found| (&found.code, &found.message))
            .collect();
        assert!(mistakes.is_empty(), "{lines} lines: {mistakes:?}");
        let program = compiled.program.expect("a business without mistakes compiles");
        assert!(program.starts.iter().any(|start| start.trigger
            == switchboard::flow::program::Trigger::Words(generate::start_words(program.flows.len()))));
    }
}

//! Lowering, seen through listings.

mod hashes;
mod listings;
mod whole;

use super::lower;
use crate::flow::blocks;
use crate::flow::diagnostic::Severity;
use crate::flow::program::Program;
use crate::flow::source::Sources;

/// Lowers files that must be free of mistakes.
#[track_caller]
fn lowered(files: &[(&str, &str)]) -> Program {
    let mut sources = Sources::default();
    for (path, text) in files {
        sources.add(*path, *text);
    }
    let (tree, mistakes) = blocks::parse(&sources);
    let errors: Vec<&str> = mistakes
        .iter()
        .filter(|mistake| mistake.severity == Severity::Error)
        .map(|mistake| mistake.message.as_str())
        .collect();
    assert_eq!(errors, [""; 0], "the test's flow has mistakes");
    lower(&sources, &tree)
}

#[track_caller]
fn flow(text: &str) -> Program {
    lowered(&[("test.flow", text)])
}

/// Files of the sample business.
const SHOP: [&str; 6] = ["business", "identify", "repair", "support", "tracking", "welcome"];

fn shop() -> Program {
    let files = SHOP.map(shop_file);
    lowered(
        &files
            .each_ref()
            .map(|(path, text)| (path.as_str(), text.as_str())),
    )
}

fn shop_file(name: &str) -> (String, String) {
    let path = format!("flows/{name}.flow");
    let full = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&full).expect("the sample business belongs to the project");
    (path, text)
}

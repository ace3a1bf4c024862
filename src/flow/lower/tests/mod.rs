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
pub(in crate::flow) fn flow(text: &str) -> Program {
    lowered(&[("test.flow", text)])
}

/// A business with a bit of everything: a copy of the sample that only changes with these tests.
const SHOP: &str = "fixtures/flow/shop";

pub(in crate::flow) fn shop() -> Program {
    lowered_folder(SHOP)
}

#[track_caller]
fn lowered_folder(folder: &str) -> Program {
    let files = files_of(folder);
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    lowered(&files)
}

/// Paths and texts of the flow files in a folder of the project, in the order of their names.
fn files_of(folder: &str) -> Vec<(String, String)> {
    let full = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(full).expect("the folder belongs to the project");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let mut files: Vec<(String, String)> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "flow"))
        .map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let text = std::fs::read_to_string(&path).expect("a flow file is text");
            (format!("{folder}/{name}"), text)
        })
        .collect();
    files.sort_unstable();
    files
}

//! The conversations beside the flows, played: what must pass before a version is published, and what a launch looks at.

use std::path::{Path, PathBuf};

use crate::chat::{parse, published, run};
use crate::engine::Machine;
use crate::server::flows;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rehearsed {
    pub passed: usize,
    /// Which failed, and why those could not be read that could not.
    pub failed: Vec<String>,
}

/// Plays all transcripts at or below the folder of the flows.
pub fn rehearse(folder: &Path, machine: &Machine) -> Rehearsed {
    let mut rehearsed = Rehearsed::default();
    for file in chats(folder) {
        let shown = file.display().to_string();
        let stories = std::fs::read_to_string(&file)
            .map_err(|why| why.to_string())
            .and_then(|text| parse::parse(&shown, &text).map_err(|_| "it can't be read".to_owned()))
            .and_then(|mut stories| {
                published::load(&mut stories, &file).map_err(|why| why.to_string())?;
                Ok(stories)
            });
        match stories {
            Err(why) => rehearsed.failed.push(format!("{shown}: {why}")),
            Ok(stories) => {
                for story in stories {
                    match run::play(machine, &story).failure {
                        None => rehearsed.passed += 1,
                        Some(_) => rehearsed.failed.push(format!("{:?} in {shown}", story.title)),
                    }
                }
            }
        }
    }
    rehearsed
}

/// All transcripts below a folder, in a lasting order.
fn chats(folder: &Path) -> Vec<PathBuf> {
    // What can't be listed did not compile either.
    let mut found = flows::all_files(folder).unwrap_or_default();
    found.retain(|path| path.extension().is_some_and(|ending| ending == "chat"));
    found
}

//! What stories name beside their transcript, read before they are played: the versions of `(publish "dir")`, which go
//! live in the middle of a story, and the files of `check  sends exactly "…"`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::story::{Story, Version};
use crate::engine::Machine;
use crate::flow::compile::compile;
use crate::flow::render;
use crate::flow::source::Sources;

/// A folder that can't be published.
#[derive(Debug, thiserror::Error)]
pub enum NotPublished {
    #[error(
        "there is no folder {folder} with .flow files; (publish \"…\") names one beside the transcript, or from where the command runs"
    )]
    Missing { folder: String },
    #[error("{place}: {why}", place = place.display())]
    Unreadable { place: PathBuf, why: std::io::Error },
    /// `drawn` shows every mistake.
    #[error("{drawn}\nthe flows of (publish {folder:?}) have mistakes")]
    Mistakes { folder: String, drawn: String },
}

/// Gives the stories of a transcript the versions that they publish. A folder is looked for beside the transcript, else
/// from where the command runs. Each is compiled once.
///
/// # Errors
/// If a folder is missing or its flows have mistakes.
pub fn load(stories: &mut [Story], transcript: &Path) -> Result<(), NotPublished> {
    let mut read: BTreeMap<String, Version> = BTreeMap::new();
    for story in stories {
        let goldens: Vec<String> = story.goldens().map(str::to_owned).collect();
        for name in goldens {
            // One that is missing is what the check says then.
            if let Ok(text) = std::fs::read_to_string(beside(transcript, &name)) {
                story.golden.insert(name, text);
            }
        }
        let folders: Vec<String> = story.folders().map(str::to_owned).collect();
        for folder in folders {
            let version = match read.get(&folder) {
                Some(version) => version.clone(),
                None => {
                    let version = version(&folder, transcript)?;
                    read.insert(folder.clone(), version.clone());
                    version
                }
            };
            story.published.insert(folder, version);
        }
    }
    Ok(())
}

/// Where a file or folder stands that a transcript names.
pub fn beside(transcript: &Path, name: &str) -> PathBuf {
    transcript.parent().unwrap_or(Path::new("")).join(name)
}

fn version(folder: &str, transcript: &Path) -> Result<Version, NotPublished> {
    let there = beside(transcript, folder);
    let place = if there.is_dir() {
        there
    } else {
        PathBuf::from(folder)
    };
    let unreadable = |why| NotPublished::Unreadable {
        place: place.clone(),
        why,
    };
    let missing = || NotPublished::Missing {
        folder: folder.to_owned(),
    };
    if !place.is_dir() {
        return Err(missing());
    }
    let mut files = std::fs::read_dir(&place)
        .map_err(unreadable)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<PathBuf>, _>>()
        .map_err(unreadable)?;
    files.retain(|path| path.extension().is_some_and(|ending| ending == "flow"));
    files.sort();
    let mut sources = Sources::default();
    for path in files {
        let text = std::fs::read_to_string(&path).map_err(|why| NotPublished::Unreadable {
            place: path.clone(),
            why,
        })?;
        sources.add(path.display().to_string(), text);
    }
    if sources.files.is_empty() {
        return Err(missing());
    }
    let compiled = compile(&sources);
    let program = compiled.program.ok_or_else(|| NotPublished::Mistakes {
        folder: folder.to_owned(),
        drawn: render::text(&sources, &compiled.diagnostics, false),
    })?;
    Ok(Version(Arc::new(Machine::load(program))))
}

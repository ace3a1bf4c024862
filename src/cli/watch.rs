//! `--watch`: does it again whenever a file changes.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::{Context, Result};
use notify::{Event, EventKind, RecursiveMode, Watcher};

use super::{Exit, files};

/// An editor saves in several steps; after the last one there is silence.
const SETTLE: Duration = Duration::from_millis(100);

/// Runs `again` now and after every change of a `.flow` or `.chat` file at or below the paths, until the person
/// stops it. A run that fails is told, and the next change tries again.
pub(super) fn watch(paths: &[PathBuf], mut again: impl FnMut() -> Result<Exit>) -> Result<Exit> {
    let (send, events) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // Nobody listens any more: the command is over.
        let _ = send.send(event);
    })
    .context("this system can't watch files")?;
    let mut seen = BTreeSet::new();
    loop {
        // Before looking at the files: what changes from here on is another run.
        for folder in folders(paths)? {
            if !seen.contains(&folder) {
                watcher
                    .watch(&folder, RecursiveMode::NonRecursive)
                    .with_context(|| format!("can't watch {}", folder.display()))?;
                seen.insert(folder);
            }
        }
        if let Err(error) = again() {
            eprintln!("switchboard: {error:#}");
        }
        eprintln!("watching {}; stop with Ctrl+C", named(paths));
        std::io::stdout().flush()?;
        let changed = settled(&events)?;
        // A folder that was renamed or removed is watched again when it is back.
        seen.retain(|folder| folder.is_dir());
        if std::io::stdout().is_terminal() {
            print!("\x1b[2J\x1b[H");
        }
        eprintln!("{} changed", files::shown(&changed));
    }
}

/// Waits for a change and for the silence after it. Gives the file that changed last.
fn settled(events: &Receiver<notify::Result<Event>>) -> Result<PathBuf> {
    let mut changed = None;
    loop {
        let event = match changed {
            None => events.recv().context("watching the files came to an end")?,
            Some(_) => match events.recv_timeout(SETTLE) {
                Ok(event) => event,
                Err(_) => break,
            },
        };
        let event = event.context("watching the files failed")?;
        if let Some(path) = relevant(event) {
            changed = Some(path);
        }
    }
    changed.context("watching the files came to an end")
}

/// The file or folder of an event that may change what is found.
fn relevant(event: Event) -> Option<PathBuf> {
    let counts = match event.kind {
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
        EventKind::Access(_) => false,
    };
    let ours = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        matches!(ending, Some("flow" | "chat" | "strings")) || (ending.is_none() && path.is_dir())
    };
    event
        .paths
        .into_iter()
        .find(|path| counts && ours(path))
        .map(|path| {
            let here = std::env::current_dir().unwrap_or_default();
            path.strip_prefix(&here).map(Path::to_path_buf).unwrap_or(path)
        })
}

/// The folders at and below the paths; of a file, the one it stands in, because editors replace files.
fn folders(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            files::folders(path, &mut found)?;
        } else if path.exists() {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            found.push(folder.unwrap_or(Path::new(".")).to_path_buf());
        } else {
            return Err(Exit::Usage.because(format!("there is no file or folder {}", path.display())));
        }
    }
    Ok(found)
}

fn named(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| files::shown(path)).collect();
    paths.join(", ")
}

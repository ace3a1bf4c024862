//! Finding and reading `.flow`, `.strings` and `.chat` files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Exit;
use crate::flow::source::Sources;
use crate::flow::strings;

/// The paths that were named, else where flows are looked for.
pub(super) fn or_default(paths: &[PathBuf]) -> Vec<PathBuf> {
    if paths.is_empty() {
        vec![default_flows()]
    } else {
        paths.to_vec()
    }
}

/// Where flows are looked for when nothing is said: `flows/`, else here.
pub(super) fn default_flows() -> PathBuf {
    if Path::new("flows").is_dir() {
        PathBuf::from("flows")
    } else {
        PathBuf::from(".")
    }
}

/// All files with this ending at or below the paths, sorted, without hidden folders and `target`.
pub(super) fn find(paths: &[PathBuf], ending: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            walk(path, ending, &mut found)?;
        } else if path.exists() {
            found.push(path.clone());
        } else {
            return Err(Exit::Usage.because(format!("there is no file or folder {}", path.display())));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("can't read the folder {}", folder.display()))?;
    for entry in entries {
        let path = entry
            .with_context(|| format!("can't read the folder {}", folder.display()))?
            .path();
        if path.is_dir() {
            if !is_hidden(&path) && !path.ends_with("target") {
                walk(&path, ending, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    Ok(())
}

/// The folder and all folders below it that may hold flows.
pub(super) fn folders(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    found.push(folder.to_path_buf());
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("can't read the folder {}", folder.display()))?;
    for entry in entries {
        let path = entry
            .with_context(|| format!("can't read the folder {}", folder.display()))?
            .path();
        if path.is_dir() && !is_hidden(&path) && !path.ends_with("target") {
            folders(&path, found)?;
        }
    }
    Ok(())
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// A file as text; bytes that are not UTF-8 are an error with their place.
pub(super) fn read(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Exit::Findings.because(format!(
            "{} is not UTF-8 text: byte {at} fits no character. Save it as UTF-8 in your editor",
            path.display()
        ))
    })
}

/// The flows of a business, read into memory.
pub(super) fn sources(paths: &[PathBuf]) -> Result<Sources> {
    let mut files = find(paths, "flow")?;
    files.retain(|path| !strings::is_strings(&path.to_string_lossy()));
    if files.is_empty() {
        let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(Exit::Usage.because(format!("there are no .flow files in {}", paths.join(", "))));
    }
    let mut sources = Sources::default();
    let translations = translations(paths, &files)?;
    for file in files.into_iter().chain(translations) {
        sources.add(shown(&file), read(&file)?);
    }
    Ok(sources)
}

/// The `.strings` files of these folders, and those beside flows that were named one by one.
fn translations(paths: &[PathBuf], flows: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let folders: Vec<PathBuf> = paths.iter().filter(|path| path.is_dir()).cloned().collect();
    let mut found = find(&folders, strings::ENDING)?;
    for path in paths.iter().filter(|path| !path.is_dir() && flows.contains(path)) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let entries = std::fs::read_dir(folder.unwrap_or(Path::new(".")));
        for entry in entries.into_iter().flatten().flatten() {
            let beside = path.with_file_name(entry.file_name());
            let of = strings::source_path(&beside.to_string_lossy()).map(|(of, _)| PathBuf::from(of));
            if of.as_ref() == Some(path) {
                found.push(beside);
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// A path as people wrote it, without a leading `./`.
pub(super) fn shown(path: &Path) -> String {
    path.strip_prefix("./").unwrap_or(path).display().to_string()
}

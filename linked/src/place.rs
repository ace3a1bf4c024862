//! The folder of one session: its files, who may read them, and who holds them.
//!
//! Two writers of the same keys corrupt them for good, so the operating system's lock decides, and it ends with the
//! process that holds it, however that ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use thiserror::Error;

/// Dead keys are kept so long, in case somebody has to look into what happened.
const DEAD_KEYS_LIVE: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Error)]
pub enum PlaceError {
    #[error("{name:?} is no name of a session: take 1 to 40 letters, digits, '-' or '_'")]
    Name { name: String },
    #[error(
        "the session {name:?} in {} is held by another process ({holder}). One session has one holder: stop that \
         process, or give this one a data directory of its own", folder.display()
    )]
    Held {
        name: String,
        folder: PathBuf,
        holder: String,
    },
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
}

/// A session's folder, held by this process.
#[derive(Debug)]
pub struct Place {
    folder: PathBuf,
    /// The lock lasts as long as the file is open.
    _lock: File,
}

/// Whether `name` can name a session: it becomes a folder and a part of addresses.
pub fn is_name(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

impl Place {
    /// Makes the folder if it is not there, and takes it.
    pub fn take(data: &Path, name: &str) -> Result<Self, PlaceError> {
        if !is_name(name) {
            return Err(PlaceError::Name {
                name: name.to_owned(),
            });
        }
        let folder = data.join(name);
        private_folder(&folder)?;
        private_folder(&folder.join("dead"))?;
        let path = folder.join("lock");
        let failed = |error| PlaceError::File {
            path: path.clone(),
            error,
        };
        let mut lock = open_private(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The words help; the refusal stands without them.
                let _ = lock.read_to_string(&mut holder);
                let holder = if holder.is_empty() {
                    "which did not say who it is".to_owned()
                } else {
                    holder
                };
                return Err(PlaceError::Held {
                    name: name.to_owned(),
                    folder,
                    holder,
                });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        lock.set_len(0).map_err(failed)?;
        write!(
            lock,
            "process {} since {}",
            std::process::id(),
            Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC")
        )
        .map_err(failed)?;
        Ok(Self { folder, _lock: lock })
    }

    /// Everything of the session that is not keys.
    pub fn records(&self) -> Result<PathBuf, PlaceError> {
        self.private_file("session.db")
    }

    /// The keys of one generation.
    pub fn keys(&self, generation: u32) -> Result<PathBuf, PlaceError> {
        self.private_file(&format!("keys-{generation}.db"))
    }

    pub fn has_keys(&self, generation: u32) -> bool {
        self.folder.join(format!("keys-{generation}.db")).exists()
    }

    /// Puts keys aside that no server takes any more. They are never opened again.
    pub fn archive_keys(&self, generation: u32) -> Result<(), PlaceError> {
        for suffix in ["", "-wal", "-shm"] {
            let name = format!("keys-{generation}.db{suffix}");
            let from = self.folder.join(&name);
            if from.exists() {
                let to = self.folder.join("dead").join(name);
                fs::rename(&from, &to).map_err(|error| PlaceError::File { path: from, error })?;
                touch(&to);
            }
        }
        Ok(())
    }

    /// Deletes dead keys that are older than a day.
    pub fn sweep(&self) -> Result<(), PlaceError> {
        let dead = self.folder.join("dead");
        let failed = |error| PlaceError::File {
            path: dead.clone(),
            error,
        };
        for entry in fs::read_dir(&dead).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let changed = entry
                .metadata()
                .and_then(|about| about.modified())
                .map_err(failed)?;
            if SystemTime::now()
                .duration_since(changed)
                .is_ok_and(|age| age >= DEAD_KEYS_LIVE)
            {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        Ok(())
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn private_file(&self, name: &str) -> Result<PathBuf, PlaceError> {
        let path = self.folder.join(name);
        // SQLite gives its side files the rights of the file that is there already.
        open_private(&path).map_err(|error| PlaceError::File {
            path: path.clone(),
            error,
        })?;
        Ok(path)
    }
}

/// Names of the sessions that have a folder here.
pub fn known(data: &Path) -> Result<Vec<String>, PlaceError> {
    private_folder(data)?;
    let failed = |error| PlaceError::File {
        path: data.to_owned(),
        error,
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(data).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Some(name) = entry.file_name().to_str()
            && is_name(name)
            && entry.path().join("session.db").exists()
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn private_folder(path: &Path) -> Result<(), PlaceError> {
    let failed = |error| PlaceError::File {
        path: path.to_owned(),
        error,
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(failed)?;
    // A folder that was there already may be open to others.
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed)
}

fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// The day of dead keys begins when they die, not when they were last written.
fn touch(path: &Path) {
    if let Ok(file) = OpenOptions::new().append(true).open(path) {
        // Without it the keys are deleted sooner, which harms nobody.
        let _ = file.set_modified(SystemTime::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_of_a_session_is_refused_in_words() {
        let data = tempfile::tempdir().unwrap();
        let held = Place::take(data.path(), "main").unwrap();
        let refused = Place::take(data.path(), "main").unwrap_err().to_string();
        assert!(refused.contains("held by another process"), "{refused}");
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        drop(held);
        Place::take(data.path(), "main").expect("free again");
    }

    #[test]
    fn nobody_else_on_the_machine_can_read_a_session() {
        let data = tempfile::tempdir().unwrap();
        let place = Place::take(data.path(), "main").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(place.folder()), 0o700);
        assert_eq!(mode(&place.keys(1).unwrap()), 0o600);
        assert_eq!(mode(&place.records().unwrap()), 0o600);
    }

    #[test]
    fn dead_keys_are_moved_out_of_the_way_and_stay_a_day() {
        let data = tempfile::tempdir().unwrap();
        let place = Place::take(data.path(), "main").unwrap();
        place.keys(1).unwrap();
        place.archive_keys(1).unwrap();
        assert!(!place.has_keys(1));
        let dead = place.folder().join("dead/keys-1.db");
        place.sweep().unwrap();
        assert!(dead.exists());
        let old = SystemTime::now() - DEAD_KEYS_LIVE;
        OpenOptions::new()
            .append(true)
            .open(&dead)
            .unwrap()
            .set_modified(old)
            .unwrap();
        place.sweep().unwrap();
        assert!(!dead.exists());
    }

    #[test]
    fn a_name_cannot_leave_the_folder() {
        let data = tempfile::tempdir().unwrap();
        for bad in ["", "..", "a/b", "a b", &"x".repeat(41)] {
            assert!(
                matches!(Place::take(data.path(), bad), Err(PlaceError::Name { .. })),
                "{bad}"
            );
        }
    }
}

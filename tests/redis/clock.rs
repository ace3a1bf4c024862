//! Clocks that a test can set, each in a file of its own: `+0`, `+300s`, `-1d`, `@2027-03-28 00:59:58`. The processes that
//! are given these variables read it through libfaketime: workers at every look at the time, servers once a second.

use std::path::{Path, PathBuf};

/// glibc's own allocator, in the package that every Debian has. `redis-server` is linked with another, which asks for the
/// time before libfaketime is ready, and then both wait for each other.
const ALLOCATOR: &str = "libc_malloc_debug.so.0";

fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("a Linux system");
    let files = folders
        .flatten()
        .map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    files
        .into_iter()
        .find(|path| path.is_file())
        .expect("faketime is installed: run `scripts/setup test`")
}

/// The variables of a process that has its time from this file.
pub fn of(file: &Path) -> Vec<(String, String)> {
    preloaded(library().display().to_string(), file, ("FAKETIME_NO_CACHE", "1"))
}

/// The variables of a Redis server that has its time from this file.
pub fn of_a_server(file: &Path) -> Vec<(String, String)> {
    // It looks at the time for every command; read each time, the file would make it slow.
    let libraries = format!("{ALLOCATOR} {}", library().display());
    preloaded(libraries, file, ("FAKETIME_CACHE_DURATION", "1"))
}

fn preloaded(libraries: String, file: &Path, cache: (&str, &str)) -> Vec<(String, String)> {
    // What runs for so long runs for so long, whatever the time of day: only that is set.
    [
        ("LD_PRELOAD", libraries),
        ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
        (cache.0, cache.1.to_owned()),
        ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

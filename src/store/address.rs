//! Where a store is, as people write it, and the one place that opens it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Caps, Clock, SqliteStore, Store, StoreError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreAddress {
    Sqlite(PathBuf),
}

/// Not the address of a store; the sentence says what is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a store: write \"sqlite:\" and the path of a file, such as \"sqlite:switchboard.db\"")]
pub struct NoStore(pub String);

impl StoreAddress {
    /// Paths are relative to `folder`.
    ///
    /// # Errors
    /// If it is no address of a store.
    pub fn parse(written: &str, folder: &Path) -> Result<StoreAddress, NoStore> {
        match written.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(StoreAddress::Sqlite(folder.join(path))),
            Some(_) | None => Err(NoStore(written.to_owned())),
        }
    }

    /// Whether there is something to read. Where only a server can tell, it is said to be.
    pub fn exists(&self) -> bool {
        match self {
            StoreAddress::Sqlite(path) => path.exists(),
        }
    }
}

impl std::fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StoreAddress::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

/// Opens the store; an embedded one that is not there is made.
///
/// # Errors
/// What the store says, such as `Locked` if a running server has it.
pub async fn open(
    address: &StoreAddress,
    caps: Caps,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn Store>, StoreError> {
    match address {
        StoreAddress::Sqlite(path) => Ok(Arc::new(SqliteStore::open(path, caps, clock)?)),
    }
}

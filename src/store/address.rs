//! Where a store is, as people write it, and the one place that opens it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::redis::inspect::{Inspection, Level};
use super::redis::link::{AddressError, RedisAddress};
use super::redis::{RedisClock, RedisSettings, RedisStore};
use super::{Caps, Clock, SqliteStore, Store, StoreError};

#[derive(Debug, Clone)]
pub enum StoreAddress {
    /// One file, for one process.
    Sqlite(PathBuf),
    /// For as many processes as there are.
    Redis(Box<RedisPlace>),
}

/// Where Redis is, and how it is used. `Debug` shows no password.
#[derive(Debug, Clone)]
pub struct RedisPlace {
    pub address: RedisAddress,
    pub settings: RedisSettings,
}

/// Not the address of a store; the sentence says what is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoStore {
    #[error(
        "{0:?} is not a store: write \"sqlite:\" and the path of a file, such as \"sqlite:switchboard.db\", or the address \
         of a Redis, such as \"redis://127.0.0.1:6379\""
    )]
    Neither(String),
    /// Never says the address: there may be a password in it.
    #[error(transparent)]
    Redis(#[from] AddressError),
}

impl StoreAddress {
    /// Paths are relative to `folder`.
    ///
    /// # Errors
    /// If it is no address of a store.
    pub fn parse(written: &str, folder: &Path) -> Result<StoreAddress, NoStore> {
        match written.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(StoreAddress::Sqlite(folder.join(path))),
            Some((scheme, _)) if scheme.starts_with("redis") => {
                Ok(StoreAddress::Redis(Box::new(RedisPlace {
                    address: written.parse()?,
                    settings: RedisSettings::default(),
                })))
            }
            Some(_) | None => Err(NoStore::Neither(written.to_owned())),
        }
    }

    /// Whether there is something to read. Where only a server can tell, it is said to be.
    pub fn exists(&self) -> bool {
        match self {
            StoreAddress::Sqlite(path) => path.exists(),
            StoreAddress::Redis(_) => true,
        }
    }
}

impl std::fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StoreAddress::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            StoreAddress::Redis(place) => place.address.fmt(f),
        }
    }
}

/// Opens the store; an embedded one that is not there is made. `clock` is for a store of this process alone; one of many
/// machines has a clock of its own.
///
/// # Errors
/// What the store says, such as `Locked` if a running server has it, in one sentence that says what to change.
pub async fn open(
    address: &StoreAddress,
    caps: Caps,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn Store>, StoreError> {
    match address {
        StoreAddress::Sqlite(path) => Ok(Arc::new(SqliteStore::open(path, caps, clock)?)),
        StoreAddress::Redis(place) => {
            let (store, seen) =
                RedisStore::open_and_tell(&place.address, &place.settings, caps, RedisClock::Server).await?;
            tell(&seen);
            Ok(store)
        }
    }
}

/// What an operator should know of the servers at every start.
fn tell(seen: &Inspection) {
    tracing::info!("what is answered with 200 survives {}", seen.survives);
    for finding in &seen.findings {
        let next = finding.next.as_deref().unwrap_or_default();
        match finding.level {
            Level::Good => {}
            Level::Look => tracing::warn!(next, "{}: {}", finding.name, finding.says),
            Level::Bad => tracing::error!(next, "{}: {}", finding.name, finding.says),
        }
    }
}

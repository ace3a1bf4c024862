//! Numbers that the store holds, beside those of the configuration: what `switchboard channel set` and `channel apply`
//! write, in the words of the configuration. One record holds them all, so that a change is whole or not at all; secrets
//! are named there and sealed beside it (see [`crate::server::sealed`]).
//!
//! A server reads them when it starts, and a process that serves starts its numbers anew when they change.

mod change;
mod held;
mod secrets;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::door::{Door, DoorError};
use super::endpoint::{self, SessionRefused};
use super::sealed::SealError;
use crate::server::config::{Config, ConfigError, Runs};
use crate::server::flows::FlowsError;
use crate::server::flows::versions::{self, VersionError};
use crate::store::StoreError;

pub use change::{Changes, Rotated, apply, remove, rotate, set};
pub use held::Held;
pub use secrets::{put_secret, reseal};

/// Name of the setting that holds all numbers.
const HELD: &str = "number/all";
/// Before a name that a number gives for an environment variable: the store holds this secret.
pub(in crate::server) const IN_STORE: &str = "store:";
/// How often a process looks whether the numbers have changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    #[error(transparent)]
    Door(#[from] DoorError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Session(#[from] SessionRefused),
    #[error(transparent)]
    Version(#[from] VersionError),
    #[error("{0}")]
    NothingPublished(FlowsError),
    #[error(
        "the numbers in the store are kept in a way that this Switchboard can't read ({0}): start the newer one"
    )]
    Unreadable(String),
    /// The command asks for what can't be; in words, with what to do.
    #[error("{0}")]
    Asked(String),
}

impl From<StoreError> for StoredError {
    fn from(why: StoreError) -> StoredError {
        DoorError::from(why).into()
    }
}

/// Where the numbers of a process come from.
#[derive(Debug, Clone)]
pub struct Written {
    /// As the file says.
    pub config: Config,
    /// The file. What numbers name as files is looked for beside it.
    pub path: PathBuf,
}

/// What was read of the store's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    bytes: Option<Vec<u8>>,
    /// When a secret that was rotated away stops being good.
    until: Option<Timestamp>,
}

impl Written {
    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// The configuration with the numbers of the store.
    ///
    /// # Errors
    /// What is wrong with them, as with those of a file.
    pub async fn with_stored(&self, door: &Door) -> Result<(Config, Seen), StoredError> {
        let bytes = door.get(HELD).await?;
        let held = Held::read(bytes.as_deref())?;
        let config = self.resolved(door, &held).await?;
        let until = held.next_retirement(door.now());
        Ok((config, Seen { bytes, until }))
    }

    async fn resolved(&self, door: &Door, held: &Held) -> Result<Config, StoredError> {
        let now = door.now();
        let opened = self.opened(door, held.secrets(now)).await?;
        self.taken(&held.document(now)?, Path::new("numbers in the store"), &opened)
    }

    /// The configuration with the numbers of this text.
    fn taken(
        &self,
        text: &str,
        shown: &Path,
        opened: &BTreeMap<String, SecretString>,
    ) -> Result<Config, StoredError> {
        let env = |name: &str| match name.strip_prefix(IN_STORE) {
            Some(secret) => opened.get(secret).map(|value| value.expose_secret().to_owned()),
            None => std::env::var(name).ok(),
        };
        Ok(self.config.with_numbers(text, shown, self.folder(), &env)?)
    }

    /// The secrets of the store with these names; those that it does not hold are missing.
    async fn opened(
        &self,
        door: &Door,
        names: Vec<String>,
    ) -> Result<BTreeMap<String, SecretString>, StoredError> {
        let mut opened = BTreeMap::new();
        for name in names {
            if let Some(secret) = secrets::open(&self.config, door, &name).await? {
                opened.insert(name, secret);
            }
        }
        Ok(opened)
    }

    /// Whether a server could start with these numbers as far as the store knows.
    async fn fits(&self, door: &Door, config: &Config) -> Result<(), StoredError> {
        for channel in &config.channels {
            let kept = door.get(&endpoint::setting(&channel.id)).await?;
            endpoint::allows_session(channel, kept.as_deref())?;
        }
        let runs_published = config.channels.iter().any(|one| one.runs() == Runs::Published);
        if runs_published && versions::list(door).await?.published().is_none() {
            return Err(StoredError::NothingPublished(FlowsError::NothingPublished));
        }
        Ok(())
    }

    /// Waits until the numbers of the store are others than these, and can be used. What can't is said, and waited out.
    pub async fn changed(&self, door: &Door, mut seen: Seen) -> (Config, Seen) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            // The pulse tells of a store that is away.
            let Ok(bytes) = door.get(HELD).await else {
                continue;
            };
            let retired = seen.until.is_some_and(|until| until <= door.now());
            if bytes == seen.bytes && !retired {
                continue;
            }
            let taken = async {
                let (config, now) = self.with_stored(door).await?;
                self.fits(door, &config).await?;
                Ok::<_, StoredError>((config, now))
            };
            match taken.await {
                Ok(changed) => return changed,
                Err(StoredError::Door(why)) => tracing::debug!(%why, "the numbers could not be read"),
                Err(why) => {
                    tracing::error!(
                        "the numbers that were changed in the store are not taken; those before stay:\n{why}"
                    );
                    seen = Seen { bytes, until: None };
                }
            }
        }
    }
}

//! The numbers that a command works on: those of the configuration, and those that the store holds.

use std::path::Path;

use super::Exit;
use super::opened::Missing;
use super::publishing::coded;
use crate::server::config::Config;
use crate::server::door::{Door, DoorError};
use crate::server::stored::{StoredError, Written};
use crate::server::versions::VersionError;

pub(super) struct Numbers {
    written: Written,
    /// What keeps the store from being asked, where something does.
    door: Result<Option<Door>, DoorError>,
}

impl Numbers {
    /// Reads the configuration, and finds its store: by itself, or through the server that has it.
    pub(super) async fn open(path: &Path, missing: Missing) -> anyhow::Result<Numbers> {
        let config = Config::load(path)?;
        let door = if missing == Missing::Make || config.store.exists() {
            Door::open(&config).await.map(Some)
        } else {
            Ok(None)
        };
        let written = Written {
            config,
            path: path.to_owned(),
        };
        Ok(Numbers { written, door })
    }

    pub(super) async fn close(&self) -> anyhow::Result<()> {
        match &self.door {
            Ok(Some(door)) => door.close().await.map_err(coded),
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// The configuration with the numbers of the store. Where the store can't be asked, those of the file, and a word.
    pub(super) async fn all(&self) -> anyhow::Result<Config> {
        match &self.door {
            Ok(None) => Ok(self.written.config.clone()),
            Ok(Some(door)) => match self.written.with_stored(door).await {
                Ok((config, _)) => Ok(config),
                Err(StoredError::Door(why)) => Ok(self.without(&why)),
                Err(why) => Err(explained(why)),
            },
            Err(why) => Ok(self.without(why)),
        }
    }

    fn without(&self, why: &DoorError) -> Config {
        eprintln!("Numbers that the store may hold are not among these: {why}");
        self.written.config.clone()
    }

    /// For a command that looks into the store; `None`: there is none yet.
    pub(super) fn to_look(&self) -> anyhow::Result<Option<&Door>> {
        match &self.door {
            Ok(door) => Ok(door.as_ref()),
            Err(why) => Err(Exit::Environment.because(why.to_string())),
        }
    }

    /// For a command that changes the store.
    pub(super) fn to_change(&self) -> anyhow::Result<(&Written, &Door)> {
        match &self.door {
            Ok(Some(door)) => Ok((&self.written, door)),
            Ok(None) => {
                let says = format!("there is no store {}", self.written.config.store);
                Err(Exit::Environment.because(says))
            }
            Err(why) => Err(Exit::Environment.because(why.to_string())),
        }
    }
}

pub(super) fn explained(why: StoredError) -> anyhow::Error {
    match why {
        StoredError::Door(why) | StoredError::Version(VersionError::Door(why)) => coded(why),
        StoredError::Asked(why) => Exit::Usage.because(why),
        why @ (StoredError::Config(_)
        | StoredError::Seal(_)
        | StoredError::Session(_)
        | StoredError::Version(_)
        | StoredError::NothingPublished(_)
        | StoredError::Unreadable(_)) => Exit::Environment.because(why.to_string()),
    }
}

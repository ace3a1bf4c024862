//! Published versions of the flows: what answers on the published number of an agent while the folder is worked on. A
//! version is a whole copy of the texts with the program they became, named by its hash, and of the files that the texts
//! name, each by its own; none is ever changed. Which version is published is one record, so that publishing and going back
//! are one step.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::door::{Door, DoorError};
use super::flows::{self, Beside, FlowsError};
use crate::flow::program::Program;
use crate::flow::source::Sources;
use crate::store::{Store, StoreError};

/// Name of the setting that lists the versions and says which one is published.
const LISTED: &str = "flows/versions";
/// So many versions can be gone back to.
const KEPT: usize = 50;

/// A version as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub number: u32,
    /// Of the program.
    pub hash: String,
    /// When it was published first.
    pub at: Timestamp,
    /// What whoever published it says of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The hashes of the files that its texts name, by path in the folder.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub media: BTreeMap<String, String>,
}

impl Version {
    fn is_same(&self, hash: &str, media: &BTreeMap<String, String>) -> bool {
        self.hash == hash && self.media == *media
    }

    /// The hash of a file of this version, as flows name it; `None`: it is not kept with it.
    pub(super) fn file(&self, path: &str) -> Option<&str> {
        let path = path.strip_prefix("./").unwrap_or(path);
        self.media.get(path).map(String::as_str)
    }
}

/// All versions that are kept, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The number of the one that answers; 0: none.
    pub published: u32,
    pub versions: Vec<Version>,
}

impl Versions {
    pub fn published(&self) -> Option<&Version> {
        self.numbered(self.published)
    }

    fn numbered(&self, number: u32) -> Option<&Version> {
        self.versions.iter().find(|version| version.number == number)
    }

    fn read(bytes: Option<&[u8]>) -> Result<Versions, VersionError> {
        let Some(bytes) = bytes else {
            return Ok(Versions::default());
        };
        serde_json::from_slice(bytes).map_err(|why| VersionError::Unreadable {
            what: "the list of versions".to_owned(),
            why: why.to_string(),
        })
    }
}

/// What a version is made of.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// The texts, by path in the folder.
    files: BTreeMap<String, String>,
    /// What they became, so that a Switchboard that is stricter than the one that published still answers.
    program: serde_json::Value,
}

#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    #[error(transparent)]
    Flows(#[from] FlowsError),
    #[error(transparent)]
    Door(#[from] DoorError),
    #[error("there is no version {number}; there are {known}")]
    Unknown { number: u32, known: String },
    #[error(
        "{what} is kept in a way that this Switchboard can't read ({why}): start the newer one, or publish anew"
    )]
    Unreadable { what: String, why: String },
}

/// What [`publish`] came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Published {
    pub version: Version,
    /// It answers since now; `false`: it did before, and nothing was changed.
    pub new: bool,
    /// The number of the one that answered before; 0: none did.
    pub before: u32,
    /// Files by what has become of them since the version that answered before.
    pub changed: Vec<String>,
    /// Files that are too large to be kept: they are sent from the folder, as they are there.
    pub left: Vec<String>,
}

/// Whether something is really done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Really {
    Do,
    /// Only say what would be.
    Show,
}

fn place_of(hash: &str) -> String {
    format!("flows/version/{hash}")
}

fn place_of_file(hash: &str) -> String {
    format!("flows/file/{hash}")
}

/// All versions.
///
/// # Errors
/// If the store can't be asked, or a newer Switchboard wrote the list.
pub async fn list(door: &Door) -> Result<Versions, VersionError> {
    Versions::read(door.get(LISTED).await?.as_deref())
}

/// Makes the flows of a folder the published ones.
///
/// # Errors
/// If they have mistakes, or the store can't be written.
pub async fn publish(
    door: &Door,
    folder: &Path,
    note: &str,
    really: Really,
) -> Result<Published, VersionError> {
    let sources = flows::sources(folder)?;
    let program = flows::compile_sources(&sources)?;
    let files: BTreeMap<String, String> = sources
        .files
        .iter()
        .map(|file| (file.path.clone(), file.text.clone()))
        .collect();
    let Beside { kept: media, left } = flows::beside(folder, &sources)?;
    let hashes: BTreeMap<String, String> = media
        .iter()
        .map(|(path, bytes)| (path.clone(), hash_of(bytes)))
        .collect();
    let before = list(door).await?;
    let former = match before.published() {
        Some(version) => kept(door, version).await?.files,
        None => BTreeMap::new(),
    };
    let mut changed = changes(&former, &files);
    changed.extend(changes(&media_of(&before), &hashes));
    let next = |listed: &Versions| Version {
        number: listed.versions.last().map_or(0, |last| last.number) + 1,
        hash: program.hash.clone(),
        at: door.now(),
        note: note.to_owned(),
        media: hashes.clone(),
    };
    let told = |version: Version, new: bool, before: u32| Published {
        version,
        new,
        before,
        changed: changed.clone(),
        left: left.clone(),
    };
    let same = |version: &&Version| version.is_same(&program.hash, &hashes);
    if let Some(same) = before.published().filter(same) {
        return Ok(told(same.clone(), false, before.published));
    }
    if really == Really::Show {
        return Ok(told(next(&before), true, before.published));
    }
    let unwritable = |why: serde_json::Error| VersionError::Unreadable {
        what: "the program".to_owned(),
        why: why.to_string(),
    };
    let kept = Kept {
        files,
        program: serde_json::to_value(&program).map_err(unwritable)?,
    };
    let bytes = serde_json::to_vec(&kept).map_err(unwritable)?;
    // Before anybody is sent there. What has such a name is this program, or this file.
    for (path, bytes) in media {
        let Some(hash) = hashes.get(&path) else { continue };
        door.change::<(), VersionError>(&place_of_file(hash), |_| Ok((Some(bytes.clone()), ())))
            .await?;
    }
    door.change::<(), VersionError>(&place_of(&program.hash), |_| Ok((Some(bytes.clone()), ())))
        .await?;
    let (published, dropped) = door
        .change::<_, VersionError>(LISTED, |seen| {
            let mut listed = Versions::read(seen)?;
            let before = listed.published;
            if let Some(same) = listed.published().filter(same) {
                let same = told(same.clone(), false, before);
                return Ok((seen.map(<[u8]>::to_vec), (same, Vec::new())));
            }
            let version = next(&listed);
            listed.published = version.number;
            listed.versions.push(version.clone());
            let dropped = forget(&mut listed);
            Ok((Some(written(&listed)), (told(version, true, before), dropped)))
        })
        .await?;
    for place in dropped {
        // Left behind it only takes room.
        let _ = door.change::<(), VersionError>(&place, |_| Ok((None, ()))).await;
    }
    Ok(published)
}

/// Makes an earlier version the published one again.
///
/// # Errors
/// If it is not kept, or the store can't be written.
pub async fn go_back(door: &Door, number: u32, really: Really) -> Result<Published, VersionError> {
    let listed = list(door).await?;
    let version = listed.numbered(number).cloned().ok_or_else(|| {
        let known: Vec<String> = listed
            .versions
            .iter()
            .map(|version| version.number.to_string())
            .collect();
        VersionError::Unknown {
            number,
            known: if known.is_empty() {
                "none yet".to_owned()
            } else {
                known.join(", ")
            },
        }
    })?;
    let files = kept(door, &version).await?.files;
    let former = match listed.published() {
        Some(version) => kept(door, version).await?.files,
        None => BTreeMap::new(),
    };
    let mut changed = changes(&former, &files);
    changed.extend(changes(&media_of(&listed), &version.media));
    let told = |before: u32| Published {
        version: version.clone(),
        new: before != number,
        before,
        changed: changed.clone(),
        left: Vec::new(),
    };
    if really == Really::Show {
        return Ok(told(listed.published));
    }
    door.change(LISTED, |seen| {
        let mut listed = Versions::read(seen)?;
        let before = listed.published;
        listed.published = number;
        Ok((Some(written(&listed)), told(before)))
    })
    .await
}

fn written(listed: &Versions) -> Vec<u8> {
    // Numbers, strings and times: nothing in it can fail to be written.
    serde_json::to_vec(listed).unwrap_or_default()
}

/// Takes the oldest versions off the list, beyond those that are kept. Gives the names of what no version needs any more.
fn forget(listed: &mut Versions) -> Vec<String> {
    let places = |version: &Version| {
        let mut places = vec![place_of(&version.hash)];
        places.extend(version.media.values().map(|hash| place_of_file(hash)));
        places
    };
    let spare = listed.versions.len().saturating_sub(KEPT);
    let published = listed.published;
    let mut place = 0;
    let mut gone = Vec::new();
    listed.versions.retain(|version| {
        place += 1;
        let stays = place > spare || version.number == published;
        if !stays {
            gone.extend(places(version));
        }
        stays
    });
    let needed: Vec<String> = listed.versions.iter().flat_map(places).collect();
    gone.retain(|place| !needed.contains(place));
    gone
}

fn hash_of(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn media_of(listed: &Versions) -> BTreeMap<String, String> {
    listed
        .published()
        .map(|version| version.media.clone())
        .unwrap_or_default()
}

/// A file that is kept with a version.
pub(super) async fn file(store: &dyn Store, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
    store.setting(&place_of_file(hash)).await
}

/// What is different, a line a file.
fn changes(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, text) in now {
        match before.get(path) {
            None => lines.push(format!("{path} is new")),
            Some(old) if old != text => lines.push(format!("{path} is changed")),
            Some(_) => {}
        }
    }
    let gone = before.keys().filter(|path| !now.contains_key(*path));
    lines.extend(gone.map(|path| format!("{path} is gone")));
    lines
}

async fn kept(door: &Door, version: &Version) -> Result<Kept, VersionError> {
    let what = || format!("version {}", version.number);
    let bytes = door.get(&place_of(&version.hash)).await?;
    let bytes = bytes.ok_or_else(|| VersionError::Unreadable {
        what: what(),
        why: "it is not in the store".to_owned(),
    })?;
    serde_json::from_slice(&bytes).map_err(|why| VersionError::Unreadable {
        what: what(),
        why: why.to_string(),
    })
}

/// The published version with its program. `None`: nothing is published.
pub(super) async fn published(door: &Door) -> Result<Option<(Version, Program)>, VersionError> {
    let listed = list(door).await?;
    let Some(version) = listed.published() else {
        return Ok(None);
    };
    let kept = kept(door, version).await?;
    Ok(Some((version.clone(), kept.program()?)))
}

/// The program of a version by its hash, if it is kept and can be read.
pub(super) async fn program(store: &dyn Store, hash: &str) -> Result<Option<Program>, StoreError> {
    let Some(bytes) = store.setting(&place_of(hash)).await? else {
        return Ok(None);
    };
    let kept: Result<Kept, _> = serde_json::from_slice(&bytes);
    let program = kept
        .map_err(|why| why.to_string())
        .and_then(|kept| kept.program().map_err(|why| why.to_string()));
    match program {
        Ok(program) => Ok(Some(program)),
        Err(why) => {
            tracing::error!(program = hash, why, "a version can't be used any more");
            Ok(None)
        }
    }
}

impl Kept {
    fn program(self) -> Result<Program, FlowsError> {
        match serde_json::from_value(self.program) {
            Ok(program) => Ok(program),
            // Another Switchboard made it: the texts are the same.
            Err(_) => {
                let mut sources = Sources::default();
                for (path, text) in self.files {
                    sources.add(path, text);
                }
                flows::compile_sources(&sources)
            }
        }
    }
}

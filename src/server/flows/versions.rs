//! Published versions of the flows: what answers on the published number of an agent while the folder is worked on. A
//! version is a whole copy of the texts with the program they became, named by its hash, and of the files that the texts
//! name, each by its own; none is ever changed. Which version is published is one record, so that publishing and going back
//! are one step.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::former;
use crate::failpoint;
use crate::flow::program::Program;
use crate::flow::source::Sources;
use crate::server::flows::{self, Beside, FlowsError};
use crate::server::numbers::door::{Door, DoorError};
use crate::store::{Store, StoreError};

/// Name of the setting that lists the versions and says which one is published.
const LISTED: &str = "flows/versions";
/// So many versions can be gone back to.
const KEPT: usize = 50;
/// Of a version, so many of the times that it was gone back to are kept.
const KEPT_AGAIN: usize = 20;

/// A version as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub number: u32,
    /// Of the program.
    pub hash: String,
    /// When it was published first.
    pub at: Timestamp,
    /// Who published it first; empty: nobody said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// What whoever published it says of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Conversations that passed before it was published. `None`: they were not played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chats: Option<usize>,
    /// The hashes of the files that its texts name, by path in the folder.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub media: BTreeMap<String, String>,
    /// The times that it was gone back to, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub again: Vec<Again>,
}

/// A version was published again, after another had answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    pub at: Timestamp,
    /// Who went back to it; empty: nobody said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The number of the one that answered before; 0: none did.
    #[serde(default)]
    pub over: u32,
}

impl Version {
    fn is_same(&self, hash: &str, media: &BTreeMap<String, String>) -> bool {
        self.hash == hash && self.media == *media
    }

    /// The hash of a file of this version, as flows name it; `None`: it is not kept with it.
    pub(in crate::server) fn file(&self, path: &str) -> Option<&str> {
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

    /// The number that the next new version gets.
    pub fn next(&self) -> u32 {
        self.versions.last().map_or(0, |last| last.number) + 1
    }

    /// The number of the latest version with this program.
    pub fn number_of(&self, hash: &str) -> Option<u32> {
        let mut versions = self.versions.iter().rev();
        versions
            .find(|version| version.hash == hash)
            .map(|version| version.number)
    }

    fn known(&self, number: u32) -> Result<&Version, VersionError> {
        self.numbered(number).ok_or_else(|| {
            let known: Vec<String> = self
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
        })
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

/// What publishing came to, or would come to.
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

/// Who publishes, and what they say of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    pub by: String,
    pub note: String,
    /// See [`Version::chats`].
    pub chats: Option<usize>,
}

/// Whether something is really done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Really {
    Do,
    /// Only say what would be.
    Show,
}

pub(in crate::server) fn place_of(hash: &str) -> String {
    format!("flows/version/{hash}")
}

fn place_of_file(hash: &str) -> String {
    format!("flows/file/{hash}")
}

/// The programs of all versions that are listed.
pub(in crate::server) async fn hashes(store: &dyn Store) -> Result<BTreeSet<String>, StoreError> {
    let listed = store.setting(LISTED).await?;
    let listed = Versions::read(listed.as_deref()).map_err(|why| StoreError::Corrupt {
        key: LISTED.to_owned(),
        why: why.to_string(),
    })?;
    Ok(listed.versions.into_iter().map(|version| version.hash).collect())
}

/// All versions.
///
/// # Errors
/// If the store can't be asked, or a newer Switchboard wrote the list.
pub async fn list(door: &Door) -> Result<Versions, VersionError> {
    Versions::read(door.get(LISTED).await?.as_deref())
}

/// Flows that may be published: those of the folder, or an earlier version. Nothing is written before they are.
#[derive(Debug)]
pub struct Candidate {
    pub program: Program,
    changed: Vec<String>,
    left: Vec<String>,
    seen: Versions,
    from: From,
}

#[derive(Debug)]
enum From {
    Folder {
        files: BTreeMap<String, String>,
        media: BTreeMap<String, Vec<u8>>,
        hashes: BTreeMap<String, String>,
    },
    Version(Version),
}

impl Candidate {
    /// The flows of a folder.
    ///
    /// # Errors
    /// If they have mistakes, or the store can't be read.
    pub async fn of_folder(door: &Door, folder: &Path) -> Result<Candidate, VersionError> {
        let sources = flows::sources(folder)?;
        let program = flows::compile_sources(&sources)?;
        flows::look_at_knowledge(folder, &program)?;
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
        let seen = list(door).await?;
        let changed = changed_since(door, &seen, &files, &hashes).await?;
        Ok(Candidate {
            program,
            changed,
            left,
            seen,
            from: From::Folder { files, media, hashes },
        })
    }

    /// An earlier version.
    ///
    /// # Errors
    /// If it is not kept, or can't be read.
    pub async fn of_version(door: &Door, number: u32) -> Result<Candidate, VersionError> {
        let seen = list(door).await?;
        let version = seen.known(number)?.clone();
        let kept = kept(door, &version).await?;
        let changed = changed_since(door, &seen, &kept.files, &version.media).await?;
        Ok(Candidate {
            program: kept.program()?,
            changed,
            left: Vec::new(),
            seen,
            from: From::Version(version),
        })
    }

    /// All versions as they were when this was read.
    pub fn seen(&self) -> &Versions {
        &self.seen
    }

    /// The version that it is already, if it is the published one.
    pub fn is_published(&self) -> bool {
        self.seen.published().is_some_and(|version| self.is(version))
    }

    fn is(&self, version: &Version) -> bool {
        match &self.from {
            From::Folder { hashes, .. } => version.is_same(&self.program.hash, hashes),
            From::Version(own) => own.number == version.number,
        }
    }

    fn version(&self, listed: &Versions, at: Timestamp, said: &Said) -> Version {
        match &self.from {
            From::Version(version) => {
                let mut version = listed.numbered(version.number).unwrap_or(version).clone();
                version.again.push(Again {
                    at,
                    by: said.by.clone(),
                    note: said.note.clone(),
                    over: listed.published,
                });
                let surplus = version.again.len().saturating_sub(KEPT_AGAIN);
                version.again.drain(..surplus);
                version
            }
            From::Folder { hashes, .. } => Version {
                number: listed.next(),
                hash: self.program.hash.clone(),
                at,
                by: said.by.clone(),
                note: said.note.clone(),
                chats: said.chats,
                media: hashes.clone(),
                again: Vec::new(),
            },
        }
    }

    fn told(&self, version: Version, before: u32, new: bool) -> Published {
        Published {
            version,
            new,
            before,
            changed: self.changed.clone(),
            left: self.left.clone(),
        }
    }

    /// What publishing it would come to.
    pub fn would(&self, door: &Door, said: &Said) -> Published {
        match self.seen.published().filter(|version| self.is(version)) {
            Some(same) => self.told(same.clone(), self.seen.published, false),
            None => {
                let version = self.version(&self.seen, door.now(), said);
                self.told(version, self.seen.published, true)
            }
        }
    }

    /// Makes it the published one. Which version answers is one record, and it is written last: whatever breaks before
    /// leaves the version that answered.
    ///
    /// # Errors
    /// If the store can't be written.
    pub async fn publish(self, door: &Door, said: &Said) -> Result<Published, VersionError> {
        if self.is_published() {
            return Ok(self.would(door, said));
        }
        if let From::Folder { files, media, hashes } = &self.from {
            let unwritable = |why: serde_json::Error| VersionError::Unreadable {
                what: "the program".to_owned(),
                why: why.to_string(),
            };
            let kept = Kept {
                files: files.clone(),
                program: serde_json::to_value(&self.program).map_err(unwritable)?,
            };
            let bytes = serde_json::to_vec(&kept).map_err(unwritable)?;
            // Before anybody is sent there. What has such a name is this program, or this file.
            for (path, bytes) in media {
                let Some(hash) = hashes.get(path) else { continue };
                door.change::<(), VersionError>(&place_of_file(hash), |_| Ok((Some(bytes.clone()), ())))
                    .await?;
            }
            failpoint!("before_version");
            door.change::<(), VersionError>(&place_of(&self.program.hash), |_| Ok((Some(bytes.clone()), ())))
                .await?;
        }
        failpoint!("before_published");
        let (published, dropped) = door
            .change::<_, VersionError>(LISTED, |seen| {
                let mut listed = Versions::read(seen)?;
                let before = listed.published;
                if let Some(same) = listed.published().filter(|version| self.is(version)) {
                    let same = self.told(same.clone(), before, false);
                    return Ok((seen.map(<[u8]>::to_vec), (same, Dropped::default())));
                }
                let version = self.version(&listed, door.now(), said);
                listed.published = version.number;
                let mut numbered = listed.versions.iter_mut();
                match numbered.find(|kept| kept.number == version.number) {
                    Some(kept) => *kept = version.clone(),
                    None => listed.versions.push(version.clone()),
                }
                let dropped = forget(&mut listed);
                let published = self.told(version, before, true);
                Ok((Some(written(&listed)), (published, dropped)))
            })
            .await?;
        // Left behind it only takes room.
        for place in dropped.files {
            let _ = door.change::<(), VersionError>(&place, |_| Ok((None, ()))).await;
        }
        for hash in dropped.programs {
            let note = |seen: Option<&[u8]>| Ok((Some(former::with(seen, &hash, door.now())), ()));
            let _ = door.change::<(), VersionError>(former::FORMER, note).await;
        }
        Ok(published)
    }
}

/// What is different from the version that answers, a line a file.
async fn changed_since(
    door: &Door,
    seen: &Versions,
    files: &BTreeMap<String, String>,
    media: &BTreeMap<String, String>,
) -> Result<Vec<String>, VersionError> {
    let (former_files, former_media) = match seen.published() {
        Some(version) => (kept(door, version).await?.files, version.media.clone()),
        None => Default::default(),
    };
    let mut changed = changes(&former_files, files);
    changed.extend(changes(&former_media, media));
    Ok(changed)
}

/// A version with its program, for whoever compares it.
///
/// # Errors
/// If it is not kept, or can't be read.
pub async fn numbered(door: &Door, number: u32) -> Result<(Version, Program), VersionError> {
    let version = list(door).await?.known(number)?.clone();
    let program = version.program(door).await?;
    Ok((version, program))
}

/// Programs by their hashes, of versions and of folders, as far as they are kept and can be read.
///
/// # Errors
/// If the store can't be read.
pub async fn programs(
    door: &Door,
    hashes: impl IntoIterator<Item = &String>,
) -> Result<BTreeMap<String, Program>, VersionError> {
    let mut found = BTreeMap::new();
    for hash in hashes {
        let of_folder = match door.get(&flows::name_of(hash)).await? {
            Some(bytes) => serde_json::from_slice::<Program>(&bytes).ok(),
            None => None,
        };
        let program = match of_folder {
            Some(program) => Some(program),
            None => door
                .get(&place_of(hash))
                .await?
                .and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok())
                .and_then(|kept| kept.program().ok()),
        };
        if let Some(program) = program {
            found.insert(hash.clone(), program);
        }
    }
    Ok(found)
}

fn written(listed: &Versions) -> Vec<u8> {
    // Numbers, strings and times: nothing in it can fail to be written.
    serde_json::to_vec(listed).unwrap_or_default()
}

/// What no version needs any more.
#[derive(Debug, Default)]
struct Dropped {
    /// Hashes of programs. Somebody may still be in the middle of one.
    programs: Vec<String>,
    /// Names of the files that go.
    files: Vec<String>,
}

/// Takes the oldest versions off the list, beyond those that are kept.
fn forget(listed: &mut Versions) -> Dropped {
    let spare = listed.versions.len().saturating_sub(KEPT);
    let published = listed.published;
    let mut place = 0;
    let mut gone = Vec::new();
    listed.versions.retain(|version| {
        place += 1;
        let stays = place > spare || version.number == published;
        if !stays {
            gone.push(version.clone());
        }
        stays
    });
    let mut dropped = Dropped::default();
    for version in gone {
        if listed.number_of(&version.hash).is_none() {
            dropped.programs.push(version.hash);
        }
        let needed = |hash: &String| {
            listed
                .versions
                .iter()
                .any(|one| one.media.values().any(|own| own == hash))
        };
        let files = version.media.values().filter(|hash| !needed(hash));
        dropped.files.extend(files.map(|hash| place_of_file(hash)));
    }
    dropped
}

fn hash_of(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file that is kept with a version.
pub(in crate::server) async fn file(store: &dyn Store, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
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

impl Version {
    /// What it answers with.
    pub(in crate::server) async fn program(&self, door: &Door) -> Result<Program, VersionError> {
        Ok(kept(door, self).await?.program()?)
    }
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
pub(in crate::server) async fn published(door: &Door) -> Result<Option<(Version, Program)>, VersionError> {
    let Some(version) = list(door).await?.published().cloned() else {
        return Ok(None);
    };
    let program = version.program(door).await?;
    Ok(Some((version, program)))
}

/// The program of a version by its hash, if it is kept and can be read.
pub(in crate::server) async fn program(store: &dyn Store, hash: &str) -> Result<Option<Program>, StoreError> {
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

//! The flows of the business: read, compiled, kept. What doesn't compile never goes live; the last good program stays,
//! also across a restart, because the store keeps it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::agreed;
use crate::engine::{Machine, Position};
use crate::flow::compile::compile;
use crate::flow::program::Program;
use crate::flow::render;
use crate::flow::source::Sources;
use crate::store::{Store, StoreError};

/// Name of the setting that holds the hash of the live program.
const LIVE: &str = "flows/live";
/// Name of the setting that lists former programs, the oldest first.
const FORMER: &str = "flows/former";
/// So many former programs are kept however old they are,
const FORMER_KEPT: usize = 20;
/// and all that were live this short a time ago.
const FORMER_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How often watched files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum FlowsError {
    /// `place` is the folder, or the file in it.
    #[error("the flows in {place} can't be read: {why}", place = place.display())]
    Unreadable { place: PathBuf, why: std::io::Error },
    #[error("there are no .flow files in {folder}; write one, or name another folder as `flows` in switchboard.toml", folder = folder.display())]
    Empty { folder: PathBuf },
    /// `drawn` shows every mistake.
    #[error("{drawn}\nthe flows have mistakes; they do not go live before they are mended")]
    Mistakes { drawn: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The live program and the files it comes from.
#[derive(Debug)]
pub(super) struct Flows {
    folder: PathBuf,
    store: Arc<dyn Store>,
    live: RwLock<Arc<Machine>>,
    /// The files as they were just before they were compiled at the start.
    at_start: Stamps,
}

/// When each file was changed last.
type Stamps = BTreeMap<PathBuf, Option<SystemTime>>;

impl Flows {
    /// Compiles the files. If they have mistakes, the last good program is used, loudly.
    pub async fn open(folder: PathBuf, store: Arc<dyn Store>) -> Result<Flows, FlowsError> {
        let at_start = stamps(&folder);
        let program = match compiled(&folder).await {
            Ok(program) => {
                keep(store.as_ref(), &program).await?;
                program
            }
            Err(why) => match last_good(store.as_ref()).await? {
                None => return Err(why),
                Some(program) => {
                    tracing::error!(
                        program = program.hash,
                        "the flows can't be used; the last good ones stay live:\n{why}"
                    );
                    program
                }
            },
        };
        Ok(Flows {
            folder,
            store,
            live: RwLock::new(Arc::new(Machine::load(program))),
            at_start,
        })
    }

    /// The machine that answers now. A turn keeps the one it began with.
    pub fn live(&self) -> Arc<Machine> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The machine for a session. If another program than the live one has put it where it is, that may be a newer one
    /// that another process has published: then it is live here too from now on.
    pub async fn for_session(&self, position: &Position) -> Arc<Machine> {
        let live = self.live();
        let ours = &live.program().hash;
        if position.frames.iter().all(|frame| frame.program == *ours) {
            return live;
        }
        if let Err(why) = self.catch_up().await {
            tracing::debug!(%why, "the live program could not be asked for");
        }
        self.live()
    }

    /// Makes live what another process has published.
    pub async fn catch_up(&self) -> Result<(), StoreError> {
        let Some(hash) = self.store.setting(LIVE).await? else {
            return Ok(());
        };
        if hash == self.hash().as_bytes() {
            return Ok(());
        }
        if let Some(program) = last_good(self.store.as_ref()).await? {
            tracing::info!(
                program = program.hash,
                "flows that another process has published are live"
            );
            self.set_live(program);
        }
        Ok(())
    }

    fn set_live(&self, program: Program) {
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Machine::load(program));
    }

    pub fn hash(&self) -> String {
        self.live().program().hash.clone()
    }

    pub fn burst_quiet(&self) -> Duration {
        Duration::from_millis(self.live().program().business.burst_quiet_ms)
    }

    /// The language that customers most likely speak.
    pub fn language(&self) -> Option<String> {
        self.live().program().business.languages.first().cloned()
    }

    /// Compiles the files again and makes them live.
    pub async fn reload(&self) -> Result<(), FlowsError> {
        let program = compiled(&self.folder).await?;
        if program.hash == self.hash() {
            return Ok(());
        }
        keep(self.store.as_ref(), &program).await?;
        tracing::info!(program = program.hash, "new flows are live");
        self.set_live(program);
        Ok(())
    }

    /// Reloads when a file changes.
    pub async fn watch(&self, stop: &CancellationToken) {
        let mut seen = self.at_start.clone();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let now = stamps(&self.folder);
            if now == seen {
                continue;
            }
            seen = now;
            if let Err(why) = self.reload().await {
                tracing::error!("the changed flows don't go live; the last good ones stay:\n{why}");
            }
        }
    }
}

/// The `.flow` files of a folder and its folders, by path, in order.
fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "flow") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn stamps(folder: &Path) -> Stamps {
    let stamp = |path: PathBuf| {
        let changed = std::fs::metadata(&path).and_then(|meta| meta.modified()).ok();
        (path, changed)
    };
    files(folder).unwrap_or_default().into_iter().map(stamp).collect()
}

async fn compiled(folder: &Path) -> Result<Program, FlowsError> {
    let owned = folder.to_owned();
    let work = tokio::task::spawn_blocking(move || compile_folder(&owned));
    work.await.unwrap_or_else(|panic| {
        Err(FlowsError::Mistakes {
            drawn: format!("the compiler failed: {panic}. Please report it with the flows"),
        })
    })
}

/// Reads and compiles the flows of a folder.
pub(super) fn compile_folder(folder: &Path) -> Result<Program, FlowsError> {
    let unreadable = |place: &Path, why| FlowsError::Unreadable {
        place: place.to_owned(),
        why,
    };
    let mut sources = Sources::default();
    for path in files(folder).map_err(|why| unreadable(folder, why))? {
        let text = std::fs::read_to_string(&path).map_err(|why| unreadable(&path, why))?;
        // As people name it, whatever folder the server was started in.
        let shown = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        sources.add(shown, text);
    }
    if sources.files.is_empty() {
        return Err(FlowsError::Empty {
            folder: folder.to_owned(),
        });
    }
    let compiled = compile(&sources);
    compiled.program.ok_or_else(|| FlowsError::Mistakes {
        drawn: render::text(&sources, &compiled.diagnostics, false),
    })
}

fn name_of(hash: &str) -> String {
    format!("flows/program/{hash}")
}

/// A program that was live before, and when another took its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Former {
    hash: String,
    until: Timestamp,
}

/// Keeps a program under its hash before it goes live: people in conversation may need it after a restart. Nothing is
/// written if it is kept already, so that a full disk does not keep the server from starting.
async fn keep(store: &dyn Store, program: &Program) -> Result<(), StoreError> {
    let before = store.setting(LIVE).await?;
    let before = before.map(|hash| String::from_utf8_lossy(&hash).into_owned());
    if before.as_ref() == Some(&program.hash) && store.setting(&name_of(&program.hash)).await?.is_some() {
        return Ok(());
    }
    let bytes = serde_json::to_vec(program).map_err(|why| StoreError::Corrupt {
        key: name_of(&program.hash),
        why: why.to_string(),
    })?;
    store.put_setting(&name_of(&program.hash), &bytes).await?;
    store.put_setting(LIVE, program.hash.as_bytes()).await?;
    agreed::turn_page(store).await?;
    if let Err(why) = prune(store, before, &program.hash).await {
        tracing::warn!(%why, "old programs could not be cleared away; the next change tries again");
    }
    Ok(())
}

/// Forgets former programs: the latest of them stay, and those that were live a short time ago.
async fn prune(store: &dyn Store, before: Option<String>, live: &str) -> Result<(), StoreError> {
    let now = store.now();
    let listed = store.setting(FORMER).await?.unwrap_or_default();
    let mut former: Vec<Former> = serde_json::from_slice(&listed).unwrap_or_default();
    former.retain(|one| one.hash != live && Some(&one.hash) != before.as_ref());
    if let Some(hash) = before.filter(|hash| hash != live) {
        former.push(Former { hash, until: now });
    }
    let spare = former.len().saturating_sub(FORMER_KEPT);
    let (old, kept): (Vec<_>, Vec<_>) = former
        .into_iter()
        .enumerate()
        .partition(|(place, one)| *place < spare && one.until.duration_until(now) > FORMER_FOR);
    for (_, one) in old {
        store.remove_setting(&name_of(&one.hash)).await?;
    }
    let kept: Vec<Former> = kept.into_iter().map(|(_, one)| one).collect();
    // Names of fields and strings only: nothing in it can fail to be written.
    let kept = serde_json::to_vec(&kept).unwrap_or_default();
    store.put_setting(FORMER, &kept).await
}

async fn last_good(store: &dyn Store) -> Result<Option<Program>, StoreError> {
    let Some(hash) = store.setting(LIVE).await? else {
        return Ok(None);
    };
    let key = name_of(&String::from_utf8_lossy(&hash));
    let Some(bytes) = store.setting(&key).await? else {
        return Ok(None);
    };
    match serde_json::from_slice(&bytes) {
        Ok(program) => Ok(Some(program)),
        Err(why) => {
            tracing::error!(%why, "the last good flows were kept by another version and can't be read");
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Caps, MovableClock, SqliteStore};

    /// The store knows programs by their hash alone.
    fn program(n: usize) -> Program {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/server/flows");
        let mut program = compile_folder(&folder).unwrap();
        program.hash = format!("program-{n}");
        program
    }

    async fn kept(store: &dyn Store, programs: &[Program]) -> usize {
        let mut count = 0;
        for program in programs {
            count += usize::from(store.setting(&name_of(&program.hash)).await.unwrap().is_some());
        }
        count
    }

    #[tokio::test]
    async fn former_programs_go_once_they_are_old_and_many_and_the_live_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(MovableClock::default());
        let store =
            SqliteStore::open(folder.path().join("store.db"), Caps::default(), clock.clone()).unwrap();
        let programs: Vec<Program> = (0..30).map(program).collect();
        for program in &programs {
            keep(&store, program).await.unwrap();
        }
        assert_eq!(kept(&store, &programs).await, 30, "all were live lately");

        // The first is live again: it is no former one.
        keep(&store, &programs[0]).await.unwrap();
        clock.advance(Duration::from_secs(8 * 24 * 3600));
        let newest = program(30);
        keep(&store, &newest).await.unwrap();
        assert_eq!(kept(&store, &programs).await, FORMER_KEPT);
        assert_eq!(kept(&store, &programs[..1]).await, 1, "it was live until now");
        let good = last_good(&store).await.unwrap().expect("a program");
        assert_eq!(good.hash, newest.hash);
    }

    #[test]
    fn a_file_that_is_no_text_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("photo.flow"), b"\xff\xd8\xff").unwrap();
        let why = compile_folder(folder.path()).unwrap_err().to_string();
        assert!(why.contains("photo.flow"), "{why}");
    }
}

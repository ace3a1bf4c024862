//! The flows of the business: read, compiled, kept. What doesn't compile never goes live; the last good program stays,
//! also across a restart, because the store keeps it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use crate::engine::Machine;
use crate::flow::compile::compile;
use crate::flow::program::Program;
use crate::flow::render;
use crate::flow::source::Sources;
use crate::store::{Store, StoreError};

/// Name of the setting that holds the hash of the live program.
const LIVE: &str = "flows/live";
/// How often watched files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum FlowsError {
    #[error("the flows in {folder} can't be read: {why}", folder = folder.display())]
    Unreadable { folder: PathBuf, why: std::io::Error },
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
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Machine::load(program));
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
    let unreadable = |why| FlowsError::Unreadable {
        folder: folder.to_owned(),
        why,
    };
    let mut sources = Sources::default();
    for path in files(folder).map_err(unreadable)? {
        let text = std::fs::read_to_string(&path).map_err(unreadable)?;
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

/// Keeps a program under its hash before it goes live: people in conversation may need it after a restart.
async fn keep(store: &dyn Store, program: &Program) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec(program).map_err(|why| StoreError::Corrupt {
        key: name_of(&program.hash),
        why: why.to_string(),
    })?;
    store.put_setting(&name_of(&program.hash), &bytes).await?;
    store.put_setting(LIVE, program.hash.as_bytes()).await
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

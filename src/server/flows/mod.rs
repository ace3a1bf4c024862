//! The flows of the business: read, compiled, kept. What doesn't compile never goes live; the last good program stays,
//! also across a restart, because the store keeps it. The folder answers on numbers that stand alone and on drafts, what
//! was published on the published numbers of agents.

pub mod difference;
pub(super) mod former;
pub mod impact;
pub mod rehearsed;
pub mod tally;
pub mod versions;

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use self::former::Ready;
use self::versions::{Version, VersionError};
use crate::engine::{Machine, Position};
use crate::flow::compile::compile;
use crate::flow::program::Program;
use crate::flow::render;
use crate::flow::source::Sources;
use crate::flow::strings;
use crate::server::agreed;
use crate::server::config::Runs;
use crate::server::numbers::door::Door;
use crate::store::{Store, StoreError};

/// Name of the setting that holds the hash of the live program.
const LIVE: &str = "flows/live";
/// Of the files that are kept with a version: what WhatsApp takes of a video.
const LARGEST_KEPT: u64 = 16 * 1024 * 1024;
/// Of a file that is knowledge.
const LARGEST_KNOWLEDGE: u64 = 1024 * 1024;
/// How often watched files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum FlowsError {
    /// `place` is the folder, or the file in it.
    #[error("the flows in {place} can't be read: {why}", place = place.display())]
    Unreadable { place: PathBuf, why: std::io::Error },
    #[error("the knowledge {name} can't be used: {why}")]
    Knowledge { name: String, why: String },
    #[error("there are no .flow files in {folder}; write one, or name another folder as `flows` in switchboard.toml", folder = folder.display())]
    Empty { folder: PathBuf },
    /// `drawn` shows every mistake.
    #[error("{drawn}\nthe flows have mistakes; they do not go live before they are mended")]
    Mistakes { drawn: String },
    #[error(
        "the configuration has a published number, and no flows are published: run `switchboard publish` once they are tested, then start again"
    )]
    NothingPublished,
    #[error("the published flows can't be used: {why}")]
    Published { why: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The live program and the files it comes from.
#[derive(Debug)]
pub(super) struct Flows {
    folder: PathBuf,
    store: Arc<dyn Store>,
    /// Of the folder; of what is published where no number runs the folder.
    live: RwLock<Arc<Machine>>,
    published: RwLock<Option<(Version, Arc<Machine>)>>,
    /// Some number runs the folder.
    folder_runs: bool,
    former: Ready,
    /// The files as they were just before they were compiled at the start.
    at_start: Stamps,
}

/// What answers one conversation.
#[derive(Debug)]
pub(super) struct Answering {
    pub live: Arc<Machine>,
    /// Versions before it that somebody may be in the middle of.
    pub former: Vec<Arc<Machine>>,
}

/// When each file was changed last.
type Stamps = BTreeMap<PathBuf, Option<SystemTime>>;

impl Flows {
    /// Compiles the files, if a number runs them, and gets what is published, if a number runs that. If the files have
    /// mistakes, the last good program is used, loudly.
    pub async fn open(folder: PathBuf, store: Arc<dyn Store>, runs: &[Runs]) -> Result<Flows, FlowsError> {
        let at_start = stamps(&folder);
        let published = if runs.contains(&Runs::Published) {
            let door = Door::Here(store.clone());
            let found = versions::published(&door).await.map_err(unusable)?;
            let (version, program) = found.ok_or(FlowsError::NothingPublished)?;
            tracing::info!(
                version = version.number,
                program = program.hash,
                "published flows are live"
            );
            Some((version, Arc::new(Machine::load(program))))
        } else {
            None
        };
        let folder_runs = runs.contains(&Runs::Folder) || published.is_none();
        let live = match &published {
            Some((_, machine)) if !folder_runs => machine.clone(),
            Some(_) | None => Arc::new(Machine::load(of_folder(&folder, store.as_ref()).await?)),
        };
        Ok(Flows {
            folder,
            store,
            live: RwLock::new(live),
            published: RwLock::new(published),
            folder_runs,
            former: Ready::default(),
            at_start,
        })
    }

    /// The machine of the folder. A turn keeps the one it began with.
    pub fn live(&self) -> Arc<Machine> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The machine that answers now on such a number.
    pub fn machine(&self, runs: Runs) -> Arc<Machine> {
        let published = match runs {
            Runs::Folder => None,
            Runs::Published => self.published(|_, machine| machine.clone()),
        };
        // Where a number runs what is published, there is something: see `open`.
        published.unwrap_or_else(|| self.live())
    }

    /// What is wanted of the published version; its list of files may be long, so it is not handed out.
    fn published<T>(&self, wanted: impl FnOnce(&Version, &Arc<Machine>) -> T) -> Option<T> {
        let published = self.published.read().unwrap_or_else(PoisonError::into_inner);
        published
            .as_ref()
            .map(|(version, machine)| wanted(version, machine))
    }

    /// The hash of a file that is kept with what answers on such a number. `None`: it is taken from the folder.
    pub fn kept_file(&self, runs: Runs, path: &str) -> Option<String> {
        match runs {
            Runs::Folder => None,
            Runs::Published => self.published(|version, _| version.file(path).map(str::to_owned))?,
        }
    }

    /// The texts of knowledge, by name, as they belong to what answers on such a number.
    ///
    /// # Errors
    /// Why one of them can't be read.
    pub async fn knowledge(
        &self,
        runs: Runs,
        wanted: &[(String, String)],
    ) -> Result<Vec<(String, String)>, String> {
        let mut texts = Vec::with_capacity(wanted.len());
        for (name, path) in wanted {
            let bytes = match self.kept_file(runs, path) {
                Some(hash) => {
                    let kept = versions::file(self.store.as_ref(), &hash).await;
                    kept.map_err(|why| format!("the knowledge {name} can't be read: {why}"))?
                        .ok_or_else(|| format!("the knowledge {name} is not in the store any more"))?
                }
                None => {
                    let place = inside(&self.folder, path).ok_or_else(|| outside(name, path))?;
                    let read = tokio::fs::read(&place).await;
                    read.map_err(|why| format!("the knowledge {name} can't be read: {why}"))?
                }
            };
            let text = text_of(bytes).map_err(|why| format!("the knowledge {name} can't be used: {why}"))?;
            texts.push((name.clone(), text));
        }
        Ok(texts)
    }

    /// The machines for a session: the live one, and those before it that the position names. If another program than
    /// the live one has put it where it is, that may be a newer one that another process has published: then it is live
    /// here too from now on.
    pub async fn for_session(&self, position: &Position, runs: Runs) -> Result<Answering, StoreError> {
        let live = self.machine(runs);
        let ours = &live.program().hash;
        if position.programs().iter().all(|program| program == ours) {
            return Ok(Answering {
                live,
                former: Vec::new(),
            });
        }
        match runs {
            Runs::Published => self.catch_up_published().await,
            Runs::Folder => {
                if let Err(why) = self.catch_up_folder().await {
                    tracing::debug!(%why, "the live program could not be asked for");
                }
            }
        }
        let live = self.machine(runs);
        let former = self.former.of(self.store.as_ref(), &live, position).await?;
        Ok(Answering { live, former })
    }

    /// Makes live what another process has published.
    pub async fn catch_up(&self) -> Result<(), StoreError> {
        self.catch_up_published().await;
        self.catch_up_folder().await
    }

    /// The same, of the folder alone.
    async fn catch_up_folder(&self) -> Result<(), StoreError> {
        if !self.folder_runs {
            return Ok(());
        }
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

    /// What is published answers from now on. What can't be used is said, and the version before stays.
    async fn catch_up_published(&self) {
        let Some(now) = self.published(|version, _| version.number) else {
            return;
        };
        let door = Door::Here(self.store.clone());
        let version = match versions::list(&door).await {
            Ok(listed) => match listed.published() {
                Some(newest) if self.published(|own, _| own == newest) != Some(true) => newest.clone(),
                Some(_) | None => return,
            },
            Err(why) => return tracing::debug!(%why, "the published version could not be asked for"),
        };
        match version.program(&door).await {
            Ok(program) => {
                tracing::info!(
                    version = version.number,
                    program = program.hash,
                    "published flows are live"
                );
                let machine = Arc::new(Machine::load(program));
                if let Some(before) = self.published(|_, machine| machine.clone()) {
                    self.former.was_live(before);
                }
                if !self.folder_runs {
                    *self.live.write().unwrap_or_else(PoisonError::into_inner) = machine.clone();
                }
                let published = Some((version, machine));
                *self.published.write().unwrap_or_else(PoisonError::into_inner) = published;
            }
            Err(why) => {
                tracing::error!(version = now, %why, "what was published can't be used; the version before stays");
            }
        }
    }

    fn set_live(&self, program: Program) {
        self.former.was_live(self.live());
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Machine::load(program));
    }

    pub fn hash(&self) -> String {
        self.live().program().hash.clone()
    }

    pub fn burst_quiet(&self, runs: Runs) -> Duration {
        Duration::from_millis(self.machine(runs).program().business.burst_quiet_ms)
    }

    /// The language that customers most likely speak.
    pub fn language(&self, runs: Runs) -> Option<String> {
        self.machine(runs).program().business.languages.first().cloned()
    }

    /// Compiles the files again and makes them live, where they are run.
    pub async fn reload(&self) -> Result<(), FlowsError> {
        if !self.folder_runs {
            return Ok(());
        }
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

/// The `.flow` files of a folder and its folders with their translations, by path, in order.
fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = all_files(folder)?;
    found.retain(|path| is_read(path));
    Ok(found)
}

fn is_flow(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "flow")
}

/// A file that the compiler reads.
fn is_read(path: &Path) -> bool {
    is_flow(path) || path.extension().is_some_and(|ending| ending == strings::ENDING)
}

/// Everything below a folder, in a lasting order.
pub(super) fn all_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
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
    let program = compile_sources(&sources(folder)?)?;
    look_at_knowledge(folder, &program)?;
    Ok(program)
}

/// Whether the files of the knowledge are there, and are texts of a bearable size.
pub(super) fn look_at_knowledge(folder: &Path, program: &Program) -> Result<(), FlowsError> {
    for (name, path) in &program.business.knowledge {
        let read = match inside(folder, path) {
            None => Err(outside(name, path)),
            Some(place) => match std::fs::read(&place) {
                Ok(bytes) => text_of(bytes).map(drop),
                Err(why) => Err(format!("{path} can't be read: {why}")),
            },
        };
        read.map_err(|why| FlowsError::Knowledge {
            name: name.clone(),
            why,
        })?;
    }
    Ok(())
}

/// A path that stays in the folder.
pub(in crate::server) fn inside(folder: &Path, path: &str) -> Option<PathBuf> {
    let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    Path::new(path).components().all(plain).then(|| folder.join(path))
}

fn outside(name: &str, path: &str) -> String {
    format!("{path} is not beside the flows; write the path of {name} from the folder of the business file")
}

fn text_of(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.len() as u64 > LARGEST_KNOWLEDGE {
        return Err(format!(
            "it is larger than {} KiB; split it",
            LARGEST_KNOWLEDGE / 1024
        ));
    }
    String::from_utf8(bytes).map_err(|_| "it is no text in UTF-8".to_owned())
}

fn unreadable(place: &Path, why: std::io::Error) -> FlowsError {
    FlowsError::Unreadable {
        place: place.to_owned(),
        why,
    }
}

/// A file as people name it, whatever folder the server was started in.
fn shown(folder: &Path, path: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).display().to_string()
}

/// Files of the business that flows name.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// By path in the folder.
    pub kept: BTreeMap<String, Vec<u8>>,
    /// Too large for that.
    pub left: Vec<String>,
}

/// Files in the folder whose path stands in some text. What a text puts together is not found.
pub(super) fn beside(folder: &Path, sources: &Sources) -> Result<Beside, FlowsError> {
    let mut beside = Beside::default();
    for path in all_files(folder).map_err(|why| unreadable(folder, why))? {
        if is_read(&path) {
            continue;
        }
        let shown = shown(folder, &path);
        if !sources.files.iter().any(|file| file.text.contains(&shown)) {
            continue;
        }
        let size = std::fs::metadata(&path)
            .map_err(|why| unreadable(&path, why))?
            .len();
        if size > LARGEST_KEPT {
            beside.left.push(shown);
            continue;
        }
        let bytes = std::fs::read(&path).map_err(|why| unreadable(&path, why))?;
        beside.kept.insert(shown, bytes);
    }
    Ok(beside)
}

/// The texts of a folder, named as people name them.
pub(super) fn sources(folder: &Path) -> Result<Sources, FlowsError> {
    let mut sources = Sources::default();
    for path in files(folder).map_err(|why| unreadable(folder, why))? {
        let text = std::fs::read_to_string(&path).map_err(|why| unreadable(&path, why))?;
        sources.add(shown(folder, &path), text);
    }
    if !sources.files.iter().any(|file| is_flow(Path::new(&file.path))) {
        return Err(FlowsError::Empty {
            folder: folder.to_owned(),
        });
    }
    Ok(sources)
}

pub(super) fn compile_sources(sources: &Sources) -> Result<Program, FlowsError> {
    let compiled = compile(sources);
    compiled.program.ok_or_else(|| FlowsError::Mistakes {
        drawn: render::text(sources, &compiled.diagnostics, false),
    })
}

fn unusable(why: VersionError) -> FlowsError {
    FlowsError::Published { why: why.to_string() }
}

/// The program of the folder, which is kept; the last good one if it has mistakes.
async fn of_folder(folder: &Path, store: &dyn Store) -> Result<Program, FlowsError> {
    match compiled(folder).await {
        Ok(program) => {
            keep(store, &program).await?;
            Ok(program)
        }
        Err(why) => match last_good(store).await? {
            None => Err(why),
            Some(program) => {
                tracing::error!(
                    program = program.hash,
                    "the flows can't be used; the last good ones stay live:\n{why}"
                );
                Ok(program)
            }
        },
    }
}

pub(super) fn name_of(hash: &str) -> String {
    format!("flows/program/{hash}")
}

/// Keeps a program under its hash before it goes live: people in conversation may need it after a restart. Nothing is
/// written if it is kept already, so that a full disk does not keep the server from starting.
async fn keep(store: &dyn Store, program: &Program) -> Result<(), StoreError> {
    let before = live_hash(store).await?;
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
    if let Some(before) = before {
        former::note(store, &before, &program.hash).await?;
    }
    Ok(())
}

/// The hash of the program of the folder that is live.
pub(super) async fn live_hash(store: &dyn Store) -> Result<Option<String>, StoreError> {
    let hash = store.setting(LIVE).await?;
    Ok(hash.map(|hash| String::from_utf8_lossy(&hash).into_owned()))
}

/// A program by its hash, if it is one of a folder's and can be read.
pub(super) async fn program(store: &dyn Store, hash: &str) -> Result<Option<Program>, StoreError> {
    let Some(bytes) = store.setting(&name_of(hash)).await? else {
        return Ok(None);
    };
    match serde_json::from_slice(&bytes) {
        Ok(program) => Ok(Some(program)),
        Err(why) => {
            tracing::error!(program = hash, %why, "these flows were kept by another version and can't be read");
            Ok(None)
        }
    }
}

async fn last_good(store: &dyn Store) -> Result<Option<Program>, StoreError> {
    let Some(hash) = store.setting(LIVE).await? else {
        return Ok(None);
    };
    program(store, &String::from_utf8_lossy(&hash)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Frame;
    use crate::server::turns::session::Session;
    use crate::store::{Alias, Caps, Committed, Ingest, Keep, MovableClock, Nonce, SqliteStore, TurnCommit};

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

    /// Somebody in the middle of this program.
    async fn is_amid(store: &dyn Store, program: &Program) {
        let alias = Alias("phone:6281100000011".to_owned());
        let contact = store.resolve_alias("shop", &alias, &[]).await.unwrap().contact();
        let event = Ingest {
            channel: "shop".to_owned(),
            contact,
            dedupe: "wamid.1".to_owned(),
            payload: b"{}".to_vec(),
            said_at: None,
            quiet: Duration::ZERO,
            quiet_max: Duration::ZERO,
            history: None,
        };
        store.ingest(&[event]).await.unwrap();
        let lease = Duration::from_secs(20);
        let claim = store.claim(contact, Nonce(7), lease).await.unwrap().unwrap();
        let mut session = Session::default();
        session.position.frames.push(Frame {
            flow: "desk".to_owned(),
            program: program.hash.clone(),
            at: "desk/hello.name".to_owned(),
            anchor: String::new(),
            visit: 1,
            misses: 0,
            gathered: 0,
            page: 0,
            silences: 0,
            locals: BTreeMap::new(),
            talk: None,
            options: Vec::new(),
        });
        let turn = TurnCommit {
            contact,
            fence: claim.fence,
            nonce: claim.nonce,
            upto: claim.events.last().unwrap().seq,
            session: Keep::Write(session.to_bytes()),
            memory: Keep::AsItIs,
            owner: None,
            outbox: Vec::new(),
            set_timers: Vec::new(),
            cancel_timers: Vec::new(),
            jobs: Vec::new(),
            history: Vec::new(),
            quiet: Duration::ZERO,
        };
        assert_eq!(store.commit(&turn).await.unwrap(), Committed::Done);
    }

    #[tokio::test]
    async fn a_former_program_stays_while_somebody_is_amid_it_and_goes_a_week_after_or_at_ninety_days() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(MovableClock::default());
        let store =
            SqliteStore::open(folder.path().join("store.db"), Caps::default(), clock.clone()).unwrap();
        let programs: Vec<Program> = (0..5).map(program).collect();
        for program in &programs {
            keep(&store, program).await.unwrap();
        }
        is_amid(&store, &programs[1]).await;
        let days = |days: u64| clock.advance(Duration::from_secs(days * 24 * 3600));
        let stop = CancellationToken::new();
        let clear = || former::clear_away(&store, &stop);
        days(6);
        assert_eq!(clear().await.unwrap(), 0, "all were live lately");
        // The first is live again: it is no former one.
        keep(&store, &programs[0]).await.unwrap();
        days(2);
        assert_eq!(clear().await.unwrap(), 2, "2 and 3; 4 was live two days ago");
        assert_eq!(kept(&store, &programs).await, 3);
        assert!(
            super::program(&store, "program-1").await.unwrap().is_some(),
            "somebody is amid it"
        );
        days(8);
        assert_eq!(clear().await.unwrap(), 1);
        assert_eq!(kept(&store, &programs[..2]).await, 2);
        for _ in 0..11 {
            days(7);
            clear().await.unwrap();
        }
        assert_eq!(
            kept(&store, &programs[..2]).await,
            1,
            "nothing stays for longer than ninety days"
        );
        let good = last_good(&store).await.unwrap().expect("a program");
        assert_eq!(good.hash, "program-0");
    }

    #[test]
    fn a_file_that_is_no_text_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("photo.flow"), b"\xff\xd8\xff").unwrap();
        let why = compile_folder(folder.path()).unwrap_err().to_string();
        assert!(why.contains("photo.flow"), "{why}");
    }
}

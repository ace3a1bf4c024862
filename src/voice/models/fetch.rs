//! Getting a model file: streamed beside its final place, checked by size and SHA-256, then renamed. Whoever sees
//! the final name sees a whole, right file. An interrupted download goes on where it stopped.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Response, StatusCode, Url};
use sha2::{Digest, Sha256};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Model, PUBLIC_HOME};

/// How long the other side may say nothing.
const PATIENCE: Duration = Duration::from_secs(60);

const BLOCK: usize = 256 * 1024;

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The repository of whisper.cpp on Hugging Face.
    PublicHome,
    /// A server with the same files: a folder, or the address of the very file (ending in `.bin`).
    Mirror(Url),
    /// A file that was carried here.
    LocalFile(PathBuf),
}

impl Source {
    /// `http://…` and `https://…` are mirrors, everything else is a path.
    pub fn of(text: &str) -> Source {
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Source::Mirror(url),
            Ok(_) | Err(_) => Source::LocalFile(PathBuf::from(text)),
        }
    }
}

/// A model that is now there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub path: PathBuf,
    /// It was there before, whole and right.
    pub already: bool,
}

/// Why a model could not be had; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(
        "{url} can't be reached: {why}. Without a way to it, use a mirror (--from URL) or a file (--from FILE)"
    )]
    Unreachable { url: Url, why: String },

    #[error(
        "{url} answered {status}. Is the address right? A mirror is given with --from URL, a file with --from FILE"
    )]
    Refused { url: Url, status: StatusCode },

    #[error("the download stopped at {at} of {of} bytes: {why}. Run the command again to go on from there")]
    Interrupted { at: u64, of: u64, why: String },

    #[error("{from} has {found} bytes, but {model} has {expected}: it is another file or only part of it")]
    WrongSize {
        from: String,
        model: &'static str,
        found: u64,
        expected: u64,
    },

    #[error(
        "{from} has SHA-256 {found}, but {model} has {expected}: it is damaged or not that model, and was thrown away"
    )]
    WrongSum {
        from: String,
        model: &'static str,
        found: String,
        expected: &'static str,
    },

    #[error("the disk is full: {} needs {needed} bytes", path.display())]
    DiskFull { path: PathBuf, needed: u64 },

    #[error("{}: {why}", path.display())]
    Disk { path: PathBuf, why: String },
}

impl FetchError {
    /// True if the other side or the way to it is the trouble, not this machine.
    pub fn is_remote(&self) -> bool {
        match self {
            FetchError::Unreachable { .. } | FetchError::Refused { .. } | FetchError::Interrupted { .. } => {
                true
            }
            FetchError::WrongSize { .. } | FetchError::WrongSum { .. } => true,
            FetchError::DiskFull { .. } | FetchError::Disk { .. } => false,
        }
    }
}

/// Puts `model` into `dir` under its own file name. `progress` is told the bytes that are there so far.
pub async fn fetch(
    model: &Model,
    from: &Source,
    dir: &Path,
    progress: &dyn Fn(u64),
) -> Result<Fetched, FetchError> {
    let path = dir.join(model.file);
    if is_whole(&path, model).await {
        return Ok(Fetched { path, already: true });
    }
    fs::create_dir_all(dir)
        .await
        .map_err(|error| disk(dir, model, &error))?;
    let part = dir.join(format!("{}.part", model.file));
    let name = match bring(model, from, &part, progress).await {
        Ok(name) => name,
        Err(error) => {
            // What holds nothing yet is no beginning to go on from.
            if fs::metadata(&part).await.is_ok_and(|part| part.len() == 0) {
                let _ = fs::remove_file(&part).await;
            }
            return Err(error);
        }
    };
    fs::rename(&part, &path)
        .await
        .map_err(|error| disk(&path, model, &error))?;
    tracing::info!(model = model.name, from = name, path = %path.display(), "speech model fetched");
    Ok(Fetched { path, already: false })
}

/// Fills `part` and checks it; gives the name of where it came from.
async fn bring(
    model: &Model,
    from: &Source,
    part: &Path,
    progress: &dyn Fn(u64),
) -> Result<String, FetchError> {
    match from {
        Source::PublicHome => {
            let home = Url::parse(PUBLIC_HOME).map_err(|error| FetchError::Disk {
                path: part.to_owned(),
                why: format!("the built-in address is wrong: {error}"),
            })?;
            download(model, address(&home, model), part, progress).await
        }
        Source::Mirror(url) => download(model, address(url, model), part, progress).await,
        Source::LocalFile(file) => copy(model, file, part, progress).await,
    }
}

async fn is_whole(path: &Path, model: &Model) -> bool {
    match fs::metadata(path).await {
        Ok(there) if there.len() == model.bytes => {}
        Ok(_) | Err(_) => return false,
    }
    let mut sum = Sha256::new();
    match File::open(path).await {
        Ok(mut file) => read_into(&mut file, &mut sum).await.is_ok() && hex(sum) == model.sha256,
        Err(_) => false,
    }
}

fn address(mirror: &Url, model: &Model) -> Url {
    if mirror.path().ends_with(".bin") {
        return mirror.clone();
    }
    let mut url = mirror.clone();
    let folder = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{folder}/{}", model.file));
    url
}

async fn download(
    model: &Model,
    url: Url,
    part: &Path,
    progress: &dyn Fn(u64),
) -> Result<String, FetchError> {
    let mut copying = Copying::resumed(model, part).await?;
    let unreachable = |error: reqwest::Error| FetchError::Unreachable {
        url: url.clone(),
        why: cause(&error.without_url()),
    };
    let client = reqwest::Client::builder()
        .connect_timeout(PATIENCE)
        .read_timeout(PATIENCE)
        .user_agent(concat!("switchboard/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(unreachable)?;
    let mut request = client.get(url.clone());
    if copying.at > 0 {
        request = request.header(RANGE, format!("bytes={}-", copying.at));
    }
    let mut answer = request.send().await.map_err(unreachable)?;
    match answer.status() {
        StatusCode::OK => copying = Copying::fresh(model, part).await?,
        StatusCode::PARTIAL_CONTENT if continues_at(&answer) == Some(copying.at) => {}
        // The server's file is shorter than what is here already, or it sends another part than was asked for.
        StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT => {
            copying = Copying::fresh(model, part).await?;
            answer = client.get(url.clone()).send().await.map_err(unreachable)?;
            if answer.status() != StatusCode::OK {
                return Err(FetchError::Refused {
                    url,
                    status: answer.status(),
                });
            }
        }
        status => return Err(FetchError::Refused { url, status }),
    }
    if let Some(rest) = answer.content_length() {
        // Seen before a byte is fetched: a page of words instead of the file, or another model.
        copying.expect(url.as_str(), copying.at + rest)?;
    }
    loop {
        match answer.chunk().await {
            Ok(Some(block)) => copying.write(url.as_str(), &block).await?,
            Ok(None) => break,
            Err(error) => {
                let (at, of) = (copying.at, model.bytes);
                copying.pause().await?;
                return Err(FetchError::Interrupted {
                    at,
                    of,
                    why: cause(&error.without_url()),
                });
            }
        }
        progress(copying.at);
    }
    copying.finish(url.as_str()).await?;
    Ok(url.to_string())
}

async fn copy(model: &Model, from: &Path, part: &Path, progress: &dyn Fn(u64)) -> Result<String, FetchError> {
    let name = from.display().to_string();
    let unreadable = |error: std::io::Error| FetchError::Disk {
        path: from.to_owned(),
        why: error.to_string(),
    };
    let mut file = File::open(from).await.map_err(unreadable)?;
    let size = file.metadata().await.map_err(unreadable)?.len();
    let mut copying = Copying::fresh(model, part).await?;
    copying.expect(&name, size)?;
    let mut block = vec![0; BLOCK];
    loop {
        let count = file.read(&mut block).await.map_err(unreadable)?;
        if count == 0 {
            break;
        }
        copying.write(&name, &block[..count]).await?;
        progress(copying.at);
    }
    copying.finish(&name).await?;
    Ok(name)
}

/// The file being written, with the sum of what is in it.
struct Copying<'a> {
    model: &'a Model,
    path: &'a Path,
    file: File,
    sum: Sha256,
    at: u64,
}

impl<'a> Copying<'a> {
    async fn fresh(model: &'a Model, path: &'a Path) -> Result<Copying<'a>, FetchError> {
        let file = File::create(path)
            .await
            .map_err(|error| disk(path, model, &error))?;
        Ok(Copying {
            model,
            path,
            file,
            sum: Sha256::new(),
            at: 0,
        })
    }

    /// Goes on with what an earlier run left, if that is a beginning of the right length.
    async fn resumed(model: &'a Model, path: &'a Path) -> Result<Copying<'a>, FetchError> {
        let opened = OpenOptions::new().read(true).append(true).open(path).await;
        let mut file = match opened {
            Ok(file) => file,
            Err(_) => return Copying::fresh(model, path).await,
        };
        let mut sum = Sha256::new();
        match read_into(&mut file, &mut sum).await {
            Ok(at) if at < model.bytes => Ok(Copying {
                model,
                path,
                file,
                sum,
                at,
            }),
            Ok(_) | Err(_) => Copying::fresh(model, path).await,
        }
    }

    fn expect(&self, from: &str, size: u64) -> Result<(), FetchError> {
        let (model, expected) = (self.model.file, self.model.bytes);
        match size == expected {
            true => Ok(()),
            false => Err(FetchError::WrongSize {
                from: from.to_owned(),
                model,
                found: size,
                expected,
            }),
        }
    }

    async fn write(&mut self, from: &str, block: &[u8]) -> Result<(), FetchError> {
        if self.at + block.len() as u64 > self.model.bytes {
            self.throw_away().await;
            self.expect(from, self.at + block.len() as u64)?;
        }
        self.file
            .write_all(block)
            .await
            .map_err(|error| disk(self.path, self.model, &error))?;
        self.sum.update(block);
        self.at += block.len() as u64;
        Ok(())
    }

    /// Leaves the file for the next run.
    async fn pause(&mut self) -> Result<(), FetchError> {
        self.file
            .flush()
            .await
            .map_err(|error| disk(self.path, self.model, &error))
    }

    async fn finish(mut self, from: &str) -> Result<(), FetchError> {
        self.pause().await?;
        if self.at < self.model.bytes {
            let why = "the other side ended early".to_owned();
            return Err(FetchError::Interrupted {
                at: self.at,
                of: self.model.bytes,
                why,
            });
        }
        self.file
            .sync_all()
            .await
            .map_err(|error| disk(self.path, self.model, &error))?;
        let found = hex(std::mem::take(&mut self.sum));
        if found != self.model.sha256 {
            self.throw_away().await;
            let (model, expected) = (self.model.file, self.model.sha256);
            return Err(FetchError::WrongSum {
                from: from.to_owned(),
                model,
                found,
                expected,
            });
        }
        Ok(())
    }

    /// A wrong file must not be gone on with. If it can't be removed, the next run meets the same error.
    async fn throw_away(&self) {
        if let Err(error) = fs::remove_file(self.path).await {
            tracing::warn!(path = %self.path.display(), %error, "a wrong download could not be removed");
        }
    }
}

async fn read_into(file: &mut File, sum: &mut Sha256) -> std::io::Result<u64> {
    let mut block = vec![0; BLOCK];
    let mut at = 0;
    loop {
        match file.read(&mut block).await? {
            0 => return Ok(at),
            count => {
                sum.update(&block[..count]);
                at += count as u64;
            }
        }
    }
}

/// From `Content-Range: bytes 4096-77691712/77691713`.
fn continues_at(answer: &Response) -> Option<u64> {
    let range = answer.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

/// reqwest hides the reason ("connection refused") behind a general sentence.
fn cause(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

fn hex(sum: Sha256) -> String {
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn disk(path: &Path, model: &Model, error: &std::io::Error) -> FetchError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FetchError::DiskFull {
            path: path.to_owned(),
            needed: model.bytes,
        },
        _ => FetchError::Disk {
            path: path.to_owned(),
            why: error.to_string(),
        },
    }
}

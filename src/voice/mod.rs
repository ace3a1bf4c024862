//! Voice notes to words: the bytes of a note become 16 kHz sound ([`audio`]), and a model on this machine hears the
//! words in it. The words then take the message's place on the road; the sound never reaches the engine.
//!
//! [`Transcriber::transcribe`] blocks for about a tenth of the note's length, so callers run it on a blocking
//! thread. It knows nothing of chats, sessions or flows.

pub mod audio;
pub mod models;
pub mod test_support;
#[cfg(feature = "voice")]
mod whisper;
#[cfg(feature = "voice")]
mod words;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use audio::{AudioError, Kind, Limits};

/// whisper.cpp reports the layout of every model it loads at info level. A log filter that wants info from
/// Switchboard but not this puts the directive after its own.
pub const LOG_DIRECTIVE: &str = "whisper_rs=warn";

/// Something that hears words in a voice note.
pub trait Transcriber: Send + Sync + fmt::Debug {
    /// Blocks until the words are there. `language` is the language the speaker most likely uses ("en", "pt-BR");
    /// it gives way to a language fixed by [`Settings::language`].
    fn transcribe(&self, note: &[u8], language: Option<&str>) -> Result<Transcript, VoiceError>;
}

/// What was said.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// Never empty: a note without words is [`VoiceError::Silence`].
    pub text: String,
    /// The language heard or assumed, as a two or three letter code.
    pub language: String,
    /// Length of the note.
    pub seconds: f64,
    /// Decoding and hearing, without waiting for a free place in the pool.
    pub took: Duration,
    /// What the file really was.
    pub kind: Kind,
    /// The file ended in the middle: these are the words before the break.
    pub cut_short: bool,
}

/// Why there are no words.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum VoiceError {
    /// A good recording in which nobody says anything.
    #[error("nobody speaks in this note of {seconds:.1} s")]
    Silence { seconds: f64 },

    /// The file itself is the trouble; another note may work.
    #[error(transparent)]
    NotUsable(#[from] AudioError),

    /// The model ran longer than [`Settings::slowest`] allows and was stopped.
    #[error("hearing {seconds:.1} s of sound took longer than the limit of {:.1} s and was stopped", limit.as_secs_f64())]
    TooSlow { seconds: f64, limit: Duration },

    /// No note can be heard until somebody mends this.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),

    /// The model failed on this note.
    #[error("the speech model failed: {why}")]
    Failed { why: String },
}

impl VoiceError {
    /// A word for logs, counters and JSON; it stays the same between versions.
    pub fn reason(&self) -> &'static str {
        match self {
            VoiceError::Silence { .. } => "silence",
            VoiceError::NotUsable(error) => error.reason(),
            VoiceError::TooSlow { .. } => "too_slow",
            VoiceError::Unavailable(_) => "unavailable",
            VoiceError::Failed { .. } => "failed",
        }
    }
}

/// Why speech can't be had at all, for the person who installed Switchboard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    #[error("there is no speech model at {}; get one with `switchboard voice fetch tiny`", path.display())]
    NoModel { path: PathBuf },

    #[error("{} is not a whisper.cpp model (GGML file); get one with `switchboard voice fetch tiny`", path.display())]
    NotAModel { path: PathBuf },

    #[error("the speech model {} can't be loaded: {why}", path.display())]
    NotLoaded { path: PathBuf, why: String },

    #[error(
        "this switchboard was built without speech; build it with `cargo build --release --features voice` (needs \
         cmake and a C++ compiler)"
    )]
    NotBuilt,
}

/// What speech costs and which model is used. The model is loaded once (85 MB for tiny); each place of the pool
/// adds its own buffers (60 MB with tiny and a note of ten seconds, more for larger models and longer notes).
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The GGML file.
    pub model: PathBuf,
    /// Always this language. `None` takes the caller's hint, and without one the model listens which it is, which
    /// takes as long again as hearing the words.
    pub language: Option<String>,
    /// Threads for one note. Never more run than there are cores for all places together: whisper.cpp's threads wait
    /// for each other by spinning, and three of them on two cores are a hundred times slower than one.
    pub threads: usize,
    /// Notes heard at the same time; more wait for a place.
    pub parallel: usize,
    pub limits: Limits,
    /// Hearing may take this many times the note's length,
    pub slowest: f64,
    /// plus this: a short note pays the same start as a long one.
    pub grace: Duration,
}

impl Settings {
    /// A note at a time on half of the cores, four at most: the other half answers customers who write.
    pub fn new(model: impl Into<PathBuf>) -> Settings {
        Settings {
            model: model.into(),
            language: None,
            threads: (cores() / 2).clamp(1, 4),
            parallel: 1,
            limits: Limits::default(),
            slowest: 2.0,
            grace: Duration::from_secs(20),
        }
    }
}

/// Cores that this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get())
}

/// Loads the model; about a tenth of a second for tiny and base.
#[cfg(feature = "voice")]
pub fn load(settings: Settings) -> Result<Arc<dyn Transcriber>, Unavailable> {
    Ok(Arc::new(whisper::Whisper::load(settings)?))
}

/// Without the `voice` feature there is nothing to load.
#[cfg(not(feature = "voice"))]
pub fn load(_settings: Settings) -> Result<Arc<dyn Transcriber>, Unavailable> {
    Err(Unavailable::NotBuilt)
}

//! `switchboard transcribe FILE`: the road of a voice note up to its words, on one file.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::json;

use super::Exit;
use super::voice::MODEL_DIR;
use crate::voice::{self, Settings, Transcript, VoiceError, models};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A voice message: Ogg/Opus, M4A, WebM, AAC, MP3 or WAV, whatever its name says
    file: PathBuf,
    /// A model's name (tiny, tiny.en, base, small) or a GGML file
    #[arg(long, default_value = "tiny")]
    model: String,
    /// The folder with the models
    #[arg(long, value_name = "DIR", default_value = MODEL_DIR)]
    dir: PathBuf,
    /// The language spoken, such as en or pt; without it the model finds out
    #[arg(long, value_name = "CODE")]
    language: Option<String>,
    /// Threads to use [default: half of the cores, up to 4]
    #[arg(long)]
    threads: Option<usize>,
    /// Say on standard error how long everything took
    #[arg(long)]
    timings: bool,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The words
    Text,
    /// One JSON object: text, language, seconds, took, kind, cut_short; or error, message
    Json,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let note = std::fs::read(&args.file).with_context(|| args.file.display().to_string())?;
    let mut settings = Settings::new(model_path(&args.model, &args.dir));
    settings.language.clone_from(&args.language);
    settings.threads = args.threads.unwrap_or(settings.threads);
    let started = Instant::now();
    let loaded = voice::load(settings);
    let loading = started.elapsed();
    let heard = loaded
        .map_err(VoiceError::from)
        .and_then(|voice| voice.transcribe(&note, None));
    if args.timings {
        timings(loading, heard.as_ref().ok())?;
    }
    match args.format {
        Format::Text => say(&heard)?,
        Format::Json => writeln!(std::io::stdout(), "{}", as_json(&heard))?,
    }
    Ok(exit(&heard))
}

/// A file without words is a finding; everything else is for whoever runs this machine to mend.
fn exit(heard: &Result<Transcript, VoiceError>) -> Exit {
    match heard {
        Ok(_) => Exit::Good,
        Err(VoiceError::Silence { .. } | VoiceError::NotUsable(_)) => Exit::Findings,
        Err(VoiceError::TooSlow { .. } | VoiceError::Unavailable(_) | VoiceError::Failed { .. }) => {
            Exit::Environment
        }
    }
}

/// A name stands for the file `switchboard voice fetch` puts into `dir`; everything else is a path.
fn model_path(model: &str, dir: &Path) -> PathBuf {
    match models::named(model) {
        Some(known) => dir.join(known.file),
        None => PathBuf::from(model),
    }
}

fn say(heard: &Result<Transcript, VoiceError>) -> std::io::Result<()> {
    let mut notes = std::io::stderr();
    match heard {
        Ok(transcript) => {
            if transcript.cut_short {
                writeln!(
                    notes,
                    "the file is cut off; these are the words before the break:"
                )?;
            }
            writeln!(std::io::stdout(), "{}", transcript.text)
        }
        Err(error) => writeln!(notes, "switchboard: {error}"),
    }
}

fn as_json(heard: &Result<Transcript, VoiceError>) -> serde_json::Value {
    match heard {
        Ok(transcript) => json!({
            "text": transcript.text,
            "language": transcript.language,
            "seconds": transcript.seconds,
            "took": transcript.took.as_secs_f64(),
            "kind": transcript.kind,
            "cut_short": transcript.cut_short,
        }),
        Err(error) => json!({ "error": error.reason(), "message": error.to_string() }),
    }
}

fn timings(loading: Duration, heard: Option<&Transcript>) -> std::io::Result<()> {
    let mut notes = std::io::stderr();
    writeln!(notes, "model loaded in {:.2} s", loading.as_secs_f64())?;
    if let Some(heard) = heard {
        let took = heard.took.as_secs_f64();
        writeln!(
            notes,
            "{:.1} s of {} heard in {took:.2} s, {:.3} of its length",
            heard.seconds,
            heard.kind,
            took / heard.seconds
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voice::Unavailable;
    use crate::voice::audio::{AudioError, Kind};

    fn words() -> Transcript {
        Transcript {
            text: "Track my order.".into(),
            language: "en".into(),
            seconds: 1.5,
            took: Duration::from_millis(250),
            kind: Kind::OggOpus,
            cut_short: false,
        }
    }

    #[test]
    fn every_outcome_has_its_exit_code_and_json() {
        let path = PathBuf::from("models/ggml-tiny.bin");
        let outcomes = [
            (
                Ok(words()),
                Exit::Good,
                json!({ "text": "Track my order.", "language": "en", "seconds": 1.5, "took": 0.25,
                        "kind": "ogg_opus", "cut_short": false }),
            ),
            (
                Err(VoiceError::Silence { seconds: 3.0 }),
                Exit::Findings,
                json!({ "error": "silence", "message": "nobody speaks in this note of 3.0 s" }),
            ),
            (
                Err(AudioError::Empty.into()),
                Exit::Findings,
                json!({ "error": "empty", "message": "the audio is empty: the file has no bytes" }),
            ),
            (
                Err(Unavailable::NoModel { path }.into()),
                Exit::Environment,
                json!({ "error": "unavailable", "message": "there is no speech model at models/ggml-tiny.bin; \
                        get one with `switchboard voice fetch tiny`" }),
            ),
        ];
        for (heard, code, shown) in outcomes {
            assert_eq!(exit(&heard), code, "{heard:?}");
            assert_eq!(as_json(&heard), shown);
        }
    }

    #[test]
    fn a_model_is_named_or_pointed_at() {
        let dir = Path::new("models");
        assert_eq!(model_path("tiny", dir), Path::new("models/ggml-tiny.bin"));
        assert_eq!(model_path("elsewhere/my.bin", dir), Path::new("elsewhere/my.bin"));
    }
}

//! `switchboard voice`: get a speech model onto this machine, and see which there are.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use super::Exit;
use crate::voice::models::{self, MODELS, Model, Source};

/// Where commands look for models unless told otherwise.
pub(super) const MODEL_DIR: &str = "models";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Get a model, checked by size and SHA-256
    Fetch(FetchArgs),
    /// List the models there are
    Models,
}

#[derive(Debug, clap::Args)]
struct FetchArgs {
    /// tiny, tiny.en, base or small
    #[arg(value_parser = model)]
    model: &'static Model,
    /// A mirror (http:// or https://) or a local file instead of the public home of whisper.cpp's models
    #[arg(long, value_name = "URL|FILE", value_parser = |text: &str| Ok::<_, String>(Source::of(text)))]
    from: Option<Source>,
    /// The folder to put it in
    #[arg(long, value_name = "DIR", default_value = MODEL_DIR)]
    dir: PathBuf,
}

fn model(name: &str) -> Result<&'static Model, String> {
    models::named(name).ok_or_else(|| {
        let names: Vec<_> = MODELS.iter().map(|model| model.name).collect();
        format!("there is no model {name}; there are {}", names.join(", "))
    })
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    match &args.command {
        Command::Fetch(args) => fetch(args),
        Command::Models => list(),
    }
}

fn fetch(args: &FetchArgs) -> Result<Exit> {
    let source = args.from.clone().unwrap_or(Source::PublicHome);
    let bar = progress_bar(args.model.bytes);
    let mut notes = std::io::stderr();
    if bar.is_hidden() {
        writeln!(
            notes,
            "fetching {} ({} MB)",
            args.model.file,
            megabytes(args.model)
        )?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(models::fetch(args.model, &source, &args.dir, &|at| {
        bar.set_position(at)
    }));
    bar.finish_and_clear();
    match result {
        Ok(fetched) => {
            let word = if fetched.already {
                "already there"
            } else {
                "fetched"
            };
            writeln!(notes, "{word}, size and SHA-256 checked:")?;
            writeln!(std::io::stdout(), "{}", fetched.path.display())?;
            Ok(Exit::Good)
        }
        Err(error) => {
            writeln!(notes, "switchboard: {error}")?;
            let remote = error.is_remote() && !matches!(source, Source::LocalFile(_));
            Ok(if remote { Exit::Remote } else { Exit::Environment })
        }
    }
}

/// Draws on a terminal only; indicatif hides itself elsewhere.
fn progress_bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    if let Ok(style) =
        ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes} · {bytes_per_sec} · {eta} left")
    {
        bar.set_style(style);
    }
    bar
}

fn list() -> Result<Exit> {
    let mut out = std::io::stdout().lock();
    for model in &MODELS {
        writeln!(
            out,
            "{:<8} {:>4} MB  {:<18} {}",
            model.name,
            megabytes(model),
            model.file,
            model.about
        )?;
    }
    Ok(Exit::Good)
}

fn megabytes(model: &Model) -> u64 {
    model.bytes / 1_000_000
}

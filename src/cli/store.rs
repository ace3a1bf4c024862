//! `switchboard store`: all records of a store out to a file, and in again, between any two stores.

use std::io::{BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::Exit;
use super::opened::{Format, Missing, Where};
use crate::store::{Imported, Record, Store};

/// Of the file: a head, one record a line, and an end that counts them.
const VERSION: u32 = 1;
/// Records in one step.
const BATCH: usize = 100;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    at: Where,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write all records into a file of JSON lines
    Export {
        /// The file, or - for standard output
        file: PathBuf,
    },
    /// Read the records of such a file into the store; contacts that are there otherwise are refused
    Import {
        /// The file, or - for standard input
        file: PathBuf,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    switchboard_records: u32,
    written_by: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct End {
    end: u64,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    match &args.command {
        Command::Export { file } => args
            .at
            .work(Missing::Refuse, async |store| export(store.as_ref(), file).await),
        Command::Import { file, format } => args.at.work(Missing::Make, async |store| {
            import(store.as_ref(), file, *format).await
        }),
    }?;
    Ok(Exit::Good)
}

async fn export(store: &dyn Store, file: &Path) -> Result<()> {
    if file == Path::new("-") {
        return write_all(store, BufWriter::new(std::io::stdout().lock())).await;
    }
    // Whole or not at all, and never over another file by half.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut part = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
        .with_context(|| format!("{} can't be written", file.display()))?;
    write_all(store, BufWriter::new(part.as_file_mut())).await?;
    part.as_file().sync_all()?;
    part.persist(file)
        .with_context(|| format!("{} can't be written", file.display()))?;
    Ok(())
}

async fn write_all(store: &dyn Store, mut out: impl Write) -> Result<()> {
    line(
        &mut out,
        &Head {
            switchboard_records: VERSION,
            written_by: concat!("switchboard ", env!("CARGO_PKG_VERSION")).to_owned(),
        },
    )?;
    let mut progress = Progress::new("exported");
    let mut after = None;
    loop {
        let page = store.export(after.as_ref(), BATCH).await?;
        for record in &page.records {
            line(&mut out, record)?;
        }
        progress.add(page.records.len());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    line(&mut out, &End { end: progress.done })?;
    out.flush()?;
    progress.end();
    Ok(())
}

fn line(out: &mut impl Write, value: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)?;
    Ok(())
}

async fn import(store: &dyn Store, file: &Path, format: Format) -> Result<()> {
    let lines: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        let opened =
            std::fs::File::open(file).with_context(|| format!("{} can't be read", file.display()))?;
        Box::new(BufReader::new(opened))
    };
    let mut lines = lines.lines().enumerate();
    let head = lines
        .next()
        .map(|(_, line)| line)
        .transpose()?
        .unwrap_or_default();
    let head: Head = serde_json::from_str(&head).map_err(|_| {
        Exit::Usage.because("this is no export of a store: its first line is not the head of one")
    })?;
    if head.switchboard_records > VERSION {
        return Err(Exit::Environment.because(format!(
            "the export is of a newer Switchboard ({}, version {} of the format; this one reads up to {VERSION}). Use \
             the newer version",
            head.written_by, head.switchboard_records
        )));
    }
    let mut progress = Progress::new("imported");
    let (mut batch, mut sum, mut end) = (Vec::new(), Imported::default(), None);
    for (n, line) in lines {
        let line = line?;
        if let Ok(End { end: count }) = serde_json::from_str(&line) {
            end = Some(count);
            continue;
        }
        let record: Record = serde_json::from_str(&line)
            .map_err(|why| Exit::Usage.because(format!("line {} can't be read: {why}", n + 1)))?;
        batch.push(record);
        if batch.len() == BATCH {
            write_batch(store, &mut batch, &mut sum, &mut progress).await?;
        }
    }
    write_batch(store, &mut batch, &mut sum, &mut progress).await?;
    progress.end();
    if end != Some(progress.done) {
        return Err(Exit::Environment.because(format!(
            "the file ends early: {} records were imported and stay. Import the whole file again; what is there is \
             passed over",
            progress.done
        )));
    }
    match format {
        Format::Text => println!(
            "{} records written, {} were there already, {} settings kept as they were",
            sum.written, sum.same, sum.kept
        ),
        Format::Json => println!(
            "{}",
            serde_json::json!({ "written": sum.written, "same": sum.same, "kept": sum.kept })
        ),
    }
    Ok(())
}

async fn write_batch(
    store: &dyn Store,
    batch: &mut Vec<Record>,
    sum: &mut Imported,
    progress: &mut Progress,
) -> Result<()> {
    let done = store.import(batch).await.with_context(|| {
        format!(
            "{} records were imported before and stay; import the file again once this is mended",
            progress.done
        )
    })?;
    sum.written += done.written;
    sum.same += done.same;
    sum.kept += done.kept;
    progress.add(batch.len());
    batch.clear();
    Ok(())
}

/// On standard error, if somebody looks.
struct Progress {
    what: &'static str,
    done: u64,
    shown: bool,
}

impl Progress {
    fn new(what: &'static str) -> Progress {
        Progress {
            what,
            done: 0,
            shown: std::io::stderr().is_terminal(),
        }
    }

    fn add(&mut self, records: usize) {
        self.done += records as u64;
        if self.shown {
            eprint!("\r{} records {}", self.done, self.what);
        }
    }

    fn end(&self) {
        if self.shown {
            eprintln!();
        }
    }
}

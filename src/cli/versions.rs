//! `switchboard versions`: what was published, what is different between two versions, and back to an earlier one.

use std::path::PathBuf;

use super::Exit;
use super::opened::Format;
use super::publishing::{self, Ask};
use crate::server::difference;
use crate::server::door::Door;
use crate::server::stored::Written;
use crate::server::versions::{self, Candidate, Said, Version, Versions};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration that names the store
    #[arg(long, value_name = "FILE", default_value = "switchboard.toml", global = true)]
    config: PathBuf,
    #[arg(long, value_enum, default_value_t, global = true)]
    format: Format,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// All versions that are kept, the latest first
    List,
    /// What B has that A had not, in words
    Diff {
        #[arg(value_name = "A")]
        before: u32,
        #[arg(value_name = "B")]
        now: u32,
    },
    /// Publish an earlier version again
    Rollback {
        #[arg(value_name = "N")]
        number: u32,
        /// Only say what would change, and for whom
        #[arg(long)]
        dry_run: bool,
        /// Do it without asking, whomever it touches
        #[arg(long, conflicts_with = "dry_run")]
        yes: bool,
    },
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    publishing::with_door(&args.config, async |written, door| {
        work(args, written, door).await
    })
}

async fn work(args: &Args, written: &Written, door: &Door) -> anyhow::Result<Exit> {
    match &args.what {
        What::List => {
            let listed = versions::list(door).await.map_err(publishing::explained)?;
            match args.format {
                Format::Json => println!("{}", serde_json::to_string_pretty(&listed)?),
                Format::Text => print!("{}", listing(&listed)),
            }
            Ok(Exit::Good)
        }
        What::Diff { before, now } => diff(door, *before, *now, args.format).await,
        What::Rollback { number, dry_run, yes } => {
            let candidate = Candidate::of_version(door, *number)
                .await
                .map_err(publishing::explained)?;
            let ask = Ask::of(*dry_run, *yes);
            publishing::publish(candidate, &Said::default(), written, door, ask, args.format).await
        }
    }
}

async fn diff(door: &Door, before: u32, now: u32, format: Format) -> anyhow::Result<Exit> {
    let (old, old_program) = versions::numbered(door, before)
        .await
        .map_err(publishing::explained)?;
    let (new, new_program) = versions::numbered(door, now)
        .await
        .map_err(publishing::explained)?;
    let found = difference::between(&old_program, &new_program);
    match format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&found)?),
        Format::Text if found.is_empty() && old.hash == new.hash => {
            println!("Versions {before} and {now} have the same flows.");
        }
        Format::Text if found.is_empty() => println!(
            "Versions {before} and {now} say the same in the same steps; what lies between them (conditions, services, timers, memory) is different."
        ),
        Format::Text => {
            println!("From version {before} to version {now}:");
            for line in found.lines() {
                println!("  {line}");
            }
        }
    }
    Ok(Exit::Good)
}

fn listing(listed: &Versions) -> String {
    if listed.versions.is_empty() {
        return "Nothing is published yet.\n".to_owned();
    }
    let mut text = String::new();
    for version in listed.versions.iter().rev() {
        let mark = if version.number == listed.published {
            "published"
        } else {
            ""
        };
        let line = format!(
            "{:>4}  {:<9}  {}  {}  {}  {}  {}",
            version.number,
            mark,
            version.at.strftime("%Y-%m-%d %H:%M UTC"),
            version.hash,
            if version.by.is_empty() { "-" } else { &version.by },
            played(version),
            version.note
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn played(version: &Version) -> String {
    match version.chats {
        None => "without tests".to_owned(),
        Some(0) => "no chats to play".to_owned(),
        Some(1) => "1 chat passed".to_owned(),
        Some(chats) => format!("{chats} chats passed"),
    }
}

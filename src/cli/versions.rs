//! `switchboard versions`: what was published, what is different between two versions, and back to an earlier one.

use std::path::PathBuf;

use jiff::Timestamp;

use super::Exit;
use super::opened::Format;
use super::publishing::{self, Ask};
use crate::server::difference;
use crate::server::door::Door;
use crate::server::stored::Written;
use crate::server::versions::{self, Candidate, Version, Versions};

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
        /// Why, for the list
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
        /// Who goes back, for the list [default: you, as this machine knows you]
        #[arg(long, alias = "as", value_name = "NAME")]
        by: Option<String>,
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
        What::Rollback {
            number,
            dry_run,
            yes,
            note,
            by,
        } => {
            let candidate = Candidate::of_version(door, *number)
                .await
                .map_err(publishing::explained)?;
            let ask = Ask::of(*dry_run, *yes);
            publishing::publish(
                candidate,
                &publishing::said(by.as_ref(), note),
                written,
                door,
                ask,
                args.format,
            )
            .await
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
            minute(version.at),
            version.hash,
            whom(&version.by),
            played(version),
            version.note
        );
        text.push_str(line.trim_end());
        text.push('\n');
        for again in version.again.iter().rev() {
            let line = format!(
                "      {:<9}  {}  over {}  {}  {}",
                "again",
                minute(again.at),
                again.over,
                whom(&again.by),
                again.note
            );
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

fn minute(at: Timestamp) -> impl std::fmt::Display {
    at.strftime("%Y-%m-%d %H:%M UTC")
}

fn whom(by: &str) -> &str {
    if by.is_empty() { "-" } else { by }
}

fn played(version: &Version) -> String {
    match version.chats {
        None => "without tests".to_owned(),
        Some(0) => "no chats to play".to_owned(),
        Some(1) => "1 chat passed".to_owned(),
        Some(chats) => format!("{chats} chats passed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the first versions of Switchboard that could publish wrote.
    const BEFORE: &str = r#"{"published":1,"versions":[
        {"number":1,"hash":"b3:1f","at":"2026-03-02T10:00:00Z","by":"ana","chats":2},
        {"number":2,"hash":"b3:2f","at":"2026-03-03T10:00:00Z","note":"shorter menu"}]}"#;

    #[test]
    fn a_list_that_an_earlier_switchboard_wrote_is_shown_as_it_was() {
        let listed: Versions = serde_json::from_str(BEFORE).unwrap();
        assert_eq!(
            listing(&listed),
            "   2             2026-03-03 10:00 UTC  b3:2f  -  without tests  shorter menu\n   \
             1  published  2026-03-02 10:00 UTC  b3:1f  ana  2 chats passed\n"
        );
        // And written as it was: an earlier one reads it, too.
        let (written, before): (serde_json::Value, serde_json::Value) = (
            serde_json::to_value(&listed).unwrap(),
            serde_json::from_str(BEFORE).unwrap(),
        );
        assert_eq!(written, before);
    }

    #[test]
    fn who_went_back_to_a_version_and_when_stands_below_it_the_latest_first() {
        let mut listed: Versions = serde_json::from_str(BEFORE).unwrap();
        for (at, by, note) in [
            ("2026-03-04T10:00:00Z", "rui", "the menu lost people"),
            ("2026-03-05T10:00:00Z", "", ""),
        ] {
            listed.versions[0].again.push(versions::Again {
                at: at.parse().unwrap(),
                by: by.to_owned(),
                note: note.to_owned(),
                over: 2,
            });
        }
        let text = listing(&listed);
        let below = "2 chats passed\n      again      2026-03-05 10:00 UTC  over 2  -\n      again      2026-03-04 10:00 UTC  over 2  rui  the menu lost people\n";
        assert!(text.ends_with(below), "{text}");
    }
}

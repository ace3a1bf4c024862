//! `switchboard publish`: the flows of the folder become the ones that answer on published numbers, or an earlier version
//! does again.

use std::path::PathBuf;

use anyhow::Context;

use super::Exit;
use super::opened::Format;
use crate::server::config::{ChannelConfig, Config, Runs};
use crate::server::door::{Door, DoorError};
use crate::server::versions::{self, Published, Really, VersionError, Versions};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration that names the flows and the store
    #[arg(long, value_name = "FILE", default_value = "switchboard.toml")]
    config: PathBuf,
    /// What this version is about, for the list
    #[arg(long, value_name = "TEXT", default_value = "", conflicts_with_all = ["back_to", "list"])]
    note: String,
    /// Publish this earlier version again, instead of the folder
    #[arg(long, value_name = "NUMBER", conflicts_with = "list")]
    back_to: Option<u32>,
    /// Only say what would change
    #[arg(long, conflicts_with = "list")]
    dry_run: bool,
    /// List the versions, and publish nothing
    #[arg(long)]
    list: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let config = Config::load(&args.config)?;
    let runtime = tokio::runtime::Runtime::new().context("the runtime can't be started")?;
    runtime.block_on(async {
        let door = Door::open(&config).await.map_err(coded)?;
        let done = work(args, &config, &door).await;
        door.close().await.map_err(coded)?;
        done
    })
}

async fn work(args: &Args, config: &Config, door: &Door) -> anyhow::Result<Exit> {
    if args.list {
        let listed = versions::list(door).await.map_err(explained)?;
        match args.format {
            Format::Json => println!("{}", serde_json::to_string_pretty(&listed)?),
            Format::Text => print!("{}", listing(&listed)),
        }
        return Ok(Exit::Good);
    }
    let really = if args.dry_run { Really::Show } else { Really::Do };
    let published = match args.back_to {
        Some(number) => versions::go_back(door, number, really).await,
        None => versions::publish(door, &config.flows, &args.note, really).await,
    };
    let published = published.map_err(explained)?;
    match args.format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&published)?),
        Format::Text => print!("{}", told(&published, config, really)),
    }
    Ok(Exit::Good)
}

pub(super) fn coded(why: DoorError) -> anyhow::Error {
    match &why {
        DoorError::Silent { .. } | DoorError::Refused { .. } => Exit::Remote.because(why.to_string()),
        DoorError::Store(_) | DoorError::NoToken | DoorError::Contended(_) => why.into(),
    }
}

fn explained(why: VersionError) -> anyhow::Error {
    match why {
        VersionError::Door(why) => coded(why),
        VersionError::Flows(why) => Exit::Findings.because(why.to_string()),
        VersionError::Unknown { .. } => Exit::Usage.because(why.to_string()),
        VersionError::Unreadable { .. } => why.into(),
    }
}

fn told(published: &Published, config: &Config, really: Really) -> String {
    let version = &published.version;
    let mut text = match (published.new, really) {
        (false, _) => {
            return format!(
                "Nothing to do: version {} ({}) is these flows, and it is published.\n",
                version.number, version.hash
            );
        }
        (true, Really::Do) => format!("Version {} ({}) is published", version.number, version.hash),
        (true, Really::Show) => {
            format!("Version {} ({}) would be published", version.number, version.hash)
        }
    };
    match published.before {
        0 => text.push_str("; none was before.\n"),
        before => text.push_str(&format!("; before it was version {before}.\n")),
    }
    for line in &published.changed {
        text.push_str(&format!("  {line}\n"));
    }
    for path in &published.left {
        text.push_str(&format!(
            "  {path} is too large to be kept with it, and is sent as it is in the folder\n"
        ));
    }
    let numbers: Vec<&str> = config
        .channels
        .iter()
        .filter(|channel: &&ChannelConfig| channel.runs() == Runs::Published)
        .map(|channel| channel.id.as_str())
        .collect();
    text.push_str(&match (numbers.is_empty(), really) {
        (true, _) => "No number runs it: only the published number of an [[agent]] does.\n".to_owned(),
        (false, Really::Do) => {
            format!(
                "It answers on {}; a running server takes it over within a second or two.\n",
                numbers.join(", ")
            )
        }
        (false, Really::Show) => format!("It would answer on {}.\n", numbers.join(", ")),
    });
    text
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
            "{:>4}  {:<9}  {}  {}  {}",
            version.number,
            mark,
            version.at.strftime("%Y-%m-%d %H:%M UTC"),
            version.hash,
            version.note
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

//! `switchboard publish`: the flows of the folder become the ones that answer on published numbers.

use std::path::PathBuf;

use super::Exit;
use super::opened::Format;
use super::publishing::{self, Ask};
use crate::engine::Machine;
use crate::server::door::Door;
use crate::server::rehearsed::rehearse;
use crate::server::stored::Written;
use crate::server::versions::{Candidate, Said};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration that names the flows and the store
    #[arg(long, value_name = "FILE", default_value = "switchboard.toml")]
    config: PathBuf,
    /// What this version is about, for the list
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    /// Who publishes it, for the list [default: you, as this machine knows you]
    #[arg(long, alias = "as", value_name = "NAME")]
    by: Option<String>,
    /// Publish although the conversations were not played; the list says so
    #[arg(long)]
    without_tests: bool,
    /// Only say what would change, and for whom
    #[arg(long)]
    dry_run: bool,
    /// Publish without asking, whomever it touches
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    publishing::with_door(&args.config, async |written, door| {
        work(args, written, door).await
    })
}

async fn work(args: &Args, written: &Written, door: &Door) -> anyhow::Result<Exit> {
    let folder = &written.config.flows;
    let candidate = Candidate::of_folder(door, folder)
        .await
        .map_err(publishing::explained)?;
    let chats = match args.without_tests {
        true => None,
        false => {
            let rehearsed = rehearse(folder, &Machine::load(candidate.program.clone()));
            if let [first, ..] = rehearsed.failed.as_slice() {
                let failed = rehearsed.failed.len();
                return Err(Exit::Findings.because(format!(
                    "{failed} of the conversations beside the flows fail, such as {first}. Nothing is published: run `switchboard test` and mend them, or publish with --without-tests, which the list of versions will say"
                )));
            }
            Some(rehearsed.passed)
        }
    };
    let said = Said {
        chats,
        ..publishing::said(args.by.as_ref(), &args.note)
    };
    let ask = Ask::of(args.dry_run, args.yes);
    publishing::publish(candidate, &said, written, door, ask, args.format).await
}

//! `switchboard doctor`: everything that must be right, one line each, with the next step for what is not.

use std::path::PathBuf;

use anyhow::Context;

use super::Exit;
use crate::server::doctor;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration to look at
    #[arg(long, value_name = "FILE", default_value = "switchboard.toml")]
    config: PathBuf,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Runtime::new().context("the runtime can't be started")?;
    let report = runtime.block_on(doctor::examine(&args.config));
    match args.format {
        Format::Text => print!("{report}"),
        Format::Json => println!("{}", serde_json::to_string_pretty(&report)?),
    }
    Ok(if report.must_be_mended() {
        Exit::Environment
    } else {
        Exit::Good
    })
}

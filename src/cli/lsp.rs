//! `switchboard lsp`: the language server of editors, over standard input and output.

use anyhow::{Context, Result};
use lsp_server::Connection;

use super::Exit;
use crate::lsp::{self, Ended};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Some editors say so; there is no other way
    #[arg(long)]
    stdio: bool,
}

pub(super) fn run(_: &Args) -> Result<Exit> {
    let (connection, threads) = Connection::stdio();
    let ended = lsp::serve(&connection);
    // The writer ends when nobody can send any more.
    drop(connection);
    let ended = ended?;
    threads.join().context("standard input or output broke off")?;
    Ok(match ended {
        Ended::Good => Exit::Good,
        // As the protocol has it.
        Ended::Abrupt => Exit::Findings,
    })
}

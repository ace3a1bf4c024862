//! `switchboard explain F302`: what a code means, why it matters, a wrong and a right example.

use anyhow::Result;

use super::{Exit, check};
use crate::flow::diagnostic::Code;
use crate::flow::explain;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A code such as F302; without one, all of them are listed
    #[arg(value_parser = check::code)]
    code: Option<Code>,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    match args.code {
        Some(code) => println!("{}", explain::page(code).trim_end()),
        None => Code::ALL
            .iter()
            .for_each(|code| println!("{code}  {:?}  {}", code.severity(), code.title())),
    }
    Ok(Exit::Good)
}

//! `switchboard explore`: random customers, and what must hold whatever they do.

use std::path::PathBuf;

use anyhow::Result;

use super::{Exit, files, test};
use crate::chat::coverage::Coverage;
use crate::chat::explore;
use crate::engine::Machine;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of the flows [default: flows, else this folder]
    #[arg(long, value_name = "DIR")]
    flows: Option<PathBuf>,
    /// What each customer does, at most
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    turns: u32,
    /// How many customers
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Only this customer, to play a finding again
    #[arg(long, value_name = "NUMBER", conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Print which exits of each question they took
    #[arg(long)]
    coverage: bool,
}

/// Findings that are told; more are more of the same.
const MOST_TOLD: usize = 5;
/// Lines of the conversation shown before a finding.
const TAIL: usize = 14;

pub(super) fn run(args: &Args) -> Result<Exit> {
    let folder = args.flows.clone().unwrap_or_else(files::default_flows);
    let sources = files::sources(&[folder])?;
    let Some(program) = test::program(&sources) else {
        return Ok(Exit::Findings);
    };
    let machine = Machine::load(program);
    let mut coverage = Coverage::of(machine.program());
    let seeds = match args.seed {
        Some(seed) => seed..=seed,
        None => 1..=args.seeds,
    };
    let (mut played, mut found) = (0_u64, 0_usize);
    for seed in seeds {
        played += 1;
        match explore::explore(&machine, seed, args.turns) {
            Ok(log) => coverage.add(&log),
            Err(finding) => {
                found += 1;
                println!("FOUND  {}", finding.what);
                let from = finding.lines.len().saturating_sub(TAIL);
                finding.lines[from..].iter().for_each(|line| println!("  {line}"));
                println!("  Play it again:  switchboard explore --turns {} --seed {seed}\n", finding.turn);
                if found == MOST_TOLD {
                    println!("there may be more; mend these first");
                    break;
                }
            }
        }
    }
    if args.coverage {
        print!("{}", coverage.table());
    }
    let customers = if played == 1 { "customer" } else { "customers" };
    println!("{played} {customers} of {} turns, {found} found", args.turns);
    Ok(if found > 0 { Exit::Findings } else { Exit::Good })
}

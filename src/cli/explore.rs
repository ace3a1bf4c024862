//! `switchboard explore`: random customers, and what must hold whatever they do.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::opened::Format;
use super::{Exit, files, test};
use crate::chat::coverage::Coverage;
use crate::chat::explore::{Explorer, Finding, Lost};
use crate::engine::Machine;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of the flows [default: flows, else this folder]
    path: Option<PathBuf>,
    /// What each customer does, at most
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
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
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Findings that are told; more are told after these are mended.
const MOST_TOLD: usize = 10;

/// The first walk into each finding, by its cause, and how many there were.
type Found = BTreeMap<String, (Box<Lost>, u64)>;

pub(super) fn run(args: &Args) -> Result<Exit> {
    let folder = args.path.clone().unwrap_or_else(files::default_flows);
    let sources = files::sources(&[folder])?;
    let Some(program) = test::program(&sources) else {
        return Ok(Exit::Findings);
    };
    let machine = Machine::load(program);
    let (first, last) = match args.seed {
        Some(seed) => (seed, seed),
        None => (1, args.seeds),
    };
    let (found, coverage) = walk_all(&machine, first, last, args.turns);
    let explorer = Explorer::new(&machine);
    let mut told: Vec<(Finding, u64, usize)> = found
        .values()
        .map(|(lost, times)| (explorer.tell(lost), *times, lost.turn()))
        .collect();
    told.sort_by_key(|(finding, ..)| finding.seed);
    let more = told.len().saturating_sub(MOST_TOLD);
    told.truncate(MOST_TOLD);
    let customers = last - first + 1;
    match args.format {
        Format::Text => text(args, &told, more, customers, &coverage),
        Format::Json => {
            let findings: Vec<_> = told
                .iter()
                .map(|(finding, times, turn)| {
                    json!({
                        "class": finding.what.class(), "what": finding.what.to_string(), "seed": finding.seed,
                        "turn": turn, "moves": finding.moves, "customers": times, "chat": finding.chat,
                    })
                })
                .collect();
            let (taken, all) = coverage.count();
            let whole = json!({
                "turns": args.turns, "customers": customers, "found": findings, "not_told": more,
                "exits": { "taken": taken, "all": all },
            });
            println!("{}", serde_json::to_string_pretty(&whole)?);
        }
    }
    Ok(if told.is_empty() {
        Exit::Good
    } else {
        Exit::Findings
    })
}

/// What is printed can be kept as a `.chat` file: what is no transcript is a comment.
fn text(args: &Args, told: &[(Finding, u64, usize)], more: usize, customers: u64, coverage: &Coverage) {
    for (finding, times, turn) in told {
        print!("{}", finding.chat);
        println!(
            "# found {times} times; again with  switchboard explore --turns {turn} --seed {}\n",
            finding.seed
        );
    }
    if args.coverage {
        for line in coverage.table().lines() {
            println!("# {line}");
        }
    }
    let who = if customers == 1 { "customer" } else { "customers" };
    let count = told.len() + more;
    if count == 0 {
        println!("# {customers} {who} of {} turns: nothing found", args.turns);
    } else {
        let rest = if more == 0 {
            String::new()
        } else {
            format!(", of which {more} are not told yet")
        };
        println!("# {customers} {who} of {} turns: {count} found{rest}", args.turns);
    }
}

/// Shares the seeds between all processors. What is found does not depend on how.
fn walk_all(machine: &Machine, first: u64, last: u64, turns: u32) -> (Found, Coverage) {
    let bar = progress(last - first + 1);
    let next = AtomicU64::new(first);
    let all = Mutex::new((Found::new(), Coverage::of(machine.program())));
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(last - first + 1) {
            scope.spawn(|| {
                let mut explorer = Explorer::new(machine);
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > last || seed < first {
                        break;
                    }
                    let walked = explorer.walk(seed, turns);
                    // A thread that panicked has said so; the others' findings are good.
                    let mut all = all.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    match walked {
                        Ok(log) => all.1.add(&log),
                        Err(lost) => {
                            let entry = all.0.entry(lost.what.cause());
                            let (kept, times) = entry.or_insert_with(|| (lost.clone(), 0));
                            *times += 1;
                            if lost.seed < kept.seed {
                                *kept = lost;
                            }
                        }
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    all.into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// To standard error: a bar on a terminal, else nothing until there is something to say.
fn progress(customers: u64) -> ProgressBar {
    let bar = ProgressBar::new(customers);
    if !std::io::stderr().is_terminal() {
        eprintln!("exploring with {customers} random customers …");
    }
    if let Ok(style) =
        ProgressStyle::with_template("exploring {bar:30} {pos} of {len} customers, {eta} to go")
    {
        bar.set_style(style);
    }
    bar
}

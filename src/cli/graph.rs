//! `switchboard graph`: a picture of the machine, for reviews and READMEs.

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;

use super::{Exit, files, test};
use crate::engine::Machine;
use crate::flow;
use crate::flow::graph::Graph;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only this flow
    flow: Option<String>,
    /// Folder of the flows [default: flows, else this folder]
    #[arg(long, value_name = "DIR")]
    flows: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t = Format::Mermaid)]
    format: Format,
    /// Colour what the .chat conversations beside the flows take: steps green (every exit), yellow (some) or red (never
    /// entered), arrows green or, if none of them goes that way, dashed and red
    #[arg(long)]
    coverage: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Renders in READMEs and reviews
    Mermaid,
    /// For Graphviz
    Dot,
    Json,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let folder = args.flows.clone().unwrap_or_else(files::default_flows);
    let sources = files::sources(std::slice::from_ref(&folder))?;
    let Some(program) = test::program(&sources) else {
        return Ok(Exit::Findings);
    };
    let only = args.flow.as_deref().map(flow::slug);
    if let Some(name) = &only
        && !program.flows.iter().any(|flow| flow.name == *name)
    {
        let all: Vec<&str> = program.flows.iter().map(|flow| flow.words.as_str()).collect();
        return Err(Exit::Usage.because(format!(
            "there is no flow of that name; there are: {}",
            all.join(", ")
        )));
    }
    let mut graph = Graph::of(&program, only.as_deref());
    if args.coverage {
        let coverage = test::coverage_of(&Machine::load(program), &folder)?;
        graph.cover(&coverage.by_step(), coverage.ways());
    }
    let drawn = match args.format {
        Format::Mermaid => graph.mermaid(),
        Format::Dot => graph.dot(),
        Format::Json => graph.json(),
    };
    println!("{}", drawn.trim_end());
    Ok(Exit::Good)
}

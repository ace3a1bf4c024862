//! `switchboard fmt`: the one layout.

use std::io::{Read, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{Exit, check, files};
use crate::flow::source::Sources;
use crate::flow::{format, render, strings};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files or folders, or - for standard input to standard output [default: flows, else this folder]
    paths: Vec<PathBuf>,
    /// Change nothing; list files that are not formatted
    #[arg(long)]
    check: bool,
    /// Change nothing; print what would change
    #[arg(long)]
    diff: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    if args.paths.iter().any(|path| path.as_os_str() == "-") {
        return standard_input();
    }
    let paths = files::or_default(&args.paths);
    let mut exit = Exit::Good;
    let mut found = files::find(&paths, "flow")?;
    let folders: Vec<PathBuf> = paths.iter().filter(|path| path.is_dir()).cloned().collect();
    found.extend(files::find(&folders, strings::ENDING)?);
    for path in found {
        let text = files::read(&path)?;
        let shown = files::shown(&path);
        match format::format(&shown, &text) {
            Ok(formatted) if formatted == text => {}
            Ok(formatted) => {
                if args.diff {
                    print_diff(&shown, &text, &formatted);
                }
                if args.check {
                    println!("{shown}");
                }
                if args.check || args.diff {
                    exit = Exit::Findings;
                } else {
                    std::fs::write(&path, formatted).with_context(|| format!("can't write {shown}"))?;
                    eprintln!("formatted {shown}");
                }
            }
            Err(mistakes) => {
                let mut sources = Sources::default();
                sources.add(shown, text);
                eprint!("{}", render::text(&sources, &mistakes, check::colour()));
                exit = Exit::Findings;
            }
        }
    }
    Ok(exit)
}

fn standard_input() -> Result<Exit> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .context("standard input is not UTF-8 text")?;
    match format::format("standard input", &text) {
        Ok(formatted) => {
            std::io::stdout().write_all(formatted.as_bytes())?;
            Ok(Exit::Good)
        }
        Err(mistakes) => {
            // What came in goes out, so that an editor loses nothing.
            std::io::stdout().write_all(text.as_bytes())?;
            let mut sources = Sources::default();
            sources.add("standard input", text);
            eprint!("{}", render::text(&sources, &mistakes, false));
            Ok(Exit::Findings)
        }
    }
}

fn print_diff(path: &str, old: &str, new: &str) {
    let diff = similar::TextDiff::from_lines(old, new);
    print!("{}", diff.unified_diff().context_radius(3).header(path, path));
}

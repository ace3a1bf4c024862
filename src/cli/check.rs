//! `switchboard check`: every mistake of all files in one run.

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;

use super::{Exit, beside, files, watch};
use crate::flow::diagnostic::{Code, Diagnostic, Severity};
use crate::flow::source::{FileId, Sources};
use crate::flow::{self, Compiled, fixes, render, sarif};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files or folders [default: flows, else this folder]
    paths: Vec<PathBuf>,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Treat warnings as mistakes
    #[arg(long, value_name = "warnings", value_parser = ["warnings"])]
    deny: Option<String>,
    /// Pass over a code (may be repeated)
    #[arg(long, value_name = "CODE", value_parser = code)]
    allow: Vec<Code>,
    /// Carry out every fix marked with ✎ that leaves no choice
    #[arg(long)]
    fix: bool,
    /// Check again whenever a file changes, until stopped with Ctrl+C
    #[arg(long)]
    watch: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Drawn for people
    Text,
    /// One JSON object a line
    Json,
    /// One SARIF 2.1.0 document, for the code-scanning page of a code host
    Sarif,
    /// Workflow commands, which code hosts show beside the lines of a change
    Github,
    /// Plain sentences without drawing, for screen readers
    Narrated,
}

pub(super) fn code(text: &str) -> Result<Code, String> {
    text.parse()
        .map_err(|()| format!("there is no code {text}; `switchboard explain` lists them"))
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let paths = files::or_default(&args.paths);
    if args.watch {
        return watch::watch(&paths, || once(args, &paths));
    }
    once(args, &paths)
}

fn once(args: &Args, paths: &[PathBuf]) -> Result<Exit> {
    let mut sources = files::sources(paths)?;
    let mut compiled = compile(&sources);
    if args.fix && mend(&sources, &compiled.diagnostics)? {
        sources = files::sources(paths)?;
        compiled = compile(&sources);
    }
    let found: Vec<Diagnostic> = compiled
        .diagnostics
        .into_iter()
        .filter(|diagnostic| !args.allow.contains(&diagnostic.code))
        .collect();
    match args.format {
        Format::Text => print!("{}", render::text(&sources, &found, colour())),
        Format::Json => print!("{}", render::json(&sources, &found)),
        Format::Sarif => print!("{}", sarif::sarif(&sources, &found)),
        Format::Github => print!("{}", render::github(&sources, &found)),
        Format::Narrated => print!("{}", render::narrated(&sources, &found)),
    }
    let count = |severity| {
        found
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if matches!(args.format, Format::Text | Format::Narrated) {
        eprintln!(
            "{}",
            summary(sources.files.len(), errors, warnings, count(Severity::Hint))
        );
    }
    let bad = errors > 0 || (args.deny.is_some() && warnings > 0);
    Ok(if bad { Exit::Findings } else { Exit::Good })
}

/// What the compiler finds, and what it can't see: the files beside the flows.
fn compile(sources: &Sources) -> Compiled {
    let mut compiled = flow::compile(sources);
    compiled.diagnostics.extend(beside::missing_knowledge(sources));
    compiled
}

/// `1 file`, `2 files`.
pub(super) fn many(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

fn summary(files: usize, errors: usize, warnings: usize, hints: usize) -> String {
    let files = many(files, "file");
    if errors + warnings + hints == 0 {
        return format!("{files}, nothing to mend");
    }
    let mut found = vec![many(errors, "error")];
    if warnings > 0 {
        found.push(many(warnings, "warning"));
    }
    if hints > 0 {
        found.push(many(hints, "hint"));
    }
    format!(
        "{files}: {}. `switchboard explain CODE` tells the story of one",
        found.join(", ")
    )
}

/// Applies fixes that leave no choice. True if a file changed.
fn mend(sources: &Sources, found: &[Diagnostic]) -> Result<bool> {
    let mut changed = false;
    for (index, file) in sources.files.iter().enumerate() {
        let only: Vec<_> = found
            .iter()
            .filter(|diagnostic| diagnostic.span().file.0 as usize == index)
            .filter_map(|diagnostic| match diagnostic.fixes.as_slice() {
                [only] => Some(only.clone()),
                _ => None,
            })
            .collect();
        if only.is_empty() {
            continue;
        }
        let (mended, _) = fixes::apply(&only, FileId(index as u16), &file.text);
        if mended != file.text {
            std::fs::write(&file.path, mended)?;
            eprintln!("mended {}", file.path);
            changed = true;
        }
    }
    Ok(changed)
}

/// Colours only for a terminal, and never against `NO_COLOR`.
pub(super) fn colour() -> bool {
    use std::io::IsTerminal;
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

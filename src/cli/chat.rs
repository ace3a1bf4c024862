//! `switchboard chat`: the flows in a terminal, or in a pipe.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{Exit, files, test};
use crate::chat::dialogue::{Dialogue, HELP, Reply};
use crate::chat::rehearsal::Rehearsal;
use crate::engine::{Machine, SessionSettings};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of the flows [default: flows, else this folder]
    flows: Option<PathBuf>,
    /// Start at this time in the business's zone, such as "2026-03-02 10:00"
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<jiff::civil::DateTime>,
    /// The customer's phone number
    #[arg(long = "as", value_name = "NUMBER")]
    number: Option<String>,
    /// The customer's language
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,
}

fn time(text: &str) -> Result<jiff::civil::DateTime, String> {
    text.trim()
        .replace(' ', "T")
        .parse()
        .map_err(|_| "a time is written 2026-03-02 10:00".to_owned())
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let folder = args.flows.clone().unwrap_or_else(files::default_flows);
    let sources = files::sources(&[folder])?;
    let Some(program) = test::program(&sources) else {
        return Ok(Exit::Findings);
    };
    let machine = Machine::load(program);
    let mut rehearsal = Rehearsal::new(&machine, SessionSettings::default(), args.at);
    rehearsal.memory.phone = args
        .number
        .as_deref()
        .map(|number| number.trim_start_matches('+').to_owned());
    rehearsal.memory.language = args.language.clone();
    let mut dialogue = Dialogue::new(rehearsal);
    if std::io::stdin().is_terminal() {
        by_hand(&mut dialogue)
    } else {
        piped(&mut dialogue)
    }
}

fn by_hand(dialogue: &mut Dialogue<'_>) -> Result<Exit> {
    println!("{HELP}\n");
    let mut editor = rustyline::DefaultEditor::new().context("this terminal can't be used")?;
    loop {
        match editor.readline("you: ") {
            Ok(line) => {
                let _ = editor.add_history_entry(&line);
                if !answer(dialogue, &line)? {
                    return Ok(Exit::Good);
                }
            }
            Err(rustyline::error::ReadlineError::Eof | rustyline::error::ReadlineError::Interrupted) => {
                return Ok(Exit::Good);
            }
            Err(error) => return Err(error).context("this terminal can't be read"),
        }
    }
}

/// Without a terminal every line is echoed, so that the output reads as the conversation.
fn piped(dialogue: &mut Dialogue<'_>) -> Result<Exit> {
    for line in std::io::stdin().lock().lines() {
        let line = line.context("standard input can't be read as text")?;
        if !line.trim().is_empty() {
            writeln!(std::io::stdout(), "you: {}", line.trim())?;
        }
        if !answer(dialogue, &line)? {
            break;
        }
    }
    Ok(Exit::Good)
}

/// False: the conversation is over.
fn answer(dialogue: &mut Dialogue<'_>, line: &str) -> Result<bool> {
    let mut out = std::io::stdout().lock();
    match dialogue.line(line) {
        Reply::Show(lines) => lines.iter().try_for_each(|line| writeln!(out, "{line}"))?,
        Reply::Quit => return Ok(false),
        Reply::Save {
            transcript,
            file: None,
        } => write!(out, "{transcript}")?,
        Reply::Save {
            transcript,
            file: Some(file),
        } => {
            let mut kept = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(&file)
                .with_context(|| format!("can't write {file}"))?;
            writeln!(kept, "{transcript}")?;
            writeln!(out, "(added to {file})")?;
        }
    }
    Ok(true)
}

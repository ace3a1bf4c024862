//! `switchboard strings`: the files in which translators put the words of a flow in another language.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{Exit, check, files};
use crate::flow::diagnostic::{Diagnostic, Severity};
use crate::flow::locale::name_of;
use crate::flow::source::{FileId, Sources};
use crate::flow::strings::{self, write};
use crate::flow::tree::Tree;
use crate::flow::{blocks, render};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The language, as in pt or pt_BR
    #[arg(value_name = "LANGUAGE", value_parser = language)]
    language: String,
    /// Files or folders of the flows [default: flows, else this folder]
    paths: Vec<PathBuf>,
    /// Change nothing; list files that would be written
    #[arg(long)]
    check: bool,
}

fn language(text: &str) -> Result<String, String> {
    if strings::is_language(text) {
        Ok(text.to_owned())
    } else {
        Err("a language is two or three letters, as in pt, or with a country, as in pt_BR".to_owned())
    }
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let paths = files::or_default(&args.paths);
    let sources = files::sources(&paths)?;
    let (tree, mistakes) = blocks::parse(&sources);
    let unread: Vec<Diagnostic> = mistakes
        .into_iter()
        .filter(|mistake| mistake.severity == Severity::Error)
        .collect();
    if !unread.is_empty() {
        // A line that can't be read would look like one that is gone, and its translation like one of nothing.
        eprint!("{}", render::text(&sources, &unread, check::colour()));
        eprintln!("nothing was written: first mend the lines that can't be read");
        return Ok(Exit::Findings);
    }
    if let Some(business) = &tree.business {
        let spoken: Vec<&str> = business.languages.iter().map(|name| name.text.as_str()).collect();
        let first = spoken.first().copied().unwrap_or("en");
        if strings::same_language(first, &args.language) {
            return Err(Exit::Usage.because(format!(
                "the flows are written in {}: there is nothing to translate",
                name_of(first)
            )));
        }
        if !spoken
            .iter()
            .any(|own| strings::same_language(own, &args.language))
        {
            let line = spoken.iter().copied().chain([args.language.as_str()]);
            eprintln!(
                "the business doesn't speak {} yet: write  languages {}  in {}",
                name_of(&args.language),
                line.collect::<Vec<_>>().join(", "),
                sources.file(business.file).path
            );
        }
    }
    let mut exit = Exit::Good;
    for index in 0..sources.files.len() {
        let file = FileId(u16::try_from(index).unwrap_or(u16::MAX));
        if !strings::is_strings(&sources.file(file).path) && one(args, &sources, &tree, file)? {
            exit = Exit::Findings;
        }
    }
    Ok(exit)
}

/// Writes the translations of one file. True if it is only said that it would be written.
fn one(args: &Args, sources: &Sources, tree: &Tree, file: FileId) -> Result<bool> {
    let before = tree.strings.iter().find(|strings| {
        strings.of == Some(file) && strings::same_language(&strings.language, &args.language)
    });
    let written = write::rewritten(sources, tree, file, &args.language, before);
    let path = match before {
        Some(strings) => sources.file(strings.file).path.clone(),
        None => strings::strings_path(&sources.file(file).path, &args.language),
    };
    if written.texts == 0 && before.is_none() {
        return Ok(false);
    }
    let changes = before.is_none_or(|strings| sources.file(strings.file).text != written.text);
    if args.check {
        if changes {
            println!("{path}");
        }
        return Ok(changes);
    }
    if changes {
        replace(&path, &written.text)?;
    }
    let mut told = vec![format!("{} to translate", check::many(written.texts, "text"))];
    let mut tell = |count: usize, words: &str| {
        if count > 0 {
            told.push(format!("{count} {words}"));
        }
    };
    tell(written.missing, "without a translation");
    tell(written.stale, "to look at again, marked stale");
    tell(written.unused, "kept though nothing uses them");
    println!("{path}: {}", told.join(", "));
    Ok(false)
}

/// Writes a new file and puts it in the old one's place: translations are work, and a full disk must not lose them.
fn replace(path: &str, text: &str) -> Result<()> {
    let new = format!("{path}.new");
    std::fs::write(&new, text)
        .and_then(|()| std::fs::rename(&new, path))
        .with_context(|| format!("can't write {path}"))
}

//! `switchboard test`: replays conversations.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Exit, check, files, watch};
use crate::chat::coverage::Coverage;
use crate::chat::report::{self, Ran};
use crate::chat::{bless, generate, parse, published, run};
use crate::engine::Machine;
use crate::flow::program::Program;
use crate::flow::source::Sources;
use crate::flow::{self, diagnostic::Severity, render};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// .chat files or folders; FILE:LINE plays the conversation at that line [default: the folder of the flows]
    paths: Vec<String>,
    /// Folder of the flows [default: flows, else this folder]
    #[arg(long, value_name = "DIR")]
    flows: Option<PathBuf>,
    /// Only conversations whose title contains this
    #[arg(long, value_name = "WORDS")]
    filter: Option<String>,
    /// Rewrite the Bot: lines of failing conversations, after showing the difference
    #[arg(long)]
    bless: bool,
    /// Also write the result as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print which exits of each question were taken, and warn of steps that no conversation enters (F901)
    #[arg(long)]
    coverage: bool,
    /// Also write the coverage as JSON
    #[arg(long, value_name = "FILE")]
    coverage_json: Option<PathBuf>,
    /// Fail if fewer than this many per cent of the exits were taken
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    fail_under: Option<u8>,
    /// Write conversations of every way through every flow instead, with what the bot says today; existing files stay
    #[arg(long, conflicts_with_all = ["bless", "watch", "junit", "coverage", "coverage_json", "filter"])]
    generate: bool,
    /// Play again whenever a file changes, until stopped with Ctrl+C
    #[arg(long)]
    watch: bool,
}

/// Compiles the flows; mistakes are printed.
pub(super) fn program(sources: &Sources) -> Option<Program> {
    let compiled = flow::compile(sources);
    if compiled.program.is_none() {
        let errors: Vec<_> = compiled
            .diagnostics
            .into_iter()
            .filter(|found| found.severity == Severity::Error)
            .collect();
        eprint!("{}", render::text(sources, &errors, check::colour()));
        eprintln!("the flows have mistakes, so nothing can be played");
    }
    compiled.program
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let folder = args.flows.clone().unwrap_or_else(files::default_flows);
    if args.watch {
        let mut paths = vec![folder.clone()];
        paths.extend(args.paths.iter().map(|path| place(path).0));
        return watch::watch(&paths, || once(args, folder.clone()));
    }
    once(args, folder)
}

fn once(args: &Args, folder: PathBuf) -> Result<Exit> {
    let sources = files::sources(std::slice::from_ref(&folder))?;
    let Some(program) = program(&sources) else {
        return Ok(Exit::Findings);
    };
    let machine = Machine::load(program);
    if args.generate {
        return write_generated(args, &machine, &folder);
    }
    let wanted: Vec<(PathBuf, Option<u32>)> = if args.paths.is_empty() {
        vec![(folder, None)]
    } else {
        args.paths.iter().map(|path| place(path)).collect()
    };
    let mut coverage = Coverage::of(machine.program());
    let (mut runs, mut passed, mut failed, mut unreadable) = (Vec::new(), 0, 0, false);
    for (path, line) in wanted {
        for file in files::find(&[path], "chat")? {
            let (name, text) = (files::shown(&file), files::read(&file)?);
            let mut stories = match parse::parse(&name, &text) {
                Ok(stories) => stories,
                Err(mistakes) => {
                    mistakes.iter().for_each(|mistake| eprintln!("error: {mistake}"));
                    unreadable = true;
                    runs.push(Ran {
                        file: name,
                        text,
                        stories: Vec::new(),
                        mistakes: mistakes.iter().map(ToString::to_string).collect(),
                    });
                    continue;
                }
            };
            if let Err(why) = published::load(&mut stories, &file) {
                eprintln!("error: {name}: {why}");
                unreadable = true;
                runs.push(Ran {
                    file: name,
                    text,
                    stories: Vec::new(),
                    mistakes: vec![why.to_string()],
                });
                continue;
            }
            let mut ran = Ran {
                file: name,
                text,
                stories: Vec::new(),
                mistakes: Vec::new(),
            };
            for mut story in stories.into_iter().filter(|story| {
                line.is_none_or(|line| story.line == line)
                    && args
                        .filter
                        .as_ref()
                        .is_none_or(|words| story.title.contains(words.as_str()))
            }) {
                let mut played = run::play(&machine, &story);
                while let Some((name, text)) = played.wanted.take_if(|_| args.bless) {
                    write_golden(&file, &name, &text)?;
                    story.golden.insert(name, text);
                    played = run::play(&machine, &story);
                }
                coverage.add(&played.log);
                match &played.failure {
                    None => passed += 1,
                    Some(failure) => {
                        failed += 1;
                        println!(
                            "{}",
                            report::failure(&ran.file, &ran.text, &story, &played, failure)
                        );
                    }
                }
                ran.stories.push((story, played));
            }
            if args.bless {
                rewrite(&machine, &file, &ran)?;
            }
            runs.push(ran);
        }
    }
    if let Some(path) = &args.junit {
        std::fs::write(path, report::junit(&runs)?)
            .with_context(|| format!("can't write {}", path.display()))?;
    }
    if args.coverage {
        print!("{}", coverage.table());
        if passed + failed > 0 {
            let never = coverage.never(&sources);
            eprint!("{}", render::text(&sources, &never, check::colour()));
        }
    }
    if let Some(path) = &args.coverage_json {
        let text = serde_json::to_string_pretty(&coverage.json())? + "\n";
        std::fs::write(path, text).with_context(|| format!("can't write {}", path.display()))?;
    }
    println!("{passed} passed, {failed} failed");
    if passed + failed == 0 && !unreadable {
        return Err(Exit::Usage.because("there is no conversation to play here"));
    }
    let (taken, all) = coverage.count();
    let short = args
        .fail_under
        .is_some_and(|bar| taken * 100 < all * bar as usize);
    if short {
        eprintln!("only {taken} of {all} exits were taken");
    }
    Ok(if failed > 0 || unreadable || short {
        Exit::Findings
    } else {
        Exit::Good
    })
}

/// One file a flow, in `tests/generated` beside the flows or in the folder that is named.
fn write_generated(args: &Args, machine: &Machine, flows: &Path) -> Result<Exit> {
    let folder = match args.paths.as_slice() {
        [] => flows.join("tests/generated"),
        [folder] => PathBuf::from(folder),
        _ => return Err(Exit::Usage.because("name one folder for what is generated")),
    };
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("can't make the folder {}", folder.display()))?;
    for generated in generate::generate(machine) {
        let path = folder.join(format!("{}.chat", generated.flow));
        match std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
        {
            Ok(mut file) => {
                file.write_all(generated.text.as_bytes())
                    .with_context(|| format!("can't write {}", path.display()))?;
                println!(
                    "wrote {} with {} conversations",
                    files::shown(&path),
                    generated.chats
                );
            }
            Err(why) if why.kind() == std::io::ErrorKind::AlreadyExists => {
                println!("left {} alone: it is there already", files::shown(&path));
            }
            Err(why) => return Err(why).with_context(|| format!("can't write {}", path.display())),
        }
    }
    Ok(Exit::Good)
}

fn write_golden(chat: &Path, name: &str, text: &str) -> Result<()> {
    let path = published::beside(chat, name);
    std::fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

/// What the conversations in a folder take, failed ones too: a failed one has taken what it came to.
pub(super) fn coverage_of(machine: &Machine, folder: &PathBuf) -> Result<Coverage> {
    let mut coverage = Coverage::of(machine.program());
    for file in files::find(std::slice::from_ref(folder), "chat")? {
        let name = files::shown(&file);
        match parse::parse(&name, &files::read(&file)?) {
            Ok(mut stories) => {
                published::load(&mut stories, &file)?;
                for story in &stories {
                    let played = run::play(machine, story);
                    coverage.add(&played.log);
                    coverage.add_ways(&played.went);
                }
            }
            Err(mistakes) => mistakes.iter().for_each(|mistake| eprintln!("error: {mistake}")),
        }
    }
    Ok(coverage)
}

/// `FILE:LINE` or a path.
fn place(text: &str) -> (PathBuf, Option<u32>) {
    match text.rsplit_once(':') {
        Some((path, line)) => match line.parse() {
            Ok(line) => (PathBuf::from(path), Some(line)),
            Err(_) => (PathBuf::from(text), None),
        },
        None => (PathBuf::from(text), None),
    }
}

/// Blesses the failed stories of a file, the last one first so that lines above keep their numbers.
fn rewrite(machine: &Machine, path: &PathBuf, ran: &Ran) -> Result<()> {
    let mut text = ran.text.clone();
    for (story, _) in ran
        .stories
        .iter()
        .rev()
        .filter(|(_, played)| played.failure.is_some())
    {
        match bless::bless(machine, &text, story) {
            Ok(blessed) => text = blessed,
            Err(_) => eprintln!(
                "{}:{} is not rewritten: it fails for more than what is said",
                ran.file, story.line
            ),
        }
    }
    if text != ran.text {
        let diff = similar::TextDiff::from_lines(&ran.text, &text);
        print!(
            "{}",
            diff.unified_diff().context_radius(2).header(&ran.file, &ran.file)
        );
        std::fs::write(path, text).with_context(|| format!("can't write {}", path.display()))?;
        eprintln!("rewrote {}", ran.file);
    }
    Ok(())
}

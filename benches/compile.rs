//! Compiling a business, stage by stage, from 100 to 10,000 lines.
//!
//! Stands beside its bar of 60 ms for 10,000 lines with every check on, and beside itself: time a line must not grow
//! with the size of the business. Times are of the processor, so that other work on the machine does not count.

use std::hint::black_box;
use std::time::Duration;

use switchboard::flow::source::{FileId, Sources};
use switchboard::flow::{blocks, check, compile, lower, strings};

mod clock;
mod generate;
mod table;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [usize; 3] = [100, 1_000, 10_000];
/// For 10,000 lines, in milliseconds; smaller businesses get their share.
const BAR_MS: f64 = 60.0;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        // A test runner asks what tests there are: none.
        return;
    }
    table::head();
    for lines in SIZES {
        let mut sources = Sources::default();
        for file in generate::business(lines) {
            sources.add(file.path, file.text);
        }
        stages(&sources, lines);
        languages(&sources, lines);
    }
}

/// The same business with every text in a further language.
fn languages(sources: &Sources, lines: usize) {
    let translated = translated(sources);
    let compiled = compile(&translated);
    assert!(compiled.diagnostics.is_empty(), "the translation is whole");
    let rounds = u32::try_from(400_000 / lines).unwrap_or(1).max(1);
    let whole = mean(rounds, || compile(&translated));
    let alone = mean(rounds, || compile(sources));
    table::row(
        &format!("compile in two languages, {lines} lines"),
        &format!("{:.2} ms", whole.as_secs_f64() * 1e3),
        &format!("{:.2} ms in one", alone.as_secs_f64() * 1e3),
        &format!("{:.2}", whole.as_secs_f64() / alone.as_secs_f64()),
        &format!(
            "{} texts",
            compiled.program.map_or(0, |program| program.texts.len())
        ),
    );
}

/// Every text is its own translation.
fn translated(sources: &Sources) -> Sources {
    let mut both = Sources::default();
    for file in &sources.files {
        both.add(
            file.path.clone(),
            file.text.replace("languages en\n", "languages en, pt\n"),
        );
    }
    let (tree, _) = blocks::parse(&both);
    for index in 0..sources.files.len() {
        let file = FileId(u16::try_from(index).expect("fewer files than that are generated"));
        let written = strings::write::rewritten(&both, &tree, file, "pt", None);
        let mut source = "";
        let filled: String = written
            .text
            .lines()
            .map(|line| {
                source = line.strip_prefix("# ").unwrap_or(source);
                match line.strip_suffix("  \"\"") {
                    Some(key) => format!("{key}  {source}\n"),
                    None => format!("{line}\n"),
                }
            })
            .collect();
        both.add(strings::strings_path(&sources.files[index].path, "pt"), filled);
    }
    both
}

fn stages(sources: &Sources, lines: usize) {
    let (tree, _) = blocks::parse(sources);
    let program = lower::lower(sources, &tree);
    let rounds = u32::try_from(400_000 / lines).unwrap_or(1).max(1);
    let parse = mean(rounds, || blocks::parse(sources));
    let check = mean(rounds, || check::check(sources, &tree));
    let lower = mean(rounds, || lower::lower(sources, &tree));
    let whole = mean(rounds, || compile(sources));

    let bar = BAR_MS * lines as f64 / 10_000.0;
    let share = |part: Duration| {
        format!(
            "{:.0} % of the whole",
            100.0 * part.as_secs_f64() / whole.as_secs_f64()
        )
    };
    for (what, time, beside) in [
        ("parse", parse, share(parse)),
        ("check", check, share(check)),
        (
            "lower",
            lower,
            format!(
                "{}; {} instructions, {} texts",
                share(lower),
                program.code.len(),
                program.texts.len()
            ),
        ),
        (
            "compile",
            whole,
            format!("{:.2} µs a line", whole.as_secs_f64() * 1e6 / lines as f64),
        ),
    ] {
        let ms = time.as_secs_f64() * 1e3;
        // Only the whole has a bar; its parts show where the time goes.
        let (bar, ratio) = if what == "compile" {
            (format!("<= {bar:.1} ms"), format!("{:.2}", ms / bar))
        } else {
            ("-".to_owned(), "-".to_owned())
        };
        table::row(
            &format!("{what}, {lines} lines"),
            &format!("{ms:.2} ms"),
            &bar,
            &ratio,
            &beside,
        );
    }
}

/// The mean of many rounds: the clock of the processor moves in steps of some milliseconds.
fn mean<T>(rounds: u32, mut work: impl FnMut() -> T) -> Duration {
    let start = clock::on_processor();
    for _ in 0..rounds {
        black_box(work());
    }
    (clock::on_processor() - start) / rounds
}
